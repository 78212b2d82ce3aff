"""Logs from disk or drawn, one at a time, each at its own size: never resized, never padded to a neighbour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from wellseg.scan.reader import ScanError, open_scan
from wellseg.training.data_folder import DataError, LogFiles, check_size, list_logs

if TYPE_CHECKING:
    from pathlib import Path

    from wellseg.config import DataConfig

Visit = tuple[int, int]
"""(epoch, index of the log): what the sampler yields, and all that a sample depends on but the seed."""


VALIDATION_SEED = 1_000_003
"""Added to the seed for the drawn validation logs, so that none of them is trained on."""


class Sample(NamedTuple):
    """One log: gray uint8 (1, 1, H, W), 0 black to 255 white, and mask uint8 of the same shape.

    skipped: what was wrong with the logs that it stands in for.
    """

    gray: Tensor
    truth: Tensor
    name: str
    skipped: tuple[str, ...] = ()


Rows = tuple[int, int]
Pixels = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Gray and mask, each uint8 (rows, columns)."""


class FolderLogs:
    """The logs of one split of a data set on disk."""

    def __init__(self, root: Path, split: str) -> None:
        self.files: list[LogFiles] = list_logs(root, split)
        for files in self.files:  # now, not in the middle of a run
            check_size(files.mask, files.image)

    def __len__(self) -> int:
        return len(self.files)

    def read(self, visit: Visit, pick_rows: Callable[[int], Rows]) -> tuple[str, Pixels]:
        """Name and pixels of a log; only the rows that ``pick_rows(height)`` chooses are read."""
        files = self.files[visit[1]]
        with open_scan(files.image) as image, open_scan(files.mask) as mask:
            rows = pick_rows(image.rows)
            return files.name, (image.read(*rows), mask.read(*rows))


class DrawnLogs:
    """Logs drawn by the corpus on the fly: every epoch has new ones, every run of a seed the same.

    backgrounds: a data set of real paper (see ``wellseg.paper``) that the ``share`` of them is drawn on.
    """

    def __init__(
        self,
        preset: str,
        seed: int,
        count: int,
        backgrounds: Path | None = None,
        share: float = 0.5,
    ) -> None:
        self.preset, self.seed, self.count = preset, seed, count
        self.paper: list[LogFiles] = list_logs(backgrounds) if backgrounds else []
        self.share = share if backgrounds else 0.0
        for crop in self.paper:
            check_size(crop.mask, crop.image)

    def __len__(self) -> int:
        return self.count

    def read(self, visit: Visit, pick_rows: Callable[[int], Rows]) -> tuple[str, Pixels]:
        from wellseg.corpus import draw_log
        from wellseg.training.on_paper import draw_on_paper, is_on_paper

        epoch, index = visit
        number = epoch * self.count + index
        if self.share and is_on_paper(self.seed, number, self.share):
            log = draw_on_paper(self.seed, number, self.preset, self.paper)
        else:
            log = draw_log(self.seed, number, self.preset)
        start, stop = pick_rows(len(log.image))
        return f"{self.preset}{self.seed}-{number:06d}", (
            log.image[start:stop],
            log.mask[start:stop],
        )


class Samples(Dataset[Sample]):
    """Logs, cropped and augmented by draws from (seed, epoch, index) alone."""

    def __init__(
        self,
        logs: FolderLogs | DrawnLogs,
        seed: int,
        crop_rows: int | None,
        augment: bool,
        on_error: Literal["stop", "skip"] = "stop",
    ) -> None:
        self.logs, self.seed, self.crop_rows, self.augment = logs, seed, crop_rows, augment
        self.on_error = on_error

    def __len__(self) -> int:
        return len(self.logs)

    def __getitem__(self, visit: Visit) -> Sample:
        """The log of that visit; with on_error skip, the next one that can be read, whatever process asks."""
        if self.on_error == "stop":
            return self._read(visit)
        epoch, index = visit
        skipped: list[str] = []
        for further in range(len(self)):
            try:
                return self._read((epoch, (index + further) % len(self)))._replace(
                    skipped=tuple(skipped)
                )
            except (ScanError, OSError) as error:
                skipped.append(str(error))
        raise DataError(f"none of the {len(self)} logs can be read; {skipped[0]}")

    def _read(self, visit: Visit) -> Sample:
        draws = np.random.default_rng((self.seed, *visit))
        name, (gray, mask) = self.logs.read(visit, lambda height: self._pick_rows(height, draws))
        if self.augment:
            from wellseg.training.augment import Augmentation

            gray, mask = Augmentation()(gray, mask, int(draws.integers(2**31)))
        return Sample(torch.from_numpy(gray)[None, None], torch.from_numpy(mask)[None, None], name)

    def _pick_rows(self, height: int, draws: np.random.Generator) -> Rows:
        if self.crop_rows is None or self.crop_rows >= height:
            return 0, height
        start = int(draws.integers(height - self.crop_rows + 1))
        return start, start + self.crop_rows


class VisitSampler(Sampler[Visit]):
    """The order of the logs: a permutation for each epoch, drawn from (seed, epoch).

    It holds no state: ``steps_done`` tells where the run stands, so a resumed run goes on with the very
    next log. With several processes each takes every ``ranks``-th log, all the same number of them;
    ``per_step`` logs of a process make a step (gradient accumulation). The last step of an epoch is filled up with
    its first logs: every step weighs the same, and so many logs are so many steps.
    """

    def __init__(
        self,
        logs: int,
        seed: int,
        steps_done: Callable[[], int],
        rank: int = 0,
        ranks: int = 1,
        per_step: int = 1,
    ) -> None:
        self.logs, self.seed, self.steps_done = logs, seed, steps_done
        self.rank, self.ranks, self.per_step = rank, ranks, per_step

    def __len__(self) -> int:
        return math.ceil(max(1, self.logs // self.ranks) / self.per_step) * self.per_step

    def __iter__(self) -> Iterator[Visit]:
        epoch, step = divmod(self.steps_done(), len(self) // self.per_step)
        order = np.random.default_rng((self.seed, epoch)).permutation(self.logs)
        for position in range(step * self.per_step, len(self)):
            yield epoch, int(order[(position * self.ranks + self.rank) % self.logs])


class LogsModule(LightningDataModule):
    """The logs to train on and to validate with: of a data set folder, or drawn."""

    def __init__(self, options: DataConfig, seed: int) -> None:
        super().__init__()
        self.options, self.seed = options, seed
        self.train_logs: FolderLogs | DrawnLogs
        self.val_logs: FolderLogs | DrawnLogs
        if options.root is None:
            self.train_logs = DrawnLogs(
                options.preset, seed, options.count, options.backgrounds, options.background_share
            )
            self.val_logs = DrawnLogs(options.preset, seed + VALIDATION_SEED, options.val_count)
            return
        self.train_logs, self.val_logs = (
            FolderLogs(options.root, "train"),
            FolderLogs(options.root, "val"),
        )
        if not len(self.train_logs) or not len(self.val_logs):
            raise DataError(
                f"{options.root}: {len(self.train_logs)} logs to train on and {len(self.val_logs)} to validate "
                "with, at least one of each is needed; add logs of another well, or a split.csv"
            )

    def train_dataloader(self) -> DataLoader[Sample]:
        trainer = self.trainer
        assert trainer is not None
        options = self.options
        samples = Samples(
            self.train_logs, self.seed, options.crop_rows, options.augment, options.on_error
        )
        sampler = VisitSampler(
            len(samples), self.seed, lambda: trainer.global_step,
            trainer.global_rank, trainer.world_size, trainer.accumulate_grad_batches,
        )  # fmt: skip
        workers = self.options.workers
        return DataLoader(
            samples,
            batch_size=None,  # one log at a time: no two have the same size
            sampler=sampler,
            num_workers=workers,
            # Not forked: a child that inherits OpenCV's thread pool without its threads waits for ever.
            multiprocessing_context="spawn" if workers else None,
            persistent_workers=workers > 0,
            worker_init_fn=one_thread,
        )

    def val_dataloader(self) -> DataLoader[Sample]:
        """In this process: reading a log takes a tenth of the time that evaluating it does."""
        samples = Samples(
            self.val_logs, self.seed, None, augment=False, on_error=self.options.on_error
        )
        return DataLoader(
            samples, batch_size=None, sampler=[(0, index) for index in range(len(samples))]
        )


def one_thread(_worker: int) -> None:
    """Without it each worker would start a thread per core, beside those of the training step."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)

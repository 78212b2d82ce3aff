"""Logs from disk or drawn, one at a time, each at its own size: never resized, never padded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from wellseg.scan.gray import to_gray
from wellseg.scan.reader import ScanError, open_scan
from wellseg.training.data_folder import DataError, LogFiles, list_logs
from wellseg.training.masks import MaskFacts, check_masks, listed

if TYPE_CHECKING:
    from pathlib import Path

    from wellseg.training.options import DataConfig

Visit = tuple[int, int]
"""(epoch, index of the log), which with the seed are all that a sample depends on."""
Rows = tuple[int, int]
PickRows = Callable[[NDArray[np.bool_]], Rows]
"""Which rows hold scored pixels, bool (rows,) -> rows [start, stop) to take."""
Pixels = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Gray and mask, each uint8 (rows, columns)."""

VALIDATION_SEED = 1_000_003
"""Added to the seed for the drawn validation logs, so that none of them is trained on."""
FEW_LOGS = 3
"""Fewer logs than these to validate with choose the best step by chance."""


class Sample(NamedTuple):
    """One log: gray uint8 (1, 1, H, W), 0 black to 255 white, and mask uint8 of the same shape.

    skipped: what was wrong with the logs that it stands in for.
    """

    gray: Tensor
    truth: Tensor
    name: str
    skipped: tuple[str, ...] = ()


class FolderLogs:
    """The logs of one split of a data set on disk, but for those of which nothing is scored.

    facts: of the masks, as `check_masks` gives them; by default they are checked here.
    """

    def __init__(
        self, root: Path, split: str, facts: Mapping[str, MaskFacts] | None = None
    ) -> None:
        files = list_logs(root, split)
        self.facts = check_masks(files) if facts is None else facts
        self.files = [
            log
            for log in files
            if log.name not in self.facts or self.facts[log.name].scored_rows.any()
        ]

    def __len__(self) -> int:
        return len(self.files)

    def read(self, visit: Visit, pick_rows: PickRows) -> tuple[str, Pixels]:
        """Name and pixels of a log; only the rows that are picked are read."""
        files = self.files[visit[1]]
        with open_scan(files.image) as image, open_scan(files.mask) as mask:
            facts = self.facts.get(files.name)
            rows = pick_rows(facts.scored_rows if facts else np.ones(image.rows, np.bool_))
            return files.name, (image.read(*rows), mask.read(*rows))


class DrawnLogs:
    """Logs drawn by the corpus on the fly: every epoch has new ones, every run of a seed the same.

    backgrounds: a data set of real paper (see ``wellseg.paper``) that ``share`` of them is drawn
    on.
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
        check_masks(self.paper, on_error="stop")

    def __len__(self) -> int:
        return self.count

    def read(self, visit: Visit, pick_rows: PickRows) -> tuple[str, Pixels]:
        from wellseg.corpus import draw_log
        from wellseg.training.on_paper import draw_on_paper, is_on_paper

        epoch, index = visit
        number = epoch * self.count + index
        if self.share and is_on_paper(self.seed, number, self.share):
            log = draw_on_paper(self.seed, number, self.preset, self.paper)
        else:
            log = draw_log(self.seed, number, self.preset)
        start, stop = pick_rows((log.mask != 128).any(axis=1))
        name = f"{self.preset}{self.seed}-{number:06d}"
        return name, (to_gray(log.image[start:stop]), log.mask[start:stop])


class MixedLogs:
    """Logs of a folder, each once in an epoch, and beside them drawn ones, new in every epoch."""

    def __init__(self, folder: FolderLogs, drawn: DrawnLogs) -> None:
        self.folder, self.drawn = folder, drawn

    def __len__(self) -> int:
        return len(self.folder) + len(self.drawn)

    def read(self, visit: Visit, pick_rows: PickRows) -> tuple[str, Pixels]:
        epoch, index = visit
        if index < len(self.folder):
            return self.folder.read(visit, pick_rows)
        return self.drawn.read((epoch, index - len(self.folder)), pick_rows)


def pick_crop(
    scored_rows: NDArray[np.bool_], crop_rows: int | None, draws: np.random.Generator
) -> Rows:
    """A crop of that many rows, or the whole log where it has no more.

    A crop is the likelier the more scored rows it holds, and none without any is taken: a step
    on it would teach nothing. Where all rows are scored, all crops are equally likely.
    """
    height = len(scored_rows)
    if crop_rows is None or crop_rows >= height:
        return 0, height
    above = np.concatenate([[0], np.cumsum(scored_rows)])
    likely = above[crop_rows:] - above[:-crop_rows]
    if not likely.any():
        likely += 1
    start = int(draws.choice(len(likely), p=likely / likely.sum()))
    return start, start + crop_rows


class Samples(Dataset[Sample]):
    """Logs, cropped and augmented by draws from (seed, epoch, index) alone."""

    def __init__(
        self,
        logs: FolderLogs | DrawnLogs | MixedLogs,
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
        """The log of that visit; with on_error skip the next one that can be read."""
        if self.on_error == "stop":
            return self._read(visit)
        epoch, index = visit
        skipped: list[str] = []
        for further in range(len(self)):
            try:
                sample = self._read((epoch, (index + further) % len(self)))
                return sample._replace(skipped=tuple(skipped))
            except (ScanError, OSError) as error:
                skipped.append(str(error))
        raise DataError(f"none of the {len(self)} logs can be read; {skipped[0]}")

    def _read(self, visit: Visit) -> Sample:
        draws = np.random.default_rng((self.seed, *visit))
        name, (gray, mask) = self.logs.read(
            visit, lambda scored_rows: pick_crop(scored_rows, self.crop_rows, draws)
        )
        if self.augment:
            from wellseg.training.augment import Augmentation

            gray, mask = Augmentation()(gray, mask, int(draws.integers(2**31)))
        return Sample(torch.from_numpy(gray)[None, None], torch.from_numpy(mask)[None, None], name)


class VisitSampler(Sampler[Visit]):
    """The order of the logs: a permutation for each epoch, drawn from (seed, epoch).

    It holds no state: ``steps_done`` tells where the run stands, so a resumed run goes on with the
    very next log. With several processes each takes every ``ranks``-th log, all the same number of
    them; ``per_step`` logs of a process make a step (gradient accumulation). The last step of an
    epoch is filled up with its first logs: every step weighs the same, and so many logs are so many
    steps.
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
    """The logs to train on and to validate with: of a data set folder, or drawn.

    warnings: what is odd about them, one line each.
    Raises DataError for masks that cannot be used, and for a split without curves.
    """

    def __init__(self, options: DataConfig, seed: int) -> None:
        super().__init__()
        self.options, self.seed = options, seed
        self.warnings: list[str] = []
        self.train_logs: FolderLogs | DrawnLogs | MixedLogs
        self.val_logs: FolderLogs | DrawnLogs
        if options.root is None:
            self.train_logs = self._drawn(options.count)
            self.val_logs = DrawnLogs(options.preset, seed + VALIDATION_SEED, options.val_count)
        else:
            self.train_logs, self.val_logs = folder, _ = self._of_folder(options.root)
            if share := options.drawn_share:
                drawn = self._drawn(math.ceil(len(folder) * share / (1 - share)))
                self.train_logs = MixedLogs(folder, drawn)
        if len(self.val_logs) < FEW_LOGS:
            more = "--data.val_count" if options.root is None else "split.csv"
            self.warnings.append(
                f"the best step is chosen by {len(self.val_logs)} validation log(s) alone: give"
                f" more ({more}), or take the last step (--keep last)"
            )

    def _drawn(self, count: int) -> DrawnLogs:
        options = self.options
        return DrawnLogs(
            options.preset, self.seed, count, options.backgrounds, options.background_share
        )

    def _of_folder(self, root: Path) -> tuple[FolderLogs, FolderLogs]:
        logs = {split: list_logs(root, split) for split in ("train", "val")}
        if not all(logs.values()):
            raise DataError(
                f"{root}: {len(logs['train'])} logs to train on and {len(logs['val'])} to validate "
                "with, at least one of each is needed; add logs of another well, or a split.csv"
            )
        both = [log for split in logs.values() for log in split]
        facts = check_masks(both, self.options.on_error)
        for split, use in (("train", "to train on"), ("val", "to validate with")):
            known = [facts[log.name] for log in logs[split] if log.name in facts]
            if known and not any(fact.curve_px for fact in known):
                scored = any(fact.scored_rows.any() for fact in known)
                fault = "no curve (255)" if scored else "nothing scored, 128 alone,"
                raise DataError(f"{root}: {fault} in the masks of all {len(known)} logs {use}")
        unscored = [name for name, fact in facts.items() if not fact.scored_rows.any()]
        if unscored:
            self.warnings.append(
                f"nothing is scored, 128 alone, in the masks of {listed(unscored)}: left out"
            )
        empty = [name for name, fact in facts.items() if not fact.curve_px]
        if empty := [name for name in empty if name not in unscored]:
            self.warnings.append(
                f"no curve (255) in the masks of {listed(empty)}: they teach what is none"
            )
        return FolderLogs(root, "train", facts), FolderLogs(root, "val", facts)

    def train_dataloader(self) -> DataLoader[Sample]:
        trainer, options = self.trainer, self.options
        assert trainer is not None
        samples = Samples(
            self.train_logs, self.seed, options.crop_rows, options.augment, options.on_error
        )
        sampler = VisitSampler(
            len(samples), self.seed, lambda: trainer.global_step,
            trainer.global_rank, trainer.world_size, trainer.accumulate_grad_batches,
        )  # fmt: skip
        return DataLoader(
            samples,
            batch_size=None,  # one log at a time: no two have the same size
            sampler=sampler,
            num_workers=options.workers,
            # Not forked: a child with OpenCV's thread pool but not its threads waits for ever.
            multiprocessing_context="spawn" if options.workers else None,
            persistent_workers=options.workers > 0,
            worker_init_fn=one_thread,
        )

    def val_dataloader(self) -> DataLoader[Sample]:
        """In this process: reading a log takes a tenth of the time that evaluating it does."""
        samples = Samples(self.val_logs, self.seed, None, False, self.options.on_error)
        visits = [(0, index) for index in range(len(samples))]
        return DataLoader(samples, batch_size=None, sampler=visits)


def one_thread(_worker: int) -> None:
    """Without it each worker would start a thread per core, beside those of the training step."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)

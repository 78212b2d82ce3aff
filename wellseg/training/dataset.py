"""Logs from disk or drawn, one at a time, each at its own size: never resized, never padded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
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
from wellseg.training.options import DataConfig

Visit = tuple[int, int]
"""(epoch, index of the log), which with the seed are all that a sample depends on."""

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


@dataclass(eq=False)
class Samples(Dataset[Sample]):
    """Logs of files, each once in an epoch, and behind them ``drawn`` ones, new in every epoch.

    They are cropped and augmented by draws from (seed, epoch, index) alone.
    facts: of the files' masks, as `check_masks` gives them. paper: crops that ``paper_share`` of
    the drawn logs is drawn on.
    """

    seed: int
    files: Sequence[LogFiles] = ()
    facts: Mapping[str, MaskFacts] = field(default_factory=dict)
    drawn: int = 0
    preset: str = "quick"
    paper: Sequence[LogFiles] = ()
    paper_share: float = 0.0
    crop_rows: int | None = None
    augment: bool = False
    on_error: str = "stop"

    def __len__(self) -> int:
        return len(self.files) + self.drawn

    def __getitem__(self, visit: Visit) -> Sample:
        """The log of that visit; with on_error skip the next one that can be read."""
        epoch, index = visit
        skipped: list[str] = []
        for further in range(len(self)):
            try:
                sample = self._read(epoch, (index + further) % len(self))
                return sample._replace(skipped=tuple(skipped))
            except (ScanError, OSError) as error:
                if self.on_error == "stop":
                    raise
                skipped.append(str(error))
        raise DataError(f"none of the {len(self)} logs can be read; {skipped[0]}")

    def _read(self, epoch: int, index: int) -> Sample:
        draws = np.random.default_rng((self.seed, epoch, index))
        if index < len(self.files):
            log = self.files[index]
            name, facts = log.name, self.facts.get(log.name)
            with open_scan(log.image) as image, open_scan(log.mask) as mask:
                scored_rows = facts.scored_rows if facts else np.ones(image.rows, np.bool_)
                rows = pick_crop(scored_rows, self.crop_rows, draws)
                gray, truth = image.read(*rows), mask.read(*rows)
        else:
            name, gray, truth = self._draw(epoch * self.drawn + index - len(self.files))
            start, stop = pick_crop((truth != 128).any(axis=1), self.crop_rows, draws)
            gray, truth = to_gray(gray[start:stop]), truth[start:stop]
        if self.augment:
            from wellseg.training.augment import augment

            gray, truth = augment(gray, truth, int(draws.integers(2**31)))
        return Sample(torch.from_numpy(gray)[None, None], torch.from_numpy(truth)[None, None], name)

    def _draw(self, number: int) -> tuple[str, NDArray[np.uint8], NDArray[np.uint8]]:
        """Name, image and mask of the drawn log of that number."""
        from wellseg.corpus import draw_log
        from wellseg.training.on_paper import draw_on_paper, is_on_paper

        if self.paper and is_on_paper(self.seed, number, self.paper_share):
            log = draw_on_paper(self.seed, number, self.preset, self.paper)
        else:
            log = draw_log(self.seed, number, self.preset)
        return f"{self.preset}{self.seed}-{number:06d}", log.image, log.mask


def pick_crop(
    scored_rows: NDArray[np.bool_], crop_rows: int | None, draws: np.random.Generator
) -> tuple[int, int]:
    """Rows [start, stop) of a crop of that many, or of the whole log where it has no more.

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


@dataclass(eq=False)
class VisitSampler(Sampler[Visit]):
    """The order of the logs: a permutation for each epoch, drawn from (seed, epoch).

    It holds no state: ``steps_done`` tells where the run stands, so a resumed run goes on with the
    very next log. With several processes each takes every ``ranks``-th log, all the same number of
    them; ``per_step`` logs of a process make a step (gradient accumulation). The last step of an
    epoch is filled up with its first logs: every step weighs the same, and so many logs are so many
    steps.
    """

    logs: int
    seed: int
    steps_done: Callable[[], int]
    rank: int = 0
    ranks: int = 1
    per_step: int = 1

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
        self.workers = options.workers
        self.warnings: list[str] = []
        self.train_logs = Samples(seed, drawn=options.count)
        self.train_logs.crop_rows, self.train_logs.augment = options.crop_rows, options.augment
        self.val_logs = Samples(seed + VALIDATION_SEED, drawn=options.val_count)
        if options.backgrounds:
            self.train_logs.paper = list_logs(options.backgrounds)
            self.train_logs.paper_share = options.background_share
            check_masks(self.train_logs.paper, "stop")
        splits = {"train": self.train_logs, "val": self.val_logs}
        logs = (
            [log for log in list_logs(options.root) if log.split in splits] if options.root else []
        )
        facts = check_masks(logs, options.on_error)
        for split, samples in splits.items():
            samples.preset, samples.on_error, samples.facts = (
                options.preset,
                options.on_error,
                facts,
            )
            if options.root:
                found = [log for log in logs if log.split == split]
                samples.files = self._usable(found, facts, f"{options.root}, split {split}")
                share = options.drawn_share if split == "train" else 0
                samples.drawn = math.ceil(len(samples.files) * share / (1 - share))
        if len(self.val_logs) < FEW_LOGS:
            more = "split.csv" if options.root else "--data.val_count"
            self.warnings.append(
                f"the best step is chosen by {len(self.val_logs)} validation log(s) alone: give"
                f" more ({more}), or take the last step (--keep last)"
            )

    def _usable(
        self, files: list[LogFiles], facts: Mapping[str, MaskFacts], where: str
    ) -> list[LogFiles]:
        """Those of which anything is scored, or that cannot be read; warns of what is odd."""
        known = [log.name for log in files if log.name in facts]
        unscored = [name for name in known if not facts[name].scored_rows.any()]
        empty = [name for name in known if not facts[name].curve_px and name not in unscored]
        if len(unscored) + len(empty) == len(files):
            raise DataError(
                f"{where}: no curve (255) in the masks of all {len(files)} logs; add logs of"
                " another well, or a split.csv"
            )
        if unscored:
            self.warnings.append(
                f"nothing is scored, 128 alone, in the masks of {listed(unscored)}: left out"
            )
        if empty:
            self.warnings.append(
                f"no curve (255) in the masks of {listed(empty)}: they teach what is none"
            )
        return [log for log in files if log.name not in unscored]

    def train_dataloader(self) -> DataLoader[Sample]:
        trainer, logs = self.trainer, self.train_logs
        assert trainer is not None
        sampler = VisitSampler(
            len(logs), logs.seed, lambda: trainer.global_step,
            trainer.global_rank, trainer.world_size, trainer.accumulate_grad_batches,
        )  # fmt: skip
        return DataLoader(
            logs,
            batch_size=None,  # one log at a time: no two have the same size
            sampler=sampler,
            num_workers=self.workers,
            # Not forked: a child with OpenCV's thread pool but not its threads waits for ever.
            multiprocessing_context="spawn" if self.workers else None,
            persistent_workers=self.workers > 0,
            worker_init_fn=one_thread,
        )

    def val_dataloader(self) -> DataLoader[Sample]:
        """In this process: reading a log takes a tenth of the time that evaluating it does."""
        visits = [(0, index) for index in range(len(self.val_logs))]
        return DataLoader(self.val_logs, batch_size=None, sampler=visits)


def one_thread(_worker: int) -> None:
    """Without it each worker would start a thread per core, beside those of the training step."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)

"""Logs from disk or drawn, one at a time, each of its own size; varied by albumentations 2.0.8."""

import atexit
import math
import multiprocessing
import os
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

# Read at import: without it albumentations asks a server for its newest version.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A
import cv2
import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from wellseg.corpus import draw_log, kind_of
from wellseg.corpus.damage import seam
from wellseg.corpus.sheet import Draws
from wellseg.device import WorkerContext, end_with_parent
from wellseg.scan.pictures import Gray, to_channels
from wellseg.scan.reader import open_scan
from wellseg.training.data_folder import LogFiles, list_logs, list_masks
from wellseg.training.masks import check_masks, listed, read_mask
from wellseg.training.options import DataConfig

Visit = tuple[int, int]  # (epoch, index of the log): with the seed all that a sample depends on
VALIDATION_SEED = 1_000_003  # added for the drawn validation logs: none of them is trained on
JPEG_ROWS = 65_500  # OpenCV's encoder takes no more
FEW_LOGS = 3  # fewer to validate with choose the best step by chance


class Sample(NamedTuple):
    """One log: what `to_channels` makes of it, uint8 (1, 1, H, W), 0 black to 255 white, or with
    colours (1, 3, H, W); and its mask, uint8 (1, 1, H, W)."""

    channels: Tensor
    truth: Tensor
    name: str


@dataclass(eq=False)
class Samples(Dataset[Sample]):
    """Logs of files, each once in an epoch, and behind them ``drawn`` ones, new in every epoch."""

    seed: int
    options: DataConfig
    drawn: int
    files: Sequence[LogFiles] = ()

    def __len__(self) -> int:
        return len(self.files) + self.drawn

    def __getitem__(self, visit: Visit) -> Sample:
        """The log of that visit. Raises ScanError: it cannot be read."""
        (epoch, index), options = visit, self.options
        draws = np.random.default_rng((self.seed, epoch, index))
        if index < len(self.files):
            log = self.files[index]
            name, truth = log.name, read_mask(log.mask)
            start, stop = pick_crop(truth, options.crop_rows, draws)
            with open_scan(log.image, colour=True) as scan:
                image = scan.read(start, stop)
        else:
            number = epoch * self.drawn + index - len(self.files)
            preset, medium = options.preset, options.medium
            if medium != "all":  # of 64 logs some are of either medium
                near = range(64 * number, 64 * (number + 1))
                number = next(n for n in near if kind_of(self.seed, n, preset) == medium)
            name = f"{preset}{self.seed}-{number:06d}"
            image, truth, _ = draw_log(self.seed, number, preset)
            start, stop = pick_crop(truth, options.crop_rows, draws)
            image = image[start:stop]
        truth = truth[start:stop]
        if options.augment:
            image, truth = augment(image, truth, int(draws.integers(2**31)))
        channels, mask = map(torch.from_numpy, (to_channels(image), truth))
        return Sample(channels[None], mask[None, None], name)


def pick_crop(truth: Gray, crop_rows: int | None, draws: np.random.Generator) -> tuple[int, int]:
    """Rows [start, stop) of a crop of a mask, or of all of it where it has no more.
    A crop is the likelier the more scored rows it holds: one without any would teach nothing."""
    if crop_rows is None or crop_rows >= len(truth):
        return 0, len(truth)
    above = np.cumsum(np.pad((truth != 128).any(axis=1), (1, 0)))
    likely = above[crop_rows:] - above[:-crop_rows]
    likely += not likely.any()  # where nothing is scored, all are as likely
    start = int(draws.choice(len(likely), p=likely / likely.sum()))
    return start, start + crop_rows


@dataclass(eq=False)
class VisitSampler(Sampler[Visit]):
    """The order of the logs: a permutation for each epoch, drawn from (seed, epoch).
    A resumed run goes on with the very next log. Of n processes each takes every n-th log."""

    logs: int
    seed: int
    trainer: Trainer

    def __len__(self) -> int:
        return max(1, self.logs // self.trainer.world_size)

    def __iter__(self) -> Iterator[Visit]:
        trainer = self.trainer
        epoch, step = divmod(trainer.global_step, len(self))
        order = np.random.default_rng((self.seed, epoch)).permutation(self.logs)
        for position in range(step, len(self)):
            place = position * trainer.world_size + trainer.global_rank
            yield epoch, int(order[place % self.logs])


def open_logs(options: DataConfig, seed: int, keep: str) -> tuple[Samples, Samples, list[str]]:
    """The logs to train on and to validate with, of a folder or drawn; and what is odd about them.
    keep: which weights the run keeps; the best ones need logs enough to choose by.
    Raises ValueError: masks that cannot be used, a split without curves."""
    as_they_are = replace(options, crop_rows=None, augment=False)
    train = Samples(seed, options, options.count)
    val = Samples(seed + VALIDATION_SEED, as_they_are, 0 if options.root else options.val_count)
    warnings: list[str] = []
    if options.root:
        every = list_logs(options.root)
        masks = {name.removesuffix(".mask") for name in list_masks(options.root / "masks")}
        if alone := sorted(masks - {log.name for log in every}):
            warnings.append(f"left out, {len(alone)} masks have no image: {listed(alone)}")
        unused = ["count", "val_count", *([] if options.drawn_share else ["preset", "medium"])]
        # They may stand in a config.yaml that was made for drawn logs, as those in configs/ are.
        if unused := [it for it in unused if getattr(options, it) != getattr(DataConfig, it)]:
            warnings.append(f"of drawn logs alone, not used: --data.{', --data.'.join(unused)}")
        logs = [log for log in every if log.split != "test"]
        values = check_masks(logs)
        empty = [name for name, (_, highest) in values.items() if highest < 255]
        unscored = [name for name in empty if values[name] == (128, 128)]
        for samples, split in ((train, "train"), (val, "val")):
            files = [log for log in logs if log.split == split]
            if all(log.name in empty for log in files):
                said = f"no curve (255) in its {len(files)} masks" if files else "no log is in it"
                do = "add logs of another well (what stands before a name's first _), or name some"
                raise ValueError(f"{options.root}, split {split}: {said}; {do} in split.csv")
            samples.files = [log for log in files if log.name not in unscored]
        train.drawn = math.ceil(len(train.files) * options.drawn_share / (1 - options.drawn_share))
        if unscored:
            warnings.append(f"left out, nothing in their masks is scored: {listed(unscored)}")
        if empty := [name for name in empty if name not in unscored]:
            warnings.append(f"no curve (255) in the masks of {listed(empty)}: all is background")
    if len(val) < FEW_LOGS and keep == "best":
        do = "call more of them val in split.csv" if options.root else "raise --data.val_count"
        said = f"the best step is chosen by {len(val)} validation log(s) alone"
        warnings.append(f"{said}: {do}, or --keep last")
    return train, val, warnings


def make_loaders(train: Samples, val: Samples, trainer: Trainer) -> list[DataLoader[Sample]]:
    """Loaders of one log at a time: to train, and to validate."""
    how: dict[str, Any] = {}
    if (workers := train.options.workers) is None:
        most = 8 if train.options.crop_rows else 2  # whole logs take much memory
        is_fast = trainer.strategy.root_device.type == "cuda"
        workers = min(most, torch.get_num_threads()) if is_fast else 1
    if workers:
        how = {"multiprocessing_context": WorkerContext(), "persistent_workers": True}
        how |= {"num_workers": workers, "worker_init_fn": _begin_worker}
        atexit.register(_end_workers)
    sampler = VisitSampler(len(train), train.seed, trainer)
    to_train = DataLoader(train, batch_size=None, sampler=sampler, **how)
    # In this process: reading a log takes a tenth of the time that evaluating it does.
    return [to_train, DataLoader(val, batch_size=None, sampler=[(0, i) for i in range(len(val))])]


def _begin_worker(_number: int) -> None:
    cv2.setNumThreads(1)  # OpenCV would take one a core, beside those of the training step
    # A cluster signals all processes of a job: the training saves its step and ends its workers.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_with_parent()


def _end_workers() -> None:
    for worker in multiprocessing.active_children():  # Python would wait: they ignore SIGTERM
        if worker.daemon:
            worker.kill()


def augment(image: Gray, mask: Gray, seed: int) -> tuple[Gray, Gray]:
    """Vary a log and its mask alike; what is drawn depends on the seed given alone.
    image: (rows, columns), or colours (rows, columns, 3). Sizes stay; a 1-bit log stays one."""
    bilevel = not ((image > 0) & (image < 255)).any()
    draws = np.random.default_rng(seed)
    # Skew of real scans: median 0.15 degrees, 95 % under 0.64, but pieces of one in fifty slant by
    # 3. A whole log would be turned out of its own picture.
    may_slant = image.shape[0] <= 2 * image.shape[1] and draws.random() < 0.1
    pipeline = _pipeline(bilevel, max(image.shape) <= JPEG_ROWS, 3.5 if may_slant else 0.8)
    # By itself a Compose draws the same for every worker and epoch (AlbumentationsX issue 266);
    # set_random_seed would begin all transforms alike, and a log be flipped only if it is turned.
    pipeline.set_random_state(draws, random.Random(seed))
    varied = pipeline(image=image, mask=mask)
    image, mask = (np.ascontiguousarray(varied[name]) for name in ("image", "mask"))
    if bilevel:  # interpolation leaves grays that no such scan has
        ink = 255 - image.astype(np.float32)
        if image.ndim == 2 and draws.random() < 0.15:  # dirt beside curves that are real
            seam(Draws(seed), ink, 128, int(draws.integers(len(ink))))
        image = np.where(ink < draws.integers(90, 166), np.uint8(255), np.uint8(0))
    return image, mask


@cache
def _pipeline(bilevel: bool, fits_jpeg: bool, degrees: float) -> A.Compose:
    skew = A.Affine(  # scans are 200, 300 and 400 dpi
        scale=(0.75, 1.35), rotate=(-degrees, degrees), keep_ratio=True, fit_output=False,
        interpolation=cv2.INTER_LINEAR, mask_interpolation=cv2.INTER_NEAREST,
        fill=255, fill_mask=0, p=0.6 if bilevel else 0.4,
    )  # fmt: skip
    dirt = [
        A.GaussNoise(std_range=(0.02, 0.12), p=0.3),
        A.GaussianBlur(blur_limit=(3, 3), p=0.4),
        A.PixelDropout(dropout_prob=0.0005, drop_value=0, p=0.2),
    ]
    tone = [
        A.ChannelShuffle(p=0.5),  # no ink has a colour of its own; gray stays
        A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.25, p=0.5),
        A.GaussNoise(std_range=(0.005, 0.04), p=0.3),
        A.ImageCompression(quality_range=(40, 95), p=0.2 if fits_jpeg else 0),
    ]
    flips = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)]
    return A.Compose([*flips, skew, *(dirt if bilevel else tone)])

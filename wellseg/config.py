"""Every option of the commands, explained where it is defined.

Plain dataclasses and no heavy import, also not for type checking: jsonargparse resolves the types
here, and --help has to answer within a second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from wellseg.curves.options import CurveOptions

Preset = Literal["tiny", "quick", "train", "full"]

MIN_WINDOW_ROWS = 256
"""A window for statistics holds several rows of the network's coarsest map, too."""


def at_least(least: int, group: str = "", **options: int | None) -> None:
    """Raises ValueError for the first option that is smaller; None is one's default and passes."""
    for name, value in options.items():
        if value is not None and value < least:
            raise ValueError(f"--{group}{name} is at least {least}, not {value}")


def check_norm(word: str) -> None:
    """Raises ValueError, which lists the words, for one that is not registered in wellseg.norms."""
    from wellseg.norms import NORMS  # not above: --help needs no torch

    if word not in NORMS:
        raise ValueError(f"unknown norm {word!r}: choose one of {', '.join(NORMS)}")


@dataclass
class ModelConfig:
    """The network."""

    norm: str = "group"
    """Normalisation, a word registered in wellseg.norms. Of each image by itself: group
    (half_or_16), instance, layer. With running statistics: batch (the legacy v1 layer)."""
    momentum: float | Literal["cumulative"] = 0.01
    """Of running statistics, PyTorch's convention: new = (1 - m) old + m observed (Keras calls
    1 - m momentum). cumulative: the plain mean of all observed."""
    patch: int = 2
    """2: 2 x 2 pixels become 4 channels at half resolution, three times as fast. 1: the article's
    layout."""
    widths: tuple[int, ...] = (32, 64, 128, 128, 128)
    """Channels of each stage; each stage halves the resolution."""
    separable: bool = True
    """Depthwise-separable 3x3 convolutions: a sixth of the multiply-adds, more passes over
    memory."""

    def __post_init__(self) -> None:
        if self.patch not in (1, 2):
            raise ValueError(f"--model.patch is 1 or 2, not {self.patch}")
        if not self.widths or min(self.widths) < 1:
            raise ValueError(
                f"--model.widths needs one positive number per stage, not {list(self.widths)}"
            )
        if self.momentum != "cumulative" and not 0 < self.momentum <= 1:
            raise ValueError(
                f"--model.momentum lies in (0, 1] or is cumulative, not {self.momentum}"
            )


@dataclass
class DataConfig:
    """The logs: a folder of your own, or logs drawn by the seeded corpus."""

    root: Path | None = None
    """A data set: images/NAME.tif and masks/NAME.tif, optionally split.csv. Without it, logs are
    drawn."""
    preset: Preset = "quick"
    """Recipe of the drawn logs (see wellseg synth --help)."""
    count: int = 64
    """Drawn logs in an epoch. No epoch repeats a log: drawing one is far faster than a step on
    it."""
    val_count: int = 12
    """Drawn logs to validate with, always the same, none of them trained on."""
    drawn_share: float = 0.0
    """With --data.root: of the training logs, how many are drawn ones beside your own, so that the
    network does not forget what yours do not show."""
    backgrounds: Path | None = None
    """Your own paper, mined by wellseg paper: a share of the training logs is drawn on
    it."""
    background_share: float = 0.5
    """Of the drawn training logs, how many are drawn on --data.backgrounds."""
    crop_rows: int | None = None
    """Train on that many rows of a log at a time, full width. Saves memory; never resizes. Default:
    whole logs."""
    augment: bool = True
    """Vary the training logs: flips, small rotation and scale, thicker and thinner ink, specks,
    tone."""
    on_error: Literal["stop", "skip"] = "stop"
    """What a log that cannot be read does. stop: it ends the run, which can be resumed. skip: the
    next log stands in for it; such logs are named and counted at the end."""
    workers: int = 1
    """Processes that read and augment. The samples are the same for any number."""

    def __post_init__(self) -> None:
        at_least(16, "data.", crop_rows=self.crop_rows)
        at_least(1, "data.", count=self.count, val_count=self.val_count)
        at_least(0, "data.", workers=self.workers)
        if not 0 <= self.drawn_share < 1:
            raise ValueError(f"--data.drawn_share lies in [0, 1), not {self.drawn_share}")
        if self.drawn_share and self.root is None:
            raise ValueError(
                "--data.drawn_share is beside logs of your own: give them as --data.root"
            )
        if self.backgrounds is not None and self.root is not None and not self.drawn_share:
            raise ValueError(
                "--data.backgrounds is paper for drawn logs: give --data.drawn_share, too, or "
                "leave --data.root out"
            )
        if not 0 < self.background_share <= 1:
            raise ValueError(f"--data.background_share lies in (0, 1], not {self.background_share}")


@dataclass
class OptimConfig:
    """AdamW with a linear warm-up and a cosine down to zero over the whole run."""

    lr: float = 2e-3
    """Highest learning rate."""
    weight_decay: float = 0.01
    """On convolution weights alone: never on the norms' scale and shift, nor on biases."""
    warmup: float = 0.05
    """Share of the steps in which the rate rises."""
    clip: float = 1.0
    """Largest gradient norm of a step."""
    cross_entropy: float = 1.0
    """Weight of the cross entropy in the loss."""
    dice: float = 1.0
    """Weight of the soft Dice in the loss."""

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ValueError(f"--optim.lr is positive, not {self.lr}")
        weights = self.cross_entropy, self.dice
        if min(weights) < 0 or not any(weights):
            raise ValueError(
                f"--optim.cross_entropy and --optim.dice are weights, one above 0, not {weights}"
            )
        if not 0 <= self.warmup < 1:
            raise ValueError(f"--optim.warmup is a share of the run in [0, 1), not {self.warmup}")


@dataclass
class TrainConfig:
    """One training run."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    steps: int = 400
    """Optimiser steps, one log each."""
    val_every: int = 100
    """Steps between validations, and between checkpoints; --steps is a multiple of it."""
    keep: Literal["best", "last"] = "best"
    """Which state becomes model.safetensors: that of the best Dice on the validation logs, or the
    last one. After a long run to a rate of 0 the last one is the better, where the validation logs
    are few."""
    seed: int = 0
    """Of the weights, the corpus, the order of the logs and the augmentation."""
    out: Path = Path("runs/default")
    """The run's folder."""
    resume: bool = False
    """Go on from the last checkpoint in the run's folder."""
    weights: str | None = None
    """Start from these weights (a bundled name or a .safetensors file), and keep them if no step is
    better. The network is theirs; --model.norm and --model.momentum may be others, if the norm
    keeps the same tensors."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 where the machine multiplies it fast, else fp32."""
    checkpoint: Literal["auto", "on", "off"] = "auto"
    """on: compute the inside of each stage twice instead of keeping it, the same gradients in about
    half the memory and a third more time. auto: for logs that would not fit into free memory."""
    trainer: dict[str, Any] = field(default_factory=dict)
    """More options of lightning.Trainer, e.g. --trainer.devices 2 --trainer.strategy ddp."""

    def __post_init__(self) -> None:
        check_norm(self.model.norm)
        at_least(1, steps=self.steps, val_every=self.val_every)
        self.val_every = min(self.val_every, self.steps)
        if self.steps % self.val_every:  # or the last steps would be neither validated nor kept
            raise ValueError(
                f"--steps {self.steps} is not a multiple of --val_every {self.val_every}"
            )


@dataclass(kw_only=True)
class InferenceOptions:
    """What every command that runs a network asks for."""

    weights: str | None = None
    """A bundled name or a .safetensors file. Default: the bundled weights."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 where the machine multiplies it in hardware, else fp32."""


@dataclass(kw_only=True)
class MaskOptions(InferenceOptions):
    """What every command that masks whole scans asks for, too."""

    threshold: float = 0.5
    """A pixel is curve where its probability is higher."""
    memory: str | int = "2GB"
    """What the program may take, with ray what each scan may take; what does not fit goes to
    temporary files."""
    window_rows: int | None = None
    """Take the norms' statistics from windows of so many rows, sliding along the depth. 0: from the
    whole scan. Default: what the weights ask for in their header (the bundled ones 2000), or 0."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(f"--threshold lies between 0 and 1, not {self.threshold}")
        parse_bytes(self.memory)
        if self.window_rows and self.window_rows < MIN_WINDOW_ROWS:
            raise ValueError(
                f"--window_rows is 0, the whole scan, or at least {MIN_WINDOW_ROWS}, "
                f"not {self.window_rows}"
            )


@dataclass
class PredictConfig(MaskOptions):
    """Masks of scans."""

    scans: list[str]
    """Scans (TIFF, PNG, JPEG, BMP, JP2) or folders of them; also fsspec URLs (s3://...)."""
    out: str | None = None
    """Folder (or s3://... URL) for the results; folders of scans keep their structure in it.
    Default: beside each scan."""
    engine: Literal["local", "ray"] = "local"
    """local: this machine. ray: a running Ray cluster (pip install 'wellseg[ray]')."""
    jobs: int | None = None
    """Scans side by side on this machine. Default: one for two cores, as many as have 1 GB of
    --memory each."""
    threads: int | None = None
    """Cores that each scan computes on. Default: the machine's over --jobs; with ray 2."""
    scratch: Path | None = None
    """Folder for temporary data. Default: the system's."""
    probability: bool = False
    """Write NAME.probability.tif, too: 8 bits, 255 for certainty."""
    view: bool = False
    """Write NAME.html, too: the scan and its curves to look at in a browser, with its pictures in
    NAME.view/."""
    traces: bool = False
    """Write NAME.traces.csv and NAME.las, too: each trace's centre in every row."""
    depth: list[str] = field(default_factory=list)
    """ROW=DEPTH ROW=DEPTH ...: depths of two or more rows of one scan, for --traces and --view.
    They hold between these rows and a tenth of that beyond."""
    depth_unit: Literal["ft", "m"] = "ft"
    """Of --depth."""
    tracks: list[str] = field(default_factory=list)
    """LEFT-RIGHT LEFT-RIGHT ...: columns of one scan between which its tracks lie, for the LAS
    file of --traces. Default: they are looked for."""
    rows: str | None = None
    """FROM-TO: rows of one scan in which --traces looks for traces, one of two logs on it, say. The
    mask has all rows."""
    invert: bool = False
    """The scans show white ink on black."""
    overwrite: bool = False
    """Do scans again that are done already with these weights and options."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, jobs=self.jobs, threads=self.threads)
        if self.engine == "ray" and self.jobs:
            raise ValueError(
                "--jobs is of --engine local: "
                "with ray, --threads and --memory say what fits on a machine"
            )
        if self.scratch is not None and not self.scratch.is_dir():
            raise ValueError(f"--scratch {self.scratch}: no such folder")
        if self.depth and not (self.traces or self.view):
            raise ValueError("--depth is for what --traces and --view write: give one of them, too")
        for flag, given in (("--tracks", self.tracks), ("--rows", self.rows)):
            if given and not self.traces:
                raise ValueError(f"{flag} is for the files that --traces writes: give both")
        self.curve_options()

    def curve_options(self) -> CurveOptions:
        """What was said of the scan's curves. Raises ValueError."""
        return CurveOptions.parse(self.depth, self.depth_unit, self.tracks, self.rows)


@dataclass
class PaperConfig(InferenceOptions):
    """Paper to draw synthetic curves on, from unlabelled scans."""

    scans: list[str]
    """Scans (TIFF, PNG, JPEG), or folders of them."""
    out: Path = Path("paper")
    """Folder for the crops: images/, masks/ (0 no curve, 128 not scored) and previews/."""
    crops: int = 8
    """Of each scan at most: up to half of them its header, the others spread over the rest."""
    rows: int = 1400
    """Of a crop; it is as wide as the scan."""
    curves: bool = False
    """Take the curves that the weights are sure of for truth (255), so that training learns from
    real ones, too."""
    headers: Path | None = None
    """CSV with columns scan and first_curve_row, read off by eye: in the rows above there is no
    curve for certain. Of such headers four times as many crops are taken, which overlap; they are
    named SCAN-header-ROW, and no curve is ever drawn on them."""

    def __post_init__(self) -> None:
        at_least(1, crops=self.crops)
        at_least(64, rows=self.rows)


def parse_bytes(size: str | int) -> int:
    """ "2GB", "500 MB", "1.5GiB" or a number of bytes -> bytes. Raises ValueError."""
    if isinstance(size, int):
        return size
    match = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)(i?)B?\s*", size, re.IGNORECASE)
    try:
        number = float(match[1]) if match else 0.0
    except ValueError:
        number = 0.0
    if not match or number <= 0:
        raise ValueError(f"--memory {size!r} is not a size: write for example 2GB or 500MB")
    base = 1024 if match[3] else 1000
    return int(number * base ** " KMGT".index(match[2].upper() or " "))

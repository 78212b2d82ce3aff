"""Every option of a training run. Nothing heavy is imported: --help answers within 0.3 s."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from wellseg.net.options import ModelConfig, at_least

WINDOW_ROWS = 2_000  # of weights trained on crops: benchmarks/arms.md, "Windows"
UNFIT = set("fast_dev_run overfit_batches max_epochs max_steps callbacks plugins".split())
UNFIT |= set("default_root_dir val_check_interval gradient_clip_val precision".split())  # ours
UNFIT |= set("accumulate_grad_batches limit_train_batches limit_val_batches".split())  # --steps
Preset = Literal["tiny", "quick", "train", "full"]


@dataclass
class DataConfig:
    """The logs: a folder of your own, or logs drawn by the seeded corpus."""

    root: Path | None = None
    """A data set: images/, masks/, optionally split.csv. Without it, logs are drawn."""
    preset: Preset = "quick"
    """Recipe of the drawn logs (see wellseg synth --help)."""
    medium: Literal["all", "bilevel", "colour"] = "all"
    """Draw logs of 1-bit paper scans alone, or of renders and prints in colour."""
    count: int = 64
    """Drawn logs in an epoch, without --data.root. No epoch repeats a log."""
    val_count: int = 12
    """Drawn logs to validate with, without --data.root: always the same, none trained on."""
    drawn_share: float = 0.0
    """With --data.root: share of drawn logs, so that what yours do not show is not forgotten."""
    crop_rows: int | None = None
    """Train on that many rows of a log at a time, full width; in prediction norms then take their
    statistics from windows of 2,000 rows. Default: whole logs, and statistics of whole scans. With
    --weights, prediction has the windows of these weights in both cases."""
    augment: bool = True
    """Vary the logs: flips, small rotation and scale, ink's width, specks, tone, seams, colours."""
    workers: int | None = None
    """Processes that read and augment; no sample depends on them. Default: 1; on a GPU up to 8."""

    def __post_init__(self) -> None:
        self.root = Path(self.root) if self.root else None  # Python's callers give words, too
        at_least(16, "data.", crop_rows=self.crop_rows)
        at_least(1, "data.", count=self.count, val_count=self.val_count)
        at_least(0, "data.", workers=self.workers)
        if not 0 <= self.drawn_share < 1:
            raise ValueError(f"--data.drawn_share lies in [0, 1), not {self.drawn_share}")
        if self.drawn_share and not self.root:
            raise ValueError("--data.drawn_share is beside logs of your own: give --data.root")


@dataclass
class OptimConfig:
    """AdamW with a linear warm-up and a cosine down to zero over the whole run."""

    lr: float = 2e-3
    """Highest learning rate."""
    weight_decay: float = 0.01
    """On weights of two dimensions and more, those of convolutions: not on scale, shift, biases."""
    warmup: float = 0.05
    """Share of the steps in which the rate rises."""
    clip: float = 1.0
    """Largest gradient norm of a step."""

    def __post_init__(self) -> None:
        if not 0 < self.lr < 1e35:  # more is no float32
            raise ValueError(f"--optim.lr is positive, not {self.lr}")
        at_least(0, "optim.", weight_decay=self.weight_decay, clip=self.clip)
        if not 0 <= self.warmup < 1:
            raise ValueError(f"--optim.warmup is a share of the run in [0, 1), not {self.warmup}")


@dataclass
class TrainConfig:
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    steps: int = 400
    """Optimiser steps, one log each."""
    val_every: int = 100
    """Steps between validations (checkpoints also every 5 minutes). --steps is a multiple of it."""
    keep: Literal["best", "last"] = "best"
    """Which weights are kept: of the best Dice on the validation logs, or the last ones."""
    seed: int = 0
    """Seed of the weights, the corpus, the order of the logs and the augmentation."""
    out: Path = Path("runs/default")
    """The run's folder."""
    resume: bool = False
    """Go on from the run's last checkpoint. Give its options again, or --config OUT/config.yaml."""
    weights: str | None = None
    """Start from these (a bundled name or a .safetensors file); kept if no step is better. They
    define the network, but --model.norm may be another norm with the same tensors."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 where the machine multiplies it fast, else fp32."""
    recompute: Literal["auto", "on", "off"] = "auto"
    """on: compute each stage twice: half the memory, a third more time. auto: if it is needed."""
    trainer: dict[str, Any] = field(default_factory=dict)
    """More options of lightning.Trainer, e.g. --trainer.devices 2 --trainer.strategy ddp."""

    def __post_init__(self) -> None:
        self.out = Path(self.out)
        at_least(1, steps=self.steps, val_every=self.val_every)
        at_least(0, seed=self.seed)
        if not isinstance(self.trainer, dict) or not UNFIT.isdisjoint(self.trainer):
            raise ValueError(f"--trainer.NAME: any of Lightning's but {', '.join(sorted(UNFIT))}")
        self.val_every = min(self.val_every, self.steps)
        if self.steps % self.val_every:  # or the last steps would be neither validated nor kept
            raise ValueError(f"--steps {self.steps} is no multiple of --val_every {self.val_every}")

"""The LightningModule: a step, its loss, the optimiser; pictures, metrics.csv and checkpoints."""

import math
import signal
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchmetrics.classification import BinaryF1Score

from wellseg.device import free_bytes
from wellseg.net.options import ModelConfig
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.scan.atomic import csv_bytes, write_file
from wellseg.scan.pictures import draw_errors, encode_png
from wellseg.scores.masks import score_log
from wellseg.training.dataset import Sample
from wellseg.training.options import OptimConfig

IGNORE = 128  # mask value of pixels that are not scored
BLOCK_ROWS = 256  # rows of which the loss is computed at a time: they stay in the cache
LOGS_DRAWN = 4  # validation logs drawn after each validation: hits green, false red, missed blue
SAVE_S = 300.0  # between checkpoints, where validations are further apart
F1_COLUMN, NEW = "val/f1_at_3px", "metrics.new.csv"  # of metrics.csv
FREE_SHARE = 0.8  # of the free memory, what a step may take
# Maps that a residual block keeps for its gradient: before and after each norm's activation, and
# with separable convolutions one between the two parts of each.
MAPS_KEPT = {False: 4, True: 6}
OVERHEAD = 1.5  # a step's peak over what is kept, as measured by tests/test_memory.py


def step_bytes(model: ModelConfig, pixels: int, dtype: torch.dtype) -> int:
    """About the bytes that a training step on a log takes, if no stage is recomputed."""
    values = [width / (model.patch * 2**stage) ** 2 for stage, width in enumerate(model.widths)]
    maps = MAPS_KEPT[model.separable] * (2 * sum(values) - values[-1])  # encoder and decoder
    return int(OVERHEAD * maps * dtype.itemsize * pixels)


def make_optimizer(net: nn.Module, options: OptimConfig) -> torch.optim.Optimizer:
    """AdamW. Scale, shift and biases are not decayed (the GroupNorm paper's recipe)."""
    decay: dict[str, Any] = {"params": [p for p in net.parameters() if p.ndim > 1]}
    rest = {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0}
    return torch.optim.AdamW([decay, rest], lr=options.lr, weight_decay=options.weight_decay)


class Segmenter(LightningModule):
    """Trains a ResUNet on one log at a time.
    model, optim: the options as plain dictionaries, all that a checkpoint may hold to be loaded
    with ``weights_only=True``. recompute: auto, on or off, see ``TrainConfig``."""

    def __init__(self, model: Any, optim: Any, steps: int, recompute: str = "auto") -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model, self.optim = ModelConfig(**model), OptimConfig(**optim)
        self.steps, self.recompute = steps, recompute
        self.net: Any = ResUNet(**model).to(memory_format=torch.channels_last)  # type: ignore
        self.net.window_rows = 0
        # Of the curve pixels of all logs; nothing to find and nothing found counts as 1.
        self.dice = BinaryF1Score(ignore_index=IGNORE, zero_division=1)
        self.about: dict[str, Any] = {}  # what else checkpoints say of the run
        self.rows: list[dict[str, float]] = []  # of metrics.csv; checkpoints have them, too
        self.start_s, self.start_step, self.is_told, self.says = 0.0, 0, False, True
        self.best_dice = -math.inf  # of best.ckpt
        self.saved_step = math.inf  # of last.ckpt, when the training begins

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        rows = [row for row in self.rows if row["step"] <= self.global_step]  # of whole steps
        checkpoint |= {"metrics": rows, "best_dice": self.best_dice, **self.about}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.rows = checkpoint.get("metrics", [])
        self.best_dice = checkpoint.get("best_dice", self.best_dice)
        # Lightning counts logs: that of a step that was stopped is not done, and is taken again.
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        if progress["total"]["ready"] > checkpoint["global_step"]:
            for part in ("total", "current"):
                progress[part] = dict.fromkeys(progress[part], progress[part]["completed"])
        (optimizer,), (schedule,) = checkpoint["optimizer_states"], checkpoint["lr_schedulers"]
        for group in optimizer["param_groups"]:  # the options of this run hold
            rate = self.optim.lr * self._rate(schedule["last_epoch"])
            group |= {"lr": rate, "initial_lr": self.optim.lr}
        optimizer["param_groups"][0]["weight_decay"] = self.optim.weight_decay
        schedule["base_lrs"] = [self.optim.lr for _ in schedule["base_lrs"]]

    def save_as(self, name: str) -> None:
        self.trainer.save_checkpoint(f"{self.trainer.default_root_dir}/checkpoints/{name}.ckpt")

    def save_last(self) -> None:
        """Save last.ckpt, if a step was taken since: after a validation Lightning's counts move."""
        if self.saved_step < self.global_step:
            self.save_as("last")
            self.saved_s, self.saved_step = time.monotonic(), self.global_step

    def on_train_start(self) -> None:
        self.start_s = self.saved_s = time.monotonic()
        self.free_bytes = free_bytes(self.device)  # after a step PyTorch holds memory for the next
        self.start_step = self.saved_step = self.global_step
        if self.trainer.world_size > 1:
            # Lightning's handler (2.6) talks to the other processes at once, and waits for ever for
            # one that is in a step. With this one all end before the same step.
            signal.signal(signal.SIGTERM, lambda *_: setattr(self, "is_told", True))

    def on_train_batch_start(self, _sample: Sample, _index: int) -> None:
        strategy = self.trainer.strategy
        if strategy.reduce_boolean_decision(self.is_told, all=False):
            raise SIGTERMException
        if strategy.broadcast(time.monotonic() - self.saved_s > SAVE_S):
            self.save_last()

    def choose_recompute(self, sample: Sample) -> None:
        dtype = torch.bfloat16 if "bf16" in str(self.trainer.precision) else torch.float32
        fits = step_bytes(self.model, sample.truth.numel(), dtype) <= FREE_SHARE * self.free_bytes
        self.net.recompute = self.recompute == "on" or (self.recompute == "auto" and not fits)

    def loss_of(self, sample: Sample, stage: str) -> tuple[Tensor, Tensor]:
        """Loss (scalar) and logits (1, 1, H, W). Raises FloatingPointError: it is not finite."""
        ink = to_ink(sample.channels[:, : self.net.channels])
        # In prediction the norms' statistics are of windows, about which pieces tell enough here.
        pieces = 1 if self.training else round(ink.shape[2] / (self.net.window_rows or math.inf))
        parts = [self.net(part) for part in ink.tensor_split(max(1, pieces), 2)]
        logits = torch.cat(parts, 2) if pieces > 1 else parts[0]
        if not torch.isfinite(loss := curve_loss(logits, sample.truth)):
            said = f"the loss is {loss.item()} at step {self.global_step}, log {sample.name!r}"
            raise FloatingPointError(f"{said}; lower --optim.lr, or look at that log; --resume")
        self.log(f"{stage}/loss", loss, batch_size=1, sync_dist=stage == "val")
        return loss, logits

    def training_step(self, sample: Sample, _index: int) -> Tensor:
        self.choose_recompute(sample)
        loss, _ = self.loss_of(sample, "train")
        self.log("lr", rate := self.optimizers().param_groups[0]["lr"])  # type: ignore[union-attr]
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and (self.global_step + 1) % every == 0:
            self.add_row(self.global_step + 1, {"train/loss": loss.item(), "lr": rate})
        return loss

    def validation_step(self, sample: Sample, index: int) -> None:
        _, logits = self.loss_of(sample, "val")
        target = torch.where(sample.truth == 255, 1, sample.truth.long())
        self.dice.update((logits > 0).long(), target)
        self.log("val/dice", self.dice, batch_size=1)
        maps = (sample.channels, logits > 0, sample.truth)
        gray, mask, truth = (each[0, 0].cpu().numpy() for each in maps)
        if truth.max() == 255:  # as wellseg evaluate: the mean of the logs with curves
            self.log(F1_COLUMN, score_log(mask, truth).f1_at_3px, batch_size=1, sync_dist=True)
        if index < LOGS_DRAWN and self.trainer.is_global_zero:
            name = f"step-{self.global_step:06d}-{sample.name[-50:]}.png"  # systems limit names
            path = f"{self.trainer.default_root_dir}/pictures/{name}"
            write_file(path, encode_png(draw_errors(gray, mask, truth)))

    def on_validation_end(self) -> None:
        step, last, known = self.global_step, self.trainer.max_steps, self.trainer.callback_metrics
        told = {"last loss": "train/loss", "Dice": "val/dice", "F1@3px": F1_COLUMN}
        parts = [f", {name} {float(known[it]):.3f}" for name, it in told.items() if it in known]
        said = f"step {step} of {last}{''.join(parts)}"
        if done := step - self.start_step:
            left_s = (time.monotonic() - self.start_s) * (last - step) / done
            said += f", about {timedelta(seconds=round(left_s))} left"
        if self.says and self.trainer.is_global_zero:
            print(said, flush=True)
        scores = {name: float(it) for name, it in known.items() if name.startswith("val/")}
        self.add_row(step, scores)
        if scores["val/dice"] > self.best_dice:
            self.best_dice = scores["val/dice"]
            self.save_as("best")
        if self.trainer.state.fn == "fit":
            self.save_last()

    def add_row(self, step: int, scores: dict[str, float]) -> None:
        """Of metrics.csv. While Excel has that open (Windows), all rows are in `NEW`."""
        self.rows.append({"epoch": self.current_epoch, "step": step, **scores})
        if self.trainer.is_global_zero:
            new = Path(self.trainer.default_root_dir, NEW)
            write_file(new, csv_bytes(sorted(set[str]().union(*self.rows)), self.rows))
            with suppress(PermissionError):
                new.replace(new.with_name("metrics.csv"))

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(self.net, self.optim)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """Share of the highest learning rate at a step: up in a line, down in half a cosine."""
        warmup = math.ceil(self.optim.warmup * self.steps)
        done = min(1.0, (step - warmup) / max(1, self.steps - warmup))
        return (step + 1) / (warmup + 1) if done < 0 else 0.5 * (1 + math.cos(math.pi * done))


def curve_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross entropy + (1 - soft Dice of the curves): float32 scalar.
    logits: any float dtype, (N, 1, H, W). truth: uint8 of the same shape, 255 curve, 0 not, 128
    left out (1, or True: ValueError). Where 2 % of the pixels are curve, cross entropy alone is low
    without any; Dice (Milletari et al. 2016, arXiv 1606.04797) is not. Its +1 covers the empty
    mask: the Dice loss is zero when nothing is predicted. A log without a scored pixel has loss 0.
    On a CPU only the logits are kept for the gradient: blocks of rows are computed twice."""
    if (truth == 1).any():
        raise ValueError("truth: curves are 255, 128 is not scored; here they are 1, or True")
    if logits.is_cuda:
        sums = _sums(logits, truth)
    else:
        parts = zip(*(torch.split(x, BLOCK_ROWS, 2) for x in (logits, truth)), strict=True)
        sums = sum(checkpoint(_sums, *part, use_reentrant=False) for part in parts)
    scored, entropy, overlap, probability, curve = sums
    return entropy / scored.clamp(min=1.0) + 1 - (2 * overlap + 1) / (probability + curve + 1)


def _sums(logits: Tensor, truth: Tensor) -> Tensor:
    """Sums over all pixels, (5,): scored, cross entropy, overlap, probability, curve."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    target, weight = (truth == 255).to(logits.dtype), (truth != IGNORE).to(logits.dtype)
    entropy = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum")
    probability = logits.sigmoid() * weight
    overlap = (probability * target).sum()
    return torch.stack([weight.sum(), entropy, overlap, probability.sum(), target.sum()])

"""The LightningModule: one step for training and validation, the optimiser, the scores."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    BinaryF1Score,
    BinaryJaccardIndex,
    BinaryPrecision,
    BinaryRecall,
)

from wellseg.net.losses import IGNORE, curve_loss
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.training.dataset import Sample
from wellseg.training.options import OptimConfig

SCORES = {
    "dice": BinaryF1Score,
    "iou": BinaryJaccardIndex,
    "precision": BinaryPrecision,
    "recall": BinaryRecall,
}
"""Of the curve pixels, over all scored pixels of all logs; never a mean that includes background.
Nothing to find and nothing found counts as 1."""


def make_optimizer(net: nn.Module, options: OptimConfig) -> torch.optim.Optimizer:
    """AdamW. Scale, shift and biases are not decayed (the GroupNorm paper's recipe)."""
    decay = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    groups = [
        {"params": decay, "weight_decay": options.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.lr)


class Segmenter(LightningModule):
    """Trains a ResUNet on one log at a time.

    The options are kept in checkpoints as plain dictionaries: anything else cannot be loaded with
    ``weights_only=True``.
    """

    def __init__(self, model: dict[str, Any], optim: dict[str, Any], steps: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.optim, self.steps = OptimConfig(**optim), steps
        self.net = ResUNet(**model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        scores: Any = {
            name: score(ignore_index=-1, zero_division=1) for name, score in SCORES.items()
        }
        self.scores = MetricCollection(scores, prefix="val/")

    def _step(self, sample: Sample, stage: str) -> tuple[Tensor, Tensor]:
        """Loss (scalar) and logits (1, 1, H, W) of one log."""
        logits = self.net(to_ink(sample.gray))
        loss = curve_loss(logits, sample.truth, self.optim.cross_entropy, self.optim.dice)
        self.log(f"{stage}/loss", loss, batch_size=1, sync_dist=stage == "val")
        return loss, logits

    def training_step(self, sample: Sample, _index: int) -> Tensor:
        loss, _ = self._step(sample, "train")
        self.log("lr", self.lr_schedulers().get_last_lr()[0])  # type: ignore[union-attr]
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss.item()} at step {self.global_step}, log {sample.name!r}; "
                "lower --optim.lr, or look at that log; --resume goes on from the last checkpoint"
            )
        return loss

    def validation_step(self, sample: Sample, _index: int) -> Tensor:
        """Returns the logits for whoever draws them."""
        _, logits = self._step(sample, "val")
        target = (sample.truth == 255).long()
        target[sample.truth == IGNORE] = -1
        self.scores.update((logits > 0).long(), target)
        return logits

    def on_validation_epoch_end(self) -> None:
        self.log_dict(self.scores.compute(), sync_dist=True)
        self.scores.reset()

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(self.net, self.optim)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """Share of the highest learning rate at a step: up in a line, down in half a cosine."""
        warmup = math.ceil(self.optim.warmup * self.steps)
        if step < warmup:
            return (step + 1) / (warmup + 1)
        done = min(1.0, (step - warmup) / max(1, self.steps - warmup))
        return 0.5 * (1 + math.cos(math.pi * done))

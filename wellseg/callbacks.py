"""What a training run shows while it runs: pictures of validation logs, and when it waits for data."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from wellseg.atomic import atomic_file
from wellseg.dataset import Sample
from wellseg.overlay import encode_png, paint

PICTURES = 4
"""Validation logs that are drawn after each validation."""
WAIT_SHARE = 0.05
"""Share of the time from which waiting for the next log is worth telling."""


class Pictures(Callback):
    """The first validation logs after each validation: hits green, false red, missed blue."""

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx >= PICTURES or not trainer.is_global_zero:
            return
        mask = (outputs > 0).to(torch.uint8).mul(255)[0, 0].cpu().numpy()
        gray, truth = batch.gray[0, 0].cpu().numpy(), batch.truth[0, 0].cpu().numpy()
        path = Path(trainer.default_root_dir) / "pictures" / f"step-{trainer.global_step:06d}-{batch.name}.png"
        path.parent.mkdir(exist_ok=True)
        with atomic_file(path) as file:
            file.write(encode_png(paint(gray, mask, truth)))


class DataWait(Callback):
    """Shows the share of time spent waiting for the next log, where it is worth telling.

    Then more --data.workers help, or a disk that is faster.
    """

    def __init__(self) -> None:
        self.share = 0.0  # a running mean over about 20 steps
        self._step_began = self._step_ended = 0.0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Sample, batch_idx: int) -> None:
        now = time.perf_counter()
        if self._step_ended:
            waited, worked = now - self._step_ended, self._step_ended - self._step_began
            self.share += 0.05 * (waited / (waited + worked) - self.share)
        self._step_began = now

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Sample, batch_idx: int
    ) -> None:
        self._step_ended = time.perf_counter()
        if self.share > WAIT_SHARE:
            pl_module.log("waiting for data", self.share, prog_bar=True, batch_size=1)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step_ended = 0.0  # the time of a validation is not waiting

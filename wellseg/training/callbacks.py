"""Beside the training step: its memory, pictures of validation logs, and logs that were skipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from wellseg.config import ModelConfig
from wellseg.device import free_bytes
from wellseg.scan.atomic import atomic_file
from wellseg.scan.pictures import encode_png, paint
from wellseg.training.dataset import Sample
from wellseg.training.memory import step_bytes

PICTURES = 4
"""Validation logs that are drawn after each validation."""
SHARE = 0.8
"""Of the free memory, what a step may take."""


class Memory(Callback):
    """Recomputes the network's stages in steps that would not fit into free memory otherwise.

    checkpoint: auto, on or off, see ``TrainConfig``. The gradients are the same either way, so a
    run may be resumed on a machine with more or less memory.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint
        self.free_bytes = 0
        """At the first step; later what is kept for the next step would count as taken."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Sample, batch_idx: int
    ) -> None:
        self.free_bytes = self.free_bytes or free_bytes(pl_module.device)
        dtype = torch.bfloat16 if "bf16" in str(trainer.precision) else torch.float32
        model = ModelConfig(**pl_module.hparams["model"])
        fits = step_bytes(model, batch.gray.numel(), dtype) <= SHARE * self.free_bytes
        net: Any = pl_module.net
        net.recompute = self.checkpoint == "on" or (self.checkpoint == "auto" and not fits)


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
        path = (
            Path(trainer.default_root_dir)
            / "pictures"
            / f"step-{trainer.global_step:06d}-{batch.name}.png"
        )
        path.parent.mkdir(exist_ok=True)
        with atomic_file(path) as file:
            file.write(encode_png(paint(gray, mask, truth)))


class Skipped(Callback):
    """Remembers, over resumptions too, which logs could not be read, and tells at the end
    (--data.on_error skip)."""

    def __init__(self) -> None:
        self.logs: dict[str, int] = {}  # what was wrong, with which file, and how often

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Sample, batch_idx: int
    ) -> None:
        for said in batch.skipped:
            self.logs[said] = self.logs.get(said, 0) + 1

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Sample,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self.on_train_batch_start(trainer, pl_module, batch, batch_idx)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self.on_fit_end(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        for said, times in self.logs.items():
            print(f"skipped {times} times: {said}")

    def state_dict(self) -> dict[str, Any]:
        return {"logs": self.logs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.logs = dict(state_dict["logs"])

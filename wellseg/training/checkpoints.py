"""Checkpoints that a full disk, a kill or a loss that is not a number cannot spoil."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from wellseg.scan.atomic import atomic_file


class AtomicCheckpointIO(TorchCheckpointIO):
    """A checkpoint replaces the one before when it is whole and on the disk.

    Lightning's own is written to the system's folder for temporary files and copied from there, so that a
    kill in the middle leaves half a checkpoint where the folders are on different disks (lightning 2.6,
    fsspec's LocalFileOpener).
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        buffer = io.BytesIO()  # torch.save hides the reason when a file cannot be written
        torch.save(checkpoint, buffer)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            file.write(buffer.getbuffer())


class LastCheckpoint(ModelCheckpoint):
    """The newest state, for --resume; also where a run is stopped, if that state is worth keeping."""

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        # Not weights that give no number, and not onto a disk that has just failed: the one before is better.
        if not isinstance(exception, FloatingPointError | OSError):
            super().on_exception(trainer, pl_module, exception)

"""What a resumed run needs, kept safe from a full disk, a kill and a NaN."""

from __future__ import annotations

import csv
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

    Lightning's own is written to the system's folder for temporary files and copied from there, so
    that a kill in the middle leaves half a checkpoint where the folders are on different disks
    (lightning 2.6, fsspec's LocalFileOpener).
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        buffer = io.BytesIO()  # torch.save hides the reason when a file cannot be written
        torch.save(checkpoint, buffer)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            file.write(buffer.getbuffer())


class BestCheckpoint(ModelCheckpoint):
    """The state with the best score, also of those that ``trainer.validate`` scores."""

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            super().on_validation_end(trainer, pl_module)
        else:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))


class LastCheckpoint(ModelCheckpoint):
    """The newest state, for --resume; also where a run is stopped, if that state is worth it."""

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        # Not weights that give no number, and not onto a disk that has just failed.
        if not isinstance(exception, FloatingPointError | OSError):
            super().on_exception(trainer, pl_module, exception)


def read_metrics(path: Path, checkpoint: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv up to its checkpoint: CSVLogger begins the file anew."""
    if not path.exists():
        return []
    step = torch.load(checkpoint, weights_only=True, map_location="cpu")["global_step"]
    whole = path.read_text().rpartition("\n")[0]  # a kill or a full disk may have cut the last row
    return [row for row in csv.DictReader(whole.splitlines()) if int(row["step"]) < step]

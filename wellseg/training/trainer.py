"""Lightning's Trainer as a run of one log a step needs it."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from wellseg.device import pick_device, pick_dtype
from wellseg.training.callbacks import Memory, Pictures, Skipped, StepProgress
from wellseg.training.checkpoints import AtomicCheckpointIO, BestCheckpoint, LastCheckpoint
from wellseg.training.options import TrainConfig

TOLD_BY_LIGHTNING = (
    "Experiment logs directory",
    ".*isinstance.treespec",
    ".*logging interval",
    ".*not resumable",
    "Checkpoint directory",
)
"""At every start, of itself; its other warnings stay."""


def make_trainer(config: TrainConfig) -> Trainer:
    """Lightning's Trainer for one log a step, with what config.trainer adds."""
    device = pick_device("cpu" if config.trainer.get("accelerator") == "cpu" else "auto")
    half = pick_dtype(config.precision, device) == torch.bfloat16
    checkpoints: dict[str, Any] = {
        "dirpath": config.out / "checkpoints",
        "enable_version_counter": False,
        "save_on_train_epoch_end": False,
    }
    callbacks: list[Callback] = [
        # The newest state is saved after the validation and the best, so that it knows of both.
        BestCheckpoint(**checkpoints, filename="best", monitor="val/dice", mode="max"),
        LastCheckpoint(**checkpoints, filename="last", monitor=None, save_on_exception=True),
        Memory(config.checkpoint),
        Pictures(),
        Skipped(),
    ]
    if config.trainer.get("enable_progress_bar", True):
        callbacks.append(StepProgress())
    options: dict[str, Any] = {
        "accelerator": device.type,
        "devices": 1,  # each process takes a log a step: more of them are another training
        "max_steps": config.steps,
        "max_epochs": -1,
        # Lightning counts logs here, --val_every counts optimiser steps.
        "val_check_interval": config.val_every * config.trainer.get("accumulate_grad_batches", 1),
        "check_val_every_n_epoch": None,  # count steps, not epochs
        "num_sanity_val_steps": 0,
        "inference_mode": False,  # its tensors could not be counted on in the validations of a fit
        "precision": "bf16-mixed" if half else "32-true",
        "gradient_clip_val": config.optim.clip,
        "use_distributed_sampler": False,  # VisitSampler knows the ranks
        "log_every_n_steps": 10,
        "callbacks": callbacks,
        "plugins": [AtomicCheckpointIO()],
        "default_root_dir": config.out,
        "enable_model_summary": False,
    }
    options |= config.trainer
    options |= {
        "logger": _loggers(config.out, options.get("logger", "tensorboard")),
        "enable_progress_bar": False,  # Lightning's counts epochs
    }
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for said in TOLD_BY_LIGHTNING:
        warnings.filterwarnings("ignore", said, module="lightning")
    try:
        return Trainer(**options)
    except (TypeError, MisconfigurationException) as error:
        raise ValueError(f"--trainer: {error}") from None


def _loggers(out: Path, name: str | bool) -> list[Logger]:
    """metrics.csv always, and the logger of that name beside it."""
    table = CSVLogger(out, name="", version="", flush_logs_every_n_steps=10)
    if name in ("csv", False):
        return [table]
    if name == "tensorboard":
        return [table, TensorBoardLogger(out, name="", version="tensorboard")]
    if name != "wandb":
        raise ValueError(f"--trainer.logger is tensorboard, csv or wandb, not {name}")
    try:
        return [table, WandbLogger(project="wellseg", save_dir=out)]
    except ModuleNotFoundError:
        raise ValueError("--trainer.logger wandb is not installed: pip install wandb") from None

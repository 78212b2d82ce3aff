"""Beside the training step: memory, pictures, skipped logs, and how far the run is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wellseg.device import free_bytes
from wellseg.net.options import ModelConfig
from wellseg.scan.atomic import atomic_file
from wellseg.scan.pictures import draw_errors, encode_png
from wellseg.training.dataset import Sample

PICTURES = 4
"""Validation logs that are drawn after each validation."""
SHARE = 0.8
"""Of the free memory, what a step may take."""
MAPS_KEPT = {False: 4, True: 6}
"""Maps that a residual block keeps for its gradient: before and after each norm's activation, and
with separable convolutions one between the two parts of each."""
OVERHEAD = 1.5
"""A step's peak over what is kept: gradients, scratch (measured by tests/test_memory.py)."""


def step_bytes(model: ModelConfig, pixels: int, dtype: torch.dtype) -> int:
    """About what a training step on a log of that many pixels takes, if no stage is recomputed."""
    values = 0.0  # per pixel of the log
    for number, width in enumerate(model.widths):
        blocks = 2 if number < len(model.widths) - 1 else 1  # encoder and decoder
        values += blocks * MAPS_KEPT[model.separable] * width / (model.patch * 2**number) ** 2
    return int(OVERHEAD * values * dtype.itemsize * pixels)


class Memory(Callback):
    """Recomputes the network's stages in steps that would not fit into free memory otherwise.

    checkpoint: auto, on or off, see ``TrainConfig``. The gradients are the same either way, so a
    run may be resumed on a machine with more or less memory.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint
        self.free_bytes = 0
        """At the first step; later what is kept for the next step would count as taken."""

    def on_train_batch_start(self, trainer: Trainer, module: Any, batch: Sample, *_: Any) -> None:
        self.free_bytes = self.free_bytes or free_bytes(module.device)
        dtype = torch.bfloat16 if "bf16" in str(trainer.precision) else torch.float32
        model = ModelConfig(**module.hparams["model"])
        fits = step_bytes(model, batch.gray.numel(), dtype) <= SHARE * self.free_bytes
        module.net.recompute = self.checkpoint == "on" or (self.checkpoint == "auto" and not fits)


class Pictures(Callback):
    """The first validation logs after each validation: hits green, false red, missed blue."""

    def on_validation_batch_end(
        self, trainer: Trainer, module: Any, logits: Any, batch: Sample, index: int, *_: Any
    ) -> None:
        if index >= PICTURES or not trainer.is_global_zero:
            return
        maps = batch.gray, logits > 0, batch.truth
        picture = draw_errors(*(each[0, 0].cpu().numpy() for each in maps))
        folder = Path(trainer.default_root_dir, "pictures")
        folder.mkdir(exist_ok=True)
        with atomic_file(folder / f"step-{trainer.global_step:06d}-{batch.name}.png") as file:
            file.write(encode_png(picture))


class Skipped(Callback):
    """Counts, over resumptions too, logs that could not be read (--data.on_error skip)."""

    def __init__(self) -> None:
        self.logs: dict[str, int] = {}  # what was wrong, with which file, and how often

    def on_train_batch_start(self, trainer: Trainer, module: Any, batch: Sample, *_: Any) -> None:
        for said in batch.skipped:
            self.logs[said] = self.logs.get(said, 0) + 1

    def on_validation_batch_start(self, *args: Any) -> None:
        self.on_train_batch_start(*args)

    def on_fit_end(self, *_: Any) -> None:
        for said, times in self.logs.items():
            print(f"skipped {times} times: {said}")

    def on_exception(self, *_: Any) -> None:
        self.on_fit_end()

    def state_dict(self) -> dict[str, Any]:
        return {"logs": self.logs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.logs = dict(state_dict["logs"])


class StepProgress(Callback):
    """A bar on a terminal, and a line after each validation, both with the time that is left.

    It counts optimiser steps: the logs of a run are no epochs to anybody.
    """

    def __init__(self) -> None:
        columns = TextColumn("step"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn()
        self.bar = Progress(*columns, transient=True, speed_estimate_period=3600)
        self.bar.disable = not self.bar.console.is_terminal

    def on_train_start(self, trainer: Trainer, *_: Any) -> None:
        self.bar.disable |= not trainer.is_global_zero
        self.bar.add_task("", total=trainer.max_steps, completed=trainer.global_step)
        self.bar.start()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        self.bar.update(self.bar.task_ids[0], completed=trainer.global_step)

    def on_validation_end(self, trainer: Trainer, *_: Any) -> None:
        if not trainer.is_global_zero:
            return
        said = f"step {trainer.global_step} of {trainer.max_steps}"
        for name, key in (("loss", "train/loss"), ("Dice", "val/dice")):
            if key in trainer.callback_metrics:
                said += f", {name} {float(trainer.callback_metrics[key]):.3f}"
        for task in self.bar.tasks:
            said += f", about {timedelta(seconds=task.time_remaining or 0)} left"
        self.bar.console.print(said, highlight=False, soft_wrap=True)

    def on_train_end(self, *_: Any) -> None:
        self.bar.stop()

    def on_exception(self, *_: Any) -> None:
        self.on_train_end()

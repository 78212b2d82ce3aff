"""How far a training is: a bar on a terminal, a line after each validation, the time that is
left."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

ESTIMATE_STEPS = 10
"""Steps after which the time of all of them is first told."""


class StepProgress(Callback):
    """Counts optimiser steps: the logs of a run are no epochs to anybody."""

    def __init__(self) -> None:
        self._console = Console()
        self._bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            transient=True,
        )
        self._began_s, self._first_step, self._step = 0.0, 0, 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._began_s, self._first_step = time.monotonic(), trainer.global_step
        self._step = trainer.global_step
        if trainer.is_global_zero and self._console.is_terminal:
            self._task = self._bar.add_task("", total=trainer.max_steps, completed=self._step)
            self._bar.start()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == self._step:  # a log of a step of several
            return
        self._step = trainer.global_step
        if self._bar.live.is_started:
            loss = f"loss {float(trainer.callback_metrics['train/loss']):.3f}"
            self._bar.update(self._task, completed=self._step, description=loss)
        if self._step == self._first_step + ESTIMATE_STEPS < trainer.max_steps:
            self._say(trainer, f"{trainer.max_steps} steps: about {self._left(trainer)} left")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        found = trainer.callback_metrics
        loss = f", loss {float(found['train/loss']):.3f}" if "train/loss" in found else ""
        scores = f"{loss}, Dice {float(found['val/dice']):.3f}"
        ends = self._step >= trainer.max_steps or not self._step
        left = "" if ends else f", about {self._left(trainer)} left"
        self._say(trainer, f"step {trainer.global_step} of {trainer.max_steps}{scores}{left}")

    def _left(self, trainer: Trainer) -> timedelta:
        done = self._step - self._first_step
        each_s = (time.monotonic() - self._began_s) / max(1, done)
        return timedelta(seconds=round(each_s * (trainer.max_steps - self._step)))

    def _say(self, trainer: Trainer, line: str) -> None:
        if trainer.is_global_zero:
            self._console.print(line, highlight=False, soft_wrap=True)

    def on_exception(self, *_: Any) -> None:
        self._bar.stop()

    def on_train_end(self, *_: Any) -> None:
        self._bar.stop()

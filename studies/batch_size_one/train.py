"""One training run of the study: same logs, same initial convolutions, same steps for every arm of a seed."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from studies.batch_size_one.arms import ARMS, Job, Size
from studies.batch_size_one.logs import training_log
from studies.batch_size_one.norms import Together, pools_images, set_progress, standardise
from wellseg.net.losses import curve_loss
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.training.options import OptimConfig
from wellseg.training.segmenter import make_optimizer

Schedule = Literal["constant", "annealed"]
MOMENTS = {"early": 0.1, "middle": 0.4, "before": 0.75, "end": 1.0}
"""Shares of the steps at which a run is scored. Annealing starts at "before"."""
WARMUP = 0.05


@dataclass(frozen=True)
class Moment:
    """A trained state: schedule constant or annealed (the same until "before"), and its share of the run."""

    schedule: Schedule
    moment: str
    step: int


def moments(steps: int) -> list[Moment]:
    """In the order of training: three of the trunk, then the end of each branch."""
    trunk = [
        Moment("constant", name, round(MOMENTS[name] * steps))
        for name in ("early", "middle", "before")
    ]
    return [*trunk, Moment("constant", "end", steps), Moment("annealed", "end", steps)]


def build_net(arm: str, size: Size, seed: int) -> ResUNet:
    """The arm's network; its convolutions start alike for every arm of a seed, for no norm draws anything."""
    torch.manual_seed(seed)
    options = ARMS[arm]
    net = ResUNet(2, size.widths, options.norm, options.momentum, separable=False)
    if options.standardised:
        standardise(net)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class Run:
    """A network on its way. `advance` to a step; `state` and `load` to keep it and to go on."""

    def __init__(self, job: Job, size: Size) -> None:
        self.job, self.size, self.step = job, size, 0
        self.arm = ARMS[job.arm]
        self.net = build_net(job.arm, size, job.seed)
        self.optim = OptimConfig(lr=job.rate)
        self.together = Together(self.net) if pools_images(self.net) else None
        self.optimizer = make_optimizer(self.net, self.optim)

    def rate(self, schedule: Schedule) -> float:
        """Up in a line, level; annealed, down in a line to zero over the last quarter."""
        share = self.step / self.job.steps
        warm = min(1.0, (self.step + 1) / (math.ceil(WARMUP * self.job.steps) + 1))
        down = min(1.0, (1 - share) / (1 - MOMENTS["before"])) if schedule == "annealed" else 1.0
        return self.job.rate * warm * down

    def advance(self, until: int, schedule: Schedule) -> None:
        """Train up to that step. Raises FloatingPointError where the loss is no longer finite."""
        self.net.train()
        while self.step < until:
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate(schedule)
            self.optimizer.zero_grad()
            set_progress(self.net, self.step / self.job.steps)
            loss = self._backward()
            if not math.isfinite(loss):
                raise FloatingPointError(f"loss {loss} at step {self.step}")
            nn.utils.clip_grad_norm_(self.net.parameters(), self.optim.clip)
            self.optimizer.step()
            self.step += 1

    def _backward(self) -> float:
        """The gradient of this step's logs, one after the other unless the norm wants them together."""
        logs = [
            training_log(self.job.seed, self.step + n, self.size.rows).tensors
            for n in range(self.arm.logs)
        ]
        inks = [to_ink(gray) for gray, _ in logs]
        outputs = self.together(inks) if self.together else [self.net(ink) for ink in inks]
        losses = [
            curve_loss(logits, truth) for logits, (_, truth) in zip(outputs, logs, strict=True)
        ]
        loss = torch.stack(losses).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def state(self) -> dict[str, object]:
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def load(self, state: dict[str, object]) -> None:
        self.load_net(state)
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))  # type: ignore[arg-type]  # it keeps them

    def load_net(self, state: dict[str, object]) -> None:
        """What is needed to score that state."""
        self.net.load_state_dict(state["net"])  # type: ignore[arg-type]
        self.step = int(state["step"])  # type: ignore[call-overload]
        set_progress(self.net, self.step / self.job.steps)


def states(
    run: Run, kept: dict[Moment, dict[str, object]]
) -> Iterator[tuple[Moment, dict[str, object]]]:
    """Every moment of a run with its state; those in `kept` are not trained again."""
    known = dict(kept)
    plan = moments(run.job.steps)
    for number, moment in enumerate(plan):
        if moment not in known:
            # Of the moments of its own schedule, or of the trunk, the one before.
            start = plan[2] if moment.moment == "end" else plan[number - 1] if number else None
            if start is not None:
                run.load(known[start])
            run.advance(moment.step, moment.schedule)
            known[moment] = copy.deepcopy(run.state())
        yield moment, known[moment]

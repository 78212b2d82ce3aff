"""One training: same logs, same initial convolutions, same steps for every cell of a seed."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studies.batch_size_one.logs import Logs
from studies.batch_size_one.norms import (
    FrozenBatchNorm,
    Together,
    pools_images,
    set_progress,
    standardise,
)
from studies.batch_size_one.plan import TRUNK, Cell
from studies.batch_size_one.rows import made_here
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.norms import make_norm
from wellseg.scan.atomic import atomic_file
from wellseg.training.options import OptimConfig
from wellseg.training.segmenter import curve_loss, make_optimizer

WARMUP = 0.05
SAVE_EVERY = 200
"""Steps between states on the disk: what a kill costs."""


def build(cell: Cell) -> ResUNet:
    """The cell's network. Its convolutions start alike for all cells of a seed: no norm draws."""
    torch.manual_seed(cell.seed)
    norm = "batch_momenta" if cell.norm == "hybrid" else cell.norm
    net = ResUNet(2, cell.widths, norm, separable=False)
    if cell.norm == "group_ws":
        standardise(net)
    if cell.norm == "hybrid":  # IBN-Net (Pan et al. 2018): an image's looks are taken out early
        for name in ("norm1", "norm2"):
            setattr(net.encoder[0], name, make_norm("instance", cell.widths[0]))
    for module in net.modules():
        if isinstance(module, FrozenBatchNorm) and cell.freeze is not None:
            module.warmup = cell.freeze
    return net


class Training:
    """A cell on its way; ``run`` leaves its checkpoints in a folder.

    step-N.pt: the network at a snapshot; constant.pt and annealed.pt: at both ends; losses.json: of
    every step; trained.json: by which commits, on which machines.
    """

    def __init__(self, cell: Cell, logs: Logs, device: str = "cpu") -> None:
        self.cell, self.logs, self.device, self.step = cell, logs, torch.device(device), 0
        self.net = build(cell).to(self.device)
        self.optim = OptimConfig(lr=cell.rate)
        self.optimizer = make_optimizer(self.net, self.optim)
        self.together = Together(self.net) if pools_images(self.net) else None
        self.losses: list[float] = []

    def run(self, folder: Path) -> None:
        """Train to both ends, or go on from what is in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._sign(folder / "trained.json")
        branch = round(TRUNK * self.cell.steps)
        trunk = folder / "trunk.pt"
        if not trunk.exists():
            self._restore(folder / "state.pt")
            self._to(branch, "constant", folder)
            _save(trunk, self._state())
        for schedule in ("constant", "annealed"):
            if not (folder / f"{schedule}.pt").exists():
                state = folder / f"state-{schedule}.pt"
                self._restore(state if state.exists() else trunk)
                self._to(self.cell.steps, schedule, folder, state.name)
                _save(folder / f"{schedule}.pt", self.net.state_dict())
        self.write_losses(folder)
        for path in folder.glob("state*.pt"):
            path.unlink()
        trunk.unlink()

    def write_losses(self, folder: Path) -> None:
        """What says that a training is done; its last is no number where that ended it."""
        with atomic_file(folder / "losses.json") as file:
            file.write(json.dumps([round(loss, 5) for loss in self.losses]).encode())

    def _sign(self, path: Path) -> None:
        """Commit and machine of every start that had a hand in these weights."""
        here = made_here(str(self.device))
        signed = f"{here['commit']}, {here['machine']}"
        before = json.loads(path.read_text()) if path.exists() else []
        if signed not in before:
            with atomic_file(path) as file:
                file.write(json.dumps([*before, signed]).encode())

    def rate(self, schedule: str) -> float:
        """Up in a line, level; annealed, down in a line to zero over the last quarter."""
        warm = min(1.0, (self.step + 1) / (math.ceil(WARMUP * self.cell.steps) + 1))
        left = (1 - self.step / self.cell.steps) / (1 - TRUNK)
        return self.cell.rate * warm * (min(1.0, left) if schedule == "annealed" else 1.0)

    def _to(self, stop: int, schedule: str, folder: Path, state: str = "state.pt") -> None:
        self.net.train()
        while self.step < stop:
            self._one_step(schedule)
            if self.step in self.cell.snapshots and schedule == "constant":
                _save(folder / f"step-{self.step:04d}.pt", self.net.state_dict())
            if self.step % SAVE_EVERY == 0:
                _save(folder / state, self._state())

    def _one_step(self, schedule: str) -> None:
        """Raises FloatingPointError where the loss is no number."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(schedule)
        self.optimizer.zero_grad()
        set_progress(self.net, self.step / self.cell.steps)
        given = [
            [each.to(self.device) for each in self.logs.training(self.cell, self.step + n).tensors]
            for n in range(self.cell.logs)
        ]
        if self.together:
            outputs = self.together([to_ink(gray) for gray, _ in given])
            losses = [curve_loss(z, truth) for z, (_, truth) in zip(outputs, given, strict=True)]
            loss = torch.stack(losses).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            value = loss.item()
        else:  # one after the other, as with accumulate_grad_batches
            value = 0.0
            for gray, truth in given:
                loss = curve_loss(self.net(to_ink(gray)), truth) / len(given)
                loss.backward()  # type: ignore[no-untyped-call]
                value += loss.item()
        if not math.isfinite(value):
            self.losses.append(value)
            raise FloatingPointError(f"loss {value} at step {self.step}")
        nn.utils.clip_grad_norm_(self.net.parameters(), self.optim.clip)
        self.optimizer.step()
        self.step += 1
        self.losses.append(value)

    def _state(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(),
            "step": self.step, "losses": self.losses,
        }  # fmt: skip

    def _restore(self, path: Path) -> None:
        if path.exists():
            state = torch.load(path, weights_only=True, map_location=self.device)
            self.net.load_state_dict(state["net"])
            self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
            self.step, self.losses = state["step"], list(state["losses"])


def _save(path: Path, state: dict[str, Any]) -> None:
    with atomic_file(path) as file:
        torch.save(state, file)

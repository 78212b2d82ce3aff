"""Rows of the study from the checkpoints of a cell: every way to get a mask, on every set."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from studies.batch_size_one.logs import SETS, TALL, Logs, StudyLog
from studies.batch_size_one.norms import BatchMomenta
from studies.batch_size_one.plan import MOMENTA, Cell, Momentum
from studies.batch_size_one.recalibrate import instead, layer_by_layer, precise, running_norms
from studies.batch_size_one.rows import KEY, Row, made_here
from studies.batch_size_one.train import build
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.scores.masks import score_log

THRESHOLDS = tuple(round(0.025 + 0.95 * i / 20, 4) for i in range(21))
HEADLINE = ("m0.01", "m0.01 corrected", "m0.1", "own", "evaluation")
"""Ways that are scored on all sets at the annealed end, at all thresholds; others see `sets_of`."""
SNAPSHOT_LOGS = 16
SWEPT = ("like", "renders", "blank")
"""Sets with all thresholds."""
LOSSES = 40


def score(cell: Cell, folder: Path, logs: Logs, device: str = "cpu") -> list[Row]:
    """All rows of a cell that was trained. Diverged: the scores as they are, or all F1 0 if the
    loss was no number."""
    losses = json.loads((folder / "losses.json").read_text())
    finite = bool(losses) and math.isfinite(sum(losses))
    about = _about(cell, folder, losses, device)
    parts = np.array_split(losses, min(len(losses), LOSSES))
    end = {"schedule": "annealed", "step": cell.steps, "way": "training", "set": "training"}
    rows = [about | end | {"loss": [float(part.mean()) for part in parts]}]
    for file, schedule, step in checkpoints(cell):
        net = at_checkpoint(cell, folder / file if finite else None, device)
        known: dict[tuple[bytes, str], Row] = {}
        for way, use in ways(net):
            with use(net):
                same = _function(net)
                for name in sets_of(cell, way, schedule):
                    given = logs.set(name)
                    if step != cell.steps:
                        given = given[:SNAPSHOT_LOGS]
                    if given:
                        if (same, name) not in known:
                            sweep = schedule == "annealed" and way in HEADLINE and name in SWEPT
                            known[same, name] = score_set(
                                net if finite else None, given, device, sweep
                            )
                        what = {"schedule": schedule, "step": step, "way": way, "set": name}
                        rows.append(about | what | known[same, name])
    return rows


def at_checkpoint(cell: Cell, path: Path | None, device: str = "cpu") -> ResUNet:
    """The network of a cell as it was then, None: at its start; in evaluation."""
    net = build(cell)
    if path:
        net.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    return net.to(device).eval()


def use_momentum(net: nn.Module, momentum: Momentum, corrected: bool = False) -> None:
    """From now on evaluation is by the running statistics of that momentum (`BatchMomenta.use`)."""
    for module in net.modules():
        if isinstance(module, BatchMomenta):
            module.use(momentum, corrected)


def _function(net: ResUNet) -> bytes:
    """What of a network differs between ways: ways of the same statistics to the last bit are
    scored once. After 1,600 steps that is so of 0.03 and more, corrected and not."""
    norms = running_norms(net)
    buffers = [b for norm in norms for b in (norm.running_mean, norm.running_var)]
    return bytes(norm.training for norm in norms) + b"".join(
        b.cpu().numpy().tobytes() for b in buffers
    )


def checkpoints(cell: Cell) -> list[tuple[str, str, int]]:
    """File, schedule and step of all that is scored."""
    snapshots = [(f"step-{step:04d}.pt", "constant", step) for step in cell.snapshots]
    ends = ("constant", "annealed")
    return snapshots + [(f"{schedule}.pt", schedule, cell.steps) for schedule in ends]


def sets_of(cell: Cell, way: str, schedule: str) -> tuple[str, ...]:
    """The sets on which a way is scored."""
    if schedule != "annealed":
        return ("like", "renders")
    if way not in HEADLINE:
        return ("validation", "like", "renders")
    return (*SETS, *TALL) if cell.data == "tall" else SETS


def expected(cell: Cell) -> set[tuple[str, int, str, str]]:
    """schedule, step, way and set of every row that ``score`` gives where all sets are there."""
    names = [way for way, _ in ways(build(cell))]
    return {("annealed", cell.steps, "training", "training")} | {
        (schedule, step, way, name)
        for _, schedule, step in checkpoints(cell)
        for way in names
        for name in sets_of(cell, way, schedule)
    }


def _about(cell: Cell, folder: Path, losses: Sequence[float], device: str) -> Row:
    """What all rows of a cell share."""
    about = {name: getattr(cell, name) for name in KEY[:8]}
    signed = folder / "trained.json"
    trained = " / ".join(json.loads(signed.read_text())) if signed.exists() else ""
    status = "diverged" if _diverged(losses) else "ok"
    return about | made_here(device) | {"status": status, "trained": trained}


def _diverged(losses: Sequence[float]) -> bool:
    """A loss that ends higher than it began, or that was no number (PREREGISTRATION.md)."""
    head, tail = losses[:100], losses[-100:]
    return (
        not losses or not math.isfinite(sum(tail)) or sum(tail) / len(tail) > sum(head) / len(head)
    )


BY_MOMENTUM = {
    f"m{momentum}" + " corrected" * corrected: (momentum, corrected)
    for momentum in MOMENTA
    for corrected in (False, True)[: 1 + (momentum not in (1.0, "cumulative"))]
}
"""Ways by running statistics: the momentum, and whether the buffers' start is taken out."""
Use = Callable[[ResUNet], AbstractContextManager[None]]


def ways(net: ResUNet) -> Iterator[tuple[str, Use]]:
    """Names of the ways to ask this network for a mask, and what has it answer so for a while."""
    if any(isinstance(module, BatchMomenta) for module in net.modules()):
        for name, chosen in BY_MOMENTUM.items():
            yield name, lambda net, chosen=chosen: nullcontext(use_momentum(net, *chosen))
    else:
        yield "evaluation", nullcontext
    if running_norms(net):
        yield "own", lambda net: own_first(net, len(running_norms(net)))


@contextmanager
def own_first(net: ResUNet, many: int) -> Iterator[None]:
    """The first so many norms with running statistics divide by the image's own; none observes."""
    chosen = running_norms(net)[:many]
    for norm in chosen:
        norm.train()
    try:
        with buffers_kept(net):
            yield
    finally:
        for norm in chosen:
            norm.eval()


def one_scalar(net: ResUNet) -> AbstractContextManager[None]:
    """Each norm's running statistics times one number, by which the image's contrast differs in
    that layer."""

    def rescaled(norm: Any, x: Tensor) -> Tensor:
        var = x.double().var((0, 2, 3), correction=0)
        running = norm.running_var.double()
        ratio = ((var + norm.eps).log() - (running + norm.eps).log()).mean().exp()
        mean = norm.running_mean * ratio.sqrt().to(norm.running_mean.dtype)
        return torch.nn.functional.batch_norm(
            x, mean, (running * ratio).to(x.dtype), norm.weight, norm.bias, eps=norm.eps
        )

    return instead(running_norms(net), rescaled)


@contextmanager
def buffers_kept(net: nn.Module) -> Iterator[None]:
    """Whatever a forward in training mode does to running statistics is undone."""
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    try:
        yield
    finally:
        for name, buffer in net.named_buffers():
            buffer.copy_(before[name])


UNLABELLED = (1, 2, 4, 8, 16, 32, 64)
PRIORS = (0, 4, 16)
TRAINING_LOGS = (12, 50, 200)
SHIFTED, OWN_KIND = ("renders", "real_colour"), ("like", "real_bilevel")


def without_training(norms: int, scored: int = 64) -> dict[str, tuple[str, ...]]:
    """Part D's ways to get a mask from a network of so many norms, and the sets of each."""
    unlabelled = [many for many in UNLABELLED if many <= scored]
    asked = {f"unlabelled {many} prior {prior}": SHIFTED for many in unlabelled for prior in PRIORS}
    for many in _several(scored):
        for how in RECALIBRATIONS:
            asked[f"training {many} {how}"] = (*OWN_KIND, *SHIFTED)
    asked |= {f"own first {depth}": SWEPT for depth in range(1, norms + 1)}
    return asked | {"one scalar": SWEPT}


def _several(scored: int) -> list[int]:
    return [many for many in TRAINING_LOGS if many <= 6 * scored]


RECALIBRATIONS = {"at once": precise, "layer by layer": layer_by_layer}


def expected_without_training(cell: Cell) -> set[tuple[str, int, str, str]]:
    """As ``expected``, of ``score_without_training``."""
    asked = without_training(len(running_norms(build(cell))))
    return {("annealed", cell.steps, way, name) for way, sets in asked.items() for name in sets}


def score_without_training(cell: Cell, folder: Path, logs: Logs, device: str = "cpu") -> list[Row]:
    """Part D on the annealed end of a cell of A: recalibrated, own statistics up to a depth, one
    number a layer."""
    rows: list[Row] = []
    losses = json.loads((folder / "losses.json").read_text())
    about = _about(cell, folder, losses, device)
    about |= {"part": "D", "schedule": "annealed", "step": cell.steps}

    def restored() -> ResUNet:
        net = at_checkpoint(cell, folder / "annealed.pt", device)
        use_momentum(net, 0.01)
        return net

    net = restored()
    asked = without_training(len(running_norms(net)), logs.scored)

    def add(way: str, net: ResUNet) -> None:
        for name in asked[way]:
            if given := logs.set(name):
                rows.append(about | {"way": way, "set": name} | score_set(net, given, device))

    for depth in range(1, len(running_norms(net)) + 1):
        with own_first(net, depth):
            add(f"own first {depth}", net)
    with one_scalar(net):
        add("one scalar", net)
    renders = [to_ink(log.tensors[0].to(device)) for log in logs.set("unlabelled")]
    for many in filter(lambda n: n <= logs.scored, UNLABELLED):
        for prior in PRIORS:
            net = restored()
            precise(net, renders[:many], prior)
            add(f"unlabelled {many} prior {prior}", net)
    several = _several(logs.scored)
    seen = [to_ink(logs.training(cell, n).tensors[0].to(device)) for n in range(max(several))]
    for many in several:
        for how, recalibrate in RECALIBRATIONS.items():
            net = restored()
            recalibrate(net, seen[:many])
            add(f"training {many} {how}", net)
    return rows


@torch.no_grad()
def score_set(
    net: ResUNet | None, logs: Sequence[StudyLog], device: str, sweep: bool = False
) -> Row:
    """Scores of each log, at threshold 0.5; sweep: F1 at all thresholds, too. None: a network that
    is no numbers."""
    f1, dice, false_px, by_threshold = [], [], [], []
    cuts = [math.log(p / (1 - p)) for p in THRESHOLDS]
    for log in logs:
        if net is None:
            f1.append(0.0 if log.has_curves else math.nan)
            dice.append(0.0 if log.has_curves else math.nan)
            false_px.append(math.nan)
            by_threshold.append([0.0] * len(cuts))
            continue
        logits = net(to_ink(log.tensors[0].to(device)))[0, 0].float().cpu().numpy()
        scores = score_log(logits > 0, log.truth)
        f1.append(scores.f1_at_3px if scores.has_curves else math.nan)
        dice.append(scores.dice if scores.has_curves else math.nan)
        false_px.append(scores.false_centreline_px_per_row)
        if sweep and scores.has_curves:
            rows = np.flatnonzero(((logits > cuts[0]) | (log.truth > 0)).any(1))
            # White paper adds nothing, and takes time.
            inked, truth = (
                each[max(0, rows[0] - 8) : rows[-1] + 9] for each in (logits, log.truth)
            )
            by_threshold.append([score_log(inked > cut, truth).f1_at_3px for cut in cuts])
    names = [log.name for log in logs]
    found: Row = {"f1": f1, "dice": dice, "false_px_per_row": false_px, "names": names}
    if sweep and by_threshold:
        found["f1_by_threshold"] = np.mean(by_threshold, 0).tolist()
    return found

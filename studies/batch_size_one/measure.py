"""Measurements that need no training, for the sources' open questions: minutes of one core.

values    how far mean and standard deviation of a channel over few values are from those of its
          whole map
images    how far an image's mean is from the population's, layer by layer: precise of an image,
          noisy of all
contrast  what of an image's contrast arrives at each norm in evaluation, against the running
          statistics
gradient  variance of the gradient between steps of one log, or of four with pooled statistics or
          without

Rows: question, norm, where, x, quantity, value, over how many logs, of which weights, and commit,
corpus, machine.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jsonargparse import auto_cli
from torch import Tensor, nn

from studies.batch_size_one.collect import ROWS
from studies.batch_size_one.logs import Logs, StudyLog
from studies.batch_size_one.norms import Together
from studies.batch_size_one.plan import STEPS, Cell
from studies.batch_size_one.recalibrate import instead, running_norms
from studies.batch_size_one.rows import made_here
from studies.batch_size_one.score import at_checkpoint, own_first, use_momentum
from studies.batch_size_one.train import build
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.scan.atomic import write_csv
from wellseg.training.segmenter import curve_loss

MEASURED = ROWS / "measured.csv"
FOUND = ("question", "norm", "where", "x", "quantity", "value")
COLUMNS = (*FOUND, "logs", "weights", "commit", "corpus", "machine")
SIDES = (1, 2, 4, 8, 16, 32, 64)
DRAWS = 16

Found = Iterator[tuple[str, str, str, float, str, float]]
"""FOUND of each."""


def measure(
    run: Path = Path("runs/atlas"),
    rate: float = 1e-3,
    seed: int = 0,
    logs: int = 24,
    out: Path = MEASURED,
    drawn: Path | None = None,
) -> None:
    """Measure on the checkpoints of two cells of part A, BatchNorm's and GroupNorm's.

    Args:
        run: The run's folder.
        rate: Of the cells.
        seed: Of the cells.
        logs: How many drawn logs of a kind.
        out: The rows are written there.
        drawn: Folder of drawn logs; the run's own if not given.
    """
    torch.set_num_threads(1)
    given = Logs(drawn or run / "logs", scored=logs)
    like, renders = given.set("like"), given.set("renders")
    cells = {n: Cell("A", n, rate, seed, STEPS["A"]) for n in ("batch_momenta", "group")}
    lines = []
    files = {"end": "annealed.pt", "step 0": None, "step 400": "step-0400.pt"}
    for name, file in files.items():
        nets = {
            norm: load(cell, run / "checkpoints" / cell.name / file if file else None)
            for norm, cell in cells.items()
        }
        print(name, flush=True)
        found = list(gradient(nets, like))
        if name == "end":
            net = nets["batch_momenta"]
            found += [*values(net, like), *images(net, like)]
            found += [*contrast(net, like, "like"), *contrast(net, renders, "renders")]
        about = {"logs": logs, "weights": f"rate {rate:g}, seed {seed}, {name}"} | made_here()
        lines += [dict(zip(FOUND, each, strict=True)) | about for each in found]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_csv(out, COLUMNS, lines)


def load(cell: Cell, path: Path | None) -> ResUNet:
    """The network of a cell at a checkpoint, None: at its start; by statistics of momentum 0.1."""
    net = at_checkpoint(cell, path)
    use_momentum(net, 0.1)
    return net


def ink(log: StudyLog) -> Tensor:
    return to_ink(log.tensors[0])


@torch.no_grad()
def maps(net: ResUNet, logs: Sequence[StudyLog], own: bool) -> Iterator[list[Tensor]]:
    """Of each log what each norm with running statistics is given, in order, float64 (C, H, W).

    own: with the image's own statistics, as in training.
    """
    norms = running_norms(net)
    for log in logs:
        seen: list[Tensor] = []

        def note(_: nn.Module, x: Tensor, seen: list[Tensor] = seen) -> None:
            seen.append(x[0].double())

        with own_first(net, len(norms) * own), instead(norms, note):
            net(ink(log))
        yield seen


# ---- values and images ---------------------------------------------------------------------------


def values(net: ResUNet, logs: Sequence[StudyLog]) -> Found:
    """Root mean square error of mean and of standard deviation, both in the map's standard
    deviations, over windows and over scattered values of a map, against the whole map's; x: how
    many values. One value has no spread: 1."""
    draws = np.random.default_rng(0)
    errors: dict[tuple[str, str, int], list[np.ndarray]] = {}
    for seen in maps(net, logs, own=True):
        core = min(range(len(seen)), key=lambda i: seen[i][0].numel())
        for where, layer in (("first", 0), ("core", core)):
            x = seen[layer]
            rows, columns = x.shape[1:]
            mean, sd = x.mean((1, 2)), x.std((1, 2), correction=0)
            there = sd > 1e-3 * sd.max()  # a channel that is off has no statistics to err in
            for side in (s for s in SIDES if s <= min(rows, columns)):
                for _ in range(DRAWS):
                    top, left = draws.integers(rows - side + 1), draws.integers(columns - side + 1)
                    some = draws.integers(rows * columns, size=side * side)
                    windows = {
                        "window": x[:, top : top + side, left : left + side].flatten(1),
                        "scattered": x.flatten(1)[:, some],
                    }
                    for how, few in windows.items():
                        of_mean = ((few.mean(1) - mean) / sd)[there]
                        of_sd = (few.std(1, correction=0) / sd - 1)[there]
                        both = torch.stack([of_mean, of_sd]).square().mean(1)
                        errors.setdefault((where, how, side * side), []).append(both.numpy())
    for (where, how, count), found in errors.items():
        of_mean, of_sd = np.sqrt(np.mean(found, 0))
        yield "values", "batch", where, count, f"mean, {how}", float(of_mean)
        yield "values", "batch", where, count, f"sd, {how}", float(of_sd)


def images(net: ResUNet, logs: Sequence[StudyLog]) -> Found:
    """Root mean square distance of an image's mean from the population's, in the population's
    standard deviations; x: the norm's number, from 1. And how many values a channel's mean is
    over."""
    seen = list(maps(net, logs, own=True))
    for layer in range(len(seen[0])):
        means = torch.stack([each[layer].mean((1, 2)) for each in seen])
        squares = torch.stack([each[layer].square().mean((1, 2)) for each in seen])
        center = means.mean(0)
        var = squares.mean(0) - center.square()
        there = var > 1e-6 * var.max()
        away = ((means - center).square().mean(0) / var)[there].mean().sqrt()
        yield "images", "batch", "", layer + 1, "distance", float(away)
        counts = [each[layer][0].numel() for each in seen]
        yield "images", "batch", "", layer + 1, "values", float(np.median(counts))


def contrast(net: ResUNet, logs: Sequence[StudyLog], kind: str) -> Found:
    """In evaluation: standard deviation of a channel through the running one, geometric mean over
    channels, median over logs; x: the norm's number. And how much of the squared log ratio is one
    factor for all channels."""
    ratios: list[list[Tensor]] = [[] for _ in running_norms(net)]
    for seen in maps(net, logs, own=False):
        for layer, (norm, x) in enumerate(zip(running_norms(net), seen, strict=True)):
            var, running = x.var((1, 2), correction=0), norm.running_var.double()
            ratios[layer].append(((var + norm.eps) / (running + norm.eps)).log() / 2)
    for layer, found in enumerate(ratios):
        logarithms = torch.stack(found)
        common = logarithms.mean(1)
        share = common.square() / logarithms.square().mean(1)
        yield "contrast", "batch", kind, layer + 1, "sd ratio", float(common.exp().median())
        yield "contrast", "batch", kind, layer + 1, "common share", float(share.median())


# ---- gradients -----------------------------------------------------------------------------------


def gradient(nets: dict[str, ResUNet], logs: Sequence[StudyLog]) -> Found:
    """Noise of the gradient: its variance between steps through the square of its mean, both over
    all convolutions' weights, unbiased; x: logs a step. where: own, running or pooled
    statistics."""
    batch, group = nets["batch_momenta"], nets["group"]
    yield from _noise("batch_momenta", "own", one_by_one(batch.train(), logs))
    yield from _noise("batch_momenta", "running", one_by_one(batch.eval(), logs))
    yield from _noise("group", "own", one_by_one(group, logs))
    cell = Cell("C", "pooled", 1e-3, 0, 1)
    pooled = build(cell)
    pooled.load_state_dict(batch.state_dict(), strict=False)
    if len(logs) >= 8:
        yield from _noise("pooled", "pooled", four_together(pooled.train(), logs), 4)


def one_by_one(net: ResUNet, logs: Sequence[StudyLog]) -> list[np.ndarray]:
    state = {name: value.clone() for name, value in net.state_dict().items()}
    found = [_gradient(net, lambda log=log: _loss(net(ink(log)), log)) for log in logs]
    net.load_state_dict(state)  # what was observed
    return found


def four_together(net: ResUNet, logs: Sequence[StudyLog]) -> list[np.ndarray]:
    together = Together(net)

    def loss(four: Sequence[StudyLog]) -> Tensor:
        outputs = together([ink(log) for log in four])
        return torch.stack([_loss(z, log) for z, log in zip(outputs, four, strict=True)]).mean()

    fours = [logs[i : i + 4] for i in range(0, len(logs) - 3, 4)]
    return [_gradient(net, lambda four=four: loss(four)) for four in fours]


def _loss(logits: Tensor, log: StudyLog) -> Tensor:
    return curve_loss(logits, log.tensors[1])


def _gradient(net: ResUNet, loss: Callable[[], Tensor]) -> np.ndarray:
    net.zero_grad()
    loss().backward()  # type: ignore[no-untyped-call]
    weights = [p for p in net.parameters() if p.ndim == 4 and p.grad is not None]
    return torch.cat([p.grad.flatten() for p in weights]).double().numpy()  # type: ignore[union-attr]


def noise_to_signal(gradients: Sequence[np.ndarray]) -> float:
    """Variance between gradients through the squared length of their expectation, which is that of
    the mean less the mean's own variance. Infinite where the mean is within its own noise."""
    stacked = np.stack(gradients)
    if len(stacked) < 2:
        raise ValueError("noise needs two gradients")
    variance = stacked.var(0, ddof=1).sum()
    signal = np.square(stacked.mean(0)).sum() - variance / len(stacked)
    return float(variance / signal) if signal > 0 else float("inf")


def _noise(norm: str, where: str, gradients: list[np.ndarray], logs: int = 1) -> Found:
    yield "gradient", norm, where, logs, "noise", noise_to_signal(gradients)
    if logs == 1 and len(gradients) >= 8:
        fours = [np.mean(gradients[i : i + 4], 0) for i in range(0, len(gradients) - 3, 4)]
        yield "gradient", norm, where, 4, "noise", noise_to_signal(fours)


# ---- the file ------------------------------------------------------------------------------------


def measured(path: Path = MEASURED) -> list[dict[str, str]]:
    """The rows in the repository; none before there are any."""
    return list(csv.DictReader(io.StringIO(path.read_text()))) if path.exists() else []


if __name__ == "__main__":
    auto_cli(measure, as_positional=False)

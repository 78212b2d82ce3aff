"""Part E without training: whole logs of 3,200 rows above white paper, and how far the statistics
that a layer of 128 channels is given lie from the running ones. Half an hour of one core a seed.

white    mean F1@3px of v1, of the same weights with each log's own statistics, and of GroupNorm;
         x: the share of white paper
core     v1 in evaluation, all norms of 128 channels: geometric mean of a channel's standard
         deviation through the running one, and root mean square distance of its mean from the
         running one in running standard deviations, each the median over logs; x: that share, or
         the rows

Rows as `measure` leaves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jsonargparse import auto_cli
from torch import Tensor

from studies.batch_size_one.collect import ROWS
from studies.batch_size_one.logs import BLANK_SHARES, TALL, Logs, StudyLog, append_white
from studies.batch_size_one.measure import COLUMNS, FOUND, Found
from studies.batch_size_one.plan import STEPS, Cell
from studies.batch_size_one.recalibrate import RunningNorm, instead, running_norms
from studies.batch_size_one.rows import made_here
from studies.batch_size_one.score import at_checkpoint, own_first, score_set, use_momentum
from wellseg.net.resunet import ResUNet
from wellseg.scan.atomic import write_csv

MEASURED_TALL = ROWS / "measured-tall.csv"
CORE_CHANNELS = 128
SHARES = BLANK_SHARES[:4]
"""Of 0.9 a log has 32,000 rows."""


def measure_tall(
    run: Path = Path("runs/atlas"),
    seeds: tuple[int, ...] = (0,),
    rates: tuple[float, float] = (3e-4, 1e-3),
    logs: int = 64,
    out: Path = MEASURED_TALL,
) -> None:
    """Measure on checkpoints of part E.

    Args:
        run: The run's folder, which has them.
        seeds: Of the cells.
        rates: Of v1 and of GroupNorm.
        logs: As many as the run scored of each set; of those of part E an eighth.
        out: The rows are written there.
    """
    torch.set_num_threads(1)
    given = Logs(run / "logs", scored=logs)
    lines = []
    for seed in seeds:
        nets = []
        for norm, rate in zip(("batch_momenta", "group"), rates, strict=True):
            cell = Cell("E", norm, rate, seed, STEPS["E"], data="tall")
            nets.append(at_checkpoint(cell, run / "checkpoints" / cell.name / "annealed.pt"))
        use_momentum(nets[0], 0.01)
        about = {"logs": max(1, logs // 8), "weights": f"part E, seed {seed}"} | made_here()
        for found in tall(*nets, given):
            lines.append(dict(zip(FOUND, found, strict=True)) | about)
            print(*found, flush=True)
    write_csv(out, COLUMNS, lines)


def tall(v1: ResUNet, group: ResUNet, logs: Logs) -> Found:
    """What the module measures, of the networks of one seed."""
    shortest, *taller = TALL
    whole = logs.set(shortest)
    for share in SHARES:
        some = [append_white(log, share) for log in whole]
        f1, away = with_core(v1, some)
        yield "white", "batch", "running", share, "F1", f1
        yield from (("core", "batch", "white", share, what, it) for what, it in away.items())
        with own_first(v1, len(running_norms(v1))):
            yield "white", "batch", "own", share, "F1", mean_f1(v1, some)
        yield "white", "group", "", share, "F1", mean_f1(group, some)
    for name in taller:
        _, away = with_core(v1, logs.set(name))
        rows = float(TALL[name][0])
        yield from (("core", "batch", "rows", rows, what, it) for what, it in away.items())


def mean_f1(net: ResUNet, logs: Sequence[StudyLog]) -> float:
    return float(np.nanmean(score_set(net, logs, "cpu")["f1"]))


def with_core(net: ResUNet, logs: Sequence[StudyLog]) -> tuple[float, dict[str, float]]:
    """Mean F1, and how far what the norms of the core are given lies from their running
    statistics: the median over logs of the mean over norms."""
    core = [norm for norm in running_norms(net) if len(norm.running_mean) == CORE_CHANNELS]
    seen: list[list[tuple[float, float]]] = []

    def note(norm: RunningNorm, x: Tensor) -> None:
        pixels = x[0].flatten(1).double()
        mean, var = pixels.mean(1), pixels.var(1, correction=0)
        running = norm.running_var.double() + norm.eps
        ratio = ((var + norm.eps) / running).log().mean() / 2
        far = ((mean - norm.running_mean).square() / running).mean().sqrt()
        seen[-1].append((float(ratio), float(far)))

    f1 = []
    with instead(core, note):
        for log in logs:
            seen.append([])
            f1.append(score_set(net, [log], "cpu")["f1"][0])
    ratio, far = np.median(np.mean(seen, 1), 0)
    return float(np.nanmean(f1)), {"sd ratio": float(np.exp(ratio)), "distance": float(far)}


if __name__ == "__main__":
    auto_cli(measure_tall, as_positional=False)

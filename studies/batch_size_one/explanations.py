"""Of part A, what would refute two explanations (PREREGISTRATION.md): lag, and the start."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from studies.batch_size_one import plan
from studies.batch_size_one.findings import CORRECTED, FASTER, GROUP, OWN, V1, best_rates, paired
from studies.batch_size_one.score import THRESHOLDS
from studies.batch_size_one.statistics import Difference
from studies.batch_size_one.table import Scores, Table, Way, numbers

EARLY = 200
"""A step at which the buffers' start should still cost."""


@dataclass(frozen=True)
class Refutation:
    """Differences in F1 at one rate, on logs like the training, with the same weights.

    Lag: by how much less is lost at momentum 0.1 than at 0.01, at the constant end and at the
    annealed one, and at 0.01 after annealing than at a constant rate. Lag needs the first or second
    and the third above zero. The start: what momentum
    0.01 gains without it at step EARLY, and at the end; the start needs the first above zero, and
    the second at it.
    """

    rate: float
    by_momentum: Difference
    annealed: Difference
    by_annealing: Difference
    early: Difference
    late: Difference


def refutations(table: Table) -> list[Refutation]:
    """At each rate that was scored."""

    def scores(way: Way, schedule: str, step: int | None = None) -> Scores:
        return table.scores(way, rate, "like", schedule, step)

    def lost(schedule: str) -> Scores:
        own = scores(OWN, schedule)
        return replace(own, f1=own.f1 - scores(V1, schedule).f1)

    def start(schedule: str, step: int | None = None) -> Difference:
        return paired(scores(CORRECTED, schedule, step), scores(V1, schedule, step))

    found = []
    for rate in plan.RATES:
        if table.of(V1, rate, "like", "constant"):
            by_momentum = paired(scores(FASTER, "constant"), scores(V1, "constant"))
            annealed = paired(scores(FASTER, "annealed"), scores(V1, "annealed"))
            by_annealing = paired(lost("constant"), lost("annealed"))
            early, late = start("constant", EARLY), start("annealed")
            found.append(Refutation(rate, by_momentum, annealed, by_annealing, early, late))
    return found


def best_threshold(table: Table, way: Way, rate: float, name: str) -> tuple[float, float]:
    """The highest mean F1 of a way on a set over the thresholds, and at which: chosen on the very
    logs, so the most that another threshold could give."""
    rows = table.of(way, rate, name).values()
    curve = np.mean([numbers(row["f1_by_threshold"]) for row in rows], axis=0)
    return float(curve.max()), THRESHOLDS[int(curve.argmax())]


def by_steps(table: Table) -> dict[int, tuple[Scores, ...]]:
    """v1, own and GroupNorm on logs like the training after so many steps, before the rate goes
    down, each at its own best rate, and v1 at GroupNorm's: snapshots of the first logs, the end of
    all."""
    rates = best_rates(table)
    ends = {**dict.fromkeys(plan.SNAPSHOTS), plan.STEPS["A"]: None}
    found = {}
    for step in ends:
        at = None if step == plan.STEPS["A"] else step
        found[step] = tuple(
            table.scores(way, rates[rate_of.name], "like", "constant", at)
            for way, rate_of in ((V1, V1), (OWN, OWN), (GROUP, GROUP), (V1, GROUP))
        )
    return found

"""Of part A, what would refute the explanations (PREREGISTRATION.md): lag, the start, and a wrong threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from studies.batch_size_one import plan
from studies.batch_size_one.figures import momentum_way, ways_and_rates
from studies.batch_size_one.findings import CORRECTED, FASTER, OWN, V1, best_rates, paired
from studies.batch_size_one.score import THRESHOLDS
from studies.batch_size_one.statistics import Difference
from studies.batch_size_one.table import Scores, Table, numbers


@dataclass(frozen=True)
class Lag:
    """F1 that running statistics lose against own ones of the same weights, on logs like the training."""

    rate: float
    momentum: str
    schedule: str
    lost: Difference


def lag(table: Table) -> list[Lag]:
    """By momentum and schedule, at the end. If lag costs, more momentum loses less, and annealing too."""
    return [
        Lag(rate, str(momentum), schedule, paired(own, running))
        for rate in plan.RATES
        for schedule in ("constant", "annealed")
        if table.of(OWN, rate, "like", schedule)
        for own in [table.scores(OWN, rate, "like", schedule)]
        for momentum in plan.MOMENTA
        for running in [table.scores(momentum_way(momentum), rate, "like", schedule)]
    ]


@dataclass(frozen=True)
class LagTest:
    """What refutes lag (PREREGISTRATION.md), at one rate: by how much less F1 is lost at momentum 0.1 than at 0.01, at
    the constant end, and at 0.01 after annealing than at a constant rate. Lag needs both above zero."""

    rate: float
    by_momentum: Difference
    by_annealing: Difference


def lag_tests(table: Table) -> list[LagTest]:
    def lost(rate: float, schedule: str) -> Scores:
        own, running = (table.scores(way, rate, "like", schedule) for way in (OWN, V1))
        return replace(own, f1=own.f1 - running.f1)

    tests = []
    for rate in plan.RATES:
        if table.of(V1, rate, "like", "constant"):
            fast, slow = (table.scores(way, rate, "like", "constant") for way in (FASTER, V1))
            by_annealing = paired(lost(rate, "constant"), lost(rate, "annealed"))
            tests.append(LagTest(rate, paired(fast, slow), by_annealing))
    return tests


@dataclass(frozen=True)
class Start:
    """F1 that the correction of the buffers' start gains at momentum 0.01, with the same weights."""

    set: str
    rate: float
    schedule: str
    step: int
    gain: Difference


def start(table: Table, sets: tuple[str, ...] = ("like", "renders")) -> list[Start]:
    """At every moment. If the start costs, below 400 steps and not at the end."""
    moments = [("constant", step) for step in (*plan.SNAPSHOTS, None)] + [("annealed", None)]
    found = []
    for rate in plan.RATES:
        for schedule, step in moments:
            for name in sets:
                if rows := table.of(V1, rate, name, schedule, step):
                    a, b = (table.scores(w, rate, name, schedule, step) for w in (CORRECTED, V1))
                    steps = step or int(next(iter(rows.values()))["steps"])
                    found.append(Start(name, rate, schedule, steps, paired(a, b)))
    return found


@dataclass(frozen=True)
class Sweep:
    """Mean F1 at each of THRESHOLDS. A way whose best threshold brings its score back was miscalibrated."""

    way: str
    title: str
    set: str
    rate: float
    is_best: bool
    thresholds: list[float]
    f1: list[float]
    at_half: float
    best_threshold: float
    best_f1: float


def thresholds(table: Table) -> list[Sweep]:
    rates, found = best_rates(table), []
    for way, title, rate in ways_and_rates(table):
        for name in ("like", "renders", "blank"):
            rows = table.of(way, rate, name).values()
            swept = [numbers(row["f1_by_threshold"]) for row in rows if row["f1_by_threshold"]]
            if swept:
                f1 = np.mean(swept, 0)
                half, top = float(f1[THRESHOLDS.index(0.5)]), int(f1.argmax())
                found.append(Sweep(way.name, title, name, rate, rates[way.name] == rate, list(THRESHOLDS),
                                   f1.tolist(), half, THRESHOLDS[top], float(f1[top])))  # fmt: skip
    return found

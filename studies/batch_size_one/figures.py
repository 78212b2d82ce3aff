"""What page and documents show of part A, as plain data: every number comes from the rows, none is kept.

Each function takes a `Table` and gives dataclasses (``dataclasses.asdict`` makes them JSON). A way has a title in
words; intervals are 95 %, crossed over seeds and logs (wells of real ones). Where a set was not scored, it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from studies.batch_size_one import plan
from studies.batch_size_one.findings import (
    CORRECTED,
    FASTER,
    GROUP,
    OWN,
    V1,
    best_rates,
    blank_shares,
    paired,
    validation,
)
from studies.batch_size_one.logs import BLANK_SHARES, SETS
from studies.batch_size_one.score import SNAPSHOT_LOGS
from studies.batch_size_one.statistics import Difference, Estimate, estimate, ratio
from studies.batch_size_one.table import Table, Way, numbers

TITLES = {
    V1: "BatchNorm v1, running statistics",
    CORRECTED: "BatchNorm v1, running statistics, start taken out",
    FASTER: "BatchNorm 0.1, running statistics",
    OWN: "each image's own statistics (InstanceNorm)",
    GROUP: "GroupNorm, half_or_16",
}
"""In the order in which they are shown."""
SHORT = {
    V1: "v1, running",
    CORRECTED: "v1, running, start taken out",
    FASTER: "0.1, running",
    OWN: "own (InstanceNorm)",
    GROUP: "GroupNorm",
}
SET_TITLES = {
    "validation": "logs that choose the rate",
    "like": "logs like the training",
    "renders": "renders, unlike the training",
    "blank": "logs like the training, white paper below",
    "real_bilevel": "real 1-bit scans",
    "real_colour": "real colour logs",
    "negative": "real regions without a curve",
    "pages": "whole real pages",
}
SHORT_SETS = {"like": "like the training", "renders": "renders", "blank": "white paper below", "real_bilevel": "real 1-bit", "real_colour": "real colour"}  # fmt: skip


@dataclass(frozen=True)
class BestRate:
    """at_edge: the highest or the lowest that was tried. validation: mean F1 at each rate."""

    way: str
    title: str
    rate: float
    at_edge: bool
    validation: dict[float, float]


def best(table: Table) -> list[BestRate]:
    rates, edges = best_rates(table), (min(plan.RATES), max(plan.RATES))
    return [
        BestRate(way.name, title, rates[way.name], rates[way.name] in edges, validation(table, way))
        for way, title in TITLES.items()
        if way.name in rates
    ]


@dataclass(frozen=True)
class MapPoint:
    """Mean F1 of the first 16 logs of a set, over seeds. momentum: "0.01", "cumulative", "own" or "group"; corrected:
    the buffers' start, mean 0 and variance 1, is taken out. step counts from 1; schedule "annealed": the rate went
    down to zero over the last quarter."""

    set: str
    rate: float
    momentum: str
    corrected: bool
    schedule: str
    step: int
    f1: float
    by_seed: list[float]


def momentum_map(table: Table, sets: tuple[str, ...] = ("like", "renders")) -> list[MapPoint]:
    """Rate x momentum x step, everything that was scored on the way."""
    points = []
    for row in table.rows:
        if (
            row["part"] == "A"
            and row["set"] in sets
            and row["way"] != "training"
            and int(row["seed"]) == min(table.seeds, default=-1)
        ):
            way, rate = Way(row["norm"], row["way"]), float(row["rate"])
            step = None if row["step"] == row["steps"] else int(row["step"])
            found = table.of(way, rate, row["set"], row["schedule"], step)
            means = [
                float(np.nanmean(numbers(each["f1"])[:SNAPSHOT_LOGS])) for each in found.values()
            ]
            word, _, corrected = row["way"].partition(" ")
            momentum = {"own": "own", "evaluation": "group"}.get(word) or word.removeprefix("m")
            points.append(
                MapPoint(row["set"], rate, momentum, bool(corrected), row["schedule"], int(row["step"]),
                         float(np.mean(means)), means)
            )  # fmt: skip
    return points


@dataclass(frozen=True)
class RatePoint:
    way: str
    title: str
    set: str
    rate: float
    f1: Estimate


def rate_curves(table: Table) -> list[RatePoint]:
    """F1 of the five ways over the rate, on every set with curves, at the annealed end."""
    return [
        RatePoint(way.name, title, name, rate, estimate(*_f1(table, way, rate, name)))
        for way, title, rate in ways_and_rates(table)
        for name in SETS
        if name != "negative" and table.of(way, rate, name)
    ]


@dataclass(frozen=True)
class TradeOff:
    """Share of the score that is kept: renders through like, real colour through real 1-bit, blank paper (shares of 50
    % and more) through the same logs without it. is_best: at the way's own best rate."""

    way: str
    title: str
    rate: float
    is_best: bool
    like: Estimate
    renders: Estimate
    colour: Estimate | None
    blank: Estimate | None


def trade_off(table: Table) -> list[TradeOff]:
    """Robust to another contrast, or to blank paper: every way at every rate."""
    rates, points = best_rates(table), []
    for way, title, rate in ways_and_rates(table, every=True):
        like, like_logs = _f1(table, way, rate, "like")
        shifted = ratio(*_pair(table, way, rate, "renders", "like"))
        colour = blank = None
        if table.of(way, rate, "real_bilevel") and table.of(way, rate, "real_colour"):
            colour = ratio(*_pair(table, way, rate, "real_colour", "real_bilevel"))
        if table.of(way, rate, "blank"):
            padded = table.scores(way, rate, "blank")
            most = blank_shares(padded) >= 0.5
            if most.any():
                same = [like_logs[i] for i in np.flatnonzero(most)]
                blank = ratio(padded.f1[:, most], like[:, most], same, same)
        is_best = rates[way.name] == rate
        kept = estimate(like, like_logs), shifted, colour, blank
        points.append(TradeOff(way.name, title, rate, is_best, *kept))
    return points


@dataclass(frozen=True)
class Pair:
    """a less b in F1. same_weights: they differ in the statistics alone. At each own best rate, or at one rate for
    both (one_rate)."""

    a: str
    b: str
    titles: tuple[str, str]
    set: str
    rate_a: float
    rate_b: float
    one_rate: bool
    same_weights: bool
    difference: Difference


PAIRS = ((V1, GROUP), (CORRECTED, GROUP), (FASTER, GROUP), (OWN, GROUP), (OWN, V1), (OWN, CORRECTED), (OWN, FASTER))  # fmt: skip


def pairs(table: Table) -> list[Pair]:
    """Paired differences on every set: at each way's best rate, and at equal rates."""
    rates, found = best_rates(table), []
    for a, b in PAIRS:
        if a.name not in rates or b.name not in rates:
            continue
        both = [(rates[a.name], rates[b.name], False)] + [(r, r, True) for r in plan.RATES]
        for name in SETS:
            for rate_a, rate_b, one_rate in both:
                if name not in ("validation", "negative") and table.of(a, rate_a, name):
                    delta = paired(table.scores(a, rate_a, name), table.scores(b, rate_b, name))
                    same = a.norm == b.norm and rate_a == rate_b
                    titles = TITLES[a], TITLES[b]
                    found.append(Pair(a.name, b.name, titles, name, rate_a, rate_b, one_rate, same, delta))  # fmt: skip
    return found


@dataclass(frozen=True)
class FalsePixels:
    """False centreline px a row, where there is no curve at all (negative), and on whole pages."""

    way: str
    title: str
    set: str
    rate: float
    is_best: bool
    px: Estimate


def false_pixels(table: Table) -> list[FalsePixels]:
    rates = best_rates(table)
    return [
        FalsePixels(way.name, title, name, rate, rates[way.name] == rate, estimate(given.false_px, given.wells))
        for way, title, rate in ways_and_rates(table)
        for name in ("negative", "pages")
        if table.of(way, rate, name)
        for given in [table.scores(way, rate, name)]
    ]  # fmt: skip


@dataclass(frozen=True)
class Blank:
    """F1 where that share of the rows is white paper below the log."""

    way: str
    title: str
    rate: float
    is_best: bool
    share: float
    f1: Estimate


def blank_paper(table: Table) -> list[Blank]:
    rates, found = best_rates(table), []
    for way, title, rate in ways_and_rates(table):
        if table.of(way, rate, "blank"):
            given = table.scores(way, rate, "blank")
            for share in BLANK_SHARES:
                there = given.f1[:, blank_shares(given) == share]
                if there.size:
                    point = title, rate, rates[way.name] == rate, share, estimate(there)
                    found.append(Blank(way.name, *point))
    return found


@dataclass(frozen=True)
class Loss:
    """Mean training loss of each fortieth of the steps, over seeds, in the annealed course; diverged: how many."""

    norm: str
    rate: float
    loss: list[float]
    diverged: int
    seeds: int


def losses(table: Table) -> list[Loss]:
    found = []
    for norm in ("batch_momenta", "group"):
        for rate in plan.RATES:
            if rows := table.of(Way(norm, "training"), rate, "training").values():
                loss = np.mean([numbers(row["loss"]) for row in rows], 0).tolist()
                diverged = sum(row["status"] == "diverged" for row in rows)
                found.append(Loss(norm, rate, loss, diverged, len(rows)))
    return found


def momentum_way(momentum: object, corrected: bool = False) -> Way:
    return Way("batch_momenta", f"m{momentum}" + " corrected" * corrected)


def title(way: Way) -> str:
    if way in TITLES:
        return TITLES[way]
    word, _, corrected = way.way.partition(" ")
    said = f"BatchNorm {word.removeprefix('m')}, running statistics"
    return said + ", start taken out" * bool(corrected)


def ways_and_rates(table: Table, every: bool = False) -> Iterator[tuple[Way, str, float]]:
    """The five ways, or every one of part A, at each rate."""
    ways = list(TITLES)
    if every:
        ways += [way for m in plan.MOMENTA for c in (False, True) if (way := momentum_way(m, c)) not in TITLES]  # fmt: skip
    for way in ways:
        for rate in plan.RATES:
            if table.of(way, rate, "like"):
                yield way, title(way), rate


def _f1(table: Table, way: Way, rate: float, name: str) -> tuple[np.ndarray, list[str]]:
    """F1 (seeds, logs) of the logs with a curve, and their wells."""
    given = table.scores(way, rate, name)
    given = given.of_logs(~np.isnan(given.f1).any(0))
    return given.f1, given.wells


def _pair(table: Table, way: Way, rate: float, a: str, b: str) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:  # fmt: skip
    (first, wells), (second, of_second) = _f1(table, way, rate, a), _f1(table, way, rate, b)
    return first, second, wells, of_second

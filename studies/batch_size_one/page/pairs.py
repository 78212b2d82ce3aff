"""A paired difference as the page's data block has it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import numpy as np

from studies.batch_size_one.findings import matched, paired
from studies.batch_size_one.statistics import Array, Difference, Estimate, estimate
from studies.batch_size_one.table import SEEDS, Scores, Table, Way

Numbers = dict[str, Any]


def pair(
    table: Table, a: Way, b: Way, name: str, rate_a: float, rate_b: float, logs: int = 1
) -> Numbers | None:
    """a less b on a set at the annealed end, over the seeds that both have; a and b: the mean F1 of
    each. Without an interval where that is one seed; None where either was not scored."""
    both = (a, rate_a), (b, rate_b)
    if not all(table.of(way, rate, name, logs=logs) for way, rate in both):
        return None
    first, second = matched(*(table.scores(way, rate, name, logs=logs) for way, rate in both))
    if not first.f1.size:
        return None
    means = {"a": round(float(first.f1.mean()), 4), "b": round(float(second.f1.mean()), 4)}
    found = numbers_of(paired(first, second)) | means | {"logs": len(first.names)}
    found |= diverged(table, *both, name=name, logs=logs, seeds=first.seeds)
    return found | dict.fromkeys(("low", "high"), None) if found["seeds"] == 1 else found


def level(
    table: Table,
    way: Way,
    rate: float,
    name: str,
    logs: int = 1,
    seeds: Collection[int] = range(SEEDS),
) -> Numbers | None:
    """Mean F1 of a way, with an interval where there are several seeds."""
    if not table.of(way, rate, name, logs=logs):
        return None
    scores = table.scores(way, rate, name, logs=logs).of_seeds(seeds)
    found = numbers_of(estimate(*with_curves(scores)))
    found |= diverged(table, (way, rate), name=name, logs=logs, seeds=scores.seeds)
    return found | dict.fromkeys(("low", "high"), None) if found["seeds"] == 1 else found


def with_curves(scores: Scores) -> tuple[Array, list[str]]:
    """F1 of the logs that have a curve, and their wells."""
    scores = scores.of_logs(~np.isnan(scores.f1).any(0))
    return scores.f1, scores.wells


def diverged(
    table: Table,
    *asked: tuple[Way, float],
    name: str,
    logs: int = 1,
    seeds: Collection[int] | None = None,
) -> Numbers:
    """The seeds of which a training is not ok, if there are any: they are shown with a dagger."""
    found = {
        seed
        for way, rate in asked
        for seed, row in table.of(way, rate, name, logs=logs).items()
        if row["status"] not in ("ok", "") and (seeds is None or seed in seeds)
    }
    return {"diverged": sorted(found)} if found else {}


def numbers_of(found: Difference | Estimate) -> Numbers:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(found).items()}

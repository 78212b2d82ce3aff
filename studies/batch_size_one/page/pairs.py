"""A paired difference as the page's data block has it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from studies.batch_size_one.findings import matched, paired
from studies.batch_size_one.statistics import Difference, Estimate
from studies.batch_size_one.table import Table, Way

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
    return found | dict.fromkeys(("low", "high"), None) if found["seeds"] == 1 else found


def numbers_of(found: Difference | Estimate) -> Numbers:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(found).items()}

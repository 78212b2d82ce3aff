"""A paired difference as the page's data block has it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from studies.batch_size_one.findings import paired
from studies.batch_size_one.statistics import Difference, Estimate
from studies.batch_size_one.table import Table, Way

Numbers = dict[str, Any]


def pair(
    table: Table, a: Way, b: Way, name: str, rate_a: float, rate_b: float, logs: int = 1
) -> Numbers | None:
    """a less b on a set at the annealed end, over the seeds that both have; a and b: the mean F1 of each. None where
    either was not scored."""
    seeds = set(table.of(a, rate_a, name, logs=logs)) & set(table.of(b, rate_b, name, logs=logs))
    if not seeds:
        return None
    first, second = (
        table.scores(way, rate, name, logs=logs).of_seeds(seeds)
        for way, rate in ((a, rate_a), (b, rate_b))
    )
    scored = ~np.isnan(first.f1).any(0) & ~np.isnan(second.f1).any(0)
    if not scored.any():
        return None
    means = {
        "a": float(first.f1[:, scored].mean()),
        "b": float(second.f1[:, scored].mean()),
        "logs": int(scored.sum()),
    }
    return numbers_of(paired(first, second)) | {k: round(v, 4) for k, v in means.items()}


def numbers_of(found: Difference | Estimate) -> Numbers:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(found).items()}

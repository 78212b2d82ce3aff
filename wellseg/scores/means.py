"""Scores of many logs: their means, and how sure the difference of two is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from wellseg.scores import FALSE, SHARES
from wellseg.scores.masks import Scores

DRAWS = 2000
"""Of the bootstrap."""


def mean_scores(results: Iterable[Scores]) -> dict[str, float]:
    """Means over logs: of `SHARES` over logs with curves, of `FALSE` over those without.

    Scores that no log has are left out.
    """
    values: dict[str, list[float]] = {}
    for scores in results:
        for name in SHARES if scores.has_curves else (FALSE,):
            values.setdefault(name, []).append(getattr(scores, name))
    return {name: math.fsum(numbers) / len(numbers) for name, numbers in values.items()}


def badness(scores: Scores) -> float:
    """What logs are ranked by, 0 best: 1 - F1, or without curves false px per row."""
    return 1 - scores.f1_at_3px if scores.has_curves else getattr(scores, FALSE)


def mean_interval(values: Sequence[float], wells: Sequence[str]) -> tuple[float, float, float]:
    """Mean of the logs' values, and the ends of its 95 % interval if other wells had been drawn.

    A bootstrap over wells, not logs: two logs of one well are no two witnesses. The same every
    time. Of one well the interval is the mean alone.
    """
    names = sorted(set(wells))
    of_well = np.array([names.index(well) for well in wells])
    sums, counts = np.bincount(of_well, values), np.bincount(of_well)
    drawn = np.random.default_rng(0).integers(len(names), size=(DRAWS, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(np.mean(values)), float(low), float(high)

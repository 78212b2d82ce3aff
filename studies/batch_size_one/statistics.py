"""Intervals, the sign-flip test, and which word they allow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST_SEEDS = 6
"""With n seeds the sign-flip test cannot go below 2 / 2**n: five never reach 0.05."""
LEVEL = 0.05
DRAWS = 4000


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval; p of the sign-flip test where it is a difference, else NaN."""

    mean: float
    low: float
    high: float
    p: float
    seeds: int


def bootstrap(scores: Array, draws: int = DRAWS) -> tuple[float, float]:
    """95 % percentile interval of the mean of scores (seeds, logs), seeds and logs drawn anew.

    The logs are the same for every seed, so they are drawn once for all seeds (crossed, not nested).
    """
    rng = np.random.default_rng(0)
    seeds, logs = scores.shape
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws) / seeds
    by_log = rng.multinomial(logs, np.full(logs, 1 / logs), draws) / logs
    means = np.einsum("ds,sl,dl->d", by_seed, scores, by_log)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def sign_flip_p(differences: Array) -> float:
    """Two-sided p of the mean of one difference for each seed, exact over all 2**n signs (n up to 20)."""
    n = len(differences)
    if n > 20:
        raise ValueError(f"exact over 2**n signs: at most 20 seeds, not {n}")
    signs = np.array(list(product((1.0, -1.0), repeat=n)))
    means = np.abs(signs @ differences)
    return float(np.mean(means >= abs(differences.sum()) - 1e-12))


def estimate(scores: Array) -> Estimate:
    """Of scores (seeds, logs)."""
    low, high = bootstrap(scores)
    return Estimate(float(scores.mean()), low, high, float("nan"), len(scores))


def difference(a: Array, b: Array) -> Estimate:
    """a less b, (seeds, logs) each, paired by seed and by log."""
    delta = a - b
    low, high = bootstrap(delta)
    return Estimate(float(delta.mean()), low, high, sign_flip_p(delta.mean(axis=1)), len(delta))


def verdict(found: Estimate) -> str:
    """better, worse, no difference shown, or too few seeds to say: of the first of a difference's two."""
    if found.seeds < LEAST_SEEDS:
        return "too few seeds to say"
    if found.p > LEVEL or found.low <= 0 <= found.high:
        return "no difference shown"
    return "better" if found.mean > 0 else "worse"

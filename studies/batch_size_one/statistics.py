"""Intervals, the exact sign-flip test, Holm's correction, and which word they allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MARGIN = 0.03
"""Differences within are equivalent (PREREGISTRATION.md)."""
LEVEL = 0.05
DRAWS = 10_000


@dataclass(frozen=True)
class Difference:
    """A mean paired difference, its 95 % interval, its 90 % interval, and p of the sign-flip test over seeds."""

    mean: float
    low: float
    high: float
    low_90: float
    high_90: float
    p: float
    seeds: int


def difference(a: Array, b: Array, clusters: Sequence[str] | None = None) -> Difference:
    """a less b, (seeds, logs) each, paired by seed and by log. clusters: the well of each log, where logs of a well
    are drawn together."""
    delta = a - b
    quantiles = bootstrap(delta, clusters)
    return Difference(float(delta.mean()), *quantiles, sign_flip_p(delta.mean(axis=1)), len(delta))


def bootstrap(
    scores: Array, clusters: Sequence[str] | None = None, draws: int = DRAWS
) -> list[float]:
    """Ends of the 95 % and the 90 % percentile interval of the mean of scores (seeds, logs), seeds and logs drawn anew.

    The logs are the same for every seed, so they are drawn once for all seeds (crossed, not nested).
    """
    rng = np.random.default_rng(0)
    seeds, logs = scores.shape
    names = list(clusters) if clusters is not None else [str(i) for i in range(logs)]
    number = np.unique(names, return_inverse=True)[1]
    of_cluster = np.zeros((number.max() + 1, logs))
    of_cluster[number, np.arange(logs)] = 1
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws)
    by_log = (
        rng.multinomial(len(of_cluster), np.full(len(of_cluster), 1 / len(of_cluster)), draws)
        @ of_cluster
    )
    means = np.einsum("ds,sl,dl->d", by_seed, scores, by_log, optimize=True) / (
        seeds * by_log.sum(1)
    )
    return [float(q) for q in np.quantile(means, (0.025, 0.975, 0.05, 0.95))]


def sign_flip_p(differences: Array) -> float:
    """Two-sided p of the mean of one difference for each seed, exact over all 2**n signs (n up to 20)."""
    n = len(differences)
    if n > 20:
        raise ValueError(f"exact over 2**n signs: at most 20 seeds, not {n}")
    signs = np.array(list(product((1.0, -1.0), repeat=n)))
    means = np.abs(signs @ differences)
    return float(np.mean(means >= abs(differences.sum()) - 1e-12))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's corrected p values, in the order given (Holm 1979)."""
    order = np.argsort(p)
    corrected, highest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = highest
    return corrected


def words(found: Difference, corrected_p: float) -> str:
    """better, worse, equivalent, both, or undecided: nothing else is said of a comparison in the family."""
    said = []
    if corrected_p <= LEVEL and not found.low <= 0 <= found.high:
        said.append("better" if found.mean > 0 else "worse")
    if -MARGIN < found.low_90 and found.high_90 < MARGIN:
        said.append("equivalent")
    return ", ".join(said) or "undecided"

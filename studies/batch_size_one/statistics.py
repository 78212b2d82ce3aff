"""Intervals, the exact sign-flip test, Holm's correction, and which word they allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
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
    """A mean paired difference, its 95 % interval, its 90 % interval, and p of the sign-flip test
    over seeds."""

    mean: float
    low: float
    high: float
    low_90: float
    high_90: float
    p: float
    seeds: int


def difference(a: Array, b: Array, clusters: Sequence[str] | None = None) -> Difference:
    """a less b, (seeds, logs) each, paired by seed and by log. clusters: the well of each log,
    where logs of a well are drawn together."""
    delta = a - b
    quantiles = bootstrap(delta, clusters)
    return Difference(float(delta.mean()), *quantiles, sign_flip_p(delta.mean(axis=1)), len(delta))


def bootstrap(
    scores: Array, clusters: Sequence[str] | None = None, draws: int = DRAWS
) -> list[float]:
    """Ends of the 95 % and the 90 % percentile interval of the mean of scores (seeds, logs).

    Seeds and logs are drawn anew. The logs are the same for every seed, so they are drawn once for
    all seeds (crossed, not nested).
    """
    by_seed, by_log = _weights(len(scores), tuple(clusters or _alone(scores)), draws)
    return _ends(_means(scores, by_seed, by_log))


@dataclass(frozen=True)
class Estimate:
    """A mean, or a ratio of two, and its 95 % interval."""

    mean: float
    low: float
    high: float
    seeds: int
    logs: int


def estimate(scores: Array, clusters: Sequence[str] | None = None) -> Estimate:
    """The mean of scores (seeds, logs)."""
    low, high, *_ = bootstrap(scores, clusters)
    return Estimate(float(scores.mean()), low, high, *scores.shape)


def ratio(
    a: Array, b: Array, clusters: Sequence[str] | None = None, of_b: Sequence[str] | None = None
) -> Estimate:
    """Mean of a through mean of b, (seeds, logs) each, the seeds the same. Logs are drawn together
    where the clusters' names are the same, else by themselves."""
    names_a, names_b = tuple(clusters or _alone(a)), tuple(of_b or _alone(b))
    by_seed, by_log = _weights(len(a), names_a, DRAWS)
    of_logs = by_log if names_a == names_b else _weights(len(b), names_b, DRAWS, stream=1)[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        quotients = _means(a, by_seed, by_log) / _means(b, by_seed, of_logs)
        low, high, *_ = _ends(quotients[np.isfinite(quotients)])
        return Estimate(float(a.mean() / b.mean()), low, high, *a.shape)


def _alone(scores: Array) -> list[str]:
    return [str(i) for i in range(scores.shape[1])]


@lru_cache(maxsize=64)
def _weights(
    seeds: int, clusters: tuple[str, ...], draws: int, stream: int = 0
) -> tuple[Array, Array]:
    """How often each draw takes each seed and each log."""
    rng = np.random.default_rng(stream)
    number = np.unique(clusters, return_inverse=True)[1]
    wells = int(number.max()) + 1
    of_cluster = np.zeros((wells, len(clusters)))
    of_cluster[number, np.arange(len(clusters))] = 1
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws)
    by_log = rng.multinomial(wells, np.full(wells, 1 / wells), draws) @ of_cluster
    return by_seed.astype(float), by_log


def _means(scores: Array, by_seed: Array, by_log: Array) -> Array:
    totals = ((by_seed @ scores) * by_log).sum(1)
    means: Array = totals / (len(scores) * by_log.sum(1))
    return means


def _ends(means: Array) -> list[float]:
    return (
        [float(q) for q in np.quantile(means, (0.025, 0.975, 0.05, 0.95))]
        if len(means)
        else [np.nan] * 4
    )


def sign_flip_p(differences: Array) -> float:
    """Two-sided p of the mean of one difference for each seed, exact over all 2**n signs."""
    n = len(differences)
    if n > 20:
        raise ValueError(f"exact over 2**n signs: at most 20 seeds, not {n}")
    means = np.abs(_signs(n) @ differences)
    return float(np.mean(means >= abs(differences.sum()) - 1e-12))


@lru_cache
def _signs(n: int) -> Array:
    return np.array(list(product((1.0, -1.0), repeat=n)))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's corrected p values, in the order given (Holm 1979)."""
    order = np.argsort(p)
    corrected, highest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = highest
    return corrected


def words(found: Difference, corrected_p: float) -> str:
    """better, worse, equivalent, both, or undecided: no other word is used in the family."""
    said = []
    if corrected_p <= LEVEL and not found.low <= 0 <= found.high:
        said.append("better" if found.mean > 0 else "worse")
    if -MARGIN < found.low_90 and found.high_90 < MARGIN:
        said.append("equivalent")
    return ", ".join(said) or "undecided"

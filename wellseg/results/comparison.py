"""What a comparison of norms found: a rate for each way to get a mask, differences, a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wellseg.results.page import TEMPLATES
from wellseg.scan.atomic import atomic_file

Row = dict[str, Any]
COLUMNS = ["norm", "rate", "seed", "set", "mode", "log", "f1", "dice", "false_px_per_row"]
"""Of results.csv, which has a row for each log scored. f1 and dice are those of logs with a curve,
false_px_per_row (false centreline pixels) of those without; the other is empty."""

TITLES = {
    "batch": "BatchNorm v1",
    "group": "GroupNorm",
    "instance": "InstanceNorm",
    "layer": "LayerNorm",
}


class Way(NamedTuple):
    """One way to get a mask: a norm, in mode "evaluation" or with each log's "own" statistics."""

    norm: str
    mode: str

    @property
    def title(self) -> str:
        own = "" if self.mode == "evaluation" else ", own statistics"
        return TITLES.get(self.norm, self.norm) + own


@dataclass(frozen=True)
class Difference:
    """F1@3px of one way less that of another, paired by seed and log.

    low, high: 95 % interval of Student's t over seeds. p: two-sided, exact over all signs of the
    seeds' differences. Both are None for a single seed. better: logs on which the first is better.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    seeds: int
    better: int
    logs: int


class Comparison:
    """Rows, asked for scores."""

    def __init__(self, rows: Sequence[Row], norms: Sequence[str]) -> None:
        self.rows = rows
        there = {Way(row["norm"], row["mode"]) for row in rows}
        self.ways = [way for norm in norms for way in sorted(there) if way.norm == norm]
        self.sets = sorted({row["set"] for row in rows} - {"validation"})
        self.rates = {way: self._choose_rate(way) for way in self.ways}

    def validation(self, way: Way) -> dict[float, float]:
        """Mean F1@3px of the validation logs at each rate.

        Of rates with the most seeds alone: at the others a run diverged or is not done yet.
        """
        tried = {row["rate"] for row in self.rows if row["norm"] == way.norm}
        scores = {rate: self.scores(way, "validation", rate) for rate in sorted(tried)}
        most = max(len(each) for each in scores.values())
        return {rate: float(each.mean()) for rate, each in scores.items() if len(each) == most}

    def _choose_rate(self, way: Way) -> float:
        scores = self.validation(way)
        return max(scores, key=lambda rate: (scores[rate], -rate))

    def scores(
        self, way: Way, test_set: str, rate: float | None = None, score: str = "f1"
    ) -> NDArray[np.float64]:
        """(seeds, logs), both sorted; by default at the rate chosen for that way."""
        rate = self.rates[way] if rate is None else rate
        by_seed: dict[int, dict[str, float]] = {}
        for row in self.rows:
            found = row["norm"], row["mode"], row["set"], row["rate"]
            if found == (*way, test_set, rate) and score in row:
                by_seed.setdefault(row["seed"], {})[row["log"]] = row[score]
        return np.array(
            [[each[log] for log in sorted(each)] for _, each in sorted(by_seed.items())]
        )

    def difference(
        self, first: Way, second: Way, test_set: str, rate: float | None = None
    ) -> Difference:
        """At each way's own rate, or both at the one given; over the seeds that both have."""
        a, b = (self.scores(way, test_set, rate) for way in (first, second))
        seeds = min(len(a), len(b))  # seeds are done in order
        return paired(a[:seeds] - b[:seeds])


def paired(delta: NDArray[np.float64]) -> Difference:
    """Of differences (seeds, logs)."""
    from scipy import stats

    by_seed = delta.mean(axis=1)
    low = high = p = None
    if (n := len(by_seed)) > 1:
        half = stats.t.ppf(0.975, n - 1) * by_seed.std(ddof=1) / n**0.5
        low, high = float(by_seed.mean() - half), float(by_seed.mean() + half)
        flips: dict[str, Any] = {"permutation_type": "samples", "n_resamples": np.inf}
        p = float(stats.permutation_test((by_seed,), np.mean, vectorized=True, **flips).pvalue)
    better = int((delta.mean(axis=0) > 0).sum())
    return Difference(float(delta.mean()), low, high, p, len(delta), better, delta.shape[1])


def write_report(
    path: Path, rows: Sequence[Row], norms: Sequence[str], notes: dict[str, Any]
) -> Path:
    """Draw the page: what was chosen, scores, differences from the last norm in evaluation mode.

    notes: about (what was trained: names and values), steps; runs that are waiting, diverged.
    """
    found = Comparison(rows, norms)
    last = Way(norms[-1], "evaluation")
    blocks = []
    for test_set in found.sets:
        pairs = [
            (f"{way.title} − {last.title}", found.difference(way, last, test_set))
            for way in found.ways
            if way != last and last in found.ways and found.scores(way, test_set).size
        ]
        for way in found.ways:
            if way.mode == "own" and found.scores(way, test_set).size:
                kept = Way(way.norm, "evaluation")
                same = found.difference(way, kept, test_set, found.rates[kept])
                pairs.append((f"{kept.title}, same weights: own − running statistics", same))
        blocks.append((test_set, pairs))
    ends = [abs(x) for _, pairs in blocks for _, d in pairs for x in (d.mean, d.low, d.high) if x]
    html = TEMPLATES.get_template("comparison.html").render(
        found=found,
        blocks=blocks,
        limit=min(1.0, max(ends, default=0.1) * 1.05),
        kept=0.99 ** notes["steps"],
        seeds=len({row["seed"] for row in rows}),
        titles=TITLES,
        norms=norms,
        **notes,
    )
    with atomic_file(path) as file:
        file.write(html.encode())
    return path

"""What two earlier studies measured, as far as both sides are the same weights or the same rate.

earlier.csv.xz has their scores at the annealed end (240 steps, commit 0dd2a40; 400 steps, commit
6497c75), other corpora and eight test logs a set. They chose rates after 100 steps in evaluation
mode, when a buffer of momentum 0.01 is still a third its initial value: every difference between
norms at unlike rates is one of rates as well, and is left out here.
"""

from __future__ import annotations

import csv
import io
import lzma
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from studies.batch_size_one.statistics import sign_flip_p

SETS = ("like", "real_bilevel", "renders", "real_colour", "blank")
RUNNING, OWN = ("batch", "evaluation"), ("batch", "training")
"""v1 with running statistics, and the same weights with each image's own."""


@cache
def _rows() -> tuple[dict[str, str], ...]:
    data = lzma.decompress((Path(__file__).parent / "earlier.csv.xz").read_bytes()).decode()
    return tuple(csv.DictReader(io.StringIO(data, newline="")))


def by_seed(arm: str, mode: str, name: str, steps: int) -> dict[int, tuple[str, float]]:
    """Rate and mean F1 of each seed."""
    wanted = (str(steps), arm, mode, name)
    return {
        int(row["seed"]): (row["rate"], float(np.mean([float(x) for x in row["f1"].split(";")])))
        for row in _rows()
        if (row["study_steps"], row["arm"], row["mode"], row["set"]) == wanted
    }


@dataclass(frozen=True)
class Pooled:
    """Mean of the seeds' paired differences in F1, and p of the sign-flip test, not corrected for
    other comparisons."""

    mean: float
    p: float
    seeds: int


def pooled(
    a: tuple[str, str], b: tuple[str, str], name: str, studies: tuple[int, ...] = (240, 400)
) -> Pooled:
    """a less b, each an arm and a mode. Raises ValueError for unlike rates."""
    differences = []
    for steps in studies:
        first, second = by_seed(*a, name, steps), by_seed(*b, name, steps)
        for seed in sorted(first.keys() & second.keys()):
            (rate, score), (other_rate, other) = first[seed], second[seed]
            if float(rate) != float(other_rate):
                raise ValueError(f"{a} at {rate}, {b} at {other_rate}: no comparison of norms")
            differences.append(score - other)
    return Pooled(float(np.mean(differences)), sign_flip_p(np.array(differences)), len(differences))


def kept(arm: str, mode: str, shifted: str, known: str, steps: int = 400) -> float:
    """Mean score on one set through that on another."""

    def mean(name: str) -> float:
        return float(np.mean([score for _, score in by_seed(arm, mode, name, steps).values()]))

    return mean(shifted) / mean(known)

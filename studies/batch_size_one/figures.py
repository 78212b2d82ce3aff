"""What page and documents show of a way to get a mask: its names, its scores, and what it keeps.

Every number comes from the rows, none is kept. All is of the annealed end; None where a set was not
scored. Intervals are 95 %, crossed over seeds and logs (wells of real ones).
"""

from __future__ import annotations

import numpy as np

from studies.batch_size_one.findings import (
    ADABN,
    CORRECTED,
    FASTER,
    GROUP,
    OWN,
    V1,
    blank_shares,
)
from studies.batch_size_one.statistics import Difference, Estimate, difference, estimate, ratio
from studies.batch_size_one.table import Scores, Table, Way

TITLES = {
    V1: "BatchNorm 0.01 (v1), running statistics",
    CORRECTED: "BatchNorm 0.01 (v1), running statistics, start taken out",
    FASTER: "BatchNorm 0.1, running statistics",
    OWN: "each image's own statistics (InstanceNorm)",
    GROUP: "GroupNorm, half_or_16",
}
"""In the order in which they are shown."""
SHORT = {
    V1: "BatchNorm 0.01, running",
    CORRECTED: "BatchNorm 0.01, running, start taken out",
    FASTER: "BatchNorm 0.1, running",
    OWN: "own (InstanceNorm)",
    GROUP: "GroupNorm",
    ADABN: "AdaBN, 16 renders",
}
SHORT_SETS = {
    "like": "like the training",
    "renders": "renders",
    "blank": "white paper below",
    "real_bilevel": "real 1-bit",
    "real_colour": "real colour",
    "pages": "whole real pages",
    "blank_cost": "what white paper costs",
}

LONGER = ("like", "real_bilevel", "renders", "real_colour")
"""The sets of parts G and H that are shown."""


def f1(table: Table, way: Way, rate: float, name: str) -> Estimate | None:
    """Mean F1 of the logs with a curve."""
    scores = _with_curves(table, way, rate, name)
    return estimate(scores.f1, scores.wells) if scores else None


def false_px(table: Table, way: Way, rate: float) -> Estimate | None:
    """False centreline px a row, where there is no curve at all."""
    if not table.of(way, rate, "negative"):
        return None
    scores = table.scores(way, rate, "negative")
    return estimate(scores.false_px, scores.wells)


def kept(table: Table, way: Way, rate: float, shifted: str, known: str) -> Estimate | None:
    """F1 on one set through F1 on another: the share that is kept under another contrast."""
    a, b = (_with_curves(table, way, rate, name) for name in (shifted, known))
    return ratio(a.f1, b.f1, a.wells, b.wells) if a and b else None


def kept_blank(table: Table, way: Way, rate: float) -> Estimate | None:
    """F1 on half and more of white paper through F1 on the same logs without it."""
    both = _most_blank(table, way, rate)
    return both and ratio(both[0].f1, both[1].f1, both[1].wells, both[1].wells)


def cost_of_blank(table: Table, way: Way, rate: float) -> Difference | None:
    """F1 on half and more of white paper less F1 on the same logs without it."""
    both = _most_blank(table, way, rate)
    return both and difference(both[0].f1, both[1].f1)


def _most_blank(table: Table, way: Way, rate: float) -> tuple[Scores, Scores] | None:
    """The logs of which half or more is white paper, and the same without it."""
    padded, like = (_with_curves(table, way, rate, name) for name in ("blank", "like"))
    if not padded or not like or not (most := blank_shares(padded) >= 0.5).any():
        return None
    return padded.of_logs(most), like.of_logs(most)


def _with_curves(table: Table, way: Way, rate: float, name: str) -> Scores | None:
    if not table.of(way, rate, name):
        return None
    scores = table.scores(way, rate, name)
    return scores.of_logs(~np.isnan(scores.f1).any(0))

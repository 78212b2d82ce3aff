"""Pieces of one printed curve, joined where it is out of sight for long.

Lettering lies over a curve, and of several at rest a colour scan shows the uppermost alone. Nobody
bridges such a gap: its rows stay without values. But what goes on below in the same ink, near by,
is the same curve, unless another fits better. Each such place is marked uncertain.

A curve that leaves its track at one border and comes back at the other, off its scale, is one curve
too. The two borders are known by such pairs of ends: they lie above each other all along the scan.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from wellseg.curves.linking import Floats, both, unlike
from wellseg.curves.points import Curve
from wellseg.curves.strands import Indices, pairs_between

LONGEST, BRIDGED, BESIDE = 30.0, 3.0, 1.5
"""In tenths of an inch: the longest gap, or stretch off the scale; the longest gap that is bridged;
how long two pieces may lie side by side, as the tips of dashes do."""
DOWN, ASIDE = 0.25, 0.6
"""Costs of a tenth of an inch between two pieces, along the depth and across; those of what they
look like are linking.py's."""
ASTRAY, WIDE, LEAST_WRAPS = 0.4, 5.0, 3
"""A curve wraps where at least so many pairs of ends have the same two columns, give or take ASTRAY
tenths of an inch, at least WIDE apart and in rows as near."""
MOST = 9.0
"""Pieces that would cost more are two curves. All these were chosen by eye on five scans."""


def join(curves: list[Curve], columns: NDArray[np.float32], tenth_rows: float) -> list[Curve]:
    """The curves that remain, each with the pieces that go on in it; by first row, then column.

    columns: (curves, 2), in the first and in the last row of each. tenth_rows: of a tenth of an
    inch.
    """
    order = sorted(range(len(curves)), key=lambda i: (curves[i].first_row, columns[i, 0]))
    curves, columns = [curves[i] for i in order], columns[order]
    first, rows = np.array([(one.first_row, one.rows) for one in curves], int).reshape(-1, 2).T
    last, look = first + rows - 1, np.array([one.look for one in curves]).reshape(-1, 6)
    a, b = pairs_between(first, first, last - BESIDE * tenth_rows, last + LONGEST * tenth_rows)
    later = (first[b] > first[a]) & (last[b] > last[a])
    a, b = a[later], b[later]
    gap, aside = np.maximum(first[b] - last[a], 0), np.abs(columns[b, 0] - columns[a, 1])
    wraps = _wraps(columns[a, 1], columns[b, 0], first[b] - last[a], tenth_rows)
    cost = (DOWN * gap + ASIDE * aside * ~wraps) / tenth_rows
    near = cost < MOST
    a, b, gap, aside, wraps = a[near], b[near], gap[near], aside[near], wraps[near]
    cost = cost[near] + unlike(look[a], look[b])
    below: dict[int, int] = {}
    moved: dict[int, float] = {}
    taken = set()
    for pair in np.argsort(cost, kind="stable")[: np.count_nonzero(cost < MOST)].tolist():
        upper, lower = int(a[pair]), int(b[pair])
        if upper not in below and lower not in taken:
            below[upper] = lower
            taken.add(lower)
            curves[upper].uncertain.append(int(last[upper]))
            if wraps[pair]:
                moved[upper] = float(columns[upper, 1] - columns[lower, 0])
            far = gap[pair] > BRIDGED * tenth_rows or aside[pair] > gap[pair] + tenth_rows
            if far and gap[pair] > 1:
                curves[upper].hidden.append((int(last[upper]) + 1, int(first[lower])))
    off: set[int] = set()
    for upper in sorted(moved, key=lambda i: int(rows[below[i]])):  # a scale is left for short
        lower, back = below[upper], moved[upper]
        returns = back * moved.get(lower, 0) < 0 and rows[lower] <= LONGEST * tenth_rows
        if returns and not off & {upper, below[lower]}:
            off.add(lower)
            curves[lower].off_scale.append((int(first[lower]), int(last[lower]) + 1, back))
    for upper in sorted(below, reverse=True):
        curve, piece = curves[upper], curves[below[upper]]
        curve.rows = piece.first_row + piece.rows - curve.first_row
        curve.look = both(curve.look, piece.look)
        curve.hidden += piece.hidden
        curve.off_scale += piece.off_scale
        curve.uncertain += piece.uncertain
        curve.chunks += piece.chunks
    return [curve for i, curve in enumerate(curves) if i not in taken]


def _wraps(out: Floats, back: Floats, rows: Indices, tenth_rows: float) -> NDArray[np.bool_]:
    """Which pairs of ends, so many rows apart, in these columns, are at a track's two borders."""
    astray = ASTRAY * tenth_rows
    sides = np.sort([out, back], 0).T
    wraps = (np.abs(rows) <= astray) & (np.ptp(sides, 1) > WIDE * tenth_rows)
    if wraps.any():
        places = KDTree(sides[wraps])
        alike = places.query_ball_point(sides[wraps], astray, np.inf, return_length=True)
        wraps[wraps] = alike >= LEAST_WRAPS
    return wraps

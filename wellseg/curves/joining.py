"""Pieces of one printed curve, joined where it is out of sight for long.

Lettering lies over a curve, and of several at rest a colour scan shows the uppermost alone. Nobody
bridges such a gap: its rows stay without values. But what goes on below in the same ink, near by,
is the same curve, unless another fits better. Each such place is marked uncertain.
"""

import numpy as np
from numpy.typing import NDArray

from wellseg.curves.linking import both, unlike
from wellseg.curves.points import Curve
from wellseg.curves.strands import pairs_between

LONGEST, BRIDGED, BESIDE = 30.0, 3.0, 1.5
"""In tenths of an inch: the longest gap, or stretch off the scale; the longest gap that is bridged;
how long two pieces may lie side by side, as the tips of dashes do."""
DOWN, ASIDE = 0.25, 0.6
"""Costs of a tenth of an inch between two pieces, along the depth and across; those of what they
look like are linking.py's."""
MOST = 9.0
"""Pieces that would cost more are two curves. All these were chosen by eye on five scans."""


def join(curves: list[Curve], columns: NDArray[np.float32], tenth_rows: float) -> list[Curve]:
    """The curves that remain, each with the pieces that go on in it; by first row, then column.
    columns: (curves, 2), in their first and last rows. tenth_rows: of a tenth of an inch."""
    order = sorted(range(len(curves)), key=lambda i: (curves[i].first_row, columns[i, 0]))
    curves, columns = [curves[i] for i in order], columns[order]
    first, rows = np.array([(one.first_row, one.rows) for one in curves], int).reshape(-1, 2).T
    last, look = first + rows - 1, np.array([one.look for one in curves]).reshape(-1, 6)
    a, b = pairs_between(first, first, last - BESIDE * tenth_rows, last + LONGEST * tenth_rows)
    later = (first[b] > first[a]) & (last[b] > last[a])
    a, b = a[later], b[later]
    gap, aside = np.maximum(first[b] - last[a], 0), np.abs(columns[b, 0] - columns[a, 1])
    cost = (DOWN * gap + ASIDE * aside) / tenth_rows
    near = cost < MOST
    a, b, gap, aside = a[near], b[near], gap[near], aside[near]
    cost = cost[near] + unlike(look[a], look[b])
    below: dict[int, int] = {}
    taken = set()
    for pair in np.argsort(cost, kind="stable")[: np.count_nonzero(cost < MOST)].tolist():
        upper, lower = int(a[pair]), int(b[pair])
        if upper not in below and lower not in taken:
            below[upper] = lower
            taken.add(lower)
            curves[upper].uncertain.append(int(last[upper]))
            far = gap[pair] > BRIDGED * tenth_rows or aside[pair] > gap[pair] + tenth_rows
            if far and gap[pair] > 1:
                curves[upper].hidden.append((int(last[upper]) + 1, int(first[lower])))
    for upper in sorted(below, reverse=True):
        curve, piece = curves[upper], curves[below[upper]]
        curve.rows = piece.first_row + piece.rows - curve.first_row
        curve.look = both(curve.look, piece.look)
        curve.hidden += piece.hidden
        curve.wraps += piece.wraps
        curve.uncertain += piece.uncertain
        curve.chunks += piece.chunks
    return [curve for i, curve in enumerate(curves) if i not in taken]

"""Which strand goes on in which: the cheapest set of curves that explains all strands of a window.

A flow of curves through strands, as lanes and cables are followed: every strand wants to lie on a
curve, a curve costs something to begin and to end, to leap over a gap, to turn, to change its
width or colour, and to lie on a strand together with another. All costs are in rows of a strand
that would otherwise be left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array

from wellseg.curves.looks import Look

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LEAP = 0.3
"""For each pixel of a gap without ink; of one with ink a fifth of it."""
SHORT = 20.0
"""Gaps of so many pixels cost half of that, shorter ones less: dots and dashes."""
TURN = 6.0
"""For a turn by 90 degrees."""
SHARE = 0.15
"""For each row of a strand on which a second curve lies."""
UP_ROWS = 24
"""A stroke may run back up so far."""


@dataclass
class Ends:
    """Ends of strands, in arrays of one entry each: upper ends or lower ends."""

    x: Floats
    y: Floats
    dx: Floats
    """Direction of travel, downwards along the curve; a unit vector."""
    dy: Floats
    firm: Floats
    """How sure the direction is, 0 to 1."""
    knot: Indices
    """Number of the knot of strokes in which it lies; ends in one are connected by ink."""
    layer: Indices
    look: Look


def candidates(lower: Ends, upper: Ends, gap_rows: int, reach: float) -> tuple[Indices, Indices]:
    """Pairs (lower end of a strand, upper end of one that could continue it). ``upper`` is sorted
    by y."""
    first = np.searchsorted(upper.y, lower.y - UP_ROWS, "left")
    after = np.searchsorted(upper.y, lower.y + gap_rows, "right")
    count = after - first
    a = np.repeat(np.arange(len(lower.y)), count)
    s = np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count) + first[a]
    near = np.abs(upper.x[s] - lower.x[a]) <= reach
    joined = upper.knot[s] == lower.knot[a]
    below = upper.y[s] > lower.y[a] - 3
    good = joined | (near & below & (upper.layer[s] == lower.layer[a]))
    return a[good], s[good]


def costs(lower: Ends, upper: Ends, a: Indices, s: Indices, ink: Floats) -> Floats:
    """Of each pair; ink: mean probability along the straight line between."""
    gx, gy = upper.x[s] - lower.x[a], upper.y[s] - lower.y[a]
    far = np.hypot(gx, gy)
    joined = upper.knot[s] == lower.knot[a]
    leave = _angle(lower.dx[a], lower.dy[a], gx, gy)
    arrive = _angle(gx, gy, upper.dx[s], upper.dy[s])
    change = _angle(lower.dx[a], lower.dy[a], upper.dx[s], upper.dy[s])
    weight = far / (far + 5)
    firm_a, firm_s = lower.firm[a], upper.firm[s]
    turn = weight * (leave * firm_a + arrive * firm_s) / 2
    turn += (1 - weight) * change * np.minimum(firm_a, firm_s)
    leap = np.where(
        joined, np.minimum(0.05 * far, 12), LEAP * far * far / (far + SHORT) * (1 - 0.8 * ink)
    )
    cost: Floats = leap + TURN * turn + lower.look[a].unlike(upper.look[s])
    return cost


def _angle(ax: Floats, ay: Floats, bx: Floats, by: Floats) -> Floats:
    """Between two directions, in right angles."""
    size = np.hypot(ax, ay) * np.hypot(bx, by)
    cosine = np.divide(ax * bx + ay * by, size, out=np.ones_like(size), where=size > 0)
    angle: Floats = np.arccos(np.clip(cosine, -1, 1)) / (np.pi / 2)
    return angle


def solve(
    worth: Floats,
    rows: Floats,
    given: Floats,
    pairs: tuple[Indices, Indices],
    cost: Floats,
    begin: Floats,
    finish: Floats,
) -> tuple[Indices, Indices]:
    """How many curves go from strand to strand, for each pair; and how many begin at each strand.

    For each strand: worth, what it costs to leave it out; rows; given, how many curves are known to
    come out of it (-1: not known yet); begin, finish: cost of a curve's beginning above it, and of
    its end below.
    """
    count, links = len(worth), len(cost)
    free = given < 0
    # Variables: links, then births, deaths, strands left out, and further curves, of each strand.
    price = np.concatenate([
        cost,
        begin,
        finish,
        worth,
        SHARE * rows + 1e-3,
    ])  # fmt: skip
    upper = np.full(len(price), np.inf)
    upper[links : links + count][~free] = 0
    upper[links + 2 * count : links + 3 * count] = 1
    every, link = np.arange(count), np.arange(links)
    a, s = pairs
    birth, death, out, more = (links + part * count + every for part in range(4))
    # What comes in goes out; a strand carries one curve, or none at a cost, or more.
    flow = [
        (s, link, 1.0), (a, link, -1.0), (every[free], birth[free], 1.0), (every, death, -1.0),
        (count + s, link, 1.0), (count + every[free], birth[free], 1.0),
        (count + every, out, 1.0), (count + every, more, -1.0),
    ]  # fmt: skip
    row = np.concatenate([part[0] for part in flow])
    column = np.concatenate([part[1] for part in flow])
    value = np.concatenate([np.full(len(part[0]), part[2]) for part in flow])
    wanted = np.concatenate([np.where(free, 0, -given), np.where(free, 1, 0)])
    upper[out[~free]] = upper[more[~free]] = 0
    matrix = coo_array((value, (row, column)), shape=(2 * count, len(price))).tocsr()
    answer = linprog(
        price, A_eq=matrix, b_eq=wanted, bounds=np.stack([np.zeros(len(price)), upper], 1),
        method="highs-ds",
    )  # fmt: skip
    if answer.x is None:
        raise RuntimeError(f"no assignment of strands: {answer.message}")
    curves: Indices = np.rint(answer.x[: links + count]).astype(np.int64)
    return curves[:links], curves[links:]

"""Strands to curves, a window of rows at a time.

A strand is decided when a window of LOOK_ROWS below its beginning is known. What is kept are the
strands and curves that can still go on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from wellseg.curves.line import Line
from wellseg.curves.linking import UP_ROWS, Ends, candidates, costs, solve
from wellseg.curves.strands import (
    BLUE,
    CONFIDENCE,
    HALF,
    RED,
    START,
    STOP,
    Chain,
)

LOOK_ROWS = 160
STRAND_ROWS = 6
"""A shorter chain that touches others is part of a knot."""
COURSE_ROWS = 10
COURSE_PX = 14
"""The direction of an end is taken over so many rows, or so many pixels of its course."""
SHARED_ROWS = 400
"""Two curves in one strand for longer are one from then on."""
COURSE_KEPT_ROWS = 40
"""So long after it met another, a curve's course still says where it goes on."""


@dataclass(eq=False)
class Strand:
    """A chain that lies on a curve, or on several."""

    chain: Chain
    lines: list[Line] = field(default_factory=list)
    waiting: list[Line] = field(default_factory=list)
    """Of ``lines``, those that have not gone on in another strand."""
    drawn_rows: int = 0
    """How many of its rows its lines have got."""


@dataclass
class Geometry:
    """Of one strand: x, y, dx, dy of its upper and its lower end, and how it looks."""

    top: tuple[float, float, float, float]
    bottom: tuple[float, float, float, float]
    half: float
    colour: NDArray[np.float32]
    worth: float


class Window:
    """Decides which strands are one curve; ``ended`` are the lines that are complete."""

    def __init__(self, least_rows: int, gap_rows: int) -> None:
        self.end_cost = least_rows / 2
        self.gap_rows, self.reach = 3 * gap_rows, 6.0 * gap_rows
        self.ended: list[Line] = []
        self._chains: list[Chain] = []
        self._strands: dict[Chain, Strand] = {}  # those that are decided and can go on
        self._decided = -(10**9)  # strands that begin above this row are decided

    def add(self, chains: list[Chain]) -> None:
        self._chains += chains

    def decide(self, stop: int, below: int, ink: NDArray[np.uint8], ink_row: int) -> None:
        """Decide all strands that begin above row ``stop``. below: the first row not known yet.
        ink: probability of the rows from ``ink_row`` on."""
        strands = [c for c in self._chains if _is_strand(c)]
        strands = [c for c in strands if c.first_row >= self._decided or c in self._strands]
        strands.sort(key=lambda c: (c.first_row, c.number))
        if strands:
            self._link(strands, stop, ink, ink_row)
        self._decided = stop
        oldest = stop - self.gap_rows - UP_ROWS
        for chain, strand in list(self._strands.items()):
            self._draw(strand, stop)
            if not chain.open and chain.last_row < oldest:
                for line in strand.waiting:
                    self._end(line)
                del self._strands[chain]
        self._chains = [c for c in self._chains if c.open or c.last_row >= oldest]

    def finish(self) -> None:
        for strand in self._strands.values():
            self._draw(strand, 10**9)
        lines = {id(line): line for s in self._strands.values() for line in s.waiting}
        for line in lines.values():
            self._end(line)

    def _link(self, strands: list[Chain], stop: int, ink: NDArray[np.uint8], ink_row: int) -> None:
        knots_up, knots_down = _knots(self._chains, strands)
        looks = [_geometry(chain) for chain in strands]
        tops = _ends([look.top for look in looks], looks, strands, knots_up)
        bottoms = _ends([look.bottom for look in looks], looks, strands, knots_down)
        bottoms.knot[[chain.open for chain in strands]] = -1
        lower = np.array([not chain.open for chain in strands])
        new = np.array([chain not in self._strands for chain in strands])
        a, s = candidates(bottoms, tops, self.gap_rows, self.reach)
        possible = lower[a] & new[s] & (a < s)
        a, s = a[possible], s[possible]
        cost = costs(bottoms, tops, a, s, _ink_between(bottoms, tops, a, s, ink, ink_row))
        cheap = cost < 1.8 * self.end_cost
        a, s, cost = a[cheap], s[cheap], cost[cheap]
        given = np.array(
            [len(self._strands[c].waiting) if c in self._strands else -1 for c in strands], float
        )
        rows = np.array([c.rows for c in strands], float)
        worth = np.array([look.worth for look in looks])
        flow = solve(worth, rows, given, ~lower, (a, s), cost, self.end_cost)
        links = [(int(i), int(j), int(k)) for i, j, k in zip(a, s, flow, strict=True) if k]
        for j, chain in enumerate(strands):
            if not new[j] or chain.first_row >= stop:
                continue
            into = [(i, k) for i, jj, k in links if jj == j]
            strand = Strand(chain)
            for i, k in into:
                above = self._strands.get(strands[i])
                if above is None:
                    continue
                outs = [(jj, kk) for ii, jj, kk in links if ii == i]
                joined = bool(bottoms.knot[i] == tops.knot[j])
                for line in self._choose(above, outs, j, k, strands, looks):
                    self._draw(above, 10**9)
                    above.waiting.remove(line)
                    strand.lines.append(line)
                    line.leap(chain.first_row, looks[j].top[0], joined)
            if not strand.lines:
                carried = sum(k for ii, _, k in links if ii == j)
                if not carried and worth[j] < 2 * self.end_cost and not chain.open:
                    continue
                strand.lines.append(Line(chain.first_row))
            for line in strand.lines:
                line.meet(len(strand.lines) > 1, chain.first_row)
                if len(strand.lines) == 1:
                    line.look(looks[j].half, looks[j].colour, chain.rows, looks[j].bottom)
            strand.waiting = list(strand.lines)
            self._strands[chain] = strand

    def _choose(
        self,
        above: Strand,
        outs: list[tuple[int, int]],
        target: int,
        count: int,
        strands: list[Chain],
        looks: list[Geometry],
    ) -> list[Line]:
        """The lines of ``above`` that go on in strand ``target``."""
        waiting = above.waiting
        if len(waiting) == 1 or len({j for j, _ in outs}) == 1:
            return waiting[:count]
        slots = [j for j, k in outs for _ in range(k) if strands[j] not in self._strands]
        cost = np.array([[_unlike(line, looks[j]) for j in slots] for line in waiting])
        rows, columns = linear_sum_assignment(cost)
        if len(slots) > 1 and len(waiting) > 1:
            best = cost[rows, columns].sum()
            other = min(
                cost[rows, columns].sum()
                - cost[r1, c1] - cost[r2, c2] + cost[r1, c2] + cost[r2, c1]
                for r1, c1 in zip(rows, columns, strict=True)
                for r2, c2 in zip(rows, columns, strict=True)
                if r1 != r2
            )  # fmt: skip
            if other - best < 2:
                for line in waiting:
                    line.doubt(above.chain.last_row)
        return [waiting[r] for r, c in zip(rows, columns, strict=True) if slots[c] == target]

    def _draw(self, strand: Strand, stop: int) -> None:
        chain = strand.chain
        rows = min(chain.last_row + 1, stop) - chain.first_row
        if rows > strand.drawn_rows:
            runs = chain.runs()
            kept = chain.rows - len(runs)
            part = runs[strand.drawn_rows - kept : rows - kept]
            half = part[:, HALF] - 1
            points = np.stack(
                [
                    (part[:, START] + part[:, STOP]) / 2,
                    part[:, START] - half,
                    part[:, STOP] + half,
                    part[:, CONFIDENCE],
                    np.zeros(len(part), np.float32),
                ],
                1,
            )
            for line in strand.lines:
                line.put(chain.first_row + strand.drawn_rows, points)
            strand.drawn_rows = rows

    def _end(self, line: Line) -> None:
        line.end()
        self.ended.append(line)


def _is_strand(chain: Chain) -> bool:
    if chain.rows >= STRAND_ROWS:
        return True
    return not chain.above and not chain.below


def _knots(chains: list[Chain], strands: list[Chain]) -> tuple[list[int], list[int]]:
    """The knot at the upper and at the lower end of each strand: ends that are connected by ink
    through short chains have the same."""
    place = {chain: number for number, chain in enumerate(chains)}
    ends: list[tuple[int, int]] = []
    for chain in chains:
        upper = 2 * place[chain]
        if not _is_strand(chain):
            ends.append((upper, upper + 1))
        ends += [(upper + 1, 2 * place[other]) for other in chain.below if other in place]
    one, other_end = np.array(ends, int).reshape(-1, 2).T
    size = 2 * len(chains)
    graph = coo_array((np.ones(len(one)), (one, other_end)), shape=(size, size))
    _, knot = connected_components(graph, directed=False)
    upper, lower = knot[::2], knot[1::2]
    of = [place[chain] for chain in strands]
    return upper[of].tolist(), lower[of].tolist()


def _geometry(chain: Chain) -> Geometry:
    runs = chain.runs()
    middle = (runs[:, START] + runs[:, STOP]) / 2
    x, dx, dy = _end(middle[::-1], runs[::-1, STOP] - runs[::-1, START], -1)
    top = (x, float(chain.first_row), dx, dy)
    x, dx, dy = _end(middle, runs[:, STOP] - runs[:, START], 1)
    bottom = (x, float(chain.last_row), dx, dy)
    sideways = float(np.ptp(middle)) if len(middle) > 1 else float(runs[0, STOP] - runs[0, START])
    return Geometry(
        top,
        bottom,
        float(np.median(runs[:, HALF])),
        np.median(runs[:, RED : BLUE + 1], axis=0),
        float((chain.rows + 0.25 * sideways) * runs[:, CONFIDENCE].mean()),
    )


def _end(
    middle: NDArray[np.floating[Any]], wide: NDArray[np.float32], sign: int
) -> tuple[float, float, float]:
    """x of the last point, and the direction in which the curve travels there, downwards."""
    middle, wide = middle[-COURSE_ROWS:], wide[-COURSE_ROWS:]
    x = float(middle[-1])
    if len(middle) == 1:
        return x, 0.0, 1.0
    x += float(np.sign(middle[-1] - middle[-2]) * wide[-1] / 2)
    away = np.cumsum(np.hypot(np.diff(middle[::-1]), 1))
    back = min(len(middle) - 1, int(np.searchsorted(away, COURSE_PX)) + 1)
    dx, dy = x - float(middle[-1 - back]), float(back)
    size = float(np.hypot(dx, dy))
    return x, sign * dx / size, dy / size


def _ends(
    points: list[tuple[float, float, float, float]],
    looks: list[Geometry],
    strands: list[Chain],
    knots: list[int],
) -> Ends:
    x, y, dx, dy = np.array(points, float).T
    return Ends(
        x,
        y,
        dx,
        dy,
        np.array(knots),
        np.array([chain.layer for chain in strands]),
        np.maximum([look.half for look in looks], 0.5),
        np.minimum(np.array([chain.rows for chain in strands]) / 15, 1),
        np.array([look.colour for look in looks], float),
    )


def _ink_between(
    lower: Ends, upper: Ends, a: NDArray[np.int64], s: NDArray[np.int64],
    ink: NDArray[np.uint8], ink_row: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Mean probability along the straight line of each pair."""
    share = (np.arange(8) + 0.5) / 8
    x = lower.x[a, None] + (upper.x[s] - lower.x[a])[:, None] * share
    y = lower.y[a, None] + (upper.y[s] - lower.y[a])[:, None] * share - ink_row
    rows = np.clip(np.rint(y).astype(int), 0, len(ink) - 1)
    columns = np.clip(np.rint(x).astype(int), 0, ink.shape[1] - 1)
    mean: NDArray[np.float64] = ink[rows, columns].mean(1) / 255
    return mean


def _unlike(line: Line, look: Geometry) -> float:
    """How little a line looks like a strand that could be its continuation."""
    if not line.rows_alone:
        return 0.0
    cost = 15 * float(np.abs(line.colour - look.colour).max()) / 255
    cost += 4 * min(1.5, abs(float(np.log(max(line.half, 0.5) / max(look.half, 0.5)))))
    x, y, dx, dy = line.course
    tx, ty, tdx, tdy = look.top
    away = ty - y
    if away < COURSE_KEPT_ROWS:
        slope = np.clip(dx / max(dy, 0.1), -3, 3)
        slope_to = np.clip(tdx / max(tdy, 0.1), -3, 3)
        ahead = abs(x + slope * away - tx) + abs(tx - slope_to * away - x)
        cost += 6 * (1 - away / COURSE_KEPT_ROWS) * min(1.0, ahead / 2 / (3 + away / 2))
    return cost

"""Joins strands to curves: each strand when LOOK_ROWS below its beginning are known."""

from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

from wellseg.curves.linking import UP_ROWS, Scene, link
from wellseg.curves.points import HOME, PAINT, Curve, Points, both, mean_look, touch, unlike
from wellseg.curves.strands import CONFIDENCE, Chain
from wellseg.curves.tracks import Tracks
from wellseg.scan.pictures import Gray

LOOK_ROWS = 160  # a strand is decided when so many rows below its beginning are known
NEVER = 1e6  # cost of what may not be
END = 25.0  # cost of a curve's beginning or end, at 200 dpi or less
LONGEST_GAP = 60  # rows, at 200 dpi or less
MOST_STRANDS = 1000  # the longest of a window are used: noise has more, four dotted curves half
SURE = 1.5  # a decision is uncertain if the other way costs so little more: benchmarks/arms.md
DEAR = 0.5  # so is a link of this share of END; its gap has no values: 17 of 24 seen were wrong
SWAP, AWAY = 3.0, 10.0  # cost of an `exchange`; more in another track
SIDES, LONG_ROWS = 2.0, 8  # more where they change sides at a touch of over so many rows; or less
OLDER = 4.0  # less where the older of two curves ends and the younger goes on: it has
TIMES = 4.0  # so many times the rows of the younger above, at least 2 x OLDER_ROWS;
OLDER_ROWS = 400  # the younger has so many below
INK_APART, HOME_APART = 40, 1.0  # most 255ths between channels of two inks; inches between tracks


class Window:
    """Decides which strands are one curve. tenth_rows: of 0.1 inch."""

    def __init__(self, tenth_rows: int, tracks: Tracks | None) -> None:
        scale = max(1.0, tenth_rows / 20)  # renders are coarse, no curve is thinner than a pixel
        self.gap_rows = round(LONGEST_GAP * scale)
        self._end_cost, self._tenth_rows, self._tracks = END * scale, tenth_rows, tracks
        self._ended, self._chains = list[Curve](), list[Chain]()
        self._new = -(10**9)  # strands that begin in this row or below are not decided

    def decide(self, new: list[Chain], stop: int, ink: Gray, ink_row: int) -> None:
        """Decide strands that begin above row ``stop``. ink: probability from ``ink_row`` on."""
        self._chains += new
        undecided = [c for c in self._chains if c.waiting or c.first_row >= self._new]
        strands = [c for c in undecided if c.is_strand]
        longest = {*sorted(strands, key=lambda c: (not c.waiting, -c.rows))[:MOST_STRANDS]}
        strands = sorted((c for c in strands if c in longest), key=lambda c: c.first_row)
        if strands:
            costs = self._end_cost, self.gap_rows, self._tenth_rows
            scene = link(self._chains, strands, *costs, ink, ink_row, self._tracks)
            for number, chain in enumerate(strands):
                if not chain.curves and chain.first_row < stop:
                    self._begin(scene, number)
        self._new = stop
        oldest = stop - self.gap_rows - UP_ROWS
        for chain in self._chains:
            self._draw(chain)
            if not chain.open and chain.last_row < oldest:
                self._end(chain)
        self._chains = [c for c in self._chains if c.open or c.last_row >= oldest]

    def finish(self) -> list[Curve]:
        """Call it after the last row; returns all curves."""
        for chain in self._chains:
            self._end(chain)
        return self._ended

    def _end(self, chain: Chain) -> None:
        """Drop a chain that nothing can join: the first curve in it ends, others where they met."""
        if len(chain.curves) == 1:
            chain.curves[0].strands.append((chain.first_row, chain.last_row + 1, chain.look))
        all_end = len(chain.waiting) == len(chain.curves)
        for curve in chain.waiting[1:] if all_end else chain.waiting:  # where they were last alone
            curve.rows = max((it[1] - curve.first_row for it in curve.strands), default=curve.rows)
        self._ended += chain.waiting
        chain.above, chain.below, chain.waiting = [], [], []

    def _begin(self, scene: Scene, number: int) -> None:
        """Give a strand the curves that go on in it, or a new one."""
        chain = scene.strands[number]
        for i, curve in self._arrivals(scene, number):
            upper = scene.strands[i]
            self._draw(upper)
            upper.waiting.remove(curve)
            scene.out[i].remove(number)
            chain.curves.append(curve)
            if scene.cost[i, number] > DEAR * self._end_cost:
                curve.uncertain.append(upper.last_row)
                curve.hidden.append((upper.last_row + 1, chain.first_row))
            if columns := scene.set_back[i, number]:
                left = upper.last_row + 1
                chain.recorded_rows = max(0, left - chain.first_row)  # one place for each row
                curve.wraps.append((max(left, chain.first_row), columns))
                curve.hidden.append((left, chain.first_row))  # of no rows, where they overlap
            elif scene.table.knot_down[i] == scene.table.knot_up[number]:
                self._pass_knot(curve, scene, i, number)
            curve.records += scene.spurs.get((i, number), [])  # they widen it: spikes, loops
        chain.curves += [Curve(chain.first_row) for _ in range(scene.births[number])]
        chain.waiting, chain.look = list(chain.curves), scene.table.look[number]
        if len(chain.curves) == 1:
            chain.curves[0].look = both(chain.curves[0].look, chain.look)

    def _arrivals(self, scene: Scene, number: int) -> list[tuple[int, Curve]]:
        """The curves that go on in a strand, each with its strand above. Of several curves that
        pass one place, each gets the strand below that fits best what it looked like above."""
        above = [i for i in scene.reach[number] if scene.out[i]]  # whose curves may go on here
        mine = [i for i in above if number in scene.out[i]]  # and by the flow one does
        ways = [(i, j) for i in above for j in scene.out[i]]
        slots = [(i, j) for i, j in ways if i in mine or any((k, j) in scene.cost for k in mine)]
        curves = [(i, curve) for i in dict(slots) for curve in scene.strands[i].waiting]
        if not curves or len(curves) == len(slots) == 1:  # nothing to choose
            return curves
        looks = np.array([curve.look for _, curve in curves])
        cost = unlike(looks[:, None], scene.ahead[[j for _, j in slots]])
        cost += [[scene.cost.get((i, j), NEVER) for _, j in slots] for i, _ in curves]
        chosen = list(zip(*linear_sum_assignment(cost), strict=True))
        total = sum(cost[pair] for pair in chosen)
        for i, j in slots:
            scene.out[i].remove(j)
        found = []
        for one, slot in (pair for pair in chosen if cost[pair] < NEVER):
            (i, curve), (_, j) = curves[one], slots[slot]
            scene.out[i].append(j)
            if j == number:
                found.append((i, curve))
                without = cost.copy()
                without[one, [to == number for _, to in slots]] = NEVER
                if without[linear_sum_assignment(without)].sum() - total < SURE:
                    curve.uncertain.append(scene.strands[i].last_row)
        return sorted(found, key=lambda it: scene.cost[it[0], number])  # the likeliest first

    def _pass_knot(self, curve: Curve, scene: Scene, upper: int, lower: int) -> None:
        """Lead a curve straight through a knot."""
        start, stop = scene.table.bottom[upper], scene.table.top[lower]
        rows = np.arange(start.imag + 1, stop.imag)
        column = np.interp(rows, [start.imag, stop.imag], [start.real, stop.real])
        half, strands = (curve.width_px + 1) / 2, (scene.strands[upper], scene.strands[lower])
        sure = (strands[0].runs[-1, CONFIDENCE] + strands[1].runs[0, CONFIDENCE]) / 2
        path = [rows, column, column - half, column + half, 0 * rows + sure, 0 * rows + 1]
        curve.records.append(np.stack(path, 1, dtype="f4"))

    def _draw(self, chain: Chain) -> None:
        """Add the new rows of a chain to its curves."""
        if chain.curves and chain.rows > chain.recorded_rows:
            records = chain.records(chain.recorded_rows)
            for curve in chain.curves:
                curve.rows = max(curve.rows, chain.last_row + 1 - curve.first_row)
                curve.records.append(records)
            chain.recorded_rows = chain.rows


def exchange(points: dict[Curve, Points]) -> None:
    """Exchange what lies below touches of two curves where it then looks more like all above: what
    `Window` sees is an inch, and a wrong turn would change both names to the end of the log."""
    for one, other in combinations(list(points), 2):
        if abs(one.look[PAINT] - other.look[PAINT]).max() > INK_APART:
            continue
        touches, sides = touch(points[one], points[other])
        if not len(touches):
            continue
        looks = np.stack([it.looks(points[it], touches) for it in (one, other)], 1)
        above, swaps = looks[0].copy(), list[int]()
        for k, (start, stop) in enumerate(touches.tolist(), 1):
            upper, lower = mean_look(above)[:, None], mean_look(looks[k])
            cost = unlike(upper, lower) + AWAY * (abs(upper - lower)[..., HOME] > HOME_APART)
            turn = SIDES * sides[k - 1] * sides[k] if stop - start > LONG_ROWS else 0
            rows_above, rows_below = above[:, 0], looks[k:, :, 0].sum(0)  # LOOKED_ROWS of them
            old, young = rows_below.argsort(kind="stable")  # the one that has less below may end
            is_older = rows_above[old] > TIMES * rows_above[young] and rows_below[old] <= LONG_ROWS
            is_older &= min(rows_above[old] / 2, rows_below[young]) > OLDER_ROWS
            kept, exchanged = np.trace(cost), np.trace(cost[::-1])
            if kept - exchanged > SWAP + turn - OLDER * is_older:
                looks[k:] = looks[k:, ::-1].copy()
                swaps.append((start + stop) // 2)
            above += looks[k]
        for row in swaps:
            for curve, below in zip((other, one), (one.cut(row), other.cut(row)), strict=True):
                curve.extend(below)
                curve.uncertain.append(row)
        if swaps:
            points |= {curve: curve.points() for curve in (one, other)}

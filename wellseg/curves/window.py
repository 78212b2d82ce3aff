"""Strands to curves, a window of rows at a time.

A strand is decided when a window of LOOK_ROWS below its beginning is known. What is kept are the
strands and curves that can still go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from wellseg.curves.line import Line
from wellseg.curves.linking import UP_ROWS
from wellseg.curves.looks import End
from wellseg.curves.scene import Scene, is_strand, link
from wellseg.curves.strands import CONFIDENCE, DUTY, HALF, START, STOP, Chain

LOOK_ROWS = 160
END = 25.0
"""What the beginning and the end of a curve cost each, and ..."""
LONGEST_GAP = 60
"""... the longest gap in rows, at 200 dpi and less."""
MOST_SPECKS = 800
"""Of strands that touch no other, so many that a block of rows brings are looked at, the longest:
a mask of noise would take hours. Four dotted curves have half of that."""
COURSE_KEPT_ROWS = 40
"""So long after it met another, a curve's course still says where it goes on."""
SURE = 2.0
"""Decisions that would cost so little more the other way are uncertain."""


@dataclass(eq=False)
class Strand:
    """A chain that lies on a curve, or on several."""

    chain: Chain
    lines: list[Line] = field(default_factory=list)
    waiting: list[Line] = field(default_factory=list)
    """Of ``lines``, those that have not gone on in another strand."""
    drawn_rows: int = 0
    """How many of its rows its lines have got."""


class Window:
    """Decides which strands are one curve; ``ended`` are the lines that are complete."""

    def __init__(
        self, gap_rows: int, write: Callable[[NDArray[np.float32]], tuple[int, int]]
    ) -> None:
        self._write = write
        scale = max(1.0, gap_rows / 20)  # renders are coarse, but no curve is thinner than a pixel
        self.end_cost, self.gap_rows = END * scale, round(LONGEST_GAP * scale)
        self.ended: list[Line] = []
        self._chains: list[Chain] = []
        self._strands: dict[Chain, Strand] = {}  # those that are decided and can go on
        self._decided = -(10**9)  # strands that begin above this row are decided

    def add(self, chains: list[Chain]) -> None:
        specks = [c for c in chains if not (c.above or c.below or c.open)]
        if len(specks) > MOST_SPECKS:
            specks.sort(key=lambda c: (-c.rows, c.first_row, c.number))
            left_out = set(map(id, specks[MOST_SPECKS:]))
            chains = [chain for chain in chains if id(chain) not in left_out]
        self._chains += chains

    def decide(self, stop: int, ink: NDArray[np.uint8], ink_row: int) -> None:
        """Decide all strands that begin above row ``stop``. ink: probability of the rows from
        ``ink_row`` on."""
        strands = [c for c in self._chains if is_strand(c)]
        strands = [c for c in strands if c.first_row >= self._decided or c in self._strands]
        strands.sort(key=lambda c: (c.first_row, c.number))
        if strands:
            waiting = {chain: len(strand.waiting) for chain, strand in self._strands.items()}
            window = self._chains, strands, waiting
            scene = link(*window, self.end_cost, self.gap_rows, ink, ink_row)
            for number, chain in enumerate(strands):
                if chain not in self._strands and chain.first_row < stop:
                    self._begin(scene, number)
        self._decided = stop
        oldest = stop - self.gap_rows - UP_ROWS
        for chain, strand in list(self._strands.items()):
            self._draw(strand, stop)
            if not chain.open and chain.last_row < oldest:
                for line in strand.waiting:
                    self._end(line)
                del self._strands[chain]
            for line in strand.waiting:
                line.spill(self._write)
        kept = []
        for chain in self._chains:
            if chain.open or chain.last_row >= oldest:
                chain.forget(stop)
                kept.append(chain)
            else:
                chain.leave()
        self._chains = kept

    def finish(self) -> None:
        """There are no further rows."""
        for strand in self._strands.values():
            self._draw(strand, 10**9)
        for line in {id(line): line for s in self._strands.values() for line in s.waiting}.values():
            self._end(line)

    def _begin(self, scene: Scene, number: int) -> None:
        """Give a strand the lines that go on in it, or a new one."""
        chain = scene.strands[number]
        strand = Strand(chain)
        self._exchange(scene, number)
        for i in scene.into.get(number, []):
            count = scene.flow[i, number]
            above = self._strands.get(scene.strands[i])
            if above is None:
                continue
            for line in self._choose(scene, above, i, number, count):
                self._draw(above, 10**9)
                above.waiting.remove(line)
                strand.lines.append(line)
                x = scene.looks[number].top[0]
                line.leap(chain.first_row, x, (i, number) in scene.joined)
                if (i, number) in scene.joined:
                    self._give_spurs(scene, line, i, number)
        strand.lines += [Line(chain.first_row) for _ in range(scene.births[number])]
        if not strand.lines:
            if chain.above or chain.below or chain.rows < 2 * END:
                return
            strand.lines.append(Line(chain.first_row))
        look = scene.looks[number]
        for line in strand.lines:
            line.meet(len(strand.lines) > 1, chain.first_row)
            if len(strand.lines) == 1:
                line.looks(look.look, look.bottom)
        strand.waiting = list(strand.lines)
        self._strands[chain] = strand

    def _give_spurs(self, scene: Scene, line: Line, upper: int, lower: int) -> None:
        """Spikes and loops of a curve's stroke, where it passes from strand to strand."""
        for chain in scene.spurs.get(upper, []):
            middle = chain.runs()[:, START : STOP + 1].mean(1)
            rows = chain.first_row + np.arange(len(middle))
            away = []
            for i in scene.near(chain):
                x, y, *_ = scene.looks[i].bottom
                for j in scene.out.get(i, []):
                    to_x, to_y, *_ = scene.looks[j].top
                    if (i, j) in scene.joined:
                        share = np.clip((rows - y) / max(to_y - y, 1), 0, 1)
                        path = x + share * (to_x - x)
                        away.append((float(np.abs(middle - path).min()), (i, j)))
            if min(away)[1] == (upper, lower):
                line.spurs.append((chain.first_row, _points(chain.runs())))

    def _exchange(self, scene: Scene, number: int) -> None:
        """Let two curves that pass a place together change places there, where what is known of
        them from above says so."""
        mine = scene.into.get(number, [])
        if len(mine) != 1 or scene.flow[mine[0], number] != 1:
            return
        one = mine[0]
        line = self._line(scene, one)
        if not line:
            return
        best, doubt, gain = None, False, 0.0
        for other, target in scene.rivals(one, number):
            swapped = (one, target), (other, number)
            if scene.strands[target] in self._strands or scene.flow[other, target] != 1:
                continue
            line_2 = self._line(scene, other)
            if not line_2 or line_2 is line:
                continue
            ahead, ahead_2 = scene.ahead(number), scene.ahead(target)
            now = scene.cost[one, number] + scene.cost[other, target]
            now += line.look.unlike(ahead) + line_2.look.unlike(ahead_2)
            then = scene.cost[swapped[0]] + scene.cost[swapped[1]]
            then += line.look.unlike(ahead_2) + line_2.look.unlike(ahead)
            doubt |= abs(now - then) < SURE
            if now - then > gain:
                best, gain = (other, target), now - then
        if doubt:
            line.doubt(scene.strands[one].last_row)
        if best:
            other, target = best
            for link_, by in (((one, number), -1), ((other, target), -1), ((one, target), 1)):
                scene.move(link_, by)
            scene.move((other, number), 1)

    def _line(self, scene: Scene, number: int) -> Line | None:
        """The one line that waits at a strand's lower end."""
        strand = self._strands.get(scene.strands[number])
        return strand.waiting[0] if strand and len(strand.waiting) == 1 else None

    def _choose(
        self, scene: Scene, above: Strand, number: int, target: int, count: int
    ) -> list[Line]:
        """The lines of strand ``above`` that go on in ``target``."""
        waiting = above.waiting
        outs = {j: scene.flow[number, j] for j in scene.out[number]}
        slots = [j for j, n in outs.items() for _ in range(n)]
        if len(waiting) < 2 or len(outs) == 1:
            return waiting[:count]
        ahead = {j: scene.ahead(j) for j in outs}
        cost = np.array(
            [
                [line.look.unlike(ahead[j]) + _off_course(line, scene.looks[j].top) for j in slots]
                for line in waiting
            ]
        )
        rows, columns = linear_sum_assignment(cost)
        chosen = cost[rows, columns].sum()
        for r, c in zip(rows, columns, strict=True):
            without = cost.copy()
            without[r, c] = 1e6
            if without[linear_sum_assignment(without)].sum() - chosen < SURE:
                waiting[r].doubt(above.chain.last_row)
        return [waiting[r] for r, c in zip(rows, columns, strict=True) if slots[c] == target]

    def _draw(self, strand: Strand, stop: int) -> None:
        """Give its lines its rows above ``stop``."""
        chain = strand.chain
        rows = min(chain.last_row + 1, stop) - chain.first_row
        if rows > strand.drawn_rows:
            runs = chain.runs()
            kept = chain.rows - len(runs)
            part = runs[strand.drawn_rows - kept : rows - kept]
            for line in strand.lines:
                row = chain.first_row + strand.drawn_rows
                line.put(row, _points(part), part[:, DUTY] > 0.5)
            strand.drawn_rows = rows

    def _end(self, line: Line) -> None:
        line.end(self._write)
        self.ended.append(line)


def _points(runs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of runs: column, left, right, confidence, flags."""
    left, right = runs[:, START] - runs[:, HALF] + 1, runs[:, STOP] + runs[:, HALF] - 1
    middle = (runs[:, START] + runs[:, STOP]) / 2
    return np.stack([middle, left, right, runs[:, CONFIDENCE], 0 * left], 1)


def _off_course(line: Line, top: End) -> float:
    """How far a strand begins from where a line was heading before it met another."""
    x, y, dx, dy, firm = line.course
    to_x, to_y, to_dx, to_dy, to_firm = top
    away = to_y - y
    if away >= COURSE_KEPT_ROWS:
        return 0.0
    slope, to_slope = (np.clip(a / max(b, 0.1), -3, 3) for a, b in ((dx, dy), (to_dx, to_dy)))
    ahead = firm * abs(x + slope * away - to_x) + to_firm * abs(to_x - to_slope * away - x)
    return float(6 * (1 - away / COURSE_KEPT_ROWS) * min(1.0, ahead / 2 / (3 + away / 2)))

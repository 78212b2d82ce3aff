"""A curve while it is being followed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wellseg.curves.looks import End, Look
from wellseg.curves.points import BRIDGED, UNCERTAIN, Style

KEPT_ROWS = 1024
"""Of a long curve the last rows stay in memory: a spike, or a stroke that runs back up, may still
change them."""
SOLID, DOT = 0.93, 4.0
"""Share of ink from which on a curve is solid; the longest dot, in widths."""

Floats = NDArray[np.float32]


class Line:
    """The points of one curve so far, (rows, 5): column, left, right, confidence, flags."""

    def __init__(self, first_row: int) -> None:
        self.first_row = first_row
        self.points = np.empty((0, 5), np.float32)
        """Those that are in memory."""
        self.chunks: list[tuple[int, int]] = []
        """Where earlier ones lie: what ``spill`` gave."""
        self.spilled = 0
        self.look = Look(0, 1.0, 1.0, np.zeros(3))
        self.course: End = (0.0, 0.0, 0.0, 1.0, 0.0)
        self.shared_from: int | None = None
        self.uncertain: list[int] = []
        self.spurs: list[tuple[int, Floats]] = []
        """First row and points of spikes that leave its course."""
        self._inked = self._dashes = 0

    @property
    def rows(self) -> int:
        return self.spilled + len(self.points)

    def put(self, row: int, points: Floats, inked: NDArray[np.bool_]) -> None:
        """Rows of a strand, and whether there is ink; where it runs back up over rows that are
        known, the span of both."""
        known = self.first_row + self.rows - row
        if known > 0:
            self._widen(row, points)
        self.points = np.concatenate([self.points, points[max(0, known) :]])
        self._inked += int(np.count_nonzero(inked))
        self._dashes += int(np.count_nonzero(np.diff(inked.astype(np.int8)) > 0)) + 1

    def _widen(self, row: int, points: Floats) -> None:
        """The span of rows that are known and of these."""
        at = row - self.first_row - self.spilled
        points = points[max(0, -at) :]
        mine = self.points[max(0, at) :][: len(points)]
        mine[:, 1] = np.fmin(mine[:, 1], points[: len(mine), 1])
        mine[:, 2] = np.fmax(mine[:, 2], points[: len(mine), 2])

    def leap(self, row: int, x: float, joined: bool) -> None:
        """Go straight to column x of a row; over ink, or over a gap."""
        gap = row - self.first_row - self.rows
        if joined:
            self._dashes -= 1
            self._inked += max(0, gap)
        if gap <= 0 or not len(self.points):
            return
        column, left, right = self.points[-1, :3].tolist()
        half = (right - left) / 2 if right - left < 4 * self.look.ink + 4 else self.look.ink
        path = column + (x - column) * (np.arange(gap) + 1) / (gap + 1)
        flag = 0 * path + (0 if joined else BRIDGED)
        points = np.stack([path, path - half, path + half, 0 * path, flag], 1)
        self.points = np.concatenate([self.points, points.astype(np.float32)])

    def meet(self, shared: bool, row: int) -> None:
        """It lies on a strand together with another from this row on, or no longer."""
        if not shared:
            self.shared_from = None
        elif self.shared_from is None:
            self.shared_from = row

    def looks(self, look: Look, course: End) -> None:
        """Of a strand that is its alone: how it looks, and where it is heading."""
        self.look = self.look.with_more(look)
        self.course = course

    def doubt(self, row: int) -> None:
        """It could have been mistaken for another here."""
        if row not in self.uncertain[-1:]:
            self.uncertain.append(row)
        at = row - self.first_row - self.spilled
        if 0 <= at < len(self.points):
            self.points[at, 4] = int(self.points[at, 4]) | UNCERTAIN

    def spill(self, write: Callable[[Floats], tuple[int, int]]) -> None:
        """Let all but the last rows be written."""
        rows = len(self.points) - KEPT_ROWS
        if rows > KEPT_ROWS:
            self._write(rows, write)

    def end(self, write: Callable[[Floats], tuple[int, int]]) -> None:
        """Nothing follows: where it lay on another's strand to its end, it ended where they met."""
        if self.shared_from is not None:
            self.points = self.points[: max(0, self.shared_from - self.first_row - self.spilled)]
        self._write(len(self.points), write)

    def _write(self, rows: int, write: Callable[[Floats], tuple[int, int]]) -> None:
        for spur in self.spurs:
            self._widen(*spur)
        self.spurs = []
        if rows:
            self.chunks.append(write(self.points[:rows]))
        self.points = self.points[rows:].copy()
        self.spilled += rows

    @property
    def style(self) -> Style:
        if self._inked >= SOLID * self.rows:
            return "solid"
        dash = self._inked / max(1, self._dashes)
        return "dotted" if dash < DOT * max(1.0, 2 * self.look.ink - 1) else "dashed"

    @property
    def ink_colour(self) -> tuple[int, int, int] | None:
        """Red, green, blue; None for black and gray."""
        red, green, blue = (round(float(value)) for value in self.look.colour)
        gray = max(red, green, blue) - min(red, green, blue) < 40
        return None if gray else (red, green, blue)

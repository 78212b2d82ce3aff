"""A curve while it is being followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wellseg.curves.looks import End, Look
from wellseg.curves.points import BRIDGED, UNCERTAIN

Floats = NDArray[np.float32]


class Line:
    """The points of one curve so far, (rows, 5): column, left, right, confidence, flags."""

    def __init__(self, first_row: int) -> None:
        self.first_row = first_row
        self.rows = 0
        self.parts: list[Floats] = []
        self.look = Look(0, 1.0, 1.0, np.zeros(3))
        self.course: End = (0.0, 0.0, 0.0, 1.0, 0.0)
        self.shared_from: int | None = None
        self.uncertain: list[int] = []
        self.spurs: list[tuple[int, Floats]] = []
        """First row and points of spikes that leave its course."""

    def put(self, row: int, points: Floats) -> None:
        """Rows of a strand; where it runs back up over rows that are known, the span of both."""
        known = self.first_row + self.rows - row
        if known > 0 and self.parts:
            self.parts = [np.concatenate(self.parts)]
            over = self.parts[0][max(0, len(self.parts[0]) - known) :][: len(points)]
            again = points[max(0, known - len(self.parts[0])) :][: len(over)]
            over[: len(again), 1] = np.fmin(over[: len(again), 1], again[:, 1])
            over[: len(again), 2] = np.fmax(over[: len(again), 2], again[:, 2])
            points = points[known:]
        if len(points):
            self.parts.append(points.astype(np.float32))
            self.rows += len(points)

    def leap(self, row: int, x: float, joined: bool) -> None:
        """Go straight to column x of a row; over ink, or over a gap."""
        gap = row - self.first_row - self.rows
        if gap <= 0 or not self.parts:
            return
        before = self.parts[-1][-1]
        share = (np.arange(gap) + 1) / (gap + 1)
        column = before[0] + (x - before[0]) * share
        half = (before[2] - before[1]) / 2 if before[2] - before[1] < 12 else 1.0
        points = np.stack(
            [
                column,
                column - half,
                column + half,
                share * 0,
                share * 0 + (0 if joined else BRIDGED),
            ],
            1,
        )
        self.parts.append(points.astype(np.float32))
        self.rows += gap

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
        self.uncertain.append(row)
        if self.parts:
            self.parts[-1][-1:, 4] = (self.parts[-1][-1:, 4].astype(int) | UNCERTAIN).astype(float)

    def end(self) -> None:
        """Nothing follows: where it lay on another's strand to its end, it ended where they met."""
        if self.shared_from is not None and self.parts:
            keep = max(0, self.shared_from - self.first_row)
            self.parts = [np.concatenate(self.parts)[:keep]]
            self.rows = keep
        self.parts = [np.concatenate(self.parts)] if self.parts else []
        for row, points in self.spurs:
            self._spike(row, points)

    def _spike(self, row: int, points: Floats) -> None:
        """Where a spike leaves the course, the curve is out there, and its span reaches back."""
        at = max(0, row - self.first_row)
        points = points[max(0, self.first_row - row) :]
        mine = self.parts[0][at : at + len(points)]
        points = points[: len(mine)]
        mine[:, 1] = np.fmin(mine[:, 1], points[:, 1])
        mine[:, 2] = np.fmax(mine[:, 2], points[:, 2])

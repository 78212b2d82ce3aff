"""A curve while it is being followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wellseg.curves.points import BRIDGED, UNCERTAIN

Floats = NDArray[np.float32]


class Line:
    """The points of one curve so far, (rows, 5): column, left, right, confidence, flags."""

    def __init__(self, first_row: int) -> None:
        self.first_row = first_row
        self.rows = 0
        self.parts: list[Floats] = []
        self.half = 1.0
        self.colour: Floats = np.zeros(3, np.float32)
        self.rows_alone = 0
        self.course = (0.0, 0.0, 0.0, 1.0)
        self.shared_from: int | None = None
        self.uncertain: list[int] = []

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

    def look(
        self, half: float, colour: Floats, rows: int, course: tuple[float, float, float, float]
    ) -> None:
        weight = rows / (min(self.rows_alone, 400) + rows)
        self.half += weight * (half - self.half)
        self.colour = self.colour + np.float32(weight) * (colour - self.colour)
        self.rows_alone += rows
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

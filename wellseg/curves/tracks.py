"""The printed tracks of a scan: panels of grid with white paper between them.

Told by the grid's horizontal lines: from where to where there are many of them, in blocks of rows.
A log keeps its layout and wanders sideways as a whole, so the blocks are first laid over each
other; then hundreds of them say together where the panels begin and end, however much is worn,
written over or crossed by curves. Near these ends the vertical line that borders the panel is
followed down the scan.
Two tracks that share a border, without paper between them, are one panel: on real scans the line
between them is mostly drawn like the bold lines of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

USUAL_DPI = 200.0
"""Of a scan that does not say."""
BLOCK_INCHES = 1.5
"""Rows that are looked at together: a dozen lines of the usual grid, in which a skewed sheet hardly
moves."""
LINE_INCHES = 0.2
"""Ink that runs so far straight across or down is a line. Curves, letters and digits rarely do."""
BIN_INCHES = 0.02
INK = 35
"""Levels of gray below paper that are ink: many renders have a pale grid."""
LEAST_LINES = 1
"""In a block; one with fewer says nothing about the grid."""
TRACK_INCHES, BREAK_INCHES = 0.5, 0.06
"""The narrowest track; what is missing of the grid under a bold line, and does not end it."""
BORDER_INCHES, FADE_INCHES = 0.08, 1.0
"""How far from where the grid ends its border may be drawn, and in how much a worn one has to
end."""
DRAWN = 0.08
"""Share of a border that is there, in the mean."""
WANDER = 0.2
"""Of the scan's width a log may wander to each side."""
FIT = 0.45
"""From -1 to 1: a block that agrees so well with the layout has it."""
LEAST_BLOCKS = 4
REACH_BLOCKS = 8
"""So far from a block that has the layout it is taken to hold."""

Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Tracks:
    """Borders of the tracks, from left to right, at some rows of the scan.

    rows: (n,), rising. borders: (n, tracks, 2), left and right column, where 0.5 is the middle of
    the first pixel; a track that the scan's edge cuts off may end beyond it. reach: the layout
    holds so many rows above and below each of ``rows``.
    """

    rows: Floats
    borders: Floats
    reach: float

    def at(self, rows: Indices) -> Floats:
        """float64 (rows, tracks, 2): left and right border in these rows."""
        sides = self.borders.reshape(len(self.rows), -1).T
        return np.stack([np.interp(rows, self.rows, side) for side in sides], 1).reshape(
            len(rows), -1, 2
        )

    def of(self, rows: Indices, columns: Floats) -> int:
        """Number, from 1, of the track in which most of these points lie; 0: most lie in none.
        Columns may be NaN."""
        next_row = (
            np.searchsorted(self.rows, rows).clip(1, len(self.rows) - 1)
            if len(self.rows) > 1
            else 0
        )
        distance = np.minimum(abs(self.rows[next_row] - rows), abs(self.rows[next_row - 1] - rows))
        borders = self.at(rows)
        inside = (borders[..., 0] <= columns[:, None]) & (columns[:, None] <= borders[..., 1])
        counts = (inside & (distance <= self.reach)[:, None]).sum(0)
        return (
            int(counts.argmax()) + 1
            if 2 * counts.max() > np.count_nonzero(columns == columns)
            else 0
        )


def straight(borders: Sequence[tuple[float, float]]) -> Tracks:
    """Tracks with these left and right borders in every row."""
    return Tracks(np.zeros(1), np.array([borders], float), np.inf)


class TrackFinder:
    """Looks for the tracks of one scan. Feed ``add`` from top to bottom, then ask ``find``.

    Keeps two bytes a column of each block of rows, and the rows of one block. dpi: of the scan, if
    it says.
    """

    def __init__(self, columns: int, dpi: float | None) -> None:
        self.columns, self.dpi = columns, dpi if dpi and 50 <= dpi <= 1200 else USUAL_DPI
        self.block_rows = self._px(BLOCK_INCHES)
        self._rest = np.empty((0, columns), np.uint8)
        self._across: list[Bytes] = []  # lines across in each block and column
        self._down: list[Bytes] = []  # rows with a line down, 255 for all

    def _px(self, inches: float) -> int:
        return max(2, round(inches * self.dpi))

    def add(self, gray: Bytes) -> None:
        """The next rows, uint8 (rows, columns): 0 black to 255 white."""
        gray = np.concatenate([self._rest, gray]) if len(self._rest) else gray
        whole = len(gray) // self.block_rows * self.block_rows
        for start in range(0, whole, self.block_rows):
            self._look(gray[start : start + self.block_rows])
        self._rest = gray[whole:].copy()

    def _look(self, gray: Bytes) -> None:
        long, short = self._px(LINE_INCHES), self._px(LINE_INCHES / 7)
        paper = float(np.percentile(gray[::8, ::8], 75))
        ink = (gray < paper - INK).view(np.uint8)
        across = cv2.dilate(
            ink, np.ones((3, 1), np.uint8)
        )  # lines of a skewed sheet go on a row below
        across = cv2.morphologyEx(across, cv2.MORPH_CLOSE, np.ones((1, short), np.uint8))
        across = cv2.morphologyEx(across, cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
        # How many lines, not how much ink: black bands and photographs have few.
        lines = cv2.reduce(
            cv2.subtract(across[1:], across[:-1]), 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S
        )[0]
        down = cv2.dilate(ink, np.ones((1, 3), np.uint8))
        down = cv2.morphologyEx(down, cv2.MORPH_OPEN, np.ones((long, 1), np.uint8))
        ruled = cv2.reduce(down, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
        if 2 * cv2.countNonZero(ink) > ink.size:  # a photograph, an inverted title: no grid
            lines[:] = 0
        self._across.append(np.minimum(lines, 255).astype(np.uint8))
        self._down.append((ruled * 255 // len(gray)).astype(np.uint8))

    def find(self) -> Tracks | None:
        """The tracks; None if there is no grid with clear ends."""
        if len(self._across) < LEAST_BLOCKS:
            return None
        step = max(1, round(BIN_INCHES * self.dpi))
        across = np.stack(self._across)
        lines = np.stack(
            [across[:, i : i + step].mean(1) for i in range(0, self.columns, step)],
            1,
            dtype=np.float32,
        )
        usual = np.percentile(lines, 90, axis=1, keepdims=True)
        grid = np.clip(lines / np.maximum(LEAST_LINES, usual / 2), 0, 1)
        fit, shift = overlay(2 * grid - 1, (usual[:, 0] >= LEAST_LINES).astype(np.float32))
        like = np.flatnonzero(fit > FIT)
        if len(like) < LEAST_BLOCKS:
            return None
        # From here on only blocks that have the layout, laid over each other.
        shift = shift[like] * step
        page = _moved(np.repeat(grid[like], step, 1)[:, : self.columns], shift).mean(0)
        ruled = _moved(np.stack(self._down)[like], shift)
        tracks = []
        for left, right in _panels(page > 0.5, self._px(BREAK_INCHES), self._px(TRACK_INCHES)):
            begins, ends = (
                self._border(page[::-1], ruled[:, ::-1], self.columns - left),
                self._border(page, ruled, right),
            )
            if begins is not None and ends is not None:
                tracks.append(np.stack([self.columns - begins, ends], 1) + shift[:, None])
        if not tracks:
            return None
        return Tracks(
            (like + 0.5) * self.block_rows, np.stack(tracks, 1), REACH_BLOCKS * self.block_rows
        )

    def _border(self, page: Floats, ruled: Bytes, end: int) -> Floats | None:
        """Column of a right border in each block, near where the panel ends; None if it only fades
        away there.

        page: share of the grid in the mean block; ruled: lines down in each block."""
        near, last = self._px(BORDER_INCHES), self.columns - 1
        if end + near > self.columns:  # cut off by the edge of the scan
            return np.full(len(ruled), float(self.columns))
        top, paper = (
            page[max(0, end - 5 * near) : end].max(),
            page[end : end + self._px(FADE_INCHES)].min(),
        )
        if top - paper < 0.3:
            return None
        grid = (page - paper) / (top - paper)
        worn = 0
        if grid[max(0, end - 2 * near // 3)] < 0.75 or grid[min(end + near // 2, last)] > 0.3:
            # Worn, or some of its lines stop before the border: it is where the last ones end.
            worn = int(np.argmax(grid[end:] < 0.15))
            end += worn
            if end + near > self.columns:
                return None
        room = max(2, near // 2)
        start = max(0, end - near - room)
        window = cv2.GaussianBlur(
            ruled[:, start : end + near + room + 1], (0, 0), max(0.8, self.dpi / 150), sigmaY=0.1
        )
        mean = (
            window.mean(0)
            / 255
            * np.exp(-0.5 * ((start + np.arange(window.shape[1]) - end) / near) ** 2)
        )
        at = room + int(np.argmax(mean[room : len(mean) - room]))
        if mean[at] < DRAWN:
            return np.full(len(ruled), float(end)) if worn < 3 * near else None
        part = window[:, at - room : at + room + 1].astype(np.float32) / 255
        return start + at - room + course(part, room // 2, 0.01, 1.0) + 0.5


def overlay(grid: Floats, weight: Floats, rounds: int = 5) -> tuple[Floats, Indices]:
    """Lay the blocks of a log over each other: how well each agrees with the mean of all, from -1
    to 1, and how many columns it lies to the right of it. grid: (blocks, columns), -1 paper to 1
    grid; weight: of each block."""
    columns = grid.shape[1]
    most = max(4, int(WANDER * columns))
    padded = np.pad(grid, ((0, 0), (most, most)), constant_values=-1)
    layout = weight @ grid / max(weight.sum(), 1e-6)
    for _ in range(rounds):
        scores = (
            np.stack([padded[:, i : i + columns] @ layout for i in range(2 * most + 1)], 1)
            / columns
        )
        shift = course(scores * weight[:, None], 4, 0.003, 0.5) - most
        shift -= int(np.median(shift))
        over = _moved(grid, shift, -1)
        fit = over @ layout / max(np.abs(layout).sum(), 1e-6)
        share = weight * np.clip(fit, 0, 1)
        layout = share @ over / max(share.sum(), 1e-6)
    return fit, shift


def course(score: Floats, reach: int, per_step: float, jump: float) -> Indices:
    """The column in each row that together score highest (Viterbi). A step of up to ``reach``
    columns costs ``per_step`` for each, and one to anywhere ``jump``: sheets are joined. score:
    (rows, columns)."""
    rows, columns = score.shape
    came = np.zeros((rows, columns), np.int64)
    best = score[0].astype(float)
    reach = min(reach, columns - 1)
    for row in range(1, rows):
        top = int(best.argmax())
        new, origin = np.full(columns, best[top] - jump), np.full(columns, top)
        for step in range(-reach, reach + 1):
            to = np.arange(max(0, step), min(columns, columns + step))
            gain = best[to - step] - per_step * abs(step)
            better = gain > new[to]
            new[to[better]], origin[to[better]] = gain[better], to[better] - step
        came[row], best = origin, new + score[row]
    path = [int(best.argmax())]
    for row in range(rows - 1, 0, -1):
        path.append(int(came[row, path[-1]]))
    return np.array(path[::-1])


def _moved(rows: NDArray[Any], shift: Indices, empty: float = 0) -> NDArray[Any]:
    """Each row moved to the left by its shift."""
    most = int(np.abs(shift).max())
    padded = np.pad(rows, ((0, 0), (most, most)), constant_values=empty)
    return np.stack(
        [
            row[most + s : most + s + rows.shape[1]]
            for row, s in zip(padded, shift.tolist(), strict=True)
        ]
    )


def _panels(grid: NDArray[np.bool_], bridged: int, least: int) -> list[tuple[int, int]]:
    """[left, right) of each stretch of grid that is not shorter than ``least``."""
    panels: list[tuple[int, int]] = []
    for left, right in (
        np.flatnonzero(np.diff(np.pad(grid, 1).astype(np.int8))).reshape(-1, 2).tolist()
    ):
        if panels and left - panels[-1][1] < bridged:
            left = panels.pop()[0]
        panels.append((left, right))
    return [(left, right) for left, right in panels if right - left >= least]

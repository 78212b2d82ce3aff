"""The printed tracks of a scan: panels of grid, with white paper or a shared border between them.

Told by the grid's lines in blocks of rows. A log keeps its layout and wanders sideways as a whole,
so the blocks are first laid over each other; then hundreds of them say together what is printed,
however much is worn, written over or crossed by curves. Lines across say where panels are; lines
down say to the pixel where a track begins and ends: they divide it evenly or by a logarithm. Where
two combs agree with the lines better than one, two tracks share the border between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg.curves.lines import Lines

USUAL_DPI = 200.0
"""Of a scan that does not say."""
BLOCK_INCHES, PARTS = 1.5, 5
"""Rows that are looked at together: a dozen lines of the usual grid. Lines down are looked at in
parts of it, in which those of a skewed sheet hardly move."""
LINE_INCHES = 0.2
"""Ink that runs so far straight across or down is a line. Curves, letters and digits rarely do."""
BIN_INCHES = 0.02
INK = 35
"""Levels of gray below paper that are ink: many renders have a pale grid."""
LEAST_LINES = 1
"""In a block; one with fewer says nothing about the grid."""
TRACK_INCHES, BREAK_INCHES, FADE_INCHES = 0.5, 0.06, 1.0
"""The narrowest panel; what is missing of the grid under a bold line, and does not end it; in how
much a worn panel has to end."""
WANDER = 0.2
"""Of the scan's width a log may wander to each side."""
FIT = 0.45
"""From -1 to 1: a block that agrees so well with the layout has it."""
LEAST_BLOCKS = 4
REACH_BLOCKS = 8
"""So far from a block that has the layout it is taken to hold."""
ALIGN_INCHES, BORDER_INCHES = 0.1, 0.03
"""How far a part lies aside from where its block does, and a border from where the part says."""

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
        each = [np.interp(rows, self.rows, side) for side in sides]
        return np.stack(each, 1).reshape(len(rows), -1, 2)

    def of(self, rows: Indices, columns: Floats) -> int:
        """Number, from 1, of the track in which most of these points lie; 0: most lie in none.
        Columns may be NaN."""
        above = np.searchsorted(self.rows, rows).clip(1, max(1, len(self.rows) - 1))
        nearest = [
            abs(self.rows[at.clip(0, len(self.rows) - 1)] - rows) for at in (above - 1, above)
        ]
        borders = self.at(rows)
        inside = (borders[..., 0] <= columns[:, None]) & (columns[:, None] <= borders[..., 1])
        counts = (inside & (np.minimum(*nearest) <= self.reach)[:, None]).sum(0)
        most = int(counts.argmax())
        return most + 1 if 2 * counts[most] > np.count_nonzero(columns == columns) else 0


def straight(borders: Sequence[tuple[float, float]]) -> Tracks:
    """Tracks with these left and right borders in every row."""
    return Tracks(np.zeros(1), np.array([borders], float), np.inf)


class TrackFinder:
    """Looks for the tracks of one scan. Feed ``add`` from top to bottom, then ask ``find``.

    Keeps six bytes a column of each block of rows, and the rows of one block. dpi: of the scan, if
    it says.
    """

    def __init__(self, columns: int, dpi: float | None) -> None:
        self.columns, self.dpi = columns, dpi if dpi and 50 <= dpi <= 1200 else USUAL_DPI
        self.block_rows = self._px(BLOCK_INCHES)
        self._rest = np.empty((0, columns), np.uint8)
        self._across: list[Bytes] = []  # lines across in each block and column
        self._down: list[Bytes] = []  # how dark lines down are in each part: 255 black throughout

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
        # Lines of a skewed sheet go on in the next row, or the next column.
        across = cv2.dilate(ink, np.ones((3, 1), np.uint8))
        across = cv2.morphologyEx(across, cv2.MORPH_CLOSE, np.ones((1, short), np.uint8))
        across = cv2.morphologyEx(across, cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
        # How many lines, not how much ink: black bands and photographs have few.
        begun = cv2.subtract(across[1:], across[:-1])
        lines = cv2.reduce(begun, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
        if 2 * cv2.countNonZero(ink) > ink.size:  # a photograph, an inverted title: no grid
            lines[:] = 0
        self._across.append(np.minimum(lines, 255).astype(np.uint8))
        down = cv2.dilate(ink, np.ones((1, 3), np.uint8))
        down = cv2.morphologyEx(down, cv2.MORPH_OPEN, np.ones((long, 1), np.uint8))
        darkness = 255 - 255 * np.arange(256) / max(paper, 1)
        dark = cv2.LUT(gray, darkness.clip(0, 255).astype(np.uint8)) * down * ink
        for part in np.array_split(dark, PARTS):
            mean = cv2.reduce(part, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[0]
            self._down.append(mean.astype(np.uint8))

    def find(self) -> Tracks | None:
        """The tracks; None if there is no grid with clear ends."""
        if len(self._across) < LEAST_BLOCKS:
            return None
        step = max(1, round(BIN_INCHES * self.dpi))
        across = np.stack(self._across)
        bins = [across[:, i : i + step].mean(1) for i in range(0, self.columns, step)]
        lines = np.stack(bins, 1, dtype=np.float32)
        usual = np.percentile(lines, 90, axis=1, keepdims=True)
        grid = np.clip(lines / np.maximum(LEAST_LINES, usual / 2), 0, 1)
        fit, shift = overlay(2 * grid - 1, (usual[:, 0] >= LEAST_LINES).astype(np.float32))
        like = np.flatnonzero(fit > FIT)
        if len(like) < LEAST_BLOCKS:
            return None
        # From here on only blocks that have the layout, laid over each other.
        shift = shift[like] * step
        page = _moved(np.repeat(grid[like], step, 1)[:, : self.columns], shift).mean(0)
        parts = (like[:, None] * PARTS + np.arange(PARTS)).ravel()
        down = np.stack(self._down)[parts].astype(np.float32) / 255
        shift = self._align(down, np.repeat(shift, PARTS))
        down = _moved(down, shift)
        borders = set()
        for left, right in _panels(page > 0.5, self._px(BREAK_INCHES), self._px(TRACK_INCHES)):
            left = self.columns - self._end(page[::-1], self.columns - left)
            right = self._end(page, right)
            borders |= set(Lines(down.mean(0), left, right, self.dpi).tracks(left, right))
        if not borders:
            return None
        sides = [self._follow(down, side) for side in np.ravel(sorted(borders))]
        columns = np.stack(sides, 1) + shift[:, None] + 0.5
        rows = (parts + 0.5) * (self.block_rows / PARTS)
        return Tracks(rows, columns.reshape(len(rows), -1, 2), REACH_BLOCKS * self.block_rows)

    def _end(self, page: Floats, end: int) -> int:
        """Where a panel's lines across end, of which fewer and fewer may go on from ``end``."""
        fade = self._px(FADE_INCHES)
        top, beyond = page[max(0, end - fade) : end].max(), page[end : end + fade]
        if not len(beyond):
            return end
        low = beyond < beyond.min() + 0.3 * (top - beyond.min())
        return end + int(low.argmax())

    def _align(self, down: Floats, shift: Indices) -> Indices:
        """``shift`` of each part, to the pixel: where its lines down lie as in the mean of all."""
        reach = self._px(ALIGN_INCHES)
        for _ in range(2):
            moved = _moved(down, shift)
            mean = cv2.GaussianBlur(moved.mean(0)[None], (0, 0), 1.0)
            mean -= cv2.blur(mean, (reach | 1, 1))
            scores = [moved @ np.roll(mean[0], -i) for i in range(-reach, reach + 1)]
            score = np.stack(scores, 1)
            score /= max(1e-6, float(np.percentile(score.max(1), 75)))
            shift = shift - (course(score, 0.02, 1.0) - reach)
        return shift

    def _follow(self, down: Floats, side: int) -> Floats:
        """Where in each part a border lies that is at ``side`` in the mean of all."""
        room = self._px(BORDER_INCHES)
        window = np.pad(down, ((0, 0), (room, room + 1)))[:, side : side + 2 * room + 1]
        drawn: NDArray[Any] = cv2.GaussianBlur(window, (0, 0), 1.0, sigmaY=2)
        drawn = np.clip(drawn / max(1e-3, float(np.percentile(drawn.max(1), 75))), 0, 1)
        aside = (np.arange(-room, room + 1) / room) ** 2
        return side + (course(drawn - 0.1 * aside, 0.05, 1.0) - room).astype(float)


def overlay(grid: Floats, weight: Floats, rounds: int = 5) -> tuple[Floats, Indices]:
    """Lay the blocks of a log over each other: how well each agrees with the mean of all, from -1
    to 1, and how many columns it lies to the right of it. grid: (blocks, columns), -1 paper to 1
    grid; weight: of each block."""
    columns = grid.shape[1]
    most = max(4, int(WANDER * columns))
    padded = np.pad(grid, ((0, 0), (most, most)), constant_values=-1)
    layout = weight @ grid / max(weight.sum(), 1e-6)
    for _ in range(rounds):
        scores = [padded[:, i : i + columns] @ layout / columns for i in range(2 * most + 1)]
        shift = course(np.stack(scores, 1) * weight[:, None], 0.003, 0.5) - most
        shift -= int(np.median(shift))
        over = _moved(grid, shift, -1)
        fit = over @ layout / max(np.abs(layout).sum(), 1e-6)
        share = weight * np.clip(fit, 0, 1)
        layout = share @ over / max(share.sum(), 1e-6)
    return fit, shift


def course(score: Floats, per_step: float, jump: float) -> Indices:
    """The column in each row that together score highest (Viterbi). A step costs ``per_step`` for
    each column, and at most ``jump``: sheets are joined. score: (rows, columns)."""
    at = np.arange(score.shape[1])
    cost = np.minimum(per_step * np.abs(at[:, None] - at), jump).astype(np.float32)
    came = np.zeros(score.shape, np.int16)
    best = score[0].astype(np.float32)
    for row in range(1, len(score)):
        from_each = best - cost  # to each column (first axis) from each other
        came[row] = from_each.argmax(1)
        best = from_each[at, came[row]] + score[row]
    path = [int(best.argmax())]
    for row in range(len(score) - 1, 0, -1):
        path.append(int(came[row, path[-1]]))
    return np.array(path[::-1])


def _moved(rows: NDArray[Any], shift: Indices, empty: float = 0) -> NDArray[Any]:
    """Each row moved to the left by its shift."""
    most, columns = int(np.abs(shift).max()), rows.shape[1]
    padded = np.pad(rows, ((0, 0), (most, most)), constant_values=empty)
    starts = (most + shift).tolist()
    return np.stack([row[s : s + columns] for row, s in zip(padded, starts, strict=True)])


def _panels(grid: NDArray[np.bool_], bridged: int, least: int) -> list[tuple[int, int]]:
    """[left, right) of each stretch of grid that is not shorter than ``least``."""
    panels: list[tuple[int, int]] = []
    edges = np.flatnonzero(np.diff(np.pad(grid, 1).astype(np.int8)))
    for left, right in edges.reshape(-1, 2).tolist():
        if panels and left - panels[-1][1] < bridged:
            left = panels.pop()[0]
        panels.append((left, right))
    return [(left, right) for left, right in panels if right - left >= least]

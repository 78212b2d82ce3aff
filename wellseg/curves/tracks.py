"""The printed tracks of a scan: panels of grid, with white paper or a shared border between them.

Told by the grid's lines in blocks of rows. A log keeps its layout and wanders sideways as a whole,
so the blocks are first laid over each other; then hundreds of them say together what is printed,
however much is worn, written over or crossed by curves. Lines across say where panels are; lines
down say to the pixel where a track begins and ends: they divide it evenly or by a logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

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
WANDER, ALIGN_INCHES = 0.2, 0.1
"""Of the scan's width a log may wander to each side; and how far a part lies aside from its
block."""
FIT = 0.45
"""From -1 to 1: a block that agrees so well with the layout has it."""
TRACK_INCHES, FADE_INCHES = 0.5, 1.0
"""The narrowest panel; in how much a worn panel has to end."""
LEAST_BLOCKS, REACH_BLOCKS = 4, 8
"""With the layout; so far from one of them it is taken to hold."""

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
        """Number, from 1, of the track in which most of these points lie; 0: most lie in none."""
        nearest = np.rint(np.interp(rows, self.rows, np.arange(len(self.rows)))).astype(int)
        near = abs(self.rows[nearest] - rows) <= self.reach
        borders = self.at(rows)
        inside = (borders[..., 0] <= columns[:, None]) & (columns[:, None] <= borders[..., 1])
        counts = (inside & near[:, None]).sum(0)
        return int(counts.argmax()) + 1 if 2 * counts.max() > len(columns) else 0


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
        step = self._px(BIN_INCHES)
        bins = range(0, self.columns, step)
        across = np.array(self._across).reshape(-1, self.columns)
        lines = np.add.reduceat(across, bins, 1, np.float32) / step
        usual = np.percentile(lines, 90, axis=1, keepdims=True)
        like = np.flatnonzero(usual >= 1)
        if len(like) < LEAST_BLOCKS:
            return None
        grid: Floats = 2 * np.clip(lines[like] / np.maximum(1, usual[like] / 2), 0, 1) - 1
        shift = overlay(grid, max(4, int(WANDER * len(bins))), -1)
        grid = _moved(grid, shift, -1)
        layout = grid.mean(0)
        fits = grid @ layout > FIT * np.abs(layout).sum()
        if fits.sum() < LEAST_BLOCKS:
            return None
        # From here on only blocks that have the layout, laid over each other.
        page = np.repeat(grid[fits].mean(0), step)[: self.columns]
        parts = (like[fits, None] * PARTS + np.arange(PARTS)).ravel()
        down = np.stack(self._down)[parts].astype(np.float32) / 255
        shift, reach = np.repeat(shift[fits] * step, PARTS), self._px(ALIGN_INCHES)
        sharp = _moved(down, shift)
        sharp -= cv2.blur(sharp, (reach | 1, 1))
        shift = shift + overlay(sharp, reach)
        ruled = _moved(down, shift).mean(0)
        borders = set()
        panels = np.flatnonzero(np.diff(page > 0, prepend=False, append=False)).reshape(-1, 2)
        for left, right in panels[np.ptp(panels, 1) >= self._px(TRACK_INCHES)].tolist():
            left = self.columns - self._end(page[::-1], self.columns - left)
            right = self._end(page, right)
            borders |= set(Lines(ruled, left, right, self.dpi).tracks(left, right))
        if not borders:
            return None
        sides = np.array(sorted(borders)) + shift[:, None, None] + 0.5
        return Tracks(
            (parts + 0.5) * (self.block_rows / PARTS), sides, REACH_BLOCKS * self.block_rows
        )

    def _end(self, page: Floats, end: int) -> int:
        """Where a panel's lines across end, of which fewer and fewer may go on from ``end``."""
        fade = self._px(FADE_INCHES)
        top, beyond = page[max(0, end - fade) : end].max(), page[end : end + fade]
        if not len(beyond):
            return end
        return end + int((beyond < beyond.min() + 0.3 * (top - beyond.min())).argmax())


def overlay(rows: Floats, most: int, empty: float = 0) -> Indices:
    """How many columns each row of ``rows`` lies to the right of the mean of all, at most ``most``.
    Where its neighbours lie says more than it does by itself."""
    padded = np.pad(rows, ((0, 0), (most, most)), constant_values=empty)
    shift = np.zeros(len(rows), np.int64)
    for _ in range(3):
        mean = _moved(rows, shift, empty).mean(0)
        score = [padded[:, i : i + len(mean)] @ mean for i in range(2 * most + 1)]
        along = gaussian_filter1d(np.stack(score, 1), 1, axis=0)
        shift = median_filter(along.argmax(1), 5) - most
        shift -= int(np.median(shift))
    return shift


def _moved(rows: Floats, shift: Indices, empty: float = 0) -> Floats:
    """Each row moved to the left by its shift."""
    most = int(np.abs(shift).max())
    padded = np.pad(rows, ((0, 0), (most, most)), constant_values=empty)
    return np.take_along_axis(padded, most + shift[:, None] + np.arange(rows.shape[1]), 1)

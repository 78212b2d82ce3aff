"""A whole scan with its curves painted, reduced and folded into one page."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg.scan.pictures import is_sideways, paint, upright

PAGE_PIXELS = 40_000_000
PAGE_ASPECT = 1.5
"""Width over height of a folded page, about that of a screen."""
GUTTER_PX = 12


class FoldedPage:
    """A preview of a whole scan, fed from top to bottom as stored: reduced, turned upright by its TIFF
    orientation, and folded into columns side by side.

    Paper is reduced by averaging, curves by their maximum, so that no thin curve is lost.
    """

    def __init__(self, rows: int, columns: int, orientation: int = 1) -> None:
        width = rows if is_sideways(orientation) else columns
        self.reduction = max(
            1, math.ceil(math.sqrt(rows * columns / PAGE_PIXELS)), math.ceil(width / 1600)
        )
        self._orientation = orientation
        self._gray = np.empty((0, columns), np.uint8)
        self._mask = np.empty((0, columns), np.uint8)
        self._strips: list[NDArray[np.uint8]] = []

    def add(self, gray: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        """The next rows of the scan and of its mask, uint8 (rows, columns)."""
        gray = np.concatenate([self._gray, gray])
        mask = np.concatenate([self._mask, mask])
        whole = len(gray) // self.reduction * self.reduction
        self._reduce(gray[:whole], mask[:whole])
        self._gray, self._mask = gray[whole:], mask[whole:]

    def _reduce(self, gray: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
        k = self.reduction
        if not len(gray):
            return
        rows, columns = math.ceil(len(gray) / k), math.ceil(gray.shape[1] / k)
        edge = ((0, rows * k - len(gray)), (0, columns * k - gray.shape[1]))
        gray = np.pad(gray, edge, constant_values=255)
        mask = np.pad(mask, edge)
        small = cv2.resize(gray, (columns, rows), interpolation=cv2.INTER_AREA)
        curves = cv2.dilate(mask, np.ones((k, k), np.uint8), anchor=(0, 0))[::k, ::k]
        self._strips.append(paint(small, curves))  # type: ignore[arg-type]

    def picture(self) -> NDArray[np.uint8]:
        """The page, RGB uint8."""
        self._reduce(self._gray, self._mask)
        log = upright(np.concatenate(self._strips), self._orientation)
        height, width = log.shape[:2]
        folds = max(1, round(math.sqrt(PAGE_ASPECT * height / width)))
        rows = math.ceil(height / folds)
        page = np.full((rows, folds * (width + GUTTER_PX) - GUTTER_PX, 3), 255, np.uint8)
        for fold in range(folds):
            part = log[fold * rows : (fold + 1) * rows]
            left = fold * (width + GUTTER_PX)
            page[: len(part), left : left + width] = part
        return page

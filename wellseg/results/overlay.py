"""A whole scan with its curves painted, reduced and folded into one page."""

import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg.scan.pictures import is_sideways, paint, upright

PAGE_PIXELS = 40_000_000
PAGE_ASPECT = 1.5  # width over height of a folded page, about that of a screen
GUTTER_PX, HEAD_PX = 12, 36

Pixels = NDArray[np.uint8]


class Strips:
    """Makes of bands of any number of rows strips of ``rows`` rows. What is left is ``rest``."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.rest: list[Pixels] = []

    def add(self, *parts: Pixels) -> Iterator[list[Pixels]]:
        """The next rows of some pictures, (rows, ...), that belong together."""
        if self.rest:
            parts = tuple(np.concatenate(pair) for pair in zip(self.rest, parts, strict=True))
        count = len(parts[0]) // self.rows * self.rows
        self.rest = [part[count:] for part in parts]
        for start in range(0, count, self.rows):
            yield [part[start : start + self.rows] for part in parts]


class FoldedPage:
    """A preview of a whole scan, fed from top to bottom as stored: reduced, turned upright by its
    TIFF orientation, and folded into columns side by side, each headed by the row it begins with.
    """

    def __init__(self, rows: int, columns: int, orientation: int = 1) -> None:
        width = rows if is_sideways(orientation) else columns
        by_area = math.ceil(math.sqrt(rows * columns / PAGE_PIXELS))
        self.reduction = max(1, by_area, math.ceil(width / 1600))
        self._orientation = orientation
        self._cut = Strips(16 * self.reduction)
        self._small: list[Pixels] = []

    def add(self, picture: Pixels, mask: Pixels) -> None:
        """The next rows, uint8: gray (rows, columns) or colours (rows, columns, 3), and mask."""
        for strip in self._cut.add(picture, mask):
            self._reduce(*strip)

    def _reduce(self, picture: Pixels, mask: Pixels) -> None:
        self._small.append(paint(*reduce(picture, mask, self.reduction)))

    def picture(self, head: Callable[[int], str] = "row {:,}".format) -> Pixels:
        """The page, RGB uint8. head: what stands above the column that begins at a row."""
        if len(self._cut.rest[0]):
            self._reduce(*self._cut.rest)
        log = upright(np.concatenate(self._small), self._orientation)
        height, width = log.shape[:2]
        folds = max(1, round(math.sqrt(PAGE_ASPECT * height / width)))
        rows = math.ceil(height / folds)
        page = np.full((HEAD_PX + rows, folds * (width + GUTTER_PX) - GUTTER_PX, 3), 255, np.uint8)
        for fold in range(folds):
            part = log[fold * rows : (fold + 1) * rows]
            column = slice(fold * (width + GUTTER_PX), fold * (width + GUTTER_PX) + width)
            page[HEAD_PX : HEAD_PX + len(part), column] = part
            text, at = head(fold * rows * self.reduction), (2, HEAD_PX - 11)
            box = page[:HEAD_PX, column]
            cv2.putText(box, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (60,) * 3, 2, cv2.LINE_AA)
        return page


def reduce(picture: Pixels, values: Pixels, step: int) -> tuple[Pixels, Pixels]:
    """Both step times smaller: a picture, (rows, columns) or (rows, columns, 3), by its mean; the
    mask or probability of a curve by its maximum, so that no thin curve is lost."""
    if step == 1:
        return picture, values
    rows, columns = (math.ceil(side / step) for side in values.shape)
    below, right = rows * step - values.shape[0], columns * step - values.shape[1]
    padded = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    small = cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)
    block = np.ones((step, step), np.uint8)
    highest = cv2.dilate(values, block, anchor=(0, 0))[::step, ::step]
    return np.asarray(small, np.uint8), np.asarray(highest, np.uint8)

"""A whole scan with its curves painted, reduced and folded into one page."""

import math

import cv2
import numpy as np

from wellseg.scan.pictures import Gray, is_sideways, paint, upright
from wellseg.scan.writer import Strips

PAGE_PIXELS = 40_000_000
PAGE_ASPECT = 1.5  # width over height of a folded page, about that of a screen
GUTTER_PX, HEAD_PX = 12, 36


class FoldedPage:
    """A preview of a whole scan, fed from top to bottom as stored: reduced, turned upright by its
    TIFF orientation, and folded into columns side by side, each headed by the row it begins with.
    """

    def __init__(self, rows: int, columns: int, orientation: int = 1) -> None:
        width = rows if is_sideways(orientation) else columns
        by_area = math.ceil(math.sqrt(rows * columns / PAGE_PIXELS))
        self.reduction = max(1, by_area, math.ceil(width / 1600))
        self._orientation = orientation
        self._cut = Strips(16 * self.reduction, rows)
        self._small: list[Gray] = []

    def add(self, picture: Gray, mask: Gray) -> None:
        """The next rows, uint8: gray (rows, columns) or colours (rows, columns, 3), and mask."""
        for strip, its_mask in self._cut.add(picture, mask):
            self._small.append(paint(*reduce(strip, its_mask, self.reduction)))

    def picture(self) -> Gray:
        """The page, RGB uint8."""
        log = upright(np.concatenate(self._small), self._orientation)
        height, width = log.shape[:2]
        folds = max(1, round(math.sqrt(PAGE_ASPECT * height / width)))
        rows = math.ceil(height / folds)
        page = np.full((HEAD_PX + rows, folds * (width + GUTTER_PX) - GUTTER_PX, 3), 255, np.uint8)
        for fold in range(folds):
            part = log[fold * rows : (fold + 1) * rows]
            column = slice(fold * (width + GUTTER_PX), fold * (width + GUTTER_PX) + width)
            page[HEAD_PX : HEAD_PX + len(part), column] = part
            text, at = f"row {fold * rows * self.reduction:,}", (2, HEAD_PX - 11)
            box = page[:HEAD_PX, column]
            cv2.putText(box, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (60,) * 3, 2, cv2.LINE_AA)
        return page


def reduce(picture: Gray, values: Gray, step: int) -> tuple[Gray, Gray]:
    """Both step times smaller: a picture, (rows, columns) or (rows, columns, 3), by its mean; the
    mask or probability of a curve by its maximum, so that no thin curve is lost."""
    rows, columns = (math.ceil(side / step) for side in values.shape)
    below, right = rows * step - values.shape[0], columns * step - values.shape[1]
    padded = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    small = cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)
    block = np.ones((step, step), np.uint8)
    highest = cv2.dilate(values, block, anchor=(0, 0))[::step, ::step]
    return np.asarray(small, np.uint8), np.asarray(highest, np.uint8)

"""What of a piece of real paper is certainly no curve, by what the weights say of it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Probabilities. A curve that the weights miss leaves a trace of a few per cent; missed curves in
# the paper would teach the network to miss them.
MAYBE = 0.03  # from here on a pixel may be curve,
SURE = 0.5  # is one,
CERTAIN = 0.9  # and in a tall, not quite straight piece is taken for truth, with --curves
# Lengths in inches, along the log and across.
REACH_IN = 0.04, 0.015  # around what may be curve nothing is scored; with --curves a pen's width:
GAP_IN = (1.0, 0.4), (0.3, 0.06)  # pixels so near each other may be one curve, with --curves too
TALL_IN = 1.0  # a connected piece of that height is a curve; lettering is shorter
LOST_IN = 0.75, 0.3  # length and half width not scored above and below a curve's ends
START_IN = 0.3  # a curve fades in: so far above its first row the header ends
HEAVY_IN = 0.05  # ink wider than that, beside a grid, may be curves run together,
WIDE_IN = 0.12  # wider than any pen: no truth,
BLACK_IN = 0.3  # a flooded copy or a scanner's bed: no curve
STRAIGHT_IN = 0.06  # a piece as narrow as that may be a line of the grid


def paper_mask(
    gray: NDArray[np.uint8],
    probability: NDArray[np.float32],
    dpi: float,
    header: bool,
    curves: bool = False,
    first_curve_row: int | None = None,
) -> tuple[NDArray[np.uint8], bool]:
    """What is certainly not curve: uint8 (rows, columns), 0 no curve, 128 unknown; with ``curves``,
    255 a curve.

    gray: uint8 (rows, columns). probability: that of curve, float32, the same shape.
    header: the rows above these, if there are any, hold no curve. Also says whether that is still
    so below.
    first_curve_row: of these rows, where somebody has looked: 0 or less, or the number of rows and
    more, if it lies above or below them. None: the weights tell.
    """
    rows, end = len(gray), 0  # of the header
    maybe: NDArray[Any] = _as_bytes(probability > MAYBE)
    sure = cv2.morphologyEx(_as_bytes(probability > SURE), cv2.MORPH_CLOSE, _box(dpi, 0.05, 0.02))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(sure)
    stats[0] = 0  # the background
    _, top, width, height, _ = stats.T
    tall = height >= dpi * TALL_IN
    if first_curve_row is not None:
        end = min(max(0, first_curve_row), rows)
    elif header:
        # A piece that begins just above the last row goes on below.
        starts = tall | ((top + height >= rows - 2) & (height >= dpi * TALL_IN / 4))
        end = max(0, min(top[starts], default=rows) - round(dpi * START_IN) * starts.any())
        _, pieces, each, _ = cv2.connectedComponentsWithStats(maybe)
        lettering = each[:, cv2.CC_STAT_HEIGHT] < dpi * TALL_IN
        lettering &= each[:, cv2.CC_STAT_TOP] + each[:, cv2.CC_STAT_HEIGHT] <= end
        maybe[lettering[pieces]] = 0
    maybe = cv2.morphologyEx(maybe, cv2.MORPH_CLOSE, _box(dpi, *GAP_IN[curves]))
    lost = _as_bytes(_wider(gray, dpi * HEAVY_IN))
    length, half = (round(dpi * inches) for inches in LOST_IN)
    for piece in np.flatnonzero(tall):
        for row, way in ((top[piece], -length), (top[piece] + height[piece] - 1, length)):
            x = int(np.flatnonzero(labels[row] == piece).mean())
            cv2.rectangle(lost, (x - half, int(row)), (x + half, int(row) + way), 1, -1)
    maybe[end:] = np.maximum(maybe, lost)[end:]
    mask: NDArray[Any] = 128 * cv2.dilate(maybe, _disc(2 * dpi * REACH_IN[curves]))
    if curves:
        mask[(probability > CERTAIN) & (tall & (width > dpi * STRAIGHT_IN))[labels]] = 255
    if first_curve_row is not None:
        mask[:end] = 0
    for inches, was, becomes in ((WIDE_IN, 255, 128), (BLACK_IN, 128, 0)):
        mask[_wider(gray, dpi * inches) & (mask == was)] = becomes
    return mask, header and end == rows


def _as_bytes(these: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return these.astype(np.uint8)


def _wider(gray: NDArray[np.uint8], px: float) -> NDArray[np.bool_]:
    """Where ink is wider than that in each direction."""
    return cv2.morphologyEx(_as_bytes(gray < 128), cv2.MORPH_OPEN, _disc(px)) > 0


def _disc(px: float) -> NDArray[Any]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(2, round(px / 2)) + 1,) * 2)


def _box(dpi: float, rows_in: float, columns_in: float) -> NDArray[Any]:
    """A morphological kernel of that size in inches, no smaller than 3 x 3."""
    return np.ones((max(3, round(dpi * rows_in)), max(3, round(dpi * columns_in))), np.uint8)

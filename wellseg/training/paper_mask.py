"""What of a piece of real paper is certainly no curve, by what the weights say of it."""

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
) -> tuple[NDArray[np.uint8], bool]:
    """What is certainly not curve: uint8 (rows, columns), 0 no curve, 128 unknown; with ``curves``,
    255 a curve.

    gray: uint8 (rows, columns). probability: that of curve, float32, the same shape.
    header: the rows above these hold no curve; also says whether that is still so below.
    """
    rows, end = len(gray), 0  # of the header
    maybe: NDArray[Any] = (probability > MAYBE).astype(np.uint8)
    sure: NDArray[Any] = (probability > SURE).astype(np.uint8)
    sure = cv2.morphologyEx(sure, cv2.MORPH_CLOSE, _kernel(cv2.MORPH_RECT, dpi, 0.05, 0.02))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(sure)
    stats[0] = 0  # the background
    _, top, width, height, _ = stats.T
    tall = height >= dpi * TALL_IN
    if header:
        # A piece that begins just above the last row goes on below.
        starts = tall | ((top + height >= rows - 2) & (height >= dpi * TALL_IN / 4))
        end = max(0, min(top[starts], default=rows) - round(dpi * START_IN) * starts.any())
        _, pieces, each, _ = cv2.connectedComponentsWithStats(maybe)
        lettering = each[:, cv2.CC_STAT_HEIGHT] < dpi * TALL_IN
        lettering &= each[:, cv2.CC_STAT_TOP] + each[:, cv2.CC_STAT_HEIGHT] <= end
        maybe[lettering[pieces]] = 0
    maybe = cv2.morphologyEx(maybe, cv2.MORPH_CLOSE, _kernel(cv2.MORPH_RECT, dpi, *GAP_IN[curves]))
    lost = _wider(gray, dpi, HEAVY_IN).astype(np.uint8)
    length, half = (round(dpi * inches) for inches in LOST_IN)
    for piece in np.flatnonzero(tall):
        for row, way in ((top[piece], -length), (top[piece] + height[piece] - 1, length)):
            x = int(np.flatnonzero(labels[row] == piece).mean())
            cv2.rectangle(lost, (x - half, int(row)), (x + half, int(row) + way), 1, -1)
    maybe[end:] = np.maximum(maybe, lost)[end:]
    reach = 2 * REACH_IN[curves]
    mask: NDArray[Any] = 128 * cv2.dilate(maybe, _kernel(cv2.MORPH_ELLIPSE, dpi, reach, reach))
    if curves:
        mask[(probability > CERTAIN) & (tall & (width > dpi * STRAIGHT_IN))[labels]] = 255
    mask[_wider(gray, dpi, WIDE_IN) & (mask == 255)] = 128
    mask[_wider(gray, dpi, BLACK_IN) & (mask == 128)] = 0
    return mask, header and end == rows


def _wider(gray: NDArray[np.uint8], dpi: float, inches: float) -> NDArray[np.bool_]:
    """Where ink is wider than that in each direction."""
    ink, disc = (gray < 128).astype(np.uint8), _kernel(cv2.MORPH_ELLIPSE, dpi, inches, inches)
    return cv2.morphologyEx(ink, cv2.MORPH_OPEN, disc) > 0


def _kernel(shape: int, dpi: float, rows_in: float, columns_in: float) -> NDArray[Any]:
    """Of that size in inches: an odd number of pixels, at least five."""
    columns, rows = (2 * max(2, round(dpi * size / 2)) + 1 for size in (columns_in, rows_in))
    return cv2.getStructuringElement(shape, (columns, rows))

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
REACH_IN = 0.04  # around what may be curve nothing is scored: a heavy pen's width
GAP_IN = 1.0, 0.25  # between pixels that may be curve, it may run on where the weights lost it
TALL_IN = 1.0  # a connected piece of that height is a curve; lettering is shorter
LOST_IN = 0.75, 0.3  # length and half width not scored above and below a curve's ends
START_IN = 0.3  # a curve fades in: so far above its first row the header ends
ISLAND_IN = 1.0  # smaller squares of certain paper are crossed by what was seen beside them
HEAVY_IN = 0.05  # ink wider than that, beside a grid, may be curves run together
WIDE_IN, BLACK_IN = 0.12, 0.3  # wider than any pen: no truth; a flooded copy, so no curve
STRAIGHT_IN = 0.06  # a piece as narrow as that may be a line of the grid
# With --curves, instead of GAP_IN and REACH_IN: the grid beside curves is what there is to learn.
CURVES_GAP_IN, CURVES_REACH_IN = (0.3, 0.06), 0.015


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
    rows = len(probability)
    end = 0  # of the header
    maybe: NDArray[Any] = (probability > MAYBE).astype(np.uint8)
    pieces = cv2.morphologyEx(
        (probability > SURE).astype(np.uint8), cv2.MORPH_CLOSE, _box(dpi, 0.05, 0.02)
    )
    count, labels, stats, _ = cv2.connectedComponentsWithStats(pieces)
    lost = _beyond_ends(labels, stats, dpi)
    tall = (stats[:, cv2.CC_STAT_HEIGHT] >= dpi * TALL_IN) & (
        stats[:, cv2.CC_STAT_WIDTH] > dpi * STRAIGHT_IN
    )
    tall[0] = False
    certain = (
        (probability > CERTAIN) & tall[labels] if curves else np.zeros(probability.shape, bool)
    )
    gap_in, reach_in = (CURVES_GAP_IN, CURVES_REACH_IN) if curves else (GAP_IN, REACH_IN)
    if first_curve_row is not None:
        end = min(max(0, first_curve_row), rows)
        header = end == rows
        maybe[:end] = 0
    elif header:
        starts = [
            int(top)
            for top, height in stats[1:count, [cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT]]
            # One that begins just above the last row goes on below.
            if height >= dpi * TALL_IN or (top + height >= rows - 2 and height >= dpi * TALL_IN / 4)
        ]
        header = not starts
        end = rows if header else max(0, min(starts) - round(dpi * START_IN))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(maybe)
        short = (stats[:, cv2.CC_STAT_HEIGHT] < dpi * TALL_IN) & (
            stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT] <= end
        )
        short[0] = True
        maybe = np.where(short[labels], 0, 1).astype(np.uint8)
    maybe = cv2.morphologyEx(maybe, cv2.MORPH_CLOSE, _box(dpi, *gap_in))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(5, round(dpi * HEAVY_IN)),) * 2)
    heavy = cv2.morphologyEx((gray < 128).astype(np.uint8), cv2.MORPH_OPEN, disc)
    maybe[end:] = np.maximum(maybe, np.maximum(lost, heavy))[end:]
    reach = 2 * max(2 if curves else 4, round(dpi * reach_in)) + 1
    maybe = cv2.dilate(maybe, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    if not curves:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(
            np.where(maybe > 0, 0, 1).astype(np.uint8)
        )
        island = stats[:, cv2.CC_STAT_AREA] < (dpi * ISLAND_IN) ** 2
        maybe[island[labels]] = 1
    certain[:end] = False
    if first_curve_row is not None:
        maybe[:end] = 0
    mask = np.where(certain, 255, np.where(maybe > 0, 128, 0)).astype(np.uint8)
    _settle_black(gray, mask, dpi)
    return mask, header


def _settle_black(gray: NDArray[np.uint8], mask: NDArray[np.uint8], dpi: float) -> None:
    """Ink wider than any pen's: no curve for certain where it is a flooded copy or a scanner's bed.
    In place.

    gray, mask: uint8 (rows, columns), as paper_mask takes and gives them.
    """
    ink = (gray < 128).astype(np.uint8)
    for inches, was, becomes in ((WIDE_IN, 255, 128), (BLACK_IN, 128, 0)):
        side = 2 * round(dpi * inches / 2) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        mask[(cv2.morphologyEx(ink, cv2.MORPH_OPEN, disc) > 0) & (mask == was)] = becomes


def _beyond_ends(labels: NDArray[Any], stats: NDArray[Any], dpi: float) -> NDArray[np.uint8]:
    """1 above and below the ends of each tall piece, uint8 (rows, columns).

    labels, stats: of the pieces, as OpenCV's connectedComponentsWithStats gives them.
    """
    beyond = np.zeros(labels.shape, np.uint8)
    length, half = (round(dpi * inches) for inches in LOST_IN)
    for piece in range(1, len(stats)):
        left, top, width, height, _ = (int(value) for value in stats[piece])
        if height < dpi * TALL_IN:
            continue
        for row, start, stop in (
            (top, top - length, top),
            (top + height - 1, top + height, top + height + length),
        ):
            x = left + int(np.flatnonzero(labels[row, left : left + width] == piece).mean())
            cv2.rectangle(beyond, (x - half, start), (x + half, stop), 1, -1)
    return beyond


def _box(dpi: float, rows_in: float, columns_in: float) -> NDArray[Any]:
    """A morphological kernel of that size in inches, no smaller than 3 x 3."""
    return np.ones((max(3, round(dpi * rows_in)), max(3, round(dpi * columns_in))), np.uint8)

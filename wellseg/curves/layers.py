"""The curve pixels of a colour scan, apart by colour: each printing colour is a layer of its own.

Curves of two colours can then cross, touch or run side by side without being taken for each other.
The mask of a stroke is wider than its ink, and its edges have mixed colours: each of its pixels
belongs to the nearest one whose colour is clear.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

Bytes = NDArray[np.uint8]

CHROMA = 60
"""Largest less smallest channel from which on a pixel has a hue."""
DARK = 110
"""Without a hue, and no channel above: black ink. Paler is a grid, or the edge of a stroke."""
HUE_APART = 14
"""Hues (0 to 179) so far from a known ink's are another ink."""
LEAST_PIXELS = 40
"""A new ink has so many pixels in a block of rows."""
REACH_PX = 8
"""A pixel farther than this from every clear one belongs to GRAY."""

GRAY, BLACK, FIRST_INK = 1, 2, 3


def split_colours(mask: NDArray[np.bool_], colours: Bytes | None, hues: list[int]) -> Bytes:
    """The layer of each pixel of a mask, 0 where there is no curve: uint8 (rows, columns). colours:
    RGB, or None: one layer. hues: those of the scan's inks; new ones are added."""
    if colours is None or not mask.any():
        return np.where(mask, np.uint8(BLACK), np.uint8(0))
    pixels = colours[mask]
    hue = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2HSV)[0, :, 0]
    bright = pixels.max(1)
    coloured = bright - pixels.min(1) >= CHROMA
    layer = np.where(~coloured & (bright < DARK), np.uint8(BLACK), np.uint8(0))
    count = 7 * uniform_filter1d(np.bincount(hue[coloured], minlength=180) / 1, 7, mode="wrap")
    away = [_away(known) for known in hues]
    while True:
        count[np.min(away, axis=0, initial=90) <= HUE_APART] = 0
        if count.max() < LEAST_PIXELS:
            break
        hues.append(int(count.argmax()))
        away.append(_away(hues[-1]))
    if hues:
        layer[coloured] = FIRST_INK + np.argmin(away, axis=0)[hue[coloured]]
    clear = np.zeros(mask.shape, np.uint8)
    clear[mask] = layer
    return _spread(clear, mask)


def _away(known: int) -> NDArray[np.int64]:
    """How far each hue is from a known one, at most 90."""
    away: NDArray[np.int64] = np.abs(np.arange(180) - known)
    return np.minimum(away, 180 - away)


def _spread(clear: Bytes, mask: NDArray[np.bool_]) -> Bytes:
    """The layer of the nearest clear pixel for every pixel of the mask."""
    if not clear.any():
        return np.where(mask, np.uint8(GRAY), np.uint8(0))
    distance, nearest = cv2.distanceTransformWithLabels(
        (clear == 0).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(nearest.max()) + 1, np.uint8)
    of_label[nearest[clear > 0]] = clear[clear > 0]
    layers = np.where(distance <= REACH_PX, of_label[nearest], np.uint8(GRAY))
    return np.where(mask, layers, np.uint8(0))

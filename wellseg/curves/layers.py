"""The curve pixels of a colour scan, apart by colour: each printing colour is a layer of its own.

Curves of two colours can then cross, touch or run side by side without being taken for each other.
The mask of a stroke is wider than its ink, and its edges have mixed colours: each of its pixels
belongs to the nearest one whose colour is clear.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

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
"""A pixel farther than this from every clear one belongs to layer 1: gray curves."""

GRAY, BLACK, FIRST_INK = 1, 2, 3


class Layers:
    """Gives each pixel of a mask the number of its layer; learns the inks of a scan as they
    come."""

    def __init__(self) -> None:
        self.hues: list[int] = []

    def split(self, mask: NDArray[np.bool_], colours: Bytes | None) -> Bytes:
        """uint8 (rows, columns): 0 no curve, else the layer. colours: RGB, or None: one layer."""
        if colours is None or not mask.any():
            return mask.astype(np.uint8) * np.uint8(BLACK)
        rows, columns = np.nonzero(mask)
        pixels = colours[rows, columns]
        hsv = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2HSV)[0]
        most, least = pixels.max(1), pixels.min(1)
        has_hue = most - least >= CHROMA
        layer = np.where(~has_hue & (most < DARK), np.uint8(BLACK), np.uint8(0))
        layer[has_hue] = self._ink(hsv[has_hue, 0])
        clear = np.zeros(mask.shape, np.uint8)
        clear[rows, columns] = layer
        return _spread(clear, mask)

    def _ink(self, hue: Bytes) -> Bytes:
        """The layer of each hue."""
        counts = np.bincount(hue, minlength=180).astype(float)
        smooth = np.convolve(np.concatenate([counts[-3:], counts, counts[:3]]), np.ones(7), "valid")
        while True:
            apart = _away(np.arange(180), self.hues).min(1, initial=90) > HUE_APART
            mode = int(np.argmax(np.where(apart, smooth, -1.0)))
            if not apart[mode] or smooth[mode] < LEAST_PIXELS or len(self.hues) > 200:
                break
            self.hues.append(mode)
        if not self.hues:
            return np.zeros(len(hue), np.uint8)
        layer: Bytes = (FIRST_INK + _away(hue.astype(int), self.hues).argmin(1)).astype(np.uint8)
        return layer


def _away(hue: NDArray[np.int64], known: list[int]) -> NDArray[np.int64]:
    """How far each hue is from each known one: (hues, known), at most 90."""
    away: NDArray[np.int64] = np.abs(hue[:, None] - np.array(known, int))
    return np.minimum(away, 180 - away)


def _spread(clear: Bytes, mask: NDArray[np.bool_]) -> Bytes:
    """The layer of the nearest clear pixel for every pixel of the mask."""
    if not clear.any():
        return mask.astype(np.uint8) * np.uint8(GRAY)
    distance, nearest = cv2.distanceTransformWithLabels(
        (clear == 0).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(nearest.max()) + 1, np.uint8)
    of_label[nearest[clear > 0]] = clear[clear > 0]
    layers = np.where(distance <= REACH_PX, of_label[nearest], np.uint8(GRAY))
    return np.where(mask, layers, np.uint8(0))

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
PATCH_PIXELS, PATCHY = 120, 0.55
"""Prints mix their colours of dots, and a thin stroke is of many. A patch has fewer pixels; an ink
of which more than this share is patches beside others is no layer, but goes with black."""
REACH_PX = 8
"""A pixel farther than this from every clear one goes with black."""

BLACK, FIRST_INK = np.uint8(1), 2


def split_colours(mask: NDArray[np.bool_], colours: Bytes | None, hues: list[int]) -> Bytes:
    """The layer of each pixel of a mask, 0 where there is no curve: uint8 (rows, columns). colours:
    RGB, or None: one layer. hues: those of the scan's inks; new ones are added."""
    if colours is None or not mask.any():
        return mask * BLACK
    pixels = colours[mask]
    hue = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2HSV)[0, :, 0]
    bright = pixels.max(1)
    coloured = bright - pixels.min(1) >= CHROMA
    layer = (~coloured & (bright < DARK)) * BLACK
    count = 7 * uniform_filter1d(np.bincount(hue[coloured], minlength=180) / 1, 7, mode="wrap")
    while True:
        count[_away(hues).min(0, initial=90) <= HUE_APART] = 0
        if count.max() < LEAST_PIXELS:
            break
        hues.append(int(count.argmax()))
    if hues:
        layer[coloured] = FIRST_INK + _away(hues).argmin(0)[hue[coloured]]
    clear = np.zeros(mask.shape, np.uint8)
    clear[mask] = layer
    distance, nearest = cv2.distanceTransformWithLabels(
        (clear == 0).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(nearest.max() + 1, np.uint8)
    of_label[nearest[clear > 0]] = clear[clear > 0]
    layers = np.where(distance <= REACH_PX, of_label[nearest], BLACK) * mask
    inks = range(FIRST_INK, FIRST_INK + len(hues))
    patchy = [ink for ink in inks if _is_patchy(layers, ink)]
    return np.where(np.isin(layers, patchy), BLACK, layers)


def _is_patchy(layers: Bytes, ink: int) -> bool:
    """Whether an ink has no strokes of its own: most of it is small patches beside other inks."""
    own = layers == ink
    _, patch, facts, _ = cv2.connectedComponentsWithStats(own.view(np.uint8))
    beside = own & (cv2.dilate(layers * ~own, np.ones((3, 3), np.uint8)) > 0)
    size = facts[np.unique(patch[beside]), cv2.CC_STAT_AREA]
    return bool(size[size < PATCH_PIXELS].sum() > PATCHY * np.count_nonzero(own))


def _away(hues: list[int]) -> NDArray[np.int64]:
    """How far each hue is from each of these, (hues, 180), at most 90."""
    away: NDArray[np.int64] = np.abs(np.subtract.outer(hues, np.arange(180)))
    return np.minimum(away, 180 - away)

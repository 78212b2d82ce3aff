"""Pictures for people: rows turned upright, gray with its curves painted, PNG."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

CURVE, HIT, FALSE, MISSED = (230, 20, 40), (0, 150, 60), (230, 20, 40), (30, 60, 230)  # RGB
MARGIN_PX = 40
"""Of paper around the scored pixels."""
PICTURE_PIXELS = 40_000_000


def is_sideways(orientation: int) -> bool:
    """Whether the rows of a file are columns of what it shows, by its TIFF orientation, 1 to 8."""
    return orientation > 4


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """From rows as stored to rows as a person sees them: a view of `pixels`, (rows, columns, ...).

    orientation: the TIFF tag, 1 to 8; it says where the first row and column lie in the picture.
    """
    if is_sideways(orientation):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):  # the first row, or column, lies at the bottom
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels  # ... at the right


def paint(gray: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gray (rows, columns), or RGB, with its mask in red -> RGB uint8 (rows, columns, 3)."""
    faded = (120 + gray * (135 / 255)).astype(np.uint8)  # so that red stands out from black ink
    picture: NDArray[np.uint8] = faded if faded.ndim == 3 else np.dstack([faded] * 3)
    picture[mask > 127] = CURVE
    return picture


def draw_errors(
    gray: NDArray[np.uint8], prediction: NDArray[np.bool_], truth: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Paint what was right and wrong by more than 3 px: RGB uint8 (rows, columns, 3).

    Predicted curve is green near a true one (255), else red; true curve without a predicted one
    near it is blue; what is not scored (128) is pale. Cut to the scored part and some paper around,
    and reduced to PICTURE_PIXELS.
    """
    left, top, width, height = cv2.boundingRect((truth != 128).view(np.uint8))
    across = slice(max(0, left - MARGIN_PX), left + width + MARGIN_PX)
    box = slice(max(0, top - MARGIN_PX), top + height + MARGIN_PX), across
    gray, prediction, truth = gray[box], prediction[box], truth[box]
    scored, true = truth != 128, truth == 255
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    near, found = (cv2.dilate(mask.view(np.uint8), disc) > 0 for mask in (true, prediction))
    picture = paint(gray, np.zeros_like(gray))
    picture[~scored] = 200 + picture[~scored] * (55 / 255)
    picture[prediction & scored] = FALSE
    picture[prediction & scored & near] = HIT
    picture[true & ~found] = MISSED
    share = 1 / max(1, math.ceil(math.sqrt(gray.size / PICTURE_PIXELS)))
    small = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """RGB uint8 (rows, columns, 3) -> PNG."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 4])[1].tobytes()

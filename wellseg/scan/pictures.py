"""Pictures for people: rows turned upright, gray with its curves painted, PNG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CURVE, HIT, FALSE, MISSED = (230, 20, 40), (0, 150, 60), (230, 20, 40), (30, 60, 230)  # RGB


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
    if orientation in (2, 3, 6, 7):  # ... at the right
        pixels = pixels[:, ::-1]
    return pixels


def paint(
    gray: NDArray[np.uint8], mask: NDArray[np.uint8], truth: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Gray (rows, columns), or RGB, with its mask in red -> RGB uint8 (rows, columns, 3).

    With a truth (255 curve, 0 not, 128 not scored): hits green, false red, missed blue.
    """
    faded = (120 + gray * (135 / 255)).astype(np.uint8)  # so that red stands out from black ink
    picture: NDArray[np.uint8] = faded if faded.ndim == 3 else np.dstack([faded] * 3)
    found = mask > 127
    if truth is None:
        picture[found] = CURVE
        return picture
    curve, scored = truth == 255, truth != 128
    picture[found & scored] = FALSE
    picture[found & curve] = HIT
    picture[~found & curve] = MISSED
    return picture


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """RGB uint8 (rows, columns, 3) -> PNG."""
    _, data = cv2.imencode(
        ".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 4]
    )
    return data.tobytes()

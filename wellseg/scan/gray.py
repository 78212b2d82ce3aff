"""From samples to gray, 0 ink to 255 paper: depth, transparency, and colours that are ink."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

STRONG_COLOUR = 96  # a colour is ink from this difference of its channels on


def to_gray(pixels: Gray) -> Gray:
    """Gray in which light colours are ink: of RGB, uint8 (rows, columns, 3), or of gray as it is.

    Rec. 601 luma (0.299 R + 0.587 G + 0.114 B), less the saturation (largest less smallest
    channel) beyond STRONG_COLOUR. By luma alone pure yellow is 226 and cyan 179, paler than most
    grids; by this rule they are 67 and 20. Tinted paper and pale grids stay as they are.
    """
    if pixels.ndim == 2:
        return pixels
    rgb = np.ascontiguousarray(pixels)
    red, green, blue = cv2.split(rgb)
    most, least = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    strong = np.maximum(cv2.subtract(most, least), STRONG_COLOUR) - np.uint8(STRONG_COLOUR)
    return np.asarray(cv2.subtract(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), strong), np.uint8)


def scale(values: NDArray[Any], black: float, white: float) -> Gray:
    """From black..white to 0..255; what is no number is 255."""
    if values.dtype == np.uint8 and (black, white) == (0, 255):
        return values  # the usual case needs no arithmetic
    # float32 has fewer digits than 32-bit integers, and enough for shorter ones.
    scaled: NDArray[Any] = values.astype(np.float32 if values.itemsize < 4 else float)
    scaled -= black
    scaled *= 255 / (white - black or 1.0)
    gray: Gray = np.clip(np.rint(np.nan_to_num(scaled, nan=255.0)), 0, 255).astype(np.uint8)
    return gray


def on_white(shown: Gray, alpha: Gray | None, premultiplied: bool, colour: bool) -> Gray:
    """What is seen of a picture on white paper: gray (rows, columns), or R, G, B if `colour`.

    shown: gray, (rows, columns), or R, G, B. alpha: (rows, columns).
    """
    if alpha is not None:
        opacity = alpha.astype(np.uint16).reshape(alpha.shape + (1,) * (shown.ndim - 2))
        ink = shown.astype(np.uint16)
        ink = ink if premultiplied else (ink * opacity + 127) // 255
        shown = np.minimum(ink + 255 - opacity, 255).astype(np.uint8)
    return shown if colour else to_gray(shown)

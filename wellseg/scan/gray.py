"""From samples to gray, 0 ink to 255 paper: polarity, palettes, colour, depth, transparency."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from wellseg.scan.errors import ScanError

Gray = NDArray[np.uint8]

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, YCBCR = 0, 1, 2, 3, 4, 6
COLOUR_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, MASK: 1, YCBCR: 3}
"""Of what is decoded strip by strip; YCbCr is RGB when the JPEG decoder has done with it."""

CHUNK_PIXELS = 2**20
"""Gray is computed in pieces of about so many pixels, to keep the temporaries small."""


class ToGray:
    """Turns the samples of one page of a TIFF into gray; with `colour`, a coloured one into RGB.

    signed: whether the samples are. table: the gray (or R, G, B) of each value, (256,) or (256, 3),
    for one sample of up to 8 bits; else None. kind: "1-bit", "gray" or "colour".
    Raises ScanError for a palette that does not fit.
    """

    def __init__(self, page: tifffile.TiffPage, signed: bool, colour: bool) -> None:
        self._photometric, self._bits = int(page.photometric), int(page.bitspersample)
        self._signed, self._extra = signed, tuple(page.extrasamples)
        coloured = COLOUR_CHANNELS[self._photometric] == 3
        if self._photometric == PALETTE and page.colormap is not None:
            coloured = bool(np.ptp(page.colormap, axis=0).any())
        self.kind = "colour" if coloured else "1-bit" if self._bits == 1 else "gray"
        self._colour = colour and coloured
        self.table = self._table(page)

    def _table(self, page: tifffile.TiffPage) -> Gray | None:
        if self._bits > 8 or self._signed or COLOUR_CHANNELS[self._photometric] > 1:
            return None
        size = 2**self._bits
        table = np.zeros(256, np.uint8)
        if self._photometric == PALETTE:
            colours = np.asarray(page.colormap)
            if colours.shape != (3, size):
                raise ScanError("its palette is missing or of the wrong size: it is damaged")
            # Some writers store 8-bit entries where 16-bit ones belong (so libtiff's readers).
            colours = colours >> 8 if colours.max() > 255 else colours
            rgb = np.ascontiguousarray(colours.astype(np.uint8).T)
            if self._colour:
                return np.pad(rgb, ((0, 256 - size), (0, 0)))
            table[:size] = to_gray(rgb[None])[0]
        else:
            table[:size] = np.arange(size) * 255 // (size - 1)
            if self._photometric == WHITE_IS_ZERO:
                table[:size] = 255 - table[:size]
        return table

    def __call__(self, samples: NDArray[Any]) -> Gray:
        """Gray (rows, columns), 0 ink to 255 paper, or R, G, B, of (rows, columns, samples)."""
        rows, columns, _ = samples.shape
        gray = np.empty((rows, columns, 3) if self._colour else (rows, columns), np.uint8)
        step = max(1, CHUNK_PIXELS // columns)
        for row in range(0, rows, step):
            gray[row : row + step] = self._chunk(samples[row : row + step])
        return gray

    def _chunk(self, samples: NDArray[Any]) -> Gray:
        channels = COLOUR_CHANNELS[self._photometric]
        alpha = None
        if self._extra[:1] in ((1,), (2,)) and samples.shape[2] > channels:
            alpha = self._to_8_bit(samples[..., channels])
        if self.table is not None:
            shown = self.table[samples[..., 0]]
        else:
            shown = self._to_8_bit(samples)
            # A JPEG may hold fewer components than its page says.
            shown = shown[..., : channels if shown.shape[2] >= channels else 1]
            if self._photometric == WHITE_IS_ZERO:
                shown = 255 - shown
        return flatten(shown, alpha, premultiplied=self._extra[:1] == (1,), colour=self._colour)

    def _to_8_bit(self, values: NDArray[Any]) -> Gray:
        """Map the format's full range onto 0..255."""
        if values.dtype == np.uint8 and self._bits == 8:
            return values  # the usual case needs no arithmetic
        low = -(2.0 ** (self._bits - 1)) if self._signed else 0.0
        scaled: NDArray[Any] = values.astype(np.float32 if values.itemsize < 4 else float)
        scaled -= low
        scaled *= 255 / (2.0**self._bits - 1)
        gray: Gray = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        return gray


STRONG_COLOUR = 96
"""A colour is ink from this difference of its channels on; paper and pale grids have less."""


def flatten(shown: Gray, alpha: Gray | None, *, premultiplied: bool, colour: bool) -> Gray:
    """What is seen of a picture on white paper: gray (rows, columns), or R, G, B.

    shown: gray, (rows, columns) or (rows, columns, 1), or R, G, B. alpha: (rows, columns).
    """
    if shown.ndim == 3 and shown.shape[2] == 1:
        shown = shown[..., 0]
    if alpha is not None:
        opacity = alpha.astype(np.uint16).reshape(alpha.shape + (1,) * (shown.ndim - 2))
        ink = shown.astype(np.uint16)
        ink = ink if premultiplied else (ink * opacity + 127) // 255
        shown = np.minimum(ink + 255 - opacity, 255).astype(np.uint8)
    if not colour:
        return to_gray(shown)
    return shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)


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

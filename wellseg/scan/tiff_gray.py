"""From a TIFF's samples to gray, 0 ink to 255 paper: polarity, palettes, colour, depth, transparency.

Behind `wellseg.scan.tiff_pages`, which reads the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from wellseg.scan.tiff_codecs import IMAGE_CODECS, Gray, ScanError

CHUNK_PIXELS = 2**20
"""Gray is computed in pieces of about so many pixels, to keep the temporaries small."""

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR = 0, 1, 2, 3, 4, 5, 6
CIELAB, ICCLAB, ITULAB = 8, 9, 10
COLOUR_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, MASK: 1, CMYK: 4,
                   YCBCR: 3, CIELAB: 3, ICCLAB: 3, ITULAB: 3}  # fmt: skip


class ToGray:
    """Turns the samples of one page into gray; with ``colour`` a coloured one into R, G, B.

    sample_format: 1 unsigned, 2 signed, 3 float. read: all samples of the page, for floats whose range nobody says.
    table: gray (or R, G, B) of each value, (256,) or (256, 3), for one sample of up to 8 bits.
    kind: what the page's pixels are: "1-bit", "gray" or "colour".
    Raises ScanError for a palette that does not fit.
    """

    def __init__(
        self,
        page: tifffile.TiffPage,
        sample_format: int,
        read: Callable[[], Iterator[NDArray[Any]]],
        colour: bool = False,
    ) -> None:
        self._photometric, self._bits, self._format = (
            int(page.photometric),
            int(page.bitspersample),
            sample_format,
        )
        self._extra = tuple(page.extrasamples)
        # JPEG's and WebP's decoders have turned YCbCr into RGB.
        self._is_rgb = self._photometric == RGB or (
            self._photometric == YCBCR and int(page.compression) in IMAGE_CODECS
        )
        palette = page.colormap if self._photometric == PALETTE else None
        has_colours = self._is_rgb or self._photometric == CMYK
        if palette is not None:
            has_colours = bool(np.ptp(palette, axis=0).any())
        self.kind = "colour" if has_colours else "1-bit" if self._bits == 1 else "gray"
        self._colour = colour and has_colours
        self._read = read
        self._span: tuple[float, float] | None = None
        self.table = self._table(page)

    def _table(self, page: tifffile.TiffPage) -> Gray | None:
        """The gray of each sample value, shape (256,), for one sample of up to 8 bits."""
        if self._bits > 8 or self._format != 1 or COLOUR_CHANNELS[self._photometric] > 1:
            return None
        size = 2**self._bits
        table = np.zeros(256, np.uint8)
        if self._photometric == PALETTE:
            colours = np.asarray(page.colormap)
            if colours.shape != (3, size):
                raise ScanError("its palette is missing or of the wrong size: it is damaged")
            # Some writers store 8-bit entries where 16-bit ones belong (so libtiff's readers).
            colours = colours >> 8 if colours.max() > 255 else colours
            colours = np.ascontiguousarray(colours.astype(np.uint8).T[None])
            if self._colour:
                return np.pad(colours[0], ((0, 256 - size), (0, 0)))
            table[:size] = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)[0]
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
        gray: Gray
        if self.table is not None:
            gray = self.table[samples[..., 0]]
        else:
            values = self._to_8_bit(samples)
            gray = values[..., 0]  # also Y and L*, which are the luma
            shown = luma if not self._colour else _first_three
            if self._is_rgb and values.shape[2] >= 3:
                gray = shown(values)
            elif self._photometric == CMYK and values.shape[2] >= 4:
                paper = 255 - values[..., :4].astype(np.uint16)
                gray = shown((paper[..., :3] * paper[..., 3:] // 255).astype(np.uint8))
            elif self._colour:
                gray = np.repeat(gray[..., None], 3, axis=2)
            elif self._photometric == WHITE_IS_ZERO:
                gray = 255 - gray
        if self._extra[:1] in ((1,), (2,)) and samples.shape[2] > channels:
            gray = on_white(gray, self._to_8_bit(samples[..., channels]), self._extra[0] == 1)
        return gray

    def _to_8_bit(self, values: NDArray[Any]) -> Gray:
        """Map the format's full range onto 0..255; floats by `_float_span`."""
        if values.dtype == np.uint8 and self._bits == 8:
            return values  # the usual case needs no arithmetic
        low, high = 0.0, 2.0**self._bits - 1
        if self._format == 2:
            low, high = -(2.0 ** (self._bits - 1)), 2.0 ** (self._bits - 1) - 1
        elif self._format == 3:
            low, high = self._float_span()
        with np.errstate(invalid="ignore", over="ignore"):
            scaled: NDArray[Any] = values.astype(np.float32 if values.itemsize < 4 else float)
            scaled -= low
            scaled *= 255 / (high - low)
        paper = 0.0 if self._photometric == WHITE_IS_ZERO else 255.0
        scaled = np.nan_to_num(scaled, nan=paper, posinf=255.0, neginf=0.0)
        gray: Gray = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        return gray

    def _float_span(self) -> tuple[float, float]:
        """The values of black and white in a float file: 0..1 if all lie there, else min..max.

        Takes one pass over the page, at the first need.
        """
        if self._span is None:
            lowest, highest = np.inf, -np.inf
            for samples in self._read():
                values = samples[np.isfinite(samples)]
                if values.size:
                    lowest = min(lowest, float(values.min()))
                    highest = max(highest, float(values.max()))
            self._span = (0.0, 1.0)
            if lowest < 0 or highest > 1:
                # A page of one value is blank paper.
                if lowest == highest and self._photometric == WHITE_IS_ZERO:
                    highest = lowest + max(1.0, abs(lowest))
                elif lowest == highest:
                    lowest = highest - max(1.0, abs(highest))
                self._span = (lowest, highest)
        return self._span


def _first_three(rgb: Gray) -> Gray:
    return rgb[..., :3]


def luma(rgb: Gray) -> Gray:
    """Rec. 601 luma (0.299 R + 0.587 G + 0.114 B), of (rows, columns, 3 or more) in R, G, B."""
    gray = cv2.cvtColor(np.ascontiguousarray(rgb[..., :3]), cv2.COLOR_RGB2GRAY)
    return np.asarray(gray, np.uint8)


def on_white(gray: Gray, alpha: Gray, premultiplied: bool) -> Gray:
    """Lay a picture, gray or R, G, B, with transparency on white paper."""
    opacity = alpha.astype(np.uint16).reshape(alpha.shape + (1,) * (gray.ndim - alpha.ndim))
    ink = gray.astype(np.uint16)
    shown = ink if premultiplied else (ink * opacity + 127) // 255
    laid: Gray = np.minimum(shown + 255 - opacity, 255).astype(np.uint8)
    return laid

"""Masks and gray pictures to TIFF, whole or not at all, without holding the picture."""

from __future__ import annotations

import os
import zlib
from typing import Any

import numpy as np
import tifffile

from wellseg.scan.atomic import atomic_file
from wellseg.scan.errors import ScanError
from wellseg.scan.gray import Gray

STRIP_ROWS = 128
COMMON: dict[str, Any] = {
    "compression": "adobe_deflate",
    "rowsperstrip": STRIP_ROWS,
    "metadata": None,
    "software": "wellseg",
}

Resolution = tuple[tuple[int, int], tuple[int, int], int]
"""XResolution and YResolution as TIFF rationals; ResolutionUnit (1 none, 2 inch, 3 cm)."""


class MaskWriter:
    """Takes a mask band by band, from top to bottom, and holds it compressed until ``write``."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self._strips: list[bytes] = []
        self._waiting = np.empty((0, columns), np.uint8)
        self._taken = 0

    def put(self, band: Gray) -> None:
        """The next rows, uint8 (any number, columns): 0 background, 255 curve, or probabilities."""
        if band.dtype != np.uint8 or band.ndim != 2 or band.shape[1] != self.columns:
            what = f"a mask band is {band.dtype} {band.shape}"
            raise ScanError(f"{what}, not uint8 (rows, {self.columns})")
        self._taken += len(band)
        rows = np.concatenate([self._waiting, band])
        whole = len(rows) if self._taken == self.rows else len(rows) // STRIP_ROWS * STRIP_ROWS
        for row in range(0, whole, STRIP_ROWS):
            strip = rows[row : min(row + STRIP_ROWS, whole)]
            self._strips.append(zlib.compress(strip.tobytes(), 6))
        self._waiting = rows[whole:]

    def write(self, path: str | os.PathLike[str], resolution: Resolution | None = None) -> None:
        """Write a gray 8-bit TIFF (MinIsBlack, deflate, strips); resolution: the scan's.

        Raises ScanError if the bands do not add up to rows x columns, and OSError.
        """
        if self.rows < 1 or self.columns < 1:
            raise ScanError(f"{path}: a mask of {self.rows} x {self.columns} pixels")
        if self._taken != self.rows:
            raise ScanError(f"{path}: the mask's bands have {self._taken} rows, not {self.rows}")
        options: dict[str, Any] = {}
        if resolution is not None:
            options = {"resolution": resolution[:2], "resolutionunit": resolution[2]}
        # Deflate can grow data by a little; 4 GiB is what 32-bit offsets reach.
        big = self.rows * self.columns > 2**32 - 2**27
        with atomic_file(path) as file, tifffile.TiffWriter(file, bigtiff=big) as writer:
            writer.write(
                iter(self._strips),
                shape=(self.rows, self.columns),
                dtype=np.uint8,
                photometric="minisblack",
                **COMMON,
                **options,
            )


def write_picture(
    path: str | os.PathLike[str], pixels: Gray, *, dpi: int, bilevel: bool = False
) -> None:
    """Write a picture as one TIFF: uint8 gray (rows, columns), 0 ink to 255 paper, or RGB.

    bilevel: with one bit a pixel, MinIsWhite, as scanners do, where that loses nothing.
    """
    stored: Any = pixels
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    if bilevel and pixels.ndim == 2 and not np.any((pixels > 0) & (pixels < 255)):
        stored, photometric = pixels == 0, "miniswhite"
    with atomic_file(path) as file, tifffile.TiffWriter(file) as writer:
        writer.write(
            stored, photometric=photometric, resolution=(dpi, dpi), resolutionunit="inch", **COMMON
        )

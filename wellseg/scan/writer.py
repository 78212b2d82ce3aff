"""Masks and gray pictures to TIFF, whole or not at all, without holding the picture."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tifffile

from wellseg.scan.atomic import atomic_file
from wellseg.scan.errors import ScanError
from wellseg.scan.gray import Gray

MASK_STRIP_ROWS = 128

Resolution = tuple[tuple[int, int], tuple[int, int], int]
"""XResolution and YResolution as TIFF rationals; ResolutionUnit (1 none, 2 inch, 3 cm)."""


def write_mask(
    path: str | os.PathLike[str],
    bands: Iterable[Gray],
    rows: int,
    columns: int,
    *,
    resolution: Resolution | None = None,
) -> None:
    """Write a gray 8-bit TIFF (MinIsBlack, deflate, strips) from bands of rows, top to bottom.

    The picture is never held as a whole, and `path` appears only when all of it is there.

    Args:
        bands: uint8 arrays (any number of rows, columns) with `rows` rows in all: 0 background,
            255 curve, or probabilities.
        resolution: the scan's `resolution`.

    Raises:
        ScanError: the bands do not add up to rows x columns.
        OSError: the file cannot be written.
    """
    if rows < 1 or columns < 1:
        raise ScanError(f"{path}: a mask of {rows} x {columns} pixels")
    strips = _mask_strips(path, bands, rows, columns)
    options: dict[str, Any] = {}
    if resolution is not None:
        options = {"resolution": resolution[:2], "resolutionunit": resolution[2]}
    # Deflate can grow data by a little; 4 GiB is what 32-bit offsets reach.
    big = rows * columns > 2**32 - 2**27
    with atomic_file(path) as file, tifffile.TiffWriter(file, bigtiff=big) as writer:
        writer.write(
            strips,
            shape=(rows, columns),
            dtype=np.uint8,
            photometric="minisblack",
            compression="adobe_deflate",
            rowsperstrip=MASK_STRIP_ROWS,
            metadata=None,
            software="wellseg",
            **options,
        )
        if next(strips, None) is not None:
            raise ScanError(f"{path}: the mask's bands have more than {rows} rows")


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
            stored,
            photometric=photometric,
            compression="adobe_deflate",
            rowsperstrip=MASK_STRIP_ROWS,
            resolution=(dpi, dpi),
            resolutionunit="inch",
            metadata=None,
            software="wellseg",
        )


def _mask_strips(
    path: str | os.PathLike[str], bands: Iterable[Gray], rows: int, columns: int
) -> Iterator[bytes]:
    """Cut bands into compressed strips of `MASK_STRIP_ROWS` rows."""
    waiting: list[Gray] = []
    count = total = 0
    for band in bands:
        if band.dtype != np.uint8 or band.ndim != 2 or band.shape[1] != columns:
            raise ScanError(
                f"{path}: a mask band is {band.dtype} {band.shape}, not uint8 (rows, {columns})"
            )
        at = 0
        while at < len(band):
            part = band[at : at + MASK_STRIP_ROWS - count]
            waiting.append(part)
            at, count, total = at + len(part), count + len(part), total + len(part)
            if count == MASK_STRIP_ROWS:
                yield zlib.compress(np.concatenate(waiting).tobytes(), 6)
                waiting, count = [], 0
    if total != rows:
        raise ScanError(f"{path}: the mask's bands have {total} rows, not {rows}")
    if waiting:
        yield zlib.compress(np.concatenate(waiting).tobytes(), 6)

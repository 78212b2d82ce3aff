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


def write_gray(path: str | os.PathLike[str], gray: Gray, *, dpi: int, bilevel: bool) -> None:
    """Write a gray picture, uint8 (rows, columns), 0 ink to 255 paper, as one TIFF.

    bilevel: with one bit a pixel, MinIsWhite, as scanners do, where that loses nothing.
    """
    if not bilevel or np.any((gray > 0) & (gray < 255)):
        resolution = ((dpi, 1), (dpi, 1), 2)
        write_mask(path, [gray], *gray.shape, resolution=resolution)
        return
    with atomic_file(path) as file:
        tifffile.imwrite(
            file,
            gray == 0,
            photometric="miniswhite",
            compression="adobe_deflate",
            rowsperstrip=MASK_STRIP_ROWS,
            resolution=(dpi, dpi),
            resolutionunit="inch",
            metadata=None,
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

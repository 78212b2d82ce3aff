"""Masks and gray pictures to TIFF, whole or not at all, without holding its pixels."""

import io
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import tifffile

from wellseg.scan.atomic import AnyPath, write_file
from wellseg.scan.pictures import Gray

STRIP_ROWS = 128
OF_COLOURS = "rows of a scan in colour"  # ImageDescription: the rows themselves may show none
Resolution = tuple[tuple[int, int], tuple[int, int], int]  # TIFF's X, Y; 1 none, 2 inch, 3 cm


class Strips:
    """Cuts bands of any height into strips of ``rows``; the last of ``total`` may be shorter."""

    def __init__(self, rows: int, total: int) -> None:
        self._rows, self._missing, self._rest = rows, total, list[Gray]()

    def add(self, *parts: Gray) -> Iterator[list[Gray]]:
        """Take the next rows of some pictures, (rows, ...), to cut alike; yields strips of each."""
        self._missing -= len(parts[0])
        if self._rest:
            parts = tuple(np.concatenate(pair) for pair in zip(self._rest, parts, strict=True))
        count = len(parts[0]) // self._rows * self._rows if self._missing else len(parts[0])
        self._rest = [part[count:] for part in parts]
        for start in range(0, count, self._rows):
            yield [part[start : start + self._rows] for part in parts]


class MaskWriter:
    """Takes a mask band by band, from top to bottom, and holds it compressed until ``tiff``."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self._pool = ThreadPoolExecutor(1)  # beside a GPU compressing is a third of the time
        self._cut, self._strips = Strips(STRIP_ROWS, rows), list[Future[bytes]]()

    def put(self, band: Gray) -> None:
        """The next rows, uint8 (any number, columns): 0 background, 255 curve, or probabilities."""
        for (rows,) in self._cut.add(band):
            self._strips.append(self._pool.submit(zlib.compress, rows.tobytes(), 6))
        if len(self._strips) > 64:  # as many may wait for the thread
            self._strips[-64].result()

    def tiff(self, resolution: Resolution | None = None) -> memoryview:
        """A gray 8-bit TIFF (MinIsBlack, deflate, strips), when all rows are put."""
        size: Any = {"shape": (self.rows, self.columns), "dtype": np.uint8}
        # Deflate can grow data by a little; 4 GiB is what 32-bit offsets reach.
        big = self.rows * self.columns > 2**32 - 2**27
        strips = (strip.result() for strip in self._strips)
        return _tiff(strips, "minisblack", resolution, big, **size)


def write_picture(path: AnyPath, pixels: Gray, *, dpi: int, kind: str = "gray") -> None:
    """Write a picture as one TIFF: uint8 gray (rows, columns), 0 ink to 255 paper, or RGB.
    kind: `Scan.kind` of what it is a part of. "1-bit": with one bit a pixel, MinIsWhite, as
    scanners do, where that loses nothing. "colour": `open_scan` takes it for that, too."""
    stored, photometric = pixels, "rgb" if pixels.ndim == 3 else "minisblack"
    if kind == "1-bit" and pixels.ndim == 2 and not np.any((pixels > 0) & (pixels < 255)):
        stored, photometric = pixels == 0, "miniswhite"
    about = OF_COLOURS if kind == "colour" else None
    write_file(path, _tiff(stored, photometric, (dpi, dpi, 2), description=about))


def _tiff(pixels: Any, photo: str, resolution: Any, big: bool = False, **tags: Any) -> memoryview:
    tags |= {"compression": "adobe_deflate", "rowsperstrip": STRIP_ROWS, "software": "wellseg"}
    if resolution is not None:
        tags |= {"resolution": resolution[:2], "resolutionunit": resolution[2]}
    with tifffile.TiffWriter(file := io.BytesIO(), bigtiff=big) as writer:
        writer.write(pixels, photometric=photo, metadata=None, **tags)
    return file.getbuffer()

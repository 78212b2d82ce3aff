"""PNG, JPEG, BMP and JPEG 2000: decoded as a whole by OpenCV, at the first need.

Sizes are read from the headers, so that a file can be refused before any memory is asked for.
"""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tifffile.tifffile import jpeg_shape

from wellseg.scan.errors import ScanError
from wellseg.scan.gray import Gray, on_white, scale
from wellseg.scan.tiff_page import Band

PNG, BMP, JPEG_2000 = b"\x89PNG\r\n\x1a\n", b"BM", b"\0\0\0\x0cjP  "
BEGINNINGS = (PNG, BMP, JPEG_2000, b"\xff\xd8\xff")
MAX_PIXELS = 2**29

# OpenCV prints what it finds wrong with a picture; a ScanError says it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class PictureFile:
    """A file that has one of the `BEGINNINGS`: one band. kind: "1-bit", "gray" or "colour"."""

    def __init__(self, data: bytes, colour: bool) -> None:
        self._data = data
        try:
            self.rows, self.columns, samples, bits = _header(data)
        except (ValueError, struct.error):
            self.rows = self.columns = samples = bits = 0
        if min(self.rows, self.columns) < 1:
            raise ScanError("has no size: the file is damaged")
        if self.rows * self.columns > min(MAX_PIXELS, 4096 * len(data)):
            raise ScanError(
                f"claims {self.rows:,} x {self.columns:,} pixels, more than wellseg decodes at "
                f"once from a file of {len(data):,} bytes; convert it to TIFF"
            )
        self.kind = "colour" if samples >= 3 else "1-bit" if bits == 1 else "gray"
        self._colour = colour and self.kind == "colour"

    def band(self, row: int) -> Band:
        """All rows (rows, columns, 1 to 4), B, G, R if more than two; or none, and why."""
        flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
        pixels: Any = None
        if _is_whole(self._data):
            pixels = cv2.imdecode(np.frombuffer(self._data, np.uint8), flags)
        if pixels is None or pixels.shape[:2] != (self.rows, self.columns):
            return Band(0, self.rows, np.empty((0, 1, 1)), "the data are damaged or end early")
        return Band(0, self.rows, pixels.reshape(self.rows, self.columns, -1))

    def show(self, samples: NDArray[Any]) -> Gray:
        """Gray (rows, columns), or R, G, B where colours are asked for, of a band's samples."""
        shown = scale(samples, 0, 65535 if samples.dtype == np.uint16 else 255)
        channels = shown.shape[2]
        alpha = shown[..., -1] if channels in (2, 4) else None
        return on_white(
            shown[..., 2::-1] if channels >= 3 else shown[..., 0], alpha, False, self._colour
        )


def _header(data: bytes) -> tuple[int, int, int, int]:
    """Rows, columns, samples, bits of a sample. Raises ValueError or struct.error without them."""
    if data.startswith(PNG):  # colour types 2, 3 and 6 have colours (PNG, 11.2.1)
        columns, rows, bits, colour_type = struct.unpack_from(">IIBB", data, 16)
        return rows, columns, 3 if colour_type & 2 else 1, bits
    if data.startswith(BMP):  # the height is negative where row 0 comes first
        columns, rows, _, bits = struct.unpack_from("<iiHH", data, 18)
        return abs(rows), columns, 1 if bits == 1 else 3, bits
    if data.startswith(JPEG_2000):
        rows, columns, samples, depth = struct.unpack_from(">IIHB", data, data.index(b"ihdr") + 4)
        return rows, columns, samples, depth + 1
    bits, rows, columns, samples = jpeg_shape(data)
    return rows, columns, samples, bits


def _is_whole(data: bytes) -> bool:
    """Whether the mark at the end is there: OpenCV fills what is missing of a picture with gray."""
    if data.startswith(BMP):
        return True  # OpenCV decodes none that is cut
    if not data.startswith(PNG):
        return b"\xff\xd9" in data[-4096:]
    at = 8  # and it takes memory for what a PNG's chunk claims: do its chunks lead to the end?
    while at + 12 <= len(data):
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at += 12 + int.from_bytes(data[at : at + 4])
    return False

"""PNG, JPEG, BMP and JPEG 2000: pictures that OpenCV decodes as a whole.

Behind `wellseg.scan.reader`. Sizes are read from the headers, so that a scan can be refused before
any memory is asked for.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from wellseg.scan.tiff_codecs import ScanError, jpeg_size
from wellseg.scan.tiff_gray import luma, on_white
from wellseg.scan.tiff_pages import Band

PNG, BMP, JPEG = b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff"
JPEG_2000 = b"\0\0\0\x0cjP  "
KINDS = (PNG, BMP, JPEG, JPEG_2000)
"""How such files begin."""

MAX_PIXELS = 2**29

# OpenCV prints what it finds wrong with a picture; a ScanError says it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class PictureFile:
    """One band: the whole picture, decoded at the first need.

    rows, columns: the size as stored. kind: "1-bit", "gray" or "colour". colour: keep colours.
    """

    def __init__(self, data: bytes, colour: bool) -> None:
        self._data = data
        try:
            self.rows, self.columns, samples, bits = _header(data)
        except (IndexError, TypeError):
            raise ScanError("has no size: the file is damaged") from None
        if min(self.rows, self.columns) < 1:
            raise ScanError("has no size: the file is damaged")
        self.kind = "colour" if samples >= 3 else "1-bit" if bits == 1 else "gray"
        self._colour = colour and self.kind == "colour"
        pixels = self.rows * self.columns
        if pixels > MAX_PIXELS or pixels > 4096 * len(data):
            raise ScanError(
                f"claims {self.rows:,} x {self.columns:,} pixels, more than wellseg reads from a "
                f"picture of {len(data):,} bytes; convert it to TIFF"
            )

    def band(self, row: int) -> Band:
        nothing = np.empty((0, self.columns), np.uint8)
        if not _is_whole(self._data):
            return Band(0, self.rows, nothing, "the file ends early")
        flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
        pixels: Any = cv2.imdecode(np.frombuffer(self._data, np.uint8), flags)
        if pixels is None or pixels.shape[:2] != (self.rows, self.columns):
            return Band(0, self.rows, nothing, "the data are damaged")
        if pixels.dtype == np.uint16:
            pixels = cv2.convertScaleAbs(pixels, alpha=255 / 65535)
        pixels = pixels.reshape(self.rows, self.columns, -1)
        channels = pixels.shape[2]
        shown = pixels[..., 2::-1] if channels >= 3 else pixels[..., 0]
        if channels >= 3 and not self._colour:
            shown = luma(shown)
        elif channels < 3 and self._colour:  # a JPEG of odd components
            shown = np.repeat(shown[..., None], 3, axis=2)
        if channels in (2, 4):
            shown = on_white(shown, pixels[..., -1], premultiplied=False)
        return Band(0, self.rows, shown)


def _header(data: bytes) -> tuple[int, int, int, int]:
    """Rows, columns, samples and bits of a sample. Raises IndexError or TypeError without one."""

    def number(at: int, size: int, order: Any = "big") -> int:
        if at + size > len(data):
            raise IndexError
        return int.from_bytes(data[at : at + size], order, signed=order == "little")

    if data.startswith(PNG):  # colour types 2, 3 and 6 have colours (PNG, 11.2.1)
        return number(20, 4), number(16, 4), 3 if number(25, 1) & 2 else 1, number(24, 1)
    if data.startswith(BMP):  # stored from the bottom up, or from the top if the height is < 0
        bits = number(28, 2, "little")
        return abs(number(22, 4, "little")), number(18, 4, "little"), 1 if bits == 1 else 3, bits
    if data.startswith(JPEG_2000):
        box = data.index(b"ihdr", 0, 4096) + 4 if b"ihdr" in data[:4096] else len(data)
        return number(box, 4), number(box + 4, 4), number(box + 8, 2), number(box + 10, 1) + 1
    rows, columns, samples = jpeg_size(data)  # type: ignore[misc]
    return rows, columns, samples, 8


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

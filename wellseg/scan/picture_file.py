"""What is decoded as a whole: PNG, JPEG, BMP, JPEG 2000, and TIFF pages of rare kinds.

Sizes are read from the headers, so that a file can be refused before any memory is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile.tifffile import jpeg_shape

from wellseg.scan.errors import ScanError, one_line
from wellseg.scan.gray import Gray, flatten
from wellseg.scan.pictures import upright
from wellseg.scan.tiff_page import OLD_JPEG, WEBP, Band

PNG, BMP, JPEG = b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff"
JPEG_2000 = b"\0\0\0\x0cjP  "
BEGINNINGS = (PNG, BMP, JPEG, JPEG_2000)

CMYK, YCBCR, CIELAB, ICCLAB, ITULAB = 5, 6, 8, 9, 10
MAX_PIXELS = 2**29

# OpenCV prints what it finds wrong with a picture; a ScanError says it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class Picture:
    """One band: the whole picture, decoded at the first need.

    rows, columns: the size as stored. kind: "1-bit", "gray" or "colour".
    decode: gives gray (rows, columns) or R, G, B; or raises, saying why not.
    """

    def __init__(
        self, size: tuple[int, int], kind: str, file_bytes: int, decode: Callable[[], Gray]
    ) -> None:
        (self.rows, self.columns), self.kind, self._decode = size, kind, decode
        if min(size) < 1:
            raise ScanError("has no size: the file is damaged")
        if self.rows * self.columns > min(MAX_PIXELS, 4096 * file_bytes):
            raise ScanError(
                f"claims {self.rows:,} x {self.columns:,} pixels, more than wellseg decodes at "
                f"once from a file of {file_bytes:,} bytes; convert it to TIFF, without JPEG"
            )

    def band(self, row: int) -> Band:
        try:
            return Band(0, self.rows, self._decode())
        except (ScanError, imagecodecs.TiffError, ValueError) as error:
            nothing = np.empty((0, self.columns), np.uint8)
            return Band(0, self.rows, nothing, one_line(error))


def tiff_picture(
    page: tifffile.TiffPage, number: int, data: Callable[[], bytes], file_bytes: int, colour: bool
) -> Picture | None:
    """A page of a rare kind (old JPEG, WebP, CMYK, YCbCr, CIE L*a*b*, a plane for each colour,
    floats), which libtiff decodes; None if it is of no such kind."""
    rare = (CMYK, CIELAB, ICCLAB, ITULAB, *((YCBCR,) if page.compression != 7 else ()))
    floats = page.sampleformat == 3 and page.samplesperpixel == 1
    of_planes = page.planarconfig == 2 and page.samplesperpixel > 1
    if not (
        page.compression in (OLD_JPEG, WEBP) or page.photometric in rare or of_planes or floats
    ):
        return None
    kind = "colour" if page.samplesperpixel >= 3 else "gray"

    def decode() -> Gray:
        if floats:
            values = imagecodecs.tiff_decode(data(), index=number)
            return _floats_to_gray(values, white_is_zero=page.photometric == 0)
        rgba = imagecodecs.tiff_decode(data(), index=number, asrgb=True)
        # libtiff has put row 0 at the top and column 0 at the left, without turning the page:
        # doing it once more gives what is stored.
        orientation = int(page.tags.valueof(274) or 1)
        rgba = upright(rgba, (orientation - 1) % 4 + 1)
        colours, alpha = rgba[..., :3], np.ascontiguousarray(rgba[..., 3])
        return flatten(colours, alpha, premultiplied=True, colour=colour and kind == "colour")

    return Picture((page.imagelength, page.imagewidth), kind, file_bytes, decode)


def _floats_to_gray(values: NDArray[Any], white_is_zero: bool) -> Gray:
    """0..1 if all values lie there, else from the lowest to the highest; no number is paper."""
    known = values[np.isfinite(values)]
    low, high = 0.0, 1.0
    if known.size and not (0 <= known.min() <= known.max() <= 1):
        low, high = float(known.min()), float(known.max())
    scaled = (values.astype(float) - low) / (high - low or 1.0)
    scaled = np.nan_to_num(1 - scaled if white_is_zero else scaled, nan=1.0)
    gray: Gray = np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    return gray


def picture_file(data: bytes, colour: bool) -> Picture:
    """A file that has one of the `BEGINNINGS`."""
    try:
        rows, columns, samples, bits = _header(data)
    except (ValueError, struct.error):
        raise ScanError("has no size: the file is damaged") from None
    kind = "colour" if samples >= 3 else "1-bit" if bits == 1 else "gray"

    def decode() -> Gray:
        if not _is_whole(data):
            raise ScanError("the file ends early")
        flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
        pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if pixels is None or pixels.shape[:2] != (rows, columns):
            raise ScanError("the data are damaged")
        if pixels.dtype == np.uint16:
            pixels = cv2.convertScaleAbs(pixels, alpha=255 / 65535)
        pixels = pixels.reshape(rows, columns, -1)
        channels = pixels.shape[2]
        shown = pixels[..., 2::-1] if channels >= 3 else pixels[..., 0]
        alpha = pixels[..., -1] if channels in (2, 4) else None
        return flatten(shown, alpha, premultiplied=False, colour=colour and kind == "colour")

    return Picture((rows, columns), kind, len(data), decode)


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

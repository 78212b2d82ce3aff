"""PNG, JPEG, BMP and JPEG 2000, decoded as a whole by OpenCV."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg.scan.errors import ScanError
from wellseg.scan.gray import Gray, on_white, scale
from wellseg.scan.tiff_page import Band

PNG, BMP = b"\x89PNG\r\n\x1a\n", b"BM"
BEGINNINGS = (PNG, BMP, b"\xff\xd8\xff", b"\0\0\0\x0cjP  ")

# OpenCV prints what it finds wrong with a picture; a ScanError says it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class PictureFile:
    """A file that has one of the `BEGINNINGS`: one band. kind: "gray" or "colour"."""

    def __init__(self, data: bytes, colour: bool) -> None:
        flags, pixels = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION, None
        with suppress(cv2.error):
            if _is_whole(data):
                pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        if pixels is None:
            raise ScanError("is damaged, ends early or claims more pixels than OpenCV reads")
        self.rows, self.columns = pixels.shape[:2]
        self._samples: NDArray[Any] = pixels.reshape(self.rows, self.columns, -1)
        self.kind = "colour" if self._samples.shape[2] > 2 else "gray"
        self._colour = colour and self.kind == "colour"

    def band(self, row: int) -> Band:
        """All rows (rows, columns, 1 to 4), B, G, R if more than two."""
        return Band(0, self.rows, self._samples)

    def show(self, samples: NDArray[Any]) -> Gray:
        """Gray (rows, columns), or R, G, B where colours are asked for, of a band's samples."""
        samples = scale(samples, 0, 65535 if samples.dtype == np.uint16 else 255)
        shown = samples[..., 2::-1] if samples.shape[2] > 2 else samples[..., 0]
        alpha = samples[..., -1] if samples.shape[2] in (2, 4) else None
        return on_white(shown, alpha, False, self._colour)


def _is_whole(data: bytes) -> bool:
    """Whether the mark at the end is there: OpenCV fills what is missing of a picture with gray."""
    if not data.startswith(PNG):  # OpenCV decodes no BMP that is cut
        return data.startswith(BMP) or b"\xff\xd9" in data[-4096:]
    at = 8  # and it takes memory for what a PNG's chunk claims: do its chunks lead to the end?
    while at + 12 <= len(data) and data[at + 4 : at + 8] != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4])
    return at + 12 <= len(data)

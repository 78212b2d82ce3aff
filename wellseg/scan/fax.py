"""Fax codes (CCITT modified Huffman, Group 3, Group 4), decoded by libtiff: which rows are good.

libtiff keeps the row above as runs, some of them without a pixel, to which the codes of some
writers refer (ImageGear in libtiff's testfax4.tiff). Decoders that keep pixels lose their place.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import re
import struct
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from wellseg.scan.errors import ScanError, one_line

RLE, FAX3, FAX4 = 2, 3, 4
FAX = (RLE, FAX3, FAX4)

SPILL_PIXELS = 2**25
"""Strips above this many pixels are decoded into a temporary file: some hold a whole log."""
END_MARK_BYTES = 3
"""Of Group 4: two ends of line, each eleven zeros and a one."""

_libtiff = logging.getLogger("imagecodecs")  # where imagecodecs sends libtiff's warnings
_libtiff.propagate = False


def decode_fax(
    data: bytes, rows: int, columns: int, compression: int, t4_options: int = 0
) -> tuple[NDArray[np.uint8], str]:
    """Decode a strip or tile into packed bits, (good rows, ceil(columns / 8)), 1 for a black run.

    t4_options: the tag of that name, for Group 3. Also says what is wrong with the first row that
    is not good: the codes of a row refer to the row above, so none below it can be trusted.
    Raises ScanError if there is no room for a temporary file.
    """
    possible = min(rows, 8 * len(data))  # a row takes one bit at least
    tags = (compression, t4_options)
    good, packed, at_mark = _decode(data, possible, columns, tags)
    if at_mark and good < possible:
        # An end mark where a row should begin. If it is the data's last, the scan ended early, and
        # the rest is blank; but zeros that damage left look the same. Without it, what changes?
        shorter = data.rstrip(b"\0")[:-END_MARK_BYTES]
        changes = not shorter or _decode(shorter, possible, columns, tags)[::2] != (good, True)
        if changes and _ends_with_mark(data):
            good = possible
    if good < rows:
        return packed[:good], "the fax data are damaged or end early"
    return packed, ""


def _ends_with_mark(data: bytes) -> bool:
    """Whether the last twelve bits but for zeros are an end of line."""
    bits = int.from_bytes(data.rstrip(b"\0")[-3:])
    return bits > 0 and bits // (bits & -bits) % 2**12 == 1


def _decode(
    data: bytes, rows: int, columns: int, tags: tuple[int, int]
) -> tuple[int, NDArray[np.uint8], bool]:
    """How many rows are good, all rows as packed bits, and whether good ones end at an end mark."""
    packed = np.zeros((rows, -(-columns // 8)), np.uint8)
    if not rows:
        return 0, packed, False
    good, flaw = rows, ""
    with _pixels(rows, columns) as pixels, _FirstFlaw() as listener:
        try:
            tiff = _one_strip(data, rows, columns, *tags)
            imagecodecs.tiff_decode(tiff, out=pixels, verbose=True)
        except (imagecodecs.TiffError, ValueError) as error:
            good, flaw = 0, one_line(error)
        if listener.row is not None:
            good, flaw = listener.row, listener.message
        for row in range(0, good, 1024):
            packed[row : row + 1024] = np.packbits(pixels[row : row + 1024], axis=1)
        del pixels  # before the file that it lies in is closed
    return good, packed, good > 0 and "Premature EOL" in flaw and "(got 0," in flaw


def _one_strip(data: bytes, rows: int, columns: int, compression: int, t4_options: int) -> bytes:
    """A TIFF file around one strip: libtiff reads nothing else."""
    tags = {256: columns, 257: rows, 258: 1, 259: compression, 262: 0, 273: 8, 277: 1, 278: rows,
            279: len(data), 292: t4_options}  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data += b"\0" * (len(data) % 2)
    directory = struct.pack("<H", len(tags)) + entries + b"\0" * 4
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + directory


class _FirstFlaw(logging.Handler):
    """While entered, hears of the first row that libtiff finds too short or too long."""

    def __init__(self) -> None:
        super().__init__()
        self.row: int | None = None
        self.message = ""
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if self.row is None and record.thread == self._thread:
            message = record.getMessage()
            found = re.match(r"(?:Premature|Line length).* at line (\d+)", message)
            if found:
                self.row, self.message = int(found[1]), message
                _libtiff.disabled = True  # thousands may follow

    def __enter__(self) -> _FirstFlaw:
        _libtiff.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        _libtiff.disabled = False
        _libtiff.removeHandler(self)


@contextlib.contextmanager
def _pixels(rows: int, columns: int) -> Iterator[NDArray[Any]]:
    """Zeros for one strip, one byte a pixel: libtiff gives no fewer. Large ones lie in a file."""
    size = rows * columns
    if size <= SPILL_PIXELS:
        yield np.zeros((rows, columns), np.bool_)
        return
    try:
        with tempfile.TemporaryFile(prefix="wellseg-") as file:
            if hasattr(os, "posix_fallocate"):  # a full disk fails here, not as SIGBUS later
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            mapping, done = mmap.mmap(file.fileno(), size), threading.Event()

            def keep_small() -> None:
                # Lets go of the memory, where the system can; what was written stays in the file.
                while hasattr(mmap, "MADV_DONTNEED") and not done.wait(0.02):
                    mapping.madvise(mmap.MADV_DONTNEED)

            helper = threading.Thread(target=keep_small, daemon=True)
            helper.start()
            try:
                yield np.frombuffer(mapping, np.bool_).reshape(rows, columns)
            finally:
                done.set()
                helper.join()
            mapping.close()  # Windows removes no file that is mapped
    except OSError as error:
        raise ScanError(
            f"needs {size:,} bytes for a temporary file in {tempfile.gettempdir()} "
            f"({error.strerror}); free some or set TMPDIR to a folder with space"
        ) from error

"""Fax codes (CCITT modified Huffman, Group 3, Group 4), decoded by libtiff: which rows are good.

libtiff keeps the row above as runs, some of them without a pixel, to which the codes of some
writers refer (ImageGear in libtiff's testfax4.tiff). Decoders that keep pixels lose their place.
"""

from __future__ import annotations

import logging
import os
import re
import struct
import tempfile
import threading
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from wellseg.scan.errors import ScanError

FAX = (2, 3, 4)
SPILL_PIXELS = 2**25  # strips above lie in a temporary file: some hold a whole log

_first_flaw = threading.local()  # of libtiff in this thread: row, and whether it is an end mark


def decode_fax(
    data: bytes, rows: int, columns: int, compression: int, t4_options: int = 0
) -> tuple[NDArray[np.bool_], str]:
    """Decode a strip or tile: (good rows, columns), True in a black run; what is wrong below.

    t4_options: the tag of that name, for Group 3. The codes of a row refer to the row above: none
    below a damaged one can be trusted. Raises ScanError without room for a temporary file.
    """
    possible = min(rows, 8 * len(data))  # a row takes one bit at least
    tags = (columns, compression, t4_options)
    pixels, good, at_mark = _decode(data, possible, *tags)
    if at_mark:
        # An end mark where a row should begin. If it is the data's last, the scan ended early, and
        # the rest is blank; but zeros that damage left look the same. Without its three bytes (two
        # ends of line, each eleven zeros and a one), what changes?
        stripped = data.rstrip(b"\0")
        shorter = _decode(stripped[:-3], possible, *tags)[1:]
        last_bits = int.from_bytes(stripped[-3:])
        ends_with_mark = last_bits // (last_bits & -last_bits or 1) % 2**12 == 1
        if shorter != (good, True) and ends_with_mark:
            good = possible
    return pixels[:good], "" if good == rows else "the fax data are damaged or end early"


def _decode(
    data: bytes, rows: int, columns: int, compression: int, t4_options: int
) -> tuple[NDArray[np.bool_], int, bool]:
    """All rows, how many are good, and whether the next is an end mark."""
    pixels, good = _zeros(rows, columns), rows
    # A TIFF file around one strip: libtiff reads nothing else.
    tags = {256: columns, 257: rows, 258: 1, 259: compression, 262: 0, 273: 8, 277: 1, 278: rows,
            279: len(data), 292: t4_options}  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data += b"\0" * (len(data) % 2)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + struct.pack("<H", len(tags))
    _first_flaw.found = None
    try:
        imagecodecs.tiff_decode(head + entries + b"\0" * 4, out=pixels, verbose=True)
    except (imagecodecs.TiffError, ValueError):
        good = 0
    good, at_mark = _first_flaw.found or (good, False)
    return pixels, good, at_mark and good > 0


def _hear(record: logging.LogRecord) -> bool:
    found = re.match(r"(Premature|Line length).* at line (\d+)(.*)", record.getMessage())
    if found and getattr(_first_flaw, "found", None) is None:
        _first_flaw.found = int(found[2]), found[1] == "Premature" and "(got 0," in found[3]
    return False  # nothing is printed


_libtiff = logging.getLogger("imagecodecs")  # where imagecodecs sends libtiff's warnings
_libtiff.setLevel(logging.WARNING)
_libtiff.addFilter(_hear)


def _zeros(rows: int, columns: int) -> NDArray[Any]:
    """One byte a pixel, as libtiff has them; many lie in a file, and need no memory to last."""
    size = rows * columns
    if size <= SPILL_PIXELS:
        return np.zeros((rows, columns), np.bool_)
    try:
        with tempfile.TemporaryFile(prefix="wellseg-") as file:
            if hasattr(os, "posix_fallocate"):  # a full disk fails here, not as SIGBUS later
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, np.bool_, "w+", shape=(rows, columns))
    except OSError as error:
        place = f"a temporary file in {tempfile.gettempdir()} ({error.strerror})"
        raise ScanError(f"needs {size:,} bytes for {place}; free some or set TMPDIR") from error

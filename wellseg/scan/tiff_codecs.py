"""The compressions of TIFF: bytes of a strip or tile to samples, and how far they were good.

Behind `wellseg.scan.tiff_pages`. JPEG and WebP are decoded there; here are byte streams and fax.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

NONE, RLE, FAX3, FAX4, LZW, OLD_JPEG, JPEG, DEFLATE = 1, 2, 3, 4, 5, 6, 7, 8
PACKBITS, OLD_DEFLATE, LZMA, ZSTD, WEBP = 32773, 32946, 34925, 50000, 50001
FAX, IMAGE_CODECS = (RLE, FAX3, FAX4), (OLD_JPEG, JPEG, WEBP)

# The most bytes that one byte of the file can become. Deflate: 258 bytes from 2 bits
# (zlib's "maximum compression factor" 1032:1); LZW: 12 bits for at most 4,096 bytes; PackBits:
# 128 from 2. Formats without a bound get one that no scan reaches. Fax: see `TiffPage`.
EXPANSION = {NONE: 1, LZW: 2731, OLD_JPEG: 4096, JPEG: 4096, DEFLATE: 1032, PACKBITS: 64,
             OLD_DEFLATE: 1032, LZMA: 2**14, ZSTD: 2**16, WEBP: 2**24}  # fmt: skip

SPILL_PIXELS = 2**25
"""Fax-coded strips above this many pixels are decoded into a temporary file."""


class ScanError(Exception):
    """One line saying what is wrong with which scan, and what to do."""


def jpeg_size(data: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and components in a JPEG's frame header; None if it has none."""
    at = 2
    while at + 10 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            rows, columns = data[at + 5 : at + 7], data[at + 7 : at + 9]
            return int.from_bytes(rows), int.from_bytes(columns), data[at + 9]
        if marker == 0xFF:
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def decompress(compression: int, data: bytes, size: int) -> bytes:
    """Decompress at most `size` bytes; fewer where the data end early."""
    if compression in (DEFLATE, OLD_DEFLATE):
        # In pieces, so that the rows before a flaw are kept; zlib also stops at `size`, where
        # imagecodecs refuses strips that hold more than the picture.
        inflate, out = zlib.decompressobj(), bytearray()
        with contextlib.suppress(zlib.error):
            for at in range(0, len(data), 2**14):
                out += inflate.decompress(data[at : at + 2**14], size - len(out) or 1)
                if len(out) >= size or inflate.eof:
                    break
                while inflate.unconsumed_tail and len(out) < size:
                    out += inflate.decompress(inflate.unconsumed_tail, size - len(out))
        return bytes(out[:size])
    if compression == LZW:
        return bytes(imagecodecs.lzw_decode(data, out=size))
    if compression == PACKBITS:
        return bytes(imagecodecs.packbits_decode(data))
    if compression == LZMA:
        return bytes(imagecodecs.lzma_decode(data, out=size))
    return bytes(imagecodecs.zstd_decode(data, out=size))


class Fax:
    """Decodes 1-bit strips and tiles; archives often have one strip for the whole log.

    Args:
        compression: RLE, FAX3 or FAX4.
        columns: of the strip or tile.
        t4_options: the tag, for FAX3.
        exact: whether the file says how many bytes a strip has (else there may be more).
    """

    def __init__(self, compression: int, columns: int, t4_options: int, exact: bool) -> None:
        self.columns = columns
        self._code, self._t4_options, self._exact = compression, t4_options, exact

    def _decode(self, data: bytes, height: int, out: Gray | None = None) -> Gray:
        """Decode fax rows to 0/1, (height, segment columns)."""
        if not height:
            return np.zeros((0, self.columns), np.uint8)
        codec: Callable[..., Gray]
        options: dict[str, Any] = {"height": height, "width": self.columns, "out": out}
        if self._code == FAX3:
            codec = imagecodecs.ccittfax3_decode
            options["t4options"] = self._t4_options
        else:
            codec = {RLE: imagecodecs.ccittrle_decode, FAX4: imagecodecs.ccittfax4_decode}[
                self._code
            ]
        return codec(data, **options)

    def rows(self, data: bytes, height: int, damage: str, *, may_spill: bool) -> tuple[Gray, str]:
        """The whole rows of a fax strip as 0/1, or, of a tall one, as packed bits; any damage.

        The codec reports no flaw: it leaves blank what it cannot decode. So of damaged data the
        rows before the last inked one (which may be half a row) count as good.
        """
        # A row takes one bit at least: never decode rows that cannot be there.
        possible = min(height, 8 * len(data))
        tall = may_spill and self.columns > 8 and possible * self.columns > SPILL_PIXELS
        decode = self._decode_packed if tall else self._decode
        try:
            rows = decode(data, possible)
        except ScanError:
            raise
        except Exception as error:
            nothing = np.empty((0, self.columns), np.uint8)
            return nothing, damage or f"the data are damaged ({one_line(error)})"
        inked = _last_inked(rows)
        if not damage and possible < height:
            damage = "the data are damaged"
        # Decoding twice is cheap for small strips; for tall ones only if much of it is blank.
        elif not damage and possible - 1 - inked > (possible // 64 if tall else 0):
            damage = self._stopped_early(data, rows, inked, decode)
        return (rows[: max(inked, 0)] if damage else rows), damage

    def _stopped_early(
        self, data: bytes, rows: Gray, inked: int, decode: Callable[[bytes, int], Gray]
    ) -> str:
        """Tell whether G4 data end in bytes that the decoder has not used, as after a flaw.

        After the last ink follow at most: 4 bits (a pass code) for each colour change of the
        last two inked rows, 1 bit for each blank row, 24 bits of end mark, and padding. If
        the decoder does not miss the bytes before these, it had stopped before them.
        """
        if self._code != FAX4 or not self._exact:
            return ""
        near = rows[max(0, inked - 1) : inked + 1]
        if rows.shape[1] != self.columns:
            near = np.unpackbits(near, axis=1)
        changes = int(np.count_nonzero(near[:, 1:] != near[:, :-1])) + 2 * len(near)
        tail = (len(rows) - 1 - inked + 4 * changes + 24) // 8 + 5
        data = data.rstrip(b"\0")
        try:
            unread = len(data) > tail and np.array_equal(decode(data[:-tail], len(rows)), rows)
        except imagecodecs.Ccittfax4Error:  # a few bytes are too few for the codec
            unread = False
        return "the fax data are damaged" if unread else ""

    def _decode_packed(self, data: bytes, height: int) -> Gray:
        """Decode a tall strip into packed bits, (height, ceil(columns/8)), in little memory.

        The codec only decodes whole strips to one byte a pixel: 578 MB for the tallest known.
        So it writes into a mapped temporary file without a name, whose pages a helper thread
        lets go of as they come (MADV_DONTNEED on a shared mapping loses nothing: the kernel
        keeps the file's pages and may write them to disk). Then the rows are packed 8 to 1.
        """
        size = height * self.columns
        try:
            with tempfile.TemporaryFile(prefix="wellseg-") as file:
                if hasattr(os, "posix_fallocate"):  # a full disk fails here, not as SIGBUS later
                    os.posix_fallocate(file.fileno(), 0, size)
                else:
                    file.truncate(size)
                with mmap.mmap(file.fileno(), size) as mapping, _kept_small(mapping):
                    bits = np.frombuffer(mapping, np.uint8).reshape(height, self.columns)
                    self._decode(data, height, out=bits)
                    packed = np.empty((height, -(-self.columns // 8)), np.uint8)
                    for row in range(0, height, 1024):
                        packed[row : row + 1024] = np.packbits(bits[row : row + 1024], axis=1)
                    del bits
        except OSError as error:
            raise ScanError(
                f"needs {size:,} bytes for a temporary file in {tempfile.gettempdir()} "
                f"({error.strerror}); free some or set TMPDIR to a folder with space"
            ) from error
        return packed


def _last_inked(rows: Gray) -> int:
    """The last row that is not 0 throughout; -1 if all are."""
    for stop in range(len(rows), 0, -1024):
        start = max(0, stop - 1024)
        inked = np.flatnonzero(rows[start:stop].any(axis=1))
        if len(inked):
            return start + int(inked[-1])
    return -1


@contextlib.contextmanager
def _kept_small(mapping: mmap.mmap) -> Iterator[None]:
    """Keep a shared mapping's resident memory small while the block fills it."""
    done = threading.Event()

    def let_go() -> None:
        while not done.wait(0.02):
            mapping.madvise(mmap.MADV_DONTNEED)

    helper = threading.Thread(target=let_go, daemon=True)
    if hasattr(mmap, "MADV_DONTNEED"):
        helper.start()
    try:
        yield
    finally:
        done.set()
        if helper.is_alive():
            helper.join()


def one_line(error: Exception) -> str:
    """An error of a library in one short line."""
    return " ".join(str(error).split())[:100] or type(error).__name__

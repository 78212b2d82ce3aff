"""One page of a TIFF, band by band: what its tags claim, where its pixels lie, what is damaged.

A *segment* is a strip or tile of the file; a *band* is a row of segments, the smallest piece that
is decoded by itself. What tifffile makes of a segment are its *samples*. Fax codes (CCITT modified
Huffman, Group 3, Group 4) are left to libtiff: it keeps the row above as runs, some of them without
a pixel, to which the codes of some writers refer (ImageGear in libtiff's testfax4.tiff)."""

import itertools
import logging
import os
import re
import struct
import tempfile
import threading
import zlib
from functools import cached_property
from typing import Any, BinaryIO, NamedTuple

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from tifffile.tifffile import COMPRESSION, PHOTOMETRIC, jpeg_shape

from wellseg.scan import ScanError, one_line
from wellseg.scan.pictures import Gray, scale

GRAYS = PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.PALETTE, PHOTOMETRIC.MASK
COLOURS = PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR, PHOTOMETRIC.CIELAB  # YCbCr becomes RGB with JPEG
CHANNELS: dict[Any, int] = dict.fromkeys(GRAYS, 1) | dict.fromkeys(COLOURS, 3)
CHANNELS[PHOTOMETRIC.SEPARATED] = 4  # CMYK
FAX = COMPRESSION.CCITTRLE, COMPRESSION.CCITTFAX3, COMPRESSION.CCITTFAX4
DEFLATE = COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE
WITHOUT_PREDICTOR = COMPRESSION.NONE, COMPRESSION.JPEG, COMPRESSION.PACKBITS  # as libtiff has it
OTHERS = COMPRESSION.LZW, COMPRESSION.LZMA, COMPRESSION.ZSTD, COMPRESSION.WEBP
EXPANSION = 2**16  # most bytes that a byte of a file becomes, by any compression but fax
MAX_BAND_BYTES = 2**31
SPILL_PIXELS = 2**25  # larger fax strips go to a temporary file: some hold a whole log
CONVERT = "convert it, as with magick SCAN -colorspace sRGB"
PART_BYTES = 2**22  # an uncompressed page in one strip is read in parts of about so many
_first_flaw = threading.local()  # of libtiff in this thread: row, and whether it is an end mark


class Band(NamedTuple):
    """Rows [first, stop) of a page. If damaged, only the first of them, and why."""

    first: int
    stop: int
    samples: NDArray[Any]  # (rows, columns, samples) as in the file; of 1-bit pages packed
    damage: str


class TiffPage:
    """Decodes the bands of one page, or raises ScanError for what is not supported, and for sizes
    that the file cannot hold. kind: "1-bit", "gray" or "colour"."""

    def __init__(self, page: Any, file: BinaryIO) -> None:
        self._page, self._file, self._file_bytes = page, file, file.seek(0, os.SEEK_END)
        self.rows, self.columns = int(page.imagelength), int(page.imagewidth)
        self._photometric, self._compression = int(page.photometric), int(page.compression)
        self._bits, self._samples = page.bitspersample, int(page.samplesperpixel)
        if "PhotometricInterpretation" not in page.tags:  # as libtiff reads it
            of_gray = PHOTOMETRIC.MINISWHITE if self._compression in FAX else PHOTOMETRIC.MINISBLACK
            self._photometric = PHOTOMETRIC.RGB if self._samples > 2 else of_gray
        self._segment_rows = min(int(page.rowsperstrip) or self.rows, self.rows)
        self._segment_columns = self.columns
        if page.is_tiled:
            self._segment_rows, self._segment_columns = int(page.tilelength), int(page.tilewidth)
        self._planes = {1: 1, 2: self._samples}.get(page.planarconfig, int(self._samples == 1))
        sizes = (self.rows, self.columns, self._planes, self._segment_rows, self._segment_columns)
        if min(sizes) < 1:
            raise ScanError("the picture, its planes or tiles have no pixels: it is damaged")
        if (
            self._compression not in (*FAX, *DEFLATE, *WITHOUT_PREDICTOR, *OTHERS)
            or (self._compression in FAX and (self._bits, self._samples) != (1, 1))
            or self._samples < CHANNELS.get(self._photometric, 2**16)
            or (self._photometric == PHOTOMETRIC.YCBCR and self._compression != COMPRESSION.JPEG)
            or self._bits not in ([8] if self._photometric == PHOTOMETRIC.CIELAB else range(1, 65))
            or getattr(page.dtype, "kind", "c") == "c"  # none that is known, or complex
        ):
            what = f"compression {self._compression}, photometric {self._photometric}"
            samples = f"{self._samples} samples of {self._bits} bits"
            raise ScanError(f"{what}, {samples}: not supported; {CONVERT} -depth 8 NEW.tif")
        self._across = -(-self.columns // self._segment_columns)
        samples_in_row = self._segment_columns * self._samples // self._planes
        self._row_bytes = -(-samples_in_row * self._bits // 8)
        self._places = self._find_segments()
        self._is_reversed = page.fillorder == 2 and self._compression in (*FAX, *DEFLATE)
        if self._compression in DEFLATE:  # unpacked here: see below
            page.compression, page.fillorder = COMPRESSION.NONE, 1
        if self._compression in WITHOUT_PREDICTOR:  # a converter may have left its tag
            page.predictor = 1
        page.subsampling = None  # of YCbCr; its tag is left in other scans by converters
        coloured = CHANNELS[self._photometric] > 1
        table: Gray | None = None
        if self._photometric == PHOTOMETRIC.PALETTE:
            palette = np.asarray(page.colormap)  # missing: of no size
            if self._bits > 8 or palette.shape != (3, 2**self._bits):
                raise ScanError("its palette is missing or of the wrong size: it is damaged")
            coloured = bool(np.ptp(palette, axis=0).any())
            # Some writers store 8-bit entries where 16-bit ones belong (so libtiff's readers).
            rgb = (palette >> 8 if palette.max() > 255 else palette).T.astype(np.uint8)
            table = rgb if coloured else rgb[:, 0]
        elif not coloured and page.dtype in (np.bool_, np.uint8):
            table = scale(np.arange(2**self._bits), *self._range)
        self._table = None if table is None else np.resize(table, (256, *table.shape[1:]))
        self.kind = "colour" if coloured else "1-bit" if self._bits == 1 else "gray"

    def _find_segments(self) -> list[tuple[int, int]]:
        """Offset and bytes of each segment. Raises ScanError for sizes that no file can hold."""
        page, file_bytes = self._page, self._file_bytes
        offsets, counts = list(page.dataoffsets), list(page.databytecounts)
        if not any(counts):  # they reach to the next segment, or to the file's end
            following = dict(itertools.pairwise(sorted({*offsets, file_bytes})))
            counts = [following.get(offset, offset) - offset for offset in offsets]
        row_bytes = self._across * self._segment_columns * self._samples * page.dtype.itemsize
        # One bit can code a blank fax row of any width. A truncated file may keep one hundredth.
        expansion = 800 * row_bytes if self._compression in FAX else EXPANSION
        possible = self.rows * row_bytes <= expansion * file_bytes
        one_strip = not page.is_tiled and len(offsets) == self._planes
        if possible and one_strip and self._compression == COMPRESSION.NONE:
            page.rowsperstrip = self._segment_rows = max(1, PART_BYTES // self._row_bytes)
            starts = range(0, self.rows * self._row_bytes, self._segment_rows * self._row_bytes)
            offsets = [offset + start for offset in offsets for start in starts]
            counts = [min(starts.step, starts.stop - start) for start in starts] * self._planes
        if not possible or row_bytes * self._segment_rows > MAX_BAND_BYTES:
            said = f"claims {self.rows:,} x {self.columns:,} pixels of {self._samples} samples"
            raise ScanError(f"{said}: too many for its bytes, or one strip; try tiffcp -r 256")
        return list(zip(offsets, counts, strict=False))

    def _decode_band(self, row: int) -> Band:
        down, bands = row // self._segment_rows, -(-self.rows // self._segment_rows)
        first = down * self._segment_rows
        height = good = min(self._segment_rows, self.rows - first)
        damage, parts = "", []
        for plane, across in itertools.product(range(self._planes), range(self._across)):
            part, flaw = self._segment((plane * bands + down) * self._across + across, height)
            parts.append(part)
            if len(part) < good:
                good, damage = len(part), flaw
            if not good:  # a hostile file may claim a million more
                return Band(first, first + height, np.empty((0, 1, 1)), damage)
        samples = parts[0][:good]
        if len(parts) > 1:
            cut = [part[:good] for part in parts]
            samples = np.block([cut[left :: self._across] for left in range(self._across)])
        samples = samples[:, : self.columns]
        if self._bits == self._samples == 1:  # eight rows take the memory of one
            samples = np.packbits(samples[..., 0], axis=1)
        return Band(first, first + height, samples, damage)

    def _segment(self, index: int, height: int) -> tuple[NDArray[Any], str]:
        """The good rows of a segment's first `height`, (rows, columns, samples), and what is wrong
        with the next one. Fax codes are good down to a flaw; of others all rows are, or none."""
        page, data = self._page, b""
        offset, wanted = self._places[index] if index < len(self._places) else (0, 0)
        if 0 < offset < self._file_bytes and wanted > 0:
            self._file.seek(offset)
            data = self._file.read(min(wanted, self._file_bytes))
        damage = "" if data and len(data) == wanted else "the file ends before their data"
        if self._is_reversed:
            data = bytes(imagecodecs.bitorder_decode(data))
        if self._compression in FAX:
            options = int(page.tags.valueof("T4Options") or 0)
            tags = {256: self._segment_columns, 259: self._compression, 292: options}
            bits, flaw = decode_fax(data, height, tags)
            return bits[..., None], flaw and (damage or flaw)
        try:
            if damage:
                raise ValueError(damage)
            if self._compression in DEFLATE:  # tifffile refuses strips that hold too many rows
                job, limit = zlib.decompressobj(), self._segment_rows * self._row_bytes
                data, more = job.decompress(data, limit), job.decompress(job.unconsumed_tail, limit)
                if not (more or job.eof):
                    raise ValueError("no end within the bytes of its rows")
            if self._compression == COMPRESSION.JPEG:
                _, rows, columns, _ = jpeg_shape(data)
                # The codec asks for memory by what the segment claims, not by what the page says.
                if rows > self._segment_rows + 64 or columns > self._segment_columns + 64:
                    raise ValueError(f"a JPEG of {rows} x {columns} in a smaller strip or tile")
            return page.decode(data, index, jpegtables=page.jpegtables)[0][0, :height], ""
        except MemoryError:
            raise
        except Exception as error:
            return np.empty((0, 1, 1)), damage or f"the data are damaged ({one_line(error)})"

    @cached_property
    def _range(self) -> tuple[float, float]:
        """The values of black and white: the ends of the format, or of a page's floats. More than
        8 bits may be used in part: scanners store 10 or 12 in 16."""
        kind, bits = self._page.dtype.kind, self._bits
        least, most = (np.inf, -np.inf) if kind == "f" else (0, 255)
        for row in range(0, self.rows, self._segment_rows) if bits > 8 else ():
            values = self._decode_band(row).samples[..., : CHANNELS[self._photometric]]  # no alpha
            values = values[np.isfinite(values)] if kind == "f" else values
            least, most = values.min(initial=least), values.max(initial=most)
        if kind == "f":
            is_usual = least > most or 0 <= least <= most <= 1
            low, high = (0.0, 1.0) if is_usual else (float(least), float(most))
        elif kind == "i" and (bits <= 8 or least < 0):  # else of a program without unsigned ones
            low, high = -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
        else:
            low, high = 0.0, 2.0 ** min(bits, int(most).bit_length()) - 1
        return (high, low) if self._photometric == PHOTOMETRIC.MINISWHITE else (low, high)

    def _show(self, samples: NDArray[Any]) -> Gray:
        """Gray (rows, columns), or R, G, B where the page is in colour, of a band's samples."""
        if self._bits == self._samples == 1:
            samples = np.unpackbits(samples, axis=1, count=self.columns)[..., None]
        channels, extra = CHANNELS[self._photometric], self._page.extrasamples[:1]
        shown: Any = samples[..., 0] if channels == 1 else samples[..., :channels]
        if self._table is None:
            shown = scale(shown, *self._range)
        else:
            shown = shown.view(np.uint8)
            indices = shown if self._table.ndim == 1 else cv2.cvtColor(shown, cv2.COLOR_GRAY2RGB)
            shown = cv2.LUT(indices, self._table[None])
        if self._photometric == PHOTOMETRIC.SEPARATED:
            ink, black = 255 - shown[..., :3], 255 - shown[..., 3:].astype(np.uint16)
            shown = (ink * black // 255).astype(np.uint8)
        elif self._photometric == PHOTOMETRIC.CIELAB:  # a and b have signs
            shown = cv2.cvtColor(shown ^ np.array([0, 128, 128], np.uint8), cv2.COLOR_Lab2RGB)
        if extra in ((1,), (2,)) and self._samples > channels:  # transparent: laid on white
            opaque = max(*self._range, float(samples[..., channels].max(initial=0)))  # may be more
            alpha = scale(samples[..., channels], 0.0, opaque).astype(np.uint16)
            opacity = alpha.reshape(alpha.shape + (1,) * (shown.ndim - 2))
            ink = shown if extra == (1,) else (shown * opacity + 127) // 255  # 1: premultiplied
            shown = np.minimum(ink + (255 - opacity), 255).astype(np.uint8)
        return shown


def decode_fax(data: bytes, rows: int, tags: dict[int, int]) -> tuple[NDArray[np.bool_], str]:
    """Decode a strip or tile: (good rows, columns), True in a black run; what is wrong below.
    tags: ImageWidth, Compression, T4Options, by number. The codes of a row refer to the one above:
    none below a damaged one can be trusted. Raises ScanError without room for a temporary file."""
    possible = min(rows, 8 * len(data))  # a row takes one bit at least
    pixels, good, at_mark = _decode(data, possible, tags)
    if at_mark:
        # An end mark where a row should begin. If it is the data's last, the scan ended early, and
        # the rest is blank; but zeros that damage left look the same. Without its three bytes (two
        # ends of line, each eleven zeros and a one), what changes?
        stripped = data.rstrip(b"\0")
        last_bits = f"{int.from_bytes(stripped[-3:]):024b}".rstrip("0")
        is_mark = last_bits.endswith("000000000001")
        if is_mark and _decode(stripped[:-3], possible, tags)[1:] != (good, True):
            good = possible
    return pixels[:good], "" if good == rows else "the fax data are damaged or end early"


def _decode(data: bytes, rows: int, tags: dict[int, int]) -> tuple[NDArray[np.bool_], int, bool]:
    """All rows, how many are good, and whether the next is an end mark."""
    pixels, good = _zeros(rows, tags[256]), rows
    # A TIFF file around one strip, 1 bit, white is 0, from byte 8 on: libtiff reads nothing else.
    tags = tags | {257: rows, 258: 1, 262: 0, 273: 8, 277: 1, 278: rows, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    data += b"\0" * (len(data) % 2)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + struct.pack("<H", len(tags))
    _first_flaw.found = None
    try:
        imagecodecs.tiff_decode(head + entries + b"\0" * 4, out=pixels, verbose=True)
    except (imagecodecs.TiffError, ValueError, IndexError):  # of no rows: no directory
        good = 0
    good, at_mark = _first_flaw.found or (good, False)
    return pixels, good, at_mark and good > 0


def _zeros(rows: int, columns: int) -> NDArray[Any]:
    """One byte a pixel, as libtiff has them. A large array is mapped from a temporary file."""
    if (size := rows * columns) <= SPILL_PIXELS:
        return np.zeros((rows, columns), np.bool_)
    try:
        with tempfile.TemporaryFile(prefix="wellseg-") as file:
            if hasattr(os, "posix_fallocate"):  # a full disk fails here, not as SIGBUS later
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, np.bool_, "w+", shape=(rows, columns))
    except OSError as error:
        place = f"a temporary file in {tempfile.gettempdir()} ({error.strerror})"
        raise ScanError(f"needs {size:,} bytes for {place}; free some or set TMPDIR") from error


def _hear(record: logging.LogRecord) -> bool:
    found = re.match(r"(Premature|Line length).* at line (\d+)(.*)", record.getMessage())
    if found and getattr(_first_flaw, "found", None) is None:
        _first_flaw.found = int(found[2]), found[1] == "Premature" and "(got 0," in found[3]
    return False  # nothing is printed


_libtiff = logging.getLogger("imagecodecs")  # where imagecodecs sends libtiff's warnings
_libtiff.setLevel(logging.WARNING)
_libtiff.addFilter(_hear)

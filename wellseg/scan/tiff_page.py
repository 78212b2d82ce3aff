"""One page of a TIFF, strip by strip: what its tags claim, where its pixels lie, what is damaged.

A *segment* is a strip or tile of the file; a *band* is one row of segments (of an uncompressed
strip, a part of one): the smallest piece that can be decoded by itself.
"""

from __future__ import annotations

import contextlib
import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile.tifffile import jpeg_shape

from wellseg.scan.errors import ScanError, one_line
from wellseg.scan.fax import FAX, decode_fax
from wellseg.scan.gray import COLOUR_CHANNELS, PALETTE, Gray, ToGray

NONE, LZW, OLD_JPEG, JPEG, DEFLATE, PACKBITS = 1, 5, 6, 7, 8, 32773
OLD_DEFLATE, LZMA, ZSTD, WEBP = 32946, 34925, 50000, 50001

EXPANSION = {NONE: 1, LZW: 2731, JPEG: 4096, DEFLATE: 1032, PACKBITS: 64, OLD_DEFLATE: 1032,
             LZMA: 2**14, ZSTD: 2**16}  # fmt: skip
"""The most bytes that one byte of the file can become, of what is decoded strip by strip. Deflate:
258 bytes from 2 bits (zlib's "maximum compression factor" 1032:1); LZW: 12 bits for at most 4,096
bytes; PackBits: 128 from 2. Formats without a bound get one that no scan reaches."""
CONVERT = "convert it, for example with tiffcp -c lzw"
MAX_BAND_BYTES = 2**31
"""Largest decoded band (one byte a pixel for 1 bit) that is decoded at all."""


@dataclass
class Band:
    """Decoded rows of a page, from row `first` on; fewer than it should have if damaged."""

    first: int
    stop: int  # the row after the band's last, if it were whole
    pixels: Gray  # (rows, columns) gray; or, where `shades` is given, (rows, ceil(columns/8)) bits
    damage: str = ""  # why rows are missing; empty if none is
    shades: tuple[int, int] | None = None  # the grays that bits 0 and 1 stand for

    def take(self, start: int, stop: int, columns: int) -> Gray:
        """Rows [start, stop) of the page, which must be in the band, as gray."""
        rows = self.pixels[start - self.first : stop - self.first]
        if self.shades is None:
            return rows
        bits = np.unpackbits(rows, axis=1, count=columns)
        bits *= np.uint8((self.shades[1] - self.shades[0]) % 256)  # uint8 wraps
        bits += np.uint8(self.shades[0])
        return bits


class TiffPage:
    """Decodes the bands of one page. Not for use from several threads at once."""

    def __init__(
        self, page: tifffile.TiffPage, file: BinaryIO, file_bytes: int, colour: bool
    ) -> None:
        self._page, self._file, self._file_bytes = page, file, file_bytes
        self.rows, self.columns = int(page.imagelength), int(page.imagewidth)
        self._compression, self._samples = int(page.compression), int(page.samplesperpixel)
        self._check_supported()
        self._bits = int(page.bitspersample)
        size = next(size for size in (1, 2, 4, 8) if self._bits <= 8 * size)
        self._dtype = np.dtype(f"{'i' if page.sampleformat == 2 else 'u'}{size}")
        self._segment_rows, self._segment_columns = self.rows, self.columns
        if page.is_tiled:
            self._segment_rows, self._segment_columns = int(page.tilelength), int(page.tilewidth)
        elif page.rowsperstrip:
            self._segment_rows = min(int(page.rowsperstrip), self.rows)
        self._across = -(-self.columns // self._segment_columns)
        self._row_bytes = -(-self._segment_columns * self._samples * self._bits // 8)
        self._check_claims()
        self._offsets = page.dataoffsets
        self._byte_counts = self._segment_byte_counts()
        self._band_rows = self._segment_rows
        if self._compression == NONE and not page.is_tiled:
            # Rows of an uncompressed strip can be read by themselves.
            self._band_rows = max(1, min(self._segment_rows, 2**22 // (self._row_bytes or 1)))
        self._to_gray = ToGray(page, page.sampleformat == 2, colour)
        self.kind = self._to_gray.kind

    # What the tags say

    def _check_supported(self) -> None:
        page, bits, of = self._page, self._page.bitspersample, int(self._page.sampleformat)
        if self.rows < 1 or self.columns < 1 or self._samples < 1:
            raise ScanError("the picture has no pixels")
        if not (self._compression in FAX or self._compression in EXPANSION):
            raise ScanError(f"compression {page.compression!s} is not supported; {CONVERT}")
        if page.photometric not in COLOUR_CHANNELS or page.predictor not in (1, 2):
            what = f"photometric {page.photometric!s}, predictor {page.predictor!s}"
            raise ScanError(f"{what} is not supported; {CONVERT}")
        if page.imagedepth > 1 or (page.is_tiled and page.tiledepth > 1):
            raise ScanError("volumes are not supported")
        if page.is_tiled and not (page.tilelength > 0 and page.tilewidth > 0):
            raise ScanError("its tiles have no size: the file is damaged")
        if not isinstance(bits, int):
            raise ScanError(f"samples of different depth are not supported; {CONVERT}")
        if self._compression in FAX and (bits, self._samples) != (1, 1):
            raise ScanError("fax compression with more than one bit per pixel: it is damaged")
        if page.photometric == PALETTE and bits > 8:
            raise ScanError(f"palettes of more than 8 bits are not supported; {CONVERT}")
        # Sample formats: 1 unsigned, 2 signed, 3 floats, 4 unknown.
        if not (1 <= bits <= 32 and (of in (1, 4) or (of == 2 and bits in (8, 16, 32)))):
            raise ScanError(f"{bits}-bit samples of format {of} are not supported; {CONVERT}")

    def _check_claims(self) -> None:
        """Refuse sizes that the file cannot hold, before any memory is asked for."""
        claim = f"claims {self.rows:,} x {self.columns:,} pixels of {self._samples} samples"
        decoded = self._row_bytes if self._compression not in FAX else self._segment_columns
        band_bytes = decoded * self._segment_rows * self._across
        if self._compression != NONE and band_bytes > MAX_BAND_BYTES:
            raise ScanError(
                f"{claim} in strips or tiles of {band_bytes:,} bytes, more than wellseg decodes "
                f"at once ({MAX_BAND_BYTES:,}); rewrite it with smaller strips: tiffcp -r 256"
            )
        # One bit can code a blank fax row of any width. A truncated file may keep one hundredth.
        expansion = EXPANSION.get(self._compression, 8 * decoded)
        picture_bytes = decoded * self._across * self.rows
        if picture_bytes > 100 * expansion * self._file_bytes or self._row_bytes > 2**28:
            raise ScanError(f"{claim}, which a file of {self._file_bytes:,} bytes cannot hold")

    def _segment_byte_counts(self) -> Sequence[int]:
        """Bytes of each segment; what the file does not say is estimated from the offsets."""
        if not self._offsets:
            raise ScanError("the file does not say where its pixels are: it is damaged")
        counts = self._page.databytecounts
        if any(counts):
            return counts
        ends = sorted({*self._offsets, self._file_bytes})
        following = dict(itertools.pairwise(ends))
        return [following.get(offset, offset) - offset for offset in self._offsets]

    # From file to samples to gray

    def band(self, row: int) -> Band:
        """Decode the band that holds this row."""
        down, skip = divmod(row, self._segment_rows)
        skip -= skip % self._band_rows
        strip_rows = min(self._segment_rows, self.rows - down * self._segment_rows)
        height = min(self._band_rows, strip_rows - skip)
        first = down * self._segment_rows + skip
        table = self._to_gray.table
        one_bit = self._bits == self._samples == 1 and self._across == 1
        # What is 1-bit gray stays packed until it is read: eight rows take the memory of one.
        if one_bit and table is not None and table.ndim == 1 and self._page.predictor == 1:
            data, damage = self._bytes(down, skip, height)
            packed = np.frombuffer(data, np.uint8).reshape(-1, self._row_bytes)
            return Band(first, first + height, packed, damage, (int(table[0]), int(table[1])))
        samples, damage = self._band_samples(down, skip, height)
        return Band(first, first + height, self._to_gray(samples), damage)

    def _band_samples(self, down: int, skip: int, height: int) -> tuple[NDArray[Any], str]:
        """Samples of a band, (rows, columns, samples) in the file's range, and any damage."""
        if self._across == 1:
            samples, damage = self._segment(down, skip, height)
            return samples[:, : self.columns], damage
        band = np.empty((height, self.columns, self._samples), self._dtype)
        good, damage = height, ""
        for across in range(self._across):
            left = across * self._segment_columns
            width = min(self._segment_columns, self.columns - left)
            samples, flaw = self._segment(down * self._across + across, skip, height)
            if len(samples) < good:
                good, damage = len(samples), flaw
            if not good:
                break  # a hostile file may claim a million more
            band[:good, left : left + width] = samples[:good, :width]
        return band[:good], damage

    def _segment(self, index: int, skip: int, height: int) -> tuple[NDArray[Any], str]:
        """Samples of a strip or tile, (rows, its columns, its samples), and any damage."""
        if self._compression == JPEG:
            return self._jpeg(index, height)
        shape = (-1, self._segment_columns, self._samples)
        data, damage = self._bytes(index, skip, height)
        if self._bits in (8, 16, 32):
            stored = self._dtype.newbyteorder(self._page.parent.byteorder)
            pixels = np.frombuffer(data, stored).astype(self._dtype, copy=False).reshape(shape)
        elif not data:
            pixels = np.empty((0, *shape[1:]), self._dtype)
        else:
            run = self._segment_columns * self._samples
            pixels = imagecodecs.packints_decode(data, self._dtype, self._bits, runlen=run)
            pixels = pixels.reshape(shape)
        if self._page.predictor == 2 and len(pixels):
            pixels = imagecodecs.delta_decode(pixels, axis=1)
        return pixels, damage

    def _bytes(self, index: int, skip: int, height: int) -> tuple[bytes, str]:
        """Decompressed whole rows of a segment: `height` of them, or fewer and why."""
        size = height * self._row_bytes
        if self._compression == NONE:
            data, damage = self._raw(index, skip * self._row_bytes, size)
        else:
            data, damage = self._raw(index)
            try:
                data, flaw = self._decompress(data, height)
                damage = damage or flaw
            except ScanError:
                raise
            except Exception as error:
                data, damage = b"", damage or f"the data are damaged ({one_line(error)})"
        if len(data) >= size:
            return data[:size], ""
        whole = len(data) // self._row_bytes * self._row_bytes
        return data[:whole], damage or "the data are damaged"

    def _decompress(self, data: bytes, height: int) -> tuple[bytes, str]:
        if self._compression in FAX:
            t4_options = int(self._page.tags.valueof(292) or 0)
            columns = self._segment_columns
            bits, flaw = decode_fax(data, height, columns, self._compression, t4_options)
            return bits.tobytes(), flaw
        # Some codecs take memory for all of `size` at once.
        size = min(height * self._row_bytes, EXPANSION[self._compression] * len(data))
        return _decompress(self._compression, data, size), ""

    def _raw(self, index: int, skip: int = 0, limit: int | None = None) -> tuple[bytes, str]:
        """The bytes of a segment as they are in the file, and what is wrong with them."""
        if index >= min(len(self._offsets), len(self._byte_counts)):
            return b"", "the file does not say where they are"
        offset = int(self._offsets[index]) + skip
        wanted = int(self._byte_counts[index]) if limit is None else limit
        if wanted <= 0 or offset <= 0:
            return b"", "the file has no data for them"
        if offset >= self._file_bytes:
            return b"", "the file ends before them"
        self._file.seek(offset)
        data = self._file.read(min(wanted, self._file_bytes - offset))
        if self._page.fillorder == 2 and self._compression != JPEG:
            data = bytes(imagecodecs.bitorder_decode(data))
        return data, "" if len(data) == wanted else "the file ends before them"

    def _jpeg(self, index: int, height: int) -> tuple[NDArray[Any], str]:
        """A segment in JPEG, whole or not at all; the tables that all share are the page's."""
        page = self._page
        nothing = np.empty((0, self._segment_columns, self._samples), self._dtype)
        data, damage = self._raw(index)
        if height * self._row_bytes > EXPANSION[JPEG] * len(data):
            return nothing, damage or "the data are damaged"
        try:
            _, rows, columns, _ = jpeg_shape((page.jpegheader or b"") + data)
            # The codec asks for memory by what the segment claims, not by what the page says.
            if rows > self._segment_rows + 64 or columns > self._segment_columns + 64:
                raise ValueError(f"a JPEG of {rows} x {columns} in a smaller strip or tile")
            tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
            decoded = page.decode(data, index, **tables)[0]
        except Exception as error:
            return nothing, damage or f"the data are damaged ({one_line(error)})"
        if damage or decoded is None or decoded.shape[1] < height:
            return nothing, damage or "the data are damaged"
        return decoded[0, :height], ""


def _decompress(compression: int, data: bytes, size: int) -> bytes:
    """Decompress at most `size` bytes; fewer where deflated data end early."""
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

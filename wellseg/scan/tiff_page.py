"""One page of a TIFF, band by band: what its tags claim, where its pixels lie, what is damaged.

A *segment* is a strip or tile of the file; a *band* is a row of segments, the smallest piece that
is decoded by itself. What tifffile makes of a segment are its *samples*.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from functools import cached_property
from typing import Any, BinaryIO, NamedTuple

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from tifffile.tifffile import jpeg_shape

from wellseg.scan.errors import ScanError, one_line
from wellseg.scan.fax import FAX, decode_fax
from wellseg.scan.gray import Gray, on_white, scale, to_gray

WHITE_IS_ZERO, PALETTE, CMYK, YCBCR = 0, 3, 5, 6
CHANNELS = {WHITE_IS_ZERO: 1, 1: 1, 2: 3, PALETTE: 1, 4: 1, CMYK: 4, YCBCR: 3, 8: 3, 9: 3}
"""By photometric; 1 is black-is-zero, 2 RGB, 4 a mask. YCbCr is RGB when JPEG is decoded."""
LAB = {8: np.array([0, 128, 128], np.uint8), 9: np.zeros(3, np.uint8)}
"""CIE L*a*b*, whose a and b are signed, and the ICC's, whose are not."""
NONE, JPEG, WEBP = 1, 7, 50001


def _inflate(data: bytes, size: int) -> bytes:
    # zlib gives what there is of data that end early; imagecodecs also refuses too many bytes.
    return zlib.decompressobj().decompress(data, size)


UNPACK: dict[int, Callable[[bytes, int], Any]] = {
    NONE: lambda data, size: data,
    5: lambda data, size: imagecodecs.lzw_decode(data, out=size),
    8: _inflate,
    32946: _inflate,
    32773: lambda data, size: imagecodecs.packbits_decode(data),
    34925: lambda data, size: imagecodecs.lzma_decode(data, out=size),
    50000: lambda data, size: imagecodecs.zstd_decode(data, out=size),
}
"""By compression: from data to at most so many bytes; fewer where the data end early."""
EXPANSION = 2**16
"""The most bytes that one byte of a file can become: beyond all compressions but fax."""
MAX_BAND_BYTES = 2**31
"""Largest decoded band that is decoded at all."""
PART_BYTES = 2**22
"""An uncompressed page in one strip is read in parts of about so many bytes."""
CONVERT = "convert it, for example with tiffcp -c lzw"


class Band(NamedTuple):
    """Rows of a page, from row `first` on; fewer than up to `stop` if damaged.

    samples: (rows, columns, samples) as in the file; of 1-bit pages packed, eight to a byte.
    damage: why rows are missing; empty if none is.
    """

    first: int
    stop: int
    samples: NDArray[Any]
    damage: str = ""


class TiffPage:
    """Decodes the bands of one page. kind: "1-bit", "gray" or "colour".

    Raises ScanError for what is not supported, and for sizes that the file cannot hold.
    """

    def __init__(self, page: Any, file: BinaryIO, file_bytes: int, colour: bool) -> None:
        self._page, self._file, self._file_bytes = page, file, file_bytes
        self.rows, self.columns = int(page.imagelength), int(page.imagewidth)
        self._photometric, self._compression = int(page.photometric), int(page.compression)
        self._samples = int(page.samplesperpixel)
        self._check_supported()
        self._bits, self._one_bit = page.bitspersample, page.bitspersample == self._samples == 1
        self._planes = self._samples if page.planarconfig == 2 else 1
        self._segment_rows, self._segment_columns = self.rows, self.columns
        if page.is_tiled:
            self._segment_rows, self._segment_columns = int(page.tilelength), int(page.tilewidth)
        elif page.rowsperstrip:
            self._segment_rows = min(int(page.rowsperstrip), self.rows)
        self._across = -(-self.columns // self._segment_columns)
        samples_in_row = self._segment_columns * self._samples // self._planes
        self._row_bytes = -(-samples_in_row * self._bits // 8)
        self._find_segments()
        self._swapped = page.fillorder == 2 and self._compression not in (JPEG, WEBP)
        if self._compression in UNPACK:
            # What is left to `page.decode`: depth, byte order and predictor of unpacked bytes.
            page.compression, page.fillorder = NONE, 1
        coloured = CHANNELS[self._photometric] > 1
        self._table: Gray | None = None
        if self._photometric == PALETTE:
            rgb = self._palette()
            coloured = bool(np.ptp(rgb, axis=1).any())
            self._table = rgb if colour and coloured else to_gray(rgb[None])[0]
        elif not coloured and page.dtype in (np.bool_, np.uint8):
            self._table = scale(np.arange(2**self._bits), *self._range)
        self.kind = "colour" if coloured else "1-bit" if self._bits == 1 else "gray"
        self._colour = colour and coloured

    def _check_supported(self) -> None:
        page, bits, problem = self._page, self._page.bitspersample, ""
        if min(self.rows, self.columns, self._samples) < 1:
            raise ScanError("the picture has no pixels")
        if page.is_tiled and min(page.tilelength, page.tilewidth) < 1:
            raise ScanError("its tiles have no size: the file is damaged")
        if self._compression not in (*UNPACK, *FAX, JPEG, WEBP):
            problem = f"compression {page.compression!s}"
        elif self._samples < CHANNELS.get(self._photometric, 2**16):
            problem = f"photometric {page.photometric!s} of {self._samples} samples"
        elif self._photometric == YCBCR and self._compression != JPEG:
            problem = f"YCbCr with compression {page.compression!s}"
        elif page.imagedepth > 1:
            problem = "a volume"
        elif page.dtype is None or page.dtype.kind not in "buif" or not isinstance(bits, int):
            problem = f"{bits}-bit samples of format {page.sampleformat}"
        elif self._compression in FAX and (bits, self._samples) != (1, 1):
            problem = "fax compression with more than one bit per pixel"
        if problem:
            raise ScanError(f"{problem} is not supported; {CONVERT}")

    def _find_segments(self) -> None:
        """Offset and bytes of each; refuse sizes that the file cannot hold before taking memory."""
        page, file_bytes, fax = self._page, self._file_bytes, self._compression in FAX
        claim = f"claims {self.rows:,} x {self.columns:,} pixels of {self._samples} samples"
        row_bytes = self._across * self._segment_columns * self._samples * page.dtype.itemsize
        # One bit can code a blank fax row of any width. A truncated file may keep one hundredth.
        if (self.rows / 800 if fax else self.rows * row_bytes / EXPANSION) > file_bytes:
            raise ScanError(f"{claim}, which a file of {file_bytes:,} bytes cannot hold")
        self._offsets, self._byte_counts = list(page.dataoffsets), list(page.databytecounts)
        if not self._offsets:
            raise ScanError("the file does not say where its pixels are: it is damaged")
        if not any(self._byte_counts):  # they reach to the next segment, or to the file's end
            following = dict(itertools.pairwise(sorted({*self._offsets, file_bytes})))
            self._byte_counts = [following.get(start, start) - start for start in self._offsets]
        one_strip = not page.is_tiled and len(self._offsets) == self._planes
        if one_strip and self._compression == NONE:
            page.rowsperstrip = self._segment_rows = max(1, PART_BYTES // self._row_bytes)
            size = self._segment_rows * self._row_bytes
            parts = range(0, self.rows * self._row_bytes, size)
            self._offsets = [start + part for start in self._offsets for part in parts]
            self._byte_counts = [size] * len(self._offsets)
        band_bytes = row_bytes * self._segment_rows
        if band_bytes > MAX_BAND_BYTES:
            raise ScanError(
                f"{claim} in strips or tiles of {band_bytes:,} bytes, more than wellseg decodes "
                f"at once ({MAX_BAND_BYTES:,}); rewrite it with smaller strips: tiffcp -r 256"
            )

    # From file to samples

    def band(self, row: int) -> Band:
        """Decode the band that holds this row."""
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
            parts = [part[:good] for part in parts]
            firsts = range(0, len(parts), self._across)
            planes = [np.concatenate(parts[i : i + self._across], axis=1) for i in firsts]
            samples = np.concatenate(planes, axis=2)
        samples = samples[:, : self.columns]
        if self._one_bit:  # eight rows take the memory of one
            samples = np.packbits(samples[..., 0], axis=1)
        return Band(first, first + height, samples, damage)

    def _segment(self, index: int, height: int) -> tuple[NDArray[Any], str]:
        """The good ones of a segment's first `height` rows, (rows, columns, samples), and what is
        wrong with the next."""
        page, compression = self._page, self._compression
        nothing = np.empty((0, self._segment_columns, self._samples), page.dtype)
        data, damage = self._raw(index)
        try:
            if compression in FAX:
                options = int(page.tags.valueof(292) or 0)
                bits, flaw = decode_fax(data, height, self._segment_columns, compression, options)
                return bits[..., None], flaw and (damage or flaw)
            if compression not in UNPACK:  # a picture is whole, or is not read
                return (nothing, damage) if damage else (self._picture(data, index)[:height], "")
            size = (self._segment_rows if page.is_tiled else height) * self._row_bytes
            unpacked = UNPACK[compression](data, min(size, EXPANSION * len(data)))[:size]
            good = min(height, len(unpacked) // self._row_bytes)
            segment = page.decode(bytearray(unpacked).ljust(size, b"\0"), index)[0]
        except (ScanError, MemoryError):
            raise
        except Exception as error:
            return nothing, damage or f"the data are damaged ({one_line(error)})"
        return segment[0, :good], "" if good == height else damage or "the data are damaged"

    def _raw(self, index: int) -> tuple[bytes, str]:
        """The bytes of a segment as they are in the file, and what is wrong with them."""
        if index >= min(len(self._offsets), len(self._byte_counts)):
            return b"", "the file does not say where they are"
        offset, wanted = int(self._offsets[index]), int(self._byte_counts[index])
        if wanted <= 0 or offset <= 0:
            return b"", "the file has no data for them"
        self._file.seek(offset)
        data = self._file.read(min(wanted, self._file_bytes))
        if self._swapped:
            data = bytes(imagecodecs.bitorder_decode(data))
        return data, "" if len(data) == wanted else "the file ends before them"

    def _picture(self, data: bytes, index: int) -> Any:
        """A segment in JPEG or WebP; the tables that all JPEGs share are the page's."""
        page, tables = self._page, {}
        if self._compression == JPEG:
            _, rows, columns, _ = jpeg_shape((page.jpegheader or b"") + data)
            # The codec asks for memory by what the segment claims, not by what the page says.
            if rows > self._segment_rows + 64 or columns > self._segment_columns + 64:
                raise ValueError(f"a JPEG of {rows} x {columns} in a smaller strip or tile")
            tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
        return page.decode(data, index, **tables)[0][0]

    # From samples to gray

    def _palette(self) -> Gray:
        """R, G, B of each value, (values, 3)."""
        colours = np.asarray(self._page.colormap)
        if self._bits > 8 or colours.shape != (3, 2**self._bits):
            raise ScanError("its palette is missing or of the wrong size: it is damaged")
        # Some writers store 8-bit entries where 16-bit ones belong (so libtiff's readers).
        return (colours >> 8 if colours.max() > 255 else colours).T.astype(np.uint8)

    @cached_property
    def _range(self) -> tuple[float, float]:
        """The values of black and white: the ends of the format, or of a page's floats."""
        low, high = 0.0, 1.0
        if self._page.dtype.kind != "f":
            low = -(2.0 ** (self._bits - 1)) if self._page.dtype.kind == "i" else 0.0
            high = low + 2.0**self._bits - 1
        else:
            bands = (self.band(row).samples for row in range(0, self.rows, self._segment_rows))
            known = (band[np.isfinite(band)] for band in bands)
            ends = [float(end) for k in known if k.size for end in (k.min(), k.max())]
            if ends and not 0 <= min(ends) <= max(ends) <= 1:
                low, high = min(ends), max(ends)
        return (high, low) if self._photometric == WHITE_IS_ZERO else (low, high)

    def show(self, samples: NDArray[Any]) -> Gray:
        """Gray (rows, columns), or R, G, B where colours are asked for, of a band's samples."""
        if self._one_bit:
            samples = np.unpackbits(samples, axis=1, count=self.columns)[..., None]
        channels, extra = CHANNELS[self._photometric], self._page.extrasamples[:1]
        alpha = None
        if extra in ((1,), (2,)) and self._samples > channels:  # premultiplied, or not
            alpha = scale(samples[..., channels], *sorted(self._range))
        shown: Any = samples[..., 0] if channels == 1 else samples[..., :channels]
        if self._table is None:
            shown = scale(shown, *self._range)
        elif self._table.ndim == 1:
            shown = cv2.LUT(shown.view(np.uint8), np.resize(self._table, 256))
        else:
            shown = self._table[shown]
        if self._photometric == CMYK:
            ink, black = 255 - shown[..., :3], 255 - shown[..., 3:].astype(np.uint16)
            shown = (ink * black // 255).astype(np.uint8)
        elif self._photometric in LAB:
            shown = cv2.cvtColor(shown ^ LAB[self._photometric], cv2.COLOR_LAB2RGB)
        return on_white(shown, alpha, extra == (1,), self._colour)

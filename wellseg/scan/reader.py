"""Read any archive scan as gray rows, on demand and in bounded memory; write masks.

With `tiff_pages`, `tiff_gray` and `tiff_codecs` behind it, this is the only module that knows TIFF, polarity,
bit depth, palette and orientation: everywhere else a scan is uint8 rows, 0 ink to 255 paper.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Iterable, Iterator
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import numpy as np
import tifffile

from wellseg.scan.atomic import atomic_file
from wellseg.scan.picture_file import KINDS, PictureFile
from wellseg.scan.tiff_codecs import Gray, ScanError, one_line
from wellseg.scan.tiff_pages import Band, TiffPage

__all__ = [
    "SUFFIXES",
    "Resolution",
    "Scan",
    "ScanError",
    "is_scan_file",
    "open_scan",
    "other_kind",
    "pages_of",
    "write_gray",
    "write_mask",
]

SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".jp2"})
OTHER_KINDS = {".pdf": "PDF", ".webp": "WebP", ".gif": "GIF", ".djvu": "DjVu", ".djv": "DjVu",
               ".heic": "HEIF", ".avif": "AVIF", ".jxl": "JPEG XL", ".emf": "EMF", ".cgm": "CGM",
               ".svg": "SVG", ".psd": "PSD", ".xps": "XPS"}  # fmt: skip
"""Files that may show a log, and that wellseg does not read."""
SIGNATURES = {b"%PDF": ".pdf", b"RIFF": ".webp", b"GIF8": ".gif", b"AT&T": ".djvu"}
SMALL_COPY = 0.67
"""A page of the same shape as the largest, but at most so wide, is a reduced copy of it."""
THUMBNAIL = 0.25
"""A page whose shorter side is at most this share of the largest page's is a thumbnail."""
MAX_PAGES = 10_000
MASK_STRIP_ROWS = 128

Resolution = tuple[tuple[int, int], tuple[int, int], int]
"""XResolution and YResolution as TIFF rationals; ResolutionUnit (1 none, 2 inch, 3 cm)."""

# tifffile logs what it finds odd in a file; what matters of it is said in a ScanError.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)


class _Source(Protocol):
    rows: int
    columns: int
    kind: str

    def band(self, row: int) -> Band: ...


def is_scan_file(path: str | os.PathLike[str]) -> bool:
    """Tell by its name whether a file of a folder is to be opened (hidden ones are not)."""
    name = Path(path).name
    return Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")


def other_kind(path: str | os.PathLike[str]) -> str:
    """What a file is, by its name, that may show a log but is not read ("PDF"); "" for any other."""
    name = Path(path).name
    return "" if name.startswith(".") else OTHER_KINDS.get(Path(name).suffix.lower(), "")


def pages_of(path: str | os.PathLike[str]) -> list[int]:
    """The pages of a file that are scans of their own, from 0, for `open_scan`; reads tags only.

    Left out are reduced copies, thumbnails and transparency masks, by their tags or their size.

    Raises ScanError as `open_scan` does; a page that is named here may still be damaged.
    """
    with open_scan(path) as largest:
        return [
            number
            for number in range(largest.pages)
            if number == largest.page or _is_own_scan(largest.tiff_pages[number], largest)
        ]


def _is_own_scan(page: Any, largest: Scan) -> bool:
    # NewSubfileType (254) is 1 for a reduced copy, 4 for a mask; SubfileType (255) 2 for a copy.
    if int(page.tags.valueof(254) or 0) & 5 or page.tags.valueof(255) == 2:
        return False
    down, across = page.imagelength / largest.rows, page.imagewidth / largest.columns
    shorter = min(page.imagelength, page.imagewidth) / min(largest.rows, largest.columns)
    same_shape = abs(down - across) < 0.02 * across
    return bool(shorter > THUMBNAIL and not (same_shape and across <= SMALL_COPY))


def open_scan(
    path: str | os.PathLike[str], page: int | None = None, *, colour: bool = False
) -> Scan:
    """Open a TIFF, BigTIFF, PNG, JPEG, JPEG 2000 or BMP, whatever its name says.

    Args:
        path: the scan.
        page: which page of the file, from 0; by default the one with the most pixels (the
            first of several), since logs often come with thumbnails or cover pages.
        colour: for looking at: `read` gives a colour scan's own colours, not gray.

    Raises:
        ScanError: the file is missing, not a picture, damaged beyond reading, of a kind that is
            not supported, or claims a size that it cannot hold.
    """
    path = Path(path)
    if path.is_dir():
        raise ScanError(f"{path}: is a folder, not a scan")
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        raise ScanError(f"{path}: no such file") from None
    except OSError as error:
        raise ScanError(f"{path}: cannot be opened: {error.strerror}") from None
    try:
        return Scan(path, file, page, colour)
    except ScanError as error:
        file.close()
        raise ScanError(f"{path}: {error}") from error
    except Exception as error:
        file.close()
        reason = one_line(error)
        raise ScanError(f"{path}: damaged or not a picture ({reason})") from error


class Scan:
    """An open scan. Use `open_scan` to make one, and `with` or `close` to let go of it.

    Keeps the file and the last decoded band (a strip, or a row of tiles) in memory: reading from
    top to bottom decodes each band once. Not for use from several threads at once.

    Attributes:
        path: the file.
        page, pages: which page this is, from 0, and how many there are.
        rows, columns: the size as stored in the file.
        orientation: the TIFF tag (1 upright, 3 turned by 180 degrees, ...). Rows are never
            rotated: a mask is laid out as the file is.
        resolution: the TIFF tags, for `write_mask`; None if the file has none.
        dpi: pixels per inch, across; None if unknown.
        kind: what the pixels are: "1-bit", "gray" or "colour".
    """

    def __init__(self, path: Path, file: BinaryIO, page: int | None, colour: bool = False) -> None:
        self.path, self._file = path, file
        self.page, self.pages, self.orientation = 0, 1, 1
        self.resolution: Resolution | None = None
        self._band: Band | None = None
        head = file.read(8)
        file.seek(0)
        file_bytes = os.fstat(file.fileno()).st_size
        if not head:
            raise ScanError("the file is empty")
        self._source: _Source
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            self._source = self._open_tiff(page, file_bytes, colour)
        elif head.startswith(KINDS):
            if page not in (None, 0):
                raise ScanError(f"has no page {page}, only page 0")
            self._source = PictureFile(file.read(), colour)
        else:
            kind = OTHER_KINDS.get(SIGNATURES.get(head[:4], ""), "")
            if kind == "PDF":
                raise ScanError("is a PDF: export its pages as TIFF or PNG at 200 dpi or more")
            if kind:
                raise ScanError(f"is a {kind} file: convert it to TIFF or PNG")
            raise ScanError(f"not a TIFF, PNG or JPEG: it begins with {head!r}")
        self.rows, self.columns, self.kind = (
            self._source.rows,
            self._source.columns,
            self._source.kind,
        )
        self._channels = (3,) if colour and self.kind == "colour" else ()

    def _open_tiff(self, wanted: int | None, file_bytes: int, colour: bool) -> TiffPage:
        # Only the structure is wanted, not what makers of microscopes add to it.
        self.tiff_pages = pages = tifffile.TiffFile(self._file, name=self.path.name).pages
        self.pages = len(pages)
        if not self.pages:
            raise ScanError("has no page: the file is damaged or was not written to its end")
        if self.pages > MAX_PAGES:
            raise ScanError(f"has {self.pages} pages, more than {MAX_PAGES}: split it")
        if wanted is None:
            sizes = [_pixels(pages[number]) for number in range(self.pages)]
            wanted = sizes.index(max(sizes))
        if not 0 <= wanted < self.pages:
            raise ScanError(f"has no page {wanted}, only pages 0 to {self.pages - 1}")
        self.page = wanted
        page: Any = pages[wanted]
        orientation = page.tags.valueof(274)
        if orientation in range(1, 9):
            self.orientation = int(orientation)
        self.resolution = _resolution(page)
        return TiffPage(page, self._file, file_bytes, colour)

    @property
    def dpi(self) -> float | None:
        if self.resolution is None or self.resolution[2] not in (2, 3):
            return None
        (pixels, units), _, unit = self.resolution
        return pixels / units * (2.54 if unit == 3 else 1.0)

    def read(self, start: int, stop: int) -> Gray:
        """Rows [start, stop) as gray, uint8 (stop - start, columns), 0 ink to 255 paper;
        opened with `colour`, a coloured scan in R, G, B, uint8 (stop - start, columns, 3).

        Raises:
            ScanError: some of these rows are damaged; it names the first of them.
            ValueError: the rows are not in the scan.
        """
        start, stop = index(start), index(stop)  # codecs refuse NumPy's integers
        if not 0 <= start <= stop <= self.rows:
            raise ValueError(f"rows {start} to {stop} are not in a scan of {self.rows} rows")
        gray = np.empty((stop - start, self.columns, *self._channels), np.uint8)
        row = start
        while row < stop:
            band = self._band_with(row)
            until = min(stop, band.first + len(band.pixels))
            if until <= row:
                raise ScanError(f"{self.path}: damaged from row {row} on: {band.damage}")
            gray[row - start : until - start] = band.take(row, until, self.columns)
            row = until
        return gray

    def good_rows(self) -> int:
        """How many rows from the top can be read: `rows`, unless the file is damaged.

        Decodes the whole scan, one band at a time. Damage that leaves the data decodable (a
        flipped bit in a fax strip, say) cannot be seen.
        """
        row = 0
        while row < self.rows:
            band = self._band_with(row)
            until = band.first + len(band.pixels)
            if until <= row:
                break
            row = until
        return row

    def _band_with(self, row: int) -> Band:
        band = self._band
        if band is None or not band.first <= row < band.stop:
            self._band = band = None  # let go of one band before decoding the next
            try:
                self._band = band = self._source.band(row)
            except ScanError as error:
                raise ScanError(f"{self.path}: {error}") from error
            except MemoryError:
                raise ScanError(f"{self.path}: not enough memory to decode row {row}") from None
            except Exception as error:
                reason = one_line(error)
                raise ScanError(f"{self.path}: damaged at row {row}: {reason}") from error
        return band

    def close(self) -> None:
        self._band = None
        self._file.close()

    def __enter__(self) -> Scan:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _pixels(page: Any) -> int:
    return int(page.imagelength) * int(page.imagewidth)


def _resolution(page: Any) -> Resolution | None:
    x, y = page.tags.valueof(282), page.tags.valueof(283)
    unit = page.tags.valueof(296, 2)
    for value in (x, y):
        if not (isinstance(value, tuple) and len(value) == 2 and min(value) > 0):
            return None
    return x, y, int(unit) if unit in (1, 2, 3) else 2


def write_mask(
    path: str | os.PathLike[str],
    bands: Iterable[Gray],
    rows: int,
    columns: int,
    *,
    resolution: Resolution | None = None,
) -> None:
    """Write a gray 8-bit TIFF (MinIsBlack, deflate, strips) from bands of rows, top to bottom.

    The picture is never held as a whole, and `path` appears only when all of it is there.

    Args:
        bands: uint8 arrays (any number of rows, columns) with `rows` rows in all: 0 background,
            255 curve, or probabilities.
        resolution: the scan's `resolution`.

    Raises:
        ScanError: the bands do not add up to rows x columns.
        OSError: the file cannot be written.
    """
    if rows < 1 or columns < 1:
        raise ScanError(f"{path}: a mask of {rows} x {columns} pixels")
    strips = _mask_strips(path, bands, rows, columns)
    options: dict[str, Any] = {}
    if resolution is not None:
        options = {"resolution": resolution[:2], "resolutionunit": resolution[2]}
    # Deflate can grow data by a little; 4 GiB is what 32-bit offsets reach.
    big = rows * columns > 2**32 - 2**27
    with atomic_file(path) as file, tifffile.TiffWriter(file, bigtiff=big) as writer:
        writer.write(
            strips,
            shape=(rows, columns),
            dtype=np.uint8,
            photometric="minisblack",
            compression="adobe_deflate",
            rowsperstrip=MASK_STRIP_ROWS,
            metadata=None,
            software="wellseg",
            **options,
        )
        if next(strips, None) is not None:
            raise ScanError(f"{path}: the mask's bands have more than {rows} rows")


def write_gray(path: str | os.PathLike[str], gray: Gray, *, dpi: int, bilevel: bool) -> None:
    """Write a gray picture, uint8 (rows, columns), 0 ink to 255 paper, as one TIFF.

    bilevel: with one bit a pixel, MinIsWhite, as scanners do, where that loses nothing.
    """
    if not bilevel or np.any((gray > 0) & (gray < 255)):
        resolution = ((dpi, 1), (dpi, 1), 2)
        write_mask(path, [gray], *gray.shape, resolution=resolution)
        return
    with atomic_file(path) as file, tifffile.TiffWriter(file) as writer:
        writer.write(
            gray == 0,
            photometric="miniswhite",
            compression="adobe_deflate",
            rowsperstrip=MASK_STRIP_ROWS,
            resolution=(dpi, dpi),
            resolutionunit="inch",
            metadata=None,
        )


def _mask_strips(
    path: str | os.PathLike[str], bands: Iterable[Gray], rows: int, columns: int
) -> Iterator[bytes]:
    """Cut bands into compressed strips of `MASK_STRIP_ROWS` rows."""
    waiting: list[Gray] = []
    count = total = 0
    for band in bands:
        if band.dtype != np.uint8 or band.ndim != 2 or band.shape[1] != columns:
            raise ScanError(
                f"{path}: a mask band is {band.dtype} {band.shape}, not uint8 (rows, {columns})"
            )
        at = 0
        while at < len(band):
            part = band[at : at + MASK_STRIP_ROWS - count]
            waiting.append(part)
            at, count, total = at + len(part), count + len(part), total + len(part)
            if count == MASK_STRIP_ROWS:
                yield zlib.compress(np.concatenate(waiting).tobytes(), 6)
                waiting, count = [], 0
    if total != rows:
        raise ScanError(f"{path}: the mask's bands have {total} rows, not {rows}")
    if waiting:
        yield zlib.compress(np.concatenate(waiting).tobytes(), 6)

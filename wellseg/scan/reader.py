"""Opens a scan of any file format: its pages, its size, and its rows as gray, in bounded memory."""

import io
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal

import cv2
import imagecodecs
import numpy as np
import tifffile

from wellseg.scan import USUAL_DPI, ScanError, one_line
from wellseg.scan.pictures import Gray, extremes, scale, to_gray
from wellseg.scan.tiff_page import CONVERT, Band, TiffPage
from wellseg.scan.writer import OF_COLOURS, Resolution

TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how files begin
PICTURES = {b"\x89PNG\r\n\x1a\n": imagecodecs.png_decode, b"BM": imagecodecs.bmp_decode}
PICTURES |= {b"\xff\xd8\xff": imagecodecs.jpeg_decode, b"\0\0\0\x0cjP  ": imagecodecs.jpeg2k_decode}
MOSTLY_BLACK = 85  # mean gray of a 1-bit scan of which two thirds are black; that of paper is more
LEAST_DPI, MOST_DPI, RENDER_DPI = 50, 1200, 72  # of files; least of whole renders by their width
HEAD_BYTES = 2**17  # of a PNG or JPEG: what is told of it stands before the pixels
LIGHT = 232  # paper is white from here on: at 215 masks begin to suffer (arms.md, "... dark paper")
COLOUR_PLACES, COLOUR_ROWS = 64, 16  # colours are looked for in so many places, so many rows each
LEAST_SPREAD = 32  # a pixel has colour if its channels differ by more; paper, by a quarter of it
LEAST_COLOURED = 0.0005  # share of a scan's pixels: of 62, 4 have 0.0004 at most, others 0.0025
CHUNK_PIXELS = 2**20  # are converted at a time, about: temporaries stay small

# tifffile logs what it finds odd in a file; what matters of it is said in a ScanError.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)


def look_for_colour(read: Callable[[int, int], Gray], rows: int) -> tuple[str, Any]:
    """Whether a scan shows colours, "colour" or "gray" (for each a network), and what makes tinted
    or dark paper white: the median that half of the pixels are near. read: gives rows [a, b)."""
    starts = np.linspace(0, max(0, rows - COLOUR_ROWS), COLOUR_PLACES, dtype=int).tolist()
    parts = np.concatenate([read(row, min(row + COLOUR_ROWS, rows)) for row in starts])
    paper = np.median(parts, (0, 1)).clip(1)
    is_white = paper.min() >= LIGHT and np.ptp(paper) <= LEAST_SPREAD / 4
    is_picture = paper.min() <= MOSTLY_BLACK or np.median(abs(parts[:, ::8] - paper)) > LEAST_SPREAD
    is_tinted = not is_white and not is_picture
    table = np.minimum(np.arange(256)[:, None] * 255 / paper, 255).astype(np.uint8)[None]
    whiten: Any = (lambda pixels: cv2.LUT(pixels, table)) if is_tinted else np.asarray
    if parts.ndim == 2:
        return "gray", whiten
    most, least = extremes(cv2.blur(whiten(parts), (3, 3)) if is_tinted else parts)  # dirt, noise
    shown = np.mean(most - least > LEAST_SPREAD * (2 if is_tinted else 1))
    return "gray" if shown < LEAST_COLOURED else "colour", whiten


def pages_of(path: str | Path) -> tuple[list[int], list[int]]:
    """Pages of a file, from 0, other than the one that `open_scan` takes: those that are scans of
    their own; and reduced copies, thumbnails and masks, by their tags or size. Reads tags only.
    Raises ScanError as `open_scan` does; a page that is named here may still be damaged."""
    own, others = list[int](), list[int]()
    with open_scan(path) as largest:
        for number, page in enumerate(largest._tiff_pages):
            down, across = page.imagelength / largest.rows, page.imagewidth / largest.columns
            shorter = min(page.imagelength, page.imagewidth) / min(largest.rows, largest.columns)
            is_smaller = abs(down - across) < 0.02 * across and across <= 0.67
            is_thumbnail = shorter <= 0.25 and across <= 0.75
            is_other = page.is_reduced or page.is_mask or is_smaller or is_thumbnail
            if number != largest.page:
                (others if is_other else own).append(number)
    return own, others


@contextmanager
def _named(path: Path, what: str) -> Iterator[None]:
    """Errors within become a ScanError of one line that names the file."""
    try:
        yield
    except Exception as error:
        reason = str(error) if isinstance(error, ScanError) else f"{what} ({one_line(error)})"
        if isinstance(error, OSError):
            reason = (error.strerror or str(error)).lower()
        elif isinstance(error, MemoryError):
            reason = "not enough memory to decode it"
        raise ScanError(f"{path}: {reason}") from error


class Scan(TiffPage, AbstractContextManager["Scan"]):
    """An open scan: a TIFF, BigTIFF, PNG, JPEG, JPEG 2000 or BMP, whatever its name says.
    Keeps the file and the last decoded band (a strip, or a row of tiles) in memory: reading from
    top to bottom decodes each band once. Not for use from several threads at once.
    page, pages: which page this is, from 0, and how many there are. rows, columns: as stored.
    orientation: the TIFF tag (1 upright, 3 turned by 180 degrees, ...). Rows are never rotated: a
    mask is laid out as the file is. resolution: the TIFF tags, for `MaskWriter`; None without them.
    dpi: pixels an inch, across; None if nothing or nonsense is told; likely_dpi: by the width then.
    kind: "1-bit", "gray" or "colour"; opened with `colour`, one of colours that shows none is gray.
    mostly_black: most of what was read so far is black."""

    def __init__(
        self, path: str | Path, page: int | None = None, *,
        colour: bool | Literal["any"] = False, invert: bool = False,
    ) -> None:  # fmt: skip
        """page: from 0; by default the one with the most pixels (the first of several), since logs
        often come with thumbnails or cover pages. colour: `read` gives colours, on white paper, not
        gray; "any": as stored, and where they hardly show, too. invert: white ink on black.
        Raises ScanError: the file is missing, no picture, damaged, not supported, too short."""
        self.path, self._invert, self._in_colour = Path(path), invert, bool(colour)
        self.resolution: Resolution | None = None
        self.dpi: float | None = None
        self._band: Band | None = None
        self._light, self.mostly_black, self._whiten = 0.0, False, np.asarray
        with ExitStack() as opened, _named(self.path, "damaged or not a picture"):
            tiff: Any = opened.enter_context(open(path, "rb"))
            if not (head := tiff.peek(8)[:8]):
                raise ScanError("the file is empty")
            head_tags: dict[str, Any] = {}
            if decoders := [PICTURES[begins] for begins in PICTURES if head.startswith(begins)]:
                data = tiff.read()
                tiff, head_tags = _as_tiff(data, decoders[0]), _tags_of(data[:HEAD_BYTES])
            elif not head.startswith(TIFFS):
                do = "export its pages" if head.startswith(b"%PDF") else "convert a picture"
                raise ScanError(f"not a TIFF, PNG or JPEG: it begins with {head!r}; {do} to TIFF")
            super().__init__(self._open_page(tiff, page, head_tags), tiff)
            if colour is True and self.kind != "1-bit" and not self._of_colours:
                with suppress(ScanError):  # a damaged one
                    self.kind, self._whiten = look_for_colour(self.read, self.rows)
                self._light, self.mostly_black = 0.0, False
            self._opened = opened.pop_all()

    def _open_page(self, file: BinaryIO, wanted: int | None, head_tags: dict[str, Any]) -> Any:
        # Only the structure is wanted, not what makers of microscopes add to it.
        pages: Any = tifffile.TiffFile(file, name=self.path.name).pages
        self._tiff_pages, self.pages = pages, len(pages)
        if not self.pages:
            raise ScanError("has no page: the file is damaged or was not written to its end")
        if wanted is None:
            sizes = [int(page.imagelength) * int(page.imagewidth) for page in pages]
            wanted = sizes.index(max(sizes))
        if not 0 <= wanted < self.pages:
            raise ScanError(f"has no page {wanted}, only pages 0 to {self.pages - 1}")
        self.page, tags = wanted, pages[wanted].tags
        names = "Orientation", "XResolution", "YResolution", "ResolutionUnit"
        turned, x, y, unit = (head_tags.get(name, tags.valueof(name)) for name in names)
        self._of_colours = tags.valueof("ImageDescription") == OF_COLOURS
        self.orientation = int(turned) if turned in range(1, 9) else 1
        if all(isinstance(value, tuple) and len(value) == 2 and min(value) > 0 for value in (x, y)):
            unit = int(unit) if unit in (1, 2, 3) else 2
            self.resolution = x, y, unit
            dpi = x[0] / x[1] * {1: 0.0, 2: 1.0, 3: 2.54}[unit]  # of no unit, inches, cm
            self.dpi = round(dpi, 2) if LEAST_DPI <= dpi <= MOST_DPI else None
        dpi = pages[wanted].imagewidth / 8.5  # inches: right within a third for 83 of 102 scans
        self.likely_dpi = self.dpi or (dpi if dpi >= RENDER_DPI else USUAL_DPI)
        return pages[wanted]

    def read(self, start: int, stop: int) -> Gray:
        """Rows [start, stop) as gray, uint8 (stop - start, columns), 0 ink to 255 paper;
        opened with `colour`, a coloured scan in R, G, B, uint8 (stop - start, columns, 3).
        Raises ScanError, naming the first damaged row; ValueError: they are not in the scan."""
        start, stop = int(start), int(stop)  # codecs refuse NumPy's integers
        if not 0 <= start <= stop <= self.rows:
            raise ValueError(f"rows {start} to {stop} are not in a scan of {self.rows} rows")
        in_colour = self._in_colour and self.kind == "colour"
        shape = (stop - start, self.columns, 3) if in_colour else (stop - start, self.columns)
        rows, row = np.empty(shape, np.uint8), start
        while row < stop:
            with _named(self.path, f"damaged at row {row}"):
                if self._band is None or not self._band.first <= row < self._band.stop:
                    self._band = None  # let go of one band before decoding the next
                    self._band = self._decode_band(row)
                at = row - self._band.first
                until = at + min(stop - row, 1 + CHUNK_PIXELS // self.columns)
                if not len(samples := self._band.samples[at:until]):
                    raise ScanError(f"damaged from row {row} on: {self._band.damage}")
                shown = self._show(samples)
                # Colours are inverted, not their gray: green on black is magenta on white.
                shown = self._whiten(255 - shown if self._invert else shown)
                self._light += sum(cv2.sumElems(shown)) - MOSTLY_BLACK * shown.size
                rows[row - start :][: len(samples)] = shown if in_colour else to_gray(shown)
                row += len(samples)
        self.mostly_black = self._light < 0
        return rows

    def __exit__(self, *_: object) -> None:
        self._band = None
        self._opened.close()


open_scan = Scan  # the verb for callers, the noun for annotations


def _tags_of(head: bytes) -> dict[str, Any]:
    """Resolution and orientation from the head of a PNG or JPEG, by the names of TIFF's tags.
    Exif is a TIFF without pixels; the format's own density is preferred to Exif's."""
    head_tags: dict[str, Any] = {}
    if exif := re.search(rb"Exif\0\0|eXIf", head):
        with suppress(Exception):  # it is damaged, and the pixels may not be
            page: Any = tifffile.TiffFile(io.BytesIO(head[exif.end() :])).pages[0]
            head_tags = {tag.name: tag.value for tag in page.tags}
    jfif = re.match(rb".{6}JFIF\0..([\x01\x02])(..)(..)", head, re.DOTALL)
    if found := jfif or re.search(rb"\0\0\0\x09pHYs()(.{4})(.{4})\x01", head, re.DOTALL):
        unit, x, y = map(int.from_bytes, found.groups())  # unit 0: a PNG's pixels per metre
        share, unit = (1, unit + 1) if unit else (100, 3)  # TIFF's units: 2 inch, 3 centimetre
        head_tags |= {"XResolution": (x, share), "YResolution": (y, share), "ResolutionUnit": unit}
    return head_tags


def _as_tiff(data: bytes, decode: Callable[[bytes], Any]) -> BinaryIO:
    """A PNG, JPEG, BMP or JPEG 2000 as an uncompressed TIFF in memory."""
    if decode is imagecodecs.jpeg_decode:  # it fills what is missing with gray
        _, rows, columns, samples = tifffile.tifffile.jpeg_shape(data)
        if samples > 3:
            raise ScanError(f"a JPEG in CMYK: {CONVERT} NEW.tif")
        if data.find(b"\xff\xd9", data.rfind(b"\xff\xda")) < 0 or rows * columns > 1024 * len(data):
            raise ScanError("a damaged JPEG: it ends early")
    elif decode is imagecodecs.bmp_decode:  # it reads on beyond the end of its data
        offset, _, columns, rows, bits = np.frombuffer(data[10:30], "<i4").tolist()
        if offset + abs(rows) * (-(-columns * (bits >> 16) // 32) * 4) > len(data):
            raise ScanError(f"damaged (it ends early), or a compressed BMP: {CONVERT} NEW.tif")
    pixels, file = decode(data), io.BytesIO()
    if decode is imagecodecs.jpeg2k_decode and (bits := 1 + data[data.find(b"ihdr") + 14]) < 8:
        pixels = scale(pixels, 0, 2**bits - 1)
    samples = pixels.size // (pixels.shape[0] * pixels.shape[1])
    photometric = "rgb" if samples > 2 else "minisblack"
    extra: Any = {"extrasamples": ["unassalpha"] if samples in (2, 4) else [], "metadata": None}
    if samples == 4 and re.search(rb"colr\x01..\0\0\0\x0c", data[:HEAD_BYTES], re.DOTALL):
        photometric, extra["extrasamples"] = "separated", []  # a JPEG 2000 in CMYK
    tifffile.imwrite(file, pixels, photometric=photometric, planarconfig="contig", **extra)
    file.seek(0)
    return file

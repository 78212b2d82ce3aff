"""A scan to look at: NAME.html, and in NAME.view/ the pictures that it loads as they are needed.

The scan is cut into tiles of paper (1-bit PNG where that loses nothing, else JPEG) and of
probability (deflated bytes in base64 in a script: a browser lets no page read the pixels of a
picture that comes from a local file, and the threshold has to act on them). Each is there twice,
the second time reduced, for looking from afar. A map has the whole depth in a few hundred lines."""

import base64
import shutil
import zlib
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader
from jinja2.utils import htmlsafe_json_dumps

from wellseg.scan.atomic import hidden_name, replace_whole, write_file
from wellseg.scan.pictures import Gray, paint, reduce
from wellseg.scan.reader import Scan
from wellseg.scan.writer import Strips

inline = partial(htmlsafe_json_dumps, separators=(",", ":"))
TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
TILE_ROWS, TILE_COLUMNS, SMALL = 1024, 4096, 4  # of the file: reduced tiles show SMALL times more
LEAST = 8  # probabilities of less than LEAST / 255 are stored as 0, which saves half of the bytes
LINES, CELLS = 1000, 64  # of the map: about so many lines at most, of so many cells each
THUMB_COLUMNS, THUMB_ROWS, PLACE_ROWS, PLACES = 268, 168, 256, 24
DOUBT_FROM, DOUBT_TO = 0.2, 0.8  # probabilities of pixels in doubt, as at the edge of any curve
LEAST_DOUBTFUL = 512  # pixels (two a row): places with fewer are not worth a visit


class ViewWriter(AbstractContextManager["ViewWriter"]):
    """Writes the view of one scan; a context manager. ``put`` the scan from top to bottom.
    All or nothing: pictures go to a `hidden_name` folder, renamed when the block ends well; the
    page comes last. An exception leaves what was there before. A kill leaves the hidden folder."""

    def __init__(self, page: Path, scan: Scan, threshold: float, info: dict[str, Any]) -> None:
        """page: NAME.html. info: what it tells of the scan. threshold: where its slider starts."""
        self.page, self.folder = page, page.with_suffix(".view")
        self._hidden = hidden_name(self.folder)
        self._threshold, self._info = threshold, {**info, "turned": scan.orientation > 1}
        self.rows, self.columns = scan.rows, scan.columns
        self._levels = [Strips(TILE_ROWS, -(-self.rows // step)) for step in (1, SMALL)]
        self._written = [0, 0]
        self._line_rows = min(TILE_ROWS, 2 ** max(0, (self.rows // LINES).bit_length()))
        self._map: list[Gray] = []  # paper, rows with a curve: (2, lines, cells)
        self._doubt: list[np.ndarray[Any, Any]] = []  # pixels in doubt, pixels that may be curve
        self.curves: list[dict[str, Any]] | None = None  # CurveWriter.entries, where asked for
        self._hidden.mkdir(parents=True)

    def put(self, picture: Gray, probability: Gray) -> None:
        """The next rows of the file: the scan, uint8 (rows, columns) from 0 ink to 255 paper or
        (rows, columns, 3) R, G, B; and uint8 (rows, columns), 255 for certainly curve."""
        for strip, likely in self._levels[0].add(picture, probability):
            if self._written[0] == self.rows // TILE_ROWS // 2:  # of the middle, not of the header
                rows = round(self.columns * THUMB_ROWS / THUMB_COLUMNS)
                step = max(1, self.columns // THUMB_COLUMNS)
                thumb, highest = reduce(strip[:rows], likely[:rows], step)
                painted = paint(thumb, (highest > 255 * self._threshold) * np.uint8(255))
                (self._hidden / "thumb.jpg").write_bytes(encode_paper(painted)[1])
            self._write_tiles(0, strip, likely)
            for small in self._levels[1].add(*reduce(strip, likely, SMALL)):
                self._write_tiles(1, *small)
            gray = strip if strip.ndim == 2 else cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)
            cells = min(CELLS, self.columns)
            size = cells, -(-len(gray) // self._line_rows)
            begin = np.arange(cells) * self.columns // cells
            curve = np.maximum.reduceat(likely, begin, axis=1) > 255 * self._threshold
            parts = (np.asarray(gray), curve * np.uint8(255))
            lines = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in parts]
            self._map.append(np.array(lines, np.uint8))
            above = [np.count_nonzero(likely > 255 * p, axis=1) for p in (DOUBT_FROM, DOUBT_TO)]
            possible, sure = np.add.reduceat(above, np.arange(0, len(gray), PLACE_ROWS), axis=1)
            self._doubt.append(np.stack([possible - sure, possible], 1))

    def _write_tiles(self, level: int, picture: Gray, probability: Gray) -> None:
        probability = probability * (probability >= min(LEAST, 255 * self._threshold))
        for column, left in enumerate(range(0, probability.shape[1], TILE_COLUMNS)):
            part = slice(left, left + TILE_COLUMNS)
            name = f"{level}-{self._written[level]:04d}-{column}"
            kind, data = encode_paper(picture[:, part])
            (self._hidden / f"{name}.{kind}").write_bytes(data)
            deflated = base64.b64encode(zlib.compress(probability[:, part].tobytes(), 6)).decode()
            (self._hidden / f"{name}.js").write_text(f'tile("{name}","{deflated}")')
        self._written[level] += 1

    def _finish(self) -> None:
        paper, curves = np.concatenate(self._map, axis=1)
        jpegs = sorted(path.stem for path in self._hidden.glob("*-*.jpg"))
        data = {**self._info, "threshold": self._threshold, "jpegs": jpegs, "small": SMALL}
        data |= {"folder": link(self.folder.name), "folder_name": self.folder.name}
        data |= {"followed": self.curves, "cells": paper.shape[1]}
        for name, cells in (("curves", curves), ("paper", paper)):
            data[name] = base64.b64encode(cells.tobytes()).decode()
        data |= {"rows": self.rows, "columns": self.columns, "places": self._places()}
        data |= {"tile_rows": TILE_ROWS, "tile_columns": TILE_COLUMNS, "place_rows": PLACE_ROWS}
        data |= {"doubt_from": DOUBT_FROM, "doubt_to": DOUBT_TO}
        page = fill("view.html", str(self._info["scan"]), data)
        write_file(self._hidden / "page.html", page)  # short: NAME is in the path already
        # From here on files are only renamed: no disk can be full. A page must never be there with
        # another view's pictures, or before its own. Windows moves no folder with an open file.
        former, old = hidden_name(self.folder), hidden_name(self.page)
        moves = (self.folder, former), (self.page, old), (self._hidden, self.folder)
        try:
            for there, to in moves:
                with suppress(FileNotFoundError):
                    replace_whole(there, to)
        except OSError:  # what was there goes back
            for there, to in moves[:2]:
                with suppress(OSError):
                    to.replace(there)
            raise
        replace_whole(self.folder / "page.html", self.page)
        shutil.rmtree(former, ignore_errors=True)
        old.unlink(missing_ok=True)

    def _places(self) -> list[tuple[int, int, float]]:
        """Places of most doubt, downwards: first row, past the last, share of curve in doubt."""
        doubtful, possible = np.concatenate(self._doubt).T
        share = np.where(doubtful >= LEAST_DOUBTFUL, doubtful / np.maximum(1, possible), 0)
        worst = np.sort(np.argsort(-share, kind="stable")[:PLACES])
        at = [(i * PLACE_ROWS, min(self.rows, (i + 1) * PLACE_ROWS)) for i in worst.tolist()]
        return [(*its, round(float(of), 3)) for its, of in zip(at, share[worst], strict=True) if of]

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            shutil.rmtree(self._hidden, ignore_errors=True)


def encode_paper(picture: Gray) -> tuple[str, bytes]:
    """Gray, or R, G, B -> "png" of 1 bit where it is black and white alone, else "jpg"; bytes."""
    kind, options = "png", [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 6]
    if picture.ndim == 3 or np.any((picture > 0) & (picture < 255)):
        kind, options = "jpg", [cv2.IMWRITE_JPEG_QUALITY, 82]  # whole chroma: thin, coloured curves
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    shown = np.ascontiguousarray(picture[..., ::-1] if picture.ndim == 3 else picture)
    return kind, cv2.imencode(f".{kind}", shown, options)[1].tobytes()


def fill(template: str, title: str, data: dict[str, Any]) -> bytes:
    """The page ``template``, a file of this package, with its title and data."""
    page = TEMPLATES.get_template(template).render(title=title, data=inline(data))
    return page.encode("utf-8", "backslashreplace")  # names that are not UTF-8


def link(path: str) -> str:
    """A relative path as an address: a scan's name may hold #, % and ?, or a scheme's colon."""
    return quote(path, errors="surrogateescape")


def mark_of(report: dict[str, Any]) -> int:
    """Checksum of the curves' names and rows: corrections are of these. As ``mark`` of the page."""
    mark, told = 0, []
    with suppress(TypeError, KeyError):  # the report was edited by hand
        told = [f"{one['name']} {','.join(map(str, one['rows']))}" for one in report["curve_list"]]
    for letter in ",".join(told):
        mark = (31 * mark + ord(letter)) % 1000003
    return mark

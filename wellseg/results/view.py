"""A scan to look at: NAME.html, and in NAME.view/ the pictures that it loads as they are needed.

The scan is cut into tiles of paper (1-bit PNG where that loses nothing, else JPEG) and of
probability (deflated bytes in base64 in a script: a browser lets no page read the pixels of a
picture that comes from a local file, and the threshold has to act on them). Each is there twice,
the second time reduced, for looking from afar. Fed row band by row band; never holds more than a
few tiles.
"""

from __future__ import annotations

import base64
import shutil
import tempfile
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wellseg.results.overlay import Pixels, reduce
from wellseg.results.overview import Overview
from wellseg.results.page import fill, link
from wellseg.scan.atomic import atomic_file, hidden_name
from wellseg.scan.pictures import is_sideways, paint, upright

TILE_ROWS, TILE_COLUMNS = 1024, 4096
"""Of the file, not of the scan: reduced tiles show SMALL times as many rows and columns."""
SMALL = 4
LEAST = 8
"""Stored as 0 are probabilities of less than LEAST / 255: below any threshold in use, and half of
the bytes."""
THUMB_COLUMNS, THUMB_ROWS = 268, 168
JPEG_QUALITY = 82


class ViewWriter:
    """Writes the view of one scan; a context manager. ``put`` the scan from top to bottom.

    All or nothing: pictures go to a hidden folder, of a name that no other run has (`hidden_name`),
    which is renamed when the block ends well; the page comes last. An exception leaves what was
    there before. A kill leaves the hidden folder.
    """

    def __init__(
        self,
        page: Path,
        rows: int,
        columns: int,
        *,
        orientation: int = 1,
        threshold: float = 0.5,
        about: dict[str, Any] | None = None,
        scratch: Path | None = None,
    ) -> None:
        """page: the path of NAME.html. orientation: of the file; the view is turned upright.
        threshold: where the slider starts. about: shown in the page. scratch: folder for temporary
        data."""
        self.page, self.folder = page, page.with_suffix(".view")
        self._hidden = hidden_name(self.folder)
        self._threshold, self._about, self._orientation = threshold, about or {}, orientation
        self._stored = _Stored(rows, columns, scratch) if orientation > 1 else None
        self.rows, self.columns = (columns, rows) if is_sideways(orientation) else (rows, columns)
        self._waiting: list[tuple[Pixels, Pixels]] = []
        self._small: list[tuple[Pixels, Pixels]] = []
        self._strips = [0, 0]  # finished, whole and reduced
        self._jpegs: list[str] = []
        self._thumbs: list[tuple[int, bytes]] = []
        self._overview = Overview(self.rows, self.columns, threshold)
        self._pool = ThreadPoolExecutor(1)
        self._jobs: deque[Future[None]] = deque()
        self.curves: list[dict[str, Any]] = []
        """Whole curves, as CurveWriter.shown has them; may be filled until the block ends."""

    def __enter__(self) -> ViewWriter:
        self._hidden.mkdir(parents=True)
        return self

    def put(self, picture: Pixels, probability: Pixels) -> None:
        """The next rows of the file: the scan, uint8 (rows, columns) from 0 ink to 255 paper or
        (rows, columns, 3) R, G, B; and uint8 (rows, columns), 255 for certainly curve."""
        if self._stored:
            self._stored.put(picture, probability)
        else:
            self._add(picture, probability)

    def _add(self, picture: Pixels, probability: Pixels) -> None:
        gray = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        self._overview.add(np.asarray(gray, np.uint8), probability)
        at = 0
        while at < len(picture):
            room = TILE_ROWS - sum(len(part) for part, _ in self._waiting)
            self._waiting.append((picture[at : at + room], probability[at : at + room]))
            at += room
            if at <= len(picture):
                self._strip()

    def _strip(self) -> None:
        """Hand the rows that wait to the thread that encodes and writes, not too many at a time."""
        parts = [np.concatenate(parts) for parts in zip(*self._waiting, strict=True)]
        self._waiting = []
        while len(self._jobs) >= 2:
            self._jobs.popleft().result()
        self._jobs.append(self._pool.submit(self._write_strip, *parts))

    def _write_strip(self, picture: Pixels, probability: Pixels) -> None:
        self._write_tiles(0, picture, probability)
        self._thumb(picture, probability)
        self._small.append(reduce(picture, probability, SMALL))
        if len(self._small) == SMALL:
            self._write_small()

    def _write_small(self) -> None:
        self._write_tiles(1, *(np.concatenate(part) for part in zip(*self._small, strict=True)))
        self._small = []

    def _write_tiles(self, level: int, picture: Pixels, probability: Pixels) -> None:
        row = self._strips[level]
        self._strips[level] += 1
        unseen = probability < min(LEAST, 255 * self._threshold)
        probability = np.where(unseen, np.uint8(0), probability)
        for column, left in enumerate(range(0, probability.shape[1], TILE_COLUMNS)):
            part = slice(left, left + TILE_COLUMNS)
            name = f"{level}-{row:04d}-{column}"
            kind, data = encode_paper(picture[:, part])
            (self._hidden / f"{name}.{kind}").write_bytes(data)
            if kind == "jpg":
                self._jpegs.append(name)
            deflated = base64.b64encode(zlib.compress(probability[:, part].tobytes(), 6)).decode()
            (self._hidden / f"{name}.js").write_text(f'tile("{name}","{deflated}")')

    def _thumb(self, picture: Pixels, probability: Pixels) -> None:
        rows = min(len(picture), round(self.columns * THUMB_ROWS / THUMB_COLUMNS))
        step = max(1, self.columns // THUMB_COLUMNS)
        small, curves = reduce(picture[:rows], probability[:rows], step)
        mask = np.where(curves > 255 * self._threshold, np.uint8(255), np.uint8(0))
        size = (THUMB_COLUMNS, max(1, round(THUMB_COLUMNS * len(small) / small.shape[1])))
        shown = cv2.resize(paint(small, mask), size, interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".jpg", shown[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        self._thumbs.append((cv2.countNonZero(mask), data.tobytes()))

    def _finish(self) -> None:
        if self._stored:
            turned = [upright(part, self._orientation) for part in self._stored.parts()]
            for start in range(0, self.rows, TILE_ROWS):
                rows = slice(start, start + TILE_ROWS)
                self._add(*(np.ascontiguousarray(part[rows]) for part in turned))
        if self._waiting:
            self._strip()
        while self._jobs:
            self._jobs.popleft().result()
        if self._small:
            self._write_small()
        # One of median curve pixels among those that have some: neither a header nor a blotch.
        thumbs = sorted(thumb for thumb in self._thumbs if thumb[0]) or self._thumbs
        (self._hidden / "thumb.jpg").write_bytes(thumbs[len(thumbs) // 2][1])
        data = {
            **self._about,
            "rows": self.rows,
            "columns": self.columns,
            "tile_rows": TILE_ROWS,
            "tile_columns": TILE_COLUMNS,
            "small": SMALL,
            "threshold": self._threshold,
            "folder": link(self.folder.name),
            "folder_name": self.folder.name,
            "jpegs": self._jpegs,
            "turned": self._orientation > 1,
            "followed": self.curves,
            **self._overview.data(),
        }
        page = fill("view.html", str(self._about.get("scan", self.page.stem)), data)
        with atomic_file(self._hidden / self.page.name) as file:
            file.write(page)
        # Nothing is written any more: from here on no disk can be full. No page stands with another
        # view's pictures, or before its own.
        remove_view(self.page)
        self._hidden.rename(self.folder)
        (self.folder / self.page.name).rename(self.page)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._pool.shutdown(cancel_futures=True)
            if self._stored:
                self._stored.file.close()
            shutil.rmtree(self._hidden, ignore_errors=True)


class _Stored:
    """A turned scan in a temporary file, until its last row, which may be shown first, is there."""

    def __init__(self, rows: int, columns: int, scratch: Path | None) -> None:
        self.shape = rows, columns
        self.file = tempfile.TemporaryFile(dir=scratch)

    def put(self, picture: Pixels, probability: Pixels) -> None:
        self.file.write(np.dstack([picture, probability]).data)

    def parts(self) -> tuple[Pixels, Pixels]:
        """Picture and probability, as stored in the scan's file."""
        self.file.flush()
        both = np.memmap(self.file, np.uint8, "r").reshape(*self.shape, -1)
        return (both[..., :3] if both.shape[2] == 4 else both[..., 0]), both[..., -1]


def remove_view(page: Path) -> None:
    """Remove a view, of a scan that gets another mask. ``page``: the path of NAME.html."""
    page.unlink(missing_ok=True)
    shutil.rmtree(page.with_suffix(".view"), ignore_errors=True)


def encode_paper(picture: Pixels) -> tuple[str, bytes]:
    """Gray (rows, columns), or R, G, B (rows, columns, 3) -> "png" of 1 bit where it is black and
    white alone, else "jpg"; and its bytes."""
    if picture.ndim == 3 or np.any((picture > 0) & (picture < 255)):
        shown = picture[..., ::-1] if picture.ndim == 3 else picture
        options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]  # whole chroma: thin curves have colours
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        return "jpg", cv2.imencode(".jpg", np.ascontiguousarray(shown), options)[1].tobytes()
    bilevel = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 6]
    return "png", cv2.imencode(".png", np.ascontiguousarray(picture), bilevel)[1].tobytes()

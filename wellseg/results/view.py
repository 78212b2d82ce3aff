"""A scan to look at: NAME.html and the pictures that it loads as they come into view, in NAME.view/.

The scan is cut into tiles of paper (1-bit PNG where that loses nothing, else JPEG) and of probability
(deflated bytes in base64 in a script: a browser lets no page read the pixels of a picture that comes from
a local file, and the threshold has to act on them). Each is there twice, the second time reduced, for
looking from afar. Fed row band by row band; never holds more than a few tiles.
"""

from __future__ import annotations

import base64
import math
import shutil
import tempfile
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg.results.overview import Overview
from wellseg.results.page import fill, link
from wellseg.scan.atomic import atomic_file
from wellseg.scan.pictures import paint, upright

TILE_ROWS, TILE_COLUMNS = 1024, 4096
"""Of the file, not of the scan: reduced tiles show SMALL times as many rows and columns."""
SMALL = 4
LEAST = 8
"""Stored as 0 are probabilities of less than LEAST / 255: below any threshold in use, and half of the bytes."""
THUMB_COLUMNS, THUMB_ROWS = 268, 168
JPEG_QUALITY = 82

Gray = NDArray[np.uint8]


class ViewWriter:
    """Writes the view of one scan; use as a context manager, and ``put`` the scan from top to bottom.

    All or nothing: pictures go to a hidden folder that is renamed when the block ends well, and the page
    comes last. An exception leaves what was there before. A kill leaves the hidden folder, which the next
    attempt clears away.
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
        threshold: where the slider starts. about: shown in the page. scratch: folder for temporary data."""
        self.page, self.rows, self.columns = page, rows, columns
        self.folder = page.with_suffix(".view")
        self._hidden = self.folder.with_name(f".wellseg-{self.folder.name}")
        self._threshold, self._about, self._orientation = threshold, about or {}, orientation
        self._stored: list[NDArray[np.uint8]] = []
        self._spool = orientation > 1 and tempfile.TemporaryFile(dir=scratch)
        if self._spool:
            shape = (2, rows, columns)
            self._spool.truncate(math.prod(shape))
            self._stored = list(np.memmap(self._spool, np.uint8, "r+", shape=shape))
            self.rows, self.columns = self._upright(0).shape
        self._put_rows = 0
        self._waiting: list[tuple[Gray, Gray]] = []
        self._small: list[tuple[Gray, Gray]] = []
        self._strips = [0, 0]  # finished, whole and reduced
        self._jpegs: list[str] = []
        self._thumbs: list[tuple[int, bytes]] = []
        self._overview = Overview(self.rows, self.columns, threshold)
        self._pool = ThreadPoolExecutor(1)
        self._jobs: deque[Future[None]] = deque()

    def __enter__(self) -> ViewWriter:
        shutil.rmtree(self._hidden, ignore_errors=True)
        self._hidden.mkdir(parents=True)
        return self

    def put(self, gray: Gray, probability: Gray) -> None:
        """The next rows of the file, uint8 (rows, columns): 0 ink to 255 paper; 255 for certainly curve."""
        if self._spool:
            stop = self._put_rows + len(gray)
            self._stored[0][self._put_rows : stop], self._stored[1][self._put_rows : stop] = (
                gray,
                probability,
            )
        else:
            self._add(gray, probability)
        self._put_rows += len(gray)

    def _upright(self, part: int) -> Gray:
        return upright(self._stored[part], self._orientation)

    def _add(self, gray: Gray, probability: Gray) -> None:
        self._overview.add(gray, probability)
        at = 0
        while at < len(gray):
            room = TILE_ROWS - sum(len(part) for part, _ in self._waiting)
            self._waiting.append((gray[at : at + room], probability[at : at + room]))
            at += room
            if at <= len(gray):
                self._strip()

    def _strip(self) -> None:
        """Hand the rows that wait to the thread that encodes and writes, not too many at a time."""
        gray, probability = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting = []
        while len(self._jobs) >= 2:
            self._jobs.popleft().result()
        self._jobs.append(self._pool.submit(self._write_strip, gray, probability))

    def _write_strip(self, gray: Gray, probability: Gray) -> None:
        self._write_tiles(0, gray, probability)
        small = reduce(gray, probability, SMALL)
        self._thumb(gray, probability)
        self._small.append(small)
        if len(self._small) == SMALL:
            self._write_small()

    def _write_small(self) -> None:
        gray, probability = (np.concatenate(parts) for parts in zip(*self._small, strict=True))
        self._small = []
        self._write_tiles(1, gray, probability)

    def _write_tiles(self, level: int, gray: Gray, probability: Gray) -> None:
        row = self._strips[level]
        self._strips[level] += 1
        probability = np.where(
            probability < min(LEAST, 255 * self._threshold), np.uint8(0), probability
        )
        for column, left in enumerate(range(0, gray.shape[1], TILE_COLUMNS)):
            name = f"{level}-{row:04d}-{column}"
            part = np.ascontiguousarray(gray[:, left : left + TILE_COLUMNS])
            kind, picture = encode_paper(part)
            (self._hidden / f"{name}.{kind}").write_bytes(picture)
            if kind == "jpg":
                self._jpegs.append(name)
            part = np.ascontiguousarray(probability[:, left : left + TILE_COLUMNS])
            data = base64.b64encode(zlib.compress(part.tobytes(), 6)).decode()
            (self._hidden / f"{name}.js").write_text(f'tile("{name}","{data}")')

    def _thumb(self, gray: Gray, probability: Gray) -> None:
        rows = min(len(gray), round(self.columns * THUMB_ROWS / THUMB_COLUMNS))
        step = max(1, self.columns // THUMB_COLUMNS)
        small, curves = reduce(gray[:rows], probability[:rows], step)
        mask = np.where(curves > 255 * self._threshold, np.uint8(255), np.uint8(0))
        size = (THUMB_COLUMNS, max(1, round(THUMB_COLUMNS * len(small) / small.shape[1])))
        picture = cv2.resize(paint(small, mask), size, interpolation=cv2.INTER_AREA)
        data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        self._thumbs.append((int(np.count_nonzero(mask)), data.tobytes()))

    def _finish(self) -> None:
        if self._spool:
            for start in range(0, self.rows, TILE_ROWS):
                gray, probability = (
                    np.array(self._upright(part)[start : start + TILE_ROWS]) for part in (0, 1)
                )
                self._add(gray, probability)
        if self._waiting:
            self._strip()
        while self._jobs:
            self._jobs.popleft().result()
        if self._small:
            self._write_small()
        # One with as many curve pixels as most that have some: neither a header nor the worst blotch.
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
            "jpegs": self._jpegs,
            "turned": self._orientation > 1,
            **self._overview.data(),
        }
        page = fill("view.html", str(self._about.get("scan", self.page.stem)), data)
        with atomic_file(self._hidden / self.page.name) as file:
            file.write(page)
        # Nothing is written any more: from here on no disk can be full. No page stands with another view's
        # pictures, or before its own.
        remove_view(self.page)
        self._hidden.rename(self.folder)
        (self.folder / self.page.name).rename(self.page)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._pool.shutdown(cancel_futures=True)
            if self._spool:
                self._spool.close()
            shutil.rmtree(self._hidden, ignore_errors=True)


def remove_view(page: Path) -> None:
    """Remove a view, of a scan that gets another mask. ``page``: the path of NAME.html."""
    page.unlink(missing_ok=True)
    shutil.rmtree(page.with_suffix(".view"), ignore_errors=True)


def reduce(gray: Gray, probability: Gray, step: int) -> tuple[Gray, Gray]:
    """Both (rows, columns), step times smaller: paper by its mean, probability by its maximum, so that no
    thin curve is lost at any threshold."""
    if step == 1:
        return gray, probability
    rows, columns = (math.ceil(side / step) for side in gray.shape)
    edge = ((0, rows * step - gray.shape[0]), (0, columns * step - gray.shape[1]))
    gray = np.pad(gray, edge, mode="edge")
    small = cv2.resize(gray, (columns, rows), interpolation=cv2.INTER_AREA)
    blocks = np.pad(probability, edge).reshape(rows, step, columns, step)
    return small.astype(np.uint8), blocks.max(1).max(2)


def encode_paper(gray: Gray) -> tuple[str, bytes]:
    """Gray (rows, columns) -> "png" of 1 bit where it is black and white alone, else "jpg"; and its bytes."""
    if np.any((gray > 0) & (gray < 255)):
        return "jpg", cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[
            1
        ].tobytes()
    bilevel = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 6]
    return "png", cv2.imencode(".png", gray, bilevel)[1].tobytes()

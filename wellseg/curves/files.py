"""Curves for other programs: NAME.curves.csv with every point, NAME.las with a column a curve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg import __version__
from wellseg.curves.curve import BRIDGED, Curve, CurveFollower, Points
from wellseg.curves.las import Sheet, write_las
from wellseg.curves.options import CurveOptions
from wellseg.curves.tracks import TrackFinder, Tracks, straight
from wellseg.scan.atomic import atomic_file
from wellseg.scan.reader import ScanError

HEAD = """\
# Curves found by wellseg {version} on {scan}, {rows} rows x {columns} columns.
# row: of the scan, from 0. column: the stroke's centre in pixels, 0 the middle of the leftmost; \
left, right: its span.
# value: 0 at the left border of the curve's track in that row, 1 at the right one (track 0: of \
the scan). Not calibrated.
# confidence: mean probability, 0 to 1. flags, added: 1 bridged gap, 4 may be another curve.
# Rows above its first and below its last are left out.
row,curve,track,column,left,right,value,confidence,flags
"""


@dataclass(frozen=True)
class Found:
    """A curve as the files have it. name: T1_C2_DASHED, of track and order from the left. track: 0
    for none. values: float32 (rows,), fractions of the track or of the scan's width.
    confidence: mean of its rows; bridged: share of them."""

    curve: Curve
    name: str
    track: int
    values: NDArray[np.float32]
    confidence: float
    bridged: float

    def colour(self) -> str:
        """#rrggbb; empty for black and gray."""
        return "#{:02x}{:02x}{:02x}".format(*self.curve.colour) if self.curve.colour else ""

    def about(self) -> str:
        """For people: width, colour, confidence, share bridged."""
        parts = [f"{self.curve.width_px:.0f} px", self.colour()]
        parts += [f"confidence {self.confidence:.2f}", f"{100 * self.bridged:.0f} % bridged"]
        return ", ".join(part for part in parts if part)


class CurveWriter:
    """Follows the curves of one scan and writes the files when the block ends well, whole or not
    at all.

    stem: the path of the files up to their endings. scan: the name of its file; rows, columns, dpi:
    of the scan, which is stored upright. scratch: folder for temporary data. traces: write
    NAME.traces.csv, too.
    Raises ScanError if the scan has none of the rows that the options ask for.
    """

    def __init__(
        self,
        stem: Path,
        scan: str,
        rows: int,
        columns: int,
        *,
        dpi: float | None = None,
        options: CurveOptions | None = None,
        scratch: Path | None = None,
        traces: bool = False,
    ) -> None:
        self._stem, self._traces = stem, traces
        self._options = options or CurveOptions()
        self._first, stop = self._options.rows or (0, rows)
        if self._first >= rows:
            raise ScanError(
                f"{scan}: --rows begins with {self._first:,}: the scan has {rows:,} rows"
            )
        self._stop = min(stop, rows)
        tracks = self._options.tracks
        self._finder = None if tracks else TrackFinder(columns, dpi)
        self._tracks: Tracks | None = straight(tracks) if tracks else None
        self._sheet = Sheet(scan, f"{stem.name}.curves.csv", (rows, columns), bool(tracks))
        self._follower = CurveFollower.at(dpi, scratch, self._first)
        self.notes: list[str] = []
        """What the user should know, when the block has ended."""
        self.shown: list[dict[str, Any]] = []
        """The curves for the view, when the block has ended."""
        self._row = 0

    def put(
        self,
        gray: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        probability: NDArray[np.uint8],
        colours: NDArray[np.uint8] | None = None,
    ) -> None:
        """The next rows, uint8 (rows, columns): mask 255 curve and 0 not; probability 255 for
        certainty; colours (rows, columns, 3), red, green, blue, or None."""
        part = slice(max(0, self._first - self._row), max(0, self._stop - self._row))
        self._row += len(gray)
        if not len(gray[part]):
            return
        seen = None if colours is None else colours[part]
        self._follower.add(gray[part], mask[part], probability[part], seen)
        if self._finder:
            self._finder.add(gray[part])

    def quality(self) -> dict[str, float]:
        """Numbers to judge the curves by, when the block has ended: for NAME.json."""
        count = len(self._follower.curves)
        return {
            "curves": count,
            "curves_per_1000_rows": round(1000 * count / (self._stop - self._first), 2),
            "tracks_found": self._tracks.borders.shape[1] if self._tracks else 0,
        }

    def __enter__(self) -> CurveWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._follower:
            if kind is None:
                self._finish()

    def _finish(self) -> None:
        self._follower.finish()
        if self._finder and (tracks := self._finder.find()):
            self._tracks = replace(tracks, rows=tracks.rows + self._first)
        if not self._tracks:
            self.notes.append("no printed tracks found: values are fractions of the scan's width")
        found = self._named()
        self._write_csv(found)
        if self._traces:
            self._write_traces(found)
        self.notes += write_las(self._stem, self._sheet, self._tracks, self._options, found)
        self.shown += [self._for_view(one) for one in found]

    def _named(self) -> list[Found]:
        """All curves, by track and from left to right."""
        found = []
        for curve in self._follower.curves:
            points = self._follower.points(curve)
            rows = np.arange(curve.first_row, curve.first_row + curve.rows)
            left, right, track = np.float64(0), np.float64(self._sheet.shape[1]), 0
            if self._tracks and (track := self._tracks.of(rows, points.column + 0.5)):
                left, right = self._tracks.at(rows)[:, track - 1].T
            values = ((points.column + 0.5 - left) / (right - left)).astype(np.float32)
            on_ink = points.flags & BRIDGED == 0
            bridged = float((~on_ink).mean())
            confidence = float(points.confidence[on_ink].mean()) if on_ink.any() else 0.0
            middle = float(np.median(points.column))
            found.append((track, middle, Found(curve, "", track, values, confidence, bridged)))
        found.sort(key=lambda one: one[:2])
        orders = dict.fromkeys((track for track, _, _ in found), 0)
        named = []
        for track, _, one in found:
            orders[track] += 1
            name = f"T{track}_C{orders[track]}_{one.curve.style.upper()}"
            named.append(replace(one, name=name))
        return named

    def _write_csv(self, found: list[Found]) -> None:
        rows, columns = self._sheet.shape
        with atomic_file(f"{self._stem}.curves.csv") as file:
            scan = self._sheet.scan
            head = HEAD.format(version=__version__, scan=scan, rows=rows, columns=columns)
            file.write(head.encode("utf-8", "replace"))
            for one in found:
                points = self._follower.points(one.curve)
                file.write("".join(_lines(one, points)).encode())

    def _write_traces(self, found: list[Found]) -> None:
        """For programs that read what --traces wrote; goes with that word."""
        with atomic_file(f"{self._stem}.traces.csv") as file:
            file.write(b"row,trace,column\n")
            for number, one in enumerate(found, 1):
                columns = enumerate(self._follower.points(one.curve).column, one.curve.first_row)
                lines = [f"{row},{number},{column:.1f}\n" for row, column in columns]
                file.write("".join(lines).encode())

    def _for_view(self, one: Found) -> dict[str, Any]:
        points = self._follower.points(one.curve)
        return {
            "name": one.name,
            "style": one.curve.style,
            "rows": [one.curve.first_row, one.curve.first_row + one.curve.rows - 1],
            "confidence": round(one.confidence, 2),
            "about": one.about(),
            "uncertain": one.curve.uncertain,
            "lines": polylines(points.column, one.curve.first_row),
        }


def _lines(one: Found, points: Points) -> list[str]:
    """Of the CSV."""
    begin = f"{one.name},{one.track or ''}"
    table = zip(
        *(points.column, points.left, points.right, one.values, points.confidence, points.flags),
        strict=True,
    )
    return [
        f"{row},{begin},{column:.1f},{left:.0f},{right:.0f},{value:.4f},{sure:.2f},{flags}\n"
        for row, (column, left, right, value, sure, flags) in enumerate(table, one.curve.first_row)
    ]


def polylines(columns: NDArray[np.float32], first_row: int) -> list[list[int]]:
    """[column, row, column, row, ...] of each piece without a gap, within a pixel."""
    lines = []
    there = np.pad(~np.isnan(columns), 1).astype(np.int8)
    for start, stop in np.flatnonzero(np.diff(there)).reshape(-1, 2).tolist():
        points = np.stack([columns[start:stop], np.arange(start, stop)], 1).astype(np.float32)
        line = cv2.approxPolyDP(points[:, None], 0.8, False)[:, 0] + (0.5, first_row)
        lines.append(np.rint(line).astype(int).ravel().tolist())
    return lines

"""Traces for other programs: NAME.traces.csv with every point, NAME.las with what fits a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wellseg.curves.follow import Follower, Trace
from wellseg.curves.las import Sheet, write_las
from wellseg.curves.options import CurveOptions
from wellseg.curves.tracks import TrackFinder, straight
from wellseg.scan.atomic import atomic_file
from wellseg.scan.reader import ScanError

LEAST_INCHES, LEAST_ROWS = 0.25, 50
"""Shorter traces are left out: a quarter of an inch of paper, or so many rows where the scan does
not say its dpi."""
GAP_INCHES, GAP_ROWS = 0.1, 20
"""Gaps up to here do not end a trace: half a dash."""


class TraceWriter:
    """Follows the traces of one scan and writes both files when the block ends well, whole or not
    at all.

    stem: the path of the files up to their endings. scan: the name of its file; rows, columns, dpi:
    of the scan, which is stored upright. scratch: folder for temporary data.
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
    ) -> None:
        options = options or CurveOptions()
        self.csv, self.las = (Path(f"{stem}{ending}") for ending in (".traces.csv", ".las"))
        self.first, self.stop = options.rows or (0, rows)
        if self.first >= rows:
            raise ScanError(
                f"{scan}: --rows begins with {self.first:,}: the scan has {rows:,} rows"
            )
        self.stop = min(self.stop, rows)
        self.finder = None if options.tracks else TrackFinder(columns, dpi)
        self.sheet = Sheet(
            scan=scan,
            csv=self.csv.name,
            shape=(rows, columns),
            least_rows=round(LEAST_INCHES * dpi) if dpi else LEAST_ROWS,
            gap_rows=round(GAP_INCHES * dpi) if dpi else GAP_ROWS,
            tracks=straight(options.tracks) if options.tracks else None,
            tracks_given=bool(options.tracks),
            depth=options.depth,
        )
        shortest, gap = self.sheet.least_rows, self.sheet.gap_rows
        self.follower = Follower(shortest, gap, scratch, self.first)
        self.notes: list[str] = []
        """What the user should know, when the block has ended."""
        self._row = 0

    def put(
        self, gray: NDArray[np.uint8], mask: NDArray[np.uint8], probability: NDArray[np.uint8]
    ) -> None:
        """The next rows, uint8 (rows, columns): mask 255 curve and 0 not; probability 255 for
        certainty."""
        part = slice(max(0, self.first - self._row), max(0, self.stop - self._row))
        self._row += len(gray)
        self.follower.add(mask[part], probability[part])
        if self.finder:
            self.finder.add(gray[part])

    def quality(self) -> dict[str, float]:
        """Numbers to judge the traces by, when the block has ended: for NAME.json."""
        count = len(self.follower.traces)
        return {
            "traces": count,
            "traces_per_1000_rows": round(1000 * count / (self.stop - self.first), 2),
            "tracks_found": self.sheet.tracks.borders.shape[1] if self.sheet.tracks else 0,
        }

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self.follower:
            if kind is None:
                self._finish()

    def _finish(self) -> None:
        self.follower.finish()
        if self.finder and (found := self.finder.find()):
            self.sheet.tracks = replace(found, rows=found.rows + self.first)
        if not self.sheet.tracks:
            what = f"values in {self.las.name} are fractions of the scan's width"
            self.notes.append(f"no printed tracks found: {what}")
        traces = self.follower.traces
        in_track = [self._track(trace) for trace in traces]
        self._write_csv(in_track)
        self.notes += write_las(self.las, self.sheet, traces, in_track, self._fractions)

    def _track(self, trace: Trace) -> int:
        """Number of the track in which it lies; 0: in none."""
        columns, tracks = self.follower.points(trace)[:, 0] + 0.5, self.sheet.tracks
        return tracks.of(_rows(trace), columns) if tracks else 0

    def _fractions(self, trace: Trace, track: int) -> NDArray[np.floating[Any]]:
        """Where between the track's borders, or those of the scan, it is in each row."""
        columns: NDArray[np.floating[Any]] = self.follower.points(trace)[:, 0] + 0.5
        if not track or not self.sheet.tracks:
            return columns / self.sheet.shape[1]
        left, right = self.sheet.tracks.at(_rows(trace))[:, track - 1].T
        columns = (columns - left) / (right - left)
        return columns

    def _write_csv(self, in_track: list[int]) -> None:
        with atomic_file(self.csv) as file:
            file.write(b"row,trace,track,column,width_px,confidence\n")
            for number, trace in enumerate(self.follower.traces, 1):
                begin = f"{number},{in_track[number - 1] or ''}"
                lines = [
                    f"{row},{begin},{column:.1f},{width:.0f},{confidence:.2f}\n"
                    if column == column  # NaN is not: a gap
                    else f"{row},{begin},,,\n"
                    for row, (column, width, confidence) in enumerate(
                        self.follower.points(trace), trace.first_row
                    )
                ]
                file.write("".join(lines).encode())


def _rows(trace: Trace) -> NDArray[np.int64]:
    return np.arange(trace.first_row, trace.first_row + trace.rows)

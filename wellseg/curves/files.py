"""Traces for other programs: NAME.traces.csv with every point, NAME.las with what fits a table by depth."""

from __future__ import annotations

import io
from bisect import bisect, insort
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wellseg import __version__
from wellseg.curves.follow import Follower, Trace
from wellseg.curves.tracks import TrackFinder, Tracks, straight
from wellseg.scan.atomic import atomic_file
from wellseg.scan.pictures import is_sideways
from wellseg.scan.reader import ScanError

LEAST_INCHES, LEAST_ROWS = 0.25, 50
"""Shorter traces are left out: a quarter of an inch of paper, or so many rows where the scan does not say its dpi."""
GAP_INCHES, GAP_ROWS = 0.1, 20
"""Gaps up to here do not end a trace: half a dash."""
MOST_CURVES = 16
"""In the LAS file. Logs have up to six; more are bits of grid and text."""
NULL = -999.25

NOTE = """\
Curves found by wellseg {version} on the scan {scan}, {rows} rows x {columns} columns.
{values}
Nothing is calibrated. The column in pixels stands in {csv}.
TRnn holds traces that follow one another, one at a time; IDnn says which: the number there.
It changes where a trace ends and another one takes its place: they need not be the same curve.
{depth}
Missing: {null}. Gaps of more than {gap} rows end a trace; traces of fewer than {least} rows are left out.
{left_out}"""


IN_TRACKS = """\
Values are FRACTIONS OF A TRACK, which is named with each curve: 0 is its left border and 1 its right one in
that row; a curve that leaves its track goes below 0 or beyond 1. Traces that mostly lie in no track are
given in fractions of the scan's whole width instead.
{where}"""
FOUND = (
    "Tracks are panels of grid with white paper between them; two that share a border are one here."
)
GIVEN = "The borders are those of --tracks, the same in every row."
NO_TRACKS = """\
Values are FRACTIONS OF THE SCAN'S WIDTH, 0 the left edge and 1 the right edge: no printed tracks were found."""


class TraceWriter:
    """Follows the traces of one scan and writes both files when the block ends well, whole or not at all.

    stem: the path of the files up to their endings. depth: pairs of row and feet, rising, at least two; or
    none: depth is then the scan's row. borders: left and right column of each track; none: the printed
    tracks are looked for. scratch: folder for temporary data.
    Raises ScanError for a scan that is stored sideways.
    """

    def __init__(
        self,
        stem: Path,
        scan: str,
        rows: int,
        columns: int,
        *,
        dpi: float | None = None,
        orientation: int = 1,
        depth: Sequence[tuple[float, float]] = (),
        borders: Sequence[tuple[float, float]] = (),
        scratch: Path | None = None,
    ) -> None:
        if is_sideways(orientation):
            raise ScanError(
                f"{scan}: is stored sideways (orientation {orientation}): a trace is one column for each row of "
                "depth; turn the file, or leave --traces out"
            )
        self.csv, self.las = (
            stem.with_name(stem.name + ending) for ending in (".traces.csv", ".las")
        )
        self.scan, self.rows, self.columns, self.depth = scan, rows, columns, depth
        self.least_rows = round(LEAST_INCHES * dpi) if dpi else LEAST_ROWS
        self.gap_rows = round(GAP_INCHES * dpi) if dpi else GAP_ROWS
        self.follower = Follower(self.least_rows, self.gap_rows, scratch)
        self.finder = None if borders else TrackFinder(columns, dpi)
        self.tracks: Tracks | None = straight(borders) if borders else None
        """After the last row: None where the scan has no tracks that could be found."""

    def put(
        self, gray: NDArray[np.uint8], mask: NDArray[np.uint8], probability: NDArray[np.uint8]
    ) -> None:
        """The next rows, uint8 (rows, columns): mask 255 curve and 0 not; probability 255 for certainty."""
        self.follower.add(mask, probability)
        if self.finder:
            self.finder.add(gray)

    def quality(self) -> dict[str, float]:
        """Numbers to judge the traces by, when the block has ended: for NAME.json."""
        count = len(self.follower.traces)
        return {
            "traces": count,
            "traces_per_1000_rows": round(1000 * count / self.rows, 2),
            "tracks_found": self.tracks.borders.shape[1] if self.tracks else 0,
        }

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        with self.follower:
            if kind is None:
                self.follower.finish()
                if self.finder:
                    self.tracks = self.finder.find()
                in_track = [self._track(trace) for trace in self.follower.traces]
                self._write_csv(in_track)
                self._write_las(in_track)

    def _track(self, trace: Trace) -> int:
        rows = np.arange(trace.first_row, trace.first_row + trace.rows)
        return self.tracks.of(rows, self.follower.points(trace)[:, 0] + 0.5) if self.tracks else 0

    def _fractions(self, trace: Trace, track: int) -> NDArray[np.floating[Any]]:
        """Where between the track's borders, or those of the scan, it is in each row."""
        columns: NDArray[np.floating[Any]] = self.follower.points(trace)[:, 0] + 0.5
        if not track or not self.tracks:
            return columns / self.columns
        left, right = self.tracks.at(np.arange(trace.first_row, trace.first_row + trace.rows))[
            :, track - 1
        ].T
        columns = (columns - left) / (right - left)
        return columns

    def _write_csv(self, in_track: list[int]) -> None:
        with atomic_file(self.csv) as file:
            file.write(b"row,trace,track,column,width_px,confidence\n")
            for number, (trace, track) in enumerate(
                zip(self.follower.traces, in_track, strict=True), 1
            ):
                lines = []
                for row, (column, width, confidence) in enumerate(
                    self.follower.points(trace), trace.first_row
                ):
                    known = column == column  # NaN is not: a gap
                    lines.append(
                        f"{row},{number},{track or ''},{column:.1f},{width:.0f},{confidence:.2f}\n"
                        if known
                        else f"{row},{number},{track or ''},,,\n"
                    )
                file.write("".join(lines).encode())

    def _write_las(self, in_track: list[int]) -> None:
        import lasio

        traces = self.follower.traces
        table = pack(traces, in_track)
        first = min((trace.first_row for trace in traces), default=0)
        last = max((trace.first_row + trace.rows for trace in traces), default=self.rows) - 1
        rows = np.arange(first, last + 1) if traces else np.array([0, self.rows - 1])
        las = lasio.LASFile()
        unit, what = ("F", "depth, feet") if self.depth else ("", "row of the scan, from 0")
        las.append_curve(
            "DEPT",
            feet(rows, self.depth) if self.depth else rows.astype(float),
            unit=unit,
            descr=what,
        )
        formats = {0: "%.4f" if self.depth else "%d"}
        for lane, members in enumerate(table, 1):
            values, numbers = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
            for number in members:
                trace = traces[number]
                at = slice(trace.first_row - first, trace.first_row - first + trace.rows)
                values[at] = self._fractions(trace, in_track[number])
                numbers[at] = np.where(np.isnan(values[at]), np.nan, number + 1)
            formats[2 * lane - 1], formats[2 * lane] = "%.5f", "%d"
            las.append_curve(
                f"TR{lane:02d}", values, unit="", descr=self._unit(in_track[members[0]])
            )
            las.append_curve(f"ID{lane:02d}", numbers, unit="", descr="number of the trace")
        for name in ("STRT", "STOP", "STEP"):
            las.well[name].unit = unit  # lasio begins with metres
        self._describe(las, sum(map(len, table)))
        with atomic_file(self.las) as file:
            text = io.TextIOWrapper(file, "ascii", errors="replace", newline="\n")
            las.write(
                text, version=2.0, wrap=False, column_fmt=formats, fmt="%.5f", **self._range(rows)
            )
            text.detach()

    def _range(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """STRT, STOP, STEP; a step of 0 says that it varies, by LAS 2.0."""
        if not self.depth:
            return {"STRT": int(rows[0]), "STOP": int(rows[-1]), "STEP": int(rows[1] - rows[0])}
        slopes = {round((b[1] - a[1]) / (b[0] - a[0]), 9) for a, b in pairwise(self.depth)}
        start, stop = (round(float(depth), 4) for depth in feet(rows[[0, -1]], self.depth))
        return {"STRT": start, "STOP": stop, "STEP": slopes.pop() if len(slopes) == 1 else 0.0}

    def _unit(self, track: int) -> str:
        if not track or not self.tracks:
            return "fraction of the scan's width"
        sides = self.tracks.borders[:, track - 1]
        cut = np.median(sides[:, 0]) < 1 or np.median(sides[:, 1]) > self.columns - 1
        return f"fraction of track {track}" + ", which the scan's edge cuts off" * bool(
            cut and self.finder
        )

    def _describe(self, las: Any, used: int) -> None:
        import lasio

        las.well["NULL"].value = NULL
        las.well["WELL"].value = Path(self.scan).stem
        las.well["SRVC"].value = f"wellseg {__version__}"
        items: list[tuple[str, str, float, str]] = [
            ("ROWS", "", self.rows, "rows of the scan"),
            ("COLS", "PX", self.columns, "columns of the scan"),
            ("NTRC", "", len(self.follower.traces), "traces found"),
            ("NTRK", "", self.tracks.borders.shape[1] if self.tracks else 0, "tracks"),
        ]
        if self.tracks:
            for track, (left, right) in enumerate(
                np.median(self.tracks.borders, axis=0).tolist(), 1
            ):
                items.append(
                    (
                        f"T{track}L",
                        "PX",
                        round(left, 1),
                        f"left border of track {track}, median of all rows",
                    )
                )
                items.append(
                    (
                        f"T{track}R",
                        "PX",
                        round(right, 1),
                        f"right border of track {track}, median of all rows",
                    )
                )
        for name, unit, value, what in items:
            las.params[name] = lasio.HeaderItem(name, unit, value, what)
        by = ", ".join(f"row {row:g} = {at:g} ft" for row, at in self.depth)
        left_out = len(self.follower.traces) - used
        las.other = NOTE.format(
            version=__version__,
            scan=self.scan,
            rows=self.rows,
            columns=self.columns,
            values=IN_TRACKS.format(where=FOUND if self.finder else GIVEN)
            if self.tracks
            else NO_TRACKS,
            csv=self.csv.name,
            null=NULL,
            least=self.least_rows,
            gap=self.gap_rows,
            depth=f"Depth is linear between and beyond {by}."
            if by
            else "Depth is the row of the scan, from 0.",
            left_out=f"{left_out} that overlap with {MOST_CURVES} longer ones stand in the CSV alone."
            * bool(left_out),
        )


def feet(rows: NDArray[Any], depth: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Depth of rows: linear between the fixed points, and beyond the outer ones as between the two next to it."""
    at, known = (np.array(side, float) for side in zip(*depth, strict=True))
    piece = np.clip(np.searchsorted(at, rows, side="right") - 1, 0, len(at) - 2)
    slope = np.diff(known) / np.diff(at)
    result: NDArray[np.float64] = known[piece] + (rows - at[piece]) * slope[piece]
    return result


def pack(traces: Sequence[Trace], in_track: Sequence[int]) -> list[list[int]]:
    """Share the traces out to at most MOST_CURVES columns, of which each holds one at a time, all of one track: the
    longest first, each where its neighbour above ends or that below begins closest. Columns from left to right."""
    columns: list[list[tuple[int, int]]] = []  # first row, number
    near = 0.05 * max((trace.stop for trace in traces), default=1)
    for number in sorted(range(len(traces)), key=lambda number: -traces[number].rows):
        entry = (traces[number].first_row, number)
        fitting = [
            (step, i)
            for i, column in enumerate(columns)
            if in_track[column[0][1]] == in_track[number]
            and (step := _step(traces, column, entry)) is not None
        ]
        step, best = min(fitting, default=(0.0, None))
        if best is not None and (step < near or len(columns) == MOST_CURVES):
            insort(columns[best], entry)
        elif len(columns) < MOST_CURVES:
            columns.append([entry])
    lanes = [[number for _, number in column] for column in columns]
    return sorted(lanes, key=lambda lane: _middle([traces[number] for number in lane]))


def _step(
    traces: Sequence[Trace], column: list[tuple[int, int]], entry: tuple[int, int]
) -> float | None:
    """How far aside the nearer neighbour's end is, if that trace had this place; None if it overlaps with one."""
    one, at, steps = traces[entry[1]], bisect(column, entry), []
    if at:
        above = traces[column[at - 1][1]]
        if above.first_row + above.rows > one.first_row:
            return None
        steps.append(abs(above.column - one.began))
    if at < len(column):
        below = traces[column[at][1]]
        if one.first_row + one.rows > below.first_row:
            return None
        steps.append(abs(one.column - below.began))
    return min(steps)


def _middle(lane: list[Trace]) -> float:
    return sum((one.began + one.column) / 2 * one.rows for one in lane) / sum(
        one.rows for one in lane
    )

"""Traces as LAS 2.0: a table by depth, of columns that hold one trace at a time."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wellseg import __version__
from wellseg.curves.follow import Trace
from wellseg.curves.options import DepthScale
from wellseg.curves.tracks import Tracks
from wellseg.scan.atomic import atomic_file

MOST_CURVES = 16
"""Columns. Logs have up to six curves; more are bits of grid and text."""
NULL = -999.25
API_NUMBER = r"(?<!\d)(\d{2}-\d{3}-\d{5}(?:-\d{2}(?!\d)){0,2}|\d{10}(?:\d{2}){0,2})(?!\d)"
"""State, county and well; sidetrack and event: 10, 12 or 14 digits (API Bulletin D12A)."""

NOTE = """\
Curves found by wellseg {version} on the scan {sheet.scan}, {rows} rows x {columns} columns.
{values}
Nothing is calibrated. The column in pixels stands in {sheet.csv}.
TRnn holds traces that follow one another, one at a time; IDnn says which: the number there.
It changes where a trace ends and another one takes its place: they need not be the same curve.
{depth}
Missing: {null}. Gaps of more than {sheet.gap_rows} rows end a trace; traces of fewer than \
{sheet.least_rows} rows are left out.
{left_out}"""
IN_TRACKS = """\
Values are FRACTIONS OF A TRACK, which is named with each curve: 0 is its left border and 1 its
right one in that row; a curve that leaves its track goes below 0 or beyond 1. Traces that mostly
lie in no track are given in fractions of the scan's whole width instead.
{where}"""
FOUND = "Tracks are panels of grid; two of the same grid that share a border are one here."
GIVEN = "The borders are those of --tracks, the same in every row."
NO_TRACKS = """\
Values are FRACTIONS OF THE SCAN'S WIDTH, 0 the left edge and 1 the right edge:
no printed tracks were found."""
BY_DEPTH = """\
Depth is linear between {points}, and goes on so for {more} rows above and below. Further away it is
not known: what was found there stands in {csv} alone."""


@dataclass
class Sheet:
    """What a LAS file says of its scan, and how its traces were found.

    shape: rows and columns. least_rows, gap_rows: shortest trace, longest gap. tracks: None: there
    are none. depth: None: by row.
    """

    scan: str
    csv: str
    shape: tuple[int, int]
    least_rows: int
    gap_rows: int
    tracks: Tracks | None
    tracks_given: bool
    depth: DepthScale | None


def write_las(
    path: Path,
    sheet: Sheet,
    traces: Sequence[Trace],
    in_track: Sequence[int],
    values_of: Callable[[Trace, int], NDArray[np.floating[Any]]],
) -> list[str]:
    """Write the file, whole or not at all; returns what the user should know.

    in_track: number of each trace's track, 0 for none. values_of: a trace's value in each of its
    rows, in fractions of the track that is named, NaN where it is missing.
    """
    import lasio

    first = min((trace.first_row for trace in traces), default=0)
    stop = max((trace.first_row + trace.rows for trace in traces), default=sheet.shape[0])
    notes = []
    if sheet.depth:
        low, high = math.ceil(sheet.depth.reach[0]), math.floor(sheet.depth.reach[1]) + 1
        outside = max(0, low - first) + max(0, stop - high)
        if outside and traces:
            known = " and ".join(f"{sheet.depth.points[end][0]:,.0f}" for end in (0, -1))
            notes.append(
                f"depth is known between rows {known}: {path.name} holds rows {max(low, 0):,} to "
                f"{high - 1:,}, and {outside:,} rows with traces further away stand in {sheet.csv} "
                "alone: give --depth of rows nearer to the ends"
            )
        first, stop = max(first, low), min(stop, high)
    rows = np.arange(first, stop) if stop > first + 1 else np.arange(2) + max(0, first)
    las = lasio.LASFile()
    unit = sheet.depth.unit.upper() if sheet.depth else "ROW"
    index = [sheet.depth.at(row) for row in rows.tolist()] if sheet.depth else rows.astype(float)
    what = f"depth, {sheet.depth.unit}" if sheet.depth else "row of the scan, from 0"
    las.append_curve("DEPT", np.asarray(index), unit=unit, descr=what)
    formats = {0: "%.4f" if sheet.depth else "%d"}
    table = pack(traces, in_track)
    for lane, members in enumerate(table, 1):
        columns = np.full((2, len(rows)), np.nan)
        for number in members:
            trace = traces[number]
            values = values_of(trace, in_track[number])
            numbers = np.where(np.isnan(values), np.nan, number + 1)
            at = trace.first_row - int(rows[0])
            cut = slice(max(0, -at), max(0, len(rows) - at))
            columns[:, max(0, at) : max(0, at + len(values))] = np.stack([values, numbers])[:, cut]
        formats[2 * lane - 1], formats[2 * lane] = "%.5f", "%d"
        las.append_curve(f"TR{lane:02d}", columns[0], descr=_measure(sheet, in_track[members[0]]))
        las.append_curve(f"ID{lane:02d}", columns[1], descr="number of the trace")
    for name in ("STRT", "STOP", "STEP"):
        las.well[name].unit = unit  # lasio begins with metres
    _describe(las, sheet, len(traces), len(traces) - sum(map(len, table)))
    steps = {"STRT": index[0], "STOP": index[-1], "STEP": 1.0}
    if sheet.depth:  # a step of 0 says that it varies (LAS 2.0)
        points = pairwise(sheet.depth.points)
        slopes = {round((b[1] - a[1]) / (b[0] - a[0]), 9) for a, b in points}
        steps["STEP"] = slopes.pop() if len(slopes) == 1 else 0.0
    with atomic_file(path) as file:
        text = io.TextIOWrapper(file, "ascii", errors="replace", newline="\n")
        steps = {
            name: round(float(value), 9 if name == "STEP" else 4) for name, value in steps.items()
        }
        las.write(text, version=2.0, wrap=False, column_fmt=formats, fmt="%.5f", **steps)
        text.detach()
    return notes


def _measure(sheet: Sheet, track: int) -> str:
    if not track or not sheet.tracks:
        return "fraction of the scan's width"
    left, right = np.median(sheet.tracks.borders[:, track - 1], axis=0)
    cut = not sheet.tracks_given and (left < 1 or right > sheet.shape[1] - 1)
    return f"fraction of track {track}" + ", which the scan's edge cuts off" * bool(cut)


def _describe(las: Any, sheet: Sheet, traces: int, left_out: int) -> None:
    import lasio

    name = Path(sheet.scan).stem
    las.well["NULL"].value = NULL
    las.well["WELL"].value = name
    las.well["SRVC"].value = f"wellseg {__version__}"
    if number := re.search(API_NUMBER, name):
        las.well["API"].value = las.well["UWI"].value = number[1].replace("-", "")
    borders = np.median(sheet.tracks.borders, axis=0).tolist() if sheet.tracks else []
    items: list[tuple[str, str, float, str]] = [
        ("ROWS", "", sheet.shape[0], "rows of the scan"),
        ("COLS", "PX", sheet.shape[1], "columns of the scan"),
        ("NTRC", "", traces, "traces found"),
        ("NTRK", "", len(borders), "tracks"),
    ]
    for track, sides in enumerate(borders, 1):
        for mark, side, column in zip("LR", ("left", "right"), sides, strict=True):
            what = f"{side} border of track {track}, median of all rows"
            items.append((f"T{track}{mark}", "PX", round(column, 1), what))
    depth = "Depth is the row of the scan, from 0."
    if sheet.depth:
        unit, points = sheet.depth.unit, sheet.depth.points
        items.append(("DROW1", "", points[0][0], "first row whose depth is known"))
        items.append(("DROW2", "", points[-1][0], "last row whose depth is known"))
        depth = BY_DEPTH.format(
            points=", ".join(f"row {row:g} = {at:g} {unit}" for row, at in points),
            more=round(points[0][0] - sheet.depth.reach[0]),
            csv=sheet.csv,
        )
    for mnemonic, unit, value, what in items:
        las.params[mnemonic] = lasio.HeaderItem(mnemonic, unit, value, what)
    in_tracks = IN_TRACKS.format(where=GIVEN if sheet.tracks_given else FOUND)
    las.other = NOTE.format(
        version=__version__,
        sheet=sheet,
        rows=sheet.shape[0],
        columns=sheet.shape[1],
        values=in_tracks if sheet.tracks else NO_TRACKS,
        null=NULL,
        depth=depth,
        left_out=f"{left_out} that overlap with {MOST_CURVES} longer ones stand in the CSV alone."
        * bool(left_out),
    )


def pack(traces: Sequence[Trace], in_track: Sequence[int]) -> list[list[int]]:
    """Share the traces out to at most MOST_CURVES columns, of which each holds one at a time, all
    of one track: the longest first, each where its neighbour ends or begins closest. Columns from
    left to right."""
    lanes: list[list[int]] = []
    near = 0.05 * max((trace.stop for trace in traces), default=1)
    for number in sorted(range(len(traces)), key=lambda number: -traces[number].rows):
        steps = [
            (_step([traces[other] for other in lane], traces[number]), lane)
            for lane in lanes
            if in_track[lane[0]] == in_track[number]
        ]
        step, best = min(steps, default=(math.inf, []), key=lambda pair: pair[0])
        if step < near or (step < math.inf and len(lanes) == MOST_CURVES):
            best.append(number)
        elif len(lanes) < MOST_CURVES:
            lanes.append([number])
    for lane in lanes:
        lane.sort(key=lambda number: traces[number].first_row)
    return sorted(lanes, key=lambda lane: _middle([traces[number] for number in lane]))


def _step(lane: Sequence[Trace], one: Trace) -> float:
    """How far aside the trace begins or ends from the one next to it, above or below; infinite if
    it overlaps with one."""
    rows_apart = {}
    for other in lane:
        above, below = (
            one.first_row - other.first_row - other.rows,
            other.first_row - one.first_row - one.rows,
        )
        if max(above, below) < 0:
            return math.inf
        aside = abs(other.column - one.began) if above >= 0 else abs(one.column - other.began)
        rows_apart[max(above, below)] = aside
    return rows_apart[min(rows_apart)]


def _middle(lane: Sequence[Trace]) -> float:
    rows = sum(one.rows for one in lane)
    return sum((one.began + one.column) / 2 * one.rows for one in lane) / rows

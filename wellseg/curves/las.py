"""Curves as LAS 2.0: a column for each, by row or by depth."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wellseg import __version__
from wellseg.curves.options import CurveOptions, Interval
from wellseg.curves.tracks import Tracks
from wellseg.scan.atomic import atomic_file

if TYPE_CHECKING:
    from wellseg.curves.files import Found

MOST_CURVES = 60
"""Columns: no log has more curves; further ones are bits of grid and text."""
NULL = -999.25
API_NUMBER = r"(?<!\d)(\d{2}-\d{3}-\d{5}(?:-\d{2}(?!\d)){0,2}|\d{10}(?:\d{2}){0,2})(?!\d)"
"""State, county and well; sidetrack and event: 10, 12 or 14 digits (API Bulletin D12A)."""

NOTE = """\
Curves found by wellseg {version} on the scan {sheet.scan}, {rows} rows x {columns} columns.
Values are FRACTIONS OF A TRACK, T1, T2 ... from the left: 0 is its left border and 1 its right one
in that row; a curve that leaves its track goes below 0 or beyond 1. T0 are curves that lie in no
track, in fractions of the scan's whole width. Nothing is calibrated.
{tracks}
{depth}
Missing: {null}. Bridged gaps are filled; {sheet.csv} says which they are, and has the column in
pixels.
{left_out}"""
FOUND = "Tracks are panels of grid; two of the same grid that share a border are one here."
GIVEN = "The borders are those of --tracks, the same in every row."
NONE = "No printed tracks were found."


@dataclass(frozen=True)
class Sheet:
    """What a LAS file says of its scan. shape: rows and columns. given: the tracks are --tracks."""

    scan: str
    csv: str
    shape: tuple[int, int]
    given: bool


def write_las(
    stem: Path,
    sheet: Sheet,
    tracks: Tracks | None,
    options: CurveOptions,
    found: Sequence[Found],
) -> list[str]:
    """Write NAME.las, or for several logs NAME.1.las, NAME.2.las ..., each whole or not at all;
    returns what the user should know."""
    logs: Sequence[Interval | None] = options.depth.logs if options.depth else [None]
    notes, written = [], set()
    longest = sorted(found, key=lambda one: -one.curve.rows)[:MOST_CURVES]
    kept = [one for one in found if one in longest]
    if len(kept) < len(found):
        notes.append(
            f"{len(found) - len(kept):,} curves that are shorter than {MOST_CURVES} others stand "
            f"in {sheet.csv} alone"
        )
    for number, log in enumerate(logs, 1):
        first, stop = _range(kept, log, sheet)
        las = _las(sheet, tracks, options, kept, log, (first, stop))
        las.other = _note(sheet, tracks, options, log, " ".join(notes))
        written.add(f"{stem}.{number}.las" if len(logs) > 1 else f"{stem}.las")
        _write(f"{stem}.{number}.las" if len(logs) > 1 else f"{stem}.las", las, options, log)
    remove_las(stem, written)
    if options.depth and found:
        spans = [(one.curve.first_row, one.curve.first_row + one.curve.rows) for one in found]
        known = [log.reach for log in options.depth.logs]
        rows = np.arange(min(a for a, _ in spans), max(b for _, b in spans))
        outside = np.all([(rows < low) | (rows > high) for low, high in known], axis=0).sum()
        if outside:
            ends = ", ".join(f"{log.points[0][0]:,.0f} to {log.points[-1][0]:,.0f}"
                             for log in options.depth.logs)  # fmt: skip
            notes.append(
                f"depth is known between rows {ends}: {outside:,} rows with curves further away "
                f"stand in {sheet.csv} alone: give --depth of rows nearer to the ends"
            )
    return notes


def remove_las(stem: Path, written: Collection[str] = ()) -> None:
    """Remove NAME.las and NAME.1.las, NAME.2.las ... of an earlier run, but for those that are
    written now. NAME.1.las beside NAME.1.curves.csv is of another scan, which is called NAME.1."""
    for number in range(100):
        one = f"{stem}.{number}" if number else f"{stem}"
        if f"{one}.las" not in written and not (number and Path(f"{one}.curves.csv").exists()):
            Path(f"{one}.las").unlink(missing_ok=True)


def _range(found: Sequence[Found], log: Interval | None, sheet: Sheet) -> tuple[int, int]:
    """First and last row (exclusive) of a table that has two rows at least."""
    first = min((one.curve.first_row for one in found), default=0)
    stop = max((one.curve.first_row + one.curve.rows for one in found), default=sheet.shape[0])
    if log:
        first = max(first, math.ceil(log.reach[0]))
        stop = min(stop, math.floor(log.reach[1]) + 1)
        if stop < first + 2:
            first, stop = (int(row) for row in (log.points[0][0], log.points[-1][0] + 1))
    return first, max(stop, first + 2)


def _las(
    sheet: Sheet,
    tracks: Tracks | None,
    options: CurveOptions,
    found: Sequence[Found],
    log: Interval | None,
    span: tuple[int, int],
) -> Any:
    import lasio

    las = lasio.LASFile()
    unit = options.depth.unit.upper() if options.depth else "ROW"
    rows = np.arange(*span).astype(float)
    index = rows
    if log:
        index = np.array([log.at(row) for row in rows.tolist()])
        if options.step:
            first = math.ceil(index[0] / options.step)  # one line, where the log is shorter
            index = np.arange(first, max(first + 1, index[-1] / options.step)) * options.step
            rows = np.array([log.row(depth) for depth in index.tolist()])
    what = f"depth, {unit.lower()}" if log else "row of the scan, from 0"
    las.append_curve("DEPT", index, unit=unit, descr=what)
    for one in found:
        at = one.curve.first_row + np.arange(one.curve.rows)
        # Linear between two rows; missing where one of them is.
        values = np.interp(rows, at, one.values, left=np.nan, right=np.nan)
        las.append_curve(one.name, values, unit="FRAC", descr=one.about())
    for name in ("STRT", "STOP", "STEP"):
        las.well[name].unit = unit  # lasio begins with metres
    name = Path(sheet.scan).stem
    las.well["NULL"].value, las.well["WELL"].value = NULL, name
    las.well["SRVC"].value = f"wellseg {__version__}"
    if number := re.search(API_NUMBER, name):
        las.well["API"].value = las.well["UWI"].value = number[1].replace("-", "")
    borders = np.median(tracks.borders, axis=0).tolist() if tracks else []
    items: list[tuple[str, str, float, str]] = [("ROWS", "", sheet.shape[0], "rows of the scan")]
    items += [("COLS", "PX", sheet.shape[1], "columns of the scan")]
    items += [("NTRK", "", len(borders), "tracks")]
    for track, sides in enumerate(borders, 1):
        for mark, side, column in zip("LR", ("left", "right"), sides, strict=True):
            about = f"{side} border of track {track}, median of all rows"
            items.append((f"T{track}{mark}", "PX", round(column, 1), about))
    if log:
        items.append(("DROW1", "", log.points[0][0], "first row whose depth is known"))
        items.append(("DROW2", "", log.points[-1][0], "last row whose depth is known"))
    for mnemonic, unit, value, what in items:
        las.params[mnemonic] = lasio.HeaderItem(mnemonic, unit, value, what)
    return las


def _note(
    sheet: Sheet,
    tracks: Tracks | None,
    options: CurveOptions,
    log: Interval | None,
    left_out: str,
) -> str:
    depth = "Depth is the row of the scan, from 0."
    if log and options.depth:
        points = ", ".join(f"row {row:g} = {at:g} {options.depth.unit}" for row, at in log.points)
        depth = (
            f"Depth is linear between {points}, and goes on so for rows {log.reach[0]:.0f} to "
            f"{log.reach[1]:.0f}. Further away it is not known."
        )
    return NOTE.format(
        version=__version__,
        sheet=sheet,
        rows=sheet.shape[0],
        columns=sheet.shape[1],
        tracks=(GIVEN if sheet.given else FOUND) if tracks else NONE,
        depth=depth,
        null=NULL,
        left_out=left_out,
    )


def _write(path: str, las: Any, options: CurveOptions, log: Interval | None) -> None:
    index: NDArray[np.float64] = las.index
    steps = np.diff(index)
    even = np.allclose(steps, steps[0], rtol=1e-6) if len(steps) else True
    step = options.step or (round(float(steps[0]), 9) if even and len(steps) else 0.0)
    formats = {0: "%.4f" if log else "%d"}  # a step of 0 says that it varies (LAS 2.0)
    ends = {"STRT": round(float(index[0]), 4), "STOP": round(float(index[-1]), 4), "STEP": step}
    with atomic_file(path) as file:
        text = io.TextIOWrapper(file, "ascii", errors="replace", newline="\n")
        las.write(text, version=2.0, wrap=False, column_fmt=formats, fmt="%.5f", **ends)
        text.detach()

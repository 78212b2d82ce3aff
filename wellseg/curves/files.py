"""Curves for other programs: NAME.curves.csv with every point, NAME.las with a column a curve."""

import io
import math
import re
import unicodedata
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from itertools import filterfalse
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg import __version__
from wellseg.curves import las_of, remove_curves
from wellseg.curves.curve import CurveFollower
from wellseg.curves.options import CurveOptions, Interval
from wellseg.curves.points import BRIDGED, Curve
from wellseg.curves.strands import Indices
from wellseg.curves.tracks import TrackFinder, Tracks
from wellseg.scan import USUAL_DPI, ScanError
from wellseg.scan.atomic import atomic_file
from wellseg.scan.files import refuse_foreign, refuse_open
from wellseg.scan.pictures import Gray, to_gray

MOST_CURVES = 60
"""Columns of a LAS at most: no log has more curves; others are pieces of grid and text."""
API_NUMBER = r"(?<!\d)(\d{2}-\d{3}-\d{5}(?:-\d{2}(?!\d)){0,2}|\d{10}(?:\d{2}){0,2})(?!\d)"
"""State, county and well; sidetrack and event: 10, 12 or 14 digits (API Bulletin D12A)."""
CSV_HEAD = """\
# row: of the scan, from 0. column: the stroke's centre in pixels, 0 the middle of the leftmost.
# left, right: the stroke's span. confidence: mean probability. flags, a sum: 1 bridged gap, 2 off
# its scale and printed a track's width to one side (value is corrected), 4 maybe another curve.
# value: 0 at the left border of the curve's track in that row, 1 at the right one (track 0: of
# the scan). Not calibrated. Rows above its first, below its last and in longer gaps are left out.
# With --depth also depth_ft or depth_m: empty where a row is too far from those of --depth.
row,curve,track,column,left,right,value,confidence,flags"""
LAS_NOTE = """\
Values are FRACTIONS OF A TRACK, T1, T2 ... from the left: 0 is its left border and 1 its right one
in that row; other values are off the scale. T0: curves in no track, fractions of the scan's width.
Nothing is calibrated. Missing: -999.25. Bridged gaps are filled; NAME.curves.csv says which, and
has columns in pixels."""


class Found(NamedTuple):
    """A curve as the files have it. track: from 1; 0 for none. middle: its median column. values:
    float32 (rows,), fractions of the track or of the scan's width. shown: its entry in the view."""

    curve: Curve
    track: int
    middle: float
    values: NDArray[np.float32]
    shown: dict[str, Any]


class CurveWriter(AbstractContextManager["CurveWriter"]):
    """Follows the curves of one scan, and writes the files, all or none, when its block ends well.

    stem: the path of the files up to their endings. scan: the name of its file. size, dpi: rows and
    columns of the scan, which is stored upright, and its resolution.
    Raises ScanError: no such rows or columns; ValueError: a file of that name is not wellseg's."""

    def __init__(
        self, stem: Path, scan: str, size: tuple[int, int], dpi: float | None, options: CurveOptions
    ) -> None:
        self._stem, self._scan, self._size, self._options = stem, scan, size, options
        rows, columns = size
        self._said = f"Curves found by wellseg {__version__} on {scan}, {rows} x {columns} pixels"
        for flag in ("threshold", "tracks", "rows"):
            if given := getattr(options, flag, None):
                self._said += f", --{flag} {' '.join(given) if isinstance(given, list) else given}"
        self._said += "."
        self._row, (self._first, self._stop) = 0, options.row_range or (0, rows)
        has = f"the scan has rows 0 to {rows - 1:,}"
        if self._stop > rows:
            raise ScanError(f"{scan}: --rows {self._first:,}-{self._stop - 1:,}: {has}")
        if beyond := [row for log in options.logs for row, _ in log.points if row >= rows]:
            raise ScanError(f"{scan}: --depth of row {beyond[0]:,.10g}: {has}")
        if beyond := [right for _, right in options.track_sides if right > columns]:
            raise ScanError(f"{scan}: --tracks to {beyond[0]:,.10g}: it has {columns:,} columns")
        self.paths = [Path(f"{stem}.curves.csv"), *las_of(stem)]  # perhaps
        refuse_foreign(*self.paths)
        refuse_open(*self.paths)
        given = options.track_sides
        self._tracks = Tracks(np.zeros(1), np.array([given], float), math.inf) if given else None
        self._follower = CurveFollower(dpi, options.scratch, self._first, self._tracks)
        # Few rows may show no tracks: then those of all rows are taken, maybe another log's.
        self._of_all = TrackFinder(dpi or USUAL_DPI) if options.row_range and not given else None
        # When the block has ended: what the user should know, and the curves for the view.
        self.notes: list[str] = []
        self.shown: list[dict[str, Any]] = []

    def put(self, picture: Gray, mask: Gray, probability: Gray) -> None:
        """Take the next rows, as `CurveFollower.add` does."""
        part = slice(max(0, self._first - self._row), max(0, self._stop - self._row))
        self._row += len(picture)
        if self._of_all:
            self._of_all.add(to_gray(picture))
        if len(mask[part]):
            self._follower.add(picture[part], mask[part], probability[part])

    def quality(self) -> dict[str, int]:
        """Numbers to judge the curves by, when the block has ended: for NAME.json."""
        tracks = self._tracks.borders.shape[1] if self._tracks else 0
        return {"curves": len(self._follower.curves), "tracks_found": tracks}

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._follower:
            if kind is None:
                self._finish()

    def _finish(self) -> None:
        self._follower.finish()
        self._tracks = self._follower.tracks or (self._of_all.find() if self._of_all else None)
        if not self._tracks:
            self.notes.append("no printed tracks found: values are fractions of the scan's width")
        found = [self._found(curve) for curve in self._follower.curves]
        found.sort(key=lambda one: (one.track, one.middle))
        orders: Counter[int] = Counter()
        logs, every, lines = self._options.logs, range(self._size[0]), 0
        # Of each row, rounded as in the LAS; none without --depth.
        depths = [np.array([*map(self._options.depth_at, every)], float).round(4)] if logs else []
        head, form = (f",depth_{self._options.unit}", ",%.4f") if logs else ("", "")
        with ExitStack() as files:  # all of them are replaced at the end, or none
            file = files.enter_context(atomic_file(f"{self._stem}.curves.csv"))
            file.write(f"# {self._said}\n{CSV_HEAD}{head}\n".encode("utf-8", "replace"))
            for one in found:
                orders[one.track] += 1
                name = f"T{one.track}_C{orders[one.track]}_{one.curve.style.upper()}"
                one.shown["name"] = name
                points, rows = self._follower.points(one.curve), _rows(one.curve)
                cells: list[NDArray[Any]] = [rows, points.column, points.left, points.right]
                cells += [one.values, points.confidence, points.flags, *(at[rows] for at in depths)]
                table = np.stack(cells, 1)[~np.isnan(points.column)]
                lines += len(table)
                line = f"%d,{name},{one.track},%.1f,%.0f,%.0f,%.4f,%.2f,%d{form}\n"
                text = "".join(line % tuple(row) for row in table.tolist()).replace("nan\n", "\n")
                file.write(text.encode())
            if lines > 2**20:
                self.notes.append("the CSV has over 1,048,576 lines: Excel cuts it, not the LAS")
            written = self._write_las(found, files)
        remove_curves(self._stem, [f"{self._stem}.curves.csv", *written])
        self.shown += [one.shown for one in found]

    def _found(self, curve: Curve) -> Found:
        points, rows = self._follower.points(curve), _rows(curve)
        left, right, track = np.float64(0), np.float64(self._size[1]), 0
        seen = ~np.isnan(points.column)
        path = np.stack([points.column, rows - rows[0]], 1).astype(np.float32)[seen]
        if self._tracks and (track := self._tracks.of(rows[seen], path[:, 0] + 0.5)):
            left, right = self._tracks.at(rows)[:, track - 1].T
        printed = points.column + curve.set_back()
        values = ((printed + 0.5 - left) / (right - left)).astype(np.float32)
        on_ink = points.flags[seen] & BRIDGED == 0
        confidence = float(points.confidence[seen][on_ink].mean()) if on_ink.any() else 0.0
        about = [f"{curve.width_px:.0f} px"]
        about += ["#{:02x}{:02x}{:02x}".format(*curve.colour)] if curve.colour else []
        about += [f"confidence {confidence:.2f}", f"{100 * (~on_ink).mean():.0f} % bridged"]
        apart = np.isin(path[1:, 1] + rows[0], [row for row, _ in curve.wraps])
        parts = np.split(path[:, None], np.flatnonzero(apart | (np.diff(path[:, 1]) > 1)) + 1)
        few = [cv2.approxPolyDP(part, 0.8, False) + np.array([0.5, rows[0]]) for part in parts]
        shown = {
            "style": curve.style,
            "rows": rows[[0, -1]].tolist(),
            "confidence": round(confidence, 2),
            "about": ", ".join(about),
            "uncertain": curve.uncertain,
            "lines": [np.rint(line).astype(int).ravel().tolist() for line in few],  # within a pixel
        }
        return Found(curve, track, float(np.median(path[:, 0])), values, shown)

    def _write_las(self, found: list[Found], files: ExitStack) -> list[str]:
        """NAME.las, or for several logs NAME.1.las, NAME.2.las ...: gives their paths."""
        least = sorted([0] * MOST_CURVES + [one.curve.rows for one in found])[-MOST_CURVES]
        kept = [one for one in found if one.curve.rows >= least]
        if left_out := len(found) - len(kept):
            self.notes.append(f"{left_out:,} curves shorter than {least} rows are not in NAME.las")
        spans = [_rows(one.curve)[[0, -1]] for one in kept] or [np.array([0, self._size[0] - 1])]
        depths = self._options.logs
        logs = depths or [Interval(((0, 0), (1, 1)), (0, self._size[0] - 1))]
        numbers = [f".{n}" for n in range(1, len(logs) + 1)] if len(logs) > 1 else [""]
        paths = [f"{self._stem}{number}.las" for number in numbers]
        for path, log in zip(paths, logs, strict=True):
            low = max(0, math.ceil(log.reach[0]))
            high = min(self._size[0] - 1, math.floor(log.reach[1]))
            rows = np.arange(max(int(np.min(spans)), low), min(int(np.max(spans)), high) + 1)
            if not (len(rows) and kept):
                rows = np.arange(low, high + 1)
                self.notes.append(f"{Path(path).name}: no curve in rows {low:,} to {high:,}")
            self._write_log(files.enter_context(atomic_file(path)), log, rows, kept)
        there = np.concatenate([_rows(one.curve) for one in kept if depths] or [np.arange(0)])
        if away := sum(self._options.depth_at(row) is None for row in np.unique(there)):
            said = "too far from those of --depth and not in NAME.las"
            do = "give --depth of rows nearer to the ends"
            self.notes.append(f"{away:,} rows with curves are {said}: {do}")
        return paths

    def _write_log(self, file: BinaryIO, log: Interval, rows: Indices, found: list[Found]) -> None:
        """A LAS 2.0 of these rows of the scan, with the curves that have values in them."""
        import lasio

        borders = np.median(self._tracks.at(rows[::16]), 0).tolist() if self._tracks else []
        depth, step = self._options.logs, self._options.step
        index = np.array([log.at(row) for row in rows.tolist()], float)
        apart, places = np.diff(index), rows.astype(float)
        if step:
            begin, end = math.ceil(index[0] / step), math.floor(index[-1] / step + 1e-9) + 1
            steps = np.arange(begin, end) * step if begin < end else index[:1]
            places, index = np.interp(steps, index, rows, np.nan, np.nan), steps
        elif len(apart) and np.ptp(apart) < 1e-6:
            step = round(float(index[-1] - index[0]) / len(apart), 10)
        las = lasio.LASFile()
        unit, what = (self._options.unit, "depth") if depth else ("row", "row of the scan, from 0")
        las.append_curve("DEPT", [], unit=unit.upper(), descr=what)
        table = [index.round(4)]
        for one in found:  # linear between two rows; missing where one of them is missing
            values = np.interp(places, _rows(one.curve), one.values, np.nan, np.nan)
            if not np.isnan(values).all():
                table.append(values)
                las.append_curve(one.shown["name"], [], unit="FRAC", descr=one.shown["about"])
        las.well["NULL"].value, las.well["WELL"].value = -999.25, _ascii(Path(self._scan).stem)
        las.well["SRVC"].value = f"wellseg {__version__}"
        if api := re.search(API_NUMBER, Path(self._scan).stem):
            las.well["API"].value = las.well["UWI"].value = api[0].replace("-", "")
        for track, sides in enumerate(borders, 1):
            for side, column in zip(("left", "right"), sides, strict=True):
                name = f"T{track}{side[0].upper()}"
                what = f"{side} border of track {track}, median of these rows"
                column = min(max(0.0, round(column, 1)), self._size[1])  # as --tracks takes it
                las.params[name] = lasio.HeaderItem(name, "PX", column, what)
        notes = [_ascii(self._said), LAS_NOTE, *self.notes]
        if depth:
            points = ", ".join(f"row {row:.10g} = {at:.10g} {unit}" for row, at in log.points)
            notes.append(f"Depth is linear between {points}, and unknown far from them.")
        las.other = "\n".join(notes)
        # A step of 0 says that it varies (LAS 2.0).
        ends = {"STRT": f"{table[0][0]:.5f}", "STOP": f"{table[0][-1]:.5f}", "STEP": step or 0.0}
        line = (" %10.4f" if depth else " %10d") + " %10.5f" * (len(table) - 1) + "\n"
        text = io.TextIOWrapper(file, "ascii", errors="replace", newline="\n")
        las.write(text, version=2.0, wrap=False, **ends)
        # To write the numbers, lasio takes ten times as long.
        for row in np.column_stack(table).tolist():
            text.write((line % tuple(row)).replace("       nan", "   -999.25"))
        text.detach()


def _ascii(name: str) -> str:
    """A name as LAS 2.0 takes it: letters without their accents."""
    plain = filterfalse(unicodedata.combining, unicodedata.normalize("NFKD", name))
    return "".join(plain).encode("ascii", "replace").decode()


def _rows(curve: Curve) -> Indices:
    return np.arange(curve.first_row, curve.first_row + curve.rows)

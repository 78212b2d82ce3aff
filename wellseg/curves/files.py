"""Curves for other programs: NAME.curves.csv with every point, NAME.las with a column a curve."""

import io
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from hashlib import file_digest
from itertools import filterfalse, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import lasio
import numpy as np

from wellseg import __version__
from wellseg.curves import endings_of, remove_curves
from wellseg.curves.curve import CurveFollower
from wellseg.curves.options import TABLE, CurveOptions, Interval, Scale
from wellseg.curves.points import BRIDGED, Floats, Indices, PlacedCurve, place_curve, ranges
from wellseg.curves.track_finder import find_tracks
from wellseg.curves.tracks import Tracks
from wellseg.scan import API_NUMBER, ScanError
from wellseg.scan.atomic import atomic_file, refuse_open
from wellseg.scan.files import Size, refuse_foreign
from wellseg.scan.pictures import Gray
from wellseg.scan.reader import Scan

BEND = 0.1  # between known depths a row's height may differ so much, a logarithm: paper shrinks
MOST_CURVES = 60  # columns of a LAS at most: no log has more; others are pieces of grid and text
BEYOND = 0.06  # share of rows off the track: on four scans at most 0.03, or 0.08 and more
MISSED = 0.25  # share of the curves' rows in no track; of 40 scans: at most 0.04, or 0.45 and more
PIECE = 0.1  # of the longest curve of its track: shorter ones, letters of headers, come last
PLAIN = str.maketrans(dict(zip("ØøŁłĐđßÆæ", "O o L l D d ss AE ae".split(), strict=True)))
HEAD = """\
# row: of the scan, from 0. column: the stroke's centre, of a spike its tip; pixels, 0 the middle of
# the leftmost. left, right: its span. confidence: mean probability. flags, a sum: 1 in a bridged
# gap, 2 off its scale and printed a track's width to one side (value is corrected), 4 from here on
# maybe another curve, or off its scale, 8 off its scale, 16 drawn, or another curve's before, both
# by --edit. value: 0 at the left border of the track in that row, 1 at the right: (column + 0.5 -
# track_left) / (track_right - track_left). Track 0 is the scan. Rows without values are left out.
# Corrected here (lines, columns, names), wellseg curves with this file makes NAME.las of it.
row,curve,track,column,left,right,value,confidence,flags,track_left,track_right"""
LAS_NOTE = """\
Unit FRAC: FRACTIONS OF A TRACK, T1, T2 ... from the left: 0 is its left border and 1 its right one
in that row; other values are off the scale. T0: curves in no track, fractions of the scan's width.
Missing: -999.25. Bridged gaps are filled (with --bridged short ones): see NAME.curves.csv.
Other units: by the scale that a person read at its borders, or @ columns, left:right:unit."""
Found = Sequence[PlacedCurve]


class CurveFiles:
    """The files of the curves of one scan: NAME.curves.csv and NAME.las.
    stem: the path of the files up to their endings. scan: the name of its file. size: rows and
    columns of the scan, which is stored upright. table: a CSV that is read, and may be anybody's.
    Raises ScanError: no such rows or columns; ValueError: a file of that name is not wellseg's."""

    def __init__(
        self, stem: Path, scan: str, size: Size, options: CurveOptions, table: Path | None = None
    ) -> None:
        self._stem, self._scan, self._size, self._options = stem, scan, size, options
        (rows, columns), scan = size, " ".join(scan.split())  # names may have line breaks
        self._said = f"Curves found by wellseg {__version__} on {scan}, {rows} x {columns} pixels"
        for flag in ("threshold", "tracks", "rows", "bridged"):
            if (given := getattr(options, flag, None)) not in (None, []):
                self._said += f", --{flag} {' '.join(given) if isinstance(given, list) else given}"
        first, stop = options.row_range or (0, rows)
        told: dict[str, float] = {f"--rows {first:,}-{stop - 1:,}": stop - 1}
        told |= {f"--depth of row {it:,.10g}": it for log in options.logs for it, _ in log.points}
        told |= {f"--scale {it} to row {row:,.10g}": row for it, (_, row), _ in options.changes}
        if beyond := [what for what, row in told.items() if row >= rows]:
            raise ScanError(f"{beyond[0]}: the scan has rows 0 to {rows - 1:,}")
        printed = [*options.scales.values(), *(scale for _, _, scale in options.changes)]
        sides = *options.track_sides, *(it.columns for it in printed)
        if outside := [at for it in sides for at in it if at > columns]:
            what = f"--tracks or --scale at column {outside[0]:,.10g}"
            raise ScanError(f"{what}: it has {columns:,} columns")
        several = [f".{n}.las" for n in range(1, len(options.logs) + 1)]
        self._las, endings = several if len(several) > 1 else [".las"], endings_of(stem)
        if others := [it for it in self._las if it not in endings]:
            raise ValueError(f"{stem}{others[0]} is of another scan: name another folder (--out)")
        self.paths = [Path(f"{stem}{ending}") for ending in endings]  # perhaps
        refuse_foreign(*(path for path in self.paths if path != table))
        refuse_open(*self.paths)
        self.notes: list[str] = []  # what the user should know
        for log in options.logs:
            slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(log.points)]
            for (row, _), (above, below) in zip(log.points[1:-1], pairwise(slopes), strict=True):
                if abs(math.log(bend := below / above)) > BEND:
                    said = f"--depth: from row {row:,.0f} on a row is {bend:.2f} times as deep"
                    self.notes.append(f"{said} as above it: is a depth mistyped?")
        given = options.track_sides
        self.tracks = Tracks(np.zeros(1), np.array([given], float), math.inf) if given else None
        self.entries: list[dict[str, Any]] = []  # when they are written: for report and view
        self.digests: dict[str, str] = {}  # SHA-256 of the files, by their endings
        # Called with the digests when all files are written, before they replace the old ones.
        self.before_rename: Callable[[dict[str, str]], None] = lambda digests: None

    def quality(self) -> dict[str, Any]:
        """What NAME.json says of the curves, when they are written."""
        skip = "lines", "borders"
        curves = [{key: it for key, it in one.items() if key not in skip} for one in self.entries]
        sides = np.median(self.tracks.borders, 0).round(1).tolist() if self.tracks else []
        said = {"tracks_found": len(sides), "track_borders": sides, "curve_notes": self.notes}
        return {"curves": len(curves), "curve_list": curves, **said}

    def track_of(self, rows: Indices | Floats, column: Floats) -> tuple[int, Floats]:
        """The track of a curve, from 1, 0 for none; left and right border in each of its rows."""
        if self.tracks and (track := self.tracks.of(rows, column)):
            return track, self.tracks.at(rows)[:, track - 1]
        return 0, np.broadcast_to([0, self._size[1]], (len(rows), 2))

    def _named(self, found: Found) -> list[PlacedCurve]:
        """The curves in the order of the files; their entries get names and scales."""
        longest = {it.track: it.curve.rows for it in sorted(found, key=lambda it: it.curve.rows)}
        short = {it.curve for it in found if it.curve.rows < PIECE * longest[it.track]}
        found = sorted(found, key=lambda it: (it.track, it.curve in short, it.middle))
        nth = Counter[int]()  # by track
        for one in found:
            nth[one.track] += 1
            name = one.entry["name"] or f"T{one.track}_C{nth[one.track]}_{one.curve.style}".upper()
            scale = self._options.scales.get(name, Scale())
            changes = [(rows, its) for other, rows, its in self._options.changes if other == name]
            if not (one.track or scale.columns):
                scale, changes = Scale(), []
            kept = [it for it in changes if one.track or it[1].columns]
            one.entry.update(name=name, scale=scale, scale_changes=kept)
            if changes != kept:
                self.notes.append(f"--scale {name}:FROM-TO: in no track: add @LEFT-RIGHT, columns")
            printed = [scale, *(its for _, its in kept)]
            if any(not it.is_log and 0 < 100 * min(it[:2]) <= max(it[:2]) for it in printed):
                self.notes.append(f"--scale {name}: over decades: add :log if it is logarithmic")
            if one.track and one.entry["beyond"] > BEYOND and not any(it.columns for it in printed):
                at = "{:.0f}-{:.0f}".format(*np.nanmedian(one.sides, 0))
                said = f"{name}: {one.entry['beyond']:.0%} of its rows lie beyond its track, {at}:"
                do = "is it right (--tracks)? Or is a scale printed over several (@LEFT-RIGHT)?"
                self.notes.append(f"{said} {do}")
        scaled = {it.entry["name"] for it in found if it.entry["scale"] != Scale()}
        if lost := self._options.scales.keys() - scaled:
            what = "of that name, or in no track (--edit, --tracks; --scale NAME= ends it)"
            self.notes.append(f"--scale: no curve {', '.join(sorted(lost))} {what}")
        return found

    def write(self, found: Found, with_table: bool = True) -> None:
        """Write the files, all of them or none; without the table, the CSV stays as it is."""
        found = self._named(found)
        written: dict[str, Any] = {}  # by endings
        with ExitStack() as files:
            if with_table:
                written[TABLE] = files.enter_context(atomic_file(f"{self._stem}{TABLE}"))
                self._write_table(written[TABLE], found)
            written |= self._write_las(found, files)
            self.entries += [one.entry for one in found]
            for ending, file in written.items():
                file.seek(0)
                self.digests[ending] = file_digest(file, "sha256").hexdigest()
            self.before_rename(self.digests)
        remove_curves(self._stem, [TABLE, *written])

    def _write_table(self, file: BinaryIO, found: Found) -> None:
        """Write the CSV. With --depth, a column of depths, rounded as in the LAS, is the last."""
        options, head, form = self._options, HEAD, "%.1f,%.0f,%.0f,%.4f,%.2f,%d,%.1f,%.1f"
        depths = np.empty((self._size[0], 0))
        if options.logs:
            depths = np.array([options.depth_at(it) for it in range(self._size[0])], float).round(4)
            head, form = f"{head},depth_{options.unit}", f"{form},%.4f"
        file.write(f"# {self._said}\n{head}\n".encode("utf-8", "replace"))
        for one in found:
            points, column = one.points, one.points.column.round(1)
            left, right = np.floor(points.left.round(1)), np.ceil(points.right.round(1))
            cells = points.row, column, left, right, one.values, points.confidence, points.flags
            table = np.column_stack([*cells, one.sides, depths[points.row]])
            line = f"%d,{one.entry['name']},{one.track},{form}\n"
            text = "".join(line % tuple(row) for row in table[~np.isnan(column)].tolist())
            file.write(text.replace("nan\n", "\n").encode())

    def _write_las(self, found: Found, files: ExitStack) -> dict[str, BinaryIO]:
        """NAME.las, or for several logs NAME.1.las, NAME.2.las ...: gives them by their endings."""
        depths = self._options.logs
        logs = depths or [Interval(((0, 0), (1, 1)), (0, self._size[0] - 1))]
        valued = [(one, one.points.row[~np.isnan(one.values)]) for one in found]
        written = {}
        for ending, log in zip(self._las, logs, strict=True):
            path = Path(f"{self._stem}{ending}")
            low, high = max(0, math.ceil(log.reach[0])), min(self._size[0], int(log.reach[1]) + 1)
            here = [(one, rows[(low <= rows) & (rows < high)]) for one, rows in valued]
            here = [it for it in here if len(it[1])]
            by_length = sorted(range(len(here)), key=lambda i: -len(here[i][1]))
            kept = [here[i] for i in sorted(by_length[:MOST_CURVES])]
            if left_out := by_length[MOST_CURVES:]:
                said = f"{len(left_out):,} curves of at most {len(here[left_out[0]][1]):,} rows"
                self.notes.append(f"{said} are not in {path.name}")
            if not kept:
                self.notes.append(f"{path.name}: no curve in rows {low:,} to {high - 1:,}")
            span = np.concatenate([rows for _, rows in kept] or [np.array([low, high - 1])])
            written[ending] = files.enter_context(atomic_file(path))
            rows = np.arange(span.min(), span.max() + 1)
            self._write_log(written[ending], log, rows, [one for one, _ in kept])
        there = np.unique(np.concatenate([rows for _, rows in valued if depths] or [np.arange(0)]))
        if away := sum(self._options.depth_at(row) is None for row in there):
            said = "too far from those of --depth and not in NAME.las: give some nearer to its ends"
            said += " (ROW=DEPTH, in this order)" if away == len(there) else ""
            self.notes.append(f"{away:,} rows with curves are {said}")
        return written

    def _write_log(self, file: BinaryIO, log: Interval, rows: Indices, found: Found) -> None:
        """A LAS 2.0 of these rows of the scan, with the curves that have values in them."""
        depth, step, unit = self._options.logs, self._options.step, self._options.unit
        index = np.array([log.at(row) for row in rows.tolist()], float)
        apart, places = np.diff(index), rows.astype(float)
        if step:
            begin, end = math.ceil(index[0] / step), math.floor(index[-1] / step + 1e-9) + 1
            steps = np.arange(begin, end) * step if begin < end else index[:1]
            places, index = np.interp(steps, index, rows), steps  # the last may be 1e-9 beyond
        elif len(apart) and np.ptp(apart) < 1e-6:
            step = round(float(index[-1] - index[0]) / len(apart), 10)
        las = lasio.LASFile()
        by_row = "INDEX", "ROW", "row of the scan, from 0"  # LAS 2.0 (2017): an index but depth
        name, measure, what = ("DEPT", unit.upper(), "depth") if depth else by_row
        las.append_curve(name, [], unit=measure, descr=what)
        table, line = [index.round(4)], " %10.4f" if depth else " %10d"
        for one in found:
            values, its_unit = self._values(one, places), one.entry["scale"].unit
            if not np.isnan(values).all():
                table.append(values)
                line += " %10.5f" if its_unit == "FRAC" else " %10.7g"
                las.append_curve(one.entry["name"], [], unit=its_unit, descr=one.entry["about"])
        if lost := [one.entry["name"] for one in found if one.entry["name"] not in las.keys()]:
            self.notes.append(f"{', '.join(lost)}: no value at the depths of NAME.las (--step)")
        las.well["NULL"].value, las.well["WELL"].value = -999.25, _ascii(Path(self._scan).stem)
        las.well["SRVC"].value = f"wellseg {__version__}"
        if api := re.search(API_NUMBER, Path(self._scan).stem):
            las.well["API"].value = las.well["UWI"].value = re.sub(r"\D", "", api[0])
            las.well["API"].descr = las.well["UWI"].descr = "number in the scan's name"
        notes = [_ascii(self._said), LAS_NOTE, *self._options.scale, *self.notes]
        if depth:
            points = ", ".join(f"row {row:.10g} = {at:.10g} {unit}" for row, at in log.points)
            notes.append(f"Depth is linear between {points}, and unknown far from them.")
        las.other = "\n".join(notes)
        # A step of 0 says that it varies (LAS 2.0).
        ends = {"STRT": f"{table[0][0]:.5f}", "STOP": f"{table[0][-1]:.5f}", "STEP": step or 0.0}
        text = io.TextIOWrapper(file, "ascii", errors="replace", newline="\n")
        las.write(text, version=2.0, wrap=False, **ends)
        for row in np.column_stack(table).tolist():  # with lasio this takes ten times as long
            text.write((line % tuple(row)).replace("       nan", "   -999.25") + "\n")
        text.detach()

    def _values(self, one: PlacedCurve, places: Floats) -> Floats:
        """Of a curve, by its scale, at places given in rows: linear between two rows, NaN where one
        of them has no value, or is in a gap longer than --bridged."""
        row, known, scale = one.points.row, one.values.astype(float), one.entry["scale"]
        if self._options.bridged is not None:
            for start, stop in ranges(one.points.flags & BRIDGED > 0).tolist():
                if stop - start > self._options.bridged:
                    known[start:stop] = np.nan
        values, printed = known, [((0, math.inf), scale), *one.entry["scale_changes"]]
        for (first, last), each in printed:
            shares = known
            if each.columns:  # shares of what lies between two columns of the scan
                (left, right), (low, high) = one.sides.T, each.columns
                shares = (left + shares * (right - left) - low) / (high - low)
            values = np.where((first <= row) & (row <= last), each.at(shares), values)
        if all(each.is_log for _, each in printed):
            return np.exp(np.interp(places, row, np.log(values), np.nan, np.nan))
        return np.interp(places, row, values, np.nan, np.nan)


class CurveWriter(CurveFiles):
    """Follows the curves of one scan: ``put`` it from top to bottom, then ``finish``. Tracks that
    are not given are looked for at once, from the first row to the last."""

    def __init__(self, stem: Path, name: str, scan: Scan, options: CurveOptions) -> None:
        super().__init__(stem, name, (scan.rows, scan.columns), options)
        self._row, (self._first, self._stop) = 0, options.row_range or (0, scan.rows)
        # Few rows may show no tracks: then those of all rows are taken, maybe another log's.
        for rows in dict.fromkeys([range(self._first, self._stop), range(scan.rows)]):
            self.tracks = self.tracks or find_tracks(scan.read, rows, scan.likely_dpi)
        self._follower = CurveFollower(scan.likely_dpi, self._first, self.tracks)

    def put(self, picture: Gray, mask: Gray, probability: Gray) -> None:
        """Take the next rows, as `CurveFollower.add` does."""
        part = slice(max(0, self._first - self._row), max(0, self._stop - self._row))
        self._row += len(picture)
        if len(mask[part]):
            self._follower.add(picture[part], mask[part], probability[part])

    def finish(self) -> None:
        """Write the files of the curves found."""
        self._follower.finish()
        self.tracks = self._follower.tracks
        found = []
        for curve in self._follower.curves:
            points, curve.records = curve.points(), []  # they were for these alone
            found.append(place_curve(curve, points, *self.track_of(*points[:2]), ""))
        outside = [one.curve.rows for one in found if not one.track]
        if sum(outside) > MISSED * sum(one.curve.rows for one in found):
            what = f"no track for {len(outside)} of the curves" if self.tracks else "no tracks"
            self.notes.append(f"{what} found: values are fractions of the scan's width (--tracks)")
        self.write(found)


def _ascii(name: str) -> str:
    """A name as LAS 2.0 takes it: in one line, letters without accents and strokes."""
    plain = filterfalse(unicodedata.combining, unicodedata.normalize("NFKD", name.translate(PLAIN)))
    return " ".join("".join(plain).split()).encode("ascii", "replace").decode()

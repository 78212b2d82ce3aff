"""NAME.curves.csv: every point of every curve, for other programs, and to be corrected by hand."""

import csv
import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg.curves.options import Edit
from wellseg.curves.points import BRIDGED, UNCERTAIN, WRAPPED, Curve, Floats, Points
from wellseg.curves.strands import Indices

HEAD = """\
# row: of the scan, from 0. column: the stroke's centre in pixels, 0 the middle of the leftmost.
# left, right: the stroke's span. confidence: mean probability. flags, a sum: 1 bridged gap, 2 off
# its scale and printed a track's width to one side (value is corrected), 4 maybe another curve.
# value: 0 at the left border of the curve's track in that row, 1 at the right one: (column + 0.5 -
# track_left) / (track_right - track_left). Track 0 is the scan. Not calibrated. Rows above its
# first, below its last and in longer gaps are left out.
# With --depth also depth_ft or depth_m: empty where a row is too far from those of --depth.
# Corrected here (lines, columns, names), wellseg curves with this file makes NAME.las of it.
row,curve,track,column,left,right,value,confidence,flags,track_left,track_right"""
NUMBERS = "row track column left right value confidence flags track_left track_right".split()
FLAGS = NUMBERS.index("flags")
NEEDED = {"row", "curve", "track", "column", "track_left", "track_right"}
NAME = r"[A-Za-z0-9_]{1,60}"  # LAS 2.0: no space, full stop or colon


Tables = dict[str, NDArray[np.float64]]


class Found(NamedTuple):
    """A curve as the files have it. track: from 1; 0 for none. middle: its median column. sides:
    float32 (rows, 2), left and right border of its track, or of the scan. values: float32 (rows,),
    fractions of the track. shown: its entry in the view."""

    curve: Curve
    track: int
    middle: float
    sides: Floats
    values: Floats
    shown: dict[str, Any]


def write_table(
    file: BinaryIO,
    said: str,
    found: Sequence[Found],
    points_of: Callable[[Curve], Points],
    depths: Mapping[Any, NDArray[np.float64]],
) -> int:
    """Write the CSV; returns its number of lines. depths: of the scan's rows, by their unit."""
    head, count = "".join(f",depth_{unit}" for unit in depths), 0
    file.write(f"# {said}\n{HEAD}{head}\n".encode("utf-8", "replace"))
    for one in found:
        points, rows = points_of(one.curve), rows_of(one.curve)
        column, at_rows = points.column.round(1), [at[rows] for at in depths.values()]
        cells = rows, column, points.left, points.right, one.values, points.confidence
        table = np.stack([*cells, points.flags, *one.sides.T, *at_rows], 1)[~np.isnan(column)]
        count += len(table)
        line = f"%d,{one.shown['name']},{one.track},%.1f,%.0f,%.0f,%.4f,%.2f,%d,%.1f,%.1f"
        line += ",%.4f" * len(depths) + "\n"
        file.write(
            "".join(line % tuple(row) for row in table.tolist()).replace("nan\n", "\n").encode()
        )
    return count


def read_table(
    path: Path,
    size: tuple[int, int],
    known: Mapping[str, Mapping[str, Any]],
    edits: Sequence[Edit] = (),
) -> dict[str, tuple[Curve, Points, int, Floats]]:
    """Curves of a CSV, perhaps corrected, by their names: curve, points, track and its borders.

    size: rows and columns of the scan. known: what ``shown`` said of curves, by their names: styles
    and colours are not in the CSV. edits: they are all made at once. Raises ValueError, with the
    line, or the curve and its row."""
    flat: dict[str, array[float]] = {}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        csv.field_size_limit(1 << 30)  # a file that is no CSV has no column names: that is told
        lines = csv.reader(line.replace("\0", "") for line in file)
        told = (cells for cells in lines if any(cells) and not cells[0].startswith("#"))
        names = next(told, [])
        if missing := sorted(NEEDED - {*names}):
            do = "save it with commas between the cells, and with this line of names"
            raise ValueError(f"{path}: no column {', '.join(missing)}: {do}")
        where = names.index("curve")
        places = [names.index(name) if name in names else len(names) for name in NUMBERS]
        for cells in told:
            cells += [""] * (len(names) + 1 - len(cells))
            try:
                numbers = [float(cells[at] or "nan") for at in places]
            except ValueError:
                raise ValueError(f"{path}: line {lines.line_num:,}: a cell is no number") from None
            flat.setdefault(cells[where].strip(), array("d")).extend(numbers)
    tables = {name: np.array(cells).reshape(-1, len(NUMBERS)) for name, cells in flat.items()}
    like = {edit.becomes: edit.curve for edit in edits} | {name: name for name in tables}
    tables = _edited(path, tables, edits)
    looks = {name: known.get(name) or known.get(like[name], {}) for name in tables}
    return {name: _curve(path, name, it, size, looks[name]) for name, it in tables.items()}


def _edited(path: Path, tables: Tables, edits: Sequence[Edit]) -> Tables:
    """Tables by names of curves, in which the rows of each edit have become another curve's."""
    left = {name: np.ones(len(table), bool) for name, table in tables.items()}
    moved = {name: [table] for name, table in tables.items()}
    for curve, first, last, becomes in edits:
        if curve not in tables:
            has = ", ".join(tables) or "none"
            raise ValueError(f"--edit: there is no curve {curve} in {path}; it has {has}")
        table = tables[curve]
        here = (first <= table[:, 0]) & (table[:, 0] <= last)
        if not (here & left[curve]).any() or (here & ~left[curve]).any():
            what = "is in two edits" if here.any() else f"has no rows {first:,.0f} to {last:,.0f}"
            raise ValueError(f"--edit: curve {curve} {what}")
        left[curve] &= ~here
        moved.setdefault(becomes, []).append(table[here])
    for name, table in tables.items():
        moved[name][0] = table[left[name]]
    for name, (own, *others) in moved.items():
        if others:  # in a row of both, ink goes before a bridged gap, and what was there before
            table = np.concatenate([own, *others])
            bridged = np.nan_to_num(table[:, FLAGS]) % 2 == 1
            order = np.lexsort((bridged, table[:, 0]))
            moved[name] = [table[order][np.unique(table[order, 0], return_index=True)[1]]]
    return {name: table for name, (table,) in moved.items() if name and len(table)}


def _curve(
    path: Path,
    name: str,
    table: NDArray[np.float64],
    size: tuple[int, int],
    known: Mapping[str, Any],
) -> tuple[Curve, Points, int, Floats]:
    if not re.fullmatch(NAME, name) or name in ("DEPT", "INDEX"):
        raise ValueError(f"{path}: curve {name!r}: a name has letters A to Z, digits and _ alone")
    table = table[np.argsort(table[:, 0], kind="stable")]
    row, track, column, left, right, value, confidence, flags, *sides = table.T
    before = np.roll(row, 1)
    before[0] = -1
    wrong = {
        "is not a row of the scan": (row < 0) | (row >= size[0]) | (row % 1 != 0) | np.isnan(row),
        "is there twice": row == before,
        "has a column that is not on the scan": ~((column >= -0.5) & (column <= size[1])),
        "has no left border of its track, or none to the right of it": ~(sides[0] < sides[1]),
        "has no track": ~(track >= 0) | (track % 1 != 0),
    }
    for what, where in wrong.items():
        if where.any():
            raise ValueError(f"{path}: curve {name}: row {row[where][0]:,.10g} {what}")
    first, rows = int(row[0]), int(row[-1] - row[0]) + 1
    here = row.astype(int) - first
    wide, bits = sides[1] - sides[0], np.nan_to_num(flags).clip(0, 255).astype(np.uint8)
    aside = value - (column + 0.5 - sides[0]) / wide
    turns = np.where((bits & WRAPPED > 0) & (abs(aside) < 9), np.rint(aside), 0)
    filled = np.full((6, rows), np.nan, np.float32)
    filled[:, here] = column, np.fmin(left, column), np.fmax(right, column), confidence, *sides
    all_bits = np.zeros(rows, np.uint8)
    all_bits[here] = bits
    inked = ~np.isnan(filled[0]) & (all_bits & BRIDGED == 0)
    curve = Curve(first, rows, known.get("style", "solid"))
    width = np.nanmedian([*(right - left)[inked[here]], 0]) + 1
    curve.look[1] = (known.get("width_px", width) + 1) / 2
    curve.look[3:6] = known.get("colour") or (0, 0, 0)
    curve.uncertain = row[bits & UNCERTAIN > 0].astype(int).tolist()
    off = np.flatnonzero(turns)
    curve.off_scale = [(int(row[i]), int(row[i]) + 1, float(turns[i] * wide[i])) for i in off]
    curve.wraps = [(at, 0.0) for start, stop, _ in curve.off_scale for at in (start, stop)]
    column, left, right, confidence = filled[:4]
    points = Points(column, left, right, np.nan_to_num(confidence), all_bits, inked)
    return curve, points, int(np.median(track)), filled[4:].T


def found_of(curve: Curve, points: Points, track: int, sides: Floats, name: str = "") -> Found:
    """What the files say of a curve. sides: borders of its track, in each of its rows. name: none:
    it gets one from its track, order and style.

    Columns and borders are rounded as in the CSV: from it come the same values."""
    column, sides = points.column.round(1), sides.astype(np.float32).round(1)
    wide = sides[:, 1] - sides[:, 0]
    values = (column + np.float32(0.5) - sides[:, 0]) / wide + np.rint(curve.set_back() / wide)
    seen, rows = ~np.isnan(column), rows_of(curve)
    path = np.stack([column, rows - rows[0]], 1).astype(np.float32)[seen]
    on_ink = points.flags[seen] & BRIDGED == 0
    confidence = float(points.confidence[seen][on_ink].mean()) if on_ink.any() else 0.0
    width = round(curve.width_px, 1)
    about = [f"{width:.0f} px"]
    about += ["#{:02x}{:02x}{:02x}".format(*curve.colour)] if curve.colour else []
    about += [f"confidence {confidence:.2f}", f"{100 * (~on_ink).mean():.0f} % bridged"]
    apart = np.isin(rows[seen][1:], [row for row, _ in curve.wraps])
    parts = np.split(path[:, None], np.flatnonzero(apart | (np.diff(path[:, 1]) > 1)) + 1)
    few = [cv2.approxPolyDP(part, 0.8, False) + np.array([0.5, rows[0]]) for part in parts]
    shown = {
        "name": name,
        "track": track,
        "style": curve.style,
        "width_px": width,
        "colour": curve.colour,
        "rows": rows[[0, -1]].tolist(),
        "confidence": round(confidence, 2),
        "about": ", ".join(about),
        "uncertain": curve.uncertain,
        "lines": [np.rint(line).astype(int).ravel().tolist() for line in few],  # within a pixel
    }
    middle = float(np.median(path[:, 0]))
    return Found(curve, track, middle, sides, values.astype(np.float32), shown)


def rows_of(curve: Curve) -> Indices:
    return np.arange(curve.first_row, curve.first_row + curve.rows)

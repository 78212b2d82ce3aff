"""Curves of a NAME.curves.csv that was corrected: by hand in any program, or with --edit."""

import csv
import re
import time
from array import array
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from wellseg.curves.files import CurveFiles
from wellseg.curves.points import BRIDGED, UNCERTAIN, WRAPPED, Curve, Points, Style, place_curve
from wellseg.curves.tracks import Tracks
from wellseg.review.options import CurvesConfig, Edit
from wellseg.scan.atomic import encoding_of, separator_of, write_file
from wellseg.scan.files import Size

NUMBERS = "row track column left right value confidence flags track_left track_right".split()
ROW, TRACK, COLUMN, LEFT, RIGHT, VALUE, CONFIDENCE, FLAGS = range(8)
SIDES, PART, MORE = slice(8, 10), 10, -1  # of a line as corrected: its part; tracks off, as said
NEEDED = {"row", "curve", "track", "column", "track_left", "track_right"}
NAME = r"[A-Za-z0-9_]{1,60}"  # LAS 2.0: no space, full stop or colon
INDICES = "DEPT", "DEPTH", "TIME", "INDEX"  # the only names of an index there
SAID, MOVED = WRAPPED | 8, 16  # flags, as --edit says: off its scale; drawn, or another's before
Lines = NDArray[np.float64]  # of the CSV, (lines, NUMBERS)
Tables = dict[str, Lines]
Parts = list[tuple[str, Lines]]  # of a curve as corrected: whose they were; lines
ToPlace = tuple[Curve, Points, int, NDArray[np.float32]]  # for `place_curve`: track, borders


def curves_of_table(
    given: Path, stem: Path, config: CurvesConfig, drawn: Parts, by_hand: bool
) -> tuple[CurveFiles, Callable[[], None]]:
    """The files that are made of a CSV, and what writes them.
    drawn: strokes, as `follow_strokes` gives them. by_hand: the CSV was corrected, and stays as it
    is but for edits, which leave a copy. Raises ValueError: what is wrong, and where."""
    report, edits, new_tracks = config.report, config.edits, config.new_tracks
    made = CurveFiles(stem, str(report.get("scan", stem.name)), config.size, config, given)
    stays = by_hand and stem.parent == given.parent and not (edits or drawn)
    if stays and new_tracks:
        raise ValueError(f"--tracks: {given} was corrected and stays as it is: change tracks there")
    with suppress(ValueError, TypeError, AttributeError):  # the report was edited by hand
        borders = np.reshape(report.get("track_borders", []), (-1, 2)).astype(float)
        if not new_tracks and len(borders):
            made.tracks = Tracks(np.zeros(1), borders[None], np.inf)
    lines = read_table(given)
    for name, stroke in drawn:
        _draw(lines, name, stroke)
    said = len(made.notes)  # of depths
    tables = _edited(given, lines, edits, made.notes)
    if edits and len(made.notes) - said == len(edits) and not drawn:
        raise ValueError(f"--edit: {made.notes[-1]}: nothing would change")
    if lost := config.new_scales - tables.keys():
        has = ", ".join(tables) or "none"
        raise ValueError(f"--scale: there is no curve {min(lost)} in {given}; it has {has}")
    looks = dict[str, Any]()
    for one in report.get("curve_list", []):
        match one:  # no other entry was made here: the report was edited by hand
            case {"width_px": int() | float(), "colour": None | [int(), int(), int()]}:
                if one.get("style") in get_args(Style):
                    looks[str(one.get("name"))] = one
    found = []
    for name, parts in tables.items():
        parts = [(of, np.insert(part, PART, i, axis=1)) for i, (of, part) in enumerate(parts)]
        main = max(parts, key=lambda part: (part[0] in looks, len(part[1])))
        table = _joined(name, parts, made.notes)
        _give_borders(table, lines, made)
        if len(parts) > 1:
            table = _as_one(name, table, main[1][0, PART], [] if new_tracks else made.notes)
        if new_tracks:
            turns = _turns(table)[1]
            table[:, TRACK], table[:, SIDES] = made.track_of(table[:, ROW], table[:, COLUMN])
            table[:, VALUE] = _turns(table)[0] + turns
        _leave_scale(name, table)  # last: what the user says of a stretch holds
        placed = _curve(given, name, table, config.size, looks.get(main[0], {}))
        found.append(place_curve(*placed, name))
    for name in tables:
        if same := [other for other in tables if other != name and other.lower() == name.lower()]:
            raise ValueError(f"{given}: curves {name} and {same[0]}: one name in a LAS")

    def write() -> None:
        if (edits or drawn) and stem.parent == given.parent:
            aside = Path(f"{given}.{time.time_ns()}.bak" if by_hand else f"{given}.before")
            write_file(aside, given.read_bytes())
            if by_hand:
                made.notes.append(f"{given} as you had it is {aside.name}")
        made.write(found, with_table=not stays)

    return made, write


def read_table(path: Path) -> Tables:
    """Lines of a CSV, perhaps corrected, by the name of their curve: NUMBERS, NaN where empty.
    A spreadsheet may have put ; or tabs between the cells, and decimal commas, and a byte-order
    mark. Raises ValueError, with the curve and its row."""
    csv.field_size_limit(1 << 30)  # a file that is no CSV has no column names: that is told
    flat: dict[str, array[float]] = {}
    with path.open(encoding=encoding_of(path), errors="replace", newline="") as file:
        told = (it for it in file if it.strip(" ,;\t\r\n") and not re.match(' *"?(#|sep=)', it))
        head = next(told, "")
        between = separator_of(head)
        names = [it.strip().lower() for it in next(csv.reader([head], delimiter=between), [])]
        if missing := sorted(NEEDED - {*names}):
            raise ValueError(f"{path}: no column {', '.join(missing)}: save it as CSV, names first")
        decimal_sign = "." if between == "," else ","
        for cells in csv.DictReader(told, names, restval="", delimiter=between):
            given = (cells.get(name, "").replace(decimal_sign, ".") for name in NUMBERS)
            try:
                numbers = [float(cell or "nan") for cell in given]
            except ValueError as error:
                here = f"curve {cells['curve']}, row {cells['row']}"
                raise ValueError(f"{path}: {here}: {error!s:.90}") from None
            flat.setdefault(cells["curve"].strip(), array("d")).extend(numbers)
    return {name: np.array(cells).reshape(-1, len(NUMBERS)) for name, cells in flat.items()}


def _edited(path: Path, tables: Tables, edits: list[Edit], notes: list[str]) -> dict[str, Parts]:
    """The parts of the curves as corrected, by their names."""
    tables = {name: np.pad(table, ((0, 0), (0, 1))) for name, table in tables.items()}  # MORE
    left = {name: np.ones(len(table), bool) for name, table in tables.items()}
    moved: dict[str, Parts] = {name: [] for name in tables}
    for curve, first, last, becomes in sorted(edits, key=lambda it: isinstance(it.becomes, str)):
        if curve not in tables:
            has = ", ".join(tables) or "none"
            raise ValueError(f"--edit: there is no curve {curve} in {path}; it has {has}")
        table = tables[curve]
        here = (first <= table[:, ROW]) & (table[:, ROW] <= last)
        if not here.any():
            notes.append(f"curve {curve} has no rows {first:,.0f} to {last:,.0f}")
        if isinstance(becomes, int):
            table[here, MORE] += becomes
            continue
        if (here & ~left[curve]).any():
            raise ValueError(f"--edit: rows of curve {curve} are in two edits")
        left[curve] &= ~here
        moved.setdefault(becomes, []).append((curve, table[here]))
    for name, table in tables.items():
        moved[name].insert(0, (name, table[left[name]]))
    moved = {name: [it for it in parts if len(it[1])] for name, parts in moved.items()}
    return {name: parts for name, parts in moved.items() if parts and (name or name in tables)}


def _turns(table: Lines) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where in its track each row is printed, as a fraction; how many tracks to the right it is."""
    (column, value, flags), (left, right) = table[:, [COLUMN, VALUE, FLAGS]].T, table[:, SIDES].T
    share = (column + 0.5 - left) / (right - left)
    off = np.nan_to_num(flags).astype(int) & WRAPPED > 0
    return share, np.where(off & (abs(value - share) < 9), np.rint(value - share), 0)


def _leave_scale(name: str, table: Lines) -> None:
    """Rows that edits say so of are so many tracks further to the right of where they are."""
    here = np.flatnonzero(table[:, MORE])
    if (table[here, TRACK] == 0).any():
        raise ValueError(f"--edit: {name} is in no track: it cannot be off its scale")
    (share, turns), bits = _turns(table[here]), np.nan_to_num(table[here, FLAGS]).astype(int)
    turns += table[here, MORE]
    if (abs(turns) > 8).any():  # perhaps by what earlier commands said
        raise ValueError(f"--edit: {name} would be more than 8 tracks off its scale")
    table[here, VALUE] = share + turns
    table[here, FLAGS] = np.where(turns != 0, bits | SAID, bits & ~SAID)


def _draw(lines: Tables, name: str, stroke: Lines) -> None:
    """Put a stroke in the place of what the curve had in its rows. It has no borders yet."""
    table = np.full((len(stroke), len(NUMBERS)), np.nan)
    table[:, [ROW, COLUMN, LEFT, RIGHT, CONFIDENCE, FLAGS]] = stroke
    before = lines.get(name, table[:0])
    kept = before[~((stroke[0, 0] <= before[:, ROW]) & (before[:, ROW] <= stroke[-1, 0]))]
    lines[name] = np.concatenate([kept, table])


def _give_borders(table: Lines, lines: Tables, made: CurveFiles) -> None:
    """Give rows that were drawn the track and the borders of the curve's nearest row that has them;
    where all of it was drawn, those of the nearest row of any curve whose track it lies in."""
    is_new = np.isnan(table[:, TRACK]) & np.isnan(table[:, SIDES]).all(1)
    row, column, near = table[is_new, ROW], table[is_new, COLUMN], table[~is_new]
    if not len(near):
        middle, near = np.median(column) + 0.5, np.concatenate([*lines.values()])
        near = near[(near[:, TRACK] > 0) & (near[:, -2] <= middle) & (middle <= near[:, -1])]
    if len(near):
        near = near[np.argsort(near[:, ROW], kind="stable")]
        nearest = near[np.rint(np.interp(row, near[:, ROW], np.arange(len(near)))).astype(int)]
        table[is_new, TRACK], table[is_new, SIDES] = nearest[:, TRACK], nearest[:, SIDES]
    else:
        table[is_new, TRACK], table[is_new, SIDES] = made.track_of(row, column)


def _joined(name: str, parts: Parts, notes: list[str]) -> Lines:
    """Lines of one curve by row. Of a stretch that two parts have, those of the part with more ink
    there are kept, of equal ones the first: a choice row by row would jump between curves."""
    table = parts[0][1]
    for of, other in parts[1:]:
        both, at, at_other = np.intersect1d(table[:, ROW], other[:, ROW], return_indices=True)
        stretch = np.cumsum(np.diff(both, prepend=both[:1]) > 1)
        inked = [np.nan_to_num(it[:, FLAGS]) % 2 == 0 for it in (table[at], other[at_other])]
        ink, ink_other = (np.bincount(stretch, it) for it in inked)
        one, two = (np.sort(it)[(it >= 0).sum() // 2] for it in (table[:, TRACK], other[:, TRACK]))
        rows, shorter = sum(inked[0] & inked[1]), min(len(table), len(other))
        if abs(one - two) > 0 and 2 * rows > shorter:
            said = f"both have ink in {rows:,} rows, in tracks {one:g} and {two:g}"
            raise ValueError(f"--edit: curves that would be joined as {name} {said}")
        is_other = (ink_other > ink)[stretch]
        table, other = np.delete(table, at[is_other], 0), np.delete(other, at_other[~is_other], 0)
        table = np.concatenate([table, other])
        if len(both):
            said = f"{name}: the curves joined in it overlap in {len(both):,} rows"
            notes.append(f"{said}: in {is_other.sum():,} {of} was taken, as it has more ink there")
    return table[np.argsort(table[:, ROW], kind="stable")]


def _as_one(name: str, table: Lines, own_part: int, notes: list[str]) -> Lines:
    """Lines of joined curves. A piece of another curve that was off that one's scale may be on this
    one's: where it is nearer, by half a track in all, to what is beside it, and nobody said that it
    is off. One in no track, or between the borders of most of this one, is in its track; where most
    of it lies in none, all does."""
    row, track, column, _, _, value, _, flags, left, right, part, more = table.T  # views of table
    at, (share, turns) = column + 0.5, _turns(table)
    value[:] = share + turns  # strokes, and lines by hand, have none, or that of another place
    bits = np.nan_to_num(flags).astype(int)
    flags[:] = np.where(part == own_part, flags, bits | MOVED)
    off = (bits & SAID == WRAPPED) & (part != own_part) & (more == 0)
    for start, stop in np.flatnonzero(np.diff(np.pad(off, 1))).reshape(-1, 2):
        ends = [it for it in ((start, start - 1), (stop - 1, stop)) if 0 <= it[1] < len(off)]
        by_share = sum(abs(share[end] - value[beside]) for end, beside in ends)
        by_value = sum(abs(value[end] - value[beside]) for end, beside in ends)
        if by_share + 0.5 < by_value and any(part[end] != part[beside] for end, beside in ends):
            value[start:stop], flags[start:stop] = share[start:stop], flags[start:stop] - WRAPPED
            notes.append(f"{name}: rows {row[start]:.0f}-{row[stop - 1]:.0f} are on its scale now")
    tracks, counts = np.unique(track, return_counts=True)
    own = track == (most := tracks[counts.argmax()])
    low, high = (np.interp(row, row[own], side[own]) for side in (left, right))
    here = ~own & ((low <= at) & (at <= high) | (track == 0))
    track[here], left[here], right[here] = most, low[here], high[here]
    flags[here] -= flags[here] // WRAPPED % 2 * WRAPPED
    tracks = np.unique(track[track > 0])
    if len(tracks) > 1:
        said = " and ".join(f"{number:g}" for number in tracks)
        notes.append(f"{name} lies in tracks {said}: it has its values by the borders of each")
    return table


def _curve(path: Path, name: str, table: Lines, size: Size, known: Mapping[str, Any]) -> ToPlace:
    """A curve of its lines by row. known: its entry in the report, or {}. Raises ValueError."""
    if not re.fullmatch(NAME, name) or name.upper() in INDICES:
        rule = "a name has letters A to Z, digits and _, 60 at most, and is not that of a depth"
        raise ValueError(f"{path}: curve {name!r}, row {table[0, ROW]:,.10g}: {rule}")
    row, track, column, left, right, value, confidence, flags, *sides, _, _ = table.T
    wrong = {
        "is not a row of the scan": ~((row >= 0) & (row < size[0]) & (row == np.floor(row))),
        "is there twice: take one out, or join curves with --edit": np.diff(row, prepend=-1) == 0,
        "has a column that is not on the scan": ~((column >= -0.5) & (column <= size[1])),
        "has track_left and track_right that are no borders": ~(sides[0] + 1 <= sides[1])
        | ~(np.abs(sides) < 1e6).all(0),
        "has a track that is not 0 to 99": ~np.isin(track, range(100)),
        "has flags that are not 0 to 31": ~np.isin(np.nan_to_num(flags), range(32)),
        "is off its scale (flag 2) and has no value": (flags // 2 % 2 == 1) & np.isnan(value),
    }
    for what, where in wrong.items():
        if where.any():
            raise ValueError(f"{path}: curve {name}: row {row[where][0]:,.10g} {what}")
    first, rows = int(row[0]), int(row[-1] - row[0]) + 1
    here = row.astype(int) - first
    bits, (share, turns) = np.zeros(rows, np.uint8), _turns(table)
    bits[here] = np.nan_to_num(flags)
    filled = np.full((6, rows), np.nan, np.float32)
    filled[:, here] = column, np.fmin(left, column), np.fmax(right, column), confidence, *sides
    inked = ~np.isnan(filled[0]) & (bits & BRIDGED == 0)
    curve = Curve(first, rows, known.get("style"))
    width = np.nanmedian([*(right - left)[inked[here]], 0]) + 1
    half, paint = (known.get("width_px", width) + 1) / 2, known.get("colour") or (0, 0, 0)
    curve.look[1:6] = half, 1, *paint  # a look's entries: points.py
    off, wide = np.flatnonzero(turns), sides[1] - sides[0]
    curve.off_scale = [(int(row[i]), int(row[i]) + 1, float(turns[i] * wide[i])) for i in off]
    # Strokes end where it leaves its scale or comes back, and where it may do so.
    leaps = abs(np.diff(share, prepend=share[0])) > np.where(bits[here] & UNCERTAIN, 0.5, np.inf)
    curve.wraps = [(int(at), 0.0) for at in row[leaps | (np.diff(turns, prepend=0) != 0)]]
    every, (column, left, right, sure) = np.arange(first, first + rows), filled[:4]
    curve.uncertain = every[bits & UNCERTAIN > 0].tolist()
    points = Points(every, column, left, right, np.nan_to_num(sure).clip(0, 1), bits, inked)
    return curve, points, int(np.sort(track)[len(track) // 2]), filled[4:].T

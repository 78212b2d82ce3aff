"""NAME.curves.csv: every point of every curve, for other programs, and to be corrected by hand."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, BinaryIO, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg.curves.points import BRIDGED, Curve, Floats, Points

HEAD = """\
# row: of the scan, from 0. column: the stroke's centre, of a spike its tip; pixels, 0 the middle of
# the leftmost. left, right: its span. confidence: mean probability. flags, a sum: 1 in a bridged
# gap, 2 off its scale and printed a track's width to one side (value is corrected), 4 maybe another
# curve. value: 0 at the left border of the curve's track in that row, 1 at the right one: (column +
# 0.5 - track_left) / (track_right - track_left). Track 0 is the scan. Rows above the curve's first,
# below its last and in longer gaps are left out.
# Corrected here (lines, columns, names), wellseg curves with this file makes NAME.las of it.
row,curve,track,column,left,right,value,confidence,flags,track_left,track_right"""


class PlacedCurve(NamedTuple):
    """A curve as the files have it. track: from 1; 0 for none. middle: its median column. sides:
    float32 (rows, 2), left and right border of its track, or of the scan. values: float32 (rows,),
    fractions of the track. entry: what report and view say of it."""

    curve: Curve
    points: Points
    track: int
    middle: float
    sides: Floats
    values: Floats
    entry: dict[str, Any]

    def shares_of(self, columns: Sequence[float]) -> Floats:
        """values as fractions of what lies between two columns of the scan, its own scale's."""
        left, right = self.sides.T
        share = (left + self.values * (right - left) - columns[0]) / (columns[1] - columns[0])
        return np.asarray(share, np.float32)


def write_table(
    file: BinaryIO, said: str, found: Sequence[PlacedCurve], depths: Mapping[Any, NDArray[Any]]
) -> None:
    """Write the CSV. depths: of the scan's rows, by their unit."""
    head = "".join(f",depth_{unit}" for unit in depths)
    file.write(f"# {said}\n{HEAD}{head}\n".encode("utf-8", "replace"))
    for one in found:
        points, at_rows = one.points, [at[one.points.row] for at in depths.values()]
        column = points.column.round(1)
        cells = points.row, column, points.left, points.right, one.values, points.confidence
        table = np.stack([*cells, points.flags, *one.sides.T, *at_rows], 1)[~np.isnan(column)]
        line = f"%d,{one.entry['name']},{one.track},%.1f,%.0f,%.0f,%.4f,%.2f,%d,%.1f,%.1f"
        line += ",%.4f" * len(depths) + "\n"
        text = "".join(line % tuple(row) for row in table.tolist())
        file.write(text.replace("nan\n", "\n").encode())


def place_curve(
    curve: Curve, points: Points, track: int, sides: Floats, name: str = ""
) -> PlacedCurve:
    """What the files say of a curve. sides: borders of its track, in each of its rows. name: none:
    it gets one from its track, order and style.

    Columns and borders are rounded as in the CSV: from it come the same values."""
    column, sides = points.column.round(1), sides.astype(np.float32).round(1)
    wide = sides[:, 1] - sides[:, 0]
    share = (column + np.float32(0.5) - sides[:, 0]) / wide
    turns = np.nan_to_num(np.rint(curve.set_back() / wide))  # a CSV has no sides in gaps
    seen, rows = ~np.isnan(column), points.row
    beyond = round(float((abs(share[seen] - 0.5) > 0.52).mean()), 2)
    bends = pairwise(np.flatnonzero(np.diff(np.pad(turns, 1))).tolist())
    off = [[int(rows[i]), int(rows[k - 1]), int(turns[i])] for i, k in bends if turns[i]]
    path = np.stack([column, rows - rows[0]], 1).astype(np.float32)[seen]
    bridged = points.flags[seen] & BRIDGED > 0
    sure = 0.0 if bridged.all() else float(points.confidence[seen][~bridged].mean())
    width, middle = round(curve.width_px, 1), float(np.median(path[:, 0]))
    colour = ", #{:02x}{:02x}{:02x}".format(*curve.colour) if curve.colour else ""
    about = f"{width:.0f} px{colour}, confidence {sure:.2f}, {100 * bridged.mean():.0f} % bridged"
    apart = np.isin(rows[seen][1:], [row for row, _ in curve.wraps])
    parts = np.split(path[:, None], np.flatnonzero(apart | (np.diff(path[:, 1]) > 1)) + 1)
    edges = np.stack(np.broadcast_arrays(sides.T - 0.5, rows - rows[0]), 2).astype(np.float32)
    few = [cv2.approxPolyDP(it, 0.8, False) + np.array([0.5, rows[0]]) for it in [*parts, *edges]]
    lines = [np.rint(line).astype(int).ravel().tolist() for line in few]  # within a pixel
    entry = {"name": name, "track": track, "style": curve.style, "width_px": width, "about": about}
    entry |= {"colour": curve.colour, "rows": rows[[0, -1]].tolist()}
    entry |= {"uncertain": sorted({*curve.uncertain}), "confidence": round(sure, 2)}
    entry |= {"lines": lines[:-2], "borders": lines[-2:]}
    entry |= {"beyond": beyond, "off": off}  # share of rows; rows printed so many tracks aside
    values = (share + turns).astype(np.float32)
    return PlacedCurve(curve, points, track, middle, sides, values, entry)

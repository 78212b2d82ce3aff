"""Scores of whole curves: does one followed curve lie on one printed curve, from top to bottom?

All are taken in the rows of the printed curves. A printed curve has a span in each row (a spike is
a span); a followed one is right where its column is within TOLERANCE_PX and half the stroke of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

TOLERANCE_PX = 3.0
LEAST_ROWS = 20
"""Printed curves of fewer rows are not scored; nor is a follower that lies on one in fewer."""
WHOLE = 0.95
"""A curve is whole if one followed curve is right in so much of its rows."""
CLEAR_ROWS = 8
"""Two curves touch where they come close and are apart in so many rows above and below."""
SURE_ROWS = 10
"""A followed curve goes over to another printed one where it lies on it in so many rows."""
MOST_DB = 40.0

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Printed:
    """A printed curve: the rows in which it is scored, rising; the span of its centre line in each,
    in columns; the width of its stroke, pixels."""

    rows: NDArray[np.int64]
    low: Floats
    high: Floats
    width: float


@dataclass(frozen=True)
class IdentityScores:
    """Of one log, or of several together (see `total`)."""

    printed_rows: int = 0
    followed_rows: int = 0
    right_rows: int = 0
    """Of the followed curves that are each given one printed curve, so that most are right."""
    curves: int = 0
    whole: int = 0
    pieces: int = 0
    """Followed curves that lie on some printed one."""
    crossings: int = 0
    crossings_right: int = 0
    bounces: int = 0
    bounces_right: int = 0
    edits: int = 0
    """Cuts, joins and deletions that would turn the followed curves into the printed ones."""
    depth_rows: int = 0
    """Rows of the log in which there is a printed curve."""
    snr_db: tuple[float, ...] = ()
    """Of each printed curve: variance over mean square error, where nothing follows interpolated;
    at most MOST_DB, 0 if nothing follows it at all."""
    error_px: tuple[float, ...] = ()
    """Of each row that is followed: columns from the followed to the printed centre, or span."""
    error_inches: tuple[float, ...] = ()
    """The same, where the scan says its dpi."""

    @property
    def idf1(self) -> float:
        """Right rows over the mean of printed and followed ones (Ristani et al. 2016); 1 if there
        are neither."""
        rows = self.printed_rows + self.followed_rows
        return 2 * self.right_rows / rows if rows else 1.0

    @property
    def touches_right(self) -> float:
        """Share of crossings and bounces after which both curves are still themselves; NaN without
        any."""
        count = self.crossings + self.bounces
        return (self.crossings_right + self.bounces_right) / count if count else float("nan")

    @property
    def edits_per_1000_rows(self) -> float:
        """Of depth."""
        return 1000 * self.edits / max(1, self.depth_rows)


def printed_curves(
    label: dict[str, Any],
) -> tuple[list[Printed], tuple[int, int, int, int], list[list[int]]]:
    """The curves of a label, its region, and what is ignored in it, both as row from and to, column
    from and to. label: as read from labels/NAME.json; `whole`, else `curves`, has each curve's
    path, (column, row) pixels, and width."""
    top, bottom, left, right = label["region"]
    ignored = label.get("ignore", [])
    curves = []
    for curve in label.get("whole") or label["curves"]:
        columns, rows = np.array(curve["path"], float).reshape(-1, 2).T
        inside = _scored(rows, columns, (top, bottom, left, right), ignored)
        known, place = np.unique(rows[inside].astype(np.int64), return_inverse=True)
        low, high = np.full(len(known), np.inf), np.full(len(known), -np.inf)
        np.minimum.at(low, place, columns[inside])
        np.maximum.at(high, place, columns[inside])
        if len(known) >= LEAST_ROWS:
            curves.append(Printed(known, low, high, float(curve["width"])))
    return curves, (top, bottom, left, right), ignored


def score_identity(
    label: dict[str, Any], followed: Sequence[tuple[int, Floats]], dpi: float | None = None
) -> IdentityScores:
    """Score the curves of one log. followed: first row and columns, NaN where missing, of each.
    label: as `printed_curves` reads it."""
    printed, region, ignored = printed_curves(label)
    first, stop = region[:2]
    columns = np.full((len(followed), stop - first), np.nan)
    for line, (row, points) in zip(columns, followed, strict=True):
        a, b = max(first, row), min(stop, row + len(points))
        if a < b:
            line[a - first : b - first] = points[a - row : b - row]
    rows = np.broadcast_to(np.arange(first, stop), columns.shape)
    columns[~_scored(rows, columns, region, ignored)] = np.nan
    low, high = np.full((2, len(printed), stop - first), np.nan)
    for i, curve in enumerate(printed):
        low[i, curve.rows - first], high[i, curve.rows - first] = curve.low, curve.high
    # hit[i, j, row]: followed curve j is on printed curve i.
    reach = np.array([TOLERANCE_PX + curve.width / 2 for curve in printed])[:, None, None]
    off = np.maximum(low[:, None] - columns, columns - high[:, None])
    hit = off <= reach
    hits = hit.sum(2)
    pairs = list(zip(*linear_sum_assignment(-hits), strict=True)) if hits.size else []
    there = ~np.isnan(low)
    touches = _touches(low, high, hit, [curve.width for curve in printed])
    snr = np.zeros(len(printed))
    errors: list[float] = []
    for i, j in pairs:
        if hits[i, j]:
            known = there[i] & ~np.isnan(columns[j])
            errors += np.maximum(off[i, j, known], 0).tolist()
            snr[i] = _snr(low[i, there[i]], high[i, there[i]], columns[j, there[i]])
    return IdentityScores(
        printed_rows=int(there.sum()),
        followed_rows=int((~np.isnan(columns)).sum()),
        right_rows=int(sum(hits[i, j] for i, j in pairs)),
        curves=len(printed),
        whole=int((hits >= WHOLE * there.sum(1)[:, None]).any(1).sum()) if hits.size else 0,
        pieces=int((hits > LEAST_ROWS).any(0).sum()) if hits.size else 0,
        **touches,
        edits=_edits(hit, ~np.isnan(columns)),
        depth_rows=int(there.any(0).sum()),
        snr_db=tuple(snr.tolist()),
        error_px=tuple(errors),
        error_inches=tuple(error / dpi for error in errors) if dpi else (),
    )


def total(scores: Sequence[IdentityScores]) -> IdentityScores:
    """All logs as one."""
    names = IdentityScores.__dataclass_fields__
    sums: dict[str, Any] = {}
    for name in names:
        values = [getattr(one, name) for one in scores]
        sums[name] = sum(values, type(values[0])())
    return IdentityScores(**sums)


def identity_table(scores: dict[str, IdentityScores]) -> tuple[list[str], list[list[str]]]:
    """Headings, and a line for each log and one for all."""
    headings = ["log", "IDF1", "whole", "pieces", "crossings right", "bounces right", "SNR dB"]
    headings += ["error px, p95", "error in, p95", "edits/1000 rows"]
    lines = []
    for name, one in {**scores, "all": total(list(scores.values()))}.items():
        idf1 = one.idf1 if name != "all" else float(np.mean([o.idf1 for o in scores.values()]))
        edits = [o.edits_per_1000_rows for o in scores.values()]
        per_1000 = one.edits_per_1000_rows if name != "all" else float(np.median(edits))
        cells = [name, f"{idf1:.3f}", f"{one.whole}/{one.curves}", str(one.pieces)]
        cells += [f"{one.crossings_right}/{one.crossings}", f"{one.bounces_right}/{one.bounces}"]
        cells.append(f"{np.median(one.snr_db):.1f}" if one.snr_db else "")
        for errors, digits in ((one.error_px, 1), (one.error_inches, 3)):
            middle = [f"{np.percentile(errors, p):.{digits}f}" for p in (50, 95)] if errors else []
            cells.append(", ".join(middle))
        lines.append([*cells, f"{per_1000:.1f}"])
    return headings, lines


def _scored(
    rows: Floats | NDArray[np.int64],
    columns: Floats,
    region: tuple[int, int, int, int],
    ignored: Sequence[Sequence[int]],
) -> NDArray[np.bool_]:
    top, bottom, left, right = region
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    for a, b, c, d in ignored:
        inside &= ~((rows >= a) & (rows < b) & (columns >= c) & (columns < d))
    return np.asarray(inside)


def _touches(
    low: Floats, high: Floats, hit: NDArray[np.bool_], widths: Sequence[float]
) -> dict[str, int]:
    """How many times two printed curves meet and part, crossing or not, and are followed right."""
    count = {"crossings": 0, "crossings_right": 0, "bounces": 0, "bounces_right": 0}
    for one, other in combinations(range(len(low)), 2):
        gap = np.maximum(low[one] - high[other], low[other] - high[one])
        apart = gap > (widths[one] + widths[other]) / 2 + TOLERANCE_PX
        side = np.sign(low[one] + high[one] - low[other] - high[other])
        clear = [a for a in _stretches(apart) if a[1] - a[0] >= CLEAR_ROWS]
        for (_, up), (down, _) in pairwise(clear):
            if np.isnan(gap[up:down]).any():
                continue
            kind = "crossings" if side[up - 1] != side[down] else "bounces"
            above, below = slice(up - CLEAR_ROWS, up), slice(down, down + CLEAR_ROWS)
            who = [_who(hit[c][:, part]) for c in (one, other) for part in (above, below)]
            right = None not in who and who[0] == who[1] != who[2] == who[3]
            count[kind] += 1
            count[kind + "_right"] += right
    return count


def _who(hit: NDArray[np.bool_]) -> int | None:
    """The followed curve that is on a printed one in most of some rows."""
    hits = hit.sum(1)
    return int(hits.argmax()) if hits.size and hits.max() else None


def _stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[from, to) of each stretch that is true."""
    edges = np.flatnonzero(np.diff(np.pad(flags, 1).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _snr(low: Floats, high: Floats, column: Floats) -> float:
    known = ~np.isnan(column)
    rows = np.arange(len(column))
    column = np.interp(rows, rows[known], column[known])
    error = column - np.clip(column, low, high)
    power, noise = np.var((low + high) / 2), np.mean(error**2)
    ratio = float(power) / max(float(noise), 1e-9)
    return float(np.clip(10 * np.log10(max(ratio, 1e-9)), -MOST_DB, MOST_DB))


def _edits(hit: NDArray[np.bool_], followed: NDArray[np.bool_]) -> int:
    """hit: (printed, followed curves, rows)."""
    edits, pieces = 0, np.zeros(len(hit), int)
    for j, known in enumerate(followed):
        ends: list[int] = []  # printed curves that it lies on, one after the other
        row, rows = 0, hit.shape[2]
        while row < rows:
            until = [_until(on[j], row) for on in hit] or [row]
            best = int(np.argmax(until))
            if until[best] - row < SURE_ROWS:
                row += 1
                continue
            if ends[-1:] != [best]:
                ends.append(best)
                pieces[best] += 1
            row = until[best]
        edits += len(ends) - 1 if ends else int(known.sum() >= SURE_ROWS)
    return edits + int(np.maximum(pieces - 1, 0).sum())


def _until(on: NDArray[np.bool_], row: int) -> int:
    """The row before which it is on a curve, from a row on, with gaps of fewer than SURE_ROWS."""
    if not on[row]:
        return row
    last = row
    for at in np.flatnonzero(on[row:]) + row:
        if at - last > SURE_ROWS:
            break
        last = int(at)
    return last + 1

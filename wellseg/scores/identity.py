"""Scores of whole curves: does one followed curve lie on one printed curve, from top to bottom?

A printed curve has a span of columns in each row: a spike is a wide one. A followed curve is right
in a row where its column is within TOLERANCE_PX plus half the stroke's width of that span."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

TOLERANCE_PX, MOST_DB = 3.0, 40.0  # see above; of a curve's SNR, and MOST_DB below 0 the least
DENSE_ROWS = 3  # the shared labels have a point for one to three rows, and only these count
LEAST_ROWS = 20  # printed curves of fewer rows are not scored
WHOLE = 0.95  # a curve is whole if one followed curve is right in so much of its rows
CLEAR_ROWS = 8  # two curves touch where they come close, and are apart in so many above and below
SURE_ROWS = 10  # a followed curve goes over to another printed one that it lies on in so many
IDENTITY_HEADINGS = ["log", "IDF1", "whole", "crossings right", "bounces right"]
IDENTITY_HEADINGS += ["SNR dB", "error px, p95", "inches, p95", "edits/1000 rows"]
Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Followed = Sequence[tuple[int, Floats]]  # of each curve its first row; columns, NaN where missing


class IdentityScores(NamedTuple):  # of one log
    idf1: float
    """Right rows over the mean of printed and followed rows, with each followed curve assigned to
    one printed curve so that most rows are right (Ristani et al. 2016); 1 if there are no rows."""
    curves: int
    whole: int
    touches: Counter[str]  # crossings and bounces of printed curves; ... right: both go through
    edits: int  # cuts, joins, deletions, curves to draw: they turn the followed into the printed
    depth_rows: int  # those of the log in which there is a printed curve
    snr_db: list[float]  # of each printed curve: variance over mean square error; 0: not found
    error_px: list[float]  # of each row followed: columns off the printed span, 0 within it
    dpi: float


def score_identity(
    label: dict[str, Any], shape: tuple[int, int], followed: Followed, dpi: float
) -> IdentityScores:
    """Score the curves of one log of that shape, rows and columns.
    label: as read from labels/NAME.json; ``whole`` has each curve's path, (column, row) pixels,
        and width. Scored is its ``region`` but what to ``ignore``: rows, columns from and to."""
    first, stop, left, right = map(int, label.get("region", (0, shape[0], 0, shape[1])))
    rows = np.arange(first, stop)

    def scored(rows: NDArray[Any], columns: Floats) -> Flags:
        inside = (rows >= first) & (rows < stop) & (columns >= left) & (columns < right)
        for y0, y1, x0, x1 in label.get("ignore", ()):
            inside &= ~((rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1))
        return np.asarray(inside)

    spans, widths = [], []
    for curve in label["whole"]:
        path = np.array(curve["path"], float).reshape(-1, 2)
        steps = np.append(np.ceil(abs(np.diff(path[:, 1]))), 0)[: len(path)]  # rows to the next
        steps[np.array(curve.get("starts", ()), int) - 1] = 1
        steps[steps <= DENSE_ROWS] = 1  # points farther apart are the ends of a line
        places, of_points = np.arange(steps.sum()), steps.cumsum() - steps  # along the path
        x, y = (np.interp(places, of_points, side) for side in path.T) if len(path) else path.T
        inside = scored(y, x)
        at, x = y[inside].astype(int) - first, x[inside]
        span = np.full((2, len(rows)), np.nan)
        np.fmin.at(span[0], at, x)
        np.fmax.at(span[1], at, x)
        if len(np.unique(at)) >= LEAST_ROWS:
            spans.append(span)
            widths.append(curve.get("width", 1.0))
    low, high = np.array(spans).reshape(len(spans), 2, len(rows)).swapaxes(0, 1)
    columns = np.full((len(followed), len(rows)), np.nan)
    for line, (row, points) in zip(columns, followed, strict=True):
        a, b = np.clip((row, row + len(points)), first, stop)
        line[a - first : b - first] = points[a - row : b - row]
    columns[~scored(rows, columns)] = np.nan
    # hit[i, j, row]: followed curve j is on printed curve i.
    off = np.maximum(low[:, None] - columns, columns - high[:, None])
    hit = off <= TOLERANCE_PX + np.array(widths)[:, None, None] / 2
    hits, there, known = hit.sum(2), ~np.isnan(low), ~np.isnan(columns)
    snr, errors, right_rows = np.zeros(len(low)), [], 0
    for i, j in zip(*linear_sum_assignment(-hits), strict=True):
        if hits[i, j]:
            right_rows += hits[i, j]
            in_rows = there[i]
            errors += off[i, j, in_rows & known[j]].clip(0).tolist()
            snr[i] = _snr(low[i, in_rows], high[i, in_rows], columns[j, in_rows])
    mean_rows = (there.sum() + known.sum()) / 2
    return IdentityScores(
        idf1=float(right_rows / mean_rows) if mean_rows else 1.0, curves=len(low),
        whole=int((hits >= WHOLE * there.sum(1)[:, None]).any(1).sum()),
        touches=_touches(low, high, hit, widths), edits=_edits(hit, known),
        depth_rows=int(there.any(0).sum()), snr_db=snr.tolist(), error_px=errors, dpi=dpi,
    )  # fmt: skip


def identity_line(name: str, logs: Sequence[IdentityScores]) -> list[str]:
    """Cells for some logs: mean IDF1, sums (3/4 is a date to Excel), percentiles of the rest."""
    touches = sum((log.touches for log in logs), Counter[str]())
    snr = [each for log in logs for each in log.snr_db]
    errors = [each for log in logs for each in log.error_px]
    inches = [each / log.dpi for log in logs for each in log.error_px]
    return [
        name, f"{np.mean([log.idf1 for log in logs]):.3f}",
        f"{sum(log.whole for log in logs)} of {sum(log.curves for log in logs)}",
        *(f"{touches[kind + ' right']} of {touches[kind]}" for kind in ("crossings", "bounces")),
        f"{np.median(snr):.1f}" if snr else "",
        ", ".join(f"{np.percentile(errors, p):.1f}" for p in (50, 95) if errors),
        ", ".join(f"{np.percentile(inches, p):.3f}" for p in (50, 95) if inches),
        f"{np.median([1000 * log.edits / max(1, log.depth_rows) for log in logs]):.1f}",
    ]  # fmt: skip


def _touches(low: Floats, high: Floats, hit: Flags, widths: Sequence[float]) -> Counter[str]:
    """How often two printed curves meet and part: crossings and bounces, and of each those where
    both curves are followed right. hit: (printed, followed curves, rows)."""
    count = Counter[str]()
    for one, other in combinations(range(len(low)), 2):
        gap = np.maximum(low[one] - high[other], low[other] - high[one])
        apart = gap > (widths[one] + widths[other]) / 2 + TOLERANCE_PX
        side = np.sign(low[one] + high[one] - low[other] - high[other])
        stretches = np.flatnonzero(np.diff(np.pad(apart, 1))).reshape(-1, 2)
        clear = [(start, end) for start, end in stretches if end - start >= CLEAR_ROWS]
        for (_, up), (down, _) in pairwise(clear):
            if np.isnan(gap[up:down]).any():
                continue
            kind = "crossings" if side[up - 1] != side[down] else "bounces"
            count[kind] += 1
            # Those that are on each in most rows, above and below: of neighbours two may be.
            near = slice(up - CLEAR_ROWS, up), slice(down, down + CLEAR_ROWS)
            on = np.array([hit[[one, other], :, rows].sum(2) for rows in near])
            most = ((on > 0) & (on == on.max(2, keepdims=True, initial=0))).all(0)
            chosen = linear_sum_assignment(~most)
            count[kind + " right"] += bool(len(chosen[0]) == 2 and most[chosen].all())
    return count


def _snr(low: Floats, high: Floats, column: Floats) -> float:
    """`IdentityScores.snr_db` of a curve, all by its rows; missing columns are interpolated."""
    known = np.flatnonzero(~np.isnan(column))
    column = np.interp(np.arange(len(column)), known, column[known])
    noise = np.mean((column - np.clip(column, low, high)) ** 2)
    ratio = float(np.var((low + high) / 2)) / max(float(noise), 1e-9)
    return float(np.clip(10 * np.log10(max(ratio, 1e-9)), -MOST_DB, MOST_DB))


def _edits(hit: Flags, followed: Flags) -> int:
    """``IdentityScores.edits``. hit: (printed, followed curves, rows). followed: (curves, rows)."""
    edits, pieces = 0, Counter[int]()
    for on, known in zip(hit.swapaxes(0, 1), followed, strict=True):
        until = np.array([_run_ends(flags) for flags in on]).reshape(len(on), len(known))
        lies_on, row = list[int](), 0  # the printed curves, one after the other
        while row < len(known) and len(until):
            best = int(until[:, row].argmax())
            is_sure = until[best, row] - row >= SURE_ROWS
            if is_sure and lies_on[-1:] != [best]:
                lies_on.append(best)
            row = until[best, row] if is_sure else row + 1
        pieces.update(lies_on)
        edits += len(lies_on) - 1 if lies_on else int(known.sum() >= SURE_ROWS)
    return edits + pieces.total() + len(hit) - 2 * len(pieces)  # joins, and curves to draw


def _run_ends(on: Flags) -> NDArray[np.intp]:
    """For each row the end of the run that it is in, with gaps of up to SURE_ROWS; 0 outside."""
    rows = np.flatnonzero(on)
    last = np.append(np.diff(rows) > SURE_ROWS, True)[: len(rows)]
    ends = np.zeros(len(on), np.intp)
    ends[rows] = rows[last][np.searchsorted(rows[last], rows)] + 1
    return ends

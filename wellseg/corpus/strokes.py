"""Strokes: a polyline becomes ink as a pen leaves it, and the truth as a person traces it.

Both are drawn from the same points, so they cannot disagree."""

import cv2
import numpy as np

from .sheet import BLACK, SUBPIXEL_BITS, Array, Colour, Draws, Sheet, Table

STEP_PX = {"points": 1.0, "dots": 2.5, "short": 2.5}
"""Arc length between the points that a stroke is drawn from; 4 px where it has no short dashes."""
DOT_PX = 3


def draw_pen(sheet: Sheet, width_px: float, style: str, colour: Colour = BLACK) -> Table:
    """How one curve is drawn: [pen], with the ``dash`` and ``gap`` of its style. Lengths in px."""
    pen = sheet.table("pen")
    how = sheet.table("dashes", style)
    unit = 1.0 if style == "points" else 0.35 + 0.65 * sheet.dpi / 250
    pen.width_px, pen.colour, pen.style, pen.runs = width_px, colour, style, []
    pen.dash, pen.gap = how.dash * unit, how.gap * unit
    if sheet.tidy:
        pen.slope_loss = pen.irregular = 0.0
    return pen


def resample(points: Array, step_px: float) -> Array:
    """(n, 2) float points at equal arc length, about ``step_px`` apart."""
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    if arc[-1] < step_px:
        return points
    at = np.linspace(0, arc[-1], int(arc[-1] / step_px) + 2)
    x, y = points.T
    return np.column_stack([np.interp(at, arc, x), np.interp(at, arc, y)])


def stroke(sheet: Sheet, points: Array, pen: Table, layer: Array, truth: Array | None) -> None:
    """Draw one continuous run of a curve. points: float (n, 2), x then y in pixels. layer: what
    its ink goes to, like sheet.ink. truth: uint8 (rows, columns), drawn into with 255; ``pen.runs``
    then gets the stroke's centre."""
    if len(points) < 2:
        return
    fine = resample(points, STEP_PX.get(pen.style, 4.0))
    step = np.diff(fine, axis=0)
    leg = np.hypot(*step.T) + 1e-6
    swing = np.abs(step[:, 0]) / leg  # 0 vertical .. 1 horizontal
    loss = cv2.blur(pen.slope_loss * swing**2, (1, 5)).ravel()
    dither = sheet.draws.of([0.0, 1.0])
    width = np.floor(pen.width_px * (1.0 - 0.55 * loss) + dither)
    drawn = dashes(sheet.draws, leg, pen)
    flag = cv2.LINE_AA if sheet.smooth else cv2.LINE_8
    _lines(layer, fine, np.where(drawn, np.maximum(width, 1), 0), pen.colour, flag)
    if truth is not None:
        # At least 2 px on paper: one would not survive being warped and blurred with the ink.
        wide = np.floor(pen.width_px * (1.0 - 0.4 * loss) + dither)
        _lines(truth, fine, np.maximum(wide, 1 if sheet.tidy else 2), BLACK, cv2.LINE_8)
        pen.runs.append(fine)


def stretches(keys: Array) -> list[slice]:
    """Where neighbours have the same key."""
    cuts = (np.flatnonzero(np.diff(keys)) + 1).tolist()
    return [slice(a, b) for a, b in zip([0, *cuts], [*cuts, len(keys)], strict=True)]


def parts(run: Array, kept: Array) -> list[Array]:
    """The pieces of a run whose points are kept, bool (n,)."""
    return [run[part] for part in stretches(kept) if kept[part].any()]


def _lines(target: Array, points: Array, px: Array, colour: Colour, flag: int) -> None:
    """A line through points, each of its segments so many px wide; 0 is none."""
    whole = np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
    runs: dict[int, list[Array]] = {}
    for part in stretches(px):
        runs.setdefault(int(px[part.start]), []).append(whole[part.start : part.stop + 1])
    runs.pop(0, None)
    for wide, lines in sorted(runs.items()):
        cv2.polylines(target, lines, False, colour, wide, flag, SUBPIXEL_BITS)


def dashes(draws: Draws, leg: Array, pen: Table) -> Array:
    """Which of the short segments of those lengths are drawn: bool (n,)."""
    if pen.style == "solid":
        return np.ones(len(leg), bool)
    dot = DOT_PX if pen.style == "dashdot" else pen.dash
    pattern = [pen.dash, pen.gap, dot, pen.gap]
    arc = np.cumsum(leg) + pen.phase
    count = int(arc[-1] / sum(pattern) * 2) + 4
    spread = np.exp(draws.rng.normal(0, pen.irregular, (count, 4)))
    # Nobody could follow a curve over gaps much longer than the measured 60 px.
    edges = np.cumsum((np.clip(spread, 0.4, 1.6) * pattern).ravel())
    return np.searchsorted(edges, arc) % 2 == 0


def lay(values: Array, rows: Array, left: float, right: float, overflow: str) -> list[Array]:
    """Put values on a track: runs of (n, 2) points x, y.
    overflow: "free" draws on over the border, "clip" runs flat along it, "wrap" leaves at one
    border and comes back at the other, "hide" is drawn within the track alone."""
    beyond = 0.25 if overflow == "free" else 0.0
    turns = np.floor(values) if overflow in ("wrap", "hide") else np.zeros(len(values))
    laid = []
    for part in stretches(turns):
        if (turn := turns[part.start]) and overflow == "hide":
            continue
        # One sample more at both ends: the stroke goes on to the border that it leaves by.
        part = slice(max(0, part.start - 1), part.stop + 1)
        x = left + np.clip(values[part] - turn, -beyond, 1 + beyond) * (right - left)
        laid.append(np.column_stack([x, rows[part]]))
    return laid


def along_rows(draws: Draws, run: Array, lines: Array, reach_px: float) -> Array:
    """A run (n, 2) with spikes and steps along lines of the grid, or just beside them.

    lines: rows of grid lines, px. On a line one stroke covers both; beside it the flanks of a spike
    leave the line at a small angle, and where the spike ends the line alone goes on."""
    count = min(len(lines), 1 + draws.rng.poisson(3))
    for y in draws.rng.choice(lines, count, replace=False):
        how = draws.table("along_rows")
        half = how.step_px if how.steps else how.half_px
        y += how.off_px * draws.one_of((-1, 1)) + half * how.steps  # the line is a step's first row
        first, last = np.searchsorted(run[:, 1], (y - half, y + half))
        if not 0 < first <= last < len(run):
            continue
        x = float(np.interp(y, run[:, 1], run[:, 0]))
        long = how.reach * reach_px * draws.one_of((-1, 1))
        t = np.linspace(-1, 1, 9)
        height = (1 - np.abs(t)) ** (0 if how.steps else how.sharpness)
        spike = np.column_stack([x + long * height, y + half * t])
        run = np.concatenate([run[:first], spike, run[last:]])
    return run

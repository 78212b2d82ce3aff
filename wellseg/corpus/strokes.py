"""Strokes: a polyline becomes ink as a pen leaves it, and the truth as a person traces it.

Both are drawn from the same points, so they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .draws import Array, Draws, Span, Table
from .sheet import BLACK, SUBPIXEL_BITS, Colour, Sheet

# Lengths of dash and gap along the curve, px at 250 dpi. Measured on scans of 200-400 dpi: long
# 20-120 / 6-60, dots 5-6 every 13-17, ticks 5-8 every 20-50. ``points``: renders' dots, px as is.
DASHES = {
    "long": ((20, 110), (6, 48)), "short": ((8, 22), (6, 16)), "dots": ((1.5, 6), (7, 12)),
    "points": ((1.0, 2.8), (1.6, 5)), "ticks": ((5, 8), (15, 36)), "dashdot": ((25, 60), (8, 14)),
}  # fmt: skip
PEN = Table(
    fade=(0.3, 0.95), even=0.4, irregular=(0.1, 0.6), phase=(0, 200), dot_px=3,
    casing_px={"0": 0.93, "2": 0.05, "4": 0.02}, thinner=0.55, thicker=0.35, seen=0.4,
    # Nobody could follow a curve over gaps much longer than the measured 60 px.
    irregular_range=(0.4, 1.6),
)  # fmt: skip
STEP_PX = {"points": 1.0, "dots": 2.5, "short": 2.5}
"""Arc length between the points that a stroke is drawn from; 4 px where it has no short dashes."""

ALONG_ROWS = Table(
    more=3, on_line=0.5, off_px=(1.5, 7), half_px=(0.3, 14), reach=(0.05, 0.7), steps=0.3,
    step_samples=(3, 60), sharpness=(0.6, 3),
)  # fmt: skip
ALONG_COLUMNS = Table(more=1, samples=(8, 200), beside_px=0.5, beside_pens=(0.3, 2.2),
                      follows=(0, 0.3))  # fmt: skip


@dataclass
class Pen:
    """How one curve is drawn."""

    width_px: float
    colour: Colour = BLACK
    style: str = "solid"
    dash_px: Span = (40.0, 20.0)  # length of dash and gap along the curve
    # Of a recorder's light spot or ink pen: 0 keeps width and ink, 1 halves the width and fades
    # the ink on swings (measured: the width changes 2-3x along one curve).
    slope_loss: float = 0.0
    fade: float = 0.65  # how much of its ink a pen loses where it is fastest
    irregular: float = 0.0  # 0 even dashes .. 1 dashes of any length
    casing_px: int = 0  # white on both sides
    phase: float = 0.0


def draw_pen(sheet: Sheet, width_px: float, style: str, colour: Colour = BLACK) -> Pen:
    draws = sheet.draws
    unit = 1.0 if style == "points" else 0.35 + 0.65 * sheet.dpi / 250
    dash, gap = (draws.between(span) * unit for span in DASHES.get(style, ((1, 1), (0, 0))))
    pen = Pen(
        width_px, colour, style, (dash, gap), fade=draws.between(PEN.fade),
        casing_px=int(draws.number(PEN.casing_px)), phase=draws.between(PEN.phase),
    )  # fmt: skip
    if not sheet.tidy:
        pen.slope_loss = float(draws.rng.beta(1.2, 1.2))
        pen.irregular = 0.0 if draws.chance(PEN.even) else draws.between(PEN.irregular)
    return pen


def resample(points: Array, step_px: float) -> Array:
    """(n, 2) float points at equal arc length, about ``step_px`` apart."""
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    if arc[-1] < step_px:
        return points
    at = np.linspace(0, arc[-1], int(arc[-1] / step_px) + 2)
    return np.stack([np.interp(at, arc, points[:, 0]), np.interp(at, arc, points[:, 1])], axis=1)


def stroke(sheet: Sheet, points: Array, pen: Pen, layer: Array, truth: Array | None) -> None:
    """Draw one continuous run of a curve.

    points: float (n, 2), x then y in pixels. layer: what its ink goes to, like sheet.ink.
    truth: uint8 (rows, columns), drawn into with 255.
    """
    if len(points) < 2:
        return
    fine = resample(points, STEP_PX.get(pen.style, 4.0))
    step = np.diff(fine, axis=0)
    leg = np.hypot(*step.T) + 1e-6
    swing = np.abs(step[:, 0]) / leg  # 0 vertical .. 1 horizontal
    loss = cv2.blur(pen.slope_loss * swing**2, (1, 5)).ravel()
    # Where the pen turns it rests, and ink gathers.
    turn = pen.slope_loss * np.append(step[1:, 0] * step[:-1, 0] < 0, False)
    width = pen.width_px * (1.0 - PEN.thinner * loss + PEN.thicker * turn)
    thickness = np.maximum(1, np.floor(width + sheet.draws.rng.random())).astype(int)
    # The lightest trace of a fast pen vanishes; then only the fused tips of spikes are left.
    ink = np.clip(1.0 - pen.fade * np.clip(loss - 0.35, 0, 1), 0.1, 1)
    eighths = np.round(ink * 7).astype(int)
    whole = np.round(fine * (1 << SUBPIXEL_BITS)).astype(np.int32)
    drawn = dashes(sheet.draws, leg, swing, pen)
    flag = cv2.LINE_AA if sheet.smooth else cv2.LINE_8
    # Faint parts first, so that dark ones stay dark where they meet.
    for level in np.unique(eighths):
        colour = tuple(round(c * level / 7) for c in pen.colour)
        for px, runs in _runs(whole, np.where(drawn & (eighths == level), thickness, 0)):
            cv2.polylines(layer, runs, False, colour, px, flag, SUBPIXEL_BITS)
    if truth is not None:
        # At least 2 px on paper: one would not survive being warped and blurred with the ink.
        wide = np.round(pen.width_px * (1.0 - PEN.seen * loss)).astype(int)
        for px, runs in _runs(whole, np.maximum(wide, 1 if sheet.tidy else 2)):
            cv2.polylines(truth, runs, False, 255, px, cv2.LINE_8, SUBPIXEL_BITS)


def stretches(keys: Array) -> list[slice]:
    """Where neighbours have the same key."""
    cuts = (np.flatnonzero(np.diff(keys)) + 1).tolist()
    return [slice(a, b) for a, b in zip([0, *cuts], [*cuts, len(keys)], strict=True)]


def _runs(points: Array, keys: Array) -> list[tuple[int, list[Array]]]:
    """Points of the segments with the same key, one more than segments: by key, without 0."""
    runs: dict[int, list[Array]] = {}
    for part in stretches(keys):
        if keys[part.start]:
            runs.setdefault(int(keys[part.start]), []).append(points[part.start : part.stop + 1])
    return sorted(runs.items())


def dashes(draws: Draws, leg: Array, swing: Array, pen: Pen) -> Array:
    """Which of the short segments are drawn: bool (n,)."""
    if pen.style == "solid":
        # A pen too fast for its ink breaks on the steepest swings.
        broken = draws.rng.random(len(leg)) < 0.25 * pen.slope_loss
        return ~((swing > 0.9) & broken & (pen.slope_loss > 0.75))
    dash, gap = pen.dash_px
    pattern = [dash, gap, PEN.dot_px, gap] if pen.style == "dashdot" else [dash, gap, dash, gap]
    # Dots of a chopper close up where the trace is steep: they come at equal depths, not lengths.
    by_depth = pen.style in ("dots", "ticks") and pen.irregular > 0.3
    arc = np.cumsum(leg * (1 - 0.4 * swing) if by_depth else leg) + pen.phase
    count = int(arc[-1] / sum(pattern) * 2) + 4
    spread = np.exp(draws.rng.normal(0, pen.irregular, (count, 4)))
    edges = np.cumsum((np.clip(spread, *PEN.irregular_range) * pattern).ravel())
    on: Array = np.searchsorted(edges, arc) % 2 == 0
    return on


def lay(values: Array, rows: Array, left: float, right: float, overflow: str) -> list[Array]:
    """Put values on a track: runs of (n, 2) points x, y.

    overflow: "free" draws on over the border, "clip" runs flat along it, "wrap" leaves at one
    border and comes back at the other, "drop" is not drawn off scale.
    """
    if overflow in ("free", "clip"):
        beyond = 0.0 if overflow == "clip" else 0.25
        x = np.clip(values, -beyond, 1 + beyond)
        return [np.stack([left + x * (right - left), rows], axis=1)]
    turns = np.floor(values)
    laid = []
    for turn in [0.0] if overflow == "drop" else np.unique(turns):
        # One sample more at both ends: the stroke goes on to the border that it leaves by.
        near = np.convolve(turns == turn, np.ones(3 if overflow == "wrap" else 1), "same") > 0.5
        x = left + np.clip(values - turn, 0, 1) * (right - left)
        parts = [part for part in stretches(near) if near[part.start]]
        laid += [np.stack([x[part], rows[part]], axis=1) for part in parts]
    return laid


def along_rows(draws: Draws, run: Array, lines: Array, reach_px: float) -> Array:
    """A run (n, 2) with spikes and steps along lines of the grid, or just beside them.

    lines: rows of grid lines, px. On a line one stroke covers both; beside it the flanks of a spike
    leave the line at a small angle, and where the spike ends the line alone goes on.
    """
    table = ALONG_ROWS
    count = min(len(lines), 1 + draws.count(table.more))
    for y in draws.rng.choice(lines, count, replace=False):
        y += draws.normal(table.off_px[0 if draws.chance(table.on_line) else 1])
        half = draws.log_between(table.half_px)
        first, last = np.searchsorted(run[:, 1], (y - half, y + half))
        if not 0 < first <= last < len(run):
            continue
        x = float(np.interp(y, run[:, 1], run[:, 0]))
        long = draws.log_between(table.reach) * reach_px * draws.sign()
        if draws.chance(table.steps):  # steps over, and later comes back
            back = last + int(draws.log_between(table.step_samples))
            rise = np.array([[x, y], [x + long, y + draws.normal(0.5)]])
            over = run[last:back] + np.array([long, 0.0])
            run = np.concatenate([run[:first], rise, over, run[back:]])
            continue
        t = np.linspace(-1, 1, 9)
        height = (1 - np.abs(t)) ** draws.log_between(table.sharpness)  # a blunt tip, or a needle
        spike = np.stack([x + long * height, y + half * t], axis=1)
        run = np.concatenate([run[:first], spike, run[last:]])
    return run


def along_columns(draws: Draws, run: Array, columns: Array, width_px: float) -> Array:
    """A run (n, 2) that goes down beside a line of the grid, near enough to touch it.

    columns: where the lines stand, px. width_px: of the pen.
    """
    out, table = run.copy(), ALONG_COLUMNS
    for _ in range(1 + draws.count(table.more)):
        a = draws.whole((0, len(run) - 1))
        part = slice(a, a + int(draws.log_between(table.samples)))
        x = run[part, 0]
        line = float(columns[np.abs(columns - x.mean()).argmin()])
        beside = draws.sign() * (table.beside_px + draws.between(table.beside_pens) * width_px)
        out[part, 0] = line + beside + draws.between(table.follows) * np.clip(x - x.mean(), -9, 9)
    return out

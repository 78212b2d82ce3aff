"""Strokes: a polyline becomes ink as a pen leaves it, and the truth as a person traces it.

Both are drawn from the same points, so they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .draws import Array, Draws, Table
from .sheet import BLACK, SUBPIXEL_BITS, Colour, Sheet

# Lengths of dash and gap along the curve, px at 250 dpi. Measured on scans of 200-400 dpi: long
# 20-120 / 6-60, dots 5-6 every 13-17, ticks 5-8 every 20-50. ``points``: renders' dots, px as is.
DASHES = {
    "long": ((20, 110), (6, 48)), "short": ((8, 22), (6, 16)), "dots": ((1.5, 6), (7, 12)),
    "points": ((1.0, 2.8), (1.6, 5)), "ticks": ((5, 8), (15, 36)), "dashdot": ((25, 60), (8, 14)),
}  # fmt: skip
PEN = Table(
    fade=(0.3, 0.95), even=0.4, irregular=(0.1, 0.6), phase=(0, 200),
    casing_px={"0": 0.93, "2": 0.05, "4": 0.02},
)  # fmt: skip
STEP_PX = {"points": 1.0, "dots": 2.5, "short": 2.5}
"""Arc length between the points that a stroke is drawn from; 4 px where it has no short dashes."""


@dataclass
class Pen:
    """How one curve is drawn."""

    width_px: float
    colour: Colour = BLACK
    style: str = "solid"
    dash_px: tuple[float, float] = (40.0, 20.0)  # length of dash and gap along the curve
    # Of a recorder's light spot or ink pen: 0 keeps width and ink, 1 halves the width and fades
    # the ink on swings (measured: the width changes 2-3x along one curve).
    slope_loss: float = 0.0
    fade: float = 0.65  # how much of its ink a pen loses where it is fastest
    irregular: float = 0.0  # 0 even dashes .. 1 dashes of any length
    casing_px: int = 0  # white on both sides
    phase: float = 0.0


def draw_pen(sheet: Sheet, width_px: float, style: str, colour: Colour = BLACK) -> Pen:
    draws = sheet.draws
    dash = gap = 0.0
    if style != "solid":
        unit = 1.0 if style == "points" else 0.35 + 0.65 * sheet.dpi / 250
        dash, gap = (draws.between(span) * unit for span in DASHES[style])
    return Pen(
        width_px,
        colour,
        style,
        (dash, gap),
        slope_loss=0.0 if sheet.tidy else float(draws.rng.beta(1.2, 1.2)),
        fade=draws.between(PEN.fade),
        irregular=0.0 if sheet.tidy or draws.chance(PEN.even) else draws.between(PEN.irregular),
        casing_px=int(draws.number(PEN.casing_px)),
        phase=draws.between(PEN.phase),
    )


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
    leg = np.hypot(step[:, 0], step[:, 1]) + 1e-6
    swing = np.abs(step[:, 0]) / leg  # 0 vertical .. 1 horizontal
    loss, turn = pen.slope_loss * swing**2, np.zeros(len(leg))
    if pen.slope_loss > 0:
        # Where the pen turns it rests, and ink gathers.
        turn[1:] = (step[1:, 0] * step[:-1, 0] < 0) * pen.slope_loss
        loss = np.convolve(np.pad(loss, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    width = pen.width_px * (1.0 - 0.55 * loss + 0.35 * turn)
    thickness = np.maximum(1, np.floor(width + sheet.draws.rng.random())).astype(int)
    # The lightest trace of a fast pen vanishes; then only the fused tips of spikes are left.
    ink = np.clip(1.0 - pen.fade * np.clip(loss - 0.35, 0, 1), 0.1, 1)
    eighths = np.round(ink * 7).astype(int)
    whole = np.round(fine * (1 << SUBPIXEL_BITS)).astype(np.int32)
    drawn = dashes(sheet.draws, leg, swing, pen)
    flag = cv2.LINE_AA if sheet.smooth else cv2.LINE_8
    # Faint parts first, so that dark ones stay dark where they meet.
    for level in sorted(set(eighths.tolist())):
        colour = tuple(round(c * level / 7) for c in pen.colour)
        keys = np.where(drawn & (eighths == level), thickness, 0)
        for px, runs in _runs(whole, keys):
            cv2.polylines(layer, runs, False, colour, px, flag, SUBPIXEL_BITS)
    if truth is not None:
        # At least 2 px on paper: one would not survive being warped and blurred with the ink.
        wide = np.maximum(np.round(pen.width_px * (1.0 - 0.4 * loss)), 1 if sheet.tidy else 2)
        for px, runs in _runs(whole, wide.astype(int)):
            cv2.polylines(truth, runs, False, 255, px, cv2.LINE_8, SUBPIXEL_BITS)


def _runs(points: Array, keys: Array) -> list[tuple[int, list[Array]]]:
    """The stretches of points between which a key stays the same: by key, those of 0 left out."""
    cuts = np.flatnonzero(np.diff(keys)) + 1
    starts, ends = np.concatenate([[0], cuts]), np.concatenate([cuts, [len(keys)]])
    stretches: dict[int, list[Array]] = {}
    for a, b in zip(starts, ends, strict=True):
        if keys[a]:
            stretches.setdefault(int(keys[a]), []).append(points[a : b + 1])
    return sorted(stretches.items())


def dashes(draws: Draws, leg: Array, swing: Array, pen: Pen) -> Array:
    """Which of the short segments are drawn: bool (n,)."""
    if pen.style == "solid":
        # A pen too fast for its ink breaks on the steepest swings.
        broken = draws.rng.random(len(leg)) < 0.25 * pen.slope_loss
        return ~((swing > 0.9) & broken & (pen.slope_loss > 0.75))
    dash, gap = pen.dash_px
    # Dots of a chopper close up where the trace is steep: they come at equal depths, not lengths.
    by_depth = pen.style in ("dots", "ticks") and pen.irregular > 0.3
    arc = np.cumsum(leg * (1 - 0.4 * swing) if by_depth else leg) + pen.phase
    if pen.style == "dashdot":
        t = arc % (dash + 2 * gap + 3)
        return (t < dash) | ((t > dash + gap) & (t < dash + gap + 3))
    if not pen.irregular:
        return arc % (dash + gap) < dash
    # Nobody could follow a curve over gaps much longer than the measured 60 px.
    count = int(arc[-1] / (dash + gap)) * 2 + 4
    spread = np.clip(np.exp(draws.rng.normal(0, pen.irregular, (count, 2))), 0.4, 1.6)
    on: Array = np.searchsorted(np.cumsum((spread * [dash, gap]).ravel()), arc) % 2 == 0
    return on


def sample_line(sheet: Sheet, left: float, right: float, y: float, pen: Pen) -> None:
    """A level line in a curve's style, as in the head of a track: no curve."""
    if right - left >= 4:
        ends = np.array([[left, y], [right, y]])
        stroke(sheet, ends, pen, sheet.ink, None)


def lay(values: Array, rows: Array, left: float, right: float, overflow: str) -> list[Array]:
    """Put values on a track: runs of (n, 2) points x, y.

    overflow: "free" draws on over the border, "clip" runs flat along it, "wrap" leaves at one
    border and comes back at the other, "drop" is not drawn off scale.
    """
    width = right - left
    if overflow in ("free", "clip"):
        values = np.clip(values, 0.0, 1.0) if overflow == "clip" else np.clip(values, -0.25, 1.25)
        return [np.stack([left + values * width, rows], axis=1)]
    turn = np.floor(values)
    runs = np.split(np.arange(len(values)), np.flatnonzero(np.diff(turn)) + 1)
    if overflow == "drop":
        inside = [p for p in runs if turn[p[0]] == 0]
        return [np.stack([left + values[p] * width, rows[p]], axis=1) for p in inside]
    half = 0.5 * (rows[1] - rows[0])
    laid = []
    for n, p in enumerate(runs):
        x, y = np.clip(values[p] - turn[p[0]], 0, 1), rows[p]
        # The stroke goes on to the border it leaves by, and starts from the one it comes in by.
        if n:
            x = np.concatenate([[0.0 if turn[p[0]] > turn[p[0] - 1] else 1.0], x])
            y = np.concatenate([[rows[p[0]] - half], y])
        if n + 1 < len(runs):
            x = np.concatenate([x, [1.0 if turn[p[-1] + 1] > turn[p[-1]] else 0.0]])
            y = np.concatenate([y, [rows[p[-1]] + half]])
        laid.append(np.stack([left + x * width, y], axis=1))
    return laid


def along_rows(draws: Draws, run: Array, lines: Array, reach_px: float) -> Array:
    """A run (n, 2) with spikes and steps along lines of the grid, or just beside them.

    lines: rows of grid lines, px. On a line one stroke covers both; beside it the flanks of a spike
    leave the line at a small angle, and where the spike ends the line alone goes on.
    """
    for y in draws.rng.choice(lines, min(len(lines), 1 + draws.count(3)), replace=False):
        off = draws.normal(1.5 if draws.chance(0.5) else 7)
        half = draws.log_between((0.3, 14))
        at = np.searchsorted(run[:, 1], (y + off - half, y + off + half))
        first, last = int(at[0]), int(at[1])
        if not 0 < first <= last < len(run):
            continue
        x = float(np.interp(y, run[:, 1], run[:, 0]))
        long = draws.log_between((0.05, 0.7)) * reach_px * draws.sign()
        if draws.chance(0.3):  # steps over, and later comes back
            back = min(len(run), last + int(draws.log_between((3, 60))))
            rise = np.array([[x, y + off], [x + long, y + off + draws.normal(0.5)]])
            run = np.concatenate(
                [run[:first], rise, run[last:back] + np.array([long, 0.0]), run[back:]]
            )
            continue
        t = np.linspace(-1, 1, 9)
        height = (1 - np.abs(t)) ** draws.log_between((0.6, 3))  # a blunt tip, or a needle's
        spike = np.stack([x + long * height, y + off + half * t], axis=1)
        run = np.concatenate([run[:first], spike, run[last:]])
    return run


def along_columns(draws: Draws, run: Array, columns: Array, width_px: float) -> Array:
    """A run (n, 2) that goes down beside a line of the grid, near enough to touch it.

    columns: where the lines stand, px. width_px: of the pen.
    """
    out = run.copy()
    for _ in range(1 + draws.count(1)):
        a = draws.whole((0, len(run) - 1))
        part = slice(a, a + int(draws.log_between((8, 200))))
        x = run[part, 0]
        line = float(columns[np.abs(columns - x.mean()).argmin()])
        beside = draws.sign() * (0.5 + draws.between((0.3, 2.2)) * width_px)
        out[part, 0] = line + beside + draws.between((0, 0.3)) * np.clip(x - x.mean(), -9, 9)
    return out

"""Strokes: a polyline becomes ink as a pen leaves it, and the truth as a person traces it.

Ink is uint8, 0 paper .. 255 full ink; truth is uint8, 0 or 255. Both are drawn here, from the same
points, so they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from .recipe import Array, Rng, between, chance, pick

SUBPIXEL_BITS = 4


@dataclass
class Pen:
    """How one curve is drawn."""

    width_px: float
    level: int = 255
    style: str = "solid"
    dash_px: tuple[float, float] = (40.0, 20.0)  # length of dash and gap along the curve
    # Of a recorder's light spot or ink pen: 0 keeps width and level, 1 halves the width and fades
    # the ink on swings (measured: the width changes 2-3x along one curve).
    slope_loss: float = 0.0
    fade: float = 0.65  # how much of the ink's level a pen loses where it is fastest
    irregular: float = 0.0  # 0 even dashes .. 1 dashes of any length
    white_casing_px: int = 0
    phase: float = field(default=0.0)


def draw_pen(rng: Rng, width_px: float, inch_px: float, tidy: bool, style: str) -> Pen:
    """A pen of the given style; dash lengths are the measured ones at 200-400 dpi."""
    # Measured on 200-400 dpi scans: long 20-120 / 6-60 px, dots 5-6 px every 13-17, ticks 5-8 px
    # every 20-50. Renders scale with their resolution, scans much less than theirs.
    unit = 0.35 + 0.65 * inch_px / 250
    dash, gap = {
        "solid": (1e9, 0.0),
        "long": (between(rng, (20, 110)), between(rng, (6, 48))),
        "short": (between(rng, (8, 22)), between(rng, (6, 16))),
        "dots": (between(rng, (1.5, 6)), between(rng, (7, 12))),
        "points": (between(rng, (1.2, 2.8)) / unit, between(rng, (1.6, 4)) / unit),
        "ticks": (between(rng, (5, 8)), between(rng, (15, 36))),
        "dashdot": (between(rng, (25, 60)), between(rng, (8, 14))),
    }[style]
    return Pen(
        width_px=width_px,
        style=style,
        dash_px=(dash * unit, gap * unit),
        slope_loss=0.0 if tidy else float(rng.beta(1.2, 1.2)),
        fade=between(rng, (0.3, 0.95)),
        irregular=0.0 if tidy or chance(rng, 0.4) else between(rng, (0.1, 0.6)),
        phase=between(rng, (0, 200)),
        white_casing_px=int(pick(rng, {"0": 0.93, "2": 0.05, "4": 0.02})),
    )


def resample(points: Array, step_px: float) -> Array:
    """(n, 2) float points at equal arc length, about ``step_px`` apart."""
    leg = np.hypot(*np.diff(points, axis=0).T)
    arc = np.concatenate([[0.0], np.cumsum(leg)])
    if arc[-1] < step_px:
        return points
    at = np.linspace(0, arc[-1], int(arc[-1] / step_px) + 2)
    return np.stack([np.interp(at, arc, points[:, 0]), np.interp(at, arc, points[:, 1])], axis=1)


def stroke(
    rng: Rng,
    points: Array,
    pen: Pen,
    ink: Array,
    truth: Array | None,
    antialias: bool = False,
    least_truth_px: int = 2,
) -> None:
    """Draw one continuous run of a curve.

    points: (n, 2) float, x then y in pixels, n ≥ 2. ink, truth: uint8 (rows, columns), drawn into.
    least_truth_px: truth gets no thinner; 2 survives being warped and blurred with the ink.
    """
    if len(points) < 2:
        return
    fine = resample(points, {"points": 1.0, "dots": 2.5, "short": 2.5}.get(pen.style, 4.0))
    d = np.diff(fine, axis=0)
    leg = np.hypot(d[:, 0], d[:, 1]) + 1e-6
    swing = np.abs(d[:, 0]) / leg  # 0 vertical .. 1 horizontal
    loss = pen.slope_loss * swing**2
    # Where the pen turns, it rests, and ink gathers.
    turn = np.zeros(len(leg))
    if pen.slope_loss > 0:
        turn[1:] = (d[1:, 0] * d[:-1, 0] < 0) * pen.slope_loss
        loss = np.convolve(np.pad(loss, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    width = pen.width_px * (1.0 - 0.55 * loss + 0.35 * turn)
    # The lightest trace of a fast pen vanishes; then only the fused tips of spikes are left.
    level = pen.level * np.clip(1.0 - pen.fade * np.clip(loss - 0.35, 0, 1), 0.1, 1)
    drawn = dashes(rng, leg, swing, pen)

    thickness = np.maximum(1, np.floor(width + rng.random())).astype(int)
    flag = cv2.LINE_AA if antialias else cv2.LINE_8
    key = np.where(drawn, thickness * 8 + np.round(level / 255 * 7).astype(int), -1)
    order = sorted(set(key.tolist()), key=lambda k: k % 8)
    cuts = np.flatnonzero(np.diff(key)) + 1
    starts = np.concatenate([[0], cuts])
    ends = np.concatenate([cuts, [len(key)]])
    integer = np.round(fine * (1 << SUBPIXEL_BITS)).astype(np.int32)
    for k in order:  # faint parts first, so that dark ones stay dark where they meet
        if k < 0:
            continue
        runs = [integer[a : b + 1] for a, b in zip(starts, ends, strict=True) if key[a] == k]
        cv2.polylines(
            ink,
            runs,
            False,
            int(pen.level if antialias else k % 8 * 255 // 7),
            k // 8,
            flag,
            SUBPIXEL_BITS,
        )
    if truth is not None:
        wide = np.round(pen.width_px * (1.0 - 0.4 * loss))
        wide = np.maximum(wide, least_truth_px).astype(int)
        cuts = np.flatnonzero(np.diff(wide)) + 1
        starts = np.concatenate([[0], cuts])
        ends = np.concatenate([cuts, [len(wide)]])
        for w in sorted(set(wide.tolist())):
            runs = [integer[a : b + 1] for a, b in zip(starts, ends, strict=True) if wide[a] == w]
            cv2.polylines(truth, runs, False, 255, w, cv2.LINE_8, SUBPIXEL_BITS)


def dashes(rng: Rng, leg: Array, swing: Array, pen: Pen) -> Array:
    """Which of the short segments are drawn: (n,) bool."""
    if pen.style == "solid":
        drawn = np.ones(len(leg), bool)
        if pen.slope_loss > 0.75:  # a pen too fast for its ink: breaks on the steepest swings
            fast = swing > 0.9
            drawn[fast & (rng.random(len(leg)) < 0.25 * pen.slope_loss)] = False
        return drawn
    dash, gap = pen.dash_px
    # Dots of a chopper close up where the trace is steep: they come at equal depths, not lengths.
    by_depth = pen.style in ("dots", "ticks") and pen.irregular > 0.3
    arc = np.cumsum(leg * (1 - 0.4 * swing) if by_depth else leg) + pen.phase
    if pen.style == "dashdot":
        period = dash + 2 * gap + 3
        t = arc % period
        return (t < dash) | ((t > dash + gap) & (t < dash + gap + 3))
    if not pen.irregular:
        return arc % (dash + gap) < dash
    count = int(arc[-1] / (dash + gap)) * 2 + 4
    # Nobody could follow a curve over gaps much longer than the measured 60 px.
    spread = np.clip(np.exp(rng.normal(0, pen.irregular, (count, 2))), 0.4, 1.6)
    edges = np.cumsum((spread * [dash, gap]).ravel())
    on: Array = np.searchsorted(edges, arc) % 2 == 0
    return on


def polyline(
    canvas: Array, points: Array, level: int, width_px: int, flag: int = cv2.LINE_8
) -> None:
    """A plain line: (n, 2) float points, no dashes, no truth."""
    integer = np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
    cv2.polylines(canvas, [integer], False, int(level), max(1, width_px), flag, SUBPIXEL_BITS)

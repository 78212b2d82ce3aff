"""The curves of the tracks: what they measure, how they are drawn, what is shaded between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .draws import Array, Table
from .layout import Track
from .panels import pattern
from .shapes import Beds, companion, draw_beds, draw_values, kick
from .sheet import Colour, Sheet, gray
from .strokes import Pen, along_columns, along_rows, draw_pen, lay, stroke

DEPTH = Table(
    # 0.5 ft at 5 in/100 ft is 5 px at 200 dpi, at 1 in/100 ft one.
    inches_a_100_ft={"5": 0.4, "2": 0.3, "1": 0.15, "2.5": 0.15}, tidy=1.5,
    feet={"0.5": 0.7, "1": 0.2, "2": 0.1}, rows=(1.3, 12.0), bed_in=(0.025, 0.3), margin_rows=40,
)  # fmt: skip
CURVE = Table(
    width_log_sd=0.22, heavy=0.25, heavier=1.7, companion=0.3, along_columns=0.12, partial=0.12,
    overflow={"free": 0.4, "clip": 0.2, "wrap": 0.3, "drop": 0.1}, off_scale=4, least_samples=10,
    coarse_points=0.34, faint=0.3, faint_level=(55, 125), border_px=(0, 10), border_rest=0.3,
    right_border=0.3,
)  # fmt: skip
STILL = Table(if_dashed=0.06, at=(0.04, 0.96), off_line_px=4, on_line=0.3, line_px=(-3, 3),
              kicks=0.5, tremor_px=(0, 0.6), trembling=0.6)  # fmt: skip
FILL = Table(
    rows=(10, 400), to_neighbour=0.4, patterns={"hatch": 0.4, "dots": 0.1, "plain": 0.5},
    on_paper={"hatch": 0.85, "dots": 0.15}, unit_in=(0.04, 0.13), tint=(25, 160), solid=0.15,
)  # fmt: skip
BUNDLE = Table(curves=(8, 40), step_px=(2.2, 9.0), tremor_px=(0.0, 0.8), at=(0.02, 0.2))

Lines = Callable[[Track], tuple[Array, Array]]
"""Rows and columns, px, where lines of the grid stand in a track."""


def draw_curves(sheet: Sheet, truth: Array, tracks: list[Track], lines: Lines, y0: int,
                y1: int) -> int:  # fmt: skip
    """The curves of all tracks between rows y0 and y1, and how many they are.

    truth: uint8 (rows, columns), drawn into.
    """
    draws = sheet.draws
    rows_a_foot = sheet.dpi / 100 * draws.number(DEPTH.inches_a_100_ft)
    spacing = float(np.clip(rows_a_foot * draws.number(DEPTH.feet), *DEPTH.rows))
    spacing *= DEPTH.tidy if sheet.tidy else 1.0
    depth = np.arange(y0 - DEPTH.margin_rows, y1 + DEPTH.margin_rows + 4 * spacing, spacing)
    beds = draw_beds(draws, len(depth), sheet.log_inches(DEPTH.bed_in) / spacing)
    # A pen's faint strokes must not pale the grid below them; a renderer paints over.
    layer = np.zeros_like(sheet.ink) if sheet.kind.medium == "scan" else sheet.ink
    curves = 0
    for track in tracks:
        if track.kind == "curves":
            curves += Plot(sheet, track, beds, depth, *lines(track), layer, truth, y0, y1).draw()
    if layer is not sheet.ink:
        np.maximum(sheet.ink, layer, out=sheet.ink)
    return curves


@dataclass
class Plot:
    """The curves of one track."""

    sheet: Sheet
    track: Track
    beds: Beds
    depth: Array  # rows of the curves' samples
    rows: Array  # where lines of the grid stand, px
    columns: Array
    layer: Array  # what the curves' ink goes to
    truth: Array
    y0: int  # first row and end of what may be drawn on
    y1: int

    def draw(self) -> int:
        """All curves of the track, and what is shaded between them. Returns how many."""
        draws, table = self.sheet.draws, self.sheet.kind.curves
        if draws.chance(table.bare):
            return 0
        if draws.chance(table.bundle):
            return self._bundle()
        count, before = int(draws.number(table.per_track)), None
        for n in range(count):
            pen = self._pen(heavy=n > 0 and draws.chance(CURVE.heavy))
            before = self._curve(pen, self._values(pen, before), before)
        return count

    def _curve(self, pen: Pen, values: Array, before: Array | None) -> Array:
        """Lay one curve on the track and draw it; returns its values at all depths."""
        draws, table, track = self.sheet.draws, self.sheet.kind.curves, self.track
        overflow = "wrap" if np.ptp(values) > CURVE.off_scale else draws.pick(CURVE.overflow)
        part = slice(None)
        if draws.chance(CURVE.partial):  # from first reading to last
            a, b = np.sort(draws.rng.integers(0, len(values), 2))
            part = slice(a, max(b, a + CURVE.least_samples))
        runs = lay(values[part], self.depth[part], track.left, track.right, overflow)
        if draws.chance(table.along_rows) and len(self.rows):
            runs = [along_rows(draws, run, self.rows, track.width) for run in runs]
        if draws.chance(CURVE.along_columns) and len(self.columns):
            runs = [along_columns(draws, run, self.columns, pen.width_px) for run in runs]
        if len(runs) == 1 and draws.chance(table.filled):
            self._shade(runs[0], before, pen.colour)
        for run in runs:
            self._stroke(run, pen)
        return values

    def _stroke(self, run: Array, pen: Pen) -> None:
        inside = run[(run[:, 1] >= self.y0) & (run[:, 1] < self.y1)]
        if pen.casing_px and len(inside) > 1:
            self.sheet.path(inside, (0, 0, 0), round(pen.width_px) + 2 * pen.casing_px)
        stroke(self.sheet, inside, pen, self.layer, self.truth)

    def _pen(self, heavy: bool) -> Pen:
        sheet, draws, table = self.sheet, self.sheet.draws, self.sheet.kind.curves
        style = draws.pick(table.styles)
        width = sheet.pen_px * (CURVE.heavier if heavy else 1.0)
        colour = sheet.colour(draws.pick(table.inks))
        if not sheet.coarse:
            width *= float(np.exp(draws.normal(CURVE.width_log_sd)))
        elif draws.chance(CURVE.coarse_points):
            style = "points"
        if sheet.coarse and style != "solid" and draws.chance(CURVE.faint):
            colour = gray(draws.between(CURVE.faint_level))  # as light as the grid, or lighter
        return draw_pen(sheet, max(1.0, width), style, colour)

    def _values(self, pen: Pen, before: Array | None) -> Array:
        sheet, draws, table = self.sheet, self.sheet.draws, self.sheet.kind.curves
        still = table.still if pen.style == "solid" else max(table.still, STILL.if_dashed)
        if draws.chance(table.collars):
            pen.style = "solid"
            return self._still(pen, kicks=1.0)
        if draws.chance(still):
            return self._still(pen, STILL.kicks)
        if before is not None and draws.chance(CURVE.companion):
            return companion(draws, before)
        values = draw_values(draws, self.beds, table.shapes, sheet.liveliness)
        if draws.chance(table.at_border):  # at rest on the border or some pixels inside
            inset = draws.between(CURVE.border_px) / self.track.width
            rest = float(np.quantile(values, CURVE.border_rest))
            values = np.maximum(values - rest, 0) + inset
            values = 1 - values if draws.chance(CURVE.right_border) else values
        return values

    def _still(self, pen: Pen, kicks: float) -> Array:
        """A reading that never changes, ruled straight down; a collar locator's kicks.

        A solid one as gray as the grid keeps off its lines, for on them nobody could tell it.
        """
        draws, track = self.sheet.draws, self.track
        x = track.left + draws.between(STILL.at) * track.width
        coloured = len(set(pen.colour)) > 1
        if coloured and draws.chance(STILL.on_line) and len(self.columns):
            x = draws.one_of(self.columns.tolist()) + draws.between(STILL.line_px)
        elif pen.style == "solid" and not coloured:
            near = np.abs(self.columns - x).min(initial=99) < STILL.off_line_px
            x += STILL.off_line_px * near
        values = np.full(len(self.depth), (x - track.left) / track.width)
        if draws.chance(kicks):
            tremor = draws.between(STILL.tremor_px) * draws.chance(STILL.trembling)
            values += tremor / track.width * draws.noise(len(values))
            kick(draws, values)
        return values

    def _bundle(self) -> int:
        """Radii of a finger caliper: dozens of nearly straight curves side by side."""
        sheet, draws, track = self.sheet, self.sheet.draws, self.track
        step, tremor = draws.between(BUNDLE.step_px), draws.between(BUNDLE.tremor_px)
        first = track.left + draws.between(BUNDLE.at) * track.width
        places = np.arange(first, track.right, step)[: draws.whole(BUNDLE.curves)]
        for x in places:
            colour = sheet.colour(draws.pick(sheet.kind.curves.inks))
            trembling = x + tremor * draws.noise(len(self.depth))
            run = np.stack([trembling, self.depth], axis=1)
            self._stroke(run, draw_pen(sheet, 1.0, "solid", colour))
        return len(places)

    def _shade(self, run: Array, before: Array | None, colour: Colour) -> None:
        """Fill between a curve and a border, or the curve before. It is no truth."""
        sheet, draws, track = self.sheet, self.sheet.draws, self.track
        a = draws.whole((0, len(run) - 1))
        part = run[a : a + int(draws.log_between(FILL.rows))]
        part = part[(part[:, 1] >= self.y0) & (part[:, 1] < self.y1)]
        if len(part) < 3:
            return
        x = np.full(len(part), draws.one_of((track.left, track.right)))
        if before is not None and draws.chance(FILL.to_neighbour):
            x = track.left + np.interp(part[:, 1], self.depth, before) * track.width
        other = np.stack([np.clip(x, track.left, track.right), part[:, 1]], axis=1)
        area = np.round(np.concatenate([part, other[::-1]])).astype(np.int32)
        rows = slice(int(part[0, 1]), int(part[-1, 1]) + 1)
        cell = np.zeros((sheet.rows, sheet.columns), np.uint8)
        inside = cv2.fillPoly(cell, [area], 255)[rows] > 0
        name, tint = draws.pick(FILL.patterns if sheet.tidy else FILL.on_paper), None
        if name == "plain" and not draws.chance(FILL.solid):
            paler = draws.between(FILL.tint) / 255
            red, green, blue = sheet.any_colour(0.7)
            tint = (int(red * paler), int(green * paler), int(blue * paler))
        elif name == "plain":
            tint = colour
        unit = round(sheet.inches(FILL.unit_in)) + 3
        fill = pattern(sheet, name, unit, inside.shape, colour, tint)
        sheet.ink[rows][inside] = np.maximum(sheet.ink[rows], fill)[inside]

"""The curves of one track: what they measure, how they are drawn, what is shaded between them."""

from __future__ import annotations

import cv2
import numpy as np

from .draws import Array, Table
from .layout import Track
from .ruling import Ruling, column_lines
from .shapes import Beds, collar_locator, companion, draw_beds, draw_values, pips
from .sheet import Colour, Sheet, gray
from .strokes import Pen, along_columns, along_rows, draw_pen, lay, stroke

DEPTH = Table(
    # 0.5 ft at 5 in/100 ft is 5 px at 200 dpi, at 1 in/100 ft one.
    inches_a_100_ft={"5": 0.4, "2": 0.3, "1": 0.15, "2.5": 0.15},
    feet={"0.5": 0.7, "1": 0.2, "2": 0.1}, rows=(1.3, 12.0), bed_in=(0.025, 0.3), margin_rows=40,
)  # fmt: skip
CURVE = Table(
    width_log_sd=0.22, heavy=1.7, partial=0.12, still_if_dashed=0.06, still_at=(0.04, 0.96),
    still_off_line_px=4, border_px=(0, 10), pips=0.5, coarse_points=0.34, faint=0.3,
    faint_level=(55, 125), off_scale=4,
)  # fmt: skip
FILL = Table(
    rows=(10, 400), to_neighbour=0.4, tinted=0.5, dotted=0.15, step_in=(0.03, 0.12),
    tint=(25, 160), solid=0.15,
)  # fmt: skip
BUNDLE = Table(curves=(8, 40), step_px=(2.2, 9.0), tremor_px=(0.0, 0.8))


def draw_curves(sheet: Sheet, truth: Array, tracks: list[Track], ruling: Ruling,
                y0: int, y1: int, phase: float) -> list[Pen]:  # fmt: skip
    """The curves of all tracks between rows y0 and y1; their pens. truth: uint8, drawn into."""
    draws, table = sheet.draws, sheet.kind.curves
    spacing = draw_spacing(sheet)
    samples = int((y1 - y0 + 2 * DEPTH.margin_rows) / spacing) + 4
    depth = y0 - DEPTH.margin_rows + np.arange(samples) * spacing
    beds = draw_beds(draws, samples, sheet.log_inches(DEPTH.bed_in) / spacing)
    rows = np.arange(y0 + (phase - y0) % ruling.row_step, y1, ruling.row_step)
    # A pen's faint strokes must not pale the grid below them; a renderer paints over.
    layer = np.zeros_like(sheet.ink) if sheet.kind.medium == "scan" else sheet.ink
    pens: list[Pen] = []
    for track in tracks:
        seen = track.right > 0 and track.left < sheet.columns
        if track.kind != "curves" or not seen or draws.chance(table.bare):
            continue
        columns = np.array([x for x, _ in column_lines(track)] + [track.left, track.right])
        pens += draw_track(sheet, track, beds, depth, rows, columns, layer, truth, (y0, y1))
    if layer is not sheet.ink:
        np.maximum(sheet.ink, layer, out=sheet.ink)
    return pens


def draw_spacing(sheet: Sheet) -> float:
    """Rows between depth samples."""
    draws = sheet.draws
    rows_a_foot = sheet.dpi / 100 * draws.number(DEPTH.inches_a_100_ft)
    spacing = float(np.clip(rows_a_foot * draws.number(DEPTH.feet), *DEPTH.rows))
    return spacing * (1.5 if sheet.tidy else 1.0)


def draw_track(sheet: Sheet, track: Track, beds: Beds, depth: Array, rows: Array, columns: Array,
               layer: Array, truth: Array, zone: tuple[int, int]) -> list[Pen]:  # fmt: skip
    """The curves of one track, and what is shaded between them. Returns their pens.

    depth: rows of the curves' samples. rows, columns: where lines of the grid stand, px.
    layer: what the curves' ink goes to. zone: first row and end of what may be drawn on.
    """
    draws, table = sheet.draws, sheet.kind.curves
    if draws.chance(table.bundle):
        return _bundle(sheet, track, depth, layer, truth, zone)
    pens: list[Pen] = []
    before: Array | None = None
    for n in range(int(draws.number(table.per_track))):
        pen = _draw_pen(sheet, heavy=n > 0 and draws.chance(table.heavy))
        pens.append(pen)
        values = _values(sheet, track, columns, beds, pen, before)
        overflow = "wrap" if np.ptp(values) > CURVE.off_scale else draws.pick(table.overflow)
        where = depth
        if draws.chance(CURVE.partial):  # from first reading to last
            a, b = np.sort(draws.rng.integers(0, len(values), 2))
            if b - a > 10:
                values, where = values[a:b], depth[a:b]
        runs = lay(values, where, track.left, track.right, overflow)
        if draws.chance(table.along_rows) and len(rows):
            runs = [along_rows(draws, run, rows, track.width) for run in runs]
        if draws.chance(table.along_columns) and len(columns):
            runs = [along_columns(draws, run, columns, pen.width_px) for run in runs if len(run)]
        if len(runs) == 1 and draws.chance(table.filled):
            _shade(sheet, runs[0], track, before, depth, pen.colour, zone)
        before = np.interp(depth, where, values)
        for run in runs:
            inside = run[(run[:, 1] >= zone[0]) & (run[:, 1] < zone[1])]
            if pen.casing_px and len(inside) > 1:
                sheet.path(inside, (0, 0, 0), round(pen.width_px) + 2 * pen.casing_px)
            stroke(sheet, inside, pen, layer, truth)
    return pens


def _draw_pen(sheet: Sheet, heavy: bool) -> Pen:
    draws, table = sheet.draws, sheet.kind.curves
    style = draws.pick(table.styles)
    if sheet.coarse and draws.chance(CURVE.coarse_points):
        style = "points"
    width = sheet.pen_px * (CURVE.heavy if heavy else 1.0)
    if not sheet.coarse:
        width *= float(np.exp(draws.normal(CURVE.width_log_sd)))
    colour = sheet.colour(draws.pick(table.inks))
    if sheet.coarse and style != "solid" and draws.chance(CURVE.faint):
        colour = gray(draws.between(CURVE.faint_level))  # as light as the grid, or lighter
    return draw_pen(sheet, max(1.0, width), style, colour)


def _values(sheet: Sheet, track: Track, columns: Array, beds: Beds, pen: Pen,
            before: Array | None) -> Array:  # fmt: skip
    draws, table = sheet.draws, sheet.kind.curves
    samples = beds.samples
    if draws.chance(table.collars):
        pen.style = "solid"
        return collar_locator(draws, samples, track.width)
    still = table.still if pen.style == "solid" else max(table.still, CURVE.still_if_dashed)
    if draws.chance(still):
        return _still(sheet, track, columns, samples, pen)
    if before is not None and draws.chance(table.companion):
        return companion(draws, before)
    values = draw_values(draws, beds, table.shapes, sheet.liveliness)
    if draws.chance(table.at_border):  # at rest on the border or some pixels inside
        inset = draws.between(CURVE.border_px) / track.width
        rest = float(np.quantile(values, 0.3))
        values = np.maximum(values - rest, 0) + inset
        values = values if draws.chance(0.7) else 1 - values
    return values


def _still(sheet: Sheet, track: Track, columns: Array, samples: int, pen: Pen) -> Array:
    """A reading that never changes, ruled straight down.

    A solid one as gray as the grid keeps off its lines, for on them nobody could tell it.
    """
    draws = sheet.draws
    x = track.left + draws.between(CURVE.still_at) * track.width
    coloured = len(set(pen.colour)) > 1
    near = np.abs(columns - x).min(initial=99) < CURVE.still_off_line_px
    if pen.style == "solid" and not coloured and near:
        x += CURVE.still_off_line_px
    elif coloured and draws.chance(0.3) and len(columns):  # on a line, or just beside it
        x = draws.one_of(columns.tolist()) + draws.between((-3, 3))
    values = np.full(samples, (x - track.left) / track.width)
    if draws.chance(CURVE.pips):
        pips(draws, values)
    return values


def _bundle(sheet: Sheet, track: Track, depth: Array, layer: Array, truth: Array,
            zone: tuple[int, int]) -> list[Pen]:  # fmt: skip
    """Radii of a finger caliper: dozens of nearly straight curves side by side."""
    draws = sheet.draws
    step, tremor = draws.between(BUNDLE.step_px), draws.between(BUNDLE.tremor_px)
    pens = []
    x = track.left + draws.between((0.02, 0.2)) * track.width
    for _ in range(draws.whole(BUNDLE.curves)):
        if x > track.right:
            break
        pen = draw_pen(sheet, 1.0, "solid", sheet.colour(draws.pick(sheet.kind.curves.inks)))
        line = np.stack([x + tremor * draws.noise(len(depth)), depth], axis=1)
        inside = line[(depth >= zone[0]) & (depth < zone[1])]
        stroke(sheet, inside, pen, layer, truth)
        pens.append(pen)
        x += step
    return pens


def _shade(sheet: Sheet, run: Array, track: Track, before: Array | None, depth: Array,
           colour: Colour, zone: tuple[int, int]) -> None:  # fmt: skip
    """Fill between a curve and a border, or the curve before: tint, hatching or dots, no truth."""
    draws = sheet.draws
    a = draws.whole((0, len(run) - 1))
    part = run[a : a + int(draws.log_between(FILL.rows))]
    part = part[(part[:, 1] >= zone[0]) & (part[:, 1] < zone[1])]
    if len(part) < 3:
        return
    if before is not None and draws.chance(FILL.to_neighbour):
        x = track.left + np.interp(part[:, 1], depth, before) * track.width
    else:
        x = np.full(len(part), track.left if draws.chance(0.5) else track.right)
    other = np.stack([np.clip(x, track.left, track.right), part[:, 1]], axis=1)
    shape = np.zeros((sheet.rows, sheet.columns), np.uint8)
    cv2.fillPoly(shape, [np.round(np.concatenate([part, other[::-1]])).astype(np.int32)], 255)
    rows = slice(int(part[0, 1]), int(part[-1, 1]) + 1)
    cell, target = shape[rows] > 0, sheet.ink[rows]
    pattern = sheet.part(len(target), sheet.columns)
    step = sheet.inches(FILL.step_in) + 2
    if not sheet.tidy or not draws.chance(FILL.tinted):
        if draws.chance(FILL.dotted):
            for y in np.arange(0, len(target), step):
                for column in np.arange(0, sheet.columns, step):
                    pattern.circle(column, y, sheet.fine_px, colour, -1)
        else:
            pattern.hatch(-len(target), 0, sheet.columns, len(target), step, colour, sheet.fine_px)
    elif draws.chance(FILL.solid):
        pattern.ink[...] = np.array(colour[: pattern.ink.shape[-1]])
    else:
        paler = draws.between(FILL.tint) / 255
        pattern.ink[...] = (np.array(sheet.any_colour(0.7)) * paler).astype(np.uint8)
    target[cell] = np.maximum(target[cell], pattern.ink[cell])

"""The curves of the tracks: what they measure, how they are drawn, what is shaded between them.

Values are float (samples,), 0 the left border of a track and 1 the right one. They may leave it:
what happens then (wrap, clip, run into the next track) is decided when they are laid on the track.
The curves of a log measure the same beds, so they share bed boundaries."""

from dataclasses import dataclass

import cv2
import numpy as np

from .grid import Track, column_lines
from .panels import pattern
from .sheet import Array, Colour, Draws, Sheet, Table, gray
from .strokes import along_rows, draw_pen, lay, stroke

MARGIN_ROWS = 40

Beds = tuple[Array, Array]  # bed of every depth sample, int (samples,); sandiness 0..1, (beds,)


def draw_beds(draws: Draws, samples: int, thickness: float) -> Beds:
    """Beds of lognormal thickness, median ``thickness`` samples: sand, shale, or between."""
    count = int(samples / thickness * 2) + 8
    ends = np.cumsum(np.maximum(1, draws.rng.lognormal(np.log(thickness), 0.9, count)))
    index = np.searchsorted(ends, np.arange(samples), side="right")
    return np.minimum(index, count - 1), draws.rng.beta(3, 3, count)


def smooth(values: Array, sigma: float) -> Array:
    """Gaussian smoothing of a vector; sigma in samples, ends replicated."""
    return cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE).ravel()


def drift(draws: Draws, samples: int, length: float) -> Array:
    """Slow wander of unit standard deviation and the given correlation length in samples."""
    knots = max(4, int(samples / max(length, 1.0)) + 4)
    at = np.linspace(0, knots - 1, samples)
    return smooth(np.interp(at, np.arange(knots), draws.rng.standard_normal(knots)), length * 0.35)


def outliers(draws: Draws, count: int, share: float, size: float) -> Array:
    """Heights of that share of so many, always to the right; the others are 0."""
    return (draws.rng.random(count) < share) * draws.rng.gamma(1.3, size, count)


def draw_values(draws: Draws, beds: Beds, name: str, swing: float) -> Array:
    """One curve of the shape ``name``: float (samples,), mostly within [0, 1]. swing: scales how
    far it swings; about 1."""
    (index, sand), how = beds, draws.table("shape", name)
    n, count = len(index), len(sand)
    x: Array = how.at + how.slope * np.arange(n) / 1000
    x += how.wander * drift(draws, n, how.wander_length)
    if how.contrast:  # what a tool reads of the beds
        level = how.sand * sand + 0.08 * draws.rng.standard_normal(count)
        level += outliers(draws, count, how.odd, how.odd_size)
        x += how.contrast * smooth((level - level.mean())[index], how.blur)
    if how.peaks:
        bunch = np.exp(1.2 * drift(draws, n, how.wander_length))
        heights = outliers(draws, n, how.peaks * bunch / bunch.mean(), how.peak_size)
        side = draws.one_of((-1, 1)) if how.both_sides else 1
        x += side * max(1.0, 2.5 * how.peak_wide) * smooth(heights, how.peak_wide)
    if how.knots:
        count = int(2 * n / how.knots) + 9
        at = np.cumsum(how.knots * draws.rng.lognormal(0, how.uneven, count)) - how.knots
        heights = how.knot_swing * (draws.rng.standard_normal(count) + 1.5 * drift(draws, count, 8))
        heights += outliers(draws, count, how.shows, 0.3)
        last = np.searchsorted(at, np.arange(n), side="right") - 1
        x += heights[last] if how.held else np.interp(np.arange(n), at, heights)
    x += how.noise * smooth(draws.rng.standard_normal(n), how.noise_blur)
    centre = float(np.median(x))
    place = how.place if how.moved else centre
    x = place + (x - centre) * swing * how.gain
    return 1 - x if how.mirrored else x


def kick(draws: Draws, values: Array) -> None:
    """A collar locator's kicks at each collar of the casing, in place: short, to both sides."""
    every = draws.table("kick").every
    for at in np.arange(draws.of([0.0, every]), len(values) - 8, every):
        how = draws.table("kick")
        start = int(at) + draws.of([0, 3])
        values[start : start + how.long] += how.size * draws.rng.standard_normal(how.long)


def draw_curves(
    sheet: Sheet, truth: Array, tracks: list[Track], ruling: Table, rows: Array, y0: int, y1: int
) -> None:
    """Draw the curves of all tracks between rows y0 and y1, and list them in ``sheet.curves``.
    truth: uint8 (rows, columns), drawn into. rows: where the grid has lines, px."""
    how = sheet.table("depth")
    spacing = sheet.dpi / 100 * how.inches_a_100_ft * how.feet
    spacing = float(np.clip(spacing, 1.3, 12.0)) * (1.5 if sheet.tidy else 1.0)
    depth = np.arange(y0 - MARGIN_ROWS, y1 + MARGIN_ROWS + 4 * spacing, spacing)
    beds = draw_beds(sheet.draws, len(depth), how.bed / spacing)
    # A pen's faint strokes must not pale the grid below them; a renderer paints over.
    layer = np.zeros_like(sheet.ink) if sheet.scanned else sheet.ink
    for track in tracks:
        if track.kind == "curves" and not sheet.draws.of(sheet.kind.bare):
            borders = [(x, "border") for x in (track.left, track.right)]
            columns, weights = zip(*column_lines(track), *borders, strict=True)
            px = [ruling.px[it] * (it in ruling.columns or it == "border") for it in weights]
            grid = rows, np.array(columns), np.array(px)
            plot = Plot(sheet, track, beds, depth, *grid, layer, truth, y0, y1)
            before = None
            for _ in range(int(sheet.draws.of(sheet.kind.per_track))):
                before = plot.curve(before)
    if sheet.scanned:
        np.maximum(sheet.ink, layer, out=sheet.ink)


@dataclass
class Plot:
    """The curves of one track."""

    sheet: Sheet
    track: Track
    beds: Beds
    depth: Array  # rows of the curves' samples
    rows: Array  # where lines of the grid stand, px
    columns: Array
    columns_px: Array
    layer: Array  # what the curves' ink goes to
    truth: Array
    y0: int  # first row and end of what may be drawn on
    y1: int

    def curve(self, before: Array | None) -> Array:
        """One curve and what is shaded beside it; returns its values at all depths. before: those
        of the curve drawn before it in the track."""
        sheet, draws, kind = self.sheet, self.sheet.draws, self.sheet.kind
        track, how = self.track, sheet.table("curve")
        overflow = how.overflow
        collars = draws.of(kind.collars)
        pen = self._pen(how, "solid" if collars else draws.of(kind.styles))
        dashed = pen.style != "solid" and how.still_dashed
        if collars or dashed or draws.of(kind.still):
            values = self._still(pen, collars)
        elif before is not None and how.companion:
            # A second reading of the same (medium and deep): it shares the path, parts, comes back.
            away = np.maximum(0, drift(draws, len(before), how.together))
            values = smooth(before, how.blur) + how.parted * away
        else:
            values = draw_values(draws, self.beds, draws.of(kind.shapes), sheet.swing)
            if draws.of(kind.at_border):  # at rest on the border or some pixels inside
                values = np.maximum(values - np.quantile(values, how.rest), 0)
                values += how.border_px / track.width
                values = 1 - values if how.right else values
            elif draws.of(kind.off_scale):  # but for spikes, which reach in from a border
                values = how.reach * (values - np.quantile(values, how.hidden))
                values, overflow = 1 - values if how.right else values, "hide"
        if np.ptp(values) > 4 and overflow != "hide":
            overflow = "wrap"
        runs = lay(values, self.depth, track.left, track.right, overflow)
        if len(self.rows) and draws.of(kind.along_rows):
            runs = [along_rows(draws, run, self.rows, track.width) for run in runs]
        if len(runs) == 1 and draws.of(kind.filled):
            self._shade(runs[0], before, pen.colour)
        elif len(runs) > 1 and overflow == "wrap" and how.backed and not sheet.scanned:
            beyond = lay(values - 1, self.depth, track.left, track.right, "clip")[0]
            self._shade(beyond, None, pen.colour, wraps=True)
        for run in runs:
            stroke(sheet, self._within(run), pen, self.layer, self.truth)
        sheet.curves.append(pen)
        return values

    def _within(self, run: Array) -> Array:
        return run[(run[:, 1] >= self.y0) & (run[:, 1] < self.y1)]

    def _pen(self, how: Table, style: str) -> Table:
        sheet = self.sheet
        width_px, colour = sheet.pen_px * how.wide, sheet.any_colour()
        if sheet.coarse:
            width_px = how.coarse_wide
            style = "points" if how.coarse_points else style
            if style != "solid" and how.faint:
                colour = gray(how.faint_level)
        return draw_pen(sheet, max(1.0, width_px), style, colour)

    def _still(self, pen: Table, collars: bool) -> Array:
        """A reading that never changes, ruled straight down; a collar locator's kicks. On a line
        of the grid nobody could tell one as gray, solid and thin as that: it keeps off."""
        draws, track = self.sheet.draws, self.track
        how = self.sheet.table("still")
        x = track.left + how.at * track.width
        coloured = len(set(pen.colour)) > 1
        told = coloured | (how.thicker * self.columns_px < pen.width_px)
        if how.on_line and told.any():
            x = draws.one_of(self.columns[told].tolist()) + how.line_px
        elif pen.style == "solid":
            near = np.abs(self.columns - x)[~told].min(initial=99) < how.off_line_px
            x += how.off_line_px if near else 0
        values = np.full(len(self.depth), (x - track.left) / track.width)
        if collars:
            values += how.tremor_px / track.width * draws.rng.standard_normal(len(values))
            kick(draws, values)
        return values

    def _shade(self, run: Array, before: Array | None, colour: Colour, wraps: bool = False) -> None:
        """Fill between a curve and a border, or the curve before. It is no truth.
        wraps: all of what wraps, from the left border."""
        sheet, draws, track = self.sheet, self.sheet.draws, self.track
        how = sheet.table("fill")
        run = self._within(run if wraps else run[draws.of([0, len(run) - 1]) :][: int(how.rows)])
        if len(run) < 3:
            return
        x = np.full(len(run), track.left if wraps else draws.one_of((track.left, track.right)))
        if before is not None and how.to_neighbour:
            x = track.left + np.interp(run[:, 1], self.depth, before) * track.width
        other = np.column_stack([np.clip(x, track.left, track.right), run[:, 1]])
        name, tint = how.render if sheet.tidy else how.paper, None
        if name == "plain":
            coloured = draws.of(sheet.kind.tinted) and not how.solid
            tint = sheet.colour(how.tint) if coloured else colour
        first, end = int(run[0, 1]), int(run[-1, 1]) + 1
        cell = sheet.ink[first:end]
        area = np.round(np.concatenate([run, other[::-1]]) - [0, first]).astype(np.int32)
        inside = cv2.fillPoly(np.zeros(cell.shape[:2], np.uint8), [area], 255) > 0
        fill = pattern(sheet, name, round(how.unit) + 3, cell.shape, colour, tint)
        cell[inside] = np.maximum(cell, fill)[inside]

"""One log from nothing: paper, tracks, curves, everything else on the page, then the scanner."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from . import damage, forms, furniture, panels
from .curves import Beds, companion, draw_beds, draw_values, hug, lay, pips, ride
from .grid import Ruling, Track, column_lines, draw_ruling, rule
from .handling import handle_margins
from .layout import draw_tracks
from .lettering import put
from .pen import Pen, draw_pen, polyline, stroke
from .recipe import (
    COARSE_PAGE_IN,
    FAINT_LEVELS,
    INK_LEVELS,
    PRESETS,
    Array,
    Paper,
    Preset,
    Rng,
    between,
    chance,
    draw_paper,
    log_between,
    pick,
)

STYLES = {"solid": 0.64, "long": 0.12, "short": 0.08, "dots": 0.10, "ticks": 0.02, "dashdot": 0.04}
COARSE_STYLES = {"solid": 0.56, "points": 0.34, "short": 0.1}
OVERFLOW = {"free": 0.4, "clip": 0.2, "wrap": 0.3, "drop": 0.1}


@dataclass(frozen=True)
class Log:
    """image: uint8 (rows, columns), 0 black ink .. 255 paper. mask: uint8, same shape, 255 curve,
    0 background, 128 a curve whose ink vanished: not to be scored. about: how it was drawn (kind of
    paper, dpi, number of curves, ...)."""

    image: Array
    mask: Array
    about: dict[str, object] = field(default_factory=dict)


def draw_log(seed: int, index: int, preset: str = "quick") -> Log:
    """The log number ``index`` of the corpus ``seed``: always the same bytes.

    preset: tiny, quick, train or full (see recipe.PRESETS for sizes in rows x columns).
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
    recipe = PRESETS[preset]
    rng = np.random.default_rng((seed, index))
    paper = draw_paper(rng, recipe)
    rows, columns = draw_size(rng, recipe)
    if paper.coarse:
        columns = min(columns, int(paper.dpi * between(rng, COARSE_PAGE_IN)))
    ink = np.zeros((rows, columns), np.uint8)
    truth = np.zeros_like(ink)
    curves = 0
    if chance(rng, recipe.text_pages):
        text_page(rng, paper, ink)
    else:
        curves = log_page(rng, paper, ink, truth, recipe)
    finish = {"scan": damage.develop, "print": damage.print_scan}.get(paper.kind)
    image, mask = finish(rng, paper, ink, truth) if finish else damage.export(rng, ink, truth)
    about: dict[str, object] = {
        "kind": paper.kind,
        "dpi": round(paper.dpi),
        "curves": curves,
        "preset": preset,
    }
    return Log(image, mask, about)


def kind_of(seed: int, index: int, preset: str) -> str:
    """What kind of image that log is, without drawing it: "bilevel" or "colour" (read as gray)."""
    paper = draw_paper(np.random.default_rng((seed, index)), PRESETS[preset])
    return "bilevel" if paper.kind == "scan" else "colour"


def draw_size(rng: Rng, recipe: Preset) -> tuple[int, int]:
    columns = int(log_between(rng, recipe.columns))
    most = min(recipe.rows[1], recipe.max_mpx * 1e6 / columns)
    return int(log_between(rng, (min(recipe.rows[0], most * 0.9), most))), columns


def text_page(rng: Rng, paper: Paper, ink: Array) -> None:
    """A page without a curve: header, tables, or next to nothing."""
    rows, columns = ink.shape
    kind = pick(rng, {"header": 0.6, "heads": 0.17, "blank": 0.06, "grid": 0.17})
    if kind == "header":
        margin = int(columns * between(rng, (0, 0.12)))
        ink[:, margin : columns - margin] = forms.header(rng, paper, rows, columns - 2 * margin)
    elif kind == "heads":
        pens = [draw_pen(rng, paper.curve_px, paper.dpi, paper.tidy, style) for style in STYLES]
        tracks, y = draw_tracks(rng, paper, columns), 0
        while y < rows:
            below = y + int(paper.dpi * between(rng, (0.6, 3)))
            for t in tracks:
                furniture.scale_box(rng, paper, ink, t, y, below, pens)
            y = below + int(paper.dpi * between(rng, (0, 0.4)))
    elif kind == "grid":
        ruling = draw_ruling(rng, paper)
        tracks = draw_tracks(rng, paper, columns)
        phase = rng.uniform(0, ruling.row_step * ruling.bold_every)
        rule(ink, rng, paper, ruling, tracks, 0, rows, phase)
        clutter(rng, paper, ink, tracks, ruling, 0, rows, phase)
    for _ in range(rng.poisson(0.3)):
        furniture.note(ink, rng, paper, rng.uniform(0, columns), rng.uniform(0, rows))
        mark = furniture.stamp(rng, paper)
        put(ink, mark, rng.uniform(0, columns), rng.uniform(0, rows))
    if paper.handled and chance(rng, paper.handled):
        handle_margins(ink, rng, paper)


def log_page(rng: Rng, paper: Paper, ink: Array, truth: Array, recipe: Preset) -> int:
    """Tracks with curves, perhaps under, over or between blocks of header. Returns the curves."""
    rows, columns = ink.shape
    zones = [(0, rows)]
    if chance(rng, recipe.headed):
        block = int(min(rows * between(rng, (0.15, 0.5)), paper.dpi * 9))
        at = int(rng.choice((0, rows - block, int(rng.integers(0, rows - block + 1)))))
        margin = int(columns * between(rng, (0, 0.1)))
        ink[at : at + block, margin : columns - margin] = forms.header(
            rng, paper, block, columns - 2 * margin
        )
        zones = [z for z in ((0, at), (at + block, rows)) if z[1] - z[0] > 60]
    tracks = draw_tracks(rng, paper, columns)
    ruling = draw_ruling(rng, paper)
    if paper.handled and chance(rng, 0.5 * paper.handled):
        handle_margins(ink, rng, paper)
    return sum(log_zone(rng, paper, ink, truth, tracks, ruling, y0, y1) for y0, y1 in zones)


def log_zone(
    rng: Rng, paper: Paper, ink: Array, truth: Array, tracks: list[Track], ruling: Ruling,
    y0: int, y1: int,
) -> int:  # fmt: skip
    """One stretch of log between rows y0 and y1: grid, panels, curves, clutter."""
    columns = ink.shape[1]
    pens: list[Pen] = []
    phase = y0 + rng.uniform(0, ruling.row_step * ruling.bold_every)
    if chance(rng, 0.07) and y1 - y0 > paper.dpi * 2:  # the heads of the tracks, then the log
        top = y0
        y0 += int(paper.dpi * between(rng, (0.5, 1.6)))
        sample = [
            draw_pen(rng, paper.curve_px, paper.dpi, paper.tidy, pick(rng, STYLES))
            for _ in range(3)
        ]
        for t in tracks:
            furniture.scale_box(rng, paper, ink, t, top, y0, sample)
    start = y0 + int(paper.dpi * between(rng, (0, 1))) if chance(rng, 0.1) else y0
    end = y1 - int(paper.dpi * between(rng, (0, 1))) if chance(rng, 0.1) else y1
    if end - start < 16:
        return 0
    rule(ink, rng, paper, ruling, tracks, start, end, phase)
    for t in tracks:
        if t.kind in panels.PANELS and t.right > 0 and t.left < columns:
            panels.PANELS[t.kind](ink, rng, paper, t, start, end)
        elif t.kind == "depth":
            panels.depth_numbers(ink, rng, paper, t, start, end, phase, ruling.row_step)
    clutter(rng, paper, ink, tracks, ruling, start, end, phase)

    part = ink[start:end]
    # A pen's faint strokes must not pale the grid below them; a renderer paints over.
    layer = part if paper.kind != "scan" else np.zeros_like(part)
    spacing = draw_spacing(rng, paper)
    margin = 40
    if paper.tidy:
        spacing *= 1.5
    samples = int((end - start + 2 * margin) / spacing) + 4
    depth = -margin + np.arange(samples) * spacing
    beds = draw_beds(rng, samples, paper.dpi * log_between(rng, (0.025, 0.3)) / spacing)
    for t in tracks:
        if t.kind != "curves" or t.right < 0 or t.left > columns:
            continue
        if paper.bare and chance(rng, paper.bare):
            continue
        lines = np.arange((phase - start) % ruling.row_step, end - start, ruling.row_step)
        down = np.array([x for x, _ in column_lines(t)] + [t.left, t.right])
        pens += draw_track(rng, paper, t, beds, depth, (lines, down), part, layer, truth[start:end])
    if layer is not part:
        np.maximum(part, layer, out=part)
    return len(pens)


def draw_spacing(rng: Rng, paper: Paper) -> float:
    """Rows between depth samples: 0.5 ft at 5 in/100 ft is 5 px at 200 dpi, at 1 in/100 ft one."""
    per_foot = paper.dpi / 100 * float(pick(rng, {"5": 0.4, "2": 0.3, "1": 0.15, "2.5": 0.15}))
    step = float(pick(rng, {"0.5": 0.7, "1": 0.2, "2": 0.1}))
    return float(np.clip(per_foot * step, 1.3, 12.0))


def draw_track(
    rng: Rng, paper: Paper, track: Track, beds: Beds, depth: Array, lines: tuple[Array, Array],
    ink: Array, layer: Array, truth: Array,
) -> list[Pen]:  # fmt: skip
    """The curves of one track, and what is shaded between them. Returns their pens.

    depth: rows of the curves' samples. lines: rows, and columns, of the grid's lines. ink: what is on the page
    already. layer, truth: what the curves are drawn into. All of one stretch, in px.
    """
    count = int(rng.choice((1, 2, 3, 4), p=(0.42, 0.34, 0.16, 0.08)))
    pens: list[Pen] = []
    values: list[Array] = []
    rows = ink.shape[0]
    for n in range(count):
        x = (
            companion(rng, values[-1])
            if n and chance(rng, 0.3)
            else draw_values(rng, beds, paper.liveliness)
        )
        style = pick(rng, COARSE_STYLES if paper.coarse else STYLES)
        if style == "dots" and paper.kind == "render" and chance(rng, 0.6):
            style = "points"
        if chance(rng, max(paper.still, 0.06 if style != "solid" else 0.0)):
            x = constant(rng, track, lines[1], len(x), style == "solid")
        if paper.collars and chance(rng, paper.collars):
            style, x = "solid", collar_locator(rng, track, len(x))
        values.append(x)
        width = paper.curve_px * (1.0 if paper.coarse else float(np.exp(rng.normal(0, 0.22))))
        if n and chance(rng, 0.25):
            width *= 1.7  # the heavy one
        pen = draw_pen(rng, max(1.0, width), paper.dpi, paper.tidy, style)
        if paper.kind != "scan":
            pen.level = int(pick(rng, INK_LEVELS))
        if paper.coarse and style != "solid" and paper.faint and chance(rng, paper.faint):
            pen.level = int(between(rng, FAINT_LEVELS))
        pens.append(pen)
        overflow = pick(rng, OVERFLOW)
        if x.max() - x.min() > 4:
            overflow = "wrap"
        if chance(rng, 0.12):  # from first reading to last
            a, b = np.sort(rng.integers(0, len(x), 2))
            first, last = (a, b) if b - a > 10 else (0, len(x))
            x, where = x[first:last], depth[first:last]
        else:
            where = depth
        runs = lay(x, where, track.left, track.right, overflow)
        if chance(rng, 0.22) and len(lines[0]):
            runs = [ride(rng, run, lines[0], track.width) for run in runs]
        if chance(rng, 0.12) and len(lines[1]):
            runs = [hug(rng, run, lines[1], pen.width_px) for run in runs if len(run)]
        if chance(rng, 0.14 if paper.tidy else 0.05) and len(runs) == 1:
            shade(rng, paper, ink, runs[0], track)
        for run in runs:
            inside = (run[:, 1] > -60) & (run[:, 1] < rows + 60)
            if pen.white_casing_px and inside.any():
                wide = round(pen.width_px) + 2 * pen.white_casing_px
                polyline(ink, run[inside], 0, wide)
            stroke(rng, run[inside], pen, layer, truth, paper.antialias, 1 if paper.tidy else 2)
    return pens


def constant(rng: Rng, track: Track, columns: Array, samples: int, solid: bool) -> Array:
    """A reading that never changes, ruled straight down: values, (samples,).

    A solid one keeps off the lines of the grid, for on them nobody could tell it, and may have a collar
    locator's pips.
    """
    at = track.left + between(rng, (0.04, 0.96)) * track.width
    if solid:
        at += 4.0 * (np.abs(columns - at).min(initial=99) < 4)
    values = np.full(samples, (at - track.left) / track.width)
    if chance(rng, 0.5):
        pips(rng, values)
    return values


def collar_locator(rng: Rng, track: Track, samples: int) -> Array:
    """Straight down, trembling by a pixel or not at all; at each collar of the casing it kicks: values, (samples,).

    Measured on 33-023-01135 and 33-025-02191, at 70 dpi: kicks of 5-8 rows, to both sides, 15-40 px wide in all.
    """
    tremor_px = between(rng, (0, 0.6)) if chance(rng, 0.6) else 0.0
    values = between(rng, (0.04, 0.96)) + tremor_px / track.width * rng.standard_normal(samples)
    every = log_between(rng, (25, 150))
    at = between(rng, (0, every))
    while at < samples - 6:
        kick = between(rng, (0.02, 0.18)) * rng.standard_normal(int(rng.integers(2, 6)))
        values[int(at) : int(at) + len(kick)] += kick
        at += every * between(rng, (0.9, 1.1))
    return values


def shade(rng: Rng, paper: Paper, ink: Array, run: Array, track: Track) -> None:
    """Fill between a curve and a border of its track, over some rows: tint, hatching or dots."""
    edge = track.left if chance(rng, 0.5) else track.right
    a = int(rng.integers(len(run)))
    b = min(len(run), a + int(log_between(rng, (10, 400))))
    part = run[a:b]
    if len(part) < 3:
        return
    area = np.concatenate([part, [[edge, part[-1, 1]], [edge, part[0, 1]]]])
    shape = np.zeros_like(ink)
    cv2.fillPoly(shape, [np.round(area).astype(np.int32)], 255)
    y0, y1 = max(0, int(part[0, 1])), min(len(ink), int(part[-1, 1]))
    if y1 <= y0:
        return
    cell = shape[y0:y1] > 0
    target = ink[y0:y1]
    if paper.kind == "render" and chance(rng, 0.6):
        tint = int(between(rng, (25, 160)))
        target[cell] = np.maximum(target[cell], tint)
        return
    pattern = np.zeros_like(target)
    step = paper.dpi * between(rng, (0.03, 0.12)) + 2
    px = max(1, round(paper.dpi / 150))
    furniture.hatch(pattern, -len(target), target.shape[1], 0, len(target), step, px)
    target[cell] = np.maximum(target[cell], pattern[cell])


def clutter(
    rng: Rng, paper: Paper, ink: Array, tracks: list[Track], ruling: Ruling, y0: int, y1: int,
    phase: float,
) -> None:  # fmt: skip
    """Notes, arrows, flags, stamps, formation tops: more of them on a longer page."""
    columns = ink.shape[1]
    pages = (y1 - y0) * columns / 1.5e6
    for _ in range(rng.poisson(1.3 * pages)):
        # Pencil is fainter than print: of some strokes the threshold leaves pieces.
        level = (
            255
            if paper.tidy or chance(rng, 0.5)
            else round(min(255, paper.threshold * between(rng, (0.9, 2))))
        )
        furniture.note(ink, rng, paper, rng.uniform(-20, columns), rng.uniform(y0, y1), level)
    for _ in range(rng.poisson(0.5 * pages)):
        furniture.arrow(ink, rng, paper, rng.uniform(0, columns), rng.uniform(y0, y1))
    for _ in range(rng.poisson(paper.strays)):  # lines ruled down the sheet, that belong to no grid
        x, lean = rng.uniform(0, columns), rng.normal(0, 4)
        px = max(1, round(paper.curve_px * between(rng, (0.2, 1.3))))
        cv2.line(ink, (round(x), y0), (round(x + lean), y1), int(between(rng, (110, 255))), px)
    for t in tracks:
        if chance(rng, 0.02) and not paper.tidy:  # a taped edge, a join of two sheets
            x, wide = t.left if chance(rng, 0.5) else t.right, between(rng, (8, 35))
            cv2.rectangle(ink, (round(x), y0), (round(x + wide), y1), 255, -1)
        if chance(rng, 0.12):
            furniture.flags(ink, rng, paper, t, y0, y1)
    for _ in range(rng.poisson(0.25 * pages)):  # formation tops: a line by ruler or by hand
        y = rng.uniform(y0, y1)
        x0, x1 = np.sort(rng.uniform(-0.1, 1.1, 2)) * columns
        sag = np.cumsum(rng.normal(0, 0.5, 12)) if chance(rng, 0.5) else np.zeros(12)
        line = np.stack([np.linspace(x0, x1, 12), y + sag], axis=1)
        polyline(ink, line, 255, max(1, round(paper.curve_px * between(rng, (0.4, 1.2)))))
        furniture.note(ink, rng, paper, x0, y - paper.dpi * 0.12)
    if not paper.tidy:
        for _ in range(rng.poisson(0.3 * pages)):
            furniture.join(ink, rng, paper, rng.uniform(y0, y1))
    for _ in range(rng.poisson(0.03 * pages)):
        mark = furniture.stamp(rng, paper)
        put(ink, mark, rng.uniform(0, columns), rng.uniform(y0, y1))

"""One log from nothing: paper, tracks, curves, everything else on the page, then the scanner."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from . import hands, headers
from .annotations import ANNOTATIONS, Zone, annotate
from .curves import draw_curves
from .damage import develop
from .draws import Array, Draws, Table
from .layout import Track, draw_tracks
from .panels import PANELS, depth_numbers
from .recipe import KINDS, PRESETS, Preset
from .ruling import Ruling, draw_ruling, rule
from .sheet import Sheet, new_sheet
from .strokes import Pen

PAGE = Table(
    without_curves={"header": 0.6, "heads": 0.17, "grid": 0.17, "blank": 0.06},
    header_share=(0.15, 0.5), header_in=9, margin=(0, 0.12), heads_in=(0.6, 3.0),
    head_in=(0.5, 1.6), headed_log=0.09, ends_in=(0, 1), ends=0.1, handled=0.25,
)  # fmt: skip
LEAST_ROWS = 16


@dataclass(frozen=True)
class Log:
    """One drawn log.

    image: uint8, gray (rows, columns) of a 1-bit scan, or RGB (rows, columns, 3); 255 white paper.
    mask: uint8 (rows, columns), 255 curve, 0 background, 128 a curve whose ink vanished: not to be
    scored. about: how it was drawn (kind of page, dpi, number of curves, ...).
    """

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
    draws = Draws(seed, index)
    name = draws.pick(recipe.mix)
    rows, columns = draw_size(draws, recipe)
    sheet = new_sheet(draws, KINDS[name], rows, columns)
    if sheet.coarse:  # as wide as a page
        columns = min(columns, int(sheet.inches(sheet.kind.page_in)))
        sheet.ink = np.ascontiguousarray(sheet.ink[:, :columns])
    truth = np.zeros((rows, columns), np.uint8)
    curves = 0
    if draws.chance(recipe.without_curves):
        _page_without_curves(sheet)
    else:
        curves = _log_page(sheet, truth, draws.chance(recipe.headed))
    image, mask = develop(sheet, truth)
    about = {"kind": name, "dpi": round(sheet.dpi), "curves": curves, "preset": preset}
    return Log(image, mask, about)


def kind_of(seed: int, index: int, preset: str) -> str:
    """What kind of image that log is, without drawing it: "bilevel" or "colour"."""
    name = Draws(seed, index).pick(PRESETS[preset].mix)
    return "bilevel" if KINDS[name].medium == "scan" else "colour"


def draw_size(draws: Draws, recipe: Preset) -> tuple[int, int]:
    """Rows and columns."""
    columns = int(draws.log_between(recipe.columns))
    most = min(recipe.rows[1], recipe.max_mpx * 1e6 / columns)
    return int(draws.log_between((min(recipe.rows[0], most * 0.9), most))), columns


def _margins(sheet: Sheet, rows: int, y: int) -> None:
    """A block of header, set between margins."""
    margin = int(sheet.columns * sheet.draws.between(PAGE.margin))
    sheet.paste(headers.header(sheet, rows, sheet.columns - 2 * margin), margin, y)


def _page_without_curves(sheet: Sheet) -> None:
    """Header, tables, heads of tracks, an empty grid, or next to nothing."""
    draws, what = sheet.draws, sheet.draws.pick(PAGE.without_curves)
    tracks = draw_tracks(sheet)
    zone = Zone(tracks, 0, sheet.rows)
    if what == "header":
        _margins(sheet, sheet.rows, 0)
    elif what == "heads":
        y = 0
        while y < sheet.rows:
            below = y + int(sheet.inches(PAGE.heads_in))
            for track in tracks:
                headers.track_head(sheet, track, y, below, [])
            y = below + int(sheet.inches((0, 0.4)))
    elif what == "grid":
        ruling = draw_ruling(sheet)
        phase = draws.between((0, ruling.row_step * ruling.bold_every))
        rule(sheet, ruling, tracks, 0, sheet.rows, phase)
        _fill_panels(sheet, tracks, ruling, 0, sheet.rows, phase)
        annotate(sheet, zone)
    for name in ("name", "hand", "stamp"):
        for _ in range(draws.count(0.15)):
            ANNOTATIONS[name](sheet, zone)
    if not sheet.tidy and draws.chance(2 * PAGE.handled):
        hands.handle_margins(sheet)


def _log_page(sheet: Sheet, truth: Array, headed: bool) -> int:
    """Tracks with curves, perhaps under, over or between blocks of header. Returns the curves."""
    draws, rows = sheet.draws, sheet.rows
    zones = [(0, rows)]
    if headed:
        block = int(min(rows * draws.between(PAGE.header_share), sheet.dpi * PAGE.header_in))
        at = draws.one_of((0, rows - block, draws.whole((0, rows - block))))
        _margins(sheet, block, at)
        zones = [z for z in ((0, at), (at + block, rows)) if z[1] - z[0] > 60]
    tracks, ruling = draw_tracks(sheet), draw_ruling(sheet)
    if not sheet.tidy and draws.chance(PAGE.handled):
        hands.handle_margins(sheet)
    return sum(len(_log_zone(sheet, truth, tracks, ruling, *zone)) for zone in zones)


def _fill_panels(sheet: Sheet, tracks: list[Track], ruling: Ruling, y0: int, y1: int,
                 phase: float) -> None:  # fmt: skip
    for track in tracks:
        if track.right <= 0 or track.left >= sheet.columns:
            continue
        if track.kind in PANELS:
            PANELS[track.kind](sheet, track, y0, y1)
        elif track.kind == "depth":
            depth_numbers(sheet, track, y0, y1, phase, ruling.row_step)


def _log_zone(sheet: Sheet, truth: Array, tracks: list[Track], ruling: Ruling, y0: int,
              y1: int) -> list[Pen]:  # fmt: skip
    """One stretch of log between rows y0 and y1: grid, panels, notes, curves."""
    draws = sheet.draws
    phase = y0 + draws.between((0, ruling.row_step * ruling.bold_every))
    if draws.chance(PAGE.headed_log) and y1 - y0 > sheet.dpi * 2:
        top, y0 = y0, y0 + int(sheet.inches(PAGE.head_in))
        for track in tracks:
            headers.track_head(sheet, track, top, y0, [])
    y0 += int(sheet.inches(PAGE.ends_in)) * draws.chance(PAGE.ends)
    y1 -= int(sheet.inches(PAGE.ends_in)) * draws.chance(PAGE.ends)
    if y1 - y0 < LEAST_ROWS:
        return []
    rule(sheet, ruling, tracks, y0, y1, phase)
    _fill_panels(sheet, tracks, ruling, y0, y1, phase)
    zone = Zone(tracks, y0, y1)
    over = sheet.tidy and draws.chance(0.5)  # a program sets its texts over the curves
    if not over:
        annotate(sheet, zone)
    pens = draw_curves(sheet, truth, tracks, ruling, y0, y1, phase)
    if over:
        annotate(sheet, zone)
    return pens

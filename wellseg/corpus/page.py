"""One log from nothing: paper, tracks, curves, everything else on the page, then the scanner."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .annotations import Zone, annotate, note
from .curves import draw_curves
from .damage import develop
from .draws import Array, Draws, Table
from .headers import header, track_heads
from .layout import Track, draw_tracks
from .panels import PANELS, depth_numbers
from .recipe import KINDS, PRESETS, Preset
from .ruling import Ruling, column_lines, draw_ruling, rule
from .sheet import Sheet, new_sheet

PAGE = Table(
    coarse_in=(7.5, 12.0),
    without_curves={"header": 0.6, "heads": 0.17, "grid": 0.17, "blank": 0.06}, stray=0.15,
    header_share=(0.15, 0.5), header_in=9, margin=(0, 0.12),
    head_in=(0.5, 1.6), headed_log=0.09, head_room_in=2, ends_in=(0, 1), ends=0.1,
    notes_on_top=0.5,  # share of a program's pages: it sets its texts over the curves
)  # fmt: skip
LEAST_ROWS = 60


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
    recipe, draws = PRESETS[preset], Draws(seed, index)
    name = draws.pick(recipe.mix)
    rows, columns = draw_size(draws, recipe)
    sheet = new_sheet(draws, KINDS[name], rows, columns)
    if sheet.coarse:  # as wide as a page
        sheet = sheet.part(rows, min(columns, int(sheet.inches(PAGE.coarse_in))))
    truth: Array = np.zeros((rows, sheet.columns), np.uint8)
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


def _header(sheet: Sheet, rows: int, y: int) -> None:
    """A block of header, set between margins."""
    margin = int(sheet.columns * sheet.draws.between(PAGE.margin))
    sheet.put(header(sheet, rows, sheet.columns - 2 * margin).ink, margin, y)


def _page_without_curves(sheet: Sheet) -> None:
    """Header, tables, heads of tracks, an empty grid, or next to nothing."""
    draws, what, tracks = sheet.draws, sheet.draws.pick(PAGE.without_curves), draw_tracks(sheet)
    if what == "header":
        _header(sheet, sheet.rows, 0)
    elif what == "heads":
        track_heads(sheet, tracks, 0, sheet.rows)
    elif what == "grid":
        _paper(sheet, tracks, draw_ruling(sheet), 0, sheet.rows)
        annotate(sheet, Zone(tracks, 0, sheet.rows))
    for name in ("name", "hand", "stamp", "edge"):
        for _ in range(draws.count(PAGE.stray)):
            note(sheet, Zone(tracks, 0, sheet.rows), name)


def _log_page(sheet: Sheet, truth: Array, headed: bool) -> int:
    """Tracks with curves, perhaps under, over or between blocks of header. Returns the curves."""
    draws, rows = sheet.draws, sheet.rows
    zones = [(0, rows)]
    if headed:
        block = int(min(rows * draws.between(PAGE.header_share), sheet.dpi * PAGE.header_in))
        at = draws.one_of((0, rows - block, draws.whole((0, rows - block))))
        _header(sheet, block, at)
        zones = [(0, at), (at + block, rows)]
    tracks, ruling = draw_tracks(sheet), draw_ruling(sheet)
    return sum(_log_zone(sheet, truth, tracks, ruling, *zone) for zone in zones)


def _log_zone(sheet: Sheet, truth: Array, tracks: list[Track], ruling: Ruling, y0: int,
              y1: int) -> int:  # fmt: skip
    """One stretch of log between rows y0 and y1: grid, panels, notes, curves."""
    draws = sheet.draws
    if draws.chance(PAGE.headed_log) and y1 - y0 > sheet.dpi * PAGE.head_room_in:
        top, y0 = y0, y0 + int(sheet.inches(PAGE.head_in))
        track_heads(sheet, tracks, top, y0)
    y0 += int(sheet.inches(PAGE.ends_in)) * draws.chance(PAGE.ends)
    y1 -= int(sheet.inches(PAGE.ends_in)) * draws.chance(PAGE.ends)
    if y1 - y0 < LEAST_ROWS:
        return 0
    rows = _paper(sheet, tracks, ruling, y0, y1)
    on_top = sheet.tidy and draws.chance(PAGE.notes_on_top)
    if not on_top:
        annotate(sheet, Zone(tracks, y0, y1))

    def lines(track: Track) -> tuple[Array, Array]:
        columns = [x for x, _ in column_lines(track)]
        return rows, np.array([*columns, track.left, track.right])

    curves = draw_curves(sheet, truth, tracks, lines, y0, y1)
    if on_top:
        annotate(sheet, Zone(tracks, y0, y1))
    return curves


def _paper(sheet: Sheet, tracks: list[Track], ruling: Ruling, y0: int, y1: int) -> Array:
    """The grid, and the tracks that hold no curves. Returns the rows of the grid's lines, px."""
    first = y0 + sheet.draws.between((0, ruling.row_step))
    phase = first + sheet.draws.whole((0, ruling.bold_every)) * ruling.row_step
    rule(sheet, ruling, tracks, y0, y1, phase)
    for track in tracks:
        if track.kind in PANELS:
            PANELS[track.kind](sheet, track, y0, y1)
        elif track.kind == "depth":
            depth_numbers(sheet, track, y0, y1, phase, ruling.row_step)
    return np.arange(first, y1, ruling.row_step)

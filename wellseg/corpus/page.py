"""One log from nothing: paper, tracks, curves, everything else on the page, then the scanner."""

from typing import Any, NamedTuple

import cv2
import numpy as np

from .curves import draw_curves
from .damage import develop
from .grid import draw_ruling, draw_tracks, rule
from .notes import Zone, annotate
from .panels import PANELS, header, track_heads
from .sheet import KINDS, PRESETS, RECIPE, Array, Draws, Sheet, Table, new_sheet
from .strokes import parts, resample

LEAST_ROWS = 60


class Log(NamedTuple):
    """One drawn log.

    image: uint8, gray (rows, columns) of a 1-bit scan, or RGB (rows, columns, 3); 255 white paper.
    mask: uint8 (rows, columns), 255 curve, 0 background, 128 a curve whose ink vanished: not to be
    scored. about: how it was drawn (kind of page, dpi, preset), and its curves as a label file has
    them: each with its path, int (n, 2), x then y, in ``whole``, and its pieces in ``curves``."""

    image: Array
    mask: Array
    about: dict[str, Any]


def draw_log(seed: int, index: int, preset: str = "quick") -> Log:
    """The log number ``index`` of the corpus ``seed``: always the same bytes. preset: tiny, quick,
    train or full (see [presets] of recipe.toml for sizes in rows x columns)."""
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
    recipe, draws = PRESETS[preset], Draws(seed, index)
    name = draws.of(recipe.mix)
    rows, columns = draw_size(draws, recipe)
    sheet = new_sheet(draws, KINDS[name], rows, columns)
    how, page = sheet.table("page"), draws.of(recipe.pages)
    if sheet.coarse:
        sheet = sheet.part(rows, min(columns, int(how.coarse)))
    truth: Array = np.zeros((rows, sheet.columns), np.uint8)
    tracks, ruling = draw_tracks(sheet), draw_ruling(sheet)
    for track in tracks if page == "grid" else ():
        track.kind = track.kind.replace("curves", "empty")
    top, block = 0, rows if page == "blank" else 0
    if page in ("headed", "header"):
        block = rows if page == "header" else int(min(rows * how.header_share, sheet.dpi * 9))
        top = draws.one_of((0, rows - block, draws.of([0, rows - block])))
        sheet.put(header(sheet, block, sheet.columns).ink, 0, top)
    if page not in ("log", "headed"):
        annotate(sheet, (tracks, 0, rows), RECIPE["notes"]["stray"])
    for zone in ((tracks, 0, top), (tracks, top + block, rows)):
        _draw_zone(sheet, truth, ruling, zone)
    image, mask = develop(sheet, truth)
    about = {"kind": name, "dpi": round(sheet.dpi), "preset": preset}
    return Log(image, mask, about | _seen(sheet.curves, mask))


def _seen(curves: list[Table], mask: Array) -> dict[str, Any]:
    """What the mask shows of the curves, as a label file has it: a point in each pixel."""
    near = cv2.dilate((mask == 255).view(np.uint8), np.ones((3, 3)))
    whole, pieces = [], []
    for curve in curves:
        about, paths = {"width": round(curve.width_px, 1), "style": curve.style}, []
        for run in sorted(curve.runs, key=lambda run: float(run[0, 1])):  # wraps in their places
            path = np.rint(resample(run, 0.5)).astype(np.int32)
            path = path[np.diff(path, axis=0, prepend=-9).any(axis=1)]
            seen = np.all((path >= 0) & (path < mask.shape[::-1]), axis=1)
            seen[seen] = near[path[seen, 1], path[seen, 0]]
            paths += parts(path, seen)
        pieces += [about | {"path": path} for path in paths]
        # No stroke leads from piece to piece.
        starts = np.cumsum([len(path) for path in paths])[:-1]
        whole += [about | {"path": np.concatenate(paths), "starts": starts}] if paths else []
    return {"whole": whole, "curves": pieces}


def kind_of(seed: int, index: int, preset: str) -> str:
    """What kind of image that log is, without drawing it: "bilevel" or "colour"."""
    name = Draws(seed, index).of(PRESETS[preset].mix)
    return "bilevel" if KINDS[name].medium == "scan" else "colour"


def draw_size(draws: Draws, recipe: Table) -> tuple[int, int]:
    """Rows and columns."""
    columns = int(draws.of([float(end) for end in recipe.columns]))
    most = min(recipe.rows[1], recipe.max_mpx * 1e6 / columns)
    return int(draws.of([min(recipe.rows[0], most * 0.9), float(most)])), columns


def _draw_zone(sheet: Sheet, truth: Array, ruling: Table, zone: Zone) -> None:
    """One stretch of log: grid, panels, notes, curves."""
    how, (tracks, y0, y1) = sheet.table("page"), zone
    if how.head_above and y1 - y0 > 2 * sheet.dpi:
        track_heads(sheet, tracks, y0, y0 + int(how.head))
        y0 += int(how.head)
    if how.ends_within:
        y0, y1 = y0 + int(how.ends), y1 - int(sheet.table("page").ends)
    if y1 - y0 < LEAST_ROWS:
        return
    first = y0 + sheet.draws.of([0.0, ruling.step])
    rule(sheet, ruling, tracks, y0, y1, first + sheet.draws.of([0, 9]) * ruling.step)
    for track in tracks:
        if track.kind in PANELS:
            PANELS[track.kind](sheet, track, y0, y1)

    on_top = sheet.tidy and how.on_top
    annotate(sheet, (tracks, y0, y1), {} if on_top else sheet.kind.notes)
    draw_curves(sheet, truth, tracks, ruling, np.arange(first, y1, ruling.step), y0, y1)
    annotate(sheet, (tracks, y0, y1), sheet.kind.notes if on_top else {})

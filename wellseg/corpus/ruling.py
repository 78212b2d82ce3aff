"""The printed grid: everything ruled on the paper before a curve is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .draws import Draws, Table
from .layout import Track
from .sheet import BLACK, Colour, Sheet, gray

GRIDDED = ("curves", "empty", "tadpoles", "path")

PAPER = Table(
    # Measured: minor lines 1-4 px, on photocopies 3-6; every 5th or 10th 4-12 px, often as thick
    # as the curves.
    minor_px={"1": 0.42, "2": 0.38, "3": 0.14, "4": 0.06}, heavy=0.22, heavy_pens=(0.9, 1.9),
    even=0.25, border_in=(0.008, 0.028), inset=0.5, inset_in=(0.01, 0.07),
    step_in={"0.1": 0.86, "0.2": 0.09, "0.05": 0.05},
    every={"5": 0.35, "10": 0.65}, medium_every={"5": 0.7, "99": 0.3},
    rows={"all": 0.91, "medium": 0.05, "none": 0.04},
    columns={"all": 0.93, "medium": 0.04, "none": 0.03},
    knots_px={"0": 0.65, "1": 0.2, "2": 0.15},
    swollen=0.3, swollen_share=(0.1, 0.7), across=(0.7, 1.4), broken=0.4, broken_share=(0.1, 0.9),
)  # fmt: skip
RENDER = Table(
    # Measured: most renders' grids are gray 96-160, as dark as many of their curves.
    levels={"mid": (95, 165), "light": (35, 95), "black": (215, 255)}, tinted=0.12,
    tint=((90, 30, 60), (60, 90, 20), (20, 60, 90), (70, 70, 20)),
    step_in={"0.1": 0.55, "0.16": 0.2, "0.2": 0.25}, bold_px={"1": 50, "2": 32, "3": 12, "4": 6},
    border_px={"1": 0.5, "2": 0.3, "4": 0.2}, every={"5": 0.3, "10": 0.7}, black_bold=0.35,
    darker=(0, 80), rows={"all": 0.85, "medium": 0.1, "none": 0.05},
    columns={"all": 0.9, "medium": 0.05, "none": 0.05},
    coarse_level=(105, 150),  # measured at 70 dpi: lines of one gray, 123-139 of ink
)  # fmt: skip


@dataclass
class Ruling:
    """How this page's grid was printed, and what copying left of it. Widths in px."""

    row_step: float
    px: dict[str, int]  # of minor, medium and bold lines and of borders
    ink: dict[str, Colour]
    bold_every: int = 10
    medium_every: int = 5
    rows: str = "all"  # all, medium (no minor ones), none
    columns: str = "all"
    inset_px: float = 0.0  # rows stop short of the border by this much
    knots_px: int = 0  # ink that gathered where lines cross
    swollen: float = 0.0  # share of the bold lines along a part of which ink gathered
    across: float = 1.0  # ink of rows over that of columns
    broken: float = 0.0  # share of the column lines of which copying left pieces


def draw_ruling(sheet: Sheet) -> Ruling:
    return _paper_ruling(sheet) if sheet.kind.medium == "scan" else _render_ruling(sheet)


def _render_ruling(sheet: Sheet) -> Ruling:
    draws, table = sheet.draws, RENDER
    level = draws.between(table.levels[draws.pick(sheet.kind.grids)])
    step_in = draws.number(table.step_in)
    px = {"minor": 1, "medium": 1, "bold": int(draws.number(table.bold_px)),
          "border": int(draws.number(table.border_px))}  # fmt: skip
    ink = {"minor": gray(level), "medium": gray(level + draws.between((0, 60))), "border": BLACK}
    ink["bold"] = (BLACK if draws.chance(table.black_bold)
                   else gray(level + draws.between(table.darker)))  # fmt: skip
    if sheet.coarse:
        level = draws.between(table.coarse_level)
        px.update(bold=2, border=2, medium=1 if draws.chance(0.3) else 2)
        ink = dict.fromkeys(ink, gray(level))
        ink["border"] = gray(level) if draws.chance(0.6) else BLACK
        return Ruling(sheet.dpi * 0.1, px, ink, 5 if draws.chance(0.7) else 10, 99)
    if draws.chance(table.tinted):  # pale green, orange or blue, as on forms
        ink["minor"] = ink["medium"] = ink["bold"] = draws.one_of(table.tint)
    return Ruling(
        sheet.dpi * step_in, px, ink, int(draws.number(table.every)), 5,
        rows=draws.pick(table.rows), columns=draws.pick(table.columns),
    )  # fmt: skip


def _paper_ruling(sheet: Sheet) -> Ruling:
    draws, table = sheet.draws, PAPER
    minor = int(draws.number(table.minor_px))
    medium = minor + draws.whole((0, 1))
    bold = int(np.clip(medium + draws.whole((0, 3)), 2, 10))
    if draws.chance(table.heavy):  # wider than the curves
        bold = max(bold, round(sheet.pen_px * draws.between(table.heavy_pens)))
    if draws.chance(table.even):
        medium = bold = minor

    def level(width_px: int, extra: float) -> Colour:
        # Levels stand near the threshold where a grid is worn, so that noise decides. A line keeps
        # this share of its level at its centre after a blur of sigma blur_px:
        kept = float(np.clip(width_px / (2.5 * sheet.blur_px), 0.25, 1.0))
        margin = 1.8 - 1.25 * sheet.wear + extra + draws.between((-0.15, 0.15))
        return gray(np.clip(sheet.threshold / kept * margin, 20, 255))

    border = int(np.clip(sheet.inches(table.border_in), 1, 12))
    return Ruling(
        sheet.dpi * draws.number(table.step_in),
        {"minor": minor, "medium": medium, "bold": bold, "border": border},
        {"minor": level(minor, 0.1), "medium": level(medium, 0.2), "bold": level(bold, 0.5),
         "border": level(6, 1.0)},
        int(draws.number(table.every)),
        int(draws.number(table.medium_every)),
        rows=draws.pick(table.rows),
        columns=draws.pick(table.columns),
        inset_px=sheet.inches(table.inset_in) if draws.chance(table.inset) else 0.0,
        knots_px=int(draws.number(table.knots_px)),
        swollen=draws.between(table.swollen_share) if draws.chance(table.swollen) else 0.0,
        across=draws.between(table.across) if draws.chance(0.5) else 1.0,
        broken=draws.between(table.broken_share) if draws.chance(table.broken) else 0.0,
    )  # fmt: skip


def column_lines(track: Track) -> list[tuple[float, str]]:
    """Where the vertical lines of a track stand, and how heavy they are."""
    if track.scale == "linear":
        return [
            (track.left + i / track.divisions * track.width, "minor" if i % 5 else "medium")
            for i in range(1, track.divisions)
        ]
    lines = []
    start, end = np.log10(track.first), np.log10(track.first) + track.decades
    for decade in range(int(np.floor(start)), int(np.ceil(end)) + 1):
        for k in range(1, 10):
            at = (decade + np.log10(k) - start) / (end - start)
            if 0.001 < at < 0.999:
                weight = "bold" if k == 1 else "medium" if k in (2, 5) else "minor"
                lines.append((track.left + at * track.width, weight))
    return lines


def pieces(draws: Draws, y0: float, y1: float, inch_px: float) -> list[tuple[float, float]]:
    """What copying left of a line from y0 to y1: stretches of any length, some like a dash."""
    median = inch_px * draws.log_between((0.06, 1.0))
    count = 2 * (2 + int((y1 - y0) / median))
    lengths = np.exp(draws.rng.normal(np.log(median), 0.8, count))
    edges = y0 + np.cumsum(lengths) - median * draws.between((0, 1))
    return [(max(y0, a), min(y1, b)) for a, b in edges.reshape(-1, 2).tolist() if b > y0 and a < y1]


def rule(sheet: Sheet, ruling: Ruling, tracks: list[Track], y0: int, y1: int, phase: float) -> None:
    """Draw the grid of all tracks between rows y0 and y1. phase: row of the first bold line."""
    for track in tracks:
        if track.right < 0 or track.left > sheet.columns:
            continue
        if track.kind in GRIDDED:
            _rule_columns(sheet, ruling, track, y0, y1)
            _rule_rows(sheet, ruling, track, y0, y1, phase)
        if track.kind != "depth":
            for x in (track.left, track.right):
                _ruled(sheet, ruling, (x, y0), (x, y1), "border")


def _ruled(sheet: Sheet, ruling: Ruling, start: tuple[float, float], end: tuple[float, float],
           weight: str) -> None:  # fmt: skip
    px, ink = ruling.px[weight], ruling.ink[weight]
    if not sheet.tidy:
        level = ink[0] * (ruling.across if start[1] == end[1] else 1.0)
        ink = gray(np.clip(level * (1 + sheet.draws.normal(0.05)), 10, 255))
        if px > 2:
            px += sheet.draws.one_of((-1, 0, 0, 0, 1))
    sheet.line(start, end, ink, px)


def _rule_columns(sheet: Sheet, ruling: Ruling, track: Track, y0: int, y1: int) -> None:
    for x, weight in column_lines(track):
        if ruling.columns == "none" or (weight == "minor" and ruling.columns == "medium"):
            continue
        broken = sheet.draws.chance(ruling.broken)
        for a, b in pieces(sheet.draws, y0, y1, sheet.dpi) if broken else [(y0, y1)]:
            _ruled(sheet, ruling, (x, a), (x, b), weight)


def _rule_rows(sheet: Sheet, ruling: Ruling, track: Track, y0: int, y1: int, phase: float) -> None:
    draws = sheet.draws
    first = int(np.ceil((y0 - phase) / ruling.row_step))
    last = int(np.floor((y1 - phase) / ruling.row_step))
    for n in range(first, last + 1):
        y = phase + n * ruling.row_step
        weight = ("bold" if n % ruling.bold_every == 0
                  else "medium" if n % ruling.medium_every == 0 else "minor")  # fmt: skip
        if ruling.rows == "none" or (weight == "minor" and ruling.rows == "medium"):
            continue
        left = track.left + ruling.inset_px * draws.between((0.3, 1.2))
        right = track.right - ruling.inset_px * draws.between((0.3, 1.2))
        _ruled(sheet, ruling, (left, y), (right, y), weight)
        if weight == "bold" and draws.chance(ruling.swollen):
            # Ink gathers along a part of it, where a curve comes near as often as not.
            a, b = np.sort(draws.rng.uniform(left, right, 2))
            sheet.line((a, y), (b, y), ruling.ink["bold"], ruling.px["bold"] + draws.whole((1, 4)))
        if ruling.knots_px:
            knot = gray(ruling.ink[weight][0] * 1.4)
            for x, _ in column_lines(track):
                sheet.circle(x, y, ruling.px["minor"] // 2 + ruling.knots_px, knot, -1)

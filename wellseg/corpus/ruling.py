"""The printed grid: everything ruled on the paper before a curve is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .draws import Array, Draws, Table
from .layout import Track
from .sheet import BLACK, Colour, Sheet, gray

GRIDDED = ("curves", "empty", "tadpoles", "path")

PAPER = Table(
    # Measured: minor lines 1-4 px, on photocopies 3-6; every 5th or 10th 4-12 px, often as thick
    # as the curves.
    minor_px={"1": 0.42, "2": 0.38, "3": 0.14, "4": 0.06}, heavier_px=(0, 4), most_px=10,
    heavy=0.22, heavy_pens=(0.9, 1.9), even=0.25, border_in=(0.008, 0.028),
    step_in={"0.1": 0.86, "0.2": 0.09, "0.05": 0.05}, every={"5": 0.35, "10": 0.65},
    inset=0.5, inset_in=(0.01, 0.07), knots_px={"0": 0.65, "1": 0.2, "2": 0.15},
    broken=0.4, broken_share=(0.1, 0.9), swollen=0.15, swollen_px=(1, 4),
    extra={"minor": 0.1, "medium": 0.2, "bold": 0.5, "border": 1.0},
)  # fmt: skip
RENDER = Table(
    # Measured: most renders' grids are gray 96-160, as dark as many of their curves.
    levels={"mid": (95, 165), "light": (35, 95), "black": (215, 255)}, tinted=0.12,
    tint=((90, 30, 60), (60, 90, 20), (20, 60, 90), (70, 70, 20)),
    step_in={"0.1": 0.55, "0.16": 0.2, "0.2": 0.25}, bold_px={"1": 50, "2": 32, "3": 12, "4": 6},
    border_px={"1": 0.5, "2": 0.3, "4": 0.2}, every={"5": 0.3, "10": 0.7}, black_bold=0.35,
    darker=(0, 80),
)  # fmt: skip
COARSE = Table(
    level=(105, 150),  # measured at 70 dpi: lines of one gray, 123-139 of ink
    every={"5": 0.7, "10": 0.3}, medium_px={"1": 0.3, "2": 0.7}, gray_border=0.6,
)  # fmt: skip
DRAWN = {"all": 0.89, "medium": 0.06, "none": 0.05}
"""Which rows and columns there are; medium: no minor ones."""
PIECES = Table(median_in=(0.06, 1.0), log_sd=0.8)


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
    broken: float = 0.0  # share of the column lines of which copying left pieces

    def has(self, weight: str, which: str) -> bool:
        return which == "all" or (which == "medium" and weight != "minor")


def draw_ruling(sheet: Sheet) -> Ruling:
    draws = sheet.draws
    if sheet.kind.medium == "scan":
        ruling = _paper(sheet)
    elif sheet.coarse:
        line = gray(draws.between(COARSE.level))
        border = line if draws.chance(COARSE.gray_border) else BLACK
        px = {"minor": 1, "medium": int(draws.number(COARSE.medium_px)), "bold": 2, "border": 2}
        inks = {"minor": line, "medium": line, "bold": line, "border": border}
        return Ruling(sheet.dpi * 0.1, px, inks, int(draws.number(COARSE.every)))
    else:
        ruling = _render(sheet)
    ruling.rows, ruling.columns = draws.pick(DRAWN), draws.pick(DRAWN)
    return ruling


def _render(sheet: Sheet) -> Ruling:
    draws, table = sheet.draws, RENDER
    level = draws.between(table.levels[draws.pick(sheet.kind.grids)])
    bold = BLACK if draws.chance(table.black_bold) else gray(level + draws.between(table.darker))
    ink = {"minor": gray(level), "medium": gray(level + 30), "bold": bold, "border": BLACK}
    if draws.chance(table.tinted):  # pale green, orange or blue, as on forms
        tint = draws.one_of(table.tint)
        ink |= {"minor": tint, "medium": tint, "bold": tint}
    px = {"minor": 1, "medium": 1, "bold": int(draws.number(table.bold_px)),
          "border": int(draws.number(table.border_px))}  # fmt: skip
    step = sheet.dpi * draws.number(table.step_in)
    return Ruling(step, px, ink, int(draws.number(table.every)))


def _paper(sheet: Sheet) -> Ruling:
    draws, table = sheet.draws, PAPER
    minor = int(draws.number(table.minor_px))
    bold = min(max(2, minor + draws.whole(table.heavier_px)), table.most_px)
    if draws.chance(table.heavy):  # wider than the curves
        bold = max(bold, round(sheet.pen_px * draws.between(table.heavy_pens)))
    if draws.chance(table.even):
        bold = minor
    border = round(min(12, max(1, sheet.inches(table.border_in))))
    px = {"minor": minor, "medium": (minor + bold) // 2, "bold": bold, "border": border}
    ink = {}
    for weight, wide in px.items():
        # Levels stand near the threshold where a grid is worn, so that noise decides. A line keeps
        # this share of its level at its centre after a blur of sigma blur_px:
        kept = float(np.clip(wide / (2.5 * sheet.blur_px), 0.25, 1.0))
        margin = 1.8 - 1.25 * sheet.wear + table.extra[weight] + draws.between((-0.15, 0.15))
        ink[weight] = gray(max(20, sheet.threshold / kept * margin))
    return Ruling(
        sheet.dpi * draws.number(table.step_in), px, ink, int(draws.number(table.every)),
        inset_px=sheet.inches(table.inset_in) * draws.chance(table.inset),
        knots_px=int(draws.number(table.knots_px)),
        broken=draws.between(table.broken_share) * draws.chance(table.broken),
    )  # fmt: skip


def column_lines(track: Track) -> list[tuple[float, str]]:
    """Where the vertical lines of a track stand, and how heavy they are."""
    if track.scale == "linear":
        at = np.linspace(track.left, track.right, track.divisions + 1)[1:-1].tolist()
        return [(x, "minor" if n % 5 else "medium") for n, x in enumerate(at, 1)]
    weights = {1: "bold", 2: "medium", 5: "medium"}
    lines = []
    for power in range(-1, track.decades + 1):
        for k in range(1, 10):
            at = (power + np.log10(k / track.first)) / track.decades
            if 0.001 < at < 0.999:
                lines.append((track.left + at * track.width, weights.get(k, "minor")))
    return lines


def pieces(draws: Draws, y0: float, y1: float, inch_px: float) -> list[tuple[float, float]]:
    """What copying left of a line from y0 to y1: stretches of any length, some like a dash."""
    median = inch_px * draws.log_between(PIECES.median_in)
    count = 2 * (2 + int((y1 - y0) / median))
    edges: Array = y0 + np.cumsum(draws.rng.lognormal(np.log(median), PIECES.log_sd, count))
    return [(a, min(y1, b)) for a, b in edges.reshape(-1, 2).tolist() if a < y1]


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
        ink = gray(max(10, ink[0] * (1 + sheet.draws.normal(0.05))))
        px += sheet.draws.one_of((-1, 0, 0, 0, 1)) * (px > 2)
    sheet.line(start, end, ink, px)


def _rule_columns(sheet: Sheet, ruling: Ruling, track: Track, y0: int, y1: int) -> None:
    for x, weight in column_lines(track):
        if ruling.has(weight, ruling.columns):
            broken = sheet.draws.chance(ruling.broken)
            for a, b in pieces(sheet.draws, y0, y1, sheet.dpi) if broken else [(y0, y1)]:
                _ruled(sheet, ruling, (x, a), (x, b), weight)


def _rule_rows(sheet: Sheet, ruling: Ruling, track: Track, y0: int, y1: int, phase: float) -> None:
    draws, columns = sheet.draws, [x for x, _ in column_lines(track)]
    first = int(np.ceil((y0 - phase) / ruling.row_step))
    last = int(np.floor((y1 - phase) / ruling.row_step))
    for n in range(first, last + 1):
        y = phase + n * ruling.row_step
        weight = "minor" if n % ruling.medium_every else "medium"
        weight = weight if n % ruling.bold_every else "bold"
        if not ruling.has(weight, ruling.rows):
            continue
        left, right = (ruling.inset_px * draws.between((0.3, 1.2)) for _ in range(2))
        _ruled(sheet, ruling, (track.left + left, y), (track.right - right, y), weight)
        if weight == "bold" and not sheet.tidy and draws.chance(PAPER.swollen):
            # Ink gathers along a part of it, where a curve comes near as often as not.
            a, b = draws.each_between((track.left, track.right), 2)
            px = ruling.px["bold"] + draws.whole(PAPER.swollen_px)
            sheet.line((a, y), (b, y), ruling.ink["bold"], px)
        for x in columns if ruling.knots_px else []:
            radius = ruling.px["minor"] // 2 + ruling.knots_px
            sheet.circle(x, y, radius, gray(ruling.ink[weight][0] * 1.4), -1)

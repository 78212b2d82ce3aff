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
    px={"minor": {"1": 0.42, "2": 0.38, "3": 0.14, "4": 0.06},
        "medium": {"1": 0.2, "2": 0.4, "3": 0.3, "4": 0.1},
        "bold": {"2": 0.3, "3": 0.3, "4": 0.2, "6": 0.15, "8": 0.05},
        "border": {"2": 0.3, "4": 0.4, "6": 0.2, "9": 0.1}},
    heavy=0.22, heavy_pens=(0.9, 1.9),  # bold lines as wide as the curves
    step_in={"0.1": 0.86, "0.2": 0.09, "0.05": 0.05}, every={"5": 0.35, "10": 0.65},
    inset=0.5, inset_in=(0.01, 0.07), knots_px={"0": 0.65, "1": 0.2, "2": 0.15},
    broken=0.4, broken_share=(0.1, 0.9), uneven=0.05,
    extra={"minor": 0.1, "medium": 0.2, "bold": 0.5, "border": 1.0},
)  # fmt: skip
RENDER = Table(
    px={"minor": {"1": 1}, "medium": {"1": 1}, "bold": {"1": 50, "2": 32, "3": 12, "4": 6},
        "border": {"1": 0.5, "2": 0.3, "4": 0.2}},
    # Measured: most renders' grids are gray 96-160, as dark as many of their curves.
    levels={"mid": (95, 165), "light": (35, 95), "black": (215, 255)}, darker=(0, 80),
    black={"medium": 0.0, "bold": 0.35, "border": 1.0}, tinted=0.12,
    tint=((90, 30, 60), (60, 90, 20), (20, 60, 90), (70, 70, 20)),
    step_in={"0.1": 0.55, "0.16": 0.2, "0.2": 0.25}, every={"5": 0.3, "10": 0.7},
)  # fmt: skip
COARSE = Table(
    px={"minor": {"1": 1}, "medium": {"1": 0.3, "2": 0.7}, "bold": {"2": 1}, "border": {"2": 1}},
    # Measured at 70 dpi: lines of one gray, 123-139 of ink.
    levels={"mid": (105, 150), "light": (95, 140), "black": (120, 160)}, darker=(0, 0),
    black={"medium": 0.0, "bold": 0.0, "border": 0.4}, tinted=0.0,
    step_in={"0.1": 1}, every={"5": 0.7, "10": 0.3},
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
    scan = sheet.kind.medium == "scan"
    table = PAPER if scan else COARSE if sheet.coarse else RENDER
    px = {weight: int(draws.number(shares)) for weight, shares in table.px.items()}
    ink = _worn(sheet, px) if scan else _printed(sheet, table)
    ruling = Ruling(
        sheet.dpi * draws.number(table.step_in), px, ink, int(draws.number(table.every)),
        rows=draws.pick(DRAWN), columns=draws.pick(DRAWN),
    )  # fmt: skip
    if scan:
        if draws.chance(table.heavy):
            px["bold"] = max(px["bold"], round(sheet.pen_px * draws.between(table.heavy_pens)))
        ruling.inset_px = sheet.inches(table.inset_in) * draws.chance(table.inset)
        ruling.knots_px = int(draws.number(table.knots_px))
        ruling.broken = draws.between(table.broken_share) * draws.chance(table.broken)
    return ruling


def _printed(sheet: Sheet, table: Table) -> dict[str, Colour]:
    """The colours of lines on a render, or on a print in colour."""
    draws = sheet.draws
    level = draws.between(table.levels[draws.pick(sheet.kind.grids)])
    ink = {"minor": gray(level)}
    for weight, black in table.black.items():
        darker = gray(level + draws.between(table.darker))
        ink[weight] = BLACK if draws.chance(black) else darker
    if draws.chance(table.tinted):  # pale green, orange or blue, as on forms
        ink |= dict.fromkeys(("minor", "medium", "bold"), draws.one_of(table.tint))
    return ink


def _worn(sheet: Sheet, px: dict[str, int]) -> dict[str, Colour]:
    """Ink of lines on paper: near the threshold where a grid is worn, so that noise decides."""
    ink = {}
    for weight, wide in px.items():
        # A line keeps this share of its level at its centre after a blur of sigma blur_px.
        kept = float(np.clip(wide / (2.5 * sheet.blur_px), 0.25, 1.0))
        margin = 1.8 - 1.25 * sheet.wear + PAPER.extra[weight] + sheet.draws.normal(0.08)
        ink[weight] = gray(max(20, sheet.threshold / kept * margin))
    return ink


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
        ink = gray(max(10, ink[0] * (1 + sheet.draws.normal(PAPER.uneven))))
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
        for x in columns if ruling.knots_px else []:
            radius = ruling.px["minor"] // 2 + ruling.knots_px
            sheet.circle(x, y, radius, gray(ruling.ink[weight][0] * 1.4), -1)

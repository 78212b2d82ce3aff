"""Which tracks a page has, where they stand, and the grid printed in them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .sheet import BLACK, RECIPE, Colour, Sheet, Table, gray
from .strokes import draw_pen, stroke

Point = tuple[float, float]
GRIDDED = ("curves", "empty")


@dataclass
class Track:
    """A column of the page; ``left`` and ``right`` in pixels, possibly off the page."""

    left: float
    right: float
    kind: str  # curves, empty, or a panel of panels.py
    decades: int = 0  # of a log scale
    first: float = 1.0  # where a log scale starts: 0.2 -> 2, 1 -> 10
    divisions: int = 10

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


def draw_tracks(sheet: Sheet) -> list[Track]:
    """What is seen of a page's tracks: a wider one than the image is cut, others get margins."""
    draws, page, columns = sheet.draws, sheet.table("layout"), sheet.columns
    layout = RECIPE["tracks"][draws.of(sheet.kind.layouts)]
    each = [sheet.table("track") for _ in layout]
    zoom = page.zoom * sheet.dpi
    widths = np.array([zoom * wide * how.wide for (_, wide), how in zip(layout, each, strict=True)])
    if sheet.tidy and widths.sum() < 0.8 * columns:  # an export leaves little margin
        widths *= min(1.7, columns * page.fill / widths.sum())
    room = columns - widths.sum()
    x = page.at * room if room > 0 or page.cut else 0.15 * page.at * columns
    tracks = []
    for (kind, _), how, width in zip(layout, each, widths.tolist(), strict=True):
        decades = int(how.decades) if how.logarithmic else 0
        divisions = max(2, round(width / sheet.dpi * how.divisions_an_inch))
        tracks.append(Track(x, x + width, kind, decades, how.first, divisions))
        x += width + (0 if page.joined else how.gap_px)
    return [track for track in tracks if track.right > 0 and track.left < columns]


def draw_ruling(sheet: Sheet) -> Table:
    """How this page's grid was printed, and what copying left of it: a table of [grid].
    Its ``px`` and ``ink`` are those of minor, medium and bold lines and of borders."""
    draws = sheet.draws
    how = sheet.table("grid", "coarse" if sheet.coarse else "scan" if sheet.scanned else "render")
    how.px = {weight: int(vars(how)[weight]) for weight in ("minor", "medium", "bold", "border")}
    if sheet.scanned:
        how.ink = _worn(sheet, how.px)
        return how
    level = draws.of(vars(how)[draws.of(sheet.kind.grids)])
    darker = gray(level + how.darker)
    how.ink = {"minor": gray(level), "medium": darker, "bold": darker, "border": darker}
    if how.tinted:
        how.ink = dict.fromkeys(how.ink, tuple(how.tint))
    how.ink |= {weight: BLACK for weight in ("bold", "border") if vars(how)[f"{weight}_black"]}
    return how


def _worn(sheet: Sheet, px: Mapping[str, int]) -> dict[str, Colour]:
    """Ink of lines on paper: near the threshold where a grid is worn, so that noise decides."""
    extra = {"minor": 0.1, "medium": 0.2, "bold": 0.5, "border": 1.0}
    ink = {}
    for weight, wide in px.items():
        # A line keeps this share of its level at its centre after a blur of sigma blur_px.
        kept = float(np.clip(wide / (2.5 * sheet.blur_px), 0.25, 1.0))
        margin = 1.8 - 1.25 * sheet.wear + extra[weight] + sheet.draws.of([-0.15, 0.15])
        ink[weight] = gray(max(20, sheet.threshold / kept * margin))
    return ink


def column_lines(track: Track) -> list[tuple[float, str]]:
    """Where the vertical lines of a track stand, and how heavy they are."""
    if not track.decades:
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


def rule(sheet: Sheet, ruling: Table, tracks: list[Track], y0: int, y1: int, phase: float) -> None:
    """Draw the grid of all tracks between rows y0 and y1. phase: row of the first bold line."""
    draws = sheet.draws

    def line(start: Point, end: Point, weight: str, broken: bool = False) -> None:
        px, ink = ruling.px[weight], ruling.ink[weight]
        if not sheet.tidy:
            ink = gray(max(10, ink[0] * draws.rng.uniform(0.92, 1.08)))
        if broken:
            pen = draw_pen(sheet, px, "pieces", ink)
            stroke(sheet, np.array([start, end]), pen, sheet.ink, None)
        else:
            sheet.path([start, end], ink, px)

    first, end = np.ceil((np.array([y0, y1]) - phase) / ruling.step).astype(int)
    for track in tracks:
        gridded = track.kind in GRIDDED
        for x, weight in column_lines(track) if gridded else ():
            if weight in ruling.columns:
                line((x, y0), (x, y1), weight, draws.chance(ruling.broken))
        for n in range(first, end) if gridded else ():
            weight = "medium" if n % 5 == 0 else "minor"
            weight = "bold" if n % int(ruling.every) == 0 else weight
            if weight in ruling.rows:
                y = phase + n * ruling.step
                left, right = ruling.inset * draws.rng.uniform(0.3, 1.2, 2)
                line((track.left + left, y), (track.right - right, y), weight)
        for x in (track.left, track.right) if track.kind != "depth" else ():
            line((x, y0), (x, y1), "border")

"""Which tracks a page has and where they stand."""

from __future__ import annotations

from dataclasses import dataclass

from .draws import Table
from .sheet import Sheet

# Kinds of track and widths in inches. API paper: 2.5 | 0.75 | 2.5 | 2.5; others vary around it.
LAYOUTS: dict[str, list[tuple[str, float]]] = {
    "api": [("curves", 2.5), ("depth", 0.7), ("curves", 2.5), ("curves", 2.5)],
    "api wide": [("curves", 2.5), ("depth", 0.75), ("curves", 5.0)],
    "single": [("depth", 0.7), ("curves", 5.5)],
    "depth left": [("depth", 0.6), ("curves", 3.0), ("curves", 3.0)],
    "four": [("curves", 1.6), ("depth", 0.5), ("curves", 1.6), ("curves", 1.6), ("curves", 1.6)],
    "bond": [("curves", 1.6), ("depth", 0.55), ("curves", 1.8), ("image", 2.0)],
    "cased": [("curves", 2.0), ("depth", 0.55), ("curves", 1.4), ("image", 1.2), ("image", 1.2)],
    "dips": [("curves", 1.8), ("depth", 0.6), ("tadpoles", 3.2), ("empty", 0.6)],
    "drilling": [("curves", 2.2), ("depth", 0.5), ("curves", 2.4), ("text", 2.2)],
    "mud": [("curves", 2.2), ("depth", 0.4), ("lithology", 0.6), ("text", 2.5), ("curves", 2.0)],
    "mud wide": [("slides", 0.12), ("curves", 1.9), ("depth", 0.4), ("porosity", 0.25),
                 ("lithology", 1.1), ("text", 2.0), ("curves", 2.4)],
    "photos": [("curves", 1.8), ("depth", 0.5), ("lithology", 0.5), ("photo", 1.3),
               ("curves", 1.8), ("text", 1.8)],
    "geosteering": [("curves", 1.2), ("lithology", 0.5), ("slides", 0.12), ("path", 2.6),
                    ("text", 1.2), ("depth", 0.3), ("curves", 1.5)],
}  # fmt: skip

PLACE = Table(
    zoom=(0.85, 1.15), track_width=(0.9, 1.1), margin=(0.02, 0.98), cut=0.6, left=(0, 0.15),
    fill=(0.82, 1.0),
    gap_px=(4, 20), joined=0.75, empty=0.12, log_scale=0.25,
    divisions_an_inch={"4": 0.70, "2": 0.04, "8": 0.16, "5": 0.10},  # 4 on API paper
    decades={"1": 0.2, "2": 0.35, "3": 0.25, "4": 0.2}, first={"0.2": 0.5, "1": 0.4, "2": 0.1},
    reduced=0.75, reduction=0.57,  # measured: 400-dpi scans are of reduced copies, 57 px a column
)  # fmt: skip


@dataclass
class Track:
    """A column of the page; ``left`` and ``right`` in pixels, possibly off the page."""

    left: float
    right: float
    kind: str  # curves, depth, empty, or a panel of panels.py
    scale: str = "linear"  # linear, log
    decades: int = 1
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
    draws, columns = sheet.draws, sheet.columns
    zoom = draws.between(PLACE.zoom)
    if sheet.kind.medium == "scan" and sheet.dpi > 350 and draws.chance(PLACE.reduced):
        zoom *= PLACE.reduction
    layout = LAYOUTS[draws.pick(sheet.kind.layouts)]
    widths = [w * sheet.dpi * zoom * draws.between(PLACE.track_width) for _, w in layout]
    if sheet.tidy and sum(widths) < 0.8 * columns:  # an export leaves little margin
        stretch = min(1.7, columns * draws.between(PLACE.fill) / sum(widths))
        widths = [w * stretch for w in widths]
    room = columns - sum(widths)
    if room > 0 or draws.chance(PLACE.cut):
        x = draws.between(PLACE.margin) * room
    else:
        x = draws.between(PLACE.left) * columns
    joined = draws.chance(PLACE.joined)  # tracks share borders, or white paper lies between
    tracks = []
    for (kind, _), width in zip(layout, widths, strict=True):
        if kind == "curves" and draws.chance(PLACE.empty):
            kind = "empty"
        track = Track(x, x + width, kind)
        if kind in ("curves", "empty") and draws.chance(PLACE.log_scale):
            track.scale = "log"
            track.decades = int(draws.number(PLACE.decades))
            track.first = draws.number(PLACE.first)
        divisions = width / sheet.dpi * draws.number(PLACE.divisions_an_inch)
        track.divisions = max(2, round(divisions))
        if track.right > 0 and track.left < columns:
            tracks.append(track)
        x += width + (0 if joined else draws.between(PLACE.gap_px))
    return tracks

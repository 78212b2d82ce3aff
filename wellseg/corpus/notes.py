"""What is written and drawn over a log and is no curve, and the traces of hands.

A kind of page's ``notes`` name its ingredients, which ``note`` draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .grid import Track
from .lettering import curve_scale, draw_face, label, write
from .recipe import RECIPE
from .sheet import BLACK, Sheet


class Zone(NamedTuple):
    """Where an ingredient may go: the tracks of a stretch of log, between rows y0 and y1."""

    tracks: list[Track]
    y0: int
    y1: int


def annotate(sheet: Sheet, zone: Zone, notes: Mapping[str, float]) -> None:
    """Ingredients, of each so many on a page of 10 x 10 inches."""
    pages = (zone.y1 - zone.y0) * sheet.columns / (10 * sheet.dpi) ** 2
    for name, mean in notes.items():
        for _ in range(sheet.draws.rng.poisson(mean * pages)):
            note(sheet, zone, name)


def leave_traces(sheet: Sheet) -> None:
    """Several traces of hands, anywhere on a page without curves."""
    traces = RECIPE["notes"]["traces"]
    for _ in range(1 + sheet.draws.rng.poisson(2.5)):
        note(sheet, Zone([], 0, sheet.rows), sheet.draws.of(traces))


def note(sheet: Sheet, zone: Zone, name: str) -> None:
    """One ingredient by its name, somewhere in the zone."""
    draws = sheet.draws
    tracks = [track for track in zone.tracks if track.kind in ("curves", "empty")]
    track = draws.one_of(tracks or [Track(0, sheet.columns, "page")])
    x, y = draws.of([-20.0, sheet.columns]), draws.of([zone.y0, zone.y1])
    if name == "formation top":
        formation_top(sheet, y)
    elif name == "scale words":
        scale_words(sheet, track, y)
    elif name in RECIPE["bars"]:
        bars(sheet, track, y, name)
    elif name in RECIPE["trails"]:
        trail(sheet, y, name)
    else:
        label(sheet, name, x, y)


def formation_top(sheet: Sheet, y: float) -> None:
    """A line across the tracks with X marks and a name."""
    draws, how = sheet.draws, sheet.table("formation top")
    x0, x1 = (end * sheet.columns for end in how.ends)
    colour, face = sheet.any_colour(how.coloured), draw_face(draws)
    sheet.path([(x0, y), (x1, y)], colour, how.line)
    for x in draws.rng.uniform(x0, x1, int(how.crosses)):
        write(sheet, "X", x, y - how.cross / 2, how.cross, face, colour)
    label(sheet, "top", draws.one_of((x0, (x0 + x1) / 2)), y - sheet.dpi * 0.12)


def scale_words(sheet: Sheet, track: Track, y: float) -> None:
    """The names and scales of a track's curves, printed over it once more, each in its colour."""
    how = sheet.table("scale words")
    face = draw_face(sheet.draws)
    for n in range(how.lines):
        curve_scale(sheet, track, y + n * how.text * 2.5, how.text, face, sheet.any_colour())


def bars(sheet: Sheet, track: Track, y: float, name: str) -> None:
    """One of [bars], or a row of them, beside a border: ticks at regular depths, slides, tests."""
    how = sheet.table("bars", name)
    left = sheet.draws.one_of((track.left, track.right)) + how.beside
    colour, px = sheet.any_colour(how.coloured), -1 if how.solid else sheet.fine_px
    for top in y + how.step * np.arange(how.count):
        right, below = left + how.wide, top + how.high
        sheet.box(left, top, right, below, colour, px)
        for end in (top, below):  # lines to the ends of the interval
            sheet.path([(left, end), (left + how.ends, end)], colour, sheet.fine_px)
        if how.numbered:
            label(sheet, "slide", max(left, right) + 4, top)


def trail(sheet: Sheet, y: float, name: str) -> None:
    """One of the recipe's [trails]: a line as wide as a curve or not."""
    how, t = sheet.table("trails", name), np.linspace(0, 1, 48)
    along = how.long * np.array([np.cos(how.turn), np.sin(how.turn)])
    across = along[::-1] * [-1, 1]
    aside = how.bow * np.sin(np.pi * t) + np.cumsum(how.rough / how.long * sheet.draws.noise(48))
    start = np.array([how.x * sheet.columns, y])
    sheet.path(start + np.outer(t, along) + np.outer(aside, across), BLACK, how.line)

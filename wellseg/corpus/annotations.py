"""What is written and drawn on a page and is no curve: notes over the tracks, traces of hands.

A kind of page's ``notes`` name its ingredients: labels (labels.py), or a function of
``ANNOTATIONS``, which draws one, somewhere in the zone that it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .draws import Array, Table
from .labels import LABELS, curve_scale, label
from .layout import Track
from .lettering import draw_face
from .sheet import BLACK, Sheet
from .strokes import resample

TOP = Table(pens=(0.4, 1.2), sag=0.5, width=(-0.1, 1.1), crossed=0.4, crosses=(1, 4),
            cross_in=(0.04, 0.12), gap_in=0.12)  # fmt: skip
SCALE = Table(lines=(1, 6), text_in=(0.05, 0.08), pitch=2.5)
FLAGS = Table(step_in=(0.15, 2.0), long_in=(0.03, 0.12), pens=(0.4, 1.2), wedges=0.3)
BAR = Table(beside_in=(-0.1, 0.1), wide_in=(0.03, 0.12), high_in=(0.1, 2.0), solid=0.7,
            ends=0.3, end_in=(0.1, 0.6), numbered=0.4)  # fmt: skip
TRAIL = Table(pens=(0.4, 2.2), swell=(0.6, 1.4), knots=6, step_px=6.0)
EDGE = Table(
    beside=0.6, start=(-0.2, 0.9), long=(0.1, 1.3), inset=(0, 0.12), lean=0.03, rough=(0.1, 3.0),
    lines=(1, 3), gap_in=(0.02, 0.2), black=0.5, wide_in=(0.01, 0.3),
)  # fmt: skip
STROKE = Table(length_in=(0.3, 4.0), bow=(0, 0.25), legs={"1": 0.5, "2": 0.4, "3": 0.1})
TRACES = {"marker": 0.3, "edge": 0.24, "stroke": 0.3, "hand": 0.16}
"""What hands leave on headers. On real ones a network takes it for curves."""

TRACES_A_HEADER = 2.5


@dataclass(frozen=True)
class Zone:
    """Where an ingredient may go: the tracks of a stretch of log, between rows y0 and y1."""

    tracks: list[Track]
    y0: int
    y1: int


def annotate(sheet: Sheet, zone: Zone) -> None:
    """All ingredients of the kind of page, as many as a stretch of that size has."""
    pages = (zone.y1 - zone.y0) * sheet.columns / (10 * sheet.dpi) ** 2
    for name, mean in sheet.kind.notes.items():
        for _ in range(sheet.draws.count(mean * pages)):
            note(sheet, zone, name)


def leave_traces(sheet: Sheet) -> None:
    """Several traces of hands, anywhere on a page without curves."""
    for _ in range(1 + sheet.draws.count(TRACES_A_HEADER)):
        note(sheet, Zone([], 0, sheet.rows), sheet.draws.pick(TRACES))


def note(sheet: Sheet, zone: Zone, name: str) -> None:
    """One ingredient by its name, somewhere in the zone."""
    if name in ANNOTATIONS:
        ANNOTATIONS[name](sheet, zone)
        return
    x, y = _anywhere(sheet, zone)
    if LABELS[name].in_track:
        track = _track(sheet, zone)
        x = track.left + sheet.draws.between((0.05, 0.9)) * track.width
    label(sheet, name, x, y)


def _anywhere(sheet: Sheet, zone: Zone) -> Array:
    """x and y of a point of the zone."""
    return np.array([sheet.draws.between((-20, sheet.columns)),
                     sheet.draws.between((zone.y0, zone.y1))])  # fmt: skip


def _track(sheet: Sheet, zone: Zone) -> Track:
    curved = [t for t in zone.tracks if t.kind in ("curves", "empty")]
    return sheet.draws.one_of(curved or zone.tracks)


def formation_top(sheet: Sheet, zone: Zone) -> None:
    """A line across the tracks, by ruler or hand, with X marks and a name."""
    draws, (_, y) = sheet.draws, _anywhere(sheet, zone)
    x0, x1 = np.sort(draws.each_between(TOP.width, 2)) * sheet.columns
    sag = np.cumsum(TOP.sag * draws.noise(12)) * (not sheet.tidy and draws.chance(0.5))
    colour, px = sheet.any_colour(0.4), sheet.pens(TOP.pens)
    sheet.path(np.stack([np.linspace(x0, x1, 12), y + sag], axis=1), colour, px)
    if draws.chance(TOP.crossed):
        arm = sheet.inches(TOP.cross_in)
        for x in draws.each_between((x0, x1), draws.whole(TOP.crosses)):
            sheet.line((x - arm, y - arm), (x + arm, y + arm), colour, px)
            sheet.line((x - arm, y + arm), (x + arm, y - arm), colour, px)
    label(sheet, "top", draws.one_of((x0, (x0 + x1) / 2)), y - sheet.dpi * TOP.gap_in)


def scale_words(sheet: Sheet, zone: Zone) -> None:
    """The names and scales of a track's curves, printed over it once more, each in its colour."""
    draws, track, (_, y) = sheet.draws, _track(sheet, zone), _anywhere(sheet, zone)
    size, face = sheet.text_px(SCALE.text_in), draw_face(draws)
    for n in range(draws.whole(SCALE.lines)):
        colour = sheet.any_colour(0.9)
        curve_scale(sheet, track, y + n * size * SCALE.pitch, size, face, colour)


def flags(sheet: Sheet, zone: Zone) -> None:
    """Ticks at regular depths along a border: minute marks, volume pips, casing shoes, slides."""
    draws, track = sheet.draws, _track(sheet, zone)
    step, long = sheet.inches(FLAGS.step_in), sheet.inches(FLAGS.long_in) * draws.sign()
    x, colour = draws.one_of((track.left, track.right)), sheet.any_colour(0.3)
    half = abs(long) / 2 if draws.chance(FLAGS.wedges) else sheet.pens(FLAGS.pens) / 2
    for y in np.arange(zone.y0 + draws.between((0, step)), zone.y1, step):
        sheet.fill(np.array([[x, y], [x + long, y - half], [x + long, y + half]]), colour)


def bar(sheet: Sheet, zone: Zone) -> None:
    """A bar beside a border: a slide with its number, a tested or cored interval."""
    draws, track, (_, y) = sheet.draws, _track(sheet, zone), _anywhere(sheet, zone)
    x = draws.one_of((track.left, track.right)) + sheet.inches(BAR.beside_in)
    wide, high = sheet.inches(BAR.wide_in), sheet.log_inches(BAR.high_in)
    colour, solid = sheet.any_colour(0.8), draws.chance(BAR.solid)
    sheet.box(x, y, x + wide, y + high, colour, -1 if solid else sheet.fine_px)
    if not solid:
        sheet.hatch(x, y, x + wide, y + high, wide * 0.5, colour, sheet.fine_px)
    if draws.chance(BAR.ends):  # lines to the ends of the interval
        for end in (y, y + high):
            sheet.line((x, end), (x + sheet.inches(BAR.end_in), end), colour, sheet.fine_px)
    if draws.chance(BAR.numbered):
        label(sheet, "slide", x + wide * 1.5, y)


def _trail(sheet: Sheet, points: Array) -> None:
    """A line through points as wide as a curve's or half, wider here and there."""
    draws, fine = sheet.draws, resample(points, TRAIL.step_px)
    swell = draws.each_between(TRAIL.swell, TRAIL.knots)
    swell = np.interp(np.linspace(0, 1, len(fine)), np.linspace(0, 1, TRAIL.knots), swell)
    px = sheet.pen_px * draws.log_between(TRAIL.pens) * swell
    for a, b, wide in zip(fine[:-1], fine[1:], px[1:], strict=True):
        sheet.line(a, b, BLACK, wide)


def edge(sheet: Sheet, zone: Zone) -> None:
    """The edges of a sheet, glued on askew or torn, or a dark bar: beside a border, or across."""
    draws, beside = sheet.draws, sheet.draws.chance(EDGE.beside)
    size = (sheet.rows, sheet.columns) if beside else (sheet.columns, sheet.rows)
    start = draws.between(EDGE.start) * size[0]
    along = start + np.linspace(0, draws.between(EDGE.long) * size[0], 24)
    aside = draws.normal(EDGE.lean) * (along - start)
    aside += np.cumsum(draws.between(EDGE.rough) * draws.noise(24))
    aside += size[1] * draws.between(EDGE.inset) if beside else _anywhere(sheet, zone)[1]
    if beside and draws.chance(0.5):
        aside = size[1] - aside
    black = draws.chance(EDGE.black)
    sides = [aside]
    for _ in range(1 if black else draws.whole(EDGE.lines) - 1):
        sides.append(sides[-1] + sheet.log_inches(EDGE.wide_in if black else EDGE.gap_in))
    lines = [np.stack([x, along] if beside else [along, x], axis=1) for x in sides]
    if black:
        sheet.fill(np.concatenate([lines[0], lines[1][::-1]]))
        return
    for line in lines:
        _trail(sheet, line)


def stroke(sheet: Sheet, zone: Zone) -> None:
    """Sweeps of a pen, or the edges of a fold that meet at a point: straight or bowed."""
    draws, start = sheet.draws, _anywhere(sheet, zone)
    t = np.linspace(0, 1, 16)[:, None]
    for _ in range(int(draws.number(STROKE.legs))):
        turn = draws.between((0, 2 * np.pi))
        along = sheet.log_inches(STROKE.length_in) * np.array([np.cos(turn), np.sin(turn)])
        across, bow = np.array([-along[1], along[0]]), draws.between(STROKE.bow)
        aside = 4 * t * (1 - t) * draws.normal(bow) + np.sin(2 * np.pi * t) * draws.normal(bow / 2)
        _trail(sheet, start + t * along + aside * across)


ANNOTATIONS: dict[str, Callable[[Sheet, Zone], None]] = {
    "formation top": formation_top, "scale words": scale_words, "flags": flags, "bar": bar,
    "edge": edge, "stroke": stroke,
}  # fmt: skip

"""What hands leave on paper: marker writing, edges of glued sheets, strokes and loops, dials.

Strokes as wide and as smooth as a curve's, that only the place tells from one: on real headers
they are what a network takes for curves. ``TRACES`` holds each with its share.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .draws import Array, Draws, Table
from .lettering import by_hand, draw_hand, figure, waver, words
from .sheet import BLACK, Sheet
from .strokes import resample

HANDLED = Table(on_a_page=2.5, in_margins=0.7, pens=(0.4, 2.2), swell=(0.6, 1.4))
MARKER = Table(text_in=(0.18, 0.8), pens=(0.7, 3.0), turns=(0, 0, 0, 1, 3))
GLUED = Table(high=(0.15, 1.1), top=(-0.2, 0.9), inset=(0, 0.09), lean=0.06, gap_in=(0.02, 0.2))
FOLD = Table(tip=(0.02, 0.4), slope=(0.15, 1.0), onwards=0.4, filled=0.2)
STROKE = Table(length_in=(0.3, 4.0), bow=(0, 0.25))
LOOP = Table(turn=(4.5, 7.0), wide_in=(0.15, 2.0), high_in=(0.1, 0.8))
DIAL = Table(radius_in=(0.12, 0.9), arcs=(1, 3), hands=(1, 4), pens=(0.4, 1.8))
BED = Table(wide_in=(0.04, 0.3), inset=(0, 0.1), rough=(0.1, 1.5))
TORN = Table(lean=0.08, rough=(0.5, 6.0), inset=(0, 0.15), pens=(0.4, 1.6), black=0.3)


def leave_traces(sheet: Sheet) -> None:
    """Several traces of hands, anywhere on a page without curves."""
    shares = {name: share for name, (_, share) in TRACES.items()}
    for _ in range(1 + sheet.draws.count(HANDLED.on_a_page)):
        TRACES[sheet.draws.pick(shares)][0](sheet)


def handle_margins(sheet: Sheet) -> None:
    """Edges of sheets and bars of shadow along the borders of a page with curves."""
    for _ in range(1 + sheet.draws.count(HANDLED.in_margins)):
        (glued_edge if sheet.draws.chance(0.5) else scanner_bed)(sheet)


def _trail(sheet: Sheet, points: Array) -> None:
    """A line through points as wide as a curve's or half, wider here and there."""
    draws, fine = sheet.draws, resample(points, 6.0)
    knots = np.linspace(0, len(fine), 6)
    swell = np.interp(np.arange(len(fine)), knots, draws.each_between(HANDLED.swell, 6))
    px = sheet.pen_px * draws.log_between(HANDLED.pens) * swell
    for a, b, wide in zip(fine[:-1], fine[1:], px[1:], strict=True):
        sheet.line(a, b, BLACK, wide)


def _bow(draws: Draws, start: Array, end: Array, sag: float) -> Array:
    """Points (16, 2) on a bow that leaves the straight line by about ``sag`` of its length."""
    t = np.linspace(0, 1, 16)[:, None]
    along = end - start
    across = np.array([-along[1], along[0]])
    aside = 4 * t * (1 - t) * draws.normal(sag) + np.sin(2 * np.pi * t) * draws.normal(sag / 2)
    points: Array = start + t * along + aside * across
    return points


def _anywhere(sheet: Sheet) -> Array:
    return sheet.draws.rng.uniform(0, 1, 2) * (sheet.columns, sheet.rows)


def _mirrored(sheet: Sheet, points: Array) -> Array:
    """Half the time at the other side of the page."""
    if sheet.draws.chance(0.5):
        points[:, 0] = sheet.columns - points[:, 0]
    return points


def marker(sheet: Sheet) -> None:
    """A word or a number in a felt pen's big letters, along the page or down it."""
    draws, tall = sheet.draws, sheet.log_inches(MARKER.text_in)
    pen = float(np.clip(sheet.pen_px * draws.log_between(MARKER.pens), 2, tall / 6))
    text = figure(draws) if draws.chance(0.6) else words(draws, 1)
    mark = by_hand(draws, text.upper(), tall, draw_hand(draws, pen, tall))
    mark = np.rot90(waver(draws, mark, 0.15 * tall, 2 * tall), draws.one_of(MARKER.turns))
    x, y = _anywhere(sheet)
    sheet.put(mark, x - 0.1 * sheet.columns, y)


def glued_edge(sheet: Sheet) -> None:
    """The long edges of a sheet glued on askew: lines that lean, beside a border of the page."""
    draws = sheet.draws
    high, top = sheet.rows * draws.between(GLUED.high), draws.between(GLUED.top) * sheet.rows
    x, lean = sheet.columns * draws.between(GLUED.inset), draws.normal(GLUED.lean)
    for _ in range(draws.whole((1, 3))):
        begin = np.array([x, top + draws.normal(0.05) * high])
        line = _bow(draws, begin, np.array([x + lean * high, top + high]), 0.004)
        _trail(sheet, _mirrored(sheet, line))
        x += sheet.inches(GLUED.gap_in)
        lean += draws.normal(0.01)


def fold(sheet: Sheet) -> None:
    """A corner turned down: two edges that meet at a point and part towards the border."""
    draws = sheet.draws
    tip = np.array([sheet.columns * draws.between(FOLD.tip), sheet.rows * draws.between((0, 1))])
    slopes = draws.normal(0.08), draws.sign() * np.tan(draws.between(FOLD.slope))
    edges = [_bow(draws, tip, np.array([-5.0, tip[1] + s * tip[0]]), 0.04) for s in slopes]
    if draws.chance(FOLD.onwards):  # the upper edge goes on, across the page
        reach = np.array([1.0, draws.normal(0.03)]) * sheet.columns * draws.between((0.1, 1))
        edges.append(_bow(draws, tip, tip + reach, 0.01))
    if draws.chance(0.5):
        for edge in edges:
            edge[:, 0] = sheet.columns - edge[:, 0]
    for edge in edges:
        _trail(sheet, edge)
    if draws.chance(FOLD.filled):
        sheet.fill(np.concatenate([edges[0], edges[1][::-1]]))


def pen_stroke(sheet: Sheet) -> None:
    """One sweep of a pen, or the shadow of a crease: straight, bowed, or with a turn in it."""
    draws, start, turn = sheet.draws, _anywhere(sheet), sheet.draws.between((0, 2 * np.pi))
    reach = sheet.log_inches(STROKE.length_in) * np.array([np.cos(turn), np.sin(turn)])
    _trail(sheet, _bow(draws, start, start + reach, draws.between(STROKE.bow)))


def loop(sheet: Sheet) -> None:
    """A ring drawn around something, not quite closed."""
    draws = sheet.draws
    t = draws.between((0, 2 * np.pi)) + np.linspace(0, draws.between(LOOP.turn), 40)
    uneven = 1 + 0.1 * np.interp(np.arange(40), np.linspace(0, 40, 7), draws.noise(7))
    size = np.array([sheet.log_inches(LOOP.wide_in), sheet.log_inches(LOOP.high_in)])
    ring = size * np.stack([np.cos(t), np.sin(t)], axis=1) * uneven[:, None]
    _trail(sheet, ring + _anywhere(sheet))


def dial(sheet: Sheet) -> None:
    """A diagram of angles: arcs about a centre, broken ones too, and pointers with heads."""
    draws, centre = sheet.draws, _anywhere(sheet)
    radius, px = sheet.log_inches(DIAL.radius_in), sheet.pens(DIAL.pens)
    for _ in range(draws.whole(DIAL.arcs)):
        r, start = radius * draws.between((0.4, 1)), draws.between((0, 2 * np.pi))
        span, whole = draws.between((0.7, 2 * np.pi)), draws.chance(0.65)
        step = span if whole else draws.between((0.1, 0.45))
        for a in np.arange(start, start + span - 0.4 * step, step):
            t = np.linspace(a, a + (step if whole else 0.6 * step), 24)
            sheet.path(centre + r * np.stack([np.cos(t), np.sin(t)], axis=1), BLACK, px)
    for _ in range(draws.whole(DIAL.hands)):
        turn = draws.between((0, 2 * np.pi))
        tip = centre + radius * draws.between((0.6, 1.7)) * np.array([np.cos(turn), np.sin(turn)])
        if draws.chance(0.4):
            sheet.arrow(centre, tip, BLACK, px, draws.between((0.06, 0.2)))
            continue
        sheet.line(centre, tip, BLACK, px)
        if draws.chance(0.4):
            sheet.circle(tip[0], tip[1], px * draws.between((0.7, 1.6)), BLACK, -1)


def scanner_bed(sheet: Sheet) -> None:
    """The dark bed beside the paper, or a taped edge: a wide black stripe down some rows."""
    draws = sheet.draws
    y0, y1 = np.sort(draws.rng.uniform(-0.5, 1.5, 2)) * sheet.rows
    y = np.linspace(y0, y1, 24)
    x = sheet.columns * draws.between(BED.inset) + draws.normal(0.01) * (y - y0)
    left, right = (x + np.cumsum(draws.between(BED.rough) * draws.noise(24)) for _ in range(2))
    right = right + sheet.log_inches(BED.wide_in)
    sides = [np.stack([left, y], axis=1), np.stack([right, y], axis=1)[::-1]]
    sheet.fill(_mirrored(sheet, np.concatenate(sides)))


def torn_edge(sheet: Sheet) -> None:
    """The edge of a sheet that lay askew on the glass: a line that leans, black beyond perhaps."""
    draws, steps = sheet.draws, 24
    y = np.linspace(0, sheet.rows * (1 if draws.chance(0.4) else draws.between((0.1, 1))), steps)
    rough = np.cumsum(draws.between(TORN.rough) * draws.noise(steps))
    x = rough + np.tan(draws.normal(TORN.lean)) * y + draws.between(TORN.inset) * sheet.columns
    edge = np.stack([x, y if draws.chance(0.5) else sheet.rows - y], axis=1)
    edge = _mirrored(sheet, edge)
    sheet.path(edge, BLACK, sheet.pens(TORN.pens))
    if draws.chance(TORN.black):
        border = 0.0 if edge[0, 0] < sheet.columns / 2 else float(sheet.columns)
        sheet.fill(np.concatenate([edge, [[border, edge[-1, 1]], [border, edge[0, 1]]]]))


TRACES: dict[str, tuple[Callable[[Sheet], None], float]] = {
    "marker": (marker, 0.28), "glued edge": (glued_edge, 0.12), "fold": (fold, 0.16),
    "stroke": (pen_stroke, 0.14), "loop": (loop, 0.08), "dial": (dial, 0.12),
    "scanner bed": (scanner_bed, 0.1),
}  # fmt: skip

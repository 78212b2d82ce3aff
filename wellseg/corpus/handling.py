"""What hands leave on paper: marker writing, edges of glued sheets, strokes and loops of a pen, dials.

Strokes as wide and as smooth as a curve's, that only the place tells from one: on real headers they are what a
network takes for curves. All drawn into ink, uint8 (rows, columns), 0 paper .. 255; nothing here has a truth.
"""

from __future__ import annotations

import cv2
import numpy as np

from .lettering import by_hand, draw_hand, number, put, waver, words
from .pen import resample
from .recipe import Array, Paper, Rng, between, chance, log_between, pick


def handle(ink: Array, rng: Rng, paper: Paper) -> None:
    """Several traces of hands, anywhere on a page without curves."""
    shares = {trace: share for trace, (_, share) in TRACES.items()}
    for _ in range(1 + rng.poisson(2.5)):
        draw, _ = TRACES[pick(rng, shares)]
        draw(ink, rng, paper)


def handle_margins(ink: Array, rng: Rng, paper: Paper) -> None:
    """Edges of sheets and bars of shadow along the borders of a page with curves."""
    for _ in range(1 + rng.poisson(0.7)):
        (sheet if chance(rng, 0.5) else bar)(ink, rng, paper)


def trail(ink: Array, rng: Rng, paper: Paper, points: Array) -> None:
    """A line through points (n, 2), x then y in px, as wide as a curve's or half, wider here and there."""
    fine = resample(points, 6.0)
    swell = np.interp(np.arange(len(fine)), np.linspace(0, len(fine), 6), rng.uniform(0.6, 1.4, 6))
    px = np.maximum(1, np.round(paper.curve_px * log_between(rng, (0.4, 2.2)) * swell)).astype(int)
    at = np.round(fine).astype(int)
    for a, b, wide in zip(at[:-1], at[1:], px[1:], strict=True):
        cv2.line(ink, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 255, int(wide))


def bow(rng: Rng, start: Array, end: Array, sag: float) -> Array:
    """Points from start to end on a bow that leaves the straight line by about ``sag`` of its length: (16, 2)."""
    t = np.linspace(0, 1, 16)[:, None]
    along = end - start
    across = np.array([-along[1], along[0]])
    aside: Array = 4 * t * (1 - t) * rng.normal(0, sag) + np.sin(2 * np.pi * t) * rng.normal(
        0, sag / 2
    )
    points: Array = start + t * along + aside * across
    return points


def marker(ink: Array, rng: Rng, paper: Paper) -> None:
    """A word or a number in a felt pen's big letters, along the page or down it."""
    tall = paper.dpi * log_between(rng, (0.18, 0.8))
    face = draw_hand(
        rng, float(np.clip(paper.curve_px * log_between(rng, (0.7, 3)), 2, tall / 6)), tall
    )
    text = number(rng) if chance(rng, 0.6) else words(rng, 1)
    mark = by_hand(rng, text.upper() if chance(rng, 0.7) else text, tall, face)
    mark = np.rot90(waver(rng, mark, 0.15 * tall, 2 * tall), int(rng.choice((0, 0, 0, 1, 3))))
    put(ink, mark, rng.uniform(-0.1, 0.9) * ink.shape[1], rng.uniform(0, 1) * ink.shape[0])


def sheet(ink: Array, rng: Rng, paper: Paper) -> None:
    """The long edges of a sheet glued on askew: one to three lines that lean, beside a border of the page."""
    rows, columns = ink.shape
    high = rows * between(rng, (0.15, 1.1))
    top = rng.uniform(-0.2, 0.9) * rows
    x, lean = columns * between(rng, (0, 0.09)), rng.normal(0, 0.06)
    for _ in range(int(rng.integers(1, 4))):
        begin = np.array([x, top + rng.normal(0, 0.05) * high])
        end = np.array([x + lean * high, top + high])
        line = bow(rng, begin, end, 0.004)
        line[:, 0] = line[:, 0] if chance(rng, 0.5) else columns - line[:, 0]
        trail(ink, rng, paper, line)
        x += paper.dpi * between(rng, (0.02, 0.2))
        lean += rng.normal(0, 0.01)


def fold(ink: Array, rng: Rng, paper: Paper) -> None:
    """A corner turned down, or a sheet folded over: two edges that meet at a point and part towards the border."""
    rows, columns = ink.shape
    tip = np.array([columns * between(rng, (0.02, 0.4)), rows * rng.uniform(-0.05, 1.05)])
    down = rng.choice((-1, 1))
    slopes = rng.normal(0, 0.08), down * np.tan(between(rng, (0.15, 1.0)))
    edges = [bow(rng, tip, np.array([-5.0, tip[1] + slope * tip[0]]), 0.04) for slope in slopes]
    if chance(rng, 0.4):  # the upper edge goes on, across the page
        across = tip + np.array([1.0, rng.normal(0, 0.03)]) * columns * between(rng, (0.1, 1))
        edges.append(bow(rng, tip, across, 0.01))
    mirrored = chance(rng, 0.5)
    for edge in edges:
        edge[:, 0] = columns - edge[:, 0] if mirrored else edge[:, 0]
        trail(ink, rng, paper, edge)
    if chance(rng, 0.2):
        between_them = np.concatenate([edges[0], edges[1][::-1]])
        cv2.fillPoly(ink, [np.round(between_them).astype(np.int32)], 255)


def pen_stroke(ink: Array, rng: Rng, paper: Paper) -> None:
    """One sweep of a pen, or the shadow of a crease: straight, bowed, or with a turn in it."""
    rows, columns = ink.shape
    start = rng.uniform(0, 1, 2) * (columns, rows)
    turn = rng.uniform(0, 2 * np.pi)
    end = start + paper.dpi * log_between(rng, (0.3, 4)) * np.array([np.cos(turn), np.sin(turn)])
    trail(ink, rng, paper, bow(rng, start, end, between(rng, (0, 0.25))))


def loop(ink: Array, rng: Rng, paper: Paper) -> None:
    """A ring drawn around something, not quite closed."""
    rows, columns = ink.shape
    begin = rng.uniform(0, 2 * np.pi)
    t = begin + np.linspace(0, between(rng, (4.5, 7)), 40)
    drift = 1 + 0.1 * np.interp(np.arange(40), np.linspace(0, 40, 7), rng.standard_normal(7))
    wide, high = paper.dpi * log_between(rng, (0.15, 2)), paper.dpi * log_between(rng, (0.1, 0.8))
    ring = np.stack([wide * np.cos(t), high * np.sin(t)], axis=1) * drift[:, None]
    trail(ink, rng, paper, ring + rng.uniform(0, 1, 2) * (columns, rows))


def dial(ink: Array, rng: Rng, paper: Paper) -> None:
    """A diagram of angles: arcs about a centre, broken ones too, and pointers, with blobs or heads at their ends."""
    rows, columns = ink.shape
    centre = np.round(rng.uniform(0, 1, 2) * (columns, rows)).astype(int)
    middle, radius = (int(centre[0]), int(centre[1])), paper.dpi * log_between(rng, (0.12, 0.9))
    px = max(1, round(paper.curve_px * log_between(rng, (0.4, 1.8))))
    for _ in range(int(rng.integers(1, 4))):
        r, a = round(radius * between(rng, (0.4, 1))), rng.uniform(0, 360)
        span = 360 if chance(rng, 0.2) else between(rng, (40, 320))
        step = span if chance(rng, 0.65) else between(rng, (6, 25))
        for b in np.arange(a, a + span - 0.4 * step, step):
            cv2.ellipse(
                ink, middle, (r, r), 0, b, b + (step if step == span else 0.6 * step), 255, px
            )
    for _ in range(int(rng.integers(1, 5))):
        turn = rng.uniform(0, 2 * np.pi)
        tip = centre + radius * between(rng, (0.6, 1.7)) * np.array([np.cos(turn), np.sin(turn)])
        end = (round(tip[0]), round(tip[1]))
        if chance(rng, 0.4):
            cv2.arrowedLine(ink, middle, end, 255, px, tipLength=between(rng, (0.06, 0.2)))
            continue
        cv2.line(ink, middle, end, 255, px)
        if chance(rng, 0.4):
            cv2.circle(ink, end, round(px * between(rng, (0.7, 1.6))), 255, -1)


def bar(ink: Array, rng: Rng, paper: Paper) -> None:
    """The scanner's dark bed beside the paper, or a taped edge: a wide black stripe down some rows."""
    rows, columns = ink.shape
    wide = paper.dpi * log_between(rng, (0.04, 0.3))
    x = columns * between(rng, (0, 0.1))
    y0, y1 = np.sort(rng.uniform(-0.5, 1.5, 2)) * rows
    y = np.linspace(y0, y1, 24)
    lean = rng.normal(0, 0.01) * (y - y0)
    left, right = (
        x + lean + np.cumsum(rng.normal(0, between(rng, (0.1, 1.5)), 24)) for _ in range(2)
    )
    stripe = np.concatenate(
        [np.stack([left, y], axis=1), np.stack([right + wide, y], axis=1)[::-1]]
    )
    if chance(rng, 0.5):
        stripe[:, 0] = columns - stripe[:, 0]
    cv2.fillPoly(ink, [np.round(stripe).astype(np.int32)], 255)


TRACES = {
    "marker": (marker, 0.28),
    "sheet": (sheet, 0.12),
    "fold": (fold, 0.16),
    "stroke": (pen_stroke, 0.14),
    "loop": (loop, 0.08),
    "dial": (dial, 0.12),
    "bar": (bar, 0.1),
}
"""How each is drawn, and its share."""

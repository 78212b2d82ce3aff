"""What stands on a log and is no curve: scale boxes, stamps, arrows, flags, notes, hatching.

All drawn into ink, uint8, 0 paper .. 255; nothing here has a truth.
"""

from __future__ import annotations

import cv2
import numpy as np

from .grid import Track
from .lettering import (
    by_hand,
    draw_face,
    draw_hand,
    number,
    outline,
    patch,
    put,
    scribble,
    words,
    write,
)
from .pen import Pen, dashes, draw_pen, polyline, resample
from .recipe import Array, Paper, Rng, between, chance, log_between, pick


def ruled_dashes(ink: Array, rng: Rng, x0: float, x1: float, y: float, pen: Pen) -> None:
    """A level dashed line: the sample of a curve's style in a scale box (not a curve)."""
    if x1 - x0 < 4:
        return
    fine = resample(np.array([[x0, y], [x1, y]]), 2.5)
    leg = np.diff(fine[:, 0])
    drawn = dashes(rng, leg, np.zeros(len(leg)), pen)
    for i in np.flatnonzero(drawn):
        a, b = (round(fine[i, 0]), round(y)), (round(fine[i + 1, 0]), round(y))
        cv2.line(ink, a, b, pen.level, max(1, round(pen.width_px)))


def scale_box(
    rng: Rng, paper: Paper, ink: Array, track: Track, y0: int, y1: int, pens: list[Pen]
) -> None:
    """A track's head: curve names, end values and short samples of the curves' styles."""
    face = draw_face(rng)
    size = max(6.0, paper.dpi * between(rng, (0.06, 0.11)))
    left, right = track.left, track.right
    border = max(1, round(paper.dpi * between(rng, (0.006, 0.03))))
    cv2.rectangle(ink, (round(left), y0), (round(right), y1), 255, border)
    y = y0 + size * 0.7
    if track.width < paper.dpi * 0.9:  # the depth column's head is rotated
        write(ink, "DEPTHS", (left + right) / 2, (y0 + y1) / 2, size, face, turns=3, centre=True)
        return
    ends = draw_face(rng)
    while y < y1 - 3 * size:
        pen = (
            pens[int(rng.integers(len(pens)))]
            if pens
            else draw_pen(rng, 3, paper.dpi, True, "solid")
        )
        title = words(rng, int(rng.integers(1, 3))).upper()
        write(ink, title, (left + right) / 2, y + size / 2, size * between(rng, (0.8, 1.3)), face,
              centre=True)  # fmt: skip
        y += size * 2.0
        if chance(rng, 0.5):
            write(ink, "(" + words(rng, 1).lower() + ")", (left + right) / 2, y, size * 0.7, face,
                  centre=True)  # fmt: skip
            y += size * 1.1
        form_ = pick(rng, {"sample": 0.5, "ruled": 0.3, "arrows": 0.2})
        lower, upper = number(rng)[:5], number(rng)[:5]
        rows, _ = write(ink, lower, left + size * 0.5, y, size * 0.85, ends)
        mark = patch(upper, size * 0.85, ends)
        put(ink, mark, right - mark.shape[1] - size * 0.5, y)
        y += rows + size * 0.3
        middle, span = (left + right) / 2, track.width * between(rng, (0.12, 0.5))
        if form_ == "sample":
            ruled_dashes(
                ink, rng, middle - span, middle + span, y - size * between(rng, (0, 0.8)), pen
            )
        elif form_ == "ruled":
            ruled_dashes(ink, rng, left, right, y, pen)
        else:
            for side in (-1, 1):
                end = middle + side * span
                tip = (round(end), round(y))
                cv2.arrowedLine(ink, (round(middle), round(y)), tip, 255, border, tipLength=0.1)
        if chance(rng, 0.4):
            cv2.line(
                ink, (round(left), round(y + size)), (round(right), round(y + size)), 255, border
            )
        y += size * between(rng, (1.2, 2.4))
    if chance(rng, 0.25):  # a hatched strip closes the head
        hatch(ink, round(left), round(right), y1 - round(size), y1, size * 0.6, border)


def hatch(
    ink: Array, left: int, right: int, y0: int, y1: int, step: float, px: int, level: int = 255
) -> None:
    """Slanted strokes in a box."""
    for x in np.arange(left, right, max(2.0, step)):
        end = min(x + y1 - y0, right)
        cv2.line(ink, (round(x), y1), (round(end), round(y1 - (end - x))), level, px)


def join(ink: Array, rng: Rng, paper: Paper, y: float) -> None:
    """The edge of a sheet, a fold, a stop of the copier: a ragged bar across a part of the page."""
    columns = ink.shape[1]
    x0 = rng.uniform(-0.3, 0.8) * columns
    x1 = x0 + log_between(rng, (0.1, 1.3)) * columns
    x = np.arange(x0, x1, between(rng, (8, 60)))
    wave = y + np.cumsum(rng.normal(0, 0.35, len(x))) + rng.normal(0, 0.004) * (x - x0)
    px = paper.curve_px * between(rng, (0.4, 2.2)) * np.exp(rng.normal(0, 0.35, len(x)))
    level, worn = int(between(rng, (110, 255))), between(rng, (0, 0.3))
    for n in np.flatnonzero(rng.random(max(0, len(x) - 1)) > worn):
        a, b = (round(x[n]), round(wave[n])), (round(x[n + 1]), round(wave[n + 1]))
        cv2.line(ink, a, b, level, max(1, round(px[n])))
    if chance(rng, 0.35) and len(x) > 1:  # dirt that the edge has gathered
        high, count = between(rng, (3, 40)), int((x[-1] - x[0]) * between(rng, (0.1, 2)))
        at_x = rng.uniform(x[0], x[-1], count)
        at_y = np.interp(at_x, x, wave) + rng.choice((-1, 1)) * high * rng.exponential(0.5, count)
        seen = (at_x >= 0) & (at_x < columns) & (at_y >= 0) & (at_y < len(ink) - 1)
        for column, row in zip(at_x[seen].astype(int), at_y[seen].astype(int), strict=True):
            ink[row : row + 2, column : column + 1 + column % 4] = 255


def torn(ink: Array, rng: Rng, paper: Paper) -> None:
    """The edge of a sheet that lay askew on the glass: a line that leans, black beyond it perhaps."""
    rows, columns = ink.shape
    steps = 24
    y = (
        np.linspace(0, rows, steps)
        if chance(rng, 0.4)
        else np.linspace(0, rng.uniform(0.1, 1) * rows, steps)
    )
    lean = np.tan(rng.normal(0, 0.08)) * y
    side = (
        np.cumsum(rng.normal(0, between(rng, (0.5, 6)), steps))
        + lean
        + between(rng, (0, 0.15)) * columns
    )
    edge = np.stack([side, y if chance(rng, 0.5) else rows - y], axis=1)
    if chance(rng, 0.5):
        edge[:, 0] = columns - edge[:, 0]
    px = max(1, round(paper.curve_px * between(rng, (0.4, 1.6))))
    polyline(ink, edge, 255, px)
    if chance(rng, 0.3):
        border = 0.0 if edge[0, 0] < columns / 2 else float(columns)
        beyond = np.concatenate([edge, [[border, edge[-1, 1]], [border, edge[0, 1]]]])
        cv2.fillPoly(ink, [np.round(beyond).astype(np.int32)], 255)


def stamp(rng: Rng, paper: Paper) -> Array:
    """CONFIDENTIAL, BEST COPY AVAILABLE, a date: framed text at an odd angle."""
    text = pick(
        rng, {"CONFIDENTIAL": 1, "BEST COPY": 1, "RECEIVED": 1, "FILE COPY": 1, "APR 12 1962": 1}
    )
    size = paper.dpi * between(rng, (0.08, 0.22))
    if chance(rng, 0.3):  # hollow letters, of a big rubber
        mark = outline(
            patch(text, 1.6 * size, draw_face(rng)),
            max(1.0, paper.curve_px * between(rng, (0.4, 1.2))),
        )
    else:
        mark = patch(text, size, draw_face(rng))
    mark = np.pad(mark, int(paper.dpi * 0.08) + 4)
    frame = max(1, round(paper.dpi * 0.012))
    h, w = mark.shape
    if chance(rng, 0.5):
        cv2.rectangle(mark, (2, 2), (w - 3, h - 3), 255, frame)
    elif chance(rng, 0.5):
        cv2.ellipse(mark, (w // 2, h // 2), (w // 2 - 2, h // 2 - 2), 0, 0, 360, 255, frame)
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), rng.normal(0, 25), 1.0)
    side = int(np.hypot(h, w)) + 2
    turn[:, 2] += [(side - w) / 2, (side - h) / 2]
    return cv2.warpAffine(mark, turn, (side, side))


def arrow(ink: Array, rng: Rng, paper: Paper, x: float, y: float) -> None:
    """From a name to its curve, or from nowhere; the name stands behind it."""
    length = paper.dpi * log_between(rng, (0.1, 1.2)) * rng.choice((-1, 1))
    end = (round(x + length), round(y + rng.normal(0, 0.15) * length))
    px = max(1, round(paper.curve_px * between(rng, (0.4, 1.5))))
    if chance(rng, 0.5):
        size = max(6.0, paper.dpi * log_between(rng, (0.05, 0.12)))
        mark = patch(words(rng, int(rng.integers(1, 4))), size, draw_face(rng))
        left = x - mark.shape[1] - size / 3 if length > 0 else x + size / 3
        put(ink, mark, left, y - len(mark) / 2, box=paper.tidy and chance(rng, 0.6))
    if chance(rng, 0.5):
        cv2.arrowedLine(ink, (round(x), round(y)), end, 255, px, tipLength=0.25)
        return
    # A filled head, of a draughtsman's template.
    cv2.line(ink, (round(x), round(y)), end, 255, px)
    along = np.array([end[0] - x, end[1] - y]) / abs(length)
    head = px * between(rng, (3, 9))
    across = np.array([-along[1], along[0]]) * head * between(rng, (0.25, 0.6))
    base = np.array(end) - along * head
    cv2.fillPoly(ink, [np.round([base + across, end, base - across]).astype(np.int32)], 255)


def note(ink: Array, rng: Rng, paper: Paper, x: float, y: float, level: int = 255) -> None:
    """A remark on the log: printed curve name, handwriting, survey figures."""
    size = max(6.0, paper.dpi * log_between(rng, (0.045, 0.13)))
    kind = pick(rng, {"name": 0.36, "boxed": 0.08, "hand": 0.28, "scribble": 0.13, "block": 0.15})
    box = paper.tidy and chance(rng, 0.5)
    if kind == "name":
        write(ink, words(rng, int(rng.integers(1, 3))), x, y, size, draw_face(rng), level,
              turns=int(rng.choice((0, 0, 0, 1, 3))), box=box)  # fmt: skip
    elif kind == "boxed":  # a curve's name in a box, with a pointer to the curve
        mark = np.pad(patch(words(rng, 1)[:5], size, draw_face(rng)), max(2, round(size * 0.3)))
        px = max(1, round(paper.dpi / 150))
        cv2.rectangle(mark, (0, 0), (mark.shape[1] - 1, mark.shape[0] - 1), 255, px)
        put(ink, mark, x, y, level, box=True)
        end = (round(x + rng.normal(0, 4) * size), round(y + rng.normal(0, 3) * size))
        cv2.line(ink, (round(x), round(y)), end, level, px)
    elif kind == "hand":
        tall = size * between(rng, (1.0, 2.2))
        face = draw_hand(rng, max(1.0, paper.curve_px * between(rng, (0.35, 1.2))), tall)
        turns = int(rng.choice((0, 0, 0, 1)))
        for n in range(int(rng.integers(1, 4))):
            text = number(rng) if chance(rng, 0.6) else words(rng, 1)
            put(ink, np.rot90(by_hand(rng, text, tall, face), turns), x, y + n * tall * 1.5, level)
    elif kind == "scribble":
        for n in range(int(rng.integers(1, 4))):
            word = scribble(rng, size * between(rng, (3, 6)), size * 1.6)
            px = max(1, round(paper.curve_px * between(rng, (0.3, 1.1))))
            polyline(ink, word + np.array([x + n * size * 4, y]), level, px)
    else:
        face = draw_face(rng)
        for n in range(int(rng.integers(2, 6))):
            text = words(rng, 1) + ": " + number(rng)
            write(ink, text, x, y + n * size * 1.4, size, face, level, box=box)


def flags(ink: Array, rng: Rng, paper: Paper, track: Track, y0: int, y1: int) -> None:
    """Ticks at regular depths along a border: minute marks, volume pips, casing shoes."""
    step = paper.dpi * between(rng, (0.15, 2.0))
    size = paper.dpi * between(rng, (0.03, 0.12)) * rng.choice((-1, 1))
    x = track.left if chance(rng, 0.5) else track.right
    px = max(1, round(paper.curve_px * between(rng, (0.4, 1.2))))
    for y in np.arange(y0 + rng.uniform(0, step), y1, step):
        y += rng.normal(0, step * 0.05)
        cv2.line(ink, (round(x), round(y)), (round(x + size), round(y)), 255, px)

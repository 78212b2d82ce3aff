"""What stands on a log and is no curve: headers, forms, tables, scale boxes, stamps, arrows, notes.

All drawn into ink, uint8, 0 paper .. 255; nothing here has a truth.
"""

from __future__ import annotations

import cv2
import numpy as np

from .grid import Track
from .lettering import HAND, Face, draw_face, number, patch, put, scribble, words, write
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


def form(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    """A block of boxes with labels, typed values, dotted leaders and ruled lines."""
    ink = np.zeros((rows, columns), np.uint8)
    print_face, typed = (
        draw_face(rng),
        Face("simplex" if chance(rng, 0.5) else "uni", 90, 1.0, True),
    )
    if typed.name == "uni":
        typed = draw_face(rng)
    size = max(6.0, paper.dpi * log_between(rng, (0.035, 0.10)))
    pitch = size * between(rng, (1.5, 2.6))
    thin, thick = (
        max(1, round(paper.dpi / 150)),
        max(1, round(paper.dpi * between(rng, (0.008, 0.03)))),
    )
    cv2.rectangle(ink, (0, 0), (columns - 1, rows - 1), 255, thick)
    # Columns of the table: the first holds labels.
    count = int(rng.integers(1, 7))
    cuts = np.sort(rng.uniform(0.15, 0.95, count))
    edges = np.concatenate([[0], cuts * columns, [columns]])
    ruled, leaders = chance(rng, 0.6), chance(rng, 0.35)
    barred = chance(rng, 0.1)
    filled, handed = between(rng, (0.3, 0.95)), chance(rng, 0.25)
    y = pitch * 0.3
    if chance(rng, 0.6):
        write(ink, words(rng, int(rng.integers(1, 4))).upper(), columns / 2, y + size, size * 1.3,
              print_face, centre=True)  # fmt: skip
        y += pitch * 1.3
        cv2.line(ink, (0, round(y)), (columns, round(y)), 255, thick)
    top = y
    while y < rows - pitch:
        for i in range(len(edges) - 1):
            room = edges[i + 1] - edges[i]
            if i == 0:
                label = words(rng, int(rng.integers(1, 4)))
                _, used = write(ink, label, 4 + thick, y + pitch * 0.2,
                                size, print_face)  # fmt: skip
                if leaders:
                    pen = Pen(max(1, size * 0.12), style="dots", dash_px=(size * 0.12, size * 0.3))
                    ruled_dashes(ink, rng, used + 8, room - 4, y + pitch * 0.8, pen)
            elif barred and chance(rng, 0.4):
                x = edges[i] + room * between(rng, (0.2, 0.7))
                right, bottom = round(x + size * 0.8), round(y + pitch * 0.8)
                cv2.rectangle(ink, (round(x), round(y + 2)), (right, bottom), 255, -1)
            elif chance(rng, filled):
                if handed and chance(rng, 0.6):
                    word = scribble(rng, min(room * 0.8, size * 5), size * 1.2)
                    polyline(ink, word + np.array([edges[i] + 4, y]), 255, thin + 1)
                else:
                    x = edges[i] + 4 + room * 0.1 * rng.random()
                    write(ink, number(rng), x, y + pitch * 0.2,
                          size * 0.95, typed)  # fmt: skip
        if ruled:
            cv2.line(ink, (0, round(y + pitch)), (columns, round(y + pitch)), 255, thin)
        y += pitch
        if chance(rng, 0.06):
            cv2.line(ink, (0, round(y)), (columns, round(y)), 255, thick)
    for x in edges[1:-1]:
        cv2.line(
            ink, (round(x), round(top)), (round(x), rows), 255, thin if chance(rng, 0.7) else thick
        )
    return ink


def paragraph(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    """Lines of running text."""
    ink = np.zeros((rows, columns), np.uint8)
    face = draw_face(rng)
    size = max(6.0, paper.dpi * log_between(rng, (0.035, 0.10)))
    y = 0.0
    while y < rows:
        if chance(rng, 0.85):
            per_line = max(1, int(columns / (size * 5.2)))
            write(ink, words(rng, per_line), size * rng.random(), y, size, face)
        y += size * 1.7
    return ink


def banner(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    """A logo or title, white on black or black on white, sometimes with emblem and bar code."""
    ink = np.zeros((rows, columns), np.uint8)
    face = draw_face(rng)
    face = Face(face.name, face.weight * 2 if face.hershey else 900, face.squeeze)
    size = min(rows * 0.5, paper.dpi * between(rng, (0.15, 0.45)))
    text = words(rng, int(rng.integers(1, 4)))
    mark = patch(text.upper() if chance(rng, 0.7) else text, size, face)
    put(ink, mark, columns / 2 - mark.shape[1] / 2, rows / 2 - mark.shape[0] / 2)
    if chance(rng, 0.3):
        r, x = rows * between(rng, (0.2, 0.45)), between(rng, (0.1, 0.9)) * columns
        corners = np.array(
            [[x, rows / 2 - r], [x + r, rows / 2], [x, rows / 2 + r], [x - r, rows / 2]]
        )
        if chance(rng, 0.5):
            cv2.fillPoly(ink, [corners.astype(np.int32)], 255)
        else:
            cv2.circle(ink, (round(x), rows // 2), round(r), 255, max(1, round(r * 0.1)))
    if chance(rng, 0.6):
        ink = 255 - ink
    elif chance(rng, 0.3):
        x = int(between(rng, (0, columns * 0.5)))
        bars = np.repeat(rng.random(70) < 0.5, max(1, round(paper.dpi / 70)))
        height = min(rows, int(paper.dpi * 0.3))
        part = ink[:height, x : x + len(bars)]
        part[:, bars[: part.shape[1]]] = 255
    return ink


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
    h = y1 - y0
    for x in np.arange(left, right, max(2.0, step)):
        cv2.line(ink, (round(x), y1), (round(min(x + h, right)), y0), level, px)


def header(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    """A whole block of header: (rows, columns) ink, upright or lying on its side."""
    if chance(rng, 0.35):
        return np.ascontiguousarray(np.rot90(header_upright(rng, paper, columns, rows), 3))
    return header_upright(rng, paper, rows, columns)


def header_upright(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    ink = np.zeros((rows, columns), np.uint8)
    y = 0
    while y < rows - 8:
        height = int(paper.dpi * between(rng, (0.5, 3.2)))
        height = min(height, rows - y)
        if height < 24:
            break
        kind = pick(rng, BLOCKS)
        if kind == "two":
            cut = int(columns * between(rng, (0.3, 0.7)))
            if cut > 60 and columns - cut > 60:
                ink[y : y + height, :cut] = form(rng, paper, height, cut)
                ink[y : y + height, cut:] = form(rng, paper, height, columns - cut)
        elif kind == "form":
            ink[y : y + height] = form(rng, paper, height, columns)
        elif kind == "banner":
            height = min(height, int(paper.dpi * 1.2))
            ink[y : y + height] = banner(rng, paper, height, columns)
        elif kind == "text":
            ink[y : y + height] = paragraph(rng, paper, height, columns)
        elif kind == "listing":
            ink[y : y + height] = listing(rng, paper, height, columns)
        elif kind == "sketch":
            ink[y : y + height] = sketch(rng, paper, height, columns)
        y += height + int(paper.dpi * between(rng, (0, 0.15)))
    return ink


BLOCKS = {"form": 0.46, "two": 0.18, "banner": 0.10, "text": 0.09, "listing": 0.08, "sketch": 0.05,
          "gap": 0.04}  # fmt: skip


def listing(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    """Columns of figures without rules; some tables mark values with bars between limits."""
    ink = np.zeros((rows, columns), np.uint8)
    face = draw_face(rng)
    size = max(6.0, paper.dpi * between(rng, (0.05, 0.09)))
    places = np.arange(
        between(rng, (0.1, 1)) * size, columns - 3 * size, size * between(rng, (5, 14))
    )
    same = chance(rng, 0.3)
    barred = chance(rng, 0.3)
    px = max(1, round(paper.dpi / 150))
    text = number(rng)
    for y in np.arange(size * 0.5, rows - size * 1.2, size * between(rng, (1.5, 2.8))):
        if chance(rng, 0.05):
            continue
        for x in places:
            if barred and chance(rng, 0.5):
                wide = size * between(rng, (0.5, 3))
                middle = x + wide * rng.random()
                cv2.rectangle(
                    ink,
                    (round(middle), round(y)),
                    (round(middle + size * 0.7), round(y + size)),
                    255,
                    -1,
                )
                cv2.line(ink, (round(x), round(y)), (round(x), round(y + size)), 255, px)
            else:
                write(ink, text if same else number(rng), x, y, size, face)
    return ink


def sketch(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    """A drawing: tool string, dial, casing diagram."""
    ink = np.zeros((rows, columns), np.uint8)
    px = max(1, round(paper.dpi / 90))
    if chance(rng, 0.5):
        r = int(min(rows, columns) * 0.35)
        for x in np.arange(r + 10, columns - r, r * 3):
            centre = (int(x), rows // 2)
            cv2.circle(ink, centre, r, 255, px)
            for _ in range(int(rng.integers(2, 6))):
                a = rng.uniform(0, 2 * np.pi)
                end = (round(x + 1.2 * r * np.cos(a)), round(rows / 2 + 1.2 * r * np.sin(a)))
                cv2.line(ink, centre, end, 255, px)
        return ink
    middle, y = columns // 2, 4
    while y < rows - 10:
        w, h = (
            int(between(rng, (0.05, 0.2)) * paper.dpi) + 3,
            int(between(rng, (0.1, 0.9)) * paper.dpi) + 3,
        )
        cv2.rectangle(
            ink,
            (middle - w, y),
            (middle + w, min(rows - 2, y + h)),
            255,
            px if chance(rng, 0.8) else -1,
        )
        if chance(rng, 0.5):
            cv2.line(ink, (middle + w, y), (middle + w + int(paper.dpi * 0.4), y), 255, px)
            write(
                ink,
                words(rng, 2),
                middle + w + paper.dpi * 0.45,
                y,
                max(6, paper.dpi * 0.07),
                draw_face(rng),
            )
        y += h
    return ink


def stamp(rng: Rng, paper: Paper) -> Array:
    """CONFIDENTIAL, BEST COPY AVAILABLE, a date: framed text at an odd angle."""
    text = pick(
        rng, {"CONFIDENTIAL": 1, "BEST COPY": 1, "RECEIVED": 1, "FILE COPY": 1, "APR 12 1962": 1}
    )
    mark = patch(text, paper.dpi * between(rng, (0.08, 0.22)), draw_face(rng))
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
    length = paper.dpi * between(rng, (0.1, 0.6)) * rng.choice((-1, 1))
    end = (round(x + length), round(y + rng.normal(0, 0.15) * length))
    px = max(1, round(paper.curve_px * between(rng, (0.4, 1))))
    cv2.arrowedLine(ink, (round(x), round(y)), end, 255, px, tipLength=0.25)


def note(ink: Array, rng: Rng, paper: Paper, x: float, y: float, level: int = 255) -> None:
    """A remark on the log: printed curve name, handwriting, survey figures."""
    size = max(6.0, paper.dpi * log_between(rng, (0.045, 0.13)))
    kind = pick(rng, {"name": 0.42, "boxed": 0.1, "hand": 0.2, "scribble": 0.13, "block": 0.15})
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
        write(ink, words(rng, 1).lower() + " " + number(rng), x, y, size * 1.3, HAND, level)
    elif kind == "scribble":
        for n in range(int(rng.integers(1, 4))):
            word = scribble(rng, size * between(rng, (3, 6)), size * 1.6)
            px = max(1, round(paper.curve_px * between(rng, (0.3, 0.8))))
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

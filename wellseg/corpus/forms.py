"""Headers: forms, tables, titles, drawings, listings. Whole blocks of ink without a curve.

Each is drawn as its own array, uint8 (rows, columns), 0 paper .. 255 ink.
"""

from __future__ import annotations

import cv2
import numpy as np

from .furniture import hatch, ruled_dashes, torn
from .handling import handle
from .lettering import (
    Face,
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
from .pen import Pen, polyline
from .recipe import Array, Paper, Rng, between, chance, log_between, pick

BLOCKS = {"form": 0.42, "two": 0.17, "banner": 0.10, "text": 0.07, "listing": 0.07, "hand": 0.08,
          "sketch": 0.05, "gap": 0.04}  # fmt: skip


def header(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    """A whole block of header: (rows, columns) ink, upright or lying on its side, straight or glued on askew."""
    if paper.rounded and chance(rng, paper.rounded):
        return round_boxes(rng, paper, rows, columns)
    if chance(rng, 0.35):
        ink = np.ascontiguousarray(np.rot90(header_upright(rng, paper, columns, rows), 3))
    else:
        ink = header_upright(rng, paper, rows, columns)
    if not paper.tidy and chance(rng, 0.25):
        turn = cv2.getRotationMatrix2D(
            (columns / 2, rows / 2), rng.normal(0, 4), between(rng, (0.8, 1))
        )
        ink = cv2.warpAffine(ink, turn, (columns, rows))
    if not paper.tidy and chance(rng, 0.25):
        torn(ink, rng, paper)
    if paper.handled and chance(rng, paper.handled):
        handle(ink, rng, paper)
    return ink


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
        elif kind == "hand":
            ink[y : y + height] = remarks(rng, paper, height, columns)
        elif kind == "sketch":
            ink[y : y + height] = sketch(rng, paper, height, columns)
        y += height + int(paper.dpi * between(rng, (0, 0.15)))
    return ink


def round_boxes(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    """The first page of a mud log's program: boxes with round corners down the page, text and symbols in them."""
    ink = np.zeros((rows, columns), np.uint8)
    px = max(1, round(paper.dpi * log_between(rng, (0.008, 0.06))))
    radius = round(paper.dpi * log_between(rng, (0.05, 0.3)))
    level = 255 if chance(rng, 0.3) else int(between(rng, (60, 255)))
    face, titles = draw_face(rng), draw_face(rng)
    size = max(6.0, paper.dpi * between(rng, (0.08, 0.14)))
    left, right = px + round(size * rng.random()), columns - 1 - px - round(size * 2 * rng.random())
    y = round(size * rng.random())
    while y < rows - 4 * size and right - left > 2 * radius + size:
        lines = int(rng.integers(1, 10))
        below = min(rows - px - 1, round(y + (lines + 2.5) * 1.5 * size))
        round_box(ink, (left, y, right, below), min(radius, (below - y) // 2), level, px)
        title = words(rng, int(rng.integers(1, 3)))
        write(ink, title, (left + right) / 2, y + size * 1.2, size * 1.1, titles, centre=True)
        pairs, symbols = chance(rng, 0.4), chance(rng, 0.35)
        every = size * between(rng, (5, 11))
        for n in range(lines):
            at = y + (n + 1.6) * 1.5 * size
            if at + size > below - px:
                break
            if not symbols:
                label = words(rng, int(rng.integers(1, 4))) + ":"
                indent = left + radius + (every if pairs else 0)
                _, used = write(ink, label, indent, at, size, face)
                value = number(rng) if chance(rng, 0.5) else words(rng, 2)
                write(ink, value, indent + used + size, at, size, face)
                continue
            for x in np.arange(left + radius, right - every, every):
                wide = size * (1 if pairs else 3)
                corner, end = (round(x), round(at)), (round(x + wide), round(at + size))
                cv2.rectangle(
                    ink, corner, end, int(between(rng, (60, 255))), 1 if chance(rng, 0.7) else -1
                )
                hatch(ink, corner[0], end[0], corner[1], end[1], size * between(rng, (0.2, 1)), 1)
                write(ink, words(rng, 1)[:6], x + wide + size / 2, at, size, face)
        y = below + px + round(size * between(rng, (0.2, 1.2)))
    return ink


def round_box(ink: Array, box: tuple[int, int, int, int], radius: int, level: int, px: int) -> None:
    """A frame with round corners. box: left, top, right, bottom, px."""
    left, top, right, bottom = box
    for x, inward in ((left, radius), (right, -radius)):
        cv2.line(ink, (x, top + radius), (x, bottom - radius), level, px)
        for y, down in ((top, radius), (bottom, -radius)):
            turn = {(True, True): 180, (False, True): 270, (False, False): 0, (True, False): 90}[
                inward > 0, down > 0
            ]
            cv2.ellipse(
                ink, (x + inward, y + down), (radius, radius), 0, turn, turn + 90, level, px
            )
    for y in (top, bottom):
        cv2.line(ink, (left + radius, y), (right - radius, y), level, px)


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
    filled, handed = between(rng, (0.3, 0.95)), chance(rng, 0.35)
    tall = size * between(rng, (1.0, 1.8))
    hand = draw_hand(rng, max(1.0, paper.curve_px * between(rng, (0.35, 1.6))), tall)
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
                if handed and chance(rng, 0.5):
                    text = number(rng) if chance(rng, 0.5) else words(rng, 1).upper()
                    put(ink, by_hand(rng, text, tall, hand), edges[i] + 4, y - 0.3 * tall)
                elif handed and chance(rng, 0.4):
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


def remarks(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    """Lines of somebody's lettering, with a pen as wide as a curve's, on ruled lines perhaps."""
    ink = np.zeros((rows, columns), np.uint8)
    tall = paper.dpi * log_between(rng, (0.07, 0.4))
    hand = draw_hand(rng, max(1.0, paper.curve_px * between(rng, (0.4, 2.0))), tall)
    px, ruled = max(1, round(paper.dpi / 150)), chance(rng, 0.6)
    y = tall * 0.3
    while y < rows - tall:
        if chance(rng, 0.8):
            text = words(rng, int(rng.integers(1, 9)))
            mark = by_hand(rng, text.upper() if chance(rng, 0.7) else text, tall, hand)
            put(ink, mark, between(rng, (0, 0.3)) * columns, y)
        y += tall * between(rng, (1.5, 2.2))
        if ruled:
            cv2.line(ink, (0, round(y)), (columns, round(y)), 255, px)
    return ink


def banner(rng: Rng, paper: Paper, rows: int, columns: int) -> Array:
    """A logo or title, white on black or black on white, sometimes with emblem and bar code."""
    ink = np.zeros((rows, columns), np.uint8)
    face = draw_face(rng)
    face = Face(face.name, face.weight * 2 if face.hershey else 900, face.squeeze)
    size = min(rows * 0.6, paper.dpi * log_between(rng, (0.12, 0.7)))
    text = words(rng, int(rng.integers(1, 4)))
    mark = patch(text.upper() if chance(rng, 0.7) else text, size, face)
    if chance(rng, 0.15):
        mark = outline(mark, max(1.0, paper.curve_px * between(rng, (0.4, 1.2))))
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
    if chance(rng, 0.2):  # a ribbon
        half, arch = columns * between(rng, (0.1, 0.45)), rows * rng.uniform(-0.3, 0.3)
        t = np.linspace(-1, 1, 24)
        above = np.stack([columns / 2 + half * t, rows / 2 - 0.8 * size + arch * t * t], axis=1)
        ends = above[::-1] + np.array([0.0, 1.6 * size])
        closed = np.concatenate([above, ends, above[:1]])
        polyline(ink, closed, 255, max(1, round(paper.curve_px * between(rng, (0.4, 1.5)))))
    if chance(rng, 0.25):  # a hatched border
        high, step = (
            max(4, round(rows * between(rng, (0.1, 0.5)))),
            paper.dpi * between(rng, (0.03, 0.16)) + 2,
        )
        hatch(
            ink,
            0,
            columns,
            rows - high,
            rows,
            step,
            max(1, round(paper.curve_px * between(rng, (0.3, 2)))),
        )
    elif chance(rng, 0.6):
        ink = 255 - ink
    elif chance(rng, 0.3):
        x = int(between(rng, (0, columns * 0.5)))
        bars = np.repeat(rng.random(70) < 0.5, max(1, round(paper.dpi / 70)))
        height = min(rows, int(paper.dpi * 0.3))
        part = ink[:height, x : x + len(bars)]
        part[:, bars[: part.shape[1]]] = 255
    return ink


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

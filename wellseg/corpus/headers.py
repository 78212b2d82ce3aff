"""Headers, and the heads of tracks: forms, tables, titles, drawings, listings. No curve in them.

``BLOCKS`` holds each by name: a function that fills a blank sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np

from .draws import Table
from .hands import leave_traces, torn_edge
from .layout import Track
from .lettering import (
    by_hand,
    draw_face,
    draw_hand,
    figure,
    mark_of,
    outline,
    scribble,
    words,
    write,
)  # fmt: skip
from .panels import paragraph
from .sheet import BLACK, Sheet, gray
from .strokes import Pen, draw_pen, sample_line

HEADER = Table(
    blocks={"form": 50, "two forms": 17, "banner": 10, "text": 7, "listing": 7, "hand": 8,
            "sketch": 5, "gap": 4},
    block_in=(0.5, 3.2), gap_in=(0, 0.15), sideways=0.35, askew=0.25, askew_deg=4,
    shrunk=(0.8, 1.0), torn=0.25, handled=0.5,
)  # fmt: skip
FORM = Table(
    text_in=(0.035, 0.10), pitch=(1.5, 2.6), thick_in=(0.008, 0.03), columns=(1, 6),
    cuts=(0.15, 0.95), filled=(0.3, 0.95), ruled=0.6, leaders=0.35, barred=0.1, handed=0.35,
    hand=(1.0, 1.8), hand_pens=(0.35, 1.6), titled=0.6,
)  # fmt: skip
BANNER = Table(text_in=(0.12, 0.7), hollow=0.15, emblem=0.3, hatched=0.25, reversed=0.5)
LISTING = Table(text_in=(0.05, 0.09), column=(5, 14), line=(1.5, 2.8), barred=0.3, bar=(0.5, 3))
REMARKS = Table(text_in=(0.07, 0.4), pens=(0.4, 2.0), line=(1.5, 2.2), ruled=0.6)
TOOL = Table(half_in=(0.05, 0.2), high_in=(0.1, 0.9), named=0.5)
HEAD = Table(
    text_in=(0.06, 0.11), border_in=(0.006, 0.03), samples={"sample": 5, "ruled": 3, "arrows": 2},
    unit=0.5, half=(0.12, 0.5), gap=(1.2, 2.4), ruled_off=0.4, hatched=0.25,
)  # fmt: skip
ROUND = Table(px_in=(0.008, 0.06), radius_in=(0.05, 0.3), text_in=(0.08, 0.14), lines=(1, 9),
              symbols=0.35, pairs=0.4)  # fmt: skip


def header(sheet: Sheet, rows: int, columns: int) -> Sheet:
    """A whole block of header, upright or on its side, straight or glued on askew."""
    draws = sheet.draws
    if draws.pick(sheet.kind.headers) == "round boxes":
        return _round_boxes(sheet, rows, columns)
    if draws.chance(HEADER.sideways):
        block = sheet.part(rows, columns)
        block.ink[...] = np.rot90(_upright(sheet, columns, rows).ink, 3)
    else:
        block = _upright(sheet, rows, columns)
    if sheet.tidy:
        return block
    if draws.chance(HEADER.askew):
        middle = (columns / 2, rows / 2)
        angle, scale = draws.normal(HEADER.askew_deg), draws.between(HEADER.shrunk)
        turn = cv2.getRotationMatrix2D(middle, angle, scale)
        block.ink = cv2.warpAffine(block.ink, turn, (columns, rows))
    if draws.chance(HEADER.torn):
        torn_edge(block)
    if draws.chance(HEADER.handled):
        leave_traces(block)
    return block


def _upright(sheet: Sheet, rows: int, columns: int) -> Sheet:
    whole = sheet.part(rows, columns)
    y = 0
    while rows - y > 24:
        high = min(rows - y, int(sheet.inches(HEADER.block_in)))
        name = sheet.draws.pick(HEADER.blocks)
        if name == "banner":
            high = min(high, int(sheet.dpi * 1.2))
        widths = [columns]
        if name == "two forms":
            left = int(columns * sheet.draws.between((0.3, 0.7)))
            widths = [left, columns - left]
        x = 0
        for width in widths:
            if width > 24 and high > 8 and name in BLOCKS:
                block = sheet.part(high, width)
                BLOCKS[name](block)
                whole.paste(block, x, y)
            x += width
        y += high + int(sheet.inches(HEADER.gap_in))
    return whole


def form(sheet: Sheet) -> None:
    """Boxes with labels, typed or written values, dotted leaders and ruled lines."""
    draws, (rows, columns) = sheet.draws, (sheet.rows, sheet.columns)
    printed, typed = draw_face(draws), draw_face(draws)
    size = sheet.text_px(FORM.text_in)
    pitch, thick = size * draws.between(FORM.pitch), max(1, round(sheet.inches(FORM.thick_in)))
    ruled, leaders, barred = (draws.chance(s) for s in (FORM.ruled, FORM.leaders, FORM.barred))
    filled, handed = draws.between(FORM.filled), not sheet.tidy and draws.chance(FORM.handed)
    tall = size * draws.between(FORM.hand)
    hand = draw_hand(draws, sheet.pen_px * draws.between(FORM.hand_pens), tall)
    cuts = np.sort(draws.each_between(FORM.cuts, draws.whole(FORM.columns)))
    edges = np.concatenate([[0], cuts * columns, [columns]])
    sheet.box(0, 0, columns - 1, rows - 1, BLACK, thick)
    y = pitch * 0.3
    if draws.chance(FORM.titled):
        title = words(draws, (1, 3)).upper()
        write(sheet, title, columns / 2, y + size, size * 1.3, printed, centre=True)
        y += pitch * 1.3
        sheet.line((0, y), (columns, y), BLACK, thick)
    for x in edges[1:-1]:
        sheet.line((x, y), (x, rows), BLACK, sheet.fine_px if draws.chance(0.7) else thick)
    while y < rows - pitch:
        _, used = write(sheet, words(draws, (1, 3)), 4 + thick, y + pitch * 0.2, size, printed)
        if leaders:
            pen = Pen(max(1, size * 0.12), style="dots", dash_px=(size * 0.12, size * 0.3))
            sample_line(sheet, used + 8, edges[1] - 4, y + pitch * 0.8, pen)
        for left, right in pairwise(edges[1:]):
            room = right - left
            if barred and draws.chance(0.4):
                x = left + room * draws.between((0.2, 0.7))
                sheet.box(x, y + 2, x + size * 0.8, y + pitch * 0.8, BLACK, -1)
            elif not draws.chance(filled):
                continue
            elif handed and draws.chance(0.5):
                text = figure(draws) if draws.chance(0.5) else words(draws, 1).upper()
                sheet.put(by_hand(draws, text, tall, hand), left + 4, y - 0.3 * tall)
            elif handed and draws.chance(0.4):
                word = scribble(draws, min(room * 0.8, size * 5), size * 1.2)
                sheet.path(word + np.array([left + 4, y]), BLACK, sheet.fine_px + 1)
            else:
                x = left + 4 + room * draws.between((0, 0.1))
                write(sheet, figure(draws), x, y + pitch * 0.2, size * 0.95, typed)
        y += pitch
        if ruled or draws.chance(0.06):
            sheet.line((0, y), (columns, y), BLACK, sheet.fine_px if ruled else thick)


def text(sheet: Sheet) -> None:
    sheet.paste(paragraph(sheet, sheet.rows, sheet.columns), 0, 0)


def remarks(sheet: Sheet) -> None:
    """Lines of somebody's lettering, with a pen as wide as a curve's, on ruled lines perhaps."""
    draws, tall = sheet.draws, sheet.log_inches(REMARKS.text_in)
    hand = draw_hand(draws, sheet.pen_px * draws.between(REMARKS.pens), tall)
    ruled, y = draws.chance(REMARKS.ruled), tall * 0.3
    while y < sheet.rows - tall:
        if draws.chance(0.8):
            line = words(draws, (1, 8))
            mark = by_hand(draws, line.upper() if draws.chance(0.7) else line, tall, hand)
            sheet.put(mark, draws.between((0, 0.3)) * sheet.columns, y)
        y += tall * draws.between(REMARKS.line)
        if ruled:
            sheet.line((0, y), (sheet.columns, y), BLACK, sheet.fine_px)


def banner(sheet: Sheet) -> None:
    """A logo or title, white on black or black on white, with an emblem or a hatched border."""
    draws, (rows, columns) = sheet.draws, (sheet.rows, sheet.columns)
    size = min(rows * 0.6, sheet.log_inches(BANNER.text_in))
    title = words(draws, (1, 3))
    mark = mark_of(title.upper() if draws.chance(0.7) else title, size, draw_face(draws))
    if draws.chance(BANNER.hollow):
        mark = outline(mark, sheet.pens((0.4, 1.2)))
    sheet.put(mark, (columns - mark.shape[1]) / 2, (rows - len(mark)) / 2)
    if draws.chance(BANNER.emblem):
        r, x = rows * draws.between((0.2, 0.45)), draws.between((0.1, 0.9)) * columns
        if draws.chance(0.5):
            middle = rows / 2
            corners = [[x, middle - r], [x + r, middle], [x, middle + r], [x - r, middle]]
            sheet.fill(np.array(corners), sheet.any_colour(0.6))
        else:
            sheet.circle(x, rows / 2, r, sheet.any_colour(0.6), max(1, round(r * 0.1)))
    if draws.chance(BANNER.hatched):
        high, step = rows * draws.between((0.1, 0.5)), sheet.inches((0.03, 0.16)) + 2
        sheet.hatch(0, rows - high, columns, rows, step, BLACK, sheet.pens((0.3, 2)))
    elif draws.chance(BANNER.reversed):
        sheet.ink[...] = 255 - sheet.ink


def listing(sheet: Sheet) -> None:
    """Columns of figures without rules; some tables mark values with bars between limits."""
    draws, face, size = sheet.draws, draw_face(sheet.draws), sheet.text_px(LISTING.text_in)
    step = size * draws.between(LISTING.column)
    barred, same = draws.chance(LISTING.barred), draws.chance(0.3)
    value = figure(draws)
    for y in np.arange(size / 2, sheet.rows - size * 1.2, size * draws.between(LISTING.line)):
        for x in np.arange(size / 2, sheet.columns - 3 * size, step):
            if barred and draws.chance(0.5):
                middle = x + size * draws.between(LISTING.bar) * draws.between((0, 1))
                sheet.box(middle, y, middle + size * 0.7, y + size, BLACK, -1)
                sheet.line((x, y), (x, y + size), BLACK, sheet.fine_px)
            else:
                write(sheet, value if same else figure(draws), x, y, size, face)


def sketch(sheet: Sheet) -> None:
    """A drawing of a tool string or a casing."""
    draws, middle, y = sheet.draws, sheet.columns // 2, 4.0
    px = max(1, round(sheet.dpi / 90))
    while y < sheet.rows - 10:
        half, high = sheet.inches(TOOL.half_in) + 3, sheet.inches(TOOL.high_in) + 3
        below = min(sheet.rows - 2, y + high)
        sheet.box(middle - half, y, middle + half, below, BLACK, px if draws.chance(0.8) else -1)
        if draws.chance(TOOL.named):
            x = middle + half + sheet.dpi * 0.4
            sheet.line((middle + half, y), (x, y), BLACK, px)
            write(sheet, words(draws, 2), x + 4, y, max(6, sheet.dpi * 0.07), draw_face(draws))
        y += high


BLOCKS: dict[str, Callable[[Sheet], None]] = {
    "form": form, "two forms": form, "banner": banner, "text": text, "listing": listing,
    "hand": remarks, "sketch": sketch,
}  # fmt: skip


def _round_boxes(sheet: Sheet, rows: int, columns: int) -> Sheet:
    """The first page of a mud log's program: boxes with round corners, text and symbols in them."""
    draws, page = sheet.draws, sheet.part(rows, columns)
    px, radius = max(1, round(sheet.log_inches(ROUND.px_in))), sheet.log_inches(ROUND.radius_in)
    colour = BLACK if draws.chance(0.3) else gray(draws.between((60, 255)))
    face, titles, size = draw_face(draws), draw_face(draws), sheet.text_px(ROUND.text_in)
    left, right = px + size * draws.between((0, 1)), columns - px - size * draws.between((0.1, 2))
    y = size * draws.between((0, 1))
    while y < rows - 4 * size and right - left > 2 * radius + size:
        lines = draws.whole(ROUND.lines)
        below = min(rows - px - 1, y + (lines + 2.5) * 1.5 * size)
        _round_box(page, left, y, right, below, min(radius, (below - y) / 2), colour, px)
        write(page, words(draws, (1, 2)), (left + right) / 2, y + size * 1.2, size * 1.1, titles,
              centre=True)  # fmt: skip
        symbols, every = draws.chance(ROUND.symbols), size * draws.between((5, 11))
        for at in y + (np.arange(lines) + 1.6) * 1.5 * size:
            if at + size > below - px:
                break
            if not symbols:
                label = words(draws, (1, 3)) + ":"
                indent = left + radius + every * draws.chance(ROUND.pairs)
                _, used = write(page, label, indent, at, size, face)
                value = figure(draws) if draws.chance(0.5) else words(draws, 2)
                write(page, value, indent + used + size, at, size, face)
                continue
            for x in np.arange(left + radius, right - every, every):
                solid = draws.chance(0.3)
                page.box(x, at, x + 2 * size, at + size, page.any_colour(0.7), -1 if solid else 1)
                step = size * draws.between((0.2, 1))
                page.hatch(x, at, x + 2 * size, at + size, step, BLACK, 1)
                write(page, words(draws, 1)[:6], x + 2.5 * size, at, size, face)
        y = below + px + size * draws.between((0.2, 1.2))
    return page


def _round_box(sheet: Sheet, left: float, top: float, right: float, bottom: float, radius: float,
               colour: tuple[int, int, int], px: int) -> None:  # fmt: skip
    arc = np.linspace(0, np.pi / 2, 8)
    corner = radius * np.stack([np.cos(arc), np.sin(arc)], axis=1)
    centres = (
        (right - radius, bottom - radius, 1, 1),
        (left + radius, bottom - radius, -1, 1),
        (left + radius, top + radius, -1, -1),
        (right - radius, top + radius, 1, -1),
    )
    points = []
    for n, (x, y, across, down) in enumerate(centres):
        turned = corner if n % 2 == 0 else corner[::-1]
        points.append(turned * [across, down] + [x, y])
    sheet.path(np.concatenate([*points, points[0][:1]]), colour, px)


def track_head(sheet: Sheet, track: Track, y0: int, y1: int, pens: list[Pen]) -> None:
    """A track's head: curve names, end values and short samples of the curves' styles."""
    draws = sheet.draws
    size, border = sheet.text_px(HEAD.text_in), max(1, round(sheet.inches(HEAD.border_in)))
    face, ends, middle = draw_face(draws), draw_face(draws), track.middle
    sheet.box(track.left, y0, track.right, y1, BLACK, border)
    if track.width < sheet.dpi * 0.9:  # the depth column's head is turned
        write(sheet, "DEPTHS", middle, (y0 + y1) / 2, size, face, turns=3, centre=True)
        return
    y = y0 + size * 0.7
    while y < y1 - 3 * size:
        pen = draws.one_of(pens) if pens else draw_pen(sheet, 3, "solid", sheet.any_colour(0.6))
        write(sheet, words(draws, (1, 2)).upper(), middle, y + size / 2,
              size * draws.between((0.8, 1.3)), face, pen.colour, centre=True)  # fmt: skip
        y += size * 2.0
        if draws.chance(HEAD.unit):
            unit = f"({words(draws, 1).lower()})"
            write(sheet, unit, middle, y, size * 0.7, face, pen.colour, centre=True)
            y += size * 1.1
        rows, _ = write(sheet, figure(draws)[:5], track.left + size / 2, y, size * 0.85, ends)
        mark = mark_of(figure(draws)[:5], size * 0.85, ends)
        sheet.put(mark, track.right - mark.shape[1] - size / 2, y)
        y += rows + size * 0.3
        half, how = track.width * draws.between(HEAD.half), draws.pick(HEAD.samples)
        if how == "arrows":
            for side in (-half, half):
                sheet.arrow((middle, y), (middle + side, y), BLACK, border, 0.1)
        else:
            left, right = ((middle - half, middle + half) if how == "sample"
                           else (track.left, track.right))  # fmt: skip
            sample_line(sheet, left, right, y - size * draws.between((0, 0.8)), pen)
        if draws.chance(HEAD.ruled_off):
            sheet.line((track.left, y + size), (track.right, y + size), BLACK, border)
        y += size * draws.between(HEAD.gap)
    if draws.chance(HEAD.hatched):  # a hatched strip closes the head
        sheet.hatch(track.left, y1 - size, track.right, y1, size * 0.6, BLACK, border)

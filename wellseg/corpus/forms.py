"""Blocks of lines: forms, listings, remarks, running text. ``FORMS`` is a table of their kinds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .draws import Span, Table
from .lettering import CENTRE, Face, draw_face, draw_hand, figure, words, write
from .sheet import BLACK, Sheet, gray

FORM = Table(
    cuts=(0.15, 0.95), value_at=(0, 0.1), hand_pens=(0.35, 2.0), word_px=5.2, title=1.3,
    leaders=0.35, bar_at=(0.1, 0.7), barred=0.4, skipped=0.1, line_in=(0.006, 0.05),
    radius_in=(0.05, 0.3), frame_black=0.3, frame_level=(60, 255), solid=0.3, loose_rule=0.06,
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """How one kind of block is set and ruled. Shares of the blocks, where nothing else is said."""

    text_in: Span = (0.035, 0.10)
    pitch: Span = (1.5, 2.6)  # from line to line, in heights of the text
    lead: Span = (0, 0)  # how much of a line's first cell its words fill
    columns: Span = (0, 0)  # cells for values behind the words
    filled: Span = (0.3, 0.95)  # share of those that hold a value
    titled: float = 0.0
    framed: float = 0.0
    rounded: bool = False  # frames have round corners
    ruled: float = 0.0
    barred: float = 0.0  # bars stand among the values
    by_hand: float = 0.0  # never on a page of a program
    symbols: float = 0.0  # values are a key of symbols


FORMS = {
    "form": Form(lead=(0.2, 0.9), columns=(1, 6), titled=0.6, framed=1, ruled=0.6, barred=0.1,
                 by_hand=0.35),
    "text": Form(pitch=(1.7, 1.7), lead=(0.6, 1)),
    "listing": Form(text_in=(0.05, 0.09), pitch=(1.5, 2.8), columns=(4, 14), filled=(0.8, 1),
                    barred=0.3),
    "remarks": Form(text_in=(0.07, 0.4), pitch=(1.5, 2.2), lead=(0.1, 1), ruled=0.6, by_hand=1),
    "round box": Form(text_in=(0.08, 0.14), lead=(0.2, 0.8), columns=(1, 5), filled=(0.6, 1),
                      titled=1, framed=1, rounded=True, symbols=0.35),
}  # fmt: skip


def draw_form(sheet: Sheet, name: str) -> None:
    """Fill a blank sheet with a block of that kind."""
    draws, how, (rows, columns) = sheet.draws, FORMS[name], (sheet.rows, sheet.columns)
    size = sheet.text_px(how.text_in)
    pitch, thick = size * draws.between(how.pitch), max(1, round(sheet.inches(FORM.line_in)))
    printed = values = draw_face(draws)
    if not sheet.tidy and draws.chance(how.by_hand):
        pen = min(sheet.pen_px * draws.log_between(FORM.hand_pens), size / 4)
        values = draw_hand(draws, pen, size)
        printed = values if how.by_hand == 1 else printed
    ruled, barred, symbols = (draws.chance(s) for s in (how.ruled, how.barred, how.symbols))
    leaders, filled = how.columns[1] > 0 and draws.chance(FORM.leaders), draws.between(how.filled)
    cuts = np.sort(draws.each_between(FORM.cuts, draws.whole(how.columns)))
    edges = columns * np.concatenate([[0], cuts, [1]])
    y = pitch * 0.3
    if draws.chance(how.titled):
        title = words(draws, (1, 3)).upper()
        write(sheet, title, columns / 2, y + size, size * FORM.title, printed, align=CENTRE)
        y += pitch * 1.3
    if draws.chance(how.framed):
        _frame(sheet, thick, y, edges[1:-1] if not how.rounded else edges[:0], how.rounded)
    while y < rows - pitch:
        room, used, lead = edges[1] - size, 0.0, draws.between(how.lead)
        if lead and not draws.chance(FORM.skipped):
            count = max(1, int(room * lead / (size * FORM.word_px)))
            used = write(sheet, words(draws, count), thick + size / 2, y, size, printed)
        if leaders and room > used:
            dots = "." * int((room - used) / (0.7 * size))
            write(sheet, dots, used, y + 0.8 * size, size / 2, printed)
        for left, right in pairwise(edges[1:].tolist()):
            if draws.chance(filled):
                x = left + size / 3 + (right - left) * draws.between(FORM.value_at)
                _cell(sheet, x, y, size, right - left, values, barred, symbols)
        y += pitch
        if ruled or (how.framed and draws.chance(FORM.loose_rule)):
            sheet.line((0, y - pitch * 0.2), (columns, y - pitch * 0.2), BLACK,
                       sheet.fine_px if ruled else thick)  # fmt: skip


def _cell(sheet: Sheet, x: float, y: float, size: float, room: float, face: Face, barred: bool,
          symbols: bool) -> None:  # fmt: skip
    """What stands in one cell: a figure, a bar on a scale, or a symbol with its name."""
    draws = sheet.draws
    if barred and draws.chance(FORM.barred):
        at = x + room * draws.between(FORM.bar_at)
        sheet.box(at, y, at + size * 0.8, y + size, BLACK, -1)
        sheet.line((x, y), (x, y + size), BLACK, sheet.fine_px)
    elif symbols:
        colour = sheet.any_colour(0.7)
        sheet.box(x, y, x + 2 * size, y + size, colour, -1 if draws.chance(FORM.solid) else 1)
        sheet.hatch(x, y, x + 2 * size, y + size, size * draws.between((0.2, 1)), BLACK, 1)
        write(sheet, words(draws, 1)[:6], x + 2.5 * size, y, size, face)
    else:
        text = figure(draws) if draws.chance(0.7) else words(draws, 1)
        write(sheet, text, x, y, size * 0.95, face)


def _frame(sheet: Sheet, px: int, below_title: float, cuts: np.ndarray, rounded: bool) -> None:
    """A frame around the whole sheet, and its rules down between the cells."""
    draws, corner = sheet.draws, np.array([sheet.columns - 1, sheet.rows - 1])
    radius = min(sheet.log_inches(FORM.radius_in), corner.min() / 2 - px) if rounded else 1.0
    turn = np.linspace(0, 2 * np.pi, 41)
    way = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    # Quarters of a circle, moved apart into the corners.
    outline = corner / 2 + radius * way + np.sign(way) * (corner / 2 - radius)
    black = not rounded or draws.chance(FORM.frame_black)
    sheet.path(outline, BLACK if black else gray(draws.between(FORM.frame_level)), px)
    for x in cuts:
        sheet.line((x, below_title), (x, sheet.rows), BLACK,
                   sheet.fine_px if draws.chance(0.7) else px)  # fmt: skip
    if len(cuts):
        sheet.line((0, below_title), (sheet.columns, below_title), BLACK, px)

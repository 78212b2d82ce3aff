"""Headers, and the heads of tracks: forms, titles, drawings, listings. No curve in them.

``FORMS`` is a table of blocks of lines; ``BLOCKS`` holds what is no form: functions that fill a
blank sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from .annotations import leave_traces
from .draws import Span, Table
from .labels import curve_scale, label
from .layout import Track
from .lettering import CENTRE, Face, draw_face, draw_hand, say, words, write
from .sheet import BLACK, Sheet

HEADER = Table(
    block_in=(0.5, 3.2), gap_in=(0, 0.15), beside=0.2, beside_at=(0.3, 0.7), least_px=24,
    sideways=0.35, askew=0.25, askew_deg=4, shrunk=(0.8, 1.0), handled=0.6,
)  # fmt: skip
BANNER = Table(hatched=0.25, hatched_high=(0.1, 0.5), hatch_in=(0.04, 0.17),
               hatch_pens=(0.3, 2.0), reversed=0.35)  # fmt: skip
TOOL = Table(half_in=(0.05, 0.2), high_in=(0.1, 0.9), named=0.5, solid=0.2, leader_in=0.4)
HEAD = Table(text_in=(0.06, 0.11), border_in=(0.006, 0.03), gap=(1.2, 2.4), ruled_off=0.4,
             narrow_in=0.9)  # fmt: skip
FORM = Table(
    cuts=(0.15, 0.95), value_at=(0, 0.1), hand_pens=(0.35, 2.0), word_px=5.2, title=1.3,
    bar_at=(0.1, 0.7), barred=0.4, skipped=0.1, line_in=(0.006, 0.05), solid=0.3, hatch=(0.2, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """How one kind of block is set and ruled. Shares of the blocks, where nothing else is said."""

    text_in: Span = (0.035, 0.10)
    pitch: Span = (1.5, 2.6)  # from line to line, in heights of the text
    lead: Span = (0, 0)  # how much of a line's first cell its words fill
    columns: Span = (0, 0)  # cells for values behind the words
    filled: Span = (0.3, 0.95)  # share of those that hold a value
    framed: float = 0.0  # with a title, and rules between the cells
    ruled: float = 0.0
    barred: float = 0.0  # bars stand among the values
    by_hand: float = 0.0  # never on a page of a program
    symbols: float = 0.0  # values are a key of symbols


FORMS = {
    "form": Form(lead=(0.2, 0.9), columns=(1, 6), framed=1, ruled=0.6, barred=0.1, by_hand=0.35),
    "text": Form(pitch=(1.7, 1.7), lead=(0.6, 1)),
    "listing": Form((0.05, 0.09), (1.5, 2.8), columns=(4, 14), filled=(0.8, 1), barred=0.3),
    "remarks": Form((0.07, 0.4), (1.5, 2.2), lead=(0.1, 1), ruled=0.6, by_hand=1),
    "key": Form((0.08, 0.14), lead=(0.2, 0.8), columns=(1, 5), filled=(0.6, 1), framed=0.8,
                symbols=0.5),
}  # fmt: skip


def header(sheet: Sheet, rows: int, columns: int) -> Sheet:
    """A whole block of header, upright or on its side, straight or glued on askew."""
    draws, block = sheet.draws, sheet.part(rows, columns)
    if draws.chance(HEADER.sideways):
        block.ink = np.ascontiguousarray(np.rot90(_upright(sheet, columns, rows).ink, 3))
    else:
        block.ink = _upright(sheet, rows, columns).ink
    if not sheet.tidy and draws.chance(HEADER.askew):
        angle, scale = draws.normal(HEADER.askew_deg), draws.between(HEADER.shrunk)
        turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), angle, scale)
        block.ink = cv2.warpAffine(block.ink, turn, (columns, rows))
    if not sheet.tidy and draws.chance(HEADER.handled):
        leave_traces(block)
    return block


def _upright(sheet: Sheet, rows: int, columns: int) -> Sheet:
    """Blocks below each other, some two side by side."""
    draws, whole, y = sheet.draws, sheet.part(rows, columns), 0
    while rows - y > HEADER.least_px:
        high = min(rows - y, int(sheet.inches(HEADER.block_in)))
        cut = int(columns * draws.between(HEADER.beside_at)) if draws.chance(HEADER.beside) else 0
        for left, right in ((0, cut), (cut, columns)):
            name = draws.pick(sheet.kind.header)
            if right - left > HEADER.least_px and name != "gap":
                block = sheet.part(high, right - left)
                BLOCKS[name](block) if name in BLOCKS else draw_form(block, name)
                whole.put(block.ink, left, y)
        y += high + int(sheet.inches(HEADER.gap_in))
    return whole


def banner(sheet: Sheet) -> None:
    """A logo or title, white on black or black on white, over or under a hatched strip."""
    draws, (rows, columns) = sheet.draws, (sheet.rows, sheet.columns)
    label(sheet, "title", draws.between((0, 0.5)) * columns, draws.between((0, 0.5)) * rows)
    if draws.chance(BANNER.hatched):
        high, step = rows * draws.between(BANNER.hatched_high), sheet.inches(BANNER.hatch_in)
        sheet.hatch(0, rows - high, columns, rows, step, BLACK, sheet.pens(BANNER.hatch_pens))
    if draws.chance(BANNER.reversed):
        sheet.ink[...] = 255 - sheet.ink


def sketch(sheet: Sheet) -> None:
    """A drawing of a tool string or a casing."""
    draws, middle, y = sheet.draws, sheet.columns // 2, 4.0
    while y < sheet.rows - 10:
        half, below = sheet.inches(TOOL.half_in), y + sheet.inches(TOOL.high_in)
        px = -1 if draws.chance(TOOL.solid) else 2 * sheet.fine_px
        sheet.box(middle - half, y, middle + half, below, BLACK, px)
        if draws.chance(TOOL.named):
            label(sheet, "leader", middle + half + sheet.dpi * TOOL.leader_in, y)
        y = below


BLOCKS: dict[str, Callable[[Sheet], None]] = {"banner": banner, "sketch": sketch}


def track_heads(sheet: Sheet, tracks: list[Track], y0: int, y1: int) -> None:
    """The tracks' heads: the scales of their curves in a frame."""
    draws = sheet.draws
    size, border = sheet.text_px(HEAD.text_in), max(1, round(sheet.inches(HEAD.border_in)))
    for track in tracks:
        face, y = draw_face(draws), y0 + size
        sheet.box(track.left, y0, track.right, y1, BLACK, border)
        if track.width < sheet.dpi * HEAD.narrow_in:  # the depth column's head is turned
            middle, y = (y0 + y1) / 2, y1
            write(sheet, "DEPTHS", track.middle, middle, size, face, turns=3, align=CENTRE)
        while y < y1 - 3 * size:
            curve_scale(sheet, track, y, size, face, sheet.any_colour(0.6))
            y += size * (1.5 + draws.between(HEAD.gap))
            if draws.chance(HEAD.ruled_off):
                sheet.line((track.left, y - size), (track.right, y - size), BLACK, border)


def draw_form(sheet: Sheet, name: str) -> None:
    """Fill a blank sheet with a block of that kind."""
    draws, how, (rows, columns) = sheet.draws, FORMS[name], (sheet.rows, sheet.columns)
    size, thick = sheet.text_px(how.text_in), max(1, round(sheet.inches(FORM.line_in)))
    pitch, printed = size * draws.between(how.pitch), draw_face(draws)
    values = printed
    if not sheet.tidy and draws.chance(how.by_hand):
        values = draw_hand(sheet, FORM.hand_pens, size)
        printed = values if how.by_hand == 1 else printed
    framed, ruled, barred, symbols = (
        draws.chance(share) for share in (how.framed, how.ruled, how.barred, how.symbols)
    )
    cuts = np.sort(draws.each_between(FORM.cuts, draws.whole(how.columns)))
    edges = [0.0, *(columns * cuts).tolist(), float(columns)]
    filled, y = draws.between(how.filled), pitch * 0.3
    if framed:
        title = say(draws, "<name>").upper()
        write(sheet, title, columns / 2, y + size, size * FORM.title, printed, align=CENTRE)
        y += pitch * 1.3
        sheet.box(0, 0, columns - 1, rows - 1, BLACK, thick)
        sheet.line((0, y - 0.2 * pitch), (columns, y - 0.2 * pitch), BLACK, thick)
        for x in edges[1:-1]:
            px = sheet.fine_px if draws.chance(0.7) else thick
            sheet.line((x, y - 0.2 * pitch), (x, rows), BLACK, px)
    while y < rows - pitch:
        lead = draws.between(how.lead)
        if lead and not draws.chance(FORM.skipped):
            count = max(1, int((edges[1] - size) * lead / (size * FORM.word_px)))
            write(sheet, words(draws, count), thick + size / 2, y, size, printed)
        for left, right in pairwise(edges[1:]):
            if draws.chance(filled):
                x = left + size / 3 + (right - left) * draws.between(FORM.value_at)
                bar = barred and draws.chance(FORM.barred)
                _cell(sheet, x, y, size, right - left, values, bar, symbols)
        y += pitch
        if ruled:
            sheet.line((0, y - pitch * 0.2), (columns, y - pitch * 0.2), BLACK, sheet.fine_px)


def _cell(sheet: Sheet, x: float, y: float, size: float, room: float, face: Face, bar: bool,
          symbol: bool) -> None:  # fmt: skip
    """What stands in one cell: a figure, a bar on a scale, or a symbol with its name."""
    draws = sheet.draws
    if bar:
        at = x + room * draws.between(FORM.bar_at)
        sheet.box(at, y, at + size * 0.8, y + size, BLACK, -1)
        sheet.line((x, y), (x, y + size), BLACK, sheet.fine_px)
    elif symbol:
        colour, px = sheet.any_colour(0.7), -1 if draws.chance(FORM.solid) else 1
        sheet.box(x, y, x + 2 * size, y + size, colour, px)
        sheet.hatch(x, y, x + 2 * size, y + size, size * draws.between(FORM.hatch), BLACK, 1)
        write(sheet, say(draws, "<word>"), x + 2.5 * size, y, size, face)
    else:
        write(sheet, say(draws, "<entry>"), x, y, size * 0.95, face)

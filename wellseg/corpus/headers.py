"""Headers, and the heads of tracks: forms, titles, drawings, listings. No curve in them.

``BLOCKS`` holds what is no form: functions that fill a blank sheet.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .annotations import leave_traces
from .draws import Table
from .forms import FORMS, draw_form
from .labels import curve_scale, label
from .layout import Track
from .lettering import CENTRE, draw_face, words, write
from .sheet import BLACK, Sheet

HEADER = Table(
    block_in=(0.5, 3.2), gap_in=(0, 0.15), beside=0.2, beside_at=(0.3, 0.7), least_px=24,
    sideways=0.35, askew=0.25, askew_deg=4, shrunk=(0.8, 1.0), handled=0.6,
)  # fmt: skip
BANNER = Table(hatched=0.25, hatched_high=(0.1, 0.5), hatch_in=(0.04, 0.17),
               hatch_pens=(0.3, 2.0), reversed=0.35)  # fmt: skip
TOOL = Table(half_in=(0.05, 0.2), high_in=(0.1, 0.9), named=0.5, solid=0.2, leader_in=0.4)
HEAD = Table(text_in=(0.06, 0.11), border_in=(0.006, 0.03), gap=(1.2, 2.4), ruled_off=0.4,
             hatched=0.25, narrow_in=0.9)  # fmt: skip


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
                if name in FORMS:
                    draw_form(block, name)
                else:
                    BLOCKS[name](block)
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
    px = max(1, round(sheet.dpi / 90))
    while y < sheet.rows - 10:
        half, high = sheet.inches(TOOL.half_in) + 3, sheet.inches(TOOL.high_in) + 3
        below = min(sheet.rows - 2, y + high)
        filled = -1 if draws.chance(TOOL.solid) else px
        sheet.box(middle - half, y, middle + half, below, BLACK, filled)
        if draws.chance(TOOL.named):
            x = middle + half + sheet.dpi * TOOL.leader_in
            sheet.line((middle + half, y), (x, y), BLACK, px)
            write(sheet, words(draws, 2), x + 4, y, max(6, sheet.dpi * 0.07), draw_face(draws))
        y += high


BLOCKS: dict[str, Callable[[Sheet], None]] = {"banner": banner, "sketch": sketch}


def track_head(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """A track's head: the scales of its curves in a frame."""
    draws = sheet.draws
    size, border = sheet.text_px(HEAD.text_in), max(1, round(sheet.inches(HEAD.border_in)))
    face = draw_face(draws)
    sheet.box(track.left, y0, track.right, y1, BLACK, border)
    if track.width < sheet.dpi * HEAD.narrow_in:  # the depth column's head is turned
        middle = (y0 + y1) / 2
        write(sheet, "DEPTHS", track.middle, middle, size, face, turns=3, align=CENTRE)
        return
    y = y0 + size
    while y < y1 - 3 * size:
        curve_scale(sheet, track, y, size, face, sheet.any_colour(0.6))
        y += size * (1.5 + draws.between(HEAD.gap))
        if draws.chance(HEAD.ruled_off):
            sheet.line((track.left, y - size), (track.right, y - size), BLACK, border)
    if draws.chance(HEAD.hatched):  # a hatched strip closes the head
        sheet.hatch(track.left, y1 - size, track.right, y1, size * 0.6, BLACK, border)

"""Labels: text that stands over a log, perhaps in a frame, perhaps pointing at something.

``LABELS`` holds every kind of them: a new one is a line in that table.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from .draws import Array, Shares, Span, Table
from .layout import Track
from .lettering import CENTRE, LEFT, RIGHT, Face, draw_face, draw_hand, mark_of, say, stack, write
from .sheet import Colour, Sheet, gray
from .strokes import draw_pen, stroke

POINTER = Table(
    leg_in=(0.1, 1.0), slope=0.15, bends=(1, 2), level=0.4, pens=(0.3, 1.5), head=(3, 9),
    head_wide=(0.25, 0.6), heads={"open": 0.4, "filled": 0.35, "none": 0.25},
)  # fmt: skip
FRAME = Table(room=0.3, pitch=1.5, pencil=0.5, pencil_ink=(0.9, 2.0))
SAMPLE = Table(half=(0.12, 0.5), whole=0.3, arrows=0.2, below=(-0.1, 0.35))


@dataclass(frozen=True)
class Label:
    """One kind of label."""

    text: str  # of one line, as lettering.say takes it
    lines: Span = (1, 1)
    text_in: Span = (0.045, 0.13)
    hand_pens: Span | None = None  # by hand, with a pen of so many of the curves' pens
    coloured: float = 0.3
    on_white: float = 0.3  # share on a white box, as programs set text; never on paper
    framed: float = 0.0
    turned: float = 0.0  # share on its side where the kind of page turns its texts as seldom
    askew_deg: float = 0.0
    pointer: Shares = field(default_factory=lambda: {"none": 1})  # none, straight, bent
    in_track: bool = False  # over curves, not anywhere on the page


LABELS = {
    "name": Label("<name>", on_white=0.5, framed=0.2, turned=0.4,
                  pointer={"none": 0.8, "straight": 0.2}),
    "hand": Label("<entry>", lines=(1, 3), text_in=(0.05, 0.25), hand_pens=(0.35, 1.2),
                  turned=0.25),
    "arrow": Label("<name>", lines=(0, 1), on_white=0.6, pointer={"straight": 1}),
    "leader": Label("<name>", pointer={"bent": 1}),
    "gas label": Label("<gas> <n>u", lines=(1, 2), text_in=(0.05, 0.09), on_white=0.5,
                       pointer={"none": 0.75, "straight": 0.25}, coloured=0, in_track=True),
    "survey": Label("<survey><equals><figure>", lines=(2, 5), text_in=(0.04, 0.08),
                    coloured=0.2, turned=0.15, pointer={"none": 0.7, "straight": 0.3}),
    "boxed block": Label("<name>", lines=(1, 6), text_in=(0.05, 0.14), on_white=1, framed=0.7),
    "top": Label("<entry>", lines=(1, 2), text_in=(0.05, 0.12), coloured=0),
    "slide": Label("<n><side>", text_in=(0.05, 0.08), turned=0.5),
    "stamp": Label("<stamp>", text_in=(0.08, 0.3), coloured=0.6, on_white=0, framed=0.6,
                   askew_deg=25),
    "title": Label("<name>", text_in=(0.12, 0.7)),
    "marker": Label("<entry>", text_in=(0.18, 0.8), hand_pens=(0.7, 3.0), turned=0.4),
}  # fmt: skip


def label(sheet: Sheet, kind: str, x: float, y: float) -> None:
    """One label with its upper left corner at (x, y)."""
    draws, how = sheet.draws, LABELS[kind]
    mark = _text(sheet, how)
    colour = sheet.any_colour(how.coloured)
    if how.hand_pens and draws.chance(FRAME.pencil):  # of pencil the threshold leaves pieces
        colour = gray(sheet.threshold * draws.between(FRAME.pencil_ink))
    sheet.put(mark, x, y, colour, sheet.tidy and draws.chance(how.on_white))
    shape = draws.pick(how.pointer)
    if shape != "none":
        side = draws.sign()
        start = (x if side < 0 else x + mark.shape[1], y + len(mark) / 2)
        _pointer(sheet, start, side, shape == "bent", colour)


def _text(sheet: Sheet, how: Label) -> Array:
    """The label's mark: uint8 (rows, columns), in its frame, turned."""
    draws, size = sheet.draws, sheet.text_px(how.text_in)
    face = draw_hand(sheet, how.hand_pens, size) if how.hand_pens else draw_face(draws)
    texts = [say(draws, how.text) for _ in range(draws.whole(how.lines))]
    mark = stack([mark_of(draws, text, size, face) for text in texts], FRAME.pitch * size)
    if draws.chance(how.framed):
        mark = np.pad(mark, max(2, round(size * FRAME.room)))
        corner = (mark.shape[1] - 1, mark.shape[0] - 1)
        cv2.rectangle(mark, (0, 0), corner, 255, sheet.fine_px)
    if how.askew_deg:
        return turned(mark, draws.normal(how.askew_deg))
    share = max(how.turned, sheet.kind.text_turned * 0.7)
    return np.rot90(mark, draws.one_of((1, 3))) if draws.chance(share) else mark


def turned(mark: Array, degrees: float) -> Array:
    """A mark turned about its middle, on as much room as it then needs."""
    rows, columns = mark.shape
    side = int(np.hypot(rows, columns)) + 2
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1.0)
    turn[:, 2] += [(side - columns) / 2, (side - rows) / 2]
    return cv2.warpAffine(mark, turn, (side, side))


def _pointer(sheet: Sheet, start: Span, side: int, bent: bool, colour: Colour) -> None:
    """A line from a text to its place, straight or with bends, perhaps with an arrow's head."""
    draws, px = sheet.draws, sheet.pens(POINTER.pens)
    points = [np.array(start)]
    for _ in range(1 + bent * draws.whole(POINTER.bends)):
        leg = np.array([side, draws.normal(POINTER.slope)])
        if bent:
            leg[1] = 0 if draws.chance(POINTER.level) else draws.sign()
        points.append(points[-1] + leg * sheet.log_inches(POINTER.leg_in))
    sheet.path(np.array(points), colour, px)
    head = draws.pick(POINTER.heads)
    along = points[-1] - points[-2]
    along *= px * draws.between(POINTER.head) / np.hypot(*along)
    across = draws.between(POINTER.head_wide) * np.array([-along[1], along[0]])
    wings = np.array([points[-1] - along + across, points[-1], points[-1] - along - across])
    if head == "open":
        sheet.path(wings, colour, px)
    elif head == "filled":
        sheet.fill(wings, colour)


def curve_scale(sheet: Sheet, track: Track, y: float, size: float, face: Face,
                colour: Colour) -> None:  # fmt: skip
    """A curve's name and the values at its track's borders, with a sample of its stroke."""
    draws, middle = sheet.draws, track.middle
    write(sheet, say(draws, "<name>"), middle, y, size, face, colour, align=CENTRE)
    y += size * 1.2
    for x, align in ((track.left + size / 2, LEFT), (track.right - size / 2, RIGHT)):
        write(sheet, say(draws, "<figure>")[:5], x, y, size * 0.85, face, colour, align=align)
    half = track.width * (0.5 if draws.chance(SAMPLE.whole) else draws.between(SAMPLE.half))
    y += size * draws.between(SAMPLE.below)
    ends = np.array([[middle - half, y], [middle + half, y]])
    if draws.chance(SAMPLE.arrows):
        for a, b in (ends.round().astype(int), ends[::-1].round().astype(int)):
            cv2.arrowedLine(sheet.ink, a, b, colour, sheet.fine_px, tipLength=0.05)
    else:
        pen = draw_pen(sheet, sheet.pen_px, draws.pick(sheet.kind.curves.styles), colour)
        stroke(sheet, ends, pen, sheet.ink, None)

"""What is written on a page and drawn over a log that is no curve, and the traces of hands.

A text is a mark of ink: uint8 (rows, columns), 0 none .. 255 full. A kind of page's ``notes`` name
its ingredients, which ``note`` draws."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from .grid import GRIDDED, Track
from .sheet import BLACK, RECIPE, Array, Colour, Draws, Sheet, Table, gray, paste
from .strokes import draw_pen, stroke

Zone = tuple[list[Track], int, int]
"""Where a note may go: the tracks of a stretch of log, its first row and its end."""

PLOTTED = "simplex", "duplex", "complex", "script_simplex"  # of OpenCV's: FONT_HERSHEY_...
BUILT_IN = ("sans", "uni")


@cache
def truetype(name: str) -> cv2.FontFace:
    """A typeface of OpenCV's own or of a file of matplotlib's (without importing matplotlib)."""
    if name in BUILT_IN:
        return cv2.FontFace(name)
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    face = cv2.FontFace()
    # On Windows OpenCV cannot open a path that is not ASCII.
    there = face.set(str(Path(spec.origin).parent / f"mpl-data/fonts/ttf/{name}.ttf"))
    return face if there else cv2.FontFace(BUILT_IN[0])


def draw_face(draws: Draws, hand_pen: float = 0.0) -> Table:
    """A typeface; or a hand, with a pen of that width as a share of the text's height."""
    face = draws.table("face")
    face.by_hand = hand_pen > 0
    face.name = face.hand if face.by_hand else face.print
    face.plotted = min(hand_pen, 0.25) or face.plotted
    return face


def mark_of(draws: Draws, text: str, height_px: float, face: Table) -> Array:
    """Text as ink; capitals are about ``height_px`` high."""
    if face.by_hand:
        mark = _by_hand(draws, text, height_px, face)
    elif face.name in PLOTTED:
        mark = _plotted(text, height_px, face)
    else:
        font, weight = truetype(face.name), int(face.weight)
        size = max(5, round(height_px * 1.38))
        x, y, width, rows = cv2.getTextSize((0, 0), text, (0, 0), font, size, weight)
        mark = np.zeros((rows + 2, width + abs(x) + 4), np.uint8)
        cv2.putText(mark, text, (1, 1 - y), (255,), font, size, weight)
    wide = max(1, round(mark.shape[1] * face.squeeze))
    return cv2.resize(mark, (wide, len(mark)), interpolation=cv2.INTER_AREA)


def _plotted(text: str, height_px: float, face: Table) -> Array:
    font, scale = getattr(cv2, f"FONT_HERSHEY_{face.name.upper()}"), height_px / 21
    pen = max(1, round(height_px * face.plotted))
    (width, up), down = cv2.getTextSize(text, font, scale, pen)
    mark: Array = np.zeros((up + down + 2, width + 2), np.uint8)
    flag = cv2.LINE_AA if height_px < 18 else cv2.LINE_8
    cv2.putText(mark, text, (1, up + 1), font, scale, 255, pen, flag)
    return mark


def _by_hand(draws: Draws, text: str, height_px: float, face: Table) -> Array:
    """Letter by letter, none quite like the other."""
    x, rows = height_px, round(2.2 * height_px)
    line: Array = np.zeros((rows, round((len(text) + 3) * height_px)), np.uint8)
    for letter in text:
        how = draws.table("letter")
        mark = _plotted(letter, height_px * how.high, face)
        paste(line, mark, x, height_px * how.top)
        x += max(3, mark.shape[1] * how.advance)
    slant = np.array([[1, face.slant, 0], [0, 1, 0]])
    return cv2.warpAffine(line, slant, (round(x + height_px), rows))


def say(draws: Draws, text: str) -> str:
    """A text with its <names> replaced by draws: a number for <n>, else of the recipe's [words]."""

    def drawn(name: re.Match[str]) -> str:
        if name[1] == "n":
            return str(int(draws.of([1.0, 99999.0])))
        return say(draws, draws.one_of(RECIPE["words"][name[1]]))

    return re.sub(r"<(\w+)>", drawn, text)


def write(sheet: Sheet, text: str, x: float, y: float, height_px: float, face: Table,
          colour: Colour = BLACK, turns: int = 0, align: float = 0.0) -> None:  # fmt: skip
    """Set text at (x, y), turned by ``turns`` x 90°. align: share of its width left of x."""
    mark = np.rot90(mark_of(sheet.draws, text, height_px, face), turns)
    sheet.put(mark, x - align * mark.shape[1], y, colour)


def label(sheet: Sheet, kind: str, x: float, y: float) -> None:
    """One of the recipe's [labels], with its upper left corner at (x, y)."""
    draws, how = sheet.draws, sheet.table("labels", kind)
    face = draw_face(draws, how.pen / how.text if how.by_hand else 0.0)
    texts = [say(draws, how.says) for _ in range(int(how.lines))]
    marks = [mark_of(draws, text, how.text, face) for text in texts]
    pitch = round(1.5 * how.text)
    wide = max((mark.shape[1] for mark in marks), default=0)
    mark: Array = np.zeros((pitch * len(marks) + round(0.5 * how.text), wide), np.uint8)
    for n, line in enumerate(marks):
        paste(mark, line, 0, n * pitch)
    if how.framed:
        mark = np.pad(mark, sheet.fine_px, constant_values=255)
    if how.turned or draws.of(sheet.kind.turned):
        mark = np.rot90(mark, draws.one_of((1, 3)))
    colour = gray(sheet.threshold * how.ink) if how.by_hand else sheet.any_colour(how.coloured)
    sheet.put(mark, x, y, colour, sheet.tidy and how.on_white)
    if how.pointer != "none":
        side = draws.one_of((-1, 1))
        start = np.array([x if side < 0 else x + mark.shape[1], y + len(mark) / 2])
        _pointer(sheet, start, side, how.pointer == "bent", colour)


def _pointer(sheet: Sheet, start: Array, side: int, bent: bool, colour: Colour) -> None:
    """A line from a text to its place, straight or with bends, perhaps with an arrow's head."""
    for _ in range(sheet.draws.of([2, 3]) if bent else 1):
        how = sheet.table("pointer")
        down = how.bend if bent else how.slope
        before, start = start, start + how.leg * np.array([side, down])
        sheet.path([before, start], colour, how.line)
    if how.headed:
        tail, tip = np.round([before, start]).astype(int).tolist()
        head = how.long * how.line / how.leg
        cv2.arrowedLine(sheet.ink, tail, tip, colour, how.line, tipLength=head)


def curve_scale(
    sheet: Sheet, track: Track, y: float, size: float, face: Table, colour: Colour
) -> None:
    """A curve's name, the values at its track's borders, and a sample of its stroke."""
    draws, how = sheet.draws, sheet.table("scale")
    texts = [say(draws, text) for text in ("<scale><unit>", "<name>", "<scale><unit>")]
    for text, align in zip(texts, (0.0, 0.5, 1.0), strict=True):
        x = track.middle + (align - 0.5) * how.apart * track.width
        write(sheet, text, x, y, size, face, colour, align=align)
    y += size * (1.2 + how.below)
    half = track.width * how.half
    pen = draw_pen(sheet, sheet.pen_px, draws.of(sheet.kind.styles), colour)
    ends = np.array([[track.middle - half, y], [track.middle + half, y]])
    stroke(sheet, ends, pen, sheet.ink, None)


def annotate(sheet: Sheet, zone: Zone, notes: Mapping[str, float]) -> None:
    """Notes, of each so many on a page of 10 x 10 inches."""
    pages = (zone[2] - zone[1]) * sheet.columns / (10 * sheet.dpi) ** 2
    for name, mean in notes.items():
        for _ in range(sheet.draws.rng.poisson(mean * pages)):
            note(sheet, zone, name)


def note(sheet: Sheet, zone: Zone, name: str) -> None:
    """One note by its name, somewhere in the zone."""
    draws, (tracks, y0, y1) = sheet.draws, zone
    gridded = [track for track in tracks if track.kind in GRIDDED]
    track = draws.one_of(gridded or [Track(0, sheet.columns, "page")])
    x, y = draws.of([-20.0, sheet.columns]), draws.of([y0, y1])
    if name == "scale words":
        scale_words(sheet, track, y)
    elif name in RECIPE["bars"]:
        bars(sheet, track, y, name)
    elif name in RECIPE["trails"]:
        trail(sheet, y, name)
    elif name == "tadpoles":
        tadpoles(sheet, track, y)
    else:
        label(sheet, name, x, y)


def scale_words(sheet: Sheet, track: Track, y: float) -> None:
    """The names and scales of a track's curves, printed over it once more, each in its colour."""
    how = sheet.table("scale words")
    face = draw_face(sheet.draws)
    for n in range(how.lines):
        curve_scale(sheet, track, y + n * how.text * 2.5, how.text, face, sheet.any_colour())


def bars(sheet: Sheet, track: Track, y: float, name: str) -> None:
    """One of [bars], or a row of them, beside a border: ticks at regular depths, slides, tests."""
    how = sheet.table("bars", name)
    left = sheet.draws.one_of((track.left, track.right)) + how.beside
    colour, px = sheet.any_colour(how.coloured), -1 if how.solid else sheet.fine_px
    for top in y + how.step * np.arange(how.count):
        right, below = left + how.wide, top + how.high
        sheet.box(left, top, right, below, colour, px)
        for end in (top, below):  # lines to the ends of the interval
            sheet.path([(left, end), (left + how.ends, end)], colour, sheet.fine_px)
        if how.numbered:
            label(sheet, "slide", max(left, right) + 4, top)


def trail(sheet: Sheet, y: float, name: str) -> None:
    """One of the recipe's [trails]: a line, as wide as a curve or not, some with X marks."""
    draws, how, t = sheet.draws, sheet.table("trails", name), np.linspace(0, 1, 48)
    along = how.long * np.array([np.cos(how.turn), np.sin(how.turn)])
    across = along[::-1] * [-1, 1]
    aside = np.cumsum(how.rough / how.long * draws.rng.standard_normal(48))
    points = np.outer(t, along) + np.outer(aside, across)
    points += [how.x * sheet.columns, y]
    colour, face = sheet.any_colour(how.coloured), draw_face(draws)
    sheet.path(points, colour, how.line)
    for x, top in draws.rng.choice(points, int(how.crosses)):
        write(sheet, "X", x, top - how.cross / 2, how.cross, face, colour, align=0.5)
    if how.named:
        x, top = points[draws.of([0, 24])]
        label(sheet, "top", x, top - sheet.dpi * 0.12)


def tadpoles(sheet: Sheet, track: Track, y: float) -> None:
    """Arrows of a dipmeter: a disc at the dip of a bed, its tail towards where the bed dips."""
    draws, how = sheet.draws, sheet.table("tadpoles")
    colour = sheet.any_colour(how.coloured)
    x = track.left + track.width * how.at
    for _ in range(how.count):
        place = np.array([x + how.spread * track.width * draws.of([-1.0, 1.0]), y])
        turn = how.turn + how.scatter * draws.of([-1.0, 1.0])
        tail = place + how.long * np.array([np.cos(turn), np.sin(turn)])
        sheet.path([place, tail], colour, how.line)
        sheet.path([place, place], colour, how.disc)
        if how.hollow:
            sheet.path([place, place], gray(0), how.disc / 2)
        y += how.step * draws.of([0.2, 2.0])

"""Text: words, figures, handwriting, as marks of ink: uint8 (rows, columns), 0 none .. 255 full.

``write`` sets a text at a place; ``label`` one of the recipe's [labels].
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from .grid import Track
from .recipe import RECIPE, Array, Draws
from .sheet import BLACK, Colour, Sheet, gray
from .strokes import draw_pen, stroke

PLOTTED = {
    "simplex": cv2.FONT_HERSHEY_SIMPLEX, "duplex": cv2.FONT_HERSHEY_DUPLEX,
    "complex": cv2.FONT_HERSHEY_COMPLEX, "script": cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
}  # fmt: skip
BUILT_IN = ("sans", "uni")


class Face(NamedTuple):
    """A typeface, or somebody's lettering."""

    name: str
    weight: float  # 100-900; of a plotted one the pen, as a share of the height
    squeeze: float  # width relative to the typeface's own
    slant: float
    by_hand: bool


@cache
def truetype(name: str) -> cv2.FontFace:
    """A typeface of OpenCV's own or of a file of matplotlib's (without importing matplotlib)."""
    if name in BUILT_IN:
        return cv2.FontFace(name)
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    return cv2.FontFace(str(Path(spec.origin).parent / f"mpl-data/fonts/ttf/{name}.ttf"))


def draw_face(draws: Draws, hand_pen: float = 0.0) -> Face:
    """A typeface; or a hand, with a pen of that width as a share of the text's height."""
    face = draws.table("face")
    name = face.hand if hand_pen else face.print
    weight = face.plotted if name in PLOTTED else face.weight
    weight = min(hand_pen, 0.25) or weight
    return Face(name, weight, face.squeeze, face.slant, by_hand=hand_pen > 0)


def mark_of(draws: Draws, text: str, height_px: float, face: Face) -> Array:
    """Text as ink; capitals are about ``height_px`` high."""
    mark: Array
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


def _plotted(text: str, height_px: float, face: Face) -> Array:
    font, scale = PLOTTED[face.name], height_px / 21
    pen = max(1, round(height_px * face.weight))
    (width, up), down = cv2.getTextSize(text, font, scale, pen)
    mark: Array = np.zeros((up + down + 2, width + 2), np.uint8)
    flag = cv2.LINE_AA if height_px < 18 else cv2.LINE_8
    cv2.putText(mark, text, (1, up + 1), font, scale, 255, pen, flag)
    return mark


def _by_hand(draws: Draws, text: str, height_px: float, face: Face) -> Array:
    """Letter by letter, none quite like the other."""
    x, rows = height_px, round(2.2 * height_px)
    line: Array = np.zeros((rows, round((len(text) + 3) * height_px)), np.uint8)
    for letter in text:
        how = draws.table("letter")
        mark = _plotted(letter, height_px * how.high, face)
        paste(line, mark, round(x), round(height_px * how.top))
        x += max(3, mark.shape[1] * how.advance)
    slant = np.array([[1, face.slant, 0], [0, 1, 0]])
    return cv2.warpAffine(line, slant, (round(x + height_px), rows))


def paste(block: Array, mark: Array, x: int, y: int) -> None:
    """Set a mark into a larger one; what stands out is cut."""
    part = block[y : y + mark.shape[0], x : x + mark.shape[1]]
    np.maximum(part, mark[: part.shape[0], : part.shape[1]], out=part)


def say(draws: Draws, text: str) -> str:
    """A text with its <names> replaced by draws: a number for <n>, else of the recipe's [words]."""

    def drawn(name: re.Match[str]) -> str:
        if name[1] == "n":
            return str(int(draws.of([1.0, 99999.0])))
        return say(draws, draws.one_of(RECIPE["words"][name[1]]))

    return re.sub(r"<(\w+)>", drawn, text)


def write(sheet: Sheet, text: str, x: float, y: float, height_px: float, face: Face,
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
        mark = np.pad(mark, max(2, round(how.text * 0.3)))
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
    points = [start]
    for _ in range(sheet.draws.of([2, 3]) if bent else 1):
        how = sheet.table("pointer")
        down = how.bend if bent else how.slope
        points.append(points[-1] + how.leg * np.array([side, down]))
    sheet.path(points, colour, how.line)
    along = points[-1] - points[-2]
    along *= how.line * how.long / np.hypot(*along)
    across = how.wide * along[::-1] * [-1, 1]
    if how.headed:
        wings = [points[-1] - along + across, points[-1], points[-1] - along - across]
        cv2.fillPoly(sheet.ink, [np.round(wings).astype(np.int32)], colour)


def curve_scale(sheet: Sheet, track: Track, y: float, size: float, face: Face,
                colour: Colour) -> None:  # fmt: skip
    """A curve's name and the values at its track's borders, with a sample of its stroke."""
    draws, how = sheet.draws, sheet.table("scale")
    write(sheet, say(draws, "<name>"), track.middle, y, size, face, colour, align=0.5)
    y += size * 1.2
    for x, align in ((track.left + size / 2, 0.0), (track.right - size / 2, 1.0)):
        write(sheet, say(draws, "<figure>")[:5], x, y, size * 0.85, face, colour, align=align)
    y += size * how.below
    half = track.width * how.half
    pen = draw_pen(sheet, sheet.pen_px, draws.of(sheet.kind.styles), colour)
    ends = np.array([[track.middle - half, y], [track.middle + half, y]])
    stroke(sheet, ends, pen, sheet.ink, None)

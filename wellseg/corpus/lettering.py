"""Text: words, figures, handwriting, as marks of ink: uint8 (rows, columns), 0 none .. 255 full."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from .draws import Array, Draws, Span, Table
from .sheet import BLACK, Colour, Sheet

WORDS = (
    "COMPANY WELL FIELD COUNTY STATE LOCATION ELEVATION GAMMA RAY API UNITS CALIPER INCHES DENSITY "
    "POROSITY NEUTRON RESISTIVITY OHMS SPONTANEOUS POTENTIAL millivolts CONDUCTIVITY SONIC TRANSIT "
    "TIME DEPTH RUN DATE TYPE FLUID MUD LOGGER DRILLER CASING BIT SIZE REMARKS PERMIT SERVICE TOOL "
    "medium gray limestone shale firm sandstone fine grained trace pyrite calcareous argillaceous "
    "Interval Tension Temperature Recorded Witnessed Equipment Calibration before after Master "
    "from to at Scale Changes Sample No. Unit Truck Rm Rmf Rmc Max. Rec. Temp. Bottom Log Top "
    "INDUCTION LATEROLOG MICRO CEMENT BOND VARIABLE COMPENSATED FORMATION BOREHOLE Inc. LTD #1 "
    "Location of Well Other Services Permanent Datum Ground Level K.B. D.F. G.L. Speed Ft/Min"
).split()
VOCABULARY: dict[str, Sequence[str]] = {
    "word": WORDS, "name": ("<word>", "<word> <word>", "<word> <word> <word>"),
    "digit": "0123456789", "side": "RLHM",
    # As forms hold them: 12 1/4, 0.2, 6490, 5-21-48, 88 F.
    "figure": ("<n>", "<n>.<digit>", ".<digit><digit>", "1<digit> <digit>/8", "<n> F",
               "<digit>-<digit><digit>-<digit><digit>", "<n> to <n>", ".<digit><digit> @ <n>"),
    "entry": ("<figure>", "<figure>", "<name>"),
    "gas": ("CG", "TG", "BG", "DTG", "CG:", "SURV", "T.Gas", ""),
    "survey": ("MD", "TVD", "Inc", "Azm", "VS", "WOB", "RPM", "SPM", "PP", "Wt", "Vis"),
    "equals": (": ", " ", "="),
    "stamp": ("CONFIDENTIAL", "BEST COPY", "RECEIVED", "FILE COPY", "APR 12 1962"),
}  # fmt: skip
"""What <names> in a text stand for; see ``say``."""

# OpenCV's strokes, as plotters set them; its own typefaces; those that come with matplotlib.
PLOTTED = {
    "simplex": cv2.FONT_HERSHEY_SIMPLEX, "duplex": cv2.FONT_HERSHEY_DUPLEX,
    "complex": cv2.FONT_HERSHEY_COMPLEX, "script": cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
}  # fmt: skip
BUILT_IN = ("sans", "uni")
FACES = {
    "sans": 10, "uni": 12, "DejaVuSans": 7, "DejaVuSans-Bold": 9, "DejaVuSansMono": 13,
    "DejaVuSerif": 6, "STIXGeneral": 5, "STIXGeneralBol": 5, "cmtt10": 14, "cmss10": 6,
    "simplex": 10, "duplex": 6, "complex": 5,
}  # fmt: skip
HANDS = {"simplex": 0.6, "script": 0.4}
FACE = Table(
    plotted_weight=(60, 170), weight=(250, 850), squeezed=0.4, squeeze=(0.55, 0.95),
    hand_squeeze=(0.6, 1.1),
)  # fmt: skip
HAND = Table(slant=0.25, height=(0.8, 1.2), advance=(0.6, 1.0), rise=0.3, waver=0.12,
             waves=(0.7, 2.0))  # fmt: skip

LEFT, CENTRE, RIGHT = (0.0, 0.0), (0.5, 0.5), (1.0, 0.0)
"""What share of a text's width and height lies before the point that it is written at."""


@dataclass(frozen=True)
class Face:
    """A typeface, or somebody's lettering."""

    name: str
    weight: int  # 100-900; of a plotted one the pen, as per mille of the height
    squeeze: float = 1.0  # width relative to the typeface's own
    by_hand: bool = False


@cache
def truetype(name: str) -> cv2.FontFace:
    """A typeface of OpenCV's own or of a file of matplotlib's (without importing matplotlib)."""
    if name in BUILT_IN:
        return cv2.FontFace(name)
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    return cv2.FontFace(str(folder / f"{name}.ttf"))


def draw_face(draws: Draws) -> Face:
    name = draws.pick(FACES)
    weight = int(draws.between(FACE.plotted_weight if name in PLOTTED else FACE.weight))
    return Face(name, weight, draws.between(FACE.squeeze) if draws.chance(FACE.squeezed) else 1.0)


def draw_hand(sheet: Sheet, pens: Span, height_px: float) -> Face:
    """Somebody's lettering with a pen of so many of the curves' pens: often as thick as a curve."""
    draws, weight = sheet.draws, round(1000 * min(sheet.pens(pens) / height_px, 0.25))
    return Face(draws.pick(HANDS), weight, draws.between(FACE.hand_squeeze), by_hand=True)


def mark_of(draws: Draws, text: str, height_px: float, face: Face) -> Array:
    """Text as ink; capitals are about ``height_px`` high."""
    return _written(draws, text, height_px, face) if face.by_hand else _set(text, height_px, face)


def _set(text: str, height_px: float, face: Face) -> Array:
    mark: Array
    if face.name in PLOTTED:
        font, scale = PLOTTED[face.name], height_px / 21
        pen = max(1, round(height_px * face.weight / 1000))
        (width, up), down = cv2.getTextSize(text, font, scale, pen)
        mark = np.zeros((up + down + 2, width + 2), np.uint8)
        flag = cv2.LINE_AA if height_px < 18 else cv2.LINE_8
        cv2.putText(mark, text, (1, up + 1), font, scale, 255, pen, flag)
    else:
        type_, size = truetype(face.name), max(5, round(height_px * 1.38))
        x, y, width, rows = cv2.getTextSize((0, 0), text, (0, 0), type_, size, face.weight)
        mark = np.zeros((rows + 2, width + abs(x) + 4), np.uint8)
        cv2.putText(mark, text, (1, 1 - y), (255,), type_, size, face.weight)
        ink = np.flatnonzero(mark.any(axis=1))
        mark = mark[ink[0] : ink[-1] + 1] if len(ink) else mark
    if face.squeeze != 1.0:
        mark = cv2.resize(mark, None, fx=face.squeeze, fy=1.0, interpolation=cv2.INTER_AREA)
    return mark


def _written(draws: Draws, text: str, height_px: float, face: Face) -> Array:
    """Letter by letter, none quite like the other, with strokes that waver as a hand does."""
    marks = [_set(letter, height_px * draws.between(HAND.height), face) for letter in text]
    rows = max(len(mark) for mark in marks) + round(height_px * HAND.rise)
    x, room = rows // 2, sum(mark.shape[1] for mark in marks)
    line: Array = np.zeros((rows, room + 2 * rows), np.uint8)
    for mark in marks:
        paste(line, mark, x, draws.whole((0, rows - len(mark))))
        x += max(3, round(mark.shape[1] * draws.between(HAND.advance)))
    grid: Array = np.indices(line.shape, np.float32)
    down, across = grid[0], grid[1]

    def wave(along: Array) -> Array:
        turns = along / (height_px * draws.between(HAND.waves)) + draws.between((0, 1))
        high = draws.between((0, HAND.waver * height_px))
        return np.asarray(high * np.sin(2 * np.pi * turns))

    slant = (0.1 + draws.normal(HAND.slant)) * (down - rows / 2)
    map_x, map_y = across + slant + wave(down), down + wave(across)
    return cv2.remap(line, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR)


def paste(block: Array, mark: Array, x: int, y: int) -> None:
    """Set a mark into a larger one; what stands out is cut."""
    part = block[y : y + mark.shape[0], x : x + mark.shape[1]]
    np.maximum(part, mark[: part.shape[0], : part.shape[1]], out=part)


def stack(marks: Sequence[Array], pitch_px: float) -> Array:
    """Lines of text one below the other."""
    rows = round(pitch_px * max(0, len(marks) - 1)) + max((len(mark) for mark in marks), default=0)
    block: Array = np.zeros((rows, max((mark.shape[1] for mark in marks), default=0)), np.uint8)
    for n, mark in enumerate(marks):
        paste(block, mark, 0, round(n * pitch_px))
    return block


def write(sheet: Sheet, text: str, x: float, y: float, height_px: float, face: Face,
          colour: Colour = BLACK, turns: int = 0, on_white: bool = False,
          align: Span = LEFT) -> float:  # fmt: skip
    """Set text at (x, y), turned by ``turns`` x 90°; returns where it ends on the right."""
    mark = np.rot90(mark_of(sheet.draws, text, height_px, face), turns)
    left = x - float(align[0] * mark.shape[1])
    sheet.put(mark, left, y - align[1] * mark.shape[0], colour, on_white)
    return left + int(mark.shape[1])


def say(draws: Draws, text: str) -> str:
    """A text with its <names> replaced by draws: a number for <n>, else of VOCABULARY."""

    def drawn(name: re.Match[str]) -> str:
        if name[1] == "n":
            return str(int(draws.log_between((1, 99999))))
        return say(draws, draws.one_of(VOCABULARY[name[1]]))

    return re.sub(r"<(\w+)>", drawn, text)


def words(draws: Draws, count: int) -> str:
    return say(draws, " ".join(["<word>"] * count))

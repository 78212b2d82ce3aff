"""Text: words, numbers, handwriting, as marks of ink: uint8 (rows, columns), 0 none .. 255 full."""

from __future__ import annotations

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

# OpenCV's strokes, as plotters set them; its own typefaces; those that come with matplotlib.
PLOTTED = {
    "simplex": cv2.FONT_HERSHEY_SIMPLEX, "duplex": cv2.FONT_HERSHEY_DUPLEX,
    "complex": cv2.FONT_HERSHEY_COMPLEX, "script": cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
}  # fmt: skip
BUILT_IN = ("sans", "uni")
FACES = {
    "sans": 10, "uni": 12, "DejaVuSans": 7, "DejaVuSans-Bold": 9, "DejaVuSansMono": 6,
    "DejaVuSansMono-Bold": 3, "DejaVuSerif": 3, "DejaVuSerif-Bold": 3, "STIXGeneral": 5,
    "STIXGeneralBol": 5, "cmtt10": 7, "cmss10": 6, "cmb10": 3, "simplex": 10, "duplex": 6,
    "complex": 5,
}  # fmt: skip
HANDS = {"simplex": 0.6, "script": 0.4}
FACE = Table(
    plotted_weight=(60, 170), weight=(250, 850), squeezed=0.4, squeeze=(0.55, 0.95), pitch=0.25,
    hand_squeeze=(0.6, 1.1),
)  # fmt: skip
HAND = Table(
    slant=0.25, lean=0.08, turn=0.08, height=(0.8, 1.2), advance=(0.6, 1.0), waver=0.12,
    waves=(0.7, 2.0),
)  # fmt: skip


@dataclass(frozen=True)
class Face:
    """A typeface: a TrueType name, or one of PLOTTED."""

    name: str
    weight: int  # 100-900; of a plotted one the pen, as per mille of the height
    squeeze: float = 1.0  # width relative to the typeface's own
    pitch: bool = False  # set letter by letter at one width, as a typewriter does


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
    squeeze = draws.between(FACE.squeeze) if draws.chance(FACE.squeezed) else 1.0
    return Face(name, weight, squeeze, pitch=draws.chance(FACE.pitch))


def draw_hand(draws: Draws, pen_px: float, height_px: float) -> Face:
    """Somebody's lettering with a pen of that width: as thick as a curve, as often as not."""
    weight = round(1000 * max(1.0, pen_px) / height_px)
    return Face(draws.pick(HANDS), weight, draws.between(FACE.hand_squeeze))


def mark_of(text: str, height_px: float, face: Face) -> Array:
    """Text as ink; capitals are about ``height_px`` high."""
    if face.pitch and len(text) > 1:
        return _typed(text, height_px, face)
    if face.name in PLOTTED:
        font, scale = PLOTTED[face.name], height_px / 21
        pen = max(1, round(height_px * face.weight / 1000))
        (width, up), down = cv2.getTextSize(text, font, scale, pen)
        mark: Array = np.zeros((up + down + 2, width + 2), np.uint8)
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


def _typed(text: str, height_px: float, face: Face) -> Array:
    advance = max(3, round(height_px * 0.85 * face.squeeze))
    line: Array = np.zeros((round(height_px * 1.6) + 4, advance * len(text) + 4), np.uint8)
    for i, letter in enumerate(text):
        if letter != " ":
            one = mark_of(letter, height_px, Face(face.name, face.weight, face.squeeze))
            _set(line, one, i * advance, 0)
    return line


def by_hand(draws: Draws, text: str, height_px: float, face: Face) -> Array:
    """Text set letter by letter, none quite like the other."""
    slant = 0.1 + draws.normal(HAND.slant)
    marks: list[Array] = []
    for letter in text:
        if letter == " ":
            marks.append(np.zeros((2, max(2, round(height_px * 0.5))), np.uint8))
            continue
        mark = mark_of(letter, height_px * draws.between(HAND.height), face)
        rows, columns = mark.shape
        lean, turn = slant + draws.normal(HAND.lean), draws.normal(HAND.turn)
        move = np.array([[1.0, -lean, 4 + max(0.0, lean) * rows],
                         [turn, 1.0, 4 - min(0.0, turn * columns)]])  # fmt: skip
        size = (columns + 8 + round(abs(lean) * rows), rows + 8 + round(abs(turn) * columns))
        marks.append(cv2.warpAffine(mark, move, size))
    advances = [max(3, round(mark.shape[1] * draws.between(HAND.advance))) for mark in marks]
    rows = max(len(mark) for mark in marks) + round(height_px * 0.3)
    line: Array = np.zeros((rows, sum(advances) + max(m.shape[1] for m in marks)), np.uint8)
    x = 0
    for mark, advance in zip(marks, advances, strict=True):
        _set(line, mark, x, round(draws.between((0, rows - len(mark)))))
        x += advance
    return waver(draws, line, HAND.waver * height_px, height_px)


def _set(line: Array, mark: Array, x: int, y: int) -> None:
    part = line[y : y + mark.shape[0], x : x + mark.shape[1]]
    np.maximum(part, mark[: part.shape[0], : part.shape[1]], out=part)


def waver(draws: Draws, mark: Array, by_px: float, over_px: float) -> Array:
    """Bend straight strokes as a hand does, by waves up to ``by_px`` high, ``over_px`` long."""
    rows, columns = mark.shape
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))

    def wave(along: Array) -> Array:
        turns = along / (over_px * draws.between(HAND.waves)) + draws.between((0, 1))
        return (draws.between((0, by_px)) * np.sin(2 * np.pi * turns)).astype(np.float32)

    bent: Array = cv2.remap(mark, x + wave(y), y + wave(x), cv2.INTER_LINEAR)
    return bent


def outline(mark: Array, px: float) -> Array:
    """The letters' edges alone, as strokes of that width."""
    reach = max(3, round(px) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return cv2.morphologyEx(np.pad(mark, reach), cv2.MORPH_GRADIENT, disc)


def write(sheet: Sheet, text: str, x: float, y: float, height_px: float, face: Face,
          colour: Colour = BLACK, turns: int = 0, on_white: bool = False,
          centre: bool = False) -> tuple[int, int]:  # fmt: skip
    """Set text with its upper left corner (or centre) at (x, y), turned by ``turns`` x 90°.

    Returns rows, columns of what was set.
    """
    mark = np.rot90(mark_of(text, height_px, face), turns)
    if centre:
        x, y = x - mark.shape[1] / 2, y - mark.shape[0] / 2
    sheet.put(mark, x, y, colour, on_white)
    return mark.shape[0], mark.shape[1]


def words(draws: Draws, count: Span | int) -> str:
    """Words of logs. count: how many, or a span of it."""
    many = count if isinstance(count, int) else draws.whole(count)
    return " ".join(draws.one_of(WORDS) for _ in range(many))


def figure(draws: Draws) -> str:
    """A figure as forms hold them: 12 1/4, 0.2, 6490, 5-21-48, 88 °F."""
    n = int(10 ** draws.between((0, 5)))
    return draws.one_of((
        str(n), f"{n / 100:.2f}", f"{n % 30} {n % 7 + 1}/8", f"{n % 12}-{n % 28}-{40 + n % 60}",
        f"{n}.0", f"{n % 200} F", f"{n} to {n + 400}", f".{n % 100:02d} @ {n % 90}",
    ))  # fmt: skip


def scribble(draws: Draws, width_px: float, height_px: float) -> Array:
    """A handwritten word as a polyline: float (n, 2), within (width, height)."""
    loops = draws.whole((3, 8))
    t = np.linspace(0, 2 * np.pi * loops, 14 * loops)
    knots = np.linspace(0, t[-1], 2 * loops + 2)
    spans = ((0.1, 1.0), (-0.5, 1.2), (-0.2, 0.2))
    tall, wide, up = (np.interp(t, knots, draws.each_between(s, len(knots))) for s in spans)
    y = height_px * (0.5 - 0.5 * tall * np.sin(t) - up)
    lean = draws.between((0.1, 0.4)) * (height_px - y)
    x = np.linspace(0, width_px, len(t)) + 0.3 * width_px / loops * wide * np.cos(t) + lean
    return np.stack([x, y], axis=1)

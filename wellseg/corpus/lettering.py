"""Text: words, numbers, handwriting, rendered to patches of ink and set on the page.

Ink is uint8, 0 paper .. 255. A patch is set with ``maximum``, so letters and lines merge as they do
on copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from .recipe import Array, Rng, between, chance, pick

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


@dataclass(frozen=True)
class Face:
    """A typeface: a TrueType name, or a Hershey name of OpenCV."""

    name: str
    weight: int  # 100-900; for Hershey the pen as per mille of the height
    squeeze: float = 1.0  # width relative to the typeface's own
    pitch: bool = False  # set letter by letter at one width, as a typewriter or plotter does

    @property
    def hershey(self) -> int | None:
        return HERSHEY.get(self.name)


HERSHEY = {
    "simplex": cv2.FONT_HERSHEY_SIMPLEX,
    "plain": cv2.FONT_HERSHEY_PLAIN,
    "duplex": cv2.FONT_HERSHEY_DUPLEX,
    "complex": cv2.FONT_HERSHEY_COMPLEX,
    "triplex": cv2.FONT_HERSHEY_TRIPLEX,
    "script": cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    "script bold": cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
}
# Built into OpenCV 5, and those that come with matplotlib: typewriters, romans, grotesques.
BUILT_IN = ("sans", "italic", "uni")
FACES = {
    "sans": 0.10,
    "uni": 0.12,
    "italic": 0.02,
    "DejaVuSans": 0.07,
    "DejaVuSans-Bold": 0.07,
    "DejaVuSansMono": 0.06,
    "DejaVuSansMono-Bold": 0.03,
    "DejaVuSerif": 0.03,
    "DejaVuSerif-Bold": 0.03,
    "STIXGeneral": 0.05,
    "STIXGeneralBol": 0.05,
    "cmtt10": 0.07,
    "cmss10": 0.06,
    "cmb10": 0.03,
    "simplex": 0.08,
    "plain": 0.03,
    "duplex": 0.05,
    "complex": 0.04,
    "triplex": 0.02,
}


@cache
def truetype(name: str) -> cv2.FontFace:
    """A typeface of OpenCV's own or of a file of matplotlib's (without importing matplotlib)."""
    if name in BUILT_IN:
        return cv2.FontFace(name)
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    return cv2.FontFace(
        str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf")
    )


def draw_face(rng: Rng) -> Face:
    name = pick(rng, FACES)
    weight = int(between(rng, (60, 170))) if name in HERSHEY else int(between(rng, (250, 850)))
    squeeze = 1.0 if chance(rng, 0.6) else between(rng, (0.55, 0.95))
    return Face(name, weight, squeeze, pitch=chance(rng, 0.25))


def draw_hand(rng: Rng, pen_px: float, height_px: float) -> Face:
    """Somebody's lettering with a pen of that width: as thick as a curve, as often as not."""
    name = pick(rng, {"simplex": 0.6, "script": 0.4})
    return Face(name, round(1000 * pen_px / height_px), between(rng, (0.6, 1.1)))


def by_hand(rng: Rng, text: str, height_px: float, face: Face) -> Array:
    """Text set letter by letter, none quite like the other: uint8 (rows, columns)."""
    slant = rng.normal(0.1, 0.25)
    marks: list[Array] = []
    for letter in text:
        if letter == " ":
            marks.append(np.zeros((2, max(2, round(height_px * 0.5))), np.uint8))
            continue
        mark = patch(letter, height_px * between(rng, (0.8, 1.2)), face)
        rows, columns = mark.shape
        lean, turn = slant + rng.normal(0, 0.08), rng.normal(0, 0.08)
        move = np.array(
            [[1.0, -lean, 4 + max(0.0, lean) * rows], [turn, 1.0, 4 - min(0.0, turn * columns)]]
        )
        size = (columns + 8 + round(abs(lean) * rows), rows + 8 + round(abs(turn) * columns))
        marks.append(cv2.warpAffine(mark, move, size))
    rows = max(len(mark) for mark in marks) + round(height_px * 0.3)
    step = [max(3, round(mark.shape[1] * between(rng, (0.6, 1.0)))) for mark in marks]
    out: Array = np.zeros((rows, sum(step) + max(mark.shape[1] for mark in marks)), np.uint8)
    x = 0
    for mark, advance in zip(marks, step, strict=True):
        put(out, mark, x, rng.uniform(0, rows - len(mark)))
        x += advance
    return waver(rng, out, 0.12 * height_px, height_px)


def waver(rng: Rng, mark: Array, by_px: float, over_px: float) -> Array:
    """Bend straight strokes as a hand does: waves up to ``by_px`` high, about ``over_px`` long, both ways."""
    rows, columns = mark.shape
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))

    def wave(along: Array) -> Array:
        turns = along / (over_px * between(rng, (0.7, 2.0))) + rng.random()
        return (by_px * rng.random() * np.sin(2 * np.pi * turns)).astype(np.float32)

    bent: Array = cv2.remap(mark, x + wave(y), y + wave(x), cv2.INTER_LINEAR)
    return bent


def patch(text: str, height_px: float, face: Face) -> Array:
    """Text as ink: uint8 (rows, columns); capitals are about ``height_px`` high."""
    if face.pitch and len(text) > 1:
        advance = max(3, round(height_px * 0.85 * face.squeeze))
        rows = round(height_px * 1.6) + 4
        out: Array = np.zeros((rows, advance * len(text) + 4), np.uint8)
        for i, letter in enumerate(text):
            if letter != " ":
                one = patch(letter, height_px, Face(face.name, face.weight, face.squeeze))
                width = min(one.shape[1], out.shape[1] - i * advance)
                band = out[: one.shape[0], i * advance : i * advance + width]
                np.maximum(band, one[: band.shape[0], :width], out=band)
        return out
    if face.hershey is not None:
        scale = height_px / (10 if face.name == "plain" else 21)
        pen = max(1, round(height_px * face.weight / 1000))
        (width, up), down = cv2.getTextSize(text, face.hershey, scale, pen)
        out = np.zeros((up + down + 2, width + 2), np.uint8)
        flag = cv2.LINE_AA if height_px < 18 else cv2.LINE_8
        cv2.putText(out, text, (1, up + 1), face.hershey, scale, 255, pen, flag)
    else:
        font, size = truetype(face.name), max(5, round(height_px * 1.38))
        x, y, width, rows = cv2.getTextSize((0, 0), text, (0, 0), font, size, face.weight)
        out = np.zeros((rows + 2, width + abs(x) + 4), np.uint8)
        cv2.putText(out, text, (1, 1 - y), (255,), font, size, face.weight)
        ink = np.flatnonzero(out.any(axis=1))
        if len(ink):
            out = out[ink[0] : ink[-1] + 1]
    if face.squeeze != 1.0:
        out = cv2.resize(out, None, fx=face.squeeze, fy=1.0, interpolation=cv2.INTER_AREA)
    return out


def outline(mark: Array, px: float) -> Array:
    """The letters' edges alone, as strokes of that width."""
    reach = max(3, round(px) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return cv2.morphologyEx(np.pad(mark, reach), cv2.MORPH_GRADIENT, disc)


def put(ink: Array, mark: Array, x: float, y: float, level: int = 255, box: bool = False) -> None:
    """Set a patch with its upper left corner at (x, y); off the page is cut. box: on white."""
    left, top = round(x), round(y)
    a, b = max(0, top), min(ink.shape[0], top + mark.shape[0])
    c, d = max(0, left), min(ink.shape[1], left + mark.shape[1])
    if a >= b or c >= d:
        return
    part = mark[a - top : b - top, c - left : d - left]
    if level != 255:
        part = cv2.convertScaleAbs(part, alpha=level / 255)
    target = ink[a:b, c:d]
    if box:
        target[...] = part
    else:
        np.maximum(target, part, out=target)


def write(
    ink: Array,
    text: str,
    x: float,
    y: float,
    height_px: float,
    face: Face,
    level: int = 255,
    turns: int = 0,
    box: bool = False,
    centre: bool = False,
) -> tuple[int, int]:
    """Set text with its upper left corner (or centre) at (x, y), turned by ``turns`` x 90°.
    Returns rows, columns of what was set."""
    mark = np.rot90(patch(text, height_px, face), turns)
    if centre:
        x, y = x - mark.shape[1] / 2, y - mark.shape[0] / 2
    put(ink, mark, x, y, level, box)
    return mark.shape[0], mark.shape[1]


def words(rng: Rng, count: int) -> str:
    return " ".join(WORDS[i] for i in rng.integers(len(WORDS), size=count))


def number(rng: Rng) -> str:
    """A figure as forms hold them: 12 1/4, 0.2, 6490, 5-21-48, 88 °F."""
    form = int(rng.integers(8))
    n = int(10 ** between(rng, (0, 5)))
    return (
        str(n), f"{n / 100:.2f}", f"{n % 30} {n % 7 + 1}/8", f"{n % 12}-{n % 28}-{40 + n % 60}",
        f"{n}.0", f"{n % 200} F", f"{n} to {n + 400}", f".{n % 100:02d} @ {n % 90}",
    )[form]  # fmt: skip


def scribble(rng: Rng, width_px: float, height_px: float) -> Array:
    """A handwritten word as a polyline: (n, 2) float, within (width, height)."""
    loops = int(rng.integers(3, 9))
    t = np.linspace(0, 2 * np.pi * loops, 14 * loops)
    knots = np.linspace(0, t[-1], 2 * loops + 2)
    tall, wide, up = (
        np.interp(t, knots, rng.uniform(a, b, len(knots)))
        for a, b in ((0.1, 1.0), (-0.5, 1.2), (-0.2, 0.2))
    )
    lean = between(rng, (0.1, 0.4))
    y = height_px * (0.5 - 0.5 * tall * np.sin(t) - up)
    run = 0.6 * width_px / loops / 2
    x = np.linspace(0, width_px, len(t)) + run * wide * np.cos(t) + lean * (height_px - y)
    return np.stack([x, y], axis=1)

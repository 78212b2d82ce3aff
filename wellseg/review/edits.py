"""Edits of curves as a command has them. No heavy import: they are checked before all is loaded."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from wellseg.curves.options import RANGE

EDIT = rf"(\w+)(?::{RANGE})?=(\w*)"
DRAWN = r"(\w+)((?::\d+@\d+){2,})"


class Edit(NamedTuple):
    """These rows of a curve become another's, or nobody's ("")."""

    curve: str
    first: float
    last: float
    becomes: str


class Stroke(NamedTuple):
    """A stretch of a curve that somebody drew along its ink, from point to point: row, column."""

    curve: str
    points: list[tuple[int, int]]


def parse_edits(given: Sequence[str]) -> tuple[list[Edit], list[Stroke]]:
    """["T1_C1_SOLID=GR", "T1_C2_SOLID:800-1599="] are two edits, ["GR:800@310:890@402"] is a
    stroke from row 800, column 310. Raises ValueError."""
    edits, strokes = [], []
    for word in given:
        if match := re.fullmatch(DRAWN, word.strip(), re.ASCII):
            points = [point.split("@") for point in match[2][1:].split(":")]
            strokes.append(Stroke(match[1], [(int(row), int(column)) for row, column in points]))
            continue
        if not (match := re.fullmatch(EDIT, word.strip(), re.ASCII)):
            forms = "CURVE=NAME, CURVE=, CURVE:FROM-TO=NAME or CURVE:ROW@COLUMN:ROW@COLUMN"
            raise ValueError(f"--edit {word!r} is not {forms} (names of letters, digits, _)")
        curve, first, last, becomes = match.groups()
        low, high = (float(it.replace(",", "")) for it in (first or "0", last or "inf"))
        if low > high:
            raise ValueError(f"--edit {word!r}: its rows rise, as in 800-1600")
        edits.append(Edit(curve, low, high, becomes))
    return edits, strokes

"""Edits of curves as a command has them. No heavy import: they are checked before all is loaded."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from wellseg.curves.options import RANGE

EDIT = rf"(\w+)(?::{RANGE})?=(\w*)"


class Edit(NamedTuple):
    """These rows of a curve become another's, or nobody's ("")."""

    curve: str
    first: float
    last: float
    becomes: str


def parse_edits(given: Sequence[str]) -> list[Edit]:
    """["T1_C1_SOLID=GR", "T1_C2_SOLID:800-1599="] are two. Raises ValueError."""
    edits = []
    for word in given:
        if not (match := re.fullmatch(EDIT, word.strip(), re.ASCII)):
            raise ValueError(f"--edit {word!r} is not CURVE=NAME, CURVE= or CURVE:FROM-TO=NAME")
        curve, first, last, becomes = match.groups()
        low, high = (float(it.replace(",", "")) for it in (first or "0", last or "inf"))
        if low > high:
            raise ValueError(f"--edit {word!r}: its rows rise, as in 800-1600")
        edits.append(Edit(curve, low, high, becomes))
    return edits

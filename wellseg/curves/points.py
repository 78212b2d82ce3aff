"""What a curve is when it has been followed: its place in every row, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

BRIDGED, UNCERTAIN = 1, 4
"""Flags of a row: in a bridged gap; it may belong to another curve."""

Style = Literal["solid", "dashed", "dotted"]


@dataclass(frozen=True)
class Points:
    """A curve row by row, from its first row on; arrays of as many entries as it has rows."""

    column: NDArray[np.float32]
    """Centre of the stroke; 0.0 is the middle of the leftmost pixel."""
    left: NDArray[np.float32]
    """Leftmost pixel of the stroke in this row: a spike is a span."""
    right: NDArray[np.float32]
    """Rightmost pixel."""
    confidence: NDArray[np.float32]
    """Mean probability of the pixels, in [0, 1]; 0 where it is bridged."""
    flags: NDArray[np.uint8]
    """Of BRIDGED and UNCERTAIN."""


@dataclass(eq=False)
class Curve:
    """One printed curve from its first row to its last."""

    first_row: int
    rows: int = 0
    style: Style = "solid"
    width_px: float = 1.0
    """Usual width of its stroke."""
    colour: tuple[int, int, int] | None = None
    """Red, green, blue, 0 to 255; None for black and gray."""
    uncertain: list[int] = field(default_factory=list)
    """Rows in which it could have been mistaken for another."""
    chunks: list[tuple[int, int]] = field(default_factory=list)
    """Where its points lie in the temporary file, in bytes: offset and size."""

"""What strokes look like, and how unlike two of them are.

A look is an array (7,): rows looked at; half the stroke's width in pixels; share of its pixels that
are ink; red, green, blue; middle of the track it is mostly in, inches from the left, 0: none."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

LOOKED_ROWS, HALF_WIDTH, INK_SHARE, HOME = 0, 1, 2, 6
PAINT = slice(3, 6)
NO_LOOK: Floats = np.array([0.0, 1, 1, 0, 0, 0, 0])
SURE_ROWS, REMEMBERED_ROWS = 30, 400.0  # enough to be sure; most that count
WIDTH, STYLE, COLOUR = 8.0, 22.0, 25.0
"""Costs: a stroke is e times as wide; has no ink (chosen on drawn logs); a channel is 255 off."""
AWAY, HOME_INCHES, HOME_ROWS = 10.0, 1.5, 2000
"""Cost of going over to another track, whose middle is so far away, after so many rows in the usual
one: a spike that runs into the next track comes back. By eye on a whole scan, BWN18."""


def both(one: Floats, other: Floats) -> Floats:
    rows = LOOKED_ROWS
    weight = other[rows] / (min(one[rows], REMEMBERED_ROWS) + other[rows])
    look: Floats = one + weight * (other - one)
    look[rows] = one[rows] + other[rows]
    return look


def unlike(one: Floats, other: Floats) -> Floats:
    """Cost of one look, (..., 7), going on as the other; less where few rows of them are known."""
    rows, other_rows = one[..., LOOKED_ROWS], other[..., LOOKED_ROWS]
    home, other_home = one[..., HOME], other[..., HOME]
    known = np.minimum(rows / SURE_ROWS, 1) * np.minimum(other_rows / SURE_ROWS, 1)
    wider = np.minimum(1, np.abs(np.log(one[..., HALF_WIDTH] / other[..., HALF_WIDTH])))
    style = np.abs(one[..., INK_SHARE] - other[..., INK_SHARE])
    paint = np.abs(one[..., PAINT] - other[..., PAINT]).max(-1) / 255
    away = np.minimum(1, np.abs(home - other_home) / HOME_INCHES)
    away *= np.minimum(1, np.maximum(rows, other_rows) / HOME_ROWS)
    away *= np.minimum(home, other_home) > 0
    return np.sqrt(known) * (WIDTH * wider + STYLE * style + COLOUR * paint + AWAY * away)

"""How a strand looks, and where it comes from and goes to: what tells one curve from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wellseg.curves.strands import BLUE, CONFIDENCE, DUTY, GREEN, HALF, INK, RED, START, STOP, Chain

COURSE_ROWS = 10
COURSE_PX = 14
"""The direction of an end is taken over so many rows, or so many pixels of its course."""
SURE_ROWS = 30
"""So many rows say what a curve looks like."""
REMEMBERED_ROWS = 400.0
SIDEWAYS = 0.25
"""A column of a strand counts as so many rows."""
WIDTH, STYLE, COLOUR = 8.0, 12.0, 25.0
"""What it costs if a stroke becomes e times as wide; a solid one loses all its ink; a channel
changes from 0 to 255."""

Value = Any
"""float, or float64 (strands,)."""
End = tuple[float, float, float, float, float]
"""x, y; direction of travel dx, dy, downwards along the curve; how sure that is, 0 to 1."""


@dataclass
class Look:
    """Width, style and colour, as means over ``rows``; or those of many, one entry each."""

    rows: Value
    ink: Value
    """Half the width of its ink, pixels."""
    duty: Value
    """Share of its course that is ink: 1 solid, 0.5 dots."""
    colour: NDArray[np.floating[Any]]
    """(..., 3): red, green, blue, 0 to 255."""

    @staticmethod
    def of(runs: NDArray[np.float32]) -> Look:
        """Of a strand's runs."""
        inked = runs[:, DUTY] > 0.5
        duty = np.count_nonzero(inked) / len(runs)
        facts = (
            runs[inked][:, [INK, RED, GREEN, BLUE]] if duty else runs[:, [HALF, RED, GREEN, BLUE]]
        )
        ink, *colour = np.sort(facts, axis=0)[len(facts) // 2].tolist()
        return Look(len(runs), max(ink, 0.7), duty, np.array(colour))

    def with_more(self, other: Look) -> Look:
        """Of both together."""
        weight = other.rows / (min(self.rows, REMEMBERED_ROWS) + other.rows)
        return Look(
            self.rows + other.rows,
            self.ink + weight * (other.ink - self.ink),
            self.duty + weight * (other.duty - self.duty),
            self.colour + weight * (other.colour - self.colour),
        )

    @staticmethod
    def together(looks: list[Look]) -> Look:
        """One of many strands."""
        rows, ink, duty = np.array([(look.rows, look.ink, look.duty) for look in looks], float).T
        return Look(rows, ink, duty, np.array([look.colour for look in looks], float))

    def __getitem__(self, which: NDArray[np.int64]) -> Look:
        """Some of many."""
        return Look(self.rows[which], self.ink[which], self.duty[which], self.colour[which])

    def unlike(self, other: Look) -> Value:
        """What it costs to take one for the other; less where little of them is known."""
        known, known_other = (np.minimum(one.rows / SURE_ROWS, 1) for one in (self, other))
        wider = np.minimum(1, np.abs(np.log(self.ink / other.ink)))
        style = np.abs(self.duty - other.duty)
        paint = np.abs(self.colour - other.colour).max(-1) / 255
        return np.sqrt(known * known_other) * (WIDTH * wider + STYLE * style + COLOUR * paint)


@dataclass
class Geometry:
    """Of one strand: its upper and its lower end, how it looks, and what it costs to leave it
    out, in rows."""

    top: End
    bottom: End
    look: Look
    worth: float


def geometry(chain: Chain) -> Geometry:
    """Of a chain that is a strand."""
    runs = chain.runs()
    middle = (runs[:, START] + runs[:, STOP]) / 2
    wide = runs[:, STOP] - runs[:, START]
    top = _end(middle[::-1], wide[::-1], float(chain.first_row), -1)
    bottom = _end(middle, wide, float(chain.last_row), 1)
    sideways = float(np.ptp(middle)) if len(middle) > 1 else float(wide[0])
    worth = float((chain.rows + SIDEWAYS * sideways) * runs[:, CONFIDENCE].mean())
    return Geometry(top, bottom, Look.of(runs), worth)


def _end(middle: NDArray[np.floating[Any]], wide: NDArray[np.float32], y: float, sign: int) -> End:
    """The end of a strand in its last run, in row y. sign: 1 for the lower end, -1 for the upper
    one (of runs from bottom to top)."""
    middle, wide = middle[-COURSE_ROWS:], wide[-COURSE_ROWS:]
    x = float(middle[-1])
    if len(middle) == 1:
        return x, y, 0.0, 1.0, 0.0
    x += float(np.sign(middle[-1] - middle[-2]) * wide[-1] / 2)
    away = np.cumsum(np.hypot(np.diff(middle[::-1]), 1))
    back = min(len(middle) - 1, int(np.searchsorted(away, COURSE_PX)) + 1)
    dx, dy = x - float(middle[-1 - back]), float(back)
    size = float(np.hypot(dx, dy))
    return x, y, sign * dx / size, dy / size, min(1.0, size / COURSE_PX)

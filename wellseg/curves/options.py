"""What users say of one scan's curves: --depth, --depth_unit, --tracks and --rows.

Imports nothing heavy: the options of a command are checked before anything is loaded.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

REACH = 0.1
"""Depth goes on above and below the outermost rows that were given by this share of the rows
between them: paper shrinks and logging speeds change, so that further out it is a guess."""

Pair = tuple[float, float]


@dataclass(frozen=True)
class DepthScale:
    """Depth of a scan's rows: linear between rows of known depth, and a little beyond them.

    points: (row, depth), two or more, both rising. unit: ft or m.
    """

    points: Sequence[Pair]
    unit: str = "ft"

    @property
    def reach(self) -> Pair:
        """First and last row that have a depth."""
        first, last = self.points[0][0], self.points[-1][0]
        more = REACH * (last - first)
        return first - more, last + more

    def at(self, row: float) -> float:
        """Also beyond ``reach``, where nobody should believe it."""
        above = bisect(self.points, (row, float("inf"))) - 1
        above = min(max(above, 0), len(self.points) - 2)
        (row_0, depth_0), (row_1, depth_1) = self.points[above : above + 2]
        return depth_0 + (row - row_0) * (depth_1 - depth_0) / (row_1 - row_0)


@dataclass(frozen=True)
class CurveOptions:
    """depth: None: by row. tracks: left and right column of each; none: they are looked for.
    rows: first and last row (exclusive) to look for curves in; None: all."""

    depth: DepthScale | None = None
    tracks: Sequence[Pair] = ()
    rows: tuple[int, int] | None = None

    @classmethod
    def parse(
        cls,
        depth: Sequence[str] = (),
        depth_unit: str = "ft",
        tracks: Sequence[str] = (),
        rows: str | None = None,
    ) -> CurveOptions:
        """From the words of the command line. Raises ValueError, which names the option."""
        scale = DepthScale(parse_depth(depth), depth_unit) if depth else None
        return cls(scale, parse_tracks(tracks), parse_rows(rows) if rows else None)


def parse_depth(given: Sequence[str]) -> list[Pair]:
    """["1,200=2000", "5000=2490.5"] -> [(1200.0, 2000.0), (5000.0, 2490.5)]."""
    points = sorted(_pair(word, "=", "--depth", "ROW=DEPTH, as in 1200=4350.5") for word in given)
    if len(points) == 1:
        raise ValueError(
            f"--depth {given[0]} alone gives no scale: give the depths of two rows at least"
        )
    for (row, above), (next_row, below) in pairwise(points):
        if row == next_row or above >= below:
            raise ValueError(
                f"--depth {row:g}={above:g} {next_row:g}={below:g}: "
                "depth has to grow from row to row"
            )
    return points


def parse_tracks(given: Sequence[str]) -> list[Pair]:
    """["230-740", "880-1890"] -> [(230.0, 740.0), (880.0, 1890.0)]."""
    what = "LEFT-RIGHT in columns, as in 230-740"
    return sorted(_rising(word, "--tracks", what) for word in given)


def parse_rows(given: str) -> tuple[int, int]:
    """ "1,200-37000" -> (1200, 37001)."""
    first, last = _rising(given, "--rows", "FROM-TO, as in 1200-37000")
    return int(first), int(last) + 1


def _rising(word: str, flag: str, what: str) -> Pair:
    low, high = _pair(word, "-", flag, what)
    if low >= high:
        raise ValueError(f"{flag} {word!r} is not {what}")
    return low, high


def _pair(word: str, between: str, flag: str, what: str) -> Pair:
    """Two numbers, which may have commas between thousands."""
    number = r"(\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?)"
    sign = "-?" if between == "=" else ""
    match = re.fullmatch(f"{number}{between}({sign}){number}", word.strip())
    if not match:
        raise ValueError(f"{flag} {word!r} is not {what}")
    return float(match[1].replace(",", "")), float(match[2] + match[3].replace(",", ""))

"""What users say of one scan's curves: --depth, --depth_unit, --step, --tracks and --rows.

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
class Interval:
    """One log of a scan: depth is linear between rows of known depth, and a little beyond them.

    points: (row, depth), two or more, both rising. reach: first and last row that have a depth.
    """

    points: Sequence[Pair]
    reach: Pair

    def at(self, row: float) -> float:
        """Depth of a row; nobody should believe it beyond ``reach``."""
        return self._between(row, self.points)

    def row(self, depth: float) -> float:
        """The row of a depth."""
        return self._between(depth, [(depth, row) for row, depth in self.points])

    def _between(self, x: float, points: Sequence[Pair]) -> float:
        above = bisect(points, (x, float("inf"))) - 1
        (x0, y0), (x1, y1) = points[(above := min(max(above, 0), len(points) - 2)) : above + 2]
        return y0 + (x - x0) * (y1 - y0) / (x1 - x0)


@dataclass(frozen=True)
class DepthScale:
    """Depths of a scan's rows, by one or several logs from top to bottom. unit: ft or m."""

    logs: Sequence[Interval]
    unit: str = "ft"

    def at(self, row: float) -> float | None:
        """Depth of a row; None where it is not known."""
        known = (log for log in self.logs if log.reach[0] <= row <= log.reach[1])
        log = next(known, None)
        return log.at(row) if log else None


@dataclass(frozen=True)
class CurveOptions:
    """depth: None: by row. step: of the LAS, in its index; None: every row. tracks: left and right
    column of each; none: they are looked for. rows: first and last row (exclusive) to look for
    curves in; None: all."""

    depth: DepthScale | None = None
    step: float | None = None
    tracks: Sequence[Pair] = ()
    rows: tuple[int, int] | None = None

    @classmethod
    def parse(
        cls,
        depth: Sequence[str] = (),
        depth_unit: str = "ft",
        tracks: Sequence[str] = (),
        rows: str | None = None,
        step: float | None = None,
    ) -> CurveOptions:
        """From the words of the command line. Raises ValueError, which names the option."""
        scale = DepthScale(parse_depth(depth), depth_unit) if depth else None
        if step is not None and not step > 0:
            raise ValueError(f"--step is above 0, not {step}")
        if step and not scale:
            raise ValueError("--step is one of depth: give --depth, too")
        return cls(scale, step, parse_tracks(tracks), parse_rows(rows) if rows else None)


def parse_depth(given: Sequence[str]) -> list[Interval]:
    """["1,200=2000", "5000=2490.5"] is one log, ["900-5000=2000-2490", "7000-9000=3000-3250"] are
    two; ROWS=DEPTHS that begin where others end are one log with them."""
    if not any(re.search(r"\d-", word) for word in given):
        words = (_pair(word, "=", "--depth", "ROW=DEPTH, as in 1200=4350.5") for word in given)
        return _reaching([sorted(words)])
    what = "FROM-TO=TOP-BOTTOM, as in 1200-9800=4350-4900 (all, or none)"
    logs: list[list[Pair]] = []
    for word in given:
        rows, _, depths = word.partition("=")
        first, last = _rising(rows, "--depth", what)
        top, bottom = _rising(depths, "--depth", what)
        logs.append([(first, top), (last, bottom)])
    joined: list[list[Pair]] = []
    for log in sorted(logs):
        if joined and joined[-1][-1] == log[0]:
            joined[-1].append(log[1])
        elif joined and joined[-1][-1][0] > log[0][0]:
            raise ValueError(f"--depth: row {log[0][0]:g} is of two logs: {' '.join(given)}")
        else:
            joined.append(log)
    return _reaching(joined)


def _reaching(logs: Sequence[Sequence[Pair]]) -> list[Interval]:
    """Checks each log's points, and lets depth go on beyond them, halfway to the next log at
    most."""
    reaches: list[list[float]] = []
    for points in logs:
        if len(points) == 1:
            row, depth = points[0]
            raise ValueError(
                f"--depth {row:g}={depth:g} alone gives no scale: give the depths of two rows at "
                "least"
            )
        for (row, above), (next_row, below) in pairwise(points):
            if row == next_row or above >= below:
                raise ValueError(
                    f"--depth {row:g}={above:g} {next_row:g}={below:g}: depth has to grow from row "
                    "to row (several logs on a scan: 900-5000=2000-2490 7000-9000=1500-1700)"
                )
        more = REACH * (points[-1][0] - points[0][0])
        reaches.append([points[0][0] - more, points[-1][0] + more])
        if len(reaches) > 1:
            between = (logs[len(reaches) - 2][-1][0] + points[0][0]) / 2
            reaches[-2][1] = min(reaches[-2][1], between)
            reaches[-1][0] = max(reaches[-1][0], between)
    return [
        Interval(points, (low, high)) for points, (low, high) in zip(logs, reaches, strict=True)
    ]


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

"""Options for the curves of one scan. No heavy import: they are checked before all is loaded."""

import math
import re
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import combinations, pairwise
from typing import Any, Literal, NamedTuple

ENDING, TABLE = ".probability.tif", ".curves.csv"
OF_VIEW = "depth", "depth_unit"  # the options that the view shows, too
# Depth goes on beyond the given rows by this share of those between: paper shrinks, speeds change.
REACH = 0.1
NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,5}|\d{1,18})(?:\.\d{0,18})?"
RANGE, DEPTHS = f"({NUMBER})-({NUMBER})", f"(-?{NUMBER})-(-?{NUMBER})"
VALUE = r"(-?\d{0,9}\.?\d{1,9}(?:[eE][+-]?\d)?)"
SCALE = rf"(\w+)={VALUE}:{VALUE}(?::((?!(?i:frac|log)(?::|$))[\w/%.-]{{1,20}}))??(:log)?"
MISTAKES = {",": "no comma in 1000, decimals have a point", r"^$|\s": "no spaces, nor without ="}
MISTAKES |= {r"[^\w/%.:+-]": "UNIT has letters A to Z, digits and / % . - alone"}


class Interval(NamedTuple):
    """One log of a scan: depth is linear between rows of known depth, and a little beyond them.
    points: (row, depth), two or more, both rising. reach: first and last row that have a depth."""

    points: Sequence[tuple[float, float]]
    reach: tuple[float, float]

    def at(self, row: float) -> float:
        """Depth of a row. Beyond ``reach`` it is a guess."""
        above = bisect(self.points, (row, math.inf), 1, len(self.points) - 1) - 1
        (x0, y0), (x1, y1) = self.points[above : above + 2]
        return y0 + (row - x0) * (y1 - y0) / (x1 - x0)


class Scale(NamedTuple):
    """What is printed at the borders of a curve's track, or at two columns of its own; its unit."""

    left: float = 0
    right: float = 1
    unit: str = "FRAC"
    is_log: bool = False
    columns: tuple[float, ...] = ()

    def at(self, share: Any) -> Any:
        """The values at fractions of the track, also beyond its borders."""
        if self.is_log:
            return self.left * (self.right / self.left) ** share
        return self.left + (self.right - self.left) * share


@dataclass(kw_only=True)
class CurveOptions:
    """Options for the curves of one scan. Raises ValueError, which names the option.
    logs: from top to bottom; none: depth is the row. track_sides: left and right column of each;
    none: they are looked for. row_range: first row and past the last; None: all."""

    depth: list[str] = field(default_factory=list)
    """ROW=DEPTH ROW=DEPTH ...: depths of two or more rows of one scan; linear between them, and up
    to a tenth of the distance beyond. Several logs on a scan: FROM-TO=TOP-BOTTOM for each, as in
    1200-9000=3300-4200 12000-18000=3250-3600; where two meet in a row and its depth, they are one
    log. Their files are NAME.1.las, NAME.2.las ..."""
    depth_unit: Literal["ft", "m"] | None = None
    """Unit of --depth and --step: ft or m. Default: as the last time; at first ft."""
    step: float | None = None
    """Depth from one line of NAME.las to the next. Default: a line for every row."""
    tracks: list[str] = field(default_factory=list)
    """LEFT-RIGHT ...: the border columns of each track of one scan. Default: looked for."""
    scale: list[str] = field(default_factory=list)
    """CURVE=LEFT:RIGHT:UNIT ...: the printed scales of curves of one scan, in which NAME.las has
    them: GR=0:150:GAPI NPHI=45:-15:PU ILD=0.2:2000:OHMM:log; DRHO=-0.75:0.25:G/C3@584-823 where it
    is printed at these columns, not at the track's borders; GR:5000-9000=0:300:GAPI where another
    is printed in these rows. wellseg curves: GR= takes all of them away."""
    bridged: int | None = None
    """Rows of the longest bridged gap that NAME.las fills; 0: it fills none. Default: all."""
    rows: str | None = None
    """FROM-TO: rows of one scan in which curves are followed. The mask has all rows."""

    def __post_init__(self) -> None:
        self.unit = self.depth_unit or "ft"
        if (step := self.step) is not None and not (self.depth and 0 < step < math.inf):
            what = "a step is above 0" if self.depth else "a step is a depth: give --depth, too"
            raise ValueError(f"--step {step:g}: {what}")
        self.logs = parse_depth(self.depth) if self.depth else []
        for log in self.logs:
            (row, top), (last_row, bottom) = log.points[0], log.points[-1]
            if step and bottom - top > 100 * step * (last_row - row):  # a LAS of gigabytes
                raise ValueError(f"--step {step:g} {self.unit}: over 100 lines for each row")
            if step and step > (whole := bottom - top):
                raise ValueError(f"--step {step:g} is longer than a log, {whole:g} {self.unit}")
        what = "LEFT-RIGHT in columns, as in 230-740"
        self.track_sides = sorted(numbers_in("--tracks", word, RANGE, what) for word in self.tracks)
        if any(right > left for (_, right), (left, _) in pairwise(self.track_sides)):
            raise ValueError(f"--tracks {' '.join(self.tracks)}: tracks that overlap")
        if (self.bridged or 0) < 0:
            raise ValueError(f"--bridged {self.bridged}: rows are 0 or more")
        given = list(map(parse_scale, self.scale))
        for (name, rows, _), (other, its, _) in combinations(given, 2):
            overlap = rows and its and max(rows[0], its[0]) <= min(rows[1], its[1])
            if name == other and (overlap or rows == its):
                raise ValueError(f"--scale {name}: two scales for the same rows: leave one out")
        self.scales = {name: scale for name, rows, scale in given if not rows}
        self.changes = [it for it in given if it[1]]  # of scales, in these rows alone
        for name, (first, last), scale in self.changes:
            if name not in self.scales or self.scales[name].unit != scale.unit:
                at = f"{name}:{first:.0f}-{last:.0f}"
                do = f"give {name}= for its other rows, too, in the same unit, or {at}= to end it"
                raise ValueError(f"--scale {at}: {do}")
        span = self.rows and numbers_in("--rows", self.rows, RANGE, "FROM-TO, as in 1200-37000")
        self.row_range = (int(span[0]), int(span[1]) + 1) if span else None

    def for_report(self) -> dict[str, Any]:
        """The options given for this scan alone, by their keys in its report."""
        return {key: getattr(self, name) for name, key in OF_ONE_SCAN.items() if self.has(name)}

    def has(self, name: str) -> bool:
        """Whether an option is given."""
        return getattr(self, name) not in (None, [])

    def for_view(self) -> dict[str, Any]:
        """What the view tells of depths."""
        return {"depth": [log._asdict() for log in self.logs], "depth_unit": self.unit}

    def has_other_unit(self, report: Mapping[str, Any]) -> bool:
        """Whether --depth_unit is not that of the depths in this scan's report."""
        return self.depth_unit not in (None, report.get("depth_unit", "ft"))

    def left_to(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Options that this scan's report has and that are not given here, by their names."""
        told = {name: report.get(key) for name, key in OF_ONE_SCAN.items()}
        if self.depth == ["none"] or (self.depth and self.has_other_unit(report)):
            del told["step"]  # it was of those depths, or of the other unit
        return {it: told[it] for it in told if told[it] not in (None, []) and not self.has(it)}

    def depth_at(self, row: float) -> float | None:
        """Depth of a row; None where it is not known."""
        return next((it.at(row) for it in self.logs if it.reach[0] <= row <= it.reach[1]), None)


OF_ONE_SCAN = {it.name: it.name for it in fields(CurveOptions)} | {"rows": "curve_rows"}
"""Options for one scan alone, and their keys in its report, where "rows" is the scan's height."""


def parse_depth(given: Sequence[str]) -> list[Interval]:
    """["1,200=2000", "5000=2490.5"] is a log, ["900-5000=2000-2490", "7000-9000=3000-3250"] two."""
    if any(re.search(r"\d-", word) for word in given):
        what = "FROM-TO=TOP-BOTTOM, as in 1200-9800=4350-4900 (all, or none)"
        ranges = [numbers_in("--depth", word, f"{RANGE}={DEPTHS}", what) for word in given]
        logs: list[Any] = []
        for first, last, top, bottom in sorted(ranges):
            if not logs or logs[-1][-1] != (first, top):  # where two meet in a depth: one log
                logs.append([(first, top)])
            logs[-1].append((last, bottom))
    else:
        form, what = rf"({NUMBER})=(-?{NUMBER})", "ROW=DEPTH, as in 1200=4350.5"
        logs = [sorted(numbers_in("--depth", word, form, what) for word in given)]
    for log in logs:
        if len(log) < 2 or any(b[0] <= a[0] or b[1] <= a[1] for a, b in pairwise(log)):
            said = " ".join(f"{row:g}={depth:g}" for row, depth in log)
            do = "give two rows of a log or more, with a depth that grows from row to row"
            raise ValueError(f"--depth {said}: {do} (two logs: 90-500=200-249 700-900=150-170)")
    for above, below in pairwise(logs):
        if above[-1][0] > below[0][0]:
            raise ValueError(f"--depth: row {below[0][0]:g} is of two logs: {' '.join(given)}")
    middles = [(above[-1][0] + below[0][0]) / 2 for above, below in pairwise(logs)]
    intervals = []
    for log, low, high in zip(logs, [-math.inf, *middles], [*middles, math.inf], strict=True):
        more = REACH * (log[-1][0] - log[0][0])
        intervals.append(Interval(log, (max(low, log[0][0] - more), min(high, log[-1][0] + more))))
        if math.ceil(intervals[-1].reach[0]) > intervals[-1].reach[1]:
            raise ValueError(f"--depth {' '.join(given)}: no whole row lies in it, give others")
    return intervals


def parse_scale(word: str) -> tuple[str, tuple[float, ...], Scale]:
    """Curve, rows (() for all) and scale of "ILD:5-90=0.2:2000:OHMM:log". Raises ValueError."""
    key, _, printed = word.strip().partition("=")
    name, has_rows, rows = key.partition(":")
    scale, at, columns = printed.partition("@")
    match = re.fullmatch(SCALE, f"{name}={scale}", re.ASCII)
    left, right = map(float, match.group(2, 3)) if match else (0, 0)
    if not match or left == right or (match[5] and min(left, right) <= 0):
        form = "CURVE=LEFT:RIGHT:UNIT, as in GR=0:150:GAPI or ILD=0.2:2000:OHMM:log (above 0)"
        why = next((f": {MISTAKES[it]}" for it in MISTAKES if re.search(it, scale, re.ASCII)), "")
        raise ValueError(f"--scale {word!r} is not {form}{why}")
    sides = numbers_in(f"--scale {name} at", columns, RANGE, "LEFT-RIGHT in columns") if at else ()
    span = numbers_in(f"--scale {name} in", rows, RANGE, "FROM-TO in rows") if has_rows else ()
    return name, span, Scale(left, right, match[4] or "", bool(match[5]), sides)


def numbers_in(flag: str, word: str, form: str, what: str) -> tuple[Any, ...]:
    """The numbers in a word, which may have commas between thousands. Those of a range rise."""
    match = re.fullmatch(form, word.strip())
    numbers = tuple(float(number.replace(",", "")) for number in match.groups()) if match else ()
    if not match or (form == RANGE and numbers[0] >= numbers[1]):
        raise ValueError(f"{flag} {word!r} is not {what}")
    return numbers

"""From a mask to lines: each connected trace's centre, width and confidence in every row.

A row of the mask is a few *runs* of curve pixels. A trace is a run followed from row to row by
overlap. Where that is ambiguous (curves that cross, touch or part; a spike that sweeps over another
curve) each trace goes on where its course so far leads. Works from top to bottom, a row at a time,
and keeps of each trace what the next row needs; its points go to a temporary file.
"""

from __future__ import annotations

import math
import tempfile
from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REACH = 80.0
"""Columns that a trace may have moved in a gap, at most."""
LATELY = 0.9
"""How much of the pace is left a row later."""
MATURE_ROWS = 10
"""A trace of fewer rows is a speck, for which no gap is bridged."""
SHARED_ROWS = 100
"""Two traces in one run for longer are one from then on: the younger ends where they met."""
WIDE = 4.0
"""A run so many times wider than the trace usually is belongs to a spike: its middle says where the
curve is, not where it is heading."""
WIDE_ROWS = 8
"""... but not for longer than this: then the trace has become wider, or runs steeply."""
MEMORY = 0.2
"""Weight of a new row in a trace's usual width and slope."""
STEEPEST = 8.0
"""Columns per row; faster ones are spikes, and no course to expect."""
KEEP_ROWS = 4096
"""Points of a trace that wait in memory."""

Points = NDArray[np.float32]


class Trace:
    """One trace: its run in the last row, its course, and its points so far."""

    __slots__ = (
        *("first_row", "rows", "points", "chunks", "began"),
        *("start", "stop", "column", "width", "pen", "pace", "slope", "expected"),
        *("since", "gap", "shared", "wide"),
    )

    def __init__(self, row: int, start: int, stop: int) -> None:
        self.first_row, self.rows = row, 0  # where it begins, and how many rows of it are known
        self.start, self.stop = start, stop  # the last run, [start, stop)
        self.column, self.width = (start + stop - 1) / 2, float(stop - start)
        self.slope = 0.0
        self.pen = self.width  # the width where it runs straight down
        self.pace = 0.0  # columns a row that it lately moved: a run is so much wider than the pen
        self.began = self.column  # centre in the first row
        self.since = 0  # rows since the course was last known
        self.gap = self.shared = self.wide = 0  # rows: no run, one with others, too wide a run
        self.points = array("f")  # column, width, confidence of each row
        self.chunks: list[int] = []  # where earlier points lie in the file
        self.expected = self.column

    def expect(self) -> None:
        """Set where the centre is expected one row further."""
        self.since += 1
        self.expected = self.column + self.slope * self.since

    def follow(self, start: int, stop: int, confidence: float, shared: bool) -> None:
        """Go on in this run."""
        self.start, self.stop, self.gap = start, stop, 0
        width, column = float(stop - start), (start + stop - 1) / 2
        self.pen = min(width, 1.01 * self.pen)
        self.pace = max(width - 1.5 * self.pen, LATELY * self.pace)
        self.wide = self.wide + 1 if width > WIDE * self.width + 4 else 0
        if shared:
            self.shared += 1
            half = min(width, self.width) / 2
            column = min(max(self.expected, start - 0.5 + half), stop - 0.5 - half)
            width = 2 * half
        elif not 0 < self.wide <= WIDE_ROWS:
            slope = max(-STEEPEST, min(STEEPEST, (column - self.column) / max(1, self.since)))
            self.slope += MEMORY * (slope - self.slope)
            self.width += MEMORY * (width - self.width)
            self.column, self.since, self.shared = column, 0, 0
        self._add(column, width, confidence)

    def miss(self) -> None:
        """No run in this row."""
        self.gap += 1
        self._add(np.nan, np.nan, np.nan)

    def _add(self, *point: float) -> None:
        self.points.extend(point)
        self.rows += 1

    def reach(self) -> tuple[float, float]:
        """Columns in which a run of the next row can be this trace's."""
        if not self.gap:
            return self.start - 1, self.stop + 1
        slack = 2 + min(REACH, (0.5 + self.pace) * (self.gap + 1))
        half = self.width / 2
        low, high = min(self.start, self.expected - half), max(self.stop, self.expected + half)
        return low - slack, high + slack

    def cut(self, rows: int) -> None:
        """Forget the last rows."""
        del self.points[len(self.points) - 3 * rows :]
        self.rows -= rows


class Follower:
    """Follows all traces of a scan. Feed ``add`` from top to bottom, then ``finish``.

    least_rows: shorter traces are letters, specks and bits of grid, and are dropped.
    gap_rows: a trace that is missing in so many rows, and then goes on nearby, is still the same.
    first_row: the number of the first row that it is fed.
    """

    def __init__(
        self,
        least_rows: int,
        gap_rows: int = 20,
        scratch: Path | None = None,
        first_row: int = 0,
    ) -> None:
        self.least_rows, self.gap_rows = least_rows, gap_rows
        self.traces: list[Trace] = []
        """The traces that have ended, in no order until ``finish``."""
        self._live: list[Trace] = []
        self._row = first_row
        self._file = tempfile.TemporaryFile(dir=scratch)

    def add(self, mask: NDArray[np.uint8], probability: NDArray[np.uint8]) -> None:
        """The next rows, uint8 (rows, columns): mask 255 curve and 0 not, probability 255 for
        certainty."""
        first, starts, stops, confidences = _runs(mask, probability)
        for i in range(len(mask)):
            part = slice(first[i], first[i + 1])
            self._follow(list(zip(starts[part], stops[part], confidences[part], strict=True)))
            self._row += 1

    def _follow(self, runs: list[tuple[int, int, float]]) -> None:
        live = self._live
        users: list[list[Trace]] = [[] for _ in runs]  # traces that can go on in each run
        choices = self._choices(runs, users)
        taken: list[int] = [0] * len(runs)
        unclear: list[tuple[bool, float, int, int]] = []  # has a choice, distance, trace, run
        for number, (trace, found) in enumerate(zip(live, choices, strict=True)):
            if not found:
                trace.miss()
            elif len(found) == 1 and len(users[found[0]]) == 1:
                trace.follow(*runs[found[0]], shared=False)
                taken[found[0]] += 1
            else:
                for run in found:
                    distance = abs(trace.expected - (runs[run][0] + runs[run][1] - 1) / 2)
                    unclear.append((len(found) > 1, distance, number, run))
        if unclear:
            self._decide(unclear, runs, taken)
        for run, count in enumerate(taken):
            if not count:
                start, stop, confidence = runs[run]
                trace = Trace(self._row, start, stop)
                trace.follow(start, stop, confidence, shared=False)
                live.append(trace)
        full = any(trace.gap or len(trace.points) > 3 * KEEP_ROWS for trace in live)
        if full or unclear or not all(taken):
            self._tidy()

    def _choices(
        self, runs: list[tuple[int, int, float]], users: list[list[Trace]]
    ) -> list[list[int]]:
        """The runs in which each trace can go on; enters it among their users."""
        choices: list[list[int]] = []
        first = 0
        for trace in self._live:  # both are sorted by column, or nearly so
            trace.expect()
            low, high = trace.reach()
            while first and runs[first - 1][1] > low:
                first -= 1
            while first < len(runs) and runs[first][1] <= low:
                first += 1
            found = []
            run = first
            while run < len(runs) and runs[run][0] < high:
                found.append(run)
                run += 1
            choices.append(found)
            if not trace.gap:
                for run in found:
                    users[run].append(trace)
        for trace, found in zip(self._live, choices, strict=True):
            if trace.gap:  # one that was lost goes on only where none other does
                found[:] = [run for run in found if all(other.gap for other in users[run])]
                for run in found:
                    users[run].append(trace)
        return choices

    def _decide(
        self,
        unclear: list[tuple[bool, float, int, int]],
        runs: list[tuple[int, int, float]],
        taken: list[int],
    ) -> None:
        """Each trace takes the run nearest to where it was heading, and shares one only if none is
        left."""
        unclear.sort()
        chosen: dict[int, int | None] = {}
        for _, _, number, run in unclear:
            if number not in chosen and not taken[run]:
                chosen[number] = run
                taken[run] += 1
        for _, _, number, run in unclear:
            if number not in chosen:
                # One that was lost does not come back in another trace's run.
                chosen[number] = None if self._live[number].gap else run
                taken[run] += chosen[number] is not None
        for number, choice in chosen.items():
            if choice is None:
                self._live[number].miss()
            else:
                self._live[number].follow(*runs[choice], shared=taken[choice] > 1)

    def _tidy(self) -> None:
        """End what is lost or has become one with an older trace, and sort by column."""
        for trace in self._live:
            if trace.gap == 1 and trace.rows > MATURE_ROWS:
                self._adopt(trace)
        going = []
        for trace in self._live:
            if trace.gap > self.gap_rows or (trace.gap and trace.rows - trace.gap < MATURE_ROWS):
                self._end(trace, trace.gap)
            elif trace.shared > SHARED_ROWS and self._is_younger(trace):
                self._end(trace, trace.shared)
            else:
                going.append(trace)
                if len(trace.points) > 3 * KEEP_ROWS and not trace.gap and not trace.shared:
                    self._store(trace)
        going.sort(key=lambda trace: trace.start)
        self._live = going

    def _adopt(self, trace: Trace) -> None:
        """Go on as the trace that began nearby just before this one was lost: steep, broken lines
        overlap in rows."""
        low, high = trace.reach()
        for young in self._live:
            overlap = trace.first_row + trace.rows - young.first_row
            new = not young.gap and not young.shared and young.rows < MATURE_ROWS
            if (
                new
                and young is not trace
                and young.stop > low
                and young.start < high
                and 3 * overlap < len(trace.points)
            ):
                trace.cut(overlap)
                trace.points += young.points
                trace.rows += young.rows
                for part in ("start", "stop", "column", "slope"):
                    setattr(trace, part, getattr(young, part))
                trace.since = trace.gap = trace.shared = trace.wide = 0
                self._live.remove(young)
                return

    def _is_younger(self, trace: Trace) -> bool:
        """Whether an older trace is in the same run. A trace left alone in it goes on."""

        def age(one: Trace) -> tuple[int, int, int]:
            return one.first_row, -one.rows, id(one)

        same = [o for o in self._live if o.start == trace.start and o.shared and not o.gap]
        return any(age(other) < age(trace) for other in same if other is not trace)

    def _end(self, trace: Trace, forget_rows: int) -> None:
        trace.cut(forget_rows)
        while trace.points and math.isnan(trace.points[-1]):
            trace.cut(1)
        if trace.rows >= self.least_rows:
            self._store(trace)
            self.traces.append(trace)

    def _store(self, trace: Trace) -> None:
        trace.chunks += [self._file.seek(0, 2), 4 * len(trace.points)]
        self._file.write(trace.points)
        trace.points = array("f")

    def finish(self) -> None:
        """After the last row: ``traces`` is complete, sorted by first row, then from left to
        right."""
        for trace in self._live:
            self._end(trace, trace.gap)
        self._live = []
        self.traces.sort(key=lambda trace: (trace.first_row, trace.began))

    def points(self, trace: Trace) -> Points:
        """float32 (rows, 3) of an ended trace: column (0 is the middle of the leftmost pixel),
        width in pixels, mean probability in [0, 1]; NaN in rows where it is missing."""
        parts = []
        for at, size in zip(trace.chunks[::2], trace.chunks[1::2], strict=True):
            self._file.seek(at)
            parts.append(self._file.read(size))
        return np.frombuffer(b"".join(parts), np.float32).reshape(-1, 3)

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _runs(
    mask: NDArray[np.uint8], probability: NDArray[np.uint8]
) -> tuple[list[int], list[int], list[int], list[float]]:
    """All runs of some rows, row after row: where each row's begin in the lists, start, stop, mean
    probability."""
    rows, columns = mask.shape
    edges = np.diff(np.pad(mask > 127, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, starts = np.nonzero(edges > 0)
    stops = np.nonzero(edges < 0)[1]
    if not len(row):
        return [0] * (rows + 1), [], [], []
    # Sums from each start to its stop, and on to the next start, which nobody asks for.
    ends = np.stack([row * columns + starts, row * columns + stops], 1).ravel()
    sums = np.add.reduceat(np.append(probability.ravel(), np.uint8(0)), ends, dtype=np.int64)[::2]
    confidences = sums / (255 * (stops - starts))
    first = np.searchsorted(row, np.arange(rows + 1))
    return first.tolist(), starts.tolist(), stops.tolist(), confidences.tolist()

"""Exact evaluation of a network on a scan of any height, in bounded memory.

Rows are pulled through the network's graph: a step gives rows [a, b) of its map by asking its inputs
for the rows that these depend on (``rowrules``). Some maps are computed in a *sweep*, strip by strip
from top to bottom, each strip once:

* the input of a norm that reads the whole image. It is swept to its last row, its moments merged
  strip by strip, before the norm is used; from then on the norm is a scale and shift per channel;
* a map with several users, which would otherwise be computed once for each of them.

Both are kept (``spill``) where it would take longer to compute them once more. All else is computed on
the way from kept maps to the next sweep, and forgotten. Rows are dropped when their last reader has
gone past them. So a network without image statistics runs in a single pass that holds a few strips,
and one with them holds what its skips need.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wellseg.device import free_bytes, resident_bytes
from wellseg.rows.graph import UnsupportedOperation, trace
from wellseg.rows.rules import Rows, Step
from wellseg.rows.statistics import DepthStatistics, window_parts
from wellseg.rows.store import Block, RowStore, disk_full

__all__ = ["Plan", "RowEvaluation", "UnsupportedOperation"]

KEEP_ABOVE_WORK = 100
"""A map is kept if it would take more than so many multiply-adds a value to compute it once more.

To write a value to disk and read it again takes about as long (measured)."""

MEASURE_WORK, KEEP_WORK = 40, 40
"""What statistics and keeping take of time for each value, in multiply-adds."""

WORKING_STRIPS = 20
"""What is at work at once takes about as much as so many strips of the widest map (measured)."""

HEAP_BYTES, HEAP_OVERHEAD = 432 << 20, 1.1
"""Strips of many sizes that come and go leave holes in the heap: so much more is resident (measured)."""

STRIP_BYTES, GPU_STRIP_BYTES = 4 << 20, 128 << 20
"""Size of a strip of the widest map. A few of them fit in a CPU's cache together; a GPU that gets little
at a time waits for Python (an estimate: no GPU was measured)."""

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Plan:
    """What an evaluation will take. Bytes of kept maps only: PyTorch and the strips at work come on top."""

    strip_rows: int
    ram_bytes: int
    spill_bytes: int


class RowEvaluation:
    """A network on an image (1, 1, rows, columns): ``plan`` says what it will take, ``bands`` does it.

    net: from ink (1, 1, H, W) to logits (1, 1, H, W). It stays as it is; norms without image
        statistics in evaluation mode, please.
    memory_bytes: what the whole process may take. Maps that do not fit are kept in temporary files
        without a name in the folder ``scratch`` (None: the system's).
    dtype: float32, bfloat16 or float64, of maps and convolutions; statistics are float64 always.
    strip_rows: rows computed at a time; None chooses.
    window_rows: norms that read the image take their statistics from windows of about that many rows,
        which slide along the depth (``rowstats``). 0: from the whole image, as the network itself does.
    Raises UnsupportedOperation, naming it, if the net does what cannot be done by rows.
    """

    def __init__(
        self,
        net: nn.Module,
        rows: int,
        columns: int,
        *,
        memory_bytes: int,
        scratch: Path | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device = CPU,
        strip_rows: int | None = None,
        window_rows: int = 0,
    ) -> None:
        self.steps = trace(net, rows, columns, dtype, device)
        self.dtype, self.device, self.scratch = dtype, device, scratch
        self.parts = min(window_parts(rows, window_rows), *(step.rows for step in self.steps))
        row_bytes = max(step.meta.nbytes for step in self.steps) / rows
        self.strip_rows = min(rows, strip_rows or _best_strip_rows(row_bytes, device))
        working_bytes = int(WORKING_STRIPS * row_bytes * self.strip_rows)
        self.budget_bytes = _store_budget(memory_bytes, working_bytes, device)
        self.plan = _Run(self).rehearse()

    def bands(
        self,
        read_ink: Callable[[int, int], Tensor],
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[tuple[int, Tensor]]:
        """The net's output in bands of rows from top to bottom.

        read_ink: ``read_ink(a, b)`` gives rows [a, b) of the ink, (1, 1, b - a, columns), in [0, 1]. Is
            called from top to bottom, once for each row.
        progress: is told the share of the work done, in [0, 1].

        Yields (first row, logits (1, 1, band rows, columns)) with float32 logits, or float64.
        Raises OSError if the disk has no room, before anything is computed.
        """
        run = _Run(self, read_ink, progress or (lambda share: None))
        free = shutil.disk_usage(run.store.scratch).free
        if self.plan.spill_bytes > free:
            raise disk_full(run.store.scratch, self.plan.spill_bytes, free)
        return run.bands()


class _Run:
    """One pass of an evaluation: its sweeps, and the store of the maps kept."""

    def __init__(
        self,
        evaluation: RowEvaluation,
        read_ink: Callable[[int, int], Tensor] | None = None,
        progress: Callable[[float], None] = lambda share: None,
    ) -> None:
        steps = evaluation.steps
        self.evaluation, self.read_ink, self.progress = evaluation, read_ink, progress
        self.dtype, self.device, self.image_rows = (
            evaluation.dtype,
            evaluation.device,
            steps[0].rows,
        )
        self.store = RowStore(evaluation.budget_bytes, evaluation.scratch)
        self.scale_shifts: dict[
            Step, tuple[Tensor, Tensor]
        ] = {}  # of the norms whose input is complete
        self.sweeps: dict[Step, Sweep] = {}
        again: dict[Step, float] = {}  # the work of computing a whole map from those kept
        for step in steps:
            again[step] = step.work + sum(again[x] for x in step.inputs)
            measured = any(user.barrier for user in step.users)
            dear = again[step] > KEEP_ABOVE_WORK * step.meta.numel()
            kept = not step.inputs or (dear and (measured or len(step.users) > 1))
            if kept or measured or not step.users:
                self.sweeps[step] = Sweep(step, self, kept, measured)
            if kept:
                again[step] = 0.0
        self.output = self.sweeps[steps[-1]]
        self.total_work = sum(sweep.row_work * sweep.step.rows for sweep in self.sweeps.values())
        self.done_work = 0.0

    @property
    def rehearsing(self) -> bool:
        """Going through the schedule without data."""
        return self.read_ink is None

    def rehearse(self) -> Plan:
        """What the schedule takes, found without computing."""
        while self.output.next_row < self.output.step.rows:
            self.output.advance()
        return Plan(
            self.evaluation.strip_rows, self.store.peak_ram_bytes, self.store.peak_disk_bytes
        )

    @torch.no_grad()
    def bands(self) -> Iterator[tuple[int, Tensor]]:
        while (first_row := self.output.next_row) < self.output.step.rows:
            # Else a GPU rounds what it multiplies in float32 to 10 bits (TF32).
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                logits = self.output.advance().to(self.wide)
            yield first_row, logits
        self.progress(1.0)

    @property
    def wide(self) -> torch.dtype:
        """Of logits, and of scales and shifts."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    def ink_rows(self, start: int, stop: int) -> Tensor:
        assert self.read_ink
        return self.read_ink(start, stop).to(self.device, self.dtype)

    def have_statistics(self, norm: Step, stop: int) -> None:
        """Sweep the input of a norm that reads the image as far as its rows up to ``stop`` ask for."""
        sweep = self.sweeps[norm.inputs[0]]
        needed = sweep.statistics.rows_for(stop)
        while sweep.next_row < needed:
            sweep.advance()

    def scale_shift(self, norm: Step, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """What such a norm is at those rows: a scale and a shift, (C,) or for each row (C, rows)."""
        if norm in self.scale_shifts:
            return self.scale_shifts[norm]
        statistics = self.sweeps[norm.inputs[0]].statistics.at(start, stop)
        function: Any = norm.barrier.scale_shift  # type: ignore[union-attr]
        by_row = statistics[0].dim() == 2
        if by_row:
            function = torch.vmap(function, in_dims=1, out_dims=1)
        scale, shift = (each.to(self.wide) for each in function(*statistics))
        if not by_row:
            self.scale_shifts[norm] = scale, shift
        return scale, shift


class Sweep:
    """A map computed strip by strip, from the top down, each strip once: kept, measured or given out."""

    def __init__(self, step: Step, run: _Run, kept: bool, measured: bool) -> None:
        self.step, self.run, self.kept, self.measured = step, run, kept, measured
        self.strip_rows = max(1, round(run.evaluation.strip_rows * step.rows / run.image_rows))
        self.next_row = 0
        self.blocks: deque[tuple[int, int, Block]] = deque()  # first row, past the last, rows
        self.readers: dict[Sweep, int] = {}  # the first row that each still needs
        self.statistics = DepthStatistics(step.rows, run.evaluation.parts)
        known = {other.step for other in run.sweeps.values() if other.kept}
        self.path = _path(step, known)
        inputs = dict.fromkeys(x for step in self.path for x in step.inputs)
        self.sources = [run.sweeps[x] for x in inputs if x in known]
        for source in self.sources:
            source.readers[self] = 0
        last_use = {x: step for step in self.path for x in step.inputs}
        self.last_use = {step: [x for x in last_use if last_use[x] is step] for step in self.path}
        self.overwrites = {
            step: step.rule.run_over_first for step in self.path if self.may_overwrite(step)
        }
        work = sum(x.work for x in self.path) + step.meta.numel() * (
            KEEP_WORK * kept + MEASURE_WORK * measured
        )
        self.row_work = work / step.rows

    def may_overwrite(self, step: Step) -> bool:
        """Whether nobody else sees the memory of the step's first input, and the output fits there."""
        first = step.inputs[0]
        return (
            first in self.path
            and not first.rule.view
            and len(first.users) == 1
            and first.meta.shape == step.meta.shape
        )

    def advance(self) -> Tensor:
        """Compute the next strip, (1, C, strip rows, W), and keep it if it will be read.

        In rehearsal, only take its place in the store.
        """
        run = self.run
        start, stop = self.next_row, min(self.next_row + self.strip_rows, self.step.rows)
        ranges = self.ranges(start, stop)
        for step in self.path:
            if step.barrier:
                run.have_statistics(step, ranges[step][1])
        for source in self.sources:
            source.provide(self, *ranges[source.step])
        self.next_row = stop
        if run.rehearsing:
            strip = self.step.meta
            if self.readers:
                nbytes = strip.nbytes // self.step.rows * (stop - start)
                self.blocks.append((start, stop, run.store.reserve(nbytes)))
        else:
            strip = self.compute(ranges)
            if self.measured:
                self.statistics.add(start, strip)
            if self.readers:
                rows = strip[0].permute(1, 2, 0).contiguous()
                self.blocks.append((start, stop, run.store.put(rows, self)))
        if stop == self.step.rows:
            run.store.close(self)
            for source in self.sources:
                source.provide(self, source.step.rows, 0)
        run.done_work += self.row_work * (stop - start)
        run.progress(min(1.0, run.done_work / run.total_work))
        return strip

    def provide(self, reader: Sweep, first: int, stop: int) -> None:
        """Have rows up to ``stop``, and know that this reader needs none before ``first`` any more."""
        while self.next_row < stop:
            self.advance()
        self.readers[reader] = first
        needed = min(self.readers.values())
        while self.blocks and self.blocks[0][1] <= needed:
            self.blocks.popleft()[2].drop()

    def ranges(self, start: int, stop: int) -> dict[Step, Rows]:
        """The rows that each step on the path to this map gives for its rows [start, stop)."""
        ranges = {self.step: (start, stop)}
        for step in reversed(self.path):
            first, last = step.rule.rows_in(*ranges[step])
            for x in step.inputs:
                # At least one row, though some operations need none but those beyond the edge.
                first_here = max(0, min(first, x.rows - 1))
                last_here = max(first_here + 1, min(last, x.rows))
                if x in ranges:
                    first_here, last_here = (
                        min(first_here, ranges[x][0]),
                        max(last_here, ranges[x][1]),
                    )
                ranges[x] = first_here, last_here
        return ranges

    def compute(self, ranges: dict[Step, Rows]) -> Tensor:
        """Those rows of this map, from the rows of its sources on."""
        if not self.path:
            return self.run.ink_rows(*ranges[self.step])
        values = {source.step: source.rows(*ranges[source.step]) for source in self.sources}
        for step in self.path:
            start, stop = ranges[step]
            first, last = step.rule.rows_in(start, stop)
            if step.rule.fill is None:
                first, last = max(0, first), min(last, step.inputs[0].rows)
            rows = [
                rows_of(values[x], ranges[x][0], x.rows, first, last, step.rule.fill)
                for x in step.inputs
            ]
            if step.barrier:
                given = step.rule.run(*rows, *self.run.scale_shift(step, first, last))
            else:
                given = (self.overwrites.get(step) or step.rule.run)(*rows)
            values[step] = given.narrow(2, start - step.rule.first_row(first), stop - start)
            for x in self.last_use[step]:
                del values[x]
        return values[self.step]

    def rows(self, start: int, stop: int) -> Tensor:
        """Rows [start, stop) that are kept, (1, C, stop - start, W) in channels_last order."""
        blocks = [block for block in self.blocks if block[0] < stop and start < block[1]]
        first, last, block = blocks[0]
        kept = block.rows  # a thread may write them to disk and let go of them
        if kept is not None and last >= stop:
            rows = kept[start - first : stop - first]
        else:
            _, channels, _, width = self.step.meta.shape
            rows = torch.empty(
                (stop - start, width, channels), dtype=self.step.meta.dtype, device=self.run.device
            )
            for first, last, block in blocks:
                here, there = max(first, start), min(last, stop)
                block.read(here - first, rows[here - start : there - start])
        # With the batch dimension first, whose stride then says channels_last to PyTorch.
        return rows[None].permute(0, 3, 1, 2)


def rows_of(
    x: Tensor, x_first: int, x_height: int, first: int, last: int, fill: float | None
) -> Tensor:
    """Rows [first, last) of a map of that height from a tensor that starts at row x_first.

    Only beyond the real edges of the image, rows are filled in.
    """
    inside = x[:, :, max(0, first) - x_first : max(0, min(last, x_height) - x_first)]
    top, bottom = min(max(0, -first), last - first), min(max(0, last - x_height), last - first)
    return F.pad(inside, (0, 0, top, bottom), value=fill or 0.0) if top or bottom else inside


def _path(target: Step, kept: Container[Step]) -> list[Step]:
    """The steps from kept maps (without them) to that one, in order."""
    if not target.inputs:
        return []
    order: dict[Step, None] = {}

    def visit(step: Step) -> None:
        for x in step.inputs:
            if x not in kept and x not in order:
                visit(x)
        order[step] = None

    visit(target)
    return list(order)


def _best_strip_rows(row_bytes: float, device: torch.device) -> int:
    strip_bytes = STRIP_BYTES
    if device.type == "cuda":
        strip_bytes = min(GPU_STRIP_BYTES, free_bytes(device) // (4 * WORKING_STRIPS))
    return max(32, int(strip_bytes / row_bytes) // 32 * 32)


def _store_budget(memory_bytes: int, working_bytes: int, device: torch.device) -> int:
    """What may be kept in memory: all but what the process has already and what strips at work take."""
    if device.type == "cuda":
        return int(0.8 * free_bytes(device)) - working_bytes
    return int((memory_bytes - resident_bytes() - working_bytes - HEAP_BYTES) / HEAP_OVERHEAD)

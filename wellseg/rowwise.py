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

import os
import shutil
from collections import deque
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wellseg.norms import Moments, block_moments, merge_moments
from wellseg.rowgraph import UnsupportedOperation, trace
from wellseg.rowrules import Rows, Step
from wellseg.spill import Block, RowStore, disk_full

__all__ = ["Plan", "UnsupportedOperation", "evaluate_rows", "plan"]

KEEP_ABOVE_WORK = 100
"""A map is kept if it would take more than so many multiply-adds a value to compute it once more.

To write a value to disk and read it again takes about as long (measured)."""

MEASURE_WORK, KEEP_WORK = 40, 40
"""What statistics and keeping take of time for each value, in multiply-adds."""

WORKING_STRIPS = 20
"""What is at work at once takes about as much as so many strips of the widest map (measured)."""

HEAP_BYTES, HEAP_OVERHEAD = 256 << 20, 1.1
"""Strips of many sizes that come and go leave holes in the heap: so much more is resident (measured)."""

STRIP_BYTES = 4 << 20
"""Size of a strip of the widest map: a few of them fit in the cache together."""

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Plan:
    """What an evaluation will take. Bytes of kept maps only: PyTorch and the strips at work come on top."""

    strip_rows: int
    ram_bytes: int
    spill_bytes: int


def plan(
    net: nn.Module,
    rows: int,
    columns: int,
    memory_bytes: int,
    dtype: torch.dtype = torch.float32,
    device: torch.device = CPU,
    strip_rows: int | None = None,
) -> Plan:
    """What ``evaluate_rows`` with these arguments will take: the same schedule, without computing."""
    steps = trace(net, rows, columns, dtype, device)
    return _Evaluation(steps, memory_bytes, device, strip_rows).rehearse()


def evaluate_rows(
    net: nn.Module,
    read_ink: Callable[[int, int], Tensor],
    rows: int,
    columns: int,
    *,
    memory_bytes: int,
    scratch: Path | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device = CPU,
    strip_rows: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """The net's output for an image (1, 1, rows, columns), in bands of rows from top to bottom.

    net: from ink (1, 1, H, W) to logits (1, 1, H, W). It stays as it is; norms without image
        statistics in evaluation mode, please.
    read_ink: ``read_ink(a, b)`` gives rows [a, b) of the ink, (1, 1, b - a, columns), in [0, 1]. Is
        called from top to bottom, once for each row.
    memory_bytes: what the whole process may take. Maps that do not fit are kept in temporary files
        without a name in the folder ``scratch`` (None: the system's).
    dtype: float32, bfloat16 or float64, of maps and convolutions; statistics are float64 always.
    strip_rows: rows computed at a time; None chooses.
    progress: is told the share of the work done, in [0, 1].

    Yields (first row, logits (1, 1, band rows, columns)) with float32 logits, or float64.
    Raises UnsupportedOperation, naming it, if the net does what cannot be done by rows, and OSError
    if the disk has no room, both before anything is computed.
    """
    steps = trace(net, rows, columns, dtype, device)
    planned = _Evaluation(steps, memory_bytes, device, strip_rows).rehearse()
    evaluation = _Evaluation(steps, memory_bytes, device, strip_rows, scratch)
    free = shutil.disk_usage(evaluation.store.scratch).free
    if planned.spill_bytes > free:
        raise disk_full(evaluation.store.scratch, planned.spill_bytes, free)
    return evaluation.bands(read_ink, progress or (lambda share: None))


class _Evaluation:
    """One network on one image: its steps, the maps kept, and the store that keeps them."""

    def __init__(
        self,
        steps: list[Step],
        memory_bytes: int,
        device: torch.device,
        strip_rows: int | None,
        scratch: Path | None = None,
    ) -> None:
        self.device, self.image_rows = device, steps[0].rows
        self.dtype = steps[0].meta.dtype
        row_bytes = max(step.meta.nbytes for step in steps) / self.image_rows
        self.strip_rows = min(self.image_rows, strip_rows or _best_strip_rows(row_bytes))
        working_bytes = int(WORKING_STRIPS * row_bytes * self.strip_rows)
        self.store = RowStore(_store_budget(memory_bytes, working_bytes, device), scratch)
        self.scale_shift: dict[Step, tuple[Tensor, Tensor]] = {}  # of the norms whose input is complete
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
        self.progress: Callable[[float], None] = lambda share: None
        self.read_ink: Callable[[int, int], Tensor]
        self.rehearsing = False

    def rehearse(self) -> Plan:
        """Go through the schedule without data, on a fresh evaluation, to see what it takes."""
        self.rehearsing = True
        while self.output.next_row < self.output.step.rows:
            self.output.advance()
        return Plan(self.strip_rows, self.store.peak_ram_bytes, self.store.peak_disk_bytes)

    @torch.no_grad()
    def bands(
        self, read_ink: Callable[[int, int], Tensor], progress: Callable[[float], None]
    ) -> Iterator[tuple[int, Tensor]]:
        self.read_ink, self.progress = read_ink, progress
        out_dtype = torch.float64 if self.dtype == torch.float64 else torch.float32
        while (first_row := self.output.next_row) < self.output.step.rows:
            yield first_row, self.output.advance().to(out_dtype)
        progress(1.0)

    def ink_rows(self, start: int, stop: int) -> Tensor:
        return self.read_ink(start, stop).to(self.device, self.dtype)

    def normalise(self, norm: Step) -> None:
        """Turn a norm that reads the image into a scale and shift, from all rows of its input."""
        if norm in self.scale_shift:
            return
        sweep = self.sweeps[norm.inputs[0]]
        while sweep.next_row < sweep.step.rows:
            sweep.advance()
        if not self.rehearsing:
            assert sweep.moments and norm.barrier
            count, mean, square = sweep.moments
            wide = torch.float64 if self.dtype == torch.float64 else torch.float32
            scale, shift = norm.barrier.scale_shift(mean, square / count)  # type: ignore[operator]
            self.scale_shift[norm] = scale.to(wide), shift.to(wide)


class Sweep:
    """A map computed strip by strip, from the top down, each strip once: kept, measured or given out."""

    def __init__(self, step: Step, evaluation: _Evaluation, kept: bool, measured: bool) -> None:
        self.step, self.evaluation, self.kept = step, evaluation, kept
        self.strip_rows = max(1, round(evaluation.strip_rows * step.rows / evaluation.image_rows))
        self.next_row = 0
        self.blocks: deque[tuple[int, int, Block]] = deque()  # first row, past the last, rows
        self.readers: dict[Sweep, int] = {}  # the first row that each still needs
        self.measured = measured
        self.moments: Moments | None = None  # of the rows so far
        known = {other.step for other in evaluation.sweeps.values() if other.kept}
        self.path = _path(step, known)
        inputs = dict.fromkeys(x for step in self.path for x in step.inputs)
        self.sources = [evaluation.sweeps[x] for x in inputs if x in known]
        for source in self.sources:
            source.readers[self] = 0
        last_use = {x: step for step in self.path for x in step.inputs}
        self.last_use = {step: [x for x in last_use if last_use[x] is step] for step in self.path}
        self.overwrites = {step: step.rule.run_over_first for step in self.path if self.may_overwrite(step)}
        work = sum(x.work for x in self.path) + step.meta.numel() * (KEEP_WORK * kept + MEASURE_WORK * measured)
        self.row_work = work / step.rows

    def may_overwrite(self, step: Step) -> bool:
        """Whether nobody else sees the memory of the step's first input, and the output fits there."""
        first = step.inputs[0]
        return (
            first in self.path and not first.rule.view and len(first.users) == 1 and first.meta.shape == step.meta.shape
        )

    def advance(self) -> Tensor:
        """Compute the next strip, (1, C, strip rows, W), and keep it if it will be read.

        In rehearsal, only take its place in the store.
        """
        evaluation = self.evaluation
        start, stop = self.next_row, min(self.next_row + self.strip_rows, self.step.rows)
        if start == 0:
            for step in self.path:
                if step.barrier:
                    evaluation.normalise(step)
        ranges = self.ranges(start, stop)
        for source in self.sources:
            source.provide(self, *ranges[source.step])
        self.next_row = stop
        if evaluation.rehearsing:
            strip = self.step.meta
            if self.readers:
                nbytes = strip.nbytes // self.step.rows * (stop - start)
                self.blocks.append((start, stop, evaluation.store.reserve(nbytes)))
        else:
            strip = self.compute(ranges)
            if self.measured:
                self.measure(strip)
            if self.readers:
                rows = strip[0].permute(1, 2, 0).contiguous()
                self.blocks.append((start, stop, evaluation.store.put(rows, self)))
        if stop == self.step.rows:
            evaluation.store.close(self)
            for source in self.sources:
                source.provide(self, source.step.rows, 0)
        evaluation.done_work += self.row_work * (stop - start)
        evaluation.progress(min(1.0, evaluation.done_work / evaluation.total_work))
        return strip

    def measure(self, strip: Tensor) -> None:
        """Take the next rows, (1, C, h, W), into the moments, each row once."""
        moments = block_moments(strip)
        self.moments = merge_moments(self.moments, moments) if self.moments else moments

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
                    first_here, last_here = min(first_here, ranges[x][0]), max(last_here, ranges[x][1])
                ranges[x] = first_here, last_here
        return ranges

    def compute(self, ranges: dict[Step, Rows]) -> Tensor:
        """Those rows of this map, from the rows of its sources on."""
        if not self.path:
            return self.evaluation.ink_rows(*ranges[self.step])
        values = {source.step: source.rows(*ranges[source.step]) for source in self.sources}
        for step in self.path:
            start, stop = ranges[step]
            first, last = step.rule.rows_in(start, stop)
            if step.rule.fill is None:
                first, last = max(0, first), min(last, step.inputs[0].rows)
            rows = [rows_of(values[x], ranges[x][0], x.rows, first, last, step.rule.fill) for x in step.inputs]
            if step.barrier:
                given = step.rule.run(*rows, *self.evaluation.scale_shift[step])
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
        if block.rows is not None and last >= stop:
            rows = block.rows[start - first : stop - first]
        else:
            _, channels, _, width = self.step.meta.shape
            rows = torch.empty(
                (stop - start, width, channels), dtype=self.step.meta.dtype, device=self.evaluation.device
            )
            for first, last, block in blocks:
                here, there = max(first, start), min(last, stop)
                block.read(here - first, rows[here - start : there - start])
        # With the batch dimension first, whose stride then says channels_last to PyTorch.
        return rows[None].permute(0, 3, 1, 2)


def rows_of(x: Tensor, x_first: int, x_height: int, first: int, last: int, fill: float | None) -> Tensor:
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


def _best_strip_rows(row_bytes: float) -> int:
    return max(32, int(STRIP_BYTES / row_bytes) // 32 * 32)


def _store_budget(memory_bytes: int, working_bytes: int, device: torch.device) -> int:
    """What may be kept in memory: all but what the process has already and what strips at work take."""
    if device.type == "cuda":
        return int(0.8 * torch.cuda.mem_get_info(device)[0]) - working_bytes
    return int((memory_bytes - resident_bytes() - working_bytes - HEAP_BYTES) / HEAP_OVERHEAD)


def resident_bytes() -> int:
    """Resident memory of this process now."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux: what PyTorch takes
        return 400 << 20

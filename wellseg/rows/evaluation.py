"""Exact evaluation of a network on a scan of any height, in bounded memory.

Rows are pulled through the network's graph: a step gives rows [a, b) of its map by asking its
inputs for the rows that these depend on (``graph``). Some maps are computed in a *sweep*, strip by
strip from top to bottom, each strip once:
* the input of a norm that reads the image. Its moments are merged strip by strip, as far down as
  the norm needs; from then on the norm is a scale and shift (``statistics``);
* a map with several users, which would otherwise be computed once for each of them.

Both are kept (``store``) until their last reader has gone past them, if computing them again would
take longer. All other maps are computed when they are needed, and forgotten.
On a CPU several strips are computed at once, each by one thread: threads that share each operation
wait for one another at its end, and very long beside a busy program."""

import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wellseg.device import free_bytes, pick_device, pick_dtype, resident_bytes
from wellseg.net.options import at_least, parse_bytes
from wellseg.rows.graph import Rows, Step, record, steps_to
from wellseg.rows.statistics import DepthStatistics, PartMoments, scale_and_shift, window_parts
from wellseg.rows.store import Block, RowStore, ScratchFull, give_back_memory

ShareDone = Callable[[float], None]  # is called with the share done, in [0, 1]
# What follows decides how fast an evaluation is and what it takes, never its result.
KEEP_ABOVE_WORK = 100  # multiply-adds a value of maps that are kept: writing and reading take that
STRIP_BYTES = 8 << 20  # of the widest map: a few fit in a CPU's cache; of 2 MB Python takes longer
GPU_STRIP_BYTES = 512 << 20
WORKERS, WORKING_STRIPS = 4, 10  # strips at once at most; memory of each, in strips (7 seen)
HEAP_BYTES = 600 << 20  # else resident: libraries, the heap's holes, curves followed (400 MB seen)
HEAP_OVERHEAD = 1.1  # of kept maps


class RowEvaluation:
    """A network on an image (1, channels, rows, columns), which ``bands`` computes.
    ram_bytes, spill_bytes: what kept maps will take; PyTorch and strips at work are on top.
    net: from input (1, channels, H, W) to logits (1, 1, H, W). It is copied, not changed.
    precision, device, memory, window_rows, scratch: as options in `wellseg.config`. Maps that do
        not fit in memory are kept in a file in scratch. Statistics are float64 always.
    strip_rows: computed at a time; None chooses. colour: the input has all ``channels``, else 1.
    Raises NotImplementedError, naming an operation that cannot be done by rows, and ValueError."""

    def __init__(
        self, net: nn.Module, rows: int, columns: int, *, precision: str = "auto",
        device: str | torch.device = "auto", memory: str | int = "2GB",
        window_rows: int | None = None, scratch: Path | None = None,
        strip_rows: int | None = None, colour: bool = False,
    ) -> None:  # fmt: skip
        self.rows, self.scratch, self.device = rows, scratch, pick_device(device)
        self.dtype = pick_dtype(precision, self.device)
        self.channels = getattr(net, "channels", 1) if colour else 1
        self.steps = record(net, (self.channels, rows, columns), self.dtype, self.device)
        window_rows = window_rows if window_rows is not None else getattr(net, "window_rows", None)
        at_least(0, window_rows=window_rows)
        self.parts = min(window_parts(rows, window_rows or 0), *(step.rows for step in self.steps))
        row_bytes = max(step.meta.nbytes for step in self.steps) / rows
        strip_bytes, self.workers = STRIP_BYTES, min(WORKERS, torch.get_num_threads())
        if self.device.type == "cuda":
            self.workers = 1
            strip_bytes = min(GPU_STRIP_BYTES, free_bytes(self.device) // (8 * WORKING_STRIPS))
        self.strip_rows = min(rows, strip_rows or max(32, int(strip_bytes / row_bytes) // 32 * 32))
        working_bytes = int(self.workers * WORKING_STRIPS * row_bytes * self.strip_rows)
        self.crowded_bytes = parse_bytes(memory) - working_bytes  # next strips may take the rest
        room_bytes = self.crowded_bytes - resident_bytes() - HEAP_BYTES
        self.budget_bytes = int(room_bytes / HEAP_OVERHEAD)  # of maps that may be kept in memory
        if self.device.type == "cuda":
            self.budget_bytes = int(0.8 * free_bytes(self.device)) - working_bytes
        self._start(None, lambda share: None)
        self.output.advance_to(self.output.step.rows)
        self.ram_bytes, self.spill_bytes = self.store.ram_bytes, self.store.disk_bytes
        self.budget_bytes = self.ram_bytes  # no more than the dry run took

    def _start(self, read_ink: Callable[[int, int], Tensor] | None, progress: ShareDone) -> None:
        """Prepare all sweeps. Without ``read_ink`` they are a dry run that counts memory."""
        self.read_ink, self.progress = read_ink, progress
        self.store = RowStore(self.budget_bytes, self.scratch)
        self.sweeps: dict[Step, _Sweep] = {}
        work: dict[Step, float] = {}  # of computing a whole map anew, from those that are kept
        for step in self.steps:
            work[step] = step.work + sum(work[x] for x in step.inputs)
            is_measured = any(user.norm for user in step.users)
            is_costly = work[step] > KEEP_ABOVE_WORK * step.meta.numel()
            is_kept = not step.inputs or (is_costly and (is_measured or len(step.users) > 1))
            if is_kept or is_measured or not step.users:
                self.sweeps[step] = _Sweep(step, self, is_kept, is_measured)
            if is_kept:
                work[step] = 0.0
        self.output = self.sweeps[self.steps[-1]]
        self.total_work = sum(sweep.work for sweep in self.sweeps.values())
        self.done_work = 0.0

    @torch.no_grad()
    def bands(
        self, read_ink: Callable[[int, int], Tensor], progress: ShareDone = lambda share: None
    ) -> Iterator[tuple[int, Tensor]]:
        """From top to bottom (first row, logits (1, 1, band rows, columns)), float32 or float64.
        read_ink: rows [a, b) of the input, (1, channels, b - a, columns), each once, downwards.
        Raises OSError if the disk has no room, before anything is computed."""
        self._start(read_ink, progress)
        if self.spill_bytes > (free := shutil.disk_usage(self.store.scratch).free):
            raise ScratchFull(self.store.scratch, self.spill_bytes, free)
        first_row, rows, threads = 0, self.output.step.rows, torch.get_num_threads()
        each = (max(1, threads // self.workers),)
        with ThreadPoolExecutor(self.workers, "rows", torch.set_num_threads, each) as self.pool:
            try:
                torch.set_num_threads(1)
                while first_row < rows:
                    # On a GPU cuDNN would plan anew for every size of a strip.
                    with torch.backends.cudnn.flags(self.device.type == "cpu"):
                        strips = self.output.advance()
                    if resident_bytes() > self.crowded_bytes:  # always would take 10 % of the time
                        give_back_memory()
                    for strip in strips:
                        yield first_row, strip.to(torch.promote_types(self.dtype, torch.float32))
                        first_row += strip.shape[2]
                self.progress(1.0)
            finally:
                torch.set_num_threads(threads)
                self.store.close()


class _Sweep:
    """A map computed strip by strip, from the top down: kept, measured or given out."""

    def __init__(self, step: Step, run: RowEvaluation, is_kept: bool, is_measured: bool) -> None:
        self.step, self.run, self.is_kept, self.is_measured = step, run, is_kept, is_measured
        self.strip_rows = max(1, round(run.strip_rows * step.rows / run.rows))
        kept = {other.step for other in run.sweeps.values() if other.is_kept}
        self.path = steps_to(step, run.steps, kept)  # from kept maps to this one
        self.last_user = {x: user for user in self.path for x in user.inputs}
        self.sources = [run.sweeps[x] for x in self.last_user if x in kept]
        self.statistics = DepthStatistics(step.rows, run.parts)
        self.work = sum(each.work for each in self.path)  # keeping and measuring take a little more
        self.next_row = 0
        self.blocks: deque[tuple[int, int, Block]] = deque()  # first row, past the last, rows
        self.readers: dict[_Sweep, int] = {}  # the first row that each still needs
        for source in self.sources:
            source.readers[self] = 0

    def advance(self) -> list[Tensor]:
        """One strip a thread, (1, C, rows, W), kept if read later; a dry run reserves its place."""
        run, rows = self.run, self.step.rows
        firsts = range(self.next_row, rows, self.strip_rows)[: run.workers]
        wanted = [self._ranges(row, min(row + self.strip_rows, rows)) for row in firsts]
        for norm in [step for step in self.path if step.norm]:
            measured = run.sweeps[norm.inputs[0]]
            measured.advance_to(measured.statistics.rows_for(wanted[-1][norm][1]))
        for source in self.sources:
            source.advance_to(wanted[-1][source.step][1])
            source.drop_before(wanted[0][source.step][0], self)
        do = run.pool.map if run.workers > 1 and run.read_ink and self.step.inputs else map
        places = [self._reserve(*ranges[self.step]) for ranges in wanted]
        strips = []
        for ranges, (strip, moments) in zip(wanted, do(self._strip, wanted, places), strict=True):
            start, self.next_row = ranges[self.step]
            strips.append(strip)
            self.statistics.add(moments)
            run.done_work += self.work * (self.next_row - start) / rows
        for source in self.sources if self.next_row == rows else ():
            source.drop_before(source.step.rows, self)
        run.progress(min(1.0, run.done_work / run.total_work))
        return strips

    def _reserve(self, start: int, stop: int) -> Block | None:
        """A place for these rows, if anybody will read them."""
        if not self.readers:
            return None
        nbytes = self.step.meta.nbytes // self.step.rows * (stop - start)
        self.blocks.append((start, stop, self.run.store.reserve(nbytes)))
        return self.blocks[-1][2]

    @torch.no_grad()
    def _strip(self, ranges: dict[Step, Rows], place: Block | None) -> tuple[Tensor, PartMoments]:
        """Rows (1, C, rows, W), and their moments by part of the depth."""
        run, rows = self.run, ranges[self.step]
        if not run.read_ink:
            return self.step.meta, []
        if self.step.inputs:
            strip = self._compute(ranges)
        else:
            strip = run.read_ink(*rows).to(run.device, run.dtype)
        if place:
            run.store.write(place, strip[0].permute(1, 2, 0))
        return strip, self.statistics.of_strip(rows[0], strip) if self.is_measured else []

    def advance_to(self, row: int) -> None:
        """Have all rows above that one."""
        while self.next_row < row:
            self.advance()

    def drop_before(self, row: int, reader: "_Sweep") -> None:
        """This reader needs no rows above that one any more."""
        self.readers[reader] = row
        while self.blocks and self.blocks[0][1] <= min(self.readers.values()):
            self.run.store.drop(self.blocks.popleft()[2])

    def _ranges(self, start: int, stop: int) -> dict[Step, Rows]:
        """The rows that each step and source must give for rows [start, stop) of this map."""
        ranges = {self.step: (start, stop)}
        for step in reversed(self.path):
            first, last = step.rule.rows_in(*ranges[step])
            for x in step.inputs:
                # At least one row, though some operations need none but those beyond the edge.
                begin = max(0, min(first, x.rows - 1))
                end = max(begin + 1, min(last, x.rows))
                others_begin, others_end = ranges.get(x, (begin, end))
                ranges[x] = min(begin, others_begin), max(end, others_end)
        return ranges

    def _compute(self, ranges: dict[Step, Rows]) -> Tensor:
        """Those rows of the map, (1, C, rows, W)."""
        values = {source.step: source.kept_rows(*ranges[source.step]) for source in self.sources}
        for step in self.path:
            rule, (start, stop) = step.rule, ranges[step]
            first, last = rule.rows_in(start, stop)
            if rule.fill is None:
                first, last = max(0, first), min(last, step.inputs[0].rows)
            needed = (first, last), rule.fill
            rows = [select_rows(values[x], ranges[x][0], x.rows, *needed) for x in step.inputs]
            if step.norm:
                statistics = self.run.sweeps[step.inputs[0]].statistics
                output = scale_and_shift(rows[0], step.norm, statistics, first)
            else:
                output = rule.run(*rows)
            values[step] = output.narrow(2, start - rule.first_row(first), stop - start)
            for x in step.inputs:
                if self.last_user[x] is step:
                    values.pop(x, None)
        return values[self.step]

    def kept_rows(self, start: int, stop: int) -> Tensor:
        """Rows [start, stop) that are kept, (1, C, stop - start, W)."""
        read, device = self.run.store.read, self.run.device
        near = [(a, b, block) for a, b, block in self.blocks if a < stop and start < b]
        parts = [read(it, max(start, a) - a, min(stop, b) - a).to(device) for a, b, it in near]
        rows = parts[0] if len(parts) == 1 else torch.cat(parts)
        # With the batch dimension first, whose stride then says channels_last to PyTorch.
        return rows[None].permute(0, 3, 1, 2)


def select_rows(x: Tensor, x_first: int, height: int, rows: Rows, fill: float | None) -> Tensor:
    """Rows [first, last) of a map of that height, from a tensor that begins with its row x_first.
    Rows beyond the map's edges are filled with ``fill``, or zeros."""
    first, last = rows
    inside = x[:, :, max(0, first) - x_first : max(0, min(last, height) - x_first)]
    above, below = (min(max(0, beyond), last - first) for beyond in (-first, last - height))
    return F.pad(inside, (0, 0, above, below), value=fill or 0.0) if above or below else inside

"""Where rows are kept: in memory within a budget, else in a temporary file."""

import ctypes
import errno
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from mmap import mmap
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor


@dataclass
class Block:
    """A place for rows (rows, width, channels)."""

    offset: int
    nbytes: int
    rows: Tensor | None = None  # in memory
    size: tuple[int, ...] = ()  # in the file
    dtype: torch.dtype | None = None


class RowStore:
    """Keeps blocks of rows, tensors (rows, width, channels), and counts what they take.
    A place is a range of bytes. It is used again: to touch new memory takes long.
    budget_bytes: places up to there lie in memory (on a GPU: in its own), those beyond in a file.
    scratch: folder for the temporary file (None: the system's), gone however the process ends."""

    def __init__(self, budget_bytes: int, scratch: Path | None = None) -> None:
        self.budget_bytes = budget_bytes = max(0, budget_bytes)
        self.scratch = Path(scratch or tempfile.gettempdir())
        self.ram_bytes = self.disk_bytes = 0  # of memory and file, up to the last place in use
        self._free = [(0, budget_bytes), (budget_bytes, 1 << 62)]  # first byte and past the last
        self._memory: mmap | None = None
        self._file: FileIO | None = None
        self._lock = Lock()  # several threads write, and read at places in the file

    def reserve(self, nbytes: int) -> Block:
        nbytes = -(-nbytes // 64) * 64  # where any dtype may begin
        gaps, end = [(a, b) for a, b in self._free if b - a >= nbytes], self.budget_bytes
        # The smallest gap in memory, that at its end last (its size changes no place), or the file.
        offset, stop = min(gaps, key=lambda it: (it[0] >= end, it[1] == end, it[1] - it[0], it))
        self._free.remove((offset, stop))
        if offset + nbytes < stop:
            self._free.append((offset + nbytes, stop))
        if offset < self.budget_bytes:
            self.ram_bytes = max(self.ram_bytes, offset + nbytes)
        self.disk_bytes = max(self.disk_bytes, offset + nbytes - self.budget_bytes)
        return Block(offset, nbytes)

    def write(self, block: Block, rows: Tensor) -> None:
        """Keep these rows in that place. Raises ScratchFull."""
        block.size, block.dtype = rows.shape, rows.dtype
        if block.offset < self.budget_bytes:
            if not rows.is_cuda:
                with self._lock:  # memory beside the heap, where it would leave holes
                    self._memory = self._memory or mmap(-1, self.budget_bytes)
                at, count, dtype = block.offset, rows.numel(), rows.dtype
                place = torch.frombuffer(self._memory, dtype=dtype, count=count, offset=at)
                rows = place.view_as(rows).copy_(rows)
            block.rows = rows
            return
        data = _bytes_of(rows.cpu().contiguous())
        try:
            with self._lock:
                self._file = self._file or tempfile.TemporaryFile(dir=self.scratch, buffering=0)
                self._file.seek(block.offset - self.budget_bytes)
                while data:
                    data = data[self._file.write(data) :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise ScratchFull(self.scratch, len(data)) from error
            raise

    def read(self, block: Block, start: int, stop: int) -> Tensor:
        """Rows [start, stop) of a block, valid until it is dropped; from the file, on the CPU."""
        if block.rows is not None:
            return block.rows[start:stop]
        assert self._file
        rows = torch.empty((stop - start, *block.size[1:]), dtype=block.dtype)
        with self._lock:
            self._file.seek(block.offset - self.budget_bytes + start * rows[0].nbytes)
            # Read, not mapped: mapped pages count as resident memory.
            if self._file.readinto(_bytes_of(rows)) != rows.nbytes:
                raise OSError(errno.EIO, f"temporary file in {self.scratch} ends early")
        return rows

    def drop(self, block: Block) -> None:
        """Forget the rows; their place is free for others."""
        block.rows = None
        places, self._free = [*self._free, (block.offset, block.offset + block.nbytes)], []
        for start, stop in sorted(places):
            if self._free and self._free[-1][1] == start != self.budget_bytes:
                start, _ = self._free.pop()
            self._free.append((start, stop))

    def close(self) -> None:
        """Remove the temporary file and give the memory back: writing the results needs some."""
        self._memory = None
        if self._file:
            self._file.close()
        give_back_memory()


class ScratchFull(OSError):
    """No room for temporary files; there may be some for results."""

    def __init__(self, folder: Path, needed_bytes: int, free_bytes: int = 0) -> None:
        free, needed = (f"{size / 1e6:,.0f} MB" for size in (free_bytes, needed_bytes))
        said = f"{folder} has {free} free and the temporary files need {needed}"
        super().__init__(errno.ENOSPC, f"{said}: free some, or set --scratch or --memory")


def _bytes_of(tensor: Tensor) -> memoryview:
    return memoryview(tensor.view(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]


def give_back_memory() -> None:
    """Give what is free in the heap to the system: 1 GB of holes in a scan of 628 Mpx."""
    with suppress(OSError, TypeError, AttributeError):  # only glibc has malloc_trim
        ctypes.CDLL(None).malloc_trim(0)

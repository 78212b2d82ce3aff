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
    """Kept rows (rows, width, channels)."""

    nbytes: int
    rows: Tensor | None  # in memory; else not even a meta tensor, which would split up the heap
    offset: int | None = None  # in the temporary file
    size: tuple[int, ...] = ()
    dtype: torch.dtype | None = None


class RowStore:
    """Keeps blocks of rows, tensors (rows, width, channels), and counts what they take.

    budget_bytes: what may stay in memory (on a GPU: in its own); further blocks go to disk.
    scratch: folder for the temporary file (None: the system's), which the system removes however
        the process ends.
    """

    def __init__(self, budget_bytes: int, scratch: Path | None = None) -> None:
        self.budget_bytes, self.scratch = budget_bytes, Path(scratch or tempfile.gettempdir())
        self.ram_bytes = self.peak_ram_bytes = 0
        self.disk_bytes = 0  # the length of the file: places are used again, never given back
        self._free = [(0, 1 << 62)]  # places in it, first byte and past the last, in order
        self._file: FileIO | None = None
        self._place = Lock()  # in the file, where several threads read and one writes

    def put(self, nbytes: int, rows: Tensor | None) -> Block:
        """Keep those rows; None only takes their place. Raises ScratchFull."""
        if self.ram_bytes + nbytes <= self.budget_bytes:
            self.ram_bytes += nbytes
            self.peak_ram_bytes = max(self.peak_ram_bytes, self.ram_bytes)
            if rows is not None and not rows.is_cuda:
                block = mmap(-1, nbytes)  # beside the heap, where it would leave a hole
                rows = torch.frombuffer(block, dtype=rows.dtype).view_as(rows).copy_(rows)
            return Block(nbytes, rows)
        number = next(i for i, (start, stop) in enumerate(self._free) if stop - start >= nbytes)
        offset, stop = self._free[number]
        self._free[number] = offset + nbytes, stop
        self.disk_bytes = max(self.disk_bytes, offset + nbytes)
        if rows is not None:
            self._file = self._file or tempfile.TemporaryFile(dir=self.scratch, buffering=0)
            data = _bytes_of(rows.cpu())
            try:
                with self._place:
                    self._file.seek(offset)
                    while data:
                        data = data[self._file.write(data) :]
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise ScratchFull(self.scratch, len(data)) from error
                raise
            return Block(nbytes, None, offset, rows.shape, rows.dtype)
        return Block(nbytes, None, offset)

    def read(self, block: Block, start: int, stop: int) -> Tensor:
        """Rows [start, stop) of a block; of the temporary file, on the CPU."""
        if block.rows is not None:
            return block.rows[start:stop]
        assert self._file and block.offset is not None
        rows = torch.empty((stop - start, *block.size[1:]), dtype=block.dtype)
        with self._place:
            self._file.seek(block.offset + start * rows[0].nbytes)
            # Read, not mapped: mapped pages count as resident memory.
            if self._file.readinto(_bytes_of(rows)) != rows.nbytes:
                raise OSError(errno.EIO, f"temporary file in {self.scratch} ends early")
        return rows

    def drop(self, block: Block) -> None:
        """Forget the rows; their place is free for others."""
        if block.offset is None:
            self.ram_bytes -= block.nbytes
            return
        places, self._free = [*self._free, (block.offset, block.offset + block.nbytes)], []
        for start, stop in sorted(places):
            if self._free and self._free[-1][1] == start:
                start, _ = self._free.pop()
            self._free.append((start, stop))

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file:
            self._file.close()


class ScratchFull(OSError):
    """No room for temporary files; there may be some for results."""

    def __init__(self, folder: Path, needed_bytes: int, free_bytes: int = 0) -> None:
        super().__init__(
            errno.ENOSPC,
            f"{folder} has {free_bytes / 1e9:.1f} GB free and the temporary files need "
            f"{needed_bytes / 1e9:.1f} GB: free some space, name another folder (--scratch) or "
            "allow more memory (--memory)",
        )


def _bytes_of(tensor: Tensor) -> memoryview:
    return memoryview(tensor.view(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]


def give_back_memory() -> None:
    """What is free in the heap goes back to the system: 1 GB of holes in a scan of 628 Mpx."""
    with suppress(OSError, TypeError, AttributeError):  # only glibc waits to be asked
        ctypes.CDLL(None).malloc_trim(0)

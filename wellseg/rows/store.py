"""Where rows are kept: in memory within a budget, else in a temporary file."""

from __future__ import annotations

import errno
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor

WRITES_WAITING = 3
"""Blocks that may wait in memory to be written, while the next rows are computed."""


@dataclass
class Block:
    """Kept rows (rows, width, channels)."""

    nbytes: int
    offset: int | None  # in the temporary file; None: they stay in memory
    rows: Tensor | None = None  # until they are written, if they go to disk


class RowStore:
    """Keeps blocks of rows, tensors (rows, width, channels), and counts what they take.

    budget_bytes: what may stay in memory (on a GPU: in its own); further blocks go to disk.
    scratch: folder for the temporary file (None: the system's). The system removes it however the
        process ends (POSIX: it has no name; Windows: it is deleted when it is closed).
    """

    def __init__(self, budget_bytes: int, scratch: Path | None = None) -> None:
        self.budget_bytes, self.scratch = budget_bytes, Path(scratch or tempfile.gettempdir())
        self.ram_bytes = self.peak_ram_bytes = 0
        self.disk_bytes = 0  # the length of the file: places are used again, never given back
        self._free: list[tuple[int, int]] = []  # offset and size of unused places in it, in order
        self._file: FileIO | None = None
        self._lock = Lock()  # two threads seek in it
        self._writer = ThreadPoolExecutor(1, "spill")
        self._writes: deque[Future[None]] = deque()

    def put(self, nbytes: int, rows: Tensor | None = None) -> Block:
        """Keep those rows; None only takes their place.

        Raises OSError, naming the folder, if earlier ones cannot be written.
        """
        if self.ram_bytes + nbytes <= self.budget_bytes:
            self.ram_bytes += nbytes
            self.peak_ram_bytes = max(self.peak_ram_bytes, self.ram_bytes)
            return Block(nbytes, None, rows)
        block = Block(nbytes, self._place(nbytes), rows)
        if rows is not None:
            self.finish_writes(WRITES_WAITING - 1)
            self._writes.append(self._writer.submit(self._write, block))
        return block

    def _place(self, nbytes: int) -> int:
        for number, (offset, size) in enumerate(self._free):
            if size >= nbytes:
                rest = [(offset + nbytes, size - nbytes)] if size > nbytes else []
                self._free[number : number + 1] = rest
                return offset
        self.disk_bytes += nbytes
        return self.disk_bytes - nbytes

    def _write(self, block: Block) -> None:
        """Move the rows to the file; in a thread, while others may read them."""
        rows = block.rows
        if rows is None:  # dropped meanwhile
            return
        data = _bytes_of(rows.cpu())
        try:
            with self._lock:
                if self._file is None:
                    self._file = tempfile.TemporaryFile(dir=self.scratch, buffering=0)
                self._file.seek(block.offset or 0)
                while data:
                    data = data[self._file.write(data) :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise disk_full(self.scratch, len(data)) from error
            raise
        block.rows = None

    def finish_writes(self, waiting: int = 0) -> None:
        """Wait until at most so many blocks are still to be written."""
        while len(self._writes) > waiting:
            self._writes.popleft().result()

    def read(self, block: Block, start: int, into: Tensor) -> None:
        """Copy rows of a block from ``start`` on into that tensor, as many as it has."""
        rows = block.rows  # the writer may let go of them
        if rows is not None:
            into.copy_(rows[start : start + len(into)])
            return
        # Read, not mapped: mapped pages count as resident memory.
        here = into.cpu()  # itself, if it is there
        data = _bytes_of(here)
        with self._lock:
            assert self._file and block.offset is not None
            self._file.seek(block.offset + start * into[0].nbytes)
            while data:
                count = self._file.readinto(data)
                if not count:
                    raise OSError(errno.EIO, f"temporary file in {self.scratch} ends early")
                data = data[count:]
        if here is not into:
            into.copy_(here)

    def drop(self, block: Block) -> None:
        """Forget the rows; their place is free for others, which are written after them."""
        block.rows = None
        if block.offset is None:
            self.ram_bytes -= block.nbytes
            return
        places, self._free = sorted([*self._free, (block.offset, block.nbytes)]), []
        for offset, size in places:
            if self._free and sum(self._free[-1]) == offset:
                offset, before = self._free.pop()
                size += before
            self._free.append((offset, size))

    def close(self) -> None:
        """Remove the temporary file."""
        self._writer.shutdown(cancel_futures=True)
        if self._file:
            self._file.close()


class ScratchFull(OSError):
    """No room for temporary files; there may be some for results."""


def disk_full(folder: Path, needed_bytes: int, free_bytes: int = 0) -> ScratchFull:
    return ScratchFull(
        errno.ENOSPC,
        f"{folder} has {free_bytes / 1e9:.1f} GB free and the temporary files need "
        f"{needed_bytes / 1e9:.1f} GB: free some space, name another folder (--scratch) or allow "
        "more memory (--memory)",
    )


def _bytes_of(tensor: Tensor) -> memoryview:
    return memoryview(tensor.view(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]

"""Where rows are kept: in memory within a budget, else in a temporary file."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import torch
from torch import Tensor


@dataclass
class Block:
    """Kept rows (rows, width, channels)."""

    nbytes: int
    rows: Tensor | None = None  # those in memory
    offset: int | None = None  # in the temporary file


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
        self._free: list[tuple[int, int]] = []  # offset and size of unused places in it, in order
        self._file: FileIO | None = None

    def put(self, nbytes: int, rows: Tensor | None) -> Block:
        """Keep those rows; None only takes their place. Raises ScratchFull."""
        if self.ram_bytes + nbytes <= self.budget_bytes:
            self.ram_bytes += nbytes
            self.peak_ram_bytes = max(self.peak_ram_bytes, self.ram_bytes)
            return Block(nbytes, rows)
        block = Block(nbytes, offset=self._place(nbytes))
        if rows is not None:
            self._file = self._file or tempfile.TemporaryFile(dir=self.scratch, buffering=0)
            self._file.seek(block.offset or 0)
            data = _bytes_of(rows.cpu())
            try:
                while data:
                    data = data[self._file.write(data) :]
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise disk_full(self.scratch, len(data)) from error
                raise
        return block

    def _place(self, nbytes: int) -> int:
        for number, (offset, size) in enumerate(self._free):
            if size >= nbytes:
                rest = [(offset + nbytes, size - nbytes)] if size > nbytes else []
                self._free[number : number + 1] = rest
                return offset
        self.disk_bytes += nbytes
        return self.disk_bytes - nbytes

    def read(self, block: Block, start: int, into: Tensor) -> None:
        """Copy rows of a block from ``start`` on into that tensor, as many as it has."""
        if block.rows is not None:
            into.copy_(block.rows[start : start + len(into)])
            return
        assert self._file and block.offset is not None
        here = into.cpu()  # itself, if it is there
        data = _bytes_of(here)
        self._file.seek(block.offset + start * into[0].nbytes)
        while data:  # read, not mapped: mapped pages count as resident memory
            count = self._file.readinto(data)
            if not count:
                raise OSError(errno.EIO, f"temporary file in {self.scratch} ends early")
            data = data[count:]
        if here is not into:
            into.copy_(here)

    def drop(self, block: Block) -> None:
        """Forget the rows; their place is free for others."""
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

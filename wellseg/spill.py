"""Where ``rowwise`` keeps rows: in RAM within a budget, else in unlinked temporary files."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor

FILE_BYTES = 1 << 28
"""A temporary file holds about this much, so that disk is freed in pieces of this size."""


class RowStore:
    """Keeps blocks of rows, tensors (rows, width, channels), and counts what they take.

    budget_bytes: what may stay in RAM (on a GPU: in its memory); further blocks go to disk.
    scratch: folder for the temporary files (None: the system's). They have no name, so that nothing
        is left behind however the process ends.
    """

    def __init__(self, budget_bytes: int, scratch: Path | None = None) -> None:
        self.budget_bytes = budget_bytes
        self.scratch = Path(scratch or tempfile.gettempdir())
        self.ram_bytes = self.disk_bytes = 0  # now
        self.peak_ram_bytes = self.peak_disk_bytes = 0  # at most, so far
        self._open: dict[object, _SpillFile] = {}

    def put(self, rows: Tensor, owner: object) -> Block:
        """Keep those rows. Blocks of one owner are expected to be dropped in the order they came."""
        block = self.reserve(rows.nbytes)
        if not block.on_disk:
            block.rows = rows
            return block
        file = self._open.get(owner)
        if file is None or file.written_bytes >= FILE_BYTES:
            file = self._open[owner] = _SpillFile(self.scratch)
        block.file, block.offset, block.row_bytes = file, file.append(rows), rows.nbytes // len(rows)
        return block

    def reserve(self, nbytes: int) -> Block:
        """A place for that many bytes: what ``put`` would take, without rows."""
        on_disk = self.ram_bytes + nbytes > self.budget_bytes
        if on_disk:
            self.disk_bytes += nbytes
            self.peak_disk_bytes = max(self.peak_disk_bytes, self.disk_bytes)
        else:
            self.ram_bytes += nbytes
            self.peak_ram_bytes = max(self.peak_ram_bytes, self.ram_bytes)
        return Block(self, nbytes, on_disk)

    def close(self, owner: object) -> None:
        """No more blocks of that owner will come."""
        self._open.pop(owner, None)


class Block:
    """Kept rows (rows, width, channels), in RAM or in a part of a temporary file."""

    def __init__(self, store: RowStore, nbytes: int, on_disk: bool) -> None:
        self.store, self.nbytes, self.on_disk = store, nbytes, on_disk
        self.rows: Tensor | None = None
        self.file: _SpillFile | None = None
        self.offset = self.row_bytes = 0

    def read(self, start: int, into: Tensor) -> None:
        """Copy rows from ``start`` on into that tensor, as many as it has."""
        if self.file is None:
            assert self.rows is not None, "dropped"
            into.copy_(self.rows[start : start + len(into)])
            return
        # Read, not mapped: mapped pages count as resident memory.
        here = into if into.device.type == "cpu" else torch.empty_like(into, device="cpu")
        self.file.read(self.offset + start * self.row_bytes, here)
        if here is not into:
            into.copy_(here)

    def drop(self) -> None:
        """Forget the rows. The file is closed with the last of its blocks, which frees its disk."""
        self.rows = self.file = None
        if self.on_disk:
            self.store.disk_bytes -= self.nbytes
        else:
            self.store.ram_bytes -= self.nbytes


class _SpillFile:
    """A temporary file without a name."""

    def __init__(self, folder: Path) -> None:
        try:
            self.file = tempfile.TemporaryFile(dir=folder, buffering=0)
        except OSError as error:
            raise OSError(error.errno, f"cannot make a temporary file in {folder}: {error.strerror}") from error
        self.folder, self.written_bytes = folder, 0

    def append(self, rows: Tensor) -> int:
        """Write a tensor at the end; the offset where it stands."""
        offset, data = self.written_bytes, _bytes_of(rows.cpu())
        self.written_bytes += len(data)
        position = offset
        try:
            while data:
                written = os.pwrite(self.file.fileno(), data, position)
                data, position = data[written:], position + written
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise disk_full(self.folder, len(data)) from error
            raise
        return offset

    def read(self, offset: int, into: Tensor) -> None:
        data = _bytes_of(into)
        while data:
            count = os.preadv(self.file.fileno(), [data], offset)
            if not count:
                raise OSError(errno.EIO, f"temporary file in {self.folder} ends early")
            data, offset = data[count:], offset + count

    def __del__(self) -> None:
        if hasattr(self, "file"):
            self.file.close()


class ScratchFull(OSError):
    """No room for temporary files; there may be some for results."""


def disk_full(folder: Path, needed_bytes: int, free_bytes: int = 0) -> ScratchFull:
    return ScratchFull(
        errno.ENOSPC,
        f"{folder} has {free_bytes / 1e9:.1f} GB free and the temporary files need {needed_bytes / 1e9:.1f} GB: "
        "free some space, name another folder (--scratch) or allow more memory (--memory)",
    )


def _bytes_of(tensor: Tensor) -> memoryview:
    return memoryview(tensor.view(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]

"""Where ``rowwise`` keeps rows: in RAM within a budget, else in unlinked temporary files."""

from __future__ import annotations

import errno
import os
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

FILE_BYTES = 1 << 28
"""A temporary file holds about this much, so that disk is freed in pieces of this size."""

WRITES_WAITING = 3
"""Blocks that may wait in RAM to be written, while the next rows are computed."""


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
        self._writer = ThreadPoolExecutor(1, "spill")
        self._writes: deque[Future[None]] = deque()

    def put(self, rows: Tensor, owner: object) -> Block:
        """Keep those rows. Blocks of one owner are expected to be dropped in the order they came.

        Raises OSError, naming the folder, if this block or one before cannot be written.
        """
        block = self.reserve(rows.nbytes)
        block.rows = rows
        if block.on_disk:
            self._await_writes(WRITES_WAITING - 1)
            file = self._open.get(owner)
            if file is None or file.taken_bytes >= FILE_BYTES:
                file = self._open[owner] = _SpillFile(self.scratch)
            block.file, block.offset, block.row_bytes = (
                file,
                file.take(rows.nbytes),
                rows.nbytes // len(rows),
            )
            self._writes.append(self._writer.submit(block.write))
        return block

    def _await_writes(self, waiting: int) -> None:
        """Until at most so many are left."""
        while len(self._writes) > waiting:
            self._writes.popleft().result()

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
        self._await_writes(0)
        self._open.pop(owner, None)


class Block:
    """Kept rows (rows, width, channels), in RAM or in a part of a temporary file."""

    def __init__(self, store: RowStore, nbytes: int, on_disk: bool) -> None:
        self.store, self.nbytes, self.on_disk = store, nbytes, on_disk
        self.rows: Tensor | None = None  # until they are written, if they go to disk
        self.file: _SpillFile | None = None
        self.offset = self.row_bytes = 0

    def write(self) -> None:
        """Move the rows to the file; in a thread, while others may read them."""
        rows, file = self.rows, self.file
        if rows is not None and file is not None:
            file.write(self.offset, rows)
            self.rows = None

    def read(self, start: int, into: Tensor) -> None:
        """Copy rows from ``start`` on into that tensor, as many as it has."""
        rows = self.rows
        if rows is not None:
            into.copy_(rows[start : start + len(into)])
            return
        assert self.file, "dropped"
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
            raise OSError(
                error.errno, f"cannot make a temporary file in {folder}: {error.strerror}"
            ) from error
        self.folder, self.taken_bytes = folder, 0

    def take(self, nbytes: int) -> int:
        """A place at the end for so many bytes: its offset."""
        self.taken_bytes += nbytes
        return self.taken_bytes - nbytes

    def write(self, offset: int, rows: Tensor) -> None:
        data = _bytes_of(rows.cpu())
        try:
            while data:
                written = os.pwrite(self.file.fileno(), data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise disk_full(self.folder, len(data)) from error
            raise

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

"""Files that appear whole or not at all, also when the process is killed or the disk is full."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# What open(2) answers where the filesystem or the kernel knows no O_TMPFILE (EISDIR: kernel
# older than 3.11; EOPNOTSUPP: NFS, FUSE, overlays on them), and what linkat(2) answers where
# /proc is not mounted.
_NO_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}


_HIDDEN = ".wellseg-"


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a binary file (read, write, seek) that becomes `path` when the block ends well.

    An existing `path` stays as it is until then, and is replaced in one step. If the block
    raises, or the process dies while writing, nothing new is left: on Linux the file has no name
    until it is whole (O_TMPFILE); elsewhere it is a hidden temporary beside `path`, removed on an
    exception but not on a kill -9.

    Raises:
        OSError: naming `path`, when its folder is missing or not writable, the disk is full, ...
    """
    target = Path(path)
    try:
        # First, because renaming onto a folder fails only when all the work is done.
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        fd = _open_unnamed(target.parent)
        opened = _unnamed(fd, target) if fd is not None else _hidden(target)
        with opened as file:
            yield file
    except OSError as error:
        # The error has no name (writing to an open file) or a temporary's, or it is about the
        # folder: say which output is meant.
        about = str(error.filename or "")
        ours = about in ("", str(target.parent)) or _HIDDEN in about
        if error.errno is not None and ours:
            raise OSError(error.errno, f"cannot write: {error.strerror}", str(target)) from error
        raise


def _open_unnamed(folder: Path) -> int | None:
    """Open a file without a name in `folder`, or None where this is not possible."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not os.path.isdir("/proc/self/fd"):
        return None
    try:
        return os.open(folder, flag | os.O_RDWR | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in _NO_UNNAMED and folder.is_dir():
            return None
        raise


@contextlib.contextmanager
def _unnamed(fd: int, target: Path) -> Iterator[BinaryIO]:
    # `open` rather than `os.fdopen`, so that the file's `name` is the output's (tifffile asks).
    with open(target, "w+b", opener=lambda path, flags: fd) as file:
        yield file
        _flush_to_disk(file)
        # linkat(2) follows the /proc link (see open(2), O_TMPFILE) but cannot replace a file:
        # to replace one, the whole, synced file gets a hidden name and is renamed at once.
        try:
            _link(fd, target)
        except FileExistsError:
            hidden = _hidden_name(target)
            _link(fd, hidden)
            _rename(hidden, target)


def _link(fd: int, path: Path) -> None:
    # os.link passes on "follow the link" (AT_SYMLINK_FOLLOW) only when a folder is given by its
    # descriptor; without, it calls link(2), which would link the /proc entry itself.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.link(f"/proc/self/fd/{fd}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _hidden(target: Path) -> Iterator[BinaryIO]:
    hidden = _hidden_name(target)
    try:
        with open(hidden, "x+b") as file:
            yield file
            _flush_to_disk(file)
        _rename(hidden, target)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise


def _hidden_name(target: Path) -> Path:
    return target.with_name(f"{_HIDDEN}{secrets.token_hex(8)}.tmp")


def _flush_to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _rename(hidden: Path, target: Path) -> None:
    try:
        os.replace(hidden, target)
    except OSError:
        hidden.unlink(missing_ok=True)
        raise

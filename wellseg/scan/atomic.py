"""Files that appear whole or not at all, also when the process is killed or the disk is full."""

import codecs
import csv
import errno
import io
import os
import secrets
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

AnyPath = str | os.PathLike[str]
UTF_16, WINDOWS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), os.name == "nt"
HIDDEN = ".wellseg-"  # names of unfinished files begin with it
RETRY_AFTER_S = 0.1, 0.4, 1.0, 3.0  # Windows replaces no file that a virus scanner has open


def hidden_name(target: Path) -> Path:
    """A new name beside ``target`` for a file that is to become it."""
    # No name is longer than 255 bytes; a letter takes up to four.
    last = os.fsencode(target.name)[-200:].decode(sys.getfilesystemencoding(), "ignore")
    return target.with_name(f"{HIDDEN}{secrets.token_hex(4)}-{last}")


@contextmanager
def atomic_file(path: AnyPath) -> Iterator[BinaryIO]:
    """Give a binary file (read, write, seek) that becomes ``path`` when the block ends well.
    Its folder is made if it is not there. An existing ``path`` stays as it is until then, and is
    replaced in one step. If the block raises, nothing new is left; a kill leaves a hidden temporary
    beside ``path`` (`hidden_name`).
    Raises OSError, naming ``path``; on Windows also where another program has it open."""
    hidden = hidden_name(target := Path(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if target.is_dir():  # or renaming would fail when all the work is done
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with open(hidden, "x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        replace_whole(hidden, target)
    except BaseException as error:
        with suppress(OSError):  # a scanner may hold it: the first error counts
            hidden.unlink()
        # An error of this function names no file (writing to an open one) or the hidden one.
        is_own = str(getattr(error, "filename", None) or hidden) == str(hidden)
        if isinstance(error, OSError) and error.errno and is_own:
            raise OSError(error.errno, f"cannot write: {error.strerror}", str(target)) from error
        raise


def write_file(path: AnyPath, data: bytes | memoryview) -> None:
    """A file of these bytes, as `atomic_file`."""
    with atomic_file(path) as file:
        file.write(data)


def csv_bytes(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    """A table, with a line of its columns. Cells that a row does not have stay empty."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")  # names that are not UTF-8


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write a table, as `csv_bytes`. Floats have five digits."""
    short = ({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    write_file(path, csv_bytes(columns, short))


def encoding_of(path: Path) -> str:
    """Of a table. Spreadsheets begin it with a byte-order mark; their "Unicode text" is UTF-16."""
    return "utf-16" if path.read_bytes()[:2] in UTF_16 else "utf-8-sig"


def separator_of(table: str) -> str:
    """What is between the cells of a table: spreadsheets differ. Its first line has most of it."""
    return max(",;\t", key=table.partition("\n")[0].count)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Make a folder, and keep other runs out of it. Raises OSError: one is at work in it."""
    try:
        held = FileLock(folder / "lock").acquire(blocking=False)
    except Timeout:
        raise OSError(f"another run is at work in {folder}: wait for its end") from None
    with held:
        for left in folder.glob(f"{HIDDEN}*.ckpt"):  # of a run that was killed while it wrote
            left.unlink()
        yield


def replace_whole(hidden: Path, target: Path) -> None:
    """Rename a file, or a folder where no target is, to ``target``. Raises OSError, naming it."""
    for wait_s in (*RETRY_AFTER_S, None):
        try:
            return os.replace(hidden, target)
        except PermissionError as error:
            if wait_s is None:
                why = os.strerror(error.errno or errno.EACCES).lower()
                text = f"cannot be replaced: {why}; close it where it is open in another program"
                raise PermissionError(error.errno, text, str(target)) from error
            time.sleep(wait_s)


def _takes_long_paths() -> bool:
    import ctypes  # RtlAreLongPathsEnabled: of the registry, and of this python.exe

    ntdll = getattr(ctypes, "windll").ntdll  # noqa: B009
    return bool(getattr(ntdll, "RtlAreLongPathsEnabled", bool)())  # not in old Windows


def refuse_open(*paths: AnyPath) -> None:
    """Raises OSError for the first of the results that could not be written in the end: Windows
    does not even give a file its own name while another program has it open, and by default takes
    paths of 259 characters at most: our hidden names, and a view's pictures, need 42 of them."""
    paths = paths if WINDOWS else ()
    for path in paths:
        if len(os.path.abspath(path)) > 259 - 42 and not _takes_long_paths():
            raise OSError(f"{path}: too long for Windows: name a shorter folder (--out)")
    for path in filter(os.path.isfile, paths):
        replace_whole(Path(path), Path(path))

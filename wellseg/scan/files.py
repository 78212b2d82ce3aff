"""Scans and results in folders or behind fsspec URLs (s3://bucket/folder): the only place that tells them apart.

Credentials and endpoints of a URL come from where its library looks for them (AWS_ACCESS_KEY_ID,
AWS_ENDPOINT_URL, FSSPEC_S3_..., an instance's role). Network code works on local files alone: a scan is
fetched, masked in a temporary folder, and its results are put, the report last.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shutil import rmtree
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

REPORT = ".json"
WHOLE_PUTS = ("s3", "s3a", "gs", "gcs", "abfs", "az", "adl", "memory")
"""Stores in which an object appears whole or not at all; elsewhere it is put beside, then moved."""
READERS = 16
"""Small files read at once: on a network each takes long and little."""


@dataclass(frozen=True)
class Task:
    """One scan of many, and where its results go.

    name: below the folder that was given, with its suffix: what the summary calls it.
    scan: path or URL. stem: path or URL of the results, up to their endings.
    version: changes when the scan does; "" for one that is not there.
    problem: why it cannot be masked at all; "" if it can.
    """

    name: str
    scan: str
    stem: str
    version: str = ""
    problem: str = ""

    def result(self, ending: str) -> str:
        return self.stem + ending


@dataclass(frozen=True)
class Job:
    """One scan and the paths of its results, up to their endings, on this machine.

    page: which one of the file, from 0; None: the largest.
    """

    scan: Path
    stem: Path
    page: int | None = None

    def result(self, ending: str) -> Path:
        return self.stem.parent / (self.stem.name + ending)


def is_url(place: str | os.PathLike[str]) -> bool:
    return "://" in str(place)


def join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if is_url(folder) else str(Path(folder, name))


def find_files(
    place: str, wanted: Callable[[str, bool], bool]
) -> tuple[bool, list[tuple[str, str]]]:
    """Whether that is a folder; (name below it, version) of its files, sorted; of a file, itself.

    wanted: tells by a name, and by whether it is a folder's, what to look at.
    Raises ValueError, naming the path or URL: it is not there, or cannot be looked into.
    """
    if is_url(place):
        return _find_remote(place, wanted)
    if not os.path.isdir(place):
        if not os.path.exists(place):
            raise ValueError(f"{place}: no such file or folder")
        return False, [(Path(place).name, _local_version(place))]
    found = []
    for folder, folders, names in os.walk(place, onerror=_unreadable):
        folders[:] = [name for name in folders if wanted(name, True)]
        paths = (os.path.join(folder, name) for name in names if wanted(name, False))
        found += [(os.path.relpath(path, place), _local_version(path)) for path in paths]
    return True, sorted(found)


def _unreadable(error: OSError) -> None:
    raise ValueError(f"{error.filename}: cannot be looked into: {error.strerror}")


def _local_version(path: str) -> str:
    try:
        state = os.stat(path)
    except OSError:
        return ""
    return f"{state.st_size} bytes, modified {state.st_mtime_ns} ns"


def _find_remote(
    url: str, wanted: Callable[[str, bool], bool]
) -> tuple[bool, list[tuple[str, str]]]:
    fs, root = _filesystem(url)
    try:
        if fs.isfile(root):
            return False, [(root.rpartition("/")[2], _remote_version(fs.info(root)))]
        files = fs.find(root, detail=True)
    except Exception as error:  # every store has exceptions of its own
        raise ValueError(f"{url}: cannot be looked into: {one_line(error)}") from error
    if not files:
        raise ValueError(f"{url}: no such file or folder")
    found = []
    for path, info in files.items():
        name = PurePosixPath(path).relative_to(root)
        if wanted(name.name, False) and all(wanted(folder, True) for folder in name.parts[:-1]):
            found.append((str(name), _remote_version(info)))
    return True, sorted(found)


def _remote_version(info: dict[str, Any]) -> str:
    changed = info.get("ETag") or info.get("LastModified") or info.get("mtime") or ""
    return f"{info.get('size')} bytes, {str(changed).strip(chr(34))}"


def read_reports(
    tasks: Sequence[Task], endings: Sequence[str]
) -> Iterator[tuple[Task, bytes | None]]:
    """The report of each task whose results with these endings are all there, else None."""
    local = [task for task in tasks if not is_url(task.stem)]
    with ThreadPoolExecutor(READERS) as readers:
        yield from zip(
            local, readers.map(lambda task: _local_report(task, endings), local), strict=True
        )
    remote = [task for task in tasks if is_url(task.stem)]
    if not remote:
        return
    fs, _ = _filesystem(remote[0].stem)
    folders = {
        task.stem.removesuffix(str(PurePosixPath(task.name).with_suffix(""))) for task in remote
    }
    there = {path for folder in folders for path in _names(fs, folder)}
    for start in range(0, len(remote), 1000):
        batch = {
            fs._strip_protocol(task.result(REPORT)): task for task in remote[start : start + 1000]
        }
        whole = [
            path
            for path, task in batch.items()
            if all(fs._strip_protocol(task.result(e)) in there for e in endings)
        ]
        reports = fs.cat(whole, on_error="omit") if whole else {}
        yield from ((task, reports.get(path)) for path, task in batch.items())


def _names(fs: Any, url: str) -> list[str]:
    try:
        return list(fs.find(fs._strip_protocol(url)))
    except FileNotFoundError:
        return []


def _local_report(task: Task, endings: Sequence[str]) -> bytes | None:
    try:
        with open(task.result(REPORT), "rb") as file:
            report = file.read()
    except OSError:
        return None
    return report if all(os.path.exists(task.result(ending)) for ending in endings) else None


def write_whole(place: str, data: bytes) -> None:
    """A small file, at a path or URL, in one step."""
    from wellseg.scan.atomic import atomic_file

    if not is_url(place):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(place) as file:
            file.write(data)
        return
    with TemporaryDirectory(prefix="wellseg-") as folder:
        path = Path(
            folder, PurePosixPath(place).name
        )  # stores tell by it what type it has: a page, a table
        path.write_bytes(data)
        _put(path, place)


@contextmanager
def local_job(task: Task, scratch: Path | None) -> Iterator[Job]:
    """The scan and the places of its results as local paths; behind URLs, in a temporary folder meanwhile.

    When the block ends well, results that belong behind a URL are there, the report last.
    """
    if not is_url(task.scan) and not is_url(task.stem):
        yield Job(Path(task.scan), Path(task.stem))
        return
    with _scratch_folder(Path(scratch or gettempdir())) as folder:
        job = Job(Path(task.scan), Path(task.stem))
        if is_url(task.scan):
            job = Job(Path(folder, "scan", PurePosixPath(task.name).name), job.stem)
            job.scan.parent.mkdir()
            fs, path = _filesystem(task.scan)
            fs.get_file(path, str(job.scan))
        if not is_url(task.stem):
            yield job
            return
        job = Job(job.scan, Path(folder, "results", PurePosixPath(task.stem).name))
        yield job
        fs, path = _filesystem(task.result(REPORT))
        if fs.exists(
            path
        ):  # of results that are about to be replaced: they are not its own any more
            fs.rm_file(path)
        results = [result for result in job.stem.parent.rglob("*") if result.is_file()]
        for result in sorted(results, key=lambda result: result == job.result(REPORT)):
            _put(
                result,
                join(task.stem.rpartition("/")[0], result.relative_to(job.stem.parent).as_posix()),
            )


@contextmanager
def _scratch_folder(parent: Path) -> Iterator[Path]:
    """A temporary folder. Those that processes left which were killed are removed on the way."""
    for left in parent.glob("wellseg-scan-*/lock"):
        with suppress(OSError), open(left, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody alive holds it
            rmtree(left.parent)
    with (
        TemporaryDirectory(prefix="wellseg-scan-", dir=parent) as name,
        open(Path(name, "lock"), "xb") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(name)


def _put(path: Path, url: str) -> None:
    fs, target = _filesystem(url)
    if url.partition("://")[0] in WHOLE_PUTS:
        fs.put_file(str(path), target)
        return
    beside = f"{target.rpartition('/')[0]}/.wellseg-{secrets.token_hex(8)}.tmp"
    fs.makedirs(target.rpartition("/")[0], exist_ok=True)
    fs.put_file(str(path), beside)
    fs.mv(beside, target)


def _filesystem(url: str) -> tuple[Any, str]:
    """The fsspec filesystem of a URL, and the path in it. Raises ValueError, naming the URL."""
    from fsspec.core import url_to_fs

    try:
        fs, path = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise ValueError(
            f"{url}: {one_line(error)} (pip install 'wellseg[ray]' brings s3fs)"
        ) from error
    except ValueError as error:
        raise ValueError(f"{url}: {one_line(error)}") from error
    return fs, str(path)


def one_line(error: BaseException) -> str:
    """What an exception says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__

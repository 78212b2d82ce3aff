"""Scans and results in folders or behind fsspec URLs (s3://bucket/folder), claims and reports.

Credentials and endpoints of a URL come from where its library looks for them (AWS_ACCESS_KEY_ID,
AWS_ENDPOINT_URL, FSSPEC_S3_..., an instance's role). The network reads local files alone: a scan
is fetched, masked in a temporary folder, and its results are put, the report last."""

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from shutil import rmtree
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from wellseg.scan import MASK, RESULTS, is_wanted, one_line
from wellseg.scan.atomic import HIDDEN, AnyPath, write_file

REPORT, FORMAT = ".json", 1  # ending of a scan's report; version of its fields: docs/files.md
LISTS = "further_pages failed_pages left_out_pages curve_edits curve_list track_borders".split()
WRITTEN = "sha256", "former_sha256", "begun_sha256"  # digests of results, as they were written
ENTRY_TYPES: dict[str, type] = dict.fromkeys([*WRITTEN, "unfinished"], dict) | {"scan_path": str}
ENTRY_TYPES |= dict.fromkeys([*LISTS, "notes"], list)
"""Lists and digests of results in a report, which is damaged where they are of another kind."""
DIGITS, BY_HAND, CORRECTED = 64, "by hand ", "corrected "
"""Length of a SHA-256, and words before that of a NAME.curves.csv with corrections: the user's own
file, or one by wellseg curves. So none is equal to a file's, and predict does not replace it."""
MADE_OF_MASK = {  # endings by the option that asks for them; numbered LAS are of several logs
    "probability": (".probability.tif",),
    "view": (".html", ".view"),
    "curves": (".curves.csv", ".las", *(f".{number}.las" for number in range(1, 100))),
}
EDITABLE = MASK, ".curves.csv", ".las"
OURS = b"wellseg", b"scan,status,", b"name,split,well,", b"log,IDF1,"  # all we write has one
NOT_OURS = "is not wellseg's: move it away, or name a folder for the results (--out)"
SCRATCH = "wellseg-scan-"
Size = tuple[int, int]  # rows, columns


class Task(NamedTuple):
    """One scan of many, and where its results go."""

    name: str  # below the folder that was given, with its suffix: what the summary calls it
    scan: str  # path or URL
    stem: str = ""  # path or URL of the results, up to their endings
    version: str = ""  # changes when the scan does; "" for one that is not there
    size_bytes: int = 0
    page: int | None = None  # of the file, from 0; None: the largest


def is_foreign(path: AnyPath) -> bool:
    """Whether a file is there that wellseg has not written: perhaps the log's LAS."""
    fs, place = filesystem(os.fspath(path))
    with suppress(OSError), fs.open(place, "rb") as file:
        begin = file.read(1 << 16)
        return bool(begin) and not any(mark in begin for mark in OURS)
    return False


def made_before(stem: str) -> list[str]:
    """Options by which results were made that are there, and are wellseg's."""
    firsts = {flag: ends[:2] for flag, ends in MADE_OF_MASK.items()} | {"view": (".html",)}
    there = {flag: filter(exists, (stem + end for end in ends)) for flag, ends in firsts.items()}
    return [flag for flag, paths in there.items() if any(not is_foreign(path) for path in paths)]


def refuse_foreign(*paths: AnyPath) -> None:
    """Raises ValueError for the first path that is a file not written by wellseg."""
    for path in filter(is_foreign, paths):
        raise ValueError(f"{path} {NOT_OURS}")


def refuse_foreign_results(stem: str, report: Mapping[str, Any], asked: Collection[str]) -> None:
    """Raises ValueError for the first file or folder in a result's place that wellseg has not
    written. report: NAME.json. asked: the keys of MADE_OF_MASK that will be written."""
    endings = [MASK, *(end for flag in asked for end in MADE_OF_MASK[flag][:2] if end != ".view")]
    if not report and not exists(stem + MASK):
        endings.append(REPORT)  # beside a mask it is ours, and damaged
    refuse_foreign(*(stem + ending for ending in endings))
    if report and not {"rows", "weights"} <= {*report}:
        raise ValueError(f"{stem}{REPORT} {NOT_OURS}")
    if "view" in asked and exists(f"{stem}.view") and not exists(f"{stem}.view/thumb.jpg"):
        raise ValueError(f"{stem}.view {NOT_OURS}")


def digests(stem: AnyPath, endings: Iterable[str]) -> dict[str, str]:
    """SHA-256 of the files STEM + ending that are there, by ending; "" is the file ``stem``."""
    found = {}
    for ending in endings:
        fs, place = filesystem(f"{stem}{ending}")
        with suppress(FileNotFoundError), fs.open(place, "rb") as file:
            found[ending] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def refuse_changed(stem: AnyPath, endings: Iterable[str], *written: Mapping[str, str]) -> None:
    """Raises ValueError for the first result, if it is not empty, with none of these digests."""
    for ending, now in digests(stem, endings).items():
        if now not in [one.get(ending) for one in written] + [hashlib.sha256().hexdigest()]:
            do = "move it away, or name another folder for the results (--out)"
            if ending == ".curves.csv":
                do = f"wellseg curves {stem}{ending} makes the LAS of it; to follow anew, {do}"
            raise ValueError(f"{stem}{ending} was changed (by hand, or by --edit): {do}")


def keep_aside(stem: str, report: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Rename what may have been corrected: by no digest in the report it is as it was written."""
    for ending, now in digests(stem, EDITABLE).items():
        known = [report.get(key, {}).get(ending) for key in WRITTEN]
        if now not in known and not is_foreign(stem + ending):
            (fs, path), aside = filesystem(stem + ending), f".{time.time_ns()}.bak"
            fs.mv(path, path + aside)
            say(f"{stem}{ending}{aside}: kept, no whole {REPORT} tells of corrections and options")


def is_url(place: AnyPath) -> bool:
    return "://" in str(place)


def join(folder: str, name: str) -> str:
    return f"{folder.removesuffix('/')}/{name}" if is_url(folder) else str(Path(folder, name))


def absolute(place: str) -> str:
    return place if is_url(place) else os.path.abspath(place)


def find_files(place: str) -> tuple[bool, list[Task], dict[str, str]]:
    """Whether ``place`` is a folder; tasks, without results, of the wanted files below it, by name;
    of a file, one of itself; folders below it that are closed, and why. A link to a
    folder is one file. Raises ValueError: ``place`` itself is not there, or closed."""
    (fs, root), found, closed = filesystem(place), list[Task](), dict[str, str]()
    folders = [root]
    while folders:  # fsspec's own walk leaves out what it cannot look into
        folder = folders.pop()
        try:
            if folder == root and fs.isfile(root):
                return False, [_task(PurePosixPath(root).name, place, fs.info(root))], {}
            for info in fs.ls(folder, detail=True):
                path, kind = PurePosixPath(info["name"]), info["type"]
                if info.get("islink") and is_wanted(path.name, True) and fs.isdir(path):
                    found.append(Task(f"{path.relative_to(root)} (folder).link", str(path)))
                if path == PurePosixPath(folder) or not is_wanted(path.name, kind == "directory"):
                    continue  # behind URLs a folder may list itself
                if kind == "directory":
                    folders.append(info["name"])
                elif kind == "file" or (info.get("islink") and fs.isfile(path) == fs.exists(path)):
                    name = str(path.relative_to(root))
                    found.append(_task(name, join(place, name), info))
        except Exception as error:  # every store has exceptions of its own
            is_gone = isinstance(error, FileNotFoundError) or getattr(error, "winerror", 0) == 123
            said = one_line(error).removeprefix(f"{folder}: ")
            why = "no such file or folder" if is_gone else f"cannot be looked into: {said}"
            if folder == root:  # 123, of Windows: a name with *
                raise ValueError(f"{place}: {why}") from error
            closed[str(PurePosixPath(folder).relative_to(root))] = why
    return True, sorted(found), closed


def _task(name: str, scan: str, info: dict[str, Any]) -> Task:
    changed = next(filter(None, map(info.get, "ETag LastModified Last-Modified mtime".split())), "")
    if "ino" in info:  # local
        with suppress(OSError):
            changed = f"modified {os.stat(info['name']).st_mtime_ns} ns"
    size_bytes = info.get("size") or 0
    version = f"{size_bytes} bytes, {str(changed).strip(chr(34))}"
    return Task(name, scan, version=version, size_bytes=size_bytes)


def list_folder(place: str) -> set[str]:
    """Names in a folder, a path or URL; none if it is not there. Raises ValueError."""
    fs, path = filesystem(place)
    try:
        return {name.rstrip("/").rpartition("/")[2] for name in fs.ls(path, detail=False)}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except Exception as error:
        raise ValueError(f"{place}: cannot be looked into: {one_line(error)}") from error


def exists(place: str) -> bool:
    fs, path = filesystem(place)
    return bool(fs.exists(path))


def read_report(place: str) -> dict[str, Any]:
    """A scan's report, NAME.json; {} if it is not there, or damaged. Raises OSError: unreadable."""
    fs, path = filesystem(place)
    try:
        text = fs.cat_file(path)
    except FileNotFoundError:
        return {}
    except Exception as error:  # every store has exceptions of its own
        raise OSError(f"{place} cannot be read: {one_line(error)}") from error
    with suppress(ValueError, RecursionError, AttributeError):  # or not a dictionary
        report = json.loads(text)
        if (known := report.get("format", FORMAT)) != FORMAT:
            raise OSError(f"{place} is of format {known}, this wellseg has {FORMAT}: update it")
        for each in (report, report.get("unfinished", {})):
            if not all(isinstance(each.get(it, kind()), kind) for it, kind in ENTRY_TYPES.items()):
                return {}
        return dict(report)
    return {}


def settled_report(place: str) -> dict[str, Any]:
    """A scan's report. Where a killed ``wellseg curves`` left a new one in it, ``unfinished``: that
    one, if all its files are in place, else the old one with digests of new files that are."""
    report, stem = read_report(place), place.removesuffix(REPORT)
    if not (new := report.pop("unfinished", None)):
        return report
    written = {end: str(it)[-DIGITS:] for end, it in new.get("sha256", {}).items() if end != MASK}
    if (there := digests(stem, written)) == written:
        return dict(new)
    ours = {end: it for end, it in new["sha256"].items() if str(it)[-DIGITS:] in there.values()}
    if known := report.get("sha256"):
        report["sha256"] = known | ours
    return report | {key: it for key, it in new.items() if key == "weights_sha256"}


def begin_anew(stem: str, report: Mapping[str, Any]) -> None:
    """Before new results replace old ones, say in the report that they are not whole (no sha256),
    and digests of old and new ones: after a kill they tell `keep_aside` which files are ours."""
    there, new = settled_report(stem + REPORT), report.get("sha256", {})
    if there or new:
        begun = {name: it for name, it in report.items() if "sha256" not in name}
        begun["former_sha256"] = there.get("sha256") or there.get("former_sha256", {})
        begun["begun_sha256"] = there.get("begun_sha256", {}) | new
        write_whole(stem + REPORT, json.dumps(begun).encode())


def write_whole(place: str, data: bytes) -> None:
    """A small file, at a path or URL, in one step."""
    if not is_url(place):
        return write_file(place, data)
    with TemporaryDirectory(prefix="wellseg-") as folder:
        # Stores tell the type of a file, a page or a table, by its name.
        path = Path(folder, PurePosixPath(place).name)
        path.write_bytes(data)
        _put(path, *filesystem(place))


def _put(path: Path, fs: Any, place: str) -> None:
    """Put a local file; on servers that have folders (sftp, smb), its folder is made, too."""
    try:
        fs.put_file(str(path), place)
    except FileNotFoundError:
        if not fs.exists(place.split("/")[0] or "/"):  # of a store: a bucket is not made
            raise
        fs.makedirs(os.path.dirname(place), exist_ok=True)
        fs.put_file(str(path), place)


@contextmanager
def claim(task: Task) -> Iterator[bool]:
    """Whether this process alone may write the task's results, until the block ends.
    A lock on .wellseg-NAME.lock beside the results ends with its process, however that ends, and
    holds between machines that share a folder of NFS 4 or SMB. Behind URLs there are no locks: two
    runs may both mask a scan there; the results of the last one stay."""
    if is_url(task.stem):
        yield True
        return
    folder, name = os.path.split(task.stem)
    lock = FileLock(Path(folder, f"{HIDDEN}{name}.lock"), blocking=False)
    try:
        with suppress(Timeout):
            lock.acquire()  # it makes the folder
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            error.strerror = f"{error.strerror}; name another folder for the results (--out)"
        raise
    try:
        yield lock.is_locked
    finally:
        if lock.is_locked:
            with suppress(OSError):  # while it is held: who waits notices. Windows removes it then
                os.unlink(lock.lock_file)
            lock.release()


def tidy(tasks: Iterable[Task]) -> None:
    """Remove .wellseg-0123abcd-RESULT files of killed runs, not those of a run at work."""
    stems = {task.stem: task for task in tasks if not is_url(task.stem)}
    for folder in {os.path.dirname(stem) for stem in stems}:
        for rest in Path(folder).glob(f"{HIDDEN}*"):
            hidden = rest.name.removeprefix(HIDDEN)  # of a lock its name, else 0123abcd-NAME
            result = hidden if hidden.endswith(".lock") else hidden.partition("-")[2]
            ending = next(filter(result.endswith, (*RESULTS, ".lock")), "")
            name = os.path.join(folder, result.removesuffix(ending))
            if owner := stems.get(name) or stems.get(re.sub(r"\.p?\d+$", "", name)):
                both = {owner.stem, name}  # NAME.1 may be another scan, at which a run works
                with suppress(OSError), ExitStack() as locks:
                    if all(locks.enter_context(claim(owner._replace(stem=it))) for it in both):
                        rmtree(rest) if rest.is_dir() else rest.unlink(missing_ok=True)


@contextmanager
def local_copy(task: Task, scratch: Path | None) -> Iterator[Task]:
    """The task with local paths: within the block, what is behind URLs is in a temporary folder.
    When the block ends without an error, results behind a URL are put there, the report last."""
    if not is_url(task.scan) and not is_url(task.stem):
        yield task
        return
    parent = Path(scratch or gettempdir())
    for left in parent.glob(f"{SCRATCH}*"):  # a day ago by a process that was killed
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > 86400:
                rmtree(left)
    with TemporaryDirectory(prefix=SCRATCH, dir=parent) as name:
        results, here = Path(name, "results"), task
        if is_url(task.scan):
            here = here._replace(scan=str(Path(name, PurePosixPath(task.name).name)))
            fs, path = filesystem(task.scan)
            fs.get_file(path, here.scan)
        if is_url(task.stem):
            here = here._replace(stem=str(results / PurePosixPath(task.stem).name))
        yield here
        if here.stem == task.stem:
            return
        fs, path = filesystem(task.stem)
        begin_anew(task.stem, read_report(here.stem + REPORT))
        before = read_report(task.stem + REPORT).get("former_sha256", {})
        gone = [ending for ending in before if not os.path.exists(here.stem + ending)]
        for ending, now in digests(task.stem, gone).items():  # as NAME.2.las of one log less
            if now == before[ending]:
                fs.rm(path + ending)
        made = [result for result in results.rglob("*") if result.is_file()]
        for result in sorted(made, key=lambda result: result == Path(here.stem + REPORT)):
            below = result.relative_to(results).as_posix()
            _put(result, fs, str(PurePosixPath(path).parent / below))


def filesystem(place: str) -> tuple[Any, str]:
    """The fsspec filesystem of a path or URL, and the path in it. Raises ValueError."""
    import fsspec

    if not is_url(place):  # a name may have "::", which is a chain of URLs
        return fsspec.filesystem("file"), absolute(place).replace(os.sep, "/")
    try:
        fs, path = fsspec.core.url_to_fs(place, use_listings_cache=False)
    except Exception as error:  # some connect at once
        raise ValueError(f"{place}: {one_line(error)}") from error
    return fs, str(path)

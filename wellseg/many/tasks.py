"""A list of scans: which there are, which are done, and what became of each.

The truth about a scan is its report, NAME.json, which is written last: a run looks at all of them
first and hands out the rest. summary.csv only repeats it, so that losing it loses nothing.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any, Literal, NamedTuple

from wellseg.config import PredictConfig
from wellseg.results.one_scan import endings, is_result
from wellseg.scan.atomic import HIDDEN
from wellseg.scan.files import (
    FORGOTTEN_S,
    REPORT,
    Task,
    claim,
    exists,
    expand,
    find_files,
    is_url,
    join,
    list_folder,
    read_file,
    split,
)
from wellseg.scan.reader import is_scan_file, other_kind

MASK = ".mask.tif"
READERS = 16
"""Small files read at once: on a network each takes long and little."""


@dataclass(frozen=True)
class Outcome:
    """What became of one scan: a line of summary.csv. None: not known.

    status: ``done`` (whole results are there, made now or by an earlier run), ``failed`` (reason
        says why; the next run tries again), ``waiting`` (not reached yet), ``elsewhere`` (another
        run is at it), ``not read`` (of a kind that wellseg does not read).
    rows, columns: as stored in the file. colour: 1-bit, gray or colour. tracks: as found or given.
    ink_share: curve pixels among all, doubt_share: pixels in doubt among those that may be curve.
    pages: of the file. reason: for done scans, what else one should know.
    disk_full: what could not be written, if that is why it failed.
    """

    scan: str
    status: Literal["done", "failed", "waiting", "elsewhere", "not read"]
    rows: int | None = None
    columns: int | None = None
    seconds: float | None = None
    ink_share: float | None = None
    doubt_share: float | None = None
    tracks: int | None = None
    dpi: float | None = None
    colour: str = ""
    pages: int | None = None
    reason: str = ""
    disk_full: Literal["", "results", "scratch"] = ""


@dataclass(frozen=True)
class Settings:
    """What is the same for all scans of a run. options: what each report says of its making."""

    config: PredictConfig
    options: dict[str, Any]


Outcomes = Generator[tuple[Task, Outcome], None, None]
"""What an engine tells of a list of tasks, as it comes; closed early, it stops the others."""


class Listing(NamedTuple):
    """folder: path or URL for the summary; None: scans were named one by one.
    not_read: files that may hold a log, of kinds that are not read. kinds: how many of which."""

    tasks: list[Task]
    folder: str | None
    not_read: dict[Task, Outcome]
    kinds: str


def list_tasks(scans: Sequence[str], out: str | None) -> Listing:
    """Every scan that was named, fits a pattern or lies below a folder that was named.

    Raises ValueError, naming the path, for what is not there.
    """
    tasks: list[Task] = []
    folders, others = [], []
    for given in (place for pattern in scans for place in expand(pattern)):
        place = given if is_url(given) else str(Path(given))
        is_folder, found = find_files(place, _is_wanted)
        readable = [file for file in found if not is_folder or is_scan_file(file.name)]
        others += [file.name for file in found if is_folder and not is_scan_file(file.name)]
        if not readable:
            instead = f", but {_count_kinds(others)}: convert them to TIFF" if others else ""
            raise ValueError(f"{given}: no scan (TIFF, PNG or JPEG) in this folder{instead}")
        folders += [place] if is_folder else []
        for file in readable:
            scan = join(place, file.name) if is_folder else place
            stem = (join(out, file.name) if out else scan).removesuffix(Path(file.name).suffix)
            tasks.append(Task(file.name, scan, stem, file.version, file.size_bytes))
    first: dict[str, Task] = {}
    for number, task in enumerate(tasks):
        other = first.setdefault(task.stem, task)
        if other.scan != task.scan:
            problem = f"{other.scan} has the same results, {task.result(MASK)}"
            tasks[number] = replace(task, problem=f"{problem}: mask one of them apart")
    not_read = {}
    for name in sorted(set(others)):
        reason = f"{other_kind(name)} is not read: convert what holds a log to TIFF"
        not_read[Task(name, name, name)] = Outcome(name, "not read", reason=reason)
    folder = out or (folders[0] if len(folders) == 1 else None)
    tasks = list(dict.fromkeys(tasks))
    return Listing(tasks, folder if folders else None, not_read, _count_kinds(others))


def _is_wanted(name: str, is_folder: bool) -> bool:
    if name.startswith(".") or is_result(name):
        return False
    return is_folder or is_scan_file(name) or other_kind(name) != ""


def _count_kinds(names: Iterable[str]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in Counter(map(other_kind, names)).items())


def is_done(
    task: Task, settings: Settings, there: Callable[[str], bool] = exists
) -> Outcome | None:
    """What became of a scan whose whole results are there, made of the same scan with the same
    weights and options; else None. This alone decides what a run still has to do.

    there: whether a path or URL exists.
    """
    if not there(task.result(REPORT)):
        return None
    try:
        report = json.loads(read_file(task.result(REPORT)))
        outcome = outcome_of(task, report)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    expected = {**settings.options, "scan_version": task.version}
    if any(report.get(key) != value for key, value in expected.items()):
        return None
    pages = [f".p{page}{e}" for page in report.get("further_pages", []) for e in (REPORT, MASK)]
    results = (*endings(settings.config, report), *pages)
    whole = all(there(task.result(ending)) for ending in results)
    return outcome if whole and outcome.status == "done" else None


def outcome_of(task: Task, report: dict[str, Any]) -> Outcome:
    """From a report (NAME.json). Raises ValueError, TypeError, KeyError, ... if it is not one."""

    def known(key: str, kind: Callable[[Any], Any]) -> Any:
        return None if report.get(key) is None else kind(report[key])

    return Outcome(
        task.name,
        "failed" if report.get("failed_pages") else "done",
        rows=int(report["rows"]),
        columns=int(report["columns"]),
        seconds=float(report["seconds"]),
        ink_share=float(report["curve_share"]),
        doubt_share=known("doubt_share", float),
        tracks=known("tracks_found", int),
        dpi=known("dpi", float),
        pages=known("pages", int),
        colour=str(report.get("kind", "")),
        reason="; ".join(
            [
                *report.get("failed_pages", []),
                *(f"page {page} in .p{page}{MASK}" for page in report.get("further_pages", [])),
                *report.get("left_out_pages", []),
            ]
        ),
    )


class Results:
    """What there is at the places of some tasks' results, seen once for all of them."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self.tasks = [task for task in tasks if not task.problem]
        folders = list({split(task.stem)[0] for task in self.tasks})
        with ThreadPoolExecutor(READERS) as readers:
            self.names = dict(zip(folders, readers.map(list_folder, folders), strict=True))

    def done(self, settings: Settings) -> dict[Task, Outcome]:
        def there(place: str) -> bool:
            folder, name = split(place)
            return name in self.names[folder]

        with ThreadPoolExecutor(READERS) as readers:
            found = list(readers.map(lambda task: is_done(task, settings, there), self.tasks))
        return {task: done for task, done in zip(self.tasks, found, strict=True) if done}

    def clear(self) -> None:
        """Remove the hidden files and folders that killed runs left, not what a living run writes.

        They are called .wellseg-, eight hex digits, a hyphen and the result's name.
        """
        stems = {task.stem: task for task in self.tasks}
        for folder in (folder for folder in self.names if not is_url(folder)):
            for name in self.names[folder]:
                if not name.startswith(HIDDEN):
                    continue
                rest, result = Path(folder, name), re.sub(r"^\.wellseg-([0-9a-f]{8}-)?", "", name)
                ends = [match.start() for match in re.finditer(r"\.", result)]
                owners = [stems.get(os.path.join(folder, result[:end])) for end in ends]
                with suppress(OSError):
                    if owner := next(filter(None, owners), None):
                        with claim(owner) as mine:
                            if mine:
                                _remove(rest)
                    elif time.time() - rest.stat().st_mtime > FORGOTTEN_S:
                        _remove(rest)


def _remove(rest: Path) -> None:
    rmtree(rest) if rest.is_dir() else rest.unlink(missing_ok=True)

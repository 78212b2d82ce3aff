"""A list of scans: which there are, which are done, and what became of each.

Whether a scan is done is told by its report, NAME.json, which is written last: a run reads all
reports first, and masks the other scans. summary.csv only repeats them: it may be lost."""

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from wellseg.config import PredictConfig
from wellseg.scan import MASK, RESULTS, files, is_scan_file
from wellseg.scan.files import REPORT, Task, exists, is_url, join, read_report
from wellseg.weights import read_header, weights_path

MASK_OPTIONS = "threshold", "precision", "window_rows", "invert"  # a mask depends on them
SAME_MASK = "weights_sha256", *MASK_OPTIONS  # equal in the reports of one mask
CONVERT = "convert what holds a log to TIFF, name the folder of a link, too"
OPEN = "let yourself read it and start again, or name the folders that you need"
READERS = 16  # of small files at once: on a network drive they mostly wait
KNOWN = {it: it for it in ("rows", "columns", "seconds", "curve_share", "doubt_share", "curves")}
KNOWN |= {"tracks": "tracks_found", "dpi": "dpi", "colour": "kind", "pages": "pages"}
KNOWN |= {it: it for it in ("weights", "threshold")}  # columns of the summary: the report's keys
Outcomes = dict[Task, "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What became of one scan, now or in an earlier run. The next run tries failed scans again."""

    status: Literal["done", "failed", "waiting", "elsewhere", "not read"]
    reason: str = ""  # why, or what else one should know
    known: Mapping[str, Any] = field(default_factory=lambda: dict.fromkeys(KNOWN))  # by its words
    disk_full: bool = False  # nothing more can be written
    said: Sequence[str] = ()  # what the user should know at once, if it was not told yet


class Settings(NamedTuple):
    """What is the same for all scans of a run."""

    config: PredictConfig
    entries: dict[str, Any]  # of each report: weights, and options that a mask depends on


def settings_of(config: PredictConfig) -> Settings:
    """Settings of a run; what its weights decide, windows and their digest, is looked up once."""
    weights = weights_path(config.weights)
    if config.window_rows is None:  # 0: the whole scan
        config = replace(config, window_rows=read_header(weights).get("window_rows", 0))
    options = {name: getattr(config, name) for name in MASK_OPTIONS} | config.for_report()
    sha256 = files.digests(weights, [""])[""]
    run = f"{weights.resolve().parent.name}/" if weights.stem == "model" else ""
    return Settings(config, {"weights": run + weights.stem, "weights_sha256": sha256, **options})


def list_tasks(scans: Sequence[str], out: str | None) -> tuple[list[Task], str | None, Outcomes]:
    """Every scan that was named, fits a pattern or lies below a folder that was named; the path or
    URL for the summary, None if scans were named one by one; files of kinds that are not read, and
    closed folders, which failed. Raises ValueError: a path is not there, or shares its results."""
    tasks, not_read, folders = dict[str, Task](), Outcomes(), list[str]()
    if "" in scans:
        raise ValueError("a scan without a name: name a scan, a folder, or . for this one")
    places = [it for one in scans for it in expand(one) if not it.endswith(RESULTS)]  # *.tif: masks
    if not places:
        raise ValueError(f"{scans[0]}: only results of wellseg, no scan")
    for given in places:
        place = given if is_url(given) else str(Path(given))
        is_folder, found, closed = files.find_files(place)
        readable = [task for task in found if not is_folder or is_scan_file(task.name)]
        others = [task for task in found if is_folder and not is_scan_file(task.name)]
        if not readable and not closed:
            instead = f", but {others[0].name}: {CONVERT}" if others else ""
            where = "this folder" if is_url(place) or os.path.isdir(place) else "a pipe: save it"
            raise ValueError(f"{given}: no scan (TIFF, PNG or JPEG) in {where}{instead}")
        folders += [place] if is_folder else []
        not_read |= dict.fromkeys(others, Outcome("not read", CONVERT))
        for name, why in closed.items():
            not_read[Task(name, join(place, name))] = Outcome("failed", f"{why}; {OPEN}")
        for task in readable:
            stem = join(out, task.name) if out else task.scan
            task = task._replace(stem=stem.removesuffix(Path(task.name).suffix))
            tasks.setdefault(files.absolute(task.scan), task)
    only_folder = folders[0] if len(folders) == len(places) == 1 else None
    folder = out if folders and out else only_folder
    if folder and not is_url(folder):
        files.refuse_foreign(join(folder, "summary.csv"), join(folder, "index.html"))
    return _tell_apart(tasks.values(), join(folder, "index") if folder else ""), folder, not_read


def _tell_apart(tasks: Collection[Task], index: str) -> list[Task]:
    """Tasks with stems that no other result has: of twins (a.tif, a.png) and names like those of
    pages, the ending stays in the stem. Raises ValueError: two scans would share their results."""
    key = os.path.normcase  # on Windows a.mask.tif is A.mask.tif
    stems = Counter(key(task.stem) for task in tasks)
    named: dict[str, Task] = {}
    for task in tasks:
        base = re.sub(r"\.p?\d+$", "", task.stem)  # pages and logs of NAME are NAME.p2, NAME.1
        is_twin = stems[key(task.stem)] > 1
        with suppress(OSError):  # it cannot be read: its scan will fail for it
            if is_twin:  # and not the one that was there first; perhaps depths were said of it
                is_twin = read_report(task.stem + REPORT).get("scan") != os.path.basename(task.name)
        if is_twin or key(task.stem) == key(index) or (base != task.stem and key(base) in stems):
            task = task._replace(stem=task.stem + Path(task.name).suffix)  # a.tif.mask.tif
        if (other := named.setdefault(key(task.stem), task)) is not task:
            same = f"has the same results as {other.scan}, {task.stem}{MASK}"
            raise ValueError(f"{task.scan}: {same}: mask one of them to another folder (--out)")
    return [*named.values()]


def expand(place: str) -> list[str]:
    """What matches a pattern (*.tif) that the shell did not expand; else the place itself."""
    if not glob.has_magic(place) or os.path.lexists(place):
        return [place]
    folder, name = os.path.split(place)  # the folder may be called "Logs [raw]"
    known = os.path.join(glob.escape(folder), name) if os.path.isdir(folder) else place
    found = glob.glob(known, recursive=True)
    if is_url(place):
        fs, path = files.filesystem(place)
        with suppress(Exception):  # find_files says what is wrong
            found = [fs.unstrip_protocol(name) for name in fs.glob(path)]
    return sorted(found) or [place]


def is_done(task: Task, settings: Settings, has: Callable[[str], bool] = exists) -> Outcome | None:
    """The outcome of a scan whose results are all there, made from the same scan with the same
    weights (wherever their file is) and options; else None. has: whether a path or URL exists."""
    report = read_report(task.stem + REPORT) if has(task.stem + REPORT) else {}
    expected = {**settings.entries, "scan_version": task.version, "weights": report.get("weights")}
    if any(report.get(key) != it for key, it in expected.items()) or other_scan(task, report):
        return None
    further = report.get("further_pages", [])
    pages = (read_report(f"{task.stem}.p{page}{REPORT}") for page in further)
    if any(own.get(it) != report.get(it) for own in pages for it in ("scan_sha256", *SAME_MASK)):
        return None
    ends = [MASK, ".overlay.png", *(f".p{page}{MASK}" for page in further)]
    for flag in ("probability", "view"):
        ends += files.MADE_OF_MASK[flag] if getattr(settings.config, flag) else ()
    if settings.config.curves and not report.get("curves_left_out"):
        ends += [".curves.csv", *report.get("sha256", {})]  # with .las, or .1.las, .2.las ...
    whole = all(has(task.stem + end) for end in ends)
    whole = whole and (is_url(task.stem) or os.path.getsize(task.stem + MASK) > 0)  # by a crash
    return outcome_of(report) if whole and not report.get("failed_pages") else None


def other_scan(task: Task, report: Mapping[str, Any]) -> str:
    """The path of another scan, still there, whose report is in the task's place (a.tif, a.png)."""
    own, other = files.absolute(task.scan), str(report.get("scan_path", ""))
    stem = re.sub(r"\.p\d+$", "", task.stem) if task.page is not None else task.stem
    beside = os.path.splitext(own)[0] == files.absolute(stem)
    were_copied = beside and report.get("scan") == os.path.basename(own)  # both
    if other in ("", own) or not exists(other) or were_copied:
        return ""
    with suppress(OSError):  # behind URLs
        return "" if os.path.samefile(own, other) else other
    return other


def outcome_of(report: dict[str, Any]) -> Outcome:
    failed = report.get("failed_pages", [])
    pages = [f"page {page} in .p{page}{MASK}" for page in report.get("further_pages", [])]
    said = list[Any]()
    for each in (failed, pages, report.get("left_out_pages", [])):
        said += each if len(each) < 5 else [*each[:2], f"{len(each) - 3:,} more", each[-1]]
    reason = "; ".join(map(str, [*said, *report.get("notes", []), *report.get("curve_notes", [])]))
    known = {name: report.get(key) for name, key in KNOWN.items()}
    return Outcome("failed" if failed else "done", reason, known)


def find_done(tasks: Sequence[Task], settings: Settings) -> tuple[Outcomes, int]:
    """Outcomes of the tasks that are done, and how many others have a report; many read at once."""
    folders = {os.path.dirname(task.stem) for task in tasks}
    with ThreadPoolExecutor(READERS) as readers:
        listed = zip(folders, readers.map(files.list_folder, folders), strict=True)
        there = {join(folder, name) for folder, names in listed for name in names}

        def look(task: Task) -> Outcome | None:
            with suppress(OSError):  # a report cannot be read: the worker will say so
                return is_done(task, settings, there.__contains__)
            return None

        done = {task: it for task, it in zip(tasks, readers.map(look, tasks), strict=True) if it}
    return done, sum(task.stem + REPORT in there for task in tasks) - len(done)

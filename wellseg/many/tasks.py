"""A folder of scans: what there is, what is done already, and the summary of it all.

The truth about a scan is its report, NAME.json, which is written last: a start looks at all of them
first and hands out the rest. summary.csv only repeats it, so that losing it loses nothing.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from wellseg.config import PredictConfig
from wellseg.many.worker import Row, done_row
from wellseg.results.one_scan import endings, is_result
from wellseg.scan.files import Task, find_files, is_url, join, read_reports, write_whole

SUMMARY = "summary.csv"
SUMMARY_EVERY_S = 5.0
SUMMARY_SHARE = 0.01
"""Of the time may go to writing the summary: of 140,000 scans it has 10 MB."""


def list_tasks(scans: Sequence[str], out: str | None) -> tuple[list[Task], str | None]:
    """Every scan that was named or lies below a folder that was, and the folder for their summary.

    Links to folders are not followed. Raises ValueError, naming the path, for what is not there.
    """
    tasks: list[Task] = []
    folders = []
    for given in scans:
        place = given if is_url(given) else str(Path(given))
        is_folder, found = find_files(place, _wanted)
        if is_folder and not found:
            raise ValueError(f"{given}: no scan (TIFF, PNG or JPEG) in this folder")
        folders += [place] * is_folder
        for name, version in found:
            scan = join(place, name) if is_folder else place
            stem = join(out, name) if out else scan
            tasks.append(Task(name, scan, stem.removesuffix(PurePosixPath(name).suffix), version))
    first: dict[str, str] = {}
    for number, task in enumerate(tasks):
        other = first.setdefault(task.stem, task.scan)
        if other != task.scan:
            problem = (
                f"{other} has the same results, {task.result('.mask.tif')}: mask one of them apart"
            )
            tasks[number] = replace(task, problem=problem)
    tasks = list(dict.fromkeys(tasks))  # named twice
    return tasks, (out or (folders[0] if len(folders) == 1 else None)) if folders else None


def finished(
    tasks: Sequence[Task], config: PredictConfig, options: dict[str, Any]
) -> dict[Task, Row]:
    """Those whose whole results are there, made from the same scan with the same weights and options."""
    rows = {}
    for task, data in read_reports([task for task in tasks if not task.problem], endings(config)):
        try:
            report = json.loads(data or b"")
        except (ValueError, RecursionError):
            continue
        expected = {**options, "scan_version": task.version}
        row = done_row(task, report)
        if row and all(report.get(key) == value for key, value in expected.items()):
            rows[task] = row
    return rows


class Summary:
    """summary.csv: one line for each scan, written whole now and then.

    folder: path or URL; None: no summary.
    """

    def __init__(self, folder: str | None, rows: dict[Task, Row]) -> None:
        self.place = join(folder, SUMMARY) if folder else None
        self.rows = rows
        self._due_s = 0.0

    def write_if_due(self) -> None:
        if time.monotonic() >= self._due_s:
            self.write()

    def write(self) -> None:
        """Raises OSError."""
        if self.place is None:
            return
        started_s = time.monotonic()
        write_whole(self.place, as_csv(self.rows.values()))
        ended_s = time.monotonic()
        self._due_s = ended_s + max(SUMMARY_EVERY_S, (ended_s - started_s) / SUMMARY_SHARE)

    def as_read(self) -> list[dict[str, str]]:
        """The lines as a reader of the file finds them."""
        return [as_text(row) for row in self.rows.values()]


def as_csv(rows: Iterable[Row]) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    table.writeheader()
    table.writerows(map(as_text, rows))
    return text.getvalue().encode("utf-8", "backslashreplace")  # names that are not UTF-8


def as_text(row: Row) -> dict[str, str]:
    share = "" if row.ink_share is None else f"{row.ink_share:.6f}"
    values = {name: "" if value is None else str(value) for name, value in vars(row).items()}
    return values | {"ink_share": share}


def _wanted(name: str, is_folder: bool) -> bool:
    from wellseg.scan.reader import is_scan_file

    return not is_result(name) and (not name.startswith(".") if is_folder else is_scan_file(name))

"""What people see of a run: its lines on the screen, summary.csv, and the page index.html."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from wellseg.many.tasks import KNOWN, Outcome, Outcomes
from wellseg.results.view import fill, link
from wellseg.scan import MASK, one_line
from wellseg.scan.atomic import csv_bytes
from wellseg.scan.files import Task, is_url, join, write_whole

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # at a cell's beginning Excel computes it


class Screen(Progress):
    """Prints a line for each scan that ended, and how far all are, weighed by their bytes.
    done: how many were done before. preview: ending of the result that a person is pointed to."""

    def __init__(self, tasks: Sequence[Task], done: int, preview: str = ".overlay.png") -> None:
        console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
        super().__init__(console=console, transient=True, disable=not console.is_terminal)
        self._preview, self._count = preview, done + len(tasks)
        self._bar = self.add_task("", total=sum(task.size_bytes for task in tasks) + 1)
        self._ended, self._past = done, 0  # scans; bytes

    def say(self, text: str) -> None:
        line = " ".join(text.split())  # names may have line breaks, and bytes that are not UTF-8
        with suppress(OSError, SystemExit):  # of rich, where nobody reads it any more
            self.console.print(line.encode("utf-8", "backslashreplace").decode())

    def share(self, task: Task, share: float) -> None:
        """So much of a scan is done, in [0, 1]."""
        number = f"{min(self._ended + 1, self._count):,}/{self._count:,}"
        self.update(self._bar, completed=self._past + share * task.size_bytes, description=number)

    def ended(self, task: Task, outcome: Outcome) -> None:
        self._past += task.size_bytes
        self._ended += 1
        told, line = [*outcome.said], f"wellseg.predict: {task.scan}: {outcome.reason}"
        if outcome.status == "done":
            rows, columns, seconds = (outcome.known[key] for key in ("rows", "columns", "seconds"))
            speed = f"{seconds:.1f} s ({rows * columns / 1e6 / max(seconds, 0.01):.1f} Mpx/s)"
            line = f"{task.stem}{MASK}: {rows} x {columns} pixels, {speed}; "
            line += f"look at {task.stem}{self._preview}"
            if (curves := outcome.known.get("curves")) is not None:
                line += f"; curves: {curves:,}, in {task.stem}.curves.csv"
            told += [f"{task.scan}: {note}" for note in outcome.reason.split("; ") if note]
        number = f"{self._ended:,}/{self._count:,} " if self._count > 1 else ""
        for text in [*told, number + line]:
            self.say(text)
        self.share(task, 0.0)


def write_summary(folder: str | None, outcomes: Outcomes, preview: str, running: bool) -> list[str]:
    """Write both files, each in one step; returns why one cannot be written (it may be open in
    Excel). folder: path or URL; None: none. preview: ending of what the page links to."""
    if folder is None:
        return []
    page, faults = index_page(folder, outcomes, preview, running), []
    for name, data in (("summary.csv", as_csv(outcomes)), ("index.html", page)):
        try:
            write_whole(join(folder, name), data)
        except Exception as error:  # every store has exceptions of its own
            faults.append(one_line(error))
    return faults


def _row(task: Task, outcome: Outcome) -> dict[str, Any]:
    return {"scan": task.name, "status": outcome.status, **outcome.known, "reason": outcome.reason}


def as_csv(outcomes: Outcomes) -> bytes:
    rows = (_row(task, outcome).items() for task, outcome in outcomes.items())
    safe = ({k: f"'{v}" if str(v).startswith(FORMULA) else v for k, v in row} for row in rows)
    return csv_bytes(("scan", "status", *KNOWN, "reason"), safe)


def index_page(folder: str, outcomes: Outcomes, preview: str, running: bool = False) -> bytes:
    """The page of all scans; those that are done lead to their results below ``folder``."""
    start, scans = len(join(folder, "-")) - 1, list[dict[str, Any]]()
    for task, outcome in outcomes.items():
        stem = task.stem[start:].replace(os.sep, "/")
        is_done, page = outcome.status == "done", join(folder, f"{stem}.view/thumb.jpg")
        ending = ".html" if is_done and os.path.isfile(page) else preview  # else of an earlier run
        view = link(stem + ending) if is_done else None
        thumb = link(f"{stem}.view/thumb.jpg") if view and ending == ".html" else None
        scans.append({**_row(task, outcome), "view": view, "thumb": thumb})
    name = folder.rstrip("/").rpartition("/")[2] if is_url(folder) else Path(folder).resolve().name
    as_of = time.strftime("%Y-%m-%d %H:%M:%S") if running else None
    return fill("index.html", name or "Scans", {"scans": scans, "as_of": as_of})

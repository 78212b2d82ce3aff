"""What became of all scans, for people: summary.csv, and the page index.html."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wellseg.many.tasks import KNOWN, Outcome
from wellseg.results.page import fill, link
from wellseg.scan.atomic import FileInUse
from wellseg.scan.files import Task, is_url, join, write_whole

EVERY_S = 5.0
SHARE = 0.01
"""Of the time may go to writing the two: of 140,000 scans they have tens of MB."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What Excel begins to compute at the beginning of a cell."""


class Summary:
    """Both files, written whole now and then while a run goes on.

    folder: path or URL of the results; None: no files. look_at: ending of the result that the page
    points to. say: tells the user of a file that another program has open.
    """

    def __init__(
        self,
        folder: str | None,
        outcomes: dict[Task, Outcome],
        look_at: str,
        say: Callable[[str], None],
    ) -> None:
        self.folder, self.outcomes, self.look_at, self._say = folder, outcomes, look_at, say
        self._due_s = 0.0

    def put(self, task: Task, outcome: Outcome) -> None:
        self.outcomes[task] = outcome
        if time.monotonic() >= self._due_s:
            self.write(going_on=True)

    def write(self, going_on: bool = False) -> None:
        """Raises OSError, but not for a file that is open in Excel or a browser."""
        if self.folder is None:
            return
        started_s = time.monotonic()
        page = index_page(self.folder, self.outcomes, self.look_at, going_on)
        for name, data in (("summary.csv", as_csv(self.outcomes)), ("index.html", page)):
            try:
                write_whole(join(self.folder, name), data)
            except FileInUse as error:
                if not going_on:
                    self._say(f"{error.filename} {error.strerror}, and start again")
        ended_s = time.monotonic()
        self._due_s = ended_s + max(EVERY_S, (ended_s - started_s) / SHARE)


def _row(task: Task, outcome: Outcome) -> dict[str, Any]:
    known = {name: outcome.known.get(name) for name in KNOWN}
    return {"scan": task.name, "status": outcome.status, **known, "reason": outcome.reason}


def as_csv(outcomes: Mapping[Task, Outcome]) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, ("scan", "status", *KNOWN, "reason"), lineterminator="\n")
    table.writeheader()
    for task, outcome in outcomes.items():
        row = _row(task, outcome)
        for name in ("ink_share", "doubt_share"):
            row[name] = None if row[name] is None else f"{row[name]:.6f}"
        for name in ("scan", "reason"):
            row[name] = f"'{row[name]}" if row[name].startswith(FORMULA) else row[name]
        table.writerow(row)
    return text.getvalue().encode("utf-8", "backslashreplace")  # names that are not UTF-8


def index_page(
    folder: str, outcomes: Mapping[Task, Outcome], look_at: str = ".html", going_on: bool = False
) -> bytes:
    """The page of all scans, of which those that are done lead to their results below ``folder``.

    going_on: the run is not over.
    """
    start = len(join(folder, "-")) - 1
    # Behind a URL nobody looks, for each of 140,000 scans: what is done was put there.
    endings = [look_at] if is_url(folder) else [".html", ".overlay.png"]
    scans = []
    for task, outcome in outcomes.items():
        view = thumb = None
        if outcome.status == "done":  # what a failed scan has is of an earlier run
            stem = task.stem[start:].replace(os.sep, "/")
            there = [end for end in endings if is_url(folder) or Path(folder, stem + end).is_file()]
            view = link(stem + there[0]) if there else None
            thumb = link(f"{stem}.view/thumb.jpg") if there[:1] == [".html"] else None
        scans.append({**_row(task, outcome), "view": view, "thumb": thumb})
    name = folder.rstrip("/").rpartition("/")[2] if is_url(folder) else Path(folder).resolve().name
    as_of = time.strftime("%Y-%m-%d %H:%M:%S") if going_on else None
    return fill("index.html", name or "Scans", {"scans": scans, "as_of": as_of})

"""What became of all scans, for people: summary.csv, and the page index.html."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from wellseg.many.tasks import Outcome
from wellseg.results.page import fill, link
from wellseg.scan.atomic import FileInUse
from wellseg.scan.files import Task, is_url, join, write_whole

SUMMARY = "summary.csv"
INDEX, OTHER = "index.html", "index of scans.html"
"""The page's name, and the one where a scan is called index and has its view there."""
EVERY_S = 5.0
SHARE = 0.01
"""Of the time may go to writing the two: of 140,000 scans they have tens of MB."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What Excel begins to compute at the beginning of a cell."""
COLUMNS = [field.name for field in fields(Outcome) if field.name != "disk_full"]
SHARES = ("ink_share", "doubt_share")


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
        self._told: set[str] = set()

    def put(self, task: Task, outcome: Outcome) -> None:
        self.outcomes[task] = outcome
        if time.monotonic() >= self._due_s:
            self.write(going_on=True)

    def write(self, going_on: bool = False) -> None:
        """Raises OSError, but not for a file that is open in Excel or a browser."""
        if self.folder is None:
            return
        started_s = time.monotonic()
        outcomes = list(self.outcomes.values())
        page = index_page(self.folder, outcomes, self.look_at, going_on)
        taken = any(Path(outcome.scan).with_suffix(".html") == Path(INDEX) for outcome in outcomes)
        index = OTHER if taken and self.look_at == ".html" else INDEX
        for name, data in ((SUMMARY, as_csv(outcomes)), (index, page)):
            try:
                write_whole(join(self.folder, name), data)
            except FileInUse as error:
                if name not in self._told or not going_on:
                    self._say(f"{error.filename} {error.strerror}; the run goes on without it")
                self._told.add(name)
        ended_s = time.monotonic()
        self._due_s = ended_s + max(EVERY_S, (ended_s - started_s) / SHARE)


def as_csv(outcomes: Iterable[Outcome]) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    for outcome in outcomes:
        table.writerow({name: _cell(name, getattr(outcome, name)) for name in COLUMNS})
    return text.getvalue().encode("utf-8", "backslashreplace")  # names that are not UTF-8


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column in SHARES:
        return f"{value:.6f}"
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def index_page(
    folder: str, outcomes: Iterable[Outcome], look_at: str = ".html", going_on: bool = False
) -> bytes:
    """The page of all scans; their results lie below ``folder`` as the scans below theirs.

    going_on: the run is not over.
    """
    name = folder.rstrip("/").rpartition("/")[2] if is_url(folder) else Path(folder).resolve().name
    data = {
        "scans": [_entry(folder, outcome, look_at) for outcome in outcomes],
        "as_of": time.strftime("%Y-%m-%d %H:%M:%S") if going_on else None,
    }
    return fill("index.html", name or "Scans", data)


def _entry(folder: str, outcome: Outcome, look_at: str) -> dict[str, Any]:
    scan = Path(outcome.scan)
    stem = (Path(scan.name) if scan.is_absolute() else scan).with_suffix("").as_posix()
    view = thumb = None
    if outcome.status == "done":  # what a failed scan has is of an earlier run
        # Behind a URL nobody looks, for each of 140,000 scans: what is done was put there.
        endings = [look_at] if is_url(folder) else [".html", ".overlay.png"]
        there = [e for e in endings if is_url(folder) or Path(folder, stem + e).is_file()]
        view = link(stem + there[0]) if there else None
        thumb = link(f"{stem}.view/thumb.jpg") if there[:1] == [".html"] else None
    return {**{name: getattr(outcome, name) for name in COLUMNS}, "view": view, "thumb": thumb}

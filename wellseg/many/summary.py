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
from wellseg.results.view import fill, link
from wellseg.scan.files import Task, is_url, join, write_whole

EVERY_S = 5.0
SHARE = 0.01
"""Of the time may go to writing the two: of 140,000 scans they have tens of MB."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What Excel begins to compute at the beginning of a cell."""


def write_summary(
    folder: str | None,
    outcomes: Mapping[Task, Outcome],
    look_at: str,
    say: Callable[[str], None] | None = None,
) -> float:
    """Write both files, whole, and return the time (monotonic, s) of the next writing.

    folder: path or URL of the results; None: no files. look_at: ending of the result that the page
    leads to. say: when all is over, takes why one cannot be written (it is open in Excel, perhaps).
    """
    if folder is None:
        return float("inf")
    started_s = time.monotonic()
    page = index_page(folder, outcomes, look_at, going_on=say is None)
    for name, data in (("summary.csv", as_csv(outcomes)), ("index.html", page)):
        try:
            write_whole(join(folder, name), data)
        except OSError as error:
            if say:
                say(f"{error.filename} {error.strerror}: mend it and start again")
    ended_s = time.monotonic()
    return ended_s + max(EVERY_S, (ended_s - started_s) / SHARE)


def _row(task: Task, outcome: Outcome) -> dict[str, Any]:
    known = {name: outcome.known.get(name) for name in KNOWN}
    return {"scan": task.name, "status": outcome.status, **known, "reason": outcome.reason}


def as_csv(outcomes: Mapping[Task, Outcome]) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, ("scan", "status", *KNOWN, "reason"), lineterminator="\n")
    table.writeheader()
    for task, outcome in outcomes.items():
        row = _row(task, outcome)
        for name, value in row.items():
            if name.endswith("_share") and value is not None:
                row[name] = f"{value:.6f}"
            elif isinstance(value, str) and value.startswith(FORMULA):
                row[name] = f"'{value}"
        table.writerow(row)
    return text.getvalue().encode("utf-8", "backslashreplace")  # names that are not UTF-8


def index_page(
    folder: str, outcomes: Mapping[Task, Outcome], look_at: str, going_on: bool = False
) -> bytes:
    """The page of all scans; those that are done lead to their results below ``folder``."""
    start = len(join(folder, "-")) - 1
    # Behind a URL nobody looks, for each of 140,000 scans: what is done was put there.
    endings = [look_at] if is_url(folder) else [".html", ".overlay.png"]
    scans = []
    for task, outcome in outcomes.items():
        stem = task.stem[start:].replace(os.sep, "/")
        is_done = outcome.status == "done"  # what a failed scan has is of an earlier run
        there = [e for e in endings if is_url(folder) or Path(folder, stem + e).is_file()]
        view = link(stem + there[0]) if is_done and there else None
        thumb = link(f"{stem}.view/thumb.jpg") if view and there[0] == ".html" else None
        scans.append({**_row(task, outcome), "view": view, "thumb": thumb})
    name = folder.rstrip("/").rpartition("/")[2] if is_url(folder) else Path(folder).resolve().name
    as_of = time.strftime("%Y-%m-%d %H:%M:%S") if going_on else None
    return fill("index.html", name or "Scans", {"scans": scans, "as_of": as_of})

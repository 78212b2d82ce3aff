"""What a person sees of a start, on the screen and in summary.csv: one line for each scan, progress over pixels."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Collection, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from wellseg.many.tasks import Summary
from wellseg.many.worker import Ended
from wellseg.scan.files import Task, is_url

FULL_IN_A_ROW = 3
"""Scans in a row for which --scratch had no room: then it is full, and not that scan too tall."""


class DiskFull(Exception):
    """Nothing can be written any more: the remaining scans would fail one by one."""


class ScreenBoard:
    """Prints, counts and keeps the summary. One line for each scan that was done or failed.

    look_at: ending of the result that a person is pointed to.
    failed: how many scans failed so far.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        done: Collection[Task],
        summary: Summary,
        look_at: str = ".overlay.png",
    ) -> None:
        self.summary, self.look_at, self.failed = summary, look_at, 0
        self._count, self._ended, self._full_in_a_row = len(tasks), len(done), 0
        self._todo = [task for task in tasks if task not in done and not task.problem]
        self._pixels: dict[Task, int] = {}  # as far as known
        self._known_pixels, self._lock = 0, threading.Lock()
        self._shares: dict[Task, float] = {}
        self._done_pixels, self._started_s = 0, time.monotonic()
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
        left = TextColumn("{task.fields[left]}")
        self._progress = Progress(
            *(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), left),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._bar = self._progress.add_task("", total=None, left="")
        if done:
            what = (
                f"{len(done):,} of {len(tasks):,} scans are"
                if len(tasks) > 1
                else f"{next(iter(done)).scan}:"
            )
            self.say(
                f"{what} done already (--overwrite does {'them' if len(done) > 1 else 'it'} again)"
            )

    def __enter__(self) -> ScreenBoard:
        self.summary.write()
        threading.Thread(target=self._measure, daemon=True).start()
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()
        with contextlib.suppress(*[OSError] * (error is not None)):  # which is the one to be told
            self.summary.write()
        if self.failed:
            self.say(f"{self.failed:,} of {self._count:,} scans failed")

    def share(self, task: Task, share: float) -> None:
        self._shares[task] = share
        self._show()

    def say(self, text: str, style: str | None = None) -> None:
        line = " ".join(text.split())  # names may have line breaks, and bytes that are not UTF-8
        self._console.print(line.encode("utf-8", "backslashreplace").decode(), style=style)

    def ended(self, ended: Ended) -> None:
        """Raises DiskFull when it makes no sense to go on."""
        task, row = ended.task, ended.row
        self._shares.pop(task, None)
        self._ended += 1
        number = f"{self._ended}/{self._count} " if self._count > 1 else ""
        if row.status == "failed":
            self.failed += 1
            self.say(f"{number}wellseg.predict: {task.scan}: {row.reason}", style="red")
        else:
            assert row.rows and row.columns and row.seconds is not None
            pixels = row.rows * row.columns
            self._know(task, pixels)
            speed = pixels / 1e6 / max(row.seconds, 0.01)
            self.say(
                f"{number}{task.result('.mask.tif')}: {row.rows} x {row.columns} pixels, {row.seconds:.1f} s "
                f"({speed:.1f} Mpx/s); look at {task.result(self.look_at)}"
            )
        self._done_pixels += self._pixels.get(task, 0)
        self._show()
        self.summary.rows[task] = row
        self._full_in_a_row = self._full_in_a_row + 1 if ended.disk_full else 0
        if ended.disk_full == "results" or self._full_in_a_row == FULL_IN_A_ROW:
            raise DiskFull(
                f"the disk is full: {row.reason}; free some space and start again: what is done stays done, "
                f"{self._count - self._ended + self.failed:,} of {self._count:,} scans are left"
            )
        self.summary.write_if_due()

    def _measure(self) -> None:
        """Sizes of the scans from their headers, while the first ones are at work. Behind URLs that would take
        longer than it is worth: those count as the mean of the known ones."""
        from wellseg.scan.reader import ScanError, open_scan

        for task in self._todo:
            if not is_url(task.scan):
                try:
                    with open_scan(task.scan) as scan:
                        self._know(task, scan.rows * scan.columns)
                except (ScanError, MemoryError):
                    self._know(task, 0)  # it will fail at once

    def _know(self, task: Task, pixels: int) -> None:
        with self._lock:
            self._known_pixels += pixels - self._pixels.get(task, 0)
            self._pixels[task] = pixels

    def _show(self) -> None:
        mean = self._known_pixels / max(1, len(self._pixels))
        total = self._known_pixels + mean * (len(self._todo) - len(self._pixels))
        done = self._done_pixels + sum(
            share * self._pixels.get(task, mean) for task, share in self._shares.items()
        )
        left = ""
        if done:
            speed = done / (time.monotonic() - self._started_s)
            left = f"of {total / 1e6:,.0f} Mpx, {speed / 1e6:.1f} Mpx/s, {_time((total - done) / speed)} left"
        name = f"{self._ended + 1:,}/{self._count:,}"
        self._progress.update(
            self._bar, total=total or None, completed=done, description=name, left=left
        )


def _time(seconds: float) -> str:
    """ "3 d 4 h", "2 h 10 min", "45 s"."""
    for unit, part, name, lesser in (
        (86400, 3600, "d", "h"),
        (3600, 60, "h", "min"),
        (60, 1, "min", "s"),
    ):
        if seconds >= unit:
            return f"{seconds // unit:.0f} {name} {seconds % unit // part:.0f} {lesser}"
    return f"{seconds:.0f} s"

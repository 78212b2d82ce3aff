"""What a person sees of a run on the screen: one line for each scan, and a bar over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from wellseg.many.tasks import Outcome
from wellseg.scan.files import Task

FULL_IN_A_ROW = 3
"""Scans in a row for which --scratch had no room: then it is full, and not that scan too tall."""


class DiskFull(Exception):
    """Nothing can be written any more: the remaining scans would fail one by one."""


class Screen:
    """Prints a line for each scan that ended, and how far the others are, weighed by their bytes.

    look_at: ending of the result that a person is pointed to. counts: scans by what became of them.
    """

    def __init__(self, tasks: Sequence[Task], done: int, look_at: str = ".overlay.png") -> None:
        self.look_at, self.counts = look_at, Counter[str]()
        self._count, self._ended, self._full_in_a_row = done + len(tasks), done, 0
        self._weights = {task: max(1, task.size_bytes) for task in tasks}
        self._all, self._past = max(1, sum(self._weights.values())), 0
        self._shares: dict[Task, float] = {}
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
            speed_estimate_period=600.0,
        )
        self._bar = self._progress.add_task("", total=1.0)

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def say(self, text: str, style: str | None = None) -> None:
        line = " ".join(text.split())  # names may have line breaks, and bytes that are not UTF-8
        self._console.print(line.encode("utf-8", "backslashreplace").decode(), style=style)

    def share(self, task: Task, share: float) -> None:
        """So much of a scan is done, in [0, 1]."""
        self._shares[task] = share
        self._show()

    def ended(self, task: Task, outcome: Outcome) -> None:
        """Raises DiskFull when it makes no sense to go on."""
        self._shares.pop(task, None)
        self._past += self._weights.pop(task, 0)
        self._ended += 1
        self.counts[outcome.status] += 1
        number = f"{self._ended:,}/{self._count:,} " if self._count > 1 else ""
        if outcome.status == "done":
            self.say(f"{number}{self._line(task, outcome)}")
        else:
            style = "red" if outcome.status == "failed" else None
            self.say(f"{number}wellseg.predict: {task.scan}: {outcome.reason}", style)
        self._show()
        self._full_in_a_row = self._full_in_a_row + 1 if outcome.disk_full else 0
        if outcome.disk_full == "results" or self._full_in_a_row == FULL_IN_A_ROW:
            left = self._count - self._ended + self.counts["failed"]
            raise DiskFull(
                f"the disk is full: {outcome.reason}; free some space and start again: what is "
                f"done stays done, {left:,} of {self._count:,} scans are left"
            )

    def _line(self, task: Task, outcome: Outcome) -> str:
        assert outcome.rows and outcome.columns and outcome.seconds is not None
        speed = outcome.rows * outcome.columns / 1e6 / max(outcome.seconds, 0.01)
        return (
            f"{task.result('.mask.tif')}: {outcome.rows} x {outcome.columns} pixels, "
            f"{outcome.seconds:.1f} s ({speed:.1f} Mpx/s); look at {task.result(self.look_at)}"
            + (f"; {outcome.reason}" if outcome.reason else "")
        )

    def _show(self) -> None:
        shares = self._shares.copy()  # the pool tells of them in a thread
        # What is told of a scan that has ended counts no more: it may come too late.
        under_way = sum(share * self._weights.get(task, 0) for task, share in shares.items())
        text = f"{min(self._ended + 1, self._count):,}/{self._count:,}"
        share = (self._past + under_way) / self._all
        self._progress.update(self._bar, completed=share, description=text)

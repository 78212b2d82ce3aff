"""What a person sees of a run on the screen: one line for each scan, and a bar over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from wellseg.many.tasks import MASK, Outcome
from wellseg.scan.files import Task


class Screen(Progress):
    """Prints a line for each scan that ended, and how far all are, weighed by their bytes.

    done: how many were done before. look_at: ending of the result that a person is pointed to.
    """

    def __init__(self, tasks: Sequence[Task], done: int, look_at: str = ".overlay.png") -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True, highlight=False, soft_wrap=True, markup=False),
            transient=True,
            speed_estimate_period=600.0,
        )
        self.disable = not self.console.is_terminal
        self.counts = Counter[str]()  # scans by what became of them
        self._look_at, self._count, self._done = look_at, done + len(tasks), done
        self._shares: dict[Task, float] = {}
        self._bar = self.add_task("", total=sum(_weight(task) for task in tasks))

    def say(self, text: str, style: str | None = None) -> None:
        line = " ".join(text.split())  # names may have line breaks, and bytes that are not UTF-8
        self.console.print(line.encode("utf-8", "backslashreplace").decode(), style=style)

    def tell(self, task: Task, told: float | str) -> None:
        """A line, or the share of a scan that is done, in [0, 1]; late ones are smaller."""
        if isinstance(told, str):
            self.say(told)
        elif (gain := told - self._shares.get(task, 0.0)) > 0:
            self._shares[task] = told
            number = f"{min(self._done + self.counts.total() + 1, self._count):,}/{self._count:,}"
            self.update(self._bar, advance=gain * _weight(task), description=number)

    def ended(self, task: Task, outcome: Outcome) -> None:
        self.counts[outcome.status] += 1
        self.tell(task, 1.0)
        number = f"{self._done + self.counts.total():,}/{self._count:,} " * (self._count > 1)
        if outcome.status == "done":
            self.say(number + self._line(task, outcome))
        else:
            style = "red" if outcome.status == "failed" else None
            self.say(f"{number}wellseg.predict: {task.scan}: {outcome.reason}", style)

    def _line(self, task: Task, outcome: Outcome) -> str:
        rows, columns, seconds = (outcome.known[key] for key in ("rows", "columns", "seconds"))
        speed = rows * columns / 1e6 / max(seconds, 0.01)
        return (
            f"{task.result(MASK)}: {rows} x {columns} pixels, {seconds:.1f} s ({speed:.1f} Mpx/s); "
            f"look at {task.result(self._look_at)}"
        ) + (f"; {outcome.reason}" if outcome.reason else "")


def _weight(task: Task) -> int:
    return max(1, task.size_bytes)

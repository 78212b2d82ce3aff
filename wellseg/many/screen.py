"""What a person sees of a run on the screen: one line for each scan, and a bar over all of them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress

from wellseg.many.tasks import MASK, Outcome
from wellseg.scan.files import Task


class Screen(Progress):
    """Prints a line for each scan that ended, and how far all are, weighed by their bytes.

    done: how many were done before. look_at: ending of the result that a person is pointed to.
    """

    def __init__(self, tasks: Sequence[Task], done: int, look_at: str = ".overlay.png") -> None:
        console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
        super().__init__(
            console=console,
            transient=True,
            disable=not console.is_terminal,
            speed_estimate_period=600.0,
        )
        self._look_at, self._count, self._ended = look_at, done + len(tasks), done
        self._bar = self.add_task("", total=sum(task.size_bytes for task in tasks) + 1)
        self._past = 0

    def say(self, text: str, style: str | None = None) -> None:
        line = " ".join(text.split())  # names may have line breaks, and bytes that are not UTF-8
        self.console.print(line.encode("utf-8", "backslashreplace").decode(), style=style)

    def share(self, task: Task, share: float) -> None:
        """So much of a scan is done, in [0, 1]."""
        number = f"{min(self._ended + 1, self._count):,}/{self._count:,}"
        done = self._past + share * task.size_bytes
        self.update(self._bar, completed=done, description=number)

    def ended(self, task: Task, outcome: Outcome) -> None:
        self._past += task.size_bytes
        self._ended += 1
        number = f"{self._ended:,}/{self._count:,} " if self._count > 1 else ""
        if outcome.status == "done":
            rows, columns, seconds = (
                outcome.known[name] for name in ("rows", "columns", "seconds")
            )
            speed = f"{seconds:.1f} s ({rows * columns / 1e6 / max(seconds, 0.01):.1f} Mpx/s)"
            line = f"{task.result(MASK)}: {rows} x {columns} pixels, {speed}"
            look = f"; look at {task.result(self._look_at)}"
            self.say(number + line + look + (f"; {outcome.reason}" if outcome.reason else ""))
        else:
            style = "red" if outcome.status == "failed" else None
            self.say(f"{number}wellseg.predict: {task.scan}: {outcome.reason}", style)
        self.share(task, 0.0)

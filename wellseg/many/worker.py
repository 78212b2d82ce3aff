"""What every engine runs: a network that masks one scan after another, in a process of its own."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wellseg.config import PredictConfig
from wellseg.scan.files import Job, Task, local_job, one_line

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Row:
    """A line of summary.csv. None: not known.

    status: ``done`` (whole results stand in the folder, made now or by an earlier start), ``failed``
        (reason says why; the next start tries again), ``waiting`` (not reached yet).
    rows, columns: as stored in the file. ink_share: curve pixels among all, 0 to 1.
    """

    scan: str
    status: str
    rows: int | None = None
    columns: int | None = None
    seconds: float | None = None
    ink_share: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Ended:
    """What became of a task. disk_full: what could not be written, if the disk was the reason."""

    task: Task
    row: Row
    disk_full: Literal["", "results", "scratch"] = ""


@dataclass(frozen=True)
class Work:
    """What is the same for all scans of a start: how they are masked, and what their reports say of it."""

    config: PredictConfig
    options: dict[str, Any]
    threads: int | None = None


class Worker:
    """Raises ValueError and WeightsError when it is made, for what is wrong with all scans."""

    def __init__(self, work: Work) -> None:
        import cv2
        import torch

        from wellseg.device import pick_device
        from wellseg.weights import load_model

        if work.threads:
            torch.set_num_threads(work.threads)
            cv2.setNumThreads(work.threads)
        self.work = work
        self.device = pick_device(work.config.device)
        self.net = load_model(work.config.weights)

    def mask(
        self, task: Task, progress: Callable[[float], None], say: Callable[[str], None]
    ) -> Ended:
        """Mask one scan. Whatever is wrong with it is in the row: the other scans go on."""
        from wellseg.results.one_scan import mask_scan
        from wellseg.scan.reader import ScanError

        job = Job(Path(task.scan), Path(task.stem))
        try:
            with local_job(task, self.work.config.scratch) as job:
                options = {**self.work.options, "scan_version": task.version}
                report = mask_scan(self.net, job, self.work.config, options, progress, say)
        except Exception as error:
            reason = one_line(error).removeprefix(f"{job.scan}: ")
            if not isinstance(
                error, ScanError | OSError | ValueError
            ):  # not foreseen: say what it is
                reason = f"{type(error).__name__}: {reason}"
            return Ended(task, Row(task.name, "failed", reason=reason), _disk_full(error))
        row = done_row(task, report)
        assert row is not None
        return Ended(task, row)


def _disk_full(error: Exception) -> Literal["", "results", "scratch"]:
    from wellseg.rows.store import ScratchFull

    if isinstance(error, ScratchFull):
        return "scratch"
    return "results" if isinstance(error, OSError) and error.errno in DISK_FULL else ""


def done_row(task: Task, report: Any) -> Row | None:
    """The summary's line from a report (NAME.json); None if it is not one."""
    try:
        rows, columns = int(report["rows"]), int(report["columns"])
        return Row(
            task.name, "done", rows, columns, float(report["seconds"]), float(report["curve_share"])
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None

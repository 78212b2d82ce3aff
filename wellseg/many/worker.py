"""What every engine runs: a network that masks one scan after another."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from wellseg.config import PredictConfig
from wellseg.many.tasks import Outcome, Settings, is_done, outcome_of
from wellseg.scan.files import Job, Task, claim, local_job, one_line

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


class Worker:
    """Raises ValueError and WeightsError when it is made, for what is wrong with all scans."""

    def __init__(self, settings: Settings) -> None:
        import cv2
        import torch

        from wellseg.device import pick_device
        from wellseg.weights import load_model

        self.settings, self.config = settings, settings.config
        if self.config.threads:
            torch.set_num_threads(self.config.threads)
            cv2.setNumThreads(self.config.threads)
        pick_device(self.config.device)  # or every scan would fail for it
        self.net = load_model(self.config.weights)

    def mask(
        self, task: Task, progress: Callable[[float], None], say: Callable[[str], None]
    ) -> Outcome:
        """Mask one scan. Whatever is wrong with it is in the outcome: the other scans go on.

        progress is told the share done, in [0, 1]; say what the user should know.
        """
        from wellseg.scan.reader import ScanError

        scan = Path(task.scan)
        try:
            with claim(task) as mine:
                if not mine:
                    return Outcome(task.name, "elsewhere", reason="another run is masking it")
                if not self.config.overwrite and (done := is_done(task, self.settings)):
                    return replace(done, reason="masked by another run meanwhile")
                with local_job(task, self.config.scratch) as job:
                    scan = job.scan
                    return outcome_of(task, self._mask_pages(job, task.version, progress, say))
        except Exception as error:
            reason = one_line(error).removeprefix(f"{scan}: ")
            if not isinstance(error, ScanError | OSError | ValueError):  # not foreseen: say what
                reason = f"{type(error).__name__}: {reason}"
            if isinstance(error, OSError) and error.errno in READ_ONLY and not self.config.out:
                reason += "; name a folder for the results (--out)"
            return Outcome(task.name, "failed", reason=reason, disk_full=_disk_full(error))

    def _mask_pages(
        self,
        job: Job,
        version: str,
        progress: Callable[[float], None],
        say: Callable[[str], None],
    ) -> dict[str, Any]:
        """The report of the largest page. The others come before it, as NAME.p2..., NAME.p3...:
        where it stands, all results are whole."""
        from wellseg.results.one_scan import mask_scan
        from wellseg.scan.reader import ScanError

        numbers, left_out = further_pages(job.scan)
        options = {**self.settings.options, "scan_version": version}
        masked: list[int] = []

        def mask(job: Job, config: PredictConfig, more: dict[str, Any]) -> dict[str, Any]:
            before = len(masked)
            return mask_scan(
                self.net,
                job,
                config,
                {**options, **more},
                lambda share: progress((before + share) / (len(numbers) + 1)),
                say,
            )

        failed = []
        for number in numbers:
            page = replace(job, page=number - 1, stem=job.result(f".p{number}"))
            try:
                mask(page, replace(self.config, depth=[], tracks=[], rows=None), {})
                masked.append(number)
            except ScanError as error:  # damaged; the other pages may be whole
                failed.append(f"page {number}: {one_line(error).removeprefix(f'{job.scan}: ')}")
        pages = {"further_pages": masked, "failed_pages": failed, "left_out_pages": left_out}
        return mask(job, self.config, pages if numbers or left_out else {})


def further_pages(path: Path) -> tuple[list[int], list[str]]:
    """Numbers, from 1, of the pages beside the largest one that are logs; what is left out."""
    from wellseg.scan.reader import open_scan, pages_of

    with open_scan(path) as scan:
        others = [page for page in range(scan.pages) if page != scan.page]
    logs = pages_of(path) if others else []
    numbers = [page + 1 for page in others if page in logs]
    left_out = [f"page {page + 1} is a reduced copy" for page in others if page not in logs]
    return numbers, left_out


def _disk_full(error: Exception) -> Literal["", "results", "scratch"]:
    from wellseg.rows.store import ScratchFull

    if isinstance(error, ScratchFull):
        return "scratch"
    return "results" if isinstance(error, OSError) and error.errno in DISK_FULL else ""

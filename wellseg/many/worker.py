"""What every engine runs: a network that masks one scan after another."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from wellseg.config import PredictConfig
from wellseg.many.tasks import Outcome, Settings, is_done, outcome_of
from wellseg.results.one_scan import mask_scan
from wellseg.scan.errors import ScanError, one_line
from wellseg.scan.files import Task, claim, local_copy
from wellseg.scan.reader import pages_of

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
        here = task
        try:
            with claim(task) as mine:
                if not mine:
                    return Outcome(task.name, "elsewhere", reason="another run is masking it")
                if not self.config.overwrite and (done := is_done(task, self.settings)):
                    return replace(done, reason="masked by another run meanwhile")
                with local_copy(task, self.config.scratch) as here:
                    return outcome_of(task, self._mask_pages(here, progress, say))
        except Exception as error:
            reason = one_line(error).removeprefix(f"{here.scan}: ")
            if not isinstance(error, ScanError | OSError | ValueError):  # not foreseen: say what
                reason = f"{type(error).__name__}: {reason}"
            if isinstance(error, OSError) and error.errno in READ_ONLY and not self.config.out:
                reason += "; name a folder for the results (--out)"
            return Outcome(task.name, "failed", reason=reason, disk_full=_disk_full(error))

    def _mask_pages(
        self, task: Task, progress: Callable[[float], None], say: Callable[[str], None]
    ) -> dict[str, Any]:
        """The report of the largest page. The others come before it, as NAME.p2..., NAME.p3...:
        where it stands, all results are whole."""
        _, own, copies = pages_of(task.scan)
        others = [page + 1 for page in own]
        left_out = [f"page {page + 1} is a reduced copy" for page in copies]
        masked: list[int] = []
        failed: list[str] = []

        def mask(task: Task, config: PredictConfig) -> dict[str, Any]:
            options = {**self.settings.options, "scan_version": task.version}
            if task.page is None and (others or left_out):
                options |= {"further_pages": masked, "failed_pages": failed}
                options |= {"left_out_pages": left_out}
            done, count = len(masked) + len(failed), len(others) + 1
            return mask_scan(
                self.net, task, config, options, lambda share: progress((done + share) / count), say
            )

        for number in others:
            page = replace(task, page=number - 1, stem=task.result(f".p{number}"))
            try:
                mask(page, replace(self.config, depth=[], step=None, tracks=[], rows=None))
                masked.append(number)
            except ScanError as error:  # damaged; the other pages may be whole
                failed.append(f"page {number}: {one_line(error).removeprefix(f'{task.scan}: ')}")
        return mask(task, self.config)


def _disk_full(error: Exception) -> Literal["", "results", "scratch"]:
    from wellseg.rows.store import ScratchFull

    if isinstance(error, ScratchFull):
        return "scratch"
    return "results" if isinstance(error, OSError) and error.errno in DISK_FULL else ""

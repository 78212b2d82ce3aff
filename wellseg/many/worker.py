"""What every engine runs: a network that masks one scan after another."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from wellseg.many.tasks import Outcome, Settings, is_done, outcome_of
from wellseg.results.one_scan import mask_scan
from wellseg.scan.errors import ScanError, one_line
from wellseg.scan.files import Task, claim, local_copy
from wellseg.scan.reader import pages_of

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)

Tell = Callable[[Task, float | str], None]
"""Takes the share of a scan that is done, in [0, 1], or a line that the user should read."""


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

    def mask(self, task: Task, tell: Tell) -> Outcome:
        """Mask one scan. Whatever is wrong with it is in the outcome: the other scans go on."""
        from wellseg.rows.store import ScratchFull

        here = task
        try:
            with claim(task) as is_mine:
                if not is_mine:
                    return Outcome("elsewhere", "another run is masking it")
                if not self.config.overwrite and (done := is_done(task, self.settings)):
                    return replace(done, reason="masked by another run meanwhile")
                with local_copy(task, self.config.scratch) as here:
                    return outcome_of(self._mask_pages(here, lambda told: tell(task, told)))
        except Exception as error:
            reason = one_line(error).removeprefix(f"{here.scan}: ")
            if not isinstance(error, ScanError | OSError | ValueError):  # not foreseen: say what
                reason = f"{type(error).__name__}: {reason}"
            number = error.errno if isinstance(error, OSError) else None
            if number in READ_ONLY and not self.config.out:
                reason += "; name a folder for the results (--out)"
            is_full = number in DISK_FULL and not isinstance(error, ScratchFull)
            return Outcome("failed", reason, disk_full=is_full)

    def _mask_pages(self, task: Task, tell: Callable[[float | str], None]) -> dict[str, Any]:
        """The report of the largest page. The others come before it, as NAME.p2..., NAME.p3...:
        where it stands, all results are whole."""
        _, others, copies = pages_of(task.scan)
        options = self.settings.options | {"scan_version": task.version}
        masked: list[int] = []
        failed: list[str] = []
        for number in (page + 1 for page in others):
            page = replace(task, page=number - 1, stem=task.result(f".p{number}"))
            config = replace(self.config, depth=[], step=None, tracks=[], rows=None)
            try:
                mask_scan(self.net, page, config, options, lambda share: None, tell)
                masked.append(number)
            except ScanError as error:  # damaged; the other pages may be whole
                failed.append(f"page {number}: {one_line(error).removeprefix(f'{task.scan}: ')}")
        left_out = [f"page {page + 1} is a reduced copy" for page in copies]
        options |= {"further_pages": masked, "failed_pages": failed, "left_out_pages": left_out}
        return mask_scan(self.net, task, self.config, options, tell, tell)

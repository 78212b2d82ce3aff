"""Mask the curves of scanned well logs.

    wellseg predict scan.tif                # NAME.mask.tif, NAME.overlay.png, NAME.json beside it
    wellseg predict scan.tif --view         # and NAME.html, to look at in a browser
    wellseg predict scan.tif --curves       # and NAME.curves.csv, NAME.las: each curve by itself
    wellseg predict scans/ --out masks/     # every scan below the folder, and masks/summary.csv

The same command again does what is not done: scans that are new, have changed, have failed, or
were masked with other weights or options. Several runs, also of several machines, may share one
folder of results. Exit status: 0 all done, 1 some scans failed (each with one line saying why) or
are left (to another run, or the disk was full), 2 wrong usage.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from wellseg.cli import SOME_FAILED, program
from wellseg.config import PredictConfig

if TYPE_CHECKING:
    from wellseg.many.engines import Outcomes
    from wellseg.many.summary import Screen
    from wellseg.many.tasks import Settings
    from wellseg.scan.files import Task

EVERY_S = 30.0  # summary.csv and index.html are written: of 140,000 scans they have tens of MB


def predict(config: PredictConfig) -> int:
    """Mask every scan; returns the exit status. Raises ValueError for wrong usage."""
    from wellseg.many.summary import Screen, write_summary
    from wellseg.many.tasks import Outcome, clear, count_kinds, find_done, list_tasks

    tasks, folder, not_read = list_tasks(config.scans, config.out)
    count = len(tasks)
    for flag in ("depth", "step", "tracks", "rows") if count > 1 else ():
        if getattr(config, flag):
            raise ValueError(f"--{flag} belongs to one scan, and here are {count}: do it alone")
    settings = _settings(config)
    clear(tasks)
    done = {} if config.overwrite else find_done(tasks, settings)
    rest = [task for task in tasks if task not in done]
    look_at = ".html" if config.view else ".overlay.png"
    outcomes = {task: done.get(task, Outcome("waiting")) for task in tasks} | not_read
    with Screen(rest, len(done), look_at) as screen:
        if done:
            which = f"{len(done):,} of {count:,} scans are" if count > 1 else f"{tasks[0].scan}:"
            screen.say(f"{which} done already (--overwrite does them again)")
        if kinds := count_kinds(task.name for task in not_read):
            what = "convert what holds a log to TIFF; summary.csv names each file"
            screen.say(f"{kinds} not read: {what}")
        write_summary(folder, outcomes, look_at)
        written_s = time.monotonic()
        try:
            with closing(_run(rest, settings, screen)) as ended:
                for task, outcome in ended:
                    outcomes[task] = outcome
                    screen.ended(task, outcome)
                    if outcome.disk_full:
                        cure = "free some space and start again: what is done stays done"
                        screen.say(f"the disk is full: {outcome.reason}; {cure}")
                        break
                    if time.monotonic() > written_s + EVERY_S:
                        write_summary(folder, outcomes, look_at)
                        written_s = time.monotonic()
        finally:  # what was not heard of may be done, by another run or as Ctrl-C came
            open_ = [task for task in rest if outcomes[task].status in ("waiting", "elsewhere")]
            outcomes |= find_done(open_, settings)
            write_summary(folder, outcomes, look_at, screen.say)
        statuses = Counter(outcomes[task].status for task in tasks)
        if failed := statuses["failed"]:
            screen.say(f"{failed:,} of {count:,} scans failed")
        if left := statuses["elsewhere"] + statuses["waiting"]:
            whom = " to another run" if statuses["elsewhere"] else ""
            screen.say(f"{left:,} of {count:,} scans are left{whom}")
    return SOME_FAILED if failed or left else 0


def _run(rest: list[Task], settings: Settings, screen: Screen) -> Outcomes:
    """What becomes of the scans that are not done."""
    if rest:
        from wellseg.many.engines import run_here, run_pool, run_ray  # and torch

        local = run_here if len(rest) == 1 and not settings.config.jobs else run_pool
        yield from (run_ray if settings.config.engine == "ray" else local)(rest, settings, screen)


def _settings(config: PredictConfig) -> Settings:
    """What is the same for all scans."""
    from wellseg.many.tasks import Settings
    from wellseg.weights import read_header, weights_path

    weights = weights_path(config.weights)
    if config.window_rows is None:  # 0: the whole scan
        config = replace(config, window_rows=read_header(weights).get("window_rows", 0))
    names = ["threshold", "precision", "window_rows", "invert"]
    names += ["tracks", "step"] if config.curves else []
    names += ["depth", "depth_unit"] if config.curves or config.view else []
    options = {name: getattr(config, name) for name in names}
    options |= {"curve_rows": config.rows} if config.curves else {}
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    return Settings(config, {"weights": weights.stem, "weights_sha256": sha256, **options})


KEPT = "finished scans are kept, those under way left nothing"
main = program(predict, PredictConfig, "predict", __doc__, "scans", stopped=KEPT)

if __name__ == "__main__":
    main()

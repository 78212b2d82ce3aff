"""Mask the curves of scanned well logs.

    wellseg predict scan.tif                # NAME.mask.tif, NAME.overlay.png, NAME.json beside it
    wellseg predict scan.tif --view         # and NAME.html, to look at in a browser
    wellseg predict scan.tif --curves       # and NAME.curves.csv, NAME.las: each curve by itself
    wellseg predict scans/ --out masks/     # every scan below the folder, and masks/summary.csv

The same command again does what is not done: scans that are new, have changed, have failed, or
were masked with other weights or options. Several runs, also of several machines, may share one
folder of results: each scan is masked by one of them. Exit status: 0 all done, 1 some scans failed
(each with one line saying why, the others done), are left to another run, or the disk was full,
2 wrong usage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from wellseg.cli import SOME_FAILED, fail, run
from wellseg.config import PredictConfig

if TYPE_CHECKING:
    from wellseg.many.screen import Screen
    from wellseg.many.summary import Summary
    from wellseg.many.tasks import Outcome, Settings
    from wellseg.scan.files import Task


def predict(config: PredictConfig) -> int:
    """Mask every scan; returns the exit status. Raises ValueError for wrong usage."""
    from wellseg.many.screen import Screen
    from wellseg.many.summary import Summary
    from wellseg.many.tasks import Outcome, clear, count_kinds, find_done, list_tasks

    tasks, folder, not_read = list_tasks(config.scans, config.out)
    count = len(tasks)
    for flag in ("depth", "step", "tracks", "rows"):
        if getattr(config, flag) and count > 1:
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
        if not_read:
            kinds = count_kinds(task.name for task in not_read)
            what = "convert what holds a log to TIFF; summary.csv names each file"
            screen.say(f"{kinds} not read: {what}")
        summary = Summary(folder, outcomes, look_at, screen.say)
        try:
            summary.write(going_on=True)
            try:
                _mask(rest, settings, screen, summary)
            finally:
                summary.write()
        except OSError as error:
            fail("predict", str(error), SOME_FAILED)
        failed, elsewhere = screen.counts["failed"], screen.counts["elsewhere"]
        if failed:
            screen.say(f"{failed:,} of {count:,} scans failed")
        if elsewhere:
            screen.say(f"{elsewhere:,} of {count:,} scans are left to another run")
    return SOME_FAILED if failed or elsewhere else 0


def _mask(rest: list[Task], settings: Settings, screen: Screen, summary: Summary) -> None:
    """Mask what is not done, as the options say, and tell what becomes of each scan."""
    from wellseg.many.engines import run_here, run_pool, run_ray
    from wellseg.many.tasks import find_done

    def tell(task: Task, outcome: Outcome) -> None:
        summary.put(task, outcome)
        screen.ended(task, outcome)

    if not rest:
        return
    alone = len(rest) == 1 and not settings.config.jobs
    engine = run_ray if settings.config.engine == "ray" else run_here if alone else run_pool
    elsewhere: dict[Task, Outcome] = {}
    with closing(engine(rest, settings, screen)) as outcomes:
        for task, outcome in outcomes:
            if outcome.status == "elsewhere":
                elsewhere[task] = outcome
                continue
            tell(task, outcome)
            if outcome.disk_full:
                left = sum(o.status in ("waiting", "failed") for o in summary.outcomes.values())
                cure = "free some space and start again: what is done stays done"
                screen.say(f"the disk is full: {outcome.reason}; {cure}, {left:,} scans are left")
                break
    done = find_done(list(elsewhere), settings)  # by the other run meanwhile
    for task, outcome in elsewhere.items():
        tell(task, done.get(task, outcome))


def _settings(config: PredictConfig) -> Settings:
    """What is the same for all scans."""
    from wellseg.many.tasks import Settings
    from wellseg.weights import read_header, weights_path, window_rows_of

    weights = weights_path(config.weights)
    window_rows = window_rows_of(read_header(weights), config.window_rows)
    options = {
        "weights": weights.stem,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "threshold": config.threshold,
        "precision": config.precision,
        "window_rows": window_rows,
        "invert": config.invert,
    }
    if config.curves:
        options |= {"tracks": config.tracks, "curve_rows": config.rows, "step": config.step}
    if config.curves or config.view:
        options |= {"depth": config.depth, "depth_unit": config.depth_unit}
    return Settings(replace(config, weights=str(weights), window_rows=window_rows), options)


def main(argv: Sequence[str] | None = None) -> None:
    kept = "finished scans are kept, those under way left nothing"
    run(predict, PredictConfig, "predict", __doc__ or "", argv, "scans", stopped=kept)


if __name__ == "__main__":
    main()

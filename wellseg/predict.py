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
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from wellseg.cli import SOME_FAILED, fail, run
from wellseg.config import PredictConfig

if TYPE_CHECKING:
    from wellseg.many.progress import Screen
    from wellseg.many.tasks import Outcomes, Settings
    from wellseg.scan.files import Task


def predict(config: PredictConfig) -> int:
    """Mask every scan; returns the exit status. Raises ValueError for wrong usage."""
    from wellseg.many.progress import DiskFull

    try:
        return _predict(config)
    except (DiskFull, OSError) as error:
        is_told = config.out or isinstance(error, DiskFull)
        hint = "" if is_told else "; name a folder for the results (--out)"
        fail("predict", f"{error}{hint}", SOME_FAILED)


def _predict(config: PredictConfig) -> int:
    from wellseg.many.progress import Screen
    from wellseg.many.summary import Summary
    from wellseg.many.tasks import Outcome, Results, list_tasks

    if config.traces:
        print("wellseg.predict: --traces is called --curves now, and will go", file=sys.stderr)
    tasks, folder, others, kinds = list_tasks(config.scans, config.out)
    for flag in ("depth", "step", "tracks", "rows"):
        if getattr(config, flag) and len(tasks) > 1:
            raise ValueError(
                f"--{flag} belongs to one scan, and here are {len(tasks)}: do that one alone"
            )
    settings = _settings(config)
    results = Results(tasks)
    results.clear()
    done = {} if config.overwrite else results.done(settings)
    rest = [task for task in tasks if task not in done]
    look_at = ".html" if config.view else ".overlay.png"
    screen = Screen(rest, len(done), look_at)
    outcomes = {task: done.get(task, Outcome(task.name, "waiting")) for task in tasks}
    summary = Summary(folder, outcomes | others, look_at, screen.say)
    with screen:
        if done:
            what = (
                f"{len(done):,} of {len(tasks):,} scans are" if tasks[1:] else f"{tasks[0].scan}:"
            )
            again = f"--overwrite does {'them' if len(done) > 1 else 'it'} again"
            screen.say(f"{what} done already ({again})")
        if others:
            screen.say(
                f"{kinds} not read: convert what holds a log to TIFF; summary.csv names each file"
            )
        summary.write(going_on=True)
        try:
            with closing(_run(rest, settings, screen)) as ended:
                for task, outcome in ended:
                    summary.put(task, outcome)
                    screen.ended(task, outcome)
        except BaseException:  # a worker may have finished a scan and could not tell any more
            unheard = [task for task in rest if summary.outcomes[task].status == "waiting"]
            summary.outcomes.update(Results(unheard).done(settings))
            with suppress(OSError):  # the first error is the one to be told
                summary.write()
            raise
        summary.write()
    failed, elsewhere = screen.counts["failed"], screen.counts["elsewhere"]
    if failed:
        screen.say(f"{failed:,} of {len(tasks):,} scans failed")
    if elsewhere:
        screen.say(f"{elsewhere:,} of {len(tasks):,} scans are left to another run")
    return SOME_FAILED if failed or elsewhere else 0


def _run(rest: list[Task], settings: Settings, screen: Screen) -> Outcomes:
    """What becomes of each task that is not done."""
    from wellseg.many.processes import run_here, run_pool
    from wellseg.many.ray_cluster import run_ray
    from wellseg.many.tasks import Outcome, Results

    config = settings.config
    for task in rest:
        if task.problem:
            yield task, Outcome(task.name, "failed", reason=task.problem)
    todo = [task for task in rest if not task.problem]
    if not todo:
        return
    alone = len(todo) == 1 and config.jobs is None
    engine = run_ray if config.engine == "ray" else run_here if alone else run_pool
    with closing(engine(todo, settings, screen)) as outcomes:
        left_to_others = []
        for task, outcome in outcomes:
            if outcome.status == "elsewhere":
                left_to_others.append((task, outcome))
            else:
                yield task, outcome
    done = Results(task for task, _ in left_to_others).done(settings)  # meanwhile
    for task, outcome in left_to_others:
        yield task, done.get(task, outcome)


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

"""Mask the curves of scanned well logs.

    wellseg predict scan.tif                # NAME.mask.tif, NAME.overlay.png, NAME.json beside it
    wellseg predict scan.tif --view         # and NAME.html, to look at in a browser
    wellseg predict scan.tif --curves       # and NAME.curves.csv, NAME.las: each curve by itself
    wellseg predict scans/ --out masks/     # every scan below the folder, and masks/summary.csv

The same command again does what is left: scans that are new, have changed, have failed, or were
masked with other weights or options. Several runs, on several machines, may share one folder."""

import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from wellseg.cli import SOME_FAILED, program
from wellseg.config import PredictConfig
from wellseg.curves.options import OF_ONE_SCAN

EVERY_S = 30.0  # from one summary.csv and index.html to the next: tens of MB for 140,000 scans
LOST = "masked, but then by another run with other weights or options, or its results are gone"
ENDS = {"failed": "failed", "elsewhere": "are left to another run", "waiting": "are left"}


def predict(config: PredictConfig) -> int:
    """Mask every scan; returns the exit status. Raises ValueError for wrong usage."""
    from wellseg.many.summary import Screen, write_summary
    from wellseg.many.tasks import CONVERT, Outcome, find_done, list_tasks, settings_of
    from wellseg.scan.files import is_url, tidy

    tasks, folder, not_read = list_tasks(config.scans, config.out)
    count = len(tasks)
    for flag in OF_ONE_SCAN:
        if count > 1 and config.has(flag) and flag != "bridged":
            raise ValueError(f"--{flag} is for one scan, not for {count}: later use wellseg curves")
    settings = settings_of(config)
    if config.out and not is_url(config.out):
        Path(config.out).mkdir(parents=True, exist_ok=True)
    tidy(tasks)
    done, begun = ({}, 0) if config.overwrite else find_done(tasks, settings)
    rest = [task for task in tasks if task not in done]
    preview = ".html" if config.view else ".overlay.png"
    outcomes = {task: done.get(task, Outcome("waiting")) for task in tasks} | not_read
    with Screen(rest, len(done), preview) as screen:
        if done:
            are = f"{len(done):,} of {count:,} scans are"
            screen.say(f"{are} done already (--overwrite does them again)")
        if begun and count > 1:
            why = "of other weights, options or times, or not whole: masked again, but not copies"
            screen.say(f"{begun:,} of {count:,} scans have results {why}")
        closed = [task for task in not_read if not_read[task].status == "failed"]  # folders
        for task in closed:
            screen.say(f"wellseg.predict: {task.scan}: {not_read[task].reason}")
        if others := [task.name for task in not_read if task not in closed]:
            screen.say(f"{len(others):,} not read, as {others[0]}: {CONVERT}; see summary.csv")
        write_summary(folder, outcomes, preview, running=True)
        written_s = time.monotonic()
        try:
            with closing(_run(rest, settings, screen)) as ended:
                for task, outcome in ended:
                    outcomes[task] = outcome
                    screen.ended(task, outcome)
                    if outcome.disk_full:
                        screen.say(f"the disk is full: {outcome.reason}; make room, start again")
                        break
                    if time.monotonic() > written_s + EVERY_S:
                        write_summary(folder, outcomes, preview, running=True)
                        written_s = time.monotonic()
        finally:  # a scan without an outcome may be done: by another run, or just before Ctrl-C
            unsure = [task for task in rest if outcomes[task].status != "failed"]
            now = find_done(unsure, settings)[0]
            lost = [it for it in unsure if it not in now and outcomes[it].status == "done"]
            outcomes |= now | dict.fromkeys(lost, Outcome("elsewhere", LOST))
            faults = write_summary(folder, outcomes, preview, running=False)
            for fault in faults:
                screen.say(f"{fault}: mend it and start again")
        statuses: list[str] = [outcomes[task].status for task in tasks]
        for status, said in ENDS.items():
            if found := statuses.count(status):
                screen.say(f"{found:,} of {count:,} scans {said}")
    return SOME_FAILED if faults or closed or {*statuses} - {"done"} else 0


def _run(rest: list[Any], settings: Any, screen: Any) -> Generator[Any]:
    """Outcomes of the scans that are not done, from the engine that the options name."""
    if rest:  # else torch is not loaded
        from wellseg.many import engines

        run = engines.run_here if len(rest) == 1 and not settings.config.jobs else engines.run_pool
        if settings.config.engine == "ray":
            run = engines.run_ray
        yield from run(rest, settings, screen)


main = program(predict, PredictConfig, "without --overwrite, the same command goes on")

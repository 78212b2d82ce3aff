"""Mask the curves of scanned well logs.

    wellseg predict scan.tif                # NAME.mask.tif, NAME.overlay.png, NAME.json beside it
    wellseg predict scan.tif --view         # and NAME.html, to look at in a browser
    wellseg predict scans/ --out masks/     # every scan below the folder, and masks/summary.csv

A folder's second start does what is not done: scans that are new, have changed, have failed, or were masked
with other weights or options. Exit status: 0 all done, 1 some scans failed (each with one line saying why,
the others done) or the disk was full, 2 wrong usage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.config import PredictConfig


def predict(config: PredictConfig) -> int:
    """Mask every scan; returns the exit status. Raises DiskFull, and ValueError and WeightsError for wrong usage."""
    from wellseg.many.processes import run_here, run_pool
    from wellseg.many.progress import ScreenBoard
    from wellseg.many.tasks import Summary, finished, list_tasks
    from wellseg.many.worker import Ended, Row, Work
    from wellseg.weights import read_header, weights_path, window_rows_of

    tasks, folder = list_tasks(config.scans, config.out)
    for flag, given in (
        ("--depth", config.depth),
        ("--tracks", config.tracks),
        ("--rows", config.rows),
    ):
        if given and len(tasks) > 1:
            raise ValueError(
                f"{flag} belongs to one scan, and here are {len(tasks)}: do that one alone"
            )
    weights = weights_path(config.weights)
    config = replace(config, window_rows=window_rows_of(read_header(weights), config.window_rows))
    options = {
        "weights": weights.stem,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "threshold": config.threshold,
        "precision": config.precision,
        "window_rows": config.window_rows,
        "invert": config.invert,
    }
    if config.traces:
        options |= {"tracks": config.tracks, "traced_rows": config.rows}
    if config.traces or config.view:
        options |= {"depth": config.depth, "depth_unit": config.depth_unit}
    done = {} if config.overwrite else finished(tasks, config, options)
    summary = Summary(folder, {task: done.get(task, Row(task.name, "waiting")) for task in tasks})
    todo = [task for task in tasks if task not in done and not task.problem]
    work = Work(config, options, config.threads)
    with ScreenBoard(tasks, done, summary, ".html" if config.view else ".overlay.png") as board:
        for task in tasks:
            if task.problem:
                board.ended(Ended(task, Row(task.name, "failed", reason=task.problem)))
        try:
            if config.engine == "ray" and todo:
                from wellseg.many.ray_cluster import run_ray

                run_ray(todo, work, board)
            elif len(todo) == 1 and config.jobs is None:
                run_here(todo, work, board)
            elif todo:
                run_pool(todo, work, board)
        except BaseException:  # a worker may have finished a scan and could not tell any more
            unheard = [task for task in todo if summary.rows[task].status == "waiting"]
            summary.rows.update(finished(unheard, config, options))
            raise
    if config.view and folder:
        from wellseg.many.index import write_index

        write_index(folder, summary.as_read())
    return SOME_FAILED if board.failed else 0


def main(argv: Sequence[str] | None = None) -> None:
    config, _ = parse(PredictConfig, "predict", __doc__ or "", argv, positional="scans")

    from wellseg.many.progress import DiskFull
    from wellseg.weights import WeightsError

    try:
        status = predict(config)
    except (ValueError, WeightsError) as error:
        fail("predict", str(error), WRONG_USAGE)
    except (DiskFull, OSError) as error:
        fail("predict", str(error), SOME_FAILED)
    except KeyboardInterrupt:
        fail(
            "predict", "stopped; finished scans are kept, those under way left nothing", INTERRUPTED
        )
    raise SystemExit(status)


if __name__ == "__main__":
    main()

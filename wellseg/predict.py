"""Mask the curves of scanned well logs.

    python -m wellseg.predict scan.tif                 # NAME.mask.tif, NAME.overlay.png, NAME.json beside it
    python -m wellseg.predict folder/ --out masks/     # every scan below the folder

Exit status: 0 all done, 1 some scans failed (each with one line saying why, the others done),
2 wrong usage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.config import PredictConfig
from wellseg.masking import Job, done_already, mask_scan

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def list_jobs(scans: Sequence[str], out: Path | None) -> list[Job]:
    """Every scan that was named or lies below a folder that was. Raises ValueError, naming the path."""
    from wellseg.scan import is_scan_file

    jobs: list[Job] = []
    for given in map(Path, scans):
        if given.is_dir():
            found = sorted(path for path in given.rglob("*") if is_scan_file(path) and not _is_result(path))
            if not found:
                raise ValueError(f"{given}: no scan (TIFF, PNG or JPEG) in this folder")
            jobs += [Job(path, (out / path.relative_to(given) if out else path).with_suffix("")) for path in found]
        elif given.exists():
            jobs.append(Job(given, (out / given.name if out else given).with_suffix("")))
        else:
            raise ValueError(f"{given}: no such file or folder")
    stems: dict[Path, Path] = {}
    for job in jobs:
        other = stems.setdefault(job.stem, job.scan)
        if other != job.scan:
            raise ValueError(f"{other} and {job.scan} would both write {job.result('.mask.tif')}; do one of them apart")
    return jobs


def _is_result(path: Path) -> bool:
    return path.name.endswith((".mask.tif", ".probability.tif", ".overlay.png")) or path.parent.suffix == ".view"


def predict(config: PredictConfig) -> int:
    """Mask every scan; returns the exit status."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from wellseg.device import pick_device
    from wellseg.scan import ScanError
    from wellseg.weights import load_model, weights_path

    jobs = list_jobs(config.scans, config.out)
    pick_device(config.device)
    weights = weights_path(config.weights)
    net = load_model(weights)
    options = {
        "weights": weights.stem,
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "threshold": config.threshold,
        "precision": config.precision,
        "window_rows": config.window_rows,
    }
    failed = 0
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        for number, job in enumerate(jobs, 1):
            if not config.overwrite and done_already(job, options, config):
                console.print(f"{job.scan}: done already (--overwrite does it again)")
                continue
            task = bar.add_task(f"{number}/{len(jobs)} {job.scan.name}", total=1.0)
            try:
                report = mask_scan(net, job, config, options, partial(_show, bar, task), console.print)
            except (ScanError, OSError) as error:
                failed += 1
                console.print(f"wellseg.predict: {' '.join(str(error).split())}", style="red")
            else:
                megapixels = report["rows"] * report["columns"] / 1e6
                console.print(
                    f"{job.result('.mask.tif')}: {report['rows']} x {report['columns']} pixels, "
                    f"{report['seconds']:.1f} s ({megapixels / report['seconds']:.1f} Mpx/s); "
                    f"look at {job.result('.html' if config.view else '.overlay.png')}"
                )
            bar.remove_task(task)
    if failed:
        console.print(f"{failed} of {len(jobs)} scans failed")
    return SOME_FAILED if failed else 0


def _show(bar: Progress, task: TaskID, share: float) -> None:
    bar.update(task, completed=share)


def main(argv: Sequence[str] | None = None) -> None:
    from wellseg.weights import WeightsError

    config, _ = parse(PredictConfig, "predict", __doc__ or "", argv, positional="scans")
    try:
        status = predict(config)
    except (ValueError, WeightsError) as error:
        fail("predict", str(error), WRONG_USAGE)
    except KeyboardInterrupt:
        fail("predict", "stopped; finished scans are kept, the one under way left nothing", INTERRUPTED)
    raise SystemExit(status)


if __name__ == "__main__":
    main()

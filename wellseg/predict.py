"""Mask the curves of scanned well logs.

    python -m wellseg.predict scan.tif                 # NAME.mask.tif, NAME.overlay.png, NAME.json beside it
    python -m wellseg.predict folder/ --out masks/     # every scan below the folder

Exit status: 0 all done, 1 some scans failed (each with one line saying why, the others done),
2 wrong usage.
"""

from __future__ import annotations

import hashlib
import json
import math
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.config import PredictConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.progress import Progress, TaskID
    from torch import nn

    from wellseg.scan import Resolution


@dataclass(frozen=True)
class Job:
    """One scan and the paths of its results, up to their endings."""

    scan: Path
    stem: Path

    def result(self, ending: str) -> Path:
        return self.stem.parent / (self.stem.name + ending)


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
    return path.name.endswith((".mask.tif", ".probability.tif", ".overlay.png"))


def mask_scan(
    net: nn.Module,
    job: Job,
    config: PredictConfig,
    options: dict[str, Any],
    progress: Callable[[float], None],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Mask one scan and return the report that NAME.json holds.

    The report is written last: where it stands, the other results are whole. ``progress`` is told the
    share done, ``say`` what the user should know beforehand.
    """
    import numpy as np

    from wellseg.atomic import atomic_file
    from wellseg.inference import Inference
    from wellseg.overlay import FoldedPage, encode_png
    from wellseg.scan import open_scan

    started = time.monotonic()
    least_logit = math.log(config.threshold / (1 - config.threshold))
    curve_pixels = 0
    job.stem.parent.mkdir(parents=True, exist_ok=True)
    with open_scan(job.scan) as scan, ExitStack() as writers:
        page = FoldedPage(scan.rows, scan.columns)
        shape = (scan.rows, scan.columns, scan.resolution)
        masks = writers.enter_context(_Writer(job.result(".mask.tif"), *shape))
        if config.probability:
            probabilities = writers.enter_context(_Writer(job.result(".probability.tif"), *shape))
        inference = Inference(
            net,
            scan,
            precision=config.precision,
            device=config.device,
            memory=config.memory,
            scratch=config.scratch,
        )
        spill_bytes = inference.plan().spill_bytes
        if spill_bytes:
            folder = config.scratch or tempfile.gettempdir()
            say(f"{job.scan}: {spill_bytes / 1e9:.1f} GB go to temporary files in {folder} meanwhile")
        for band in inference.bands(progress):
            mask = np.where(band.logits > least_logit, np.uint8(255), np.uint8(0))
            curve_pixels += int(np.count_nonzero(mask))
            masks.put(mask)
            page.add(band.gray, mask)
            if config.probability:
                probabilities.put(np.rint(255 / (1 + np.exp(-band.logits))).astype(np.uint8))
    with atomic_file(job.result(".overlay.png")) as file:
        file.write(encode_png(page.picture()))
    report = {
        "scan": job.scan.name,
        "rows": scan.rows,
        "columns": scan.columns,
        "dpi": scan.dpi,
        "curve_share": curve_pixels / (scan.rows * scan.columns),
        **options,
        "seconds": round(time.monotonic() - started, 2),
        "peak_memory_bytes": _peak_memory_bytes(),
        "overlay_reduction": page.reduction,
    }
    with atomic_file(job.result(".json")) as file:
        file.write(json.dumps(report, indent=1).encode())
    return report


class _Writer(threading.Thread):
    """Compresses and writes one mask while the next rows are computed.

    Leaving the block with an exception, or a failure of its own, leaves no file.
    """

    def __init__(self, path: Path, rows: int, columns: int, resolution: Resolution | None) -> None:
        super().__init__(daemon=True)
        self.path, self.rows, self.columns, self.resolution = path, rows, columns, resolution
        self._bands: queue.Queue[NDArray[np.uint8] | None] = queue.Queue(maxsize=2)
        self._error: Exception | None = None
        self._ended = False  # the last band was taken

    def put(self, band: NDArray[np.uint8]) -> None:
        """The next rows, uint8 (rows, columns). Raises what went wrong with those before."""
        if self._error:
            raise self._error
        self._bands.put(band)

    def run(self) -> None:
        from wellseg.scan import write_mask

        try:
            write_mask(self.path, self._received(), self.rows, self.columns, resolution=self.resolution)
        except Exception as error:
            self._error = error
            while not self._ended:  # whoever puts must not wait for ever
                self._ended = self._bands.get() is None

    def _received(self) -> Iterator[NDArray[np.uint8]]:
        while (band := self._bands.get()) is not None:
            yield band
        self._ended = True

    def __enter__(self) -> _Writer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Ended early, write_mask misses rows and discards the file.
        self._bands.put(None)
        self.join()
        if kind is None and self._error:
            raise self._error


def _peak_memory_bytes() -> int:
    """Largest resident memory of this process so far (VmHWM on Linux)."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _done_already(job: Job, options: dict[str, Any]) -> bool:
    """Whole results of the same weights and options are there."""
    try:
        report = json.loads(job.result(".json").read_bytes())
    except (OSError, ValueError):
        return False
    return job.result(".mask.tif").exists() and all(report.get(key) == value for key, value in options.items())


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
    }
    failed = 0
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        for number, job in enumerate(jobs, 1):
            if not config.overwrite and _done_already(job, options):
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
                    f"look at {job.result('.overlay.png')}"
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

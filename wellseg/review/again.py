"""Curves followed again in NAME.probability.tif, without the network."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from wellseg.curves.files import CurveWriter
from wellseg.curves.options import CurveOptions
from wellseg.scan.reader import open_scan

BAND_PIXELS = 8_000_000


def follow_again(
    given: Path,
    stem: Path,
    report: Mapping[str, Any],
    options: CurveOptions,
    named: Path | None,
    threshold: float,
) -> tuple[CurveWriter, Callable[[], None]]:
    """The curves in a probability, and what writes their files. named: the scan; None: the one that
    predict read. Raises ValueError: it is not there, or is another one."""
    beside = given.parent / str(report.get("scan", ""))  # both may have been moved or copied
    places = filter(Path.is_file, (beside, Path(report.get("scan_path") or "")))
    was = str(report.get("scan_version")).partition(" bytes")[0]
    scan = named or max(places, key=lambda it: str(it.stat().st_size) == was, default=beside)
    limit = 255 * threshold
    with ExitStack() as opening:
        probabilities = seen = opening.enter_context(open_scan(given))
        rows, columns = probabilities.rows, probabilities.columns
        if named or scan.is_file():
            page, invert = report.get("page"), bool(report.get("invert"))
            seen = opening.enter_context(open_scan(scan, page, colour=True, invert=invert))
            if (seen.rows, seen.columns) != (rows, columns) or seen.orientation != 1:
                size = f"{rows:,} x {columns:,} pixels, as {given.name} is"
                do = "turn it, or name the scan with --scan"
                raise ValueError(f"{scan.name} is stored turned or not {size}: {do}")
            if not named and was.isdigit() and int(was) != scan.stat().st_size:
                raise ValueError(f"{scan} has changed since it was masked: wellseg predict first")
        elif report.get("scan") and not options.tracks:
            raise ValueError(f"{scan}: the scan is not there: name it (--scan), or its --tracks")
        else:
            print(f"{given.name}: without the scan (--scan) no colours, tracks by --tracks alone")
        title = str(report.get("scan", (named or stem).name))
        writer = opening.enter_context(CurveWriter(stem, title, (rows, columns), seen.dpi, options))
        step = max(256, BAND_PIXELS // columns)
        for row in range(0, rows, step):
            stop = min(rows, row + step)
            probability = probabilities.read(row, stop)
            mask = np.where(probability > limit, np.uint8(255), np.uint8(0))
            picture = 255 - probability if seen is probabilities else seen.read(row, stop)
            writer.put(picture, mask, probability)
        opened = opening.pop_all()
    if threshold != (report.get("threshold") or threshold):
        writer.notes.append(f"the mask stays that of --threshold {report['threshold']}")
    return writer, opened.close

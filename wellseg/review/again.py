"""Curves followed again in NAME.probability.tif, without the network."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from wellseg.curves.files import CurveWriter
from wellseg.curves.options import CurveOptions
from wellseg.scan.reader import Scan, open_scan

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
    limit = 255 * threshold
    with ExitStack() as opening:
        probabilities = seen = opening.enter_context(open_scan(given))
        rows, columns = size = probabilities.rows, probabilities.columns
        if scan := find_scan(given, report, named):
            seen = enter_scan(opening, scan, report, scan == named, size)
        elif report.get("scan") and not options.tracks:
            scan = given.parent / str(report["scan"])
            raise ValueError(f"{scan}: the scan is not there: name it (--scan), or its --tracks")
        else:
            print(f"{given.name}: without the scan (--scan) no colours, tracks by --tracks alone")
        title = str(report.get("scan", (named or stem).name))
        writer = opening.enter_context(CurveWriter(stem, title, size, seen.dpi, options))
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


def find_scan(given: Path, report: Mapping[str, Any], named: Path | None) -> Path | None:
    """The scan that ``given`` was made of: the named one, or the one that predict read, beside
    ``given`` or where it was then, for both may have been moved or copied; None: it is gone."""
    places = [given.parent / str(report.get("scan", "")), Path(report.get("scan_path") or "")]
    was = str(report.get("scan_version")).partition(" bytes")[0]
    there = filter(Path.is_file, places)
    return named or max(there, key=lambda it: str(it.stat().st_size) == was, default=None)


def enter_scan(
    opening: ExitStack, scan: Path, report: Mapping[str, Any], is_named: bool, size: tuple[int, int]
) -> Scan:
    """The scan, open, in its colours, as it was masked. Raises ValueError: it is another one."""
    page, invert = report.get("page"), bool(report.get("invert"))
    seen = opening.enter_context(open_scan(scan, page, colour=True, invert=invert))
    if (seen.rows, seen.columns) != size or seen.orientation != 1:
        has = f"{size[0]:,} x {size[1]:,} pixels, as its results are"
        do = "turn it, or name the scan with --scan"
        raise ValueError(f"{scan.name} is stored turned or not {has}: {do}")
    was = str(report.get("scan_version")).partition(" bytes")[0]
    if not is_named and was.isdigit() and int(was) != scan.stat().st_size:
        raise ValueError(f"{scan} has changed since it was masked: wellseg predict first")
    return seen

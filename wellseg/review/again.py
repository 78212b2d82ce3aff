"""Curves followed again in NAME.probability.tif, without the network."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from wellseg.curves.files import CurveWriter
from wellseg.review.options import CurvesConfig
from wellseg.scan.files import Size
from wellseg.scan.reader import Scan, open_scan

BAND_PIXELS = 8_000_000


def follow_again(
    given: Path, stem: Path, config: CurvesConfig
) -> tuple[CurveWriter, Callable[[], None]]:
    """The curves in a probability, and what writes their files. Raises ValueError: the scan is not
    there, or is another one."""
    report, threshold = config.report, config.threshold or 0.5
    with ExitStack() as opening:
        probabilities = seen = opening.enter_context(open_scan(given))
        rows, columns = size = probabilities.rows, probabilities.columns
        try:
            seen = enter_scan(opening, given, config, size)
        except FileNotFoundError as gone:
            if report.get("scan") and not config.tracks:
                raise ValueError(f"{gone}, or its --tracks") from None
            print(f"{given.name}: without the scan (--scan) no colours, tracks by --tracks alone")
        title = str(report.get("scan", (config.scan or stem).name))
        writer = CurveWriter(stem, title, size, seen.likely_dpi, config)
        step = max(256, BAND_PIXELS // columns)
        for row in range(0, rows, step):
            stop = min(rows, row + step)
            probability = probabilities.read(row, stop)
            mask = np.where(probability > 255 * threshold, np.uint8(255), np.uint8(0))
            picture = 255 - probability if seen is probabilities else seen.read(row, stop)
            writer.put(picture, mask, probability)
    if threshold != (report.get("threshold") or threshold):
        writer.notes.append(f"the mask stays that of --threshold {report['threshold']}")
    return writer, writer.finish


def enter_scan(opening: ExitStack, given: Path, config: CurvesConfig, size: Size) -> Scan:
    """The scan that ``given`` was made of, open, in its colours, as it was masked: the named one,
    or the one that predict read, beside ``given`` or where it was then, for both may have been
    moved or copied. Raises FileNotFoundError: it is gone; ValueError: it is another one."""
    report, named = config.report, config.scan
    places = [given.parent / str(report.get("scan", "")), Path(report.get("scan_path") or "")]
    was = str(report.get("scan_version")).partition(" bytes")[0]
    there = filter(Path.is_file, places)
    path = named or max(there, key=lambda it: str(it.stat().st_size) == was, default=None)
    if not path:
        raise FileNotFoundError(f"{places[0]}: the scan is not there: name it (--scan)")
    page, invert = report.get("page"), bool(report.get("invert"))
    seen = opening.enter_context(open_scan(path, page, colour=True, invert=invert))
    if (seen.rows, seen.columns) != size or seen.orientation != 1:
        has = f"{size[0]:,} x {size[1]:,} pixels, as its results are"
        do = "turn it, or name the scan with --scan"
        raise ValueError(f"{path.name} is stored turned or not {has}: {do}")
    if not named and was.isdigit() and int(was) != path.stat().st_size:
        raise ValueError(f"{path} has changed since it was masked: wellseg predict first")
    return seen

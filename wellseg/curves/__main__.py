"""Make the curve files again, without the network: other depths, tracks, rows or threshold.

    wellseg predict scan.tif --curves                        # once: minutes
    wellseg curves scan.probability.tif --depth 1200=4350 9800=4900 --step 0.5      # seconds
    wellseg curves scan.probability.tif --tracks 230-740 880-1890 --threshold 0.4

Writes NAME.curves.csv and NAME.las anew. Exit status: 0 done, 2 not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from wellseg.cli import run
from wellseg.config import CurvesConfig
from wellseg.scan.errors import ScanError

ENDING = ".probability.tif"
BAND_PIXELS = 8_000_000


def curves(config: CurvesConfig) -> None:
    """Write the files. Raises ScanError, OSError, and ValueError for wrong usage."""
    import numpy as np  # not above: --help is quick

    from wellseg.curves.files import CurveWriter
    from wellseg.scan.pictures import is_sideways
    from wellseg.scan.reader import open_scan

    given = Path(config.probability)
    if not given.name.endswith(ENDING):
        raise ValueError(f"{given.name} is not NAME{ENDING}, which wellseg predict --curves leaves")
    name = given.name.removesuffix(ENDING)
    report = _report(given.with_name(f"{name}.json"))
    scan = config.scan or Path(report.get("scan_path", ""))
    if config.scan and not config.scan.is_file():
        raise ValueError(f"--scan {config.scan}: no such file")
    threshold = config.threshold or float(report.get("threshold", 0.5))
    out = config.out or given.parent
    out.mkdir(parents=True, exist_ok=True)
    notes = []
    with ExitStack() as files:
        probabilities = files.enter_context(open_scan(given))
        rows, columns = probabilities.rows, probabilities.columns
        gray = colours = None
        if scan.is_file():
            page, invert = report.get("page"), bool(report.get("invert"))
            gray = files.enter_context(open_scan(scan, page, invert=invert))
            if (gray.rows, gray.columns) != (rows, columns):
                raise ValueError(
                    f"{scan.name} has {gray.rows:,} x {gray.columns:,} pixels and {given.name} "
                    f"{rows:,} x {columns:,}: name the scan with --scan"
                )
            if is_sideways(gray.orientation):
                raise ValueError(
                    f"{scan.name} is stored sideways (orientation {gray.orientation}), and a curve "
                    "is one column for each row of depth: turn the file"
                )
            if gray.kind == "colour":
                in_colour = open_scan(scan, gray.page, colour=True, invert=invert)
                colours = files.enter_context(in_colour)
        else:
            notes.append("the scan is not there (--scan): no colours, and tracks only by --tracks")
        writer = CurveWriter(
            out / name,
            str(report.get("scan", scan.name or name)),
            rows,
            columns,
            dpi=(gray or probabilities).dpi,
            options=config.curve_options(),
            scratch=config.scratch,
        )
        files.enter_context(writer)
        step = max(256, BAND_PIXELS // columns)
        for row in range(0, rows, step):
            stop = min(rows, row + step)
            probability = probabilities.read(row, stop)
            mask = np.where(probability > 255 * threshold, np.uint8(255), np.uint8(0))
            paper = gray.read(row, stop) if gray else 255 - probability
            seen = colours.read(row, stop) if colours else None
            writer.put(paper, mask, probability, seen)
    for note in [*notes, *writer.notes]:
        print(f"{given.name}: {note}")


def _curves(config: CurvesConfig) -> None:
    try:
        curves(config)
    except ScanError as error:
        raise ValueError(str(error)) from error


def _report(path: Path) -> dict[str, Any]:
    """What NAME.json says; nothing where there is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def main(argv: Sequence[str] | None = None) -> None:
    run(_curves, CurvesConfig, "curves", __doc__ or "", argv, positional="probability")


if __name__ == "__main__":
    main()

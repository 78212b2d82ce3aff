"""Make the curve files again, without the network: other depths, tracks, rows or threshold.

    wellseg predict scan.tif --curves                        # once: minutes
    wellseg curves scan.probability.tif --depth 1200=4350 9800=4900 --step 0.5      # seconds
    wellseg curves scan.probability.tif --tracks 230-740 880-1890 --threshold 0.4

Writes NAME.curves.csv and NAME.las anew, and the curves of NAME.html. Options that are not given
are as they were for predict or for this command the last time (NAME.json has them), but for
--threshold; with none, as in --tracks none, an option is as if it had never been given.
"""

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from wellseg.cli import program
from wellseg.curves.options import ENDING, OF_ONE_SCAN, CurvesConfig
from wellseg.scan.files import REPORT, is_foreign

BAND_PIXELS = 8_000_000


def curves(config: CurvesConfig) -> None:
    """Write the files. Raises OSError, and ValueError for wrong usage."""
    import numpy as np  # not above: --help is quick

    from wellseg.curves import las_of
    from wellseg.curves.files import CurveWriter
    from wellseg.results.view import renew_view
    from wellseg.scan.atomic import write_file
    from wellseg.scan.reader import open_scan

    given = Path(config.probability)
    if not given.name.endswith(ENDING):
        raise ValueError(f"{given} is not NAME{ENDING}, which wellseg predict --curves writes")
    name = given.name.removesuffix(ENDING)
    report = config.report
    scan = config.scan or Path(report.get("scan_path") or "")
    if not scan.is_file() and not config.scan:  # both were moved
        scan = given.parent / str(report.get("scan", ""))
    limit = 255 * (config.threshold or 0.5)
    out = config.out or given.parent
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        probabilities = seen = files.enter_context(open_scan(given))
        rows, columns = probabilities.rows, probabilities.columns
        if config.scan or scan.is_file():
            page, invert = report.get("page"), bool(report.get("invert"))
            seen = files.enter_context(open_scan(scan, page, colour=True, invert=invert))
            if (seen.rows, seen.columns) != (rows, columns) or seen.orientation != 1:
                raise ValueError(
                    f"{scan.name} is stored turned or not {rows:,} x {columns:,} pixels, as "
                    f"{given.name} is: turn it, or name the scan with --scan"
                )
        else:
            print(f"{given.name}: without the scan (--scan) no colours, tracks by --tracks alone")
        title = str(report.get("scan", scan.name or name))
        writer = CurveWriter(out / name, title, (rows, columns), seen.dpi, config)
        files.enter_context(writer)
        step = max(256, BAND_PIXELS // columns)
        for row in range(0, rows, step):
            stop = min(rows, row + step)
            probability = probabilities.read(row, stop)
            mask = np.where(probability > limit, np.uint8(255), np.uint8(0))
            picture = 255 - probability if seen is probabilities else seen.read(row, stop)
            writer.put(picture, mask, probability)
    if limit != 255 * (report.get("threshold") or config.threshold or 0.5):
        writer.notes.append(f"the mask stays that of --threshold {report['threshold']}")
    for note in writer.notes:
        print(f"{given.name}: {note}")
    if (page := out / f"{name}.html").exists() and not is_foreign(page):
        depth = [asdict(log) for log in config.logs]
        unit = config.unit if depth else ""
        renew_view(page, followed=writer.shown, depth=depth, depth_unit=unit)
    if report and out.samefile(given.parent):
        left = {key: it for key, it in report.items() if key not in OF_ONE_SCAN.values()}
        told = json.dumps(left | writer.quality() | config.for_report(), indent=1)
        write_file(given.with_name(name + REPORT), told.encode())
    count = len(writer.shown)
    written = " and ".join(str(path) for path in las_of(out / name) if path.exists())
    print(f"{out / name}.curves.csv and {written}: {count:,} curve{'s' * (count != 1)}")


main = program(curves, CurvesConfig, "curves", __doc__, "probability")

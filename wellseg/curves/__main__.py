"""Make the curve files again, without the network: other depths, tracks, rows or threshold.

    wellseg predict scan.tif --curves                        # once: minutes
    wellseg curves scan.probability.tif --depth 1200=4350 9800=4900 --step 0.5      # seconds
    wellseg curves scan.probability.tif --tracks 230-740 880-1890 --threshold 0.4
    wellseg curves scan.curves.csv            # of curves that you corrected in this file: scan.las
    wellseg curves scan.curves.csv --edit T1_C1_SOLID=GR T2_C3_DOTTED=        # renamed, and removed

Writes NAME.curves.csv (one that you corrected stays as it is) and NAME.las anew, and the curves of
NAME.html. Options that are not given are as they were for predict or for this command the last time
(NAME.json has them); with none, as in --tracks none, an option is as if it had never been given."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from shutil import copy2
from typing import TYPE_CHECKING

from wellseg.cli import program
from wellseg.curves.options import ENDING, OF_ONE_SCAN, TABLE, CurvesConfig
from wellseg.scan import files
from wellseg.scan.atomic import MASK, write_file
from wellseg.scan.files import REPORT, Task, claim, is_foreign, read_report

if TYPE_CHECKING:
    from wellseg.curves.files import CurveFiles

BAND_PIXELS = 8_000_000


def curves(config: CurvesConfig) -> None:
    """Write the files. Raises OSError, and ValueError for wrong usage."""
    given = Path(config.file)
    if not given.name.endswith((ENDING, TABLE)):
        made = "which wellseg predict --curves writes"
        raise ValueError(f"{given} is not NAME{ENDING} or NAME{TABLE}, {made}")
    if not given.is_file():
        raise ValueError(f"{given}: no such file")
    report = given.with_name(config.name + REPORT)
    if report.exists() and not config.report:
        raise ValueError(f"{report} is damaged: wellseg predict first, or remove it")
    stem = (config.out or given.parent) / config.name
    other = read_report(f"{stem}{REPORT}").get("scan_path")
    if other and other != config.report.get("scan_path", other):
        raise ValueError(f"{stem}{REPORT} and its results are of {other}: name another --out")
    with claim(Task(stem.name, config.file, str(stem))) as is_mine:
        if not is_mine:
            raise ValueError(f"{stem}{REPORT}: another run is writing these results: wait for it")
        _renew(config, given, stem)


def _renew(config: CurvesConfig, given: Path, stem: Path) -> None:
    """Write the files, and tell the report and the view of them."""
    from wellseg.curves import las_of
    from wellseg.results.view import renew_view  # not above: --help is quick

    report, own = config.report, read_report(f"{stem}{REPORT}")
    table, is_table, known = Path(f"{stem}{TABLE}"), given.name.endswith(TABLE), own.get("sha256")
    was = report.get("sha256", {}).get(TABLE)
    corrected = is_table and files.digests(given.with_name(config.name), given) != {TABLE: was}
    if known is not None or not (own or is_table):  # else an older wellseg wrote them
        mine = {it for it in (table, *las_of(stem)) if it.is_file()} - {given if is_table else None}
        files.refuse_changed(stem, known or {}, *mine)
    told = {key: it for key, it in report.items() if key not in OF_ONE_SCAN.values()}
    told |= {"curve_threshold": config.threshold, **config.for_report()}
    told |= told.pop("unfinished", {})

    def save(sha256: dict[str, str], whole: bool = False) -> None:
        now = told | {"sha256": sha256}
        if not whole and (weights := now.pop("weights_sha256", None)):
            now["unfinished"] = {"weights_sha256": weights}  # predict takes it for not done
        if report:
            write_file(f"{stem}{REPORT}", json.dumps(now, indent=1).encode())

    def begin() -> None:  # before the files: a kill forgets nothing that was said
        save(known or {})

    if is_table:
        made = _of_table(config, given, stem, begin, corrected)
    else:
        made = _follow(config, given, stem, begin)
    digests = files.digests(stem, *made.paths)
    digests |= {end: it for end, it in (known or {}).items() if end == MASK}
    if is_table and (corrected or config.edit):
        digests[TABLE] = "corrected"  # is no digest: no command but --edit writes it again
    edits = [*report.get("curve_edits", []), *config.edit] if is_table else []
    told |= made.quality() | {"curve_edits": edits}
    save(digests)
    if (page := Path(f"{stem}.html")).exists() and not is_foreign(page):
        logs = [log._asdict() for log in config.logs]
        now = {"followed": made.shown, "edits": len(edits), "depth": logs}
        try:
            renew_view(page, **now, depth_unit=config.unit if logs else "")
        except (OSError, ValueError) as error:
            made.notes.append(f"{page} shows other curves, it cannot be written: {error}")
    save(digests, whole=True)
    for note in made.notes:
        print(f"{given.name}: {note}")
    count = len(made.shown)
    written = " and ".join(str(path) for path in made.paths if path.exists())
    print(f"{written}: {count:,} curve{'s' * (count != 1)}")


def _of_table(
    config: CurvesConfig, given: Path, stem: Path, begin: Callable[[], None], corrected: bool
) -> "CurveFiles":
    """The files of the curves of a CSV. One that was corrected stays as it is, but for --edit."""
    import numpy as np

    from wellseg.curves.files import CurveFiles
    from wellseg.curves.table import found_of, read_table
    from wellseg.curves.tracks import Tracks

    report, place = config.report, given.with_name(config.name + REPORT)
    size = report.get("rows", 0), report.get("columns", 0)
    if not all(type(number) is int and number > 0 for number in size):
        raise ValueError(f"{place}, which has the scan's size, is not there, or was changed")
    if config.after not in (None, len(report.get("curve_edits", []))):
        do = "load its page again, and correct what is left"
        raise ValueError(f"{given}: these corrections were made already, or others since: {do}")
    made = CurveFiles(stem, str(report.get("scan", config.name)), size, config, given)
    stays = corrected and given.parent.samefile(stem.parent)
    if stays and config.new_tracks and not config.edit:
        do = "change track_left and track_right there, or give an --edit, too"
        raise ValueError(f"--tracks: {given} was corrected and stays as it is: {do}")
    table = read_table(given, size, report.get("curve_list", []), config.edits, made.notes)
    found, points_of = [], {}
    for name, (curve, points, track, sides) in table.items():
        if config.new_tracks:
            track, sides = made.track_of(curve, points)
        found.append(found_of(curve, points, track, sides, name))
        points_of[id(curve)] = points
    if not config.new_tracks:
        sides = np.array([one for one in report.get("track_borders", []) if _is_pair(one)])
        made.tracks = Tracks(np.zeros(1), sides[None], np.inf) if len(sides) else None
    begin()
    if stays and config.edit:
        copy2(given, f"{given}.bak")
        made.notes.append(f"{given} as you had it is {given.name}.bak")
    made.write(found, (lambda curve: points_of[id(curve)]) if config.edit or not stays else None)
    return made


def _is_pair(one: object) -> bool:
    return isinstance(one, list) and [type(side) in (int, float) for side in one] == [True, True]


def _follow(
    config: CurvesConfig, given: Path, stem: Path, begin: Callable[[], None]
) -> "CurveFiles":
    """The files of curves that are followed in the probability."""
    import numpy as np

    from wellseg.curves.files import CurveWriter
    from wellseg.scan.reader import open_scan

    report = config.report
    beside = given.parent / str(report.get("scan", ""))  # both may have been moved or copied
    places = filter(Path.is_file, (beside, Path(report.get("scan_path") or "")))
    was = str(report.get("scan_version")).partition(" bytes")[0]
    scan = config.scan or max(places, key=lambda it: str(it.stat().st_size) == was, default=beside)
    limit = 255 * (config.threshold or 0.5)
    with ExitStack() as opened:
        probabilities = seen = opened.enter_context(open_scan(given))
        rows, columns = probabilities.rows, probabilities.columns
        if config.scan or scan.is_file():
            page, invert = report.get("page"), bool(report.get("invert"))
            seen = opened.enter_context(open_scan(scan, page, colour=True, invert=invert))
            if (seen.rows, seen.columns) != (rows, columns) or seen.orientation != 1:
                size = f"{rows:,} x {columns:,} pixels, as {given.name} is"
                do = "turn it, or name the scan with --scan"
                raise ValueError(f"{scan.name} is stored turned or not {size}: {do}")
            if not config.scan and was.isdigit() and int(was) != scan.stat().st_size:
                raise ValueError(f"{scan} has changed since it was masked: wellseg predict first")
        elif report.get("scan") and not config.tracks:
            raise ValueError(f"{scan}: the scan is not there: name it (--scan), or its --tracks")
        else:
            print(f"{given.name}: without the scan (--scan) no colours, tracks by --tracks alone")
        title = str(report.get("scan", (config.scan or stem).name))
        writer = opened.enter_context(CurveWriter(stem, title, (rows, columns), seen.dpi, config))
        step = max(256, BAND_PIXELS // columns)
        for row in range(0, rows, step):
            stop = min(rows, row + step)
            probability = probabilities.read(row, stop)
            mask = np.where(probability > limit, np.uint8(255), np.uint8(0))
            picture = 255 - probability if seen is probabilities else seen.read(row, stop)
            writer.put(picture, mask, probability)
        begin()
    if limit != 255 * (report.get("threshold") or config.threshold or 0.5):
        writer.notes.append(f"the mask stays that of --threshold {report['threshold']}")
    return writer


main = program(curves, CurvesConfig, "curves", __doc__, "file")

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
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from shutil import copy2
from typing import TYPE_CHECKING, Any

from wellseg.cli import program
from wellseg.curves.options import ENDING, OF_ONE_SCAN, TABLE, CurvesConfig
from wellseg.scan import files
from wellseg.scan.atomic import MASK, write_file
from wellseg.scan.files import (
    BY_HAND,
    CORRECTED,
    DIGITS,
    REPORT,
    Task,
    claim,
    is_foreign,
    read_report,
    settled_report,
)

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
    size = config.report.get("rows", 0), config.report.get("columns", 0)
    if given.name.endswith(TABLE) and not all(type(it) is int and it > 0 for it in size):
        raise ValueError(f"{report}, which has the scan's size, is not there, or was changed")
    folder = config.out or given.parent
    here = folder.is_dir() and folder.samefile(given.parent)
    stem = (given.parent if here else folder) / config.name
    other = read_report(f"{stem}{REPORT}").get("scan_path")
    if other and other != config.report.get("scan_path", other):
        raise ValueError(f"{stem}{REPORT} and its results are of {other}: name another --out")
    with claim(Task(stem.name, config.file, str(stem))) as is_mine:
        if not is_mine or settled_report(str(report)) != config.report:
            raise ValueError(f"{stem}{REPORT}: another run is writing these results: wait for it")
        _write_all(config, given, stem)


def _write_all(config: CurvesConfig, given: Path, stem: Path) -> None:
    """Write the curves' files, and tell the report and the view of them."""
    from wellseg.results.view import renew_view  # not above: --help is quick

    is_table, report, before = given.name.endswith(TABLE), config.report, _report_there(given, stem)
    # Of the CSV given: its digest as wellseg wrote it, or "corrected " and that after --edit, or
    # "by hand " and that of a file of the user's: then nothing but --edit writes it again.
    digest = files.digests(given.with_name(config.name), given).get(TABLE, "")
    was = report.get("sha256", {}).get(TABLE, "")
    by_hand = is_table and (digest != was[-DIGITS:] or was.startswith(BY_HAND))
    told = {key: it for key, it in report.items() if key not in OF_ONE_SCAN.values()}
    told |= {"curve_threshold": config.threshold, **config.for_report()}
    edits = [*report.get("curve_edits", []), *config.edit] if is_table else []

    make = partial(_of_table, by_hand=by_hand) if is_table else _follow
    made, write = make(config, report, given, stem)

    def begin(digests: dict[str, str]) -> None:  # the files are whole, and not in their places
        if is_table and TABLE not in digests:
            digests[TABLE] = BY_HAND + digest
        elif is_table and (config.edit or by_hand or was.startswith(CORRECTED)):
            digests[TABLE] = CORRECTED + digests[TABLE]
        digests |= {end: it for end, it in before.get("sha256", {}).items() if end == MASK}
        told.update(made.quality() | {"curve_edits": edits, "sha256": digests})
        weights = {"weights_sha256": report["weights_sha256"]} if "weights_sha256" in report else {}
        # Until the end the report is as before, but predict takes it for not done.
        now = {key: it for key, it in before.items() if key not in weights} | {"unfinished": told}
        if report:
            write_file(f"{stem}{REPORT}", json.dumps(now).encode())

    made.begin = begin
    write()
    if (page := Path(f"{stem}.html")).exists() and not is_foreign(page):
        logs = [log._asdict() for log in config.logs]
        now = {"followed": made.shown, "edits": len(edits), "depth": logs}
        try:
            renew_view(page, **now, depth_unit=config.unit if logs else "")
        except (OSError, ValueError) as error:
            made.notes.append(f"{page} shows other curves, it cannot be written: {error}")
    if report:
        write_file(f"{stem}{REPORT}", json.dumps(told, indent=1).encode())
    for note in made.notes:
        print(f"{given.name}: {note}")
    names = " and ".join(str(path) for path in made.paths if path.exists())
    print(f"{names}: {len(made.shown):,} curve{'s' * (len(made.shown) != 1)}")


def _report_there(given: Path, stem: Path) -> dict[str, Any]:
    """The report in the place of the results; {}: none. Raises ValueError where a file that is to
    be written was corrected, or may have been."""
    from wellseg.curves import las_of

    report = read_report(f"{stem}{REPORT}")
    there = [it for it in (Path(f"{stem}{TABLE}"), *las_of(stem)) if it.is_file() and it != given]
    if there and not report:
        do = f"move it away, or name another folder (--out): no {stem.name}{REPORT} is there"
        raise ValueError(f"{there[0]} may have been corrected: {do}, which would tell")
    if "sha256" in report:  # else an older wellseg wrote them
        written = [report["sha256"], report.get("unfinished", {}).get("sha256", {})]
        if given.name.endswith(TABLE):  # of curves that were corrected before
            written = [{end: it[-DIGITS:] for end, it in one.items()} for one in written]
        files.refuse_changed(stem, there, *written)
    return report


def _of_table(
    config: CurvesConfig, report: dict[str, Any], given: Path, stem: Path, by_hand: bool
) -> tuple["CurveFiles", Callable[[], None]]:
    """The curves of a CSV, and what writes them. by_hand: it was corrected, and stays as it is but
    for --edit, which leaves a copy."""
    import numpy as np

    from wellseg.curves.files import CurveFiles
    from wellseg.curves.table import found_of, read_table
    from wellseg.curves.tracks import Tracks

    if config.after not in (None, len(report.get("curve_edits", []))):
        do = "load its page again, and correct what is left"
        raise ValueError(f"{given}: these corrections were made already, or others since: {do}")
    size = report["rows"], report["columns"]
    made = CurveFiles(stem, str(report.get("scan", config.name)), size, config, given)
    stays = by_hand and stem.parent == given.parent and not config.edit
    if stays and config.new_tracks:
        do = "change track_left and track_right there, or give an --edit, too"
        raise ValueError(f"--tracks: {given} was corrected and stays as it is: {do}")
    table = read_table(given, size, report.get("curve_list", []), config.edits, made.notes)
    found, points_of = [], {}
    for name, (curve, points, track, sides) in table.items():
        if config.new_tracks:
            track, sides = made.track_of(curve, points)
        found.append(found_of(curve, points, track, sides, name))
        points_of[curve] = points
    if not config.new_tracks:
        with suppress(ValueError, TypeError):  # the report was edited by hand
            borders = np.reshape(report.get("track_borders", []), (-1, 2)).astype(float)
            made.tracks = Tracks(np.zeros(1), borders[None], np.inf) if len(borders) else None

    def write() -> None:
        if by_hand and stem.parent == given.parent and config.edit:
            copy2(given, f"{given}.bak")
            made.notes.append(f"{given} as you had it is {given.name}.bak")
        made.write(found, None if stays else points_of.__getitem__)

    return made, write


def _follow(
    config: CurvesConfig, report: dict[str, Any], given: Path, stem: Path
) -> tuple["CurveFiles", Callable[[], None]]:
    """The curves that are followed in a probability, and what writes them."""
    import numpy as np

    from wellseg.curves.files import CurveWriter
    from wellseg.scan.reader import open_scan

    beside = given.parent / str(report.get("scan", ""))  # both may have been moved or copied
    places = filter(Path.is_file, (beside, Path(report.get("scan_path") or "")))
    was = str(report.get("scan_version")).partition(" bytes")[0]
    scan = config.scan or max(places, key=lambda it: str(it.stat().st_size) == was, default=beside)
    limit = 255 * (config.threshold or 0.5)
    with ExitStack() as opening:
        probabilities = seen = opening.enter_context(open_scan(given))
        rows, columns = probabilities.rows, probabilities.columns
        if config.scan or scan.is_file():
            page, invert = report.get("page"), bool(report.get("invert"))
            seen = opening.enter_context(open_scan(scan, page, colour=True, invert=invert))
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
        writer = opening.enter_context(CurveWriter(stem, title, (rows, columns), seen.dpi, config))
        step = max(256, BAND_PIXELS // columns)
        for row in range(0, rows, step):
            stop = min(rows, row + step)
            probability = probabilities.read(row, stop)
            mask = np.where(probability > limit, np.uint8(255), np.uint8(0))
            picture = 255 - probability if seen is probabilities else seen.read(row, stop)
            writer.put(picture, mask, probability)
        opened = opening.pop_all()
    if limit != 255 * (report.get("threshold") or config.threshold or 0.5):
        writer.notes.append(f"the mask stays that of --threshold {report['threshold']}")
    return writer, opened.close


main = program(curves, CurvesConfig, "curves", __doc__, "file")

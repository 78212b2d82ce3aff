"""Make the curve files again, without the network: other depths, tracks, rows or threshold. Options
that are not given are as the last time; none, as in --tracks none, is as if never given.

    wellseg predict scan.tif --curves                        # once: minutes
    wellseg curves scan.probability.tif --depth 1200=4350 9800=4900 --step 0.5      # seconds
    wellseg curves scan.probability.tif --tracks 230-740 880-1890 --threshold 0.4
    wellseg curves scan.curves.csv            # of curves that you corrected in this file: scan.las
    wellseg curves scan.curves.csv --edit T1_C1_SOLID=GR T2_C3_DOTTED=        # renamed, and removed
    wellseg curves scan.curves.csv --scale GR=0:150:GAPI RT=0.2:2000:OHMM:log    # values in units
    wellseg curves scan.curves.csv --label mine --label_rows 3000-9000        # a log to train on

Writes NAME.curves.csv (one that you corrected stays as it is) and NAME.las anew, and the curves of
NAME.html. Options are those of predict, or of this command the last time: NAME.json has them."""

import json
from pathlib import Path
from typing import Any

from wellseg.cli import program
from wellseg.curves import endings_of
from wellseg.curves.options import ENDING, OF_ONE_SCAN, TABLE
from wellseg.review.options import CurvesConfig
from wellseg.scan import MASK, files, one_line
from wellseg.scan.atomic import write_file
from wellseg.scan.files import BY_HAND, CORRECTED, DIGITS, REPORT, Task, read_report, settled_report


def curves(config: CurvesConfig) -> None:
    """Write the files. Raises OSError, and ValueError for wrong usage."""
    given = Path(config.file)
    if not given.name.endswith((ENDING, TABLE)):
        raise ValueError(f"{given} is not NAME{ENDING} or NAME{TABLE} of predict --curves")
    if not given.is_file():
        raise ValueError(f"{given}: no such file")
    report = given.with_name(config.name + REPORT)
    if report.exists() and not config.report:
        raise ValueError(f"{report} is damaged: wellseg predict first, or remove it")
    is_sized = all(type(it) is int and it > 0 for it in config.size)
    if (config.label or given.name.endswith(TABLE)) and not is_sized:
        raise ValueError(f"{report}, which has the scan's size, is not there, or was changed")
    folder = config.out or given.parent
    is_same = folder.is_dir() and folder.samefile(given.parent)
    stem = (given.parent if is_same else folder) / config.name  # spelled alike: it is compared
    other = read_report(f"{stem}{REPORT}").get("scan_path")
    if other and other != config.report.get("scan_path", other):
        raise ValueError(f"{stem}{REPORT} and its results are of {other}: name another --out")
    task = Task(stem.name, config.file, str(stem))
    files.tidy([task])
    with files.claim(task) as is_mine:
        if not is_mine or settled_report(str(report)) != config.report:
            raise ValueError(f"{stem}{REPORT}: another run is writing these results: wait for it")
        _write_all(config, given, stem)


def _write_all(config: CurvesConfig, given: Path, stem: Path) -> None:
    """Write the curves' files, tell the report and the view of them, and then label rows."""
    from wellseg.results.view import mark_of  # not above: --help is quick
    from wellseg.review.again import follow_again, follow_strokes, label_rows
    from wellseg.review.corrected import curves_of_table

    write_label = label_rows(config, config.label, given) if config.label else None
    is_table, report = given.name.endswith(TABLE), config.report
    all_edits = [*report.get("curve_edits", []), *config.edit] if is_table else []
    before = _report_there(given, stem, all_edits)
    # The digest in the report tells who wrote the CSV: plain, predict; CORRECTED, this command with
    # corrections in it; BY_HAND, the user: then nothing but --edit writes it again.
    digest = files.digests(given.with_name(config.name), [TABLE]).get(TABLE, "")
    old_digest = report.get("sha256", {}).get(TABLE, "")
    by_hand = is_table and (digest != old_digest[-DIGITS:] or old_digest.startswith(BY_HAND))
    new_report = {key: it for key, it in report.items() if key not in OF_ONE_SCAN.values()}
    new_report |= {"curve_threshold": config.threshold, **config.for_report()}

    if is_table:
        now = len(report.get("curve_edits", []))
        if config.after not in (None, f"{now}", f"{now}-{mark_of(report)}"):
            wrong = "these corrections were made already, or others since, or are of other curves"
            raise ValueError(f"{given}: {wrong}: load its page again, and correct what is left")
        drawn = follow_strokes(config, given) if config.strokes else []
        made, write = curves_of_table(given, stem, config, drawn, by_hand)
    else:
        made = follow_again(given, stem, config)
        write = made.finish

    def tell_report(digests: dict[str, str]) -> None:
        """The new report goes into the old one: a kill between two files is settled by it."""
        if is_table and TABLE not in digests:  # it stays as it is
            digests[TABLE] = BY_HAND + digest
            if config.depth and config.depth != report.get("depth"):
                made.notes.append("the CSV stays as you wrote it: only the LAS has these depths")
        elif is_table and (config.edit or by_hand or old_digest.startswith(CORRECTED)):
            digests[TABLE] = CORRECTED + digests[TABLE]
        digests |= {end: it for end, it in before.get("sha256", {}).items() if end == MASK}
        new_report.update(made.quality() | {"curve_edits": all_edits, "sha256": digests})
        # Without the weights' digest predict takes the results for not done.
        begun = {key: it for key, it in before.items() if key != "weights_sha256"}
        if report:
            write_file(f"{stem}{REPORT}", json.dumps(begun | {"unfinished": new_report}).encode())

    made.notes += [f"edits by hand in it, with names: {len(all_edits)}"] * bool(all_edits)
    made.notes += ["it was changed in another program"] * (by_hand and not all_edits)
    made.before_rename = tell_report
    write()
    _renew_view(Path(f"{stem}.html"), made, config, len(all_edits))
    if report:
        write_file(f"{stem}{REPORT}", json.dumps(new_report, indent=1).encode())
    for note in [*config.told, *made.notes]:
        print(f"{given.name}: {note}")
    names = " and ".join(str(path) for path in made.paths if path.exists())
    print(f"{names}: {len(made.entries):,} curve{'s' * (len(made.entries) != 1)}")
    if write_label:
        write_label(Path(f"{stem}{TABLE}"))


def _renew_view(page: Path, made: Any, config: CurvesConfig, edits: int) -> None:
    """Show the curves in a view that is there; its pictures stay. edits: made of them so far."""
    from wellseg.results.view import inline  # not above: --help is quick

    if page.exists() and not files.is_foreign(page):
        new = {"followed": made.entries, "edits": edits, **config.for_view()}
        new["done"] = [*config.edit, f"--tracks {' '.join(config.tracks)}"]
        try:
            before, mark, rest = page.read_text("utf-8").partition("const DATA = ")
            data, end = json.JSONDecoder().raw_decode(rest)
            write_file(page, (before + mark + str(inline(data | new)) + rest[end:]).encode())
        except (OSError, ValueError) as error:
            made.notes.append(f"{page.name} shows other curves: {one_line(error)}")


def _report_there(given: Path, stem: Path, edits: list[str]) -> dict[str, Any]:
    """The report in the place of the results; {}: none. Raises ValueError where a file that is to
    be written was corrected otherwise than by these edits, or may have been."""
    report = read_report(f"{stem}{REPORT}")
    paths = {ending: Path(f"{stem}{ending}") for ending in endings_of(stem)}
    there = [ending for ending, path in paths.items() if path.is_file() and path != given]
    if there and not report:
        do = f"move it away, or name another folder (--out): no {stem.name}{REPORT} is there"
        raise ValueError(f"{stem}{there[0]} may have been corrected: {do}, which would tell")
    if known := [report[it] for it in files.WRITTEN if it in report]:  # else by an older wellseg
        written = [*known, report.get("unfinished", {}).get("sha256", {})]
        had, is_table = report.get("curve_edits", []), given.name.endswith(TABLE)
        word = CORRECTED if is_table and edits[: len(had)] == had else ""  # it is made again
        plain = [{end: str(it).removeprefix(word) for end, it in one.items()} for one in written]
        files.refuse_changed(stem, there, *plain)
    return settled_report(f"{stem}{REPORT}")


main = program(curves, CurvesConfig, "nothing was written")

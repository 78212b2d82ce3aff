"""What needs the scan again: curves followed without the network; strokes that somebody drew, along
the ink; curves that a person looked at, as a log to train on: FOLDER/images, masks and labels."""

import csv
import io
import json
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.graph import route_through_array

from wellseg.curves.files import CurveWriter
from wellseg.curves.options import ENDING, TABLE
from wellseg.curves.points import BRIDGED, WRAPPED, to_tips
from wellseg.review.corrected import FLAGS, MOVED, ROW, read_table
from wellseg.review.options import CurvesConfig, Stroke
from wellseg.scan import MASK, well_of
from wellseg.scan.atomic import encoding_of, separator_of, write_file
from wellseg.scan.files import Size, digests
from wellseg.scan.pictures import to_gray
from wellseg.scan.reader import Scan, open_scan
from wellseg.scan.writer import write_picture

ASIDE_INCHES = 0.07  # a line leaves the straight way by so much; thrice on what the network found
STRAIGHT, SEEN, EDGE = 0.3, 0.5, 0.2  # costs of a pixel: so far away, less if found; at an edge
DEEP = 4.0  # pixels from the edge: no middle of a stroke is cheaper
FAINT = 24  # gray levels from ink to paper at least
BAND_PIXELS, WAY_PIXELS = 8_000_000, 4_000_000  # of a window at most: some seconds, 0.3 GB
NEAR = np.ones((7, 7), np.uint8)


def follow_again(given: Path, stem: Path, config: CurvesConfig) -> CurveWriter:
    """Follow curves in a probability; ``finish`` writes them. ValueError: no scan, or another."""
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
        made = CurveWriter(stem, str(report.get("scan", (config.scan or stem).name)), seen, config)
        step = max(256, BAND_PIXELS // columns)
        for row in range(0, rows, step):
            stop = min(rows, row + step)
            probability = probabilities.read(row, stop)
            mask = np.where(probability > 255 * threshold, np.uint8(255), np.uint8(0))
            picture = 255 - probability if seen is probabilities else seen.read(row, stop)
            made.put(picture, mask, probability)
    if threshold != (report.get("threshold") or threshold):
        made.notes.append(f"the mask stays that of --threshold {report['threshold']}")
    return made


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
        raise ValueError(f"{path.name} is stored turned or not {has}: turn it, or give --scan")
    told = {was, str(report.get("scan_sha256"))}
    if not named and told - {"None", str(path.stat().st_size), *digests(path, [""]).values()}:
        raise ValueError(f"{path} has changed since it was masked: wellseg predict first")
    return seen


def follow_strokes(config: CurvesConfig, given: Path) -> list[tuple[str, NDArray[np.float64]]]:
    """The name of each stroke and its points on the ink, as `follow_ink` finds them. given: the
    CSV. Raises ValueError: the scan is another one, or has no such point; else as `enter_scan`."""
    size = config.size
    for name, row, column in ((it.curve, *place) for it in config.strokes for place in it.points):
        if row >= size[0] or column >= size[1]:
            raise ValueError(f"--edit {name}:{row}@{column}: the scan has {size[0]} x {size[1]}")
    with ExitStack() as opening:
        scan = enter_scan(opening, given, config, size)
        probability = Path(str(given).removesuffix(TABLE) + ENDING)
        sure = opening.enter_context(open_scan(probability)) if probability.is_file() else None
        if sure and (sure.rows, sure.columns) != size:
            raise ValueError(f"{probability} is not of the scan's size: predict again")
        return [(stroke.curve, follow_ink(stroke, scan, sure)) for stroke in config.strokes]


def follow_ink(stroke: Stroke, scan: Scan, sure: Scan | None) -> NDArray[np.float64]:
    """float64 (rows, 6): row, column, left, right, confidence and flags, as in the CSV; a row
    without ink is bridged. sure: the probability, which tells curves from grid.
    The way of least cost through the points (`skimage.graph`); how near it comes to labels stands
    in benchmarks/arms.md. Raises ValueError: two points are too far apart."""
    aside = max(5, round(ASIDE_INCHES * scan.likely_dpi))
    ways = []
    for start, end in pairwise(np.array(stroke.points)):
        wide = np.array([aside, 3 * aside if sure else aside])
        corner = np.maximum(0, np.minimum(start, end) - wide)
        stop = np.minimum((scan.rows, scan.columns), np.maximum(start, end) + wide + 1)
        if np.prod(stop - corner) > WAY_PIXELS:
            raise ValueError(f"--edit {stroke.curve}: add a point in rows {start[0]} to {end[0]}")
        columns = slice(corner[1], stop[1])
        gray = to_gray(scan.read(corner[0], stop[0])[:, columns])
        begin, finish = start - corner, end - corner
        line = np.ones(gray.shape, np.uint8)
        cv2.line(line, begin[::-1].tolist(), finish[::-1].tolist(), 0)
        away = np.asarray(cv2.distanceTransform(line, cv2.DIST_L2, 3)) / aside
        darkest, paper = np.percentile(gray, [1, 75])
        least = min(darkest, paper - FAINT)
        cost = 0.03 + np.clip((gray - least) / (paper - least), 0, 1) ** 2  # ink: 0.03; paper: 1.03
        seen = sure.read(corner[0], stop[0])[:, columns] if sure else np.zeros_like(gray)
        cost *= 1.05 - seen / 255  # a twentieth of it where the network is sure of a curve
        ink = (gray < (least + 2 * paper) / 3).view(np.uint8)
        depth = np.asarray(cv2.distanceTransform(ink, cv2.DIST_L2, 3))
        bend = np.minimum(away, 1) ** 2 * np.where(seen > 127, SEEN, 1)
        cost += STRAIGHT * bend + EDGE * (1 - np.minimum(depth / DEEP, 1))
        cost[(away > 1) & (cv2.dilate(seen, NEAR) < 128)] = -1  # closed
        way = np.array(route_through_array(cost, begin, finish)[0])
        ways.append(np.column_stack([way + corner, depth[tuple(way.T)]]))
    pixels, ends = np.concatenate(ways), [row for row, _ in stroke.points]
    pixels = pixels[(min(ends) <= pixels[:, 0]) & (pixels[:, 0] <= max(ends))]  # a way goes round
    row, column, depth = pixels[pixels[:, 0].argsort()].T
    rows, begin = np.unique(row, return_index=True)
    span = np.array([np.minimum.reduceat(column, begin), np.maximum.reduceat(column, begin)])
    left, right, middle = *span, span.mean(0)
    inked = np.maximum.reduceat(depth, begin) > 0
    half = np.percentile(depth[depth > 0], 80) - 1 if inked.any() else 0.5
    to_tips(middle, left, right, 2 * half, ~inked)
    sides = np.rint([left - half, right + half])
    return np.stack([rows, middle, *sides, inked, np.where(inked, MOVED, BRIDGED | MOVED)], 1)


def label_rows(config: CurvesConfig, folder: Path, given: Path) -> Callable[[Path], None]:
    """What writes rows of a scan, their mask and their curves in the form of data/README.md, all
    files or none: call it with the CSV that has the curves. given: a file that lies beside the
    mask. Raises ValueError: a file is there already, a split.csv is none; ScanError; OSError.
    A pixel of the mask is curve within 3 px of a curve's span; others, of text and of curves that
    were removed, are not, and 128 stays. Where a span has no such pixel, in strokes that were drawn
    and bridged gaps, it is curve itself, and a pixel around it."""
    first, last = config.looked_at
    if last >= (rows := config.size[0]):
        raise ValueError(f"--label_rows {first}-{last}: the scan has rows 0 to {rows - 1:,}")
    name = f"{config.name}_{first}"
    image, mask = (folder / part / f"{name}.tif" for part in ("images", "masks"))
    label, split = folder / "labels" / f"{name}.json", folder / "split.csv"
    if there := [it for it in (image, mask, label) if it.exists()]:
        raise ValueError(f"{there[0]} is there already: remove it, or name another folder")
    for other in sorted((folder / "images").glob("*.tif")):
        scan_of, _, begin = other.stem.rpartition("_")
        if scan_of == config.name and begin.isdecimal() and int(begin) <= last:
            with open_scan(other) as labelled:
                if first < (stop := int(begin) + labelled.rows):
                    raise ValueError(f"{other} has rows {begin} to {stop - 1} of this scan")
    listed = split.read_text(encoding_of(split), "surrogateescape") if split.is_file() else None
    lines = (listed or "name,split,well").splitlines()
    sep = separator_of(lines[0])
    heads = [it.strip().lower() for it in next(csv.reader(lines, delimiter=sep))]
    by = "train" if listed is not None and "split" in heads else "by its well"
    cells = {"name": name, "split": by, "well": well_of(name)}
    if "name" not in heads:
        raise ValueError(f"{split}: no column name: save it as CSV in UTF-8")
    for row in csv.DictReader(lines[1:], heads, restval="", delimiter=sep):
        wells = well_of(row["name"].strip()), row.get("well", "").strip()
        if row.get("split", "").strip() and cells["well"] in wells:  # a well is in one split
            cells |= {it: row[it].strip() for it in ("split", "well") if it in row}
    with ExitStack() as opening:
        scan = enter_scan(opening, given, config, config.size)
        picture, dpi, kind = scan.read(first, last + 1), round(scan.likely_dpi), scan.kind
        predicted = opening.enter_context(open_scan(given.with_name(config.name + MASK)))
        found = predicted.read(first, last + 1)
    write_file(label, b"")  # it may not be allowed: this is told before edits are written
    label.unlink()

    def write(table: Path) -> None:
        (spans, alone), whole = np.zeros((2, *found.shape), np.uint8), []
        for curve, every in read_table(table).items():
            here = every[(first <= every[:, ROW]) & (every[:, ROW] <= last)]
            row, _, column, left, right, _, _, flags = here[here[:, ROW].argsort(), : FLAGS + 1].T
            row, column = row.astype(int) - first, column.round().astype(int)
            away = np.fmax(left - column, column - right) > 1  # moved by hand: its span is not
            ends = np.where(away, column, [np.fmin(left, column), np.fmax(right, column)]).T
            for y, (low, high) in zip(row, ends.astype(int), strict=True):
                spans[y, max(0, low) : high + 1] = 255
                if not (found[y, max(0, low - 3) : high + 4] == 255).any():  # a gap, or drawn
                    alone[y, max(0, low) : high + 1] = 255
            is_wrapped = np.nan_to_num(flags) // WRAPPED % 2
            starts = np.flatnonzero((np.diff(row) > 1) | (np.diff(is_wrapped) != 0)) + 1
            points = np.stack([column, row], 1).tolist()
            whole += [{"name": curve, "path": points, "starts": starts.tolist()}] if points else []
        near = (cv2.dilate(spans, NEAR) > 0) | (found == 128)  # not scored
        truth = np.where(near, np.maximum(cv2.dilate(alone, NEAR[:3, :3]), found), 0)
        with ExitStack() as undo:
            for path in (mask, label, image):
                undo.callback(path.unlink, missing_ok=True)
            write_picture(mask, truth, dpi=dpi)
            write_file(label, json.dumps({"whole": whole}).encode())
            write_picture(image, picture, dpi=dpi, kind=kind)  # last: it makes a log
            if listed is not None:  # it lists all logs, perhaps more than before
                now = split.read_text(encoding_of(split), "surrogateescape").rstrip()
                text = io.StringIO()  # csv: a name may have commas
                csv.writer(text, delimiter=sep, lineterminator="\n").writerow(map(cells.get, heads))
                told = f"{now or ','.join(cells)}\n{text.getvalue()}"
                write_file(split, told.encode(errors="surrogateescape"))
            undo.pop_all()
        print(f"{image}: {len(truth):,} rows, their mask and curves; split: {cells['split']}")

    return write

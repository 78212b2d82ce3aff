"""Curves that a person looked at, as a log to train on: FOLDER/images, masks and labels."""

import csv
import io
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from wellseg.curves.points import WRAPPED
from wellseg.review.corrected import FLAGS, read_table
from wellseg.review.following import enter_scan
from wellseg.review.options import CurvesConfig
from wellseg.scan import well_of
from wellseg.scan.atomic import MASK, write_file
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import write_picture

NEAR = np.ones((7, 7), np.uint8)
NOT_SCORED = 128  # of a mask


def label_rows(config: CurvesConfig, folder: Path, given: Path) -> Callable[[Path], None]:
    """What writes rows of a scan, their mask and their curves in the form of data/README.md, all
    files or none: call it with the CSV that has the curves. given: a file that lies beside the
    mask. Raises ValueError: a file is missing, there already, or a split.csv that is none.

    A pixel of the mask is curve within 3 px of a curve's span; others, of text and of curves that
    were removed, are not, and 128 stays. Where a span has no such pixel, in strokes that were drawn
    and bridged gaps, it is curve itself, and a pixel around it."""
    first, last = config.looked_at
    if last >= (rows := config.size[0]):
        has = f"the scan has rows 0 to {rows - 1:,}" if rows else "there is no report"
        raise ValueError(f"--label_rows {first}-{last}: {has}")
    name = f"{config.name}_{first}"
    image, mask = (folder / part / f"{name}.tif" for part in ("images", "masks"))
    label, split = folder / "labels" / f"{name}.json", folder / "split.csv"
    if there := [it for it in (image, mask, label) if it.exists()]:
        raise ValueError(f"{there[0]} is there already: remove it, or name another folder")
    cells = {"name": name, "split": "train", "well": well_of(name)}
    listed = split.read_text("utf-8-sig", "surrogateescape") if split.is_file() else None
    heads = [it.strip().lower() for it in next(csv.reader((listed or "").splitlines()), cells)]
    if "name" not in heads:
        raise ValueError(f"{split}: no column name, or no commas between its columns")
    for row in csv.DictReader((listed or "").splitlines()[1:], heads, restval=""):
        if row.get("split", "").strip() and well_of(row["name"].strip()) == cells["well"]:
            cells |= {it: row[it].strip() for it in ("split", "well") if it in row}
            break  # a well is in one split
    with ExitStack() as opening:
        scan = enter_scan(opening, given, config, config.size)
        if not (predicted := given.with_name(config.name + MASK)).is_file():
            raise ValueError(f"{predicted}: the mask is not there: wellseg predict first")
        picture, dpi = scan.read(first, last + 1), round(scan.likely_dpi)
        bilevel = scan.kind == "1-bit"
        found = opening.enter_context(open_scan(predicted)).read(first, last + 1)

    def write(table: Path) -> None:
        spans, whole = np.zeros(found.shape, np.uint8), []
        alone = spans.copy()
        for name, lines in read_table(table).items():
            lines = lines[(first <= lines[:, 0]) & (lines[:, 0] <= last)]
            row, _, column, left, right, _, _, flags = lines[lines[:, 0].argsort(), : FLAGS + 1].T
            row, column = row.astype(int) - first, column.round().astype(int)
            ends = np.stack([np.fmin(left, column), np.fmax(right, column)], 1).astype(int)
            for y, (low, high) in zip(row, ends, strict=True):
                spans[y, max(0, low) : high + 1] = 255
                if not (found[y, max(0, low - 3) : high + 4] == 255).any():
                    alone[y, max(0, low) : high + 1] = 255
            is_wrapped = np.nan_to_num(flags) // WRAPPED % 2
            starts = np.flatnonzero((np.diff(row) > 1) | (np.diff(is_wrapped) != 0)) + 1
            points = np.stack([column, row], 1).tolist()
            whole += [{"name": name, "path": points, "starts": starts.tolist()}] if points else []
        near = (cv2.dilate(spans, NEAR) > 0) | (found == NOT_SCORED)
        truth = np.where(near, np.maximum(cv2.dilate(alone, NEAR[:3, :3]), found), 0)
        with ExitStack() as undo:
            for path in (mask, label, image):
                path.parent.mkdir(parents=True, exist_ok=True)
                undo.callback(path.unlink, missing_ok=True)
            write_picture(mask, truth, dpi=dpi)
            write_file(label, json.dumps({"whole": whole}).encode())
            write_picture(image, picture, dpi=dpi, bilevel=bilevel)  # last: it makes them a log
            if listed is not None:  # it lists all logs
                text = io.StringIO()  # csv: a name may have commas
                csv.writer(text, lineterminator="\n").writerow([cells.get(it, "") for it in heads])
                told = f"{listed.rstrip() or ','.join(cells)}\n{text.getvalue()}"
                write_file(split, told.encode(errors="surrogateescape"))
            undo.pop_all()
        print(f"{image}: {len(truth):,} rows, their mask and curves; split: {cells['split']}")

    return write

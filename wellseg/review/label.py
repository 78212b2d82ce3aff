"""Curves that a person looked at, as a log to train on: FOLDER/images, masks and labels."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from wellseg.curves.points import WRAPPED
from wellseg.review.again import enter_scan, find_scan
from wellseg.review.corrected import FLAGS, read_table
from wellseg.scan import USUAL_DPI
from wellseg.scan.atomic import MASK, write_file
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import write_picture

if TYPE_CHECKING:
    from wellseg.review.command import CurvesConfig

NEAR = np.ones((7, 7), np.uint8)


def write_label(
    folder: Path, table: Path, given: Path, config: "CurvesConfig", first: int, last: int
) -> Path:
    """Write rows first to last of a scan, their mask and their curves; gives the image's path.

    table: the CSV, as it is now; given: a file that lies beside the mask. A pixel of the mask is
    curve within 3 px of a curve's span; others, of text and of curves that were removed, are not.
    The spans are curve, too, also of strokes that were drawn and of bridged gaps. Raises
    ValueError: a file that is missing, or there already."""
    name, report, named = config.name, config.report, config.scan
    size = report.get("rows", 0), report.get("columns", 0)
    if last >= size[0]:
        raise ValueError(f"--label_rows {first}-{last}: the scan has rows 0 to {size[0] - 1:,}")
    image = folder / "images" / f"{name}_{first}.tif"
    label = folder / "labels" / f"{name}_{first}.json"
    truth = folder / "masks" / image.name
    if there := [path for path in (image, truth, label) if path.exists()]:
        raise ValueError(f"{there[0]} is there already: remove it, or name another folder")
    with ExitStack() as opening:
        mask, path = given.with_name(name + MASK), find_scan(given, report, named)
        if not path or not mask.is_file():
            missing = mask if path else given.with_name(str(report.get("scan", "")))
            raise ValueError(f"{missing}, which a label is made of, is not there")
        scan = enter_scan(opening, path, report, path == named, size)
        picture, dpi = scan.read(first, last + 1), round(scan.dpi or USUAL_DPI)
        bilevel = scan.kind == "1-bit"
        predicted = opening.enter_context(open_scan(mask)).read(first, last + 1)
    spans, whole = np.zeros(predicted.shape, np.uint8), []
    for curve, lines in read_table(table).items():
        lines = lines[(first <= lines[:, 0]) & (lines[:, 0] <= last)]
        row, _, column, left, right, _, _, flags = lines[lines[:, 0].argsort(), : FLAGS + 1].T
        row, column = row.astype(int) - first, column.round().astype(int)
        ends = np.stack([np.fmin(left, column), np.fmax(right, column)], 1).astype(int)
        for y, (low, high) in zip(row, ends, strict=True):
            spans[y, max(0, low) : high + 1] = 255
        is_wrapped = np.nan_to_num(flags) // WRAPPED % 2
        starts = np.flatnonzero((np.diff(row) > 1) | (np.diff(is_wrapped) != 0)) + 1
        if len(row):
            path_here = np.stack([column, row], 1).tolist()
            whole.append({"name": curve, "path": path_here, "starts": starts.tolist()})
    pixels = np.where(cv2.dilate(spans, NEAR) > 0, np.maximum(spans, predicted), 0)
    for path in (image, truth, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(image, picture, dpi=dpi, bilevel=bilevel)
    write_picture(truth, pixels, dpi=dpi)
    write_file(label, json.dumps({"whole": whole}).encode())
    return image

"""Curves that a person looked at, as a log to train on: FOLDER/images, masks and labels."""

import csv
import io
import json
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from wellseg.curves.points import WRAPPED
from wellseg.review.again import enter_scan
from wellseg.review.corrected import FLAGS, read_table
from wellseg.review.options import CurvesConfig
from wellseg.scan import well_of
from wellseg.scan.atomic import MASK, write_file
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import write_picture

NEAR = np.ones((7, 7), np.uint8)
NOT_SCORED = 128  # of a mask


class Label:
    """Rows of a scan, their mask and their curves, in the form of data/README.md."""

    def __init__(self, config: CurvesConfig, folder: Path, given: Path) -> None:
        """Read the rows of the scan and of its mask. given: a file that lies beside the mask.
        Raises ValueError: a file is missing, or there already."""
        self._first, self._last = first, last = config.looked_at
        if last >= (rows := config.size[0]):
            has = f"the scan has rows 0 to {rows - 1:,}" if rows else "there is no report"
            raise ValueError(f"--label_rows {first}-{last}: {has}")
        name = f"{config.name}_{first}"
        self._image, self._mask = (folder / part / f"{name}.tif" for part in ("images", "masks"))
        self._label = folder / "labels" / f"{name}.json"
        if there := [it for it in (self._image, self._mask, self._label) if it.exists()]:
            raise ValueError(f"{there[0]} is there already: remove it, or name another folder")
        with ExitStack() as opening:
            mask = given.with_name(config.name + MASK)
            scan = enter_scan(opening, given, config, config.size)
            if not mask.is_file():
                raise ValueError(f"{mask}: the mask is not there: wellseg predict first")
            self._picture, self._dpi = scan.read(first, last + 1), round(scan.likely_dpi)
            self._bilevel = scan.kind == "1-bit"
            self._predicted = opening.enter_context(open_scan(mask)).read(first, last + 1)

    def write(self, table: Path) -> None:
        """Write the files, all or none. table: the CSV with the curves.

        A pixel of the mask is curve within 3 px of a curve's span; others, of text and of curves
        that were removed, are not, and 128 stays. Where a span has no such pixel, in strokes that
        were drawn and bridged gaps, it is curve itself, and a pixel around it."""
        spans, whole = np.zeros(self._predicted.shape, np.uint8), []
        alone = spans.copy()
        for name, lines in read_table(table).items():
            lines = lines[(self._first <= lines[:, 0]) & (lines[:, 0] <= self._last)]
            row, _, column, left, right, _, _, flags = lines[lines[:, 0].argsort(), : FLAGS + 1].T
            row, column = row.astype(int) - self._first, column.round().astype(int)
            ends = np.stack([np.fmin(left, column), np.fmax(right, column)], 1).astype(int)
            for y, (low, high) in zip(row, ends, strict=True):
                spans[y, max(0, low) : high + 1] = 255
                if not (self._predicted[y, max(0, low - 3) : high + 4] == 255).any():
                    alone[y, max(0, low) : high + 1] = 255
            is_wrapped = np.nan_to_num(flags) // WRAPPED % 2
            starts = np.flatnonzero((np.diff(row) > 1) | (np.diff(is_wrapped) != 0)) + 1
            points = np.stack([column, row], 1).tolist()
            whole += [{"name": name, "path": points, "starts": starts.tolist()}] if points else []
        near = (cv2.dilate(spans, NEAR) > 0) | (self._predicted == NOT_SCORED)
        truth = np.where(near, np.maximum(cv2.dilate(alone, NEAR[:3, :3]), self._predicted), 0)
        files = self._mask, self._label, self._image  # a log is what has an image
        try:
            for path in files:
                path.parent.mkdir(parents=True, exist_ok=True)
            write_picture(self._mask, truth, dpi=self._dpi)
            write_file(self._label, json.dumps({"whole": whole}).encode())
            write_picture(self._image, self._picture, dpi=self._dpi, bilevel=self._bilevel)
        except OSError:
            for path in files:
                path.unlink(missing_ok=True)
            raise
        split = self._image.parents[1] / "split.csv"
        if split.is_file():  # then it lists all logs
            name, told = self._image.stem, split.read_text("utf-8-sig")
            cells = {"name": name, "split": "train", "well": well_of(name)}
            heads = next(csv.reader(told.splitlines()), cells)
            row, text = [cells.get(it.strip().lower(), "") for it in heads], io.StringIO()
            csv.writer(text, lineterminator="\n").writerow(row)  # a name may have commas
            write_file(split, f"{told.rstrip() or ','.join(cells)}\n{text.getvalue()}".encode())
        print(f"{self._image}: {len(truth):,} rows, their mask and curves, to train on")

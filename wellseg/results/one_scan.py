"""Masks one scan: rows through the network, results to disk, an overlay of all of it."""

import hashlib
import json
import math
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from wellseg import __version__
from wellseg.config import PredictConfig
from wellseg.curves import remove_curves
from wellseg.device import resident_bytes
from wellseg.results.view import DOUBT_FROM, DOUBT_TO, ViewWriter
from wellseg.rows.evaluation import RowEvaluation, ShareDone
from wellseg.rows.segment import scan_bands
from wellseg.scan import MASK, RESULTS, files, pictures
from wellseg.scan.atomic import refuse_open, write_file
from wellseg.scan.pictures import Gray, encode_png, is_sideways, paint, reduce, upright
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import MaskWriter, Strips

OF_THE_SCAN = "rows", "columns", "dpi", "kind", "page", "pages", "mostly_black"  # in the report
PAGE_ASPECT = 1.5  # width over height of a folded page, about that of a screen
GUTTER_PX, HEAD_PX = 12, 36  # between folds; above each, for the number of its first row,
BEGIN = 2, 25  # which begins so far right and down


def mask_scan(
    net: nn.Module, task: files.Task, config: PredictConfig, entries: Any, done: ShareDone
) -> dict[str, Any]:
    """Mask one scan; returns the report, written last. entries: of it, what is not measured."""
    started = time.monotonic()
    logit_levels = [math.log(p / (1 - p)) for p in (config.threshold, DOUBT_FROM, DOUBT_TO)]
    pixels_above = np.zeros(3, np.int64)  # of each level; no sigmoid is needed to compare
    refuse_open(*(task.stem + ending for ending in RESULTS))
    with ExitStack() as opened:
        opening = open_scan(task.scan, task.page, colour=True, invert=config.invert)
        scan, view, curves = opened.enter_context(opening), None, None
        size = scan.rows, scan.columns
        left_out, notes = dict[str, str](), list[str]()
        if scan.orientation > 1 and (config.curves or config.logs or is_sideways(scan.orientation)):
            why = f"stored turned or mirrored (orientation {scan.orientation})"
            left_out = {"curves_left_out": why} if config.curves else {}
            notes.append(f"{why}: no curves or depths, a poor mask if sideways; save it upright")
        small = FoldedPage(*size, scan.orientation)
        if config.view:
            about = {"scan": scan.path.name, "dpi": scan.dpi, "weights": entries["weights"]}
            about |= config.for_view() if scan.orientation == 1 else {}
            view = ViewWriter(Path(task.stem + ".html"), scan, config.threshold, about)
            opened.enter_context(view)
        if config.curves and not left_out:
            from wellseg.curves.files import CurveWriter  # scipy takes a second

            curves = CurveWriter(Path(task.stem), scan.path.name, scan, config)
            if view:
                view.curves = curves.entries  # a list that ``finish`` fills, before the view ends
        masks = MaskWriter(*size)
        probabilities = MaskWriter(*size) if config.probability else None
        asked = ("precision", "device", "memory", "window_rows", "scratch")
        how = {name: getattr(config, name) for name in asked}
        evaluation = RowEvaluation(net, *size, colour=scan.kind == "colour", **how)
        for picture, logits in opened.enter_context(closing(scan_bands(evaluation, scan, done))):
            mask = np.where(logits > logit_levels[0], np.uint8(255), np.uint8(0))
            pixels_above += [np.count_nonzero(logits > level) for level in logit_levels]
            masks.put(mask)
            small.add(picture, mask)
            if probabilities or view:  # curves imply probabilities
                sure = torch.from_numpy(logits).sigmoid()  # NumPy's exp takes thrice as long
                probability = sure.mul_(255).round_().to(torch.uint8).numpy()
                most = np.uint8(255 * config.threshold)  # of background; the mask is above
                probability = np.where(mask, probability.clip(most + 1), probability.clip(max=most))
            if probabilities:
                probabilities.put(probability)
            if view:
                view.put(picture, probability)
            if curves:
                curves.put(picture, mask, probability)
        begun = entries | {"scan": scan.path.name, "page": scan.page, "rows": scan.rows}
        files.begin_anew(task.stem, begun)
        if left_out:  # it was not turned before
            remove_curves(Path(task.stem))
        if probabilities:
            write_file(task.stem + ".probability.tif", probabilities.tiff(scan.resolution))
        if curves:
            curves.before_rename = lambda new: files.begin_anew(task.stem, begun | {"sha256": new})
            curves.finish()
    if scan.mostly_black:
        asks = "does it show white ink on black? try --invert"
        notes.append(f"most of it is black: {'leave --invert out' if config.invert else asks}")
    if scan.columns > 2 * scan.rows and not is_sideways(scan.orientation):  # logs are tall
        notes.append("wider than tall: if it is stored sideways, turn it, or its mask is wrong")
    write_file(task.stem + ".overlay.png", encode_png(small.picture()))
    mask_digest = {MASK: hashlib.sha256(tiff := masks.tiff(scan.resolution)).hexdigest()}
    files.begin_anew(task.stem, begun | {"sha256": mask_digest})
    write_file(task.stem + MASK, tiff)  # last: only the report tells who wrote it
    curve_px, possible_px, sure_px = pixels_above.tolist()
    share = curve_px / (scan.rows * scan.columns)
    report = {"format": files.FORMAT, "wellseg": __version__, "scan": scan.path.name}
    report |= {name: getattr(scan, name) for name in OF_THE_SCAN}
    report |= {"curve_share": share, "doubt_share": (possible_px - sure_px) / max(1, possible_px)}
    report |= (curves.quality() if curves else {}) | left_out | {"notes": notes} | entries
    report |= {"seconds": round(time.monotonic() - started, 2)}
    report |= {"peak_memory_bytes": resident_bytes(peak=True), "overlay_reduction": small.reduction}
    report["sha256"] = mask_digest | (curves.digests if curves else {})
    write_file(task.stem + files.REPORT, json.dumps(report, indent=1).encode())
    return report


class FoldedPage:
    """A preview of a whole scan, fed from top to bottom as stored: reduced, turned upright by its
    TIFF orientation, and folded into columns, headed by their first rows if not turned."""

    def __init__(self, rows: int, columns: int, orientation: int = 1) -> None:
        width = rows if is_sideways(orientation) else columns
        by_area = math.ceil(math.sqrt(rows * columns / pictures.PICTURE_PIXELS))
        self.reduction = max(1, by_area, math.ceil(width / 1600))
        self._orientation = orientation
        self._cut, self._small = Strips(16 * self.reduction, rows), list[Gray]()

    def add(self, picture: Gray, mask: Gray) -> None:
        """The next rows, uint8: gray (rows, columns) or colours (rows, columns, 3), and mask."""
        for strip, its_mask in self._cut.add(picture, mask):
            self._small.append(paint(*reduce(strip, its_mask, self.reduction)))

    def picture(self) -> Gray:
        """The page, RGB uint8."""
        log = upright(np.concatenate(self._small), self._orientation)
        height, width = log.shape[:2]
        folds = max(1, round(math.sqrt(PAGE_ASPECT * height / width)))
        rows = math.ceil(height / folds)
        page = np.full((folds, HEAD_PX + rows, width + GUTTER_PX, 3), 255, np.uint8)
        for fold, column in enumerate(page[:, :, :width]):
            part, head = log[fold * rows : (fold + 1) * rows], column[:HEAD_PX]
            column[HEAD_PX : HEAD_PX + len(part)] = part
            text = f"row {fold * rows * self.reduction:,}" if self._orientation < 3 else ""
            cv2.putText(head, text, BEGIN, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (60,) * 3, 2, cv2.LINE_AA)
        return np.hstack([*page])[:, :-GUTTER_PX]

"""Masks: 0 background, 255 curve, 128 not scored; other values end a run. Labels, drawn."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wellseg.scan import ScanError
from wellseg.scan.pictures import Gray
from wellseg.scan.reader import open_scan
from wellseg.scores.masks import Label, Mask
from wellseg.training.data_folder import LogFiles

THREADS = 4  # decoders release Python's lock; on a network each file waits
NAMED = 10  # of masks with a fault


def read_mask(path: Path) -> Gray:
    """Read a mask as uint8 (rows, columns), with no values but 0, 128 and 255.
    Raises ValueError: it has other values, or is mostly curve. ScanError: it cannot be read."""
    with open_scan(path, colour="any") as scan:
        mask = scan.read(0, scan.rows)
    if mask.ndim == 3:
        if np.ptp(mask, axis=2).any():
            raise ValueError(f"{path}: in colour; save it as gray, its curves white")
        mask = np.ascontiguousarray(mask[..., 0])
    counts = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel()  # of each value
    odd = [value for value in np.flatnonzero(counts) if value not in (0, 128, 255)]
    if counts[255] > mask.size / 2:
        raise ValueError(f"{path}: most of it is curve: inverted? 255 is curve, 0 is all else")
    if odd == [1] and not counts[255]:
        raise ValueError(f"{path}: its curves are 1 in 255: save it with 8 bits, its curves 255")
    if odd:
        rule = f"{path}: a mask has 0 (background), 255 (curve), 128 (not scored), this one also"
        raise ValueError(f"{rule} {odd[0]}; save it without anti-aliasing or lossy compression")
    return mask


def read_label(path: Path, shape: tuple[int, int]) -> Label:
    """Draw the centrelines of a label file on an image of that shape, (rows, columns).
    path: JSON with {"curves": [{"path": [[x, y], ...]}, ...]}, strokes in pixels of the image, or
    curves made of them in "whole", or both; "starts": indices of points not joined to the one
    before. "others": {"text": [[row, end, column, end], ...]}: no curves. Raises ValueError."""

    def draw(curves: Sequence[dict[str, Any]]) -> Mask:
        canvas = np.zeros(shape, np.uint8)
        for curve in curves:
            points = np.array(curve["path"], np.float64).reshape(len(curve["path"]), 1, 2)
            if not ((points >= (-(2**31), 0)) & (points < (2**31, shape[0]))).all():
                raise ValueError(f"a point in no row of the image, which has {shape[0]:,}")
            starts = list(curve.get("starts", []))
            if starts != sorted({*starts} & {*range(1, len(points))}):
                raise ValueError(f"starts {starts} in a path of {len(points)} points")
            if not 0 <= float(curve.get("width", 1)) < 1e9:
                raise ValueError(f"a width of {curve['width']}")
            cv2.polylines(canvas, np.split(points.astype("i4"), starts), isClosed=False, color=1)
        return canvas.view(np.bool_)

    def fill(boxes: Sequence[Sequence[int]]) -> Mask:
        canvas = np.zeros(shape, np.bool_)
        for top, end, left, right in boxes:
            canvas[max(0, top) : max(0, end), max(0, left) : max(0, right)] = True
        return canvas

    try:
        about = json.loads(path.read_text("utf-8"))
        others = about.get("others", {})
        named = [box for boxes in others.values() for box in boxes]
        boxes = [about.get("region", [0, 0, 0, 0]), *about.get("ignore", ()), *named]
        if not (np.diff(np.reshape(boxes, (len(boxes), 4)).astype(int).reshape(-1, 2)) >= 0).all():
            raise ValueError("a box that is not row from and to, column from and to")
        if not about.keys() & {"curves", "whole", "region", "ignore", "others"}:
            raise ValueError("none of curves, whole, region, ignore and others")
        whole = [draw([one]) for one in about.get("whole", ())]
        drawn = {what: fill(boxes) for what, boxes in others.items()}
        return Label(draw(about["curves"]) if "curves" in about else None, whole, about, drawn)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RuntimeError) as error:
        raise ValueError(f"{path}: not a label file with curves and paths ({error!r})") from error


def check_size(mask: Path, image: Path) -> None:
    """Raise ValueError: a mask has not its image's size, or is turned. Unreadable files pass."""
    with suppress(ScanError), open_scan(mask) as one, open_scan(image) as other:
        size, expected = f"{one.rows} x {one.columns}", f"{other.rows} x {other.columns}"
        if size != expected:
            raise ValueError(f"{mask}: has {size} pixels (rows x columns), {image} has {expected}")
        if one.orientation not in (1, other.orientation):  # masks by predict have no such tag
            raise ValueError(f"{mask} is stored turned, and {image} is not: save both upright")


def check_masks(logs: Sequence[LogFiles]) -> dict[str, tuple[int, int]]:
    """Read all masks: least and highest value by their logs' names. Raises ValueError: unusable."""
    with ThreadPoolExecutor(THREADS) as pool:
        found = {log.name: pool.submit(_look, log) for log in logs}
    errors = filter(None, (it.exception() for it in found.values()))
    if faults := [str(it) for it in errors if isinstance(it, ValueError | ScanError)]:
        raise ValueError(f"{len(faults)} of {len(logs)} logs cannot be used: {listed(faults)}")
    return {name: it.result() for name, it in found.items()}


def listed(names: Sequence[str]) -> str:
    """At most `NAMED` of them, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return "; ".join(names[:NAMED]) + more


def _look(log: LogFiles) -> tuple[int, int]:
    """Least and highest value of a mask. Raises ValueError, ScanError: it or its image is none."""
    check_size(log.mask, log.image)
    with open_scan(log.image):  # what is none would end the run when its turn comes
        pass
    mask = read_mask(log.mask)
    return int(mask.min()), int(mask.max())

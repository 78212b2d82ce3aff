"""Masks: 0 background, 255 curve, 128 not scored. Other values end a run before it begins."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg.scan.reader import ScanError, open_scan
from wellseg.training.data_folder import DataError, LogFiles

BLOCK_ROWS = 4096
"""Read at a time, so that a mask of any height is checked in little memory."""
THREADS = 8
"""Decoders release Python's lock; on a network each file waits."""
NAMED = 10
"""Of masks with the same fault, so many are named."""


@dataclass(frozen=True)
class MaskFacts:
    """Of one log's mask: pixels of curve, and which rows hold scored pixels, bool (rows,)."""

    curve_px: int
    scored_rows: NDArray[np.bool_]


def read_mask(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a mask as uint8 (rows, columns), with no values but 0, 128 and 255.

    Raises:
        DataError: it has other values.
        ScanError: it cannot be read.
    """
    with open_scan(path) as scan:
        mask = scan.read(0, scan.rows)
    if fault := _fault_of_values(_count_values(mask)):
        raise DataError(f"{path}: {fault}")
    return mask


def check_size(mask: Path, image: Path) -> None:
    """Raise DataError where a mask is not of its image's size.

    Files that cannot be read pass: they are said to fail when it is their turn.
    """
    with suppress(ScanError):
        if fault := _fault_of_size(mask, image):
            raise DataError(f"{mask}: {fault}")


def check_masks(logs: Sequence[LogFiles], on_error: str = "skip") -> dict[str, MaskFacts]:
    """Read every mask once; gives what is in them, by the logs' names.

    on_error: stop takes what cannot be read for a fault; skip leaves it out of the answer.

    Raises:
        DataError: names all masks that are not of their images' sizes, have other values than
            0, 128 and 255, or are mostly curve.
    """
    facts: dict[str, MaskFacts] = {}
    faults: dict[str, list[str]] = defaultdict(list)
    with ThreadPoolExecutor(THREADS) as pool:
        for log, found in zip(logs, pool.map(_look, logs), strict=True):
            if isinstance(found, MaskFacts):
                facts[log.name] = found
            elif isinstance(found, str):
                faults[found].append(str(log.mask))
            elif on_error == "stop":
                place, _, fault = str(found).partition(": ")
                faults[fault + "; or leave such logs out: --data.on_error skip"].append(place)
    if faults:
        wrong = sum(map(len, faults.values()))
        count = f"{wrong} of {len(logs)} masks cannot be used: " if wrong > 1 else ""
        raise DataError(count + "; ".join(f"{listed(n)}: {fault}" for fault, n in faults.items()))
    return facts


RULE = "a mask has the values 0 (background), 255 (curve) and 128 (not scored)"


def listed(names: Sequence[str]) -> str:
    """At most `NAMED` of them, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _look(log: LogFiles) -> MaskFacts | str | ScanError:
    """What is in a mask, or what is wrong with it, or that it, or its image, cannot be read."""
    counts = np.zeros(256, np.int64)
    scored_rows = []
    try:
        if fault := _fault_of_size(log.mask, log.image):
            return fault
        with open_scan(log.mask, colour=True) as mask:
            for first in range(0, mask.rows, BLOCK_ROWS):
                rows = mask.read(first, min(first + BLOCK_ROWS, mask.rows))
                if rows.ndim == 3 and np.ptp(rows, axis=2).any():
                    return f"{RULE}, this one is in colour; save it as gray, its curves white"
                rows = rows[..., 0] if rows.ndim == 3 else rows
                counts += _count_values(rows)
                scored_rows.append((rows != 128).any(axis=1))
    except ScanError as error:
        return error
    if fault := _fault_of_values(counts):
        return fault
    if counts[255] > counts[0]:
        return "most of it is curve: inverted? 255 is curve, 0 is all else"
    return MaskFacts(int(counts[255]), np.concatenate(scored_rows))


def _count_values(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How many pixels have each of the 256 values."""
    return cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel().astype(np.int64)


def _fault_of_size(mask: Path, image: Path) -> str:
    with open_scan(mask) as one, open_scan(image) as other:
        sizes = (one.rows, one.columns), (other.rows, other.columns)
    if sizes[0] == sizes[1]:
        return ""
    return (
        f"has {sizes[0][0]} x {sizes[0][1]} pixels (rows x columns), its image {image}"
        f" {sizes[1][0]} x {sizes[1][1]}; make a mask of the image's size"
    )


def _fault_of_values(counts: NDArray[np.int64]) -> str:
    odd = [value for value in range(256) if counts[value] and value not in (0, 128, 255)]
    if not odd:
        return ""
    if odd == [1] and not counts[255]:
        return "values 0 and 1: multiply by 255"
    found = ", ".join(map(str, odd[:3])) + (", ..." if len(odd) > 3 else "")
    return f"{RULE}, this one also {found}; save it without anti-aliasing or lossy compression"

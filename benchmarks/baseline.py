"""What a network has to beat: masks of a data set by threshold and morphology.

    python benchmarks/baseline.py DATA MASKS
    wellseg evaluate DATA --masks MASKS

It is the column "threshold + morphology" of README.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg.scan.atomic import write_file
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import MaskWriter
from wellseg.training.data_folder import list_logs

RUN_PX, GAP_PX, LENGTH_PX = 90, 9, 40
"""Best of some hundred combinations on 28 labelled regions: no straw man."""


def baseline_mask(gray: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Curves of a scan, uint8 (rows, columns) from 0 ink to 255 paper, as bool, True on curves.

    Ink is darker than Otsu's threshold; runs of 90 px along a row or column are grid and go; the
    gaps that leaves in curves are closed; specks go, and of the rest all that spans 40 px in either
    direction stays.
    """
    level, _ = cv2.threshold(gray, 0, 255, cv2.THRESH_OTSU)
    ink = (gray <= level).view(np.uint8)
    across = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, RUN_PX), np.uint8))
    down = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((RUN_PX, 1), np.uint8))
    ink[(across > 0) | (down > 0)] = 0
    gap = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (GAP_PX, GAP_PX))
    strokes = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, gap)
    strokes = cv2.morphologyEx(strokes, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    long = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) >= LENGTH_PX
    long[0] = False  # the background
    return np.asarray(long[labels])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("masks", type=Path)
    options = parser.parse_args()
    options.masks.mkdir(parents=True, exist_ok=True)
    for log in list_logs(options.data):
        with open_scan(log.image) as scan:
            mask = baseline_mask(scan.read(0, scan.rows))
        writer = MaskWriter(*mask.shape)
        writer.put(mask * np.uint8(255))
        write_file(options.masks / f"{log.name}.mask.tif", writer.tiff())


if __name__ == "__main__":
    main()

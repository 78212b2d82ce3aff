"""Whether curves keep their names on a whole scan, without labels: a dotted or dashed curve shows less
ink than a solid one in one track, everywhere.

    python benchmarks/crossings.py SCAN NAME.curves.csv

Of windows of 40 rows in which two such curves lie side by side: how many show that order, and how
many the other one, which is of two curves that have each other's names there."""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np

from wellseg.review.corrected import FLAGS, read_table
from wellseg.scan.pictures import to_gray
from wellseg.scan.reader import open_scan

ROWS, STEP, APART, BESIDE = 40, 20, 14, 160  # of a window; pixels between two curves
UNLIKE, CLEAR = 0.08, 0.15  # differences of the share of inked rows: of curves, in a window


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("curves", type=Path)
    options = parser.parse_args()
    with open_scan(options.scan) as scan:
        ink = to_gray(scan.read(0, scan.rows)) < 128
    curves = []
    for lines in read_table(options.curves).values():
        lines = lines[np.isfinite(lines[:, 2])]
        row, near = (
            lines[:, 0].astype(int),
            np.rint(lines[:, 2]).astype(int)[:, None] + range(-2, 3),
        )
        inked = ink[row[:, None], near.clip(0, ink.shape[1] - 1)].mean(1) > 0.3
        column, shown = np.full(len(ink), np.nan), np.zeros(len(ink))
        column[row], shown[row] = lines[:, 2], inked
        doubts = row[np.nan_to_num(lines[:, FLAGS]).astype(int) & 4 > 0]
        curves.append((inked.mean(), np.median(lines[:, 1]), column, shown, doubts))
    right = wrong = silent = 0
    for (less, track, one, inked, doubts), (more, other_track, other, full, others) in combinations(
        sorted(curves, key=lambda curve: curve[0]), 2
    ):
        if track != other_track or not track or more - less < UNLIKE:
            continue
        rows = np.flatnonzero((abs(one - other) > APART) & (abs(one - other) < BESIDE))
        for at in range(0, len(rows) - 30, STEP):
            window = rows[at : at + ROWS]
            difference = full[window].mean() - inked[window].mean()
            if window[-1] - window[0] > 2 * ROWS or abs(difference) <= CLEAR:
                continue
            right, wrong = right + (difference > 0), wrong + (difference < 0)
            told = np.concatenate([doubts, others])
            beside = (window[0] - 60 <= told) & (told <= window[-1] + 60)
            silent += difference < 0 and not beside.any()
    print(f"right {right:,}, reversed {wrong:,}, of these without an uncertain place {silent:,}")


if __name__ == "__main__":
    main()

"""False curves on whole headers: what is masked above the first curve of real scans.

    python benchmarks/headers.py SCANS [--weights NAME_OR_PATH] [--masks FOLDER]

headers.csv says in which row of each scan the first curve begins, read off the scans by eye with some rows
to spare, and whether the scan was paper for the weights (then its header was seen in training). With --masks
the masks that wellseg.predict made of the whole scans are scored; else the header is masked with 4,000 rows below
it, the norms' statistics from windows as the weights ask for: what predict says of it, but for weights that want
the whole scan's.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

import wellseg
from wellseg.scan.reader import open_scan
from wellseg.scores.masks import score_log
from wellseg.weights import read_header, weights_path, window_rows_of

BELOW_ROWS = 4000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scans", type=Path)
    parser.add_argument("--weights")
    parser.add_argument("--masks", type=Path)
    options = parser.parse_args()
    model = None if options.masks else wellseg.load_model(options.weights)
    window_rows = window_rows_of(read_header(weights_path(options.weights)), None)
    by_paper: dict[str, list[float]] = {"no": [], "yes": []}
    with (Path(__file__).parent / "headers.csv").open(newline="") as file:
        headers = list(csv.DictReader(file))
    for header in headers:
        name, rows = header["scan"], int(header["first_curve_row"])
        if model is None:
            with open_scan(options.masks / f"{name}.mask.tif") as scan:
                curve = scan.read(0, rows) == 255
        else:
            with open_scan(options.scans / f"{name}.tif") as scan:
                gray = scan.read(0, min(scan.rows, rows + BELOW_ROWS))
            curve = wellseg.segment(model, gray, window_rows=window_rows)[:rows] > 0.5
        false = score_log(curve, np.zeros(curve.shape, np.uint8)).false_centreline_px_per_row
        by_paper[header["on_mined_paper"]].append(false)
        print(f"{name:30} {rows:6} rows  {false:8.3f} false centreline px a row", flush=True)
    for on_paper, scores in by_paper.items():
        print(
            f"mean of {len(scores)} headers, of the weights' own paper: {on_paper}: {np.mean(scores):.3f}"
        )


if __name__ == "__main__":
    main()

"""Statistics of the whole scan, of windows along its depth, or of each labelled piece by itself?

    python -m wellseg.predict SCANS --out MASKS
    python benchmarks/windows.py LABELLED SCANS MASKS --windows 4000 16000

Prints the score of every labelled piece by itself, inside the mask of its whole scan, and with
``--window_rows``: F1@3px, or false centreline pixels a row where a piece has no curves. LABELLED is a data
set whose labels/NAME.json say the scan and the rows that a piece was cut from. To save time, windows
are evaluated on the part of the scan within ``--around`` rows of the piece.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from wellseg.evaluate import FALSE, score_files
from wellseg.rows.segment import segment
from wellseg.scan.reader import open_scan
from wellseg.training.data_folder import LogFiles, list_logs
from wellseg.weights import load_model


def read_rows(path: Path, start: int, stop: int) -> np.ndarray:
    with open_scan(path) as scan:
        return scan.read(max(0, start), min(stop, scan.rows))


def score(log: LogFiles, mask: np.ndarray) -> float:
    scores = score_files(log, mask)
    return scores.f1_at_3px if scores.has_curves else getattr(scores, FALSE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for folder in ("labelled", "scans", "masks"):
        parser.add_argument(folder, type=Path)
    parser.add_argument("--windows", type=int, nargs="*", default=[4000, 16000], help="rows")
    parser.add_argument("--around", type=int, default=20_000, help="rows above and below the piece")
    parser.add_argument("--weights", help="bundled name or file")
    parser.add_argument("--only", nargs="+", help="names of pieces")
    options = parser.parse_args()
    model = load_model(options.weights)
    columns = ["itself", "whole scan", *(f"{rows:,}" for rows in options.windows)]
    print(f"{'':28}" + "".join(f"{column:>12}" for column in columns))
    for log in list_logs(options.labelled):
        if log.label is None or (options.only and log.name not in options.only):
            continue
        label = json.loads(log.label.read_text())
        scan, (start, stop) = Path(label["scan"]), label["rows"]
        whole = options.masks / f"{scan.stem}.mask.tif"
        line = [score(log, segment(model, log.image) > 0.5)]
        line.append(
            score(log, read_rows(whole, start, stop) == 255) if whole.exists() else float("nan")
        )
        first = max(0, start - options.around)
        part = read_rows(options.scans / scan, first, stop + options.around)
        for rows in options.windows:
            probability = segment(model, part, window_rows=rows)
            line.append(score(log, probability[start - first : stop - first] > 0.5))
        print(f"{log.name:28}" + "".join(f"{value:12.3f}" for value in line), flush=True)


if __name__ == "__main__":
    main()

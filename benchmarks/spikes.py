"""How much of the height of labelled spikes the columns of followed curves reach.

    python benchmarks/spikes.py DATA [--split val]

DATA: a data set whose labels have whole curves. A spike is a run of rows in which the labelled path
spans more than 12 pixels, that lies on one side of its rows above and below."""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from wellseg.curves.curve import CurveFollower
from wellseg.curves.track_finder import find_tracks
from wellseg.rows.segment import segment
from wellseg.scan.reader import open_scan
from wellseg.training.data_folder import LogFiles, list_logs
from wellseg.weights import load_model

LEAST_PX, MOST_ROWS = 12, 60


def spans_of(path: list[list[float]], rows: int) -> np.ndarray:
    """First and last column of a path in each row, (2, rows), NaN where it is not."""
    x, y = np.array(path, float).reshape(-1, 2).T
    at = y.astype(int)
    inside = (at >= 0) & (at < rows)
    spans = np.full((2, rows), np.nan)
    np.fmin.at(spans[0], at[inside], x[inside])
    np.fmax.at(spans[1], at[inside], x[inside])
    return spans


def spikes_of(low: np.ndarray, high: np.ndarray) -> list[tuple[slice, float, float]]:
    """Rows of each spike, with two more above and below, and the columns of its foot and tip."""
    found = []
    middle = (low + high) / 2
    edges = np.flatnonzero(np.diff(np.pad(high - low > LEAST_PX, 1)))
    for start, stop in edges.reshape(-1, 2).tolist():
        if start < 1 or stop >= len(low) or stop - start > MOST_ROWS:
            continue
        beside, rows = middle[[start - 1, stop]], slice(max(0, start - 2), stop + 2)
        over, under = high[start:stop].max() - beside.max(), beside.min() - low[start:stop].min()
        if max(over, under) > max(LEAST_PX, 2 * np.ptp(beside), 2 * min(over, under)):
            tip = high[start:stop].max() if over > under else low[start:stop].min()
            found.append((rows, float(beside.mean()), float(tip)))
    return found


def heights(model: object, log: LogFiles) -> list[float]:
    """Of each spike of a log the share of its height that the curve followed there reaches."""
    curves = json.loads(log.label.read_text("utf-8")).get("whole", []) if log.label else []
    if not curves:
        return []
    with open_scan(log.image, colour=True) as scan:
        dpi, picture = scan.likely_dpi, scan.read(0, scan.rows)
        tracks = find_tracks(scan.read, range(scan.rows), dpi)
    sure = np.asarray(segment(model, log.image))
    follower = CurveFollower(dpi, tracks=tracks)
    follower.add(picture, (sure > 0.5) * np.uint8(255), np.rint(255 * sure).astype(np.uint8))
    follower.finish()
    columns = np.full((len(follower.curves), len(picture)), np.nan)
    for line, curve in zip(columns, follower.curves, strict=True):
        line[curve.first_row :][: curve.rows] = curve.points().column
    spans = [spans_of(curve["path"], len(picture)) for curve in curves]
    hits = [[np.sum((low - 5 <= c) & (c <= high + 5)) for c in columns] for low, high in spans]
    found = []
    for i, j in zip(*linear_sum_assignment(-np.reshape(hits, (len(spans), -1))), strict=True):
        for rows, foot, tip in spikes_of(*spans[i]):
            near = columns[j, rows]
            if not np.isnan(near).all():
                reached = np.nanmax((near - foot) / (tip - foot))
                found.append(float(reached))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="all")
    options = parser.parse_args()
    model = load_model()
    kinds: dict[str, list[float]] = {}
    for log in list_logs(options.data, options.split):
        kinds.setdefault(log.kind, []).extend(heights(model, log))
    for kind, shares in kinds.items():
        if shares:
            low, middle, high = np.percentile(shares, [25, 50, 75])
            print(
                f"{kind}: {len(shares)} spikes, {middle:.2f} of the height ({low:.2f} to {high:.2f})"
            )


if __name__ == "__main__":
    main()

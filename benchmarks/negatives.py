"""Pieces of scans beyond the labelled pages, to train on: what two networks agree on, with arrows
of dipmeters drawn where nothing is. Part of how `paper-logs-23` was trained: arms.md.

    python benchmarks/negatives.py look SCANS PIECES WEIGHTS OTHER_WEIGHTS   # 40 minutes; goes on
    python benchmarks/negatives.py make PIECES DATA

negatives.json has the pieces: of each scan their first rows, and boxes. ``look`` cuts them and keeps
both probabilities; ``make`` writes images/, masks/ and split.csv. A pixel is curve, or is not, where
both say so; else it is not scored, but in the boxes: what the other network alone marks there was
looked at, and is no curve. The arrows are of the kind that was trained on, not the same ones."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wellseg.rows.segment import segment
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import write_picture
from wellseg.weights import load_model

ROWS, WITH_ARROWS = 900, 230
CHOSEN = Path(__file__).with_suffix(".json")
CURVE, NONE, OTHER_CURVE = 178, 100, 140  # probabilities, of 255; those of the other are lower
Plane = np.ndarray[Any, np.dtype[np.uint8]]


def look(scans: Path, out: Path, *weights: str) -> None:
    """Pieces of each scan with the probability of both networks, NAME_ROW.npz."""
    models = [load_model(it) for it in weights]
    out.mkdir(parents=True, exist_ok=True)
    for name, tops in json.loads(CHOSEN.read_text("utf-8")).items():
        for top in map(int, tops):
            piece = out / f"{name}_{top}.tif"
            if piece.with_suffix(".npz").exists():
                continue
            with open_scan(scans / f"{name}.tif") as scan:
                picture, dpi = scan.read(top, min(scan.rows, top + ROWS)), scan.likely_dpi
            write_picture(piece, picture, dpi=dpi, kind="1-bit")
            found = [np.asarray(segment(it, str(piece), window_rows=ROWS)) for it in models]
            one, other = ((255 * it).round().astype(np.uint8) for it in found)
            np.savez_compressed(piece.with_suffix(".npz"), one=one, other=other)


def widen(pixels: Any, by: int) -> Any:
    return cv2.dilate(pixels.astype(np.uint8), np.ones((by, by), np.uint8)) > 0


def agreed(one: Plane, other: Plane, boxes: list[list[int]]) -> Plane:
    """The mask: 255 curve, 0 none, 128 not scored. boxes: column, row, width, height."""
    curve, too = one > CURVE, other > OTHER_CURVE
    mask = np.full(one.shape, 128, np.uint8)
    mask[(one < NONE) & (other < NONE)] = 0
    mask[(curve & widen(too, 3)) | (too & widen(curve, 3))] = 255
    far = ~widen(curve, 9)
    for x, y, wide, high in boxes:
        part = slice(y, y + high), slice(x, x + wide)
        mask[part][far[part]] = 0
    return mask


def arrows(picture: Plane, mask: Plane, dpi: float, rng: np.random.Generator) -> Plane | None:
    """The picture with arrows of a dipmeter in a band without curves; None where there is none."""
    (rows, columns), scale = picture.shape, dpi / 200
    for _ in range(30):
        wide, high = int(rng.uniform(160, 700) * scale), int(rng.uniform(0.5, 1) * rows)
        x, y = int(rng.uniform(0.05, 0.95) * columns - wide / 2), int(rng.uniform(0, rows - high))
        part = slice(y, y + high), slice(x, x + wide)
        inside = x >= 0 and x + wide <= columns
        if inside and (mask[part] > 0).mean() < 0.0015 and (picture[part] < 128).mean() < 0.25:
            break
    else:
        return None
    made, size = picture.copy(), scale * rng.uniform(0.7, 1.5)
    disc, line, long = (
        size * rng.uniform(5, 9),
        size * rng.uniform(2, 5),
        size * rng.uniform(12, 30),
    )
    step = size * rng.choice([8, 15, 25, 45]) * rng.uniform(0.7, 1.3)
    spread, scatter = rng.choice([0.02, 0.05, 0.12, 0.3]) * wide, rng.choice([0.3, 0.8, 3.1])
    place, turn, drift = x + wide * rng.uniform(0.1, 0.9), rng.uniform(0, 6.28), rng.uniform(0, 1)
    hollow, row = 0.6 * (rng.random() < 0.2), float(y)
    while row < y + high:
        place = np.clip(
            place + drift * rng.normal(0, 0.03 * wide), x + 0.05 * wide, x + 0.95 * wide
        )
        column, angle = place + spread * rng.normal(), turn + scatter * rng.uniform(-1, 1)
        turn += rng.normal(0, 0.1)
        if x < column < x + wide:
            disc_at = int(column), int(row)
            tail = int(column + long * np.cos(angle)), int(row + long * np.sin(angle))
            cv2.line(made, disc_at, tail, 0, max(1, round(line)))
            cv2.circle(made, disc_at, max(2, round(disc)), 0, -1)
            if rng.random() < hollow:
                cv2.circle(made, disc_at, max(1, round(disc / 2)), 255, -1)
        row += step * rng.uniform(0.2, 2) * (1 if rng.random() > 0.02 else 8)
    noise = cv2.GaussianBlur(rng.standard_normal(picture.shape, np.float32), (0, 0), 1.0)
    gray = cv2.GaussianBlur(made.astype(np.float32) / 255, (0, 0), 0.9) + 0.13 * noise / noise.std()
    edges = widen(made != picture, 7)
    return np.where(edges, np.where(gray < 0.5, 0, 255), picture).astype(np.uint8)


def make(pieces: Path, out: Path) -> None:
    chosen = json.loads(CHOSEN.read_text("utf-8"))
    rng, left, lines = np.random.default_rng(7), WITH_ARROWS, []
    for part in ("images", "masks"):
        (out / part).mkdir(parents=True, exist_ok=True)
    paths = sorted(pieces.glob("*.npz"))
    for i in rng.permutation(len(paths)).tolist():
        with open_scan(paths[i].with_suffix(".tif")) as scan:
            picture, dpi = scan.read(0, scan.rows), scan.likely_dpi
        found, name = np.load(paths[i]), paths[i].stem
        scan_name, _, top = name.rpartition("_")
        mask = agreed(found["one"], found["other"], chosen[scan_name][top])
        drawn = arrows(picture, mask, dpi, rng) if left else None
        left -= drawn is not None
        picture = picture if drawn is None else drawn
        write_picture(out / "images" / f"{name}.tif", picture, dpi=dpi, kind="1-bit")
        write_picture(out / "masks" / f"{name}.tif", mask, dpi=dpi)
        lines.append((name, "train", scan_name, "1-bit"))
    with (out / "split.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "split", "well", "kind"), *lines])


if __name__ == "__main__":
    command, folder, target, *weights = sys.argv[1:]
    {"look": look, "make": make}[command](Path(folder), Path(target), *weights)

"""Pieces of scans beyond the labelled pages, to train on: what two networks agree on, with arrows
of dipmeters and stains drawn where nothing is. Part of how `paper-logs-24` was trained: arms.md.

    python benchmarks/negatives.py look SCANS PIECES WEIGHTS OTHER_WEIGHTS   # 40 minutes; goes on
    python benchmarks/negatives.py make PIECES DATA

negatives.json has the pieces: of each scan their first rows, and boxes. ``look`` cuts them and keeps
both probabilities; ``make`` writes images/, masks/ and split.csv. A pixel is curve, or is not, where
both say so; else it is not scored, but in the boxes: what the other network alone marks there was
looked at, and is no curve. null: a header or a tail in which nothing is one. What is drawn is of
the kind that was trained on, not the same: there half of the second copies of the labelled pages
had arrows so near, too. No piece has rows of a labelled region."""

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

ROWS, WITH_ARROWS, DENSE, WITH_STAIN = 900, 0.42, 0.7, 0.25
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


def free(
    picture: Plane, mask: Plane, rng: np.random.Generator, wide: int, ink: float
) -> tuple[int, int, int] | None:
    """Column, row and height of a band without curves, and with no more ink than a grid."""
    rows, columns = picture.shape
    for _ in range(40):
        high = int(rng.uniform(0.5, 1) * rows)
        x, y = int(rng.uniform(0.05, 0.95) * columns - wide / 2), int(rng.uniform(0, rows - high))
        part = slice(y, y + high), slice(x, x + wide)
        inside = x >= 0 and x + wide <= columns
        if inside and (mask[part] > 0).mean() < 0.0015 and (picture[part] < 128).mean() < ink:
            return x, y, high
    return None


def arrows(picture: Plane, mask: Plane, dpi: float, rng: np.random.Generator) -> Plane:
    """The picture with arrows of a dipmeter in a band without curves, where there is one: apart, or
    so near that they overlap."""
    scale, dense = dpi / 200, rng.random() < DENSE
    wide = int(rng.uniform(*((70, 260) if dense else (160, 700))) * scale)
    if (band := free(picture, mask, rng, wide, 0.25 + 0.05 * dense)) is None:
        return picture
    (x, y, high), made, size = band, picture.copy(), scale * rng.uniform(0.7, 1.5)
    disc, line = size * rng.uniform(4.5, 9), size * rng.uniform(2, 5)
    long = size * rng.uniform(12, 30)
    step = size * (rng.uniform(4, 11) if dense else rng.choice([8, 15, 25, 45]))
    spread = size * rng.uniform(1, 12) if dense else rng.choice([0.02, 0.05, 0.12, 0.3]) * wide
    place, turn = x + wide * rng.uniform(0.2, 0.8), rng.uniform(0, 6.28)
    scatter, hollow, row = rng.choice([0.1, 0.3, 0.8, 3.1]), rng.random() < 0.2, float(y)
    while row < y + high:
        drift = size * rng.normal(0, 3 if dense else 8)
        place = np.clip(place + drift, x + 0.15 * wide, x + 0.85 * wide)
        column, angle = place + spread * rng.normal(), turn + scatter * rng.uniform(-1, 1)
        turn += rng.normal(0, 0.1)
        if x < column < x + wide:
            disc_at = int(column), int(row)
            tail = int(column + long * np.cos(angle)), int(row + long * np.sin(angle))
            cv2.line(made, disc_at, tail, 0, max(1, round(line)))
            cv2.circle(made, disc_at, max(2, round(disc)), 0, -1)
            if hollow:
                cv2.circle(made, disc_at, max(1, round(disc / 2)), 255, -1)
        row += step * rng.uniform(0.2, 2) * (1 if rng.random() > 0.02 else 8)
    return worn(made, picture, rng)


def stain(picture: Plane, mask: Plane, dpi: float, rng: np.random.Generator) -> Plane:
    """The picture with a black band or a heavy line at one edge of the sheet, beside all curves."""
    (rows, columns), scale, made = picture.shape, dpi / 200, picture.copy()
    known = np.flatnonzero((mask > 0).any(0))
    flip = bool(rng.random() < 0.5)
    ends = (columns - 1 - known.max(), known.min()) if len(known) else (columns, columns)
    room = int(ends[not flip])
    if room < 25 * scale:
        return picture
    y = int(rng.uniform(0, 0.6) * rows)
    high = int(rng.uniform(0.2, 1) * (rows - y))
    left = rng.uniform(0, max(1, min(room - 22 * scale, 120 * scale)))
    wide = scale * (rng.uniform(3, 14) if rng.random() < 0.6 else rng.uniform(10, 40))
    slant = rng.normal(0, rng.choice([0.02, 0.3, 1]) * scale, high).cumsum() * 0.3
    noise = rng.standard_normal((high, 1), np.float32)
    ragged = cv2.GaussianBlur(noise, (0, 0), rng.uniform(2, 12))[:, 0] * rng.choice([0, 1.5])
    begin = left + slant
    stop = begin + np.maximum(0, wide * (1 + ragged))
    at = np.arange(columns)[:: -1 if flip else 1]
    inside = (at >= begin[:, None]) & (at < np.minimum(stop, room - 4)[:, None])
    made[y : y + high][inside] = 0
    return worn(made, picture, rng)


def worn(made: Plane, picture: Plane, rng: np.random.Generator) -> Plane:
    """What was drawn gets ragged edges, as a copy's."""
    noise = cv2.GaussianBlur(rng.standard_normal(picture.shape, np.float32), (0, 0), 1.0)
    gray = cv2.GaussianBlur(made.astype(np.float32) / 255, (0, 0), 0.9) + 0.13 * noise / noise.std()
    edges = widen(made != picture, 7)
    return np.where(edges, np.where(gray < 0.5, 0, 255), picture).astype(np.uint8)


def make(pieces: Path, out: Path) -> None:
    chosen = json.loads(CHOSEN.read_text("utf-8"))
    rng, lines = np.random.default_rng(7), []
    for part in ("images", "masks"):
        (out / part).mkdir(parents=True, exist_ok=True)
    for path in sorted(pieces.glob("*.npz")):
        with open_scan(path.with_suffix(".tif")) as scan:
            picture, dpi = scan.read(0, scan.rows), scan.likely_dpi
        found, name = np.load(path), path.stem
        scan_name, _, top = name.rpartition("_")
        boxes = chosen[scan_name][top]
        if boxes is None:
            mask = np.zeros_like(picture)
        else:
            mask = agreed(found["one"], found["other"], boxes)
            if rng.random() < WITH_ARROWS:
                picture = arrows(picture, mask, dpi, rng)
            if rng.random() < WITH_STAIN:
                picture = stain(picture, mask, dpi, rng)
        write_picture(out / "images" / f"{name}.tif", picture, dpi=dpi, kind="1-bit")
        write_picture(out / "masks" / f"{name}.tif", mask, dpi=dpi)
        lines.append((name, "train", scan_name, "1-bit"))
    with (out / "split.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "split", "well", "kind"), *lines])


if __name__ == "__main__":
    command, folder, target, *weights = sys.argv[1:]
    {"look": look, "make": make}[command](Path(folder), Path(target), *weights)

"""Changed copies of labelled pages of paper, to train on, or to score: arms.md, "Heavy lines".

    python data/pages/pages.py build SCANS PAGES
    python benchmarks/paper_copies.py heavy|fast PAGES DATA [train|val] [SEED]

heavy: some lines of the grid are as heavy as a curve or heavier; networks take such a line for a
curve where one meets it. Lines that are there are drawn over, most often those near curves; pages
without any have no copy. fast: rows are squeezed to a third to two thirds, so that swings run into
each other as on fast logs. DATA gets images/, masks/ and split.csv."""

import csv
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from negatives import worn

from wellseg.scan.reader import open_scan
from wellseg.scan.writer import write_picture
from wellseg.training.masks import read_mask

DOWN, ACROSS, BOTH = (5, 11), (3.5, 7.5), 0.45
"""Widths in px at 200 dpi; share of pages with heavy lines across, too."""
BAND_ROWS, STEP_ROWS, REACH_PX, INKED = 300, 60, 6, 0.45
"""Lines are looked for in a band, then followed; at least INKED of a line's length has ink."""
RESTING, WORN_AWAY = 0.4, 0.3  # share of the band in which a curve is on the line; of lines
FAST = 0.33, 0.66
SCORED = "BXG70_20589", "42371030860000_17504", "30025124810000_3_156892", "4707700086_gr_n_36118"
"""Pages with rows of labelled regions, or of the shared pages, which are to be scored."""
Plane = np.ndarray[Any, np.dtype[np.uint8]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Random = np.random.Generator


def follow(ink: Flags, row: int, column: float) -> tuple[Any, float]:
    """Columns of the nearly vertical line through a place, in each row, and its share of ink."""
    found = []
    for way in (1, -1):
        at, tilt = column, 0.0
        stop = len(ink) if way > 0 else -STEP_ROWS
        for top in range(row if way > 0 else row - STEP_ROWS, stop, way * STEP_ROWS):
            left = max(0, round(at + tilt) - REACH_PX)
            near = ink[max(0, top) : top + STEP_ROWS, left : left + 2 * REACH_PX + 1]
            if near.shape[0] < 8 or near.shape[1] < 5:
                break
            inked = np.convolve(near.mean(0), np.ones(3) / 3, "same")
            seen = left + int(inked.argmax())
            if inked.max() > 0.5:
                tilt = 0.7 * tilt + 0.3 * (seen - at)
            at = seen if inked.max() > 0.5 else at + tilt
            found.append((max(0, top) + STEP_ROWS / 2, at, inked.max()))
    rows, columns, shares = np.array(sorted(found)).T
    return np.interp(np.arange(len(ink)), rows, columns), float(shares.mean())


def thicken(ink: Flags, curve: Flags, widths: Any, count: int, scale: float, rng: Random) -> Flags:
    """The ink, with up to ``count`` of its vertical lines heavier."""
    made, top = ink.copy(), int(rng.uniform(0, max(1, len(ink) - BAND_ROWS)))
    band = slice(top, top + BAND_ROWS)
    inked = np.convolve(ink[band].mean(0), np.ones(3) / 3, "same")
    size = int(31 * scale) | 1, 1
    near = cv2.blur(curve[band].sum(0).astype(np.float32)[None], size)[0]
    resting = cv2.dilate(curve[band].astype(np.uint8), np.ones((1, 5), np.uint8)).mean(0)
    peak = inked == cv2.dilate(inked[None], np.ones((1, 13)))[0]
    lines = np.flatnonzero(peak & (inked > 0.4) & (resting < RESTING))
    if not len(lines):
        return made
    weight = near[lines] + 0.02 * near.max() + 1e-6
    for column in rng.choice(lines, min(len(lines), count), False, weight / weight.sum()):
        columns, share = follow(ink, top, column)
        if share < INKED:
            continue
        layer = np.zeros(ink.shape, np.uint8)
        points = np.stack([columns, np.arange(len(ink))], 1).astype(int)
        cv2.polylines(layer, [points], False, 1, max(2, round(rng.uniform(*widths) * scale)))
        if rng.random() < WORN_AWAY:
            noise = cv2.GaussianBlur(rng.standard_normal(ink.shape, np.float32), (0, 0), 2)
            layer[noise > 0.28 * rng.uniform(0.3, 1)] = 0
        made |= layer > 0
    return made


def heavy(picture: Plane, mask: Plane, dpi: float, rng: Random) -> tuple[Plane, Plane]:
    """The picture with heavy lines, or as it was; the mask as it was."""
    ink, curve, scale = picture < 128, mask > 0, dpi / 200
    made = thicken(ink, curve, DOWN, int(rng.integers(1, 5)), scale, rng)
    if rng.random() < BOTH:
        made = thicken(made.T, curve.T, ACROSS, int(rng.choice([1, 2, 4])), scale, rng).T
    if not curve.any() or (made == ink).all():
        return picture, mask
    return worn(np.where(made & ~ink, 0, picture).astype(np.uint8), picture, rng), mask


def fast(picture: Plane, mask: Plane, dpi: float, rng: Random) -> tuple[Plane, Plane]:
    """Both with fewer rows; a pixel is black, curve, or not scored where so much of its rows is."""
    size = picture.shape[1], round(len(picture) * rng.uniform(*FAST))

    def share(plane: Flags) -> Any:
        return cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA)

    black, curve = share(picture < 128) > 0.4, share(mask == 255) > 0.4
    squeezed = np.where(curve, 255, np.where(share(mask == 128) > 0.2, 128, 0))
    return np.where(black, 0, 255).astype(np.uint8), squeezed.astype(np.uint8)


def main(kind: str, pages: Path, out: Path, split: str = "train", seed: str = "1") -> None:
    rng, names = np.random.default_rng(int(seed)), []
    for part in ("images", "masks"):
        (out / part).mkdir(parents=True, exist_ok=True)
    with (pages / "split.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        if line["split"] != split or line["kind"] == "colour" or line["name"] in SCORED:
            continue
        with open_scan(pages / "images" / f"{line['name']}.tif") as scan:
            picture, dpi = scan.read(0, scan.rows), scan.likely_dpi
        mask = read_mask(pages / "masks" / f"{line['name']}.tif")
        made, truth = {"heavy": heavy, "fast": fast}[kind](picture, mask, dpi, rng)
        if not (mask == 255).any() or np.array_equal(made, picture):
            continue
        name = f"{line['name']}_{kind}{seed}"
        write_picture(out / "images" / f"{name}.tif", made, dpi=round(dpi), kind="1-bit")
        write_picture(out / "masks" / f"{name}.tif", truth, dpi=round(dpi))
        names.append((name, split, line["well"], "1-bit"))
    with (out / "split.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "split", "well", "kind"), *names])
    print(len(names), "copies")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])

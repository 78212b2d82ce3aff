"""The pages to train on, with changed copies of them beside: what real pages have too little of.

    python data/pages/pages.py build SCANS PAGES
    python data/pages/copies.py PAGES OUT            # OUT/1-bit and OUT/colour: 10 minutes of two cores
    python data/pages/copies.py PAGES OUT --only heavy --split val --seed 9   # to score: arms.md

One data set teaches the network for black and gray, one that for colours. Each has its pages of the
training split, some times over, and the copies of KINDS; and the validation split as it is. A copy
depends on its page, kind and seed alone. changes/ has what is drawn."""

import argparse
import csv
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from changes import colours, paper
from changes.black import black
from changes.labels import labels
from changes.level import level, still

from wellseg.scan.atomic import write_csv
from wellseg.scan.pictures import to_gray
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import write_picture
from wellseg.training.masks import read_mask

PAGES_TIMES = {"1-bit": 6, "colour": 2}
"""249 pages are of paper, 767 in colour; drawn logs and copies are many."""
TABLES, TURNED = 120, 240
SCORED = (
    *("BXG70_20589", "42371030860000_17504", "33-025-02222-0001_5215", "50732740_6402"),
    *("30025124810000_3_156892", "4707700086_gr_n_36118"),
)
"""Pages with rows of labelled regions, which are to be scored: not trained on."""


def hatched(picture: Any, mask: Any, dpi: float, rng: np.random.Generator) -> tuple[Any, Any]:
    for _ in range(rng.integers(1, 4)):
        picture = colours.hatch(picture, mask, dpi, rng)
    return picture, mask


def gray(picture: Any, mask: Any, _dpi: float, _rng: Any) -> tuple[Any, Any]:
    return to_gray(picture), mask


def straight(picture: Any, mask: Any, dpi: float, rng: np.random.Generator) -> Any:
    """Curves ruled straight down, on every second page with toner: there they are missed most."""
    made = still(picture, mask, dpi, rng)
    return paper.speckled(*made, dpi, rng) if made and rng.random() < 0.5 else made


class Kind(NamedTuple):
    """of: the kind of page that is changed. to: the data set. share: of these pages. times: copies of
    each, of other random numbers."""

    of: str
    to: str
    change: Callable[[Any, Any, float, np.random.Generator], Any]
    times: int = 1
    share: float = 1.0
    stored: str = ""  # kind of the file, if not ``to``


KINDS = {
    "heavy": Kind("1-bit", "1-bit", paper.heavy, times=3),
    "fast": Kind("1-bit", "1-bit", paper.fast),
    "arrows": Kind("1-bit", "1-bit", paper.arrows, times=2),
    "level": Kind("1-bit", "1-bit", level, times=2),
    "speckled": Kind("1-bit", "1-bit", paper.speckled, times=2),
    "still": Kind("1-bit", "1-bit", straight, times=2),
    "black": Kind("colour", "1-bit", black, times=2),
    "gray": Kind("colour", "1-bit", gray, stored="gray"),
    "hatched": Kind("colour", "colour", hatched),
    "faint": Kind("colour", "colour", colours.faint, share=0.5),
    "straight": Kind("colour", "colour", colours.straight, share=0.4),
    "bars": Kind("colour", "colour", level),  # level strokes in the inks of the curves
    "labels": Kind("colour", "colour", labels),
}
Line = dict[str, str]


def write(
    out: Path, line: Line, picture: Any, mask: Any, dpi: float, kind: str, stored: str = ""
) -> Line:
    """A page of the data set OUT/kind; returns its line of split.csv."""
    for folder, plane in (("images", picture), ("masks", mask)):
        (out / kind / folder).mkdir(parents=True, exist_ok=True)
        how = {"kind": stored or kind} if folder == "images" else {}
        write_picture(out / kind / folder / f"{line['name']}.tif", plane, dpi=round(dpi), **how)
    return line | {"kind": stored or kind, "to": kind}


def copies_of(line: Line, pages: Path, out: Path, only: list[str], seed: int) -> list[Line]:
    """Write the copies of one page; returns their lines."""
    name, of = line["name"], "colour" if line["kind"] == "colour" else "1-bit"
    with open_scan(pages / "images" / f"{name}.tif", colour="any") as scan:
        picture, dpi = scan.read(0, scan.rows), scan.likely_dpi
    mask, made = read_mask(pages / "masks" / f"{name}.tif"), list[Line]()
    for kind in only:
        it = KINDS[kind]
        if it.of != of or (it.to == "colour" and picture.ndim < 3):
            continue
        for number in range(seed, seed + it.times):
            copy = f"{name}_{kind}{number}"
            rng = np.random.default_rng(zlib.crc32(copy.encode()))
            if rng.random() >= it.share:
                continue
            changed = it.change(picture, mask, dpi, rng)
            # A colour page that shows no colour is gray as it is.
            if changed and (it.stored or not np.array_equal(changed[0], picture)):
                own = changed[2] if len(changed) > 2 else dpi
                new = line | {"name": copy}
                made.append(write(out, new, *changed[:2], own, it.to, it.stored))
    return made


def tables(out: Path) -> Iterator[Line]:
    """Sheets of calibrations, in which nothing is a curve; the TURNED last ones lie on their sides, as
    headers do, with letters of many sizes."""
    for number in range(TABLES + TURNED):
        rng = np.random.default_rng(number)
        sheet, name = colours.table(rng), f"table_{number}"
        line = {"name": name, "split": "train", "well": name, "kind": "colour"}
        dpi = int(rng.choice([100, 150, 200]))
        if number >= TABLES:
            size = rng.choice([1, 1.5, 2, 3])
            sheet = np.rot90(cv2.resize(sheet, None, fx=size, fy=size), rng.choice([1, 3]))[:2000]
        yield write(out, line, sheet, np.zeros(sheet.shape[:2], np.uint8), dpi, "colour")


def make(pages: Path, out: Path, only: list[str], split: str = "train", seed: int = 1) -> None:
    """only: names of KINDS; with all of them pages and tables are there, too."""
    with (pages / "split.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chosen = [it for it in rows if it["split"] == split and not it["name"].startswith(SCORED)]
    # Half of the time goes by until a page is safe on the disk.
    with ProcessPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        task = partial(copies_of, pages=pages, out=out, only=only, seed=seed)
        found = [line for lines in pool.map(task, chosen, chunksize=8) for line in lines]
    if len(only) == len(KINDS):
        found += tables(out)
        for line in chosen + [it for it in rows if it["split"] == "val"]:
            to = "colour" if line["kind"] == "colour" else "1-bit"
            for number in range(PAGES_TIMES[to] if line["split"] == "train" else 1):
                name = line["name"] + f"_{number}" * bool(number)
                for folder in ("images", "masks"):
                    shutil.copy(
                        pages / folder / f"{line['name']}.tif", out / to / folder / f"{name}.tif"
                    )
                found.append(line | {"name": name, "to": to})
    for to in sorted({line["to"] for line in found}):
        fields = "name", "split", "well", "kind"
        lines = [{it: line[it] for it in fields} for line in found if line["to"] == to]
        write_csv(out / to / "split.csv", fields, lines)
    for kind in only:
        print(sum(f"_{kind}" in line["name"] for line in found), kind)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("pages", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=[*KINDS], metavar="KIND")
    parser.add_argument("--split", choices=["train", "val"], default="train")
    parser.add_argument("--seed", type=int, default=1, help="of the first copy of each page")
    options = parser.parse_args()
    make(options.pages, options.out, options.only, options.split, options.seed)


if __name__ == "__main__":
    main()

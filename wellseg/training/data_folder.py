"""What lies in a data-set folder: pairs of scan and mask, and which split each belongs to.

    ROOT/images/NAME.tif      the scans; also .tiff, .png or .jpg, in any case
    ROOT/masks/NAME.tif       their masks, same rows and columns; also .tiff or .png
    ROOT/labels/NAME.json     optional: the curves' centrelines, see `scores.masks.read_label`
    ROOT/split.csv            optional: name[,split][,well][,kind], further columns are left alone

Only names are looked at here; nothing is decoded, so listing a large folder takes no time.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

VAL_SHARE = 0.1
TEST_SHARE = 0.1

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
MASK_SUFFIXES = (".tif", ".tiff", ".png")

HEADER = "-header-"
"""In the name of a crop of paper above a known first row: no curve is ever drawn on it."""


class DataError(ValueError):
    """A data set that cannot be used as it is; the message says which file and what to do."""


@dataclass(frozen=True)
class LogFiles:
    """One log of a data set."""

    name: str
    """The image's file name without its last suffix; unique in the data set."""
    image: Path
    """The scan, as it came from the archive."""
    mask: Path
    """Its truth, 0 background, 255 curve, 128 not scored; same rows and columns."""
    split: Split
    well: str
    """The well the log was measured in. All logs of a well are in one split."""
    kind: str = ""
    """The column `kind` of split.csv ("bilevel", "colour", ...), or "" without one."""
    label: Path | None = None
    """labels/NAME.json, or None without one."""


def list_logs(root: str | os.PathLike[str], split: str = "all") -> list[LogFiles]:
    """List the logs of a data set, or of one split of it, sorted by name.

    The split is the one in split.csv; where that file or its column `split` is missing, it is
    made from the wells' names, see `split_wells`. The well is the one in split.csv, else the name
    up to its first "_" (so give a `well` column where names start with a common word). A split
    may be empty (a data set of one well has no val), the whole data set never is.

    Raises:
        DataError: no such folder, no images, an image without a mask, a split.csv that does not
            fit the images or that puts one well into two splits, an unknown split.
    """
    root = Path(root)
    if split != "all" and split not in SPLITS:
        raise DataError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}, all")
    images = _list_images(root)
    table = root / "split.csv"
    rows = _read_table(table, images) if table.is_file() else {name: {} for name in images}
    wells = {name: rows[name].get("well") or well_of(name) for name in images}
    if any("split" in row for row in rows.values()):
        splits = _splits_in_table(table, rows, wells)
    else:
        by_well = split_wells(wells.values())
        splits = {name: by_well[wells[name]] for name in images}
    masks = _find_masks(root, images)
    logs = []
    for name, image in images.items():
        if split in ("all", splits[name]):
            label = root / "labels" / f"{name}.json"
            kind = rows[name].get("kind", "")
            log = LogFiles(name, image, masks[name], splits[name], wells[name], kind)
            logs.append(replace(log, label=label) if label.is_file() else log)
    return logs


def well_of(name: str) -> str:
    """Give the well that a log's name stands for: all before the first "_".

    >>> well_of("4212345678_gr_d2")
    '4212345678'
    """
    return name.split("_", 1)[0] or name


def split_wells(wells: Collection[str]) -> dict[str, Split]:
    """Divide wells into about 80 % train, 10 % val and 10 % test, by their names alone.

    A well's place is its sha1 read as a number u in [0, 1): val below 0.1, test below 0.2, else
    train. So the answer is the same on every machine, and adding logs moves no well. Small data
    sets are the exception, as chance could leave them without val or train: the well with the
    largest u is always train, and of two or more wells the one with the smallest u is always val.
    (In a set of some fifty wells both hold anyway.)

    >>> split_wells(["A", "B", "C"]) == split_wells(["C", "B", "A", "A"])
    True
    """
    order = sorted(set(wells), key=lambda well: (_place(well), well))
    splits: dict[str, Split] = {}
    for well in order:
        u = _place(well)
        splits[well] = "val" if u < VAL_SHARE else "test" if u < VAL_SHARE + TEST_SHARE else "train"
    if order:
        splits[order[0]] = "val"
        splits[order[-1]] = "train"
    return splits


def list_masks(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """List the masks of a folder by the names of their logs: NAME.tif, .tiff, .png, NAME.mask.tif.

    Of two for one name the better: NAME.mask.tif goes first, as `wellseg.predict` writes it beside
    the scan NAME.tif, then .tif, .tiff, .png.

    Raises:
        DataError: no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    masks: dict[str, tuple[int, Path]] = {}
    for path in _visible_files(folder):
        suffix = path.suffix.lower()
        if suffix not in MASK_SUFFIXES:
            continue
        names = [(1 + MASK_SUFFIXES.index(suffix), path.stem)]
        if path.stem.endswith(".mask"):
            names.append((0, path.stem.removesuffix(".mask")))
        for rank, name in names:
            if name not in masks or rank < masks[name][0]:
                masks[name] = (rank, path)
    return {name: path for name, (_, path) in masks.items()}


def _place(well: str) -> float:
    digest = hashlib.sha1(well.encode("utf-8"), usedforsecurity=False).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _list_images(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    folder = root / "images"
    if not folder.is_dir():
        raise DataError(f"{root}: no folder images/ in it; a data set has images/ and masks/")
    images: dict[str, Path] = {}
    for path in _visible_files(folder):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            if path.stem in images:
                raise DataError(
                    f"{folder}: both {images[path.stem].name} and {path.name}; keep one"
                )
            images[path.stem] = path
    if not images:
        raise DataError(f"{folder}: no images in it (looked for *.tif, *.tiff, *.png, *.jpg)")
    return images


def _find_masks(root: Path, images: Collection[str]) -> dict[str, Path]:
    folder = root / "masks"
    if not folder.is_dir():
        raise DataError(f"{root}: no folder masks/ in it; a data set has images/ and masks/")
    masks = list_masks(folder)
    missing = [name for name in images if name not in masks]
    if missing:
        more = f" (and {len(missing) - 1} more images)" if len(missing) > 1 else ""
        raise DataError(
            f"{folder / missing[0]}.tif: no such mask, nor .png, for the image{more};"
            " draw it, or take the image out of images/"
        )
    return {name: masks[name] for name in images}


def _visible_files(folder: Path) -> list[Path]:
    # A leading dot: macOS leaves "._NAME.tif" beside every file it copies to a share.
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _read_table(path: Path, images: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Rows of split.csv by name, cells stripped. A column that is missing is missing in all."""
    rows: dict[str, dict[str, str]] = {}
    # utf-8-sig: spreadsheet programs put a byte-order mark before the first column's name.
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", restval="")
            columns = [column.strip() for column in reader.fieldnames or []]
            if "name" not in columns:
                raise DataError(f"{path}: no column name; its first line has {columns}")
            reader.fieldnames = columns
            for row in reader:
                row.pop("", None)
                cells = {column: cell.strip() for column, cell in row.items()}
                name, fault = cells["name"], ""
                if not name:
                    fault = "the name is empty"
                elif name in rows:
                    fault = f"{name} again"
                elif name not in images:
                    fault = f"there is no images/{name}.tif; take the line out or add the image"
                if fault:
                    raise DataError(f"{path}, line {reader.line_num}: {fault}")
                rows[name] = cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    for name, image in images.items():
        if name not in rows:
            raise DataError(f"{path}: images/{image.name} is not listed; add a line for it")
    return rows


def _splits_in_table(
    table: Path, rows: Mapping[str, Mapping[str, str]], wells: Mapping[str, str]
) -> dict[str, Split]:
    """The column split, checked; a well stands on one side, if split.csv says the wells at all."""
    splits: dict[str, Split] = {}
    first: dict[str, str] = {}
    for name, row in rows.items():
        if row["split"] not in SPLITS:
            known = ", ".join(SPLITS)
            raise DataError(
                f"{table}: {name} has the split {row['split']!r}; it must be one of {known}"
            )
        splits[name] = row["split"]
        other = first.setdefault(wells[name], name)
        # Guessed wells are not held against a split that somebody wrote down.
        if "well" in row and splits[other] != splits[name]:
            raise DataError(
                f"{table}: well {wells[name]} is in two splits, {splits[other]} ({other}) and"
                f" {splits[name]} ({name}); put all its logs into one"
            )
    return splits

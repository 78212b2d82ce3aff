"""What lies in a data-set folder: pairs of scan and mask, and which split each belongs to.

ROOT/images/NAME.tif      the scans; also .tiff, .png, .jpg, .bmp or .jp2, in any case
ROOT/masks/NAME.tif       their masks, same rows and columns; also .tiff or .png
ROOT/labels/NAME.json     optional: the curves' centrelines, see `masks.read_label`
ROOT/split.csv            optional: name[,split][,well][,kind], further columns are left alone"""

import csv
import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from wellseg.scan import NOT_READ, RESULTS, SUFFIXES, well_of
from wellseg.scan.atomic import encoding_of, separator_of

SPLITS, MASK_SUFFIXES = ("train", "val", "test"), (".tif", ".tiff", ".png")


class LogFiles(NamedTuple):
    """One log of a data set: the scan, and its truth."""

    name: str  # the image's file name without suffix, its accents as one letter (NFC), as typed
    image: Path
    mask: Path
    split: str  # train, val or test
    well: str
    kind: str = ""  # as split.csv says: bilevel, colour ...
    label: Path | None = None


def list_logs(root: str | Path, split: str = "all") -> list[LogFiles]:
    """List the logs of a data set, or of one split of it, sorted by name; a split may be empty.
    Splits and wells are those of split.csv; where it does not say: `split_wells`, `well_of`.
    Raises ValueError: an incomplete folder, a split.csv that does not fit."""
    root = Path(root)
    found = _list_files(root / "images", SUFFIXES, but=RESULTS)
    images = {normalize("NFC", path.stem): path for path in found}
    masks = list_masks(root / "masks")
    labels = {normalize("NFC", path.stem): path for path in (root / "labels").glob("*.json")}
    if twice := sorted({*found} - {*images.values()}):
        raise ValueError(f"{twice[0]}: another image has this name: keep one")
    for path in sorted((root / "images").iterdir()):
        if path.suffix.lower() in NOT_READ and normalize("NFC", path.stem) in masks.keys() - images:
            raise ValueError(f"{path}: convert it to TIFF")
    if missing := [name for name in images if name not in masks]:
        said = f"no such mask, nor .png, as for {len(missing)} of {len(images)} images"
        raise ValueError(f"{root / 'masks' / missing[0]}.tif: {said}; draw it, or leave these out")
    table = root / "split.csv"
    rows = _read_table(table, images) if table.is_file() else {name: {} for name in images}
    wells = {name: rows[name].get("well") or well_of(name) for name in images}
    by_well = split_wells(wells.values())
    logs, first_of = list[LogFiles](), dict[str, LogFiles]()
    for name, image in images.items():
        row, well, label = rows[name], wells[name], labels.get(name)
        side, kind = row.get("split") or by_well[well], row.get("kind", "")
        logs.append(LogFiles(name, image, masks[name], side, well, kind, label))
        if row.get("well"):  # guessed ones do not count against a split that somebody wrote down
            if (other := first_of.setdefault(well, logs[-1])).split != side:
                both = f"{other.split} ({other.name}) and {side} ({name})"
                raise ValueError(f"{table}: well {well} is in two splits, {both}; choose one")
    return [log for log in logs if split in ("all", log.split)]


def split_wells(wells: Collection[str]) -> dict[str, str]:
    """Divide wells into about 80 % train, 10 % val and 10 % test, by their names alone.
    A well's place is its sha1 as a number in [0, 1): val below 0.1, test below 0.2, else train.
    Adding logs moves no well, but the last is always train, and the first of several is val."""
    splits: dict[str, str] = {}
    places = {hashlib.sha1(os.fsencode(it), usedforsecurity=False).digest(): it for it in wells}
    for digest, well in sorted(places.items()):
        place = int.from_bytes(digest[:6], "big") / 2**48
        splits[well] = "val" if not splits or place < 0.1 else "test" if place < 0.2 else "train"
    return splits | {well: "train" for well in [*splits][-1:]}  # the last, if there is one


def list_masks(folder: str | Path) -> dict[str, Path]:
    """List the masks of a folder by the names of their logs. Of several the first of NAME.mask.tif,
    which predict writes, NAME.tif, .tiff and .png. Raises ValueError: no such folder."""
    found = _list_files(Path(folder), MASK_SUFFIXES)
    found.sort(key=lambda path: MASK_SUFFIXES.index(path.suffix.lower()), reverse=True)
    masks = {normalize("NFC", path.stem): path for path in found}  # of one name the last stays
    return masks | {it.removesuffix(".mask"): masks[it] for it in masks if it.endswith(".mask")}


def _list_files(folder: Path, suffixes: Collection[str], but: tuple[str, ...] = ()) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; a data set has images/ and masks/")
    # A leading dot: macOS leaves "._NAME.tif" beside every file it copies to a share.
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if found := [p for p in paths if p.suffix.lower() in suffixes and not p.name.endswith(but)]:
        return found
    raise ValueError(f"{folder}: no images in it (looked for *{', *'.join(sorted(suffixes))})")


def _read_table(path: Path, images: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Rows of split.csv by name, cells stripped. A column that is missing is missing in all."""
    try:
        text = normalize("NFC", path.read_text(encoding_of(path)))
        reader = csv.DictReader(text.splitlines(), restval="", delimiter=separator_of(text))
        lines = [(reader.line_num, line) for line in reader if any(map(any, line.values()))]
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: save it as CSV UTF-8 ({error})") from error
    rows: dict[str, dict[str, str]] = {}
    for number, line in lines:
        row = {str(key).strip().lower(): str(it).strip() for key, it in line.items()}
        has_splits = not {*row.values()}.isdisjoint(SPLITS)  # in a column that may be called "set"
        for column in ("name", "split") if has_splits else ("name",):
            if column not in row:
                raise ValueError(f"{path}: no column {column}: it has {', '.join(row)}")
        name, split, fault = row["name"], row.get("split", SPLITS[0]), ""
        if split not in SPLITS:
            fault = f"{name} has the split {split!r}, not train, val, test"
        elif name not in images:
            fault = f"no images/{name}.tif (names have no ending); take the line out"
        elif name in rows:
            fault = f"{name} again"
        if fault:
            raise ValueError(f"{path}, line {number}: {fault}")
        rows[name] = row
    if missing := images.keys() - rows.keys():
        raise ValueError(f"{path}: images/{images[min(missing)].name} is not listed; add a line")
    return rows

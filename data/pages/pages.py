"""Whole pages of real logs, labelled by hand, as coordinates: to a data set, and from corrections.

    python data/pages/pages.py build SCANS OUT    # OUT/images, OUT/masks, OUT/split.csv
    python data/pages/pages.py trace CORRECTED SCANS    # corrected pages -> data/pages/*.json
    python data/pages/pages.py name NAMED         # NAME.whole.json, curves by name -> whole/*.json

The scans are public filings without a licence and are not here; the labels alone are, CC BY 4.0.
A page is named SCAN_FIRSTROW. Its file holds the scan's name, rows [first, end), the SHA-256 of the
decoded rows, and in ``runs`` where the curves lie in each row: all else of the page is no curve, but
for ``ignored`` boxes (left, top, right, bottom), which nobody could decide.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from wellseg.scan import ScanError, one_line
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import write_picture

HERE = Path(__file__).parent
CONTEXT_ROWS = {"train": 150, "val": 650, "test": 650}
"""Rows above and below a page that its image has, not scored: a network sees what is around. In
training they only cost time."""
SPLITS = ("train", "train", "train", "val", "test")
SET_BACK_PX = 40
"""A curve that goes on further aside in the next row was set back by its track's width."""
NAMED_PX = 8
"""Ink that far from the path of a curve may be of its stroke."""
PDF_ROWS = 16_000  # that are drawn at a time: PDFium leaves out what is below row 32,767
API = re.compile(r"(\d\d)-?(\d{3})-?(\d{5})")
"""State, county and well, as both kinds of names begin: 33-025-02364-0002, 30025098730000_2."""
SAME_WELL = {"BWN18": "4237103086", "BWN49": "4237103086", "BXG70": "BXG57"}
"""Names that say nothing of their well, whose headers do: Unsicker 1; State National Bank 1."""


def well_of(scan: str) -> str:
    """The well of a scan by its name, which the well's other scans share: ten digits of its API
    number, or what stands before the first _, if that is more than a letter."""
    if api := API.match(scan):
        return "".join(api.groups())
    stem = scan.removesuffix(".tif")
    name = stem.split("_")[0]
    return SAME_WELL.get(name, name) if len(name) > 1 else stem


def split_of(well: str) -> str:
    """That of the well's other pages; else by a hash of its name."""
    pages = (json.loads(path.read_text()) for path in HERE.glob("*_*.json"))
    there = next((page["split"] for page in pages if page["well"] == well), None)
    return there or SPLITS[int(hashlib.sha256(well.encode()).hexdigest(), 16) % len(SPLITS)]


def read_page(path: Path, rows: tuple[int, int], dpi: float = 0) -> tuple[NDArray[np.uint8], str]:
    """Rows of a scan as they are stored, also where its colours show none, and their SHA-256; of a
    PDF as they are drawn at that resolution, and the SHA-256 of the file. At most those it has."""
    if path.suffix == ".pdf":
        return drawn(path, dpi)[slice(*rows)], hashlib.sha256(path.read_bytes()).hexdigest()
    with open_scan(path, colour="any") as scan:
        pixels = scan.read(rows[0], min(rows[1], scan.rows))
    return pixels, hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


@lru_cache
def kind_of(path: Path) -> str:
    """What `wellseg predict` takes a scan stored in colours for, also its rows that show none."""
    if path.suffix == ".pdf":
        return "gray"  # as each page shows
    with open_scan(path, colour=True) as scan:
        return scan.kind


@lru_cache(maxsize=3)  # resolutions
def drawn(path: Path, dpi: float) -> NDArray[np.uint8]:
    """The pages of a PDF, one below the other, as wide as the widest: RGB, uint8 (rows, columns, 3)."""
    import pypdfium2  # pip install pypdfium2: for these alone

    found, scale = [], dpi / 72
    for page in pypdfium2.PdfDocument(path):
        wide, high = (math.ceil(side * scale - 1e-3) for side in page.get_size())
        for top in range(0, high, PDF_ROWS):
            cut = 0, max(0, high - top - PDF_ROWS - 0.5) / scale, 0, max(0, top - 0.5) / scale
            part = page.render(scale=scale, crop=cut, rev_byteorder=True).to_numpy()
            found.append(part[: min(PDF_ROWS, high - top), :wide, :3])
    wide = max(one.shape[1] for one in found)
    white = {"borderType": cv2.BORDER_CONSTANT, "value": (255, 255, 255)}
    wider = [cv2.copyMakeBorder(one, 0, 0, 0, wide - one.shape[1], **white) for one in found]
    return np.concatenate(wider)


def mask_of(page: dict[str, Any]) -> NDArray[np.uint8]:
    """uint8 (rows, columns): 255 curve, 0 not, 128 not to be scored."""
    mask: NDArray[np.uint8]
    mask = np.zeros((page["rows"][1] - page["rows"][0], page["columns"]), np.uint8)
    for row, runs in zip(mask, page["runs"], strict=True):
        for first, end in zip(runs[::2], runs[1::2], strict=True):
            row[first:end] = 255
    for left, top, right, bottom in page["ignored"]:
        mask[top:bottom, left:right] = 128
    return mask


def build(scans: Path, out: Path) -> None:
    """A data set of all pages whose scans are in that folder."""
    for part in ("images", "masks"):
        (out / part).mkdir(parents=True, exist_ok=True)
    (out / "split.csv").write_bytes(b"")  # or what was begun would be split by its pages' names
    lines = [("name", "split", "well", "kind")]
    left_out: Counter[str] = Counter()  # pages, by their scan
    for path in sorted(HERE.glob("*_*.json")):
        page = json.loads(path.read_text())
        first, end = page["rows"]
        source = scans / page["scan"]
        if not source.exists():
            left_out[page["scan"]] += 1
            continue
        try:
            _, digest = read_page(source, (first, end), page["dpi"])
        except (ScanError, OSError, ValueError, RuntimeError, ImportError) as error:
            sys.exit(f"{path.stem}: {source} cannot be read ({one_line(error)})")
        if digest != page["sha256"]:
            sys.exit(f"{path.stem}: {source} has other pixels than those that were labelled")
        context = CONTEXT_ROWS[page["split"]]
        above = max(0, first - context)
        image, _ = read_page(source, (above, end + context), page["dpi"])
        mask = np.full(image.shape[:2], 128, np.uint8)
        mask[first - above : end - above] = mask_of(page)
        dpi = round(page["dpi"] or 200)
        kind = kind_of(source) if page["kind"] == "colour" else page["kind"]
        write_picture(out / "images" / f"{path.stem}.tif", image, dpi=dpi, kind=kind)
        write_picture(out / "masks" / f"{path.stem}.tif", mask, dpi=dpi)
        lines.append((path.stem, page["split"], page["well"], page["kind"]))
        down, about = first - above, dict[str, Any]()
        if (named := HERE / "whole" / path.name).exists():
            curves = json.loads(named.read_text())
            about["region"] = [down, end - above, 0, page["columns"]]
            about["ignore"] = to_rows([*page["ignored"], *unnamed(mask_of(page), curves)], down)
            about["kind"] = page["kind"]
            about["whole"] = [
                curve | {"path": [[x, y + down] for x, y in curve["path"]]} for curve in curves
            ]
        if (others := HERE / "others" / path.name).exists():
            boxes = json.loads(others.read_text())
            about["others"] = {what: to_rows(each, down) for what, each in boxes.items()}
        if about:
            (out / "labels").mkdir(exist_ok=True)
            (out / "labels" / f"{path.stem}.json").write_text(json.dumps(about))
    if len(lines) == 1:
        (out / "split.csv").unlink()
        sys.exit(f"{scans}: none of the scans of {HERE} is in this folder")
    with open(out / "split.csv", "w", newline="") as file:
        csv.writer(file).writerows(lines)
    for name, count in left_out.items():
        print(f"{name} is not in {scans}: its {count} pages are left out")
    print(f"{len(lines) - 1} pages in {out}")


def to_rows(boxes: list[list[int]], down: int) -> list[list[int]]:
    """Boxes (left, top, right, bottom) as a label has them, (row, end, column, end), moved down."""
    return [[top + down, bottom + down, left, right] for left, top, right, bottom in boxes]


def unnamed(mask: NDArray[np.uint8], curves: list[dict[str, Any]]) -> list[list[int]]:
    """Boxes (left, top, right, bottom) of strokes that are of no curve with a name."""
    near = np.zeros_like(mask)
    for curve in curves:
        lines = np.split(np.array(curve["path"], np.int32), curve["starts"])
        cv2.polylines(near, lines, False, 1, round(curve["width"]) + 2 * NAMED_PX)
    found, strokes = [], (mask == 255) & (near == 0)
    for top in range(0, len(mask), 50):  # low boxes: little else lies in them
        part = strokes[top : top + 50].astype(np.uint8)
        for x, y, w, h, pixels in cv2.connectedComponentsWithStats(part)[2][1:].tolist():
            found += [[x, top + y, x + w, top + y + h]] if pixels >= 100 else []
    return found


def runs_of(curve: NDArray[np.bool_]) -> list[list[int]]:
    """The curves' pixels in each row: first column and end of each run, one after the other."""
    edges = np.diff(np.pad(curve.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    return [np.flatnonzero(row).tolist() for row in edges]


def trace(folder: Path, scans: Path) -> None:
    """NAME.truth.tif, NAME.corr.json and NAME.about.json (scan, rows) of each corrected page, as
    coordinates."""
    if not any(folder.glob("*.corr.json")):
        sys.exit(f"{folder}: no NAME.corr.json is there")
    for path in sorted(folder.glob("*.corr.json")):
        name = path.name.removesuffix(".corr.json")
        truth = folder / f"{name}.truth.tif"
        if not truth.exists():
            continue
        about = json.loads((folder / f"{name}.about.json").read_text())
        corrections, mask = json.loads(path.read_text()), tifffile.imread(truth)
        try:
            with open_scan(scans / about["scan"], colour="any") as scan:
                told = {key: getattr(scan, key) for key in ("columns", "kind", "dpi")}
        except ScanError as error:
            sys.exit(str(error))
        _, digest = read_page(scans / about["scan"], tuple(about["rows"]))
        page = {
            **{key: about[key] for key in ("scan", "rows")},
            **told,
            "sha256": digest,
            "well": well_of(about["scan"]),
            "split": split_of(well_of(about["scan"])),
            "note": corrections.get("note", ""),
            "ignored": corrections.get("ignore", []),
            "runs": runs_of(mask == 255),
        }
        assert (mask_of(page) == mask).all(), name
        (HERE / f"{name}.json").write_text(json.dumps(page, separators=(",", ":")) + "\n")
        print(f"{name}: {page['split']}")


def name(folder: Path) -> None:
    """Keep the curves of NAME.whole.json, [{"name", "style", "width", "path": [[x, y], ...]}, ...] in
    pixels of the page, as whole/NAME.json. Each row has the first and last column of the stroke's
    middle; ``starts`` are the points where a curve goes on elsewhere."""
    if not any(folder.glob("*.whole.json")):
        sys.exit(f"{folder}: no NAME.whole.json is there")
    for path in sorted(folder.glob("*.whole.json")):
        place, whole = HERE / "whole" / f"{path.name.removesuffix('.whole.json')}.json", []
        for curve in json.loads(path.read_text()):
            points = np.rint(curve["path"]).astype(int)
            y, row = np.unique(points[:, 1], return_inverse=True)
            low, high = np.full((2, len(y)), np.iinfo(int).max)
            high = -high
            np.minimum.at(low, row, points[:, 0])
            np.maximum.at(high, row, points[:, 0])
            apart = np.maximum(low[1:] - high[:-1], low[:-1] - high[1:]) > SET_BACK_PX
            breaks = np.append(False, (np.diff(y) > 1) | apart)
            kept, starts = [], []
            for at, left, right, new in zip(y, low, high, breaks, strict=True):
                if new:
                    starts.append(len(kept))
                before = kept[-1][0] if kept else 0
                ends = sorted({int(left), int(right)}, key=lambda x: abs(x - before))
                kept += [[x, int(at)] for x in ends]
            whole.append(curve | {"path": kept, "starts": starts})
        place.parent.mkdir(exist_ok=True)
        place.write_text(json.dumps(whole, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    verb, *paths = sys.argv[1:] or [""]
    if verb == "build" and len(paths) == 2:
        build(Path(paths[0]), Path(paths[1]))
    elif verb == "trace" and len(paths) == 2:
        trace(Path(paths[0]), Path(paths[1]))
    elif verb == "name" and len(paths) == 1:
        name(Path(paths[0]))
    else:
        sys.exit(__doc__)

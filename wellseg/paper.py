"""Real paper from unlabelled scans, for synthetic curves to be drawn on.

    wellseg paper scans/ --out mine-paper             # images/, masks/ and previews/ of crops
    wellseg paper scans/ --out mine-paper --curves    # curves that are sure become truth, too
    wellseg train --weights paper-logs-8 --data.backgrounds mine-paper --out runs/mine

Nobody labels anything: the bundled weights tell where curves may be. Those places get 128 in the
crop's mask, "do not score"; everything else is 0, not a curve. Above the row where the curves
begin, what the weights take for short pieces of curve is lettering, and stays 0: that is what they
learn from most. With --curves, what the weights are sure of becomes truth (self-training: Xie et
al. 2020, arXiv 1911.04252), and less around it is left out.
Exit status: 0 all done, 1 some scans failed or gave no crop, 2 wrong usage.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.config import PaperConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from wellseg.scan.reader import Scan

DEFAULT_DPI = 200.0
"""Of a scan that does not say: most of the archive is."""
MAYBE, SURE = 0.03, 0.5
"""Probability from which a pixel may be curve, and is one. A curve that the weights miss leaves a
trace of a few per cent; missed curves in the paper would teach the network to miss them."""
REACH_IN = 0.04
"""How far around such a pixel nothing is scored, inches: a heavy pen's width."""
GAP_IN = 1.0, 0.25
"""Between such pixels, along the log and across, a curve may run on that the weights lost,
inches."""
TALL_IN = 1.0
"""A connected piece of that height is a curve; lettering is shorter, inches."""
LOST_IN = 0.75, 0.3
"""Where a curve ends, the weights may have lost it: below and above its end nothing is scored, to
this length and half this width, inches."""
START_IN = 0.3
"""A curve fades in: so far above its first row the header ends, inches."""
ISLAND_IN = 1.0
"""Smaller squares of certain paper among unknown are crossed by what the weights saw beside them,
inches."""
HEAVY_IN = 0.05
"""Ink wider than that, beside a grid, may be curves run together, inches."""
WIDE_IN, BLACK_IN = 0.12, 0.3
"""Ink wider than that both ways is not taken for truth, and is no curve: a flooded copy, a
scanner's bed, inches."""
CERTAIN = 0.9
"""Probability from which a pixel of a tall, not quite straight piece is taken for truth, with
--curves."""
STRAIGHT_IN = 0.06
"""A piece as narrow as that may be a line of the grid, inches."""
CURVES_GAP_IN, CURVES_REACH_IN = (0.3, 0.06), 0.015
"""With --curves, instead of GAP_IN and REACH_IN: the grid beside real curves is what there is to
learn."""
HEADER_OVERLAP = 4
"""Of a header whose end is known, so many crops show each row."""
MOST_UNKNOWN, LEAST_INK, MOST_INK = 0.6, 0.003, 0.5
"""Crops of another share of unscored pixels, or of ink, are of no use."""


@dataclass(frozen=True)
class Crop:
    """Some rows of a scan from ``row`` on. gray: uint8 (rows, columns). mask: the same, 0, 128 or
    255."""

    row: int
    gray: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    is_header: bool  # for certain


def paper_mask(
    gray: NDArray[np.uint8],
    probability: NDArray[np.float32],
    dpi: float,
    header: bool,
    curves: bool = False,
    first_curve_row: int | None = None,
) -> tuple[NDArray[np.uint8], bool]:
    """What is certainly not curve: uint8 (rows, columns), 0 no curve, 128 unknown; with ``curves``,
    255 a curve.

    gray: uint8 (rows, columns). probability: that of curve, float32, the same shape.
    header: the rows above these, if there are any, hold no curve. Also says whether that is still
    so below.
    first_curve_row: of these rows, where somebody has looked: 0 or less, or the number of rows and
    more, if it lies above or below them. None: the weights tell.
    """
    import cv2
    import numpy as np

    rows = len(probability)
    end = 0  # of the header
    maybe: NDArray[Any] = (probability > MAYBE).astype(np.uint8)
    pieces = cv2.morphologyEx(
        (probability > SURE).astype(np.uint8), cv2.MORPH_CLOSE, _box(dpi, 0.05, 0.02)
    )
    count, labels, stats, _ = cv2.connectedComponentsWithStats(pieces)
    lost = _beyond_ends(labels, stats, dpi)
    tall = (stats[:, cv2.CC_STAT_HEIGHT] >= dpi * TALL_IN) & (
        stats[:, cv2.CC_STAT_WIDTH] > dpi * STRAIGHT_IN
    )
    tall[0] = False
    certain = (
        (probability > CERTAIN) & tall[labels] if curves else np.zeros(probability.shape, bool)
    )
    gap_in, reach_in = (CURVES_GAP_IN, CURVES_REACH_IN) if curves else (GAP_IN, REACH_IN)
    if first_curve_row is not None:
        end = min(max(0, first_curve_row), rows)
        header = end == rows
        maybe[:end] = 0
    elif header:
        starts = [
            int(top)
            for top, height in stats[1:count, [cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT]]
            # One that begins just above the last row goes on below.
            if height >= dpi * TALL_IN or (top + height >= rows - 2 and height >= dpi * TALL_IN / 4)
        ]
        header = not starts
        end = rows if header else max(0, min(starts) - round(dpi * START_IN))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(maybe)
        short = (stats[:, cv2.CC_STAT_HEIGHT] < dpi * TALL_IN) & (
            stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT] <= end
        )
        short[0] = True
        maybe = np.where(short[labels], 0, 1).astype(np.uint8)
    maybe = cv2.morphologyEx(maybe, cv2.MORPH_CLOSE, _box(dpi, *gap_in))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (max(5, round(dpi * HEAVY_IN)),) * 2)
    heavy = cv2.morphologyEx((gray < 128).astype(np.uint8), cv2.MORPH_OPEN, disc)
    maybe[end:] = np.maximum(maybe, np.maximum(lost, heavy))[end:]
    reach = 2 * max(2 if curves else 4, round(dpi * reach_in)) + 1
    maybe = cv2.dilate(maybe, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    if not curves:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(
            np.where(maybe > 0, 0, 1).astype(np.uint8)
        )
        island = stats[:, cv2.CC_STAT_AREA] < (dpi * ISLAND_IN) ** 2
        maybe[island[labels]] = 1
    certain[:end] = False
    if first_curve_row is not None:
        maybe[:end] = 0
    mask = np.where(certain, 255, np.where(maybe > 0, 128, 0)).astype(np.uint8)
    _settle_black(gray, mask, dpi)
    return mask, header


def _settle_black(gray: NDArray[np.uint8], mask: NDArray[np.uint8], dpi: float) -> None:
    """Ink wider than any pen's: no curve for certain where it is a flooded copy or a scanner's bed.
    In place.

    gray, mask: uint8 (rows, columns), as paper_mask takes and gives them.
    """
    import cv2
    import numpy as np

    ink = (gray < 128).astype(np.uint8)
    for inches, was, becomes in ((WIDE_IN, 255, 128), (BLACK_IN, 128, 0)):
        side = 2 * round(dpi * inches / 2) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        mask[(cv2.morphologyEx(ink, cv2.MORPH_OPEN, disc) > 0) & (mask == was)] = becomes


def _beyond_ends(labels: NDArray[Any], stats: NDArray[Any], dpi: float) -> NDArray[np.uint8]:
    """1 above and below the ends of each tall piece, uint8 (rows, columns).

    labels, stats: of the pieces, as OpenCV's connectedComponentsWithStats gives them.
    """
    import cv2
    import numpy as np

    beyond = np.zeros(labels.shape, np.uint8)
    length, half = (round(dpi * inches) for inches in LOST_IN)
    for piece in range(1, len(stats)):
        left, top, width, height, _ = (int(value) for value in stats[piece])
        if height < dpi * TALL_IN:
            continue
        for row, start, stop in (
            (top, top - length, top),
            (top + height - 1, top + height, top + height + length),
        ):
            x = left + int(np.flatnonzero(labels[row, left : left + width] == piece).mean())
            cv2.rectangle(beyond, (x - half, start), (x + half, stop), 1, -1)
    return beyond


def _box(dpi: float, rows_in: float, columns_in: float) -> NDArray[Any]:
    """A morphological kernel of that size in inches, no smaller than 3 x 3."""
    import numpy as np

    return np.ones((max(3, round(dpi * rows_in)), max(3, round(dpi * columns_in))), np.uint8)


def read_headers(path: Path) -> dict[str, int]:
    """The row of each scan's first curve, by the scan's name, with or without its ending.

    path: CSV with the columns scan and first_curve_row. Raises ValueError if it is something else.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"scan", "first_curve_row"} <= set(reader.fieldnames or ()):
            raise ValueError(
                f"{path}: --headers is a CSV with the columns scan and first_curve_row"
            )
        try:
            return {row["scan"]: int(row["first_curve_row"]) for row in reader}
        except (ValueError, TypeError):
            raise ValueError(
                f"{path}, line {reader.line_num}: first_curve_row is a whole number"
            ) from None


def mine(
    net: nn.Module, scan: Scan, config: PaperConfig, first_curve_row: int | None = None
) -> Iterator[Crop]:
    """The crops of one scan: its header from the top, then pieces evenly spread over the rest.

    Each piece is segmented by itself, so that a scan of any height costs the same. Of a header
    whose end is known, ``first_curve_row``, crops overlap by three quarters: there are so few of
    them.
    """
    import numpy as np

    from wellseg.rows.segment import segment

    height, dpi = min(config.rows, scan.rows), scan.dpi or DEFAULT_DPI
    header_step = height if first_curve_row is None else max(1, height // HEADER_OVERLAP)
    header, row, left = True, 0, config.crops
    pieces: list[int] = []
    while left > 0:
        gray = np.ascontiguousarray(scan.read(row, row + height))
        ink = float((gray < 128).mean())
        if LEAST_INK <= ink <= MOST_INK:
            probability = segment(net, gray, precision=config.precision, device=config.device)
            first = None if first_curve_row is None else first_curve_row - row
            mask, header = paper_mask(gray, probability, dpi, header, config.curves, first)
            if (mask == 128).mean() <= MOST_UNKNOWN:
                yield Crop(row, gray, mask, is_header=first is not None and first >= len(gray))
        left -= 1
        below = row + height
        if header and left > config.crops // 2 and row + header_step + height <= scan.rows:
            row += header_step
            continue
        if not pieces:
            header = False
            pieces = [
                int(at)
                for at in np.linspace(below, scan.rows - height, left + 1)[1:]
                if at >= below
            ]
            left = len(pieces)
        if pieces:
            row = pieces.pop(0)


def list_scans(places: Sequence[str]) -> list[Path]:
    """Every scan that is named, fits a pattern or lies below a folder that is named.

    Raises ValueError, naming the path, for what is not there.
    """
    from wellseg.results.one_scan import is_result
    from wellseg.scan.files import expand, find_files
    from wellseg.scan.reader import is_scan_file

    def is_wanted(name: str, is_folder: bool) -> bool:
        if is_folder:
            return not name.startswith(".")
        return is_scan_file(name) and not is_result(name)

    scans: list[Path] = []
    for place in (place for pattern in places for place in expand(pattern)):
        is_folder, found = find_files(place, is_wanted)
        if not found:
            raise ValueError(f"{place}: no scan (TIFF, PNG or JPEG) in this folder")
        scans += [Path(place, file.name) if is_folder else Path(place) for file in found]
    return list(dict.fromkeys(scans))


def mine_all(config: PaperConfig) -> int:
    """Crops of every scan; returns the exit status."""
    from wellseg.scan.reader import ScanError, open_scan
    from wellseg.training.data_folder import HEADER
    from wellseg.weights import load_model, weights_path

    scans = list_scans(config.scans)
    first_curve_rows = read_headers(config.headers) if config.headers else {}
    names = {name for scan in scans for name in (scan.name, scan.stem)}
    if first_curve_rows and not names & first_curve_rows.keys():
        raise ValueError(
            f"{config.headers}: none of the {len(scans)} scans is named in its column scan"
        )
    net = load_model(weights_path(config.weights))
    for folder in ("images", "masks", "previews"):
        (config.out / folder).mkdir(parents=True, exist_ok=True)
    failed = total = 0
    for number, path in enumerate(scans, 1):
        found = 0
        first = first_curve_rows.get(path.stem, first_curve_rows.get(path.name))
        try:
            with open_scan(path) as scan:
                for crop in mine(net, scan, config, first):
                    kind = HEADER if crop.is_header else "-"
                    name = f"{path.stem}{kind}{crop.row:06d}"
                    _write(config.out, name, crop, scan.dpi or DEFAULT_DPI)
                    found += 1
        except (ScanError, OSError) as error:
            print(f"wellseg.paper: {' '.join(str(error).split())}", file=sys.stderr)
        print(f"{number}/{len(scans)} {path.name}: {found} crops", flush=True)
        failed += not found
        total += found
    curves = ", green is curve" if config.curves else ""
    print(
        f"{total} crops in {config.out}; look at {config.out / 'previews'}: red is not scored"
        f"{curves}, all else is no curve"
    )
    return SOME_FAILED if failed else 0


def _write(out: Path, name: str, crop: Crop, dpi: float) -> None:
    import cv2
    import numpy as np

    from wellseg.scan.atomic import atomic_file
    from wellseg.scan.pictures import encode_png, paint
    from wellseg.scan.writer import write_picture

    # The mask first: an image without a mask would make the folder unreadable.
    for part, pixels in (("masks", crop.mask), ("images", crop.gray)):
        write_picture(out / part / f"{name}.tif", pixels, dpi=round(dpi), bilevel=part == "images")
    small = (crop.gray.shape[1] // 2, len(crop.gray) // 2)
    gray, mask = (
        np.asarray(cv2.resize(a, small, interpolation=cv2.INTER_AREA), np.uint8)
        for a in (crop.gray, crop.mask)
    )
    with atomic_file(out / "previews" / f"{name}.png") as file:
        # Painted red is what is said to be curve and is none, green what is one.
        said, truth = (np.where(where, 255, 0).astype(np.uint8) for where in (mask > 0, mask > 200))
        file.write(encode_png(paint(gray, said, truth)))


def main(argv: Sequence[str] | None = None) -> None:
    from wellseg.weights import WeightsError

    config, _ = parse(PaperConfig, "paper", __doc__ or "", argv, positional="scans")
    try:
        status = mine_all(config)
    except (ValueError, OSError, WeightsError) as error:
        fail("paper", str(error), WRONG_USAGE)
    except KeyboardInterrupt:
        fail("paper", "stopped; the crops written so far are whole", INTERRUPTED)
    raise SystemExit(status)


if __name__ == "__main__":
    main()

"""Real paper from unlabelled scans, for synthetic curves to be drawn on.

    wellseg paper scans/ --out mine-paper             # images/, masks/ and previews/ of crops
    wellseg paper scans/ --out mine-paper --curves    # curves that are sure become truth, too
    wellseg train --weights paper-logs-9 --data.backgrounds mine-paper --out runs/mine

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
from typing import TYPE_CHECKING

from wellseg.cli import SOME_FAILED, run
from wellseg.config import InferenceOptions
from wellseg.net.options import at_least

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from wellseg.scan.reader import Scan

DEFAULT_DPI = 200.0
"""Of a scan that does not say: most of the archive is."""
HEADER_OVERLAP = 4
"""Of a header whose end is known, so many crops show each row."""
MOST_UNKNOWN, LEAST_INK, MOST_INK = 0.6, 0.003, 0.5
"""Crops of another share of unscored pixels, or of ink, are of no use."""


@dataclass
class PaperConfig(InferenceOptions):
    """Paper to draw synthetic curves on, from unlabelled scans."""

    scans: list[str]
    """Scans (TIFF, PNG, JPEG), or folders of them."""
    out: Path = Path("paper")
    """Folder for the crops: images/, masks/ (0 no curve, 128 not scored) and previews/."""
    crops: int = 8
    """Of each scan at most: up to half of them its header, the others spread over the rest."""
    rows: int = 1400
    """Of a crop; it is as wide as the scan."""
    curves: bool = False
    """Take the curves that the weights are sure of for truth (255), so that training learns from
    real ones, too."""
    headers: Path | None = None
    """CSV with columns scan and first_curve_row, read off by eye: in the rows above there is no
    curve for certain. Of such headers four times as many crops are taken, which overlap; they are
    named SCAN-header-ROW, and no curve is ever drawn on them."""

    def __post_init__(self) -> None:
        at_least(1, crops=self.crops)
        at_least(64, rows=self.rows)


@dataclass(frozen=True)
class Crop:
    """Rows of a scan from ``row`` on: gray and mask (0, 128 or 255), uint8 (rows, columns)."""

    row: int
    gray: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    is_header: bool  # for certain


def read_headers(path: Path) -> dict[str, int]:
    """The row of each scan's first curve, by the scan's name, with or without its ending.

    path: CSV with the columns scan and first_curve_row. Raises ValueError if it is something else.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        try:
            return {row["scan"]: int(row["first_curve_row"]) for row in reader}
        except (KeyError, ValueError, TypeError):
            raise ValueError(
                f"{path}, line {reader.line_num}: --headers is a CSV with the columns scan and"
                " first_curve_row, a whole number"
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
    from wellseg.training.paper_mask import paper_mask

    height, dpi = min(config.rows, scan.rows), scan.dpi or DEFAULT_DPI
    header_step = height if first_curve_row is None else max(1, height // HEADER_OVERLAP)
    header, row = True, 0
    pieces: list[int] | None = None
    for left in reversed(range(config.crops)):
        gray = np.ascontiguousarray(scan.read(row, row + height))
        ink = float((gray < 128).mean())
        if LEAST_INK <= ink <= MOST_INK:
            probability = segment(net, gray, precision=config.precision, device=config.device)
            first = None if first_curve_row is None else first_curve_row - row
            mask, header = paper_mask(gray, probability, dpi, header, config.curves, first)
            if (mask == 128).mean() <= MOST_UNKNOWN:
                yield Crop(row, gray, mask, is_header=first is not None and first >= len(gray))
        below = row + height
        if pieces is None:
            if header and left > config.crops // 2 and row + header_step + height <= scan.rows:
                row += header_step
                continue
            header = False
            places = np.linspace(below, scan.rows - height, left + 1)[1:]
            pieces = [int(at) for at in places if at >= below]
        if not pieces:
            return
        row = pieces.pop(0)


def mine_all(config: PaperConfig) -> int:
    """Crops of every scan; returns the exit status."""
    from wellseg.many.tasks import list_tasks
    from wellseg.scan.reader import ScanError, open_scan
    from wellseg.training.data_folder import HEADER
    from wellseg.weights import load_model

    scans = [Path(task.scan) for task in list_tasks(config.scans, None).tasks]
    first_curve_rows = read_headers(config.headers) if config.headers else {}
    names = {name for scan in scans for name in (scan.name, scan.stem)}
    if first_curve_rows and not names & first_curve_rows.keys():
        raise ValueError(
            f"{config.headers}: none of the {len(scans)} scans is named in its column scan"
        )
    net = load_model(config.weights)
    (config.out / "previews").mkdir(parents=True, exist_ok=True)
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
    from wellseg.scan.pictures import HIT, encode_png, paint
    from wellseg.training.write_folder import write_log

    write_log(out, name, crop.gray, crop.mask, dpi)
    small = (crop.gray.shape[1] // 2, len(crop.gray) // 2)
    gray, mask = (
        np.asarray(cv2.resize(a, small, interpolation=cv2.INTER_AREA), np.uint8)
        for a in (crop.gray, crop.mask)
    )
    picture = paint(gray, np.where(mask > 0, 255, 0).astype(np.uint8))
    picture[mask > 200] = HIT
    with atomic_file(out / "previews" / f"{name}.png") as file:
        file.write(encode_png(picture))


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    stopped = "the crops written so far are whole"
    run(mine_all, PaperConfig, "paper", __doc__ or "", argv, "scans", stopped)


if __name__ == "__main__":
    main()

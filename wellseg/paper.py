"""Real paper from unlabelled scans, for synthetic curves to be drawn on.

    wellseg paper scans/ --out mine-paper             # images/, masks/ and previews/ of crops
    wellseg paper scans/ --out mine-paper --curves    # curves that are sure become truth, too
    wellseg train --weights paper-logs-18 --data.backgrounds mine-paper --out runs/mine

Nobody labels anything: the bundled weights tell where curves may be. Those places get 128 in the
crop's mask, "do not score"; everything else is 0, not a curve. Short pieces of curve above the row
where the curves begin are lettering, and stay 0: from that they learn most. With --curves, what the
weights are sure of becomes truth (self-training: Xie et al. 2020, arXiv 1911.04252).
"""

import glob
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellseg.cli import SOME_FAILED, program
from wellseg.config import InferenceOptions
from wellseg.net.options import at_least
from wellseg.scan import USUAL_DPI, ScanError, one_line
from wellseg.scan.atomic import write_file
from wellseg.weights import load_model

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
    """Take curves that the weights are sure of for truth (255): training learns from them, too."""

    def __post_init__(self) -> None:
        at_least(1, crops=self.crops)
        at_least(64, rows=self.rows)


def mine(net: Any, scan: Any, config: PaperConfig) -> Iterator[tuple[int, Any, Any]]:
    """The crops of one open scan, its header from the top, then pieces evenly spread over the rest:
    the first row of each, its gray and its mask (0, 128 or 255), both uint8 (rows, columns)."""
    from wellseg.rows.segment import segment
    from wellseg.training.paper_mask import paper_mask

    height, dpi = min(config.rows, scan.rows), scan.dpi or USUAL_DPI
    header, row = True, 0
    for left in reversed(range(config.crops)):
        gray = scan.read(row, row + height)
        if LEAST_INK <= (gray < 128).mean() <= MOST_INK:
            probability = segment(net, gray, precision=config.precision, device=config.device)
            mask, header = paper_mask(gray, probability, dpi, header, config.curves)
            if (mask == 128).mean() <= MOST_UNKNOWN:
                yield row, gray, mask
        spread = max(height, (scan.rows - height - row) // max(1, left))
        row += height if header and left > config.crops // 2 else spread
        if row + height > scan.rows:
            return


def mine_all(config: PaperConfig) -> int:
    """Crops of every scan, in place of its earlier ones; returns the exit status.

    Raises ValueError: the folder holds a data set of another origin.
    """
    from wellseg.many.tasks import list_tasks
    from wellseg.scan.pictures import HIT, encode_png, paint
    from wellseg.scan.reader import open_scan
    from wellseg.training.masks import write_log

    tasks = {Path(task.scan): task for task in list_tasks(config.scans, str(config.out))[0]}
    net, previews = load_model(config.weights), config.out / "previews"
    if any(config.out.glob("images/*")) and not previews.exists():
        raise ValueError(f"{config.out}: holds images that wellseg paper did not cut; name another")
    found = dict.fromkeys(tasks, 0)
    for number, (path, task) in enumerate(tasks.items(), 1):
        stem = re.sub(r"[\\/]", "-", os.path.relpath(task.stem, config.out))
        try:
            for earlier in config.out.glob(f"*/{glob.escape(stem)}-{6 * '[0-9]'}.*"):
                earlier.unlink()
            with open_scan(path) as scan:
                for row, gray, mask in mine(net, scan, config):
                    name = f"{stem}-{row:06d}"
                    write_log(config.out, name, gray, mask, scan.dpi or USUAL_DPI)
                    picture = paint(gray, mask)
                    picture[mask == 255] = HIT
                    write_file(previews / f"{name}.png", encode_png(picture))
                    found[path] += 1
        except (ScanError, OSError) as error:
            print(f"wellseg.paper: {one_line(error)}", file=sys.stderr)
        print(f"{number}/{len(tasks)} {path.name}: {found[path]} crops", flush=True)
    look = "red is not scored, green is curve, all else is no curve"
    print(f"{sum(found.values())} crops in {config.out}; look at {previews}: {look}")
    return 0 if all(found.values()) else SOME_FAILED


main = program(mine_all, PaperConfig, "paper", __doc__, "scans", "crops written so far are whole")

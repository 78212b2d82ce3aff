"""Cut the labelled pieces out of masks of whole scans, so that evaluate can score them.

    python -m wellseg.predict SCANS --out MASKS
    python benchmarks/cut_masks.py LABELLED MASKS CUT
    python -m wellseg.evaluate LABELLED --masks CUT     # inside the whole scan: GroupNorm saw all of it
    python -m wellseg.evaluate LABELLED                 # each piece by itself

LABELLED is a data set whose labels/NAME.json say the scan and the rows that a piece was cut from.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from wellseg.logset import list_logs
from wellseg.scan import open_scan, write_mask


def cut_masks(labelled: Path, masks: Path, out: Path) -> None:
    """Write OUT/NAME.mask.tif for every piece; raises ScanError where a scan has no mask."""
    out.mkdir(parents=True, exist_ok=True)
    for log in list_logs(labelled):
        if log.label is None:
            continue
        label = json.loads(log.label.read_text())
        start, stop = label["rows"]
        with open_scan(masks / f"{Path(label['scan']).stem}.mask.tif") as mask:
            write_mask(out / f"{log.name}.mask.tif", [mask.read(start, stop)], stop - start, mask.columns)


if __name__ == "__main__":
    cut_masks(*map(Path, sys.argv[1:4]))

"""`python -m studies.batch_size_one.page --rows runs/atlas/rows --out report.html`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jsonargparse import auto_cli

from studies.batch_size_one.logs import Logs
from studies.batch_size_one.page.build import build
from studies.batch_size_one.page.live import live
from studies.batch_size_one.page.numbers import numbers
from studies.batch_size_one.rows import read_rows
from studies.batch_size_one.table import Table
from wellseg.scan.atomic import atomic_file


def page(
    rows: Path,
    out: Path = Path("report.html"),
    checkpoints: Path | None = None,
    logs: Path | None = None,
    scored: int = 64,
) -> None:
    """Make the page of the study from the rows that there are.

    Args:
        rows: Folder of the study's rows.
        out: The page.
        checkpoints: Folder of the study's checkpoints; without it no network runs in the page.
        logs: Folder where drawn logs are kept; drawn anew if they are not there.
        scored: Drawn logs of a set.
    """
    files = sorted(rows.glob("*.csv*"))
    if not files and not checkpoints:
        sys.exit(f"{rows}: no rows (*.csv, *.csv.xz), and no --checkpoints")
    table = Table(read_rows(files))
    data = numbers(table)
    data["live"] = None
    if checkpoints:
        kept = Logs(logs or out.parent / "logs", scored=scored)
        data["live"] = live(checkpoints, data["rates"], kept)
        if data["live"] is None:
            print(
                f"{checkpoints}: no weights of seed 0 at the best rates, or at 0.001 before those are known; the page is without its network"
            )
    with atomic_file(out) as file:
        file.write(build(data).encode())
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    auto_cli(page, as_positional=False)

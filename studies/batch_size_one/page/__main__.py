"""`python -m studies.batch_size_one.page --checkpoints runs/atlas/checkpoints`: see README.md."""

from __future__ import annotations

import sys
from pathlib import Path

from jsonargparse import auto_cli

from studies.batch_size_one.collect import rows_of
from studies.batch_size_one.logs import Logs
from studies.batch_size_one.page.build import block_of, build
from studies.batch_size_one.page.live import live, of_page, strips
from studies.batch_size_one.page.numbers import numbers
from studies.batch_size_one.table import Table
from wellseg.scan.atomic import atomic_file


def page(
    rows: Path | None = None,
    out: Path = Path("studies/batch_size_one/report.html"),
    checkpoints: Path | None = None,
    logs: Path = Path("runs/atlas/logs"),
    scored: int = 64,
    choose: bool = False,
) -> None:
    """Make the page of the study from the rows that there are.

    Args:
        rows: A run's folder of rows, for those that are not in the repository yet.
        out: The page; its links to rows and pre-registration are right in studies/batch_size_one/.
        checkpoints: Folder of the study's checkpoints; without it the network that the page has
            already stays in it, if any.
        logs: Folder where drawn logs are kept; drawn anew if they are not there.
        scored: Drawn logs of a set.
        choose: Choose the page's logs anew, by the network that the page has.
    """
    if rows and not rows.is_dir():
        sys.exit(f"{rows}: no such folder")
    table = Table(rows_of(rows))
    if not table.rows and not checkpoints:
        sys.exit("no rows yet, and no --checkpoints: there is nothing to show")
    data = numbers(table)
    data["live"] = block_of(out)["live"] if out.exists() else None
    kept = Logs(logs, scored=scored)
    if choose and data["live"]:
        data["live"]["strips"] = strips(of_page(data["live"]), kept)
    if checkpoints:
        data["live"] = live(checkpoints, data["rates"], kept)
        if data["live"] is None:
            print(
                f"{checkpoints}: no weights of seed 0 at the best rates, or at 0.001 before those "
                "are known; the page is without its network"
            )
    with atomic_file(out) as file:
        file.write(build(data).encode())
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    auto_cli(page, as_positional=False)

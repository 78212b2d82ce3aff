"""From a mask's probability to curves, tracks, CSV, LAS. Constants: benchmarks/arms.md has why."""

from collections.abc import Collection
from pathlib import Path

from wellseg.scan.files import MADE_OF_MASK, is_foreign


def endings_of(stem: Path) -> list[str]:
    """Of the curves' CSV and LAS files, also of those not there; none of a scan NAME.1."""
    csv, las, *numbered = MADE_OF_MASK["curves"]
    return [csv, las, *(it for it in numbered if not Path(f"{stem}{it[:-4]}{csv}").exists())]


def remove_curves(stem: Path, written: Collection[str] = ()) -> None:
    """Remove curves' files of an earlier run, except those of the endings ``written``."""
    for ending in endings_of(stem):
        if ending not in written and not is_foreign(path := Path(f"{stem}{ending}")):
            path.unlink(missing_ok=True)

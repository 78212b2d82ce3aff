"""From a mask's probability to curves, tracks, CSV and LAS."""

from collections.abc import Collection, Iterator
from pathlib import Path

from wellseg.scan.files import is_foreign


def las_of(stem: Path) -> Iterator[Path]:
    """Paths NAME.las, NAME.1.las ..., also of files not there; none of another scan, NAME.1."""
    for number in range(100):
        one = f"{stem}.{number}" if number else f"{stem}"
        if not (number and Path(f"{one}.curves.csv").exists()):
            yield Path(f"{one}.las")


def remove_curves(stem: Path, written: Collection[str] = ()) -> None:
    """Remove NAME.curves.csv and the LAS files of an earlier run, except those in ``written``."""
    for path in (Path(f"{stem}.curves.csv"), *las_of(stem)):
        if str(path) not in written and not is_foreign(path):
            path.unlink(missing_ok=True)

"""From a mask's probability to curves, tracks, CSV and LAS."""

from collections.abc import Collection, Iterator
from pathlib import Path

from wellseg.scan.atomic import is_foreign


def las_of(stem: Path) -> Iterator[Path]:
    """NAME.las, NAME.1.las ..., there or not; not those of another scan, which is called NAME.1."""
    for number in range(100):
        one = f"{stem}.{number}" if number else f"{stem}"
        if not (number and Path(f"{one}.curves.csv").exists()):
            yield Path(f"{one}.las")


def remove_las(stem: Path, written: Collection[str] = ()) -> None:
    """Remove those of an earlier run, but for those that are written now."""
    for las in las_of(stem):
        if str(las) not in written and not is_foreign(las):
            las.unlink(missing_ok=True)

"""From a mask's probability to curves, tracks, CSV and LAS."""

from collections.abc import Collection, Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> None:
    """``wellseg curves``."""
    from wellseg.curves.__main__ import main as run

    run(argv)


def remove_las(stem: Path, written: Collection[str] = ()) -> None:
    """Remove NAME.las and NAME.1.las, NAME.2.las ... of an earlier run, but for those that are
    written now. NAME.1.las beside NAME.1.curves.csv is of another scan, which is called NAME.1."""
    for number in range(100):
        one = f"{stem}.{number}" if number else f"{stem}"
        if f"{one}.las" not in written and not (number and Path(f"{one}.curves.csv").exists()):
            Path(f"{one}.las").unlink(missing_ok=True)

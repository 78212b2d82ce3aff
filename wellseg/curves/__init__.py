"""From a mask's probability to curves, tracks, CSV and LAS."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """``wellseg curves``."""
    from wellseg.curves.__main__ import main as run

    run(argv)

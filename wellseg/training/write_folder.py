"""Writes data sets as ``data_folder`` reads them; and what a folder of results is for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wellseg.scan.atomic import atomic_file
from wellseg.scan.writer import write_picture

Pixels = NDArray[np.uint8]


def claim(folder: Path, note: str, about: Mapping[str, object]) -> None:
    """Leave a note of what a folder is for, or find that very note in it.

    Raises ValueError where it is for something else: logs or runs of two kinds must not mix.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, text = folder / note, json.dumps(about, indent=1)
    if not path.exists():
        with atomic_file(path) as file:
            file.write(text.encode())
    elif (found := json.loads(path.read_text("utf-8"))) != json.loads(text):
        raise ValueError(f"{folder}: holds {found}, not {about}; remove it or name another folder")


def write_log(root: Path, name: str, image: Pixels, mask: Pixels, dpi: float) -> None:
    """Add a log to a data set. The mask first: an image without one makes the set unreadable."""
    for part, pixels in (("masks", mask), ("images", image)):
        (root / part).mkdir(parents=True, exist_ok=True)
        bilevel = part == "images"
        write_picture(root / part / f"{name}.tif", pixels, dpi=round(dpi), bilevel=bilevel)


def write_split(root: Path, columns: str, rows: Iterable[str]) -> None:
    """split.csv, of lines with commas."""
    with atomic_file(root / "split.csv") as file:
        file.write("\n".join([columns, *rows, ""]).encode())

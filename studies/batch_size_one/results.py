"""results.csv: one row for each (run, arm, schedule, seed, moment, mode, test set), grown as runs end."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from wellseg.scan.atomic import atomic_file

Row = dict[str, str]
Key = tuple[str, ...]

KEY = ("run", "arm", "schedule", "seed", "moment", "mode", "test_set")
COLUMNS = (
    *KEY, "step", "steps", "rate", "status", "f1", "dice", "f1_by_log", "dice_by_log",
    "tile_mismatch", "size_f1", "white_rows", "seconds_per_step", "peak_mb", "mpx_per_second",
)  # fmt: skip
"""status: "ok", or why that run failed. f1_by_log, dice_by_log: in the order of the test set, by semicolons."""

LAYER_KEY = ("run", "arm", "schedule", "seed", "moment", "layer")
LAYER_COLUMNS = (*LAYER_KEY, "channels", "test_set", "kl_mean", "kl_variance", "gap")


class Table:
    """A CSV that is only ever appended to, all rows of a call at once."""

    def __init__(self, path: Path, columns: Sequence[str], key: Sequence[str]) -> None:
        self.path, self.columns, self.key = path, tuple(columns), tuple(key)
        self.rows: list[Row] = []
        if path.exists():
            self._read()

    def _read(self) -> None:
        text = self.path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        reader = csv.DictReader(io.StringIO(whole, newline=""))
        if tuple(reader.fieldnames or ()) != self.columns:
            raise ValueError(f"{self.path}: its columns are not this version's; give another --out")
        self.rows = list(reader)
        if whole != text:  # a process that died while writing left half a line
            with atomic_file(self.path) as file:
                file.write(whole.encode())

    @property
    def keys(self) -> set[Key]:
        return {tuple(row[name] for name in self.key) for row in self.rows}

    def append(self, rows: Iterable[dict[str, object]]) -> None:
        """Add rows; columns left out are empty."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        if not self.path.exists():
            writer.writeheader()
        formatted = [{name: _text(row.get(name, "")) for name in self.columns} for row in rows]
        writer.writerows(formatted)
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(fd, text.getvalue().encode())
            os.fsync(fd)
        finally:
            os.close(fd)
        self.rows += formatted


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list):
        return ";".join(f"{each:.4f}" for each in value)
    return str(value)


def by_log(row: Row, score: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """f1 or dice of each log of a row."""
    return np.array([float(each) for each in row[f"{score}_by_log"].split(";")])

"""Rows of the study as files: a line for each way to get a mask from a checkpoint, and each set of
logs."""

from __future__ import annotations

import csv
import io
import lzma
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import torch

from wellseg.corpus import fingerprint
from wellseg.scan.atomic import atomic_file

KEY = (
    "part",
    "norm",
    "rate",
    "seed",
    "steps",
    "logs",
    "freeze",
    "data",
    "schedule",
    "step",
    "way",
    "set",
)
MADE = ("commit", "corpus", "machine", "trained")
"""Where a row was scored, and by which commits and machines its weights were trained."""
COLUMNS = (
    *KEY,
    "status",
    "f1",
    "dice",
    "false_px_per_row",
    "f1_by_threshold",
    "loss",
    *MADE,
    "names",
)
"""f1, dice, false_px_per_row: of each log, with semicolons, in the order of ``names``.
f1_by_threshold: mean F1 of the set at each of score.THRESHOLDS. loss: in the row of way and set
"training", the mean of each fortieth of the steps."""

Row = dict[str, Any]


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """As CSV; compressed, if the name ends in .xz."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _text(row.get(name)) for name in COLUMNS} for row in rows)
    data = text.getvalue().encode()
    with atomic_file(path) as file:
        file.write(lzma.compress(data) if path.suffix == ".xz" else data)


def read_rows(paths: Sequence[Path]) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in paths:
        data = path.read_bytes()
        text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode()
        rows += csv.DictReader(io.StringIO(text, newline=""))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ";".join(each if isinstance(each, str) else f"{each:.4f}" for each in value)
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


@cache
def made_here(device: str = "cpu") -> dict[str, str]:
    """commit (with + if files were changed), corpus and machine of this process; asked first at its
    start."""
    return {"commit": _commit(), "corpus": fingerprint(), "machine": _machine(device)}


def _commit() -> str:
    def git(*words: str) -> str:
        here = Path(__file__).parents[2]
        asked = ["git", "-C", str(here), *words]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    with suppress(OSError, subprocess.CalledProcessError):  # no clone, or no git
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "studies", "wellseg")
        return git("rev-parse", "--short=12", "HEAD") + "+" * bool(changed)
    return "unknown"


def _machine(device: str) -> str:
    name = platform.processor() or platform.machine()
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
    else:
        with suppress(OSError, IndexError):  # not Linux
            name = Path("/proc/cpuinfo").read_text().split("model name\t: ")[1].split("\n")[0]
    return f"{name}, torch {torch.__version__}"

"""The atlas as a command: see README.md."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from jsonargparse import auto_cli

from studies.batch_size_one.findings import best_rates, summary
from studies.batch_size_one.logs import Logs
from studies.batch_size_one.plan import Cell, plan
from studies.batch_size_one.rows import made_here, read_rows, write_rows
from studies.batch_size_one.score import score, score_without_training
from studies.batch_size_one.table import Table
from studies.batch_size_one.train import Training
from wellseg.corpus import fingerprint
from wellseg.device import pick_device
from wellseg.scan.atomic import atomic_file


def atlas(
    out: Path = Path("runs/atlas"),
    parts: str = "ADFECB",
    real: Path | None = None,
    pages: Path | None = None,
    seeds: int = 12,
    device: str = "auto",
    threads: int = 1,
    score_later: bool = False,
    tiny: bool = False,
) -> None:
    """Run, or go on with, the study. Started several times on one --out, the starts share the work.

    Args:
        out: Folder for logs, checkpoints, rows (results.csv) and summary.md.
        parts: Which parts, in this order.
        real: A labelled data set of real regions, scored too.
        pages: A data set of whole pages, scored too.
        seeds: Only the first so many seeds.
        device: auto, cpu, cuda or cuda:N.
        threads: Of PyTorch; with several starts one each.
        score_later: Train only: checkpoints are kept until they are scored.
        tiny: Minutes, to see it run: two stages, 16 steps, 4 logs of each kind.
    """
    torch.set_num_threads(threads)
    chosen = str(pick_device(device))
    logs = Logs(out / "logs", real, pages, 4 if tiny else 64)
    made_here(chosen)  # before the first row, for others may commit meanwhile
    _claim(out)
    for part in parts:
        best = best_rates(Table(_rows(out)))
        for cell in _cells(plan(best, part), seeds, tiny):
            _do(cell, out, logs, chosen, score_later)
        if part == "D" and best:
            v1 = ("batch_momenta", best["batch_momenta m0.01"])
            for cell in _cells(plan(best, "A"), seeds, tiny):
                if (cell.norm, cell.rate) == v1:
                    _score_without_training(cell, out, logs, chosen)
        write_summary(out)
    print(f"{out / 'summary.md'}")


def _cells(planned: Sequence[Cell], seeds: int, tiny: bool) -> list[Cell]:
    chosen = [cell for cell in planned if cell.seed < seeds]
    return [replace(cell, steps=16, widths=(8, 16)) for cell in chosen] if tiny else chosen


def _do(cell: Cell, out: Path, logs: Logs, device: str, score_later: bool) -> None:
    folder, rows = out / "checkpoints" / cell.name, out / "rows" / f"{cell.name}.csv"
    folder.mkdir(parents=True, exist_ok=True)
    rows.parent.mkdir(exist_ok=True)
    try:
        with FileLock(folder / "lock", blocking=False):
            if not (folder / "losses.json").exists():
                print(f"train {cell.name}", flush=True)
                training = Training(cell, logs, device)
                try:
                    training.run(folder)
                except FloatingPointError as error:  # PREREGISTRATION.md: scored 0, not left out
                    print(f"{cell.name}: {error}", flush=True)
                    training.write_losses(folder)
            if not rows.exists() and not score_later:
                print(f"score {cell.name}", flush=True)
                write_rows(rows, score(cell, folder, logs, device))
    except Timeout:
        print(f"{cell.name} is being done by another start", flush=True)


def _score_without_training(cell: Cell, out: Path, logs: Logs, device: str) -> None:
    folder, rows = out / "checkpoints" / cell.name, out / "rows" / f"D-of-{cell.name}.csv"
    if (folder / "annealed.pt").exists() and not rows.exists():
        print(f"score {rows.stem}", flush=True)
        write_rows(rows, score_without_training(cell, folder, logs, device))


def _claim(out: Path) -> None:
    """Rows of two corpora must not mix: raises ValueError where this one is not the folder's."""
    note, here = out / "corpus.txt", fingerprint()
    out.mkdir(parents=True, exist_ok=True)
    if note.exists() and note.read_text() != here:
        raise ValueError(
            f"{out} was begun with corpus {note.read_text()}, this is {here}: check out the commit "
            "that README.md names, or give another --out"
        )
    note.write_text(here)


def _rows(out: Path) -> list[dict[str, str]]:
    return read_rows(sorted((out / "rows").glob("*.csv")))


def write_summary(out: Path) -> None:
    rows = _rows(out)
    with atomic_file(out / "summary.md") as file:
        file.write(summary(Table(rows)).encode())


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    auto_cli(atlas, as_positional=False)

"""The atlas as a command: see README.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from jsonargparse import auto_cli

from studies.batch_size_one.collect import ROWS, committed_cells, committed_corpus, rows_of
from studies.batch_size_one.findings import best_rates, seeds_said, summary
from studies.batch_size_one.logs import Logs
from studies.batch_size_one.plan import Cell, plan
from studies.batch_size_one.rows import Row, made_here, write_rows
from studies.batch_size_one.score import score, score_without_training
from studies.batch_size_one.table import SEEDS, Table
from studies.batch_size_one.train import Training
from wellseg.corpus import fingerprint
from wellseg.device import pick_device
from wellseg.scan.atomic import atomic_file


def atlas(
    out: Path = Path("runs/atlas"),
    parts: str = "ADFECBGHI",
    real: Path | None = None,
    pages: Path | None = None,
    seeds: int = 12,
    device: str = "auto",
    threads: int = 1,
    score_later: bool = False,
    tiny: bool = False,
    rows: Path | None = ROWS,
) -> None:
    """Run, or go on with, the study. Started several times on one --out, the starts share the work.

    Args:
        out: Folder for logs, checkpoints, rows and summary.md.
        parts: Which parts, in this order.
        real: A labelled data set of real regions, scored too.
        pages: A data set of whole pages, scored too.
        seeds: Only the first so many seeds.
        device: auto, cpu, cuda or cuda:N.
        threads: Of PyTorch; with several starts one each.
        score_later: Train only: checkpoints are kept until they are scored.
        tiny: Minutes, to see it run: two stages, 16 steps, 4 logs of each kind, nothing of --rows.
        rows: Rows of finished cells, by `collect`. These cells are not run again; null: all are.
    """
    torch.set_num_threads(threads)
    chosen = str(pick_device(device))
    torch.backends.cudnn.enabled = False  # it plans anew, for seconds, for logs of another size
    made_here(chosen)  # before the first row, for others may commit meanwhile
    run = Run(out, Logs(out / "logs", real, pages, 4 if tiny else 64), chosen, score_later)
    run.kept = None if tiny else rows
    _claim(out, committed_corpus(run.kept))
    for part in parts:
        table = Table(run.rows())
        done = set(range(min(seeds, SEEDS))) <= set(table.seeds)
        best = best_rates(table) if done else {}
        if not done and part not in "AB":
            print(f"part {part} waits for A's rates: {seeds_said(table)}", flush=True)
        run.cells(_cells(plan(best, part), seeds, tiny))
        if part == "D" and best:
            v1 = ("batch_momenta", best["batch_momenta m0.01"])
            for cell in _cells(plan(best, "A"), seeds, tiny):
                if (cell.norm, cell.rate) == v1:
                    run.without_training(cell)
        with atomic_file(out / "summary.md") as file:
            file.write(summary(Table(run.rows())).encode())
    print(f"{out / 'summary.md'}")


def _cells(planned: Sequence[Cell], seeds: int, tiny: bool) -> list[Cell]:
    chosen = [cell for cell in planned if cell.seed < seeds]
    return [replace(cell, steps=16, widths=(8, 16)) for cell in chosen] if tiny else chosen


@dataclass
class Run:
    """A start of the study. kept: the folder of rows that are in the repository."""

    out: Path
    logs: Logs
    device: str = "cpu"
    score_later: bool = False
    kept: Path | None = None

    def rows(self) -> list[dict[str, str]]:
        return rows_of(self.out / "rows", self.kept)

    def cells(self, cells: Sequence[Cell]) -> None:
        """Train and score what has no rows in the repository."""
        there = committed_cells(self.kept)
        if known := sum(cell.name in there for cell in cells):
            print(f"{known} of {len(cells)} cells have their rows in {self.kept}", flush=True)
        for cell in cells:
            if cell.name not in there:
                self.do(cell, score, cell.name)

    def without_training(self, cell: Cell) -> None:
        """Part D on the weights of a cell of A; trained once more where only its rows are there."""
        name = f"D-of-{cell.name}"
        if name not in committed_cells(self.kept):
            if not (self.out / "checkpoints" / cell.name / "losses.json").exists():
                print(f"{cell.name} once more: part D needs its weights", flush=True)
            self.do(cell, score_without_training, name)

    def do(self, cell: Cell, scored: Callable[..., list[Row]], name: str) -> None:
        folder, rows = self.out / "checkpoints" / cell.name, self.out / "rows" / f"{name}.csv"
        folder.mkdir(parents=True, exist_ok=True)
        rows.parent.mkdir(exist_ok=True)
        try:
            with FileLock(folder / "lock", blocking=False):
                if not (folder / "losses.json").exists():
                    print(f"train {cell.name}", flush=True)
                    training = Training(cell, self.logs, self.device)
                    try:
                        training.run(folder)
                    # PREREGISTRATION.md: scored 0, not left out.
                    except FloatingPointError as error:
                        print(f"{cell.name}: {error}", flush=True)
                        training.write_losses(folder)
                if not rows.exists() and not self.score_later:
                    print(f"score {name}", flush=True)
                    write_rows(rows, scored(cell, folder, self.logs, self.device))
        except Timeout:
            print(f"{cell.name} is being done by another start", flush=True)


def _claim(out: Path, kept: str | None) -> None:
    """Rows of two corpora must not mix: ends the program where this one is not the folder's, or
    not that of the rows in the repository."""
    note, here = out / "corpus.txt", fingerprint()
    out.mkdir(parents=True, exist_ok=True)
    there = note.read_text() if note.exists() else here
    for begun, what in ((there, out), (kept or here, "--rows")):
        if begun != here:
            raise SystemExit(
                f"{what} was begun with corpus {begun}, this is {here}: check out the commit that "
                "the rows name, or give another --out and --rows null"
            )
    note.write_text(here)


if __name__ == "__main__":
    auto_cli(atlas, as_positional=False)

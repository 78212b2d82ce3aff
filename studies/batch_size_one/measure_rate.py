"""A rate below the plan's: BatchNorm and own statistics are best at 3e-4, the lowest of part A.
Their training once more at 1e-4, its annealed end, at threshold 0.5. Ten minutes a seed.

Each row of the file is a seed, a way to ask for a mask and a set; f1: F1@3px, a mean over its logs.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import torch
from jsonargparse import auto_cli

from studies.batch_size_one.collect import ROWS
from studies.batch_size_one.logs import Logs
from studies.batch_size_one.measure import measured
from studies.batch_size_one.plan import STEPS, Cell
from studies.batch_size_one.rows import made_here
from studies.batch_size_one.score import at_checkpoint, score_set, ways
from studies.batch_size_one.train import Training
from wellseg.scan.atomic import write_csv

MEASURED_RATE = ROWS / "measured-rate.csv"
RATE, SETS = 1e-4, ("validation", "like", "renders", "real_bilevel", "real_colour")
COLUMNS = "seed", "way", "set", "logs", "f1"
SIGNED = "commit", "corpus", "machine"


def measure_rate(
    run: Path = Path("runs/atlas"),
    real: Path | None = None,
    seeds: int = 6,
    out: Path = MEASURED_RATE,
) -> None:
    """Train and measure the seeds that the file does not have yet.

    Args:
        run: The run's folder, which has the drawn logs and gets the checkpoints.
        real: Labelled real regions, as the run had them.
        seeds: Only the first so many.
        out: The rows are written there, after each seed anew.
    """
    torch.set_num_threads(1)
    given, rows, signed = Logs(run / "logs", real), measured(out), made_here()
    for seed in sorted(set(range(seeds)) - {int(row["seed"]) for row in rows}):
        cell = Cell("A", "batch_momenta", RATE, seed, STEPS["A"])
        folder = run / "checkpoints" / cell.name
        if not (folder / "losses.json").exists():
            Training(cell, given).run(folder)
        net = at_checkpoint(cell, folder / "annealed.pt")
        asked = {way: use for way, use in ways(net) if way in ("m0.01", "m0.1", "own")}
        for (way, use), name in product(asked.items(), SETS):
            if logs := given.set(name):
                with use(net):
                    f1 = float(np.nanmean(score_set(net, logs, "cpu")["f1"]))
                found = str(seed), way, name, str(len(logs)), f"{f1:.4f}"
                rows.append(dict(zip(COLUMNS, found, strict=True)) | signed)
                print(*found, flush=True)
        write_csv(out, (*COLUMNS, *SIGNED), rows)


if __name__ == "__main__":
    auto_cli(measure_rate, as_positional=False)

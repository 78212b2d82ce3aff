"""Part H's v1 with statistics of other unlabelled renders than the first ones: of each of the first
eight alone, and of sets of 4 and 16. Part D takes the first ones for every seed, so its intervals
leave out which are taken. Ten minutes of one core.

Each row of the file is a network and a set of unlabelled renders, of which so many have a curve;
f1: F1@3px at 0.5, a mean over the logs of *renders*. None taken: running statistics as they were.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jsonargparse import auto_cli

from studies.batch_size_one.collect import ROWS
from studies.batch_size_one.logs import Logs
from studies.batch_size_one.plan import FIRST_SEEDS, STEPS, Cell
from studies.batch_size_one.recalibrate import precise
from studies.batch_size_one.rows import made_here
from studies.batch_size_one.score import at_checkpoint, score_set, use_momentum
from wellseg.net.resunet import to_ink
from wellseg.scan.atomic import write_csv

MEASURED_UNLABELLED = ROWS / "measured-unlabelled.csv"
ALONE = 8
TAKEN = (
    (0, 0),
    *((first, 1) for first in range(ALONE)),
    *((first, 4) for first in (0, 4, 8, 12)),
    (0, 16),
    (16, 16),
    (0, 64),
)
"""The first render of each set, and how many."""
COLUMNS = "part", "seed", "first", "taken", "with_curves", "f1"
SIGNED = "commit", "corpus", "machine"


def measure_unlabelled(
    run: Path = Path("runs/atlas"),
    rate: float = 3e-4,
    logs: int = 64,
    out: Path = MEASURED_UNLABELLED,
) -> None:
    """Measure on the checkpoints of part H.

    Args:
        run: The run's folder, which has them and the logs.
        rate: Of v1.
        logs: As many as the run scored of each set.
        out: The rows are written there.
    """
    torch.set_num_threads(1)
    given, rows = Logs(run / "logs", scored=logs), []
    renders, unlabelled = given.set("renders"), given.set("unlabelled")
    signed = made_here() | {"corpus": (run / "corpus.txt").read_text()}
    for seed in range(FIRST_SEEDS):
        cell = Cell("H", "batch_momenta", rate, seed, STEPS["H"])
        for first, many in TAKEN:
            net = at_checkpoint(cell, run / "checkpoints" / cell.name / "annealed.pt")
            use_momentum(net, 0.01)
            taken = unlabelled[first : first + many]
            if taken:
                precise(net, [to_ink(log.tensors[0]) for log in taken])
            f1 = float(np.nanmean(score_set(net, renders, "cpu")["f1"]))
            found = "H", seed, first, many, sum(log.has_curves for log in taken), f"{f1:.4f}"
            rows.append(dict(zip(COLUMNS, found, strict=True)) | signed)
            print(*found, flush=True)
    write_csv(out, (*COLUMNS, *SIGNED), rows)


if __name__ == "__main__":
    auto_cli(measure_unlabelled, as_positional=False)

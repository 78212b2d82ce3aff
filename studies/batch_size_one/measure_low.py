"""Parts G and H at thresholds of the mask down to 1e-4, on their validation logs, too: the rows of
the run end at 0.025, which was the best one for v1, and have no thresholds of validation logs. Ten
minutes of one core.

Each row of the file is a network, a way to ask it for a mask and a set; f1_by_threshold: F1@3px at
each of LOW, means over the logs of the set.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from jsonargparse import auto_cli

from studies.batch_size_one.collect import ROWS
from studies.batch_size_one.logs import Logs, StudyLog
from studies.batch_size_one.plan import FIRST_SEEDS, STEPS, Cell
from studies.batch_size_one.recalibrate import running_norms
from studies.batch_size_one.rows import made_here
from studies.batch_size_one.score import THRESHOLDS, at_checkpoint, own_first, use_momentum
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.scan.atomic import write_csv
from wellseg.scores.masks import score_log

MEASURED_LOW = ROWS / "measured-low.csv"
LOW = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, *THRESHOLDS)
SETS = "validation", "like", "renders"
WAYS = {"batch_momenta": ("m0.01", "m0.1", "own"), "group": ("evaluation",)}
COLUMNS = "part", "seed", "norm", "way", "set", "logs", "f1_by_threshold"
SIGNED = "commit", "corpus", "machine"


def measure_low(
    run: Path = Path("runs/atlas"),
    rates: tuple[float, float] = (3e-4, 1e-3),
    logs: int = 64,
    out: Path = MEASURED_LOW,
) -> None:
    """Measure on the checkpoints of parts G and H that are there.

    Args:
        run: The run's folder, which has them and the logs.
        rates: Of v1 and of GroupNorm.
        logs: As many as the run scored of each set; of validation logs half.
        out: The rows are written there.
    """
    torch.set_num_threads(1)
    given, rows = Logs(run / "logs", scored=logs), []
    signed = made_here() | {"corpus": (run / "corpus.txt").read_text()}
    for part in "GH":
        for seed in range(FIRST_SEEDS):
            for norm, rate in zip(WAYS, rates, strict=True):
                cell = Cell(part, norm, rate, seed, STEPS[part])
                weights = run / "checkpoints" / cell.name / "annealed.pt"
                if not weights.exists():
                    print(f"{weights}: not there", flush=True)
                    continue
                net = at_checkpoint(cell, weights)
                for way in WAYS[norm]:
                    if way.startswith("m"):
                        use_momentum(net, float(way[1:]))
                    for name in SETS:
                        f1 = low(net, given.set(name), way == "own")
                        found = part, seed, norm, way, name, len(given.set(name))
                        said = ";".join(f"{x:.4f}" for x in f1)
                        rows.append(dict(zip(COLUMNS, (*found, said), strict=True)) | signed)
                        print(*found, said, flush=True)
    write_csv(out, (*COLUMNS, *SIGNED), rows)


@torch.no_grad()
def low(net: ResUNet, logs: list[StudyLog], own: bool) -> np.ndarray:
    """F1@3px at each of LOW, means over logs, which all have curves; own: each log's own
    statistics."""
    cuts, found = [math.log(p / (1 - p)) for p in LOW], []
    with own_first(net, len(running_norms(net))) if own else nullcontext():
        for log in logs:
            logits = net(to_ink(log.tensors[0]))[0, 0].float().numpy()
            found.append([score_log(logits > cut, log.truth).f1_at_3px for cut in cuts])
    return np.mean(found, 0)


if __name__ == "__main__":
    auto_cli(measure_low, as_positional=False)

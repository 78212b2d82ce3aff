"""Parts G and H at thresholds of the mask down to 1e-4, on their validation logs and on real
regions, too: the rows of the run end at 0.025, which was the best one for v1, and have no
thresholds of validation logs, nor of real regions. Half an hour of one core.

Each row of the file is a network, a way to ask it for a mask and a set; at each of LOW, means over
the logs of the set: f1_by_threshold, F1@3px, and of real regions false_px_by_threshold, false
centreline pixels a row.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from itertools import product
from pathlib import Path

import numpy as np
import torch
from jsonargparse import auto_cli

from studies.batch_size_one.collect import ROWS
from studies.batch_size_one.logs import Logs, StudyLog
from studies.batch_size_one.measure import measured
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
REAL = "real_bilevel", "real_colour", "negative"
WAYS = {"batch_momenta": ("m0.01", "m0.1", "own"), "group": ("evaluation",)}
COLUMNS = (
    "part",
    "seed",
    "norm",
    "way",
    "set",
    "logs",
    "f1_by_threshold",
    "false_px_by_threshold",
)
SIGNED = "commit", "corpus", "machine"


def measure_low(
    run: Path = Path("runs/atlas"),
    real: Path | None = None,
    rates: tuple[float, float] = (3e-4, 1e-3),
    logs: int = 64,
    parts: str = "GHI",
    out: Path = MEASURED_LOW,
) -> None:
    """Measure on the checkpoints that are there what the file does not have yet.

    Args:
        run: The run's folder, which has them and the drawn logs.
        real: Labelled real regions, as the run had them.
        rates: Of v1 and of GroupNorm; in part I each has the other's.
        logs: As many as the run scored of each drawn set; of validation logs half.
        parts: Of G to I.
        out: The rows are written there, after each network anew.
    """
    torch.set_num_threads(1)
    given, rows = Logs(run / "logs", real, scored=logs), measured(out)
    known = {tuple(row[name] for name in COLUMNS[:5]) for row in rows}
    signed = made_here() | {"corpus": (run / "corpus.txt").read_text()}
    for part, seed in product(parts, range(FIRST_SEEDS)):
        of_part = rates[::-1] if part == "I" else rates
        for norm, rate in zip(WAYS, of_part, strict=True):
            cell = Cell(part, norm, rate, seed, STEPS[part])
            weights = run / "checkpoints" / cell.name / "annealed.pt"
            if not weights.exists():
                print(f"{weights}: not there", flush=True)
                continue
            net = at_checkpoint(cell, weights)
            for way, name in product(WAYS[norm], SETS + REAL * bool(real)):
                found = part, str(seed), norm, way, name
                if found in known:
                    continue
                if way.startswith("m"):
                    use_momentum(net, float(way[1:]))
                some = given.set(name)
                means = low(net, some, way == "own")
                said = [";".join(f"{x:.4f}" for x in each) for each in means]
                said = ["" if name == "negative" else said[0], said[1] * (name in REAL)]
                about = *found, str(len(some)), *said
                rows.append(dict(zip(COLUMNS, about, strict=True)) | signed)
                print(*about, flush=True)
            rows.sort(key=lambda row: [row["part"], row["seed"]])
            write_csv(out, (*COLUMNS, *SIGNED), rows)


@torch.no_grad()
def low(net: ResUNet, logs: list[StudyLog], own: bool) -> tuple[np.ndarray, np.ndarray]:
    """F1@3px, and false centreline px a row, at each of LOW: means over logs, of which all have
    curves or none. own: each log's own statistics."""
    cuts, found = [math.log(p / (1 - p)) for p in LOW], []
    with own_first(net, len(running_norms(net))) if own else nullcontext():
        for log in logs:
            logits = net(to_ink(log.tensors[0]))[0, 0].float().numpy()
            scores = [score_log(logits > cut, log.truth) for cut in cuts]
            found.append([(s.f1_at_3px, s.false_centreline_px_per_row) for s in scores])
    f1, false_px = np.mean(found, 0).T
    return f1, false_px


if __name__ == "__main__":
    auto_cli(measure_low, as_positional=False)

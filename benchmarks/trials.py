"""What makes a network better, and what makes it faster: one thing changed at a time, all else alike.

    python benchmarks/trials.py --steps 3000                           # all; a row each in benchmarks/trials.csv
    python benchmarks/trials.py --steps 3000 --jobs 4 --only networks  # one group, four trainings at a time
    python benchmarks/trials.py --speeds                               # of the networks in the table, on this machine
    python benchmarks/trials.py --plot                                 # only draw benchmarks/trials.svg again

The group "networks": layouts. The group "recipes": the default network trained in other ways; with other seeds,
too, which tells what a difference is worth. Trained on what ``wellseg.train`` picks,
drawn logs of the train preset, four in ten of them on --backgrounds where these are given; scored on
labelled regions of real scans, 1-bit and colour apart: means over the regions with curves, and false
centreline pixels a row over those without.

Each training is a process of its own: one that fails is told of, and the others go on. A row that is there is not done
again, and a training that was stopped goes on. Speeds are measured by themselves, since --jobs disturb one another; a
table from a machine with a GPU gets its CPU's columns on a laptop. The training's seconds are those of a busy machine.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from wellseg.config import DataConfig, ModelConfig, OptimConfig, TrainConfig
from wellseg.device import pick_device, pick_dtype
from wellseg.evaluate import FALSE, LogScores, mean_scores, score_files
from wellseg.net.losses import curve_loss
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.rows.segment import segment
from wellseg.scan.atomic import atomic_file
from wellseg.train import train
from wellseg.training.data_folder import list_logs
from wellseg.weights import load_model

HERE = Path(__file__).parent
DEEP = (32, 64, 128, 128, 128)


def dense(**options: Any) -> ModelConfig:
    """A layout whose 3x3 convolutions are across all channels at once."""
    return ModelConfig(separable=False, **options)


@dataclass(frozen=True)
class Trial:
    """What is not as `wellseg.train` does it by itself."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: dict[str, Any] = field(default_factory=dict)
    optim: dict[str, Any] = field(default_factory=dict)
    times: int = 1
    """As many steps."""
    seed: int = 1


NO_PAPER = "without real paper"
GROUPS = {
    "networks": {
        "classic": Trial(dense(patch=1, widths=(16, 32, 64, 128))),
        "3 stages": Trial(dense(widths=(32, 64, 128))),
        "4 stages": Trial(dense(widths=(32, 64, 128, 128))),
        "5 stages": Trial(dense(widths=DEEP)),
        "5 stages, branch": Trial(dense(widths=DEEP, branch=8)),
        "5 stages, short decoder": Trial(dense(widths=DEEP, decoder_convs=1)),
        "5 stages, short decoder, branch": Trial(dense(widths=DEEP, decoder_convs=1, branch=8)),
        "5 stages, narrow": Trial(dense(widths=(16, 32, 64, 128, 128))),
        "5 stages, wide": Trial(dense(widths=(48, 96, 128, 128, 128))),
        "5 stages, separable": Trial(),
        "4 stages, dilated": Trial(dense(widths=(32, 64, 128, 128), dilation=3)),
    },
    "recipes": {
        "default": Trial(),
        "another seed": Trial(seed=2),
        "a third seed": Trial(seed=3),
        "no augmentation": Trial(data={"augment": False}),
        NO_PAPER: Trial(data={"backgrounds": None}),
        "512 rows": Trial(data={"crop_rows": 512}),
        "1024 rows": Trial(data={"crop_rows": 1024}),
        "half the rate": Trial(optim={"lr": 0.001}),
        "twice the rate": Trial(optim={"lr": 0.004}),
        "cross entropy alone": Trial(optim={"dice": 0.0}),
        "Dice alone": Trial(optim={"cross_entropy": 0.0}),
        "weight standardisation": Trial(ModelConfig(weight_standardisation=True)),
        "InstanceNorm": Trial(ModelConfig(norm="instance")),
        "twice the steps": Trial(times=2),
        "four times the steps": Trial(times=4),
    },
}
TRIALS = {name: trial for group in GROUPS.values() for name, trial in group.items()}
SIZE = 3200, 480
"""Rows and columns of the log that is timed."""

Row = dict[str, str]


# --- One trial, in a process of its own -----------------------------------------------------------


def make_config(name: str, options: argparse.Namespace) -> TrainConfig:
    trial, steps = TRIALS[name], options.steps * TRIALS[name].times
    data = {"preset": "train", "count": 1000, "val_count": 8, "workers": options.workers}
    data |= {
        "crop_rows": options.crop_rows,
        "backgrounds": options.backgrounds,
        "background_share": 0.4,
    }
    return TrainConfig(
        model=trial.model,
        data=DataConfig(**data | trial.data),
        optim=OptimConfig(**trial.optim),
        steps=steps,
        val_every=steps if steps % 5 else steps // 5,  # and so a checkpoint to go on from
        seed=trial.seed,
        out=options.out / f"{name.replace(', ', '-').replace(' ', '-')}-{steps}",
        resume=True,
        trainer={"enable_progress_bar": False},
    )


def do_trial(name: str, options: argparse.Namespace) -> None:
    """Train and score; leaves row.json in the run's folder."""
    # The other end of standard input is the process that started this one: end with it, also if it was killed.
    threading.Thread(target=lambda: os.read(0, 1) or os._exit(1), daemon=True).start()
    config = make_config(name, options)
    resumed = (config.out / "checkpoints" / "last.ckpt").exists()
    started = time.monotonic()
    weights = train(config, quiet=True)
    seconds = round(time.monotonic() - started)
    with (config.out / "metrics.csv").open(newline="") as file:
        dice = max(float(row["val/dice"]) for row in csv.DictReader(file) if row["val/dice"])
    row = {
        "group": next(group for group, trials in GROUPS.items() if name in trials),
        "name": name,
        "steps": config.steps,
        "seed": config.seed,
        "paper": config.data.background_share if config.data.backgrounds else 0,
        "parameters": sum(p.numel() for p in ResUNet(**asdict(config.model)).parameters()),
        "multiply_adds_per_px": round(multiply_adds(ResUNet(**asdict(config.model)))),
        "dice_drawn": round(dice, 4),
        **score(weights, options.labelled),
        "trained_on": device_name(),
        "training_s": "" if resumed else seconds,
    }
    with atomic_file(config.out / "row.json") as file:
        file.write(json.dumps({key: str(value) for key, value in row.items()}).encode())


def multiply_adds(net: torch.nn.Module) -> float:
    """Of a forward pass, for each pixel of the image: of convolutions, as PyTorch counts them."""
    ink = torch.zeros(1, 1, 320, 480)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(ink)
    return counter.get_total_flops() / 2 / ink.numel()


def score(weights: Path, labelled: Path) -> dict[str, float]:
    """Means over the regions with curves, 1-bit and colour apart, and over those without."""
    model = load_model(weights)
    results = [
        LogScores(log, score_files(log, segment(model, log.image) > 0.5))
        for log in list_logs(labelled)
    ]
    scores = {}
    for short, name in (("f1", "f1_at_3px"), ("precision", "precision"), ("recall", "recall")):
        for kind in sorted({r.log.kind for r in results}):
            means = mean_scores(r for r in results if r.log.kind == kind)
            if name in means:
                scores[f"{short}_{kind}"] = round(means[name], 4)
    means = mean_scores(results)
    return scores | ({"false_px_per_row": round(means[FALSE], 4)} if FALSE in means else {})


def device_name() -> str:
    """The GPU's name, or the processor's and its number of threads."""
    if pick_device().type == "cuda":
        return torch.cuda.get_device_name()
    try:
        name = Path("/proc/cpuinfo").read_text().split("model name\t: ")[1].splitlines()[0]
    except (OSError, IndexError):
        name = platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads"


# --- All of them ----------------------------------------------------------------------------------


def run_trials(names: list[str], options: argparse.Namespace, rows: list[Row]) -> int:
    """Those whose row is missing, ``--jobs`` at a time; returns how many failed."""
    done = {(row["name"], row["steps"], row["seed"]) for row in rows}
    todo = {name: make_config(name, options) for name in names}
    todo = {
        name: config
        for name, config in todo.items()
        if (name, str(config.steps), str(config.seed)) not in done
    }
    failed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        running = {
            pool.submit(run_trial, name, config.out, options.jobs): name
            for name, config in todo.items()
        }
        for ended in as_completed(running):
            try:
                rows.append(ended.result())
                write_rows(options.table, rows)
                print(rows[-1], flush=True)
            except (OSError, ValueError) as error:
                failed += 1
                print(f"{running[ended]}: {error}", flush=True)
    return failed


def run_trial(name: str, folder: Path, jobs: int) -> Row:
    """The row of one trial. Raises OSError or ValueError if its process left none."""
    folder.mkdir(parents=True, exist_ok=True)
    row = folder / "row.json"
    if not row.exists():
        threads = str(max(1, (os.cpu_count() or 1) // jobs))
        command = [sys.executable, __file__, *sys.argv[1:], "--one", name]
        with (folder / "log.txt").open("a") as log:
            environment = {"OMP_NUM_THREADS": threads, **os.environ}
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment
            )
            status = process.wait()
        if not row.exists():
            raise OSError(f"failed, status {status}; see {folder / 'log.txt'}")
    return dict(json.loads(row.read_text()))


def read_rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[Row]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: list(TRIALS).index(row["name"])))
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


# --- Speeds ---------------------------------------------------------------------------------------


def measure_speeds(rows: list[Row], table: Path) -> None:
    """Fill in what this machine does, once for each network."""
    measured: dict[str, Row] = {}
    for row in rows:
        model = TRIALS[row["name"]].model
        if repr(model) not in measured:
            measured[repr(model)] = {key: str(value) for key, value in speeds(model).items()}
            print(row["name"], measured[repr(model)], flush=True)
        row |= measured[repr(model)]
        write_rows(table, rows)


def speeds(model: ModelConfig) -> dict[str, float | str]:
    """Of training and inference, in the number format that suits the device."""
    device = pick_device()
    net = ResUNet(**asdict(model)).to(device, memory_format=torch.channels_last)
    gray = (torch.rand(1, 1, *SIZE) > 0.1).to(torch.uint8) * 255
    on_device = gray.to(device)
    optimizer = torch.optim.AdamW(net.parameters())
    bf16 = pick_dtype("auto", device) == torch.bfloat16

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = curve_loss(net(to_ink(on_device)), 255 - on_device)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    unit, on = "training_mpx_per_s", "gpu" if device.type == "cuda" else "cpu"
    result: dict[str, float | str] = {
        on: device_name(),
        f"{on}_{unit}": round(megapixels_per_second(step, device), 3),
    }
    net.eval()
    pixels = gray[0, 0].numpy()
    result[f"{on}_inference_mpx_per_s"] = round(
        megapixels_per_second(lambda: segment(net, pixels), device), 3
    )
    return result


def megapixels_per_second(work: Callable[[], object], device: torch.device) -> float:
    """Of something done to a log of ``SIZE``: the shortest of several times, after two that do not count."""
    times = []
    for _ in range(22 if device.type == "cuda" else 5):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return SIZE[0] * SIZE[1] / 1e6 / min(times[2:])


def plot(rows: list[Row], path: Path) -> None:
    """F1 of the networks against multiply-adds; the size of a dot is the time of a training step, if measured."""
    from matplotlib.figure import Figure

    rows = [row for row in rows if row["group"] == "networks"]
    steps = max(int(row["steps"]) for row in rows)
    rows = [row for row in rows if int(row["steps"]) == steps]
    kinds = sorted({name for row in rows for name in row if name.startswith("f1_") and row[name]})
    figure = Figure(figsize=(5.5 * len(kinds), 5), layout="constrained")
    for place, kind in enumerate(kinds, 1):
        axes = figure.add_subplot(1, len(kinds), place)
        for row in rows:
            x, y = float(row["multiply_adds_per_px"]) / 1000, float(row[kind])
            axes.scatter(
                x, y, 60 / float(row.get("cpu_training_mpx_per_s") or 1), "tab:blue", alpha=0.6
            )
            axes.annotate(row["name"], (x, y), (5, 4), textcoords="offset points", fontsize=7)
        axes.set(
            title=f"{kind.removeprefix('f1_')}, {steps} steps", xlabel="1,000 multiply-adds a pixel"
        )
        axes.set_ylabel("F1@3px on real scans")
        axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1500, help="of each training")
    known = [*GROUPS, *TRIALS]
    parser.add_argument("--crop_rows", type=int, default=512, help="of each step")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=known,
        default=list(GROUPS),
        metavar="NAME",
        help="in that order",
    )
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes that draw logs, of each training"
    )
    parser.add_argument("--backgrounds", type=Path, help="real paper, see python -m wellseg.paper")
    parser.add_argument(
        "--labelled", type=Path, default=HERE.parents[1] / "shared" / "real" / "labelled"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/trials"), help="folder of the training runs"
    )
    parser.add_argument("--table", type=Path, default=HERE / "trials.csv")
    parser.add_argument("--speeds", action="store_true", help="train nothing")
    parser.add_argument("--plot", action="store_true", help="train nothing")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        do_trial(options.one, options)
        return
    rows = read_rows(options.table)
    failed = 0
    if options.speeds:
        measure_speeds(rows, options.table)
    elif not options.plot:
        names = list(
            dict.fromkeys(name for given in options.only for name in GROUPS.get(given, [given]))
        )
        if not options.backgrounds:  # the base is without
            names = [name for name in names if name != NO_PAPER]
        failed = run_trials(names, options, rows)
    if any(row["group"] == "networks" for row in rows):
        plot(rows, options.table.with_suffix(".svg"))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

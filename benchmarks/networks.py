"""The best network for the money: F1 on real scans against multiply-adds, for each of many candidates.

    python benchmarks/networks.py --steps 1500                  # all; a row each in benchmarks/networks.csv
    python benchmarks/networks.py --steps 1500 --only classic   # one
    python benchmarks/networks.py --plot                        # only draw benchmarks/networks.svg again

Every candidate is trained alike: seed, steps, drawn logs of the train preset, crops of 512 rows; and scored
alike on labelled regions of real scans, 1-bit and colour apart (mean F1@3px of the regions with curves).
A row that is there for so many steps is not done again, and a training that was stopped goes on.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from wellseg.atomic import atomic_file
from wellseg.config import DataConfig, ModelConfig, TrainConfig
from wellseg.device import pick_device, pick_dtype
from wellseg.evaluate import LogScores, mean_scores, score_files
from wellseg.inference import segment
from wellseg.logset import list_logs
from wellseg.losses import curve_loss
from wellseg.resunet import ResUNet, to_ink
from wellseg.train import train
from wellseg.weights import load_model

HERE = Path(__file__).parent
DEEP = (32, 64, 128, 128, 128)
CANDIDATES = {
    "classic": ModelConfig(patch=1, widths=(16, 32, 64, 128)),
    "3 stages": ModelConfig(widths=(32, 64, 128)),
    "4 stages": ModelConfig(widths=(32, 64, 128, 128)),
    "5 stages": ModelConfig(widths=DEEP),
    "5 stages, branch": ModelConfig(widths=DEEP, branch=8),
    "5 stages, short decoder": ModelConfig(widths=DEEP, decoder_convs=1),
    "5 stages, short decoder, branch": ModelConfig(widths=DEEP, decoder_convs=1, branch=8),
    "5 stages, narrow": ModelConfig(widths=(16, 32, 64, 128, 128)),
    "5 stages, wide": ModelConfig(widths=(48, 96, 128, 128, 128)),
    "5 stages, separable": ModelConfig(widths=DEEP, separable=True),
    "4 stages, dilated": ModelConfig(widths=(32, 64, 128, 128), dilation=3),
}
SIZE = 3200, 480
"""Rows and columns of the log that is timed."""


def multiply_adds(net: torch.nn.Module) -> float:
    """Of a forward pass, for each pixel of the image: of convolutions, as PyTorch counts them."""
    ink = torch.zeros(1, 1, 320, 480)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(ink)
    return counter.get_total_flops() / 2 / ink.numel()


def megapixels_per_second(work: Callable[[], object], repeats: int = 3) -> float:
    """Of something done to a log of ``SIZE``: the shortest of several times, after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return SIZE[0] * SIZE[1] / 1e6 / min(times[1:])


def measure(model: ModelConfig) -> dict[str, float]:
    """What does not depend on training: size, work and speed."""
    net = ResUNet(**asdict(model)).to(memory_format=torch.channels_last)
    gray = (torch.rand(1, 1, *SIZE) > 0.1).to(torch.uint8) * 255
    optimizer = torch.optim.AdamW(net.parameters())
    bf16 = pick_dtype("auto", pick_device("cpu")) == torch.bfloat16

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = curve_loss(net(to_ink(gray)), 255 - gray)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    numbers = {
        "parameters": sum(p.numel() for p in net.parameters()),
        "multiply_adds_per_px": round(multiply_adds(net)),
        "training_mpx_per_s": round(megapixels_per_second(step), 3),
    }
    net.eval()
    pixels = gray[0, 0].numpy()
    numbers["inference_mpx_per_s"] = round(megapixels_per_second(lambda: segment(net, pixels, device="cpu")), 3)
    return numbers


def score(weights: Path, labelled: Path) -> dict[str, float]:
    """Mean F1@3px on the regions with curves, 1-bit and colour apart."""
    model = load_model(weights)
    results = [LogScores(log, score_files(log, segment(model, log.image) > 0.5)) for log in list_logs(labelled)]
    kinds = {kind: [r for r in results if r.log.kind == kind] for kind in sorted({r.log.kind for r in results})}
    means = {kind: mean_scores(group) for kind, group in kinds.items()}
    return {f"f1_{kind}": round(means[kind]["f1_at_3px"], 4) for kind in means if "f1_at_3px" in means[kind]}


def read_rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def plot(rows: list[dict[str, str]], path: Path) -> None:
    """F1 against multiply-adds; the size of a dot is the time of a training step."""
    from matplotlib.figure import Figure

    steps = max(int(row["steps"]) for row in rows)
    rows = [row for row in rows if int(row["steps"]) == steps]
    kinds = sorted({name for row in rows for name in row if name.startswith("f1_") and row[name]})
    figure = Figure(figsize=(5.5 * len(kinds), 5), layout="constrained")
    for place, kind in enumerate(kinds, 1):
        axes = figure.add_subplot(1, len(kinds), place)
        for row in rows:
            x, y = float(row["multiply_adds_per_px"]) / 1000, float(row[kind])
            axes.scatter(x, y, 60 / float(row["training_mpx_per_s"]), "tab:blue", alpha=0.6)
            axes.annotate(row["name"], (x, y), (5, 4), textcoords="offset points", fontsize=7)
        axes.set(title=f"{kind.removeprefix('f1_')}, {steps} steps", xlabel="1,000 multiply-adds a pixel")
        axes.set_ylabel("F1@3px on real scans")
        axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500, help="of each training")
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES), metavar="NAME")
    parser.add_argument("--labelled", type=Path, default=HERE.parents[1] / "shared" / "real" / "labelled")
    parser.add_argument("--out", type=Path, default=Path("runs/networks"), help="folder of the training runs")
    parser.add_argument("--table", type=Path, default=HERE / "networks.csv")
    parser.add_argument("--plot", action="store_true", help="train nothing")
    options = parser.parse_args()
    rows = read_rows(options.table)
    done = {(row["name"], int(row["steps"])) for row in rows}
    for name in [] if options.plot else options.only:
        if (name, options.steps) in done:
            continue
        config = TrainConfig(
            model=CANDIDATES[name],
            data=DataConfig(preset="train", count=1000, val_count=8, crop_rows=512),
            steps=options.steps,
            val_every=options.steps,
            seed=1,
            out=options.out / f"{name.replace(', ', '-').replace(' ', '-')}-{options.steps}",
            resume=True,
        )
        row = {"name": name, "steps": options.steps, **measure(config.model)}
        started = time.monotonic()
        weights = train(config, "")
        row["training_s"] = round(time.monotonic() - started)
        row |= score(weights, options.labelled)
        rows.append({key: str(value) for key, value in row.items()})
        write_rows(options.table, rows)
        print(row)
    if rows:
        plot(rows, options.table.with_suffix(".svg"))


if __name__ == "__main__":
    main()

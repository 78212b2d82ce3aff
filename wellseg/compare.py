"""Train one network with two or more norms under equal conditions, and compare their masks.

    wellseg compare                                  # BatchNorm v1, GroupNorm; drawn logs
    wellseg compare --data.root mine/ --preset full  # your own logs
    wellseg compare --norms instance,batch,group --rates 3e-4,1e-3,3e-3 --seeds 6

Writes results.csv (a row for each log scored), report.md and every run's folder to --out. The same
command again goes on where it stopped, and more norms, rates or seeds add to what is there.

All norms have the same logs, order, augmentation, initial weights of the convolutions, steps and
learning rates: every norm is trained at every rate with every seed, to the end. Mode "evaluation"
is what predict does; a norm with running statistics is also scored with each log's "own"
statistics, as in its training. The threshold of each network is the one that validates best: at
0.5 alone, norms change places (docs/batch-size-one.md). So is the rate of a mode (F1@3px)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from inspect import getfile
from itertools import chain, cycle, product
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import wellseg
from wellseg import train
from wellseg.cli import program
from wellseg.evaluate import score_files
from wellseg.net.options import ModelConfig, at_least
from wellseg.scan.atomic import lock_folder, write_csv, write_file
from wellseg.scores import Row
from wellseg.synth import draw_logs, take_folder
from wellseg.training.data_folder import LogFiles, list_logs
from wellseg.training.options import DataConfig, OptimConfig, TrainConfig
from wellseg.weights import load_model


@dataclass
class CompareDataConfig:
    """The logs of a comparison."""

    root: Path | None = None
    """A data set whose split.csv has train, val and test. Without it, logs are drawn."""
    crop_rows: int | None = None
    """Train on that many rows of a log at a time. Default: whole logs."""


@dataclass
class CompareConfig:
    norms: str = "batch,group"
    """Values of --model.norm, with commas. The others are compared with the last one."""
    rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    """Learning rates, with commas. Each norm is compared at the one that validates best."""
    seeds: int | None = None
    """Runs with other initial weights and orders; 6 show small differences. Default: preset's."""
    steps: int | None = None
    """Training steps of each run, one log a step. Default: the preset's."""
    preset: Literal["quick", "full"] = "quick"
    """quick: a small network, 2 seeds, some minutes. full: the default network, 6 seeds, hours."""
    data: CompareDataConfig = field(default_factory=CompareDataConfig)
    out: Path = Path("runs/compare")
    """Folder for results.csv, report.md and the runs. A comparison in it is continued."""

    def __post_init__(self) -> None:
        self.out = Path(self.out)  # Python's callers give words, too
        self.norm_list = list(dict.fromkeys(self.norms.replace(",", " ").split()))
        if len(self.norm_list) < 2:
            raise ValueError("--norms needs two norms at least, as in batch,group")
        at_least(1, seeds=self.seeds, steps=self.steps)
        at_least(16, "data.", crop_rows=self.data.crop_rows)
        if not all(0 < rate < 1e35 for rate in self.rates):
            raise ValueError(f"--rates are positive numbers, not {self.rates}")


SIZES: dict[str, dict[str, Any]] = {  # by preset; recipe, logs: of the drawn data set
    "quick": dict(widths=(16, 32), steps=500, seeds=2, recipe="tiny", logs=120),
    "full": dict(widths=ModelConfig.widths, steps=1600, seeds=6, recipe="quick", logs=1000),
}


def compare(config: CompareConfig) -> None:
    """Run or continue the comparison; write and print the report. Raises ValueError, ScanError:
    the data set or --out cannot be used. OSError: another run is at work in --out."""
    import numpy as np

    from wellseg.corpus import fingerprint
    from wellseg.net.resunet import ResUNet
    from wellseg.norms import NORMS
    from wellseg.scores.tables import SCORES, report
    from wellseg.training.masks import check_masks, listed

    size, out, norms, root = SIZES[config.preset], config.out, config.norm_list, config.data.root
    for norm in norms:  # now, not after hours of training: predict has to know it and compute it
        wellseg.segment(ResUNet(norm=norm, widths=size["widths"]), np.zeros((64, 64), np.uint8))
    size = size | {"steps": config.steps or size["steps"], "seeds": config.seeds or size["seeds"]}
    data = f"drawn by corpus {fingerprint()}"
    if root:
        logs = list_logs(root)
        state = [(it.name, it.split, crc32(it.mask.read_bytes())) for it in logs]
        data = f"{Path(root).resolve()}, masks of version {crc32(repr(state).encode()):x}"
        if all(log.split != "test" for log in logs):
            raise ValueError(f"{root}: no logs to test with: call some test in split.csv")
        values = check_masks(logs).items()  # a training looks at no test log
        if unscored := [name for name, extremes in values if extremes == (128, 128)]:
            raise ValueError(f"{root}: nothing in these masks is scored: {listed(unscored)}")
    about = size | {"crop_rows": config.data.crop_rows, "threshold": "by validation", "data": data}
    del about["seeds"]  # a comparison may be continued with more of them
    runs: dict[Path, Row] = {}  # by seed first: a comparison cut short has whole seeds
    for seed, rate, norm in product(range(size["seeds"]), sorted({*config.rates}), norms):
        runs[out / "runs" / f"{norm}-{rate:g}-{seed}"] = {"norm": norm, "rate": rate, "seed": seed}
    with lock_folder(out):
        take_folder(out, "compare.json", about)
        root = root or draw_data_set(out / "data", size)
        for number, (folder, job) in enumerate(runs.items(), 1):
            maker = NORMS[job["norm"]]  # one that was edited since is another norm
            source = Path(getfile(getattr(maker, "func", maker)))  # func: of a functools.partial
            take_folder(folder, "norm.json", {source.name: f"{crc32(source.read_bytes()):x}"})
            known = ", known" if (folder / "scores.json").exists() else ""
            print(f"{number} of {len(runs)}: {folder.name}{known}", flush=True)
            if not known:
                run_job(folder, job, size, root, config.data.crop_rows)
    rows: dict[Path, list[Row]] = {}  # of each run
    for path in sorted(out.glob("runs/*/scores.json")):  # also of earlier ones with other norms
        try:
            rows[path.parent] = json.loads(path.read_text("utf-8"))
        except ValueError:
            raise ValueError(f"{path} is damaged: remove it; the run is scored again") from None
    columns = ["norm", "rate", "seed", "set", "mode", "log", "threshold", *SCORES]
    write_csv(out / "results.csv", columns, chain(*rows.values()))
    lines = [f"# {', '.join(norms)}: trained alike, compared", ""]
    lines += [f"{folder.name}: the loss diverged\n" for folder in runs if not rows[folder]]
    lines += report([row for folder in runs for row in rows[folder]], norms)
    of_drawn = ("recipe", "logs") if config.data.root else ()
    lines.append(", ".join(f"{name} {it}" for name, it in about.items() if name not in of_drawn))
    write_file(out / "report.md", "\n".join([*lines, ""]).encode())
    print(*lines, f"report: {out / 'report.md'}", sep="\n")


def draw_data_set(root: Path, size: dict[str, Any]) -> Path:
    """Draw the data set. The training and validation logs are 1-bit scans; the test set also has
    renders, as norms differ most on logs that are unlike those of the training."""
    from wellseg.corpus import draw_log, kind_of

    if (root / "split.csv").exists():
        return root
    splits, of_scans = {}, cycle(["train", "val", "test", *["train"] * 6])
    for number in range(size["logs"]):
        is_scan = kind_of(0, number, size["recipe"]) == "bilevel"
        # Few scans without curves, and fewer renders: they are for the test alone.
        if number % 4 == 0 or (is_scan and draw_log(0, number, size["recipe"]).mask.any()):
            splits[number] = next(of_scans) if is_scan else "test"
    draw_logs(root, 0, size["recipe"], splits)
    return root


def run_job(folder: Path, job: Row, size: Any, root: Path, crop_rows: int | None) -> None:
    """Train and score a job (norm, rate, seed); write scores.json, no rows if the loss diverged."""
    config = TrainConfig(
        model=ModelConfig(norm=job["norm"], widths=size["widths"]),
        data=DataConfig(root=root, crop_rows=crop_rows, workers=0),
        optim=OptimConfig(lr=job["rate"]), steps=size["steps"], val_every=size["steps"],
        keep="last",  # the same step of every run, when the learning rate has come down to zero
        seed=job["seed"], out=folder, resume=True,
    )  # fmt: skip
    try:
        rows = [{**job, **row} for row in score_modes(train.train(config, quiet=True), root)]
    except FloatingPointError:
        rows = []
    except SystemExit:  # Lightning's answer to Ctrl-C
        raise KeyboardInterrupt from None
    write_file(folder / "scores.json", json.dumps(rows).encode())


def score_modes(weights: Path, root: Path) -> Iterator[Row]:
    """Scores of the validation and test logs, in evaluation mode and with own statistics."""
    nets = {"evaluation": load_model(weights)}
    if [*nets["evaluation"].buffers()]:  # running statistics
        nets["own"] = load_model(weights).train()
    cuts = {mode: choose_threshold(net, list_logs(root, "val")) for mode, net in nets.items()}
    for log in [*list_logs(root, "val"), *list_logs(root, "test")]:
        test_set = "validation" if log.split == "val" else log.kind or "test"
        for mode, net in nets.items():
            scores, _ = score_files(log, wellseg.segment(net, log.image) > cuts[mode])
            found = {"f1": scores.f1_at_3px, "dice": scores.dice}
            if not scores.has_curves:
                found = {"false_px_per_row": scores.false_centreline_px_per_row}
            yield {"set": test_set, "mode": mode, "log": log.name, "threshold": cuts[mode]} | found


def choose_threshold(net: Any, logs: Sequence[LogFiles]) -> float:
    """Nearest to 0.5 of those with the best Dice of all pixels of these logs together."""
    import torch
    from torchmetrics.classification import BinaryPrecisionRecallCurve

    from wellseg.training.masks import read_mask

    pixels = BinaryPrecisionRecallCurve(torch.logspace(-4, -0.01, 300), ignore_index=128)
    for log in logs:
        truth = torch.from_numpy(read_mask(log.mask).astype(int))
        probability = torch.from_numpy(wellseg.segment(net, log.image))
        pixels.update(probability, truth.where(truth < 255, 1))
    precision, recall, thresholds = pixels.compute()
    dice = (2 * precision * recall / (precision + recall)).nan_to_num()[:-1]
    best = thresholds[dice >= dice.max() - 0.001]
    return float(best[(best - 0.5).abs().argmin()])


main = program(compare, CompareConfig, "the same command goes on")

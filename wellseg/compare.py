"""Train one network with two or more norms under equal conditions, and compare their masks.

    wellseg compare                                  # BatchNorm v1, GroupNorm; drawn logs
    wellseg compare --data.root mine/ --preset full  # your own logs
    wellseg compare --norms instance,batch,group --rates 3e-4,1e-3,3e-3 --seeds 6

Leaves results.csv (a row for each log scored), report.html and every run's folder in --out. The
same command again goes on where it stopped, and more norms, rates or seeds add to what is there.
Started several times on one --out, the starts share the work.

What is equal: the logs, their order and augmentation, the initial weights of the convolutions, the
steps, and the list of learning rates. Every norm is trained at every rate with every seed, to the
end, where the rate has come down to zero. Then each *way* to get a mask, a norm and a mode, has the
rate at which that very way has the best mean F1@3px on the validation logs. Other logs are scored.

Modes: "evaluation" is what predict does. A norm with running statistics is also scored with each
log's "own" statistics, as in its training. The two need not be best at the same rate, and a buffer
of momentum m keeps (1 - m)^n of its initial value after n steps (a third at momentum 0.01 and
n = 100). So a rate must not be chosen from short runs in evaluation mode, nor for one mode by the
other: that would compare rates, not norms.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.net.options import ModelConfig, at_least, check_norm
from wellseg.scan.atomic import atomic_file
from wellseg.training.options import DataConfig, OptimConfig, TrainConfig

if TYPE_CHECKING:
    from wellseg.results.comparison import Row


@dataclass
class CompareDataConfig:
    """The logs of a comparison."""

    root: Path | None = None
    """A data set whose split.csv has train, val and test. Without it, logs are drawn."""
    crop_rows: int | None = None
    """Train on that many rows of a log at a time. Default: whole logs."""


@dataclass
class CompareConfig:
    """Norms trained alike and compared."""

    norms: str = "batch,group"
    """Values of --model.norm, with commas. The others are compared with the last one."""
    rates: str = "1e-3,3e-3,1e-2"
    """Learning rates, with commas: of all, each norm has the one that validates best."""
    seeds: int | None = None
    """Initial weights and orders; 6 or more tell small differences. Default: the preset's."""
    steps: int | None = None
    """Of each run, one log each. Default: the preset's."""
    preset: Literal["quick", "full"] = "quick"
    """quick: a small network, 2 seeds, some minutes. full: the default network, 6 seeds, hours."""
    data: CompareDataConfig = field(default_factory=CompareDataConfig)
    out: Path = Path("runs/compare")
    """results.csv, report.html and the runs; a comparison that is there already goes on."""

    def __post_init__(self) -> None:
        for norm in self.norm_list:
            check_norm(norm)
        if len(self.norm_list) < 2:
            raise ValueError("--norms needs two norms at least, as in batch,group")
        try:
            positive = min(self.rate_list) > 0
        except ValueError:
            positive = False
        if not positive:
            raise ValueError(f"--rates are positive numbers with commas, not {self.rates!r}")
        if self.seeds is not None and not 1 <= self.seeds <= 20:
            raise ValueError(f"--seeds lies in 1 to 20, not {self.seeds}")
        at_least(1, steps=self.steps)

    @property
    def norm_list(self) -> list[str]:
        return list(dict.fromkeys(filter(None, (each.strip() for each in self.norms.split(",")))))

    @property
    def rate_list(self) -> list[float]:
        return sorted({float(each) for each in self.rates.split(",")})


@dataclass(frozen=True)
class Size:
    """How much is trained and drawn.

    rows: of a drawn log on average; each is half to one and a half times as tall, 480 to 900 wide.
    train, val, test: numbers of drawn logs; as many renders as 1-bit scans in test.
    """

    widths: tuple[int, ...]
    steps: int
    seeds: int
    rows: int
    train: int
    val: int
    test: int


SIZES = {
    "quick": Size((16, 32), 500, 2, 64, 40, 6, 8),
    "full": Size(ModelConfig().widths, 1600, 6, 512, 400, 24, 64),
}


@dataclass(frozen=True)
class Job:
    """One training."""

    norm: str
    rate: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.norm}-{self.rate:g}-{self.seed}"


def compare(config: CompareConfig) -> Path:
    """Run, or go on with, the comparison; returns the report.

    Raises:
        ValueError: a data set or an --out that cannot be used.
        ScanError, OSError: a log cannot be read, a result cannot be written.
    """
    from filelock import FileLock, Timeout

    from wellseg.training.write_folder import claim

    size = SIZES[config.preset]
    size = replace(size, steps=config.steps or size.steps, seeds=config.seeds or size.seeds)
    jobs = [
        Job(norm, rate, seed)
        for seed in range(size.seeds)  # a comparison cut short has whole seeds
        for rate in config.rate_list
        for norm in config.norm_list
    ]
    config.out.mkdir(parents=True, exist_ok=True)
    about = _describe(config, size)
    with FileLock(config.out / "lock"):
        claim(config.out, "compare.json", about)
        root = config.data.root or draw_data_set(config.out / "data", size)
    _check_logs(root)
    for number, job in enumerate(jobs, 1):
        folder = config.out / "runs" / job.name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / "lock", blocking=False):
                if not (folder / "scores.json").exists():
                    print(f"{number} of {len(jobs)}: {job.name}", flush=True)
                    run_job(job, train_config(job, config, size, root, folder))
        except Timeout:
            print(f"{number} of {len(jobs)}: {job.name} is being done by another start", flush=True)
    _write_results(config.out)
    found = {job: _read_scores(config.out / "runs" / job.name) for job in jobs}
    waiting = [job.name for job in jobs if found[job] is None]
    diverged = [job.name for job in jobs if found[job] == []]
    rows = [row for scores in found.values() for row in scores or ()]
    notes = {"about": about, "steps": size.steps, "waiting": waiting, "diverged": diverged}
    from wellseg.results.comparison import write_report  # numpy: --help does without

    return write_report(config.out / "report.html", rows, config.norm_list, notes)


def _describe(config: CompareConfig, size: Size) -> dict[str, Any]:
    """What the runs have in common: those on other logs or of other length must not mix."""
    from wellseg.corpus import fingerprint

    about: dict[str, Any] = {"widths": list(size.widths), "steps": size.steps}
    if config.data.root:
        return about | {"root": str(config.data.root), "crop_rows": config.data.crop_rows}
    drawn = {name: getattr(size, name) for name in ("rows", "train", "val", "test")}
    return {**about, **drawn, "crop_rows": config.data.crop_rows, "corpus": fingerprint()}


def draw_data_set(root: Path, size: Size) -> Path:
    """Pieces of drawn logs. Training and validation have 1-bit scans alone, the test set renders,
    too: what a network makes of logs unlike its training is where norms differ most."""
    import numpy as np

    from wellseg.corpus import draw_log, kind_of
    from wellseg.training.write_folder import write_log, write_split

    if (root / "split.csv").exists():
        return root
    lines = []
    indices = {"bilevel": count(), "colour": count()}
    plan = {"train": size.train, "val": size.val, "test": size.test}
    for split, kind in (*((split, "bilevel") for split in plan), ("test", "colour")):
        left = plan[split]
        while left:
            if kind_of(0, index := next(indices[kind]), "quick") != kind:
                continue
            log = draw_log(0, index, "quick")
            rng = np.random.default_rng((0, index))
            rows = int(rng.integers(size.rows // 2, size.rows * 3 // 2 + 1))
            start = int(rng.integers(len(log.image) - rows + 1))
            image, mask = (each[start : start + rows] for each in (log.image, log.mask))
            if not mask.any() and (split != "test" or left % 4):
                continue  # every fourth test log may be without a curve
            left -= 1
            write_log(root, f"drawn{index:05d}", image, mask, 200)
            lines.append(f"drawn{index:05d},{split},{kind}")
    write_split(root, "name,split,kind", lines)
    return root


def _check_logs(root: Path) -> None:
    """Raises ValueError where rates could not be chosen, or no log is left to score."""
    from wellseg.training.data_folder import list_logs
    from wellseg.training.masks import read_mask

    if not any((read_mask(log.mask) == 255).any() for log in list_logs(root, "val")):
        raise ValueError(
            f"{root}: no curve on any validation log; they choose the rates: see split.csv"
        )
    if not list_logs(root, "test"):
        raise ValueError(
            f"{root}: no logs to test with, and those that chose the rates flatter: see split.csv"
        )


def train_config(
    job: Job, config: CompareConfig, size: Size, root: Path, folder: Path
) -> TrainConfig:
    return TrainConfig(
        model=ModelConfig(norm=job.norm, widths=size.widths),
        data=DataConfig(root=root, crop_rows=config.data.crop_rows, workers=0),
        optim=OptimConfig(lr=job.rate),
        steps=size.steps,
        val_every=size.steps,
        keep="last",  # of all runs the same step, with the rate at zero
        seed=job.seed,
        out=folder,
        resume=True,
    )


def run_job(job: Job, config: TrainConfig) -> None:
    """Train, score, and leave scores.json: rows of results.csv, none where the loss diverged."""
    from wellseg.train import train

    try:
        weights = train(config, quiet=True)
        rows = [asdict(job) | row for row in score_ways(weights, config.data.root)]  # type: ignore[arg-type]
    except FloatingPointError:
        rows = []
    with atomic_file(config.out / "scores.json") as file:
        file.write(json.dumps(rows).encode())


def score_ways(weights: Path, root: Path) -> Iterator[Row]:
    """Scores of the validation and test logs, in evaluation mode and with own statistics."""
    from wellseg.evaluate import score_files
    from wellseg.rows.segment import segment
    from wellseg.training.data_folder import list_logs
    from wellseg.weights import load_model

    net = load_model(weights)
    runs = any(name.endswith("running_mean") for name, _ in net.named_buffers())
    for log in list_logs(root):
        if log.split == "train":
            continue
        for mode in ("evaluation", "own") if runs else ("evaluation",):
            net.train(mode == "own")  # what this does to the running statistics is put back
            before = {name: buffer.clone() for name, buffer in net.named_buffers()}
            scores = score_files(log, segment(net, log.image) > 0.5)
            net.load_state_dict(before, strict=False)
            about = {
                "set": "validation" if log.split == "val" else log.kind or "test",
                "mode": mode,
            }
            found = {"f1": scores.f1_at_3px, "dice": scores.dice}
            if not scores.has_curves:
                found = {"false_px_per_row": scores.false_centreline_px_per_row}
            rounded = {name: round(score, 5) for name, score in found.items()}
            yield {**about, "log": log.name, **rounded}


def _read_scores(folder: Path) -> list[Row] | None:
    path = folder / "scores.json"
    return json.loads(path.read_text()) if path.exists() else None


def _write_results(out: Path) -> None:
    """results.csv of all the runs that are there."""
    text = io.StringIO(newline="")
    from wellseg.results.comparison import COLUMNS

    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for folder in sorted((out / "runs").iterdir()):
        writer.writerows(_read_scores(folder) or ())
    with atomic_file(out / "results.csv") as file:
        file.write(text.getvalue().encode())


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    config, _ = parse(CompareConfig, "compare", __doc__ or "", argv)
    from wellseg.scan.reader import ScanError

    try:
        print(f"report: {compare(config)}")
    except ValueError as error:
        fail("compare", str(error), WRONG_USAGE)
    except (ScanError, OSError) as error:
        fail("compare", str(error), SOME_FAILED)
    except (KeyboardInterrupt, SystemExit):  # the latter is Lightning's answer to Ctrl-C
        fail("compare", f"stopped; the same command goes on from {config.out}", INTERRUPTED)


if __name__ == "__main__":
    main()

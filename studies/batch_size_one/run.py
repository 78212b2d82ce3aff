"""The study of normalisations at one log per step, as a command: see README.md."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from jsonargparse import auto_cli

from studies.batch_size_one.arms import (
    ARMS,
    HEADLINE,
    RIVALS,
    SIZES,
    Job,
    Size,
    search_jobs,
    study_jobs,
)
from studies.batch_size_one.jobs import Setting, cost_in_fresh_process, in_processes
from studies.batch_size_one.report import write_report
from studies.batch_size_one.results import COLUMNS, KEY, LAYER_COLUMNS, LAYER_KEY, Row, Table
from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail
from wellseg.corpus import fingerprint
from wellseg.scan.atomic import atomic_file


def study(
    norms: str = "",
    seeds: int | None = None,
    preset: Literal["quick", "full"] = "quick",
    out: Path = Path("runs/study"),
    real: Path | None = None,
    processes: int = 2,
    redraw: bool = False,
) -> None:
    """Run, or go on with, the study; then draw its report.

    Args:
        norms: Arms by name, with commas. Default: those of the preset; a wrong name lists them all.
        seeds: Seeds of every arm. Default: the preset's.
        preset: quick: minutes. full: some two and a half hours of one core.
        out: Folder for results.csv, report.html and what they are made of.
        real: A labelled data set of real scans, scored too.
        processes: Runs at a time, each with one thread.
        redraw: Only draw the report again from what is in out.

    Raises:
        ValueError: an unknown arm, a labelled data set or an out that cannot be used.
        OSError: a result cannot be written.
    """
    size = SIZES[preset]
    arms = choose_arms(norms) or size.arms
    if seeds is not None and not 1 <= seeds <= 20:
        raise ValueError(f"--seeds lies in 1 to 20, not {seeds}")
    out.mkdir(parents=True, exist_ok=True)
    results = Table(out / "results.csv", COLUMNS, KEY)
    layers = Table(out / "layers.csv", LAYER_COLUMNS, LAYER_KEY)
    if not redraw:
        claim(out, preset, size)
        setting = Setting(size, out, real, frozenset(results.keys))
        runs = _Study(setting, results, layers, processes)
        first = tuple(arm for arm in arms if arm in (*HEADLINE, *RIVALS))  # the answer needs them
        for some in (first, tuple(arm for arm in arms if arm not in first)):
            tried = [job for job in search_jobs(size, some) if job.search_key not in setting.done]
            runs.train(tried, "choosing learning rates")
            rates = best_rates(results.rows, some)
            runs.train(study_jobs(size, some, rates, seeds), "training and scoring")
            runs.measure_costs(rates)
    print(f"report: {write_report(out)}")


def choose_arms(names: str) -> tuple[str, ...]:
    """ "batch,group" -> the arms. Raises ValueError for an unknown one."""
    chosen = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in chosen:
        if name not in ARMS:
            raise ValueError(f"--norms: unknown arm {name!r}; choose from {', '.join(ARMS)}")
    return tuple(dict.fromkeys(chosen))


def best_rates(rows: Sequence[Row], arms: Sequence[str]) -> dict[str, float]:
    """Of each arm, the rate with the best F1@3px on the validation logs, in evaluation mode."""
    rates = {}
    for arm in arms:
        tried = [row for row in rows if row["run"] == "search" and row["arm"] == arm]
        rates[arm] = float(max(tried, key=lambda row: float(row["f1"]))["rate"])
    return rates


def claim(out: Path, preset: str, size: Size) -> None:
    """Make the folder this study's own: runs of different sizes must not stand in one table."""
    about = json.loads(json.dumps({"preset": preset, **asdict(size), "corpus": fingerprint()}))
    about.pop("arms")
    note = out / "study.json"
    if not note.exists():
        with atomic_file(note) as file:
            file.write(json.dumps(about, indent=1).encode())
    elif json.loads(note.read_text()) != about:
        raise ValueError(f"{out} holds a study of another size or corpus; give another --out")


class _Study:
    """Runs jobs, writes down what they find as they end, says how far it is."""

    def __init__(self, setting: Setting, results: Table, layers: Table, processes: int) -> None:
        self.setting, self.results, self.layers = setting, results, layers
        self.processes = processes

    def train(self, jobs: Sequence[Job], what: str) -> None:
        if not jobs:
            return
        start = time.monotonic()
        for number, outcome in enumerate(in_processes(jobs, self.setting, self.processes), 1):
            self.layers.append(outcome.layers)
            self.results.append(outcome.rows)
            failed = [str(row["status"]) for row in outcome.rows if row["status"] != "ok"]
            left = (time.monotonic() - start) / number * (len(jobs) - number) / 60
            print(
                f"{what}: {number} of {len(jobs)}, {outcome.job.name}"
                f" {failed[0] if failed else 'done'}; about {left:.0f} minutes left",
                flush=True,
            )

    def measure_costs(self, rates: dict[str, float]) -> None:
        for arm, rate in rates.items():
            if ("cost", arm, "", "", "", "", "") not in self.setting.done:
                print(f"measuring time and memory: {arm}", flush=True)
                self.results.append(cost_in_fresh_process(arm, rate, self.setting).rows)


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    try:
        auto_cli(study, args=argv, as_positional=False, prog="python -m studies.batch_size_one.run")
    except ValueError as error:
        fail("study", str(error), WRONG_USAGE)
    except OSError as error:
        fail("study", str(error), SOME_FAILED)
    except BrokenProcessPool:
        fail("study", "a process was killed; the same command goes on", SOME_FAILED)
    except KeyboardInterrupt:
        fail("study", "stopped; the same command goes on", INTERRUPTED)


if __name__ == "__main__":
    main(sys.argv[1:])

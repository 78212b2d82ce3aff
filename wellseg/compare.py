"""Compare normalisations for training at one log per step: BatchNorm v1, GroupNorm and what lies between.

    python -m wellseg.compare                                   # batch and group, minutes on 2 cores
    python -m wellseg.compare --preset full --out runs/study    # every arm, 6 seeds of the pair and of its rivals
    python -m wellseg.compare --norms batch,group,renorm --seeds 6

Leaves results.csv and a self-contained report.html in --out. The same command again goes on where it
stopped. docs/batch-size-one.md tells what came of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.config import CompareConfig

if TYPE_CHECKING:
    from studies.batch_size_one.arms import Job, Size
    from studies.batch_size_one.results import Row, Table
    from studies.batch_size_one.run import Setting


def compare(config: CompareConfig) -> None:
    """Run, or go on with, the study; then draw its report.

    Raises:
        ValueError: an unknown arm, a labelled data set or an --out that cannot be used.
        OSError: a result cannot be written.
    """
    from studies.batch_size_one.arms import HEADLINE, RIVALS, SIZES, search_jobs, study_jobs
    from studies.batch_size_one.report import write_report
    from studies.batch_size_one.results import COLUMNS, KEY, LAYER_COLUMNS, LAYER_KEY, Table
    from studies.batch_size_one.run import Setting

    size = SIZES[config.preset]
    arms = choose_arms(config.norms) or size.arms
    config.out.mkdir(parents=True, exist_ok=True)
    results = Table(config.out / "results.csv", COLUMNS, KEY)
    layers = Table(config.out / "layers.csv", LAYER_COLUMNS, LAYER_KEY)
    if not config.redraw:
        _claim(config, size)
        setting = Setting(size, config.out, config.real, frozenset(results.keys))
        study = _Study(setting, results, layers, config.processes)
        first = tuple(arm for arm in arms if arm in (*HEADLINE, *RIVALS))  # what the answer needs
        for some in (first, tuple(arm for arm in arms if arm not in first)):
            tried = [job for job in search_jobs(size, some) if job.search_key not in setting.done]
            study.train(tried, "choosing learning rates")
            rates = best_rates(results.rows, some)
            study.train(study_jobs(size, some, rates, config.seeds), "training and scoring")
            study.measure_costs(rates)
    print(f"report: {write_report(config.out)}")


def choose_arms(names: str) -> tuple[str, ...]:
    """ "batch,group" -> the arms. Raises ValueError for an unknown one."""
    from studies.batch_size_one.arms import ARMS

    chosen = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in chosen:
        if name not in ARMS:
            raise ValueError(f"--norms: unknown arm {name!r}; choose from {', '.join(ARMS)}")
    return tuple(dict.fromkeys(chosen))


def best_rates(rows: Sequence[Row], arms: Sequence[str]) -> dict[str, float]:
    """Of each arm, the learning rate with the best F1@3px on the validation logs, in evaluation mode."""
    rates = {}
    for arm in arms:
        tried = [row for row in rows if row["run"] == "search" and row["arm"] == arm]
        rates[arm] = float(max(tried, key=lambda row: float(row["f1"]))["rate"])
    return rates


def _claim(config: CompareConfig, size: Size) -> None:
    """Make the folder this study's own: runs of different sizes must not stand in one table."""
    import json
    from dataclasses import asdict

    from wellseg.corpus import fingerprint
    from wellseg.scan.atomic import atomic_file

    about = json.loads(
        json.dumps({"preset": config.preset, **asdict(size), "corpus": fingerprint()})
    )
    about.pop("arms")
    note = config.out / "study.json"
    if not note.exists():
        with atomic_file(note) as file:
            file.write(json.dumps(about, indent=1).encode())
    elif json.loads(note.read_text()) != about:
        raise ValueError(
            f"{config.out} holds a study of another size or corpus; give another --out"
        )


class _Study:
    """Runs jobs, writes down what they find as they end, says how far it is."""

    def __init__(self, setting: Setting, results: Table, layers: Table, processes: int) -> None:
        self.setting, self.results, self.layers, self.processes = (
            setting,
            results,
            layers,
            processes,
        )

    def train(self, jobs: Sequence[Job], what: str) -> None:
        from studies.batch_size_one.run import in_processes

        if not jobs:
            return
        start = time.monotonic()
        for number, outcome in enumerate(in_processes(jobs, self.setting, self.processes), 1):
            self.layers.append(outcome.layers)
            self.results.append(outcome.rows)
            failed = [str(row["status"]) for row in outcome.rows if row["status"] != "ok"]
            left = (time.monotonic() - start) / number * (len(jobs) - number) / 60
            print(
                f"{what}: {number} of {len(jobs)}, {outcome.job.name} {failed[0] if failed else 'done'};"
                f" about {left:.0f} minutes left",
                flush=True,
            )

    def measure_costs(self, rates: dict[str, float]) -> None:
        from studies.batch_size_one.run import cost_in_fresh_process

        for arm, rate in rates.items():
            if ("cost", arm, "", "", "", "", "") not in self.setting.done:
                print(f"measuring time and memory: {arm}", flush=True)
                self.results.append(cost_in_fresh_process(arm, rate, self.setting).rows)


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    config, _ = parse(CompareConfig, "compare", __doc__ or "", argv)
    from concurrent.futures.process import BrokenProcessPool

    try:
        compare(config)
    except ValueError as error:
        fail("compare", str(error), WRONG_USAGE)
    except OSError as error:
        fail("compare", str(error), SOME_FAILED)
    except BrokenProcessPool:
        fail(
            "compare",
            "a process was killed (out of memory?); the same command goes on, with fewer --processes",
            SOME_FAILED,
        )
    except KeyboardInterrupt:
        fail("compare", f"stopped; the same command goes on from {config.out}", INTERRUPTED)


if __name__ == "__main__":
    main(sys.argv[1:])

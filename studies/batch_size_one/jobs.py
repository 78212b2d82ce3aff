"""One job of the study in a process of its own: train, score at every moment, keep what the report shows."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from studies.batch_size_one import logs as study_logs
from studies.batch_size_one.arms import HEADLINE, SEARCH_SEED, Job, Size
from studies.batch_size_one.layers import activations, layer_rows
from studies.batch_size_one.logs import StudyLog, drawn_set, real_sets, test_sets, training_log
from studies.batch_size_one.results import KEY, Key
from studies.batch_size_one.scores import (
    EVALUATION,
    TRAINING,
    in_mode,
    modes_of,
    predict,
    score_set,
    sensitivity,
)
from studies.batch_size_one.train import Moment, Run, build_net, moments, states
from wellseg.device import resident_bytes
from wellseg.net.resunet import ResUNet
from wellseg.scan.atomic import atomic_file
from wellseg.training.dataset import one_thread

Record = dict[str, object]
PICTURED = {("constant", "before"), ("annealed", "end")}
"""Schedule and moment of seed 0's main run of which masks are kept as pictures."""
STRIP_ROWS, STRIP_COLUMNS = 96, 480  # a hundred and more of them stand in one page


@dataclass
class Outcome:
    """What a job found: rows of results.csv and of layers.csv."""

    job: Job
    rows: list[Record] = field(default_factory=list)
    layers: list[Record] = field(default_factory=list)


@dataclass(frozen=True)
class Setting:
    """What all jobs share. real: a labelled data set, or None. done: keys of rows that are there."""

    size: Size
    out: Path
    real: Path | None
    done: frozenset[Key]


def run_job(job: Job, setting: Setting) -> Outcome:
    if job.run == "search":
        return _search(job, setting)
    outcome = Outcome(job)
    if (job.run, job.arm, "constant", str(job.seed), "end", "", "") in setting.done:
        return outcome  # it failed, and would again
    scorer = _Scorer(job, setting, outcome)
    kept = _Kept(setting.out / "checkpoints", job)
    states_there = kept.load()
    wanted = [moment for moment in moments(job.steps) if scorer.missing(moment)]
    try:
        run = Run(job, setting.size)
        if wanted and all(moment in states_there for moment in wanted):  # e.g. a test set more
            for moment in wanted:
                run.load_net(states_there[moment])
                scorer.score(run.net, moment)
        elif wanted:
            for moment, state in states(run, states_there):
                kept.save(moment, state)
                run.load_net(state)
                if scorer.missing(moment):
                    scorer.score(run.net, moment)
    except FloatingPointError as error:
        outcome.rows.append(
            scorer.row(Moment("constant", "end", job.steps), "", "", status=f"failed: {error}")
        )
        return outcome
    kept.slim()
    return outcome


def _search(job: Job, setting: Setting) -> Outcome:
    size = setting.size
    row: Record = {
        **dict(zip(KEY, job.search_key, strict=True)), "step": job.steps, "steps": job.steps, "rate": job.rate,
    }  # fmt: skip
    validation = drawn_set("bilevel", study_logs.VALIDATION_SEED, size.test_logs, size.rows)
    run = Run(job, size)
    try:
        run.advance(job.steps, "annealed")
    except FloatingPointError as error:
        return Outcome(job, [row | {"status": f"failed: {error}", "f1": 0.0, "dice": 0.0}])
    f1, dice = score_set(run.net.eval(), validation)
    scores = {
        "f1": float(np.mean(f1)),
        "dice": float(np.mean(dice)),
        "f1_by_log": f1,
        "dice_by_log": dice,
    }
    return Outcome(job, [row | scores | {"status": "ok"}])


class _Scorer:
    """Scores one run at its moments; only what is not in results.csv."""

    def __init__(self, job: Job, setting: Setting, outcome: Outcome) -> None:
        self.job, self.setting, self.outcome = job, setting, outcome
        size = setting.size
        self.sets = test_sets(size.test_logs, size.rows)
        self.shown = job.seed == 0 and job.run == "main"
        self.calibration = [
            training_log(job.seed, n, size.rows) for n in range(size.calibration_logs)
        ]

    def missing(self, moment: Moment) -> dict[str, list[str]]:
        """Modes, each with the test sets that are to be scored at that moment.

        Recalibrations from the end of the trunk on; blank and real logs at the ends.
        """
        modes = modes_of(build_net(self.job.arm, self.setting.size, 0))
        if moment.moment in ("early", "middle"):
            modes = tuple(mode for mode in modes if mode in (EVALUATION, TRAINING))
        sets = ["like", "renders"]
        if moment.moment == "end":
            sets.append("blank")
            if self.setting.real and moment.schedule == "annealed":
                sets += sorted(real_sets(self.setting.real))
        start = (self.job.run, self.job.arm, moment.schedule, str(self.job.seed), moment.moment)
        todo = {
            mode: [name for name in sets if (*start, mode, name) not in self.setting.done]
            for mode in modes
        }
        return {mode: names for mode, names in todo.items() if names}

    def row(self, moment: Moment, mode: str, test_set: str, **found: object) -> Record:
        return {
            "run": self.job.run, "arm": self.job.arm, "schedule": moment.schedule, "seed": self.job.seed,
            "moment": moment.moment, "mode": mode, "test_set": test_set, "step": moment.step,
            "steps": self.job.steps, "rate": self.job.rate, "status": "ok", **found,
        }  # fmt: skip

    def score(self, net: ResUNet, moment: Moment) -> None:
        size = self.setting.size
        for mode, names in self.missing(moment).items():
            ready = in_mode(net, mode, self.calibration)
            for name in names:
                logs = self.sets[name] if name in self.sets else real_sets(self.setting.real)[name]
                f1, dice = score_set(ready, logs)
                found: Record = {"f1": float(np.mean(f1)), "dice": float(np.mean(dice))}
                found |= {"f1_by_log": f1, "dice_by_log": dice}
                if name == "like" and (moment.schedule, moment.moment) == ("annealed", "end"):
                    tall = drawn_set(
                        "bilevel", study_logs.TEST_SEED + 1, size.tall_logs, size.tall_rows
                    )
                    found |= sensitivity(ready, tall, size.rows)
                self.outcome.rows.append(self.row(moment, mode, name, **found))
            if self.shown and (moment.schedule, moment.moment) in PICTURED:
                self._keep_strips(ready, moment, mode)
        if "like" in self.missing(moment).get(EVALUATION, []):
            self._measure_layers(net, moment)

    def _measure_layers(self, net: ResUNet, moment: Moment) -> None:
        for name in ("like", "renders"):
            for found in layer_rows(net, self.sets[name][:3]):
                key = self.row(moment, "", name)
                wanted = ("run", "arm", "schedule", "seed", "moment", "test_set")
                self.outcome.layers.append({column: key[column] for column in wanted} | found)
        if self.job.arm in HEADLINE and self.shown and moment.schedule == "annealed":
            pair = {"like": self.sets["like"][0], "renders": self.sets["renders"][0]}
            with atomic_file(self.setting.out / f"activations-{self.job.arm}.json") as file:
                file.write(json.dumps(activations(net, pair)).encode())

    def _keep_strips(self, net: ResUNet, moment: Moment, mode: str) -> None:
        """The same piece of a log of each kind, with hits, misses and false curves painted."""
        folder = self.setting.out / "strips"
        folder.mkdir(exist_ok=True)
        for name in ("like", "renders"):
            log = strip(self.sets[name])
            path = folder / f"{self.job.arm}.{moment.schedule}-{moment.moment}.{mode}.{name}.png"
            with atomic_file(path) as file:
                file.write(paint(log, predict(net, log.gray)))


def strip(logs: Sequence[StudyLog]) -> StudyLog:
    """The log with the largest share of curve."""
    return max(logs, key=lambda log: float((log.truth == 255).mean()))


def paint(log: StudyLog, mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> bytes:
    from wellseg.scan.pictures import draw_errors, encode_png

    picture = draw_errors(log.gray, mask, log.truth)
    return encode_png(np.ascontiguousarray(picture[:STRIP_ROWS, :STRIP_COLUMNS]))


class _Kept:
    """States of a run on disk, so that an interrupted study goes on; at its end the weights of both ends."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.folder, self.job = folder, job

    def _path(self, moment: Moment) -> Path:
        return self.folder / f"{self.job.name}-{moment.schedule}-{moment.moment}.pt"

    def load(self) -> dict[Moment, dict[str, object]]:
        found = {}
        for moment in moments(self.job.steps):
            if self._path(moment).exists():
                found[moment] = torch.load(self._path(moment), weights_only=True)
        return found

    def save(self, moment: Moment, state: dict[str, object]) -> None:
        if not self._path(moment).exists():
            self.folder.mkdir(exist_ok=True)
            with atomic_file(self._path(moment)) as file:
                torch.save(state, file)

    def slim(self) -> None:
        for moment in moments(self.job.steps):
            path = self._path(moment)
            if moment.moment != "end":
                path.unlink(missing_ok=True)
            elif path.exists():
                state = torch.load(path, weights_only=True)
                if state.pop("optimizer", None):
                    with atomic_file(path) as file:
                        torch.save(state, file)


def measure_cost(arm: str, rate: float, setting: Setting) -> Outcome:
    """Seconds a step and Mpx/s of inference (medians), and peak memory, in a fresh process with one thread."""
    size = setting.size
    job = Job(arm, SEARCH_SEED, "main", rate, 10_000)
    run = Run(job, size)
    seconds = []
    for step in range(12):
        training_log(job.seed, step, size.rows)  # drawn beforehand: the corpus is not what is timed
    for step in range(12):
        start = time.perf_counter()
        run.advance(step + 1, "constant")
        seconds.append(time.perf_counter() - start)
    tall = drawn_set("bilevel", study_logs.TEST_SEED + 1, 1, size.tall_rows)[0]
    run.net.eval()
    speeds = []
    for _ in range(5):
        start = time.perf_counter()
        predict(run.net, tall.gray)
        speeds.append(tall.gray.size / 1e6 / (time.perf_counter() - start))
    peak_mb = resident_bytes(peak=True) / 2**20
    row: Record = {
        "run": "cost", "arm": arm, "rate": rate, "status": "ok", "seconds_per_step": float(np.median(seconds[2:])),
        "peak_mb": peak_mb, "mpx_per_second": float(np.median(speeds)),
    }  # fmt: skip
    return Outcome(job, [row])


def cost_in_fresh_process(arm: str, rate: float, setting: Setting) -> Outcome:
    """By itself, so that nothing else is timed or held."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _start_worker) as pool:
        return pool.submit(measure_cost, arm, rate, setting).result()


def in_processes(jobs: Sequence[Job], setting: Setting, processes: int) -> Iterator[Outcome]:
    """Outcomes as they come; each process has one thread, which small pictures use best.

    Raises BrokenProcessPool where a process was killed.
    """
    with ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), _start_worker
    ) as pool:
        waiting: list[Future[Outcome]] = [pool.submit(run_job, job, setting) for job in jobs]
        try:
            for done in as_completed(waiting):
                yield done.result()
        except (
            BaseException
        ):  # Ctrl-C among them: what is running now is done again, from its last moment on
            for future in waiting:
                future.cancel()
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _start_worker() -> None:
    one_thread(0)
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Go when the parent has gone, killed perhaps: files are written whole or not at all."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)

"""Engines mask a list of scans: in this process, in worker processes, or on a Ray cluster.

Each engine yields the outcomes of scans as they end; closed early, it stops the rest. All run a
`Worker`, a network that masks one scan after another."""

import errno
import json
import logging
import os
import signal
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import cv2
import torch
from joblib import cpu_count  # of a container, too: PyTorch does not know its quota of time
from pebble import ProcessExpired, ProcessPool

from wellseg.config import PredictConfig
from wellseg.curves.options import OF_ONE_SCAN, CurveOptions
from wellseg.device import WorkerContext, end_with_parent, pick_device
from wellseg.many.summary import Screen
from wellseg.many.tasks import SAME_MASK, Outcome, Settings, is_done, other_scan, outcome_of
from wellseg.net.options import parse_bytes
from wellseg.results.one_scan import mask_scan
from wellseg.scan import ScanError, files, one_line
from wellseg.scan.files import REPORT, Task, settled_report
from wellseg.scan.reader import pages_of
from wellseg.weights import load_model, weights_path

Say = Callable[[str], None]  # is called with what the user should know at once
Ended = Generator[tuple[Task, Outcome], None, None]
LEAST_JOB_BYTES = 1_000_000_000  # PyTorch, the strips at work and the heap take 0.8 GB
PARENT_BYTES = 260_000_000  # of the process that hands out the work
LESS_MEMORY = "if memory ran out, allow fewer --jobs or each less --memory"
SLOW_S = 3600.0  # the tallest take ten minutes of one core, and each waits for one at most
ATTEMPTS = 4  # on Ray: it may be the scan that kills its workers
_worker: list["Worker"] = []  # of this process, if an engine started it


class Worker:
    """Masks scans with one network. Its __init__ raises ValueError for faults of the options."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.config = settings, settings.config
        threads = min(self.config.threads or torch.get_num_threads(), cpu_count())
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        pick_device(self.config.device)  # or every scan would fail for it
        weights = weights_path(self.config.weights)
        self.net = load_model(weights)
        if files.digests(weights, [""])[""] != settings.entries["weights_sha256"]:
            raise ValueError(f"{weights}: on this machine it differs from the weights of the run")

    def mask(self, task: Task, progress: Callable[[float], None], say: Say) -> Outcome:
        """Mask a scan; errors become its outcome."""
        here = task
        try:
            with files.claim(task) as is_mine:
                if not is_mine:
                    return Outcome("elsewhere", "another run is masking it")
                tell_copy(task)
                if not self.config.overwrite and (done := is_done(task, self.settings)):
                    return done  # by another run meanwhile, or before it was copied
                config, entries = self._with_earlier_options(task, self.config, say)
                entries |= {"scan_version": task.version, "scan_path": files.absolute(task.scan)}
                with files.local_copy(task, self.config.scratch) as here:
                    entries |= {"scan_sha256": files.digests(here.scan, [""]).get("")}
                    return outcome_of(self._mask_pages(task, here, config, entries, progress, say))
        except Exception as error:
            reason = one_line(error).removeprefix(f"{here.scan}: ")
            if not isinstance(error, ScanError | OSError | ValueError):  # unforeseen: name its type
                reason = f"{type(error).__name__}: {reason}"
            code = getattr(error, "errno", None)
            if code == errno.ENOMEM or isinstance(error, MemoryError):
                reason += f"; {LESS_MEMORY}"
            # Not ScratchFull, nor EFBIG (a limit for a file): other scans may fit.
            is_full = type(error) is OSError and code in (errno.ENOSPC, errno.EDQUOT)
            if (is_full or code == errno.EFBIG) and not getattr(error, "filename", None):
                scratch = self.config.scratch or tempfile.gettempdir()
                reason = f"{os.path.dirname(task.stem) or '.'} or {scratch}: {reason}"
            return Outcome("failed", reason, disk_full=is_full)

    def _with_earlier_options(
        self, task: Task, config: PredictConfig, say: Say
    ) -> tuple[PredictConfig, dict[str, Any]]:
        """The options with those of an earlier run on this page, and these by their report's keys.
        Results that are there (view, curves, probability) are made again: they would show the old
        mask. Raises ValueError: what is there is another's, corrected or has wrong options."""
        place, results_there = task.stem + REPORT, files.made_before(task.stem)
        report = settled_report(place)
        if other := other_scan(task, report):
            raise ValueError(f"{place} and its results are of {other}: name another folder (--out)")
        written = report.get("sha256", {})
        files.refuse_changed(task.stem, written, written)
        config = replace(config, **dict.fromkeys(results_there, True))  # type: ignore[arg-type]
        wanted = [flag for flag in files.MADE_OF_MASK if getattr(config, flag)]
        files.refuse_foreign_results(task.stem, report, wanted)
        if not written:
            files.keep_aside(task.stem, report, say)
        kept = self._kept(task, config, report, say)
        try:
            config = replace(config, **{it: kept[it] for it in kept if it in config.asked})
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{place}: its options are wrong: {error}; give others") from None
        return config, {OF_ONE_SCAN[name]: value for name, value in kept.items()}

    def _kept(self, task: Task, config: PredictConfig, report: Any, say: Say) -> dict[str, Any]:
        """Options for one scan (--depth ...) of its report that still hold, if not given now."""
        kept = {} if config.overwrite else config.left_to(report)
        if kept and report.get("scan_version") != task.version:
            say(f"{task.scan}: has changed: say --{' --'.join(kept)} of it again, where they hold")
            return {}
        # A scale is of a curve, by its name: it holds if the same curves get the same names again.
        anew = any(report.get(key) != self.settings.entries[key] for key in SAME_MASK)
        anew |= (report.get("curve_threshold") or config.threshold) != config.threshold
        anew |= len(str(report.get("sha256", {}).get(".curves.csv"))) > files.DIGITS  # corrected
        if (anew or config.tracks or config.rows) and kept.pop("scale", None):
            say(f"{task.scan}: curves are followed anew: the former --scale is forgotten")
        return kept

    def _mask_pages(
        self, task: Task, here: Task, config: PredictConfig, entries: Any, progress: Any, say: Any
    ) -> dict[str, Any]:
        """Mask all pages, others as NAME.p2..., NAME.p3..., then the largest; returns its report.
        task: with the paths of the results; here: with local paths. entries: of the reports."""
        others, copies = pages_of(here.scan)
        entries = self.settings.entries | entries
        of_largest = {*OF_ONE_SCAN.values()} - {"bridged"}
        page_entries = {key: it for key, it in entries.items() if key not in of_largest}
        page_config = replace(config, **asdict(CurveOptions(bridged=config.bridged)))
        masked, failed = [], []
        for page in others:
            name = f".p{page + 1}"
            target, page_here = (it._replace(stem=it.stem + name, page=page) for it in (task, here))
            tell_copy(target)
            own, kept = self._with_earlier_options(target, page_config, say)
            try:
                its = mask_scan(self.net, page_here, own, page_entries | kept, lambda share: None)
                masked.append(page + 1)
                if notes := outcome_of(its).reason:
                    say(f"{task.scan}, page {page + 1}: {notes}")
            except ScanError as error:  # damaged; the other pages may be whole
                failed.append(f"page {page + 1}: {one_line(error).removeprefix(f'{here.scan}: ')}")
        left_out = [f"page {page + 1} is a copy, thumbnail or mask" for page in copies]
        entries |= {"further_pages": masked, "failed_pages": failed, "left_out_pages": left_out}
        return mask_scan(self.net, here, config, entries, progress)


def tell_copy(task: Task) -> None:
    """Tell the report of a scan that was copied, as its name and bytes show, its time and path of
    today: else it would be masked again, or taken for another while that is there, too."""
    report = settled_report(place := task.stem + REPORT)
    now = {"scan_version": task.version, "scan_path": files.absolute(task.scan)}
    if report | now != report and report.get("scan") == os.path.basename(task.name):
        if report.get("scan_sha256") == files.digests(task.scan, [""]).get("", "gone"):
            files.write_whole(place, json.dumps(report | now, indent=1).encode())


def run_here(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Ended:
    """One after another in this process: no second PyTorch has to start for a single scan."""
    worker = Worker(settings)
    for task in tasks:
        yield task, worker.mask(task, partial(screen.share, task), screen.say)


def _hand_out(
    waiting: deque[Task], submit: Callable[[Task], Any], places: Callable[[], int], say: Say
) -> Iterator[tuple[Task, Future[Outcome]]]:
    """Submit all tasks, two for each place, so that no worker waits; yields futures as they end.
    Tells which scan may hang."""
    running, slow_from_s = dict[Future[Outcome], Task](), dict[Task, float]()
    while waiting or running:
        if not (at_work := places()):  # what was submitted meanwhile would be waited for for ever
            raise BrokenProcessPool
        while waiting and len(running) < 2 * at_work:
            task = waiting.popleft()
            slow_from_s[task] = time.monotonic() + SLOW_S
            running[submit(task)] = task
        # On Windows Ctrl-C is heard only between two waits.
        for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future
        for task in running.values():
            if time.monotonic() > slow_from_s[task]:
                say(f"{task.scan}: no end for an hour: docs/scale.md, 'A scan without an end'")
                slow_from_s[task] = float("inf")


def run_pool(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Ended:
    """In worker processes, as many as the options say or cores and memory allow. If one dies (out
    of memory, a decoder's crash), only its scan fails. Raises ValueError: faults of the options."""
    settings, jobs = share_out(settings, len(tasks), screen)
    # cv2 is loaded by now: while it loads, its folder is on sys.path, of which workers get a copy,
    # and typing.py there shadows Python's (opencv/opencv#28766).
    pool = ProcessPool(jobs, initializer=end_with_parent, context=WorkerContext())
    try:
        submit = partial(pool.submit, partial(_mask, os.getcwd(), settings), None)
        for task, future in _hand_out(deque(tasks), submit, lambda: jobs * pool.active, screen.say):
            if isinstance(error := future.exception(), ProcessExpired):
                code = error.exitcode
                how = signal.Signals(-code).name if code < 0 else f"status {code}"
                yield task, Outcome("failed", f"its process was ended by {how}: {LESS_MEMORY}")
            else:
                yield task, future.result()
    except RuntimeError as error:  # also what pebble says of a broken pool
        if not isinstance(error, BrokenProcessPool) and pool.active:  # which starts it once more
            raise
        screen.say(f"a worker process ended before its first scan: {LESS_MEMORY}")
    finally:
        pool.stop()
        pool.join()
        files.tidy(tasks)


def share_out(settings: Settings, scans: int, screen: Screen) -> tuple[Settings, int]:
    """Settings with the cores and the memory of each worker, and the number of workers."""
    config, cores = settings.config, cpu_count()
    memory_bytes = parse_bytes(config.memory)
    jobs = min(config.jobs or scans, scans)
    if not config.jobs:
        wanted = min(jobs, 1 if pick_device(config.device).type == "cuda" else max(1, cores // 2))
        if (jobs := min(wanted, max(1, memory_bytes // LEAST_JOB_BYTES))) < wanted:
            screen.say(f"{jobs} at a time on {cores} cores: --memory {wanted}GB allows {wanted}")
    threads = config.threads or (max(1, cores // jobs) if jobs > 1 else None)
    each_bytes = max(1, (memory_bytes - PARENT_BYTES) // jobs)
    return settings._replace(config=replace(config, memory=each_bytes, threads=threads)), jobs


def _mask(folder: str, settings: Settings, task: Task) -> Outcome:
    """In a process of an engine, which loads the network once for many scans."""
    if not _worker:
        with suppress(OSError):  # from where relative paths lead; behind URLs it may not be there
            os.chdir(folder)
        _worker.append(Worker(settings))
    said = list[str]()
    return replace(_worker[0].mask(task, lambda share: None, said.append), said=said)


def run_ray(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Ended:
    """On a Ray cluster, whose machines have the weights each and a file system in common, or read
    and write URLs. A task whose worker or machine is lost is handed out again.
    Raises ValueError: no Ray, no cluster, or weights and options that no worker takes."""
    try:
        import ray

        ray.init(address="auto", logging_level=logging.ERROR)
    except (ImportError, ConnectionError) as error:
        needs = "pip install 'wellseg[ray]', and a running cluster (ray start --head, RAY_ADDRESS)"
        raise ValueError(f"--engine ray needs {needs}: {one_line(error)}") from error
    threads = settings.config.threads or 1  # side by side none waits for another
    settings = settings._replace(config=replace(settings.config, threads=threads))
    try:
        memory_bytes = parse_bytes(settings.config.memory)
        # Retried here: Ray would go on for ever with a scan that takes too much memory.
        mask = ray.remote(num_cpus=threads, memory=memory_bytes, max_retries=0)(_mask)
        each = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(threads <= n.get("CPU", 0) and memory_bytes <= n["memory"] for n in each):
            needs = f"--threads {threads} and --memory {settings.config.memory}"
            screen.say(f"no machine of the cluster has {needs}: waiting for one")
        waiting, lost = deque(tasks), Counter[Task]()
        put = partial(mask.remote, os.getcwd(), settings)
        places = lambda: max(1, int(ray.cluster_resources().get("CPU", 0) // threads))  # noqa: E731
        for task, future in _hand_out(waiting, lambda task: put(task).future(), places, screen.say):
            if isinstance(loss := future.exception(), ray.exceptions.RayTaskError):
                raise ValueError(str(loss.cause)) from loss  # a fault of the options
            if not isinstance(loss, ray.exceptions.RayError):
                yield task, future.result()
                continue
            lost[task] += 1
            reason = f"its worker was lost ({one_line(loss)[:200]})"
            if lost[task] < ATTEMPTS:
                screen.say(f"{task.scan}: {reason}; once more")
                waiting.append(task)
            else:
                yield task, Outcome("failed", f"{ATTEMPTS} times {reason}")
    finally:
        ray.shutdown()

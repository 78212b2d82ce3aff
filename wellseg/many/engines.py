"""Who masks the scans of a list: this process, worker processes of this machine, or a Ray cluster.

Each engine yields what became of the scans as they end; closed early, it stops the others.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pebble import ProcessExpired, ProcessPool

from wellseg.config import parse_bytes
from wellseg.device import pick_device
from wellseg.many.screen import Screen
from wellseg.many.tasks import Outcome, Settings, clear
from wellseg.many.worker import Worker
from wellseg.scan.errors import one_line
from wellseg.scan.files import Task, is_url
from wellseg.weights import weights_path

Outcomes = Generator[tuple[Task, Outcome], None, None]

LEAST_JOB_BYTES = 1_000_000_000
"""PyTorch, the strips at work and the heap take 0.8 GB of a process."""
PARENT_BYTES = 260_000_000
"""What the process that hands out the work takes itself."""
TELL_EVERY_S = 0.2
ATTEMPTS = 4
"""A scan whose Ray worker is lost as often is given up: it may be the scan that kills them."""
RAY_THREADS = 2


def run_here(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Outcomes:
    """One after another in this process: no second PyTorch has to start for a single scan."""
    worker = Worker(settings)
    for task in tasks:
        yield task, worker.mask(task, screen.tell)


def _hand_out(
    waiting: deque[Task], submit: Callable[[Task], Future[Outcome]], places: Callable[[], int]
) -> Iterator[tuple[Task, Future[Outcome]]]:
    """Futures of all tasks, as they end; two for a place, so that no worker waits for the next."""
    running: dict[Future[Outcome], Task] = {}
    while waiting or running:
        while waiting and len(running) < 2 * places():
            task = waiting.popleft()
            running[submit(task)] = task
        # On Windows Ctrl-C is heard only between two waits.
        for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future


# Worker processes of this machine


def run_pool(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Outcomes:
    """In worker processes, as many as the options say or cores and memory allow. One that dies
    (killed for want of memory, a decoder that crashes) costs its scan alone and is replaced.

    Raises ValueError if no worker can start, and for what is wrong with all scans.
    """
    settings, jobs = _share_out(settings, len(tasks), screen)
    # cv2 is loaded by now (`scan.reader`): while it loads, its folder is on sys.path, of which
    # workers get a copy, and typing.py there shadows Python's (opencv/opencv#28766).
    # Not forked: a child that inherits OpenCV's and PyTorch's thread pools without their threads
    # hangs.
    context = multiprocessing.get_context("spawn")
    messages: Any = context.Queue()
    pool = ProcessPool(jobs, initializer=_start, initargs=(settings, messages), context=context)

    def listen() -> None:  # a worker that is killed may cut a message: then there are no more
        while True:
            screen.tell(*messages.get())

    threading.Thread(target=listen, daemon=True).start()
    try:
        submit = lambda task: pool.schedule(_mask_in_pool, (task,))  # noqa: E731
        for task, future in _hand_out(deque(tasks), submit, lambda: jobs):
            error = future.exception()
            if isinstance(error, ProcessExpired):
                clear([task])
                yield task, Outcome("failed", f"its process {_how_it_ended(error, jobs)}")
            elif isinstance(error, BrokenProcessPool):
                raise ValueError(f"no worker process can start: {one_line(error)}") from error
            else:
                yield task, future.result()
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()
        clear(tasks)


def _share_out(settings: Settings, scans: int, screen: Screen) -> tuple[Settings, int]:
    """Cores and memory of each worker, and how many workers."""
    config, cores = settings.config, available_cores()
    memory_bytes = parse_bytes(config.memory)
    jobs = min(config.jobs or scans, scans)
    if not config.jobs:
        on_gpu = pick_device(config.device).type == "cuda"  # one process is enough for it
        wanted = min(1 if on_gpu else max(1, cores // 2), scans)
        jobs = min(wanted, max(1, memory_bytes // LEAST_JOB_BYTES))
        if jobs < wanted:
            more = f"--memory {wanted}GB would allow {wanted}"
            screen.say(f"{jobs} at a time on {cores} cores, as --memory is {config.memory}: {more}")
    threads = config.threads or (max(1, cores // jobs) if jobs > 1 else None)
    each_bytes = max(1, (memory_bytes - PARENT_BYTES) // jobs)
    return settings._replace(config=replace(config, memory=each_bytes, threads=threads)), jobs


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _how_it_ended(error: ProcessExpired, jobs: int) -> str:
    if error.exitcode >= 0:
        return f"ended with status {error.exitcode}"
    name = signal.Signals(-error.exitcode).name
    cure = "fewer --jobs" if jobs > 1 else "it less --memory"
    memory = f", most likely for want of memory: allow {cure}" if name == "SIGKILL" else ""
    return f"was killed by {name}{memory}"


def _start(settings: Settings, messages: Any) -> None:
    """In a worker process, first."""
    global _settings, _messages
    _settings, _messages = settings, messages
    messages.cancel_join_thread()  # who ends has nothing more to say

    def end_with_parent() -> None:  # which was killed perhaps: nobody is there to report to
        multiprocessing.parent_process().join()  # type: ignore[union-attr]
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


_settings: Settings
_messages: Any
_pool_worker = cache(lambda: Worker(_settings))


def _mask_in_pool(task: Task) -> Outcome:
    told_s = 0.0

    def tell(task: Task, told: float | str) -> None:
        nonlocal told_s
        if isinstance(told, str) or time.monotonic() - told_s > TELL_EVERY_S:
            _messages.put((task, told if isinstance(told, str) else float(told)))
            told_s = time.monotonic()

    return _pool_worker().mask(task, tell)


# A Ray cluster


def run_ray(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Outcomes:
    """On an existing Ray cluster. Workers read scans and write results themselves, through a file
    system that all machines share or fsspec URLs, with credentials of their own environment. A
    task whose worker or machine is lost is handed out again.

    Raises ValueError: no Ray, no cluster, or weights and options that no worker takes.
    """
    try:
        import ray
    except ImportError as error:
        raise ValueError(f"--engine ray: {one_line(error)}; pip install 'wellseg[ray]'") from error
    config = settings.config
    threads, scratch = config.threads or RAY_THREADS, config.scratch and config.scratch.absolute()
    settings = settings._replace(config=replace(config, threads=threads, scratch=scratch))
    try:
        ray.init(address="auto", logging_level=logging.ERROR, log_to_driver=False)
    except ConnectionError as error:
        raise ValueError(
            "--engine ray: no running Ray cluster here: start one (ray start --head) or name one "
            "(RAY_ADDRESS)"
        ) from error
    try:
        shared = ray.put((settings, weights_path(config.weights).read_bytes()))
        # Retried here: Ray would go on for ever with a scan that takes too much memory.
        memory_bytes = parse_bytes(config.memory)
        mask: Any = ray.remote(num_cpus=threads, memory=memory_bytes, max_retries=0)(_mask_on_ray)

        def places() -> int:
            cores = ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
            return max(1, int(cores // threads))

        def submit(task: Task) -> Any:
            return mask.remote([shared], _absolute(task)).future()

        waiting, lost = deque(tasks), Counter[Task]()
        for task, future in _hand_out(waiting, submit, places):
            problem = future.exception()
            if not isinstance(problem, ray.exceptions.RayError):
                yield task, future.result()
            elif isinstance(problem, ray.exceptions.RayTaskError):  # wrong for all scans
                raise ValueError(str(problem.cause)) from problem
            elif (attempt := lost[task] + 1) < ATTEMPTS:
                lost[task] = attempt
                screen.say(
                    f"{task.scan}: its worker was lost ({one_line(problem)[:200]}); once more"
                )
                waiting.append(task)
            else:
                reason = f"{ATTEMPTS} times its worker was lost ({one_line(problem)[:200]})"
                yield task, Outcome("failed", reason)
    finally:
        ray.shutdown()


def _absolute(task: Task) -> Task:
    """Workers have a working directory of their own."""
    places = (task.scan, task.stem)
    scan, stem = (place if is_url(place) else os.path.abspath(place) for place in places)
    return replace(task, scan=scan, stem=stem)


_ray_workers: dict[Any, Worker] = {}


def _mask_on_ray(boxed: list[Any], task: Task) -> Outcome:
    """Runs on the cluster, in a process that loads the network once for many scans."""
    if boxed[0] not in _ray_workers:
        import ray

        settings, data = ray.get(boxed[0])
        with tempfile.TemporaryDirectory(prefix="wellseg-") as folder:
            # Under the same name: views and reports say of which weights they are.
            path = Path(folder, Path(settings.config.weights).name)
            path.write_bytes(data)
            _ray_workers.clear()
            config = replace(settings.config, weights=str(path))
            _ray_workers[boxed[0]] = Worker(settings._replace(config=config))
    return _ray_workers[boxed[0]].mask(task, lambda task, told: None)

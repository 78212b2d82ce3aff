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
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pebble import ProcessExpired, ProcessPool

from wellseg.config import parse_bytes
from wellseg.device import pick_device
from wellseg.many.screen import Screen
from wellseg.many.tasks import Outcome, Settings, clear
from wellseg.many.worker import Worker
from wellseg.scan.errors import one_line
from wellseg.scan.files import Task

Outcomes = Generator[tuple[Task, Outcome], None, None]

LEAST_JOB_BYTES = 1_000_000_000
"""PyTorch, the strips at work and the heap take 0.8 GB of a process."""
PARENT_BYTES = 260_000_000
"""What the process that hands out the work takes itself."""
ATTEMPTS = 4
"""A scan whose Ray worker is lost as often is given up: it may be the scan that kills them."""

_messages: Any
_worker: Worker
_worker_of: Any = None
"""In a process of an engine: the network, loaded once for many scans, and what it was made of."""


def run_here(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Outcomes:
    """One after another in this process: no second PyTorch has to start for a single scan."""
    worker = Worker(settings)
    for task in tasks:
        yield task, worker.mask(task, screen.tell)


def _hand_out(
    waiting: deque[Task], submit: Callable[[Task], Any], places: Callable[[], int]
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


def run_pool(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Outcomes:
    """In worker processes, as many as the options say or cores and memory allow. One that dies
    (killed for want of memory, a decoder that crashes) costs its scan alone and is replaced.

    Raises ValueError for what is wrong with all scans.
    """
    settings, jobs = _share_out(settings, len(tasks), screen)
    # cv2 is loaded by now (`scan.reader`): while it loads, its folder is on sys.path, of which
    # workers get a copy, and typing.py there shadows Python's (opencv/opencv#28766).
    # Not forked: a child that inherits thread pools without their threads hangs.
    context = multiprocessing.get_context("spawn")
    messages: Any = context.Queue()
    pool = ProcessPool(jobs, initializer=_start, initargs=(messages,), context=context)

    def listen() -> None:  # a worker that is killed may cut a message: then there are no more
        while True:
            screen.tell(*messages.get())

    def submit(task: Task) -> Any:
        return pool.schedule(_mask_in_pool, (settings, task))

    threading.Thread(target=listen, daemon=True).start()
    try:
        for task, future in _hand_out(deque(tasks), submit, lambda: jobs):
            error = future.exception()
            if isinstance(error, ProcessExpired):
                clear([task])
                code = error.exitcode
                how = signal.Signals(-code).name if code < 0 else f"status {code}"
                cure = "if memory ran out, allow fewer --jobs or each less --memory"
                yield task, Outcome("failed", f"its process was ended by {how}: {cure}")
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
        wanted = min(jobs, 1 if on_gpu else max(1, cores // 2))
        jobs = min(wanted, max(1, memory_bytes // LEAST_JOB_BYTES))
        if jobs < wanted:
            more = f"--memory {wanted}GB would allow {wanted}"
            screen.say(f"{jobs} at a time on {cores} cores, as --memory is {config.memory}: {more}")
    threads = config.threads or (max(1, cores // jobs) if jobs > 1 else None)
    each_bytes = max(1, (memory_bytes - PARENT_BYTES) // jobs)
    return settings._replace(config=replace(config, memory=each_bytes, threads=threads)), jobs


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(messages: Any) -> None:
    """In a worker process, first."""
    global _messages
    _messages = messages
    messages.cancel_join_thread()  # who ends has nothing more to say

    def end_with_parent() -> None:  # which was killed perhaps: nobody is there to report to
        multiprocessing.parent_process().join()  # type: ignore[union-attr]
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _mask_in_pool(settings: Settings, task: Task) -> Outcome:
    global _worker, _worker_of
    if not _worker_of:
        _worker, _worker_of = Worker(settings), settings
    return _worker.mask(task, lambda *told: _messages.put(told))


def run_ray(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Outcomes:
    """On an existing Ray cluster. Workers read scans and write results themselves, through a file
    system that all machines share or fsspec URLs, with credentials of their own environment. A
    task whose worker or machine is lost is handed out again.

    Raises ValueError: no Ray, no cluster, or weights and options that no worker takes.
    """
    try:
        import ray

        ray.init(address="auto", logging_level=logging.ERROR, log_to_driver=False)
    except ImportError as error:
        raise ValueError(f"--engine ray: {one_line(error)}; pip install 'wellseg[ray]'") from error
    except ConnectionError as error:
        cure = "start one (ray start --head) or name one (RAY_ADDRESS)"
        raise ValueError(f"--engine ray: no running Ray cluster here: {cure}") from error
    threads = settings.config.threads or 2
    config = replace(settings.config, threads=threads)
    try:
        weights = Path(str(config.weights))
        shared = ray.put((os.getcwd(), settings._replace(config=config), weights.read_bytes()))
        memory_bytes = parse_bytes(config.memory)
        # Retried here: Ray would go on for ever with a scan that takes too much memory.
        mask: Any = ray.remote(num_cpus=threads, memory=memory_bytes, max_retries=0)(_mask)

        def places() -> int:
            cores = ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
            return max(1, int(cores // threads))

        waiting, lost = deque(tasks), Counter[Task]()
        for task, future in _hand_out(
            waiting, lambda task: mask.remote([shared], task).future(), places
        ):
            loss = future.exception()
            if isinstance(loss, ray.exceptions.RayTaskError):  # what is wrong with all scans
                raise ValueError(str(loss.cause)) from loss
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


def _mask(boxed: list[Any], task: Task) -> Outcome:
    """In a process of the cluster."""
    global _worker, _worker_of
    if _worker_of != boxed[0]:
        import ray

        folder, settings, weights = ray.get(boxed[0])
        with suppress(OSError):  # where relative paths lead to; behind URLs there may be none
            os.chdir(folder)
        with tempfile.TemporaryDirectory(prefix="wellseg-") as copies:
            # Under the same name: views and reports say of which weights they are.
            path = Path(copies, Path(settings.config.weights).name)
            path.write_bytes(weights)
            config = replace(settings.config, weights=str(path))
            _worker, _worker_of = Worker(settings._replace(config=config)), boxed[0]
    return _worker.mask(task, lambda task, told: None)

"""The local engine: some worker processes, each masking one scan at a time.

A worker that dies (killed for want of memory, a decoder that crashes) costs its scan alone and is
replaced; none outlives the command.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import islice
from typing import Any

from pebble import ProcessExpired, ProcessPool

from wellseg.config import parse_bytes
from wellseg.device import pick_device
from wellseg.many.progress import Screen
from wellseg.many.tasks import Outcome, Outcomes, Results, Settings
from wellseg.many.worker import Worker
from wellseg.scan.errors import one_line
from wellseg.scan.files import Task

LEAST_JOB_BYTES = 1_000_000_000
"""PyTorch, the strips at work and the heap take 0.8 GB of a process."""
PARENT_BYTES = 260_000_000
"""What the process that hands out the work takes itself."""
QUEUED = 2
"""Scans handed out for each worker, so that none waits for the next."""
TELL_EVERY_S = 0.2


def run_here(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Outcomes:
    """One after another in this process: no second PyTorch has to start for a single scan."""
    worker = Worker(settings)
    for task in tasks:
        yield task, worker.mask(task, lambda share: screen.share(task, share), screen.say)  # noqa: B023


def run_pool(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Outcomes:
    """In worker processes, as many as the options say or cores and memory allow; close it to stop.

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
    waiting = iter(tasks)
    running: dict[Future[Outcome], Task] = {}
    listener = threading.Thread(target=_listen, args=(messages, screen, running), daemon=True)
    listener.start()
    try:
        while True:
            for task in islice(waiting, QUEUED * jobs - len(running)):
                running[pool.schedule(_mask, (task,))] = task
            if not running:
                break
            # On Windows Ctrl-C is heard only between two waits.
            for future in wait(running, timeout=0.5, return_when=FIRST_COMPLETED).done:
                yield running[future], _outcome(running[future], future, jobs)
                del running[future]
        messages.put(None)
        listener.join(timeout=1)
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()
        Results(running.values()).clear()


def _listen(messages: Any, screen: Screen, running: dict[Future[Outcome], Task]) -> None:
    """A worker that is killed while it writes may cut a message: then progress is not shown any
    more, and nothing else is lost."""
    while (message := messages.get()) is not None:
        if isinstance(message, str):
            screen.say(message)
        elif message[0] in list(running.values()):
            screen.share(*message)


def _share_out(settings: Settings, scans: int, screen: Screen) -> tuple[Settings, int]:
    """Cores and memory of each worker, and how many workers."""
    config, cores = settings.config, available_cores()
    memory_bytes = parse_bytes(config.memory)
    by_memory = max(1, memory_bytes // LEAST_JOB_BYTES)
    jobs = config.jobs or 0
    if not jobs:
        on_gpu = pick_device(config.device).type == "cuda"  # one process is enough for it
        by_cores = min(1 if on_gpu else max(1, cores // 2), scans)
        jobs = min(by_cores, by_memory)
        if jobs < by_cores:
            more = f"--memory {by_cores}GB would allow {by_cores}"
            screen.say(f"{jobs} at a time on {cores} cores, as --memory is {config.memory}: {more}")
    jobs = min(jobs, scans)
    threads = config.threads or (max(1, cores // jobs) if jobs > 1 else None)
    each_bytes = max(1, (memory_bytes - PARENT_BYTES) // jobs)
    return replace(settings, config=replace(config, memory=each_bytes, threads=threads)), jobs


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _outcome(task: Task, future: Future[Outcome], jobs: int) -> Outcome:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, BrokenProcessPool):
        raise ValueError(f"no worker process can start: {one_line(error)}") from error
    if not isinstance(error, ProcessExpired):
        raise error
    how = f"ended with status {error.exitcode}"
    if error.exitcode < 0:
        how = f"was killed by {signal.Signals(-error.exitcode).name}"
        if how.endswith("SIGKILL"):
            cure = "fewer --jobs" if jobs > 1 else "it less --memory"
            how += f", most likely for want of memory: allow {cure}"
    Results([task]).clear()
    return Outcome(task.name, "failed", reason=f"the process that masked it {how}")


# In a worker process


_settings: Settings
_messages: Any
_worker: Worker | None = None


def _start(settings: Settings, messages: Any) -> None:
    global _settings, _messages
    _settings, _messages = settings, messages
    messages.cancel_join_thread()  # who ends has nothing more to say
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _mask(task: Task) -> Outcome:
    global _worker
    _worker = _worker or Worker(_settings)
    told_s = 0.0

    def progress(share: float) -> None:
        nonlocal told_s
        if time.monotonic() - told_s > TELL_EVERY_S:
            _messages.put((task, float(share)))
            told_s = time.monotonic()

    return _worker.mask(task, progress, _messages.put)


def _end_with_parent() -> None:
    """When the parent has gone, killed perhaps, nobody is there to report to."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)

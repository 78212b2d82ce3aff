"""The local engine: some worker processes, each masking one scan at a time.

A worker that dies (killed for want of memory, a decoder that crashes) costs its scan alone and is
replaced; none outlives the command. With concurrent.futures one dead worker would end all the others.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, NoReturn, Protocol

from wellseg.config import parse_bytes
from wellseg.many.worker import Ended, Row, Work, Worker
from wellseg.scan.files import Task
from wellseg.weights import WeightsError

LEAST_JOB_BYTES = 1_000_000_000
"""PyTorch, the strips at work and the heap take 0.8 GB of a process."""
PARENT_BYTES = 260_000_000
"""What the process that hands out the work takes itself."""
TELL_EVERY_S = 0.2
STOP_S = 10.0
"""A worker has so long to leave its with-blocks."""


class Board(Protocol):
    """Whom an engine tells what happens. ``ended`` may raise to end it all."""

    def share(self, task: Task, share: float) -> None: ...

    def say(self, text: str) -> None: ...

    def ended(self, ended: Ended) -> None: ...


def run_here(tasks: Sequence[Task], work: Work, board: Board) -> None:
    """One after another in this process: no second PyTorch has to start for a single scan."""
    worker = Worker(work)
    for task in tasks:
        board.ended(worker.mask(task, lambda share, task=task: board.share(task, share), board.say))  # type: ignore[misc]


def run_pool(tasks: Sequence[Task], work: Work, board: Board) -> None:
    """In worker processes, as many as the options say or cores and memory allow.

    Raises ValueError if no worker can start, with the reason.
    """
    config, cores = work.config, available_cores()
    memory_bytes = parse_bytes(config.memory)
    by_cores, by_memory = max(1, cores // 2), max(1, memory_bytes // LEAST_JOB_BYTES)
    jobs = min(config.jobs or min(by_cores, by_memory), len(tasks))
    if not config.jobs and by_memory < min(by_cores, len(tasks)):
        more = f"--memory {2 * by_cores}GB would allow {by_cores}"
        board.say(f"{jobs} at a time on {cores} cores, as --memory is {config.memory}: {more}")
    threads = config.threads or (max(1, cores // jobs) if jobs > 1 else None)
    each = str(max(1, (memory_bytes - PARENT_BYTES) // jobs))
    work = replace(work, config=replace(config, memory=each), threads=threads)
    waiting = deque(tasks)
    # Unless told, start one and ask it: on a GPU one process is enough.
    processes = [_Process(work) for _ in range((config.jobs and jobs) or 1)]
    try:
        while waiting or any(process.task for process in processes):
            for ready in wait([process.connection for process in processes]):
                process = next(process for process in processes if process.connection is ready)
                kind, content = process.receive()
                match kind:
                    case "share" if process.task:
                        board.share(process.task, content)
                    case "say":
                        board.say(content)
                    case "started" if content == "cpu" and not config.jobs:
                        processes += [_Process(work) for _ in range(jobs - len(processes))]
                    case "ended":
                        process.task = None
                        board.ended(content)
                    case "wrong":
                        raise ValueError(content)
                    case "died":
                        processes.remove(process)
                        if process.task:
                            board.ended(
                                Ended(
                                    process.task, Row(process.task.name, "failed", reason=content)
                                )
                            )
                            if waiting:
                                processes.append(_Process(work))
                        elif not processes:
                            raise ValueError(f"no worker process can start: {content}")
                if kind in ("started", "ended") and waiting:
                    process.give(waiting.popleft())
    finally:
        for process in processes:
            process.leave()
        for process in processes:
            process.end()


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Process:
    """One worker process, seen from the parent."""

    def __init__(self, work: Work) -> None:
        # Not forked: a child that inherits OpenCV's and PyTorch's thread pools without their threads hangs.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_serve, args=(theirs, work), daemon=True
        )
        self.process.start()
        theirs.close()  # so that its death is heard at this end
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        self.task = task
        try:
            self.connection.send(task)
        except OSError:
            pass  # it has died, which the next receive tells

    def receive(self) -> tuple[str, Any]:
        try:
            return self.connection.recv()  # type: ignore[no-any-return]
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            how = (
                f"was killed by {signal.Signals(-code).name}"
                if code < 0
                else f"ended with status {code}"
            )
            why = (
                ", most likely for want of memory: allow fewer --jobs"
                if code == -signal.SIGKILL
                else ""
            )
            return "died", f"the process that masked it {how}{why}"

    def leave(self) -> None:
        self.connection.close()
        self.process.terminate()

    def end(self) -> None:
        self.process.join(STOP_S)
        self.process.kill()
        self.process.join()


def _serve(connection: Connection, work: Work) -> None:
    """The worker process's main function."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        worker = Worker(work)
    except (ValueError, WeightsError) as error:
        connection.send(("wrong", str(error)))
        return
    connection.send(("started", worker.device.type))
    told_s = 0.0

    def progress(share: float) -> None:
        nonlocal told_s
        if time.monotonic() - told_s > TELL_EVERY_S:
            connection.send(("share", share))
            told_s = time.monotonic()

    while True:
        try:
            task = connection.recv()
        except EOFError:
            _leave()
        connection.send(
            ("ended", worker.mask(task, progress, lambda text: connection.send(("say", text))))
        )


def _leave(*_: object) -> NoReturn:
    """Through every with-block, once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()


def _end_with_parent() -> None:
    """Go when the parent has gone, killed perhaps: nobody is there to report to."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_S)
    os._exit(1)

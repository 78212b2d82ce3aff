"""The ray engine: the same scans on an existing Ray cluster, one task each.

Workers read scans and write results themselves, through a file system that all machines share or fsspec
URLs, with credentials of their own environment; only rows of the summary travel. A task whose worker or
machine is lost is handed out again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wellseg.config import parse_bytes
from wellseg.many.processes import Board
from wellseg.many.worker import Ended, Row, Work, Worker
from wellseg.scan.files import Task, is_url, one_line
from wellseg.weights import WeightsError, weights_path

ATTEMPTS = 4
"""A scan whose worker is lost as often is given up: it may be the scan that kills them."""
THREADS = 2
QUEUED = 2
"""Tasks handed out for each place where one can run, so that no worker waits for the next."""
LOOK_EVERY_S = 10.0


def run_ray(tasks: Sequence[Task], work: Work, board: Board) -> None:
    """Hand out all tasks. Raises ValueError: no Ray, no cluster, or weights and options that no worker takes."""
    try:
        import ray
    except ImportError as error:
        raise ValueError(f"--engine ray: {one_line(error)}; pip install 'wellseg[ray]'") from error
    threads = work.threads or THREADS
    scratch = work.config.scratch and work.config.scratch.absolute()
    work = replace(work, threads=threads, config=replace(work.config, scratch=scratch))
    try:
        ray.init(address="auto", logging_level=logging.ERROR, log_to_driver=False)
    except ConnectionError as error:
        raise ValueError(
            "--engine ray: no running Ray cluster here: start one (ray start --head) or name one (RAY_ADDRESS)"
        ) from error
    try:
        weights = weights_path(work.config.weights)
        data = weights.read_bytes()
        shared = ray.put((work, weights.stem, data))
        key = hashlib.sha256(data).hexdigest() + repr(work)
        memory_bytes = parse_bytes(work.config.memory)
        # Retried here, not by Ray, which would go on for ever with a scan that takes too much memory.
        mask = ray.remote(num_cpus=threads, memory=memory_bytes, max_retries=0)(_mask)
        waiting = deque((task, 1) for task in tasks)
        running: dict[Any, tuple[Task, int]] = {}
        places, looked_s = 1, 0.0
        while waiting or running:
            if time.monotonic() - looked_s > LOOK_EVERY_S:
                cores = ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
                places, looked_s = max(1, int(cores // threads)), time.monotonic()
            while waiting and len(running) < places * QUEUED:
                task, attempt = waiting.popleft()
                running[mask.remote(key, [shared], _absolute(task))] = task, attempt
            ready, _ = ray.wait(list(running), timeout=LOOK_EVERY_S)
            for reference in ready:
                task, attempt = running.pop(reference)
                try:
                    board.ended(replace(ray.get(reference), task=task))
                except ray.exceptions.RayTaskError as error:
                    if isinstance(error.cause, ValueError | WeightsError):
                        raise ValueError(str(error.cause)) from error
                    raise
                except ray.exceptions.RayError as error:
                    lost = f"its worker was lost ({one_line(error)[:200]})"
                    if attempt < ATTEMPTS:
                        board.say(f"{task.scan}: {lost}; once more")
                        waiting.append((task, attempt + 1))
                    else:
                        board.ended(
                            Ended(task, Row(task.name, "failed", reason=f"{ATTEMPTS} times {lost}"))
                        )
    finally:
        ray.shutdown()


def _absolute(task: Task) -> Task:
    """Workers have a working directory of their own."""
    scan, stem = (
        place if is_url(place) else os.path.abspath(place) for place in (task.scan, task.stem)
    )
    return replace(task, scan=scan, stem=stem)


_workers: dict[str, Worker] = {}


def _mask(key: str, boxed: list[Any], task: Task) -> Ended:
    """Runs on the cluster, in a process that masks many scans with the network that it loads once."""
    if key not in _workers:
        import ray

        work, name, data = ray.get(boxed[0])
        with tempfile.TemporaryDirectory(prefix="wellseg-") as folder:
            path = Path(folder, f"{name}.safetensors")
            path.write_bytes(data)
            _workers.clear()
            _workers[key] = Worker(replace(work, config=replace(work.config, weights=str(path))))
    return _workers[key].mask(task, lambda share: None, lambda text: None)

"""The ray engine: the same scans on an existing Ray cluster, one task each.

Workers read scans and write results themselves, through a file system that all machines share or
fsspec URLs, with credentials of their own environment; only lines of the summary travel. A task
whose worker or machine is lost is handed out again.
"""

from __future__ import annotations

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
from wellseg.many.progress import Screen
from wellseg.many.tasks import Outcome, Outcomes, Settings
from wellseg.many.worker import Worker
from wellseg.scan.errors import one_line
from wellseg.scan.files import Task, is_url
from wellseg.weights import WeightsError, weights_path

ATTEMPTS = 4
"""A scan whose worker is lost as often is given up: it may be the scan that kills them."""
THREADS = 2
QUEUED = 2
"""Tasks handed out for each place where one can run, so that no worker waits for the next."""
LOOK_EVERY_S = 10.0


def run_ray(tasks: Sequence[Task], settings: Settings, screen: Screen) -> Outcomes:
    """Hand out all tasks. Raises ValueError: no Ray, no cluster, or weights and options that no
    worker takes."""
    try:
        import ray
    except ImportError as error:
        raise ValueError(f"--engine ray: {one_line(error)}; pip install 'wellseg[ray]'") from error
    config = settings.config
    threads, scratch = config.threads or THREADS, config.scratch and config.scratch.absolute()
    settings = replace(settings, config=replace(config, threads=threads, scratch=scratch))
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
                running[mask.remote(repr(settings), [shared], _absolute(task))] = task, attempt
            ready, _ = ray.wait(list(running), timeout=LOOK_EVERY_S)
            for reference in ready:
                task, attempt = running.pop(reference)
                try:
                    yield task, ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    if isinstance(error.cause, ValueError | WeightsError):
                        raise ValueError(str(error.cause)) from error
                    raise
                except ray.exceptions.RayError as error:
                    lost = f"its worker was lost ({one_line(error)[:200]})"
                    if attempt < ATTEMPTS:
                        screen.say(f"{task.scan}: {lost}; once more")
                        waiting.append((task, attempt + 1))
                    else:
                        yield task, Outcome(task.name, "failed", reason=f"{ATTEMPTS} times {lost}")
    finally:
        ray.shutdown()


def _absolute(task: Task) -> Task:
    """Workers have a working directory of their own."""
    scan, stem = (
        place if is_url(place) else os.path.abspath(place) for place in (task.scan, task.stem)
    )
    return replace(task, scan=scan, stem=stem)


_workers: dict[str, Worker] = {}


def _mask(key: str, boxed: list[Any], task: Task) -> Outcome:
    """Runs on the cluster, in a process that loads the network once for many scans."""
    if key not in _workers:
        import ray

        settings, data = ray.get(boxed[0])
        with tempfile.TemporaryDirectory(prefix="wellseg-") as folder:
            # Under the same name: views and reports say of which weights they are.
            path = Path(folder, Path(settings.config.weights).name)
            path.write_bytes(data)
            _workers.clear()
            config = replace(settings.config, weights=str(path))
            _workers[key] = Worker(replace(settings, config=config))
    return _workers[key].mask(task, lambda share: None, lambda text: None)

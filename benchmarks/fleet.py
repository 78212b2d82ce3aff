"""What the Ray engine costs: the same small scans through worker processes and through a Ray cluster.

    python benchmarks/fleet.py --scans 1000 --workers 2

Both engines mask the same folder with the same number of workers, one thread each, by turns, each into a new
folder. Of each start are taken the whole time, the time from the first scan that is done to the last (PyTorch
loads and the network warms up before), and the CPU time of all processes in both, Ray's own among them: that says
something on a busy machine, too. A cluster of its own is started for it and stopped afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from wellseg.net.resunet import ResUNet
from wellseg.scan.writer import write_gray
from wellseg.weights import save_weights

ROWS, COLUMNS = 300, 200


def prepare(folder: Path, scans: int) -> None:
    """So many drawn 1-bit scans, and a small network: what counts here is all that is not the network."""
    rng = np.random.default_rng(0)
    (folder / "scans").mkdir()
    for number in range(scans):
        gray = np.where(rng.random((ROWS, COLUMNS)) < 0.05, 0, 255).astype(np.uint8)
        write_gray(folder / "scans" / f"{number:05d}.tif", gray, dpi=200, bilevel=True)
    torch.manual_seed(0)
    save_weights(
        folder / "small.safetensors",
        ResUNet(2, (8, 16)),
        {"model": {"patch": 2, "widths": [8, 16]}},
    )


def measure(folder: Path, engine: str, workers: int, turn: int) -> np.ndarray:
    """Seconds of a start: whole, between the first and the last report, and CPU time of both."""
    out = folder / f"{engine}-{turn}"
    options = [
        "--engine",
        engine,
        "--threads",
        "1",
        "--memory",
        "1GB" if engine == "ray" else f"{workers}GB",
    ]
    options += ["--jobs", str(workers)] * (engine == "local")
    start = [sys.executable, "-m", "wellseg.predict", folder / "scans", "--out", out, *options]
    started_s = time.time()
    with subprocess.Popen(
        [*start, "--weights", folder / "small.safetensors"], stderr=subprocess.DEVNULL
    ) as process:
        samples, ticks = [(started_s, 0.0)], dict[int, int]()
        while process.poll() is None:
            samples.append((time.time(), cpu_seconds(ticks)))
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"{engine}: status {process.returncode}")
    reports = [report.stat().st_mtime for report in out.glob("*.json")]
    at_s, cpu_s = np.array(samples).T
    cpu_s -= cpu_s[1]
    between = np.diff(np.interp([min(reports), max(reports)], at_s, cpu_s))[0]
    return np.array([samples[-1][0] - started_s, max(reports) - min(reports), cpu_s[-1], between])


def cpu_seconds(ticks: dict[int, int]) -> float:
    """Of all processes below this one so far. ticks: of each, kept here when it has ended."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1]), int(fields[11]) + int(fields[12])
    below = [os.getpid()]
    for pid in below:
        below += [child for child, (parent, _) in parents.items() if parent == pid]
    ticks |= {pid: parents[pid][1] for pid in below[1:]}
    return sum(ticks.values()) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--scans", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    # Its workers as nice as the processes that they are compared with.
    quiet = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
        "RAY_raylet_start_wait_time_s": "300",
    }
    os.environ |= {**quiet, "RAY_worker_niceness": "0"}
    from ray.cluster_utils import Cluster

    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": given.workers, "include_dashboard": False}
    )
    os.environ["RAY_ADDRESS"] = nodes.address
    what = ("whole", "first scan to last", "CPU whole", "CPU first to last")
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), given.scans)
            print(f"{given.scans} scans of {ROWS} x {COLUMNS}, {given.workers} workers")
            least = {}
            for turn in range(given.turns):
                for engine in ("local", "ray"):
                    took = measure(Path(folder), engine, given.workers, turn)
                    least[engine] = np.minimum(took, least.get(engine, took))
                    texts = [
                        f"{name} {seconds:.1f} s" for name, seconds in zip(what, took, strict=True)
                    ]
                    print(
                        f"{engine:5} {', '.join(texts)}; load {os.getloadavg()[0]:.1f}", flush=True
                    )
            for name, share in zip(what, least["ray"] / least["local"] - 1, strict=True):
                print(f"overhead of ray, {name}: {share:+.1%}")
    finally:
        nodes.shutdown()


if __name__ == "__main__":
    main()

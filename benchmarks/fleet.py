"""What the Ray engine costs: the same small scans through worker processes and through a Ray cluster.

    python benchmarks/fleet.py --scans 1000 --workers 2

Both engines mask the same folder with the same number of workers, one thread each, by turns, each into a new
folder. The time of a start is taken twice: whole, and from the first scan that is done to the last (PyTorch
loads and the network warms up before). A cluster of its own is started for it and stopped afterwards.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from wellseg.resunet import ResUNet
from wellseg.scan import write_gray
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
    save_weights(folder / "small.safetensors", ResUNet(2, (8, 16)), {"model": {"patch": 2, "widths": [8, 16]}})


def measure(folder: Path, engine: str, workers: int, turn: int) -> tuple[float, float]:
    """Seconds of a start: whole, and between the first and the last report."""
    out = folder / f"{engine}-{turn}"
    options = ["--engine", engine, "--threads", "1", "--memory", "1GB" if engine == "ray" else f"{workers}GB"]
    options += ["--jobs", str(workers)] * (engine == "local")
    started = time.perf_counter()
    start = [sys.executable, "-m", "wellseg.predict", folder / "scans", "--out", out, *options]
    subprocess.run([*start, "--weights", folder / "small.safetensors"], check=True, stderr=subprocess.DEVNULL)
    whole = time.perf_counter() - started
    times = [report.stat().st_mtime for report in out.glob("*.json")]
    return whole, max(times) - min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--scans", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    # As nice as the processes that it is compared with.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": given.workers, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = nodes.address
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), given.scans)
            best = {engine: (float("inf"), float("inf")) for engine in ("local", "ray")}
            print(f"{given.scans} scans of {ROWS} x {COLUMNS}, {given.workers} workers, load {os.getloadavg()[0]:.1f}")
            for turn in range(given.turns):
                for engine, so_far in best.items():
                    whole, steady = measure(Path(folder), engine, given.workers, turn)
                    best[engine] = min(so_far[0], whole), min(so_far[1], steady)
                    load = os.getloadavg()[0]
                    print(f"{engine:5} {whole:7.1f} s whole, {steady:7.1f} s between; load {load:.1f}")
            for number, name in enumerate(("whole", "between the first scan and the last")):
                print(f"overhead of ray, {name}: {100 * (best['ray'][number] / best['local'][number] - 1):+.1f} %")
    finally:
        nodes.shutdown()


if __name__ == "__main__":
    main()

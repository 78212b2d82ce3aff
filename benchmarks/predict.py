"""How fast and how exact is what users get, against the whole image at once and against tiles?

    python benchmarks/predict.py                  # a drawn log of 6,400 x 640 pixels
    python benchmarks/predict.py --scan log.tif   # the first 6,400 rows of a real one
    python benchmarks/predict.py --busy 1         # beside a process that computes
    python benchmarks/predict.py --device cuda

The same weights on the same pixels, in turns, so that a busy machine is unfair to none:

* ``segment``: what users get: gray pixels to probability, by the windows that the weights ask for;
* ``segment, whole``: the same with statistics of the whole scan;
* ``whole image``: the network on everything at once, under autocast for bf16;
* ``MONAI 0.25``: its sliding window (Gaussian importance, overlap 0.25), of 'wellseg[bench]'.

Printed are the shortest of several times, by the clock and of the processor, the ratio of speeds to
the whole image's, and the largest difference in probability from ``segment`` of the same windows in
float32, so that tiles show what their other statistics do. Then comes the command itself, from a
file to its mask, and the roofline: what the network multiplies and moves, and how long this machine
takes for as many multiply-adds of a large matrix product, and for copying as many bytes.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import tifffile
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

import wellseg
from wellseg.net.resunet import to_ink
from wellseg.rows.graph import record

WINDOW_PX = 512
Method = Callable[[str], NDArray[np.float32]]


def read_gray(scan: Path | None, rows: int) -> NDArray[np.uint8]:
    """Gray of that scan's first rows, or else of a drawn log, 640 columns wide."""
    if scan is not None:
        from wellseg.scan.reader import open_scan

        with open_scan(scan) as opened:
            return opened.read(0, min(rows, opened.rows))
    from wellseg.corpus import draw_log
    from wellseg.scan.pictures import to_gray

    gray = np.full((rows, 640), 255, np.uint8)
    first = index = 0
    while first < rows:
        piece = to_gray(draw_log(seed=0, index=index).image)[: rows - first, :640]
        gray[first : first + len(piece), : piece.shape[1]] = piece
        first, index = first + len(piece), index + 1
    return gray


def methods(model: torch.nn.Module, gray: NDArray[np.uint8], device: str) -> dict[str, Method]:
    """Each from a precision, fp32 or bf16, to the probability of every pixel."""
    options = {"device": device, "memory": "4GB"}

    def whole(precision: str, overlap: float | None = None) -> NDArray[np.float32]:
        ink = to_ink(torch.from_numpy(gray)[None, None].to(device))
        with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            if overlap is None:
                logits = model(ink)
            else:
                from monai.inferers import sliding_window_inference

                logits = sliding_window_inference(
                    ink, WINDOW_PX, 1, lambda x: model(x).float(), overlap, mode="gaussian"
                )
            return logits.float().sigmoid()[0, 0].cpu().numpy()

    found: dict[str, Method] = {
        "segment": lambda precision: wellseg.segment(model, gray, precision=precision, **options),
        "segment, whole": lambda precision: wellseg.segment(
            model, gray, precision=precision, window_rows=0, **options
        ),
        "whole image": whole,
    }
    if importlib.util.find_spec("monai"):
        found["MONAI 0.25"] = lambda precision: whole(precision, 0.25)
    return found


def command_seconds(gray: NDArray[np.uint8], weights: str | None, device: str) -> float:
    """``predict`` of one file: starting, reading, masking and writing."""
    from wellseg.config import PredictConfig
    from wellseg.predict import predict

    with tempfile.TemporaryDirectory() as folder:
        scan = Path(folder) / "scan.tif"
        tifffile.imwrite(scan, gray, compression="deflate")
        start = time.perf_counter()
        predict(PredictConfig(scans=[str(scan)], weights=weights, device=device))
        return time.perf_counter() - start


def best(do: Callable[[], object], repeats: int = 20) -> float:
    """Seconds of the fastest of several times."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        do()
        taken.append(time.perf_counter() - start)
    return min(taken)


def roofline(model: torch.nn.Module, rows: int, columns: int, dtype: torch.dtype) -> str:
    """What a map's pixels cost at least on this CPU, by arithmetic and by memory."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 1, 256, 256))
    macs = counter.get_total_flops() / 2 / 256**2 * rows * columns
    # As if no map stayed in the cache: each operation reads its inputs and writes its output.
    steps = record(model, (1, rows, columns), dtype, torch.device("cpu"))
    moved = sum(each.meta.nbytes for step in steps for each in (step, *step.inputs))
    a, b = torch.rand(2, 1024, 1024).to(dtype)
    here, there = torch.rand(2, 1 << 24).to(dtype)
    mac_seconds = best(lambda: a @ b) / 1024**3
    byte_seconds = best(lambda: there.copy_(here)) / (2 * here.nbytes)
    return (
        f"roofline: {macs / 1e9:.3g} G multiply-adds, {1e-9 / mac_seconds:.3g} G/s: "
        f"{macs * mac_seconds:.3g} s; {moved / 1e9:.3g} GB moved if nothing stays in the cache, "
        f"{1e-9 / byte_seconds:.3g} GB/s: {moved * byte_seconds:.3g} s"
    )


@contextmanager
def beside(others: int) -> Iterator[None]:
    """So many processes compute meanwhile, with one thread each."""
    code = "import torch; torch.set_num_threads(1); a = torch.rand(512, 512)\nwhile True: a @ a"
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(others)]
    try:
        time.sleep(5 if others else 0)
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scan", type=Path, help="a TIFF instead of a drawn log")
    parser.add_argument("--rows", type=int, default=6_400, help="of the log, from the top")
    parser.add_argument("--weights", default=None, help="bundled name or file")
    parser.add_argument("--repeats", type=int, default=3, help="turns; the shortest time counts")
    parser.add_argument("--busy", type=int, default=0, help="so many processes compute meanwhile")
    parser.add_argument(
        "--precision", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"]
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    with beside(options.busy):
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """Print the tables."""
    torch.backends.cudnn.allow_tf32 = False  # of the whole image: rows never use it
    model = wellseg.load_model(options.weights).to(options.device)
    gray = read_gray(options.scan, options.rows)
    mpx = gray.size / 1e6
    busy = f", load {psutil.getloadavg()[0]:.1f}"
    print(f"{gray.shape} pixels, {mpx:.1f} Mpx; {torch.get_num_threads()} threads{busy}")
    found = methods(model, gray, options.device)
    truth = {name: found[name]("fp32") for name in ("segment", "segment, whole")}
    for precision in options.precision:
        seconds, off = dict.fromkeys(found, float("inf")), dict.fromkeys(found, 0.0)
        cpu = seconds.copy()
        for _ in range(options.repeats):
            for name, method in found.items():
                start, cpu_start = time.perf_counter(), time.process_time()
                given = method(precision)
                seconds[name] = min(seconds[name], time.perf_counter() - start)
                cpu[name] = min(cpu[name], time.process_time() - cpu_start)
                off[name] = float(np.abs(given - truth.get(name, truth["segment, whole"])).max())
        heads = f"{'seconds':>8} {'CPU s':>8} {'Mpx/s':>7} {'x whole':>8} {'off':>9}"
        print(f"\n{precision:16} {heads}")
        for name, taken in seconds.items():
            ratio = seconds["whole image"] / taken
            times = f"{taken:8.3g} {cpu[name]:8.3g} {mpx / taken:7.2f} {ratio:8.2f}"
            print(f"{name:16} {times} {off[name]:9.1e}", flush=True)
        if options.device == "cpu":
            dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
            print(roofline(model, *gray.shape, dtype))
    taken = command_seconds(gray, options.weights, options.device)
    print(f"\nthe command, from file to mask: {taken:.1f} s, {mpx / taken:.2f} Mpx/s")


if __name__ == "__main__":
    main()

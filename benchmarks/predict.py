"""How fast, how lean and how exact is prediction, against the whole image at once and against tiles?

    python benchmarks/predict.py                  # a synthetic log of 12,800 x 640 pixels
    python benchmarks/predict.py --scan log.tif   # the first 12,800 rows of a real one
    python benchmarks/predict.py --quick          # a minute, on a small log
    python benchmarks/predict.py --device cuda

On the same weights and the same ink, in one process, in turns (so that a busy machine is unfair to
none): the whole-image forward, ``RowEvaluation``, and MONAI's sliding window (Gaussian importance,
overlap 0.25 and 0.5), each in float32 and in bf16. Printed are the shortest of several times, its
ratio to the whole image's, the peak of resident memory in that turn, and the largest difference in
probability from float64. Then the time for a tenth of the rows, which should be a tenth.

Sliding windows give a network with GroupNorm other statistics in each window; that is the difference
they show. On a GPU, the peak is that of PyTorch's memory there. MONAI is needed here only: pip install
'wellseg[bench]'; without it, its windows are left out.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from wellseg.net.resunet import to_ink
from wellseg.rows.evaluation import RowEvaluation
from wellseg.weights import load_model

Method = Callable[[nn.Module, Tensor, torch.dtype], Tensor]
MEMORY_BYTES = 2_000_000_000
WINDOW_PX = 512
WHOLE_BYTES_PER_PX = 300
"""What the whole-image forward of the default network takes in float32 (measured: 250)."""


def whole(net: nn.Module, ink: Tensor, dtype: torch.dtype) -> Tensor:
    """The reference for speed: everything at once."""
    with torch.autocast(ink.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        return net(ink)


def by_rows(net: nn.Module, ink: Tensor, dtype: torch.dtype) -> Tensor:
    """What wellseg does."""
    evaluation = RowEvaluation(
        net, *ink.shape[2:], memory_bytes=MEMORY_BYTES, dtype=dtype, device=ink.device
    )
    return torch.cat([band for _, band in evaluation.bands(lambda a, b: ink[:, :, a:b])], 2)


def sliding(overlap: float) -> Method:
    """MONAI's sliding window."""
    from monai.inferers import sliding_window_inference

    def method(net: nn.Module, ink: Tensor, dtype: torch.dtype) -> Tensor:
        with torch.autocast(ink.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            return sliding_window_inference(
                ink, WINDOW_PX, 1, lambda x: net(x).float(), overlap, mode="gaussian"
            )

    return method


def reset_peak(device: torch.device) -> None:
    """Give back what the turn before has freed, and forget the peak of resident memory (Linux), or of the GPU's."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def peak_gb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9


def wait_for(device: torch.device) -> None:
    """For what a GPU was told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def rows_that_fit(columns: int) -> int:
    """How many rows the whole-image forward can take without driving the machine out of memory."""
    available = Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]
    return int(0.5 * 1024 * int(available) / (WHOLE_BYTES_PER_PX * columns))


def read_ink(scan: Path | None, rows: int, columns: int) -> Tensor:
    """Ink (1, 1, rows, columns) of that scan's first rows, in its own width, or else of a synthetic log."""
    if scan is not None:
        from wellseg.scan.reader import open_scan

        with open_scan(scan) as opened:
            rows = min(rows, opened.rows, rows_that_fit(opened.columns))
            return to_ink(torch.from_numpy(opened.read(0, rows))[None, None])
    rows = min(rows, rows_that_fit(columns))
    from wellseg.corpus import draw_log

    pieces, drawn = [], 0
    while drawn < rows:
        gray = torch.from_numpy(draw_log(seed=0, index=len(pieces)).image)
        piece = torch.full((len(gray), columns), 255, dtype=torch.uint8)
        piece[:, : min(columns, gray.shape[1])] = gray[:, :columns]
        pieces.append(piece)
        drawn += len(gray)
    return to_ink(torch.cat(pieces)[None, None, :rows])


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scan", type=Path, help="a TIFF instead of a synthetic log")
    parser.add_argument(
        "--rows", type=int, default=12_800, help="of the log, from the top, if they fit in memory"
    )
    parser.add_argument("--columns", type=int, default=640, help="of the synthetic log")
    parser.add_argument("--weights", default=None, help="bundled name or file")
    parser.add_argument("--repeats", type=int, default=3, help="turns; the shortest time counts")
    parser.add_argument("--quick", action="store_true", help="2,560 rows, two turns")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.repeats = 2_560, 2

    device = torch.device(options.device)
    torch.backends.cudnn.allow_tf32 = False  # of the whole image: rows never use it
    net = load_model(options.weights).eval().to(device, memory_format=torch.channels_last)
    ink = read_ink(options.scan, options.rows, options.columns).to(device)
    rows, columns = ink.shape[2:]
    load = os.getloadavg()[0]
    machine = (
        torch.cuda.get_device_name()
        if device.type == "cuda"
        else f"{torch.get_num_threads()} threads"
    )
    print(f"{rows} x {columns} pixels, {rows * columns / 1e6:.1f} Mpx; {machine}, load {load:.1f}")

    # Float64 by rows equals float64 of the whole image to 1e-10 (tests/test_rowwise.py), in less memory.
    truth = by_rows(copy.deepcopy(net).double(), ink.double(), torch.float64).sigmoid().float()
    methods: dict[str, Method] = {
        "whole image": whole,
        "rows": by_rows,
    }
    if importlib.util.find_spec("monai") is None:
        print("MONAI is not installed: its windows are left out")
    else:
        methods |= {"MONAI 0.25": sliding(0.25), "MONAI 0.5": sliding(0.5)}
    for dtype in (torch.float32, torch.bfloat16):
        seconds = dict.fromkeys(methods, float("inf"))
        peaks, differences = dict.fromkeys(methods, 0.0), dict.fromkeys(methods, 0.0)
        for _ in range(options.repeats):
            for name, method in methods.items():
                reset_peak(device)
                start = time.perf_counter()
                logits = method(net, ink, dtype)
                wait_for(device)
                seconds[name] = min(seconds[name], time.perf_counter() - start)
                peaks[name] = max(peaks[name], peak_gb(device))
                differences[name] = (logits.float().sigmoid() - truth).abs().max().item()
        print(
            f"\n{dtype!s:16} {'seconds':>8} {'x whole':>8} {'Mpx/s':>7} {'peak GB':>8} {'off float64':>12}"
        )
        for name in methods:
            print(
                f"{name:16} {seconds[name]:8.3g} {seconds[name] / seconds['whole image']:8.2f} "
                f"{rows * columns / 1e6 / seconds[name]:7.2f} {peaks[name]:8.2f} {differences[name]:12.1e}"
            )
        tenth = ink[:, :, : rows // 10]
        times = []
        for _ in range(options.repeats):
            start = time.perf_counter()
            by_rows(net, tenth, dtype)
            wait_for(device)
            times.append(time.perf_counter() - start)
        print(f"rows: all take {seconds['rows'] / min(times):.1f} times as long as a tenth of them")


if __name__ == "__main__":
    main()

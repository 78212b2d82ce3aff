"""This machine: its GPU, its fast number format, its free memory, and processes started on it."""

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any

import psutil
import torch


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """auto: the GPU where there is one. Raises ValueError for a device that is not here."""
    found, device = "cuda" if torch.cuda.is_available() else "cpu", None
    with suppress(RuntimeError):  # a word that is no device
        device = torch.device(found if name == "auto" else name)
    if device is None or device.type not in ("cpu", "cuda"):  # mps: nothing was tried on it
        raise ValueError(f"unknown device {name!r}: use auto, cpu, cuda or cuda:N")
    if device.type not in ("cpu", found) or (device.index or 0) >= (torch.cuda.device_count() or 1):
        raise ValueError(f"--device {name}: this PyTorch sees no CUDA GPU there; use --device cpu")
    return device


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """auto: bf16 where the machine multiplies it in hardware, else fp32, which is faster there."""
    if precision == "auto":
        on_cpu = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else on_cpu
        precision = "bf16" if fast else "fp32"
    dtypes = {"bf16": torch.bfloat16, "fp32": torch.float32, "fp64": torch.float64}
    if precision not in dtypes:
        raise ValueError(f"unknown precision {precision!r}: use auto, bf16, fp32 or fp64")
    return dtypes[precision]


def free_bytes(device: torch.device, cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Memory that this process may still take: of the GPU, or of the machine or container (cgroup
    v2, whose limit psutil does not know). A container's cached file pages count as free."""
    if device.type == "cuda":  # PyTorch uses the memory that it has reserved again
        again = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + again
    free = psutil.virtual_memory().available
    with suppress(OSError, ValueError, IndexError):  # no container, or none with a limit ("max")
        limit, used = ((cgroup / name).read_text() for name in ("memory.max", "memory.current"))
        droppable = (cgroup / "memory.stat").read_text().split("inactive_file ")[1].split()[0]
        free = min(free, int(limit) - int(used) + int(droppable))
    return free


class WorkerContext(SpawnContext):
    """Starts processes that leave Ctrl-C to this one (POSIX), or each would print a traceback while
    it imports. Not forked: a forked child has thread pools without threads, and waits for ever."""

    class Process(SpawnProcess):
        def start(self) -> None:
            if not hasattr(signal, "pthread_sigmask"):  # Windows
                return super().start()
            heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                super().start()  # a child inherits the signals that its parent's thread blocks
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def end_with_parent() -> None:
    """End this worker process when its parent has ended: nobody would take its results."""
    parent: Any = multiprocessing.parent_process()
    threading.Thread(target=lambda: parent.join() or os._exit(1), daemon=True).start()


def resident_bytes(peak: bool = False) -> int:
    """Bytes of memory that this process holds. peak: the most so far, where the system tells."""
    now = psutil.Process().memory_info()
    if peak:
        with suppress(OSError, IndexError):  # not Linux
            return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    return int(getattr(now, "peak_wset", now.rss) if peak else now.rss)  # of Windows

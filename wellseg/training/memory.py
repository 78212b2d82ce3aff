"""How much memory a training step takes, how much there is, and how freed memory is kept or given back."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal

import torch

from wellseg.config import ModelConfig

MAPS_KEPT = 3
"""Maps that a residual block keeps for its gradient: one after each convolution, and its result."""
OVERHEAD = 1.5
"""A step's peak over what is kept: gradients, scratch (measured: 1.5 in mode lean)."""
LEAN = 1.25
"""To spare, if freed memory is given back."""
HOLES = 2.0
"""Logs of many sizes that come and go in a heap that keeps what was freed may take so many times as much."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
NEVER, LARGE_MAP_BYTES = 2**31 - 1, 24 << 20  # smaller: more is fetched anew; larger: more holes


def step_bytes(model: ModelConfig, pixels: int, dtype: torch.dtype) -> int:
    """About what a training step on a log of that many pixels takes, if no stage is recomputed."""
    values = 0.0  # per pixel of the log
    for number, width in enumerate(model.widths):
        blocks = 2 if number < len(model.widths) - 1 else 1  # encoder and decoder
        values += blocks * MAPS_KEPT * width / (model.patch * 2**number) ** 2
    return int(OVERHEAD * values * dtype.itemsize * pixels)


def free_bytes(device: torch.device) -> int:
    """Memory that this process may still take: of the GPU, or of the machine or container."""
    if device.type == "cuda":  # PyTorch uses again what it holds from before
        again = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + again
    try:
        free = 1024 * int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0])
    except (OSError, IndexError):  # not Linux: what a well-behaved program may take
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return min(free, _container_bytes(Path("/sys/fs/cgroup"), free))


def _container_bytes(cgroup: Path, otherwise: int) -> int:
    """What the limit of a container (cgroup v2) leaves; the pages of files that it could drop are free."""
    try:
        limit, used = ((cgroup / name).read_text() for name in ("memory.max", "memory.current"))
        droppable = (cgroup / "memory.stat").read_text().split("inactive_file ")[1].split()[0]
        return int(limit) - int(used) + int(droppable)
    except (OSError, ValueError, IndexError):  # no container, or none with a limit ("max")
        return otherwise


def choose_mode(
    model: ModelConfig, pixels: int, dtype: torch.dtype, free: int
) -> Literal["off", "lean", "on"]:
    """The fastest of ``--checkpoint``'s modes in which a step on that log fits well into free bytes."""
    needed = step_bytes(model, pixels, dtype)
    return "off" if HOLES * needed <= free else "lean" if LEAN * needed <= free else "on"


def resident_bytes(peak: bool = False) -> int:
    """Memory that this process holds at present, or has held at most.

    Not getrusage's ru_maxrss, which begins with the peak of the process that started this one. Where there is no
    /proc: that all the same.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split("VmHWM:" if peak else "VmRSS:")[1].split()[0])
    except (OSError, IndexError):
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used if sys.platform == "darwin" else 1024 * used


def keep_freed_memory(keep: bool) -> None:
    """Whether large maps that were freed stay with the process, for the next, or go back to the system at once.

    Kept: no pages to fetch anew and to clear, a third of a step's time; but heaps have holes, so the
    process holds up to twice of what it uses. glibc alone has these settings; others keep their way.
    """
    with suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        for setting in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            libc.mallopt(setting, NEVER if keep else LARGE_MAP_BYTES)
        if not keep:
            give_freed_memory_back()


def give_freed_memory_back() -> None:
    """All that is free in the heap, also between what is in use. glibc alone."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

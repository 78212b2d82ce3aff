"""Which device and number format this machine is good at, and how much memory it has."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil
import torch


def pick_device(name: str = "auto") -> torch.device:
    """auto: the GPU where there is one. Raises ValueError for a device that is not here."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"unknown device {name!r}: use auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--device {name}: this PyTorch sees no CUDA GPU; use --device cpu")
    return device


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """auto: bf16 where the machine multiplies it in hardware (AVX512-bf16, AMX, CUDA), else
    float32.

    Without such hardware bf16 is emulated on a CPU and several times slower than float32.
    """
    if precision == "auto":
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bf16()
        return torch.bfloat16 if fast else torch.float32
    dtypes = {"bf16": torch.bfloat16, "fp32": torch.float32}
    if precision not in dtypes:
        raise ValueError(f"unknown precision {precision!r}: use auto, bf16 or fp32")
    return dtypes[precision]


def _cpu_has_bf16() -> bool:
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def free_bytes(device: torch.device) -> int:
    """Memory that this process may still take: of the GPU, or of the machine or container."""
    if device.type == "cuda":  # PyTorch uses again what it holds from before
        again = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + again
    return container_bytes(Path("/sys/fs/cgroup"), psutil.virtual_memory().available)


def container_bytes(cgroup: Path, otherwise: int) -> int:
    """What the limit of a container (cgroup v2) leaves, which psutil does not know, or otherwise.

    Pages of files that the kernel could drop count as free.
    """
    try:
        limit, used = ((cgroup / name).read_text() for name in ("memory.max", "memory.current"))
        droppable = (cgroup / "memory.stat").read_text().split("inactive_file ")[1].split()[0]
        return min(otherwise, int(limit) - int(used) + int(droppable))
    except (OSError, ValueError, IndexError):  # no container, or none with a limit ("max")
        return otherwise


def resident_bytes(peak: bool = False) -> int:
    """Memory that this process holds; peak: has held at most, where the system says so."""
    now = psutil.Process().memory_info()
    if peak:
        with suppress(OSError, IndexError):  # not Linux
            status = Path("/proc/self/status").read_text()
            return 1024 * int(status.split("VmHWM:")[1].split()[0])
        return int(getattr(now, "peak_wset", now.rss))  # Windows
    return int(now.rss)

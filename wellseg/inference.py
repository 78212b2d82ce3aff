"""From a scan to probabilities: the scan's rows through the network, exactly, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wellseg.config import parse_bytes
from wellseg.device import pick_device, pick_dtype
from wellseg.resunet import to_ink
from wellseg.rowwise import Plan, evaluate_rows, plan
from wellseg.scan import open_scan

if TYPE_CHECKING:
    from wellseg.scan import Scan


class Band(NamedTuple):
    """Some rows of a scan, each array (rows, columns): gray uint8, logits float32."""

    gray: NDArray[np.uint8]
    logits: NDArray[np.float32]


def segment(
    model: nn.Module,
    scan: str | Path | NDArray[np.uint8],
    *,
    precision: str = "auto",
    device: str = "auto",
    memory: str | int = "2GB",
) -> NDArray[np.float32]:
    """Probability that each pixel is curve: float32 (rows, columns) in [0, 1].

    The same answer as ``model(ink)`` on the whole scan would give, without holding the whole scan's
    activations: of any height.

    model: from ``wellseg.load_model``, or any network that ``rowwise`` knows the operations of.
    scan: a file, or gray uint8 (rows, columns), 0 black ink to 255 white paper.
    precision: auto, bf16 or fp32; auto is bf16 where the machine multiplies it in hardware.
    memory: what the process may take, e.g. "2GB", beside the returned array.
    Raises ScanError for a file that cannot be read and ValueError for options that are wrong.
    """
    if isinstance(scan, np.ndarray):
        if scan.dtype != np.uint8 or scan.ndim != 2 or not scan.size:
            raise ValueError(f"a scan is gray uint8, rows x columns, not {scan.dtype} of shape {scan.shape}")
        return _probability(model, _Array(scan), precision, device, memory)
    with open_scan(scan) as opened:
        return _probability(model, opened, precision, device, memory)


class _Array:
    """An array in memory, read like a Scan."""

    def __init__(self, gray: NDArray[np.uint8]) -> None:
        self.gray = gray
        self.rows, self.columns = gray.shape

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return self.gray[start:stop]


def _probability(
    model: nn.Module, scan: Scan | _Array, precision: str, device: str, memory: str | int
) -> NDArray[np.float32]:
    probability = np.empty((scan.rows, scan.columns), np.float32)
    first = 0
    for band in segment_bands(model, scan, precision=precision, device=device, memory=memory):
        last = first + len(band.logits)
        torch.sigmoid(torch.from_numpy(band.logits), out=torch.from_numpy(probability[first:last]))
        first = last
    return probability


def expected(
    model: nn.Module,
    scan: Scan | _Array,
    *,
    precision: str = "auto",
    device: str = "auto",
    memory: str | int = "2GB",
) -> Plan:
    """What ``segment_bands`` with these options will take of memory and disk."""
    target = pick_device(device)
    return plan(model, scan.rows, scan.columns, parse_bytes(memory), pick_dtype(precision, target), target)


def segment_bands(
    model: nn.Module,
    scan: Scan | _Array,
    *,
    precision: str = "auto",
    device: str = "auto",
    memory: str | int = "2GB",
    scratch: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> Iterator[Band]:
    """The bands of a scan from top to bottom, each row once. ``progress`` gets the share done."""
    target = pick_device(device)
    model = model.to(target)

    def read_ink(start: int, stop: int) -> Tensor:
        return to_ink(torch.from_numpy(scan.read(start, stop))[None, None].to(target))

    bands = evaluate_rows(
        model,
        read_ink,
        scan.rows,
        scan.columns,
        memory_bytes=parse_bytes(memory),
        scratch=scratch,
        dtype=pick_dtype(precision, target),
        device=target,
        progress=progress,
    )
    for first, logits in bands:
        gray = scan.read(first, first + logits.shape[2])
        yield Band(gray, logits[0, 0].float().cpu().numpy())

"""From a scan to probabilities: the scan's rows through the network, exactly, in bounded memory."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wellseg.net.resunet import to_ink
from wellseg.rows.evaluation import RowEvaluation
from wellseg.scan.pictures import to_gray
from wellseg.scan.reader import Scan, open_scan


def segment(
    model: nn.Module, scan: str | Path | NDArray[np.uint8], **options: Any
) -> NDArray[np.float32]:
    """Probability that each pixel is curve: float32 (rows, columns) in [0, 1].

    The answer of ``python -m wellseg.predict``, for a scan of any height. With ``window_rows=0``
    it is also what ``model(ink)`` on the whole scan would give, without its activations in memory.

    model: from ``wellseg.load_model``, or any network whose operations ``wellseg.rows`` knows.
    scan: a file, or gray uint8 (rows, columns), 0 black ink to 255 white paper.
    options: precision, device, memory, window_rows and scratch of ``RowEvaluation``.
    Raises ScanError for a file that cannot be read and ValueError for options that are wrong.
    """
    opening: Any
    if isinstance(scan, np.ndarray):
        if scan.dtype != np.uint8 or scan.ndim != 2 or not scan.size:
            raise ValueError(f"a scan is gray uint8, rows x columns, not {scan.dtype} {scan.shape}")
        scan = np.ascontiguousarray(scan)  # torch reads no array backwards
        rows, columns = scan.shape
        read = lambda start, stop: scan[start:stop]  # noqa: E731
        opening = nullcontext(SimpleNamespace(rows=rows, columns=columns, read=read))
    else:
        opening = open_scan(scan)
    with opening as opened:
        evaluation = RowEvaluation(model, opened.rows, opened.columns, **options)
        probability = np.empty((opened.rows, opened.columns), np.float32)
        left = probability
        for _, logits in scan_bands(evaluation, opened):
            torch.sigmoid(torch.from_numpy(logits), out=torch.from_numpy(left[: len(logits)]))
            left = left[len(logits) :]
    return probability


def scan_bands(
    evaluation: RowEvaluation, scan: Scan, progress: Callable[[float], None] = lambda share: None
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """The scan from top to bottom, each row once, as it is read; and logits (rows, columns)."""

    def read_ink(start: int, stop: int) -> Tensor:
        return to_ink(torch.from_numpy(to_gray(scan.read(start, stop)))[None, None])

    for first, logits in evaluation.bands(read_ink, progress):
        picture = scan.read(first, first + logits.shape[2])
        yield picture, logits[0, 0].float().cpu().numpy()

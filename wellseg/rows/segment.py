"""From a scan to probabilities: the scan's rows through the network, exactly, in bounded memory."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wellseg.net.resunet import to_ink
from wellseg.rows.evaluation import RowEvaluation, ShareDone
from wellseg.scan.pictures import Gray, to_channels, to_gray
from wellseg.scan.reader import Scan, look_for_colour, open_scan


def segment(model: nn.Module, scan: str | Path | Gray, **options: Any) -> NDArray[np.float32]:
    """Probability that each pixel is curve: float32 (rows, columns) in [0, 1].
    The same as ``wellseg predict`` computes, for a scan of any height. With ``window_rows=0`` it is
    also what ``model(ink)`` on the whole scan would give, without its activations in memory.
    model: from ``wellseg.load_model``, or any network whose operations ``wellseg.rows`` knows.
    scan: a file, or uint8: gray (rows, columns), 0 ink to 255 paper, or RGB (rows, columns, 3).
    options: precision, device, memory, window_rows and scratch of ``RowEvaluation``.
    Raises ScanError for the file, ValueError for options, NotImplementedError for the network."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"segment(model, scan): a model is what load_model() gives, not {model!r}")
    if not isinstance(scan, str | Path):
        shape, dtype = np.shape(scan), getattr(scan, "dtype", type(scan))  # of torch, PIL ...
        rows, columns, *colours = shape if len(shape) > 1 else (0, 0)
        if dtype != np.uint8 or colours not in ([], [3]) or not rows or not columns:
            raise ValueError(f"a scan is a file or NumPy uint8, gray or RGB: not {dtype} {shape}")
        pixels: Gray = np.require(scan, requirements=["C", "W"])  # as torch wants them
        kind, whiten = look_for_colour(lambda a, b: pixels[a:b], rows)  # as of a file
        pixels = whiten(pixels) if kind == "colour" else to_gray(whiten(pixels))
        told = {"rows": rows, "columns": columns, "kind": kind}
        opening: Any = nullcontext(SimpleNamespace(**told, read=lambda a, b: pixels[a:b]))
    else:
        opening = open_scan(scan, colour=True)
    with opening as opened:
        size = opened.rows, opened.columns
        evaluation = RowEvaluation(model, *size, colour=opened.kind == "colour", **options)
        left = probability = np.empty(size, np.float32)
        for _, logits in scan_bands(evaluation, opened):
            torch.sigmoid(torch.from_numpy(logits), out=torch.from_numpy(left[: len(logits)]))
            left = left[len(logits) :]
    return probability


def scan_bands(
    evaluation: RowEvaluation, scan: Scan, progress: ShareDone = lambda share: None
) -> Generator[tuple[Gray, NDArray[np.float32]]]:
    """Bands from top to bottom: the scan's rows as read, and their logits, (rows, columns).
    A thread computes the next one meanwhile, and reads ``scan``: nobody else may."""

    def read_ink(start: int, stop: int) -> Tensor:
        channels = to_channels(scan.read(start, stop))[: evaluation.channels]
        return to_ink(torch.from_numpy(channels)[None].to(evaluation.device))

    def compute() -> Generator[tuple[Gray, NDArray[np.float32]]]:
        for first, logits in evaluation.bands(read_ink, progress):
            yield scan.read(first, first + logits.shape[2]), logits[0, 0].float().cpu().numpy()

    def stop(_share: float) -> None:  # ends the band that is being computed, at its next strip
        raise RuntimeError("nobody takes the bands any more")

    bands, threads = compute(), torch.get_num_threads()
    with ThreadPoolExecutor(1, "bands", torch.set_num_threads, (threads,)) as ahead:
        try:
            coming = ahead.submit(next, bands, None)
            while True:
                if wait([coming], timeout=0.5).not_done:
                    continue  # on Windows Ctrl-C is heard only between two waits
                if not (band := coming.result()):
                    break
                coming = ahead.submit(next, bands, None)
                yield band
        finally:
            evaluation.progress = stop
            ahead.submit(bands.close)

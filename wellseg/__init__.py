"""wellseg: the curves of scanned well logs, as masks.

    model = wellseg.load_model()                  # bundled weights, an nn.Module in evaluation mode
    probability = wellseg.segment(model, "scan.tif")  # float32, rows x columns, in [0, 1]

Drawn logs: ``wellseg.corpus.draw_log``. Importing this does not import torch.

The way of a scan, each step in a folder or file of that name:

    scan/                 a file's rows, uint8, gray or RGB (reader.py), as the network sees them
    net/, norms/          the network, ink to logits, and its norms
    rows/                 the same network strip by strip, exactly: segment.py calls it
    results/one_scan.py   one scan's mask, overlay, report and view; many/: a folder of them
    curves/               from a mask to curves, tracks, CSV and LAS: curve.py follows them
    review/               corrections, and the curves again without the network

How a network comes about: corpus/ draws logs, training/ trains, scores/ judges."""

from importlib import import_module
from typing import Any

__version__ = "0.2.0.dev0"
__all__ = ["__version__", "load_model", "segment"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in ("load_model", "segment"):
        home = "wellseg.weights" if name == "load_model" else "wellseg.rows.segment"
        return getattr(import_module(home), name)
    raise AttributeError(f"module 'wellseg' has no attribute {name!r}")

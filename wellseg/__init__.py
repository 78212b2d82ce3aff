"""wellseg: the curves of scanned well logs, as masks.

    model = wellseg.load_model()                  # bundled weights, an nn.Module in evaluation mode
    probability = wellseg.segment(model, "scan.tif")  # float32, rows x columns, in [0, 1]

Drawn logs: ``wellseg.corpus.draw_log``. Importing this does not import torch."""

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

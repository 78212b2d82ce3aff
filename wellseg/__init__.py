"""wellseg: the curves of scanned well logs, as masks.

    model = wellseg.load_model()                  # bundled weights, an nn.Module in evaluation mode
    probability = wellseg.segment(model, "scan.tif")  # float32, rows x columns, in [0, 1]

Importing this does not import torch.
"""

from typing import Any

__version__ = "0.2.0.dev0"
__all__ = ["__version__", "load_model", "segment"]


def __getattr__(name: str) -> Any:
    if name == "load_model":
        from wellseg.weights import load_model

        return load_model
    if name == "segment":
        from wellseg.rows.segment import segment

        return segment
    raise AttributeError(f"module 'wellseg' has no attribute {name!r}")

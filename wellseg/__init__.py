"""wellseg: the curves of scanned well logs, as masks.

    model = wellseg.load_model()                  # bundled weights, an nn.Module in evaluation mode
    probability = wellseg.segment(model, "scan.tif")  # float32, rows x columns, in [0, 1]

Importing this does not import torch.
"""

import sys
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


def _refuse_other_modules() -> None:
    """``python -m wellseg.rows.segment`` would do nothing and look like success.

    While Python looks for the module of -m, sys.argv[0] is "-m"; its name stands in orig_argv.
    """
    after = sys.orig_argv[sys.orig_argv.index("-m") + 1 :] if "-m" in sys.orig_argv else []
    if sys.argv[:1] == ["-m"] and after and after[0].startswith("wellseg."):
        from wellseg.__main__ import COMMANDS

        if after[0].removeprefix("wellseg.") not in COMMANDS:
            known = ", ".join(COMMANDS)
            print(f"wellseg: error: {after[0]} is no command, only {known}", file=sys.stderr)
            raise SystemExit(2)


_refuse_other_modules()

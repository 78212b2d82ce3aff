"""How much memory a training step takes."""

from __future__ import annotations

import torch

from wellseg.config import ModelConfig

MAPS_KEPT = {False: 4, True: 6}
"""Maps that a residual block keeps for its gradient: before and after each norm's activation, and
with separable convolutions one between the two parts of each."""
OVERHEAD = 1.5
"""A step's peak over what is kept: gradients, scratch (measured by tests/test_memory.py)."""


def step_bytes(model: ModelConfig, pixels: int, dtype: torch.dtype) -> int:
    """About what a training step on a log of that many pixels takes, if no stage is recomputed."""
    values = 0.0  # per pixel of the log
    for number, width in enumerate(model.widths):
        blocks = 2 if number < len(model.widths) - 1 else 1  # encoder and decoder
        values += blocks * MAPS_KEPT[model.separable] * width / (model.patch * 2**number) ** 2
    return int(OVERHEAD * values * dtype.itemsize * pixels)

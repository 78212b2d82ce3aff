"""Normalisation layers: the half_or_16 rule and ``make_norm``. The only norm code of the project.

Every layer here takes and returns maps (N, C, H, W) and says two things to ``rowwise``, which
evaluates a network a few rows at a time:

* ``reads_image``: True when an output pixel depends on statistics of the whole image. Such a layer
  also has ``scale_shift(mean, var)``: from the per-channel mean and biased variance of *all* rows to
  the scale and shift that the layer then is.
* otherwise its ``forward`` may be called on any rows by themselves.
"""

from __future__ import annotations

from typing import get_args

from torch import nn

from wellseg.config import Norm
from wellseg.norms.batch import BatchNorm
from wellseg.norms.group import GroupNorm, LayerNormPixel, half_or_16
from wellseg.norms.moments import Moments, block_moments, channel_statistics, merge_moments

__all__ = [
    "NORMS",
    "BatchNorm",
    "GroupNorm",
    "LayerNormPixel",
    "Moments",
    "block_moments",
    "channel_statistics",
    "half_or_16",
    "make_norm",
    "merge_moments",
]

NORMS: tuple[str, ...] = get_args(Norm)
"""The words of the config."""


def make_norm(name: str, channels: int, *, momentum: float = 0.01) -> nn.Module:
    """The normalisation layer of that name, one of ``NORMS``, for maps of that many channels.

    momentum: of ``batch`` alone, in PyTorch's convention, new = (1 - m) old + m observed. Keras and
        TensorFlow call 1 - m momentum, so the article's 0.01 would be 0.99 there.
    """
    match name:
        case "group":
            return GroupNorm(half_or_16(channels), channels)
        case "instance":
            return GroupNorm(channels, channels)
        case "layer":
            return GroupNorm(1, channels)
        case "layer_pixel":
            return LayerNormPixel(channels)
        case "batch":
            return BatchNorm(channels, momentum=momentum)
    raise ValueError(f"unknown norm {name!r}: choose one of {', '.join(NORMS)}")

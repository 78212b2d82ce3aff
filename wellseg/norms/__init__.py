"""Normalisation layers, each of them one word of ``--model.norm``. The only norm code of the project.

Every layer takes and returns maps (N, C, H, W) and says two things to ``rowwise``, which evaluates a
network a few rows at a time:

* ``reads_image``: True when an output pixel depends on statistics of the whole image. Such a layer
  also has ``scale_shift(mean, var)``: from the per-channel mean and biased variance of *all* rows to
  the scale and shift that the layer then is.
* otherwise its ``forward`` may be called on any rows by themselves.

Some say more: ``set_progress(share)`` to those that change in the course of a training, and
``pools_images``, which have statistics over the images of a step (``wellseg.training.together``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import get_args

from torch import Tensor, nn

from wellseg.config import Norm
from wellseg.norms.batch import (
    BatchNorm,
    BatchRenorm,
    FrozenBatchNorm,
    Momentum,
    TwoPhaseConstantNorm,
    TwoPhaseNorm,
)
from wellseg.norms.group import GroupNorm, LayerNormPixel, half_or_16
from wellseg.norms.moments import Moments, block_moments, channel_statistics, merge_moments
from wellseg.norms.online import OnlineNorm
from wellseg.norms.standardised import StandardisedConv2d, plain

__all__ = [
    "NORMS",
    "BatchNorm",
    "BatchRenorm",
    "FrozenBatchNorm",
    "GroupNorm",
    "LayerNormPixel",
    "Moments",
    "Momentum",
    "OnlineNorm",
    "StandardisedConv2d",
    "TwoPhaseConstantNorm",
    "TwoPhaseNorm",
    "block_moments",
    "channel_statistics",
    "copy_statistics",
    "half_or_16",
    "make_norm",
    "merge_moments",
    "plain",
    "set_progress",
    "with_statistics",
]

NORMS: tuple[str, ...] = get_args(Norm)
"""The words of the config."""


def make_norm(name: str, channels: int, *, momentum: Momentum = 0.01) -> nn.Module:
    """The normalisation layer of that name, one of ``NORMS``, for maps of that many channels.

    momentum: of the norms with running statistics, in PyTorch's convention, new = (1 - m) old + m observed,
        or "cumulative", the plain mean of all observed (PyTorch's None). Keras and TensorFlow call
        1 - m momentum, so the article's 0.01 would be 0.99 there, and an average over 199 images either way.
    """
    layers: dict[str, Callable[[], nn.Module]] = {
        "group": lambda: GroupNorm(half_or_16(channels), channels),
        "group8": lambda: GroupNorm(half_or_16(channels, 8), channels),
        "group4": lambda: GroupNorm(half_or_16(channels, 4), channels),
        "instance": lambda: GroupNorm(channels, channels),
        "layer": lambda: GroupNorm(1, channels),
        "layer_pixel": lambda: LayerNormPixel(channels),
        "batch": partial(BatchNorm, channels, momentum),
        "batch_frozen": partial(FrozenBatchNorm, channels, momentum),
        "renorm": partial(BatchRenorm, channels, momentum),
        "two_phase": partial(TwoPhaseNorm, channels, momentum),
        "two_phase_constant": partial(TwoPhaseConstantNorm, channels, momentum),
        "online": partial(OnlineNorm, channels, momentum),
    }
    if name not in layers:
        raise ValueError(f"unknown norm {name!r}: choose one of {', '.join(NORMS)}")
    return layers[name]()


def set_progress(net: nn.Module, share: float) -> None:
    """Tell the norms of a network what share of its training is done, in [0, 1]; before every step.

    They keep no record of it: whoever resumes a training or loads a trained network says it again.
    """
    for module in net.modules():
        if isinstance(module, FrozenBatchNorm | BatchRenorm):
            module.set_progress(share)


Statistics = list[tuple[nn.Module, dict[str, Tensor]]]
"""The running statistics of norms."""


def copy_statistics(net: nn.Module) -> Statistics:
    """A copy of the running statistics of a network's norms."""
    norms = [module for module in net.modules() if dict(module.named_buffers(recurse=False))]
    return [
        (norm, {name: buffer.clone() for name, buffer in norm.named_buffers(recurse=False)})
        for norm in norms
    ]


@contextmanager
def with_statistics(statistics: Statistics) -> Iterator[None]:
    """What is computed within has the running statistics of then, and leaves those of now as they are.

    For activation checkpointing, which computes in the backward pass what was computed before, once more.
    """
    now = [(norm, dict(norm._buffers)) for norm, _ in statistics]
    for norm, then in statistics:
        norm._buffers.update(then)
        norm.observes = False  # type: ignore[assignment]  # nor are other processes asked
    try:
        yield
    finally:
        for norm, buffers in now:
            norm._buffers.update(buffers)
            norm.observes = True  # type: ignore[assignment]

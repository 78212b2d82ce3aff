"""BatchNorm, the legacy layer, and its variants that differ in what they do in training."""

from __future__ import annotations

from typing import Literal

import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor, nn

from wellseg.norms.maps import moments_together, scale_shift
from wellseg.norms.moments import Moments

Momentum = float | Literal["cumulative"]
"""PyTorch's convention: running = (1 - m) running + m observed; "cumulative" is the mean of all observed."""


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm (Ioffe and Szegedy 2015), the legacy v1 layer at PyTorch momentum 0.01.

    In training, with one image, it *is* InstanceNorm; in evaluation it is a fixed scale and shift by
    the running statistics. That these are two different functions is what this project studies.

    PyTorch's parameters and buffers, with statistics that can be trusted (its CPU kernel's variance of a
    channels_last map of 2 Mpx is off by 0.1 %, of 8 Mpx by 0.7 %). In a run of several processes each
    normalises its own images; the running statistics take the mean of what all processes observe.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    forgets_start = False
    """True: the first 1/m batches are averaged, so that nothing is left of the initial mean 0 and variance 1."""

    observes = True

    def __init__(self, channels: int, momentum: Momentum = 0.01, eps: float = 1e-5) -> None:
        super().__init__(channels, eps, None if momentum == "cumulative" else float(momentum))

    @property
    def reads_image(self) -> bool:
        return self.training

    def scale_shift(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Training mode on one image: its per-channel mean and variance (C,) -> float64 scale and shift (C,)."""
        scale = self.weight.double() / (var.double() + self.eps).sqrt()
        return scale, self.bias.double() - mean.double() * scale

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        maps = self.together(list(x.split(1)))  # type: ignore[no-untyped-call]
        return maps[0] if len(maps) == 1 else torch.cat(maps)

    def together(self, maps: list[Tensor]) -> list[Tensor]:
        """In training: maps (1, C, H, W) of any sizes, normalised by the statistics of all their pixels."""
        maps, scale, shift, around = self.fit_together(maps)
        return [scale_shift(x, scale, shift, around) for x in maps]

    def fit(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What ``maps.scale_shift`` takes to normalise an image (1, C, H, W) in training."""
        (x,), scale, shift, around = self.fit_together([x])
        return x, scale, shift, around

    def fit_together(self, maps: list[Tensor]) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        """The same of several maps."""
        maps, moments = self.moments(maps)
        count, mean, square = moments
        if count == 1:
            raise ValueError(
                f"BatchNorm in training needs more than one value per channel and got a map of shape "
                f"{tuple(maps[0].shape)}; use a larger image, fewer stages (--model.widths) or --model.norm group"
            )
        scale, shift = self.scale_shift(mean, square / count)
        self.observe(moments)
        return maps, scale, shift, mean.detach()

    def moments(self, maps: list[Tensor]) -> tuple[list[Tensor], Moments]:
        return moments_together(maps)

    @torch.no_grad()
    def observe(self, moments: Moments) -> None:
        """Take a batch into the running statistics; its variance unbiased, as PyTorch does."""
        if not self.observes:
            return
        count, mean, square = moments
        observed = _mean_over_processes(torch.stack([mean, square / (count - 1)]))
        self.num_batches_tracked += 1
        # Not a Python number, for which a GPU would have to be waited for.
        share = self.num_batches_tracked.to(self.running_mean.dtype).reciprocal()
        if self.momentum is not None:
            share = (
                share.clamp(min=self.momentum)
                if self.forgets_start
                else torch.full_like(share, self.momentum)
            )
        self.running_mean.lerp_(observed[0].to(share.dtype), share)
        self.running_var.lerp_(observed[1].to(share.dtype), share)


def _mean_over_processes(observed: Tensor) -> Tensor:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(observed)
        observed /= torch.distributed.get_world_size()
    return observed


class FrozenBatchNorm(BatchNorm):
    """BatchNorm until a share of the run is done; from then on its statistics stay as they are, in training too.

    So the last part of the training trains the very function that evaluation uses. Detectron's frozen
    BatchNorm, for fine-tuning, also freezes scale and shift; here they go on learning.
    """

    forgets_start = True
    warmup = 0.25

    frozen = False

    def set_progress(self, share: float) -> None:
        self.frozen = share >= self.warmup

    @property
    def reads_image(self) -> bool:
        return self.training and not self.frozen

    def fit_together(self, maps: list[Tensor]) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        if not self.frozen:
            return super().fit_together(maps)
        return (
            maps,
            *self.scale_shift(self.running_mean, self.running_var),
            self.running_mean.double(),
        )


class BatchRenorm(BatchNorm):
    """Batch Renormalization (Ioffe 2017, arXiv 1702.03275): BatchNorm, corrected towards the running statistics.

    y = ((x - mean) / std * r + d) * weight + bias, with r = std / running std within [1/r_max, r_max] and
    d = (mean - running mean) / running std within [-d_max, d_max], both constants to the gradient. Where
    neither bound is met, that is the function that evaluation uses.

    The paper's bounds are 1 and 0 for 5,000 steps; r_max then rises to 3 at 40,000 and d_max to 5 at 25,000.
    Here these are shares of a run, as if of 100,000 steps.
    """

    forgets_start = True

    r_max, d_max = 1.0, 0.0

    def set_progress(self, share: float) -> None:
        self.r_max = 1 + 2 * _ramp(share, 0.05, 0.40)
        self.d_max = 5 * _ramp(share, 0.05, 0.25)

    def scale_shift(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        std = (var.double() + self.eps).sqrt()
        running_std = (self.running_var.double() + self.eps).sqrt()
        r = (std.detach() / running_std).clamp(1 / self.r_max, self.r_max)
        d = ((mean.detach().double() - self.running_mean) / running_std).clamp(
            -self.d_max, self.d_max
        )
        scale = self.weight.double() * r / std
        return scale, self.bias.double() + self.weight.double() * d - mean * scale


def _ramp(share: float, start: float, end: float) -> float:
    return min(1.0, max(0.0, (share - start) / (end - start)))


class TwoPhaseNorm(BatchNorm):
    """BatchNorm over k images of any sizes: by itself a BatchNorm, by ``wellseg.training.together`` one over the k images.

    Phase one is the statistics of the k maps, phase two their normalisation. The gradient passes through
    the statistics, so it is that of the concatenated batch.
    """

    pools_images = True


class TwoPhaseConstantNorm(TwoPhaseNorm):
    """As TwoPhaseNorm, but the statistics are constants to the gradient, as in the forum's code.

    The same forward values; "much higher training loss" is what its author got.
    """

    def moments(self, maps: list[Tensor]) -> tuple[list[Tensor], Moments]:
        with torch.no_grad():
            return maps, super().moments(maps)[1]

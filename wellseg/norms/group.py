"""Norms that treat each image by itself: GroupNorm and what it becomes at either end, and LayerNorm per pixel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wellseg.norms.maps import by_image, map_moments, scale_shift

GROUP_CHANNELS = 16
"""The floor of the half_or_16 rule: "give each group sixteen channels" (the GroupNorm article)."""


def half_or_16(channels: int, floor: int = GROUP_CHANNELS) -> int:
    """Number of GroupNorm groups for a layer of that many channels.

    Sixteen channels a group; below 16 channels one group; where 16 does not divide the channels,
    the largest number of groups that divides them and leaves at least 16 in each (24 -> 1, 40 -> 2).

    floor: another number of channels than 16, for the ablation.
    """
    if channels < 1:
        raise ValueError(f"a layer has at least one channel, not {channels}")
    most = max(1, channels // floor)
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)


class GroupNorm(nn.Module):
    """Group normalisation (Wu and He 2018, arXiv 1803.08494) with statistics that can be trusted.

    One group is LayerNorm over C, H, W; a group for each channel is InstanceNorm.
    """

    reads_image = True

    def __init__(self, groups: int, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        if channels % groups:
            raise ValueError(f"{groups} groups do not divide {channels} channels")
        self.groups, self.channels, self.eps = groups, channels, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def group_statistics(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """From per-channel to per-group mean and variance, each repeated for its channels (C,)."""
        by_group = mean.view(self.groups, -1)
        group_mean = by_group.mean(1, keepdim=True)
        within = var.view_as(by_group).mean(1)
        between = (by_group - group_mean).square().mean(1)
        repeats = self.channels // self.groups
        return group_mean[:, 0].repeat_interleave(repeats), (within + between).repeat_interleave(
            repeats
        )

    def scale_shift(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Per-channel mean and biased variance of an image (C,) -> float64 scale and shift (C,)."""
        mean, var = self.group_statistics(mean.double(), var.double())
        scale = self.weight.double() / (var + self.eps).sqrt()
        return scale, self.bias.double() - mean * scale

    def forward(self, x: Tensor) -> Tensor:
        if (
            x.is_cuda
        ):  # PyTorch's CUDA kernel is accurate, and fused; under autocast it gives float32
            return F.group_norm(x, self.groups, self.weight, self.bias, self.eps).to(x.dtype)
        return by_image(lambda image: scale_shift(*self.fit(image)), x)

    def fit(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What ``maps.scale_shift`` takes to normalise an image (1, C, H, W)."""
        x, (count, mean, square) = map_moments(x)
        return x, *self.scale_shift(mean, square / count), mean.detach()

    def extra_repr(self) -> str:
        return f"{self.groups} groups, {self.channels} channels"


class LayerNormPixel(nn.Module):
    """LayerNorm over the channels of each pixel by itself (ConvNeXt, arXiv 2201.03545)."""

    reads_image = False

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        channels_last = x.permute(0, 2, 3, 1)
        y = F.layer_norm(
            channels_last,
            self.weight.shape,
            self.weight.to(x.dtype),
            self.bias.to(x.dtype),
            self.eps,
        )
        return y.permute(0, 3, 1, 2)

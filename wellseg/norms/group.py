"""Norms that treat each image by itself: GroupNorm and what it becomes at either end, and LayerNorm per pixel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wellseg.norms.moments import channel_statistics, row_blocks

GROUP_CHANNELS = 16
"""The floor of the half_or_16 rule: "give each group sixteen channels" (the GroupNorm article)."""


def half_or_16(channels: int) -> int:
    """Number of GroupNorm groups for a layer of that many channels.

    Sixteen channels a group; below 16 channels one group; where 16 does not divide the channels,
    the largest number of groups that divides them and leaves at least 16 in each (24 -> 1, 40 -> 2).
    """
    if channels < 1:
        raise ValueError(f"a layer has at least one channel, not {channels}")
    most = max(1, channels // GROUP_CHANNELS)
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
        # Copied, not expanded: PyTorch's BatchNorm backward kernel reads past strides of zero.
        repeats = self.channels // self.groups
        return group_mean[:, 0].repeat_interleave(repeats), (within + between).repeat_interleave(repeats)

    def scale_shift(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Per-channel mean and biased variance of an image (C,) -> float64 scale and shift (C,)."""
        mean, var = self.group_statistics(mean.double(), var.double())
        scale = self.weight.double() / (var + self.eps).sqrt()
        return scale, self.bias.double() - mean * scale

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cuda:  # PyTorch's CUDA kernel is accurate, and fused
            return F.group_norm(x, self.groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)
        if len(x) > 1:  # every image has statistics of its own
            return torch.cat([self.forward(image[None]) for image in x])
        return _GroupNormCpu.apply(x, self.weight, self.bias, self)  # type: ignore[no-any-return, no-untyped-call]

    def extra_repr(self) -> str:
        return f"{self.groups} groups, {self.channels} channels"


class _GroupNormCpu(torch.autograd.Function):
    """GroupNorm of one image, (1, C, H, W), by PyTorch's BatchNorm kernels in evaluation mode.

    They are a scale and shift per channel with float32 parameters on float32 or bf16 maps, in either
    memory layout, at the speed of memory; only the statistics are ours.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, norm: GroupNorm) -> Tensor:  # type: ignore[no-untyped-def]
        mean, var = (each.to(weight.dtype) for each in norm.group_statistics(*channel_statistics(x)))
        ctx.save_for_backward(x, weight, mean, var)
        ctx.norm = norm
        return F.batch_norm(x, mean, var, weight, bias, eps=norm.eps)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, weight, mean, var = ctx.saved_tensors
        norm: GroupNorm = ctx.norm
        rstd = (var.double() + norm.eps).rsqrt()
        grad_weight, grad_bias = _gradient_sums(grad, x, mean, var, norm.eps)
        # With g = dL/dy * weight and n values in a group:
        #   dL/dx = rstd * (g - sum(g)/n - xhat * sum(g * xhat)/n)
        values = x.shape[2] * x.shape[3] * (norm.channels // norm.groups)
        by_group = torch.stack([grad_bias, grad_weight]) * weight.double()
        sums = by_group.view(2, norm.groups, -1).sum(2) / values
        sum_g, sum_gx = sums.repeat_interleave(norm.channels // norm.groups, 1)
        slope = -(rstd * rstd * sum_gx)  # on x itself
        offset = -(rstd * sum_g) - mean.double() * slope
        dx = _scale_shift(x, slope, offset).add_(_scale_shift(grad, rstd * weight.double()))
        return dx, grad_weight.to(weight.dtype), grad_bias.to(weight.dtype), None


def _gradient_sums(grad: Tensor, x: Tensor, mean: Tensor, var: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Sums over all pixels of grad * xhat and of grad, float64 (C,), block by block for accuracy."""
    sums = x.new_zeros((2, x.shape[1]), dtype=torch.float64)
    nothing = mean.new_empty(0)
    for rows in row_blocks(x):
        _, *block_sums = torch.ops.aten.native_batch_norm_backward(
            grad[:, :, rows], x[:, :, rows], torch.ones_like(mean), mean, var,
            nothing, nothing, False, eps, [False, True, True],
        )  # fmt: skip
        sums += torch.stack(block_sums).double()
    return sums[0], sums[1]


def _scale_shift(x: Tensor, scale: Tensor, shift: Tensor | None = None) -> Tensor:
    """x * scale + shift per channel, in the layout and dtype of x; scale and shift are (C,)."""
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    one, zero = torch.ones_like(scale, dtype=dtype), torch.zeros_like(scale, dtype=dtype)
    shift = zero if shift is None else shift.to(dtype)
    return F.batch_norm(x, zero, one, scale.to(dtype), shift, eps=0.0)


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
        y = F.layer_norm(channels_last, self.weight.shape, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)
        return y.permute(0, 3, 1, 2)

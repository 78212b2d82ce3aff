"""Normalisation layers: the half_or_16 rule and ``make_norm``. The only norm code of the project.

Every layer here takes and returns maps (N, C, H, W) and says two things to ``rowwise``, which
evaluates a network a few rows at a time:

* ``reads_image``: True when an output pixel depends on statistics of the whole image. Such a layer
  also has ``scale_shift(mean, var)``: from the per-channel mean and biased variance of *all* rows to
  the scale and shift that the layer then is.
* otherwise its ``forward`` may be called on any rows by themselves.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORMS = ("group", "batch", "instance", "layer", "layer_pixel")

GROUP_CHANNELS = 16
"""The floor of the half_or_16 rule: "give each group sixteen channels" (the GroupNorm article)."""

# Rows are normalised in blocks of about this many values: 4 MB in float32, what stays in the L2/L3
# cache between the passes over a block. Measured on 2 Zen 4 cores: 2.3 ms against 21 ms unblocked.
BLOCK_VALUES = 1 << 20


def half_or_16(channels: int) -> int:
    """Number of GroupNorm groups for a layer of that many channels.

    Sixteen channels a group; below 16 channels one group; where 16 does not divide the channels,
    the largest number of groups that divides them and leaves at least 16 in each (24 -> 1, 40 -> 2).
    """
    if channels < 1:
        raise ValueError(f"a layer has at least one channel, not {channels}")
    most = max(1, channels // GROUP_CHANNELS)
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)


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


def channel_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of every channel over the rows and columns of (N, C, H, W).

    Returns two float64 tensors (N, C). Blocks of rows are measured in two passes around their own
    mean and merged in float64 (Chan, Golub, LeVeque 1979). PyTorch's own CPU kernel sums a whole
    channels_last map in one float32 pass; its variance is off by up to 3 % at 14 Mpx (torch 2.13.0,
    pytorch issue 54293), ours by less than 1e-6.
    """
    n, channels, height, width = x.shape
    block_rows = max(1, BLOCK_VALUES // max(1, n * channels * width))
    count = 0
    mean = x.new_zeros((n, channels), dtype=torch.float64)
    square = torch.zeros_like(mean)  # sum of squared deviations from the mean
    for start in range(0, height, block_rows):
        block = x[:, :, start : start + block_rows]
        values = block.shape[2] * width
        block_mean, block_square = block_moments(block)
        count, mean, square = merge_moments(count, mean, square, values, block_mean, block_square)
    return mean, square / count


def block_moments(block: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and sum of squared deviations over rows and columns, two float64 tensors (N, C)."""
    wide = block if block.dtype == torch.float64 else block.float()
    mean = wide.mean((2, 3), keepdim=True)
    deviation = wide - mean
    # What rounding left in the mean is taken out again (the corrected two-pass algorithm, same paper).
    rest = deviation.mean((2, 3)).double()
    values = block.shape[2] * block.shape[3]
    square = deviation.square_().sum((2, 3)).double() - values * rest * rest
    return mean.flatten(1).double() + rest, square


def merge_moments(
    count_a: int, mean_a: Tensor, square_a: Tensor, count_b: int, mean_b: Tensor, square_b: Tensor
) -> tuple[int, Tensor, Tensor]:
    """Counts, means and sums of squared deviations of two sets of pixels, put together (Chan 1979).

    The last term, between the sets, is what tiled GroupNorms in public code leave out.
    """
    count = count_a + count_b
    delta = mean_b - mean_a
    mean = mean_a + delta * (count_b / count)
    return count, mean, square_a + square_b + delta * delta * (count_a * count_b / count)


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
        """From per-channel to per-group mean and variance, each repeated for its channels (N, C)."""
        by_group = mean.view(-1, self.groups, self.channels // self.groups)
        group_mean = by_group.mean(2, keepdim=True)
        within = var.view_as(by_group).mean(2, keepdim=True)
        between = (by_group - group_mean).square().mean(2, keepdim=True)
        # Copied, not expanded: PyTorch's BatchNorm backward kernel reads past strides of zero.
        repeats = self.channels // self.groups
        return (
            group_mean.flatten(1).repeat_interleave(repeats, 1),
            (within + between).flatten(1).repeat_interleave(repeats, 1),
        )

    def scale_shift(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Per-channel mean and biased variance of an image (C,) -> float64 scale and shift (C,)."""
        mean, var = self.group_statistics(mean[None].double(), var[None].double())
        scale = self.weight.double() / (var[0] + self.eps).sqrt()
        return scale, self.bias.double() - mean[0] * scale

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
        mean, var = norm.group_statistics(*channel_statistics(x))
        mean, var = mean[0].to(weight.dtype), var[0].to(weight.dtype)
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
    block_rows = max(1, BLOCK_VALUES // (x.shape[1] * x.shape[3]))
    sums = x.new_zeros((2, x.shape[1]), dtype=torch.float64)
    nothing = mean.new_empty(0)
    for start in range(0, x.shape[2], block_rows):
        rows = slice(start, start + block_rows)
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


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm (Ioffe and Szegedy 2015), the legacy v1 layer at PyTorch momentum 0.01.

    In training, with one image, it *is* InstanceNorm; in evaluation it is a fixed scale and shift by
    the running statistics. That these are two different functions is what this project studies.
    """

    @property
    def reads_image(self) -> bool:
        return self.training

    def scale_shift(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Training mode on one image: its per-channel mean and variance (C,) -> scale and shift."""
        scale = self.weight.double() / (var.double() + self.eps).sqrt()
        return scale, self.bias.double() - mean.double() * scale

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) * x.shape[2] * x.shape[3] == 1:
            raise ValueError(
                f"BatchNorm in training needs more than one value per channel and got a map of shape {tuple(x.shape)}; "
                "use a larger image, fewer stages (--model.widths) or --model.norm group"
            )
        return super().forward(x)

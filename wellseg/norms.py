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

BLOCK_VALUES = 1 << 20
"""Statistics are taken of so many values at a time: 2 to 4 MB, which stay in the cache for both passes."""
LANE_VALUES = 64
"""So many values of a channel are summed in one float32 run: more let rounding show on blank paper."""

Moments = tuple[int, Tensor, Tensor]
"""Number of pixels; mean and sum of squared deviations of each channel, float64 (C,)."""


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
    """Mean and biased variance of every channel over the rows and columns of one map (1, C, H, W).

    Returns two float64 tensors (C,). Measured in blocks of rows that stay in the cache.
    """
    _, channels, height, width = x.shape
    block_rows = max(1, BLOCK_VALUES // (channels * width))
    moments = block_moments(x[:, :, :block_rows])
    for start in range(block_rows, height, block_rows):
        moments = merge_moments(moments, block_moments(x[:, :, start : start + block_rows]))
    count, mean, square = moments
    return mean, square / count


def block_moments(block: Tensor) -> Moments:
    """Count, mean and sum of squared deviations of each channel of some rows (1, C, h, W).

    PyTorch's CPU kernels sum a channels_last map in one float32 pass per channel; the variance of a map
    of 14 Mpx is then off by 3 % (torch 2.13.0, pytorch issue 54293). Its BatchNorm kernel reads bf16 and
    float32 at the speed of memory, though. So it is shown each channel as many lanes of a few pixels,
    and the lanes are merged in float64: errors are below 1e-7, at a third of the time of plain sums.
    """
    _, channels, height, width = block.shape
    pixels = block.permute(0, 2, 3, 1).reshape(height * width, channels)
    wide = torch.float64 if block.dtype == torch.float64 else torch.float32
    if block.is_cuda:
        mean = pixels.to(wide).mean(0).double()
        return len(pixels), mean, (pixels.double() - mean).square().sum(0)
    lanes = len(pixels) // LANE_VALUES
    in_lanes = lanes * LANE_VALUES
    rest = pixels[in_lanes:].double()
    rest_mean = rest.mean(0) if len(rest) else rest.new_zeros(channels)
    moments = len(rest), rest_mean, (rest - rest_mean).square().sum(0)
    if lanes:
        by_lane = pixels[:in_lanes].reshape(1, LANE_VALUES, 1, lanes * channels).permute(0, 3, 1, 2)
        zero = block.new_zeros(lanes * channels, dtype=wide)  # running statistics, which the kernel asks for
        both = torch.batch_norm_update_stats(by_lane, zero, zero.clone(), 0.0)
        lane_mean, lane_var = torch.stack(both).double().view(2, lanes, channels)
        mean = lane_mean.mean(0)
        square = LANE_VALUES * (lane_var.sum(0) + (lane_mean - mean).square().sum(0))
        moments = merge_moments((in_lanes, mean, square), moments)
    return moments


def merge_moments(a: Moments, b: Moments) -> Moments:
    """Count, mean and sum of squared deviations of two sets of pixels, put together.

    The last term, between the sets, is what tiled GroupNorms in public code leave out
    (Chan, Golub, LeVeque 1979).
    """
    (count_a, mean_a, square_a), (count_b, mean_b, square_b) = a, b
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

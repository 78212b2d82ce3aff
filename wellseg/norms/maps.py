"""The two operations on maps that every norm is made of, each with its gradient: moments, and a scale and shift.

What lies between them, from moments to scale and shift, are vectors of a value per channel: float64, and
PyTorch's own derivatives. So a norm says what it does with statistics, and the gradient *through* the
statistics follows, also where several images have them together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from wellseg.norms.moments import Moments, merge_moments, moments_of_map, row_blocks


def map_moments(x: Tensor) -> tuple[Tensor, Moments]:
    """A map (1, C, H, W) and the moments of its channels, differentiable; merge_moments is, too.

    The map is the one to go on with, in scale_shift and nothing else: so its gradient comes together here,
    in one map.
    """
    x, mean, square = _MapMoments.apply(x)  # type: ignore[no-untyped-call]
    return x, (x.shape[2] * x.shape[3], mean, square)


def scale_shift(x: Tensor, scale: Tensor, shift: Tensor, around: Tensor) -> Tensor:
    """x * scale + shift for each channel of a map (1, C, H, W), in its dtype; scale and shift are float64 (C,).

    around: any values near the channels' means (C,); the gradient's sums are taken around them, for accuracy.
    """
    return _ScaleShift.apply(x, scale, shift, around)  # type: ignore[no-any-return, no-untyped-call]


class _MapMoments(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[no-untyped-def]
        _, mean, square = moments_of_map(x)
        ctx.save_for_backward(x, mean)
        # Not x itself: autograd would make it a view with other strides of its first dimension, of size 1, by
        # which native_batch_norm_backward takes it for another layout and gives wrong sums (torch 2.13.0).
        return x.detach(), mean, square

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor, grad_mean: Tensor, grad_square: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        x, mean = ctx.saved_tensors
        slope = 2 * grad_square
        shift = grad_mean / (x.shape[2] * x.shape[3]) - slope * mean
        for rows in row_blocks(x):  # into the gradient from scale_shift, which nobody else has
            grad[:, :, rows] += apply_scale_shift(x[:, :, rows], slope, shift)
        return grad


class _ScaleShift(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, scale: Tensor, shift: Tensor, around: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x, scale, around)
        return apply_scale_shift(x, scale, shift)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, scale, around = ctx.saved_tensors
        sum_grad, sum_grad_x = gradient_sums(grad, x, around)
        return (
            apply_scale_shift(grad, scale),
            sum_grad_x + around.double() * sum_grad,
            sum_grad,
            None,
        )


def gradient_sums(grad: Tensor, x: Tensor, around: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over all pixels of grad and of grad * (x - around), float64 (C,), block by block for accuracy."""
    around = around.to(torch.float64 if x.dtype == torch.float64 else torch.float32)
    if x.is_cuda:
        wide = grad.to(around.dtype)
        product = wide * (x.to(around.dtype) - around[:, None, None])
        return wide.sum((0, 2, 3)).double(), product.sum((0, 2, 3)).double()
    one, nothing = torch.ones_like(around), around.new_empty(0)
    sums = x.new_zeros((2, x.shape[1]), dtype=torch.float64)
    for rows in row_blocks(x):
        _, sum_grad_x, sum_grad = torch.ops.aten.native_batch_norm_backward(
            grad[:, :, rows],
            x[:, :, rows],
            one,
            around,
            one,
            nothing,
            nothing,
            False,
            0.0,
            [False, True, True],
        )
        sums += torch.stack([sum_grad, sum_grad_x]).double()
    return sums[0], sums[1]


def apply_scale_shift(x: Tensor, scale: Tensor, shift: Tensor | None = None) -> Tensor:
    """x * scale + shift per channel, without a gradient, in the layout and dtype of x; scale and shift are (C,).

    PyTorch's BatchNorm kernel in evaluation mode is just that: float32 parameters on float32 or bf16 maps,
    in either memory layout, at the speed of memory.
    """
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    one, zero = torch.ones_like(scale, dtype=dtype), torch.zeros_like(scale, dtype=dtype)
    shift = zero if shift is None else shift.to(dtype)
    return F.batch_norm(x, zero, one, scale.to(dtype), shift, eps=0.0)


def by_image(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """That function of each image of maps (N, C, H, W) by itself."""
    return function(x) if len(x) == 1 else torch.cat([function(image) for image in x.split(1)])  # type: ignore[no-untyped-call]


def moments_together(maps: list[Tensor]) -> tuple[list[Tensor], Moments]:
    """map_moments of several maps (1, C, H, W) of any sizes, as if their pixels were one map's."""
    passed, moments = zip(*map(map_moments, maps), strict=True)
    return list(passed), reduce(merge_moments, moments)

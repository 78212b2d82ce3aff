"""Convolutions whose gradient takes no memory beside its result."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

BLOCK_VALUES = 1 << 18
"""A weight's gradient is summed over blocks of rows of about so many values, so 1 MB of scratch."""


class Conv2d(nn.Conv2d):
    """PyTorch's convolution; training on a CPU, the gradient of its weights is computed some rows at a time.

    By itself oneDNN transposes the whole input and the whole gradient for it, two maps more just where a
    step takes most. The blocks are summed in float32, so under autocast it is about as exact.
    """

    def used_weight(self) -> Tensor:
        """What is convolved with."""
        return self.weight

    def is_lean(self, x: Tensor) -> bool:
        """Whether the gradient is ours: of 3x3 convolutions that keep the map's size, training on a CPU."""
        keeps_size = self.stride == (1, 1) and self.groups == 1 and self.padding == self.dilation
        return keeps_size and self.kernel_size == (3, 3) and x.device.type == "cpu" and torch.is_grad_enabled()

    def forward(self, input: Tensor) -> Tensor:
        weight = self.used_weight()
        if not isinstance(input, Tensor) or not self.is_lean(input):  # torch.fx traces with what is no tensor
            return self._conv_forward(input, weight, self.bias)  # type: ignore[no-any-return]
        convolved: Tensor = _Conv3x3.apply(input, weight, self.dilation[0])  # type: ignore[no-untyped-call]
        return convolved if self.bias is None else convolved + self.bias.to(convolved.dtype)[:, None, None]


def autocast_to(x: Tensor) -> Tensor:
    """In autocast's dtype, if it is on: what a convolution would do by itself, but then keep both."""
    return x.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else x


class _Conv3x3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, dilation: int) -> Tensor:  # type: ignore[no-untyped-def]
        x, weight = autocast_to(x), autocast_to(weight)
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return F.conv2d(x, weight, padding=dilation, dilation=dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, weight = ctx.saved_tensors
        of_weight = weight_gradient(grad, x, weight, ctx.dilation) if ctx.needs_input_grad[1] else None
        of_x = map_gradient(grad, x, weight, ctx.dilation) if ctx.needs_input_grad[0] else None
        return of_x, of_weight, None


def map_gradient(grad: Tensor, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Of the input of a 3x3 convolution that keeps the size of its map. Of x, the shape alone counts."""
    return _gradients(grad, x, weight, (dilation, dilation), dilation, of_weight=False)[0]


def weight_gradient(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    dilation: int,
    activation: Callable[[Tensor], Tensor] = lambda rows: rows,
) -> Tensor:
    """Of the weight of a 3x3 convolution that keeps the size of its map; in float32 or float64.

    activation: what was convolved is this function of x, one of each value by itself.
    """
    _, channels, height, width = grad.shape
    block_rows = max(1, BLOCK_VALUES // (max(channels, x.shape[1]) * width))
    total = torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
    for start in range(0, height, block_rows):
        stop = min(start + block_rows, height)
        rows = activation(x[:, :, max(0, start - dilation) : stop + dilation])
        above, below = max(0, dilation - start), max(0, stop + dilation - height)
        if above or below:
            rows = F.pad(rows, (0, 0, above, below))
        total += _gradients(grad[:, :, start:stop], rows, weight, (0, dilation), dilation, of_weight=True)[1]
    return total


def _gradients(
    grad: Tensor, x: Tensor, weight: Tensor, padding: tuple[int, int], dilation: int, of_weight: bool
) -> tuple[Tensor, Tensor, Tensor]:
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        grad, x, weight, None, (1, 1), padding, (dilation,) * 2, False, (0, 0), 1, (not of_weight, of_weight, False)
    )
    return gradients

"""Convolutions whose gradient takes no memory beside its result."""

from __future__ import annotations

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

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        keeps_size = self.stride == (1, 1) and self.groups == 1 and self.padding == self.dilation
        if not (
            isinstance(input, Tensor)  # not what torch.fx traces with
            and (self.kernel_size, keeps_size, input.device.type) == ((3, 3), True, "cpu")
            and torch.is_grad_enabled()
        ):
            return super()._conv_forward(input, weight, bias)  # type: ignore[no-any-return]
        convolved: Tensor = _Conv3x3.apply(input, weight, self.dilation[0])  # type: ignore[no-untyped-call]
        return convolved if bias is None else convolved + bias.to(convolved.dtype)[:, None, None]


class _Conv3x3(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, dilation: int) -> Tensor:  # type: ignore[no-untyped-def]
        if torch.is_autocast_enabled("cpu"):  # here, so that what is kept is what was convolved
            dtype = torch.get_autocast_dtype("cpu")
            x, weight = x.to(dtype), weight.to(dtype)
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return F.conv2d(x, weight, padding=dilation, dilation=dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = weight_gradient(grad, x, weight, ctx.dilation)
        if ctx.needs_input_grad[0]:
            of_x = _gradients(grad, x, weight, ctx.dilation, ctx.dilation, of_weight=False)[0]
        return of_x, of_weight, None


def weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, halo: int) -> Tensor:
    """Of a 3x3 convolution of maps that keep their size, dilated by so many pixels, in float32 or float64."""
    _, channels, height, width = grad.shape
    block_rows = max(1, BLOCK_VALUES // (max(channels, x.shape[1]) * width))
    total = torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
    for start in range(0, height, block_rows):
        stop = min(start + block_rows, height)
        rows = x[:, :, max(0, start - halo) : stop + halo]
        above, below = max(0, halo - start), max(0, stop + halo - height)
        if above or below:
            rows = F.pad(rows, (0, 0, above, below))
        total += _gradients(grad[:, :, start:stop], rows, weight, (0, halo), halo, of_weight=True)[1]
    return total


def _gradients(
    grad: Tensor, x: Tensor, weight: Tensor, padding: int | tuple[int, int], dilation: int, of_weight: bool
) -> tuple[Tensor, Tensor]:
    pads = (padding, padding) if isinstance(padding, int) else padding
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        grad, x, weight, None, (1, 1), pads, (dilation, dilation), False, (0, 0), 1, (not of_weight, of_weight, False)
    )
    return gradients[0], gradients[1]

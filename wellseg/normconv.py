"""Norm, ReLU and convolution as one operation, which keeps one map for its gradient rather than two."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from wellseg.convolution import Conv2d, autocast_to, map_gradient, weight_gradient
from wellseg.norms.maps import apply_scale_shift, gradient_sums
from wellseg.norms.moments import row_blocks


def norm_relu_conv(norm: nn.Module, conv: nn.Module, x: Tensor) -> Tensor:
    """``conv(relu(norm(x)))``. In training on a CPU, relu(norm(x)) is not kept but made once more, block by block.

    That costs a hundredth of the step. Norms that are no scale and shift of the image, several images and
    what torch.fx traces go the plain way.
    """
    if not (
        isinstance(x, Tensor)
        and len(x) == 1
        and norm.training
        and hasattr(norm, "fit")
        and isinstance(conv, Conv2d)
        and conv.is_lean(x)
        and conv.bias is None
    ):
        convolved: Tensor = conv(F.relu(norm(x), inplace=True))
        return convolved
    return _NormReluConv.apply(*norm.fit(x), conv.used_weight(), conv.dilation[0])  # type: ignore[no-any-return, no-untyped-call, operator]


class _NormReluConv(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, x: Tensor, scale: Tensor, shift: Tensor, around: Tensor, weight: Tensor, dilation: int
    ) -> Tensor:
        x, weight = autocast_to(x), autocast_to(weight)
        ctx.save_for_backward(x, scale, shift, around, weight)
        ctx.dilation = dilation
        return F.conv2d(_activation(x, scale, shift), weight, padding=dilation, dilation=dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, scale, shift, around, weight = ctx.saved_tensors
        of_weight = weight_gradient(
            grad, x, weight, ctx.dilation, activation=lambda rows: _activation(rows, scale, shift)
        )
        of_x = map_gradient(grad, x, weight, ctx.dilation)  # of the activation, at first
        sums = torch.zeros((2, x.shape[1]), dtype=torch.float64, device=x.device)
        for rows in row_blocks(x):
            here = of_x[:, :, rows]
            here *= _activation(x[:, :, rows], scale, shift) > 0
            sums += torch.stack(gradient_sums(here, x[:, :, rows], around))
            here.copy_(apply_scale_shift(here, scale))
        return of_x, sums[1] + around.double() * sums[0], sums[0], None, of_weight, None


def _activation(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return apply_scale_shift(x, scale, shift).relu_()

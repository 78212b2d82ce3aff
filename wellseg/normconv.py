"""Norm, ReLU and convolution as one operation, which keeps one map for its gradient rather than two."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from wellseg.convolution import Conv2d, SeparableConv2d, autocast_to, convolution_gradients, convolve
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
        and isinstance(conv, Conv2d | SeparableConv2d)
        and conv.is_lean(x)
        and conv.bias is None
    ):
        convolved: Tensor = conv(F.relu(norm(x), inplace=True))
        return convolved
    return _NormReluConv.apply(*norm.fit(x), conv.dilation[0], *conv.used_weights())  # type: ignore[no-any-return, no-untyped-call, operator]


class _NormReluConv(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, x: Tensor, scale: Tensor, shift: Tensor, around: Tensor, dilation: int, *weights: Tensor
    ) -> Tensor:
        x, weights = autocast_to(x), tuple(map(autocast_to, weights))
        ctx.save_for_backward(x, scale, shift, around, *weights)
        ctx.dilation = dilation
        return convolve(_activation(x, scale, shift), dilation, *weights)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, scale, shift, around, *weights = ctx.saved_tensors
        of_x, *of_weights = convolution_gradients(  # of_x: of the activation, at first
            grad, x, *weights, dilation=ctx.dilation, activation=lambda rows: _activation(rows, scale, shift)
        )
        assert of_x is not None
        sums = torch.zeros((2, x.shape[1]), dtype=torch.float64, device=x.device)
        for rows in row_blocks(x):
            here = of_x[:, :, rows]
            active = _activation(x[:, :, rows], scale, shift)
            torch.ops.aten.threshold_backward.grad_input(here, active, 0, grad_input=here)
            sums += torch.stack(gradient_sums(here, x[:, :, rows], around))
            here.copy_(apply_scale_shift(here, scale))
        return of_x, sums[1] + around.double() * sums[0], sums[0], None, None, *of_weights


def _activation(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return apply_scale_shift(x, scale, shift).relu_()

"""Steps of the network done as one, which keep and fetch fewer maps: the plain steps' values and gradients.

Fetching the pages of a map anew costs as much as computing it (benchmarks/README.md, "Training"), so where two
steps follow each other what lies between them is made some rows at a time and lives in the processor's cache.
That is for training on a CPU, on one image; elsewhere each goes the plain way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from wellseg.net.convolution import (
    Conv2d,
    SeparableConv2d,
    autocast_to,
    convolution_gradients,
    convolve_activation,
)
from wellseg.norms.maps import apply_scale_shift, gradient_sums
from wellseg.norms.moments import row_blocks


def norm_relu_conv(norm: nn.Module, conv: nn.Module, x: Tensor) -> Tensor:
    """``conv(relu(norm(x)))``; relu(norm(x)) is not kept but made once more, a hundredth of the step."""
    if not (
        _trains_one_image(norm, x)
        and isinstance(conv, Conv2d | SeparableConv2d)
        and conv.is_lean(x)
        and conv.bias is None
    ):
        convolved: Tensor = conv(F.relu(norm(x), inplace=True))
        return convolved
    return _NormReluConv.apply(*norm.fit(x), conv.dilation[0], *conv.used_weights())  # type: ignore[no-any-return, no-untyped-call, operator]


def norm_add_relu(norm: nn.Module, x: Tensor, shortcut: nn.Module, start: Tensor) -> Tensor:
    """``relu(norm(x) + shortcut(start))``; shortcut: an Identity, or a 1x1 convolution without bias."""
    if not _trains_one_image(norm, x):
        y = norm(x)
        y += shortcut(start)  # in place: nothing that is due for a gradient is lost
        return F.relu(y, inplace=True)
    weight = shortcut.weight if isinstance(shortcut, nn.Conv2d) else None
    return _NormAddRelu.apply(*norm.fit(x), start, weight)  # type: ignore[no-any-return, no-untyped-call, operator]


def halve(x: Tensor) -> Tensor:
    """``max_pool2d(x, 2)`` of a map of even height and width, without its table of where each maximum was.

    That is as large as the map itself; what is pooled is kept anyway, and searched once more.
    """
    if not _is_cpu_map(x):
        return F.max_pool2d(x, 2)
    return _Halve.apply(x)  # type: ignore[no-any-return, no-untyped-call]


@contextmanager
def made_again(x: Tensor, make: Callable[[], Tensor], unless: bool) -> Iterator[None]:
    """Within, x is not kept for a gradient: make() makes it once more when that is due, of what is kept anyway.

    unless: x is inside of what torch.utils.checkpoint computes twice, which keeps nothing and asks in the same way.
    """
    if unless or not _trains_on_cpu(x):
        yield
        return
    place = x.data_ptr(), x.shape  # no other map's while x is alive: to the end of this function
    autocast = torch.autocast(
        "cpu", torch.get_autocast_dtype("cpu"), torch.is_autocast_enabled("cpu")
    )

    def pack(tensor: Tensor) -> Tensor | None:
        return None if (tensor.data_ptr(), tensor.shape) == place else tensor

    def unpack(packed: Tensor | None) -> Tensor:
        if packed is not None:
            return packed
        with torch.no_grad(), autocast:  # the backward pass is outside of it
            return make()

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        yield


def _trains_on_cpu(x: Tensor) -> bool:
    return _is_cpu_map(x) and torch.is_grad_enabled()


def _is_cpu_map(x: Tensor) -> bool:
    # torch.fx traces with what is no tensor, torch.export with tensors that have no memory.
    return isinstance(x, Tensor) and x.device.type == "cpu" and not torch.compiler.is_compiling()


def _trains_one_image(norm: nn.Module, x: Tensor) -> bool:
    return _trains_on_cpu(x) and len(x) == 1 and norm.training and hasattr(norm, "fit")


class _NormReluConv(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx,
        x: Tensor,
        scale: Tensor,
        shift: Tensor,
        around: Tensor,
        dilation: int,
        *weights: Tensor,
    ) -> Tensor:
        x, weights = autocast_to(x), tuple(map(autocast_to, weights))
        ctx.save_for_backward(x, scale, shift, around, *weights)
        ctx.dilation = dilation
        return convolve_activation(
            x, lambda rows: _activation(rows, scale, shift), dilation, *weights
        )

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, scale, shift, around, *weights = ctx.saved_tensors
        of_x, *of_weights = convolution_gradients(  # of_x: of the activation, at first
            grad,
            x,
            *weights,
            dilation=ctx.dilation,
            activation=lambda rows: _activation(rows, scale, shift),
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


class _NormAddRelu(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx,
        x: Tensor,
        scale: Tensor,
        shift: Tensor,
        around: Tensor,
        start: Tensor,
        weight: Tensor | None,
    ) -> Tensor:
        start = start if weight is None else autocast_to(start)
        weight = None if weight is None else autocast_to(weight)
        y = torch.empty_like(x)
        for rows in row_blocks(x):
            here = apply_scale_shift(x[:, :, rows], scale, shift)
            here += start[:, :, rows] if weight is None else F.conv2d(start[:, :, rows], weight)
            torch.clamp_min(here, 0, out=y[:, :, rows])
        ctx.start_dtype = start.dtype
        ctx.save_for_backward(x, scale, around, y, *(() if weight is None else (start, weight)))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, scale, around, y, *shortcut = ctx.saved_tensors
        start, weight = shortcut or (y, None)
        of_x, sums = torch.empty_like(x), torch.zeros((2, x.shape[1]), dtype=torch.float64)
        of_start = (
            torch.empty_like(start, dtype=ctx.start_dtype) if ctx.needs_input_grad[4] else None
        )
        of_weight = None if weight is None else torch.zeros_like(weight, dtype=around.dtype)
        for rows in row_blocks(x):
            here = torch.ops.aten.threshold_backward(grad[:, :, rows], y[:, :, rows], 0)
            sums += torch.stack(gradient_sums(here, x[:, :, rows], around))
            of_x[:, :, rows] = apply_scale_shift(here, scale)
            if weight is not None:
                here, of_weight_here, _ = torch.ops.aten.convolution_backward(
                    here, start[:, :, rows], weight, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1,
                    (of_start is not None, True, False),
                )  # fmt: skip
                of_weight += of_weight_here
            if of_start is not None:
                of_start[:, :, rows] = here
        return of_x, sums[1] + around.double() * sums[0], sums[0], None, of_start, of_weight


class _Halve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return F.max_pool2d(x, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        of_x = torch.empty_like(x)
        for rows in row_blocks(grad):
            above = x[:, :, _twice(rows)]
            where = F.max_pool2d(above, 2, return_indices=True)[1]
            torch.ops.aten.max_pool2d_with_indices_backward.grad_input(
                grad[:, :, rows], above, (2, 2), (2, 2), (0, 0), (1, 1), False, where,
                grad_input=of_x[:, :, _twice(rows)],
            )  # fmt: skip
        return of_x


def _twice(rows: slice) -> slice:
    return slice(2 * rows.start, 2 * rows.stop)

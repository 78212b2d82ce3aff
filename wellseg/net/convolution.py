"""Convolutions whose gradient takes no memory beside its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

BLOCK_VALUES = 1 << 18
"""A weight's gradient is summed over blocks of rows of about so many values, so 1 MB of scratch."""
HALO_BLOCK_VALUES = 1 << 20
"""The same where blocks compute some rows of their neighbours, too."""

Activation = Callable[[Tensor], Tensor]


class Conv2d(nn.Conv2d):
    """PyTorch's convolution; training on a CPU, the gradient of its weights is computed some rows at a time.

    By itself oneDNN transposes the whole input and the whole gradient for it, two maps more just where a
    step takes most. The blocks are summed in float32, so under autocast it is about as exact.
    """

    def used_weight(self) -> Tensor:
        """What is convolved with."""
        return self.weight

    def used_weights(self) -> tuple[Tensor, ...]:
        """What ``convolve`` takes."""
        return (self.used_weight(),)

    def is_lean(self, x: Tensor) -> bool:
        """Whether the gradient is ours: of 3x3 convolutions that keep the map's size, training on a CPU."""
        keeps_size = self.stride == (1, 1) and self.groups == 1 and self.padding == self.dilation
        return (
            keeps_size
            and self.kernel_size == (3, 3)
            and x.device.type == "cpu"
            and torch.is_grad_enabled()
        )

    def forward(self, input: Tensor) -> Tensor:
        # torch.fx traces with what is no tensor
        if not isinstance(input, Tensor) or not self.is_lean(input):
            return self._conv_forward(input, self.used_weight(), self.bias)  # type: ignore[no-any-return]
        convolved: Tensor = _Convolve.apply(input, self.dilation[0], *self.used_weights())  # type: ignore[no-untyped-call]
        return (
            convolved
            if self.bias is None
            else convolved + self.bias.to(convolved.dtype)[:, None, None]
        )


class SeparableConv2d(nn.Sequential):
    """A 3x3 convolution of each channel by itself, then one of 1x1 across channels (arXiv 1704.04861).

    across: the latter. Training on a CPU, the map between them is not kept but made once more.
    """

    bias = None

    def __init__(self, across: Conv2d, dilation: int) -> None:
        channels = across.in_channels
        super().__init__(
            nn.Conv2d(
                channels,
                channels,
                3,
                padding=dilation,
                dilation=dilation,
                groups=channels,
                bias=False,
            ),
            across,
        )
        self.dilation = dilation, dilation

    def used_weights(self) -> tuple[Tensor, ...]:
        """What ``convolve`` takes."""
        return self[0].weight, self[1].used_weight()  # type: ignore[operator, return-value]

    def is_lean(self, x: Tensor) -> bool:
        """Whether the gradient is ours: training on a CPU."""
        return x.device.type == "cpu" and torch.is_grad_enabled()

    def forward(self, input: Tensor) -> Tensor:
        if not isinstance(input, Tensor) or not self.is_lean(input):
            return super().forward(input)  # type: ignore[no-any-return, no-untyped-call]
        convolved: Tensor = _Convolve.apply(input, self.dilation[0], *self.used_weights())  # type: ignore[no-untyped-call]
        return convolved


def autocast_to(x: Tensor) -> Tensor:
    """In autocast's dtype, if it is on: what a convolution would do by itself, but then keep both."""
    return x.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else x


def convolve(x: Tensor, dilation: int, *weights: Tensor) -> Tensor:
    """x with one 3x3 weight, or with two: 3x3 of each channel by itself, then 1x1 across channels. Keeps the size."""
    groups = x.shape[1] if len(weights) == 2 else 1
    y = F.conv2d(x, weights[0], padding=dilation, dilation=dilation, groups=groups)
    return F.conv2d(y, weights[1]) if len(weights) == 2 else y


def convolve_activation(
    x: Tensor, activation: Activation, dilation: int, *weights: Tensor
) -> Tensor:
    """``convolve(activation(x), dilation, *weights)``, block by block: no map of the activation is ever whole."""
    (images, channels, height, width), made = x.shape, len(weights[-1])
    size = images, made, height, width
    y = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    for start, stop in _halo_blocks(x, made, dilation):
        here = _with_halo(x, start, stop, dilation, activation)
        for number, weight in enumerate(weights):
            columns = 0 if number else dilation
            groups = channels if number < len(weights) - 1 else 1
            here = F.conv2d(here, weight, padding=(0, columns), dilation=dilation, groups=groups)
        y[:, :, start:stop] = here
    return y


def _itself(rows: Tensor) -> Tensor:
    return rows


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, dilation: int, *weights: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.dilation, tensors = dilation, [autocast_to(each) for each in (x, *weights)]
        ctx.save_for_backward(*tensors)
        return convolve(tensors[0], dilation, *tensors[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        of_x, *of_weights = convolution_gradients(
            grad, *ctx.saved_tensors, dilation=ctx.dilation, of_map=ctx.needs_input_grad[0]
        )
        return of_x, None, *of_weights


def convolution_gradients(
    grad: Tensor,
    x: Tensor,
    *weights: Tensor,
    dilation: int,
    activation: Activation = _itself,
    of_map: bool = True,
) -> tuple[Tensor | None, ...]:
    """Of what was convolved (None unless of_map), and of the weights of ``convolve``, in float32 or float64.

    activation: what was convolved is this function of x, one of each value by itself.
    """
    if len(weights) == 2:
        return _separable_gradients(grad, x, weights[0], weights[1], dilation, activation)
    of_weight = _weight_gradient(grad, x, weights[0], dilation, activation)
    # Of x, the shape alone counts.
    return _gradient(grad, x, weights[0], dilation, dilation)[0] if of_map else None, of_weight


def _weight_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, dilation: int, activation: Activation
) -> Tensor:
    height, total = grad.shape[2], _zeros(weight)
    block_rows = max(1, BLOCK_VALUES // (max(grad.shape[1], x.shape[1]) * grad.shape[3]))
    for start in range(0, height, block_rows):
        stop = min(start + block_rows, height)
        rows = _with_halo(x, start, stop, dilation, activation)
        total += _gradient(grad[:, :, start:stop], rows, weight, 0, dilation, of_weight=True)[1]
    return total


def _separable_gradients(
    grad: Tensor, x: Tensor, each: Tensor, across: Tensor, dilation: int, activation: Activation
) -> tuple[Tensor, Tensor, Tensor]:
    """Block by block, while a block is in the cache."""
    of_x, of_each, of_across = torch.empty_like(x), _zeros(each), _zeros(across)
    groups, backwards, flipped = x.shape[1], across.transpose(0, 1), each.flip(2, 3)
    for start, stop in _halo_blocks(x, grad.shape[1], dilation):
        rows = _with_halo(x, start, stop, dilation, activation)
        between = F.conv2d(rows, each, padding=(0, dilation), dilation=dilation, groups=groups)
        of_across += _gradient(
            grad[:, :, start:stop], between, across, 0, 1, of_weight=True, columns=0
        )[1]
        of_between = _with_halo(grad, start, stop, dilation, lambda rows: F.conv2d(rows, backwards))
        of_x[:, :, start:stop] = F.conv2d(
            of_between, flipped, padding=(0, dilation), dilation=dilation, groups=groups
        )
        inside = of_between[:, :, dilation : dilation + stop - start]
        of_each += _gradient(inside, rows, each, 0, dilation, of_weight=True)[1]
    return of_x, of_each, of_across


def _halo_blocks(x: Tensor, channels: int, halo: int) -> Iterator[tuple[int, int]]:
    """First row and row after the last of each block of a map that is convolved to so many channels."""
    height, width = x.shape[2:]
    block_rows = max(halo, HALO_BLOCK_VALUES // (max(x.shape[1], channels) * width))
    return ((start, min(start + block_rows, height)) for start in range(0, height, block_rows))


def _zeros(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))


def _with_halo(x: Tensor, start: int, stop: int, halo: int, function: Activation) -> Tensor:
    """function(x) of rows start to stop and so many more above and below; beyond the map, zeros."""
    rows = function(x[:, :, max(0, start - halo) : stop + halo])
    above, below = max(0, halo - start), max(0, stop + halo - x.shape[2])
    return F.pad(rows, (0, 0, above, below)) if above or below else rows


def _gradient(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    row_padding: int,
    dilation: int,
    of_weight: bool = False,
    columns: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """PyTorch's of a convolution of x: of x, or of the weight. columns: padding of these, or the dilation."""
    padding = row_padding, dilation if columns is None else columns
    groups = x.shape[1] // weight.shape[1]
    gradients: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        grad, x, weight, None, (1, 1), padding, (dilation,) * 2, False, (0, 0), groups,
        (not of_weight, of_weight, False),
    )  # fmt: skip
    return gradients

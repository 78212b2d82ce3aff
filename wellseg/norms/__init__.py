"""Normalisation layers, each of them a word of ``--model.norm``.

A norm is one file of this folder, registered by its word: a ``Norm`` with a ``scale_shift`` of its
own, or one that reads no image, with a ``forward``. Training, prediction by rows and the tests of
norms take it from there. Running statistics are buffers that are updated if ``observes``, and make
``reads_image`` a property that is ``self.training``: see batch.py.

    register("mine")(lambda channels, momentum: MyNorm(channels, groups=1))

One of a file elsewhere is known to programs that import that file.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from wellseg.norms.moments import channel_statistics

Momentum = float | Literal["cumulative"]
"""PyTorch's: (1 - m) running + m observed; Keras calls it 1 - m. cumulative: the mean of all."""


class Norm(nn.Module):
    """Normalises maps (N, C, H, W), float of any kind, to maps of the same size and dtype.

    groups: the channels of a group have mean and variance in common. A norm for which that is not
        so overrides scale_shift, or reads no image.
    reads_image: whether an output pixel depends on statistics of the whole image, as the layer is
        now (in training or in evaluation). If not, ``wellseg.rows`` calls ``forward`` on any rows
        by themselves; if so, never: it takes scale_shift once the statistics of all rows are known.
    """

    reads_image = True

    def __init__(self, channels: int, groups: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels, self.groups, self.eps = channels, groups, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    @property
    def observes(self) -> bool:
        """Whether running statistics are to be updated: not in a backward pass, in which a stage is
        computed once more that has been observed."""
        return torch._C._current_graph_task_id() == -1

    def forward(self, x: Tensor) -> Tensor:
        """Each image by its own statistics, for any scale_shift, with the gradient of autograd. One
        that is faster may take its place."""
        if len(x) > 1:
            return torch.cat([self(image) for image in x.split(1)])
        given = self.scale_shift(*_Moments.apply(x))  # type: ignore[no-untyped-call]
        scale, shift = (each.to(self.weight.dtype)[:, None, None] for each in given)
        return torch.addcmul(shift, x, scale).to(x.dtype)

    def scale_shift(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Per-channel mean and biased variance (..., C) -> float64 scale and shift (..., C)."""
        mean, rstd = self.of_groups(mean, var)
        repeats = self.channels // self.groups
        scale = self.weight.double() * rstd.repeat_interleave(repeats, -1)
        return scale, self.bias.double() - mean.repeat_interleave(repeats, -1) * scale

    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        """One image (1, C, H, W) by its own mean and biased variance of each channel, float64 (C,);
        with the gradient of GroupNorm, so of no norm that overrides scale_shift or of_groups."""
        return _Normalise.apply(x, self.weight, self.bias, mean, var, self)  # type: ignore

    def of_groups(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Those of channels -> mean and 1 / standard deviation of groups, float64 (..., groups)."""
        by_group = *mean.shape[:-1], self.groups, -1
        means, variances = mean.double().view(by_group), var.double().view(by_group)
        mean = means.mean(-1, keepdim=True)  # torch.var takes 30 times as long of groups of one
        var = (variances + (means - mean).square()).mean(-1)
        return mean[..., 0], (var + self.eps).rsqrt()


class _Moments(torch.autograd.Function):
    """Mean and biased variance of the channels of a map (1, C, H, W), float64 (C,)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, var = channel_statistics(x)
        ctx.save_for_backward(x, mean)
        return mean.clone(), var.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_mean: Tensor, of_var: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        slope = 2 * of_var / x[0, 0].numel()
        given = of_mean / x[0, 0].numel() - slope * mean, slope
        wide = torch.promote_types(x.dtype, torch.float32)
        shift, scale = (each.to(wide)[:, None, None] for each in given)
        return torch.addcmul(shift, x, scale).to(x.dtype)


class _Normalise(torch.autograd.Function):
    """PyTorch's kernels both ways, with statistics that are given: its own, of a channels_last map
    on a CPU, are off by 3e-4 in scale at 6,400 rows (torch 2.13.0, pytorch issue 54293)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, norm: Norm
    ) -> Tensor:
        given = *norm.of_groups(mean, var), *norm.scale_shift(mean, var)
        mean, rstd, scale, shift = (each.to(weight.dtype) for each in given)
        ctx.save_for_backward(x, weight, mean[None], rstd[None])
        # BatchNorm's kernel in evaluation mode is x * scale + shift at the speed of memory.
        zero = torch.zeros_like(scale)
        return F.batch_norm(x, zero, zero + 1, scale, shift, eps=0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, rstd = ctx.saved_tensors
        layout = torch.channels_last if x.stride(1) == 1 else torch.contiguous_format
        given = [each.contiguous(memory_format=layout) for each in (grad, x)]
        (_, channels, height, width), groups, wanted = x.shape, mean.shape[1], ctx.needs_input_grad
        if groups == channels:  # BatchNorm of one image, whose kernel is up to 30 times as fast
            backward: Any = torch.ops.aten.native_batch_norm_backward
            given += [weight, None, None, mean[0], rstd[0], True, 0.0]
        else:
            backward = torch.ops.aten.native_group_norm_backward
            given += [mean, rstd, weight, 1, channels, height * width, groups]
        return *backward(*given, wanted[:3]), None, None, None


Maker = Callable[[int, Momentum], Norm]
NORMS: dict[str, Maker] = {}
"""From the word of a norm to what makes one, of channels and momentum."""


def register(word: str) -> Callable[[Maker], Maker]:
    """Takes, or decorates, what makes the norm of that word. Raises ValueError: it is taken."""
    if word in NORMS:
        raise ValueError(f"a norm {word!r} is registered already")
    return lambda maker: NORMS.setdefault(word, maker)


def make_norm(word: str, channels: int, *, momentum: Momentum = 0.01) -> Norm:
    """The norm of that word for maps of that many channels. Raises ValueError for unknown words."""
    if word not in NORMS:
        raise ValueError(f"unknown norm {word!r}: choose one of {', '.join(NORMS)}")
    return NORMS[word](channels, momentum)


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

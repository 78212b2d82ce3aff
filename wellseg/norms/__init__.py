"""Normalisation layers, each chosen by a word of ``--model.norm``.

A norm is a file in this folder that registers a word for a subclass of ``Norm``: one with its own
``scale_shift``, or one with ``reads_image = False`` and its own ``forward``, where no pixel has a
say in another. Training, prediction by rows and tests/test_norms*.py then find it by its word.
What else it does to a pixel, as FRN's threshold, stands behind it: nn.Sequential(norm, rest).
Both keep a map's dtype. Running statistics are buffers, updated where ``observes``: batch.py.

    register("mine")(lambda channels, momentum: MyNorm(channels, groups=1))"""

import importlib
import pkgutil
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

BLOCK_VALUES = 1 << 20  # of a map at a time: 2 to 4 MB, which stay in the cache for both passes
LANE_VALUES = 64  # of a channel in one float32 sum; of more, rounding errors show on blank paper
Moments = tuple[int, Tensor, Tensor]  # pixels; mean, sum of squared deviations: float64 (C,)
Maker = Callable[[int, float], nn.Module]
NORMS: dict[str, Maker] = {}  # by word, the function (channels, momentum) that makes the norm


class Norm(nn.Module):
    """GroupNorm (Wu and He 2018, arXiv 1803.08494); other norms override scale_shift.
    Normalises maps (N, C, H, W), float of any kind, to maps of the same size and dtype.
    groups: how many; channels of one share mean and variance.
    reads_image: whether an output pixel depends on statistics of the whole image in the layer's
        present mode, training or evaluation. ``wellseg.rows`` then calls scale_shift with those of
        all rows, and never ``forward``; else ``forward`` on a few rows at a time."""

    reads_image = True

    def __init__(self, channels: int, groups: int, eps: float = 1e-5) -> None:
        super().__init__()
        if type(self).forward is not Norm.forward and type(self).reads_image is True:
            do = "say reads_image = False, or put what it does behind it: nn.Sequential(norm, rest)"
            raise TypeError(f"{type(self).__name__}.forward is not called in prediction: {do}")
        self.channels, self.groups, self.eps = channels, groups, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    @property
    def observes(self) -> bool:
        """Whether to update running statistics: not where a backward pass repeats a stage."""
        return torch._C._current_graph_task_id() == -1

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each image by its own statistics; autograd derives what subclasses change."""
        rules = type(self).scale_shift, type(self).of_groups
        is_group_norm = rules == (Norm.scale_shift, Norm.of_groups)
        # On CUDA that kernel is accurate; under autocast it gives float32. Exports (ONNX) know it.
        exported = torch.jit.is_tracing() or torch.compiler.is_exporting()  # type: ignore
        if is_group_norm and (x.is_cuda or exported):
            return F.group_norm(x, self.groups, self.weight, self.bias, self.eps).to(x.dtype)
        if len(x) > 1:
            return torch.cat([self(image) for image in x.split(1)])
        mean, var = channel_statistics(x)
        if is_group_norm:
            return Normalise.apply(x, self.weight, self.bias, mean, var, self)  # type: ignore
        wide = torch.promote_types(x.dtype, torch.float32)
        # channel_statistics has no gradient: x - x.detach() is zero and has that of x.
        zeros, off = (x - x.detach()).to(wide), x.detach() - mean.to(wide)[:, None, None]
        mean, var = mean + zeros.mean((0, 2, 3)), var + 2 * (off * zeros).mean((0, 2, 3))
        given = torch.broadcast_tensors(*self.scale_shift(mean[None], var[None]))  # (1, C)
        scale, shift = (each.to(self.weight.dtype)[0, :, None, None] for each in given)
        return torch.addcmul(shift, x, scale).to(x.dtype)

    def scale_shift(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Mean, biased variance of channels, (..., C) -> scale, shift that broadcast: float64."""
        repeats = self.channels // self.groups
        mean, rstd = (each.repeat_interleave(repeats, -1) for each in self.of_groups(mean, var))
        scale = self.weight.double() * rstd
        return scale, torch.addcmul(self.bias.double(), mean, scale, value=-1)

    def of_groups(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of channels -> mean and 1 / standard deviation of groups, (..., G)."""
        means, variances = (each.double().unflatten(-1, (self.groups, -1)) for each in (mean, var))
        mean = means.mean(-1)
        var = (variances + (means - mean[..., None]).square()).mean(-1)
        return mean, (var + self.eps).rsqrt()


class Normalise(torch.autograd.Function):
    """PyTorch's kernels, forward and backward, for one image (1, C, H, W) and given mean and biased
    variance per channel, float64 (C,): `block_moments` says why. The gradient is GroupNorm's: not
    for norms that override scale_shift or of_groups."""

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


def moments_of_map(x: Tensor) -> Moments:
    """Moments of a map (N, C, H, W), over the pixels of all N images."""
    block_rows = x.shape[2] if x.is_cuda else max(1, BLOCK_VALUES // x[:, :, 0].numel())
    return reduce(merge_moments, map(block_moments, x.split(block_rows, 2)))


@torch.no_grad()
def channel_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel of a map (N, C, H, W): float64 (C,), no gradient."""
    count, mean, square = moments_of_map(x)
    return mean, square / count


def block_moments(block: Tensor) -> Moments:
    """Moments of some rows of a map, (N, C, h, W).
    PyTorch's CPU kernels sum a channels_last map in one float32 pass per channel: the variance of
    14 Mpx is off by 3 % (torch 2.13.0, pytorch issue 54293). Its BatchNorm kernel reads at the
    speed of memory, though. So it is given each channel as many lanes of 64 pixels, which are then
    merged in float64: errors are below 1e-7, in a third of the time of plain sums."""
    channels, wide = block.shape[1], torch.promote_types(block.dtype, torch.float32)
    if block.is_cuda:  # PyTorch's CUDA kernel merges parts as merge_moments does
        var, mean = torch.var_mean(block.to(wide), (0, 2, 3), correction=0)
        return block[:, 0].numel(), mean.double(), var.double() * block[:, 0].numel()
    pixels = block.permute(0, 2, 3, 1).flatten(0, 2)
    in_lanes, parts = len(pixels) // LANE_VALUES * LANE_VALUES, []
    for part in filter(len, (pixels[:in_lanes], pixels[in_lanes:].double())):
        length = min(len(part), LANE_VALUES)
        by_lane = part.reshape(1, length, 1, -1).permute(0, 3, 1, 2)
        running = part.new_zeros(by_lane.shape[1], dtype=torch.promote_types(part.dtype, wide))
        both = torch.batch_norm_update_stats(by_lane, running, running, 0.0)
        means, variances = (each.double().view(-1, channels) for each in both)
        mean = means.mean(0)
        parts.append((len(part), mean, length * (variances + (means - mean).square()).sum(0)))
    return reduce(merge_moments, parts)


def merge_moments(a: Moments, b: Moments) -> Moments:
    """Moments of two sets of pixels together (Chan, Golub, LeVeque 1979). Tiled GroupNorms in
    public code leave out the last term, the variance between the sets."""
    (count_a, mean_a, square_a), (count_b, mean_b, square_b) = a, b
    count, delta = count_a + count_b, mean_b - mean_a
    square = square_a + square_b + delta * delta * (count_a * count_b / count)
    return count, mean_a + delta * (count_b / count), square


def register(word: str) -> Callable[[Maker], Maker]:
    """A decorator for the `Maker` of that word's norms. Raises ValueError: the word is taken."""
    if word in NORMS:
        raise ValueError(f"a norm {word!r} is registered already")
    return lambda maker: NORMS.setdefault(word, maker)


def make_norm(word: str, channels: int, *, momentum: float = 0.01) -> nn.Module:
    """The norm of that word for maps of that many channels. Raises ValueError for unknown words."""
    if word not in NORMS:
        raise ValueError(f"unknown norm {word!r}: choose one of {', '.join(NORMS)}")
    return NORMS[word](channels, momentum)


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

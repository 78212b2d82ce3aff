"""Norms that only the study needs. Importing this registers them as words of ``--model.norm``.

They take their gradients from PyTorch, by plain operations on whole maps: exact, but with more
memory and time than those of ``wellseg.norms``. Those that change in the course of a training need
``set_progress`` before every step, those with statistics over several images ``Together``, and
weight standardisation is put on a network by ``standardise``.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable

from studies.batch_size_one.plan import MOMENTA, Momentum
from wellseg.norms import Norm, register
from wellseg.norms.batch import BatchNorm
from wellseg.norms.group import half_or_16


def set_progress(net: nn.Module, share: float) -> None:
    """Tell the norms of a network what share of its training is done, in [0, 1]; before every
    step."""
    for module in net.modules():
        if isinstance(module, FrozenBatchNorm | BatchRenorm):
            module.set_progress(share)


for _floor in (16, 8, 4):
    register(f"group{_floor}")(
        lambda channels, momentum, floor=_floor: Norm(channels, half_or_16(channels, floor))
    )


@register("groups8")
def groups8(channels: int, momentum: float) -> Norm:
    """Eight groups whatever the width: what the article argues against."""
    return Norm(channels, gcd(channels, 8))


@register("group_ws")
def group_ws(channels: int, momentum: float) -> Norm:
    """GroupNorm by half_or_16; `train.build` standardises the weights before it."""
    return Norm(channels, half_or_16(channels))


# --- Variants of BatchNorm ------------------------------------------------------------------------


class BatchNormVariant(BatchNorm):
    """BatchNorm with statistics of all the maps of a list, and room for what variants do with
    them."""

    pools_images = False
    """Whether ``Together`` gives it the maps of all images at once."""
    forgets_start = True
    """True: the first 1/m batches are averaged, so that nothing is left of mean 0 and variance
    1."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(self.together(list(x.split(1)))) if self.training else super().forward(x)

    def together(self, maps: list[Tensor]) -> list[Tensor]:
        """In training: maps (1, C, H, W) of any sizes, by the statistics of all their pixels."""
        mean, var, pixels = self.statistics(maps)
        scale, shift = self.scale_shift(mean, var)
        if pixels:
            self.observe(mean.detach(), var.detach(), pixels)
        return [scaled(x, scale, shift) for x in maps]

    def statistics(self, maps: list[Tensor]) -> tuple[Tensor, Tensor, int]:
        """Mean and biased variance of each channel, and of how many new pixels these are."""
        values = torch.cat([wide(x).transpose(0, 1).flatten(1) for x in maps], 1)
        var, mean = torch.var_mean(values, 1, correction=0)
        return mean, var, values.shape[1]

    def share(self, batches: int) -> float:
        """The weight in the running statistics of the last of so many batches."""
        return max(self.momentum, 1 / batches) if self.forgets_start else self.momentum

    def observe(self, mean: Tensor, var: Tensor, pixels: int) -> None:
        momentum = self.momentum
        self.momentum = self.share(int(self.num_batches_tracked) + 1)
        super().observe(mean, var, pixels)
        self.momentum = momentum


def wide(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def scaled(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """x * scale + shift per channel, differentiable, in the dtype of x."""
    x_wide = wide(x)
    scale, shift = (each.to(x_wide.dtype)[:, None, None] for each in (scale, shift))
    return (x_wide * scale + shift).to(x.dtype)


@register("batch_momenta")
class BatchMomenta(BatchNorm):
    """BatchNorm at one log a step, with the running statistics of every momentum of ``MOMENTA``.

    In training it divides by the image's own statistics, whatever the momentum: running statistics
    never feed back. So one training has them all. ``use`` says which ones evaluation takes.
    """

    def __init__(self, channels: int, momentum: float = 0.01) -> None:
        super().__init__(channels, momentum)
        self.register_buffer("running_means", torch.zeros(len(MOMENTA), channels))
        self.register_buffer("running_vars", torch.ones(len(MOMENTA), channels))

    def forward(self, x: Tensor) -> Tensor:
        given = self.weight, self.bias
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, *given, eps=self.eps)
        y, mean, rstd = torch.native_batch_norm(x, *given, None, None, True, 0.0, self.eps)
        if self.observes:  # else the second pass of a recomputed stage, or a score
            self.observe(mean.detach(), rstd.detach().double().pow(-2) - self.eps, x[0, 0].numel())
        return y

    @torch.no_grad()
    def observe(self, mean: Tensor, var: Tensor, pixels: int) -> None:
        """Take an image's mean and biased variance, (C,), into all running statistics; the variance
        unbiased, as PyTorch does."""
        self.num_batches_tracked += 1
        shares = [1 / self.num_batches_tracked.item() if m == "cumulative" else m for m in MOMENTA]
        share = torch.tensor(shares, dtype=mean.dtype, device=mean.device)[:, None]
        unbiased = (var * pixels / max(1, pixels - 1)).to(mean.dtype)
        self.running_means.lerp_(mean.expand_as(self.running_means), share)
        self.running_vars.lerp_(unbiased.expand_as(self.running_vars), share)

    @torch.no_grad()
    def use(self, momentum: Momentum, corrected: bool) -> None:
        """Take the statistics of that momentum for evaluation; ``corrected``: divided by the share
        that is not the start's, mean 0 and variance 1 (Adam's correction of its moments)."""
        row = MOMENTA.index(momentum)
        mean, var = self.running_means[row].clone(), self.running_vars[row].clone()
        if corrected and momentum != "cumulative":
            start = (1 - float(momentum)) ** self.num_batches_tracked.item()
            mean, var = mean / (1 - start), (var - start) / (1 - start)
        self.running_mean.copy_(mean)
        self.running_var.copy_(var)


@register("batch_frozen")
class FrozenBatchNorm(BatchNormVariant):
    """BatchNorm until a share of the run is done; from then on its statistics stay, in training
    too.

    So the last part of the training trains the very function that evaluation uses. Detectron's
    frozen BatchNorm, for fine-tuning, also freezes scale and shift; here they go on learning.
    """

    warmup = 0.25  # `train.build` sets the cell's
    frozen = False
    forgets_start = False

    def set_progress(self, share: float) -> None:
        self.frozen = share >= self.warmup

    @property
    def reads_image(self) -> bool:
        return self.training and not self.frozen

    def statistics(self, maps: list[Tensor]) -> tuple[Tensor, Tensor, int]:
        if self.frozen:
            return self.running_mean, self.running_var, 0
        return super().statistics(maps)


@register("renorm")
class BatchRenorm(BatchNormVariant):
    """Batch Renormalization (Ioffe 2017, arXiv 1702.03275): corrected towards the running
    statistics.

    y = ((x - mean) / std * r + d) * weight + bias, with r = std / running std within [1/r_max,
    r_max] and d = (mean - running mean) / running std within [-d_max, d_max], both constants to
    the gradient. Where neither bound is met, that is the function that evaluation uses.

    The paper's bounds are 1 and 0 for 5,000 steps; r_max then rises to 3 at 40,000 and d_max to 5
    at 25,000. Here these are shares of a run, as if of 100,000 steps.
    """

    r_max, d_max = 1.0, 0.0

    @torch.no_grad()
    def observe(self, mean: Tensor, var: Tensor, pixels: int) -> None:
        """The paper averages the standard deviation, not the variance."""
        before = self.running_var.sqrt()
        super().observe(mean, var, pixels)
        if self.observes:
            unbiased = (var * pixels / max(1, pixels - 1)).to(before.dtype)
            self.running_var.copy_(
                before.lerp(unbiased.sqrt(), self.share(int(self.num_batches_tracked))).square()
            )

    def set_progress(self, share: float) -> None:
        self.r_max = 1 + 2 * _ramp(share, 0.05, 0.40)
        self.d_max = 5 * _ramp(share, 0.05, 0.25)

    def scale_shift(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = mean.double(), (var.double() + self.eps).sqrt()
        if self.observes:  # else the second pass of a recomputed stage: as in the first one
            running_std = (self.running_var.double() + self.eps).sqrt()
            away = (mean.detach() - self.running_mean) / running_std
            r = (std.detach() / running_std).clamp(1 / self.r_max, self.r_max)
            self._correction = r, away.clamp(-self.d_max, self.d_max)
        r, d = self._correction
        weight = self.weight.double()
        return weight * r / std, self.bias.double() + weight * d - mean * weight * r / std


def _ramp(share: float, start: float, end: float) -> float:
    return min(1.0, max(0.0, (share - start) / (end - start)))


@register("pooled")
class PooledNorm(BatchNormVariant):
    """BatchNorm over k images of any sizes: by itself a BatchNorm, in ``Together`` one over the
    images.

    Phase one is the statistics of the k maps, phase two their normalisation. The gradient passes
    through the statistics, so it is that of the concatenated batch.
    """

    pools_images = True


@register("pooled_constant")
class PooledConstantNorm(PooledNorm):
    """As PooledNorm, but the statistics are constants to the gradient, as in the forum's code.

    The same forward values; "much higher training loss" is what its author got.
    """

    def statistics(self, maps: list[Tensor]) -> tuple[Tensor, Tensor, int]:
        with torch.no_grad():
            return super().statistics(maps)


class Together:
    """``Together(net)(images)`` is ``[net(image) for image in images]``, but for norms that pool
    images.

    Each operation is done for every image before the next one; a norm with ``pools_images`` gets
    the maps of all of them at once. One graph of derivatives results, and so the gradient of the
    concatenated batch. It costs the memory of k images, and no time. In the memory of one image,
    the gradient through the statistics of a layer is complete only when that of all later layers
    is: a backward pass for every norm.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        # The graph holds no weights: it stays right while they are trained.
        self.interpreter = fx.Interpreter(net, graph=_Tracer().trace(net))

    def __call__(self, images: list[Tensor]) -> list[Tensor]:
        """images: (1, C, H, W), each of its own size. Returns the network's output for each."""
        values: dict[fx.Node, list[Any]] = {}
        for node in self.interpreter.graph.nodes:
            if node.op == "placeholder":
                values[node] = images
                continue
            of_image = [
                {read: values[read][i] for read in node.all_input_nodes} for i in range(len(images))
            ]
            arguments = [
                fx.node.map_arg((node.args, node.kwargs), one.__getitem__) for one in of_image
            ]
            norm = self.net.get_submodule(node.target) if node.op == "call_module" else None
            if isinstance(norm, BatchNormVariant) and norm.training and norm.pools_images:
                values[node] = norm.together([args[0] for args, _ in arguments])
            else:
                run = getattr(self.interpreter, node.op)
                values[node] = [run(node.target, args, kwargs) for args, kwargs in arguments]
            for read_for_the_last_time in self.interpreter.user_to_last_uses.get(node, []):
                del values[read_for_the_last_time]
        return values[node]


class _Tracer(fx.Tracer):
    """Down to the modules that have no parts."""

    def is_leaf_module(self, m: nn.Module, qualname: str) -> bool:
        return not any(True for _ in m.children())


def pools_images(net: nn.Module) -> bool:
    """Whether a norm of that network has statistics over several images."""
    return any(getattr(module, "pools_images", False) for module in net.modules())


# --- Online Normalization -------------------------------------------------------------------------


@register("online")
class OnlineNorm(Norm):
    """Online Normalization (Chiley et al. 2019, arXiv 1905.05894), made for one image at a time.

    *Forward*: an image is normalised by the statistics of those before it, which are then updated:
    the output looks at no other pixel, in training as in evaluation. *Backward*: the gradient of a
    normalisation has no mean and no component along its output. For this one that is so in the
    mean over the images only: two more running values a channel keep account of what is left and
    take it back. *Clamp*: the output is cut to +-5, so that a network of layers with statistics
    out of date stays bounded (the default of the authors' code; their paper's layer scaling would
    read the whole image).

    momentum: not used: the decays are the authors', 0.999 forward and 0.99 backward.
    In a run of several processes the first one's statistics count.
    """

    reads_image = False

    def __init__(
        self,
        channels: int,
        momentum: float = 0.01,
        decay: float = 0.999,
        backward_decay: float = 0.99,
        clamp: float = 5.0,
    ) -> None:
        super().__init__(channels, channels)
        self.decay, self.backward_decay, self.clamp = decay, backward_decay, clamp
        for name in ("running_mean", "control_mean", "control_output"):  # the paper's mu, u, v
            self.register_buffer(name, torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            y = F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
            return y.clamp(-self.clamp, self.clamp)
        images = [self._one_image(image) for image in x.split(1)]
        return torch.cat(images).clamp(-self.clamp, self.clamp)

    def _one_image(self, x: Tensor) -> Tensor:
        if self.observes:  # else the second pass of a recomputed stage: as in the first one
            self._before = self.running_mean.double().clone(), self.running_var.double().clone()
            var, mean = torch.var_mean(wide(x.detach()).double(), (0, 2, 3), correction=0)
            self.observe(mean, var)
        center, var = self._before
        rstd = (var + self.eps).rsqrt()
        y = _Controlled.apply(wide(x), center, rstd, self)
        return scaled(y, self.weight, self.bias).to(x.dtype)

    def observe(self, mean: Tensor, var: Tensor) -> None:
        """Take an image's mean and biased variance, float64 (C,), into the running ones."""
        self.num_batches_tracked += 1
        share = 1 - self.decay
        away = mean - self.running_mean
        self.running_var.mul_(1 - share).add_(share * var + share * (1 - share) * away.square())
        self.running_mean.add_(share * away)


class _Controlled(torch.autograd.Function):
    """(x - center) * rstd of a map, with the paper's control of the gradient, equations 8 to 12."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, center: Tensor, rstd: Tensor, norm: OnlineNorm) -> Tensor:
        y = scaled(x, rstd, -center * rstd)
        ctx.save_for_backward(y, rstd)
        ctx.norm = norm
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (y, rstd), norm, pixels = ctx.saved_tensors, ctx.norm, (0, 2, 3)
        left = 1 - norm.backward_decay
        grad = grad - scaled(y, left * norm.control_output, torch.zeros_like(rstd))
        norm.control_output += (grad * y).double().mean(pixels).to(norm.control_output.dtype)
        grad = scaled(grad, rstd, -left * norm.control_mean)
        norm.control_mean += grad.double().mean(pixels).to(norm.control_mean.dtype)
        return grad, None, None, None


# --- Weight standardisation -----------------------------------------------------------------------


class StandardisedConv2d(nn.Conv2d):
    """A convolution whose weights have mean 0 and variance 1 for each output channel (arXiv
    1903.10520).

    For convolutions that a norm follows: the scale that the weights lose is the norm's business.
    """

    def used_weight(self) -> Tensor:
        rows = self.weight.flatten(1)
        return F.layer_norm(rows, rows.shape[1:], eps=1e-6).view(self.weight.shape)

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.used_weight(), self.bias)


def standardise(net: nn.Module) -> None:
    """Have the last convolution before each norm of a ResUNet standardise its weights; same
    tensors."""
    for block in net.modules():
        for conv in (getattr(block, "conv1", None), getattr(block, "conv2", None)):
            last = conv[-1] if isinstance(conv, nn.Sequential) else conv
            if isinstance(last, nn.Conv2d):
                last.__class__ = StandardisedConv2d

"""Online Normalization."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from wellseg.norms.batch import Momentum
from wellseg.norms.maps import apply_scale_shift, by_image, gradient_sums
from wellseg.norms.moments import moments_of_map


class OnlineNorm(nn.Module):
    """Online Normalization (Chiley et al. 2019, arXiv 1905.05894), made for one image at a time.

    *Forward*: an image is normalised by the statistics of those before it, which are then updated: the
    output looks at no other pixel, in training as in evaluation. *Backward*: the gradient of a
    normalisation has no mean and no component along its output. For this one that is so in the mean over
    the images only: two more running values a channel keep account of what is left and take it back.
    *Clamp*: the output is cut to +-5, so that a network of layers with statistics out of date stays
    bounded (the default of the authors' code; their paper's layer scaling would read the whole image).

    momentum: 1 - m is the forward decay. The paper's is 0.999, which takes 4,600 images to forget the
        start; for U-Nets they take 63/64. Here it is what BatchNorm has, 1 - 0.01.
    In a run of several processes the first one's statistics count.
    """

    reads_image = False
    running_mean: Tensor
    running_var: Tensor
    control_mean: Tensor
    control_output: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        channels: int,
        momentum: Momentum = 0.01,
        backward_decay: float = 0.99,
        clamp: float = 5.0,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.momentum, self.backward_decay, self.clamp, self.eps = (
            momentum,
            backward_decay,
            clamp,
            eps,
        )
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("control_mean", torch.zeros(channels))  # the paper's u
        self.register_buffer("control_output", torch.zeros(channels))  # the paper's v
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            y = by_image(lambda image: _OnlineNorm.apply(image, self.weight, self.bias, self), x)  # type: ignore[no-untyped-call]
        else:
            y = F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return y.clamp(-self.clamp, self.clamp)

    def observe(self, mean: Tensor, var: Tensor) -> None:
        """Take an image's mean and biased variance, float64 (C,), into the running ones."""
        self.num_batches_tracked += 1
        share = (
            1 / self.num_batches_tracked.item()
            if self.momentum == "cumulative"
            else float(self.momentum)
        )
        away = mean - self.running_mean
        self.running_var.mul_(1 - share).add_(share * var + share * (1 - share) * away.square())
        self.running_mean.add_(share * away)


class _OnlineNorm(torch.autograd.Function):
    """One image, (1, C, H, W): scale, shift and control by float64 values of each channel."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, norm: OnlineNorm) -> Tensor:  # type: ignore[no-untyped-def]
        center = norm.running_mean.double().clone()  # observe changes it
        rstd = (norm.running_var.double() + norm.eps).rsqrt()
        count, mean, square = moments_of_map(x)
        norm.observe(mean, square / count)
        away = (mean - center) * rstd  # of the normalised map: mean and, next, mean square
        ctx.save_for_backward(
            x, weight, center, rstd, away, square / count * rstd.square() + away.square()
        )
        ctx.norm = norm
        scale = weight.double() * rstd
        return apply_scale_shift(x, scale, bias.double() - center * scale)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, weight, center, rstd, mean_y, mean_yy = ctx.saved_tensors
        norm: OnlineNorm = ctx.norm
        pixels = x.shape[2] * x.shape[3]
        sum_grad, sum_grad_x = gradient_sums(grad, x, center)
        sum_grad_y = sum_grad_x * rstd
        # With g the gradient of the normalised map y, and u, v as they were before:
        #   g' = g - (1 - b) v y       and v += mean(g' y)
        #   dL/dx = g' rstd - (1 - b) u   and u += mean(dL/dx)
        g_mean, gy_mean = weight.double() * sum_grad / pixels, weight.double() * sum_grad_y / pixels
        u, v = (
            (1 - norm.backward_decay) * each.double()
            for each in (norm.control_mean, norm.control_output)
        )
        norm.control_output += (gy_mean - v * mean_yy).to(norm.control_output.dtype)
        norm.control_mean += ((g_mean - v * mean_y) * rstd - u).to(norm.control_mean.dtype)
        slope = -v * rstd.square()  # on x: y = (x - center) rstd
        dx = apply_scale_shift(x, slope, -u - slope * center)
        dx += apply_scale_shift(grad, weight.double() * rstd)
        return dx, sum_grad_y.to(weight.dtype), sum_grad.to(weight.dtype), None

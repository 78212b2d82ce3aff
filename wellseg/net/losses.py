"""What training minimises: cross entropy plus soft Dice, in float32, on logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = 128
"""Mask value of pixels that are not scored."""

BLOCK_PIXELS = 1 << 18
"""The loss is computed of so many pixels at a time: 1 MB in float32, which stays in the cache."""


def curve_loss(
    logits: Tensor, truth: Tensor, cross_entropy: float = 1.0, dice: float = 1.0
) -> Tensor:
    """Binary cross entropy + (1 - soft Dice of the curves), each times its weight, a float32 scalar.

    logits: any float dtype, (N, 1, H, W). truth: uint8 of the same shape, 255 curve, 0 not, 128 left
    out. Cross entropy alone is content with no curve at all where 2 % of the pixels are curve; Dice
    (Milletari et al. 2016, arXiv 1606.04797) is not. Its +1 defines an empty mask: zero loss when
    nothing is predicted. A log without one scored pixel has a loss of zero.

    Both terms are computed together, block by block, and nothing but the logits is kept for the gradient:
    by itself autograd would keep seven float32 maps.
    """
    return _CurveLoss.apply(logits, truth, cross_entropy, dice)  # type: ignore[no-any-return, no-untyped-call]


class _CurveLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits: Tensor, truth: Tensor, cross_entropy: float, dice: float) -> Tensor:  # type: ignore[no-untyped-def]
        # scored pixels, cross entropy, probability on curves, probability, curve pixels
        sums = torch.zeros(5, dtype=torch.float64, device=logits.device)
        for rows in _blocks(logits):
            z, target, weight = _block(logits, truth, rows)
            entropy = F.binary_cross_entropy_with_logits(z, target, weight, reduction="sum")
            probability = z.sigmoid() * weight
            overlap = (probability * target).sum()
            sums += torch.stack([weight.sum(), entropy, overlap, probability.sum(), target.sum()])
        pixels, entropy, overlap, probability, curve = sums
        pixels = pixels.clamp(min=1.0)
        top, bottom = 2 * overlap + 1, probability + curve + 1
        ctx.save_for_backward(logits, truth, pixels, top, bottom)
        ctx.weights = cross_entropy, dice
        loss: Tensor = cross_entropy * entropy / pixels + dice * (1 - top / bottom)
        return loss.to(_dtype(logits))

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        logits, truth, pixels, top, bottom = ctx.saved_tensors
        cross_entropy, dice = ctx.weights
        # dDice/dp = 2 y / bottom - top / bottom^2, with y = 1 on curves
        of_entropy, on_curve, everywhere = (
            (factor * grad.double()).to(_dtype(logits))
            for factor in (cross_entropy / pixels, -2 * dice / bottom, dice * top / bottom.square())
        )
        out = torch.empty_like(logits)
        for rows in _blocks(logits):
            z, target, weight = _block(logits, truth, rows)
            p = z.sigmoid()
            slope = target.mul(on_curve).add_(everywhere).mul_(p * (1 - p))
            out[:, :, rows] = slope.add_((p - target).mul_(of_entropy)).mul_(weight)
        return out, None, None, None


def _dtype(logits: Tensor) -> torch.dtype:
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def _blocks(logits: Tensor) -> list[slice]:
    block_rows = max(1, BLOCK_PIXELS // logits.shape[3])
    if logits.is_cuda:  # which has memory, and starts each kernel late
        block_rows = logits.shape[2]
    return [slice(start, start + block_rows) for start in range(0, logits.shape[2], block_rows)]


def _block(logits: Tensor, truth: Tensor, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, target and weight of some rows, in float32."""
    dtype = _dtype(logits)
    of_rows = truth[:, :, rows]
    return logits[:, :, rows].to(dtype), (of_rows == 255).to(dtype), (of_rows != IGNORE).to(dtype)

"""What training minimises: cross entropy plus soft Dice, in float32, on logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = 128
"""Mask value of pixels that are not scored."""


def curve_loss(
    logits: Tensor, truth: Tensor, cross_entropy: float = 1.0, dice: float = 1.0
) -> Tensor:
    """Binary cross entropy + (1 - soft Dice of the curves), each times its weight, a float32
    scalar.

    logits: any float dtype, (N, 1, H, W). truth: uint8 of the same shape, 255 curve, 0 not, 128
    left out. Cross entropy alone is content with no curve at all where 2 % of the pixels are
    curve; Dice (Milletari et al. 2016, arXiv 1606.04797) is not. Its +1 defines an empty mask:
    zero loss when nothing is predicted. A log without one scored pixel has a loss of zero.
    """
    logits = logits.to(torch.float64 if logits.dtype == torch.float64 else torch.float32)
    target, weight = (truth == 255).to(logits.dtype), (truth != IGNORE).to(logits.dtype)
    pixels = weight.sum().clamp(min=1.0)
    entropy = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum") / pixels
    probability = logits.sigmoid() * weight
    overlap = (probability * target).sum()
    soft_dice = (2 * overlap + 1) / (probability.sum() + target.sum() + 1)
    return cross_entropy * entropy + dice * (1 - soft_dice)

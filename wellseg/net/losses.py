"""The training loss: cross entropy plus soft Dice, in float32, on logits."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

IGNORE = 128  # mask value of pixels that are not scored
BLOCK_ROWS = 256  # rows of which the loss is computed at a time: they stay in the cache


def curve_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross entropy + (1 - soft Dice of the curves): float32 scalar.

    logits: any float dtype, (N, 1, H, W). truth: uint8 of the same shape, 255 curve, 0 not, 128
    left out. Where 2 % of the pixels are curve, cross entropy alone is low without any curve; Dice
    (Milletari et al. 2016, arXiv 1606.04797) is not. Its +1 covers the empty mask: the Dice loss
    is zero when nothing is predicted. A log without a scored pixel has a loss of zero.
    On a CPU only the logits are kept for the gradient: blocks of rows are computed twice."""
    if logits.is_cuda:
        sums = _sums(logits, truth)
    else:
        parts = zip(*(torch.split(x, BLOCK_ROWS, 2) for x in (logits, truth)), strict=True)
        sums = sum(checkpoint(_sums, *part, use_reentrant=False) for part in parts)
    scored, entropy, overlap, probability, curve = sums
    soft_dice = (2 * overlap + 1) / (probability + curve + 1)
    return entropy / scored.clamp(min=1.0) + (1 - soft_dice)


def _sums(logits: Tensor, truth: Tensor) -> Tensor:
    """Sums over all pixels, (5,): scored, cross entropy, overlap, probability, curve."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    target, weight = (truth == 255).to(logits.dtype), (truth != IGNORE).to(logits.dtype)
    entropy = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum")
    probability = logits.sigmoid() * weight
    overlap = (probability * target).sum()
    return torch.stack([weight.sum(), entropy, overlap, probability.sum(), target.sum()])

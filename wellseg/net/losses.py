"""The training loss: cross entropy plus soft Dice, in float32, on logits."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

IGNORE = 128  # mask value of pixels that are not scored
BLOCK_ROWS = 256  # rows of which the loss is computed at a time: they stay in the cache


def curve_loss(logits: Tensor, truth: Tensor, edge_weight: float = 1.0) -> Tensor:
    """Binary cross entropy + (1 - soft Dice of the curves): float32 scalar.

    logits: any float dtype, (N, 1, H, W). truth: uint8 of the same shape, 255 curve, 0 not, 128
    left out. Where 2 % of the pixels are curve, cross entropy alone is low without any curve; Dice
    (Milletari et al. 2016, arXiv 1606.04797) is not. Its +1 covers the empty mask: the Dice loss
    is zero when nothing is predicted. A log without a scored pixel has a loss of zero.
    edge_weight: of a pixel at the edge of a stroke, which one drawer adds and the next leaves out.
    On a CPU only the logits are kept for the gradient: blocks of rows are computed twice."""
    curve = (truth == 255).float()
    weight = (truth != IGNORE).float()
    if edge_weight != 1:
        weight[find_edges(curve)] *= edge_weight
    if logits.is_cuda:
        sums = _sums(logits, curve, weight)
    else:
        parts = zip(*(torch.split(x, BLOCK_ROWS, 2) for x in (logits, curve, weight)), strict=True)
        sums = sum(checkpoint(_sums, *part, use_reentrant=False) for part in parts)
    scored, entropy, overlap, found, true = sums
    soft_dice = (2 * overlap + 1) / (found + true + 1)
    return entropy / scored.clamp(min=1.0) + (1 - soft_dice)


def find_edges(curve: Tensor) -> Tensor:
    """Pixels that touch the other kind, bool like ``curve``, float (N, 1, H, W), 1 on a stroke and
    0 beside it. Not where strokes, or the gaps between two, are too narrow to have an inside."""
    found = torch.zeros_like(curve, dtype=torch.bool)
    for part in (curve, 1 - curve):
        inside = 1 - F.max_pool2d(1 - part, 3, 1, 1)
        found |= (part > inside) & (F.max_pool2d(inside, 3, 1, 1) > 0)
    return found


def _sums(logits: Tensor, curve: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums over all pixels, (5,): all, cross entropy, overlap, probability, curve."""
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    logits, curve, weight = logits.to(dtype), curve.to(dtype), weight.to(dtype)
    entropy = F.binary_cross_entropy_with_logits(logits, curve, weight, reduction="sum")
    probability = logits.sigmoid() * weight
    overlap, true = (probability * curve).sum(), (curve * weight).sum()
    return torch.stack([weight.sum(), entropy, overlap, probability.sum(), true])

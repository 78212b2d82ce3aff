"""What can be answered by a line of arithmetic, of what the sources ask."""

from __future__ import annotations

import torch
from torch import nn

from wellseg.net.resunet import ResUNet
from wellseg.norms import Norm

VECTORS = (
    (1477.7378, 2719.6460, 1040.3798, 1215.5387, 3542.7241, 266.8930, 5944.8560, -2105.2986,
     4023.8545, -932.9826, 1617.7998, 4028.0327, -2225.9929, -1581.6738, -3424.4250, -1329.6610,
     5483.1172, 5975.4663, 4483.0156, -373.3383, 482.2250, -557.7921, 1385.3356, 196.1219,
     -375.9175, 1787.6195, -3516.9705, -687.9647, 2663.0601, -576.0363, 86.2473, 5765.6387),
    (1744.0067, 3214.6289, 1228.2401, 1436.6631, 4191.4390, 318.6791, 7028.2715, -2485.2910,
     4753.7217, -1105.6101, 1920.9307, 4758.9941, -2634.7754, -1861.2491, -4049.8877, -1578.7089,
     6478.5850, 7065.4326, 5293.2305, -442.4786, 566.5157, -658.5790, 1643.0204, 237.8128,
     -450.6484, 2104.6516, -4151.9263, -815.9917, 3144.3291, -675.0918, 94.2207, 6817.9795),
)  # fmt: skip
"""Two inputs of forum-2's linear layer, which LayerNorm makes alike."""


def scale_seen() -> dict[str, float]:
    """How many times as long the second vector is as the first: before and after norms without
    learned parameters; and the largest difference that LayerNorm leaves. Evaluation: running mean
    0, variance the mean square of both."""
    x = torch.tensor(VECTORS, dtype=torch.float64)
    layer = nn.LayerNorm(32, elementwise_affine=False)(x)
    batch = nn.BatchNorm1d(32, affine=False).double().eval()
    batch.running_var.copy_(x.square().mean(0))  # type: ignore[operator, union-attr]
    known = batch(x)
    return {
        "before": _longer(x),
        "layer": _longer(layer),
        "layer difference": float((layer[0] - layer[1]).abs().max()),
        "evaluation": _longer(known),
    }


def _longer(x: torch.Tensor) -> float:
    return float(x[1].norm() / x[0].norm())


def averaged_over(momentum: float) -> float:
    """Images that an exponential moving average is worth: (2 - m) / m."""
    return (2 - momentum) / momentum


def left_of_start(momentum: float, steps: int) -> float:
    return float((1 - momentum) ** steps)


def one_group_layers(widths: tuple[int, ...]) -> tuple[int, int]:
    """Of a network with half_or_16: norms that are one group, which is LayerNorm, and all norms."""
    norms = [m for m in ResUNet(2, widths, norm="group").modules() if isinstance(m, Norm)]
    return sum(norm.groups == 1 for norm in norms), len(norms)

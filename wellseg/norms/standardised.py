"""Weight standardisation: a norm of the convolution's weights, beside that of its maps."""

from __future__ import annotations

import copy

import torch.nn.functional as F
from torch import Tensor, nn

from wellseg.net.convolution import Conv2d


class StandardisedConv2d(Conv2d):
    """A convolution whose weights have mean 0 and variance 1 for each output channel (arXiv 1903.10520).

    For convolutions that a norm follows: the scale that the weights lose is the norm's business.
    """

    def used_weight(self) -> Tensor:
        rows = self.weight.flatten(1)
        return F.layer_norm(rows, rows.shape[1:], eps=1e-6).view(self.weight.shape)


def plain(net: nn.Module) -> nn.Module:
    """The same function without StandardisedConv2d, for evaluation: a copy, or the network itself if it has none."""
    if not any(isinstance(module, StandardisedConv2d) for module in net.modules()):
        return net
    net = copy.deepcopy(net)
    for module in net.modules():
        if isinstance(module, StandardisedConv2d):
            module.weight.data = module.used_weight().detach()
            module.__class__ = Conv2d  # type: ignore[assignment]
    return net

"""GroupNorm and its extremes, InstanceNorm and LayerNorm: each image is normalised by itself."""

import torch.nn.functional as F
from torch import Tensor

from wellseg.norms import Norm, register
from wellseg.norms.moments import channel_statistics


def half_or_16(channels: int, floor: int = 16) -> int:
    """Number of groups for that many channels: the largest that divides them and leaves ``floor``
    or more in each ("give each group sixteen channels", the GroupNorm article); else 1."""
    return next(n for n in range(max(1, channels // floor), 0, -1) if channels % n == 0)


class GroupNorm(Norm):
    """Group normalisation (Wu and He 2018, arXiv 1803.08494) with accurate statistics."""

    reads_image = True

    def forward(self, x: Tensor) -> Tensor:
        rules = type(self).scale_shift, type(self).of_groups
        if rules != (Norm.scale_shift, Norm.of_groups):  # a norm derived from this one
            return super().forward(x)
        if x.is_cuda:  # PyTorch's CUDA kernel is accurate; under autocast it gives float32
            return F.group_norm(x, self.groups, self.weight, self.bias, self.eps).to(x.dtype)
        return super().forward(x) if len(x) > 1 else self.normalise(x, *channel_statistics(x))


register("group")(lambda channels, momentum: GroupNorm(channels, half_or_16(channels)))
register("instance")(lambda channels, momentum: GroupNorm(channels, channels))
register("layer")(lambda channels, momentum: GroupNorm(channels, 1))  # LayerNorm over C, H, W

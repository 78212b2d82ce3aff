"""GroupNorm and its extremes, InstanceNorm and LayerNorm: each image is normalised by itself."""

from wellseg.norms import Norm, register


def half_or_16(channels: int, floor: int = 16) -> int:
    """Number of groups for that many channels: the largest that divides them and leaves ``floor``
    or more in each ("give each group sixteen channels", the GroupNorm article); else 1."""
    return next(n for n in range(max(1, channels // floor), 0, -1) if channels % n == 0)


class GroupNorm(Norm):
    """Group normalisation (Wu and He 2018, arXiv 1803.08494) with accurate statistics."""


register("group")(lambda channels, momentum: GroupNorm(channels, half_or_16(channels)))
register("instance")(lambda channels, momentum: GroupNorm(channels, channels))
register("layer")(lambda channels, momentum: GroupNorm(channels, 1))  # LayerNorm over C, H, W

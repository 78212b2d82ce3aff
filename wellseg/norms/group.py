"""GroupNorm and its extremes, InstanceNorm and LayerNorm: each image is normalised by itself."""

from wellseg.norms import Norm, register


def half_or_16(channels: int, floor: int = 16) -> int:
    """Number of groups for that many channels: the largest that divides them and leaves ``floor``
    or more in each ("give each group sixteen channels", the GroupNorm article); else 1."""
    return next(n for n in range(max(1, channels // floor), 0, -1) if channels % n == 0)


register("group")(lambda channels, momentum: Norm(channels, half_or_16(channels)))
register("instance")(lambda channels, momentum: Norm(channels, channels))
register("layer")(lambda channels, momentum: Norm(channels, 1))  # LayerNorm over C, H, W

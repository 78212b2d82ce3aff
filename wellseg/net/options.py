"""Options of the network, as weights keep them; checks for all options. No torch: quick --help."""

import re
from dataclasses import dataclass


def at_least(least: int, group: str = "", **options: float | None) -> None:
    """Raises ValueError for the first that is smaller, or NaN; None, the default, is accepted."""
    for name, value in options.items():
        if value is not None and not value >= least:
            raise ValueError(f"--{group}{name} is at least {least}, not {value}")


def parse_bytes(size: str | int) -> int:
    """ "2GB", "500 MB", "1.5GiB" or an int of bytes -> bytes. Raises ValueError, also for "2"."""
    if isinstance(size, int):
        return size
    if match := re.fullmatch(r"\s*(\d+\.?\d*)\s*([KMGT])(i?)B?\s*", size, re.IGNORECASE):
        number, prefix, base = float(match[1]), match[2].upper(), 1024 if match[3] else 1000
        if (size_bytes := int(number * base ** " KMGT".index(prefix))) >= 500e6:  # PyTorch's own
            return size_bytes
    raise ValueError(f"--memory {size!r} is not a size of 500MB or more: write for example 2GB")


@dataclass
class ModelConfig:
    """The network."""

    norm: str = "instance"
    """Normalisation, a word registered in wellseg.norms: instance (docs/batch-size-one.md says
    why), group (half_or_16), layer, or batch (the legacy v1 layer, with running statistics)."""
    momentum: float = 0.01
    """Of running statistics: new = (1 - m) old + m observed, as in PyTorch (Keras says 1 - m)."""
    patch: int = 2
    """2: 2 x 2 pixels become 4 channels, three times as fast. 1: the article's layout."""
    widths: tuple[int, ...] = (32, 64, 128, 128, 128)
    """Channels of each stage; each but the first halves the resolution."""
    separable: bool = True
    """Depthwise-separable 3x3 convolutions: a sixth of the multiply-adds."""
    colour: bool = False
    """A second set of weights for scans in colour, which sees colours as well as gray."""

    def __post_init__(self) -> None:
        if self.patch not in (1, 2):
            raise ValueError(f"--model.patch is 1 or 2, not {self.patch}")
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"--model.widths: a positive number per stage, not {self.widths}")
        if not 0 < self.momentum <= 1:
            raise ValueError(f"--model.momentum lies in (0, 1], not {self.momentum}")

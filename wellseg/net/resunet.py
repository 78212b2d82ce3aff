"""Residual UNet for images of any size. Torch only: no Lightning, no files."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from wellseg.net.options import ModelConfig
from wellseg.norms import make_norm

Maps = Callable[[Tensor], Tensor]
Norms = Callable[[int], nn.Module]


def to_ink(gray: Tensor) -> Tensor:
    """uint8 (N, 1 or 3, H, W) of ``scan.pictures.to_channels`` -> the input of networks, 0 on
    paper: ink in [0, 1], 1 for black, and for colours two differences in [-1, 1].
    float32, or autocast's dtype, to which the first convolution would round it anyway."""
    ink = 1 - gray.float() / 255
    ink[:, 1:] = gray[:, 1:].float() / 128 - 1
    device = gray.device.type
    return ink.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else ink


class ResUNet(nn.Module):
    """Input of ``to_ink`` (N, 1 or ``channels``, H, W) -> logits (N, 1, H, W); any H and W.
    An encoder and a decoder of residual blocks (He et al. 2016, Ronneberger et al. 2015) with skips
    that are *added*: conv(cat(a, b)) = conv_a(a) + conv_b(b): a sum is half the work and no copy.
    The options are those of ``ModelConfig``; separable: arXiv 1704.04861. colour: a second network,
    ``of_colour``, for 3 channels: to tell printed colours apart is another task than to tell worn
    black from black, and one network does both less well. channels: of the input."""

    recompute = False  # True: gradients compute stages again: less memory, more time

    def __init__(
        self, patch: int = ModelConfig.patch, widths: Sequence[int] = ModelConfig.widths,
        norm: str = ModelConfig.norm, *, channels: int = 1, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        config = ModelConfig(patch=patch, widths=tuple(widths), norm=norm, **options)
        self.patch, self.channels = patch, 3 if config.colour else channels
        self.multiple = patch * 2 ** (len(widths) - 1)
        norms = partial(make_norm, norm, momentum=config.momentum)
        block = partial(ResidualBlock, norm=norms, separable=config.separable)
        first = block(channels * patch * patch, widths[0], first=True)
        self.encoder = nn.ModuleList([first, *map(block, widths[:-1], widths[1:])])
        below, here = widths[:0:-1], widths[-2::-1]  # deepest stage first
        lateral = partial(nn.Conv2d, kernel_size=1, bias=False)
        self.lateral = nn.ModuleList(map(lateral, below, here))
        self.decoder = nn.ModuleList(map(block, here, here))
        self.head = nn.Conv2d(widths[0], patch * patch, 1)
        nn.init.constant_(self.head.bias, -3.0)  # type: ignore[arg-type]  # 5 % curve to begin with
        if config.colour:  # last: the other weights then get the same random numbers as without it
            self.of_colour = ResUNet(patch, widths, norm, channels=3, **options | {"colour": False})

    def forward(self, ink: Tensor) -> Tensor:
        if "of_colour" in self._modules and ink.shape[1] > 1:
            self.of_colour.recompute = self.recompute
            return self.of_colour(ink)
        height, width = ink.shape[2:]
        # Blank paper fills the last rows and columns up to a whole number of the coarsest cells. It
        # enters the statistics of GroupNorm, so training and every prediction must pad alike: here.
        ink = F.pad(ink, (0, -width % self.multiple, 0, -height % self.multiple))
        x = F.pixel_unshuffle(ink, self.patch)
        skips: list[Tensor] = []
        for block in self.encoder:
            x = self._stage(down if skips else nn.Module.__call__, block, x)  # the first: full size
            skips.append(x)
        for lateral, block, skip in zip(self.lateral, self.decoder, skips[-2::-1], strict=True):
            x = self._stage(up, block, x, lateral, skip)
        return F.pixel_shuffle(self.head(x), self.patch)[:, :, :height, :width]

    def _stage(self, stage: Callable[..., Tensor], block: nn.Module, *inputs: object) -> Tensor:
        # Backward begins with the last stage: to recompute it would save no memory.
        if block in self.decoder[-1:] or not self.recompute or not torch.is_grad_enabled():
            return stage(block, *inputs)
        return checkpoint(stage, block, *inputs, use_reentrant=False)


def down(block: Maps, x: Tensor) -> Tensor:
    """A stage of the encoder, from the one before."""
    return block(F.max_pool2d(x, 2))  # the maximum: an average would make thin ink fainter


def up(block: Maps, x: Tensor, lateral: Maps, skip: Tensor) -> Tensor:
    """A stage of the decoder, from the one below and the encoder's."""
    # A 1x1 convolution commutes with nearest upsampling and is four times cheaper before.
    x = F.interpolate(lateral(x), scale_factor=2.0, mode="nearest")
    x += skip
    return block(x)


class ResidualBlock(nn.Module):
    """Two normalised convolutions around a shortcut, which is 1x1 where widths differ. first: its
    input is a scan, whose channels are neighbouring pixels: conv1 is not separable."""

    def __init__(self, c_in: int, c_out: int, norm: Norms, separable: bool, first: bool = False):
        super().__init__()
        self.conv1 = conv3x3(c_in, c_out, separable and not first)
        self.norm1 = norm(c_out)
        self.conv2 = conv3x3(c_out, c_out, separable)
        self.norm2 = norm(c_out)
        self.shortcut = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        y += self.shortcut(x)
        return F.relu(y, inplace=True)


def conv3x3(c_in: int, c_out: int, separable: bool) -> nn.Module:
    """A 3x3 convolution before a norm, of maps that stay of one size."""
    if separable:
        across = nn.Conv2d(c_in, c_out, 1, bias=False)
        return nn.Sequential(nn.Conv2d(c_in, c_in, 3, padding=1, groups=c_in, bias=False), across)
    return nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)

"""Residual UNet for one-channel images of any size. Torch only: no Lightning, no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from wellseg.net.convolution import Conv2d, SeparableConv2d
from wellseg.net.fused import halve, made_again, norm_add_relu, norm_relu_conv
from wellseg.norms import Momentum, StandardisedConv2d, copy_statistics, make_norm, with_statistics


def to_ink(gray: Tensor) -> Tensor:
    """uint8 gray, 0 black ink to 255 white paper -> float32 ink in [0, 1]: the input of every network.

    Paper is 0, so the zero padding of convolutions is blank paper. Under autocast the ink has its dtype at
    once: so the first convolution would round it anyway, and less is kept for the gradient.
    """
    ink = 1 - gray.float() / 255
    device = gray.device.type
    return ink.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else ink


class ResUNet(nn.Module):
    """Ink (N, 1, H, W) in [0, 1], 0 paper and 1 ink -> logits (N, 1, H, W); any H and W.

    An encoder and a decoder of residual blocks (He et al. 2016, Ronneberger et al. 2015) with skips
    that are *added*: conv(cat(a, b)) = conv_a(a) + conv_b(b), so a sum costs half the convolution of
    a concatenation and needs no copy.

    patch: 1 works at full resolution. 2 folds each 2 x 2 pixels into 4 channels first (lossless) and
        unfolds 4 logits at the end, so no layer is wider than half resolution: a third of the work.
    widths: channels of each stage, each at half the resolution of the one before.
    norm, momentum: see ``wellseg.norms.make_norm``.
    weight_standardisation: of the convolutions that a norm follows.
    decoder_convs: convolutions in a decoder block, 1 or 2.
    dilation: of the convolutions of the deepest stage, which then see so many times as far.
    separable: 3x3 convolutions of each channel by itself, then 1x1 across channels (arXiv 1704.04861).
    branch: channels of a thin branch at full resolution, for strokes of one pixel: a convolution of the
        ink itself, added to what the stages found before the last convolution. 0: none.

    With ``recompute`` set, training keeps only what passes from stage to stage and computes a stage's
    inside once more when its gradient is due: the same gradients, in less memory and more time.
    """

    recompute = False

    def __init__(
        self,
        patch: int = 2,
        widths: Sequence[int] = (32, 64, 128, 128, 128),
        norm: str = "group",
        momentum: Momentum = 0.01,
        weight_standardisation: bool = False,
        decoder_convs: int = 2,
        dilation: int = 1,
        separable: bool = True,
        branch: int = 0,
    ) -> None:
        super().__init__()
        self.patch, self.branch = patch, branch
        self.multiple = patch * 2 ** (len(widths) - 1)

        def block(c_in: int, c_out: int, convs: int = 2, dilation: int = 1) -> ResidualBlock:
            def conv(c_in: int) -> nn.Module:
                return conv3x3(c_in, c_out, dilation, separable, weight_standardisation)

            return ResidualBlock(
                c_in, c_out, conv, lambda: make_norm(norm, c_out, momentum=momentum), convs
            )

        dilations = [1] * (len(widths) - 1) + [dilation]
        self.encoder = nn.ModuleList(
            block(c_in, c_out, dilation=dilation)
            for c_in, c_out, dilation in zip(
                (patch * patch, *widths[:-1]), widths, dilations, strict=True
            )
        )
        narrowing = list(
            zip(widths[:0:-1], widths[-2::-1], strict=True)
        )  # (below, here), deepest first
        self.lateral = nn.ModuleList(
            nn.Conv2d(below, here, 1, bias=False) for below, here in narrowing
        )
        self.decoder = nn.ModuleList(block(here, here, decoder_convs) for _, here in narrowing)
        self.head = last = nn.Conv2d(widths[0], patch * patch * max(1, branch), 1)
        if branch:
            self.branch_conv = Conv2d(1, branch, 3, padding=1, bias=False)
            self.branch_norm = make_norm(norm, branch, momentum=momentum)
            self.branch_head = last = Conv2d(branch, 1, 3, padding=1)
        nn.init.constant_(last.bias, -3.0)  # type: ignore[arg-type]  # few pixels are curve: 5 %

    def forward(self, ink: Tensor) -> Tensor:
        height, width = ink.shape[2:]
        # Blank paper fills the last rows and columns up to a whole number of the coarsest cells. It
        # enters the statistics of GroupNorm, so training and every prediction must pad alike: here.
        ink = F.pad(ink, (0, -width % self.multiple, 0, -height % self.multiple))
        x = F.pixel_unshuffle(ink, self.patch)
        skips: list[Tensor] = []
        for number in range(len(self.encoder)):
            x = self._stage(self._down, number, x)
            skips.append(x)
        skips.pop()
        for number in range(len(self.decoder)):
            x = self._stage(self._up, number, x, skips.pop())
        x = F.pixel_shuffle(self.head(x), self.patch)
        if self.branch:
            fine = self.branch_norm(self.branch_conv(ink))
            x = self.branch_head(F.relu(x + fine, inplace=True))
        return x[:, :, :height, :width]

    def _down(self, number: int, x: Tensor) -> Tensor:
        if not number:
            return self.encoder[number](x, conv1_again=not self._is_recomputed(self._down, number))  # type: ignore[no-any-return]
        half = halve(x)  # by the maximum: an average would thin out thin ink
        with made_again(half, lambda: halve(x), unless=self._is_recomputed(self._down, number)):
            return self.encoder[number](half)  # type: ignore[no-any-return]

    def _up(self, number: int, x: Tensor, skip: Tensor) -> Tensor:
        # A 1x1 convolution commutes with nearest upsampling and is four times cheaper before it.
        low = self.lateral[number](x)

        def merge() -> Tensor:
            merged = F.interpolate(low, scale_factor=2.0, mode="nearest")
            merged += skip
            return merged

        merged = merge()
        with made_again(merged, merge, unless=self._is_recomputed(self._up, number)):
            return self.decoder[number](merged)  # type: ignore[no-any-return]

    def _stage(self, stage: Callable[..., Tensor], number: int, *maps: Tensor) -> Tensor:
        if not (self._is_recomputed(stage, number) and torch.is_grad_enabled()):
            return stage(number, *maps)
        # Nothing here draws random numbers, so there is no random state to keep.
        return checkpoint(  # type: ignore[no-any-return]
            stage,
            number,
            *maps,
            use_reentrant=False,
            preserve_rng_state=False,
            context_fn=self._contexts,
        )

    def _is_recomputed(self, stage: Callable[..., Tensor], number: int) -> bool:
        # The gradient of the very last stage is due at once: to keep its inside takes no memory more.
        last = stage == self._up and number == len(self.decoder) - 1 and not self.branch
        return self.recompute and not last

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Around a stage's first computation and around its second."""
        return nullcontext(), with_statistics(copy_statistics(self))


class ResidualBlock(nn.Module):
    """One or two convolutions, each normalised, around a shortcut (a 1x1 convolution where widths differ)."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        conv: Callable[[int], nn.Module],
        norm: Callable[[], nn.Module],
        convs: int,
    ) -> None:
        super().__init__()
        self.convs = convs
        self.conv1 = conv(c_in)
        self.norm1 = norm()
        if convs == 2:
            self.conv2 = conv(c_out)
            self.norm2 = norm()
        self.shortcut = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1, bias=False)

    def forward(self, x: Tensor, conv1_again: bool = False) -> Tensor:
        """conv1_again: do not keep for the gradient what conv1 made, for it is quickly done: of the ink."""
        y, norm = self.conv1(x), self.norm1
        with made_again(y, lambda: self.conv1(x), unless=not conv1_again):
            if self.convs == 2:
                y, norm = norm_relu_conv(norm, self.conv2, y), self.norm2
            return norm_add_relu(norm, y, self.shortcut, x)


def conv3x3(c_in: int, c_out: int, dilation: int, separable: bool, standardised: bool) -> nn.Module:
    """A 3x3 convolution before a norm, of maps that stay of one size."""
    conv = StandardisedConv2d if standardised else Conv2d
    if separable and c_in > 4:  # not of the ink, whose 4 channels are neighbouring pixels
        return SeparableConv2d(conv(c_in, c_out, 1, bias=False), dilation)
    return conv(c_in, c_out, 3, padding=dilation, dilation=dilation, bias=False)

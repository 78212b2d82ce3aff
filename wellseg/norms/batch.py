"""BatchNorm, the legacy layer."""

from __future__ import annotations

from torch import Tensor, nn


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm (Ioffe and Szegedy 2015), the legacy v1 layer at PyTorch momentum 0.01.

    In training, with one image, it *is* InstanceNorm; in evaluation it is a fixed scale and shift by
    the running statistics. That these are two different functions is what this project studies.
    """

    @property
    def reads_image(self) -> bool:
        return self.training

    def scale_shift(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Training mode on one image: its per-channel mean and variance (C,) -> scale and shift."""
        scale = self.weight.double() / (var.double() + self.eps).sqrt()
        return scale, self.bias.double() - mean.double() * scale

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) * x.shape[2] * x.shape[3] == 1:
            raise ValueError(
                f"BatchNorm in training needs more than one value per channel and got a map of shape {tuple(x.shape)}; "
                "use a larger image, fewer stages (--model.widths) or --model.norm group"
            )
        return super().forward(x)

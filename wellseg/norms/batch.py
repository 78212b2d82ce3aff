"""BatchNorm, the legacy v1 layer."""

import torch
from torch import Tensor, nn

from wellseg.norms import Norm, Normalise, channel_statistics, register


@register("batch")
class BatchNorm(Norm):
    """BatchNorm (Ioffe and Szegedy 2015), the legacy v1 layer at PyTorch momentum 0.01.
    In training, with one image, it *is* InstanceNorm; in evaluation it is a fixed scale and shift
    by the running statistics. Parameters and buffers are PyTorch's; the statistics are accurate. Of
    several processes each normalises its own images; running statistics take the mean of all."""

    def __init__(self, channels: int, momentum: float = 0.01) -> None:
        super().__init__(channels, channels)
        self.momentum = momentum
        self.running_mean = nn.Buffer(torch.zeros(channels))
        self.running_var = nn.Buffer(torch.ones(channels))
        self.num_batches_tracked = nn.Buffer(torch.tensor(0))

    @property
    def reads_image(self) -> bool:  # type: ignore[override]
        return self.training

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            known = self.running_mean, self.running_var, self.weight, self.bias
            return nn.functional.batch_norm(x, *known, eps=self.eps)
        mean, var = channel_statistics(x)  # over the pixels of all images
        self.observe(mean, var, x.numel() // self.channels)
        return Normalise.apply(x, self.weight, self.bias, mean, var, self)  # type: ignore

    @torch.no_grad()
    def observe(self, mean: Tensor, var: Tensor, pixels: int) -> None:
        """Take a batch into the running statistics, its variance made unbiased as in PyTorch."""
        if pixels == 1:
            raise ValueError("more than one value per channel is needed: use --model.norm group")
        if not self.observes:
            return
        observed = torch.stack([mean, var * pixels / (pixels - 1)]).to(self.running_mean.dtype)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(observed)
            observed /= torch.distributed.get_world_size()
        self.num_batches_tracked.add_(1)
        for running, new in zip((self.running_mean, self.running_var), observed, strict=True):
            running.lerp_(new, self.momentum)

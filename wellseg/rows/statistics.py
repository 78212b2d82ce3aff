"""Statistics of a map that is computed strip by strip, and norms that apply them."""

import math
from bisect import bisect
from functools import reduce

import torch
from torch import Tensor

from wellseg.norms import Moments, Norm, block_moments, merge_moments

PartMoments = list[tuple[int, Moments]]  # by part of the depth
BLOCK_VALUES = 1 << 18  # of a bf16 map scaled in float32 at a time: 1 MB, which stays in the cache


def window_parts(rows: int, window_rows: int) -> int:
    """Number of parts into which the depth of an image is cut, so that two of them are a window. 1,
    the whole image, if window_rows is 0 or above two thirds of the rows."""
    parts = 2 * rows // window_rows if window_rows else 1
    return parts if parts > 2 else 1


class DepthStatistics:
    """Means and variances of the channels of a map (1, C, rows, W), fed from top to bottom.
    The depth is cut into equal parts, as many for every map of a network. Two neighbouring parts
    are a window, so windows overlap by half. Between the middles of two windows a row has the
    statistics of both, mixed, as if one window slid down: nothing jumps between two rows."""

    def __init__(self, rows: int, parts: int) -> None:
        self.parts, self.bounds = parts, [rows * i // parts for i in range(parts + 1)]
        self.moments: list[Moments] = []  # of each part so far

    def of_strip(self, row: int, strip: Tensor) -> PartMoments:
        """Moments of the rows from that one on, (1, C, h, W), in each part that they touch."""
        first_part, found = bisect(self.bounds, row) - 1, []
        cuts = [bound - row for bound in self.bounds if row < bound < row + strip.shape[2]]
        for part, rows in enumerate(strip.tensor_split(cuts, 2), first_part):
            pixels, mean, square = block_moments(rows)
            found.append((part, (pixels, mean.cpu(), square.cpu())))  # many small sums follow
        return found

    def add(self, found: PartMoments) -> None:
        """Add the moments of the next rows. Every row must be added once."""
        for part, moments in found:
            if part < len(self.moments):
                moments = merge_moments(self.moments.pop(), moments)
            self.moments.append(moments)

    def rows_for(self, stop: int) -> int:
        """How many rows must have been added to know the statistics of rows up to ``stop``."""
        return self.bounds[min(bisect(self.bounds, stop - 1) + 1, self.parts)]

    def of_rows(self, start: int, stop: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Mean and biased variance for rows [start, stop), float64 (rows, C) on that device."""
        # Windows have their middles at 0, 1, ... of these positions; nearer ones count more.
        middles = torch.arange(start + 0.5, stop, dtype=torch.float64) * self.parts
        position = (middles / self.bounds[-1] - 1).clamp(0, max(0, self.parts - 2))
        numbers = range(math.floor(position[0]), math.ceil(position[-1]) + 1)
        windows = [reduce(merge_moments, self.moments[number : number + 2]) for number in numbers]
        means = torch.stack([mean for _, mean, _ in windows]).to(device)
        variances = torch.stack([square / count for count, _, square in windows]).to(device)
        weights = (1 - (position[:, None] - torch.tensor(numbers)).abs()).clamp(min=0).to(means)
        # The variance of a mixture has a term between its parts, as in merge_moments.
        between = weights[:, 1:] * weights[:, :-1] @ means.diff(dim=0).square()
        return weights @ means, weights @ variances + between


def scale_and_shift(x: Tensor, norm: Norm, statistics: DepthStatistics, start: int) -> Tensor:
    """Apply a norm that reads the image to rows from ``start`` on: x is (1, C, h, W)."""
    height, wide = x.shape[2], torch.promote_types(x.dtype, torch.float32)
    of_rows = statistics.of_rows(start, start + height, x.device)
    given = torch.broadcast_tensors(*norm.scale_shift(*of_rows))
    scale, shift = torch.stack(given).to(wide)[:, :, None]  # (h, 1, C)
    rows = x[0].permute(1, 2, 0)  # (h, W, C)
    output = torch.empty_like(rows)
    block = max(1, BLOCK_VALUES // rows[0].numel()) if x.dtype != wide and x.is_cpu else height
    blocks = (each.split(block) for each in (output, rows, scale, shift))
    for out, of, its_scale, its_shift in zip(*blocks, strict=True):
        torch.addcmul(its_shift, of, its_scale, out=out)  # in ``wide``, then rounded
    return output[None].permute(0, 3, 1, 2)

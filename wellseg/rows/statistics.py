"""Statistics of a map that comes strip by strip, and the scale and shift of a norm by them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from wellseg.norms import Moments, block_moments, merge_moments

PARTS_READY = 8
"""Scales and shifts of so many parts of the depth are kept: readers are few parts apart."""
BLOCK_VALUES = 1 << 18
"""A bf16 map is scaled in float32 so many values at a time: 1 MB, which stays in the cache."""


def window_parts(rows: int, window_rows: int) -> int:
    """Into how many parts the depth of an image is cut, so that two of them make a window.

    1, the whole image, without windows (0) or where no two windows of that many rows fit.
    """
    parts = 2 * rows // window_rows if window_rows else 1
    return parts if parts > 2 else 1


class DepthStatistics:
    """Means and variances of the channels of a map (1, C, rows, W), fed from top to bottom.

    The depth is cut into equal parts, the same number for every map of a network whatever its
    resolution. Two neighbouring parts are a window, so windows overlap by half. Between the
    middles of two windows a row has the statistics of both, mixed: as if one window slid down,
    taking rows in below and letting go of them above little by little. Nothing jumps from one row
    to the next.
    """

    def __init__(self, rows: int, parts: int) -> None:
        self.parts, self.bounds = parts, [rows * i // parts for i in range(parts + 1)]
        self.moments: list[Moments] = []  # of each part so far

    def add(self, first_row: int, strip: Tensor) -> None:
        """The next rows, (1, C, h, W), each row once."""
        past = first_row + strip.shape[2]
        for part, (start, stop) in enumerate(pairwise(self.bounds)):
            if past <= start or stop <= first_row:
                continue
            rows = strip[:, :, max(0, start - first_row) : stop - first_row]
            moments = block_moments(rows)
            if part < len(self.moments):
                moments = merge_moments(self.moments.pop(), moments)
            self.moments.append(moments)

    def part_of(self, row: int) -> int:
        return ((row + 1) * self.parts - 1) // self.bounds[-1]

    def rows_for(self, stop: int) -> int:
        """How many rows must have been added to know the statistics of rows up to ``stop``."""
        return self.bounds[min(self.part_of(stop - 1) + 2, self.parts)]

    def of_part(self, part: int) -> tuple[Tensor, Tensor]:
        """Mean and biased variance of its rows, float64 (rows, C); (1, C) of the whole map."""
        if self.parts == 1:
            count, mean, square = self.moments[0]
            return mean[None], square[None] / count
        # Windows have their middles at 0, 1, ... of these positions; a row has of the two around it
        # the more, the nearer it is.
        rows = torch.arange(*self.bounds[part : part + 2], dtype=torch.float64) + 0.5
        position = (rows * self.parts / self.bounds[-1] - 1).clamp(0, self.parts - 2)
        numbers = range(math.floor(position[0]), math.ceil(position[-1]) + 1)
        weights = 1 - (position[:, None] - torch.tensor(numbers)).abs()
        windows = [merge_moments(*self.moments[i : i + 2]) for i in numbers]
        means = torch.stack([mean for _, mean, _ in windows])
        variances = torch.stack([square / count for count, _, square in windows])
        weights, away = weights.clamp(min=0).to(means.device), means - means[0]
        # The variance of a mixture has a term between its parts, as in merge_moments.
        mean = weights @ away
        var = weights @ (variances + away.square()) - mean.square()
        return means[0] + mean, var


class ScaleShift:
    """A norm that reads the image, once the statistics of its input are known.

    norm: its ``scale_shift(mean, var)`` is from statistics (..., C) to scale and shift (..., C).
    dtype: float32 for bf16 and float32 maps, float64 for float64 ones.
    """

    def __init__(self, norm: nn.Module, statistics: DepthStatistics, dtype: torch.dtype) -> None:
        self.norm, self.statistics, self.dtype = norm, statistics, dtype
        self._ready: dict[int, Tensor] = {}  # of each part, scale and shift (2, rows, 1, C)

    def apply(self, x: Tensor, first_row: int, over: bool) -> Tensor:
        """x * scale + shift for a map (1, C, h, W) in channels_last order that begins at that row.

        over: write the result over x.
        """
        height = x.shape[2]
        scale, shift = (each.expand(height, -1, -1) for each in self._of_rows(first_row, height))
        rows = x[0].permute(1, 2, 0)  # (h, W, C), contiguous
        given = rows if over else torch.empty_like(rows)
        if x.dtype == self.dtype:
            torch.addcmul(shift, rows, scale, out=given)
        else:
            block = height if x.is_cuda else max(1, BLOCK_VALUES // rows[0].numel())
            for part in (slice(start, start + block) for start in range(0, height, block)):
                wide = rows[part].to(self.dtype)
                given[part] = torch.addcmul(shift[part], wide, scale[part], out=wide)
        return given[None].permute(0, 3, 1, 2)

    def _of_rows(self, first_row: int, height: int) -> Tensor:
        """Scale and shift (2, height, 1, C), or (2, 1, 1, C) of the whole map."""
        if self.statistics.parts == 1:
            return self._of_part(0)
        pieces = []
        row, stop = first_row, first_row + height
        while row < stop:
            part = self.statistics.part_of(row)
            start, end = self.statistics.bounds[part : part + 2]
            pieces.append(self._of_part(part)[:, row - start : stop - start])
            row = end
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)

    def _of_part(self, part: int) -> Tensor:
        if part not in self._ready:
            if len(self._ready) == PARTS_READY:
                del self._ready[min(self._ready)]
            function: Any = self.norm.scale_shift
            scale_shift = torch.stack(function(*self.statistics.of_part(part)))
            self._ready[part] = scale_shift.to(self.dtype)[:, :, None]
        return self._ready[part]

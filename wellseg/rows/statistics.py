"""Statistics of a map that comes strip by strip: of all its rows, or of windows along its depth."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from wellseg.norms import Moments, block_moments, merge_moments


def window_parts(rows: int, window_rows: int) -> int:
    """Into how many parts the depth of an image is cut, so that two of them make a window.

    1, the whole image, without windows (0) or where no two windows of that many rows fit.
    """
    parts = 2 * rows // window_rows if window_rows else 1
    return parts if parts > 2 else 1


class DepthStatistics:
    """Means and variances of the channels of a map (1, C, rows, W), fed from top to bottom.

    The depth is cut into equal parts, the same number for every map of a network whatever its
    resolution. Two neighbouring parts are a window, so windows overlap by half. Between the middles of
    two windows a row has the statistics of both, mixed: as if one window slid down, taking rows in
    below and letting go of them above little by little. Nothing jumps from one row to the next.
    """

    def __init__(self, rows: int, parts: int) -> None:
        self.parts, self.bounds = parts, [rows * i // parts for i in range(parts + 1)]
        self.moments: list[Moments] = []  # of each part so far

    def add(self, first_row: int, strip: Tensor) -> None:
        """The next rows, (1, C, h, W), each row once."""
        for part, (start, stop) in enumerate(pairwise(self.bounds)):
            rows = strip[:, :, max(0, start - first_row) : max(0, stop - first_row)]
            if not rows.shape[2]:
                continue
            moments = block_moments(rows)
            if part < len(self.moments):
                self.moments[part] = merge_moments(self.moments[part], moments)
            else:
                self.moments.append(moments)

    def rows_for(self, stop: int) -> int:
        """How many rows must have been added to know the statistics of rows up to ``stop``."""
        if self.parts == 1:
            return self.bounds[-1]
        _, second, _ = self._windows(stop - 1, stop)
        return self.bounds[int(second) + 2]

    def at(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Mean and biased variance, float64: (C,) of the whole map, or (C, stop - start) of its rows."""
        if self.parts == 1:
            count, mean, square = self.moments[0]
            return mean, square / count
        first, second, share = self._windows(start, stop)
        top, bottom = int(first[0]), int(second[-1])
        windows = [merge_moments(*self.moments[i : i + 2]) for i in range(top, bottom + 1)]
        means = torch.stack([mean for _, mean, _ in windows], 1)
        variances = torch.stack([square / count for count, _, square in windows], 1)
        first, second, share = (
            each.to(means.device) for each in (first - top, second - top, share)
        )
        mean = torch.lerp(means[:, first], means[:, second], share)
        var = torch.lerp(variances[:, first], variances[:, second], share)
        # The variance of a mixture has a term between its parts, as in merge_moments.
        return mean, var + share * (1 - share) * (means[:, second] - means[:, first]).square()

    def _windows(self, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor]:
        """The two windows whose middles lie around each of these rows, and the share of the second."""
        rows = torch.arange(start, stop, dtype=torch.float64) + 0.5
        last = self.parts - 2
        position = (rows * self.parts / self.bounds[-1] - 1).clamp(0, last)
        first = position.long()
        return first, (first + 1).clamp(max=last), position - first

"""Where the lines down of a panel of grid say that its tracks begin and end.

The lines of a track divide it into equal parts, or into the steps of a logarithm: a comb. A pair of
borders is as good as the best comb between them agrees with the lines that are drawn.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

INWARDS, OUTWARDS = 0.1, 0.15
"""Inches from where the lines across end at which a border costs FAR: they stop short of it more
often than they go on beyond it."""
FAR, DRAWN = 0.1, 0.1
"""What it costs; and what a border earns that is drawn."""
LEAST_INCHES, GAIN = 1.2, 0.12
"""The narrowest track that shares a border, and what such a border has to gain."""
AGREES, SURE = 0.55, 0.7
"""A comb that agrees so well makes a panel of grid, and a track beside another."""

Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]


def _combs() -> list[Floats]:
    """Where lines lie in [0, 1]: up to 30 equal parts; up to five decades, which begin with 1 or
    2."""
    combs: list[Floats] = [np.arange(n + 1) / n for n in range(2, 31)]
    for start in (1, 2):
        for decades in range(1, 6):
            values = np.outer(10.0 ** np.arange(decades + 1), np.arange(1, 10)).ravel()
            values = values[(values >= start) & (values <= start * 10.0**decades)]
            combs.append(np.log10(values / start) / decades)
    return combs


COMBS = _combs()
NODES = np.concatenate(COMBS)
COUNTS = np.array([len(comb) for comb in COMBS])
STARTS = COUNTS.cumsum() - COUNTS


class Lines:
    """The lines down of one panel.

    ruled: float (columns,), how dark a line is drawn in each, 0 to 1. left, right: where its lines
    across end, [left, right). dpi: of the scan.
    """

    def __init__(self, ruled: Floats, left: int, right: int, dpi: float) -> None:
        self.dpi, self.columns = dpi, len(ruled)
        flat = cv2.GaussianBlur(ruled[None].astype(np.float32), (0, 0), max(0.7, dpi / 250))
        broad = np.ones((1, round(0.05 * dpi) | 1), np.uint8)
        height = (flat - cv2.morphologyEx(flat, cv2.MORPH_OPEN, broad))[0]
        around = np.pad(height, 1)
        peaks = np.flatnonzero((height > around[:-2]) & (height >= around[2:]) & (height > 0.02))
        inside = peaks[(peaks >= left) & (peaks <= right)]
        usual = float(np.percentile(height[inside], 70)) if len(inside) else 1.0
        self.height = np.clip(height / max(usual, 0.02), 0, 1)
        self.peaks = peaks[self.height[peaks] > 0.15]
        self.sums = np.zeros(len(height) + 1)
        self.sums[self.peaks + 1] = self.height[self.peaks]
        self.sums = self.sums.cumsum()
        self.loose = cv2.dilate(self.height[None], np.ones((1, 2 * round(dpi / 130) + 1)))[0]
        self.drawn = cv2.dilate(flat, np.ones((1, 5)))[0]
        wide = (2 * round(0.01 * dpi) + 3, 1)
        self.bold = cv2.boxFilter(ruled[None].astype(np.float32), -1, wide, normalize=False)[0]

    def agree(self, a: Indices, b: Indices) -> Floats:
        """About 0 to 1: how well the best comb between each a and b agrees with the lines."""
        last = self.columns - 1
        at = np.rint(a[:, None] + NODES * (b - a)[:, None]).astype(np.int64).clip(0, last)
        hits = np.add.reduceat(self.loose[at], STARTS, axis=1)
        total = self.sums[np.clip(b + 2, 0, last + 1)] - self.sums[np.clip(a - 1, 0, last)]
        score = 2 * hits / (COUNTS + total[:, None])
        best: Floats = score.max(1)
        return best

    def tracks(self, left: int, right: int) -> list[tuple[int, int]]:
        """Left and right border of each track of the panel, whose lines across end at ``left`` and
        ``right``; none where it is no grid."""
        inwards, outwards = round(INWARDS * self.dpi), round(OUTWARDS * self.dpi)
        a, b = self._pairs(
            np.arange(max(0, left - outwards), left + inwards + 1),
            np.arange(right - inwards, min(self.columns - 1, right + outwards) + 1),
        )
        score = self.agree(a, b)
        for column, out in ((a, left - a), (b, b - right)):
            seen = self.height[column]
            score += DRAWN * seen - FAR * np.maximum(out / outwards, -out / inwards) ** 2
        best = int(score.argmax())
        first, last = self._snap(int(a[best])), self._snap(int(b[best]))
        # Lines across go on to the edge of the scan beyond the last line down: it is cut off.
        edge, bare = 0.04 * self.dpi, max(6, round(0.04 * self.dpi))
        first = 0 if left < edge and first > bare else first
        last = self.columns if right > self.columns - edge and last < self.columns - bare else last
        near = np.arange(-2, 3)
        whole = float(self.agree(*self._pairs(first + near, last + near)).max())
        at_edge = min(first, self.columns - last) < bare
        seen_both = self.drawn[[first, min(last, self.columns - 1)]].min() > 0.3
        if whole < AGREES and not at_edge and not seen_both:
            return []
        cut = first == 0 or last == self.columns
        return [(first, last)] if cut else self._divide(first, last, whole)

    def _pairs(self, a: Indices, b: Indices) -> tuple[Indices, Indices]:
        first, second = np.meshgrid(a, b)
        return first.ravel(), second.ravel()

    def _snap(self, column: int) -> int:
        """The line that is drawn nearby, else the column itself."""
        near = self.peaks[abs(self.peaks - column) <= 0.03 * self.dpi]
        return int(near[self.height[near].argmax()]) if len(near) else column

    def _divide(self, a: int, b: int, whole: float) -> list[tuple[int, int]]:
        """The tracks between a and b, of one comb each, with which the lines agree best."""
        least = LEAST_INCHES * self.dpi
        inner = self.peaks[(self.peaks >= a + least) & (self.peaks <= b - least)]
        inner = inner[self.height[inner] > 0.5]
        if not len(inner):
            return [(a, b)]
        at = np.concatenate([[a], inner, [b]])
        bold = np.minimum(self.bold[at] / self.bold[inner].max(), 1)
        i, j = np.triu_indices(len(at), 1)
        wide = at[j] - at[i] >= least
        agree = np.full((len(at), len(at)), -9.0)
        agree[i[wide], j[wide]] = self.agree(at[i[wide]], at[j[wide]])
        agree[agree < SURE] = -9
        agree[0, -1] = whole
        best, came = np.zeros(len(at)), np.zeros(len(at), np.int64)
        for k in range(1, len(at)):
            total = best[:k] + agree[:k, k] * (at[k] - at[:k]) / (b - a)
            came[k] = total.argmax()
            best[k] = total.max() - (GAIN + 0.05 - 0.1 * bold[k])
        k, borders = len(at) - 1, [b]
        while k:
            k = int(came[k])
            borders.append(int(at[k]))
        return list(zip(borders[:0:-1], borders[-2::-1], strict=True))

"""The printed tracks of a scan: their borders in each row, and which curve is in which."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from wellseg.curves.points import Floats, Indices, Points

BESIDE, BEYOND = 0.07, 0.03  # of a track's width: a curve beside it is of it; a point is beyond it
ACROSS = 0.033  # from this share of points beyond on neighbours are one track: `Tracks.merged`


@dataclass(frozen=True)
class Tracks:
    """Borders of the tracks, from left to right, at some rows of the scan.
    rows: (n,), rising. borders: (n, tracks, 2), left and right column, where 0.5 is the middle of
    the first pixel; may lie off the scan. reach: they hold so far above and below ``rows``."""

    rows: Floats
    borders: Floats
    reach: float

    def at(self, rows: Indices | Floats) -> Floats:
        """float64 (rows, tracks, 2): left and right border in these rows."""
        return np.apply_along_axis(lambda side: np.interp(rows, self.rows, side), 0, self.borders)

    def homes(self, rows: Floats, columns: Floats) -> Floats:
        """The middle column of the track to which each of these places is nearest."""
        borders = self.at(rows)
        beyond = abs(borders - columns[:, None, None]).max(2) - np.ptp(borders, axis=2)
        return borders.mean(2)[np.arange(len(rows)), beyond.argmin(1)]  # a wide one reaches far

    def merged(self, curves: Iterable[Points]) -> "Tracks":
        """Neighbours that share a border are one track, with a heavy line in it, where more than
        ACROSS of their curves lies beyond it; not those that a person gave."""
        left, right = self.borders[..., 0], self.borders[..., 1]
        split = abs(left[:, 1:] - right[:, :-1]).max(0) >= 1
        off = np.zeros((3, len(split) + 1))  # to the left, to the right, of how many points
        for rows, columns, *_ in curves if not split.all() and self.reach < np.inf else []:
            if track := self.of(rows, columns):
                low, high = self.at(rows)[:, track - 1].T
                share = (columns + 0.5 - low) / (high - low)
                off[:, track - 1] += (share < -BEYOND).sum(), (share > 1 + BEYOND).sum(), len(rows)
        split |= off[1, :-1] + off[0, 1:] <= ACROSS * (off[2, :-1] + off[2, 1:])
        sides = np.stack([left[:, np.append(True, split)], right[:, np.append(split, True)]], 2)
        return replace(self, borders=sides)

    def of(self, rows: Indices | Floats, columns: Floats) -> int:
        """Number, from 1, of the track in or beside which most of these points lie; 0: of none.
        columns: as Points has them, 0.0 the middle of the leftmost pixel, or NaN."""
        rows, columns = rows[~np.isnan(columns)], columns[~np.isnan(columns)] + 0.5
        nearest = np.rint(np.interp(rows, self.rows, np.arange(len(self.rows)))).astype(int)
        left, right = np.moveaxis(self.at(rows), 2, 0)
        off = np.maximum(left - columns[:, None], columns[:, None] - right) / (right - left)
        near = (abs(self.rows[nearest] - rows) <= self.reach) & (off.min(1) <= BESIDE)
        counts = np.bincount(off.argmin(1)[near])
        return int(counts.argmax()) + 1 if 2 * counts.sum() > len(columns) else 0

"""Curves followed through a scan, from its top to its bottom."""

import numpy as np
from numpy.typing import NDArray

from wellseg.curves.points import BRIDGED, HOME, PAINT, Curve, Floats, Points, both, unlike
from wellseg.curves.strands import MARGIN_ROWS, ChainFinder, pairs_between
from wellseg.curves.tracks import ALONE, Tracks
from wellseg.curves.window import LOOK_ROWS, Window
from wellseg.scan import USUAL_DPI
from wellseg.scan.pictures import Gray, to_gray

INCHES, COARSE_DPI = (0.25, 0.1), 150
"""Of paper: the shortest curve, not a letter; the unit of gaps. In coarser renders as many px."""
BLOCK_ROWS = 512
LONGEST, STILL_BRIDGED, RESTS, BESIDE, REST_PX = 30.0, 3.0, 15.0, 1.5, 3
"""In tenths of an inch: the longest gap but in a bright ink, or stretch off the scale; the longest
bridged, and of a curve at rest; how long two pieces may lie side by side, as tips of dashes do."""
DOWN, ASIDE = 0.25, 0.6
"""Costs of a tenth of an inch between two pieces, down and across; of their looks: points.py."""
MOST = 9.0  # pieces that would cost more are two curves. All these were chosen by eye on five scans
LEVEL, LOST, LEAST, HOME_APART = 3.0, 1.25, 5.0, 1.0
"""Costs of a lost flank, however wide, and of a tenth of an inch down it; tenths in the shorter
piece; inches between the usual tracks of both. By eye on 17 scans: 18 of 20 were right."""
BRIGHT, INK_APART, FEW = 100, 40, 0.1
"""Channels of a bright ink differ so much, of 255, those of two inks. A third piece counts from so
many of a piece's rows on. By eye on 38 scans: benchmarks/arms.md."""
UNDER_PX, UNDER, STAINS = 3.5, 0.8, 0.3
"""A piece lies on another if UNDER of its rows do, within UNDER_PX. A curve is stains, as of a grid
under another, if half of its bridged rows do and it has fewer inked rows than STAINS for each:
dashes have 0.9, sparse dots 0.33, stains 0.21 to 0.26 (33-025-02222-0001, 33-025-02310-0002)."""
OFF, AT_BORDER, ELSEWHERE = 0.05, 0.02, 0.3
"""Inches: a bridged gap so long, so near the right border of a curve whose median is so far away,
is off the scale and has no values; at the left border curves rest. By eye: benchmarks/arms.md."""
LOG, LINE = 30.0, 0.06
"""In tenths of an inch: a curve under LOG and a quarter of the longest is none if no longer one is
beside it, if it is beside their tracks, or within LINE of one column: benchmarks/arms.md."""


class CurveFollower:
    """Follows all curves of a scan. Feed ``add`` from top to bottom, then ``finish``.
    dpi: of the scan. first_row: number of the first one. tracks: from `find_tracks`, or given."""

    def __init__(
        self, dpi: float = USUAL_DPI, first_row: int = 0, tracks: Tracks | None = None
    ) -> None:
        self.least_rows, self._tenth_rows = (round(it * max(dpi, COARSE_DPI)) for it in INCHES)
        self.curves: list[Curve] = []  # after ``finish``: by first row, then from left to right
        self.tracks, self._dpi, self._ahead = tracks, dpi, MARGIN_ROWS + round(ALONE[1] * dpi) + 1
        self._chains, self._window = ChainFinder(first_row), Window(self._tenth_rows, tracks)
        self._parts: list[list[NDArray[np.uint8]]] = []  # gray, mask, probability, colours
        self._held_rows = self._followed_rows = 0  # of the parts

    def add(self, picture: Gray, mask: Gray, probability: Gray) -> None:
        """Take the next rows, uint8 (rows, columns): the scan, gray or RGB (rows, columns, 3), 255
        white; mask, 255 curve, 0 not; probability, 255 for 1."""
        planes = to_gray(picture), mask, probability, *([picture] if picture.ndim == 3 else [])
        while len(planes[0]):
            part, planes = [p[:BLOCK_ROWS] for p in planes], tuple(p[BLOCK_ROWS:] for p in planes)
            self._parts.append(part)
            self._held_rows += len(part[0])
            while self._held_rows >= self._followed_rows + BLOCK_ROWS + self._ahead:
                self._block(BLOCK_ROWS, last=False)

    def _block(self, rows: int, last: bool) -> None:
        """Follow that many rows."""
        planes = [np.concatenate(parts) for parts in zip(*self._parts, strict=True)]
        above, known = self._followed_rows, self._followed_rows + rows
        here = slice(begin := max(0, above - MARGIN_ROWS), known + MARGIN_ROWS)
        near = [plane[here] for plane in planes]
        if self.tracks:
            near[1] = self.tracks.clear(planes[1], self._chains.row - above, self._dpi)[here]
        new = self._chains.add(near, slice(above - begin, known - begin), last)
        stop = self._chains.row + 1 if last else self._chains.row - LOOK_ROWS
        self._window.decide(new, stop, planes[2][:known], self._chains.row - known)
        drop = max(0, known - BLOCK_ROWS)
        self._parts = [[plane[drop:] for plane in planes]]
        self._held_rows, self._followed_rows = self._held_rows - drop, known - drop

    def finish(self) -> None:
        """Call it after the last row: then ``curves`` is complete."""
        if self._held_rows:
            self._block(self._held_rows - self._followed_rows, last=True)
        longest, pieces = LONGEST * self._tenth_rows, self._window.finish()
        pieces += [it for one in pieces if one.wraps for it in one.leave_scale(longest)]
        self.curves = [one for one in pieces if one.rows >= self.least_rows]
        places = [curve.points()[:2] for curve in self.curves]
        self.tracks = self.tracks and self.tracks.merged(places)
        self.curves = join(self.curves, [at for _, at in places], self._tenth_rows)
        points = {curve: curve.points() for curve in self.curves}
        self._remove_scraps(points)
        self._style(points)

    def _remove_scraps(self, points: dict[Curve, Points]) -> None:
        """Remove short curves that are none: see LOG."""
        in_track = {it: not self.tracks or self.tracks.of(*points[it][:2]) > 0 for it in points}
        longest = max((one.rows for one in points), default=0)
        long = {it for it in points if it.rows >= min(LOG * self._tenth_rows, longest / 4)}
        beside = np.zeros((self._chains.row, 2))  # long curves in no track, and in one
        for one in long:
            beside[points[one].row, int(in_track[one])] += 1
        for one in points.keys() - long:
            out, within = np.median(beside[points[one].row], 0)
            away = abs(points[one].column - np.nanmedian(points[one].column))
            is_curve = out + within > 0 and (in_track[one] or out >= within)
            if not is_curve or np.nanquantile(away, 0.95) <= LINE * self._tenth_rows:
                self.curves.remove(one)

    def _style(self, points: dict[Curve, Points]) -> None:
        """Set styles. Gaps off the scale lose their values, stains are removed: OFF, UNDER."""
        doubtful, inked = [], [np.empty(0)]
        for curve in self.curves:
            its = points[curve]
            curve.style = curve.style_of(its, self._tenth_rows)
            place, bridged = 2**20 * its.row + its.column, its.flags & BRIDGED > 0
            inked.append(place[~bridged & ~np.isnan(place)])
            if np.count_nonzero(bridged) > len(inked[-1]):
                doubtful.append((curve, place[bridged], len(inked[-1])))
            if self.tracks and (track := self.tracks.of(its.row, its.column)):
                inside = (self.tracks.at(its.row)[:, track - 1, 1] - its.column) / self._dpi
                off = bridged & (inside < AT_BORDER) & (np.nanmedian(inside) > ELSEWHERE)
                gaps = np.flatnonzero(np.diff(np.pad(off, 1))).reshape(-1, 2) + curve.first_row
                curve.hidden += [(a, b) for a, b in gaps.tolist() if b - a >= OFF * self._dpi]
        ink = np.sort(np.concatenate(inked))
        for curve, place, rows in doubtful:
            on = np.searchsorted(ink, place - UNDER_PX) < np.searchsorted(ink, place + UNDER_PX)
            if on.mean() > UNDER / 2 and rows < STAINS * len(place):
                self.curves.remove(curve)


def join(curves: list[Curve], paths: list[Floats], tenth_rows: int) -> list[Curve]:
    """Join the pieces of curves that have long gaps; returns curves by first row, then column.
    paths: the column of each in each of its rows. tenth_rows: a tenth of an inch.

    Lettering may hide a curve, and of several curves on one line a colour scan shows the uppermost
    alone. Such a gap is too long to bridge: its rows have no values. But a piece below it, in the
    same ink and near by, is the same curve, unless another fits better. So is one far aside: level
    flanks are lost; if both head apart, or were cut there, it may wrap. The place is uncertain.
    And so is, however far below, the next piece of a bright ink in its track, if no third one is
    beside them, and some curve goes on from the one to the other: there no other log begins.
    A curve that ends on a stroke on which another began is that one."""
    order = sorted(range(len(curves)), key=lambda i: (curves[i].first_row, paths[i][0]))
    curves, paths = [curves[i] for i in order], [paths[i] for i in order]
    columns = np.reshape([it[[0, tenth_rows, -1 - tenth_rows, -1]] for it in paths], (-1, 4))
    first, rows = np.array([(one.first_row, one.rows) for one in curves], int).reshape(-1, 2).T
    last, look = first + rows - 1, np.array([one.look for one in curves]).reshape(-1, 7)
    a, b = pairs_between(first, first, first + 1, last - BESIDE * tenth_rows)
    end = (last[b] > last[a]) & (2 * (last[a] - first[b]) < np.minimum(rows[a], rows[b]))
    low, high = np.array([(np.nanmin(it), np.nanmax(it)) for it in paths]).reshape(-1, 2).T
    end &= np.maximum(low[a], low[b]) <= np.minimum(high[a], high[b]) + UNDER_PX
    pairs = []
    for upper, lower in zip(a[end].tolist(), b[end].tolist(), strict=True):
        count = last[upper] + 1 - first[lower]
        on = np.abs(paths[upper][-count:] - paths[lower][:count]) <= UNDER_PX
        if on.mean() > UNDER and np.ptp(look[[upper, lower], PAINT], 0).max() <= INK_APART:
            pairs.append((upper, lower, False))
    a, b = pairs_between(first, first, last - BESIDE * tenth_rows, last + LONGEST * tenth_rows)
    gap, across = np.maximum(first[b] - last[a], 0), columns[b, 0] - columns[a, 3]
    cost = (DOWN * gap + ASIDE * np.abs(across)) / tenth_rows
    near = (first[b] > first[a]) & (last[b] > last[a])
    near &= (cost < MOST) | (LEVEL + LOST * gap / tenth_rows < MOST)  # others cost more in any case
    a, b, gap, across, cost = (it[near] for it in (a, b, gap, across, cost))
    home, heads = look[:, HOME], (columns[a, 3] - columns[a, 2], columns[b, 1] - columns[b, 0])
    aside, unequal, known = np.abs(across), unlike(look[a], look[b]), home[a] * home[b] > 0
    flank = (across * heads >= 0).any(0) & known & (abs(home[a] - home[b]) <= HOME_APART)
    flank &= (look[a] != look[b]).any(1) & (np.minimum(rows[a], rows[b]) >= LEAST * tenth_rows)
    level = np.where(flank, MOST + LEVEL + LOST * gap / tenth_rows, np.inf)
    cost = np.where(cost < MOST - unequal, cost, level) + unequal
    far = (gap > 1) & ((gap > STILL_BRIDGED * tenth_rows) | (aside > gap + tenth_rows))
    far &= (gap > RESTS * tenth_rows) | ~(np.abs([across, *heads]).max(0) <= REST_PX)
    best = np.argsort(cost, kind="stable")[: np.count_nonzero(cost < 2 * MOST)]
    pairs += zip(a[best].tolist(), b[best].tolist(), far[best].tolist(), strict=True)
    left = inks = np.flatnonzero((np.ptp(look[:, PAINT], 1) >= BRIGHT) & (home > 0))
    for i in inks.tolist():
        left = left[last[left] >= first[i]]
        alike = left[(abs(home[left] - home[i]) <= HOME_APART) & (rows[left] >= FEW * rows[i])]
        alike = alike[np.abs(look[alike, PAINT] - look[i, PAINT]).max(1) <= INK_APART]
        one, k, third = [*alike[:3].tolist(), -1, -1][:3]
        is_next = one == i and k > i and first[k] > last[i] - BESIDE * tenth_rows
        is_next &= third < 0 or first[third] > last[k]
        is_one_log = ((first < last[i]) & (last > first[k])).any()
        if is_next and is_one_log and unlike(look[i], look[k]) < MOST:
            pairs.append((i, k, True))
    below, taken = dict[int, int](), set[int]()
    for upper, lower, is_far in pairs:
        if upper not in below and lower not in taken:
            below[upper] = lower
            taken.add(lower)
            curves[upper].uncertain.append(int(last[upper]))
            if is_far and first[lower] > last[upper] + 1:
                curves[upper].hidden.append((int(last[upper]) + 1, int(first[lower])))
    for upper in sorted(below, reverse=True):
        curve, piece = curves[upper], curves[below[upper]]
        piece.hidden = [it for it in piece.hidden if it[1] > last[upper] + 1]  # others are seen
        curve.rows = piece.first_row + piece.rows - curve.first_row
        curve.look = both(curve.look, piece.look)
        for has in ("hidden", "wraps", "off_scale", "uncertain", "records"):
            getattr(curve, has).extend(getattr(piece, has))
    return [curve for i, curve in enumerate(curves) if i not in taken]

"""Curves followed through a scan, from its top to its bottom."""

import numpy as np

from wellseg.curves.points import BRIDGED, HOME, PAINT, Curve, Points, both, ranges, unlike
from wellseg.curves.strands import MARGIN_ROWS, ChainFinder
from wellseg.curves.tracks import Tracks
from wellseg.curves.window import HOME_APART, INK_APART, LOOK_ROWS, Window, exchange
from wellseg.scan.pictures import Gray, to_gray

LEAST_INCHES, ASKEW = 0.25, 0.25  # shortest curve: its rows, and this share of its width, together
COARSE_DPI = 150  # in coarser renders that, and a tenth of an inch, are as many pixels as at 150
BLOCK_ROWS = 512
# Gaps between two pieces of one curve, in tenths of an inch.
LONGEST = 30.0  # a gap between near pieces is shorter; so is a stretch off the scale
STILL_BRIDGED = 3.0  # a longer gap has no values
SIDE_BY_SIDE = 1.5  # the pieces may lie side by side for less, as tips of dashes do
DOWN, ASIDE, MOST = 0.25, 0.6, 9.0  # costs of a tenth down, of one across; over MOST: two curves
ALIKE = 8.0  # far pieces of one track are one curve if their looks, and places, cost less:
ASIDE_TOO = 0.5  # each tenth aside, of which ten count;
BLANK = 5.0  # and between them are at most so many tenths without any curve.
NEXT = 30  # So many pieces below are tried
LONE, OTHERS = 12.0, 1.1  # instead of ALIKE where their ink has no others: < OTHERS x their rows
VAGUE = 1.5  # a curve with fewer rows with ink, to a bridged one, is doubtful. It is removed
FAINT = 0.88  # if its mean confidence is less,
UNDER_PX, UNDER = 3.5, 0.4  # or if others' ink is so near in this share of its bridged rows,
STAINS = 0.3  # and it has fewer rows with ink to a bridged one
OFF = 0.05  # inches: a bridged gap is off the scale if it is so long,
AT_BORDER = 0.02  # so near its track's right border (or beyond it),
ELSEWHERE = 0.3  # and the curve's median so far from it
# Scraps are no curves: `_remove_scraps`, in tenths of an inch. Measured: benchmarks/arms.md.
LOG, UNSURE = 30.0, 0.9  # they are shorter than that and a quarter of the longest; less confident
LINE = 0.06  # so near a line: down, or to a name
LEADER, ASLANT = 3.0, 0.3  # a line to a name is longer, and goes more pixels aside in a row


class CurveFollower:
    """Follows all curves of a scan. Feed ``add`` from top to bottom, then ``finish``.
    dpi: of the scan. first_row: number of the first one. tracks: from `find_tracks`, or given."""

    def __init__(self, dpi: float, first_row: int = 0, tracks: Tracks | None = None) -> None:
        fine_dpi = max(dpi, COARSE_DPI)
        self.least_rows, self._tenth_rows = round(LEAST_INCHES * fine_dpi), round(0.1 * fine_dpi)
        self.curves: list[Curve] = []  # after ``finish``: by first row, then from left to right
        self.tracks, self._dpi = tracks, dpi
        self._chains, self._window = ChainFinder(first_row), Window(self._tenth_rows, tracks)
        self._parts: list[list[Gray]] = []  # gray, mask, probability, colours
        self._stop_row = first_row  # past the last one of the parts

    def add(self, picture: Gray, mask: Gray, probability: Gray) -> None:
        """Take the next rows, uint8 (rows, columns): the scan, gray or RGB (rows, columns, 3), 255
        white; mask, 255 curve, 0 not; probability, 255 for 1."""
        planes = to_gray(picture), mask, probability, *([picture] if picture.ndim == 3 else [])
        for row in range(0, len(mask), BLOCK_ROWS):
            self._parts.append([plane[row : row + BLOCK_ROWS] for plane in planes])
            self._stop_row += len(self._parts[-1][0])
            if self._stop_row >= self._chains.row + BLOCK_ROWS + MARGIN_ROWS:
                self._block(last=False)

    def _block(self, last: bool) -> None:
        """Follow the next BLOCK_ROWS, or all that are left."""
        planes = [np.concatenate(parts) for parts in zip(*self._parts, strict=True)]
        first_row = self._stop_row - len(planes[0])
        done = self._chains.row - first_row  # rows of the planes that were followed before
        stop = len(planes[0]) if last else done + BLOCK_ROWS  # past those that are followed now
        begin = max(0, done - MARGIN_ROWS)
        here, keep = slice(begin, stop + MARGIN_ROWS), slice(done - begin, stop - begin)
        chains = self._chains.add([plane[here] for plane in planes], keep, last)
        undecided = self._chains.row + 1 if last else self._chains.row - LOOK_ROWS
        self._window.decide(chains, undecided, planes[2][:stop], first_row)
        self._parts = [[plane[max(0, stop - BLOCK_ROWS) :] for plane in planes]]

    def finish(self) -> None:
        """Call it after the last row: then ``curves`` is complete."""
        if self._parts:
            self._block(last=True)
        longest, pieces = LONGEST * self._tenth_rows, self._window.finish()
        pieces += [end for piece in pieces if piece.wraps for end in piece.leave_scale(longest)]
        points = {it: its for it in pieces if it.rows > 0 and self._is_long(its := it.points())}
        if self.tracks:
            self.tracks = self.tracks.merged(points.values())
        points = join(points, self._tenth_rows)
        self._remove_scraps(points)
        exchange(points)  # far pieces are joined by looks and tracks: each must be of one curve
        for curve, its in points.items():
            if self.tracks and (track := self.tracks.of(*its[:2])):
                curve.look[HOME] = self.tracks.borders[:, track - 1].mean() / self._dpi
        points = join(points, self._tenth_rows, far=True)
        exchange(points)
        for curve, its in points.items():
            curve.style = curve.style_of(its, self._tenth_rows)
            self._hide_off_scale(curve, its)
        self._remove_doubtful(points)
        self.curves = list(points)

    def _is_long(self, its: Points) -> bool:
        wide = np.nanmax(its.right, initial=-np.inf) - np.nanmin(its.left, initial=np.inf)
        return bool(len(its.row) + ASKEW * wide >= self.least_rows)

    def _remove_scraps(self, points: dict[Curve, Points]) -> None:
        """Remove curves shorter than LOG that are lines or unsure, or have no long curve beside
        them, or only such in tracks while they are in none."""
        in_track = {it: not self.tracks or self.tracks.of(*points[it][:2]) > 0 for it in points}
        longest = max((curve.rows for curve in points), default=0)
        long = {it for it in points if it.rows >= min(LOG * self._tenth_rows, longest / 4)}
        beside = np.zeros((self._chains.row, 2))  # long curves in no track, and in one
        for curve in long:
            beside[points[curve].row, int(in_track[curve])] += 1
        for curve in points.keys() - long:
            its, (out, within) = points[curve], np.median(beside[points[curve].row], 0)
            is_beside_long = out + within > 0 and (in_track[curve] or out >= within)
            is_sure = its.confidence.sum() >= UNSURE * np.count_nonzero(its.confidence)
            row, column = its.row[seen := ~np.isnan(its.column)], its.column[seen]
            slope = np.polyfit(row, column, 1)[0] if curve.rows > LEADER * self._tenth_rows else 0
            slope = slope if abs(slope) > ASLANT else 0  # it may be a line down
            off = (column - slope * row) / np.hypot(1, slope) / self._tenth_rows
            is_line = np.quantile(abs(off - np.median(off)), 0.95) <= LINE
            if is_line or not (is_beside_long and is_sure):
                del points[curve]

    def _hide_off_scale(self, curve: Curve, its: Points) -> None:
        """Bridged gaps at the right border of its track have no values: it was off its scale."""
        if self.tracks and (track := self.tracks.of(its.row, its.column)):
            inside = (self.tracks.at(its.row)[:, track - 1, 1] - its.column) / self._dpi  # inches
            is_off = (its.flags & BRIDGED > 0) & (inside < AT_BORDER)
            if np.nanmedian(inside) > ELSEWHERE:  # else it is at rest there
                gaps = (curve.first_row + ranges(is_off)).tolist()
                curve.hidden += [(a, b) for a, b in gaps if b - a >= OFF * self._dpi]

    def _remove_doubtful(self, points: dict[Curve, Points]) -> None:
        """Remove curves with few rows with ink (VAGUE) that are FAINT, or lie UNDER_PX others'."""
        # A place is one number, of row and column: no row is so wide.
        places = {curve: 2**20 * its.row + its.column for curve, its in points.items()}
        is_bridged = {curve: its.flags & BRIDGED > 0 for curve, its in points.items()}
        inked = {it: place[~is_bridged[it] & ~np.isnan(place)] for it, place in places.items()}
        ink = np.sort(np.concatenate([np.empty(0), *inked.values()]))
        for curve, its in list(points.items()):
            bridged, rows = places[curve][is_bridged[curve]], len(inked[curve])
            if rows >= VAGUE * len(bridged):
                continue
            on = np.searchsorted(ink, bridged - UNDER_PX) < np.searchsorted(ink, bridged + UNDER_PX)
            is_faint = its.confidence.sum() < FAINT * np.count_nonzero(its.confidence)
            if is_faint or (on.mean() > UNDER and rows < STAINS * len(bridged)):
                del points[curve]


def join(points: dict[Curve, Points], tenth_rows: int, far: bool = False) -> dict[Curve, Points]:
    """Join the pieces of curves that have long gaps; returns curves by first row, then column.
    Lettering may hide a curve, and of several curves on one line a colour scan shows the uppermost
    alone. Rows of such a long gap have no values. But a piece below it, in the same ink and near
    by, is the same curve, unless another fits better. The place is uncertain.
    far: so is, of its track, the next piece that looks like it, however far: it was off its scale,
    or faint. Where no curve is seen another log begins. tenth_rows: of 0.1 inch."""
    points = dict(sorted(points.items(), key=lambda it: (it[0].first_row, it[1].column[0])))
    curves, below, above = list(points), dict[int, int](), dict[int, int]()
    last = [int(it.row[~np.isnan(it.column)][-1]) for it in points.values()]
    for upper, lower, is_hidden in _pairs(points, tenth_rows, far):
        if upper not in below and lower not in above:
            below[upper], above[lower] = lower, upper
            curves[upper].uncertain.append(last[upper])
            if is_hidden and curves[lower].first_row > last[upper] + 1:
                curves[upper].hidden.append((last[upper] + 1, curves[lower].first_row))
    for upper in sorted(below, reverse=True):
        curve, piece = curves[upper], curves[below[upper]]
        piece.hidden = [it for it in piece.hidden if it[1] > last[upper] + 1]  # others are seen
        curve.records = [it[it[:, 0] <= last[upper]] for it in curve.records]
        curve.look = both(curve.look, piece.look)
        curve.extend(piece)
    left = [(i, curve) for i, curve in enumerate(curves) if i not in above]
    points = {curve: curve.points() if i in below else points[curve] for i, curve in left}
    # A short piece may be unlike the next one, and all that it is joined with now be like it.
    return join(points, tenth_rows, far=True) if far and below else points


def _pairs(points: dict[Curve, Points], tenth_rows: int, far: bool) -> list[tuple[int, int, bool]]:
    """Numbers of pairs that may be one curve, likeliest first; whether rows between are hidden."""
    look = np.reshape([it.look for it in points], (-1, 9))
    home, paths = look[:, HOME], (it.column for it in points.values())
    first, last = np.array([it.row[[0, -1]] for it in points.values()], int).reshape(-1, 2).T
    top, bottom = np.reshape([it[~np.isnan(it)][[0, -1]] for it in paths], (-1, 2)).T
    seen = np.concatenate([[0], *(it.row[~np.isnan(it.column)] for it in points.values())])
    blank_rows = (np.bincount(seen, minlength=last.max(initial=0) + 1) == 0).cumsum()  # up to each
    found = list[tuple[float, int, int, bool]]()
    for i in range(len(points)):
        in_common, apart = last[i] - first, abs(look - look[i])  # rows; looks
        may_follow = (first > first[i]) & (last > last[i]) & (in_common < SIDE_BY_SIDE * tenth_rows)
        in_track = apart[:, HOME] <= HOME_APART
        if far:
            blank = blank_rows[first] - blank_rows[last[i]]
            may_follow &= in_track & (home * home[i] > 0) & (blank <= BLANK * tenth_rows)
        else:
            may_follow &= first <= last[i] + LONGEST * tenth_rows
        k = np.flatnonzero(may_follow)[: NEXT if far else None]
        gap = np.maximum(first[k] - last[i], 0) / tenth_rows
        aside = abs(top[k] - bottom[i]) / tenth_rows
        unequal = unlike(look[i], look[k])
        cost = unequal + DOWN * gap + (0 if far else ASIDE * aside)  # a far one may be anywhere
        may_be = cost < MOST
        if far:
            kin = in_track & (apart[:, PAINT] <= INK_APART).all(1)
            rows = np.minimum.outer(last[k], last[kin]) - np.maximum(first[i], first[kin])
            is_lone = rows.clip(0).sum(1) < OTHERS * (last[k] - first[k] + last[i] - first[i])
            most = np.inf if np.ptp(look[i, PAINT]) > 2 * INK_APART else STILL_BRIDGED  # black
            may_be = unequal + ASIDE_TOO * aside.clip(0, 10) < ALIKE
            may_be |= is_lone & kin[k] & (unequal < LONE) & (gap <= most)
        hidden = (gap > STILL_BRIDGED) | (aside > gap + 1)
        found += [(cost[j], i, int(k[j]), bool(hidden[j])) for j in np.flatnonzero(may_be)]
    return [(i, k, is_hidden) for _, i, k, is_hidden in sorted(found)]

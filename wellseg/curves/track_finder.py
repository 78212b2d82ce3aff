"""The printed tracks of a scan: panels of grid, with white paper or a shared border between them.

They are found by the grid's lines in blocks of rows. A log keeps its layout and moves sideways as a
whole, so the blocks are first aligned; the mean of hundreds then shows the grid, though much is
worn, written over or crossed by curves. Horizontal lines ("across") tell where panels are; vertical
lines ("down") tell to the pixel where tracks begin and end; they lie evenly or by decades."""

from collections.abc import Callable
from itertools import accumulate, pairwise, product

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, grey_closing, maximum_filter1d, median_filter

from wellseg.curves.points import Flags, Floats, Indices, ranges
from wellseg.curves.tracks import Tracks
from wellseg.scan.pictures import Gray, to_gray

BLOCK_INCHES = 1.5  # height of a block: a dozen lines of the usual grid
PARTS = 5  # of a block, to look at lines down: in a whole one those of a skewed sheet would move
LINE_INCHES = 0.2  # ink that runs so far straight is a line: curves, letters and digits rarely do
INK, BIN_INCHES = 28, 0.02  # ink is so far below paper (many grids are 223); width of a bin
WANDER, ALIGN_INCHES = 0.2, 0.1  # most a log moves aside, of its width; a part, in its block
SPANS, STAY = 10, 0.2  # of the width, each aligned by itself; ``stay`` of `overlay` for them
FIT, LEAST_BLOCKS = 0.45, 4  # least agreement, -1 to 1, of a block with the layout; of so many
REACH_BLOCKS = 8  # so far a block with the layout counts
SURE, FAR_INCHES = 0.8, 0.25  # from blocks of that agreement on no others lie so far aside
ASTRAY_INCHES = 0.25  # so far a part may lie from where the lines across have its block;
FITS = 0.35  # so well it has to fit where there are none
ROUGH = 0.03  # cost of a tenth of an inch from where the lines across are
MOVE, LEAP = 0.6, 0.75  # cost of a tenth of an inch from part to part; at most
TRACK_INCHES, LEAST_INCHES = 0.5, 1.2  # narrowest panel; narrowest track that shares a border
FADE_INCHES = 1.0  # in so much a panel must end
NEAR_INCHES = 0.13  # so far a border may lie from the end of the lines across,
INSIDE_INCHES, OUTSIDE_INCHES = 0.25, 0.17  # and so far, to each side, one on a printed line
FAR, SHARED = 0.3, 0.13  # costs of a border: far from where lines across end; between two
DRAWN, PANEL = 0.2, 0.65  # gain of one on a printed line; least score of a panel's borders


def find_tracks(read: Callable[[int, int], Gray], rows: range, dpi: float) -> Tracks | None:
    """The tracks in these rows of a scan; None: no grid with clear ends. read: gives the pixels of
    rows from the first number on to before the second, uint8, gray or RGB."""
    return _TrackFinder(read, rows, dpi).find()


class _TrackFinder:
    """Sees the lines of one scan, six bytes a column of each block of rows; then ask ``find``."""

    def __init__(self, read: Callable[[int, int], Gray], rows: range, dpi: float) -> None:
        self.dpi, self.first_row = dpi, rows.start
        self.block_rows = self._px(BLOCK_INCHES)
        self._across: list[Gray] = []  # number of lines across in each column of a block
        self._down: list[Gray] = []  # share of lines down in each column of a part, 255 for all
        long, short = self._px(LINE_INCHES), self._px(LINE_INCHES / 7)
        for row in rows[: 1 - self.block_rows : self.block_rows]:
            gray = to_gray(read(row, row + self.block_rows))
            ink = (gray < np.percentile(gray[::8, ::8], 75) - INK).view(np.uint8)
            # Lines of a skewed sheet go on a row or column aside; dots of a hatch must not join.
            across = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((1, short), np.uint8))
            across = cv2.dilate(across, np.ones((3, 1), np.uint8))
            across = cv2.morphologyEx(across, cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
            # Lines are counted, not their ink: black bands and photographs have few.
            lines = np.count_nonzero(across[1:] > across[:-1], 0)
            if 2 * cv2.countNonZero(ink) > ink.size:  # a photograph, an inverted title
                lines[:] = 0
            self._across.append(np.minimum(lines, 255).astype(np.uint8))
            down = cv2.dilate(ink, np.ones((1, 3), np.uint8))
            down = cv2.morphologyEx(down, cv2.MORPH_OPEN, np.ones((long, 1), np.uint8))
            for part in np.array_split(255 * down * ink, PARTS):
                share = cv2.reduce(part, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[0]
                self._down.append(share.astype(np.uint8))

    def _px(self, inches: float) -> int:
        return max(2, round(inches * self.dpi))

    def find(self) -> Tracks | None:
        if not (layout := self._blocks_with_layout()):
            return None
        blocks, lines, shift = layout
        first, last = max(0, blocks[0] - REACH_BLOCKS // 2), blocks[-1] + REACH_BLOCKS // 2
        down = np.stack(self._down[first * PARTS : (last + 1) * PARTS]) / np.float32(255)
        known = np.isin(first + np.arange(len(down)) // PARTS, blocks)
        shift, fit = self._follow(down, known, blocks - first, shift)
        near = known | (fit > FITS)
        rows = (first * PARTS + np.flatnonzero(near) + 0.5) * (self.block_rows / PARTS)
        shifts = self._shifts(down[near], shift[near])
        of_known = shifts[known[near], :-1]
        ruled = _moved(down[known], of_known).mean(0)  # the usual share of lines down, by column
        page = _moved(lines, of_known[PARTS // 2 :: PARTS], -1).mean(0)  # of lines across, -1 to 1
        # Dirt and spikes may fill a narrow gap between panels with a few lines across.
        panels = ranges(page > np.maximum(0, grey_closing(page, self._px(TRACK_INCHES)) - 0.5))
        panels = panels[np.ptp(panels, 1) >= self._px(TRACK_INCHES)]
        tracks: list[tuple[int, int]] = []
        others = np.append(0, panels[:, 1]), np.append(panels[1:, 0], len(page))
        for (left, right), *gap in zip(panels.tolist(), *others, strict=False):
            before = self._off(page[::-1], len(page) - left)[::-1]
            found = _borders(ruled, before, self._off(page, right), self.dpi, gap)
            if found and found[0] >= max(tracks, default=(0, 0))[1]:
                tracks += pairwise(found)
        if not tracks:
            return None
        sides = np.array(tracks) + shifts[:, tracks] + 0.5
        return Tracks(self.first_row + rows, sides, REACH_BLOCKS * self.block_rows)

    def _blocks_with_layout(self) -> tuple[Indices, Floats, Indices] | None:
        """The blocks that have the layout: their numbers; whether each column has lines across,
        (blocks, columns), -1 to 1; how far right each lies. None: too few."""
        across = np.array(self._across or [np.zeros(1, np.uint8)], np.float32)
        usual = np.percentile(across, 90, axis=1, keepdims=True)
        if len(blocks := np.flatnonzero(usual >= 1)) < LEAST_BLOCKS:
            return None
        lines = 2 * np.minimum(1, across[blocks] / np.maximum(1, usual[blocks] / 2)) - 1
        step = self._px(BIN_INCHES)
        bins = range(0, across.shape[1], step)
        grid: Floats = np.add.reduceat(lines, bins, 1) / step
        shift = overlay(grid, max(4, int(WANDER * len(bins))), empty=-1)
        grid = _moved(grid, shift, -1)
        layout = grid.mean(0)
        fit = grid @ layout / np.abs(layout).sum()
        fits = fit > FIT
        if (sure := fit > SURE).any():  # headers, whose lines may fit somewhere else, are no layout
            near = np.interp(blocks, blocks[sure], shift[sure])
            fits &= abs(shift - near) * step < self._px(FAR_INCHES)
        if fits.sum() < LEAST_BLOCKS:
            return None
        return blocks[fits], lines[fits], shift[fits] * step

    def _follow(
        self, down: Floats, known: Flags, blocks: Indices, shift: Indices
    ) -> tuple[Indices, Floats]:
        """How far to the right each part lies, and how well its lines down fit there, 1: as the
        mean: (parts,). down: share of lines, (parts, columns). known: parts of ``blocks`` that
        have the layout, whose ``shift`` is known roughly.
        The grid repeats itself, so a part alone may fit a division aside. The cheapest path through
        all of them is taken, as paper moves little from part to part, but is cut and pasted."""
        align, tenth = self._px(ALIGN_INCHES), 0.1 * self.dpi
        thin = cv2.morphologyEx(down, cv2.MORPH_TOPHAT, np.ones((1, self._px(0.05))))  # no bands
        sharp = thin - cv2.blur(thin, (align | 1, 1))
        at = (np.arange(len(down)) + 0.5) / PARTS - 0.5
        near = np.rint(np.interp(at, blocks, shift)).astype(np.int64)
        reach = self._px(ASTRAY_INCHES)
        aside = np.arange(-reach, reach + 1, max(1, round(self.dpi / 200)))
        most = int(abs(near).max()) + reach
        padded, columns = np.pad(sharp, ((0, 0), (most, most))), down.shape[1]
        path = near.copy()
        path[known] += overlay(_moved(sharp[known], near[known]), align)
        for _ in range(2):  # those that had slipped blur the mean
            mean = _moved(sharp[known], path[known]).mean(0)
            score = np.empty((len(down), len(aside)), np.float32)  # of each part so far aside
            for scores, row, start in zip(score, padded, near + most - reach, strict=True):
                fits = np.correlate(row[start : start + 2 * reach + columns], mean, "valid")
                scores[:] = fits[reach + aside] / max(1e-9, mean @ mean)
            score = np.minimum(score, 1.2) - ROUGH * known[:, None] * abs(aside) / tenth
            came_from, best = [], score[0]  # best: the score of the best path to each place
            for scores, step in zip(score[1:], np.diff(near), strict=True):
                moves = abs(np.subtract.outer(aside + step, aside)) / tenth  # (to, from)
                ways = best - np.minimum(MOVE * moves, LEAP)
                came_from.append(ways.argmax(1))
                best = ways.max(1) + scores
            back = accumulate(came_from[::-1], lambda at, before: before[at], initial=best.argmax())
            places = [*back][::-1]
            path = near + aside[places]
        return path, score[np.arange(len(score)), places]

    def _shifts(self, down: Floats, shift: Indices) -> NDArray[np.int16]:
        """How far right each column of a part lies, (parts, columns + 1). down: as in `_follow`."""
        reach, columns = self._px(ALIGN_INCHES), down.shape[1]
        # Sheets of one log are not printed alike: each span of the width moves by itself, too.
        sharp = _moved(down - cv2.blur(down, (reach | 1, 1)), shift)
        wide = columns // SPANS + 1
        middles = range(wide // 2, columns, wide)
        spans = [overlay(sharp[:, max(0, m - wide) : m + wide], reach // 2, STAY) for m in middles]
        moves = cv2.resize(np.stack(spans, 1).astype(np.float32), (columns + 1, len(down)))
        return np.rint(moves + shift[:, None]).astype(np.int16)

    def _off(self, page: Floats, end: int) -> Floats:
        """How far each column lies from the end of a panel's lines across. From ``end`` on fewer
        and fewer of them may go on: beyond it, the distance counts less. inf: too far."""
        fade = self._px(FADE_INCHES)
        top, beyond = page[max(0, end - fade) : end].max(), page[end - 1 : end + fade]
        level = 0.7 * beyond.min() + 0.3 * top
        end += int((beyond < level).argmax()) - 1
        off = np.ones(len(page))
        off[end:] = np.clip((level - page[end:]) / max(1e-6, level - beyond.min()), 0, 1)
        off, far = np.abs(off.cumsum() - off[: end + 1].sum()), np.arange(len(page)) - end
        reach = (far > -self._px(INSIDE_INCHES)) & (far < self._px(OUTSIDE_INCHES))
        return np.where(reach, off, np.inf)


def overlay(rows: Floats, most: int, stay: float = 0, empty: float = 0) -> Indices:
    """How many columns each row of ``rows`` lies to the right of the mean of all, int64 (rows,), at
    most ``most`` either way. Neighbouring rows are scored together. stay: the penalty of a shift by
    ``most``, as a share of the score of a row like the mean. empty: the value beyond the edges."""
    padded = np.pad(rows, ((0, 0), (most, most)), constant_values=empty)
    shift = np.zeros(len(rows), np.int64)
    for _ in range(3):
        mean = _moved(rows, shift, empty).mean(0)
        score = [padded[:, i : i + len(mean)] @ mean for i in range(2 * most + 1)]
        along = gaussian_filter1d(np.stack(score, 1), 1, axis=0)
        along -= stay * (mean @ mean) * np.linspace(-1, 1, 2 * most + 1) ** 2
        shift = median_filter(along.argmax(1), 5) - most
        shift -= int(np.median(shift))
    return shift


def _moved(rows: Floats, shift: Indices | NDArray[np.int16], empty: float = 0) -> Floats:
    """Each row moved to the left by its shift, or each column of it by its own."""
    most = int(np.abs(shift).max())
    place = most + np.arange(rows.shape[1]) + shift.reshape(len(rows), -1)
    return np.take_along_axis(np.pad(rows, ((0, 0), (most, most)), constant_values=empty), place, 1)


def _decades(start: int, count: int) -> Floats:
    """Where the lines of ``count`` decades lie in [0, 1], the first line at value ``start``."""
    values = np.outer(10.0 ** np.arange(count + 1), np.arange(1, 10)).ravel() / start
    return np.log10(values[(values >= 1) & (values <= 10.0**count)]) / count


COMBS: list[Floats] = [np.arange(parts + 1) / parts for parts in range(4, 31)]
COMBS += [_decades(start, count) for start, count in product((1, 2), range(1, 6))]
COMBS += [np.r_[0, (np.arange(count) + np.log10(5)) / count, 1] for count in range(3, 6)]
NODES, COUNTS = np.concatenate(COMBS), np.array([len(comb) for comb in COMBS])
STARTS, USUAL = COUNTS.cumsum() - COUNTS, np.where(COUNTS == 11, 1.15, 1)
"""Where lines lie in [0, 1]: equal parts, most often ten; decades from 1 or 2; their bold lines."""


def _lines_down(ruled: Floats, left: int, right: int, dpi: float) -> tuple[Indices, Floats]:
    """Columns of the lines down; how clear each is, 0 to 1: as the usual one within the track."""
    flat = cv2.GaussianBlur(ruled[None], (0, 0), max(0.7, dpi / 250))
    height = cv2.morphologyEx(flat, cv2.MORPH_TOPHAT, np.ones((1, round(0.05 * dpi) | 1)))[0]
    # Not scipy.signal.find_peaks, which takes half a second to be imported.
    peaks = np.flatnonzero((height >= 0.02) & (height == maximum_filter1d(height, 3)))
    inside = height[peaks[(peaks >= left) & (peaks <= right)]]  # weighted: most may be no lines
    height = np.clip(height / (np.average(inside, weights=inside) if len(inside) else 1), 0, 1)
    return peaks[height[peaks] > 0.2], height


def _agreement(at: Indices, first: int, lines: Indices, height: Floats, slack: int) -> Floats:
    """How well the lines down agree with the best comb from each column of ``at`` to each one from
    the ``first`` on: (columns, columns), 0 to 1, as Dice. Lines less than slack off count less."""
    near = cv2.blur(cv2.dilate(height[None], np.ones((1, 2 * slack + 1))), (slack | 1, 1))[0]
    count = np.bincount(lines + 2, height[lines], len(height) + 3).cumsum()
    agree = np.zeros((len(at), len(at)))
    for k in range(first, len(at)):
        nodes = np.rint(at[:k, None] + NODES * (at[k] - at[:k, None])).astype(int)
        hits = 2 * USUAL * np.add.reduceat(near[nodes], STARTS, axis=1)
        agree[:k, k] = (hits / (COUNTS + (count[at[k] + 3] - count[at[:k]])[:, None])).max(1)
    return agree


def _borders(ruled: Floats, before: Floats, after: Floats, dpi: float, gap: list[int]) -> list[int]:
    """Borders of a panel's tracks, in order; none: no grid. before, after: ``_off`` of its ends.
    gap: the ends of its neighbours, over which its own do not go if there is another line."""
    lines, height = _lines_down(ruled, int(before.argmin()), int(after.argmin()), dpi)
    columns = np.arange(len(ruled))
    for off, over in ((before, columns < gap[0] + 2), (after, columns >= gap[1] - 2)):
        if np.isfinite(np.where(over, np.inf, off)[lines]).any():
            off[over] = np.inf
    left, right = int(before.argmin()), int(after.argmin())
    # The columns that may be borders: the first one, one between two tracks, the last one.
    reach, drawn = round(NEAR_INCHES * dpi), np.isin(columns, lines)
    starts, ends = (np.flatnonzero((it <= reach) | drawn & (it < np.inf)) for it in (before, after))
    inner = lines[(lines > starts[-1]) & (lines < ends[0])]
    at, first, last = np.concatenate([starts, inner, ends]), len(starts), len(starts) + len(inner)
    off = np.concatenate([before[starts], np.zeros(len(inner)), after[ends]])
    worth = DRAWN * height[at] - FAR * np.minimum(1, off / reach) ** 2
    worth[first:last] = -SHARED
    agree = _agreement(at, first, lines, height, slack=round(dpi / 80))
    width = at - at[:, None]
    gain = np.where(width < LEAST_INCHES * dpi, -9, agree * width / (right - left))  # -9: never
    gain[:first, last:] = agree[:first, last:]  # a track that fills its panel may be narrower
    # Dynamic programming: the best path from a start to an end, and its score up to each column.
    came_from, score = np.zeros(len(at), int), worth.copy()
    for k in range(first, len(at)):
        total = score + gain[:, k]
        came_from[k] = total.argmax()
        score[k] += total.max()
    path = [last + int(score[last:].argmax())]
    while path[-1] >= first:
        path.append(int(came_from[path[-1]]))
    borders: list[int] = at[path[::-1]].tolist()
    for end in (0, -1):
        near_by = lines[abs(lines - borders[end]) <= 0.02 * dpi].tolist()
        borders[end] = max(near_by, key=lambda line: height[line], default=borders[end])
    # Lines across go on to the edge of the scan beyond the last line down: it is cut off.
    edge, stop = max(6, 0.04 * dpi), len(ruled)
    borders[0] = 0 if left < edge < borders[0] else borders[0]
    borders[-1] = stop if stop - right < edge < stop - borders[-1] else borders[-1]
    return borders if score[path[0]] >= PANEL else []

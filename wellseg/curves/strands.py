"""From a mask to chains: pieces of a curve's centreline without junctions.

The mask is thinned. Each row of the thinned mask has a few *runs* of pixels. A *chain* is a run
followed down for as long as it touches exactly one run in the next row, and that one no other.
Where strokes meet or part, chains end, and know their neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.morphology import skeletonize

from wellseg.curves.points import NO_LOOK, Curve, Flags, Floats, Indices
from wellseg.scan.pictures import Gray, extremes

MARGIN_ROWS = 24  # above and below a block: thinning looks at them
START, STOP, CONFIDENCE, DUTY, HALF, RED, GREEN, BLUE, LAYER, ROW = range(10)
"""What is known of a run: first and last column; mean probability; share of it that is ink on the
scan; half the width of its stroke; mean red, green, blue; layer (see split_colours); row."""
KEPT_ROWS = 256  # last rows of a long chain that are kept: its course and look need no more
STRAND_ROWS = 3  # a chain of fewer rows that touches others is part of a knot,
STRAND_WIDE = 14  # unless it is so many times half its stroke wide: chosen on drawn logs and labels
DARK_GRAY = 128  # gray below is ink; of pale strokes, below halfway from theirs to paper's
CHROMA = 60  # from this difference of largest and smallest channel on a pixel has a hue
DARK = 110  # without a hue it is black ink if all channels are below; else grid, or a stroke's edge
HUE_APART = 14  # hues (0 to 179) so far from those of all known inks are of a new ink,
LEAST_PIXELS = 40  # if a block has so many such pixels
PATCH_PIXELS = 120  # Prints mix colours from dots: pieces of fewer pixels are patches
BESIDE = 0.25  # if so much of them lies beside other inks.
PATCHY = 0.62  # An ink is mixed if so much of it is in patches. It counts as black
PRINT = 0.5  # if so much of all inks together is in patches, too; else as none,
RARE = 0.03  # if it is less than this share of all: where curves cross, or the edge of a stroke
REACH_PX = 8  # a pixel farther from all of a clear colour is black
LINE_PX, LINE_GAP = 13, np.ones((1, 61), np.uint8)  # least line of a grid, and largest gap in it
HIDDEN = np.ones((1, 5), np.uint8)  # largest part of a stroke that another ink hides
FILL_DOTS = np.ones((5, 5), np.uint8)  # gap between the dots, or crossed lines, of a black fill
FILL = np.ones((6, 6), np.uint8)  # least filled area. A pixel is its edge, and no curve,
FILL_NEAR = np.ones((25, 25), np.uint8)  # if some of it lies in such a square around the pixel,
OTHER_NEAR = np.ones((9, 9), np.uint8)  # and another ink in this one
SHADES = 0, 160, 224, 256  # dark, between and light pixels, by their largest channel
EACH = 0.15  # One hue is two inks (magenta and purple on mud logs) if so much of it at least is
BETWEEN = 0.1  # dark, as much is light, and so much at most is between.
BLACK = np.uint8(1)  # layer of black ink; 0 is no curve
FIRST_INK = 2  # layer of the first of `Inks`; the others follow in their order
DARK_INK = np.uint8(100)  # added to the layer of the dark one of two inks of one hue
RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)  # the pixels around one
Inks = dict[int, Indices]
"""The printing colours of a scan by their hue. Five counts of pixels so far: all; those in small
patches beside other inks (PATCH_PIXELS); and, by SHADES, dark, neither, light."""


@dataclass(eq=False)
class Chain:
    """A piece of centreline: one run in each row from ``first_row`` on."""

    first_row: int
    layer: int
    runs: Floats  # its last ones: see START
    rows: int = 0
    open: bool = True  # it may go on in rows that are not known yet
    above: list["Chain"] = field(default_factory=list)
    below: list["Chain"] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)  # those on it; empty before it is decided
    waiting: list[Curve] = field(default_factory=list)  # of these, those that may still go on
    recorded_rows: int = 0
    look: Floats = field(default_factory=NO_LOOK.copy)  # when it was decided

    @property
    def last_row(self) -> int:
        return self.first_row + self.rows - 1

    @property
    def is_strand(self) -> bool:
        """Whether it can carry curves: it is no part of a knot."""
        if self.rows >= STRAND_ROWS or not (self.above or self.below):
            return True
        return bool(np.ptp(self.runs[:, : STOP + 1]) >= STRAND_WIDE * self.runs[:, HALF].max())

    def records(self, first: int) -> Floats:
        """Of its rows from the first-th on, as `Curve.records` has them: those that are kept."""
        runs = self.runs[first - self.rows :]  # as many as there are, or fewer
        start, stop, sure, duty, half = runs.T[: HALF + 1]
        left, right = start - half + 1, stop + half - 1
        return np.array([runs[:, ROW], (start + stop) / 2, left, right, sure, duty > 0.5], "f4").T


class ChainFinder:
    """Gives the chains of a scan, block by block of rows."""

    def __init__(self, first_row: int) -> None:
        self.row = first_row  # the next one
        self._inks, self._open = Inks(), list[Chain]()

    def add(self, planes: Sequence[Gray], keep: slice, last: bool) -> list[Chain]:
        """The chains that begin in rows ``keep``; earlier ones that go on get longer. planes: gray,
        mask, probability, uint8 (rows, columns), and perhaps RGB. last: no rows follow."""
        begin, self.row = self.row, self.row + keep.stop - keep.start
        last_runs = [chain.runs[-1:] for chain in self._open]
        runs = np.concatenate([*last_runs, _runs(planes, self._inks, keep, begin)])
        tail, head = _touching(runs)
        down, up = (np.bincount(ends, minlength=len(runs)) for ends in (tail, head))
        alone = (down[tail] == 1) & (up[head] == 1)
        graph = coo_array((alone[alone], (tail[alone], head[alone])), shape=(len(runs),) * 2)
        _, label = connected_components(graph, directed=False)
        order = np.argsort(label, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
        chains: list[Chain] = []
        for members in groups if len(order) else []:
            if members[0] < len(self._open):
                chain, members = self._open[members[0]], members[1:]
            else:
                layer, row = runs[members[0], LAYER:].astype(int).tolist()
                chain = Chain(row, layer, runs[:0])
            chain.runs = np.concatenate([chain.runs[-KEPT_ROWS:], runs[members]])
            chain.rows += len(members)
            chain.open = not last and chain.last_row == self.row - 1
            chains.append(chain)
        for upper, lower in zip(label[tail[~alone]], label[head[~alone]], strict=True):
            chains[upper].below.append(chains[lower])
            chains[lower].above.append(chains[upper])
        self._open = [chains[number] for number in label[runs[:, ROW] == self.row - 1]]
        return [chain for chain in chains if chain.first_row >= begin]


def _touching(runs: Floats) -> tuple[Indices, Indices]:
    """Pairs (upper, lower) of runs of one layer that touch, corners too."""
    start, stop, layer, row = runs[:, [START, STOP, LAYER, ROW]].astype(np.int64).T
    width = stop.max(initial=0) + 4
    base = (row * 256 + layer) * width + 2
    below = base + 256 * width
    return pairs_between(base + stop, base + start, below + start - 1, below + stop + 1)


def pairs_between(ends: Any, starts: Any, low: Any, high: Any) -> tuple[Indices, Indices]:
    """Pairs (i, j) with ends[j] >= low[i] and starts[j] <= high[i]; ends and starts are sorted."""
    first = np.searchsorted(ends, low, "left")
    count = np.maximum(np.searchsorted(starts, high, "right") - first, 0)
    i = np.repeat(np.arange(len(low)), count)
    return i, np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count) + first[i]


def _runs(planes: Sequence[Gray], inks: Inks, keep: slice, first_row: int) -> Floats:
    """The runs of the thinned strokes, (runs, ROW + 1), sorted by row, layer and column."""
    _, used = _box(planes[1] > 0, 16)
    gray, mask, probability, *colours = (np.ascontiguousarray(plane[:, used]) for plane in planes)
    layers = split_colours(mask > 127, colours[0] if colours else None, inks)
    dark = cv2.erode(gray, np.ones((1, 3), np.uint8))  # or 1 px beside; dots stay apart
    found = [np.empty((0, ROW + 1), np.float32)]
    for layer in np.unique(layers[keep][layers[keep] > 0]).tolist():
        box = _box(layers == layer, HIDDEN.size)
        own, curve = layers[box] == layer, mask[box] > 127
        part = np.pad((_morph(own, cv2.MORPH_CLOSE, HIDDEN) & curve).view(np.uint8), 1)
        half = cv2.distanceTransform(part, cv2.DIST_L2, 5)
        row, column = np.nonzero(skeletonize(part > 0))
        half, row, column = half[row, column], row + box[0].start - 1, column + box[1].start - 1
        kept = (row >= keep.start) & (row < keep.stop)
        row, column, half = row[kept], column[kept], half[kept]
        begins = np.flatnonzero((np.diff(row, prepend=-1) > 0) | (np.diff(column, prepend=-9) > 1))
        length = np.diff(begins, append=len(row))
        paint = colours[0][row, column].T if colours else np.zeros((3, len(row)))
        shade = dark[row, column]
        ink = shade < max(DARK_GRAY, 128 + np.percentile(np.append(shade, 0), 25) / 2)
        facts = np.stack([probability[row, column] / 255, ink, half, *paint])
        means = np.add.reduceat(facts, begins, axis=1) / length
        start, scan_row = column[begins] + used.start, row[begins] - keep.start + first_row
        stop = start + length - 1
        found.append(np.stack([start, stop, *means, 0 * scan_row + layer, scan_row], 1, dtype="f4"))
    runs = np.concatenate(found)
    return runs[np.lexsort((runs[:, START], runs[:, LAYER], runs[:, ROW]))]


def split_colours(mask: Flags, colours: Gray | None, inks: Inks) -> Gray:
    """The layer of each pixel of a mask, 0 where there is no curve: uint8 (rows, columns). colours:
    RGB, or None: one layer. inks: those of the scan so far; new ones are added.
    Each printing colour is a layer of its own: curves of two colours can cross, touch or run side
    by side without being taken for each other. The mask of a stroke is wider than its ink, and its
    edges have mixed colours: each pixel belongs to the nearest one whose colour is clear."""
    if colours is None or not mask.any():
        return mask * BLACK
    bright, least = extremes(colours)
    has_hue = bright - least >= CHROMA
    hue = cv2.cvtColor(colours, cv2.COLOR_RGB2HSV)[..., 0]
    of_hue = np.resize(_find_inks(hue[has_hue & mask], inks), 256)  # a table of all uint8
    ink = np.where(has_hue, cv2.LUT(hue, of_hue), (bright < DARK) * BLACK)
    clear, grid = _without_grid(ink, mask)
    layers = _nearest(clear, mask)
    layers[grid & (layers > BLACK)] = 0  # it is beside an ink, no edge of it
    for number, counts in enumerate(inks.values(), FIRST_INK):
        if (layers == number).any():
            counts += _count_pixels(layers, number, bright, has_hue)
    pixels, patches, *shades = np.array([*inks.values()]).reshape(-1, 5).T
    is_print = patches.sum() > PRINT * pixels.sum()
    is_mixed = (patches > PATCHY * pixels) & (is_print | (pixels < RARE * pixels.sum()))
    layers[np.isin(layers, FIRST_INK + np.flatnonzero(is_mixed))] = BLACK if is_print else 0
    dark, between, light = shades / np.maximum(1, np.sum(shades, 0))
    is_two = (dark >= EACH) & (light >= EACH) & (between <= BETWEEN)
    is_dark = bright < np.mean(SHADES[1:3])
    for own in (layers == FIRST_INK + number for number in np.flatnonzero(is_two)):
        away = ((~(own & has_hue & it)).view(np.uint8) for it in (is_dark, ~is_dark))
        to_dark, to_light = (cv2.distanceTransform(it, cv2.DIST_L2, 3) for it in away)
        layers[own & (to_dark < to_light)] += DARK_INK
    return layers


def _without_grid(ink: Gray, mask: Flags) -> tuple[Gray, Flags]:
    """The layer of each pixel of a mask whose colour is clear, else 0; and where black grid is.
    ink: the layer by colour alone, of all pixels. Grid, hatches and fills are not clear."""
    clear, grid = ink * mask, np.zeros(mask.shape, bool)
    for number in np.unique(clear[clear > 0]).tolist():
        box = _box(clear == number, LINE_GAP.size + LINE_PX)  # nothing farther matters
        clear_here, own, out = clear[box], ink[box] == number, ~mask[box]  # the first is a view
        # A line, parts of it hidden, that goes on beyond the mask on both sides is grid or hatch.
        for gap in (LINE_GAP, LINE_GAP.T):
            line = own & _morph(own | (clear_here > 0), cv2.MORPH_OPEN, gap[:LINE_PX, :LINE_PX])
            if (ends := line & out).any():
                on = line & _morph(ends, cv2.MORPH_CLOSE, gap, borderValue=0)
                clear_here[on] = 0
                grid[box] |= on & (number == BLACK)
        # Nor is a filled area, where another ink is its edge: black ones of dots or crossed lines.
        rest = _morph(own & out, cv2.MORPH_CLOSE, FILL_DOTS) if number == BLACK else own & out
        if (area := _morph(rest, cv2.MORPH_OPEN, FILL)).any():
            others = _morph((clear_here > 0) & ~own, cv2.MORPH_DILATE, OTHER_NEAR)
            clear_here[own & others & _morph(area, cv2.MORPH_DILATE, FILL_NEAR)] = 0
    return clear, grid


def _nearest(clear: Gray, mask: Flags) -> Gray:
    """Gives each pixel of a mask the layer of the nearest clear one, or BLACK."""
    unclear = (clear == 0).view(np.uint8)
    by_pixel = cv2.DIST_LABEL_PIXEL  # each clear one has a label, others that of the nearest
    distance, label = cv2.distanceTransformWithLabels(unclear, cv2.DIST_L2, 5, labelType=by_pixel)
    layer_of = np.zeros(label.max() + 1, np.uint8)
    layer_of[label[clear > 0]] = clear[clear > 0]
    return np.where(distance <= REACH_PX, layer_of[label], BLACK) * mask


def _box(where: Flags, margin: int) -> tuple[slice, slice]:
    """The rows and columns with any True, and so many beside: most are blank, and take time."""
    left, top, wide, high = cv2.boundingRect(where.view(np.uint8))
    rows = slice(max(0, top - margin), top + high + margin)
    return rows, slice(max(0, left - margin), left + wide + margin)


def _morph(where: Flags, how: int, size: Gray, **edge: Any) -> Flags:
    return np.asarray(cv2.morphologyEx(where.view(np.uint8), how, size, **edge)) > 0


def _find_inks(hue: Gray, inks: Inks) -> Gray:
    """The layer of each of 180 hues. hue: of the pixels of a mask. Of a new ink is a hue that has
    pixels enough, and is far from those of all known ones."""
    count = 7 * uniform_filter1d(np.bincount(hue, minlength=180).astype(float), 7, mode="wrap")
    while True:
        apart = np.abs(np.subtract.outer([*inks], np.arange(180)))
        away = np.minimum(apart, 180 - apart)
        count[away.min(0, initial=90) <= HUE_APART] = 0
        if count.max() < LEAST_PIXELS:
            return (FIRST_INK + away.argmin(0) if inks else np.zeros(180)).astype(np.uint8)
        inks[int(count.argmax())] = np.zeros(5, np.int64)


def _count_pixels(layers: Gray, number: int, bright: Gray, has_hue: Flags) -> Indices:
    """Of one layer, what `Inks` adds up."""
    own = layers == number
    _, patch = cv2.connectedComponents(own.view(np.uint8))
    beside = own & (cv2.dilate(layers * ~own, np.ones((3, 3), np.uint8)) > 0)
    size = np.bincount(patch[own])
    edge = np.bincount(patch[beside], minlength=len(size))
    patches = size[(size < PATCH_PIXELS) & (edge > BESIDE * size)]
    hued = own & has_hue
    dark = (hued & (bright < SHADES[1])).view(np.uint8)
    seen = hued & (dark <= cv2.dilate(dark, RING))  # dark ones alone: a dotted grid below the curve
    shades = np.add.reduceat(np.bincount(bright[seen], minlength=256), SHADES[:-1])
    return np.array([np.count_nonzero(own), patches.sum(), *shades])

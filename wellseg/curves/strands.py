"""From a mask to strands: pieces of a curve's centreline on which nothing happens.

The mask is thinned; a row of what is left is a few *runs* of pixels, and a *chain* is a run
followed down for as long as it touches exactly one run in the next row, and that one no other.
Where strokes meet or part, chains end: they are numbered, and know their neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.morphology import skeletonize as untyped

from wellseg.curves.layers import Layers

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

skeletonize: Callable[[NDArray[np.bool_]], NDArray[np.bool_]] = untyped

MARGIN_ROWS = 24
"""Rows above and below a block that thinning looks at."""

START, STOP, CONFIDENCE, HALF, INK, DUTY, RED, GREEN, BLUE = range(9)
"""What is known of a run: first and last column; mean probability; half the width, across it, of
its stroke in the mask and of its ink on the scan; share of it that is ink; mean colour."""
FACTS = 9
KEPT_ROWS = 256
"""Of a long chain, above what is decided."""
DARK_INK = 128
"""Gray below is ink."""


@dataclass(eq=False)
class Chain:
    """A piece of centreline: one run in each row from ``first_row`` on."""

    number: int
    layer: int
    first_row: int
    parts: list[Floats] = field(default_factory=list)
    """(rows, FACTS): see START."""
    above: list[Chain] = field(default_factory=list)
    below: list[Chain] = field(default_factory=list)
    rows: int = 0
    open: bool = True
    """It may go on in rows that are not known yet."""

    @property
    def last_row(self) -> int:
        return self.first_row + self.rows - 1

    def add(self, part: Floats) -> None:
        self.parts.append(part)
        self.rows += len(part)

    def runs(self) -> Floats:
        """All of its runs that are kept."""
        if len(self.parts) > 1:
            self.parts = [np.concatenate(self.parts)]
        return self.parts[0]

    def leave(self) -> None:
        """Let go of its neighbours, and they of theirs: nothing can join it any more."""
        self.parts, self.above, self.below = [], [], []

    def forget(self, row: int) -> None:
        """Keep no more runs above a row than its course and looks ask for."""
        if self.parts and self.open:
            runs = self.runs()
            self.parts = [runs[max(0, row - KEPT_ROWS - (self.last_row - len(runs) + 1)) :]]


class ChainFinder:
    """Gives the chains of a scan, block by block of rows."""

    def __init__(self, first_row: int) -> None:
        self._layers = Layers()
        self._row = first_row
        self._count = 0
        self._open: list[Chain] = []  # those with a run in the last row, as the runs are sorted
        self._last = np.empty((0, FACTS + 2), np.float32)

    def add(
        self,
        gray: Bytes,
        mask: NDArray[np.bool_],
        probability: Bytes,
        colours: Bytes | None,
        keep: slice,
    ) -> list[Chain]:
        """New chains of the rows ``keep``; those from before that go on are prolonged."""
        layers = self._layers.split(mask, colours)
        runs = _runs(layers, gray, probability, colours, keep, self._row)
        rows = keep.stop - keep.start
        new = self._join(runs, self._row + rows)
        self._row += rows
        return new

    def _join(self, runs: Floats, stop: int) -> list[Chain]:
        carried = len(self._last)
        runs = np.concatenate([self._last, runs])
        tail, head = _touching(runs)
        down = np.bincount(tail, minlength=len(runs))
        up = np.bincount(head, minlength=len(runs))
        alone = (down[tail] == 1) & (up[head] == 1)
        # A carried run is the last of its chain, even where nothing else is known of it.
        links = coo_array(
            (np.ones(alone.sum()), (tail[alone], head[alone])), shape=(len(runs),) * 2
        )
        _, label = connected_components(links, directed=False)
        order = np.argsort(label, kind="stable")
        borders = np.flatnonzero(np.diff(label[order])) + 1
        chain_of: list[Chain | None] = [None] * len(runs)
        new: list[Chain] = []
        for members in np.split(order, borders) if len(order) else []:
            first = int(members[0])
            if first < carried:
                chain = self._open[first]
                members_new = members[1:]
            else:
                layer, row = int(runs[first, FACTS]), int(runs[first, FACTS + 1])
                chain, members_new = Chain(self._count, layer, row), members
                self._count += 1
                new.append(chain)
            if len(members_new):
                chain.add(runs[members_new, :FACTS])
            for member in members.tolist():
                chain_of[member] = chain
        for one, other in zip(tail[~alone].tolist(), head[~alone].tolist(), strict=True):
            upper, lower = chain_of[one], chain_of[other]
            assert upper and lower
            upper.below.append(lower)
            lower.above.append(upper)
        for chain in self._open:
            chain.open = False
        for chain in new:
            chain.open = False
        last = (
            np.flatnonzero(runs[:, FACTS + 1] == stop - 1) if len(runs) else np.empty(0, np.int64)
        )
        self._last = runs[last]
        self._open = []
        for place in last.tolist():
            chain_ = chain_of[place]
            assert chain_
            chain_.open = True
            self._open.append(chain_)
        return new

    def close(self) -> None:
        """There are no further rows."""
        for chain in self._open:
            chain.open = False


def _touching(runs: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of runs, of one row and the next, of one layer, that touch, corners too."""
    if not len(runs):
        empty = np.empty(0, np.int64)
        return empty, empty
    start, stop = runs[:, START].astype(np.int64), runs[:, STOP].astype(np.int64)
    layer, row = runs[:, FACTS].astype(np.int64), runs[:, FACTS + 1].astype(np.int64)
    width = int(stop.max()) + 4
    base = (row * 256 + layer) * width + 2
    below = base + 256 * width
    first = np.searchsorted(base + stop, below + start - 1, "left")
    after = np.searchsorted(base + start, below + stop + 1, "right")
    count = np.maximum(after - first, 0)
    tail = np.repeat(np.arange(len(runs)), count)
    head = np.arange(len(tail)) - np.repeat(np.cumsum(count) - count, count) + first[tail]
    return tail, head


def _runs(
    layers: Bytes,
    gray: Bytes,
    probability: Bytes,
    colours: Bytes | None,
    keep: slice,
    first_row: int,
) -> Floats:
    """The runs of the thinned strokes, (runs, FACTS + 2): as START says, then layer and row; sorted
    by row, layer and column."""
    found = [np.empty((0, FACTS + 2), np.float32)]
    square = np.ones((3, 3), np.uint8)
    left, _, wide, _ = cv2.boundingRect(layers)
    used = slice(max(0, left - 16), left + wide + 16)  # most of a scan has no curve
    layers, gray, probability = layers[:, used], gray[:, used], probability[:, used]
    colours = None if colours is None else colours[:, used]
    dark = np.pad((gray < DARK_INK).view(np.uint8), ((0, 0), (1, 1)))  # paper, even in a black area
    ink = cv2.dilate(cv2.distanceTransform(dark, cv2.DIST_L2, 3), square)[keep, 1:-1]
    for layer in np.unique(layers[keep]).tolist():
        if not layer:
            continue
        stroke = layers == layer
        box = cv2.boundingRect(stroke.view(np.uint8))
        area = (slice(box[1], box[1] + box[3]), slice(box[0], box[0] + box[2]))
        part = np.pad(stroke[area], 1)
        thin = np.zeros(stroke.shape, bool)
        thin[area] = skeletonize(part)[1:-1, 1:-1]
        half = np.zeros(stroke.shape, np.float32)
        half[area] = cv2.distanceTransform(part.view(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        row, column = np.nonzero(thin[keep])
        if not len(row):
            continue
        begins = np.ones(len(row), bool)
        begins[1:] = (np.diff(row) > 0) | (np.diff(column) > 1)
        at = np.flatnonzero(begins)
        ends = np.append(at[1:], len(row)) - 1
        inked = ink[row, column]
        facts = [probability[keep][row, column] / 255, half[keep][row, column], inked, inked > 0]
        if colours is None:
            facts += [np.zeros(len(row))] * 3
        else:
            facts += list(colours[keep][row, column].T)
        means = np.add.reduceat(np.stack(facts, 1, dtype=float), at) / (ends - at + 1)[:, None]
        where = [np.full(len(at), layer), row[at] + first_row]
        found.append(np.column_stack([column[at], column[ends], means, *where]).astype(np.float32))
    runs = np.concatenate(found)
    runs[:, START : STOP + 1] += used.start
    return runs[np.lexsort((runs[:, START], runs[:, FACTS], runs[:, FACTS + 1]))]

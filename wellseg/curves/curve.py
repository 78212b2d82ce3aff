"""What a curve is when it has been followed: its place in every row, and what is known of it.

``CurveFollower`` is fed the rows of a scan from top to bottom and gives the curves that have ended.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from wellseg.curves.follow import Follower

BRIDGED, WRAPPED, UNCERTAIN = 1, 2, 4
"""Flags of a row: in a bridged gap; on an off-scale repeat; it may belong to another curve."""

Style = Literal["solid", "dashed", "dotted"]


@dataclass(frozen=True)
class Points:
    """A curve row by row, from its first row on; arrays of as many entries as it has rows."""

    column: NDArray[np.float32]
    """Centre of the stroke; 0.0 is the middle of the leftmost pixel. NaN where it is missing."""
    left: NDArray[np.float32]
    """Leftmost pixel of the stroke in this row, and NaN: a spike is a span."""
    right: NDArray[np.float32]
    """Rightmost pixel, and NaN."""
    confidence: NDArray[np.float32]
    """Mean probability of the pixels, in [0, 1]; 0 where it is missing or bridged."""
    flags: NDArray[np.uint8]
    """Of BRIDGED, WRAPPED and UNCERTAIN."""


@dataclass(eq=False)
class Curve:
    """One printed curve from its first row to its last."""

    first_row: int
    rows: int = 0
    style: Style = "solid"
    width_px: float = 1.0
    """Usual width of its stroke."""
    colour: tuple[int, int, int] | None = None
    """Red, green, blue, 0 to 255; None for black and gray."""
    uncertain: list[int] = field(default_factory=list)
    """Rows in which it could have been mistaken for another."""
    chunks: list[tuple[int, int]] = field(default_factory=list)
    """Where its points lie in the temporary file, in bytes: offset and size."""


class CurveFollower:
    """Follows all curves of a scan. Feed ``add`` from top to bottom, then ``finish``.

    least_rows: shorter ones that nothing continues are letters, specks and bits of grid.
    gap_rows: half a dash, for the scan's dpi.
    first_row: the number of the first row that it is fed.
    """

    def __init__(
        self,
        least_rows: int,
        gap_rows: int = 20,
        scratch: Path | None = None,
        first_row: int = 0,
    ) -> None:
        self.curves: list[Curve] = []
        """After ``finish``: sorted by first row, then from left to right."""
        self._follower = Follower(least_rows, gap_rows, scratch, first_row)
        self._file = tempfile.TemporaryFile(dir=scratch)

    def add(
        self,
        gray: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        probability: NDArray[np.uint8],
        colours: NDArray[np.uint8] | None = None,
    ) -> None:
        """The next rows, uint8 (rows, columns): gray 0 black to 255 white, mask 255 curve and 0
        not, probability 255 for certainty. colours: (rows, columns, 3), red, green, blue, or
        None."""
        self._follower.add(mask, probability)

    def finish(self) -> None:
        """After the last row: ``curves`` is complete."""
        self._follower.finish()
        for trace in self._follower.traces:
            column, width, confidence = self._follower.points(trace).T
            curve = Curve(trace.first_row, len(column), width_px=float(np.nanmedian(width)))
            half = (width - 1) / 2
            spans = [column - half, column + half, np.nan_to_num(confidence), 0 * confidence]
            block = np.nan_to_num(np.stack([column, *spans], 1)).astype(np.float32)
            block[np.isnan(column), :3] = np.nan
            curve.chunks.append((self._file.seek(0, 2), block.nbytes))
            self._file.write(block.tobytes())
            self.curves.append(curve)

    def points(self, curve: Curve) -> Points:
        """Of a curve that has ended, row by row."""
        parts = []
        for at, size in curve.chunks:
            self._file.seek(at)
            parts.append(self._file.read(size))
        block = np.frombuffer(b"".join(parts), np.float32).reshape(-1, 5)
        column, left, right, confidence, flags = block.T
        return Points(column, left, right, confidence, flags.astype(np.uint8))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._follower.__exit__()
        self._file.close()

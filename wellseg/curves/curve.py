"""Curves followed through a scan, from its top to its bottom."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from wellseg.curves.points import BRIDGED, UNCERTAIN, Curve, Points, Style
from wellseg.curves.strands import MARGIN_ROWS, ChainFinder
from wellseg.curves.window import LOOK_ROWS, Window

__all__ = ["BRIDGED", "UNCERTAIN", "Curve", "CurveFollower", "Points", "Style"]

USUAL_DPI = 200.0
"""Of a scan that does not say, or says what no scanner does."""
LEAST_INCHES = 0.25
"""Of paper. Shorter curves are left out."""
GAP_INCHES = 0.1
"""Half a dash."""
BLOCK_ROWS = 512
KEPT_ROWS = 512


class CurveFollower:
    """Follows all curves of a scan. Feed ``add`` from top to bottom, then ``finish``.

    least_rows: shorter ones that nothing continues are letters, specks and bits of grid.
    gap_rows: half a dash, for the scan's dpi.
    first_row: the number of the first row that it is fed.
    """

    @classmethod
    def at(cls, dpi: float | None, scratch: Path | None = None, first_row: int = 0) -> Self:
        """For a scan of that many dots per inch, if it says."""
        dpi = dpi if dpi and 50 <= dpi <= 1200 else USUAL_DPI
        return cls(round(LEAST_INCHES * dpi), round(GAP_INCHES * dpi), scratch, first_row)

    def __init__(
        self,
        least_rows: int,
        gap_rows: int = 20,
        scratch: Path | None = None,
        first_row: int = 0,
    ) -> None:
        self.curves: list[Curve] = []
        """After ``finish``: sorted by first row, then from left to right."""
        self.least_rows = least_rows
        self._file = tempfile.TemporaryFile(dir=scratch)
        self._chains = ChainFinder(first_row)
        self._window = Window(gap_rows, self._spill)
        self._first = first_row
        self._gray: list[NDArray[np.uint8]] = []
        self._mask: list[NDArray[np.bool_]] = []
        self._ink: list[NDArray[np.uint8]] = []
        self._colours: list[NDArray[np.uint8]] = []
        self._have = self._above = 0

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
        for row in range(0, len(mask), BLOCK_ROWS):  # a block copies what waits
            part = slice(row, row + BLOCK_ROWS)
            self._gray.append(gray[part])
            self._mask.append(mask[part] > 127)
            self._ink.append(probability[part])
            if colours is not None:
                self._colours.append(colours[part])
            self._have += len(mask[part])
            while self._have >= self._above + BLOCK_ROWS + MARGIN_ROWS:
                self._block(BLOCK_ROWS)

    def _block(self, rows: int) -> None:
        """Take that many rows."""
        gray, mask = np.concatenate(self._gray), np.concatenate(self._mask)
        ink = np.concatenate(self._ink)
        colours = np.concatenate(self._colours) if self._colours else None
        above = self._above
        begin, end = max(0, above - MARGIN_ROWS), min(len(mask), above + rows + MARGIN_ROWS)
        new = self._chains.add(
            gray[begin:end],
            mask[begin:end],
            ink[begin:end],
            None if colours is None else colours[begin:end],
            slice(above - begin, above - begin + rows),
        )
        self._window.add(new)
        known = self._first + rows
        if len(mask) < above + rows + MARGIN_ROWS:
            self._chains.close()
            stop = known + 1
        else:
            stop = known - LOOK_ROWS
        self._window.decide(stop, ink[: above + rows], self._first - above)
        self._first = known
        drop = max(0, above + rows - KEPT_ROWS)
        self._gray, self._mask, self._ink = [gray[drop:]], [mask[drop:]], [ink[drop:]]
        if colours is not None:
            self._colours = [colours[drop:]]
        self._have -= drop
        self._above += rows - drop

    def finish(self) -> None:
        """After the last row: ``curves`` is complete."""
        if self._have > self._above:
            self._block(self._have - self._above)
        self._window.finish()
        lines = [line for line in self._window.ended if line.rows >= self.least_rows]
        for line in lines:
            curve = Curve(line.first_row, line.rows, line.style, 2 * line.look.ink - 1)
            curve.colour, curve.uncertain = line.ink_colour, line.uncertain
            curve.chunks = line.chunks
            self.curves.append(curve)
        self.curves.sort(key=lambda curve: (curve.first_row, self.points(curve).column[0]))

    def _spill(self, points: NDArray[np.float32]) -> tuple[int, int]:
        """Write points to the end of the temporary file; where they are."""
        at = self._file.seek(0, 2)
        self._file.write(points.tobytes())
        return at, points.nbytes

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
        self._file.close()

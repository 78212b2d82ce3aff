"""A scan in a few hundred lines: where it has curves, how dark it is, where there is doubt."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINES, CELLS = 1000, 64
"""At most so many lines from top to bottom, of so many cells each."""
PLACE_ROWS, PLACES = 256, 24
DOUBT_FROM, DOUBT_TO = 0.2, 0.8
"""Pixels are in doubt where the probability of a curve lies between the two."""
LEAST_DOUBTFUL = 512
"""Places with fewer pixels in doubt (two a row) are not worth a visit."""


class Overview:
    """Fed from top to bottom with rows of any number.

    Doubt of some rows: of the pixels that may be curve (probability above DOUBT_FROM) the share
    whose probability is below DOUBT_TO. Sure curves have blurred edges, too, so some doubt is
    everywhere; what tells is where it is larger than elsewhere.
    """

    def __init__(self, rows: int, columns: int, threshold: float) -> None:
        self.rows, self.threshold = rows, threshold
        self.line_rows = math.ceil(rows / LINES)
        lines, places = math.ceil(rows / self.line_rows), math.ceil(rows / PLACE_ROWS)
        cells = min(CELLS, columns)
        self._cells = np.arange(cells) * columns // cells
        self._cell_columns = np.diff(np.append(self._cells, columns))
        self._curves = np.zeros((lines, cells), np.int64)  # rows with a curve
        self._paper = np.zeros((lines, cells), np.int64)  # sum of gray
        self._places = np.zeros((places, 2), np.int64)  # pixels in doubt, pixels that may be curve
        self._lines = np.zeros((lines, 2), np.int64)
        self._row = 0

    def add(self, gray: NDArray[np.uint8], probability: NDArray[np.uint8]) -> None:
        """The next rows, uint8 (rows, columns): gray, and probability with 255 for certainty."""
        row = np.arange(self._row, self._row + len(gray))
        self._row += len(gray)
        line = row // self.line_rows
        highest = np.maximum.reduceat(probability, self._cells, axis=1)
        np.add.at(self._curves, line, highest > 255 * self.threshold)
        np.add.at(self._paper, line, np.add.reduceat(gray, self._cells, axis=1, dtype=np.int32))
        possible = np.count_nonzero(probability > 255 * DOUBT_FROM, axis=1)
        sure = np.count_nonzero(probability >= 255 * DOUBT_TO, axis=1)
        counts = np.stack([possible - sure, possible], 1)
        np.add.at(self._lines, line, counts)
        np.add.at(self._places, row // PLACE_ROWS, counts)

    def data(self) -> dict[str, Any]:
        """For the page: curve coverage and paper as base64 bytes (lines x cells), doubt for each
        line in [0, 1], and the places of most doubt from top to bottom, [first row, last row,
        doubt]."""
        rows = np.diff(np.append(np.arange(len(self._curves)) * self.line_rows, self.rows))[:, None]
        return {
            "line_rows": self.line_rows,
            "cells": len(self._cells),
            "curves": _base64(255 * self._curves / rows),
            "paper": _base64(self._paper / (rows * self._cell_columns)),
            "doubt": [round(float(share), 3) for share in _share(self._lines)],
            "doubt_from": DOUBT_FROM,
            "doubt_to": DOUBT_TO,
            "place_rows": PLACE_ROWS,
            "places": self._worst(),
        }

    def _worst(self) -> list[tuple[int, int, float]]:
        share = np.where(self._places[:, 0] >= LEAST_DOUBTFUL, _share(self._places), 0.0)
        worst = np.sort(np.argsort(-share, kind="stable")[:PLACES])
        places: list[tuple[int, int, float]] = []
        for place in worst[share[worst] > 0]:
            first, last = int(place) * PLACE_ROWS, min(self.rows, (int(place) + 1) * PLACE_ROWS)
            doubt = round(float(share[place]), 3)
            if places and places[-1][1] == first:  # goes on from the one before
                first, doubt = places[-1][0], max(places.pop()[2], doubt)
            places.append((first, last, doubt))
        return places


def _share(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return counts[:, 0] / np.maximum(1, counts[:, 1])


def _base64(values: NDArray[np.float64]) -> str:
    return base64.b64encode(np.rint(values).astype(np.uint8).tobytes()).decode()

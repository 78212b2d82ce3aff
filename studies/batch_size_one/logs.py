"""The logs of the study: what is trained on, what is like and unlike it. Drawn ones are kept."""

from __future__ import annotations

from itertools import count, cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from studies.batch_size_one.plan import Cell
from wellseg.corpus import draw_log, kind_of
from wellseg.scan.atomic import atomic_file
from wellseg.scan.pictures import to_gray

ROWS = 224
"""Of a log on average: each is half to one and a half times as tall, 480 to 900 columns wide."""
VALIDATION_SEED, TEST_SEED, UNLABELLED_SEED = 2_000_103, 2_000_133, 2_000_203
BLANK_SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)

TALL = {"tall3200": (3200, 480), "tall6400": (6400, 560), "tall12800": (12800, 640)}
"""Rows and columns of the sets of part E."""
TALLEST = 6400
"""Rows of what is drawn for them: the corpus draws few logs that are taller, and none of 12,800."""

Pixels = NDArray[np.uint8]


class StudyLog(NamedTuple):
    """gray and truth uint8 (rows, columns): 0 ink to 255 paper; 255 curve, 0 not, 128 not scored.
    name: of a real one with its well before a slash."""

    name: str
    gray: Pixels
    truth: Pixels

    @property
    def has_curves(self) -> bool:
        return bool((self.truth == 255).any())

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """gray and truth, each uint8 (1, 1, rows, columns)."""
        return torch.from_numpy(self.gray)[None, None], torch.from_numpy(self.truth)[None, None]


class Logs:
    """Draws logs, once each: they are kept in a folder, which all cells and starts share.

    real: a labelled data set (`wellseg evaluate` reads it), pages: another one; None: not scored.
    """

    def __init__(
        self, folder: Path, real: Path | None = None, pages: Path | None = None, scored: int = 64
    ) -> None:
        self.folder, self.real, self.pages, self.scored = folder, real, pages, scored
        self._indices: dict[tuple[str, int], list[int]] = {}

    def training(self, cell: Cell, step: int) -> StudyLog:
        """What every cell of that seed and kind of data is shown at that step: each log once.

        bilevel: 1-bit paper scans; renders are left to the sets that are unlike the training.
        mixed: a render at every second step. tall: whole 1-bit logs of 3,200 x 480.
        """
        if cell.data == "mixed" and step % 2:
            return self.drawn("colour", cell.seed, step // 2)
        if cell.data == "tall":
            return self.drawn("bilevel", cell.seed, step, rows=3200, columns=480)
        return self.drawn("bilevel", cell.seed, step)

    def drawn(
        self, kind: str, seed: int, number: int, rows: int | None = None, columns: int | None = None
    ) -> StudyLog:
        """The number-th log of a kind ("bilevel", "colour") of a seed: a piece of a drawn log."""
        name = f"{kind}-{seed}-{number:05d}" + (f"-{rows}x{columns}" if rows else "")
        path = self.folder / f"{name}.npz"
        if not path.exists():
            gray, truth = _draw(seed, self._index(kind, seed, number), rows, columns)
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_file(path) as file:
                np.savez_compressed(file, gray=gray, truth=truth)
        with np.load(path) as kept:
            return StudyLog(name, kept["gray"], kept["truth"])

    def _index(self, kind: str, seed: int, number: int) -> int:
        known = self._indices.setdefault((kind, seed), [])
        for index in count(known[-1] + 1 if known else 0):
            if len(known) > number:
                return known[number]
            if kind_of(seed, index, "quick") == kind:
                known.append(index)
        raise AssertionError

    def with_curves(self, kind: str, seed: int, many: int) -> list[StudyLog]:
        """The first so many that have a curve."""
        drawn = (self.drawn(kind, seed, number) for number in count())
        return list(islice((log for log in drawn if log.has_curves), many))

    def set(self, name: str) -> list[StudyLog]:
        """The logs of a set, see PREREGISTRATION.md; none of a set that is not there."""
        if name == "validation":
            return self.with_curves("bilevel", VALIDATION_SEED, max(2, self.scored // 2))
        if name == "like":
            return self.with_curves("bilevel", TEST_SEED, self.scored)
        if name == "renders":
            return self.with_curves("colour", TEST_SEED, self.scored)
        if name == "blank":
            return [append_white(*each) for each in zip(self.set("like"), cycle(BLANK_SHARES))]
        if name == "unlabelled":
            return [self.drawn("colour", UNLABELLED_SEED, n) for n in range(self.scored)]
        if name in TALL:
            rows, columns = TALL[name]
            height = min(rows, TALLEST)
            drawn = (self.drawn("bilevel", TEST_SEED, n, height, columns) for n in count())
            tall = (one for one in drawn if one.gray.shape == (height, columns) and one.has_curves)
            several = (one_below_the_other(list(islice(tall, rows // height))) for _ in count())
            return list(islice(several, max(1, self.scored // 8)))
        root = self.pages if name == "pages" else self.real
        return _labelled(root, name) if root else []


SETS = (
    "validation",
    "like",
    "renders",
    "blank",
    "real_bilevel",
    "real_colour",
    "negative",
    "pages",
)


def one_below_the_other(logs: list[StudyLog]) -> StudyLog:
    """As many scans have several logs."""
    gray, truth = (np.concatenate([log[part] for log in logs]) for part in (1, 2))
    return StudyLog(" on ".join(log.name for log in logs), gray, truth)


def append_white(log: StudyLog, share: float) -> StudyLog:
    """White paper below, until it is that share of the rows."""
    edge = ((0, round(len(log.gray) * share / (1 - share))), (0, 0))
    gray = np.pad(log.gray, edge, constant_values=255)
    return StudyLog(f"{log.name}-{share:g}", gray, np.pad(log.truth, edge))


def _draw(seed: int, index: int, rows: int | None, columns: int | None) -> tuple[Pixels, Pixels]:
    log = draw_log(seed, index, "full" if rows else "quick")
    draws = np.random.default_rng((seed, index, ROWS))
    height = min(len(log.image), rows or int(draws.integers(ROWS // 2, ROWS * 3 // 2 + 1)))
    top = int(draws.integers(len(log.image) - height + 1))
    part = np.s_[top : top + height, : columns or log.image.shape[1]]
    return np.ascontiguousarray(to_gray(log.image[part])), np.ascontiguousarray(log.mask[part])


def _labelled(root: Path, name: str) -> list[StudyLog]:
    """Hand-labelled regions: with curves, by kind (real_bilevel, real_colour), without (negative),
    or all (pages)."""
    from wellseg.scan.reader import open_scan
    from wellseg.training.data_folder import list_logs
    from wellseg.training.masks import read_mask

    logs = []
    for files in list_logs(root):
        truth = read_mask(files.mask)
        kind = f"real_{files.kind or 'bilevel'}" if (truth == 255).any() else "negative"
        if name in ("pages", kind):
            with open_scan(files.image) as scan:
                signed = f"{files.well}/{files.name}"
                logs.append(StudyLog(signed, scan.read(0, scan.rows), truth))
    return logs

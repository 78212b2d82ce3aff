"""The logs of the study, drawn by the corpus: what is trained on, and what is like and unlike it."""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wellseg.corpus import kind_of
from wellseg.training.dataset import DrawnLogs

PRESET = "quick"
MANY = 1 << 20
"""Logs that a seed could draw; only those asked for are drawn."""
REAL_ROWS = 400
VALIDATION_SEED, TEST_SEED = 2_000_003, 2_000_033

Pixels = NDArray[np.uint8]


class StudyLog(NamedTuple):
    """gray and truth uint8 (rows, columns): 0 ink to 255 paper; 255 curve, 0 not, 128 not scored."""

    name: str
    gray: Pixels
    truth: Pixels

    @property
    def tensors(self) -> tuple[Tensor, Tensor]:
        """gray and truth, each uint8 (1, 1, rows, columns)."""
        return torch.from_numpy(self.gray)[None, None], torch.from_numpy(self.truth)[None, None]


def draw(seed: int, index: int, rows: int | None) -> StudyLog:
    """The corpus's log, of it a piece of half to one and a half times that many rows; None: the whole log."""

    def pick_rows(scored: np.ndarray) -> tuple[int, int]:
        height = len(scored)
        if rows is None:
            return 0, height
        draws = np.random.default_rng((seed, index, rows))
        wanted = min(height, int(draws.integers(rows // 2, rows + rows // 2 + 1)))
        start = int(draws.integers(height - wanted + 1))
        return start, start + wanted

    name, (gray, truth) = DrawnLogs(PRESET, seed, MANY).read((0, index), pick_rows)
    return StudyLog(name, np.ascontiguousarray(gray), np.ascontiguousarray(truth))


@lru_cache(maxsize=8192)
def _packed(seed: int, index: int, rows: int) -> tuple[str, tuple[int, ...], Pixels]:
    """A 1-bit log, an eighth of a byte a pixel: every arm of a seed needs the same ones."""
    log = draw(seed, index, rows)
    return log.name, log.gray.shape, np.packbits(np.stack([log.gray > 127, log.truth > 127]))


@lru_cache(maxsize=8)
def _bilevel(seed: int, number: int) -> tuple[int, ...]:
    """The first so many indices of 1-bit logs."""
    found: list[int] = []
    for index in count():
        if len(found) == number:
            return tuple(found)
        if kind_of(seed, index, PRESET) == "bilevel":
            found.append(index)
    raise AssertionError


def training_log(seed: int, step: int, rows: int) -> StudyLog:
    """What every arm of that seed is shown at that step: 1-bit paper scans, each log once.

    Renders and colour prints are left to the test set that is unlike the training.
    """
    block = 1024
    index = _bilevel(seed, (step // block + 1) * block)[step]
    name, shape, bits = _packed(seed, index, rows)
    gray, truth = np.unpackbits(bits, count=2 * shape[0] * shape[1]).reshape(2, *shape) * np.uint8(
        255
    )
    return StudyLog(name, gray, truth)


@lru_cache(maxsize=16)
def drawn_set(kind: str, seed: int, number: int, rows: int | None) -> tuple[StudyLog, ...]:
    """The first so many logs of that kind ("bilevel", "colour") that have a curve."""
    logs: list[StudyLog] = []
    for index in count():
        if len(logs) == number:
            return tuple(logs)
        if kind_of(seed, index, PRESET) == kind:
            log = draw(seed, index, rows)
            if (log.truth == 255).any():
                logs.append(log)
    raise AssertionError


def test_sets(number: int, rows: int) -> dict[str, tuple[StudyLog, ...]]:
    """like: as in training. renders: born-digital and colour logs, read as gray. blank: those of
    `like`, each with twice its rows of white paper below."""
    like = drawn_set("bilevel", TEST_SEED, number, rows)
    return {
        "like": like,
        "renders": drawn_set("colour", TEST_SEED, number, rows),
        "blank": tuple(append_white(log, 2 * len(log.gray)) for log in like),
    }


def append_white(log: StudyLog, rows: int) -> StudyLog:
    edge = ((0, rows), (0, 0))
    truth = np.pad(log.truth, edge)
    return StudyLog(log.name, np.pad(log.gray, edge, constant_values=255), truth)


@lru_cache(maxsize=2)
def real_sets(root: Path) -> dict[str, tuple[StudyLog, ...]]:
    """Hand-labelled regions with curves, their first 400 rows at full width, by split.csv's kind: real_bilevel, ..."""
    from wellseg.scan.reader import open_scan
    from wellseg.training.data_folder import list_logs
    from wellseg.training.masks import read_mask

    sets: dict[str, list[StudyLog]] = {}
    for files in list_logs(root):
        truth = read_mask(files.mask)
        scored = np.flatnonzero((truth != 128).any(axis=1))
        if not len(scored):
            continue
        start, stop = int(scored[0]), min(int(scored[-1]) + 1, int(scored[0]) + REAL_ROWS)
        if not (truth[start:stop] == 255).any():
            continue
        with open_scan(files.image) as scan:
            gray = scan.read(start, stop)
        sets.setdefault(f"real_{files.kind or 'logs'}", []).append(
            StudyLog(files.name, gray, truth[start:stop])
        )
    return {name: tuple(logs) for name, logs in sets.items()}

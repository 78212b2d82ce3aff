"""Curves drawn on real paper: a crop that ``wellseg.paper`` mined, with drawn curves on top.

The crop's mask says what of it is certainly no curve (0), what may be one (128, not scored), and
perhaps what certainly is one (255). What is drawn becomes 255; the rest of the crop stays as it
is, so that a network learns from real grid, real lettering and real dirt, and is told nothing
about curves that nobody is sure of.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from wellseg.corpus.curves import draw_curves
from wellseg.corpus.damage import copy_again, develop
from wellseg.corpus.grid import Track, draw_tracks
from wellseg.corpus.notes import leave_traces
from wellseg.corpus.page import Log, draw_size
from wellseg.corpus.recipe import KINDS, PRESETS, RECIPE, Array, Draws, Table
from wellseg.corpus.sheet import new_sheet
from wellseg.scan.pictures import to_gray
from wellseg.scan.reader import open_scan
from wellseg.training.data_folder import HEADER, LogFiles

DRAWS, TURN = 5, 6
"""Beside (seed, index) in the seeds of samples on paper: draw_log's draws stay its own."""
PAPER = Table(**RECIPE["on_paper"])


def is_on_paper(seed: int, index: int, share: float) -> bool:
    """Whether sample number ``index`` is one of the ``share`` that is drawn on paper."""
    return Draws(seed, index, TURN).chance(share)


def draw_on_paper(seed: int, index: int, preset: str, crops: Sequence[LogFiles]) -> Log:
    """Sample number ``index`` on paper: a pure function of its arguments and the crops' pixels.

    Returns a Log in gray whose mask is 255 on the drawn curves, elsewhere the crop's own.
    """
    recipe, draws = PRESETS[preset], Draws(seed, index, DRAWS)
    crop = draws.one_of(crops)
    gray, mask, dpi = _cut(draws, crop, draw_size(draws, recipe))
    if not mask.any() and draws.of(PAPER.turned):
        turns = draws.of([1, 3])
        gray, mask = (np.ascontiguousarray(np.rot90(pixels, turns)) for pixels in (gray, mask))
    medium, truth = medium_of(gray), np.zeros_like(gray)
    kinds = {name: share for name, share in recipe.mix.items() if KINDS[name].medium == medium}
    # A scan has its resolution; the others seldom know theirs.
    dpi, kind = dpi if medium == "scan" else 0.0, KINDS[draws.of(kinds)]
    sheet, curves = new_sheet(draws, kind, gray.shape[0], gray.shape[1], dpi), 0
    # Nothing unknown in the whole piece: a header, most likely.
    what = "curves" if (mask == 255).any() else "log" if mask.any() else "header"
    if HEADER not in crop.name and not draws.of(PAPER.blank[what]):

        def lines(track: Track) -> tuple[Array, Array]:
            left = max(0, round(track.left))
            below = gray[:, left : round(track.right)]
            return ruled(below, 0), ruled(below, 1) + left

        rows = 0, sheet.rows
        if draws.of(PAPER.ends):  # blank paper and lettering stay without curves
            edge = int(sheet.rows * draws.of([0.2, 0.8]))
            rows = (edge, sheet.rows) if draws.chance(0.5) else (0, edge)
        curves = draw_curves(sheet, truth, draw_tracks(sheet), lines, *rows)
        drawn, curve = develop(sheet, truth)
        gray = np.minimum(gray, to_gray(drawn))
        mask[curve > 0] = 255
    elif what == "header" and not sheet.tidy:
        if draws.of(PAPER.askew):
            centre, angle = (sheet.columns / 2, sheet.rows / 2), draws.noise(1)[0]
            turn = cv2.getRotationMatrix2D(centre, PAPER.askew_deg * angle, 1.0)
            how = cv2.INTER_NEAREST if medium == "scan" else cv2.INTER_LINEAR
            gray = cv2.warpAffine(gray, turn, gray.shape[::-1], flags=how, borderValue=255)
        if draws.of(PAPER.handled):
            leave_traces(sheet)
            gray = np.minimum(gray, to_gray(develop(sheet, truth)[0]))
    if medium == "scan" and draws.of(PAPER.blotted):
        gray = copy_again(sheet, gray, mask)
    about = {"kind": f"on {medium}", "dpi": round(sheet.dpi), "curves": curves, "paper": crop.name}
    return Log(gray, mask, about)


def _cut(draws: Draws, crop: LogFiles, size: tuple[int, int]) -> tuple[Array, Array, float]:
    """A piece of a crop, at most of that size: gray and mask, uint8 (rows, columns), and dpi."""
    with open_scan(crop.image) as image, open_scan(crop.mask) as mask:
        rows, columns = min(size[0], image.rows), min(size[1], image.columns)
        y = draws.of([0, image.rows - rows])
        band, unknown = image.read(y, y + rows), mask.read(y, y + rows)
        # Of two places the darker: margins teach little.
        places = [draws.of([0, image.columns - columns]) for _ in range(2)]
        x = min(places, key=lambda at: float(band[:, at : at + columns].mean()))
        piece = [np.ascontiguousarray(a[:, x : x + columns]) for a in (band, unknown)]
        return piece[0], piece[1], image.dpi or 200.0


def medium_of(gray: Array) -> str:
    """What the crop is: "scan" where it is black and white alone, else "print" or "render"."""
    if not ((gray > 0) & (gray < 255)).any():
        return "scan"
    # Born-digital paper is flat: nearly every pixel has the commonest value.
    counts = np.bincount(gray[::4].ravel(), minlength=256)
    return "render" if counts.max() > 0.6 * counts.sum() else "print"


def ruled(gray: Array, axis: int) -> Array:
    """Where lines are ruled on paper: the rows (axis 0) or columns (axis 1) that are mostly ink.

    gray: uint8 (rows, columns). Looks at the middle of it alone, for paper lies askew.
    """
    if min(gray.shape) < 2:  # a track of which next to nothing is on the page
        return np.empty(0)
    across = 1 - axis
    middle, half = gray.shape[across] // 2, min(150, gray.shape[across] // 2)
    part = gray.take(range(middle - half, middle + half), axis=across)
    share: Array = (part < 128).mean(axis=across)
    before, after = np.pad(share, (1, 0))[:-1], np.pad(share, (0, 1))[1:]
    peak = (share > PAPER.ruled) & (share >= before) & (share > after)
    return np.flatnonzero(peak).astype(float)

"""Curves drawn on real paper: a crop that ``wellseg.paper`` mined, with curves of the corpus on
top.

The crop's mask says what of it is certainly no curve (0), what may be one (128, not scored), and
perhaps what certainly is one (255). What is drawn becomes 255; the rest of the crop stays as it is,
so that a network learns from real grid, real lettering and real dirt, and is told nothing about
curves that nobody is sure of.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from wellseg.corpus import damage
from wellseg.corpus.curves import draw_beds
from wellseg.corpus.handling import handle
from wellseg.corpus.layout import draw_tracks
from wellseg.corpus.page import Log, draw_size, draw_spacing, draw_track
from wellseg.corpus.recipe import (
    CURVE_PX,
    PRESETS,
    Array,
    Kind,
    Paper,
    Rng,
    between,
    chance,
    draw_paper,
    log_between,
)
from wellseg.scan.reader import open_scan
from wellseg.training.data_folder import HEADER, LogFiles

DRAWS, TURN = 5, 6
"""Beside (seed, index) in the seeds of samples on paper: draw_log's draws stay its own."""
BLOTTED = 0.35
"""Share of 1-bit crops that are copied once more, over-exposed."""
TURNED, ASKEW = 0.4, 0.4
"""Shares of pieces without curves that are turned by 90, 180 or 270 degrees, as headers often are,
and by a few degrees: forms are glued on."""
BLANK_HEADERS, BLANK_LOGS = 0.7, 0.1
"""Shares of crops that get no curve: headers, known or likely, have none."""
AS_IT_IS = 0.5
"""Share of crops with curves of their own that get no more."""


def is_on_paper(seed: int, index: int, share: float) -> bool:
    """Whether sample number ``index`` is one of the ``share`` that is drawn on paper."""
    return chance(np.random.default_rng((seed, index, TURN)), share)


def draw_on_paper(seed: int, index: int, preset: str, crops: list[LogFiles]) -> Log:
    """Sample number ``index`` on paper: a pure function of its arguments and the crops' pixels.

    Returns a Log whose mask is 255 on the drawn curves, elsewhere the crop's own.
    """
    recipe = PRESETS[preset]
    rng = np.random.default_rng((seed, index, DRAWS))
    crop = crops[int(rng.integers(len(crops)))]
    gray, mask, dpi = _cut(rng, crop, draw_size(rng, recipe))
    if not mask.any() and chance(rng, TURNED):
        turns = int(rng.integers(1, 4))
        gray, mask = (np.ascontiguousarray(np.rot90(pixels, turns)) for pixels in (gray, mask))
    paper = _match(rng, kind_of_paper(gray), dpi, preset)
    curves = 0
    # Nothing unknown in the whole piece: a header, most likely.
    blank = AS_IT_IS if (mask == 255).any() else BLANK_LOGS if mask.any() else BLANK_HEADERS
    if HEADER not in crop.name and not chance(rng, blank):
        ink, truth = np.zeros_like(gray), np.zeros_like(gray)
        curves = _draw_curves(rng, paper, gray, ink, truth)
        finish = {"scan": damage.develop, "print": damage.print_scan}.get(paper.kind)
        drawn, curve = finish(rng, paper, ink, truth) if finish else damage.export(rng, ink, truth)
        gray = np.minimum(gray, drawn)
        mask[curve > 0] = 255
    elif not mask.any() and not paper.tidy:
        gray = _handle(rng, paper, gray)
    if paper.kind == "scan" and chance(rng, BLOTTED):
        gray = damage.copy_again(rng, paper, gray, mask)
    about: dict[str, object] = {
        "kind": paper.kind,
        "dpi": round(paper.dpi),
        "curves": curves,
        "paper": crop.name,
    }
    return Log(gray, mask, about)


def _handle(rng: Rng, paper: Paper, gray: Array) -> Array:
    """A piece without any curve, perhaps glued on askew, perhaps with traces of hands: uint8, as it
    was."""
    rows, columns = gray.shape
    if chance(rng, ASKEW):
        turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), rng.normal(0, 3), 1.0)
        how = cv2.INTER_NEAREST if paper.kind == "scan" else cv2.INTER_LINEAR
        gray = cv2.warpAffine(gray, turn, (columns, rows), flags=how, borderValue=255)
    if paper.handled and chance(rng, paper.handled):
        ink = np.zeros_like(gray)
        handle(ink, rng, paper)
        image, _ = (damage.develop if paper.kind == "scan" else damage.print_scan)(
            rng, paper, ink, np.zeros_like(ink)
        )
        gray = np.minimum(gray, image)
    return gray


def _cut(rng: Rng, crop: LogFiles, size: tuple[int, int]) -> tuple[Array, Array, float]:
    """A piece of a crop, no larger than ``size``: gray and mask, uint8 (rows, columns), and dpi."""
    with open_scan(crop.image) as image, open_scan(crop.mask) as mask:
        rows, columns = min(size[0], image.rows), min(size[1], image.columns)
        y = int(rng.integers(image.rows - rows + 1))
        band, unknown = image.read(y, y + rows), mask.read(y, y + rows)
        # Of two places the darker: margins teach little.
        x = min(
            rng.integers(image.columns - columns + 1, size=2),
            key=lambda at: float(band[:, at : at + columns].mean()),
        )
        piece = [np.ascontiguousarray(a[:, x : x + columns]) for a in (band, unknown)]
        return piece[0], piece[1], image.dpi or 200.0


def kind_of_paper(gray: Array) -> Kind:
    """What the crop is: "scan" where it is black and white alone, else "print" or "render"."""
    if not ((gray > 0) & (gray < 255)).any():
        return "scan"
    # Born-digital paper is flat: nearly every pixel has the commonest value.
    counts = np.bincount(gray[::4].ravel(), minlength=256)
    return "render" if counts.max() > 0.6 * counts.sum() else "print"


def _match(rng: Rng, kind: Kind, dpi: float, preset: str) -> Paper:
    """Paper and pen of that kind, at the crop's own resolution; renders and colour prints seldom
    know theirs."""
    shares = (float(kind == "scan"), float(kind == "print"), float(kind == "render"))
    paper = draw_paper(rng, replace(PRESETS[preset], kinds=shares))
    if kind != "scan":
        return paper
    pen = float(np.clip(paper.curve_px * (dpi / paper.dpi) ** 0.35, *CURVE_PX))
    return replace(paper, dpi=dpi, curve_px=pen)


def ruled(gray: Array, axis: int) -> Array:
    """Where lines are ruled on a piece of paper: the rows (axis 0) or columns (axis 1) that are
    mostly ink.

    gray: uint8 (rows, columns). Looks at the middle of it alone, for paper lies askew.
    """
    if min(gray.shape) < 2:  # a track of which next to nothing is on the page
        return np.empty(0)
    across = 1 - axis
    middle, half = gray.shape[across] // 2, min(150, gray.shape[across] // 2)
    part = gray.take(range(middle - half, middle + half), axis=across)
    share: Array = (part < 128).mean(axis=across)
    before, after = np.pad(share, (1, 0))[:-1], np.pad(share, (0, 1))[1:]
    return np.flatnonzero((share > 0.35) & (share >= before) & (share > after)).astype(float)


def _draw_curves(rng: Rng, paper: Paper, gray: Array, ink: Array, truth: Array) -> int:
    """Curves over some rows of the piece, or all of them; returns how many. gray: what is on the
    paper."""
    rows, columns = ink.shape
    spacing = draw_spacing(rng, paper) * (1.5 if paper.tidy else 1.0)
    samples = int((rows + 80) / spacing) + 4
    depth = -40 + np.arange(samples) * spacing
    beds = draw_beds(rng, samples, paper.dpi * log_between(rng, (0.025, 0.3)) / spacing)
    pens = 0
    for track in draw_tracks(rng, paper, columns):
        if track.kind == "curves" and track.right > 0 and track.left < columns:
            left = max(0, round(track.left))
            below = gray[:, left : round(track.right)]
            lines = ruled(below, 0), ruled(below, 1) + left
            pens += len(draw_track(rng, paper, track, beds, depth, lines, ink, ink, truth))
    if chance(
        rng, 0.2
    ):  # the log begins or ends here: blank paper and lettering stay without curves
        edge = int(rows * between(rng, (0.2, 0.8)))
        part = slice(0, edge) if chance(rng, 0.5) else slice(edge, rows)
        ink[part], truth[part] = 0, 0
    return pens

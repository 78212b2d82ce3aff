"""Further curves drawn on a piece of a labelled log: real grid, lettering and dirt under them.

What is drawn becomes 255 in the log's own mask; all else of it stays.
"""

from collections.abc import Sequence

import numpy as np

from wellseg.corpus.curves import draw_curves
from wellseg.corpus.damage import develop
from wellseg.corpus.grid import Track, draw_tracks
from wellseg.corpus.page import Log, draw_size
from wellseg.corpus.recipe import KINDS, PRESETS, RECIPE, Array, Draws, Table
from wellseg.corpus.sheet import Sheet, new_sheet
from wellseg.scan import USUAL_DPI
from wellseg.scan.pictures import to_gray
from wellseg.scan.reader import open_scan
from wellseg.training.data_folder import LogFiles

DRAWS = 5  # in the seeds, beside (seed, index): draw_log's draws stay its own
PAPER = Table(**RECIPE["on_paper"])


def draw_on_paper(seed: int, index: int, preset: str, logs: Sequence[LogFiles]) -> Log:
    """Sample number ``index`` on paper: a pure function of its arguments and the logs' pixels.

    Returns a Log in gray whose mask is 255 on the drawn curves, elsewhere the log's own.
    """
    recipe, draws = PRESETS[preset], Draws(seed, index, DRAWS)
    log = draws.one_of(logs)
    gray, mask, dpi = _cut(draws, log, draw_size(draws, recipe))
    # Neither a curve nor anything undecided in the whole piece: a header, most likely.
    what = "curves" if (mask == 255).any() else "log" if mask.any() else "header"
    if what == "header" and draws.of(PAPER.turned):
        gray = np.ascontiguousarray(np.rot90(gray, draws.of([1, 3])))
        mask = np.zeros_like(gray)
    medium = medium_of(gray)
    if medium != "scan":
        dpi = 0.0  # a scan knows its resolution, the others seldom
    kinds = {name: share for name, share in recipe.mix.items() if KINDS[name].medium == medium}
    kind = KINDS[draws.of(kinds)]
    sheet = new_sheet(draws, kind, gray.shape[0], gray.shape[1], dpi)
    curves = 0
    if not draws.of(PAPER.blank[what]):
        curves = _add_curves(sheet, gray, mask)
    about = {"kind": f"on {medium}", "dpi": round(sheet.dpi), "curves": curves, "paper": log.name}
    return Log(gray, mask, about)


def _cut(draws: Draws, log: LogFiles, size: tuple[int, int]) -> tuple[Array, Array, float]:
    """A piece of a log, at most of that size: gray and mask, uint8 (rows, columns), and dpi."""
    with open_scan(log.image) as image, open_scan(log.mask) as mask:
        rows = min(size[0], image.rows)
        columns = min(size[1], image.columns)
        y = draws.of([0, image.rows - rows])
        gray, truth = image.read(y, y + rows), mask.read(y, y + rows)
        x = draws.of([0, image.columns - columns])
        part = np.s_[:, x : x + columns]
        return gray[part].copy(), truth[part].copy(), image.dpi or USUAL_DPI


def _add_curves(sheet: Sheet, gray: Array, mask: Array) -> int:
    """Draw curves on a piece of paper and 255 into its mask; gives how many."""

    def lines(track: Track) -> tuple[Array, Array]:
        left = max(0, round(track.left))
        below = gray[:, left : round(track.right)]
        return ruled(below), ruled(below.T) + left

    first, stop = 0, sheet.rows
    if sheet.draws.of(PAPER.ends):  # blank paper and lettering stay without curves
        edge = int(sheet.rows * sheet.draws.of([0.2, 0.8]))
        first, stop = (edge, stop) if sheet.draws.chance(0.5) else (first, edge)
    truth = np.zeros_like(gray)
    curves = draw_curves(sheet, truth, draw_tracks(sheet), lines, first, stop)
    image, drawn = develop(sheet, truth)
    np.minimum(gray, to_gray(image), out=gray)
    mask[drawn > 0] = drawn[drawn > 0]  # 128 where nothing is left of it
    return curves


def medium_of(gray: Array) -> str:
    """What the piece is: "scan" where it is black and white alone, else "print" or "render"."""
    if not ((gray > 0) & (gray < 255)).any():
        return "scan"
    # Born-digital paper is flat: nearly every pixel has the commonest value.
    counts = np.bincount(gray[::4].ravel(), minlength=256)
    return "render" if counts.max() > 0.6 * counts.sum() else "print"


def ruled(gray: Array) -> Array:
    """The rows of paper, uint8 (rows, columns), that are mostly ink: lines of its grid."""
    # The middle columns alone, for paper lies askew.
    middle = gray.shape[1] // 2
    part = gray[:, max(0, middle - 150) : middle + 150]
    if not part.size:  # a track of which nothing is on the page
        return np.empty(0)
    share = (part < 128).mean(axis=1)
    peak = (share >= np.roll(share, 1)) & (share > np.roll(share, -1))
    return np.flatnonzero(peak & (share > PAPER.ruled)).astype(float)

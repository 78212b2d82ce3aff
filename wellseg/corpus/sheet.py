"""What is drawn and how often: recipe.toml and seeded draws from it; and the sheet of paper that a
log is drawn on, with what everything on it obeys.

Ink is what paper loses of its white: uint8, 0 white .. 255 black; (rows, columns) on a scan, and
(rows, columns, 3) where a page is printed in colour, red, green and blue each by itself."""

import math
import tomllib
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Shape, dtype and range stand in each docstring."""

Table = SimpleNamespace
"""Values by name: of a table of the recipe, or drawn from one."""


def _read() -> dict[str, Any]:
    """The recipe: a section's ``default`` stands in all its tables. In a kind of page, a name in
    place of a table is that table of the section of its key."""
    recipe = tomllib.loads(files(__package__).joinpath("recipe.toml").read_text("utf-8"))
    for section, tables in recipe.items():
        if default := tables.pop("default", {}):
            recipe[section] = {name: default | own for name, own in tables.items()}
    for kind in recipe["kinds"].values():
        named = {key: it for key, it in kind.items() if isinstance(it, str)}
        kind |= {key: recipe[key][it] for key, it in named.items() if it in recipe.get(key, ())}
    return recipe


RECIPE = _read()
KINDS = {name: Table(**kind) for name, kind in RECIPE["kinds"].items()}
"""Kinds of pages by name; see recipe.toml for their entries."""
PRESETS = {name: Table(mix=RECIPE["mix"], **own) for name, own in RECIPE["presets"].items()}
"""Sizes in rows and columns, at most max_mpx; shares of kinds; how many have headers."""


class Draws:
    """A seeded stream of draws: one makes one log. The same seeds, the same on any machine."""

    def __init__(self, *seeds: int) -> None:
        self.rng = np.random.default_rng(seeds)

    def of(self, what: Any) -> Any:
        """One draw from an entry, as the head of recipe.toml says; a key of digits is a float."""
        if isinstance(what, str):
            return self.chance(float(what[:-1]) / 100) if what.endswith("%") else what
        if isinstance(what, Mapping):
            sums = list(accumulate(what.values()))
            name = list(what)[bisect(sums[:-1], self.rng.random() * sums[-1])]
            return name if name.strip("-.0123456789") else float(name)
        if not isinstance(what, Sequence):
            return what
        if len(what) != 2 or not isinstance(what[0], (int, float)):
            return self.one_of(what)
        low, high = what
        if isinstance(low, int) and isinstance(high, int):
            return int(self.rng.integers(low, high + 1))
        if low > 0:
            return math.exp(self.rng.uniform(math.log(low), math.log(high)))
        return float(self.rng.uniform(low, high))

    def table(self, *path: str) -> Table:
        """One draw from every entry of the recipe's table at that path."""
        table = RECIPE
        for name in path:
            table = table[name]
        return Table(**{name: self.of(entry) for name, entry in table.items()})

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def one_of(self, things: Sequence[Any]) -> Any:
        return things[int(self.rng.integers(len(things)))]


Colour = tuple[int, int, int]
"""Ink of red, green and blue, 0..255 each; a scan takes the first."""

BLACK: Colour = (255, 255, 255)
SUBPIXEL_BITS = 4


@dataclass
class Sheet:
    """One page while it is drawn, with what was drawn once for all of it: see [sheet]."""

    draws: Draws
    kind: Table
    ink: Array
    dpi: float
    pen_px: float
    blur_px: float
    threshold: float
    wear: float
    grain: float
    smooth: bool
    swing: float
    scanned: bool  # 1 bit
    tidy: bool  # born digital: no ragged edges, no dirt
    coarse: bool  # of 70 dpi: strokes of one pixel, dots of two
    fine_px: int = 1  # a line as fine as forms have
    curves: list[Table] = field(default_factory=list)  # their pens, with the runs that they drew

    @property
    def rows(self) -> int:
        return int(self.ink.shape[0])

    @property
    def columns(self) -> int:
        return int(self.ink.shape[1])

    def table(self, *path: str) -> Table:
        """One draw from each entry of a table of the recipe; inches and pens become pixels."""
        drawn = self.draws.table(*path)
        for name, value in list(vars(drawn).items()):
            if name.endswith("_in"):
                setattr(drawn, name[:-3], self.dpi * value)
            elif name.endswith("_pens"):
                setattr(drawn, name[:-5], max(1, round(self.pen_px * value)))
        if "text_in" in vars(drawn):
            drawn.text = max(6.0, drawn.text)  # smaller, nobody could read it
        return drawn

    def part(self, rows: int, columns: int) -> "Sheet":
        """A blank sheet of the same paper, to draw a block on that is put on this afterwards."""
        return replace(self, ink=np.zeros((rows, columns, *self.ink.shape[2:]), np.uint8))

    # Drawing, in place. Points are x, then y, in pixels; widths under a pixel are one.

    def path(self, points: Any, colour: Colour = BLACK, px: float = 1) -> None:
        """A plain line through points, float (n, 2)."""
        whole = np.round(np.asarray(points) * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.polylines(self.ink, [whole], False, colour, max(1, round(px)), 8, SUBPIXEL_BITS)

    def box(
        self, left: float, top: float, right: float, bottom: float, colour: Colour, px: float
    ) -> None:
        """A frame, or with px -1 a filled box."""
        corners = (round(left), round(top)), (round(right), round(bottom))
        cv2.rectangle(self.ink, *corners, colour, round(px) or 1)

    def put(
        self, mark: Array, x: float, y: float, colour: Colour = BLACK, on_white: bool = False
    ) -> None:
        """Set a mark with its upper left corner at (x, y); what is off the page is cut.

        mark: uint8 (h, w) coverage, or (h, w, 3) ink on a page in colour. Ink adds to what is
        there, as on copies; on_white: the mark's box is cleared first, as programs do."""
        if mark.ndim < self.ink.ndim:
            mark = mark[..., None]
        if colour != BLACK:
            tone = np.array(colour[: 1 if self.scanned else 3])
            mark = (mark * (tone / 255)).astype(np.uint8)
        paste(self.ink, mark, x, y, on_white)

    def colour(self, name: str) -> Colour:
        """An ink by name; a scan has but black."""
        if self.scanned:
            return BLACK
        red, green, blue = RECIPE["colours"][name]
        return 255 - red, 255 - green, 255 - blue

    def any_colour(self, coloured: bool = True) -> Colour:
        """Black, or one of the colours of this kind of page."""
        return self.colour(self.draws.of(self.kind.inks)) if coloured else BLACK


def paste(ink: Array, mark: Array, x: float, y: float, on_white: bool = False) -> None:
    """Set a mark into ink, both uint8, at (x, y); see Sheet.put."""
    left, top = round(x), round(y)
    part = mark[max(0, -top) :, max(0, -left) :]
    target = ink[max(0, top) :, max(0, left) :][: part.shape[0], : part.shape[1]]
    part = part[: target.shape[0], : target.shape[1]]
    target[...] = part if on_white else np.maximum(target, part)


def gray(level: float) -> Colour:
    """Neutral ink of a level 0..255."""
    tone = int(np.clip(level, 0, 255))
    return tone, tone, tone


def new_sheet(draws: Draws, kind: Table, rows: int, columns: int) -> Sheet:
    """A blank sheet of that kind of page."""
    scanned, tidy = kind.medium == "scan", kind.medium == "render"
    coarse = tidy and draws.of(kind.coarse)
    ink: Array = np.zeros((rows, columns) if scanned else (rows, columns, 3), np.uint8)
    drawn = vars(draws.table("sheet", "coarse" if coarse else kind.medium))
    sheet = Sheet(draws, kind, ink, **drawn, scanned=scanned, tidy=tidy, coarse=coarse)
    sheet.fine_px = max(1, round(sheet.dpi / 150))
    sheet.swing *= draws.of(kind.liveliness)
    if sheet.scanned:
        sheet.pen_px *= (sheet.dpi / 250) ** 0.35
        sheet.blur_px *= (sheet.dpi / 250) ** 0.3
        # An operator sets the threshold so that the curves are seen, whatever the grid does.
        seen = 255 * min(1.0, sheet.pen_px / (2.5 * sheet.blur_px))
        sheet.threshold = min(sheet.threshold, 0.55 * seen)
    return sheet

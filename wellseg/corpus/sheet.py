"""The sheet of paper that a log is drawn on, and what everything on it obeys.

Ink is what paper loses of its white: uint8, 0 white .. 255 black; (rows, columns) on a scan, and
(rows, columns, 3) where a page is printed in colour, red, green and blue each by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from .draws import Array, Draws, Span, Table
from .recipe import INKS, SCAN_DPI, PageKind

Colour = tuple[int, int, int]
"""Ink of red, green and blue, 0..255 each; a scan takes the first."""

Point = Any
"""x and y in pixels: a pair, or an array of two."""

BLACK: Colour = (255, 255, 255)
SUBPIXEL_BITS = 4

PEN = Table(
    median_px=4.7,  # measured 5-7, p10-p90 3.4-9, after a spread of about 0.5 px
    log_sd=0.36, px=(2.0, 11.0), thin=0.4, thick_px=1.5,
)  # fmt: skip
SCANNER = Table(
    dpi=(0.96, 1.04), blur_px=(0.6, 1.5), threshold=(85, 155), grain=(2.5, 22.0),
    print_blur_px=(0.3, 0.6), print_grain=(0.6, 9.0), coarse_dpi=(60.0, 85.0), coarse_swing=1.6,
    smooth=0.3,
)  # fmt: skip


@dataclass
class Sheet:
    """One page while it is drawn, with what was drawn once for all of it."""

    draws: Draws
    kind: PageKind
    ink: Array
    dpi: float  # of the scan, or of the render
    pen_px: float = 1.0  # the nominal pen of this log
    liveliness: float = 1.0  # how far its curves swing
    wear: float = 0.0  # 0 fresh .. 1 grid worn to dots
    blur_px: float = 0.0  # sigma of ink spread and optics
    threshold: float = 128.0  # ink from which a pixel of a scan is black
    grain: float = 0.0  # standard deviation of the scanner's noise, levels of ink
    coarse: bool = False  # a page of 70 dpi: strokes of one pixel, dots of two
    smooth: bool = False  # strokes of a render with soft edges

    @property
    def rows(self) -> int:
        return int(self.ink.shape[0])

    @property
    def columns(self) -> int:
        return int(self.ink.shape[1])

    @property
    def tidy(self) -> bool:
        """Born digital: no ragged edges, no dirt."""
        return self.kind.medium == "render"

    def inches(self, span: Span) -> float:
        """A length drawn from a span of inches, in pixels."""
        return self.dpi * self.draws.between(span)

    def log_inches(self, span: Span) -> float:
        return self.dpi * self.draws.log_between(span)

    def pens(self, span: Span) -> int:
        """A width drawn from a span of nominal pens, in pixels, at least 1."""
        return max(1, round(self.pen_px * self.draws.log_between(span)))

    def text_px(self, span: Span) -> float:
        """The height of capitals from a span of inches; under 6 px nobody can read them."""
        return max(6.0, self.log_inches(span))

    @property
    def fine_px(self) -> int:
        """A line as fine as forms have."""
        return max(1, round(self.dpi / 150))

    def part(self, rows: int, columns: int) -> Sheet:
        """A blank sheet of the same paper, to draw a block on that is put on this afterwards."""
        shape = (rows, columns, *self.ink.shape[2:])
        return replace(self, ink=np.zeros(shape, np.uint8))

    # Drawing, in place. Points are x, then y, in pixels; widths under a pixel are one.

    def line(self, start: Point, end: Point, colour: Colour = BLACK, px: float = 1) -> None:
        self.path(np.array([start, end]), colour, px)

    def path(self, points: Array, colour: Colour = BLACK, px: float = 1) -> None:
        """A plain line through points, float (n, 2)."""
        whole = np.round(points * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2.polylines(self.ink, [whole], False, colour, max(1, round(px)), cv2.LINE_8,
                      SUBPIXEL_BITS)  # fmt: skip

    def fill(self, corners: Array, colour: Colour = BLACK) -> None:
        cv2.fillPoly(self.ink, [np.round(corners).astype(np.int32)], colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour = BLACK,
            px: float = 1) -> None:  # fmt: skip
        """A frame, or with px -1 a filled box."""
        corners = (round(left), round(top)), (round(right), round(bottom))
        cv2.rectangle(self.ink, *corners, colour, round(px) or 1)

    def circle(self, x: float, y: float, radius: float, colour: Colour = BLACK,
               px: float = 1) -> None:  # fmt: skip
        centre, r = (round(x), round(y)), max(1, round(radius))
        cv2.circle(self.ink, centre, r, colour, round(px) or 1)

    def hatch(self, left: float, top: float, right: float, bottom: float, step: float,
              colour: Colour = BLACK, px: float = 1) -> None:  # fmt: skip
        """Slanted strokes in a box."""
        for x in np.arange(left, right, max(2.0, step)):
            end = min(x + bottom - top, right)
            self.line((x, bottom), (end, bottom - (end - x)), colour, px)

    def put(self, mark: Array, x: float, y: float, colour: Colour = BLACK,
            on_white: bool = False) -> None:  # fmt: skip
        """Set a mark with its upper left corner at (x, y); what is off the page is cut.

        mark: uint8 (h, w) coverage, or (h, w, 3) ink on a page in colour. Ink adds to what is
        there, as on copies; on_white: the mark's box is cleared first, as programs do.
        """
        left, top = round(x), round(y)
        part = mark[max(0, -top) :, max(0, -left) :]
        target = self.ink[max(0, top) :, max(0, left) :][: part.shape[0], : part.shape[1]]
        part = part[: target.shape[0], : target.shape[1]]
        if part.ndim < target.ndim:
            part = part[..., None]
        if mark.ndim == 2:
            tone = np.array(colour[: target.shape[2]] if target.ndim == 3 else colour[0])
            part = (part * (tone / 255)).astype(np.uint8)
        target[...] = part if on_white else np.maximum(target, part)

    def colour(self, name: str) -> Colour:
        """An ink by name; a scan has but black."""
        if self.ink.ndim == 2:
            return BLACK
        red, green, blue = INKS[name]
        return 255 - red, 255 - green, 255 - blue

    def any_colour(self, coloured: float = 0.5) -> Colour:
        """Black, or with that chance one of the colours of this kind of page."""
        if not self.draws.chance(coloured):
            return BLACK
        return self.colour(self.draws.pick(self.kind.curves.inks))


def gray(level: float) -> Colour:
    """Neutral ink of a level 0..255."""
    tone = int(np.clip(level, 0, 255))
    return tone, tone, tone


def new_sheet(draws: Draws, kind: PageKind, rows: int, columns: int, dpi: float = 0.0) -> Sheet:
    """A blank sheet of that kind. dpi: of the scan where it is known, else drawn."""
    ink = np.zeros((rows, columns) if kind.medium == "scan" else (rows, columns, 3), np.uint8)
    sheet = Sheet(draws, kind, ink, dpi, liveliness=draws.log_between(kind.curves.liveliness))
    if kind.medium == "scan":
        sheet.dpi = dpi or draws.number(SCAN_DPI) * draws.between(SCANNER.dpi)
        pen = PEN.median_px * np.exp(draws.normal(PEN.log_sd)) * (sheet.dpi / 250) ** 0.35
        sheet.pen_px = float(np.clip(pen, *PEN.px))
        sheet.blur_px = draws.log_between(SCANNER.blur_px) * (sheet.dpi / 250) ** 0.3
        # An operator sets the threshold so that the curves are seen, whatever the grid does.
        seen = 255 * min(1.0, sheet.pen_px / (2.5 * sheet.blur_px))
        sheet.threshold = min(draws.between(SCANNER.threshold), 0.55 * seen)
        sheet.wear = float(draws.rng.beta(1.1, 1.3))
        sheet.grain = draws.log_between(SCANNER.grain)
    elif kind.medium == "print":
        sheet.dpi, sheet.smooth = dpi or draws.between(kind.dpi), True
        sheet.pen_px = draws.between(kind.curves.width_px)
        sheet.blur_px = draws.between(SCANNER.print_blur_px)
        sheet.wear, sheet.threshold = draws.between((0, 1)), 90.0
        sheet.grain = draws.log_between(SCANNER.print_grain)
    elif draws.chance(kind.coarse):
        sheet.dpi, sheet.coarse = draws.between(SCANNER.coarse_dpi), True
        sheet.liveliness *= SCANNER.coarse_swing
    else:
        sheet.dpi, sheet.smooth = draws.between(kind.dpi), draws.chance(SCANNER.smooth)
        if not draws.chance(PEN.thin):
            sheet.pen_px = draws.between((PEN.thick_px, kind.curves.width_px[1]))
    return sheet

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
    log_sd=0.36, px=(2.0, 11.0), scan_dpi=(0.96, 1.04),
)  # fmt: skip
SCANNER = Table(
    blur_px=(0.6, 1.5), threshold=(85, 155), grain=(2.5, 22.0), print_blur_px=(0.3, 0.6),
    print_grain=(0.6, 9.0), coarse_dpi=(60.0, 85.0),
)  # fmt: skip


@dataclass
class Sheet:
    """One page while it is drawn, with what was drawn once for all of it."""

    draws: Draws
    kind: PageKind
    ink: Array
    dpi: float  # of the scan, or of the render
    pen_px: float  # the nominal pen of this log
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
        """A blank sheet of the same paper, to draw a block on that is pasted afterwards."""
        shape = (rows, columns, *self.ink.shape[2:])
        return replace(self, ink=np.zeros(shape, np.uint8))

    # Drawing, in place. Points are x, then y, in pixels.

    def line(self, start: Point, end: Point, colour: Colour = BLACK,
             px: float = 1) -> None:  # fmt: skip
        a, b = (round(start[0]), round(start[1])), (round(end[0]), round(end[1]))
        cv2.line(self.ink, a, b, colour, max(1, round(px)))

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

    def arrow(self, start: Point, end: Point, colour: Colour = BLACK,
              px: float = 1, tip: float = 0.25) -> None:  # fmt: skip
        a, b = (round(start[0]), round(start[1])), (round(end[0]), round(end[1]))
        cv2.arrowedLine(self.ink, a, b, colour, max(1, round(px)), tipLength=tip)

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
        a, b = max(0, top), min(self.rows, top + mark.shape[0])
        c, d = max(0, left), min(self.columns, left + mark.shape[1])
        if a >= b or c >= d:
            return
        part = mark[a - top : b - top, c - left : d - left]
        target = self.ink[a:b, c:d]
        if part.ndim < target.ndim:
            part = (part[..., None] * (np.array(colour) / 255)).astype(np.uint8)
        elif part.ndim == 2 and colour[0] != 255:
            part = cv2.convertScaleAbs(part, alpha=colour[0] / 255)
        if on_white:
            target[...] = part
        else:
            np.maximum(target, part, out=target)

    def paste(self, block: Sheet, x: float, y: float) -> None:
        """Set a block drawn by itself."""
        self.put(block.ink, x, y)

    def colour(self, name: str) -> Colour:
        """An ink by name; a scan has but black."""
        if self.ink.ndim == 2:
            return BLACK
        red, green, blue = INKS[name]
        return 255 - red, 255 - green, 255 - blue

    def any_colour(self, coloured: float = 0.5) -> Colour:
        """Black, or with that chance one of the colours of this kind of page."""
        if self.ink.ndim == 2 or not self.draws.chance(coloured):
            return BLACK
        return self.colour(self.draws.pick(self.kind.curves.inks))


def gray(level: float) -> Colour:
    """Neutral ink of a level 0..255."""
    tone = int(np.clip(level, 0, 255))
    return tone, tone, tone


def new_sheet(draws: Draws, kind: PageKind, rows: int, columns: int, dpi: float = 0.0) -> Sheet:
    """A blank sheet of that kind. dpi: of the scan where it is known, else drawn."""
    live = draws.log_between(kind.curves.liveliness)
    if kind.medium == "scan":
        dpi = dpi or draws.number(SCAN_DPI) * draws.between(PEN.scan_dpi)
        pen = PEN.median_px * float(np.exp(draws.normal(PEN.log_sd))) * (dpi / 250) ** 0.35
        pen = float(np.clip(pen, *PEN.px))
        blur = draws.log_between(SCANNER.blur_px) * (dpi / 250) ** 0.3
        # An operator sets the threshold so that the curves are seen, whatever the grid does.
        seen = 255 * min(1.0, pen / (2.5 * blur))
        return Sheet(
            draws, kind, np.zeros((rows, columns), np.uint8), dpi, pen, live,
            wear=float(draws.rng.beta(1.1, 1.3)), blur_px=blur,
            threshold=min(draws.between(SCANNER.threshold), 0.55 * seen),
            grain=draws.log_between(SCANNER.grain),
        )  # fmt: skip
    ink = np.zeros((rows, columns, 3), np.uint8)
    if kind.medium == "print":
        return Sheet(
            draws, kind, ink, dpi or draws.between(kind.dpi),
            draws.between(kind.curves.width_px), live, wear=draws.between((0, 1)),
            blur_px=draws.between(SCANNER.print_blur_px), threshold=90.0,
            grain=draws.log_between(SCANNER.print_grain), smooth=True,
        )  # fmt: skip
    coarse = draws.chance(kind.coarse)
    dpi = draws.between(SCANNER.coarse_dpi if coarse else kind.dpi)
    pen = 1.0 if coarse or draws.chance(0.4) else draws.between((1.5, kind.curves.width_px[1]))
    if coarse:
        live *= 1.6
    smooth = not coarse and draws.chance(0.3)
    return Sheet(draws, kind, ink, dpi, pen, live, coarse=coarse, smooth=smooth)

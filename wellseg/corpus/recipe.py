"""What is drawn and how often: kinds of pages as tables of ingredients.

Ranges marked *measured* come from 62 public paper scans, 28 hand-labelled regions and a look at
some hundred renders. A new kind of page is one more ``PageKind`` in KINDS, and its share in MIX.
Lengths are in inches of paper or in pixels, as names say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .draws import Shares, Span

Medium = Literal["scan", "print", "render"]
"""scan: 1 bit, from paper. print: a colour print, scanned. render: born digital."""

INKS = {
    "black": (0, 0, 0), "gray": (110, 110, 110), "light gray": (177, 177, 177),
    "blue": (0, 0, 255), "navy": (0, 0, 139), "red": (255, 0, 0), "maroon": (139, 0, 0),
    "green": (0, 128, 0), "lime": (0, 255, 0), "magenta": (255, 0, 255), "purple": (128, 0, 128),
    "cyan": (0, 255, 255), "teal": (0, 128, 128), "yellow": (255, 255, 0),
    "orange": (255, 165, 0), "brown": (139, 69, 19),
}  # fmt: skip
"""Colours of renders, red, green and blue (measured: nearly all are pure)."""


OPEN_HOLE_SHAPES = {
    "gamma_ray": 20, "spontaneous_potential": 7, "resistivity": 13, "laterolog_linear": 11,
    "sonic": 7, "porosity": 10, "caliper": 6, "nearly_straight": 7, "base_line": 8, "ramp": 2,
    "azimuth": 2, "noisy": 7, "wavy": 7, "spikes": 10, "polygon": 4, "stepped": 1,
}  # fmt: skip
MUD_LOG_SHAPES = {
    "polygon": 24, "stepped": 16, "spikes": 10, "base_line": 16, "gamma_ray": 14, "noisy": 8,
    "gas": 22, "nearly_straight": 4,
}  # fmt: skip
CASED_HOLE_SHAPES = {
    "gamma_ray": 26, "nearly_straight": 10, "ramp": 10, "base_line": 16, "porosity": 10,
    "noisy": 14, "spikes": 8, "caliper": 6,
}  # fmt: skip
DRILLING_SHAPES = {"gamma_ray": 40, "resistivity": 26, "stepped": 22, "polygon": 12, "ramp": 4}

PAPER_STYLES = {"solid": 64, "long": 12, "short": 8, "dots": 10, "ticks": 2, "dashdot": 4}
RENDER_STYLES = {"solid": 62, "long": 10, "short": 8, "dots": 6, "points": 8, "dashdot": 6}

COLOURED = {
    "black": 22, "blue": 16, "navy": 5, "red": 16, "maroon": 3, "green": 10, "lime": 9,
    "magenta": 6, "purple": 3, "cyan": 3, "teal": 2, "yellow": 5, "orange": 4, "brown": 2,
    "gray": 5, "light gray": 2,
}  # fmt: skip
GAS_INKS = {
    "black": 10, "blue": 18, "red": 20, "green": 8, "lime": 14, "magenta": 10, "cyan": 6,
    "yellow": 11, "orange": 8, "teal": 3, "purple": 3,
}  # fmt: skip
GRAYS = {"black": 70, "gray": 22, "light gray": 8}

PAPER_NOTES = {
    "name": 1.7, "hand": 1.3, "arrow": 1.6, "formation top": 0.8, "flags": 0.5, "edge": 1.4,
    "stamp": 0.1, "stroke": 0.3, "leader": 0.3, "bar": 0.15,
}  # fmt: skip
RENDER_NOTES = {
    "name": 1.0, "arrow": 0.7, "formation top": 0.5, "flags": 0.8, "survey": 0.8, "stamp": 0.02,
    "scale words": 0.4, "leader": 0.4,
}  # fmt: skip
MUD_LOG_NOTES = {
    "gas label": 6.0, "scale words": 2.0, "survey": 2.0, "formation top": 1.6, "leader": 0.8,
    "bar": 3.0, "arrow": 0.5, "name": 0.7, "flags": 0.5, "boxed block": 0.4,
}  # fmt: skip

PAPER_HEADER = {
    "form": 62, "banner": 10, "text": 7, "listing": 7, "remarks": 8, "sketch": 5, "gap": 4,
}  # fmt: skip
MUD_LOG_HEADER = {"key": 60, "form": 26, "banner": 4, "text": 4, "listing": 4, "gap": 2}

PAPER_LAYOUTS = {
    "api": 30, "api wide": 36, "single": 8, "depth left": 8, "bond": 6, "dips": 3, "mud": 3,
    "four": 4,
}  # fmt: skip
RENDER_LAYOUTS = {
    "api": 24, "api wide": 22, "single": 6, "depth left": 8, "bond": 8, "dips": 2, "four": 14,
    "photos": 6,
}  # fmt: skip

SCAN_DPI = {"200": 0.5, "300": 0.3, "400": 0.2}
"""Measured: 200 dpi is most of the archive."""


@dataclass(frozen=True)
class CurveTable:
    """How the curves of a kind of page look."""

    per_track: Shares = field(default_factory=lambda: {"1": 42, "2": 34, "3": 16, "4": 8})
    shapes: Shares = field(default_factory=OPEN_HOLE_SHAPES.copy)
    styles: Shares = field(default_factory=PAPER_STYLES.copy)
    inks: Shares = field(default_factory=lambda: {"black": 1})
    width_px: Span = (1.0, 3.2)  # of renders and prints; a scan's pen goes with its resolution
    liveliness: Span = (0.8, 1.6)  # how far curves swing
    still: float = 0.03  # share ruled straight down: bit size, casing, tension
    at_border: float = 0.02  # share at rest on, or within some pixels of, a border of the track
    collars: float = 0.0  # share that are a collar locator
    along_rows: float = 0.22  # share with spikes and steps that run along a line of the grid
    filled: float = 0.05  # share with a fill to a border or to the curve before
    bare: float = 0.1  # share of tracks with a grid and no curve
    bundle: float = 0.0  # share of tracks with some dozen curves side by side: caliper radii


@dataclass(frozen=True)
class PageKind:
    """One kind of page: what stands on it."""

    medium: Medium
    layouts: Shares
    notes: Shares  # labels.py and annotations.py: how many on a page of 10 x 10 inches
    header: Shares = field(default_factory=PAPER_HEADER.copy)  # blocks of headers.py
    curves: CurveTable = field(default_factory=CurveTable)
    dpi: Span = (70.0, 155.0)  # measured; a scan has one of SCAN_DPI
    grids: Shares = field(default_factory=lambda: {"mid": 0.55, "light": 0.18, "black": 0.27})
    coarse: float = 0.0  # share drawn at 60-85 dpi with strokes of one pixel (measured)
    lithology: Shares = field(default_factory=lambda: {"brick": 3, "dots": 3, "dashes": 3})
    tinted: float = 0.8  # share of lithology columns in colours
    text_turned: float = 0.12  # share of texts that lie on their side


KINDS: dict[str, PageKind] = {
    "paper": PageKind("scan", PAPER_LAYOUTS, PAPER_NOTES),
    "colour print": PageKind(
        "print", PAPER_LAYOUTS, PAPER_NOTES, dpi=(75, 130),  # measured
        curves=CurveTable(inks=COLOURED, width_px=(1.0, 2.4)),
    ),
    "mud log": PageKind(
        "render", {"mud": 50, "mud wide": 30, "photos": 20}, MUD_LOG_NOTES, MUD_LOG_HEADER,
        coarse=0.25, tinted=0.95, grids={"mid": 0.4, "light": 0.15, "black": 0.45},
        lithology={"brick": 5, "dots": 3, "dashes": 4, "slant": 2, "steps": 1, "plain": 1},
        curves=CurveTable(
            per_track={"1": 30, "2": 34, "3": 18, "5": 18}, shapes=MUD_LOG_SHAPES, inks=GAS_INKS,
            styles={"solid": 82, "long": 6, "short": 4, "points": 8}, liveliness=(0.3, 1.2),
            still=0.06, at_border=0.16, along_rows=0.35, filled=0.08,
        ),
    ),
    "geosteering": PageKind(
        "render", {"geosteering": 1}, {**MUD_LOG_NOTES, "bar": 8.0}, MUD_LOG_HEADER,
        tinted=0.95, text_turned=1.0,
        curves=CurveTable(
            shapes=MUD_LOG_SHAPES, inks=GAS_INKS, styles={"solid": 80, "long": 8, "points": 12},
            liveliness=(0.3, 1.2), still=0.1, at_border=0.16, along_rows=0.3,
        ),
    ),
    "open hole": PageKind(
        "render", RENDER_LAYOUTS, RENDER_NOTES, coarse=0.35,
        curves=CurveTable(
            styles=RENDER_STYLES, inks=COLOURED, liveliness=(0.2, 0.9), still=0.08,
            at_border=0.05, filled=0.16,
        ),
    ),
    "gray render": PageKind(
        "render", RENDER_LAYOUTS, RENDER_NOTES, coarse=0.5, tinted=0.0,
        curves=CurveTable(
            styles=RENDER_STYLES, inks=GRAYS, liveliness=(0.2, 0.9), still=0.08, at_border=0.05,
            filled=0.12,
        ),
    ),
    "cased hole": PageKind(
        "render", {"bond": 40, "cased": 40, "depth left": 20}, RENDER_NOTES, coarse=0.5,
        curves=CurveTable(
            shapes=CASED_HOLE_SHAPES, inks=COLOURED, liveliness=(0.15, 0.7), still=0.14,
            styles={"solid": 54, "long": 10, "short": 8, "points": 22, "dots": 6},
            at_border=0.1, collars=0.2, filled=0.06, bundle=0.06,
        ),
    ),
    "drilling": PageKind(
        "render", {"drilling": 60, "api wide": 25, "api": 15}, {**RENDER_NOTES, "survey": 8.0},
        coarse=0.3, grids={"mid": 0.5, "light": 0.1, "black": 0.4},
        curves=CurveTable(
            per_track={"1": 60, "2": 30, "3": 10}, shapes=DRILLING_SHAPES, along_rows=0.5,
            inks={**GRAYS, "blue": 20, "red": 20, "green": 20}, liveliness=(0.3, 1.4), bare=0.2,
        ),
    ),
}  # fmt: skip

MIX = {
    "paper": 50, "colour print": 6, "mud log": 14, "geosteering": 4, "open hole": 9,
    "gray render": 5, "cased hole": 7, "drilling": 5,
}  # fmt: skip
"""Shares of the kinds. Half paper, as the archive; modern renders as often as in the archive."""


@dataclass(frozen=True)
class Preset:
    """How large logs are, and how many have headers."""

    rows: Span
    columns: Span
    max_mpx: float = 14.0
    mix: Shares = field(default_factory=lambda: MIX)
    without_curves: float = 0.17  # share of pages of header, table, empty grid or nothing
    headed: float = 0.28  # share of logs with a block of header above, between or below


PRESETS = {
    # Two patches of a unit test.
    "tiny": Preset(rows=(192, 320), columns=(160, 256)),
    # The training of some minutes: a crop of a scan's width.
    "quick": Preset(rows=(1000, 1600), columns=(480, 900)),
    # Release weights: real widths, 1.0-1.6 Mpx, so that an epoch shows many kinds of page.
    "train": Preset(rows=(800, 1400), columns=(800, 1800), max_mpx=1.6),
    # Whole logs, and as wide as real scans (850-3,330, measured).
    "full": Preset(rows=(3200, 12800), columns=(480, 3300), without_curves=0.04, headed=0.6),
}

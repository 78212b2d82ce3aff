"""Every range the corpus draws from, in one place.

Ranges marked *measured* come from 62 public paper scans (185 windows) and 28 hand-labelled
regions: see benchmarks/realism. Lengths are pixels unless a name says otherwise; an inch of paper
is ``dpi`` pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # shape, dtype and range stand in each docstring
Rng = np.random.Generator
Span = tuple[float, float]
Kind = Literal["scan", "print", "render"]


def between(rng: Rng, span: Span) -> float:
    """A uniform draw from [span[0], span[1])."""
    return float(rng.uniform(*span))


def log_between(rng: Rng, span: Span) -> float:
    """A draw whose logarithm is uniform: as many from 1-2 as from 10-20."""
    return float(np.exp(rng.uniform(np.log(span[0]), np.log(span[1]))))


def pick(rng: Rng, shares: Mapping[str, float]) -> str:
    """A key of ``shares``, in proportion to its value."""
    names = list(shares)
    weights = np.array([shares[name] for name in names])
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def chance(rng: Rng, share: float) -> bool:
    return bool(rng.random() < share)


@dataclass(frozen=True)
class Preset:
    """How large logs are, and what pages there are."""

    rows: Span
    columns: Span
    max_mpx: float = 14.0
    text_pages: float = 0.17  # pages of header, table or nothing: an empty mask
    headed: float = 0.28  # logs with such a block above, between or below the tracks
    kinds: tuple[float, float, float] = (0.68, 0.07, 0.25)  # scan, print, render
    coarse: float = 0.4  # share of renders with 70 dpi (measured: two of seven labelled ones)
    still: float = 0.05  # share of renders' curves that are ruled straight down
    collars: float = 0.0  # share of renders' curves that are a collar locator's
    faint: float = (
        0.0  # share of dotted curves on pages of 70 dpi that are as light as their grid, or lighter
    )
    strays: float = 0.35  # lines ruled down a render that belong to no grid, on average
    handled: float = 0.0  # share of headers, and of pages' margins, that show traces of hands
    flooded: float = 0.0  # share of scans with areas that were copied black
    rounded: float = 0.0  # share of renders' headers whose boxes have round corners
    bare: float = 0.0  # share of tracks that have a grid and no curve


PRESETS = {
    # Two patches of a unit test.
    "tiny": Preset(rows=(192, 320), columns=(160, 256)),
    # The ten-minute training: a crop of a scan's width.
    "quick": Preset(rows=(1000, 1600), columns=(480, 900)),
    # Release weights: real widths, 1.0-1.6 Mpx, so that an epoch shows many kinds of paper.
    # Renders' faint dots and collar locators are what weights miss most, so there are more of them than in the field,
    # and hardly a line like theirs that is none.
    "train": Preset(
        rows=(800, 1400),
        columns=(800, 1800),
        max_mpx=1.6,
        kinds=(0.58, 0.07, 0.35),
        coarse=0.5,
        still=0.1,
        collars=0.08,
        faint=0.35,
        strays=0.05,
        handled=0.5,
        flooded=0.08,
        rounded=0.5,
        bare=0.1,
    ),
    # Whole logs: 3,200 x 480 to 12,800 x 640, and as wide as real scans (850-3,330, measured).
    "full": Preset(rows=(3200, 12800), columns=(480, 3300), text_pages=0.04, headed=0.6),
}


@dataclass(frozen=True)
class Paper:
    """One log's paper and scanner: drawn once, obeyed by everything on the page."""

    kind: Kind
    dpi: float  # of the scan, or of the render
    blur_px: float  # sigma of ink spread and optics, before the threshold
    threshold: float  # ink level (0 paper .. 255 ink) from which a pixel is black
    grain: float  # standard deviation of the noise before the threshold, ink levels
    curve_px: float  # the nominal pen of this log
    wear: float  # 0 fresh .. 1 grid eroded to dots
    liveliness: float  # of the curves: how far they swing
    antialias: bool  # strokes of a render; most are not (measured: exact palette grays)
    tidy: bool  # born digital: no ragged edges, no dirt
    coarse: bool = (
        False  # a page of 70 dpi: strokes of one pixel, a grid of one gray, dots of two pixels
    )
    still: float = 0.0  # share of its curves that never change
    collars: float = 0.0
    faint: float = 0.0
    strays: float = 0.35
    handled: float = 0.0
    flooded: float = 0.0
    rounded: float = 0.0
    bare: float = 0.0


# Measured: 200 dpi is most of the archive, 300 and 400 dpi the rest.
SCAN_DPI = {"200": 0.5, "300": 0.3, "400": 0.2}
# Born-digital renders and colour prints lie at 70-150 dpi (measured).
RENDER_DPI: Span = (70, 155)
# Measured: 595 and 720 px for a page of 8.5 to 10 inches.
COARSE_DPI, COARSE_PAGE_IN = (60.0, 85.0), (7.5, 12.0)
PRINT_DPI: Span = (75, 130)

CURVE_PX_MEDIAN = 4.7  # measured 5-7 px, p10-p90 3.4-9, after a spread of about 0.5 px
CURVE_PX_LOG_SD = 0.36
CURVE_PX: Span = (2.0, 11.0)

# Measured 16-2,080, median 350 on paper; what the grain makes of faint lines counts among them.
SPECKS_PER_MPX_MEDIAN = 60.0
SPECKS_LOG_SD = 1.4
SKEW_DEG_MEDIAN = 0.15  # measured; p95 0.64
SKEW_LOG_SD = 0.85
BLACK_EDGE_PX: Span = (10, 60)  # measured
# Measured gray of curves in renders: 0, 29 (blue), 53, 76 (red), 105, 151 (green), 177. As ink:
INK_LEVELS = {
    "255": 0.42,
    "226": 0.14,
    "202": 0.04,
    "179": 0.2,
    "150": 0.06,
    "104": 0.09,
    "78": 0.05,
    "60": 0.04,
}
FAINT_LEVELS: Span = (55, 125)
# Measured on the labels, p10 / median / p90: sideways travel per row 0.5 / 2.3 / 6.2 px on scans,
# 0.2 / 0.8 / 2.5 px on renders; turns per inch 4 / 6 / 14 and 0.4 / 3.4 / 7.
SCAN_LIVELINESS: Span = (0.8, 1.6)
RENDER_LIVELINESS: Span = (0.2, 0.9)
SPLICE_GAP_PX: Span = (8, 20)  # measured


def draw_paper(rng: Rng, preset: Preset) -> Paper:
    kinds: tuple[Kind, ...] = ("scan", "print", "render")
    kind = kinds[int(rng.choice(3, p=np.array(preset.kinds)))]
    if kind == "render":
        coarse = chance(rng, preset.coarse)
        return Paper(
            kind,
            dpi=between(rng, COARSE_DPI if coarse else RENDER_DPI),
            blur_px=0.0,
            threshold=128.0,
            grain=0.0,
            curve_px=1.0 if coarse or chance(rng, 0.5) else between(rng, (1.5, 3.2)),
            wear=0.0,
            liveliness=log_between(rng, RENDER_LIVELINESS) * (1.6 if coarse else 1.0),
            antialias=not coarse and chance(rng, 0.3),
            tidy=True,
            coarse=coarse,
            still=preset.still,
            collars=preset.collars,
            faint=preset.faint,
            strays=preset.strays,
            rounded=preset.rounded,
            bare=preset.bare,
        )
    if kind == "print":
        dpi = between(rng, PRINT_DPI)
        return Paper(
            kind,
            dpi,
            blur_px=between(rng, (0.3, 0.6)),
            threshold=90,
            grain=log_between(rng, (0.6, 9)),
            curve_px=between(rng, (1.0, 2.4)),
            wear=float(rng.random()),
            liveliness=log_between(rng, SCAN_LIVELINESS),
            antialias=True,
            tidy=False,
            handled=preset.handled,
            bare=preset.bare,
        )
    dpi = float(pick(rng, SCAN_DPI)) * between(rng, (0.96, 1.04))
    pen = CURVE_PX_MEDIAN * float(np.exp(rng.normal(0, CURVE_PX_LOG_SD))) * (dpi / 250) ** 0.35
    pen = float(np.clip(pen, *CURVE_PX))
    blur_px = log_between(rng, (0.6, 1.5)) * (dpi / 250) ** 0.3
    # An operator sets the threshold so that the curves are seen, whatever the grid does.
    seen = 255 * min(1.0, pen / (2.5 * blur_px))
    return Paper(
        kind,
        dpi,
        blur_px=blur_px,
        threshold=min(between(rng, (85, 155)), 0.55 * seen),
        grain=log_between(rng, (2.5, 22)),
        curve_px=pen,
        wear=float(rng.beta(1.1, 1.3)),
        liveliness=log_between(rng, SCAN_LIVELINESS),
        antialias=False,
        tidy=False,
        handled=preset.handled,
        flooded=preset.flooded,
        bare=preset.bare,
    )

"""Tracks and the printed grid: everything ruled on the paper before a curve is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .recipe import Array, Paper, Rng, between, chance, log_between, pick


@dataclass
class Track:
    """A column of the page; ``left`` and ``right`` in pixels, possibly off the page."""

    left: float
    right: float
    kind: str  # curves, depth, empty, text, lithology, density, photo, tadpoles
    scale: str = "linear"  # linear, log
    decades: int = 1
    first: float = 1.0  # where a log scale starts: 0.2 -> 2, 1 -> 10
    divisions: int = 10

    @property
    def width(self) -> float:
        return self.right - self.left


@dataclass(frozen=True)
class Ruling:
    """How this page's grid was printed and what copying left of it. Widths in px, levels of ink."""

    row_step: float
    minor_px: int
    medium_px: int
    bold_px: int
    border_px: int
    minor_level: int
    medium_level: int
    bold_level: int
    border_level: int
    bold_every: int
    medium_every: int
    inset_px: float  # rows stop short of the border by this much
    rows_drawn: str  # all, medium, none
    columns_drawn: str  # all, medium, none
    knots_px: int = 0  # ink that gathered where lines cross: added to half their width
    swollen: float = 0.0  # share of the bold lines along a part of which ink gathered
    across: float = 1.0  # ink of rows over that of columns
    broken: float = 0.0  # share of the column lines of which copying left pieces


def draw_ruling(rng: Rng, paper: Paper) -> Ruling:
    unit = paper.dpi / 200
    if paper.coarse:  # measured: lines of one or two pixels of the same gray, 123-139 of ink
        level_of_all = int(between(rng, (105, 150)))
        return Ruling(
            row_step=paper.dpi * 0.1 * float(pick(rng, {"1": 0.7, "0.9": 0.2, "2": 0.1})),
            minor_px=1,
            medium_px=1 if chance(rng, 0.3) else 2,
            bold_px=2,
            border_px=2,
            minor_level=level_of_all,
            medium_level=level_of_all,
            bold_level=level_of_all,
            border_level=level_of_all if chance(rng, 0.6) else 255,
            bold_every=5 if chance(rng, 0.7) else 10,
            medium_every=99,
            inset_px=0,
            rows_drawn="all",
            columns_drawn="all",
        )
    if paper.tidy or paper.kind == "print":
        # Measured: most renders' grids are gray 96-160, as dark as many of their curves.
        gray = pick(rng, {"mid": 0.55, "light": 0.18, "black": 0.27})
        minor = int(between(rng, {"mid": (95, 165), "light": (35, 95), "black": (215, 255)}[gray]))
        return Ruling(
            row_step=paper.dpi * 0.1 * float(pick(rng, {"1": 0.55, "1.6": 0.2, "2": 0.25})),
            minor_px=1,
            medium_px=1,
            bold_px=int(pick(rng, {"1": 0.5, "2": 0.32, "3": 0.12, "4": 0.06})),
            border_px=int(pick(rng, {"1": 0.5, "2": 0.3, "4": 0.2})),
            minor_level=minor,
            medium_level=min(255, minor + int(between(rng, (0, 60)))),
            bold_level=255 if chance(rng, 0.35) else min(255, minor + int(between(rng, (0, 80)))),
            border_level=255,
            bold_every=int(pick(rng, {"5": 0.3, "10": 0.7})),
            medium_every=5,
            inset_px=0,
            rows_drawn=pick(rng, {"all": 0.85, "medium": 0.1, "none": 0.05}),
            columns_drawn=pick(rng, {"all": 0.9, "medium": 0.05, "none": 0.05}),
        )
    # Measured: minor 1-4 px, on photocopies 3-6; every 5th or 10th 4-12 px, often as thick as the
    # curve. Levels are set so that worn grids stand near the threshold, where noise decides.
    minor_px = int(pick(rng, {"1": 0.42, "2": 0.38, "3": 0.14, "4": 0.06}))
    medium_px = minor_px + int(rng.integers(0, 2))
    bold_px = int(np.clip(medium_px + rng.integers(0, 4), 2, 10))
    if chance(rng, 0.22):  # wider than the curves
        bold_px = max(bold_px, round(paper.curve_px * between(rng, (0.9, 1.9))))
    if chance(rng, 0.25):
        medium_px = bold_px = minor_px
    fade = paper.wear

    def level(width_px: int, extra: float) -> int:
        # What a line keeps of its level at its centre after a blur of sigma blur_px.
        kept = float(np.clip(width_px / (2.5 * paper.blur_px), 0.25, 1.0))
        margin = 1.8 - 1.25 * fade + extra + between(rng, (-0.15, 0.15))
        return int(np.clip(paper.threshold / kept * margin, 20, 255))

    return Ruling(
        row_step=paper.dpi * 0.1 * float(pick(rng, {"1": 0.86, "2": 0.09, "0.5": 0.05})),
        minor_px=minor_px,
        medium_px=medium_px,
        bold_px=bold_px,
        border_px=int(np.clip(between(rng, (1.5, 5.5)) * unit, 1, 12)),
        minor_level=level(minor_px, 0.1),
        medium_level=level(medium_px, 0.2),
        bold_level=level(bold_px, 0.5),
        border_level=level(6, 1.0),
        bold_every=int(pick(rng, {"5": 0.35, "10": 0.65})),
        medium_every=int(pick(rng, {"5": 0.7, "99": 0.3})),
        inset_px=0.0 if chance(rng, 0.5) else between(rng, (2, 14)) * unit,
        rows_drawn=pick(rng, {"all": 0.91, "medium": 0.05, "none": 0.04}),
        columns_drawn=pick(rng, {"all": 0.93, "medium": 0.04, "none": 0.03}),
        knots_px=int(pick(rng, {"0": 0.65, "1": 0.2, "2": 0.15})),
        swollen=0.0 if chance(rng, 0.7) else between(rng, (0.1, 0.7)),
        across=1.0 if chance(rng, 0.5) else between(rng, (0.7, 1.4)),
        broken=0.0 if chance(rng, 0.6) else between(rng, (0.1, 0.9)),
    )


def column_lines(track: Track) -> list[tuple[float, str]]:
    """Where the vertical lines of a track stand, and how heavy they are."""
    if track.scale == "log":
        out = []
        start, end = np.log10(track.first), np.log10(track.first) + track.decades
        for decade in range(int(np.floor(start)), int(np.ceil(end)) + 1):
            for k in range(1, 10):
                at = (decade + np.log10(k) - start) / (end - start)
                if 0.001 < at < 0.999:
                    weight = "bold" if k == 1 else "medium" if k in (2, 5) else "minor"
                    out.append((track.left + at * track.width, weight))
        return out
    n = track.divisions
    return [
        (track.left + i / n * track.width, "medium" if i % 5 == 0 else "minor") for i in range(1, n)
    ]


def pieces(rng: Rng, y0: float, y1: float, inch_px: float) -> list[tuple[float, float]]:
    """What copying left of a line from y0 to y1: stretches of any length, some as short as a dash."""
    median = inch_px * log_between(rng, (0.06, 1.0))
    count = 2 * (2 + int((y1 - y0) / median))
    edges = y0 + np.cumsum(np.exp(rng.normal(np.log(median), 0.8, count))) - median * rng.random()
    return [(max(y0, a), min(y1, b)) for a, b in edges.reshape(-1, 2).tolist() if b > y0 and a < y1]


def rule(
    ink: Array,
    rng: Rng,
    paper: Paper,
    ruling: Ruling,
    tracks: list[Track],
    y0: int,
    y1: int,
    phase: float,
) -> None:
    """Draw the grid of all tracks between rows y0 and y1. phase: row of the first bold line."""
    width = ink.shape[1]
    sizes = {
        "minor": (ruling.minor_px, ruling.minor_level),
        "medium": (ruling.medium_px, ruling.medium_level),
        "bold": (ruling.bold_px, ruling.bold_level),
        "border": (ruling.border_px, ruling.border_level),
    }

    def line(x0: float, ya: float, x1: float, yb: float, weight: str) -> None:
        px, level = sizes[weight]
        if ya == yb:
            level = int(level * ruling.across)
        if not paper.tidy:
            level = int(np.clip(level * rng.normal(1.0, 0.05), 10, 255))
            px = max(1, px + int(rng.choice((-1, 0, 0, 0, 1)) if px > 2 else 0))
        cv2.line(ink, (round(x0), round(ya)), (round(x1), round(yb)), level, px)

    gridded = [t for t in tracks if t.kind in ("curves", "empty", "tadpoles")]
    first = int(np.floor((y0 - phase) / ruling.row_step))
    last = int(np.ceil((y1 - phase) / ruling.row_step))
    for t in gridded:
        if t.right < 0 or t.left > width:
            continue
        if ruling.columns_drawn != "none":
            for x, weight in column_lines(t):
                if weight == "minor" and ruling.columns_drawn != "all":
                    continue
                broken = chance(rng, ruling.broken)
                for a, b in pieces(rng, y0, y1, paper.dpi) if broken else [(y0, y1)]:
                    line(x, a, x, b, weight)
        if ruling.rows_drawn == "none":
            continue
        for n in range(first, last + 1):
            y = phase + n * ruling.row_step
            weight = (
                "bold" if n % ruling.bold_every == 0
                else "medium" if n % ruling.medium_every == 0
                else "minor"
            )  # fmt: skip
            if not y0 <= y <= y1 or (weight == "minor" and ruling.rows_drawn == "medium"):
                continue
            a, b = t.left, t.right
            if ruling.inset_px:
                a += ruling.inset_px * rng.uniform(0.3, 1.2)
                b -= ruling.inset_px * rng.uniform(0.3, 1.2)
            line(a, y, b, y, weight)
            if weight == "bold" and not paper.tidy and chance(rng, ruling.swollen):
                # Ink gathers along a part of it, where a curve comes near as often as not.
                c, d = np.sort(rng.uniform(a, b, 2))
                px, level = sizes["bold"]
                cv2.line(
                    ink,
                    (round(c), round(y)),
                    (round(d), round(y)),
                    level,
                    px + int(rng.integers(1, 5)),
                )
            if ruling.knots_px and not paper.tidy:
                level = min(255, int(sizes[weight][1] * 1.4))
                for x, _ in column_lines(t):
                    cv2.circle(
                        ink, (round(x), round(y)), ruling.minor_px // 2 + ruling.knots_px, level, -1
                    )
    for t in tracks:
        for x in (t.left, t.right):
            if -20 < x < width + 20 and t.kind != "depth":
                line(x, y0, x, y1, "border")

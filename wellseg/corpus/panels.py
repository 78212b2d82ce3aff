"""Whole tracks that hold no curves: lithology, images, photographs, dips, text, depth numbers.

``PANELS`` holds each by the kind of track that it fills, between rows y0 and y1.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .damage import cloud
from .draws import Array, Table
from .headers import draw_form
from .layout import Track
from .lettering import CENTRE, draw_face, draw_hand, write
from .sheet import BLACK, Colour, Sheet, gray

ROCK = Table(
    unit_in=(0.06, 0.18), bed_in=(0.1, 3.0), tint=(0, 210), gray=0.3, ruled=0.5, letters=0.35,
    text_in=(0.04, 0.07), marks=("MS", "P", "T", "A", "I", "DOL", "SH"), changing=0.25,
    strip=(0.25, 0.9), tints=("teal", "cyan", "orange", "magenta", "lime", "yellow",
                                              "gray", "brown", "light gray"),
)  # fmt: skip
PATTERNS: dict[str, list[list[tuple[float, float]]]] = {
    "brick": [[(0, 0), (1, 0)], [(0, 0.5), (1, 0.5)], [(0.75, 0), (0.75, 0.5)],
              [(0.25, 0.5), (0.25, 1)]],
    "slant": [[(0, 0), (1, 0)], [(0, 0.5), (1, 0.5)], [(0.75, 0), (0.6, 0.5)],
              [(0.25, 0.5), (0.1, 1)]],
    "dots": [[(0.1, 0.2)], [(0.45, 0.1)], [(0.8, 0.35)], [(0.25, 0.6)], [(0.6, 0.8)], [(0.9, 0.7)]],
    "dashes": [[(0.12, 0.25), (0.5, 0.25)], [(0.62, 0.75), (1, 0.75)]],
    "steps": [[(0, 1), (0, 0.5), (0.5, 0.5), (0.5, 0), (1, 0)]],
    "hatch": [[(0, 1), (0.5, 0)], [(0.5, 1), (1, 0)]],
    "plain": [],
}  # fmt: skip
"""Strokes of one tile of a rock, x and y as shares of it."""

IMAGE = Table(
    fields={"waves": 10, "bands": 3}, tones={"black": 3, "lines": 2, "screen": 3, "gray": 2,
                                              "colours": 2},
    period_in=(0.03, 0.12), delay=(0.02, 1.5), tremor=(0, 0.15), band_in=(0.1, 0.6),
    level=(-0.7, 0.6), line=3.0, chips=2.5, screen_dots=(1, 3),
)  # fmt: skip
SCREEN = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 8 - 1
"""Bayer's ordered dither, -1..1."""

DIP = Table(radius_in=0.018, low=0.2, every_in=0.06, tail=2.6, filled=0.7)
TEXT = Table(high_in=(0.3, 1.5), gap_in=(0.1, 1.5), width=0.95)
NUMBER = Table(
    text_in=(0.07, 0.13), turns=(0, 0, 0, 3, 3, 1), hand=0.12, hand_pens=(0.4, 1.2),
    every={"10": 0.5, "20": 0.25, "50": 0.25}, step={"100": 0.6, "50": 0.3, "10": 0.1},
)  # fmt: skip
BARS = Table(bar_in=(0.05, 0.8), gap_in=(0.02, 1.2), left=(0.0, 0.0, 0.3))
WELL = Table(lines=(1, 4), at=(0.1, 0.9), wander=(0, 0.01), pens=(2.0, 8.0), points=40)


def window(sheet: Sheet, track: Track, y0: float, y1: float) -> Array:
    """The part of the page that a panel fills: a view of its ink, perhaps empty."""
    left = max(0, round(track.left))
    right = max(left, min(sheet.columns, round(track.right)))
    return sheet.ink[max(0, round(y0)) : max(0, round(y1)), left:right]


def pattern(sheet: Sheet, name: str, unit: int, shape: tuple[int, ...], ink: Colour = BLACK,
            tint: Colour | None = None) -> Array:  # fmt: skip
    """Ink of that shape, filled with one of PATTERNS, ``unit`` px high, on a tint."""
    tile = sheet.part(unit, 2 * unit)
    if tint:
        tile.box(0, 0, tile.columns, tile.rows, tint, -1)
    for points in PATTERNS[name]:
        ends = np.array([points[0], *points]) * [tile.columns - 1, tile.rows - 1]
        tile.path(ends, ink, sheet.dpi / (100 if len(points) == 1 else 200))
    times = (shape[0] // tile.rows + 1, shape[1] // tile.columns + 1, 1)[: tile.ink.ndim]
    filled: Array = np.tile(tile.ink, times)[: shape[0], : shape[1]]
    return filled


def lithology(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """Beds of bricks, dots, dashes, slants, each with its tint; letters in some."""
    draws, y = sheet.draws, y0
    unit = round(max(6, sheet.inches(ROCK.unit_in)))
    tinted = sheet.tidy and draws.chance(sheet.kind.tinted)
    while y < y1:
        end = min(y1, y + int(sheet.log_inches(ROCK.bed_in)) + 4)
        cell, tint = window(sheet, track, y, end), None
        if tinted:
            tint = sheet.colour(draws.one_of(ROCK.tints))
            tint = gray(draws.between(ROCK.tint)) if draws.chance(ROCK.gray) else tint
        # A second rock from the side: its border goes in steps.
        part = draws.between(ROCK.strip) if draws.chance(ROCK.changing) else 1.0
        cell = cell[:, : int(cell.shape[1] * part)]
        cell[...] = pattern(sheet, draws.pick(sheet.kind.lithology), unit, cell.shape, tint=tint)
        for _ in range((1 + (end - y) // int(sheet.dpi)) * draws.chance(ROCK.letters)):
            x = track.left + draws.between((0.1, 0.9)) * track.width
            size, face = sheet.text_px(ROCK.text_in), draw_face(draws)
            write(sheet, draws.one_of(ROCK.marks), x, draws.between((y, end)), size, face,
                  on_white=draws.chance(0.6), align=CENTRE)  # fmt: skip
        if draws.chance(ROCK.ruled):
            sheet.line((track.left, end), (track.right, end), BLACK, sheet.fine_px)
        y = end


def image(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """Bond logs, borehole images, cement maps, photographs of cuttings: dithered or in tones."""
    cell = window(sheet, track, y0, y1)
    draws, (rows, columns) = sheet.draws, cell.shape[:2]
    if cell.size == 0:
        return
    period, field = sheet.inches(IMAGE.period_in) + 2, draws.pick(IMAGE.fields)
    how, level = draws.pick(IMAGE.tones), draws.between(IMAGE.level)
    if track.kind == "photo":  # chips of rock, each its own gray
        chips = np.round(IMAGE.chips * cloud(draws, rows, columns, 2 * period)) / IMAGE.chips
        wave, how = 0.6 * chips + 0.2 * cloud(draws, rows, columns, 2.5), "gray"
    elif field == "waves":  # stripes that shift and break
        delay = cloud(draws, rows, 1, sheet.dpi * 0.3) * draws.between(IMAGE.delay)
        delay = delay + cloud(draws, rows, 1, 3) * draws.between(IMAGE.tremor)
        x = np.arange(columns, dtype=np.float32)[None, :] / period
        wave = np.cos(2 * np.pi * (x - delay))
        wave *= 0.4 + 0.6 * np.clip(cloud(draws, rows, columns, sheet.dpi * 0.25) + 0.5, 0, 1.5)
    else:  # a cement map: dark or light for many rows, then the other
        wave = cloud(draws, rows, 1, sheet.inches(IMAGE.band_in))
        wave = wave + 0.25 * cloud(draws, rows, columns, 9)
    if how == "lines":  # traces side by side, each a thin line
        wave = 2.0 * (np.abs(wave - level) < IMAGE.line / period) - 1
    elif how == "black":
        wave = np.where(wave > level, 1, -1)
    elif how == "screen" or sheet.kind.medium == "scan":
        dot = draws.whole(IMAGE.screen_dots) if sheet.kind.medium == "scan" else 1
        screen = np.kron(SCREEN, np.ones((dot, dot)))
        reps = (rows // len(screen) + 1, columns // len(screen) + 1)
        wave = np.where(wave > np.tile(screen, reps)[:rows, :columns], 1, -1)
    tone = np.clip(127.5 + 127.5 * wave, 0, 255).astype(np.uint8)
    if how == "colours" and sheet.ink.ndim == 3:
        cell[...] = 255 - cv2.applyColorMap(tone, cv2.COLORMAP_JET)
    else:
        cell[...] = tone if cell.ndim == 2 else tone[..., None]


def tadpoles(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """Dips: a disc with a tail, clustered at low angles."""
    draws, y, radius = sheet.draws, float(y0), max(2.0, sheet.dpi * DIP.radius_in)
    while y < y1:
        x = track.left + track.width * min(0.98, draws.rng.exponential(DIP.low))
        angle = draws.between((0, 2 * np.pi))
        tail = (x + radius * DIP.tail * np.cos(angle), y + radius * DIP.tail * np.sin(angle))
        px = -1 if draws.chance(DIP.filled) else max(1, round(radius / 3))
        sheet.circle(x, y, radius, BLACK, px)
        sheet.line((x, y), tail, BLACK, radius / 2)
        y += sheet.dpi * draws.rng.exponential(DIP.every_in) + 1


def text_column(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """A geologist's descriptions, in blocks, now and then lying on their side."""
    draws, wide = sheet.draws, max(20, int(track.width * TEXT.width))
    y = y0 + int(sheet.inches((0, 1)))
    while y < y1:
        high = int(sheet.inches(TEXT.high_in))
        turned = draws.chance(sheet.kind.text_turned)
        block = sheet.part(wide, high) if turned else sheet.part(high, wide)
        draw_form(block, "text")
        ink = np.rot90(block.ink, 3) if turned else block.ink
        sheet.put(ink[: y1 - y], track.left + 4, y)
        y += high + int(sheet.inches(TEXT.gap_in))


def bars(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """A narrow column of filled intervals: slides, porosity grades, oil shows."""
    draws, y, colour = sheet.draws, float(y0), sheet.any_colour(0.8)
    while y < y1:
        end = min(y1, y + sheet.log_inches(BARS.bar_in))
        left = track.left + draws.one_of(BARS.left) * track.width
        sheet.box(left, y, track.right, end, colour, -1)
        y = end + sheet.log_inches(BARS.gap_in)


def well_path(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """The path of a horizontal well between formation lines: thick lines, no logged curves."""
    draws, y = sheet.draws, np.linspace(y0, y1, WELL.points)
    for _ in range(draws.whole(WELL.lines)):
        wander = draws.between(WELL.wander) * np.cumsum(draws.noise(WELL.points))
        x = track.left + track.width * (draws.between(WELL.at) + wander)
        sheet.path(np.stack([x, y], axis=1), sheet.any_colour(0.9), sheet.pens(WELL.pens))


def depth_numbers(sheet: Sheet, track: Track, y0: int, y1: int, phase: float, step: float) -> None:
    """Depths down the column, upright or turned, every so many grid rows of ``step`` px."""
    draws = sheet.draws
    size = max(6.0, min(sheet.inches(NUMBER.text_in), track.width * 0.3))
    face, turns = draw_face(draws), draws.one_of(NUMBER.turns)
    if not sheet.tidy and draws.chance(NUMBER.hand):
        face = draw_hand(sheet, NUMBER.hand_pens, size)
    every, jump = step * draws.number(NUMBER.every), int(draws.number(NUMBER.step))
    depth = draws.whole((1, 180)) * 100
    for n, y in enumerate(np.arange(y0 + (phase - y0) % every, y1, every)):
        x = track.middle + draws.normal(2)
        write(sheet, str(depth + n * jump), x, y, size, face, turns=turns, align=CENTRE)


PANELS: dict[str, Callable[[Sheet, Track, int, int], None]] = {
    "lithology": lithology, "image": image, "photo": image, "tadpoles": tadpoles,
    "text": text_column, "slides": bars, "porosity": bars, "path": well_path,
}  # fmt: skip

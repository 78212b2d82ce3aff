"""Whole tracks that hold no curves: lithology, images, photographs, dips, text, depth numbers.

``PANELS`` holds each by the kind of track that it fills, between rows y0 and y1.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .damage import cloud
from .draws import Array, Draws, Table
from .layout import Track
from .lettering import draw_face, draw_hand, mark_of, words, write
from .sheet import BLACK, Sheet, gray

ROCK = Table(
    unit_in=(0.03, 0.09), bed_in=(0.1, 3.0), tint=(0, 210), ruled=0.5, letters=0.35,
    marks=("MS", "P", "T", "A", "I", "DOL", "SH"), changing=0.25, strip=(0.25, 0.9),
    tints=("teal", "cyan", "orange", "magenta", "lime", "yellow", "gray", "brown", "light gray"),
)  # fmt: skip
IMAGE = Table(
    kinds={"stripes": 3, "dither": 3, "wiggles": 2, "gray": 2, "bands": 2, "colours": 2},
    period_in=(0.03, 0.12), screen_dots=(1, 3), waves=(2, 6),
)  # fmt: skip
PHOTO = Table(high_in=(0.4, 1.2), there=0.75, chip_in=(0.06, 0.2), tone=(90, 170))
DIP = Table(radius_in=0.018, low=0.2, every_in=0.06, tail=2.6, filled=0.7)
TEXT = Table(high_in=(0.3, 1.5), gap_in=(0.1, 1.5), text_in=(0.035, 0.10), line=1.7, width=0.95)
NUMBER = Table(
    text_in=(0.07, 0.13), turns=(0, 0, 0, 3, 3, 1), hand=0.12, hand_pens=(0.4, 1.2),
    every={"10": 0.5, "20": 0.25, "50": 0.25}, step={"100": 0.6, "50": 0.3, "10": 0.1},
)  # fmt: skip
BARS = Table(bar_in=(0.05, 0.8), gap_in=(0.02, 1.2))


def window(sheet: Sheet, track: Track, y0: float, y1: float) -> Array:
    """The part of the page that a panel fills: a view of its ink, perhaps empty."""
    left = max(0, round(track.left))
    right = max(left, min(sheet.columns, round(track.right)))
    return sheet.ink[max(0, round(y0)) : max(0, round(y1)), left:right]


def _tone(sheet: Sheet, tone: Array) -> Array:
    """Gray tones, uint8 (rows, columns), as ink of this page."""
    return tone if sheet.ink.ndim == 2 else np.repeat(tone[..., None], 3, axis=2)


def lithology(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """Beds of bricks, dots, dashes, slants, each with its tint; letters and stripes in some."""
    draws = sheet.draws
    unit = max(3.0, sheet.inches(ROCK.unit_in))
    tinted = sheet.tidy and draws.chance(sheet.kind.tinted)
    y = y0
    while y < y1:
        end = min(y1, y + int(sheet.log_inches(ROCK.bed_in)) + 4)
        cell = window(sheet, track, y, end)
        if cell.size == 0:
            return
        tile = _rock(sheet, round(unit * 2), round(unit * 4), tinted)
        reps = (cell.shape[0] // tile.rows + 1, cell.shape[1] // tile.columns + 1)
        reps += (1,) * (cell.ndim - 2)
        filled = np.tile(tile.ink, reps)[: cell.shape[0], : cell.shape[1]]
        keep = np.ones(cell.shape[1], bool)
        if draws.chance(ROCK.changing):  # a second rock from the side: its border goes in steps
            keep[int(len(keep) * draws.between(ROCK.strip)) :] = False
        cell[:, keep] = filled[:, keep]
        if draws.chance(ROCK.letters):
            for _ in range(1 + (end - y) // max(1, int(sheet.dpi))):
                at = (track.left + draws.between((0.1, 0.9)) * track.width, draws.between((y, end)))
                size = sheet.text_px((0.04, 0.07))
                text, face = draws.one_of(ROCK.marks), draw_face(draws)
                write(sheet, text, *at, size, face, on_white=draws.chance(0.6), centre=True)
        if draws.chance(ROCK.ruled):
            sheet.line((track.left, end), (track.right, end), BLACK, sheet.fine_px)
        y = end


def _rock(sheet: Sheet, rows: int, columns: int, tinted: bool) -> Sheet:
    """One tile of a rock's pattern."""
    draws = sheet.draws
    tile = sheet.part(rows, columns)
    px, ink = max(1, round(sheet.dpi / 200)), BLACK
    if tinted:
        tint = sheet.colour(draws.one_of(ROCK.tints))
        if draws.chance(0.3):
            tint = gray(draws.between(ROCK.tint))
        tile.ink[...] = np.array(tint) if tile.ink.ndim == 3 else tint[0]
        ink = BLACK if min(tint) < 150 or draws.chance(0.7) else (0, 0, 0)
    h, w, kind = rows, columns, draws.pick(sheet.kind.lithology)
    if kind in ("brick", "slant"):
        for n in range(2):
            x, top, lean = (w // 4 if n else 3 * w // 4), n * h // 2, w // 8 * (kind == "slant")
            tile.line((0, top), (w, top), ink, px)
            tile.line((x, top), (x - lean, top + h // 2), ink, px)
    elif kind == "dots":
        for _ in range(6):
            tile.circle(draws.between((1, w - 1)), draws.between((1, h - 1)), px, ink, -1)
    elif kind == "dashes":
        tile.line((w // 8, h // 4), (w // 2, h // 4), ink, px)
        tile.line((5 * w // 8, 3 * h // 4), (w - 1, 3 * h // 4), ink, px)
    elif kind == "steps":
        points = np.array([[0, h], [0, h // 2], [w // 2, h // 2], [w // 2, 0], [w, 0]], float)
        tile.path(points, ink, px)
    return tile


def image(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """Bond logs and borehole images: stripes that shift and break, waves, dithered or coloured."""
    cell = window(sheet, track, y0, y1)
    if cell.size == 0:
        return
    draws, (rows, columns) = sheet.draws, cell.shape[:2]
    period = sheet.inches(IMAGE.period_in) + 2
    x = np.arange(columns, dtype=np.float32)[None, :]
    delay = cloud(draws, rows, 1, sheet.dpi * 0.3) * draws.between((0.02, 1.5)) * period
    delay = delay + cloud(draws, rows, 1, 3) * draws.between((0, 0.15)) * period
    wave = np.cos(2 * np.pi * (x - delay) / period * (1 + 0.1 * np.sin(x / columns * 5)))
    wave *= 0.4 + 0.6 * np.clip(cloud(draws, rows, columns, sheet.dpi * 0.25) + 0.5, 0, 1.5)
    how = draws.pick(IMAGE.kinds)
    if sheet.kind.medium == "scan" and how in ("gray", "bands", "colours"):
        how = "dither"
    if how == "stripes":
        tone = np.where(wave > draws.between((-0.7, 0.6)), 255, 0)
    elif how == "wiggles":  # traces side by side, each a thin line
        line = np.abs(wave - draws.between((-0.3, 0.5))) < 3.0 / period
        line[:: draws.whole((2, 5))] &= draws.chance(0.5)
        tone = np.where(line, 255, 0)
    elif how == "bands":  # a cement map: dark or light for many rows, then the other
        dark = 128 + 150 * cloud(draws, rows, 1, sheet.inches((0.1, 0.6)))
        tone = np.clip(dark + 30 * cloud(draws, rows, columns, 9), 0, 255)
    elif how == "dither":
        bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16
        dot = draws.whole(IMAGE.screen_dots) if sheet.kind.medium == "scan" else 1
        screen = np.kron(bayer, np.ones((dot, dot)))
        n = len(screen)
        screen = np.tile(screen, (rows // n + 1, columns // n + 1))[:rows, :columns]
        tone = np.where(0.5 + 0.5 * wave > screen, 255, 0)
    else:
        tone = np.clip(127 + 120 * wave, 0, 255)
    shade = tone.astype(np.uint8)
    if how == "colours" and sheet.ink.ndim == 3:
        cell[...] = 255 - cv2.applyColorMap(shade, cv2.COLORMAP_JET)
    else:
        cell[...] = _tone(sheet, shade)


def photo(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """Photographs of cuttings."""
    y = y0
    while y < y1:
        end = min(y1, y + int(sheet.inches(PHOTO.high_in)))
        cell = window(sheet, track, y, end)
        if cell.size == 0:
            return
        if sheet.draws.chance(PHOTO.there):
            cell[...] = _tone(sheet, cuttings(sheet.draws, cell.shape[0], cell.shape[1], sheet.dpi))
        y = end


def cuttings(draws: Draws, rows: int, columns: int, dpi: float) -> Array:
    """Chips of rock: uint8 (rows, columns), each its own gray, darker towards its rim."""
    size = dpi * draws.between(PHOTO.chip_in)
    count = max(4, int(rows * columns / size**2))
    ground = np.full((rows, columns), 255, np.uint8)
    ground[draws.rng.integers(0, rows, count), draws.rng.integers(0, columns, count)] = 0
    away, chip = cv2.distanceTransformWithLabels(
        ground, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    tones = draws.between(PHOTO.tone) + 45 * draws.noise(count + 2)
    rough = 20 * cloud(draws, rows, columns, 2.5) + 90 * (away / size) ** 2
    chips: Array = np.clip(np.clip(tones, 0, 255)[chip] + rough, 0, 255).astype(np.uint8)
    return chips


def tadpoles(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """Dips: a disc with a tail, clustered at low angles."""
    draws, y = sheet.draws, float(y0)
    radius = max(2.0, sheet.dpi * DIP.radius_in)
    while y < y1:
        x = track.left + track.width * min(0.98, draws.rng.exponential(DIP.low))
        angle = draws.between((0, 2 * np.pi))
        tail = (x + radius * DIP.tail * np.cos(angle), y + radius * DIP.tail * np.sin(angle))
        solid = draws.chance(DIP.filled)
        sheet.circle(x, y, radius, BLACK, -1 if solid else max(1, round(radius / 3)))
        sheet.line((x, y), tail, BLACK, radius / 2)
        y += sheet.dpi * draws.rng.exponential(DIP.every_in) + 1


def paragraph(sheet: Sheet, rows: int, columns: int) -> Sheet:
    """Lines of running text, as a block."""
    draws, block = sheet.draws, sheet.part(rows, columns)
    face, size = draw_face(draws), sheet.text_px(TEXT.text_in)
    y = 0.0
    while y < rows:
        if draws.chance(0.85):
            line = words(draws, max(1, int(columns / (size * 5.2))))
            write(block, line, size * draws.between((0, 1)), y, size, face)
        y += size * TEXT.line
    return block


def text_column(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """A geologist's descriptions, in blocks, now and then lying on their side."""
    draws = sheet.draws
    y = y0 + int(sheet.dpi * draws.between((0, 1)))
    while y < y1:
        rows, columns = int(sheet.inches(TEXT.high_in)), max(20, int(track.width * TEXT.width))
        if draws.chance(sheet.kind.text_turned):
            block = np.rot90(paragraph(sheet, columns, rows).ink, 3)
        else:
            block = paragraph(sheet, rows, columns).ink
        sheet.put(block[: y1 - y], track.left + 4, y)
        y += rows + int(sheet.inches(TEXT.gap_in))


def bars(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """A narrow column of filled intervals: slides, porosity grades, oil shows."""
    draws, y = sheet.draws, float(y0)
    colour = sheet.any_colour(0.8)
    while y < y1:
        end = min(y1, y + sheet.log_inches(BARS.bar_in))
        left = track.left + draws.one_of((0.0, 0.0, 0.3)) * track.width
        sheet.box(left, y, track.right, end, colour, -1)
        y = end + sheet.log_inches(BARS.gap_in)


def well_path(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """The path of a horizontal well between formation lines: thick lines, no logged curves."""
    draws = sheet.draws
    y = np.linspace(y0, y1, 40)
    for _ in range(draws.whole((1, 4))):
        x = track.left + draws.between((0.1, 0.9)) * track.width
        wander = np.cumsum(draws.noise(40)) * draws.between((0, 0.01)) * track.width
        px = sheet.pens((2.0, 8.0))
        sheet.path(np.stack([x + wander, y], axis=1), sheet.any_colour(0.9), px)


def depth_numbers(sheet: Sheet, track: Track, y0: int, y1: int, phase: float, step: float) -> None:
    """Depths down the column, upright or turned, every so many grid rows of ``step`` px."""
    draws = sheet.draws
    size = max(6.0, min(sheet.inches(NUMBER.text_in), track.width * 0.3))
    face = draw_face(draws)
    if not sheet.tidy and draws.chance(NUMBER.hand):
        face = draw_hand(draws, sheet.pen_px * draws.between(NUMBER.hand_pens), size)
    turns = draws.one_of(NUMBER.turns)
    every, jump = step * draws.number(NUMBER.every), int(draws.number(NUMBER.step))
    depth = draws.whole((1, 180)) * 100
    for n, y in enumerate(np.arange(phase % every - every, y1 + every, every)):
        if y0 < y < y1:
            x = track.middle + draws.normal(2)
            number = mark_of(str(depth + n * jump), size, face)
            turned = np.rot90(number, turns)
            sheet.put(turned, x - turned.shape[1] / 2, y - turned.shape[0] / 2)


PANELS: dict[str, Callable[[Sheet, Track, int, int], None]] = {
    "lithology": lithology, "image": image, "photo": photo, "tadpoles": tadpoles,
    "text": text_column, "slides": bars, "porosity": bars, "path": well_path,
}  # fmt: skip

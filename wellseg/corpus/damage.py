"""What copying, storing and scanning do to a page. Geometry moves ink and truth together.

ink: uint8, 0 paper .. 255, (rows, columns), or (rows, columns, 3) of a page in colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .recipe import Array, Draws

if TYPE_CHECKING:
    from .sheet import Sheet

VANISHED_PX = 101
"""A gap in a curve's ink as long as that can no longer be bridged: measured are 60 px at most."""

DROWNED_PX = 41
"""A square of that side all black hides what runs through it: the widest curve measured has 15."""


def cloud(draws: Draws, rows: int, columns: int, cell_px: float) -> Array:
    """Smooth noise: float32 (rows, columns), about unit variance, features of ``cell_px``."""
    cells = int(rows / cell_px) + 2, int(columns / cell_px) + 2
    field = draws.rng.standard_normal(cells, dtype=np.float32)
    return cv2.resize(field, (columns, rows))


def grain(draws: Draws, shape: tuple[int, ...], size_px: float) -> Array:
    """Fine noise: float32 (rows, columns), unit variance, correlated over ``size_px``."""
    raw = np.frombuffer(draws.rng.bytes(shape[0] * shape[1]), np.uint8).reshape(shape)
    soft = cv2.GaussianBlur(raw, (0, 0), size_px)
    scale = 1 / max(1.0, float(soft[:512].std()))
    noise: Array = soft.astype(np.float32) * np.float32(scale) - np.float32(127.5 * scale)
    return noise


def place(draws: Draws, shape: tuple[int, ...], where: str) -> Array:
    """Where something is on the page: float32 (rows, columns), 0 not .. 1, with ragged ends.

    where: "down" (some rows), "across" (some columns) or "clouds".
    """
    how = draws.table("place")
    field: Array = cloud(draws, shape[0], shape[1], how.cloud_px)
    if where == "clouds":
        return np.clip(field + np.float32(how.cloud), 0, 1)
    along = np.linspace(0, 1, shape[where == "across"], dtype=np.float32)
    along -= np.float32(how.start)
    there = np.minimum(along, how.long - along) / np.float32(how.soft)
    field *= np.float32(0.3)
    field += there if where == "across" else there[:, None]
    return np.clip(field, 0, 1)


def bend(draws: Draws, ink: Array, truth: Array) -> tuple[Array, Array]:
    """Skew, slow wander and splices: both pages resampled by the same map."""
    how = draws.table("bend")
    rows, columns = truth.shape
    x = np.arange(columns, dtype=np.float32)[None, :]
    y = np.arange(rows, dtype=np.float32)[:, None]
    slope = np.float32(np.tan(np.deg2rad(how.deg * how.way)))
    # Paper slips in the rollers, over hundreds of rows.
    shift_x = slope * (y - rows / 2) + how.wander_px * cloud(draws, rows, 1, how.wander_rows)
    shift_y = np.zeros((rows, 1), np.float32)
    for _ in range(draws.rng.poisson(how.splices + rows / 12000)):
        at = draws.of([0, rows - 1])
        splice = draws.table("splice")
        shift_x[at:] += splice.x_px
        shift_y[at:] += splice.y_px
        if splice.white:
            shift_y[at : at + splice.gap_px] = -2 * rows
    map_x = np.broadcast_to(x - shift_x, (rows, columns)).astype(np.float32)
    map_y = (y + shift_y + slope * (x - columns / 2)).astype(np.float32)
    maps = cv2.convertMaps(map_x, np.clip(map_y, -99, rows + 99), cv2.CV_16SC2)
    moved = [cv2.remap(pixels, *maps, cv2.INTER_LINEAR) for pixels in (ink, truth)]
    return moved[0], moved[1]


def expose(draws: Draws, ink: Array) -> Array:
    """Uneven inking and light: clouds, bands and washed-out stretches scale the ink. uint8."""
    how = draws.table("light")
    gain = 1 + np.float32(how.ink - 1) * place(draws, ink.shape[:2], how.where)
    return cv2.multiply(ink, cv2.merge([gain] * 3) if ink.ndim == 3 else gain, dtype=cv2.CV_8U)


def blot(draws: Draws, ink: Array, level: float) -> Array:
    """Copies made too dark: uint8. level: ink from which all is black.

    Toner gathers along the grid in ragged blots, or whole areas go black.
    """
    how = draws.table("blots")
    reach = how.near_px | 1
    wet = how.base + how.near / 255 * cv2.blur(ink, (reach, reach))
    wet += how.rough * grain(draws, ink.shape, how.grain_px)
    wet *= how.wet * place(draws, ink.shape, how.where)
    darker: Array = ink + level * wet
    return np.clip(darker, 0, 255).astype(np.uint8)


def develop(sheet: Sheet, truth: Array) -> tuple[Array, Array]:
    """A drawn page as a scanner, or a program's export, gives it.

    truth: uint8 (rows, columns), 255 curve. Returns the image, uint8 gray (rows, columns) or RGB
    (rows, columns, 3), 255 white; and the mask, uint8 (rows, columns): 255 curve, 0 not, 128 where
    nothing is left of a curve, not to be scored.
    """
    if sheet.tidy:
        return 255 - sheet.ink, truth
    ink, truth = bend(sheet.draws, sheet.ink, truth)
    ink = cv2.GaussianBlur(expose(sheet.draws, ink), (0, 0), sheet.blur_px)
    truth = cv2.GaussianBlur(truth, (0, 0), sheet.blur_px)
    return _scan(sheet, ink, truth) if sheet.scanned else _print(sheet, ink, truth)


def _scan(sheet: Sheet, ink: Array, truth: Array) -> tuple[Array, Array]:
    """As a 1-bit scanner gives it; the mask has the width that the ink got."""
    draws = sheet.draws
    how = draws.table("scan")
    level = sheet.threshold
    edge: Array | float = level
    if how.fogged:
        # Near the threshold the grain breaks it into speckle; above, all is black. The ink's edge
        # crosses the threshold further out; the truth grows with it.
        fog = np.float32(how.fog) * place(draws, ink.shape, how.where)
        ink = cv2.add(ink, fog.astype(np.uint8))
        edge = np.maximum(level - fog, 0.25 * level)
    if how.blotted:
        ink = blot(draws, ink, level)
    mask: Array = np.where(truth > edge, 255, 0).astype(np.uint8)
    black = _thresholded(sheet, ink, level, mask)
    if how.closed_px:  # copies of copies fill in acute angles
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(how.closed_px),) * 2)
        black = cv2.morphologyEx(black, cv2.MORPH_CLOSE, disc)
    return 255 - black, mask


def _thresholded(sheet: Sheet, ink: Array, level: float, mask: Array) -> Array:
    """Of ink, what a scanner sees as black: uint8 0/255. Curves lost in it become 128 in the mask.

    Noise lies on the ink's edge, not on clean paper: scanners clip the white.
    """
    draws = sheet.draws
    how = draws.table("dirt")
    noise = grain(draws, ink.shape, how.grain_px)
    dirt = noise > how.specks - how.smeared * place(draws, ink.shape, how.where)
    noisy = ink + np.float32(sheet.grain) * noise
    black: Array = np.where((noisy > level) | dirt, 255, 0).astype(np.uint8)
    mask[untraceable(black, mask)] = 128
    return black


def _print(sheet: Sheet, ink: Array, truth: Array) -> tuple[Array, Array]:
    """A print scanned in colour or gray at low resolution, perhaps with few colours."""
    how = sheet.draws.table("print")
    noise = sheet.grain * grain(sheet.draws, truth.shape, how.grain_px)[..., None]
    steps = np.clip(255 - ink + noise, 0, 255) / 255 * how.steps
    image = np.round(steps) / how.steps * 255
    return image.astype(np.uint8), np.where(truth > 110, 255, 0).astype(np.uint8)


def copy_again(sheet: Sheet, gray: Array, mask: Array) -> Array:
    """A 1-bit scan photocopied once more, over-exposed: uint8 (rows, columns), 0 ink, 255 paper.

    mask: uint8, same shape; where the copy went black, its curves become 128 in place.
    """
    ink = cv2.GaussianBlur(255 - gray, (0, 0), sheet.blur_px)
    return 255 - _thresholded(sheet, blot(sheet.draws, ink, 128), 128, mask)


def untraceable(black: Array, mask: Array) -> Array:
    """Where nobody could trace a curve: bool (rows, columns), of uint8 0/255.

    It left so little ink (the sparsest measured style, ticks of 5-8 px every 20-50 px, leaves a
    tenth of the stroke), or runs through solid black.
    """
    window = (VANISHED_PX, VANISHED_PX)
    drawn = cv2.boxFilter(cv2.bitwise_and(black, mask), cv2.CV_32F, window)
    wanted = cv2.boxFilter(mask, cv2.CV_32F, window)
    around = cv2.blur(black, (DROWNED_PX, DROWNED_PX))
    lost: Array = (mask > 0) & ((drawn < 0.05 * wanted) | (around > 0.93 * 255))
    return lost

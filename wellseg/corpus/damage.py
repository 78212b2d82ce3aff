"""What copying, storing and scanning do to a page. Geometry moves ink and truth together."""

from itertools import pairwise, product

import cv2
import numpy as np

from .sheet import Array, Draws, Sheet
from .strokes import parts

VANISHED_PX = 101
"""A gap in a curve's ink as long as that can no longer be bridged: measured are 60 px at most."""
DROWNED_PX = 41
"""A square of that side all black hides what runs through it: the widest curve measured has 15."""


def cloud(draws: Draws, rows: int, columns: int, cell_px: float) -> Array:
    """Smooth noise: float32 (rows, columns), about unit variance, features of ``cell_px``."""
    cells = int(rows / cell_px) + 2, int(columns / cell_px) + 2
    return cv2.resize(draws.rng.standard_normal(cells, dtype=np.float32), (columns, rows))


def grain(draws: Draws, shape: tuple[int, ...], size_px: float) -> Array:
    """Fine noise: float32 (rows, columns), unit variance, correlated over ``size_px``."""
    raw = draws.rng.standard_normal(shape, dtype=np.float32)
    soft: Array = cv2.GaussianBlur(raw, (0, 0), size_px)
    return soft / soft.std()


def place(draws: Draws, shape: tuple[int, ...], where: str) -> Array:
    """Where something is on the page: float32 (rows, columns), 0 not .. 1, with ragged ends.
    where: "down" (some rows), "across" (some columns) or "clouds"."""
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


def bend(sheet: Sheet, truth: Array) -> tuple[Array, Array, list[int]]:
    """Skew, slow wander and splices: ink and truth resampled by one map, curves moved in place.
    Returns ink, truth and the rows of the splices."""
    draws = sheet.draws
    how = draws.table("bend")
    rows, columns = truth.shape
    x = np.arange(columns, dtype=np.float32)[None, :]
    y = np.arange(rows, dtype=np.float32)[:, None]
    slope = np.float32(np.tan(np.deg2rad(how.deg * how.way)))
    # Paper slips in the rollers, over hundreds of rows.
    shift_x = slope * (y - rows / 2) + how.wander_px * cloud(draws, rows, 1, how.wander_rows)
    shift_y, cuts = np.zeros((rows, 1), np.float32), [0, rows]
    for _ in range(draws.rng.poisson(how.splices + rows / 12000)):
        at = draws.of([0, rows - 1])
        cuts.append(at)
        splice = draws.table("splice")
        shift_x[at:] += splice.x_px
        shift_y[at:] += splice.y_px
    map_x = np.broadcast_to(x - shift_x, (rows, columns)).astype(np.float32)
    map_y = (y + shift_y + slope * (x - columns / 2)).astype(np.float32)
    maps = cv2.convertMaps(map_x, np.clip(map_y, -99, rows + 99), cv2.CV_16SC2)
    moved = [cv2.remap(pixels, *maps, cv2.INTER_LINEAR) for pixels in (sheet.ink, truth)]
    for curve in sheet.curves:
        runs, curve.runs = curve.runs, []
        for run, (first, end) in product(runs, pairwise(sorted(cuts))):
            x, y = run.T
            for _ in range(3):  # the map says where a pixel comes from: seek where it goes
                row = np.clip(np.rint(y), first, end - 1).astype(int)
                x = run[:, 0] + shift_x[row, 0]
                y = run[:, 1] - shift_y[row, 0] - slope * (x - columns / 2)
            there = (y >= first - 0.5) & (y < end - 0.5)
            curve.runs += parts(np.column_stack([x, y]), there)
    return moved[0], moved[1], cuts[2:]


def seam(draws: Draws, ink: Array, level: float, at: int) -> None:
    """Where two pictures of a film meet, as measured on microfilm of the seventies: on one side the
    copy fades to white, on the other it blackens to speckles; perhaps a hair line between.
    ink: float32 (rows, columns), changed in place. level: ink from which all is black."""
    how = draws.table("seam")
    reach = int(5 * max(how.dark_px, how.pale_px))
    band = ink[max(0, at - reach) : at + reach]
    y = np.arange(len(band), dtype=np.float32)[:, None] - min(at, reach)
    # A film is cut across, a page lies on it a little askew.
    y = how.way * (y + np.linspace(0, how.askew_px, band.shape[1], dtype=np.float32))
    dark = np.exp(-np.abs(y) / np.float32(how.dark_px)) * (y >= 0)
    pale = np.exp(-np.abs(y) / np.float32(how.pale_px)) * (y < 0)
    band *= 1 - np.float32(how.faded) * pale
    uneven = 1 + np.float32(0.3) * cloud(draws, 1, band.shape[1], how.cloud_px)
    dark *= np.clip(np.float32(how.dark) * uneven, 0, None)
    noise = grain(draws, band.shape, how.grain_px)
    band += level * (dark + np.float32(how.rough) * noise * np.sqrt(dark))
    if how.line:
        worn = cloud(draws, 1, band.shape[1], how.cloud_px) > -how.whole
        band[(np.abs(y) < how.line_px / 2) & worn] = 255


def blot(draws: Draws, ink: Array, level: float) -> Array:
    """Copies made too dark, in ragged blots: uint8. level: ink from which all is black."""
    how = draws.table("blots")
    reach = how.near_px | 1
    wet = how.base + how.near / 255 * cv2.blur(ink, (reach, reach))
    wet += how.rough * grain(draws, ink.shape, how.grain_px)
    wet *= how.wet * place(draws, ink.shape, how.where)
    return np.clip(ink + level * wet, 0, 255).astype(np.uint8)


def develop(sheet: Sheet, truth: Array) -> tuple[Array, Array]:
    """A drawn page as a scanner, or a program's export, gives it.

    truth: uint8 (rows, columns), 255 curve. Returns the image, uint8 gray (rows, columns) or RGB
    (rows, columns, 3), 255 white; and the mask, uint8 (rows, columns): 255 curve, 0 not, 128 where
    nothing is left of a curve, not to be scored."""
    if sheet.tidy:
        return 255 - sheet.ink, truth
    draws, (ink, truth, splices) = sheet.draws, bend(sheet, truth)
    light = draws.table("light")
    gain = 1 + np.float32(light.ink - 1) * place(draws, truth.shape, light.where)
    ink = cv2.multiply(ink, gain if sheet.scanned else cv2.merge([gain] * 3), dtype=cv2.CV_8U)
    ink = cv2.GaussianBlur(ink, (0, 0), sheet.blur_px)
    truth = cv2.GaussianBlur(truth, (0, 0), sheet.blur_px)
    if not sheet.scanned:
        return _print(sheet, ink), np.where(truth > 110, 255, 0).astype(np.uint8)
    how = draws.table("scan")
    if how.blotted:
        ink = blot(draws, ink, sheet.threshold)
    ink = ink.astype(np.float32)
    for at in splices if how.seams else ():
        seam(draws, ink, sheet.threshold, at)
    # Noise lies on the ink's edge, not on clean paper: scanners clip the white.
    noise = grain(draws, ink.shape, how.grain_px)
    noisy = ink + np.float32(sheet.grain) * noise
    black = np.where((noisy > sheet.threshold) | (noise > how.specks), 255, 0).astype(np.uint8)
    mask: Array = np.where(truth > sheet.threshold, 255, 0).astype(np.uint8)
    mask[untraceable(black, mask)] = 128
    return 255 - black, mask


def _print(sheet: Sheet, ink: Array) -> Array:
    """A print scanned in colour or gray at low resolution, perhaps with few colours."""
    how = sheet.draws.table("print")
    noise = sheet.grain * grain(sheet.draws, ink.shape[:2], how.grain_px)[..., None]
    steps = np.clip(255 - ink + noise, 0, 255) / 255 * how.steps
    return (np.round(steps) / how.steps * 255).astype(np.uint8)


def untraceable(black: Array, mask: Array) -> Array:
    """Where nobody could trace a curve: bool (rows, columns), of uint8 0/255. It left so little
    ink (the sparsest measured style, ticks of 5-8 px every 20-50 px, leaves a tenth of the stroke),
    or runs through solid black."""
    window = (VANISHED_PX, VANISHED_PX)
    drawn = cv2.boxFilter(cv2.bitwise_and(black, mask), cv2.CV_32F, window)
    wanted = cv2.boxFilter(mask, cv2.CV_32F, window)
    around = cv2.blur(black, (DROWNED_PX, DROWNED_PX))
    return (mask > 0) & ((drawn < 0.05 * wanted) | (around > 0.93 * 255))

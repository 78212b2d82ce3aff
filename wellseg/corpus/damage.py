"""What copying, storing and scanning do to a page. Geometry moves ink and truth together.

ink: uint8, 0 paper .. 255, (rows, columns), or (rows, columns, 3) of a page in colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .draws import Array, Draws, Shares, Table

if TYPE_CHECKING:
    from .sheet import Sheet

VANISHED_PX = 101
"""A gap in a curve's ink as long as that can no longer be bridged: measured are 60 px at most."""

DROWNED_PX = 41
"""A square of that side all black hides what runs through it: the widest curve measured has 15."""

SKEW = Table(
    deg_median=0.15, log_sd=0.85,  # measured; p95 0.64
    wander=0.7, wander_rows=(250, 2500), wander_px=(0.5, 5),  # slopes of up to 2° (measured)
    splices=0.12, splice_rows=12000, gap_px=(8, 20), half=0.6,  # measured
    shift_x=(-14, 14), shift_y=(-30, 10),
)  # fmt: skip
PLACE = Table(
    band_rows=(30, 600), soft_rows=(1, 150), side=(0.06, 0.7), left=0.3, cloud_px=(60, 500),
    clouded=(-1.0, 0.5), ragged=0.3, ragged_px=(30, 300),
)  # fmt: skip
LIGHT = Table(
    clouds=(0.02, 0.14), cloud_px=(60, 500), there=0.35, where={"band": 0.7, "side": 0.3},
    pale=0.7, ink={"pale": (0.5, 0.85), "dark": (1.1, 1.5)},
)  # fmt: skip
FOG = Table(there=0.28, where={"band": 0.65, "side": 0.25, "clouds": 0.1}, level=(15, 110))
# Toner gathers along the grid in ragged blots.
BLOTCH = Table(
    share=0.15, where={"clouds": 0.7, "band": 0.3}, wet=(0.3, 1.2), base=0.0, near_px=(5, 17),
    near=(1.0, 4.0), rough=(0.25, 0.7), grain_px=(1.0, 4.0), longer=(1.0, 3.0),
)  # fmt: skip
# Whole areas go black, beside a border most often: cells of the grid fill from its lines.
FLOOD = Table(
    share=0.06, of_copies=0.3, where={"side": 0.6, "clouds": 0.2, "band": 0.2}, wet=(1.0, 2.2),
    base=0.5, near_px=(9, 60), near=(0.5, 3), rough=(0.1, 0.5), grain_px=(1.2, 4), longer=(1, 2),
)  # fmt: skip
DIRT = Table(
    specks_median=60.0, specks_log_sd=1.4,  # measured 16-2,080 a Mpx, with what the grain adds
    most=4000, pinholes=0.1, mean_px=3.0, most_px=16,
    smeared=0.12, smear_specks=(2000, 30000), smear_rows=(20, 300), scratches=0.25,
    scratch_px=(60, 900), lean_px=12, erased=0.05, erased_rows=(10, 60), erased_columns=(20, 200),
    streaked=0.1, streak_columns=(20, 140), streak_rows=40, streaks=(0.05, 0.4),
)  # fmt: skip
SCAN = Table(exposed=0.85, grain_px=(0.7, 2.2), adaptive=0.12, adaptive_px=61,
             closed_px={"0": 0.84, "3": 0.12, "5": 0.04})  # fmt: skip
PRINT = Table(palette=0.5, colours=(2, 6), grain_px=0.8, seen=110)
EXPORT = Table(jpeg=0.3, quality=(55, 95))


def cloud(draws: Draws, rows: int, columns: int, cell_px: float) -> Array:
    """Smooth noise: float32 (rows, columns), about unit variance, features of ``cell_px``."""
    small = (max(2, int(rows / cell_px) + 2), max(2, int(columns / cell_px) + 2))
    field = draws.rng.standard_normal(small, dtype=np.float32)
    return cv2.resize(field, (columns, rows), interpolation=cv2.INTER_LINEAR)


def grain(draws: Draws, shape: tuple[int, ...], size_px: float, longer: float = 1.0) -> Array:
    """Fine noise: float32 (rows, columns), unit variance, correlated over ``size_px``.

    longer: how many times as long across, or down, the page.
    """
    rows, columns = shape
    raw = np.frombuffer(draws.rng.bytes(rows * columns), np.uint8).reshape(rows, columns)
    across, down = draws.one_of(((longer, 1.0), (1.0, longer)))
    soft = cv2.GaussianBlur(raw, (0, 0), size_px * across, sigmaY=size_px * down)
    scale = 1 / max(1.0, float(soft[:512].std()))
    noise: Array = soft.astype(np.float32) * np.float32(scale) - np.float32(127.5 * scale)
    return noise


def place(draws: Draws, shape: tuple[int, ...], where: Shares) -> Array:
    """Where something is on the page: float32 (rows, columns), 0 not .. 1, with ragged ends.

    where: shares of "band" (some rows), "side" (beside a border), "clouds".
    """
    (rows, columns), kind = shape, draws.pick(where)
    if kind == "clouds":
        field: Array = cloud(draws, rows, columns, draws.log_between(PLACE.cloud_px))
        return np.clip(field + draws.between(PLACE.clouded), 0, 1)
    if kind == "band":
        y = np.arange(rows, dtype=np.float32)[:, None]
        a, soft = draws.between((-0.2, 1)) * rows, draws.log_between(PLACE.soft_rows)
        b = a + draws.log_between(PLACE.band_rows)
        field = np.minimum(y - a, b - y) / soft + 0.5
    else:
        x = np.arange(columns, dtype=np.float32)[None, :]
        x = x if draws.chance(PLACE.left) else columns - x
        field = 1.3 - x / (columns * draws.log_between(PLACE.side))
    ragged = cloud(draws, rows, columns, draws.log_between(PLACE.ragged_px))
    field = np.clip(field + PLACE.ragged * ragged, 0, 1)
    return field


def bend(draws: Draws, ink: Array, truth: Array) -> tuple[Array, Array]:
    """Skew, slow wander and splices: both pages resampled by the same map."""
    rows, columns = truth.shape
    y = np.arange(rows, dtype=np.float32)[:, None]
    x = np.arange(columns, dtype=np.float32)[None, :]
    angle = draws.sign() * SKEW.deg_median * np.exp(draws.normal(SKEW.log_sd))
    slope = np.float32(np.tan(np.deg2rad(angle)))
    shift_x, shift_y = slope * (y - rows / 2), np.zeros((rows, 1), np.float32)
    if draws.chance(SKEW.wander):  # paper slips in the rollers, over hundreds of rows
        wander = cloud(draws, rows, 1, draws.log_between(SKEW.wander_rows))
        shift_x += wander * draws.between(SKEW.wander_px)
    for _ in range(draws.count(SKEW.splices + rows / SKEW.splice_rows)):
        at = draws.whole((0, rows - 1))
        shift_x[at:] += draws.between(SKEW.shift_x) * draws.chance(SKEW.half)
        shift_y[at:] += draws.between(SKEW.shift_y)
        if draws.chance(SKEW.half):  # white paper shows between the sheets
            shift_y[at : at + int(draws.between(SKEW.gap_px))] = -2 * rows
    map_x = np.broadcast_to(x - shift_x, (rows, columns)).astype(np.float32)
    map_y = (y + shift_y + slope * (x - columns / 2)).astype(np.float32)
    maps = cv2.convertMaps(map_x, np.clip(map_y, -99, rows + 99), cv2.CV_16SC2)
    white = cv2.BORDER_CONSTANT
    moved = [cv2.remap(a, *maps, cv2.INTER_LINEAR, borderMode=white) for a in (ink, truth)]
    return moved[0], moved[1]


def expose(draws: Draws, ink: Array) -> Array:
    """Uneven inking and light: clouds, bands and washed-out stretches scale the ink. uint8."""
    rows, columns = ink.shape[:2]
    clouds = cloud(draws, rows, columns, draws.log_between(LIGHT.cloud_px))
    gain = 1.0 + draws.between(LIGHT.clouds) * clouds
    if draws.chance(LIGHT.there):
        most = draws.between(LIGHT.ink["pale" if draws.chance(LIGHT.pale) else "dark"])
        gain *= 1 + (most - 1) * place(draws, (rows, columns), LIGHT.where)
    return cv2.multiply(ink, cv2.merge([gain] * 3) if ink.ndim == 3 else gain, dtype=cv2.CV_8U)


def overexpose(draws: Draws, ink: Array, level: float, table: Table) -> Array:
    """Copies made too dark, as BLOTCH or FLOOD say: uint8. level: ink from which all is black."""
    reach = round(draws.between(table.near_px)) | 1
    wet = table.base + draws.between(table.near) / 255 * cv2.blur(ink, (reach, reach))
    size_px, longer = draws.between(table.grain_px), draws.between(table.longer)
    wet += draws.between(table.rough) * grain(draws, ink.shape, size_px, longer)
    where = draws.between(table.wet) * place(draws, ink.shape, table.where)
    darker: Array = np.clip(ink + level * wet * where, 0, 255).astype(np.uint8)
    return darker


def specks(draws: Draws, black: Array, per_mpx: float) -> None:
    """Scatter dirt, or pinholes in the ink, on uint8 (rows, columns), 255 black: in place."""
    at = draws.rng.integers(0, black.shape, (draws.count(per_mpx * black.size / 1e6), 2))
    size = draws.rng.exponential(DIRT.mean_px, len(at))
    tone = 0 if draws.chance(DIRT.pinholes) else 255
    for n in range(DIRT.most_px):  # crumbs of any shape: each walks about until it has its size
        black[tuple(at.T)] = tone
        at = at[size > n]
        size = size[size > n]
        at = np.clip(at + draws.rng.integers(-1, 2, at.shape), 0, np.array(black.shape) - 1)


def dirty(draws: Draws, black: Array) -> None:
    """Specks, smears, scratches, erased patches and streaked margins, in place; 255 black."""
    rows, columns = black.shape
    density = DIRT.specks_median * float(np.exp(draws.normal(DIRT.specks_log_sd)))
    specks(draws, black, min(density, DIRT.most))
    x, y = draws.whole((0, columns - 1)), draws.whole((0, rows - 1))
    if draws.chance(DIRT.smeared):
        smear = black[y : y + int(draws.log_between(DIRT.smear_rows))]
        specks(draws, smear, draws.log_between(DIRT.smear_specks))
    if draws.chance(DIRT.erased):
        black[y : y + draws.whole(DIRT.erased_rows), x : x + draws.whole(DIRT.erased_columns)] = 0
    for _ in range(draws.count(DIRT.scratches)):  # scratches run with the paper
        x, y = draws.whole((0, columns - 1)), draws.whole((0, rows - 1))
        end = (round(x + draws.normal(DIRT.lean_px)), y + int(draws.log_between(DIRT.scratch_px)))
        cv2.line(black, (x, y), end, 0 if draws.chance(0.6) else 255, draws.whole((1, 2)))
    if draws.chance(DIRT.streaked):  # a margin streaked along the feed
        wide = draws.whole(DIRT.streak_columns)
        margin = black[:, -wide:] if draws.chance(0.6) else black[:, :wide]
        long, there = DIRT.streak_rows, draws.between(DIRT.streaks)
        streaks = draws.rng.random((rows // long + 1, margin.shape[1])) < there
        margin[streaks.repeat(long, axis=0)[:rows] & (draws.rng.random(margin.shape) < 0.8)] = 255


def develop(sheet: Sheet, truth: Array) -> tuple[Array, Array]:
    """A drawn page as a scanner, or a program's export, gives it.

    truth: uint8 (rows, columns), 255 curve. Returns the image, uint8 gray (rows, columns) or RGB
    (rows, columns, 3), 255 white; and the mask, uint8 (rows, columns): 255 curve, 0 not, 128 where
    nothing is left of a curve, not to be scored.
    """
    finish = {"scan": _scan, "print": _print, "render": _export}[sheet.kind.medium]
    return finish(sheet, truth)


def _scan(sheet: Sheet, truth: Array) -> tuple[Array, Array]:
    """As a 1-bit scanner gives it; the mask has the width that the ink got."""
    draws, level = sheet.draws, sheet.threshold
    ink, truth = bend(draws, sheet.ink, truth)
    if draws.chance(SCAN.exposed):
        ink = expose(draws, ink)
    ink = cv2.GaussianBlur(ink, (0, 0), sheet.blur_px)
    truth = cv2.GaussianBlur(truth, (0, 0), sheet.blur_px)
    edge: Array | float = level
    if draws.chance(FOG.there):
        # Gray paper under the ink. Near the threshold the grain breaks it into speckle; above, all
        # is black. The ink's edge crosses the threshold further out; the truth grows with it.
        fog = draws.between(FOG.level) * place(draws, ink.shape, FOG.where)
        ink, edge = cv2.add(ink, fog.astype(np.uint8)), np.maximum(level - fog, 0.25 * level)
    if draws.chance(BLOTCH.share):
        ink = overexpose(draws, ink, level, BLOTCH)
    if draws.chance(FLOOD.share):
        ink = overexpose(draws, ink, level, FLOOD)
    # Noise lies on the ink's edge, not on clean paper: scanners clip the white.
    noisy = ink + sheet.grain * grain(draws, ink.shape, draws.log_between(SCAN.grain_px))
    if draws.chance(SCAN.adaptive):  # thin lines stay, wide black ones hollow out
        noisy -= 0.5 * cv2.blur(ink, (SCAN.adaptive_px, SCAN.adaptive_px))
    black: Array = np.where(noisy > level, 255, 0).astype(np.uint8)
    mask: Array = np.where(truth > edge, 255, 0).astype(np.uint8)
    closed = int(draws.number(SCAN.closed_px))  # copies of copies fill in acute angles
    if closed:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (closed, closed))
        black = cv2.morphologyEx(black, cv2.MORPH_CLOSE, disc)
    mask[untraceable(black, mask)] = 128
    dirty(draws, black)
    return 255 - black, mask


def _print(sheet: Sheet, truth: Array) -> tuple[Array, Array]:
    """A print scanned in colour or gray at low resolution, perhaps with few colours."""
    draws = sheet.draws
    ink, truth = bend(draws, sheet.ink, truth)
    ink = cv2.GaussianBlur(expose(draws, ink), (0, 0), sheet.blur_px)
    noise = sheet.grain * grain(draws, truth.shape, PRINT.grain_px)[..., None]
    image = np.clip(255 - ink + noise, 0, 255).astype(np.uint8)
    if draws.chance(PRINT.palette):
        steps = draws.whole(PRINT.colours) - 1
        image = (np.round(image / 255 * steps) / steps * 255).astype(np.uint8)
    return image, np.where(truth > PRINT.seen, 255, 0).astype(np.uint8)


def _export(sheet: Sheet, truth: Array) -> tuple[Array, Array]:
    """A born-digital page: as drawn, perhaps through JPEG."""
    image, draws = 255 - sheet.ink, sheet.draws
    if draws.chance(EXPORT.jpeg):
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(draws.between(EXPORT.quality))]
        code = cv2.imencode(".jpg", image, quality)[1]
        back = cv2.imdecode(code, cv2.IMREAD_COLOR)
        assert back is not None
        image = back
    return image, truth


def copy_again(sheet: Sheet, gray: Array, mask: Array) -> Array:
    """A 1-bit scan photocopied once more, over-exposed: uint8 (rows, columns), 0 ink, 255 paper.

    mask: uint8, same shape; where the copy went black, its curves become 128 in place.
    """
    draws = sheet.draws
    ink = cv2.GaussianBlur(255 - gray, (0, 0), sheet.blur_px)
    ink = overexpose(draws, ink, 128, FLOOD if draws.chance(FLOOD.of_copies) else BLOTCH)
    noise = sheet.grain * grain(draws, gray.shape, draws.log_between(SCAN.grain_px))
    copy: Array = np.where(ink + noise > 128, 0, 255).astype(np.uint8)
    mask[untraceable(255 - copy, mask)] = 128
    return copy


def untraceable(black: Array, mask: Array) -> Array:
    """Where nobody could trace a curve: bool (rows, columns), of uint8 0/255.

    It left so little ink (the sparsest measured style, ticks of 5-8 px every 20-50 px, leaves a
    tenth of the stroke), or runs through solid black.
    """
    window = (VANISHED_PX, VANISHED_PX)
    drawn = cv2.blur(cv2.bitwise_and(black, mask), window).astype(np.float32)
    wanted = cv2.blur(mask, window).astype(np.float32)
    around = cv2.blur(black, (DROWNED_PX, DROWNED_PX))
    lost: Array = (mask > 0) & ((drawn < 0.05 * wanted) | (around > 0.93 * 255))
    return lost

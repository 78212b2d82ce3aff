"""What copying, storing and scanning do to a page. Geometry moves ink and truth together.

ink: uint8, 0 paper .. 255, (rows, columns), or (rows, columns, 3) of a page in colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .draws import Array, Draws, Table

if TYPE_CHECKING:
    from .sheet import Sheet

VANISHED_PX = 101
"""A gap in a curve's ink as long as that can no longer be bridged: measured are 60 px at most."""

DROWNED_PX = 41
"""A square of that side all black hides what runs through it: the widest curve measured has 15."""
SKEW = Table(
    deg_median=0.15, log_sd=0.85,  # measured; p95 0.64
    wander=0.7, wander_rows=(250, 2500), wander_px=(0.5, 5),  # slopes of up to 2° (measured)
    splices=0.12, splice_rows=12000, gap_px=(8, 20),  # measured
    shift_x=(-14, 14), shift_y=(-30, 10),
)  # fmt: skip
LIGHT = Table(
    clouds=(0.02, 0.14), cloud_px=(60, 500), bands=0.25, band_rows=(60, 600), pale=(0.5, 0.85),
    dark=(1.1, 1.5), sided=0.15, side=(0.55, 1.1),
)  # fmt: skip
FOG = Table(
    there=0.28, kinds={"step": 0.35, "band": 0.35, "side": 0.2, "blotch": 0.1},
    level=(15, 85), soft_rows=(1, 150), band_rows=(30, 400), side_px=(20, 200), side=(60, 250),
)  # fmt: skip
BLOTCH = Table(
    share=0.15, patch_px=(60, 500), wetness=(0.1, 1.1), banded=0.3, size_px=(1.0, 4.0),
    longer=(1.0, 3.0), rough=(0.25, 0.7), gathered=(0.5, 2.0),
)  # fmt: skip
FLOOD = Table(
    share=0.06, of_copies=0.3, patch_px=(60, 500), from_edge=0.6, reach=(0.05, 0.6), banded=0.5,
    band_rows=(50, 400), near_px=(9, 60), filled=(0.5, 3), rough=(0.1, 0.5), grain_px=(1.2, 4),
)  # fmt: skip
DIRT = Table(
    specks_median=60.0, specks_log_sd=1.4,  # measured 16-2,080 a Mpx, with what the grain adds
    smeared=0.12, smear_specks=(2000, 30000), smear_rows=(20, 300), folded=0.08, scratches=0.25,
    scratch_px=(60, 900), erased=0.05, erased_rows=(10, 60), erased_columns=(20, 200),
    edged=0.18, edge_px=(10, 60),  # measured
    streaked=0.1, streak_columns=(20, 140), streaks=(0.05, 0.4),
)  # fmt: skip
SCAN = Table(exposed=0.85, grain_px=(0.7, 2.2), adaptive=0.12, copies=(0.84, 0.12, 0.04))
PRINT = Table(palette=0.5, colours=(2, 6))
EXPORT = Table(jpeg=0.3, quality=(55, 95), small_palette=0.1)


def cloud(draws: Draws, rows: int, columns: int, cell_px: float) -> Array:
    """Smooth noise: float32 (rows, columns), about unit variance, features of ``cell_px``."""
    small = (max(2, int(rows / cell_px) + 2), max(2, int(columns / cell_px) + 2))
    field = draws.rng.standard_normal(small, dtype=np.float32)
    return cv2.resize(field, (columns, rows), interpolation=cv2.INTER_LINEAR)


def grain(draws: Draws, shape: tuple[int, ...], level: float, size_px: float) -> Array:
    """Fine noise: int16, of that standard deviation, correlated over ``size_px``."""
    rows, columns = shape
    raw = np.frombuffer(draws.rng.bytes(rows * columns), np.uint8).reshape(rows, columns)
    soft = cv2.GaussianBlur(raw, (0, 0), size_px).astype(np.int16) - 127
    gain = 64.0 / max(1.0, float(soft[:512].std()))
    return (soft * gain).astype(np.int16) * np.int16(level) // np.int16(64)


def _rough(draws: Draws, rows: int, columns: int, across: float, down: float) -> Array:
    """Blots: float32 (rows, columns), unit variance, so many px across and down."""
    raw = draws.rng.standard_normal((rows, columns), dtype=np.float32)
    blots: Array = cv2.GaussianBlur(raw, (0, 0), across, sigmaY=down)
    return blots / max(1e-3, float(blots[:512].std()))


def bend(draws: Draws, ink: Array, truth: Array) -> tuple[Array, Array]:
    """Skew, slow wander and splices: both pages resampled by the same map."""
    rows, columns = truth.shape
    y = np.arange(rows, dtype=np.float32)[:, None]
    x = np.arange(columns, dtype=np.float32)[None, :]
    angle = draws.sign() * SKEW.deg_median * np.exp(draws.normal(SKEW.log_sd))
    slope = np.float32(np.tan(np.deg2rad(angle)))
    shift_x: Array = slope * (y - rows / 2)
    shift_y: Array = np.zeros((rows, 1), np.float32)
    if draws.chance(SKEW.wander):  # paper slips in the rollers, over hundreds of rows
        wander = cloud(draws, rows, 1, draws.log_between(SKEW.wander_rows))
        shift_x += wander * draws.between(SKEW.wander_px)
    lost: Array = np.zeros((rows, 1), bool)
    for _ in range(draws.count(SKEW.splices + rows / SKEW.splice_rows)):
        at = draws.whole((0, rows - 1))
        if draws.chance(0.6):
            lost[at : at + int(draws.between(SKEW.gap_px))] = True
        if draws.chance(0.6):
            shift_x[at:] += draws.between(SKEW.shift_x)
        shift_y[at:] += draws.between(SKEW.shift_y)
    map_x = np.broadcast_to(x - shift_x, (rows, columns)).astype(np.float32)
    map_y = y + shift_y + slope * (x - columns / 2)
    map_y = np.where(lost, np.float32(-99), map_y).astype(np.float32)
    maps = cv2.convertMaps(map_x, map_y, cv2.CV_16SC2)
    white = cv2.BORDER_CONSTANT
    moved = [cv2.remap(a, *maps, cv2.INTER_LINEAR, borderMode=white) for a in (ink, truth)]
    return moved[0], moved[1]


def expose(draws: Draws, ink: Array) -> Array:
    """Uneven inking and light: clouds, bands and washed-out stretches scale the ink. uint8."""
    rows, columns = ink.shape[:2]
    gain: Array = 1.0 + draws.between(LIGHT.clouds) * cloud(
        draws, rows, columns, draws.log_between(LIGHT.cloud_px)
    )
    for _ in range(draws.whole((1, 3)) * draws.chance(LIGHT.bands)):
        a = draws.whole((0, rows - 1))
        span = LIGHT.pale if draws.chance(0.7) else LIGHT.dark
        gain[a : a + int(draws.log_between(LIGHT.band_rows))] *= draws.between(span)
    if draws.chance(LIGHT.sided):
        ends = draws.between(LIGHT.side), draws.between(LIGHT.side)
        gain *= np.linspace(*ends, columns, dtype=np.float32)[None, :]
    if ink.ndim == 3:
        gain = cv2.merge([gain] * 3)
    return cv2.multiply(ink, gain, dtype=cv2.CV_8U)


def fog(draws: Draws, rows: int, columns: int) -> Array | None:
    """Gray paper under the ink, as levels to add: float32, broadcast to (rows, columns), or None.

    Where it comes near the threshold the grain breaks it into speckle; above, all is black.
    """
    if not draws.chance(FOG.there):
        return None
    kind = draws.pick(FOG.kinds)
    if kind == "blotch":
        field = cloud(draws, rows, columns, draws.log_between((80, 400)))
        return np.clip((field - draws.between((0.8, 2.0))) * 70, 0, 130)
    if kind == "side":
        x = np.arange(columns, dtype=np.float32)[None, :]
        from_edge = x if draws.chance(0.3) else columns - x
        field = 1 - from_edge / draws.between(FOG.side_px) + 0.3 * cloud(draws, rows, columns, 60)
        return np.clip(field * draws.between(FOG.side), 0, 200)
    y = np.arange(rows, dtype=np.float32)[:, None]
    a, soft = draws.between((0, rows)), draws.log_between(FOG.soft_rows)
    b = float(rows) if kind == "step" else a + draws.log_between(FOG.band_rows)
    edges = np.clip((y - a) / soft, 0, 1) * np.clip((b - y) / soft, 0, 1)
    rough = 1 + 0.25 * cloud(draws, rows, columns, draws.log_between((30, 300)))
    gray: Array = draws.between(FOG.level) * edges * rough
    return gray


def blotch(draws: Draws, ink: Array, level: float) -> Array:
    """Over-exposed copies: toner gathers along the grid in ragged blots. level: the threshold."""
    rows, columns = ink.shape
    patches = cloud(draws, rows, columns, draws.log_between(BLOTCH.patch_px))
    where = 0.6 * patches + draws.between(BLOTCH.wetness)
    if draws.chance(BLOTCH.banded):  # in bands across the page, that begin and end at once
        steps = np.repeat(draws.rng.uniform(0, 1, rows // 40 + 1), 40)[:rows, None]
        where = where * (steps > 0.4)
    size = draws.between(BLOTCH.size_px)
    long = size * draws.between(BLOTCH.longer)
    # Blots lie along the feed of the copier or across it.
    across, down = (long, size) if draws.chance(0.7) else (size, long)
    blots = _rough(draws, rows, columns, across, down) * level * draws.between(BLOTCH.rough)
    near = cv2.blur(ink, (round(across * 4) | 1, round(down * 4) | 1)).astype(np.float32)
    wet = blots + ink * 1.2 + near * draws.between(BLOTCH.gathered)
    blotted: Array = np.clip(ink + wet * np.clip(where, 0, 1), 0, 255).astype(np.uint8)
    return blotted


def flood(draws: Draws, ink: Array, level: float) -> Array:
    """Copies so dark that whole areas went black: cells of the grid fill from its lines.

    Hundreds of px wide, beside a border most often, with ragged ends along the grid.
    """
    rows, columns = ink.shape
    patches = cloud(draws, rows, columns, draws.log_between(FLOOD.patch_px))
    field = patches - draws.between((0.2, 1.2))
    if draws.chance(FLOOD.from_edge):
        x = np.arange(columns, dtype=np.float32)[None, :]
        from_edge = x if draws.chance(0.3) else columns - x
        field = 1.3 - from_edge / (columns * draws.between(FLOOD.reach)) + 0.5 * patches
    if draws.chance(FLOOD.banded):  # the lamp or the feed changed
        y = np.arange(rows) + draws.whole((0, 399))
        bands = draws.rng.uniform(-0.6, 0.6, rows // 50 + 10)
        field = field + bands[y // int(draws.between(FLOOD.band_rows))][:, None]
    reach = round(draws.between(FLOOD.near_px)) | 1
    near = cv2.blur(ink, (reach, reach)).astype(np.float32) / 255
    rough = _rough(draws, rows, columns, 1.2, draws.between(FLOOD.grain_px))
    wet = 0.5 + draws.between(FLOOD.filled) * near + draws.between(FLOOD.rough) * rough
    flooded: Array = np.clip(ink + level * wet * np.clip(field, 0, 2), 0, 255).astype(np.uint8)
    return flooded


def specks(draws: Draws, black: Array, per_mpx: float, a: int, b: int) -> None:
    """Scatter dirt on rows a to b of a page, uint8 0/255, 255 black: in place."""
    band = black[a:b]
    count = draws.count(per_mpx * band.size / 1e6)
    y = draws.rng.integers(0, max(1, band.shape[0]), count)
    x = draws.rng.integers(0, band.shape[1], count)
    size = np.minimum(1 + draws.rng.exponential(0.8, count), 6).astype(int)
    dirt = 255 if draws.chance(0.9) else 0  # pinholes in the ink instead
    for k in range(3):
        grow = size > k
        band[np.minimum(y[grow] + k, band.shape[0] - 1), x[grow]] = dirt
        band[y[grow], np.minimum(x[grow] + k, band.shape[1] - 1)] = dirt
    for i in np.flatnonzero(size > 2):  # crumbs of any shape
        corners = draws.rng.normal(0, 0.45 * size[i], (5, 2)) + np.array([x[i], y[i]])
        cv2.fillPoly(band, [np.round(corners).astype(np.int32)], dirt)


def dirty(draws: Draws, black: Array) -> None:
    """Specks, smears, scratches, black scan edges and streaked margins, in place; 255 black."""
    rows, columns = black.shape
    density = DIRT.specks_median * float(np.exp(draws.normal(DIRT.specks_log_sd)))
    specks(draws, black, min(density, 4000), 0, rows)
    if draws.chance(DIRT.smeared):
        a = draws.whole((0, rows - 1))
        b = a + int(draws.log_between(DIRT.smear_rows))
        specks(draws, black, draws.log_between(DIRT.smear_specks), a, b)
    if draws.chance(DIRT.folded):  # a ragged dark or light line across the page
        jag = draws.whole((0, rows - 1)) + np.cumsum(0.4 * draws.noise(columns // 8 + 2))
        points = np.stack([np.arange(len(jag)) * 8, jag], axis=1).astype(np.int32)
        cv2.polylines(black, [points], False, draws.one_of((0, 255)), draws.whole((1, 3)))
    for _ in range(draws.count(DIRT.scratches)):  # scratches run with the paper
        x, y = draws.whole((0, columns - 1)), draws.whole((0, rows - 1))
        end = (round(x + draws.normal(12)), round(y + draws.log_between(DIRT.scratch_px)))
        cv2.line(black, (x, y), end, 0 if draws.chance(0.6) else 255, draws.whole((1, 2)))
    if draws.chance(DIRT.erased):
        x, y = draws.whole((0, columns - 1)), draws.whole((0, rows - 1))
        high, wide = draws.whole(DIRT.erased_rows), draws.whole(DIRT.erased_columns)
        black[y : y + high, x : x + wide] = 0
    if draws.chance(DIRT.edged):
        wave = draws.between(DIRT.edge_px) + 4 * cloud(draws, rows, 1, 300)[:, 0]
        side = np.arange(columns)[None, :] < wave[:, None]
        black[side if draws.chance(0.5) else side[:, ::-1]] = 255
    if draws.chance(DIRT.streaked):  # a margin streaked along the feed
        width = draws.whole(DIRT.streak_columns)
        there = draws.rng.random((rows // 40 + 1, width)) < draws.between(DIRT.streaks)
        streaks = np.repeat(there, 40, 0)[:rows] & (draws.rng.random((rows, width)) < 0.8)
        margin = black[:, -width:] if draws.chance(0.6) else black[:, :width]
        margin[streaks[:, : margin.shape[1]]] = 255


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
    rows, columns = ink.shape
    gray = fog(draws, rows, columns)
    if gray is not None:
        ink = cv2.add(ink, np.broadcast_to(gray, ink.shape).astype(np.uint8))
    if draws.chance(BLOTCH.share):
        ink = blotch(draws, ink, level)
    flooded = draws.chance(FLOOD.share)
    if flooded:
        ink = flood(draws, ink, level)
    # Noise lies on the ink's edge, not on clean paper: scanners clip the white.
    size_px = draws.log_between(SCAN.grain_px)
    noisy = ink.astype(np.int16) + grain(draws, (rows, columns), sheet.grain, size_px)
    if draws.chance(SCAN.adaptive):  # thin lines stay, wide black ones hollow out
        noisy -= cv2.blur(ink, (61, 61)).astype(np.int16) // 2
    black: Array = np.where(noisy > level, 255, 0).astype(np.uint8)
    # Under fog the ink's edge crosses the threshold further out; the truth grows with it.
    edge = level if gray is None else np.maximum(level - gray, 0.25 * level)
    mask = np.where(truth > edge, 255, 0).astype(np.uint8)
    copies = int(draws.rng.choice(3, p=SCAN.copies))  # copies of copies fill in acute angles
    if copies:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * copies + 1,) * 2)
        black = cv2.morphologyEx(black, cv2.MORPH_CLOSE, disc)
    unseen = vanished(black, mask)
    if flooded:
        unseen |= drowned(black, mask)
    dirty(draws, black)
    mask[unseen] = 128
    return 255 - black, mask


def _print(sheet: Sheet, truth: Array) -> tuple[Array, Array]:
    """A print scanned in colour or gray at low resolution, perhaps with few colours."""
    draws = sheet.draws
    ink, truth = bend(draws, sheet.ink, truth)
    ink = cv2.GaussianBlur(expose(draws, ink), (0, 0), sheet.blur_px)
    noise = grain(draws, truth.shape, sheet.grain, 0.8)[..., None]
    image = np.clip(255 - ink.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    if draws.chance(PRINT.palette):
        steps = draws.whole(PRINT.colours) - 1
        image = (np.round(image / 255 * steps) / steps * 255).astype(np.uint8)
    return image, np.where(truth > 110, 255, 0).astype(np.uint8)


def _export(sheet: Sheet, truth: Array) -> tuple[Array, Array]:
    """A born-digital page: as drawn, perhaps through JPEG."""
    image, draws = 255 - sheet.ink, sheet.draws
    if draws.chance(EXPORT.jpeg):
        quality = int(draws.between(EXPORT.quality))
        _, code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        back: Array | None = cv2.imdecode(code, cv2.IMREAD_COLOR)
        assert back is not None
        image = np.ascontiguousarray(back[..., ::-1])
    return image, truth


def copy_again(sheet: Sheet, gray: Array, mask: Array) -> Array:
    """A 1-bit scan photocopied once more, over-exposed: uint8 (rows, columns), 0 ink, 255 paper.

    mask: uint8, same shape; where the copy went black, its curves become 128 in place.
    """
    draws = sheet.draws
    ink = cv2.GaussianBlur(255 - gray, (0, 0), sheet.blur_px)
    dark = flood if draws.chance(FLOOD.of_copies) else blotch
    noise = grain(draws, gray.shape, sheet.grain, draws.log_between(SCAN.grain_px))
    noisy = dark(draws, ink, 128).astype(np.int16) + noise
    copy: Array = np.where(noisy > 128, 0, 255).astype(np.uint8)
    mask[drowned(255 - copy, mask)] = 128
    return copy


def vanished(black: Array, mask: Array) -> Array:
    """Where a curve left so little ink that nobody could trace it: bool (rows, columns).

    The sparsest measured style, ticks of 5-8 px every 20-50 px, leaves a tenth of the stroke.
    """
    window = (VANISHED_PX, VANISHED_PX)
    drawn = cv2.blur(cv2.bitwise_and(black, mask), window).astype(np.float32)
    wanted = cv2.blur(mask, window).astype(np.float32)
    gone: Array = (mask > 0) & (drawn < 0.05 * wanted)
    return gone


def drowned(black: Array, mask: Array) -> Array:
    """Where a curve runs through solid black, so that nobody could trace it: bool."""
    around: Array = cv2.blur(black, (DROWNED_PX, DROWNED_PX))
    gone: Array = (mask > 0) & (around > 0.93 * 255)
    return gone

"""What copying, storing and scanning do to a page. Geometry moves ink and truth together."""

from __future__ import annotations

import cv2
import numpy as np

from .recipe import (
    BLACK_EDGE_PX,
    SKEW_DEG_MEDIAN,
    SKEW_LOG_SD,
    SPECKS_LOG_SD,
    SPECKS_PER_MPX_MEDIAN,
    SPLICE_GAP_PX,
    Array,
    Paper,
    Rng,
    between,
    chance,
    log_between,
    pick,
)

VANISHED_PX = 101
"""A gap in a curve's ink as long as that can no longer be bridged: the longest measured is 60 px."""

DROWNED_PX = 41
"""A square of that side all black hides what runs through it: the widest curve measured has 15 px."""

FLOODED_COPIES = (
    0.3  # share of over-exposed copies of mined paper with areas gone black; the others are blotted
)


def cloud(rng: Rng, rows: int, columns: int, cell_px: float) -> Array:
    """Smooth noise: float32 (rows, columns), about unit variance, features of ``cell_px``."""
    small = rng.standard_normal(
        (max(2, int(rows / cell_px) + 2), max(2, int(columns / cell_px) + 2)), dtype=np.float32
    )
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)


def grain(rng: Rng, rows: int, columns: int, size_px: float) -> Array:
    """Fine noise: int16 (rows, columns), standard deviation 64, correlated over ``size_px``."""
    raw = np.frombuffer(rng.bytes(rows * columns), np.uint8).reshape(rows, columns)
    soft = cv2.GaussianBlur(raw, (0, 0), size_px)
    centred = soft.astype(np.int16) - 127
    gain = 64.0 / max(1.0, float(centred[:512].std()))
    return (centred * gain).astype(np.int16)


def bend(rng: Rng, ink: Array, truth: Array) -> tuple[Array, Array]:
    """Skew, slow wander and splices: both pages resampled by the same map."""
    rows, columns = ink.shape
    y = np.arange(rows, dtype=np.float32)[:, None]
    x = np.arange(columns, dtype=np.float32)[None, :]
    skew = np.deg2rad(SKEW_DEG_MEDIAN * np.exp(rng.normal(0, SKEW_LOG_SD))) * rng.choice((-1, 1))
    # Paper slips in the rollers: slopes of up to 2° (measured), over hundreds of rows.
    wander: Array = np.zeros((rows, 1), np.float32)
    if chance(rng, 0.7):
        wander = cloud(rng, rows, 1, log_between(rng, (250, 2500))) * between(rng, (0.5, 5))
    shift_x = np.float32(np.tan(skew)) * (y - rows / 2) + wander
    shift_y = np.zeros((rows, 1), np.float32)
    lost = np.zeros((rows, 1), bool)
    for _ in range(rng.poisson(0.12 + rows / 12000)):
        at = int(rng.integers(rows))
        gap = int(between(rng, SPLICE_GAP_PX)) if chance(rng, 0.6) else 0
        lost[at : at + gap] = True
        shift_x[at:] += between(rng, (-14, 14)) if chance(rng, 0.6) else 0
        shift_y[at:] += between(rng, (-30, 10))
    map_x = np.broadcast_to(x - shift_x, (rows, columns)).astype(np.float32)
    map_y = y + shift_y + np.float32(np.tan(skew)) * (x - columns / 2)
    map_y = np.where(lost, np.float32(-99), map_y).astype(np.float32)
    fixed, fraction = cv2.convertMaps(map_x, map_y, cv2.CV_16SC2)
    warped = [
        cv2.remap(a, fixed, fraction, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        for a in (ink, truth)
    ]
    return warped[0], warped[1]


def expose(rng: Rng, ink: Array) -> Array:
    """Uneven inking and light: clouds, bands and washed-out stretches scale the ink. uint8."""
    rows, columns = ink.shape
    gain = 1.0 + between(rng, (0.02, 0.14)) * cloud(rng, rows, columns, log_between(rng, (60, 500)))
    if chance(rng, 0.25):
        for _ in range(int(rng.integers(1, 4))):
            a = int(rng.integers(rows))
            b = a + int(log_between(rng, (60, 600)))
            gain[a:b] *= between(rng, (0.5, 0.85)) if chance(rng, 0.7) else between(rng, (1.1, 1.5))
    if chance(rng, 0.15):
        side = np.linspace(between(rng, (0.55, 1.1)), between(rng, (0.55, 1.1)), columns)
        gain *= side.astype(np.float32)[None, :]
    return cv2.multiply(ink, gain, dtype=cv2.CV_8U)


def fog(rng: Rng, rows: int, columns: int) -> Array | None:
    """Gray paper under the ink, as levels to add: float32 (rows, columns) or (rows, 1), or None.

    Where it comes near the threshold the grain breaks it into speckle; above, everything is black.
    """
    if chance(rng, 0.72):
        return None
    kind = pick(rng, {"step": 0.35, "band": 0.35, "side": 0.2, "blotch": 0.1})
    if kind == "blotch":
        field = cloud(rng, rows, columns, log_between(rng, (80, 400))) - between(rng, (0.8, 2.0))
        return np.clip(field * 70, 0, 130)
    if kind == "side":
        x = np.arange(columns, dtype=np.float32)
        from_edge = x if chance(rng, 0.3) else columns - x
        field = (
            1 - from_edge[None, :] / between(rng, (20, 200)) + 0.3 * cloud(rng, rows, columns, 60)
        )
        return np.clip(field * between(rng, (60, 250)), 0, 200)
    y = np.arange(rows, dtype=np.float32)[:, None]
    a = rng.uniform(0, rows)
    b = float(rows) if kind == "step" else a + log_between(rng, (30, 400))
    soft = log_between(rng, (1, 150))
    rise, fall = np.clip((y - a) / soft, 0, 1), np.clip((b - y) / soft, 0, 1)
    rough = 1 + 0.25 * cloud(rng, rows, columns, log_between(rng, (30, 300)))
    gray: Array = between(rng, (15, 85)) * rise * fall * rough
    return gray


def blotch(rng: Rng, ink: Array, level: float) -> Array:
    """Over-exposed copies: toner that gathers along the grid in ragged blots, cell after cell filled in places.

    ink: uint8 (rows, columns). level: the threshold. Returns uint8 (rows, columns).
    """
    rows, columns = ink.shape
    where = 0.6 * cloud(rng, rows, columns, log_between(rng, (60, 500))) + between(rng, (0.1, 1.1))
    if chance(rng, 0.3):  # in bands across the page, that begin and end at once
        steps = np.repeat(rng.uniform(0, 1, rows // 40 + 1), 40)[:rows, None]
        where = where * (steps > 0.4)
    where = np.clip(where, 0, 1).astype(np.float32)
    # Blots lie along the feed of the copier or across it, some ragged px wide.
    size, long = between(rng, (1.0, 4.0)), between(rng, (1.0, 3.0))
    across = (size * long, size) if chance(rng, 0.7) else (size, size * long)
    raw = rng.standard_normal((rows, columns), dtype=np.float32)
    blots: Array = cv2.GaussianBlur(raw, (0, 0), across[0], sigmaY=across[1])
    blots = blots / max(1e-3, float(blots[:512].std()))
    near = cv2.blur(ink, (round(across[0] * 4) | 1, round(across[1] * 4) | 1)).astype(np.float32)
    gray = (
        blots * level * between(rng, (0.25, 0.7)) + ink * 1.2 + near * between(rng, (0.5, 2.0))
    ) * where
    blotted: Array = np.clip(ink + gray, 0, 255).astype(np.uint8)
    return blotted


def flood(rng: Rng, ink: Array, level: float) -> Array:
    """Copies so dark that whole areas went black, beside a border most often: cells of the grid fill from its lines.

    As ALS471's: hundreds of px wide, with ragged ends along the grid, some cells left half open.
    ink: uint8 (rows, columns). level: the threshold. Returns uint8 (rows, columns).
    """
    rows, columns = ink.shape
    patches = cloud(rng, rows, columns, log_between(rng, (60, 500)))
    if chance(rng, 0.6):
        x = np.arange(columns, dtype=np.float32)[None, :]
        from_edge = x if chance(rng, 0.3) else columns - x
        field = 1.3 - from_edge / (columns * between(rng, (0.05, 0.6))) + 0.5 * patches
    else:
        field = patches - between(rng, (0.2, 1.2))
    if chance(rng, 0.5):  # the lamp or the feed changed: bands that begin and end at once
        y = np.arange(rows) + int(rng.integers(400))
        field = (
            field
            + rng.uniform(-0.6, 0.6, rows // 50 + 10)[y // int(between(rng, (50, 400)))][:, None]
        )
    reach = round(between(rng, (9, 60))) | 1
    near = cv2.blur(ink, (reach, reach)).astype(np.float32) / 255
    rough = cv2.GaussianBlur(
        rng.standard_normal((rows, columns), dtype=np.float32),
        (0, 0),
        1.2,
        sigmaY=between(rng, (1.2, 4)),
    )
    rough = rough * (between(rng, (0.1, 0.5)) / max(1e-3, float(rough[:512].std())))
    wet = np.clip(field, 0, 2).astype(np.float32) * (0.5 + between(rng, (0.5, 3)) * near + rough)
    flooded: Array = np.clip(ink + level * wet, 0, 255).astype(np.uint8)
    return flooded


def specks(rng: Rng, black: Array, per_mpx: float, a: int, b: int) -> None:
    """Scatter dirt on rows a to b of a page, uint8 0/255, 255 black: in place."""
    band = black[a:b]
    count = rng.poisson(per_mpx * band.size / 1e6)
    y, x = rng.integers(0, band.shape[0], count), rng.integers(0, band.shape[1], count)
    size = np.minimum(1 + rng.exponential(0.8, count), 6).astype(int)
    dirt = 255 if chance(rng, 0.9) else 0  # pinholes in the ink instead
    for k in range(3):
        grow = size > k
        band[np.minimum(y[grow] + k, band.shape[0] - 1), x[grow]] = dirt
        band[y[grow], np.minimum(x[grow] + k, band.shape[1] - 1)] = dirt
    for i in np.flatnonzero(size > 2):  # crumbs of any shape
        corners = rng.normal(0, 0.45 * size[i], (5, 2)) + np.array([x[i], y[i]])
        cv2.fillPoly(band, [np.round(corners).astype(np.int32)], dirt)


def dirty(rng: Rng, black: Array) -> None:
    """Specks, smears, scratches, black scan edges and streaked margins, in place; 255 black."""
    rows, columns = black.shape
    density = SPECKS_PER_MPX_MEDIAN * float(np.exp(rng.normal(0, SPECKS_LOG_SD)))
    specks(rng, black, min(density, 4000), 0, rows)
    if chance(rng, 0.12):
        a = int(rng.integers(rows))
        specks(rng, black, log_between(rng, (2000, 30000)), a, a + int(log_between(rng, (20, 300))))
    if chance(rng, 0.08):  # a fold: a ragged dark or light line across the page
        y = int(rng.integers(rows))
        jag = np.cumsum(rng.normal(0, 0.4, columns // 8 + 2))
        points = np.stack([np.arange(len(jag)) * 8, y + jag], axis=1).astype(np.int32)
        cv2.polylines(
            black, [points], False, 255 if chance(rng, 0.5) else 0, int(rng.integers(1, 4))
        )
    for _ in range(rng.poisson(0.25)):  # scratches run with the paper
        start = (round(rng.uniform(0, columns)), round(rng.uniform(0, rows)))
        length = log_between(rng, (60, 900))
        end = (round(start[0] + rng.normal(0, 12)), round(start[1] + length))
        colour, px = (0 if chance(rng, 0.6) else 255), int(rng.integers(1, 3))
        cv2.line(black, start, end, colour, px)
    if chance(rng, 0.05):  # an erased patch
        y, x = int(rng.integers(rows)), int(rng.integers(columns))
        black[y : y + int(between(rng, (10, 60))), x : x + int(between(rng, (20, 200)))] = 0
    if chance(rng, 0.18):
        wave = (between(rng, BLACK_EDGE_PX) + 4 * cloud(rng, rows, 1, 300)[:, 0]).astype(int)
        side = np.arange(columns)[None, :] < wave[:, None]
        black[side if chance(rng, 0.5) else side[:, ::-1]] = 255
    if chance(rng, 0.1):  # a margin streaked along the feed
        width = int(between(rng, (20, 140)))
        streaks = np.repeat(rng.random((rows // 40 + 1, width)) < between(rng, (0.05, 0.4)), 40, 0)
        fine = rng.random((rows, width)) < 0.8
        margin = black[:, -width:] if chance(rng, 0.6) else black[:, :width]
        margin[streaks[:rows] & fine] = 255


def develop(rng: Rng, paper: Paper, ink: Array, truth: Array) -> tuple[Array, Array]:
    """A drawn page as the 1-bit scanner gives it.

    ink, truth: uint8 (rows, columns), 0 paper .. 255. Returns image uint8 0 ink / 255 paper, and
    mask uint8 0 / 255 with the width that the ink got, 128 where nothing was left of it.
    """
    ink, truth = bend(rng, ink, truth)
    if chance(rng, 0.85):
        ink = expose(rng, ink)
    ink = cv2.GaussianBlur(ink, (0, 0), paper.blur_px)
    truth = cv2.GaussianBlur(truth, (0, 0), paper.blur_px)
    rows, columns = ink.shape
    gray = fog(rng, rows, columns)
    if gray is not None:
        ink = cv2.add(ink, np.broadcast_to(gray, ink.shape).astype(np.uint8))
    if chance(rng, 0.15):
        ink = blotch(rng, ink, paper.threshold)
    flooded = bool(paper.flooded) and chance(rng, paper.flooded)
    if flooded:
        ink = flood(rng, ink, paper.threshold)
    noise = grain(rng, rows, columns, log_between(rng, (0.7, 2.2)))
    level = paper.threshold
    # Noise lies on the ink's edge, not on clean paper: scanners clip the white.
    noisy = ink.astype(np.int16) + noise * np.int16(paper.grain) // np.int16(64)
    if chance(rng, 0.12):  # an adaptive threshold: thin lines stay, wide black ones hollow out
        local = cv2.blur(ink, (61, 61)).astype(np.int16)
        noisy -= local // 2
    black: Array = np.where(noisy > level, 255, 0).astype(np.uint8)
    # Under fog the ink's edge crosses the threshold further out; the truth grows with it.
    edge = level if gray is None else np.maximum(level - gray, 0.25 * level)
    mask = np.where(truth > edge, 255, 0).astype(np.uint8)
    copies = int(rng.choice(3, p=(0.84, 0.12, 0.04)))  # copies of copies fill in acute angles
    if copies:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * copies + 1,) * 2)
        black = cv2.morphologyEx(black, cv2.MORPH_CLOSE, disc)
    unseen = vanished(black, mask)
    if flooded:
        unseen |= drowned(black, mask)
    dirty(rng, black)
    mask[unseen] = 128
    return 255 - black, mask


def copy_again(rng: Rng, paper: Paper, gray: Array, mask: Array) -> Array:
    """A 1-bit scan photocopied once more, over-exposed: uint8 (rows, columns), 0 ink, 255 paper.

    mask: uint8, same shape; where the copy went black, its curves become 128 in place.
    """
    ink = cv2.GaussianBlur(255 - gray, (0, 0), paper.blur_px)
    noise = grain(rng, gray.shape[0], gray.shape[1], log_between(rng, (0.7, 2.2)))
    dark = flood if paper.flooded and chance(rng, FLOODED_COPIES) else blotch
    noisy = dark(rng, ink, 128).astype(np.int16) + noise * np.int16(paper.grain) // np.int16(64)
    copy: Array = np.where(noisy > 128, 0, 255).astype(np.uint8)
    mask[drowned(255 - copy, mask)] = 128
    return copy


def vanished(black: Array, mask: Array) -> Array:
    """Where a curve left so little ink that nobody could trace it: bool (rows, columns).

    The sparsest measured style, ticks of 5-8 px every 20-50 px, still leaves a tenth of the stroke.
    """
    window = (VANISHED_PX, VANISHED_PX)
    drawn = cv2.blur(cv2.bitwise_and(black, mask), window).astype(np.float32)
    wanted = cv2.blur(mask, window).astype(np.float32)
    gone: Array = (mask > 0) & (drawn < 0.05 * wanted)
    return gone


def drowned(black: Array, mask: Array) -> Array:
    """Where a curve runs through solid black, so that nobody could trace it: bool (rows, columns)."""
    around: Array = cv2.blur(black, (DROWNED_PX, DROWNED_PX))
    gone: Array = (mask > 0) & (around > 0.93 * 255)
    return gone


def print_scan(rng: Rng, paper: Paper, ink: Array, truth: Array) -> tuple[Array, Array]:
    """A print scanned in gray or reduced to a small palette, at low resolution. As ``develop``."""
    ink, truth = bend(rng, ink, truth)
    ink = cv2.GaussianBlur(expose(rng, ink), (0, 0), paper.blur_px)
    noise = grain(rng, ink.shape[0], ink.shape[1], 0.8) * np.int16(paper.grain) // np.int16(64)
    gray = np.clip(255 - ink.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    if chance(rng, 0.5):  # saved with a handful of colours
        steps = int(rng.integers(2, 7))
        gray = (np.round(gray / 255 * (steps - 1)) / (steps - 1) * 255).astype(np.uint8)
    return gray, np.where(truth > 110, 255, 0).astype(np.uint8)


def export(rng: Rng, ink: Array, truth: Array) -> tuple[Array, Array]:
    """A born-digital page: as drawn, perhaps through JPEG. As ``develop``."""
    gray = 255 - ink
    if chance(rng, 0.3):
        quality = int(between(rng, (55, 95)))
        _, code = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
        back: Array | None = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE)
        assert back is not None
        return back, truth
    return gray, truth

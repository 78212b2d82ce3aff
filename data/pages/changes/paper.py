"""Changes of pages of paper: heavy lines, squeezed rows, toner, arrows of dipmeters (see arms.md).

Each takes a page, uint8 (rows, columns), 255 white; its mask, 255 curve, 128 not scored, 0 not; its
dpi; a generator. It gives both, changed, or the picture as it was where there is no place for it.

heavy: some lines of the grid are as heavy as a curve or heavier; networks take such a line for a
curve where one meets it. Lines that are there are drawn over, most often those near curves. fast:
rows are squeezed to a third to two thirds, so that swings run into each other as on fast logs.
speckled: a copier's toner lies on them."""

from typing import Any

import cv2
import numpy as np
from scipy.special import erfinv

DOWN, ACROSS, BOTH = (5, 11), (3.5, 7.5), 0.45
"""Widths in px at 200 dpi; share of pages with heavy lines across, too."""
BAND_ROWS, STEP_ROWS, REACH_PX, INKED = 300, 60, 6, 0.45
"""Lines are looked for in a band, then followed; at least INKED of a line's length has ink."""
RESTING, WORN_AWAY = 0.4, 0.3  # share of the band in which a curve is on the line; of lines
FAST = 0.33, 0.66
DENSE = 0.7  # share of dipmeters whose arrows overlap
Plane = np.ndarray[Any, np.dtype[np.uint8]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Random = np.random.Generator


def follow(ink: Flags, row: int, column: float) -> tuple[Any, float]:
    """Columns of the nearly vertical line through a place, in each row, and its share of ink."""
    found = []
    for way in (1, -1):
        at, tilt = column, 0.0
        stop = len(ink) if way > 0 else -STEP_ROWS
        for top in range(row if way > 0 else row - STEP_ROWS, stop, way * STEP_ROWS):
            left = max(0, round(at + tilt) - REACH_PX)
            near = ink[max(0, top) : top + STEP_ROWS, left : left + 2 * REACH_PX + 1]
            if near.shape[0] < 8 or near.shape[1] < 5:
                break
            inked = np.convolve(near.mean(0), np.ones(3) / 3, "same")
            seen = left + int(inked.argmax())
            if inked.max() > 0.5:
                tilt = 0.7 * tilt + 0.3 * (seen - at)
            at = seen if inked.max() > 0.5 else at + tilt
            found.append((max(0, top) + STEP_ROWS / 2, at, inked.max()))
    rows, columns, shares = np.array(sorted(found)).T
    return np.interp(np.arange(len(ink)), rows, columns), float(shares.mean())


def thicken(ink: Flags, curve: Flags, widths: Any, count: int, scale: float, rng: Random) -> Flags:
    """The ink, with up to ``count`` of its vertical lines heavier."""
    made, top = ink.copy(), int(rng.uniform(0, max(1, len(ink) - BAND_ROWS)))
    band = slice(top, top + BAND_ROWS)
    inked = np.convolve(ink[band].mean(0), np.ones(3) / 3, "same")
    size = int(31 * scale) | 1, 1
    near = cv2.blur(curve[band].sum(0).astype(np.float32)[None], size)[0]
    resting = cv2.dilate(curve[band].astype(np.uint8), np.ones((1, 5), np.uint8)).mean(0)
    peak = inked == cv2.dilate(inked[None], np.ones((1, 13)))[0]
    lines = np.flatnonzero(peak & (inked > 0.4) & (resting < RESTING))
    if not len(lines):
        return made
    weight = near[lines] + 0.02 * near.max() + 1e-6
    for column in rng.choice(lines, min(len(lines), count), False, weight / weight.sum()):
        columns, share = follow(ink, top, column)
        if share < INKED:
            continue
        layer = np.zeros(ink.shape, np.uint8)
        points = np.stack([columns, np.arange(len(ink))], 1).astype(int)
        cv2.polylines(layer, [points], False, 1, max(2, round(rng.uniform(*widths) * scale)))
        if rng.random() < WORN_AWAY:
            noise = cv2.GaussianBlur(rng.standard_normal(ink.shape, np.float32), (0, 0), 2)
            layer[noise > 0.28 * rng.uniform(0.3, 1)] = 0
        made |= layer > 0
    return made


def heavy(picture: Plane, mask: Plane, dpi: float, rng: Random) -> tuple[Plane, Plane]:
    """The picture with heavy lines, or as it was; the mask as it was."""
    ink, curve, scale = picture < 128, mask > 0, dpi / 200
    made = thicken(ink, curve, DOWN, int(rng.integers(1, 5)), scale, rng)
    if rng.random() < BOTH:
        made = thicken(made.T, curve.T, ACROSS, int(rng.choice([1, 2, 4])), scale, rng).T
    if not curve.any() or (made == ink).all():
        return picture, mask
    return ragged(np.where(made & ~ink, 0, picture).astype(np.uint8), picture, rng), mask


def fast(picture: Plane, mask: Plane, dpi: float, rng: Random) -> tuple[Plane, Plane]:
    """Both with fewer rows; a pixel is black, curve, or not scored where so much of its rows is."""
    size = picture.shape[1], round(len(picture) * rng.uniform(*FAST))

    def share(plane: Flags) -> Any:
        return cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA)

    black, curve = share(picture < 128) > 0.4, share(mask == 255) > 0.4
    squeezed = np.where(curve, 255, np.where(share(mask == 128) > 0.2, 128, 0))
    return np.where(black, 0, 255).astype(np.uint8), squeezed.astype(np.uint8)


def speckled(picture: Plane, mask: Plane, dpi: float, rng: Random) -> tuple[Plane, Plane]:
    """The picture with toner where a copier put some: clouds, and bands that begin sharply and fade."""
    rows, columns = picture.shape
    size, scale = (columns // 16 + 1, rows // 16 + 1), dpi / 200
    cloud = cv2.GaussianBlur(rng.standard_normal(size[::-1], np.float32), (0, 0), rng.uniform(3, 9))
    share = rng.uniform(0, 0.15) * (cloud / cloud.std()).clip(0)
    for _ in range(rng.integers(0, 3)):
        first, high = rng.uniform(0, size[1]), rng.uniform(3, 25) * scale
        down = (np.arange(size[1]) - first) / high
        share += (rng.uniform(0.1, 0.5) * np.exp(-down) * (down >= 0))[:, None]
    share = cv2.resize(share.astype(np.float32), (columns, rows)).clip(0.002, rng.uniform(0.2, 0.5))
    grain = rng.standard_normal(picture.shape, np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), max(0.6, scale * rng.uniform(0.5, 1)))
    toner = grain / grain.std() > np.sqrt(2) * erfinv(1 - 2 * share)
    return np.where(toner, 0, picture).astype(np.uint8), mask


def free(
    picture: Plane, mask: Plane, rng: Random, wide: int, ink: float
) -> tuple[int, int, int] | None:
    """Column, row and height of a band without curves, and with no more ink than a grid."""
    rows, columns = picture.shape
    for _ in range(40):
        high = int(rng.uniform(0.5, 1) * rows)
        x, y = int(rng.uniform(0.05, 0.95) * columns - wide / 2), int(rng.uniform(0, rows - high))
        part = slice(y, y + high), slice(x, x + wide)
        inside = x >= 0 and x + wide <= columns
        if inside and (mask[part] > 0).mean() < 0.0015 and (picture[part] < 128).mean() < ink:
            return x, y, high
    return None


def arrows(picture: Plane, mask: Plane, dpi: float, rng: Random) -> tuple[Plane, Plane]:
    """The picture with arrows of a dipmeter in a band without curves, where there is one: apart, or
    so near that they overlap."""
    scale, dense = dpi / 200, rng.random() < DENSE
    wide = int(rng.uniform(*((70, 260) if dense else (160, 700))) * scale)
    if (band := free(picture, mask, rng, wide, 0.25 + 0.05 * dense)) is None:
        return picture, mask
    (x, y, high), made, size = band, picture.copy(), scale * rng.uniform(0.7, 1.5)
    disc, line = size * rng.uniform(4.5, 9), size * rng.uniform(2, 5)
    long = size * rng.uniform(12, 30)
    step = size * (rng.uniform(4, 11) if dense else rng.choice([8, 15, 25, 45]))
    spread = size * rng.uniform(1, 12) if dense else rng.choice([0.02, 0.05, 0.12, 0.3]) * wide
    place, turn = x + wide * rng.uniform(0.2, 0.8), rng.uniform(0, 6.28)
    scatter, hollow, row = rng.choice([0.1, 0.3, 0.8, 3.1]), rng.random() < 0.2, float(y)
    while row < y + high:
        drift = size * rng.normal(0, 3 if dense else 8)
        place = np.clip(place + drift, x + 0.15 * wide, x + 0.85 * wide)
        column, angle = place + spread * rng.normal(), turn + scatter * rng.uniform(-1, 1)
        turn += rng.normal(0, 0.1)
        if x < column < x + wide:
            disc_at = int(column), int(row)
            tail = int(column + long * np.cos(angle)), int(row + long * np.sin(angle))
            cv2.line(made, disc_at, tail, 0, max(1, round(line)))
            cv2.circle(made, disc_at, max(2, round(disc)), 0, -1)
            if hollow:
                cv2.circle(made, disc_at, max(1, round(disc / 2)), 255, -1)
        row += step * rng.uniform(0.2, 2) * (1 if rng.random() > 0.02 else 8)
    return ragged(made, picture, rng), mask


def ragged(made: Plane, picture: Plane, rng: Random) -> Plane:
    """What was drawn gets ragged edges, as a copy's."""
    noise = cv2.GaussianBlur(rng.standard_normal(picture.shape, np.float32), (0, 0), 1.0)
    gray = cv2.GaussianBlur(made.astype(np.float32) / 255, (0, 0), 0.9) + 0.13 * noise / noise.std()
    edges = widen(made != picture, 7)
    return np.where(edges, np.where(gray < 0.5, 0, 255), picture).astype(np.uint8)


def widen(pixels: Any, by: int) -> Any:
    return cv2.dilate(pixels.astype(np.uint8), np.ones((by, by), np.uint8)) > 0

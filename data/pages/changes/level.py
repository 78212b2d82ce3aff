"""Strokes that are nearly level drawn into pages: spikes, curves that leave their track and come
back, parts that cross it whole; and curves that rest on lines (arms.md of benchmarks).

Strokes have the ink and the width of a curve of the page and lie, most of them, on a line of its
grid or some pixels beside it: what people find missed most (eye.md)."""

from typing import Any

import cv2
import numpy as np

LEAST_ROWS, ON_GRID, DASHED, WORN, RESTING = 60, 0.6, 0.15, 0.3, 0.25
SPIKES, WHOLE = 0.6, 0.2
Plane = np.ndarray[Any, np.dtype[np.uint8]]
Random = np.random.Generator


def find_tracks(dark: Any, found: Any) -> list[tuple[int, int]]:
    """First and last column of each stretch that level grid lines cross, between columns found."""
    part = dark[:, found[0] : found[-1] + 1].astype(np.uint8)
    part = cv2.dilate(part, np.ones((5, 1), np.uint8))  # copies lean and are worn
    inked = part.mean(1)
    ruled = part[inked >= max(0.2, 0.7 * np.quantile(inked, 0.97))]
    if not len(ruled):
        return []
    share = cv2.blur(ruled.mean(0, keepdims=True), (31, 1))[0]
    changes = np.diff((share > 0.4).astype(np.int8), prepend=0, append=0)
    ends = np.flatnonzero(changes).reshape(-1, 2) + found[0]
    return [(int(first), int(end - 1)) for first, end in ends if end - first > 60]


def level_row(dark: Any, row: int, ends: tuple[float, float], rng: Random) -> int:
    """A row near this one, of a grid line between two columns where there is one."""
    first, last = (int(x) for x in sorted(ends))
    top = max(0, row - 25)
    line = dark[top : row + 25, first : last + 1].mean(1)
    return int(top + line.argmax()) if line.max() > 0.5 and rng.random() < ON_GRID else row


def strokes(
    dark: Any, at: tuple[float, int], wide: float, track: tuple[int, int], whole: float, rng: Random
) -> Any:
    """Lines of points (column, row) of one disturbance of a curve at a column and a row. whole:
    share of those that cross the track."""
    (x, row), scale, kind = at, wide / 3, rng.random()
    beside = rng.choice((-1, 0, 1)) * rng.integers(0, 4 + int(wide))
    if kind < SPIKES:
        tip = np.clip(x + rng.choice((-1, 1)) * rng.uniform(30, 350) * max(1, scale), *track)
        row = level_row(dark, row, (x, tip), rng) + beside
        half = rng.choice([0, 0.5, 1, 2, 3, 5]) * max(1, scale)
        return [np.array([(x, row - half), (tip, row), (x, row + half)])]
    ends = (x, rng.choice(track)) if kind < 1 - whole else track
    row = level_row(dark, row, ends, rng) + beside
    lines = []
    for _ in range(rng.choice([1, 1, 2, 2, 3])):
        tilt = rng.choice([0, rng.uniform(-6, 6)]) * max(1, scale)
        lines.append(np.array([(ends[0], row), (ends[1], row + tilt)]))
        row += rng.uniform(1.5 * wide, 45 * max(1, scale))
    return lines


def resting(dark: Any, track: tuple[int, int], wide: float, rng: Random) -> Any:
    """Points of a curve that rests on a border or a vertical line of a track, or some pixels
    beside it, and leaves it now and then; empty where the track has no such line."""
    first, last = track
    inside = dark[:, first : last + 1]
    wider = cv2.dilate(inside.astype(np.uint8), np.ones((1, 3), np.uint8))
    lines = np.flatnonzero(wider.mean(0) > 0.6)
    if not len(lines):
        return np.zeros((0, 2))
    scale, at = max(1, wide / 3), rng.choice([lines[0], lines[0], lines[-1], rng.choice(lines)])
    ends = [0, len(dark)] if rng.random() < 0.6 else sorted(rng.integers(0, len(dark), 2))
    rows = np.arange(*ends)
    away = np.zeros(len(rows))
    for _ in range(rng.integers(1, 9) if len(rows) > 100 else 0):
        half, high = rng.choice([(1, 80), (2, 160), (4, 25), (10, 80), (10, 8), (40, 25), (80, 8)])
        beside = (rows - rng.uniform(*ends)) / (half * scale)
        away = np.maximum(away, np.exp(-(beside**2)) * rng.uniform(0.4, 1) * high * scale)
    to = 1 if at < inside.shape[1] / 2 else -1
    path = first + at + rng.choice([0, 0, 1, -1, 2, 3, 5, 8]) * to + to * away
    return np.column_stack([np.clip(path, first, last), rows])[: len(rows) * (len(rows) > 100)]


def ruled(track: tuple[int, int], rows: int, wide: float, rng: Random) -> Any:
    """Points of a curve that is ruled straight down anywhere in a track, or wanders by a few
    pixels, and kicks out level now and then: tension, a collar locator, a bit size."""
    first, last = track
    at, lean = rng.uniform(first, last), rng.uniform(-0.003, 0.003) * (rng.random() < 0.5)
    row = np.arange(rows)
    knots = rng.normal(0, rng.choice([0, 0.3, 1, 2]), rows // 60 + 2).cumsum()
    path = at + lean * row + np.interp(row, np.linspace(0, rows, len(knots)), knots - knots.mean())
    points = np.column_stack([np.clip(path, first, last), row])
    scale = max(1, wide / 3)
    kicks = np.sort(rng.integers(0, rows - 1, rng.integers(0, 8)))
    for start in kicks[::-1]:
        far = points[start, 0] + rng.choice((-1, 1)) * rng.uniform(10, 350) * scale
        far, high = np.clip(far, first, last), int(rng.choice([0, 1, 3, 8, 20]) * scale)
        out = np.array([(far, start), (far + rng.uniform(-3, 3), start + high)])
        points = np.concatenate([points[: start + 1], out, points[start + high + 1 :]])
    return points


def still(picture: Plane, mask: Plane, _dpi: float, rng: Random) -> tuple[Plane, Plane] | None:
    """The page and its mask with one to three curves that are ruled straight down; they are as wide
    as a curve of the page, or wider: grid lines are not."""
    made, truth, page = picture.copy(), mask.copy(), Page(picture, mask)
    for _ in range(rng.integers(1, 4) if page.tracks else 0):
        _, taken = page.pick(rng)
        if taken is None:
            continue
        _, wide, ink = taken
        track = page.tracks[rng.integers(len(page.tracks))]
        points = ruled(track, len(mask), wide, rng)
        lay(made, truth, points, max(2.0, wide * rng.uniform(0.9, 1.6)), ink, rng)
    return None if np.array_equal(made, picture) else (made, truth)


def pen(picture: Plane, one: Any, row: int) -> tuple[float, float, Any] | None:
    """Column, width in px and ink of a curve in a row; None: it is too wide there, or not there."""
    columns = np.flatnonzero(one[row])
    if not len(columns) or np.ptp(columns) > 16:
        return None
    counts = one[max(0, row - 40) : row + 40].sum(1)
    counts = counts[(counts > 0) & (counts <= 16)]
    if not len(counts):
        return None
    wide = float(np.median(counts))
    ink = picture[row, columns]
    darkest = ink[ink.reshape(len(columns), -1).sum(1).argmin()]
    return float(columns.mean()), wide, darkest


class Page:
    """What is drawn on: ``dark``, ink that is no curve, bool (rows, columns); ``tall`` curves;
    ``tracks`` between them, each its first and last column."""

    def __init__(self, picture: Plane, mask: Plane) -> None:
        self._picture = picture
        self.dark = ((picture if picture.ndim == 2 else picture.min(2)) < 190) & (mask == 0)
        curves = (mask == 255).astype(np.uint8)
        count, self._which, self._boxes, _ = cv2.connectedComponentsWithStats(curves)
        heights = self._boxes[:, cv2.CC_STAT_HEIGHT]
        self.tall = [i for i in range(1, count) if heights[i] > LEAST_ROWS]
        found = np.flatnonzero(curves.any(0))
        self.tracks = find_tracks(self.dark | (curves > 0), found) if self.tall else []

    def pick(self, rng: Random) -> tuple[int, tuple[float, float, Any] | None]:
        """A row of a tall curve, and its ``pen`` there."""
        one = rng.choice(self.tall)
        y, high = self._boxes[one, cv2.CC_STAT_TOP], self._boxes[one, cv2.CC_STAT_HEIGHT]
        row = int(rng.integers(y + 5, y + high - 5))
        return row, pen(self._picture, self._which == one, row)


def level(picture: Plane, mask: Plane, _dpi: float, rng: Random) -> tuple[Plane, Plane]:
    """The picture, RGB or of two tones, and its mask with up to eight disturbances."""
    made, truth, page = picture.copy(), mask.copy(), Page(picture, mask)
    whole = WHOLE * (picture.ndim == 3)  # on paper they would be heavy lines of the grid
    dark = page.dark
    for _ in range(rng.integers(2, 9) if page.tracks else 0):
        row, taken = page.pick(rng)
        if taken is None:
            continue
        x, wide, ink = taken
        within = [it for it in page.tracks if it[0] - 3 <= x <= it[1] + 3]
        if not within:
            continue
        px = max(1.0, wide * rng.uniform(0.6, 1.1))
        for points in strokes(dark, (x, row), wide, within[0], whole, rng):
            lay(made, truth, points, px, ink, rng)
        if rng.random() < RESTING and len(points := resting(dark, within[0], wide, rng)):
            lay(made, truth, points, px, ink, rng)
    return made, truth


def lay(picture: Plane, truth: Plane, points: Any, px: float, ink: Any, rng: Random) -> None:
    """One line of points, px wide, in the picture and its truth; in place."""
    low, high = points.min(0) - px - 3, points.max(0) + px + 4
    left, right = np.clip([low[0], high[0]], 0, truth.shape[1]).astype(int).tolist()
    top, end = np.clip([low[1], high[1]], 0, truth.shape[0]).astype(int).tolist()
    if end - top < 3 or right - left < 3:
        return
    part, fine = (slice(top, end), slice(left, right)), 4
    large = np.zeros(((end - top) * fine, (right - left) * fine), np.uint8)
    at = np.rint((points - (left, top)) * fine).astype(np.int32)
    cv2.polylines(large, [at], False, 255, max(1, round(px * fine) - 1))
    cover = cv2.resize(large, None, fx=1 / fine, fy=1 / fine, interpolation=cv2.INTER_AREA) / 255.0
    where = (cover > 0.4) & (truth[part] == 0)
    is_level = right - left > end - top
    if rng.random() < (DASHED if is_level else 0.5):
        every = px * rng.uniform(3, 9)
        places = np.arange(left, right)[None] if is_level else np.arange(top, end)[:, None]
        cover *= places % every < every * rng.uniform(0.4, 0.75)
    if picture.ndim == 2:  # of two tones: rough edges, some of it worn
        rough = cv2.GaussianBlur(rng.normal(0, 1, cover.shape), (0, 0), 1.2)
        cover = cover + rng.uniform(0.1, 0.5) * rough
        if rng.random() < WORN:
            worn = cv2.GaussianBlur(rng.normal(0, 1, cover.shape), (0, 0), 4)
            cover[worn > rng.uniform(0.08, 0.25)] = 0
        picture[part][cover > 0.5] = 0
    else:
        share = cover[..., None]
        made = share * ink + (1 - share) * picture[part]
        picture[part] = np.minimum(made, picture[part]).round().astype(np.uint8)
    truth[part][where] = 255

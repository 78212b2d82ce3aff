"""Labels drawn into colour pages in the inks of their curves: numbers of scales one below the other
along a border, and lines that lead from a curve to its name or to a box. None of it is a curve, so
masks stay as they are (arms.md of benchmarks)."""

from typing import Any

import cv2
import numpy as np

from changes.level import Page

NAMES = "GRAX", "ROP", "TG", "C1", "C2", "C3", "TVD", "GR 45 api", "WOB 12", "CG 130u", "RES", "Hot"
NUMBERS = "0", "0", "0", "0", "0.2", "100", "150", "250", "1000", "2000"
Plane = np.ndarray[Any, np.dtype[np.uint8]]
Random = np.random.Generator


def write(made: Plane, text: str, at: tuple[float, float], px: float, ink: Any, bold: int) -> int:
    """Write text from its lower left corner, (column, row), px high; returns its width."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, px / 21
    place = round(at[0]), round(at[1])
    cv2.putText(made, text, place, font, size, ink, bold, cv2.LINE_AA if px > 9 else cv2.LINE_4)
    return int(cv2.getTextSize(text, font, size, bold)[0][0])


def scales(made: Plane, track: tuple[int, int], inks: list[Any], px: float, rng: Random) -> None:
    """Scales of some curves one below the other: numbers at the borders, or names between, too."""
    first, last = track
    row, beside = rng.uniform(0, len(made)), int(rng.integers(1, 8))
    sides = rng.choice([(0,), (0,), (1,), (0, 1)][int(rng.integers(4))], 1 + (rng.random() < 0.4))
    step, named = px * rng.uniform(1.15, 2.2), rng.random() < 0.4
    bold = int(rng.choice([1, 1, 2]))
    for _ in range(rng.integers(2, 7)):
        ink, row = inks[rng.integers(len(inks))], row + step
        for side in set(sides.tolist()):
            text = "0" if side == 0 and rng.random() < 0.8 else str(rng.choice(NUMBERS))
            wide = round(len(text) * px * 0.85)
            at = first + beside if side == 0 else last - beside - wide
            write(made, text, (at, row), px, ink, bold)
        if named:
            write(made, str(rng.choice(NAMES)), ((first + last) / 2 - px, row), px, ink, bold)


def lead(
    made: Plane, start: tuple[float, int], wide: float, ink: Any, px: float, rng: Random
) -> None:
    """A line from a curve, bent once, to a name or a box; some with the head of an arrow."""
    aside, down = rng.choice((-1, 1)) * rng.uniform(25, 300), rng.uniform(-120, 120)
    bend, thin = rng.uniform(0.3, 1), max(1, round(wide * rng.uniform(0.4, 1)))
    x, y = start
    points = np.array([(x, y), (x + bend * aside, y + down), (x + aside, y + down)])
    kind = cv2.LINE_AA if rng.random() < 0.5 else cv2.LINE_8
    cv2.polylines(made, [np.rint(points).astype(np.int32)], False, ink, thin, kind)
    if rng.random() < 0.3:
        along = (points[1] - points[0]) / max(1.0, float(np.hypot(*(points[1] - points[0]))))
        foot, half = points[0] + along * px, np.array([-along[1], along[0]]) * px * 0.3
        head = np.array([points[0], foot + half, foot - half])
        cv2.fillPoly(made, [np.rint(head).astype(np.int32)], ink)
    text, end = str(rng.choice(NAMES)), points[2]
    size = len(text) * px * 0.85, px * 1.6
    left = end[0] + 2 if aside > 0 else end[0] - size[0] - 2
    if boxed := rng.random() < 0.4:
        corner = round(left - 3), round(end[1] - size[1] / 2)
        other = round(left + size[0] + 3), round(end[1] + size[1] / 2)
        if rng.random() < 0.7:
            cv2.rectangle(made, corner, other, (255, 255, 255), -1)
        cv2.rectangle(made, corner, other, ink, thin)
    if not boxed or rng.random() < 0.7:
        write(made, text, (left, end[1] + px / 2), px, ink, 1)


def labels(picture: Plane, mask: Plane, dpi: float, rng: Random) -> tuple[Plane, Plane]:
    """The picture, RGB, with labels; curves stay on top. The mask as it was."""
    made, page, inks = picture.copy(), Page(picture, mask), []
    px = rng.uniform(8, 14) * max(0.8, dpi / 120)
    for _ in range(rng.integers(2, 9) if page.tall else 0):
        row, taken = page.pick(rng)
        if taken is None:
            continue
        inks.append(taken[2].tolist())
        if rng.random() < 0.7:
            ink = inks[-1] if rng.random() < 0.8 else [0, 0, 0]
            lead(made, (taken[0], row), taken[1], ink, px, rng)
    for _ in range(rng.integers(1, 5) if page.tracks and inks else 0):
        scales(made, page.tracks[rng.integers(len(page.tracks))], inks, px, rng)
    made[mask == 255] = picture[mask == 255]
    return made, mask

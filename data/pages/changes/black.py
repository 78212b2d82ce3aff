"""Colour pages as worn 1-bit copies: more wells of paper, with the labels that are there
("Copies in black" in arms.md of benchmarks)."""

from typing import Any

import cv2
import numpy as np

from wellseg.scan.pictures import to_gray

WEAR = (0.8, 1.6), (0.04, 0.16), (0.03, 0.1), (0.6, 1.2), (0.42, 0.68)  # see `worn`
DPI, SCALES = (160, 200, 200, 240, 300), (0.45, 3.4)
LEAST_INK, MOST_INK, FAT_PX, FAT = 0.8, 0.33, 5.5, 0.02
"""Of a copy: share of its curves' pixels that are ink at least, and of all at most; more pixels of
curves that are so far inside, by their share, are of fills or of fat lines, which teach blots."""
Plane = np.ndarray[Any, np.dtype[np.uint8]]
Random = np.random.Generator


def worn(paper: Any, rng: Random, how: Any = (1.2, 0.12, 0.07, 0.9, 0.55)) -> Plane:
    """A gray picture as 1 bit, 0 ink. how: size and strength of its grain, strength of slow changes of
    tone, blur, and the gray below which is ink."""
    size, grainy, toned, blur, below = how
    noise = rng.standard_normal(paper.shape, dtype=np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), size)
    cells = tuple(side // 300 + 2 for side in paper.shape)
    tone = cv2.resize(rng.standard_normal(cells, dtype=np.float32), paper.shape[::-1])
    gray = cv2.GaussianBlur(paper.astype(np.float32) / 255, (0, 0), blur)
    is_ink = gray + grainy * grain / grain.std() + toned * tone < below
    return np.where(is_ink, 0, 255).astype(np.uint8)


def black(
    picture: Plane, mask: Plane, dpi: float, rng: Random
) -> tuple[Plane, Plane, float] | None:
    """The page, gray or RGB, its mask and dpi as a copy in black, in which light inks are black, too;
    None where that would be blots, or its curves would vanish."""
    goal, light = int(rng.choice(DPI)), rng.uniform(0.5, 1)
    if not SCALES[0] < goal / dpi < SCALES[1]:
        return None
    gray = (1 - light) * to_gray(picture) + light * np.atleast_3d(picture).min(2)
    size = [round(side * goal / dpi) for side in mask.shape[::-1]]
    how = cv2.INTER_CUBIC if goal > dpi else cv2.INTER_AREA
    gray = cv2.resize(gray.astype(np.float32), size, interpolation=how).clip(0, 255)
    mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    wear, is_curve = rng.uniform(*np.transpose(WEAR)), mask == 255
    if has_curves := np.count_nonzero(is_curve) > 500:
        wear[-1] = max(wear[-1], min(0.93, np.quantile(gray[is_curve], 0.9) / 255 + 0.03))
    copy = worn(gray, rng, wear)
    inside = cv2.distanceTransform(is_curve.view(np.uint8), cv2.DIST_L2, 3) > FAT_PX
    fat = np.count_nonzero(inside) / max(1, np.count_nonzero(is_curve))
    if (copy == 0).mean() > MOST_INK or fat > FAT:
        return None
    if has_curves and (copy[is_curve] == 0).mean() < LEAST_INK:
        return None
    return copy, mask, goal

"""Augmentation of training logs by albumentations 2.0.8, the same for any number of workers."""

from __future__ import annotations

import os
import random
from typing import Any

# Read at import: without it albumentations asks a server for its newest version.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

WARP_LIMIT = 32_766
"""OpenCV's remap and warpAffine take sides shorter than 32,767 pixels."""

PAPER, BACKGROUND = 255, 0


class Rethreshold(A.ImageOnlyTransform):  # type: ignore[misc]
    """Make a log 1-bit again: interpolation leaves grays that no such scan has."""

    def __init__(self, low: int = 90, high: int = 165, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.low, self.high = low, high

    def apply(self, img: NDArray[np.uint8], level: int = 128, **_: Any) -> NDArray[np.uint8]:
        return np.where(img > level, 255, 0).astype(np.uint8)

    def get_params(self) -> dict[str, int]:
        return {"level": self.py_random.randint(self.low, self.high)}


def _geometry(p: float) -> list[A.BasicTransform]:
    return [
        A.HorizontalFlip(p=0.5),
        A.VerticalFlip(p=0.5),
        # Skew of real scans: median 0.15 degrees, 95 % under 0.64. Scans are 200, 300 and 400 dpi.
        A.Affine(
            scale=(0.75, 1.35), rotate=(-0.8, 0.8), keep_ratio=True, fit_output=False,
            interpolation=cv2.INTER_LINEAR, mask_interpolation=cv2.INTER_NEAREST,
            fill=PAPER, fill_mask=BACKGROUND, p=p,
        ),
    ]  # fmt: skip


def _pipelines() -> tuple[A.Compose, A.Compose]:
    """For 1-bit logs and for gray ones: a 1-bit log leaves as 1-bit, as real scans are."""
    bilevel = A.Compose(
        [
            *_geometry(p=0.6),
            A.GaussNoise(std_range=(0.02, 0.12), p=0.3),
            A.GaussianBlur(blur_limit=(3, 3), p=0.4),
            Rethreshold(),
            A.PixelDropout(dropout_prob=0.0005, drop_value=0, p=0.2),
        ]
    )
    gray = A.Compose(
        [
            *_geometry(p=0.4),
            A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.25, p=0.5),
            A.GaussNoise(std_range=(0.005, 0.04), p=0.3),
            A.ImageCompression(quality_range=(40, 95), p=0.2),
        ]
    )
    return bilevel, gray


class Augmentation:
    """Varies a log and its mask alike; what it draws depends on the seed given alone."""

    def __init__(self) -> None:
        self.bilevel, self.gray = _pipelines()

    def __call__(
        self, image: NDArray[np.uint8], mask: NDArray[np.uint8], seed: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """image, mask: uint8 (rows, columns), rows below 32,767 -> the same, of the same size.

        The Compose is seeded for each log: by itself it draws the same for every worker and epoch
        (albumentations 2.0.8; AlbumentationsX issue 266). One generator serves all transforms:
        ``set_random_seed`` would give each a generator of its own in the same state, and a log
        would be flipped sideways if and only if it is also turned, blurred, ... (measured on
        2.0.8).
        """
        if max(image.shape) > WARP_LIMIT:
            raise ValueError(
                f"a log of {image.shape[0]} x {image.shape[1]} is too tall to augment; "
                f"set --data.crop_rows to {WARP_LIMIT} or less"
            )
        pipeline = self.bilevel if _is_bilevel(image) else self.gray
        pipeline.set_random_state(np.random.default_rng(seed), random.Random(seed))
        varied = pipeline(image=image, mask=mask)
        return np.ascontiguousarray(varied["image"]), np.ascontiguousarray(varied["mask"])


def _is_bilevel(image: NDArray[np.uint8]) -> bool:
    return not ((image > 0) & (image < 255)).any()

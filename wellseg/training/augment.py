"""Augmentation of training logs by albumentations 2.0.8, the same for any number of workers."""

import os
import random
from functools import cache

# Read at import: without it albumentations asks a server for its newest version.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A
import cv2
import numpy as np

from wellseg.corpus.damage import seam
from wellseg.corpus.recipe import Draws
from wellseg.scan.pictures import Gray

JPEG_ROWS = 65_500  # OpenCV's encoder takes no more


def augment(image: Gray, mask: Gray, seed: int) -> tuple[Gray, Gray]:
    """Vary a log and its mask alike; what is drawn depends on the seed given alone.
    image: (rows, columns), or colours (rows, columns, 3). Sizes stay; a 1-bit log stays one."""
    bilevel = not ((image > 0) & (image < 255)).any()
    draws = np.random.default_rng(seed)
    # Skew of real scans: median 0.15 degrees, 95 % under 0.64, but pieces of one in fifty slant by
    # 3. A whole log would be turned out of its own picture.
    may_slant = image.shape[0] <= 2 * image.shape[1] and draws.random() < 0.1
    pipeline = _pipeline(bilevel, max(image.shape) <= JPEG_ROWS, 3.5 if may_slant else 0.8)
    # Seeded for each log: by itself a Compose draws the same for every worker and epoch (2.0.8;
    # AlbumentationsX issue 266). One generator serves all transforms: set_random_seed would give
    # each its own in the same state, and a log be flipped if and only if it is also turned.
    pipeline.set_random_state(draws, random.Random(seed))
    varied = pipeline(image=image, mask=mask)
    image, mask = (np.ascontiguousarray(varied[name]) for name in ("image", "mask"))
    if bilevel:  # interpolation leaves grays that no such scan has
        ink = 255 - image.astype(np.float32)
        if image.ndim == 2 and draws.random() < 0.15:  # dirt beside curves that are real
            seam(Draws(seed), ink, 128, int(draws.integers(len(ink))))
        image = np.where(ink < draws.integers(90, 166), np.uint8(255), np.uint8(0))
    return image, mask


@cache
def _pipeline(bilevel: bool, fits_jpeg: bool, degrees: float) -> A.Compose:
    skew = A.Affine(  # scans are 200, 300 and 400 dpi
        scale=(0.75, 1.35), rotate=(-degrees, degrees), keep_ratio=True, fit_output=False,
        interpolation=cv2.INTER_LINEAR, mask_interpolation=cv2.INTER_NEAREST,
        fill=255, fill_mask=0, p=0.6 if bilevel else 0.4,
    )  # fmt: skip
    dirt = [
        A.GaussNoise(std_range=(0.02, 0.12), p=0.3),
        A.GaussianBlur(blur_limit=(3, 3), p=0.4),
        A.PixelDropout(dropout_prob=0.0005, drop_value=0, p=0.2),
    ]
    tone = [
        A.ChannelShuffle(p=0.5),  # no ink has a colour of its own; gray stays
        A.RandomBrightnessContrast(brightness_limit=0.15, contrast_limit=0.25, p=0.5),
        A.GaussNoise(std_range=(0.005, 0.04), p=0.3),
        A.ImageCompression(quality_range=(40, 95), p=0.2 * fits_jpeg),
    ]
    flips = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)]
    return A.Compose([*flips, skew, *(dirt if bilevel else tone)])

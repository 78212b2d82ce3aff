"""What a mask got right and wrong, painted."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from wellseg.scan import pictures
from wellseg.scores.masks import widen

MARGIN_PX = 40
"""Of paper around the scored pixels."""
PICTURE_PIXELS = 40_000_000


def draw_errors(
    gray: NDArray[np.uint8],
    prediction: NDArray[np.bool_],
    truth: NDArray[np.uint8],
    tolerance_px: int = 3,
) -> NDArray[np.uint8]:
    """Paint what was right and wrong by more than tolerance_px: RGB uint8 (rows, columns, 3).

    Predicted curve is green near a true one, else red; true curve without a predicted one near it
    is blue; what is not scored is pale. Cut to the scored part and some paper around.
    """
    left, top, width, height = cv2.boundingRect((truth != 128).view(np.uint8))
    box = np.s_[
        max(0, top - MARGIN_PX) : top + height + MARGIN_PX,
        max(0, left - MARGIN_PX) : left + width + MARGIN_PX,
    ]
    gray, prediction, truth = gray[box], prediction[box], truth[box]
    scored, true = truth != 128, truth == 255
    near = widen(true, tolerance_px)
    pale = np.where(scored, 120 + gray * (135 / 255), 200 + gray * (55 / 255))
    picture = cv2.cvtColor(pale.astype(np.uint8), cv2.COLOR_GRAY2RGB)
    picture[prediction & scored & ~near] = pictures.FALSE
    picture[prediction & scored & near] = pictures.HIT
    picture[true & ~widen(prediction, tolerance_px)] = pictures.MISSED
    reduction = math.ceil(math.sqrt(gray.size / PICTURE_PIXELS))
    if reduction > 1:
        size = (picture.shape[1] // reduction, picture.shape[0] // reduction)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.uint8)

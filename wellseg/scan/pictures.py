"""Pixels: samples to gray, 0 ink to 255 paper; pictures for people, upright and painted."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]  # or R, G, B; also masks and probabilities: docstrings say which
STRONG_COLOUR = 96  # a colour is ink from this difference of its channels on
CURVE, HIT, WRONG, MISSED = (230, 20, 40), (0, 150, 60), (230, 20, 40), (30, 60, 230)  # RGB
MARGIN_PX, PICTURE_PIXELS = 40, 40_000_000  # of paper around what is scored; of a picture at most


def to_gray(pixels: Gray) -> Gray:
    """Gray in which light colours are ink: of RGB, uint8 (rows, columns, 3), or of gray as it is.
    Rec. 601 luma (0.299 R + 0.587 G + 0.114 B), less the saturation (largest less smallest
    channel) beyond STRONG_COLOUR. By luma alone pure yellow is 226 and cyan 179, paler than most
    grids; by this rule they are 67 and 20. Pale grids stay as they are."""
    if pixels.ndim == 2:
        return pixels
    rgb = np.ascontiguousarray(pixels)
    most, least = extremes(rgb)
    strong = np.maximum(most - least, STRONG_COLOUR) - np.uint8(STRONG_COLOUR)
    return np.asarray(cv2.subtract(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), strong), np.uint8)


def extremes(rgb: Gray) -> tuple[Any, Any]:
    """The largest and the smallest channel of each pixel, uint8 (NumPy takes ten times as long)."""
    red, green, blue = cv2.split(rgb)
    return cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)


def to_channels(pixels: Gray) -> Gray:
    """What a network sees: uint8 (1, rows, columns) for gray, (3, rows, columns) for RGB:
    `to_gray`; half of red less green and of their mean less blue, plus 128 (opponent colours)."""
    if pixels.ndim == 2:
        return pixels[None]
    differences = np.array([[0.5, -0.5, 0, 128], [0.25, 0.25, -0.5, 128]])
    colours = cv2.transform(np.ascontiguousarray(pixels), differences)
    return np.stack([to_gray(pixels), *cv2.split(colours)])


def scale(values: NDArray[Any], black: float, white: float) -> Gray:
    """From black..white to 0..255; NaN becomes 255."""
    if values.dtype == np.uint8 and (black, white) == (0, 255):
        return values  # the usual case needs no arithmetic
    # float32 has fewer digits than 32-bit integers, and enough for shorter ones.
    scaled: NDArray[Any] = values.astype(np.float32 if values.itemsize < 4 else float)
    scaled -= black
    scaled *= 255 / (white - black or 1.0)
    return np.clip(np.rint(np.nan_to_num(scaled, nan=255.0)), 0, 255).astype(np.uint8)


def is_sideways(orientation: int) -> bool:
    """Whether the rows of a file are columns of what it shows, by its TIFF orientation, 1 to 8."""
    return orientation > 4


def upright(pixels: Gray, orientation: int) -> Gray:
    """From rows as stored to rows as a person sees them: a view of `pixels`, (rows, columns, ...).
    orientation: the TIFF tag, 1 to 8; it says where the first row and column lie in the picture."""
    if is_sideways(orientation):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):  # the first row, or column, lies at the bottom
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels  # ... at the right


def paint(gray: Gray, mask: Gray) -> Gray:
    """Gray (rows, columns), or RGB, with its mask in red -> RGB uint8 (rows, columns, 3)."""
    faded = (120 + gray * (135 / 255)).astype(np.uint8)  # so that red stands out from black ink
    picture: Gray = faded if faded.ndim == 3 else np.dstack([faded] * 3)
    picture[mask > 127] = CURVE
    return picture


def reduce(picture: Gray, values: Gray, step: int) -> tuple[Gray, Gray]:
    """Both step times smaller: a picture, (rows, columns) or (rows, columns, 3), by its mean; the
    mask or probability of a curve by its maximum, so that no thin curve is lost."""
    rows, columns = (math.ceil(side / step) for side in values.shape)
    below, right = rows * step - values.shape[0], columns * step - values.shape[1]
    padded = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    small = cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)
    highest = cv2.dilate(values, np.ones((step, step), np.uint8), anchor=(0, 0))[::step, ::step]
    return np.asarray(small, np.uint8), np.asarray(highest, np.uint8)


def widen(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All pixels within 3 px of a mask's, by OpenCV's ellipse (3.2 here and there), bool."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    return np.asarray(cv2.dilate(mask.view(np.uint8), disc)).view(np.bool_)


def draw_errors(gray: Gray, prediction: NDArray[np.bool_], truth: Gray) -> Gray:
    """Paint what was right and wrong by more than 3 px: RGB uint8 (rows, columns, 3).
    Predicted curve is green near a true one (255), else red; true curve without a predicted one
    near it is blue; what is not scored (128) is pale. Scored part, of PICTURE_PIXELS at most."""
    left, top, width, height = cv2.boundingRect((truth != 128).view(np.uint8))
    across = slice(max(0, left - MARGIN_PX), left + width + MARGIN_PX)
    box = slice(max(0, top - MARGIN_PX), top + height + MARGIN_PX), across
    gray, prediction, truth = gray[box], prediction[box], truth[box]
    scored, true = truth != 128, truth == 255
    picture = paint(gray, np.zeros_like(gray))
    picture[~scored] = 200 + picture[~scored] * (55 / 255)
    picture[prediction & scored] = WRONG
    picture[prediction & scored & widen(true)] = HIT
    picture[true & ~widen(prediction)] = MISSED
    return reduce(picture, truth, math.ceil(math.sqrt(gray.size / PICTURE_PIXELS)))[0]


def encode_png(picture: Gray) -> bytes:
    """RGB uint8 (rows, columns, 3) -> PNG."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 4])[1].tobytes()

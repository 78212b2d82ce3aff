"""Scores for curve masks: how much of the drawn centrelines is found, and what is drawn beside.

A curve is a line, so scores follow its centreline and forgive `tolerance_px` of position: F1@3px.
Foreground Dice and IoU (which punish a stroke drawn one pixel too wide) and clDice stand beside it.
No score counts background, which is 98 % of a log and would hide everything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

TALL_ROWS = 50
"""Where only a mask is there, a connected piece of its centreline as tall as that is a curve."""
THICK_PX = 33
"""Strokes wider than this are no strokes; thinning them takes one pass per 2 px of width."""


@dataclass(frozen=True)
class Scores:
    """Pixel counts of one log, and the scores they give.

    All counts are of scored pixels only (truth not 128). A score is a share in [0, 1] of such a
    count. A share of nothing is 1 where prediction and truth are both empty, else 0; so scores are
    never NaN, an empty prediction of a log without curves is perfect (1), and anything drawn on
    such a log has precision 0 and F1 0.
    """

    tolerance_px: int
    """How far from a stroke counts as on it, for precision, recall and F1."""
    skeleton_px: int
    """Predicted centreline: pixels of the thinned prediction."""
    skeleton_near_px: int
    """Those within tolerance_px of a true stroke."""
    skeleton_inside_px: int
    """Those on a true stroke."""
    centreline_px: int
    """True centreline: of the drawn paths if there are any, else of the thinned truth."""
    centreline_found_px: int
    """Those within tolerance_px of a predicted pixel."""
    truth_skeleton_px: int
    """Pixels of the thinned truth."""
    truth_skeleton_inside_px: int
    """Those on a predicted stroke."""
    predicted_px: int
    true_px: int
    both_px: int
    """Pixels of curve that are both predicted and true."""
    scored_px: int
    """Scored pixels, of curves and of background."""
    scored_rows: int
    """Rows with at least one scored pixel."""
    curves: int
    """Labelled whole curves; without labels pieces of the true centreline, TALL_ROWS and taller."""
    curves_95: int
    """Those of whose length 95 % are found, within tolerance_px of a predicted pixel."""
    curves_50: int

    @property
    def has_curves(self) -> bool:
        """Whether the truth has any curve; where not, look at `false_centreline_px_per_row`."""
        return self.true_px > 0

    @property
    def precision(self) -> float:
        """Share of the predicted centreline that lies within tolerance_px of a true stroke."""
        return _share(self.skeleton_near_px, self.skeleton_px, self.centreline_px)

    @property
    def recall(self) -> float:
        """Share of the true centreline that lies within tolerance_px of a predicted pixel."""
        return _share(self.centreline_found_px, self.centreline_px, self.skeleton_px)

    @property
    def f1_at_3px(self) -> float:
        """Harmonic mean of precision and recall (at tolerance_px, which is 3 unless told)."""
        return _harmonic_mean(self.precision, self.recall)

    @property
    def dice(self) -> float:
        """Overlap of the strokes' areas, 2 |P and T| / (|P| + |T|)."""
        return _share(2 * self.both_px, self.predicted_px + self.true_px, 0)

    @property
    def iou(self) -> float:
        """Overlap of the strokes' areas, |P and T| / |P or T|."""
        return _share(self.both_px, self.predicted_px + self.true_px - self.both_px, 0)

    @property
    def cldice(self) -> float:
        """Centreline Dice: harmonic mean of the two skeletons' shares inside the other's strokes.

        Shit et al., "clDice - a novel topology-preserving loss function for tubular structure
        segmentation", CVPR 2021, eq. 1 and 2, with hard skeletons.
        """
        return _harmonic_mean(
            _share(self.skeleton_inside_px, self.skeleton_px, self.truth_skeleton_px),
            _share(self.truth_skeleton_inside_px, self.truth_skeleton_px, self.skeleton_px),
        )

    @property
    def whole_curves(self) -> float:
        """Share of the curves of whose length 95 % are found."""
        return _share(self.curves_95, self.curves, 0)

    @property
    def half_curves(self) -> float:
        """Share of the curves of whose length half is found."""
        return _share(self.curves_50, self.curves, 0)

    @property
    def false_centreline_px_per_row(self) -> float:
        """Predicted centreline off any true stroke, per scored row: the score without curves."""
        return (self.skeleton_px - self.skeleton_near_px) / self.scored_rows


def score_log(
    prediction: NDArray[Any],
    truth: NDArray[np.uint8],
    *,
    label: Label | None = None,
    tolerance_px: int = 3,
) -> Scores:
    """Score the mask of one log.

    The log is cut to the bounding box of its scored pixels; what is predicted outside does not
    exist. Inside the box, a pixel with truth 128 is never counted, but a predicted stroke is
    thinned as a whole where it crosses such pixels: a cut there would make ends that nobody drew.
    "Within n px" is a dilation with OpenCV's ellipse of 2 n + 1 pixels.

    Args:
        prediction: (rows, columns) bool, or uint8 with 255 curve, 0 and 128 not.
        truth: (rows, columns) uint8: 255 curve, 0 background, 128 not scored.
        label: The truth's centrelines where they are known. By default the truth is thinned,
            which loses one of two strokes that run merged, and the tips of spikes: recall then
            moves by up to 0.06.
        tolerance_px: 0 or more.

    Raises:
        ValueError: other shapes, dtypes or values, or no scored pixel at all.
    """
    predicted = _as_curve(prediction)
    if truth.dtype != np.uint8 or truth.ndim != 2:
        raise ValueError(f"truth is uint8 (rows, columns), not {truth.dtype} {truth.shape}")
    if predicted.shape != truth.shape:
        sizes = [f"{rows} x {columns}" for rows, columns in (predicted.shape, truth.shape)]
        raise ValueError(f"prediction is {sizes[0]} but the truth {sizes[1]} pixels")
    counts = cv2.calcHist([truth], [0], None, [256], [0, 256]).ravel()
    counts[[0, 128, 255]] = 0
    if counts.any():
        raise ValueError(f"truth has the value {counts.argmax()}; it must be 0, 128 or 255")

    left, top, width, height = cv2.boundingRect((truth != 128).view(np.uint8))
    if not width:
        raise ValueError("nothing to score: the truth is 128 everywhere")
    box = np.s_[top : top + height, left : left + width]
    on_page = truth != 128
    truth, predicted = truth[box], predicted[box]
    scored, true = on_page[box], truth == 255

    skeleton = thin(predicted) & scored
    truth_skeleton = thin(true)
    centre = truth_skeleton if label is None else label.centreline[box] & scored
    near = widen(predicted, tolerance_px)
    if label is not None and label.curves:
        lines = [np.array(curve)[:, on_page[curve]] - [[top], [left]] for curve in label.curves]
        lengths = np.array([line.shape[1] for line in lines])
        found = np.array([_count(near[*line]) for line in lines])
    else:
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(centre.view(np.uint8))
        found = np.bincount(pieces[centre & near], minlength=len(stats))
        tall = stats[:, cv2.CC_STAT_HEIGHT] >= TALL_ROWS
        tall[0] = False  # the background
        lengths = stats[:, cv2.CC_STAT_AREA] * tall
    shares = found[lengths > 0] / lengths[lengths > 0]
    return Scores(
        tolerance_px=tolerance_px,
        skeleton_px=_count(skeleton),
        skeleton_near_px=_count(skeleton & widen(true, tolerance_px)),
        skeleton_inside_px=_count(skeleton & true),
        centreline_px=_count(centre),
        centreline_found_px=_count(centre & near),
        truth_skeleton_px=_count(truth_skeleton),
        truth_skeleton_inside_px=_count(truth_skeleton & predicted),
        predicted_px=_count(predicted & scored),
        true_px=_count(true),
        both_px=_count(predicted & true),
        scored_px=_count(scored),
        scored_rows=_count(scored.any(axis=1)),
        curves=len(shares),
        curves_95=_count(shares >= 0.95),
        curves_50=_count(shares >= 0.5),
    )


class Label(NamedTuple):
    """Centrelines of a truth, one pixel wide: of all strokes, bool (rows, columns), and of each
    whole curve the rows and columns of its pixels; none where a label names only strokes."""

    centreline: Mask
    curves: Sequence[tuple[NDArray[np.intp], ...]] = ()


def read_label(path: str | os.PathLike[str], shape: tuple[int, int]) -> Label:
    """Draw the centrelines of a label file on an image of that shape, (rows, columns).

    path: JSON with {"curves": [{"path": [[x, y], ...]}, ...]}, in pixels of the image, and perhaps
        the same strokes put together in "whole"; further keys are left alone.

    Raises:
        ValueError: not such a file; names it.
    """
    try:
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
        strokes = _draw(said["curves"], shape)
        whole = [np.nonzero(_draw([curve], shape)) for curve in said.get("whole", ())]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{os.fspath(path)}: not a label file with curves and their paths ({error!r})"
        ) from error
    return Label(strokes, whole)


def _draw(curves: Sequence[dict[str, Any]], shape: tuple[int, int]) -> Mask:
    canvas = np.zeros(shape, np.uint8)
    for curve in curves:
        points = np.array(curve["path"], np.float64).reshape(-1, 1, 2).astype(np.int32)
        cv2.polylines(canvas, [points], isClosed=False, color=1)
    return canvas.view(np.bool_)


def thin(mask: Mask) -> Mask:
    """Thin strokes to their skeletons: bool (rows, columns), scikit-image's variant of Zhang-Suen.

    Its time grows with the widest part of the picture times the picture's area. So components
    with a wide part (a header taken for a curve) are thinned by themselves. That changes no pixel:
    a pixel's fate depends on its 8 neighbours alone, and those of other components are not among
    them.
    """
    from skimage.morphology import skeletonize as untyped

    skeletonize: Callable[[Mask], Mask] = untyped
    wide = cv2.erode(mask.view(np.uint8), np.ones((THICK_PX, THICK_PX), np.uint8))
    if not wide.any():
        return skeletonize(mask)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    rest, skeleton = mask.copy(), np.zeros_like(mask)
    for label in np.unique(labels[wide > 0]):
        x, y, width, height, _ = stats[label]
        box = np.s_[y : y + height, x : x + width]
        part = labels[box] == label
        rest[box] &= ~part
        skeleton[box] |= skeletonize(part)
    return skeleton | skeletonize(rest)


def widen(mask: Mask, radius_px: int) -> Mask:
    """All pixels within radius_px of a mask's: a dilation with OpenCV's ellipse, bool."""
    size = 2 * radius_px + 1
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(mask.view(np.uint8), ellipse)).view(np.bool_)


def _as_curve(prediction: NDArray[Any]) -> Mask:
    if prediction.ndim != 2 or prediction.dtype not in (np.bool_, np.uint8):
        raise ValueError(
            f"prediction is bool or uint8 (rows, columns), not {prediction.dtype}"
            f" {prediction.shape}; compare probabilities with a threshold first"
        )
    if prediction.dtype == np.bool_:
        return np.ascontiguousarray(prediction)
    if prediction.size and prediction.max() == 1:
        raise ValueError("prediction has the values 0 and 1; give bool, or uint8 with 0 and 255")
    return np.asarray(prediction == 255)


def _share(part: int, whole: int, other: int) -> float:
    """part / whole; of nothing 1 where the other side has nothing either, else 0."""
    return part / whole if whole else float(not other)


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))

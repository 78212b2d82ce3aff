"""Scores for curve masks: how much of the drawn centrelines is found, and what is drawn beside.

A curve is a line, so scores follow its centreline and forgive 3 px of position: F1@3px. Foreground
Dice and IoU (which punish a stroke drawn one pixel too wide) and clDice stand beside it. No score
counts background, which is 98 % of a log and would hide everything."""

from collections.abc import Mapping, Sequence
from statistics import harmonic_mean
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from wellseg.scan.pictures import widen
from wellseg.scores import FALSE, HEADINGS, ON

Mask = NDArray[np.bool_]
CLEAR_PX = 40  # a false or missed stretch of the centreline as long as that is a clear error
TALL_ROWS = 50  # without a label, a connected piece of the centreline as tall as that is a curve


class Scores(NamedTuple):
    """Of one log. All pixels counted are scored ones (truth not 128).
    Shares lie in [0, 1]. A share of nothing is 1 where prediction and truth are both empty, else 0:
    scores are never NaN, and on a log without curves F1 is 1 if nothing is predicted, else 0."""

    has_curves: bool
    precision: float  # of the predicted centreline within 3 px of a true stroke
    recall: float  # of the true centreline within 3 px of a predicted pixel
    f1_at_3px: float  # harmonic mean of precision and recall
    dice: float  # overlap of the strokes' areas, 2 |P and T| / (|P| + |T|)
    iou: float  # overlap of the strokes' areas, |P and T| / |P or T|
    cldice: float  # harmonic mean of the skeletons' shares in the other's strokes, arXiv 2003.07311
    curves: int  # those of a label, else pieces of the true centreline, TALL_ROWS and taller
    whole_curves: float  # of the curves, those with a recall of 0.95 and more
    half_curves: float  # of the curves, those with a recall of 0.5 and more
    false_centreline_px_per_row: float  # predicted off any true stroke, pixels by scored rows
    clear_errors: int  # stretches of CLEAR_PX and more, false or missed: F1 hides how many
    false_on: Mapping[str, float]  # of the false px a row, by what they lie on: `Label.others`

    @property
    def by_name(self) -> dict[str, float]:
        """Those of a row of scores.csv; of a log without curves the false pixels alone."""
        names = ["curves", *HEADINGS] if self.has_curves else [FALSE]
        false_on = {ON + what: false for what, false in self.false_on.items()}
        return {name: getattr(self, name) for name in names} | false_on


class Label(NamedTuple):
    """Centrelines of a truth, one pixel wide, bool (rows, columns): of all strokes, if they are
    known, and of each whole curve; none where a label names only strokes. about: what it says.
    others: bool (rows, columns), where text, lithology and so on are; all else is grid or paper."""

    centreline: Mask | None
    curves: Sequence[Mask] = ()
    about: Any = None
    others: Mapping[str, Mask] = {}


def score_log(prediction: Mask, truth: NDArray[np.uint8], *, label: Label | None = None) -> Scores:
    """Score the mask of one log.
    The log is cut to the bounding box of its scored pixels; what is predicted outside does not
    exist. Inside the box, a pixel with truth 128 is never counted, but a predicted stroke is
    thinned as a whole where it crosses such pixels: a cut there would make ends that nobody drew.
    prediction: bool (rows, columns). truth: uint8 (rows, columns), 255 curve, 0 background, 128 not
    scored. label: the truth's centrelines where they are known; else the truth is thinned, which
    loses one of two strokes that run merged, and the tips of spikes: recall then moves by up to
    0.06. Raises ValueError: another shape, no scored pixel at all, or curves that are 1."""
    if prediction.shape != truth.shape or prediction.itemsize > 1:
        raise ValueError(f"a mask is bool {truth.shape}, not {prediction.dtype} {prediction.shape}")
    if (truth == 1).any():
        raise ValueError("truth: curves are 255, 128 is not scored; here they are 1, or True")
    left, top, width, height = cv2.boundingRect((truth != 128).view(np.uint8))
    if not width:
        raise ValueError("nothing to score: the truth is 128 everywhere")
    box = np.s_[top : top + height, left : left + width]
    predicted, scored, true = prediction[box], truth[box] != 128, truth[box] == 255
    skeleton, true_skeleton = skeletonize(predicted) & scored, skeletonize(true)
    known = label.centreline if label else None
    centre = true_skeleton if known is None else known[box] & scored
    near_true, near = widen(true), widen(predicted)
    false, missed = skeleton & ~near_true, centre & ~near
    count, rows = np.count_nonzero, np.count_nonzero(scored.any(axis=1))
    false_on, on_grid = dict[str, float](), false
    for what, where in label.others.items() if label else ():
        false_on[what] = count(on_grid & where[box]) / rows
        on_grid = on_grid & ~where[box]
    if false_on:
        false_on["grid"] = false_on.get("grid", 0.0) + count(on_grid) / rows  # or on paper
    precision = _share(skeleton & near_true, skeleton, centre)
    recall = _share(centre & near, centre, skeleton)
    topology_precision = _share(skeleton & true, skeleton, true_skeleton)
    topology_sensitivity = _share(true_skeleton & predicted, true_skeleton, skeleton)
    both, union = count(predicted & true), count(predicted & scored | true)
    if label and label.curves:
        lines = [line[box] & scored for line in label.curves]
        shares = np.array([count(line & near) / count(line) for line in lines if line.any()])
    else:
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(centre.view(np.uint8))
        tall = stats[1:, cv2.CC_STAT_HEIGHT] >= TALL_ROWS
        found = np.bincount(pieces[centre & near], minlength=len(stats))
        shares = (found / stats[:, cv2.CC_STAT_AREA])[1:][tall]
    return Scores(
        has_curves=bool(true.any()), precision=precision, recall=recall,
        f1_at_3px=harmonic_mean((precision, recall)),
        dice=2 * both / (union + both) if union else 1.0,
        iou=both / union if union else 1.0,
        cldice=harmonic_mean((topology_precision, topology_sensitivity)),
        curves=len(shares), clear_errors=_clear_errors(false) + _clear_errors(missed),
        whole_curves=float((shares >= 0.95).mean()) if len(shares) else 1.0,
        half_curves=float((shares >= 0.5).mean()) if len(shares) else 1.0,
        false_centreline_px_per_row=count(false) / rows, false_on=false_on,
    )  # fmt: skip


def _clear_errors(centreline: Mask) -> int:
    """Connected pieces of CLEAR_PX and more."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(centreline.view(np.uint8))
    return int(np.count_nonzero(stats[1:, cv2.CC_STAT_AREA] >= CLEAR_PX))


def _share(part: Mask, whole: Mask, other: Mask) -> float:
    """part / whole; of nothing 1 where the other side has nothing either, else 0."""
    pixels = np.count_nonzero(whole)
    return float(np.count_nonzero(part) / pixels if pixels else not other.any())

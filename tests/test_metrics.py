"""Scores, from identities whose answer is known without the code."""

from __future__ import annotations

import csv
import io
import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from wellseg.scores.masks import Label, Scores, score_log, widen
from wellseg.scores.tables import make_tables
from wellseg.training.data_folder import list_logs
from wellseg.training.masks import read_label, read_mask

REAL = Path(__file__).parents[2] / "shared" / "real"

Mask = NDArray[np.bool_]


def wave(rows: int = 300, columns: int = 200, width_px: int = 5, phase: float = 0.0) -> Mask:
    """A curve down the page."""
    y = np.arange(rows)
    x = columns / 2 + columns / 4 * np.sin(y / 25 + phase)
    canvas = np.zeros((rows, columns), np.uint8)
    cv2.polylines(canvas, [np.stack([x, y], 1).astype(np.int32)], False, 1, width_px)
    return canvas > 0


def line(column: int, rows: slice = slice(None), shape: tuple[int, int] = (100, 60)) -> Mask:
    """A vertical stroke of one pixel's width."""
    mask = np.zeros(shape, bool)
    mask[rows, column] = True
    return mask


def truth_of(mask: Mask) -> NDArray[np.uint8]:
    return np.where(mask, np.uint8(255), np.uint8(0))


def shares(scores: Scores) -> dict[str, float]:
    names = ("precision", "recall", "f1_at_3px", "dice", "iou", "cldice")
    return {name: getattr(scores, name) for name in names}


def test_the_truth_itself_is_perfect() -> None:
    for mask in (wave(), wave(width_px=1), line(20), ~np.zeros((40, 30), bool)):
        scores = score_log(mask, truth_of(mask))
        assert set(shares(scores).values()) == {1.0}
        assert scores.false_centreline_px_per_row == 0


@pytest.mark.parametrize("shift", range(-6, 7))
@pytest.mark.parametrize("across", [False, True])
def test_position_is_forgiven_up_to_three_pixels(shift: int, across: bool) -> None:
    truth, prediction = line(20), line(20 + shift)
    if across:
        truth, prediction = truth.T, prediction.T
    scores = score_log(prediction, truth_of(truth))
    good = float(abs(shift) <= 3)
    assert (scores.precision, scores.recall, scores.f1_at_3px) == (good, good, good)
    assert scores.dice == scores.cldice == float(shift == 0)


def test_known_counts() -> None:
    truth = truth_of(line(20))  # 100 px
    top = score_log(line(20, slice(0, 50)), truth)
    assert top.precision == 1
    assert top.recall == pytest.approx(0.53)  # 50 px, and 3 more beyond the end
    assert top.dice == pytest.approx(2 * 50 / 150)
    assert top.iou == pytest.approx(0.5)
    assert top.cldice == pytest.approx(2 * 0.5 / 1.5, abs=0.01)

    extra = score_log(line(20) | line(40), truth)
    assert extra.recall == 1
    assert extra.precision == pytest.approx(0.5)
    assert extra.f1_at_3px == pytest.approx(2 / 3)
    assert extra.false_centreline_px_per_row == pytest.approx(1)


def test_a_wide_stroke_costs_area_but_no_centreline() -> None:
    scores = score_log(wave(width_px=9), truth_of(wave(width_px=5)))
    assert scores.f1_at_3px == 1
    assert scores.cldice > 0.98
    assert scores.dice < 0.75


def test_swapping_the_roles() -> None:
    """Dice, IoU and clDice do not know which is which; for thin strokes precision is recall."""
    a, b = wave(width_px=1), wave(width_px=1, phase=0.15)
    forth, back = score_log(a, truth_of(b)), score_log(b, truth_of(a))
    assert 0.1 < forth.precision < 0.9
    for one, other in (("dice", "dice"), ("iou", "iou"), ("cldice", "cldice")):
        assert getattr(forth, one) == pytest.approx(getattr(back, other))
    # Thinning takes a few corners of a one-pixel line, so this one is not exact.
    assert forth.precision == pytest.approx(back.recall, abs=0.02)
    assert forth.recall == pytest.approx(back.precision, abs=0.02)


def test_turning_the_page_changes_nothing() -> None:
    truth = truth_of(line(20) | line(40, slice(10, 60)))
    truth[:30, 50:] = 128
    prediction = line(22, slice(5, 80)) | line(47) | line(55)
    turned = score_log(prediction.T, truth.T)
    upright = score_log(prediction, truth)
    assert shares(turned) == shares(upright)
    # A curve is thinned to other pixels when it is turned, but not to many others.
    prediction, truth = wave(phase=0.1), truth_of(wave())
    assert shares(score_log(prediction.T, truth.T)) == pytest.approx(
        shares(score_log(prediction, truth)), abs=0.01
    )


def test_more_of_the_truth_never_hurts() -> None:
    whole = wave()
    truth = truth_of(whole)
    found = [
        shares(score_log(whole & (np.arange(300) < n)[:, None], truth)) for n in range(0, 301, 30)
    ]
    for before, after in itertools.pairwise(found):
        assert all(after[name] >= before[name] for name in before)


def test_more_beside_the_truth_always_hurts() -> None:
    truth = truth_of(line(10))
    found = [score_log(line(10) | line(40, slice(0, n)), truth) for n in range(0, 100, 20)]
    for before, after in itertools.pairwise(found):
        assert after.recall == before.recall == 1
        assert after.false_centreline_px_per_row > before.false_centreline_px_per_row
        for name in ("precision", "f1_at_3px", "dice", "iou", "cldice"):
            assert getattr(after, name) < getattr(before, name)


def test_what_is_not_scored_does_not_count() -> None:
    truth = truth_of(wave())
    truth[100:160, 20:180] = 128
    prediction = wave(phase=0.05)
    expected = score_log(prediction, truth)
    scribbled = prediction.copy()
    scribbled[110:150, 30:170] = np.random.default_rng(0).random((40, 140)) < 0.5
    scores = score_log(scribbled, truth)
    assert shares(scores) == pytest.approx(shares(expected), abs=0.005)
    assert scores.dice == expected.dice and scores.iou == expected.iou

    without = truth.copy()
    without[without == 128] = 0
    assert score_log(scribbled, without).precision < expected.precision - 0.1


def test_paper_outside_the_scored_region_is_as_if_cut_off() -> None:
    prediction, truth = wave(phase=0.1), truth_of(wave())
    expected = score_log(prediction, truth)
    edges = ((37, 11), (5, 90))
    wider = np.pad(truth, edges, constant_values=128)
    assert score_log(np.pad(prediction, edges), wider) == expected
    assert score_log(np.pad(prediction, edges, constant_values=True), wider) == expected


EMPTY = np.zeros((100, 60), bool)


@pytest.mark.parametrize(
    ("prediction", "truth", "expected"),
    [
        (EMPTY, EMPTY, 1.0),
        (EMPTY, line(20), 0.0),
        (line(20), EMPTY, 0.0),
    ],
)
def test_empty_masks_have_scores(prediction: Mask, truth: Mask, expected: float) -> None:
    assert set(shares(score_log(prediction, truth_of(truth))).values()) == {expected}


def test_logs_without_curves() -> None:
    truth = truth_of(EMPTY)
    truth[:50] = truth[72:76] = 128  # 46 rows are left
    prediction = line(20, slice(40, 70)) | line(30, slice(80, 85))
    scores = score_log(prediction, truth)
    assert not scores.has_curves
    assert scores.false_centreline_px_per_row == pytest.approx((20 + 5) / 46)
    assert score_log(EMPTY, truth).false_centreline_px_per_row == 0


def test_a_known_centreline_counts_both_of_two_merged_strokes() -> None:
    left, right = line(20), line(30)
    truth = truth_of(widen(widen(left | right)))  # one fat stroke, thinned to its middle
    prediction = left
    assert score_log(prediction, truth).recall != pytest.approx(0.5, abs=0.1)
    assert score_log(prediction, truth, label=Label(left | right)).recall == 0.5
    unscored = truth.copy()
    unscored[20:, 26:] = 128
    thinned = score_log(prediction, truth).recall
    assert score_log(prediction, truth, label=Label(None, [left, right])).recall == thinned
    scores = score_log(prediction, unscored, label=Label(left | right))
    assert scores.recall == pytest.approx(100 / 120)


def test_a_label_has_strokes_and_perhaps_whole_curves(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    strokes = [
        {"path": [[20, 0], [20, 40]]},
        {"path": [[30.0, 10.0], [50.0, 10.0], [70.0, 10.0]], "width": 3},
    ]
    file.write_text(json.dumps({"note": "", "curves": strokes}))
    expected = line(20, slice(0, 41))
    expected[10, 30:] = True  # to the page's edge
    label = read_label(file, (100, 60))
    np.testing.assert_array_equal(label.centreline, expected)
    assert not label.curves
    file.write_text(json.dumps({"curves": strokes, "whole": [{"path": [[20, 0], [20, 99]]}]}))
    (whole,) = read_label(file, (100, 60)).curves
    np.testing.assert_array_equal(whole, line(20))
    file.write_text(json.dumps({"whole": [{"path": [[20, 0], [20, 99]]}]}))
    label = read_label(file, (100, 60))
    assert label.centreline is None and len(label.curves) == 1
    file.write_text('{"curves": []}')
    assert not read_label(file, (100, 60)).centreline.any()
    for text in (
        "",
        "[]",
        '{"shapes": []}',
        '{"curves": [{"path": [1, 2, 3]}]}',
        '{"curves": [1]}',
        '{"curves": [{"path": [[1, 2], [3, 4]], "starts": 2}]}',
        '{"curves": [{"path": [[1, 2], [3, 4]], "starts": [2]}]}',
        '{"curves": [], "region": "x"}',
        '{"curves": [], "region": [100, 200, 90, 10]}',
        '{"curves": [], "ignore": [[0, 10]]}',
        '{"others": {"text": [[0, 10]]}}',
        '{"others": [[0, 10, 0, 10]]}',
        '{"curves": [{"path": [[1, 2], [3, 100]]}]}',  # of a taller image
        '{"curves": [{"path": [[1, -3], [3, 4]]}]}',
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"x\.json: not a label file with curves"):
            read_label(file, (100, 60))


def test_false_pixels_are_told_by_what_they_lie_on(tmp_path: Path) -> None:
    """In scores, in scores.csv and in what is printed; of a box in two kinds the first."""
    wide = 100, 100
    true, false = line(20, shape=wide), line(40, shape=wide) | line(70, shape=wide)
    file = tmp_path / "x.json"
    boxes = {"text": [[0, 10, 30, 50], [50, 60, 30, 50]], "dirt": [[0, 30, 35, 45]], "mark": []}
    file.write_text(json.dumps({"others": boxes}))
    label = read_label(file, true.shape)
    assert label.centreline is None and not label.curves
    scores = score_log(true | false, truth_of(true), label=label)
    rows = len(true)
    expected = {"text": 20 / rows, "dirt": 20 / rows, "mark": 0.0, "grid": 160 / rows}
    assert scores.false_on == pytest.approx(expected, abs=4 / rows)  # thinning shortens ends
    assert sum(scores.false_on.values()) == pytest.approx(scores.false_centreline_px_per_row)
    assert scores.by_name["false_on_text"] == scores.false_on["text"]
    assert not score_log(true | false, truth_of(true)).false_on
    beside = {"text": [[-9, -1, 30, 50], [-5, 30, -5, 50]], "grid": [[30, 100, 30, 50]]}
    file.write_text(json.dumps({"others": beside}))  # over the edges, and of that name
    two = score_log(true | false, truth_of(true), label=read_label(file, true.shape)).false_on
    assert two == pytest.approx({"text": 30 / rows, "grid": 170 / rows}, abs=4 / rows)
    row = {"name": "a", "split": "val", "kind": "gray"} | scores.by_name
    (odd,) = [*make_tables([row | {"false_on_mark [/1]": 0.0}], {})][1:]
    Console(file=io.StringIO()).print(odd)  # a name is no markup
    *_, table = make_tables([row], {})
    assert [column.header for column in table.columns][3:] == sorted(expected)
    assert [next(column.cells) for column in table.columns][3:] == [
        f"{scores.false_on[what]:.3f}" for what in sorted(expected)
    ]


def test_curves_that_are_found_whole_and_by_half_are_counted() -> None:
    """Without a label a tall piece of the truth's centreline is a curve; what is short is none."""
    whole, most, half, none = line(5), line(20), line(35), line(50)
    specks = line(12, slice(20, 60))  # 40 rows
    truth = truth_of(whole | most | half | none | specks)
    prediction = whole | line(21, slice(0, 94)) | line(35, slice(30, 82)) | specks
    scores = score_log(prediction, truth)
    # A prediction reaches 3 px beyond its ends.
    assert (scores.curves, scores.whole_curves, scores.half_curves) == (4, 0.5, 0.75)
    label = Label(whole | most, [whole | half, none, EMPTY])
    scores = score_log(prediction, truth, label=label)
    assert (scores.curves, scores.whole_curves, scores.half_curves) == (2, 0, 0.5)
    unscored = truth.copy()
    unscored[80:, :] = unscored[:30, 30:] = 128
    assert score_log(prediction, unscored, label=label).whole_curves == 0.5
    assert score_log(EMPTY, truth_of(specks)).curves == 0
    assert score_log(EMPTY, truth_of(EMPTY)).whole_curves == 1


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (EMPTY[1:], truth_of(EMPTY), r"a mask is bool \(100, 60\), not bool \(99, 60\)"),
        (EMPTY.astype(float), truth_of(EMPTY), "a mask is bool .*, not float64"),
        (EMPTY, np.full((100, 60), 128, np.uint8), "nothing to score"),
        (line(20), line(20), "curves are 255"),  # bool
        (line(20), line(20).view(np.uint8), "curves are 255"),
    ],
)
def test_wrong_arguments(prediction: Mask, truth: NDArray[np.uint8], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score_log(prediction, truth)


@pytest.mark.skipif(not REAL.is_dir(), reason="no shared scans")
def test_agreement_with_an_independent_scorer() -> None:
    """Another implementation's scores of the same masks, written with four digits."""
    with open(REAL / "reference" / "scores.csv", newline="") as file:
        expected = {row.pop("name"): row for row in csv.DictReader(file)}
    logs = list_logs(REAL / "labelled")
    assert {log.name for log in logs} == set(expected)
    for log in logs[::4]:
        truth = read_mask(log.mask)
        prediction = read_mask(REAL / "reference" / "masks" / f"{log.name}.mask.tif") == 255
        assert log.label is not None
        scores = score_log(prediction, truth, label=read_label(log.label, truth.shape))
        for column, text in expected[log.name].items():
            if text:
                assert getattr(scores, column) == pytest.approx(float(text), abs=1e-4), log.name
        assert scores.has_curves == bool(expected[log.name]["f1_at_3px"])


def test_long_false_and_missed_stretches_are_clear_errors() -> None:
    truth = truth_of(line(5) | line(20))
    assert score_log(line(5) | line(20), truth).clear_errors == 0
    # One missed, one false; what is short is none.
    assert score_log(line(5) | line(35), truth).clear_errors == 2
    specks = line(12, slice(0, 30)) | line(20) | line(5, slice(0, 70))
    assert score_log(specks, truth).clear_errors == 0
    assert score_log(line(35), truth_of(EMPTY)).clear_errors == 1

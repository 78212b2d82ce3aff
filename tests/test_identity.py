"""Scores of whole curves: drawn curves whose scores are known by hand, and the shared reference."""

import json
import runpy
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from wellseg.scores import identity
from wellseg.scores.identity import identity_line

SHARED = Path(__file__).parents[2] / "shared" / "real"
ROWS = np.arange(400)
SHAPE = 400, 500
score_identity = partial(identity.score_identity, dpi=200)


def label(*columns, width=4, ignore=()):
    """Of curves given by their column in each row."""
    curves = [{"path": np.stack([c, ROWS], 1).tolist(), "width": width} for c in columns]
    return {"region": [0, 400, 0, 500], "ignore": list(ignore), "curves": curves, "whole": curves}


def test_curves_that_are_followed_are_right():
    left, right = 100 + ROWS * 0.1, 300 - ROWS * 0.1
    scores = score_identity(label(left, right), SHAPE, [(0, left), (0, right + 2)])
    assert (scores.idf1, scores.whole, scores.edits) == (1, 2, 0)
    assert np.median(scores.error_px) == pytest.approx(1, abs=1)


def test_a_swap_at_a_crossing_is_seen():
    one, other = 100 + ROWS * 0.5, 300 - ROWS * 0.5
    truth = label(one, other)
    good = score_identity(truth, SHAPE, [(0, one), (0, other)])
    swapped = np.where(ROWS < 200, one, other), np.where(ROWS < 200, other, one)
    bad = score_identity(truth, SHAPE, [(0, swapped[0]), (0, swapped[1])])
    assert good.touches == {"crossings": 1, "crossings right": 1}
    assert bad.touches["crossings"] == 1 and bad.touches["crossings right"] == 0
    assert bad.idf1 == pytest.approx(0.5, abs=0.02) and bad.whole == 0
    assert bad.edits == 4  # two cuts, two joins
    assert min(good.snr_db) == 40 and max(bad.snr_db) < 3


def test_a_bounce_is_no_crossing():
    one, other = 200 - abs(ROWS - 200) * 0.5, 202 + abs(ROWS - 200) * 0.5
    scores = score_identity(label(one, other), SHAPE, [(0, one), (0, other)])
    assert scores.touches == {"bounces": 1, "bounces right": 1}


def test_a_neighbour_within_tolerance_takes_no_touch_away():
    """Below, a third curve lies on the same printed one as its own does."""
    one, other = 200 - abs(ROWS - 200) * 0.5, 202 + abs(ROWS - 200) * 0.5
    third = one - np.where(ROWS < 200, 20, 4)
    followed = [(0, third), (0, one), (0, other)]
    for order in (followed, followed[::-1]):
        assert score_identity(label(one, other), SHAPE, order).touches["bounces right"] == 1
    away = np.where(ROWS < 200, one, np.nan)  # nobody goes on where it leaves
    broken = score_identity(label(one, other), SHAPE, [(0, away), (0, other)])
    assert broken.touches == {"bounces": 1, "bounces right": 0}


def test_pieces_and_strays_are_edits():
    curve = np.full(400, 100.0)
    parts = [(0, curve[:150]), (150, curve[150:]), (20, np.full(60, 400.0))]
    scores = score_identity(label(curve), SHAPE, parts)
    assert (scores.whole, scores.edits) == (0, 2)  # a join, a deletion
    assert scores.idf1 == pytest.approx(2 * 250 / (400 + 460))


def test_what_is_ignored_counts_nowhere():
    curve = np.full(400, 100.0)
    scores = score_identity(label(curve, ignore=[[0, 200, 0, 500]]), SHAPE, [(0, curve)])
    assert (scores.depth_rows, scores.idf1, scores.whole) == (200, 1, 1)


def test_a_region_may_be_of_floats():
    curve = np.full(400, 100.0)
    about = label(curve) | {"region": [0.0, 400.0, 0.0, 500.0]}
    assert score_identity(about, SHAPE, [(0, curve)]).idf1 == 1


def test_a_region_without_rows_has_nothing_to_score():
    truth = label(100 + ROWS * 0.1) | {"region": [50, 50, 0, 500]}
    scores = score_identity(truth, SHAPE, [(0, 100 + ROWS * 0.1)])
    assert (scores.idf1, scores.curves, scores.edits) == (1, 0, 0)


def test_nothing_followed_and_nothing_printed():
    assert score_identity(label(np.full(400, 9.0)), SHAPE, []).idf1 == 0
    assert score_identity(label(), SHAPE, []).idf1 == 1


def test_several_logs_are_a_line_of_means_sums_and_medians():
    curve = np.full(400, 100.0)
    logs = [
        score_identity(label(curve), SHAPE, [(0, curve + 3)]),
        score_identity(label(curve), SHAPE, []),
        score_identity(label(), SHAPE, [(0, curve)]),
    ]
    line = identity_line("all", logs)
    sums, rest = ["1 of 2", "0 of 0", "0 of 0"], ["3.0, 3.0", "0.015, 0.015", "2.5"]
    assert line == ["all", "0.333", *sums, "-20.0", *rest]


def test_a_label_of_few_points_is_the_line_through_them():
    rows, column = np.arange(300), np.linspace(60, 200, 300).astype(np.float32)
    for path, starts, right in (
        ([[60, 0], [200, 299]], [], 1.0),
        ([[60, 0], [107, 100], [153, 200], [200, 299]], [2], 2 * 200 / (202 + 300)),  # a gap
        (np.stack([column, rows], 1).tolist(), [], 1.0),
    ):
        label = {"whole": [{"path": path, "starts": starts}]}
        found = score_identity(label, (300, 400), [(0, column)])
        assert found.idf1 == pytest.approx(right, abs=0.01)
        assert found.whole == 1


@pytest.mark.skipif(not SHARED.exists(), reason="no shared scans")
def test_it_agrees_with_the_reference(tmp_path, capsys, monkeypatch):
    """Curves that are a little wrong, of each label that has some."""
    rng = np.random.default_rng(0)
    mine = {}
    for path in sorted((SHARED / "labelled" / "labels").glob("*.json")):
        said = json.loads(path.read_text())
        lines, followed = ["row,trace,column"], []
        for number, curve in enumerate(said.get("whole", ())):
            rows, first = np.unique(np.array(curve["path"])[:, 1].astype(int), return_index=True)
            columns = np.array(curve["path"])[first, 0] + rng.normal(0, 3)
            cut = rng.integers(len(rows) // 2, len(rows))
            dense = np.full(rows[cut - 1] - rows[0] + 1, np.nan)
            dense[rows[:cut] - rows[0]] = columns[:cut]
            followed.append((int(rows[0]), dense))
            lines += [f"{r},{number},{c}" for r, c in zip(rows[:cut], columns[:cut], strict=True)]
        (tmp_path / f"{path.stem}.traces.csv").write_text("\n".join(lines))
        if said["curves"]:
            whole = {"whole": said.get("whole") or said["curves"]}
            mine[path.stem] = score_identity(said | whole, SHAPE, followed)
    argv = ["identity.py", str(SHARED / "labelled" / "labels"), str(tmp_path)]
    monkeypatch.setattr(sys, "argv", argv)
    runpy.run_path(str(SHARED / "reference" / "identity.py"))
    for line in capsys.readouterr().out.splitlines()[:-1]:
        name, _, idf1, *_, whole = line.split()
        assert mine[name].idf1 == pytest.approx(float(idf1), abs=0.001), name
        assert mine[name].whole == int(whole), name

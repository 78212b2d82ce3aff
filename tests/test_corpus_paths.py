"""The drawn curves' own paths: they lie on the mask, one for each curve, also on disk."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from wellseg import evaluate, synth
from wellseg.corpus import KINDS, PRESETS, Log, draw_log
from wellseg.corpus.damage import bend
from wellseg.corpus.sheet import RECIPE, Array, Draws, Table, new_sheet
from wellseg.corpus.strokes import draw_pen, stroke
from wellseg.evaluate import EvaluateConfig, score_files
from wellseg.scores.identity import score_identity
from wellseg.synth import SynthConfig
from wellseg.training.data_folder import list_logs
from wellseg.training.masks import read_label, read_mask


def curves(log: Log, name: str = "whole") -> list[dict[str, Any]]:
    return log.about[name]  # type: ignore[return-value]


def check_paths(log: Log) -> None:
    """Every point is on a curve of the mask, and the whole mask is within the pens of paths."""
    curve = log.mask == 255
    lines: Array = np.zeros(log.mask.shape, np.uint8)
    for piece in curves(log, "curves"):
        cv2.polylines(lines, [piece["path"].reshape(-1, 1, 2)], False, 255)
    beside = cv2.dilate(curve.view(np.uint8), np.ones((3, 3))) > 0
    assert beside[lines > 0].mean() > 0.999
    assert curve[lines > 0].mean() > 0.6  # a stroke of one pixel may be drawn beside its path
    reach = max(one["width"] for one in curves(log)) / 2 + 2
    far = cv2.distanceTransform(255 - lines, cv2.DIST_L2, 5) > reach
    far[:, [0, 1, -2, -1]] = False  # the rim of a stroke whose centre is off the page
    assert far[curve].mean() < 0.01


@pytest.mark.parametrize("preset", ["tiny", "quick"])
def test_paths_lie_on_the_mask_and_the_mask_on_paths(preset: str) -> None:
    kinds = Counter[object]()
    for index in range(30 if preset == "tiny" else 16):
        log = draw_log(3, index, preset)
        assert bool(curves(log)) == bool((log.mask == 255).any())
        if curves(log):
            kinds[log.about["kind"]] += 1
            check_paths(log)
    assert kinds["paper"] > 3 and len(kinds) > 2


def test_a_path_has_all_rows_of_its_curve_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skewed, shifted and spliced twins of one pen that cross: each keeps its own path."""
    monkeypatch.setitem(RECIPE["bend"], "splices", 3.0)
    twins = spliced = 0
    for seed in range(12):
        sheet = new_sheet(Draws(seed), KINDS["paper"], 1600, 500)
        y, pages = np.arange(100.0, 1500.0, 5), []
        for side in (-1, 1):
            pen = draw_pen(sheet, 4.0, "solid")
            page: Array = np.zeros((1600, 500), np.uint8)
            run = np.stack([250 + side * 150 * np.cos(y / 200), y], axis=1)
            stroke(sheet, run, pen, sheet.ink, page)
            sheet.curves.append(pen)
            pages.append(page)
        truth: Array = np.max(pages, axis=0)
        state = sheet.draws.rng.bit_generator.state
        both = bend(sheet, truth)[1] > 0
        for page, curve in zip(pages, sheet.curves, strict=True):
            # The same draws bend the page of one twin alone, which has no curves to move.
            sheet.draws.rng.bit_generator.state = state
            sheet.curves = []
            alone = bend(sheet, page)[1] > 100
            assert not (alone & ~both).any()
            points = np.rint(np.concatenate(curve.runs)).astype(int)
            points = points[(points[:, 1] >= 0) & (points[:, 1] < 1600)]
            assert alone[points[:, 1], points[:, 0]].mean() > 0.995
            rows = np.flatnonzero(alone.any(axis=1))
            apart = np.abs(rows[:, None] - points[:, 1]).min(axis=1)
            assert apart.max() <= 7  # the runs have a point every 4 px
            spliced += len(curve.runs) > 1
            twins += 1
    assert twins == 24 and spliced > 10


def only(monkeypatch: pytest.MonkeyPatch, **of_kind: object) -> None:
    """All logs are of a kind with these entries."""
    kind = Table(**{**vars(KINDS["open hole"]), "bare": "0%", "filled": "0%", **of_kind})
    monkeypatch.setitem(KINDS, "open hole", kind)
    sizes = {**vars(PRESETS["tiny"]), "mix": {"open hole": 1}, "pages": {"log": 1}}
    monkeypatch.setitem(PRESETS, "tiny", Table(**sizes))


def test_twins_that_cross_have_two_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPE["curve"], "overflow", "clip")
    only(monkeypatch, styles={"solid": 1}, per_track=2, still="0%", liveliness=0.9)
    crossings = 0
    for index in range(10):
        log = draw_log(1, index, "tiny")
        columns = []
        for curve in curves(log):
            x, y = curve["path"].T
            count = np.maximum(1, np.bincount(y, minlength=len(log.mask)))
            middle = np.bincount(y, x, len(log.mask)) / count
            columns.append(np.where(np.bincount(y, minlength=len(log.mask)) > 0, middle, np.nan))
        for one, other in zip(columns[::2], columns[1::2], strict=False):
            side = np.sign(one - other)
            side = side[np.abs(side) > 0]
            crossings += int((side[1:] != side[:-1]).sum())
    assert crossings > 10


def test_a_curve_that_wraps_is_one_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPE["curve"], "overflow", "wrap")
    only(monkeypatch, styles={"solid": 1}, per_track=1, liveliness=2.5, still="0%")
    wraps = 0
    for index in range(12):
        log = draw_log(2, index, "tiny")
        pieces, whole = curves(log, "curves"), curves(log)
        assert len(whole) <= 6  # the layouts have as many tracks at most
        assert sum(len(one["path"]) for one in pieces) == sum(len(one["path"]) for one in whole)
        for curve in whole:
            jumps = np.flatnonzero(np.abs(np.diff(curve["path"], axis=0)).max(axis=1) > 3)
            # Wraps stand where they begin, not all off-scale ones behind the others.
            assert (np.diff(curve["path"][jumps + 1, 1]) > -5).all()
            wraps += len(jumps)
    assert wraps > 10


def test_the_paths_follow_themselves() -> None:
    """Truth against truth: the middle of each path is the one curve that was printed."""
    printed = 0
    for index in range(16):
        log = draw_log(3, index, "tiny")
        followed = []
        for curve in curves(log):
            x, y = curve["path"].T
            points: Array = np.full(len(log.mask), np.nan)
            points[y] = x
            followed.append((0, points))
        label = {"whole": curves(log)}
        scores = score_identity(label, (len(log.mask), log.mask.shape[1]), followed, 200)
        # Single spikes of a curve that is off the scale have too few rows to be scored.
        assert not scores.curves or (scores.idf1 > 0.9 and scores.whole == scores.curves)
        printed += scores.curves
    assert printed > 8


def test_a_data_set_on_disk_has_its_curves_and_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "drawn"
    synth.synth(SynthConfig(out, count=10, seed=5, preset="quick"))
    idf1 = []
    for index, files in enumerate(list_logs(out)):
        assert files.label is not None
        log, mask = draw_log(5, index, "quick"), read_mask(files.mask)
        label = read_label(files.label, mask.shape)
        about = json.loads(files.label.read_text("utf-8"))
        assert [one["path"] for one in about["whole"]] == [
            one["path"].tolist() for one in curves(log)
        ]
        assert len(label.curves) == len(curves(log))
        assert label.centreline.any() == (mask == 255).any()
        scores, identity = score_files(files, mask == 255, (mask == 255).astype(np.float32))
        assert not scores.has_curves or scores.f1_at_3px > 0.99
        assert not scores.has_curves or scores.whole_curves == 1, "wraps are no strokes"
        if identity:
            idf1.append(identity.idf1)
    # Following the true mask over 60 such logs: 0.77 on 1 bit, 0.90 in colour.
    assert len(idf1) == 5 and np.median(idf1) > 0.7
    words = {"data": str(out), "masks": str(out / "masks"), "out": str(tmp_path / "scores")}
    config = EvaluateConfig(**words, split="val")
    assert evaluate.evaluate(config) == 0
    said = capsys.readouterr().out
    assert "Whole curves" in said and "quick5-000001" in said

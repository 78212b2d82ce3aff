"""The corpus: the same bytes everywhere, masks that say what was drawn, a data set on disk."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pytest

from wellseg import synth
from wellseg.corpus import PRESETS, curves, draw_log, forms, handling, kind_of
from wellseg.corpus.curves import hug, lay, ride
from wellseg.corpus.damage import copy_again, drowned, flood, vanished
from wellseg.corpus.furniture import hatch
from wellseg.corpus.grid import Track, pieces
from wellseg.corpus.page import STYLES, collar_locator, log_page
from wellseg.corpus.pen import Pen, draw_pen, stroke
from wellseg.corpus.recipe import Array, draw_paper
from wellseg.scan.reader import open_scan
from wellseg.training.data_folder import list_logs
from wellseg.training.masks import read_mask


def digest(index: int) -> str:
    log = draw_log(5, index, "tiny")
    return hashlib.sha256(log.image.tobytes() + log.mask.tobytes()).hexdigest()


def test_a_log_is_a_pure_function_of_seed_and_index() -> None:
    here = [digest(i) for i in range(6)]
    # Another process, started from nothing, in another order.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = list(pool.map(digest, reversed(range(6))))
    assert here == there[::-1]
    assert len(set(here)) == 6
    assert not np.array_equal(
        draw_log(6, 0, "tiny").image[:150, :150], draw_log(5, 0, "tiny").image[:150, :150]
    )


@pytest.mark.parametrize("preset", ["tiny", "quick", "train"])
def test_sizes_and_values(preset: str) -> None:
    recipe = PRESETS[preset]
    for index in range({"tiny": 40}.get(preset, 3)):
        log = draw_log(1, index, preset)
        rows, columns = log.image.shape
        assert log.image.dtype == log.mask.dtype == np.uint8
        assert log.mask.shape == (rows, columns)
        assert set(np.unique(log.mask)) <= {0, 128, 255}
        assert recipe.columns[0] <= columns <= recipe.columns[1]
        assert rows <= recipe.rows[1] and rows * columns <= recipe.max_mpx * 1.01e6
        assert kind_of(1, index, preset) == ("bilevel" if log.about["kind"] == "scan" else "colour")
        if log.about["kind"] == "scan":
            assert set(np.unique(log.image)) <= {0, 255}


def test_full_logs_have_the_sizes_of_scans() -> None:
    rng = np.random.default_rng(0)
    from wellseg.corpus.page import draw_size

    sizes = np.array([draw_size(rng, PRESETS["full"]) for _ in range(400)])
    assert sizes[:, 0].min() >= 3200 and sizes[:, 0].max() > 9000
    assert sizes[:, 1].min() < 600 and sizes[:, 1].max() > 2500
    assert (sizes[:, 0] * sizes[:, 1]).max() <= 14.1e6


def test_pages_without_curves_have_an_empty_mask_and_others_a_plausible_one() -> None:
    shares, empty = [], 0
    for index in range(60):
        log = draw_log(2, index, "tiny")
        if log.about["curves"] == 0:
            empty += 1
            assert not log.mask.any()
        else:
            shares.append(float((log.mask > 0).mean()))
    # Measured: one curve is 1.2-1.6 % of a scan; a tiny log shows little but curves.
    assert 2 <= empty <= 30
    assert 0.005 < float(np.median(shares)) < 0.12
    assert max(shares) < 0.5


def test_the_mask_lies_on_ink() -> None:
    """Where the mask says curve, there is ink, but for gaps of dashes, fading and swings."""
    on_ink, page = [], []
    for index in range(80):
        log = draw_log(3, index, "tiny")
        if log.about["kind"] == "scan" and log.mask.any():
            ink = log.image < 128
            on_ink.append(float(ink[log.mask == 255].mean()))
            page.append(float(ink.mean()))
    assert float(np.median(on_ink)) > 0.7
    assert float(np.median(page)) < 0.35


def test_a_curve_whose_ink_vanished_is_not_scored() -> None:
    """A stroke without ink over hundreds of pixels is left out; gaps of dashes and what lies on ink stay."""
    mask: Array = np.zeros((1200, 120), np.uint8)
    cv2.line(mask, (60, 0), (60, 1199), 255, 4)
    black = mask.copy()
    black[300:800] = 0
    gone = vanished(black, mask)
    assert gone[mask > 0].sum() == gone.sum() and gone[400:700][mask[400:700] > 0].all()
    assert not gone[:250].any() and not gone[850:].any()
    dashed = mask.copy()
    dashed[np.arange(1200) % 66 > 6] = 0  # the sparsest measured: 6 px of ink, 60 without
    assert not vanished(dashed, mask).any()


def test_hatching_is_parallel_and_stays_in_its_box() -> None:
    """Strokes once ended at the box's right border wherever they were, and fanned out."""
    ink: Array = np.zeros((60, 90), np.uint8)
    hatch(ink, 10, 80, 15, 45, 8, 1)
    assert (
        not ink[:14].any() and not ink[47:].any() and not ink[:, :9].any() and not ink[:, 82:].any()
    )
    for line in range(16, 44):  # one row up, one column to the right
        assert (ink[line, 20:70] == ink[line - 1, 21:71]).all()


def test_a_copy_of_a_scan_is_1_bit_and_keeps_its_ink() -> None:
    gray: Array = np.full((400, 300), 255, np.uint8)
    gray[:, 100:106] = 0
    gray[300:] = 0
    for index in range(6):
        rng = np.random.default_rng(index)
        paper = draw_paper(rng, replace(PRESETS["tiny"], kinds=(1.0, 0.0, 0.0)))
        mask: Array = (
            np.where(np.arange(300) // 6 == 17, 255, 0).astype(np.uint8)[None].repeat(400, axis=0)
        )
        copy = copy_again(rng, paper, gray, mask)
        assert (mask[330:370, 102:108] == 128).all() and (
            mask[100:200, 102:108] == 255
        ).mean() > 0.9
        assert copy.shape == gray.shape and set(np.unique(copy)) <= {0, 255}
        assert (copy[:, 101:105] == 0).mean() > 0.9


def test_a_flooded_copy_has_solid_black_and_all_its_ink() -> None:
    ink: Array = np.zeros((500, 500), np.uint8)
    for at in range(0, 500, 25):
        ink[at : at + 4], ink[:, at : at + 4] = 255, 255
    solid = 0
    for seed in range(12):
        flooded = flood(np.random.default_rng(seed), ink, 120)
        assert (flooded[ink == 255] > 120).mean() > 0.97
        solid += bool(
            (cv2.blur(np.where(flooded > 120, 255, 0).astype(np.uint8), (41, 41)) > 245).any()
        )
    assert solid >= 3


def test_a_curve_through_solid_black_is_not_scored() -> None:
    mask: Array = np.zeros((300, 200), np.uint8)
    mask[:, 98:103] = 255
    black = mask.copy()
    black[150:] = 255
    gone = drowned(black, mask)
    assert not gone[:140].any() and gone[175:, 98:103].all() and not gone[mask == 0].any()


@pytest.mark.parametrize("trace", handling.TRACES)
def test_what_hands_leave_is_ink_on_the_page_and_the_same_for_the_same_seed(trace: str) -> None:
    paper = draw_paper(np.random.default_rng(0), PRESETS["train"])
    pages = []
    for seed in (1, 1, 2, 3, 4, 5, 6, 7):
        ink: Array = np.zeros((900, 800), np.uint8)
        handling.TRACES[trace][0](ink, np.random.default_rng(seed), paper)
        pages.append(ink)
    assert (pages[0] == pages[1]).all() and (pages[1] != pages[2]).any()
    assert 0 < float(np.mean([(page > 0).mean() for page in pages])) < 0.2


def test_round_boxes_are_closed_and_their_corners_empty() -> None:
    ink: Array = np.zeros((200, 300), np.uint8)
    forms.round_box(ink, (10, 20, 280, 180), 30, 255, 2)
    assert ink[20, 150] and ink[180, 150] and ink[100, 10] and ink[100, 280]
    assert not ink[22, 12] and not ink[178, 12] and not ink[22, 278] and not ink[178, 278]
    count, labels = cv2.connectedComponents((ink == 0).astype(np.uint8), connectivity=4)
    assert count == 3 and labels[0, 0] != labels[100, 100], "what is outside cannot get in"


def test_a_bare_track_has_no_curve() -> None:
    paper = replace(draw_paper(np.random.default_rng(0), PRESETS["train"]), bare=1.0)
    ink: Array = np.zeros((600, 900), np.uint8)
    truth = np.zeros_like(ink)
    assert log_page(np.random.default_rng(1), paper, ink, truth, PRESETS["train"]) == 0
    assert ink.any() and not truth.any()


def test_spikes_ride_along_the_lines_of_the_grid() -> None:
    run = np.stack([np.full(400, 100.0), np.arange(400.0)], axis=1)
    lines = np.arange(20.0, 400, 80)
    for seed in range(8):
        ridden = ride(np.random.default_rng(seed), run, lines, 300.0)
        assert (np.diff(ridden[:, 1]) > -8).all()
        away = np.flatnonzero(np.abs(ridden[:, 0] - 100) > 10)
        assert len(away)
        # A curve that stepped over may come back anywhere; it leaves by a line.
        assert np.abs(lines - ridden[away[0], 1]).min() <= 19


def test_a_collar_locator_goes_straight_down_but_for_kicks_of_a_few_samples() -> None:
    track = Track(100, 300, "curves", divisions=10)
    for seed in range(30):
        values = collar_locator(np.random.default_rng(seed), track, 800)
        off_px = np.abs(values - np.median(values)) * track.width
        kicking = off_px > 3.5  # the tremor alone stays below, at six standard deviations
        starts = np.flatnonzero(np.diff(kicking.astype(int)) == 1)
        assert 0 < np.median(values) < 1 and 3 <= len(starts) and kicking.mean() < 0.25
        assert all(kicking[start + 1 : start + 8].sum() < 6 for start in starts)


def test_a_curve_that_hugs_a_line_runs_beside_it() -> None:
    run = np.stack([np.full(400, 100.0), np.arange(400.0)], axis=1)
    hugging = hug(np.random.default_rng(1), run, np.array([40.0, 120.0, 200.0]), 5.0)
    moved = hugging[hugging[:, 0] != 100.0]
    assert len(moved) and (hugging[:, 1] == run[:, 1]).all()
    assert (np.abs(moved[:, 0] - 120) > 1).all() and (np.abs(moved[:, 0] - 120) < 15).all()


def test_a_broken_line_is_pieces_of_it() -> None:
    parts = pieces(np.random.default_rng(3), 100.0, 1100.0, 200.0)
    assert len(parts) > 2 and all(100 <= a <= b <= 1100 for a, b in parts)
    assert all(b < c for (_, b), (c, _) in pairwise(parts))


@pytest.mark.parametrize("style", list(STYLES))
def test_the_truth_of_any_pen_is_one_piece(style: str) -> None:
    rng = np.random.default_rng(4)
    y = np.arange(0.0, 400.0, 3.0)
    points = np.stack([150 + 90 * np.sin(y / 25) + 10 * np.sin(y), y], axis=1)
    pen = draw_pen(rng, 5.0, 200.0, tidy=False, style=style)
    ink, truth = np.zeros((400, 300), np.uint8), np.zeros((400, 300), np.uint8)
    stroke(rng, points, pen, ink, truth)
    pieces, _ = cv2.connectedComponents(truth, connectivity=8)
    assert pieces == 2  # background and one curve
    assert set(np.unique(truth)) == {0, 255}
    gaps = float((truth[ink == 0] > 0).sum() / (truth > 0).sum())
    assert gaps > 0.03 if style not in ("solid", "long") else gaps < 0.6
    # Ink only within the truth, but for a pixel of pen at its rim.
    rim = cv2.dilate(truth, np.ones((5, 5), np.uint8))
    assert not (ink[rim == 0] > 0).any()


def test_solid_ink_is_as_wide_as_its_truth() -> None:
    ink, truth = np.zeros((200, 100), np.uint8), np.zeros((200, 100), np.uint8)
    line = np.array([[50.0, 5.0], [50.0, 195.0]])
    stroke(np.random.default_rng(0), line, Pen(6.0), ink, truth)
    assert abs(int((ink[100] > 0).sum()) - 6) <= 1
    assert abs(int((truth[100] > 0).sum()) - 6) <= 1


def test_off_scale_values() -> None:
    rows = np.arange(6.0)
    values = np.array([0.5, 0.9, 1.3, 1.6, 0.8, 0.4])
    (clipped,) = lay(values, rows, 100, 200, "clip")
    assert clipped[:, 0].tolist() == [150, 190, 200, 200, 180, 140]
    first, second, third = lay(values, rows, 100, 200, "wrap")
    assert first[-1].tolist() == [200, 1.5]  # leaves by the right border
    assert second[0].tolist() == [100, 1.5]  # and comes in by the left one
    assert third[0, 0] == 200
    assert [len(run) for run in lay(values, rows, 100, 200, "drop")] == [2, 2]


def test_corpus_on_disk(tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    synth.write_corpus(out, count=3, seed=9, preset="tiny")
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.tif")}
    synth.write_corpus(out, count=5, seed=9, preset="tiny", workers=2)
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())  # not drawn again
    logs = list_logs(out)
    assert len(logs) == 5 and {log.split for log in logs} == {"train", "val"}
    for index, files in enumerate(logs):
        log = draw_log(9, index, "tiny")
        with open_scan(files.image) as scan:
            assert np.array_equal(scan.read(0, scan.rows), log.image)
        assert np.array_equal(read_mask(files.mask), log.mask)
    with open(out / "split.csv", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [log.name for log in logs]
    assert not [p for p in out.rglob("*") if p.name.startswith(".")]


def test_a_folder_with_other_content_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(synth.CorpusError, match=r"not empty"):
        synth.write_corpus(tmp_path, count=1, preset="tiny")
    out = tmp_path / "corpus"
    synth.write_corpus(out, count=1, seed=1, preset="tiny")
    with pytest.raises(synth.CorpusError, match=r"another corpus"):
        synth.write_corpus(out, count=1, seed=2, preset="tiny")
    with pytest.raises(synth.CorpusError, match=r"--count"):
        synth.write_corpus(out, count=0)


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    run = subprocess.run(
        [sys.executable, "-m", "wellseg.synth", str(tmp_path), "--count", "1"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1 and str(tmp_path) in run.stderr


def test_unknown_preset() -> None:
    with pytest.raises(ValueError, match="choose one of"):
        draw_log(0, 0, "huge")


@pytest.mark.parametrize(
    "shape", [curves.gamma_ray, curves.spontaneous_potential, curves.sonic, curves.porosity]
)
def test_some_curves_of_a_family_are_lively_and_some_calm(shape):
    """As in measured wells: the nine tenths of a window's values lie several times as wide in one as in another."""
    bands = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = shape(rng, curves.draw_beds(rng, 300, 5))
        bands.append(float(np.subtract(*np.percentile(values, (95, 5)))))
    calm, lively = np.percentile(bands, (10, 90))
    assert 0.03 < calm and lively > 2.5 * calm and lively < 1

"""The baseline that a network has to beat, which benchmarks/ has."""

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_waves

from benchmarks.baseline import baseline_mask, main
from wellseg.scan.writer import write_picture
from wellseg.scores.masks import score_log
from wellseg.training.masks import read_mask


def test_it_sees_through_a_plain_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = draw_waves(800, 400, phase=0)[1] > 0
    gray = np.full(truth.shape, 255, np.uint8)
    gray[::40] = gray[:, ::40] = 0  # hairlines
    gray[::200, :] = gray[1::200] = gray[2::200] = 0  # bold ones
    gray[truth] = 0
    specks = np.random.default_rng(0).random(truth.shape) < 0.0005
    gray[specks] = 0
    mask = truth * np.uint8(255)
    assert score_log(baseline_mask(gray), mask).f1_at_3px > 0.95
    assert score_log(gray == 0, mask).f1_at_3px < 0.5

    for part, pixels in (("images", gray), ("masks", mask)):
        (tmp_path / part).mkdir()
        write_picture(tmp_path / part / "a.tif", pixels, dpi=200)
    monkeypatch.setattr(sys, "argv", ["baseline.py", str(tmp_path), str(tmp_path / "out")])
    main()
    assert np.array_equal(read_mask(tmp_path / "out" / "a.mask.tif") == 255, baseline_mask(gray))


@pytest.mark.parametrize("tone", [0, 100, 255])
def test_of_plain_paper_it_is_empty(tone: int) -> None:
    assert not baseline_mask(np.full((300, 200), tone, np.uint8)).any()

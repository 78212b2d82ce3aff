"""Curves drawn on the paper of labelled logs."""

import numpy as np
import pytest
from safetensors import safe_open

from wellseg.corpus import fingerprint
from wellseg.scan.writer import write_picture
from wellseg.train import main as train
from wellseg.training.data_folder import list_logs
from wellseg.training.dataset import open_logs
from wellseg.training.on_paper import draw_on_paper, medium_of
from wellseg.training.options import DataConfig


@pytest.fixture
def paper(tmp_path):
    """A header, a gridded log with something unknown in it, both 1 bit, and a gray one."""
    root = tmp_path / "paper"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for i, name in enumerate(("header", "grid", "gray")):
        gray, mask = (
            np.full((220, 180), 250 if name == "gray" else 255, np.uint8),
            np.zeros((220, 180), np.uint8),
        )
        gray[::20], gray[:, ::20] = i * 9, i // 2 * 60
        if name != "header":
            mask[:, 90:110] = 128
            gray[:, 60:63], mask[:, 60:63] = 0, 255
        if name == "grid":
            gray[gray < 128] = 0
        write_picture(root / "images" / f"{name}.tif", gray, dpi=200, bilevel=True)
        write_picture(root / "masks" / f"{name}.tif", mask, dpi=200, bilevel=False)
    (root / "split.csv").write_text("name,split,well\nheader,train,1\ngrid,train,2\ngray,val,3\n")
    return root


def test_a_sample_is_the_paper_with_darker_curves_where_the_mask_says(paper):
    logs = list_logs(paper)
    kinds, curves, ink = set(), [], []
    for index in range(16):
        log = draw_on_paper(0, index, "tiny", logs)
        again = draw_on_paper(0, index, "tiny", logs)
        assert (log.image == again.image).all() and (log.mask == again.mask).all()
        assert log.image.shape == log.mask.shape and set(np.unique(log.mask)) <= {0, 128, 255}
        kinds.add(log.about["kind"])
        curves.append(bool((log.mask == 255).any()))
        if log.about["kind"] == "on scan":
            assert set(np.unique(log.image)) <= {0, 255}
        if log.about["paper"] == "header":
            assert not (log.mask == 128).any()
        if curves[-1]:
            ink += [log.image[log.mask == 255].mean() - log.image[log.mask == 0].mean()]
    assert np.mean(ink) < -100
    assert "on scan" in kinds and len(kinds) == 2 and 0 < sum(curves) < len(curves)


def test_headers_lie_on_their_sides_too(tmp_path):
    gray = np.full((220, 220), 255, np.uint8)
    gray[::20] = 0  # ruled across, not down
    for part, pixels in (("images", gray), ("masks", np.zeros_like(gray))):
        (tmp_path / part).mkdir()
        write_picture(tmp_path / part / "header.tif", pixels, dpi=200, bilevel=True)
    logs = list_logs(tmp_path)
    logs = [draw_on_paper(0, index, "tiny", logs).image < 128 for index in range(30)]
    across = [ink.mean(axis=1).max() > ink.mean(axis=0).max() for ink in logs]
    assert 0.4 < np.mean(across) < 0.9


def test_flat_gray_is_a_render_and_noise_a_print():
    assert medium_of(np.full((40, 40), 255, np.uint8)) == "scan"
    assert medium_of(np.full((40, 40), 250, np.uint8)) == "render"
    assert (
        medium_of(np.random.default_rng(0).integers(180, 250, (40, 40)).astype(np.uint8)) == "print"
    )


def test_a_share_of_the_drawn_samples_is_on_paper_and_the_others_stay(paper):
    def draws(**options):
        options = DataConfig(paper, "tiny", drawn_share=0.9, augment=False, **options)
        logs, _, _ = open_logs(options, seed=3)
        return [logs[1, len(logs.files) + i].gray.numpy().tobytes() for i in range(20)]

    same = sum(a == b for a, b in zip(draws(), draws(on_own=0.5), strict=True))
    assert 5 < same < 15


def test_only_logs_that_are_trained_on_are_paper(paper):
    options = DataConfig(paper, "tiny", drawn_share=0.9, on_own=0.9, augment=False)
    train, _, _ = open_logs(options, seed=0)
    on = [log.about.get("paper") for log in map(train._draw, range(20))]
    assert set(on) - {None} == {"header", "grid"}  # the gray one is to validate with


def test_on_own_goes_with_drawn_logs_beside_a_data_set(paper):
    with pytest.raises(ValueError, match=r"give --data\.drawn_share"):
        DataConfig(paper, on_own=0.5)
    with pytest.raises(ValueError, match=r"on_own lies in \[0, 1\), not 1"):
        DataConfig(paper, drawn_share=0.5, on_own=1)


def test_the_weights_say_what_paper_they_were_trained_on(paper, tmp_path):
    small = ["--model.widths", "[8]", "--data.preset", "tiny", "--data.workers", "0"]
    small += ["--steps", "1", "--val_every", "1", "--trainer.enable_progress_bar", "false"]
    own = ["--data.root", str(paper), "--data.drawn_share", "0.5", "--data.on_own", "0.75"]
    train([*small, *own, "--out", str(tmp_path / "run")])
    with safe_open(tmp_path / "run" / "model.safetensors", "pt") as file:
        header = str(file.metadata())
    assert "on_own 0.75" in header and f"drawn by corpus {fingerprint()}" in header

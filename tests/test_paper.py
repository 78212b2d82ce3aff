"""Paper mined from unlabelled scans, and curves drawn on it."""

import cv2
import numpy as np
import pytest
from conftest import draw_waves
from safetensors import safe_open

from wellseg.corpus import fingerprint
from wellseg.paper import main
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import write_picture
from wellseg.train import main as train
from wellseg.training.data_folder import list_logs
from wellseg.training.dataset import Samples, open_logs
from wellseg.training.on_paper import draw_on_paper, medium_of
from wellseg.training.options import DataConfig
from wellseg.training.paper_mask import paper_mask


def run(command, *arguments, status=0):
    try:
        command([str(argument) for argument in arguments])
    except SystemExit as ended:
        assert (ended.code or 0) == status
    else:
        assert status == 0


@pytest.fixture
def paper(tmp_path):
    """A header, a gridded piece with something unknown in it, both 1 bit, and a gray one."""
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
        if name == "grid":
            gray[gray < 128] = 0
        write_picture(root / "images" / f"{name}.tif", gray, dpi=200, bilevel=True)
        write_picture(root / "masks" / f"{name}.tif", mask, dpi=200, bilevel=False)
    return root


def page(*strokes):
    """White paper with ink, and a probability that is 0.9 on it: strokes of (x, top, bottom)."""
    gray = np.full((1000, 400), 255, np.uint8)
    for x, top, bottom in strokes:
        cv2.line(gray, (x, top), (x, bottom), 0, 3)
    return gray, np.where(gray == 0, np.float32(0.9), np.float32(0.001))


def test_short_pieces_above_the_curves_are_lettering_and_among_them_unknown():
    gray, probability = page((100, 60, 90), (200, 500, 999), (320, 700, 730))
    mask, goes_on = paper_mask(gray, probability, 200, header=True)
    assert not goes_on and set(np.unique(mask)) == {0, 128}
    assert not mask[:400].any(), "the lettering of the header is scored as no curve"
    assert (mask[510:, 200] == 128).all() and (mask[700:730, 320] == 128).all()
    assert paper_mask(gray, probability, 200, header=False)[0][75, 100] == 128


def test_a_header_ends_where_a_curve_starts_at_the_last_rows():
    gray, probability = page((100, 60, 90))
    assert paper_mask(gray, probability, 200, header=True)[1]
    gray, probability = page((100, 60, 90), (200, 930, 999))
    assert not paper_mask(gray, probability, 200, header=True)[1]


def test_a_gap_in_a_curve_the_row_after_its_end_and_heavy_ink_are_unknown():
    gray, probability = page((200, 300, 500), (204, 600, 850), (120, 100, 160), (120, 280, 340))
    cv2.line(gray, (300, 0), (300, 999), 0, 24)  # the weights do not know it
    mask, _ = paper_mask(gray, probability, 200, header=False)
    assert (mask[300:850, 202] == 128).all() and mask[870, 204] == 128 and mask[280, 200] == 128
    assert (mask[100:340, 120] == 128).all()
    assert (mask[:, 300] == 128).all() and not mask[:, 60].any()


def test_ink_wider_than_any_pen_is_no_truth_and_where_it_is_wider_still_no_curve():
    gray, probability = page()
    for wide, x in ((8, 60), (34, 150), (90, 300)):
        cv2.line(gray, (x - 20, 100), (x + 20, 900), 0, wide)
    probability[gray == 0] = 0.97
    mask, _ = paper_mask(gray, probability, 200, header=False, curves=True)
    rows = np.arange(200, 800)
    for x, said in ((60, 255), (150, 128), (300, 0)):
        assert (mask[rows, x + (rows - 500) // 20] == said).all()


def test_with_curves_what_the_weights_are_sure_of_is_truth():
    gray, probability = page(
        (60, 100, 900), (300, 100, 140)
    )  # a line of the grid, perhaps, and a letter
    wave = (
        np.stack([180 + 20 * np.sin(np.arange(100, 900) / 30), np.arange(100, 900)], 1)
        .round()
        .astype(np.int32)
    )
    cv2.polylines(probability, [wave[:, None]], False, 0.97, 5)
    mask, _ = paper_mask(gray, probability, 200, header=False, curves=True)
    assert (mask[wave[:, 1], wave[:, 0]] == 255).all()
    assert (mask[120:880, 60] == 128).all() and (mask[110:130, 300] == 128).all()
    assert not (mask[:, :150] == 255).any() and not mask[120:880, 225:280].any()
    assert not (paper_mask(gray, probability, 200, header=False)[0] == 255).any()


def test_mined_crops_are_the_scan_and_leave_no_curve_to_be_scored(tmp_path, capsys):
    """With the bundled weights: text, then a grid with one curve."""
    gray, curve = draw_waves(1000, 500, 0.0)
    gray[:400], curve[:400] = 255, 0
    for row in range(60, 360, 60):
        cv2.putText(gray, "COMPANY  WELL  FIELD", (40, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
    write_picture(tmp_path / "scan.tif", gray, dpi=200, bilevel=True)
    run(main, tmp_path / "scan.tif", "--out", tmp_path / "mined", "--crops", 2, "--rows", 500)
    assert "2 crops in" in capsys.readouterr().out
    for crop, row in zip(list_logs(tmp_path / "mined"), (0, 500), strict=True):
        with open_scan(crop.image) as image, open_scan(crop.mask) as mask:
            cut, unknown = image.read(0, image.rows), mask.read(0, mask.rows)
        assert (cut == gray[row : row + 500]).all() and set(np.unique(unknown)) <= {0, 128}
        assert (unknown[curve[row : row + 500] == 255] == 128).mean() > 0.97 and (
            unknown == 0
        ).mean() > 0.3
        assert row or not unknown[:300].any()
        assert (tmp_path / "mined" / "previews" / f"{crop.name}.png").is_file()


def test_fewer_crops_take_the_place_of_more_and_no_crop_joins_labelled_logs(tmp_path, capsys):
    sample, out = "data/sample/sample.tif", tmp_path / "paper"
    (out / "images").mkdir(parents=True)  # empty, as data/pages/release.py leaves it
    for crops in (2, 1):
        run(main, sample, "--out", out, "--rows", 300, "--crops", crops)
        for part in ("images", "masks", "previews"):
            assert len(list((out / part).iterdir())) == crops
    (tmp_path / "mine" / "images").mkdir(parents=True)
    (tmp_path / "mine" / "images" / "log.tif").touch()
    run(main, sample, "--out", tmp_path / "mine", status=2)
    assert "mine: holds images that wellseg paper did not cut" in capsys.readouterr().err


def test_a_scan_that_cannot_be_read_is_one_line_and_status_1(tmp_path, capsys):
    (tmp_path / "bad.tif").write_bytes(b"II*\0nothing")
    run(main, tmp_path / "bad.tif", "--out", tmp_path / "mined", status=1)
    assert "bad.tif" in capsys.readouterr().err


def test_a_sample_is_the_paper_with_darker_curves_where_the_mask_says(paper):
    crops = list_logs(paper)
    kinds, curves, ink = set(), [], []
    for index in range(16):
        log = draw_on_paper(0, index, "tiny", crops)
        again = draw_on_paper(0, index, "tiny", crops)
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
    crops = list_logs(tmp_path)
    logs = [draw_on_paper(0, index, "tiny", crops).image < 128 for index in range(30)]
    across = [ink.mean(axis=1).max() > ink.mean(axis=0).max() for ink in logs]
    assert 0.4 < np.mean(across) < 0.9


def test_flat_gray_is_a_render_and_noise_a_print():
    assert medium_of(np.full((40, 40), 255, np.uint8)) == "scan"
    assert medium_of(np.full((40, 40), 250, np.uint8)) == "render"
    assert (
        medium_of(np.random.default_rng(0).integers(180, 250, (40, 40)).astype(np.uint8)) == "print"
    )


def test_a_share_of_the_samples_is_on_paper_and_the_others_stay(paper):
    def draws(logs):
        return [logs[1, i].gray.numpy().tobytes() for i in range(20)]

    options = DataConfig(preset="tiny", augment=False)
    plain = draws(Samples(3, options, 20))
    some = draws(Samples(3, options, 20, paper=list_logs(paper)))
    assert 5 < sum(a == b for a, b in zip(plain, some, strict=True)) < 15


def test_backgrounds_go_with_drawn_logs_and_are_never_validated_with(paper, tmp_path):
    train, val, _ = open_logs(DataConfig(preset="tiny", backgrounds=paper), seed=0)
    assert len(train.paper) == 3 and not val.paper
    with pytest.raises(ValueError, match=r"leave --data\.root out"):
        DataConfig(root=tmp_path, backgrounds=paper)
    with pytest.raises(ValueError, match=r"background_share lies in \(0, 1\], not 0"):
        DataConfig(backgrounds=paper, background_share=0)
    with pytest.raises(ValueError, match="no such folder"):
        open_logs(DataConfig(backgrounds=tmp_path / "none"), seed=0)


def test_the_weights_say_what_paper_they_were_trained_on(paper, tmp_path):
    small = [
        "--model.widths",
        "[8]",
        "--data.preset",
        "tiny",
        "--data.count",
        2,
        "--data.val_count",
        1,
    ]
    small += [
        "--data.workers",
        0,
        "--steps",
        1,
        "--val_every",
        1,
        "--trainer.enable_progress_bar",
        "false",
    ]
    run(
        train,
        *small,
        "--data.backgrounds",
        paper,
        "--data.background_share",
        0.75,
        "--out",
        tmp_path / "run",
    )
    with safe_open(tmp_path / "run" / "model.safetensors", "pt") as file:
        header = str(file.metadata())
    assert "background_share 0.75" in header and f"drawn by corpus {fingerprint()}" in header

"""The predict command and the two calls for Python users."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import lasio
import numpy as np
import pytest
import tifffile
import torch
from conftest import draw_waves

import wellseg
from wellseg.many.engines import run_here
from wellseg.net.options import parse_bytes
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.predict import main
from wellseg.results.one_scan import HEAD_PX, FoldedPage
from wellseg.review.command import main as curves_again
from wellseg.scan.pictures import to_channels, to_gray
from wellseg.weights import load_model, read_header, save_weights


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scans" / "log.tif"
    path.parent.mkdir()
    gray, _ = draw_waves(203, 117, phase=0)
    tifffile.imwrite(
        path, gray == 0, photometric="miniswhite", resolution=(200, 300), resolutionunit="inch"
    )
    return path


def run(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in arguments])
    assert ended.value.code == status


def test_results_stand_beside_the_scan(scan, weights):
    run(scan, "--weights", weights, "--probability")
    mask = tifffile.imread(scan.with_name("log.mask.tif"))
    probability = tifffile.imread(scan.with_name("log.probability.tif"))
    assert mask.shape == probability.shape == (203, 117)
    assert set(np.unique(mask)) == {0, 255}
    np.testing.assert_array_equal(mask > 0, probability > 127)
    with tifffile.TiffFile(scan.with_name("log.mask.tif")) as file:
        tags = file.pages[0].tags
        assert tags["XResolution"].value[0] / tags["XResolution"].value[1] == 200
        assert tags["YResolution"].value[0] / tags["YResolution"].value[1] == 300
    report = json.loads(scan.with_name("log.json").read_text())
    assert (report["rows"], report["columns"], report["weights"]) == (203, 117, "small")
    assert report["seconds"] > 0 and report["peak_memory_bytes"] > 0
    assert report["curve_share"] == pytest.approx((mask > 0).mean())
    possible, sure = (np.count_nonzero(probability > 255 * share) for share in (0.2, 0.8))
    assert report["doubt_share"] == pytest.approx((possible - sure) / possible, abs=0.01)
    assert (report["kind"], report["dpi"], report["pages"]) == ("1-bit", 200, 1)
    assert cv2.imread(str(scan.with_name("log.overlay.png"))) is not None
    assert not [path for path in scan.parent.iterdir() if path.name.startswith(".")]


def test_every_field_of_a_report_and_of_its_curves_is_documented(scan, weights):
    run(scan, "--weights", weights, "--curves", "--depth", "0=10", "200=30", "--step", "0.5")
    report = json.loads(scan.with_name("log.json").read_text())
    fields = {*report} | {field for curve in report["curve_list"] for field in curve}
    text = (Path(__file__).parents[1] / "docs" / "files.md").read_text("utf-8")
    assert not {field for field in fields if f"`{field}`" not in text}
    assert report["format"] == 1 and report["curve_notes"] and report["notes"] == []


def test_own_weights_are_called_by_their_run_and_may_move(scan, weights, tmp_path, capsys):
    own = tmp_path / "runs" / "fifth" / "model.safetensors"
    own.parent.mkdir(parents=True)
    own.write_bytes(Path(weights).read_bytes())
    run(scan, "--weights", own)
    assert json.loads(scan.with_name("log.json").read_text())["weights"] == "fifth/model"
    run(scan, "--weights", own.rename(tmp_path / "best.safetensors"))
    assert "done already" in capsys.readouterr().err


def test_the_mask_is_what_segment_says_and_segment_what_the_net_says(scan, weights):
    net = wellseg.load_model(weights)
    gray = np.where(tifffile.imread(scan), 0, 255).astype(np.uint8)
    with torch.no_grad():
        whole = net(to_ink(torch.from_numpy(gray)[None, None])).sigmoid()[0, 0].numpy()
    from_file = wellseg.segment(net, scan, precision="fp32")
    from_array = wellseg.segment(net, gray, precision="fp32")
    assert from_file.dtype == np.float32 and from_file.shape == gray.shape
    np.testing.assert_allclose(from_file, whole, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(from_file, from_array)
    run(scan, "--weights", weights, "--precision", "fp32", "--threshold", 0.4)
    np.testing.assert_array_equal(
        tifffile.imread(scan.with_name("log.mask.tif")) > 0, from_file > 0.4
    )


@pytest.mark.parametrize("colour", [False, True])
def test_a_network_that_knows_colours_sees_them(tmp_path, colour):
    torch.manual_seed(1)
    net = ResUNet(2, (8, 16), colour=colour).eval()
    gray, _ = draw_waves(90, 70, phase=0)
    rgb = np.dstack([gray, gray // 2 + 127, gray])  # green ink
    tifffile.imwrite(tmp_path / "log.tif", rgb, photometric="rgb")
    seen = torch.from_numpy(to_channels(rgb))[None, : 3 if colour else 1]
    with torch.no_grad():
        whole = net(to_ink(seen)).sigmoid()[0, 0].numpy()
    for given in (tmp_path / "log.tif", rgb):
        found = wellseg.segment(net, given, precision="fp32")
        np.testing.assert_allclose(found, whole, rtol=0, atol=1e-5)
    as_gray = wellseg.segment(net, to_gray(rgb), precision="fp32")
    assert (np.abs(as_gray - whole).max() > 1e-3) == colour


def test_colours_that_show_none_are_gray_in_an_array_too(tmp_path):
    torch.manual_seed(1)
    net = ResUNet(2, (8, 16), colour=True).eval()
    gray, _ = draw_waves(90, 70, phase=0)
    rgb = np.dstack([gray] * 3)
    tifffile.imwrite(tmp_path / "log.tif", rgb, photometric="rgb")
    from_array = wellseg.segment(net, rgb, precision="fp32")
    for same in (gray, tmp_path / "log.tif"):
        np.testing.assert_array_equal(wellseg.segment(net, same, precision="fp32"), from_array)


def test_statistics_of_windows(scan, weights):
    gray, _ = draw_waves(900, 60, phase=0)
    gray[:500] = 255
    tifffile.imwrite(scan, gray)
    net = wellseg.load_model(weights)
    whole, windows = (
        wellseg.segment(net, gray, precision="fp32", window_rows=rows) for rows in (0, 256)
    )
    assert np.abs(whole - windows).max() > 0.05
    for rows, probability in ((0, whole), (256, windows)):
        run(scan, "--weights", weights, "--precision", "fp32", "--window_rows", rows)
        np.testing.assert_array_equal(
            tifffile.imread(scan.with_name("log.mask.tif")) > 0, probability > 0.5
        )
        assert json.loads(scan.with_name("log.json").read_text())["window_rows"] == rows
    # Not asked: whole, or what the weights ask for.
    run(scan, "--weights", weights, "--precision", "fp32")
    assert json.loads(scan.with_name("log.json").read_text())["window_rows"] == 0
    save_weights(weights, load_model(weights), {**read_header(weights), "window_rows": 256})
    from_python = wellseg.segment(wellseg.load_model(weights), scan, precision="fp32")
    np.testing.assert_array_equal(from_python, windows)
    run(scan, "--weights", weights, "--precision", "fp32")
    np.testing.assert_array_equal(
        tifffile.imread(scan.with_name("log.mask.tif")) > 0, windows > 0.5
    )
    run(scan, "--weights", weights, "--precision", "fp32", "--window_rows", 0)
    np.testing.assert_array_equal(tifffile.imread(scan.with_name("log.mask.tif")) > 0, whole > 0.5)


def test_a_second_run_does_only_what_is_not_done(scan, weights, capsys):
    run(scan, "--weights", weights)
    before = scan.with_name("log.json").read_text()
    run(scan, "--weights", weights)
    assert (
        "done already" in capsys.readouterr().err
        and scan.with_name("log.json").read_text() == before
    )
    run(scan, "--weights", weights, "--threshold", 0.6)  # another question, so another answer
    assert json.loads(scan.with_name("log.json").read_text())["threshold"] == 0.6
    run(scan, "--weights", weights, "--threshold", 0.6, "--overwrite")
    assert "done already" not in capsys.readouterr().err


def test_a_folder_keeps_its_structure_and_one_bad_scan_does_not_stop_the_others(
    scan, weights, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("wellseg.many.engines.run_pool", run_here)
    (scan.parent / "deeper").mkdir()
    (scan.parent / "deeper" / "other.png").write_bytes(
        cv2.imencode(".png", np.full((40, 50), 255, np.uint8))[1].tobytes()
    )
    (scan.parent / "notes.tif").write_text("these are notes")
    (scan.parent / "cut.tif").write_bytes(scan.read_bytes()[:-200])
    out = tmp_path / "out"
    run(scan.parent, "--weights", weights, "--out", out, status=1)
    printed = capsys.readouterr()
    assert (out / "log.mask.tif").exists() and (out / "deeper" / "other.mask.tif").exists()
    for name in ("notes", "cut"):
        lines = [
            line
            for line in printed.err.splitlines()
            if f"{name}.tif" in line and "wellseg.predict" in line
        ]
        assert len(lines) == 1
        assert not list(out.glob(f"{name}.*"))
    assert "2 of 4 scans failed" in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "scans"),
        (["missing.tif"], "missing.tif: no such file or folder"),
        (["empty"], "empty: no scan (TIFF, PNG or JPEG) in this folder"),
        (["log.tif", "--threshold", "2"], "--threshold lies between 0 and 1, not 2"),
        (["log.tif", "--memory", "lots"], "--memory 'lots' is not a size"),
        (["log.tif", "--memory", "1KB"], "--memory '1KB' is not a size of 500MB or more"),
        (
            ["log.tif", "--window_rows", "100"],
            "--window_rows is at least 256, not 100",
        ),
        (["log.tif", "--scratch", "nowhere"], "--scratch nowhere: no such folder"),
        (["log.tif", "--weights", "wonderful"], "no weights 'wonderful'"),
        (["log.tif", "--weights", ""], "--weights is empty: give a value, or leave it out"),
        ([""], "a scan without a name"),
        (["log.tif", "--weights", "log.tif"], "not a readable safetensors file"),
        (["log.tif", "--device", "warp"], "unknown device 'warp'"),
        (["log.tif", "--device", "mps"], "unknown device 'mps'"),
        (["log.tif", "--jobs", "0"], "--jobs is at least 1, not 0"),
        (["log.tif", "--jobs", "2", "--engine", "ray"], "--jobs is for --engine local"),
        (["log.tif", "--depth", "1=2", "3=4"], "--depth is for the files that --curves or --view"),
        (["log.tif", "--curves", "--depth", "1=2"], "--depth 1=2: give two rows"),
        (["--curves", "--depth", "1=2", "3=x", "--", "log.tif"], "--depth '3=x' is not ROW=DEPTH"),
        (
            ["other.tif", "log.tif", "--curves", "--tracks", "1-2"],
            "--tracks is for one scan, not for 2",
        ),
        (
            ["log.tif", "other.tif", "--curves", "--depth", "1=2", "3=4"],
            "--depth is for one scan, not for 2",
        ),
        (["log.tif", "--thresold", "0.4"], "--thresold"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments, message, scan, capsys, monkeypatch):
    monkeypatch.chdir(scan.parent)
    Path("empty").mkdir()
    for other in ("log.png", "other.tif"):
        Path(other).write_bytes(b"")
    run(*arguments, status=2)
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and message in errors[0]
    assert not list(Path().glob("*.mask.tif"))


def test_white_ink_on_black(scan, weights, tmp_path, capsys):
    gray = tifffile.imread(scan)  # 1 is black, and here white
    black = tmp_path / "black" / "log.tif"
    black.parent.mkdir()
    tifffile.imwrite(black, gray, photometric="minisblack")
    for path, options in ((scan, []), (black, []), (black, ["--invert"])):
        run(path, "--weights", weights, *options)
        hint = "most of it is black: does it show white ink on black? try --invert"
        assert (hint in capsys.readouterr().err) == (path == black and not options)
        report = json.loads(path.with_suffix(".json").read_text())
        assert report["mostly_black"] == (path == black and not options)
    masks = [tifffile.imread(path.with_suffix(".mask.tif")) for path in (scan, black)]
    np.testing.assert_array_equal(*masks)


def test_results_are_not_taken_for_scans(scan, weights, tmp_path):
    run(scan.parent, "--weights", weights, "--probability")
    before = sorted(path.name for path in scan.parent.iterdir())
    run(scan.parent, "--weights", weights, "--probability", "--overwrite")
    assert sorted(path.name for path in scan.parent.iterdir()) == before


def test_a_view_stands_beside_the_mask_and_belongs_to_it(scan, weights, capsys):
    run(scan, "--weights", weights)
    run(scan, "--weights", weights, "--view")  # a mask alone is not all that is asked for
    assert "done already" not in capsys.readouterr().err
    page = scan.with_name("log.html")
    assert "log.tif" in page.read_text("utf-8") and list(
        scan.with_name("log.view").glob("0-0000-0.*")
    )
    for arguments in (["--view"], []):
        run(scan.parent, "--weights", weights, *arguments)  # neither pictures of the view are scans
        assert "1 of 1 scans are done already" in capsys.readouterr().err and page.exists()
    assert '"view":"log.html","thumb":"log.view/thumb.jpg"' in scan.with_name(
        "index.html"
    ).read_text("utf-8")
    run(scan, "--weights", weights, "--threshold", 0.6)
    assert '"threshold":0.6' in page.read_text("utf-8")  # it showed another mask


@pytest.mark.parametrize("threshold", [0.5, 0.52, 0.47])
def test_mask_probability_and_view_agree_at_the_threshold(scan, noisy_weights, threshold):
    flags = ["--probability", "--view", "--precision", "fp32"]
    run(scan, "--weights", noisy_weights, "--threshold", threshold, *flags)
    mask = tifffile.imread(scan.with_name("log.mask.tif")) > 0
    assert 0.1 < mask.mean() < 0.9
    probability = tifffile.imread(scan.with_name("log.probability.tif"))
    np.testing.assert_array_equal(probability > 255 * threshold, mask)
    script = scan.with_name("log.view") / "0-0000-0.js"
    deflated = script.read_text().removesuffix('")').rpartition('"')[2]
    shown = np.frombuffer(zlib.decompress(base64.b64decode(deflated)), np.uint8)
    np.testing.assert_array_equal(shown.reshape(mask.shape) > 255 * threshold, mask)


@pytest.mark.parametrize(("shape", "asked"), [((120, 400), True), ((400, 120), False)])
def test_a_page_that_may_lie_on_its_side_is_asked_about(weights, tmp_path, capsys, shape, asked):
    """Of 14 real logs turned on their sides ten have 0.2 to 1.4 % of curve, and an odd mask."""
    tifffile.imwrite(tmp_path / "log.tif", draw_waves(*shape, 0)[0])
    run(tmp_path / "log.tif", "--weights", weights)
    assert ("if it is stored sideways, turn it" in capsys.readouterr().err) == asked
    turned = draw_waves(*shape, 0)[0]
    tifffile.imwrite(tmp_path / "turned.tif", turned, extratags=[(274, "H", 1, 6, True)])
    run(tmp_path / "turned.tif", "--weights", weights)
    told = capsys.readouterr().err
    assert "(orientation 6): no curves or depths" in told and "turn it" not in told  # once


def test_curves_stand_beside_the_mask_and_belong_to_it(scan, weights, capsys):
    run(scan, "--weights", weights, "--curves", "--depth", "0=100", "200=120")
    las = scan.with_name("log.las")
    report = json.loads(scan.with_name("log.json").read_text())
    assert report["curves"] == len(lasio.read(str(las)).keys()) - 1
    assert report["tracks_found"] == 0 and report["scan_path"] == str(scan)
    assert "row 200 = 120 ft" in las.read_text() and scan.with_name("log.curves.csv").exists()
    assert scan.with_name("log.probability.tif").exists()
    assert "no tracks found" in capsys.readouterr().err
    run(scan, "--weights", weights, "--curves", "--depth", "0=100", "200=120")
    assert "done already" in capsys.readouterr().err
    run(scan, "--weights", weights, "--curves")  # as for a whole folder, later
    assert "done already" in capsys.readouterr().err
    run(scan, "--weights", weights, "--curves", "--threshold", 0.4)
    assert "done already" not in capsys.readouterr().err and "row 200 = 120 ft" in las.read_text()
    made = json.loads(scan.with_name("log.json").read_text())
    run(scan, "--weights", weights, "--view", "--threshold", 0.4)
    kept = json.loads(scan.with_name("log.json").read_text())
    assert las.exists() and kept["curves"] == made["curves"]
    assert json.loads(scan.with_name("log.json").read_text())["depth"] == ["0=100", "200=120"]
    run(scan, "--weights", weights, "--threshold", 0.45)  # without curves
    run(scan, "--weights", weights, "--curves", "--tracks", "10-70")
    assert "row 200 = 120 ft" in las.read_text() and "--tracks 10-70" in las.read_text()
    report = json.loads(scan.with_name("log.json").read_text())
    scan.with_name("log.json").write_text(json.dumps(report | {"depth": 5, "threshold": 1}))
    run(scan, "--weights", weights, "--curves", status=1)
    assert "log.json: its options are wrong: " in capsys.readouterr().err
    run(scan, "--weights", weights, "--curves", "--overwrite")
    assert "row 200" not in las.read_text() and "no tracks found" in capsys.readouterr().err
    run(scan, "--weights", weights, "--curves", "--tracks", "10-60")
    said = capsys.readouterr().err
    assert "done already" not in said and "no tracks found" not in said
    assert "--tracks 10-60" in las.read_text()
    run(scan, "--weights", weights, "--threshold", 0.6)
    assert "--threshold 0.6, --tracks 10-60" in las.read_text()
    run(scan, "--weights", weights, "--curves", "--scale", "T1_C1_SOLID=0:150:GAPI")
    run(scan, "--weights", weights, "--view")
    assert "T1_C1_SOLID=0:150:GAPI" in las.read_text()
    run(scan, "--weights", weights, "--threshold", 0.7)  # of that name may be another curve now
    assert (
        "log.tif: curves are followed anew: the former --scale is forgotten"
        in capsys.readouterr().err
    )
    assert "GAPI" not in las.read_text() and "--tracks 10-60" in las.read_text()


@pytest.mark.parametrize("size", ["another size", "the same size"])
def test_what_is_there_of_a_mask_is_made_again_with_it(scan, weights, capsys, size):
    las, view = scan.with_name("log.las"), scan.with_name("log.html")
    run(scan, "--weights", weights, "--curves", "--view")
    run(scan, "--weights", weights, "--curves", "--tracks", "10-60", "--depth", "0=500", "200=520")
    assert "[[0.0,500.0],[200.0,520.0]]" in view.read_text("utf-8")
    run(scan, "--weights", weights, "--view", "--depth", "0=700", "200=720")
    assert "row 200 = 720 ft" in las.read_text() and '"followed":[{' in view.read_text("utf-8")
    run(scan, "--weights", weights, "--threshold", 0.6)
    assert "--threshold 0.6, --tracks 10-60" in las.read_text()
    assert '"threshold":0.6' in view.read_text("utf-8") and "row 200 = 720 ft" in las.read_text()
    curves_again([str(scan.with_name("log.probability.tif")), "--tracks", "10-70"])
    assert "--tracks 10-70" in las.read_text() and '"followed":[{' in view.read_text("utf-8")
    assert view.read_text("utf-8").startswith("<!doctype html>\n<html")
    os.utime(scan, (1, 1))  # a copy has another time
    run(scan, "--weights", weights)
    assert "--tracks 10-70" in las.read_text() and "row 200 = 720 ft" in las.read_text()
    before = scan.stat().st_size
    if size == "the same size":  # another scan, not compressed
        scan.write_bytes(scan.read_bytes()[:-9] + bytes(range(9)))
    else:
        gray, _ = draw_waves(180, 117, phase=1)
        tifffile.imwrite(scan, gray, photometric="minisblack")
    assert (scan.stat().st_size == before) == (size == "the same size")
    run(scan, "--weights", weights)
    assert "has changed: say --depth --tracks of it again" in capsys.readouterr().err
    assert "row 200" not in las.read_text() and "--tracks 10" not in las.read_text()


def test_stopped_while_curves_are_written_it_keeps_what_was_said(scan, weights, monkeypatch):
    run(scan, "--weights", weights, "--curves", "--depth", "0=500", "200=520")
    las = scan.with_name("log.las")

    def fails(*_):
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr("wellseg.curves.files.CurveFiles.write", fails)
        run(scan, "--weights", weights, "--threshold", 0.4, status=1)
    assert "--threshold 0.5" in las.read_text()
    las.with_name("log.curves.csv").unlink()  # the LAS alone says that curves are wanted
    run(scan, "--weights", weights, "--threshold", 0.4)
    assert "--threshold 0.4" in las.read_text() and "row 200 = 520 ft" in las.read_text()


def test_each_page_keeps_its_own_depths(weights, tmp_path, capsys):
    pages = [draw_waves(rows, 117, phase=0)[0] for rows in (203, 150)]
    with tifffile.TiffWriter(tmp_path / "two.tif") as writer:
        for page in pages:
            writer.write(page, photometric="minisblack")
    run(tmp_path / "two.tif", "--weights", weights, "--curves")
    assert f"{tmp_path / 'two.tif'}, page 2: no tracks" in "".join(capsys.readouterr())
    curves_again([str(tmp_path / "two.p2.probability.tif"), "--depth", "0=500", "140=520"])
    run(tmp_path / "two.tif", "--weights", weights, "--threshold", 0.4)
    assert "row 140 = 520 ft" in (tmp_path / "two.p2.las").read_text()
    assert "row 140" not in (tmp_path / "two.las").read_text()


def test_a_unit_that_was_told_wrong_is_told_anew(scan, weights, capsys):
    run(scan, "--weights", weights, "--curves", "--depth", "0=100", "200=120", "--depth_unit", "m")
    assert lasio.read(str(scan.with_name("log.las"))).curves[0].unit == "M"
    run(scan, "--weights", weights, "--curves", "--depth_unit", "m", "--threshold", 0.6)
    run(scan, "--weights", weights, "--curves", "--depth_unit", "ft", "--threshold", 0.6)
    assert lasio.read(str(scan.with_name("log.las"))).curves[0].unit == "FT"
    run(scan, "--weights", weights, "--depth_unit", "m", status=2)
    said = "--depth_unit is for the files that --curves or --view writes"
    assert said in capsys.readouterr().err


def test_a_scale_stays_where_the_weights_file_was_renamed(scan, weights, tmp_path, capsys):
    run(scan, "--weights", weights, "--curves", "--tracks", "9-99", "--scale", "T1_C1_SOLID=0:150")
    renamed = tmp_path / "renamed.safetensors"
    renamed.write_bytes(weights.read_bytes())
    run(scan, "--weights", renamed, "--curves", "--depth", "0=100", "200=120")
    assert "forgotten" not in capsys.readouterr().err
    assert json.loads(scan.with_suffix(".json").read_text())["scale"] == ["T1_C1_SOLID=0:150"]


def test_of_an_upside_down_scan_no_curves_are_followed(weights, tmp_path, capsys):
    """Its rows are counted from the other end than a person sees them."""
    gray, _ = draw_waves(203, 117, phase=0)
    tags = [(274, 3, 1, 3, True)]
    tifffile.imwrite(tmp_path / "log.tif", gray, photometric="minisblack", extratags=tags)
    run(tmp_path, "--weights", weights, "--curves")
    assert "(orientation 3): no curves or depths" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.las")) and not list(tmp_path.glob("*.curves.csv"))
    assert "orientation 3" in (tmp_path / "summary.csv").read_text("utf-8")


@pytest.mark.parametrize("words", [[], ["--curves"]])
def test_of_a_sideways_scan_the_mask_is_made_and_doubts_are_told(weights, tmp_path, capsys, words):
    tags = [(274, 3, 1, 6, True)]
    gray, _ = draw_waves(203, 117, phase=0)
    tifffile.imwrite(tmp_path / "log.tif", gray, photometric="minisblack", extratags=tags)
    run(tmp_path / "log.tif", "--weights", weights, *words)
    said = capsys.readouterr().err
    assert "turned or mirrored (orientation 6): no curves or depths, a poor mask" in said
    assert tifffile.imread(tmp_path / "log.mask.tif").shape == gray.shape
    assert not list(tmp_path.glob("*.las")) and not list(tmp_path.glob("*.csv"))
    run(tmp_path / "log.tif", "--weights", weights, *words)
    assert "done already" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_killed_in_the_middle_it_leaves_no_result_and_the_next_run_no_rest(weights, tmp_path):
    tall = tmp_path / "tall.tif"
    gray, _ = draw_waves(30_000, 500, phase=0)
    tifffile.imwrite(tall, gray, compression="deflate", rowsperstrip=128)
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "wellseg.predict", tall, "--weights", weights),
            *("--out", out, "--scratch", scratch, "--memory", "600MB"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300  # on a busy machine, the start alone takes a minute
    while (
        not (_has_open(process.pid, out) and _has_open(process.pid, scratch))
        and process.poll() is None
        and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    assert process.poll() is None, "it was over before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert all(path.name.startswith(".wellseg-") for path in out.iterdir())
    assert not list(scratch.iterdir())
    tifffile.imwrite(tall, gray[:90])  # or it would take as long again
    run(tall, "--weights", weights, "--out", out)
    names = ["tall.json", "tall.mask.tif", "tall.overlay.png"]
    assert sorted(path.name for path in out.iterdir()) == names


def _has_open(pid, folder):
    """A scan is claimed there, or rows are kept in a file that has no name."""
    try:
        links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any(link.startswith(str(folder)) for link in links)


def test_importing_wellseg_does_not_import_torch():
    code = "import sys, wellseg; assert 'torch' not in sys.modules; wellseg.load_model; assert wellseg.__version__"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_wrong_array_is_refused(weights):
    with pytest.raises(ValueError, match=r"a scan is .* uint8, gray or RGB: not float64 \(3, 4\)"):
        wellseg.segment(wellseg.load_model(weights), np.zeros((3, 4)))


def test_what_is_no_array_of_numpy_is_refused(weights):
    image, model = pytest.importorskip("PIL.Image"), wellseg.load_model(weights)
    for scan, said in (
        (image.new("RGB", (4, 3)), r"<class 'PIL.Image.Image'> \(3, 4, 3\)"),
        (torch.zeros(3, 4, dtype=torch.uint8), r"torch.uint8 torch.Size\(\[3, 4\]\)"),
        (None, "NoneType"),
        (np.zeros((0, 4), np.uint8), r"uint8 \(0, 4\)"),
        (np.zeros((4, 0), np.uint8), r"uint8 \(4, 0\)"),
    ):
        with pytest.raises(ValueError, match=f"a scan is a file or NumPy uint8.*not .*{said}"):
            wellseg.segment(model, scan)


def test_a_name_for_a_model_is_refused_and_the_front_door_is_listed():
    with pytest.raises(
        TypeError, match=r"a model is what load_model\(\) gives, not 'paper-logs-29'"
    ):
        wellseg.segment("paper-logs-29", np.zeros((3, 4), np.uint8))
    assert {"load_model", "segment"} <= {*dir(wellseg)}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2_000_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("500mb", 500_000_000),
        (77, 77),
    ],
)
def test_sizes_are_read(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-2GB", "0", "2", "2 GBs", "1.2.3MB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="is not a size"):
        parse_bytes(text)


def test_a_page_shows_every_curve_pixel_of_a_tall_log_wherever_the_bands_end(monkeypatch):
    monkeypatch.setattr("wellseg.scan.pictures.PICTURE_PIXELS", 20_000)
    gray, mask = np.full((900, 100), 255, np.uint8), np.zeros((900, 100), np.uint8)
    mask[:, 37] = 255
    pages = []
    for band_rows in (7, 64, 900):
        page = FoldedPage(900, 100)
        for start in range(0, 900, band_rows):
            page.add(gray[start : start + band_rows], mask[start : start + band_rows])
        pages.append(page.picture())
    assert (
        page.reduction > 1 and pages[0].shape[1] > pages[0].shape[0]
    )  # reduced, and folded into columns
    for picture in pages:
        np.testing.assert_array_equal(picture, pages[0])
    red = (pages[0][HEAD_PX:] == (230, 20, 40)).all(2)
    assert red.sum() == 900 // page.reduction


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_overlay_is_upright_and_the_mask_as_stored(orientation, weights, tmp_path):
    upright = np.full((80, 60), 255, np.uint8)
    upright[:40, :30] = 0  # ink at the upper left, as a person sees it
    transposed = upright.T if orientation > 4 else upright
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (-1, 1), 7: (-1, -1), 8: (1, -1)}.get(
        orientation, (1, 1)
    )
    stored = transposed[:: flips[0], :: flips[1]]
    tags = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(tmp_path / "log.tif", stored, photometric="minisblack", extratags=tags)
    run(tmp_path / "log.tif", "--weights", weights, "--threshold", 0.99999)
    assert tifffile.imread(tmp_path / "log.mask.tif").shape == stored.shape
    overlay = cv2.imread(str(tmp_path / "log.overlay.png"), cv2.IMREAD_GRAYSCALE)
    overlay = overlay[HEAD_PX:][:80, :60]
    np.testing.assert_array_equal(overlay < 200, upright == 0)


@pytest.mark.parametrize(
    ("flags", "lost", "refused"),
    [
        ([], ["scan.las", "scan.1.las", "scan.html", "scan.curves.csv"], False),
        (["--curves"], ["scan.las"], True),
        (["--view"], ["scan.html"], True),
        ([], ["scan.json"], True),
    ],
)
def test_files_of_others_beside_the_scan_stay(tmp_path, flags, lost, refused, capsys):
    """A log's LAS of the scan's name stands beside it in every archive."""
    scan = tmp_path / "scan.tif"
    tifffile.imwrite(scan, np.full((64, 64), 255, np.uint8))
    for name in lost:
        (tmp_path / name).write_text('{"VERS": "2.0: of a vendor"}\n')
    with pytest.raises(SystemExit) as ended:
        main([str(scan), "--overwrite", *flags])
    assert bool(ended.value.code) == refused
    for name in lost:
        assert "of a vendor" in (tmp_path / name).read_text()
    if refused:
        assert f"{lost[0]} is not wellseg's: move it away" in capsys.readouterr().err
        assert not (tmp_path / "scan.mask.tif").exists()


@pytest.mark.parametrize("lost", ["summary.csv", "index.html"])
def test_the_summary_of_a_folder_replaces_no_file_of_others(tmp_path, lost, capsys):
    tifffile.imwrite(tmp_path / "scan.tif", np.full((64, 64), 255, np.uint8))
    (tmp_path / lost).write_text("well,operator\n")
    for _ in range(2):  # nor later
        with pytest.raises(SystemExit) as ended:
            main([str(tmp_path)])
        assert ended.value.code
        assert f"{lost} is not wellseg's: move it away" in capsys.readouterr().err
        assert (tmp_path / lost).read_text() == "well,operator\n"
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), "--out", str(tmp_path / "out")])
    assert not ended.value.code
    with pytest.raises(SystemExit) as ended:  # its own are replaced
        main([str(tmp_path), "--out", str(tmp_path / "out"), "--overwrite"])
    assert not ended.value.code


def test_view_and_curves_stay_when_others_are_made(tmp_path):
    """As the README has them, one after the other."""
    scan = tmp_path / "scan.tif"
    tifffile.imwrite(scan, np.full((64, 64), 255, np.uint8))
    there = lambda: {path.name for path in tmp_path.iterdir()}  # noqa: E731
    for flags, kept in (
        (["--view"], {"scan.html", "scan.view"}),
        (["--curves"], {"scan.html", "scan.view", "scan.las", "scan.curves.csv"}),
        (["--view"], {"scan.html", "scan.las", "scan.curves.csv", "scan.probability.tif"}),
    ):
        with pytest.raises(SystemExit, match="0"):
            main([str(scan), *flags])
        assert there() >= kept
    with pytest.raises(SystemExit, match="0"):
        main([str(scan), "--threshold", "0.4"])
    assert there() >= {"scan.html", "scan.view", "scan.las", "scan.curves.csv"}
    with pytest.raises(SystemExit, match="0"):  # a pattern: the masks of the last time are no scans
        main([str(tmp_path / "*.tif"), "--threshold", "0.4"])
    assert "scan.mask.mask.tif" not in there()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--depth", "1=100", "64=200"], "--depth of row 64: the scan has rows 0 to 63"),
        (
            ["--scale", "GR=0:9:GAPI", "GR:64-99=9:18:GAPI"],
            "--scale GR to row 99: the scan has rows 0 to 63",
        ),
        (
            ["--scale", "GR=0:9:GAPI", "GR:15-640=9:18:GAPI"],  # for 64
            "--scale GR to row 640: the scan has rows 0 to 63",
        ),
        (["--tracks", "10-65"], "--tracks or --scale at column 65: it has 64 columns"),
        (["--rows", "10-64"], "--rows 10-64: the scan has rows 0 to 63"),
    ],
)
def test_depths_and_tracks_beyond_the_scan_are_refused(tmp_path, flags, said, capsys):
    scan = tmp_path / "scan.tif"
    tifffile.imwrite(scan, np.full((64, 64), 255, np.uint8))
    with pytest.raises(SystemExit, match="1"):
        main([str(scan), "--curves", *flags])
    assert said in capsys.readouterr().err and not (tmp_path / "scan.mask.tif").exists()

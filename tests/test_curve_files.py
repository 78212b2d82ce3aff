"""predict --curves and wellseg curves: the files of curves that are known, and their options."""

import csv
import hashlib
import json
import math
import os
import re
from hashlib import sha256
from types import SimpleNamespace
from unittest.mock import Mock

import cv2
import lasio
import numpy as np
import pytest
import tifffile
from fsspec.implementations.local import LocalFileSystem

from wellseg.config import PredictConfig
from wellseg.curves import remove_curves
from wellseg.curves.files import CurveFiles, CurveWriter
from wellseg.curves.options import OF_ONE_SCAN, CurveOptions, parse_depth
from wellseg.curves.tracks import Tracks
from wellseg.review.again import follow_ink
from wellseg.review.command import CurvesConfig, main
from wellseg.review.corrected import curves_of_table
from wellseg.review.options import Stroke
from wellseg.scan import ScanError
from wellseg.scan.atomic import write_file
from wellseg.scan.files import Task, claim
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import MaskWriter, write_picture
from wellseg.scores.masks import score_log
from wellseg.training.data_folder import list_logs
from wellseg.training.masks import read_label, read_mask

ROWS, COLUMNS = 1600, 400


def sine(middle, size=30, period=400):
    return middle + size * np.sin(2 * np.pi * np.arange(ROWS) / period)


def draw(*curves):
    """A mask of curves, each columns by row, NaN where it is not drawn."""
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    for curve in curves:
        points = np.stack([curve, np.arange(ROWS)], 1)
        for part in np.split(points, np.flatnonzero(np.isnan(curve))):
            line = np.rint(part[~np.isnan(part[:, 0])]).astype(np.int32)
            if len(line):
                cv2.polylines(mask, [line[:, None]], False, 255, 5)
    return mask


def scan_of(picture):
    told = {"rows": len(picture), "columns": picture.shape[1], "likely_dpi": 200}
    return SimpleNamespace(**told, read=lambda first, stop: picture[first:stop])


def write(folder, mask, name="log.tif", coloured=False, **options):
    """The CSV's lines, and the CurveWriter."""
    paper = np.dstack([255 - mask] * 3) if coloured else 255 - mask
    writer = CurveWriter(folder / "log", name, scan_of(paper), CurveOptions(**options))
    for start in range(0, ROWS, 700):
        part = slice(start, start + 700)
        writer.put(paper[part], mask[part], mask[part])
    writer.finish()
    return read(folder / "log.curves.csv"), writer


def read(path):
    return list(
        csv.DictReader(line for line in path.open(encoding="utf-8") if not line.startswith("#"))
    )


def las_of(path):
    return lasio.read(str(path))


def test_csv_and_las_say_the_same_a_column_a_curve_from_the_left(tmp_path):
    right, left = sine(280), sine(90)
    lines, writer = write(tmp_path, draw(right, left), tracks=["50-150", "200-400"])
    las = las_of(tmp_path / "log.las")
    assert las.keys() == ["INDEX", "T1_C1_SOLID", "T2_C1_SOLID"]
    assert [one["name"] for one in writer.entries] == ["T1_C1_SOLID", "T2_C1_SOLID"]
    for name, curve, (low, high) in (
        ("T1_C1_SOLID", left, (50, 150)),
        ("T2_C1_SOLID", right, (200, 400)),
    ):
        mine = [line for line in lines if line["curve"] == name]
        assert {line["track"] for line in mine} == {name[1]}
        rows = np.array([int(line["row"]) for line in mine])
        columns = np.array([float(line["column"]) for line in mine])
        assert np.abs(columns - curve[rows]).max() < 3
        assert all(float(at["left"]) <= float(at["column"]) <= float(at["right"]) for at in mine)
        values = np.array([float(line["value"]) for line in mine])
        np.testing.assert_allclose(values, (columns + 0.5 - low) / (high - low), atol=1e-3)
        np.testing.assert_allclose(las[name][rows - int(las["INDEX"][0])], values, atol=1e-4)
    assert "solid, 5 px, confidence 1.00, 0 % bridged" == las.curves[1].descr
    assert las.well["NULL"].value == -999.25
    assert (tmp_path / "log.curves.csv").read_text().startswith("# Curves found by wellseg")


def test_short_pieces_are_named_after_the_curves_of_their_track(tmp_path):
    at = np.arange(ROWS)
    letter = np.where(at < 60, 225 + at / 5, np.nan)  # to the left of both
    lines, _ = write(tmp_path, draw(sine(280), letter, sine(360)), tracks=["200-400"])
    rows = {
        name: sum(one["curve"] == name for one in lines)
        for name in las_of(tmp_path / "log.las").keys()[1:]
    }
    assert [*rows] == ["T1_C1_SOLID", "T1_C2_SOLID", "T1_C3_SOLID"]
    assert rows["T1_C1_SOLID"] == rows["T1_C2_SOLID"] > 1500 and rows["T1_C3_SOLID"] < 80


def test_a_missing_value_is_missing(tmp_path):
    curve, other = sine(90), sine(280)
    curve[500:900] = np.nan
    lines, _ = write(tmp_path, draw(curve, other), tracks=["0-200", "200-400"])
    here = {int(line["row"]) for line in lines if line["track"] == "1"}
    assert not here & set(range(520, 880)) and {300, 1200} <= here
    las = las_of(tmp_path / "log.las")
    first = np.stack([las[name] for name in las.keys() if name.startswith("T1")])
    assert np.isnan(first[:, 520:880]).all()
    assert "-999.25" in (tmp_path / "log.las").read_text()


def test_a_curve_out_of_sight_for_long_is_one_column_without_values_there(tmp_path):
    curve = sine(100)
    curve[600:800] = np.nan
    lines, writer = write(tmp_path, draw(curve), tracks=["50-150"])
    assert {line["curve"] for line in lines} == {"T1_C1_SOLID"}
    rows = np.array([int(line["row"]) for line in lines])
    assert not np.any((rows > 605) & (rows < 795))
    values = las_of(tmp_path / "log.las")["T1_C1_SOLID"]
    assert np.isnan(values[610:790]).all()
    assert not np.isnan(values[:590]).any()
    (shown,) = writer.entries
    above, below = (np.array(line)[1::2] for line in shown["lines"])
    assert above.max() < 606 < 794 < below.min()
    assert "0 % bridged" in shown["about"]


def test_a_curve_off_its_scale_is_one_column_that_goes_on_beyond_its_track(tmp_path):
    true = sine(180, -50, 400)  # the track ends at column 200: beyond, it is printed from 60 on
    true[1400:] = np.nan
    printed = np.where(true > 200, true - 140, true)
    cut = printed.copy()
    cut[np.abs(np.diff(printed, prepend=printed[0])) > 100] = np.nan
    lines, _ = write(tmp_path, draw(cut), tracks=["60-200"])
    assert {line["curve"] for line in lines} == {"T1_C1_SOLID"}
    rows = np.array([int(line["row"]) for line in lines])
    column, value, flags = (
        np.array([float(line[name]) for line in lines]) for name in ("column", "value", "flags")
    )
    off = flags.astype(int) & 2 > 0
    assert np.mean(off == (true[rows] > 200)) > 0.97
    assert np.abs(column - printed[rows])[off].mean() < 2
    assert np.abs(value - (true[rows] + 0.5 - 60) / 140).mean() < 0.02


def test_the_csv_has_depths_where_they_are_known(tmp_path):
    lines, _ = write(tmp_path, draw(sine(90)), depth=["200=1000", "1200=1100"])
    assert list(lines[0])[-2:] == ["track_right", "depth_ft"]
    depths = {int(line["row"]): line["depth_ft"] for line in lines}
    assert depths[90] == "" and depths[1310] == "" and len(depths) > 1500
    for row in (105, 200, 705, 1295):
        assert float(depths[row]) == pytest.approx(1000 + (row - 200) / 10)
    assert las_of(tmp_path / "log.las")["DEPT"][0] == float(depths[100])
    given = {"depth": ["0-700=100-170", "900-1500=20-80"], "depth_unit": "m"}
    lines, _ = write(tmp_path, draw(sine(90)), **given)  # two logs
    depths = {int(line["row"]): line["depth_m"] for line in lines}
    assert (depths[650], depths[950]) == ("165.0000", "25.0000")
    assert list(write(tmp_path, draw(sine(90)))[0][0])[-1] == "track_right"


def test_depth_of_several_logs_and_a_step(tmp_path):
    write(tmp_path, draw(sine(90)), depth=["0-700=1000-1070", "900-1500=1020-1080"], step=0.5)
    first, second = (las_of(tmp_path / f"log.{number}.las") for number in (1, 2))
    assert not (tmp_path / "log.las").exists()
    assert first.well["STEP"].value == 0.5 and first.well["STRT"].unit == "FT"
    assert np.allclose(np.diff(first["DEPT"]), 0.5) and first["DEPT"][0] % 0.5 == 0
    for las, top in ((first, 1000), (second, 1020 - 90)):
        rows = (las["DEPT"] - top) * 10
        inside = (rows > 60) & (rows < 1500)
        want = (sine(90)[np.rint(rows[inside]).astype(int)] + 0.5) / COLUMNS
        np.testing.assert_allclose(las["T0_C1_SOLID"][inside], want, atol=0.01)
    write(tmp_path, draw(sine(90)), depth=["0=1000", "1500=1150"], depth_unit="m")
    las = las_of(tmp_path / "log.las")
    assert las.well["STRT"].unit == "M" and las.well["STEP"].value == pytest.approx(0.1)
    assert not (tmp_path / "log.1.las").exists()


def test_of_more_curves_than_a_las_takes_each_log_has_its_longest(tmp_path, monkeypatch):
    monkeypatch.setattr("wellseg.curves.files.MOST_CURVES", 1)
    long, short, other = sine(40), sine(360), sine(200)
    long[700:], short[:900], other[:1000], other[1300:] = (np.nan,) * 4
    _, writer = write(tmp_path, draw(long, short, other), depth=["0-700=0-70", "900-1500=100-160"])
    first, second = (las_of(tmp_path / f"log.{number}.las") for number in (1, 2))
    assert first.keys() == ["DEPT", "T0_C1_SOLID"] and second.keys() == ["DEPT", "T0_C3_SOLID"]
    assert second["DEPT"][0] == pytest.approx(100, abs=0.5)  # no rows without a curve
    assert [note for note in writer.notes if "not in log.2.las" in note] == [
        "1 curves of at most 302 rows are not in log.2.las"
    ]


def test_of_curves_as_long_as_each_other_no_more_are_in_a_las(tmp_path, monkeypatch):
    monkeypatch.setattr("wellseg.curves.files.MOST_CURVES", 1)
    _, writer = write(tmp_path, draw(sine(90), sine(280)))
    assert las_of(tmp_path / "log.las").keys() == ["INDEX", "T0_C1_SOLID"]
    assert any(note.startswith("1 curves of at most") for note in writer.notes)


def test_the_last_depth_has_its_value_where_it_is_a_multiple_of_the_step(tmp_path):
    line = sine(90)
    line[:11], line[113:] = np.nan, np.nan
    write(tmp_path, draw(line), depth=["0=0", "900=90"], step=0.1)
    las = las_of(tmp_path / "log.las")
    assert not np.isnan(las[las.keys()[1]]).any()


def test_each_log_has_its_own_curves_and_borders(tmp_path, monkeypatch):
    above, below = sine(90), sine(280)
    above[700:], below[:900] = np.nan, np.nan
    depth = ["0-700=-50-20", "900-1500=-50--20"]  # above the sea, in metres
    ink, borders = draw(above, below), np.array([[[50, 190]], [[240, 380.0]]])
    tracks = Tracks(np.array([350, 1200.0]), borders, 2000)
    monkeypatch.setattr("wellseg.curves.files.find_tracks", lambda *_: tracks)
    options = CurveOptions(depth=depth)
    writer = CurveWriter(tmp_path / "log", "log.tif", scan_of(255 - ink), options)
    writer.put(255 - ink, ink, ink)
    writer.finish()
    left, right = tracks.at(np.arange(ROWS))[:, 0].T
    for number, column, first, each in ((1, above, 0, 10), (2, below, 900, 20)):
        las, values = las_of(tmp_path / f"log.{number}.las"), (column - left) / (right - left)
        rows = np.rint(first + (las["DEPT"] + 50) * each).astype(int)
        assert len(las.keys()) == 2 and np.nanmax(np.abs(las[1] - values[rows])) < 0.03


def test_values_are_in_units_by_the_printed_scale(kept, followed, capsys):
    table = str(followed / "log.curves.csv")
    names = list(dict.fromkeys(line["curve"] for line in read(followed / "log.curves.csv")))
    plain = las_of(followed / "log.las")
    assert {curve.unit for curve in plain.curves[1:]} == {"FRAC"}
    edit = ["--edit", f"{names[0]}=ILD"]
    main([table, *edit, "--scale", "ILD=0.2:2000:OHMM:log", f"{names[1]}=45:-15:%"])
    las, report = las_of(followed / "log.las"), json.loads((followed / "log.json").read_text())
    np.testing.assert_allclose(las["ILD"], 0.2 * 1e4 ** plain[names[0]], rtol=1e-3)
    np.testing.assert_allclose(las[names[1]], 45 - 60 * plain[names[1]], atol=1e-3)
    assert [curve.unit for curve in las.curves[1:]] == ["OHMM", "%"]
    assert report["curve_list"][0]["scale"] == [0.2, 2000, "OHMM", True, []]
    assert "ILD=0.2:2000:OHMM:log" in (followed / "log.las").read_text()
    main([table])  # as the last time
    assert [curve.unit for curve in las_of(followed / "log.las").curves[1:]] == ["OHMM", "%"]
    capsys.readouterr()
    main([table, "--scale", "ILD=0:10:V"])
    for word, said in (
        ("SP=-80:20:MV", f"--scale: there is no curve SP in {table}; it has ILD, {names[1]}"),
        ("ILD", "--scale 'ILD' is not CURVE=LEFT:RIGHT:UNIT"),
        ("ILD:0:10:V", "--scale 'ILD:0:10:V' is not CURVE=LEFT:RIGHT:UNIT"),
    ):
        with pytest.raises(SystemExit):
            main([table, "--scale", word])
        assert said in capsys.readouterr().err
    assert [curve.unit for curve in las_of(followed / "log.las").curves[1:]] == ["V", "%"]
    main([table, "--scale", f"{names[1]}=", "SP="])  # taken away; the other stays
    assert [curve.unit for curve in las_of(followed / "log.las").curves[1:]] == ["V", "FRAC"]
    main([table, "--edit", "ILD=LLD"])  # its scale goes with it
    assert [curve.unit for curve in las_of(followed / "log.las").curves[1:]] == ["V", "FRAC"]
    main([table, "--scale", "none", "--edit", "LLD=ILD"])
    las = las_of(followed / "log.las")
    np.testing.assert_allclose(las["ILD"], plain[names[0]], atol=1e-5)
    main([table, "--scale", "ILD=0:10:V", f"{names[1]}=45:-15:%"])
    capsys.readouterr()
    main([table, "--edit", f"{names[1]}="])  # its scale goes with it, too
    main([table])
    assert "no curve" not in capsys.readouterr().out
    assert json.loads((followed / "log.json").read_text())["scale"] == ["ILD=0:10:V"]
    (followed / "log.curves.csv").unlink()
    probability = str(followed / "log.probability.tif")
    main([probability])  # the same names are the same curves
    assert json.loads((followed / "log.json").read_text())["scale"] == ["ILD=0:10:V"]
    capsys.readouterr()
    main([probability, "--threshold", "0.6"])  # they may be others
    assert "curves are followed anew: the former --scale is forgotten" in capsys.readouterr().out
    assert "scale" not in json.loads((followed / "log.json").read_text())


def test_a_scale_may_be_printed_at_columns_of_its_own(followed, capsys):
    table = followed / "log.curves.csv"
    names = list(dict.fromkeys(line["curve"] for line in read(table)))
    main([str(table), "--scale", f"{names[0]}=0:150:GAPI@100-200", f"{names[1]}=45:-15:%"])
    found, las = read(table), las_of(followed / "log.las")
    true = {int(it["row"]): 1.5 * (float(it["column"]) + 0.5 - 100)
            for it in found if it["curve"] == names[0]}  # fmt: skip
    there = ~np.isnan(las[names[0]])
    seen = dict(zip(las["INDEX"][there].astype(int), las[names[0]][there], strict=True))
    assert seen == pytest.approx(true, abs=0.1)
    main([str(table)])
    assert las_of(followed / "log.las")[names[0]] == pytest.approx(las[names[0]], nan_ok=True)
    lines = table.read_text().replace(f"{names[0]},1,", f"{names[0]},0,")
    table.write_text(lines)  # in no track
    capsys.readouterr()
    main([str(table)])
    assert "no curve" not in capsys.readouterr().out
    assert las_of(followed / "log.las").curves[1].unit == "GAPI"
    for word, said in (
        ("9999", "at column 9,999: it has"),
        ("50", "at '100-50' is not LEFT-RIGHT in columns"),
    ):
        with pytest.raises(SystemExit):
            main([str(table), "--scale", f"{names[0]}=0:150:GAPI@100-{word}"])
        assert re.search(said, capsys.readouterr().err)


def test_a_printed_scale_may_change_at_a_row(followed, capsys):
    table = str(followed / "log.curves.csv")
    name, other = dict.fromkeys(line["curve"] for line in read(followed / "log.curves.csv"))
    plain = las_of(followed / "log.las")[name]
    row = las_of(followed / "log.las")["INDEX"]
    words = f"{name}=0:150:GAPI", f"{name}:300-499=150:300:GAPI", f"{name}:600-1,599=1:100:GAPI:log"
    main([table, "--scale", *words])
    las, report = las_of(followed / "log.las"), json.loads((followed / "log.json").read_text())
    changed, last = (row >= 300) & (row <= 499), row >= 600
    np.testing.assert_allclose(las[name][changed], 150 + 150 * plain[changed], atol=2e-3)
    np.testing.assert_allclose(las[name][last], 100 ** plain[last], rtol=1e-3)
    np.testing.assert_allclose(
        las[name][~changed & ~last], 150 * plain[~changed & ~last], atol=2e-3
    )
    assert report["scale"] == list(words)
    assert report["curve_list"][0]["scale"] == [0, 150, "GAPI", False, []]
    first = [[300, 499], [150, 300, "GAPI", False, []]]
    assert report["curve_list"][0]["scale_changes"][0] == first
    assert "1:100:GAPI:log" in (followed / "log.las").read_text()
    main([table, "--edit", f"{name}=GR", "--scale", "GR:600-1,599="])  # they go with it; one ends
    report = json.loads((followed / "log.json").read_text())
    assert report["scale"] == ["GR=0:150:GAPI", "GR:300-499=150:300:GAPI"]
    assert " stays" not in capsys.readouterr().out
    main([table, "--scale", "GR=0:150:GAPI"])  # perhaps another: rows 300 to 499 keep theirs
    said = "--scale GR:300-499=150:300:GAPI stays (GR:300-499= takes it away)"
    assert said in capsys.readouterr().out
    for word, said in (
        (f"{other}:300-499=0:1:V", f"{other}:300-499: give {other}= for its other rows, too"),
        ("GR:300-499=0:1:V", "GR:300-499: give GR= for its other rows, too, in the same unit"),
        ("GR=0:1:V", "in the same unit, or GR:300-499= to end it"),  # it was given before
        ("GR:499-300=0:1:GAPI", "GR in '499-300' is not FROM-TO in rows"),
        ("GR:450-600=0:1:GAPI", "--scale GR: two scales for the same rows"),  # 300 to 499 has one
        ("GR=0:1:V GR=0:2:V", "--scale GR: two scales for the same rows"),
        ("GR:5-1,900=0:1:GAPI GR:5-1900=0:2:GAPI", "--scale GR: two scales for the same rows"),
    ):
        with pytest.raises(SystemExit):
            main([table, "--scale", *word.split()])
        assert said in capsys.readouterr().err
    main([table, "--edit", "GR="])  # removed, and its scales with it
    assert "scale" not in json.loads((followed / "log.json").read_text())


@pytest.mark.parametrize(
    ("had", "words", "has"),
    [
        ("A=0:1:V A:5-1,900=0:2:V", ["--scale", "A="], None),  # its other rows, too
        ("A=0:1:V A:5-1,900=0:2:V", ["--scale", "A:5-1900="], "A=0:1:V"),
        ("A=0:1:V A:5-1,900=0:2:V", ["--scale", "A:5-1900=0:3:V"], "A=0:1:V A:5-1900=0:3:V"),
        ("A=0:1:V A:5-9=0:2:V", ["--scale", "A=", "A=0:3:V"], "A=0:3:V"),  # anew
        (" A=0:1:V A:5-9=0:2:V", ["--scale", "B=0:9:X"], "A=0:1:V A:5-9=0:2:V B=0:9:X"),
        ("A=0:1:V A:5-9=0:2:V B=0:9:X B:5-9=0:8:X", ["--edit", "A=B"], "B=0:9:X B:5-9=0:8:X"),
        ("B=0:9:X A=0:1:V A:5-9=0:2:V", ["--edit", "A=B"], "B=0:9:X"),
        ("A=0:1:V A:5-9=0:2:V", ["--edit", "A=B"], "B=0:1:V B:5-9=0:2:V"),
        ("A=0:1:V A:5-9=0:2:V B=0:9:X", ["--edit", "A=B", "B=A"], "B=0:1:V B:5-9=0:2:V A=0:9:X"),
        ("A=0:1:V A:5-9=0:2:V B=0:9:X", ["--edit", "A=", "B=A"], "A=0:9:X"),
    ],
)
def test_scales_in_some_rows_go_and_end_with_those_of_all(tmp_path, had, words, has):
    had = [had[:8], *had[8:].split()] if had[0] == " " else had.split()
    (tmp_path / "log.json").write_text(json.dumps({"format": 1, "scale": had}))
    flag, *given = words
    config = CurvesConfig(file=str(tmp_path / "log.curves.csv"), **{flag[2:]: given})
    assert config.scale == (has or "").split()


@pytest.mark.parametrize(
    ("words", "scale", "told"),
    [
        ("A=B", "", "A=0:1:V@5-9 ended: give B:FROM-TO=0:1:V@5-9 for its rows"),
        ("A=C B=C", "", "A=0:1:V@5-9 ended: give C:FROM-TO=0:1:V@5-9 for its rows"),
        ("B=A", "", "B=0:9:V ended: give A:FROM-TO=0:9:V for its rows"),
        ("A=B", "B:3-8=0:1:V@5-9", None),  # it was given
        ("B=D", "", None),  # the same
        ("A=E", "", None),  # which has had none
        ("A=B B=A", "", None),
        ("A=", "", None),
        ("A:3-8=B", "", None),  # the rest of A has it
    ],
)
def test_that_a_curve_is_on_the_scale_of_the_one_it_was_joined_to_is_told(
    tmp_path, words, scale, told
):
    had = ["A=0:1:V@5-9", "B=0:9:V", "D=0:9:V"]
    (tmp_path / "log.json").write_text(json.dumps({"format": 1, "scale": had}))
    table = str(tmp_path / "log.curves.csv")
    config = CurvesConfig(file=table, edit=words.split(), scale=scale.split())
    said = [note for note in config.told if "ended" in note]
    assert said == ([f"--scale {told}"] if told else [])


def test_between_two_rows_of_different_scales_values_lie_between_theirs(followed):
    table = str(followed / "log.curves.csv")
    name = next(iter(dict.fromkeys(line["curve"] for line in read(followed / "log.curves.csv"))))
    share = las_of(followed / "log.las")[name]  # 0 to 1
    last = len(share) - 1
    words = f"{name}=1:2:V", f"{name}:300-399=11:12:V", f"{name}:400-499=21:22:V"
    main([table, "--scale", *words, "--depth", "0=0", f"{last}={last}", "--step", "0.5"])
    las = las_of(followed / "log.las")
    row = np.arange(len(share))
    values = share + np.select(
        [(row >= 300) & (row < 400), (row >= 400) & (row < 500)], [11, 21], 1
    )
    np.testing.assert_allclose(
        las[name],
        np.interp(las["DEPT"], row[~np.isnan(share)], values[~np.isnan(share)]),
        atol=2e-3,
    )


def test_a_scale_in_some_rows_is_never_in_a_unit_of_another_or_dropped_unsaid(tmp_path):
    """A curve in no track has a scale at columns alone."""
    name, columns = "T0_C1_SOLID", "@20-200"
    for first, other, told in (
        ("0:100:GAPI", f"0:200:GAPI{columns}", f"--scale: no curve {name} of that name"),
        (f"0:100:GAPI{columns}", "0:200:GAPI", "FROM-TO: in no track: add @LEFT-RIGHT, columns"),
    ):
        _, writer = write(
            tmp_path, draw(sine(100)), scale=[f"{name}={first}", f"{name}:300-499={other}"]
        )
        (entry,) = writer.entries
        assert entry["name"] == name and not entry["scale_changes"]
        assert any(told in note for note in writer.notes)


@pytest.mark.parametrize(
    "scale",
    [
        "GR",
        "GR=0",
        "GR=5:5:GAPI",
        "GR=0:150:G API",
        "ILD=0:2000:OHMM:log",
        "GR=0:1:a:b",
        'CAL=6:16:"',
        "A=0:1:FRAC",
        "A=0:1:frac",
        "A=0:1:LOG",
        "A=1:2:log:log",
        "A=1:2:frac@3-4",
        "DT=140:40:µs/ft",
        "A=0:" + 20 * "9",
    ],
)
def test_wrong_scales_are_refused(scale):
    with pytest.raises(ValueError, match=r"^--scale '.*' is not CURVE=LEFT:RIGHT:UNIT, as"):
        CurveOptions(scale=[scale])


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        ("GR=0,2:150", "decimals have a point"),
        ("GAS=0:1,000:UNITS", "no comma in 1000, decimals have a point"),
        ("GR=0:150:G API", "no spaces, nor without ="),
        ("GR", "no spaces, nor without ="),  # GR = 0:150
        ("DT=140:40:µs/ft", "UNIT has letters A to Z, digits and / % . - alone"),
        ("GR=5:5:GAPI", "as in GR=0:150:GAPI or ILD=0.2:2000:OHMM:log (above 0)"),
    ],
)
def test_what_is_wrong_with_a_scale_is_said(scale, said):
    with pytest.raises(ValueError, match=rf"{re.escape(said)}$"):
        CurveOptions(scale=[scale])


def test_a_scan_of_one_row_is_one_line(tmp_path):
    paper = np.full((1, 50), 255, np.uint8)
    writer = CurveWriter(tmp_path / "log", "log.tif", scan_of(paper), CurveOptions())
    writer.put(*np.zeros((3, 1, 50), np.uint8))
    writer.finish()
    data = (tmp_path / "log.las").read_text().split("~ASCII")[1].splitlines()[1:]
    assert [int(line) for line in data] == [0]


def test_a_line_break_in_a_scans_name_is_none_in_its_files(tmp_path):
    """They would begin with a line that is neither a comment nor the columns' names."""
    lines, _ = write(tmp_path, draw(sine(100)), name="new\nline.tif")
    assert {line["curve"] for line in lines} == {"T0_C1_SOLID"}
    assert "new line.tif" in (tmp_path / "log.curves.csv").read_text().splitlines()[0]
    las = las_of(tmp_path / "log.las")
    assert len(las.curves) == 2 and las.well["WELL"].value == "new line" and "break" not in las.well


def test_a_step_as_long_as_the_log_does_not_lead_beyond_it(tmp_path):
    write(tmp_path, draw(sine(90)), depth=["0=1001", "1599=1051"], step=50)
    assert las_of(tmp_path / "log.las")["DEPT"].tolist() == [1050]


def test_a_curve_between_two_lines_of_a_las_is_said_to_be_missing(tmp_path):
    short = sine(280)
    short[:500] = short[600:] = np.nan
    how = {"tracks": ["50-150", "200-400"], "depth": ["0=1000", "1599=1100"]}
    for step, there in ((25, False), (None, True)):
        _, writer = write(tmp_path, draw(sine(90), short), step=step, **how)
        assert ("T2_C1_SOLID" in las_of(tmp_path / "log.las").keys()) == there
        assert any("T2_C1_SOLID: no value" in note for note in writer.notes) != there


def test_files_of_earlier_logs_go_and_those_of_another_scan_stay(tmp_path):
    for name in ("log.1.las", "log.2.las", "log.2.curves.csv", "log.30.las"):
        (tmp_path / name).write_text("of wellseg")
    write(tmp_path, draw(sine(90)))
    assert {path.name for path in tmp_path.glob("*.las")} == {"log.las", "log.2.las"}
    remove_curves(tmp_path / "log")
    assert {path.name for path in tmp_path.glob("*.las")} == {"log.2.las"}


def test_beyond_the_outermost_rows_the_depth_is_not_known_and_it_is_said(tmp_path):
    _, writer = write(tmp_path, draw(sine(90)), depth=["600=2000", "1000=2040"])
    las = las_of(tmp_path / "log.las")
    assert (las.well["STRT"].value, las.well["STOP"].value) == (1996.0, 2044.0)
    assert any("too far from those of --depth" in note for note in writer.notes)
    assert not any("ROW=DEPTH" in note for note in writer.notes)
    line = sine(90)
    line[700:] = np.nan
    _, writer = write(tmp_path, draw(line), depth=["1200=300", "1500=600"])  # swapped
    assert any("ROW=DEPTH" in note for note in writer.notes)
    _, writer = write(tmp_path, draw(sine(90)), depth=["0=2000", "1599=2040"])
    assert not any("depth" in note for note in writer.notes)
    above, below = sine(90), sine(280)
    above[600:], below[:1000] = np.nan, np.nan  # no curve between two logs
    _, writer = write(tmp_path, draw(above, below), depth=["0-600=100-170", "1000-1590=20-80"])
    assert not any("too far" in note for note in writer.notes)


def test_depth_bends_at_known_rows_and_ends_between_two_logs():
    scale = CurveOptions(depth=["1,000=100", "2000=200.5", "3000=400"])
    assert [scale.depth_at(row) for row in (1000, 1500, 2500)] == [100, 150.25, 300.25]
    assert scale.depth_at(700) is None and scale.depth_at(800) == pytest.approx(79.9)
    first, second = parse_depth(["900-2000=100-300", "2100-3000=200-300"])
    assert first.reach == (790, 2050) and second.reach == (2050, 3090)
    bent, second = parse_depth(["2000-2600=300-500", "900-2000=100-300", "2700-3000=200-300"])
    assert bent.at(1450) == 200 and bent.at(2300) == 400 and bent.reach == (730, 2650)
    assert len(parse_depth(["900-2000=100-300", "2000-2600=301-500"])) == 2, "they do not meet"


@pytest.mark.parametrize("coloured", [False, True])
def test_rows_limit_the_curves_and_names_and_numbers_stand_in_the_las(tmp_path, coloured):
    mask, name = draw(sine(90)), "33-025-01275-0001.tif"
    lines, _ = write(tmp_path, mask, name, coloured, rows="400-1,000")
    assert {int(line["row"]) for line in lines} <= set(range(400, 1001)) and len(lines) > 560
    las = las_of(tmp_path / "log.las")
    assert str(las.well["API"].value) == "3302501275"
    assert str(las.well["WELL"].value) == "33-025-01275-0001"
    write(tmp_path, mask, "Øst Łódź ß 1.tif", rows="400-1,000")
    assert str(las_of(tmp_path / "log.las").well["WELL"].value) == "Ost Lodz ss 1"
    with pytest.raises(ScanError, match="the scan has rows 0 to 1,599"):
        write(tmp_path, mask, rows="1600-1700")


def test_without_curves_the_files_say_so(tmp_path):
    lines, writer = write(tmp_path, draw())
    assert lines == [] and writer.quality()["curves"] == 0
    assert las_of(tmp_path / "log.las").keys() == ["INDEX"]


def test_lines_of_the_view_stay_within_a_pixel(tmp_path):
    _, writer = write(tmp_path, draw(sine(90)))
    (line,) = writer.entries[0]["lines"]
    assert (line[1], line[-1]) == (0, ROWS - 1) and len(line) < 300
    off = np.interp(np.arange(ROWS), line[1::2], line[::2]) - 0.5 - sine(90)
    assert np.abs(off).max() < 3


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (["5=7"], "5=7: give two rows"),
        (["5=7", "9=3"], "grows from row"),
        (["5=7", "5=8"], "grows from row"),
        (["5", "9=3"], "is not ROW=DEPTH"),
        (["22780:3300", "9=3"], "'22780:3300' is not ROW=DEPTH"),
        (["5=inf", "9=3"], "is not ROW=DEPTH"),
        (["5-9=7-8", "20=10"], "is not FROM-TO=TOP-BOTTOM"),
        (["5-9=8-7"], "grows from row"),
        (["5-9=7-8", "8-12=7-8"], "row 8 is of two logs"),
    ],
)
def test_wrong_depths_are_refused(depth, message):
    for config in (lambda: PredictConfig(["a.tif"], curves=True, depth=depth),
                   lambda: CurvesConfig("a.probability.tif", depth=depth)):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            config()


def test_tracks_that_overlap_are_refused():
    with pytest.raises(ValueError, match="--tracks 150-300 10-200: tracks that overlap"):
        PredictConfig(["a.tif"], curves=True, tracks=["150-300", "10-200"])
    PredictConfig(["a.tif"], curves=True, tracks=["200-300", "10-200"])


def test_wrong_rows_and_steps_are_refused():
    for rows in ("5", "9-5", "a-b", "-5"):
        with pytest.raises(ValueError, match="is not FROM-TO"):
            PredictConfig(["log.tif"], curves=True, rows=rows)
    CurveOptions(depth=["0=1000", "1000=1100"], step=0.002)
    wrong = (
        ({"step": math.inf, "depth": ["0=1000", "1000=1100"]}, "above 0"),
        ({"step": 0.0, "depth": ["0=1000", "1000=1100"]}, "--step 0: a step is above 0$"),
        ({"step": 0.5}, "give --depth"),
        ({"step": 0.0009, "depth": ["0=1000", "1000=1100"]}, "over 100 lines for each row"),
        (
            {"step": 101.0, "depth": ["0=1000", "900=1100"]},
            "--step 101 is longer than a log, 100 ft$",
        ),
        ({"rows": "1-2"}, "give that, too"),
    )
    for options, message in wrong:
        with pytest.raises(ValueError, match=message):
            PredictConfig(["log.tif"], curves="step" in options, **options)


# ---- wellseg curves --------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path):
    """What predict --curves leaves of a scan."""
    mask = draw(sine(90), sine(280))
    for name, pixels in (("log.tif", 255 - mask), ("log.probability.tif", mask // 2)):
        writer = MaskWriter(ROWS, COLUMNS)
        writer.put(pixels)
        write_file(str(tmp_path / name), writer.tiff())
    report = {"scan": "log.tif", "scan_path": str(tmp_path / "log.tif"), "threshold": 0.3}
    (tmp_path / "log.json").write_text(json.dumps(report))
    return tmp_path


@pytest.mark.parametrize("given", [["10.2=100", "10.6=101"], ["9.2-9.6=1-2", "50-60=3-4"]])
def test_depths_between_two_rows_are_refused(given):
    with pytest.raises(ValueError, match=r"--depth .*: no whole row"):
        parse_depth(given)


def test_stopped_before_its_files_all_is_as_it_was(kept, monkeypatch):
    before = (kept / "log.json").read_bytes()
    monkeypatch.setattr(CurveFiles, "write", Mock(side_effect=OSError("no room")))
    with pytest.raises(SystemExit):
        main([str(kept / "log.probability.tif"), "--depth", "0=100", "500=200"])
    assert (kept / "log.json").read_bytes() == before
    assert not list(kept.glob("*.las")) and not list(kept.glob(".*"))


@pytest.mark.parametrize("ending", [".curves.csv", ".las"])
def test_curves_that_were_corrected_by_hand_stay(kept, ending, capsys):
    command = [str(kept / "log.probability.tif"), "--tracks", "10-400"]
    main(command)
    main(command)  # as wellseg wrote them they are written again
    path = kept / f"log{ending}"
    path.write_text(mine := path.read_text() + "# mine\n")
    with pytest.raises(SystemExit) as stopped:
        main(command)
    assert stopped.value.code and path.read_text() == mine
    assert f"log{ending} was changed (by hand, or by --edit)" in capsys.readouterr().err
    path.unlink()
    main(command)
    assert path.exists()


def test_without_a_report_that_can_be_read_or_a_probability_nothing_is_made(kept, capsys):
    with pytest.raises(SystemExit):
        main([str(kept / "wrong" / "log.probability.tif")])
    assert "no such file" in capsys.readouterr().err and not (kept / "wrong").exists()
    (kept / "log.json").write_text("{")
    with pytest.raises(SystemExit):
        main([str(kept / "log.probability.tif")])
    assert "log.json is damaged: wellseg predict first" in capsys.readouterr().err
    assert not (kept / "log.las").exists()


@pytest.mark.parametrize("more", [b"more", b""])
def test_a_threshold_holds_and_a_scan_that_changed_or_is_gone_is_told(kept, capsys, more):
    probability, scan = str(kept / "log.probability.tif"), kept / "log.tif"
    report = json.loads((kept / "log.json").read_text())
    version = {"scan_version": f"{scan.stat().st_size} bytes, then"}
    if not more:  # the size alone would not tell
        version["scan_sha256"] = hashlib.sha256(scan.read_bytes()).hexdigest()
    (kept / "log.json").write_text(json.dumps(report | version))
    main([probability, "--threshold", "0.6"])
    assert read(kept / "log.curves.csv") == []
    main([probability, "--rows", "300-900"])
    assert "--threshold 0.6" in (kept / "log.las").read_text()
    scan.write_bytes(scan.read_bytes()[: None if more else -4] + (more or b"more"))
    before = (kept / "log.las").read_bytes()
    with pytest.raises(SystemExit) as ended:
        main([probability, "--threshold", "0.3"])
    assert ended.value.code == 2 and "has changed since it was masked" in capsys.readouterr().err
    scan.unlink()
    with pytest.raises(SystemExit) as ended:  # without it there are no tracks
        main([probability, "--threshold", "0.3"])
    assert ended.value.code == 2 and "the scan is not there" in capsys.readouterr().err
    assert (kept / "log.las").read_bytes() == before


def test_the_command_makes_the_files_again(kept, capsys):
    probability = str(kept / "log.probability.tif")
    main([probability, "--tracks", "0-200", "200-400", "--depth", "0=100", "1500=250"])
    assert {line["track"] for line in read(kept / "log.curves.csv")} == {"1", "2"}
    assert las_of(kept / "log.las").well["STEP"].value == pytest.approx(0.1)
    assert capsys.readouterr().out.endswith("log.las: 2 curves\n")
    with pytest.raises(SystemExit):
        main([probability, "--depth", "0=100", "150=110", "--step", "500"])
    assert "error: --step 500 is longer than a log, 10 ft" in capsys.readouterr().err
    main([probability, "--depth", "0-700=100-150", "900-1500=100-150"])
    assert capsys.readouterr().out.endswith(
        "log.1.las and {}: 2 curves\n".format(kept / "log.2.las")
    )
    view = kept / "log.html"
    view.write_text('// wellseg\nconst DATA = {"followed":[],"depth":[],"rows":1500};\nlet x;\n')
    main([probability, "--tracks", "0-200", "200-400", "--depth", "0=100", "1500=250"])
    _, data, end = view.read_text("utf-8").splitlines()
    data = json.loads(data.removeprefix("const DATA = ").removesuffix(";"))
    assert [len(data["followed"]), data["depth_unit"], data["rows"]] == [2, "ft", 1500]
    assert data["depth"][0]["points"] == [[0, 100], [1500, 250]] and end == "let x;"
    view.write_text("somebody's own: const DATA = {};")
    main([probability])
    assert view.read_text("utf-8") == "somebody's own: const DATA = {};"
    view.unlink()
    main([probability, "--threshold", "0.6", "--out", str(kept / "other")])
    assert read(kept / "other" / "log.curves.csv") == []
    report = json.loads((kept / "log.json").read_text()) | {"depth": ["0=100", "900=200"]}
    (kept / "log.json").write_text(json.dumps(report | {"depth_unit": "ft"}))
    main([probability, "--depth_unit", "m"])
    assert las_of(kept / "log.las").curves[0].unit == "M"
    (kept / "log.tif").unlink()
    main([probability, "--rows", "300-900"])
    assert "without the scan" in capsys.readouterr().out
    assert len(read(kept / "log.curves.csv")) > 1000


def test_what_a_killed_run_left_is_removed(kept):
    for name in (".wellseg-0123abcd-log.las", ".wellseg-0123abcd-log.curves.csv"):
        (kept / name).write_bytes(b"half")
    (kept / ".wellseg-0123abcd-other.las").write_bytes(b"of a run at work on another scan")
    main([str(kept / "log.probability.tif")])
    assert [path.name for path in kept.glob(".wellseg-*")] == [".wellseg-0123abcd-other.las"]


def test_a_copied_folder_has_its_own_scan(kept):
    copy = kept / "copy"
    copy.mkdir()
    for name in ("log.tif", "log.probability.tif", "log.json"):
        (copy / name).write_bytes((kept / name).read_bytes())
    writer = MaskWriter(ROWS, COLUMNS - 1)  # the first one is another scan now
    writer.put(np.zeros((ROWS, COLUMNS - 1), np.uint8))
    write_file(str(kept / "log.tif"), writer.tiff())
    main([str(copy / "log.probability.tif")])
    assert (copy / "log.las").exists()
    # Results elsewhere, where another scan has this name.
    report = json.loads((kept / "log.json").read_text())
    version = {"scan_version": f"{(copy / 'log.tif').stat().st_size} bytes, then"}
    (kept / "log.json").write_text(
        json.dumps(report | version | {"scan_path": str(copy / "log.tif")})
    )
    main([str(kept / "log.probability.tif")])
    assert (kept / "log.las").exists()


def test_without_a_report_the_well_is_called_as_the_probability_is(kept):
    (kept / "log.json").unlink()
    main([str(kept / "log.probability.tif")])
    assert las_of(kept / "log.las").well["WELL"].value == "log"


def test_what_is_not_said_now_is_as_it_was_said_last(kept):
    told = {"depth": ["0=100", "1500=250"], "depth_unit": "m", "step": 0.25, "tracks": ["60-200"]}
    report = json.loads((kept / "log.json").read_text()) | told | {"curve_rows": "100-900"}
    (kept / "log.json").write_text(json.dumps(report))
    probability = str(kept / "log.probability.tif")
    for words, step, top in (
        (["--threshold", "0.4"], 0.25, 110),
        (["--step", "0.5"], 0.5, 110),
        (["--depth", "0=200", "1500=350"], 0.5, 210),
        (["--threshold", "0.5", "--out", str(kept / "other")], 0.5, 210),
    ):
        main([probability, *words])
        las = las_of(kept / "log.las")
        assert (las.well["STEP"].value, las.well["STRT"].unit) == (step, "M")
        assert top <= las.index[0] <= top + 1
        assert "--tracks 60-200" in (kept / "log.las").read_text()
        rows = {int(line["row"]) for line in read(kept / "log.curves.csv")}
        assert rows <= {*range(100, 901)} and len(rows) > 700
    main([probability, "--depth_unit", "ft", "--tracks", "40-220"])
    assert las_of(kept / "log.las").well["STRT"].unit == "FT"
    assert las_of(kept / "log.las").well["STEP"].value == 0.5
    main([probability, "--depth", "0=200", "1500=350", "--depth_unit", "m"])
    assert las_of(kept / "log.las").well["STEP"].value == pytest.approx(0.1)  # not 0.5 m
    main([probability, "--step", "0.5"])
    for words in (["--step", "none"], []):
        main([probability, *words])
        assert las_of(kept / "log.las").well["STEP"].value == pytest.approx(0.1)
    main([probability, "--depth", "none", "--tracks", "none", "--rows", "none"])
    las = las_of(kept / "log.las")
    assert las.well["STRT"].unit == "ROW" and "--tracks 40" not in (kept / "log.las").read_text()
    assert len({int(line["row"]) for line in read(kept / "log.curves.csv")}) > 1500
    report = json.loads((kept / "log.json").read_text())
    others = {*OF_ONE_SCAN.values()} - {"depth_unit"}
    assert report["threshold"] == 0.3 and not report.keys() & others


def test_results_of_another_scan_and_of_a_run_at_work_are_left_alone(kept, capsys):
    probability, other = str(kept / "log.probability.tif"), kept / "other"
    other.mkdir()
    (other / "log.json").write_text('{"rows": 9, "scan_path": "elsewhere/log.tif"}')
    with claim(Task("log", "log.tif", str(kept / "log"))):
        for words, said in ((["--out", str(other)], "elsewhere/log.tif"), ([], "another run")):
            with pytest.raises(SystemExit, match="2"):
                main([probability, *words])
            assert said in capsys.readouterr().err
    assert not [*kept.glob("**/*.curves.csv"), *kept.glob("**/*.las")]


def test_killed_after_the_files_are_written_it_remembers_what_they_were_made_with(
    kept, monkeypatch
):
    (kept / "log.html").write_text("wellseg")
    with monkeypatch.context() as patch:
        patch.setattr("wellseg.review.command._renew_view", Mock(side_effect=SystemExit))
        with pytest.raises(SystemExit):
            main([str(kept / "log.probability.tif"), "--depth", "0=300", "1500=450"])
    assert las_of(kept / "log.las").index[0] == 300
    main([str(kept / "log.probability.tif")])
    assert las_of(kept / "log.las").index[0] == 300


def test_all_of_the_files_are_replaced_or_none(kept, capsys):
    main([str(kept / "log.probability.tif")])
    before = (kept / "log.curves.csv").read_bytes()
    (kept / "log.2.las").mkdir()
    with pytest.raises(SystemExit):
        main([str(kept / "log.probability.tif"), "--depth", "0-700=1-8", "900-1500=20-80"])
    assert "log.2.las: cannot write" in capsys.readouterr().err
    assert (kept / "log.curves.csv").read_bytes() == before and (kept / "log.las").exists()
    assert not (kept / "log.1.las").exists() and not list(kept.glob(".wellseg*"))


def test_depths_of_csv_and_las_are_the_same_and_its_step_leads_to_its_end(tmp_path):
    lines, _ = write(tmp_path, draw(sine(90)), depth=["100=4350", "1590=4500.55"])
    las = las_of(tmp_path / "log.las")
    assert len(lines) > 1500 and {float(line["depth_ft"]) for line in lines} <= {*las["DEPT"]}
    end = las.well["STRT"].value + las.well["STEP"].value * (len(las.index) - 1)
    assert end == pytest.approx(las.well["STOP"].value, abs=1e-3)


@pytest.mark.parametrize("orientation", [2, 3, 6])
def test_a_scan_that_is_stored_turned_is_refused(kept, capsys, orientation):
    """Its rows, or its columns, are not those that the view shows."""
    tags = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(kept / "log.tif", np.zeros((ROWS, COLUMNS), np.uint8), extratags=tags)
    with pytest.raises(SystemExit):
        main([str(kept / "log.probability.tif")])
    assert "stored turned" in capsys.readouterr().err
    assert not (kept / "log.curves.csv").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["log.tif"], "log.tif is not NAME.probability.tif"),
        (["none.probability.tif"], "none.probability.tif"),
        (["log.probability.tif", "--scan", "none.tif"], "none.tif: no such file"),
        (["log.probability.tif", "--rows", "5000-6000"], "the scan has rows 0 to 1,599"),
        (["log.probability.tif", "--threshold", "2"], "between 0 and 1"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(kept, capsys, monkeypatch, words, said):
    monkeypatch.chdir(kept)
    with pytest.raises(SystemExit) as ended:
        main(words)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and said in error and error.count("\n") == 1
    assert not (kept / "log.curves.csv").exists()


# ---- curves that were corrected in NAME.curves.csv --------------------------------------------------------


@pytest.fixture
def followed(kept):
    """After the files were written, and the report has the scan's size."""
    report = json.loads((kept / "log.json").read_text()) | {"rows": ROWS, "columns": COLUMNS}
    (kept / "log.json").write_text(json.dumps(report))
    main([str(kept / "log.probability.tif"), "--tracks", "60-200", "200-400"])
    return kept


def edit(path, change):
    """Change the lines of a CSV, which are dictionaries, as a program would that drops comments."""
    lines = change(read(path))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0].keys())
        writer.writeheader()
        writer.writerows(lines)
    return path.read_bytes()


def test_from_the_csv_as_it_was_written_come_the_same_files(tmp_path):
    true = sine(180, -50)  # printed a track aside where it is off its scale; another one is dotted
    printed, dotted = np.where(true > 200, true - 140, true), sine(300)
    printed[np.abs(np.diff(printed, prepend=printed[0])) > 100] = np.nan
    dotted[np.arange(ROWS) % 36 > 16] = np.nan
    _, writer = write(tmp_path, draw(printed, dotted), tracks=["60-200", "200-400"])
    report = {"scan": "log.tif", "rows": ROWS, "columns": COLUMNS, "tracks": ["60-200", "200-400"]}
    paths = [tmp_path / "log.curves.csv", tmp_path / "log.las"]
    digests = {path.name[3:]: sha256(path.read_bytes()).hexdigest() for path in paths}
    report = json.loads(json.dumps(report | writer.quality() | {"sha256": digests}))
    (tmp_path / "log.json").write_text(json.dumps(report))
    before = [path.read_bytes() for path in paths]
    main([str(paths[0])])
    assert [path.read_bytes() for path in paths] == before
    after = json.loads((tmp_path / "log.json").read_text())
    assert b"DOTTED" in before[1] and after == report | {"curve_threshold": None, "curve_edits": []}


def test_bridged_gaps_are_left_out_of_the_las_where_they_are_longer_than_wanted(followed):
    path, flags = followed / "log.curves.csv", np.zeros(ROWS, int)
    flags[300:305] = flags[600:640] = 1
    edit(path, lambda lines: [line | {"flags": flags[int(line["row"])]} for line in lines])
    for words, missing in (
        ([], []),
        (["--bridged", "39"], [*range(600, 640)]),
        ([], [*range(600, 640)]),  # as the last time
        (["--bridged", "0"], [*range(300, 305), *range(600, 640)]),
        ([], [*range(300, 305), *range(600, 640)]),
        (["--bridged", "40"], []),
        (["--bridged", "none"], []),
    ):
        main([str(path), *words])
        las = las_of(followed / "log.las")
        assert np.flatnonzero(np.isnan(las["T1_C1_SOLID"])).tolist() == missing
    assert "Bridged gaps are filled" in (followed / "log.las").read_text()
    with pytest.raises(SystemExit):
        main([str(path), "--bridged", "-1"])


def test_a_csv_that_was_corrected_makes_the_las_and_stays(followed, capsys):
    path = followed / "log.curves.csv"
    (followed / "log.html").write_text('// wellseg\nconst DATA = {"followed":[]};\n')

    def correct(lines):
        for line in lines:
            if line["curve"] == "T1_C1_SOLID":
                line["curve"] = "GR" if int(line["row"]) < 800 else "CUT"
                line["column"] = float(line["column"]) + 14 * (int(line["row"]) == 500)
        return [line for line in lines if line["track"] == "1"]

    value = las_of(followed / "log.las")["T1_C1_SOLID"]
    mine = edit(path, correct)
    main([str(path), "--depth", "0=100", "1599=259.9"])
    said = "log.curves.csv: the CSV stays as you wrote it: only the LAS has these depths"
    assert said in capsys.readouterr().out
    las = las_of(followed / "log.las")
    assert las.keys() == ["DEPT", "GR", "CUT"] and las["DEPT"][500] == pytest.approx(150)
    np.testing.assert_allclose(
        las["GR"][:800] - value[:800], (np.arange(800) == 500) / 10, atol=1e-4
    )
    np.testing.assert_allclose(las["CUT"][800:], value[800:], atol=1e-4)
    assert np.isnan(las["CUT"][:800]).all() and path.read_bytes() == mine
    data = json.loads(
        (followed / "log.html").read_text("utf-8").partition("DATA = ")[2].partition(";")[0]
    )
    assert [curve["name"] for curve in data["followed"]] == ["GR", "CUT"]
    report = json.loads((followed / "log.json").read_text())
    assert [curve["name"] for curve in report["curve_list"]] == ["GR", "CUT"]
    with pytest.raises(SystemExit):
        main([str(path), "--tracks", "50-250"])
    assert "log.curves.csv was corrected and stays as it is: change" in capsys.readouterr().err
    assert path.read_bytes() == mine
    main([str(path), "--tracks", "50-250", "--edit", "CUT="])  # values of other borders
    width = las_of(followed / "log.las")["GR"][:500] * 200 + 50
    np.testing.assert_allclose(width, value[:500] * 140 + 60, atol=0.01)
    (aside,) = followed.glob("log.curves.csv.*.bak")
    assert aside.read_bytes() == mine
    mine = path.read_bytes()
    main([str(path)])  # the CSV has these borders now
    assert las_of(followed / "log.las")["GR"][100] == pytest.approx(
        (width[100] - 50) / 200, abs=1e-4
    )
    with pytest.raises(SystemExit):
        main([str(followed / "log.probability.tif")])
    assert "log.curves.csv" in capsys.readouterr().err and path.read_bytes() == mine


def test_a_corrected_csv_is_kept_where_no_digest_of_it_is_known(followed, capsys):
    report = json.loads((followed / "log.json").read_text())
    del report["sha256"]
    (followed / "log.json").write_text(json.dumps(report))
    main([str(followed / "log.curves.csv")])
    with pytest.raises(SystemExit):
        main([str(followed / "log.probability.tif")])
    assert "log.curves.csv was changed" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])  # the latter: Excel's Unicode text
@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_spreadsheet_may_have_saved_the_csv(followed, between, encoding):
    path, las = followed / "log.curves.csv", (followed / "log.las").read_bytes()
    told = b"it was changed in another program\n"
    las = re.sub(rb"(?m)^~ASCII", told + rb"~ASCII", las)
    rows = list(csv.reader(path.read_text().splitlines()))
    if between != ",":  # as in Germany
        rows = [[cell.replace(".", ",") for cell in row] for row in rows]
    with path.open("w", encoding=encoding, newline="") as file:  # comments become cells
        lines = csv.writer(file, delimiter=between)
        lines.writerows([*row, *[""] * (11 - len(row))] for row in rows)
    main([str(path)])
    assert (followed / "log.las").read_bytes() == las
    *_, head = filter(
        lambda line: "curve" in line.lower(), path.read_text(encoding).splitlines()[:9]
    )
    text = path.read_text(encoding).replace(head, head.upper().replace(between, f" {between}"), 1)
    path.write_text(f"sep={between}\n{text}", encoding)  # Excel reads, and other tools write, that
    main([str(path)])
    assert (followed / "log.las").read_bytes() == las


def test_edits_rename_join_cut_and_remove_curves_and_stay(followed, capsys):
    path = followed / "log.curves.csv"
    main([str(followed / "log.probability.tif"), "--tracks", "10-400"])
    las = las_of(followed / "log.las")
    first, second = las["T1_C1_SOLID"], las["T1_C2_SOLID"]
    main(
        [
            str(path),
            "--edit",
            "T1_C1_SOLID:800-1599=T1_C2_SOLID",
            "T1_C2_SOLID:800-1599=T1_C1_SOLID",
        ]
    )
    las = las_of(followed / "log.las")  # they have changed places from row 800 on
    np.testing.assert_allclose(las["T1_C1_SOLID"], [*first[:800], *second[800:]], atol=1e-4)
    np.testing.assert_allclose(las["T1_C2_SOLID"], [*second[:800], *first[800:]], atol=1e-4)
    main([str(path), "--edit", "T1_C1_SOLID:0-299=GR", "T1_C1_SOLID:600-1599=GR", "T1_C2_SOLID="])
    las = las_of(followed / "log.las")
    assert sorted(las.keys()) == ["GR", "INDEX", "T1_C1_SOLID"]
    assert np.isnan(las["GR"][300:600]).all() and not np.isnan(las["T1_C1_SOLID"][300:600]).any()
    main([str(path), "--edit", "T1_C1_SOLID=GR", "--depth", "0=100", "1599=259.9"])
    (gr,) = las_of(followed / "log.las").curves[1:]
    np.testing.assert_allclose(gr.data, [*first[:800], *second[800:]], atol=1e-4)
    lines = read(path)
    assert {line["curve"] for line in lines} == {"GR"} and lines[0]["depth_ft"] == "100.0000"
    report = json.loads((followed / "log.json").read_text())
    assert len(report["curve_edits"]) == 6 and report["curve_list"][0]["name"] == "GR"
    with pytest.raises(SystemExit):
        main([str(followed / "log.probability.tif")])
    assert "log.curves.csv was changed" in capsys.readouterr().err
    path.unlink()
    main([str(followed / "log.probability.tif")])
    assert json.loads((followed / "log.json").read_text())["curve_edits"] == []


def test_an_edit_of_rows_that_are_not_there_is_told_and_looks_go_with_the_curve(followed, capsys):
    path, report = followed / "log.curves.csv", followed / "log.json"
    looks = json.loads(report.read_text())
    looks["curve_list"][0] |= {"style": "dotted", "colour": [200, 0, 0]}
    report.write_text(json.dumps(looks))
    one, other = "T1_C1_SOLID", "T2_C1_SOLID"
    main(
        [
            str(path),
            "--edit",
            f"{one}={other}",
            f"{other}={one}",
            f"{one}:1,700-1,800=",
            "--after",
            "0",
        ]
    )
    assert "curve T1_C1_SOLID has no rows 1,700 to 1,800" in capsys.readouterr().out
    shown = {curve["name"]: curve for curve in json.loads(report.read_text())["curve_list"]}
    assert (shown[other]["style"], shown[other]["colour"]) == ("dotted", [200, 0, 0])
    assert (shown[one]["style"], shown[one]["colour"]) == ("solid", None)
    assert shown[other]["about"].startswith("dotted, ") and shown[one]["about"].startswith(
        "solid, "
    )
    lines = read(path)
    with pytest.raises(SystemExit):  # once more they would be as before
        main([str(path), "--edit", f"{one}={other}", f"{other}={one}", "--after", "0"])
    assert read(path) == lines
    path.write_text(path.read_text().replace(other, "GR"))  # by hand: its style is forgotten
    for _ in range(2):
        main([str(path)])
    shown = {curve["name"]: curve for curve in json.loads(report.read_text())["curve_list"]}
    assert shown["GR"]["style"] is None and re.match(r"\d+ px, conf", shown["GR"]["about"])
    assert shown[one]["about"].startswith("solid, ")


@pytest.mark.parametrize("where", ["beside", "elsewhere"])
def test_what_was_corrected_is_kept_without_a_report_and_in_another_folder(followed, capsys, where):
    command = [str(followed / "log.probability.tif")]
    if where == "elsewhere":
        command += ["--out", str(followed / "other")]
        main(command)
        main(command)  # as it was written it is written again
    else:
        (followed / "log.json").unlink()
    path = followed / ("other" if where == "elsewhere" else ".") / "log.curves.csv"
    path.write_text(mine := path.read_text() + "# mine\n")
    for again in (command, [str(followed / "log.curves.csv"), *command[1:]]):
        if where == "elsewhere" or again is command:
            with pytest.raises(SystemExit):
                main(again)
            said = "log.curves.csv may have been corrected", "log.curves.csv was changed (by"
            assert said[where == "elsewhere"] in capsys.readouterr().err
    assert path.read_text() == mine


def test_corrections_are_kept_in_the_other_folder_too(followed, capsys):
    edit(
        followed / "log.curves.csv",
        lambda lines: [line | {"curve": "GR"} for line in lines if line["track"] == "1"],
    )
    out = ["--out", str(followed / "other")]
    main([str(followed / "log.curves.csv"), *out])
    assert las_of(followed / "other" / "log.las").keys() == ["INDEX", "GR"]
    with pytest.raises(SystemExit):
        main([str(followed / "log.probability.tif"), *out])
    assert "other/log.curves.csv was changed" in capsys.readouterr().err.replace(os.sep, "/")
    main([str(followed / "other" / "log.curves.csv"), "--edit", "GR=SP"])  # it goes on there
    assert las_of(followed / "other" / "log.las").keys() == ["INDEX", "SP"]
    assert las_of(followed / "log.las").keys() == ["INDEX", "T1_C1_SOLID", "T2_C1_SOLID"]


@pytest.mark.parametrize("how", ["edit", "hand"])
def test_what_was_corrected_in_the_other_folder_is_not_written_over_from_here(
    followed, capsys, how
):
    given, other = followed / "log.curves.csv", followed / "other" / "log.curves.csv"
    first = [str(given), "--out", str(other.parent), "--edit", "T1_C1_SOLID=GR"]
    main(first if how == "edit" else first[:3])
    main(first if how == "edit" else first[:3])  # the same again
    if how == "hand":
        edit(other, lambda lines: [line | {"confidence": "0.5"} for line in lines])
        main([str(other)])
    before = other.read_bytes()
    with pytest.raises(SystemExit):
        main([*first[:3], "--edit", "T2_C1_SOLID=RT"])
    assert "log.curves.csv was changed (by hand, or by --edit)" in capsys.readouterr().err
    assert other.read_bytes() == before


@pytest.mark.parametrize("damage", [{"sha256": {".curves.csv": 5}}, {"rows": None}])
def test_a_report_that_was_damaged_is_told_in_a_line(followed, capsys, damage):
    report = followed / "log.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | damage))
    label = ["--label", str(followed / "mine"), "--label_rows", "400-500"]
    with pytest.raises(SystemExit) as ended:
        main([str(followed / "log.probability.tif"), *label])
    assert ended.value.code == 2 and len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("curve_list", [5, {}, {"name": "T1_C1_SOLID", "style": 5, "width_px": 3, "colour": None}]),
        ("curve_list", [{"name": "T1_C1_SOLID", "style": "solid", "width_px": 3, "colour": "red"}]),
        ("track_borders", [1, [None, 3], [1, 2, 3], [5, 6]]),
        ("scan", 5),
    ],
)
def test_a_report_that_was_edited_stops_nothing(followed, field, value):
    report = json.loads((followed / "log.json").read_text())
    (followed / "log.json").write_text(json.dumps(report | {field: value}))
    before = las_of(followed / "log.las")
    main([str(followed / "log.curves.csv")])
    after = las_of(followed / "log.las")
    assert before.keys() == after.keys() and np.array_equal(before.data, after.data, equal_nan=True)


def test_a_damaged_view_is_told_and_the_rest_is_whole(followed, capsys):
    (followed / "log.html").write_text("const DATA = {bad wellseg")
    main([str(followed / "log.curves.csv"), "--edit", "T1_C1_SOLID=GR"])
    assert "log.html shows other curves: " in capsys.readouterr().out
    assert las_of(followed / "log.las").keys()[1] == "GR"


@pytest.mark.parametrize("renamed", range(5))
def test_killed_at_any_time_it_goes_on_and_edits_are_made_once(
    followed, monkeypatch, renamed, capsys
):
    report = json.loads((followed / "log.json").read_text()) | {"weights_sha256": "0" * 64}
    (followed / "log.json").write_text(json.dumps(report))
    first, second = (las_of(followed / "log.las")[name] for name in ("T1_C1_SOLID", "T2_C1_SOLID"))
    words = ["T1_C1_SOLID:800-1599=T2_C1_SOLID", "T2_C1_SOLID:800-1599=T1_C1_SOLID"]
    path, replace = followed / "log.curves.csv", os.replace
    command = [str(path), "--after", "0", "--tracks", "10-400", "--edit", *words]

    def kill(*names, left=[renamed]):  # noqa: B006  # copy, report, LAS, CSV, report
        left[0] -= names[0] != names[1]  # on Windows, first each to its own name: is it open?
        if left[0] < 0:
            raise KeyboardInterrupt
        replace(*names)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(os, "replace", kill)
        main(command)
    if renamed > 1:
        assert "weights_sha256" not in json.loads((followed / "log.json").read_text())
    if renamed < 4:
        main(command)
    else:  # they are made: once more they would be as before
        with pytest.raises(SystemExit):
            main(command)
        assert "were made already" in capsys.readouterr().err
        main([str(path)])
    las, report = las_of(followed / "log.las"), json.loads((followed / "log.json").read_text())
    wide = (10 + 390 * las["T1_C1_SOLID"], 10 + 390 * las["T2_C1_SOLID"])
    first, second = 60 + 140 * first, 200 + 200 * second
    np.testing.assert_allclose(wide[0], [*first[:800], *second[800:]], atol=0.02)
    np.testing.assert_allclose(wide[1], [*second[:800], *first[800:]], atol=0.02)
    assert report["curve_edits"] == words and report["weights_sha256"] == "0" * 64
    assert "unfinished" not in report and report["tracks"] == ["10-400"]
    path.write_text(mine := path.read_text() + "# mine\n")
    with pytest.raises(SystemExit):
        main([str(followed / "log.probability.tif")])
    assert path.read_text() == mine


def test_only_what_the_user_wrote_is_kept_as_a_copy_and_a_command_runs_twice(followed, capsys):
    path, own = followed / "log.curves.csv", followed / "log.curves.csv.bak"
    own.write_text("a backup of the user's")
    mine = edit(
        path, lambda lines: [line | {"curve": "A"} for line in lines if line["track"] == "1"]
    )
    for _ in range(2):
        main([str(path), "--out", str(followed / "other")])
    for before, after in ("AB", "BC"):
        main([str(path), "--edit", f"{before}={after}"])
        (copy,) = followed.glob("log.curves.csv.*.bak")
        assert copy.read_bytes() == mine and own.read_text() == "a backup of the user's"
    main([str(path), "--depth", "0=100", "1599=259.9", "--out", str(followed)])  # the same folder
    assert read(path)[0]["depth_ft"] and read(path)[0]["curve"] == "C"
    (followed / "log.las").unlink()
    main([str(path)])
    assert las_of(followed / "log.las").keys() == ["DEPT", "C"]
    (followed / "log.curves.csv.before").replace(path)  # the last --edit is taken back
    main([str(path)])
    assert las_of(followed / "log.las").keys() == ["DEPT", "B"]


def test_stretches_off_the_scale_are_in_the_view_of_a_csv_as_before(tmp_path):
    true = sine(180, -50)
    printed = np.where(true > 200, true - 140, true)
    printed[np.abs(np.diff(printed, prepend=printed[0])) > 100] = np.nan
    _, writer = write(tmp_path, draw(printed), tracks=["60-200"])
    report = {"rows": ROWS, "columns": COLUMNS} | writer.quality()
    table, stem = tmp_path / "log.curves.csv", tmp_path / "log"
    stem.with_suffix(".json").write_text(json.dumps(report))
    made, again = curves_of_table(table, stem, CurvesConfig(str(table)), [], False)
    again()
    (shown,) = made.entries
    assert shown["lines"] == writer.entries[0]["lines"] and len(shown["lines"]) > 4
    assert shown == writer.entries[0] | {"about": shown["about"]}

    off = {int(it["row"]) + more for it in read(table) if it["flags"] == "2" for more in (0, 1)}

    def doubt(line):  # where it may have left its scale, or be back, as is to be checked
        return line | {"value": "", "flags": "4" if int(line["row"]) in off else "0"}

    edit(table, lambda lines: [doubt(line) for line in lines])
    made, again = curves_of_table(table, stem, CurvesConfig(str(table)), [], False)
    again()
    assert made.entries[0]["off"] == []
    assert made.entries[0]["lines"] == shown["lines"], "no line leads across the track there"


def test_edits_that_would_lose_a_curve_or_change_nothing_are_refused(followed, capsys):
    path = followed / "log.curves.csv"
    before = path.read_bytes()
    for edit, said in (
        ("T2_C1_SOLID=T1_C1_SOLID", "joined as T1_C1_SOLID both have ink in 1,600 rows, in tracks"),
        ("T1_C1_SOLID:1,700-1,800=", "has no rows 1,700 to 1,800: nothing would change"),
    ):
        with pytest.raises(SystemExit):
            main([str(path), "--edit", edit])
        assert said in capsys.readouterr().err
    assert path.read_bytes() == before
    assert json.loads((followed / "log.json").read_text())["curve_edits"] == []


def test_a_joined_piece_is_in_the_track_and_on_the_scale_of_the_curve_that_it_goes_on(
    followed, capsys
):
    path = followed / "log.curves.csv"
    before = las_of(followed / "log.las")["T1_C1_SOLID"]

    def piece(line):  # rows 800 to 999 are another curve's: in no track, in the next, off its scale
        if line["curve"] != "T1_C1_SOLID" or not 800 <= int(line["row"]) < 1000:
            return line
        away = {"track": "0", "track_left": "0", "track_right": "400", "value": "0.2"}
        next_track = {"track": "2", "track_left": "300", "track_right": "390", "value": "-2.2"}
        off = {"flags": "2", "value": f"{float(line['value']) + 1:.4f}"}
        row = int(line["row"])
        next_off = next_track | {"flags": "2", "value": "-1.2"}
        changed = away if row < 850 else next_track if row < 880 else next_off if row < 900 else off
        return line | {"curve": "LOST"} | changed

    edit(path, lambda lines: [piece(line) for line in lines])
    main([str(path), "--edit", "LOST=T1_C1_SOLID"])
    assert "T1_C1_SOLID: rows 880-999 are on its scale now" in capsys.readouterr().out
    after = las_of(followed / "log.las")["T1_C1_SOLID"]
    np.testing.assert_allclose(after, before, atol=2e-4)
    lines = [it for it in read(path) if it["curve"] == "T1_C1_SOLID"]
    assert {it["flags"] for it in lines if not 800 <= int(it["row"]) < 1000} == {"0"}
    assert {it["flags"] for it in lines if 800 <= int(it["row"]) < 1000} == {"16"}, "by hand"
    capsys.readouterr()
    main([str(path), "--edit", "T1_C1_SOLID:900-1599=", "T2_C1_SOLID:950-1599=T1_C1_SOLID"])
    assert "T1_C1_SOLID lies in tracks 1 and 2: it has its values" in capsys.readouterr().out


def test_a_long_curve_in_no_track_is_not_in_that_of_a_short_piece_joined_to_it(followed):
    path = followed / "log.curves.csv"
    lone = {"track": "0", "track_left": "0", "track_right": "400"}
    edit(path, lambda lines: [it | lone if it["track"] == "2" else it for it in lines])
    main([str(path), "--edit", "T1_C1_SOLID:0-99=T2_C1_SOLID", "T2_C1_SOLID:0-99=T1_C1_SOLID"])
    tracks = {(it["curve"], it["track"], it["track_right"]) for it in read(path)}
    assert tracks == {("T1_C1_SOLID", "1", "200.0"), ("T2_C1_SOLID", "0", "400.0")}
    middle = las_of(followed / "log.las")["T2_C1_SOLID"][[50, 150]] * 400
    assert 60 < middle[0] < 200 < middle[1] < 400, "fractions of the scan's width"


@pytest.mark.parametrize("is_told", [False, True])
def test_an_exchange_within_a_stretch_off_the_scale_leaves_the_rest_of_it_there(
    followed, capsys, is_told
):
    """Its own rows were put back on the scale where the other curve was nearer to them so."""
    path = followed / "log.curves.csv"
    borders = {"track": "1", "track_left": "60", "track_right": "200"}

    def wrap(line):  # printed at the left border, as the other curve is in rows 500 to 599
        row = int(line["row"])
        if line["curve"] == "T1_C1_SOLID" and row in range(400, 700):
            return line | {"column": "65.5", "value": f"{1 + 6 / 140:.4f}", "flags": "2"}
        if line["curve"] == "T2_C1_SOLID":
            return line | borders | {"column": "64.5" if row in range(500, 600) else "100"}
        return line

    edit(path, lambda lines: [wrap(line) for line in lines])
    words = ["T1_C1_SOLID:500-599=T2_C1_SOLID", "T2_C1_SOLID:500-599=T1_C1_SOLID"]
    told = ["T1_C1_SOLID:500-599-1", "T2_C1_SOLID:500-599+1"] if is_told else []  # as by the view
    main([str(path), "--edit", *words, *told])
    one, two = (las_of(followed / "log.las")[name] for name in ("T1_C1_SOLID", "T2_C1_SOLID"))
    assert (one[400:500] > 1).all() and (one[600:700] > 1).all() and (two[400:700] < 0.9).all()
    assert (one[500:600] > 1).all() == is_told
    assert ("T2_C1_SOLID: rows 500-599 are on its scale" in capsys.readouterr().out) != is_told


def test_that_one_curve_was_said_to_be_off_its_scale_moves_no_other_in_the_same_rows(followed):
    path = followed / "log.curves.csv"
    main([str(path), "--edit", "T1_C1_SOLID:500-599+1"])

    def piece(line):  # found off its scale, to which it comes back when it is of its curve again
        if line["curve"] != "T2_C1_SOLID" or not 500 <= int(line["row"]) < 600:
            return line
        return line | {"curve": "P", "flags": "2", "value": f"{float(line['value']) + 1:.4f}"}

    edit(path, lambda lines: [piece(line) for line in lines])
    main([str(path), "--edit", "P=T2_C1_SOLID", "T1_C1_SOLID:500-1599=B"])
    main([str(path), "--edit", "B=T1_C1_SOLID"])
    flags = {name: [] for name in ("T1_C1_SOLID", "T2_C1_SOLID")}
    for line in read(path):
        flags[line["curve"]].append(line["flags"])
    assert {*flags["T2_C1_SOLID"]} == {"0", "16"}
    own = {row: "0" if row >= 500 else "16" for row in range(1600)}  # the longer piece's
    told = ["10" if 500 <= row < 600 else own[row] for row in range(1600)]
    assert flags["T1_C1_SOLID"] == told, "what a person said of it holds"


def test_a_numbered_las_of_another_scan_is_not_written_over(followed, capsys):
    for ending in (".curves.csv", ".las", ".json"):  # a scan log.1
        (followed / f"log.1{ending}").write_bytes((followed / f"log{ending}").read_bytes())
    with pytest.raises(SystemExit):
        main([str(followed / "log.curves.csv"), "--depth", "0-700=1000-1070", "900-1500=1080-1140"])
    assert f"{followed / 'log.1.las'} is of another scan: name" in capsys.readouterr().err
    assert (followed / "log.1.las").read_bytes() == (followed / "log.las").read_bytes()


def test_one_edit_where_a_depth_may_be_mistyped(followed, capsys):
    path = followed / "log.curves.csv"
    main([str(path), "--depth", "0=1000", "800=1080", "1500=1250"])
    main([str(path), "--edit", "T1_C1_SOLID=GR"])
    assert (
        "2.43 times as deep" in capsys.readouterr().out
        and "GR" in (followed / "log.las").read_text()
    )
    with pytest.raises(SystemExit):
        main([str(path), "--edit", "GR:1700-1800="])
    assert "has no rows 1,700 to 1,800: nothing would change" in capsys.readouterr().err


def test_lines_beside_a_piece_need_no_value(followed):
    path, before = followed / "log.curves.csv", las_of(followed / "log.las")["T1_C1_SOLID"]

    def piece(line):
        if line["curve"] != "T1_C1_SOLID" or not 700 <= int(line["row"]) < 1000:
            return line
        if int(line["row"]) < 800:
            return line | {"value": ""}
        return line | {"curve": "P", "flags": "2", "value": f"{float(line['value']) + 1:.4f}"}

    edit(path, lambda lines: [piece(line) for line in lines])
    main([str(path), "--edit", "P=T1_C1_SOLID"])
    np.testing.assert_allclose(las_of(followed / "log.las")["T1_C1_SOLID"], before, atol=2e-4)


def test_cells_beyond_the_names_and_rows_of_spaces_are_none(followed):
    path, before = followed / "log.curves.csv", las_of(followed / "log.las")["T1_C1_SOLID"]
    names = ["row", "curve", "track", "column", "track_left", "track_right"]
    lines = [",".join(line[name] for name in names) for line in read(path)]
    path.write_text("\n".join([",".join(names), *(f"{line},7" for line in lines), "   "]) + "\n")
    main([str(path)])
    np.testing.assert_allclose(las_of(followed / "log.las")["T1_C1_SOLID"], before, atol=2e-3)


def test_scales_of_names_that_were_corrected_are_not_those_of_curves_followed_anew(
    followed, capsys
):
    path = followed / "log.curves.csv"
    main([str(path), "--scale", "T2_C1_SOLID=0:150:GAPI"])
    main([str(path), "--edit", "T2_C1_SOLID=T1_C1_SOLID", "T1_C1_SOLID=T2_C1_SOLID"])
    path.rename(followed / "mine.csv")
    main([str(followed / "log.probability.tif")])
    assert "curves are followed anew: the former --scale is forgotten" in capsys.readouterr().out
    assert "GAPI" not in (followed / "log.las").read_text()


def test_curves_side_by_side_are_refused_in_either_order_of_their_names(followed, capsys):
    path = followed / "log.curves.csv"
    main([str(path), "--edit", "T2_C1_SOLID:700-1599="])
    edit(path, lambda lines: [it | {"track": ""} if int(it["row"]) < 20 else it for it in lines])
    for words in ("T1_C1_SOLID=T2_C1_SOLID", "T2_C1_SOLID=T1_C1_SOLID"):
        with pytest.raises(SystemExit):
            main([str(path), "--edit", words])
        assert "both have ink in 700 rows, in tracks" in capsys.readouterr().err


def test_what_a_person_most_likely_mistook_is_told(followed, capsys):
    path = followed / "log.curves.csv"
    main([str(path), "--depth", "100=1000", "700=1400", "1500=1480", "--scale", "T1_C1_SOLID=0:9"])
    said = capsys.readouterr().out
    assert "from row 700 on a row is 0.15 times as deep as above it: is a depth mistyped?" in said
    assert "beyond its track" not in said
    main([str(path), "--depth_unit", "m", "--tracks", "60-110", "200-400"])
    said = capsys.readouterr().out
    assert "the depths are in m now, with their former numbers" in said
    assert re.search(
        r"T1_C1_SOLID: 26% of its rows lie beyond its track, \d+-\d+: is it right", said
    )
    report = json.loads((followed / "log.json").read_text())
    main([str(path), "--depth", "100=1000", "700=1060", "1500=1145"])  # a twentieth more
    assert "mistyped" not in capsys.readouterr().out
    assert report["curve_list"][0]["beyond"] == 0.26
    main([str(path), "--edit", "T1_C1_SOLID:800-900="])  # in a gap borders are not known
    assert re.search(r"T1_C1_SOLID: 2\d% .* beyond its track, \d+-\d+:", capsys.readouterr().out)
    main([str(path), "--scale", "T1_C1_SOLID=0:9", "T1_C1_SOLID:90-500=0:9@60-190"])
    assert "beyond its track" not in capsys.readouterr().out  # where it is printed was read
    for scale, is_told in (("0.2:2000", True), ("2000:0.2", True), ("0.2:2000:log", False)):
        main([str(path), "--scale", "T1_C1_SOLID=" + scale, "T1_C1_SOLID:90-500="])
        said = "--scale T1_C1_SOLID: over decades: add :log if it is logarithmic"
        assert (said in capsys.readouterr().out) == is_told


@pytest.mark.parametrize("given", ["log.curves.csv", "log.probability.tif"])
def test_where_the_report_cannot_be_read_nothing_is_written(followed, given, monkeypatch, capsys):
    mine = edit(followed / "log.curves.csv", lambda lines: lines[:-5])
    failing = Mock(side_effect=OSError(5, "Input/output error"))
    monkeypatch.setattr(LocalFileSystem, "cat_file", failing)
    with pytest.raises(SystemExit):
        main([str(followed / given)])
    assert "log.json cannot be read: Input/output error" in capsys.readouterr().err
    assert (followed / "log.curves.csv").read_bytes() == mine


def test_a_las_begins_where_its_log_has_values(tmp_path):
    curve = sine(90)
    curve[560:760] = np.nan  # one curve through two logs, hidden between them
    write(tmp_path, draw(curve), depth=["0-500=100-150", "800-1500=100-170"], tracks=["60-200"])
    second = las_of(tmp_path / "log.2.las")
    assert not np.isnan(second["T1_C1_SOLID"]).all() and not np.isnan(second["T1_C1_SOLID"][0])


@pytest.mark.parametrize(("bridged", "stays"), [(150, range(700, 900)), (90, ()), (0, ())])
def test_where_joined_curves_share_rows_that_with_more_ink_is_kept_in_all_of_them(
    followed, capsys, bridged, stays
):
    def twice(lines):  # the other curve in rows 700 to 899, bridged in the last 100
        own = [
            line | {"curve": "OWN", "column": "150", "flags": f"{int(int(line['row']) >= 800)}"}
            for line in lines
            if line["track"] == "1" and 700 <= int(line["row"]) < 900
        ]
        gap = [
            line | {"flags": "1"} if 0 <= int(line["row"]) - 700 < bridged else line
            for line in lines
        ]
        return gap + own

    for names in ("OWN=T1_C1_SOLID", "T1_C1_SOLID=OWN"):
        edit(followed / "log.curves.csv", twice)
        main([str(followed / "log.curves.csv"), "--edit", names])
        lines = read(followed / "log.curves.csv")
        assert [int(it["row"]) for it in lines if it["column"] == "150.0"] == [*stays]
        said = capsys.readouterr().out
        joined = names.partition("=")[0]
        count = len(stays) if joined == "OWN" else 200 - len(stays)
        assert f"overlap in 200 rows: in {count} {joined} was taken, as it has more ink" in said


def stroke(name, true, rows):
    return name + "".join(f":{row}@{true[row]:.0f}" for row in rows)


def test_a_stroke_of_two_points_bends_with_a_curve_that_the_network_found(followed):
    path, left = followed / "log.curves.csv", sine(90)  # 30 px off the straight way
    sure = MaskWriter(ROWS, COLUMNS)
    sure.put(draw(left))
    write_file(str(followed / "log.probability.tif"), sure.tiff())
    main([str(path), "--edit", stroke("A", left, [1000, 1200])])
    rows = {int(it["row"]): float(it["column"]) for it in read(path) if it["curve"] == "A"}
    np.testing.assert_allclose([*rows.values()], left[1000:1201], atol=2)
    (followed / "log.probability.tif").unlink()
    main([str(path), "--edit", stroke("A", left, [1000, 1200])])
    rows = {int(it["row"]): float(it["column"]) for it in read(path) if it["curve"] == "A"}
    assert abs(np.array([*rows.values()]) - 90).max() < 20


def test_a_stroke_follows_the_ink_in_place_of_what_the_curve_had(followed, capsys):
    path, left, right = followed / "log.curves.csv", sine(90), sine(280)
    ink = cv2.imread(str(followed / "log.tif"), cv2.IMREAD_GRAYSCALE)
    ink[500:510] = 255
    cv2.imwrite(str(followed / "log.tif"), ink)
    report = json.loads((followed / "log.json").read_text())
    report["scan_version"] = f"{(followed / 'log.tif').stat().st_size} bytes"
    (followed / "log.json").write_text(json.dumps(report))
    before = las_of(followed / "log.las")["T1_C1_SOLID"]
    drawn = [stroke("T1_C1_SOLID", left, range(300, 951, 50)), stroke("SP", right, [900, 800, 700])]
    main([str(path), "--edit", "T1_C1_SOLID:200-999="])
    main([str(path), "--edit", *drawn])
    las, lines = las_of(followed / "log.las"), read(path)
    mine = las["T1_C1_SOLID"]
    np.testing.assert_array_equal(mine[:200], before[:200])
    assert np.isnan(mine[200:300]).all() and np.isnan(mine[951:1000]).all()
    np.testing.assert_allclose(mine[300:951], (left[300:951] + 0.5 - 60) / 140, atol=2 / 140)
    assert np.median(abs(mine - before)[300:951]) < 0.5 / 140
    np.testing.assert_allclose(las["SP"][700:901], (right[700:901] + 0.5 - 200) / 200, atol=0.01)
    rows = {int(it["row"]): it for it in lines if it["curve"] == "T1_C1_SOLID"}
    assert {row for row in rows if rows[row]["flags"] == "17"} == {*range(500, 510)}
    assert {rows[row]["flags"] for row in (100, 400, 1100)} == {"0", "16"}
    about = {
        it["name"]: it["about"]
        for it in json.loads((followed / "log.json").read_text())["curve_list"]
    }
    assert about["T1_C1_SOLID"].endswith("651 rows by hand")
    said = (followed / "log.las").read_text()
    assert "651 rows by hand" in said and "\nedits by hand in it, with names: 3\n" in said
    assert rows[400]["confidence"] == "1.00" and rows[505]["confidence"] == "0.00"
    assert 4 <= float(rows[400]["right"]) - float(rows[400]["left"]) <= 8
    assert {it["track"] for it in lines if it["curve"] == "SP"} == {"2"}
    assert json.loads((followed / "log.json").read_text())["curve_edits"][1:] == drawn
    main(
        [
            str(path),
            "--edit",
            stroke("A", left, [400, 450]),
            "T1_C1_SOLID:400-450=",
            "A=T1_C1_SOLID",
        ]
    )
    joined = las_of(followed / "log.las")
    np.testing.assert_allclose(joined["T1_C1_SOLID"], mine, atol=2 / 140)  # as the view writes it
    assert joined.keys() == las.keys()
    lines = read(path)
    for words, said in (
        (["SP:5@9"], "is not CURVE=NAME, CURVE=, CURVE:FROM-TO=NAME, ...+1 or CURVE:ROW@COLUMN"),
        (["SP:5@9:1600@9"], "--edit SP:1600@9: the scan has 1600 x 400"),
        (["SP:5@9:90@9", "--threshold", "0.5"], "--threshold is for NAME.probability.tif"),
        (["SP:5@9:90@9", "--scan", "none.tif"], "none.tif: no such file"),
    ):
        with pytest.raises(SystemExit):
            main([str(path), "--edit", *words])
        assert said in capsys.readouterr().err
    (followed / "log.tif").rename(followed / "moved.tif")
    with pytest.raises(SystemExit):
        main([str(path), "--edit", "SP:5@9:90@9"])
    assert "log.tif: the scan is not there: name it (--scan)" in capsys.readouterr().err
    assert read(path) == lines
    main([str(path), "--scan", str(followed / "moved.tif"), "--edit", "NEW:5@9:90@9"])
    paper = [it for it in read(path) if it["curve"] == "NEW"]
    assert {it["flags"] for it in paper} == {"17"} and {it["column"] for it in paper} == {"9.0"}
    assert {it["track"] for it in paper} == {"0"} and len(paper) == 86
    edit = ["--scan", str(followed / "moved.tif"), "--edit", "T2_C1_SOLID:100@380:140@380"]
    main([str(path), *edit])
    moved = {int(it["row"]): it["column"] for it in read(path) if it["curve"] == "T2_C1_SOLID"}
    assert {row for row, column in moved.items() if column == "380.0"} == {*range(100, 141)}
    assert [*moved] == [*range(min(moved), max(moved) + 1)] and moved[99] != "380.0"


def test_a_stretch_is_put_off_its_scale_and_back(followed, capsys):
    path = followed / "log.curves.csv"
    (followed / "log.html").write_text('// wellseg\nconst DATA = {"followed":[]};\n')
    before = las_of(followed / "log.las")["T1_C1_SOLID"]
    main([str(path), "--edit", "T1_C1_SOLID=GR", "T1_C1_SOLID:300-499+1", "T1_C1_SOLID:480-519-1"])
    turns = np.zeros(ROWS)
    turns[300:480], turns[500:520] = 1, -1
    np.testing.assert_allclose(las_of(followed / "log.las")["GR"], before + turns, atol=1e-4)
    [entry] = [
        it
        for it in json.loads((followed / "log.json").read_text())["curve_list"]
        if it["name"] == "GR"
    ]
    assert entry["off"] == [[300, 479, 1], [500, 519, -1]]
    main([str(path), "--edit", "GR:300-479-1", "GR:500-519+1"])
    np.testing.assert_allclose(las_of(followed / "log.las")["GR"], before, atol=1e-4)
    assert {line["flags"] for line in read(path) if line["curve"] == "GR"} == {"0"}
    with pytest.raises(SystemExit):
        main([str(path), "--edit", "GR:300+1"])
    assert "is not CURVE=NAME" in capsys.readouterr().err


def test_what_a_person_says_of_a_stretch_holds_in_joined_curves_and_other_tracks(followed, capsys):
    path = followed / "log.curves.csv"
    share = las_of(followed / "log.las")["T1_C1_SOLID"]
    main([str(path), "--edit", "T1_C1_SOLID:900-1599=B", "T1_C1_SOLID:300-499+1"])
    edit(path, lambda lines: lines + [  # rows that both have
        line | {"curve": "B", "column": float(line["column"]) + 2}
        for line in lines if line["curve"] == "T1_C1_SOLID" and int(line["row"]) in range(850, 900)
    ])  # fmt: skip
    words = ["B:1000-1099-1", "B:860-869+1", "T1_C1_SOLID:860-879+1"]
    main([str(path), "--edit", "B=T1_C1_SOLID", *words])
    turns = np.zeros(ROWS)
    turns[300:500] = turns[860:880] = 1
    turns[1000:1100] = -1
    np.testing.assert_allclose(
        las_of(followed / "log.las")["T1_C1_SOLID"], share + turns, atol=1e-4
    )
    main([str(path), "--tracks", "60-130", "200-400", "--edit", "T1_C1_SOLID:1200-1299+1"])
    turns[1200:1300] = 1
    found = las_of(followed / "log.las")["T1_C1_SOLID"]
    np.testing.assert_allclose(found, 2 * share + turns, atol=2e-2)
    main([str(path), "--edit", "T1_C1_SOLID:600-699=C"])
    main([str(path), "--edit", "C:600-620+1", "C:621-650+1"])
    main([str(path), "--edit", "C=T1_C1_SOLID"])  # said in an earlier command, beside on-scale rows
    turns[600:651] = 1
    found = las_of(followed / "log.las")["T1_C1_SOLID"]
    np.testing.assert_allclose(found, 2 * share + turns, atol=2e-2)
    with pytest.raises(SystemExit):  # 9 with the former one
        main([str(path), "--edit", "T1_C1_SOLID:1200-1299+8"])
    assert "T1_C1_SOLID would be more than 8 tracks off its scale" in capsys.readouterr().err
    main([str(path), "--edit", "T1_C1_SOLID:1200-1299+7"])
    assert np.nanmax(las_of(followed / "log.las")["T1_C1_SOLID"]) > 8


def test_rows_of_a_scan_in_colour_that_show_none_are_seen_in_colour_as_it_was(followed):
    """Training on them teaches the network that marked them, not the one for gray."""
    pixels = np.full((ROWS, COLUMNS, 3), 255, np.uint8)
    pixels[:, 100] = 0
    pixels[800:, 280, 1:] = 0  # red
    write_picture(followed / "log.tif", pixels, dpi=100)
    writer = MaskWriter(ROWS, COLUMNS)
    writer.put(np.zeros((ROWS, COLUMNS), np.uint8))
    write_file(followed / "log.mask.tif", writer.tiff())
    command = [str(followed / "log.curves.csv"), "--label", str(followed / "mine")]
    for rows in ("0-399", "900-1299"):
        main([*command, "--label_rows", rows])
    for log in list_logs(followed / "mine"):
        with open_scan(log.image, colour=True) as scan:
            assert scan.kind == "colour" and scan.read(0, 9).shape == (9, COLUMNS, 3)
    write_picture(log.image, pixels[:400], dpi=100)
    with open_scan(log.image, colour=True) as scan:
        assert scan.kind == "gray"


def test_a_column_moved_in_the_csv_is_curve_where_it_was_moved_to(followed):
    """Its span, of the stroke it was on, is not changed by hand."""
    path = followed / "log.curves.csv"
    writer = MaskWriter(ROWS, COLUMNS)
    writer.put(draw(sine(90)))
    write_file(followed / "log.mask.tif", writer.tiff())

    def move(lines):
        for line in lines:
            if line["curve"] == "T1_C1_SOLID" and 500 <= int(line["row"]) < 600:
                line["column"] = str(float(line["column"]) + 60)
        return lines

    edit(path, move)
    main([str(path), "--label", str(followed / "mine"), "--label_rows", "500-599"])
    (log,) = list_logs(followed / "mine")
    truth, label = read_mask(log.mask), json.loads(log.label.read_text())
    path = np.array(label["whole"][0]["path"])
    assert (truth[path[:, 1], path[:, 0]] == 255).all()
    assert not (truth[path[:, 1], path[:, 0] - 60] == 255).any()


def test_corrected_curves_become_a_log_to_train_on(followed, capsys):
    path, mine = followed / "log.curves.csv", followed / "mine"
    command = [str(path), "--label", str(mine), "--label_rows", "400-1199"]
    before = path.read_bytes()
    with pytest.raises(SystemExit):
        main([*command, "--edit", "T1_C1_SOLID=GR"])
    assert "log.mask.tif: no such file or directory" in capsys.readouterr().err
    assert path.read_bytes() == before, "before anything is written"
    left, right = sine(90), sine(280)

    def spike(lines):
        rows = {str(row) for row in range(450, 460)}
        wide = {"left": "84", "right": "106"}
        return [
            line | wide if line["row"] in rows and line["track"] == "1" else line for line in lines
        ]

    predicted = draw(left, right)
    predicted[600:640, 150:250] = 255  # lettering, taken for curve
    predicted[700:800, :200] = 0  # and a stretch that is missed
    predicted[900:920, 330:350] = 128  # that nobody could decide
    predicted[450:460, 82:108] = 0
    predicted[450:460, [84, 106]] = 255  # both limbs of a spike
    writer = MaskWriter(ROWS, COLUMNS)
    writer.put(predicted)
    write_file(followed / "log.mask.tif", writer.tiff())
    drawn = stroke("T1_C1_SOLID", left, range(690, 811, 30))
    edit(path, spike)
    as_corrected = path.read_bytes()
    mine.mkdir()
    (mine / "labels").touch()  # a file where a folder should be: as one that may not be written
    with pytest.raises(SystemExit):
        main([*command, "--edit", "T2_C1_SOLID:1000-1599=", drawn])
    assert path.read_bytes() == as_corrected and "labels" in capsys.readouterr().err
    (mine / "labels").unlink()
    main([*command, "--edit", "T2_C1_SOLID:1000-1599=", drawn])
    assert "mine/images/log_400.tif: 800 rows" in capsys.readouterr().out.replace("\\", "/")
    (log,) = list_logs(mine)
    (mine / "split.csv").write_text('Split,"Name",note,well\nval,log_400,mine,A\n')
    main([*command[:3], "--label_rows", "0-399"])
    other, same = list_logs(mine)
    assert (same.split, other.name, other.split, other.well) == ("val", "log_0", "val", "A")
    assert "curves; split: val" in capsys.readouterr().out
    for table in ('name,split\n"Smith, J 1",val\nlog_400,train\nlog_0,train\n', ""):
        (mine / "split.csv").write_text(table)  # names with commas; a table that is still empty
        for kind in (".tif", ".mask.tif", ".curves.csv", ".json"):
            (followed / f"Doe, J{kind}").write_bytes((followed / f"log{kind}").read_bytes())
        for there in mine.rglob("Doe*"):
            there.unlink()
        main([str(followed / "Doe, J.curves.csv"), *command[1:3], "--label_rows", "9-99"])
        assert '"Doe, J_9",train' in (mine / "split.csv").read_text()
    for sep, encoding in ((";", "utf-8"), ("\t", "utf-16")):  # a spreadsheet's
        lines = sep.join(("well", "name", "split\nW", "old", "train\n"))
        (mine / "split.csv").write_text(lines, encoding)
        main([str(path), "--label", str(mine), "--label_rows", "1200-1300"])
        told = lines + sep.join(("log", "log_1200", "train\n"))
        assert (mine / "split.csv").read_text("utf-8") == told
        for made in mine.glob("*/log_1200.*"):
            made.unlink()
    for table in ("Name?;split;well\n", "split,well\n"):
        (mine / "split.csv").write_text(table)
        with pytest.raises(SystemExit):
            main([str(path), "--label", str(mine), "--label_rows", "1200-1300"])
        assert "split.csv: no column name" in capsys.readouterr().err
    (mine / "split.csv").write_bytes(b"name,well\nold,M\xfcller\n")
    main([str(path), "--label", str(mine), "--label_rows", "1200-1300"])
    assert (mine / "split.csv").read_bytes() == b"name,well\nold,M\xfcller\nlog_1200,log\n"
    for made in mine.glob("*/log_1200.*"):
        made.unlink()
    (mine / "split.csv").unlink()
    with open_scan(log.image) as image, open_scan(followed / "log.tif") as scan:
        np.testing.assert_array_equal(image.read(0, 800), scan.read(400, 1200))
    truth, true = read_mask(log.mask).copy(), draw(left, right)[400:1200]
    assert not truth[51:59, 88:102].any(), "a span is paper between the limbs of a spike"
    true[600:, 200:] = 0  # it was removed there
    true[truth == 128] = 128
    true[50:60], truth[50:60] = 0, 0
    assert score_log(truth == 255, true).f1_at_3px > 0.995
    assert (truth[510:512, 335:345] == 128).all() and not truth[200:240, 160:240].any()
    label = read_label(log.label, truth.shape)
    assert [one["name"] for one in label.about["whole"]] == ["T1_C1_SOLID", "T2_C1_SOLID"]
    (x, y), *_ = label.about["whole"][0]["path"]
    assert y == 0 and abs(x - left[400]) <= 1
    for words, said in (
        (command[1:], "log_400.tif is there already: remove it, or name another folder"),
        (["--label", "mine"], "--label FOLDER and --label_rows FROM-TO: the one needs the other"),
        ([*command[1:3], "--label_rows", "300-450"], "log_0.tif has rows 0 to 399 of this scan"),
        ([*command[1:3], "--label_rows", "1199-1300"], "log_400.tif has rows 400 to 1199"),
        ([*command[1:3], "--label_rows", "9-5"], "--label_rows '9-5' is not FROM-TO"),
        ([*command[1:3], "--label_rows", "9-1600"], "the scan has rows 0 to 1,599"),
    ):
        with pytest.raises(SystemExit):
            main([str(path), *words])
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["GR"], "'GR' is not CURVE=NAME, CURVE="),
        (["T1 C1=GR"], "'T1 C1=GR' is not CURVE=NAME"),
        (["GR=SP"], "there is no curve GR in"),
        (["T1_C1_SOLID:5-9+9"], "'T1_C1_SOLID:5-9+9' is not CURVE=NAME"),
        (["T1_C1_SOLID=GR", "T1_C1_SOLID:5-9="], "rows of curve T1_C1_SOLID are in two edits"),
        (["T1_C1_SOLID=gr", "T2_C1_SOLID=GR"], "curves gr and GR: one name in a LAS"),
        (["T1_C1_SOLID=dept"], "curve 'dept', row 0: a name has letters"),
        (["T1_C1_SOLID=GR", "--after", "2"], "made already, or others since, or are of other"),
        (["T1_C1_SOLID=GR", "--after", "0-1"], "or are of other curves: load its page again"),
        (["A:5@9:90@9:50@9"], "its rows rise, or fall, from point to point"),
    ],
)
def test_wrong_edits_are_said_in_one_line(followed, capsys, words, said):
    before = (followed / "log.las").read_bytes()
    with pytest.raises(SystemExit) as ended:
        main([str(followed / "log.curves.csv"), "--edit", *words])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and said in error and error.count("\n") == 1
    assert (followed / "log.las").read_bytes() == before
    with pytest.raises(ValueError, match=r"--edit is for NAME\.curves\.csv"):
        CurvesConfig("log.probability.tif", edit=["A=B"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"column": "12,5"}, "curve T1_C1_SOLID, row 1: could not convert string to float: '12,5'"),
        ({"curve": ""}, "curve '', row 1: a name has letters"),
        ({"flags": "-1"}, "row 1 has flags that are not 0 to 31"),
        ({"flags": "3", "value": ""}, "row 1 is off its scale (flag 2) and has no value"),
        ({"row": "inf"}, "curve T1_C1_SOLID: row inf is not a row of the scan"),
        ({"column": "-inf"}, "curve T1_C1_SOLID: row 1 has a column that is not on the scan"),
        ({"row": "2"}, "row 2 is there twice: take one out, or join curves with --edit"),
        ({"row": "1600"}, "row 1,600 is not a row of the scan"),
        ({"row": "1.5"}, "row 1.5 is not a row of the scan"),
        ({"column": "401"}, "row 1 has a column that is not on the scan"),
        ({"column": ""}, "row 1 has a column that is not on the scan"),
        ({"track_left": "300"}, "row 1 has track_left and track_right that are no borders"),
        ({"track": ""}, "row 1 has a track that is not 0 to 99"),
        ({"curve": "GR 1"}, "curve 'GR 1', row 1: a name has letters"),
    ],
)
def test_what_is_wrong_in_a_corrected_csv_is_said_in_one_line(followed, capsys, change, said):
    las = (followed / "log.las").read_bytes()
    edit(followed / "log.curves.csv", lambda lines: [lines[0], lines[1] | change, *lines[2:]])
    with pytest.raises(SystemExit) as ended:
        main([str(followed / "log.curves.csv")])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and said in error and error.count("\n") == 1
    assert (followed / "log.las").read_bytes() == las


def test_what_a_csv_alone_does_not_tell_is_asked_for(followed, capsys):
    path = followed / "log.curves.csv"
    for words, said in (
        (["--threshold", "0.4"], "--threshold is for NAME.probability.tif"),
        (["--rows", "3-90"], "--rows is for NAME.probability.tif"),
        (["--tracks", "none"], "--tracks none is for NAME.probability.tif"),
        (["--edit", "T1_C1_SOLID:800-100="], "its rows rise"),
        (["--depth", "0=3", "1600=9"], "the scan has rows 0 to 1,599"),
    ):
        with pytest.raises(SystemExit):
            main([str(path), *words])
        assert said in capsys.readouterr().err
    (followed / "log.json").write_text(json.dumps({"scan": "log.tif", "rows": "9", "columns": []}))
    with pytest.raises(SystemExit):
        main([str(path)])
    assert (
        "log.json, which has the scan's size, is not there, or was changed"
        in capsys.readouterr().err
    )
    path.write_bytes(bytes(200_000))
    (followed / "log.json").unlink()
    with pytest.raises(SystemExit):
        main([str(path)])
    assert "log.json, which has the scan's size, is not there" in capsys.readouterr().err
    (followed / "log.json").write_text(json.dumps({"scan": "log.tif", "rows": 9, "columns": 9}))
    with pytest.raises(SystemExit):
        main([str(path)])
    assert "log.curves.csv: no column column, curve" in capsys.readouterr().err
    path.write_text("row;curve;column\n1;GR;5\n")
    with pytest.raises(SystemExit):
        main([str(path)])
    assert "no column track, track_left, track_right: save it as CSV" in capsys.readouterr().err


def test_a_stroke_has_no_rows_beyond_its_ends():
    ink = np.full((200, 300), 255, np.uint8)
    cv2.line(ink, (20, 100), (280, 130), 0, 3)  # clicked below its left end, above its right one
    told = {"likely_dpi": 200, "rows": 200, "columns": 300}
    scan = SimpleNamespace(**told, read=lambda first, stop: ink[first:stop])
    rows = follow_ink(Stroke("A", [(104, 22), (126, 278)]), scan, None)[:, 0]
    assert rows.tolist() == [*range(104, 127)]

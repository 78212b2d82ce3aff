"""Folders: what is done is skipped, kills leave whole results alone, the summary is true."""

import csv
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import psutil
import pytest
import tifffile
from conftest import draw_waves
from fsspec.implementations.local import LocalFileSystem
from pebble import ProcessPool

from wellseg.cli import SOME_FAILED
from wellseg.config import PredictConfig
from wellseg.many import engines
from wellseg.many import summary as summaries
from wellseg.many.summary import Screen, as_csv, write_summary
from wellseg.many.tasks import Outcome, Settings, list_tasks, outcome_of
from wellseg.predict import main
from wellseg.review.command import main as curves_main
from wellseg.scan import atomic
from wellseg.scan.files import Task, claim, tidy

HERE = Path(__file__).parent
TIFFS = ["a.tif", "b.tif", "deep/c.tif"]
HEADER = ["scan", "status", "rows", "columns", "seconds", "curve_share", "doubt_share"]
HEADER += ["curves", "tracks", "dpi", "colour", "pages", "weights", "threshold", "reason"]


def write_scan(path, rows=90, columns=70, phase=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(
        path, draw_waves(rows, columns, phase)[0], compression="deflate", rowsperstrip=128
    )


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(TIFFS):
        write_scan(tmp_path / "scans" / name, rows=90 + i)
    return tmp_path / "scans"


@pytest.fixture
def no_pool(monkeypatch):
    """All scans in this process: for what does not depend on processes, which take long to start."""
    monkeypatch.setattr(engines, "run_pool", engines.run_here)


def run(*arguments, status=0):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in arguments])
    assert ended.value.code == status


def command(*arguments):
    return [sys.executable, "-m", "wellseg.predict", *map(str, arguments)]


def summary(out):
    with open(out / "summary.csv", newline="") as file:
        table = csv.DictReader(file)
        assert table.fieldnames == HEADER
        return {row["scan"]: row for row in table}


def states(out):
    return {name: row["status"] for name, row in summary(out).items()}


def assert_whole(out, killed=False):
    """Every whole report has its mask, every mask its rows, nothing has another name, but for the
    hidden rest of a command that was killed."""
    pages = ("summary.csv", "index.html")
    files = [path for path in out.rglob("*") if path.is_file() and path.name not in pages]
    files = [path for path in files if not (killed and path.name.startswith(atomic.HIDDEN))]
    assert all(path.name.endswith((".mask.tif", ".overlay.png", ".json")) for path in files), files
    for path in files:
        if path.suffix == ".json":
            report = json.loads(path.read_text())
            if "weights_sha256" not in report:  # a worker was killed before it renamed its mask
                assert report["begun_sha256"].keys() == {".mask.tif"}
                continue
            assert tifffile.imread(path.with_suffix(".mask.tif")).shape == (
                report["rows"],
                report["columns"],
            )
        if path.name.endswith(".mask.tif"):
            tifffile.imread(path)


def test_the_second_start_does_nothing_but_the_rest(folder, weights, tmp_path, capsys, monkeypatch):
    (folder / "bad.tif").write_text("these are notes")
    out = tmp_path / "out"
    start = (folder, "--out", out, "--weights", weights)
    run(*start, "--jobs", 1, status=1)
    rows = summary(out)
    assert states(out) == {
        "a.tif": "done",
        "b.tif": "done",
        "bad.tif": "failed",
        "deep/c.tif": "done",
    }
    known = {"scan": "deep/c.tif", "status": "done", "rows": "92", "columns": "70", "pages": "1"}
    assert rows["deep/c.tif"].items() >= known.items()
    mask = tifffile.imread(out / "deep" / "c.mask.tif")
    assert float(rows["deep/c.tif"]["curve_share"]) == pytest.approx((mask > 0).mean(), abs=1e-6)
    assert rows["bad.tif"]["reason"] == (
        "not a TIFF, PNG or JPEG: it begins with b'these ar'; convert a picture to TIFF"
    )
    assert_whole(out)
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}

    capsys.readouterr()
    run(*start, status=1)  # the bad one once more
    printed = capsys.readouterr().err
    assert "3 of 4 scans are done already" in printed and "a.mask.tif" not in printed
    assert summary(out) == rows

    # a.tif is another scan now, b's report is damaged, c has lost its mask, bad.tif is gone
    write_scan(folder / "a.tif", rows=91)
    (out / "b.json").write_text('{"rows": ')
    (out / "deep" / "c.mask.tif").unlink()
    (folder / "bad.tif").unlink()
    monkeypatch.setattr(engines, "run_pool", engines.run_here)
    run(*start, "--jobs", 1)
    assert all(path.stat().st_mtime_ns > then for path, then in made.items())
    assert summary(out)["a.tif"]["rows"] == "91" and set(states(out).values()) == {"done"}


@pytest.mark.parametrize(
    "report",
    [
        *("", "[]", "null", "[" * 100_000, b"\xff\xfe", '{"rows": [1], "weights": "w"}'),
        *('{"rows": 1e999, "weights": 7}', '{"rows": 9, "weights": "", "further_pages": null}'),
    ],
)
def test_a_damaged_report_is_no_report(no_pool, folder, weights, report):
    run(folder / "a.tif", "--weights", weights)
    (folder / "a.json").write_bytes(report if isinstance(report, bytes) else report.encode())
    run(folder / "a.tif", "--weights", weights)
    assert json.loads((folder / "a.json").read_text())["rows"] == 90


@pytest.mark.parametrize(
    "name, data",
    [
        ("a.json", b'[{"label": "gamma", "points": [[1, 2], [3, 4]]}]'),  # of a labelling program
        ("a.probability.tif", b"II*\0 of another program"),
        ("a.curves.csv", b"depth,gamma\n1,2\n"),
        ("a.view/notes.txt", b"my own"),
    ],
)
def test_a_file_of_somebody_else_in_the_place_of_a_result_stays(
    no_pool, folder, weights, capsys, name, data
):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    run(folder / "a.tif", "--weights", weights, "--curves", "--view", "--probability", status=1)
    assert (folder / name).read_bytes() == data and not (folder / "a.mask.tif").exists()
    assert "is not wellseg's" in capsys.readouterr().err


def test_results_that_are_missing_or_of_other_options_are_made(
    no_pool, folder, weights, tmp_path, capsys
):
    scan = folder / "a.tif"
    run(scan, "--weights", weights)
    run(scan, "--weights", weights, "--probability")
    assert "done already" not in capsys.readouterr().err and (folder / "a.probability.tif").exists()
    run(scan, "--weights", weights, "--probability")
    assert "done already" in capsys.readouterr().err
    run(scan, "--weights", weights, "--threshold", 0.6)
    probability, mask = (tifffile.imread(folder / f"a.{it}.tif") for it in ("probability", "mask"))
    np.testing.assert_array_equal(probability > 153, mask > 0)  # of the new mask
    assert not (folder / "summary.csv").exists()  # of a single scan


def test_scans_that_would_share_results_keep_their_suffix_in_them(folder, tmp_path):
    """Also log.1.tif beside log.tif, whose second log has log.1.las; and the page of all scans."""
    for name in ("a.png", "b.1.tif", "index.tif", "c.p2.tif", "other/a.tif"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((folder / "a.tif").read_bytes())
    stems = {task.name: task.stem for task in list_tasks([str(folder)], "out")[0]}
    others = {name: name.removesuffix(".tif") for name in ("b.tif", "c.p2.tif", "deep/c.tif")}
    kept = {name: name for name in ("a.png", "a.tif", "b.1.tif", "index.tif")}
    expected = {**others, **kept, "other/a.tif": "other/a"}
    assert stems == {name: str(Path("out", stem)) for name, stem in expected.items()}
    with pytest.raises(ValueError, match=r"other.a.tif: has the same results as .*a.tif.mask.tif"):
        list_tasks([str(folder / "a.tif"), str(folder / "other" / "a.tif")], "out")


def test_a_picture_beside_a_scan_that_is_masked_does_not_take_its_name(folder):
    for name in ("a.json", "index.json"):
        (folder / name).write_text(
            json.dumps({"scan": f"{name[:-5]}.tif", "depth": ["0=1", "9=2"]})
        )
        (folder / f"{name[:-5]}.jpg").touch()
    (folder / "index.tif").touch()
    stems = {task.name: Path(task.stem).name for task in list_tasks([str(folder)], None)[0]}
    assert stems["a.tif"] == "a" and stems["a.jpg"] == "a.jpg"
    assert stems["index.tif"] == "index.tif"  # index.html is of all scans


def test_results_of_another_scan_are_never_replaced(folder, weights, tmp_path, capsys, monkeypatch):
    """Of a.tif by a.png, or by the a.tif of another folder; but where a scan was moved or changed."""
    first, second, out = folder / "a.tif", tmp_path / "other" / "a.tif", tmp_path / "out"
    run(first, "--weights", weights, "--out", out)
    made = (out / "a.mask.tif").read_bytes()
    write_scan(second, phase=1)
    shutil.copy2(first, third := first.with_suffix(".tiff"))
    for path in (second, third):
        run(path, "--weights", weights, "--out", out, status=1)
        assert f"a.json and its results are of {first}: name" in capsys.readouterr().err
        assert (out / "a.mask.tif").read_bytes() == made
    monkeypatch.chdir(folder)
    (tmp_path / "mounted").mkdir()  # elsewhere, too
    os.link(first, tmp_path / "mounted" / "a.tif")
    names = ["a.tif", tmp_path / "mounted" / "a.tif"]
    if os.name != "nt":  # links are for administrators there
        (tmp_path / "link").symlink_to(folder)
        names.insert(1, tmp_path / "link" / "a.tif")
    for same in names:
        run(same, "--weights", weights, "--out", out, "--overwrite")
    write_scan(first, rows=80)
    run("a.tif", "--weights", weights, "--out", out)
    first.unlink()
    run(second, "--weights", weights, "--out", out)
    assert json.loads((out / "a.json").read_text())["scan_path"] == str(second)


def test_copied_scans_are_not_masked_again(no_pool, pages, weights, tmp_path, capsys):
    """An archive on a new disk, while the old one is there, too, or its files by another protocol:
    with other times, and pages whose reports tell the old ones."""
    tifffile.imwrite(pages.with_name("a.tif"), draw_waves(90, 70, phase=0)[0])
    words = "--weights", weights, "--out", tmp_path / "out"
    run(pages.parent, *words)
    masks = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.mask.tif")}
    copied = shutil.copytree(pages.parent, tmp_path / "copied")
    for path in copied.iterdir():
        os.utime(path, (9, 9))
    capsys.readouterr()
    run(copied, *words)
    assert "2 of 2 scans have results of other" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in masks} == masks and len(masks) == 3
    run(copied, *words)  # it is known now, and the scans are not read for it
    assert "2 of 2 scans are done already" in capsys.readouterr().err
    run(copied, *words, "--threshold", 0.6)  # also a page is not of another scan
    assert all(path.stat().st_mtime_ns > then for path, then in masks.items())
    data = (copied / "a.tif").read_bytes()
    (copied / "a.tif").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))  # no copy: of as many bytes
    run(copied, *words, "--threshold", 0.6)
    told = capsys.readouterr().err
    assert "1 of 2 scans have results" in told
    report = json.loads((tmp_path / "out" / "a.json").read_text())
    assert report["scan_sha256"] == hashlib.sha256((copied / "a.tif").read_bytes()).hexdigest()


def test_that_all_is_masked_again_by_other_options_is_said_first(folder, weights, capsys):
    count = len(list_tasks([str(folder)], None)[0])
    run(folder, "--weights", weights)
    capsys.readouterr()
    run(folder, "--weights", weights, "--threshold", 0.6)
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith(f"{count} of {count} scans have results of other weights, options or")


@pytest.mark.parametrize("report", [None, b"", b'{"rows": 9', "begun"])
def test_what_may_be_corrected_is_kept_where_no_report_tells(folder, weights, capsys, report):
    run(folder / "a.tif", "--weights", weights, "--curves")
    place, table = folder / "a.json", folder / "a.curves.csv"
    known = json.loads(place.read_text())
    if report == "begun":  # of a run that was killed before it was whole
        former = {"former_sha256": known["sha256"]}
        place.write_text(
            json.dumps({k: it for k, it in known.items() if "sha256" not in k} | former)
        )
    elif report is None:
        place.unlink()
    else:
        place.write_bytes(report)
    table.write_bytes(mine := table.read_bytes() + b"# mine\n")
    run(folder / "a.tif", "--weights", weights, "--threshold", 0.6)
    (kept,) = folder.glob("a.curves.csv.*.bak")
    assert (
        kept.read_bytes() == mine
        and f"{kept}: kept, no whole .json tells" in capsys.readouterr().err
    )
    assert len([*folder.glob("*.bak")]) == (1 if report == "begun" else 3), "CSV; LAS and mask"
    assert json.loads(place.read_text())["sha256"].keys() == known["sha256"].keys()


def test_a_report_that_cannot_be_read_is_not_taken_for_none(folder, weights, capsys, monkeypatch):
    run(folder / "a.tif", "--weights", weights, "--curves")
    mine = (folder / "a.curves.csv").read_bytes() + b"# mine\n"
    (folder / "a.curves.csv").write_bytes(mine)
    monkeypatch.setattr(
        LocalFileSystem, "cat_file", Mock(side_effect=OSError(5, "Input/output error"))
    )
    run(folder / "a.tif", "--weights", weights, "--threshold", 0.6, status=1)
    assert "a.json cannot be read: Input/output error" in capsys.readouterr().err
    assert (folder / "a.curves.csv").read_bytes() == mine and not [*folder.glob("*.bak")]


def test_a_report_of_a_newer_wellseg_stays(folder, weights, capsys):
    run(folder / "a.tif", "--weights", weights)
    newer = json.loads((folder / "a.json").read_text()) | {"format": 2}
    (folder / "a.json").write_text(json.dumps(newer))
    run(folder / "a.tif", "--weights", weights, status=1)
    assert "a.json is of format 2, this wellseg has 1: update" in capsys.readouterr().err
    assert json.loads((folder / "a.json").read_text()) == newer


def test_one_scan_is_masked_once_however_it_is_called(folder, weights):
    (folder / "n").mkdir()
    run(folder / "a.tif", folder / "n" / ".." / "a.tif", "--weights", weights)
    assert len([*folder.glob("*.mask.tif")]) == 1


def test_no_more_threads_than_cores_are_begun(folder, weights, monkeypatch):
    monkeypatch.setattr(engines.cv2, "setNumThreads", Mock())
    monkeypatch.setattr(engines.torch, "set_num_threads", begun := Mock())
    run(folder / "a.tif", "--weights", weights, "--threads", 10**9)
    assert begun.call_args_list[0].args == (engines.cpu_count(),)


def test_a_note_that_is_no_text_stops_nothing(no_pool, folder, weights):
    run(folder / "a.tif", "--weights", weights)
    report = json.loads((folder / "a.json").read_text()) | {"notes": [5]}
    (folder / "a.json").write_text(json.dumps(report))
    run(folder, "--weights", weights)


def test_a_report_whose_unfinished_part_is_damaged_is_damaged(no_pool, folder, weights, capsys):
    run(folder / "a.tif", "--weights", weights)
    report = json.loads((folder / "a.json").read_text()) | {"unfinished": {"sha256": 5}}
    (folder / "a.json").write_text(json.dumps(report))
    run(folder / "a.tif", "--weights", weights)
    assert "unfinished" not in json.loads((folder / "a.json").read_text())
    assert "Error" not in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="no name has a colon there")
def test_names_with_two_colons_are_names(folder, weights):
    (folder / "c::d").mkdir()
    shutil.copy2(folder / "a.tif", folder / "c::d" / "e::f.tif")
    run(folder / "c::d", "--weights", weights, "--out", folder / "c::d" / "out")
    assert (folder / "c::d" / "out" / "e::f.mask.tif").is_file()


def test_a_report_of_something_else_stays(folder, weights, capsys):
    (folder / "a.json").write_text('{"rows": [1], "who": "me"}')
    run(folder / "a.tif", "--weights", weights, status=1)
    assert "a.json is not wellseg's" in capsys.readouterr().err
    assert json.loads((folder / "a.json").read_text()) == {"rows": [1], "who": "me"}


def test_what_lies_in_a_folder_and_is_no_scan_is_left_alone(folder):
    for name in (".hidden.tif", ".trash/d.tif", "a.mask.tif", "a.overlay.png", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    names = ["a.tif", "b.tif", "deep/c.tif"]
    if os.name != "nt":  # links are for administrators there
        (folder / "loop").symlink_to(folder)
        (folder / "gone.tif").symlink_to(folder / "nowhere")
        names.append("gone.tif")
    if hasattr(os, "mkfifo"):  # to open it would be to wait for ever
        os.mkfifo(folder / "pipe.tif")
    tasks, _, others = list_tasks([str(folder), str(folder / "a.tif")], "out")
    told = {task.name: outcome for task, outcome in others.items()}
    if os.name != "nt":  # a link to a folder is not followed, and said
        outcome = told.pop("loop (folder).link")
        assert outcome.status == "not read" and "name the folder of a link" in outcome.reason
    assert not told
    assert [task.name for task in tasks] == names
    assert tasks[2].stem == os.path.join("out", "deep", "c")


def test_a_closed_folder_below_is_said_and_all_other_scans_are_masked(
    folder, weights, tmp_path, no_pool, monkeypatch, capsys
):
    closed = ["deep"]

    def scandir(path, here=os.scandir):
        if str(path).endswith(tuple(closed)):  # root may look into all
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return here(path)

    monkeypatch.setattr(os, "scandir", scandir)
    start = (folder, "--out", tmp_path / "out", "--weights", weights)
    for done in ("/2 ", "2 of 2 scans are done already"):
        run(*start, status=1)
        said = capsys.readouterr().err
        told = [line for line in said.splitlines() if "Permission denied" in line]
        assert done in said and len(told) == 1
        why = "cannot be looked into: Permission denied; let yourself read it and start again"
        assert told[0].startswith(f"wellseg.predict: {folder / 'deep'}: {why}")
        assert states(tmp_path / "out") == {"a.tif": "done", "b.tif": "done", "deep": "failed"}
        assert "not read" not in said
    closed[0] = str(folder)  # which was named
    run(*start, status=2)
    assert f"error: {folder}: cannot be looked into: Perm" in capsys.readouterr().err
    closed[0] = "nothing"
    run(*start)
    assert states(tmp_path / "out") == dict.fromkeys(TIFFS, "done")


def test_a_mask_that_was_corrected_by_hand_stays(folder, weights, capsys):
    mask = folder / "a.mask.tif"
    # Programs keep what a file says of its maker, or not.
    for more in ({}, {"software": "wellseg"}):
        run(folder / "a.tif", "--weights", weights)
        tifffile.imwrite(mask, np.zeros((90, 70), np.uint8), **more)
        run(folder / "a.tif", "--weights", weights)  # done already
        for options in (["--threshold", 0.3], ["--overwrite"]):
            run(folder / "a.tif", "--weights", weights, *options, status=1)
            assert "a.mask.tif was changed (by hand, or by --edit)" in capsys.readouterr().err
        assert not tifffile.imread(mask).any()
        mask.unlink()


def test_an_empty_mask_is_made_anew(no_pool, folder, weights, capsys):
    """A crash of the machine leaves such files; it counted as done, and as corrected."""
    run(folder, "--weights", weights)
    before = (folder / "a.mask.tif").read_bytes()
    (folder / "a.mask.tif").write_bytes(b"")
    capsys.readouterr()
    run(folder, "--weights", weights)
    assert "2 of 3 scans are done already" in capsys.readouterr().err
    assert (folder / "a.mask.tif").read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="Windows takes paths of 259 characters by default")
def test_a_name_as_long_as_names_can_be(tmp_path, weights):
    write_scan(tmp_path / f"{'L' * 235}.tif")
    run(tmp_path / f"{'L' * 235}.tif", "--weights", weights)
    assert (tmp_path / f"{'L' * 235}.mask.tif").exists()


def test_a_page_of_all_scans_stands_where_all_results_lie(folder, tmp_path):
    (alone := tmp_path / "alone.tif").write_bytes(b"scan")
    assert list_tasks([f"{folder}/"], None)[1] == str(folder)
    assert list_tasks([str(folder), str(alone)], None)[1] is None
    assert list_tasks([str(folder), str(alone)], "out")[1] == "out"


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_that_are_not_utf_8(no_pool, tmp_path, weights, capsys):
    name = os.fsdecode(b"caf\xe9, 1\n2.tif")
    write_scan(tmp_path / "scans" / name)
    (tmp_path / "scans" / "b.tif").write_text("no scan")
    run(tmp_path / "scans", "--weights", weights, "--out", tmp_path / "out", "--view", status=1)
    assert states(tmp_path / "out") == {r"caf\udce9, 1" + "\n2.tif": "done", "b.tif": "failed"}
    assert "no scan" in (tmp_path / "out" / "index.html").read_text("utf-8")


DONE = Outcome("done", known={"rows": 300, "columns": 100, "seconds": 1.0, "curve_share": 0.25})


def some_tasks(count):
    return [Task(f"{i}.tif", f"{i}.tif", f"{i}", size_bytes=100) for i in range(count)]


def test_the_summary_says_what_became_of_each_scan(tmp_path):
    outcomes = {task: Outcome("waiting") for task in some_tasks(3)}
    write_summary(str(tmp_path), outcomes, ".html", running=True)
    assert list(states(tmp_path).values()) == ["waiting"] * 3
    assert '"as_of":"2' in (tmp_path / "index.html").read_text("utf-8")
    ended = (DONE, Outcome("failed", 'it is "bad", and\nold'), DONE)
    write_summary(str(tmp_path), dict(zip(outcomes, ended, strict=True)), ".html", running=False)
    assert list(states(tmp_path).values()) == ["done", "failed", "done"]
    assert summary(tmp_path)["1.tif"]["reason"] == 'it is "bad", and\nold'
    text = (tmp_path / "index.html").read_text("utf-8")
    assert '"status":"failed"' in text and '"as_of":null' in text
    line = as_csv({Task("x", "x", "x"): Outcome("done", known={"curve_share": 0.25})}).splitlines()[
        1
    ]
    assert line == b"x,done,,,,0.25,,,,,,,,,"


def test_the_summary_is_written_now_and_then(no_pool, folder, weights, monkeypatch):
    """Not after each of 140,000 scans: it has tens of MB then."""
    written = []
    monkeypatch.setattr(summaries, "as_csv", lambda outcomes: written.append(dict(outcomes)) or b"")
    for every_s, times in ((60.0, 2), (0.0, 5)):
        monkeypatch.setattr("wellseg.predict.EVERY_S", every_s)
        written.clear()
        run(folder, "--weights", weights, "--overwrite")
        assert len(written) == times


def test_a_result_that_is_open_is_told_before_anything_is_lost(
    folder, weights, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "out"
    words = [folder / "deep" / "c.tif", "--out", out, "--weights", weights]
    run(*words)
    before = {path: path.read_bytes() for path in out.iterdir()}
    replace = os.replace

    def refused(source, target):
        if Path(target).name == "c.overlay.png":
            raise PermissionError(errno.EACCES, "Access is denied", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refused)
    monkeypatch.setattr(atomic, "RETRY_AFTER_S", ())
    monkeypatch.setattr("wellseg.scan.atomic.WINDOWS", True)
    run(*words, "--threshold", 0.3, status=1)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    said = capsys.readouterr().err
    assert (
        "c.overlay.png: cannot be replaced: permission denied; close it where it is open in" in said
    )
    assert "--out" not in said


def test_a_path_too_long_for_windows_is_told_before_the_work(
    folder, weights, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("wellseg.scan.atomic.WINDOWS", True)
    out = tmp_path / ("o" * (225 - len(str(tmp_path))))
    for takes, status in ((False, 1), (True, 0)):
        monkeypatch.setattr("wellseg.scan.atomic._takes_long_paths", lambda takes=takes: takes)
        run(folder / "deep", "--out", out, "--weights", weights, status=status)
        made = [path for path in out.rglob("*.*") if "wellseg" not in path.name]
        assert ("too long for Windows" in capsys.readouterr().err) != takes
        assert any(path.name.endswith(".mask.tif") for path in made) == takes


def test_the_bin_of_a_windows_disk_is_not_looked_into(folder, weights, tmp_path, capsys):
    for name in ("$RECYCLE.BIN", "System Volume Information"):
        (folder / "deep" / name).mkdir()
        shutil.copy(folder / "deep" / "c.tif", folder / "deep" / name / "old.tif")
    run(folder / "deep", "--out", tmp_path / "out", "--weights", weights)
    assert not list((tmp_path / "out").rglob("*old*"))


def test_a_summary_open_in_excel_does_not_end_the_run(
    folder, weights, tmp_path, monkeypatch, capsys
):
    """Windows lets nobody replace a file that another program has open."""
    replace = os.replace

    def refused(source, target):
        if Path(target).name in ("summary.csv", "index.html"):
            raise PermissionError(errno.EACCES, "Access is denied", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refused)
    monkeypatch.setattr(atomic, "RETRY_AFTER_S", ())
    monkeypatch.setattr("wellseg.predict.EVERY_S", 0.0)
    run(folder / "deep", "--out", tmp_path / "out", "--weights", weights, status=SOME_FAILED)
    assert (tmp_path / "out" / "c.mask.tif").exists()
    said = [line for line in capsys.readouterr().err.splitlines() if "another program" in line]
    assert len(said) == 2  # of each file at the end
    assert "summary.csv" in said[0] and "Traceback" not in said[0]


def test_progress_is_weighed_by_bytes():
    small, tall = Task("s.tif", "s", "s", size_bytes=100), Task("t.tif", "t", "t", size_bytes=300)
    screen = Screen([small, tall], done=1)
    bar = screen.tasks[0]
    screen.share(tall, 0.5)
    assert bar.completed == pytest.approx(150) and bar.total == pytest.approx(400, abs=1)
    screen.ended(tall, DONE)
    assert bar.completed == pytest.approx(300) and bar.description == "3/3"


def test_a_pool_that_cannot_start_leaves_its_scans_to_the_next_run(
    folder, weights, monkeypatch, capsys
):
    monkeypatch.setattr(engines, "end_with_parent", os.abort)  # of every worker, before a scan
    run(folder, "--weights", weights, "--jobs", 2, status=SOME_FAILED)
    ended, left = capsys.readouterr().err.splitlines()
    assert "a worker process ended before its first scan: if memory ran out" in ended
    assert left == "3 of 3 scans are left"


@pytest.mark.timeout(60)
def test_a_pool_that_breaks_while_scans_are_submitted_is_not_waited_for(
    folder, weights, monkeypatch, capsys
):
    """As when Python cannot be executed any more: the pool notices it between its check of itself
    and the queue, and then never looks at the queue."""
    check = ProcessPool._check_pool_status

    def check_and_break(pool):
        check(pool)
        while pool.active:
            time.sleep(0.01)

    monkeypatch.setattr(engines, "end_with_parent", os.abort)
    monkeypatch.setattr(ProcessPool, "_check_pool_status", check_and_break)
    run(folder / "deep", "--weights", weights, "--jobs", 1, status=SOME_FAILED)
    ended, left = capsys.readouterr().err.splitlines()
    assert "a worker process ended before its first scan" in ended
    assert left == "1 of 1 scans are left"


def test_processes_that_the_system_refuses(folder, weights, monkeypatch, capsys):
    """As at a limit of processes (ulimit -u): one line, no traceback."""
    refused = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    monkeypatch.setattr("wellseg.device.WorkerContext.Process.start", Mock(side_effect=refused))
    run(folder, "--weights", weights, "--jobs", 2, status=SOME_FAILED)
    said, left = capsys.readouterr().err.splitlines()
    assert "a worker process ended before its first scan" in said
    assert left == "3 of 3 scans are left"


def ends_late(folder, settings, task):
    time.sleep(4 * (task.name == "b.tif"))
    return engines.Outcome("failed", "made for this test")


def test_a_scan_that_hangs_is_told(folder, weights, monkeypatch, capsys):
    monkeypatch.setattr(engines, "_mask", ends_late)
    monkeypatch.setattr(engines, "SLOW_S", 1.0)
    run(folder, "--weights", weights, "--jobs", 2, status=SOME_FAILED)
    said = capsys.readouterr().err
    told = "b.tif: no end for an hour: docs/scale.md, 'A scan without an end'"
    assert said.count(told) == 1 and "3 of 3 scans failed" in said
    assert "*A scan without an end*" in (HERE.parent / "docs" / "scale.md").read_text("utf-8")


def test_cores_that_memory_leaves_idle_are_told(folder, monkeypatch, capsys):
    monkeypatch.setattr(engines, "cpu_count", lambda: 16)
    config = PredictConfig([str(folder)], memory="1GB", device="cpu")
    shared, jobs = engines.share_out(Settings(config, {}), 3, Screen([], 0))
    said = "1 at a time on 16 cores: --memory 3GB allows 3"
    assert jobs == 1 and shared.config.memory < 1e9 and said in capsys.readouterr().err


# What is not a scan, or more than one


def test_files_of_other_kinds_are_told(folder, weights, tmp_path, capsys):
    (folder / "a.tif").unlink()
    (folder / "b.tif").unlink()
    for name in ("report.pdf", "deep/old.PDF", "x.djvu", "notes.txt", ".hidden.pdf"):
        (folder / name).touch()
    run(folder, "--weights", weights, "--out", tmp_path / "out")
    said = capsys.readouterr().err
    assert "3 not read, as deep/old.PDF: convert what" in said
    others = {name for name, state in states(tmp_path / "out").items() if state == "not read"}
    assert others == {"report.pdf", "deep/old.PDF", "x.djvu"}
    (folder / "deep" / "c.tif").unlink()
    run(folder, "--weights", weights, status=2)
    assert "in this folder, but deep/old.PDF: convert what" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX")
def test_a_pipe_is_told_to_be_none(tmp_path, capsys):
    os.mkfifo(tmp_path / "a.tif")
    run(tmp_path / "a.tif", status=2)
    assert "no scan (TIFF, PNG or JPEG) in a pipe: save it" in capsys.readouterr().err


def test_a_pattern_that_no_shell_has_expanded(folder, weights, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "[1].tif").write_bytes((folder / "a.tif").read_bytes())
    assert [task.name for task in list_tasks(["?.tif"], None)[0]] == ["a.tif", "b.tif"]
    assert [task.name for task in list_tasks(["**/*.tif"], None)[0]][-1] == "c.tif"
    (folder / "deep").rename(folder / "deep [raw]")
    assert [task.name for task in list_tasks(["deep [raw]/*.tif"], None)[0]] == ["c.tif"]
    (folder / "deep [raw]").rename(folder / "deep")
    assert [task.name for task in list_tasks(["[1].tif"], None)[0]] == ["[1].tif"]  # its name
    run("*.png", "--weights", weights, status=2)
    assert "*.png: no such file or folder" in capsys.readouterr().err


@pytest.fixture
def pages(tmp_path):
    """The largest page is the second one, the last one is a thumbnail."""
    path = tmp_path / "scans" / "pages.tif"
    path.parent.mkdir()
    with tifffile.TiffWriter(path) as file:
        for rows, columns in ((70, 80), (120, 80), (30, 20)):
            file.write(draw_waves(rows, columns, phase=0)[0], compression="deflate")
    return path


def test_what_is_said_of_a_scan_is_of_its_largest_page(pages, weights):
    said = ["--depth", "20=100", "100=140", "--step", "0.5", "--tracks", "5-75", "--rows", "10-110"]
    run(pages, "--weights", weights, "--curves", *said)
    assert pages.with_name("pages.las").exists() and pages.with_name("pages.p1.las").exists()


def test_of_many_pages_few_are_named():
    report = {"further_pages": list(range(2, 501)), "left_out_pages": ["page 501 is a copy"]}
    said = "page 2 in .p2.mask.tif; page 3 in .p3.mask.tif; 496 more; page 500 in .p500.mask.tif"
    assert outcome_of(report | {"notes": ["dark"]}).reason == f"{said}; page 501 is a copy; dark"


def test_every_page_of_a_file_that_is_a_log_is_masked(pages, weights, capsys):
    run(pages.parent, "--weights", weights)
    assert tifffile.imread(pages.with_name("pages.mask.tif")).shape == (120, 80)
    assert tifffile.imread(pages.with_name("pages.p1.mask.tif")).shape == (70, 80)
    assert not list(pages.parent.glob("pages.p3.*"))
    *notes, done = capsys.readouterr().err.splitlines()  # one a line, before what was written
    told = ["page 1 in .p1.mask.tif", "page 3 is a copy, thumbnail or mask"]
    assert notes == [f"{pages}: {note}" for note in told] and "look at" in done
    row = summary(pages.parent)["pages.tif"]
    assert row["pages"] == "3" and row["reason"] == "; ".join(told) and row["status"] == "done"
    assert json.loads(pages.with_name("pages.json").read_text())["further_pages"] == [1]
    run(pages.parent, "--weights", weights)
    assert "done already" in capsys.readouterr().err
    mask, report = (pages.with_name(f"pages.p1.{it}") for it in ("mask.tif", "json"))
    mask.unlink()  # not all is there
    run(pages.parent, "--weights", weights)
    assert mask.exists()
    of_page = json.loads(report.read_text())
    report.write_text(json.dumps(of_page | {"threshold": 0.9}))  # by a run that was killed after it
    run(pages.parent, "--weights", weights)
    assert json.loads(report.read_text())["threshold"] == of_page["threshold"] != 0.9


def test_a_page_takes_no_results_of_another_scan(pages, weights, capsys):
    alone = pages.with_name("pages.p1.tif")
    write_scan(alone)
    run(alone, "--weights", weights)
    made = pages.with_name("pages.p1.mask.tif").read_bytes()
    run(pages, "--weights", weights, status=1)
    assert f"pages.p1.json and its results are of {alone}: name" in capsys.readouterr().err
    assert pages.with_name("pages.p1.mask.tif").read_bytes() == made
    alone.unlink()
    run(pages, "--weights", weights)
    moved = shutil.copytree(pages.parent, pages.parents[1] / "moved")
    run(moved / "pages.tif", "--weights", weights, "--threshold", "0.6")


def test_a_damaged_page_fails_its_scan_and_the_others_are_masked(pages, weights, capsys):
    data = bytearray(pages.read_bytes())
    with tifffile.TiffFile(pages) as file:
        at = file.pages[0].dataoffsets[0]
        data[at : at + 20] = bytes(20)
    pages.write_bytes(data)
    for _ in range(2):  # it is tried again
        run(pages.parent, "--weights", weights, status=1)
        assert "pages.tif: page 1: " in capsys.readouterr().err
        assert tifffile.imread(pages.with_name("pages.mask.tif")).shape == (120, 80)
        assert not list(pages.parent.glob("pages.p1.*"))
        assert states(pages.parent) == {"pages.tif": "failed"}


# Several runs on one folder


def test_a_scan_that_another_run_is_at_is_left_to_it(no_pool, folder, weights, tmp_path, capsys):
    out = tmp_path / "out"
    (out / "x").mkdir(parents=True)
    other = f"""if True:
        import sys
        from wellseg.scan.files import Task, claim, tidy
        with claim(Task("a.tif", "", {str(out / "a")!r})) as mine:
            print(mine, flush=True)
            sys.stdin.read()"""
    options = (folder, "--out", out, "--weights", weights, "--jobs", 1)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", other], **pipes) as process:
        assert process.stdout.readline() == "True\n"
        run(*options, status=1)
        said = capsys.readouterr().err
        assert "a.tif: another run is masking it" in said
        assert "1 of 3 scans are left to another run" in said
        assert states(out) == {"a.tif": "elsewhere", "b.tif": "done", "deep/c.tif": "done"}
        process.kill()  # a claim dies with its process
    run(*options)
    assert set(states(out).values()) == {"done"}
    assert not list(out.rglob(".wellseg-*"))


def test_a_run_with_other_options_at_the_same_time_is_told(
    no_pool, folder, weights, capsys, monkeypatch
):
    """The last one wins: the first one said done of masks that were not its own any more."""
    ended, begun = Screen.ended, []

    def begin_another(screen, task, outcome):
        ended(screen, task, outcome)
        if not begun:
            begun.append(task)
            run(folder / "a.tif", "--weights", weights, "--threshold", 0.7)
            capsys.readouterr()

    monkeypatch.setattr(Screen, "ended", begin_another)
    run(folder, "--weights", weights, status=SOME_FAILED)
    said = capsys.readouterr().err
    assert "1 of 3 scans are left to another run" in said
    assert (
        "masked, but then by another run with other weights or options"
        in summary(folder)["a.tif"]["reason"]
    )
    assert states(folder) == {"a.tif": "elsewhere", "b.tif": "done", "deep/c.tif": "done"}
    run(folder, "--weights", weights)
    assert set(states(folder).values()) == {"done"}


@pytest.mark.slow
def test_two_runs_at_once_share_a_folder(tmp_path, weights):
    for i in range(6):
        write_scan(tmp_path / "scans" / f"{i}.tif", 2000, 300)
    out = tmp_path / "out"
    start = command(tmp_path / "scans", "--out", out, "--weights", weights, "--view", "--jobs", 1)
    both = [subprocess.Popen(start, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert "failed" not in said[0] + said[1] and "Errno" not in said[0] + said[1], said
    assert sum(text.count("Mpx/s") for text in said) - sum("meanwhile" in t for t in said) >= 6
    assert len(list(out.glob("*.mask.tif"))) == len(list(out.glob("*.html"))) - 1 == 6
    assert not list(out.rglob(".wellseg-*")) and set(states(out).values()) == {"done"}


def test_what_killed_runs_left_is_cleared_but_not_what_a_living_one_writes(folder, tmp_path):
    tasks = list_tasks([str(folder)], str(tmp_path / "out"))[0]
    rests = [tmp_path / "out" / f".wellseg-0123abcd-{name}" for name in ("a.mask.tif", "b.json")]
    view = tmp_path / "out" / ".wellseg-0123abcd-a.view"
    view.mkdir(parents=True)
    for rest in (*rests, view / "0.png"):
        rest.touch()
    with claim(tasks[1]) as mine:
        assert mine
        tidy(tasks)
        assert not rests[0].exists() and not view.exists() and rests[1].exists()
    write_scan(folder / "20190412-a.tif")  # its lock looks like an unfinished file of a.tif
    dated = list_tasks([str(folder / "20190412-a.tif")], str(tmp_path / "out"))[0]
    lock = tmp_path / "out" / ".wellseg-20190412-a.lock"
    lock.touch()
    tidy(tasks)
    assert lock.exists()
    tidy(dated)
    assert not lock.exists()
    another = tmp_path / "out" / ".wellseg-0123abcd-a.gr.mask.tif"  # of a.gr.tif, which a run has
    another.touch()
    tidy(tasks)
    assert list((tmp_path / "out").iterdir()) == [another]
    write_scan(folder / "a.1.tif")  # another run masks it: nothing of it is a rest of a.tif
    (numbered,) = list_tasks([str(folder / "a.1.tif")], str(tmp_path / "out"))[0]
    at_work = tmp_path / "out" / ".wellseg-0123abcd-a.1.mask.tif"
    with claim(numbered):
        at_work.touch()
        tidy(tasks)
        assert at_work.exists()
    tidy(tasks)
    assert not at_work.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_may_not_be_written_to_is_told_with_the_way_out(folder, weights, capsys):
    folder.chmod(0o555)
    run(folder / "a.tif", "--weights", weights, status=1)
    assert "a.tif" in (said := capsys.readouterr().err) and "(--out)" in said


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES])
def test_results_that_cannot_be_there_are_told_with_the_way_out(
    folder, weights, monkeypatch, capsys, error
):
    """As above, also for root and for a CD; wellseg curves said no more than the reason."""
    closed = OSError(error, os.strerror(error), str(folder / ".wellseg-a.lock"))
    monkeypatch.setattr("wellseg.scan.files.FileLock.acquire", Mock(side_effect=closed))
    run(folder / "a.tif", "--out", folder, "--weights", weights, status=1)
    (folder / "a.curves.csv").touch()
    (folder / "a.json").write_text('{"rows": 9, "columns": 9}')
    with pytest.raises(SystemExit, match="2"):
        curves_main([str(folder / "a.curves.csv")])
    said = [line for line in capsys.readouterr().err.splitlines() if os.strerror(error) in line]
    assert len(said) == 2 and all(
        line.endswith("; name another folder for the results (--out)") for line in said
    )


# Kills and full disks, for real


@pytest.fixture
def tall(tmp_path):
    """Scans that take some seconds each, between small ones."""
    for i in range(3):
        write_scan(tmp_path / "scans" / f"{i}-small.tif")
        write_scan(tmp_path / "scans" / f"{i}-tall.tif", 20_000, 500)
    return tmp_path / "scans"


HOLD = """
import os, sys, time
from wellseg.predict import main
from wellseg.review.command import main as curves_main
real = os.fsync
def fsync(file):  # a mask of a tall scan is complete, but has not its name yet
    while os.readlink(f"/proc/self/fd/{file}").endswith("tall.mask.tif") and not os.path.exists("GATE"):
        time.sleep(0.01)
    real(file)
os.fsync = fsync  # in workers, too: they import this file
if __name__ == "__main__":
    main(sys.argv[1:])
"""


def wait_for_writers(parent, out):
    """The two workers, each before the end of a tall scan's mask, two small scans whole."""
    while len(writers := [p for p in below(parent.pid) if writes(p, out)]) < 2:
        assert parent.poll() is None
        time.sleep(0.05)
    assert len(list(out.glob("[!.]*.mask.tif"))) == 2
    return writers


def writes(pid, out):
    files = [link for link in open_files(pid) if link.startswith(str(out))]
    return any(link.endswith("tall.mask.tif") for link in files)


def below(pid):
    """Started by any of its threads."""
    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def open_files(pid):
    """Also while it opens and closes others."""
    with suppress(psutil.Error):
        return [file.path for file in psutil.Process(pid).open_files()]
    return []


def assert_gone(pids):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.05)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("way", ["a worker", "the command", "Ctrl-C", "SIGTERM", "SIGHUP"])
def test_killed_midway_it_leaves_whole_results_and_the_next_start_does_the_rest(
    way, tall, weights, tmp_path
):
    out = tmp_path / "out"
    (tmp_path / "hold.py").write_text(HOLD.replace("GATE", str(tmp_path / "gate")))
    words = command(tall, "--out", out, "--weights", weights, "--jobs", 2, "--scratch", tmp_path)
    start = [sys.executable, str(tmp_path / "hold.py"), *words[3:]]

    def heed():  # ignored in background jobs, and below nohup
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    with subprocess.Popen(
        start, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed
    ) as process:
        writer, _ = wait_for_writers(process, out)
        workers = below(process.pid)
        if way == "a worker":
            os.kill(writer, signal.SIGKILL)
            (tmp_path / "gate").touch()
        if way == "the command":
            process.kill()
        elif way == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        elif way == "SIGTERM":
            process.terminate()
        elif way == "SIGHUP":  # a terminal that closes: to all its processes
            os.killpg(process.pid, signal.SIGHUP)
        _, said = process.communicate(timeout=120)
    assert_gone(workers)
    assert_whole(out, killed=way == "the command")
    found = list(states(out).values())
    if way == "a worker":  # costs its scan alone
        assert process.returncode == 1 and sorted(found) == ["done"] * 5 + ["failed"]
        assert "was ended by SIGKILL" in said and "1 of 6 scans failed" in said
    elif way != "the command":
        last = "stopped; without --overwrite, the same command goes on\n"
        assert process.returncode == 130 and last in said
        if way != "SIGHUP":  # it ends a helper of Python's own, too, which is told
            assert said.endswith(last)
        masks = list(out.glob("[!.]*.mask.tif"))
        assert "waiting" in found and 2 <= found.count("done") <= len(masks)
    before = {path: path.stat().st_mtime_ns for path in out.glob("[!.]*.mask.tif")}
    assert 2 <= len(before) < 6
    run(tall, "--out", out, "--weights", weights)
    assert_whole(out)
    assert set(states(out).values()) == {"done"} and len(states(out)) == 6
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_while_workers_begin_is_one_line(tall, weights, tmp_path):
    """A terminal sends it to them, too, and they are importing."""
    start = command(tall, "--out", tmp_path / "out", "--weights", weights, "--jobs", 2)
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        start, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed
    ) as process:
        while len(workers := below(process.pid)) < 3:  # two, and multiprocessing's own
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=120)[1].splitlines()
    assert process.returncode == 130 and len(said) == 1 and "stopped" in said[0], said
    assert_gone(workers)


def test_files_that_may_not_grow_fail_their_scan_alone(
    no_pool, folder, noisy_weights, tmp_path, capsys
):
    """EFBIG, of a real limit: a mask that does not fit is not there in part."""
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 256, (900, 900), np.uint8)
    tifffile.imwrite(folder / "aa.tif", noise)
    out = tmp_path / "out"
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        run(folder, "--out", out, "--weights", noisy_weights, status=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.strerror(errno.EFBIG) in capsys.readouterr().err
    failed = {name for name, state in states(out).items() if state == "failed"}
    assert "waiting" not in states(out).values()
    assert failed == {"aa.tif"} and set(states(out)) == {*TIFFS, "aa.tif"}
    assert_whole(out)
    assert not list(out.glob("aa.*"))


def test_a_temporary_file_that_may_not_grow_is_not_taken_for_the_scan(
    folder, weights, monkeypatch, tmp_path, capsys
):
    """It said "a.tif: File too large"; so are files of 4 GB on a stick, or with ulimit -f."""

    def fail(*_: object) -> None:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr(engines, "mask_scan", fail)
    start = [folder / "a.tif", "--out", tmp_path / "out", "--scratch", tmp_path]
    run(*start, "--weights", weights, status=1)
    assert f"a.tif: {tmp_path / 'out'} or {tmp_path}: File too large" in capsys.readouterr().err


@pytest.mark.slow
def test_a_full_disk_stops_the_run_with_one_line(folder, weights, tmp_path):
    """A file system of 256 kB, in a mount namespace of its own where that is allowed."""
    for i in range(20):
        write_scan(folder / f"{i:02d}.tif", 300, 300)
    out = tmp_path / "disk"
    out.mkdir()
    inside = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else []), "sh", "-c"]
    mount = f"mount -t tmpfs -o size=256k tmpfs {out}"
    if sys.platform != "linux" or subprocess.run([*inside, mount], capture_output=True).returncode:
        pytest.skip("no small disk can be made here")
    start = " ".join(command(folder, "--out", out, "--weights", weights, "--jobs", 1))
    # At first full, then with room.
    script = f"{mount}; {start}; echo status $?; ls -A {out}; mount -o remount,size=9m {out}; {start}; ls -A {out}; "
    done = subprocess.run(
        [*inside, script + f"cat {out}/summary.csv"], capture_output=True, text=True
    )
    first, _, rest = done.stdout.partition("status 1\n")
    assert not first and rest, done.stdout + done.stderr
    stops = [line for line in done.stderr.splitlines() if "disk is full" in line]
    assert len(stops) == 1 and "No space left on device" in stops[0]
    assert "scans are left" in done.stderr and "Traceback" not in done.stderr
    assert rest.count(",done,") == 23 and ".wellseg-" not in rest


def test_links_to_what_is_no_file_are_not_followed_and_folders_of_any_name_are(folder):
    os.mkfifo(folder / "pipe")
    for name, target in {"pipe.tif": "pipe", "deep.tif": "deep", "gone.tif": "none"}.items():
        (folder / name).symlink_to(target)
    write_scan(folder / "county.las" / "d.tif")
    write_scan(folder / "a.view" / "no.tif")
    found = {task.name for task in list_tasks([str(folder)], None)[0]}
    assert found == {*TIFFS, "gone.tif", "county.las/d.tif"}


def test_predict_knows_the_files_of_a_wellseg_curves_that_was_killed(folder, weights, monkeypatch):
    """Between LAS and CSV: neither was changed by anybody."""
    from wellseg.review import command as curves

    words = folder / "a.tif", "--weights", weights, "--curves"
    run(*words)
    replace, before = os.replace, (folder / "a.las").read_bytes()

    def kill(hidden, target):
        replace(hidden, target)
        if str(target).endswith(".las"):
            raise SystemExit(9)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(os, "replace", kill)
        curves.main([str(folder / "a.probability.tif"), "--depth", "0=100", "80=200"])
    assert (folder / "a.las").read_bytes() != before
    run(*words)
    assert not list(folder.glob("*.bak"))


def test_depths_of_a_wellseg_curves_that_was_killed_hold_for_a_copy(folder, weights, monkeypatch):
    """Killed before its last report: only ``unfinished`` in the one before has the depths."""
    from wellseg.review import command as curves

    words = folder / "a.tif", "--weights", weights, "--curves"
    run(*words)
    replace, reports = os.replace, []

    def kill(hidden, target):
        reports.extend([target] if str(target).endswith(".json") else [])
        if len(reports) == 2:
            raise SystemExit(9)
        replace(hidden, target)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(os, "replace", kill)
        curves.main([str(folder / "a.probability.tif"), "--depth", "0=100", "80=200"])
    assert "unfinished" in json.loads((folder / "a.json").read_text())
    os.utime(folder / "a.tif", (9, 9))
    run(*words, "--threshold", 0.6)
    assert "row 80 = 200 ft" in (folder / "a.las").read_text()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="of POSIX pipes")
def test_a_run_whose_lines_nobody_reads_goes_on(folder, weights, tmp_path):
    read, write = os.pipe()
    os.close(read)
    start = command(folder, "--out", tmp_path / "out", "--weights", weights, "--curves")
    status = subprocess.run(start, stderr=write, timeout=120).returncode
    os.close(write)
    assert status in (0, 120)  # the latter is Python's own, where it cannot flush stderr
    assert set(states(tmp_path / "out").values()) == {"done"}


def test_what_failed_after_its_mask_is_not_taken_for_corrected(
    no_pool, folder, weights, monkeypatch
):
    """A full disk after the mask, again and again: no copy of it is kept aside each time."""
    scan = folder / "a.tif"
    full = Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with monkeypatch.context() as patch:
        patch.setattr("wellseg.results.one_scan.encode_png", full)
        for _ in range(2):
            run(scan, "--weights", weights, "--curves", status=1)
        assert (folder / "a.las").exists()
    run(scan, "--weights", weights, "--curves", "--threshold", 0.4)
    assert not list(folder.glob("*.bak"))


@pytest.mark.parametrize("out", ["", "s3://", "memory://"])
def test_an_empty_out_is_no_folder(folder, weights, capsys, monkeypatch, tmp_path, out):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    run(folder, "--out", out, "--weights", weights, status=2)
    assert "--out is empty" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_names_are_told_as_they_are(folder, weights, capsys):
    """rich takes :100: for a picture."""
    (folder / "a.tif").rename(folder / "a:100:b.tif")
    run(folder / "a:100:b.tif", "--weights", weights)
    assert "a:100:b.mask.tif" in capsys.readouterr().err


@pytest.mark.parametrize("at", [".las", ".curves.csv", ".mask.tif", ".mask.tif after"])
@pytest.mark.parametrize("first", [True, False])
def test_files_of_a_killed_predict_are_known(no_pool, folder, weights, monkeypatch, at, first):
    """Killed as a file gets its place: neither the old ones nor the new ones are corrected."""
    words = folder / "a.tif", "--weights", weights, "--curves"
    if not first:
        run(*words)
    replace = os.replace

    def kill(hidden, target):
        if at.endswith("after"):
            replace(hidden, target)
        if str(target).endswith(at.split()[0]):
            raise SystemExit(9)
        if not at.endswith("after"):
            replace(hidden, target)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(os, "replace", kill)
        main([str(it) for it in (*words, "--threshold", 0.3)])
    run(*words)
    assert not list(folder.glob("*.bak"))


def test_wellseg_curves_keeps_what_was_changed_after_a_killed_predict(
    no_pool, folder, weights, monkeypatch, capsys
):
    from wellseg.review import command as curves

    full = Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with monkeypatch.context() as patch:
        patch.setattr("wellseg.results.one_scan.encode_png", full)
        run(folder / "a.tif", "--weights", weights, "--curves", status=1)
    with (folder / "a.las").open("a") as las:
        las.write("# mine")
    with pytest.raises(SystemExit):
        curves.main([str(folder / "a.probability.tif")])
    assert "a.las was changed" in capsys.readouterr().err
    assert (folder / "a.las").read_text().endswith("# mine")

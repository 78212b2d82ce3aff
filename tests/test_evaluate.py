"""The command evaluate: what it scores, prints and writes, and how it fails."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from wellseg.evaluate import main
from wellseg.scan import pictures
from wellseg.scan.pictures import draw_errors
from wellseg.scan.writer import write_picture
from wellseg.scores import ERRORS, FALSE, HEADINGS, Row
from wellseg.scores.identity import score_identity
from wellseg.scores.masks import score_log
from wellseg.scores.tables import make_tables, summarise

ROWS, COLUMNS = 120, 90
SHARES = HEADINGS.keys() - {FALSE, ERRORS}
Gray = NDArray[np.uint8]


def page(*columns: int, rows: int = ROWS) -> Gray:
    """A mask of vertical strokes, 3 px wide."""
    mask = np.zeros((rows, COLUMNS), np.uint8)
    for column in columns:
        mask[:, column - 1 : column + 2] = 255
    return mask


def save(path: Path, gray: Gray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, gray, dpi=200)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three logs: one with a curve in colour, one bilevel, and one without any curve."""
    root = tmp_path / "data"
    for name, columns in {"a": (20,), "b": (60,), "c": ()}.items():
        save(root / "masks" / f"{name}.tif", page(*columns))
        save(root / "images" / f"{name}.tif", 255 - page(*columns, 40))
    lines = ["name,split,well,kind", "a,test,A,colour", "b,test,B,bilevel", "c,val,C,bilevel"]
    (root / "split.csv").write_text("\n".join(lines))
    return root


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Predictions: a is perfect, b has a false stroke beside, c has one where nothing is."""
    folder = tmp_path / "predicted"
    save(folder / "a.mask.tif", page(20))
    save(folder / "b.tif", page(60, 30))
    cv2.imwrite(str(folder / "c.png"), page(30))
    return folder


def run(*words: object) -> int:
    """Run the command here; gives its exit status."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert isinstance(end.value.code, int)
    return end.value.code


def read_scores(folder: Path) -> dict[str, dict[str, str]]:
    with open(folder / "scores.csv", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_scores_of_masks(
    data: Path, masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out"
    assert run(data, "--masks", masks, "--out", out) == 0
    scores = read_scores(out)
    assert list(scores) == ["a", "b", "c"]
    assert {scores["a"][name] for name in SHARES} == {"1"}
    assert float(scores["b"]["precision"]) == pytest.approx(0.5)
    assert float(scores["b"]["recall"]) == 1
    assert float(scores["b"]["f1_at_3px"]) == pytest.approx(2 / 3, abs=1e-4)
    assert scores["b"]["well"] == "B"
    assert scores["b"]["whole_curves"] == "1" and scores["b"]["curves"] == "1"
    assert float(scores["b"]["false_centreline_px_per_row"]) == pytest.approx(1, abs=0.05)
    assert (scores["a"][ERRORS], scores["b"][ERRORS], scores["c"][ERRORS]) == ("0", "1", "")
    # What a log without curves has no use for is empty.
    assert {scores["c"][name] for name in SHARES} == {""}
    assert float(scores["c"]["false_centreline_px_per_row"]) == pytest.approx(1, abs=0.05)

    lines = capsys.readouterr().out.splitlines()
    row = {words[0]: words for words in (line.split() for line in lines) if len(words) > 3}
    assert "0.667" in row["b"]
    mean = next(line for line in lines if "mean of 2 logs" in line)
    assert "0.833" in mean  # (1 + 2/3) / 2
    assert any("mean of 1 log" in line and "colour" in line and "1.000" in line for line in lines)
    assert str(out / "scores.csv") in "".join(lines)
    assert any("worst tenth" in line and "0.667" in line for line in lines)
    assert any("share of F1" in line and "0.500" in line for line in lines)


def test_scores_are_kept_where_nobody_reads_the_tables(
    data: Path, masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(self: Console, *shown: object, **_: object) -> None:
        if any(isinstance(each, Table) for each in shown):
            raise BrokenPipeError  # wellseg evaluate ... | head

    monkeypatch.setattr(Console, "print", closed)
    assert run(data, "--masks", masks, "--out", tmp_path / "out") != 0
    assert list(read_scores(tmp_path / "out")) == ["a", "b", "c"]


def test_split(data: Path, masks: Path, tmp_path: Path) -> None:
    assert run(data, "--masks", masks, "--out", tmp_path, "--split", "val") == 0
    assert list(read_scores(tmp_path)) == ["c"]


def test_a_network(data: Path, tmp_path: Path) -> None:
    """Masks are `segment` > threshold, of the weights that were named."""
    import torch

    from wellseg.net.resunet import ResUNet
    from wellseg.rows.segment import segment
    from wellseg.weights import load_model, save_weights

    torch.manual_seed(0)
    model: dict[str, Any] = {"norm": "group", "momentum": 0.01, "patch": 2, "widths": [8, 8]}
    save_weights(tmp_path / "tiny.safetensors", ResUNet(**model), {"model": model})
    words = ("--weights", tmp_path / "tiny.safetensors", "--precision", "fp32", "--device", "cpu")

    net = load_model(tmp_path / "tiny.safetensors")
    image = data / "images" / "a.tif"
    probability = segment(net, image, precision="fp32", device="cpu")
    low, high = np.quantile(probability, [0.3, 0.7], method="nearest")
    assert low < high
    for threshold in (float(low) - 1e-4, float(high) - 1e-4):
        out = tmp_path / f"at-{threshold}"
        assert run(data, *words, "--threshold", threshold, "--out", out, "--split", "test") == 0
        expected = score_log(probability > threshold, page(20))
        for name in ("recall", "precision", "dice"):
            assert float(read_scores(out)["a"][name]) == pytest.approx(
                getattr(expected, name), abs=1e-4
            )


def test_labels_give_the_centreline(data: Path, masks: Path, tmp_path: Path) -> None:
    label = data / "labels" / "a.json"
    label.parent.mkdir()
    paths = [[[20, 0], [20, ROWS - 1]], [[70, 0], [70, ROWS - 1]]]
    label.write_text(f'{{"curves": [{{"path": {paths[0]}}}, {{"path": {paths[1]}}}]}}')
    assert run(data, "--masks", masks, "--out", tmp_path) == 0
    assert read_scores(tmp_path)["a"]["recall"] == "0.5"


def test_whole_curves_of_labels_are_followed_and_told(
    data: Path, masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label = data / "labels" / "a.json"
    label.parent.mkdir()
    curve = {"path": [[20, row] for row in range(ROWS)]}
    label.write_text(json.dumps({"curves": [curve], "whole": [curve]}))
    assert run(data, "--masks", masks, "--out", tmp_path) == 0
    table = capsys.readouterr().out.partition("Whole curves")[2]
    cells = next(line for line in table.splitlines() if line.startswith("all "))
    assert cells.count("1 of 1") == 1 and "0 of 0" in cells and float(cells.split()[1]) > 0.95
    with (tmp_path / "curves.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["log"] == "a" and line["whole"] == "1 of 1" and float(line["IDF1"]) > 0.95
    assert line["inches, p95"] == "0.000, 0.000", "at 200 dpi, as the log does not say"


def test_whole_curves_have_means_of_kinds_and_splits() -> None:
    """As masks have: paper and renders have different aims."""
    names = {"a": ("val", "bilevel"), "b": ("test", "bilevel"), "c": ("test", "colour")}
    path = [[20, row] for row in range(ROWS)]
    label = {"whole": [{"path": path}]}
    found, wrong = [(0, np.full(ROWS, 20.0))], [(0, np.full(ROWS, 60.0))]
    followed = {
        name: score_identity(label, (ROWS, 100), wrong if name == "c" else found, 200)
        for name in names
    }
    score = dict.fromkeys(HEADINGS, 1.0)
    logs = [
        {"name": it, "split": split, "kind": kind, **score} for it, (split, kind) in names.items()
    ]
    *_, table = make_tables(logs, followed)
    first, idf1, whole = (list(column.cells) for column in table.columns[:3])
    assert first[:3] == [*names] and first[-1] == "all" and whole[-1] == "2 of 3"
    means = dict(zip(first, idf1, strict=True))
    assert means["all bilevel"] == "1.000" and means["all colour"] == "0.000"
    assert means["test all"] == "0.500"


def test_worst_pictures(data: Path, masks: Path, tmp_path: Path) -> None:
    assert run(data, "--masks", masks, "--out", tmp_path, "--worst", 1) == 0
    found = sorted(path.name for path in (tmp_path / "worst").iterdir())
    assert found == ["curves-01-b.png", "no-curves-01-c.png"]
    assert run(data, "--masks", masks, "--out", tmp_path / "2", "--worst", 9) == 0
    # The perfect log has nothing to show; one that is a little wrong comes second.
    assert len(list((tmp_path / "2" / "worst").iterdir())) == 2
    prediction = page(20)
    prediction[:20, 60] = 255
    save(masks / "a.mask.tif", prediction)
    assert run(data, "--masks", masks, "--out", tmp_path / "3", "--worst", 2) == 0
    names = sorted(path.name for path in (tmp_path / "3" / "worst").glob("curves*"))
    assert names == ["curves-01-b.png", "curves-02-a.png"]
    assert run(data, "--masks", masks, "--out", tmp_path / "3", "--worst", 1) == 0
    assert not (tmp_path / "3" / "worst" / "curves-02-a.png").exists()  # of the run before
    picture = cv2.imread(str(tmp_path / "worst" / "curves-01-b.png"))
    assert picture is not None and picture.shape == (ROWS, COLUMNS, 3)


def test_colours_of_errors() -> None:
    truth = page(20, 60)
    truth[:, 75:] = 128
    predicted = page(22, 40, 80) == 255
    picture = draw_errors(np.full_like(truth, 255), predicted, truth)
    pixel = {column: tuple(picture[5, column]) for column in (22, 40, 60, 80, 10, 20)}
    assert pixel[22] == (0, 150, 60)  # within 3 px of the truth: green
    assert pixel[40] == (230, 20, 40)  # red
    assert pixel[60] == (30, 60, 230)  # missed: blue
    assert pixel[80] == pixel[10] == (255, 255, 255)  # not scored; paper
    assert pixel[20] == (255, 255, 255)  # found, though not covered

    truth = np.full((500, 400), 128, np.uint8)
    truth[200:260, 150:170] = 0
    picture = draw_errors(np.zeros_like(truth), truth == 255, truth)
    assert picture.shape == (60 + 80, 20 + 80, 3)
    assert picture[0, 0, 0] > picture[70, 50, 0]  # paler where it is not scored


def test_huge_pictures_are_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PICTURE_PIXELS", 100)
    truth = page(20)
    assert draw_errors(truth, truth == 255, truth).shape[0] < 12


def test_brackets_in_names_are_no_markup() -> None:
    log = {"name": "well0 [copy]", "split": "val", "kind": "", **dict.fromkeys(HEADINGS, 1.0)}
    console = Console(width=250, record=True, file=io.StringIO())
    for table in make_tables([log], {}):
        console.print(table)
    assert "well0 [copy]" in console.export_text()


def test_a_narrow_terminal_folds_names_and_keeps_numbers() -> None:
    log = {"name": f"{'well' * 9}_3000", "split": "val", "kind": "bilevel"}
    log |= {name: 0.125 + number for number, name in enumerate(HEADINGS)} | {"false_on_text": 0.5}
    path = {"whole": [{"path": [[20, row] for row in range(ROWS)]}]}
    followed = score_identity(path, (ROWS, 100), [(0, np.full(ROWS, 20.0))], 200)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*make_tables([log], {log["name"]: followed}))
    shown = console.export_text()
    numbers = [f"{log[name]:.3f}" for name in HEADINGS if name not in ("iou", "cldice")]
    assert "…" not in shown and all(number in shown for number in [*numbers, "0.500"])
    letters = "".join(line[:9].strip() for line in shown.splitlines())
    assert log["name"] in letters


def test_means_are_over_logs_and_kinds_apart() -> None:
    def log(name: str, split: str, kind: str, *columns: int, truth: int = 20) -> Row:
        scores = score_log(page(*columns) == 255, page(truth) if truth else page())
        return {"name": name, "split": split, "kind": kind, **scores.by_name}

    logs = [
        log("a", "train", "x", 20),
        log("b", "test", "x", 20, 60),
        log("c", "test", "y", 60),
        log("d", "test", "y", 60, truth=0),
    ]
    found = summarise(logs[:3])
    assert found["mean"]["precision"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert found["mean"]["false_centreline_px_per_row"] == pytest.approx(2 / 3, abs=0.05)
    assert found["worst tenth"]["f1_at_3px"] == 0
    assert found["worst tenth"]["false_centreline_px_per_row"] == pytest.approx(1, abs=0.05)
    assert found["share of F1 >= 0.95"] == {"f1_at_3px": pytest.approx(1 / 3)}
    assert set(summarise(logs[3:])["mean"]) == {"false_centreline_px_per_row"}
    worst = summarise(logs[:1] * 10 + logs[2:3] * 2)["worst tenth"]["precision"]
    assert worst == 0, "two of twelve"

    curves, empty = make_tables(logs, {})
    split, kind = (list(column.cells)[3:] for column in curves.columns[1:3])
    assert list(zip(split, kind, strict=True)) == [
        ("train", "all"),  # all its logs are of one kind: said once
        ("test", "x"),
        ("test", "all"),
        ("all", "x"),
        ("all", "y"),
        ("all", "all"),
        ("all", "all"),  # the worst tenth
        ("all", "all"),  # the share of good ones
    ]
    assert empty.row_count == 3
    assert list(make_tables([], {})) == []


def test_a_log_that_fails_does_not_stop_the_others(
    data: Path, masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (masks / "b.tif").write_bytes(b"not a picture")
    save(data / "masks" / "c.tif", page() + 7)
    assert run(data, "--masks", masks, "--out", tmp_path) == 1
    assert list(read_scores(tmp_path)) == ["a"]
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "b.tif: not a TIFF" in line]) == 1
    assert len([line for line in lines if "c.tif: a mask has 0 (background)" in line]) == 1
    assert lines[-1] == "2 of 3 logs failed"


def test_wrong_usage(
    data: Path, masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the file and says what to do, status 2, and nothing is written."""
    out = ("--out", tmp_path / "out")

    def refused(*words: object) -> str:
        assert run(*words, *out) == 2
        shown = capsys.readouterr()
        assert shown.out == "" and shown.err.count("\n") == 1, shown
        assert shown.err.startswith("wellseg.evaluate: error: ")
        return shown.err

    assert f"{tmp_path / 'nowhere' / 'images'}: no such folder" in refused(tmp_path / "nowhere")
    assert "images: no such folder" in refused(tmp_path)
    assert "no logs in split train; choose another --split" in refused(
        data, "--split", "train", "--masks", masks
    )
    assert "dev" in refused(data, "--split", "dev")
    assert "--threshold lies between 0 and 1" in refused(data, "--threshold", 2)
    assert "--worst is at least 0" in refused(data, "--worst", -1)
    assert "unrecognized arguments: " in refused(data, data)
    for made in (("--weights", "a"), ("--threshold", 0.4), ("--window_rows", 0)):
        assert "--masks are made already: give no --w" in refused(data, *made, "--masks", masks)
    assert "--memory" in refused(data, "--memory", "much")
    assert "no weights 'none-such'" in refused(data, "--weights", "none-such")
    assert "unknown device" in refused(data, "--device", "abacus")
    assert "missing: no such folder" in refused(data, "--masks", tmp_path / "missing")

    save(masks / "b.tif", page(60, rows=100))
    line = refused(data, "--masks", masks)
    assert "b.tif: has 100 x 90 pixels" in line and "120 x 90" in line
    (masks / "b.tif").unlink()
    line = refused(data, "--masks", masks)
    assert "no mask b.mask.tif, b.tif or b.png" in line and "wellseg predict" in line

    save(data / "masks" / "a.tif", page(20, rows=110))
    line = refused(data)
    assert "a.tif: has 110 x 90 pixels" in line and "120 x 90" in line
    (data / "masks" / "a.tif").unlink()
    assert "a.tif: no such mask" in refused(data)
    assert not (tmp_path / "out").exists()


def test_scores_that_cannot_be_written_are_printed(
    data: Path, masks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out" / "scores.csv").mkdir(parents=True)
    assert run(data, "--masks", masks, "--out", tmp_path / "out") == 2
    said = capsys.readouterr()
    assert "scores.csv" in said.err and "F1@3px" in said.out
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "curves.csv").write_text("my,curves\n")
    assert run(data, "--masks", masks, "--out", tmp_path / "mine") == 2
    assert "curves.csv is not wellseg's: move it away" in capsys.readouterr().err
    assert (tmp_path / "mine" / "curves.csv").read_text() == "my,curves\n"

"""Pages labelled by hand: coordinates that fit their pages, and the data set that they make."""

import fnmatch
import hashlib
import importlib.util
import json
import math
import re
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from wellseg.net.resunet import ResUNet
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import write_picture
from wellseg.training.data_folder import list_logs
from wellseg.training.masks import read_label, read_mask
from wellseg.weights import load_model, read_header, save_weights

FOLDER = Path(__file__).parents[1] / "data" / "pages"
SPEC = importlib.util.spec_from_file_location("pages", FOLDER / "pages.py")
pages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pages)
SCORES = """\
name,split,kind,f1_at_3px,precision,recall,dice,iou,cldice,whole_curves,half_curves,false_centreline_px_per_row,clear_errors
a,test,bilevel,0.9,0.8,1.0,0.7,0.5,0.6,0.5,1,0.1,3
b,val,bilevel,0.7,0.6,0.8,0.5,0.3,0.4,0,0.5,0.3,4
c,test,colour,,,,,,,,,0.25,
"""
FILES = sorted(FOLDER.glob("*_*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_coordinates_lie_on_the_page(path):
    page = json.loads(path.read_text())
    first, end = page["rows"]
    assert path.stem == f"{page['scan'].removesuffix('.tif')}_{first}"
    assert len(page["runs"]) == end - first
    for runs in page["runs"]:
        assert len(runs) % 2 == 0 and runs == sorted(set(runs))
        assert not runs or (0 <= runs[0] and runs[-1] <= page["columns"])
    share = (pages.mask_of(page) == 255).mean()
    assert 0 < share < 0.2 or (share == 0 and re.search("no curve|without curves", page["note"]))


def test_curves_by_name_lie_on_their_pages():
    found = 0
    for path in (FOLDER / "whole").glob("*.json"):
        page = json.loads((FOLDER / path.name).read_text())
        curves = json.loads(path.read_text())
        assert len({curve["name"] for curve in curves}) == len(curves) > 0
        for curve in curves:
            x, y = np.array(curve["path"]).T
            assert curve["style"] in ("solid", "dashed", "dotted") and (np.diff(y) >= 0).all()
            assert (0 <= y).all() and (y < page["rows"][1] - page["rows"][0]).all()
            assert -9 <= x.min() and x.max() < page["columns"] + 9
            found += 1
    assert found > 150


def test_boxes_of_what_is_no_curve_lie_on_all_pages_to_validate_with():
    kinds = set("text lithology fill image mark handwriting dirt border".split())
    boxed = {path.name for path in (FOLDER / "others").iterdir()}
    pages_of = {path.name: json.loads(path.read_text()) for path in FILES}
    assert boxed == {name for name, page in pages_of.items() if page["split"] == "val"}
    for name in boxed:
        others = json.loads((FOLDER / "others" / name).read_text())
        assert others.keys() <= kinds
        boxes = np.array([box for boxes in others.values() for box in boxes]).reshape(-1, 4)
        first, end = pages_of[name]["rows"]
        assert (boxes >= 0).all() and (boxes[:, :2] < boxes[:, 2:]).all()
        assert (boxes[:, 2:] <= (pages_of[name]["columns"], end - first)).all()


def test_the_metadata_describe_what_is_there():
    described = json.loads((FOLDER / "croissant.json").read_text())
    names = {field["name"] for field in described["recordSet"][0]["field"]}
    for path in FILES:
        assert names == json.loads(path.read_text()).keys()


def test_where_each_scan_comes_from_is_said():
    """A repository and its commit for all; the file where it has another name there."""
    text = (FOLDER / "README.md").read_text("utf-8")
    scans = {json.loads(path.read_text())["scan"] for path in FILES}
    told = set(re.findall(r"^\| `(\S+\.(?:tif|pdf))` \| `.+` \|$", text, re.MULTILINE))
    assert told <= scans and {scan for scan in scans if re.search("colourprint|pdf$", scan)} <= told
    for repository in ("Somdyuti2/Well_log_IQA", "GeoHackathon_2025", "drake-ai", "turbotiff"):
        assert repository in text


def test_the_metadata_lead_to_the_pages_and_to_their_curves_by_name():
    """As mlcroissant finds files: by fnmatch, whose * goes over folders, too."""
    described = json.loads((FOLDER / "croissant.json").read_text())
    there = [path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.json")]
    folders = {"labels": FOLDER, "curves": FOLDER / "whole", "others": FOLDER / "others"}
    for files, pages_of in folders.items():
        (told,) = (it for it in described["distribution"] if it["name"] == files)
        found = [path for path in there if fnmatch.fnmatchcase(path, told["includes"])]
        assert sorted(found) == sorted(
            path.relative_to(FOLDER).as_posix() for path in pages_of.glob("*_*.json")
        )


@pytest.mark.slow
def test_no_well_is_in_two_splits():
    split_of = {}
    for path in FILES:
        page = json.loads(path.read_text())
        assert page["well"] == pages.well_of(page["scan"])
        assert split_of.setdefault(page["well"], page["split"]) == page["split"]
    assert set(split_of.values()) == {"train", "val", "test"}
    for well, split in split_of.items():
        assert pages.split_of(well) == split, "of a further page, too"


@pytest.mark.parametrize(
    ("scans", "well"),
    [
        (["30-025-09873_0858.tif", "30025098730000_2.tif"], "3002509873"),
        (["33-025-02364-0002.tif"], "3302502364"),
        (["4705300069_gr_i.tif", "4705300069_gr_n.tif"], "4705300069"),
        (["BWN18.tif", "BWN49.tif", "42371030860000.tif"], "4237103086"),  # as their headers say
        (["1_Roger_1986.tif"], "1_Roger_1986"),
        (["MONTGOMERY_13_4.tif"], "MONTGOMERY"),
    ],
)
def test_scans_of_one_well_are_known_by_their_names(scans, well):
    assert {pages.well_of(scan) for scan in scans} == {well}


def test_the_same_scan_under_two_names_is_of_one_well(shared):
    by_size = {}
    for path in (shared / "real" / "scans").glob("*.tif"):
        by_size.setdefault(path.stat().st_size, []).append(path)
    alike = [paths for paths in by_size.values() if len(paths) > 1]
    twins = [paths for paths in alike if len({path.read_bytes() for path in paths}) == 1]
    assert twins and all(len({pages.well_of(p.name) for p in paths}) == 1 for paths in twins)


@pytest.mark.parametrize("ink", [(255, 0, 0), (9, 9, 9)], ids=["red", "colours that show none"])
def test_the_data_set_that_they_make(ink, tmp_path, monkeypatch, capsys):
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    image = np.full((900, 60, 3), 255, np.uint8)
    image[:, 20:23] = ink
    write_picture(scans / "a.tif", image, dpi=100)
    digest = hashlib.sha256(image[700:750].tobytes()).hexdigest()
    page = {"scan": "a.tif", "rows": [700, 750], "columns": 60, "kind": "colour", "dpi": 100,
            "sha256": digest, "well": "a", "split": "test", "note": "",
            "ignored": [[40, 0, 60, 10]], "runs": [[20, 23]] * 50}  # fmt: skip
    (tmp_path / "a_700.json").write_text(json.dumps(page))
    monkeypatch.setattr(pages, "HERE", tmp_path)
    pages.build(scans, out)
    (log,) = list_logs(out)
    mask = read_mask(log.mask)
    assert mask.shape == (850, 60) and log.split == "test"
    assert (mask[:650] == 128).all() and (mask[700:] == 128).all()
    assert (mask[650:700, 20:23] == 255).all() and (mask[655, 40:] == 128).all()
    assert (mask[665, 23:] == 0).all()
    capsys.readouterr()
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="none of the scans"):
        pages.build(tmp_path / "empty", tmp_path / "none")
    assert not (tmp_path / "none" / "split.csv").exists()  # or a release would go on without pages
    assert "left out" not in capsys.readouterr().out  # the one line says it of all
    for row in (720, 730):
        other = page | {"scan": "gone.tif", "rows": [row, row + 50]}
        (tmp_path / f"gone_{row}.json").write_text(json.dumps(other))
    pages.build(scans, out)
    told = [f"gone.tif is not in {scans}: its 2 pages are left out", f"1 pages in {out}"]
    assert capsys.readouterr().out.splitlines() == told
    image[720, 5] = 0
    write_picture(scans / "a.tif", image, dpi=100)
    with pytest.raises(SystemExit, match="has other pixels than those that were labelled"):
        pages.build(scans, out)
    with pytest.raises(ValueError, match=r"split\.csv: images.a_700\.tif is not listed"):
        list_logs(out)  # its images are there, and without their splits test pages are trained on
    (scans / "a.tif").write_bytes((scans / "a.tif").read_bytes()[:300])
    with pytest.raises(SystemExit, match=r"^a_700: \S*a\.tif cannot be read \("):
        pages.build(scans, out)
    assert not (out / "split.csv").read_bytes()


def test_a_page_that_shows_no_colours_is_of_its_scan(tmp_path, monkeypatch):
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    image = np.full((2000, 60, 3), 255, np.uint8)
    image[:, 20:23] = 255, 0, 0
    image[:900, 20:23] = 0
    write_picture(scans / "a.tif", image, dpi=100)
    digest = hashlib.sha256(image[100:150].tobytes()).hexdigest()
    page = {"scan": "a.tif", "rows": [100, 150], "columns": 60, "kind": "colour", "dpi": 100,
            "sha256": digest, "well": "a", "split": "train", "note": "",
            "ignored": [], "runs": [[20, 23]] * 50}  # fmt: skip
    (tmp_path / "a_100.json").write_text(json.dumps(page))
    monkeypatch.setattr(pages, "HERE", tmp_path)
    pages.build(scans, out)
    (log,) = list_logs(out)
    with open_scan(log.image, colour=True) as cut, open_scan(scans / "a.tif", colour=True) as scan:
        assert cut.kind == scan.kind == "colour"


def test_pages_of_a_pdf_are_drawn_one_below_the_other(tmp_path, monkeypatch):
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    parts = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R 5 0 R]/Count 2>>"]
    for number, wide, at in ((4, 60, 20), (6, 50, 30)):  # a blue line down, 4 points wide
        line = b"0 0 1 RG 4 w %d 0 m %d 100 l S" % (at, at)
        box = b"/MediaBox[0 0 %d 99.5]/Contents %d 0 R" % (wide, number)
        parts += [b"<</Type/Page/Parent 2 0 R%s>>" % box]
        parts += [b"<</Length %d>>stream\n%s\nendstream" % (len(line), line)]
    objects = b"".join(b"%d 0 obj%s endobj\n" % each for each in enumerate(parts, 1))
    pdf = b"%PDF-1.4\n" + objects + b"trailer<</Root 1 0 R/Size 7>>\n%%EOF"
    (scans / "a.pdf").write_bytes(pdf)
    page = {"scan": "a.pdf", "rows": [190, 220], "columns": 120, "kind": "colour", "dpi": 144,
            "sha256": hashlib.sha256(pdf).hexdigest(), "well": "a", "split": "train", "note": "",
            "ignored": [], "runs": [[36, 44]] * 9 + [[56, 64]] * 21}  # fmt: skip
    (tmp_path / "a.pdf_190.json").write_text(json.dumps(page))
    monkeypatch.setattr(pages, "HERE", tmp_path)
    monkeypatch.setattr(pages, "PDF_ROWS", 70)  # of a page of 199
    pages.build(scans, out)
    (log,) = list_logs(out)
    with open_scan(log.image, colour=True) as scan:
        assert (scan.rows, scan.columns, scan.dpi) == (330, 120, 144)  # and 150 rows around
        image, mask = scan.read(150, 180), read_mask(log.mask)[150:180]
    assert ((image == (0, 0, 255)).all(2) == (mask == 255)).all()


def test_curves_by_name_become_labels_that_lie_on_the_page(tmp_path, monkeypatch):
    """A straight curve that is set back once, and a spike whose row is a span."""
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    write_picture(scans / "a.tif", np.full((60, 100), 255, np.uint8), dpi=100, kind="1-bit")
    _, digest = pages.read_page(scans / "a.tif", (10, 50))
    page = {"scan": "a.tif", "rows": [10, 50], "columns": 100, "kind": "1-bit", "dpi": 100,
            "sha256": digest, "well": "a", "split": "train", "note": "",
            "ignored": [[60, 5, 70, 9]],
            "runs": [[20, 23]] * 10 + [[20, 23, 92, 99]] * 30}  # fmt: skip
    (tmp_path / "a_10.json").write_text(json.dumps(page))
    straight = [[20 + 60 * (y >= 30), y] for y in range(40) if y not in (5, 6)]
    spike = [[40, 1], [40, 2], [55, 2], [47.4, 2], [41, 3]]
    curves = [
        {"name": "GR", "style": "solid", "width": 3, "path": path} for path in (straight, spike)
    ]
    (scans / "a_10.whole.json").write_text(json.dumps(curves))
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "a_10.json").write_text('{"text": [[5, 0, 9, 3]]}')
    monkeypatch.setattr(pages, "HERE", tmp_path)
    pages.name(scans)
    pages.build(scans, out)
    (log,) = list_logs(out)
    label = read_label(log.label, (60, 100))
    assert label.about["region"] == [10, 50, 0, 100]
    assert label.about["ignore"] == [[15, 19, 60, 70], [20, 50, 92, 99]], "a box, a nameless stroke"
    first, second = label.curves
    assert sorted(set(np.flatnonzero(first.any(axis=1)))) == [10 + y for _, y in straight]
    assert first[:, 20].sum() == 28 and first[:, 80].sum() == 10 and first.sum() == 38
    assert second[12, 40:56].all() and not second[14:].any()
    assert np.argwhere(label.others["text"]).tolist() == [
        [row, column] for row in (10, 11, 12) for column in (5, 6, 7, 8)
    ]


@pytest.fixture
def release(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("release")


def test_a_release_begins_where_every_split_it_needs_has_pages(release, tmp_path):
    """Hours of training ended without weights where no scan had a page to test with."""
    needed = [(split, kind) for kind in ("1-bit", "colour") for split in ("train", "val")]
    needed.append(("test", "1-bit"))
    for left_out in [*needed, None]:
        lines = [each for each in needed if each != left_out]
        text = "".join(f"a{n},{split},{n},{kind}\n" for n, (split, kind) in enumerate(lines))
        (tmp_path / "split.csv").write_text("name,split,well,kind\n" + text)
        with pytest.raises(SystemExit, match=left_out[0]) if left_out else nullcontext():
            release.check_splits(tmp_path)


def test_a_release_ends_where_a_command_fails(release, monkeypatch):
    for status, command, ends in ((0, "train", False), (1, "train", True), (-9, "evaluate", True)):
        done = SimpleNamespace(returncode=status)
        monkeypatch.setattr(release.subprocess, "run", lambda *_, done=done: done)
        with pytest.raises(SystemExit) if ends else nullcontext():
            release.run(command)


def test_a_release_calibrates_the_weights_for_ink_and_those_for_colours(release, tmp_path):
    """Networks that say 0.25 and 0.65 everywhere: all is curve on ink, nothing on colours."""
    net = ResUNet(2, (8, 16), colour=True)
    for head, probability in ((net.head, 0.25), (net.of_colour.head, 0.65)):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.constant_(head.bias, math.log(probability / (1 - probability)))
    ink = np.full((64, 64), 255, np.uint8)
    red = np.full((64, 64, 3), (255, 0, 0), np.uint8)
    for name, image, truth in (("a", ink, 255), ("b", red, 0)):
        mask = np.zeros((64, 64), np.uint8)
        mask[:32] = truth
        for folder, picture in (("images", image), ("masks", mask)):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_picture(tmp_path / folder / f"{name}.tif", picture, dpi=100)
    (tmp_path / "split.csv").write_text("name,split,well\na,val,1\nb,val,2\n")
    weights, out = tmp_path / "w.safetensors", tmp_path / "out.safetensors"
    save_weights(weights, net, {"model": {"patch": 2, "widths": [8, 16], "colour": True}})
    assert release.calibrate(weights, tmp_path, out) == {"ink": 0.1, "colour": 0.7}
    after = load_model(out)
    assert after.head.bias[0].sigmoid() > 0.5 and after.of_colour.head.bias[0].sigmoid() < 0.5


def test_a_release_takes_each_network_from_the_training_of_its_kind(release, tmp_path):
    files = {kind: tmp_path / f"{kind}.safetensors" for kind in ("1-bit", "colour")}
    for value, file in enumerate(files.values()):
        net = ResUNet(2, (8, 16), colour=True)
        for weight in net.parameters():
            torch.nn.init.constant_(weight, value)
        header = {
            "model": {"patch": 2, "widths": [8, 16], "colour": True},
            "training": {"seed": value},
        }
        save_weights(file, net, header)
    release.put_together(files, tmp_path / "both.safetensors")
    both = load_model(tmp_path / "both.safetensors")
    assert all((it == 1).all() for it in both.of_colour.parameters())
    assert all((it == 0).all() for name, it in both.named_parameters() if "of_colour" not in name)
    told = read_header(tmp_path / "both.safetensors")["training"]
    assert told == {"1-bit": {"seed": 0}, "colour": {"seed": 1}}


def test_copies_change_a_page_the_same_way_each_time(monkeypatch, tmp_path):
    """Two pages of wiggles on a grid; copies keep size, truth and the ink of curves."""
    monkeypatch.syspath_prepend(FOLDER)
    copies = importlib.import_module("copies")
    row, column = np.mgrid[:420, :1100]
    at = 250 + 80 * np.sin(row / 40) + 30 * np.sin(row / 7)
    curve, grid = (
        (abs(column - at) < 3) | (abs(column - at - 350) < 3),
        (row % 40 < 2) | (column % 50 < 2),
    )
    ink = np.where(curve | grid, 0, 255).astype(np.uint8)
    paint = np.full((420, 1100, 3), 255, np.uint8)
    plot = paint.copy()
    paint[grid] = 150
    plot[curve] = paint[curve] = 0, 160, 0
    lines = ["name,split,well,kind"]
    for name, split, picture in (
        ("ink", "train", ink), ("paint", "train", paint), ("plot", "train", plot), ("print", "train", plot), ("ink_val", "val", ink),
        ("paint_val", "val", paint), (copies.SCORED[0], "train", ink),
    ):  # fmt: skip
        kind = "1-bit" if picture.ndim == 2 else "colour"
        for folder, plane in (("images", picture), ("masks", 255 * curve.astype(np.uint8))):
            (tmp_path / "pages" / folder).mkdir(parents=True, exist_ok=True)
            write_picture(tmp_path / "pages" / folder / f"{name}.tif", plane, dpi=150)
        lines.append(f"{name},{split},{name},{kind}")
    (tmp_path / "pages" / "split.csv").write_text("\n".join(lines))
    monkeypatch.setattr(copies, "TABLES", 1)
    monkeypatch.setattr(copies, "TURNED", 3)
    made, again = tmp_path / "a", tmp_path / "b"
    copies.make(tmp_path / "pages", made, [*copies.KINDS])
    copies.make(tmp_path / "pages", again, ["arrows", "straight"])
    files = [path.relative_to(again) for path in again.rglob("*.tif")]
    assert len(files) > 3
    assert all((made / it).read_bytes() == (again / it).read_bytes() for it in files)
    found = {
        kind: {log.name: log for log in list_logs(made / kind)} for kind in ("1-bit", "colour")
    }
    assert sum(log.split == "val" for kind in found.values() for log in kind.values()) == 2
    assert not any(copies.SCORED[0] in name for name in found["1-bit"])
    names = {*found["1-bit"], *found["colour"]}
    assert {"ink_5", "paint_1", "table_0", "table_3"} <= names
    assert all(any(f"_{kind}1" in name for name in names) for kind in copies.KINDS)
    assert {"ink_heavy3", "ink_level2", "paint_black2", "plot_gray1"} <= found["1-bit"].keys()
    for kind in found.values():
        for name, log in kind.items():
            with open_scan(log.image, colour="any") as scan:
                picture = scan.read(0, scan.rows)
            mask = read_mask(log.mask)
            assert picture.shape[:2] == mask.shape
            if "table" in name:
                assert not mask.any()
            elif "black" not in name and "fast" not in name:
                assert mask[curve].all() and (
                    kind is found["colour"] or (picture[curve] < 128).mean() > 0.9
                )
            if name.split("_")[-1].rstrip("123") in (
                "heavy",
                "arrows",
                "hatched",
                "labels",
                "gray",
            ):
                assert (mask > 0).sum() == curve.sum(), name
            if name in ("paint_hatched1", "paint_labels1"):
                assert (picture[curve] == (0, 160, 0)).all(), name


def test_a_release_keeps_the_means_of_its_scores_and_all_else(release, tmp_path):
    (tmp_path / "scores.csv").write_text(SCORES)
    scores = release.average("pages", tmp_path / "scores.csv")
    assert (
        scores["pages, 1-bit"]["f1_at_3px"] == pytest.approx(0.8)
        and scores["pages, 1-bit"]["logs"] == 2
    )
    assert scores["pages, 1-bit"]["whole_curves"] == 0.25
    assert scores["pages, 1-bit"]["clear_errors"] == 3.5
    assert scores["pages, 1-bit"]["false_centreline_px_per_row"] == pytest.approx(0.2)
    assert scores["pages, colour without curves"] == {
        "logs": 1,
        "false_centreline_px_per_row": 0.25,
    }
    header = {"model": {"patch": 2, "widths": [8, 16]}, "limits": ["Blots."], "window_rows": 600}
    weights, out = tmp_path / "mine.safetensors", tmp_path / "best.safetensors"
    save_weights(weights, ResUNet(2, (8, 16)), header)
    release.keep_scores(weights, {"pages": tmp_path / "scores.csv"}, out)
    card = out.with_suffix(".md").read_text()
    assert all(part in card for part in ("# best", "0.800", "0.250", "* Blots."))
    assert load_model(out).window_rows == 600
    ink = torch.rand(1, 1, 20, 20)
    assert torch.equal(load_model(out)(ink), load_model(weights)(ink))

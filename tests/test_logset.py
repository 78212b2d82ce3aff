"""The listing of a data-set folder and the split by wells."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from wellseg.scan import ScanError
from wellseg.training.data_folder import (
    list_logs,
    list_masks,
    split_wells,
)
from wellseg.training.masks import read_mask

SHARED = Path(__file__).parents[2] / "shared"


def make(root: Path, *names: str, table: str | None = None) -> Path:
    """A data set of empty files: nothing is decoded while listing."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / folder / f"{name}.tif").touch()
    if table is not None:
        (root / "split.csv").write_text(table, encoding="utf-8")
    return root


def test_pairs_are_sorted_and_complete(tmp_path: Path) -> None:
    root = make(tmp_path, "b_1", "a_2", "a_1")
    (root / "images" / "._a_1.tif").touch()
    (root / "images" / "notes.txt").touch()
    logs = list_logs(root)
    assert [log.name for log in logs] == ["a_1", "a_2", "b_1"]
    assert [log.well for log in logs] == ["a", "a", "b"]
    assert logs[0].image == root / "images" / "a_1.tif"
    assert logs[0].mask == root / "masks" / "a_1.tif"
    assert {log.kind for log in logs} == {""}
    assert {log.label for log in logs} == {None}
    label = root / "labels" / "a_2.json"
    label.parent.mkdir()
    label.touch()
    assert [log.label for log in list_logs(root)] == [None, label, None]


def test_suffixes_in_any_case_and_png_masks(tmp_path: Path) -> None:
    root = make(tmp_path, "a_1")
    (root / "images" / "b.log.TIF").touch()
    (root / "masks" / "b.log.PNG").touch()
    assert [(log.name, log.mask.name) for log in list_logs(root)] == [
        ("a_1", "a_1.tif"),
        ("b.log", "b.log.PNG"),
    ]


@pytest.mark.parametrize("ending", [".webp", ".PDF"])
def test_a_picture_that_is_not_read_is_named_where_it_has_a_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    root = make(tmp_path, "a")
    (root / "images" / f"notes{ending}").touch()
    (root / "images" / f"a{ending}").touch()
    assert [log.name for log in list_logs(root)] == ["a"]
    (root / "images" / f"b{ending}").touch()
    (root / "masks" / "b.tif").touch()
    (root / "images" / "b.txt").touch()  # notes of the same name
    ordered = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(sorted(ordered(folder))))
    with pytest.raises(ValueError, match=rf"images.b\{ending}: convert it to TIFF$"):
        list_logs(root)


def test_split_csv_decides(tmp_path: Path) -> None:
    table = '\ufeffName, Split ,WELL,kind,note\nx,test,W1,colour,"a, b"\ny,train,W2,bilevel\n'
    root = make(tmp_path, "x", "y", table=table)
    (log,) = list_logs(root, "test")
    assert (log.name, log.well, log.kind, log.split) == ("x", "W1", "colour", "test")
    assert [log.name for log in list_logs(root, "train")] == ["y"]
    assert list_logs(root, "val") == []
    assert len(list_logs(root, "all")) == 2


def test_wells_of_the_table_steer_the_hash(tmp_path: Path) -> None:
    names = [f"log_{i}" for i in range(40)]
    table = "name,well\n" + "".join(f"{name},W{i // 4}\n" for i, name in enumerate(names))
    logs = list_logs(make(tmp_path, *names, table=table))
    assert {log.split for log in logs} == {"train", "val", "test"}
    assert len({(log.well, log.split) for log in logs}) == 10  # no well in two splits


def test_a_name_that_is_not_utf_8_has_a_place() -> None:
    assert split_wells(["well\udce9 1"]) == {"well\udce9 1": "train"}


def test_split_by_hash_is_fixed_for_ever() -> None:
    # Literal values: another machine, Python or release must not move a well.
    wells = [f"{30000 + i}" for i in range(12)]
    splits = split_wells(wells)
    assert [w for w in wells if splits[w] == "val"] == ["30010"]
    assert [w for w in wells if splits[w] == "test"] == ["30002", "30005", "30007"]


def test_shares_and_stability() -> None:
    wells = [f"well {i}" for i in range(5000)]
    splits = split_wells(wells)
    shares = {s: sum(v == s for v in splits.values()) / 5000 for s in ("train", "val", "test")}
    assert shares == pytest.approx({"train": 0.8, "val": 0.1, "test": 0.1}, abs=0.015)
    half = split_wells(wells[:2500])
    assert half == {well: splits[well] for well in wells[:2500]}


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_wells_still_have_train_and_val(count: int) -> None:
    for start in range(200):
        found = set(split_wells([f"w{start + i}" for i in range(count)]).values())
        assert {"train", "val"} <= found


def test_one_well_is_train_and_none_is_nothing() -> None:
    assert all(split_wells([f"w{i}"]) == {f"w{i}": "train"} for i in range(50))
    assert split_wells([]) == {}


def test_the_well_is_its_api_number_or_what_a_name_has_before_its_first_underscore(
    tmp_path: Path,
) -> None:
    wells = {"ABC_1": "ABC", "ABC": "ABC", "_x": "_x", "1234567": "1234567"}
    same = (
        "42-123-45678_0005_1",
        "42-123-45678-0001",
        "42-123-45678-01-02",
        "4212345678",
        "gr 421234567800_2",
    )
    wells |= dict.fromkeys(same, "4212345678")
    for name in wells:
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
            (tmp_path / part / f"{name}.tif").touch()
    assert {log.name: log.well for log in list_logs(tmp_path)} == wells


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_split_csv_may_be_as_a_spreadsheet_saves_it(tmp_path: Path, encoding, between) -> None:
    root = make(tmp_path, "x", "y")
    table = "name,split,well,note\r\nx,test,Süd 1,\r\n,,,\r\ny,train,W2,\r\n,,,,\r\n".replace(
        ",", between
    )
    (root / "split.csv").write_bytes(table.encode(encoding))
    (log,) = list_logs(root, "test")
    assert (log.name, log.well) == ("x", "Süd 1")


def test_a_split_csv_in_a_countrys_own_code_is_told_how_to_be_saved(tmp_path: Path) -> None:
    """Excel's first offer, "CSV", is in such a code; "CSV UTF-8" is below it in its list."""
    root = make(tmp_path, "x", "y")
    (root / "split.csv").write_bytes("name;split;well\nx;test;Süd 1\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"split\.csv: save it as CSV UTF-8"):
        list_logs(root)


def test_names_with_accents_are_one_however_they_are_stored(tmp_path: Path) -> None:
    """macOS takes an accent for a letter of its own, a spreadsheet does not."""
    typed, stored = "Bohrung-S\u00fcd_1", "Bohrung-Su\u0308d_1"
    for image, mask, label, row in (stored, typed, stored, typed), (typed, stored, typed, stored):
        root = make(tmp_path / image, "b", table=f"name,split\n{row},test\nb,val\n")
        (root / "labels").mkdir()
        paths = [root / "images" / f"{image}.tif", root / "masks" / f"{mask}.tif"]
        for path in (*paths, root / "labels" / f"{label}.json"):
            path.touch()
        log, _ = list_logs(root)
        assert log[:4] == (typed, *paths, "test") and log.label == root / "labels" / f"{label}.json"


def test_list_masks_prefers_what_predict_wrote(tmp_path: Path) -> None:
    for file in ("a.tif", "a.mask.tif", "b.png", "c.PNG", "c.tif"):
        (tmp_path / file).touch()
    found = {name: path.name for name, path in list_masks(tmp_path).items()}
    assert found == {"a": "a.mask.tif", "a.mask": "a.mask.tif", "b": "b.png", "c": "c.tif"}
    with pytest.raises(ValueError, match="no such folder"):
        list_masks(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("split\ntest\n", "no column name"),
        ("name,set\nx_1,train\ny_1,test\n", "no column split: it has name, set"),
        ("name;split\nx_1;test\n", r"images/y_1\.tif is not listed"),  # a spreadsheet's
        ("name,split\nx_1,test\n", r"images/y_1\.tif is not listed"),
        ("name,split\nx_1,test\ny_1,test\nz,test\n", r"line 4: no images/z\.tif"),
        ("name,split\nx_1,test\ny_1,dev\n", "y_1 has the split 'dev', not train, val, test"),
        ("name,split\nx_1,test\nx_1,test\n", "line 3: x_1 again"),
        ("name,split\n,test\n", r"line 2: no images/\.tif"),
        ("name,split,well\nx_1,test,W\ny_1,val,W\n", "well W is in two splits, test .x_1. and val"),
    ],
)
def test_a_split_csv_that_does_not_fit(tmp_path: Path, table: str, message: str) -> None:
    root = make(tmp_path, "x_1", "y_1", table=table)
    with pytest.raises(ValueError, match=message) as caught:
        list_logs(root)
    assert "split.csv" in str(caught.value)


def test_guessed_wells_do_not_overrule_a_written_split(tmp_path: Path) -> None:
    root = make(tmp_path, "log_1", "log_2", table="name,split\nlog_1,train\nlog_2,test\n")
    assert [log.split for log in list_logs(root)] == ["train", "test"]


def test_a_well_that_is_left_empty_is_guessed(tmp_path: Path) -> None:
    root = make(tmp_path, "log_1", "log_2", table="name,split,well\nlog_1,train,\nlog_2,test,\n")
    assert [log.split for log in list_logs(root)] == ["train", "test"]


def test_folders_that_are_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder"):
        list_logs(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="images: no such folder"):
        list_logs(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(ValueError, match="no images in it"):
        list_logs(tmp_path)
    (tmp_path / "images" / "x.tif").touch()
    with pytest.raises(ValueError, match="masks: no such folder"):
        list_logs(tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(ValueError, match="masks: no images in it"):
        list_logs(tmp_path)
    (tmp_path / "masks" / "y.tif").touch()
    with pytest.raises(ValueError, match=r"masks[/\\]x\.tif: no such mask"):
        list_logs(tmp_path)
    (tmp_path / "masks" / "x.tif").touch()
    (tmp_path / "images" / "x.tiff").touch()
    with pytest.raises(ValueError, match=r"images[/\\]x\.tif: another image has this name"):
        list_logs(tmp_path)


def test_read_mask_png(tmp_path: Path) -> None:
    mask = np.array([[0, 128, 255], [255, 0, 0]], np.uint8)
    path = tmp_path / "m.png"
    cv2.imwrite(str(path), mask)
    np.testing.assert_array_equal(read_mask(path), mask)

    cv2.imwrite(str(path), mask // 255)
    with pytest.raises(ValueError, match="its curves are 1 in 255"):
        read_mask(path)
    with pytest.raises(ScanError, match=r"none\.png: .*no such file"):
        read_mask(tmp_path / "none.png")


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared scans")
def test_the_labelled_regions() -> None:
    logs = list_logs(SHARED / "real" / "labelled")
    assert len(logs) == 28
    assert {log.kind for log in logs} == {"bilevel", "colour"}
    assert all(log.label is not None for log in logs)
    assert len({log.well for log in logs}) < len(logs)

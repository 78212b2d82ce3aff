"""The corpus: the same bytes everywhere, masks that say what was drawn, a data set on disk."""

from __future__ import annotations

import csv
import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pytest

from wellseg import synth
from wellseg.corpus import KINDS, PRESETS, Log, draw_log, kind_of, page
from wellseg.corpus.curves import draw_beds, draw_values, kick
from wellseg.corpus.damage import blot, seam, untraceable
from wellseg.corpus.grid import GRIDDED, Track
from wellseg.corpus.notes import Zone, note
from wellseg.corpus.panels import PANELS, draw_form, header
from wellseg.corpus.sheet import RECIPE, Array, Draws, Sheet, Table, new_sheet
from wellseg.corpus.strokes import along_rows, draw_pen, lay, stroke
from wellseg.scan.pictures import to_gray
from wellseg.scan.reader import open_scan
from wellseg.synth import SynthConfig
from wellseg.training.data_folder import list_logs
from wellseg.training.masks import read_mask

NOTES = ["scale words", "tadpoles", *RECIPE["labels"], *RECIPE["bars"], *RECIPE["trails"]]


def sheet_of(kind: str, seed: int = 0, rows: int = 600, columns: int = 500) -> Sheet:
    return new_sheet(Draws(seed), KINDS[kind], rows, columns)


@pytest.fixture(scope="module")
def logs() -> list[Log]:
    return [draw_log(3, index, "tiny") for index in range(60)]


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


def check(log: Log, index: int, preset: str) -> None:
    recipe, (rows, columns) = PRESETS[preset], log.mask.shape
    assert log.image.dtype == log.mask.dtype == np.uint8
    assert set(np.unique(log.mask)) <= {0, 128, 255}
    assert recipe.columns[0] <= columns <= recipe.columns[1]
    assert rows <= recipe.rows[1] and rows * columns <= recipe.max_mpx * 1.01e6
    if kind_of(3, index, preset) == "bilevel":
        assert log.image.shape == (rows, columns) and set(np.unique(log.image)) <= {0, 255}
    else:
        assert log.image.shape == (rows, columns, 3)


def test_sizes_and_values(logs: list[Log]) -> None:
    for index, log in enumerate(logs):
        check(log, index, "tiny")
    for preset in ("quick", "train"):
        check(draw_log(3, 0, preset), 0, preset)


def test_full_logs_have_the_sizes_of_scans() -> None:
    draws = Draws(0)
    sizes = np.array([page.draw_size(draws, PRESETS["full"]) for _ in range(400)])
    assert sizes[:, 0].min() >= 3200 and sizes[:, 0].max() > 9000
    assert sizes[:, 1].min() < 600 and sizes[:, 1].max() > 2500
    assert (sizes[:, 0] * sizes[:, 1]).max() <= 14.1e6


def test_every_name_in_the_tables_is_drawn_by_something() -> None:
    for notes in RECIPE["notes"].values():
        assert set(notes) <= set(NOTES)
    for kind in KINDS.values():
        assert set(kind.header) <= set(RECIPE["forms"])
        assert set(kind.layouts) <= set(RECIPE["tracks"])
        assert set(kind.shapes) <= set(RECIPE["shape"])
        assert set(kind.styles) <= set(RECIPE["dashes"])
        assert set(kind.lithology) <= set(RECIPE["patterns"])
        assert set(kind.inks) <= set(RECIPE["colours"])
    drawn = {*PANELS, *GRIDDED}
    assert {track for layout in RECIPE["tracks"].values() for track, _ in layout} <= drawn


def test_an_entry_of_the_recipe_is_drawn_as_its_head_says() -> None:
    draws = Draws(0)

    def many(what: object) -> list[object]:
        return [draws.of(what) for _ in range(300)]

    assert set(many([1, 3])) == {1, 2, 3}
    assert set(many(["a", "b"])) == {"a", "b"} and set(many("word")) == {"word"}
    assert 60 < sum(map(bool, many("30%"))) < 120
    shares = many({"a": 3, "2.5": 1})
    assert 180 < shares.count("a") < 270 and set(shares) == {"a", 2.5}
    ratio = np.array(many([1.0, 100.0]), float)
    assert ratio.min() >= 1 and ratio.max() <= 100 and 5 < np.median(ratio) < 20
    assert 35 < np.median(np.array(many([0.0, 100.0]), float)) < 65


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_page_draws_curves_and_the_same_for_the_same_seed(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = Table(**{**vars(PRESETS["tiny"]), "mix": {kind: 1}, "pages": {"log": 1}})
    monkeypatch.setitem(PRESETS, "tiny", only)
    logs = [draw_log(4, index, "tiny") for index in (0, 0, *range(1, 14))]
    assert (logs[0].image == logs[1].image).all() and (logs[0].mask == logs[1].mask).all()
    assert any((log.mask == 255).any() for log in logs)
    assert all(log.about["kind"] == kind for log in logs)


@pytest.mark.parametrize("page", ["header", "grid", "blank"])
def test_pages_without_curves(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only = Table(**{**vars(PRESETS["tiny"]), "pages": {page: 1}})
    monkeypatch.setitem(PRESETS, "tiny", only)
    logs = [draw_log(4, index, "tiny") for index in range(20)]
    assert all(log.about["whole"] == [] and not log.mask.any() for log in logs)
    ink = np.median([(to_gray(log.image) < 128).mean() for log in logs])
    assert (ink < 0.01) == (page == "blank")


def test_renders_have_colours_and_their_curves_are_ink_in_gray(logs: list[Log]) -> None:
    coloured = 0
    for log in logs:
        if log.image.ndim == 3 and (log.mask == 255).any():
            coloured += bool(np.ptp(log.image.astype(int), axis=2).max() > 100)
    assert coloured > 5
    yellow = np.full((4, 4, 3), (255, 255, 0), np.uint8)
    assert to_gray(yellow).max() < 100, "or the network never sees what was drawn"


@pytest.mark.parametrize("name", NOTES)
def test_notes_are_ink_and_the_same_for_the_same_seed(name: str) -> None:
    zone: Zone = ([Track(60, 300, "curves"), Track(320, 480, "curves")], 50, 550)
    for kind in ("paper", "mud log"):
        sheets = [sheet_of(kind, seed) for seed in (3, 3)]
        for sheet in sheets:
            for _ in range(12):
                note(sheet, zone, name)
        assert (sheets[0].ink > 0).sum() > 50
        assert (sheets[0].ink == sheets[1].ink).all()


@pytest.mark.parametrize("block", sorted({*RECIPE["forms"]} - {"gap"}))
def test_blocks_of_headers_stay_on_their_sheet(block: str) -> None:
    sheet = sheet_of("paper", 1, 300, 400)
    draw_form(sheet, block)
    assert sheet.ink.shape == (300, 400) and (sheet.ink > 0).any()


@pytest.mark.parametrize("kind", ["paper", "mud log"])
def test_headers_have_the_size_that_was_asked_for(kind: str) -> None:
    for seed in range(6):
        block = header(sheet_of(kind, seed), 320, 410)
        assert (block.rows, block.columns) == (320, 410)


@pytest.mark.parametrize("track", PANELS)
def test_panels_stay_within_their_track_but_for_lines_and_letters(track: str) -> None:
    sheet = sheet_of("cased hole", 2, 500, 400)
    PANELS[track](sheet, Track(100, 220, track), 100, 400)
    ink = (sheet.ink > 0).any(axis=2)
    assert ink[100:400, 100:220].any()
    outside = ink.copy()
    outside[95:405, 60:300] = False
    assert not outside.any()


def test_a_flooded_copy_has_solid_black_and_all_its_ink() -> None:
    ink: Array = np.zeros((500, 500), np.uint8)
    for at in range(0, 500, 25):
        ink[at : at + 4], ink[:, at : at + 4] = 255, 255
    solid = 0
    for seed in range(40):
        flooded = blot(Draws(seed), ink, 120)
        assert (flooded[ink == 255] > 120).mean() > 0.97
        black = np.where(flooded > 120, 255, 0).astype(np.uint8)
        solid += bool((cv2.blur(black, (41, 41)) > 245).any())
    assert 3 <= solid <= 30


def test_at_a_seam_one_side_blackens_and_the_other_fades() -> None:
    page: Array = np.zeros((600, 400), np.float32)
    page[:, 100:110] = 200
    specks, faded = [], []
    for seed in range(20):
        ink = page.copy()
        seam(Draws(seed), ink, 120, 300)
        near = [ink[at : at + 40] > 120 for at in (255, 305)]
        paper = sorted(float(side[:, 200:].mean()) for side in near)
        assert paper[0] < 0.01, "one side stays clean"
        specks.append(paper[1])
        faded.append(min(float(side[:, 100:110].mean()) for side in near))
        far = np.r_[:40, 560:600]
        assert ((ink[far] > 120) == (page[far] > 120)).mean() > 0.99
    assert max(specks) > 0.2 and min(faded) < 0.9


@pytest.mark.parametrize("trace", RECIPE["notes"]["traces"])
def test_what_hands_leave_is_thin_and_another_for_another_seed(trace: str) -> None:
    pages = []
    for seed in range(1, 8):
        sheet = sheet_of("paper", seed, 900, 800)
        note(sheet, ([], 0, 900), trace)
        pages.append(sheet.ink)
    assert (pages[0] != pages[1]).any()
    assert 0 < float(np.mean([(page > 0).mean() for page in pages])) < 0.2


def test_spikes_run_along_the_lines_of_the_grid() -> None:
    run = np.stack([np.full(400, 100.0), np.arange(400.0)], axis=1)
    lines = np.arange(20.0, 400, 80)
    for seed in range(8):
        moved = along_rows(Draws(seed), run, lines, 300.0)
        assert (np.diff(moved[:, 1]) > -8).all()
        away = np.flatnonzero(np.abs(moved[:, 0] - 100) > 10)
        assert len(away)
        # A curve that stepped over may come back anywhere; it leaves by a line.
        assert np.abs(lines - moved[away[0], 1]).min() <= 19


def test_a_collar_locator_goes_straight_down_but_for_kicks_of_a_few_samples() -> None:
    for seed in range(30):
        values: Array = np.full(800, 0.5)
        kick(Draws(seed), values)
        kicking = np.abs(values - 0.5) > 0.001
        starts = np.flatnonzero(np.diff(kicking.astype(int)) == 1)
        assert 3 <= len(starts) and kicking.mean() < 0.25
        assert all(kicking[start + 1 : start + 8].sum() < 6 for start in starts)


@pytest.mark.parametrize("style", sorted({*RECIPE["dashes"]} - {"pieces"}))
def test_the_truth_of_any_pen_is_one_piece(style: str) -> None:
    y = np.arange(0.0, 400.0, 3.0)
    points = np.stack([150 + 90 * np.sin(y / 25) + 10 * np.sin(y), y], axis=1)
    sheet = replace(sheet_of("paper", 4, 400, 300), dpi=200.0)
    truth: Array = np.zeros((400, 300), np.uint8)
    stroke(sheet, points, draw_pen(sheet, 5.0, style), sheet.ink, truth)
    count, _ = cv2.connectedComponents(truth, connectivity=8)
    assert count == 2  # background and one curve
    assert set(np.unique(truth)) == {0, 255}
    gaps = float((truth[sheet.ink == 0] > 0).sum() / (truth > 0).sum())
    assert gaps > 0.03 if style not in ("solid", "long") else gaps < 0.6
    # Ink only within the truth, but for a pixel of pen at its rim.
    rim = cv2.dilate(truth, np.ones((5, 5), np.uint8))
    assert not (sheet.ink[rim == 0] > 0).any()


def test_solid_ink_is_as_wide_as_its_truth() -> None:
    sheet = sheet_of("mud log", 0, 200, 100)
    truth: Array = np.zeros((200, 100), np.uint8)
    pen = draw_pen(sheet, 6.0, "solid")
    stroke(sheet, np.array([[50.0, 5.0], [50.0, 195.0]]), pen, sheet.ink, truth)
    assert abs(int((sheet.ink[100, :, 0] > 127).sum()) - 6) <= 1
    assert abs(int((truth[100] > 0).sum()) - 6) <= 1


def test_pages_without_curves_have_an_empty_mask_and_others_a_plausible_one(
    logs: list[Log],
) -> None:
    shares, empty = [], 0
    for log in logs:
        if not log.about["whole"]:
            empty += 1
            assert not (log.mask == 255).any()
        else:
            shares.append(float((log.mask > 0).mean()))
    # Measured: one curve is 1.2-1.6 % of a scan; a tiny log shows little but curves.
    assert 2 <= empty <= 40  # with those whose curves are off the page
    assert 0.005 < float(np.median(shares)) < 0.12
    assert max(shares) < 0.5


def test_the_mask_lies_on_ink(logs: list[Log]) -> None:
    """Where the mask says curve, there is ink, but for gaps of dashes, fading and swings."""
    on_ink, page = [], []
    for log in logs:
        if log.about["kind"] == "paper" and log.mask.any():
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
    gone = untraceable(black, mask)
    assert gone[mask > 0].sum() == gone.sum() and gone[400:700][mask[400:700] > 0].all()
    assert not gone[:250].any() and not gone[850:].any()
    dashed = mask.copy()
    dashed[np.arange(1200) % 66 > 6] = 0  # the sparsest measured: 6 px of ink, 60 without
    assert not untraceable(dashed, mask).any()


def test_a_curve_through_solid_black_is_not_scored() -> None:
    mask: Array = np.zeros((300, 200), np.uint8)
    mask[:, 98:103] = 255
    black = mask.copy()
    black[150:] = 255
    gone = untraceable(black, mask)
    assert not gone[:140].any() and gone[175:, 98:103].all() and not gone[mask == 0].any()


def test_off_scale_values() -> None:
    rows = np.arange(6.0)
    values = np.array([0.5, 0.9, 1.3, 1.6, 0.8, 0.4])
    (clipped,) = lay(values, rows, 100, 200, "clip")
    assert clipped[:, 0].tolist() == [150, 190, 200, 200, 180, 140]
    before, tip, after = lay(values, rows, 100, 200, "wrap")
    assert before.tolist() == [[150, 0], [190, 1], [200, 2]]  # leaves by the right border
    assert np.allclose(tip[:, 0], [100, 130, 160, 100])  # and comes in by the left one
    assert after.tolist() == [[200, 3], [180, 4], [140, 5]]
    assert [run.tolist() for run in lay(values, rows, 100, 200, "hide")] == [
        before.tolist(), after.tolist(),
    ]  # fmt: skip


def test_corpus_on_disk(tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    synth.synth(SynthConfig(out, count=3, seed=9, preset="tiny"))
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.tif")}
    left = out / "images" / ".wellseg-0123abcd-tiny9-000001.tif"  # by a run that was killed
    left.touch()
    synth.synth(SynthConfig(out, count=5, seed=9, preset="tiny"))
    left.unlink()
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())  # not drawn again
    for part in ("images/tiny9-000001.tif", "masks/tiny9-000002.tif", "labels/tiny9-000003.json"):
        (out / part).unlink()
    synth.synth(SynthConfig(out, count=5, seed=9, preset="tiny"))
    logs = list_logs(out)
    assert len(logs) == 5 and {log.split for log in logs} == {"train", "val", "test"}
    for index, files in enumerate(logs):
        log = draw_log(9, index, "tiny")
        with open_scan(files.image) as scan:
            assert np.array_equal(scan.read(0, scan.rows), to_gray(log.image))
        assert np.array_equal(read_mask(files.mask), log.mask)
    with open(out / "split.csv", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [log.name for log in logs]
    assert not [p for p in out.rglob("*") if p.name.startswith(".")]
    table = (out / "split.csv").read_text().replace("000003,train", "000003,test")
    # Logs of somebody's own stay, also one whose name contains that of a log that is to be drawn.
    table += "mine,train,mine,gray\nmytiny9-000005-copy,train,mine,gray"
    table = table.replace(",", ";") + "\nDoe, J;train;Doe, J;gray"  # as Excel may save it
    (out / "split.csv").write_text(table)
    synth.synth(SynthConfig(out, count=6, seed=9, preset="tiny"))
    with open(out / "split.csv", newline="") as file:
        rows = [*csv.DictReader(file, delimiter=";")]
    now = {row["name"].removeprefix("tiny9-"): row["split"] for row in rows}
    assert (now["000003"], now["mine"], now["000005"], len(now)) == ("test", "train", "train", 9)
    assert now["Doe, J"] == "train" and rows[-1]["well"] == "tiny9-000005"
    quoted = "\n".join(",".join(f'"{it}"' for it in row.values()) for row in rows)
    table = f'"name","split","well","kind"\n{quoted}\n'.encode() + b"M\xfcller,train,,gray\n"
    for given, kept in ((table, table), (b"", b"name,split,well,kind\ntiny9-000000,train,")):
        (out / "split.csv").write_bytes(given)
        synth.synth(SynthConfig(out, count=6, seed=9, preset="tiny"))
        assert (out / "split.csv").read_bytes().startswith(kept)
        assert (out / "split.csv").read_bytes().count(b"\n") == max(7, given.count(b"\n"))
    note = next(out.glob("*.json"))
    note.write_text("{")
    with pytest.raises(ValueError, match=rf"{note.name} is damaged: put back what it was"):
        synth.synth(SynthConfig(out, count=6, seed=9, preset="tiny"))


def test_a_folder_with_other_content_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"not empty"):
        synth.synth(SynthConfig(tmp_path, count=1, preset="tiny"))
    out = tmp_path / "corpus"
    synth.synth(SynthConfig(out, count=1, seed=1, preset="tiny"))
    with pytest.raises(ValueError, match=r"has seed 1, not seed 2; .* name another folder"):
        synth.synth(SynthConfig(out, count=1, seed=2, preset="tiny"))
    with pytest.raises(ValueError, match=r"--count"):
        SynthConfig(out, count=0)


def test_the_command_says_in_one_line_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SystemExit, match="2"):
        synth.main([str(tmp_path), "--count", "1"])
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(tmp_path) in said


def test_unknown_preset() -> None:
    with pytest.raises(ValueError, match="choose one of"):
        draw_log(0, 0, "huge")


@pytest.mark.parametrize("shape", ["gamma ray", "self potential", "porosity"])
def test_some_curves_of_a_family_are_lively_and_some_calm(shape: str) -> None:
    """As in measured wells: nine tenths of the values spread several times as wide in some."""
    bands = []
    for seed in range(60):
        draws = Draws(seed)
        values = draw_values(draws, draw_beds(draws, 300, 5), shape, 1.0)
        bands.append(float(np.subtract(*np.percentile(values, (95, 5)))))
    calm, lively = np.percentile(bands, (10, 90))
    assert 0.03 < calm and lively > 2.5 * calm and lively < 1

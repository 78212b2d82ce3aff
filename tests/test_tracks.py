"""The printed tracks of logs whose layout is known, and values in fractions of them."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import lasio
import numpy as np
import pytest

from wellseg.config import PredictConfig
from wellseg.corpus.grid import Track, rule
from wellseg.corpus.sheet import KINDS, Draws, Table, new_sheet
from wellseg.corpus.sheet import gray as ink_of
from wellseg.curves.files import CurveWriter
from wellseg.curves.options import CurveOptions
from wellseg.curves.track_finder import find_tracks, overlay
from wellseg.curves.tracks import Tracks
from wellseg.scan.reader import open_scan

SCANS = Path(__file__).parents[1].parent / "shared/real/scans"
DPI, ROWS, COLUMNS, HEADER = 100, 4000, 900, 900
LAYOUT = ((100, 350), (430, 830))


WIDTHS = {"minor": 1, "medium": 1, "bold": 2, "border": 3}
INKS = {"minor": ink_of(200), "medium": ink_of(255), "bold": ink_of(255), "border": ink_of(255)}
PLAIN = {
    **{"step": 10.0, "px": WIDTHS, "ink": INKS, "every": 5, "inset": 0.0, "broken": 0.0},
    **{"rows": "minor bold", "columns": "minor medium bold"},
}
RULINGS = {
    "plain": PLAIN,
    "borders like the grid": {
        **PLAIN,
        "px": {**WIDTHS, "border": 1},
        "ink": {**INKS, "border": ink_of(200)},
    },
    "rows stop short": PLAIN | {"inset": 6.0},
    "only bold rows": PLAIN | {"ink": {**INKS, "minor": ink_of(30)}, "every": 10},
    "no columns": PLAIN | {"columns": "none"},
    "heavy": PLAIN | {"px": {"minor": 3, "medium": 1, "bold": 5, "border": 5}, "step": 20.0},
}


def draw_sheet(ruling=PLAIN, layout=LAYOUT, wander_px=0.0, curves=()):
    """Gray rows of a log, its mask, and how far to the right each row lies: a header, ruled tracks, depth numbers
    between them, and curves, each a column by row."""
    sheet = new_sheet(Draws(0), KINDS["paper"], ROWS, COLUMNS)
    sheet.dpi, sheet.fine_px = DPI, 1
    ink = sheet.ink
    tracks = [
        Track(left, right, "curves", divisions=(*parts, 10)[0]) for left, right, *parts in layout
    ]
    rule(sheet, Table(**ruling), tracks, HEADER, ROWS, HEADER)
    for row in range(30, HEADER - 30, 40):  # a form: lines across the page, boxes, words
        cv2.line(ink, (60, row), (COLUMNS - 60, row), 255, 2)
        cv2.putText(
            ink, "COMPANY WELL FIELD", (80, row + 25), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2
        )
    for row in range(HEADER + 60, ROWS, 200):
        cv2.putText(ink, str(row), (layout[0][1] + 10, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2)
    mask = np.zeros_like(ink)
    for curve in curves:
        points = np.stack([np.rint(curve), np.arange(ROWS)], 1).astype(np.int32)
        cv2.polylines(mask, [points[HEADER:, None]], False, 255, 3)
    ink |= mask
    shift = np.rint(wander_px * np.sin(np.arange(ROWS) / 700)).astype(int)
    gray = np.where(ink > 80, np.uint8(0), np.uint8(255))
    moved = [
        np.stack([np.roll(row, s) for row, s in zip(rows, shift, strict=True)])
        for rows in (gray, mask)
    ]
    return moved[0], moved[1], shift


def look(gray, dpi=DPI):
    return find_tracks(lambda first, stop: gray[first:stop], range(len(gray)), dpi)


@pytest.mark.parametrize("ruling", RULINGS)
def test_borders_are_found_and_followed_where_the_sheet_wanders(ruling):
    gray, _, shift = draw_sheet(RULINGS[ruling], wander_px=35)
    tracks = look(gray)
    rows = np.arange(HEADER + 100, ROWS - 100)
    off = tracks.at(rows) - (np.array(LAYOUT) + shift[rows, None, None])
    assert off.shape[1:] == (2, 2)
    assert (
        np.abs(np.median(off, axis=0)).max() < 3 and np.abs(off).max() < 9
    )  # at most 9 px a block, straightened


def test_the_pale_grid_of_a_blended_render_is_one():
    gray, _, _ = draw_sheet()
    tracks = look(np.maximum(gray, 223))  # lines of half a pixel of a pale gray
    np.testing.assert_allclose(np.median(tracks.borders, 0), LAYOUT, atol=3)


def test_tracks_of_some_rows_are_those_of_all():
    gray, _, _ = draw_sheet(wander_px=35)
    some = find_tracks(lambda first, stop: gray[first:stop], range(2000, 3500), DPI)
    assert 2000 < some.rows[0] < 2100 and 3400 < some.rows[-1] < 3500
    np.testing.assert_allclose(some.borders, look(gray).at(some.rows), atol=3)


def test_where_no_lines_across_are_seen_borders_follow_the_lines_down():
    gray, _, shift = draw_sheet(wander_px=60)
    faint, _, _ = draw_sheet(PLAIN | {"rows": ""}, wander_px=60)
    rows = np.arange(1500, 3200)  # in which the sheet moves by 100 px, ten divisions of the grid
    gray[rows] = faint[rows]
    true = np.array(LAYOUT) + shift[rows, None, None] + 0.5
    assert np.abs(look(gray).at(rows) - true).max() < 4


def test_a_header_whose_lines_fit_somewhere_else_does_not_bend_the_borders_below_it(monkeypatch):
    gray, _, _ = draw_sheet()
    gray[:HEADER] = 255
    for row in range(10, HEADER - 10, 20):  # a form of two columns
        for left, right in ((300, 540), (560, 720)):
            gray[row : row + 2, left:right] = 0
    top = np.array([HEADER + 20])
    np.testing.assert_allclose(look(gray).at(top)[0], LAYOUT, atol=3)
    monkeypatch.setattr("wellseg.curves.track_finder.SURE", 2)
    assert np.abs(look(gray).at(top)[0] - LAYOUT).max() > 30


def test_a_border_that_is_worn_away_for_a_while_goes_on():
    gray, _, _ = draw_sheet()
    worn = gray.copy()
    worn[1800:2500, :240] = 255
    rows = np.arange(1000, 3900)
    np.testing.assert_allclose(look(worn).at(rows), look(gray).at(rows), atol=3)


@pytest.mark.parametrize("divisions", [8, 10])
def test_two_tracks_that_share_a_border_are_two(divisions):
    layout = ((80, 300), (380, 600), (600, 820, divisions))
    gray, _, _ = draw_sheet(RULINGS["borders like the grid"], layout=layout)
    borders = np.median(look(gray).borders, axis=0)
    np.testing.assert_allclose(borders, [(80, 300), (380, 600), (600, 820)], atol=3)


def test_a_narrow_track_beside_a_wider_one_ends_at_its_own_last_line():
    gray, _, _ = draw_sheet(
        RULINGS["borders like the grid"], layout=((80, 205), (205, 375), (500, 820))
    )
    borders = np.median(look(gray).borders, axis=0)
    np.testing.assert_allclose(borders, [(80, 205), (205, 375), (500, 820)], atol=3)


def test_sheets_of_one_log_that_were_printed_differently_have_their_own_borders():
    ruling, other = PLAIN | {"step": 25.0}, ((100, 350), (435, 835))
    second = draw_sheet(ruling, other)[0][HEADER:2400]
    at = look(np.concatenate([draw_sheet(ruling)[0], second])).at(np.array([2500, 4800]))
    np.testing.assert_allclose(at, [LAYOUT, other], atol=3)


@pytest.mark.parametrize("rows", [300, 600])
def test_lines_that_are_there_for_some_rows_alone_split_no_track(rows):
    gray, _, _ = draw_sheet()
    for left, right in LAYOUT:
        gray[1500 : 1500 + rows, left:right:8] = 0  # a hatch over the grid
    np.testing.assert_allclose(np.median(look(gray).borders, axis=0), LAYOUT, atol=3)


def test_a_track_that_the_scan_cuts_off_ends_at_its_edge():
    gray, _, _ = draw_sheet()
    borders = np.median(look(gray[:, 200:]).borders, axis=0)
    assert abs(borders[0, 0]) < 1 and borders[0, 1] == pytest.approx(150, abs=4)


def test_lines_that_lie_unevenly_are_no_track_at_the_edge_of_the_scan_either():
    gray = np.full((ROWS, COLUMNS), 255, np.uint8)
    gray[::10, 700:] = 0
    gray[:, [600, 655, 669, 850, 888]] = 0
    assert look(gray) is None


@pytest.mark.parametrize("kind", ["white", "black", "noise", "clouds", "short", "one row"])
def test_where_there_is_no_grid_there_are_no_tracks(kind):
    rng = np.random.default_rng(0)
    shape = {"short": (200, 300), "one row": (1, 300)}.get(kind, (3000, 500))
    gray = np.full(shape, 0 if kind == "black" else 255, np.uint8)
    if kind == "noise":
        gray = rng.integers(0, 256, shape, dtype=np.uint8)
    if kind == "clouds":
        gray = cv2.resize(
            rng.integers(0, 256, (40, 8), dtype=np.uint8),
            shape[::-1],
            interpolation=cv2.INTER_CUBIC,
        )
    assert look(gray) is None


def test_rows_are_laid_over_each_other_as_their_neighbours_are():
    rng = np.random.default_rng(0)
    layout = cv2.GaussianBlur(rng.standard_normal((1, 300)).astype(np.float32), (0, 0), 2)[0]
    truth = np.repeat([0, 2, 12, 12], 20) - 2  # sheets are joined: a jump
    rows = np.stack([np.roll(layout, shift) for shift in truth])
    rows[[5, 47]] = rng.standard_normal((2, 300)) / 3  # two that are no log
    np.testing.assert_allclose(overlay(rows, 30), truth - int(np.median(truth)), atol=1)


def right(truth, found):
    """Whether the tracks at a row are those of tests/tracks.json: borders within 3 px; one that is
    not drawn lies in [low, high]; tracks of ``opt`` and borders inside (``may``) are free."""

    def near(column, border):
        low, high = border if isinstance(border, list) else (border, border)
        return low - 3 <= column <= high + 3

    ends = {border for pair in truth["tracks"] for border in map(str, pair)}
    seen = {str(b) for pair in truth["tracks"] for b in pair for c in found.ravel() if near(c, b)}
    sides = [b for pair in truth["tracks"] for b in pair] + truth.get("may", [])
    extra = [
        (left, right)
        for left, right in found.tolist()
        if not any(abs(left - a) < 9 and abs(right - b) < 9 for a, b in truth.get("opt", []))
        and not (any(near(left, b) for b in sides) and any(near(right, b) for b in sides))
    ]
    return seen == ends and not extra


@pytest.mark.slow
@pytest.mark.skipif(not SCANS.is_dir(), reason="no shared scans")
def test_tracks_of_real_scans_as_a_person_sees_them():
    truths = json.loads(Path(__file__).with_name("tracks.json").read_text())
    wrong, count = [], 0
    for name, truth in truths.items():
        with open_scan(SCANS / name.split("@")[0], 0) as scan:
            if scan.rows * scan.columns > 4e7:
                continue
            tracks, count = find_tracks(scan.read, range(scan.rows), scan.dpi), count + 1
        found = tracks.at(np.array([truth["row"]]))[0] if tracks else np.empty((0, 2))
        if not right(truth, found):
            wrong.append(name)
    assert count >= 40 and len(wrong) <= 0.125 * count, wrong


# ---- the files -----------------------------------------------------------------------------------------


def write(folder, gray, mask, **options):
    told = {"rows": len(mask), "columns": mask.shape[1], "likely_dpi": DPI}
    scan = SimpleNamespace(**told, read=lambda first, stop: gray[first:stop])
    writer = CurveWriter(folder / "log", "log.tif", scan, CurveOptions(**options))
    for start in range(0, len(mask), 700):
        part = slice(start, start + 700)
        writer.put(gray[part], mask[part], mask[part])
    writer.finish()
    return writer, lasio.read(str(folder / "log.las"))


@pytest.mark.parametrize("rows", [None, "1500-3900", "1500-1900"])
def test_a_curve_has_its_fraction_of_the_track_however_the_sheet_wanders(tmp_path, rows):
    shares = {1: 0.3, 2: 0.75}
    curves = [
        np.full(ROWS, left + shares[n] * (right - left))
        for n, (left, right) in enumerate(LAYOUT, 1)
    ]
    gray, mask, shift = draw_sheet(wander_px=30, curves=curves)
    writer, las = write(tmp_path, gray, mask, rows=rows)
    assert np.ptp(shift) > 40 and (rows is None or f"pixels, --rows {rows}\n" in las.other)
    for n, share in shares.items():
        wide = LAYOUT[n - 1][1] - LAYOUT[n - 1][0]
        off = (np.asarray(las[f"T{n}_C1_SOLID"])[100:-100] - share) * wide
        assert abs(np.nanmedian(off)) < 3 and np.nanmax(np.abs(off)) < 9
    first, last = map(int, (rows or f"{HEADER}-{ROWS}").split("-"))
    right = LAYOUT[1][1] + np.median(shift[first:last])
    found = np.median(writer.tracks.at(np.arange(first, last)), 0)
    assert found.shape == (2, 2) and found[1, 1] == pytest.approx(right, abs=5)


def test_rows_of_the_lower_of_two_logs_have_its_own_tracks(tmp_path):
    layouts = LAYOUT, ((60, 260), (330, 560), (620, 860))
    sheets = []
    for layout in layouts:
        curves = [np.full(ROWS, left + 0.3 * (right - left)) for left, right in layout]
        sheets.append(draw_sheet(layout=layout, curves=curves)[:2])
    gray, mask = (np.concatenate(each) for each in zip(*sheets, strict=True))
    writer, las = write(tmp_path, gray, mask, rows=f"{ROWS + 1000}-{2 * ROWS - 500}")
    np.testing.assert_allclose(writer.quality()["track_borders"], layouts[1], atol=3)
    for n in (1, 2, 3):
        assert np.nanmedian(las[f"T{n}_C1_SOLID"]) == pytest.approx(0.3, abs=0.01)


def test_what_lies_in_no_track_is_in_fractions_of_the_scan(tmp_path):
    outside, inside = np.full(ROWS, 860.0), np.full(ROWS, 200.0)
    gray, mask, _ = draw_sheet(curves=[outside, inside])
    writer, las = write(tmp_path, gray, mask)
    said = "no track for 1 of the curves found: values are fractions of the scan's width"
    assert writer.notes == [f"{said} (--tracks)"]
    assert las.keys() == ["INDEX", "T0_C1_SOLID", "T1_C1_SOLID"]
    assert np.nanmedian(las["T0_C1_SOLID"]) == pytest.approx(860.5 / COLUMNS, abs=0.002)


def test_without_tracks_it_is_said_and_the_scan_is_the_measure(tmp_path):
    _, mask, _ = draw_sheet(curves=[np.full(ROWS, 300.0)])
    writer, las = write(tmp_path, 255 - mask, mask)
    assert writer.notes == ["no tracks found: values are fractions of the scan's width (--tracks)"]
    assert "no tracks found" in las.other
    assert np.nanmedian(las["T0_C1_SOLID"]) == pytest.approx(300.5 / COLUMNS, abs=0.002)


def test_a_curve_is_of_the_track_in_which_most_of_it_lies():
    tracks = Tracks(np.zeros(1), np.array([[(100, 200), (300, 500)]], float), np.inf)
    rows = np.arange(10)
    of = lambda *columns: tracks.of(rows, np.array(columns, float))  # noqa: E731
    assert of(*[150] * 6, *[400] * 4) == 1 and of(*[150] * 4, *[400] * 6) == 2
    assert of(*[250] * 6, *[400] * 4) == 0 and of(*[50] * 10) == 0


@pytest.mark.parametrize("tracks", [["5"], ["9-5"], ["7-7"], ["a-b"], ["-4-9"]])
def test_wrong_tracks_are_refused(tracks):
    with pytest.raises(ValueError, match="is not LEFT-RIGHT"):
        PredictConfig(["log.tif"], curves=True, tracks=tracks)
    with pytest.raises(ValueError, match="give that, too"):
        PredictConfig(["log.tif"], tracks=["1-2"])

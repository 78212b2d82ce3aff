"""predict --traces: lines followed through masks whose curves are known, and the files."""

import csv

import cv2
import lasio
import numpy as np
import pytest

from wellseg.config import PredictConfig
from wellseg.corpus import draw_log
from wellseg.curves.files import TraceWriter
from wellseg.curves.follow import Follower
from wellseg.curves.las import MOST_CURVES, pack
from wellseg.curves.options import CurveOptions, DepthScale
from wellseg.scan.reader import ScanError

ROWS = np.arange(3000)
GAP_ROWS = 20


def draw(*curves, columns=800, width=5):
    """A mask of curves, each an array of columns by row, NaN where it is not drawn."""
    mask = np.zeros((len(curves[0]), columns), np.uint8)
    for curve in curves:
        row = np.arange(len(curve))
        parts = np.split(np.stack([curve, row], 1), np.flatnonzero(np.isnan(curve)))
        for part in parts:
            points = part[~np.isnan(part[:, 0])]
            if len(points):
                cv2.polylines(mask, [np.rint(points).astype(np.int32)[:, None]], False, 255, width)
    return mask


def follow(mask, least_rows=40, band_rows=257):
    """(first row, points) of each trace."""
    with Follower(least_rows) as follower:
        for start in range(0, len(mask), band_rows):
            band = mask[start : start + band_rows]
            follower.add(band, np.where(band, np.uint8(204), np.uint8(20)))
        follower.finish()
        return [(trace.first_row, follower.points(trace)) for trace in follower.traces]


def errors(traces, truth):
    """Distance of one trace to one true curve, in the rows of both."""
    first, points = traces
    return np.abs(points[:, 0] - truth[first : first + len(points)])


def sine(middle, size, period, phase=0.0):
    return middle + size * np.sin(2 * np.pi * ROWS / period + phase)


@pytest.mark.parametrize("band_rows", [1, 64, 3000])
def test_two_curves_are_two_traces_in_the_middle_of_the_ink(band_rows):
    left, right = sine(200, 80, 400), sine(600, 120, 900, 1)
    traces = follow(draw(left, right), band_rows=band_rows)
    assert [(first, len(points)) for first, points in traces] == [(0, 3000), (0, 3000)]
    for trace, truth in zip(traces, (left, right), strict=True):
        assert np.median(errors(trace, truth)) < 0.6 and errors(trace, truth).max() < 2
        assert (
            6 < np.median(trace[1][:, 1]) < 10
        )  # OpenCV's 5 is 7 across, and more where it slopes
        np.testing.assert_allclose(trace[1][:, 2], 0.8, atol=1e-6)


def test_crossing_curves_keep_their_identity():
    one, other = (
        sine(400, 200, 1500, 0.5),
        sine(400, 200, 1500, np.pi + 0.5),
    )  # meet four times, at an angle
    traces = follow(draw(one, other))
    assert [len(points) for _, points in traces] == [3000, 3000]
    right_first = sorted(traces, key=lambda trace: -trace[1][200, 0])
    for trace, truth in zip(right_first, (one, other), strict=True):
        assert np.median(errors(trace, truth)) < 0.6 and errors(trace, truth).max() < 6


def test_a_gap_stays_a_gap_and_a_long_one_ends_the_trace():
    curve = sine(300, 60, 700)
    curve[1000 : 1000 + GAP_ROWS - 8] = np.nan
    traces = follow(draw(curve))
    assert len(traces) == 1
    missing = np.flatnonzero(np.isnan(traces[0][1][:, 0]))
    assert 4 <= len(missing) <= GAP_ROWS - 8 and set(missing) <= set(range(1000, 1000 + GAP_ROWS))
    curve[1000 : 1000 + 2 * GAP_ROWS + 10] = np.nan
    before, after = follow(draw(curve))
    assert not np.isnan(before[1]).any() and not np.isnan(after[1]).any()
    assert before[0] == 0 and after[0] > 1000 + GAP_ROWS


def test_spikes_do_not_break_a_trace_nor_the_one_that_they_sweep_over():
    left, right = sine(200, 30, 900), sine(420, 10, 1100)
    calm = left.copy()
    for row in (500, 1200, 2100):
        left[row : row + 3] += (
            150,
            400,
            150,
        )  # out and back within five rows, over the other curve
    traces = follow(draw(left, right))
    assert [len(points) for _, points in traces] == [3000, 3000]
    assert np.median(errors(traces[0], calm)) < 0.6 and np.median(errors(traces[1], right)) < 0.6
    assert (
        errors(traces[0], calm)[1210:2090].max() < 2
        and errors(traces[1], right)[1210:2090].max() < 2
    )
    steps = np.abs(np.diff(traces[1][1][:, 0]))
    assert np.sort(steps)[-20:].max() < 60  # the swept one is not carried away


def test_a_steep_flank_is_followed():
    curve = np.interp(ROWS, [0, 1000, 1030, 2000, 2030, 2999], [100, 100, 700, 700, 100, 100])
    traces = follow(draw(curve))
    assert len(traces) == 1 and len(traces[0][1]) == 3000
    off = np.sort(errors(traces[0], curve))
    assert (
        np.median(off) < 0.6 and off.max() < 40 and off[:-30].max() < 12
    )  # largest where the flank begins and ends


def test_a_gap_in_a_steep_flank_is_bridged_but_not_to_a_curve_that_goes_on_by_itself():
    curve = np.interp(ROWS, [0, 1000, 1040, 2999], [200, 200, 600, 600])
    curve[1018:1022] = np.nan  # 40 columns further on
    other = np.full(3000, 520.0)  # is crossed soon after the gap
    traces = follow(draw(curve, other))
    assert [len(points) for _, points in traces] == [3000, 3000]
    assert np.nanmedian(errors(traces[0], curve)) < 0.6 and traces[0][1][2000, 0] == pytest.approx(
        600, abs=1
    )
    assert np.median(errors(traces[1], other)) < 0.6


def test_a_trace_that_ends_beside_another_does_not_go_on_as_that_one():
    ends, goes_on = np.full(3000, 300.0), np.full(3000, 312.0)
    ends[1000:] = np.nan
    traces = follow(draw(ends, goes_on))
    assert len(traces) == 2 and abs(len(traces[0][1]) - 1000) < 8 and len(traces[1][1]) == 3000


def test_specks_and_letters_are_left_out():
    mask = draw(sine(200, 50, 500))
    for row in range(0, 2900, 60):
        for column in range(400, 780, 14):
            mask[row : row + 25, column : column + 8] = 255
    assert len(follow(mask, least_rows=100)) == 1


def test_two_that_become_one_are_one():
    left, right = np.full(3000, 300.0), np.interp(ROWS, [0, 1000, 2999], [400, 300, 300])
    traces = follow(draw(left, right))
    assert len(traces) == 2
    assert sorted(len(points) for _, points in traces)[1] == 3000
    assert 850 < min(len(points) for _, points in traces) < 1010


def test_traces_lie_on_the_masks_of_the_corpus():
    masks = [
        np.where(draw_log(7, index, "quick").mask == 255, np.uint8(255), np.uint8(0))
        for index in range(8)
    ]
    masks = [
        mask for mask in masks if np.count_nonzero(mask) >= 5000
    ]  # of others hardly any curve is on the page
    assert len(masks) >= 2
    for mask in masks:
        traces = follow(mask, least_rows=100)
        assert traces
        inside = total = 0
        for first, points in traces:
            for row, (column, width, _) in enumerate(points, first):
                if column == column:
                    total += 1
                    inside += mask[row, round(float(column))] == 255
                    assert 0 < width <= mask.shape[1]
        assert inside > 0.97 * total


# ---- the files -----------------------------------------------------------------------------------------


def write(folder, mask, notes=None, name="log.tif", **options):
    options = CurveOptions.parse(**options)
    with TraceWriter(folder / "log", name, *mask.shape, options=options) as writer:
        for start in range(0, len(mask), 500):
            part = mask[start : start + 500]
            writer.put(255 - part, part, part)
    if notes is not None:
        notes += writer.notes
    return folder / "log.traces.csv", folder / "log.las"


def test_csv_and_las_say_the_same(tmp_path):
    curve = sine(200, 80, 400)
    curve[700:712] = np.nan
    table, las_path = write(tmp_path, draw(curve, sine(600, 100, 900))[:, :800])
    lines = list(csv.DictReader(table.open()))
    assert list(lines[0]) == ["row", "trace", "track", "column", "width_px", "confidence"]
    assert {line["trace"] for line in lines} == {"1", "2"} and len(lines) == 6000
    assert 4 <= sum(line["column"] == "" for line in lines) <= 12
    las = lasio.read(str(las_path))
    assert las.version["VERS"].value == 2.0 and [c.mnemonic for c in las.curves] == [
        "DEPT",
        "TR01",
        "ID01",
        "TR02",
        "ID02",
    ]
    assert (las.well["STRT"].value, las.well["STOP"].value, las.well["STEP"].value) == (0, 2999, 1)
    assert (
        {las.well[name].unit for name in ("STRT", "STOP", "STEP")}
        == {las.curves[0].unit}
        == {"ROW"}
    )
    assert las.well["WELL"].value == "log" and "FRACTIONS OF THE SCAN'S WIDTH" in las.other
    first = np.array([float(line["column"] or "nan") for line in lines if line["trace"] == "1"])
    number = int(np.nanmin(las["ID01"]))
    column = las["TR01" if number == 1 else "TR02"] * 800 - 0.5
    np.testing.assert_array_equal(np.isnan(column), np.isnan(first))
    np.testing.assert_allclose(column, first, atol=0.06)


@pytest.mark.parametrize("unit", ["ft", "m"])
def test_depth_is_known_where_it_was_given_and_a_tenth_beyond(tmp_path, unit):
    curve = sine(200, 80, 400)
    notes = []
    table, path = write(
        tmp_path, draw(curve), notes, depth=["2,500=5250", "500=5,050.0"], depth_unit=unit
    )
    las = lasio.read(str(path))
    units = {las.well[name].unit for name in ("STRT", "STOP", "STEP")} | {las.curves[0].unit}
    assert units == {unit.upper()}
    # Of rows 0 to 2,999: 200 more above and below what is known.
    assert (las.well["STRT"].value, las.well["STOP"].value) == pytest.approx((5030, 5270))
    assert las.well["STEP"].value == pytest.approx(0.1)
    np.testing.assert_allclose(las["DEPT"], 5000 + 0.1 * np.arange(300, 2701), atol=1e-4)
    np.testing.assert_allclose(las["TR01"] * 800 - 0.5, curve[300:2701], atol=3)
    assert (las.params["DROW1"].value, las.params["DROW2"].value) == (500, 2500)
    assert f"row 500 = 5050 {unit}" in las.other and "for 200 rows above and below" in las.other
    assert "depth is known between rows 500 and 2,500: log.las holds rows 300 to 2,700" in notes[-1]
    assert len(table.read_text().splitlines()) == 3001  # by row, nothing is left out


def test_nothing_is_said_where_the_depth_of_all_rows_is_known(tmp_path):
    notes = []
    write(tmp_path, draw(sine(200, 80, 400)), notes, depth=["0=100", "2999=400"])
    assert not [note for note in notes if "depth" in note]


def test_depth_of_rows_without_a_trace(tmp_path):
    mask = draw(sine(200, 80, 400))
    mask[1000:] = 0
    _, path = write(tmp_path, mask, depth=["2000=5250", "2500=5300"])
    las = lasio.read(str(path))
    assert np.isnan(las["TR01"]).all() if "TR01" in las.keys() else True


def test_depth_bends_at_the_known_rows():
    scale = DepthScale([(10, 100), (20, 110), (30, 140)])
    assert [scale.at(row) for row in (0, 10, 20, 30, 40)] == [90, 100, 110, 140, 170]
    assert scale.reach == (8, 32)


def test_rows_limit_the_traces_of_a_scan_with_two_logs(tmp_path):
    curve = sine(200, 80, 400)
    table, path = write(tmp_path, draw(curve), rows="1,200-2,100")
    lines = list(csv.DictReader(table.open()))
    assert [int(line["row"]) for line in lines] == list(range(1200, 2101))
    las = lasio.read(str(path))
    assert (las.well["STRT"].value, las.well["STOP"].value) == (1200, 2100)
    np.testing.assert_allclose(las["TR01"] * 800 - 0.5, curve[1200:2101], atol=3)
    write(tmp_path, draw(curve), rows="1200-99999")
    with pytest.raises(ScanError, match="--rows begins with 3,000: the scan has 3,000 rows"):
        write(tmp_path, draw(curve), rows="3000-4000")


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("33-025-01275-0001.tif", 3302501275),
        ("42371030860000.tif", 42371030860000),
        ("log 3002509873_2.tif", 3002509873),
        ("BXG57.tif", None),
        ("20210630123.tif", None),
    ],
)
def test_a_well_whose_file_is_named_by_its_number(tmp_path, name, number):
    _, path = write(tmp_path, draw(sine(200, 80, 400)), name=name)
    las = lasio.read(str(path))
    for item in ("API", "UWI"):
        assert (las.well[item].value or None) == (str(number) if number else None)
    assert str(las.well["WELL"].value) == name.removesuffix(".tif")


def test_without_traces_the_files_say_so(tmp_path):
    table, las = write(tmp_path, np.zeros((50, 60), np.uint8))
    assert table.read_text() == "row,trace,track,column,width_px,confidence\n"
    assert lasio.read(str(las)).params["NTRC"].value == 0


def test_more_traces_than_columns_stand_in_the_csv_alone(tmp_path):
    mask = draw(*[np.full(200, 20.0 + 30 * i) for i in range(20)])
    table, path = write(tmp_path, mask)
    assert len({line["trace"] for line in csv.DictReader(table.open())}) == 20
    las = lasio.read(str(path))
    assert (
        len(las.curves) == 1 + 2 * MOST_CURVES and "4 that overlap with 16 longer ones" in las.other
    )


def test_traces_one_below_another_share_a_column():
    curve = np.full(3000, 200.0)
    for row in (700, 1500, 2200):
        curve[row : row + 100] = np.nan
    with Follower(40) as follower:
        mask = draw(curve, np.full(3000, 500.0))
        follower.add(mask, mask)
        follower.finish()
        assert len(follower.traces) == 5 and sorted(map(len, pack(follower.traces, [0] * 5))) == [
            1,
            4,
        ]


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), TraceWriter(tmp_path / "log", "log.tif", 10, 10):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (["5=7"], "alone gives no scale"),
        (["5=7", "9=3"], "has to grow"),
        (["5=7", "5=8"], "has to grow"),
        (["5", "9=3"], "is not ROW=DEPTH"),
        (["22780:3300", "9=3"], "'22780:3300' is not ROW=DEPTH"),
        (["5=inf", "9=3"], "is not ROW=DEPTH"),
        (["5=3300,5", "9=3400"], "is not ROW=DEPTH"),
    ],
)
def test_wrong_depths_are_refused(depth, message):
    with pytest.raises(ValueError, match=message):
        PredictConfig(["log.tif"], traces=True, depth=depth)


@pytest.mark.parametrize("rows", ["5", "9-5", "a-b", "-5"])
def test_wrong_rows_are_refused(rows):
    with pytest.raises(ValueError, match="is not FROM-TO"):
        PredictConfig(["log.tif"], traces=True, rows=rows)
    with pytest.raises(ValueError, match="give both"):
        PredictConfig(["log.tif"], rows="1-2")

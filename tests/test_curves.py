"""Curves followed through masks whose curves are known: which is which, from top to bottom."""

import gc
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from scipy.ndimage import maximum_filter1d

from wellseg.curves.curve import CurveFollower, join
from wellseg.curves.linking import solve
from wellseg.curves.points import (
    BRIDGED,
    HOME,
    INK_SHARE,
    UNCERTAIN,
    WRAPPED,
    Curve,
    Points,
    place_curve,
    to_tips,
    unlike,
)
from wellseg.curves.strands import Chain, split_colours
from wellseg.curves.track_finder import find_tracks
from wellseg.curves.tracks import Tracks
from wellseg.curves.window import exchange
from wellseg.rows.segment import segment
from wellseg.scan.reader import open_scan
from wellseg.weights import load_model

ROWS = np.arange(1500)


def draw(*curves, columns=800, width=5):
    """A mask of curves, each an array of columns by row, NaN where it is not drawn."""
    widths = width if isinstance(width, tuple) else (width,) * len(curves)
    mask = np.zeros((len(curves[0]), columns), np.uint8)
    for curve, thick in zip(curves, widths, strict=True):
        points = np.stack([curve, np.arange(len(curve))], 1)
        for part in np.split(points, np.flatnonzero(np.isnan(curve))):
            line = part[~np.isnan(part[:, 0])]
            if len(line):
                cv2.polylines(mask, [np.rint(line).astype(np.int32)[:, None]], False, 255, thick)
    return mask


def follow(mask, colours=None, strip=257, gray=None, tracks=None):
    """(curve, points) of each curve."""
    gray = 255 - mask if gray is None else gray
    tracks = tracks or find_tracks(lambda first, stop: gray[first:stop], range(len(gray)), 200)
    follower = CurveFollower(200, tracks=tracks)
    for start in range(0, len(mask), strip):
        part = slice(start, start + strip)
        picture = gray[part] if colours is None else colours[part]
        probability = np.where(mask[part], np.uint8(230), np.uint8(10))
        follower.add(picture, mask[part], probability)
    follower.finish()
    return [(curve, curve.points()) for curve in follower.curves]


def test_the_track_of_a_curve_is_that_of_its_rows_with_values():
    tracks = Tracks(np.zeros(1), np.array([[[100.0, 300], [300, 400]]]), np.inf)
    column = np.where(ROWS < 400, 299.75, np.nan)  # most rows have none; its middle is 300.25
    assert tracks.of(ROWS, column) == 2


def test_a_gap_along_the_right_border_has_no_values_but_where_the_curve_is_at_home_there():
    tracks = Tracks(np.zeros(1), np.array([[[100.0, 300], [400, 600]]]), np.inf)
    leaves, rests = (
        sine(230, 80, 160),
        np.where((ROWS > 400) & (ROWS < 900), 598.0, sine(570, 28, 160)),
    )
    leaves[leaves > 299] = np.nan  # 48 rows off the scale, nine times
    rests[(rests == 598) & (ROWS % 40 < 18)] = np.nan  # dashes along the border
    left = np.where((ROWS > 400) & (ROWS < 900), 402.0, sine(470, 60, 160))
    left[(left == 402) & (ROWS % 40 < 18)] = np.nan
    (curve, off), (_, still), (_, other) = follow(draw(leaves, left, rests), tracks=tracks)
    leaves = leaves[curve.first_row :][: curve.rows]
    assert np.isnan(off.column[np.isnan(leaves)]).mean() > 0.8
    assert np.isnan(off.column[~np.isnan(leaves)]).mean() < 0.01
    assert np.isnan(still.column).mean() < 0.02, "at the left border curves are at rest"
    assert np.isnan(other.column).mean() < 0.02, "it is at rest there"


def test_neighbours_whose_curves_lie_on_both_sides_of_their_border_are_one_track():
    borders = np.array([[[0.0, 100], [200, 300], [300, 400], [450, 600]]])
    tracks, wide, left = (
        Tracks(np.zeros(1), borders, 1e9),
        sine(290, 60, 400),
        sine(250, 30, 400),
    )
    one = tracks.merged([(ROWS, wide), (ROWS, left)])
    assert one.borders[0].tolist() == [[0, 100], [200, 400], [450, 600]]
    assert tracks.merged([(ROWS, left), (ROWS, left + 100)]).borders.tolist() == borders.tolist()
    spike = np.where(ROWS < 45, 350, left)  # leaves its scale for a while
    assert tracks.merged([(ROWS, spike)]).borders.tolist() == borders.tolist()
    longer = np.where(ROWS < 56, 350, left)  # a spike of so many rows is none: 4702900080_gr_d2
    assert tracks.merged([(ROWS, longer)]).borders.tolist() == one.borders.tolist()
    given = replace(tracks, reach=np.inf)
    assert given.merged([(ROWS, wide), (ROWS, left)]).borders.tolist() == borders.tolist()


def test_a_curve_over_two_tracks_that_are_one_is_at_home_in_both_halves():
    halves = Tracks(np.zeros(1), np.array([[[100.0, 500], [500, 900]]]), 1e9)
    left, right, beside = sine(400, 130, 200), sine(600, 130, 200), sine(60, 20, 400)
    left[400:], right[:1050] = np.nan, np.nan  # between them it is too faint
    found = follow(draw(left, right, beside, columns=900), tracks=halves)
    assert [it.rows for it, _ in found] == pytest.approx([1500, 1500], abs=4)
    apart = follow(draw(left - 60, right + 60, beside, columns=900), tracks=halves)
    assert len(apart) == 3, "none lies beyond the border: each is of its own track"


def test_a_curve_at_the_left_of_a_wide_track_is_at_home_in_it_not_in_the_narrow_one_beside():
    """The middle of the narrow track is nearer there: on 30-025-09873_0858 a resistivity was in eight pieces."""
    tracks = Tracks(np.zeros(1), np.array([[[20.0, 160], [200, 900]]]), 1e9)
    left, right, beside = sine(260, 20, 200), sine(600, 20, 200), sine(90, 20, 400)
    left[600:], right[:800] = np.nan, np.nan  # between them it is too faint
    found = follow(draw(left, right, beside, columns=920), tracks=tracks)
    assert [it.rows for it, _ in found] == pytest.approx([1500, 1500], abs=4)


@pytest.mark.parametrize("widths", [(3, 5), (3, 7), (4, 8)])
def test_curves_that_cross_on_a_bridge_keep_their_names(widths):
    """Where two strokes fuse one comes down the thinned bridge, the other goes up it."""
    mask, top, end = np.zeros((800, 800), np.uint8), (398, 400), (402, 410)
    ways = (
        [(100, 0), (110, 250), top, end, (690, 550), (700, 800)],
        [(700, 0), (690, 250), end, top],
    )
    for way, width in zip((ways[0], [*ways[1], (110, 560), (100, 800)]), widths, strict=True):
        cv2.polylines(mask, [np.array(way, np.int32)[:, None]], False, 255, width)
    found = follow(mask, tracks=Tracks(np.zeros(1), np.array([[[20.0, 780]]]), np.inf))
    ends = [(its.column[0], its.column[-1]) for _, its in found]
    assert ends == [pytest.approx((100, 700), abs=3), pytest.approx((700, 100), abs=3)]


def sine(middle, size, period, phase=0.0, rows=ROWS):
    return middle + size * np.sin(2 * np.pi * rows / period + phase)


def share(found, truth, tolerance=4):
    """Of the rows of a true curve, those in which a followed one is near it."""
    curve, points = found
    column = np.full(len(truth), np.nan)
    column[curve.first_row : curve.first_row + curve.rows] = points.column
    return np.mean(np.abs(column - truth)[~np.isnan(truth)] < tolerance)


def is_each(found, truths, least=0.95):
    """Whether the followed curves are the true ones, each one of them."""
    assert len(found) == len(truths)
    for truth in truths:
        assert max(share(one, truth) for one in found) > least


def test_two_that_cross_go_on_their_course():
    curves = [300 + 0.2 * (ROWS - 750), 300 - 0.2 * (ROWS - 750)]
    is_each(follow(draw(*curves)), curves)


def test_nothing_gives_nothing():
    assert follow(np.zeros((700, 100), np.uint8)) == []
    follower = CurveFollower(200)
    follower.finish()
    assert follower.curves == []


def test_a_spike_is_a_span_and_breaks_nothing():
    curve = np.full(600, 200.0)
    mask = draw(curve)
    cv2.line(mask, (200, 300), (500, 303), 255, 5)
    cv2.line(mask, (500, 303), (200, 306), 255, 5)
    ((_, points),) = found = follow(mask)
    is_each(found, [curve], 0.97)
    assert points.right[298:308].max() > 490 and points.left[298:308].min() < 202
    assert points.column.max() == pytest.approx(500, abs=4), "its tip is the value there"
    assert np.abs(np.delete(points.column, np.s_[296:311]) - 200).max() < 2


def test_columns_of_spikes_are_their_tips_and_those_of_steps_and_hatches_are_middles():
    low, high = np.full((2, 300), 50.0)
    high[100:103] = 90  # out to the right and back
    low[150:152] = 20
    high[200] = 80  # a step, from 50 to 80
    low[201:], high[201:] = 80, 80
    high[220:290] = 140  # so many that no row tells which way
    middle = (low + high) / 2
    column = middle.copy()
    gap = np.zeros(len(column), bool)
    to_tips(column, low, high, 4, gap)
    moved = np.flatnonzero(column != middle)
    assert moved.tolist() == [100, 150, 220, 289]  # of rows side by side one, of a hatch its ends
    assert column[[100, 150]].tolist() == [90, 20]
    gap[100:103] = True
    to_tips(column, low, high, 4, gap)
    assert column[100:103].tolist() == [90, 90, 90]  # without a column of their own, each
    column[:] = np.nan
    to_tips(column, low, high, 4, gap)
    assert np.isnan(column).all()


def test_a_tip_beyond_a_level_stroke_is_reached():
    """The row above lies at the foot of the spike, the row below near its tip."""
    low = np.array([50.0] * 20 + [50] + [160] * 20)
    high = np.array([50.0] * 20 + [185] + [160] * 20)  # out to 185, and on at 160
    column = (low + high) / 2
    to_tips(column, low, high, 4, np.zeros(len(column), bool))
    assert column[20] == 185


def test_a_stroke_that_branches_off_a_curve_is_no_tip_of_it():
    curve = np.full(600, 200.0)
    mask = draw(curve)
    cv2.line(mask, (200, 300), (260, 330), 255, 5)  # handwriting, on for 30 rows
    is_each(follow(mask), [curve], 0.97)
    _, points = follow(mask)[0]
    assert points.column.max() < 210


def test_a_tip_beside_a_gap_is_reached():
    """Of a spike the mask has the tip and one stroke to it, which goes on in the curve below."""
    curve = np.full(600, 200.0)
    curve[297:306] = np.nan
    mask = draw(curve)
    cv2.line(mask, (470, 301), (200, 307), 255, 3)
    cv2.line(mask, (470, 301), (420, 299), 255, 3)
    _, points = follow(mask)[0]
    assert points.column[290:315].max() > 400


def test_a_tip_that_hangs_on_nothing_is_of_the_gap_beside_it():
    curve = np.full(600, 200.0)
    curve[296:306] = np.nan
    mask = draw(curve)
    cv2.line(mask, (208, 300), (400, 301), 255, 3)
    _, points = follow(mask)[0]
    assert points.column[290:315].max() > 390
    mask = draw(curve)
    cv2.line(mask, (260, 300), (445, 301), 255, 3)  # too far away
    _, points = follow(mask)[0]
    assert points.column.max() < 210


def test_a_spike_of_nearly_horizontal_strokes_is_followed():
    """A network leaves their edges ragged: thinned, they are many chains of one row or two."""
    mask = np.zeros((400, 400), np.uint8)
    path = np.array([(300, 0), (300, 150), (60, 159.25), (300, 168.5), (300, 399)])
    cv2.polylines(mask, [np.rint(16 * path).astype(np.int32)], False, 255, 2, shift=4)
    edge = (cv2.dilate(mask, np.ones((3, 1), np.uint8)) > 0) & (mask == 0)
    mask[edge & (np.random.default_rng(0).random(mask.shape) < 0.25)] = 255
    follower = CurveFollower(100.0)
    follower.add(255 - mask, mask, mask)
    follower.finish()
    (curve,) = follower.curves
    assert np.nanmin(curve.points().column) < 100


def test_dashes_are_one_curve_and_its_gaps_are_marked():
    curve = sine(300, 60, 500)
    dashes = np.where(ROWS % 40 < 26, curve, np.nan)
    ((_, points),) = found = follow(draw(dashes))
    is_each(found, [curve])
    marked = (points.flags & BRIDGED) > 0
    assert 0.15 < marked.mean() < 0.5


LEFT, RIGHT = 100, 500


def wrapping(rows, dash=1, blank=1):
    """A curve that leaves its track to the right, thrice, for less than a quarter of an inch the
    first time, and comes back at the left border; its mask, and the scan with the track's grid.
    blank: so many rows have no ink where it goes from border to border."""
    values = 0.75 + np.interp(rows % 800, (100, 300, 500), (0, 0.35, 0)) * (1 - 0.2 * (rows < 800))
    printed = LEFT + (RIGHT - LEFT) * (values % 1)
    jumps = maximum_filter1d(np.abs(np.diff(values // 1, append=0)) > 0, blank)
    mask = draw(np.where(jumps | (rows % 12 >= 12 * dash), np.nan, printed), columns=600, width=3)
    gray = 255 - mask
    gray[::20, LEFT : RIGHT + 1] = gray[:, LEFT : RIGHT + 1 : 40] = 0
    gray[:, [LEFT, RIGHT]] = 0
    return values, mask, gray


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(("dash", "blank"), [(1, 1), (0.6, 1), (1, 19)])
def test_a_curve_that_wraps_is_one_and_is_set_back(given, dash, blank):
    rows = np.arange(3200)
    values, mask, gray = wrapping(rows, dash, blank)
    tracks = Tracks(np.zeros(1), np.array([[[LEFT, RIGHT]]], float), np.inf) if given else None
    ((curve, points),) = follow(mask, gray=gray, tracks=tracks)
    assert len(curve.wraps) == 8 and len(curve.off_scale) == 4
    unrolled = (points.column + curve.set_back() - LEFT) / (RIGHT - LEFT)
    assert np.nanmedian(np.abs(unrolled - values[curve.first_row :][: curve.rows])) < 0.01
    assert np.nanmax(np.abs(unrolled - values[curve.first_row :][: curve.rows])) < 0.05
    np.testing.assert_array_equal(points.flags & WRAPPED > 0, curve.set_back() > 0)
    assert np.isnan(points.column).mean() < 0.02 + (blank > 1) * 8 * blank / len(rows)
    assert not ((points.right - points.left) > 100).any()  # no span goes from border to border


@pytest.mark.parametrize("step", [0, 1])
def test_a_level_stroke_whose_line_goes_up_and_down_wraps(step):
    mask = np.zeros((1200, 600), np.uint8)
    mask[:500, 299:302] = mask[504:640, 319:322] = mask[644:, 299:302] = 255
    for row, first, last in (
        (500, LEFT, 300),
        (504, 320, RIGHT),
        (640, 320, RIGHT),
        (644, LEFT, 300),
    ):
        for column in range(first, last + 1):
            above = row - 1 + step * (column // 8 % 2)
            mask[above : above + 3, column] = 255
    tracks = Tracks(np.zeros(1), np.array([[[LEFT, RIGHT]]], float), np.inf)
    ((curve, _),) = follow(mask, tracks=tracks)
    assert [pixels for _, pixels in curve.wraps] == [LEFT - RIGHT, RIGHT - LEFT]


def test_strips_of_any_height_give_the_same_wraps():
    _, mask, gray = wrapping(np.arange(3200))
    (one, a), (other, b) = (follow(mask, gray=gray, strip=strip)[0] for strip in (13, 3200))
    assert one.wraps == other.wraps
    np.testing.assert_array_equal(a.column, b.column)


def test_a_bridge_to_where_a_curve_is_printed_a_track_aside_does_not_cross_the_track():
    curve = Curve(0, 30, off_scale=[(12, 30, 300.0)])  # it leaves at 400, and comes back at 100
    rows = np.r_[0:10, 15:30]
    column = np.where(rows < 10, 390.0 + rows, 100.0 + rows - 10)
    records = np.stack([rows, column, column - 2, column + 2, 0 * rows + 1, 0 * rows + 1], 1)
    curve.records.append(records.astype(np.float32))
    points = curve.points()
    value = points.column + curve.set_back()
    np.testing.assert_allclose(
        value, np.r_[390:400, np.linspace(399, 405, 7)[1:-1], 405:420], atol=0.01
    )


def test_without_a_track_nothing_wraps():
    found = follow(wrapping(np.arange(1600))[1])
    assert not any(curve.wraps for curve, _ in found)


def wrapped(*wraps, last=5000):
    """A wiggly curve of that many rows, where it wraps in these rows, by these pixels."""
    rows = np.arange(last, dtype=np.float32)
    records = np.stack([rows, 100 + 20 * np.sin(rows), *np.ones((4, last))], 1)
    curve = Curve(0, last, records=[records.astype(np.float32)])
    curve.wraps = [*wraps]
    return curve


def pieces_of(curve, longest):
    """In order: what is left of a curve, and what it is cut into."""
    return [curve, *reversed(curve.leave_scale(longest))]


@pytest.mark.parametrize("is_off", [False, True])  # whether the row with the line is off the scale
def test_a_line_that_leads_over_the_border_in_one_row_is_no_spike(is_off):
    """Its tip was taken at the other end: one row was a track off."""
    rows = np.arange(20.0)
    column = np.where(rows < 9, 170.0, 80.0)
    left, right = column - 2, column + 2
    left[9], right[9] = 60, 199
    column[9] = (left[9] + right[9]) / 2
    curve = Curve(0, 20, off_scale=[(9 if is_off else 10, 20, 140.0)])
    curve.look[1] = 3  # half of its width
    ones = np.ones_like(rows)
    curve.records = [np.stack([rows, column, left, right, ones, ones], 1)]
    value = (curve.points().column + curve.set_back() - 60) / 140
    assert value[9] == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(value[:9], 110 / 140, rtol=1e-6)
    np.testing.assert_allclose(value[10:], 160 / 140, rtol=1e-6)


def test_the_longest_stretch_between_wraps_is_on_the_scale():
    shale = wrapped((3000, 9.0), (3200, -9.0), (3220, 9.0), (3500, -9.0))  # with a dip
    (curve,) = pieces_of(shale, 300)
    assert curve is shale and curve.off_scale == [(3000, 3200, 9.0), (3220, 3500, 9.0)]
    assert curve.set_back()[[2999, 3000, 3199, 3200, 3220]].tolist() == [0, 9, 9, 0, 9]
    other = wrapped((100, -9.0), (150, 9.0), (4900, -9.0))  # its way back lies below the last row
    assert not other.leave_scale(300)
    assert other.off_scale == [(100, 150, -9.0), (4900, 5000, -9.0)]


@pytest.mark.parametrize(
    ("wraps", "ends"),
    [
        ([(1000, 9.0)], [1000]),  # the only one over its border
        ([(100, -9.0)], [100]),  # near an end, but nowhere else off the scale
        ([(1000, 9.0), (1100, 9.0), (1200, -9.0), (1300, -9.0)], [1000, 1300]),
        ([(3000, 9.0), (3900, -9.0)], [3000, 3900]),  # for too long
        ([(100, 9.0), (200, -9.0), (4000, -9.0)], [4000]),
    ],
)
def test_where_a_wrap_is_none_another_curve_begins(wraps, ends):
    curve = wrapped(*wraps)
    curve.uncertain, curve.hidden = [40, 4500], [(50, 60), (4600, 4610)]
    pieces = pieces_of(curve, 300)
    assert [piece.first_row for piece in pieces] == [0, *ends]
    assert [piece.first_row + piece.rows for piece in pieces] == [*ends, 5000]
    assert [len(piece.points().row) for piece in pieces] == [piece.rows for piece in pieces]
    assert pieces[0].uncertain == [40] and pieces[-1].uncertain == [ends[-1], 4500]
    assert pieces[0].hidden == [(50, 60)] and pieces[-1].hidden == [(4600, 4610)]
    assert len({id(piece.off_scale) for piece in pieces}) == len(pieces)


def test_a_curve_may_wrap_thousands_of_times():
    wraps = [(row, 9.0) for row in range(10, 24_000, 10)]  # always over the same border
    assert len(pieces_of(wrapped(*wraps, last=24_000), 300)) == len(wraps) + 1


def test_a_way_out_and_its_way_back_belong_together_whatever_wraps_beside_them():
    wraps = [(1000, 9.0), (1020, -9.0), (2000, 9.0), (2200, 9.0), (2210, -9.0), (4000, 9.0)]
    curve = wrapped(*wraps, (4100, -9.0))  # the one in row 2000 is none
    pieces = pieces_of(curve, 300)
    assert [piece.first_row for piece in pieces] == [0, 2000]
    assert pieces[0].off_scale == [(1000, 1020, 9.0)]
    assert pieces[1].off_scale == [(2200, 2210, 9.0), (4000, 4100, 9.0)]


def test_a_curve_may_begin_off_its_scale_where_it_is_so_elsewhere():
    (curve,) = pieces_of(wrapped((100, -9.0), (2000, 9.0), (2100, -9.0)), 300)
    assert curve.off_scale == [(0, 100, 9.0), (2000, 2100, 9.0)]


def test_no_stretch_longer_than_those_beside_it_is_off_the_other_border():
    wraps = [(4500, 9.0), (4590, -9.0), (4600, -9.0), (4800, 9.0)]
    pieces = pieces_of(wrapped(*wraps, last=4900), 300)
    assert [piece.off_scale for piece in pieces] == [[(4500, 4590, 9.0)], [(4800, 4900, 9.0)]]
    (curve,) = pieces_of(wrapped((2000, 9.0), (2100, -9.0), (3000, -9.0), (3100, 9.0)), 300)
    assert curve.off_scale == [(2000, 2100, 9.0), (3000, 3100, -9.0)]


def test_of_many_wraps_the_stretches_between_two_repeats_are_on_the_scale_even_if_shorter():
    curve = wrapped((3000, 9.0), (3200, -9.0), (3220, 9.0), (3400, -9.0), (3420, 9.0))
    pieces = pieces_of(curve, 300)  # of the last wrap the way back is not seen
    assert [piece.first_row for piece in pieces] == [0, 3420]
    assert pieces[0].off_scale == [(3000, 3200, 9.0), (3220, 3400, 9.0)]


def test_a_piece_between_two_wraps_may_have_no_rows_of_its_own():
    curve = wrapped((1000, 9.0), (1003, 9.0))
    (records,) = curve.records
    curve.records = [records[(records[:, 0] < 1000) | (records[:, 0] >= 1003)]]
    pieces = pieces_of(curve, 300)
    assert [(it.first_row, it.rows) for it in pieces if it.rows] == [(0, 1000), (1003, 3997)]


@pytest.mark.parametrize(("rows", "seen"), [(100, False), (30, True)])
def test_a_straight_stretch_is_no_repeat_of_what_left_over_a_border(rows, seen):
    """It is the border itself, or the first line of a hatch beside the curve: see
    33-025-02217-0003, row 13,577. In some 0.1 inch any curve is straight."""
    curve = wrapped((1000, 400.0), (1000 + rows, -400.0))
    (records,) = curve.records
    records[1000 : 1000 + rows, 1] = 102.0
    (piece,) = pieces_of(curve, 600)
    assert bool(piece.off_scale) == seen
    points = piece.points()
    lost = np.isnan(points.column)
    np.testing.assert_array_equal(np.flatnonzero(lost), [] if seen else range(1000, 1000 + rows))
    assert points.row[points.flags & UNCERTAIN > 0].tolist() == ([] if seen else [999])
    assert not (points.flags[lost] & WRAPPED).any()


@pytest.mark.parametrize("unknown", [slice(0), slice(1000, 1100)])
def test_a_stretch_off_the_scale_may_have_no_columns(unknown):
    curve = wrapped((1000, 9.0), (1100, -9.0))
    (records,) = curve.records
    records[1000:1100, 1] = np.nan  # as of spurs
    curve.records = [np.delete(records, unknown, 0)]
    assert not curve.leave_scale(300)
    assert not np.isnan(curve.points().column).any()


def test_a_straight_stretch_below_a_gap_is_uncertain_where_the_curve_was_last_seen():
    curve = wrapped((1000, 9.0), (1100, -9.0))
    (records,) = curve.records
    records[1000:1100, 1] = 102.0
    curve.records, curve.hidden = [np.delete(records, slice(980, 1000), 0)], [(980, 1000)]
    curve.uncertain = [1050, 6000]
    assert not curve.leave_scale(300)
    placed = place_curve(curve, curve.points(), 1, np.array([[50.0, 450]] * 5000, order="F"), "")
    assert placed.entry["uncertain"] == [979]  # rows that the CSV has


def test_a_piece_does_not_end_in_a_straight_stretch():
    """Then it might have no column at all."""
    curve = wrapped((1000, 9.0), (1003, 9.0), (1100, -9.0), (1103, -9.0), last=2200)
    (records,) = curve.records
    records[1003:1100, 1] = 102.0
    curve.records = [np.delete(records, [*range(1000, 1003), *range(1100, 1103)], 0)]
    for piece in pieces_of(curve, 300):
        assert not piece.rows or not np.isnan(piece.points().column).all()


@pytest.mark.parametrize(("aside", "is_told"), [(0, False), (45, True)])
def test_a_leap_that_is_nearly_as_dear_as_two_curves_is_told(aside, is_told):
    column = np.full(len(ROWS), 300.0)
    column[700:740], column[740:] = np.nan, 300 + aside
    [(curve, points)] = follow(draw(column))
    assert curve.uncertain == [700] * is_told
    assert np.isnan(points.column[705:735]).all() == np.isnan(points.column).any() == is_told


def test_specks_and_letters_are_no_curves():
    mask = draw(sine(300, 60, 500))
    rng = np.random.default_rng(0)
    for x, y in rng.integers(0, (190, 1490), (60, 2)):
        cv2.rectangle(mask, (int(x), int(y)), (int(x) + 4, int(y) + 8), 255, -1)
    assert len(follow(mask)) == 1


@pytest.mark.parametrize(("aside", "count"), [(2, 0), (9, 1)])  # columns a row; letters are steep
def test_the_level_stroke_of_a_spike_is_long_enough_for_a_curve(aside, count):
    rows = np.arange(700, 730)
    stroke = np.full(len(ROWS), np.nan)
    stroke[rows] = 420 + (rows - 700) * aside
    others = len(follow(draw(sine(300, 60, 500)))), len(follow(draw(sine(300, 60, 500), stroke)))
    assert others == (1, 1 + count)


@pytest.mark.parametrize("strip", [1, 7, 500, 1500])
def test_any_strips_give_the_same(strip):
    curves = [sine(300, 150, 300), sine(320, 100, 170, 1), sine(500, 200, 900, 2)]
    mask = draw(*curves)
    one, other = follow(mask, strip=1499), follow(mask, strip=strip)
    assert len(one) == len(other)
    for (a, b), (c, d) in zip(one, other, strict=True):
        assert (a.first_row, a.rows, a.style, a.uncertain) == (
            c.first_row,
            c.rows,
            c.style,
            c.uncertain,
        )
        np.testing.assert_array_equal(b.column, d.column)
        np.testing.assert_array_equal(b.flags, d.flags)


def test_two_of_one_course_that_bounce_are_told_apart_by_colour():
    bounce = 25 * np.cos(2 * np.pi * ROWS / 500)
    curves = [300 - abs(bounce), 301 + abs(bounce)]
    colours = np.full((len(ROWS), 800, 3), 255, np.uint8)
    for curve, colour in zip(curves, ((220, 0, 0), (0, 0, 220)), strict=True):
        colours[draw(curve, width=3) > 0] = colour
    found = follow(draw(*curves, width=3), colours)
    is_each(found, curves)
    assert {curve.colour for curve, _ in found} == {(220, 0, 0), (0, 0, 220)}


SCANS = Path(__file__).parents[2] / "shared" / "real" / "scans"
on_real_scans = pytest.mark.skipif(not SCANS.exists(), reason="no shared scans")


def follow_scan(name, first, stop):
    """For each curve in these rows of a scan, its columns; NaN where it has none."""
    with open_scan(SCANS / name) as scan:
        gray, dpi = scan.read(first, stop), scan.dpi
        tracks = find_tracks(scan.read, range(first, stop), dpi)
    probability = np.rint(255 * np.asarray(segment(load_model(), gray))).astype(np.uint8)
    follower = CurveFollower(dpi, first, tracks)
    follower.add(gray, (probability > 127) * np.uint8(255), probability)
    follower.finish()
    columns = np.full((len(follower.curves), stop - first), np.nan)
    for line, curve in zip(columns, follower.curves, strict=True):
        line[curve.first_row - first :][: curve.rows] = curve.points().column
    return columns


@pytest.mark.slow
@on_real_scans
def test_a_spike_into_the_next_track_comes_back_to_its_own():
    """A gamma ray that touches a resistivity there: its ink alone would say that they cross."""
    first, touch = 26_000, 29_420
    columns = follow_scan("BWN18.tif", first, touch + 900)
    parts = columns[:, : touch - 100 - first], columns[:, touch + 200 - first :]
    seen = np.isfinite(parts[0]).any(1) & np.isfinite(parts[1][:, 200:]).any(1)
    above, below = (np.nanmean(part[seen], 1) for part in parts)
    assert seen.sum() >= 3 and ((above < 850) == (below < 850)).all(), (above, below)


@pytest.mark.slow
@on_real_scans
def test_two_that_cross_twice_do_not_change_places_between():
    """A gamma ray, dotted, goes left of a solid SP in row 35,046, and right of it in 35,148. Where
    they go on below the second place does not tell who is who above it."""
    first = 34_600
    columns = follow_scan("1_Roger_1986.tif", first, 35_800)
    ray, potential = (columns[np.nanargmin(abs(columns[:, 300] - at))] for at in (1031, 957))
    between = slice(35_070 - first, 35_130 - first)
    assert np.nanmax(ray[between]) < 880 < 890 < np.nanmin(potential[between])


def test_what_goes_on_in_the_same_ink_below_lettering_is_the_same_curve_without_values_between():
    red, green = sine(300, 20, 500), sine(330, 20, 500)
    red[600:800] = green[640:760] = np.nan  # no bridge is longer than 60 rows
    colours = np.full((len(ROWS), 800, 3), 255, np.uint8)
    colours[draw(red, columns=800) > 0] = 230, 20, 20
    colours[draw(green, columns=800) > 0] = 20, 150, 20
    found = follow(draw(red, green), colours)
    is_each(found, [red, green])
    for curve, points in found:
        ((start, stop),) = curve.hidden
        assert stop - start == pytest.approx(200 if curve.colour[0] > 200 else 120, abs=6)
        missing = np.isnan(points.column)
        assert missing.sum() == stop - start
        assert missing[start - curve.first_row : stop - curve.first_row].all()
        assert not points.flags[missing].any()
        assert not points.confidence[missing].any()


def paths_of(columns):
    """Paths of 100 rows with these columns in their ends, and in the 20th rows from there."""
    paths = np.full((len(columns), 100), np.nan, np.float32)
    paths[:, [0, 20, -21, -1]] = columns
    return list(paths)


def points_of(curves, paths):
    """Points of curves whose columns are these."""
    made = {}
    for curve, path in zip(curves, paths, strict=True):
        rows, one = curve.first_row + np.arange(len(path)), np.ones(len(path))
        made[curve] = Points(rows, path, path, path, one, one.astype(np.uint8), one > 0)
        records = np.stack([rows, path, path, path, one, one], 1).astype(np.float32)
        curve.records = curve.records or [records[~np.isnan(path)]]
    return made


def test_a_curve_is_not_known_to_rest_where_its_column_is_unknown():
    looks = np.array([[100.0, 2, 1, 0, 0, 0, 2, 0, 0], [90.0, 2, 1, 0, 0, 0, 2, 0, 0]])
    curves = [Curve(0, 100, look=looks[0]), Curve(180, 100, look=looks[1])]
    columns = np.array([[200, 200, np.nan, 200], [200, 200, 200, 200]], np.float32)
    (curve,) = join(points_of(curves, paths_of(columns)), 20)
    assert curve.hidden == [(100, 180)]


@pytest.mark.parametrize(("home", "curves"), [(0.8, 1), (0.0, 2)])
def test_no_flank_is_lost_between_a_track_and_a_piece_of_which_none_is_known(home, curves):
    """Whose track is 0, which is less than an inch from a track at the scan's left edge."""
    looks = [np.array([100.0, 2, 1, 0, 0, 0, it, 0, 0]) for it in (0.9, home)]
    pieces = [Curve(0, 100, look=looks[0]), Curve(104, 100, look=looks[1])]
    columns = np.array([[20, 20, 40, 40], [380, 380, 400, 400]], np.float32)
    assert len(join(points_of(pieces, paths_of(columns)), 20, far=True)) == curves


@pytest.mark.parametrize(
    ("leaves", "comes", "known", "curves"),
    [(1, 1, True, 1), (-1, 1, True, 1), (1, -1, True, 1), (-1, -1, True, 1), (1, 1, False, 2)],
)
def test_where_a_level_flank_is_lost_a_curve_goes_on(leaves, comes, known, curves):
    """In its track."""
    upper, lower = 180 + leaves * (ROWS - 680).clip(0), 620 + comes * (ROWS - 740).clip(None, 0)
    line = np.where(ROWS < 710, upper, lower).astype(float)
    line[708:712] = np.nan
    tracks = Tracks(np.zeros(1), np.array([[[100.0, 700]]]), np.inf) if known else None
    found = follow(draw(line), tracks=tracks)
    assert len(found) == curves
    assert sum(len(curve.uncertain) for curve, _ in found) == (curves == 1)
    parts = [np.where((ROWS < 710) == above, line, np.nan) for above in (True, False)]
    is_each(found, parts if curves == 2 else [line])


RED, GREEN, PALE, BLACK = (230, 20, 20), (20, 160, 20), (230, 180, 180), (0, 0, 0)
UPPER, LOWER, NEXT = (0, 300, RED, 3), (1200, 1500, RED, 3), (2300, 2500, RED, 3)


@pytest.mark.parametrize(
    ("pieces", "curves"),
    [
        ([UPPER, LOWER], 2),
        ([UPPER, LOWER, NEXT], 2),
        ([UPPER, LOWER, (1300, 1600, RED, 3)], 3),  # it goes on in the nearer one
        ([UPPER, LOWER, (100, 125, RED, 3)], 3),
        ([UPPER, (1200, 1500, GREEN, 3)], 3),
        ([UPPER, (1200, 1500, RED, 6)], 3),  # in another track
        ([(0, 300, RED, 0), (1200, 1500, RED, 0)], 3),  # in none that is known
        ([(0, 300, PALE, 3), (1200, 1500, PALE, 3)], 2),
        ([(0, 300, BLACK, 3), (1200, 1500, BLACK, 3)], 2),
    ],
)
@pytest.mark.parametrize("is_one_log", [True, False])
def test_far_pieces_that_look_alike_are_one_curve_within_a_log(pieces, curves, is_one_log):
    """A black curve goes on beside them, or ends where the first one does."""
    pieces = [*pieces, (0, 2500 if is_one_log else 300, BLACK, 3)]
    made, columns = [], [*[100.0] * (len(pieces) - 1), 700.0]
    for first, stop, ink, home in pieces:
        look = np.array([200.0, 2 + first / 1e5, 1, *ink, home, 0, 0])
        made.append(Curve(first, stop - first, look=look))
    paths = [np.full(one.rows, at) for one, at in zip(made, columns, strict=True)]
    joined = join(points_of(made, paths), 20, far=True)
    assert len(joined) == (curves if is_one_log else len(pieces))
    gaps = [gap for curve in joined for gap in curve.hidden]
    assert not gaps or gaps[0] == (300, 1200)
    assert [start - 1 for start, _ in gaps] == [row for curve in joined for row in curve.uncertain]


def test_a_short_piece_does_not_part_two_long_ones_that_look_alike():
    """Of few rows none has a gap: it is too unlike the second, if not the first with it."""
    looks = [(4000, 0.92, 0.03), (110, 1.0, 0.0), (4000, 0.84, 0.09)]
    places, made = [(0, 4000), (4400, 4510), (4700, 8700)], []
    for (first, stop), (rows, inked, ends) in zip(places, looks, strict=True):
        look = np.array([rows, 2, inked, *RED, 3, 0.3, ends])
        made.append(Curve(first, stop - first, look=look))
    assert unlike(made[1].look, made[2].look) > 8 > unlike(made[0].look, made[2].look)
    made.append(Curve(0, 8700, look=np.array([8700, 2, 1, *BLACK, 3, 0.3, 0])))
    paths = [
        np.full(one.rows, at, float) for one, at in zip(made, [100, 100, 100, 700], strict=True)
    ]
    assert [it.rows for it in join(points_of(made, paths), 20, far=True)] == [8700, 8700]


def test_a_far_piece_goes_on_the_nearest_one_by_rows_where_that_is_aside():
    """As beyond a wrap; a tip that ends above, in the same column, does not."""
    made = [
        Curve(*it, look=np.array([400, 2, 1, *RED, 3, 0, 0]))
        for it in ((0, 1000), (500, 40), (1001, 900))
    ]
    paths = [np.full(one.rows, at, float) for one, at in zip(made, [500, 110, 100], strict=True)]
    joined = join(points_of(made, paths), 20, far=True)
    assert [(it.first_row, it.rows) for it in joined] == [(0, 1901), (500, 40)]


@pytest.mark.parametrize(
    ("ink", "rival", "inked", "gap", "curves"),
    [
        (RED, GREEN, 0.8, 100, 1),
        (RED, RED, 0.8, 100, 2),  # which of the two goes on is open
        (BLACK, GREEN, 0.8, 100, 2),  # letters are black, too
        (BLACK, GREEN, 0.8, 50, 1),  # but not so near
        (RED, GREEN, 0.5, 100, 2),  # it is too unlike
    ],
)
def test_of_an_ink_that_no_other_curve_has_a_far_piece_is_one_with_it_anywhere_aside(
    ink, rival, inked, gap, curves
):
    """It rests dashed at one border and comes back as another at the other one."""
    looks = [(4000, 0.9, *ink, 3, 0.2, 0.0), (4000, inked, *ink, 3, 0.5, 0.03)]
    made = [
        Curve(first, 1000, look=np.array([rows, 2, *more]))
        for first, (rows, *more) in zip((0, 1000 + gap), looks, strict=True)
    ]
    made.append(Curve(0, 2100, look=np.array([2100, 2, 1, *rival, 3, 0.2, 0])))
    paths = [np.full(one.rows, at, float) for one, at in zip(made, [500, 100, 300], strict=True)]
    assert unlike(made[0].look, made[1].look) + 5 > 8  # so far aside pieces were never one
    assert len(join(points_of(made, paths), 20, far=True)) == curves + 1


def test_a_wrap_in_one_ink_is_one():
    """On prints in colours all that were looked at were; of black ones two thirds were none."""
    curve = wrapped((1000, 400.0))
    curve.look[:] = 200, 2, 1, *RED, 3, 0, 0
    curve.uncertain = [40]
    assert not curve.leave_scale(600)
    assert curve.rows == 5000 and curve.uncertain == [1000, 40] and not curve.off_scale
    begins = wrapped((30, 400.0))  # of few rows nobody knows
    begins.look[:] = curve.look
    assert [it.first_row for it in pieces_of(begins, 600)] == [0, 30]


def test_what_was_cut_at_a_wrap_is_one_curve():
    """The view offers that the one or the other side is off its scale."""
    curve, beside = wrapped((1000, 400.0)), wrapped()
    curve.look[:] = 200, 2, 1, *BLACK, 3, 0, 0
    pieces = [*pieces_of(curve, 600), beside]
    columns = np.array([[100, 100, 480, 500], [101, 120, 100, 100], [700] * 4], np.float32)
    paths = []
    for one, ends in zip(pieces, columns, strict=True):
        paths.append(np.full(one.rows, np.nan, np.float32))
        paths[-1][[0, 20, -21, -1]] = ends
    joined = join(points_of(pieces, paths), 20, far=True)
    assert len(joined) == 2
    assert sorted(row for it in joined for row in it.uncertain) == [999, 1000]


def curve_at(first_row, column, rows=400, paint=BLACK):
    """A curve that goes straight down, and its path."""
    curve = Curve(first_row, rows, look=np.array([rows, 2, 1, *paint, 1.0, 0, 0]))
    return curve, np.full(rows, column, np.float32)


def test_where_joined_pieces_lie_side_by_side_a_gap_of_the_lower_one_has_the_values_of_the_upper():
    pieces = wrapped(last=320), wrapped(last=800)
    pieces[1].cut(700)
    upper, lower = pieces[0], pieces[1].cut(300)
    lower.hidden, lower.uncertain = [(305, 312), (315, 325), (500, 510)], []
    upper.look = lower.look = np.array([400, 2, 1, *BLACK, 1.0, 0, 0])
    (curve,) = join({it: it.points() for it in (upper, lower)}, 20)
    assert curve.hidden == [(315, 325), (500, 510)]
    assert np.isnan(curve.points().column).sum() == 20


def level(first, column, rows=300, style=1.0, home=2.0):
    """A curve down one column, and its points."""
    look = np.array([400.0, 2, style, *BLACK, home, 0, 0])
    curve = Curve(first, rows, look=look)
    return curve, np.full(rows, float(column))


def joined(*pieces, far=False):
    curves, paths = zip(*pieces, strict=True)
    return join(points_of(curves, paths), 20, far=far)


@pytest.mark.parametrize("others", [0, 40])
def test_pieces_elsewhere_that_begin_before_do_not_hide_the_nearest(others):
    crowd = [level(301 + k, 1000 + 90 * k, 400) for k in range(others)]
    assert len(joined(level(0, 100), level(400, 100), *crowd)) == 1 + others


def test_a_piece_that_touches_another_by_a_row_is_not_it_if_another_fits_better():
    upper, crossing, lower = level(0, 100), level(299, 102, style=0.4), level(300, 100)
    first, _ = joined(upper, crossing, lower)
    assert first.rows == 600 and first.uncertain == [299]


def test_a_piece_whose_last_rows_are_hidden_goes_on():
    upper, lower = level(0, 100), level(900, 100)
    upper[1][-4:] = np.nan
    assert len(joined(upper, lower, level(0, 700, 1200, home=6.0), far=True)) == 2


@pytest.mark.parametrize(("rows", "curves"), [(100, 2), (101, 3)])
def test_no_curve_joins_over_a_band_without_curves(rows, curves):
    crowd = level(0, 700, 800, home=6.0)
    crowd[1][300:] = np.nan
    crowd[1][300 + rows :] = 700.0  # it has no values there, hidden
    assert len(joined(level(0, 100), level(300 + rows, 100), crowd, far=True)) == curves


def test_a_piece_that_ends_side_by_side_with_the_next_by_a_tip_goes_on_in_it():
    assert len(joined(level(0, 100), level(290, 110))) == 1


def test_a_piece_that_crosses_the_stroke_of_another_is_not_that_one():
    upper, lower = level(0, 100), level(240, 100)
    lower[1][1:60] += 30
    assert len(joined(upper, lower)) == 2


@pytest.mark.parametrize(("gap", "curves"), [(560, 1), (640, 2)])
def test_without_tracks_nothing_goes_on_over_more_than_three_inches(gap, curves):
    assert len(joined(level(0, 100, home=0.0), level(300 + gap, 100, home=0.0))) == curves


def test_what_is_off_the_scale_in_the_lower_piece_stays_so():
    upper, lower = wrapped(last=400), wrapped((700, 50.0), (800, -50.0), last=1000)
    lower = lower.cut(500)
    upper.look = lower.look = np.array([400, 2, 1, *BLACK, 1.0, 0, 0])
    assert not lower.leave_scale(300) and lower.off_scale == [(700, 800, 50.0)]
    (curve,) = join({it: it.points() for it in (upper, lower)}, 20)
    assert curve.wraps == [(700, 50.0), (800, -50.0)]
    assert np.flatnonzero(curve.set_back()).tolist() == list(range(700, 800))


def test_a_piece_that_was_cut_off_where_it_met_another_gives_no_values_below_its_end():
    upper, lower = wrapped(last=600), wrapped(last=900).cut(330)
    upper.rows, upper.look = 300, np.array([400, 2, 1, *BLACK, 1.0, 0, 0])
    lower.look = upper.look
    for one in lower.records:
        one[:, 1] += 30
    (curve,) = join({it: it.points() for it in (upper, lower)}, 20)
    assert curve.points().column[400] == pytest.approx(130 + 20 * np.sin(400), abs=0.1)


def test_a_curve_all_of_whose_rows_are_hidden_is_none():
    follower = CurveFollower(200)
    gone, kept = wrapped(last=900), wrapped(last=900)
    gone.hidden, gone.wraps = [(0, 900)], []
    follower._chains.row, follower._window.finish = 900, lambda: [gone, kept]
    follower.finish()
    assert follower.curves == [kept]


LONG = (400, 1400, 700)


@pytest.mark.parametrize(
    ("pieces", "sides", "kept"),
    [
        ([LONG, (0, 200, 100)], None, 1),  # above the log
        ([LONG, (250, 450, 100)], None, 1),  # for most of it
        ([LONG, (500, 700, 100)], None, 2),
        ([LONG, (500, 700, 100)], (600, 790), 1),  # beside its track
        ([LONG, (500, 700, 630)], (600, 790), 2),
        ([LONG, (500, 700, 100)], (200, 400), 2),  # the long one is in no track, too
        ([LONG, (0, 1400, 100), (0, 1400, 200), (500, 700, 300)], (600, 790), 4),  # most are
        ([LONG, (0, 650, 100)], None, 2),
        ([(0, 200, 100), (400, 520, 700)], None, 2),  # nothing is longer
        ([LONG, (500, 700, 100, 0)], None, 1),  # straight, as a line of the grid
        ([(400, 1400, 700, 0), (500, 700, 100)], None, 2),
    ],
)
def test_short_pieces_apart_from_long_curves_are_none(pieces, sides, kept):
    lines = []
    for first, stop, at, *slope in pieces:
        line = at + (slope or [0.05])[0] * (ROWS - first)
        lines.append(np.where((first <= ROWS) & (ROWS < stop), line, np.nan))
    tracks = Tracks(np.zeros(1), np.array([[sides]], float), np.inf) if sides else None
    is_each(follow(draw(*lines), tracks=tracks), lines[:kept])


@pytest.mark.parametrize(("probability", "curves"), [(200, 1), (240, 2)])
def test_a_short_piece_of_which_the_network_is_not_sure_is_no_curve(probability, curves):
    mask = draw(sine(300, 20, 500), np.where(ROWS < 300, sine(500, 20, 120), np.nan))
    sure = np.where(mask > 0, np.uint8(210), np.uint8(10))  # the long one stays
    sure[:, 450:][mask[:, 450:] > 0] = probability
    follower = CurveFollower(200)
    follower.add(255 - mask, mask, sure)
    follower.finish()
    assert len(follower.curves) == curves


@pytest.mark.parametrize("gap", [slice(0), slice(1000, 1330)])  # none; too long to be bridged
def test_a_line_down_is_no_curve_though_it_has_a_gap_or_a_hook(gap):
    rows = np.arange(2600)
    line = np.where((900 < rows) & (rows < 1440), 100.0, np.nan)
    line[1420:1428] += 6
    line[gap] = np.nan
    is_each(follow(draw(700 + 0.03 * rows, line)), [700 + 0.03 * rows])


@pytest.mark.parametrize(("slope", "bend", "curves"), [(0.6, 0, 1), (-2, 0, 1), (0.6, 9, 2)])
def test_an_oblique_line_from_a_curve_to_its_name_is_none(slope, bend, curves):
    rows = np.arange(2600)
    line = 400 + slope * (rows - 1000.0) + bend * np.sin(rows / 30)
    line[(rows < 1000) | (rows > 1140)] = np.nan
    lines = [700 + 0.03 * rows, line]
    is_each(follow(draw(*lines)), lines[:curves])


def test_a_stretch_off_the_scale_that_is_cut_stays_so_on_both_sides():
    curve = curve_at(0, 200)[0]
    curve.records = [np.stack([np.arange(400), *[np.full(400, 200)] * 3, *[np.ones(400)] * 2], 1)]
    curve.off_scale, curve.hidden = [(100, 300, 50.0)], [(150, 180), (190, 210)]
    rest = curve.cut(200)
    assert (curve.off_scale, rest.off_scale) == ([(100, 200, 50.0)], [(200, 300, 50.0)])
    assert (curve.hidden, rest.hidden) == ([(150, 180), (190, 200)], [(200, 210)])
    assert curve.set_back().sum() == rest.set_back().sum() == 100 * 50


def test_what_is_cut_off_is_no_curve_if_it_has_tips_of_spikes_alone():
    """Seen at a wrap, two rows above the end of a curve."""
    curve = curve_at(0, 200)[0]
    column = np.append(np.full(396, 200.0), np.full(4, np.nan))  # a tip has no column of its own
    curve.records = [
        np.stack([np.arange(400), column, *[np.full(400, 200)] * 2, *[np.ones(400)] * 2], 1)
    ]
    assert curve.cut(396).rows == 0 and curve.rows == 396
    assert len(curve.points().row) == 396


@pytest.mark.parametrize("meet", [150, 700])
@pytest.mark.parametrize(("what", "values"), [(INK_SHARE, (1.0, 0.6)), (HOME, (2.0, 5.0))])
def test_a_wrong_turn_does_not_change_both_names_to_the_end_of_the_log(meet, what, values):
    """Above where they part two look alike for an inch; all that lies above tells them apart: what
    their strokes look like, or in which tracks they are."""
    rows = np.arange(1500)
    apart = 40 + 30 * np.cos(rows / 80)
    pieces = [Curve(0), Curve(0)]
    for number, curve in enumerate(pieces):
        above, below = values[:: 1 - 2 * number]  # exchanged at ``meet``
        for first, stop, value in ((0, meet, above), (meet + 20, 1500, below)):
            look = np.array([stop - first, 2.0, 0.8, 0, 0, 0, 3.0, 0.5, 0.0])
            look[what] = value
            curve.strands.append((first, stop, look))
        column = 300 + number * np.where((rows >= meet) & (rows < meet + 20), 0, apart)
        record = [rows, column, column - 2, column + 2, 0 * rows + 0.9, 0 * rows + 1]
        curve.records.append(np.stack(record, 1).astype(np.float32))
        curve.rows = 1500
    points = {curve: curve.points() for curve in pieces}
    exchange(points)
    for curve, its in points.items():
        assert len({look[what] for _, _, look in curve.strands}) == 1, "one look each"
        assert len(curve.uncertain) == 1 and meet <= curve.uncertain[0] < meet + 20
        assert len(its.row) == 1500 and (np.ptp(its.column[:meet]) > 1) != (
            np.ptp(its.column[meet + 20 :]) > 1
        )
    before = [curve.strands for curve in pieces]
    exchange(points)
    assert [curve.strands for curve in pieces] == before


@pytest.mark.parametrize("older", [3000, 1200])
def test_of_two_alike_that_meet_where_one_ends_the_far_older_one_goes_on(older):
    """A short wrong piece, in a hatch, would take the name to the end of the log."""
    look, pieces = np.array([0, 2.0, 1.0, 0, 0, 0, 3.0, 0.5, 0.0]), []
    for first, stop, aside in ((3000 - older, 3010, 0), (2500, 6000, 40)):
        curve, rows = Curve(first, stop - first), np.arange(first, stop)
        column = 300 + aside * np.clip((3000 - rows) / 100, 0, 1)
        record = [rows, column, column - 2, column + 2, 0 * rows + 0.9, 0 * rows + 1]
        curve.records.append(np.stack(record, 1).astype(np.float32))
        for a, b in ((first, 2980), (3010, stop)):
            curve.strands += [(a, b, np.append(b - a, look[1:]))] * (b > a)
        pieces.append(curve)
    exchange({curve: curve.points() for curve in pieces})
    ends = [curve.first_row + curve.rows for curve in pieces]
    assert (max(ends) == ends[0]) == (older == 3000)


def test_a_piece_of_three_inches_is_a_curve_though_nothing_is_beside_it():
    rows = np.arange(3700)
    lines = [np.where(rows < 650, 100 + 0.05 * rows, np.nan), np.where(rows > 800, 400.0, np.nan)]
    is_each(follow(draw(*lines)), lines)


def test_another_ink_below_and_what_is_far_is_another_curve():
    upper, lower, far = sine(300, 20, 500), sine(300, 20, 500), sine(300, 20, 500)
    upper[400:], lower[:550], lower[700:], far[:1350] = (np.nan,) * 4
    colours = np.full((len(ROWS), 800, 3), 255, np.uint8)
    colours[draw(upper, far) > 0] = 230, 20, 20
    colours[draw(lower) > 0] = 20, 150, 20
    is_each(follow(draw(upper, lower, far), colours), [upper, lower, far])


def test_a_stroke_of_dots_in_many_colours_is_one_curve():
    curves = [sine(250, 60, 400), sine(550, 60, 300)]
    mask, rng = draw(*curves, width=3), np.random.default_rng(0)
    inks = np.array([(90, 150, 60), (200, 160, 60), (200, 80, 60), (20, 20, 20)], np.uint8)
    dots = rng.integers(0, len(inks), (len(mask) // 5, mask.shape[1] // 5))
    colours = inks[dots.repeat(5, 0).repeat(5, 1)]
    colours[mask == 0] = 255
    clear = draw(curves[1], width=3) > 0  # one whose colour is clear
    clear[:1200] = False  # of a print most is mixed from dots
    mask[:1200][draw(curves[1], width=3)[:1200] > 0] = 0
    colours[clear] = (0, 0, 220)
    found = follow(mask, colours)
    is_each(found, [curves[0], np.where(ROWS < 1200, np.nan, curves[1])])
    assert found[1][0].colour == (0, 0, 220)


@pytest.mark.parametrize(
    ("sway", "period", "as_one", "first"), [(30, 100, 0.4, 0), (10, 200, 0.7, 30)]
)
def test_two_that_run_as_one_both_follow_the_common_stroke(sway, period, as_one, first):
    part = (ROWS - first) % period / period
    apart = 80 * np.clip(np.abs(part - 0.5) * 2 - as_one, 0, 1)
    course = sine(300, sway, 100)
    found = follow(draw(course - apart, course + apart, width=(5, 9)))
    is_each(found, [course - apart, course + apart], 0.94)
    assert not any((points.flags & BRIDGED).any() for _, points in found)


@pytest.mark.parametrize(("dash", "width"), [((3, 7), (9, 5)), ((6, 6), (5, 5))])
def test_a_dashed_curve_runs_along_a_solid_one_and_parts_under_its_own_name(dash, width):
    aside = 80 * np.clip(abs(ROWS % 100 / 50 - 1) - 0.4, 0, 1)
    solid = sine(300, 30, 100)
    dashed = solid + 2 * aside
    ink = draw(np.where(ROWS % sum(dash) < dash[0], dashed, np.nan), width=width[1])
    gray = 255 - np.maximum(draw(solid, width=width[0]), ink)
    is_each(follow(draw(solid, dashed, width=width), gray=gray), [solid, dashed])


def test_two_of_one_course_are_told_apart_by_width():
    bounce = 30 * np.cos(2 * np.pi * ROWS / 500)
    curves = [300 - abs(bounce), 306 + abs(bounce)]
    found = follow(draw(*curves, width=(3, 9)))
    is_each(found, curves)
    thin, thick = sorted(curve.width_px for curve, _ in found)
    assert 2 < thin < 5 and 8 < thick < 11


def test_short_and_long_dashes_of_as_much_ink_look_unlike():
    curves = [sine(middle, 20, 500) for middle in (150, 350, 550)]
    long, short = ROWS % 60 < 36, ROWS % 20 < 8  # strokes end three pixels further out
    drawn = [
        np.where(at, curve, np.nan) for at, curve in zip((long, short, long), curves, strict=True)
    ]
    found = follow(draw(*curves), gray=255 - draw(*drawn))
    one, other, again = (curve.look for curve, _ in found)
    assert abs(one[INK_SHARE] - other[INK_SHARE]) < 0.05
    assert unlike(one, other) > 2 > 4 * unlike(one, again)


def test_two_of_one_width_are_told_apart_by_how_rough_they_are():
    bounce = 30 * np.cos(2 * np.pi * ROWS / 500)
    curves = [300 - abs(bounce), 302 + abs(bounce) + 2 * np.sin(ROWS / 2)]
    is_each(follow(draw(*curves)), curves)


def test_an_ink_of_strokes_stays_a_layer_where_others_cover_it():
    colours = np.full((500, 60, 3), 255, np.uint8)
    colours[:, 20:23] = 0
    specks = colours.copy()
    colours[:, 30:33] = specks[::12, 23:26] = specks[1::12, 23:26] = 220, 0, 0
    for pages, layer in (([specks], 1), ([colours, specks], 2)):  # alone, they are black's edge
        inks = {}
        for page in pages:
            layers = split_colours(page.min(2) < 128, page, inks)
        assert set(layers[::12, 24]) == {layer} and set(layers[:, 21]) == {1}


def test_light_and_dark_inks_of_one_hue_are_two_layers_unless_shades_lie_between():
    """C3 and C6 of mud logs are magenta and purple, side by side at their border."""
    colours = np.full((300, 60, 3), 255, np.uint8)
    colours[:, 27:30], colours[:, 30:33] = (255, 0, 255), (128, 0, 128)
    mask = cv2.dilate((colours.min(2) < 128).view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    layers = split_colours(mask, colours, {})
    assert len(np.unique(layers[:, 26:30])) == len(np.unique(layers[:, 30:34])) == 1
    assert layers[5, 28] != layers[5, 31] and not layers[~mask].any()
    colours[:, 27:33] = np.linspace((255, 0, 255), (128, 0, 128), 300)[:, None]  # of a print
    assert len(np.unique(split_colours(mask, colours, {})[:, 27:33])) == 1


def test_dashes_between_two_curves_stay_of_their_ink_unless_all_inks_are_mixed():
    inks, at = [(200, 0, 200), (0, 0, 220), (0, 150, 0)], (30, 33, 27)
    colours = np.full((300, 60, 3), 255, np.uint8)
    for ink, column in zip(inks, at, strict=True):
        colours[:, column - 1 : column + 2] = ink
    colours[np.arange(300) % 30 > 16, 29:32] = 255  # all their pixels are beside other inks
    layers = split_colours(colours.min(2) < 200, colours, {})
    assert (layers[5, [27, 30, 33]] > 1).all() and len(np.unique(layers[5, [27, 30, 33]])) == 3


def test_a_filled_area_and_a_hatch_are_no_second_curve_beside_its_edge():
    """On a mud log red fills what lies between two curves, or red lines hatch what is off scale."""
    colours = np.full((300, 120, 3), 255, np.uint8)
    fill, lines, dots = colours.copy(), colours.copy(), colours.copy()
    fill[:, 23:60] = lines[:, 8:100:9] = 220, 0, 0
    for row, column in np.ndindex(2, 2):
        dots[row::4, 24 + column : 60 : 4] = 0
    for page in fill, lines, dots:
        at = (20 + (np.arange(300) // 40) % 2).tolist()
        for row, column in enumerate(at):
            page[row, column : column + 3] = 0, 150, 0
        mask = np.zeros((300, 120), bool)
        mask[:, 18:26] = True  # wider than the stroke
        layers = split_colours(mask & (page.min(2) < 200), page, {})
        assert len(np.unique(layers[layers > 0])) == 1
    self_filled = np.full((300, 120, 3), 255, np.uint8)
    self_filled[:, 20:60] = 220, 0, 0
    assert (split_colours(mask, self_filled, {})[:, 20:26] > 1).all()  # its own edge is a curve


def test_a_curve_of_which_a_narrower_one_covers_the_middle_is_one():
    colours = np.full((500, 60, 3), 255, np.uint8)
    colours[:, 28:35] = 220, 0, 0
    colours[:, 30:33] = 0, 0, 220
    found = follow(255 * (colours.min(2) < 200).astype(np.uint8), colours)
    assert len(found) == 2
    assert all(abs(np.median(points.column) - 31) < 1 for _, points in found)


def test_dots_of_a_gray_grid_below_a_curve_are_no_second_shade_of_its_ink():
    colours = np.full((300, 60, 3), 255, np.uint8)
    colours[:, 30] = 0, 0, 255
    colours[::2, 30] = 0, 0, 120
    layers = split_colours(colours.min(2) < 200, colours, {})
    assert len(np.unique(layers[:, 30])) == 1


def test_stains_at_the_edge_of_a_stroke_are_no_dotted_curve():
    colours = np.full((900, 200, 3), 255, np.uint8)
    colours[:, 90:93] = colours[:, 40:43] = 230, 10, 10
    colours[::6, 93] = 255, 170, 40  # of a pixel, in a hue of their own
    found = follow(255 * (colours.min(2) < 128).astype(np.uint8), colours)
    is_each(found, [np.full(900, 41.0), np.full(900, 91.0)])


def test_dots_of_which_the_network_is_unsure_are_no_curve_however_many():
    """They are what it marks of a grid's line here and there, or of a fill."""
    dots, solid = np.where(ROWS % 16 < 5, sine(200, 20, 700), np.nan), sine(500, 20, 700)
    found = []
    for sure in 255, 215:
        mask, follower = draw(dots, solid), CurveFollower(200)
        probability = np.maximum(np.minimum(mask, sure), draw(solid))
        follower.add(255 - mask, mask, probability)
        follower.finish()
        found.append([curve.style for curve in follower.curves])
    assert found == [["dotted", "solid"], ["solid"]]


def test_the_colour_of_a_dotted_curve_is_that_of_its_dots_not_of_the_paper_between():
    """So what goes on below in denser dots of that ink is the same curve."""
    rows = np.arange(900)
    inked = np.where(rows < 400, rows % 8 < 3, (rows % 8 < 5) & (rows >= 520))
    mask, colours = np.zeros((900, 200), np.uint8), np.full((900, 200, 3), 255, np.uint8)
    mask[:400, 90:93] = mask[520:, 90:93] = 255
    colours[inked, 90:93] = 220, 0, 0
    found = follow(mask, colours)
    assert [(curve.style, curve.colour) for curve, _ in found] == [("dotted", (220, 0, 0))]


def test_a_grid_under_a_coloured_curve_is_no_dotted_curve():
    """Where they cross it stains the curve black. Bridges between stains cut the curve's peaks."""
    green = sine(300, 25, 100)
    colours = np.full((len(ROWS), 800, 3), 255, np.uint8)
    colours[draw(green) > 0] = 20, 150, 20
    colours[np.arange(len(ROWS)) % 20 < 3] = 0, 0, 0
    is_each(follow(draw(green), colours), [green])


def test_a_line_of_the_grid_that_a_curve_winds_around_is_no_dotted_curve():
    """The network marks the line where the curve is near; it shows for a few rows at a time."""
    green = sine(300, 5, 16) + sine(0, 12, 200)
    colours = np.full((len(ROWS), 800, 3), 255, np.uint8)
    colours[:, 299:301] = 0
    colours[draw(green, width=3) > 0] = 0, 190, 0
    layers = split_colours(draw(green, width=9) > 0, colours, {})
    assert set(np.unique(layers[50:-50])) == {0, 2}


def test_short_dashes_over_the_black_lines_of_a_grid_stay_of_their_ink():
    """The mask bridges their gaps, and takes the grid's lines there, which are of no black curve."""
    mask, here = draw(sine(300, 25, 500), width=5) > 0, np.arange(len(ROWS))
    colours = np.full((*mask.shape, 3), 255, np.uint8)
    colours[here % 10 < 2] = 0
    colours[mask & (here % 24 < 15)[:, None]] = 0, 200, 0
    layers = split_colours(mask, colours, {})
    assert set(np.unique(layers)) == {0, 2} and (layers[mask & (colours[..., 1] == 200)] == 2).all()


def test_a_black_curve_over_a_dense_grid_stays_black_beside_one_in_colour():
    """Above, below and beside it black lines are near: it is none of them."""
    green, black = sine(300, 25, 500), sine(304, 25, 500)
    colours = np.full((len(ROWS), 800, 3), 255, np.uint8)
    colours[np.arange(len(ROWS)) % 10 < 2] = colours[:, ::12] = 0
    colours[draw(green, width=3) > 0] = 0, 200, 0
    stroke = draw(black, width=5) > 0
    colours[stroke] = 0
    layers = split_colours(stroke | (draw(green, width=3) > 0), colours, {})
    assert np.mean(layers[stroke] == 1) > 0.95


def test_dots_dashes_and_solid_strokes_have_their_styles():
    curves = [sine(middle, 30, 700) for middle in (120, 300, 480, 660)]
    drawn = [
        np.where(ROWS % 16 < 5, curves[0], np.nan),
        np.where(ROWS % 50 < 36, curves[1], np.nan),
        np.where(ROWS % 150 < 120, curves[2], np.nan),  # lettering lies over it
    ]
    found = [curve.style for curve, _ in follow(draw(*drawn, curves[3]))]
    assert found == ["dotted", "dashed", "solid", "solid"]


def test_a_coarse_render_is_followed_in_pixels_as_at_150_dpi():
    short = np.where((ROWS > 700) & (ROWS < 730), 420.0, np.nan)  # of a letter
    mask, found = draw(np.where(ROWS % 50 < 36, sine(150, 40, 700), np.nan), short), []
    for dpi in (72, 150):
        follower = CurveFollower(dpi)
        follower.add(255 - mask, mask, mask)
        follower.finish()
        found.append([(one.first_row, one.rows, one.style) for one in follower.curves])
    assert found[0] == found[1] and len(found[0]) == 1


@pytest.mark.parametrize("shade", [0, 150, 200])
def test_pale_strokes_have_their_styles_too(shade):
    solid, dashed = sine(150, 40, 700), sine(350, 40, 500)
    ink = draw(solid, np.where(ROWS % 50 < 36, dashed, np.nan))
    gray = np.where(ink > 0, np.uint8(shade), np.uint8(255))  # a thin line of a render, blended
    found = follow(draw(solid, dashed), gray=gray)
    assert [curve.style for curve, _ in found] == ["solid", "dashed"]


def test_gaps_of_two_rows_tell_a_dotted_curve_from_a_solid_one():
    solid, dotted = sine(300, 60, 700), sine(300, 60, 500, 2)
    ink = draw(solid) | np.where(ROWS[:, None] % 5 < 3, draw(dotted), np.uint8(0))
    found = follow(draw(solid, dotted), gray=255 - ink)
    assert sorted(curve.style for curve, _ in found) == ["dotted", "solid"]
    is_each(found, [solid, dotted])


def test_a_curve_behind_another_ends_where_they_met():
    long, short = sine(300, 40, 900), 200 + ROWS * 0.25
    met = int(np.argmax(short > long - 2))
    mask = draw(long, np.where(ROWS < met, short, np.nan))
    ends = sorted(curve.first_row + curve.rows for curve, _ in follow(mask))
    assert ends[1] > 1490 and abs(ends[0] - met) < 30


def test_chains_forget_their_upper_rows():
    rows = np.arange(6000)
    curve = sine(60, 30, 800, rows=rows)
    mask = draw(curve, columns=120)
    gc.collect()
    follower = CurveFollower(200)
    for start in range(0, len(mask), 1000):
        part = mask[start : start + 1000]
        follower.add(255 - part, part, part)
        chains = [one for one in gc.get_objects() if type(one) is Chain]
        assert sum(len(chain.runs) for chain in chains) < 2000
    follower.finish()
    (one,) = follower.curves
    assert one.rows > 5990  # thinning takes a pixel of an end
    column = one.points().column
    assert np.abs(column - curve[one.first_row :][: len(column)]).max() < 3


def test_strands_far_above_are_forgotten():
    rows = np.arange(6000)
    mask = draw(*(sine(100, 80, 250, phase, rows) for phase in (0, 2, 4)), columns=200, width=3)
    follower = CurveFollower(200)
    counts = []
    for start in range(0, len(mask), 1500):
        part = mask[start : start + 1500]
        follower.add(255 - part, part, part)
        counts.append(sum(type(one) is Chain for one in gc.get_objects()))
    assert counts[-1] < counts[0] + 60  # a thousand rows have a hundred


@pytest.mark.parametrize("columns", [1, 60])
def test_a_black_area_has_no_endless_width(columns):
    black = np.zeros((900, columns), np.uint8)
    follower = CurveFollower(200)
    follower.add(black, ~black, ~black)
    follower.finish()
    assert follower.least_rows == 50
    assert all(0 < curve.width_px < 120 for curve in follower.curves)
    assert len(follower.curves) == 1


def test_more_curves_than_usual_may_end_together():
    none, one = np.array([], int), np.array([25.0])
    strand = SimpleNamespace(worth=one, rows=one, given=np.array([7]), closed=np.array([False]))
    _, births = solve(strand, SimpleNamespace(upper=none, lower=none), np.array([]), 25)
    assert births.tolist() == [0]


def test_noise_ends_within_seconds():
    noise = np.random.default_rng(0).random((540, 1200)) < 0.3
    start = time.process_time()
    follow(np.where(noise, np.uint8(255), np.uint8(0)))
    assert time.process_time() - start < 20


@pytest.mark.parametrize(("patches", "is_print"), [(0, False), (200, True)])
def test_a_print_is_told_by_all_its_inks_together(patches, is_print):
    """Of 2,000 pixels 0.45 or 0.55 are patchy: a patchy ink is a mixture on prints alone."""
    inks = {0: np.array([1000, 900, 0, 0, 0]), 60: np.array([1000, patches, 0, 0, 0])}
    picture = np.full((40, 30, 3), 255, np.uint8)
    picture[:, 10:13] = 255, 0, 0
    layers = split_colours(picture[..., 1] == 0, picture, inks)
    assert np.unique(layers[:, 11]).tolist() == [1 if is_print else 2]

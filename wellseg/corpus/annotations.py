"""What is written and drawn over the tracks of a log and is no curve.

``ANNOTATIONS`` holds each ingredient by its name in a kind of page's ``notes``: a function that
draws one of it, somewhere in the track or zone it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .draws import Array, Table
from .layout import Track
from .lettering import (
    by_hand,
    draw_face,
    draw_hand,
    figure,
    mark_of,
    outline,
    scribble,
    words,
    write,
)  # fmt: skip
from .sheet import BLACK, Sheet, gray

NOTE = Table(
    text_in=(0.045, 0.13), boxed=0.5, pointer=4, pencil=0.5, hand=(1.0, 2.2),
    hand_pens=(0.35, 1.2), lines=(1, 3),
)  # fmt: skip
ARROW = Table(length_in=(0.1, 1.2), slope=0.15, pens=(0.4, 1.5), text_in=(0.05, 0.12),
              named=0.5, open_head=0.5, head=(3, 9))  # fmt: skip
TOP = Table(pens=(0.4, 1.2), sag=0.5, width=(-0.1, 1.1), crossed=0.4, cross_in=(0.04, 0.12),
            text_in=(0.05, 0.12))  # fmt: skip
GAS = Table(text_in=(0.05, 0.09), names=("CG", "TG", "BG", "DTG", "CG:", "SURV", "T.Gas"),
            named=0.8, stacked=0.3, arrow=0.25)  # fmt: skip
SURVEY = Table(text_in=(0.04, 0.08), lines=(2, 5), turned=0.15)
FLAGS = Table(step_in=(0.15, 2.0), length_in=(0.03, 0.12), pens=(0.4, 1.2), jitter=0.05,
              triangles=0.3)  # fmt: skip
LEADER = Table(steps_in=(0.1, 0.6), pens=(0.3, 1.0))
TEST_BAR = Table(width_in=(0.03, 0.12), length_in=(0.2, 2.0))
SLIDE = Table(width_in=(0.04, 0.12), length_in=(0.1, 1.2))
JOIN = Table(length=(0.1, 1.3), step_px=(8, 60), pens=(0.4, 2.2), worn=(0, 0.3), dirty=0.35,
             dirt_px=(3, 40))  # fmt: skip
STAMP = Table(
    texts=("CONFIDENTIAL", "BEST COPY", "RECEIVED", "FILE COPY", "APR 12 1962"), turn_deg=25,
    text_in=(0.08, 0.22), hollow=0.3, framed=0.5, ring=0.5,
)  # fmt: skip
RULED = Table(lean_px=4, pens=(0.2, 1.3), level=(110, 255))


@dataclass(frozen=True)
class Zone:
    """Where an ingredient may go: the tracks of a stretch of log, between rows y0 and y1."""

    tracks: list[Track]
    y0: int
    y1: int


def annotate(sheet: Sheet, zone: Zone) -> None:
    """All ingredients of the kind of page, as many as a stretch of that size has."""
    pages = (zone.y1 - zone.y0) * sheet.columns / (10 * sheet.dpi) ** 2
    for name, mean in sheet.kind.notes.items():
        for _ in range(sheet.draws.count(mean * pages)):
            ANNOTATIONS[name](sheet, zone)


def _place(sheet: Sheet, zone: Zone) -> tuple[float, float]:
    return (sheet.draws.between((-20, sheet.columns)), sheet.draws.between((zone.y0, zone.y1)))


def _track(sheet: Sheet, zone: Zone) -> Track:
    curved = [t for t in zone.tracks if t.kind in ("curves", "empty")]
    return sheet.draws.one_of(curved or zone.tracks)


def name(sheet: Sheet, zone: Zone) -> None:
    """The printed name of a curve, or a value, over the tracks; perhaps in a box with a pointer."""
    draws, (x, y) = sheet.draws, _place(sheet, zone)
    size, face = sheet.text_px(NOTE.text_in), draw_face(draws)
    on_white = sheet.tidy and draws.chance(NOTE.boxed)
    colour = sheet.any_colour(0.4)
    if draws.chance(0.8):
        turns = draws.one_of((0, 0, 0, 1, 3))
        write(sheet, words(draws, (1, 2)), x, y, size, face, colour, turns, on_white)
        return
    mark = np.pad(mark_of(words(draws, 1)[:5], size, face), max(2, round(size * 0.3)))
    cv2.rectangle(mark, (0, 0), (mark.shape[1] - 1, mark.shape[0] - 1), 255, sheet.fine_px)
    sheet.put(mark, x, y, colour, on_white=True)
    end = (x + draws.normal(NOTE.pointer) * size, y + draws.normal(NOTE.pointer) * size)
    sheet.line((x, y), end, colour, sheet.fine_px)


def hand(sheet: Sheet, zone: Zone) -> None:
    """Handwriting: letters, figures or an unreadable word. Pencil is fainter than print."""
    draws, (x, y) = sheet.draws, _place(sheet, zone)
    size = sheet.text_px(NOTE.text_in)
    colour = BLACK
    if draws.chance(NOTE.pencil):  # of some strokes the threshold leaves pieces
        colour = gray(min(255, sheet.threshold * draws.between((0.9, 2))))
    tall = size * draws.between(NOTE.hand)
    face = draw_hand(draws, sheet.pen_px * draws.between(NOTE.hand_pens), tall)
    turns, scribbled = draws.one_of((0, 0, 0, 1)), draws.chance(0.3)
    for n in range(draws.whole(NOTE.lines)):
        if scribbled:
            word = scribble(draws, size * draws.between((3, 6)), size * 1.6)
            sheet.path(word + np.array([x + n * size * 4, y]), colour, sheet.pens((0.3, 1.1)))
        else:
            text = figure(draws) if draws.chance(0.6) else words(draws, 1)
            mark = np.rot90(by_hand(draws, text, tall, face), turns)
            sheet.put(mark, x, y + n * tall * 1.5, colour)


def arrow(sheet: Sheet, zone: Zone) -> None:
    """From a name to its curve, or from nowhere; the name stands behind it."""
    draws, (x, y) = sheet.draws, _place(sheet, zone)
    length = sheet.log_inches(ARROW.length_in) * draws.sign()
    end = np.array([x + length, y + draws.normal(ARROW.slope) * length])
    px, colour = sheet.pens(ARROW.pens), sheet.any_colour(0.3)
    if draws.chance(ARROW.named):
        size = sheet.text_px(ARROW.text_in)
        mark = mark_of(words(draws, (1, 3)), size, draw_face(draws))
        left = x - mark.shape[1] - size / 3 if length > 0 else x + size / 3
        on_white = sheet.tidy and draws.chance(0.6)
        sheet.put(mark, left, y - len(mark) / 2, colour, on_white)
    if draws.chance(ARROW.open_head):
        sheet.arrow((x, y), end, colour, px)
        return
    sheet.line((x, y), end, colour, px)
    along = (end - [x, y]) / abs(length)  # a filled head, of a draughtsman's template
    head = px * draws.between(ARROW.head)
    across = np.array([-along[1], along[0]]) * head * draws.between((0.25, 0.6))
    sheet.fill(np.stack([end - along * head + across, end, end - along * head - across]), colour)


def formation_top(sheet: Sheet, zone: Zone) -> None:
    """A line across the tracks, by ruler or hand, with X marks and a name."""
    draws = sheet.draws
    y = draws.between((zone.y0, zone.y1))
    x0, x1 = np.sort(draws.each_between(TOP.width, 2)) * sheet.columns
    sag = np.cumsum(TOP.sag * draws.noise(12)) * (not sheet.tidy and draws.chance(0.5))
    colour = sheet.any_colour(0.4)
    px = sheet.pens(TOP.pens)
    sheet.path(np.stack([np.linspace(x0, x1, 12), y + sag], axis=1), colour, px)
    if draws.chance(TOP.crossed):
        arm = sheet.inches(TOP.cross_in)
        for x in draws.rng.uniform(x0, x1, draws.whole((1, 4))):
            sheet.line((x - arm, y - arm), (x + arm, y + arm), colour, px)
            sheet.line((x - arm, y + arm), (x + arm, y - arm), colour, px)
    size = sheet.text_px(TOP.text_in)
    x = x0 if draws.chance(0.6) else (x0 + x1) / 2
    on_white = sheet.tidy and draws.chance(0.3)
    for n in range(draws.whole((1, 3))):
        text = words(draws, (1, 2)) if n == 0 else figure(draws)
        write(
            sheet, text, x, y - size * (1.2 - 1.4 * n), size, draw_face(draws), BLACK, 0, on_white
        )


def gas_label(sheet: Sheet, zone: Zone) -> None:
    """CG 45u: a value printed over or beside a gas curve, with a pointer now and then."""
    draws, track = sheet.draws, _track(sheet, zone)
    x = track.left + draws.between((0.05, 0.9)) * track.width
    y = draws.between((zone.y0, zone.y1))
    size, face = sheet.text_px(GAS.text_in), draw_face(draws)
    value = f"{int(draws.log_between((8, 4000)))}u"
    label = draws.one_of(GAS.names) if draws.chance(GAS.named) else ""
    turns = 3 if draws.chance(sheet.kind.text_turned * 0.6) else 0
    on_white = draws.chance(0.5)
    if draws.chance(GAS.stacked):
        write(sheet, label, x, y - size * 1.4, size, face, BLACK, turns, on_white)
        label = ""
    _, wide = write(sheet, f"{label} {value}".strip(), x, y, size, face, BLACK, turns, on_white)
    if draws.chance(GAS.arrow):
        reach = draws.sign() * sheet.inches((0.1, 0.5))
        start = (x + wide if reach > 0 else x, y + size / 2)
        sheet.arrow(start, (start[0] + reach, start[1]), BLACK, 1, 0.3)


def survey(sheet: Sheet, zone: Zone) -> None:
    """A block of survey or drilling figures: MD: 12040, Inc: 89.2, WOB 33."""
    draws, (x, y) = sheet.draws, _place(sheet, zone)
    size, face = sheet.text_px(SURVEY.text_in), draw_face(draws)
    turned = draws.chance(max(SURVEY.turned, sheet.kind.text_turned * 0.8))
    names = ("MD", "TVD", "Inc", "Azm", "VS", "WOB", "RPM", "SPM", "PP", "Wt", "Vis")
    colour, on_white = sheet.any_colour(0.2), draws.chance(0.3)
    if draws.chance(0.3):  # a mark of the place on the border
        sheet.line((x - size * 2, y), (x - size / 2, y), colour, sheet.fine_px)
    for n in range(draws.whole(SURVEY.lines)):
        text = f"{draws.one_of(names)}{draws.one_of((': ', ' ', '='))}{figure(draws)}"
        at = (x - n * size * 1.5, y) if turned else (x, y + n * size * 1.5)
        write(sheet, text, *at, size, face, colour, 3 if turned else 0, on_white)


def scale_words(sheet: Sheet, zone: Zone) -> None:
    """The names and scales of a track's curves, printed over it once more, each in its colour."""
    draws, track = sheet.draws, _track(sheet, zone)
    y, size = draws.between((zone.y0, zone.y1)), sheet.text_px((0.05, 0.08))
    face, on_white = draw_face(draws), draws.chance(0.6)
    for n in range(draws.whole((1, 6))):
        colour, at = sheet.any_colour(0.9), y + n * size * 1.6
        write(sheet, words(draws, (1, 2)), track.middle, at, size, face, colour, 0, on_white, True)
        write(sheet, figure(draws)[:5], track.left + 3, at - size / 2, size, face, colour)
        mark = mark_of(figure(draws)[:5], size, face)
        sheet.put(mark, track.right - mark.shape[1] - 3, at - size / 2, colour)
        if draws.chance(0.2):
            sheet.line((track.left, at + size), (track.right, at + size), colour, 1)


def boxed_block(sheet: Sheet, zone: Zone) -> None:
    """A frame with some lines of text, laid over tracks: bit record, first reading."""
    draws, (x, y) = sheet.draws, _place(sheet, zone)
    size, face = sheet.text_px((0.05, 0.14)), draw_face(draws)
    lines = [words(draws, (1, 3)) for _ in range(draws.whole((1, 6)))]
    marks = [mark_of(line, size, face) for line in lines]
    wide, high = max(m.shape[1] for m in marks), size * 1.6 * len(marks)
    sheet.box(x - size, y - size / 2, x + wide + size, y + high, (0, 0, 0), -1)
    if draws.chance(0.7):
        sheet.box(x - size, y - size / 2, x + wide + size, y + high, BLACK, sheet.fine_px)
    for n, mark in enumerate(marks):
        sheet.put(mark, x, y + n * size * 1.6)


def flags(sheet: Sheet, zone: Zone) -> None:
    """Ticks at regular depths along a border: minute marks, volume pips, casing shoes, slides."""
    draws, track = sheet.draws, _track(sheet, zone)
    step, size = sheet.inches(FLAGS.step_in), sheet.inches(FLAGS.length_in) * draws.sign()
    x = track.left if draws.chance(0.5) else track.right
    px, colour, solid = sheet.pens(FLAGS.pens), sheet.any_colour(0.3), draws.chance(FLAGS.triangles)
    for y in np.arange(zone.y0 + draws.between((0, step)), zone.y1, step):
        at = y + draws.normal(step * FLAGS.jitter)
        if solid:
            half = abs(size) / 2
            sheet.fill(np.array([[x, at], [x + size, at - half], [x + size, at + half]]), colour)
        else:
            sheet.line((x, at), (x + size, at), colour, px)


def leader(sheet: Sheet, zone: Zone) -> None:
    """A line with a bend from a text to its place: call-outs of tests and samples."""
    draws, (x, y) = sheet.draws, _place(sheet, zone)
    points, side = [np.array([x, y])], draws.sign()
    for _ in range(draws.whole((2, 3))):
        step = np.array([side * sheet.inches(LEADER.steps_in), 0.0])
        if draws.chance(0.6):
            step[1] = draws.sign() * sheet.inches(LEADER.steps_in)
        points.append(points[-1] + step)
    sheet.path(np.array(points), sheet.any_colour(0.3), sheet.pens(LEADER.pens))
    size = sheet.text_px(NOTE.text_in)
    write(sheet, words(draws, (1, 3)), x, y - size, size, draw_face(draws))


def test_bar(sheet: Sheet, zone: Zone) -> None:
    """A bar beside a tested or cored interval, with lines to its ends."""
    draws, track = sheet.draws, _track(sheet, zone)
    y, wide = draws.between((zone.y0, zone.y1)), sheet.inches(TEST_BAR.width_in)
    high, x = sheet.log_inches(TEST_BAR.length_in), draws.one_of((track.left, track.right))
    filled = draws.chance(0.4)
    sheet.box(x, y, x + wide, y + high, BLACK, -1 if filled else sheet.fine_px)
    if not filled and draws.chance(0.6):
        sheet.hatch(x, y, x + wide, y + high, wide * 0.5, BLACK, sheet.fine_px)
    for end in (y, y + high):
        sheet.line((x, end), (x + sheet.inches((0.1, 0.6)), end), BLACK, sheet.fine_px)


def slide_bar(sheet: Sheet, zone: Zone) -> None:
    """A filled bar along a border while the motor slid, with its number beside."""
    draws, track = sheet.draws, _track(sheet, zone)
    x = (track.left if draws.chance(0.5) else track.right) + draws.between((-0.1, 0.1)) * sheet.dpi
    y, high = draws.between((zone.y0, zone.y1)), sheet.log_inches(SLIDE.length_in)
    wide, colour = sheet.inches(SLIDE.width_in), sheet.any_colour(0.8)
    sheet.box(x, y, x + wide, y + high, colour, -1)
    if draws.chance(0.4):
        text = f"{draws.whole((1, 180))}{draws.one_of('RLHM')}"
        turns = 3 if draws.chance(0.5) else 0
        write(sheet, text, x + wide * 1.5, y, sheet.text_px((0.05, 0.08)), draw_face(draws),
              turns=turns)  # fmt: skip


def ruled_line(sheet: Sheet, zone: Zone) -> None:
    """A line ruled down the sheet that belongs to no grid."""
    draws = sheet.draws
    x, lean = draws.between((0, sheet.columns)), draws.normal(RULED.lean_px)
    level = gray(draws.between(RULED.level))
    sheet.line((x, zone.y0), (x + lean, zone.y1), level, sheet.pens(RULED.pens))


def join(sheet: Sheet, zone: Zone) -> None:
    """The edge of a sheet, a fold, a stop of the copier: a ragged bar across a part of the page."""
    draws, columns = sheet.draws, sheet.columns
    start, y = draws.between((-0.3, 0.8)) * columns, draws.between((zone.y0, zone.y1))
    end = start + draws.log_between(JOIN.length) * columns
    x = np.arange(start, end, draws.between(JOIN.step_px))
    wave = y + np.cumsum(0.35 * draws.noise(len(x))) + draws.normal(0.004) * (x - start)
    px = sheet.pen_px * draws.between(JOIN.pens) * np.exp(0.35 * draws.noise(len(x)))
    level, worn = gray(draws.between(RULED.level)), draws.between(JOIN.worn)
    for n in np.flatnonzero(draws.rng.random(max(0, len(x) - 1)) > worn):
        sheet.line((x[n], wave[n]), (x[n + 1], wave[n + 1]), level, px[n])
    if len(x) > 1 and draws.chance(JOIN.dirty):  # dirt that the edge has gathered
        count = int((x[-1] - x[0]) * draws.between((0.1, 2)))
        at = draws.rng.uniform(x[0], x[-1], count)
        far = draws.sign() * draws.between(JOIN.dirt_px) * draws.rng.exponential(0.5, count)
        for column, row in zip(at, np.interp(at, x, wave) + far, strict=True):
            sheet.box(column, row, column + column % 4, row + 1, BLACK, -1)


def stamp(sheet: Sheet, zone: Zone) -> None:
    """CONFIDENTIAL, BEST COPY, a date: framed text at an odd angle."""
    draws, (x, y) = sheet.draws, _place(sheet, zone)
    text, size = draws.one_of(STAMP.texts), sheet.inches(STAMP.text_in)
    mark: Array = mark_of(text, size, draw_face(draws))
    if draws.chance(STAMP.hollow):  # the letters of a big rubber stamp
        mark = outline(mark_of(text, 1.6 * size, draw_face(draws)), sheet.pens((0.4, 1.2)))
    mark = np.pad(mark, int(sheet.dpi * 0.08) + 4)
    h, w = mark.shape
    px = max(1, round(sheet.dpi * 0.012))
    if draws.chance(STAMP.framed):
        cv2.rectangle(mark, (2, 2), (w - 3, h - 3), 255, px)
    elif draws.chance(STAMP.ring):
        cv2.ellipse(mark, (w // 2, h // 2), (w // 2 - 2, h // 2 - 2), 0, 0, 360, 255, px)
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), draws.normal(STAMP.turn_deg), 1.0)
    side = int(np.hypot(h, w)) + 2
    turn[:, 2] += [(side - w) / 2, (side - h) / 2]
    sheet.put(cv2.warpAffine(mark, turn, (side, side)), x, y, sheet.any_colour(0.6))


ANNOTATIONS: dict[str, Callable[[Sheet, Zone], None]] = {
    "name": name, "hand": hand, "arrow": arrow, "formation top": formation_top,
    "gas label": gas_label, "survey": survey, "scale words": scale_words,
    "boxed block": boxed_block, "flags": flags, "leader": leader, "test bar": test_bar,
    "slide bar": slide_bar, "ruled line": ruled_line, "join": join, "stamp": stamp,
}  # fmt: skip

"""Whole areas without curves: headers, heads of tracks, and tracks of other things.

``PANELS`` holds each by the kind of track that it fills, between rows y0 and y1."""

from itertools import pairwise

import cv2
import numpy as np

from .damage import cloud
from .grid import Track
from .notes import annotate, curve_scale, draw_face, label, say, write
from .sheet import BLACK, RECIPE, Array, Colour, Sheet

LEAST_PX = 24


def header(sheet: Sheet, rows: int, columns: int) -> Sheet:
    """Blocks below each other, some two side by side, some askew."""
    how, y = sheet.table("header"), 0
    whole = sheet.part(rows, columns)
    while whole.rows - y > LEAST_PX:
        block = sheet.table("block")
        high = min(whole.rows - y, int(block.high))
        cut = int(whole.columns * block.cut)
        for left, right in ((0, cut), (cut, whole.columns)):
            if right - left > LEAST_PX:
                part = sheet.part(high, right - left)
                draw_form(part, sheet.draws.of(sheet.kind.header))
                whole.put(part.ink, left, y)
        y += high + int(block.gap)
    if not sheet.tidy and how.askew:
        turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), how.askew_deg, 0.9)
        whole.ink = cv2.warpAffine(whole.ink, turn, (columns, rows))
    if not sheet.tidy and how.handled:
        annotate(whole, ([], 0, rows), RECIPE["notes"]["traces"])
    if how.marked:
        firm_mark(whole)
    return whole


def firm_mark(sheet: Sheet) -> None:
    """The mark of a firm: rays about a disc, arcs."""
    draws, how = sheet.draws, sheet.table("firm mark")
    colour, middle = sheet.any_colour(), (how.x * sheet.columns, how.y * sheet.rows)
    if how.disc:
        sheet.path([middle, middle], colour, 1.6 * how.inner)
    for turn in 2 * np.pi * (np.arange(how.rays) / max(1, how.rays) + draws.of([0.0, 1.0])):
        reach = np.array([how.inner, how.inner + how.long * draws.of([0.4, 1.0])])
        sheet.path(middle + np.outer(reach, [np.cos(turn), np.sin(turn)]), colour, how.line)
    for _ in range(how.arcs):
        turns = draws.of([0.0, 6.28]) + np.linspace(0, draws.of([1.0, 6.28]), 48)
        arc = np.column_stack([np.cos(turns), draws.of([0.2, 1.0]) * np.sin(turns)])
        sheet.path(middle + arc * (how.inner + how.long * draws.of([0.2, 1.0])), colour, how.line)


def draw_form(sheet: Sheet, name: str) -> None:
    """Fill a blank sheet with one of the recipe's [forms]: lines of words, and cells of values."""
    draws = sheet.draws
    how = sheet.table("forms", name)
    rows, columns = sheet.ink.shape[:2]
    size, thick = how.text, max(1, how.line)
    pitch = size * how.pitch
    by_hand = how.by_hand and not sheet.tidy
    values = draw_face(draws, by_hand * how.pen / size)
    printed = values if name == "remarks" else draw_face(draws)
    cuts = np.sort(draws.rng.uniform(0.15, 0.95, how.columns))
    edges = [0.0, *(columns * cuts).tolist(), float(columns)]
    y = pitch * 0.3
    if how.framed:
        title = say(draws, "<name>").upper()
        write(sheet, title, columns / 2, y, 1.3 * size, printed, align=0.5)
        y += pitch * 1.5
        sheet.box(0, 0, columns - 1, rows - 1, BLACK, thick)
        sheet.path([(0, y - 0.2 * pitch), (columns, y - 0.2 * pitch)], BLACK, thick)
        for x in edges[1:-1]:
            sheet.path([(x, y - 0.2 * pitch), (x, rows)], BLACK, sheet.fine_px)
    while y < rows - pitch:
        room = (edges[1] - size) * how.lead * draws.of([0.5, 1.0])
        words = say(draws, "<word> " * int(np.ceil(room / (size * 5.2))))
        write(sheet, words, thick + size / 2, y, size, printed)
        for left, right in pairwise(edges[1:]):
            x = left + size / 3 + draws.of([0.0, 0.1]) * (right - left)
            if draws.chance(how.filled):
                write(sheet, say(draws, "<entry>"), x, y, size * 0.95, values)
        y += pitch * (1 + how.gap * draws.chance(how.paragraph))
        if how.ruled:
            sheet.path([(0, y - 0.2 * pitch), (columns, y - 0.2 * pitch)], BLACK, sheet.fine_px)


def track_heads(sheet: Sheet, tracks: list[Track], y0: int, y1: int) -> None:
    """The tracks' heads: the scales of their curves in a frame."""
    draws, how = sheet.draws, sheet.table("head")
    for track in tracks:
        face, y = draw_face(draws), y0 + how.text
        sheet.box(track.left, y0, track.right, y1, BLACK, max(1, how.border))
        while y < y1 - 3 * how.text and track.width > 0.9 * sheet.dpi:
            curve_scale(sheet, track, y, how.text, face, sheet.any_colour(draws.chance(0.6)))
            y += how.text * draws.of([2.7, 3.9])
            if how.ruled_off:
                ends = (track.left, y - how.text), (track.right, y - how.text)
                sheet.path(ends, BLACK, how.border)


def pattern(
    sheet: Sheet, name: str, unit: int, shape: tuple[int, ...], ink: Colour, tint: Colour | None
) -> Array:
    """Ink of that shape, filled with one of [patterns], ``unit`` px high, on a tint."""
    tile = sheet.part(unit, 2 * unit)
    if tint:
        tile.box(0, 0, tile.columns, tile.rows, tint, -1)
    for points in RECIPE["patterns"][name]:
        ends = np.array([points[0], *points]) * [tile.columns - 1, tile.rows - 1]
        tile.path(ends, ink, sheet.dpi / (100 if len(points) == 1 else 200))
    filled = cv2.copyMakeBorder(tile.ink, 0, shape[0], 0, shape[1], cv2.BORDER_WRAP)
    return filled[: shape[0], : shape[1]]


def _window(sheet: Sheet, track: Track, y0: int, y1: int) -> Array:
    """The part of the page that a panel fills: a view of its ink, perhaps empty."""
    return sheet.ink[y0:y1, max(0, round(track.left)) : max(0, round(track.right))]


def lithology(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """Beds of bricks, dots, dashes, slants, each with its tint; letters in some.
    In a track of "intervals" bars for slides, porosity grades, oil shows."""
    draws = sheet.draws
    unit = round(max(6, sheet.table(track.kind).unit))
    tinted = sheet.tidy and draws.of(sheet.kind.tinted)
    y = y0
    while y < y1:
        how = sheet.table(track.kind)
        rock = draws.of(sheet.kind.lithology)
        end = min(y1, y + int(how.bed) + 4)
        cell = _window(sheet, track, y, end)
        cell = cell[:, : int(cell.shape[1] * how.part)]
        tint = sheet.colour(how.tint) if tinted or how.rock else None
        cell[...] = pattern(sheet, how.rock or rock, unit, cell.shape, BLACK, tint)
        if how.letters:
            label(sheet, "rock", draws.of([track.left, track.right]), (y + end) / 2)
        if how.ruled:
            sheet.path([(track.left, end), (track.right, end)], BLACK, sheet.fine_px)
        y = end


def image(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """Bond logs, borehole images, cement maps: black and white, dithered, or in tones."""
    draws = sheet.draws
    how = sheet.table("image")
    cell = _window(sheet, track, y0, y1)
    rows, columns = cell.shape[:2]
    if cell.size == 0:
        return
    if how.field == "waves":  # stripes that shift and break
        delay = how.delay * cloud(draws, rows, 1, sheet.dpi * 0.3)
        x = np.arange(columns, dtype=np.float32)[None, :] / how.period
        there = np.clip(cloud(draws, rows, columns, sheet.dpi * 0.25) + 0.5, 0, 1.5)
        wave = np.cos(2 * np.pi * (x - delay)) * (0.4 + 0.6 * there)
    else:  # a cement map, dark or light for many rows, then the other
        wave = cloud(draws, rows, 1, how.band) + 0.25 * cloud(draws, rows, columns, 9)
    if how.tones == "black":
        wave = np.where(wave > how.level, 1, -1)
    elif how.tones == "dither" or sheet.scanned:
        wave = np.where(wave > 0.7 * cloud(draws, rows, columns, 2.0), 1, -1)
    tone = np.clip(127.5 + 127.5 * wave, 0, 255).astype(np.uint8)
    if how.tones == "colours" and not sheet.scanned:
        cell[...] = 255 - cv2.applyColorMap(tone, cv2.COLORMAP_JET)
    else:
        cell[...] = tone if sheet.scanned else tone[..., None]


def text_column(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """A geologist's descriptions, in paragraphs, now and then lying on their side."""
    size = y1 - y0, round(track.width) - 4
    turned = sheet.draws.of(sheet.kind.turned)
    block = sheet.part(*(size[::-1] if turned else size))
    draw_form(block, "text")
    sheet.put(np.rot90(block.ink, 3) if turned else block.ink, track.left + 4, y0)


def depth_numbers(sheet: Sheet, track: Track, y0: int, y1: int) -> None:
    """Depths down the column, upright or turned."""
    how = sheet.table("numbers")
    size = max(6.0, min(how.text, track.width * 0.3))
    face = draw_face(sheet.draws)
    for n, y in enumerate(np.arange(y0 + size, y1, how.every)):
        text = str(how.depth * 100 + n * int(how.jump))
        write(sheet, text, track.middle, y - size, size, face, turns=int(how.turns), align=0.5)


PANELS = {"lithology": lithology, "intervals": lithology, "image": image, "text": text_column}
PANELS |= {"depth": depth_numbers}

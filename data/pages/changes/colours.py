"""Changes of colour pages: hatches that are no curves, curves made faint or dotted, straight ones, as of
bit and casing, in tracks without a grid; and sheets of calibration tables (arms.md of benchmarks)."""

from typing import Any

import cv2
import numpy as np

BESIDE_CURVE, LEAST_ROWS = 0.65, 60
SPACING_PX, TURNS = (3, 4, 5, 6, 8, 10, 12, 16, 20), (0, 0, 0, np.pi / 2, np.pi / 4, -np.pi / 4)
LABELS = "Coil", "Zero", "Plus", "Jig", "GR", "Ref"
Plane = np.ndarray[Any, np.dtype[np.uint8]]
Random = np.random.Generator


def strong(rng: Random) -> Any:
    """A colour of a printer's palette, three channels."""
    return rng.permutation([rng.uniform(130, 255), rng.choice([0, 0, 60, 128, 200]), 0.0])


def lines(shape: tuple[int, int], dpi: float, rng: Random) -> Any:
    """Where a plane is hatched: parallel lines, crossed, or dashes; bool (rows, columns)."""
    scale, turn = max(0.6, dpi / 150), rng.choice([*TURNS, rng.uniform(-1.5, 1.5)])
    row, column = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    across = column * np.cos(turn) + row * np.sin(turn)
    along = row * np.cos(turn) - column * np.sin(turn)
    wide = rng.choice([1, 1, 1, 1.5, 2]) * max(1, 0.8 * scale)
    step = max(rng.choice(SPACING_PX) * scale, 3 * wide)
    hatched, kind = across % step < wide, rng.choice(5)
    if kind == 0:
        hatched |= along % step < wide
    elif kind == 1:
        hatched &= along % (2.5 * step) < 1.4 * step
    return hatched


def area(mask: Plane, dpi: float, rng: Random) -> Any:
    """Where to hatch: between a curve and a column beside it, or a box; bool (rows, columns)."""
    (rows, columns), found = mask.shape, np.zeros(mask.shape, bool)
    scale = max(0.6, dpi / 150)
    count, which, boxes, _ = cv2.connectedComponentsWithStats((mask == 255).astype(np.uint8))
    tall = [i for i in range(1, count) if boxes[i, cv2.CC_STAT_HEIGHT] > 2 * LEAST_ROWS]
    if tall and rng.random() < BESIDE_CURVE:
        one = rng.choice(tall)
        top, height = boxes[one, cv2.CC_STAT_TOP], boxes[one, cv2.CC_STAT_HEIGHT]
        high = int(rng.uniform(LEAST_ROWS, min(height, 700)))
        part = slice(y := top + int(rng.uniform(0, height - high)), y + high)
        curve, at = which[part] == one, np.arange(columns)
        first, last = curve.argmax(1)[:, None], columns - 1 - curve[:, ::-1].argmax(1)[:, None]
        wide = int(rng.uniform(20, 350) * scale)
        if rng.random() < 0.5:
            found[part] = (at < first) & (at >= np.median(first) - wide)
        else:
            found[part] = (at > last) & (at <= np.median(last) + wide)
        found[part] &= curve.any(1)[:, None]
    else:
        wide, high = int(rng.uniform(15, 320) * scale), int(rng.uniform(40, 700))
        x, y = (int(rng.uniform(0, max(1, it))) for it in (columns - wide, rows - high))
        found[y : y + high, x : x + wide] = True
    return found


def hatch(picture: Plane, mask: Plane, dpi: float, rng: Random) -> Plane:
    """The picture, RGB, with one hatch, in the colour of a curve or another; curves stay on top."""
    made, where = picture.copy(), area(mask, dpi, rng) & (mask == 0)
    inks = picture[mask == 255]
    colour = rng.choice(inks) if len(inks) and rng.random() < 0.6 else strong(rng)
    if rng.random() < 0.2:  # on a pale fill
        made[where] = np.minimum(made[where], 255 - (255 - colour) * rng.uniform(0.1, 0.35))
    where &= lines(mask.shape, dpi, rng) & (made.min(2) >= 90)  # black ink stays
    share = rng.uniform(0.6, 1)
    made[where] = share * colour + (1 - share) * made[where]
    return made


def faint(picture: Plane, mask: Plane, dpi: float, rng: Random) -> tuple[Plane, Plane]:
    """The picture, RGB, with some of its curves on white, paler, dotted or without colour; the mask as it was."""
    made, scale = picture.copy(), max(1, dpi / 120)
    count, which, boxes, _ = cv2.connectedComponentsWithStats((mask == 255).astype(np.uint8))
    for one in range(1, count):
        x, y, wide, high = boxes[one, : cv2.CC_STAT_AREA]
        if max(wide, high) <= 40 or rng.random() < 0.45:
            continue
        part = slice(max(0, y - 2), y + high + 2), slice(max(0, x - 2), x + wide + 2)
        curve = (which[part] == one).astype(np.uint8)
        inside = cv2.dilate(curve, np.ones((3, 3), np.uint8)) > 0
        style = rng.random()
        ink = (255.0 - made[part]) * (rng.uniform(0.22, 0.7) if style < 0.75 else 1)
        if style > 0.45:
            row, column = np.mgrid[: ink.shape[0], : ink.shape[1]]
            every = scale * rng.uniform(4, 13)
            long = max(1.2 * scale, every * rng.uniform(0.25, 0.6))
            ink[(row + column * rng.choice([0, 0.6, 1])) % every >= long] = 0
        if rng.random() < 0.3:
            ink[:] = ink.mean(2, keepdims=True)
        made[part][inside] = 255 - ink[inside]
    return made, mask


def white_columns(picture: Plane, mask: Plane, scale: float) -> Any:
    """Columns between the outermost curves that have hardly any ink, nor have those beside them."""
    labelled = (mask != 128).any(1)  # margins of a page are ignored
    clear = ((picture[labelled].min(2) > 232).mean(0) >= 0.985).astype(np.uint8)
    clear = cv2.erode(clear[None], np.ones((1, int(9 * scale) | 1), np.uint8))[0] > 0
    curves = np.flatnonzero((mask == 255).any(0))
    return np.flatnonzero(clear[curves[0] : curves[-1]]) + curves[0] if len(curves) else curves


def shade(picture: Plane, rows: Any, at: Any, scale: float, rng: Random) -> None:
    """Blocks of gray or of a screen, one below the other, on one side of a curve; in place."""
    step, tone = rng.uniform(40, 160), rng.choice([150, 190, 215])
    wide = int(rng.uniform(8, 40) * scale)
    to_left, screened = rng.random(2) < 0.5
    for row, x in zip(rows[rows % step < step / 2], at[rows % step < step / 2], strict=True):
        start = max(0, x - wide) if to_left else x
        ink = picture[row, start : x if to_left else x + wide]
        on = ink.min(1) > 200
        if screened:
            on &= (np.arange(start, start + len(ink)) + row) % 2 == 0
        ink[on] = 60 if screened else tone


def straight(picture: Plane, mask: Plane, dpi: float, rng: Random) -> tuple[Plane, Plane]:
    """The picture, RGB, and its mask with up to four curves that are straight, or nearly so, in
    white tracks: in colours, dotted, or dashed and dotted; some beside blocks of shade."""
    made, truth, scale = picture.copy(), mask.copy(), max(0.7, dpi / 120)
    columns = white_columns(picture, mask, scale)
    for _ in range(rng.integers(1, 5) if len(columns) else 0):
        x, style = rng.choice(columns), rng.choice(["solid", "dots", "dots", "both"])
        ends = [0, len(mask)] if rng.random() < 0.6 else sorted(rng.integers(0, len(mask), 2))
        rows = np.arange(*ends)
        if len(rows) < 150:
            continue
        sway = cv2.GaussianBlur(rng.normal(0, 1, (len(rows), 1)), (1, 101), 25)[:, 0]
        sway *= (rng.random() < 0.35) * rng.uniform(1, 4) * scale / max(1e-6, abs(sway).max())
        at, every = np.rint(x + sway).astype(int), scale * rng.uniform(3.5, 12)
        shown = rows % every < max(1, every * rng.uniform(0.3, 0.7))
        if style == "both":
            dash = rows % (3 * every) / every
            shown = (dash < 1.6) | (dash > 2.1) & (dash < 2.5)
        elif style == "solid":
            shown[:] = True
        black = style != "solid" and rng.random() < 0.65
        ink = rng.choice([0, 0, 0, 90]) if black else strong(rng)
        if rng.random() < 0.4:
            shade(made, rows, at, scale, rng)
        for beside in range(max(1, round(rng.choice([0.7, 1, 1, 1.5, 2]) * scale * 0.8))):
            column = np.minimum(at + beside, mask.shape[1] - 1)
            made[rows[shown], column[shown]] = ink
            truth[rows, column] = np.maximum(truth[rows, column], 255 * (truth[rows, column] == 0))
    return made, truth


def table(rng: Random) -> Plane:
    """A sheet of calibrations: blocks of boxes with numbers, lists, bars with marks. RGB."""
    rows, columns = int(rng.uniform(500, 1000)), int(rng.uniform(600, 1300))
    sheet, y = np.full((rows, columns, 3), 255, np.uint8), 10
    text = rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN])
    size = rng.uniform(0.3, 0.6)
    size *= 1 + (text == cv2.FONT_HERSHEY_PLAIN)

    def colour() -> list[float]:
        return [0.0] * 3 if rng.random() < 0.3 else strong(rng).tolist()

    def write(words: str, x: float, row: float, ink: list[float]) -> None:
        cv2.putText(sheet, words, (int(x), int(row)), int(text), size, ink, 1, cv2.LINE_AA)

    def number() -> str:
        return f"{rng.normal(0, 10.0 ** rng.choice([-2, 0, 2, 3])):.{rng.choice([0, 1, 2, 4])}f}"

    if rng.random() < 0.7:
        for x in rng.uniform(0, 30), columns - rng.uniform(1, 30):
            cv2.line(sheet, (int(x), 0), (int(x), rows), colour(), int(rng.choice([1, 2, 3])))
    while y < rows:
        ink, edge, left = colour(), colour(), rng.uniform(20, 0.3 * columns)
        kind, many, step = rng.choice(3), int(rng.uniform(2, 12)), rng.uniform(20, 60)
        write("CALIBRATION " + number(), left, y + 15, colour())
        y += 24
        wide = (columns - left - 80) / many
        thin = int(rng.choice([1, 1, 2]))
        for n in range(int(rng.uniform(3, 14))):
            row = int(y + n * step * 0.6)
            write(f"{rng.choice(LABELS)} {n}", 5, row + 14, ink)
            for k in range(many if kind != 1 else 1):
                x = int(left + 40 + k * wide)
                corners = (x, row), (int(x + 0.95 * wide), int(row + 0.55 * step))
                if kind == 0:
                    cv2.rectangle(sheet, *corners, edge, thin)
                elif kind == 1:
                    level = int(row + 0.3 * step)
                    cv2.line(sheet, (x, level), (columns - 60, level), edge, thin)
                    for tick in rng.uniform(x, columns - 60, 4).astype(int):
                        cv2.line(sheet, (tick, level - 6), (tick, level + 6), ink, 2)
                write(number(), x + 4, row + 0.4 * step, ink)
        y = int(row + step + rng.uniform(5, 40))
    return sheet

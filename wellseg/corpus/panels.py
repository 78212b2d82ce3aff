"""Track-wide panels that are not curves: lithology, variable density, photos, tadpoles, text.

Each draws into ink (uint8, 0 paper .. 255) between rows y0 and y1 of a track.
"""

from __future__ import annotations

import cv2
import numpy as np

from .damage import cloud
from .forms import paragraph
from .grid import Track
from .lettering import draw_face, draw_hand, put, write
from .recipe import Array, Paper, Rng, between, chance, log_between, pick


def window(ink: Array, track: Track, y0: int, y1: int) -> Array:
    """The part of the page that a panel fills (a view, perhaps empty)."""
    left = max(0, round(track.left))
    right = max(left, min(ink.shape[1], round(track.right)))
    return ink[max(0, y0) : max(0, y1), left:right]


def lithology(ink: Array, rng: Rng, paper: Paper, track: Track, y0: int, y1: int) -> None:
    """Beds of bricks, dots, dashes, slants, each with its tint."""
    unit = max(3.0, paper.dpi * between(rng, (0.03, 0.09)))
    px = max(1, round(paper.dpi / 200))
    tinted = paper.tidy and chance(rng, 0.8)
    y = y0
    while y < y1:
        end = min(y1, y + int(paper.dpi * log_between(rng, (0.1, 3))) + 4)
        cell = window(ink, track, y, end)
        if cell.size == 0:
            return
        tint = int(between(rng, (0, 210))) if tinted else 0
        tile = np.full((round(unit * 2), round(unit * 4)), tint, np.uint8)
        h, w = tile.shape
        dark = 255 if tint < 150 or chance(rng, 0.7) else 0
        kind = pick(rng, {"brick": 3, "dots": 3, "dashes": 3, "slant": 1, "plain": 1, "block": 1})
        if kind in ("brick", "slant"):
            for row in range(2):
                cv2.line(tile, (0, row * h // 2), (w, row * h // 2), dark, px)
                x = w // 4 if row else 3 * w // 4
                lean = w // 8 if kind == "slant" else 0
                cv2.line(tile, (x, row * h // 2), (x - lean, (row + 1) * h // 2), dark, px)
        elif kind == "dots":
            for _ in range(6):
                at = (int(rng.integers(1, w - 1)), int(rng.integers(1, h - 1)))
                cv2.circle(tile, at, px, dark, -1)
        elif kind == "dashes":
            cv2.line(tile, (w // 8, h // 4), (w // 2, h // 4), dark, px)
            cv2.line(tile, (5 * w // 8, 3 * h // 4), (w - 1, 3 * h // 4), dark, px)
        elif kind == "block":
            tile[:] = between(rng, (120, 255))
        reps = (cell.shape[0] // h + 1, cell.shape[1] // w + 1)
        np.copyto(cell, np.tile(tile, reps)[: cell.shape[0], : cell.shape[1]])
        if chance(rng, 0.5):
            cv2.line(ink, (round(track.left), end), (round(track.right), end), 255, px)
        y = end


def density(ink: Array, rng: Rng, paper: Paper, track: Track, y0: int, y1: int) -> None:
    """Variable-density or wave-train panel: stripes along depth that shift and break; or ordered
    dither of a gray picture (cement bond, borehole image)."""
    cell = window(ink, track, y0, y1)
    rows, columns = cell.shape
    if cell.size == 0:
        return
    period = paper.dpi * between(rng, (0.03, 0.12)) + 2
    x = np.arange(columns, dtype=np.float32)[None, :]
    delay = cloud(rng, rows, 1, paper.dpi * 0.3) * between(rng, (0.02, 1.5)) * period
    delay = delay + cloud(rng, rows, 1, 3) * between(rng, (0, 0.15)) * period
    wave = np.cos(2 * np.pi * (x - delay) / period * (1 + 0.1 * np.sin(x / columns * 5)))
    wave *= 0.4 + 0.6 * np.clip(cloud(rng, rows, columns, paper.dpi * 0.25) + 0.5, 0, 1.5)
    gray = 0.0 if paper.kind == "scan" else 0.2
    shares = {"stripes": 0.4, "dither": 0.3, "wiggles": 0.18, "gray": gray, "bands": gray}
    kind = pick(rng, shares)
    if kind == "stripes":
        cell[...] = np.where(wave > between(rng, (-0.7, 0.6)), 255, 0)
    elif kind == "wiggles":  # traces side by side, each a thin line
        line = np.abs(wave - between(rng, (-0.3, 0.5))) < 3.0 / period
        if chance(rng, 0.5):
            line[:: int(rng.integers(2, 6))] = False
        cell[...] = np.where(line, 255, 0)
    elif kind == "bands":  # a cement map: dark or light for many rows, then the other
        dark = 128 + 150 * cloud(rng, rows, 1, paper.dpi * between(rng, (0.1, 0.6)))
        cell[...] = np.clip(dark + 30 * cloud(rng, rows, columns, 9), 0, 255)
    elif kind == "gray":
        cell[...] = np.clip(127 + 120 * wave, 0, 255)
    else:
        bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16
        dot = int(rng.integers(1, 4)) if paper.kind == "scan" else 1
        screen = np.kron(bayer, np.ones((dot, dot)))
        n = screen.shape[0]
        screen = np.tile(screen, (rows // n + 1, columns // n + 1))[:rows, :columns]
        cell[...] = np.where(0.5 + 0.5 * wave > screen, 255, 0)


def photo(ink: Array, rng: Rng, paper: Paper, track: Track, y0: int, y1: int) -> None:
    """Photographs of cuttings."""
    y = y0
    while y < y1:
        end = min(y1, y + int(paper.dpi * between(rng, (0.4, 1.2))))
        cell = window(ink, track, y, end)
        if cell.size == 0:
            return
        if chance(rng, 0.75):
            cell[...] = cuttings(rng, cell.shape[0], cell.shape[1], paper.dpi)
        y = end


def cuttings(rng: Rng, rows: int, columns: int, dpi: float) -> Array:
    """Chips of rock: uint8 (rows, columns), each its own gray, darker towards its rim."""
    size = dpi * between(rng, (0.06, 0.2))
    count = max(4, int(rows * columns / size**2))
    ground = np.full((rows, columns), 255, np.uint8)
    ground[rng.integers(0, rows, count), rng.integers(0, columns, count)] = 0
    away, chip = cv2.distanceTransformWithLabels(
        ground, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    base = np.clip(rng.normal(between(rng, (90, 170)), 45, count + 2), 0, 255)[chip]
    rough = 20 * cloud(rng, rows, columns, 2.5) + 90 * (away / size) ** 2
    gray: Array = np.clip(base + rough, 0, 255).astype(np.uint8)
    return gray


def tadpoles(ink: Array, rng: Rng, paper: Paper, track: Track, y0: int, y1: int) -> None:
    """Dips: a disc with a tail, clustered at low angles."""
    y = float(y0)
    r = max(2.0, paper.dpi * 0.018)
    while y < y1:
        at = np.array([track.left + track.width * min(0.98, rng.exponential(0.2)), y])
        angle = rng.uniform(0, 2 * np.pi)
        tail = at + r * 2.6 * np.array([np.cos(angle), np.sin(angle)])
        centre = (round(at[0]), round(at[1]))
        cv2.circle(ink, centre, round(r), 255, -1 if chance(rng, 0.7) else max(1, round(r / 3)))
        cv2.line(ink, centre, (round(tail[0]), round(tail[1])), 255, max(1, round(r / 2)))
        y += paper.dpi * rng.exponential(0.06) + 1


def text_column(ink: Array, rng: Rng, paper: Paper, track: Track, y0: int, y1: int) -> None:
    """A geologist's descriptions, in blocks, now and then lying on their side."""
    y = y0 + int(paper.dpi * rng.random())
    while y < y1:
        rows = int(paper.dpi * between(rng, (0.3, 1.5)))
        columns = max(20, int(track.width * 0.95))
        if chance(rng, 0.12):
            block = np.rot90(paragraph(rng, paper, columns, rows), 3)
        else:
            block = paragraph(rng, paper, rows, columns)
        put(ink[:y1], block, track.left + 4, y)
        y += rows + int(paper.dpi * between(rng, (0.1, 1.5)))


def depth_numbers(
    ink: Array, rng: Rng, paper: Paper, track: Track, y0: int, y1: int, phase: float, step: float
) -> None:
    """Depths down the column, upright or turned, every so many grid rows."""
    size = max(6.0, min(paper.dpi * between(rng, (0.07, 0.13)), track.width * 0.3))
    turns = int(rng.choice((0, 0, 0, 3, 3, 1)))
    pen_px = max(1.0, paper.curve_px * between(rng, (0.4, 1.2)))
    face = draw_hand(rng, pen_px, size) if chance(rng, 0.12) else draw_face(rng)
    every = step * int(pick(rng, {"10": 0.5, "20": 0.25, "50": 0.25}))
    depth = int(rng.integers(1, 180)) * 100
    jump = int(pick(rng, {"100": 0.6, "50": 0.3, "10": 0.1}))
    middle = (track.left + track.right) / 2
    for n, y in enumerate(np.arange(phase % every - every, y1 + every, every)):
        if y0 < y < y1:
            text = str(depth + n * jump)
            write(ink, text, middle + rng.normal(0, 2), y, size, face,
                  turns=turns, centre=True)  # fmt: skip


PANELS = {
    "lithology": lithology,
    "density": density,
    "photo": photo,
    "tadpoles": tadpoles,
    "text": text_column,
}

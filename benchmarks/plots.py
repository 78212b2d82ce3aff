"""Whole logs with exact truth: who is who, and what is off its scale, from the first row to the last.

TotalDepth's SVG plots of real LIS and LAS files hold each curve as polylines.

    git clone https://github.com/paulross/TotalDepth    # docs/source/copy_to_html/*/*.svg
    python benchmarks/plots.py draw FOLDER_OF_SVG OUT   # in black, like a copied paper log of 200 dpi
    wellseg predict OUT/images --probability --out OUT/predicted
    python benchmarks/plots.py score OUT LEAP=0.3 DASHES=0,TURN=9
    python benchmarks/plots.py train FOLDER_OF_SVG DATA  # pages to train on, worn in many ways

Drawing needs rsvg-convert and pdftoppm (librsvg2-bin, poppler-utils). Each word of ``score`` is
today's curves with other constants of wellseg.curves; ``--true`` takes masks drawn from the truth.
"""

import json
import random
import re
import subprocess
import sys
import zlib
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "data" / "pages"))
from changes.black import WEAR, worn

from wellseg.curves import curve, linking, points, strands, window
from wellseg.curves.curve import CurveFollower
from wellseg.curves.points import Floats
from wellseg.curves.track_finder import find_tracks
from wellseg.scan.reader import open_scan
from wellseg.scan.writer import write_picture
from wellseg.scores.identity import score_identity

DPI = 200
SCALE = DPI / 96  # SVG has 96 user units an inch
LEFT_OUT = "HDT", "300032.S01", "200099.S07_0001_E"
"""A dipmeter, wraps by the hundred, and curves of nulls."""
WIDTHS, DOTS = (1.0, 1.3, 1.6, 2.0), "2,2"
HELD_OUT = "13596", "2851", "noelpoersch", "DILLSON"
"""Wells on whose plots nothing is trained."""
STRAIGHT_INCHES, STRAIGHT_PX = 0.75, 2
"""A curve that stays so straight for so long is as a line of the grid: it is ignored."""
SAME_PX, WRAP_PX, NEAR_PX = 1.5, 125, 5
"""Rows between two polylines of one curve; columns that a curve leaps where it wraps; how far from
a printed curve a followed one is on it."""
Curve = dict[str, Any]


def curves_of(svg: str) -> list[Curve]:
    """Printed curves: polylines of one stroke and dash, in the rows of the scan."""
    found: list[Curve] = []
    for part in re.split(r"Plot Curves START =+", svg)[1:]:
        for match in re.finditer(r"<polyline ([^>]*)/>", part.split("Plot Curves END")[0]):
            has = dict(re.findall(r'([\w-]+)="([^"]*)"', match[1]))
            look = has["stroke"], has.get("stroke-dasharray", "")
            line = SCALE * np.array([it.split(",") for it in has["points"].split()], float)
            last = found[-1] if found else None
            if last and last["look"] == look and abs(last["ends"] - line[0, 1]) < SAME_PX:
                leap = last["lines"][-1][-1, 0] - line[0, 0]
                last["turns"].append(last["turns"][-1] + int(np.sign(leap) * (abs(leap) > WRAP_PX)))
                last["lines"].append(line)
            else:
                found.append({"look": look, "lines": [line], "turns": [0]})
            found[-1]["ends"] = line[-1, 1]
    return found


def whole(found: list[Curve]) -> list[Curve]:
    """The same, with what lies above and below gaps without values put together."""
    curves: list[Curve] = []
    for one in found:
        x, y = np.concatenate(one["lines"]).T
        for other in curves:
            near = any(min(abs(y.min() - b), abs(y.max() - a)) < 2 * DPI for a, b in other["spans"])
            apart = all(y.max() <= a + 3 or y.min() >= b - 3 for a, b in other["spans"])
            beside = min(x.max(), other["right"]) - max(x.min(), other["left"]) > -0.3 * DPI
            if other["look"] == one["look"] and near and apart and beside:
                break
        else:
            other = {"look": one["look"], "lines": [], "turns": [], "spans": []}
            other |= {"left": x.min(), "right": x.max()}
            curves.append(other)
        other["lines"] += one["lines"]
        other["turns"] += one["turns"]
        other["spans"].append((y.min(), y.max()))
        other["left"], other["right"] = min(other["left"], x.min()), max(other["right"], x.max())
    return curves


def rows_of(one: Curve) -> Floats:
    """(n, 3): row, column and how many tracks it is printed aside; of each row and each corner."""
    parts = []
    for line, turn in zip(one["lines"], one["turns"], strict=True):
        down = line if line[-1, 1] >= line[0, 1] else line[::-1]
        rows = np.arange(np.ceil(down[0, 1]), np.floor(down[-1, 1]) + 1)
        places = np.stack([rows, np.interp(rows, down[:, 1], down[:, 0])], 1)
        places = np.concatenate([places, np.stack([down[:, 1].round(), down[:, 0]], 1)])
        parts.append(np.column_stack([places, np.full(len(places), turn)]))
    table = np.concatenate(parts)
    usual = np.bincount((table[:, 2] - table[:, 2].min()).astype(int)).argmax() + table[:, 2].min()
    table[:, 2] -= usual
    return table


def blacken(
    svg: str, width: float, dash: float, dots: tuple[float, float], lines: float = 1
) -> str:
    """A plot in black. width: of its curves. dash: by how much their dashes are longer. dots: their
    length and gap. lines: by how much the grid's lines are wider."""

    def dashes(match: re.Match[str]) -> str:
        lengths = [dash * float(it) for it in match[1].split(",")]
        given = dots if match[1] == DOTS else lengths
        return 'stroke-dasharray="{:.2f},{:.2f}"'.format(*given)

    def wider(match: re.Match[str]) -> str:
        return f'stroke-width="{float(match[1]) * lines:.2f}"'

    parts = re.split(r"(?==+ Plot Curves)", svg)
    for i, part in enumerate(parts):
        if re.match(r"=+ Plot Curves START", part):
            thick = re.sub(r'stroke-width="[\d.]+"', f'stroke-width="{width:.2f}"', part)
            parts[i] = re.sub(r'stroke-dasharray="([\d.,]+)"', dashes, thick)
        elif lines != 1:
            parts[i] = re.sub(r'stroke-width="([\d.]+)"', wider, part)
    return re.sub(r'(stroke|fill)="(?!none|white|black)[^"]*"', r'\1="black"', "".join(parts))


def rendered(svg: str, dpi: int, work: Path, colour: bool = False) -> Any:
    """The pixels of a plot, uint8 (rows, columns), in colours (rows, columns, 3) as BGR."""
    work.with_suffix(".svg").write_text(svg)
    pdf, how = work.with_suffix(".pdf"), [] if colour else ["-gray"]
    subprocess.run(["rsvg-convert", "-f", "pdf", "-o", pdf, f"{work}.svg"], check=True)
    subprocess.run(["pdftoppm", "-r", str(dpi), *how, "-singlefile", pdf, work], check=True)
    made = cv2.imread(f"{work}.{'ppm' if colour else 'pgm'}", cv2.IMREAD_UNCHANGED)
    assert made is not None
    return made


def heavier(svg: str, pick: random.Random) -> str:
    """A plot with some lines down that are heavier than others, or are two, as in real grids."""
    share = pick.choice([0, 0.04, 0.1, 0.2])

    def change(match: re.Match[str]) -> str:
        line = match[0]
        if len(set(re.findall(r'x[12]="([\d.]+)in"', line))) != 1 or pick.random() > share:
            return line
        line = re.sub(r'stroke-width="[\d.]+"', f'stroke-width="{pick.uniform(1, 2.6):.2f}"', line)
        if pick.random() > 0.3:
            return line
        beside = pick.uniform(0.03, 0.06)
        return line + re.sub(
            r'(x[12])="([\d.]+)in"', lambda it: f'{it[1]}="{float(it[2]) + beside:.3f}in"', line
        )

    above, *curves = re.split(r"(?==+ Plot Curves START)", svg, maxsplit=1)
    return re.sub(r"<line [^>]*/>", change, above) + "".join(curves)


def by_course(line: Floats, dpi: int) -> list[tuple[bool, Floats]]:
    """Parts of a polyline, and whether they go straight down, as what no ink tells from the grid."""
    x, y = (line if line[-1, 1] >= line[0, 1] else line[::-1]).T
    rows, length = np.arange(np.ceil(y[0]), np.floor(y[-1]) + 1), round(STRAIGHT_INCHES * dpi)
    if len(rows) <= length:
        return [(False, line)]
    column, is_straight = np.interp(rows, y, x), np.zeros(len(rows), bool)
    near = np.lib.stride_tricks.sliding_window_view(column, length)
    for i in np.flatnonzero(np.ptp(near, 1) < STRAIGHT_PX):
        is_straight[i : i + length] = True
    bends = [0, *np.flatnonzero(np.diff(is_straight)) + 1, len(rows) - 1]
    parts = []
    for start, stop in pairwise(bends):
        within = (rows[start] < y) & (y < rows[stop])
        ends = [[column[i], rows[i]] for i in (start, stop)]
        part = np.concatenate([ends[:1], np.stack([x, y], 1)[within], ends[1:]])
        parts.append((bool(is_straight[start]), part))
    return parts


def train(svgs: Path, out: Path) -> None:
    """A data set of pages of 1,000 rows: plots twice in black, worn, and once in their colours."""
    for part in ("images", "masks"):
        (out / part).mkdir(parents=True, exist_ok=True)
    lines = ["name,split,well,kind"]
    for path, letter in product(sorted(svgs.rglob("*.svg")), "abc"):
        svg, name, seed = path.read_text(), path.stem, path.stem + letter
        left_out = any(word in name for word in LEFT_OUT) or name.startswith(HELD_OUT)
        if left_out or "Plot Curves" not in svg:
            continue
        pick, rng = random.Random(seed), np.random.default_rng(zlib.crc32(seed.encode()))
        if letter == "c":
            dpi, kind = pick.choice([100, 150, 200]), "colour"
            width = max(2, round(dpi / 96))
            picture = rendered(svg, dpi, out / "drawing", colour=True)[..., ::-1]
        else:
            pen, grid = pick.uniform(1, 2.4), pick.choice([1, 1, 1.6, 2.4, 3])
            dash = pick.uniform(1.4, 2.8)
            dots = pen * pick.uniform(1.2, 2), pen * pick.uniform(2.2, 4.5)
            dpi, kind = pick.choice([200, 200, 240]), "1-bit"
            width = max(3, round(pen * dpi / 96))
            black = blacken(svg, pen, dash, dots, grid)
            black = rendered(heavier(black, pick), dpi, out / "drawing")
            how = rng.uniform(*np.transpose(WEAR))
            specks = rng.random(black.shape, np.float32) < rng.choice([0, 1e-4, 3e-4])
            picture = np.where(specks, np.uint8(0), worn(black, rng, how))
        mask = np.zeros(picture.shape[:2], np.uint8)
        parts = [
            part
            for one in curves_of(svg)
            for line in one["lines"]
            for part in by_course(line * dpi / DPI, dpi)
        ]
        ignored = 255 if kind == "colour" else 128
        for straight, value in ((True, ignored), (False, 255)):
            found = [np.rint(part * 16).astype(np.int32) for is_, part in parts if is_ == straight]
            thick = width + 8 * (value == 128)
            cv2.polylines(mask, found, False, value, thick, cv2.LINE_8, 4)
        for top in range(0, len(mask) - 300, 1000):
            rows = slice(top, top + 1000)
            write_picture(out / "images" / f"{seed}_{top}.tif", picture[rows], dpi=dpi, kind=kind)
            write_picture(out / "masks" / f"{seed}_{top}.tif", mask[rows], dpi=dpi)
            lines.append(f"{seed}_{top},train,{name.partition('.')[0]},{kind}")
        print(seed, picture.shape, flush=True)
    (out / "split.csv").write_text("\n".join(lines) + "\n")


def draw(svgs: Path, out: Path) -> None:
    """OUT/images and OUT/labels of all plots in a folder."""
    for part in ("images", "labels"):
        (out / part).mkdir(parents=True, exist_ok=True)
    for path in sorted(svgs.rglob("*.svg")):
        if any(word in path.name for word in LEFT_OUT) or "Plot Curves" not in path.read_text():
            continue
        svg, name = path.read_text(), path.stem
        width, printed = random.Random(name).choice(WIDTHS), curves_of(svg)
        svg = blacken(svg, width, 2.2, (1.6 * width, 3.2 * width))
        paper = rendered(svg, DPI, out / "drawing")
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        picture = worn(paper, rng)
        write_picture(out / "images" / f"{name}.tif", picture, dpi=DPI, kind="1-bit")
        curves = [
            {
                "rows": rows_of(one).round(1).tolist(),
                "lines": [it.round(1).tolist() for it in one["lines"]],
            }
            for one in whole(printed)
        ]
        (out / "labels" / f"{name}.json").write_text(json.dumps(curves))
        print(name, picture.shape, len(curves), flush=True)


def found_aside(stretch: Floats, followed: Any) -> float:
    """Share of a stretch off its scale, as of `rows_of`, that the best of the followed curves is on
    and has on that side of its scale. followed: curves, their points and pixels set back."""
    rows, columns, turns = stretch.T
    shares = [0.0]
    for one, its, back in followed:
        place = rows.astype(int) - one.first_row
        inside = (place >= 0) & (place < len(back))
        place, column, turn = place[inside], columns[inside], turns[inside]
        near = abs(its.column[place] - column) <= NEAR_PX
        shares.append(float((near & (np.sign(back[place]) == np.sign(turn))).sum()) / len(rows))
    return max(shares)


def score(out: Path, variants: list[str], is_true: bool) -> None:
    """Print IDF1 over whole logs, and how many stretches off the scale are found, by variant."""
    logs = []
    for path in sorted((out / "labels").glob("*.json")):
        label = json.loads(path.read_text())
        truth = [np.array(one["rows"]) for one in label]
        with open_scan(out / "images" / f"{path.stem}.tif") as scan:
            tracks, picture = find_tracks(scan.read, range(scan.rows), DPI), scan.read(0, scan.rows)
        if is_true:
            probability = np.zeros(picture.shape, np.uint8)
            lines = [np.rint(line).astype(np.int32) for one in label for line in one["lines"]]
            cv2.polylines(probability, lines, False, 250, 3)
        else:
            with open_scan(out / "predicted" / f"{path.stem}.probability.tif") as made:
                probability = made.read(0, made.rows)
        logs.append((picture, probability, tracks, truth))
    for variant in ["", *variants]:
        before = []
        for word in filter(None, variant.split(",")):
            name, value = word.split("=")
            for module in (points, linking, window, curve, strands):
                if hasattr(module, name):
                    before.append((module, name, getattr(module, name)))
                    setattr(module, name, float(value))
        scores, wraps, hits, names = [], 0, 0, 0
        for picture, probability, tracks, truth in logs:
            follower = CurveFollower(DPI, tracks=tracks)
            mask = np.where(probability > 127, np.uint8(255), np.uint8(0))
            follower.add(picture, mask, probability)
            follower.finish()
            followed = [(it, it.points(), it.set_back()) for it in follower.curves]
            rows = np.concatenate([one[:, 0] for one in truth])
            about = {"region": [rows.min(), rows.max() + 1, 0, picture.shape[1]]}
            about["whole"] = [{"path": one[:, [1, 0]], "width": 3} for one in truth]
            lines = [(it.first_row, its.column) for it, its, _ in followed]
            scores.append(score_identity(about, picture.shape, lines, DPI))
            names += len(followed)
            for one in truth:
                for turn in np.unique(one[one[:, 2] != 0, 2]):
                    wraps += 1
                    hits += found_aside(one[one[:, 2] == turn], followed) >= 0.5
        mean, edits = np.mean([it.idf1 for it in scores]), sum(it.edits for it in scores)
        print(f"{variant or 'as it is':30} IDF1 {mean:.3f} edits {edits:,} names {names}", end="")
        print(f" curves off their scale {hits} of {wraps}", flush=True)
        for module, name, value in before:
            setattr(module, name, value)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--true"]
    if len(words) < 2:
        sys.exit(__doc__)
    if words[0] in ("draw", "train"):
        {"draw": draw, "train": train}[words[0]](Path(words[1]), Path(words[2]))
    else:
        score(Path(words[1]), words[2:], "--true" in sys.argv)

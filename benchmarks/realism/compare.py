"""Put real scans beside synthetic logs at the same scale, and measure both.

    python benchmarks/realism/compare.py --real FOLDER_OF_SCANS   # pages of pairs and a table
    python benchmarks/realism/compare.py --page page.png          # one page of synthetic logs alone

Pictures go to benchmarks/realism/out, which git ignores: nothing cut from a scan belongs into the
repository. The table in README.md holds numbers only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import jsonargparse
import numpy as np
from numpy.typing import NDArray

from wellseg.corpus import KINDS, draw_log
from wellseg.scan import ScanError, is_scan_file
from wellseg.scan.pictures import to_gray
from wellseg.scan.reader import open_scan

Gray = NDArray[np.uint8]
HERE = Path(__file__).parent
WINDOW_ROWS = 1000
"""Rows of a measured window, of full width: more than any grid's period."""
CROP = (460, 640)
"""Rows x columns of a crop on a page, shown pixel by pixel."""
LEAST_INK = 0.004
"""Windows with less are blank paper."""
SPECK_AREA_PX = 12
"""Connected ink of up to that many pixels counts as dirt (a dot of a curve has 20 or more)."""


def runs(black: NDArray[np.bool_], axis: int) -> NDArray[np.int32]:
    """Length of the run of ink along ``axis`` that each ink pixel lies in; 0 on paper."""
    lines = black if axis == 1 else black.T
    padded = np.zeros((lines.shape[0], lines.shape[1] + 2), np.int8)
    padded[:, 1:-1] = lines
    step = np.diff(padded, axis=1).ravel()
    start, stop = np.flatnonzero(step == 1), np.flatnonzero(step == -1)
    flat = np.zeros(lines.shape[0] * (lines.shape[1] + 1), np.int32)
    flat[start] = stop - start
    flat[stop] -= stop - start
    out = np.cumsum(flat).reshape(lines.shape[0], -1)[:, :-1]
    return (out if axis == 1 else out.T).astype(np.int32)


def spacing(profile: NDArray[np.float64]) -> float:
    """Period in px of the strongest regular pattern between 12 and 220 px, nan without one."""
    fine = profile - cv2.blur(profile.reshape(1, -1), (301, 1)).ravel()
    spectrum = np.fft.rfft(fine, 2 * len(fine))
    echo = np.fft.irfft(np.abs(spectrum) ** 2)[: len(fine)]
    echo = echo / max(echo[0], 1e-9)
    lags = np.arange(12, min(220, len(fine) // 3))
    if len(lags) < 3:
        return float("nan")
    part = echo[lags]
    peaks = [k for k in range(1, len(part) - 1) if part[k] >= part[k - 1] and part[k] > part[k + 1]]
    strong = [k for k in peaks if part[k] > 0.2 and part[k] > 0.75 * part.max()]
    return float(lags[strong[0]]) if strong else float("nan")


def measure(gray: Gray) -> dict[str, float]:
    """Statistics of one window: uint8 (rows, columns), 0 black .. 255 white."""
    black = gray < 128
    across, down = runs(black, 1), runs(black, 0)
    stroke = np.minimum(across, down)[black]
    _, _, parts, _ = cv2.connectedComponentsWithStats(black.astype(np.uint8), connectivity=8)
    areas = parts[1:, cv2.CC_STAT_AREA]
    boxes = np.maximum(parts[1:, cv2.CC_STAT_WIDTH], parts[1:, cv2.CC_STAT_HEIGHT])
    mpx = gray.size / 1e6
    edges = np.count_nonzero(black[:, 1:] != black[:, :-1]) + np.count_nonzero(
        black[1:] != black[:-1]
    )
    return {
        "ink share, %": 100 * float(black.mean()),
        "gray pixels (24-231), %": 100 * float(((gray >= 24) & (gray < 232)).mean()),
        "stroke width p10, px": float(np.percentile(stroke, 10)),
        "stroke width median, px": float(np.median(stroke)),
        "stroke width p90, px": float(np.percentile(stroke, 90)),
        "ink in runs across > 100 px, %": 100 * float((across[black] > 100).mean()),
        "ink in runs down > 100 px, %": 100 * float((down[black] > 100).mean()),
        "edge px per ink px": edges / max(1, int(black.sum())),
        "specks per Mpx (<= 12 px)": float((areas <= SPECK_AREA_PX).sum()) / mpx,
        "pieces per Mpx (13-200 px)": float(((areas > SPECK_AREA_PX) & (areas <= 200)).sum()) / mpx,
        "pieces per Mpx over 200 px long": float((boxes > 200).sum()) / mpx,
        "grid rows, px": spacing(black.mean(axis=1)),
        "grid columns, px": spacing(black.mean(axis=0)),
    }


def real_windows(folder: Path, per_scan: int) -> Iterator[tuple[bool, Gray]]:
    """(one bit?, window) from everywhere below the header of each scan."""
    for n, path in enumerate(sorted(p for p in folder.iterdir() if is_scan_file(p))):
        rng = np.random.default_rng(n)
        try:
            with open_scan(path) as scan:
                for _ in range(per_scan):
                    y = int(rng.uniform(0.08, 0.95) * max(1, scan.rows - WINDOW_ROWS))
                    gray = scan.read(y, min(scan.rows, y + WINDOW_ROWS))
                    one_bit = not np.any((gray > 0) & (gray < 255))
                    # Narrow 1-bit files are prints and reduced copies, of a render's resolution.
                    yield one_bit and gray.shape[1] > 1400, gray
        except ScanError as error:
            print(f"left out: {error}")


def synthetic_windows(seed: int, count: int) -> Iterator[tuple[bool, Gray]]:
    for index in range(count):
        log = draw_log(seed, index, "train")
        yield log.about["kind"] == "paper", to_gray(log.image[:WINDOW_ROWS])


def colour_page(seed: int, count: int, path: Path) -> None:
    """Pieces of drawn logs that have curves, in their colours, as many of each kind of page."""
    rng, index = np.random.default_rng(seed), 0
    pieces: list[Gray] = []
    while len(pieces) < count:
        kind = list(KINDS)[len(pieces) % len(KINDS)]
        log = draw_log(seed, index := index + 1, "train")
        if log.about["kind"] != kind or (log.mask == 255).mean() < 0.005:
            continue
        image = log.image if log.image.ndim == 3 else np.repeat(log.image[..., None], 3, axis=2)
        pieces.append(crop(image, rng))
    sheet([pieces[n::4] for n in range(4)], path)


def table(real: list[Gray], drawn: list[Gray]) -> list[str]:
    """Lines of a Markdown table: p10, median and p90 over the windows of both sides."""
    sides = [[measure(w) for w in windows] for windows in (real, drawn)]
    lines = [
        f"| p10 / median / p90 over windows | real ({len(real)}) | synthetic ({len(drawn)}) |",
        "|---|---|---|",
    ]
    for name in sides[0][0]:
        cells = []
        for side in sides:
            low, middle, high = np.nanpercentile([m[name] for m in side], (10, 50, 90))
            cells.append(f"{low:.3g} / {middle:.3g} / {high:.3g}")
        lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
    return lines


def crop(gray: Gray, rng: np.random.Generator) -> Gray:
    """The inkiest of a few crops of CROP, on gray where the window is smaller."""
    best = gray[: CROP[0], : CROP[1]]
    for _ in range(6):
        y = int(rng.integers(max(1, gray.shape[0] - CROP[0])))
        x = int(rng.integers(max(1, gray.shape[1] - CROP[1])))
        part = gray[y : y + CROP[0], x : x + CROP[1]]
        if part.shape[:2] == CROP and 0.3 > (part < 128).mean() > (best < 128).mean():
            best = part
    out = np.full((*CROP, *gray.shape[2:]), 128, np.uint8)
    out[: best.shape[0], : best.shape[1]] = best
    return out


def sheet(columns: list[list[Gray]], path: Path) -> None:
    """A page with one column of crops for each list."""
    rows = min(len(c) for c in columns)
    if not rows:
        return
    edge = ((4, 4), (4, 4), (0, 0))[: columns[0][0].ndim]
    lines = [np.hstack([np.pad(c[i], edge, constant_values=90) for c in columns])
             for i in range(rows)]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(lines)[..., ::-1] if len(edge) == 3 else np.vstack(lines))
    print(f"{path}: {rows} x {len(columns)} crops")


def compare(
    real: Path | None = None,
    page: Path | None = None,
    out: Path = HERE / "out",
    seed: int = 7,
    count: int = 150,
    per_scan: int = 3,
    rows: int = 6,
) -> None:
    """Compare the corpus with real scans, or draw a page of it.

    Args:
        real: Folder of scans. Without it nothing is compared.
        page: Write one picture of synthetic logs alone to this file.
        out: Where pages of pairs and table.md go.
        seed: Of the corpus; choose another than training's.
        count: Synthetic windows measured.
        per_scan: Real windows measured, of each scan.
        rows: Crops down a page.
    """
    cv2.setNumThreads(1)
    if page is not None:
        colour_page(seed, 16, page)
    if real is None:
        return
    rng = np.random.default_rng(seed)
    drawn = list(synthetic_windows(seed, count))
    drawn = [(scan, w) for scan, w in drawn if (w < 128).mean() > LEAST_INK]
    found = [(scan, w) for scan, w in real_windows(real, per_scan) if (w < 128).mean() > LEAST_INK]
    text = []
    for name, kind in (("scans", True), ("renders", False)):
        left = [w for scan, w in found if scan == kind]
        right = [w for scan, w in drawn if scan == kind]
        order = rng.permutation(len(left))
        a = [crop(left[i], rng) for i in order[: 2 * rows]]
        b = [crop(w, rng) for w in right[: 2 * rows]]
        for p in range(2):
            part = slice(p * rows, (p + 1) * rows)
            sheet([a[part], b[part]], out / f"{name}{p}.png")
        text += [f"### {name}", "", *table(left, right), ""]
    (out / "table.md").write_text("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    jsonargparse.auto_cli(compare)

"""Are the corpus's curves shaped like measured ones? Measures both, family by family.

    python benchmarks/realism/shapes.py FOLDER_OF_LAS_FILES

Every curve lies on the scale that its family is printed on, 0 the left and 1 the right border of its
track, read every half foot (0.1524 m): what a pen draws. Statistics are of windows of 300 readings.
The tables in README.md hold numbers only.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonargparse
import numpy as np
from numpy.typing import NDArray

from wellseg.corpus import curves
from wellseg.corpus.recipe import log_between

Array = NDArray[np.float64]
STEP_M = 0.1524
WINDOW = 300
SPIKE = 0.08
"""Share of the track by which a reading has to leave both the readings before and after it to be a spike."""


def decades(x: Array) -> Array:
    return np.log10(np.maximum(x, 1e-3) / 0.2) / 4  # 0.2 to 2000 ohm m


def own_scale(x: Array) -> Array:
    """Of SP, whose scale is chosen for each well: its middle nine tenths on two thirds of a track."""
    low, high = np.nanpercentile(x, (5, 95))
    return np.asarray(0.17 + 0.66 * (x - low) / max(high - low, 1e-9))


def sonic(x: Array) -> Array:
    feet = x if np.nanmedian(x) < 200 else x * 0.3048  # us/m
    return (140 - feet) / 100


def density(x: Array) -> Array:
    grams = x if np.nanmedian(x) < 10 else x / 1000
    return grams - 1.95


def neutron(x: Array) -> Array:
    share = x if np.nanmedian(x) < 1.5 else x / 100
    return (0.45 - share) / 0.6


def caliper(x: Array) -> Array:
    inches = x if np.nanmedian(x) < 40 else x / 25.4
    return (inches - 6) / 10


Family = tuple[tuple[str, ...], Callable[[Array], Array], tuple[Callable[..., Array], ...]]
FAMILIES: dict[str, Family] = {
    "gamma ray": (("GR", "GAMN"), lambda x: x / 150, (curves.gamma_ray,)),
    "SP": (("SP",), own_scale, (curves.spontaneous_potential,)),
    "resistivity, log scale": (
        (
            "ILD",
            "ILM",
            "SFLU",
            "LLD",
            "LLS",
            "RDEP",
            "RMED",
            "RSHA",
            "RXO",
            "AF90",
            "AF30",
            "AF10",
            "MLL",
            "SN",
        ),
        decades,
        (curves.resistivity,),
    ),
    "sonic": (("DT", "DTC", "AC"), sonic, (curves.sonic,)),
    "density": (("RHOB", "DEN"), density, (curves.porosity,)),
    "neutron": (("NPHI", "NEU"), neutron, (curves.porosity,)),
    "caliper": (("CALI", "CAL1"), caliper, (curves.caliper,)),
}


def measured(
    folder: Path, names: tuple[str, ...], scale: Callable[[Array], Array]
) -> Iterator[Array]:
    import lasio

    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".las"):
        try:
            las = lasio.read(path)
        except Exception as error:  # whatever a stranger's file holds
            print(f"{path.name}: {error}")
            continue
        depth = np.asarray(las.index, np.float64) * (
            0.3048 if las.well.STRT.unit.upper().startswith("F") else 1
        )
        if len(depth) < WINDOW or not 0.01 < abs(depth[1] - depth[0]) < 0.3:
            continue
        order = np.argsort(depth)
        every = np.arange(depth.min(), depth.max(), STEP_M)
        for name in names:
            if name not in las.curves:
                continue
            x = np.asarray(las[name], np.float64)[order]
            there = np.isfinite(x) & (x > -900)
            if there.sum() < WINDOW:
                continue
            x = scale(np.interp(every, depth[order][there], x[there]))
            missing = np.interp(every, depth[order], there.astype(float)) < 1
            for start in range(0, len(x) - WINDOW + 1, WINDOW):
                part = slice(start, start + WINDOW)
                if not missing[part].any() and -0.5 < np.median(x[part]) < 1.5:
                    yield x[part]


def drawn(shapes: tuple[Callable[..., Array], ...], number: int = 300) -> Iterator[Array]:
    for seed in range(number):
        rng = np.random.default_rng(seed)
        beds = curves.draw_beds(
            rng, WINDOW, 40 * log_between(rng, (0.025, 0.3))
        )  # 5 rows a reading, 200 dpi
        yield shapes[seed % len(shapes)](rng, beds)


def statistics(x: Array) -> dict[str, float]:
    step = np.abs(np.diff(x))
    fine = x - curves.smooth(x, 1.0)
    middle = curves.smooth(x, 1.0) - curves.smooth(x, 4.0)
    coarse = curves.smooth(x, 4.0) - curves.smooth(x, 16.0)
    around = np.stack([x[:-8], x[8:]])
    out = np.maximum(x[4:-4] - around.max(0), around.min(0) - x[4:-4])
    spike = out > SPIKE
    begins = spike[1:] & ~spike[:-1]
    return {
        "band p5-p95": float(np.percentile(x, 95) - np.percentile(x, 5)),
        "step, median": float(np.median(step)),
        "step, p99": float(np.percentile(step, 99)),
        "steps under 0.001, %": 100 * float(np.mean(step < 0.001)),
        "sd finer than 3 ft": float(fine.std()),
        "sd 3 to 12 ft": float(middle.std()),
        "sd 12 to 50 ft": float(coarse.std()),
        "sd coarser": float(curves.smooth(x, 16.0).std()),
        "spikes a window": float(begins.sum()),
        "spike height": float(out[spike].max()) if spike.any() else 0.0,
        "jumps over 0.1 a window": float(np.sum(np.abs(x[2:] - x[:-2]) > 0.1)),
    }


def triple(values: list[float]) -> str:
    return " / ".join(f"{value:.2g}" for value in np.percentile(values, (10, 50, 90)))


def main(las: Path) -> None:
    """Print the tables.

    Args:
        las: Folder of LAS files.
    """
    warnings.simplefilter("ignore")
    for family, (names, scale, shapes) in FAMILIES.items():
        sides = [
            [statistics(x) for x in windows]
            for windows in (measured(las, names, scale), drawn(shapes))
        ]
        print(
            f"\n| {family}: p10 / median / p90 | measured, {len(sides[0])} | drawn, {len(sides[1])} |\n|---|---|---|"
        )
        for name in sides[1][0]:
            print(
                f"| {name} | "
                + " | ".join(triple([each[name] for each in side]) for side in sides)
                + " |"
            )


if __name__ == "__main__":
    jsonargparse.auto_cli(main)

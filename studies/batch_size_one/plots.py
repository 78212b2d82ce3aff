"""The comparison's figures: matplotlib, as SVG that takes the page's colours, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from studies.batch_size_one.findings import SET_TITLES, Findings, Scored
from studies.batch_size_one.results import Row
from studies.batch_size_one.scores import EVALUATION, LAYERWISE, PRECISE, TRAINING
from studies.batch_size_one.train import MOMENTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# matplotlib draws with these; the page has a variable for each.
INK, GRID = "#010203", "#010204"
COLOURS = {
    ("group", EVALUATION): "#010205",
    ("batch", EVALUATION): "#010206",
    ("batch", TRAINING): "#010207",
    ("batch", PRECISE): "#010208",
    ("batch", LAYERWISE): "#010209",
}
VARIABLES = {
    INK: "ink", GRID: "line",
    **{colour: f"{arm}-{mode}" for (arm, mode), colour in COLOURS.items()},
}  # fmt: skip
STYLES = {EVALUATION: "-", TRAINING: "--", PRECISE: ":", LAYERWISE: "-."}
INCHES = (4.4, 3.1)


@contextmanager
def panel(title: str, inches: tuple[float, float] = INCHES) -> Iterator[tuple[Axes, list[str]]]:
    """Axes to draw on; the list then holds the SVG."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif", "font.size": 10,
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GRID, "xtick.color": INK, "ytick.color": INK,
        "grid.color": GRID, "axes.grid": True, "grid.linewidth": 0.6, "axes.spines.top": False,
        "axes.spines.right": False, "legend.frameon": False, "axes.axisbelow": True,
    }  # fmt: skip
    found: list[str] = []
    with rc_context(settings):
        figure = Figure(figsize=inches, layout="constrained")
        figure.patch.set_alpha(0)
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        figure.suptitle(title, x=0.01, horizontalalignment="left", fontsize=10.5)
        yield axes, found
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    found.append(inline(file.getvalue(), title))


def inline(svg: str, title: str) -> str:
    """A matplotlib SVG as a part of a page: no prologue, ids of its own, the page's colours and font."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    own = "f" + re.sub(r"\W+", "-", title.lower())
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{own}-\1"', svg)
    svg = re.sub(r'(url\(#|xlink:href="#)', rf"\1{own}-", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", svg)
    for colour, name in VARIABLES.items():
        svg = svg.replace(colour, f"var(--{name})")
    head = re.match(r"<svg[^>]*>", svg)
    assert head
    box = re.search(r'viewBox="[^"]+"', head[0])
    assert box
    opening = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {box[0]} aria-hidden="true" focusable="false">'
    return opening + svg[head.end() :]


def over_training(findings: Findings, test_set: str, run: str = "main") -> str:
    """F1@3px at the moments of training, constant rate; the ends after annealing as single marks."""
    with panel(f"F1@3px over training: {SET_TITLES[test_set]}", (4.4, 3.8)) as (axes, found):
        for (arm, mode), colour in COLOURS.items():
            shares, means = [], []
            for moment, share in MOMENTS.items():
                scores = findings.scores(Scored(arm, mode, "constant", moment, run), test_set)
                if len(scores):
                    shares.append(share)
                    means.append(scores.mean(axis=1))
            if not shares:
                continue
            label = "GroupNorm" if arm == "group" else f"BatchNorm v1, {mode}"
            centre = [float(each.mean()) for each in means]
            axes.plot(
                shares, centre, STYLES[mode], color=colour, label=label, marker="o", markersize=3
            )
            for share, each in zip(shares, means, strict=True):
                axes.plot([share] * len(each), each, "o", color=colour, markersize=2, alpha=0.45)
            end = findings.scores(Scored(arm, mode, "annealed", "end", run), test_set)
            if len(end):
                axes.plot(
                    [0.75, 1.06],
                    [centre[shares.index(0.75)], end.mean()],
                    ":",
                    color=colour,
                    linewidth=0.8,
                )
                axes.plot([1.06], [end.mean()], "D", color=colour, markersize=5)
        axes.set_ylim(0, 1)
        axes.set_xticks([*MOMENTS.values(), 1.06], ["10 %", "40 %", "75 %", "end", "\nannealed"])
        axes.set_xlabel("share of the steps; ◆ annealed over the last quarter")
        axes.figure.legend(fontsize=8, loc="outside lower center", ncols=2)
    return found[0]


def forest(findings: Findings, test_set: str) -> str:
    """Every arm in evaluation mode at the annealed end: seeds as dots, the mean with its interval."""
    ways = [way for way in findings.main_ways() if findings.select(way, test_set)]
    with panel(f"F1@3px, annealed: {SET_TITLES[test_set]}", (4.4, 0.9 + 0.26 * len(ways))) as (
        axes,
        found,
    ):
        for place, way in enumerate(reversed(ways)):
            estimate = findings.estimate(way, test_set)
            assert estimate
            colour = COLOURS.get((way.arm, way.mode), INK)
            axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=2)
            seeds = findings.scores(way, test_set).mean(axis=1)
            axes.plot(seeds, [place] * len(seeds), "o", color=colour, markersize=2.5, alpha=0.5)
            axes.plot([estimate.mean], [place], "D", color=colour, markersize=5)
        names = [
            way.arm + ("" if way.mode == EVALUATION else f" · {way.mode}") for way in reversed(ways)
        ]
        axes.set_yticks(range(len(ways)), names)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.6, len(ways) - 0.4)
        axes.grid(visible=False, axis="y")
    return found[0]


def divergence_by_layer(layers: list[Row], arm: str, test_set: str) -> str:
    """KL divergence of an image's statistics from the running ones, in two parts, in the order of the net."""
    names, parts = by_layer(layers, arm, test_set)
    with panel(f"Divergence by layer, {arm}: {SET_TITLES[test_set]}", (4.4, 3.4)) as (axes, found):
        place = np.arange(len(names))
        axes.bar(place, parts[0], color=COLOURS["batch", EVALUATION], label="mean part")
        axes.bar(
            place, parts[1], bottom=parts[0], color=COLOURS["batch", PRECISE], label="variance part"
        )
        axes.set_xticks(place, names, rotation=90, fontsize=8)
        axes.set_ylabel("KL, nats per channel")
        axes.grid(visible=False, axis="x")
        axes.legend(fontsize=8)
    return found[0]


def by_layer(
    layers: list[Row], arm: str, test_set: str
) -> tuple[list[str], np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """Layers of the annealed end in order, and (2, layers): mean and variance part, averaged over seeds."""
    wanted = {
        "run": "main",
        "arm": arm,
        "schedule": "annealed",
        "moment": "end",
        "test_set": test_set,
    }
    rows = [row for row in layers if all(row[key] == value for key, value in wanted.items())]
    names = list(dict.fromkeys(row["layer"] for row in rows))
    parts = [
        [np.mean([float(row[part]) for row in rows if row["layer"] == name]) for name in names]
        for part in ("kl_mean", "kl_variance")
    ]
    return names, np.array(parts)


def divergence_over_training(layers: list[Row], arms: list[str], test_set: str) -> str:
    """The mean over layers of the whole divergence at each moment, constant rate; annealed ends as marks."""
    with panel(f"Divergence over training: {SET_TITLES[test_set]}") as (axes, found):
        for arm in arms:
            colour = COLOURS.get((arm, EVALUATION), INK)
            points = over_moments(layers, arm, test_set)
            trunk = [points.get(("constant", moment), np.nan) for moment in MOMENTS]
            axes.plot(list(MOMENTS.values()), trunk, {"renorm": "--", "online": ":"}.get(arm, "-o"), color=colour,
                      markersize=3, label=arm)  # fmt: skip
            if ("annealed", "end") in points:
                axes.plot([1.06], [points["annealed", "end"]], "D", color=colour, markersize=5)
        axes.set_yscale("symlog", linthresh=0.1)
        axes.set_ylim(bottom=0)
        axes.set_xticks([*MOMENTS.values(), 1.06], ["10 %", "40 %", "75 %", "end", "\nannealed"])
        axes.set_ylabel("KL, nats per channel")
        axes.figure.legend(fontsize=8, loc="outside lower center", ncols=4)
    return found[0]


def over_moments(layers: list[Row], arm: str, test_set: str) -> dict[tuple[str, str], float]:
    """(schedule, moment) -> divergence, both parts, averaged over layers and seeds."""
    values: dict[tuple[str, str], list[float]] = {}
    for row in layers:
        if (row["run"], row["arm"], row["test_set"]) == ("main", arm, test_set):
            total = float(row["kl_mean"]) + float(row["kl_variance"])
            values.setdefault((row["schedule"], row["moment"]), []).append(total)
    return {key: float(np.mean(each)) for key, each in values.items()}

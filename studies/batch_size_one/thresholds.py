"""F1 at another threshold than 0.5, at which all else is scored: for each seed at the one that is
best for the other seeds, on the same logs. So no seed chooses its own; that the logs are the same
flatters all ways alike. 0.025 is the lowest that was scored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from studies.batch_size_one.figures import SHORT, SHORT_SETS
from studies.batch_size_one.findings import FASTER, GROUP, OWN, V1, best_rates
from studies.batch_size_one.page.words import MIXED
from studies.batch_size_one.plan import FIRST_SEEDS, RATES, STEPS
from studies.batch_size_one.statistics import Array
from studies.batch_size_one.table import Table, Way, numbers

SETS = "like", "renders"
"""Drawn logs: real ones were scored at 0.5 alone."""
HALF = 10
"""Place of 0.5 among the thresholds."""


def both(table: Table, way: Way, rate: float, name: str, **at: Any) -> tuple[Array, Array]:
    """F1 of each of the first seeds, a mean over the logs with curves, (seeds,): at 0.5, and at the
    threshold that is best for the others. Empty where there are fewer than two seeds."""
    rows = table.of(way, rate, name, **at)
    texts = [rows[seed]["f1_by_threshold"] for seed in rows if seed < FIRST_SEEDS]
    curves = np.array([numbers(text) for text in texts if text])
    if len(curves) < 2:
        return np.empty(0), np.empty(0)
    each = range(len(curves))
    best = [int(np.delete(curves, i, 0).mean(0).argmax()) for i in each]
    return curves[:, HALF], curves[each, best]


def said(half: Array, best: Array) -> str:
    """Two means of differences, and in brackets the seeds of the latter."""
    if not len(best):
        return ""
    seeds = ", ".join(f"{value:+.3f}" for value in best)
    return f"{half.mean():+.3f}, {best.mean():+.3f} ({seeds})".replace("-", "−")


def longer(table: Table) -> Iterable[tuple[str, ...]]:
    """Lines of a table: parts A, G and H, all of the same seeds."""
    rates, parts = best_rates(table), [part for part in "AGH" if table.has(part)]
    places = [(name, part) for name in SETS for part in parts]
    heads = (f"{SHORT_SETS[name]}, {STEPS[part]:,} steps" for name, part in places)
    yield "F1@3px at 0.5, and at the others’ threshold", *heads

    def found(way: Way, name: str, part: str) -> tuple[Array, Array]:
        return both(table, replace(way, part=part), rates[way.name], name)

    for way in (V1, FASTER, OWN, GROUP):
        pairs = [found(way, *place) for place in places]
        means = ([f"{each.mean():.2f}" for each in pair if len(each)] for pair in pairs)
        yield SHORT[way], *map(", ".join, means)
    for a, b in ((V1, GROUP), (V1, OWN), (OWN, GROUP)):
        apart = (map(np.subtract, found(a, *place), found(b, *place)) for place in places)
        yield f"{SHORT[a]} − {SHORT[b]} (each seed)", *(said(*pair) for pair in apart)


def mixed(table: Table) -> Iterable[tuple[str, ...]]:
    """Lines of a table: part F, each norm less GroupNorm."""
    rates = {row["norm"]: float(row["rate"]) for row in table.rows if row["part"] == "F"}
    group = Way("group", "evaluation", "F")
    heads = (SHORT_SETS[name] for name in SETS)
    yield "minus GroupNorm at 0.5, and at the others’ threshold (each seed)", *heads
    for way, title in MIXED.items():
        pairs = ([both(table, w, rates[w.norm], name) for w in (way, group)] for name in SETS)
        yield f"{title} − GroupNorm", *(said(*map(np.subtract, a, b)) for a, b in pairs)


def sentences(table: Table) -> dict[str, str]:
    """What is said of part C, and of A, G and H in short; nothing before they are scored so."""
    known = {}
    rates = sorted({float(row["rate"]) for row in table.rows if row["part"] == "C"})
    for norm, name in (("pooled", "fewer pooled"), ("group", "fewer group")):
        way, lost = Way(norm, "evaluation", "C"), []
        for rate in rates:
            one, many = (both(table, way, rate, "like", logs=k)[1] for k in (1, 8))
            if len(one) == len(many) > 1:
                lost.append(f"{np.mean(one - many):+.3f}".replace("-", "−"))
        known[name] = " and ".join(lost)
    for norm in ("group4", "groups8"):
        found = []
        for rate in RATES[:2]:
            ways = (Way(each, "evaluation", "B") for each in (norm, "group16"))
            a, b = (both(table, way, rate, "renders")[1] for way in ways)
            if len(a) == len(b) > 1:
                found.append(f"{np.mean(a - b):+.3f}".replace("-", "−"))
        known[f"{norm} best"] = " and ".join(found)
    at = best_rates(table)
    for part in [part for part in "GH" if table.has(part)]:
        for other, name in ((GROUP, "group"), (OWN, "own")):
            pair = [both(table, replace(w, part=part), at[w.name], "like") for w in (V1, other)]
            if len(pair[0][0]) == len(pair[1][0]) > 1:
                known[f"{part} {name} best"] = said(*map(np.subtract, *pair)).partition(", ")[2]
    return known

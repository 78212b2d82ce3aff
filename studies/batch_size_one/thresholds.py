"""F1 at another threshold than 0.5, at which all else is scored: for each seed at the one that is
best for the other seeds, on the same logs. So no seed chooses its own; that the logs are the same
flatters all ways alike. 0.025 is the lowest of these. For parts G and H also at the one that is
best on the network's own validation logs, as low as 1e-4 (`measure_low`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from studies.batch_size_one.figures import SHORT, SHORT_SETS
from studies.batch_size_one.findings import FASTER, GROUP, OWN, V1, best_rates
from studies.batch_size_one.measure import measured
from studies.batch_size_one.measure_low import LOW, MEASURED_LOW
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


def calibrated(way: Way, part: str, name: str) -> tuple[Array, Array, list[float]]:
    """F1 of each seed whose weights were kept, (seeds,): at 0.5, and at the threshold that is best
    on the validation logs of that very network; these thresholds."""
    asked = part, *way.name.split()
    rows = [r for r in measured(MEASURED_LOW) if (r["part"], r["norm"], r["way"]) == asked]
    curves, choosing = (
        np.array([numbers(row["f1_by_threshold"]) for row in rows if row["set"] == each])
        for each in (name, "validation")
    )
    best = choosing.argmax(1)
    at = curves[np.arange(len(best)), best]
    return curves[:, LOW.index(0.5)], at, [LOW[place] for place in best]


LESS = (V1, GROUP), (V1, OWN), (OWN, GROUP)


def low() -> Iterable[tuple[str, ...]]:
    """Lines of a table: parts G and H at thresholds chosen on validation logs."""
    places = [(part, name) for name in SETS for part in "GH"]
    heads = (f"{SHORT_SETS[name]}, {STEPS[part]:,} steps" for part, name in places)
    yield "F1@3px at 0.5, and at validation’s threshold", *heads, "thresholds, 25,600 steps"
    for way in (V1, FASTER, OWN, GROUP):
        pairs = [calibrated(way, *place)[:2] for place in places]
        means = (", ".join(f"{each.mean():.3f}" for each in pair) for pair in pairs)
        yield SHORT[way], *means, ", ".join(f"{x:g}" for x in calibrated(way, "H", "like")[2])
    for a, b in LESS:
        pairs = [tuple(calibrated(way, *place)[:2] for way in (a, b)) for place in places]
        yield (
            f"{SHORT[a]} − {SHORT[b]} (each seed)",
            *(said(*map(np.subtract, *p)) for p in pairs),
            "",
        )


def longer(table: Table) -> Iterable[tuple[str, ...]]:
    """Lines of a table: parts A and G, of the same seeds."""
    rates, parts = best_rates(table), [part for part in "AG" if table.has(part)]
    places = [(name, part) for name in SETS for part in parts]
    heads = (f"{SHORT_SETS[name]}, {STEPS[part]:,} steps" for name, part in places)
    yield "F1@3px at 0.5, and at the others’ threshold", *heads

    def found(way: Way, name: str, part: str) -> tuple[Array, Array]:
        return both(table, replace(way, part=part), rates[way.name], name)

    for way in (V1, FASTER, OWN, GROUP):
        pairs = [found(way, *place) for place in places]
        means = ([f"{each.mean():.2f}" for each in pair if len(each)] for pair in pairs)
        yield SHORT[way], *map(", ".join, means)
    for a, b in LESS:
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
    for part in "GH":
        a, b = (calibrated(way, part, "like")[1] for way in (V1, GROUP))
        known[f"{part} group like"] = said(a - b, a - b).partition(", ")[2]
    faster = calibrated(FASTER, "H", "like")[1]
    known["H faster like"] = ", ".join(f"{f1:.2f}" for f1 in faster)
    known["H best"] = f"{calibrated(V1, 'H', 'like')[1].mean():.3f}"
    return known

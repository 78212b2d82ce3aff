"""F1 at another threshold than 0.5, at which all else is scored: for each seed at the one that is
best for the other seeds, on the same logs or on another set. So no seed chooses its own; that the
logs are the same flatters all ways alike, and of a new kind a user has no labelled ones. 0.025 is
the lowest of these. For parts G and H also at the one that is best on the network's own validation
logs, as low as 1e-4 (`measure_low`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from studies.batch_size_one.figures import SHORT, SHORT_SETS
from studies.batch_size_one.findings import FASTER, GROUP, OWN, V1, best_rates
from studies.batch_size_one.measure import measured
from studies.batch_size_one.measure_low import LOW, MEASURED_LOW
from studies.batch_size_one.page.words import MIXED
from studies.batch_size_one.plan import FIRST_SEEDS, RATES, STEPS
from studies.batch_size_one.statistics import Array
from studies.batch_size_one.table import SEEDS, Table, Way, numbers

SETS = "like", "renders"
"""Drawn logs: real ones were scored at 0.5 alone."""
HALF = 10
"""Place of 0.5 among the thresholds."""


def both(
    table: Table,
    way: Way,
    rate: float,
    name: str,
    chosen_on: str | None = None,
    seeds: int = FIRST_SEEDS,
    **at: Any,
) -> tuple[Array, Array]:
    """F1 of each of the first so many seeds, a mean over the logs with curves, (seeds,): at 0.5,
    and at the threshold that is best for the others on a set; None: on the same. Empty where there
    are fewer than two seeds."""

    def curves(of: str) -> Array:
        rows = table.of(way, rate, of, **at)
        texts = [rows[seed]["f1_by_threshold"] for seed in rows if seed < seeds]
        return np.array([numbers(text) for text in texts if text])

    scored, choosing = curves(name), curves(chosen_on or name)
    if len(scored) < 2 or len(choosing) != len(scored):
        return np.empty(0), np.empty(0)
    each = range(len(scored))
    best = [int(np.delete(choosing, i, 0).mean(0).argmax()) for i in each]
    return scored[:, HALF], scored[each, best]


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


def on_real(way: Way, part: str, name: str) -> tuple[Array, Array]:
    """As `calibrated`, of a set of real regions; of negative ones false centreline px a row."""
    column = "false_px_by_threshold" if name == "negative" else "f1_by_threshold"
    asked = part, *way.name.split(), name
    key = "part", "norm", "way", "set"
    rows = [row for row in measured(MEASURED_LOW) if tuple(map(row.get, key)) == asked]
    curves = np.array([numbers(row[column]) for row in rows])
    at = [LOW.index(threshold) for threshold in calibrated(way, part, "like")[2]]
    return curves[:, LOW.index(0.5)], curves[np.arange(len(at)), at]


LESS = (V1, GROUP), (V1, OWN), (OWN, GROUP)
ANEW = {
    ("like", "like"): "like the training → the same",
    ("renders", "renders"): "renders → the same",
    ("like", "renders"): "like the training → renders",
    ("like", "blank"): "like the training → white paper below",
}
"""The sets on which thresholds are chosen and scored, of all seeds of part A."""


def anew(table: Table) -> Iterable[tuple[str, ...]]:
    """Lines of a table: part A's differences at the others' threshold, twelve seeds."""
    rates = best_rates(table)
    pairs = (V1, GROUP), (FASTER, GROUP), (V1, OWN), (OWN, GROUP)
    yield "chosen on → scored on", *(f"{SHORT[a]} − {SHORT[b]}" for a, b in pairs)
    for (chosen_on, name), title in ANEW.items():
        cells = []
        for ways in pairs:
            a, b = (both(table, w, rates[w.name], name, chosen_on, SEEDS)[1] for w in ways)
            cells.append(spread(a - b) if len(a) == len(b) > 1 else "")
        yield title, *cells


def spread(found: Array) -> str:
    """The mean, the lowest and the highest of the seeds."""
    return f"{found.mean():+.3f} ({found.min():+.3f} to {found.max():+.3f})".replace("-", "−")


def real() -> Iterable[tuple[str, ...]]:
    """Lines of a table: parts G and H on real regions, at thresholds chosen on validation logs."""
    names = {name: SHORT_SETS[name] for name in ("real_bilevel", "real_colour")}
    names["negative"] = "false px a row, no curve there"
    places = [(part, name) for name in names for part in "GH"]
    heads = (f"{names[name]}, {STEPS[part]:,} steps" for part, name in places)
    yield "F1@3px at 0.5, and at validation’s threshold", *heads
    for way in (V1, FASTER, OWN, GROUP):
        cells = []
        for part, name in places:
            digits = 2 if name == "negative" else 3
            cells.append(", ".join(f"{x.mean():.{digits}f}" for x in on_real(way, part, name)))
        yield SHORT[way], *cells
    for a, b in LESS:
        apart = []
        for part, name in places[:4]:
            apart.append(said(*map(np.subtract, *(on_real(way, part, name) for way in (a, b)))))
        yield f"{SHORT[a]} − {SHORT[b]} (each seed)", *apart, "", ""


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


def at_rate(way: Way, rate: float, name: str) -> tuple[Array, Array]:
    """As `calibrated`, or `on_real`, after 25,600 steps at one of two rates, which is part H for
    one norm and part I for the other. Of part H the seeds that part I has, which are the first."""
    part = "H" if (rate == RATES[1]) == (way is GROUP) else "I"
    seeds = len(calibrated(GROUP, "I", "like")[1])
    half, chosen = (on_real if name.startswith("real") else calibrated)(way, part, name)[:2]
    return half[:seeds], chosen[:seeds]


def exchanged() -> Iterable[tuple[str, ...]]:
    """Lines of a table: parts H and I at thresholds chosen on validation logs, each norm at both
    rates."""
    names = ("validation", *SETS, "real_bilevel", "real_colour")
    heads = SHORT_SETS | {"validation": "validation logs"}
    yield "F1@3px at 0.5, and at validation’s threshold", *(heads[name] for name in names)
    for way, rate in product((V1, OWN, GROUP), RATES[:2]):
        means = ([f"{each.mean():.3f}" for each in at_rate(way, rate, name)] for name in names)
        yield f"{SHORT[way]}, {rate:g}", *map(", ".join, means)
    for (a, b), rate in product(LESS, RATES[:2]):
        apart = (map(np.subtract, at_rate(a, rate, it), at_rate(b, rate, it)) for it in names)
        yield f"{SHORT[a]} − {SHORT[b]}, {rate:g} (each seed)", *(said(*pair) for pair in apart)


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
        of = ([(w, rates[w.norm], name) for w in (way, group)] for name in SETS)
        pairs = ([both(table, *place, seeds=2 * FIRST_SEEDS) for place in places] for places in of)
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
        ways = [Way(each, "evaluation", "B") for each in (norm, "group16")]
        known[f"{norm} best"] = _apart(table, *ways, RATES[:2])
    ways = [Way("pooled", way, "C") for way in ("evaluation", "own")]
    known |= {f"gap best {k}": _apart(table, *ways, rates, logs=k) for k in (1, 8)}
    known["H faster like"] = ", ".join(map("{:.2f}".format, calibrated(FASTER, "H", "like")[1]))
    known["H best"] = f"{calibrated(V1, 'H', 'like')[1].mean():.3f}"
    known |= _long()
    if len(table.seeds) == SEEDS:
        rates_a = best_rates(table)
        a, b = (both(table, way, rates_a[way.name], "like", seeds=SEEDS)[1] for way in (V1, GROUP))
        later = (map(calibrated, (V1, GROUP), (part, part), ("like", "like")) for part in "GH")
        leads = [a - b, *(v1[1] - group[1] for v1, group in later)] if len(a) == len(b) else []
        means = ", ".join(f"{x.mean():+.3f}" for x in leads).replace("-", "−")
        known["chosen like"] = f"{means} ({', '.join(str(len(x)) for x in leads)} seeds)"
    return known


def _apart(table: Table, a: Way, b: Way, rates: Iterable[float], **at: Any) -> str:
    """Of each rate a less b on renders, both at the others' threshold, a mean over seeds."""
    found = []
    for rate in rates:
        first, second = (both(table, way, rate, "renders", **at)[1] for way in (a, b))
        if len(first) == len(second) > 1:
            found.append(f"{np.mean(first - second):+.3f}".replace("-", "−"))
    return " and ".join(found)


def _long() -> dict[str, str]:
    """Of parts G and H at 0.5, and at thresholds chosen on validation logs."""
    known = {}
    for name, other in {"group": GROUP, "own": OWN}.items():
        for title, short in {"real_bilevel": "real", "real_colour": "colour"}.items():
            a, b = (on_real(way, "H", title)[1] for way in (V1, other))
            known[f"H {name} {short}"] = said(a - b, a - b).partition(", ")[2]
    for part in "GH":
        for name, way in {"v1": V1, "group": GROUP}.items():
            half, chosen = on_real(way, part, "negative")
            pixels = f"{half.mean():.2f} px a row at 0.5, {chosen.mean():.2f}"
            known[f"{part} {name} false"] = pixels
    for name in SETS:
        v1, group = (calibrated(way, "H", name)[0].mean() for way in (V1, GROUP))
        known[f"H half {name}"] = f"{v1:.2f} for {group:.2f}"
    for key, other in {"H by": GROUP, "H by own": OWN}.items():
        places = {"like": "test", "validation": "validation"}
        leads = (calibrated(V1, "H", at)[1] - calibrated(other, "H", at)[1] for at in places)
        said_of = zip(leads, places.values(), strict=True)
        means = " and ".join(f"{x.mean():+.3f} on the {logs} logs" for x, logs in said_of)
        known[key] = means.replace("-", "−")
    ways = OWN, GROUP
    leads = [np.subtract(*(at_rate(w, r, "renders")[0] for w in ways)).mean() for r in RATES[:2]]
    return known | {"one rate own": " and ".join(f"{lead:+.2f}" for lead in leads)}

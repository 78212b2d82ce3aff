"""Numbers of the page's sentences: what is not in a figure of its own."""

from __future__ import annotations

import numpy as np

from studies.batch_size_one.explanations import best_threshold
from studies.batch_size_one.figures import false_px, kept
from studies.batch_size_one.findings import GROUP, OWN, V1, best_rates
from studies.batch_size_one.page.pairs import Numbers, level, numbers_of, pair
from studies.batch_size_one.page.words import NORMS
from studies.batch_size_one.plan import RATES
from studies.batch_size_one.table import Table, Way

ARMS = {"running": V1, "own": OWN, "group": GROUP}
AGAIN = Way(V1.norm, "own first 14", "D")
"""Own statistics throughout: of seed 0, of weights that were trained on a second machine."""


def more(table: Table) -> Numbers:
    """By name; without what is not scored yet."""
    rates = best_rates(table)
    known: Numbers = {}
    if all(way.name in rates for way in ARMS.values()):
        at = [(key, way, rates[way.name]) for key, way in ARMS.items()]
        known = {
            "false_px": {
                key: numbers_of(found)
                for key, way, rate in at
                if (found := false_px(table, way, rate))
            },
            "renders": {key: level(table, way, rate, "renders") for key, way, rate in at},
            "thresholds": {
                key: best_threshold(table, way, rate, "renders") for key, way, rate in at
            },
            "precise": _precise(table, rates[V1.name]),
            "second": _second(table, rates[V1.name]),
        }
    known |= {"freezing": freezing(table), "kept": kept_by_norm(table)}
    return {name: each for name, each in known.items() if each}


def _precise(table: Table, rate: float) -> Numbers:
    """Statistics of 200 training logs less running ones, same weights."""
    return {
        f"{how} {name}": d
        for how in ("at once", "layer by layer")
        for name in ("like", "renders")
        if (d := pair(table, Way(V1.norm, f"training 200 {how}", "D"), V1, name, rate, rate))
    }


def _second(table: Table, rate: float) -> Numbers:
    """Own statistics, seed 0: F1 of one machine's training and of another's."""
    found: Numbers = {}
    for name in ("like", "renders"):
        if all(0 in table.of(way, rate, name) for way in (OWN, AGAIN)):
            both = [table.scores(way, rate, name).of_seeds([0]) for way in (OWN, AGAIN)]
            found[name] = [round(float(np.nanmean(each.f1)), 4) for each in both]
    return found


def freezing(table: Table) -> Numbers:
    """F1 of each seed by the share of the steps after which running statistics stay."""
    frozen = sorted({(float(r["freeze"]), float(r["rate"])) for r in table.rows if r["freeze"]})
    found: Numbers = {}
    for share, rate in frozen:
        for key, way in (("running", "evaluation"), ("own", "own")):
            scores = table.scores(Way("batch_frozen", way, "D"), rate, "like", freeze=share)
            means = np.nanmean(scores.f1, 1)
            found.setdefault(f"{share:g}", {})[key] = [round(float(f1), 4) for f1 in means]
    return found


def kept_by_norm(table: Table) -> Numbers:
    """Part B: the share of its score that each norm keeps on renders, at each rate."""
    found: Numbers = {}
    for norm, said in NORMS.items():
        way = Way(norm, "evaluation", "B")
        shares = [kept(table, way, rate, "renders", "like") for rate in RATES]
        if any(shares):
            found[said] = [round(each.mean, 4) for each in shares if each and each.mean >= 0]
    return found

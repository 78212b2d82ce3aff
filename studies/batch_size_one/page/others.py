"""Numbers of parts B, C and E to H: differences within the part, F1 over batches and steps."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from studies.batch_size_one import thresholds
from studies.batch_size_one.figures import LONGER, SHORT, TITLES, cost_of_blank
from studies.batch_size_one.findings import GROUP, OWN, V1, best_rates
from studies.batch_size_one.logs import TALL
from studies.batch_size_one.page.pairs import Numbers, level, numbers_of, pair
from studies.batch_size_one.page.words import MIXED, NORMS
from studies.batch_size_one.plan import FIRST_SEEDS, RATES, STEPS
from studies.batch_size_one.statistics import Array
from studies.batch_size_one.table import Table, Way


def over_rates(table: Table) -> Numbers | None:
    """Part B: each norm less GroupNorm with groups of 16, at every rate."""
    base = Way("group16", "evaluation", "B")
    found = {}
    for name in ("like", "renders", "blank"):
        lines = {
            said: [
                pair(table, Way(norm, "evaluation", "B"), base, name, rate, rate) for rate in RATES
            ]
            for norm, said in NORMS.items()
            if norm != base.norm
        }
        if any(any(line) for line in lines.values()):
            found[name] = {"rates": [f"{r:g}" for r in RATES], "lines": lines}
    return found or None


SWEPT = {
    "group": Way("group", "evaluation", "C"),
    "running": Way("pooled", "evaluation", "C"),
    "own": Way("pooled", "own", "C"),
    "running constant": Way("pooled_constant", "evaluation", "C"),
    "own constant": Way("pooled_constant", "own", "C"),
}


def sweep(table: Table) -> Numbers:
    """Part C as the GroupNorm paper shows it: F1 over the logs of a step, by set and rate.
    constant: the statistics are, to the gradient."""
    here = [row for row in table.rows if row["part"] == "C"]
    rates, many = ({kind(row[c]) for row in here} for c, kind in (("rate", float), ("logs", int)))
    return {
        f"{name}|{rate:g}": {
            "x": sorted(many),
            "lines": {
                key: [level(table, way, rate, name, logs=k) for k in sorted(many)]
                for key, way in SWEPT.items()
            },
        }
        for name in ("like", "renders")
        for rate in sorted(rates)
    }


def _rates(table: Table, part: str) -> dict[str, float]:
    """Of each norm, where a part has one rate for each."""
    return {row["norm"]: float(row["rate"]) for row in table.rows if row["part"] == part}


SIZED = {
    "group": Way("group", "evaluation", "E"),
    "running": Way("batch_momenta", "m0.01", "E"),
    "own": Way("batch_momenta", "own", "E"),
}


def size_scores(table: Table) -> Numbers:
    """Part E: F1 by the size of the log."""
    rates, names = _rates(table, "E"), ("like", *TALL)
    lines = {
        key: [level(table, way, rates[way.norm], name) for name in names]
        for key, way in SIZED.items()
        if way.norm in rates
    }
    return {"x": names, "lines": lines}


def sizes(table: Table) -> list[Numbers] | None:
    """Part E: v1 less GroupNorm, both trained on whole logs, and less its own statistics, by the
    size of the log."""
    rates, found = _rates(table, "E"), []
    a = SIZED["running"]
    for name in ("like", "blank", *TALL):
        for against, b in (("group", SIZED["group"]), ("own", SIZED["own"])):
            if {a.norm, b.norm} <= rates.keys() and (
                d := pair(table, a, b, name, rates[a.norm], rates[b.norm])
            ):
                found.append({"set": name, "against": against, "label": SHORT[V1]} | d)
    return found or None


LENGTHS = {"running": V1, "own": OWN, "group": GROUP}


def lengths(table: Table) -> Numbers:
    """Parts A, G and H: F1 over the steps of the training, of the seeds that G and H may have.
    best: means at the thresholds of `thresholds.both`, of H of `thresholds.calibrated`.
    one_rate: of parts H and I, at 0.5 and at chosen thresholds, at the two lower rates.
    pairs: differences at 0.5 after the most steps, with intervals."""
    rates, parts = best_rates(table), [part for part in "AGH" if table.has(part)]
    lines = {
        name: {
            key: [
                level(
                    table, replace(way, part=part), rates[way.name], name, seeds=range(FIRST_SEEDS)
                )
                for part in parts
            ]
            for key, way in LENGTHS.items()
        }
        for name in LONGER
    }

    def best(way: Way, name: str) -> list[float]:
        found = (
            thresholds.calibrated(way, part, name)[1]
            if part == "H"
            else thresholds.both(table, replace(way, part=part), rates[way.name], name)[1]
            for part in parts
        )
        return [round(float(f1.mean()), 4) for f1 in found if len(f1)]

    calibrated = {
        name: {key: best(way, name) for key, way in LENGTHS.items()} for name in thresholds.SETS
    }
    at_end = "like", "validation", "renders", "real_bilevel", "real_colour"
    one_rate = {
        name: {
            key: [_means(*thresholds.at_rate(way, rate, name)) for rate in RATES[:2]]
            for key, way in LENGTHS.items()
        }
        for name in at_end
    }
    return {
        "x": [STEPS[part] for part in parts],
        "lines": lines,
        "best": calibrated,
        "one_rate": one_rate,
        "pairs": _at_the_end(table, rates, parts[-1]),
    }


def _at_the_end(table: Table, rates: dict[str, float], part: str) -> list[Numbers]:
    """Of the longest training, each less another on each set, in the order of `thresholds.LESS`."""
    found = []
    for name, (a, b) in product((*LONGER, "pages"), thresholds.LESS):
        ways = (replace(way, part=part) for way in (a, b))
        if d := pair(table, *ways, name, rates[a.name], rates[b.name]):
            found.append({"set": name, "label": f"{SHORT[a]} − {SHORT[b]}"} | d)
    return found


def _means(*f1: Array) -> list[float]:
    return [round(float(each.mean()), 4) for each in f1]


def mixed(table: Table) -> list[Numbers] | None:
    """Part F, all trained on both kinds: each norm less GroupNorm; and of each its scores where
    half and more is white paper less those without it."""
    rates, found, group = _rates(table, "F"), [], Way("group", "evaluation", "F")
    for name in ("like", "renders", "real_bilevel", "real_colour"):
        for a, said in MIXED.items():
            if {a.norm, "group"} <= rates.keys():
                if d := pair(table, a, group, name, rates[a.norm], rates["group"]):
                    found.append({"label": said, "set": name} | d)
    for a, said in (MIXED | {group: TITLES[GROUP]}).items():
        if a.norm in rates and (cost := cost_of_blank(table, a, rates[a.norm])):
            found.append({"label": said, "set": "blank_cost"} | numbers_of(cost))
    return found or None

"""Every number of the page, from the rows. What is not there yet is None, and the page says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from studies.batch_size_one.figures import SHORT, TITLES, kept, kept_blank
from studies.batch_size_one.findings import (
    CORRECTED,
    FAMILY,
    GROUP,
    OWN,
    V1,
    best_rates,
    family,
    paired,
    seeds_said,
)
from studies.batch_size_one.logs import SETS
from studies.batch_size_one.page import words
from studies.batch_size_one.page.more import more
from studies.batch_size_one.page.others import lengths, mixed, over_rates, size_scores, sizes, sweep
from studies.batch_size_one.page.pairs import Numbers, numbers_of, pair
from studies.batch_size_one.plan import MOMENTA, RATES, plan
from studies.batch_size_one.score import BY_MOMENTUM, PRIORS, UNLABELLED
from studies.batch_size_one.statistics import Estimate
from studies.batch_size_one.table import SEEDS, Table, Way


def numbers(table: Table) -> dict[str, Any]:
    """The page's data block. Parts B, C and E to H are shown by their whole seeds."""
    later: dict[str, tuple[str, Callable[[Table], Any]]] = {
        "over_rates": ("B", over_rates),
        "batch": ("C", sweep),
        "sizes": ("E", sizes),
        "size_scores": ("E", size_scores),
        "mixed": ("F", mixed),
        "lengths": ("G", lengths),
    }
    shown = of_whole_seeds(table)
    return {
        "seeds": seeds_said(table),
        "parts": parts(table),
        "rates": best_rates(table),
        "tradeoff": trade_off(table),
        "family": families(table),
        "pairs": pairs(table),
        "map": momentum_map(table),
        "depth": depth(table),
        "unlabelled": unlabelled(table),
        "more": more(shown),
        **{name: of(shown) if shown.has(part) else None for name, (part, of) in later.items()},
    }


def of_whole_seeds(table: Table) -> Table:
    """Without the seeds of parts B to I of which a planned training is not scored yet."""
    left = {(part["part"], seed) for part in parts(table) for seed in part["begun"]}
    return Table(
        row
        for row in table.rows
        if (row["part"], row["seed"]) not in left or (row["part"] == "D" and not row["freeze"])
    )


def _training(row: dict[str, str]) -> str:
    norm = words.TRAINED.get(row["norm"], row["norm"]).partition(" (")[0]
    many = f", {row['logs']} logs a step" if row["logs"] != "1" else ""
    return f"{norm}{many}, rate {row['rate']}, seed {row['seed']}"


def parts(table: Table) -> list[Numbers]:
    """Of each part: trainings scored and planned, whole seeds, and those that are not whole yet."""
    some = dict.fromkeys((V1.name, GROUP.name, OWN.name, "batch_momenta m0.1"), RATES[1])
    some |= best_rates(table)
    found = []
    for part, said in words.PARTS.items():
        planned = plan(some, part)
        here = [row for row in table.rows if row["part"] == part]
        cells = {(r["norm"], r["rate"], r["seed"], r["logs"], r["freeze"]) for r in here}
        if part == "D":  # what is scored without training is of A's weights
            cells = {cell for cell in cells if cell[-1]}
        wanted = Counter(str(cell.seed) for cell in planned)
        scored = Counter(seed for _, _, seed, *_ in cells)
        begun = sorted(seed for seed in scored if scored[seed] < wanted[seed])
        seeds = table.seeds if part == "A" else scored.keys() - begun
        bad = {_training(r) for r in here if r["status"] not in ("ok", "")}
        counts = {"planned": len(planned), "scored": len(cells), "seeds": len(seeds)}
        counts |= {"begun": begun if part != "A" else [], "diverged": sorted(bad)}
        about = {"part": part, "title": said} | counts
        found.append(about | {"planned_seeds": len(wanted), "rows": len(here)})
    return found


def _share(given: Estimate | None) -> Numbers | None:
    return None if given is None or not np.isfinite(given.mean) else numbers_of(given)


def trade_off(table: Table) -> list[Numbers]:
    """Shares of F1 that are kept: A's ways at every rate, D's depths, norms of B and F."""
    rates = best_rates(table)
    points = [
        _point(table, way, rate, best=rate == rates[way.name])
        for way in TITLES
        for rate in RATES
        if way != CORRECTED and table.of(way, rate, "like")  # which equals v1 to four digits
    ]
    asked = {(r["part"], r["norm"], r["way"], float(r["rate"])) for r in table.rows}
    for part, norm, name, rate in sorted(asked):
        way = Way(norm, name, part)
        depth = int(name.rpartition(" ")[2]) if name.startswith("own first") else 0
        if (
            (part == "B" and name == "evaluation" and norm != "online")  # which diverged
            or way == Way("hybrid", "m0.1", "F")
            or (depth and rate == rates.get(V1.name))
        ):
            points.append(_point(table, way, rate, depth=depth))
    return [point for point in points if point["renders"] and point["blank"]]


def _point(table: Table, way: Way, rate: float, best: bool = False, depth: int = 0) -> Numbers:
    of_depth = f"own statistics in the first {depth} norms, running in the rest"
    f1 = {
        name: round(float(np.nanmean(table.scores(way, rate, name).f1)), 4)
        for name in ("like", "renders", "blank")
        if table.of(way, rate, name)
    }
    return {
        "label": of_depth if depth else words.title(way),
        "short": SHORT.get(way, ""),
        "way": way.name,
        "part": way.part,
        "rate": rate,
        "fixed": way in words.FIXED,
        "best": best,
        "depth": depth,
        "f1": f1,
        "renders": _share(kept(table, way, rate, "renders", "like")),
        "blank": _share(kept_blank(table, way, rate)),
    }


def families(table: Table) -> list[Numbers]:
    """The eight pre-registered differences. p and words only once all eight have all seeds, for
    Holm's correction is over eight."""
    found = {h.name: (d, p, word) for h, d, p, word in family(table)}
    final = len(found) == len(FAMILY) and all(d.seeds == SEEDS for d, _, _ in found.values())
    lines = []
    for h in FAMILY:
        line: Numbers = {
            "name": h.name,
            "a": SHORT[h.a],
            "b": SHORT[h.b],
            "set": h.set,
            "expected": h.expected,
        }
        if h.name in found:
            d, p, word = found[h.name]
            line |= numbers_of(d) | ({"p": p, "word": word} if final else {"p": None, "word": None})
        lines.append(line)
    return lines


def pairs(table: Table) -> list[Numbers]:
    """Differences of one way of part A to another on each set: to the same weights with own
    statistics (against "own"), and to GroupNorm, each at its own best rate."""
    rates, found = best_rates(table), []
    for name in (name for name in SETS if name not in ("validation", "negative")):
        for way in TITLES:
            for against, other in (("own", OWN), ("group", GROUP)):
                if way == GROUP or other == way or not {way.name, GROUP.name} <= rates.keys():
                    continue
                rate = rates[way.name]
                d = pair(table, way, other, name, rate, rate if other == OWN else rates[GROUP.name])
                if d:
                    about = {"label": SHORT[way], "way": way.way, "set": name, "against": against}
                    found.append(about | {"rate": rate} | d)
    return found


def momentum_map(table: Table) -> Numbers | None:
    """Running statistics less own ones of the same weights, by set, rate, stop of the training,
    momentum and whether the start is taken out. Cells: mean, low, high, F1 of running, of own, of
    GroupNorm, seeds, logs."""
    steps = sorted({int(row["step"]) for row in table.rows if row["part"] == "A"})
    if not steps or not table.seeds:
        return None
    stops = [(step, "constant") for step in steps] + [(steps[-1], "annealed")]
    cells: dict[str, list[Any]] = {}
    for name in ("like", "renders"):
        for rate in RATES:
            for step, schedule in stops:
                at = rate, name, schedule, None if step == steps[-1] else step
                own, group = (
                    table.scores(way, *at) if table.of(way, *at) else None for way in (OWN, GROUP)
                )
                for way in (Way(V1.norm, word) for word in BY_MOMENTUM):
                    if own and table.of(way, *at):
                        running = table.scores(way, *at)
                        d = paired(running, own)
                        means = [
                            float(np.nanmean(each.f1)) if each else None
                            for each in (running, own, group)
                        ]
                        values = (d.mean, d.low, d.high, *means)
                        shown = [x if x is None else round(x, 4) for x in values]
                        key = f"{name}|{rate:g}|{step} {schedule}|{way.way}"
                        cells[key] = [*shown, d.seeds, len(own.names)]
    return {
        "stops": [f"{step} {schedule}" for step, schedule in stops],
        "rates": [f"{r:g}" for r in RATES],
        "momenta": [str(m) for m in MOMENTA],
        "cells": cells,
    }


def depth(table: Table) -> Numbers | None:
    """Own statistics in the first k norms less running statistics throughout, same weights."""
    rate, found = best_rates(table).get(V1.name), {}
    for name in ("like", "renders", "blank") if rate else ():
        if line := _line(table, {k: f"own first {k}" for k in range(1, 65)}, name, rate):
            found[name] = line
    return found or None


def unlabelled(table: Table) -> Numbers | None:
    """Statistics of n unlabelled renders less running statistics, same weights, by prior; and own
    statistics."""
    rate, found = best_rates(table).get(V1.name), {}
    for name in ("renders", "real_colour") if rate else ():
        lines = {}
        for prior in PRIORS:
            ways = {n: f"unlabelled {n} prior {prior}" for n in UNLABELLED}
            if line := _line(table, ways, name, rate):
                lines[str(prior)] = line
        if lines:
            found[name] = {"priors": lines, "own": pair(table, OWN, V1, name, rate, rate)}
    return found or None


def _line(table: Table, ways: dict[int, str], name: str, rate: float) -> Numbers | None:
    """Each of these ways of part D less running statistics of the same weights, by its number."""
    found = {
        n: pair(table, Way(V1.norm, way, "D"), V1, name, rate, rate) for n, way in ways.items()
    }
    there = {n: d for n, d in found.items() if d}
    return {"x": list(there), "line": list(there.values())} if there else None

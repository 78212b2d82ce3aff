"""Every number of the page, from the rows. What is not in the rows yet is None, and the page says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from studies.batch_size_one import findings
from studies.batch_size_one.findings import GROUP, OWN, V1, Rows
from studies.batch_size_one.page.others import batch, mixed, over_rates, sizes
from studies.batch_size_one.page.table import Key, Scores
from studies.batch_size_one.page.words import ARMS, PARTS, READS
from studies.batch_size_one.plan import MOMENTA, OTHER_NORMS, RATES, plan
from studies.batch_size_one.score import PRIORS, UNLABELLED
from studies.batch_size_one.statistics import bootstrap

SEEDS = 12
MAP_DRAWS = 2000
"""Of the bootstrap, for each of the map's hundreds of cells."""


def numbers(rows: Rows) -> dict[str, Any]:
    """The page's data block."""
    used = whole_seeds(rows)
    scores, rates = Scores(used), findings.best_rates(used)
    return {
        "planned_seeds": SEEDS,
        "parts": parts(rows),
        "rates": rates,
        "tradeoff": tradeoff(scores, rates),
        "family": family(used),
        "pairs": pairs(scores, rates),
        "map": atlas_map(scores),
        "depth": depth(scores, rates),
        "unlabelled": unlabelled(scores, rates),
        "over_rates": over_rates(scores),
        "batch": batch(scores),
        "sizes": sizes(scores),
        "mixed": mixed(scores),
    }


def whole_seeds(rows: Rows) -> Rows:
    """Of part A only seeds with all rates and both norms, once there is one, so that nothing unlike is averaged."""
    cells: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        if row["part"] == "A":
            cells.setdefault(row["seed"], set()).add((row["norm"], row["rate"]))
    whole = {seed for seed, found in cells.items() if len(found) == 2 * len(RATES)}
    return [r for r in rows if r["part"] != "A" or not whole or r["seed"] in whole]


def parts(rows: Rows) -> list[dict[str, Any]]:
    """Of each part: trainings scored and planned, and seeds with a row."""
    dummy = dict.fromkeys((V1.name, GROUP.name, OWN.name, "batch_momenta m0.1"), RATES[1])
    found = []
    for part, title in PARTS.items():
        planned = plan(dummy, part)
        here = [row for row in rows if row["part"] == part]
        cells = {(r["norm"], r["rate"], r["seed"], r["logs"], r["freeze"]) for r in here}
        if part == "D":
            cells = {cell for cell in cells if cell[4]}
        found.append(
            {
                "part": part, "title": title, "planned": len(planned), "scored": len(cells),
                "seeds": len({r["seed"] for r in here}),
                "planned_seeds": SEEDS if part in "AD" else len({cell.seed for cell in planned}),
            }
        )  # fmt: skip
    return found


def _kept(scores: Scores, key: Callable[[str], Key]) -> dict[str, Any] | None:
    """Shares of the F1 on logs like the training that are kept on renders, and with half or more blank paper."""
    sets = [scores.aligned(key(name)) for name in ("like", "renders", "blank")]
    if any(found is None for found in sets):
        return None
    (names, (like,)), (_, (renders,)), (blank_names, (blank,)) = [each for each in sets if each]
    at = {name: i for i, name in enumerate(names)}
    most = [n for n in blank_names if float(n.rpartition("-")[2]) >= 0.5]
    same = like[:, [at[name.rpartition("-")[0]] for name in most]].mean(1)
    after = blank[:, [blank_names.index(name) for name in most]].mean(1)
    seeds = min(len(like), len(renders), len(blank))
    means = {
        "like": like.mean(1), "renders": renders.mean(1), "blank": after, "before_blank": same
    }  # fmt: skip
    about: dict[str, Any] = {name: round(float(x.mean()), 4) for name, x in means.items()}
    for name, share in (
        ("renders", means["renders"][:seeds] / np.maximum(means["like"][:seeds], 1e-9)),
        ("blank", after[:seeds] / np.maximum(same[:seeds], 1e-9)),
    ):
        low, high = bootstrap(share[:, None])[:2] if seeds > 1 else (None, None)
        about[f"{name}_kept"] = [
            None if x is None else round(float(x), 4) for x in (share.mean(), low, high)
        ]
    return about | {"seeds": seeds}


def tradeoff(scores: Scores, rates: dict[str, float]) -> list[dict[str, Any]]:
    """One point for each way of part A at its own best rate; B's norms at each rate; D's depths at v1's rate."""
    points = []

    def add(
        part: str, norm: str, way: str, rate: float, label: str, kind: str, **more: Any
    ) -> None:
        found = _kept(scores, lambda name: Key(part, norm, rate, way, name))
        if found:
            points.append({"label": label, "kind": kind, "part": part, "rate": rate} | found | more)

    for way in (V1, findings.CORRECTED, findings.FASTER, OWN, GROUP):
        if way.name in rates:
            add("A", way.norm, way.way, rates[way.name], *ARMS[way.name], main=True)
    for norm in OTHER_NORMS:
        for rate in RATES:
            add("B", norm, "evaluation", rate, *ARMS[f"{norm} evaluation"])
    for key in scores.keys():
        if key.part == "D" and key.set == "like" and key.way.startswith("own first "):
            many = int(key.way.rpartition(" ")[2])
            label = f"own statistics in the first {many} of the norms"
            add("D", key.norm, key.way, key.rate, label, READS, first=many)
        if (key.part, key.norm, key.way, key.set, key.step) == (
            "F",
            "hybrid",
            "m0.1",
            "like",
            None,
        ):
            add("F", key.norm, key.way, key.rate, *ARMS["hybrid m0.1"])
    return points


def family(rows: Rows) -> list[dict[str, Any]]:
    """The eight pre-registered differences. Words and p only once all eight have all seeds."""
    found = findings.family(rows)
    final = len(found) == len(findings.FAMILY) and all(d.seeds == SEEDS for _, d, _, _ in found)
    lines = {}
    for h, d, p, word in found:
        ways = [ARMS.get(way.name, (way.name, ""))[0] for way in (h.a, h.b)]
        if h.a == findings.ADABN:
            ways[0] = "BatchNorm v1, statistics of 16 unlabelled renders (AdaBN)"
        numbers = {
            "mean": d.mean,
            "low": d.low,
            "high": d.high,
            "low_90": d.low_90,
            "high_90": d.high_90,
        }
        lines[h.name] = {"name": h.name, "a": ways[0], "b": ways[1], "set": h.set, "expected": h.expected} | {
            k: round(v, 4) for k, v in numbers.items()
        } | {"seeds": d.seeds, "p": round(p, 5) if final else None, "word": word if final else None}  # fmt: skip
    return [lines.get(h.name) or _not_run(h) for h in findings.FAMILY]


def _not_run(h: findings.Hypothesis) -> dict[str, Any]:
    ways = [
        ARMS.get(way.name, ("BatchNorm v1 after AdaBN on 16 renders", ""))[0] for way in (h.a, h.b)
    ]
    about = {"name": h.name, "a": ways[0], "b": ways[1], "set": h.set, "expected": h.expected}
    return about | {"seeds": 0, "mean": None}


def pairs(scores: Scores, rates: dict[str, float]) -> list[dict[str, Any]]:
    """Differences of one way of part A to another on each set: to the same weights with own statistics, and to
    GroupNorm, each at its best rate."""
    found = []
    for name in ("like", "renders", "blank", "real_bilevel", "real_colour", "pages"):
        for way in (V1, findings.CORRECTED, findings.FASTER, OWN):
            if way.name not in rates or GROUP.name not in rates:
                continue
            here = Key("A", way.norm, rates[way.name], way.way, name)
            group = Key("A", "group", rates[GROUP.name], "evaluation", name)
            own = replace(here, way="own")
            for against, other in (("group", group), ("own", own)):
                if other != here and (d := scores.paired(here, other)):
                    label = ARMS[way.name][0]
                    found.append(
                        {"label": label, "way": way.way, "set": name, "against": against} | d
                    )
    return found


def atlas_map(scores: Scores) -> dict[str, Any] | None:
    """BatchNorm with running statistics less the same weights with own statistics: set, rate, corrected, momentum
    and stop of the training. Cells: [mean, low, high, F1 of running, F1 of own, of GroupNorm, seeds, logs]."""
    steps = sorted({k.step for k in scores.keys() if k.part == "A" and k.step is not None})
    if not steps:
        return None
    end = steps[-1]
    stops: list[tuple[int, str]] = [(s, "constant") for s in steps] + [(end, "annealed")]
    cells: dict[str, list[Any] | None] = {}
    for name in ("like", "renders"):
        for rate in RATES:
            for step, schedule in stops:
                for momentum in MOMENTA:
                    for corrected in (False, True)[: 1 + (momentum not in (1.0, "cumulative"))]:
                        way = f"m{momentum}" + " corrected" * corrected
                        a = Key("A", "batch_momenta", rate, way, name, schedule, step)
                        both = scores.aligned(a, replace(a, way="own"))
                        if both is None:
                            continue
                        delta = both[1][0] - both[1][1]
                        low, high = bootstrap(delta, draws=MAP_DRAWS)[:2]
                        group = scores.mean(replace(a, norm="group", way="evaluation"))
                        values = [
                            delta.mean(),
                            low,
                            high,
                            both[1][0].mean(),
                            both[1][1].mean(),
                            group,
                        ]
                        cell = [None if x is None else round(float(x), 4) for x in values]
                        cells[f"{name}|{rate:g}|{step} {schedule}|{way}"] = [*cell, *delta.shape]
    if not cells:
        return None
    return {
        "stops": [f"{s} {kind}" for s, kind in stops], "rates": [f"{r:g}" for r in RATES],
        "momenta": [str(m) for m in MOMENTA], "cells": cells,
    }  # fmt: skip


def _of_v1(rates: dict[str, float], name: str) -> Key | None:
    rate = rates.get(V1.name)
    return Key("A", V1.norm, rate, V1.way, name) if rate is not None else None


def depth(scores: Scores, rates: dict[str, float]) -> dict[str, Any] | None:
    """Own statistics for the first k norms less running statistics throughout, same weights; and one scalar a norm."""
    found: dict[str, Any] = {}
    for name in ("like", "renders", "blank"):
        base = _of_v1(rates, name)
        if base is None:
            return None
        ways = {
            k.way for k in scores.keys() if k.part == "D" and k.set == name and k.rate == base.rate
        }
        depths = sorted(int(w.rpartition(" ")[2]) for w in ways if w.startswith("own first "))
        line = [scores.paired(replace(base, part="D", way=f"own first {k}"), base) for k in depths]
        if line:
            scalar = scores.paired(replace(base, part="D", way="one scalar"), base)
            found[name] = {"k": depths, "line": line, "scalar": scalar}
    return found or None


def unlabelled(scores: Scores, rates: dict[str, float]) -> dict[str, Any] | None:
    """Statistics of n unlabelled renders less running statistics, same weights, by prior; and own statistics."""
    found: dict[str, Any] = {}
    for name in ("renders", "real_colour"):
        base = _of_v1(rates, name)
        if base is None:
            return None
        lines = {}
        for prior in PRIORS:
            many = [
                n
                for n in UNLABELLED
                if replace(base, part="D", way=f"unlabelled {n} prior {prior}") in scores
            ]
            ways = [replace(base, part="D", way=f"unlabelled {n} prior {prior}") for n in many]
            if many:
                lines[str(prior)] = {"n": many, "line": [scores.paired(way, base) for way in ways]}
        if lines:
            found[name] = {"priors": lines, "own": scores.paired(replace(base, way="own"), base)}
    return found or None

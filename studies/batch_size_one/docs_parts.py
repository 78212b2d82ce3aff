"""Tables of parts B to I for the documents, and the numbers in their sentences. A part is shown by
its whole seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields, replace
from functools import partial
from itertools import product

import numpy as np

from studies.batch_size_one import thresholds
from studies.batch_size_one.explanations import best_threshold
from studies.batch_size_one.figures import LONGER, SHORT, SHORT_SETS, cost_of_blank, kept
from studies.batch_size_one.findings import (
    CORRECTED,
    FAMILY,
    FASTER,
    GROUP,
    OWN,
    V1,
    best_rates,
    blank_shares,
    paired,
)
from studies.batch_size_one.logs import TALL
from studies.batch_size_one.page import others, words
from studies.batch_size_one.page.numbers import of_whole_seeds, parts
from studies.batch_size_one.page.pairs import Numbers, pair
from studies.batch_size_one.page.words import MIXED, NORMS
from studies.batch_size_one.plan import RATES, STEPS
from studies.batch_size_one.statistics import Array, Difference
from studies.batch_size_one.table import SEEDS, Table, Way, numbers

REPAIRS = {
    "own statistics in the first stage": "own first 2",
    "… down to the core": "own first 8",
    "… in all 14 norms": "own first 14",
    "one number a layer": "one scalar",
    "statistics of 1 unlabelled render, the first (others: below)": "unlabelled 1 prior 0",
    "… of 16 (AdaBN)": "unlabelled 16 prior 0",
    "… of 16, the old ones counted as 16 more": "unlabelled 16 prior 16",
    "… of 64": "unlabelled 64 prior 0",
    "of 200 training logs, at once (PreciseBN)": "training 200 at once",
    "… layer by layer": "training 200 layer by layer",
}
"""Part D's ways that the document shows."""
POOLED = {
    "group": "GroupNorm",
    "pooled": "pooled BatchNorm, running",
    "pooled_constant": "… its statistics constant to the gradient",
}
"""Part C's norms."""
TRAINED = words.TRAINED | {"online": "Online Normalization"}
"""What a training is called by its norm."""
SIZES = {
    "like": "small logs (112 to 336 rows)",
    "blank": "small logs, white paper below (0 to 90 %)",
}
SIZES |= {name: "{:,} × {}".format(*size) for name, size in TALL.items()}
SIZES["tall12800"] += " (two logs, one below the other)"
"""Part E's sets."""
REPAIRED = ("like", "renders", "blank", "real_colour")
WITHOUT_TRAINING = "D without training"  # its trainings are A's
Lines = Iterable[tuple[str, ...]]


def tables(table: Table) -> dict[str, list[str]]:
    """Markdown of each table by its name in the document; none where the part has no whole seed."""
    made = {
        "repairs": (WITHOUT_TRAINING, _repairs),
        "freezing": ("D", _freezing),
        "mixed": ("F", _mixed),
        "sizes": ("E", _sizes),
        "batch": ("C", _batch),
        "norms": ("B", _norms),
        "mixed thresholds": ("F", thresholds.mixed),
        "thresholds": ("G", thresholds.longer),
        "low": ("H", lambda _: thresholds.low()),
        "real": ("H", lambda _: thresholds.real()),
        "momenta": ("H", _momenta),
        "longer": ("G", partial(_longer, part="G")),
        "longest": ("H", partial(_longer, part="H")),
        "exchanged": ("I", lambda _: thresholds.exchanged()),
    }
    shown = of_whole_seeds(table)
    seeds = {part["part"]: part["seeds"] for part in parts(table)}
    if len({row["seed"] for row in table.rows if row["way"] == "one scalar"}) == SEEDS:
        seeds[WITHOUT_TRAINING] = SEEDS
    return {
        name: _markdown(of(shown)) + diverged_said(shown, part) if seeds.get(part) else []
        for name, (part, of) in made.items()
    }


def waiting(table: Table) -> str:
    """What is not in yet."""
    left = [
        f"{part['part']}{', freezing' * (part['part'] == 'D')} "
        f"({part['scored']} of {part['planned']} trainings"
        + f", shown: {part['seeds']} of {part['planned_seeds']} seeds)"
        for part in parts(table)
        if part["scored"] < part["planned"]
    ]
    one = any(part["seeds"] == 1 for part in parts(table) if part["part"] != "A")
    said = " A difference of one seed has no interval, and says little." * one
    return f"Not whole yet: part {'; '.join(left)}.{said}" if left else ""


Training = tuple[str, str, float, int, float | None]


def diverged(table: Table) -> dict[Training, dict[str, list[float]]]:
    """Of trainings that diverged, by part, norm, rate, logs a step and freezing: of each seed the
    losses, a fortieth of the steps each."""
    found: dict[Training, dict[str, list[float]]] = defaultdict(dict)
    for row in table.rows:
        if row["status"] == "diverged":
            freeze = float(row["freeze"]) if row["freeze"] else None
            key = row["part"], row["norm"], float(row["rate"]), int(row["logs"]), freeze
            losses = found[key].setdefault(row["seed"], [])
            losses += numbers(row["loss"])
    return found


def diverged_said(table: Table, part: str) -> list[str]:
    """What goes under the table of a part, if there are any: which they are."""
    said = []
    for (of, norm, rate, logs, freeze), seeds in sorted(diverged(table).items(), key=str):
        about = f"{TRAINED[norm]}, {rate:g}" + f", {logs} logs a step" * (logs > 1)
        about += f", {freeze:.0%}" if freeze else ""
        for seed, losses in sorted(seeds.items()) if of == part else ():
            first = len(losses) * 100 // STEPS[part]  # as many fortieths as are 100 steps
            ends = (f"{np.mean(each):.3f}" for each in (losses[:first], losses[-first:]))
            said.append(f"{about}, seed {seed} ({', then '.join(ends)})" if first else about)
    rule = "diverged: its mean loss over the last 100 steps is above that over the first 100"
    return ["", f"† With a training that {rule}. {'; '.join(said)}."] if said else []


def _mark(table: Table, part: str, *norms: str, rate: float | None = None, logs: int = 1) -> str:
    """A dagger, where a training of one of these norms diverged."""
    for of, norm, its_rate, its_logs, _ in diverged(table):
        if of == part and norm in norms and its_logs == logs and rate in (None, its_rate):
            return " †"
    return ""


def _markdown(lines: Lines) -> list[str]:
    head, *rest = lines
    return [f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *rest)]


def _cell(found: Numbers | None) -> str:
    if found and found["low"] is None:
        return f"{found['mean']:+.3f}".replace("-", "−")
    return difference_said(Difference(**{k: found[k] for k in KEYS})) if found else ""


KEYS = [field.name for field in fields(Difference)]


def difference_said(found: Difference) -> str:
    """Mean and 95 % interval."""
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})".replace("-", "−")


def sentences(table: Table) -> dict[str, str]:
    """Numbers of sentences about parts A and B, by name; none before all seeds are in."""
    if len(table.seeds) < SEEDS:
        return {}
    rates = best_rates(table)
    known = {}
    own = []
    for rate in RATES[:2]:
        both = (table.scores(way, rate, "like") for way in (V1, GROUP))
        known[f"equal {rate:g}"] = difference_said(paired(*both))
        both = (table.scores(way, rate, "renders") for way in (OWN, GROUP))
        own.append(f"{paired(*both).mean:+.2f}")
    known["equal own"] = " and ".join(own)
    for word in ("m0.003", "m0.01", "m0.03", "m1.0"):
        both = (table.scores(way, rates[V1.name], "like") for way in (Way(V1.norm, word), FASTER))
        known[word] = difference_said(paired(*both))
    for name, way in {"v1": V1, "own": OWN, "group": GROUP}.items():
        f1, threshold = best_threshold(table, way, rates[way.name], "renders")
        known[f"best {name}"] = f"{f1:.2f} at {threshold:g}"
        cost = cost_of_blank(table, way, rates[way.name])
        known[f"cost {name}"] = difference_said(cost) if cost else ""
    both = [table.scores(way, rates[way.name], "blank") for way in (OWN, GROUP)]
    half = [scores.of_logs(blank_shares(scores) >= 0.5) for scores in both]
    known["half blank"] = difference_said(paired(*half))
    for part in [part for part in "AGH" if table.has(part)]:
        ways = {replace(way, part=part): rates[way.name] for way in (V1, OWN, GROUP)}
        pages = (table.scores(way, rate, "pages").f1 for way, rate in ways.items())
        known[f"pages {part}"] = ", ".join(f"{np.nanmean(f1):.2f}" for f1 in pages)
        shares = (kept(table, way, rate, "renders", "like") for way, rate in ways.items())
        known[f"long kept {part}"] = ", ".join(f"{s.mean:.2f}" for s in shares if s)
    start = (table.scores(way, rates[way.name], "like") for way in (CORRECTED, GROUP))
    known["start out"] = difference_said(paired(*start))
    last = FAMILY[-1]
    if table.of(last.a, rates[V1.name], last.set):
        ways = (table.scores(way, rates[V1.name], last.set) for way in (last.a, last.b))
        known["H8 without 0"] = difference_said(paired(*(w.of_seeds(range(1, 12)) for w in ways)))
    if table.has("B"):
        for norm in ("group16", "group8", "group4", "groups8", "layer", "renorm", "group_ws"):
            way = Way(norm, "evaluation", "B")
            shares = (kept(table, way, rate, "renders", "like") for rate in RATES)
            known[f"kept {norm}"] = ", ".join(f"{s.mean:.2f}" for s in shares if s)
    return known


def _repairs(table: Table) -> Lines:
    rate = best_rates(table)[V1.name]
    sets = SHORT_SETS | {"blank": "white paper below (0 to 90 %)"}
    yield "v1's weights with …, minus running statistics", *(sets[name] for name in REPAIRED)
    for said, way in REPAIRS.items():
        asked = Way(V1.norm, way, "D")
        yield said, *(_cell(pair(table, asked, V1, name, rate, rate)) for name in REPAIRED)


def _freezing(table: Table) -> Lines:
    frozen = {(float(r["freeze"]), float(r["rate"])) for r in table.rows if r["freeze"]}
    head = "statistics frozen after … of the steps, F1 of each seed"
    yield head, "like the training", "renders", "own: like"
    for share, rate in sorted(frozen):
        seeds = [
            np.nanmean(table.scores(Way("batch_frozen", way, "D"), rate, name, freeze=share).f1, 1)
            for way, name in (("evaluation", "like"), ("evaluation", "renders"), ("own", "like"))
        ]
        frozen_at = ("D", "batch_frozen", rate, 1, share)
        mark = " †" * (frozen_at in diverged(table))
        yield f"{100 * share:g} %{mark}", *(", ".join(map("{:.2f}".format, each)) for each in seeds)


def _norms(table: Table) -> Lines:
    found = others.over_rates(table) or {}
    yield "minus GroupNorm with groups of 16", *(f"{rate:g}" for rate in RATES)
    for name, (norm, said) in product(("like", "renders"), NORMS.items()):
        marks = [_mark(table, "B", norm, "group16", rate=rate) for rate in RATES]
        if line := found[name]["lines"].get(said):
            cells = (_cell(d) + mark for d, mark in zip(line, marks, strict=True))
            yield f"{said}, {SHORT_SETS[name]}", *cells


def _batch(table: Table) -> Lines:
    rates, many = (
        sorted({kind(row[column]) for row in table.rows if row["part"] == "C"})
        for column, kind in (("rate", float), ("logs", int))
    )
    yield "part C, logs a step", *map(str, many)
    running, own = (Way("pooled", way, "C") for way in ("evaluation", "own"))
    less = {(running, GROUP): "running − GroupNorm", (own, GROUP): "own − GroupNorm"}
    less[running, own] = "running − own, same weights"
    for name, rate, ((a, b), said) in product(("like", "renders"), rates, less.items()):
        cells = (
            _cell(pair(table, a, replace(b, part="C"), name, rate, rate, logs=k))
            + _mark(table, "C", a.norm, b.norm, rate=rate, logs=k)
            for k in many
        )
        yield f"pooled BatchNorm, {said}, {SHORT_SETS[name]}, {rate:g}", *cells
    for norm, title in POOLED.items():
        for rate in rates:
            means, marks = [], [_mark(table, "C", norm, rate=rate, logs=k) for k in many]
            for k in many:
                rows = table.of(Way(norm, "evaluation", "C"), rate, "like", logs=k).values()
                f1, dice = (np.array([numbers(row[c]) for row in rows]) for c in ("f1", "dice"))
                means.append(f"{np.nanmean(f1):.2f}, {np.nanmean(dice / (2 - dice)):.2f}")
            marked = map("".join, zip(means, marks, strict=True))
            yield f"{title}, {rate:g}: F1, IoU like the training", *marked
            trained = (table.of(Way(norm, "training", "C"), rate, "training", logs=k) for k in many)
            last = (np.mean([numbers(r["loss"])[-4:] for r in rows.values()]) for rows in trained)
            ends = (f"{loss:.3f}{mark}" for loss, mark in zip(last, marks, strict=True))
            yield f"{title}, {rate:g}: loss of the last tenth", *ends


def _sizes(table: Table) -> Lines:
    found = {(line["set"], line["against"]): line for line in others.sizes(table) or ()}
    ways = SHORT[V1], SHORT[OWN], SHORT[GROUP]
    yield "part E, F1@3px", *ways, "running − GroupNorm", "running − own"
    own_mark = _mark(table, "E", "batch_momenta")
    mark = own_mark or _mark(table, "E", "group")
    for name, said in SIZES.items():
        group, own = found[name, "group"], found[name, "own"]
        means = (f"{mean:.2f}" for mean in (group["a"], own["b"], group["b"]))
        yield said, *means, _cell(group) + mark, _cell(own) + own_mark


def longer(table: Table, way: Way, name: str, part: str = "G") -> tuple[Array, Array]:
    """F1 of a way, (seeds, logs), after A's steps and after the part's, of the part's seeds."""
    rate, late = best_rates(table)[way.name], replace(way, part=part)
    after = table.scores(late, rate, name)
    return table.scores(way, rate, name).of_seeds(after.seeds).f1, after.f1


def _longer(table: Table, part: str) -> Lines:
    names = *LONGER, "pages"
    yield f"F1@3px after {STEPS['A']:,} and {STEPS[part]:,} steps", *(SHORT_SETS[n] for n in names)
    for way in (V1, FASTER, OWN, GROUP):
        means = (map(np.nanmean, longer(table, way, name, part)) for name in names)
        yield SHORT[way], *("{:.2f}, {:.2f}".format(*both) for both in means)
    rates = best_rates(table)
    for way, other in ((V1, GROUP), (FASTER, GROUP), (OWN, GROUP), (V1, OWN)):
        both_ways = [replace(each, part=part) for each in (way, other)]
        at = rates[way.name], rates[other.name]
        cells = (_cell(pair(table, *both_ways, name, *at)) for name in names)
        same = ", same weights" * (way.norm == other.norm and at[0] == at[1])
        yield f"{SHORT[way]} − {SHORT[other]}{same}, {STEPS[part]:,} steps", *cells


def _momenta(table: Table) -> Lines:
    yield "momentum, F1 of each seed", "like the training", "renders"
    rate = best_rates(table)[V1.name]
    for momentum in (0.1, 0.01, 0.003, "cumulative"):
        way = Way(V1.norm, f"m{momentum}", "H")
        seeds = (np.nanmean(table.scores(way, rate, name).f1, 1) for name in ("like", "renders"))
        yield f"{momentum}", *(", ".join(map("{:.2f}".format, each)) for each in seeds)


def _mixed(table: Table) -> Lines:
    found = others.mixed(table) or []
    sets = list(dict.fromkeys(line["set"] for line in found))
    heads = SHORT_SETS | {"blank_cost": "what white paper costs each"}
    yield "trained on both kinds, minus GroupNorm", *(heads[name] for name in sets)
    for label in dict.fromkeys(line["label"] for line in found):
        by_set = {line["set"]: line for line in found if line["label"] == label}
        (norm,) = {way.norm for way, said in MIXED.items() if said == label} or {"group"}
        marks = (_mark(table, "F", norm, *["group"] * (s != "blank_cost")) for s in sets)
        cells = (_cell(by_set.get(s)) for s in sets)
        yield label, *(cell + mark * bool(cell) for cell, mark in zip(cells, marks, strict=True))

"""Sentences of the documents that are made from the rows: of parts that are not whole yet, and of
what the rows answer beside their tables."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from scipy import stats

from studies.batch_size_one.docs_parts import TRAINED, difference_said, diverged, longer
from studies.batch_size_one.explanations import by_steps, refutations
from studies.batch_size_one.figures import SHORT, SHORT_SETS, cost_of_blank
from studies.batch_size_one.findings import (
    FASTER,
    GROUP,
    OWN,
    V1,
    Hypothesis,
    best_rates,
    family,
    paired,
    sides,
    validation,
)
from studies.batch_size_one.measure_rate import RATE
from studies.batch_size_one.page import others
from studies.batch_size_one.page.numbers import of_whole_seeds, parts
from studies.batch_size_one.plan import FIRST_SEEDS, RATES, STEPS
from studies.batch_size_one.statistics import Array, difference, sign_flip_p
from studies.batch_size_one.table import SEEDS, Table, Way, numbers


def sentences(table: Table) -> dict[str, str]:
    """By name."""
    shown = of_whole_seeds(table)
    seeds = {part["part"]: part["seeds"] for part in parts(table)}
    known = more_logs(shown, seeds["C"]) | sizes(shown, seeds["E"]) | steps(shown, seeds)
    known |= mixed_level(shown) if seeds["F"] else {}
    return known | (_of_all_seeds(table) if len(table.seeds) == SEEDS else {})


def seeds_said(seeds: int) -> str:
    """Of parts B to I."""
    if seeds == FIRST_SEEDS:
        return f"{seeds} seeds, too few for sure intervals"
    if seeds == 1:
        return "one seed so far, which says little"
    return f"{seeds} seeds" + " so far" * (seeds < 2 * FIRST_SEEDS)


def seeds_short(seeds: int) -> str:
    return f"{seeds} seeds" if seeds > 1 else "one seed, which says little"


def _signed(*values: float) -> str:
    return " and ".join(f"{value:+.2f}" for value in values).replace("-", "−")


def _means(
    table: Table, name: str, schedule: str = "annealed"
) -> dict[tuple[str, float, int], float]:
    """Part C's F1 by running statistics, and for the set "training" the loss of the last tenth: a
    mean over seeds by norm, rate and logs a step."""
    found = defaultdict(list)
    for row in table.rows:
        at_end = row["schedule"] == schedule and row["step"] == row["steps"]
        if (row["part"], row["set"]) == ("C", name) and at_end:
            key = row["norm"], float(row["rate"]), int(row["logs"])
            if row["way"] == "training":
                found[key].append(np.mean(numbers(row["loss"])[-4:]))
            elif row["way"] == "evaluation":
                found[key].append(np.nanmean(numbers(row["f1"])))
    return {key: float(np.mean(each)) for key, each in found.items()}


def more_logs(table: Table, seeds: int) -> dict[str, str]:
    """What is said of part C, and in short."""
    if not seeds:
        known = dict.fromkeys(("fewer logs", "constant own", "gap", "gap grown"), "not in yet")
        return known | {"more logs": "Part C is not in yet."}
    like, level, renders, loss = (
        _means(table, *at) for at in (("like",), ("like", "constant"), ("renders",), ("training",))
    )
    at = sorted((rate, k) for norm, rate, k in like if norm == "pooled")
    rates, most = sorted({rate for rate, _ in at}), max(k for _, k in at)
    pooled, group = (
        [like[norm, rate, 1] - like[norm, rate, most] for rate in rates]
        for norm in ("pooled", "group")
    )
    apart = [like["pooled", *each] - like["group", *each] for each in at]
    below = sum(renders["pooled", *each] < renders["group", *each] for each in at)
    higher = sum(loss["pooled_constant", *each] > loss["pooled", *each] for each in at)
    blind = sum(like["pooled_constant", *each] < 0.05 for each in at)
    ends = [level["pooled", *each] for each in at]
    named = " and ".join(f"{rate:g}" for rate in rates)
    bad = []
    for (part, norm, rate, k, _), lost in diverged(table).items():
        if part == "C" and norm in ("pooled", "group") and k in (1, most):
            found = table.of(Way(norm, "evaluation", "C"), rate, "like", logs=k)
            bad += [float(np.nanmean(numbers(found[int(seed)]["f1"]))) for seed in lost]
    but = f"; {len(bad)} of {4 * len(rates) * seeds} trainings diverged by the rule, F1 "
    but = (but + ", ".join(map("{:.2f}".format, bad))) * bool(bad)
    of = f"of {len(at)}"
    said = [
        f"{seeds_said(seeds).capitalize()}.",
        f"On logs like the training pooled BatchNorm, its start taken out, minus GroupNorm is from "
        f"{_signed(min(apart))} to {_signed(max(apart))}, over {len(at)} pairs of size and rate.",
        f"From {most} logs a step to one its F1 changes by {_signed(*pooled)} (rates {named}), "
        f"GroupNorm's by {_signed(*group)}{but}.",
        "What the GroupNorm paper is famous for is a BatchNorm that loses more than GroupNorm as "
        f"the batch shrinks. Here {_famous(table, rates, most)}.",
        f"At the constant end BatchNorm's F1 lies between {min(ends):.2f} and {max(ends):.2f}.",
        f"On renders its running statistics are below GroupNorm in {below} {of} pairs.",
        f"Without the gradient through the statistics the loss is higher in {higher} {of}"
        + (f", and the network marks next to nothing in {blind}." if blind else "."),
    ]
    short = f"BatchNorm {_signed(*pooled)}, GroupNorm {_signed(*group)} ({seeds_short(seeds)}{but})"
    gaps = [[_gap(table, rate, k) for rate in rates] for k in (1, most)]
    one, many = (_signed(*map(np.mean, each)) for each in gaps)
    grown = " and ".join(difference_said(difference(*each)) for each in zip(*gaps, strict=True))
    known = {"gap": f"{one} with one log a step, {many} with {most}", "gap grown": grown}
    for norm in ("pooled", "group"):
        shares = ([renders[norm, r, k] / like[norm, r, k] for r in rates] for k in (1, most))
        known[f"kept {norm}"] = ", then ".join(_signed(*each).replace("+", "") for each in shares)
    pairs = []
    for rate in rates:
        ways = (Way(norm, "own", "C") for norm in ("pooled_constant", "pooled"))
        found = (np.nanmean(table.scores(way, rate, "like", logs=1).f1) for way in ways)
        pairs.append("{:.2f} for {:.2f}".format(*found))
    blind_own = f"{' and '.join(pairs)} (rates {named})"
    return known | {"more logs": " ".join(said), "fewer logs": short, "constant own": blind_own}


def _gap(table: Table, rate: float, logs: int) -> Array:
    """Pooled BatchNorm's running less own statistics on renders, the same weights."""
    ways = (Way("pooled", way, "C") for way in ("evaluation", "own"))
    running, own = (table.scores(way, rate, "renders", logs=logs).f1 for way in ways)
    return running - own


def _famous(table: Table, rates: list[float], most: int) -> str:
    """By how much more pooled BatchNorm loses than GroupNorm from so many logs a step to one."""

    def change(norm: str, rate: float) -> Array:
        way = Way(norm, "evaluation", "C")
        one, many = (table.scores(way, rate, "like", logs=k).f1 for k in (1, most))
        return one - many

    found = [difference(change("pooled", rate), change("group", rate)) for rate in rates]
    if found[0].seeds == 1:
        return "that is not to be judged by one seed"
    said = " and ".join(map(difference_said, found))
    return f"its change minus GroupNorm's is {said}"


def sizes(table: Table, seeds: int) -> dict[str, str]:
    """What is said of part E, in short, and of how large the logs are."""
    small = "10 to 50 times smaller than the article's"
    found = {(line["set"], line["against"]): line for line in others.sizes(table) or ()}
    if not seeds:
        known = {"sizes said": "Part E is not in yet.", "sizes short": "not in yet"}
        return known | {"drawn": f"The logs are drawn, {small}."}

    def means(name: str) -> tuple[float, ...]:
        group, own = found[name, "group"], found[name, "own"]
        return group["a"], own["b"], group["b"]

    ways = "v1", "own", "GroupNorm"
    ends = zip(ways, means("tall3200"), means("tall12800"), strict=True)
    grown = "; ".join(f"{way} {a:.2f} and {b:.2f}" for way, a, b in ends)
    said = f"{seeds_said(seeds).capitalize()}. F1 on 3,200 and on 12,800 rows: {grown}."
    apart = []
    for name, size in (("tall3200", "3,200 × 480"), ("tall12800", "12,800 rows")):
        group = found[name, "group"]
        interval = ""
        if group["low"] is not None:
            interval = f" ({_signed(group['low'])} to {_signed(group['high'])})"
        apart.append(f"{_signed(group['mean'])}{interval} on {size}")
    short = f"v1 − GroupNorm {', '.join(apart)} ({seeds_short(seeds)})"
    drawn = f"The logs are drawn; all but part E's are {small}."
    return {"sizes said": said, "sizes short": short, "drawn": drawn}


def steps(table: Table, seeds: dict[str, int]) -> dict[str, str]:
    """What is said of parts G and H, in short. seeds: whole ones of each part."""
    if not seeds["G"]:
        return {"highest": "not in yet"}
    blank, rates = {}, best_rates(table)
    for part in [part for part in "GH" if seeds[part]]:
        for way, name in ((OWN, "own"), (GROUP, "group"), (V1, "v1")):
            cost = cost_of_blank(table, replace(way, part=part), rates[way.name])
            blank[f"{part} cost {name}"] = difference_said(cost) if cost else ""
    last = "H" if seeds["H"] else "G"
    ends = [np.nanmean(longer(table, way, "like", last)[1]) for way in (V1, FASTER, OWN, GROUP)]
    return blank | {"highest": f"{max(ends):.2f} after {STEPS[last]:,} steps"}


def _of_all_seeds(table: Table) -> dict[str, str]:
    """Of part A: the rate, the losses, and the family without the seed that has two machines."""
    best, first = best_rates(table), range(FIRST_SEEDS)
    curves = {
        way: [
            float(np.nanmean(table.scores(way, rate, "like").of_seeds(first).f1)) for rate in RATES
        ]
        for way in (V1, FASTER, OWN, GROUP)
    }
    known = {
        "rates": "; ".join(
            f"{SHORT[way]} {', '.join(map('{:.2f}'.format, curve))}"
            for way, curve in curves.items()
        ),
        "rates lost": " to ".join(
            f"{end:.2f}"
            for each in [[max(curve) - curve[-1] for curve in curves.values()]]
            for end in (min(each), max(each))
        ),
    }
    ends = []
    for way in (OWN, GROUP):
        rate = best[way.name]
        trained = table.of(Way(way.norm, "training"), rate, "training").values()
        loss = np.mean([numbers(row["loss"])[-4:] for row in trained])
        f1 = np.nanmean(table.scores(way, rate, "validation").f1)
        ends.append(f"{TRAINED[way.norm]} {loss:.3f} and {f1:.2f}")
    known["losses"] = ", ".join(ends)
    for name, of in (("H1", "like"), ("H2", "real_bilevel")):
        ways = (table.scores(way, best[way.name], of) for way in (V1, GROUP))
        others_of = paired(*(scores.of_seeds(range(1, SEEDS)) for scores in ways))
        known[f"{name} without 0"] = difference_said(others_of)
    return known | _beside_the_family(table, best)


def _beside_the_family(table: Table, best: dict[str, float]) -> dict[str, str]:
    """Of part A: the constant end, few steps, wells for seeds, precision, and another score."""
    known = {}
    both = [table.scores(way, best[way.name], "like", "constant") for way in (V1, GROUP)]
    known["H1 constant"] = difference_said(paired(*both))
    both = [table.scores(way, best[GROUP.name], "like", "constant") for way in (V1, GROUP)]
    known["H1 constant equal"] = difference_said(paired(*both))
    for step, scores in by_steps(table).items():
        v1, _, group, equal = (f"{each.f1.mean():.2f}" for each in scores)
        known[f"early {step}"] = f"{v1}, at GroupNorm’s rate {equal}, GroupNorm’s {group}"
    for at in refutations(table):
        known[f"lag {at.rate:g}"] = difference_said(at.annealed)
    for h, found, _, _ in family(table):
        known[f"{h.name} half"] = f"{(found.high - found.low) / 2:.2f}"
        if h.set.startswith("real"):
            for name, said in zip(("wells", "least", "t"), _by_wells(table, h, best), strict=True):
                known[f"{h.name} {name}"] = said
    for name, at in (("v1", validation(table, V1)), ("group", validation(table, GROUP))):
        known[f"validation {name}"] = " and ".join(f"{f1:.3f}" for f1 in at.values())
    for name in ("like", "renders"):
        rows = [table.of(way, best[way.name], name) for way in (V1, GROUP)]
        dice = [np.array([numbers(row["dice"]) for row in each.values()]) for each in rows]
        known[f"dice {name}"] = difference_said(difference(*dice))
    return known


def _by_wells(table: Table, hypothesis: Hypothesis, best: dict[str, float]) -> tuple[str, ...]:
    """p over wells instead of seeds and how many agree with their mean; that mean without the well
    that differs most; and with Student's interval."""
    a, b = sides(table, hypothesis, best)
    apart, names = (a.f1 - b.f1).mean(0), np.array(a.wells)
    wells = np.array([apart[names == well].mean() for well in np.unique(names)])
    agree = int((np.sign(wells) == np.sign(wells.mean())).sum())
    p = sign_flip_p(wells)
    least = np.delete(wells, np.abs(wells).argmax()).mean()
    said = f"{p:.4f}" if p < 0.001 else f"{p:.2f}"
    mean, half = wells.mean(), stats.t.ppf(0.975, len(wells) - 1) * stats.sem(wells)
    ends = f"{least:+.3f}", f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"
    return f"p {said} ({agree} of {len(wells)} agree)", *(each.replace("-", "−") for each in ends)


def mixed_level(table: Table) -> dict[str, str]:
    """Part F's F1 like the training and on renders."""
    rates = {row["norm"]: float(row["rate"]) for row in table.rows if row["part"] == "F"}
    ways = {
        "instance": Way("instance", "evaluation", "F"),
        "group": Way("group", "evaluation", "F"),
        "v1": Way(V1.norm, "m0.01", "F"),
    }
    known = {}
    for name, way in ways.items():
        if way.norm in rates:
            f1 = (
                np.nanmean(table.scores(way, rates[way.norm], of).f1) for of in ("like", "renders")
            )
            known[f"mixed {name}"] = "{:.2f} and {:.2f}".format(*f1)
    return known


def unlabelled(rows: list[dict[str, str]]) -> dict[str, str]:
    """Of part H: statistics of single unlabelled renders, and of sets of them."""
    f1: dict[tuple[int, int], list[float]] = defaultdict(list)
    blank = {(int(r["first"]), int(r["taken"])) for r in rows if r["with_curves"] == "0"}
    for r in rows:
        f1[int(r["first"]), int(r["taken"])].append(float(r["f1"]))
    if not f1:
        return {}
    means = {key: float(np.mean(each)) for key, each in f1.items()}
    alone = {key: mean for key, mean in means.items() if key[1] == 1}
    dead = [key for key in alone if max(f1[key]) < 0.01]
    four = [mean for (_, many), mean in means.items() if many == 4]
    return {
        "one running": f"{means[0, 0]:.2f}",
        "one each": ", ".join(f"{alone[key]:.2f}" for key in sorted(alone)),
        "one mean": f"{np.mean(list(alone.values())):.2f}",
        "one dead": f"{len(dead)} of {len(alone)}",
        "one blank": f"{len(blank & set(dead))} of them",
        "four each": ", ".join(f"{mean:.2f}" for mean in four),
        "four lowest": f"{min(min(each) for (_, many), each in f1.items() if many == 4):.2f}",
        "sixteen both": f"{means[0, 16]:.2f} and {means[16, 16]:.2f}",
        "all of them": f"{means[0, 64]:.2f}",
    }


def lower_rate(table: Table, rows: list[dict[str, str]]) -> dict[str, str]:
    """F1 at a rate below the plan's lowest, and at the lowest: a table, and how much less v1's is
    on the validation logs. rows: of `measure_rate.py`."""
    seeds = [seed for seed in table.seeds if str(seed) in {row["seed"] for row in rows}]
    if not seeds:
        return {"lower m0.01": "", "lower rate": ""}
    names = list(dict.fromkeys(row["set"] for row in rows))  # the validation logs first
    head = f"F1@3px at {min(RATES):g}, and that at {RATE:g} minus it (seeds in which it is lower)"
    lines = [[head, *(SHORT_SETS.get(name, name) for name in names)], ["---"] * (1 + len(names))]
    said = ""
    for way in (V1, FASTER, OWN):
        cells = [SHORT[way]]
        for name in names:
            at_lowest = table.scores(way, min(RATES), name).of_seeds(seeds).f1
            mine = [row for row in rows if (row["way"], row["set"]) == (way.way, name)]
            f1 = {int(row["seed"]): float(row["f1"]) for row in mine}
            below = np.array([f1[seed] for seed in seeds])
            less = below - np.nanmean(at_lowest, 1)
            cells.append(f"{np.nanmean(at_lowest):.3f}, {less.mean():+.3f} ({(less < 0).sum()})")
            said = said or f"{-less.mean():.3f} less ({(less < 0).sum()} of {len(seeds)} seeds)"
        lines.append(cells)
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines).replace("-0.", "−0.")
    return {"lower m0.01": said, "lower rate": f"\n\n{text}\n\n"}

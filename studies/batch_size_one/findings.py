"""What the rows say: best rates, the family of eight comparisons, and a summary of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from studies.batch_size_one import plan
from studies.batch_size_one.statistics import Difference, difference, holm, words
from studies.batch_size_one.table import SEEDS, Scores, Table, Way, numbers

V1, OWN = Way("batch_momenta", "m0.01"), Way("batch_momenta", "own")
FASTER, CORRECTED = Way("batch_momenta", "m0.1"), Way("batch_momenta", "m0.01 corrected")
GROUP = Way("group", "evaluation")
ADABN = Way("batch_momenta", "unlabelled 16 prior 0", "D")


@dataclass(frozen=True)
class Hypothesis:
    """One line of the family. rate_of: both sides have that way's best rate; None: each its own."""

    name: str
    a: Way
    b: Way
    set: str
    expected: str
    rate_of: Way | None = None
    most_blank: bool = False


FAMILY = (
    Hypothesis("H1", V1, GROUP, "like", "worse"),
    Hypothesis("H2", V1, GROUP, "real_bilevel", "worse"),
    Hypothesis("H3", V1, OWN, "renders", "worse", rate_of=V1),
    Hypothesis("H4", V1, OWN, "real_colour", "worse", rate_of=V1),
    Hypothesis("H5", FASTER, GROUP, "like", "equivalent"),
    Hypothesis("H6", OWN, GROUP, "renders", "better"),
    Hypothesis("H7", OWN, V1, "blank", "worse", most_blank=True),
    Hypothesis("H8", ADABN, V1, "renders", "better", rate_of=V1),
)


def seeds_said(table: Table) -> str:
    """What goes beside every number of part A."""
    done = len(table.seeds)
    return f"{SEEDS} seeds" if done == SEEDS else f"interim, {done} of {SEEDS} seeds"


def validation(table: Table, way: Way) -> dict[float, float]:
    """Mean F1 of a way of part A on the validation logs at the annealed end, at each rate that all
    seeds have."""
    found = {rate: table.of(way, rate, "validation") for rate in plan.RATES}
    return {
        rate: float(np.mean([np.nanmean(numbers(row["f1"])) for row in rows.values()]))
        for rate, rows in found.items()
        if rows and len(rows) == len(table.seeds)
    }


def best_rates(table: Table) -> dict[str, float]:
    """Of each way of part A, by its name, the rate with the highest mean F1 on the validation logs,
    of the rates that all seeds have; ties: the lower."""
    asked = sorted({(row["norm"], row["way"]) for row in table.rows if row["part"] == "A"})
    best = {}
    for way in (Way(*each) for each in asked):
        if means := validation(table, way):
            best[way.name] = min(means, key=lambda rate: (-round(means[rate], 9), rate))
    return best


def matched(a: Scores, b: Scores) -> tuple[Scores, Scores]:
    """Of both the seeds that both have and the logs that have a curve."""
    if a.names != b.names:
        raise ValueError("scored on unlike logs")
    both = set(a.seeds) & set(b.seeds)
    a, b = a.of_seeds(both), b.of_seeds(both)
    scored = ~np.isnan(a.f1).any(0) & ~np.isnan(b.f1).any(0)
    return a.of_logs(scored), b.of_logs(scored)


def paired(a: Scores, b: Scores) -> Difference:
    """a less b in F1, over what `matched` leaves."""
    a, b = matched(a, b)
    return difference(a.f1, b.f1, a.wells)


def sides(table: Table, hypothesis: Hypothesis, rates: dict[str, float]) -> tuple[Scores, Scores]:
    """What a line of the family compares, over the seeds that both sides have."""
    a, b = (
        table.scores(way, rates[(hypothesis.rate_of or way).name], hypothesis.set)
        for way in (hypothesis.a, hypothesis.b)
    )
    if hypothesis.most_blank:
        a, b = (scores.of_logs(blank_shares(scores) >= 0.5) for scores in (a, b))
    return matched(a, b)


def compare(table: Table, hypothesis: Hypothesis, rates: dict[str, float]) -> Difference:
    """The paired difference of a line of the family."""
    return paired(*sides(table, hypothesis, rates))


def blank_shares(scores: Scores) -> np.ndarray:
    """The share of white rows of each log of the set blank, (logs,)."""
    return np.array([float(name.rpartition("-")[2]) for name in scores.names])


def family(table: Table) -> list[tuple[Hypothesis, Difference, float, str]]:
    """Every line whose rows are there: the difference, Holm's p among all lines of the family, and
    the word it allows, "interim" before all seeds."""
    rates = best_rates(table)
    found = []
    for hypothesis in FAMILY:
        try:
            found.append((hypothesis, compare(table, hypothesis, rates)))
        except (ValueError, KeyError):
            continue
    missing = [1.0] * (len(FAMILY) - len(found))
    corrected = holm([each.p for _, each in found] + missing)
    return [
        (h, each, p, words(each, p) if each.seeds == SEEDS else "interim")
        for (h, each), p in zip(found, corrected, strict=False)
    ]


def summary(table: Table) -> str:
    """Markdown: what is there, the family, and F1 over rates, ways and sets."""
    cells = {
        (r["part"], r["norm"], r["rate"], r["seed"], r["logs"], r["freeze"]) for r in table.rows
    }
    lines = [
        f"{len(cells)} trainings scored; {len(table.rows):,} rows. Part A: {seeds_said(table)}.",
        "",
    ]
    lines += [
        "| | difference | set | F1 | 95 % | p (Holm) | words | expected |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for h, d, p, word in family(table):
        lines.append(
            f"| {h.name} | {h.a.name} − {h.b.name} | {h.set} | {d.mean:+.3f} | "
            f"{d.low:+.3f} to {d.high:+.3f} ({d.seeds} seeds) | {p:.4f} | {word} | {h.expected} |"
        )
    lines += [
        "",
        "Best rates (validation): "
        + ", ".join(f"{k} {v:g}" for k, v in sorted(best_rates(table).items())),
    ]
    lines += ["", *_table(table)]
    return "\n".join(lines) + "\n"


def _table(table: Table) -> Iterable[str]:
    """Mean F1 at the annealed end, a line for each norm, way and rate."""
    sets = ("like", "renders", "blank", "real_bilevel", "real_colour")
    means: dict[tuple[str, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in table.rows:
        if row["schedule"] == "annealed" and row["set"] in sets:
            about = tuple(row[c] for c in ("part", "norm", "way", "logs", "freeze", "data", "rate"))
            means[about][row["set"]].append(float(np.nanmean(numbers(row["f1"]))))
    yield "| part, norm, way, logs, freeze, data | rate | " + " | ".join(sets) + " | seeds |"
    yield "|---" * (len(sets) + 3) + "|"
    for about, found in sorted(means.items()):
        scores = [f"{np.mean(found[name]):.3f}" if name in found else "" for name in sets]
        what, seeds = " ".join(filter(None, about[:-1])), str(len(found["like"]) or "")
        yield f"| {' | '.join([what, about[-1], *scores, seeds])} |"

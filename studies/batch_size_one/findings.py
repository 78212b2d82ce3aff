"""What the rows say: best rates, the family of eight comparisons, and the tables of docs and page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from studies.batch_size_one.statistics import Array, Difference, difference, holm, words

Rows = Sequence[dict[str, str]]


@dataclass(frozen=True)
class Way:
    """A norm and how it is asked for a mask. norm "instance" is BatchNorm's training with each image's own statistics:
    at one log a step they are one function."""

    norm: str
    way: str
    part: str = "A"

    @property
    def name(self) -> str:
        return f"{self.norm} {self.way}"


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


def best_rates(rows: Rows) -> dict[str, float]:
    """Of each way of part A, the rate with the highest mean F1 on the validation logs at the annealed end, over all
    seeds; ties: the lower rate. Empty until every seed has every rate."""
    scores: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["part"] == "A" and row["set"] == "validation" and row["schedule"] == "annealed":
            scores[f"{row['norm']} {row['way']}"][float(row["rate"])].append(
                float(np.nanmean(_f1(row)))
            )
    return {
        way: min(rates, key=lambda rate: (-round(float(np.mean(rates[rate])), 9), rate))
        for way, rates in scores.items()
    }


def scores(rows: Rows, way: Way, rate: float, name: str) -> tuple[list[str], Array]:
    """Names of the logs, and F1 (seeds, logs) at the annealed end; diverged runs as they are."""
    chosen = {
        int(row["seed"]): row
        for row in rows
        if (row["part"], row["norm"], row["way"], row["set"], row["schedule"])
        == (way.part, way.norm, way.way, name, "annealed")
        and float(row["rate"]) == rate
    }
    if not chosen:
        raise ValueError(f"no rows of {way.name} at rate {rate:g} on {name}")
    names = next(iter(chosen.values()))["names"].split(";")
    return names, np.array([_f1(chosen[seed]) for seed in sorted(chosen)])


def compare(rows: Rows, hypothesis: Hypothesis, rates: dict[str, float]) -> Difference:
    """The paired difference of a line of the family, over the seeds that both sides have."""
    both = []
    for way in (hypothesis.a, hypothesis.b):
        rate = rates[(hypothesis.rate_of or way).name]
        both.append(scores(rows, way, rate, hypothesis.set))
    (names, a), (_, b) = both
    seeds = min(len(a), len(b))
    keep = ~np.isnan(a).any(0) & ~np.isnan(b).any(0)
    if hypothesis.most_blank:
        keep &= np.array([float(name.rpartition("-")[2]) >= 0.5 for name in names])
    wells = [_well(names[i]) for i in np.flatnonzero(keep)]
    return difference(a[:seeds, keep], b[:seeds, keep], wells)


def family(rows: Rows) -> list[tuple[Hypothesis, Difference, float, str]]:
    """Every line whose rows are there: the difference, Holm's p, and the word it allows."""
    rates = best_rates(rows)
    found = []
    for hypothesis in FAMILY:
        try:
            found.append((hypothesis, compare(rows, hypothesis, rates)))
        except (ValueError, KeyError):
            continue
    corrected = holm([each.p for _, each in found])
    return [(h, each, p, words(each, p)) for (h, each), p in zip(found, corrected, strict=True)]


def summary(rows: Rows) -> str:
    """Markdown: what is there, the family, and F1 over rates, ways and sets."""
    cells = {(r["part"], r["norm"], r["rate"], r["seed"], r["logs"], r["freeze"]) for r in rows}
    lines = [f"{len(cells)} trainings scored; {len(rows):,} rows.", ""]
    lines += [
        "| | difference | set | F1 | 95 % | p (Holm) | words | expected |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for h, d, p, word in family(rows):
        lines.append(
            f"| {h.name} | {h.a.name} − {h.b.name} | {h.set} | {d.mean:+.3f} | {d.low:+.3f} to {d.high:+.3f} "
            f"({d.seeds} seeds) | {p:.4f} | {word} | {h.expected} |"
        )
    lines += [
        "",
        "Best rates (validation): "
        + ", ".join(f"{k} {v:g}" for k, v in sorted(best_rates(rows).items())),
    ]
    lines += ["", *_table(rows)]
    return "\n".join(lines) + "\n"


def _table(rows: Rows) -> Iterable[str]:
    """Mean F1 at the annealed end, a line for each norm, way and rate."""
    sets = ("like", "renders", "blank", "real_bilevel", "real_colour")
    means: dict[tuple[str, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["schedule"] == "annealed" and row["set"] in sets:
            about = (
                row["part"],
                row["norm"],
                row["way"],
                row["logs"],
                row["freeze"],
                row["data"],
                row["rate"],
            )
            means[about][row["set"]].append(float(np.nanmean(_f1(row))))
    yield "| part, norm, way, logs, freeze, data | rate | " + " | ".join(sets) + " | seeds |"
    yield "|---" * (len(sets) + 3) + "|"
    for about, found in sorted(means.items()):
        scores_ = " | ".join(
            f"{np.mean(found[name]):.3f}" if name in found else "" for name in sets
        )
        yield f"| {' '.join(filter(None, about[:-1]))} | {about[-1]} | {scores_} | {len(found['like']) or ''} |"


def _f1(row: dict[str, str]) -> Array:
    return np.array([float(each) for each in row["f1"].split(";")])


def _well(name: str) -> str:
    """Real regions are named WELL/REGION; drawn logs are each a well of their own."""
    return name.partition("/")[0]

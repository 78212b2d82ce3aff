"""What a study's results.csv says: scores, differences, and sentences with the numbers in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studies.batch_size_one.arms import ARMS
from studies.batch_size_one.results import Row, by_log
from studies.batch_size_one.scores import EVALUATION, LAYERWISE, PRECISE, TRAINING
from studies.batch_size_one.statistics import (
    LEAST_SEEDS,
    Array,
    Estimate,
    difference,
    estimate,
    verdict,
)

MODES = (EVALUATION, TRAINING, PRECISE, LAYERWISE)
MODE_TITLES = {
    EVALUATION: "evaluation (as deployed)",
    TRAINING: "training mode (the image's own statistics)",
    PRECISE: "recalibrated: PreciseBN",
    LAYERWISE: "recalibrated: layer after layer",
}
SHORT_MODES = {
    EVALUATION: "",
    TRAINING: " in training mode",
    PRECISE: " after PreciseBN",
    LAYERWISE: " recalibrated layer after layer",
}
SET_TITLES = {
    "like": "logs like the training",
    "renders": "renders, unlike the training",
    "blank": "two thirds blank paper",
    "real_bilevel": "real 1-bit scans",
    "real_colour": "real colour renders",
}


@dataclass(frozen=True)
class Scored:
    """One way to get a mask: an arm, in a mode, at a moment of training."""

    arm: str
    mode: str = EVALUATION
    schedule: str = "annealed"
    moment: str = "end"
    run: str = "main"

    @property
    def title(self) -> str:
        return ARMS[self.arm].title + (
            "" if self.mode == EVALUATION else f", {MODE_TITLES[self.mode]}"
        )

    @property
    def short_title(self) -> str:
        """For a list of many."""
        return ARMS[self.arm].title.replace(" v1, momentum 0.01", " v1") + SHORT_MODES[self.mode]


class Findings:
    """A study's rows, asked for scores."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        present = {row["arm"] for row in rows if row["run"] == "main"}
        self.arms = [arm for arm in ARMS if arm in present]
        sets = {row["test_set"] for row in rows if row["run"] == "main"}
        self.test_sets = [name for name in SET_TITLES if name in sets]

    def select(self, scored: Scored, test_set: str) -> dict[int, Row]:
        """Rows by seed; failed runs have none."""
        wanted = {**vars(scored), "test_set": test_set, "status": "ok"}
        return {
            int(row["seed"]): row
            for row in self.rows
            if all(row[name] == value for name, value in wanted.items())
        }

    def modes(self, arm: str) -> list[str]:
        """Those scored that are not evaluation by another name, as training mode is without running statistics."""

        def numbers(mode: str) -> list[str]:
            rows = self.select(Scored(arm, mode), "like") | self.select(
                Scored(arm, mode, "constant"), "like"
            )
            return [row["f1_by_log"] for row in rows.values()]

        there = [mode for mode in MODES if numbers(mode)]
        return [
            mode for mode in there if mode == EVALUATION or numbers(mode) != numbers(EVALUATION)
        ]

    def main_ways(self) -> list[Scored]:
        """Every arm as deployed, and BatchNorm v1 in its other modes, in the order of `ARMS`."""
        return [
            Scored(arm, mode)
            for arm in self.arms
            for mode in (self.modes(arm) if arm == "batch" else [EVALUATION])
        ]

    def all_ways(self) -> list[Scored]:
        return [Scored(arm, mode) for arm in self.arms for mode in self.modes(arm)]

    def scores(self, scored: Scored, test_set: str, score: str = "f1") -> Array:
        """(seeds, logs)."""
        return np.array(
            [by_log(row, score) for _, row in sorted(self.select(scored, test_set).items())]
        )

    def estimate(self, scored: Scored, test_set: str, score: str = "f1") -> Estimate | None:
        scores = self.scores(scored, test_set, score)
        return estimate(scores) if len(scores) else None

    def difference(self, a: Scored, b: Scored, test_set: str, score: str = "f1") -> Estimate | None:
        """a less b, over the seeds that both have."""
        first, second = self.select(a, test_set), self.select(b, test_set)
        seeds = sorted(first.keys() & second.keys())
        if not seeds:
            return None
        pair = [np.array([by_log(rows[seed], score) for seed in seeds]) for rows in (first, second)]
        return difference(*pair)

    def mean(self, scored: Scored, column: str, test_set: str = "like") -> float | None:
        """Of a column over seeds, or None where nothing was measured."""
        values = [
            float(row[column]) for row in self.select(scored, test_set).values() if row[column]
        ]
        return float(np.mean(values)) if values else None

    def failed(self, arm: str) -> int:
        return sum(
            row["arm"] == arm and row["status"].startswith("failed")
            for row in self.rows
            if row["run"] == "main"
        )

    def rate(self, arm: str) -> float:
        return next(
            float(row["rate"]) for row in self.rows if row["run"] == "main" and row["arm"] == arm
        )

    def cost(self, arm: str, column: str) -> float | None:
        for row in self.rows:
            if row["run"] == "cost" and row["arm"] == arm:
                return float(row[column])
        return None

    @property
    def steps(self) -> int:
        return max(int(row["steps"]) for row in self.rows if row["run"] == "main")

    @property
    def seeds(self) -> int:
        return len({row["seed"] for row in self.rows if row["run"] == "main"})


def interval(found: Estimate, signed: bool = False) -> str:
    """ "0.512 [0.480, 0.540]"."""
    sign = "+" if signed else ""
    return with_minus(f"{found.mean:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]")


def with_minus(numbers: str) -> str:
    """A minus sign for each hyphen; none for a zero."""
    return re.sub(r"-(?=0\.0+(?!\d))", "", numbers).replace("-", "−")


def p_text(found: Estimate) -> str:
    return f"sign-flip p = {found.p:.3f}"


def answer(findings: Findings) -> list[str]:
    """Three sentences: like the training, unlike it, and what else does as well."""
    batch, group = Scored("batch"), Scored("group")
    if findings.difference(batch, group, "like") is None:
        return [
            "No seed of this study has both of BatchNorm v1 and GroupNorm yet, so it does not answer its question."
        ]
    return [
        _pair(findings, batch, group),
        _unlike(findings, batch, group),
        _others(findings, group),
    ]


def _pair(findings: Findings, batch: Scored, group: Scored) -> str:
    like = _need(findings.difference(batch, group, "like"))
    b, g = (_need(findings.estimate(each, "like")) for each in (batch, group))
    constant = Scored("batch", schedule="constant")
    raw, own = (
        _need(findings.estimate(Scored("batch", mode, "constant"), "like"))
        for mode in (EVALUATION, TRAINING)
    )
    lost = _need(findings.difference(constant, Scored("batch", TRAINING, "constant"), "like"))
    return (
        f"Trained for {findings.steps} steps of one log each with the learning rate annealed to zero, BatchNorm v1 "
        f"scores F1@3px {b.mean:.3f} on logs like the training in evaluation mode and GroupNorm {g.mean:.3f} "
        f"(difference {interval(like, True)}, {p_text(like)}: {_words(like, 'BatchNorm')}); stopped at a constant "
        f"rate instead, BatchNorm scores {raw.mean:.3f} in evaluation mode and {own.mean:.3f} with the image's own "
        f"statistics ({interval(lost, True)}: {_words(lost, 'evaluation mode')})."
    )


def _unlike(findings: Findings, batch: Scored, group: Scored) -> str:
    shift = _need(findings.difference(batch, group, "renders"))
    b, g = (_need(findings.estimate(each, "renders")) for each in (batch, group))
    own = _need(findings.estimate(Scored("batch", TRAINING), "renders"))
    gap = _need(findings.difference(batch, Scored("batch", TRAINING), "renders"))
    where = {
        "worse": "so it is the running statistics that fail there, not training on one image",
        "better": "so the running statistics are no loss there",
    }.get(
        verdict(gap),
        f"evaluation less training mode {interval(gap, True)}: {_words(gap, 'evaluation mode')}",
    )
    return (
        f"On renders, which no arm was trained on, BatchNorm v1 scores {b.mean:.3f} and GroupNorm {g.mean:.3f} "
        f"({interval(shift, True)}, {p_text(shift)}: {_words(shift, 'BatchNorm')}), and the very same BatchNorm "
        f"weights score {own.mean:.3f} with each image's own statistics, {where}."
    )


def _others(findings: Findings, group: Scored) -> str:
    """Which other ways do as well as GroupNorm, on logs like the training and on renders; by what may be said."""
    said: dict[tuple[str, str], list[str]] = {}
    too_few = 0
    for way in findings.main_ways():
        if way.arm == "group" or way == Scored("batch"):
            continue
        like, renders = (findings.difference(way, group, name) for name in ("like", "renders"))
        if like is None or renders is None or like.seeds < LEAST_SEEDS:
            too_few += 1
            continue
        numbers = with_minus(f"{like.mean:+.3f}, {renders.mean:+.3f}")
        said.setdefault((verdict(like), verdict(renders)), []).append(
            f"{way.short_title} ({numbers})"
        )
    parts = [
        (
            f"{first} on either"
            if first == second
            else f"{first} on the first, {second} on the second"
        )
        + f" for {_listed(ways)}"
        for (first, second), ways in said.items()
    ]
    rest = f"{too_few} further ways have too few seeds to say" if too_few else ""
    if not parts:
        return (rest or "No other arm was run") + "."
    return (
        "Compared with GroupNorm on logs like the training and on renders: "
        + "; ".join(parts)
        + (f"; {rest}." if rest else ".")
    )


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _words(found: Estimate, subject: str) -> str:
    said = verdict(found)
    return f"{subject} is {said}" if said in ("better", "worse") else said


def _need(found: Estimate | None) -> Estimate:
    assert found is not None  # a run's rows are written all at once
    return found

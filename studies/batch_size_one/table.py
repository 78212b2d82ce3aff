"""The rows of the study by what they are of: quick to ask, with the seeds that may be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from studies.batch_size_one import plan
from studies.batch_size_one.statistics import Array

SEEDS = 12
"""Of part A, as registered."""


@dataclass(frozen=True)
class Way:
    """A norm and how it is asked for a mask. norm "batch_momenta", way "own": the training is
    InstanceNorm's and BatchNorm's at once, for at one log a step they are one function; the answer
    is InstanceNorm's."""

    norm: str
    way: str
    part: str = "A"

    @property
    def name(self) -> str:
        return f"{self.norm} {self.way}"


@dataclass(frozen=True)
class Scores:
    """Of one way at one rate on one set: f1 and false_px (centreline, a row) are (seeds, logs)."""

    seeds: tuple[int, ...]
    names: tuple[str, ...]
    f1: Array
    false_px: Array

    @property
    def wells(self) -> list[str]:
        """Real regions are named WELL/REGION; drawn logs are each a well of their own."""
        return [name.partition("/")[0] for name in self.names]

    def of_seeds(self, seeds: Collection[int]) -> Scores:
        keep = [i for i, seed in enumerate(self.seeds) if seed in seeds]
        seeds = tuple(self.seeds[i] for i in keep)
        return Scores(seeds, self.names, self.f1[keep], self.false_px[keep])

    def of_logs(self, keep: Array) -> Scores:
        """keep: bool (logs,), or a slice."""
        names = tuple(np.array(self.names, dtype=object)[keep])
        return Scores(self.seeds, names, self.f1[:, keep], self.false_px[:, keep])


class Table:
    """Rows, as `rows.read_rows` gives them. Of part A only the seeds count that have all their
    rates with both norms."""

    def __init__(self, rows: Iterable[dict[str, str]]) -> None:
        self.rows = list(rows)
        self._found: dict[tuple[str, ...], dict[int, dict[str, str]]] = defaultdict(dict)
        have = defaultdict(set)
        for row in self.rows:
            self._found[_key(row)][int(row["seed"])] = row
            if row["part"] == "A" and (row["schedule"], row["set"]) == ("annealed", "validation"):
                have[int(row["seed"])].add((row["norm"], float(row["rate"])))
        norms = "batch_momenta", "group"
        self.seeds = tuple(
            s for s in sorted(have) if have[s] >= {*product(norms, plan.rates_of(s))}
        )

    def of(
        self,
        way: Way,
        rate: float,
        name: str,
        schedule: str = "annealed",
        step: int | None = None,
        logs: int = 1,
        freeze: float | None = None,
    ) -> dict[int, dict[str, str]]:
        """The row of each seed, in order; step None: the end. Empty where there are none."""
        step_of = "" if step is None else str(step)
        freeze_of = "" if freeze is None else f"{freeze:g}"
        about = way.part, way.norm, way.way, f"{rate:g}", name
        found = self._found.get((*about, schedule, step_of, str(logs), freeze_of), {})
        return {s: found[s] for s in sorted(found) if way.part != "A" or s in self.seeds}

    def has(self, part: str) -> bool:
        return any(row["part"] == part for row in self.rows)

    def scores(self, way: Way, rate: float, name: str, *at: Any, **more: Any) -> Scores:
        """Asked as `of`. Raises ValueError where there are no rows, or seeds were scored on unlike
        logs."""
        found = self.of(way, rate, name, *at, **more)
        names = {row["names"] for row in found.values()}
        if len(names) != 1:
            said = "scored on unlike logs" if names else "no rows"
            raise ValueError(f"{said}: {way.name} at rate {rate:g} on {name}")
        columns = ("f1", "false_px_per_row")
        values = [np.array([numbers(row[c]) for row in found.values()]) for c in columns]
        return Scores(tuple(found), tuple(names.pop().split(";")), *values)


def numbers(text: str) -> list[float]:
    return [float(each) for each in text.split(";")] if text else []


def _key(row: dict[str, str]) -> tuple[str, ...]:
    step = "" if row.get("step", "") in ("", row.get("steps", "")) else row["step"]
    about = row["part"], row["norm"], row["way"], f"{float(row['rate']):g}", row["set"]
    return (*about, row["schedule"], step, row["logs"], row["freeze"])

"""F1 of the rows by what they are of, and paired differences of any two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from studies.batch_size_one.findings import Rows, _well
from studies.batch_size_one.statistics import Array, difference


@dataclass(frozen=True)
class Key:
    part: str
    norm: str
    rate: float
    way: str
    set: str
    schedule: str = "annealed"
    step: int | None = None
    """None: the end."""
    logs: int = 1
    freeze: str = ""


class Scores:
    """F1 of the rows, by what they are of."""

    def __init__(self, rows: Rows) -> None:
        self._of: dict[Key, dict[int, tuple[list[str], Array]]] = {}
        for row in rows:
            if not row["f1"]:
                continue
            key = Key(
                row["part"], row["norm"], float(row["rate"]), row["way"], row["set"],
                row["schedule"], int(row["step"]), int(row["logs"]), row["freeze"],
            )  # fmt: skip
            found = row["names"].split(";"), np.array([float(x) for x in row["f1"].split(";")])
            keys = [key] if row["step"] != row["steps"] else [key, replace(key, step=None)]
            for each in keys:
                self._of.setdefault(each, {})[int(row["seed"])] = found

    def __contains__(self, key: Key) -> bool:
        return key in self._of

    def keys(self) -> list[Key]:
        return list(self._of)

    def seeds(self, key: Key) -> list[int]:
        return sorted(self._of.get(key, {}))

    def aligned(
        self, *keys: Key, seeds: Sequence[int] = ()
    ) -> tuple[list[str], list[Array]] | None:
        """Names of the logs and F1 (seeds, logs) of each key, on the seeds (or only these) and logs that all have; logs
        without a curve left out."""
        if not all(key in self for key in keys):
            return None
        common = set.intersection(*(set(self._of[key]) for key in keys))
        seeds = sorted(common & set(seeds) if seeds else common)
        if not seeds:
            return None
        first = [self._of[key][seeds[0]][0] for key in keys]
        names = min(first, key=len)
        arrays = []
        for key in keys:
            found = []
            for seed in seeds:
                at = {name: i for i, name in enumerate(self._of[key][seed][0])}
                found.append(self._of[key][seed][1][[at[name] for name in names]])
            arrays.append(np.array(found))
        keep = ~np.isnan(sum(arrays)).any(0)
        return [n for n, k in zip(names, keep, strict=True) if k], [a[:, keep] for a in arrays]

    def mean(self, key: Key) -> float | None:
        found = self.aligned(key)
        return None if found is None else float(found[1][0].mean())

    def paired(self, a: Key, b: Key) -> dict[str, Any] | None:
        """a less b."""
        found = self.aligned(a, b)
        if found is None:
            return None
        names, (first, second) = found
        d = difference(first, second, [_well(name) for name in names])
        return _rounded(
            d.mean, d.low, d.high, first.shape, float(first.mean()), float(second.mean())
        )


def _rounded(
    mean: float, low: float, high: float, shape: Sequence[int], a: float, b: float
) -> dict[str, Any]:
    seeds, logs = shape
    numbers = {"mean": mean, "low": low, "high": high, "a": a, "b": b}
    return {k: round(v, 4) for k, v in numbers.items()} | {"seeds": seeds, "logs": logs}

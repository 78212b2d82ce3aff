"""What is drawn and how often: the tables of recipe.toml, and seeded draws from them."""

import math
import tomllib
from bisect import bisect
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import accumulate
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Shape, dtype and range stand in each docstring."""

T = TypeVar("T")


class Table(SimpleNamespace):
    """Values by name: of a table of the recipe, or drawn from one."""


def _read() -> dict[str, Any]:
    """The recipe: a section's ``default`` stands in all its tables. In a kind of page, a name in
    place of a table is that table of the section of its key."""
    recipe = tomllib.loads(files(__package__).joinpath("recipe.toml").read_text("utf-8"))
    for section, tables in recipe.items():
        default = tables.pop("default", {})
        if default:
            recipe[section] = {name: default | own for name, own in tables.items()}
    for kind in recipe["kinds"].values():
        named = {key: it for key, it in kind.items() if isinstance(it, str)}
        kind |= {key: recipe[key][it] for key, it in named.items() if it in recipe.get(key, ())}
    return recipe


RECIPE = _read()
KINDS = {name: Table(**kind) for name, kind in RECIPE["kinds"].items()}
"""Kinds of pages by name; see recipe.toml for their entries."""
PRESETS = {name: Table(mix=RECIPE["mix"], **own) for name, own in RECIPE["presets"].items()}
"""Sizes in rows and columns, at most max_mpx; shares of kinds; how many have headers."""


class Draws:
    """A seeded stream of draws: one makes one log. The same seeds, the same on any machine."""

    def __init__(self, *seeds: int) -> None:
        self.rng = np.random.default_rng(seeds)

    def of(self, what: Any) -> Any:
        """One draw from an entry, as the head of recipe.toml says; a key of digits is a float."""
        if isinstance(what, str):
            return self.chance(float(what[:-1]) / 100) if what.endswith("%") else what
        if isinstance(what, Mapping):
            sums = list(accumulate(what.values()))
            name = list(what)[bisect(sums[:-1], self.rng.random() * sums[-1])]
            return name if name.strip("-.0123456789") else float(name)
        if not isinstance(what, Sequence):
            return what
        if len(what) != 2 or not isinstance(what[0], (int, float)):
            return self.one_of(what)
        low, high = what
        if isinstance(low, int) and isinstance(high, int):
            return int(self.rng.integers(low, high + 1))
        if low > 0:
            return math.exp(self.rng.uniform(math.log(low), math.log(high)))
        return float(self.rng.uniform(low, high))

    def table(self, *path: str) -> Table:
        """One draw from every entry of the recipe's table at that path."""
        table = RECIPE
        for name in path:
            table = table[name]
        return Table(**{name: self.of(entry) for name, entry in table.items()})

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def one_of(self, things: Sequence[T]) -> T:
        return things[int(self.rng.integers(len(things)))]

    def noise(self, count: int) -> Array:
        """White noise: float64 (count,), unit variance."""
        return self.rng.standard_normal(count)

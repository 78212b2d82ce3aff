"""Random draws by what they are for: spans, shares, chances. One stream of them makes one log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Shape, dtype and range stand in each docstring."""

Span = tuple[float, float]
Shares = Mapping[str, float]
"""Names with their shares, which need not add up to one."""

T = TypeVar("T")


class Table(SimpleNamespace):
    """The ranges of one ingredient by name, so that the code that draws it holds none."""


class Draws:
    """A seeded stream of draws. The same seeds give the same draws on any machine."""

    def __init__(self, *seeds: int) -> None:
        self.rng = np.random.default_rng(seeds)

    def between(self, span: Span) -> float:
        """Uniform in [span[0], span[1])."""
        return float(self.rng.uniform(*span))

    def each_between(self, span: Span, count: int) -> Array:
        """So many of them: float64 (count,)."""
        return self.rng.uniform(span[0], span[1], count)

    def log_between(self, span: Span) -> float:
        """Uniform in the logarithm: as many from 1 to 2 as from 10 to 20."""
        return float(np.exp(self.rng.uniform(np.log(span[0]), np.log(span[1]))))

    def span(self, span: Span) -> float:
        """In the logarithm where the span lies above 0, else uniform."""
        return self.log_between(span) if span[0] > 0 else self.between(span)

    def normal(self, deviation: float = 1.0) -> float:
        return float(self.rng.normal(0, deviation))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def whole(self, span: Span) -> int:
        """A whole number from span[0] to span[1], both included."""
        return int(self.rng.integers(int(span[0]), int(span[1]) + 1))

    def count(self, mean: float) -> int:
        """How often something rare happens (Poisson)."""
        return int(self.rng.poisson(mean))

    def sign(self) -> int:
        return 1 if self.chance(0.5) else -1

    def pick(self, shares: Shares) -> str:
        """A name, in proportion to its share."""
        weights = np.array(list(shares.values()))
        return list(shares)[int(self.rng.choice(len(weights), p=weights / weights.sum()))]

    def number(self, shares: Shares) -> float:
        """A name that is a number, in proportion to its share."""
        return float(self.pick(shares))

    def one_of(self, things: Sequence[T]) -> T:
        return things[int(self.rng.integers(len(things)))]

    def noise(self, count: int) -> Array:
        """White noise: float64 (count,), unit variance."""
        return self.rng.standard_normal(count)

"""What the study trains, cell by cell, in the order of PREREGISTRATION.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RATES = (3e-4, 1e-3, 3e-3, 1e-2)
FIRST_SEEDS = 3
"""PREREGISTRATION.md, Deviations: further seeds of part A have the two lower rates alone; of the
other parts E alone has further ones."""

Momentum = float | Literal["cumulative"]  # the plain mean of all images that were seen
MOMENTA: tuple[Momentum, ...] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, "cumulative")
SNAPSHOTS = (100, 200, 400, 800, 1200)
TRUNK = 0.75
"""Share of the steps after which the rate stays (constant) or goes down to zero (annealed)."""

STEPS = {"A": 1600, "B": 400, "C": 400, "D": 400, "E": 1000, "F": 800}
STEPS |= {"G": 6400, "H": 25600, "I": 25600}

Data = Literal["bilevel", "mixed", "tall"]


def rates_of(seed: int) -> tuple[float, ...]:
    """The rates of a seed of part A."""
    return RATES if seed < FIRST_SEEDS else RATES[:2]


@dataclass(frozen=True)
class Cell:
    """One training: everything that decides its course.

    norm: a word of `wellseg.norms` or of `norms.py`. logs: how many a step takes. freeze: share of
    the steps after which running statistics stay. data: what it is shown, see `Logs.training`.
    """

    part: str
    norm: str
    rate: float
    seed: int
    steps: int
    logs: int = 1
    freeze: float | None = None
    data: Data = "bilevel"
    widths: tuple[int, ...] = (16, 32, 64, 128)

    @property
    def name(self) -> str:
        about = [self.part, self.norm, f"{self.rate:g}", f"s{self.seed}"]
        about += [f"k{self.logs}"] * (self.logs > 1)
        about += [f"f{self.freeze}"] * (self.freeze is not None)
        return "-".join(about)

    @property
    def snapshots(self) -> list[int]:
        return [step for step in SNAPSHOTS if step <= TRUNK * self.steps]


OTHER_NORMS = ("group16", "group8", "group4", "groups8", "layer", "renorm", "group_ws", "online")


def plan(best: Mapping[str, float], parts: str = "ADFECBGHI") -> list[Cell]:
    """All cells of these parts, a seed after the other within a part.

    best: the rate of each way to get a mask ("batch_momenta m0.01", "group evaluation", ...) that A
    has found on its validation logs. Without them A and B alone can be planned: the other parts
    wait for them.
    """
    cells: list[Cell] = []
    v1, group = best.get("batch_momenta m0.01"), best.get("group evaluation")
    own, faster = best.get("batch_momenta own"), best.get("batch_momenta m0.1")
    for part in parts:
        if part == "A":
            cells += [
                Cell("A", norm, rate, seed, STEPS["A"])
                for seed in range(12)
                for rate in rates_of(seed)
                for norm in ("batch_momenta", "group")
            ]
        elif part == "B":
            cells += [
                Cell("B", norm, rate, seed, STEPS["B"])
                for seed in range(FIRST_SEEDS)
                for norm in OTHER_NORMS
                for rate in RATES
            ]
        elif v1 is None or group is None or own is None or faster is None:
            continue
        elif part == "D":
            cells += [
                Cell("D", "batch_frozen", v1, seed, STEPS["D"], freeze=share)
                for seed in range(FIRST_SEEDS) for share in (0.05, 0.25, 0.5, 0.75)
            ]  # fmt: skip
        elif part == "C":
            cells += [
                Cell("C", norm, rate, seed, STEPS["C"], logs=k)
                for seed in range(FIRST_SEEDS) for k in (1, 2, 4, 8) for rate in sorted({v1, group})
                for norm in ("pooled", "pooled_constant", "group")
            ]  # fmt: skip
        elif part == "E":
            rates = {"batch_momenta": v1, "group": group}
            cells += [
                Cell("E", norm, rate, seed, STEPS["E"], data="tall")
                for seed in range(2 * FIRST_SEEDS)
                for norm, rate in rates.items()
            ]
        elif part in "GHI":  # A for longer: have the norms learnt all that they can?
            here, there = (group, v1) if part == "I" else (v1, group)  # I: each at the other's rate
            rates = {"batch_momenta": here, "group": there}
            cells += [
                Cell(part, norm, rate, seed, STEPS[part])
                for seed in range(FIRST_SEEDS)
                for norm, rate in rates.items()
            ]
        elif part == "F":
            rates = {"batch_momenta": v1, "group": group, "instance": own, "hybrid": own}
            cells += [
                Cell("F", norm, rate, seed, STEPS["F"], data="mixed")
                for seed in range(2 * FIRST_SEEDS)
                for norm, rate in rates.items()
            ]
    return cells

"""What is trained: the arms of the study, and how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RunKind = Literal["search", "main", "long"]
RATES = (1e-3, 3e-3, 1e-2)
"""Every arm chooses its learning rate from these, by its validation score in evaluation mode."""
SEARCH_SEED = 1000
"""Of the runs that choose the rate: no seed of the study."""


@dataclass(frozen=True)
class Arm:
    """One way to normalise.

    norm, momentum: see `wellseg.norms.make_norm`. logs: how many share one step's statistics; a step then
    takes its own log and those of the steps after it, so logs, order and steps stay those of every arm.
    standardised: the weights of the convolutions, too.
    """

    title: str
    norm: str
    momentum: float | Literal["cumulative"] = 0.01
    logs: int = 1
    standardised: bool = False


ARMS = {
    "group": Arm("GroupNorm, half_or_16", "group"),
    "batch": Arm("BatchNorm v1, momentum 0.01", "batch"),
    "renorm": Arm("Batch Renormalization", "renorm"),
    "batch_0.1": Arm("BatchNorm, momentum 0.1", "batch", 0.1),
    "batch_cumulative": Arm("BatchNorm, cumulative mean", "batch", "cumulative"),
    "batch_frozen": Arm("BatchNorm, frozen after a quarter", "batch_frozen"),
    "online": Arm("Online Normalization", "online"),
    "two_phase": Arm("two-phase BatchNorm over 2 logs", "two_phase", logs=2),
    "two_phase_constant": Arm(
        "the same, statistics taken for constants", "two_phase_constant", logs=2
    ),
    "instance": Arm("InstanceNorm", "instance"),
    "layer": Arm("LayerNorm over C, H, W", "layer"),
    "layer_pixel": Arm("LayerNorm at each pixel", "layer_pixel"),
    "group_ws": Arm("GroupNorm, weight standardisation", "group", standardised=True),
    "group8": Arm("GroupNorm, 8 channels a group", "group8"),
    "group4": Arm("GroupNorm, 4 channels a group", "group4"),
}
"""In the order of the report."""
HEADLINE = ("batch", "group")
RIVALS = ("renorm", "group_ws", "instance")
"""Trained with as many seeds as the headline pair: BatchNorm's repair that runs with fixed statistics, too, and the
two that came out first where a shorter study had too few seeds to say so."""


@dataclass(frozen=True)
class Size:
    """How much is trained and scored.

    widths: of the network, which folds 2 x 2 pixels (patch 2). rows: typical height of a training
    log; each is half to one and a half times as tall, 480 to 900 columns wide. tall_rows: of the logs that
    are cut into tiles. long_steps: of one
    more run of the headline pair, 0 for none.
    """

    widths: tuple[int, ...]
    rows: int
    steps: int
    search_steps: int
    seeds: int
    other_seeds: int
    test_logs: int
    tall_logs: int
    tall_rows: int
    calibration_logs: int
    long_steps: int
    arms: tuple[str, ...] = tuple(ARMS)


SIZES = {
    "quick": Size((16, 32), 96, 100, 40, 2, 2, 4, 1, 400, 4, 0, HEADLINE),
    "full": Size((16, 32, 64, 128), 224, 400, 100, 6, 3, 8, 2, 800, 12, 2000),
}


@dataclass(frozen=True)
class Job:
    """One training: everything that decides its course."""

    arm: str
    seed: int
    run: RunKind
    rate: float
    steps: int

    @property
    def name(self) -> str:
        return f"{self.run}-{self.arm}-{self.seed}" + (
            f"-{self.rate:g}" if self.run == "search" else ""
        )

    @property
    def search_key(self) -> tuple[str, ...]:
        """Of a search's row in results.csv: its moment is the rate."""
        return (
            "search",
            self.arm,
            "annealed",
            str(self.seed),
            f"{self.rate:g}",
            "evaluation",
            "validation",
        )


def search_jobs(size: Size, arms: tuple[str, ...]) -> list[Job]:
    return [
        Job(arm, SEARCH_SEED, "search", rate, size.search_steps) for arm in arms for rate in RATES
    ]


def study_jobs(
    size: Size, arms: tuple[str, ...], rates: dict[str, float], seeds: int | None
) -> list[Job]:
    """Seed by seed: a study that is stopped has compared whole seeds. seeds: instead of the size's."""
    jobs = []
    for seed in range(seeds or size.seeds):
        for arm in arms:
            if seed < (seeds or (size.seeds if arm in (*HEADLINE, *RIVALS) else size.other_seeds)):
                jobs.append(Job(arm, seed, "main", rates[arm], size.steps))
    if size.long_steps:
        jobs += [
            Job(arm, 0, "long", rates[arm], size.long_steps) for arm in HEADLINE if arm in arms
        ]
    return jobs

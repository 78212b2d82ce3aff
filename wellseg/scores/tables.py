"""Scores of a data set as tables: per log, in all, and the difference of two sets of masks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from wellseg.scores import F1, FALSE, HEADINGS, SHARES
from wellseg.scores.identity import IdentityScores, identity_table
from wellseg.scores.masks import Scores

DRAWS = 2000
"""Of the bootstrap."""
GOOD_F1 = 0.95
"""From which a page counts as good."""


@dataclass(frozen=True)
class LogScores:
    """The scores of one log of a data set, and what split.csv says of it."""

    name: str
    split: str
    well: str
    kind: str
    scores: Scores
    identity: IdentityScores | None = None
    """Of its curves, where the label says which strokes are one."""

    @property
    def columns(self) -> dict[str, float]:
        """Its scores: a log without curves has `FALSE` alone."""
        names = [*SHARES, FALSE] if self.scores.has_curves else [FALSE]
        return {name: getattr(self.scores, name) for name in names}

    @property
    def badness(self) -> float:
        """What logs are ranked by, 0 best: 1 - F1, or without curves false px per row."""
        return 1 - self.columns.get(F1, 1 - self.columns[FALSE])


def summarise(logs: Sequence[LogScores]) -> dict[str, dict[str, float]]:
    """Of logs with curves, or of logs without: means, means of the worst tenth (rounded up) by each
    score, and the share of logs whose F1 is good."""
    tenth = math.ceil(len(logs) / 10)
    values = {name: np.sort([log.columns[name] for log in logs]) for name in logs[0].columns}
    worst = {name: of[-tenth:] if name == FALSE else of[:tenth] for name, of in values.items()}
    found = {
        "mean": {name: float(of.mean()) for name, of in values.items()},
        "worst tenth": {name: float(of.mean()) for name, of in worst.items()},
    }
    if F1 in values:
        found[f"share of F1 >= {GOOD_F1}"] = {F1: float((values[F1] >= GOOD_F1).mean())}
    return found


def with_and_without_curves(logs: Sequence[LogScores]) -> Iterator[tuple[str, list[LogScores]]]:
    """Those of both that there are, and what to call them."""
    for has_curves, title in ((True, "Logs with curves"), (False, "Logs without curves")):
        chosen = [log for log in logs if log.scores.has_curves == has_curves]
        if chosen:
            yield title, chosen


def make_tables(logs: Sequence[LogScores]) -> Iterator[Table]:
    """A table of the logs with curves and one of those without, with means of their groups."""
    for title, chosen in with_and_without_curves(logs):
        table = _table(title, chosen)
        for log in chosen:
            _add(table, (log.name, log.split, log.kind), log.columns)
        table.add_section()
        for (split, kind), group in _group(chosen).items():
            for what, values in summarise(group).items():
                if what == "mean":
                    what = f"mean of {len(group)} log{'s' * (len(group) > 1)}"
                elif group != chosen:
                    continue
                _add(table, (what, split, kind), values, style="bold")
        yield table


def curve_table(results: Sequence[LogScores]) -> Iterator[Table]:
    """Scores of whole curves, where logs have them: means, but medians of SNR and edits."""
    found = {result.name: result.identity for result in results if result.identity}
    if found:
        headings, lines = identity_table(found)
        table = Table(title="Whole curves", title_justify="left")
        for number, heading in enumerate(headings):
            table.add_column(heading, justify="right" if number else "left")
        for line in lines:
            table.add_row(*line)
        yield table


def difference_tables(logs: Sequence[LogScores], others: Sequence[LogScores]) -> Iterator[Table]:
    """Of logs that both have, scores less the other's, and their mean's 95 % interval."""
    before = {other.name: other for other in others}
    both = [log for log in logs if log.name in before]
    for title, chosen in with_and_without_curves(both):
        table = _table(
            f"{title}: the difference to --against, the log that lost most first", chosen
        )
        chosen.sort(key=lambda log: before[log.name].badness - log.badness)
        less = [
            {name: value - before[log.name].columns[name] for name, value in log.columns.items()}
            for log in chosen
        ]
        for log, values in zip(chosen, less, strict=True):
            _add(table, (log.name, log.split, log.kind), values, sign="+")
        table.add_section()
        wells = [log.well for log in chosen]
        bounds = {name: mean_interval([each[name] for each in less], wells) for name in less[0]}
        for place, what in enumerate(("mean", "95 % interval from", "to")):
            values = {name: bound[place] for name, bound in bounds.items()}
            _add(table, (what, "", ""), values, sign="+", style="bold")
        yield table


def mean_interval(values: Sequence[float], wells: Sequence[str]) -> tuple[float, float, float]:
    """Mean of the logs' values, and the ends of its 95 % interval if other wells had been drawn.

    A bootstrap over wells, not logs: two logs of one well are no two witnesses. The same every
    time. Of one well the interval is the mean alone.
    """
    names, of_well = np.unique(wells, return_inverse=True)
    sums, counts = np.bincount(of_well, values), np.bincount(of_well)
    drawn = np.random.default_rng(0).integers(len(names), size=(DRAWS, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(np.mean(values)), float(low), float(high)


def _table(title: str, logs: Sequence[LogScores]) -> Table:
    table = Table("log", "split", "kind", title=title, title_justify="left")
    for name in logs[0].columns:
        table.add_column(HEADINGS[name], justify="right")
    return table


def _add(
    table: Table, about: Sequence[str], values: dict[str, float], sign: str = "", style: str = ""
) -> None:
    """A row; a column of which there is no value stays empty."""
    shown = {HEADINGS[name]: f"{value:{sign}.3f}" for name, value in values.items()}
    headings = [str(column.header) for column in table.columns[len(about) :]]
    table.add_row(*about, *(shown.get(heading, "") for heading in headings), style=style)


def _group(logs: Sequence[LogScores]) -> dict[tuple[str, str], list[LogScores]]:
    """By split and kind, by split, by kind, and all: each set of logs once."""
    groups: dict[tuple[str, str], list[LogScores]] = {}
    for split in ("train", "val", "test", "all"):
        for kind in [*sorted({log.kind for log in logs}), "all"]:
            group = [
                log for log in logs if split in (log.split, "all") and kind in (log.kind, "all")
            ]
            if group:
                groups[split, kind] = group
    # Of equal sets the last one is the most general: "all, all" always stays.
    last = {tuple(log.name for log in group): key for key, group in groups.items()}
    return {key: group for key, group in groups.items() if key in last.values()}

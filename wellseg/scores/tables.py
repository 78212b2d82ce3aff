"""Scores of a data set as tables: per log, their means, and the difference of two sets of masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from wellseg.scores import FALSE, SHARES
from wellseg.scores.masks import Scores
from wellseg.scores.means import badness, mean_interval, mean_scores


@dataclass(frozen=True)
class LogScores:
    """The scores of one log of a data set, and what split.csv says of it."""

    name: str
    split: str
    well: str
    kind: str
    scores: Scores


def make_tables(results: Sequence[LogScores]) -> Iterator[Table]:
    """One table of the logs with curves and one of those without, each with its means below."""
    for title, columns, chosen in _with_and_without_curves(results):
        table = _table("log", "split", "kind", *columns.values(), title=title)
        for result in chosen:
            cells = [f"{getattr(result.scores, name):.3f}" for name in columns]
            table.add_row(result.name, result.split, result.kind, *cells)
        table.add_section()
        for (split, kind), group in _group(chosen).items():
            means = mean_scores(result.scores for result in group)
            cells = [f"{means[name]:.3f}" for name in columns]
            what = "mean of 1 log" if len(group) == 1 else f"mean of {len(group)} logs"
            table.add_row(what, split, kind, *cells, style="bold")
        yield table


def difference_tables(results: Sequence[LogScores], others: Sequence[LogScores]) -> Iterator[Table]:
    """For each log that both have its score less the other's, and of the means the 95 %
    interval."""
    before = {other.name: other.scores for other in others}
    both = [result for result in results if result.name in before]
    for title, columns, chosen in _with_and_without_curves(both):
        title = f"{title}: the difference to --against, the log that lost most first"
        chosen = sorted(chosen, key=lambda r: badness(before[r.name]) - badness(r.scores))
        table = _table("log", "split", "kind", *columns.values(), title=title)
        of_column = {
            name: [getattr(r.scores, name) - getattr(before[r.name], name) for r in chosen]
            for name in columns
        }
        for result, *differences in zip(chosen, *of_column.values(), strict=True):
            cells = [f"{difference:+.3f}" for difference in differences]
            table.add_row(result.name, result.split, result.kind, *cells)
        table.add_section()
        wells = [result.well for result in chosen]
        bounds = [mean_interval(values, wells) for values in of_column.values()]
        for what, place in (("mean", 0), ("95 % interval from", 1), ("to", 2)):
            table.add_row(what, "", "", *(f"{bound[place]:+.3f}" for bound in bounds), style="bold")
        yield table


def _with_and_without_curves(
    results: Sequence[LogScores],
) -> Iterator[tuple[str, dict[str, str], list[LogScores]]]:
    for has_curves, title, columns in (
        (True, "Logs with curves", SHARES),
        (False, "Logs without curves", {FALSE: "false centreline px per row"}),
    ):
        chosen = [result for result in results if result.scores.has_curves == has_curves]
        if chosen:
            yield title, columns, chosen


def _table(*headings: str, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < 3 else "right")
    return table


def _group(results: Sequence[LogScores]) -> dict[tuple[str, str], list[LogScores]]:
    """By split and kind, by split, by kind, and all: each set of logs once."""
    groups: dict[tuple[str, str], list[LogScores]] = {}
    for split in ("train", "val", "test", "all"):
        for kind in [*sorted({result.kind for result in results}), "all"]:
            group = [
                result
                for result in results
                if split in (result.split, "all") and kind in (result.kind, "all")
            ]
            if group:
                groups[split, kind] = group
    # Of equal sets the last one is the most general: "all, all" always stays.
    last = {tuple(result.name for result in group): key for key, group in groups.items()}
    return {key: group for key, group in groups.items() if key in last.values()}

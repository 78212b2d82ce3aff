"""Scores of a data set as tables: per log, and in all."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from statistics import fmean

from rich.table import Column, Table

from wellseg.scores import F1, FALSE, HEADINGS, Row
from wellseg.scores.identity import IDENTITY_HEADINGS, IdentityScores, identity_line

GOOD_F1 = 0.95  # from which a page counts as good


def summarise(logs: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Of logs with curves, or of logs without: means, means of the worst tenth (rounded up) by each
    score, and the share of logs whose F1 is good."""
    tenth = math.ceil(len(logs) / 10)
    names = [name for name in HEADINGS if name in logs[0]]
    values = {name: sorted((log[name] for log in logs), reverse=name == FALSE) for name in names}
    found = {
        "mean": {name: fmean(of) for name, of in values.items()},
        "worst tenth": {name: fmean(of[:tenth]) for name, of in values.items()},
    }
    if F1 in values:
        found[f"share of F1 >= {GOOD_F1}"] = {F1: fmean(f1 >= GOOD_F1 for f1 in values[F1])}
    return found


def make_tables(
    logs: Sequence[Row], followed: Mapping[str, IdentityScores | None]
) -> Iterator[Table]:
    """Of logs with curves and without, with means of groups; of whole curves, where labelled."""
    for has_curves, title in ((True, "Logs with curves"), (False, "Logs without curves")):
        chosen = [log for log in logs if (F1 in log) == has_curves]
        if not chosen:
            continue
        names = HEADINGS if has_curves else {FALSE: HEADINGS[FALSE]}
        table = _table(title, ["log", "split", "kind"], list(names.values()))
        lines = [(log["name"], log["split"], log["kind"], log) for log in chosen]
        for (split, kind), group in _groups(chosen).items():
            found = summarise(group)
            count = f"mean of {len(group)} log{'s' * (len(group) > 1)}"
            lines.append((count, split, kind, found.pop("mean")))
        lines += [(what, "all", "all", values) for what, values in found.items()]  # of all logs
        for number, (*about, values) in enumerate(lines, 1):
            cells = (f"{values[name]:.3f}" if name in values else "" for name in names)
            style = "bold" if number > len(chosen) else ""
            table.add_row(*about, *cells, style=style, end_section=number == len(chosen))
        yield table
    known = {name: identity for name, identity in followed.items() if identity}
    if known:
        table = _table("Whole curves", IDENTITY_HEADINGS[:1], IDENTITY_HEADINGS[1:])
        for name, identity in known.items():
            table.add_row(*identity_line(name, [identity]))
        table.add_row(*identity_line("all", list(known.values())), style="bold")
        yield table


def _table(title: str, about: Sequence[str], numbers: Sequence[str]) -> Table:
    columns = [Column(name, justify="right") for name in numbers]
    return Table(*about, *columns, title=title, title_justify="left")


def _groups(logs: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """By split and kind, by split, by kind, and all: of equal groups the most general."""
    found: dict[tuple[str, ...], tuple[tuple[str, str], list[Row]]] = {}
    kinds = sorted({log["kind"] for log in logs})
    for split, kind in product(("train", "val", "test", "all"), (*kinds, "all")):
        group = [
            log for log in logs if split in (log["split"], "all") and kind in (log["kind"], "all")
        ]
        names = tuple(log["name"] for log in group)
        found.pop(names, None)
        if group:
            found[names] = (split, kind), group
    return dict(found.values())

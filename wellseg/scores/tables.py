"""Scores as tables: of a data set per log and in all, of trainings that are compared."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from statistics import fmean
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Column, Table

from wellseg.scores import ERRORS, F1, FALSE, HEADINGS, ON, Row
from wellseg.scores.identity import IDENTITY_HEADINGS, IdentityScores, identity_line

GOOD_F1 = 0.95  # from which a page counts as good
UNSEEN = ("iou", "cldice")  # in scores.csv alone: a terminal may have 80 columns
SCORES = ("f1", "dice", "false_px_per_row")  # of a comparison: the last of logs without curves


def summarise(logs: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Of logs with curves or without: means, also of each score's worst tenth; share of good F1."""
    names = [name for name in HEADINGS if name in logs[0]]
    values = {it: sorted((log[it] for log in logs), reverse=it in (FALSE, ERRORS)) for it in names}
    found = {"mean": {name: fmean(of) for name, of in values.items()}}
    found["worst tenth"] = {name: fmean(of[: -(-len(of) // 10)]) for name, of in values.items()}
    if F1 in values:
        found[f"share of F1 >= {GOOD_F1}"] = {F1: fmean(f1 >= GOOD_F1 for f1 in values[F1])}
    return found


def make_tables(logs: Sequence[Row], followed: Mapping[str, IdentityScores]) -> Iterator[Table]:
    """Tables of logs with curves, of logs without, and of whole curves, with means of groups."""
    for has_curves, title in ((True, "Logs with curves"), (False, "Logs without curves")):
        if not (chosen := [log for log in logs if (F1 in log) == has_curves]):
            continue
        names = [it for it in HEADINGS if it not in UNSEEN] if has_curves else [FALSE]
        table = _table(title, ["log", "split", "kind"], [HEADINGS[name] for name in names])
        lines = [(log["name"], log["split"], log["kind"], log) for log in chosen]
        for (split, kind), group in _groups(chosen).items():
            found = summarise(group)
            count = f"mean of {len(group)} logs" if len(group) > 1 else "mean of 1 log"
            lines.append((count, split, kind, found.pop("mean")))
        lines += [(what, "all", "all", values) for what, values in found.items()]  # all come last
        for number, (*about, values) in enumerate(lines, 1):
            cells = (f"{values[name]:.3f}" if name in values else "" for name in names)
            style, is_last = "bold" if number > len(chosen) else "", number == len(chosen)
            table.add_row(*map(escape, about), *cells, style=style, end_section=is_last)
        yield table
    if told := [log for log in logs if any(name.startswith(ON) for name in log)]:
        kinds = sorted({name for log in told for name in log if name.startswith(ON)})
        headings = [escape(name.removeprefix(ON)) for name in kinds]
        table = _table("False px a row by what they lie on", ["mean of", "split", "kind"], headings)
        for of, group in _groups(told).items():
            means = (fmean(log.get(name, 0.0) for log in group) for name in kinds)
            table.add_row(str(len(group)), *of, *(f"{it:.3f}" for it in means))
        yield table
    if followed:
        table = _table("Whole curves", IDENTITY_HEADINGS[:1], IDENTITY_HEADINGS[1:])
        for name, identity in followed.items():
            table.add_row(*identity_line(escape(name), [identity]))
        for of, group in _groups([log for log in logs if log["name"] in followed]).items():
            name, its = " ".join(dict.fromkeys(of)), [followed[log["name"]] for log in group]
            table.add_row(*identity_line(escape(name), its), style="bold")
        yield table


def _table(title: str, about: Sequence[str], numbers: Sequence[str]) -> Table:
    """On a narrow terminal names fold; numbers stay whole."""
    texts = [Column(name, overflow="fold", min_width=5) for name in about]
    heads = [name.replace(" ", "\n", 1) for name in numbers]
    columns = [Column(head, justify="right", overflow="fold", min_width=5) for head in heads]
    narrow: Any = {"padding": (0, 1, 0, 0), "show_edge": False, "pad_edge": False}
    return Table(*texts, *columns, title=title, title_justify="left", box=box.SIMPLE_HEAD, **narrow)


def _groups(logs: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """By split and kind, by split, by kind, and all: of equal groups the most general."""
    found: dict[tuple[str, ...], tuple[tuple[str, str], list[Row]]] = {}
    kinds = sorted({log["kind"] for log in logs})
    for split, kind in product(("train", "val", "test", "all"), (*kinds, "all")):
        group = [it for it in logs if split in (it["split"], "all") and kind in (it["kind"], "all")]
        names = tuple(log["name"] for log in group)
        found.pop(names, None)
        if group:
            found[names] = (split, kind), group
    return dict(found.values())


def report(rows: Sequence[Row], norms: Sequence[str]) -> Iterator[str]:
    """Markdown: each norm and mode at its rate: scores, and how it differs from the last norm."""
    rates = choose_rates(rows)
    scores: dict[Any, dict[Any, float]] = defaultdict(dict)
    for row in rows:
        way = row["norm"], row["mode"]
        if rates.get(way) == row["rate"]:
            for score in row.keys() & SCORES:
                scores[*way, row["set"], score][row["seed"], row["log"]] = row[score]
    for test_set in sorted({row["set"] for row in rows} - {"validation"}):
        yield f"## {test_set}\n"
        yield f"| norm | rate | validation F1@3px | F1@3px | false px a row | minus {norms[-1]} |"
        yield "|---|---|---|---|---|---|"
        last = scores[norms[-1], "evaluation", test_set, "f1"]
        for way in sorted(rates, key=lambda way: (norms.index(way[0]), way[1])):
            f1, false = scores[*way, test_set, "f1"], scores[*way, test_set, "false_px_per_row"]
            columns = scores[*way, "validation", "f1"], f1, false
            cells = [f"{fmean(of.values()):.3f}" if of else "" for of in columns]
            cells.append(verdict(f1, last) if f1 is not last else "")
            name = f"{way[0]}, own statistics" if way[1] == "own" else way[0]
            yield f"| {name} | {rates[way]:g} | {' | '.join(cells)} |"
        yield ""


def choose_rates(rows: Sequence[Row]) -> dict[tuple[str, str], float]:
    """Of each norm and mode the rate with the best mean F1@3px of the validation logs.
    Of rates with the most seeds alone: at the others a run diverged or is not done yet."""
    f1 = defaultdict(list)
    for row in rows:
        if row["set"] == "validation" and "f1" in row:
            f1[row["norm"], row["mode"], row["rate"]].append(row["f1"])
    best_last = sorted(f1, key=lambda key: (len(f1[key]), fmean(f1[key]), -key[2]))
    return {(norm, mode): rate for norm, mode, rate in best_last}


def verdict(first: Mapping[Any, float], second: Mapping[Any, float]) -> str:
    """First less second, paired by (seed, log), in words; Student's 95 % interval over seeds."""
    from scipy import stats

    by_seed = defaultdict(list)
    for seed, log in first.keys() & second.keys():
        by_seed[seed].append(first[seed, log] - second[seed, log])
    deltas = [fmean(each) for each in by_seed.values()]
    if len({*deltas}) < 2:  # no variance, no test
        return f"{deltas[0]:+.3f}, seeds: {len(deltas)}" if deltas else "nothing to compare"
    found = stats.ttest_1samp(deltas, 0)
    low, high = found.confidence_interval()
    said = "better" if low > 0 else "worse" if high < 0 else "no difference shown"
    interval = f"95 % {low:+.3f} to {high:+.3f}, p {found.pvalue:.3f}, {len(deltas)} seeds"
    return f"{said}: {fmean(deltas):+.3f} ({interval})"

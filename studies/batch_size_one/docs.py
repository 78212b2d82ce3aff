"""Fills the numbers and tables of docs/batch-size-one.md from the rows in the repository.

In the Markdown, <!--=NAME--> ... <!--/--> is what this writes; all else is the author's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from jsonargparse import auto_cli

from studies.batch_size_one import earlier, explanations, figures, findings, forum, measure
from studies.batch_size_one.collect import committed
from studies.batch_size_one.findings import GROUP, OWN, V1
from studies.batch_size_one.statistics import Difference, Estimate
from studies.batch_size_one.table import SEEDS, Table
from wellseg.norms.group import half_or_16
from wellseg.scan.atomic import atomic_file

PAGE = Path(__file__).parents[2] / "docs" / "batch-size-one.md"
PART = re.compile(r"(<!--=([\w. -]+)-->)(.*?)(<!--/-->)", re.DOTALL)

SHOWN = ("like", "real_bilevel", "renders", "real_colour")


def fill(page: Path = PAGE) -> None:
    """Write the page's numbers anew.

    Args:
        page: The Markdown.
    """
    text = page.read_text("utf-8")
    new = filled(text, values(Table(committed()), measure.measured()))
    if new != text:
        with atomic_file(page) as file:
            file.write(new.encode())
    print(f"{page}: {'filled' if new != text else 'as it was'}")


def filled(text: str, known: Mapping[str, str]) -> str:
    """Raises ValueError for a name that nothing is known of."""

    def part(match: re.Match[str]) -> str:
        if match[2] not in known:
            raise ValueError(f"<!--={match[2]}-->: no such number; known are {', '.join(known)}")
        return match[1] + known[match[2]] + match[4]

    return PART.sub(part, text)


def values(table: Table, measured: list[dict[str, str]]) -> dict[str, str]:
    """All that can be filled in, by name."""
    known = {"state": _state(table), "atlas": _atlas(table), "kept": _kept(table), "pairs": _pairs(table)}  # fmt: skip
    known |= {"family": _family(table), "lag": _lag(table), "earlier": _earlier()}
    known |= _identities() | _shares_before() | _measured(measured)
    return known


# ---- the atlas -----------------------------------------------------------------------------------


def _state(table: Table) -> str:
    done = len(table.seeds)
    if done == SEEDS:
        return "All 12 seeds of part A are in."
    said = f"**{findings.seeds_said(table).capitalize()}**: no result yet, and no word of the plan is used."
    return said + " No seed has all rates of both norms; the tables come with the first." * (
        not done
    )


def _block(lines: list[str]) -> str:
    return "\n\n" + "\n".join(lines) + "\n\n"


def _head(*names: str) -> list[str]:
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


def _atlas(table: Table) -> str:
    if not table.seeds:
        return ""
    best = {each.way: each for each in figures.best(table)}
    f1 = {(p.way, p.set, p.rate): p.f1 for p in figures.rate_curves(table)}
    false = {(p.way, p.rate): p.px for p in figures.false_pixels(table) if p.set == "negative"}
    lines = _head("F1@3px, mean (95 %)", "rate", *(figures.SHORT_SETS[n] for n in SHOWN), "false px a row, no curve there")  # fmt: skip
    for way, title in figures.SHORT.items():
        rate = best[way.name].rate
        cells = [_range(f1.get((way.name, name, rate))) for name in SHOWN]
        edge = " (edge)" if best[way.name].at_edge else ""
        lines.append(f"| {title} | {rate:g}{edge} | " + " | ".join([*cells, _range(false.get((way.name, rate)), 1)]) + " |")  # fmt: skip
    return _block(lines)


def _range(found: Estimate | None, digits: int = 2) -> str:
    if found is None:
        return ""
    return f"{found.mean:.{digits}f} ({found.low:.{digits}f}–{found.high:.{digits}f})"


def _kept(table: Table) -> str:
    if not table.seeds:
        return ""
    names = {way.name: title for way, title in figures.SHORT.items()}
    lines = _head(
        "share of its score that is kept", "renders", "real colour", "half and more blank"
    )
    for point in figures.trade_off(table):
        if point.is_best and point.way in names:
            shares = [_range(each) for each in (point.renders, point.colour, point.blank)]
            lines.append(f"| {names[point.way]} | " + " | ".join(shares) + " |")
    return _block(lines)


def _pairs(table: Table) -> str:
    if not table.seeds:
        return ""
    lines = _head("difference in F1 (95 %)", *(figures.SHORT_SETS[name] for name in SHOWN))
    found = {(p.a, p.b, p.set): p for p in figures.pairs(table) if not p.one_rate}
    for a, b in ((V1, GROUP), (OWN, GROUP), (OWN, V1)):
        cells = [_difference(found[a.name, b.name, n].difference) if (a.name, b.name, n) in found else "" for n in SHOWN]  # fmt: skip
        titles = f"{figures.SHORT[a]} − {figures.SHORT[b]}"
        lines.append(f"| {titles} | " + " | ".join(cells) + " |")
    return _block(lines)


def _difference(found: Difference) -> str:
    return _minus(f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})")


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _family(table: Table) -> str:
    if not table.seeds:
        return ""
    lines = _head("", "difference", "on", "F1 (95 %)", "p (Holm)", "expected", "found")
    known = {h.name: (d, p, word) for h, d, p, word in findings.family(table)}
    for h in findings.FAMILY:
        weights = ", same weights" if h.rate_of else ""
        about = f"| {h.name} | {_title(h.a)} − {_title(h.b)}{weights} | {figures.SHORT_SETS[h.set]}{' (half and more)' * h.most_blank} | "  # fmt: skip
        d, p, word = known.get(h.name, (None, math.nan, "to come"))
        cells = (_difference(d), f"{p:.4f}") if d else ("", "")
        if d and d.seeds < SEEDS:
            cells = cells[0], "–"
        lines.append(about + " | ".join([*cells, h.expected, word]) + " |")
    said = "The family of eight, with the only words that may be said of it:"
    return _block([said, "", *lines])


def _title(way: findings.Way) -> str:
    return "v1, 16 unlabelled renders (AdaBN)" if way == findings.ADABN else figures.SHORT[way]


def _lag(table: Table) -> str:
    if not table.seeds:
        return ""
    gains = {
        (g.rate, g.schedule, g.step): g.gain for g in explanations.start(table) if g.set == "like"
    }
    last = max(step for *_, step in gains)
    lines = _head("rate", "momentum 0.1 − 0.01, constant end", "loses less after annealing", "start taken out, step 200", f"… step {last:,}")  # fmt: skip
    for test in explanations.lag_tests(table):
        two = gains[test.rate, "constant", 200], gains[test.rate, "annealed", last]
        cells = [_difference(d) for d in (test.by_momentum, test.by_annealing, *two)]
        lines.append(f"| {test.rate:g} | " + " | ".join(cells) + " |")
    said = "Is it lag, is it the buffers' start? If lag, the first two columns are above zero; if the start, the third is and the fourth is not (F1 on logs like the training, the same weights):"
    return _block([said, "", *lines])


# ---- what needs no atlas -------------------------------------------------------------------------


def _earlier() -> str:
    lines = _head("", *(figures.SHORT_SETS[name] for name in SHOWN))
    instance, group = ("instance", "evaluation"), ("group", "evaluation")
    renorm = ("renorm", "evaluation")
    asked: tuple[tuple[str, Callable[[str], earlier.Pooled]], ...] = (
        ("v1: running − own statistics, the same weights, 12 seeds", lambda n: earlier.pooled(earlier.RUNNING, earlier.OWN, n)),
        ("BatchNorm 0.1: the same, 3 seeds", lambda n: earlier.pooled(("batch_0.1", "evaluation"), instance, n, (400,))),
        ("InstanceNorm − GroupNorm, one rate, 6 seeds", lambda n: earlier.pooled(instance, group, n, (400,))),
        ("Batch Renorm − InstanceNorm, one rate, 6 seeds", lambda n: earlier.pooled(renorm, instance, n, (400,))),
    )  # fmt: skip
    for title, ask in asked:
        cells = [_minus(f"{d.mean:+.3f} (p {_p(d.p)})") for d in map(ask, SHOWN)]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return _block(lines)


def _p(p: float) -> str:
    return f"{p:.4f}" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _shares_before() -> dict[str, str]:
    arms = {"instance": ("instance", "evaluation"), "own": earlier.OWN, "group": ("group", "evaluation"),
            "v1": earlier.RUNNING, "0.1": ("batch_0.1", "evaluation"), "renorm": ("renorm", "evaluation")}  # fmt: skip
    known = {}
    for name, arm in arms.items():
        for what, sets in {"renders": ("renders", "like"), "blank": ("blank", "like")}.items():
            known[f"earlier {name} {what}"] = f"{earlier.kept(*arm, *sets):.2f}"
    constant = [earlier.by_seed(arm, mode, "like", 400).values() for mode in ("evaluation", "layerwise")
                for arm in ("two_phase_constant", "two_phase")]  # fmt: skip
    names = ("constant evaluation", "exact evaluation", "constant again", "exact again")
    for name, scores in zip(names, constant, strict=True):
        known[f"earlier {name}"] = f"{sum(s for _, s in scores) / len(scores):.2f}"
    return known


def _identities() -> dict[str, str]:
    vectors = forum.scale_seen()
    known = {
        "averaged 0.01": f"{forum.averaged_over(0.01):.0f}",
        "averaged 0.1": f"{forum.averaged_over(0.1):.0f}",
        "left 100": f"{100 * forum.left_of_start(0.01, 100):.0f} %",
        "left 400": f"{100 * forum.left_of_start(0.01, 400):.0f} %",
        "vectors before": f"{vectors['before']:.2f}",
        "vectors layer": f"{vectors['layer']:.2f}",
        "vectors difference": f"{vectors['layer difference']:.3f}",
        "vectors evaluation": f"{vectors['evaluation']:.2f}",
        "groups": ", ".join(f"{c} → {half_or_16(c)}" for c in (8, 16, 24, 32, 64, 128, 256, 512)),
    }
    for widths in ((4, 8, 16, 32), (8, 16, 32, 64), (16, 32, 64, 128)):
        one, norms = forum.one_group_layers(widths)
        known[f"one group {widths[0]}"] = f"{one} of {norms}"
    return known


def _measured(rows: list[dict[str, str]]) -> dict[str, str]:
    found = {(r["question"], r["norm"], r["where"], float(r["x"]), r["quantity"], r["weights"].rpartition(", ")[2]): float(r["value"]) for r in rows}  # fmt: skip
    if not found:
        return {"measured": _block(["Not measured yet."])}

    def one(*asked: object) -> float:
        return next(value for key, value in found.items() if key[: len(asked)] == asked)

    counts = sorted({key[3] for key in found if key[:3] == ("values", "batch", "core")})
    lines = _head("values of a channel", *(f"{count:.0f}" for count in counts))
    for quantity, said in (("mean", "error of the mean"), ("sd", "error of the standard deviation")):  # fmt: skip
        for how, where in (("window", "side by side"), ("scattered", "scattered")):
            cells = [f"{found['values', 'batch', 'core', c, f'{quantity}, {how}', 'end']:.2f}" for c in counts]  # fmt: skip
            lines.append(f"| {said}, {where} | " + " | ".join(cells) + " |")
    known = {"measured": _block(lines)}
    for layer, name in ((1, "first"), (8, "core")):
        known[f"values {name}"] = f"{found['images', 'batch', '', layer, 'values', 'end']:,.0f}"
    away = [value for key, value in found.items() if key[0] == "images" and key[4] == "distance"]
    known["images low"], known["images high"] = f"{min(away):.2f}", f"{max(away):.2f}"
    for kind in ("like", "renders"):
        for layer, name in ((1, "first"), (8, "core"), (14, "last")):
            known[f"contrast {kind} {name}"] = f"{one('contrast', 'batch', kind, layer, 'sd ratio'):.2f}"  # fmt: skip
    known["contrast common"] = f"{100 * one('contrast', 'batch', 'renders', 8, 'common share'):.0f} %"  # fmt: skip
    for norm, where, logs, name in (
        ("batch_momenta", "own", 1, "own 1"), ("group", "own", 1, "group 1"), ("batch_momenta", "running", 1, "running 1"),
        ("batch_momenta", "own", 4, "own 4"), ("pooled", "pooled", 4, "pooled 4"), ("group", "own", 4, "group 4"),
    ):  # fmt: skip
        for when in ("step 0", "step 400", "end"):
            noise = found.get(("gradient", norm, where, logs, "noise", when))
            if noise is not None:
                known[f"noise {name} {when}"] = f"{noise:.1f}" if math.isfinite(noise) else "∞"
    weights = rows[0]["weights"].rpartition(", ")[0]
    return known | {"measured on": f"{weights}, {rows[0]['logs']} logs"}


if __name__ == "__main__":
    auto_cli(fill, as_positional=False)

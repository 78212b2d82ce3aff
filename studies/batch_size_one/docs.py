"""Fills the numbers and tables of docs/batch-size-one.md and docs/batch-size-one-tables.md from the
rows in the repository.

In the Markdown, <!--=NAME--> ... <!--/--> is what this writes; all else is the author's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jsonargparse import auto_cli

from studies.batch_size_one import (
    docs_parts,
    docs_words,
    earlier,
    explanations,
    figures,
    findings,
    forum,
    measure,
    thresholds,
)
from studies.batch_size_one.collect import committed
from studies.batch_size_one.docs_parts import difference_said
from studies.batch_size_one.figures import SHORT, SHORT_SETS, TITLES
from studies.batch_size_one.findings import CORRECTED, GROUP, OWN, V1, best_rates, paired
from studies.batch_size_one.logs import TALL
from studies.batch_size_one.measure_rate import MEASURED_RATE
from studies.batch_size_one.measure_tall import CORE_CHANNELS, MEASURED_TALL, SHARES
from studies.batch_size_one.measure_unlabelled import MEASURED_UNLABELLED
from studies.batch_size_one.plan import RATES, STEPS
from studies.batch_size_one.statistics import Estimate
from studies.batch_size_one.table import SEEDS, Table, Way
from wellseg.norms.group import half_or_16
from wellseg.scan.atomic import atomic_file

PAGE = Path(__file__).parents[2] / "docs" / "batch-size-one.md"
PAGES = PAGE, PAGE.with_stem("batch-size-one-tables")
PART = re.compile(r"(<!--=([\w. -]+)-->)(.*?)(<!--/-->)", re.DOTALL)

WAYS = [way for way in TITLES if way != CORRECTED]  # which equals v1 to four digits: table "lag"
SHOWN = ("like", "real_bilevel", "renders", "real_colour")
SHOWN_TITLES = [SHORT_SETS[name] for name in SHOWN]


def fill() -> None:
    """Write the numbers of both documents anew."""
    known = values(Table(committed()), measure.measured())
    for page in PAGES:
        text = page.read_text("utf-8")
        new = filled(text, known)
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
    tables = {"atlas": _atlas, "kept": _kept, "pairs": _pairs, "family": _family, "lag": _lag}
    tables |= {"early": _early, "anew": _anew}
    known = {name: of(table) if table.seeds else "" for name, of in tables.items()}
    known |= {"earlier": _earlier(), "parts": docs_parts.waiting(table)}
    for name, lines in docs_parts.tables(table).items():
        known[name] = _block(lines) if lines else ""
    known |= docs_parts.sentences(table) | docs_words.sentences(table)
    known |= thresholds.sentences(table)
    known |= _white_paper(measure.measured(MEASURED_TALL))
    known |= docs_words.unlabelled(measure.measured(MEASURED_UNLABELLED))
    known |= docs_words.lower_rate(table, measure.measured(MEASURED_RATE))
    return known | _identities() | _shares_before() | _measured(measured)


# ---- the atlas -----------------------------------------------------------------------------------


def _block(lines: list[str]) -> str:
    return "\n\n" + "\n".join(lines) + "\n\n"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _head(*names: str) -> list[str]:
    return [_line(*names), "|---" * len(names) + "|"]


def _atlas(table: Table) -> str:
    rates = best_rates(table)
    false_px = "false px a row, no curve there"
    lines = _head("F1@3px, mean (95 %)", "rate", *SHOWN_TITLES, false_px)
    for way in WAYS:
        rate = rates[way.name]
        edge = " (edge)" * (rate in (min(RATES), max(RATES)))
        cells = [_range(figures.f1(table, way, rate, name)) for name in SHOWN]
        cells.append(_range(figures.false_px(table, way, rate), 1))
        lines.append(_line(SHORT[way], f"{rate:g}{edge}", *cells))
    return _block(lines + docs_parts.diverged_said(table, "A"))


def _range(found: Estimate | None, digits: int = 2) -> str:
    if found is None:
        return ""
    return f"{found.mean:.{digits}f} ({found.low:.{digits}f}–{found.high:.{digits}f})"


def _kept(table: Table) -> str:
    rates = best_rates(table)
    shifts = ("renders", "like"), ("real_colour", "real_bilevel")
    lines = _head(
        "share of its score that is kept",
        "renders ÷ like the training",
        "real colour ÷ real 1-bit",
        "half and more blank",
    )
    for way in WAYS:
        rate = rates[way.name]
        shares = [figures.kept(table, way, rate, *sets) for sets in shifts]
        shares.append(figures.kept_blank(table, way, rate))
        lines.append(_line(SHORT[way], *map(_range, shares)))
    return _block(lines)


def _pairs(table: Table) -> str:
    rates = best_rates(table)

    def cell(a: Way, b: Way, name: str) -> str:
        if not table.of(a, rates[a.name], name):
            return ""
        return difference_said(
            paired(*(table.scores(way, rates[way.name], name) for way in (a, b)))
        )

    lines = _head("difference in F1 (95 %)", *SHOWN_TITLES)
    for a, b in ((V1, GROUP), (OWN, GROUP), (OWN, V1)):
        lines.append(_line(f"{SHORT[a]} − {SHORT[b]}", *(cell(a, b, name) for name in SHOWN)))
    return _block(lines)


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _family(table: Table) -> str:
    lines = _head("", "difference", "on", "F1 (95 %)", "p (Holm)", "expected", "found")
    known = {h.name: (d, p, word) for h, d, p, word in findings.family(table)}
    for h in findings.FAMILY:
        weights = ", same weights" if h.rate_of else ""
        short = SHORT | {V1: "v1"}
        what = f"{short[h.a]} − {short[h.b]}{weights}"
        on = SHORT_SETS[h.set] + " (half and more)" * h.most_blank
        d, p, word = known.get(h.name, (None, math.nan, "to come"))
        cells = (difference_said(d), f"{p:.4f}") if d else ("", "")
        if d and d.seeds < SEEDS:
            cells = cells[0], "–"
        lines.append(_line(h.name, what, on, *cells, h.expected, word))
    return _block(lines)


def _lag(table: Table) -> str:
    start = f"start taken out, step {explanations.EARLY}", f"… step {STEPS['A']:,}"
    lag = "momentum 0.1 − 0.01, constant end", "… annealed end", "loses less after annealing"
    lines = _head("rate", *lag, *start)
    for at in explanations.refutations(table):
        found = at.by_momentum, at.annealed, at.by_annealing, at.early, at.late
        lines.append(_line(f"{at.rate:g}", *map(difference_said, found)))
    return _block(lines)


def _early(table: Table) -> str:
    less = "running − GroupNorm", f"… both at {best_rates(table)[GROUP.name]:g}"
    lines = _head("steps, constant rate", *(SHORT[way] for way in (V1, OWN, GROUP)), *less)
    for step, (*each, equal) in explanations.by_steps(table).items():
        means = (f"{np.nanmean(scores.f1):.2f}" for scores in each)
        apart = (difference_said(paired(v1, each[2])) for v1 in (each[0], equal))
        lines.append(_line(f"{step:,} ({len(equal.names)} logs)", *means, *apart))
    return _block(lines)


def _anew(table: Table) -> str:
    head, *lines = thresholds.anew(table)
    return _block(_head(*head) + [_line(*line) for line in lines])


# ---- what needs no atlas -------------------------------------------------------------------------


EARLIER = {
    "instance": ("instance", "evaluation"),
    "own": earlier.OWN,
    "group": ("group", "evaluation"),
    "v1": earlier.RUNNING,
    "0.1": ("batch_0.1", "evaluation"),
    "renorm": ("renorm", "evaluation"),
}
"""Arm and mode of the two earlier studies."""


def _earlier() -> str:
    lines = _head("", *SHOWN_TITLES)
    asked = {
        "v1: running − own statistics, the same weights, 12 seeds": ("v1", "own", (240, 400)),
        "BatchNorm 0.1: the same, 3 seeds": ("0.1", "instance", (400,)),
        "InstanceNorm − GroupNorm, one rate, 6 seeds": ("instance", "group", (400,)),
        "Batch Renorm − InstanceNorm, one rate, 6 seeds": ("renorm", "instance", (400,)),
    }
    for title, (a, b, studies) in asked.items():
        found = [earlier.pooled(EARLIER[a], EARLIER[b], name, studies) for name in SHOWN]
        lines.append(_line(title, *(_minus(f"{d.mean:+.3f} (p {_p(d.p)})") for d in found)))
    return _block(lines)


def _p(p: float) -> str:
    return f"{p:.4f}" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _shares_before() -> dict[str, str]:
    known = {}
    for name, arm in EARLIER.items():
        for what, sets in {"renders": ("renders", "like"), "blank": ("blank", "like")}.items():
            known[f"earlier {name} {what}"] = f"{earlier.kept(*arm, *sets):.2f}"
    for mode, when in (("evaluation", "evaluation"), ("layerwise", "again")):
        for arm, what in (("two_phase_constant", "constant"), ("two_phase", "exact")):
            scores = earlier.by_seed(arm, mode, "like", 400).values()
            known[f"earlier {what} {when}"] = f"{sum(s for _, s in scores) / len(scores):.2f}"
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
    if not rows:
        return {"measured": _block(["Not measured yet."])}
    found: dict[tuple[str | float, ...], float] = {}
    for r in rows:
        weights, _, when = r["weights"].rpartition(", ")
        asked = r["question"], r["norm"], r["where"], float(r["x"]), r["quantity"], when
        found[asked] = float(r["value"])
    counts = sorted({key[3] for key in found if key[:3] == ("values", "batch", "core")})
    lines = _head("values of a channel", *(f"{count:.0f}" for count in counts))
    for quantity, said in (("mean", "mean"), ("sd", "standard deviation")):
        for how, where in (("window", "side by side"), ("scattered", "scattered")):
            what = f"{quantity}, {how}"
            errors = (found["values", "batch", "core", count, what, "end"] for count in counts)
            lines.append(_line(f"error of the {said}, {where}", *map("{:.2f}".format, errors)))
    known = {"measured": _block(lines)}
    for layer, name in ((1, "first"), (8, "core")):
        known[f"values {name}"] = f"{found['images', 'batch', '', layer, 'values', 'end']:,.0f}"
    away = [value for key, value in found.items() if key[0] == "images" and key[4] == "distance"]
    known["images low"], known["images high"] = f"{min(away):.2f}", f"{max(away):.2f}"
    for kind in ("like", "renders"):
        for layer, name in ((1, "first"), (8, "core"), (14, "last")):
            sd = found["contrast", "batch", kind, layer, "sd ratio", "end"]
            known[f"contrast {kind} {name}"] = f"{sd:.2f}"
    common = found["contrast", "batch", "renders", 8, "common share", "end"]
    known["contrast common"] = f"{100 * common:.0f} %"
    for norm, where, logs, name in (
        ("batch_momenta", "own", 1, "own 1"),
        ("group", "own", 1, "group 1"),
        ("batch_momenta", "own", 4, "own 4"),
        ("pooled", "pooled", 4, "pooled 4"),
    ):
        for when in ("step 0", "step 400", "end"):
            noise = found.get(("gradient", norm, where, logs, "noise", when))
            if noise is not None:
                known[f"noise {name} {when}"] = f"{noise:.1f}" if math.isfinite(noise) else "∞"
    return known | {"measured on": f"{weights}, {rows[0]['logs']} logs"}


def _white_paper(rows: list[dict[str, str]]) -> dict[str, str]:
    """Of whole logs above white paper: means over seeds."""
    found: dict[tuple[str, ...], list[float]] = {}
    for r in rows:
        asked = r["question"], r["norm"], r["where"], r["quantity"], f"{float(r['x']):g}"
        found.setdefault(asked, []).append(float(r["value"]))
    if not found:
        return {"white": "", "core said": "Not measured yet."}
    core = "core", "batch"
    lines = _head("3,200 × 480, white paper below", *map("{:.0%}".format, SHARES))
    for said, *asked in (
        ("BatchNorm 0.01, running", "white", "batch", "running", "F1"),
        ("own (InstanceNorm)", "white", "batch", "own", "F1"),
        ("GroupNorm", "white", "group", "", "F1"),
        (
            f"standard deviations in the core of {CORE_CHANNELS} channels ÷ running ones",
            *core,
            "white",
            "sd ratio",
        ),
        (
            "how far its means lie from the running ones, in running standard deviations",
            *core,
            "white",
            "distance",
        ),
    ):
        cells = (np.mean(found[*asked, f"{share:g}"]) for share in SHARES)
        lines.append(_line(said, *map("{:.2f}".format, cells)))
    ends = (
        f"{np.mean(found[*core, 'rows', 'sd ratio', f'{rows:g}']):.2f} and "
        f"{np.mean(found[*core, 'rows', 'distance', f'{rows:g}']):.2f} on {rows:,} rows"
        for rows, _ in list(TALL.values())[1:]
    )
    return {"white": _block(lines), "core said": "; ".join(ends)}


if __name__ == "__main__":
    auto_cli(fill, as_positional=False)

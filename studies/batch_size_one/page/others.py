"""Numbers of parts B, C, E and F: differences to GroupNorm within the part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from studies.batch_size_one.logs import TALL
from studies.batch_size_one.page.table import Key, Scores
from studies.batch_size_one.page.words import ARMS
from studies.batch_size_one.plan import OTHER_NORMS, RATES


def over_rates(scores: Scores) -> dict[str, Any] | None:
    """Part B: F1 at each rate less that of GroupNorm by half_or_16 on groups of 16, which is the same at these widths."""
    found: dict[str, Any] = {}
    for name in ("like", "renders", "blank"):
        lines = {}
        for norm in OTHER_NORMS:
            keys = [Key("B", norm, rate, "evaluation", name) for rate in RATES]
            base = [replace(key, norm="group16") for key in keys]
            line = [scores.paired(a, b) for a, b in zip(keys, base, strict=True)]
            if any(line) and norm != "group16":
                lines[ARMS[f"{norm} evaluation"][0]] = line
        if lines:
            found[name] = {"rates": [f"{r:g}" for r in RATES], "lines": lines}
    return found or None


def batch(scores: Scores) -> dict[str, Any] | None:
    """Part C: pooled BatchNorm less GroupNorm over the same k logs a step, at each rate."""
    found: dict[str, Any] = {}
    keys = [
        k for k in scores.keys() if k.part == "C" and k.step is None and k.schedule == "annealed"
    ]
    for name in ("like", "renders"):
        for rate in sorted({k.rate for k in keys}):
            for norm in ("pooled", "pooled_constant"):
                many = sorted(
                    {k.logs for k in keys if (k.rate, k.norm, k.set) == (rate, norm, name)}
                )
                a = [Key("C", norm, rate, "evaluation", name, logs=k) for k in many]
                line = [scores.paired(k, replace(k, norm="group")) for k in a]
                if any(line):
                    found[f"{name}|{rate:g}|{norm}"] = {"k": many, "line": line}
    return found or None


def sizes(scores: Scores) -> list[dict[str, Any]] | None:
    """Part E: v1 less GroupNorm, both trained on whole logs, by the size of the scored log."""
    rates = {k.norm: k.rate for k in scores.keys() if k.part == "E"}
    found = []
    for name in ("like", "blank", *TALL):
        if {"batch_momenta", "group"} <= set(rates):
            a = Key("E", "batch_momenta", rates["batch_momenta"], "m0.01", name)
            b = Key("E", "group", rates["group"], "evaluation", name)
            for against, other in (("group", b), ("own", replace(a, way="own"))):
                if d := scores.paired(a, other):
                    found.append({"set": name, "against": against} | d)
    return found or None


def mixed(scores: Scores) -> list[dict[str, Any]] | None:
    """Part F: each norm less GroupNorm, all trained on both kinds."""
    keys = {(k.norm, k.way): k.rate for k in scores.keys() if k.part == "F"}
    found = []
    for name in ("like", "renders", "blank"):
        for norm, way in (
            ("batch_momenta", "m0.01"),
            ("batch_momenta", "own"),
            ("instance", "evaluation"),
            ("hybrid", "m0.1"),
        ):
            if (norm, way) in keys and ("group", "evaluation") in keys:
                a = Key("F", norm, keys[norm, way], way, name)
                if d := scores.paired(
                    a, Key("F", "group", keys["group", "evaluation"], "evaluation", name)
                ):
                    found.append({"label": ARMS[f"{norm} {way}"][0], "set": name} | d)
    return found or None

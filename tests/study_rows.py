"""Made-up rows of part A, of a known truth: for tests of what is computed from rows."""

from functools import cache

import numpy as np

from studies.batch_size_one import plan, score
from studies.batch_size_one.logs import BLANK_SHARES
from studies.batch_size_one.rows import COLUMNS

SHIFT = {"validation": 0, "like": 0, "renders": 0.3, "blank": 0.1, "real_bilevel": 0.1, "real_colour": 0.3, "pages": 0.2}  # fmt: skip
MADE = {"commit": "abcdef123456", "corpus": "0123456789ab", "machine": "a machine", "trained": "abcdef123456, a machine"}  # fmt: skip


def names_of(name, logs=10):
    if name in ("real_bilevel", "real_colour", "negative", "pages"):
        return [f"well{i // 2}/well{i // 2}_{i}" for i in range(logs - 2)]
    kind = "colour" if name == "renders" else "bilevel"
    drawn = [f"{kind}-1-{i:05d}" for i in range(logs)]
    return [f"{each}-{BLANK_SHARES[i % 5]:g}" for i, each in enumerate(drawn)] if name == "blank" else drawn  # fmt: skip


@cache
def asked(norm):
    return sorted(score.expected(plan.Cell("A", norm, 1e-3, 0, 1600)))


def level(way, name, rate, step):
    """F1 without noise: running statistics fall under shift, and early; own ones on blank paper; best rate 3e-3."""
    f1 = 0.9 - 0.05 * abs(np.log10(rate / 3e-3)) - 0.2 * (1 - min(1, step / 800))
    if way == "own":
        f1 -= SHIFT[name] * 0.5 + 0.2 * (name == "blank")
    elif way == "evaluation":
        f1 -= SHIFT[name] * 0.7 + 0.1 * (name == "blank")
    else:
        slow = 0.1 if way.startswith(("m0.003", "m0.01")) else 0
        early = 0.3 * (step <= 200) * ("corrected" not in way)
        f1 -= SHIFT[name] * (name != "blank") * 2 + slow + early
    return max(0.0, f1)


def atlas_rows(seeds=3, rates=plan.RATES, logs=10):
    """Of the first so many seeds, all that `score.score` gives, with few logs a set."""
    rows = []
    for seed in range(seeds):
        noise = {name: np.random.default_rng((seed, i)).normal(0, 0.01, logs) for i, name in enumerate((*SHIFT, "negative"))}  # fmt: skip
        for norm in ("batch_momenta", "group"):
            for rate in rates:
                for schedule, step, way, name in asked(norm):
                    row = dict.fromkeys(COLUMNS, "") | MADE
                    row |= {"part": "A", "norm": norm, "rate": f"{rate:g}", "seed": str(seed), "steps": "1600",
                            "logs": "1", "data": "bilevel", "schedule": schedule, "step": str(step), "way": way,
                            "set": name, "status": "ok"}  # fmt: skip
                    if name == "training":
                        row["loss"] = ";".join(f"{1 - i / 50:.4f}" for i in range(40))
                    else:
                        names = names_of(name, logs)
                        names = names if step == 1600 else names[: score.SNAPSHOT_LOGS]
                        off = noise[name][: len(names)]
                        f1 = [np.nan] * len(names) if name == "negative" else level(way, name, rate, step) + off  # fmt: skip
                        row["f1"] = row["dice"] = ";".join(f"{each:.4f}" for each in f1)
                        row["false_px_per_row"] = ";".join(f"{1 + each:.4f}" for each in off)
                        row["names"] = ";".join(names)
                        if schedule == "annealed" and way in score.HEADLINE and name in score.SWEPT:
                            row["f1_by_threshold"] = ";".join(
                                f"{level(way, name, rate, step) - abs(t - 0.5) / 5:.4f}" for t in score.THRESHOLDS
                            )  # fmt: skip
                    rows.append(row)
    return rows

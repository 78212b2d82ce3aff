"""docs/batch-size-one.md and -tables.md: every number of them comes from rows in the repository."""

import re

import numpy as np
import pytest
import torch
from study_rows import atlas_rows, names_of

from studies.batch_size_one import (
    docs,
    docs_parts,
    docs_words,
    findings,
    measure,
    measure_low,
    measure_tall,
    measure_unlabelled,
    score,
    thresholds,
)
from studies.batch_size_one.collect import committed
from studies.batch_size_one.logs import StudyLog, append_white
from studies.batch_size_one.page.numbers import of_whole_seeds
from studies.batch_size_one.plan import Cell, plan
from studies.batch_size_one.rows import COLUMNS, KEY
from studies.batch_size_one.score import use_momentum
from studies.batch_size_one.table import Table, Way, numbers
from wellseg.scan.atomic import write_csv

TEXTS = {page: page.read_text("utf-8") for page in docs.PAGES}
TEXT = "\n".join(TEXTS.values())
BARE = docs.PART.sub("", TEXT)
SOURCES = (
    "https://discuss.pytorch.org/t/batch-norm-training-when-batch-size-1/102979",
    "https://codemia.io/knowledge-hub/path/batch_normalization_when_batch_size1",
    "https://discuss.pytorch.org/t/normalization-with-small-batches/171562",
    "https://discuss.pytorch.org/t/work-around-for-bn-with-small-batch-size/117091",
    "https://www.earthscan.io/insights/groupnorm-group-size-stability-batch-of-one",
)


@pytest.fixture(scope="module")
def known():
    return docs.values(Table(committed()), measure.measured())


def test_the_page_says_what_the_rows_say(known):
    for text in TEXTS.values():
        assert docs.filled(text, known) == text, "run: python -m studies.batch_size_one.docs"
    assert docs.filled("<!--=averaged 0.1-->20<!--/-->", known) == "<!--=averaged 0.1-->19<!--/-->"
    with pytest.raises(ValueError, match="no such number"):
        docs.filled("<!--=nonsense-->1<!--/-->", known)


def test_no_other_number_of_the_page_is_a_result():
    """What the author writes by hand: momenta and rates by name, sizes and dates."""
    plain = re.sub(r"\]\([^)]*\)|^\[.*|`[^`]*`", "", BARE, flags=re.MULTILINE)
    assert set(re.findall(r"\d+\.\d+", plain)) <= {
        "0.01",
        "0.1",
        "0.003",
        "0.4",
        "0.0001",
        "0.0003",
        "0.001",
        "0.5",
        "0.85",
    }
    assert "%" not in re.sub("5, 25, 50, 75 %|Intervals are 95 %", "", plain)


def test_no_sentence_is_cut_by_what_is_filled_in():
    """In Markdown, a line that starts with a comment ends the paragraph above it."""
    for text in TEXTS.values():
        assert not re.findall(r"^.+\n<!--=[\w. -]+-->.*\w.*$", text, re.MULTILINE)


def test_the_page_grows_tables_with_the_first_seed():
    known = docs.values(Table(atlas_rows(2, logs=5)), [])
    assert "| BatchNorm 0.01, running | 0.003 | 0.80 (" in known["atlas"]
    assert "| own (InstanceNorm) | 0.83 (" in known["kept"]
    assert "−0.100 (−0.100 to −0.100)" in known["pairs"] and "interim" in known["family"]
    assert "| 0.0003 | +0.100 (" in known["lag"]


def other_rows(best):
    """Made-up rows of parts B to I: v1, and groups of 16, score 0.8, all others 0.7."""
    ways, found = {}, []
    for cell in plan(best, "BCDEFGHI"):
        kind = cell.part, cell.norm
        if kind not in ways:
            ways[kind] = [
                at for at in score.expected(cell) if cell.part == "C" or at[0] == "annealed"
            ]
        for schedule, step, way, name in ways[kind]:
            row = dict.fromkeys(COLUMNS, "")
            row |= {key: str(getattr(cell, key)).replace("None", "") for key in KEY[:8]}
            row["status"] = "ok"
            row |= {
                "rate": f"{cell.rate:g}",
                "schedule": schedule,
                "step": str(step),
                "way": way,
                "set": name,
            }
            better = cell.norm == "group16" or way == "m0.01"
            names = names_of(name.replace("tall", ""), 5)
            row |= {
                "names": ";".join(names),
                "f1": ";".join(["0.8" if better else "0.7"] * len(names)),
            }
            row |= {"dice": row["f1"], "loss": ";".join(["0.25"] * 40)}
            found.append(row | {"false_px_per_row": row["f1"]})
    return found


def test_the_page_grows_tables_with_each_part():
    rows = atlas_rows(12, logs=5)
    best = findings.best_rates(Table(rows))
    assert not any(docs_parts.tables(Table(rows)).values())
    assert "part B (0 of 96 trainings, shown: 0 of 3 seeds)" in docs_parts.waiting(Table(rows))
    rows += other_rows(best)
    tables = docs_parts.tables(Table(rows))
    assert [name for name, lines in tables.items() if not lines] == ["repairs"]
    assert docs_parts.waiting(Table(rows)) == ""
    lines = {line.split(" | ")[0].strip("| "): line for table in tables.values() for line in table}
    assert "−0.100 (−0.100 to −0.100)" in lines["LayerNorm, like the training"]
    assert "+0.100 (+0.100 to +0.100)" in lines["BatchNorm 0.01 (v1), running statistics"]
    assert lines["5 %"] == "| 5 % | 0.70, 0.70, 0.70 | 0.70, 0.70, 0.70 | 0.70, 0.70, 0.70 |"
    assert lines["3,200 × 480"].startswith("| 3,200 × 480 | 0.80 | 0.70 | 0.70 | +0.100 (")
    assert lines["3,200 × 480"].count("+0.100 (") == 2 and "small logs (112 to 336 rows)" in lines
    for steps in ("6,400", "25,600"):
        longer = lines[f"BatchNorm 0.01, running − GroupNorm, {steps} steps"]
        assert longer.count("+0.100 (+0.100 to +0.100)") == 5
    assert lines["GroupNorm"].endswith(", 0.70 |") and len(tables["longer"]) == 10
    rates = len({best["group evaluation"], best["batch_momenta m0.01"]})
    assert sum("own − GroupNorm" in line for line in tables["batch"]) == 2 * rates
    assert sum("0.70, 0.54" in line for line in tables["batch"]) == 3 * rates  # F1, and its IoU
    assert sum("loss of the last tenth | 0.250" in line for line in tables["batch"]) == 3 * rates


def test_a_seed_is_shown_when_it_is_whole_and_alone_without_interval():
    rows = atlas_rows(12, logs=5)
    part = [row for row in other_rows(findings.best_rates(Table(rows))) if row["part"] == "F"]
    for kept, interval in ((("0", "1"), "+0.100 (+0.100 to +0.100)"), (("0",), "| +0.100 |")):
        less = [row for row in part if row["seed"] in kept or row["norm"] == "hybrid"]
        table = Table(rows + less)
        v1 = docs_parts.tables(table)["mixed"][2]
        assert "(v1)" in v1 and interval in v1
        said = docs_parts.waiting(table)
        assert f"shown: {len(kept)} of 6 seeds" in said
        assert ("no interval" in said) == (len(kept) == 1)
    begun = [row for row in part if row["norm"] == "hybrid"]
    assert not docs_parts.tables(Table(rows + begun))["mixed"]


def test_every_table_marks_what_diverged():
    rows = atlas_rows(12, logs=5)
    rows += other_rows(findings.best_rates(Table(rows)))
    for row in rows:
        if row["seed"] == "1" and (row["part"], row["norm"], row["freeze"]) in {
            ("E", "group", ""), ("F", "hybrid", ""), ("D", "batch_frozen", "0.25")
        }:  # fmt: skip
            row["status"] = "diverged"
    tables = docs_parts.tables(Table(rows))
    marked = {
        name: [line for line in tables[name] if "†" in line and line.startswith("|")]
        for name in ("sizes", "mixed", "freezing", "batch", "norms")
    }
    assert [len(lines) for lines in marked.values()] == [5, 1, 1, 0, 0]
    assert (
        "the hybrid, " in tables["mixed"][-1]
        and "seed 1 (0.250, then 0.250)" in tables["mixed"][-1]
    )
    assert "BatchNorm, frozen, 0.003, 25%, seed 1" in tables["freezing"][-1]


def varied(rows, apart=0.025):
    """Seeds that differ by so much, and each training from the next."""
    draws = np.random.default_rng(0)
    off = {}
    for row in rows:
        if row["f1"]:
            key = row["part"], row["norm"], row["rate"], row["seed"], row["logs"], row["freeze"]
            by = off.setdefault(key, draws.normal(0, apart))
            row["f1"] = ";".join(f"{float(each) + by:.4f}" for each in row["f1"].split(";"))
    return rows


def test_what_is_said_of_parts_that_are_not_whole_follows_from_their_rows():
    atlas = atlas_rows(12, logs=5)
    made = varied(other_rows(findings.best_rates(Table(atlas))))
    none = docs_words.sentences(Table(atlas))
    assert (
        none["sizes said"] == "Part E is not in yet."
        and none["more logs"] == "Part C is not in yet."
    )
    assert none["drawn"] == "The logs are drawn, 10 to 50 times smaller than the article's."
    for seeds, said in ((1, "one seed, which"), (2, "2 seeds"), (3, "3 seeds")):
        some = [row for row in made if int(row["seed"]) < seeds]
        known = docs_words.sentences(Table(atlas + some))
        assert said in known["fewer logs"] and said in known["sizes short"]
        assert "all but part E's" in known["drawn"] and "12,800 rows: v1 0." in known["sizes said"]
        assert ("not to be judged by one seed" in known["more logs"]) == (seeds == 1)
        assert ("(+" in known["sizes short"]) == (seeds > 1), "one seed has no interval"


@pytest.mark.parametrize(("off", "said"), ((0, "(−0.0|[+]0.0)"), (-0.3, "−0.[23]")))
def test_of_the_famous_picture_the_difference_is_said(off, said):
    rows = atlas_rows(12, logs=5)
    made = varied(other_rows(findings.best_rates(Table(rows))), apart=0.005)
    for row in made:
        if (row["norm"], row["logs"], row["way"]) == ("pooled", "1", "evaluation"):
            row["f1"] = ";".join(f"{float(each) + off:.4f}" for each in row["f1"].split(";"))
    known = docs_words.sentences(Table(rows + made))
    assert re.search(f"its change minus GroupNorm's is {said}", known["more logs"])


def test_a_threshold_is_chosen_on_the_other_seeds():
    way, curves = Way("group", "evaluation", "H"), np.full((3, 21), 0.2)
    curves[:, 10], curves[0, 3], curves[1:, 7] = 0.5, 0.9, 0.6  # the first is best elsewhere
    rows = [row for row in other_rows(findings.best_rates(Table(atlas_rows(12, logs=5))))
            if (row["part"], row["norm"], row["set"]) == ("H", "group", "like")]  # fmt: skip
    for row in rows:
        row["f1_by_threshold"] = ";".join(map(str, curves[int(row["seed"])]))
    half, best = thresholds.both(Table(rows), way, float(rows[0]["rate"]), "like")
    assert half.tolist() == [0.5] * 3
    assert best.tolist() == [0.2, 0.2, 0.2], "0.6 of two for the first; 0.55 at 3 for the others"


def test_a_threshold_is_chosen_on_the_validation_logs_of_each_network(tmp_path, monkeypatch):
    def line(part, seed, name, places):
        f1 = [str(places.get(threshold, 0.2)) for threshold in measure_low.LOW]
        about = part, seed, "group", "evaluation", name, 2, ";".join(f1), ""
        return dict(zip(measure_low.COLUMNS, about, strict=True))

    lines = [
        line("G", 0, "validation", {0.5: 0.9}), line("G", 0, "like", {0.5: 0.8}),
        line("H", 0, "validation", {1e-4: 0.7, 0.5: 0.6}), line("H", 0, "like", {1e-4: 0.5, 0.5: 0.4}),
        line("H", 1, "validation", {0.5: 0.6}), line("H", 1, "like", {1e-4: 0.9, 0.5: 0.3}),
    ]  # fmt: skip
    write_csv(tmp_path / "low.csv", measure_low.COLUMNS, lines)
    monkeypatch.setattr(thresholds, "MEASURED_LOW", tmp_path / "low.csv")
    half, chosen, at = thresholds.calibrated(Way("group", "evaluation"), "H", "like")
    assert half.tolist() == [0.4, 0.3] and chosen.tolist() == [0.5, 0.3] and at == [1e-4, 0.5]


def test_leads_of_unlike_seeds_say_how_many_they_are_of(known):
    """Of 1,600 steps all seeds have thresholds chosen; of 6,400 the two whose weights were kept."""
    kept = [len(thresholds.calibrated(thresholds.V1, part, "like")[1]) for part in "GH"]
    assert kept == [2, 3] and known["chosen like"].endswith(" (12, 2, 3 seeds)")


def test_at_the_thresholds_of_the_rows_the_low_ones_say_the_same():
    (row,) = (r for r in Table(committed()).rows if (r["part"], r["norm"], r["seed"], r["way"],
              r["set"], r["schedule"]) == ("H", "group", "1", "evaluation", "like", "annealed"))  # fmt: skip
    (low,) = (r for r in measure.measured(measure_low.MEASURED_LOW) if (r["part"], r["norm"],
              r["seed"], r["set"]) == ("H", "group", "1", "like"))  # fmt: skip
    seen, known = numbers(low["f1_by_threshold"])[-21:], numbers(row["f1_by_threshold"])
    np.testing.assert_allclose(seen, known, atol=2e-3)


def test_the_page_links_every_source_and_its_own_files():
    for url in SOURCES:
        assert f"]: {url}\n" in TEXT
    here = docs.PAGE.parent
    for target in re.findall(r"^\[.*\]: (?!https:)(\S+)|\]\((?!https:)([^)]+)\)|`((?:tests|studies)/[\w/.]+)`", TEXT, re.M):  # fmt: skip
        path, _, anchor = "".join(target).partition("#")
        root = here.parent if target[2] else here
        assert (root / path).exists(), path
        if anchor:
            heads = re.findall(r"^## (.*)$", (here / path).read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in heads}
    for text in TEXTS.values():
        assert set(re.findall(r"\]\[([\w-]+)\]", text)) == set(
            re.findall(r"^\[([\w-]+)\]:", text, re.M)
        )


def test_the_result_is_two_pages_and_the_words_of_the_plan_are_of_its_family():
    shown = re.sub(r"<!--.*?-->|^\[.*|[|]|---", "", TEXTS[docs.PAGE], flags=re.MULTILINE)
    assert len(shown.split()) < 1150 and TEXTS[docs.PAGE].count("|---|\n") <= 5
    for sentence in re.split(r"[.:]\s|\n\n|\|\n|\n\* ", BARE):
        if re.search(r"\b(better|worse|equivalent)\b", sentence, re.IGNORECASE):
            assert re.search(r"\bH[1-8]|\bplan\b|\brule\b", sentence), sentence


def test_a_training_that_diverged_is_named_wherever_it_is_shown(known):
    table = of_whole_seeds(Table(committed()))
    assert {row["status"] for row in table.rows} <= {"ok", "diverged"}
    found = docs_parts.diverged(table)
    assert ("C", "group", 1e-3, 8, None) in found and ("B", "online", 1e-3, 1, None) in found
    for (_, norm, rate, logs, _), seeds in found.items():
        about = f"{docs_parts.TRAINED[norm]}, {rate:g}" + f", {logs} logs a step" * (logs > 1)
        assert all(f"{about}, seed {seed} (" in TEXT for seed in seeds)
    batch, norms = (known[name].splitlines() for name in ("batch", "norms"))
    assert sum(line.endswith(" † |") for line in batch) >= 6, "its scores, and what is less it"
    assert [line.count("†") for line in norms if line.startswith("| Online")] == [4, 4]


# ---- measurements --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net():
    return measure.load(Cell("A", "batch_momenta", 1e-3, 0, 16, widths=(8, 16)), None)


@pytest.fixture(scope="module")
def drawn():
    draws = np.random.default_rng(0)
    return [
        StudyLog(str(i), draws.integers(0, 256, (64, 80), dtype=np.uint8),
                 (draws.random((64, 80)) < 0.1).astype(np.uint8) * 255) for i in range(8)
    ]  # fmt: skip


def test_independent_values_err_by_one_through_their_root(net, drawn):
    found = {each[2:5]: each[5] for each in measure.values(net, drawn)}
    for count in (16, 64, 256):
        expected = 1 / np.sqrt(count)
        assert found["first", count, "mean, scattered"] == pytest.approx(expected, rel=0.2)
    assert found["first", 1, "sd, scattered"] == 1
    distances = [each[5] for each in measure.images(net, drawn) if each[4] == "distance"]
    assert len(distances) == 6 and max(distances) < 0.1, "noise images are all alike"


def test_half_the_contrast_arrives_as_half_and_as_one_factor(net, drawn):
    for log in drawn:
        net.train()(measure.ink(log))
    for norm in measure.running_norms(net):
        norm.use("cumulative", False)
    net.eval()
    pale = [log._replace(gray=(255 - (255 - log.gray.astype(int)) // 2).astype(np.uint8)) for log in drawn]  # fmt: skip
    found = {each[3:5]: each[5] for each in measure.contrast(net, pale, "pale")}
    assert found[1, "sd ratio"] == pytest.approx(0.5, abs=0.02) and found[1, "common share"] > 0.99


def test_noise_of_the_gradient():
    draws = np.random.default_rng(0)
    signal = np.full(1000, 2.0)
    noisy = [signal + draws.normal(0, 3, 1000) for _ in range(400)]
    assert measure.noise_to_signal(noisy) == pytest.approx(9 / 4, rel=0.05)
    with pytest.raises(ValueError, match="two gradients"):
        measure.noise_to_signal(noisy[:1])


def test_gradients_leave_the_network_as_it_was(net, drawn):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    group = measure.load(Cell("A", "group", 1e-3, 0, 16, widths=(8, 16)), None)
    assert len(measure.one_by_one(net.train(), drawn)) == len(drawn)
    assert len(measure.one_by_one(group, drawn[:2])) == 2
    torch.testing.assert_close(dict(net.state_dict()), before, rtol=0, atol=0)


def test_on_the_log_that_running_statistics_are_of_the_core_is_given_them(drawn, monkeypatch):
    monkeypatch.setattr(measure_tall, "CORE_CHANNELS", 16)
    net = measure.load(Cell("A", "batch_momenta", 1e-3, 0, 16, widths=(8, 16)), None)
    with torch.no_grad():
        net.train()(measure.ink(drawn[0]))
    use_momentum(net.eval(), 1.0)
    _, here = measure_tall.with_core(net, drawn[:1])
    assert here["sd ratio"] == pytest.approx(1, abs=5e-3) and here["distance"] < 5e-3
    _, white = measure_tall.with_core(net, [append_white(drawn[0], 0.75)])
    assert abs(white["sd ratio"] - 1) > 0.05 and white["distance"] > 0.05


def test_measurements_are_signed_and_read_as_written(tmp_path):
    lines = [{"question": "q", "value": 1 / 3, "x": 2.0, "commit": "abc"}]
    write_csv(tmp_path / "m.csv", measure.COLUMNS, lines)
    (row,) = measure.measured(tmp_path / "m.csv")
    assert row["value"] == "0.33333" and row["commit"] == "abc"
    rows = [row for path in (measure.MEASURED, measure_tall.MEASURED_TALL, measure_low.MEASURED_LOW, measure_unlabelled.MEASURED_UNLABELLED)
            for row in measure.measured(path)]  # fmt: skip
    assert all(r["commit"] and r["corpus"] and r["machine"] for r in rows)

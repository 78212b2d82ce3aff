"""docs/batch-size-one.md: every number of it comes from rows in the repository, and its claims hold there."""

import re

import numpy as np
import pytest
import torch
from study_rows import atlas_rows, names_of
from torch import nn

from studies.batch_size_one import (
    docs,
    docs_parts,
    earlier,
    explanations,
    figures,
    findings,
    forum,
    measure,
    score,
)
from studies.batch_size_one.collect import committed
from studies.batch_size_one.logs import StudyLog
from studies.batch_size_one.page import others
from studies.batch_size_one.page.numbers import of_whole_seeds
from studies.batch_size_one.page.pairs import pair
from studies.batch_size_one.page.words import MIXED, NORMS
from studies.batch_size_one.plan import Cell, plan
from studies.batch_size_one.rows import COLUMNS, KEY
from studies.batch_size_one.statistics import difference
from studies.batch_size_one.table import Table, Way, numbers
from wellseg.norms import make_norm
from wellseg.scan.atomic import write_csv

TEXT = docs.PAGE.read_text("utf-8")
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
    assert docs.filled(TEXT, known) == TEXT, "run: python -m studies.batch_size_one.docs"
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
        "0.0003",
        "0.001",
        "0.5",
        "0.85",
    }
    assert "%" not in plain.replace("5, 25, 50, 75 %", "")


def test_the_page_grows_tables_with_the_first_seed():
    known = docs.values(Table(atlas_rows(2, logs=5)), [])
    assert known["state"].startswith("**Interim, 2 of 12 seeds**")
    assert "| BatchNorm 0.01, running | 0.003 | 0.80 (" in known["atlas"]
    assert "| own (InstanceNorm) | 0.83 (" in known["kept"]
    assert "−0.100 (−0.100 to −0.100)" in known["pairs"] and "interim" in known["family"]
    assert "| 0.0003 | +0.100 (" in known["lag"]


def other_rows(best):
    """Made-up rows of parts B to F: v1, and groups of 16, score 0.8, all others 0.7."""
    ways, found = {}, []
    for cell in plan(best, "BCDEF"):
        kind = cell.part, cell.norm
        if kind not in ways:
            ways[kind] = [asked for asked in score.expected(cell) if asked[0] == "annealed"]
        for schedule, step, way, name in ways[kind]:
            row = dict.fromkeys(COLUMNS, "")
            row |= {key: str(getattr(cell, key)).replace("None", "") for key in KEY[:8]}
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
    assert "part B (0 of 48 trainings, shown: 0 of 3 seeds)" in docs_parts.waiting(Table(rows))
    rows += other_rows(best)
    tables = docs_parts.tables(Table(rows))
    assert [name for name, lines in tables.items() if not lines] == ["repairs"]
    assert docs_parts.waiting(Table(rows)) == ""
    lines = {line.split(" | ")[0].strip("| "): line for table in tables.values() for line in table}
    assert "−0.100 (−0.100 to −0.100)" in lines["LayerNorm"]
    assert "+0.100 (+0.100 to +0.100)" in lines["BatchNorm 0.01 (v1), running statistics"]
    assert lines["5 %"] == "| 5 % | 0.70, 0.70, 0.70 | 0.70, 0.70, 0.70 | 0.70, 0.70, 0.70 |"
    assert lines["3,200 × 480"].count("+0.100 (") == 2
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
        assert f"shown: {len(kept)} of 3 seeds" in said
        assert ("no interval" in said) == (len(kept) == 1)
    begun = [row for row in part if row["norm"] == "hybrid"]
    assert not docs_parts.tables(Table(rows + begun))["mixed"]


def test_the_page_links_every_source_and_its_own_files():
    for url in SOURCES:
        assert f"]: {url}\n" in TEXT
    for target in re.findall(r"\]: (\.\.\S+)|\]\((\.\.[^)]+)\)|`((?:tests|studies)/[\w/.]+)`", TEXT):  # fmt: skip
        path = "".join(target)
        root = docs.PAGE.parent if path.startswith("..") else docs.PAGE.parents[1]
        assert (root / path).exists(), path


# ---- claims --------------------------------------------------------------------------------------


def test_what_is_said_of_other_statistics_for_the_same_weights():
    table = Table(committed())
    rate = findings.best_rates(table)[findings.V1.name]

    def gained(way, name="renders"):
        return pair(table, Way("batch_momenta", way, "D"), findings.V1, name, rate, rate)

    own = gained("own first 14")["mean"]
    assert gained("one scalar")["mean"] > own / 2, "one number a layer brings back most of it"
    assert 0.4 < gained("own first 2")["mean"] / own < 0.6, "the first stage half"
    for name in ("like", "renders"):
        assert gained("training 200 layer by layer", name)["low"] > 0, (
            "PreciseBN layer by layer helps"
        )
        at_once = gained("training 200 at once", name)
        assert at_once["low"] < 0 < at_once["high"], "PreciseBN at once does not"
    for share in (0.05, 0.25, 0.5, 0.75):
        both = [Way("batch_frozen", way, "D") for way in ("evaluation", "own")]
        frozen, own_of = (table.scores(way, rate, "like", freeze=share).f1 for way in both)
        assert np.nanmean(own_of) - np.nanmean(frozen) > 0.1, "frozen early or late"
    assert gained("unlabelled 16 prior 16")["mean"] < gained("unlabelled 16 prior 0")["mean"]


def test_what_is_said_of_training_on_both_kinds():
    found = {(line["label"], line["set"]): line for line in others.mixed(Table(committed())) or ()}
    v1, faster, own, hybrid = MIXED.values()
    assert found[v1, "renders"]["high"] < 0, "v1 below GroupNorm"
    assert abs(found[faster, "renders"]["mean"]) < 0.01, "momentum 0.1 equals it"
    for label in (own, hybrid):
        assert found[label, "renders"]["low"] > 0, "and what reads the log above it"
    for label in (v1, faster):
        for name in ("real_bilevel", "real_colour"):
            assert found[label, name]["mean"] > 0 < found[label, name]["high"]


def test_what_is_said_of_other_norms():
    table = Table(committed())
    for i, rate in enumerate((3e-4, 1e-3)):
        shares = [
            figures.kept(table, Way(norm, "evaluation", "B"), rate, "renders", "like").mean
            for norm in ("layer", "group16", "group8", "group4")
        ]
        assert shares == sorted(shares), "the smaller the groups, the more is kept"
        found = others.over_rates(table)
        renders, like = (
            {k: v[i] for k, v in found[s]["lines"].items()} for s in ("renders", "like")
        )
        assert renders[NORMS["groups8"]]["low"] > 0 < like[NORMS["groups8"]]["mean"]
        assert renders[NORMS["renorm"]]["low"] < 0 < renders[NORMS["renorm"]]["high"]
        assert min(each[NORMS["group_ws"]]["low"] for each in (renders, like)) > 0
        assert all(renders[NORMS[norm]]["high"] > 0 for norm in ("group8", "group4")), (
            "16 no better"
        )
    online = {
        (row["rate"], row["seed"]): row["status"] for row in table.rows if row["norm"] == "online"
    }
    assert sorted(online.values()) == 4 * ["diverged"] + 2 * ["ok"]


def test_the_bold_claim():
    table = Table(committed())
    rates = findings.best_rates(table)

    def difference(a, b, name):
        both = (table.scores(way, rates[way.name], name) for way in (a, b))
        return findings.paired(*both)

    for way in (findings.V1, findings.CORRECTED):
        assert difference(way, findings.GROUP, "like").low > 0, "better like the training"
    for name in ("renders", "real_colour", "pages"):
        found = difference(findings.V1, findings.GROUP, name)
        assert found.low < 0 < found.high, "both fail alike"
    for name in ("renders", "real_colour"):
        assert difference(findings.OWN, findings.GROUP, name).low > 0, "InstanceNorm holds"
    costs = {
        way: figures.cost_of_blank(table, way, rates[way.name])
        for way in (findings.OWN, findings.GROUP)
    }
    assert costs[findings.OWN].high < 0 < costs[findings.GROUP].high, "white paper"
    found = {h.name: (p, word) for h, _, p, word in findings.family(table)}
    assert {name for name in found if found[name][1] == "worse"} == {"H3", "H4", "H7"}
    assert len({p for p, _ in found.values()}) == 1, "all seeds agree"
    for at in explanations.refutations(table):
        assert not (at.by_momentum.low > 0 and at.by_annealing.low > 0), "lag is undecided"
        assert (at.early.low > 0) == (at.rate == 3e-4) and abs(at.late.mean) < 5e-4, "the start"


def test_what_is_said_of_how_much_is_lost_and_made_good():
    table = Table(committed())
    rates = findings.best_rates(table)

    def mean(way, name):
        return np.nanmean(table.scores(way, rates[way.name], name).f1)

    v1, own, group = findings.V1, findings.OWN, findings.GROUP
    for way in (v1, group):
        assert mean(way, "renders") < 0.5 * mean(way, "like"), "most of it"
        assert mean(way, "real_colour") < 0.7 * mean(way, "real_bilevel"), "much"
    assert 0.5 < mean(own, "renders") / mean(own, "like") < 0.56, "nearly half"
    for shifted, known, share in (
        ("renders", "like", 1 / 3),
        ("real_colour", "real_bilevel", 3 / 4),
    ):
        lost, back = mean(v1, known) - mean(v1, shifted), mean(own, shifted) - mean(v1, shifted)
        assert back / lost == pytest.approx(share, abs=0.03), shifted
    costs = [figures._most_blank(table, way, rates[way.name]) for way in (own, group)]
    paid = [padded.f1 - plain.f1 for padded, plain in costs]
    assert difference(*paid).high < 0, "GroupNorm pays less"
    assert max(mean(way, "like") for way in (v1, own, group)) < 0.85


def test_what_is_said_of_more_logs_a_step():
    table = of_whole_seeds(Table(committed()))
    rates, steps = (3e-4, 1e-3), (1, 2, 4, 8)

    def mean(norm, rate, k, name="like", schedule="annealed"):
        rows = table.of(Way(norm, "evaluation", "C"), rate, name, schedule, logs=k).values()
        return np.mean([np.nanmean(numbers(row["f1"])) for row in rows])

    def loss(norm, rate, k):
        rows = table.of(Way(norm, "training", "C"), rate, "training", logs=k).values()
        return np.mean([numbers(row["loss"])[-4:] for row in rows])

    for rate in rates:
        pooled = [mean("pooled", rate, k) for k in steps]
        constant = [mean("pooled", rate, k, schedule="constant") for k in steps]
        assert max(constant) - min(constant) > 0.2, "swings from size to size"
        assert max(pooled) - pooled[0] < 0.05, "hardly loses as the batch shrinks"
        for k, f1 in zip(steps, pooled, strict=True):
            assert abs(f1 - mean("group", rate, k)) < 0.05, "stays near GroupNorm"
            assert mean("pooled", rate, k, "renders") < mean("group", rate, k, "renders")
            assert loss("pooled", rate, k) < loss("pooled_constant", rate, k)
    assert min(mean("pooled_constant", 1e-3, k) for k in steps) < 0.05, "marks nothing"


def test_what_would_refute_the_explanations():
    table = Table(committed())
    rate = findings.best_rates(table)[findings.V1.name]
    for each in (3e-4, 1e-3):
        renorm, layer = (
            figures.kept(table, Way(norm, "evaluation", "B"), each, "renders", "like").mean
            for norm in ("renorm", "layer")
        )
        assert renorm > layer, "fixed statistics"
    ways = [Way("batch_momenta", way, "D") for way in ("own first 2", "own first 14")]
    first = pair(table, ways[0], findings.V1, "renders", rate, rate)
    kept = [np.nanmean(table.scores(way, rate, "renders").f1) for way in ways]
    assert kept[0] > 0.5 * kept[1] and first["low"] > 0, "the first layers suffice"
    found = {(line["label"], line["set"]): line for line in others.mixed(table) or ()}
    hybrid = found[list(MIXED.values())[-1], "blank_cost"]
    assert hybrid["low"] < -0.03 < hybrid["high"], "its price is open"


def test_what_the_deviations_say_of_the_cell_that_was_trained_on_two_machines():
    table, said = Table(committed()), (docs.PAGE.parents[1] / "studies/batch_size_one/PREREGISTRATION.md").read_text()  # fmt: skip
    ways = findings.OWN, Way("batch_momenta", "own first 14", "D")
    for name in ("like", "renders"):
        first, again = (np.nanmean(table.scores(way, 3e-4, name).f1[0]) for way in ways)
        assert f"{first:.3f} and {again:.3f} on *{name}*" in " ".join(said.split())


def test_what_is_said_of_the_earlier_studies():
    for name in ("renders", "real_colour"):
        found = earlier.pooled(earlier.RUNNING, earlier.OWN, name)
        assert found.mean < -0.2 and found.p < 0.001 and found.seeds == 12
    near = earlier.pooled(("batch_0.1", "evaluation"), ("instance", "evaluation"), "like", (400,))
    assert abs(near.mean) < 0.03, "trained well, and predicted well, on logs like the training"
    with pytest.raises(ValueError, match="no comparison of norms"):
        earlier.pooled(earlier.RUNNING, ("group", "evaluation"), "like")


def test_fixed_statistics_keep_less_under_shift_and_more_on_blank_paper():
    fixed, reading = ("renorm", "evaluation"), (("instance", "evaluation"), ("group", "evaluation"))
    for each in reading:
        assert earlier.kept(*fixed, "renders", "like") < 0.5 * earlier.kept(*each, "renders", "like")  # fmt: skip
        assert earlier.kept(*fixed, "blank", "like") > earlier.kept(*each, "blank", "like")


def test_one_value_for_each_channel():
    """LayerNorm over channels answers, PyTorch's InstanceNorm and BatchNorm raise (forum 1)."""
    x = torch.randn(1, 32, 1, 1, generator=torch.Generator().manual_seed(0))
    assert make_norm("layer", 32)(x).std() > 0.9 and make_norm("group", 32)(x).std() > 0.9
    assert make_norm("instance", 32)(x).abs().max() < 1e-3  # rounding, through the root of eps
    with pytest.raises(ValueError, match="more than one value per channel"):
        make_norm("batch", 32)(x)
    for norm, given in (
        (nn.BatchNorm2d(32), x), (nn.BatchNorm1d(32), x[..., 0]), (nn.InstanceNorm2d(32), x)
    ):  # fmt: skip
        with pytest.raises(ValueError, match="Expected more than 1"):
            norm(given)


def test_layer_norm_is_blind_to_scale_and_running_statistics_are_not():
    seen = forum.scale_seen()
    assert seen["layer"] == pytest.approx(1, abs=1e-6) and seen["layer difference"] < 0.01
    assert seen["evaluation"] == pytest.approx(seen["before"], rel=0.01) and seen["before"] > 1.1
    x = torch.tensor(forum.VECTORS, dtype=torch.float64)
    assert torch.corrcoef(x)[0, 1] > 0.9999, "one vector"
    twice = nn.LayerNorm(32, elementwise_affine=False)(torch.stack([x[0], 2 * x[0]]))
    torch.testing.assert_close(twice[0], twice[1], rtol=0, atol=1e-6)


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


def test_measurements_are_signed_and_read_as_written(tmp_path):
    lines = [{"question": "q", "value": 1 / 3, "x": 2.0, "commit": "abc"}]
    write_csv(tmp_path / "m.csv", measure.COLUMNS, lines)
    (row,) = measure.measured(tmp_path / "m.csv")
    assert row["value"] == "0.33333" and row["commit"] == "abc"
    assert all(r["commit"] and r["corpus"] and r["machine"] for r in measure.measured())

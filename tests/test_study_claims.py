"""What docs/batch-size-one.md and docs/batch-size-one-tables.md say of the study, held against the rows."""

import numpy as np
import pytest
import torch
from torch import nn

import wellseg
from studies.batch_size_one import docs, earlier, explanations, figures, findings, forum
from studies.batch_size_one.collect import committed
from studies.batch_size_one.page import others
from studies.batch_size_one.page.pairs import pair
from studies.batch_size_one.page.words import MIXED, NORMS
from studies.batch_size_one.plan import RATES
from studies.batch_size_one.statistics import difference, words
from studies.batch_size_one.table import Table, Way, numbers
from wellseg.net.resunet import ResUNet
from wellseg.norms import make_norm


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
        assert renders[NORMS["group4"]]["low"] > 0, "groups of 4 above groups of 16"
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


def test_what_is_said_of_the_falsifier_and_of_what_was_expected():
    table = Table(committed())
    rates = findings.best_rates(table)
    ways = (findings.CORRECTED, findings.GROUP)
    start = findings.paired(*(table.scores(way, rates[way.name], "like") for way in ways))
    assert "equivalent" not in words(start, start.p) and start.mean > 0, "not met as written"
    found = {h.name: (h.expected, word) for h, _, _, word in findings.family(table)}
    other = {name: word for name, (expected, word) in found.items() if word != expected}
    assert other == {"H1": "better", "H2": "better", "H5": "better"}


def test_what_is_said_of_machines():
    """Seed 0 pairs two, the other seeds one."""
    table = Table(committed())
    rates = findings.best_rates(table)
    ways = findings.V1, findings.FASTER, findings.OWN, findings.GROUP
    *theirs, group = (table.of(way, rates[way.name], "like") for way in ways)
    for rows in theirs:
        unlike = {seed for seed in group if rows[seed]["machine"] != group[seed]["machine"]}
        assert unlike == {0}
    assert rates[findings.GROUP.name] == 1e-3 and {rates[way.name] for way in ways[:3]} == {3e-4}


def test_what_is_said_of_rates_and_losses():
    table, first = Table(committed()), range(3)
    falls = []
    for way in (findings.V1, findings.FASTER, findings.OWN, findings.GROUP):
        f1 = [np.nanmean(table.scores(way, r, "like").of_seeds(first).f1) for r in RATES]
        falls.append(max(f1) - f1[-1])
    assert max(falls) - min(falls) < 0.02, "no norm is more sensitive to the rate"
    rates, ends = findings.best_rates(table), []
    for way in (findings.OWN, findings.GROUP):
        rows = table.of(Way(way.norm, "training"), rates[way.name], "training").values()
        loss = np.mean([numbers(row["loss"])[-4:] for row in rows])
        ends.append((loss, np.nanmean(table.scores(way, rates[way.name], "validation").f1)))
    assert ends[0][0] < ends[1][0] and ends[0][1] > ends[1][1], "lower loss, higher F1"


def test_own_statistics_in_one_line_of_python():
    """As "What to do" has it: InstanceNorm's answer, and no buffer moves."""
    line = 'wellseg.segment(model.train(), "scan.tif", window_rows=0)'
    assert line in docs.PAGE.read_text("utf-8")
    model, instance = (ResUNet(1, (8, 16), norm=norm).eval() for norm in ("batch", "instance"))
    instance.load_state_dict(model.state_dict(), strict=False)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    scan = np.random.default_rng(0).integers(0, 256, (200, 90), dtype=np.uint8)
    asked = {"window_rows": 0, "precision": "fp32"}
    running = wellseg.segment(model, scan, **asked)
    own = wellseg.segment(model.train(), scan, **asked)
    assert np.abs(own - running).max() > 0.1
    np.testing.assert_allclose(own, wellseg.segment(instance, scan, **asked), atol=1e-5)
    assert all(torch.equal(before[name], buffer) for name, buffer in model.named_buffers())

"""What is computed from rows, on made-up ones of a known truth."""

import dataclasses
import json

import numpy as np
import pytest
from study_rows import atlas_rows

from studies.batch_size_one import explanations, figures, findings, plan
from studies.batch_size_one.figures import GROUP, OWN, V1
from studies.batch_size_one.table import Table, Way


@pytest.fixture(scope="module")
def rows():
    return atlas_rows()


@pytest.fixture(scope="module")
def table(rows):
    return Table(rows)


def test_each_way_has_its_own_best_rate_and_ties_go_to_the_lower(rows):
    def set_to(row):
        kind = (row["way"], row["set"], row["schedule"])
        tied = kind == ("own", "validation", "annealed") and row["rate"] in ("0.003", "0.001")
        return row | {"f1": "0.95;0.85"} if tied else row

    best = findings.best_rates(Table(map(set_to, rows)))
    assert best["batch_momenta m0.01"] == best["group evaluation"] == 3e-3
    assert best["batch_momenta own"] == 1e-3


def test_only_seeds_that_every_rate_and_both_norms_have_are_compared(rows):
    def unlike(row):
        return row["seed"] == "2" and row["norm"] == "group" and row["rate"] == "0.01"

    part = Table(row for row in rows if not unlike(row))
    assert part.seeds == (0, 1) and Table(rows).seeds == (0, 1, 2)
    assert part.scores(V1, 3e-3, "like").f1.shape == (2, 10)
    assert findings.seeds_said(part) == "interim, 2 of 12 seeds"
    one_rate = Table(row for row in rows if row["rate"] == "0.001")
    assert one_rate.seeds == () and findings.best_rates(one_rate) == {}
    assert "interim, 0 of 12" in findings.summary(one_rate) and not figures.rate_curves(one_rate)


def test_seeds_are_paired_by_their_numbers_and_unlike_logs_are_refused(table):
    a, b = (table.scores(way, 3e-3, "like") for way in (V1, GROUP))
    part = findings.paired(a.of_seeds({0, 2}), b)
    assert part.seeds == 2 and part.mean == pytest.approx(-0.1, abs=1e-9)
    with pytest.raises(ValueError, match="unlike logs"):
        findings.paired(a, table.scores(GROUP, 3e-3, "renders"))
    with pytest.raises(ValueError, match="no rows: group nothing"):
        table.scores(Way("group", "nothing"), 3e-3, "like")


def test_the_family_compares_what_was_registered_and_says_no_word_before_all_seeds(table):
    found = {h.name: (delta, word) for h, delta, _, word in findings.family(table)}
    assert found.keys() == {"H1", "H2", "H3", "H4", "H5", "H6", "H7"}  # H8 needs part D
    assert {word for _, word in found.values()} == {"interim"}
    assert found["H1"][0].mean == pytest.approx(-0.1, abs=1e-6)
    assert found["H3"][0].mean == pytest.approx(-0.1 - 0.45, abs=1e-6)
    assert found["H7"][0].mean == pytest.approx(0.1 - 0.25, abs=1e-6)  # no -0.1 of v1 there
    text = findings.summary(table)
    assert "| H1 | batch_momenta m0.01 − group evaluation | like | -0.100 |" in text
    assert "interim, 3 of 12 seeds" in text


def test_twelve_seeds_have_words():
    kept = ("validation", "like")
    table = Table(row for row in atlas_rows(12, logs=4) if row["set"] in kept)
    ((hypothesis, _, p, word), *rest) = findings.family(table)
    assert (hypothesis.name, word) == ("H1", "worse") and p == pytest.approx(2 * 2 / 4096)
    assert rest[0][3] == "equivalent"
    assert findings.seeds_said(table) == "12 seeds"


# ---- figures -------------------------------------------------------------------------------------


def test_the_map_has_every_rate_momentum_and_step(table):
    points = figures.momentum_map(table)
    here = {(p.set, p.rate, p.momentum, p.corrected, p.schedule, p.step) for p in points}
    ways = 5 * 2 + 2 + 2  # momenta, plain and corrected; 1 and cumulative; own and GroupNorm
    assert len(points) == len(here) == 2 * 4 * ways * (5 + 2)
    point = next(p for p in points if (p.rate, p.momentum, p.step) == (1e-3, "own", 100))
    assert point.set == "like" and len(point.by_seed) == 3
    assert point.f1 == pytest.approx(np.mean(point.by_seed))


def test_figures_are_plain_data_with_words_for_ways(table):
    for function in (
        figures.best, figures.momentum_map, figures.rate_curves, figures.trade_off, figures.pairs,
        figures.false_pixels, figures.blank_paper, figures.losses, explanations.lag,
        explanations.lag_tests, explanations.start, explanations.thresholds,
    ):  # fmt: skip
        found = function(table)
        assert found, function.__name__
        json.dumps([dataclasses.asdict(each) for each in found], allow_nan=False)
        if hasattr(found[0], "title"):
            assert not any("m0." in each.title or "_mom" in each.title for each in found)


def test_shares_that_are_kept(table):
    points = {(p.way, p.rate): p for p in figures.trade_off(table)}
    own = points[OWN.name, 3e-3]
    assert own.is_best and own.like.mean == pytest.approx(0.9, abs=0.01)
    assert own.renders.mean == pytest.approx(0.75 / 0.9, abs=0.01)
    assert own.colour.mean == pytest.approx(0.75 / 0.85, abs=0.01)
    assert own.blank.mean == pytest.approx(0.65 / 0.9, abs=0.01)
    assert own.renders.low <= own.renders.mean <= own.renders.high
    assert points["batch_momenta m1.0", 3e-3].blank is None, "not scored on blank paper"


def test_pairs_at_best_and_at_equal_rates(table):
    (best,) = [
        p for p in figures.pairs(table)
        if (p.a, p.b, p.set, p.one_rate) == (OWN.name, V1.name, "renders", False)
    ]  # fmt: skip
    assert best.same_weights and best.difference.mean == pytest.approx(0.55, abs=1e-6)
    assert {p.rate_a for p in figures.pairs(table) if p.one_rate} == set(plan.RATES)
    assert not any(p.same_weights for p in figures.pairs(table) if p.b == GROUP.name)


def test_lag_and_start_as_registered(table):
    tests = explanations.lag_tests(table)
    assert [t.rate for t in tests] == list(plan.RATES)
    assert tests[0].by_momentum.mean == pytest.approx(0.1, abs=1e-9)
    assert tests[0].by_annealing.mean == pytest.approx(0, abs=1e-9)
    lost = {(p.rate, p.momentum, p.schedule): p.lost.mean for p in explanations.lag(table)}
    assert lost[1e-3, "0.003", "annealed"] == pytest.approx(0.1)
    assert lost[1e-3, "cumulative", "constant"] == pytest.approx(0, abs=1e-9)
    gains = {(g.set, g.rate, g.schedule, g.step): g.gain.mean for g in explanations.start(table)}
    assert gains["like", 1e-3, "constant", 200] == pytest.approx(0.3)
    assert gains["like", 1e-3, "annealed", 1600] == pytest.approx(0, abs=1e-9)


def test_a_sweep_finds_its_best_threshold(table):
    swept = [s for s in explanations.thresholds(table) if s.is_best and s.set == "like"]
    assert len(swept) == 5
    assert all(s.best_threshold == 0.5 and s.best_f1 == s.at_half for s in swept)


def test_false_pixels_are_of_regions_without_curves_and_pages(table):
    found = figures.false_pixels(table)
    assert {f.set for f in found} == {"negative", "pages"} and found[0].px.logs == 8
    assert found[0].px.mean == pytest.approx(1, abs=0.02)

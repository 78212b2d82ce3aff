"""What is computed from rows, on made-up ones of a known truth."""

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
    assert "interim, 0 of 12" in findings.summary(one_rate) and not figures.f1(
        one_rate, V1, 1e-3, "like"
    )


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
    # Lines whose rows are not there yet are counted, too.
    assert (hypothesis.name, word) == ("H1", "worse") and p == pytest.approx(8 * 2 / 4096)
    assert rest[0][3] == "equivalent"
    assert findings.seeds_said(table) == "12 seeds"


# ---- figures -------------------------------------------------------------------------------------


def test_scores_and_shares_that_are_kept(table):
    renders = figures.kept(table, OWN, 3e-3, "renders", "like")
    assert renders.mean == pytest.approx(0.75 / 0.9, abs=0.01)
    assert renders.low <= renders.mean <= renders.high
    colour = figures.kept(table, OWN, 3e-3, "real_colour", "real_bilevel")
    assert colour.mean == pytest.approx(0.75 / 0.85, abs=0.01)
    assert figures.kept_blank(table, OWN, 3e-3).mean == pytest.approx(0.65 / 0.9, abs=0.01)
    assert figures.f1(table, OWN, 3e-3, "like").mean == pytest.approx(0.9, abs=0.01)
    whole = Way("batch_momenta", "m1.0")
    assert figures.kept(table, whole, 3e-3, "renders", "like")
    assert figures.kept_blank(table, whole, 3e-3) is None, "not scored on blank paper"


def test_false_pixels_are_of_regions_without_curves(table):
    found = figures.false_px(table, V1, 3e-3)
    assert found.logs == 8 and found.mean == pytest.approx(1, abs=0.02)


def test_lag_and_start_as_registered(table):
    found = explanations.refutations(table)
    assert [each.rate for each in found] == list(plan.RATES)
    assert found[0].by_momentum.mean == pytest.approx(0.1, abs=1e-9)
    assert found[0].by_annealing.mean == pytest.approx(0, abs=1e-9)
    assert found[1].early.mean == pytest.approx(0.3)
    assert found[1].late.mean == pytest.approx(0, abs=1e-9)


def test_seeds_without_the_higher_rates_count_and_the_rate_is_of_those_that_all_have():
    """As the deviations say: three seeds have four rates, the others the two lower ones."""
    few = atlas_rows(seeds=5)
    kept = [r for r in few if float(r["rate"]) <= 1e-3 or int(r["seed"]) < 3]
    table = Table(kept)
    assert table.seeds == (0, 1, 2, 3, 4)
    assert set(findings.best_rates(table).values()) <= set(plan.RATES[:2])
    assert table.scores(V1, 3e-3, "like").f1.shape == (3, 10)
    lacks = [r for r in kept if (r["seed"], r["rate"]) != ("4", "0.0003")]
    assert Table(lacks).seeds == (0, 1, 2, 3)

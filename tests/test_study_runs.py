"""The study: one protocol for every cell, honest words, a run that goes on where it was stopped."""

import numpy as np
import pytest
import torch

from studies.batch_size_one import run, statistics
from studies.batch_size_one.logs import TALL, Logs, append_white
from studies.batch_size_one.plan import Cell, plan
from studies.batch_size_one.rows import COLUMNS, read_rows
from studies.batch_size_one.score import (
    THRESHOLDS,
    expected,
    score,
    score_set,
    score_without_training,
)
from studies.batch_size_one.train import Training, build
from wellseg.net.resunet import to_ink
from wellseg.scores.masks import score_log

pytestmark = pytest.mark.slow  # of the study alone, and what takes longest of its tests

TINY = Cell("A", "batch_momenta", 1e-2, 0, 8, widths=(8, 16))


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return Logs(tmp_path_factory.mktemp("logs"), scored=2)


def test_every_cell_of_a_seed_starts_from_the_same_convolutions():
    cells = {cell.norm: cell for cell in plan(dict.fromkeys(WAYS, 1e-3)) if cell.seed == 3}
    first = {n: p for n, p in build(cells["group"]).named_parameters() if p.ndim == 4}
    for cell in cells.values():
        here = dict(build(cell).named_parameters())
        for name, value in first.items():
            torch.testing.assert_close(here[name], value)


WAYS = ("batch_momenta m0.01", "batch_momenta m0.1", "batch_momenta own", "group evaluation")


def test_the_plan_is_the_one_of_the_preregistration_with_its_deviations():
    """A: 12 seeds, 4 rates for 3 of them and 2 for the others, 2 norms; what needs A's rates waits for them; no two cells of one name."""
    assert len(plan({}, "A")) == (3 * 4 + 9 * 2) * 2 and not plan({}, "CDEF")
    cells = plan(dict.fromkeys(WAYS, 1e-3) | {"group evaluation": 3e-3})
    counts = {part: sum(cell.part == part for cell in cells) for part in "ABCDEF"}
    assert counts == {"A": 60, "B": 96, "C": 72, "D": 12, "E": 12, "F": 24}
    assert len({cell.name for cell in cells}) == len(cells)
    assert {cell.rate for cell in cells if cell.part == "E"} == {1e-3, 3e-3}


def test_a_stopped_training_ends_as_one_that_was_not(tmp_path, logs, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Training(TINY, logs).run(whole)
    monkeypatch.setattr("studies.batch_size_one.train.SAVE_EVERY", 2)
    real = Training._one_step

    def stop(self, schedule):
        if self.step == 5 and len(list(parts.glob("*.pt"))) == 1:
            raise KeyboardInterrupt
        real(self, schedule)

    monkeypatch.setattr(Training, "_one_step", stop)
    with pytest.raises(KeyboardInterrupt):
        Training(TINY, logs).run(parts)
    monkeypatch.setattr(Training, "_one_step", real)
    Training(TINY, logs).run(parts)
    for name in ("constant.pt", "annealed.pt"):
        first, second = (torch.load(folder / name, weights_only=True) for folder in (whole, parts))
        torch.testing.assert_close(second, first, rtol=0, atol=0)
    assert (whole / "losses.json").read_text() == (parts / "losses.json").read_text()
    assert sorted(p.name for p in parts.iterdir()) == [
        "annealed.pt",
        "constant.pt",
        "losses.json",
        "trained.json",
    ]


@pytest.mark.slow
def test_own_statistics_are_instance_norm_and_scoring_changes_no_weights(tmp_path, logs):
    Training(TINY, logs).run(tmp_path)
    before = torch.load(tmp_path / "annealed.pt", weights_only=True)
    rows = score(TINY, tmp_path, logs)
    again = score_without_training(TINY, tmp_path, logs)
    own = {r["set"]: r["f1"] for r in rows if r["way"] == "own" and r["schedule"] == "annealed"}
    assert {"like", "renders", "blank", "validation"} <= own.keys()
    all_own = [r for r in again if r["way"] == "own first 6"]
    assert {r["set"]: r["f1"] for r in all_own} == {n: own[n] for n in ("like", "renders", "blank")}
    ways = {r["way"] for r in rows}
    assert {"m0.01", "m0.01 corrected", "m1.0", "mcumulative", "own"} <= ways and len(ways) == 14
    real = {"real_bilevel", "real_colour", "negative", "pages"}
    assert {(r["schedule"], r["step"], r["way"], r["set"]) for r in rows} == {
        each for each in expected(TINY) if each[-1] not in real
    }
    assert all(r["commit"] and r["corpus"] and r["machine"] and r["trained"] for r in rows + again)
    assert all(len(r["f1_by_threshold"]) == 21 for r in rows if "f1_by_threshold" in r)
    torch.testing.assert_close(torch.load(tmp_path / "annealed.pt", weights_only=True), before)


def test_a_run_whose_loss_is_no_number_scores_0_and_is_not_left_out(tmp_path, logs, monkeypatch):
    monkeypatch.setattr("studies.batch_size_one.train.curve_loss", lambda z, _: z.sum() * np.nan)
    monkeypatch.setattr("studies.batch_size_one.score.THRESHOLDS", (0.5,))
    run.Run(tmp_path, logs).cells([TINY])
    rows = read_rows([tmp_path / "rows" / f"{TINY.name}.csv"])
    assert {row["status"] for row in rows} == {"diverged"}
    assert {row["f1"] for row in rows if row["set"] == "like"} == {"0.0000;0.0000"}


def test_labelled_regions_of_one_well_are_drawn_together(shared):
    regions = Logs(shared, shared / "real" / "labelled").set("real_bilevel")
    assert len(regions) == 15 and len({log.name.partition("/")[0] for log in regions}) == 13


@pytest.mark.slow
@pytest.mark.parametrize("name", TALL)
def test_tall_logs_have_their_sizes_and_curves(tmp_path, name):
    (log,) = Logs(tmp_path, scored=2).set(name)
    assert log.gray.shape == log.truth.shape == TALL[name]
    halves = [(half == 255).any() for half in np.split(log.truth, 2)]
    assert all(halves) if name == "tall12800" else any(halves)  # it is two logs


def test_ways_of_the_same_statistics_are_scored_once(tmp_path, logs, monkeypatch):
    """After very many steps the correction of the start is 1: all five corrected momenta are the plain ones."""
    Training(TINY, logs).run(tmp_path)
    state = torch.load(tmp_path / "annealed.pt", weights_only=True)
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            value.fill_(100_000)
    torch.save(state, tmp_path / "annealed.pt")
    calls = []

    def count(net, given, device, sweep):
        calls.append(len(given))
        return {"f1": [len(calls)]}

    monkeypatch.setattr("studies.batch_size_one.score.score_set", count)
    monkeypatch.setattr("studies.batch_size_one.score.checkpoints", lambda cell: [ANNEALED])
    rows = [row for row in score(TINY, tmp_path, logs) if row["set"] == "like"]
    found = {row["way"]: row["f1"] for row in rows}
    assert all(found[f"m{m}"] == found[f"m{m} corrected"] for m in (0.003, 0.01, 0.03, 0.1, 0.3))
    assert len(set(map(str, found.values()))) == 8  # seven momenta and own


ANNEALED = ("annealed.pt", "annealed", TINY.steps)


def test_white_paper_changes_no_score_of_the_sweep(logs):
    net = build(TINY).eval()
    blank = [append_white(log, 0.75) for log in logs.set("like")]
    found = score_set(net, blank, "cpu", True)["f1_by_threshold"]
    with torch.no_grad():
        logits = [net(to_ink(log.tensors[0]))[0, 0].numpy() for log in blank]
    middle = [score_log(z > 0, log.truth).f1_at_3px for z, log in zip(logits, blank, strict=True)]
    assert THRESHOLDS[10] == 0.5 and found[10] == pytest.approx(np.mean(middle), abs=1e-12)


def test_blank_paper_below_is_that_share_of_the_rows(logs):
    log = logs.drawn("bilevel", 1, 0)
    white = append_white(log, 0.75)
    assert len(white.gray) == 4 * len(log.gray) and (white.gray[len(log.gray) :] == 255).all()
    assert not white.truth[len(log.gray) :].any()


@pytest.mark.slow
def test_the_command_goes_on_and_refuses_another_corpus(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("studies.batch_size_one.plan.RATES", (1e-3, 1e-2))
    asked = {"out": tmp_path, "parts": "AD", "seeds": 1, "tiny": True, "device": "cpu"}
    run.atlas(**asked)
    assert "train A-group-0.001-s0" in capsys.readouterr().out
    rows = read_rows(sorted((tmp_path / "rows").glob("*.csv")))
    assert set(rows[0]) == set(COLUMNS) and {r["part"] for r in rows} == {"A", "D"}
    assert "| H1 |" in (tmp_path / "summary.md").read_text()
    run.atlas(**asked)
    assert "train" not in capsys.readouterr().out, "all is there"
    (tmp_path / "corpus.txt").write_text("another")
    with pytest.raises(SystemExit, match="begun with corpus another"):
        run.atlas(**asked)


# ---- statistics ----------------------------------------------------------------------------------


def test_twelve_seeds_of_one_sign_reach_the_smallest_p():
    assert statistics.sign_flip_p(np.full(12, 0.1)) == pytest.approx(2 / 4096)
    assert statistics.sign_flip_p(np.array([1.0, -1.0] * 3)) == 1.0


def test_holm_is_the_textbooks():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_the_interval_covers_and_wells_are_drawn_together():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        scores = (
            rng.normal(0, 0.1, (12, 1)) + rng.normal(0, 0.2, (1, 64)) + rng.normal(0, 0.2, (12, 64))
        )
        low, high, *_ = statistics.bootstrap(scores, draws=600)
        covered += low <= 0 <= high
    assert covered >= 50
    scores = np.repeat(np.tile(rng.normal(0, 0.2, 8), (12, 1)), 8, axis=1)
    wells = [str(i // 8) for i in range(64)]
    alone, together = (statistics.bootstrap(scores, c, 600) for c in (None, wells))
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


@pytest.mark.parametrize(
    ("shift", "spread", "said"),
    [(-0.2, 0.01, "worse"), (0.01, 0.004, "better, equivalent"), (0.0, 0.3, "undecided")],
)
def test_only_the_words_that_were_registered(shift, spread, said):
    noise = np.random.default_rng(1).normal(0, spread, (12, 64))
    found = statistics.difference(shift + noise - noise.mean() * (shift == 0), np.zeros((12, 64)))
    assert statistics.words(found, found.p) == said

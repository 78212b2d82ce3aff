"""The study of normalisations: one protocol for every arm, honest words, a report."""

import csv
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from studies.batch_size_one import arms, jobs, results, run, scores, statistics, train
from studies.batch_size_one import findings as report_findings
from studies.batch_size_one.layers import divergence, layer_rows, norm_layers
from studies.batch_size_one.logs import append_white, training_log
from studies.batch_size_one.report import write_report
from studies.batch_size_one.results import COLUMNS, KEY, LAYER_COLUMNS, LAYER_KEY, Table
from wellseg.net.resunet import to_ink
from wellseg.norms.group import half_or_16

TINY = arms.Size((16, 32), 32, 8, 2, 2, 2, 2, 1, 200, 2, 0, arms.HEADLINE)


def job(arm, seed=0, steps=8):
    return arms.Job(arm, seed, "main", 1e-2, steps)


def setting(folder, done=()):
    return jobs.Setting(TINY, folder, None, frozenset(done))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The pair on two seeds, as the command writes it."""
    folder = tmp_path_factory.mktemp("study")
    table = Table(folder / "results.csv", COLUMNS, KEY)
    layers = Table(folder / "layers.csv", LAYER_COLUMNS, LAYER_KEY)
    for arm, seed in product(arms.HEADLINE, (0, 1)):
        outcome = jobs.run_job(job(arm, seed), setting(folder))
        table.append(outcome.rows)
        layers.append(outcome.layers)
    return folder


# ---- the protocol --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("arm", arms.ARMS)
def test_every_arm_starts_from_the_same_convolutions(arm):
    first = {
        name: value
        for name, value in train.build_net("group", TINY, 3).state_dict().items()
        if value.ndim == 4
    }
    other = train.build_net(arm, TINY, 3).state_dict()
    assert all(torch.equal(value, other[name]) for name, value in first.items())
    assert any(
        not torch.equal(value, train.build_net(arm, TINY, 4).state_dict()[name])
        for name, value in first.items()
    )


@pytest.mark.slow
@pytest.mark.parametrize("arm", arms.ARMS)
def test_every_arm_learns_and_its_scale_and_shift_are_not_decayed(arm):
    trained = train.Run(job(arm, steps=4), TINY)
    before = trained.net.state_dict()["encoder.0.conv1.weight"].clone()
    trained.advance(4, "constant")
    assert not torch.equal(before, trained.net.state_dict()["encoder.0.conv1.weight"])
    undecayed = [
        p
        for group in trained.optimizer.param_groups
        if group["weight_decay"] == 0
        for p in group["params"]
    ]
    for norm in norm_layers(trained.net).values():
        assert all(any(p is q for q in undecayed) for p in norm.parameters())


def test_logs_differ_by_step_and_seed_and_are_one_bit():
    logs = [training_log(seed, step, 32) for seed, step in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert {log.name for log in logs[:3]} == {log.name for log in logs} and len(
        {log.name for log in logs}
    ) == 3
    np.testing.assert_array_equal(logs[0].gray, logs[3].gray)
    for log in logs:
        assert set(np.unique(log.gray)) <= {0, 255} and set(np.unique(log.truth)) <= {0, 255}
        assert 16 <= len(log.gray) <= 48


def test_rates_rise_stay_and_fall_to_zero_only_where_annealed():
    course = train.Run(arms.Job("group", 0, "main", 1e-2, 100), TINY)
    rates = {}
    for schedule in ("constant", "annealed"):
        rates[schedule] = []
        for course.step in range(101):
            rates[schedule].append(course.rate(schedule))
    constant, annealed = rates["constant"], rates["annealed"]
    assert 0 < constant[0] < constant[4] < 1e-2 == constant[5] == constant[100]
    assert (
        annealed[:76] == constant[:76]
        and annealed[88] == pytest.approx(4.8e-3)
        and annealed[100] == 0
    )


@pytest.mark.slow
def test_a_run_that_was_interrupted_ends_with_the_same_weights():
    moments = train.moments(8)
    whole = dict(train.states(train.Run(job("batch"), TINY), {}))
    kept = {moment: whole[moment] for moment in moments[:2]}
    again = dict(train.states(train.Run(job("batch"), TINY), kept))
    for moment in moments:
        for name, value in whole[moment]["net"].items():
            assert torch.equal(value, again[moment]["net"][name]), (moment, name)
    ends = [whole[moment]["net"]["head.weight"] for moment in moments[3:]]
    assert not torch.equal(*ends)


@pytest.mark.slow
def test_only_what_is_missing_is_done_again(study):
    table = Table(study / "results.csv", COLUMNS, KEY)
    assert not jobs.run_job(job("batch"), setting(study, table.keys)).rows
    gone = ("main", "batch", "annealed", "0", "end", "training", "renders")
    rows = jobs.run_job(job("batch"), setting(study, table.keys - {gone})).rows
    (there,) = [row for row in table.rows if tuple(row[name] for name in KEY) == gone]
    assert [row["f1_by_log"] for row in rows] == [
        [float(each) for each in there["f1_by_log"].split(";")]
    ] or [f"{each:.4f}" for each in rows[0]["f1_by_log"]] == there["f1_by_log"].split(";")


def test_a_run_whose_loss_is_not_finite_is_counted_and_not_done_again(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "curve_loss", lambda logits, truth: logits.sum() * float("nan"))
    (row,) = jobs.run_job(job("group"), setting(tmp_path)).rows
    assert row["status"] == "failed: loss nan at step 0"
    table = Table(tmp_path / "results.csv", COLUMNS, KEY)
    table.append([row])
    assert report_findings.Findings(table.rows).failed("group") == 1
    assert not jobs.run_job(job("group"), setting(tmp_path, table.keys)).rows


# ---- what is measured ----------------------------------------------------------------------------


@pytest.mark.slow
def test_batch_norm_in_training_mode_scores_what_instance_norm_would():
    course = train.Run(job("batch"), TINY)
    course.advance(8, "constant")
    log = training_log(5, 0, 96)
    mark_a_tenth(course.net, log)
    instance = train.build_net("instance", TINY, 0)
    weights = {
        name: value
        for name, value in course.net.state_dict().items()
        if name in instance.state_dict()
    }
    instance.load_state_dict(weights)
    buffers = {name: value.clone() for name, value in course.net.named_buffers()}
    in_training = scores.in_mode(course.net, scores.TRAINING, ())
    np.testing.assert_array_equal(
        scores.predict(in_training, log.gray), scores.predict(instance, log.gray)
    )
    assert (scores.predict(course.net.eval(), log.gray) != scores.predict(instance, log.gray)).any()
    assert all(torch.equal(value, buffers[name]) for name, value in course.net.named_buffers())


def mark_a_tenth(net, log):
    """Of the log's pixels: so barely trained a network would mark none, in whatever way."""
    with torch.no_grad():
        net.head.bias -= net.eval()(to_ink(torch.from_numpy(log.gray)[None, None])).quantile(0.9)


@pytest.mark.slow
def test_fixed_statistics_tile_exactly_and_an_images_own_do_not():
    log = append_white(training_log(5, 1, 300), 200)
    for arm, exact in (("batch", True), ("layer_pixel", True), ("group", False)):
        course = train.Run(job(arm), TINY)
        course.advance(8, "constant")
        mark_a_tenth(course.net, log)
        found = scores.sensitivity(course.net.eval(), [log], 100)
        assert (found["tile_mismatch"] == 0) == exact and (found["white_rows"] == 0) == exact, (
            arm,
            found,
        )


def test_divergence_is_that_of_normal_distributions_and_falls_into_its_parts():
    mean, var = torch.tensor([0.5, 0.0]), torch.tensor([2.0, 3.0])
    running_mean, running_var = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 3.0])
    by_mean, by_variance = divergence(mean, var, running_mean, running_var)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(mean, var.sqrt()), normal(running_mean, running_var.sqrt())
    )
    assert by_mean + by_variance == pytest.approx(expected.mean().item(), abs=1e-4)
    assert by_mean == pytest.approx(0.5**2 / 2 / 2, abs=1e-4)


def test_only_running_statistics_diverge():
    for arm in ("group", "layer_pixel", "batch"):
        rows = layer_rows(train.build_net(arm, TINY, 0), [training_log(0, 0, 32)])
        assert [row["channels"] for row in rows] == [16, 16, 32, 32, 16, 16]
        for row in rows:
            parts = [row["kl_mean"], row["kl_variance"], row["gap"]]
            assert all(each > 0 for each in parts) if arm == "batch" else parts == [0, 0, 0]


# ---- what may be said ----------------------------------------------------------------------------


def test_sign_flip_test_is_exact():
    assert statistics.sign_flip_p(np.full(6, 0.1)) == 2 / 64
    assert (
        statistics.sign_flip_p(np.array([0.3, 0.2, -0.1])) == 4 / 8
    )  # of the 8 sums, |0.4| and more: +-0.6, +-0.4
    assert statistics.sign_flip_p(np.array([1.0, -1.0])) == 1


@pytest.mark.parametrize(
    ("seeds", "shift", "word"),
    [
        (5, 0.3, "too few seeds to say"),
        (6, 0.3, "better"),
        (6, -0.3, "worse"),
        (6, 0.0, "no difference shown"),
    ],
)
def test_words_need_six_seeds_and_a_difference(seeds, shift, word):
    noise = np.random.default_rng(0).normal(0, 0.02, (seeds, 8))
    noise -= noise.mean()
    assert (
        statistics.verdict(statistics.difference(0.5 + shift + noise, np.full((seeds, 8), 0.5)))
        == word
    )


@pytest.mark.slow
def test_interval_covers_the_mean_of_seeds_and_logs_nineteen_times_in_twenty():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        drawn = (
            rng.normal(0, 0.1, (10, 1))
            + rng.normal(0, 0.1, (1, 10))
            + rng.normal(0, 0.05, (10, 10))
        )
        low, high = statistics.bootstrap(drawn, draws=400)
        covered += low <= 0 <= high
    assert 0.85 <= covered / 200 <= 0.99


@pytest.mark.slow
def test_the_answer_has_no_better_or_worse_with_two_seeds(study):
    said = " ".join(
        report_findings.answer(
            report_findings.Findings(Table(study / "results.csv", COLUMNS, KEY).rows)
        )
    )
    assert "too few seeds to say" in said and "better" not in said and "worse" not in said


@pytest.mark.slow
def test_ways_of_which_the_same_may_be_said_stand_together(study):
    rows = Table(study / "results.csv", COLUMNS, KEY).rows
    rows = [
        row | {"seed": seed}
        for row in rows
        if row["seed"] == "0" and row["run"] == "main"
        for seed in "012345"
    ]
    other = [
        row | {"arm": arm} for row in rows if row["arm"] == "group" for arm in ("layer", "instance")
    ]
    said = report_findings.answer(report_findings.Findings(rows + other))[2]
    assert (
        "LayerNorm over C, H, W (+0.000, +0.000)" in said
        and "no difference shown on either for" in said
    )
    assert report_findings.with_minus("-0.120 [-0.000, +0.000]") == "−0.120 [0.000, +0.000]"


@pytest.mark.slow
def test_a_study_of_one_arm_answers_nothing_and_still_has_its_report(study, tmp_path):
    table = Table(tmp_path / "results.csv", COLUMNS, KEY)
    table.append(
        row for row in Table(study / "results.csv", COLUMNS, KEY).rows if row["arm"] == "group"
    )
    assert "does not answer its question" in write_report(tmp_path).read_text()


@pytest.mark.slow
def test_pairs_use_only_seeds_that_both_have(study):
    rows = Table(study / "results.csv", COLUMNS, KEY).rows
    rows = [row for row in rows if (row["arm"], row["seed"]) != ("group", "1")]
    found = report_findings.Findings(rows)
    pair = found.difference(
        report_findings.Scored("batch"), report_findings.Scored("group"), "like"
    )
    assert pair.seeds == 1
    first = [np.array([float(x) for x in row["f1_by_log"].split(";")]) for row in rows
             if (row["schedule"], row["seed"], row["moment"], row["mode"], row["test_set"])
             == ("annealed", "0", "end", "evaluation", "like")]  # fmt: skip
    assert abs(pair.mean) == pytest.approx(abs((first[0] - first[1]).mean()))


# ---- files ---------------------------------------------------------------------------------------


def test_rows_are_appended_and_half_a_line_is_dropped(tmp_path):
    path = tmp_path / "results.csv"
    row = dict.fromkeys(KEY, "x") | {"f1_by_log": [0.5, 1.0], "rate": 1e-3}
    Table(path, COLUMNS, KEY).append([row])
    Table(path, COLUMNS, KEY).append([row | {"seed": 1}])
    path.write_bytes(path.read_bytes() + b"main,batch,cons")
    table = Table(path, COLUMNS, KEY)
    assert [each["seed"] for each in table.rows] == ["x", "1"] and table.rows[0][
        "f1_by_log"
    ] == "0.5000;1.0000"
    assert path.read_text().count("\n") == 3 and path.read_text().endswith("\n")
    with pytest.raises(ValueError, match="another --out"):
        Table(path, COLUMNS[1:], KEY)


def test_wrong_use_is_one_line(tmp_path, capsys):
    for flags, said in (
        (["--norms", "batch,grup"], "unknown arm 'grup'"),
        (["--seeds", "0"], "--seeds lies in"),
    ):
        with pytest.raises(SystemExit, match="2"):
            run.main([*flags, "--out", str(tmp_path / "new")])
        assert said in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_a_folder_holds_one_study(tmp_path):
    run.claim(tmp_path, "quick", TINY)
    run.claim(tmp_path, "quick", TINY)
    with pytest.raises(ValueError, match="another size"):
        run.claim(tmp_path, "quick", replace(TINY, rows=33))


@pytest.mark.slow
def test_the_command_from_nothing_to_a_report_and_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(arms.SIZES, "quick", TINY)
    run.main(["--out", str(tmp_path), "--processes", "1", "--seeds", "1"])
    rows = list(csv.DictReader((tmp_path / "results.csv").open()))
    assert {row["run"] for row in rows} == {"search", "main", "cost"}
    assert all(float(row["seconds_per_step"]) > 0 for row in rows if row["run"] == "cost")
    run.main(["--out", str(tmp_path), "--processes", "1", "--seeds", "1"])
    assert list(csv.DictReader((tmp_path / "results.csv").open())) == rows
    assert "report.html" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_study_that_is_stopped_leaves_no_process_and_goes_on(tmp_path, sent):
    command = [
        sys.executable,
        "-u",
        "-m",
        "studies.batch_size_one.run",
        "--out",
        str(tmp_path),
        "--norms",
        "group",
        "--seeds",
        "1",
    ]
    parent = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # ignored in background jobs
    )
    assert "search-group" in parent.stdout.readline()
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    parent.send_signal(sent)
    said = parent.communicate(timeout=60)[1]
    assert parent.returncode == (130 if sent == signal.SIGINT else -sent)
    if sent == signal.SIGINT:
        assert said.count("\n") == 1 and "stopped; the same command goes on" in said, said
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline, "a worker outlived its study"
        time.sleep(0.1)
    assert len(children) >= 2
    rows = Table(tmp_path / "results.csv", COLUMNS, KEY).rows
    assert [row["run"] for row in rows] == ["search"] * len(rows) and rows


# ---- the report ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report(study):
    return write_report(study)


@pytest.mark.slow
def test_report_holds_everything(report):
    text = report.read_text()
    assert text.count("<svg") >= 8 and "http" not in text.replace("http://www.w3.org", "")
    assert "<!--" not in text and report.stat().st_size < 3e6
    summary = (report.parent / "summary.md").read_text()
    assert (
        summary.startswith("Trained for 8 steps") and "| GroupNorm, half_or_16 | 2 | 0 |" in summary
    )
    assert text.count('<img alt="BatchNorm v1, momentum 0.01, evaluation mode') == 4


@pytest.mark.slow
@pytest.mark.parametrize("width", [375, 1440])
def test_nothing_overflows(report, browser_page, width):
    page = browser_page(report, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.slow
def test_a_wide_table_keeps_its_names_in_sight(report, browser_page):
    page = browser_page(report, 375)
    page.locator(".wide").first.evaluate("wide => { wide.scrollLeft = 300 }")
    name, caption = (
        page.locator(".wide th[scope=row]").first,
        page.locator(".wide caption span").first,
    )
    assert page.locator(".wide").first.evaluate("wide => wide.scrollLeft") == 300
    assert name.bounding_box()["x"] >= 0 and caption.bounding_box()["x"] >= 0
    assert caption.bounding_box()["x"] + caption.bounding_box()["width"] <= 375


@pytest.mark.slow
def test_slider_moves_by_keys_and_mouse_and_the_numbers_follow(report, browser_page):
    page = browser_page(report)
    slider, chosen = page.locator("#width"), page.locator("#chosen")
    assert chosen.inner_text() == "128 channels → 8 groups of 16"
    slider.focus()
    page.keyboard.press("End")
    assert chosen.inner_text() == "512 channels → 32 groups of 16"
    page.keyboard.press("Home")
    assert chosen.inner_text() == "16 channels → 1 group of 16"
    assert page.locator("#over tr").nth(0).inner_text().split("\t")[1:3] == ["1", "16"]
    page.keyboard.press("ArrowRight")
    assert chosen.inner_text() == "24 channels → 1 group of 24"
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    width = int(slider.input_value())
    assert 350 < width < 430 and chosen.inner_text().startswith(
        f"{width} channels → {half_or_16(width)} groups of"
    )
    assert page.locator("#rule line[stroke-dasharray]").count() == 1
    slider.fill("32")
    page.locator("input[value=renders]").check()
    layers = json.loads((report.parent / "activations-batch.json").read_text())
    assert "encoder.1.norm1, 32 channels" in page.locator("#measured-text").inner_text()
    assert page.locator("#measured circle").count() == 2 * 32 and layers[1]["channels"] == 32


@pytest.mark.slow
def test_the_page_knows_the_rule(report, browser_page):
    page = browser_page(report)
    widths = list(range(16, 513, 8))
    assert page.evaluate("widths => widths.map(halfOr16)", widths) == [
        half_or_16(width) for width in widths
    ]


@pytest.mark.slow
def test_measured_statistics_are_the_images(study):
    """Of the first layer, against its convolution by hand."""
    layers = json.loads((study / "activations-group.json").read_text())
    net = train.build_net("group", TINY, 0)
    net.load_state_dict(
        torch.load(study / "checkpoints" / "main-group-0-annealed-end.pt", weights_only=True)["net"]
    )
    log = jobs.test_sets(TINY.test_logs, TINY.rows)["like"][0]
    ink = 1 - log.tensors[0].float() / 255
    ink = F.pad(ink, (0, -ink.shape[3] % 4, 0, -ink.shape[2] % 4))
    x = net.encoder[0].conv1(F.pixel_unshuffle(ink, 2))
    np.testing.assert_allclose(layers[0]["like"]["mean"], x.mean((0, 2, 3)).detach(), atol=2e-4)
    np.testing.assert_allclose(
        layers[0]["like"]["sd"], x.std((0, 2, 3), correction=0).detach(), rtol=2e-3, atol=2e-4
    )


@pytest.mark.slow
def test_results_has_a_row_for_each_arm_schedule_seed_moment_mode_and_set(study):
    keys = Table(study / "results.csv", COLUMNS, KEY).keys
    sets = {"early": 2, "middle": 2, "before": 2, "end": 3}
    for moment, number in sets.items():
        found = {key for key in keys if key[1] == "group" and key[3] == "0" and key[4] == moment}
        assert len(found) == number * len(scores.modes_of(train.build_net("group", TINY, 0))) * (
            1 + (moment == "end")
        )
    assert results.KEY == ("run", "arm", "schedule", "seed", "moment", "mode", "test_set")

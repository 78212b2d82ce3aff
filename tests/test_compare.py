"""Norms compared: equal conditions, a rate for each norm and mode, differences, a report."""

import csv
import json
import runpy
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import cv2
import numpy as np
import pytest
import tifffile
import torch

from wellseg import compare
from wellseg.net.options import ModelConfig
from wellseg.scores.tables import choose_rates, report, verdict
from wellseg.training.options import OptimConfig

TINY = dict(widths=(8, 16), steps=3, seeds=1, recipe="tiny", logs=24)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(compare.SIZES, "quick", TINY)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two norms at two rates with one seed, as the command leaves them."""
    out = tmp_path_factory.mktemp("comparison")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(compare.SIZES, "quick", TINY)
        compare.main(["--out", str(out), "--rates", "1e-3,1e-2"])
    return out


def rows_of(out):
    return list(csv.DictReader((out / "results.csv").open()))


# ---- equal conditions ----------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["batch", "instance", "layer"])
def test_the_same_seed_gives_the_same_convolutions_whatever_the_norm(norm):
    from wellseg.training.segmenter import Segmenter

    def initial(norm, seed=0):
        torch.manual_seed(seed)
        model = asdict(ModelConfig(norm=norm, widths=(16, 32)))
        state = Segmenter(model, asdict(OptimConfig()), 1).net.state_dict()
        return {name: value for name, value in state.items() if value.ndim == 4}

    group, other = initial("group"), initial(norm)
    assert len(group) > 5
    for name, value in group.items():
        assert torch.equal(value, other[name]), name
    assert any(not torch.equal(value, initial(norm, 1)[name]) for name, value in group.items())


def test_every_norm_is_trained_at_every_rate_with_every_seed_and_scored_alike(done):
    rows = rows_of(done)
    modes = {"batch": {"evaluation", "own"}, "group": {"evaluation"}}
    for norm in ("batch", "group"):
        for rate in ("0.001", "0.01"):
            mine = [r for r in rows if (r["norm"], r["rate"], r["seed"]) == (norm, rate, "0")]
            assert {r["mode"] for r in mine} == modes[norm]
            for mode in modes[norm]:
                sets = {r["set"] for r in mine if r["mode"] == mode}
                assert sets == {"bilevel", "colour", "validation"}
    assert {r["log"] for r in rows if r["set"] == "validation"}.isdisjoint(
        r["log"] for r in rows if r["set"] != "validation"
    )
    for row in rows:  # each log has the score that it can have
        assert bool(row["f1"]) == bool(row["dice"]) == (not row["false_px_per_row"])


def test_two_norms_are_trained_with_the_same_options(tmp_path, monkeypatch):
    from wellseg import train

    given = []
    monkeypatch.setattr(compare, "score_modes", lambda *_: [])
    monkeypatch.setattr(train, "train", lambda config, quiet: given.append(asdict(config)))
    for norm in ("batch", "group"):
        job = {"norm": norm, "rate": 1e-3, "seed": 5}
        compare.run_job(tmp_path, job, TINY, tmp_path, None)
    assert [each["model"].pop("norm") for each in given] == ["batch", "group"]
    assert given[0] == given[1]
    assert given[0]["seed"] == 5 and given[0]["optim"]["lr"] == 1e-3
    assert given[0]["steps"] == given[0]["val_every"] == 3 and given[0]["keep"] == "last"


def test_own_statistics_are_those_of_instance_norm(done, tmp_path):
    """BatchNorm scored with each log's own statistics is InstanceNorm of the same weights."""
    from wellseg.net.resunet import ResUNet
    from wellseg.weights import save_weights

    torch.manual_seed(0)
    nets = {norm: ResUNet(2, (8, 16), norm=norm) for norm in ("batch", "instance")}
    torch.nn.init.zeros_(nets["batch"].head.bias)  # about half of the pixels are called curve
    nets["instance"].load_state_dict(nets["batch"].state_dict(), strict=False)
    dice = {}
    for norm, net in nets.items():
        model = {"norm": norm, "patch": 2, "widths": [8, 16]}
        save_weights(tmp_path / norm, net, {"model": model})
        for row in compare.score_modes(tmp_path / norm, done / "data"):
            dice.setdefault((norm, row["mode"]), []).append(
                row.get("dice", row.get("false_px_per_row"))
            )
    assert dice["batch", "own"] == pytest.approx(dice["instance", "evaluation"], rel=0.05)
    assert dice["batch", "evaluation"] != pytest.approx(dice["batch", "own"], rel=0.1)


def test_drawn_logs_train_on_scans_and_are_tested_on_renders_too(done):
    from wellseg.training.data_folder import list_logs

    found = {(log.split, log.kind) for log in list_logs(done / "data")}
    scans = {(split, "bilevel") for split in ("train", "val", "test")}
    assert found == scans | {("test", "colour")}


# ---- what is done stays done ---------------------------------------------------------------------


def test_again_nothing_is_trained_and_a_lost_run_alone_is(done, tiny, monkeypatch, capsys):
    before = (done / "results.csv").read_bytes()
    trained = []
    run_job = compare.run_job
    monkeypatch.setattr(
        compare, "run_job", lambda folder, *of: (trained.append(folder.name), run_job(folder, *of))
    )
    compare.main(["--out", str(done), "--rates", "1e-3,1e-2"])
    assert not trained and "of 4: batch-0.001-0, known" in capsys.readouterr().out
    (done / "runs" / "group-0.01-0" / "scores.json").unlink()
    compare.main(["--out", str(done), "--rates", "1e-3,1e-2"])
    assert trained == ["group-0.01-0"]
    assert (done / "results.csv").read_bytes() == before, "the same logs give the same scores"
    compare.main(
        ["--out", str(done), "--rates", "1e-3", "--norms", "batch,group,instance", "--seeds", "1"]
    )
    assert trained[1:] == ["instance-0.001-0"], "a norm more adds to what is there"
    assert "report.md" in capsys.readouterr().out


@pytest.mark.parametrize("text", ['[{"norm": "bat', "\0" * 9, ""])
def test_damaged_scores_are_one_line_that_names_them(done, tiny, tmp_path, capsys, text):
    """Also of a run of an earlier comparison, with another norm. Removed, its run is scored anew."""
    other = shutil.copytree(done, tmp_path / "other")
    (damaged := other / "runs" / "group-0.01-0" / "scores.json").write_text(text)
    with pytest.raises(SystemExit, match="2"):
        compare.main(["--out", str(other), "--rates", "1e-3"])
    assert f"{damaged} is damaged: remove it; " in capsys.readouterr().err


def test_another_size_needs_another_folder(done, tiny, capsys):
    with pytest.raises(SystemExit, match="2"):
        compare.main(["--out", str(done), "--steps", "5"])
    said = capsys.readouterr().err
    assert f"{done} has steps {TINY['steps']}, not steps 5; " in said
    assert "name another folder" in said


@pytest.mark.parametrize("maker", ["make", "partial(make)"])
def test_results_of_a_norm_that_was_edited_since_are_not_taken(
    maker, tmp_path, tiny, monkeypatch, capsys
):
    from wellseg.norms import NORMS

    source, registered = tmp_path / "mine.py", dict(NORMS)
    monkeypatch.setattr("wellseg.norms.NORMS", registered)
    text = (
        "from functools import partial\n"
        "from wellseg.norms import Norm, register\n"
        "make = lambda channels, momentum: Norm(channels, 1)\n"
        f"register('mine')({maker})\n"
    )
    trained = []

    def finish(folder, *_):
        trained.append(folder.name)
        (folder / "scores.json").write_text("[]")

    monkeypatch.setattr(compare, "run_job", finish)
    words = ["--out", str(tmp_path / "out"), "--norms", "mine,group", "--rates", "1e-3"]
    for edited in ("", "", "# mended"):
        source.write_text(text + edited)
        registered.pop("mine", None)
        runpy.run_path(str(source))
        if edited:
            with pytest.raises(SystemExit, match="2"):
                compare.main(words)
        else:
            compare.main(words)
    assert trained == ["mine-0.001-0", "group-0.001-0"]
    said = capsys.readouterr().err
    assert "mine-0.001-0 has mine.py " in said and "remove it or name another folder" in said
    for damage in "{", "[1]":
        for note in (tmp_path / "out").rglob("*.json"):
            note.write_text(damage)
        with pytest.raises(SystemExit, match="2"):
            compare.main(words)
        assert "is damaged: put back what it was, or name another" in capsys.readouterr().err


def test_two_starts_do_not_disturb_each_other(done, tiny, capsys):
    from filelock import FileLock

    with FileLock(done / "lock"), pytest.raises(SystemExit, match="2"):
        compare.main(["--out", str(done), "--rates", "1e-3,1e-2"])
    said = capsys.readouterr().err
    assert f"another run is at work in {done}: wait for its end" in said and said.count("\n") == 1


def test_a_norm_without_statistics_is_scored_in_one_way(done, tmp_path, monkeypatch):
    from wellseg.net.resunet import ResUNet
    from wellseg.norms import NORMS, Norm
    from wellseg.weights import save_weights

    class Affine(Norm):
        reads_image = False

        def forward(self, x):
            return (x * self.weight[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    monkeypatch.setitem(NORMS, "affine", lambda channels, momentum: Affine(channels, 1))
    net = ResUNet(2, (8, 16), norm="affine")
    save_weights(tmp_path / "it", net, {"model": {"norm": "affine", "widths": [8, 16]}})
    modes = {row["mode"] for row in compare.score_modes(tmp_path / "it", done / "data")}
    assert modes == {"evaluation"}


@pytest.mark.parametrize(
    ("sure", "stain", "threshold"), [(0.25, 0.15, 0.25), (0.02, 0.005, 0.02), (0.9, 0.2, 0.5)]
)
def test_each_network_has_the_threshold_that_its_validation_logs_choose(
    tmp_path, monkeypatch, sure, stain, threshold
):
    """A network that is so sure of curves, and of a stain on every log."""
    logs = tmp_path / "logs"
    curve = np.zeros((90, 60), np.uint8)
    curve[:, 30:33] = 255
    lines = ["name,split"]
    for name, mask in (("one", curve), ("none", 0 * curve), ("two", curve)):
        for part, pixels in (("images", 255 - mask), ("masks", mask)):
            (logs / part).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(logs / part / f"{name}.png"), pixels)
        lines.append(f"{name},{'test' if name == 'two' else 'val'}")
    (logs / "split.csv").write_text("\n".join(lines))

    def segment(net, path):
        probability = sure * (cv2.imread(str(path), 0) == 0)
        probability[:, 5:8] = stain
        return probability

    monkeypatch.setattr("wellseg.rows.segment.segment", segment)
    monkeypatch.setattr(compare, "load_model", lambda path: torch.nn.Identity())
    rows = list(compare.score_modes(tmp_path, logs))
    assert len(rows) == 3
    assert all(row["threshold"] == pytest.approx(threshold, rel=0.05) for row in rows)
    assert [row["f1"] for row in rows if row["log"] != "none"] == [1, 1]
    assert [row["false_px_per_row"] for row in rows if row["log"] == "none"] == [0]


def test_a_run_that_diverges_is_told_and_its_rate_not_chosen(done, tiny, monkeypatch):
    from wellseg import train

    def diverges(*_, **__):
        raise FloatingPointError("the loss is nan")

    monkeypatch.setattr(train, "train", diverges)
    lost = done / "runs" / "batch-0.001-0" / "scores.json"
    kept = lost.read_bytes()
    lost.unlink()
    compare.main(["--out", str(done), "--rates", "1e-3,1e-2"])
    assert "batch-0.001-0: the loss diverged" in (done / "report.md").read_text()
    rates = choose_rates(json_rows(done))
    assert rates["batch", "evaluation"] == rates["batch", "own"] == 1e-2
    lost.write_bytes(kept)


def json_rows(out):
    paths = sorted(out.glob("runs/*/scores.json"))
    return [row for path in paths for row in json.loads(path.read_text())]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, getattr(signal, "SIGKILL", None)])
def test_stopped_it_goes_on(tmp_path, sent):
    words = [
        "-u",
        "-m",
        "wellseg.compare",
        "--out",
        str(tmp_path),
        "--rates",
        "1e-3",
        "--seeds",
        "1",
    ]
    command = [sys.executable, *words, "--steps", "150"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Which a shell has ignored by what it starts in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    begun = tmp_path / "runs" / "group-0.001-0" / "config.yaml"
    deadline = time.monotonic() + 300
    while not begun.exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    time.sleep(1)  # it has only just begun
    process.send_signal(sent)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if sent == signal.SIGINT else -sent), said
    if sent == signal.SIGINT:
        assert "stopped; the same command goes on" in said and "Traceback" not in said
    again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "1 of 2: batch-0.001-0, known\n2 of 2: group-0.001-0\n" in again


# ---- choosing and comparing ----------------------------------------------------------------------


def made_up(norm, mode, rate, test_set, f1, seeds=2):
    return [
        {"norm": norm, "mode": mode, "rate": rate, "seed": seed, "set": test_set, "log": log,
         "f1": value + 0.01 * seed}
        for seed in range(seeds) for log, value in zip("abc", f1, strict=True)
    ]  # fmt: skip


def test_each_way_has_the_rate_at_which_it_validates_best_itself():
    rows = [
        *made_up("batch", "evaluation", 1e-3, "validation", [0.5, 0.5, 0.5]),
        *made_up("batch", "evaluation", 1e-2, "validation", [0.4, 0.4, 0.4]),
        *made_up("batch", "own", 1e-3, "validation", [0.6, 0.6, 0.6]),
        *made_up("batch", "own", 1e-2, "validation", [0.7, 0.7, 0.7]),
        # The test logs must not choose: there the other rate is better.
        *made_up("batch", "evaluation", 1e-3, "test", [0.1, 0.1, 0.1]),
        *made_up("batch", "evaluation", 1e-2, "test", [0.9, 0.9, 0.9]),
    ]
    chosen = {("batch", "evaluation"): 1e-3, ("batch", "own"): 1e-2}
    assert choose_rates(rows) == chosen
    one_diverged = made_up("batch", "own", 1e-1, "validation", [0.9, 0.9, 0.9], seeds=1)
    assert choose_rates([*rows, *one_diverged]) == chosen
    line = next(line for line in report(rows, ["batch"]) if line.startswith("| batch |"))
    assert line.split(" | ")[1:4] == ["0.001", "0.505", "0.105"]


def test_differences_are_paired_by_seed_and_log_with_students_interval_over_seeds():
    second = {(seed, log): 0.1 * seed for seed in range(4) for log in "ab"}
    first = {(seed, log): 0.1 * seed + d for seed, d in enumerate([0.3, 0.2, 0.1]) for log in "ab"}
    half = 4.30265 * 0.1 / 3**0.5  # t of 2 degrees of freedom, one seed is not done yet
    low, high = 0.2 - half, 0.2 + half
    found = f"+0.200 (95 % {low:+.3f} to {high:+.3f}, p 0.074, 3 seeds)"
    assert verdict(first, second) == f"no difference shown: {found}"
    nearly = {key: value + 0.001 * key[0] ** 2 for key, value in second.items()}
    better = {key: value + 0.1 for key, value in nearly.items()}
    assert verdict(better, second).startswith("better: +0.10")
    assert verdict(second, better).startswith("worse: -0.10")
    assert verdict({(0, "a"): 0.5}, {(0, "a"): 0.25}) == "+0.250, seeds: 1"
    assert verdict({}, second) == "nothing to compare"
    assert verdict(second, second) == "+0.000, seeds: 4"


def test_the_report_has_a_line_for_each_norm_and_mode():
    rows = [
        row
        for norm, mode, f1 in (("batch", "evaluation", 0.2), ("batch", "own", 0.4), ("group", "evaluation", 0.3))
        for test_set in ("validation", "bilevel", "colour")
        for row in made_up(norm, mode, 1e-3, test_set, [f1, f1, f1], 3)
    ]  # fmt: skip
    for row in rows:
        row["f1"] += 0.001 * row["seed"] ** 2 * (row["norm"] == "group")
    lines = list(report(rows, ["batch", "group"]))
    assert [line for line in lines if line.startswith("##")] == ["## bilevel\n", "## colour\n"]
    table = [line for line in lines[:6] if line.startswith("| batch") or line.startswith("| group")]
    assert [line.split(" | ")[0] for line in table] == [
        "| batch",
        "| batch, own statistics",
        "| group",
    ]
    assert ["worse: -0.10" in line for line in table] == [True, False, False]
    assert ["better: +0.09" in line or "better: +0.10" in line for line in table] == [
        False,
        True,
        False,
    ]


def test_a_norm_that_predict_cannot_compute_is_told_before_a_training(
    tmp_path, tiny, monkeypatch, capsys
):
    from torch import nn

    from wellseg.norms import NORMS

    class AlongRows(nn.Module):
        def forward(self, x):
            return x.cumsum(2)

    monkeypatch.setitem(NORMS, "along", lambda channels, momentum: AlongRows())
    with pytest.raises(SystemExit, match="2"):
        compare.main(["--out", str(tmp_path / "out"), "--norms", "along,group"])
    said = capsys.readouterr().err
    assert "cumsum cannot be evaluated by rows" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


# ---- use -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--norms", "batch,grup"], "unknown norm 'grup'"),
        (["--norms", "batch"], "two norms at least"),
        (["--rates", "1e-3,fast"], "--rates takes numbers with commas, not 1e-3,fast"),
        (["--rates", "0"], "--rates are positive numbers"),
        (["--seeds", "0"], "--seeds is at least 1"),
        (["--data.crop_rows", "3"], "--data.crop_rows is at least 16"),
    ],
)
def test_wrong_use_is_one_line(tmp_path, capsys, flags, said):
    with pytest.raises(SystemExit, match="2"):
        compare.main([*flags, "--out", str(tmp_path / "new")])
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (tmp_path / "new").exists()


def test_own_data_needs_logs_to_test_with_and_curves_to_choose_by(data_set, tmp_path, capsys, tiny):
    flags = [
        "--data.root",
        str(data_set),
        "--out",
        str(tmp_path / "out"),
        "--rates",
        "1e-3",
        "--seeds",
        "1",
    ]
    with pytest.raises(SystemExit, match="2"):
        compare.main(flags)
    assert "no logs to test with" in capsys.readouterr().err and not (tmp_path / "out").exists()
    table = data_set / "split.csv"
    table.write_text(table.read_text().replace("well0_a,train", "well0_a,test"))
    data = compare.CompareDataConfig(root=str(data_set))  # words do for folders
    words = compare.CompareConfig(rates=(1e-3,), seeds=1, data=data, out=str(tmp_path / "out"))
    compare.compare(words)
    assert {row["set"] for row in rows_of(tmp_path / "out")} == {"validation", "test"}
    report = (tmp_path / "out" / "report.md").read_text()
    assert not any(word in report for word in ("bilevel", "preset", "logs 120"))
    compare.main(flags)
    mask = data_set / "masks" / "well0_a.tif"
    stored = tifffile.imread(mask)
    new = [*flags[:3], str(tmp_path / "new"), *flags[4:]]
    for wrong, said in ((stored * 0 + 128, "masks is scored: well0_a"), (stored[:9], "has 9 x")):
        tifffile.imwrite(mask, wrong)  # of the test: no training looks at it
        with pytest.raises(SystemExit, match="2"):
            compare.main(new)
        assert said in capsys.readouterr().err and not (tmp_path / "new").exists()
    # It is corrected: its scores are another mask's
    tifffile.imwrite(mask, np.zeros_like(stored))
    with pytest.raises(SystemExit, match="2"):
        compare.main(flags)
    assert ", masks of version " in capsys.readouterr().err

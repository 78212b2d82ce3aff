"""The train command: what it leaves, what stops it, and that resuming continues exactly."""

import csv
import errno
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import psutil
import pytest
import tifffile
import torch
from filelock import FileLock
from lightning.pytorch import Trainer
from safetensors.torch import load_file

import wellseg
from wellseg.cli import parse
from wellseg.evaluate import main as evaluate_main
from wellseg.net.options import ModelConfig
from wellseg.norms import NORMS
from wellseg.scan.reader import open_scan
from wellseg.scores.masks import score_log
from wellseg.train import main, train
from wellseg.training.data_folder import list_logs
from wellseg.training.dataset import Sample
from wellseg.training.masks import read_mask
from wellseg.training.options import DataConfig, TrainConfig
from wellseg.training.segmenter import Segmenter
from wellseg.training.trainer import make_trainer, read_checkpoint
from wellseg.weights import load_model, read_header, save_weights

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
SMALL = ["--model.widths", "[8,16]", "--data.workers", "0", "--precision", "fp32"]
SMALL_TRAINER = ["--trainer.enable_progress_bar", "false"]


def run(*arguments, status=None):
    """The command in this process; with a status, it has to end with it."""
    words = [str(word) for word in arguments]
    if status is None:
        return main(words)
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == status
    return None


def test_a_run_leaves_what_the_design_says(data_set, tmp_path):
    out = tmp_path / "run"
    run(
        *SMALL,
        "--data.root",
        data_set,
        "--steps",
        40,
        "--val_every",
        20,
        "--optim.lr",
        0.01,
        "--out",
        out,
    )
    for name in (
        "model.safetensors",
        "metrics.csv",
        "config.yaml",
        "checkpoints/last.ckpt",
        "checkpoints/best.ckpt",
    ):
        assert (out / name).stat().st_size > 0
    assert list((out / "tensorboard").glob("events*"))
    assert sorted(p.name for p in (out / "pictures").iterdir()) == [
        "step-000020-well5_a.png",
        "step-000040-well5_a.png",
    ]
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = [row for row in rows if row.get("val/dice")]
    assert len(scores) == 2 and float(scores[-1]["val/dice"]) > 0.5  # it learns
    header = read_header(out / "model.safetensors")
    (kept,) = (row for row in scores if int(row["step"]) == header["training"]["kept_step"])
    f1 = float(kept["val/f1_at_3px"])
    assert header["scores"] == {"validation": {"f1_at_3px": f1}}
    again, _ = parse(TrainConfig, "train", "", ["--config", str(out / "config.yaml")])
    assert again.steps == 40 and again.data.root == data_set


def test_the_weights_are_of_the_best_or_the_last_state_as_one_asks(data_set, tmp_path):
    """A finished run resumed does no step, and writes its weights again."""
    options = [*SMALL, "--data.root", data_set, "--steps", 2, "--val_every", 1, "--out", tmp_path]
    run(*options)
    checkpoints = {name: tmp_path / "checkpoints" / f"{name}.ckpt" for name in ("best", "last")}
    states = {name: torch.load(path, weights_only=True) for name, path in checkpoints.items()}
    states["best"]["state_dict"]["net.head.bias"].fill_(7.0)
    torch.save(states["best"], checkpoints["best"])
    for keep in ("best", "last"):
        run(*options, "--resume", "--keep", keep)
        net = load_model(tmp_path / "model.safetensors")
        assert torch.equal(net.head.bias, states[keep]["state_dict"]["net.head.bias"])
        assert (
            read_header(tmp_path / "model.safetensors")["training"]["kept_step"]
            == states[keep]["global_step"]
        )


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_is_parsed_and_stepped_once(config, tmp_path):
    """As it is, but for the size of the drawn logs and the number of steps."""
    out = tmp_path / "run"
    run(
        "--config", config, "--data.preset", "tiny", "--data.val_count", 1, "--data.workers", 0,
        "--steps", 1, "--val_every", 1, "--out", out, *SMALL_TRAINER,
    )  # fmt: skip
    assert (out / "model.safetensors").exists()


def test_metrics_of_a_file_that_is_open_elsewhere_are_beside_it(tmp_path, monkeypatch, capsys):
    """Excel lets nobody else write, on Windows."""
    small = [*SMALL, "--data.preset", "tiny", "--data.count", 2, "--data.val_count", 1]
    small += ["--steps", 2, "--val_every", 1, "--out", tmp_path]
    with monkeypatch.context() as patch:
        closed = PermissionError(errno.EACCES, "Permission denied", "metrics.csv")
        patch.setattr(Path, "replace", Mock(side_effect=closed))
        run(*small)
    assert "metrics.csv is open in another program: its rows are in" in capsys.readouterr().out
    (rest,) = tmp_path.glob("metrics.*")
    steps = [row["step"] for row in csv.DictReader(rest.open()) if row["val/dice"]]
    assert steps == ["1", "2"] and load_model(tmp_path / "model.safetensors")
    small[small.index("--steps") + 1] = 3
    run(*small, "--resume")  # when it is closed
    assert [path.name for path in tmp_path.glob("metrics.*")] == ["metrics.csv"]
    assert "metrics.csv is open" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("processes", [1, 2])
def test_a_cluster_that_ends_all_processes_of_a_job_loses_nothing(data_set, tmp_path, processes):
    """SIGTERM to the training, its other process, and the workers that read its logs: in the
    handler that Lightning has for several, each waited for ever for the other."""
    common = ["--data.root", data_set, "--steps", 100_000, "--val_every", 2, "--out", tmp_path]
    common += ["--trainer.devices", processes, "--trainer.accelerator", "cpu"]
    words = [str(word) for word in [*SMALL, *common, *SMALL_TRAINER, "--data.workers", 1]]
    command = [sys.executable, "-m", "wellseg.train", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        last = tmp_path / "checkpoints" / "last.ckpt"
        while _step_of(last) < 4:
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGTERM)
        try:
            said, errors = process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130 and "--resume goes on" in said and "Traceback" not in errors
    assert f"stopped at step {_step_of(last)};" in said


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_worker_that_is_killed_ends_the_run_in_one_line(data_set, tmp_path):
    common = ["--data.root", data_set, "--steps", 100_000, "--val_every", 2, "--out", tmp_path]
    words = [str(word) for word in [*SMALL, *common, *SMALL_TRAINER, "--data.workers", 1]]
    process = psutil.Popen([sys.executable, "-m", "wellseg.train", *words], stderr=subprocess.PIPE)
    while _step_of(tmp_path / "checkpoints" / "last.ckpt") < 2:
        assert process.poll() is None
        time.sleep(0.05)
    next(it for it in process.children() if "spawn_main" in " ".join(it.cmdline())).kill()
    said = process.communicate(timeout=60)[1].decode().splitlines()
    assert process.returncode == 1 and "a process that reads logs was ended" in said[-1], said
    assert all(line.startswith("wellseg.train: ") for line in said), said


def test_a_worker_that_is_killed_while_it_hands_over_a_batch(tmp_path, monkeypatch, capsys):
    """What the multiprocessing of Python raises then; the test above cannot choose the moment."""
    monkeypatch.setattr("wellseg.train.train", Mock(side_effect=ConnectionResetError(104, "reset")))
    run("--out", tmp_path / "run", status=1)
    assert "a process that reads logs was ended" in capsys.readouterr().err


def test_a_tensor_in_place_of_a_checkpoint_is_one_line_that_names_it(tmp_path, capsys):
    last = tmp_path / "checkpoints" / "last.ckpt"
    last.parent.mkdir()
    torch.save(torch.zeros(3), last)
    run(*SMALL, "--data.preset", "tiny", "--out", tmp_path, "--resume", status=2)
    assert f"error: {last} is damaged: " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("text", [b"state_dict", b"global_step", b"loops"])
def test_a_damaged_checkpoint_is_told_in_words_of_ours(tmp_path, text):
    """PyTorch's were to load it so that its code is executed, or did not name the file."""
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": 1, "global_step": 2, "loops": 3}, path)
    for damage in (b"\xff" * 4, b"\0", bytes(range(180, 190))):
        path.write_bytes(path.read_bytes().replace(text, (damage + text)[: len(text)]))
        with pytest.raises(ValueError, match=re.escape(f"{path} is damaged: ")) as told:
            read_checkpoint(path)
        assert str(told.value).endswith("take another one, or another --out")


@pytest.mark.parametrize("kept", [0, 2000, -100, None])
def test_a_damaged_checkpoint_is_one_line_that_names_it(tmp_path, capsys, kept):
    out = tmp_path / "run"
    small = [*SMALL, "--data.preset", "tiny", "--data.count", 4, "--data.val_count", 1]
    run(*small, "--val_every", 1, "--steps", 1, "--out", out)
    damaged = out / "checkpoints" / "last.ckpt"
    damaged.write_bytes(b"no checkpoint" if kept is None else damaged.read_bytes()[:kept])
    run(*small, "--val_every", 1, "--steps", 2, "--out", out, "--resume", status=2)
    assert f"error: {damaged} is damaged: " in capsys.readouterr().err.splitlines()[-1]


def test_files_of_a_run_that_were_edited_are_whole_again_when_it_goes_on(tmp_path, capsys):
    """A metrics.csv that a spreadsheet had saved, or a config.yaml with a slip, ended it."""
    small = [*SMALL, "--data.preset", "tiny", "--data.count", 4, "--data.val_count", 1]
    small += ["--val_every", 1, "--out", tmp_path]
    run(*small, "--steps", 1)
    told = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text("steps: [")
    (tmp_path / "metrics.csv").write_text("step;val/dice\r\n1;0,25\r\n")
    run(*small, "--steps", 2, "--resume")
    assert "begun with --steps 1, goes on with 2" in capsys.readouterr().err
    assert (tmp_path / "config.yaml").read_text() == told.replace("steps: 1", "steps: 2")
    assert [row["step"] for row in _metrics_of(tmp_path) if row["val/dice"]] == ["1", "2"]
    assert "resume: false" in told


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--trainer.accumulate_grad_batches", 2], "Lightning's but accumulate_grad_batches"),
        (["--trainer.limit_val_batches", 0.05], "limit_train_batches, limit_val_batches, max_"),
        (["--trainer.limit_train_batches", 0], "limit_train_batches, limit_val_batches, max_"),
        (["--trainer.max_time", 1], "--trainer: "),
        (
            ["--trainer.fast_dev_run", "true"],
            "any of Lightning's but accumulate_grad_batches, callbacks, default_root_dir",
        ),
        (["--trainer.max_steps", -1], "any of Lightning's but accumulate"),  # it would never end
        (["--trainer.precision", 32], "overfit_batches, plugins, precision, val_check_interval"),
        (["--optim.clip", "nan"], "--optim.clip is at least 0, not nan"),
        (["--optim.lr", "nan"], "--optim.lr is positive, not nan"),
    ],
)
def test_options_that_cannot_be_are_one_line(tmp_path, capsys, option, said):
    run(*SMALL, "--data.preset", "tiny", *option, "--out", tmp_path / "run", status=2)
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_second_run_in_the_same_folder_is_refused(tmp_path, capsys):
    small = [*SMALL, "--data.preset", "tiny", "--data.count", 2, "--data.val_count", 1]
    small += ["--val_every", 1, "--steps", 1, "--out", tmp_path / "run"]
    (checkpoints := tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with FileLock(checkpoints / "lock"):
        run(*small, status=1)
    assert "another run is at work in" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run" / "config.yaml").exists()
    run(*small)


def test_ctrl_c_in_the_first_step_leaves_no_weights(tmp_path, monkeypatch, capsys):
    small = [*SMALL, "--data.preset", "tiny", "--data.count", 2, "--data.val_count", 1]

    def interrupted(segmenter, *about):
        raise KeyboardInterrupt

    monkeypatch.setattr(Segmenter, "training_step", interrupted)
    run(*small, "--val_every", 1, "--steps", 1, "--out", tmp_path / "run", status=130)
    assert "stopped before the first step" in capsys.readouterr().err
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_sigterm_before_lightning_listens_is_one_line(tmp_path, monkeypatch, capsys):
    """Torch is imported, and masks are read, for some seconds or minutes."""

    def begun(*_, **__):
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        monkeypatch.setattr("wellseg.train.train", begun)
        run("--out", tmp_path / "run", status=130)
        monkeypatch.setattr("wellseg.train.parse", Mock(side_effect=KeyboardInterrupt))
        run(status=130)
    finally:
        signal.signal(signal.SIGTERM, before)
    said = capsys.readouterr().err.splitlines()
    assert said == ["wellseg.train: error: stopped before the first step; nothing was lost"] * 2


def test_metrics_of_a_run_are_on_disk_before_it_goes_on(tmp_path, monkeypatch):
    out = tmp_path / "run"
    small = [*SMALL, "--data.preset", "tiny", "--data.count", 4, "--data.val_count", 1]
    run(*small, "--val_every", 1, "--steps", 1, "--out", out)
    rows = (out / "metrics.csv").read_text()
    monkeypatch.setattr(Trainer, "fit", Mock(side_effect=KeyboardInterrupt))  # as a kill would
    run(*small, "--val_every", 1, "--steps", 2, "--out", out, "--resume", status=130)
    assert (out / "metrics.csv").read_text() == rows


@pytest.mark.slow
@pytest.mark.parametrize("how", ["a damaged validation log", "SIGKILL"])
def test_however_it_ends_so_do_its_workers(data_set, tmp_path, how):
    logs = shutil.copytree(data_set, tmp_path / "logs")
    if how == "a damaged validation log":  # it is not the workers that find it
        for log in list_logs(logs, "val"):
            log.image.write_bytes(log.image.read_bytes()[:-300])
    common = ["--data.root", logs, "--steps", 100_000, "--val_every", 2, "--out", tmp_path / "out"]
    words = [str(word) for word in [*SMALL, *common, *SMALL_TRAINER, "--data.workers", 1]]
    process = psutil.Popen([sys.executable, "-m", "wellseg.train", *words])
    workers = set()
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        workers |= set(process.children())
        if how == "SIGKILL" and _step_of(tmp_path / "out/checkpoints/last.ckpt") >= 4:
            process.kill()
        time.sleep(0.05)
        assert time.time() < process.create_time() + 100, "it waits for its workers"
    process.wait()
    assert workers and not psutil.wait_procs(workers, timeout=20)[1]


KILLED = """
import psutil
from wellseg.train import main
from wellseg.training import segmenter
from wellseg.training.segmenter import Segmenter
real = Segmenter.training_step
def step(self, *sample):
    if self.global_step == 10:
        psutil.Process().kill()
    return real(self, *sample)
Segmenter.training_step = step
segmenter.SAVE_S = SECONDS
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("save_s", "step"), [(300, 8), (-1, 10)])
def test_killed_and_resumed_ends_with_the_weights_of_an_undisturbed_run(
    data_set, tmp_path, save_s, step
):
    """SIGKILL between two validations: data order, optimiser, schedule and norm buffers go on.
    save_s: seconds between checkpoints where validations are further apart; -1: each step."""
    common = ["--data.root", data_set, "--steps", 24, "--val_every", 4, "--model.norm", "batch"]
    common += ["--trainer.log_every_n_steps", 2]
    common = [str(word) for word in [*SMALL, *common, *SMALL_TRAINER]]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(*common, "--out", whole)
    last = killed / "checkpoints" / "last.ckpt"
    command = [
        sys.executable,
        "-c",
        KILLED.replace("SECONDS", str(save_s)),
        *common,
        "--out",
        str(killed),
        "--resume",
    ]
    status = signal.SIGTERM if os.name == "nt" else -signal.SIGKILL
    assert subprocess.run(command, capture_output=True).returncode == status
    assert _step_of(last) == step
    run(*common, "--out", killed, "--resume")
    expected, resumed = (load_file(out / "model.safetensors") for out in (whole, killed))
    for name, tensor in expected.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=0)
    assert _metrics_of(killed) == _metrics_of(whole)
    assert read_header(whole / "model.safetensors")["window_rows"] == 0  # trained on whole logs


@pytest.mark.slow
def test_resumed_elsewhere_with_another_rate_it_keeps_its_best_and_takes_the_rate(
    data_set, tmp_path, capsys
):
    few = [*SMALL, *SMALL_TRAINER, "--val_every", 2, "--optim.lr", 0.03]
    run(*few, "--data.root", data_set, "--steps", 4, "--out", tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "moved")
    best = tmp_path / "moved" / "checkpoints" / "best.ckpt"
    begun = torch.load(best, weights_only=True)
    more = [*few[:-1], 1e-9, "--steps", 8, "--out", tmp_path / "moved", "--resume"]
    run(*more, status=2)
    assert "was begun with --data.root" in capsys.readouterr().err
    drawn = [*few, "--data.preset", "tiny", "--data.count", 2, "--data.val_count", 3, "--steps", 2]
    run(*drawn, "--out", tmp_path / "drawn")
    own = ["--data.root", data_set, "--out", tmp_path / "drawn", "--resume"]
    run(*few, *own, "--steps", 2, status=2)
    assert "was begun with drawn logs alone" in capsys.readouterr().err
    run(*more, "--data.root", data_set.rename(tmp_path / "own"))  # it moved, too
    said = capsys.readouterr().err
    assert said.count("begun with") == 3 and "--steps 4, goes on with 8" in said
    assert "--optim.lr 0.03, goes on with 1e-09" in said
    after = torch.load(tmp_path / "moved" / "checkpoints" / "last.ckpt", weights_only=True)
    assert after["optimizer_states"][0]["param_groups"][0]["initial_lr"] == 1e-9
    assert after["best_dice"] == begun["best_dice"] > 0
    kept = torch.load(best, weights_only=True)
    assert begun["state_dict"].keys() == kept["state_dict"].keys()


def _metrics_of(out):
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if set(row.values()) - {row["epoch"], row["step"], ""}]


def _step_of(checkpoint):
    try:
        return torch.load(checkpoint, weights_only=True)["global_step"]
    except Exception:  # not there yet, or being written
        return -1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no groups of processes")
def test_ctrl_c_before_the_first_step_is_one_line(data_set, tmp_path):
    """A terminal sends it to the workers, too, which have only just begun to import."""
    words = ["-u", "-m", "wellseg.train", "--data.root", data_set, "--out", tmp_path / "run"]
    process = subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Which a shell has ignored by what it starts in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert "logs an epoch" in process.stdout.readline()
    # They are importing, which takes seconds.
    while not any(it.cpu_times().user > 0.3 for it in psutil.Process(process.pid).children()):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 130 and "stopped before the first step" in said[-1], said
    assert all(line.startswith("wellseg.train: ") for line in said), said
    assert not (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["training_step", "on_train_batch_end", "validation_step"])
def test_interrupted_anywhere_in_a_step_it_ends_as_if_undisturbed(
    data_set, tmp_path, monkeypatch, where
):
    few = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--steps", 4, "--val_every", 2]
    few += ["--keep", "last"]
    run(*few, "--out", tmp_path / "whole")
    real, seen = getattr(Segmenter, where), []

    def interrupted(segmenter, *about):
        seen.append(about)
        if len(seen) == (2 if where == "validation_step" else 3):
            raise KeyboardInterrupt
        return real(segmenter, *about)

    monkeypatch.setattr(Segmenter, where, interrupted)
    run(*few, "--out", tmp_path / "cut", status=130)
    monkeypatch.undo()
    run(*few, "--out", tmp_path / "cut", "--resume")
    whole, cut = (load_model(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    torch.testing.assert_close(cut.state_dict(), whole.state_dict(), rtol=0, atol=0)
    run(*few, "--out", tmp_path / "cut", "--resume")  # nothing is left to do
    folders = tmp_path / "whole", tmp_path / "cut"
    scored = [[row["step"] for row in _metrics_of(it) if row["val/dice"]] for it in folders]
    assert scored[0] == scored[1]


def test_ctrl_c_leaves_usable_weights(data_set, tmp_path, capsys):
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"

    def press():
        while not best.exists():
            time.sleep(0.05)
        if os.name == "nt":  # os.kill would end the process there
            signal.raise_signal(signal.SIGINT)
        else:
            os.kill(os.getpid(), signal.SIGINT)

    words = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--steps", 100_000, "--val_every", 10]
    # pytest-xdist's workers ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=press, daemon=True).start()
    try:
        run(*words, "--out", tmp_path / "run", status=130)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "is usable; --resume goes on" in capsys.readouterr().out
    net = load_model(tmp_path / "run" / "model.safetensors")
    assert torch.isfinite(net(torch.rand(1, 1, 20, 20))).all()


def test_processes_of_torchrun_train_together(tmp_path, monkeypatch):
    """Each trained all by itself, in the folder of the other."""
    set_by_torchrun = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    for name, value in {**set_by_torchrun, "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    config = TrainConfig(out=tmp_path, trainer={"accelerator": "cpu"})
    assert make_trainer(config).world_size == 2


def take_two_logs_a_step(monkeypatch):
    """What no option does: one process accumulates the gradients of two logs."""

    def make(max_steps, val_check_interval, **options):
        options |= {"max_steps": max_steps, "val_check_interval": 2 * val_check_interval}
        return Trainer(accumulate_grad_batches=2, **options)

    monkeypatch.setattr("wellseg.training.trainer.Trainer", make)


@pytest.mark.slow
def test_two_processes_take_the_step_that_one_takes_over_two_logs(tmp_path, monkeypatch):
    """DDP averages the gradients of two logs; so does one process that accumulates over two."""
    common = [
        *SMALL,
        *SMALL_TRAINER,
        "--data.preset",
        "tiny",
        "--data.count",
        12,  # of one epoch: the order of the next counts steps as logs
        "--data.val_count",
        2,
    ]
    common = [str(word) for word in [*common, "--steps", 6, "--val_every", 3, "--optim.clip", 0.5]]
    one, two = tmp_path / "one", tmp_path / "two"
    take_two_logs_a_step(monkeypatch)
    run(*common, "--out", one)
    ddp = ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.accelerator", "cpu"]
    subprocess.run(
        [sys.executable, "-m", "wellseg.train", *common, *ddp, "--out", str(two)],
        check=True,
        timeout=550,
    )
    expected, got = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    for name, tensor in expected.items():
        torch.testing.assert_close(got[name], tensor, rtol=1e-4, atol=1e-5)


def test_a_run_cannot_go_on_to_a_step_that_it_has_passed(tmp_path, capsys):
    small = [*SMALL, "--data.preset", "tiny", "--data.count", 2, "--data.val_count", 1]
    small += ["--val_every", 1, "--out", tmp_path / "run"]
    run(*small, "--steps", 2)
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    run(*small, "--steps", 1, "--resume", status=2)
    assert "has taken 2 steps already: give --steps 2 or more" in capsys.readouterr().err
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before


@pytest.mark.slow
def test_a_longer_run_goes_on_at_the_rate_of_its_own_schedule(data_set, tmp_path):
    few = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--val_every", 2, "--optim.lr", 0.03]
    few += ["--trainer.log_every_n_steps", 1]
    run(*few, "--steps", 4, "--out", tmp_path, "--optim.warmup", 0)
    run(*few, "--steps", 8, "--out", tmp_path, "--optim.warmup", 0, "--resume")
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 8
    rows = csv.DictReader((tmp_path / "metrics.csv").open())
    rates = {int(row["step"]): float(row["lr"]) for row in rows if row["lr"]}
    half = 0.03 * 0.5 * (1 + math.cos(math.pi * 4 / 8))
    assert rates[5] == pytest.approx(half), "not 0, where the shorter one ended"


def test_a_run_that_goes_on_with_crops_predicts_with_windows(data_set, tmp_path):
    few = ["--data.root", data_set, "--data.workers", 0, "--out", tmp_path, *SMALL_TRAINER]
    run(*few, "--steps", 2, "--model.widths", "[8,24]")
    assert read_header(tmp_path / "model.safetensors")["window_rows"] == 0
    run(*few, "--steps", 4, "--model.widths", "[8,24]", "--resume", "--data.crop_rows", 40)
    assert read_header(tmp_path / "model.safetensors")["window_rows"] == 2000


def test_starting_from_weights_takes_their_network(data_set, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    few = ["--data.root", data_set, "--steps", 2, "--data.workers", 0, *SMALL_TRAINER]
    run(*few, "--model.widths", "[8,24]", "--data.crop_rows", 40, "--out", first)
    weights = first / "model.safetensors"
    assert read_header(weights)["window_rows"] == 2000
    save_weights(weights, load_model(weights), {**read_header(weights), "window_rows": 300})
    run(*few, "--weights", weights, "--optim.lr", 1e-12, "--out", second)
    # Without --weights, at its end.
    run(*few, "--model.widths", "[8,24]", "--resume", "--out", second)
    weights = weights.rename(tmp_path / "elsewhere.safetensors")
    run("--config", second / "config.yaml", "--resume")
    assert read_header(second / "model.safetensors")["window_rows"] == 300
    run("--config", second / "config.yaml", "--resume", "--weights", weights)
    assert "others do not count" in capsys.readouterr().err
    assert read_header(second / "model.safetensors")["window_rows"] == 300
    before, after = load_file(weights), load_file(second / "model.safetensors")
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=0, atol=1e-6)


def test_a_model_option_that_contradicts_the_weights_is_refused_and_a_default_does_not(
    data_set, tmp_path, capsys
):
    out = tmp_path / "run"
    few = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--steps", 1, "--out"]
    run(*few, tmp_path / "first")
    start = ["--weights", tmp_path / "first" / "model.safetensors", "--data.root", data_set]
    start += ["--steps", 1, "--out", out, "--data.workers", 0, *SMALL_TRAINER]
    # 2 is the default, too: what counts is that it was asked for.
    run(*start, "--model.widths", "[32, 64, 128, 128, 128]", status=2)
    said = capsys.readouterr().err
    assert "--model.widths" in said and "contradicts --weights" in said and "[8, 16]" in said
    assert not out.exists()
    run(*start, "--model.patch", 2)
    kept, _ = parse(TrainConfig, "train", "", ["--config", str(out / "config.yaml")])
    assert tuple(kept.model.widths) == (8, 16)  # the network that was trained
    run("--config", out / "config.yaml", "--resume")
    with pytest.raises(ValueError, match="contradicts"):  # from Python: other than the defaults
        train(TrainConfig(weights=str(start[1]), model=ModelConfig(patch=1), out=tmp_path / "x"))


def test_the_start_is_scored_and_kept_if_no_step_is_better(data_set, tmp_path, capsys):
    few = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--val_every", 10, "--out"]
    run(*few, tmp_path / "first", "--steps", 40, "--optim.lr", 0.01)
    start = tmp_path / "first" / "model.safetensors"
    spoil = ["--weights", start, "--optim.lr", 5.0, "--optim.warmup", 0]
    run(*few, tmp_path / "second", "--steps", 10, *spoil, "--val_every", 1)
    assert "those of the start: no step had a better Dice" in capsys.readouterr().out
    end = tmp_path / "second" / "model.safetensors"
    torch.testing.assert_close(load_file(end), load_file(start), rtol=0, atol=0)
    assert read_header(end)["training"]["kept_step"] == 0
    f1 = read_header(end)["scores"]["validation"]["f1_at_3px"]
    assert (tmp_path / "second" / "pictures" / "step-000000-well5_a.png").is_file()
    first_row = next(csv.DictReader((tmp_path / "second" / "metrics.csv").open()))
    assert f1 == float(first_row["val/f1_at_3px"])
    assert first_row["step"] == "0" and float(first_row["val/dice"]) > 0
    # As wellseg evaluate scores these weights on the same log.
    (log,) = list_logs(data_set, "val")
    with open_scan(log.image) as scan:
        mask = wellseg.segment(load_model(start), scan.read(0, scan.rows), precision="fp32") > 0.5
    f1 = score_log(mask, read_mask(log.mask)).f1_at_3px
    assert f1 > 0 and float(first_row["val/f1_at_3px"]) == pytest.approx(f1, abs=1e-6)
    # A resumed run remembers.
    run(*few, tmp_path / "second", "--steps", 20, *spoil, "--resume")
    assert "those of the start: no step had a better Dice" in capsys.readouterr().out
    run(*few, tmp_path / "third", "--steps", 10, *spoil, "--keep", "last")
    assert read_header(tmp_path / "third" / "model.safetensors")["training"]["kept_step"] == 10


def test_progress_counts_steps_and_tells_the_time_that_is_left(data_set, tmp_path, capfd):
    run(*SMALL, "--data.root", data_set, "--steps", 24, "--val_every", 12, "--out", tmp_path)
    printed = capfd.readouterr()
    told = r"step 12 of 24, last loss \d.*, Dice \d.*, F1@3px \d.*, about \d:\d\d:\d\d left"
    assert re.search(told, printed.out)
    assert "Epoch" not in printed.out and "v_num" not in printed.out
    (warning,) = printed.err.strip().splitlines()
    assert "the best step is chosen by 1 validation log" in warning


def test_from_python_a_run_is_quiet(data_set, tmp_path, capfd):
    model = ModelConfig(widths=[8, 16])
    data = DataConfig(root=str(data_set), workers=0)  # words do for folders
    config = TrainConfig(model=model, data=data, steps=1, out=str(tmp_path), precision="fp32")
    assert train(config, quiet=True) == tmp_path / "model.safetensors"
    assert capfd.readouterr().out == ""


def test_metrics_alone(data_set, tmp_path):
    words = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--steps", 1, "--out", tmp_path]
    run(*words, "--trainer.logger", "false")
    assert (tmp_path / "metrics.csv").is_file() and not (tmp_path / "tensorboard").exists()


def test_weights_go_on_with_another_norm_if_it_keeps_the_same_tensors(data_set, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    few = ["--data.root", data_set, "--steps", 2, "--data.workers", 0, *SMALL_TRAINER]
    run(*few, "--model.widths", "[8,24]", "--out", first)
    start = ["--weights", first / "model.safetensors", "--optim.lr", 1e-12]
    run(*few, *start, "--model.norm", "instance", "--out", second)
    header = read_header(second / "model.safetensors")
    assert header["model"]["norm"] == "instance" and header["model"]["widths"] == [8, 24]
    torch.testing.assert_close(
        load_file(second / "model.safetensors"),
        load_file(first / "model.safetensors"),
        rtol=0,
        atol=1e-6,
    )
    capsys.readouterr()
    run(*few, *start, "--model.norm", "batch", "--out", tmp_path / "third", status=2)
    assert "--model.norm batch keeps other tensors" in capsys.readouterr().err


@pytest.mark.parametrize("seen_by_rows", [True, False])
def test_a_norm_that_prediction_cannot_compute_is_told_before_the_training(
    data_set, tmp_path, capsys, monkeypatch, seen_by_rows
):
    def make(channels, momentum):
        if not seen_by_rows:
            return torch.nn.InstanceNorm2d(channels, affine=True)
        return torch.nn.Sequential(torch.nn.BatchNorm2d(channels), torch.nn.Dropout2d(0.1))

    monkeypatch.setitem(NORMS, "mine", make)
    words = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--steps", 2, "--model.norm", "mine"]
    run(*words, "--out", tmp_path / "run", status=None if seen_by_rows else 2)
    said = capsys.readouterr().err
    if seen_by_rows:  # and it is trained in training mode
        tensors = load_file(tmp_path / "run" / "model.safetensors")
        assert tensors["encoder.0.norm1.0.num_batches_tracked"] == 2
        wellseg.segment(
            load_model(tmp_path / "run" / "model.safetensors"), np.zeros((64, 64), "u1")
        )
    else:
        assert "native_batch_norm cannot be evaluated by rows" in said and said.count("\n") == 1
        assert "norms/__init__.py" in said and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model.norm", "bath"], "bath"),
        (["--model.norm", "bath", "--data.root", "nowhere"], "bath"),  # before masks are read
        (["--model.patch", "3"], "--model.patch is 1 or 2, not 3"),
        (["--model.momentum", "0"], "--model.momentum lies in (0, 1], not 0"),
        (["--stepz", "3"], "--stepz"),
        (["--steps", "30", "--val_every", "20"], "--steps 30 is no multiple of --val_every 20"),
        (["--steps", "3", "--config", "x.yaml"], "x.yaml"),
        (["--data.root", "nowhere"], "nowhere"),
        (["--weights", "nothing"], "no weights 'nothing'"),
        (["--trainer.devicez", "2"], "devicez"),
        (["--trainer.devices.all", "2"], "devices.all"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(*arguments, "--out", "run", status=2) if "--config" not in arguments else run(
        *arguments, status=2
    )
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and message in errors[0]


def test_a_run_is_not_overwritten_by_accident(data_set, tmp_path, capsys):
    few = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--steps", 1, "--out", tmp_path / "run"]
    run(*few)
    run(*few, status=2)
    assert "holds a run: --resume its checkpoints" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "run" / "checkpoints")  # to save room
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    for more in ([], ["--resume"]):
        run(*few, *more, "--seed", 9, status=2)
        assert "holds a run: --resume its checkpoints, or another" in capsys.readouterr().err
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before
    mine = tmp_path / "other" / "config.yaml"
    mine.parent.mkdir()
    mine.write_text("# my own notes\nsteps: 1\n")
    run(*few, "--out", mine.parent, status=2)
    assert "config.yaml was written by no run" in capsys.readouterr().err
    assert mine.read_text().startswith("# my own")


def test_a_mask_of_another_size_stops_the_run_with_one_line(data_set, tmp_path, capsys):
    tifffile.imwrite(data_set / "masks" / "well1_a.tif", np.zeros((5, 5), np.uint8))
    run(
        *SMALL,
        *SMALL_TRAINER,
        "--data.root",
        data_set,
        "--steps",
        20,
        "--out",
        tmp_path / "run",
        status=2,
    )
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and os.path.join("masks", "well1_a.tif: has 5 x 5 pixels") in errors[0]


def test_a_mask_stored_turned_whose_image_is_not_stops_the_run(data_set, tmp_path, capsys):
    image, mask = (data_set / part / "well1_a.tif" for part in ("images", "masks"))
    few = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--steps", 2]
    tifffile.imwrite(mask, tifffile.imread(mask), extratags=[(274, "H", 1, 3, True)])
    run(*few, "--out", tmp_path / "run", status=2)
    assert "well1_a.tif is stored turned, and" in capsys.readouterr().err
    tifffile.imwrite(image, tifffile.imread(image), extratags=[(274, "H", 1, 3, True)])
    run(*few, "--out", tmp_path / "run")


def test_a_run_that_goes_on_with_other_logs_to_validate_with_says_so(data_set, tmp_path, capsys):
    few = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--out", tmp_path / "run", "--steps"]
    run(*few, 2)
    run(*few, 3, "--resume")
    said = "warning: other logs to validate with than before"
    assert said not in capsys.readouterr().err
    split = data_set / "split.csv"
    split.write_text(split.read_text().replace("well4_a,train", "well4_a,val"))
    run(*few, 4, "--resume")
    assert said in capsys.readouterr().err


def test_a_tall_log_is_validated_in_pieces_as_tall_as_the_windows_of_prediction():
    segmenter = Segmenter({"widths": [8, 16], "norm": "instance"}, {}, 1).eval()
    segmenter.log = segmenter.trainer = Mock()
    gray = torch.randint(256, (1, 1, 640, 64), dtype=torch.uint8)
    below = gray.clone()
    below[:, :, 320:] = 255
    for window_rows, rows_alike in ((0, 0), (300, 320), (500, 0)):
        segmenter.net.window_rows = window_rows
        with torch.no_grad():
            both = [
                segmenter.loss_of(Sample(it, torch.zeros_like(it), ""), "val")[1]
                for it in (gray, below)
            ]
        alike = (both[0] == both[1]).all(3)[0, 0]
        assert alike[:rows_alike].all() and not alike[rows_alike:].any()


@pytest.mark.skipif(os.name == "nt", reason="Windows takes paths of 259 characters by default")
def test_a_name_as_long_as_names_can_be_has_pictures(data_set, tmp_path, capsys):
    """With its step before it the name of the picture was longer: the first validation ended it."""
    name = "L" * 240 + "_a"
    for path in data_set.glob("*/well5_a.tif"):
        path.rename(path.with_stem(name))
    table = data_set / "split.csv"
    table.write_text(table.read_text().replace("well5_a", name))
    out = tmp_path / "run"
    run(*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--steps", 1, "--out", out)
    assert [path.name[:14] for path in (out / "pictures").iterdir()] == ["step-000001-LL"]
    words = ["--weights", out / "model.safetensors", "--worst", 1, "--out", tmp_path / "scores"]
    with pytest.raises(SystemExit, match="0"):
        evaluate_main([str(word) for word in (data_set, "--split", "val", *words)])
    assert len([*(tmp_path / "scores" / "worst").iterdir()]) == 1


def test_an_image_that_is_none_ends_a_run_before_it_begins(data_set, tmp_path, capsys):
    (data_set / "images" / "well1_a.tif").write_bytes(b"no TIFF")
    run(*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--out", tmp_path / "run", status=2)
    said = capsys.readouterr()
    assert "1 of 6 logs cannot be used" in said.err and "well1_a.tif: not a TIFF" in said.err
    assert "step" not in said.out


@pytest.mark.slow
def test_a_damaged_log_met_by_a_worker_is_one_line_that_names_it(data_set, tmp_path, capsys):
    image = data_set / "images" / "well1_a.tif"
    image.write_bytes(image.read_bytes()[:-300])
    arguments = [
        "--data.root",
        data_set,
        "--steps",
        20,
        "--val_every",
        20,
        "--out",
        tmp_path / "run",
    ]
    run("--model.widths", "[8,16]", "--data.workers", 1, *SMALL_TRAINER, *arguments, status=2)
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 2 and "warning: the best step is chosen by 1" in errors[0]
    assert os.path.join("images", "well1_a.tif: damaged from row") in errors[1]


def test_a_loss_that_is_not_a_number_names_the_log_and_keeps_the_checkpoint(
    data_set, tmp_path, capsys
):
    out = tmp_path / "run"
    words = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--val_every", 1, "--out", out]
    run(*words, "--steps", 2)
    run(*words, "--steps", 60, "--optim.lr", 1e30, "--optim.warmup", 0, "--resume", status=1)
    assert re.search(r"the loss is (nan|inf) at step \d+, log 'well\d_a'", capsys.readouterr().err)
    for name in ("last.ckpt", "best.ckpt"):
        kept = torch.load(out / "checkpoints" / name, weights_only=True)["state_dict"]
        # Not those of the step that broke it, which are huge and need not be NaN themselves.
        assert all((each.abs() < 1e6).all() for each in kept.values()), name


@pytest.mark.parametrize("step", [3, 6])
def test_weights_that_give_no_number_are_never_kept(data_set, tmp_path, monkeypatch, step, capsys):
    def spoil(segmenter, _optimizer):
        if segmenter.global_step == step - 1:
            next(segmenter.parameters()).grad.fill_(torch.nan)

    monkeypatch.setattr(Segmenter, "on_before_optimizer_step", spoil)
    few = [*SMALL, *SMALL_TRAINER, "--data.root", data_set, "--steps", 6, "--val_every", 3]
    run(*few, "--out", tmp_path / "run", status=1)
    assert f"the loss is nan at step {step}" in capsys.readouterr().err
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert checkpoint.exists() == (step == 6) and not list(tmp_path.rglob("model.safetensors"))
    monkeypatch.undo()
    run(*few, "--out", tmp_path / "run", *["--resume"] * (step == 6))
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 6

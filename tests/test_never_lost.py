"""What goes wrong in the middle of a training loses nothing: a full disk, a cut file, a damaged
log, NaN."""

import re
import resource

import pytest
import torch
from safetensors.torch import load_file

from wellseg.train import main
from wellseg.training.dataset import open_logs
from wellseg.training.options import DataConfig
from wellseg.training.trainer import read_metrics

SMALL = ["--model.widths", "[8,16]", "--data.workers", "0", "--precision", "fp32"]
SMALL += ["--trainer.enable_progress_bar", "false"]


def run(*arguments):
    main([*SMALL, *map(str, arguments)])


def weights_of(out):
    return load_file(out / "model.safetensors")


def damage(path):
    """Cut off the end: the header is whole, the last rows are not."""
    path.write_bytes(path.read_bytes()[:-300])


def test_a_full_disk_leaves_the_last_checkpoint_and_says_what_to_do(data_set, tmp_path, capsys):
    out, last = tmp_path / "run", tmp_path / "run" / "checkpoints" / "last.ckpt"
    run("--data.root", data_set, "--steps", 4, "--val_every", 4, "--out", out)
    before, limits = last.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on file sizes stands in for a full disk: write(2) fails with EFBIG, not ENOSPC.
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(SystemExit) as ended:
            run("--data.root", data_set, "--steps", 8, "--val_every", 4, "--out", out, "--resume")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert ended.value.code == 1
    assert re.search(r"\.ckpt: cannot write.*; make room, then --resume", said)
    assert last.read_bytes() == before
    assert torch.load(last, weights_only=True)["global_step"] == 4
    left = {path.name for path in last.parent.iterdir()}
    assert left == {"last.ckpt", "best.ckpt", "lock"}, "nothing half written"


def test_a_run_goes_on_as_the_network_that_it_began_with(data_set, tmp_path, capsys):
    options = ["--data.root", data_set, "--steps", 2, "--val_every", 2, "--out", tmp_path / "run"]
    run(*options, "--model.norm", "group")
    with pytest.raises(SystemExit, match="2"):
        run(*options, "--steps", 4, "--resume")
    assert "was begun with --model {'norm': 'group'" in capsys.readouterr().err


def test_a_cut_row_of_metrics_is_left_out(tmp_path):
    path = tmp_path / "metrics.csv"
    assert read_metrics(path, 20) == []
    path.write_text("epoch,step,loss\n0,9,1.5\n0,19,1.25\n0,2")
    assert [row["step"] for row in read_metrics(path, 20)] == ["9", "19"]
    path.write_text("epoch,step,loss\n0,9,1.5\n0,29,1.25\n")
    assert [row["step"] for row in read_metrics(path, 20)] == ["9"]


def test_skipped_logs_are_replaced_and_told_once(data_set, tmp_path, capfd):
    damage(data_set / "images" / "well1_a.tif")
    damage(data_set / "masks" / "well3_a.tif")
    common = ["--data.root", data_set, "--data.on_error", "skip", "--val_every", 5]
    run(*common, "--steps", 15, "--out", tmp_path / "whole")
    said = capfd.readouterr().err
    for name in ("images/well1_a.tif", "masks/well3_a.tif"):
        assert len(re.findall(f"wellseg.train: skipped: .*{name}: damaged", said)) == 1


def test_which_log_stands_in_depends_on_the_visit_alone(data_set):
    damage(data_set / "images" / "well1_a.tif")
    damage(data_set / "images" / "well2_a.tif")
    samples = open_logs(DataConfig(data_set, on_error="skip"), 0, "best")[0]  # well0 ... well4
    sample, again = samples[3, 1], samples[3, 1]
    assert sample.name == "well3_a"
    torch.testing.assert_close(sample.gray, again.gray, rtol=0, atol=0)
    torch.testing.assert_close(sample.gray, samples[3, 3].gray, rtol=0, atol=0)


def test_no_log_left_to_read_ends_the_run(data_set):
    for path in (data_set / "images").iterdir():
        damage(path)
    samples = open_logs(DataConfig(data_set, on_error="skip"), 0, "best")[0]
    with pytest.raises(ValueError, match="none of the 5 logs can be read"):
        samples[0, 0]


def test_a_damaged_log_ends_the_run_with_its_state_saved(data_set, tmp_path, capsys):
    damage(data_set / "images" / "well1_a.tif")
    with pytest.raises(SystemExit):
        run("--data.root", data_set, "--steps", 20, "--val_every", 20, "--out", tmp_path)
    assert re.search(
        r"images/well1_a.tif: damaged.*--resume.*--data.on_error skip", capsys.readouterr().err
    )
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] < 5


def test_a_loss_that_is_not_a_number_does_not_replace_the_checkpoint(
    data_set, tmp_path, monkeypatch
):
    from wellseg.training import segmenter

    real, losses = segmenter.curve_loss, iter(range(100))
    monkeypatch.setattr(
        segmenter,
        "curve_loss",
        lambda *maps: real(*maps) * (float("nan") if next(losses) > 6 else 1.0),
    )
    with pytest.raises(SystemExit):
        run("--data.root", data_set, "--steps", 8, "--val_every", 4, "--out", tmp_path)
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 4

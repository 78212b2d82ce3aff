"""What goes wrong in the middle of a training loses nothing: a full disk, a cut file, a damaged
log, NaN."""

import re

import pytest
import torch
from safetensors.torch import load_file

from wellseg.norms import NORMS
from wellseg.train import main
from wellseg.weights import read_header

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
    resource = pytest.importorskip("resource", reason="POSIX limits")
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
        run(*options, "--steps", 4, "--resume", "--model.norm", "instance")  # the default
    said = capsys.readouterr().err
    assert f"--model.norm instance contradicts the run in {tmp_path / 'run'}, whose" in said
    run(*options, "--steps", 4, "--resume")
    assert read_header(tmp_path / "run" / "model.safetensors")["model"]["norm"] == "group"
    weights = "--weights", tmp_path / "run" / "model.safetensors"
    options = [*options[:-1], tmp_path / "more", *weights]
    run(*options)
    with pytest.raises(SystemExit, match="2"):  # of these weights, too, but with another norm
        run(*options, "--steps", 4, "--resume", "--model.norm", "layer")
    assert (
        f"--model.norm layer contradicts the run in {tmp_path / 'more'}" in capsys.readouterr().err
    )


def test_a_run_whose_norm_was_edited_since_says_so(data_set, tmp_path, monkeypatch, capsys):
    """PyTorch's traceback listed the tensors."""
    options = ["--data.root", data_set, "--val_every", 2, "--model.norm", "mine", "--resume"]
    options += ["--out", tmp_path / "run", "--steps"]
    monkeypatch.setitem(NORMS, "mine", NORMS["group"])
    run(*options, 2)
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    monkeypatch.setitem(NORMS, "mine", NORMS["batch"])
    with pytest.raises(SystemExit, match="2"):
        run(*options, 4)
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert f"--model.norm mine keeps other tensors than the run in {tmp_path / 'run'}" in said
    assert (tmp_path / "run" / "config.yaml").read_bytes() == before


def test_a_damaged_log_ends_the_run_with_its_state_saved(data_set, tmp_path, capsys):
    damage(data_set / "images" / "well1_a.tif")
    with pytest.raises(SystemExit):
        run("--data.root", data_set, "--steps", 20, "--val_every", 20, "--out", tmp_path)
    said = capsys.readouterr().err
    assert re.search(
        r"images[/\\]well1_a.tif: damaged.*; mend it or .*, then --resume$", said.strip()
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

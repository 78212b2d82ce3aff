"""Weights files: what was saved comes back; anything else is refused in one line."""

import json
import pickle
import struct
import subprocess
import sys

import pytest
import torch

from wellseg.net.resunet import ResUNet
from wellseg.norms import NORMS
from wellseg.weights import (
    BUNDLED,
    load_model,
    read_header,
    save_weights,
    weights_path,
)

NAMES = sorted(path.stem for path in BUNDLED.glob("*.safetensors"))
MODEL = {"norm": "batch", "momentum": 0.1, "patch": 2, "widths": [8, 16]}


@pytest.fixture
def saved(tmp_path):
    net = ResUNet(2, (8, 16), norm="batch", momentum=0.1)
    net(torch.rand(1, 1, 32, 32))  # running statistics of its own
    path = tmp_path / "a.safetensors"
    save_weights(path, net, {"model": MODEL, "licence": "Apache-2.0"})
    return path, net.eval()


def test_a_loaded_net_says_what_the_saved_one_says(saved):
    path, net = saved
    ink = torch.rand(1, 1, 21, 34)
    loaded = load_model(path)
    assert not loaded.training
    torch.testing.assert_close(loaded(ink), net(ink), rtol=0, atol=1e-6)
    header = read_header(path)
    assert header["licence"] == "Apache-2.0" and header["model"] == MODEL
    assert "ink = 1 - gray/255" in header["input"] and "saturation" in header["input"]


def test_the_bundled_weights_load():
    for name in NAMES:
        assert torch.isfinite(load_model(name)(torch.rand(1, 1, 20, 20))).all()
    assert weights_path().stem in NAMES


def test_a_missing_file_names_the_bundled_weights(tmp_path):
    with pytest.raises(ValueError, match=rf"no weights '.*nope'.*{NAMES[0]}"):
        load_model(tmp_path / "nope")


def test_a_hostile_pickle_under_the_right_name_is_refused_and_not_run(tmp_path):
    trace = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return open, (str(trace), "w")

    path = tmp_path / "bomb.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match=r"bomb\.safetensors: not a readable safetensors file"):
        load_model(path)
    assert not trace.exists()


def test_a_torch_checkpoint_is_refused(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ValueError, match=r"use the model\.safetensors of a training run"):
        load_model(path)


def test_a_truncated_file_is_refused(saved):
    path, _ = saved
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        load_model(path)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    net = ResUNet(2, (8, 16), norm="batch", momentum=0.1)
    torch.nn.init.constant_(net.head.bias, float("nan"))
    save_weights(tmp_path / "a.safetensors", net, {"model": MODEL})
    with pytest.raises(ValueError, match=r"a\.safetensors: some numbers are infinite or NaN"):
        load_model(tmp_path / "a.safetensors")


def test_foreign_safetensors_are_refused(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="not written by wellseg"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "weights of format 99, not 1: update wellseg"),
        ({"model": {**MODEL, "patch": 7}}, "damaged, or of a newer wellseg: update it"),
        ({"model": {**MODEL, "dilation": 2}}, "of a newer wellseg: update it"),
        ({"model": {**MODEL, "widths": [8, 24]}}, "gives no network"),
        ({"model": {**MODEL, "norm": "mine"}}, r"network: unknown norm 'mine': choose"),
    ],
)
def test_a_header_that_lies_is_refused(saved, change, message):
    path, _ = saved
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"]["wellseg"] = json.dumps(
        {**json.loads(header["__metadata__"]["wellseg"]), **change}
    )
    changed = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(changed)) + changed + data[8 + length :])
    with pytest.raises(ValueError, match=message):
        load_model(path)


def test_weights_of_a_norm_that_was_edited_since_say_which_tensors_differ(saved, monkeypatch):
    path, _ = saved
    monkeypatch.setitem(NORMS, "batch", lambda channels, momentum: torch.nn.PReLU(channels))
    with pytest.raises(ValueError, match=r'Unexpected key\(s\) .*"encoder.0.norm1.bias"') as caught:
        load_model(path)
    said = str(caught.value).removeprefix(str(path))
    assert "\n" not in said and len(said) < 300


def test_a_model_carries_the_windows_that_its_weights_ask_for(saved):
    path, _ = saved
    assert load_model(path).window_rows is None
    save_weights(path, load_model(path), {**read_header(path), "window_rows": 700})
    assert load_model(path).window_rows == 700


def test_a_header_is_read_without_torch():
    """A run over an archive in which all is done reads reports and this header alone."""
    program = "import sys; from wellseg.weights import read_header, weights_path as at; "
    program += "read_header(at(None)); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0

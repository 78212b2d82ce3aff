"""On a GPU: what it computes is what a CPU computes in float64. Skipped where there is none.

python -m pytest -n 0 tests/test_cuda.py    # and tests/test_rows.py -k cuda
"""

import copy
from contextlib import suppress
from types import SimpleNamespace as Any

import numpy as np
import pytest
import tifffile
import torch
from test_norms import WORDS
from test_norms_training import stop_after

from wellseg.net.options import ModelConfig
from wellseg.net.resunet import ResUNet
from wellseg.rows.evaluation import RowEvaluation
from wellseg.training.segmenter import Segmenter, curve_loss

GPU = torch.device("cuda")
SMALL = [
    "--model.widths",
    "[8,16]",
    "--data.workers",
    "0",
    "--trainer.enable_progress_bar",
    "false",
]

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.fixture(autouse=True)
def no_tf32():
    """Else a GPU rounds what it multiplies in float32 to 10 bits."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def make_net(norm="group"):
    torch.manual_seed(0)
    return ResUNet(2, (16, 32, 32), norm=norm).to(memory_format=torch.channels_last)


def gradients(net, device, dtype=torch.float32, autocast=False):
    """Of the second of two steps on other logs, so that running statistics are no longer what they were at first."""
    net = copy.deepcopy(net).to(device, dtype).train()
    for step in range(2):
        generator = torch.Generator().manual_seed(step)
        ink = torch.rand(1, 1, 150 + step, 90, generator=generator).to(
            device, dtype
        )  # no two pixels are equal
        truth = (torch.rand(ink.shape, generator=generator) < 0.1).to(device, torch.uint8) * 255
        net.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            loss = curve_loss(net(ink), truth)
        loss.backward()
    assert all(parameter.grad.dtype == dtype for parameter in net.parameters())
    state = {f"gradient of {name}": parameter.grad for name, parameter in net.named_parameters()}
    return {name: tensor.double().cpu() for name, tensor in [*state.items(), *net.named_buffers()]}


def off(got, expected):
    """The largest distance of a tensor, relative to the longer of itself and a tenth of the mean tensor."""
    lengths = {name: tensor.norm() for name, tensor in expected.items()}
    floor = 0.1 * sum(lengths.values()) / len(lengths)
    return max(
        ((got[name] - expected[name]).norm() / max(lengths[name], floor)).item()
        for name in expected
    )


@pytest.mark.parametrize("norm", ["group", "instance", "batch"])
def test_gradients_are_those_of_float64(norm):
    net = make_net(norm)
    assert off(gradients(net, GPU), gradients(net, torch.device("cpu"), torch.float64)) < 1e-4


@pytest.mark.parametrize("norm", WORDS)
def test_gradients_in_bf16_point_the_same_way(norm):
    net = make_net(norm)
    got, expected = (
        gradients(net, GPU, autocast=True),
        gradients(net, torch.device("cpu"), torch.float64),
    )
    a, b = (
        torch.cat([g.flatten() for name, g in each.items() if "gradient" in name])
        for each in (got, expected)
    )
    assert torch.cosine_similarity(a, b, 0) > 0.95 and a.norm().item() == pytest.approx(
        b.norm().item(), rel=0.1
    )


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_recomputed_stages_have_the_same_gradients(norm):
    net = make_net(norm)
    kept = gradients(net, GPU)
    net.recompute = True
    assert off(gradients(net, GPU), kept) < 1e-5


def test_memory_is_the_gpus():
    net = make_net().to(GPU)
    module = Any(recompute="auto", model=ModelConfig(), net=net, device=GPU, global_step=0)
    module.trainer = Any(precision="bf16-mixed", world_size=1)
    Segmenter.on_train_start(module)
    batch = Any(truth=torch.zeros(1, 1, 3200, 480, dtype=torch.uint8))
    Segmenter.choose_recompute(module, batch)
    assert not net.recompute and 1e8 < module.free_bytes <= torch.cuda.mem_get_info()[1]
    module.free_bytes = 100_000_000
    Segmenter.choose_recompute(module, batch)
    assert net.recompute


@pytest.mark.parametrize("on_disk", [False, True])
def test_rows_are_the_whole_image(on_disk):
    net = make_net().eval()
    ink = torch.rand(1, 1, 800, 160, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        truth = copy.deepcopy(net).double()(ink.double())
        whole = net.to(GPU)(ink.to(GPU)).cpu()
    evaluation = RowEvaluation(net, 800, 160, precision="fp32", memory=1, device=GPU, strip_rows=64)
    if on_disk:
        evaluation.budget_bytes = 0
    rows = torch.cat([band.cpu() for _, band in evaluation.bands(lambda a, b: ink[:, :, a:b])], 2)
    assert (rows - whole).abs().max() < 1e-5
    assert (rows - truth).abs().max() < 1e-5


def test_the_mask_of_a_scan_is_the_cpus(tmp_path):
    from wellseg.corpus import draw_log
    from wellseg.predict import main

    tifffile.imwrite(tmp_path / "log.tif", draw_log(0, 1, "quick").image)
    masks = []
    for device in ("cpu", "cuda"):
        words = [
            tmp_path / "log.tif",
            "--out",
            tmp_path / device,
            "--device",
            device,
            "--precision",
            "fp32",
        ]
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        assert not ended.value.code
        masks.append(tifffile.imread(tmp_path / device / "log.mask.tif"))
    assert masks[0].any() and (masks[0] != masks[1]).sum() <= 1e-5 * masks[0].size + 2


def test_a_resumed_run_ends_as_an_undisturbed_one(data_set, tmp_path, monkeypatch):
    """But for what a GPU adds up in another order each time."""
    from wellseg.train import main

    def run(out, *more, steps=4):
        words = [*SMALL, "--data.root", data_set, "--steps", 4, "--val_every", 2, *more]
        with suppress(SystemExit):  # of the one that is stopped
            main([str(word) for word in [*words, "--precision", "fp32", "--out", out]])
        assert not torch.backends.cudnn.enabled  # it would plan anew for every log
        last = torch.load(out / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")
        assert last["global_step"] == steps
        return np.concatenate(
            [t.double().numpy().ravel() for name, t in last["state_dict"].items() if "net." in name]
        )

    whole = run(tmp_path / "whole")
    stop_after(monkeypatch, 2)
    half = run(tmp_path / "halves", steps=2)
    monkeypatch.undo()
    resumed = run(tmp_path / "halves", "--resume")
    assert np.abs(resumed - whole).mean() < 0.02 * np.abs(half - whole).mean()

"""The network: any size in, the same out."""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch.profiler import profile

from wellseg.net import convolution, resunet
from wellseg.net.fused import halve
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.norms import NORMS, BatchNorm, GroupNorm, moments, set_progress
from wellseg.rows.evaluation import RowEvaluation


@pytest.mark.parametrize(
    ("patch", "widths"), [(2, (32, 64, 128)), (1, (16, 32, 64, 128)), (2, (8,)), (1, (4, 8))]
)
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (64, 64), (37, 91)])
def test_any_size_comes_out_as_it_went_in(patch, widths, size):
    net = ResUNet(patch, widths)
    assert net(torch.rand(1, 1, *size)).shape == (1, 1, *size)


OPTIONS = [{"decoder_convs": 1}, {"dilation": 3}, {"separable": False}, {"branch": 4}]
OPTIONS.append({name: value for option in OPTIONS for name, value in option.items()})


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
@pytest.mark.parametrize("patch", [1, 2])
def test_every_option_trains_and_is_evaluated_by_rows_exactly(patch, options):
    net = ResUNet(patch, (6, 8, 12), **options).double()
    ink = (torch.rand(1, 1, 75, 46) < 0.1).double()
    answer = net(ink)
    assert answer.shape == ink.shape
    answer.square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())
    evaluation = RowEvaluation(
        net.eval(), 75, 46, memory_bytes=1 << 30, dtype=torch.float64, strip_rows=8
    )
    bands = evaluation.bands(lambda a, b: ink[:, :, a:b])
    rows = torch.cat([band for _, band in bands], 2)
    torch.testing.assert_close(rows, answer.detach(), rtol=0, atol=1e-10)


def test_options_that_are_off_leave_no_trace():
    """The names and shapes of the tensors are those of every weights file there is."""
    off = ResUNet(2, (8, 16), decoder_convs=2, dilation=1, separable=False, branch=0).state_dict()
    assert [name for name in off if "branch" in name or ".0." in name.partition(".0.")[2]] == []
    assert off["encoder.0.conv1.weight"].shape == (8, 4, 3, 3) and off["head.weight"].shape == (
        4,
        8,
        1,
        1,
    )


@pytest.mark.parametrize("norm", NORMS)
def test_the_norm_is_one_word(norm):
    net = ResUNet(2, (8, 16), norm=norm)
    net(torch.rand(1, 1, 20, 30)).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_legacy_layer_has_the_articles_momentum():
    net = ResUNet(1, (16, 32, 64, 128), norm="batch", separable=False)
    layers = [module for module in net.modules() if isinstance(module, BatchNorm)]
    assert len(layers) == 14 and all(layer.momentum == 0.01 for layer in layers)


def test_group_norm_follows_half_or_16_at_every_width():
    layers = [m for m in ResUNet(1, (16, 32, 64, 128)).modules() if isinstance(m, GroupNorm)]
    assert {(layer.channels, layer.groups) for layer in layers} == {
        (16, 1),
        (32, 2),
        (64, 4),
        (128, 8),
    }


def test_paper_below_and_to_the_right_up_to_the_multiple_changes_nothing():
    """The net pads by itself with paper: padding by hand up to the same size is the same image."""
    net = ResUNet(2, (8, 16)).double()
    ink = torch.rand(1, 1, 30, 42, dtype=torch.float64)
    padded = torch.zeros(1, 1, 32, 44, dtype=torch.float64)
    padded[:, :, :30, :42] = ink
    torch.testing.assert_close(net(ink), net(padded)[:, :, :30, :42], rtol=0, atol=1e-12)


def test_stride_of_the_network_shifts_along():
    """Fully convolutional: moving the ink by the coarsest cell moves the answer (away from the edges)."""
    net = ResUNet(2, (8, 16), norm="layer_pixel").double()
    ink = torch.zeros(1, 1, 120, 120, dtype=torch.float64)
    ink[:, :, 50:70, 55:58] = 1
    moved = net(ink.roll((8, 4), (2, 3))).roll((-8, -4), (2, 3))
    torch.testing.assert_close(
        moved[:, :, 30:90, 30:90], net(ink)[:, :, 30:90, 30:90], rtol=0, atol=1e-12
    )


def test_ink_is_one_where_the_scan_is_black():
    gray = torch.tensor([0, 51, 255], dtype=torch.uint8)
    torch.testing.assert_close(to_ink(gray), torch.tensor([1.0, 0.8, 0.0]))


@pytest.mark.parametrize("norm", NORMS)
def test_recomputed_stages_give_the_same_gradients_and_running_statistics(norm):
    ink = torch.rand(1, 1, 70, 53)
    outcomes = []
    for recompute in (False, True):
        torch.manual_seed(0)
        net = ResUNet(1, (4, 8, 16), norm=norm).train()
        net.recompute = recompute
        set_progress(net, 0.2)
        for _ in range(3):
            net(ink).sin().sum().backward()
        outcomes.append(
            {**{name: p.grad for name, p in net.named_parameters()}, **dict(net.named_buffers())}
        )
    plain, recomputed = outcomes
    assert plain.keys() == recomputed.keys()
    for name, tensor in plain.items():
        torch.testing.assert_close(recomputed[name], tensor, rtol=0, atol=0, msg=name)


@pytest.mark.parametrize("separable", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_fused_steps_give_the_gradients_of_the_plain_ones(norm, separable, monkeypatch):
    """Statistics included; what blocks of rows share, too: they are low here."""
    monkeypatch.setattr(moments, "BLOCK_VALUES", 5 * 53 * 3)
    monkeypatch.setattr(convolution, "HALO_BLOCK_VALUES", 8 * 53 * 3)
    outcomes = []
    for separate in (False, True):
        if separate:
            monkeypatch.setattr(
                resunet, "norm_relu_conv", lambda norm, conv, x: conv(torch.relu(norm(x)))
            )
            monkeypatch.setattr(
                resunet, "norm_add_relu", lambda norm, x, to, start: torch.relu(norm(x) + to(start))
            )
            monkeypatch.setattr(resunet, "halve", lambda x: F.max_pool2d(x, 2))
            monkeypatch.setattr(resunet, "made_again", lambda *_, **__: nullcontext())
        torch.manual_seed(0)
        net = (
            ResUNet(
                1, (5, 8), norm=norm, weight_standardisation=True, dilation=2, separable=separable
            )
            .double()
            .train()
        )
        for _ in range(2):
            net(torch.rand(1, 1, 70, 53, dtype=torch.float64)).sin().sum().backward()
        outcomes.append(
            {**{name: p.grad for name, p in net.named_parameters()}, **dict(net.named_buffers())}
        )
    for name, tensor in outcomes[1].items():
        torch.testing.assert_close(outcomes[0][name], tensor, rtol=1e-9, atol=1e-10, msg=name)


@pytest.mark.parametrize("height", [2, 14, 70])
def test_halving_is_max_pooling_also_where_pixels_tie(height, monkeypatch):
    monkeypatch.setattr(moments, "BLOCK_VALUES", 3 * 5 * 4)
    x = torch.randint(3, (2, 5, height, 8)).float().requires_grad_()
    toward = torch.randn(2, 5, height // 2, 4)
    ours, theirs = halve(x), F.max_pool2d(x, 2)
    assert torch.equal(ours, theirs)
    gradients = [torch.autograd.grad((y * toward).sum(), x)[0] for y in (ours, theirs)]
    assert torch.equal(*gradients)


def kept_maps(net, height, width):
    """After the forward pass, in maps of one channel."""
    with profile(profile_memory=True) as recorded:
        kept = net(torch.rand(1, 1, height, width)), recorded
    return sum(event.self_cpu_memory_usage for event in kept[1].events()) / (4 * height * width)


@pytest.mark.parametrize("separable", [False, True])
def test_three_maps_of_a_block_are_kept_and_of_recomputed_stages_what_they_hand_on(separable):
    """Three: after either convolution, and the result; two in the first stage, whose first one is done again."""
    net = ResUNet(1, (4, 8, 16), separable=separable).train()
    handed_on, low, ink_and_logits = 4 + 8 / 4 + 16 / 16 + 8 / 4, 8 / 16 + 4 / 4, 2
    three = 3 * (handed_on + 4)
    assert kept_maps(net, 256, 256) == pytest.approx(three - 4 + low + ink_and_logits, rel=0.01)
    net.recompute = True
    assert kept_maps(net, 256, 256) == pytest.approx(
        handed_on + 3 * 4 + 4 / 4 + ink_and_logits, rel=0.01
    )

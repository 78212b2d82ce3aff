"""Weight standardisation: what it is, that nothing of it is left in evaluation by rows."""

import copy

import pytest
import torch
from test_rowwise import by_rows, off, random_ink, randomised
from torch import nn

from wellseg.config import ModelConfig
from wellseg.net.resunet import ResUNet
from wellseg.norms import NORMS, StandardisedConv2d, plain
from wellseg.training.together import Together


def standardised_net(norm="group"):
    torch.manual_seed(0)
    return randomised(ResUNet(2, (16, 32), norm=norm, weight_standardisation=True))


def test_weights_have_mean_0_and_variance_1_for_each_output_channel():
    weight = StandardisedConv2d(3, 5, 3).double().used_weight()
    torch.testing.assert_close(weight.mean((1, 2, 3)), torch.zeros(5, dtype=torch.float64))
    torch.testing.assert_close(
        weight.var((1, 2, 3), correction=0), torch.ones(5, dtype=torch.float64), rtol=1e-3, atol=0
    )


def test_scale_and_offset_of_the_weights_do_not_matter():
    conv = StandardisedConv2d(8, 5, 3).double().to(memory_format=torch.channels_last)
    x = torch.rand(1, 8, 9, 7, dtype=torch.float64)
    before = conv(x)
    with torch.no_grad():
        conv.weight.mul_(torch.linspace(0.5, 9, 5).view(5, 1, 1, 1)).add_(0.3)
    torch.testing.assert_close(
        conv(x), before, rtol=2e-3, atol=2e-3
    )  # eps, beside a variance of 0.005


def test_the_convolutions_before_a_norm_and_no_others_are_standardised():
    for separable, names in ((False, {"conv1", "conv2"}), (True, {"conv1", "conv1.1", "conv2.1"})):
        net = ResUNet(2, (16, 32), weight_standardisation=True, separable=separable)
        kinds = (
            name for name, module in net.named_modules() if isinstance(module, StandardisedConv2d)
        )
        assert {name[name.index("conv") :] for name in kinds} == names and type(
            net.head
        ) is nn.Conv2d


def test_the_initial_weights_are_those_without():
    torch.manual_seed(0)
    without = ResUNet(2, (16, 32))
    torch.manual_seed(0)
    torch.testing.assert_close(
        ResUNet(2, (16, 32), weight_standardisation=True).state_dict(), without.state_dict()
    )


@pytest.mark.parametrize("norm", NORMS)
def test_by_rows_in_float64(norm):
    net, ink = standardised_net(norm).double(), random_ink(90, 40)
    assert off(net, ink, strip_rows=16) < 1e-13 * max(1e3, net(ink).abs().max())


def test_by_rows_in_bf16_leaves_the_network_as_it_was():
    net = standardised_net()
    before = copy.deepcopy(net.state_dict())
    ink = random_ink(90, 40, dtype=torch.float32)
    logits = by_rows(net, ink.bfloat16(), strip_rows=16)
    torch.testing.assert_close(logits, net(ink), rtol=0.1, atol=0.1)
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)
    assert any(isinstance(module, StandardisedConv2d) for module in net.modules())


def test_plain_is_the_same_function_of_plain_convolutions():
    net = standardised_net()
    folded, ink = plain(net), random_ink(20, 30, dtype=torch.float32)
    assert not any(isinstance(module, StandardisedConv2d) for module in folded.modules())
    torch.testing.assert_close(folded(ink), net(ink))
    assert plain(folded) is folded


@pytest.mark.slow
def test_it_is_exported():
    net, ink = standardised_net("batch"), random_ink(16, 24, dtype=torch.float32)
    exported = torch.export.export(net, (ink,)).module()
    torch.testing.assert_close(exported(ink), net(ink))


def test_its_gradient_reaches_the_weights_together_too():
    net, ink = standardised_net(), random_ink(16, 24, dtype=torch.float32)
    (together,) = Together(net)([ink])
    together.sum().backward()
    assert all(
        parameter.grad.abs().sum() > 0 for parameter in net.parameters() if parameter.dim() == 4
    )


def test_the_option_reaches_the_network():
    from dataclasses import asdict

    net = ResUNet(**asdict(ModelConfig(weight_standardisation=True)))
    assert isinstance(net.encoder[0].conv1, StandardisedConv2d)

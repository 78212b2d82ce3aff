"""Our convolution is PyTorch's, with a gradient that takes less memory."""

import pytest
import torch
import torch.nn.functional as F

from wellseg.net import convolution
from wellseg.net.convolution import Conv2d, SeparableConv2d


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("dilation", "images", "height"), [(1, 1, 23), (3, 1, 23), (2, 2, 23), (3, 1, 2)]
)
def test_gradients_are_pytorchs_in_float64(monkeypatch, dilation, images, height, layout):
    monkeypatch.setattr(convolution, "BLOCK_VALUES", 5 * 6 * 17)  # five rows
    conv = Conv2d(4, 6, 3, padding=dilation, dilation=dilation).double()
    x = torch.randn(images, 4, height, 17).double().to(memory_format=layout).requires_grad_()
    ours = conv(x)
    theirs = F.conv2d(x, conv.weight, conv.bias, padding=dilation, dilation=dilation)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    leaves, toward = [x, conv.weight, conv.bias], torch.randn_like(ours)
    gradients = (torch.autograd.grad((y * toward).sum(), leaves) for y in (ours, theirs))
    for our, their in zip(*gradients, strict=True):
        torch.testing.assert_close(our, their, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("dilation", "images", "height"), [(1, 1, 23), (3, 1, 23), (2, 2, 23), (3, 1, 2)]
)
def test_gradients_of_separable_convolutions_are_pytorchs_in_float64(
    monkeypatch, dilation, images, height
):
    monkeypatch.setattr(convolution, "HALO_BLOCK_VALUES", 5 * 6 * 17)  # five rows
    conv = SeparableConv2d(Conv2d(4, 6, 1, bias=False), dilation).double()
    x = (
        torch.randn(images, 4, height, 17)
        .double()
        .to(memory_format=torch.channels_last)
        .requires_grad_()
    )
    ours, theirs = conv(x), conv[1](conv[0](x))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    leaves, toward = [x, *conv.parameters()], torch.randn_like(ours)
    gradients = (torch.autograd.grad((y * toward).sum(), leaves) for y in (ours, theirs))
    for our, their in zip(*gradients, strict=True):
        torch.testing.assert_close(our, their, rtol=0, atol=1e-11)


def test_under_autocast_the_weights_gradient_is_about_as_exact():
    conv, plain = (
        Conv2d(4, 6, 3, padding=1, bias=False),
        torch.nn.Conv2d(4, 6, 3, padding=1, bias=False),
    )
    plain.load_state_dict(conv.state_dict())
    x, toward = torch.randn(1, 4, 400, 300).bfloat16().float(), torch.randn(1, 6, 400, 300)
    conv.weight.data = conv.weight.data.bfloat16().float()
    wanted = torch.autograd.grad((conv(x) * toward.bfloat16()).sum(), conv.weight)[0]
    errors = []
    for module in (conv, plain):
        with torch.autocast("cpu", torch.bfloat16):
            y = module(x)
        assert y.dtype == torch.bfloat16
        gradient = torch.autograd.grad((y * toward.bfloat16()).sum(), module.weight)[0]
        errors.append((gradient - wanted).square().mean())
    assert errors[0] < 2 * errors[1] and errors[0].sqrt() < 0.01 * wanted.square().mean().sqrt()

"""Norms by their identities, against float64, and against PyTorch where PyTorch is right."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wellseg import norms
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.norms import NORMS, Norm, channel_statistics, make_norm, register
from wellseg.norms.group import half_or_16
from wellseg.rows.segment import segment

WORDS = [word for word, make in NORMS.items() if make.__module__.startswith("wellseg.norms")]
"""The product's norms: tests of the study register more."""


def image(channels, rows=37, columns=29, dtype=torch.float64, seed=0, n=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, channels, rows, columns, dtype=torch.float64, generator=generator)
    return (x * 2 + 3).to(dtype)


def randomise(norm):
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return norm


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(16, 1), (32, 2), (48, 3), (64, 4), (96, 6), (128, 8), (192, 12), (256, 16), (384, 24), (512, 32)]
    + [(channels, 1) for channels in range(1, 16)]
    + [(24, 1), (40, 2)],
)  # fmt: skip
def test_half_or_16(channels, groups):
    assert half_or_16(channels) == groups


def test_half_or_16_keeps_at_least_16_channels_in_groups_that_divide():
    for channels in range(16, 600):
        groups = half_or_16(channels)
        assert channels % groups == 0 and channels // groups >= 16
        assert not any(channels % more == 0 for more in range(groups + 1, channels // 16 + 1))


@pytest.mark.parametrize("asked", [lambda: make_norm("bath", 16), lambda: ResUNet(norm="bath")])
def test_unknown_norm_is_refused_with_the_known_ones(asked):
    with pytest.raises(ValueError, match=r"unknown norm 'bath': choose one of .*group, .*layer"):
        asked()


def test_a_registered_word_is_a_norm_that_can_be_trained(monkeypatch):
    monkeypatch.setattr(norms, "NORMS", dict(NORMS))
    register("two_groups")(lambda channels, momentum: Norm(channels, 2))
    assert make_norm("two_groups", 8).groups == 2


def test_a_forward_alone_is_refused_as_prediction_by_rows_would_not_call_it():
    class OfPixels(Norm):
        def forward(self, x):
            return x / (x.square().mean(1, keepdim=True) + self.eps).sqrt()

    for says in (None, True):  # a threshold in it was left out, without a word
        if says:
            OfPixels.reads_image = True
        with pytest.raises(
            TypeError, match=r"OfPixels.forward is not called in prediction: say .*"
        ):
            OfPixels(16, 1)
    OfPixels.reads_image = False
    OfPixels(16, 1)


def test_a_scale_shift_that_does_not_take_statistics_of_rows_fails_in_training():
    class OfOne(Norm):
        def scale_shift(self, mean, var):
            scale = (self.weight * (var + self.eps).rsqrt()).flatten()
            return scale, -mean.flatten() * scale

    with pytest.raises(IndexError):
        OfOne(16, 16)(torch.randn(1, 16, 8, 8)).sum().backward()


def test_a_word_that_is_taken_is_refused():
    with pytest.raises(ValueError, match="a norm 'group' is registered already"):
        register("group")


class RootMeanSquare(Norm):
    """A norm with a scale_shift of its own and nothing else."""

    def scale_shift(self, mean, var):
        scale = self.weight * (mean.square() + var + self.eps).rsqrt()
        return scale, self.bias.double()  # (C,): it broadcasts to (..., C)


@pytest.mark.parametrize(
    "make", [lambda channels, momentum: RootMeanSquare(channels, 1), *map(NORMS.get, WORDS)]
)
def test_forward_and_its_gradient_are_those_of_scale_shift(make):
    norm = randomise(make(32, 0.01).double())
    norm = next(part for part in norm.modules() if isinstance(part, Norm))
    if not norm.reads_image:
        pytest.skip("reads no image")
    x = image(32).requires_grad_()
    scale, shift = norm.scale_shift(x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0))
    plain, weight = x * scale[:, None, None] + shift[:, None, None], image(32, seed=1)
    torch.testing.assert_close(norm(x), plain)
    leaves = [x, norm.weight, norm.bias]
    ours = torch.autograd.grad((norm(x) * weight).sum(), leaves)
    torch.testing.assert_close(ours, torch.autograd.grad((plain * weight).sum(), leaves))


class AtLeast(nn.Module):
    """The threshold of Filter Response Normalization (arXiv 1911.09737)."""

    def __init__(self, channels):
        super().__init__()
        self.least = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x):
        return torch.maximum(x, self.least)


@pytest.mark.parametrize("behind", [[], [AtLeast(4)]])
def test_a_norm_of_ones_own_is_evaluated_by_rows(behind):
    norm = randomise(nn.Sequential(RootMeanSquare(4, groups=1), *behind))
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), norm, nn.Conv2d(4, 1, 3, padding=1))
    gray = np.random.default_rng(0).integers(0, 256, (300, 40), np.uint8)
    with torch.no_grad():
        whole = net(to_ink(torch.from_numpy(gray)[None, None])).sigmoid()[0, 0]
    by_rows = segment(net, gray, precision="fp32")
    torch.testing.assert_close(torch.from_numpy(by_rows), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("groups", "channels"), [(2, 32), (1, 24), (24, 24), (1, 8), (3, 48)])
@pytest.mark.parametrize("block_values", [1 << 20, 3000])
def test_group_norm_and_its_gradient_are_pytorchs_in_float64(
    monkeypatch, groups, channels, layout, block_values
):
    monkeypatch.setattr(norms, "BLOCK_VALUES", block_values)
    norm = randomise(Norm(channels, groups).double())
    x = image(channels).to(memory_format=layout).requires_grad_()
    weights = image(channels, seed=1)
    ours = norm(x)
    theirs = F.group_norm(x, groups, norm.weight, norm.bias, norm.eps)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    leaves = [x, norm.weight, norm.bias]
    grads = zip(
        torch.autograd.grad((ours * weights).sum(), leaves),
        torch.autograd.grad((theirs * weights).sum(), leaves),
        strict=True,
    )
    for ours_grad, theirs_grad in grads:
        torch.testing.assert_close(ours_grad, theirs_grad, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_statistics_of_a_large_float32_map_are_those_of_float64(layout):
    """PyTorch's own channels_last kernel is off by 1 % here (pytorch issue 54293)."""
    x = torch.rand(1, 8, 3000, 300, generator=torch.Generator().manual_seed(0)).to(
        memory_format=layout
    )
    mean, var = channel_statistics(x)
    exact = x[0].double()
    torch.testing.assert_close(mean, exact.mean((1, 2)), rtol=1e-8, atol=0)
    torch.testing.assert_close(var, exact.var((1, 2), correction=0), rtol=1e-6, atol=0)


def test_statistics_of_a_few_float32_pixels_are_taken_in_float64():
    x = image(8, rows=7, columns=9, dtype=torch.float32)  # fewer than a lane has
    mean, var = channel_statistics(x)
    torch.testing.assert_close(mean, x[0].double().mean((1, 2)), rtol=1e-14, atol=0)
    torch.testing.assert_close(var, x[0].double().var((1, 2), correction=0), rtol=1e-14, atol=0)


def test_statistics_far_from_zero_keep_their_variance():
    x = image(4, rows=300, columns=200, dtype=torch.float32) + 3000
    _, var = channel_statistics(x)
    torch.testing.assert_close(var, x[0].double().var((1, 2), correction=0), rtol=1e-5, atol=0)


def scale_of(outcome, x):
    """Factor by which a map that was normalised by one group has been multiplied."""
    return outcome.double().std() / x.double().std()


def test_the_scale_of_a_tall_log_is_right_where_pytorchs_is_not():
    """6,400 rows, as they are trained on: channels_last on a CPU."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 16, 6400, 100, generator=generator) + 3
    x = x.to(memory_format=torch.channels_last)
    expected = (x.double().var(correction=0) + 1e-5).rsqrt()
    ours = scale_of(make_norm("layer", 16)(x), x)
    assert abs(ours / expected - 1) < 1e-6
    theirs = scale_of(F.group_norm(x, 1), x)
    assert abs(theirs / expected - 1) > 3e-6, "PyTorch has mended its kernel: ours may go"


def test_float32_gradient_against_float64():
    norm = randomise(Norm(32, 2))
    x = (
        image(32, 400, 300, dtype=torch.float32)
        .to(memory_format=torch.channels_last)
        .requires_grad_()
    )
    weights = image(32, 400, 300, seed=3, dtype=torch.float32)
    (ours,) = torch.autograd.grad((norm(x) * weights).sum(), x)
    exact = x.detach().double().requires_grad_()
    y = F.group_norm(exact, 2, norm.weight.double(), norm.bias.double(), norm.eps)
    (theirs,) = torch.autograd.grad((y * weights.double()).sum(), exact)
    torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=1e-4)  # sums of the kernel


def test_one_group_is_layer_norm_and_a_group_each_is_instance_norm():
    x = image(24)
    torch.testing.assert_close(make_norm("layer", 24).double()(x), F.layer_norm(x, x.shape[1:]))
    torch.testing.assert_close(make_norm("instance", 24).double()(x), F.instance_norm(x))


def test_images_of_a_batch_do_not_see_each_other():
    norm = make_norm("group", 32).double()
    a, b = image(32, seed=1), image(32, seed=2) * 5
    torch.testing.assert_close(
        norm(torch.cat([a, b])), torch.cat([norm(a), norm(b)]), rtol=0, atol=0
    )


@pytest.mark.parametrize("name", WORDS)
def test_scale_shift_of_whole_image_statistics_is_the_layer(name):
    """What an evaluation by rows takes it for."""
    norm = randomise(make_norm(name, 32).double())
    norm = next(part for part in norm.modules() if isinstance(part, Norm))
    x = image(32)
    if not norm.reads_image:  # then no row has a say in another
        return torch.testing.assert_close(norm(x)[:, :, 5:9], norm(x[:, :, 5:9]))
    scale, shift = norm.scale_shift(x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0))
    torch.testing.assert_close(norm(x), x * scale[:, None, None] + shift[:, None, None])


@pytest.mark.parametrize("name", WORDS)
def test_every_norm_keeps_size_and_type_and_returns_to_its_state(name):
    norm = randomise(make_norm(name, 32))
    norm.train()
    x = image(32, dtype=torch.float32)
    assert norm(x.bfloat16()).dtype == torch.bfloat16
    assert norm(x).shape == x.shape
    twin = make_norm(name, 32)
    twin.load_state_dict(norm.state_dict())
    torch.testing.assert_close(twin.eval()(x), norm.eval()(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", WORDS)
def test_all_white_paper_stays_finite(name):
    assert torch.isfinite(make_norm(name, 32)(torch.zeros(1, 32, 20, 20))).all()


def test_a_norm_of_ones_own_has_its_own_gradient():
    class ByRMS(Norm):
        def scale_shift(self, mean, var):
            scale = self.weight.double() / (mean.square() + var + self.eps).sqrt()
            return scale, self.bias.double()  # (C,): it broadcasts to (..., C)

    norm, x = randomise(ByRMS(4, 1).double()), image(4, 5, 6).requires_grad_()
    root = (x.square().mean((2, 3), keepdim=True) + norm.eps).sqrt()
    expected = x / root * norm.weight[:, None, None] + norm.bias[:, None, None]
    torch.testing.assert_close(norm(x), expected)
    assert torch.autograd.gradcheck(norm, x)

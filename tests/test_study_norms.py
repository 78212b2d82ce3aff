"""Norms of the study, by their identities."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_norms import image, randomise
from test_norms_running import gradients, trained
from torch import nn

from studies.batch_size_one.norms import (
    OnlineNorm,
    PooledNorm,
    StandardisedConv2d,
    Together,
    pools_images,
    set_progress,
    standardise,
)
from studies.batch_size_one.plan import MOMENTA
from wellseg.net.resunet import ResUNet
from wellseg.norms import NORMS, make_norm
from wellseg.rows.evaluation import RowEvaluation

WORDS = [word for word in NORMS if word not in ("group", "instance", "layer", "batch")]


@pytest.mark.parametrize("word", WORDS)
def test_every_norm_trains_recomputed_or_not_and_is_evaluated_by_rows(word):
    ink = (torch.rand(1, 1, 75, 46, generator=torch.Generator().manual_seed(0)) < 0.3).double()
    outcomes = []
    for recompute in (False, True):
        torch.manual_seed(0)
        net = ResUNet(2, (6, 8), norm=word).double().train()
        net.recompute = recompute
        set_progress(net, 0.2)
        for _ in range(3):
            net(ink).sin().sum().backward()
        gradient = {name: p.grad for name, p in net.named_parameters()}
        outcomes.append({**gradient, **dict(net.named_buffers())})
    torch.testing.assert_close(outcomes[1], outcomes[0], rtol=0, atol=0)
    net.eval()
    rows = RowEvaluation(net, 75, 46, precision="fp64", device="cpu", strip_rows=8)
    bands = torch.cat([band for _, band in rows.bands(lambda a, b: ink[:, :, a:b])], 2)
    torch.testing.assert_close(bands, net(ink).detach(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["batch_frozen", "renorm", "pooled", "pooled_constant"])
def test_in_training_on_one_image_it_is_instance_norm(name):
    x = image(16)
    torch.testing.assert_close(make_norm(name, 16).double()(x), F.instance_norm(x))


@pytest.mark.parametrize(("name", "size"), [("group16", 16), ("group8", 8), ("group4", 4)])
def test_smaller_groups(name, size):
    x = image(32)
    torch.testing.assert_close(make_norm(name, 32).double()(x), F.group_norm(x, 32 // size))
    assert make_norm(name, 3).groups == 1
    assert [make_norm("groups8", width).groups for width in (4, 16, 128)] == [4, 8, 8]


def test_renorm_averages_the_standard_deviation_and_forgets_its_start():
    """From the 1/m-th image on it is the usual moving average; the paper's is of sigma."""
    norm = make_norm("renorm", 16, momentum=0.25).double()
    means, deviations = [], []
    for seed in range(6):
        x = (image(16, seed=seed) + seed) * (1 + 5 * (seed % 2))
        norm(x)
        means.append(x.mean((0, 2, 3)))
        deviations.append(x.std((0, 2, 3)))
    for values, found in ((means, norm.running_mean), (deviations, norm.running_var.sqrt())):
        expected = torch.stack(values[:4]).mean(0)
        for value in values[4:]:
            expected = 0.75 * expected + 0.25 * value
        torch.testing.assert_close(found, expected)


def test_one_training_has_the_running_statistics_of_every_momentum():
    """Each as that momentum's own BatchNorm has them; corrected, nothing is left of the start."""
    norm = make_norm("batch_momenta", 16).double()
    alone = {m: make_norm("batch", 16, momentum=m).double() for m in MOMENTA if m != "cumulative"}
    images = [image(16, 8 + seed, 9, seed=seed) + seed for seed in range(5)]
    for x in images:
        y = norm(x)
        for each in alone.values():
            torch.testing.assert_close(each(x), y)
    for momentum, each in alone.items():
        norm.use(momentum, corrected=False)
        torch.testing.assert_close(norm.running_mean, each.running_mean)
        torch.testing.assert_close(norm.running_var, each.running_var)
        torch.testing.assert_close(norm.eval()(images[0]), each.eval()(images[0]))
    means = torch.stack([x.mean((0, 2, 3)) for x in images])
    norm.use("cumulative", corrected=False)
    torch.testing.assert_close(norm.running_mean, means.mean(0))
    variances = torch.stack([x.var((0, 2, 3)) for x in images])
    torch.testing.assert_close(norm.running_var, variances.mean(0))
    norm.use(0.003, corrected=True)
    weights = (1 - 0.003) ** torch.arange(4, -1, -1, dtype=torch.float64)
    torch.testing.assert_close(norm.running_mean, weights @ means / weights.sum())


def test_frozen_statistics_make_training_and_evaluation_one_function():
    norm = trained("batch_frozen")
    norm.warmup = 0.25
    x, weights = image(16, seed=5), image(16, seed=6)
    set_progress(norm, 0.24)
    assert norm.reads_image
    set_progress(norm, 0.25)
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    in_training, grads = norm(x), gradients(norm, x, weights)
    torch.testing.assert_close(norm.state_dict(), before, rtol=0, atol=0)
    assert not norm.reads_image
    norm.eval()
    torch.testing.assert_close(in_training, norm(x), rtol=0, atol=1e-12)
    for ours, theirs in zip(grads, gradients(norm, x, weights), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_renorm_at_first_is_batch_norm():
    renorm, batch = trained("renorm"), make_norm("batch", 16, momentum=0.1).double()
    batch.load_state_dict(renorm.state_dict())
    set_progress(renorm, 0.05)
    x, weights = image(16, seed=5), image(16, seed=6)
    torch.testing.assert_close(renorm(x), batch(x))
    for a, b in zip(gradients(renorm, x, weights), gradients(batch, x, weights), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_renorm_within_bounds_and_its_gradient_by_hand():
    """The correction is a constant to the gradient."""
    norm = trained("renorm")
    norm.r_max, norm.d_max = 1.5, 0.5
    running_std = (norm.running_var + norm.eps).sqrt()[:, None, None]
    running_mean = norm.running_mean[:, None, None].clone()
    x = image(16, seed=5) * torch.linspace(0.5, 9, 16, dtype=torch.float64)[:, None, None]
    leaf, weights = x.clone().requires_grad_(), image(16, seed=6)
    mean = leaf.mean((2, 3), keepdim=True)
    std = (leaf.var((2, 3), correction=0, keepdim=True) + norm.eps).sqrt()
    with torch.no_grad():
        r = (std / running_std).clamp(1 / 1.5, 1.5)
        d = ((mean - running_mean) / running_std).clamp(-0.5, 0.5)
    assert 0 < (r == 1.5).sum() < 16 and 0 < (d.abs() == 0.5).sum() < 16, "both cases are met"
    expected = ((leaf - mean) / std * r + d) * norm.weight[:, None, None] + norm.bias[:, None, None]
    expected_grads = torch.autograd.grad((expected * weights).sum(), [leaf, norm.weight, norm.bias])
    state = copy.deepcopy(norm.state_dict())
    torch.testing.assert_close(norm(x), expected)
    norm.load_state_dict(state)  # the output above has moved the running statistics
    for ours, theirs in zip(gradients(norm, x, weights), expected_grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_renorm_bounds_follow_the_papers_schedule_over_the_run():
    norm = make_norm("renorm", 4)
    schedule = [(5_000, 1, 0), (15_000, 11 / 7, 2.5), (25_000, 15 / 7, 5), (100_000, 3, 5)]
    for steps, r_max, d_max in schedule:
        set_progress(norm, steps / 100_000)
        assert (norm.r_max, norm.d_max) == pytest.approx((r_max, d_max))


class PlainOnlineNorm:
    """The paper's equations 8 to 12 in NumPy, image (C, H, W) by image, with the authors' clamp."""

    def __init__(self, channels, forward_decay, backward_decay, eps=1e-5):
        self.a, self.b, self.eps = forward_decay, backward_decay, eps
        self.mean, self.var = np.zeros((channels, 1, 1)), np.ones((channels, 1, 1))
        self.u, self.v = np.zeros((channels, 1, 1)), np.zeros((channels, 1, 1))

    def step(self, x, weight, bias, grad_out):
        """Output, gradient by x, by weight, by bias."""
        weight, bias = weight[:, None, None], bias[:, None, None]
        std = np.sqrt(self.var + self.eps)
        y = (x - self.mean) / std
        mean, var = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
        away = mean - self.mean
        self.var = self.a * self.var + (1 - self.a) * var + self.a * (1 - self.a) * away**2
        self.mean = self.mean + (1 - self.a) * away
        out = weight * y + bias
        grad_out = np.where(np.abs(out) < 5, grad_out, 0)
        controlled = grad_out * weight - (1 - self.b) * self.v * y
        self.v = self.v + (controlled * y).mean((1, 2), keepdims=True)
        grad_x = controlled / std - (1 - self.b) * self.u
        self.u = self.u + grad_x.mean((1, 2), keepdims=True)
        return np.clip(out, -5, 5), grad_x, (grad_out * y).sum((1, 2)), grad_out.sum((1, 2))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_online_norm_is_the_papers(dtype, tolerance):
    ours = randomise(OnlineNorm(8, decay=0.95).to(dtype))
    paper = PlainOnlineNorm(8, 0.95, 0.99)
    weight, bias = (p.detach().double().numpy() for p in (ours.weight, ours.bias))
    clamped = 0
    for seed in range(60):
        x = (image(8, 9, 7, seed=seed) * (1 + seed % 3)).to(dtype)
        weights = image(8, 9, 7, seed=100 + seed).to(dtype)
        expected = paper.step(x[0].double().numpy(), weight, bias, weights[0].double().numpy())
        leaf = x.clone().to(memory_format=torch.channels_last).requires_grad_()
        out = ours(leaf)
        got = [out, *torch.autograd.grad((out * weights).sum(), [leaf, ours.weight, ours.bias])]
        clamped += (out.abs() == 5).sum().item()
        for a, b in zip(got, expected, strict=True):
            torch.testing.assert_close(
                a.detach().double().numpy().reshape(b.shape), b, rtol=tolerance, atol=tolerance
            )
    assert clamped, "the clamp is met"


# --- Several images in step -----------------------------------------------------------------------


def inks(sizes=((16, 24), (40, 8), (9, 13), (30, 50))):
    generator = torch.Generator().manual_seed(0)
    return [torch.rand((1, 1, *s), generator=generator, dtype=torch.float64) ** 2 for s in sizes]


def small_net(norm):
    torch.manual_seed(0)
    net = ResUNet(2, (8, 16), norm=norm).double()
    for parameter in net.parameters():  # zeros and ones hide mistakes
        parameter.data += 0.1 * torch.randn(parameter.shape, dtype=torch.float64)
    return net


def gradient(net, outputs):
    """Of a loss that differs in its weight from image to image and from pixel to pixel."""
    weighed = (
        (i + 1) * (y.tanh() * torch.arange(y.numel()).view_as(y).cos()).mean()
        for i, y in enumerate(outputs)
    )
    grads = torch.autograd.grad(sum(weighed), list(net.parameters()))
    return torch.cat([each.flatten() for each in grads])


def test_pooleds_over_images_of_one_size_are_pytorchs_batch_and_its_gradient(monkeypatch):
    monkeypatch.setattr(PooledNorm, "forgets_start", False)  # as PyTorch's
    images, net = inks([(16, 24)] * 4), small_net("pooled")
    theirs = copy.deepcopy(net)
    for stage in [*theirs.encoder, *theirs.decoder]:  # PyTorch's own layers
        for name in ("norm1", "norm2"):
            norm = nn.BatchNorm2d(getattr(stage, name).channels, momentum=0.01).double()
            norm.load_state_dict(getattr(stage, name).state_dict())
            setattr(stage, name, norm)
    ours, expected = Together(net)(images), theirs(torch.cat(images)).split(1)
    torch.testing.assert_close(torch.cat(ours), torch.cat(expected), rtol=0, atol=1e-10)
    torch.testing.assert_close(gradient(net, ours), gradient(theirs, expected))
    torch.testing.assert_close(net.state_dict(), theirs.state_dict())  # running statistics, too
    constant = small_net("pooled_constant")
    outputs = Together(constant)(images)
    torch.testing.assert_close(torch.cat(outputs), torch.cat(ours), rtol=0, atol=1e-12)
    exact = gradient(net, Together(net)(images))
    off = (gradient(constant, outputs) - exact).norm() / exact.norm()
    assert off > 0.5, "the gradient through the statistics is no detail"


def test_pixels_of_images_of_several_sizes_count_alike():
    norm = make_norm("pooled", 4).double()
    maps = [image(4, rows, columns, seed=rows) for rows, columns in ((16, 24), (9, 13), (30, 5))]
    pixels = torch.cat([y.flatten(2) for y in norm.together(maps)], 2)
    torch.testing.assert_close(pixels.mean((0, 2)), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(
        pixels.var((0, 2), correction=0), torch.ones(4, dtype=torch.float64), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("norm", ["group", "batch", "online"])
def test_other_norms_treat_each_image_by_itself(norm):
    net, twin = small_net(norm), small_net(norm)
    assert not pools_images(net) and pools_images(small_net("pooled"))
    for a, b in zip(Together(net)(inks()), [twin(x) for x in inks()], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    torch.testing.assert_close(net.state_dict(), twin.state_dict())


# --- Weight standardisation -----------------------------------------------------------------------


def test_weights_have_mean_0_and_variance_1_for_each_output_channel():
    weight = StandardisedConv2d(3, 5, 3).double().used_weight()
    torch.testing.assert_close(weight.mean((1, 2, 3)), torch.zeros(5, dtype=torch.float64))
    expected = torch.ones(5, dtype=torch.float64)
    torch.testing.assert_close(weight.var((1, 2, 3), correction=0), expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize("separable", [False, True])
def test_the_convolutions_before_a_norm_and_no_others_are_standardised(separable):
    net = ResUNet(2, (16, 32), separable=separable)
    state = copy.deepcopy(net.state_dict())
    standardise(net)
    kinds = (n for n, module in net.named_modules() if isinstance(module, StandardisedConv2d))
    names = {"conv1", "conv1.1", "conv2.1"} if separable else {"conv1", "conv2"}
    assert {name[name.index("conv") :] for name in kinds} == names
    torch.testing.assert_close(net.state_dict(), state, rtol=0, atol=0)

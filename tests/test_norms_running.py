"""Norms with running statistics, by their identities: BatchNorm and its variants, Online Normalization."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_norms import image, randomise
from torch import nn

from wellseg.norms import make_norm, set_progress

BATCH_NORMS = ["batch", "batch_frozen", "renorm", "two_phase", "two_phase_constant"]


def gradients(norm, x, weights):
    """Of the output's weighted sum: by x, weight and bias."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad((norm(x) * weights).sum(), [x, norm.weight, norm.bias])


def trained(name, momentum=0.1, images=5):
    """A layer that has seen some images, its scale and shift no longer 1 and 0."""
    norm = randomise(make_norm(name, 16, momentum=momentum).double())
    for seed in range(images):
        norm(image(16, seed=10 + seed) * (1 + seed))
    return norm


# --- BatchNorm ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BATCH_NORMS)
def test_in_training_on_one_image_it_is_instance_norm(name):
    x = image(16)
    torch.testing.assert_close(make_norm(name, 16).double()(x), F.instance_norm(x))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("n", [1, 3])
def test_batch_norm_is_pytorchs_in_float64(n, layout):
    ours, theirs = (
        randomise(make_norm("batch", 16).double()),
        nn.BatchNorm2d(16, momentum=0.01).double(),
    )
    theirs.load_state_dict(ours.state_dict())
    x, weights = image(16, n=n).to(memory_format=layout), image(16, seed=1, n=n)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)
    for a, b in zip(gradients(ours, x, weights), gradients(theirs, x, weights), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


@pytest.mark.parametrize("name", ["batch", "two_phase"])
def test_running_statistics_by_hand(name):
    norm = make_norm(name, 16, momentum=0.01).double()
    x = image(16)
    norm(x)
    values = x.shape[2] * x.shape[3]
    unbiased = x.var((0, 2, 3), correction=0) * values / (values - 1)
    torch.testing.assert_close(norm.running_mean, 0.01 * x.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, 0.99 + 0.01 * unbiased)


@pytest.mark.parametrize("name", [*BATCH_NORMS, "online"])
def test_cumulative_running_mean_is_that_of_all_images(name):
    norm = make_norm(name, 16, momentum="cumulative").double()
    images = [image(16, seed=seed) + seed for seed in range(4)]
    for x in images:
        norm(x)
    torch.testing.assert_close(norm.running_mean, torch.cat(images).mean((0, 2, 3)))
    if name == "online":  # its variance has the part between the images, BatchNorm's has not
        torch.testing.assert_close(norm.running_var, torch.cat(images).var((0, 2, 3), correction=0))
    else:
        torch.testing.assert_close(
            norm.running_var, torch.stack([x.var((0, 2, 3)) for x in images]).mean(0)
        )


@pytest.mark.parametrize("name", ["batch_frozen", "renorm"])
def test_nothing_is_left_of_the_initial_statistics(name):
    """From the 1/m-th image on it is the usual moving average."""
    norm = make_norm(name, 16, momentum=0.25).double()
    means = []
    for seed in range(6):
        x = image(16, seed=seed) + seed
        norm(x)
        means.append(x.mean((0, 2, 3)))
    expected = torch.stack(means[:4]).mean(0)
    for mean in means[4:]:
        expected = 0.75 * expected + 0.25 * mean
    torch.testing.assert_close(norm.running_mean, expected)


@pytest.mark.parametrize("name", [*BATCH_NORMS, "online"])
def test_in_evaluation_it_looks_at_no_other_pixel_and_learns_nothing(name):
    norm = trained(name).eval()
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    x = image(16, seed=5)
    torch.testing.assert_close(norm(x)[:, :, :9], norm(x[:, :, :9]), rtol=0, atol=1e-12)
    torch.testing.assert_close(norm.state_dict(), before, rtol=0, atol=0)
    assert not norm.reads_image


@pytest.mark.parametrize("name", BATCH_NORMS)
def test_a_map_of_one_pixel_is_explained(name):
    with pytest.raises(ValueError, match=r"more than one value per channel.*--model.norm group"):
        make_norm(name, 16)(torch.zeros(1, 16, 1, 1))


# --- Frozen after a warm-up -----------------------------------------------------------------------


def test_frozen_statistics_make_training_and_evaluation_one_function():
    norm = trained("batch_frozen")
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


# --- Batch Renormalization ------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_renorm_at_first_is_batch_norm(share):
    renorm, batch = trained("renorm"), make_norm("batch", 16, momentum=0.1).double()
    batch.load_state_dict(renorm.state_dict())
    set_progress(renorm, share)
    x, weights = image(16, seed=5), image(16, seed=6)
    torch.testing.assert_close(renorm(x), batch(x))
    for a, b in zip(gradients(renorm, x, weights), gradients(batch, x, weights), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_renorm_without_bounds_is_the_function_of_evaluation_but_its_gradient_has_no_mean():
    norm = trained("renorm")
    norm.r_max = norm.d_max = float("inf")
    before = make_norm("renorm", 16).double()
    before.load_state_dict(norm.state_dict())
    x, weights = image(16, seed=5) * 9, image(16, seed=6)
    torch.testing.assert_close(norm(x), before.eval()(x))
    grad, *_ = gradients(norm, x, weights)
    torch.testing.assert_close(
        grad.mean((2, 3)), torch.zeros(1, 16, dtype=torch.float64), rtol=0, atol=1e-12
    )
    frozen, *_ = gradients(before, x, weights)
    assert frozen.mean((2, 3)).abs().min() > 1e-6


def test_renorm_within_bounds_and_its_gradient_by_hand():
    """The correction is a constant to the gradient."""
    norm = trained("renorm")
    norm.r_max, norm.d_max = 1.5, 0.5
    running_std = (norm.running_var + norm.eps).sqrt()[:, None, None]
    running_mean = norm.running_mean[:, None, None].clone()
    x = image(16, seed=5) * torch.linspace(0.5, 9, 16, dtype=torch.float64)[:, None, None]
    leaf, weights = x.clone().requires_grad_(), image(16, seed=6)
    mean, std = (
        leaf.mean((2, 3), keepdim=True),
        (leaf.var((2, 3), correction=0, keepdim=True) + norm.eps).sqrt(),
    )
    with torch.no_grad():
        r, d = (
            (std / running_std).clamp(1 / 1.5, 1.5),
            ((mean - running_mean) / running_std).clamp(-0.5, 0.5),
        )
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
    schedule = [
        (0, 1, 0),
        (5_000, 1, 0),
        (15_000, 11 / 7, 2.5),
        (25_000, 15 / 7, 5),
        (40_000, 3, 5),
        (100_000, 3, 5),
    ]
    for steps, r_max, d_max in schedule:
        set_progress(norm, steps / 100_000)
        assert (norm.r_max, norm.d_max) == pytest.approx((r_max, d_max))


# --- Online Normalization -------------------------------------------------------------------------


class PlainOnlineNorm:
    """The paper's equations 8 to 12 in NumPy, image (C, H, W) by image, with the clamp of the authors' code."""

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
        self.var = (
            self.a * self.var + (1 - self.a) * var + self.a * (1 - self.a) * (mean - self.mean) ** 2
        )
        self.mean = self.mean + (1 - self.a) * (mean - self.mean)
        out = weight * y + bias
        grad_out = np.where(np.abs(out) < 5, grad_out, 0)
        grad = grad_out * weight
        controlled = grad - (1 - self.b) * self.v * y
        self.v = self.v + (controlled * y).mean((1, 2), keepdims=True)
        grad_x = controlled / std - (1 - self.b) * self.u
        self.u = self.u + grad_x.mean((1, 2), keepdims=True)
        return np.clip(out, -5, 5), grad_x, (grad_out * y).sum((1, 2)), grad_out.sum((1, 2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_online_norm_is_the_papers(dtype):
    ours, plain = (
        randomise(make_norm("online", 8, momentum=0.05).to(dtype)),
        PlainOnlineNorm(8, 0.95, 0.99),
    )
    weight, bias = (p.detach().double().numpy() for p in (ours.weight, ours.bias))
    clamped = 0
    for seed in range(60):
        x = (image(8, 9, 7, seed=seed) * (1 + seed % 3)).to(dtype)
        weights = image(8, 9, 7, seed=100 + seed).to(dtype)
        expected = plain.step(x[0].double().numpy(), weight, bias, weights[0].double().numpy())
        leaf = x.clone().to(memory_format=torch.channels_last).requires_grad_()
        out = ours(leaf)
        got = [out, *torch.autograd.grad((out * weights).sum(), [leaf, ours.weight, ours.bias])]
        clamped += (out.abs() == 5).sum().item()
        tight = (
            {"rtol": 1e-9, "atol": 1e-9} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-4}
        )
        for a, b in zip(got, expected, strict=True):
            torch.testing.assert_close(a.detach().double().numpy().reshape(b.shape), b, **tight)
    assert clamped, "the clamp is met"
    assert np.abs(plain.u).min() > 0 and np.abs(plain.v).min() > 0


def test_online_norm_in_training_is_evaluation_with_the_statistics_before():
    norm = trained("online")
    before = make_norm("online", 16).double()
    before.load_state_dict(norm.state_dict())
    x = image(16, seed=5)
    torch.testing.assert_close(norm(x), before.eval()(x))


def test_online_norm_takes_the_images_of_a_batch_one_after_the_other():
    together, apart = trained("online"), trained("online")
    x = image(16, n=3)
    torch.testing.assert_close(together(x), torch.cat([apart(each) for each in x.split(1)]))
    torch.testing.assert_close(together.state_dict(), apart.state_dict())


# --- These checks bite ----------------------------------------------------------------------------


def wrong_axes(x):
    """Moments of the rows instead of those of the channels, as many values as there are channels."""
    from wellseg.norms.moments import block_moments

    return block_moments(x.transpose(1, 2)[:, : x.shape[1]])


def one_block(x):
    """Only the first rows of the image."""
    from wellseg.norms.moments import block_moments

    return block_moments(x[:, :, :8])


def square_root_n(x):
    """The unbiased variance where the biased one belongs."""
    from wellseg.norms.moments import block_moments

    count, mean, square = block_moments(x)
    return count, mean, square * count / (count - 1)


@pytest.mark.parametrize("wrong", [wrong_axes, one_block, square_root_n])
@pytest.mark.parametrize(
    "check",
    [
        lambda: test_batch_norm_is_pytorchs_in_float64(1, torch.channels_last),
        lambda: test_in_training_on_one_image_it_is_instance_norm("renorm"),
        lambda: test_running_statistics_by_hand("two_phase"),
        lambda: test_online_norm_is_the_papers(torch.float64),
        lambda: torch.testing.assert_close(
            make_norm("layer", 16).double()(image(16)), F.layer_norm(image(16), (16, 37, 29))
        ),
        lambda: torch.testing.assert_close(
            make_norm("group", 32).double()(image(32)), F.group_norm(image(32), 2)
        ),
    ],
)
def test_a_norm_with_wrong_statistics_is_caught(monkeypatch, wrong, check):
    from wellseg.norms import maps, online

    check()
    monkeypatch.setattr(maps, "moments_of_map", wrong)
    monkeypatch.setattr(online, "moments_of_map", wrong)
    with pytest.raises(AssertionError):
        check()

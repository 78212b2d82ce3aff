"""BatchNorm by its identities, and that these checks find wrong statistics."""

import pytest
import torch
import torch.nn.functional as F
from test_norms import image, randomise
from torch import nn
from torch.utils.checkpoint import checkpoint

from wellseg.norms import make_norm
from wellseg.norms.batch import BatchNorm


def gradients(norm, x, weights):
    """Of the output's weighted sum: by x, weight and bias."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad((norm(x) * weights).sum(), [x, norm.weight, norm.bias])


def trained(name="batch", momentum=0.1, images=5):
    """A layer that has seen some images, its scale and shift no longer 1 and 0."""
    norm = randomise(make_norm(name, 16, momentum=momentum).double())
    for seed in range(images):
        norm(image(16, seed=10 + seed) * (1 + seed))
    return norm


def test_in_training_on_one_image_it_is_instance_norm():
    x = image(16)
    torch.testing.assert_close(BatchNorm(16).double()(x), F.instance_norm(x))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("n", [1, 3])
def test_batch_norm_is_pytorchs_in_float64(n, layout):
    ours, theirs = randomise(BatchNorm(16).double()), nn.BatchNorm2d(16, momentum=0.01).double()
    theirs.load_state_dict(ours.state_dict())
    x, weights = image(16, n=n).to(memory_format=layout), image(16, seed=1, n=n)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-12)
    for a, b in zip(gradients(ours, x, weights), gradients(theirs, x, weights), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_running_statistics_by_hand():
    norm = BatchNorm(16, momentum=0.01).double()
    x = image(16)
    norm(x)
    values = x.shape[2] * x.shape[3]
    unbiased = x.var((0, 2, 3), correction=0) * values / (values - 1)
    torch.testing.assert_close(norm.running_mean, 0.01 * x.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, 0.99 + 0.01 * unbiased)


def test_in_evaluation_it_looks_at_no_other_pixel_and_learns_nothing():
    norm = trained()
    assert norm.reads_image and not norm.eval().reads_image
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    x = image(16, seed=5)
    torch.testing.assert_close(norm(x)[:, :, :9], norm(x[:, :, :9]), rtol=0, atol=1e-12)
    torch.testing.assert_close(norm.state_dict(), before, rtol=0, atol=0)


def test_what_is_recomputed_in_the_backward_pass_is_observed_once():
    norm, x = trained(), image(16, seed=5).requires_grad_()
    seen = norm.num_batches_tracked.clone()
    y = checkpoint(norm, x, use_reentrant=False)
    after = {key: value.clone() for key, value in norm.state_dict().items()}
    y.square().sum().backward()
    torch.testing.assert_close(norm.state_dict(), after, rtol=0, atol=0)
    assert norm.num_batches_tracked == seen + 1


def test_a_map_of_one_pixel_is_explained():
    with pytest.raises(ValueError, match=r"more than one value per channel.*--model.norm group"):
        BatchNorm(16)(torch.zeros(1, 16, 1, 1))


# --- These checks bite ----------------------------------------------------------------------------


def wrong_axes(x):
    """Moments of the rows instead of those of the channels, as many values as there are channels."""
    from wellseg.norms import block_moments

    return block_moments(x.transpose(1, 2)[:, : x.shape[1]])


def one_block(x):
    """Only the first rows of the image."""
    from wellseg.norms import block_moments

    return block_moments(x[:, :, :8])


def square_root_n(x):
    """The unbiased variance where the biased one belongs."""
    from wellseg.norms import block_moments

    count, mean, square = block_moments(x)
    return count, mean, square * count / (count - 1)


@pytest.mark.parametrize("wrong", [wrong_axes, one_block, square_root_n])
@pytest.mark.parametrize(
    "check",
    [
        lambda: test_batch_norm_is_pytorchs_in_float64(1, torch.channels_last),
        test_in_training_on_one_image_it_is_instance_norm,
        test_running_statistics_by_hand,
        lambda: torch.testing.assert_close(
            make_norm("layer", 16).double()(image(16)), F.layer_norm(image(16), (16, 37, 29))
        ),
        lambda: torch.testing.assert_close(
            make_norm("group", 32).double()(image(32)), F.group_norm(image(32), 2)
        ),
    ],
)
def test_a_norm_with_wrong_statistics_is_caught(monkeypatch, wrong, check):
    check()
    monkeypatch.setattr("wellseg.norms.moments_of_map", wrong)
    with pytest.raises(AssertionError):
        check()

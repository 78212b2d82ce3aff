"""The loss: what is right costs nothing, 128 counts for nothing, an empty mask is defined."""

import pytest
import torch

from wellseg.training import segmenter as losses
from wellseg.training.segmenter import curve_loss


def truth_of(values):
    return torch.tensor(values, dtype=torch.uint8)[None, None]


def test_certain_and_right_costs_nothing_and_wrong_costs_much():
    truth = truth_of([[255, 0], [0, 255]])
    right = torch.where(truth == 255, 30.0, -30.0)
    assert curve_loss(right, truth) < 1e-6
    assert curve_loss(-right, truth) > 20


def test_unscored_pixels_have_no_say_and_no_gradient():
    truth = truth_of([[255, 0, 128, 128]])
    logits = torch.tensor([[[[0.3, -0.2, 9.0, -9.0]]]], requires_grad=True)
    other = torch.tensor([[[[0.3, -0.2, -5.0, 2.0]]]])
    loss = curve_loss(logits, truth)
    torch.testing.assert_close(loss, curve_loss(other, truth))
    loss.backward()
    assert (logits.grad[..., 2:] == 0).all() and (logits.grad[..., :2] != 0).all()


def test_an_empty_mask_is_met_by_predicting_nothing():
    truth = torch.zeros(1, 1, 50, 50, dtype=torch.uint8)
    assert curve_loss(torch.full((1, 1, 50, 50), -40.0), truth) < 1e-6
    assert curve_loss(torch.zeros(1, 1, 50, 50), truth) > 1


@pytest.mark.parametrize("kind", [torch.uint8, torch.bool, torch.int64, torch.float32])
def test_a_mask_of_ones_is_refused_not_taken_for_empty(kind):
    with pytest.raises(ValueError, match="curves are 255"):
        curve_loss(torch.zeros(1, 1, 2, 2), truth_of([[1, 0], [0, 1]]).to(kind))


def test_nothing_scored_is_no_loss():
    loss = curve_loss(
        torch.zeros(1, 1, 4, 4, requires_grad=True),
        torch.full((1, 1, 4, 4), 128, dtype=torch.uint8),
    )
    assert loss == 0


def test_it_is_computed_in_float32_whatever_comes_in():
    truth = truth_of([[255, 0, 0, 0]])
    logits = torch.tensor([[[[0.5, -0.5, 0.25, 2.0]]]])
    assert curve_loss(logits.bfloat16(), truth).dtype == torch.float32
    torch.testing.assert_close(curve_loss(logits.bfloat16(), truth), curve_loss(logits, truth))


def test_value_and_gradient_are_those_of_the_formula(monkeypatch):
    """Of both terms, in float64, in blocks of a few rows."""
    monkeypatch.setattr(losses, "BLOCK_ROWS", 4)
    generator = torch.Generator().manual_seed(0)
    logits = (
        3 * torch.randn(2, 1, 11, 17, generator=generator, dtype=torch.float64)
    ).requires_grad_()
    truth = torch.tensor([0, 128, 255], dtype=torch.uint8)[
        torch.randint(3, (2, 1, 11, 17), generator=generator)
    ]
    target, weight = (truth == 255).double(), (truth != 128).double()
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, target, weight, reduction="sum"
    )
    probability = logits.sigmoid() * weight
    dice = (2 * (probability * target).sum() + 1) / (probability.sum() + target.sum() + 1)
    expected = entropy / weight.sum() + 1 - dice
    (expected_gradient,) = torch.autograd.grad(2.5 * expected, logits)
    loss = curve_loss(logits, truth)
    (gradient,) = torch.autograd.grad(2.5 * loss, logits)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-9, atol=1e-15)

"""k images of different sizes in step: outputs and gradients of the concatenated batch."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wellseg.net.resunet import ResUNet
from wellseg.norms import NORMS, TwoPhaseConstantNorm, TwoPhaseNorm
from wellseg.training.together import Together, pools_images

SIZES = [(16, 24), (40, 8), (9, 13), (30, 50)]


def inks(sizes=SIZES):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.rand((1, 1, *size), generator=generator, dtype=torch.float64).square()
        for size in sizes
    ]


def small_net(norm):
    torch.manual_seed(0)
    net = ResUNet(2, (8, 16), norm=norm).double()
    for parameter in net.parameters():  # zeros and ones hide mistakes
        parameter.data += 0.1 * torch.randn(parameter.shape, dtype=torch.float64)
    return net


def loss_of(outputs):
    """Differs in its weight from image to image and from pixel to pixel."""
    return sum(
        (i + 1) * (y.tanh() * torch.arange(y.numel()).view_as(y).cos()).mean()
        for i, y in enumerate(outputs)
    )


def gradient(net, loss):
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))])


class TogetherByHand(nn.Module):
    """A small network over a list of images, its BatchNorm written as the formula over concatenated pixels."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv1, self.norm1 = nn.Conv2d(1, 6, 3, padding=1), TwoPhaseNorm(6)
        self.conv2, self.norm2 = nn.Conv2d(6, 5, 3, padding=1), TwoPhaseNorm(5)
        self.head = nn.Conv2d(5, 1, 1)
        self.double()

    def forward(self, x):
        return self.head(F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))))

    def by_hand(self, images):
        for conv, norm in ((self.conv1, self.norm1), (self.conv2, self.norm2)):
            maps = [conv(x) for x in images]
            pixels = torch.cat([x.flatten(2) for x in maps], 2)  # (1, C, all pixels of all images)
            mean, var = pixels.mean((0, 2)), pixels.var((0, 2), correction=0)
            scale = norm.weight / (var + norm.eps).sqrt()
            images = [
                F.relu((x - mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None])
                for x in maps
            ]
        return [self.head(x) for x in images]


def test_gradients_are_those_of_the_concatenated_batch_of_different_sizes():
    net = TogetherByHand()
    ours, theirs = Together(net)(inks()), net.by_hand(inks())
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
    torch.testing.assert_close(
        gradient(net, loss_of(ours)), gradient(net, loss_of(theirs)), rtol=0, atol=1e-10
    )


def test_images_of_one_size_are_pytorchs_batch():
    images = inks([(16, 24)] * 4)
    net, batch = small_net("two_phase"), small_net("batch")
    torch_net = copy.deepcopy(batch)
    for stage in [*torch_net.encoder, *torch_net.decoder]:  # PyTorch's own layers
        for name in ("norm1", "norm2"):
            norm = nn.BatchNorm2d(getattr(stage, name).num_features, momentum=0.01).double()
            norm.load_state_dict(getattr(stage, name).state_dict())
            setattr(stage, name, norm)
    ours, theirs = Together(net)(images), torch_net(torch.cat(images)).split(1)
    torch.testing.assert_close(torch.cat(ours), torch.cat(theirs), rtol=0, atol=1e-10)
    torch.testing.assert_close(
        gradient(net, loss_of(ours)), gradient(torch_net, loss_of(theirs)), rtol=1e-10, atol=1e-10
    )
    torch.testing.assert_close(net.state_dict(), torch_net.state_dict())  # running statistics, too


class ForumNorm(nn.BatchNorm2d):
    """The source's layer, mended: phase one notes the batch's statistics, phase two uses them."""

    phase = 1

    def forward(self, x):
        if self.phase == 1:
            self.batch_mean, self.batch_var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        x = (x - self.batch_mean[:, None, None]) / (self.batch_var[:, None, None] + self.eps).sqrt()
        return x * self.weight[:, None, None] + self.bias[:, None, None]


def test_constant_statistics_are_the_forums_two_phases_and_another_gradient():
    images = inks([(16, 24)] * 4)
    constant, exact = small_net("two_phase_constant"), small_net("two_phase")
    forum = copy.deepcopy(exact)
    for stage in [*forum.encoder, *forum.decoder]:
        for name in ("norm1", "norm2"):
            norm = ForumNorm(getattr(stage, name).num_features).double()
            norm.load_state_dict(getattr(stage, name).state_dict())
            setattr(stage, name, norm)
    with torch.no_grad():
        forum(torch.cat(images))
    for module in forum.modules():
        module.phase = 2
    outputs = {
        name: Together(net)(images) for name, net in (("constant", constant), ("exact", exact))
    }
    forum_outputs = [forum(image) for image in images]
    gradients = {
        "constant": gradient(constant, loss_of(outputs["constant"])),
        "exact": gradient(exact, loss_of(outputs["exact"])),
        "forum": gradient(forum, loss_of(forum_outputs)),
    }
    torch.testing.assert_close(
        torch.cat(outputs["constant"]), torch.cat(outputs["exact"]), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(
        torch.cat(outputs["constant"]), torch.cat(forum_outputs), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(gradients["constant"], gradients["forum"], rtol=1e-9, atol=1e-10)
    error = (gradients["constant"] - gradients["exact"]).norm() / gradients["exact"].norm()
    assert error > 0.5, "the gradient through the statistics is no detail"


@pytest.mark.parametrize("norm", NORMS)
def test_other_norms_treat_each_image_by_itself(norm):
    net, twin = small_net(norm), small_net(norm)
    if pools_images(net):
        net.eval(), twin.eval()
    for a, b in zip(Together(net)(inks()), [twin(x) for x in inks()], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    torch.testing.assert_close(net.state_dict(), twin.state_dict())


def test_which_norms_pool():
    assert {norm for norm in NORMS if pools_images(ResUNet(2, (8,), norm=norm))} == {
        "two_phase",
        "two_phase_constant",
    }
    assert issubclass(TwoPhaseConstantNorm, TwoPhaseNorm)

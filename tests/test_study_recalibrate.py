"""Running statistics measured once more, against what they are by definition."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import studies.batch_size_one.norms  # noqa: F401  # registers its norms
from studies.batch_size_one.recalibrate import layer_by_layer, precise
from wellseg.net.resunet import ResUNet
from wellseg.norms import NORMS, make_norm
from wellseg.norms.batch import BatchNorm

SIZES = [(16, 24), (40, 8), (9, 13), (30, 50)]
RUNNING = [name for name in NORMS if hasattr(make_norm(name, 4), "running_mean")]


def inks(brightness=1.0):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.rand((1, 1, *size), generator=generator, dtype=torch.float64).pow(i + 1) * brightness
        for i, size in enumerate(SIZES)
    ]


def trained_net(norm):
    torch.manual_seed(0)
    net = ResUNet(2, (8, 16), norm=norm, momentum=0.1).double()
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, dtype=torch.float64)
    for ink in inks(0.7):
        net(ink)
    return net


def statistics(maps):
    """Mean and variance of each channel, by definition."""
    means = torch.stack([x.mean((0, 2, 3)) for x in maps])
    squares = torch.stack([x.square().mean((0, 2, 3)) for x in maps])
    return means.mean(0), squares.mean(0) - means.mean(0).square()


@pytest.mark.parametrize("recalibrate", [precise, layer_by_layer])
def test_one_layer_has_the_statistics_of_all_images(recalibrate):
    net = nn.Sequential(nn.Conv2d(1, 6, 3), BatchNorm(6)).double()
    net(inks()[0])
    recalibrate(net, inks())
    mean, var = statistics([net[0](x) for x in inks()])
    torch.testing.assert_close(net[1].running_mean, mean)
    torch.testing.assert_close(net[1].running_var, var)
    mean_of_variances = torch.stack([net[0](x).var((0, 2, 3), correction=0) for x in inks()]).mean(
        0
    )
    assert (var - mean_of_variances).abs().max() > 1e-3 * var.max(), (
        "the images differ from one another"
    )


@pytest.mark.parametrize("recalibrate", [precise, layer_by_layer])
def test_what_the_second_layer_sees(recalibrate):
    """PreciseBN: each image normalised by itself. Layer by layer: what evaluation gives it."""
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3), BatchNorm(6), nn.ReLU(), nn.Conv2d(6, 5, 3), BatchNorm(5)
    ).double()
    recalibrate(net, inks())
    first = [net[0](x) for x in inks()]
    mean, var = (each.detach() for each in statistics(first))
    seen = [
        F.instance_norm(x) if recalibrate is precise else F.batch_norm(x, mean, var) for x in first
    ]
    mean, var = statistics([net[3](x.relu()) for x in seen])
    torch.testing.assert_close(net[4].running_mean, mean)
    torch.testing.assert_close(net[4].running_var, var)


@pytest.mark.parametrize("norm", RUNNING)
def test_layer_by_layer_every_channel_has_mean_0_and_variance_1_in_evaluation(norm):
    net = trained_net(norm)
    layer_by_layer(net, inks())
    maps = {module: [] for module in net.modules() if hasattr(module, "running_mean")}
    for module in maps:
        module.register_forward_pre_hook(lambda module, args: maps[module].append(args[0]))
    for ink in inks():
        net.eval()(ink)
    for module, inputs in maps.items():
        normalised = [F.batch_norm(x, module.running_mean, module.running_var) for x in inputs]
        mean, var = statistics(normalised)
        torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-9)
        torch.testing.assert_close(
            var, module.running_var / (module.running_var + 1e-5), rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("recalibrate", [precise, layer_by_layer])
@pytest.mark.parametrize("norm", RUNNING)
def test_only_running_statistics_change_and_once_more_changes_nothing(recalibrate, norm):
    net = trained_net(norm)
    net.encoder.eval()
    before = copy.deepcopy(net.state_dict())
    recalibrate(net, inks())
    modes = {name for name, module in net.named_modules() if not module.training}
    assert modes == {name for name, _ in net.named_modules() if name.startswith("encoder")}, (
        "as they were"
    )
    once = copy.deepcopy(net.state_dict())
    changed = {name.rsplit(".", 1)[1] for name in once if not torch.equal(once[name], before[name])}
    assert changed == {"running_mean", "running_var"}
    if recalibrate is layer_by_layer or norm in (
        "batch",
        "batch_momenta",
        "pooled",
        "pooled_constant",
    ):
        recalibrate(net, inks())
        torch.testing.assert_close(net.state_dict(), once, rtol=1e-10, atol=1e-10)


def test_the_two_differ_where_images_do():
    one, other = trained_net("batch"), trained_net("batch")
    precise(one, inks()), layer_by_layer(other, inks())
    first, last = (lambda net: net.encoder[0].norm1), (lambda net: net.decoder[0].norm2)
    torch.testing.assert_close(first(one).running_var, first(other).running_var)
    assert (last(one).running_var / last(other).running_var).log().abs().max() > 0.05


@pytest.mark.parametrize("recalibrate", [precise, layer_by_layer])
def test_what_is_refused(recalibrate):
    with pytest.raises(ValueError, match="no norms with running statistics"):
        recalibrate(ResUNet(2, (8,)), [torch.zeros(1, 1, 8, 8)])
    with pytest.raises(ValueError, match="at least one image"):
        recalibrate(ResUNet(2, (8,), norm="batch"), [])
    if recalibrate is layer_by_layer:
        with pytest.raises(ValueError, match="give a list"):
            recalibrate(ResUNet(2, (8,), norm="batch"), iter([torch.zeros(1, 1, 8, 8)]))


def test_a_prior_counts_as_so_many_images():
    norm = BatchNorm(6).double()
    net = nn.Sequential(nn.Conv2d(1, 6, 3), norm).double()
    net(inks()[0])
    old_mean, old_var = norm.running_mean.clone(), norm.running_var.clone()
    mean, var = statistics([net[0](x) for x in inks()])
    precise(net, inks(), prior=4)  # as many as there are images
    torch.testing.assert_close(norm.running_mean, (mean + old_mean) / 2)
    between = (mean - old_mean).square() / 4
    torch.testing.assert_close(norm.running_var, (var + old_var) / 2 + between)

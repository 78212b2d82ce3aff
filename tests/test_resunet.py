"""The network: any size in, the same out."""

import pytest
import torch
from test_norms import WORDS

from wellseg.net.resunet import ResUNet, to_ink
from wellseg.norms import Norm
from wellseg.norms.batch import BatchNorm
from wellseg.rows.evaluation import RowEvaluation


@pytest.mark.parametrize(
    ("patch", "widths"), [(2, (32, 64, 128)), (1, (16, 32, 64, 128)), (2, (8,)), (1, (4, 8))]
)
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (64, 64), (37, 91)])
def test_any_size_comes_out_as_it_went_in(patch, widths, size):
    net = ResUNet(patch, widths)
    assert net(torch.rand(1, 1, *size)).shape == (1, 1, *size)


@pytest.mark.parametrize("separable", [False, True])
@pytest.mark.parametrize("patch", [1, 2])
def test_it_trains_and_is_evaluated_by_rows_exactly(patch, separable):
    net = ResUNet(patch, (6, 8, 12), separable=separable).double()
    ink = (torch.rand(1, 1, 75, 46) < 0.1).double()
    answer = net(ink)
    assert answer.shape == ink.shape
    answer.square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())
    evaluation = RowEvaluation(net.eval(), 75, 46, precision="fp64", device="cpu", strip_rows=8)
    bands = evaluation.bands(lambda a, b: ink[:, :, a:b])
    rows = torch.cat([band for _, band in bands], 2)
    torch.testing.assert_close(rows, answer.detach(), rtol=0, atol=1e-10)


def test_the_names_and_shapes_of_the_tensors_are_those_of_every_weights_file():
    plain = ResUNet(2, (8, 16), separable=False).state_dict()
    assert plain["encoder.0.conv1.weight"].shape == (8, 4, 3, 3)
    assert plain["head.weight"].shape == (4, 8, 1, 1)
    separable = ResUNet(2, (8, 16)).state_dict()
    assert separable["encoder.1.conv1.0.weight"].shape == (8, 1, 3, 3)
    assert separable["encoder.1.conv1.1.weight"].shape == (16, 8, 1, 1)
    assert separable["encoder.0.conv1.weight"].shape == (8, 4, 3, 3)


@pytest.mark.parametrize("norm", WORDS)
def test_the_norm_is_one_word(norm):
    net = ResUNet(2, (8, 16), norm=norm)
    net(torch.rand(1, 1, 20, 30)).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_legacy_layer_has_the_articles_momentum():
    net = ResUNet(1, (16, 32, 64, 128), norm="batch", separable=False)
    layers = [module for module in net.modules() if isinstance(module, BatchNorm)]
    assert len(layers) == 14 and all(layer.momentum == 0.01 for layer in layers)


def test_group_norm_follows_half_or_16_at_every_width():
    net = ResUNet(1, (16, 32, 64, 128), norm="group")
    layers = [m for m in net.modules() if isinstance(m, Norm)]
    groups = {(layer.channels, layer.groups) for layer in layers}
    assert groups == {(16, 1), (32, 2), (64, 4), (128, 8)}


def test_paper_below_and_to_the_right_up_to_the_multiple_changes_nothing():
    """The net pads by itself with paper: padding by hand up to the same size is the same image."""
    net = ResUNet(2, (8, 16)).double()
    ink = torch.rand(1, 1, 30, 42, dtype=torch.float64)
    padded = torch.zeros(1, 1, 32, 44, dtype=torch.float64)
    padded[:, :, :30, :42] = ink
    torch.testing.assert_close(net(ink), net(padded)[:, :, :30, :42], rtol=0, atol=1e-12)


def test_stride_of_the_network_shifts_along():
    """Fully convolutional: moving the ink by the coarsest cell moves the answer (away from the edges)."""
    net = ResUNet(2, (8, 16), norm="batch").double().eval()
    ink = torch.zeros(1, 1, 120, 120, dtype=torch.float64)
    ink[:, :, 50:70, 55:58] = 1
    moved = net(ink.roll((8, 4), (2, 3))).roll((-8, -4), (2, 3))
    here = slice(30, 90)
    expected = net(ink)[:, :, here, here]
    torch.testing.assert_close(moved[:, :, here, here], expected, rtol=0, atol=1e-12)


def test_ink_is_one_where_the_scan_is_black():
    gray = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)
    torch.testing.assert_close(to_ink(gray), torch.tensor([[[[1.0, 0.8, 0.0]]]]))
    with torch.autocast("cpu", torch.bfloat16):
        assert to_ink(gray).dtype == torch.bfloat16


@pytest.mark.parametrize("norm", WORDS)
def test_recomputed_stages_give_the_same_gradients_and_running_statistics(norm):
    ink = torch.rand(1, 1, 70, 53)
    outcomes = []
    for recompute in (False, True):
        torch.manual_seed(0)
        net = ResUNet(1, (4, 8, 16), norm=norm).train()
        net.recompute = recompute
        for _ in range(3):
            net(ink).sin().sum().backward()
        gradients = {name: p.grad for name, p in net.named_parameters()}
        outcomes.append({**gradients, **dict(net.named_buffers())})
    plain, recomputed = outcomes
    assert plain.keys() == recomputed.keys()
    for name, tensor in plain.items():
        torch.testing.assert_close(recomputed[name], tensor, rtol=0, atol=0, msg=name)


def kept_values(net, ink):
    """How many values the forward pass keeps for the gradient."""
    kept = {}

    def note(tensor):
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        net(ink)
    return sum(kept.values())


@pytest.mark.parametrize("separable", [False, True])
def test_recomputed_stages_keep_a_fraction(separable):
    net, ink = ResUNet(1, (4, 8, 16), separable=separable).train(), torch.rand(1, 1, 128, 128)
    all_kept = kept_values(net, ink)
    net.recompute = True
    assert kept_values(net, ink) < 0.6 * all_kept


@pytest.mark.parametrize("patch", [1, 2])
def test_scans_with_colours_have_weights_of_their_own(patch):
    torch.manual_seed(3)
    plain = ResUNet(patch, (6, 8))
    torch.manual_seed(3)
    net = ResUNet(patch, (6, 8), colour=True)
    ink = torch.rand(1, 1, 40, 30)
    assert torch.equal(net(ink), plain(ink)), "the same seed gives the same weights for ink"
    net.recompute = True
    net(torch.cat([ink, torch.rand(1, 2, 40, 30) - 0.5], 1)).square().mean().backward()
    taught = {name.split(".")[0] for name, each in net.named_parameters() if each.grad is not None}
    assert taught == {"of_colour"}
    assert all(each.grad.abs().sum() > 0 for each in net.of_colour.parameters())


@pytest.mark.filterwarnings("ignore:.*:torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("how", "norm"), [("export", "instance"), *(("trace", word) for word in WORDS)]
)
def test_an_exported_network_takes_scans_of_other_sizes(how, norm):
    """ONNX is made of either."""
    net, dynamic = ResUNet(widths=(8, 16), norm=norm).eval(), torch.export.Dim.DYNAMIC
    example, other = torch.rand(1, 1, 70, 53), torch.rand(1, 1, 190, 83)
    if how == "trace":
        exported = torch.jit.trace(net, example)
    else:
        sizes = {"ink": {2: dynamic, 3: dynamic}}
        exported = torch.export.export(net, (example,), dynamic_shapes=sizes).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(other), net(other), rtol=0, atol=1e-4)

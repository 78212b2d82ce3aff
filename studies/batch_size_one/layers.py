"""How far an image's statistics lie from the running ones, layer by layer; and activations for the report."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from studies.batch_size_one.logs import StudyLog
from studies.batch_size_one.scores import buffers_kept
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.norms import channel_statistics

EPS = 1e-5


def norm_layers(net: ResUNet) -> dict[str, nn.Module]:
    """The normalisers in the order of the forward pass: encoder.0.norm1, ..."""
    return {
        name: module
        for name, module in net.named_modules()
        if name.rpartition(".")[2] in ("norm1", "norm2")
    }


@torch.no_grad()
def inputs(net: ResUNet, log: StudyLog) -> dict[str, Tensor]:
    """What each normaliser gets of that log, in the mode the network is in."""
    seen: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_pre_hook(
            lambda _, args, name=name: seen.__setitem__(name, args[0].clone())
        )
        for name, layer in norm_layers(net).items()
    ]
    try:
        with buffers_kept(net):
            net(to_ink(log.tensors[0]))
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def divergence(
    mean: Tensor, var: Tensor, running_mean: Tensor, running_var: Tensor
) -> tuple[float, float]:
    """KL divergence from the running normal distribution to the image's, (C,) each: its two parts.

    KL(N(mean, var) || N(running)) = 0.5 ((mean - running mean)^2 / rv) + 0.5 (var/rv - 1 - log(var/rv));
    averaged over channels. The layer's eps is part of both variances, as it is in what it computes.
    """
    running_var, var = running_var.double() + EPS, var.double() + EPS
    ratio = var / running_var
    by_mean = 0.5 * (mean.double() - running_mean.double()).square() / running_var
    by_variance = 0.5 * (ratio - 1 - ratio.log())
    return by_mean.mean().item(), by_variance.mean().item()


@torch.no_grad()
def layer_rows(net: ResUNet, logs: Sequence[StudyLog]) -> list[dict[str, object]]:
    """Per layer, in evaluation mode: both parts of the divergence, and how far the layer's two modes part.

    Without running statistics there is nothing to diverge from: 0. gap is measured for all: the
    relative L2 distance between the layer's output in training and in evaluation mode on the same input.
    """
    net = copy.deepcopy(net).eval()
    layers = norm_layers(net)
    sums = {name: [0.0, 0.0, 0.0] for name in layers}
    for log in logs:
        for name, x in inputs(net, log).items():
            layer = layers[name]
            if getattr(layer, "running_mean", None) is not None:
                parts = divergence(
                    *channel_statistics(x), layer.running_mean, running_variance(layer)
                )  # type: ignore[arg-type]
                sums[name][0] += parts[0]
                sums[name][1] += parts[1]
            evaluated = layer(x)
            with buffers_kept(layer):
                trained = layer.train()(x)
            layer.eval()
            sums[name][2] += (
                (trained - evaluated).norm() / evaluated.norm().clamp(min=1e-12)
            ).item()
    return [
        {
            "layer": name,
            "channels": layers[name].weight.numel(),  # type: ignore[operator]
            "kl_mean": each[0] / len(logs),
            "kl_variance": each[1] / len(logs),
            "gap": each[2] / len(logs),
        }
        for name, each in sums.items()
    ]


def running_variance(layer: nn.Module) -> Tensor:
    return layer.running_var  # type: ignore[return-value]


def activations(net: ResUNet, logs: dict[str, StudyLog]) -> list[dict[str, object]]:
    """Mean and standard deviation of every channel before normalising, of the first layer of each width.

    For each log in evaluation mode; beside them the running ones, where the layer has any.
    """
    net = copy.deepcopy(net).eval()
    layers = norm_layers(net)
    seen = {kind: inputs(net, log) for kind, log in logs.items()}
    found: list[dict[str, object]] = []
    for name, layer in layers.items():
        channels = layer.weight.numel()  # type: ignore[operator]
        if channels in [each["channels"] for each in found]:
            continue
        entry: dict[str, object] = {"layer": name, "channels": channels}
        for kind in logs:
            x = seen[kind][name]
            mean, var = channel_statistics(x)
            entry[kind] = {
                "mean": _list(mean),
                "sd": _list(var.sqrt()),
                "pixels": x.shape[2] * x.shape[3],
            }
        if getattr(layer, "running_mean", None) is not None:
            running = layer.running_mean, running_variance(layer).sqrt()
            entry["running"] = {"mean": _list(running[0]), "sd": _list(running[1])}  # type: ignore[arg-type]
        found.append(entry)
    return found


def _list(values: Tensor) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]

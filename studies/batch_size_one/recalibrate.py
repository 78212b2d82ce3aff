"""Running statistics of a trained BatchNorm, measured once more with the final weights.

In training the running statistics lag behind the weights, and they are those of networks in
training mode, whose earlier layers normalise every image by itself. Two remedies:

* ``precise`` (PreciseBN: Wu and Johnson 2021, arXiv 2105.07576): the true statistics over chosen
  images, with the variance between images, which a moving average of variances leaves out. One
  pass; but still each layer's input is as in training mode, not as evaluation will give it.
* ``layer_by_layer``: each layer's statistics are measured in evaluation mode, behind earlier layers
  that have their new ones. So over those images every normalised channel has mean 0 and variance 1
  in the very mode that is used. A pass, on average through half of the network, for each norm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from studies.batch_size_one.norms import BatchMomenta, OnlineNorm, scaled
from wellseg.norms import Moments, merge_moments, moments_of_map
from wellseg.norms.batch import BatchNorm

RunningNorm = BatchNorm | OnlineNorm | BatchMomenta


@torch.no_grad()
def precise(net: nn.Module, images: Iterable[Tensor], prior: float = 0) -> None:
    """PreciseBN: set the running statistics of a network, in place, to those of these images.

    images: ink (1, 1, H, W) in [0, 1], of any sizes. prior: so many images count as having the
    statistics that are there (Schneider et al. 2020, arXiv 2006.16971; 0 is AdaBN). Raises
    ValueError for none, or a network without running statistics.
    """
    norms = _running_norms(net)
    population: dict[RunningNorm, Moments] = {}

    def measure(norm: RunningNorm, x: Tensor) -> Tensor | None:
        count, mean, square = moments = moments_of_map(x)
        population[norm] = _merged(population.get(norm), moments)
        if norm in own_statistics and not isinstance(norm, OnlineNorm):
            return scaled(x, *norm.scale_shift(mean, square / count))
        return None

    with _evaluation(net), instead(norms, measure):
        # Norms whose training has other statistics than evaluation; frozen, online ones stay.
        own_statistics = {norm for norm in norms if norm.train().reads_image}
        net.eval()
        for image in images:
            net(image)
    if not population:
        raise ValueError("recalibration needs at least one image")
    for norm, moments in population.items():
        if prior:
            var = norm.running_var.double()
            moments = merge_moments((prior, norm.running_mean.double(), var * prior), moments)
        _set(norm, moments)


@torch.no_grad()
def layer_by_layer(net: nn.Module, images: Iterable[Tensor]) -> None:
    """Set the running statistics of a network, in place, one norm after the other; see above.

    images: as for ``precise``, gone through once for each norm: a list, for instance.
    """
    if isinstance(images, Iterator):
        raise ValueError("the images are gone through several times: give a list, not an iterator")
    with _evaluation(net):
        for norm in _running_norms(net):
            population: Moments | None = None

            def measure(norm: RunningNorm, x: Tensor) -> Tensor | None:
                nonlocal population
                population = _merged(population, moments_of_map(x))
                raise _Enough

            with instead([norm], measure):
                for image in images:
                    with suppress(_Enough):
                        net(image)
            if population is None:
                raise ValueError("recalibration needs at least one image")
            _set(norm, population)


class _Enough(Exception):
    """The rest of the network is not needed."""


def running_norms(net: nn.Module) -> list[RunningNorm]:
    """In the order in which the network holds them, which is that of an image's way."""
    return [module for module in net.modules() if isinstance(module, RunningNorm)]


def _running_norms(net: nn.Module) -> list[RunningNorm]:
    norms = running_norms(net)
    if not norms:
        raise ValueError(
            f"this {type(net).__name__} has no norms with running statistics to recalibrate"
        )
    return norms


@contextmanager
def _evaluation(net: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def instead(
    norms: Iterable[RunningNorm], function: Callable[[Any, Tensor], Tensor | None]
) -> Iterator[None]:
    """Have function(norm, its input) called for each use of a norm; what it returns, if anything,
    is the output."""
    hooks = [
        norm.register_forward_hook(lambda norm, args, _: function(norm, args[0])) for norm in norms
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _merged(before: Moments | None, image: Moments) -> Moments:
    count, mean, square = image
    image = 1, mean, square / count  # each image counts the same, as it does in training
    return merge_moments(before, image) if before else image


def _set(norm: RunningNorm, moments: Moments) -> None:
    count, mean, square = moments
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(square / count)

"""What a trained network is worth: its masks scored, in each mode, and how they change with what lies around."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from studies.batch_size_one.logs import Pixels, StudyLog, append_white
from studies.batch_size_one.recalibrate import layer_by_layer, precise
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.scores.masks import score_log

Mask = NDArray[np.bool_]

EVALUATION, TRAINING, PRECISE, LAYERWISE = "evaluation", "training", "precise", "layerwise"
HALO_ROWS = 128
"""Rows around a tile that its mask depends on by convolutions, and more: what is left is the normaliser's."""
WHITE_ROWS = 256


def has_running_statistics(net: nn.Module) -> bool:
    """Whether it is BatchNorm-type: evaluation uses something else than training does."""
    return any(name.endswith("running_mean") for name, _ in net.named_buffers())


def in_mode(net: ResUNet, mode: str, calibration: Sequence[StudyLog]) -> ResUNet:
    """A copy of the network, ready to be scored in that mode.

    evaluation: as deployed. training: statistics of the very image (BatchNorm: InstanceNorm at test).
    precise, layerwise: evaluation, after the running statistics were gathered anew from the
    calibration logs, in training mode all at once, or one layer after the other in evaluation mode.
    """
    net = copy.deepcopy(net)
    images = [to_ink(log.tensors[0]) for log in calibration]
    if mode == PRECISE:
        precise(net, images)
    elif mode == LAYERWISE:
        layer_by_layer(net, images)
    return net.train(mode == TRAINING)


def modes_of(net: nn.Module) -> tuple[str, ...]:
    """Without running statistics both modes are the same function, as `layers` measures."""
    return (
        (EVALUATION, TRAINING, PRECISE, LAYERWISE) if has_running_statistics(net) else (EVALUATION,)
    )


@contextlib.contextmanager
def buffers_kept(net: nn.Module) -> Iterator[None]:
    """Whatever a forward in training mode does to running statistics is undone."""
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    try:
        yield
    finally:
        for name, buffer in net.named_buffers():
            buffer.copy_(before[name])


@torch.no_grad()
def predict(net: ResUNet, gray: Pixels) -> Mask:
    """uint8 (rows, columns) -> bool, True on curves."""
    with buffers_kept(net):
        logits = net(to_ink(torch.from_numpy(gray)[None, None]))
    return np.asarray((logits[0, 0] > 0).numpy())


def score_set(net: ResUNet, logs: Iterable[StudyLog]) -> tuple[list[float], list[float]]:
    """F1@3px and Dice of each log."""
    scores = [score_log(predict(net, log.gray), log.truth) for log in logs]
    return [each.f1_at_3px for each in scores], [each.dice for each in scores]


def predict_in_tiles(net: ResUNet, gray: Pixels, tile_rows: int) -> Mask:
    """As public tiling does: each tile by itself, with a halo that convolutions need no more of."""
    # Tiles start on whole coarsest cells, so that pooling falls as it does on the whole image.
    tile_rows = max(1, tile_rows // net.multiple) * net.multiple
    halo = -(-HALO_ROWS // net.multiple) * net.multiple
    parts = []
    for start in range(0, len(gray), tile_rows):
        first = max(0, start - halo)
        mask = predict(net, gray[first : start + tile_rows + halo])
        parts.append(mask[start - first : start - first + tile_rows])
    return np.concatenate(parts)


def unlikeness(a: Mask, b: Mask) -> float:
    """1 - Dice of two masks; 0 where both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 1 - 2 * int((a & b).sum()) / total if total else 0.0


def sensitivity(net: ResUNet, logs: Iterable[StudyLog], tile_rows: int) -> dict[str, float]:
    """How the answer on whole, tall logs changes with what the network sees at a time; means over logs.

    tile_mismatch: 1 - Dice between independent tiles of tile_rows and the whole. size_f1: F1@3px on
    the whole less that in tiles, which are as tall as training logs. white_rows: 1 - Dice between the
    log's mask and that with 256 white rows appended, the last HALO_ROWS left out.
    """
    found: dict[str, list[float]] = {"tile_mismatch": [], "size_f1": [], "white_rows": []}
    for log in logs:
        whole = predict(net, log.gray)
        tiles = predict_in_tiles(net, log.gray, tile_rows)
        white = predict(net, append_white(log, WHITE_ROWS).gray)[: len(whole)]
        found["tile_mismatch"].append(unlikeness(whole, tiles))
        found["size_f1"].append(
            score_log(whole, log.truth).f1_at_3px - score_log(tiles, log.truth).f1_at_3px
        )
        found["white_rows"].append(unlikeness(whole[:-HALO_ROWS], white[:-HALO_ROWS]))
    return {name: float(np.mean(values)) for name, values in found.items()}

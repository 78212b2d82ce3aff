"""What runs in the page: two trained networks, their statistics, and a few drawn logs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from studies.batch_size_one.findings import GROUP, V1
from studies.batch_size_one.logs import Logs, StudyLog
from studies.batch_size_one.measure import ink, maps
from studies.batch_size_one.plan import MOMENTA, STEPS, Cell
from studies.batch_size_one.recalibrate import running_norms
from studies.batch_size_one.score import at_checkpoint, own_first, use_momentum
from wellseg.net.resunet import ResUNet
from wellseg.norms import Norm
from wellseg.scores.masks import score_log

MOST_PIXELS, LEAST_ROWS, LEAST_F1 = 110_000, 120, 0.3
"""Of a log in the page: a second or so for each mask, room for a curve, which one network finds."""
QUANTILES = {
    "typical": (0.5, "half of the renders here lose more with running statistics, half less"),
    "strong": (0.9, "with running statistics it loses more than nearly all of the renders here"),
    "reverse": (0.1, "with running statistics it loses less than nearly all of the renders here"),
}
"""Which renders are shown, of those small enough and found by one network, by what they lose with
running statistics; nothing is picked by eye."""
FIRST_RATE = 1e-3
"""Of the weights in the page before part A has chosen one."""


def live(
    checkpoints: Path, rates: dict[str, float], logs: Logs, seed: int = 0
) -> dict[str, Any] | None:
    """None where weights of that seed are not there. rates: A's best ones, else FIRST_RATE."""
    cells = {
        "batch": Cell("A", V1.norm, rates.get(V1.name, FIRST_RATE), seed, STEPS["A"]),
        "group": Cell("A", GROUP.norm, rates.get(GROUP.name, FIRST_RATE), seed, STEPS["A"]),
    }
    files = {name: checkpoints / cell.name / "annealed.pt" for name, cell in cells.items()}
    if not all(file.exists() for file in files.values()):
        return None
    nets = {name: restored(cell, files[name]) for name, cell in cells.items()}
    batch = nets["batch"]
    norms = running_norms(batch)
    buffers = [
        torch.cat([torch.cat([n.running_means[row], n.running_vars[row]]) for n in norms])
        for row in range(len(MOMENTA))
    ]
    own = own_moments(batch, logs.set("unlabelled"))
    return {
        "seed": seed,
        "rates": {name: cell.rate for name, cell in cells.items()},
        "chosen": {V1.name, GROUP.name} <= rates.keys(),
        "networks": {
            name: {"about": about(net), "halves": _base64(weights(net), "<f2")}
            for name, net in nets.items()
        },
        "momenta": [str(momentum) for momentum in MOMENTA],
        "running": _base64(torch.stack(buffers), "<f4"),
        "observed": int(norms[0].num_batches_tracked),
        "unlabelled": _base64(own, "<f2"),
        "unlabelled_logs": len(own),
        "strips": strips(nets, logs),
    }


def restored(cell: Cell, path: Path) -> ResUNet:
    """The network as the page has it: its weights rounded to half precision."""
    state = torch.load(path, weights_only=True)
    widths = [
        len(state[f"encoder.{i}.norm1.weight"])
        for i in range(8)
        if f"encoder.{i}.norm1.weight" in state
    ]
    net = at_checkpoint(replace(cell, widths=tuple(widths)), path)
    for parameter in net.parameters():
        parameter.data = parameter.data.half().float()
    return net


def about(net: ResUNet) -> dict[str, Any]:
    """What network.js asks for beside the numbers. groups: of each norm, None for BatchNorm."""
    norms = [module for module in net.modules() if isinstance(module, Norm)]
    return {
        "patch": net.patch,
        "widths": [getattr(net.encoder, str(i)).norm1.channels for i in range(len(net.encoder))],
        "groups": None if running_norms(net) else [norm.groups for norm in norms],
        "tensors": [[name, value.numel()] for name, value in net.named_parameters()],
    }


def weights(net: ResUNet) -> Tensor:
    return torch.cat([value.detach().flatten() for _, value in net.named_parameters()])


def own_moments(net: ResUNet, logs: Sequence[StudyLog]) -> Tensor:
    """(logs, 2 x channels of all norms): of each norm the log's own means, then its standard
    deviations, as half precision holds variances of any size badly. Of the first n of them the page
    makes what `recalibrate.precise` does."""
    found = []
    for seen in maps(net, logs, own=True):
        both = [each for x in seen for each in (x.mean((1, 2)), x.std((1, 2), correction=0))]
        found.append(torch.cat(both))
    return torch.stack(found)


@torch.no_grad()
def strips(nets: dict[str, ResUNet], logs: Logs) -> list[dict[str, Any]]:
    """Drawn logs, by rule: of the renders that are small enough, and that one network finds, those
    at three quantiles of what running statistics cost; and the middle one of the logs like the
    training. f1: with the page's weights."""
    found = []
    middle = "of the scans like the training that are small enough, half lose more, half less"
    for name, quantiles in (("renders", QUANTILES), ("like", {"like": (0.5, middle)})):
        given = logs.set(name)
        small = [x for x in given if x.gray.size <= MOST_PIXELS and len(x.gray) >= LEAST_ROWS]
        scored = [(f1_of(nets, log), log) for log in small or given[:2]]
        fair = [each for each in scored if max(each[0].values()) >= LEAST_F1] or scored
        order = sorted(fair, key=lambda each: (each[0]["own"] - each[0]["running"], each[1].name))
        for key, (quantile, why) in quantiles.items():
            f1, log = order[round(quantile * (len(order) - 1))]
            height, width = log.gray.shape
            about = {"key": key, "why": why, "name": log.name, "h": height, "w": width, "f1": f1}
            found.append(about | {"gray": _png(log.gray), "truth": _png(log.truth)})
    return found


def f1_of(nets: dict[str, ResUNet], log: StudyLog) -> dict[str, float]:
    """F1@3px by running statistics of momentum 0.01, by the log's own, and by GroupNorm."""
    batch = nets["batch"]

    def score(net: ResUNet) -> float:
        return round(float(score_log(net(ink(log))[0, 0].numpy() > 0, log.truth).f1_at_3px), 4)

    use_momentum(batch, 0.01)
    running = score(batch)
    with own_first(batch, len(running_norms(batch))):
        return {"running": running, "own": score(batch), "group": score(nets["group"])}


def _png(pixels: NDArray[np.uint8]) -> str:
    """Base64 of a gray PNG."""
    return base64.b64encode(
        cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    ).decode()


def _base64(values: Tensor, kind: str) -> str:
    return base64.b64encode(values.detach().numpy().astype(kind).tobytes()).decode()

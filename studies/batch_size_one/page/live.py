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

MOST_PIXELS, LEAST_ROWS = 160_000, 120
"""Of a log in the page: a second or so for each mask, and room for a curve."""
LEAST_SHARE, REACH = 0.5, 3
"""A log is readable where the log's own statistics find that share of its curves, and that share of
their marks is right, within so many pixels: else the strip shows nothing but wrong marks."""
STRIPS = {
    "typical": ("renders", 0.5, "{cost} of F1 on the median of all {n} renders"),
    "strong": ("renders", 0.9, "more than {cost} of F1 on one in ten of all {n} renders"),
    "reverse": ("renders", 0.1, "under {cost} of F1 (−: a gain) on one in ten of all {n} renders"),
    "like": ("like", 0.5, "{cost} of F1 on the median of all {n} scans like the training"),
}
"""By rule, not by eye: a set, and the quantile of what running statistics cost on the whole of it.
The nearest of its logs that are readable and small enough is shown."""
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


def of_page(live: dict[str, Any]) -> dict[str, ResUNet]:
    """The networks that a page has, from its data: where the checkpoints are no more."""
    nets = {}
    for name, norm in (("batch", V1.norm), ("group", GROUP.norm)):
        kept = live["networks"][name]
        cell = Cell("A", norm, live["rates"][name], live["seed"], live["observed"])
        net = at_checkpoint(replace(cell, widths=tuple(kept["about"]["widths"])), None)
        values = _tensor(kept["halves"], "<f2").split([n for _, n in kept["about"]["tensors"]])
        for parameter, value in zip(net.parameters(), values, strict=True):
            parameter.data = value.reshape(parameter.shape)
        nets[name] = net
    norms = running_norms(nets["batch"])
    both = _tensor(live["running"], "<f4").reshape(len(MOMENTA), -1)
    parts = both.split([norm.channels for norm in norms for _ in range(2)], 1)
    for norm, mean, var in zip(norms, parts[::2], parts[1::2], strict=True):
        norm.running_means.copy_(mean)
        norm.running_vars.copy_(var)
        norm.num_batches_tracked.fill_(live["observed"])
    return nets


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
    """The drawn logs of STRIPS. f1: with the page's weights; whole: its set's quantile."""
    given = {name: logs.set(name) for name in ("renders", "like")}
    scored = {name: [scores_of(nets, log) for log in each] for name, each in given.items()}
    found = []
    for key, (name, quantile, why) in STRIPS.items():
        costs = np.array([one["own"] - one["running"] for one in scored[name]])
        whole = float(np.quantile(costs, quantile))
        readable = [min(one["found"], one["right"]) >= LEAST_SHARE for one in scored[name]]
        may = [
            i
            for i, log in enumerate(given[name])
            if readable[i] and log.gray.size <= MOST_PIXELS and len(log.gray) >= LEAST_ROWS
        ]
        nearest = min(may or range(len(costs)), key=lambda i: abs(costs[i] - whole))
        log, f1 = given[name][nearest], scored[name][nearest]
        about = {"key": key, "name": log.name, "h": log.gray.shape[0], "w": log.gray.shape[1]}
        cost = f"{whole:.2f}".replace("-", "−")
        about |= {"why": why.format(n=len(costs), cost=cost), "set": name, "cost": round(whole, 4)}
        about |= {"logs": len(costs), "readable": sum(readable), "small": len(may)}
        about |= {"f1": {way: f1[way] for way in ("running", "own", "group")}}
        found.append(about | {"gray": _png(log.gray), "truth": _png(log.truth)})
    return found


def scores_of(nets: dict[str, ResUNet], log: StudyLog) -> dict[str, float]:
    """F1@3px by running statistics of momentum 0.01, by the log's own, and by GroupNorm; the share
    of the curve that own statistics find, and of their marks that are right."""
    batch = nets["batch"]

    def mask(net: ResUNet) -> NDArray[np.bool_]:
        return net(ink(log))[0, 0].numpy() > 0

    def score(marks: NDArray[np.bool_]) -> float:
        return round(float(score_log(marks, log.truth).f1_at_3px), 4)

    use_momentum(batch, 0.01)
    running = score(mask(batch))
    with own_first(batch, len(running_norms(batch))):
        own = mask(batch)
    curve = log.truth == 255
    found, right = _within(own)[curve], _within(curve)[own]
    shares = {"found": float(found.mean()), "right": float(right.mean()) if own.any() else 0.0}
    return {"running": running, "own": score(own), "group": score(mask(nets["group"]))} | shares


def _within(marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each pixel whether a mark is at most REACH away."""
    square = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    return cv2.dilate(marks.astype(np.uint8), square) > 0


def _png(pixels: NDArray[np.uint8]) -> str:
    """Base64 of a gray PNG."""
    return base64.b64encode(
        cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    ).decode()


def _base64(values: Tensor, kind: str) -> str:
    return base64.b64encode(values.detach().numpy().astype(kind).tobytes()).decode()


def _tensor(text: str, kind: str) -> Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), kind).astype(np.float32))

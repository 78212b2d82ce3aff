"""What runs in the page: two trained networks, their statistics, and a few drawn logs."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from studies.batch_size_one.findings import GROUP, OWN, V1
from studies.batch_size_one.logs import Logs, StudyLog
from studies.batch_size_one.norms import BatchMomenta
from studies.batch_size_one.plan import MOMENTA, Cell
from studies.batch_size_one.score import own_first
from studies.batch_size_one.table import Table
from studies.batch_size_one.train import build
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.norms import Norm
from wellseg.norms.moments import moments_of_map

MOST_PIXELS = 110_000
"""Of a log in the page: a second or so for each mask."""
QUANTILES = {
    "strong": (0.9, "a strong case: nine in ten renders lose less"),
    "typical": (0.5, "a typical render: half lose more, half less"),
    "reverse": (0.1, "the other side: nine in ten renders lose more"),
}
"""Which renders are shown, by what they lose with running statistics; nothing is picked by eye."""


def live(
    checkpoints: Path, table: Table, rates: dict[str, float], logs: Logs, seed: int = 0
) -> dict[str, Any] | None:
    """None where the weights of that seed at v1's and GroupNorm's best rates are not there."""
    cells = {
        "batch": Cell("A", V1.norm, rates.get(V1.name, 0), seed, 1600),
        "group": Cell("A", GROUP.norm, rates.get(GROUP.name, 0), seed, 1600),
    }
    files = {name: checkpoints / cell.name / "annealed.pt" for name, cell in cells.items()}
    if not all(file.exists() for file in files.values()):
        return None
    nets = {name: restored(cell, files[name]) for name, cell in cells.items()}
    batch = nets["batch"]
    norms = [module for module in batch.modules() if isinstance(module, BatchMomenta)]
    buffers = [
        torch.cat([torch.cat([n.running_means[row], n.running_vars[row]]) for n in norms])
        for row in range(len(MOMENTA))
    ]
    own = own_moments(batch, (log.tensors[0] for log in logs.set("unlabelled")))
    return {
        "seed": seed,
        "rates": {name: cell.rate for name, cell in cells.items()},
        "networks": {
            name: {"about": about(net), "halves": _base64(weights(net), "<f2")}
            for name, net in nets.items()
        },
        "momenta": [str(momentum) for momentum in MOMENTA],
        "running": _base64(torch.stack(buffers), "<f4"),
        "observed": int(norms[0].num_batches_tracked),
        "unlabelled": _base64(own, "<f2"),
        "unlabelled_logs": len(own),
        "strips": strips(table, rates, logs, seed),
    }


def restored(cell: Cell, path: Path) -> ResUNet:
    """The network as the page has it: its weights rounded to half precision."""
    state = torch.load(path, weights_only=True)
    widths = [
        len(state[f"encoder.{i}.norm1.weight"])
        for i in range(8)
        if f"encoder.{i}.norm1.weight" in state
    ]
    net: ResUNet = build(
        Cell(cell.part, cell.norm, cell.rate, cell.seed, cell.steps, widths=tuple(widths))
    )
    net.load_state_dict(state)
    for parameter in net.parameters():
        parameter.data = parameter.data.half().float()
    net.eval()
    return net


def about(net: ResUNet) -> dict[str, Any]:
    """What network.js asks for beside the numbers. groups: of each norm, None for BatchNorm."""
    norms = [module for module in net.modules() if isinstance(module, Norm)]
    fixed = any(isinstance(norm, BatchMomenta) for norm in norms)
    return {
        "patch": net.patch,
        "widths": [getattr(net.encoder, str(i)).norm1.channels for i in range(len(net.encoder))],
        "groups": None if fixed else [norm.groups for norm in norms],
        "tensors": [[name, value.numel()] for name, value in net.named_parameters()],
    }


def weights(net: ResUNet) -> Tensor:
    return torch.cat([value.detach().flatten() for _, value in net.named_parameters()])


@torch.no_grad()
def own_moments(net: ResUNet, grays: Iterable[Tensor]) -> Tensor:
    """(logs, 2 x channels of all norms): of each norm the log's own means, then its standard deviations, as half
    precision holds variances of any size badly. Of the first n of them the page makes what
    `recalibrate.precise` does."""
    found: list[Tensor] = []
    norms = [module for module in net.modules() if isinstance(module, BatchMomenta)]
    here: list[Tensor] = []

    def note(norm: Any, args: tuple[Tensor], _: Tensor) -> None:
        count, mean, square = moments_of_map(args[0])
        here.extend([mean, (square / count).sqrt()])

    hooks = [norm.register_forward_hook(note) for norm in norms]
    try:
        with own_first(net, len(norms)):
            for gray in grays:
                here.clear()
                net(to_ink(gray))
                found.append(torch.cat(here))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(found)


def strips(table: Table, rates: dict[str, float], logs: Logs, seed: int) -> list[dict[str, Any]]:
    """Drawn logs, by rule: the renders at three quantiles of what running statistics cost, and the middle one of the
    logs like the training; only of logs small enough."""
    found = []
    for name, quantiles in (
        ("renders", QUANTILES),
        ("like", {"like": (0.5, "a scan like the training, the middle one")}),
    ):
        if not table.of(V1, rates[V1.name], name):
            continue
        ways = ((V1, V1), (OWN, V1), (GROUP, GROUP))
        given = [table.scores(way, rates[of.name], name).of_seeds({seed}) for way, of in ways]
        names, f1 = given[0].names, [each.f1 for each in given]
        all_logs = [_drawn(logs, each) for each in names]
        small = [i for i, log in enumerate(all_logs) if log.gray.size <= MOST_PIXELS]
        small = small or [min(range(len(names)), key=lambda i: all_logs[i].gray.size)]
        order = sorted(small, key=lambda i: (f1[1][0, i] - f1[0][0, i], names[i]))
        for key, (quantile, why) in quantiles.items():
            i = order[round(quantile * (len(order) - 1))]
            log = all_logs[i]
            found.append(
                {
                    "key": key, "why": why, "name": log.name, "h": len(log.gray),
                    "w": log.gray.shape[1], "gray": _png(log.gray), "truth": _png(log.truth),
                    "f1": {way: round(float(x[0, i]), 4) for way, x in zip(("running", "own", "group"), f1, strict=True)},
                }
            )  # fmt: skip
    return found


def _drawn(logs: Logs, name: str) -> StudyLog:
    kind, seed, number = name.split("-")
    return logs.drawn(kind, int(seed), int(number))


def _png(pixels: NDArray[np.uint8]) -> str:
    """Base64 of a gray PNG."""
    return base64.b64encode(
        cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    ).decode()


def _base64(values: Tensor, kind: str) -> str:
    return base64.b64encode(values.detach().numpy().astype(kind).tobytes()).decode()

"""Rows pulled through a network give what the whole image gives."""

from __future__ import annotations

import copy
import errno
import io
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from test_norms import WORDS
from torch import Tensor, nn

import wellseg
from wellseg import norms
from wellseg.net.resunet import ResUNet
from wellseg.norms import make_norm
from wellseg.rows import evaluation, statistics, store
from wellseg.rows.evaluation import RowEvaluation
from wellseg.rows.segment import scan_bands
from wellseg.rows.statistics import DepthStatistics, window_parts

PLENTY = 64 << 30
NOTHING = 1  # of memory: all that is kept goes to disk
SMALL = {"widths": (16, 32, 32)}
DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """The CPU, and the GPU where there is one. The truth, in float64, comes from the CPU always."""
    return torch.device(request.param)


@pytest.fixture(autouse=True)
def seeded_in_one_thread() -> Iterator[None]:
    """Equal weights in every run; and threads that wait for one another make tiny maps slow."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def randomised(net: nn.Module, seed: int = 0) -> nn.Module:
    """The net in evaluation with nothing left at its initial 0 or 1, nor running statistics."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in [*net.parameters(), *net.buffers()]:
        if tensor.dim() == 1:
            tensor.data += 0.2 * torch.rand(tensor.shape, generator=generator)
    return net.eval()


def random_ink(
    rows: int, columns: int, seed: int = 0, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Strokes of ink that get denser from top to bottom, so that strips have other statistics."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand((1, 1, rows, columns), generator=generator, dtype=dtype)
    return (noise < torch.linspace(0.02, 0.6, rows, dtype=dtype)[:, None]).to(dtype) * noise.sqrt()


def by_rows(net: nn.Module, ink: Tensor, **options: object) -> Tensor:
    precision = "fp64" if ink.dtype == torch.float64 else "fp32"
    options = {"precision": precision, "memory": PLENTY, "device": "cpu", **options}
    evaluation = RowEvaluation(net, *ink.shape[2:], **options)  # type: ignore[arg-type]
    bands = [(first, band.cpu()) for first, band in evaluation.bands(lambda a, b: ink[:, :, a:b])]
    ends = [0, *[first + band.shape[2] for first, band in bands]]
    assert [first for first, _ in bands] == ends[:-1] and ends[-1] == ink.shape[2], (
        "every row once, in order"
    )
    return torch.cat([band for _, band in bands], 2)


@torch.no_grad()
def whole(net: nn.Module, ink: Tensor) -> Tensor:
    return net(ink)


def off(net: nn.Module, ink: Tensor, **options: object) -> float:
    """The largest difference from the whole image in float64."""
    return (
        (by_rows(net, ink, **options) - whole(copy.deepcopy(net).double(), ink.double()))
        .abs()
        .max()
        .item()
    )


# --- Exactness -----------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["group", "batch"])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize(
    ("rows", "columns", "strip_rows"),
    [
        (131, 47, 8),
        (64, 40, 64),
        (203, 33, 24),
        (72, 56, 7),
        (1, 9, None),
        (50, 1, 16),
        (9, 8, 1000),
    ],
)
def test_float64_rows_are_the_whole_image(
    device: torch.device, norm: str, patch: int, rows: int, columns: int, strip_rows: int | None
) -> None:
    net = randomised(ResUNet(patch=patch, norm=norm, **SMALL)).double()
    assert off(net, random_ink(rows, columns), strip_rows=strip_rows, device=device) < 1e-10


@pytest.mark.parametrize("norm", WORDS)
def test_every_norm_in_float64(norm: str) -> None:
    net = randomised(ResUNet(norm=norm, **SMALL)).double()
    assert off(net, random_ink(131, 47), strip_rows=24) < 1e-10


def test_norms_with_running_statistics_in_training_mode() -> None:
    """The mode in which a BatchNorm is InstanceNorm, at a scan of any size."""
    net = randomised(ResUNet(norm="batch", **SMALL)).double().train()
    assert off(net, random_ink(131, 47), strip_rows=24) < 1e-10


@pytest.mark.parametrize("scan", ["white", "dark end", "black"])
def test_scans_with_constant_parts(device: torch.device, scan: str) -> None:
    ink = torch.zeros(1, 1, 150, 40, dtype=torch.float64)
    ink[:, :, {"white": 150, "dark end": 135, "black": 0}[scan] :] = 1.0
    assert off(randomised(ResUNet(**SMALL)).double(), ink, strip_rows=16, device=device) < 1e-10


@pytest.mark.parametrize("norm", WORDS)
def test_float32_is_close_to_float64(device: torch.device, norm: str) -> None:
    net = randomised(ResUNet(norm=norm))
    assert off(net, random_ink(400, 80, dtype=torch.float32), device=device) < 1e-5


def test_bfloat16_is_no_further_off_than_the_whole_image_in_bfloat16(device: torch.device) -> None:
    net, ink = randomised(ResUNet(**SMALL)), random_ink(600, 64, dtype=torch.float32)
    truth = whole(copy.deepcopy(net).double(), ink.double())
    with torch.autocast("cpu", torch.bfloat16):
        whole_off = whole(net, ink) - truth
    rows_off = by_rows(net, ink, precision="bf16", device=device) - truth
    assert rows_off.square().mean() <= 1.05 * whole_off.square().mean()
    assert rows_off.abs().max() <= 1.25 * whole_off.abs().max(), (
        "one value's rounding, so a matter of luck"
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_strip_heights_agree(device: torch.device, dtype: torch.dtype) -> None:
    net, ink = randomised(ResUNet(**SMALL)).to(dtype), random_ink(140, 48, dtype=dtype)
    a, b = (by_rows(net, ink, strip_rows=rows, device=device) for rows in (8, 140))
    assert (a - b).abs().max() < (1e-10 if dtype == torch.float64 else 1e-5)


# --- These checks bite: each of the classic mistakes fails them ----------------------------------


def is_exact() -> bool:
    return off(randomised(ResUNet(**SMALL)).double(), random_ink(131, 47), strip_rows=24) < 1e-10


def test_without_the_term_between_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_exact()

    def tiled(a: norms.Moments, b: norms.Moments) -> norms.Moments:
        count, mean, _ = norms.merge_moments(a, b)
        return count, mean, a[2] + b[2]

    monkeypatch.setattr(statistics, "merge_moments", tiled)
    assert not is_exact()


def test_counting_halo_rows_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = statistics.block_moments
    monkeypatch.setattr(
        statistics, "block_moments", lambda rows: measure(torch.cat([rows, rows[:, :, -1:]], 2))
    )
    assert not is_exact()


def test_zero_padding_at_inner_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    rows_of = evaluation.select_rows

    def tiled(
        x: Tensor, x_first: int, height: int, wanted: tuple[int, int], fill: float | None
    ) -> Tensor:
        rows, (first, last) = rows_of(x, x_first, height, wanted, fill).clone(), wanted
        if fill == 0.0 and first > 0 and (last - first) % 8 == 2:  # the halo of a 3 x 3 convolution
            rows[:, :, 0] = 0.0
        return rows

    monkeypatch.setattr(evaluation, "select_rows", tiled)
    assert not is_exact()


# --- Operations, not our network -----------------------------------------------------------------


class Call(nn.Module):
    """A function as a network, between two convolutions and norms (n(c(f(n(c(ink)))))."""

    def __init__(self, function: Callable[..., Tensor], channels: int = 4, *weight: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 4, 3, padding=1), make_norm("group", 4)
        self.last, self.function = nn.Conv2d(channels, 1, 3, padding=1), function
        self.weight = (
            nn.Parameter(torch.randn(weight, generator=torch.Generator().manual_seed(1)))
            if weight
            else None
        )

    def forward(self, ink: Tensor) -> Tensor:
        x = self.norm(self.first(ink))
        y = self.function(x) if self.weight is None else self.function(x, self.weight)
        return self.last(y)


W33 = (4, 4, 3, 3)
OPERATIONS: dict[str, Call] = {
    "conv 1x5 and columns' stride": Call(
        lambda x, w: F.conv2d(x, w, padding=(0, 2), stride=(1, 2)), 4, 4, 4, 1, 5
    ),
    "conv without padding": Call(lambda x, w: F.conv2d(x, w), 4, *W33),
    "conv padded more than its kernel": Call(lambda x, w: F.conv2d(x, w, padding=9), 4, *W33),
    "conv dilated": Call(lambda x, w: F.conv2d(x, w, padding=6, dilation=(5, 3)), 4, *W33),
    "conv stride 3": Call(lambda x, w: F.conv2d(x, w, stride=3, padding=1), 4, *W33),
    "conv grouped": Call(lambda x, w: F.conv2d(x, w, padding=(2, 1), groups=4), 4, 4, 1, 5, 3),
    "conv transposed 2x2": Call(lambda x, w: F.conv_transpose2d(x, w, stride=2), 3, 4, 3, 2, 2),
    "conv transposed 4x4": Call(
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1), 4, 4, 4, 4, 4
    ),
    "conv transposed 3x3": Call(
        lambda x, w: F.conv_transpose2d(x, w, None, 3, 1, 2, dilation=2), 4, *W33
    ),
    "conv transposed 1x1": Call(
        lambda x, w: F.conv_transpose2d(x, w, stride=3, output_padding=1), 4, 4, 4, 1, 1
    ),
    "max_pool 3x3": Call(lambda x: F.max_pool2d(x, 3, 2, 1)),
    "max_pool, rest counts": Call(lambda x: F.max_pool2d(x, 3, ceil_mode=True)),
    "nearest": Call(lambda x: F.interpolate(x, scale_factor=3)),
    "nearest, as a module": Call(nn.Upsample(scale_factor=(2.0, 3.0))),
    "pixel_shuffle": Call(lambda x: F.pixel_shuffle(x, 2), 1),
    "pixel_unshuffle": Call(
        lambda x: F.pixel_unshuffle(F.pad(x, (1, 1, -x.shape[2] % 2, 2)), 2)[:, :4, :, :3]
    ),
    "pad, all kinds": Call(lambda x: F.pad(F.pad(x, (2, 1, 3, -2), value=0.5), (1, 1))),
    "crop": Call(lambda x: x[:, 1:, 3:-2, 1::2], 3),
    "cat": Call(lambda x: torch.cat([x, F.gelu(x), x[:, :1].sigmoid()], dim=1), 9),
    "arithmetic": Call(
        lambda x: torch.clamp(x * x - 2.0 * x / 3, -1, max=1) + (1 - x) * F.leaky_relu(x, 0.1)
    ),
    "in place": Call(lambda x: F.relu(x.mul_(-1)).add_(1) + x),
    "in place, read again": Call(
        lambda x: (F.relu(y, inplace=True) + y for y in [x - 0.3]).__next__()
    ),
    "another norm": Call(lambda x: x.contiguous()),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize(("rows", "strip_rows"), [(40, 8), (19, 3), (6, 1)])
def test_operation(device: torch.device, name: str, rows: int, strip_rows: int) -> None:
    net, ink = randomised(OPERATIONS[name]).double(), random_ink(rows, 12)
    truth = whole(net, ink)
    options = {
        "memory": PLENTY,
        "precision": "fp64",
        "device": device,
        "strip_rows": strip_rows,
    }
    evaluation = RowEvaluation(copy.deepcopy(net).to(device), rows, 12, **options)
    bands = [band.cpu() for _, band in evaluation.bands(lambda a, b: ink[:, :, a:b])]
    assert (torch.cat(bands, 2) - truth).abs().max() < 1e-10


class OtherNet(nn.Module):
    """Unlike ours in all that rows must not rely on."""

    def __init__(self, norm: str) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, padding=2), make_norm(norm, 16), nn.SiLU()
        )
        self.wide = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=d, dilation=d) for d in (1, 2, 4))
        self.norms = nn.ModuleList(make_norm(norm, 16) for _ in self.wide)
        self.side = nn.Sequential(nn.Conv2d(16, 48, 1), make_norm(norm, 48))
        self.deep = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(48, 32, 3, padding=1), nn.ReLU(inplace=True)
        )
        self.up1 = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.up2 = nn.ConvTranspose2d(64, 8, 4, stride=2, padding=1)
        self.head = nn.Sequential(nn.BatchNorm2d(9), nn.Conv2d(9, 1, (1, 3), padding=(0, 1)))

    def forward(self, ink: Tensor) -> Tensor:
        x = self.down(ink)
        y = torch.cat(
            [F.relu(norm(conv(x))) for conv, norm in zip(self.wide, self.norms, strict=True)], 1
        )
        y = y + self.side(x)
        up = F.pad(self.up1(self.deep(y)), (0, y.shape[3] % 2, 0, y.shape[2] % 2))
        up = self.up2(torch.cat([y, up], 1))[:, :, : ink.shape[2], : ink.shape[3]]
        return self.head(torch.cat([up, ink], 1))


@pytest.mark.parametrize("norm", WORDS)
def test_another_network(device: torch.device, norm: str) -> None:
    net = randomised(OtherNet(norm)).double()
    for rows, strip_rows in [(90, 16), (31, 100)]:
        memory = NOTHING if rows % 2 else PLENTY
        options = {"strip_rows": strip_rows, "memory": memory, "device": device}
        assert off(net, random_ink(rows, 20 + rows % 2), **options) < 1e-10


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda x: torch.cumsum(x, 2), "cumsum"),
        (lambda x: F.group_norm(x, 2), "group_norm"),
        (lambda x: x.flip(2), "flip"),
        (lambda x: x - x.mean((2, 3), keepdim=True), "mean"),
        (lambda x: torch.cat([x, x], 2), "cat"),
        (lambda x: x[:, :, ::2], "slice"),
        (lambda x: x * torch.linspace(0, 1, 64)[:, None], "mul"),
        (lambda x: F.interpolate(x, scale_factor=1.5), "upsample_nearest2d"),
        (lambda x: F.interpolate(x, (9, 9)), "upsample_nearest2d"),
        (lambda x: F.dropout(x), "empty_like"),
        (lambda x: F.relu_(x[:, :2]) * x[:, 2:], "relu_"),
        (lambda x: x if x.sum() > 0 else -x, "sum"),
    ],
)
def test_an_unknown_operation_is_refused_by_name_before_anything_is_read(
    function: Callable[..., Tensor], named: str
) -> None:
    with pytest.raises(NotImplementedError, match=named):
        RowEvaluation(Call(function).eval(), 64, 64, memory=PLENTY)


# --- Norms in training mode ----------------------------------------------------------------------


def test_batchnorm_in_training_mode_uses_the_image_and_leaves_the_net_alone() -> None:
    net, ink = randomised(ResUNet(norm="batch", **SMALL)).double().train(), random_ink(120, 40)
    before = copy.deepcopy(net.state_dict())
    rows = by_rows(net, ink, strip_rows=16)
    assert (
        all(torch.equal(before[key], value) for key, value in net.state_dict().items())
        and net.training
    )
    assert (rows - whole(net, ink)).abs().max() < 1e-10


def test_torch_batchnorm_in_training_mode_is_refused() -> None:
    with pytest.raises(NotImplementedError, match=r"native_batch_norm cannot"):
        RowEvaluation(
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1)).train(),
            100,
            100,
            memory=PLENTY,
        )


# --- Statistics of windows that slide along the depth --------------------------------------------


class Windowed(nn.Module):
    """A norm on the whole map: its statistics at each row are weighted sums over parts."""

    def __init__(self, norm: nn.Module, parts: int) -> None:
        super().__init__()
        self.norm, self.parts = norm, parts

    def forward(self, x: Tensor) -> Tensor:
        height = x.shape[2]
        bounds = [height * i // self.parts for i in range(self.parts + 1)]
        pixels = [x[0, :, a:b].flatten(1) for a, b in pairwise(bounds)]
        means = torch.stack([p.mean(1) for p in pixels], 1)  # (C, parts)
        squares = torch.stack([p.square().mean(1) for p in pixels], 1)
        counts = torch.tensor([float(p.shape[1]) for p in pixels], dtype=x.dtype)
        rows = []
        for row in range(height):
            at = min(
                max((row + 0.5) * self.parts / height, 1), self.parts - 1
            )  # in parts: the middle of the window
            weight = torch.zeros(self.parts, dtype=x.dtype)
            for window in range(self.parts - 1):  # of the parts window and window + 1
                both = slice(window, window + 2)
                weight[both] += max(0, 1 - abs(at - window - 1)) * counts[both] / counts[both].sum()
            mean = means @ weight
            scale, shift = self.norm.scale_shift(mean, squares @ weight - mean.square())
            rows.append(x[:, :, row] * scale[:, None] + shift[:, None])
        return torch.stack(rows, 2)


def windowed(net: nn.Module, parts: int) -> nn.Module:
    net = copy.deepcopy(net)
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if getattr(child, "reads_image", False) and parts > 1:
                setattr(module, name, Windowed(child, parts))
    return net


@pytest.mark.parametrize(
    ("norm", "rows", "window_rows", "parts"),
    [("group", 131, 60, 4), ("instance", 61, 41, 1), *((norm, 70, 20, 7) for norm in WORDS)],
)
def test_window_statistics(
    device: torch.device, norm: str, rows: int, window_rows: int, parts: int
) -> None:
    assert window_parts(rows, window_rows) == parts
    for net in (ResUNet(norm=norm, **SMALL), OtherNet(norm)):
        net, ink = randomised(net).double(), random_ink(rows, 17)
        truth = whole(windowed(net, parts), ink)
        for options in ({"strip_rows": 100}, {"strip_rows": 27, "memory": NOTHING}):
            given = by_rows(net, ink, window_rows=window_rows, device=device, **options)
            assert (given - truth).abs().max() < 1e-10
        assert parts > 1 or torch.equal(given, by_rows(net, ink, device=device, **options))


@pytest.mark.parametrize("norm", WORDS)
def test_windows_of_a_scan_that_is_alike_all_along_are_the_whole_scan(norm: str) -> None:
    def layer(c_in: int) -> list[nn.Module]:  # without neighbours above and below, so without edges
        return [nn.Conv2d(c_in, 16, (1, 3), padding=(0, 1)), make_norm(norm, 16), nn.ReLU()]

    net = randomised(nn.Sequential(*layer(1), *layer(16), nn.Conv2d(16, 1, 1))).double()
    ink = random_ink(1, 40).expand(-1, -1, 200, -1)
    assert (by_rows(net, ink, window_rows=30, strip_rows=24) - whole(net, ink)).abs().max() < 1e-10


def test_windows_let_one_scan_differ_from_top_to_bottom_without_a_seam() -> None:
    depth, darker = DepthStatistics(1000, 10), torch.linspace(0, 1, 1000, dtype=torch.float64)
    depth.add(depth.of_strip(0, darker.square()[None, None, :, None].expand(1, 1, -1, 8)))
    mean, var = (each[:, 0] for each in depth.of_rows(0, 1000, torch.device("cpu")))
    assert mean[-1] > 0.8 > 0.02 > mean[0]
    assert mean.diff().abs().max() < 0.0021 and var.diff().abs().max() < 4e-4, (
        "parts by themselves jump by 0.19"
    )


def test_strips_side_by_side_give_the_same_to_the_last_bit() -> None:
    """And read and write one temporary file between them."""
    net, ink = randomised(ResUNet(2, (8, 16, 16))), random_ink(2_000, 64, dtype=torch.float32)
    alone = by_rows(net, ink, memory=NOTHING, strip_rows=32, window_rows=500)
    torch.set_num_threads(3)
    for _ in range(5):
        together = by_rows(net, ink, memory=NOTHING, strip_rows=32, window_rows=500)
        assert torch.equal(alone, together)
        assert torch.get_num_threads() == 3


def test_windows_need_no_more_memory_for_taller_scans() -> None:
    few, many = (
        planned(ResUNet(widths=(32, 64)), rows, window_rows=256) for rows in (4_096, 16_384)
    )
    assert many < 1.05 * few  # places in memory do not always fit


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-5), ("bf16", 0.05)])
def test_segment_on_a_gpu_is_segment_on_the_cpu(precision: str, within: float) -> None:
    gray = (255 * (1 - random_ink(700, 300)[0, 0])).to(torch.uint8).numpy()
    net = randomised(ResUNet())
    cpu, gpu = (
        wellseg.segment(copy.deepcopy(net), gray, device=d, precision=precision)
        for d in ("cpu", "cuda")
    )
    assert abs(cpu - gpu).max() < within


# --- What it takes -------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp64", "fp32", "bf16"])
def test_what_is_spilled_comes_back_as_it_was(
    device: torch.device, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, ink = randomised(ResUNet(**SMALL)), random_ink(90, 50, dtype=torch.float32)
    options = {"precision": precision, "strip_rows": 16, "device": device}
    in_memory = by_rows(net, ink, **options)
    monkeypatch.setattr(evaluation, "RowStore", lambda _, scratch: store.RowStore(0, scratch))
    assert torch.equal(by_rows(net, ink, **options), in_memory)


def test_the_plan_is_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    stores: list[store.RowStore] = []

    class Watched(store.RowStore):
        most_bytes = 0

        def __init__(self, budget_bytes: int, scratch: Path | None) -> None:
            super().__init__(min(budget_bytes, self.most_bytes), scratch)
            stores.append(self)

    monkeypatch.setattr(evaluation, "RowStore", Watched)
    ink = random_ink(200, 64, dtype=torch.float32)
    for budget, in_ram, on_disk in (
        (0, False, True),
        (200_000, True, True),
        (PLENTY, True, False),
    ):
        Watched.most_bytes = budget
        planned = RowEvaluation(ResUNet(**SMALL).eval(), 200, 64, memory=PLENTY, strip_rows=32)
        for _ in planned.bands(lambda a, b: ink[:, :, a:b]):
            pass
        taken = stores[-1].ram_bytes, stores[-1].disk_bytes
        assert taken == (planned.ram_bytes, planned.spill_bytes)
        assert (taken[0] > 0, taken[1] > 0) == (in_ram, on_disk)
        whole = stores[-1].reserve(stores[-1].budget_bytes)
        assert not whole.offset, "all is freed at the end"


@pytest.mark.parametrize("budget_bytes", [0, 400, 10_000])
def test_places_are_used_again(budget_bytes: int, tmp_path: Path) -> None:
    kept = store.RowStore(budget_bytes, tmp_path)
    rows = [torch.full((3, 4, 5 + number % 2), float(number)) for number in range(20)]
    waiting: deque[store.Block] = deque()
    for number, each in enumerate(rows):
        if number > 2:
            for before in (1, 2, 3):
                assert torch.equal(kept.read(waiting[-before], 1, 3), rows[number - before][1:])
            kept.drop(waiting.popleft())
        waiting.append(kept.reserve(each.nbytes))
        kept.write(waiting[-1], each)
    assert kept.ram_bytes <= budget_bytes and kept.ram_bytes + kept.disk_bytes <= 6 * 320
    kept.close()
    assert not list(tmp_path.iterdir())


def planned(net: nn.Module, rows: int, **options: int) -> int:
    evaluation = RowEvaluation(net, rows, 640, memory=PLENTY, strip_rows=64, **options)
    assert not evaluation.spill_bytes
    return evaluation.ram_bytes


def test_a_net_without_image_statistics_holds_a_few_strips_at_any_height() -> None:
    net = ResUNet(norm="batch").eval()
    few, many = (planned(net, rows) for rows in (2_000, 10_000))
    assert many < 1.05 * few
    assert few < planned(ResUNet(), 2_000) / 2


def test_ink_is_read_once_from_top_to_bottom() -> None:
    ink, reads = random_ink(300, 40, dtype=torch.float32), []

    def read_ink(a: int, b: int) -> Tensor:
        reads.append((a, b))
        return ink[:, :, a:b]

    for _ in RowEvaluation(ResUNet().eval(), 300, 40, memory=PLENTY, strip_rows=32).bands(read_ink):
        pass
    assert reads[0][0] == 0 and reads[-1][1] == 300
    assert all(before[1] == after[0] for before, after in pairwise(reads))


def test_progress_rises_to_one() -> None:
    shares: list[float] = []
    ink = random_ink(300, 40, dtype=torch.float32)
    evaluation = RowEvaluation(ResUNet(**SMALL).eval(), 300, 40, memory=PLENTY, strip_rows=16)
    for _ in evaluation.bands(lambda a, b: ink[:, :, a:b], shares.append):
        pass
    assert shares == sorted(shares) and len(shares) > 100 and shares[0] < 0.05 and shares[-1] == 1.0


def test_a_disk_too_small_is_named_before_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = type("usage", (), {"free": 1_000_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    net = ResUNet().eval()
    evaluation = RowEvaluation(net, 20_000, 1000, memory=1, scratch=tmp_path, precision="fp32")

    def read_ink(a: int, b: int) -> Tensor:
        raise AssertionError("read before it was refused")

    with pytest.raises(OSError, match=r"MB free.* need 1,\d+ MB") as caught:
        next(evaluation.bands(read_ink))
    assert str(tmp_path) in str(caught.value) and caught.value.errno == errno.ENOSPC


def test_a_disk_that_fills_up_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.tempfile, "TemporaryFile", lambda **options: Full())
    ink = random_ink(64, 64, dtype=torch.float32)
    with pytest.raises(store.ScratchFull, match=re.escape(str(tmp_path))):
        by_rows(ResUNet().eval(), ink, memory=NOTHING, scratch=tmp_path)


def test_a_missing_scratch_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-such-folder"):
        by_rows(
            ResUNet().eval(),
            random_ink(64, 64, dtype=torch.float32),
            memory=NOTHING,
            scratch=tmp_path / "no-such-folder",
        )


SPILLING = """
import sys, torch, pathlib
from wellseg.net.resunet import ResUNet
from wellseg.rows.evaluation import RowEvaluation
torch.set_num_threads(1)
rows, columns, memory = map(int, sys.argv[1:4])
scratch = pathlib.Path(sys.argv[4])
generator = torch.Generator().manual_seed(0)
ink = lambda a, b: torch.rand((1, 1, b - a, columns), generator=generator)
options = {"memory": memory, "scratch": scratch, "strip_rows": 32}
for _ in RowEvaluation(ResUNet().eval(), rows, columns, **options).bands(ink):
    pass
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def spilling(rows: int, columns: int, scratch: Path) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", SPILLING, str(rows), str(columns), "1", str(scratch)]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, cwd=Path(evaluation.__file__).parents[2]
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads VmHWM")
def test_memory_does_not_grow_with_height(tmp_path: Path) -> None:
    peaks = []
    for rows in (4_000, 20_000):
        output, _ = spilling(rows, 640, tmp_path).communicate()
        peaks.append(1024 * int(output.split()[-1]))
    # Kept maps would be 100 bytes a pixel; 1.6 were seen, of blocks that wait to be written.
    assert peaks[1] - peaks[0] < 3 * 16_000 * 640, (
        f"{peaks} bytes: less than three for each pixel more"
    )
    assert peaks[1] < 800e6


def test_what_nobody_waits_for_any_more_is_not_computed(tmp_path: Path) -> None:
    """The next band is computed meanwhile: it ends, and its temporary file is gone."""
    net = ResUNet(2, **SMALL).eval()
    gray = torch.full((6_400, 64), 255, dtype=torch.uint8).numpy()
    scan = SimpleNamespace(read=lambda start, stop: gray[start:stop])
    how = {"memory": 1, "window_rows": 400, "scratch": tmp_path, "strip_rows": 640}
    evaluation = RowEvaluation(net, *gray.shape, **how)  # type: ignore[arg-type]
    beyond: list[float] = []
    is_out = threading.Event()

    def tell(share: float) -> None:  # once a band is out, waits until nobody wants the next
        if is_out.is_set():
            beyond.append(share)
            until_s = time.monotonic() + 10
            while evaluation.progress is tell and time.monotonic() < until_s:
                time.sleep(0.001)

    bands = scan_bands(evaluation, scan, tell)  # type: ignore[arg-type]
    picture, logits = next(bands)
    is_out.set()
    file = evaluation.store._file
    assert picture.shape == logits.shape and file and not file.closed
    bands.close()
    assert file.closed and len(beyond) <= 1, beyond
    assert not [it for it in threading.enumerate() if it.name.startswith("bands")]

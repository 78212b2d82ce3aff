"""How fast and how lean is a training step, against the plain way and against MONAI's networks?

    python benchmarks/train.py            # 3,200 x 480 and 12,800 x 640 pixels
    python benchmarks/train.py --quick    # 3,200 x 480 alone, two turns: under five minutes
    python benchmarks/train.py --curves   # instead: do the loss curves of both ways lie upon each other?
    python benchmarks/train.py --device cuda

Batch 1, one log, the whole Lightning step with optimiser. "wellseg" is what ``wellseg.train`` does, "lean" the
same with ``--checkpoint lean``, "recompute" with ``--checkpoint on``. "plain" is the same network in float32,
contiguous, with PyTorch's GroupNorm and autograd's own memory. MONAI's networks, of like width, are trained
the plain way, too.

Each variant is a process of its own, which does a step when told to; they take turns, so that a busy machine
is unfair to none. Where all of them do not fit into memory together, a process lives for one turn. Printed
are the shortest of several times, the peak of resident memory (VmHWM) and the multiply-adds of a forward
pass. The loader's share is the time to read a log from disk, vary and hand it over, over that of a step on it;
a worker process does that meanwhile. On a GPU the peak is that of PyTorch's memory there. MONAI is needed here
only: pip install 'wellseg[bench]'; without it, its networks are left out.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from wellseg.config import DataConfig, ModelConfig, OptimConfig
from wellseg.device import pick_device, pick_dtype
from wellseg.net import resunet
from wellseg.net.convolution import Conv2d, SeparableConv2d
from wellseg.net.losses import IGNORE
from wellseg.net.resunet import ResUNet, to_ink
from wellseg.norms import GroupNorm
from wellseg.training.callbacks import Memory
from wellseg.training.dataset import FolderLogs, LogsModule, Sample, Samples
from wellseg.training.memory import free_bytes
from wellseg.training.segmenter import Segmenter

LAYOUTS = {
    "default": ModelConfig(),
    "classic": ModelConfig(patch=1, widths=(16, 32, 64, 128), separable=False),
}
CHECKPOINT = {"wellseg": "auto", "lean": "lean", "recompute": "on"}
"""Of our ways, the option of that name."""
WAYS = (*CHECKPOINT, "plain")
VARIANTS = {
    **{f"{way} {layout}": (way, layout) for layout in LAYOUTS for way in WAYS},
    "MONAI BasicUNet": ("monai", "basic"),
    "MONAI UNet, residual": ("monai", "residual"),
}
MEAN_PEAK_BYTES_PER_PX = 1300
"""Of the variants, for whether they fit into memory together."""
PROCESS_BYTES = 450_000_000
"""PyTorch and Lightning."""
CURVE_STEPS = 200


class Plain(LightningModule):
    """A network trained as one would write it down first."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def training_step(self, sample: Sample, _index: int) -> Tensor:
        logits = self.net(to_ink(sample.gray))
        target, weight = (sample.truth == 255).float(), (sample.truth != IGNORE).float()
        entropy = (
            F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum")
            / weight.sum()
        )
        probability = logits.sigmoid() * weight
        dice = (2 * (probability * target).sum() + 1) / (probability.sum() + target.sum() + 1)
        loss: Tensor = entropy + 1 - dice
        self.log("train/loss", loss, batch_size=1)
        return loss

    configure_optimizers = Segmenter.configure_optimizers
    _rate = Segmenter._rate
    optim, steps = OptimConfig(), CURVE_STEPS


def plain(net: nn.Module) -> nn.Module:
    """The same network with PyTorch's own GroupNorm, convolutions and pooling, and with autograd's own memory."""
    resunet.halve = partial(
        F.max_pool2d, kernel_size=2
    )  # of this process, which trains this network alone
    resunet.made_again = lambda *_, **__: nullcontext()
    for name, child in net.named_children():
        if isinstance(child, GroupNorm):
            setattr(net, name, nn.GroupNorm(child.groups, child.channels, child.eps))
        elif isinstance(child, SeparableConv2d):
            setattr(net, name, plain(nn.Sequential(*child)))
        elif isinstance(child, Conv2d):
            child.is_lean = lambda _: False  # type: ignore[method-assign]
        else:
            plain(child)
    return net


def make_module(variant: str) -> LightningModule:
    way, what = VARIANTS[variant]
    if way in CHECKPOINT:
        return Segmenter(asdict(LAYOUTS[what]), asdict(OptimConfig()), CURVE_STEPS)
    if way == "plain":
        return Plain(plain(ResUNet(**asdict(LAYOUTS[what]))))
    from monai.networks.nets import BasicUNet, UNet

    if what == "basic":
        return Plain(BasicUNet(2, 1, 1, features=(16, 32, 64, 128, 128, 16)))
    return Plain(UNet(2, 1, 1, channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=2))


def make_trainer(variant: str, device: str, callbacks: list[Callback], **options: Any) -> Trainer:
    ours = VARIANTS[variant][0] in CHECKPOINT
    if ours:
        callbacks = [Memory(CHECKPOINT[VARIANTS[variant][0]]), *callbacks]
    half = ours and pick_dtype("auto", pick_device(device)) == torch.bfloat16
    quiet = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    return Trainer(
        accelerator=device, devices=1, precision="bf16-mixed" if half else "32-true", gradient_clip_val=1.0,
        logger=False, callbacks=callbacks, **(quiet | options),
    )  # fmt: skip


def multiply_adds(net: nn.Module) -> float:
    """Of a forward pass, for each pixel of the image: of convolutions, as PyTorch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    ink = torch.zeros(1, 1, 320, 480)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(ink)
    return counter.get_total_flops() / 2 / ink.numel()


# --- A process for each variant -------------------------------------------------------------------


class OnCommand(Callback):
    """Each step waits for a line on standard input, and answers with its time and the peak of memory."""

    def __init__(self, device: str) -> None:
        self.on_gpu = device == "cuda"

    def on_train_batch_start(self, *_: Any) -> None:
        if not sys.stdin.readline():
            os._exit(0)  # nobody wants more
        if self.on_gpu:
            torch.cuda.synchronize()
        self.start = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - self.start
        if self.on_gpu:
            peak = torch.cuda.max_memory_allocated()
        else:
            peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
        print(json.dumps({"seconds": seconds, "peak_bytes": peak}), flush=True)


def serve(variant: str, device: str, rows: int, columns: int) -> None:
    """The life of a process: a small step, so that everything is loaded, and then full ones."""
    torch.manual_seed(0)
    module = make_module(variant)
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    logs = [draw(320, columns)] + [draw(rows, columns)] * 1000
    trainer = make_trainer(variant, device, [OnCommand(device)], max_epochs=1)
    print(json.dumps({"multiply_adds": multiply_adds(module.net)}), flush=True)
    trainer.fit(module, torch.utils.data.DataLoader(logs, batch_size=None))


def draw(rows: int, columns: int) -> Sample:
    """A grid with a curve; the work of a step does not depend on what the log shows."""
    gray, truth = (
        torch.full((1, 1, rows, columns), 255, dtype=torch.uint8),
        torch.zeros(1, 1, rows, columns),
    )
    gray[..., ::16] = gray[..., ::16, :] = 0
    truth[..., columns // 2 : columns // 2 + 4] = 255
    gray[truth == 255] = 0
    return Sample(gray, truth.to(torch.uint8), "drawn")


class Variant:
    """The process of a variant, seen from outside."""

    def __init__(self, name: str, device: str, rows: int, columns: int) -> None:
        self.name, self.device, self.size = name, device, (rows, columns)
        self.seconds, self.peak_bytes = float("inf"), 0
        self.process: subprocess.Popen[str] | None = None

    def step(self) -> None:
        if self.process is None:
            command = [
                sys.executable,
                __file__,
                "--serve",
                self.name,
                self.device,
                *map(str, self.size),
            ]
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self.multiply_adds = self._answer()["multiply_adds"]
            self._step()  # small
            self._count(self._step())  # the first one of that size is slow
        self._count(self._step())

    def _count(self, answer: dict[str, Any]) -> None:
        self.seconds = min(self.seconds, answer["seconds"])
        self.peak_bytes = max(self.peak_bytes, answer["peak_bytes"])

    def _step(self) -> dict[str, Any]:
        assert self.process and self.process.stdin
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process and self.process.stdout
        for line in self.process.stdout:  # Lightning may say something, too
            if line.startswith("{"):
                return dict(json.loads(line))
        raise SystemExit(
            f"{self.name} died at {self.size}, status {self.process.wait()}: perhaps of too little memory"
        )

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def compare(
    rows: int,
    columns: int,
    turns: int,
    names: list[str],
    device: str,
    bytes_per_px: dict[str, float],
) -> None:
    """Print the table of one size. bytes_per_px: of variants at a smaller size, and then at this one."""
    pixels, available = rows * columns, free_bytes(torch.device(device))
    for name in [name for name in names if bytes_per_px.get(name, 0.0) * pixels > 0.9 * available]:
        print(
            f"{name}: left out at {rows} x {columns}, where it takes {bytes_per_px[name] * pixels / 1e9:.0f} GB"
        )
        names = [other for other in names if other != name]
    together = len(names) * pixels * MEAN_PEAK_BYTES_PER_PX < available
    variants = [Variant(name, device, rows, columns) for name in names]
    try:
        for _ in range(turns):
            for variant in variants:
                variant.step()
                if not together:
                    variant.end()
    finally:
        for variant in variants:
            variant.end()
    process_bytes = 0 if device == "cuda" else PROCESS_BYTES
    bytes_per_px.update({v.name: (v.peak_bytes - process_bytes) / pixels for v in variants})
    load = loader_seconds(rows, columns)
    machine = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    print(f"\n{rows} x {columns} pixels, {pixels / 1e6:.1f} Mpx; {machine}, {turns} turns")
    head = f"{'s/Mpx':>7} {'s/step':>7} {'x faster':>9} {'peak GB':>8} {'of peak':>8} {'MAC/px':>7} {'loader':>7}"
    print(f"{'':22} {head}")
    by_name = {variant.name: variant for variant in variants}
    for v in variants:
        base = by_name.get(f"plain {'default' if v.name.endswith('default') else 'classic'}", v)
        print(
            f"{v.name:22} {v.seconds / pixels * 1e6:7.4g} {v.seconds:7.4g} {base.seconds / v.seconds:9.2f} "
            f"{v.peak_bytes / 1e9:8.2f} {v.peak_bytes / base.peak_bytes:8.2f} {v.multiply_adds:7.0f} "
            f"{load / v.seconds:7.1%}",
            flush=True,
        )


def loader_seconds(rows: int, columns: int) -> float:
    """To read one log from disk, vary it and make tensors of it: the shortest of three times."""
    import tifffile

    sample = draw(rows, columns)
    with tempfile.TemporaryDirectory() as folder:
        for part, pixels in (("images", sample.gray), ("masks", sample.truth)):
            (Path(folder) / part).mkdir()
            tifffile.imwrite(
                Path(folder) / part / "a_1.tif", pixels[0, 0].numpy(), compression="deflate"
            )
        samples = Samples(FolderLogs(Path(folder), "all"), seed=0, crop_rows=None, augment=True)
        times = []
        for epoch in range(3):
            start = time.perf_counter()
            samples[epoch, 0]
            times.append(time.perf_counter() - start)
    return min(times)


# --- The loss curves ------------------------------------------------------------------------------


class Losses(Callback):
    """The loss of every step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        self.values.append(outputs["loss"].item())


def curves(out: Path) -> None:
    """The same seed and logs through both ways: the curves, upon each other and smoothed."""
    from matplotlib.figure import Figure

    losses: dict[str, list[float]] = {}
    for variant in ("plain default", "wellseg default", "recompute default"):
        torch.manual_seed(0)
        module, kept = make_module(variant), Losses()
        module.log = lambda *_, **__: None  # type: ignore[method-assign]
        data = LogsModule(
            DataConfig(preset="quick", count=CURVE_STEPS, crop_rows=256, workers=1), seed=0
        )
        make_trainer(
            variant,
            "cpu",
            [kept],
            max_steps=CURVE_STEPS,
            limit_val_batches=0,
            use_distributed_sampler=False,
        ).fit(module, data)
        losses[variant] = kept.values
        print(
            f"{variant}: mean loss of the last fifth {sum(kept.values[-CURVE_STEPS // 5 :]) / (CURVE_STEPS // 5):.4f}"
        )
    with out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", *losses])
        writer.writerows(
            (step, *map("{:.5f}".format, row))
            for step, row in enumerate(zip(*losses.values(), strict=True))
        )
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for (name, values), style in zip(losses.items(), ("k-", "r--", "b:"), strict=True):
        axes.plot(values, style, label=name, linewidth=1.2)
    axes.set(
        xlabel="step",
        ylabel="loss",
        title="float32 and PyTorch's norm; bf16 and ours; with recomputed stages",
    )
    axes.legend()
    figure.savefig(out.with_suffix(".svg"), metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--curves", action="store_true")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--turns", type=int, default=3, help="at 3,200 x 480; the shortest time counts"
    )
    parser.add_argument(
        "--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="VARIANT"
    )
    parser.add_argument("--size", nargs=2, type=int, help="rows and columns, instead of both sizes")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve[:2], *map(int, options.serve[2:]))
    elif options.curves:
        curves(Path(__file__).with_name("loss-curves"))
    else:
        sizes = (
            [options.size]
            if options.size
            else [[3200, 480]]
            if options.quick
            else [[3200, 480], [12800, 640]]
        )
        bytes_per_px: dict[str, float] = {}
        names = options.only
        if options.device == "cuda":  # whose memory is not a heap with holes
            names = [name for name in names if VARIANTS[name][0] != "lean"]
        if importlib.util.find_spec("monai") is None:
            print("MONAI is not installed: its networks are left out")
            names = [name for name in names if VARIANTS[name][0] != "monai"]
        for rows, columns in sizes:
            turns = options.turns
            if options.device == "cpu" and (options.quick or rows > 10_000):
                turns = 2
            compare(rows, columns, turns, names, options.device, bytes_per_px)


if __name__ == "__main__":
    main()

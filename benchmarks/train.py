"""How fast and how lean is a training step, against what stock PyTorch does with the same network?

    python benchmarks/train.py            # 3,200 x 480 and 12,800 x 640 pixels
    python benchmarks/train.py --quick    # 3,200 x 480 alone, two turns
    python benchmarks/train.py --busy 1   # beside a process that computes; threads sleep, as those
                                          # of wellseg train do where the machine's load is high

Batch 1, one log, the whole Lightning step with optimiser, in the number format that `wellseg train`
picks for this machine (bf16 where the processor multiplies it, else float32; --precision).

wellseg     what `wellseg train` does where memory is plenty (--recompute off)
recompute   the same with --recompute on
stock       the everyday baseline: the same network with nn.GroupNorm, nn.InstanceNorm2d or
            nn.BatchNorm2d, channels_last, autocast
stock recompute   the same with torch.utils.checkpoint by stage
plain       stock in float32, contiguous, without autocast

Each variant is a process of its own, which does a step when told to; they take turns, so that a
busy machine is unfair to none. Printed are the shortest of several times and the peak of memory: of
the process (VmHWM; before the first step it holds about 0.4 GB), or of PyTorch on a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from predict import beside
from torch import nn
from torch.utils.data import DataLoader

from wellseg.device import free_bytes, pick_device, pick_dtype, resident_bytes
from wellseg.net.options import ModelConfig
from wellseg.norms import Norm
from wellseg.norms.batch import BatchNorm
from wellseg.training.dataset import Sample
from wellseg.training.options import OptimConfig
from wellseg.training.segmenter import Segmenter

LAYOUTS = {
    "default": ModelConfig(),
    "classic": ModelConfig(patch=1, widths=(16, 32, 64, 128), separable=False),
}
WAYS = ("wellseg", "recompute", "stock", "stock recompute", "plain")
SIZES = [(3200, 480), (12800, 640)]
PEAK_BYTES_PER_PX = 1000
"""Of a variant in bf16, for whether all fit into memory together; twice as many in float32."""


def stock(net: nn.Module) -> nn.Module:
    """The same network with PyTorch's own norms."""
    for name, child in net.named_children():
        if isinstance(child, BatchNorm):
            setattr(net, name, nn.BatchNorm2d(child.channels, child.eps, child.momentum))
        elif isinstance(child, Norm) and child.groups == child.channels:
            setattr(net, name, nn.InstanceNorm2d(child.channels, child.eps, affine=True))
        elif isinstance(child, Norm):
            setattr(net, name, nn.GroupNorm(child.groups, child.channels, child.eps))
        else:
            stock(child)
    return net


class OnCommand(Callback):
    """Each step waits for a line on standard input, and answers with its time and the peak."""

    def on_train_batch_start(self, trainer: Trainer, module: Any, *_: Any) -> None:
        if not sys.stdin.readline():
            os._exit(0)  # nobody wants more
        self._wait(module)
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, module: Any, *_: Any) -> None:
        self._wait(module)
        seconds = time.perf_counter() - self.start
        on_gpu = module.device.type == "cuda"
        peak = torch.cuda.max_memory_allocated() if on_gpu else resident_bytes(peak=True)
        print(json.dumps({"seconds": seconds, "peak_bytes": peak}), flush=True)

    @staticmethod
    def _wait(module: Any) -> None:
        if module.device.type == "cuda":
            torch.cuda.synchronize()


def serve(way: str, model: ModelConfig, device: str, precision: str, size: tuple[int, int]) -> None:
    """The life of a process: a small step, so that everything is loaded, and then full ones."""
    torch.manual_seed(0)
    checkpoint = "on" if "recompute" in way else "off"
    module: Any = Segmenter(asdict(model), asdict(OptimConfig()), 1000, checkpoint)
    module.log = lambda *_, **__: None
    if way in ("stock", "stock recompute", "plain"):
        stock(module.net)
    half = pick_dtype(precision, pick_device(device)) == torch.bfloat16
    if way == "plain":
        half = False
        module.net.to(memory_format=torch.contiguous_format)
    if way in ("wellseg", "recompute"):
        torch.backends.cudnn.enabled = False  # as make_trainer, for logs of any size
    trainer = Trainer(
        accelerator=device,
        devices=1,
        max_epochs=1,
        precision="bf16-mixed" if half else "32-true",
        gradient_clip_val=1.0,
        callbacks=[OnCommand()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    logs = [draw(320, size[1])] + [draw(*size)] * 1000
    trainer.fit(module, DataLoader(logs, batch_size=None))  # type: ignore[arg-type]


def draw(rows: int, columns: int) -> Sample:
    """A grid with a curve; the work of a step does not depend on what the log shows."""
    gray = torch.full((1, 1, rows, columns), 255, dtype=torch.uint8)
    truth = torch.zeros_like(gray)
    gray[..., ::16] = gray[..., ::16, :] = 0
    truth[..., columns // 2 : columns // 2 + 4] = 255
    gray[truth == 255] = 0
    return Sample(gray, truth, "drawn")


class Variant:
    """The process of a variant, seen from outside."""

    def __init__(self, name: str, words: list[str]) -> None:
        self.name, self.words = name, words
        self.seconds, self.peak_bytes = float("inf"), 0
        self.process: subprocess.Popen[str] | None = None

    def step(self) -> None:
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, __file__, "--serve", self.name, *self.words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for _ in range(2):  # the small one, and the first one of that size, which is slow
                self._step()
        answer = self._step()
        self.seconds = min(self.seconds, answer["seconds"])
        self.peak_bytes = max(self.peak_bytes, answer["peak_bytes"])

    def _step(self) -> dict[str, Any]:
        assert self.process and self.process.stdin and self.process.stdout
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        for line in self.process.stdout:  # Lightning may say something, too
            if line.startswith("{"):
                return dict(json.loads(line))
        raise SystemExit(f"{self.name} died, status {self.process.wait()}: of too little memory?")

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def compare(size: tuple[int, int], turns: int, names: list[str], words: list[str]) -> None:
    """Print the table of one size."""
    pixels, device = size[0] * size[1], torch.device(words[1])
    needed = 2 * len(names) * pixels * PEAK_BYTES_PER_PX
    variants = [Variant(name, [*words, *map(str, size)]) for name in names]
    try:
        for _ in range(turns):
            for variant in variants:
                variant.step()
                if needed > free_bytes(device):  # then a process lives for one turn
                    variant.end()
    finally:
        for variant in variants:
            variant.end()
    print(f"\n{size[0]} x {size[1]} pixels, {torch.get_num_threads()} threads, {turns} turns")
    print(f"{'':26} {'s/Mpx':>7} {'s/step':>7} {'peak GB':>8}")
    for v in variants:
        speed = v.seconds / pixels * 1e6
        print(f"{v.name:26} {speed:7.3f} {v.seconds:7.2f} {v.peak_bytes / 1e9:8.2f}", flush=True)


def main() -> None:
    names = [f"{way} {layout}" for layout in LAYOUTS for way in WAYS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["auto", "bf16", "fp32"], default="auto")
    parser.add_argument("--norm", default="group")
    parser.add_argument("--busy", type=int, default=0, help="so many processes compute meanwhile")
    parser.add_argument("--turns", type=int, help="the shortest time of them counts")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        default=names,
        metavar="VARIANT",
        help="such as 'wellseg default'",
    )
    parser.add_argument("--size", nargs=2, type=int, help="rows and columns, instead of both sizes")
    parser.add_argument("--serve", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        name, norm, device, precision, rows, columns = options.serve
        way, _, layout = name.rpartition(" ")
        model = replace(LAYOUTS[layout], norm=norm)
        serve(way, model, device, precision, (int(rows), int(columns)))
        return
    sizes = [tuple(options.size)] if options.size else SIZES[:1] if options.quick else SIZES
    words = [options.norm, options.device, options.precision]
    if options.busy:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # of the variants' processes
    with beside(options.busy):
        for size in sizes:
            compare(size, options.turns or (2 if options.quick else 3), options.only, words)


if __name__ == "__main__":
    main()

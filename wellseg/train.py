"""Train a network to find the curves of well logs.

    wellseg train                                  # a small drawn corpus, a few minutes
    wellseg train --data.root mine/ --out runs/a   # your own images/ and masks/
    wellseg train --config configs/groupnorm.yaml  # the article's setting

Leaves model.safetensors, metrics.csv, config.yaml, TensorBoard events, checkpoints and pictures of
validation logs in the run's folder.
"""

from __future__ import annotations

import csv
import errno
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.config import ModelConfig, TrainConfig

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer
    from torch import nn

    from wellseg.training.segmenter import Segmenter


def train(config: TrainConfig, *, quiet: bool = False) -> Path:
    """Run, or resume, one training; returns the weights file.

    quiet: print nothing and show no progress.
    """
    import torch

    from wellseg.training.dataset import LogsModule
    from wellseg.training.segmenter import Segmenter
    from wellseg.weights import read_header, weights_path

    out = config.out
    last = out / "checkpoints" / "last.ckpt"
    # Lightning starts the other processes of a ddp run with the same command: they find the run's folder.
    if "LOCAL_RANK" not in os.environ:
        if last.exists() and not config.resume:
            raise FileExistsError(
                f"{out} holds a run already: add --resume to go on with it, or give another --out"
            )
        (out / "checkpoints").mkdir(parents=True, exist_ok=True)
        (out / "config.yaml").write_text(_as_yaml(config))
    data = LogsModule(config.data, config.seed)
    model = asdict(config.model)
    start = read_header(weights_path(config.weights)) if config.weights else {}
    if start:
        model = asdict(ModelConfig(**start["model"]))
        if config.model.norm != ModelConfig().norm:
            model["norm"] = config.model.norm

    torch.manual_seed(config.seed)  # of the initial weights, the only global randomness there is
    segmenter = Segmenter(model, asdict(config.optim), config.steps)
    if config.weights:
        _start_from(config.weights, segmenter.net, model["norm"])
    resumed = last if config.resume and last.exists() else None
    earlier = _read_metrics(out / "metrics.csv")
    if quiet:
        config = replace(config, trainer={"enable_progress_bar": False, **config.trainer})
    trainer = _trainer(config)
    if resumed:
        _restore_metrics(trainer, earlier, resumed)
    source = config.data.root or f"the {config.data.preset} corpus"
    say = print if trainer.is_global_zero and not quiet else lambda *_: None
    if not quiet:
        say(
            f"{len(data.train_logs)} logs an epoch, {len(data.val_logs)} to validate with, from {source}"
        )
    try:
        # weights_only: plain tensors and dictionaries, so a checkpoint from elsewhere executes nothing.
        trainer.fit(segmenter, datamodule=data, ckpt_path=resumed, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C, after it saved last.ckpt
        weights = _export(config, segmenter, trainer, start)
        say(
            f"\nstopped at step {trainer.global_step}; {weights} is usable; --resume goes on from here"
        )
        raise SystemExit(INTERRUPTED) from None
    weights = _export(config, segmenter, trainer, start)
    if not quiet:
        say(f"weights: {weights}; pictures of validation logs: {out / 'pictures'}")
    return weights


def _as_yaml(config: TrainConfig) -> str:
    import yaml  # type: ignore[import-untyped]

    return str(yaml.safe_dump(json.loads(json.dumps(asdict(config), default=str)), sort_keys=False))


def _start_from(weights: str, net: nn.Module, norm: str) -> None:
    from wellseg.weights import load_model

    try:
        net.load_state_dict(load_model(weights).state_dict())
    except RuntimeError:
        raise ValueError(
            f"--weights {weights} does not fit --model.norm {norm}, which keeps other tensors; leave one of them out"
        ) from None


def _trainer(config: TrainConfig) -> Trainer:
    import torch
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    from wellseg.device import pick_device, pick_dtype
    from wellseg.training.callbacks import DataWait, Memory, Pictures, Skipped
    from wellseg.training.checkpoints import AtomicCheckpointIO, LastCheckpoint

    out = config.out
    device = pick_device("cpu" if config.trainer.get("accelerator") == "cpu" else "auto")
    half = pick_dtype(config.precision, device) == torch.bfloat16
    checkpoints: dict[str, Any] = {
        "dirpath": out / "checkpoints",
        "enable_version_counter": False,
        "save_on_train_epoch_end": False,
    }
    callbacks: list[Callback] = [
        # The state with the best Dice becomes the weights; the newest is for --resume. The newest is
        # saved after the validation and after the best, so that it knows of both.
        ModelCheckpoint(**checkpoints, filename="best", monitor="val/dice", mode="max"),
        LastCheckpoint(**checkpoints, filename="last", monitor=None, save_on_exception=True),
        Memory(config.checkpoint),
        Pictures(),
        DataWait(),
        Skipped(),
    ]
    if config.trainer.get("enable_progress_bar", True):
        callbacks.append(RichProgressBar())
    options: dict[str, Any] = {
        "accelerator": device.type,
        "devices": 1,  # each process takes a log a step: more of them are another training
        "max_steps": config.steps,
        "max_epochs": -1,
        # Lightning counts logs here, --val_every counts optimiser steps.
        "val_check_interval": config.val_every * config.trainer.get("accumulate_grad_batches", 1),
        "check_val_every_n_epoch": None,  # count steps, not epochs
        "num_sanity_val_steps": 0,
        "precision": "bf16-mixed" if half else "32-true",
        "gradient_clip_val": config.optim.clip,
        "use_distributed_sampler": False,  # VisitSampler knows the ranks
        "log_every_n_steps": 10,
        "callbacks": callbacks,
        "plugins": [AtomicCheckpointIO()],
        "logger": [
            CSVLogger(out, name="", version="", flush_logs_every_n_steps=10),
            TensorBoardLogger(out, name="", version="tensorboard"),
        ],
        "default_root_dir": out,
        "enable_model_summary": False,
    }
    # What Lightning tells about itself at every start; its warnings and errors stay.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for said in (
        "Experiment logs directory",
        ".*isinstance.treespec",
        ".*logging interval",
        ".*not resumable",
        "Checkpoint directory",
    ):
        warnings.filterwarnings("ignore", said, module="lightning")
    try:
        return Trainer(**(options | config.trainer))
    except (TypeError, MisconfigurationException) as error:
        raise ValueError(f"--trainer: {error}") from None


def _restore_metrics(trainer: Trainer, rows: list[dict[str, str]], resumed: Path) -> None:
    """CSVLogger begins metrics.csv anew at every start: hand it the rows up to the checkpoint again."""
    import torch
    from lightning.pytorch.loggers import CSVLogger

    step = torch.load(resumed, weights_only=True, map_location="cpu")[
        "global_step"
    ]  # of a GPU that is not here
    logger = next(logger for logger in trainer.loggers if isinstance(logger, CSVLogger))
    logger.experiment.metrics.extend(
        {
            key: int(value) if value.isdigit() else float(value)
            for key, value in row.items()
            if value
        }
        for row in rows
        if int(row["step"]) < step
    )


def _read_metrics(path: Path) -> list[dict[str, str]]:
    """The whole rows; the last one may have been cut off by a kill or a full disk."""
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]
    return list(csv.DictReader(whole.splitlines()))


def _export(
    config: TrainConfig, segmenter: Segmenter, trainer: Trainer, start: dict[str, Any]
) -> Path:
    """Write model.safetensors: of the best checkpoint, or as the net is, if that is asked or none was validated.

    start: the header of the weights it started from, if any.
    """
    import torch

    from wellseg.corpus import fingerprint
    from wellseg.training.data_folder import list_logs
    from wellseg.weights import save_weights

    best = config.out / "checkpoints" / "best.ckpt"
    if config.keep == "best" and best.exists():
        checkpoint = torch.load(best, weights_only=True, map_location="cpu")
        segmenter.load_state_dict(checkpoint["state_dict"])
        step = checkpoint["global_step"]
    else:
        step = trainer.global_step
    path = config.out / "model.safetensors"
    paper = ""
    if config.data.backgrounds:
        crops = len(list_logs(config.data.backgrounds))
        paper = f", {config.data.background_share:.0%} of them on {crops} crops of {config.data.backgrounds.name}"
    if trainer.is_global_zero:
        training = {
            "data": str(
                config.data.root
                or f"drawn logs, preset {config.data.preset}, corpus {fingerprint()}{paper}"
            ),
            "optim": asdict(config.optim),
            "seed": config.seed,
            "steps": config.steps,
            "kept_step": step,
            "crop_rows": config.data.crop_rows,
            "start": config.weights,
        }
        header = {
            "model": segmenter.hparams["model"],
            "training": training,
            "licence": "Apache-2.0",
        }
        if "window_rows" in start:  # what its norms' statistics are taken from has not changed
            header["window_rows"] = start["window_rows"]
        save_weights(path, segmenter.net, header)
    return path


def main(argv: Sequence[str] | None = None) -> None:
    config, _ = parse(TrainConfig, "train", __doc__, argv)
    from wellseg.scan.reader import ScanError
    from wellseg.weights import WeightsError

    try:
        train(config)
    except ScanError as error:
        fail(
            "train",
            f"{_said(error)}; mend it, then --resume, or leave such logs out: --data.on_error skip",
            WRONG_USAGE,
        )
    except (ValueError, WeightsError, FileExistsError) as error:
        fail("train", _said(error), WRONG_USAGE)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        fail(
            "train",
            f"{_said(error)}; make room, then --resume" if full else _said(error),
            SOME_FAILED,
        )
    except FloatingPointError as error:
        fail("train", _said(error), SOME_FAILED)


def _said(error: Exception) -> str:
    """An error's message; of one from a DataLoader's worker, without the traceback that PyTorch puts before it."""
    last_line = str(error).strip().splitlines()[-1]
    return re.sub(r"^[\w.]+: ", "", last_line) if "DataLoader worker" in str(error) else str(error)


if __name__ == "__main__":
    main(sys.argv[1:])

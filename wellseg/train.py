"""Train a network to find the curves of well logs.

    wellseg train                                  # a small drawn corpus, a few minutes
    wellseg train --data.root mine/ --out runs/a   # your own images/ and masks/
    wellseg train --config configs/groupnorm.yaml  # the article's setting

Leaves model.safetensors, metrics.csv, config.yaml, TensorBoard events, checkpoints and pictures of
validation logs in the run's folder.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.config import DataConfig, ModelConfig, TrainConfig

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer
    from lightning.pytorch.loggers import Logger

    from wellseg.training.checkpoints import StartScore
    from wellseg.training.segmenter import Segmenter

FREE = ("norm", "momentum")
"""Model options that may differ from those of --weights: the tensors are the same."""


def train(
    config: TrainConfig, *, asked: Mapping[str, Any] | None = None, quiet: bool = False
) -> Path:
    """Run, or resume, one training; returns the weights file.

    asked: the model options that --weights must not contradict; by default those of config.model
    that are not its defaults. quiet: print nothing but warnings.

    Raises:
        ValueError, DataError, WeightsError, FileExistsError: an option, the data set, the weights
            or the folder cannot be used; nothing was trained.
        ScanError: a log cannot be read. FloatingPointError: the loss is no number.
        OSError: a result cannot be written.
    """
    import torch

    from wellseg.training.checkpoints import StartScore, read_metrics
    from wellseg.training.dataset import LogsModule
    from wellseg.training.segmenter import Segmenter
    from wellseg.weights import load_model

    if quiet:
        config = replace(config, trainer={"enable_progress_bar": False, **config.trainer})
    config = replace(config, model=choose_network(config, asked))
    last = config.out / "checkpoints" / "last.ckpt"
    resumed = last if config.resume and last.exists() else None
    if last.exists() and not resumed and "LOCAL_RANK" not in os.environ:
        raise FileExistsError(
            f"{config.out} holds a run already: add --resume to go on with it, or give another --out"
        )
    data = LogsModule(config.data, config.seed)
    torch.manual_seed(config.seed)  # of the initial weights, the only global randomness there is
    segmenter = Segmenter(asdict(config.model), asdict(config.optim), config.steps)
    if config.weights:
        try:
            segmenter.net.load_state_dict(load_model(config.weights).state_dict())
        except RuntimeError:
            raise ValueError(
                f"--weights {config.weights} does not fit --model.norm {config.model.norm}, "
                "which keeps other tensors; leave one of them out"
            ) from None
    # Lightning starts the other processes of a ddp run with the same command: one writes.
    if "LOCAL_RANK" not in os.environ:
        (config.out / "checkpoints").mkdir(parents=True, exist_ok=True)
        (config.out / "config.yaml").write_text(_as_yaml(config), encoding="utf-8")
    earlier = read_metrics(config.out / "metrics.csv", resumed) if resumed else []
    start = StartScore()
    trainer = make_trainer(config, start)
    if trainer.is_global_zero:
        trainer.loggers[0].experiment.metrics.extend(earlier)  # type: ignore[attr-defined]
        for warning in data.warnings:
            print(f"wellseg.train: warning: {warning}", file=sys.stderr)
    say = print if trainer.is_global_zero and not quiet else lambda _: None
    source = config.data.root or f"the {config.data.preset} corpus"
    logs = f"{len(data.train_logs)} logs an epoch, {len(data.val_logs)} to validate with"
    say(f"{logs}, from {source}")
    try:
        if config.weights and not resumed:
            trainer.validate(segmenter, data, verbose=False)
        # weights_only: tensors and dictionaries, so a checkpoint from elsewhere executes nothing.
        trainer.fit(segmenter, datamodule=data, ckpt_path=resumed, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C, after it saved last.ckpt
        weights, _ = export(config, segmenter, trainer, start)
        say(f"\nstopped at step {trainer.global_step}; {weights} is usable; --resume goes on")
        raise SystemExit(INTERRUPTED) from None
    weights, step = export(config, segmenter, trainer, start)
    if config.weights and step == 0:
        say(f"no step was better than the start (Dice {start.dice:.3f}): its weights are kept")
    say(f"weights: {weights}; pictures of validation logs: {config.out / 'pictures'}")
    return weights


def choose_network(config: TrainConfig, asked: Mapping[str, Any] | None) -> ModelConfig:
    """The network to train: that of --weights, with the norm and the momentum that are asked for.

    Raises ValueError where another option asks for another network.
    """
    if config.weights is None:
        return config.model
    from wellseg.weights import read_header, weights_path

    theirs = ModelConfig(**read_header(weights_path(config.weights))["model"])
    if asked is None:
        default = asdict(ModelConfig())
        asked = {name: it for name, it in asdict(config.model).items() if it != default[name]}
    for name, value in asked.items():
        # As JSON: lists and tuples are the same.
        if name not in FREE and json.dumps(value) != json.dumps(getattr(theirs, name)):
            raise ValueError(
                f"--model.{name} {value} contradicts --weights {config.weights}, whose network has "
                f"{getattr(theirs, name)}; leave one of them out"
            )
    return replace(theirs, **{name: asked[name] for name in FREE if name in asked})


def make_trainer(config: TrainConfig, start: StartScore) -> Trainer:
    """Lightning's Trainer for one log a step, with what config.trainer adds."""
    import torch
    from lightning.fabric.utilities.exceptions import MisconfigurationException
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import ModelCheckpoint

    from wellseg.device import pick_device, pick_dtype
    from wellseg.training.callbacks import Memory, Pictures, Skipped
    from wellseg.training.checkpoints import AtomicCheckpointIO, LastCheckpoint
    from wellseg.training.progress import StepProgress

    device = pick_device("cpu" if config.trainer.get("accelerator") == "cpu" else "auto")
    half = pick_dtype(config.precision, device) == torch.bfloat16
    checkpoints: dict[str, Any] = {
        "dirpath": config.out / "checkpoints",
        "enable_version_counter": False,
        "save_on_train_epoch_end": False,
    }
    callbacks: list[Callback] = [
        # The state with the best Dice becomes the weights; the newest is for --resume. The newest
        # is saved after the validation and after the best, so that it knows of both.
        ModelCheckpoint(**checkpoints, filename="best", monitor="val/dice", mode="max"),
        LastCheckpoint(**checkpoints, filename="last", monitor=None, save_on_exception=True),
        start,
        Memory(config.checkpoint),
        Pictures(),
        Skipped(),
    ]
    if config.trainer.get("enable_progress_bar", True):
        callbacks.append(StepProgress())
    options: dict[str, Any] = {
        "accelerator": device.type,
        "devices": 1,  # each process takes a log a step: more of them are another training
        "max_steps": config.steps,
        "max_epochs": -1,
        # Lightning counts logs here, --val_every counts optimiser steps.
        "val_check_interval": config.val_every * config.trainer.get("accumulate_grad_batches", 1),
        "check_val_every_n_epoch": None,  # count steps, not epochs
        "num_sanity_val_steps": 0,
        "inference_mode": False,  # its tensors could not be counted on in the validations of a fit
        "precision": "bf16-mixed" if half else "32-true",
        "gradient_clip_val": config.optim.clip,
        "use_distributed_sampler": False,  # VisitSampler knows the ranks
        "log_every_n_steps": 10,
        "callbacks": callbacks,
        "plugins": [AtomicCheckpointIO()],
        "default_root_dir": config.out,
        "enable_model_summary": False,
    }
    options |= config.trainer
    options |= {
        "logger": _loggers(config.out, options.get("logger", "tensorboard")),
        "enable_progress_bar": False,  # Lightning's counts epochs
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
        return Trainer(**options)
    except (TypeError, MisconfigurationException) as error:
        raise ValueError(f"--trainer: {error}") from None


def _loggers(out: Path, name: str | bool) -> list[Logger]:
    """metrics.csv always, and the logger of that name beside it."""
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger, WandbLogger

    table = CSVLogger(out, name="", version="", flush_logs_every_n_steps=10)
    if name in ("csv", False):
        return [table]
    if name == "tensorboard":
        return [table, TensorBoardLogger(out, name="", version="tensorboard")]
    if name != "wandb":
        raise ValueError(f"--trainer.logger is tensorboard, csv or wandb, not {name}")
    try:
        return [table, WandbLogger(project="wellseg", save_dir=out)]
    except ModuleNotFoundError:
        raise ValueError("--trainer.logger wandb is not installed: pip install wandb") from None


def export(
    config: TrainConfig, segmenter: Segmenter, trainer: Trainer, start: StartScore
) -> tuple[Path, int]:
    """Write model.safetensors, of the state that --keep names; gives the file and the state's step."""
    import torch

    from wellseg.weights import load_model, read_header, save_weights, weights_path

    best = config.out / "checkpoints" / "best.ckpt"
    path = config.out / "model.safetensors"
    step = trainer.global_step
    if config.keep == "best" and start.is_best:
        step = 0
        segmenter.net.load_state_dict(load_model(config.weights).state_dict())
    elif config.keep == "best" and best.exists():
        checkpoint = torch.load(best, weights_only=True, map_location="cpu")
        segmenter.load_state_dict(checkpoint["state_dict"])
        step = checkpoint["global_step"]
    if not trainer.is_global_zero:
        return path, step
    header = {
        "model": asdict(config.model),
        "training": {
            "data": _describe(config.data),
            "optim": asdict(config.optim),
            "seed": config.seed,
            "steps": config.steps,
            "kept_step": step,
            "crop_rows": config.data.crop_rows,
            "start": config.weights,
        },
        "licence": "Apache-2.0",
    }
    # What the norms of the start take their statistics from has not changed.
    window_rows = config.weights and read_header(weights_path(config.weights)).get("window_rows")
    if window_rows is not None:
        header["window_rows"] = window_rows
    save_weights(path, segmenter.net, header)
    return path, step


def _describe(data: DataConfig) -> str:
    """What a run was trained on, in words."""
    if data.root is not None:
        return str(data.root)
    from wellseg.corpus import fingerprint
    from wellseg.training.data_folder import list_logs

    drawn = f"drawn logs, preset {data.preset}, corpus {fingerprint()}"
    if data.backgrounds is None:
        return drawn
    crops = len(list_logs(data.backgrounds))
    share = f"{data.background_share:.0%} of them on {crops} crops"
    return f"{drawn}, {share} of {data.backgrounds.name}"


def _as_yaml(config: TrainConfig) -> str:
    import yaml  # type: ignore[import-untyped]

    return str(yaml.safe_dump(json.loads(json.dumps(asdict(config), default=str)), sort_keys=False))


def main(argv: Sequence[str] | None = None) -> None:
    config, given = parse(TrainConfig, "train", __doc__, argv)
    from wellseg.scan.reader import ScanError
    from wellseg.weights import WeightsError

    try:
        train(config, asked=given.get("model", {}))
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

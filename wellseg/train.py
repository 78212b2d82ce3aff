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
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.net.options import ModelConfig
from wellseg.training.options import DataConfig, TrainConfig

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

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

    from wellseg.training.checkpoints import read_metrics
    from wellseg.training.dataset import LogsModule
    from wellseg.training.segmenter import Segmenter
    from wellseg.training.trainer import make_trainer
    from wellseg.weights import load_model

    if quiet:
        config = replace(config, trainer={"enable_progress_bar": False, **config.trainer})
    config = replace(config, model=choose_network(config, asked))
    last = config.out / "checkpoints" / "last.ckpt"
    resumed = last if config.resume and last.exists() else None
    if last.exists() and not resumed and "LOCAL_RANK" not in os.environ:
        raise FileExistsError(
            f"{config.out} holds a run already: add --resume to go on with it, or another --out"
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
    trainer = make_trainer(config)
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
        weights, _ = export(config, segmenter, trainer)
        say(f"\nstopped at step {trainer.global_step}; {weights} is usable; --resume goes on")
        raise SystemExit(INTERRUPTED) from None
    weights, step = export(config, segmenter, trainer)
    if step == 0:
        dice = trainer.checkpoint_callback.best_model_score  # type: ignore[union-attr]
        say(f"no step was better than the start (Dice {dice:.3f}): its weights are kept")
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


def export(config: TrainConfig, segmenter: Segmenter, trainer: Trainer) -> tuple[Path, int]:
    """Write model.safetensors of the state that --keep names; gives the file and that step."""
    import torch

    from wellseg.weights import read_header, save_weights, weights_path

    best = config.out / "checkpoints" / "best.ckpt"
    path = config.out / "model.safetensors"
    step = trainer.global_step
    if config.keep == "best" and best.exists():
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
    if data.root is not None and not data.drawn_share:
        return str(data.root)
    from wellseg.corpus import fingerprint
    from wellseg.training.data_folder import list_logs

    drawn = f"drawn logs, preset {data.preset}, corpus {fingerprint()}"
    if data.root is not None:
        drawn = f"{data.root}, and in {data.drawn_share:.0%} of the steps {drawn}"
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
        advice = "; mend it, then --resume, or leave such logs out: --data.on_error skip"
        fail("train", _said(error) + advice, WRONG_USAGE)
    except (ValueError, WeightsError, FileExistsError) as error:
        fail("train", _said(error), WRONG_USAGE)
    except (OSError, FloatingPointError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        fail("train", _said(error) + "; make room, then --resume" * full, SOME_FAILED)


def _said(error: Exception) -> str:
    """An error's message, without the traceback that a DataLoader's worker puts before it."""
    last_line = str(error).strip().splitlines()[-1]
    return re.sub(r"^[\w.]+: ", "", last_line) if "DataLoader worker" in str(error) else str(error)


if __name__ == "__main__":
    main(sys.argv[1:])

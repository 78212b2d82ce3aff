"""Train a network to find the curves of well logs.

    wellseg train                                  # a small drawn corpus, a few minutes
    wellseg train --data.root mine/ --out runs/a   # your own images/ and masks/
    wellseg train --config configs/groupnorm.yaml  # the article's setting

Writes model.safetensors, metrics.csv, config.yaml, TensorBoard events, checkpoints, pictures."""

import json
import re
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

import wellseg
from wellseg.cli import INTERRUPTED, NO_MEMORY, NO_ROOM, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.net.options import ModelConfig
from wellseg.scan import ScanError, one_line
from wellseg.scan.atomic import lock_folder, write_file
from wellseg.training.options import WINDOW_ROWS, TrainConfig
from wellseg.weights import load_model, read_header, weights_path


def train(config: TrainConfig, *, asked: dict[str, Any] | None = None, quiet: bool = False) -> Path:
    """Run, or resume, one training; returns the weights file.
    asked: model options that --weights must not contradict; None: those of config.model that are no
    defaults. quiet: print warnings alone. Raises ValueError: unusable options. NotImplementedError:
    a norm unfit to predict. ScanError: a log. FloatingPointError: the loss. OSError: a file."""
    import torch
    from lightning.pytorch.utilities import rank_zero_only

    from wellseg.training.dataset import make_loaders, open_logs
    from wellseg.training.segmenter import Segmenter
    from wellseg.training.trainer import export, make_trainer, read_checkpoint

    # Lightning starts the other processes of a ddp run with the same command; only one writes.
    is_main = rank_zero_only.rank == 0  # type: ignore[attr-defined]
    say = print if is_main and not quiet else lambda _: None
    last, own = config.out / "checkpoints" / "last.ckpt", config.out / "config.yaml"
    is_finished = (config.out / "model.safetensors").exists() and not last.exists()
    if is_main and (is_finished or (last.exists() and not config.resume)):
        raise ValueError(f"{config.out} holds a run: --resume its checkpoints, or another --out")
    begun = read_checkpoint(last) if config.resume and last.exists() else {}
    if not begun and own.exists() and "\nrecompute: " not in own.read_text("utf-8", "replace"):
        raise ValueError(f"{own} was written by no run: move it away, or take another --out")
    config = replace(config, model=choose_network(config, asked, begun))
    plain = json.loads(json.dumps(asdict(replace(config, resume=False)), default=str))
    torch.manual_seed(config.seed)  # for the initial weights: nothing else draws from it
    segmenter = Segmenter(plain["model"], plain["optim"], config.steps, config.recompute)
    # Now, not after hours of training: prediction has to know what a norm of your own computes.
    wellseg.segment(segmenter.net.eval(), torch.zeros(64, 64).byte().numpy(), device="cpu")
    segmenter.net.train()
    train, val, warnings = open_logs(config.data, config.seed, config.keep)
    names = [log.name for log in val.files]
    if begun:
        warnings += check_resumed(begun, plain, names)
        config = replace(config, weights=plain["weights"])
    elif config.resume and not quiet:
        warnings.append(f"{config.out} holds no checkpoint: this is a new run")
    window_rows = WINDOW_ROWS if config.data.crop_rows else 0  # 0: whole scans
    tensors = begun.get("state_dict", segmenter.state_dict())
    if config.weights and begun:  # which may be gone
        window_rows = begun.get("window_rows", 0)
    elif config.weights:
        start = load_model(config.weights)
        window_rows = start.window_rows or 0
        tensors = {f"net.{name}": it for name, it in start.state_dict().items()}
    try:
        segmenter.load_state_dict(tensors)
    except RuntimeError:
        of = f"the run in {config.out}" if begun else f"--weights {config.weights}"
        said = f"--model.norm {config.model.norm} keeps other tensors than {of}"
        raise ValueError(f"{said}; undo its edits, or leave one of them out") from None
    segmenter.net.window_rows = window_rows
    segmenter.about = {"options": plain, "val_logs": names, "window_rows": window_rows}
    segmenter.says = not quiet and config.trainer.get("enable_progress_bar", True)
    trainer = make_trainer(config)
    to_train, to_validate = make_loaders(train, val, trainer)
    with lock_folder(last.parent) if is_main else nullcontext():
        if is_main:
            write_file(own, yaml.safe_dump(plain, sort_keys=False).encode())
            if not begun:  # it is left from a run that was killed before it wrote last.ckpt
                (last.parent / "best.ckpt").unlink(missing_ok=True)
            for warning in warnings:
                print(f"wellseg.train: warning: {warning}", file=sys.stderr)
        say(f"{len(train)} logs an epoch, {len(val)} to validate with")
        try:
            if config.weights and not begun:
                trainer.validate(segmenter, to_validate, verbose=False)
            # weights_only: tensors, dictionaries: a checkpoint from elsewhere executes nothing.
            path = last if begun else None
            trainer.fit(segmenter, to_train, to_validate, ckpt_path=path, weights_only=True)
        except SystemExit:  # Lightning's answer to Ctrl-C, after it saved last.ckpt
            if not trainer.global_step:
                raise KeyboardInterrupt from None
            weights, _ = export(config, segmenter, trainer)
            say(f"\nstopped at step {trainer.global_step}; {weights} is usable; --resume goes on")
            raise SystemExit(INTERRUPTED) from None
        weights, step = export(config, segmenter, trainer)
        kept = f"of step {step}" if step else "those of the start: no step had a better Dice"
        say(f"weights: {weights}, {kept}; pictures of validation logs: {config.out / 'pictures'}")
        return weights


def check_resumed(begun: Any, now: Any, val_logs: list[str]) -> list[str]:
    """Warnings of a run that goes on from a checkpoint, with the --weights that it began with.
    now: all options. val_logs: names. Raises ValueError: it cannot go on so."""
    told, done, out = begun.get("options", now), begun["global_step"], now["out"]
    weights, root = told["weights"], told["data"]["root"]
    if now["steps"] < done:
        raise ValueError(f"{out} has taken {done:,} steps already: give --steps {done} or more")
    if bool(root) != bool(now["data"]["root"]):  # it may have moved
        other = f"--data.root {root}" if root else "drawn logs alone"
        raise ValueError(f"{out} was begun with {other}: take its config.yaml (--config)")
    warnings = list[str]()
    alone = ["seed", "steps", "val_every", "keep", "precision", "recompute"]
    for group, names in {"": alone, "data.": now["data"], "optim.": now["optim"]}.items():
        before, after = (of.get(group[:-1], of) for of in (told, now))
        for name in names:
            if name != "workers" and (was := before.get(name, after[name])) != after[name]:
                warnings.append(f"begun with --{group}{name} {was}, goes on with {after[name]}")
    if begun.get("val_logs", val_logs) != val_logs:
        warnings.append("other logs to validate with than before: the best step was theirs")
    if now["weights"] not in (None, weights):
        warnings.append(f"begun with --weights {weights}, goes on from there: others do not count")
    now["weights"] = weights
    return warnings


def choose_network(config: TrainConfig, asked: Any, begun: Any) -> ModelConfig:
    """The network of ``begun``, the checkpoint of a run that goes on, or of --weights, with the
    norm and momentum asked for. Raises ValueError: another option that is asked for differs."""
    if not begun and config.weights is None:
        return config.model
    told = begun["hyper_parameters"] if begun else read_header(weights_path(config.weights))
    theirs = asdict(ModelConfig(**told["model"]))
    if asked is None:
        mine = asdict(config.model).items()
        asked = {name: it for name, it in mine if it != getattr(ModelConfig, name)}
    for name, value in asked.items():
        # Most norms have the same tensors; train() refuses others. In JSON a tuple is a list.
        may_differ = not begun and name in ("norm", "momentum")
        if not may_differ and json.dumps(value) != json.dumps(theirs[name]):
            of = f"the run in {config.out}" if begun else f"--weights {config.weights}"
            said = f"--model.{name} {value} contradicts {of}, whose network has {theirs[name]}"
            raise ValueError(f"{said}; leave one of them out")
    return ModelConfig(**{**theirs, **asked})


def main(argv: Sequence[str] | None = None) -> None:
    try:
        config, given = parse(TrainConfig, "train", __doc__, argv)
        train(config, asked=given.get("model", {}))
    except KeyboardInterrupt:
        fail("train", "stopped before the first step; nothing was lost", INTERRUPTED)
    except NotImplementedError as error:
        fail("train", one_line(error), WRONG_USAGE)
    except (ConnectionResetError, ConnectionRefusedError, EOFError, RuntimeError, MemoryError) as e:
        # Of a worker that was killed, or (not RuntimeError) of the batch that it was handing over.
        if isinstance(e, MemoryError) or NO_MEMORY.search(str(e)):
            fail("train", "out of memory: --resume with a (smaller) --data.crop_rows", SOME_FAILED)
        if isinstance(e, RuntimeError) and not str(e).startswith("DataLoader worker"):
            raise
        fail("train", "a process that reads logs was ended (memory?): --resume", SOME_FAILED)
    except (ScanError, ValueError, OSError, FloatingPointError) as error:
        said = one_line(error)
        if "DataLoader worker" in said:  # it puts its traceback before the message
            said = re.sub(r"^[\w.]+: ", "", str(error).strip().splitlines()[-1])
        if isinstance(error, ScanError):
            said += "; mend it or take it out of the data set, then --resume"
        if getattr(error, "errno", None) in NO_ROOM:
            said += "; make room, then --resume"
        failed = isinstance(error, OSError | FloatingPointError)
        fail("train", said, SOME_FAILED if failed else WRONG_USAGE)


if __name__ == "__main__":
    main(sys.argv[1:])

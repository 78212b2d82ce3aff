"""Lightning's Trainer for runs of one log a step, and checkpoints that are always whole."""

import csv
import io
import logging
import os
import time
import warnings
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from wellseg.corpus import fingerprint
from wellseg.device import pick_device, pick_dtype
from wellseg.scan import one_line
from wellseg.scan.atomic import encoding_of, separator_of, write_csv, write_file
from wellseg.scores import F1
from wellseg.training.options import TrainConfig
from wellseg.training.segmenter import Segmenter
from wellseg.weights import save_weights

# What Lightning tells of itself at every start; its other warnings stay.
TOLD = ".*(logs dir|isinstance.treespec|logging interval|not resumable|Checkpoint dir|many workers)"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes whole checkpoints. A kill may cut one of Lightning's (2.6, fsspec LocalFileOpener)."""

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        buffer = io.BytesIO()  # torch.save hides the reason when a file cannot be written
        torch.save(checkpoint, buffer)
        write_file(path, buffer.getbuffer())


class Checkpoint(ModelCheckpoint):
    """Also keeps the best weights that ``trainer.validate`` scores."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Also for a run whose folder was moved: by itself Lightning would forget the best one."""
        super().load_state_dict({**state, "dirpath": self.dirpath})

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            super().on_validation_end(trainer, module)
        elif self.monitor:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_exception(self, trainer: Trainer, module: LightningModule, error: BaseException) -> None:
        # Not weights with a loss of NaN, nor to a disk that has just failed, nor before the first
        # step (no loaders yet), nor of one of several processes: it would wait for the others.
        fails = FloatingPointError | OSError if trainer.world_size == 1 else Exception
        if not isinstance(error, fails) and module.has_begun:
            super().on_exception(trainer, module, error)


class MetricsFile(CSVLogger):
    """metrics.csv; while Excel has it open (Windows), its rows wait, at most until `export`."""

    @rank_zero_only
    def save(self) -> None:
        known = list(self.experiment.metrics_keys)
        try:
            super().save()
        except PermissionError:
            self.experiment.metrics_keys = known


class StepProgress(Callback):
    """A line after each validation, with the time that is left. It counts optimiser steps."""

    start_s, start_step = 0.0, 0  # where `on_train_start` was not called yet

    def on_train_start(self, trainer: Trainer, *_: Any) -> None:
        self.start_s, self.start_step = time.monotonic(), trainer.global_step

    def on_validation_end(self, trainer: Trainer, *_: Any) -> None:
        step, last = trainer.global_step, trainer.max_steps
        said, known = f"step {step} of {last}", trainer.callback_metrics
        told = {"last loss": "train/loss", "Dice": "val/dice", "F1@3px": "val/f1_at_3px"}
        for name, key in told.items():
            said += f", {name} {float(known[key]):.3f}" if key in known else ""
        if done := step - self.start_step:
            left_s = (time.monotonic() - self.start_s) * (last - step) / done
            said += f", about {timedelta(seconds=round(left_s))} left"
        if trainer.is_global_zero:
            print(said, flush=True)


def make_trainer(config: TrainConfig) -> Trainer:
    """Lightning's Trainer for one log a step, with what config.trainer adds."""
    device = pick_device("cpu" if config.trainer.get("accelerator") == "cpu" else "auto")
    if device.type == "cuda":
        # It plans anew for logs of another size: 1.9 s a step, without it 0.03 (H100, torch 2.11).
        torch.backends.cudnn.enabled = False
    half = pick_dtype(config.precision, device) == torch.bfloat16
    saver = partial(Checkpoint, dirpath=config.out / "checkpoints", enable_version_counter=False)
    callbacks: list[Callback] = [
        # The newest state is saved after the validation and the best, so that it knows of both.
        saver(filename="best", monitor="val/dice", mode="max"),
        saver(filename="last", monitor=None, save_on_exception=True),
    ]
    if config.trainer.get("enable_progress_bar", True):
        callbacks.append(StepProgress())
    loggers: list[Logger] = [MetricsFile(config.out, "", "", flush_logs_every_n_steps=10)]
    if config.trainer.get("logger", True):
        loggers.append(TensorBoardLogger(config.out, "", "tensorboard"))
    options: dict[str, Any] = {
        "accelerator": device.type,
        "devices": int(os.environ.get("LOCAL_WORLD_SIZE", 1)),  # torchrun's, each a log a step
        "max_steps": config.steps, "log_every_n_steps": 10, "num_sanity_val_steps": 0,
        "val_check_interval": config.val_every, "check_val_every_n_epoch": None,  # but by steps
        "inference_mode": False,  # its tensors could not be counted on in the validations of a fit
        "precision": "bf16-mixed" if half else "32-true", "gradient_clip_val": config.optim.clip,
        "use_distributed_sampler": False,  # VisitSampler knows the ranks
        "callbacks": callbacks, "plugins": [AtomicCheckpointIO()],
        "default_root_dir": config.out, "enable_model_summary": False,
        **config.trainer,
        "logger": loggers,
        "enable_progress_bar": False,  # Lightning's counts epochs
    }  # fmt: skip
    alone = options["devices"] in (1, "1") and options.get("num_nodes", 1) == 1
    if config.model.colour and not alone and options.get("strategy", "auto") in ("auto", "ddp"):
        options["strategy"] = "ddp_find_unused_parameters_true"  # a step trains one half alone
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", TOLD, module="lightning")
    try:
        return Trainer(**options)
    except Exception as error:  # Lightning has many kinds of them
        raise ValueError(f"--trainer: {one_line(error)}") from None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of a Segmenter. Raises ValueError for another or a damaged file."""
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        state["hyper_parameters"]["model"], state["global_step"]  # what is asked of it: LookupError
        return state
    except Exception as error:  # of many kinds; some of PyTorch's advise to execute the file's code
        why = f" ({one_line(error)})" if isinstance(error, OSError) else ""
        raise ValueError(f"{path} is damaged: take another one, or another --out{why}") from None


def export(config: TrainConfig, segmenter: Segmenter, trainer: Trainer) -> tuple[Path, int]:
    """Write model.safetensors of the state that --keep names; gives the file and that step."""
    best, path = config.out / "checkpoints" / "best.ckpt", config.out / "model.safetensors"
    step = trainer.global_step
    if config.keep == "best" and best.exists():
        checkpoint = read_checkpoint(best)
        segmenter.load_state_dict(checkpoint["state_dict"])
        step = checkpoint["global_step"]
    data = asdict(config.data) | {"root": config.data.root and config.data.root.name}
    if config.data.drawn_share or not config.data.root:
        data["corpus"] = fingerprint()
    run = {"data": data, "optim": asdict(config.optim), "seed": config.seed, "steps": config.steps}
    run |= {"kept_step": step, "start": config.weights and Path(config.weights).name}
    if trainer.is_global_zero:
        if left := trainer.loggers[0].experiment.metrics:  # type: ignore[attr-defined]
            rest = config.out / f"metrics.from-{left[0]['step']}.csv"
            write_csv(rest, sorted(set[str]().union(*left)), left)
            print(f"metrics.csv is open in another program: its last rows are in {rest}")
        header = {"model": asdict(config.model), "training": run, "licence": "Apache-2.0"}
        # The scores after a step stand with the step before; those of the start first, with step 0.
        rows = read_metrics(config.out / "metrics.csv", max(1, step))
        at_step = [row for row in rows if int(row["step"]) == max(0, step - 1)]
        if scored := [row["val/f1_at_3px"] for row in at_step if row.get("val/f1_at_3px")]:
            header["scores"] = {"validation": {F1: float(scored[-1] if step else scored[0])}}
        save_weights(path, segmenter.net, header | {"window_rows": segmenter.net.window_rows})
    return path, step


def read_metrics(path: Path, step: int) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv before a step: when it goes on, CSVLogger begins it anew."""
    try:  # a kill or a full disk may have cut the last row
        whole = path.read_text(encoding_of(path)).rpartition("\n")[0] if path.exists() else ""
        if (between := separator_of(whole)) != ",":  # as a spreadsheet saves it
            whole = whole.replace(",", ".")
        lines = csv.DictReader(whole.splitlines(), delimiter=between)
        return [row for row in lines if int(row["step"]) < step]
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"{path} is damaged: remove it; its scores are lost") from None

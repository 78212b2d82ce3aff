"""Lightning's Trainer for runs of one log a step, and checkpoints that are always whole."""

import io
import logging
import os
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from wellseg.corpus import fingerprint
from wellseg.device import pick_device, pick_dtype
from wellseg.scan import one_line
from wellseg.scan.atomic import write_file
from wellseg.scores import F1
from wellseg.training.options import TrainConfig
from wellseg.training.segmenter import F1_COLUMN, NEW, Segmenter
from wellseg.weights import save_weights

# What Lightning tells of itself at every start; its other warnings stay.
TOLD = ".*(logs dir|isinstance.treespec|logging interval|not resumable|Checkpoint dir|many workers)"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes whole checkpoints. A kill may cut one of Lightning's (2.6, fsspec LocalFileOpener)."""

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        buffer = io.BytesIO()  # torch.save hides the reason when a file cannot be written
        torch.save(checkpoint, buffer)
        write_file(path, buffer.getbuffer())


class SaveOnException(Callback):
    """last.ckpt of a run that is stopped, or that meets a damaged log."""

    def on_exception(self, trainer: Trainer, module: Any, error: BaseException) -> None:
        # Not weights with a loss of NaN, nor to a disk that has just failed, nor after the last
        # step: its validation would be left out; nor of one of several processes: it would wait.
        fails = FloatingPointError | OSError if trainer.world_size == 1 else Exception
        if not isinstance(error, fails) and trainer.global_step < trainer.max_steps:
            module.save_last()


def make_trainer(config: TrainConfig) -> Trainer:
    """Lightning's Trainer for one log a step, with what config.trainer adds."""
    device = pick_device("cpu" if config.trainer.get("accelerator") == "cpu" else "auto")
    if device.type == "cuda":
        # It plans anew for logs of another size: 1.9 s a step, without it 0.03 (H100, torch 2.11).
        torch.backends.cudnn.enabled = False
    half = pick_dtype(config.precision, device) == torch.bfloat16
    board = config.trainer.get("logger", True) and TensorBoardLogger(config.out, "", "tensorboard")
    options: dict[str, Any] = {
        "accelerator": device.type,
        "devices": int(os.environ.get("LOCAL_WORLD_SIZE", 1)),  # torchrun's, each a log a step
        "max_steps": config.steps, "log_every_n_steps": 10, "num_sanity_val_steps": 0,
        "val_check_interval": config.val_every, "check_val_every_n_epoch": None,  # but by steps
        "inference_mode": False,  # its tensors could not be counted on in the validations of a fit
        "precision": "bf16-mixed" if half else "32-true", "gradient_clip_val": config.optim.clip,
        "use_distributed_sampler": False,  # VisitSampler knows the ranks
        "callbacks": [SaveOnException()], "plugins": [AtomicCheckpointIO()],
        "enable_checkpointing": False, "enable_model_summary": False,
        "default_root_dir": config.out,
        **config.trainer,
        "logger": board,
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
        if (config.out / NEW).exists():
            print(f"metrics.csv is open in another program: its rows are in {config.out / NEW}")
        header = {"model": asdict(config.model), "training": run, "licence": "Apache-2.0"}
        at_step = [row for row in segmenter.rows if row["step"] == step]
        if scored := [row[F1_COLUMN] for row in at_step if F1_COLUMN in row]:
            header["scores"] = {"validation": {F1: scored[-1]}}
        save_weights(path, segmenter.net, header | {"window_rows": segmenter.net.window_rows})
    return path, step

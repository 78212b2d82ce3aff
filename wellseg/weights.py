"""Weights in safetensors files with one JSON header. Nothing is unpickled, nothing is fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellseg.net.options import ModelConfig
from wellseg.scan.atomic import atomic_file

if TYPE_CHECKING:
    from torch import Tensor, nn

BUNDLED = Path(__file__).parent / "pretrained"
DEFAULT = "paper-logs-9"
HEADER_KEY = "wellseg"
FORMAT = 1
RETIRED = {"branch": 0, "decoder_convs": 2, "dilation": 1, "weight_standardisation": False}
"""Options of earlier networks, each at the value that every network has had since."""
HEADER = {"format", "input", "licence", "limits", "model", "scores", "training", "window_rows"}
"""Of a header. model and training are written by train; scores, limits, window_rows by card."""
TRAINING = {"crop_rows", "data", "kept_step", "optim", "seed", "start", "steps"}


class WeightsError(ValueError):
    """What is wrong with which weights, and what to do."""


def bundled_names() -> list[str]:
    return sorted(path.stem for path in BUNDLED.glob("*.safetensors"))


def weights_path(name_or_path: str | Path | None = None) -> Path:
    """The file of bundled weights, or the path itself. Raises WeightsError where there is none."""
    name = str(name_or_path if name_or_path is not None else DEFAULT)
    bundled = BUNDLED / f"{name}.safetensors"
    path = bundled if bundled.is_file() else Path(name)
    if not path.is_file():
        raise WeightsError(
            f"no weights {name!r}: give a .safetensors file or one of the bundled names: "
            + ", ".join(bundled_names())
        )
    return path


def save_weights(path: Path, net: nn.Module, header: dict[str, Any]) -> None:
    """Write the network's tensors, float32, and the header; the file appears whole or not at all.

    header: JSON values; must hold ``model``, the ModelConfig as a dictionary.
    """
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()
    }
    _write(path, tensors, {"format": FORMAT, "input": "ink = 1 - gray/255, paper 0", **header})


def change_header(path: Path, header: dict[str, Any], out: Path) -> None:
    """Write the tensors of a weights file with another header; out may be the file itself."""
    from safetensors.torch import load_file

    _write(out, load_file(path), header)


def _write(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Raises ValueError for what no code of this package writes: a header is no notebook."""
    from safetensors.torch import save

    if unknown := (header.keys() - HEADER) | (header.get("training", {}).keys() - TRAINING):
        raise ValueError(f"a header of weights holds no {', '.join(sorted(unknown))}")
    data = save(tensors, metadata={HEADER_KEY: json.dumps(header, sort_keys=True)})
    with atomic_file(path) as file:
        file.write(data)


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header of a weights file. Raises WeightsError for a file that is not ours."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(HEADER_KEY)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path}: not a readable safetensors file ({error}); use the model.safetensors of a"
            " training run"
        ) from None
    if text is None:
        raise WeightsError(
            f"{path}: a safetensors file, but not written by wellseg: it has no {HEADER_KEY!r}"
            " header"
        )
    try:
        header = json.loads(text)
        known, model = header["format"], header["model"]
        if known != FORMAT:
            raise WeightsError(
                f"{path}: weights of format {known}; this wellseg reads format {FORMAT}"
            )
        kept = dict(option for option in model.items() if option not in RETIRED.items())
        ModelConfig(**kept)
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path}: the header of these weights is damaged ({error})") from None
    return {**header, "model": kept}


def window_rows_of(header: dict[str, Any], asked: int | None) -> int:
    """The rows of a window for the norms' statistics: those asked for, else the header's, else 0,
    the whole scan.

    A network whose norms saw a few hundred rows at a time may want no more of them than that in
    prediction.
    """
    return asked if asked is not None else int(header.get("window_rows", 0))


def load_model(name_or_path: str | Path | None = None) -> nn.Module:
    """A network with trained weights, in evaluation mode: ink (1, 1, H, W) float32 -> logits, any H
    and W.

    Its attribute ``window_rows``, an int or None, is what the weights ask for in their header: the
    rows of the windows that its norms take their statistics from in prediction. name_or_path: a
    bundled name, a .safetensors file, or None for the default weights. Raises WeightsError: no such
    weights, not a weights file, or weights of another network.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from wellseg.net.resunet import ResUNet

    path = weights_path(name_or_path)
    header = read_header(path)
    try:
        net = ResUNet(**header["model"])
        net.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, ValueError) as error:
        first_line = str(error).splitlines()[0]
        raise WeightsError(
            f"{path}: the tensors do not fit the network of their header ({first_line})"
        ) from None
    net.window_rows = header.get("window_rows")  # type: ignore[assignment]
    return net.to(memory_format=torch.channels_last).eval()  # type: ignore[no-any-return, call-overload]

"""Weights in safetensors files with one JSON header. Nothing is unpickled, nothing is fetched."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from wellseg.net.options import ModelConfig, at_least
from wellseg.scan import one_line
from wellseg.scan.atomic import write_file

BUNDLED = Path(__file__).parent / "pretrained"
DEFAULT, HEADER_KEY, FORMAT = "paper-logs-29", "wellseg", 1
INPUT = "ink = 1 - gray/255; gray = luma less saturation beyond 96; colour (R-G)/256, (R+G-2B)/512"
"""The rule by which a scan becomes what the network sees: `scan.pictures`, `net.resunet.to_ink`."""


def weights_path(name_or_path: str | Path | None = None) -> Path:
    """The file of bundled weights, or the path itself. Raises ValueError where there is none."""
    name = str(DEFAULT if name_or_path is None else name_or_path)
    for path in (BUNDLED / f"{name}.safetensors", Path(name)):
        if path.is_file():
            return path
    bundled = ", ".join(sorted(path.stem for path in BUNDLED.glob("*.safetensors")))
    raise ValueError(f"no weights {name!r}: give a .safetensors file, or a bundled name: {bundled}")


def save_weights(path: str | Path, net: Any, header: dict[str, Any]) -> None:
    """Write a network's tensors and a header (JSON; ``model``: its ModelConfig), all or nothing."""
    from safetensors.torch import save

    text = json.dumps({"format": FORMAT, "input": INPUT, **header}, sort_keys=True)
    tensors = {name: it.detach().cpu().contiguous() for name, it in net.state_dict().items()}
    write_file(path, save(tensors, metadata={HEADER_KEY: text}))


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header of a weights file. Raises ValueError for a file not written by wellseg."""
    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get(HEADER_KEY)
    except (SafetensorError, OSError, ValueError) as error:
        fault = f"not a readable safetensors file ({one_line(error)})"
        raise ValueError(f"{path}: {fault}; use the model.safetensors of a training run") from None
    if text is None:
        raise ValueError(f"{path}: not written by wellseg: it has no {HEADER_KEY!r} header")
    try:
        header: dict[str, Any] = json.loads(text)
        ModelConfig(**header["model"])
        at_least(0, window_rows=header.get("window_rows"))
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"{path}: damaged, or of a newer wellseg: update it ({error})") from None
    if (known := header.get("format")) != FORMAT:
        raise ValueError(f"{path}: weights of format {known}, not {FORMAT}: update wellseg")
    return header


def load_model(name_or_path: str | Path | None = None) -> Any:
    """An nn.Module with trained weights, in evaluation mode; name_or_path None: the default ones.
    Input: `to_ink`, (1, 1, H, W), of colours (1, 3, H, W); output: logits (1, 1, H, W). Its
    ``window_rows``, an int or None, is the header's, see ``MaskOptions``. Raises ValueError."""
    import torch
    from safetensors.torch import load_file

    from wellseg.net.resunet import ResUNet

    path = weights_path(name_or_path)
    header = read_header(path)
    try:
        net: Any = ResUNet(**header["model"])
        net.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: gives no network: {one_line(error)[:200]}") from None
    if not all(tensor.isfinite().all() for tensor in net.state_dict().values()):
        raise ValueError(f"{path}: some numbers are infinite or NaN: its training went wrong")
    net.window_rows = header.get("window_rows")
    return net.to(memory_format=torch.channels_last).eval()

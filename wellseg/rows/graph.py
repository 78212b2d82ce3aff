"""From a network to its operations on maps, each with the rule for doing it some rows at a time.

torch.fx traces the network; then its graph is run once with maps of full size but without data, so
that sizes are plain numbers from here on (also ``-height % 8``). Whatever has no rule is refused by
name, before anything is computed.
"""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from wellseg.rows.rules import (
    IN_PLACE,
    NOTHING,
    RULES,
    SIZES,
    Refused,
    Rule,
    Step,
    method_call,
    steps_to,
)


class UnsupportedOperation(NotImplementedError):
    """The network does something that cannot be evaluated some rows at a time (yet)."""

    def __init__(self, what: str, why: object) -> None:
        super().__init__(f"{what} cannot be evaluated by rows: {why}")


def trace(
    net: nn.Module, rows: int, columns: int, dtype: torch.dtype, device: torch.device
) -> list[Step]:
    """The steps of that network on an image (1, 1, rows, columns), from its ink to its output.

    Raises UnsupportedOperation, naming the operation, where a rule is missing.
    """
    try:
        graph = _Tracer().trace(net)
    except (fx.proxy.TraceError, TypeError) as error:
        raise UnsupportedOperation(type(net).__name__, f"torch.fx: {error}") from error
    # bf16 maps meet float32 norms, as under autocast; float64 maps need float64 ones.
    constants_dtype = torch.float64 if dtype == torch.float64 else None
    modules = dict(net.named_modules())
    values: dict[fx.Node, Any] = {}
    steps: dict[Step, None] = {}  # in order
    for node in graph.nodes:
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
        match node.op:
            case "placeholder" if values:  # another argument of forward, at its default
                value = args[0] if args else None
            case "placeholder":
                meta = torch.empty((1, 1, rows, columns), dtype=dtype, device="meta")
                value = Step("ink", NOTHING, [], meta)
            case "get_attr":
                value = operator.attrgetter(node.target)(net)
            case "call_module":
                norm = copy.deepcopy(modules[node.target]).to(device, constants_dtype)
                value = _norm_step(node.target, norm, args[0])
            case "output":
                if not isinstance(args[0], Step):
                    raise UnsupportedOperation(type(net).__name__, "it must return one map")
                value = Step("output", NOTHING, [args[0]], args[0].meta)
            case _:
                value = _call(node, args, kwargs, dtype, device)
                if (node.target in IN_PLACE or kwargs.get("inplace")) and isinstance(args[0], Step):
                    _overwrite(values, args[0], value)
        values[node] = value
        if isinstance(value, Step):
            steps[value] = None
    needed = steps_to(next(reversed(steps)), list(steps))
    for step in needed:
        for x in step.inputs:
            x.users.append(step)
    return needed


class _Tracer(fx.Tracer):
    """Norms are leaves; everything else is traced down to functions."""

    def is_leaf_module(self, m: nn.Module, qualname: str) -> bool:
        return hasattr(m, "reads_image") or isinstance(m, _BatchNorm)


def _norm_step(name: str, norm: nn.Module, x: Step) -> Step:
    if getattr(norm, "reads_image", False):
        return Step(name, Rule(run=norm), [x], x.meta, norm)
    if isinstance(norm, _BatchNorm) and (norm.training or norm.running_mean is None):
        kind = f"{type(norm).__name__} in training mode"
        raise UnsupportedOperation(f"{name} ({kind})", "wellseg.norms has one that can")
    return Step(name, Rule(run=norm), [x], x.meta)


def _call(
    node: fx.Node,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    dtype: torch.dtype,
    device: torch.device,
) -> Any:
    """The value of a call: a Step where it gives a map, else a plain value, such as a size."""
    function = method_call(node.target) if isinstance(node.target, str) else node.target
    given: list[Any] = []
    fx.node.map_aggregate((args, kwargs), given.append)
    inputs = [each for each in given if isinstance(each, Step)]
    if not inputs:
        return function(*args, **kwargs)
    label = node.target if isinstance(node.target, str) else node.target.__name__
    name = f"{node.name} ({label})"
    make_rule = RULES.get(node.target)
    if make_rule is None and node.target not in SIZES:
        raise UnsupportedOperation(name, "there is no rule for it")

    def on_device(value: Any) -> Any:
        return _constant(value, dtype, device) if isinstance(value, Tensor) else value

    args, kwargs = fx.node.map_aggregate((args, kwargs), on_device)
    meta_args, meta_kwargs = fx.node.map_aggregate((args, kwargs), _without_data)
    meta = function(*meta_args, **meta_kwargs)
    if make_rule is None and not isinstance(meta, Tensor):
        return meta
    if make_rule is None or meta.dim() != 4 or len(meta) != 1:
        raise UnsupportedOperation(name, f"it gives {tuple(meta.shape)}, not a map (1, C, H, W)")
    try:
        rule = make_rule(*args, **kwargs)
    except Refused as refusal:
        raise UnsupportedOperation(name, refusal) from None
    return inputs[0] if rule is NOTHING else Step(name, rule, inputs, meta)


def _without_data(value: Any) -> Any:
    if isinstance(value, Step):
        return value.meta
    return value.to("meta") if isinstance(value, Tensor) else value


def _constant(value: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A weight in the dtype and memory order of the maps."""
    value = value.detach().to(device, dtype if value.is_floating_point() else None)
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value


def _overwrite(values: dict[fx.Node, Any], old: Step, new: Step) -> None:
    """What an operation in place does: whoever reads the old map from now on, reads the new one."""
    if new is old:
        return
    steps = [value for value in values.values() if isinstance(value, Step)]
    if old.rule.is_view or any(step.rule.is_view and old in step.inputs for step in steps):
        raise UnsupportedOperation(new.name, "it changes a map that shares its memory with another")
    values.update({node: new for node, value in values.items() if value is old})

"""From a network to its operations on maps, each with the rule for doing it some rows at a time.

torch.fx traces the network; then its graph is run once with maps of full size but without data, so
that sizes are plain numbers from here on (also ``-height % 8``). Whatever has no rule is refused by name,
before anything is computed.
"""

from __future__ import annotations

import copy
import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from wellseg.rows.rules import IN_PLACE, NOTHING, RULES, SIZES, Refused, Rule, Step, method_call


class UnsupportedOperation(NotImplementedError):
    """The network does something that cannot be evaluated some rows at a time (yet)."""


def trace(
    net: nn.Module, rows: int, columns: int, dtype: torch.dtype, device: torch.device
) -> list[Step]:
    """The steps of that network on an image (1, 1, rows, columns), in order: first its ink, last its output.

    Raises UnsupportedOperation, naming the operation, where a rule is missing.
    """
    tracer = _Tracer()
    try:
        graph = tracer.trace(net)
    except (fx.proxy.TraceError, TypeError) as error:
        raise UnsupportedOperation(
            f"{type(net).__name__} cannot be traced by torch.fx, so not evaluated by rows: {error}"
        ) from error
    modules = dict(net.named_modules())
    values: dict[fx.Node, Any] = {}
    for node in graph.nodes:
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
        match node.op:
            case "placeholder" if values:
                values[node] = args[0] if args else None
            case "placeholder":
                meta = torch.empty((1, 1, rows, columns), dtype=dtype, device="meta")
                values[node] = Step("ink", NOTHING, [], meta)
            case "get_attr":
                value = operator.attrgetter(node.target)(net)
                values[node] = (
                    _prepared(value, dtype, device) if isinstance(value, Tensor) else value
                )
            case "call_module":
                values[node] = _norm_step(node.target, modules[node.target], args[0], dtype, device)
            case "output":
                if not isinstance(args[0], Step):
                    raise UnsupportedOperation(f"{type(net).__name__} must return one map")
                return _needed(Step("output", NOTHING, [args[0]], args[0].meta))
            case _:
                values[node] = _call(node, args, kwargs)
                if (node.target in IN_PLACE or kwargs.get("inplace")) and isinstance(args[0], Step):
                    _overwrite(values, args[0], values[node])
    raise AssertionError("a torch.fx graph without output")


def _overwrite(values: dict[fx.Node, Any], old: Step, new: Step) -> None:
    """What an operation in place does: whoever reads the old map from now on, reads the new one."""
    if new is old:
        return
    views = [v for v in values.values() if isinstance(v, Step) and v.rule.view and old in v.inputs]
    if old.rule.view or views:
        raise UnsupportedOperation(
            f"{new.name} in place, on a map that shares its memory with another"
        )
    values.update({node: new for node, value in values.items() if value is old})


def _needed(output: Step) -> list[Step]:
    """The steps that this one depends on, in order; they learn their users."""
    order: dict[Step, None] = {}
    waiting = [output]
    while waiting:
        step = waiting[-1]
        missing = [x for x in step.inputs if x not in order]
        if missing:
            waiting.extend(missing)
        else:
            waiting.pop()
            if step not in order:
                order[step] = None
                for x in step.inputs:
                    x.users.append(step)
    return list(order)


class _Tracer(fx.Tracer):
    """Norms are leaves; everything else is traced down to functions."""

    def is_leaf_module(self, m: nn.Module, qualname: str) -> bool:
        return hasattr(m, "reads_image") or isinstance(m, _BatchNorm)


def _prepared(weight: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    weight = weight.detach().to(device, dtype if weight.is_floating_point() else None)
    return weight.contiguous(memory_format=torch.channels_last) if weight.dim() == 4 else weight


def _norm_step(
    name: str, norm: nn.Module, x: Step, dtype: torch.dtype, device: torch.device
) -> Step:
    if getattr(norm, "reads_image", False):
        return Step(name, Rule(run=scale_shift), [x], x.meta, barrier=norm)
    if isinstance(norm, _BatchNorm) and (norm.training or norm.running_mean is None):
        raise UnsupportedOperation(
            f"{name}: {type(norm).__name__} in training mode (wellseg.norms has one that works)"
        )
    # bf16 maps meet float32 parameters, as under autocast; float64 maps need float64 ones.
    local = copy.deepcopy(norm).to(device, torch.float64 if dtype == torch.float64 else None)
    return Step(name, Rule(run=local), [x], x.meta)


def scale_shift(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """x * scale + shift per channel, each (C,), or per channel and row, each (C, H)."""
    if scale.dim() == 1:  # PyTorch's BatchNorm kernel does it at the speed of memory
        return F.batch_norm(
            x, torch.zeros_like(scale), torch.ones_like(scale), scale, shift, eps=0.0
        )
    # In channels_last order, and all in one dtype: else four times as slow.
    scale, shift = (
        each.t().contiguous()[None, :, None].permute(0, 3, 1, 2) for each in (scale, shift)
    )
    return (x.to(scale.dtype) * scale).add_(shift).to(x.dtype)


def _call(node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The value of a call: a Step where it gives a map, else a plain value (sizes are constants here)."""
    inputs: list[Step] = []
    fx.node.map_aggregate(
        (args, kwargs), lambda a: inputs.append(a) if isinstance(a, Step) else None
    )
    function = method_call(node.target) if isinstance(node.target, str) else node.target
    if not inputs:
        return function(*args, **kwargs)
    name = f"{node.name} ({_label(node.target)})"
    make_rule = RULES.get(node.target)
    if make_rule is None and node.target not in SIZES:
        raise UnsupportedOperation(f"no rule to evaluate {name} by rows")
    meta_args, meta_kwargs = fx.node.map_aggregate((args, kwargs), _on_meta)
    meta = function(*meta_args, **meta_kwargs)
    if make_rule is None and not isinstance(meta, Tensor):
        return meta
    if make_rule is None or meta.dim() != 4 or len(meta) != 1:
        raise UnsupportedOperation(f"{name} gives {tuple(meta.shape)}, not a map (1, C, H, W)")
    try:
        rule = make_rule(*args, **kwargs)
    except Refused as refusal:
        raise UnsupportedOperation(f"{name}: {refusal}") from None
    return inputs[0] if rule is NOTHING else Step(name, rule, inputs, meta)


def _on_meta(value: Any) -> Any:
    if isinstance(value, Step):
        return value.meta
    return value.to("meta") if isinstance(value, Tensor) else value


def _label(target: Any) -> str:
    return target if isinstance(target, str) else getattr(target, "__name__", str(target))

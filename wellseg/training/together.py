"""Several images of different sizes through a network in step, so that norms can have statistics over all of them.

For ``two_phase``, large-batch BatchNorm where no batch can be packed: each operation is done for every
image before the next one; a norm with ``pools_images`` gets the maps of all of them at once. One graph of
derivatives results, and so the gradient of the concatenated batch.

It costs the memory of k images, and no time. Its alternatives in the memory of one image cost time: the
gradient through the statistics of layer l is complete only when that of all later layers is, so gradient
accumulation would have to go through the network backwards once for every norm (10 times in the default
network). The forum's code leaves that gradient out; it is there as ``two_phase_constant``.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx, nn


def pools_images(net: nn.Module) -> bool:
    """Whether a norm of that network has statistics over several images."""
    return any(getattr(module, "pools_images", False) for module in net.modules())


class Together:
    """``Together(net)(images)`` is ``[net(image) for image in images]``, but for norms that pool images."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        # The graph holds no weights: it stays right while they are trained.
        self.interpreter = fx.Interpreter(net, graph=_Tracer().trace(net))

    def __call__(self, images: list[Tensor]) -> list[Tensor]:
        """images: (1, C, H, W), each of its own size. Returns the network's output for each."""
        values: dict[fx.Node, list[Any]] = {}
        for node in self.interpreter.graph.nodes:
            if node.op == "placeholder":
                values[node] = images
                continue
            of_image = [
                {read: values[read][i] for read in node.all_input_nodes} for i in range(len(images))
            ]
            arguments = [
                fx.node.map_arg((node.args, node.kwargs), one.__getitem__) for one in of_image
            ]
            norm = self.net.get_submodule(node.target) if node.op == "call_module" else None
            if norm is not None and norm.training and getattr(norm, "pools_images", False):
                values[node] = norm.together([args[0] for args, _ in arguments])  # type: ignore[operator]
            else:
                run = getattr(self.interpreter, node.op)
                values[node] = [run(node.target, args, kwargs) for args, kwargs in arguments]
            for read_for_the_last_time in self.interpreter.user_to_last_uses.get(node, []):
                del values[read_for_the_last_time]
        return values[node]


class _Tracer(fx.Tracer):
    """Down to the modules that have no parts."""

    def is_leaf_module(self, m: nn.Module, qualname: str) -> bool:
        return not any(True for _ in m.children())

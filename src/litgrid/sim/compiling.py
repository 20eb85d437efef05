"""Compiling a step, its operations fused, where a compiler is at hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.node import map_arg
from torch.utils._triton import has_triton

Function = Callable[..., Any]
OPTIONS: dict[str, str | int | bool | Function] = {"cpp.enable_floating_point_contract_flag": "fast"}
"""Of TorchInductor: products and sums may become one instruction, rounded once."""


def missing(device: torch.device) -> str | None:
    """What ``compiled`` lacks on this machine, None if nothing."""
    if device.type == "cuda":
        return None if has_triton() else "Triton"
    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, RuntimeError):  # RuntimeError: on Windows
        return "a C++ compiler"
    return None


def _folded(graph: GraphModule) -> GraphModule:
    """The graph with all that depends on kept tensors alone computed now, once."""
    known: dict[Node, Any] = {}
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            known[node] = getattr(graph, node.target)
        elif node.op == "call_function" and node.all_input_nodes and known.keys() >= set(node.all_input_nodes):
            known[node] = node.target(*map_arg(node.args, known.get), **map_arg(node.kwargs, known.get))
    for number, (node, value) in enumerate(known.items()):
        if node.op == "call_function" and isinstance(value, Tensor):
            graph.register_buffer(f"_folded{number}", value)
            with graph.graph.inserting_before(node):
                node.replace_all_uses_with(graph.graph.get_attr(f"_folded{number}"))
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def compiled(function: Function, *inputs: Tensor) -> Function:
    """A function that gives what ``function`` gives for tensors of the inputs' shapes, compiled at its first call.

    It is traced now, without control flow; tensors that it reads besides its arguments are kept by reference.

    Args:
        function: of tensors alone, without random numbers.
        inputs: examples of its arguments.

    Returns:
        The compiled function; ``function`` itself, with a warning, where no compiler is at hand.
    """
    lacking = missing(inputs[0].device)
    if lacking is not None:
        warnings.warn(f"compile: {lacking} is missing; steps are simulated eagerly, more slowly", stacklevel=2)
        return function
    with torch.no_grad():
        graph = _folded(make_fx(function)(*inputs))
    result: Function = torch.compile(graph, fullgraph=True, dynamic=False, options=OPTIONS)
    return result

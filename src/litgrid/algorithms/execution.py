"""How updates run: as they are written, compiled, or replayed as a CUDA graph, and the policy as another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from tensordict import TensorDictBase
from tensordict.nn import CudaGraphModule
from torch import Tensor, nn

from litgrid.errors import InputError
from litgrid.sim.compiling import missing

Execution = Literal["eager", "compiled", "cuda_graph"]
Losses = dict[str, Tensor]
Evaluate = Callable[[TensorDictBase], tuple[Tensor, Losses]]
Gradients = Callable[[TensorDictBase], Losses]


def check(execution: Execution, device: torch.device, processes: int) -> None:
    """Refuse what can't run here.

    Args:
        execution: as configured.
        device: that trains.
        processes: that share their gradients.

    Raises:
        InputError: saying what is missing.
    """
    lacking = missing(device) if execution == "compiled" else None
    if lacking is not None:
        raise InputError(f"execution: found compiled where {lacking} is missing, expected eager")
    if execution == "cuda_graph" and device.type != "cuda":
        raise InputError(f"execution: found cuda_graph on {device.type}, expected eager or compiled, or a CUDA GPU")
    if execution == "cuda_graph" and processes > 1:
        raise InputError(f"execution: found cuda_graph in {processes} processes, expected eager or compiled, or one")


def evaluation(loss: nn.Module, execution: Execution) -> Evaluate:
    """Return a function of frames: the total of a loss, to go down, and all that the loss puts out, detached.

    It keeps no module of its own, so that checkpoints are the same whatever runs it.
    """

    def evaluate(frames: TensorDictBase) -> tuple[Tensor, Losses]:
        found = dict(loss(frames).items())
        return total(found), {key: value.detach() for key, value in found.items()}

    return torch.compile(evaluate, **_compiling()) if execution == "compiled" else evaluate


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Add up the parts of what a TorchRL loss puts out."""
    return torch.stack([value for key, value in losses.items() if key.startswith("loss_")]).sum()


def gradients(function: Gradients, execution: Execution) -> Gradients:
    """Return what fills the gradients from frames: the function, or its CUDA graph.

    The graph is captured at the second call, and copies every later call's frames to where it reads them. What it
    writes has to stay where it is, and frames have to keep their shape.
    """
    return CudaGraphModule(function) if execution == "cuda_graph" else function


def of_policy(execution: Execution) -> dict[str, Any]:
    """Return the options of TorchRL's collector; to ``torch.compile`` its keys change twice at the start."""
    return {"cudagraph_policy": True} if execution == "cuda_graph" else {}


def _compiling() -> dict[str, Any]:
    """Return options of ``torch.compile``: one graph, random numbers from the streams that eager code draws from."""
    return {"fullgraph": True, "dynamic": False, "options": {"fallback_random": True}}

"""Training that has diverged: it is stopped, and its weights are never written."""

from __future__ import annotations

import math
from typing import Any

import torch

from litgrid.algorithms.base import Algorithm
from litgrid.errors import Stopped


def refuse_losses(algorithm: Algorithm) -> None:
    """Stop on a loss of the last row of metrics that is no finite number; those numbers are on the CPU already.

    Raises:
        Stopped: naming the loss and the frame.
    """
    for key, value in algorithm.latest.items():
        if key.startswith("loss/") and not math.isfinite(value):
            raise Stopped(f"training has diverged: {key} is {value} at frame {algorithm.frames:,}")


def refuse_weights(algorithm: Algorithm) -> None:
    """Stop on weights, targets or moments of the optimiser that are no finite numbers; waits for the device once.

    Raises:
        Stopped: naming the tensor and the frame.
    """
    tensors: dict[str, Any] = dict(algorithm.state_dict())
    for number, moments in enumerate(algorithm.trainer.optimizers[0].state.values()):
        tensors |= {f"{key} of parameter {number}": value for key, value in moments.items()}
    tensors = {name: value for name, value in tensors.items() if torch.is_tensor(value) and value.is_floating_point()}
    finite = torch.stack([value.isfinite().all().to(algorithm.device) for value in tensors.values()]).tolist()
    for name, is_finite in zip(tensors, finite, strict=True):
        if not is_finite:
            raise Stopped(f"training has diverged: {name} has no finite values at frame {algorithm.frames:,}")

"""The random numbers of a process, all streams that training may draw from, as tensors and plain data."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def state(device: torch.device) -> dict[str, Any]:
    """Return where the streams of torch (CPU, and the device if it is another), numpy and Python stand."""
    name, keys, *position = np.random.get_state(legacy=True)  # noqa: NPY002 (the global stream is meant)
    streams = {
        "torch": torch.get_rng_state(),
        "numpy": [name, torch.from_numpy(np.asarray(keys, dtype=np.int64)), *position],
        "python": random.getstate(),
    }
    if device.type != "cpu":
        streams["device"] = torch.get_device_module(device).get_rng_state()
    return streams


def restore(streams: dict[str, Any], device: torch.device) -> None:
    """Let the streams go on from where ``state`` was taken; that of another kind of device starts as it is."""
    torch.set_rng_state(streams["torch"])
    name, keys, *position = streams["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *position))  # noqa: NPY002
    random.setstate(streams["python"])
    if device.type != "cpu" and "device" in streams:
        torch.get_device_module(device).set_rng_state(streams["device"])

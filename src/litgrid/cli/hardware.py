"""What a program has to work with: versions, processor, GPU, precisions, compiler, free memory."""

from __future__ import annotations

import shutil
import subprocess
import time
from importlib.metadata import version
from typing import Any

import torch

from litgrid.algorithms.free_memory import free_bytes
from litgrid.algorithms.memory import GB
from litgrid.cli.bench_tools import machine
from litgrid.sim.compiling import missing

PRECISIONS = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
"""Lightning's name -> type that matrix products are computed in."""
WIDTH, ROWS, PASSES = 1024, 256, 3  # of the layer that measures a precision


def hardware(device: torch.device) -> dict[str, Any]:
    """Facts about this machine, for training on a device."""
    packages = {name: version(name) for name in ("lightning", "torchrl", "tensordict")}
    lacking = missing(device)
    return {
        **machine(),
        **packages,
        "device": device.type,
        "driver": _driver(),
        "cuda": torch.version.cuda,
        "tf32": torch.backends.cuda.matmul.allow_tf32 if device.type == "cuda" else None,
        "compiler": "found" if lacking is None else f"{lacking} is missing",
        "cpu_memory_free_gb": free_bytes(torch.device("cpu")) / GB,
        "gpu_memory_free_gb": free_bytes(device) / GB if device.type == "cuda" else None,
        "gflops": {name: _gflops(device, kind) for name, kind in PRECISIONS.items()},
    }


def _driver() -> str | None:
    """Version of NVIDIA's driver, None without one."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.split("\n", 1)[0].strip() or None


def _gflops(device: torch.device, kind: torch.dtype | None) -> float | None:
    """Speed of a layer forward and backward in 10^9 operations a second; None where a precision does not work."""
    layer, rows = torch.nn.Linear(WIDTH, WIDTH, device=device), torch.rand(ROWS, WIDTH, device=device)

    def work() -> bool:
        with torch.autocast(device.type, kind, enabled=kind is not None):
            layer(rows).float().mean().backward()
        assert layer.weight.grad is not None
        return bool(layer.weight.grad.isfinite().all())  # waits for the device

    try:
        right = work()  # warms up
        start = time.perf_counter()
        right = all(work() for _ in range(PASSES)) and right
    except RuntimeError:  # this is the measurement: no kernel for that type here
        return None
    operations = PASSES * 2 * 2 * ROWS * WIDTH * WIDTH  # forward, and the gradient of the weights
    return operations / (time.perf_counter() - start) / 1e9 if right else None

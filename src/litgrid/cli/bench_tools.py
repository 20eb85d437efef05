"""What the benchmarks share: the site that they simulate, the machine that they run on, and how they take time."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torchrl.envs import EnvBase

from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import Battery, DemandCharge, Fleet, Location, Photovoltaics, Site, SocketGroup, Tariff

WINDOW_HOURS = 48
Figures = dict[str, Any]


def bench_site(sockets: int) -> Site:
    """A site of the default size, with a given number of sockets in two groups, 7 to 1."""
    large = max(1, sockets // 8)
    groups = [
        SocketGroup("moto", sockets - large, power_kw=2.0, battery_kwh=2.0),
        SocketGroup("mototaxi", large, power_kw=3.0, battery_kwh=4.0),
    ]
    return Site(
        name="bench",
        location=Location(-3.75, -73.25, 104.0, "America/Lima"),
        pv=Photovoltaics(dc_kwp=4162.0, ac_kw=3201.0),
        battery=Battery(capacity_kwh=1632.0, power_kw=593.0),
        fleet=Fleet(groups),
        tariff=Tariff(demand=[DemandCharge(48.5)]),
    )


def bench_scenarios(sockets: int, years: int = 2) -> ScenarioSet:
    """Random years of that site, 62 % of the sockets occupied."""
    return random_scenarios(bench_site(sockets), scenarios=years)


def machine() -> Figures:
    """What was measured on."""
    return {
        "cpu": _cpu(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def machine_in_words() -> str:
    """The same in short, for a page."""
    found = machine()
    gpu = f", {found['gpu']}" if found["gpu"] else ""
    versions = f"Python {found['python']}, torch {found['torch']}"
    return f"{found['cpu']}, {found['cores']} cores{gpu}, {platform.system()} {platform.machine()}, {versions}"


def _cpu() -> str:
    """Name of the processor; Linux keeps it in a file alone."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def rate(call: Callable[[], Any], calls: int, device: str, seconds: float) -> float:
    """Calls a second of a function, called at least a number of times and for some seconds."""

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    call()  # warm up
    wait()
    done, start = 0, time.perf_counter()
    while done < calls or time.perf_counter() - start < seconds:
        call()
        wait()
        done += 1
    return done / (time.perf_counter() - start)


def env_window(env: EnvBase) -> Callable[[], None]:
    """A function that moves an environment by a window, as a collector does, with actions drawn beforehand."""
    actions = [env.action_spec.rand() for _ in range(8)]
    carried = [env.reset()]

    def window() -> None:
        for step in range(WINDOW_HOURS):
            carried[0]["action"] = actions[step % 8]
            carried[0] = env.step_and_maybe_reset(carried[0])[1]

    return window

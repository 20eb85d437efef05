"""``bench sim``: how fast this machine simulates. ``bench parity`` is in ``parity``."""

from __future__ import annotations

import importlib.util
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torchrl.envs import EnvBase

from litgrid.cli import parity
from litgrid.cli.options import Parser, check_json, write_json
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig, make_env
from litgrid.sim.simulator import Simulator
from litgrid.sim.windows import Windows
from litgrid.site.site import Battery, DemandCharge, Fleet, Location, Photovoltaics, Site, SocketGroup, Tariff

WINDOW_HOURS = 48
STARTS = 1100  # windows to draw at least: over 1,000 different start hours
COLUMNS = ("backend", "device", "mode", "envs", "sockets", "steps_per_second", "ratio_to_citylearn")

Figures = dict[str, Any]


def run(argv: list[str]) -> None:
    """The command ``bench``."""
    parser = Parser(prog="litgrid bench", description="Measure this machine.")
    sim = Parser(description="Environment steps a second, with random actions, observations, rewards and resets.")
    sim.add_argument("--envs", type=str, default="1,64,1024", help="how many environments side by side")
    sim.add_argument("--sockets", type=int, default=128, help="sockets of the site")
    sim.add_argument("--seconds", type=float, default=5.0, help="least length of each measurement")
    sim.add_argument("--json", type=str, default=None, help="file for the figures, - for standard output")
    same = Parser(description="Random CityLearn data sets through CityLearn and our simulator: the worst differences.")
    same.add_argument("--cases", type=int, default=200, help="how many random data sets")
    same.add_argument("--steps", type=int, default=200, help="of each")
    same.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    same.add_argument("--json", type=str, default=None, help="file for the figures, - for standard output")
    commands = parser.add_subcommands(dest="command", required=True)
    commands.add_subcommand("sim", sim)
    commands.add_subcommand("parity", same)
    chosen = parser.parse_args(argv[1:])
    options = chosen[chosen.command]
    check_json(options.json)
    if chosen.command == "sim":
        figures = measure(_counts(options.envs), options.sockets, options.seconds)
        text = _table(figures)
    else:
        figures = parity.measure(options.cases, options.steps, options.seed)
        text = parity.table(figures)
    if options.json != "-":
        print(text)
    if options.json is not None:
        write_json(figures, options.json)
    if not figures.get("passed", True):
        raise SystemExit(1)


def _counts(text: str) -> list[int]:
    counts = [int(part) if part.strip().isdigit() else 0 for part in text.split(",")]
    if min(counts) < 1:
        raise InputError(f"--envs: found {text!r}, expected whole numbers from 1 on, as in 1,64,1024")
    return counts


def bench_site(sockets: int) -> Site:
    """A site of the default size, with a given number of sockets in two groups, 7 to 1."""
    if sockets < 2:
        raise InputError(f"--sockets: found {sockets}, expected at least 2")
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


def measure(envs: list[int], sockets: int, seconds: float) -> Figures:
    """The figures of ``bench sim``.

    Args:
        envs: numbers of environments side by side.
        sockets: of the site.
        seconds: least length of each measurement.
    """
    scenarios = random_scenarios(bench_site(sockets), scenarios=2)
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    rows: list[Figures] = []
    for device in devices:
        for count in envs:
            rows += [
                {
                    "device": device,
                    "mode": mode,
                    "envs": count,
                    "steps_per_second": speed(scenarios, count, device, seconds),
                }
                for mode, speed in (("env", _env_speed), ("physics", _physics_speed))
            ]
    reference = _citylearn_speed(scenarios, seconds)
    if reference is not None:
        rows.append({"backend": "citylearn", "device": "cpu", "mode": "env", "envs": 1, "steps_per_second": reference})
    for row in rows:
        ratio = None if reference is None else row["steps_per_second"] / reference
        row |= {"backend": row.get("backend", "litgrid"), "sockets": sockets, "ratio_to_citylearn": ratio}
    return {"machine": machine(), "rows": [{key: row[key] for key in COLUMNS} for row in rows]}


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


def _cpu() -> str:
    """Name of the processor; Linux keeps it in a file alone."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _speed(window: Callable[[], None], envs: int, windows: int, device: str, seconds: float) -> float:
    """Steps a second of a function that simulates one window of all environments, called a number of times."""

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    window()  # warm up
    wait()
    done, start = 0, time.perf_counter()
    while done < windows or time.perf_counter() - start < seconds:
        window()
        wait()
        done += 1
    return done * envs * WINDOW_HOURS / (time.perf_counter() - start)


def _env_window(env: EnvBase) -> Callable[[], None]:
    """A function that moves an environment by a window, as a collector does, with actions drawn beforehand."""
    actions = [env.action_spec.rand() for _ in range(8)]
    carried = [env.reset()]

    def window() -> None:
        for step in range(WINDOW_HOURS):
            carried[0]["action"] = actions[step % 8]
            carried[0] = env.step_and_maybe_reset(carried[0])[1]

    return window


@torch.no_grad()
def _env_speed(scenarios: ScenarioSet, envs: int, device: str, seconds: float) -> float:
    env = make_env(scenarios, envs, EnvConfig(window_hours=WINDOW_HOURS), device)
    return _speed(_env_window(env), envs, -(-STARTS // envs), device, seconds)


@torch.no_grad()
def _physics_speed(scenarios: ScenarioSet, envs: int, device: str, seconds: float) -> float:
    simulator = Simulator(scenarios, device)
    windows = Windows(simulator, envs, WINDOW_HOURS, seed=0)
    actions = torch.rand(8, envs, 1 + simulator.sockets, device=device)

    def window() -> None:
        state, _ = windows.draw()
        for step in range(WINDOW_HOURS):
            state, _, _ = simulator.step(state, actions[step % 8])

    return _speed(window, envs, -(-STARTS // envs), device, seconds)


@torch.no_grad()
def _citylearn_speed(scenarios: ScenarioSet, seconds: float) -> float | None:
    """CityLearn through the same environment, within a year: its resets take seconds; None if not installed."""
    if importlib.util.find_spec("citylearn") is None:
        return None
    env = make_env(scenarios, 1, EnvConfig(window_hours=0, backend="citylearn"))
    return _speed(_env_window(env), 1, 1, "cpu", seconds)


def _table(figures: Figures) -> str:
    """The figures for the terminal."""
    lines = [f"{key:<10}{value}" for key, value in figures["machine"].items()]
    lines += ["", f"{'backend':<10}{'device':<8}{'mode':<9}{'envs':>6}{'sockets':>9}{'steps/s':>14}{'x CityLearn':>14}"]
    for row in figures["rows"]:
        ratio = "-" if row["ratio_to_citylearn"] is None else f"{row['ratio_to_citylearn']:,.0f}"
        lines.append(
            f"{row['backend']:<10}{row['device']:<8}{row['mode']:<9}{row['envs']:>6}{row['sockets']:>9}"
            f"{row['steps_per_second']:>14,.0f}{ratio:>14}"
        )
    return "\n".join(lines)

"""Steps a second of the simulator and of CityLearn, and the memory traffic that they make."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchrl.envs import EnvBase

from litgrid.cli.bench_tools import WINDOW_HOURS, Figures, bench_scenarios, env_window, machine, rate
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.compiling import compiled, missing
from litgrid.sim.env import EnvConfig, SiteEnv, make_env
from litgrid.sim.physics import State
from litgrid.sim.simulator import Simulator
from litgrid.sim.windows import Windows

SOCKET_ROWS = 6  # parts of the sockets' rows that a step reads: three of the present row, three of the next
STARTS = 1100  # windows to draw at least: over 1,000 different start hours
COLUMNS = (
    "backend",
    "device",
    "mode",
    "envs",
    "sockets",
    "steps_per_second",
    "ratio_to_citylearn",
    "occupied",
    "start_hours",
    "bytes_per_step",
    "bandwidth_share",
)
TABLE = "{:<10}{:<8}{:<18}{:>7}{:>9}{:>14}{:>13}{:>10}{:>11}{:>11}"
COPIED = 64 * 2**20  # bytes: more than the caches hold


def measure(envs: list[int], sockets: list[int], seconds: float) -> Figures:
    """The figures of ``bench sim``.

    ``occupied`` is the mean share of occupied sockets, ``start_hours`` how many different rows of the scenarios
    windows started at. ``bytes_per_step`` estimates what a step of one environment reads and writes at least
    (``least_bytes``), ``bandwidth_share`` is that traffic as a share of what a copy reached in the same run.

    Args:
        envs: numbers of environments side by side.
        sockets: of the sites.
        seconds: least length of each measurement.
    """
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    bandwidth = {device: _bandwidth(device, seconds) for device in devices}
    rows = [
        row | {"sockets": number, "ratio_to_citylearn": reference and row["steps_per_second"] / reference}
        for number in sockets
        for scenarios in [bench_scenarios(number)]
        for reference in [_citylearn_speed(scenarios, seconds)]
        for row in _rows(scenarios, devices, envs, seconds) + _citylearn_row(reference)
    ]
    for row in rows:
        moved = row.get("bytes_per_step")
        row["bandwidth_share"] = moved and moved * row["steps_per_second"] / (bandwidth[row["device"]] * 1e9)
    shown = [{key: row.get(key) for key in COLUMNS} for row in rows]
    return {
        "machine": machine() | {f"{device}_memory_gb_per_s": rate for device, rate in bandwidth.items()},
        "rows": shown,
    }


def _modes(device: str) -> list[str]:
    """What is measured on a device: compiled steps where there is a compiler, CUDA graphs where there is CUDA."""
    fused = [] if missing(torch.device(device)) else ["env_compiled", "physics_compiled"]
    return ["env", "physics", *fused, *(["env_cuda_graph"] if device == "cuda" else [])]


def _rows(scenarios: ScenarioSet, devices: list[str], envs: list[int], seconds: float) -> list[Figures]:
    rows = []
    for device in devices:
        for count in envs:
            for mode in _modes(device):
                measure_mode = _env_speed if mode in ("env", "env_compiled") else _step_speed
                measured = measure_mode(scenarios, count, device, seconds, mode)
                rows.append({"backend": "litgrid", "device": device, "mode": mode, "envs": count} | measured)
    return rows


def _citylearn_row(speed: float | None) -> list[Figures]:
    row = {"backend": "citylearn", "device": "cpu", "mode": "env", "envs": 1, "steps_per_second": speed}
    return [] if speed is None else [row]


def _bandwidth(device: str, seconds: float) -> float:
    """GB/s read and written by a copy of what no cache holds."""
    source = torch.ones(COPIED // 4, device=device)
    target = torch.empty_like(source)
    copies = rate(lambda: target.copy_(source), 1, device, min(seconds, 1.0))
    return copies * 2 * COPIED / 1e9


def least_bytes(env: EnvBase) -> int:
    """Bytes that a step of one environment moves at least: action, rows and SOCs read, SOCs and outputs written."""
    sockets, width = int(env.action_spec.shape[-1]) - 1, 4
    read = 1 + sockets + SOCKET_ROWS * sockets + sockets  # action, tables, SOCs
    outputs: list[int] = [math.prod(spec.shape[1:]) for spec in env.observation_spec.values(True, True)]
    written = sockets + sum(outputs)
    return width * int(read + written)


class _Seen:
    """What the windows of a measurement looked like, recorded at their starts alone."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._starts = torch.zeros(len(simulator.scenarios), simulator.steps, dtype=torch.bool, device=simulator.device)
        self._occupied: list[Tensor] = []

    def record(self, state: State) -> None:
        self._starts[state.scenario, state.step] = True
        self._occupied.append(self._simulator.view(state).connected.float().mean())

    def figures(self) -> Figures:
        return {"occupied": float(torch.stack(self._occupied).mean()), "start_hours": int(self._starts.sum())}


@torch.no_grad()
def _env_speed(scenarios: ScenarioSet, envs: int, device: str, seconds: float, mode: str) -> Figures:
    config = EnvConfig(window_hours=WINDOW_HOURS, compile=mode == "env_compiled")
    env = make_env(scenarios, envs, config, device)
    seen, move = _Seen(env.simulator), env_window(env)

    def window() -> None:
        seen.record(env.state)
        move()

    windows = rate(window, -(-STARTS // envs), device, seconds)
    speed = windows * envs * WINDOW_HOURS
    return {"steps_per_second": speed, "bytes_per_step": least_bytes(env)} | seen.figures()


@torch.no_grad()
def _step_speed(scenarios: ScenarioSet, envs: int, device: str, seconds: float, mode: str) -> Figures:
    """Steps as functions of tensors, without TorchRL: the physics and the objective, or all that ``SiteEnv`` does."""
    env = SiteEnv(scenarios, envs, EnvConfig(window_hours=WINDOW_HOURS), device)
    simulator = env.simulator
    windows, seen = Windows(simulator, envs, WINDOW_HOURS, seed=0), _Seen(simulator)
    actions = torch.rand(8, envs, 1 + simulator.sockets, device=device)

    def physics(*tensors: Tensor) -> tuple[State, Tensor]:
        state, _, costs = simulator.step(State(*tensors[:-2]), tensors[-1])
        return state, costs.total

    state, end = windows.draw(first=True)
    step: Callable[..., Any] = physics
    if mode == "physics_compiled":
        step = compiled(physics, *state, end, actions[0])
    elif mode == "env_cuda_graph":
        step = torch.cuda.make_graphed_callables(env.pure_step, (*state, end, actions[0]))

    def window() -> None:
        state, end = windows.draw(first=True)
        seen.record(state)
        for number in range(WINDOW_HOURS):
            state, _ = step(*state, end, actions[number % 8])

    return {
        "steps_per_second": rate(window, -(-STARTS // envs), device, seconds) * envs * WINDOW_HOURS
    } | seen.figures()


@torch.no_grad()
def _citylearn_speed(scenarios: ScenarioSet, seconds: float) -> float | None:
    """CityLearn through the same environment, within a year: its resets take seconds; None if not installed."""
    if importlib.util.find_spec("citylearn") is None:
        return None
    env = make_env(scenarios, 1, EnvConfig(window_hours=0, backend="citylearn"))
    return rate(env_window(env), 1, "cpu", seconds) * WINDOW_HOURS


def table(figures: Figures) -> str:
    """The figures for the terminal."""
    lines = [f"{key:<24}{value}" for key, value in figures["machine"].items()]
    heads = (
        "backend",
        "device",
        "mode",
        "envs",
        "sockets",
        "steps/s",
        "x CityLearn",
        "occupied",
        "starts",
        "of memory",
    )
    lines += ["", TABLE.format(*heads)]
    formats = ("", "", "", "", "", ",.0f", ",.0f", ".0%", "", ".0%")
    keys = [key for key in COLUMNS if key != "bytes_per_step"]
    for row in figures["rows"]:
        cells = ["-" if row[key] is None else format(row[key], shape) for key, shape in zip(keys, formats, strict=True)]
        lines.append(TABLE.format(*cells))
    return "\n".join(lines)

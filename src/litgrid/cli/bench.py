"""``bench sim``: how fast this machine simulates. ``bench train`` and ``bench parity`` have their own modules."""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torchrl.envs import EnvBase

from litgrid.cli import bench_train, parity
from litgrid.cli.options import Parser, check_json, write_json
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.compiling import missing
from litgrid.sim.env import EnvConfig, make_env
from litgrid.sim.physics import State
from litgrid.sim.simulator import Simulator
from litgrid.sim.windows import Windows
from litgrid.site.site import Battery, DemandCharge, Fleet, Location, Photovoltaics, Site, SocketGroup, Tariff

WINDOW_HOURS = 48
SOCKET_ROWS = 6  # socket tables that a step reads: left and SOC required before and after, SOC due, SOC that starts
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
TABLE = "{:<10}{:<8}{:<14}{:>7}{:>9}{:>14}{:>13}{:>10}{:>11}{:>11}"
COPIED = 64 * 2**20  # bytes: more than the caches hold

Figures = dict[str, Any]


def run(argv: list[str]) -> None:
    """The command ``bench``."""
    parser = Parser(prog="litgrid bench", description="Measure this machine.")
    sim = Parser(description="Environment steps a second, with random actions, observations, rewards and resets.")
    sim.add_argument("--envs", type=str, default="1,64,1024", help="how many environments side by side")
    sim.add_argument("--sockets", type=str, default="128", help="sockets of the site, one or more: 8,32,128,512")
    sim.add_argument("--seconds", type=float, default=5.0, help="least length of each measurement")
    sim.add_argument("--json", type=str, default=None, help="file for the figures, - for standard output")
    same = Parser(description="Random CityLearn data sets through CityLearn and our simulator: the worst differences.")
    same.add_argument("--cases", type=int, default=200, help="how many random data sets")
    same.add_argument("--steps", type=int, default=200, help="of each")
    same.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    same.add_argument("--json", type=str, default=None, help="file for the figures, - for standard output")
    train = Parser(
        description="Frames and updates a second of SAC, PPO and A2C, beside plain PyTorch and Stable-Baselines3."
    )
    train.add_argument(
        "--algorithms",
        type=list[Literal["sac", "ppo", "a2c"]],
        default=["sac", "ppo", "a2c"],
        help="which, as [sac,ppo]",
    )
    train.add_argument("--envs", type=str, default="1,64,1024", help="how many environments side by side")
    train.add_argument("--sockets", type=int, default=128, help="sockets of the site")
    train.add_argument("--observation", type=Literal["flat", "entity"], default="flat", help="of the agents")
    train.add_argument("--precision", type=Literal["32-true", "bf16-mixed"], default="32-true", help="of the networks")
    train.add_argument("--seconds", type=float, default=3.0, help="least length of each measurement")
    train.add_argument("--repeats", type=int, default=2, help="of each measurement, in turns; the fastest counts")
    train.add_argument("--sb3", type=bool, default=True, help="Stable-Baselines3, too, where it is installed")
    train.add_argument("--json", type=str, default=None, help="file for the figures, - for standard output")
    commands = parser.add_subcommands(dest="command", required=True)
    commands.add_subcommand("sim", sim)
    commands.add_subcommand("train", train)
    commands.add_subcommand("parity", same)
    chosen = parser.parse_args(argv[1:])
    options = chosen[chosen.command]
    check_json(options.json)
    if chosen.command == "sim":
        envs, sockets = _counts("--envs", options.envs), _counts("--sockets", options.sockets, least=2)
        figures = measure(envs, sockets, options.seconds)
        text = _table(figures)
    elif chosen.command == "train":
        figures = _train(options)
        text = bench_train.table(figures["rows"])
    else:
        figures = parity.measure(options.cases, options.steps, options.seed)
        text = parity.table(figures)
    if options.json != "-":
        print(text)
    if options.json is not None:
        write_json(figures, options.json)
    if not figures.get("passed", True):
        raise SystemExit(1)


def _train(options: Any) -> Figures:
    """The figures of ``bench train``."""
    envs, sockets = _counts("--envs", options.envs), _counts("--sockets", str(options.sockets), least=2)[0]
    rows = bench_train.measure(
        random_scenarios(bench_site(sockets), scenarios=2),
        options.algorithms,
        envs,
        observation=options.observation,
        precision=options.precision,
        seconds=options.seconds,
        repeats=options.repeats,
        sb3=options.sb3,
    )
    return {"machine": machine(), "rows": rows}


def _counts(option: str, text: str, least: int = 1) -> list[int]:
    counts = [int(part) if part.strip().isdigit() else 0 for part in text.split(",")]
    if min(counts) < least:
        raise InputError(f"{option}: found {text!r}, expected whole numbers from {least} on, as in 8,64,512")
    return counts


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
        for scenarios in [random_scenarios(bench_site(number), scenarios=2)]
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


def _rows(scenarios: ScenarioSet, devices: list[str], envs: list[int], seconds: float) -> list[Figures]:
    rows = []
    for device in devices:
        modes = ["env", *([] if missing(torch.device(device)) else ["env_compiled"]), "physics"]
        for count in envs:
            for mode in modes:
                measured = (
                    _physics_speed(scenarios, count, device, seconds)
                    if mode == "physics"
                    else _env_speed(scenarios, count, device, seconds, mode == "env_compiled")
                )
                rows.append({"backend": "litgrid", "device": device, "mode": mode, "envs": count} | measured)
    return rows


def _citylearn_row(speed: float | None) -> list[Figures]:
    row = {"backend": "citylearn", "device": "cpu", "mode": "env", "envs": 1, "steps_per_second": speed}
    return [] if speed is None else [row]


def _bandwidth(device: str, seconds: float) -> float:
    """GB/s read and written by a copy of what no cache holds."""
    source = torch.ones(COPIED // 4, device=device)
    target = torch.empty_like(source)
    copies = _rate(lambda: target.copy_(source), 1, device, min(seconds, 1.0))
    return copies * 2 * COPIED / 1e9


def least_bytes(env: EnvBase) -> int:
    """Bytes that a step of one environment moves at least: action, rows and SOCs read, SOCs and outputs written."""
    sockets, width = int(env.action_spec.shape[-1]) - 1, 4
    read = 1 + sockets + SOCKET_ROWS * sockets + sockets  # action, tables, SOCs
    outputs: list[int] = [math.prod(spec.shape[1:]) for spec in env.observation_spec.values(True, True)]
    written = sockets + sum(outputs)
    return width * int(read + written)


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


def _rate(call: Callable[[], Any], calls: int, device: str, seconds: float) -> float:
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
def _env_speed(scenarios: ScenarioSet, envs: int, device: str, seconds: float, compile: bool) -> Figures:
    env = make_env(scenarios, envs, EnvConfig(window_hours=WINDOW_HOURS, compile=compile), device)
    seen, move = _Seen(env.simulator), _env_window(env)

    def window() -> None:
        seen.record(env.state)
        move()

    windows = _rate(window, -(-STARTS // envs), device, seconds)
    speed = windows * envs * WINDOW_HOURS
    return {"steps_per_second": speed, "bytes_per_step": least_bytes(env)} | seen.figures()


@torch.no_grad()
def _physics_speed(scenarios: ScenarioSet, envs: int, device: str, seconds: float) -> Figures:
    simulator = Simulator(scenarios, device)
    windows, seen = Windows(simulator, envs, WINDOW_HOURS, seed=0), _Seen(simulator)
    actions = torch.rand(8, envs, 1 + simulator.sockets, device=device)

    def window() -> None:
        state, _ = windows.draw()
        seen.record(state)
        for step in range(WINDOW_HOURS):
            state, _, _ = simulator.step(state, actions[step % 8])

    speed = _rate(window, -(-STARTS // envs), device, seconds) * envs * WINDOW_HOURS
    return {"steps_per_second": speed} | seen.figures()


@torch.no_grad()
def _citylearn_speed(scenarios: ScenarioSet, seconds: float) -> float | None:
    """CityLearn through the same environment, within a year: its resets take seconds; None if not installed."""
    if importlib.util.find_spec("citylearn") is None:
        return None
    env = make_env(scenarios, 1, EnvConfig(window_hours=0, backend="citylearn"))
    return _rate(_env_window(env), 1, "cpu", seconds) * WINDOW_HOURS


def _table(figures: Figures) -> str:
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

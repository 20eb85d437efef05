"""Stable-Baselines3's SAC and PPO on CityLearn and on LitGrid, by the same script through gymnasium."""

from __future__ import annotations

import importlib.util
import time
from typing import Any, Literal

from litgrid.cli.bench_tools import WINDOW_HOURS, Figures, bench_scenarios
from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig
from litgrid.sim.gym import make_site

STEPS = {"litgrid": 1024, "citylearn": 128}
"""Environment steps to train; CityLearn's take 20 ms each, and its resets seconds."""
Backend = Literal["litgrid", "citylearn"]


def measure(sockets: int = 128) -> list[Figures]:
    """Environment steps a second while learning: a list of ``algorithm``, ``backend``, ``steps_per_second``.

    Raises:
        InputError: Stable-Baselines3 is not installed.
    """
    if importlib.util.find_spec("stable_baselines3") is None:
        raise InputError("--sb3: found no stable-baselines3, expected it to be installed: pip install litgrid[sb3]")
    backends: list[Backend] = ["litgrid"]
    if importlib.util.find_spec("citylearn") is not None:
        backends.append("citylearn")
    scenarios = bench_scenarios(sockets)
    return [
        {"algorithm": algorithm, "backend": backend, "steps_per_second": _speed(algorithm, backend, scenarios)}
        for algorithm in ("SAC", "PPO")
        for backend in backends
    ]


def _speed(algorithm: str, backend: Backend, scenarios: ScenarioSet) -> float:
    """SAC updates once a step, PPO ten times over what 128 steps gave."""
    import stable_baselines3 as sb3  # noqa: PLC0415 (an optional dependency)

    env = make_site(scenarios=scenarios, config=EnvConfig(window_hours=WINDOW_HOURS, backend=backend))
    options: dict[str, Any] = (
        {"learning_starts": 1, "buffer_size": 2048} if algorithm == "SAC" else {"n_steps": 128, "batch_size": 64}
    )
    model = getattr(sb3, algorithm)("MlpPolicy", env, seed=0, device="cpu", **options)
    model.learn(2 if algorithm == "SAC" else 128)  # libraries warm up, CityLearn loads its data
    start = time.perf_counter()
    model.learn(STEPS[backend], reset_num_timesteps=True)
    return STEPS[backend] / (time.perf_counter() - start)


def table(rows: list[Figures]) -> str:
    """The figures for the terminal."""
    lines = [f"{row['algorithm']:<6}{row['backend']:<12}{row['steps_per_second']:>12,.1f} steps/s" for row in rows]
    return "\n".join(["Stable-Baselines3, learning", *lines])

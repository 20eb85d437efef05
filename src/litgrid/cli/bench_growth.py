"""How the cost of a step grows with sockets, environments, years and buildings."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from litgrid.cli.bench_tools import WINDOW_HOURS, Figures, bench_scenarios, env_window, rate
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.plot import save
from litgrid.scenarios.random_district import Features, write_random
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.district import DistrictSimulator
from litgrid.sim.env import EnvConfig, SiteEnv

SOCKETS, ENVS, YEARS, BUILDINGS = (8, 32, 128, 512), (1, 64, 1024, 8192), (1, 5, 20), (1, 4, 16, 64)
BATCH = 1024
"""Environments of the sockets' and the years' measurements."""
DISTRICT_BATCH, DISTRICT_STEPS, CHARGERS = 256, 48, 2
LABELS = {
    "sockets": f"sockets ({BATCH:,} environments)",
    "envs": "environments (128 sockets)",
    "years": f"years (128 sockets, {BATCH:,} environments)",
    "buildings": f"buildings ({CHARGERS} chargers each, {DISTRICT_BATCH} environments)",
}


def measure(seconds: float) -> list[Figures]:
    """Milliseconds of an eager step of the whole batch: a list of ``of``, ``count``, ``ms_per_step``.

    Sockets, environments and years through ``SiteEnv``, buildings with the ``DistrictSimulator``.
    """
    cases: dict[str, tuple[tuple[int, ...], Callable[[int], float]]] = {
        "sockets": (SOCKETS, lambda count: _site(bench_scenarios(count), BATCH, seconds)),
        "envs": (ENVS, lambda count: _site(bench_scenarios(128), count, seconds)),
        "years": (YEARS, lambda count: _site(bench_scenarios(128, count), BATCH, seconds)),
        "buildings": (BUILDINGS, lambda count: _district(count, seconds)),
    }
    return [
        {"of": of, "count": count, "ms_per_step": 1e3 / steps_per_second(count)}
        for of, (counts, steps_per_second) in cases.items()
        for count in counts
    ]


@torch.no_grad()
def _site(scenarios: ScenarioSet, envs: int, seconds: float) -> float:
    env = SiteEnv(scenarios, envs, EnvConfig(window_hours=WINDOW_HOURS))
    return rate(env_window(env), 1, "cpu", seconds) * WINDOW_HOURS


@torch.no_grad()
def _district(buildings: int, seconds: float) -> float:
    with tempfile.TemporaryDirectory() as folder:
        features = Features(steps=DISTRICT_STEPS, buildings=buildings, chargers=CHARGERS)
        district, _ = read_district(write_random(Path(folder) / "district", features, seed=0).parent)
    simulator = DistrictSimulator(district)
    first = torch.zeros(DISTRICT_BATCH, dtype=torch.long)
    columns = int(simulator.batteries.capacity_kwh.numel()) + len(district.chargers)
    actions = torch.rand(DISTRICT_BATCH, columns) * 2.0 - 1.0

    def window() -> None:
        state = simulator.initial(first)
        for _ in range(DISTRICT_STEPS):
            state, _ = simulator.step(state, actions)

    return rate(window, 1, "cpu", seconds) * DISTRICT_STEPS


def slopes(growth: list[Figures]) -> dict[str, float]:
    """Slope of each curve's last piece on logarithmic axes: 1 is linear, less is better."""
    found = {}
    for of in LABELS:
        (x0, y0), (x1, y1) = [(row["count"], row["ms_per_step"]) for row in growth if row["of"] == of][-2:]
        found[of] = float(np.log(y1 / y0) / np.log(x1 / x0))
    return found


def table(growth: list[Figures]) -> str:
    """The figures for the terminal."""
    lines = [f"{row['of']:<12}{row['count']:>8}{row['ms_per_step']:>12.3f} ms a step" for row in growth]
    return "\n".join(lines + [f"{of:<12}last slope {slope:.2f} (1 is linear)" for of, slope in slopes(growth).items()])


def draw(growth: list[Figures], path: Path) -> None:
    """Draw the curves and linear growth beside them into a PNG file."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    last = slopes(growth)
    for axes, (of, label) in zip(figure.subplots(2, 2).flat, LABELS.items(), strict=True):
        points = [(row["count"], row["ms_per_step"]) for row in growth if row["of"] == of]
        x, y = np.array(points).T
        axes.loglog(x, y, "o-", label=f"measured, last slope {last[of]:.2f}")
        axes.loglog(x, y[-1] * x / x[-1], "--", color="grey", label="linear (slope 1)")
        axes.set_xlabel(label)
        axes.set_ylabel("ms a step of the batch")
        axes.set_xticks(x, [f"{int(count):,}" for count in x], minor=False)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend()
    save(figure, path)

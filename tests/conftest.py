"""Fixtures for all tests: a small site, and random scenarios that need no generator."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from litgrid.algorithms import saved
from litgrid.algorithms.metrics import read_metrics
from litgrid.scenarios.random import random_scenarios as draw_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import (
    HOURS_PER_DAY,
    Battery,
    DemandCharge,
    EnergyPrice,
    Fleet,
    Load,
    Location,
    Photovoltaics,
    Site,
    SocketGroup,
    Tariff,
)


@pytest.fixture(scope="session")
def small_site() -> Site:
    """Two groups of vehicles on five sockets, PV, a battery, two demand charges."""
    return Site(
        name="small",
        location=Location(-3.75, -73.25, 104.0, "America/Lima"),
        pv=Photovoltaics(dc_kwp=60.0, ac_kw=50.0),
        battery=Battery(capacity_kwh=40.0, power_kw=15.0),
        fleet=Fleet(
            groups=[
                SocketGroup("moto", sockets=3, power_kw=2.0, battery_kwh=2.0),
                SocketGroup("car", sockets=2, power_kw=7.0, battery_kwh=30.0, efficiency_one_way=0.9),
            ],
            energy_kwh_per_day=60.0,
        ),
        load=Load(annual_kwh=120_000.0, peak_kw=30.0),
        tariff=Tariff(
            windows=[EnergyPrice(18.0, 23.0, 0.45)],
            demand=[DemandCharge(48.5, 18.0, 23.0), DemandCharge(22.8, 18.0, 23.0, outside=True)],
        ),
    )


RandomScenarios = Callable[..., ScenarioSet]


@pytest.fixture(scope="session")
def random_scenarios() -> RandomScenarios:
    """A function (site, scenarios=2, days=365, seed=0) that draws a valid scenario set in milliseconds."""

    def draw(site: Site, scenarios: int = 2, days: int = 365, seed: int = 0) -> ScenarioSet:
        steps = days * HOURS_PER_DAY * 3600 // site.step_seconds
        return draw_scenarios(site, scenarios, steps, seed)

    return draw


WholeState = Callable[[Path, int], dict[str, Any]]


@pytest.fixture(scope="session")
def whole_state() -> WholeState:
    """A function (run, capacity of the buffer) that reads all that a run's newest state holds, by dotted name.

    Tensors as bytes; without what differs between two equal runs: names and digests of files, wall-clock times.
    """
    return read_state


def read_state(run: Path, capacity: int = 0) -> dict[str, Any]:
    """See ``whole_state``."""
    folder = run / "checkpoints"
    content = saved.read_whole(saved.newest(folder, print))
    resume, frames = content.pop(saved.RESUME), saved.frames_of(content)
    (rank,) = resume["ranks"]
    content["rows"] = resume["rows"]
    content["state"] = saved.read(folder / rank["state"]["path"])
    for segment in rank["segments"]:
        for key, value in flatten(saved.read(folder / segment["path"])):
            first = max(segment["first"], frames - capacity) - segment["first"]
            content[f"buffer{key}"] = [*content.get(f"buffer{key}", []), *value[first:]]
    rows = read_metrics(run / "metrics.csv")
    content["metrics"] = [{key: cell for key, cell in row.items() if not key.startswith("time/")} for row in rows]
    return {key: data_of(value) for key, value in flatten(content)}


def flatten(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted name and value of all that is in nested containers."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from flatten(item, f"{name}.{number}")
    else:
        yield name, value


def data_of(value: Any) -> Any:
    """A tensor as dtype, shape and bytes, which compare exactly; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    return str(value.dtype), tuple(value.shape), value.contiguous().flatten().view(torch.uint8).numpy().tobytes()

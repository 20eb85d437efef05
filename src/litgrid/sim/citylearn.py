"""CityLearn 3.0.2 behind LitGrid's interface: the reference of the physics, and ``backend: citylearn``.

CityLearn moves battery and vehicles; observations, flows and costs are computed from its SOCs and energies by the
functions that serve LitGrid's own physics.
"""

from __future__ import annotations

import importlib.metadata
import logging
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litgrid.errors import InputError
from litgrid.scenarios.export import export
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import SiteEnv
from litgrid.sim.physics import Moved, Row, State
from litgrid.sim.simulator import Simulator

VERSION = "3.0.2"


class Energies(NamedTuple):
    """What CityLearn says after one step: energies in kWh at the site's side, SOCs at the end of the step."""

    bess_soc: float
    bess_kwh: float
    """Positive when charging."""
    ev_soc: NDArray[np.float64]
    """[N] of the vehicle at each socket, 0 where it is free."""
    ev_kwh: NDArray[np.float64]
    """[N] taken by each socket."""
    net_kwh: float
    """Imported where positive, exported where negative."""
    cost: float
    """Of the imported energy, in the site's currency."""
    co2_kg: float
    """Of the imported energy."""


class CityLearnYear:
    """One scenario in ``CityLearnEnv``: physical actions in, CityLearn's own SOCs and energies out.

    Args:
        scenarios: the scenario set; the scenario is exported to a temporary folder and loaded from there.
        index: number of the scenario in it.

    Raises:
        InputError: CityLearn is not installed in the release that this is made for.
    """

    def __init__(self, scenarios: ScenarioSet, index: int) -> None:
        with process_settings_kept(), tempfile.TemporaryDirectory(prefix="litgrid-citylearn-") as folder:
            schema = export(scenarios, index, Path(folder) / "data")
            # one observation: none of CityLearn's are used, and building all of them takes longer than a step
            self.env = environment_class()(
                str(schema), central_agent=True, offline=True, render_mode="none", active_observations=["hour"]
            )
        self.env.reward_function = NoReward()
        self.steps = scenarios.steps
        (self._building,) = self.env.buildings
        self._first = 0  # row of the year with which the episode begins
        self._battery = "electrical_storage" in self._building.active_actions  # CityLearn takes none without capacity
        self._idle_soc = scenarios.site.battery.initial_soc  # of a battery that can't move

    def stands_at(self, step: int, bess_soc: float, ev_soc: NDArray[np.float64]) -> bool:
        """Whether CityLearn's present row and SOCs are these; arguments as for ``start``."""
        t = self.env.time_step
        if self._first + t != step or self.env.terminated:
            return False
        vehicles = [charger.connected_electric_vehicle for charger in self._building.electric_vehicle_chargers]
        present = [0.0 if vehicle is None else vehicle.battery.soc[t] for vehicle in vehicles]
        present.append(self._bess_soc(t))
        return np.array_equal(np.array(present, dtype=np.float32), np.append(ev_soc, bess_soc).astype(np.float32))

    def start(self, step: int, bess_soc: float, ev_soc: NDArray[np.float64]) -> None:
        """Begin an episode at a row of the year, with given SOCs.

        Args:
            step: 0 to T - 1.
            bess_soc: of the battery.
            ev_soc: [N] of the vehicles that are connected in this row; those of free sockets are not used.
        """
        if not 0 <= step < self.steps:
            raise ValueError(f"step {step}: CityLearn's data are those of the steps 0 to {self.steps - 1}")
        self._first, self._idle_soc = step, bess_soc
        self.env.episode_time_steps = [(step, self.steps)]
        self.env.reset()
        self._building.electrical_storage.force_set_soc(bess_soc)
        for charger, soc in zip(self._building.electric_vehicle_chargers, ev_soc, strict=True):
            if charger.connected_electric_vehicle is not None:
                charger.connected_electric_vehicle.battery.force_set_soc(float(soc))

    def step(self, action: NDArray[np.float64]) -> Energies:
        """Simulate one step.

        Args:
            action: [1 + N] physical: the battery in [-1, 1], sockets in [0, 1] ([-1, 1] with V2G).
        """
        t, building = self.env.time_step, self._building
        self.env.step([action[0 if self._battery else 1 :].tolist()])
        chargers = building.electric_vehicle_chargers
        vehicles = [charger.past_connected_evs[t] for charger in chargers]
        return Energies(
            bess_soc=self._bess_soc(t),
            bess_kwh=float(building.electrical_storage.electricity_consumption[t]),
            ev_soc=np.array([0.0 if vehicle is None else vehicle.battery.soc[t] for vehicle in vehicles]),
            ev_kwh=np.array([charger.electricity_consumption[t] for charger in chargers], dtype=np.float64),
            net_kwh=float(building.net_electricity_consumption[t]),
            cost=float(building.net_electricity_consumption_cost[t]),
            co2_kg=float(building.net_electricity_consumption_emission[t]),
        )

    def _bess_soc(self, t: int) -> float:
        return float(self._building.electrical_storage.soc[t]) if self._battery else self._idle_soc


class CityLearnSimulator(Simulator):
    """The simulator with CityLearn's physics: a function of state and action like ``Simulator``, on one CPU core.

    Each scenario is loaded once, when it is first stepped. Where a state is the one at which CityLearn stands, the
    step is CityLearn's next; for any other state, an episode of CityLearn is begun there.

    Args:
        scenarios: years of one site.
        device: where the tensors live.
        dtype: float32 or float64; CityLearn stores SOCs and energies in float32.

    Raises:
        InputError: CityLearn is not installed in the release that this is made for.
    """

    def __init__(
        self, scenarios: ScenarioSet, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        environment_class()  # refuse now, not at the first step
        super().__init__(scenarios, device, dtype)
        self._years: dict[int, CityLearnYear] = {}

    def move(self, state: State, bess: Tensor, sockets: Tensor, row: Row) -> Moved:  # noqa: ARG002 (CityLearn has its own row)
        """Let CityLearn move B sites, one after the other."""
        scenario, step = state.scenario.tolist(), state.step.tolist()
        bess_soc, ev_soc, actions = (
            part.detach().cpu().double().numpy()
            for part in (state.bess_soc, state.ev_soc, torch.cat([bess.unsqueeze(-1), sockets], -1))
        )
        sites = [
            self._step(scenario[b], step[b], float(bess_soc[b]), ev_soc[b], actions[b]) for b in range(len(actions))
        ]

        def stack(values: list[Any]) -> Tensor:
            return torch.as_tensor(np.array(values)).to(self.device, self.dtype)

        return Moved(
            bess_soc=stack([site.bess_soc for site in sites]),
            bess_kwh=stack([site.bess_kwh for site in sites]),
            ev_soc=stack([site.ev_soc for site in sites]),
            ev_kwh=stack([site.ev_kwh for site in sites]),
        )

    def _step(
        self, scenario: int, step: int, bess_soc: float, ev_soc: NDArray[np.float64], action: NDArray[np.float64]
    ) -> Energies:
        if scenario not in self._years:
            self._years[scenario] = CityLearnYear(self.scenarios, scenario)
        year = self._years[scenario]
        if not year.stands_at(step, bess_soc, ev_soc):
            year.start(step, bess_soc, ev_soc)
        return year.step(action)


class CityLearnSiteEnv(SiteEnv):
    """``SiteEnv`` on CityLearn: the same keys, observations, actions, rewards and windows.

    The end of CityLearn's data, which CityLearn calls terminated, is the end of the window that reaches it: truncated.
    Sites side by side are simulated one after the other, and share what is loaded of a scenario.
    """

    simulator_class = CityLearnSimulator


class NoReward:
    """Stands in for CityLearn's reward function, which would have all observations built."""

    required_observation_names = ()
    env_metadata: Any = None

    def reset(self) -> None:
        """Nothing to reset."""

    def calculate(self, observations: list[Any]) -> list[float]:  # noqa: ARG002 (CityLearn's interface)
        """No reward; LitGrid's objective is computed from the energies."""
        return [0.0]


def environment_class() -> Any:
    """``CityLearnEnv``, imported when it is needed."""
    needed = f"backend: citylearn needs citylearn {VERSION}, which installs on Python 3.11 only"
    try:
        found = importlib.metadata.version("citylearn")
    except importlib.metadata.PackageNotFoundError:
        raise InputError(f"{needed}; found Python {platform.python_version()} without it") from None
    if found != VERSION:
        raise InputError(f"{needed}; found citylearn {found}")
    with process_settings_kept():
        from citylearn.citylearn import CityLearnEnv  # noqa: PLC0415 (an optional dependency)
    return CityLearnEnv


@contextmanager
def process_settings_kept() -> Iterator[None]:
    """Undo what CityLearn does to the whole process: the root logger's level and handlers, numpy's error handling."""
    root, errors = logging.getLogger(), np.geterr()
    level, handlers = root.level, root.handlers[:]
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
        np.seterr(**errors)

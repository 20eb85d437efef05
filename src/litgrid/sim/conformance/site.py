"""The tests of a site's environment and of the simulator in it: subclass ``SiteConformance`` and run pytest."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Literal

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.envs.utils import check_env_specs

from litgrid.scenarios.export import export
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.conformance.reference import Reference, reference
from litgrid.sim.conformance.sites import SITES, site
from litgrid.sim.district_parity import Run, worst_errors
from litgrid.sim.env import EnvConfig, SiteEnv, make_env
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Battery, Site

Observation = Literal["flat", "entity"]
WINDOW_STEPS = 24
BATTERIES = (Battery(40.0, 15.0), Battery(0.0, 0.0), Battery(0.0, 5.0), Battery(5.0, 0.0))
"""One that moves, and three that can't."""


class SiteConformance:
    """A suite for ``SiteEnv`` on any simulator.

    Attributes:
        environment: the class, with its ``simulator_class``; a subclass names it.
        bound: of every error of the simulator in float64 (``worst_errors``).
    """

    environment: type[SiteEnv]
    bound: float = 1e-5

    @pytest.mark.parametrize("observation", ["flat", "entity"])
    def test_specs(self, observation: Observation) -> None:
        """TorchRL's own check."""
        config = EnvConfig(window_hours=5, observation=observation)
        check_env_specs(self.environment(random_scenarios(site(4), 2, 100), 2, config))

    def test_a_day_by_hand(self) -> None:
        """A moto of 2 kWh at 1 kW x 0.95, vehicles back to back; the battery of 40 kWh takes 7.5 kWh in row 0."""
        stays = [(0, 0, 1, 0.25), (0, 1, 2, 0.5), (0, 2, 4, 0.125), (0, 5, 6, 0.75)]
        simulator = self._simulator(_with_sessions(random_scenarios(site(4), 1, 24), stays))
        action = torch.tensor([0.5, 0.5, 0.0, 0.0, 0.0], dtype=torch.float64)
        run = run_site(simulator, torch.stack([action, *[action * (1 - torch.eye(5)[0])] * 6]))
        initial = simulator.site.battery.initial_soc
        assert run["bess_soc"][:, 0].tolist() == pytest.approx([initial + 7.5 * 0.95 / 40.0] * 7, abs=self.bound)
        taken = [1.0, 1.0, 1.0, 0.8 / 0.95, 0.0, 0.5 / 0.95, 0.0]  # the third is full after 0.8 kWh
        assert run["charger_kwh"][:, 0].tolist() == pytest.approx(taken, abs=self.bound)
        assert run["socket_soc"][2, 0].item() == pytest.approx(0.125 + 0.475, abs=self.bound)
        assert run["charger_kwh"][:, 1:].abs().max() == 0.0

    @pytest.mark.parametrize("battery", BATTERIES, ids=str)
    def test_equals_citylearn(self, battery: Battery) -> None:
        """SOCs, energies, cost and CO2 are those that CityLearn itself reports; in float32, too."""
        scenarios = random_scenarios(site(5, battery, v2g=True), 1, 100)
        with tempfile.TemporaryDirectory() as folder:
            expected = _exported(scenarios, Path(folder) / "data", 0)
        self.equals(scenarios, expected, torch.float64, self.bound)
        self.equals(scenarios, expected, torch.float32, 10.0 * self.bound)

    @settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(any_site=SITES, seed=st.integers(0, 2**31))
    def test_any_site_equals_citylearn(self, any_site: Site, seed: int) -> None:
        """60 steps of any battery, sockets and length of a step."""
        scenarios = random_scenarios(any_site, 1, 60, seed)
        with tempfile.TemporaryDirectory() as folder:
            self.equals(scenarios, _exported(scenarios, Path(folder) / "data", seed), torch.float64, self.bound)

    @pytest.mark.parametrize("observation", ["flat", "entity"])
    def test_the_environment_equals_citylearns(self, observation: Observation) -> None:
        """With one seed the same windows, observations, rewards, flows and costs, over the ends of windows."""
        pytest.importorskip("citylearn", reason="the reference is CityLearn, which installs on Python 3.11 alone")
        scenarios = random_scenarios(site(4, step_seconds=1800, v2g=True), 2, 200)
        config = EnvConfig(window_hours=WINDOW_STEPS // 2, observation=observation)
        ours = self.environment(scenarios, 2, config, seed=3)
        theirs = make_env(scenarios, 2, dataclasses.replace(config, backend="citylearn"), seed=3)
        assert ours.specs == theirs.specs
        mine, other = roll(ours, 60), roll(theirs, 60)
        assert mine["next", "truncated"].sum() == 2 * (60 // WINDOW_STEPS)
        for key, value in other.items(include_nested=True, leaves_only=True):
            torch.testing.assert_close(mine[key], value, rtol=1e-5, atol=2e-5, msg=f"{key} differs from CityLearn's")

    def test_windows_are_truncated_and_repeat(self) -> None:
        """No window is terminated, energies balance in every step, and one seed gives one run, bit for bit."""
        scenarios = random_scenarios(site(4), 2, 100)
        first, again = (roll(self.environment(scenarios, 2, EnvConfig(window_hours=7), seed=1), 20) for _ in range(2))
        assert bool((first == again).all())
        assert not first["next", "terminated"].any()
        assert torch.equal(first["next", "done"], first["next", "truncated"])
        flows = first["flows"]
        grid = flows["load"] + flows["ev"] + flows["bess_charge"] - flows["bess_discharge"] - flows["pv"]
        torch.testing.assert_close(flows["grid_import"] - flows["grid_export"], grid, rtol=1e-5, atol=1e-4)
        assert bool((flows["grid_import"] * flows["grid_export"] == 0.0).all())

    def equals(self, scenarios: ScenarioSet, expected: Reference, dtype: torch.dtype, bound: float) -> None:
        """Require that the simulator equals CityLearn's run of the exported scenario."""
        run = run_site(self._simulator(scenarios, dtype), _site_actions(expected))
        theirs = {key: values for key, values in expected.run.items() if key in run}
        theirs["socket_soc"] = _staying_soc(expected)
        run["socket_soc"] = torch.where(theirs["socket_soc"] > 0.0, run["socket_soc"], 0.0)
        errors = worst_errors(run, theirs, expected.district)
        print(type(self).__name__, dtype, {key: f"{error:.0e}" for key, error in errors.items()})
        assert max(errors.values()) <= bound, f"bound {bound:g}: {errors}"

    def _simulator(self, scenarios: ScenarioSet, dtype: torch.dtype = torch.float64) -> Simulator:
        return self.environment.simulator_class(scenarios, dtype=dtype)


def run_site(simulator: Simulator, actions: Tensor) -> Run:
    """Step a site from the year's start.

    Args:
        simulator: of scenarios, of which the first is run.
        actions: [steps, 1 + N].

    Returns:
        The quantities of a district's run that a site has; and ``socket_soc`` [steps, N] of the vehicles at the
        sockets when the next step begins, 0 where there is none.
    """
    zero = torch.zeros(1, dtype=torch.int64)
    state, rows = simulator.initial(zero, zero), []
    for action in actions.to(simulator.dtype):
        state, flows, costs = simulator.step(state, action.unsqueeze(0))
        row = {
            "bess_soc": state.bess_soc,
            "bess_kwh": flows.bess_charge - flows.bess_discharge,
            "socket_soc": state.ev_soc[0],
            "charger_kwh": flows.ev_sockets[0],
            "net_kwh": flows.grid_import - flows.grid_export,
            "cost": costs.energy,
            "co2_kg": costs.co2_kg - flows.ev_unserved * simulator.site.carbon.gasoline_kg_per_kwh,
        }
        rows.append({key: value.double().cpu() for key, value in row.items()})
    return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}


def roll(env: SiteEnv, steps: int) -> TensorDictBase:
    """Random actions over the ends of windows, with flows and costs of every step: [steps, B]."""
    draw, rows, tensordict = torch.Generator().manual_seed(5), [], env.reset()
    for _ in range(steps):
        tensordict["action"] = torch.rand(env.action_spec.shape, generator=draw) * 2.0 - 1.0
        row, tensordict = env.step_and_maybe_reset(tensordict)
        assert env.flows is not None
        assert env.costs is not None
        booked = {"flows": env.flows._asdict(), "costs": env.costs._asdict()}
        rows.append(row.clone().update(TensorDict(booked, batch_size=env.batch_size)))
    return torch.stack(rows)


def _with_sessions(scenarios: ScenarioSet, stays: list[tuple[int, int, int, float]]) -> ScenarioSet:
    """Stays (socket, arrival, departure, SOC at arrival) in the place of one scenario's sessions."""
    types = {"socket": torch.int16, "arrival": torch.int32, "departure": torch.int32, "soc_arrival": torch.float32}
    columns = zip(types.items(), zip(*stays, strict=True), strict=True)
    sessions = {key: torch.tensor([values], dtype=dtype) for (key, dtype), values in columns}
    sessions["soc_required"] = torch.full((1, len(stays)), 0.9)
    return dataclasses.replace(scenarios, sessions=TensorDict(sessions, batch_size=[1, len(stays)]))


def _exported(scenarios: ScenarioSet, folder: Path, seed: int) -> Reference:
    export(scenarios, 0, folder)
    return reference.__wrapped__(folder, seed=seed)


def _site_actions(expected: Reference) -> Tensor:
    """CityLearn has no action for a battery that can't move; a site has."""
    lacking = 1 + len(expected.district.chargers) - expected.actions.shape[1]
    return torch.cat([torch.ones(len(expected.actions), lacking, dtype=torch.float64), expected.actions], -1)


def _staying_soc(expected: Reference) -> Tensor:
    """[steps, N] SOC of the vehicles that stay at their chargers for the next step, 0 elsewhere."""
    connections = expected.district.connections
    vehicle = connections["vehicle"].long()
    stays = (vehicle[:-1] >= 0) & (vehicle[:-1] == vehicle[1:]) & ~connections["new"][1:]
    there: Tensor = expected.run["vehicle_soc"].gather(1, vehicle[:-1].clamp(min=0)) * stays
    return there

"""The same actions through CityLearn and through the simulator. ``pytest -rP`` prints the errors found."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tensordict import TensorDict
from torch import Tensor

from litgrid.scenarios.build import build
from litgrid.scenarios.export import export
from litgrid.scenarios.random import random_scenarios as draw_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.citylearn import CityLearnYear, Energies, process_settings_kept
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Battery, Site, SocketGroup, Years, read_site, replace

pytest.importorskip("citylearn")

IQUITOS = Path(__file__).resolve().parents[2] / "configs" / "sites" / "iquitos.yaml"
FIRST = torch.zeros(1, dtype=torch.int64)


@dataclass(frozen=True)
class Parity:
    """How far the simulator is from CityLearn over a run."""

    soc: float
    """Largest absolute error of a SOC, battery and vehicles."""
    net_kwh: float
    """Largest absolute error of a step's net energy."""
    net: float
    """The same over the run's largest net energy, or over 1 kWh where that is less."""
    sockets_kwh: float
    """Largest absolute error of the energy that a socket takes in a step."""
    cost: float
    """Relative error of the run's energy bill."""
    co2: float
    """Relative error of the run's CO2 of imports."""

    def within(self, bound: float) -> bool:
        """Whether SOCs, net energy, bill and CO2 are."""
        return max(self.soc, self.net, self.cost, self.co2) <= bound


def random_actions(site: Site, steps: int, seed: int = 0) -> Tensor:
    """Physical actions [steps, 1 + N] of all signs, a fifth of them exactly 0 or at full power, some beyond it."""
    draw = np.random.default_rng(seed)
    actions = draw.uniform(-1.2, 1.2, (steps, 1 + site.fleet.sockets))
    exact = draw.choice([-1.0, 0.0, 1.0], actions.shape)
    return torch.from_numpy(np.where(draw.uniform(size=actions.shape) < 0.2, exact, actions))


class Run:
    """A simulator that is stepped beside CityLearn from the start of the year, and how far it is from it."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.state = simulator.initial(FIRST, FIRST)
        self.soc: list[float] = []
        self.sockets_kwh: list[float] = []
        self.totals: list[list[float]] = []

    def step(self, action: Tensor, energies: Energies) -> None:
        simulator = self.simulator
        staying = simulator.view(self.state).left[0].numpy() > 1
        self.state, flows, costs = simulator.step(self.state, action.unsqueeze(0).to(simulator.dtype))
        vehicles = np.abs(self.state.ev_soc[0].numpy() - energies.ev_soc)[staying]
        self.soc.append(max(abs(float(self.state.bess_soc) - energies.bess_soc), *vehicles.tolist(), 0.0))
        self.sockets_kwh.append(float(np.abs(flows.ev_sockets[0].numpy() - energies.ev_kwh).max()))
        grid_co2 = costs.co2_kg - flows.ev_unserved * simulator.site.carbon.gasoline_kg_per_kwh
        self.totals.append([float(x) for x in (flows.grid_import - flows.grid_export, costs.energy, grid_co2)])

    def parity(self, citylearn: list[Energies]) -> Parity:
        ours = np.array(self.totals)
        theirs = np.array([(energies.net_kwh, energies.cost, energies.co2_kg) for energies in citylearn])
        net_kwh = float(np.abs(ours[:, 0] - theirs[:, 0]).max())
        scale = max(1.0, float(np.abs(theirs[:, 0]).max()))
        _, cost, co2 = (np.abs(ours.sum(0) - theirs.sum(0)) / np.abs(theirs.sum(0)).clip(1e-9)).tolist()
        return Parity(max(self.soc), net_kwh, net_kwh / scale, max(self.sockets_kwh), cost, co2)


def parity(
    year: CityLearnYear, simulators: list[Simulator], actions: Tensor, simulated: Tensor | None = None
) -> list[Parity]:
    """Step all from the start of the year; ``simulated`` gives the simulators other actions than CityLearn."""
    runs = [Run(simulator) for simulator in simulators]
    year.start(0, float(runs[0].state.bess_soc), runs[0].state.ev_soc[0].double().numpy())
    citylearn = []
    for theirs, ours in zip(actions, actions if simulated is None else simulated, strict=True):
        citylearn.append(year.step(theirs.numpy()))
        for run in runs:
            run.step(ours, citylearn[-1])
    return [run.parity(citylearn) for run in runs]


def changes(scenarios: ScenarioSet, steps: int) -> tuple[int, int, int, int]:
    """Arrivals and departures in the first steps, sockets that change vehicles, sessions without a gap before."""
    keys = ("socket", "arrival", "departure")
    socket, arrival, departure = (scenarios.sessions[key][0].long().numpy() for key in keys)
    arrives, leaves = arrival < steps, departure < steps
    ends = set(zip(socket[leaves].tolist(), departure[leaves].tolist(), strict=True))
    back_to_back = len(ends & set(zip(socket[arrives].tolist(), arrival[arrives].tolist(), strict=True)))
    changing = int((np.bincount(socket[arrives]) > 1).sum())
    return int(arrives.sum()), int(leaves.sum()), changing, back_to_back


def both_types(scenarios: ScenarioSet) -> list[Simulator]:
    return [Simulator(scenarios, dtype=dtype) for dtype in (torch.float64, torch.float32)]


def beginning(scenarios: ScenarioSet, steps: int) -> ScenarioSet:
    """The first steps of a scenario set, without the sessions that go on after them."""
    sessions = scenarios.sessions.clone()
    later = sessions["departure"] > steps
    for key in ("arrival", "departure"):
        sessions[key][later] = steps
    return dataclasses.replace(scenarios, series=scenarios.series[:, :steps], sessions=sessions)


@pytest.mark.slow
def test_500_steps_with_128_sockets() -> None:
    """The site in Iquitos, with the sessions that it is simulated with."""
    site = replace(read_site(IQUITOS), years=Years(1, 1, 1))
    scenarios = beginning(build(site, "test"), 500)
    assert site.fleet.sockets == 128
    arrivals, departures, changing, back_to_back = changes(scenarios, 500)
    print(f"{arrivals} arrivals, {departures} departures, {back_to_back} of them with an arrival in the same step")
    assert min(arrivals, departures) > 2000
    assert changing == 128
    assert back_to_back > 100
    double, single = parity(CityLearnYear(scenarios, 0), both_types(scenarios), random_actions(site, 500))
    print(f"128 sockets, 500 steps, float64: {double}")
    print(f"128 sockets, 500 steps, float32: {single}")
    assert double.within(1e-5)
    assert single.within(1e-5)


@pytest.mark.slow
def test_a_whole_year_with_8_sockets() -> None:
    site = read_site(IQUITOS)
    groups = [dataclasses.replace(group, sockets=n) for group, n in zip(site.fleet.groups, (5, 3), strict=True)]
    site = replace(site, fleet=dataclasses.replace(site.fleet, groups=groups))
    scenarios = draw_scenarios(site, 1)
    assert scenarios.steps == 8760
    assert min(changes(scenarios, 8760)) >= 8
    (found,) = parity(CityLearnYear(scenarios, 0), both_types(scenarios)[:1], random_actions(site, 8760))
    print(f"8 sockets, 8,760 steps, float64: {found}")
    assert found.within(1e-5)


@pytest.mark.parametrize("step_seconds", [3600, 1200, 900])
def test_steps_of_any_length(small_site: Site, step_seconds: int) -> None:
    site = replace(small_site, step_seconds=step_seconds)
    scenarios = draw_scenarios(site, 1, 300)
    for found in parity(CityLearnYear(scenarios, 0), both_types(scenarios), random_actions(site, 300)):
        print(f"5 sockets, 300 steps of {step_seconds} s, float64 or float32: {found}")
        assert found.within(1e-5)
        assert found.sockets_kwh < 1e-5


@pytest.mark.parametrize("battery", [Battery(0.0, 0.0), Battery(0.0, 5.0), Battery(5.0, 0.0)])
def test_a_battery_that_can_not_move(small_site: Site, battery: Battery) -> None:
    scenarios = draw_scenarios(replace(small_site, battery=battery), 1, 100)
    (found,) = parity(CityLearnYear(scenarios, 0), both_types(scenarios)[:1], random_actions(small_site, 100))
    assert found.within(1e-5)


share = st.floats(0.3, 1.0)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    battery=st.builds(
        Battery,
        capacity_kwh=st.floats(1.0, 5000.0),
        power_kw=st.floats(0.1, 3000.0),
        depth_of_discharge=share,
        efficiency_one_way=share,
        initial_soc=st.floats(0.7, 1.0),
    ),
    group=st.builds(
        SocketGroup,
        name=st.just("any"),
        sockets=st.integers(1, 3),
        power_kw=st.floats(0.5, 50.0),
        battery_kwh=st.floats(1.0, 100.0),
        efficiency_one_way=share,
        v2g=st.booleans(),
    ),
    step_seconds=st.sampled_from([3600, 1800, 900]),
    seed=st.integers(0, 2**31),
)
def test_any_site(small_site: Site, battery: Battery, group: SocketGroup, step_seconds: int, seed: int) -> None:
    fleet = dataclasses.replace(small_site.fleet, groups=[group])
    site = replace(small_site, battery=battery, fleet=fleet, step_seconds=step_seconds)
    scenarios = draw_scenarios(site, 1, 60, seed)
    (found,) = parity(CityLearnYear(scenarios, 0), both_types(scenarios)[:1], random_actions(site, 60, seed))
    assert found.within(1e-5), found


def test_sessions_at_the_start_of_one_step_and_back_to_back(small_site: Site) -> None:
    """By hand, at half power: moto sockets store 1 kW x 0.95 of 2 kWh in an hour."""
    rows = [(0, 0, 1, 0.25, 0.9), (0, 1, 2, 0.5, 0.9), (0, 2, 4, 0.125, 0.9), (0, 5, 6, 0.75, 0.9)]
    keys = {"socket": torch.int16, "arrival": torch.int32, "departure": torch.int32}
    keys |= {"soc_arrival": torch.float32, "soc_required": torch.float32}
    columns = zip(*rows, strict=True)
    sessions = {key: torch.tensor([c], dtype=dtype) for (key, dtype), c in zip(keys.items(), columns, strict=True)}
    day = draw_scenarios(small_site, 1, 24)
    scenarios = dataclasses.replace(day, sessions=TensorDict(sessions, batch_size=[1, len(rows)]))
    action = np.array([0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
    expected = [0.25 + 0.475, 0.5 + 0.475, 0.125 + 0.475, 0.125 + 0.95, 0.0, 0.75 + 0.475, 0.0]
    year, simulator = CityLearnYear(scenarios, 0), Simulator(scenarios, dtype=torch.float64)
    state = simulator.initial(FIRST, FIRST)
    for t, soc in enumerate(expected):
        energies = year.step(action)
        assert energies.ev_soc[0] == pytest.approx(min(soc, 1.0), abs=1e-6)
        arrivals: NDArray[np.float64] = state.ev_soc[0].numpy()
        assert arrivals[0] == pytest.approx(rows_soc(rows, t, expected), abs=1e-6)
        state, flows, _ = simulator.step(state, torch.from_numpy(action).unsqueeze(0))
        assert float(flows.ev_sockets[0, 0]) == pytest.approx(energies.ev_kwh[0], abs=1e-6)


def rows_soc(rows: list[tuple[int, int, int, float, float]], t: int, after: list[float]) -> float:
    """SOC at the start of a step: at arrival, or after the step before, or 0 where the socket is free."""
    for _, arrival, departure, soc, _ in rows:
        if arrival <= t < departure:
            return soc if t == arrival else after[t - 1]
    return 0.0


PLANTED = ("bess_efficiency", "socket_efficiency", "bess_rate", "lag", "session_late", "soc_arrival", "price")


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(small_site: Site, fault: str) -> None:
    """Half a per cent in one constant or one session, or a step of delay, shows at ten times the bound and more."""
    scenarios = draw_scenarios(small_site, 1, 100)
    year, actions = CityLearnYear(scenarios, 0), random_actions(small_site, 100)
    simulator, simulated = Simulator(scenarios, dtype=torch.float64), actions
    assert parity(year, [simulator], actions)[0].within(1e-5)
    match fault:
        case "lag":
            simulated = actions.roll(1, 0)
        case "session_late":
            sessions = scenarios.sessions.clone()
            sessions["arrival"][0, 3] += 1
            simulator = Simulator(dataclasses.replace(scenarios, sessions=sessions), dtype=torch.float64)
        case "soc_arrival":
            sessions = scenarios.sessions.clone()
            sessions["soc_arrival"][0, 3] += 0.005
            simulator = Simulator(dataclasses.replace(scenarios, sessions=sessions), dtype=torch.float64)
        case "price":
            series = scenarios.series.clone()
            series["price_per_kwh"] *= 1.005
            simulator = Simulator(dataclasses.replace(scenarios, series=series), dtype=torch.float64)
        case _:
            params = simulator.params
            simulator.params = params._replace(**{fault: getattr(params, fault) * 1.005})
    (found,) = parity(year, [simulator], actions, simulated)
    assert not found.within(1e-4), found


def test_nothing_is_drawn(small_site: Site, tmp_path: Path) -> None:
    """CityLearn's random numbers change no energy: other seeds give the same year, bit for bit."""
    scenarios = draw_scenarios(small_site, 1, 100)
    path = export(scenarios, 0, tmp_path / "data")
    year, actions = CityLearnYear(scenarios, 0), random_actions(small_site, 100).tolist()
    runs = []
    for seed in (0, 7):
        with process_settings_kept():
            env = type(year.env)(str(path), offline=True, random_seed=seed)
        while not env.terminated:
            env.step([actions[env.time_step]])
        (building,) = env.buildings
        assert env.time_step == 100
        vehicles = [
            [vehicle and vehicle.name for vehicle in c.past_connected_evs] for c in building.electric_vehicle_chargers
        ]
        chargers = [charger.electricity_consumption.tolist() for charger in building.electric_vehicle_chargers]
        series = [building.net_electricity_consumption.tolist(), building.electrical_storage.soc.tolist()]
        runs.append([vehicles, chargers, series])
    assert runs[0] == runs[1]

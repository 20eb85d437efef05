"""The optimum against years computed by hand, a second program in a second solver, and other controllers."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from tensordict import TensorDict
from torch import Tensor

from litgrid.controllers import Controller, make
from litgrid.controllers.fleet import fleet_objective
from litgrid.controllers.optimum import Optimum, solve
from litgrid.controllers.program import Values
from litgrid.controllers.solution import relaxed_objective
from litgrid.errors import InputError
from litgrid.evaluation.accounting import Figures, yearly
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.sim.worlds import AnyView
from litgrid.site.site import (
    Battery,
    DemandCharge,
    Fleet,
    Load,
    Location,
    Objective,
    Photovoltaics,
    Site,
    SocketGroup,
    Tariff,
    replace,
)

HOURS = 48
PRICES = ("price_per_kwh", "carbon_kg_per_kwh")
RULES = ("idle", "uncontrolled", "self_consumption")


def by_hand() -> ScenarioSet:
    """PV 0, 10, 6, 0 kW; load 2, 2, 2, 5 kW; a vehicle in the second and third hour that needs 1.4 kWh."""
    site = Site(
        name="by hand",
        location=Location(-3.75, -73.25, 104.0, "America/Lima"),
        pv=Photovoltaics(dc_kwp=12.0, ac_kw=12.0),
        battery=Battery(capacity_kwh=10.0, power_kw=4.0, efficiency_one_way=0.8, initial_soc=0.5),
        fleet=Fleet(groups=[SocketGroup("moto", 1, power_kw=2.0, battery_kwh=2.0, efficiency_one_way=0.8)]),
        tariff=Tariff(demand=[DemandCharge(10.0)]),
    )
    years = random_scenarios(site, scenarios=1, steps=4)
    series = {
        "pv_kw": [0.0, 10.0, 6.0, 0.0],
        "load_kw": [2.0, 2.0, 2.0, 5.0],
        "price_per_kwh": [0.5] * 4,
        "carbon_kg_per_kwh": [0.4] * 4,
    }
    years.series.update({key: torch.tensor([values]) for key, values in series.items()})
    sessions = {
        "socket": torch.tensor([[0]], dtype=torch.int16),
        "arrival": torch.tensor([[1]], dtype=torch.int32),
        "departure": torch.tensor([[3]], dtype=torch.int32),
        "soc_arrival": torch.tensor([[0.2]]),
        "soc_required": torch.tensor([[0.9]]),
    }
    return dataclasses.replace(years, sessions=TensorDict(sessions, batch_size=[1, 1]))


def accounts(scenarios: ScenarioSet, controller: Controller) -> list[Figures]:
    return yearly(rollout(Simulator(scenarios, dtype=torch.float64), controller))


def test_four_hours_by_hand() -> None:
    """The battery gets 8 kWh of PV and gives 0.64 of it, 4 kWh of these in the last hour, 1.12 in the first."""
    scenarios = by_hand()
    (solution,) = solve(scenarios)
    assert solution.battery_kwh.tolist() == pytest.approx([-1.12, 4.0, 4.0, -4.0], abs=1e-6)
    assert float(solution.sockets_kwh.sum()) == pytest.approx(1.75, abs=1e-6)
    expected = 1.88 * (0.5 + 0.1 * 0.4) + 10.0 * 1.0
    assert solution.objective == pytest.approx(expected, abs=1e-6)
    assert solution.tie_break == pytest.approx(13.12e-6)
    assert solution.simultaneous_kwh == 0.0
    (account,) = accounts(scenarios, Optimum(scenarios))
    assert account["objective"] == pytest.approx(expected, abs=1e-6)
    assert account["ev_unserved_kwh"] == pytest.approx(0.0, abs=1e-6)


def test_a_district_is_refused() -> None:
    with pytest.raises(InputError, match="found optimum on a CityLearn data set"):
        Optimum(None)  # type: ignore[arg-type]


@st.composite
def years(draw: st.DrawFn) -> ScenarioSet:
    """Two days of a random small site: V2G, wear, demand charges in and out of windows, no battery, no PV, ..."""

    def some(*values: float) -> float:
        return draw(st.sampled_from(values))

    charge = DemandCharge(some(20.0, 48.5), 18.0, 23.0, outside=draw(st.booleans()))
    charges = draw(st.sampled_from([[], [DemandCharge(48.5)], [charge, DemandCharge(22.8, 6.0, 20.0)]]))
    eta = some(0.9, 1.0)
    groups = [
        SocketGroup("moto", draw(st.integers(1, 3)), 2.0, 2.0, v2g=draw(st.booleans())),
        SocketGroup("car", draw(st.integers(1, 2)), 7.0, 30.0, efficiency_one_way=eta, v2g=draw(st.booleans())),
    ]
    site = Site(
        name="drawn",
        location=Location(-3.75, -73.25, 104.0, "America/Lima"),
        pv=Photovoltaics(dc_kwp=60.0, ac_kw=some(0.0, 30.0)),
        battery=Battery(some(0.0, 10.0, 40.0), some(0.0, 5.0, 15.0), efficiency_one_way=some(0.8, 0.95, 1.0)),
        fleet=Fleet(groups=groups),
        load=Load(annual_kwh=40_000.0, peak_kw=15.0),
        tariff=Tariff(demand=charges),
        objective=Objective(draw(st.sampled_from(["balanced", "cost", "co2"])), wear_per_kwh=some(0.0, 0.05)),
    )
    return random_scenarios(site, 1, HOURS, seed=draw(st.integers(0, 10_000)))


Entries = dict[int, float]


class SecondProgram:
    """The same optimum from a program of its own, written stay by stay, in SciPy's interior-point solver."""

    def __init__(self, scenarios: ScenarioSet) -> None:
        self.site = scenarios.site
        self.cost: list[float] = []
        self.bounds: list[tuple[float, float | None]] = []
        self.equal: list[tuple[Entries, float]] = []
        self.below: list[tuple[Entries, float]] = []
        self.taken: list[Entries] = [{} for _ in range(HOURS)]
        series = {key: scenarios.series[key][0].double().tolist() for key in ("pv_kw", "load_kw", *PRICES)}
        self.battery()
        for session in scenarios.sessions[0]:
            if session["arrival"] < session["departure"]:
                self.stay(
                    *(float(session[key]) for key in ("socket", "arrival", "departure", "soc_arrival", "soc_required"))
                )
        self.meter(series)

    def variable(self, price: float, low: float = 0.0, high: float | None = None) -> int:
        self.cost.append(price)
        self.bounds.append((low, high))
        return len(self.cost) - 1

    def store(self, hours: range, held: float, limits: tuple[float, float, float], eta: float, wear: float) -> int:
        """A battery that holds so much, within (least, most, power); the variable of what it holds at the end."""
        least, most, power = limits
        before: Entries = {}
        for hour in hours:
            take, give = self.variable(0.0, 0.0, power), self.variable(wear, 0.0, power)
            now = self.variable(0.0, least, most)
            self.taken[hour] |= {take: 1.0, give: -1.0}
            self.equal.append(({now: 1.0, take: -eta, give: 1.0 / eta} | before, held))
            before, held = {now: -1.0}, 0.0
        return now

    def battery(self) -> None:
        part, wear = self.site.battery, self.site.objective.wear_per_kwh
        assert wear is not None
        limits = (part.min_soc * part.capacity_kwh, part.capacity_kwh, part.power_kw if part.capacity_kwh else 0.0)
        start = part.initial_soc * part.capacity_kwh
        last = self.store(range(HOURS), start, limits, part.efficiency_one_way, wear)
        self.below.append(({last: -1.0}, -start))

    def stay(self, socket: float, arrival: float, departure: float, soc: float, required: float) -> None:
        group = [group for group in self.site.fleet.groups for _ in range(group.sockets)][int(socket)]
        hours, most, eta, weight = range(int(arrival), int(departure)), group.battery_kwh, 0.0, self.site.objective
        assert weight.unserved_per_kwh is not None
        assert weight.carbon_per_kg is not None
        eta = group.efficiency_one_way
        due = min(required * most, most, soc * most + len(hours) * group.power_kw * eta)
        gasoline = weight.carbon_per_kg * self.site.carbon.gasoline_kg_per_kwh
        unserved = self.variable(weight.unserved_per_kwh + gasoline)
        if group.v2g:
            last = self.store(hours, soc * most, (0.0, most, group.power_kw), eta, 0.0)
            self.below.append(({last: -1.0, unserved: -1.0}, -due))
            return
        takes = [self.variable(0.0, 0.0, group.power_kw) for _ in hours]
        for hour, take in zip(hours, takes, strict=True):
            self.taken[hour][take] = 1.0
        self.below.append((dict.fromkeys(takes, eta), (1.0 - soc) * most))
        self.below.append((dict.fromkeys(takes, -eta) | {unserved: -1.0}, soc * most - due))

    def meter(self, series: dict[str, list[float]]) -> None:
        weight, charges = self.site.objective, self.site.tariff.demand
        assert weight.bill is not None
        assert weight.carbon_per_kg is not None
        peaks = [self.variable(weight.bill * charge.price_per_kw) for charge in charges]
        for hour, taken in enumerate(self.taken):
            price, carbon = (series[key][hour] for key in PRICES)
            bought, sold = self.variable(weight.bill * price + weight.carbon_per_kg * carbon), self.variable(0.0)
            self.equal.append((taken | {bought: -1.0, sold: 1.0}, series["pv_kw"][hour] - series["load_kw"][hour]))
            for peak, charge in zip(peaks, charges, strict=True):
                if (charge.from_hour <= hour % 24 < charge.to_hour) != charge.outside:
                    self.below.append(({bought: 1.0, peak: -1.0}, 0.0))

    def solve(self) -> float:
        found = linprog(
            self.cost, *self.dense(self.below), *self.dense(self.equal), bounds=self.bounds, method="highs-ipm"
        )
        assert found.success
        return float(found.fun)

    def dense(self, rows: list[tuple[Entries, float]]) -> tuple[Values, Values]:
        matrix = np.zeros((len(rows), len(self.cost)))
        for row, (entries, _) in enumerate(rows):
            matrix[row, list(entries)] = list(entries.values())
        return matrix, np.array([right for _, right in rows])


class Random:
    """Random actions; the battery charges at the end, so that it ends no lower than it began."""

    name = "random"
    seed = None

    def __init__(self, controller: Controller | None) -> None:
        self.controller = controller
        self.generator = torch.Generator().manual_seed(0)

    def act(self, view: AnyView) -> Tensor:
        assert isinstance(view, View)
        if self.controller is None:
            action = 2.0 * torch.rand(1, 1 + view.ev_soc.shape[1], generator=self.generator).to(view.bess_soc) - 1.0
        else:
            action = self.controller.act(view).clone()
        action[view.step >= HOURS - 24, 0] = 1.0
        return action


@settings(deadline=None, max_examples=20)
@given(scenarios=years())
def test_a_second_solver_agrees_and_no_controller_is_better(scenarios: ScenarioSet) -> None:
    controller = Optimum(scenarios)
    (solution,) = controller.solutions
    tolerance = 1e-6 * max(1.0, solution.objective)
    assert solution.objective == pytest.approx(SecondProgram(scenarios).solve(), abs=tolerance)
    assert solution.simultaneous_kwh < 1e-6
    simulator = Simulator(scenarios, dtype=torch.float64)
    assert fleet_objective(simulator, 0) <= relaxed_objective(simulator, 0) + tolerance
    assert relaxed_objective(simulator, 0) <= solution.objective + tolerance
    (replayed,) = accounts(scenarios, controller)
    assert replayed["objective"] == pytest.approx(solution.objective, abs=tolerance)
    assert replayed["soc_correction_kwh"] < 1e-6  # it ends no lower than it began
    for rule in (*(make(name, scenarios) for name in RULES), None):
        (other,) = accounts(scenarios, Random(rule))
        if other["soc_correction_kwh"] < 1e-9:
            assert other["objective"] >= solution.objective - tolerance


def test_every_way_to_end_no_lower_is_counted() -> None:
    """Random actions must not slip through the test above by ending lower."""
    scenarios = random_scenarios(by_hand().site, 1, HOURS)
    (account,) = accounts(scenarios, Random(None))
    assert account["soc_correction_kwh"] < 0.0


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_enumeration_agrees_where_the_battery_moves_whole_kilowatt_hours(seed: int) -> None:
    """Without losses and demand charges, prices and whole numbers make a network whose optimum is in whole numbers."""
    site = replace(by_hand().site, battery=Battery(6.0, 2.0, depth_of_discharge=1.0, efficiency_one_way=1.0))
    site = replace(site, tariff=Tariff(), fleet=Fleet(groups=site.fleet.groups))
    scenarios, draw = random_scenarios(site, 1, 12, seed), np.random.default_rng(seed)
    load, pv = draw.integers(0, 6, 12), draw.integers(0, 5, 12)
    scenarios.series["load_kw"] = torch.tensor(load, dtype=torch.float32).unsqueeze(0)
    scenarios.series["pv_kw"] = torch.tensor(pv, dtype=torch.float32).unsqueeze(0)
    for key in ("arrival", "departure"):
        scenarios.sessions[key] = torch.full_like(scenarios.sessions[key], 12)
    price = (scenarios.series["price_per_kwh"] + 0.1 * scenarios.series["carbon_kg_per_kwh"])[0].double().numpy()
    best = np.where(np.arange(7) >= 3, 0.0, np.inf)  # of what it holds at the end
    for hour in reversed(range(12)):
        ways = [
            [max(0, load[hour] - pv[hour] + after - held) * price[hour] + best[after] for after in range(7)]
            for held in range(7)
        ]
        reach = np.abs(np.subtract.outer(np.arange(7), np.arange(7))) <= 2
        best = np.where(reach, ways, np.inf).min(1)
    assert solve(scenarios)[0].objective == pytest.approx(best[3], abs=1e-5)


@settings(deadline=None, max_examples=20)
@given(scenarios=years(), seed=st.integers(0, 10_000))
def test_vehicles_taken_together_are_exact_where_there_is_one_at_a_time(scenarios: ScenarioSet, seed: int) -> None:
    """Of one socket without V2G: the relaxation is no looser than it has to be."""
    site = scenarios.site
    groups = [replace(site.fleet.groups[1], sockets=1, v2g=False)]
    alone = random_scenarios(replace(site, fleet=replace(site.fleet, groups=groups)), 1, HOURS, seed=seed)
    (solution,) = Optimum(alone).solutions
    found = fleet_objective(Simulator(alone, dtype=torch.float64), 0)
    assert found == pytest.approx(solution.objective, abs=1e-6 * max(1.0, solution.objective))

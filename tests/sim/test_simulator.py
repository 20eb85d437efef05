"""The step by hand, its laws over random windows, and that batches, types and starts change nothing."""

import dataclasses
import shutil
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensordict import TensorDict
from torch import Tensor

from litgrid.scenarios.scenario_set import SERIES, ScenarioSet
from litgrid.sim.objective import Costs
from litgrid.sim.physics import Flows, State
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Battery, Site, replace

RandomScenarios = Callable[..., ScenarioSet]
FIXTURES = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def variant(site: Site, name: str) -> Site:
    """The small site as it is, in steps of 15 minutes, with V2G, or without a battery."""
    match name:
        case "quarter_hours":
            return replace(site, step_seconds=900)
        case "v2g":
            groups = [dataclasses.replace(group, v2g=True) for group in site.fleet.groups]
            return replace(site, fleet=dataclasses.replace(site.fleet, groups=groups))
        case "no_battery":
            return replace(site, battery=Battery(capacity_kwh=0.0, power_kw=0.0))
        case _:
            return site


VARIANTS = ("small", "quarter_hours", "v2g", "no_battery")


def by_hand(site: Site, sessions: list[tuple[int, int, int, float, float]], **series: float) -> Simulator:
    """A day with constant series, and sessions (socket, arrival, departure, SOC at arrival, SOC required)."""
    constant = {key: torch.full((1, 24), series.get(key, 0.0)) for key in SERIES}
    socket, arrival, departure, soc_arrival, soc_required = zip(*sessions, strict=True)
    table = {
        "socket": torch.tensor([socket], dtype=torch.int16),
        "arrival": torch.tensor([arrival], dtype=torch.int32),
        "departure": torch.tensor([departure], dtype=torch.int32),
        "soc_arrival": torch.tensor([soc_arrival]),
        "soc_required": torch.tensor([soc_required]),
    }
    scenarios = ScenarioSet(
        site, "train", TensorDict(constant, batch_size=[1, 24]), TensorDict(table, batch_size=[1, len(sessions)])
    )
    return Simulator(scenarios, dtype=torch.float64)


def start(simulator: Simulator, step: int = 0, **given_: Any) -> State:
    return simulator.initial(torch.tensor([0]), torch.tensor([step]), **given_)


def act(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def roll(simulator: Simulator, state: State, actions: Tensor) -> tuple[list[State], list[Flows], list[Costs]]:
    """Simulate actions [steps, B, 1 + N]."""
    states, flows, costs = [state], [], []
    for action in actions:
        after, flow, cost = simulator.step(states[-1], action)
        states.append(after)
        flows.append(flow)
        costs.append(cost)
    return states, flows, costs


def random_actions(steps: int, simulator: Simulator, envs: int, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    shape = (steps, envs, 1 + simulator.sockets)
    return (torch.rand(shape, generator=draw, dtype=torch.float64) * 2.4 - 1.2).to(simulator.dtype)


def random_start(simulator: Simulator, envs: int, window: int, seed: int) -> State:
    draw = torch.Generator().manual_seed(seed)
    scenario = torch.randint(len(simulator.scenarios), (envs,), generator=draw)
    step = torch.randint(simulator.steps - window + 1, (envs,), generator=draw)
    soc = 0.2 + 0.8 * torch.rand(envs, generator=draw, dtype=torch.float64)
    return simulator.initial(scenario, step, soc)


def test_one_step_by_hand(small_site: Site) -> None:
    """Battery 40 kWh / 15 kW / 0.95; moto 2 kWh / 2 kW / 0.95; car 30 kWh / 7 kW / 0.9."""
    simulator = by_hand(small_site, [(0, 0, 3, 0.25, 0.9), (3, 0, 2, 0.1, 0.5)], pv_kw=20.0, load_kw=12.0)
    after, flows, _ = simulator.step(start(simulator), act(-0.5, 0.5, 1.0, 0.0, 1.0, 0.0))
    assert float(flows.bess_discharge) == pytest.approx(7.5)
    assert float(after.bess_soc) == pytest.approx(0.5 - 7.5 / 0.95 / 40)
    assert flows.ev_sockets[0].tolist() == pytest.approx([1.0, 0.0, 0.0, 7.0, 0.0])  # socket 1 is free
    assert after.ev_soc[0].tolist() == pytest.approx([0.25 + 0.95 / 2, 0.0, 0.0, 0.1 + 6.3 / 30, 0.0])
    assert float(flows.ev_stored) == pytest.approx(0.95 + 6.3)
    assert float(flows.grid_import) == 0.0
    assert float(flows.grid_export) == pytest.approx(20.0 - 12.0 - 8.0 + 7.5)


def test_a_full_vehicle_takes_no_more(small_site: Site) -> None:
    simulator = by_hand(small_site, [(0, 0, 3, 0.75, 0.9)])
    after, flows, _ = simulator.step(start(simulator), act(0, 1, 0, 0, 0, 0))
    assert float(after.ev_soc[0, 0]) == 1.0
    assert float(flows.ev) == pytest.approx(0.25 * 2 / 0.95)


def test_vehicles_come_and_leave(small_site: Site) -> None:
    """Back to back on one socket; the first charges, the second finds its own SOC."""
    simulator = by_hand(small_site, [(0, 2, 4, 0.25, 0.9), (0, 4, 5, 0.4, 0.5)])
    states, _, _ = roll(simulator, start(simulator), act(0, 0.5, 0, 0, 0, 0).expand(6, 1, 6))
    soc = [round(float(state.ev_soc[0, 0]), 4) for state in states]
    assert soc == [0.0, 0.0, 0.25, 0.725, 0.4, 0.0, 0.0]
    assert [int(simulator.view(state).left[0, 0]) for state in states] == [0, 0, 2, 1, 1, 0, 0]


def test_unserved_energy_by_hand(small_site: Site) -> None:
    """A car that needs 19.5 kWh in one hour can be given 6.3; a moto that leaves with the SOC it came with."""
    simulator = by_hand(small_site, [(0, 0, 2, 0.3, 0.8), (3, 0, 1, 0.25, 0.9)])
    full, idle = act(0, 1, 1, 1, 1, 1), act(0, 0, 0, 0, 0, 0)
    for action, unserved in ((full, 0.0), (idle, 6.3)):
        _, flows, _ = simulator.step(start(simulator), action)
        assert float(flows.ev_required) == pytest.approx(19.5)
        assert float(flows.ev_deliverable) == pytest.approx(6.3)
        assert float(flows.ev_impossible) == pytest.approx(13.2)
        assert float(flows.ev_unserved) == pytest.approx(unserved, abs=1e-9)
    _, flows_idle, _ = roll(simulator, start(simulator), idle.expand(2, 1, 6))
    assert float(flows_idle[1].ev_unserved) == pytest.approx(1.0)
    assert float(flows_idle[1].ev_deliverable) == pytest.approx(1.0)
    assert float(flows_idle[1].ev_impossible) == 0.0


def test_more_than_required_earns_nothing(small_site: Site) -> None:
    """A vehicle that comes with more than it needs requires nothing, and nothing negative is booked."""
    simulator = by_hand(small_site, [(0, 0, 1, 0.9, 0.5)])
    _, flows, _ = simulator.step(start(simulator), act(0, 0, 0, 0, 0, 0))
    booked = (flows.ev_required, flows.ev_deliverable, flows.ev_unserved, flows.ev_impossible)
    assert [float(energy) for energy in booked] == [0.0, 0.0, 0.0, 0.0]


def test_vehicles_discharge_only_where_the_group_allows_it(small_site: Site) -> None:
    for name, given_back in (("small", 0.0), ("v2g", 2.0 * 0.4 * 0.95)):
        simulator = by_hand(variant(small_site, name), [(0, 0, 3, 0.4, 0.9)])
        after, flows, _ = simulator.step(start(simulator), act(0, -1, -1, -1, -1, -1))
        assert float(flows.ev) == pytest.approx(-given_back)
        assert float(after.ev_soc[0, 0]) == pytest.approx(0.0 if given_back else 0.4)


@pytest.mark.parametrize("name", VARIANTS)
@FIXTURES
@given(seed=st.integers(0, 10_000))
def test_laws_over_random_windows(small_site: Site, random_scenarios: RandomScenarios, name: str, seed: int) -> None:
    """Energies balance in every step, stored energy is conserved, SOCs stay in bounds."""
    site = variant(small_site, name)
    simulator = Simulator(random_scenarios(site, days=9, seed=seed), dtype=torch.float64)
    window = 30
    states, flows, _ = roll(
        simulator, random_start(simulator, 3, window, seed), random_actions(window, simulator, 3, seed)
    )
    battery, params = site.battery, simulator.params
    for before, after, flow in zip(states, states[1:], flows, strict=False):
        grid = flow.load + flow.ev + flow.bess_charge - flow.bess_discharge - flow.pv
        torch.testing.assert_close(flow.grid_import - flow.grid_export, grid, rtol=0, atol=1e-10)
        assert bool((flow.grid_import * flow.grid_export == 0).all())
        stored = flow.bess_charge * battery.efficiency_one_way - flow.bess_discharge / battery.efficiency_one_way
        rise = (after.bess_soc - before.bess_soc) * battery.capacity_kwh
        torch.testing.assert_close(rise, stored, rtol=0, atol=1e-10)
        taken, efficiency = flow.ev_sockets, params.socket_efficiency
        into = (taken.clamp(min=0) * efficiency + taken.clamp(max=0) / efficiency).sum(-1)
        torch.testing.assert_close(flow.ev_stored, into, rtol=0, atol=1e-10)
        free = simulator.view(before).left == 0
        assert bool((taken[free] == 0).all())
        assert bool((before.ev_soc[free] == 0).all())
        assert bool(((after.ev_soc >= 0) & (after.ev_soc <= 1)).all())
        assert bool(((after.bess_soc >= battery.min_soc) & (after.bess_soc <= 1)).all())
        assert bool((taken.abs() <= params.socket_power_kw * site.step_hours + 1e-12).all())
        most = battery.power_kw * site.step_hours + 1e-12
        assert bool((torch.maximum(flow.bess_charge, flow.bess_discharge) <= most).all())
        torch.testing.assert_close(flow.ev_required, flow.ev_deliverable + flow.ev_impossible, rtol=0, atol=1e-12)


def test_service_adds_up_session_by_session(small_site: Site, random_scenarios: RandomScenarios) -> None:
    """The booked energies are those of each session, computed from its own row and what its socket took."""
    scenarios = random_scenarios(small_site, scenarios=1, days=20, seed=4)
    simulator = Simulator(scenarios, dtype=torch.float64)
    actions = random_actions(simulator.steps, simulator, 1, seed=4)
    _, flows, _ = roll(simulator, start(simulator), actions)
    taken = torch.stack([flow.ev_sockets[0] for flow in flows])
    required = deliverable = unserved = 0.0
    for session in scenarios.sessions[0]:
        socket, arrival, departure = (int(session[key]) for key in ("socket", "arrival", "departure"))
        first, need = float(session["soc_arrival"]), float(session["soc_required"])
        capacity, power, efficiency = (2.0, 2.0, 0.95) if socket < 3 else (30.0, 7.0, 0.9)
        reachable = min(1.0, first + (departure - arrival) * power * efficiency / capacity)
        last = first + float(taken[arrival:departure, socket].sum()) * efficiency / capacity
        if departure > arrival:  # not padding
            required += max(0.0, need - first) * capacity
            deliverable += max(0.0, min(need, reachable) - first) * capacity
            unserved += max(0.0, min(need, reachable) - last) * capacity
    totals = [float(torch.stack(list(column)).sum()) for column in zip(*flows, strict=True)]
    booked = Flows(*totals)  # type: ignore[arg-type]
    assert (booked.ev_required, booked.ev_deliverable, booked.ev_unserved, booked.ev_impossible) == pytest.approx(
        (required, deliverable, unserved, required - deliverable)
    )
    assert unserved > 0.1 * required


def test_float32_stays_close_to_float64(small_site: Site, random_scenarios: RandomScenarios) -> None:
    scenarios = random_scenarios(small_site, days=30)
    single, double = Simulator(scenarios), Simulator(scenarios, dtype=torch.float64)
    actions = random_actions(24 * 30, double, 2, seed=1)
    state = torch.tensor([0, 1]), torch.tensor([0, 0])
    states32, flows32, costs32 = roll(single, single.initial(*state), actions.float())
    states64, flows64, costs64 = roll(double, double.initial(*state), actions)
    for a, b in zip([*states32, *flows32, *costs32], [*states64, *flows64, *costs64], strict=True):
        for x, y in zip(a, b, strict=True):
            torch.testing.assert_close(x.double(), y.double(), rtol=1e-5, atol=1e-3)


def test_sites_side_by_side_equal_sites_one_by_one(small_site: Site, random_scenarios: RandomScenarios) -> None:
    simulator = Simulator(random_scenarios(small_site, scenarios=3, days=20))
    state = random_start(simulator, 6, 48, seed=2)
    actions = random_actions(48, simulator, 6, seed=3)
    together, _, costs = roll(simulator, state, actions)
    for site in range(6):
        alone, _, cost = roll(simulator, State(*(x[site : site + 1] for x in state)), actions[:, site : site + 1])
        for a, b in zip([*together, *costs], [*alone, *cost], strict=True):
            for x, y in zip(a, b, strict=True):
                torch.testing.assert_close(x[site : site + 1], y, rtol=1e-6, atol=1e-5)


def test_a_step_leaves_its_inputs_alone(small_site: Site, random_scenarios: RandomScenarios) -> None:
    simulator = Simulator(random_scenarios(small_site, days=10))
    state, (action,) = random_start(simulator, 4, 48, seed=0), random_actions(1, simulator, 4, seed=0)
    kept = [value.clone() for value in (*state, action)]
    simulator.step(state, action)
    assert all(torch.equal(a, b) for a, b in zip(kept, (*state, action), strict=True))


def test_gradients_of_a_window_agree_with_finite_differences(
    small_site: Site, random_scenarios: RandomScenarios
) -> None:
    simulator = Simulator(random_scenarios(variant(small_site, "v2g"), days=9), dtype=torch.float64)
    state = random_start(simulator, 2, 6, seed=5)
    actions = (random_actions(6, simulator, 2, seed=6) * 0.7).requires_grad_()  # away from the clip at 1

    def objective(actions: Tensor) -> Tensor:
        return torch.stack([cost.total for cost in roll(simulator, state, actions)[2]]).sum()

    assert torch.autograd.gradcheck(objective, (actions,), eps=1e-6, atol=1e-5)


@FIXTURES
@given(seed=st.integers(0, 10_000))
def test_starts_within_a_stay_leave_all_service_possible(
    small_site: Site, random_scenarios: RandomScenarios, seed: int
) -> None:
    simulator = Simulator(random_scenarios(small_site, days=4, seed=seed), dtype=torch.float64)
    state = random_start(simulator, 8, 24, seed)
    view = simulator.view(state)
    assert bool((state.ev_soc <= torch.maximum(view.soc_required, view.sockets("soc_start"))).all())
    _, flows, _ = roll(simulator, state, torch.ones(24, 8, 6, dtype=torch.float64))
    assert float(torch.stack([flow.ev_unserved for flow in flows]).max()) < 1e-9


def test_a_start_within_a_stay_is_that_of_charging_at_once(small_site: Site) -> None:
    simulator = by_hand(small_site, [(0, 0, 4, 0.25, 0.9), (3, 0, 4, 0.25, 0.9), (1, 0, 4, 0.6, 0.5)])
    assert start(simulator, 1).ev_soc[0].tolist() == pytest.approx([0.9, 0.6, 0.0, 0.46, 0.0])
    assert start(simulator, 2).ev_soc[0].tolist() == pytest.approx([0.9, 0.6, 0.0, 0.67, 0.0])


def test_beyond_the_years_end_nothing_is_connected(small_site: Site) -> None:
    simulator = by_hand(small_site, [(0, 20, 24, 0.25, 0.9)], load_kw=5.0)
    states, flows, _ = roll(simulator, start(simulator, 22), act(0, 1, 1, 1, 1, 1).expand(3, 1, 6))
    assert float(flows[1].ev_deliverable) == pytest.approx(0.65 * 2)
    assert float(flows[2].ev) == 0.0
    assert float(simulator.view(states[2]).load_kw) == 5.0


def test_the_view_reads_the_present(small_site: Site, random_scenarios: RandomScenarios) -> None:
    scenarios = random_scenarios(variant(small_site, "quarter_hours"), days=40, seed=7)
    simulator = Simulator(scenarios)
    step = 31 * 96 + 18 * 4 + 1  # 1 February, 18:15, a Thursday
    view = simulator.view(simulator.initial(torch.tensor([1, 0]), torch.tensor([step, 0])))
    for key in ("pv_kw", "load_kw", "price_per_kwh", "carbon_kg_per_kwh"):
        assert getattr(view, key).tolist() == [scenarios.series[key][1, step], scenarios.series[key][0, 0]]
    assert view.hour.tolist() == [18.25, 0.0]
    assert view.weekday.tolist() == [3, 0]
    assert view.month.tolist() == [1, 0]
    assert view.day_of_year.tolist() == [31, 0]
    assert view.month_elapsed.tolist() == pytest.approx([73 / (28 * 96), 0.0])
    assert view.demand_counted.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert view.socket_power_kw.tolist() == [2.0, 2.0, 2.0, 7.0, 7.0]


def test_forecasts_start_now_and_stop_at_a_day(small_site: Site, random_scenarios: RandomScenarios) -> None:
    scenarios = random_scenarios(small_site, days=3)
    view = Simulator(scenarios).view(start(Simulator(scenarios), 60))
    ahead = view.forecast("load_mean7_kw", 24)[0]
    series = scenarios.series["load_mean7_kw"][0]
    torch.testing.assert_close(ahead, torch.cat([series[60:], series[-1:].expand(12)]))
    for key, steps in (("load_kw", 3), ("pv_mean7_kw", 25), ("pv_mean7_kw", 0)):
        with pytest.raises(ValueError, match="expected 1 to 24 steps of"):
            view.forecast(key, steps)


def test_a_site_without_demand_charges(small_site: Site, random_scenarios: RandomScenarios) -> None:
    site = replace(small_site, tariff=dataclasses.replace(small_site.tariff, demand=[]))
    simulator = Simulator(random_scenarios(site, days=3))
    after, _, costs = simulator.step(start(simulator), torch.ones(1, 6))
    assert after.peak_kw.shape == (1, 0)
    assert float(costs.demand) == 0.0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32" or not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_a_step_compiles_to_one_graph(small_site: Site, random_scenarios: RandomScenarios) -> None:
    simulator = Simulator(random_scenarios(small_site, days=10))
    state, (action,) = random_start(simulator, 8, 48, seed=0), random_actions(1, simulator, 8, seed=0)
    compiled = torch.compile(simulator.step, fullgraph=True)(state, action)
    for fast, slow in zip(compiled, simulator.step(state, action), strict=True):
        for x, y in zip(fast, slow, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-5, atol=1e-4)

"""Water filling: levels by hand, laws of the level, and the rule in the simulator."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor

from litgrid.controllers.coming_day import ComingDay, arrivals_kw
from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.water_filling import WaitingWaterFilling, WaterFilling
from litgrid.controllers.water_level import PARTS, ROUNDS, Storage, lowest_level_kw, reserve_kwh
from litgrid.evaluation.rollout import rollout
from litgrid.evaluation.tuning import with_settings
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import (
    Battery,
    DemandCharge,
    EnergyPrice,
    Fleet,
    Objective,
    Photovoltaics,
    Site,
    SocketGroup,
    Tariff,
    replace,
)

Draw = Callable[..., ScenarioSet]
BIG = Storage(power_kw=100.0, usable_kwh=100.0, efficiency=1.0, step_hours=1.0)
ROUNDING = 1.0 / PARTS**ROUNDS


def level(net: list[float], stored: float, battery: Storage = BIG, hold: float = 0.0, precharge: float = 0.0) -> float:
    """Lowest level of one site, in float64."""
    net_kw = torch.tensor([net], dtype=torch.float64)
    stored_kwh = torch.tensor([stored], dtype=torch.float64)
    return float(lowest_level_kw(net_kw, torch.full_like(net_kw, hold), stored_kwh, precharge, battery))


@pytest.mark.parametrize(
    ("net", "stored", "expected"),
    [
        ([5.0, 8.0, 6.0], 4.0, 5.0),  # (8 - 5) + (6 - 5) = 4
        ([5.0, 8.0, 6.0], 2.0, 6.0),
        ([5.0, 8.0, 6.0], 1.0, 7.0),
        ([5.0, 8.0, 6.0], 0.0, 8.0),  # nothing to discharge
        ([8.0, -3.0, 6.0], 2.0, 6.0),  # the first hour has 2 kWh; the last one what PV brings: 6 - 3 = 3
        ([4.0, -3.0, 6.0], 0.0, 4.0),
    ],
)
def test_levels_by_hand(net: list[float], stored: float, expected: float) -> None:
    assert level(net, stored) == pytest.approx(expected, abs=8 * ROUNDING)


def test_losses_are_paid() -> None:
    lossy = BIG._replace(efficiency=0.5)
    assert level([5.0, 8.0], 4.0, lossy) == pytest.approx(6.0, abs=8 * ROUNDING)  # 4 kWh give 2
    assert level([-4.0, 8.0], 0.0, lossy) == pytest.approx(7.0, abs=8 * ROUNDING)  # 4 kWh store 2, which give 1


def test_limits_of_power_and_capacity_raise_the_level() -> None:
    assert level([5.0, 9.0], 9.0, BIG._replace(power_kw=2.0)) == pytest.approx(7.0, abs=9 * ROUNDING)
    # 10 kWh of surplus, but the battery holds 3 of them
    assert level([-10.0, 6.0, 6.0], 0.0, BIG._replace(usable_kwh=3.0)) == pytest.approx(4.5, abs=6 * ROUNDING)


def test_imports_below_the_peak_that_is_there_are_not_cut() -> None:
    """With 6 kW held anyhow, the 2 kWh above them are enough: the level may be anything below."""
    assert level([5.0, 8.0, 6.0], 2.0, hold=6.0) <= 6.0


def test_precharging_fills_valleys() -> None:
    """L - 2 bought in the first hour, with which 8 is cut to L: 2 (L) = 10."""
    assert level([2.0, 8.0], 0.0, precharge=1.0) == pytest.approx(5.0, abs=8 * ROUNDING)
    assert level([2.0, 8.0], 0.0, precharge=0.5) == pytest.approx(20.0 / 3.0, abs=8 * ROUNDING)  # L / 2 - 2 = 8 - L


@pytest.mark.parametrize(
    ("net", "stored", "precharge", "slope"),
    [
        ([5.0, 8.0, 6.0], 2.5, 0.0, -0.5),  # two steps lie above the level of 5.75
        ([5.0, 8.0, 6.0], 1.5, 0.0, -1.0),
        ([2.0, 20.0, 20.0], 4.0, 0.5, -0.4),  # the first step charges half of what the level rises by
        ([5.0, 8.0, 6.0], 50.0, 0.0, 0.0),  # nothing is left to be cut
    ],
)
def test_the_levels_gradient_by_hand(net: list[float], stored: float, precharge: float, slope: float) -> None:
    """How the level follows the stored energy; and the net load of the last step, by which it rises as much."""
    net_kw = torch.tensor([net], dtype=torch.float64, requires_grad=True)
    stored_kwh = torch.tensor([stored], dtype=torch.float64, requires_grad=True)
    found = lowest_level_kw(net_kw, torch.zeros_like(net_kw), stored_kwh, precharge, BIG)
    gradients = torch.autograd.grad(found.sum(), (stored_kwh, net_kw))
    assert float(gradients[0]) == pytest.approx(slope)
    assert float(gradients[1][0, 1]) == pytest.approx(-slope)
    without = lowest_level_kw(net_kw.detach(), torch.zeros_like(net_kw), stored_kwh.detach(), precharge, BIG)
    assert float(found.detach()) == float(without)


def test_reserve_is_what_later_steps_need_less_what_they_bring() -> None:
    drawn = torch.tensor([[9.0, 1.0, -3.0, 5.0], [9.0, -5.0, 2.0, 2.0], [0.0, 4.0, -9.0, 2.0]])
    assert reserve_kwh(drawn).tolist() == [3.0, 0.0, 4.0]


days = st.lists(st.floats(-50.0, 50.0), min_size=2, max_size=12)


@given(net=days, stored=st.floats(0.0, 30.0), margin=st.floats(0.0, 0.5), precharge=st.floats(0.0, 1.0))
def test_levels_rise_with_the_margin_and_fall_with_what_is_stored(
    net: list[float], stored: float, margin: float, precharge: float
) -> None:
    battery = Storage(20.0, 30.0, 0.9, 0.5)
    here = level(net, stored, battery, precharge=precharge)
    allowed = 50.0 * (1.0 + margin) * ROUNDING + 1e-3
    raised = [value * (1.0 + margin) if value > 0 else value for value in net]
    assert level(raised, stored, battery, precharge=precharge) >= here - allowed
    assert level(net, 30.0, battery, precharge=precharge) <= here + allowed
    assert 0.0 <= here <= max(0.0, *net) + 1e-9


@given(net=days, stored=st.floats(0.0, 30.0))
def test_the_level_can_be_held(net: list[float], stored: float) -> None:
    """A battery that discharges above the level, and charges surplus below 0, never runs dry."""
    battery = Storage(20.0, 30.0, 0.9, 0.5)
    high = level(net, stored, battery) + 1e-3
    energy = stored
    for value in net:
        discharge, charge = max(0.0, value - high), min(20.0, max(0.0, -value))
        assert discharge <= 20.0 + 1e-6
        energy = min(30.0, energy + (charge * 0.9 - discharge / 0.9) * 0.5)
        assert energy >= -1e-3


def rule(site: Site, **settings: Any) -> WaterFilling:
    """The rule with other numbers."""
    return WaterFilling(with_settings(site, replace(site.rules.water_filling, **settings)))


def day(site: Site, random_scenarios: Draw, load_kw: list[float], pv_kw: list[float]) -> ScenarioSet:
    """Two equal days without vehicles, whose forecasts are right."""
    scenarios = random_scenarios(replace(site, fleet=Fleet()), scenarios=1, days=2)
    for key, values in (("load", load_kw), ("pv", pv_kw)):
        series = torch.tensor([values * 2])
        for name in (f"{key}_kw", f"{key}_mean7_kw", f"{key}_persistence_kw"):
            scenarios.series[name] = series.clone()
    windows = [0.45 if 18 <= hour < 23 else 0.28 for hour in range(24)]
    scenarios.series["price_per_kwh"] = torch.tensor([windows * 2])
    scenarios.series["carbon_kg_per_kwh"] = torch.full((1, 48), 0.45)
    return scenarios


PERFECT = {"load_margin": 0.0, "pv_margin": 0.0, "load_memory": 0.0, "pv_memory": 0.0}


def one_charge(site: Site, **battery: float) -> Site:
    """A site with a demand charge at all hours, dear evenings and a battery without losses."""
    own = Battery(**({"capacity_kwh": 40.0, "power_kw": 15.0, "depth_of_discharge": 1.0} | battery))
    tariff = Tariff(windows=[EnergyPrice(18.0, 23.0, 0.45)], demand=[DemandCharge(48.5)])
    return replace(site, battery=own, tariff=tariff)


def test_a_known_evening_is_cut_to_its_level(small_site: Site, random_scenarios: Draw) -> None:
    """Load 5 kW by night and day, 20 kW from 18 to 22; 40 kWh from PV: imports are 10 kW in those hours, and 5."""
    site = one_charge(small_site, efficiency_one_way=1.0, initial_soc=0.0)
    load = [20.0 if 18 <= hour < 22 else 5.0 for hour in range(24)]
    pv = [25.0 if 10 <= hour < 14 else 0.0 for hour in range(24)]
    scenarios = day(site, random_scenarios, load, pv)
    run = rollout(Simulator(scenarios, dtype=torch.float64), rule(scenarios.site, **PERFECT, precharge_share=0.0))
    imports = run.flows.grid_import[0]
    expected = torch.tensor([10.0 if 18 <= h < 22 else 0.0 if 10 <= h < 14 else 5.0 for h in range(24)]).double()
    torch.testing.assert_close(imports[:24], expected, atol=0.1, rtol=0.0)
    assert float(imports.max()) < 10.1


def test_what_the_peak_does_not_need_goes_where_energy_is_dear(small_site: Site, random_scenarios: Draw) -> None:
    """5 kW all day; after a peak of 5 kW nothing has to be shaved, so PV's 20 kWh leave no import from 18 to 22."""
    site = one_charge(small_site, efficiency_one_way=1.0, initial_soc=0.0)
    scenarios = day(site, random_scenarios, [5.0] * 24, [10.0 if 10 <= hour < 14 else 0.0 for hour in range(24)])
    settings = {**PERFECT, "precharge_share": 0.0, "peak_share": 1.0}
    imports = rollout(Simulator(scenarios, dtype=torch.float64), rule(scenarios.site, **settings)).flows.grid_import[0]
    assert imports[18:22].tolist() == pytest.approx([0.0] * 4, abs=1e-6)
    assert imports[22:24].tolist() == pytest.approx([5.0] * 2)
    assert imports[14:18].tolist() == pytest.approx([5.0] * 4)


def test_energy_is_bought_for_dear_hours_where_pv_fails(small_site: Site, random_scenarios: Draw) -> None:
    site = one_charge(small_site, initial_soc=0.0)
    scenarios = day(site, random_scenarios, [5.0] * 12 + [10.0] * 12, [0.0] * 24)
    bought, none = (
        rollout(Simulator(scenarios, dtype=torch.float64), rule(scenarios.site, **PERFECT, precharge_share=share))
        for share in (0.9, 0.0)
    )
    assert float(none.flows.bess_charge.sum()) == 0.0
    assert float(bought.flows.bess_charge.sum()) > 10.0
    assert float(bought.costs.total.sum()) < float(none.costs.total.sum())
    assert float(bought.peak_kw.max()) < 10.0


def test_without_demand_charge_and_windows_it_is_self_consumption(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(replace(small_site, tariff=Tariff()), days=7)
    scenarios.series["price_per_kwh"][:] = 0.28
    scenarios.series["carbon_kg_per_kwh"][:] = 0.45
    simulator = Simulator(scenarios, dtype=torch.float64)
    rows = [rollout(simulator, each).flows.grid_import for each in (rule(scenarios.site), SelfConsumption())]
    torch.testing.assert_close(*rows)


SITES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "quarter hours": {"step_seconds": 900},
    "no battery": {"battery": Battery(0.0, 0.0)},
    "no PV": {"pv": Photovoltaics(0.0, 0.0)},
    "no vehicles": {"fleet": Fleet()},
    "one charge": {"tariff": Tariff(demand=[DemandCharge(48.5)])},
    "CO2 alone": {"objective": Objective("co2")},
    "V2G": {"fleet": Fleet([SocketGroup("car", 2, power_kw=7.0, battery_kwh=30.0, v2g=True)], energy_kwh_per_day=60.0)},
}


@pytest.mark.parametrize("make", [WaterFilling, WaitingWaterFilling])
@pytest.mark.parametrize("changes", SITES.values(), ids=SITES)
def test_vehicles_get_what_they_need_and_nothing_stored_is_exported(
    changes: dict[str, Any], make: type[WaterFilling], small_site: Site, random_scenarios: Draw
) -> None:
    scenarios = random_scenarios(replace(small_site, **changes), days=5)
    run = rollout(Simulator(scenarios, dtype=torch.float64), make(scenarios.site))
    torch.testing.assert_close(run.flows.ev_unserved, torch.zeros_like(run.flows.ev_unserved))
    torch.testing.assert_close(run.flows.ev_stored.sum(1), run.flows.ev_deliverable.sum(1))
    assert float(torch.minimum(run.flows.bess_discharge, run.flows.grid_export).max()) < 1e-9
    assert bool(torch.isfinite(run.costs.total).all())


def test_vehicles_that_wait_are_charged_by_the_sun(small_site: Site, random_scenarios: Draw) -> None:
    """Without a battery: the same energy, less of it imported; no step is without what least laxity demands."""
    scenarios = random_scenarios(replace(small_site, battery=Battery(0.0, 0.0)), days=30)
    simulator = Simulator(scenarios, dtype=torch.float64)
    at_once, waiting = (rollout(simulator, make(scenarios.site)).flows for make in (WaterFilling, WaitingWaterFilling))
    torch.testing.assert_close(at_once.ev_stored.sum(1), waiting.ev_stored.sum(1))
    assert bool((waiting.grid_import.sum(1) < at_once.grid_import.sum(1) - 1.0).all())


def test_sites_side_by_side_are_as_alone(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(small_site, scenarios=3, days=3)
    together = rollout(Simulator(scenarios, dtype=torch.float64), rule(small_site))
    for year in range(3):
        alone = ScenarioSet(small_site, "train", scenarios.series[year : year + 1], scenarios.sessions[year : year + 1])
        run = rollout(Simulator(alone, dtype=torch.float64), rule(small_site))
        torch.testing.assert_close(run.flows.grid_import[0], together.flows.grid_import[year])


def test_numbers_of_each_site_are_its_own(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(small_site, scenarios=1, days=3)
    simulator = Simulator(scenarios, dtype=torch.float64)
    margins = torch.tensor([0.0, 0.4], dtype=torch.float64)
    state = simulator.initial(torch.zeros(2, dtype=torch.long), torch.full((2,), 30))
    both = WaterFilling(small_site, {"load_margin": margins}).act(simulator.view(state))
    each = [rule(small_site, load_margin=float(margin)).act(simulator.view(state)) for margin in margins]
    torch.testing.assert_close(both, torch.stack([each[0][0], each[1][1]]))


def test_levels_of_a_charge_hold_in_its_own_hours_and_month(small_site: Site, random_scenarios: Draw) -> None:
    """Peaks of 7 kW from 18 to 23 and 9 kW outside; at 20:00 on 31 January all is new after midnight."""
    simulator = Simulator(random_scenarios(small_site, scenarios=1, days=40), dtype=torch.float64)
    look = ComingDay(small_site, "mean7")
    peak = torch.tensor([[7.0, 9.0]])

    def hold(first: int) -> Tensor:
        state = simulator.initial(torch.tensor([0]), torch.tensor([first]), peak_kw=peak)
        return look.hold_kw(simulator.view(state), 1.0, 2.0)[0]

    assert hold(24 * 29 + 20).tolist() == [7.0] * 3 + [9.0] * 19 + [7.0] * 2
    assert hold(24 * 30 + 20).tolist() == [7.0] * 3 + [9.0] + [2.0] * 20


def test_expected_vehicles_are_the_sites_energy(small_site: Site) -> None:
    """60 kWh a day, stored at 95 % (3 x 2 kWh) and 90 % (2 x 30 kWh); twice as many from 18 to 21 h, none after 21."""
    kw = arrivals_kw(small_site)
    assert kw.sum() == pytest.approx(60.0 * (6.0 / 0.95 + 60.0 / 0.9) / 66.0)
    assert kw[18] == pytest.approx(2.0 * kw[12])
    assert (kw[:9] == 0).all()
    assert kw[22] == 0

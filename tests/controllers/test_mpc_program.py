"""The plan of a horizon, by hand, and warm against cold."""

from typing import Any

import numpy as np
import pytest

from litgrid.controllers.envelope import Envelope, Vehicles, envelope
from litgrid.controllers.horizon_program import Horizon, HorizonProgram
from litgrid.site.site import Battery, DemandCharge, Site, Tariff, replace

STEPS = 3
PRICE = 0.3


def site_with(small_site: Site, *prices_per_kw: float, capacity_kwh: float = 10.0) -> Site:
    """A battery of 4 kW without losses, and demand charges."""
    battery = Battery(capacity_kwh, power_kw=4.0, depth_of_discharge=1.0, efficiency_one_way=1.0)
    return replace(small_site, battery=battery, tariff=Tariff(demand=[DemandCharge(price) for price in prices_per_kw]))


def horizon(net: list[float], charges: int = 1, **changes: Any) -> Horizon:
    """A horizon in one month, 3 kWh in the battery, no vehicles."""
    steps = len(net)
    counted = np.zeros((2, charges, steps), dtype=bool)
    counted[0] = True
    nothing = Envelope(*np.zeros((3, steps)))
    stand = Horizon(
        step=5,
        net_kwh=np.array(net),
        import_cost=np.full(steps, PRICE),
        hold_per_kwh=0.0,
        terminal_per_kwh=0.0,
        stored_kwh=3.0,
        vehicles=nothing,
        free_kw=np.zeros((2, charges)),
        counted=counted,
    )
    return stand._replace(**changes)


@pytest.mark.parametrize("step", [4, 5, 6, 7])  # every place that the present can have in the ring
def test_the_peak_is_levelled_by_charging_before_it(step: int, small_site: Site) -> None:
    plan = HorizonProgram(site_with(small_site, 10.0), STEPS).solve(horizon([2.0, 6.0, 4.0], step=step))
    # 12 kWh of load less 3 stored, levelled over three hours: 3 kW in each
    assert plan.battery_kwh == pytest.approx(1.0)
    assert plan.cost == pytest.approx(PRICE * 9.0 + 10.0 * 3.0, abs=1e-4)


def test_a_peak_that_the_month_has_already_is_free(small_site: Site) -> None:
    plan = HorizonProgram(site_with(small_site, 10.0), STEPS).solve(
        horizon([2.0, 6.0, 4.0], free_kw=np.array([[4.0], [0.0]]), hold_per_kwh=1e-3)
    )
    # what is stored in the first hour replaces what the third would buy, and holding it is worth something
    assert plan.battery_kwh == pytest.approx(2.0)
    held = 1e-3 * (5.0 + 3.0)
    assert plan.cost == pytest.approx(PRICE * 9.0 + 10.0 * 4.0 - held, abs=1e-4)


def test_months_have_their_own_peaks(small_site: Site) -> None:
    counted = np.array([[[True, True, False]], [[False, False, True]]])
    plan = HorizonProgram(site_with(small_site, 10.0), STEPS).solve(horizon([2.0, 6.0, 4.0], counted=counted))
    # a kWh lowers the new month's peak by 1 kW, and that of the two old hours by half as much: 4.5 kW and 0 kW
    assert plan.battery_kwh == pytest.approx(2.5)
    assert plan.cost == pytest.approx(PRICE * 9.0 + 10.0 * (4.5 + 0.0), abs=1e-4)


def test_several_demand_charges(small_site: Site) -> None:
    counted = np.array([[[True, True, False], [False, False, True]], np.zeros((2, 3), bool)])
    plan = HorizonProgram(site_with(small_site, 10.0, 4.0), STEPS).solve(
        horizon([2.0, 6.0, 4.0], charges=2, counted=counted)
    )
    # a kWh saves 10 / 2 in the first two hours, and 4 in the last
    assert plan.battery_kwh == pytest.approx(0.5)
    assert plan.cost == pytest.approx(PRICE * 9.0 + 10.0 * 2.5 + 4.0 * 4.0, abs=1e-4)


@pytest.mark.parametrize("step", [4, 5, 6, 7])
def test_vehicles_level_the_peak_without_a_battery(step: int, small_site: Site) -> None:
    vehicle = Vehicles(np.array([0]), np.array([3]), np.array([3.0]), np.array([2.0]))
    plan = HorizonProgram(site_with(small_site, 10.0, capacity_kwh=0.0), STEPS).solve(
        horizon([3.0, 1.0, 2.0], step=step, vehicles=envelope(vehicle, STEPS))
    )
    assert plan.vehicles_kwh == pytest.approx(0.0)
    bought_later = -PRICE * 3.0  # what is charged within the horizon need not be bought after it
    assert plan.cost == pytest.approx(PRICE * 9.0 + 10.0 * 3.0 + bought_later, abs=1e-4)


def test_stored_energy_is_kept_where_it_is_worth_more_than_imports(small_site: Site) -> None:
    program = HorizonProgram(site_with(small_site, 0.0), STEPS)
    given = [program.solve(horizon([4.0, 0.0, 0.0], terminal_per_kwh=worth)).battery_kwh for worth in (0.31, 0.29)]
    assert given == pytest.approx([0.0, -3.0])


def test_a_warm_start_finds_what_a_cold_one_finds(small_site: Site) -> None:
    draw, steps = np.random.default_rng(1), 24
    site = replace(small_site, battery=Battery(40.0, 15.0))
    warm = HorizonProgram(site, steps)
    for step in range(60):
        need = np.array([draw.uniform(0.0, 6.0)])
        vehicle = Vehicles(np.array([0]), draw.integers(3, 30, 1), need, np.array([2.0]))
        counted = draw.uniform(size=(2, 2, steps)) < 0.5
        stand = horizon(
            list(draw.normal(5.0, 10.0, steps)),
            step=step,
            import_cost=draw.uniform(0.1, 0.6, steps),
            hold_per_kwh=1e-3,
            terminal_per_kwh=0.3,
            stored_kwh=draw.uniform(8.0, 40.0),
            vehicles=envelope(vehicle, steps),
            free_kw=draw.uniform(0.0, 10.0, (2, 2)),
            counted=counted,
        )
        assert warm.solve(stand).cost == pytest.approx(HorizonProgram(site, steps).solve(stand).cost, rel=1e-9)

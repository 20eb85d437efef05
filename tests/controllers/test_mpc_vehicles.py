"""Many vehicles as one, and back."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from litgrid.controllers.arrivals import ExpectedArrivals, KnownArrivals
from litgrid.controllers.envelope import Vehicles, by_laxity, connected, envelope
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Fleet, Site, SocketGroup, replace

Draw = Callable[..., ScenarioSet]


def vehicles(arrival: list[int], departure: list[int], need: list[float], full: list[float]) -> Vehicles:
    """Vehicles of one site, [M]."""
    return Vehicles(np.array(arrival), np.array(departure), np.array(need), np.array(full))


def test_the_envelope_of_a_vehicle_that_is_there_and_of_one_to_come() -> None:
    there = envelope(vehicles([0], [3], [3.0], [2.0]), 4)
    assert [part.tolist() for part in there] == [[0.0, 1.0, 3.0, 3.0], [2.0, 3.0, 3.0, 3.0], [2.0, 2.0, 2.0, 0.0]]
    later = envelope(vehicles([1], [3], [3.0], [2.0]), 4)
    assert [part.tolist() for part in later] == [[0.0, 1.0, 3.0, 3.0], [0.0, 2.0, 3.0, 3.0], [0.0, 2.0, 2.0, 0.0]]
    both = envelope(vehicles([0, 1], [3, 3], [3.0, 3.0], [2.0, 2.0]), 4)
    for part, first, second in zip(both, there, later, strict=True):
        np.testing.assert_array_equal(part, first + second)


@pytest.mark.parametrize(("taken", "shared"), [(0.0, [2.0, 0.0]), (3.0, [2.0, 1.0]), (9.0, [2.0, 2.0])])
def test_what_has_to_be_charged_now_comes_first(taken: float, shared: list[float]) -> None:
    found = Vehicles(np.zeros((1, 2), int), np.array([[1, 3]]), np.full((1, 2), 2.0), np.full((1, 2), 2.0))
    assert by_laxity(found, np.array([taken]))[0].tolist() == shared


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.0, 1.0), st.floats(0.5, 7.0)), min_size=1), st.floats(0, 1))
def test_shares_add_up_and_keep_every_vehicle_within_reach(found: list[tuple[int, float, float]], part: float) -> None:
    left, share, full = (np.array(values, dtype=float)[None] for values in zip(*found, strict=True))
    need = share * left * full
    first = np.minimum(need, full)
    least = np.maximum(need - np.maximum(left - 1, 0) * full, 0.0)
    total = least.sum(-1) + part * (first - least).sum(-1)
    taken = by_laxity(Vehicles(np.zeros(left.shape, int), left.astype(int), need, full), total)
    np.testing.assert_allclose(taken.sum(-1), total, atol=1e-12)
    assert (taken >= least - 1e-12).all()
    assert (taken <= first + 1e-9).all()


def test_the_sites_statistics_expect_its_energy_on_every_day(small_site: Site) -> None:
    fleet = replace(small_site.fleet, groups=[SocketGroup("moto", 3, 2.0, 2.0)], energy_kwh_per_day=20.0)
    site = replace(small_site, fleet=fleet)
    ahead = ExpectedArrivals(site, 2 * site.steps_per_day)
    night = ahead._table.most[0]
    assert night[[8, 23, 47]] == pytest.approx([0.0, 20.0 / 0.95, 2 * 20.0 / 0.95])
    before_closing = ahead._table.most[21]
    assert before_closing[[2, 26]] == pytest.approx([0.0, 20.0 / 0.95])
    assert (ahead._table.least <= ahead._table.most + 1e-9).all()
    # vehicles come in 13 hours, of which three count twice; an hour is enough for what they need
    assert ahead._table.most[8][1] == pytest.approx(20.0 / 0.95 / 16, rel=1e-6)


def test_without_vehicles_none_are_expected(small_site: Site) -> None:
    for fleet in (Fleet(groups=[]), replace(small_site.fleet, energy_kwh_per_day=0.0)):
        expected = ExpectedArrivals(replace(small_site, fleet=fleet), 24)
        assert not any(part.any() for part in expected._table)


def test_known_arrivals_and_connected_vehicles_are_those_of_the_sessions(
    small_site: Site, random_scenarios: Draw
) -> None:
    scenarios = random_scenarios(small_site, scenarios=2, days=4)
    simulator, known = Simulator(scenarios, dtype=torch.float64), KnownArrivals(scenarios, 24)
    view = simulator.view(simulator.initial(torch.tensor([1, 0]), torch.tensor([30, 41])))
    ahead, here = known.ahead(view), connected(view)
    for row, (year, step) in enumerate([(1, 30), (0, 41)]):
        sessions = scenarios.sessions[year]
        coming = (sessions["arrival"] > step) & (sessions["arrival"] < step + 24)
        most, least = 0.0, 0.0
        for m in coming.nonzero().flatten().tolist():
            group = small_site.fleet.groups[0 if int(sessions["socket"][m]) < 3 else 1]
            rise = float(sessions["soc_required"][m].double() - sessions["soc_arrival"][m].double())
            need = max(0.0, rise) * group.battery_kwh / group.efficiency_one_way
            first, gone = int(sessions["arrival"][m]), int(sessions["departure"][m])
            most += min(need, (min(gone, step + 24) - first) * group.power_kw)
            need = min(need, (gone - first) * group.power_kw)
            least += max(0.0, need - max(0, gone - step - 24) * group.power_kw)
        assert ahead.most[row, -1] == pytest.approx(most)
        assert ahead.least[row, -1] == pytest.approx(least)
        assert int((here.departure[row] > 0).sum()) == int(
            ((sessions["arrival"] <= step) & (sessions["departure"] > step)).sum()
        )

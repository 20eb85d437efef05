"""Physical bounds: every fault is one line that says year, quantity and row."""

from collections.abc import Callable

import pytest
import torch

from litgrid.errors import InputError
from litgrid.scenarios.check import check
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import Fleet, Site, replace

RandomScenarios = Callable[..., ScenarioSet]


@pytest.fixture
def scenarios(small_site: Site, random_scenarios: RandomScenarios) -> ScenarioSet:
    return random_scenarios(small_site, scenarios=2)


def test_random_scenarios_pass(scenarios: ScenarioSet) -> None:
    check(scenarios)


@pytest.mark.parametrize(
    ("key", "row", "value", "found"),
    [
        ("load_kw", 33, float("nan"), r"year 1, load_kw, row 33 \(day 2, 09:00\): found nan, expected 0 to 1e\+06"),
        ("load_kw", 33, -1.0, r"found -1, expected 0 to"),
        ("pv_kw", 36, 50.1, r"year 1, pv_kw, row 36 \(day 2, 12:00\): found 50.1, expected 0 to 50"),
        ("pv_kw", 24, 1.0, r"year 1, pv_kw, row 24 \(day 2, 00:00\): found PV power at night"),
        ("pv_mean7_kw", 0, -0.1, r"pv_mean7_kw, row 0"),
        ("pv_day_ahead_kw", 36, 50.1, r"year 1, pv_day_ahead_kw, row 36 .* found 50.1, expected 0 to 50"),
        ("pv_day_ahead_kw", 24, 1.0, r"year 1, pv_day_ahead_kw, row 24 .* found PV power at night"),
        ("load_day_ahead_kw", 33, -1.0, r"load_day_ahead_kw, row 33 .* found -1, expected 0 to"),
        ("price_per_kwh", 0, float("inf"), r"price_per_kwh, row 0 .* found inf"),
        ("carbon_kg_per_kwh", 0, 452.1, r"found 452.1, expected 0 to 3"),
        ("ghi_w_per_m2", 12, 2500.0, r"found 2500, expected 0 to 1600"),
        ("temp_air_c", 8759, 300.0, r"row 8759 \(day 365, 23:00\): found 300, expected -90 to 60"),
    ],
)
def test_a_value_out_of_bounds_is_found(scenarios: ScenarioSet, key: str, row: int, value: float, found: str) -> None:
    scenarios.series[key][1, row] = value
    with pytest.raises(InputError, match=found) as raised:
        check(scenarios)
    assert "\n" not in str(raised.value)


def test_a_missing_series_is_found(scenarios: ScenarioSet) -> None:
    del scenarios.series["pv_kw"]
    with pytest.raises(InputError, match="found no series pv_kw"):
        check(scenarios)


def test_a_part_of_a_year_is_refused(small_site: Site, random_scenarios: RandomScenarios) -> None:
    with pytest.raises(InputError, match="found 240 rows, expected 8760"):
        check(random_scenarios(small_site, days=10))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("socket", 5, "expected a socket from 0 to 4"),
        ("socket", -1, "expected a socket from 0 to 4"),
        ("departure", 0, "expected 0 <= arrival < departure <= 8760"),
        ("departure", 8761, "expected 0 <= arrival < departure <= 8760"),
        ("soc_arrival", 1.2, "expected SOCs from 0 to 1"),
        ("soc_required", float("nan"), "expected SOCs from 0 to 1"),
        ("arrival", 0, "expected the order of arrival"),
    ],
)
def test_an_impossible_session_is_found(scenarios: ScenarioSet, key: str, value: float, expected: str) -> None:
    scenarios.sessions[key][1, 100] = value
    with pytest.raises(InputError, match=rf"year 1, session 100: found socket .* {expected}"):
        check(scenarios)


def test_two_vehicles_at_one_socket_are_found(scenarios: ScenarioSet) -> None:
    sessions = scenarios.sessions
    socket = sessions["socket"][0]
    first, second = torch.nonzero(socket == 3)[:2, 0].tolist()
    sessions["departure"][0, first] = sessions["arrival"][0, second] + 1
    with pytest.raises(InputError, match=rf"year 0, session {second}: .* expected no other vehicle at its socket"):
        check(scenarios)


def test_vehicles_may_follow_each_other_directly(scenarios: ScenarioSet) -> None:
    sessions = scenarios.sessions
    first, second = torch.nonzero(sessions["socket"][0] == 3)[:2, 0].tolist()
    sessions["departure"][0, first] = sessions["arrival"][0, second]
    check(scenarios)


def test_vehicles_without_sockets_are_found(small_site: Site, scenarios: ScenarioSet) -> None:
    bare = ScenarioSet(replace(small_site, fleet=Fleet()), "test", scenarios.series, scenarios.sessions)
    with pytest.raises(InputError, match="expected a socket"):
        check(bare)

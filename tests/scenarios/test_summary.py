"""Yearly figures by hand: two days, four vehicles."""

import numpy as np
import pytest
import torch
from tensordict import TensorDict

from litgrid.scenarios import summary
from litgrid.scenarios.build import stack_sessions
from litgrid.scenarios.scenario_set import SERIES, ScenarioSet
from litgrid.site.site import Site
from litgrid.site.vehicles import Sessions

STEPS = 48


@pytest.fixture
def scenarios(small_site: Site) -> ScenarioSet:
    """PV 10 kW under 500 W/m2, load 5 kW with one hour of 8 kW.

    Motos (2 kW x 0.95 into 2 kWh) at sockets 0 to 2, cars (7 kW x 0.9 into 30 kWh) at 3 and 4.
    """
    values = dict.fromkeys(SERIES, 1.0) | {"pv_kw": 10.0, "load_kw": 5.0, "ghi_w_per_m2": 400.0, "poa_w_per_m2": 500.0}
    series = TensorDict({key: torch.full((1, STEPS), value) for key, value in values.items()}, batch_size=(1, STEPS))
    series["load_kw"][0, 7] = 8.0
    vehicles = Sessions(
        socket=np.array([0, 3, 1, 0]),
        arrival=np.array([9, 9, 10, 33]),
        departure=np.array([10, 11, 16, 34]),
        soc_arrival=np.array([0.2, 0.2, 0.9, 0.0]),
        soc_required=np.array([0.9, 0.9, 0.8, 1.0]),
    )
    return ScenarioSet(small_site, "test", series, stack_sessions([vehicles], STEPS))


def test_figures(scenarios: ScenarioSet) -> None:
    # required: 0.7 x 2, 0.7 x 30, 0 (it came with more), 1.0 x 2 kWh
    # impossible: the car gets 2 h x 6.3 kW = 12.6 of 21 kWh; the last moto 1.9 of 2 kWh
    assert summary.figures(scenarios) == [
        {
            "split": "test",
            "year": 0,
            "pv_kwh": pytest.approx(480.0),
            "performance_ratio": pytest.approx(480.0 / (24.0 * 60.0)),
            "ghi_kwh_per_m2": pytest.approx(19.2),
            "load_kwh": pytest.approx(243.0),
            "load_peak_kw": pytest.approx(8.0),
            "ev_required_kwh": pytest.approx(24.4),
            "ev_required_kwh_per_day": pytest.approx(24.4 / 365),
            "ev_impossible_kwh": pytest.approx(8.5),
            "ev_stay_hours": pytest.approx(2.5),
            "sessions": 4,
            "pv_forecast_rmse_share": pytest.approx(0.9),
            "pv_forecast_rmse_of_capacity": pytest.approx(0.18),
            "pv_forecast_day_rmse_share": pytest.approx(0.9),
            "pv_forecast_autocorrelation": None,
            "load_forecast_mape": pytest.approx((47 * 0.8 + 0.875) / 48),
            "load_forecast_day_rmse_share": pytest.approx(((99**2 + 96**2) / 2) ** 0.5 / 121.5),
        }
    ]


def test_charging_at_once(scenarios: ScenarioSet) -> None:
    """Full power until the required SOC, or until the vehicle leaves."""
    expected = np.zeros(STEPS)
    expected[9] = 1.4 / 0.95 + 7.0
    expected[10] = 7.0
    expected[33] = 2.0
    assert summary.charging_kw(scenarios, 0) == pytest.approx(expected)


def test_connected_vehicles(scenarios: ScenarioSet) -> None:
    expected = np.zeros(STEPS)
    expected[[9, 10]] = 2
    expected[11:16] = 1
    expected[33] = 1
    assert summary.connected(scenarios, 0).tolist() == expected.tolist()


def test_padding_is_no_session(scenarios: ScenarioSet) -> None:
    assert len(summary.sessions_of_year(scenarios, 0).socket) == 4
    two = stack_sessions([summary.sessions_of_year(scenarios, 0), Sessions(*np.empty((5, 0)))], STEPS)
    series = torch.cat([scenarios.series, scenarios.series])
    assert len(summary.sessions_of_year(ScenarioSet(scenarios.site, "test", series, two), 1).socket) == 0


def test_the_table_has_a_line_a_year_and_units(scenarios: ScenarioSet) -> None:
    rows = summary.figures(scenarios)
    head, line = summary.table([{**rows[0], "performance_ratio": None}]).splitlines()
    assert len(head) == len(line)
    for text in ("PV, kWh", "GHI, kWh/m2", "peak, kW", "impossible, kWh", "mean stay, h", "load forecast"):
        assert text in head
    assert line.split() == [
        "test",
        "0",
        "480",
        "-",
        "19",
        "243",
        "8",
        "0.1",
        "24",
        "8.5",
        "4",
        "2.50",
        "90.0%",
        "80.2%",
    ]

"""Day-ahead forecasts: by hand, within their limits, and with the errors that the site states."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from litgrid.scenarios.forecast_errors import forecast_errors
from litgrid.site import forecasts, load, solar, weather
from litgrid.site.clock import LEAD_IN_DAYS
from litgrid.site.site import Battery, Forecast, ForecastErrors, Location, Photovoltaics, Site

Array = NDArray[np.float64]

HERE = Site("here", Location(-3.75, -73.25, 104.0, "America/Lima"), Photovoltaics(60.0, 50.0), Battery(40.0, 15.0))
YEARS = 3


def with_errors(site: Site, day: float, hour: float, correlation: float = 0.8) -> Site:
    errors = ForecastErrors(day, hour, correlation)
    return replace(site, forecast=Forecast(pv=errors, load=errors))


def rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


@pytest.fixture(scope="module")
def suns(iquitos: Site) -> list[dict[str, Array]]:
    """PV power, clear-sky power and irradiance of generated years."""
    start, suns = LEAD_IN_DAYS * iquitos.steps_per_day, []
    for year in weather.years(iquitos, "train", YEARS, np.random.default_rng(0)):
        ghi = year["ghi_w_per_m2"].to_numpy()[start:]
        clear_kw = solar.clear_power_kw(iquitos, year)[start:]
        suns.append({"pv_kw": solar.ac_power_kw(iquitos, year)[start:], "clear_kw": clear_kw, "ghi_w_per_m2": ghi})
    return suns


@pytest.fixture(scope="module")
def loads(iquitos: Site) -> list[Array]:
    start = LEAD_IN_DAYS * iquitos.steps_per_day
    return [drawn[start:] for drawn in load.years(iquitos, "train", YEARS, np.random.default_rng(0))]


def test_what_is_usual_by_hand() -> None:
    """Days of 2 kW and of 4 kW take turns: a month about a day has fifteen like it and sixteen others."""
    days = np.where(np.arange(365) % 2 == 0, 2.0, 4.0)
    forecast = forecasts.pv_kw(
        with_errors(HERE, 9.0, 9.0), np.repeat(days, 24), np.full(8760, 10.0), np.random.default_rng()
    )
    around = [(15 * 2.0 + 16 * 4.0) / 31, (15 * 4.0 + 16 * 2.0) / 31]
    np.testing.assert_allclose(forecast.reshape(365, 24)[100:102, 12], around, rtol=1e-3)


def test_days_that_are_all_alike_are_known() -> None:
    day = np.maximum(0.0, np.sin((np.arange(24) - 6) / 12 * np.pi))
    forecast = forecasts.pv_kw(HERE, np.tile(30 * day, 365), np.tile(50 * day, 365), np.random.default_rng(0))
    np.testing.assert_allclose(forecast, np.tile(30 * day, 365), atol=1e-9)


def test_without_errors_a_forecast_is_the_truth(
    iquitos: Site, suns: list[dict[str, Array]], loads: list[Array]
) -> None:
    site, sun, rng = with_errors(iquitos, 0.0, 0.0), suns[0], np.random.default_rng(0)
    np.testing.assert_allclose(forecasts.pv_kw(site, sun["pv_kw"], sun["clear_kw"], rng), sun["pv_kw"], atol=1e-6)
    np.testing.assert_allclose(forecasts.load_kw(site, loads[0], rng), loads[0], atol=1e-6)


def test_nothing_is_forecast_as_nothing() -> None:
    none, rng = np.zeros(8760), np.random.default_rng(0)
    assert not forecasts.pv_kw(HERE, none, none, rng).any()
    assert not forecasts.load_kw(HERE, none, rng).any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), day=st.floats(0, 1), hour=st.floats(0, 1), correlation=st.floats(0, 0.99))
def test_forecasts_are_possible_and_have_the_years_energy(
    seed: int, day: float, hour: float, correlation: float
) -> None:
    """Whatever the weather; with a polar night, and irradiance above the clear sky's."""
    rng, site = np.random.default_rng(seed), with_errors(HERE, day, hour, correlation)
    clear = rng.uniform(0.0, 50.0, 8760) * (rng.random(8760) < 0.5)
    clear[2400:3200] = 0.0
    actual = clear * rng.beta(0.5, 0.5, 8760) * rng.uniform(0.5, 1.2, 8760)
    forecast = forecasts.pv_kw(site, actual, clear, rng)
    assert forecast.min() >= 0.0
    assert (forecast <= np.maximum(clear, actual)).all()
    assert forecast.sum() == pytest.approx(actual.sum(), rel=1e-9)
    building = rng.lognormal(1.0, 1.0, 8760)
    of_load = forecasts.load_kw(site, building, rng)
    assert of_load.min() >= 0.0
    assert of_load.sum() == pytest.approx(building.sum(), rel=1e-9)


def errors_of(actual: Array, forecast: Array, scale: Array) -> dict[str, float]:
    """RMSE of a day's energy and about the day's level, as ``ForecastErrors`` has them."""
    error, counted, days = (values.reshape(365, 24) for values in (forecast - actual, scale > 0, actual))
    weight = scale.reshape(365, 24)
    level = error.sum(1, keepdims=True) / weight.sum(1, keepdims=True) * weight
    return {
        "day": rms(error.sum(1)) / days.sum(1).mean(),
        "hour": rms((error - level)[counted]) / days[counted].mean(),
    }


@pytest.mark.parametrize(("day", "hour"), [(0.18, 0.17), (0.10, 0.10), (0.05, 0.15)])
def test_pv_is_forecast_with_the_stated_errors(
    iquitos: Site, suns: list[dict[str, Array]], day: float, hour: float
) -> None:
    site, rng = with_errors(iquitos, day, hour), np.random.default_rng(1)
    for sun in suns:
        forecast = forecasts.pv_kw(site, sun["pv_kw"], sun["clear_kw"], rng)
        found = errors_of(sun["pv_kw"], forecast, np.maximum(sun["clear_kw"], sun["pv_kw"]))
        assert found == pytest.approx({"day": day, "hour": hour}, rel=0.1)


@pytest.mark.parametrize(("day", "hour"), [(0.04, 0.04), (0.02, 0.03)])
def test_load_is_forecast_with_the_stated_errors(iquitos: Site, loads: list[Array], day: float, hour: float) -> None:
    site, rng = with_errors(iquitos, day, hour), np.random.default_rng(1)
    for actual in loads:
        found = errors_of(actual, forecasts.load_kw(site, actual, rng), np.ones(8760) * actual.mean())
        assert found["day"] == pytest.approx(day, rel=0.1)
        assert found["hour"] == pytest.approx(hour, rel=0.15)


def test_default_forecasts_are_as_bad_as_published(
    iquitos: Site, suns: list[dict[str, Array]], loads: list[Array]
) -> None:
    """The figures of docs/site.md: below persistence by a third, above what 20 % a day of perfect shape would be."""
    rng = np.random.default_rng(2)
    for sun, building in zip(suns, loads, strict=True):
        pv_forecast = forecasts.pv_kw(iquitos, sun["pv_kw"], sun["clear_kw"], rng)
        load_forecast = forecasts.load_kw(iquitos, building, rng)
        series = sun | {"load_kw": building, "pv_day_ahead_kw": pv_forecast, "load_day_ahead_kw": load_forecast}
        found = forecast_errors(iquitos, series)
        assert found["pv_forecast_rmse_share"] == pytest.approx(0.267, abs=0.012)
        assert found["pv_forecast_rmse_of_capacity"] == pytest.approx(0.096, abs=0.005)
        assert found["pv_forecast_day_rmse_share"] == pytest.approx(0.18, abs=0.015)
        assert found["pv_forecast_autocorrelation"] == pytest.approx(0.80, abs=0.04)
        assert found["load_forecast_mape"] == pytest.approx(0.070, abs=0.006)
        assert found["load_forecast_day_rmse_share"] == pytest.approx(0.05, abs=0.005)
        persistence = rms(sun["pv_kw"][24:] - sun["pv_kw"][:-24])
        assert 0.62 < rms(pv_forecast - sun["pv_kw"]) / persistence < 0.76


def test_what_comes_is_on_average_what_was_forecast(iquitos: Site, suns: list[dict[str, Array]]) -> None:
    """The regression of a day's energy on its forecast has slope 1; noise on top of the truth would have about 0.6."""
    rng = np.random.default_rng(3)
    days = [
        (forecasts.pv_kw(iquitos, sun["pv_kw"], sun["clear_kw"], rng), sun["pv_kw"]) for _ in range(4) for sun in suns
    ]
    forecast, actual = (np.concatenate(values).reshape(-1, 24).sum(axis=1) for values in zip(*days, strict=True))
    assert np.polyfit(forecast, actual, 1)[0] == pytest.approx(1.0, abs=0.12)


def test_a_forecast_errs_no_more_than_what_is_usual(iquitos: Site, suns: list[dict[str, Array]]) -> None:
    sun, errors = suns[0], []
    for size in (0.1, 0.2, 1.0, 9.0):
        forecast = forecasts.pv_kw(
            with_errors(iquitos, size, size), sun["pv_kw"], sun["clear_kw"], np.random.default_rng(0)
        )
        errors.append(rms(forecast - sun["pv_kw"]))
    assert errors[0] < errors[1] < errors[2] == errors[3]


def test_noise_persists_as_stated(iquitos: Site, suns: list[dict[str, Array]]) -> None:
    sun, found = suns[0], []
    for correlation in (0.0, 0.85):
        site = with_errors(iquitos, 0.0, 0.1, correlation)
        error = forecasts.pv_kw(site, sun["pv_kw"], sun["clear_kw"], np.random.default_rng(0)) - sun["pv_kw"]
        noon = error.reshape(365, 24)[:, 9:15]
        found.append(float(np.corrcoef(noon[:, 1:].ravel(), noon[:, :-1].ravel())[0, 1]))
    assert found[0] < 0.25
    assert found[1] > found[0] + 0.3


def test_a_closed_day_is_known(iquitos: Site, loads: list[Array]) -> None:
    building = loads[0].copy()
    building[100 * 24 : 101 * 24] *= 0.4
    forecast = forecasts.load_kw(iquitos, building, np.random.default_rng(0)).reshape(365, 24).sum(axis=1)
    assert forecast[100] == pytest.approx(building[100 * 24 : 101 * 24].sum(), rel=0.1)


def test_a_seed_fixes_the_forecast_and_years_are_independent(iquitos: Site, suns: list[dict[str, Array]]) -> None:
    """Errors that are all noise: of two years with the same sun they correlate by 0, standard deviation 0.05."""
    site, sun = with_errors(iquitos, 0.03, 0.03), suns[0]
    rng, again = np.random.default_rng(4), np.random.default_rng(4)
    first, second = (forecasts.pv_kw(site, sun["pv_kw"], sun["clear_kw"], rng) for _ in range(2))
    np.testing.assert_array_equal(forecasts.pv_kw(site, sun["pv_kw"], sun["clear_kw"], again), first)
    of_days = [(forecast - sun["pv_kw"]).reshape(365, 24).sum(axis=1) for forecast in (first, second)]
    assert abs(np.corrcoef(*of_days)[0, 1]) < 0.2


def test_draws_do_not_depend_on_the_site() -> None:
    """So that the load's errors stay what they are where PV is left away."""
    none, draws = np.zeros(8760), []
    for actual in (none, none + 5.0):
        rng = np.random.default_rng(0)
        forecasts.pv_kw(HERE, actual, none + 10.0, rng)
        draws.append(rng.random())
    assert draws[0] == draws[1]

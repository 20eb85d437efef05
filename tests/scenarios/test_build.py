"""Building: forecasts by hand, streams apart, years that stay as they are when others are added."""

from pathlib import Path

import numpy as np
import pytest
import torch

from litgrid.scenarios.build import PURPOSES, build, mean7, persistence, stack_sessions, stream
from litgrid.scenarios.check import check
from litgrid.scenarios.scenario_set import SERIES, SPLITS, ScenarioSet, Split
from litgrid.scenarios.summary import figures
from litgrid.site.site import (
    Battery,
    Fleet,
    Forecast,
    ForecastErrors,
    Location,
    Photovoltaics,
    Site,
    SocketGroup,
    Years,
    read_site,
    replace,
)
from litgrid.site.vehicles import Sessions

IQUITOS = Path(__file__).resolve().parents[2] / "configs" / "sites" / "iquitos.yaml"


@pytest.fixture(scope="module")
def site(small_site: Site) -> Site:
    return replace(small_site, years=Years(2, 1, 1))


@pytest.fixture(scope="module")
def built(site: Site) -> dict[Split, ScenarioSet]:
    return {split: build(site, split) for split in SPLITS}


def equal(first: ScenarioSet, second: ScenarioSet) -> bool:
    """Whether two sets hold the same data."""
    pairs = [(first.series, second.series), (first.sessions, second.sessions)]
    return all(a.batch_size == b.batch_size and bool((a == b).all()) for a, b in pairs)


def test_forecasts_by_hand() -> None:
    """Days of two steps: day d has the values 10 d and 10 d + 1."""
    days = (10 * np.arange(9)[:, None] + [0, 1]).ravel()
    assert persistence(days, 2).tolist() == [60, 61, 70, 71]
    assert mean7(days, 2).tolist() == [30, 31, 40, 41]


def test_sessions_are_padded_at_the_end() -> None:
    one = Sessions(*(np.array(values) for values in ([3], [5], [7], [0.25], [0.9])))
    none = Sessions(*(np.empty(0) for _ in range(5)))
    stacked = stack_sessions([one, none], steps=8760)
    assert stacked.batch_size == (2, 1)
    assert stacked["arrival"].tolist() == [[5], [8760]]
    assert stacked["departure"].tolist() == [[7], [8760]]
    assert stacked["socket"].dtype == torch.int16
    assert stacked["soc_required"].flatten().tolist() == pytest.approx([0.9, 0.0])


def test_shapes_and_contents(built: dict[Split, ScenarioSet], site: Site) -> None:
    train = built["train"]
    assert train.series.batch_size == (2, 8760)
    assert set(train.series.keys()) == set(SERIES)
    assert all(values.dtype == torch.float32 for values in train.series.values())
    assert (train.site, train.split, len(train), train.steps) == (site, "train", 2, 8760)


@pytest.mark.parametrize("quantity", ["pv", "load"])
def test_forecasts_are_those_of_the_series(built: dict[Split, ScenarioSet], quantity: str) -> None:
    series = built["train"].series
    actual = series[f"{quantity}_kw"]
    assert (series[f"{quantity}_persistence_kw"][:, 24:] == actual[:, :-24]).all()
    days = actual.reshape(2, 365, 24)
    means = torch.stack([days[:, day - 7 : day].mean(1) for day in range(7, 365)], 1)
    torch.testing.assert_close(series[f"{quantity}_mean7_kw"].reshape(2, 365, 24)[:, 7:], means)


def test_the_first_week_has_forecasts_too(built: dict[Split, ScenarioSet]) -> None:
    """They come from the lead-in days: no row repeats the year's own values, and none is missing."""
    series = built["train"].series
    first = series["load_persistence_kw"][0, :24]
    assert (first > 0).all()
    assert not (first == series["load_kw"][0, :24]).any()


def test_the_same_site_gives_the_same_data_and_its_battery_does_not_matter(
    built: dict[Split, ScenarioSet], site: Site
) -> None:
    other_battery = replace(site, battery=Battery(capacity_kwh=1.0, power_kw=1.0))
    assert equal(build(other_battery, "test"), built["test"])


def test_another_seed_gives_other_data(built: dict[Split, ScenarioSet], site: Site) -> None:
    other = build(replace(site, seed=1), "test")
    assert (other.series["load_kw"] != built["test"].series["load_kw"]).float().mean() > 0.99
    assert other.sessions.batch_size != built["test"].sessions.batch_size or not equal(other, built["test"])


def test_more_years_leave_the_first_as_they_are(built: dict[Split, ScenarioSet], site: Site) -> None:
    more = build(replace(site, years=Years(2, 1, 2)), "test")
    assert (more.series[:1] == built["test"].series).all()
    length = int((built["test"].sessions["arrival"] < 8760).sum())
    assert (more.sessions[:1, :length] == built["test"].sessions[:, :length]).all()


def test_no_two_splits_or_years_share_a_day(built: dict[Split, ScenarioSet]) -> None:
    for key in ("load_kw", "ghi_w_per_m2"):
        days = torch.cat([built[split].series[key].reshape(-1, 24) for split in SPLITS]).numpy()
        assert len(np.unique(days, axis=0)) == len(days) == 4 * 365
    arrivals = [built[split].sessions["arrival"][0, :1000].tolist() for split in SPLITS]
    assert arrivals[0] != arrivals[1] != arrivals[2] != arrivals[0]


def test_streams_are_apart() -> None:
    site = read_site(IQUITOS)
    sites = [site, replace(site, seed=1)]
    draws = {stream(s, split, purpose).random() for s in sites for split in SPLITS for purpose in PURPOSES}
    assert len(draws) == 24


def test_streams_stay_what_they_were() -> None:
    """Years that were made before there were day-ahead forecasts are made again, bit for bit."""
    for place, purpose in enumerate(("weather", "load", "sessions")):
        seed = np.random.SeedSequence(0, spawn_key=(2, place))
        assert stream(read_site(IQUITOS), "test", purpose).random() == np.random.default_rng(seed).random()


def test_the_errors_of_forecasts_change_forecasts_alone(built: dict[Split, ScenarioSet], site: Site) -> None:
    perfect = Forecast(ForecastErrors(0.0, 0.0, 0.85), ForecastErrors(0.0, 0.0, 0.7))
    other, usual = build(replace(site, forecast=perfect), "test"), built["test"]
    changed = {key for key in SERIES if not torch.equal(other.series[key], usual.series[key])}
    assert changed == {"pv_day_ahead_kw", "load_day_ahead_kw"}
    assert bool((other.sessions == usual.sessions).all())
    for key in ("pv", "load"):
        torch.testing.assert_close(other.series[f"{key}_day_ahead_kw"], other.series[f"{key}_kw"])


def test_another_site_builds() -> None:
    """40 degrees north, 38 sockets, steps of 900 s, a year that begins on a Sunday."""
    site = Site(
        name="madrid",
        location=Location(40.4, -3.7, 650.0, "Europe/Madrid"),
        pv=Photovoltaics(dc_kwp=300.0, ac_kw=250.0, tilt_deg=30.0, azimuth_deg=180.0),
        battery=Battery(400.0, 100.0),
        fleet=Fleet([SocketGroup("car", 30, 7.4, 50.0), SocketGroup("van", 8, 11.0, 80.0)], energy_kwh_per_day=900.0),
        years=Years(1, 1, 1),
        step_seconds=900,
        first_weekday="sunday",
    )
    row = figures(build(site, "validation"))[0]
    assert row["ev_required_kwh_per_day"] == pytest.approx(900, rel=0.02)
    assert 0.6 < row["performance_ratio"] < 0.95
    assert 3.0e6 < row["load_kwh"] < 3.2e6


def test_a_site_without_pv_and_sockets_builds(small_site: Site) -> None:
    bare = replace(small_site, pv=Photovoltaics(0.0, 0.0), fleet=Fleet())
    scenarios = build(replace(bare, years=Years(1, 1, 1)), "test")
    check(scenarios)
    row = figures(scenarios)[0]
    assert (row["pv_kwh"], row["performance_ratio"], row["sessions"], row["ev_stay_hours"]) == (0.0, None, 0, None)

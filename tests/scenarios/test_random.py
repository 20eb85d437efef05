"""Random scenarios are valid, cover the awkward cases, and follow their seed."""

import torch

from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import SERIES, occupancy
from litgrid.site.site import Site


def test_sessions_are_valid_and_awkward(small_site: Site) -> None:
    scenarios = random_scenarios(small_site, scenarios=3, steps=500, seed=1)
    assert set(scenarios.series.keys()) == set(SERIES)
    follow = single = 0
    for sessions in scenarios.sessions:
        real = sessions[sessions["departure"] > sessions["arrival"]]
        order = real["arrival"].long() * 5 + real["socket"]
        assert bool((order.diff() > 0).all())
        assert int(real["departure"].max()) <= 500
        assert bool((sessions["arrival"][len(real) :] == 500).all())
        for socket in range(5):
            mine = real[real["socket"] == socket]
            gap = mine["arrival"][1:] - mine["departure"][:-1]
            assert bool((gap >= 0).all())
            follow += int((gap == 0).sum())
            single += int((mine["departure"] - mine["arrival"] == 1).sum())
    assert follow > 100
    assert single > 50
    connected = occupancy(scenarios.sessions, 5, 500)["left"] > 0
    assert 0.4 < float(connected.float().mean()) < 0.9


def test_day_ahead_forecasts_are_near_and_possible(small_site: Site) -> None:
    series = random_scenarios(small_site, steps=500, seed=1).series
    lit = series["pv_kw"] > 1e-3
    pv, load = (series[f"{key}_day_ahead_kw"] / series[f"{key}_kw"] for key in ("pv", "load"))
    assert not torch.equal(series["pv_day_ahead_kw"], series["pv_kw"])
    assert 0.49 < float(pv[lit].min()) < float(pv[lit].max()) < 1.51
    assert 0.89 < float(load.min()) < float(load.max()) < 1.11
    assert float(series["pv_day_ahead_kw"].max()) <= small_site.pv.ac_kw
    assert not series["pv_day_ahead_kw"][series["pv_kw"] == 0].any()


def test_the_seed_fixes_everything(small_site: Site) -> None:
    one, same, other = (random_scenarios(small_site, steps=100, seed=seed) for seed in (0, 0, 1))
    assert bool((one.series == same.series).all())
    assert bool((one.sessions == same.sessions).all())
    assert not torch.equal(one.series["load_kw"], other.series["load_kw"])

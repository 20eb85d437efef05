"""KPIs beside those of CityLearn's ``evaluate()``."""

import functools
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from litgrid.evaluation import citylearn_kpis as kpis
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim.district import DistrictFlows, DistrictSimulator
from litgrid.sim.district_parity import load_citylearn, random_actions, run_citylearn

pytest.importorskip("citylearn")

CASES = {
    "two months": Features(steps=800, buildings=3, chargers=2, v2g=True, curves=True, losses=True, limits=True),
    "outage, 900 s": Features(steps=250, buildings=3, v2g=True, dead_band=True, outage=True, step_seconds=900),
}
THERMAL = ("discomfort", "thermal_resilience")


class Case(NamedTuple):
    """A random district, random actions, and CityLearn's KPIs of them: (name, cost function) -> value."""

    district: District
    actions: torch.Tensor
    found: dict[tuple[str, str], float]


@functools.cache
def case(name: str, first: int = 0) -> Case:
    with tempfile.TemporaryDirectory() as folder:
        schema = write_random(Path(folder) / "data", CASES[name], 3)
        district, _ = read_district(schema.parent)
        env = load_citylearn(schema)
    actions = random_actions(district, district.steps, 4)
    run_citylearn(env, district, actions[first:], first)
    rows = env.evaluate()
    keys = zip(rows["name"], rows["cost_function"], strict=True)
    return Case(district, actions, dict(zip(keys, rows["value"].astype(float), strict=True)))


def recorded(district: District, actions: torch.Tensor, first: int = 0) -> list[DistrictFlows]:
    """Flows of our own run, of two copies of the district."""
    simulator = DistrictSimulator(district, dtype=torch.float64)
    state, record = simulator.initial(torch.tensor([first, first])), []
    for action in actions[first:]:
        state, flows = simulator.step(state, torch.stack([action, 0.3 * action]))
        record.append(flows)
    return record


def evaluated(found: Case, first: int = 0) -> dict[tuple[str, str], float]:
    """Ours, with CityLearn's keys."""
    record = recorded(found.district, found.actions, first)
    ours = kpis.evaluate(found.district, record, torch.tensor([first, first]))
    names = [building.name for building in found.district.buildings]
    whole = {("District", key): float(value[0]) for key, value in ours.district.items()}
    parts = {(name, key): float(value[0, i]) for key, value in ours.buildings.items() for i, name in enumerate(names)}
    return whole | parts


@pytest.mark.parametrize(("name", "first"), [("two months", 0), ("outage, 900 s", 0), ("outage, 900 s", 100)])
def test_equal_citylearns(name: str, first: int) -> None:
    """Every row of ``evaluate()`` but those on indoor temperatures, of district and buildings."""
    found = case(name, first)
    theirs = {key: value for key, value in found.found.items() if not any(word in key[1] for word in THERMAL)}
    ours = evaluated(found, first)
    assert ours.keys() == theirs.keys()
    assert sum(key[0] == "District" for key in ours) == 11
    assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-9, nan_ok=True)
    away = [key[1] for key, value in theirs.items() if key[0] == "District" and abs(value - 1.0) > 0.01]
    assert len(away) >= 9, away  # no KPI is equal because nothing happens


def test_a_run_that_stops_short_is_refused() -> None:
    found = case("outage, 900 s")
    record = recorded(found.district, found.actions[:10])
    with pytest.raises(ValueError, match="expected records up to row 250"):
        kpis.evaluate(found.district, record, torch.tensor([0, 0]))


def test_shapes_by_hand() -> None:
    net = torch.tensor([1.0, 3.0, 2.0, 6.0, 4.0])
    assert float(kpis.ramping(net)) == 6.0
    assert float(kpis.mean_peak(net, 2)) == pytest.approx((3 + 6 + 4) / 3)
    assert float(kpis.one_minus_load_factor(net, 3)) == pytest.approx((1 - 2 / 3 + 1 - 5 / 6) / 2)
    assert float(kpis.unserved(torch.tensor([2.0, 2.0]), torch.tensor([2.0, 1.0]))) == 0.25


def test_division_by_nothing() -> None:
    """As CityLearn's ``_safe_div``."""
    run = torch.tensor([0.0, 3.0, 4.0, torch.inf, torch.nan])
    base = torch.tensor([0.0, 0.0, 2.0, 2.0, torch.nan])
    torch.testing.assert_close(kpis.ratio(run, base), torch.tensor([1.0, torch.nan, 2.0, 0.0, 1.0]), equal_nan=True)


def without_vehicles(flows: DistrictFlows, price: torch.Tensor, carbon: torch.Tensor) -> kpis.Series:
    """A baseline that leaves vehicles in."""
    return sound_baseline(flows._replace(ev_kwh=0.0 * flows.ev_kwh), price, carbon)


sound_baseline = kpis.baseline
FAULTS: dict[str, tuple[str, Any, str]] = {
    "vehicles in the baseline": ("baseline", without_vehicles, "outage, 900 s"),
    "falls ramp": ("ramping", lambda net: net.diff(dim=0).abs().sum(0), "outage, 900 s"),
    "calendar's months": ("MONTH_SECONDS", 720 * 3600, "two months"),
    "hours for steps": ("DAY_SECONDS", 24 * 900, "outage, 900 s"),
    "everything is served": ("unserved", lambda expected, _: 0.0 * expected.sum(0), "outage, 900 s"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, wrong, where = FAULTS[fault]
    found = case(where)
    monkeypatch.setattr(kpis, name, wrong)
    ours = evaluated(found)
    theirs = {key: found.found[key] for key in ours}
    assert ours != pytest.approx(theirs, rel=1e-3, abs=1e-9, nan_ok=True)

"""Parts of the page: numbers in few bytes, SOC at departure, the ladder and the ranking on their axes."""

import base64
import dataclasses
import gzip
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from litgrid.controllers import make
from litgrid.evaluation.comparison import Comparison, Entry
from litgrid.evaluation.html import departures, ranking
from litgrid.evaluation.html.chart import Axis
from litgrid.evaluation.html.pack import Pack, Series
from litgrid.evaluation.html.pictures import pictures, typical
from litgrid.evaluation.html.waterfall import waterfall
from litgrid.evaluation.ladder import Emissions, climb
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.evaluation.statistics import Estimate
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.sim.worlds import AnyView
from litgrid.site.site import Site, replace


def unpacked(text: str, place: Series) -> NDArray[np.float64]:
    """Decode a series as the page does."""
    block = np.frombuffer(gzip.decompress(base64.b64decode(text)), dtype="<i2")
    values: NDArray[np.float64] = block[place["first"] : place["first"] + place["length"]] * place["scale"]
    return values


def test_series_are_integers_side_by_side() -> None:
    pack = Pack()
    first, second = pack.add([0.0, 1.0, -2.0]), pack.add([[32767.0, 3.0], [4.0, 5.0]])
    assert first == {"first": 0, "length": 3, "scale": 2.0 / 32767}
    assert second == {"first": 3, "length": 4, "scale": 1.0}
    block = np.frombuffer(gzip.decompress(base64.b64decode(pack.text())), dtype="<i2")
    assert block.tolist() == [0, 16384, -32767, 32767, 3, 4, 5]


@given(st.lists(st.lists(st.floats(-1e9, 1e9), max_size=20), min_size=1, max_size=4))
def test_series_come_back_to_half_a_step(series: list[list[float]]) -> None:
    pack = Pack()
    places = [pack.add(values) for values in series]
    text = pack.text()
    for values, place in zip(series, places, strict=True):
        np.testing.assert_allclose(unpacked(text, place), values, rtol=0, atol=place["scale"] * 0.5001)


def test_a_series_with_a_gap_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        Pack().add([1.0, float("nan")])


def test_controllers_series_are_their_flows(stand_ins: Comparison) -> None:
    described, text = pictures(stand_ins)
    assert [one["name"] for one in described["controllers"]][-1] == label_of(stand_ins.entries[-1])
    shown, entry = described["controllers"][1], stand_ins.entries[1]
    flows, soc = entry.rollouts[0].flows, entry.rollouts[0].bess_soc
    assert len(entry.rollouts) == 1
    for key, energy in {
        "import_kw": flows.grid_import,
        "ev_kw": flows.ev,
        "discharge_kw": flows.bess_discharge,
    }.items():
        values = unpacked(text, shown[key])
        np.testing.assert_allclose(values, energy.flatten().numpy(), rtol=0, atol=shown[key]["scale"] * 0.5001)
    np.testing.assert_allclose(unpacked(text, shown["soc"]), soc[:, :-1].flatten().numpy(), rtol=0, atol=2e-5)
    load = unpacked(text, described["common"]["load_kw"])
    np.testing.assert_allclose(load, stand_ins.scenarios.series["load_kw"].flatten().numpy(), rtol=0, atol=1e-3)


def label_of(entry: Entry) -> str:
    """The name of a controller with one seed, or none."""
    return typical(entry)[1]


def test_an_agent_is_shown_by_its_median_seed(stand_ins: Comparison) -> None:
    (sac,) = (entry for entry in stand_ins.entries if entry.name == "sac")
    assert typical(sac)[1] == "sac (seed 1)"  # dearer than self-consumption, cheaper than what charges no vehicle
    two = dataclasses.replace(sac, rows=sac.rows[:2], rollouts=sac.rollouts[:2])
    assert typical(two)[1] == "sac (seed 0)"  # the better of two


@pytest.mark.parametrize(("rule", "surplus"), [("uncontrolled", 0.0), ("idle", -0.7)])
def test_soc_at_departure_by_hand(four_hours: ScenarioSet, rule: str, surplus: float) -> None:
    run = rollout(Simulator(four_hours, dtype=torch.float64), make(rule, four_hours))
    np.testing.assert_allclose(departures.soc_at_departure(run), [[0.9 + surplus]], atol=1e-6)


class Restless:
    """Charges, and discharges where it may, at random powers."""

    name = "restless"
    seed = None

    def __init__(self) -> None:
        self._generator = torch.Generator().manual_seed(0)

    def act(self, view: AnyView) -> Tensor:
        """Return the action [B, 1 + N]."""
        sites, sockets = view.ev_soc.shape
        return torch.rand(sites, 1 + sockets, generator=self._generator, dtype=torch.float64) * 1.4 - 0.4


@pytest.fixture(scope="module")
def restless(small_site: Site, random_scenarios: Callable[..., ScenarioSet]) -> Rollout:
    groups = [replace(group, v2g=number == 0) for number, group in enumerate(small_site.fleet.groups)]
    site = replace(small_site, fleet=replace(small_site.fleet, groups=groups))
    return rollout(Simulator(random_scenarios(site, days=10), dtype=torch.float64), Restless())


def test_what_vehicles_lack_is_what_the_accounts_book(restless: Rollout) -> None:
    assert float(restless.flows.ev_sockets.min()) < 0.0
    sessions, params = restless.scenarios.sessions, Simulator(restless.scenarios, dtype=torch.float64).params
    socket, stay = sessions["socket"].long(), sessions["departure"] - sessions["arrival"]
    capacity, rate = params.socket_capacity_kwh[socket], (params.socket_rate * params.socket_efficiency)[socket]
    reachable = (sessions["soc_arrival"] + stay * rate).clamp(max=1.0)
    due = torch.minimum(sessions["soc_required"].double(), reachable)
    lacking = (due - torch.from_numpy(departures.soc_at_departure(restless))).clamp(min=0.0) * capacity * (stay > 0)
    torch.testing.assert_close(lacking.sum(1), restless.flows.ev_unserved.sum(1), rtol=1e-5, atol=1e-4)


def test_shares_of_stays(stand_ins: Comparison) -> None:
    for entry in stand_ins.entries:
        found = departures.departures(entry)
        assert found is not None
        stays = (stand_ins.scenarios.sessions["departure"] > stand_ins.scenarios.sessions["arrival"]).sum()
        assert found.stays == len(entry.rollouts) * int(stays)
        assert sum(share for _, share in found.bins) == pytest.approx(1.0)
        lacking = sum(share for centre, share in found.bins if centre < -0.001)
        assert lacking <= 1.0 - found.enough
        assert -1.0 <= found.lowest <= 0.001


def test_waterfall_by_hand() -> None:
    emissions = {"gasoline": Emissions(60.0, 100.0), "ev_on_grid": Emissions(0.0, 120.0), "pv": Emissions(0.0, 80.0)}
    first, second, third = waterfall(climb(emissions))
    assert (first.at, first.steps) == (100.0, [])
    assert second.at == pytest.approx(75.0)
    assert [(step.kind, step.more) for step in second.steps] == [("direct", False), ("indirect", True)]
    assert [(step.left, step.width) for step in second.steps] == [
        pytest.approx((62.5, 37.5)),
        pytest.approx((62.5, 12.5)),
    ]
    (step,) = third.steps
    assert step.kind == "indirect"
    assert (step.left, step.width) == pytest.approx((50.0, 25.0))


def test_positions_on_an_axis() -> None:
    axis = Axis(100.0, 300.0)
    assert [axis.at(value) for value in (0.0, 100.0, 150.0, 300.0, 301.0)] == [0.0, 0.0, 25.0, 100.0, 100.0]


def entry_at(template: Entry, name: str, value: float, served: bool = True, half: float | None = None) -> Entry:
    """A controller whose objective is known."""
    low, high = (None, None) if half is None else (value - half, value + half)
    standing = dataclasses.replace(template.standing, controller=name, objective=Estimate(value, low, high))
    return dataclasses.replace(template, name=name, served=served, standing=standing)


def test_ranking_lies_between_optimum_and_rule(stand_ins: Comparison) -> None:
    one = stand_ins.entries[0]
    found = ranking.ranking(
        [
            entry_at(one, "optimum", 100.0),
            entry_at(one, "sac", 150.0, half=10.0),
            entry_at(one, "self_consumption", 200.0),
            entry_at(one, "idle", 1000.0, served=False),
        ]
    )
    assert found.references == {"optimum": 100.0, "self_consumption": 200.0}
    assert (found.axis.low, found.axis.high) == (96.0, 204.0)
    optimum, sac, rule, idle = found.marks
    assert [mark.at for mark in (optimum, sac, rule)] == pytest.approx([100 * 4 / 108, 50.0, 100 * 104 / 108])
    assert sac.span == pytest.approx((100 * 44 / 108, 100 * 20 / 108))
    assert optimum.span is None
    assert (idle.at, idle.beyond, sac.beyond) == (100.0, True, False)


def test_a_single_controller_has_an_axis(stand_ins: Comparison) -> None:
    (mark,) = ranking.ranking([entry_at(stand_ins.entries[0], "sac", 5.0)]).marks
    assert mark.at == pytest.approx(50.0)

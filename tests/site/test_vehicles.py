"""Sessions: hours, stays, sockets, energies, demand rows."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litgrid.errors import InputError
from litgrid.site import arrivals, vehicles
from litgrid.site.site import DemandRow, Fleet, Site, SocketGroup, read_site, replace
from litgrid.site.vehicles import Sessions

ROOT = Path(__file__).resolve().parents[2]
IQUITOS = ROOT / "configs" / "sites" / "iquitos.yaml"
TABLE = ROOT.parent / "shared" / "data" / "ev_scenarios_tabla13.csv"
needs_table = pytest.mark.skipif(not TABLE.exists(), reason="the table of demand scenarios is not there")


@pytest.fixture(scope="module")
def iquitos() -> Site:
    return read_site(IQUITOS)


def draw(site: Site, seed: int = 0) -> Sessions:
    return vehicles.sessions(site, np.random.default_rng(seed))


def kwh_per_day(site: Site, drawn: Sessions) -> float:
    capacity = vehicles.socket_values(site.fleet, "battery_kwh")[drawn.socket]
    return float((np.maximum(0, drawn.soc_required - drawn.soc_arrival) * capacity).sum()) / 365


def assert_valid(site: Site, drawn: Sessions, shortest_hours: float, longest_hours: float) -> None:
    """Order, sockets, opening hours, stays, no overlap."""
    fleet, step = site.fleet, site.step_hours
    order = np.lexsort((drawn.socket, drawn.arrival))
    assert (order == np.arange(len(order))).all()
    assert ((drawn.socket >= 0) & (drawn.socket < fleet.sockets)).all()
    day = drawn.arrival // site.steps_per_day
    start, end = ((steps - day * site.steps_per_day) * step for steps in (drawn.arrival, drawn.departure))
    assert ((start >= fleet.open_hour - 1e-9) & (end <= fleet.close_hour + 1e-9)).all()
    stay = (drawn.departure - drawn.arrival) * step
    assert ((stay >= shortest_hours - 1e-9) & (stay <= longest_hours + 1e-9)).all()
    by_socket = np.lexsort((drawn.arrival, drawn.socket))
    same = np.diff(drawn.socket[by_socket]) == 0
    assert (drawn.arrival[by_socket][1:] >= drawn.departure[by_socket][:-1])[same].all()


@pytest.mark.parametrize("step_seconds", [3600, 1800, 900])
def test_iquitos_sessions(iquitos: Site, step_seconds: int) -> None:
    site = replace(iquitos, step_seconds=step_seconds)
    drawn = draw(site)
    assert_valid(site, drawn, 1, 6)
    assert kwh_per_day(site, drawn) == pytest.approx(680, rel=1e-4)
    assert 0.20 <= drawn.soc_arrival.min() <= drawn.soc_arrival.max() <= 0.30
    assert 0.85 <= drawn.soc_required.min() <= drawn.soc_required.max() <= 0.90
    stay = drawn.departure - drawn.arrival
    reachable = vehicles.reachable_soc(site, drawn.socket, stay, drawn.soc_arrival)
    assert (reachable >= drawn.soc_required).all()


def test_the_evening_peak_is_the_configured_one(iquitos: Site) -> None:
    """Twice as many vehicles an hour from 18 to 21 h, although sockets are full and stays end at 22 h."""
    by_hour = np.bincount(draw(iquitos).arrival % 24, minlength=24)
    assert by_hour[18:21] == pytest.approx(2 * by_hour[9:18].mean(), rel=0.03)
    assert by_hour[9:18] == pytest.approx(by_hour[9:18].mean(), rel=0.03)
    assert by_hour[:9].sum() == by_hour[22:].sum() == 0


def test_every_socket_has_its_own_arrivals(iquitos: Site) -> None:
    drawn = draw(iquitos)
    came = np.zeros((128, 8760))
    came[drawn.socket, drawn.arrival] = 1
    correlation = np.asarray(np.corrcoef(came.reshape(128, 365, 24)[:, :, 9:22].reshape(128, -1)))
    assert np.abs(correlation[~np.eye(128, dtype=bool)]).max() < 0.2
    assert np.bincount(drawn.socket) == pytest.approx(len(drawn.socket) / 128, rel=0.1)


def test_days_differ_and_neighbours_are_alike(iquitos: Site) -> None:
    by_day = np.bincount(draw(iquitos).arrival // 24, minlength=365)
    assert 0.06 < by_day.std() / by_day.mean() < 0.16
    assert 0.25 < np.corrcoef(by_day[1:], by_day[:-1])[0, 1] < 0.75


def test_socs_survive_float32_and_csv(iquitos: Site) -> None:
    drawn = draw(iquitos)
    for soc in (drawn.soc_arrival, drawn.soc_required):
        assert (np.round(soc.astype(np.float32).astype(float), 3) == soc).all()


def test_the_seed_decides(iquitos: Site) -> None:
    first, again, other = draw(iquitos, 1), draw(iquitos, 1), draw(iquitos, 2)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert len(first.socket) != len(other.socket) or (first.arrival != other.arrival).any()


def test_vehicles_follow_each_other_directly(iquitos: Site) -> None:
    drawn = draw(iquitos)
    order = np.lexsort((drawn.arrival, drawn.socket))
    assert (drawn.departure[order][:-1] == drawn.arrival[order][1:]).mean() > 0.2


@given(
    step_seconds=st.sampled_from([3600, 1800, 1200, 900]),
    sockets=st.integers(1, 6),
    opening=st.tuples(st.integers(0, 60), st.integers(8, 36)),
    stay=st.tuples(st.integers(1, 4), st.integers(0, 8)),
    load=st.floats(0.05, 0.95),
    peak_factor=st.floats(0.5, 4.0),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=30, deadline=None)
def test_any_feasible_fleet_gets_its_energy(
    *,
    step_seconds: int,
    sockets: int,
    opening: tuple[int, int],
    stay: tuple[int, int],
    load: float,
    peak_factor: float,
    seed: int,
) -> None:
    """Sessions are valid and hold the asked energy, up to what the message of a refusal calls feasible."""
    open_hour, close_hour = opening[0] / 4, min(24.0, (opening[0] + opening[1]) / 4)
    fleet = Fleet(
        groups=[SocketGroup("a", sockets, 3.0, 5.0), SocketGroup("b", 2, 7.0, 40.0, (0.1, 0.5), (0.6, 0.9))],
        open_hour=open_hour,
        close_hour=close_hour,
        stay_hours=(stay[0] / 4, min((stay[0] + stay[1]) / 4, close_hour - open_hour)),
        peak_factor=peak_factor,
    )
    site = replace(read_site(IQUITOS), fleet=fleet, step_seconds=step_seconds)
    hours = arrivals.opening_hours(site)
    if hours.limit == 0:
        with pytest.raises(InputError, match=r"at most 0\.0 kWh"):
            draw(site, seed)
        return
    largest = vehicles.largest_energy(site, hours)
    site = replace(site, fleet=replace(fleet, energy_kwh_per_day=load * largest))
    drawn = draw(site, seed)
    assert_valid(site, drawn, hours.shortest * site.step_hours, hours.longest * site.step_hours)
    one_vehicle = 40.0 / 365
    assert kwh_per_day(site, drawn) == pytest.approx(load * largest, rel=0.02, abs=one_vehicle)


def test_arrivals_have_their_expected_rates() -> None:
    """Full sockets do not flatten the peak: the rates hold in every step, to 5 standard errors."""
    hours = arrivals.Hours(first=0, steps=5, shortest=2, longest=4)
    expected = np.tile([0.1, 0.3, 0.15, 0.5, 0.0], (365, 1))
    came = arrivals.draw_arrivals(hours, expected, 400, np.random.default_rng(0)) > 0
    error = np.sqrt(expected[0] * (1 - expected[0]) / (365 * 400))
    assert (np.abs(came.mean(axis=(0, 1)) - expected[0]) <= 5 * error).all()
    assert not (came[..., 1:] & came[..., :-1]).any()  # none within the shortest stay of two steps


def test_a_socket_that_is_always_taken() -> None:
    hours = arrivals.Hours(first=0, steps=3, shortest=1, longest=1)
    wishes = arrivals.draw_arrivals(hours, np.ones((365, 3)), 2, np.random.default_rng(0))
    assert (wishes == 1).all()


@pytest.mark.parametrize("fleet", [Fleet(), Fleet(groups=[SocketGroup("a", 3, 2.0, 2.0)], energy_kwh_per_day=0)])
def test_no_sockets_or_no_energy_means_no_sessions(iquitos: Site, fleet: Fleet) -> None:
    assert [len(values) for values in draw(replace(iquitos, fleet=fleet))] == [0] * 5


def test_too_much_energy_is_refused_with_what_is_feasible(iquitos: Site) -> None:
    # 13 stays of 1 h on each socket, of 2.0 x 0.625 kWh on 112 sockets and 4.0 x 0.625 kWh on 16
    message = r"fleet.energy_kwh_per_day: found 3252 kWh a day, expected at most 2340\.0 kWh: 128 sockets are open 13 h"
    with pytest.raises(InputError, match=message):
        draw(replace(iquitos, fleet=replace(iquitos.fleet, energy_kwh_per_day=3252)))


def test_energy_that_the_sockets_power_can_not_give_is_refused(iquitos: Site) -> None:
    slow = Fleet(groups=[SocketGroup("a", 10, 0.5, 100.0)], energy_kwh_per_day=100)
    with pytest.raises(InputError, match=r"at most 61\.8 kWh"):  # 10 x 0.5 kW x 0.95 x 13 h
        draw(replace(iquitos, fleet=slow))


def test_vehicles_that_need_nothing_can_not_take_energy(iquitos: Site) -> None:
    full = Fleet(groups=[SocketGroup("a", 10, 2.0, 2.0, (0.9, 1.0), (0.5, 0.6))])
    with pytest.raises(InputError, match=r"at most 0\.0 kWh"):
        draw(replace(iquitos, fleet=full))


def test_reachable_soc_by_hand(iquitos: Site) -> None:
    """2 kW x 0.95 into 2 kWh is 0.95 an hour; 3 kW x 0.95 into 4 kWh is 0.7125 an hour."""
    at_900_s = replace(iquitos, step_seconds=900)
    reachable = vehicles.reachable_soc(
        at_900_s, np.array([0, 0, 112, 127]), np.array([1, 4, 1, 4]), np.array([0.2, 0.2, 0.2, 0.0])
    )
    assert reachable == pytest.approx([0.2 + 0.2375, 1.0, 0.2 + 0.178125, 0.7125])


def _with_row(site: Site, table: Path, scenario: int, step_seconds: int = 3600) -> Site:
    fleet = replace(site.fleet, demand_row=DemandRow(table, scenario))
    return replace(site, fleet=fleet, step_seconds=step_seconds)


@needs_table
@pytest.mark.parametrize(
    ("scenario", "step_seconds", "sockets", "charges", "kwh"),
    [
        (1, 3600, [14, 2], 87.29, 92.80),
        (50, 3600, [81, 11], 631.82, 671.64),
        (85, 900, [123, 17], 1567.35, 1666.10),
        (101, 900, [123, 17], 3058.96, 3252.00),
    ],
)
def test_a_demand_row_fixes_charges_energy_and_sockets(
    iquitos: Site, *, scenario: int, step_seconds: int, sockets: list[int], charges: float, kwh: float
) -> None:
    site = _with_row(iquitos, TABLE, scenario, step_seconds)
    drawn = draw(site)
    assert [group.sockets for group in site.fleet.groups] == sockets
    assert len(drawn.socket) / 365 == pytest.approx(charges, rel=1e-3)
    assert kwh_per_day(site, drawn) == pytest.approx(kwh, rel=1e-3)
    assert_valid(site, drawn, site.step_hours, 6)
    reachable = vehicles.reachable_soc(site, drawn.socket, drawn.departure - drawn.arrival, drawn.soc_arrival)
    assert (reachable >= drawn.soc_required - 1e-9).all()
    by_hour = np.bincount(drawn.arrival % site.steps_per_day // (3600 // step_seconds), minlength=24)
    assert by_hour[18:21].mean() > by_hour[9:18].mean()


@needs_table
def test_a_demand_row_that_does_not_fit_is_refused(iquitos: Site) -> None:
    with pytest.raises(
        InputError, match=r"scenario 101 .* found 3252 kWh a day in 3058.96 charges, expected at most 19"
    ):
        draw(_with_row(iquitos, TABLE, 101))


def _table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("escenario,tomas,cargas_dia,energia_dia_kwh", *rows)) + "\n", encoding="utf-8")
    return path


def test_a_demand_row_of_too_much_energy_for_its_stays_is_refused(iquitos: Site, tmp_path: Path) -> None:
    """Every second vehicle stays one hour: the sockets' power can't make up for what short stays lack."""
    site = _with_row(iquitos, _table(tmp_path / "t.csv", "1,8,80,190"), 1)
    with pytest.raises(InputError, match=r"found 190 kWh a day in 80 charges, expected at most 1[0-9]{2}\.[0-9] kWh"):
        draw(site)


@pytest.mark.parametrize(
    ("rows", "scenario", "message"),
    [
        (["1,8,40,50"], 2, r"fleet.demand_row.scenario: found 2, expected a number that .*t.csv has once"),
        (["1,8,40,50", "1,8,40,60"], 1, r"found 1, expected a number that .*t.csv has once"),
        (["1,8,0,50"], 1, r"fleet.demand_row \(.*t.csv\): found \[1.0, 8.0, 0.0, 50.0\], expected figures above 0"),
        (["1,8,forty,50"], 1, r"t.csv, line 2, cargas_dia: found forty, expected a number"),
        (["1,1,4,5"], 1, r"fleet.groups.mototaxi.sockets: found 0, expected at least 1"),
    ],
)
def test_a_wrong_table_is_refused(iquitos: Site, tmp_path: Path, rows: list[str], scenario: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _with_row(iquitos, _table(tmp_path / "t.csv", *rows), scenario)


def test_a_demand_row_is_resolved_once(iquitos: Site, tmp_path: Path) -> None:
    site = _with_row(iquitos, _table(tmp_path / "t.csv", "7,140,100,110"), 7)
    again = replace(site, fleet=replace(site.fleet))
    assert [group.sockets for group in again.fleet.groups] == [123, 17]
    assert again.fleet.energy_kwh_per_day == 110
    assert again.fleet.sockets == 140

"""Stays that enter the linear program as one: what a group takes can be shared out among its stays."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from litgrid.controllers.sharing import share_out
from litgrid.controllers.stays import Stays, cells, group


def stays(arrival: list[int], departure: list[int], need: list[float], full: list[float]) -> Stays:
    """Stays that lack ``need`` kWh at the socket, with an efficiency of 1."""
    count = len(arrival)
    return Stays(
        socket=np.arange(count),
        arrival=np.array(arrival),
        departure=np.array(departure),
        start_kwh=np.zeros(count),
        due_kwh=np.array(need, dtype=np.float64),
        capacity_kwh=np.full(count, 100.0),
        full_kwh=np.array(full, dtype=np.float64),
        efficiency=np.ones(count),
    )


def test_stays_of_a_group_have_steps_power_and_full_steps_in_common() -> None:
    found = stays([0, 0, 0, 0, 1], [3, 3, 3, 3, 3], [0.5, 0.9, 2.5, 2.9, 0.5], [1.0, 2.0, 1.0, 1.0, 1.0])
    groups = group(found)
    assert groups.member[0] == groups.member[1]  # power is no limit to either
    assert groups.member[2] == groups.member[3]
    assert len(groups.arrival) == 3
    together = groups.member[2]
    assert (groups.need_kwh[together], groups.most_kwh[together]) == (5.4, 2.0)
    assert (groups.arrival[together], groups.departure[together]) == (0, 3)


def test_a_full_step_sets_stays_apart() -> None:
    assert len(group(stays([0, 0], [3, 3], [0.9, 1.0], [1.0, 1.0])).arrival) == 2


def test_a_stay_takes_what_the_others_can_not() -> None:
    """Both go at full power in the first step, and share what the group takes in the second."""
    found = stays([0, 0], [3, 3], [1.5, 1.5], [1.0, 1.0])
    _, shared = share_out(found, group(found), np.array([2.0, 1.0, 0.0]))
    assert shared.tolist() == [1.0, 0.5, 0.0, 1.0, 0.5, 0.0]


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Stays, list[np.ndarray[tuple[int], np.dtype[np.float64]]]]:
    """Stays in a few windows, and what each takes in its steps, within its limits."""
    windows = draw(st.lists(st.sampled_from([(0, 3), (1, 5), (4, 5)]), min_size=1, max_size=12))
    full = [draw(st.sampled_from([1.0, 2.0])) for _ in windows]
    need = [draw(st.floats(0.05, p * (end - first))) for p, (first, end) in zip(full, windows, strict=True)]
    takes = []
    for most, wanted, (first, end) in zip(full, need, windows, strict=True):
        take = np.array([draw(st.floats(0.0, most)) for _ in range(end - first)])
        takes.append(take * min(1.0, wanted / max(take.sum(), 1e-9)))
    return stays([first for first, _ in windows], [end for _, end in windows], need, full), takes


@settings(deadline=None)
@given(drawn=schedules())
def test_what_a_group_takes_is_shared_out_within_the_limits_of_each_stay(
    drawn: tuple[Stays, list[np.ndarray[tuple[int], np.dtype[np.float64]]]],
) -> None:
    found, takes = drawn
    groups = group(found)
    length = groups.departure - groups.arrival
    first = np.cumsum(length) - length
    taken = np.zeros(length.sum())
    for stay, take in enumerate(takes):
        at = first[groups.member[stay]]
        taken[at : at + len(take)] += take
    own, shared = share_out(found, groups, taken)
    assert (shared >= 0.0).all()
    assert (shared <= found.full_kwh[own.span] + 1e-9).all()
    assert (np.bincount(own.span, shared) <= found.need_kwh + 1e-9).all()
    again = np.zeros_like(taken)
    np.add.at(again, first[groups.member[own.span]] + own.step - found.arrival[own.span], shared)
    np.testing.assert_allclose(again, taken, atol=1e-9)


def test_cells_go_through_every_span() -> None:
    steps = cells(np.array([2, 7]), np.array([4, 8]))
    assert steps.span.tolist() == [0, 0, 1]
    assert steps.step.tolist() == [2, 3, 7]

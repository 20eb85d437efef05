"""Splits of an imported data set: whole days, disjoint, in fixed shares."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tensordict import TensorDict

from litgrid.errors import InputError
from litgrid.scenarios.district import District, Observed
from litgrid.scenarios.district_split import split_district
from litgrid.site.site import Objective

PARTS = ("train", "validation", "test")


def empty(rows: int, step_seconds: int = 3600) -> District:
    """A district of so many rows, and nothing in it."""
    series, connections = TensorDict({}, [rows]), TensorDict({}, [rows, 0])
    observed = Observed((), (), (), torch.zeros(rows, 0))
    return District("data", step_seconds, None, (), (), (), series, connections, TensorDict({}, [rows]), observed)


def blocks(district: District, split: str) -> tuple[tuple[int, int], ...]:
    return split_district(district, split, Objective()).blocks  # type: ignore[arg-type]


def test_a_year_by_hand() -> None:
    """365 days in 13 stretches of 28 or 29 days: 20 or 21 to learn from, 4 to validate on, 4 to test on."""
    year = empty(8760)
    assert blocks(year, "train")[:2] == ((0, 20 * 24), (28 * 24, 48 * 24))
    assert blocks(year, "validation")[:2] == ((20 * 24, 24 * 24), (48 * 24, 52 * 24))
    assert blocks(year, "test")[0] == (24 * 24, 28 * 24)
    assert blocks(year, "test")[-1] == (361 * 24, 8759)  # the last row is never simulated
    assert [len(blocks(year, split)) for split in PARTS] == [13] * 3
    assert blocks(year, "all") == ((0, 8759),)


@given(days=st.integers(7, 800), hours=st.integers(0, 23), per_day=st.sampled_from([2, 24, 96]))
def test_blocks_are_disjoint_whole_days_in_fixed_shares(days: int, hours: int, per_day: int) -> None:
    district = empty(days * per_day + hours * per_day // 24, 86400 // per_day)
    taken = torch.zeros(district.steps, dtype=torch.int64)
    for split in PARTS:
        found = blocks(district, split)
        for first, end in found:
            taken[first:end] += 1
            assert first % per_day == 0
            assert end % per_day == 0 or end == district.steps
        share = sum(end - first for first, end in found) / (days * per_day)
        assert share == pytest.approx(0.7 if split == "train" else 0.15, abs=0.1)
    assert int(taken.max()) == 1
    assert int((taken == 0).sum()) <= per_day  # what is left of a day


def test_the_objective_has_all_its_weights() -> None:
    found = split_district(empty(200), "test", Objective("cost", unserved_per_kwh=1.0)).objective
    assert (found.bill, found.carbon_per_kg, found.unserved_per_kwh) == (1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("district", "message"),
    [
        (empty(167), "data: found 6 whole days, expected at least 7 to split"),
        (empty(9999, 7000), "data: found steps of 7000 s, expected a whole number of them in a day, two at least"),
    ],
)
def test_what_can_not_be_split(district: District, message: str) -> None:
    with pytest.raises(InputError) as error:
        split_district(district, "train", Objective())
    assert str(error.value) == message
    assert blocks(district, "all") == ((0, district.steps),)

"""Solved years are kept: once solved, read; another objective, another solution; damaged, refused."""

import dataclasses
from pathlib import Path

import pytest
import torch

from litgrid.controllers.kept import kept, key
from litgrid.controllers.optimum import solve
from litgrid.controllers.solution import Solution
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import Objective, Site, replace


@pytest.fixture
def two_days(small_site: Site, tmp_path: Path) -> ScenarioSet:
    return dataclasses.replace(random_scenarios(small_site, 2, 48), folder=tmp_path)


def never(scenarios: ScenarioSet) -> list[Solution]:
    raise AssertionError(f"{scenarios.site.name} was solved again")


def test_a_year_is_solved_once(two_days: ScenarioSet) -> None:
    first = solve(two_days)
    again = kept(two_days, never)
    for one, other in zip(first, again, strict=True):
        for field in dataclasses.fields(Solution):
            value, same = getattr(one, field.name), getattr(other, field.name)
            assert torch.equal(value, same) if isinstance(value, torch.Tensor) else value == same
    assert two_days.folder is not None
    assert [file.name for file in two_days.folder.iterdir()] == [f"optimum-{key(two_days)}.pt"]


def test_what_changes_the_solution_changes_the_key(two_days: ScenarioSet) -> None:
    site, series, sessions = two_days.site, two_days.series.clone(), two_days.sessions.clone()
    series["pv_kw"][0, 3] += 1.0
    sessions["soc_required"][0, 0] = 1.0
    variants = [
        dataclasses.replace(two_days, site=replace(site, objective=Objective("co2"))),
        dataclasses.replace(two_days, site=replace(site, battery=replace(site.battery, power_kw=1.0))),
        dataclasses.replace(two_days, series=series),
        dataclasses.replace(two_days, sessions=sessions),
    ]
    assert len({key(two_days), *map(key, variants)}) == 5
    assert key(dataclasses.replace(two_days, site=replace(site, name="other"))) == key(two_days)


def test_what_is_damaged_is_refused(two_days: ScenarioSet) -> None:
    assert two_days.folder is not None
    (two_days.folder / f"optimum-{key(two_days)}.pt").write_bytes(b"no torch file")
    with pytest.raises(InputError, match="delete it to have them solved again") as error:
        kept(two_days, never)
    assert "\n" not in str(error.value)


def test_scenarios_without_a_folder_and_folders_that_can_not_be_written_to(
    two_days: ScenarioSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert two_days.folder is not None
    kept(dataclasses.replace(two_days, folder=None), lambda _: [])
    monkeypatch.setattr("litgrid.controllers.kept.os.access", lambda *_: False)
    assert kept(two_days, lambda _: []) == []
    assert list(two_days.folder.iterdir()) == []

"""Without CityLearn, or with another release, the back end is refused in one line."""

import importlib.metadata
import platform
from collections.abc import Callable

import pytest

from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig, make_env
from litgrid.site.site import Site


def test_a_missing_citylearn_is_named(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(InputError) as raised:
        make_env(random_scenarios(small_site, days=3), 1, EnvConfig(backend="citylearn"))
    assert str(raised.value) == (
        "backend: citylearn needs citylearn 3.0.2, which installs on Python 3.11 only; "
        f"found Python {platform.python_version()} without it"
    )


def test_another_release_is_named(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.5.0")
    with pytest.raises(InputError, match=r"needs citylearn 3\.0\.2, .*; found citylearn 2\.5\.0"):
        make_env(random_scenarios(small_site, days=3), 1, EnvConfig(backend="citylearn"))

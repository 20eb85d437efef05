"""What CityLearn makes of random districts: written, read and run once for all classes of tests."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from torch import Tensor

from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District
from litgrid.scenarios.export import export
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim.conformance.backend import CityLearnBackend
from litgrid.sim.conformance.sites import site
from litgrid.sim.district_parity import Run, random_actions

DISTRICTS = {
    "batteries": Features(buildings=3, chargers=0, curves=True, losses=True),
    "vehicles": Features(buildings=3),
    "v2g": Features(v2g=True, curves=True),
    "dead-band": Features(v2g=True, dead_band=True, losses=True),
    "900 s": Features(v2g=True, curves=True, dead_band=True, losses=True, step_seconds=900),
    "limits": Features(v2g=True, dead_band=True, limits=True),
    "service": Features(buildings=3, v2g=True, service=True, losses=True),
    "outage": Features(buildings=3, v2g=True, dead_band=True, outage=True),
    "all with limits": Features(
        buildings=4, v2g=True, curves=True, dead_band=True, losses=True, limits=True, outage=True, step_seconds=900
    ),
    "all with service": Features(
        buildings=4, v2g=True, curves=True, dead_band=True, losses=True, service=True, outage=True
    ),
}
WINDOWS = (("vehicles", 1), ("vehicles", 100), ("all with service", 1), ("all with service", 100))


class Reference(NamedTuple):
    """A district, random actions, and CityLearn's run of them."""

    folder: Path
    district: District
    actions: Tensor
    """[steps, K + N]"""
    run: Run


@functools.cache
def district(name: str, first: int = 0) -> Reference:
    """One of ``DISTRICTS``, from a row on."""
    folder = _kept() / name
    if not folder.exists():
        write_random(folder, DISTRICTS[name], 0)
    return reference(folder, first=first)


@functools.cache
def year(sockets: int) -> Reference:
    """A year of hours of a site with that many sockets, exported."""
    folder = _kept() / f"year of {sockets} sockets"
    export(random_scenarios(site(sockets), 1), 0, folder)
    return reference(folder)


@functools.cache
def reference(folder: Path, steps: int | None = None, first: int = 0, seed: int = 0) -> Reference:
    """Run random actions through CityLearn; without CityLearn, the test is skipped.

    Args:
        folder: of a data set.
        steps: how many; by default up to the data's end.
        first: row with which the episode begins.
        seed: of the actions.
    """
    pytest.importorskip("citylearn", reason="the reference is CityLearn, which installs on Python 3.11 alone")
    found, _ = read_district(folder)
    actions = random_actions(found, found.steps, seed)[first:][:steps]
    return Reference(folder, found, actions, CityLearnBackend(folder).run(actions, first))


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="litgrid-conformance-")  # removed with the process


def _kept() -> Path:
    return Path(_temporary().name)

"""The conformance kit, run against both back ends, and against LitGrid's with faults planted in it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from litgrid.scenarios.citylearn_import import read_district
from litgrid.sim import district as simulation
from litgrid.sim.conformance import Backend, CityLearnBackend, Conformance, SimulatorBackend, SiteConformance
from litgrid.sim.citylearn import CityLearnSiteEnv
from litgrid.sim.env import SiteEnv


class TestLitGrid(Conformance):
    """In float64."""

    options: ClassVar[dict[str, Any]] = {"dtype": torch.float64}
    year_sockets = 8

    def backend(self, folder: Path) -> Backend:
        return SimulatorBackend(simulation.DistrictSimulator(read_district(folder)[0], **self.options))


class TestLitGridStoringAsCityLearn(TestLitGrid):
    options: ClassVar[dict[str, Any]] = {"dtype": torch.float64, "emulate_float32": True}
    bound = 1e-6


class TestLitGridInFloat32(TestLitGrid):
    options: ClassVar[dict[str, Any]] = {"dtype": torch.float32}
    bound = 1e-4


class TestCityLearn(Conformance):
    """The reference against itself: what is not by hand or a law shows that it repeats its runs."""

    year_sockets = 8

    def backend(self, folder: Path) -> Backend:
        pytest.importorskip("citylearn")
        return CityLearnBackend(folder)


class TestSite(SiteConformance):
    environment = SiteEnv


@pytest.mark.skipif(find_spec("citylearn") is None, reason="CityLearn installs on Python 3.11 alone")
class TestSiteOnCityLearn(SiteConformance):
    environment = CityLearnSiteEnv

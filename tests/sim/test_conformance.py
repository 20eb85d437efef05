"""The conformance kit, run against both back ends, and against LitGrid's with faults planted in it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from litgrid.scenarios.citylearn_import import read_district
from litgrid.sim import district as simulation
from litgrid.sim.citylearn import CityLearnSiteEnv
from litgrid.sim.conformance import Backend, CityLearnBackend, Conformance, SimulatorBackend, SiteConformance
from litgrid.sim.conformance.reference import reference
from litgrid.sim.env import SiteEnv

PUBLIC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "citylearn_2022_phase_1"


class TestLitGrid(Conformance):
    """In float64."""

    options: ClassVar[dict[str, Any]] = {"dtype": torch.float64}
    year_sockets = 8  # the suite has no minutes to wait for CityLearn

    def backend(self, folder: Path) -> Backend:
        return SimulatorBackend(simulation.DistrictSimulator(read_district(folder)[0], **self.options))

    @pytest.mark.skipif(not PUBLIC.exists(), reason=f"{PUBLIC} is absent")
    @pytest.mark.parametrize("steps", [300, pytest.param(8758, marks=pytest.mark.slow)])
    def test_the_public_data_set(self, steps: int) -> None:
        """Five buildings of CityLearn's challenge of 2022, with random actions, over the year."""
        expected = reference(PUBLIC, steps)
        assert (len(expected.district.buildings), len(expected.actions)) == (5, steps)
        self.equals(expected)


class TestLitGridStoringAsCityLearn(TestLitGrid):
    options: ClassVar[dict[str, Any]] = {"dtype": torch.float64, "emulate_float32": True}
    bound = 1e-6


class TestLitGridInFloat32(TestLitGrid):
    options: ClassVar[dict[str, Any]] = {"dtype": torch.float32}
    bound = 1e-4


class TestCityLearn(Conformance):
    """The reference against itself: what is not by hand or a law shows that it repeats its runs."""

    def backend(self, folder: Path) -> Backend:
        pytest.importorskip("citylearn")
        return CityLearnBackend(folder)

    def test_a_year_equals_the_reference(self) -> None:
        pytest.skip("a second year of CityLearn would show no more than 200 steps do")


class TestSite(SiteConformance):
    environment = SiteEnv


@pytest.mark.skipif(find_spec("citylearn") is None, reason="CityLearn installs on Python 3.11 alone")
class TestSiteOnCityLearn(SiteConformance):
    environment = CityLearnSiteEnv

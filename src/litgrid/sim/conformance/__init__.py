"""A conformance kit for simulators of districts and sites (``docs/citylearn.md``); it needs pytest and hypothesis."""

from litgrid.sim.conformance.backend import Backend, CityLearnBackend, SimulatorBackend
from litgrid.sim.conformance.kit import Conformance
from litgrid.sim.conformance.site import SiteConformance

__all__ = ["Backend", "CityLearnBackend", "Conformance", "SimulatorBackend", "SiteConformance"]

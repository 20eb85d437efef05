"""The kit proves itself: faults planted in the physics fail its own checks, by ten times the bound and more."""

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim import chargers, connections, limits
from litgrid.sim import district as simulation
from litgrid.sim.conformance import Backend, Conformance, SimulatorBackend, SiteConformance
from litgrid.sim.conformance.reference import district
from litgrid.sim.conformance.site import BATTERIES
from litgrid.sim.env import SiteEnv
from litgrid.sim.physics import State
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View


class Planted(Conformance):
    """LitGrid's simulator as it is when the fault has been planted."""

    bound = 1e-4

    def backend(self, folder: Path) -> Backend:
        return SimulatorBackend(simulation.DistrictSimulator(read_district(folder)[0], dtype=torch.float64))


class Fault(NamedTuple):
    module: ModuleType
    right: str
    wrong: str
    district: str
    """That differs from CityLearn."""
    by_hand: str | None
    """Case that shows it."""
    law: str | None = None
    """That it breaks."""


BALANCE = "net energy is not load"
FAULTS = {
    "PV's sign": Fault(
        *(simulation, "ev_kwh - row.pv_kwh)", "ev_kwh + row.pv_kwh)", "batteries"),
        *("an episode that begins within a stay", BALANCE),
    ),
    "export is paid": Fault(
        *(simulation, "net.clamp(min=0.0) * row.price", "net * row.price", "batteries"),
        *("vehicle to grid", "cost is not import x price"),
    ),
    "lag of a row": Fault(
        *(simulation, "self._series[at]", "self._series[(at - 1).clamp(min=0)]", "batteries"),
        *("an episode that begins within a stay", BALANCE),
    ),
    "no standby loss": Fault(
        *(simulation, "storage.stand_by(bess.soc, self.batteries)", "bess.soc", "batteries"),
        *("steps of 900 s", "a battery stores more than it takes"),
    ),
    "capacity lasts": Fault(
        *(simulation, "=bess.lost", "=state.bess_lost", "batteries"),
        "a battery that loses and wears",
    ),
    "battery counts for more": Fault(
        *(simulation, "bess_kwh = per_building(", "bess_kwh = per_building(1.01 * ", "batteries"),
        "a battery with curves",
    ),
    "arrival a row late": Fault(
        *(simulation, "(at + 1).clamp(max=self.steps))", "at)", "vehicles"),
        "arrivals with and without a SOC",
    ),
    "efficiency once": Fault(
        simulation,
        "taken.clamp(min=0.0) / efficiency + taken.clamp(max=0.0) * efficiency",
        *("taken", "vehicles", "a vehicle that moves between chargers"),
    ),
    "efficiency twice": Fault(
        *(simulation, "(min=0.0) * efficiency + charger", "(min=0.0) * efficiency**2 + charger", "v2g"),
        "vehicle to grid",
    ),
    "efficiency reversed": Fault(
        *(simulation, "charger_kw.clamp(max=0.0) / eff", "charger_kw.clamp(max=0.0) * eff", "v2g"),
        "vehicle to grid",
    ),
    "charger of another vehicle": Fault(
        *(simulation, "self.hours, (0, 1)).gather", "self.hours, (1, 0)).gather", "vehicles"),
        *("a vehicle that moves between chargers", "charging exceeds what was asked"),
    ),
    "step's length": Fault(
        *(simulation, "bess_kw * self.hours, row", "bess_kw, row", "900 s"),
        "steps of 900 s",
    ),
    "departed stand by": Fault(
        *(simulation, "connections.stands[row], storage", "connections.stands[row] | True, storage", "dead-band"),
        "a vehicle that loses",
    ),
    "no dead-band": Fault(
        *(chargers, "power_kw.abs() >= least", "power_kw.abs() >= 0.0 * least", "dead-band"),
        *("a dead-band", "below its minimum power"),
    ),
    "one dead-band": Fault(
        chargers,
        "params.charge.least_kw, params.discharge.least_kw",
        *("params.charge.least_kw, params.charge.least_kw", "dead-band", "a dead-band"),
    ),
    "curve goes on": Fault(
        *(chargers, "torch.clamp(share, way.first, way.last)", "share", "v2g"),
        "curves of a charger",
    ),
    "curve of charging": Fault(
        chargers,
        "along(params.charge), along(params.discharge)",
        *("along(params.charge), along(params.charge)", "v2g", "curves of a charger"),
    ),
    "SOC of the next row": Fault(
        *(connections, 'np.where(read["incoming"] == after, arrival, later)', "later", "vehicles"),
        "arrivals with and without a SOC",
    ),
    "arrivals unset": Fault(
        *(connections, "new, comes)", "np.full_like(new, 0.5), comes)", "vehicles"),
        "arrivals with and without a SOC",
    ),
    "limit of the building": Fault(
        *(limits, "found.building_kw for", "2 * found.building_kw for", "limits"),
        *("charging limits of a building and of a phase", "charges beyond its limit"),
    ),
    "limits add": Fault(
        *(limits, "power_kw * scale, power_kw)", "power_kw * scale**2, power_kw)", "limits"),
        "charging limits of a building and of a phase",
    ),
    "one sweep": Fault(limits, "SWEEPS = 8", "SWEEPS = 1", "service", None),
    "export unlimited": Fault(
        *(limits, "scale = _scale(scale, -part, -current", "_scale(scale, -part, -current", "service"),
        "import and export limits of a building",
    ),
    "outage feeds the grid": Fault(
        *(simulation, "* (1.0 - row.outage))", ")", "outage"),
        *("an outage", BALANCE),
    ),
    "outage without battery": Fault(
        *(simulation, "row.pv_kwh - bess_kwh.clamp(max=0.0)", "row.pv_kwh", "outage"),
        "an outage",
    ),
    "outage discharges": Fault(
        *(simulation, "spare.clamp(max=0.0), spare", "request_kwh.clamp(max=0.0), spare", "outage"),
        "an outage",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_reference_shows_a_planted_fault(name: str, plant: Any) -> None:
    fault = FAULTS[name]
    expected = district(fault.district)
    plant(*fault[:3])
    with pytest.raises(AssertionError, match=r"^bound 0\.0001"):
        Planted().equals(expected)


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.by_hand])
def test_steps_by_hand_show_a_planted_fault(name: str, plant: Any, tmp_path: Path) -> None:
    """No CityLearn is needed for it."""
    fault = FAULTS[name]
    plant(*fault[:3])
    with pytest.raises(AssertionError, match=f"^{fault.by_hand}: .* after step"):
        Planted().test_steps_by_hand(str(fault.by_hand), tmp_path)


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.law])
def test_a_planted_fault_breaks_a_law(name: str, plant: Any) -> None:
    fault = FAULTS[name]
    folder = district(fault.district).folder
    plant(*fault[:3])
    with pytest.raises(AssertionError, match=str(fault.law)):
        Planted().obeys_the_laws(folder, seed=0, first=0)


class LateEnv(SiteEnv):
    """Shows what was, not what is."""

    def _observe(self, state: State, view: View) -> dict[str, Tensor]:  # noqa: ARG002 (SiteEnv's interface)
        return super()._observe(self._state, self._view)


class GenerousEnv(SiteEnv):
    """Lets a window last a step more."""

    def _start(self, state: State, end: Tensor) -> None:
        super()._start(state, end + 1)


def changed(scenarios: ScenarioSet, fault: str) -> ScenarioSet:
    """Half a per cent in one constant or one session, or a step of delay."""
    sessions, series = scenarios.sessions.clone(), scenarios.series.clone()
    match fault:
        case "session_late":
            sessions["arrival"][0, 3] += 1
        case "soc_arrival":
            sessions["soc_arrival"][0, 3] += 0.005
        case "price":
            series["price_per_kwh"] *= 1.005
        case "lag":
            series["load_kw"] = series["load_kw"].roll(1, 1)
    return dataclasses.replace(scenarios, sessions=sessions, series=series)


def faulty_environment(fault: str) -> type[SiteEnv]:
    class Faulty(Simulator):
        def __init__(self, scenarios: ScenarioSet, *rest: Any, **options: Any) -> None:
            super().__init__(changed(scenarios, fault), *rest, **options)
            constants = self.params._asdict()
            if fault in constants:
                self.params = self.params._replace(**{fault: constants[fault] * 1.005})

    class FaultyEnv(SiteEnv):
        simulator_class = Faulty

    return FaultyEnv


@pytest.mark.parametrize(
    "fault", ["bess_efficiency", "socket_efficiency", "bess_rate", "lag", "session_late", "soc_arrival", "price"]
)
def test_the_reference_shows_a_sites_fault(fault: str) -> None:
    pytest.importorskip("citylearn")
    kit = SiteConformance()
    kit.environment, kit.bound = faulty_environment(fault), 1e-4
    with pytest.raises(AssertionError, match=r"^bound 0\.0001"):
        kit.test_equals_citylearn(BATTERIES[0])


@pytest.mark.parametrize("environment", [LateEnv, GenerousEnv])
def test_the_reference_shows_an_environments_fault(environment: type[SiteEnv]) -> None:
    pytest.importorskip("citylearn")
    kit = SiteConformance()
    kit.environment = environment
    with pytest.raises(AssertionError):
        kit.test_the_environment_equals_citylearns("flat")

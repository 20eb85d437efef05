"""What a back end is to the kit, and the two that LitGrid has."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from torch import Tensor

from litgrid.scenarios.citylearn_import import read_district
from litgrid.sim.district import DistrictSimulator
from litgrid.sim.district_parity import Run, load_citylearn, run_citylearn, run_simulator


class Backend(Protocol):
    """Simulates one district of M buildings, K batteries, N chargers and E vehicles, in the order of its schema.

    A ``Run`` has these quantities, float64 on the CPU, [steps, assets]; energies in kWh, taken where positive:

    ``bess_soc`` [K] and ``vehicle_soc`` [E]: at the end of a step, before standing by, wherever the vehicle is;
    ``bess_capacity_kwh`` [K] and ``vehicle_capacity_kwh`` [E]: what degradation leaves after the step;
    ``bess_kwh`` [M]: of each building's battery; ``charger_kwh`` [N]: of each charger;
    ``commanded_kwh`` [N]: asked of each charger within its limits, also where no vehicle is connected;
    ``load_kwh`` [M]: served; ``net_kwh`` [M]: at the meter; ``cost`` [M], ``co2_kg`` [M]: of the import;
    ``violation_kwh`` [M]: by how much requests exceed the building's limits.
    """

    def run(self, actions: Tensor, first: int = 0) -> Run:
        """Simulate an episode.

        Args:
            actions: [steps, K + N] float64, batteries and then chargers; values beyond [-1, 1] are clipped.
            first: row with which the episode begins.
        """


class SimulatorBackend:
    """LitGrid's district simulator.

    Args:
        simulator: of the district, on any device and of any type.
    """

    def __init__(self, simulator: DistrictSimulator) -> None:
        self._simulator = simulator

    def run(self, actions: Tensor, first: int = 0) -> Run:
        """Simulate an episode."""
        return run_simulator(self._simulator, actions, first)


class CityLearnBackend:
    """CityLearn itself, with vehicles that keep their SOC while they are away.

    Args:
        folder: of the data set.

    Raises:
        InputError: CityLearn is not installed in the release that this is made for.
    """

    def __init__(self, folder: Path) -> None:
        self._env = load_citylearn(folder / "schema.json")
        self._district, _ = read_district(folder)

    def run(self, actions: Tensor, first: int = 0) -> Run:
        """Simulate an episode."""
        return run_citylearn(self._env, self._district, actions, first)

"""CityLearn 3.0.2's reward functions, of the flows of ``DistrictSimulator``.

Rewards are those of the buildings, [B, M]; what CityLearn gives to a central agent is their sum. CityLearn computes a
step's reward from that step's own energies and from the SOCs at its end, before batteries stand by: there is no lag.
"""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.scenarios.district import District
from litgrid.sim.district import DistrictFlows


def reward_function(flows: DistrictFlows, exponent: float = 1.0) -> Tensor:
    """CityLearn's ``RewardFunction``: less the import, to a power.

    With exponent 1 it is ``IndependentSACReward``, too.

    Args:
        flows: of a step.
        exponent: of the import in kWh.

    Returns:
        [B, M]
    """
    return -(flows.net_kwh.clamp(min=0.0) ** exponent)


def marl(flows: DistrictFlows) -> Tensor:
    """CityLearn's ``MARL``: squares of import and export, times the import of the whole district.

    Args:
        flows: of a step.

    Returns:
        [B, M]
    """
    net = flows.net_kwh
    return -0.01 * net.sign() * net.square() * net.sum(-1, keepdim=True).clamp(min=0.0)


def battery_homes(district: District, device: torch.device | str = "cpu") -> Tensor:
    """[K] index of the building of each battery, in the order of ``DistrictFlows.bess_soc``."""
    homes = [number for number, building in enumerate(district.buildings) if building.battery is not None]
    return torch.tensor(homes, dtype=torch.int64, device=device)


def solar_penalty(flows: DistrictFlows, homes: Tensor) -> Tensor:
    """CityLearn's ``SolarPenaltyReward``: import with a full battery, and export with an empty one, are penalised.

    Buildings without a battery have 0. Thermal storages would each add a term in CityLearn; a district has none.

    Args:
        flows: of a step.
        homes: [K] of ``battery_homes``.

    Returns:
        [B, M]
    """
    net = flows.net_kwh[:, homes]
    penalty = (1.0 + net.sign() * flows.bess_soc) * net.abs()
    return torch.zeros_like(flows.net_kwh).index_copy(1, homes, -penalty)

"""What an agent observes of a district, from the view alone. Every feature is of order 1.

The features that no action changes come from ``district_features``; all are scaled by constants of the data set, its
largest values and nominal powers.
"""

from __future__ import annotations

import torch
from tensordict import TensorDict
from torch import Tensor

from litgrid.scenarios.district import District
from litgrid.sim import district_features
from litgrid.sim.district_view import DistrictView

CHARGER_FEATURES = {
    "connected": "1 where a vehicle is connected",
    "soc": "its SOC",
    "soc_required": "SOC that it needs at departure",
    "hours_left": "until departure / the longest stay",
    "energy_needed": "in the vehicle's battery until the required SOC / the largest vehicle battery",
    "laxity": "share of the time left that is not needed for charging at full power, -1 to 1",
    "power": "of the charger / the strongest one's",
    "discharges": "1 where the charger can discharge the vehicle",
    "price": "energy price of its building / the highest",
    "net": "(load - PV) of its building / the largest of the two",
}
"""Features of a charger; 0 where it is free."""


def site_columns(district: District) -> list[str]:
    """Name of every column of the site features."""
    batteries = sum(building.battery is not None for building in district.buildings)
    return district_features.columns(district) + [f"bess_soc_{number}" for number in range(batteries)]


def _chargers(view: DistrictView) -> list[Tensor]:
    """The features of ``CHARGER_FEATURES``, each [B, N]."""
    connected, scale, home = view.connected.to(view.ev_soc.dtype), view.scales, view.charger_building
    missing = (view.soc_required - view.ev_soc).clamp(min=0.0)
    net = (view.load_kwh - view.pv_kwh) / torch.maximum(scale.load_kwh, scale.pv_kwh)
    columns = {
        "connected": connected,
        "soc": view.ev_soc,
        "soc_required": view.soc_required,
        "hours_left": view.left / view.longest_stay,
        "energy_needed": missing * (view.vehicle_capacity_kwh / scale.vehicle_kwh),
        "laxity": (connected - missing / view.ev_gain / view.left.clamp(min=1.0)).clamp(min=-1.0),
        "power": connected * (view.charger_power_kw / scale.charger_kw),
        "discharges": connected * -view.charger_lowest,
        "price": connected * (view.price_per_kwh / scale.price_per_kwh)[:, home],
        "net": connected * net[:, home],
    }
    return [columns[key] for key in CHARGER_FEATURES]


def _site(view: DistrictView) -> Tensor:
    return torch.cat([view.features, view.bess_soc], -1)


def entity(view: DistrictView) -> TensorDict:
    """Site features [B, F], charger features ``sockets`` [B, N, G] and the mask of connected vehicles [B, N]."""
    by_charger = torch.stack(_chargers(view), 1).transpose(1, 2)
    features = {"site": _site(view), "sockets": by_charger, "mask": view.connected}
    return TensorDict(features, batch_size=[len(view.step)])


def flat(view: DistrictView) -> Tensor:
    """All features in one vector [B, F + G N]: the site's, then every charger feature for all chargers."""
    return torch.cat([_site(view), *_chargers(view)], -1)

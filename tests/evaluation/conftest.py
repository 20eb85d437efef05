"""Four hours that can be computed by hand."""

import pytest
import torch
from tensordict import TensorDict

from litgrid.scenarios.random import random_scenarios as draw
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import (
    Battery,
    Carbon,
    DemandCharge,
    Fleet,
    Location,
    Photovoltaics,
    Site,
    SocketGroup,
    Tariff,
)


@pytest.fixture(scope="session")
def four_hours() -> ScenarioSet:
    """PV 0, 10, 6, 0 kW; load 2, 2, 2, 5 kW; a vehicle in the second and third hour that needs 1.4 kWh."""
    site = Site(
        name="four hours",
        location=Location(-3.75, -73.25, 104.0, "America/Lima"),
        pv=Photovoltaics(dc_kwp=12.0, ac_kw=12.0),
        battery=Battery(capacity_kwh=10.0, power_kw=4.0, efficiency_one_way=0.8, initial_soc=0.5),
        fleet=Fleet(groups=[SocketGroup("moto", 1, power_kw=2.0, battery_kwh=2.0, efficiency_one_way=0.8)]),
        tariff=Tariff(demand=[DemandCharge(10.0)]),
        carbon=Carbon(km_per_kwh=20.0, km_per_gallon=100.0, kg_per_gallon=10.0),  # 2 kg/kWh
    )
    random = draw(site, scenarios=1, steps=4)
    series = {
        "pv_kw": [0.0, 10.0, 6.0, 0.0],
        "load_kw": [2.0, 2.0, 2.0, 5.0],
        "price_per_kwh": [0.5] * 4,
        "carbon_kg_per_kwh": [0.4] * 4,
    }
    sessions = {
        "socket": torch.tensor([[0]], dtype=torch.int16),
        "arrival": torch.tensor([[1]], dtype=torch.int32),
        "departure": torch.tensor([[3]], dtype=torch.int32),
        "soc_arrival": torch.tensor([[0.2]]),
        "soc_required": torch.tensor([[0.9]]),
    }
    random.series.update({key: torch.tensor([values]) for key, values in series.items()})
    return ScenarioSet(site, "test", random.series, TensorDict(sessions, batch_size=[1, 1]))

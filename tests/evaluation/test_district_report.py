"""The accounts of a district, by hand; its table; and validation, which is the same as evaluation."""

import dataclasses

import pytest
import torch
from torch import Tensor

from litgrid.algorithms.validation import validate
from litgrid.controllers import make
from litgrid.controllers.idle import Idle
from litgrid.controllers.uncontrolled import Uncontrolled
from litgrid.evaluation.district_accounting import account
from litgrid.evaluation.district_rollout import DistrictRollout, district_rollout
from litgrid.evaluation.report import evaluate, table
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District
from litgrid.scenarios.district_split import DistrictScenarios, split_district
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim.district import DistrictFlows
from litgrid.sim.district_objective import DistrictCosts
from litgrid.sim.district_world import DistrictWorld
from litgrid.site.site import Objective

KEYS = {"controller", "seed", "split", "objective", "bill", "co2_kg", "peak_kw", "ev_service", "ev_unserved_kwh"}
KEYS |= {"self_consumption", "blocks"}


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> District:
    """Eight random days of two buildings, a battery in the first."""
    folder = tmp_path_factory.mktemp("district") / "data"
    write_random(folder, Features(steps=8 * 24, outage=True), seed=5)
    return read_district(folder)[0]


def steps(*values: list[list[float]]) -> Tensor:
    """[T, S, M] of T lists of S lists."""
    return torch.tensor(values, dtype=torch.float64)


def by_hand(district: District) -> DistrictRollout:
    """Two blocks, of two steps and of one; what is recorded beyond must not count."""
    objective = Objective(bill=1.0, carbon_per_kg=2.0, unserved_per_kwh=3.0, wear_per_kwh=0.5).with_preset()
    load, pv = (
        steps([[2.0, 1.0], [1.0, 1.0]], [[4.0, 1.0], [9.0, 9.0]]),
        steps([[5.0, 0.0], [0.0, 3.0]], [[0.0] * 2] * 2),
    )
    bess, ev = (
        steps([[1.0, 0.0], [0.0, 0.0]], [[-2.0, 0.0], [0.0] * 2]),
        steps([[0.0] * 2, [0.0, 1.0]], [[0.0, 3.0], [0.0] * 2]),
    )
    net = load + bess + ev - pv
    net[0, 1] = 0.0  # an outage
    cost, wear = net.clamp(min=0.0) * 0.1, torch.tensor([[0.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    co2 = torch.tensor([[0.5, 0.0], [3.0, 7.0]], dtype=torch.float64)
    unserved = torch.tensor([[0.0, 3.0], [0.0, 0.0]], dtype=torch.float64)
    total = cost.sum(-1) + 2.0 * co2 + unserved + wear
    served = {"ev_required": unserved, "ev_deliverable": 2.0 * unserved / 3.0, "ev_unserved": unserved / 3.0}
    known = {"net_kwh": net, "load_kwh": load, "pv_kwh": pv, "bess_kwh": bess, "ev_kwh": ev, "cost": cost}
    return DistrictRollout(
        controller="hand",
        seed=None,
        scenarios=DistrictScenarios(district, objective, "test", ((0, 2), (5, 6))),
        length=torch.tensor([2, 1]),
        flows=DistrictFlows(**dict.fromkeys(DistrictFlows._fields, torch.zeros_like(net)) | known),
        costs=DistrictCosts(cost.sum(-1), co2, unserved, wear, total, **served),
        bess_soc=torch.tensor([[[0.5], [0.5]], [[0.7], [0.6]], [[0.4], [0.9]]], dtype=torch.float64),
    )


def test_accounts_by_hand(district: District) -> None:
    whole, (first, second) = account(by_hand(district))
    # net energies: -2 and 1, then 2 and 4; then an outage, in which 3 - 1 - 1 = 1 kWh of PV is lost
    assert (first["import_kwh"], first["export_kwh"], second["import_kwh"]) == (7.0, 2.0, 0.0)
    assert (first["load_kwh"], second["load_kwh"], whole["load_kwh"]) == (8.0, 2.0, 10.0)
    assert [part["self_consumption"] for part in (first, second)] == pytest.approx([3 / 5, 2 / 3])
    assert whole["self_consumption"] == pytest.approx(5 / 8)
    assert (first["peak_kw"], second["peak_kw"], whole["peak_kw"]) == (6.0, 0.0, 6.0)
    assert (whole["ev_kwh"], whole["bess_charge_kwh"], whole["bess_discharge_kwh"]) == (4.0, 1.0, 2.0)
    assert whole["bill"] == pytest.approx(0.7)
    assert whole["co2_kg"] == pytest.approx(3.5)
    assert whole["objective"] == pytest.approx(0.7 + 7.0 + 3.0 + 1.0)
    assert (first["ev_service"], second["ev_service"], whole["ev_service"]) == (1.0, 0.5, 0.5)
    capacity = next(building.battery.capacity_kwh for building in district.buildings if building.battery)
    assert first["bess_gain_kwh"] == pytest.approx(-0.1 * capacity)
    assert second["bess_gain_kwh"] == pytest.approx(0.1 * capacity)


@pytest.mark.parametrize(("part", "field"), [("flows", "net_kwh"), ("costs", "total"), ("flows", "cost")])
def test_what_does_not_add_up_is_an_error(district: District, part: str, field: str) -> None:
    rollout = by_hand(district)
    values = getattr(getattr(rollout, part), field).clone()
    values[0] += 0.25
    broken = getattr(rollout, part)._replace(**{field: values})
    with pytest.raises(ArithmeticError, match="hand: "):
        account(dataclasses.replace(rollout, **{part: broken}))


@pytest.mark.parametrize("name", ["uncontrolled", "self_consumption"])
def test_validation_is_evaluation(district: District, name: str) -> None:
    blocks = ((0, 30), (50, 71), (100, 140))
    scenarios = DistrictScenarios(district, Objective().with_preset(), "validation", blocks)
    world = DistrictWorld(scenarios, dtype=torch.float64)
    figures, _ = account(district_rollout(world, make(name, scenarios)))
    result = validate(world, make(name, scenarios))
    assert result.objective == pytest.approx(figures["objective"], rel=1e-12)
    assert result.ev_service == pytest.approx(figures["ev_service"], rel=1e-12)


def test_payload_and_table(district: District) -> None:
    scenarios = split_district(district, "all", Objective())
    figures = evaluate(scenarios, [Idle(), Uncontrolled()])
    for row in figures["controllers"]:
        assert set(row) >= KEYS | {"kpis"}
    lines = table(figures).splitlines()
    assert lines[0] == "data: all, 8 days in 1 block"
    (idle,) = [line for line in lines if line.startswith("idle ")]
    assert idle.endswith("!")
    assert any(line.startswith("cost_total") and line.split()[1] == "1.0000" for line in lines)
    assert "kpis" not in evaluate(split_district(district, "test", Objective()), [Idle()])["controllers"][0]

"""The example of docs/citylearn.md runs as it stands, and gives the simulator's bill and CO2."""

from pathlib import Path

import pytest
import torch

from litgrid.scenarios.export import export
from litgrid.scenarios.random import random_scenarios as draw_scenarios
from litgrid.sim.citylearn import process_settings_kept
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site

pytest.importorskip("citylearn")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "citylearn.md"


def test_the_example_by_hand(
    small_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scenarios = draw_scenarios(small_site, 1, 72)
    export(scenarios, 0, tmp_path / "data" / "citylearn" / "iquitos")
    monkeypatch.chdir(tmp_path)
    example = PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    with process_settings_kept():
        exec(compile(example, str(PAGE), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    simulator = Simulator(scenarios, dtype=torch.float64)
    first = torch.zeros(1, dtype=torch.int64)
    state, action = simulator.initial(first, first), torch.ones(1, 6, dtype=torch.float64)
    action[:, 0] = 0.0
    bill = co2_kg = 0.0
    for _ in range(72):
        state, flows, costs = simulator.step(state, action)
        bill += float(costs.energy)
        co2_kg += float(costs.co2_kg - flows.ev_unserved * small_site.carbon.gasoline_kg_per_kwh)
    assert float(lines[-2].removeprefix("energy bill ")) == pytest.approx(bill, rel=1e-5)
    assert float(lines[-1].removeprefix("CO2 kg ")) == pytest.approx(co2_kg, rel=1e-5)

"""The JSON payload, the table and the log of test evaluations."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from litgrid.controllers.idle import Idle
from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.uncontrolled import Uncontrolled
from litgrid.evaluation.report import evaluate, log_test, table
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import Site

# DESIGN: keys that a row has for ever
KEYS = {"controller", "seed", "split", "co2_kg", "bill", "energy_bill", "demand_bill", "objective", "peak_kw"}
KEYS |= {"ev_service", "ev_unserved_kwh", "self_consumption", "share_co2", "share_bill", "share_objective", "years"}


def test_payload_has_its_keys_and_is_json(four_hours: ScenarioSet) -> None:
    figures = evaluate(four_hours, [Uncontrolled(), SelfConsumption()])
    assert figures["split"] == "test"
    assert figures["currency"] == "PEN"
    for row, name in zip(figures["controllers"], ("uncontrolled", "self_consumption"), strict=True):
        assert set(row) >= KEYS
        assert (row["controller"], row["seed"], row["split"]) == (name, None, "test")
        assert row["share_co2"] is row["share_bill"] is row["share_objective"] is None
    first = {"rung": "gasoline", "co2_kg": pytest.approx(7.2), "reduction_kg": 0.0}
    assert {key: figures["ladder"][0][key] for key in first} == first
    assert figures["ladder_total"]["reduction_kg"] == pytest.approx(6.8)
    assert figures["ladders"] == {}
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_rows_are_means_over_their_years(small_site: Site, random_scenarios: Callable[..., ScenarioSet]) -> None:
    (row,) = evaluate(random_scenarios(small_site, scenarios=3, days=2), [Uncontrolled()])["controllers"]
    assert len(row["years"]) == 3
    for key in row["years"][0]:
        assert row[key] == pytest.approx(sum(year[key] for year in row["years"]) / 3)


def test_table(four_hours: ScenarioSet) -> None:
    text = table(evaluate(four_hours, [Idle(), Uncontrolled()]))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "four hours: test, mean of 1 year"
    (idle,) = [line for line in lines if line.startswith("idle ")]
    (uncontrolled,) = [line for line in lines if line.startswith("uncontrolled ")]
    assert idle.endswith("0.00!")
    assert uncontrolled.endswith("100.00")
    assert any(line.startswith("! service below 99%") for line in lines)
    assert "PEN" in lines[3]


def test_nothing_is_flagged_at_full_service(four_hours: ScenarioSet) -> None:
    assert "!" not in table(evaluate(four_hours, [Uncontrolled()]))


def test_large_figures_and_long_names_fit_a_terminal(four_hours: ScenarioSet) -> None:
    figures = evaluate(four_hours, [Uncontrolled()])
    row = figures["controllers"][0]
    money = dict.fromkeys(("objective", "bill", "energy_bill", "demand_bill"), 1_234_567.0)
    figures["controllers"] = [row | money | {"controller": "sac_untrained", "seed": 12, "co2_kg": 1_234_567.0}]
    assert max(map(len, table(figures).splitlines())) <= 100


def test_test_evaluations_are_logged_line_by_line(tmp_path: Path, four_hours: ScenarioSet) -> None:
    (row,) = evaluate(four_hours, [Uncontrolled()])["controllers"]
    log_test(tmp_path, "best.ckpt", row)
    log_test(tmp_path, "last.ckpt", row)
    lines = [json.loads(line) for line in (tmp_path / "test_evaluations.jsonl").read_text("utf-8").splitlines()]
    assert [line["checkpoint"] for line in lines] == ["best.ckpt", "last.ckpt"]
    assert lines[0]["split"] == "test"
    assert lines[0]["objective"] == row["objective"]
    assert "years" not in lines[0]

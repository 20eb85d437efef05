"""``optimum`` on a CityLearn data set: a random one, and the public one where it is there."""

import json
from pathlib import Path

import pytest

from litgrid.cli import main
from litgrid.scenarios.random_district import Features, write_random

PUBLIC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "citylearn_2022_phase_1"


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_random(tmp_path_factory.mktemp("data") / "village", Features(steps=192, losses=True), 1).parent)


def test_table_and_json(village: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimum", "--citylearn", village, "--split", "test", "--json", "-"]) == 0
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert figures["relaxation"] is True
    assert "degradation: none" in figures["relaxed"]
    assert figures["objective"] == pytest.approx(sum(block["objective"] for block in figures["blocks"]))
    uncontrolled, rule = figures["controllers"]
    assert figures["objective"] < rule["objective"] <= uncontrolled["objective"]
    assert uncontrolled["share_of_bound"] == 0.0
    assert 0.0 <= rule["share_of_bound"] < 1.0
    assert {"seconds", "variables", "constraints", "memory_gb"} <= figures.keys()
    assert "bound (relaxation)" in captured.err
    assert "  degradation: none" in captured.err


def test_the_objective_is_that_of_the_run(village: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for preset in ("balanced", "cost"):
        assert main(["optimum", "--citylearn", village, "--objective.preset", preset, "--json", "-"]) == 0
        found.append(json.loads(capsys.readouterr().out)["objective"])
    assert found[1] < found[0]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["optimum", "--schedule", "schedule.csv"], "found both --citylearn and --schedule"),
        (["optimum", "--flexibility"], "found both --citylearn and --flexibility"),
        (["optimum", "--config", "site.yaml"], "found both --citylearn and --config"),
        (["optimum", "--objective.bill", "-1"], "objective.bill: found -1.0, expected at least 0"),
        (["evaluate", "--controllers", "optimum"], "a data set has a bound without a schedule (optimum --citylearn)"),
    ],
)
def test_wrong_input_is_one_line(
    village: str, command: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--citylearn", village]) == 2
    captured = capsys.readouterr()
    (line,) = [line for line in captured.err.splitlines() if not line.startswith("warning:")]
    assert message in line
    assert captured.out == ""


def test_sites_have_neither_all_nor_another_objective(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimum", "--config", "configs/sites/small.yaml", "--split", "all"]) == 2
    assert "split: found all" in capsys.readouterr().err
    assert main(["optimum", "--objective.preset", "cost"]) == 2
    assert "without --citylearn" in capsys.readouterr().err


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public data set is not there")
def test_the_public_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimum", "--citylearn", str(PUBLIC), "--split", "validation", "--json", "-"]) == 0
    figures = json.loads(capsys.readouterr().out)
    uncontrolled, rule = figures["controllers"]
    assert uncontrolled["objective"] == pytest.approx(1356.47, abs=0.01)
    assert rule["objective"] == pytest.approx(990.11, abs=0.01)
    assert figures["objective"] == pytest.approx(848.01, abs=0.01)
    assert rule["share_of_bound"] == pytest.approx(0.7205, abs=1e-3)

"""A comparison of rollouts: entries, ranking, figures, curves, differences and tables."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from litgrid.controllers import make
from litgrid.evaluation import tables
from litgrid.evaluation.compare import compare
from litgrid.evaluation.comparison import Comparison
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.evaluation.runs import curve
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site

METRICS = """frames,updates,val/objective,time/minutes
0,0,300,0.5
32,4,,0.75
64,8,200,1.5
"""


def make_run(folder: Path, rate: float, seed: int, metrics: str = METRICS) -> Path:
    """The folder of a run, as far as a comparison reads it."""
    folder.mkdir(parents=True)
    config = {"seed_everything": seed, "model": {"rate": rate, "init_args": {"seed": seed}}, "runs": str(folder)}
    config["data"] = {"folder": str(folder / "scenarios")}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "metrics.csv").write_text(metrics, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def comparison(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet], tmp_path_factory: pytest.TempPathFactory
) -> Comparison:
    """Rules that stand in for agents: sac is the self-consumption rule and the uncontrolled site, lazy is idle."""
    folder = tmp_path_factory.mktemp("runs")
    scenarios = dataclasses.replace(random_scenarios(small_site, scenarios=2, days=3), split="test")
    simulator = Simulator(scenarios, dtype=torch.float64)
    idle, plain, greedy = (
        rollout(simulator, make(name, simulator.scenarios)) for name in ("idle", "uncontrolled", "self_consumption")
    )

    def trained(run: Rollout, name: str, seed: int) -> Rollout:
        return dataclasses.replace(run, controller=name, seed=seed)

    rollouts = [plain, trained(idle, "lazy", 0), trained(plain, "sac", 1), greedy, trained(greedy, "sac", 0)]
    runs = [
        None,
        make_run(folder / "lazy" / "seed-0", 0.1, 0),
        make_run(folder / "sac" / "seed-1", 0.2, 1),
        None,
        make_run(folder / "sac" / "seed-0", 0.2, 0),
    ]
    return compare(simulator, rollouts, runs)


def test_entries_are_ranked_by_the_corrected_objective_after_service(comparison: Comparison) -> None:
    names = [entry.name for entry in comparison.entries]
    assert names[-1] == "lazy"
    assert set(names[:-1]) == {"uncontrolled", "self_consumption", "sac"}
    values = [entry.standing.objective.value for entry in comparison.entries[:-1]]
    assert values == sorted(values)
    assert [entry.served for entry in comparison.entries] == [True, True, True, False]


def test_a_bound_is_ranked_by_its_objective_whatever_its_service(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet]
) -> None:
    simulator = Simulator(random_scenarios(small_site, scenarios=1, days=2), dtype=torch.float64)
    idle = rollout(simulator, make("idle", simulator.scenarios))
    cheap = dataclasses.replace(idle, controller="optimum")
    entries = compare(
        simulator, [rollout(simulator, make("uncontrolled", simulator.scenarios)), idle, cheap], [None] * 3
    )
    order = [entry.name for entry in entries.entries]
    assert order.index("optimum") < order.index("idle")
    assert [entry.kind for entry in entries.entries].count("bound") == 1


def test_agents_of_one_name_are_seeds_of_one_entry(comparison: Comparison) -> None:
    (sac,) = (entry for entry in comparison.entries if entry.name == "sac")
    assert sac.kind == "agent"
    assert [row["seed"] for row in sac.rows] == [run.seed for run in sac.rollouts] == [1, 0]
    assert [run.name for run in sac.runs] == ["seed-1", "seed-0"]
    assert [found.seed for found in sac.curves] == [1, 0]
    years = [year["objective_corrected"] for row in sac.rows for year in row["years"]]
    assert sac.standing.objective.value == pytest.approx(sum(sorted(years)[1:-1]) / 2, rel=1e-12)
    (rule,) = (entry for entry in comparison.entries if entry.name == "uncontrolled")
    assert (rule.kind, rule.runs, rule.curves, rule.standing.seeds) == ("rule", [], [], 0)


def test_figures_are_json_in_the_order_of_the_ranking(comparison: Comparison) -> None:
    figures = comparison.figures
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    order = list(dict.fromkeys(row["controller"] for row in figures["controllers"]))
    assert order == [found["controller"] for found in figures["statistics"]] == [e.name for e in comparison.entries]
    assert list(figures["ladders"]) == ["sac", "lazy"]
    assert figures["ladder"] == figures["ladders"]["sac"]
    assert figures["ladder_total"]["reduction_kg"] == pytest.approx(
        figures["ladder"][0]["co2_kg"] - figures["ladder"][-1]["co2_kg"], rel=1e-12
    )
    assert figures["advice"] == comparison.advice
    (sac,) = (found for found in figures["statistics"] if found["controller"] == "sac")
    assert set(sac["objective"]) == {"value", "low", "high"}
    assert {one["over"] for one in sac["improvements"]} == {"uncontrolled", "self_consumption", "lazy"}


def test_differences_leave_out_what_is_a_run_s_own(comparison: Comparison) -> None:
    (difference,) = comparison.differences
    assert difference.setting == "model.rate"
    assert difference.values == {"lazy (seed 0)": 0.1, "sac (seed 1)": 0.2, "sac (seed 0)": 0.2}


def test_curves_are_the_validations(tmp_path: Path) -> None:
    found = curve(make_run(tmp_path / "run", 0.1, 3), 3)
    assert (found.seed, found.frames.tolist(), found.objective.tolist()) == (3, [0.0, 64.0], [300.0, 200.0])
    assert found.minutes.tolist() == [0.5, 1.5]


def test_a_run_of_an_earlier_version_has_no_minutes(tmp_path: Path) -> None:
    found = curve(make_run(tmp_path / "run", 0.1, 3, "frames,val/objective\n0,300\n"), 3)
    assert all(map(math.isnan, found.minutes))


def test_the_terminal_has_all_of_it_in_100_columns(comparison: Comparison) -> None:
    text = tables.text(comparison)
    assert max(map(len, text.splitlines())) <= 100
    lines = text.splitlines()
    assert lines[0] == "small: test, mean of 2 years"
    assert " ".join(lines[2:]).startswith(comparison.advice)
    (lazy,) = [line for line in lines if line.startswith("lazy  ") and "0.00!" in line]
    assert lazy
    assert tables.FLAG in text
    assert "lazy instead of the rule" in text
    assert "probability of improvement over" in text


def test_csv_has_full_precision(comparison: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(tables.as_csv(comparison))))
    assert [row["controller"] for row in rows] == [entry.name for entry in comparison.entries]
    for row, entry in zip(rows, comparison.entries, strict=True):
        assert float(row["objective_iqm"]) == entry.standing.objective.value
        assert float(row["bill"]) == pytest.approx(sum(one["bill"] for one in entry.rows) / len(entry.rows), rel=1e-12)
        assert row["seeds"] == (str(len(entry.rows)) if entry.kind == "agent" else "")
        assert (row["objective_low"] == "") == (entry.name != "sac")


def test_markdown_is_a_table_of_equal_lines(comparison: Comparison) -> None:
    lines = [line for line in tables.as_markdown(comparison).splitlines() if line.startswith("|")]
    ranking = lines[: len(comparison.entries) + 2]
    assert {line.count("|") for line in ranking} == {len(tables.COLUMNS) + 1}
    assert "objective, PEN" in ranking[0]
    assert ranking[-1].startswith("| lazy |")


def test_latex_escapes_what_means_something_to_it(comparison: Comparison) -> None:
    lines = tables.as_latex(comparison).splitlines()
    assert lines[1] == r"\begin{tabular}{lrrrrrrrr}"
    assert lines[2] == r"\toprule"
    body = [line for line in lines if line.endswith(r"\\")]
    assert {line.count(" & ") for line in body} == {len(tables.COLUMNS) - 1}
    assert any(line.startswith(r"self\_consumption & ") for line in body)
    assert r"95 \% interval" in body[0]


def test_missing_shares_are_dashes(comparison: Comparison) -> None:
    entry = comparison.entries[0]
    blank = dataclasses.replace(entry, rows=[row | {"share_objective": None} for row in entry.rows])
    assert tables.record(blank)["share_objective"] is None
    (share,) = [column for column in tables.COLUMNS if column.heading == "share"]
    assert share.cell(tables.record(blank)) == "-"

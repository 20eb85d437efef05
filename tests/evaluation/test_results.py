"""The page of results: gains, seeds, savings and verdicts, computed by hand; and what the page says of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from litgrid.evaluation.comparison import Curve
from litgrid.evaluation.information import Knowledge
from litgrid.evaluation.results import curves
from litgrid.evaluation.results.page import Page, render
from litgrid.evaluation.results.site import Result, SiteResults, Verdict, site_results
from litgrid.evaluation.results.site_page import SitePage, ranking, sentence, verdict
from litgrid.evaluation.results.transfer import moved
from litgrid.evaluation.statistics import Estimate, Sample, standings
from litgrid.scenarios.leaks import Leak
from litgrid.scenarios.plot import save

Figures = dict[str, Any]
BILLS: dict[str, list[list[float]]] = {
    "uncontrolled": [[300, 320]],
    "self_consumption": [[200, 220]],
    "water_filling": [[160, 180]],
    "optimum": [[100, 120]],
    "optimum_served": [[120, 140]],
    "shac": [[140, 160], [150, 170], [130, 150]],
    "sac": [[190, 210], [170, 190], [155, 175]],
}
"""Of each seed in both years; CO2 and objective follow from them."""


def row(name: str, seed: int | None, bills: list[float]) -> Figures:
    """The row of a controller as of ``evaluate``; the objective is 1.1 times the bill, and the CO2 equals it."""
    constant = {"peak_kw": 10.0, "ev_service": 1.0, "ev_unserved_kwh": 0.0}
    costs = {"bill": 1.0, "demand_bill": 0.5, "objective": 1.1, "objective_corrected": 1.1, "co2_kg": 1.0}
    years = [{key: factor * bill for key, factor in costs.items()} | constant for bill in bills]
    means = {key: float(np.mean([year[key] for year in years])) for key in years[0]}
    return {"controller": name, "seed": seed, "split": "test", **means, "years": years}


def figures(bills: dict[str, list[list[float]]]) -> Figures:
    """As of ``compare --json``."""
    agents = {name for name, rows in bills.items() if len(rows) > 1}
    found = standings([Sample(name, 1.1 * np.array(rows), name in agents) for name, rows in bills.items()])
    kinds = {name: "agent" if name in agents else "bound" if "optimum" in name else "rule" for name in bills}
    statistics = [
        dataclasses.asdict(one) | {"kind": kinds[one.controller], "served": True, "runs": []}
        for one in sorted(found, key=lambda one: one.objective.value)
    ]
    controllers = [
        row(name, seed if name in agents else None, rows)
        for name, seeds in bills.items()
        for seed, rows in enumerate(seeds)
    ]
    return {"site": "plant", "split": "test", "currency": "PEN", "controllers": controllers, "statistics": statistics}


CURVES = {
    name: [
        Curve(
            seed, np.array([0.0, 8.0, 16.0]), np.array([0.1, 1.0, 2.0 + seed]), np.array([900.0, 500.0, 400.0 + seed])
        )
        for seed in range(3)
    ]
    for name in ("shac", "sac")
}


@pytest.fixture(scope="module")
def found() -> SiteResults:
    return site_results(figures(BILLS), CURVES)


def by_name(found: SiteResults) -> dict[str, Result]:
    return {result.name: result for result in found.results}


def test_gains_are_shares_of_each_year(found: SiteResults) -> None:
    """(200 - 140) / (200 - 120) in both years, and so on; of six shares the middle four count."""
    shac = by_name(found)["shac"]
    served, any_service = shac.gains["bill_served"], shac.gains["bill"]
    assert served is not None
    assert any_service is not None
    assert served.seeds == pytest.approx([0.75, 0.625, 0.875])
    assert served.worst == pytest.approx(0.625)
    assert served.share.value == pytest.approx((0.625 + 0.75 + 0.75 + 0.875) / 4)
    assert served.share.low == pytest.approx(0.625)
    assert served.share.high == pytest.approx(0.875)
    assert any_service.seeds == pytest.approx([0.6, 0.5, 0.7])
    objective, co2 = shac.gains["objective_served"], shac.gains["co2_served"]
    assert objective is not None
    assert co2 is not None
    assert objective.seeds == pytest.approx(co2.seeds), "which are proportional here"
    assert objective.seeds == pytest.approx([160 / 180, 150 / 180, 170 / 180])
    assert shac.minutes == [2.0, 3.0, 4.0]
    assert by_name(found)["optimum"].gains["bill"] is not None
    assert by_name(found)["water_filling"].gains["bill_served"] is not None
    assert by_name(found)["water_filling"].minutes == []


def test_gains_need_their_bounds_and_something_to_gain() -> None:
    less = {name: rows for name, rows in BILLS.items() if name != "optimum_served"}
    gains = by_name(site_results(figures(less), {}))["shac"].gains
    assert [key for key, gain in gains.items() if gain is None] == ["bill_served", "objective_served", "co2_served"]
    flat = figures(BILLS | {"self_consumption": [[100.05, 220]]})
    assert by_name(site_results(flat, {}))["shac"].gains["bill"] is None


def test_an_agent_beats_a_rule_where_that_is_more_than_noise(found: SiteResults) -> None:
    verdicts = {one.agent: one for one in found.verdicts}
    assert verdicts["shac"].saved.value == pytest.approx(1.1 * 20)
    assert verdicts["shac"].points is not None
    assert verdicts["shac"].points.value == pytest.approx(0.75 - 0.5)
    assert verdicts["shac"].beats
    assert verdict(verdicts["shac"]) == "beats the rule"
    assert not verdicts["sac"].beats
    assert verdict(verdicts["sac"]) == "does not beat the rule"
    assert sentence(found) == "shac beats water_filling."


def test_a_rule_is_enough_where_no_agent_beats_it() -> None:
    bills = BILLS | {"shac": [[160, 180], [150, 171], [170, 190]]}
    del bills["sac"]
    found = site_results(figures(bills), {})
    assert sentence(found) == ("No agent beats water_filling by more than the noise of training: here that is enough.")
    assert verdict(found.verdicts[0]) == "does not beat the rule"
    no_rule = {name: rows for name, rows in bills.items() if name != "water_filling"}
    assert sentence(site_results(figures(no_rule), {})) == "No rule that sees what the agents see was compared."


def test_two_seeds_are_too_few_to_tell() -> None:
    found = site_results(figures(BILLS | {"shac": BILLS["shac"][:2]}), {})
    (one,) = (one for one in found.verdicts if one.agent == "shac")
    assert one.clear is None
    assert verdict(one) == "too few seeds to tell"
    assert verdict(Verdict("a", "b", Estimate(-1.0, None, None), None, None)) == "does not beat the rule"


def test_what_the_best_agent_saves(found: SiteResults) -> None:
    assert [(one.agent, one.before) for one in found.savings] == [
        ("shac", before) for before in ("uncontrolled", "self_consumption", "water_filling")
    ]
    assert found.savings[0].bill == pytest.approx(310 - 150)
    assert found.savings[2].objective == pytest.approx(1.1 * 20)
    assert found.savings[2].co2_kg == pytest.approx(20)


def test_agents_from_elsewhere_lose_what_the_site_s_own_gain_more() -> None:
    there: dict[str, list[Figures]] = {}
    for one in figures(BILLS)["controllers"]:
        there.setdefault(one["controller"], []).append(one)
    rows = [row("shac", seed, [bill, bill + 20]) for seed, bill in enumerate([158.0, 168.0, 148.0])]
    served, any_service = moved(rows, there, "shac", "elsewhere", "plant")
    assert (served.share, any_service.share) == ("objective_served", "objective")
    assert served.own.share.value == pytest.approx(160 / 180)
    assert served.moved.share.value == pytest.approx(142 / 180)
    assert served.lost.value == pytest.approx(18 / 180)
    assert (served.service, served.site, served.trained_on) == (1.0, "plant", "elsewhere")
    del there["optimum"]
    assert [one.share for one in moved(rows, there, "shac", "elsewhere", "plant")] == ["objective_served"]


def page(found: SiteResults, **changes: Any) -> str:
    """The page of one site, with checks that passed."""
    leak = Leak("load", {"train": 2920, "validation": 730, "test": 730}, changes.pop("shared", 0))
    known = {"mpc": Knowledge(changes.pop("future", False), present=True, forecasts=["load_day_ahead_kw"])}
    site = SitePage(found, "images/results-plant.png", [], [leak], known, None)
    other = dataclasses.replace(site, found=dataclasses.replace(found, site="measured"))
    given: Figures = {"left_out": {}, "measured": {"plant": "measured"}, "moved": []}
    return render(
        Page(
            "litgrid experiment",
            "a machine",
            {"another": 2, "not noted": 1},
            (2, 1),
            [site, other],
            **{**given, **changes},
        )
    )


def test_the_page_has_all_of_it(found: SiteResults) -> None:
    text = page(found, left_out={"absent": "found no file"})
    line = next(line for line in text.splitlines() if line.startswith("| shac | 3 |"))
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        *("shac", "3", "165 (154 to 176)", "150", "75", "0.1", "100.00"),
        *("60.0 (50.0 to 70.0)", "75.0 (62.5 to 87.5)", "62.5"),
        *("80.0 (75.0 to 85.0)", "88.9 (83.3 to 94.4)", "88.9 (83.3 to 94.4)", "4.0"),
    ]
    assert "| shac | bill, served | 75.0, 62.5, 87.5 | 25.0 |" in text
    assert "shac beats water_filling." in text
    assert "| uncontrolled | 160 | 176 | 160 |" in text
    assert "absent is left out, as a file of its data is not here." in text
    assert "found no file" not in text, "names of folders are no results"
    said = "another (2 runs); not noted (1 run); 2 at a time, 1 thread each; 36 minutes in all."
    assert f"Made on: a machine. Trained on: {said}" in text
    assert "| measured | shac | 75.0 (62.5 to 87.5) | 75.0 (62.5 to 87.5) | +0.0 |" in text
    assert "**Passed**: none." in text
    assert "**Passed**: no decision changes with what is not known." in text
    assert max(map(len, ranking(found.results))) == min(map(len, ranking(found.results)))


def test_the_page_begins_with_whether_an_agent_beats_the_best_rule(found: SiteResults) -> None:
    """165 of 187 for the objective: 22 less, 11.8 %; CO2 is 150 instead of 170."""
    text = page(found)
    assert text.index("## In short") < text.index("## plant")
    assert "| plant | shac | 3 | water_filling | 22 (11 to 33) PEN, 11.8 % | 20 | beats the rule |" in text
    better = site_results(figures(BILLS | {"mpc": [[144, 164]]}), {})
    assert "| plant | shac | 3 | mpc | 4 (-7 to 15) PEN, 2.6 % | 4 | does not beat the rule |" in page(better)


def test_the_page_begins_with_what_is_missing_where_nothing_can_be_said(found: SiteResults) -> None:
    unserved = dataclasses.replace(found, savings=[])
    assert "| plant | none with full service | - | - | - | - | - |" in page(unserved)
    alone = dataclasses.replace(found, verdicts=[])
    assert "| plant | shac | - | - | - | - | - |" in page(alone)


def test_a_site_without_an_optimum_has_no_gains() -> None:
    bills = {name: rows for name, rows in BILLS.items() if "optimum" not in name}
    text = page(site_results(figures(bills), {}))
    line = next(line for line in text.splitlines() if line.startswith("| shac | 3 |"))
    assert [cell.strip() for cell in line.split("|")[8:-1]] == ["-"] * 7
    assert "shac beats water_filling." in text


def test_the_page_says_what_failed(found: SiteResults) -> None:
    text = page(found, shared=3, future=True)
    assert "**Failed**: 6 are in two." in text
    assert "**Failed**: plant/mpc, measured/mpc." in text


def test_results_are_plain_data(found: SiteResults) -> None:
    assert json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))["results"][0]["name"] == "optimum"


def test_curves_have_a_line_for_each_seed_their_middle_and_the_references(tmp_path: Path) -> None:
    runs = {**CURVES, "none": []}
    figure = curves.draw("plant", "PEN", runs, {"water_filling": 350.0, "optimum": 300.0})
    lines = figure.axes[0].get_lines()
    assert len(lines) == 2 * (3 + 1) + 2
    (middle,) = (line for line in lines if line.get_label() == "shac (3 seeds)")
    assert np.asarray(middle.get_xdata()) == pytest.approx([0.1, 1.0, 3.0])
    assert np.asarray(middle.get_ydata()) == pytest.approx([900.0, 500.0, 401.0])
    save(figure, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_as_many_algorithms_as_the_plant_has_are_told_apart() -> None:
    runs = {f"algorithm {number}": CURVES["shac"] for number in range(7)}
    lines = curves.draw("plant", "PEN", runs, {}).axes[0].get_lines()
    assert len({line.get_color() for line in lines}) == 7

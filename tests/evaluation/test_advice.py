"""What the advice says, and when it holds back."""

import dataclasses

import numpy as np
import pytest

from litgrid.evaluation.advice import advise, is_more_than_noise
from litgrid.evaluation.comparison import Entry, Kind
from litgrid.evaluation.statistics import Estimate, Improvement, Sample, standings
from litgrid.scenarios.scenario_set import ScenarioSet

Costs = list[list[float]]
CLEAR: Costs = [[100.0], [101.0], [102.0]]
NOISY: Costs = [[90.0], [101.0], [117.0]]


def entries(agents: dict[str, Costs], rules: dict[str, float], served: str = "") -> list[Entry]:
    """Entries in ranking order; ``served`` names one that is not."""
    samples = [Sample(name, np.array(costs), learned=True) for name, costs in agents.items()]
    samples += [Sample(name, np.array([[cost]]), learned=False) for name, cost in rules.items()]
    kinds: dict[str, Kind] = {**dict.fromkeys(agents, "agent"), **dict.fromkeys(rules, "rule"), "optimum": "bound"}
    found = [
        Entry(standing.controller, kinds[standing.controller], [], [], [], [], standing.controller != served, standing)
        for standing in standings(samples)
    ]
    return sorted(found, key=lambda entry: (not entry.served, entry.standing.objective.value))


def test_an_agent_that_is_ahead_of_all(four_hours: ScenarioSet) -> None:
    text = advise(entries({"sac": CLEAR, "ppo": [[150.0], [151.0], [152.0]]}, {"rule": 120.0}), four_hours)
    assert text.startswith(
        "Choose sac: of the agents it has the smallest objective at full service, and it is ahead of"
    )
    assert "sac costs 101 PEN a year" in text
    assert "over 3 seeds and 1 year; 95 % interval 100 to 102)" in text
    assert "19 PEN (15.8%) less than the best rule, rule: more than noise" in text
    assert "50 PEN (33.1%) less than the next agent, ppo: more than noise" in text
    assert "probability 1.00" in text


def test_a_lead_that_is_noise(four_hours: ScenarioSet) -> None:
    text = advise(entries({"sac": NOISY}, {"rule": 105.0}), four_hours)
    assert text.startswith("Choose sac or the rule rule, which needs no training")
    assert "less than the best rule, rule: no more than noise" in text


def test_a_rule_that_is_better(four_hours: ScenarioSet) -> None:
    text = advise(entries({"sac": CLEAR}, {"rule": 99.0, "other": 98.0}), four_hours)
    assert text.startswith(
        "Choose the rule other: no agent does better. Of the agents, sac has the smallest objective."
    )
    assert "3 PEN (3.1%) more than the best rule, other: more than noise" in text


@pytest.mark.parametrize(
    ("difference", "probability", "seeds", "expected"),
    [
        ((-2.0, -3.0, -1.0), 0.99, 3, True),
        ((2.0, 1.0, 3.0), 0.01, 3, True),
        ((-2.0, -3.0, 1.0), 0.99, 3, False),  # the interval has 0 in it
        ((-2.0, -3.0, -1.0), 0.9, 3, False),  # one seed in ten is worse
        ((-2.0, -3.0, -1.0), 0.99, 2, None),
        ((-2.0, None, None), 1.0, 3, None),
    ],
)
def test_more_than_noise(
    difference: tuple[float, float | None, float | None], probability: float, seeds: int, expected: bool | None
) -> None:
    found = Improvement("rule", Estimate(probability, None, None), Estimate(*difference))
    assert is_more_than_noise(found, seeds) is expected


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ([[100.0]], "with a single seed nothing can be said about noise"),
        ([[100.0], [101.0]], "with 2 seeds, fewer than 3, nothing can be said about noise"),
    ],
)
def test_few_seeds_say_nothing_about_noise(costs: Costs, said: str, four_hours: ScenarioSet) -> None:
    text = advise(entries({"sac": costs, "ppo": CLEAR}, {"rule": 120.0}), four_hours)
    assert text.count(said) == 2
    assert "than noise" not in text
    assert ("95 % interval" in text) == (len(costs) > 1)


def test_the_bound_is_never_chosen_and_says_what_is_left(four_hours: ScenarioSet) -> None:
    text = advise(entries({"sac": CLEAR}, {"rule": 120.0, "optimum": 80.8}), four_hours)
    assert text.startswith("Choose sac")
    assert "Seeing the future (optimum) would save 20 PEN (20.0%) more; nobody can." in text
    unserved = advise(entries({"sac": CLEAR}, {"rule": 120.0, "optimum": 80.8}, served="optimum"), four_hours)
    assert unserved == text


def test_agents_that_do_not_serve_are_left_out(four_hours: ScenarioSet) -> None:
    text = advise(entries({"cheap": [[1.0], [1.0], [1.0]], "sac": CLEAR}, {"rule": 120.0}, served="cheap"), four_hours)
    assert text.startswith("Choose sac")
    assert text.endswith("Left out, because vehicles went without (service below 99%): cheap.")
    alone = advise(entries({"cheap": CLEAR}, {"rule": 120.0}, served="cheap"), four_hours)
    assert alone.startswith("Choose no agent: none of them serves all vehicles.")


def test_years_that_agents_have_seen_are_no_ground_to_decide_on(four_hours: ScenarioSet) -> None:
    seen = dataclasses.replace(four_hours, split="validation")
    assert advise(entries({"sac": CLEAR}, {}), seen).endswith("which the agents have seen: decide on test years.")
    assert "decide on test years" not in advise(entries({"sac": CLEAR}, {}), four_hours)

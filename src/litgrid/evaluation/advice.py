"""Which agent to choose, and why, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from litgrid.evaluation.comparison import Entry
from litgrid.evaluation.report import LOWEST_SERVICE, count
from litgrid.evaluation.statistics import Improvement
from litgrid.scenarios.scenario_set import ScenarioSet

FEWEST_SEEDS = 3
"""Fewer agents say too little about the noise of their training."""
SURE = 0.95
"""Probability of improvement from which one controller counts as better than another."""


def advise(entries: Sequence[Entry], scenarios: ScenarioSet) -> str:
    """Say which agent to choose: that of the smallest corrected objective among those with full service.

    Args:
        entries: in ranking order.
        scenarios: on which they were measured.
    """
    currency = scenarios.site.tariff.currency
    served = [entry for entry in entries if entry.served]
    agents, rules = ([entry for entry in served if entry.kind == kind] for kind in ("agent", "rule"))
    bounds = [entry for entry in [*served, *entries] if entry.kind == "bound"]  # at full service first
    sentences = [_choice(agents, rules)]
    if agents:
        best = agents[0]
        sentences.append(_cost(best, len(scenarios), currency))
        sentences += [_against(best, rule, "the best rule", currency) for rule in rules[:1]]
        sentences += [_against(best, agent, "the next agent", currency) for agent in agents[1:2]]
        sentences += [_bounded(best, bound, currency) for bound in bounds[:1]]
    left_out = [entry.name for entry in entries if not entry.served and entry.kind != "bound"]
    if left_out:
        names = ", ".join(left_out)
        sentences.append(f"Left out, because vehicles went without (service below {LOWEST_SERVICE:.0%}): {names}.")
    if scenarios.split != "test":
        sentences.append(f"These are {scenarios.split} years, which the agents have seen: decide on test years.")
    return " ".join(sentences)


def is_more_than_noise(improvement: Improvement, seeds: int) -> bool | None:
    """Tell whether a difference between two controllers is more than the noise of training.

    It is where the interval of the difference leaves out 0, and one of them improves on the other with a probability
    of at least 0.95.

    Args:
        improvement: of an agent over another controller.
        seeds: the fewest of an agent in it.

    Returns:
        None where the seeds are too few to tell.
    """
    low, high, probability = improvement.difference.low, improvement.difference.high, improvement.probability.value
    if seeds < FEWEST_SEEDS or low is None or high is None:
        return None
    return not low <= 0.0 <= high and max(probability, 1.0 - probability) >= SURE


def _choice(agents: Sequence[Entry], rules: Sequence[Entry]) -> str:
    if not agents:
        return "Choose no agent: none of them serves all vehicles."
    best = agents[0].name
    if not rules:
        return f"Choose {best}: of the agents it has the smallest objective at full service."
    rule, (improvement, seeds) = rules[0].name, _over(agents[0], rules[0])
    if improvement.difference.value >= 0.0:
        return f"Choose the rule {rule}: no agent does better. Of the agents, {best} has the smallest objective."
    if is_more_than_noise(improvement, seeds) is False:
        return (
            f"Choose {best} or the rule {rule}, which needs no training: of the agents {best} has the smallest "
            "objective at full service, but what it saves over the rule is no more than noise."
        )
    return f"Choose {best}: of the agents it has the smallest objective at full service, and it is ahead of every rule."


def _cost(best: Entry, years: int, currency: str) -> str:
    objective = best.standing.objective
    interval = "" if objective.low is None else f"; 95 % interval {objective.low:,.0f} to {objective.high:,.0f}"
    return (
        f"{best.name} costs {objective.value:,.0f} {currency} a year, with the battery's charge at the year's end "
        f"accounted for (interquartile mean over {count(best.standing.seeds, 'seed')} and {count(years, 'year')}"
        f"{interval})."
    )


def _against(best: Entry, other: Entry, role: str, currency: str) -> str:
    improvement, seeds = _over(best, other)
    more, share = improvement.difference.value, improvement.difference.value / other.standing.objective.value
    return (
        f"That is {abs(more):,.0f} {currency} ({abs(share):.1%}) {'more' if more > 0.0 else 'less'} than {role}, "
        f"{other.name}: {_noise(improvement, seeds)}."
    )


def _noise(improvement: Improvement, seeds: int) -> str:
    low, high = improvement.difference.low, improvement.difference.high
    clear = is_more_than_noise(improvement, seeds)
    if clear is None:
        few = "with a single seed" if seeds == 1 else f"with {seeds} seeds, fewer than {FEWEST_SEEDS},"
        return f"{few} nothing can be said about noise"
    return (
        f"{'more' if clear else 'no more'} than noise (95 % interval of the difference {low:,.0f} to {high:,.0f}; a "
        f"seed costs less with probability {improvement.probability.value:.2f})"
    )


def _bounded(best: Entry, bound: Entry, currency: str) -> str:
    more = best.standing.objective.value - bound.standing.objective.value
    share = more / best.standing.objective.value
    return f"Seeing the future ({bound.name}) would save {more:,.0f} {currency} ({share:.1%}) more; nobody can."


def _over(entry: Entry, other: Entry) -> tuple[Improvement, int]:
    """How an agent stands to another controller, and the fewest seeds of an agent in that."""
    (improvement,) = (found for found in entry.standing.improvements if found.over == other.name)
    return improvement, min(one.standing.seeds for one in (entry, other) if one.kind == "agent")

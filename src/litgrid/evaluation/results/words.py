"""Figures as the page of results writes them: with their intervals, shares in percent."""

from __future__ import annotations

from litgrid.evaluation.results.site import Gain
from litgrid.evaluation.statistics import Estimate

Lines = list[list[str]]
DASH = "-"


def estimate(found: Estimate) -> str:
    """A figure with its interval."""
    interval = "" if found.low is None else f" ({found.low:z,.0f} to {found.high:z,.0f})"
    return f"{found.value:z,.0f}{interval}"


def gain(found: Gain | None) -> str:
    """A share of what is possible, in percent."""
    return DASH if found is None else points(found.share)


def points(found: Estimate | None) -> str:
    """A share, or a difference of shares, in percent with its interval."""
    if found is None:
        return DASH
    interval = "" if found.low is None or found.high is None else f" ({percent(found.low)} to {percent(found.high)})"
    return f"{percent(found.value)}{interval}"


def percent(share: float) -> str:
    """A share in percent, to a tenth."""
    return f"{100.0 * share:z.1f}"

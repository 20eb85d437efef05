"""What the page of results is checked for: no day in two splits, no decision upon what is not known."""

from __future__ import annotations

from collections.abc import Sequence

from litgrid.evaluation.results.site_page import SitePage
from litgrid.evaluation.results.words import Lines
from litgrid.evaluation.tables import markdown
from litgrid.sim.tables import FORECASTS


def leaks(sites: Sequence[SitePage]) -> list[str]:
    """What the leak test found."""
    lines: Lines = [["site", "quantity", "days of train", "validation", "test", "in two of them"]]
    for site in sites:
        for leak in site.leaks:
            days = [f"{leak.days[split]:,}" for split in ("train", "validation", "test")]
            lines.append([site.found.site, leak.quantity, *days, str(leak.shared)])
    shared = sum(leak.shared for site in sites for leak in site.leaks)
    outcome = "**Passed**: none." if shared == 0 else f"**Failed**: {shared} are in two."
    text = "Different days of each split, compared value by value, those before the first of January included."
    return [f"{text} {outcome}", markdown(lines)]


def knowledge(sites: Sequence[SitePage]) -> list[str]:
    """What the information-parity test found."""
    head = ["site", "controller", "what is not known", "the present", *(key.removesuffix("_kw") for key in FORECASTS)]
    lines = [
        [site.found.site, name, *map(_mark, (one.future, one.present, *(key in one.forecasts for key in FORECASTS)))]
        for site in sites
        for name, one in site.knowledge.items()
    ]
    seen = [f"{site.found.site}/{name}" for site in sites for name, one in site.knowledge.items() if one.future]
    outcome = (
        "**Passed**: no decision changes with what is not known." if not seen else f"**Failed**: {', '.join(seen)}."
    )
    text = (
        "Decisions of each controller (of each algorithm's first seed) on random days of its site, with one thing "
        "changed: what is not known at the time (later load and PV, forecasts beyond a day, vehicles that have not "
        "come), the present, or a forecast. "
        f"`x`: a decision changed. {outcome} Bounds see the future by definition."
    )
    return [text, markdown([head, *lines])]


def _mark(changed: bool) -> str:
    return "x" if changed else ""

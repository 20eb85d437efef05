"""Which rows of an imported district are there to learn from, to choose with, and to test on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from litgrid.errors import InputError
from litgrid.scenarios.district import District
from litgrid.site.series import SECONDS_PER_DAY
from litgrid.site.site import Objective

Part = Literal["train", "validation", "test", "all"]
PARTS: tuple[Part, ...] = ("train", "validation", "test", "all")
STRETCH_DAYS, LEAST_DAYS = 28, 7
HELD_OUT = 0.15
"""Share of a stretch's days that is for validation, and likewise for the test."""


@dataclass(frozen=True, eq=False)
class DistrictScenarios:
    """A district, what controllers minimise there, and the rows that they may live in.

    Attributes:
        district: as imported.
        objective: with every weight stated; its currency is that of the data.
        split: which part of the data this is.
        blocks: rows [first, end) that can be simulated, of consecutive whole days; ``all`` is one block of every row.
    """

    district: District
    objective: Objective
    split: Part
    blocks: tuple[tuple[int, int], ...]


def split_district(district: District, split: Part, objective: Objective) -> DistrictScenarios:
    """Take one part of a district's data.

    Days that occur on both sides make any learner look better than it is: blocks of different splits share no row.
    Each stretch of about 28 days has 70 % train, then 15 % validation, then 15 % test, at least one day each.

    Args:
        district: as imported.
        split: of ``PARTS``.
        objective: of its controllers; its preset is filled in.

    Raises:
        InputError: the data have under 7 days, or days are no whole number of steps, or one.
    """
    objective = objective.with_preset()
    if split == "all":
        return DistrictScenarios(district, objective, split, ((0, district.steps),))
    per_day, rest = divmod(SECONDS_PER_DAY, district.step_seconds)
    if rest or per_day < 2:
        found = f"{district.name}: found steps of {district.step_seconds} s"
        raise InputError(f"{found}, expected a whole number of them in a day, two at least")
    days = district.rows // per_day
    if days < LEAST_DAYS:
        raise InputError(f"{district.name}: found {days} whole days, expected at least {LEAST_DAYS} to split")
    stretches = max(1, round(days / STRETCH_DAYS))
    bounds = [days * number // stretches for number in range(stretches + 1)]
    parts = [_days(split, first, end) for first, end in pairwise(bounds)]
    # the last row that was read is never simulated
    blocks = tuple((first * per_day, min(end * per_day, district.steps)) for first, end in parts)
    return DistrictScenarios(district, objective, split, blocks)


def _days(split: Part, first: int, end: int) -> tuple[int, int]:
    """The days [first, end) of a split in a stretch."""
    held = max(1, round(HELD_OUT * (end - first)))
    edges = {"train": (first, end - 2 * held), "validation": (end - 2 * held, end - held), "test": (end - held, end)}
    return edges[split]

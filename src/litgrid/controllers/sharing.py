"""What a group of stays takes, shared out among its stays, so that each keeps to its power and its need."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from litgrid.controllers.program import Values
from litgrid.controllers.stays import Cells, Groups, Integers, Stays, cells, sums


def share_out(found: Stays, groups: Groups, taken_kwh: Values) -> tuple[Cells, Values]:
    """Share what groups take among their stays.

    One stay after the other is cut off its group: in each step it takes at least what the stays after it can't take,
    and over its steps what it needs, as far as there is so much. What is left is then within the limits of the
    smaller group: a polymatroid's point splits into points of its parts (``stays.group``).

    Args:
        found: M stays.
        groups: of these stays.
        taken_kwh: [K] of the groups' cells, at the sockets.

    Returns:
        The cells of the stays, and the kWh of each, at the socket.
    """
    own, rest = cells(found.arrival, found.departure), taken_kwh.clip(min=0.0)
    length = groups.departure - groups.arrival
    cell = (np.cumsum(length) - length)[groups.member][own.span] + own.step - found.arrival[own.span]
    most = np.minimum(found.full_kwh, found.need_kwh)
    behind = _behind(groups, most)
    shared = np.zeros(len(cell))
    for turn in _turns(groups.member, own.span):
        stay, left = own.span[turn], rest[cell[turn]]
        least = (left - behind[stay]).clip(min=0.0)
        shared[turn] = _between(least, np.minimum(left, most[stay]).clip(min=least), found.need_kwh, stay)
        rest[cell[turn]] = left - shared[turn]
    return own, shared


def _behind(groups: Groups, most: Values) -> Values:
    """What the stays after each in its group can take in a step [M]."""
    order = np.argsort(groups.member, kind="stable")
    upto = np.empty_like(most)
    upto[order] = np.cumsum(most[order])
    before = np.cumsum(groups.most_kwh) - groups.most_kwh  # of the groups before
    behind: Values = (groups.most_kwh + before)[groups.member] - upto
    return behind.clip(min=0.0)


def _turns(member: Integers, stay: Integers) -> Iterator[Integers]:
    """Cells of the first stay of every group, of the second, ..."""
    order = np.argsort(member, kind="stable")
    place = np.empty_like(member)
    place[order] = np.arange(len(member)) - np.searchsorted(member[order], member[order])
    turn = place[stay]
    in_turns = np.argsort(turn, kind="stable")
    yield from np.split(in_turns, np.flatnonzero(np.diff(turn[in_turns])) + 1)


def _between(least: Values, highest: Values, need_kwh: Values, stay: Integers) -> Values:
    """Amounts between two limits, at the same share of the way in all cells of a stay, that add up to its need."""
    low, high = (sums(stay, limit, len(need_kwh)) for limit in (least, highest))
    room = high - low
    share = np.divide(need_kwh - low, room, out=np.zeros_like(room), where=room > 1e-12).clip(0.0, 1.0)
    amounts: Values = least + share[stay] * (highest - least)
    return amounts

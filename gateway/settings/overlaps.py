"""Groups over personal values of one site, held against each other: what they tell together. Pure.

Each group may be large enough and still two of them tell of one home, if they differ by it; and so
does a whole beside parts of it, if one home is in none of them. What counts are the points in the
field: a sum of sums is made of all that those are made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Group:
    """One derived point over personal values."""

    name: str
    members: frozenset[str]
    """The points in the field of which it is made in the end."""
    least: int
    """Its smallest group."""
    is_sensitive: bool
    """Whether a member is of class P2 or above."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Groups whose values together tell of fewer members than the smallest group."""

    name: str
    others: str
    count: int
    is_sensitive: bool


class Overlaps:
    """All groups of a site so far."""

    def __init__(self) -> None:
        """Begin without any."""
        self._groups: list[Group] = []
        self._of: dict[str, list[int]] = {}
        """By member, the numbers of its groups."""
        self._made_of: dict[str, frozenset[str]] = {}

    def members_of(self, name: str, inputs: Iterable[str]) -> frozenset[str]:
        """Note what a derived point is made of; return which points in the field that is."""
        made_of = (self._made_of.get(one, frozenset({one})) for one in inputs)
        found = self._made_of[name] = frozenset[str]().union(*made_of)
        return found

    def add(self, fresh: Group) -> list[Clash]:
        """Take one more group; return what it and one of those before tell together."""
        numbers = {number for member in fresh.members for number in self._of.get(member, ())}
        near = [self._groups[number] for number in sorted(numbers)]
        for member in fresh.members:
            self._of.setdefault(member, []).append(len(self._groups))
        self._groups.append(fresh)
        return [clash for other in near if (clash := _pair(fresh, other)) is not None]

    def wholes(self) -> list[Clash]:
        """Return what groups tell beside several others that are parts of them."""
        return [clash for whole in self._groups if (clash := self._whole(whole)) is not None]

    def _whole(self, whole: Group) -> Clash | None:
        numbers = {number for member in whole.members for number in self._of[member]}
        inside = [g for n in numbers if (g := self._groups[n]).members < whole.members]
        parts = list(_apart(inside))
        rest = whole.members.difference(*(part.members for part in parts))
        least = min(group.least for group in (whole, *parts))
        if len(parts) <= 1 or not 0 < len(rest) < least:  # one part and its whole are a pair
            return None
        is_sensitive = any(group.is_sensitive for group in (whole, *parts))
        return Clash(whole.name, _named(parts), len(rest), is_sensitive)


def _pair(fresh: Group, other: Group) -> Clash | None:
    least = min(fresh.least, other.least)
    both = (fresh.members - other.members, other.members - fresh.members)
    few = [len(one) for one in both if 0 < len(one) < least]
    if not few:
        return None
    is_sensitive = fresh.is_sensitive or other.is_sensitive
    return Clash(fresh.name, other.name, min(few), is_sensitive)


def _apart(groups: Iterable[Group]) -> Iterator[Group]:
    """Yield groups that share no member, the largest first."""
    taken: set[str] = set()
    for group in sorted(groups, key=lambda one: (-len(one.members), one.name)):
        if taken.isdisjoint(group.members):
            taken |= group.members
            yield group


def _named(groups: Sequence[Group]) -> str:
    names = [group.name for group in groups]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" +{more}" if more > 0 else "")

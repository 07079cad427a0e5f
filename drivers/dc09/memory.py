"""What an account is remembered by, whichever connection its panel opens for the next message."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Self

MOST_SEALED = 256
"""Encrypted messages that are remembered, far more than a panel sends while their time is good."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted message: its number stands outside of what is encrypted, so it tells nothing."""

    ident: str
    data: str
    time: datetime


class Memory:
    """The last encrypted messages of one account."""

    __slots__ = ("_sealed",)

    def __init__(self) -> None:
        self._sealed: deque[Sealed] = deque(maxlen=MOST_SEALED)

    def is_played_back(self, sealed: Sealed) -> bool:
        """Return whether a message came before, and others after it; remember it if not.

        Who has listened could clear an alarm with the restoral of before, while its time is good.
        The last message is no playback: a panel repeats what it saw no answer to.
        """
        if sealed in self._sealed:
            return sealed != self._sealed[-1]
        self._sealed.append(sealed)
        return False


class Account(str):
    """The digits of an account of the site, with its memory: all connections of a line share it."""

    __slots__ = ("memory",)

    memory: Memory

    def __new__(cls, digits: str) -> Self:
        """Return the digits with a memory that is empty."""
        account = super().__new__(cls, digits)
        account.memory = Memory()
        return account

    def __reduce__(self) -> tuple[type[Account], tuple[str]]:
        """Travel between processes as digits."""
        return Account, (str(self),)


def memory_of(unit: object) -> Memory:
    """Return the memory of an account; a new one where the unit is plain text."""
    return unit.memory if isinstance(unit, Account) else Memory()

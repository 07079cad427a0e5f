"""Masks: the first and last characters of a text, and nothing of its length."""

from __future__ import annotations

STARS = "***"
"""Always three, so that the length says nothing."""


def masked(text: str, first: int = 2, last: int = 2) -> str:
    """Return a text such as 浙A***12; only stars where less than two characters would be hidden."""
    if len(text) < first + last + 2:
        return STARS
    return f"{text[:first]}{STARS}{text[len(text) - last :]}"

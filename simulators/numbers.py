"""Numbers that are typed: what makes no sense is refused at once, with the reason."""

from __future__ import annotations

import argparse
import math


def positive(text: str) -> float:
    """Return a number above zero; raises argparse.ArgumentTypeError."""
    found = _number(text)
    if found <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above zero")
    return found


def from_zero(text: str) -> float:
    """Return zero or a number above it; raises argparse.ArgumentTypeError."""
    found = _number(text)
    if found < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is below zero")
    return found


def share(text: str) -> float:
    """Return a number from 0 to 1; raises argparse.ArgumentTypeError."""
    found = _number(text)
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return found


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return found

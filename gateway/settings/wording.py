"""The shape of one entry in the table of texts."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Wording(NamedTuple):
    """What is wrong and what to do, in both languages. The message ends without a full stop."""

    message: str
    remedy: str
    message_zh: str
    remedy_zh: str
    severity: Literal["error", "warning"] = "error"

"""A signed letter of a platform: what asks for more than a command, and is obeyed by its signature.

It is a JWS in its flattened JSON serialisation (RFC 7515, 7.2.2), kept here as it came.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.ids import SinkName


@dataclass(frozen=True, slots=True)
class Letter:
    """Nothing in it is checked but its shape; all three parts are base64url."""

    sink: SinkName
    topic: str
    protected: str
    payload: str
    signature: str

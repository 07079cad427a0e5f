"""A file on its way up in parts, each small enough for one message."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

PART_BYTES = 24 * 1024
"""32 kB of base64: well below what brokers take, and 7 s on a link of 40 kbit/s."""
MOST_BYTES = 1024 * 1024
"""Of one file."""


def parts_of(rid: str, name: str, content: bytes) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield the fields of one log entry for each part.

    Raises:
        ValueError: the file has more than MOST_BYTES.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"{name} has {len(content)} bytes; at most {MOST_BYTES}")
    pieces = [content[at : at + PART_BYTES] for at in range(0, len(content), PART_BYTES)] or [b""]
    whole = sha256(content).hexdigest()
    for number, piece in enumerate(pieces, 1):
        yield (
            ("rid", rid),
            ("name", name),
            ("part", str(number)),
            ("parts", str(len(pieces))),
            ("sha256", whole),
            ("base64", b64encode(piece).decode()),
        )

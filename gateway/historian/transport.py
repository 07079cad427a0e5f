"""How lines reach a server: blocking, one request after the other, in a thread of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from gateway.historian.answer import Answer, NotUsable
from gateway.settings.problems import SettingsError
from gateway.settings.site_sinks import Secret

ReadSecret: TypeAlias = Callable[[Secret], str]
TOKEN = "token"  # noqa: S105 - what it is called


class Transport(Protocol):
    """A connection to one server. Every method blocks and belongs to the writing thread."""

    def write(self, body: bytes) -> Answer:
        """Return what the server said to these lines.

        Raises:
            ServerAway: nobody answered in time.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def secret_text(name: str, secret: Secret, read_secret: ReadSecret) -> str:
    """Return a token or a password; `name` says which it is.

    Raises:
        NotUsable: it cannot be read, or cannot stand in a header: of that one HTTP libraries would
            complain with the whole secret in their words.
    """
    try:
        text = read_secret(secret)
    except SettingsError as error:
        raise NotUsable(error.problems[0].text()) from error
    if name == TOKEN and not (text.isascii() and text.isprintable()):
        raise NotUsable(f"the {name} holds a line break, or more than ASCII")
    return text

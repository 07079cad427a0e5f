"""`{credential: …}`, `{env: …}`, `{file: …}` -> the name of a secret."""

from __future__ import annotations

from typing import overload

from gateway.settings.models.common import SecretEntry
from gateway.settings.secret_name import Secret


@overload
def make_secret(entry: SecretEntry) -> Secret: ...
@overload
def make_secret(entry: SecretEntry | None) -> Secret | None: ...
def make_secret(entry: SecretEntry | None) -> Secret | None:
    """Return the name of a secret."""
    if entry is None:
        return None
    if entry.credential is not None:
        return Secret("credential", entry.credential)
    return Secret("env", entry.env) if entry.env is not None else Secret("file", entry.file or "")

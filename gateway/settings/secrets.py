"""Secrets by name: read when they are needed, never kept, never shown."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gateway.settings.problems import Fact, SettingsError, make_problem
from gateway.settings.site_sinks import Secret
from gateway.settings.where import Where

MOST_BYTES = 65_536
OPEN_TO_OTHERS = 0o027
"""Others may do nothing, the group may read (a service's group owns /etc/linli)."""


@dataclass(frozen=True, slots=True)
class Login:
    """User name and password."""

    username: str
    password: str = ""

    def __repr__(self) -> str:
        """Return it without the password."""
        return f"Login({self.username!r}, …)"


def read_secret(secret: Secret) -> str:
    """Return the secret without its last line break.

    Raises:
        SettingsError: it is not there, empty, or open to others; the message names it only.
    """
    if secret.kind == "env":
        text = os.environ.get(secret.name, "")
    else:
        text = _read(secret, secret_path(secret))
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise _unreadable(secret, "it is empty or not set")
    return text


def read_login(secret: Secret) -> Login:
    """Return user name and password of a secret of two lines.

    Raises:
        SettingsError: as `read_secret`.
    """
    lines = read_secret(secret).splitlines()
    return Login(lines[0], lines[1] if len(lines) > 1 else "")


def secret_path(secret: Secret) -> Path:
    """Return where a credential or a file lies, for readers that want a path.

    Raises:
        SettingsError: a credential, and nobody passed any to us; or it is a variable.
    """
    if secret.kind == "file":
        return Path(secret.name)
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if secret.kind == "env" or not folder:
        raise _unreadable(secret, "there is no $CREDENTIALS_DIRECTORY")
    if Path(secret.name).name != secret.name:
        raise _unreadable(secret, "a credential is a plain name")
    return Path(folder) / secret.name


def _read(secret: Secret, path: Path) -> str:
    try:
        if secret.kind == "file" and (mode := path.stat().st_mode & 0o777) & OPEN_TO_OTHERS:
            raise _refused("LG-SEC-04", secret, mode=f"{mode:04o}")
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode()
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else "it is no text"
        raise _unreadable(secret, why) from exc


def _unreadable(secret: Secret, why: str) -> SettingsError:
    return _refused("LG-SEC-03", secret, why=why)


def _refused(code: str, secret: Secret, **facts: Fact) -> SettingsError:
    name = f"{secret.kind}:{secret.name}"
    return SettingsError([make_problem(code, Where(name, 1, 1), facts={"name": name, **facts})])

"""Secrets by name: read when a connection is made, never kept and never logged."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.settings.site_sinks import Secret, Sink
from gateway.uplink.errors import UplinkDown

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd puts the credentials of a unit (systemd.exec(5))."""


@dataclass(frozen=True, slots=True)
class Login:
    """User name and password of an MQTT connection."""

    username: str | None
    password: str | None


def secret_path(secret: Secret, env: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file in which a secret lies; None for those of the environment.

    Raises:
        UplinkDown: it is a systemd credential, and systemd gave none.
    """
    if secret.kind == "file":
        return Path(secret.name)
    if secret.kind == "env":
        return None
    folder = env.get(CREDENTIALS)
    if folder is None:
        raise UplinkDown(
            f"credential {secret.name!r} is not there: systemd gave none "
            f"(LoadCredential={secret.name}:… in the unit)",
            is_final=True,
        )
    return Path(folder) / secret.name


def read_secret(secret: Secret, env: Mapping[str, str] = os.environ) -> str:
    """Return a secret's text without its last line end.

    Raises:
        UplinkDown: it is not there or cannot be read.
    """
    path = secret_path(secret, env)
    if path is None:
        if secret.name not in env:
            raise UplinkDown(f"environment variable {secret.name} is not set", is_final=True)
        return env[secret.name]
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise UplinkDown(f"secret {path} cannot be read: {error}", is_final=True) from error


def read_login(sink: Sink, env: Mapping[str, str] = os.environ) -> Login:
    """Return the login of a sink's own settings.

    Raises:
        UplinkDown: a secret is not there.
    """
    if sink.credentials is not None:
        lines = read_secret(sink.credentials, env).splitlines()
        username, password = [*lines, "", ""][:2]
        return Login(username or None, password or None)
    password = None if sink.password is None else read_secret(sink.password, env)
    return Login(sink.username, password)

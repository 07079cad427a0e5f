"""Name and version of this program, as platforms are told."""

from __future__ import annotations

from importlib import metadata


def _version() -> str:
    try:
        return metadata.version("linli-gateway")
    except metadata.PackageNotFoundError:
        return "0"


SOFTWARE = f"linli-gateway {_version()}"

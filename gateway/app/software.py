"""Name and version of this program, as platforms are told."""

from __future__ import annotations

from gateway import __version__

SOFTWARE = f"linli-gateway {__version__}"

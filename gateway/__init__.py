"""Linli Gateway: field devices of a community, normalised, kept safe and published over MQTT."""

import os

__version__ = "0.1.0"

# pydantic would search every installed distribution for plugins of its own: time of every command
# that reads settings, and code that nobody asked for.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

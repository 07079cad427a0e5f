"""Home Assistant, discovery over MQTT, for small sites: entities, states, commands.

Sources: home-assistant.io/integrations/mqtt and the pages of its platforms; the integration's own
code (release 2024.3.3: components/mqtt), whose schemas take an announcement of every point of every
kind (tests/dialects/homeassistant_peer); never tried in a running Home Assistant. It reads what the
broker keeps and confirms nothing: what the broker has acknowledged is done.
"""

from __future__ import annotations

from gateway.dialects.homeassistant.dialect import DIALECT

__all__ = ["DIALECT"]

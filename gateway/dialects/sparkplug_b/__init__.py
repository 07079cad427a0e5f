"""Sparkplug B 3.0: this gateway is an edge node, its devices are devices of it.

Sources: the Sparkplug specification 3.0.0 of the Eclipse Foundation, chapters 4 (topics), 5
(operational behaviour) and 6 (payloads). Data leaves at QoS 0, as the standard wants it; it counts
as delivered when a heartbeat of ours (NDATA) that was sent behind it has come back.
"""

from __future__ import annotations

from gateway.dialects.sparkplug_b.dialect import DIALECT

__all__ = ["DIALECT"]

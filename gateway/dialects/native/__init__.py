"""Our own standard, version 1: `{root}/1/{site}/{gateway}/up/{class}/{device}`, JSON, QoS 1.

One message carries one record; `hist` carries several under `items`, each with its own identity
`(gw, ep, seq)`. The whole of it is in docs/platform and config/schema/payload.
"""

from __future__ import annotations

from gateway.dialects.native.dialect import DIALECT

__all__ = ["DIALECT"]

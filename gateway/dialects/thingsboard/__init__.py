"""ThingsBoard, Gateway MQTT API: `v1/gateway/…`, JSON; devices are named in the messages.

Sources: thingsboard.io (docs/reference/gateway-api, docs/reference/mqtt-api) and the server's own
code, github.com/thingsboard/thingsboard (common/transport/mqtt, common/proto). Tested beside the
platform's Python client (tb-mqtt-client); never against a running platform. The platform confirms a
report by PUBACK when all of it is queued there (AbstractGatewaySessionHandler.java), and by nothing
else.
"""

from __future__ import annotations

from gateway.dialects.thingsboard.dialect import DIALECT

__all__ = ["DIALECT"]

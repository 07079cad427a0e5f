"""What stands in the AsyncAPI document beside the classes: servers, logins, topic parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INFO: Mapping[str, Any] = {
    "title": "Linli Gateway, dialect native",
    "version": "1.0.0",
    "description": (
        "What a gateway says to a platform over MQTT, and what a platform may say to it. The"
        " schemas are those that the gateway's own tests hold every payload against; guide.md"
        " explains them. On a sink with `payload:` each of these payloads is the inside of a"
        " sealed one (message `sealed`, privacy.md)."
    ),
    "tags": [{"name": "gateway"}, {"name": "mqtt"}],
}
_SESSION: Mapping[str, Any] = {
    "mqtt": {
        "clientId": "{gateway}",
        "cleanSession": True,
        "lastWill": {
            "topic": "{root}/1/{site}/{gateway}/up/state/_",
            "qos": 1,
            "retain": True,
            "message": "The gateway's state with `online: false` and `reason: lost`.",
        },
        "keepAlive": 10,
        "bindingVersion": "0.2.0",
    }
}
_LOGINS = [
    {"$ref": "#/components/securitySchemes/password"},
    {"$ref": "#/components/securitySchemes/certificate"},
]
SERVERS: Mapping[str, Any] = {
    "platform": {
        "host": "platform.example:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5.0",
        "description": (
            "The broker of a platform (`url: mqtts://…`). MQTT 3.1.1 where it has no 5: a publish"
            " that it denies cannot be seen then."
        ),
        "security": _LOGINS,
        "bindings": _SESSION,
    },
    "at_the_site": {
        "host": "127.0.0.1:1883",
        "protocol": "mqtt",
        "protocolVersion": "5.0",
        "description": "A broker on the box itself or on a network of its own (`url: mqtt://…`).",
        "security": _LOGINS,
        "bindings": _SESSION,
    },
}
SECURITY: Mapping[str, Any] = {
    "password": {
        "type": "userPassword",
        "description": "User name and password of MQTT CONNECT (`credentials` of the sink).",
    },
    "certificate": {
        "type": "X509",
        "description": "Client certificate of TLS (`tls: {certificate: …, key: …}` of the sink).",
    },
}
PARAMETERS: Mapping[str, Any] = {
    "root": {"description": "First part of all topics, `root` of the sink.", "default": "fc"},
    "site": {"description": "Id of the community.", "examples": ["hz-fc-001"]},
    "gateway": {"description": "Id of the gateway.", "examples": ["gw-03"]},
    "device": {
        "description": "Id of the device, `_` for the gateway itself.",
        "examples": ["em-01", "_"],
    },
}
RESPONSE: Mapping[str, Any] = {
    "responseTopic": {
        "type": "string",
        "maxLength": 256,
        "description": "Optional: the reply goes there too, once, at QoS 0.",
    },
    "correlationData": {
        "type": "string",
        "description": "Optional: given back with the reply on the response topic.",
    },
    "bindingVersion": "0.2.0",
}
"""MQTT 5 properties of what is answered."""

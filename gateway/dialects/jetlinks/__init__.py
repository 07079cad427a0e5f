"""JetLinks, official protocol over MQTT: `/{product}/{gateway}/…`, JSON; devices are children.

Sources: github.com/jetlinks/jetlinks-official-protocol (TopicMessageCodec.java,
FunctionalTopicHandlers.java, JetLinksMqttDeviceMessageCodec.java, document-mqtt.md), jetlinks-core
(message classes), jetlinks-docs (basics-guide/jetlinks-protocol-support.md). Nothing of it was
tried against a running platform. The platform confirms no report: what its broker has acknowledged
is done, and it refuses none by a code.
"""

from __future__ import annotations

from gateway.dialects.jetlinks.dialect import DIALECT

__all__ = ["DIALECT"]

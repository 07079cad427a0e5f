"""Settings of the dialect `sparkplug_b`."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.settings.problems import BadValue

_RESERVED = frozenset("/+#")


@dataclass(frozen=True, slots=True)
class SparkplugOptions:
    """`options:` of the sink."""

    group: str = field(
        default="",
        metadata={"description": "Sparkplug group id; the id of the site unless given."},
    )
    node: str = field(
        default="",
        metadata={"description": "Edge node id; the id of the gateway unless given."},
    )
    primary_host: str = field(
        default="",
        metadata={
            "description": "Host id of the primary host application: nothing is sent before it is "
            "online, and the connection is left when it goes offline. Empty: none is awaited."
        },
    )
    command_ttl: float = field(
        default=30.0,
        metadata={
            "description": "Seconds for which a command is good, from its arrival: Sparkplug has "
            "no expiry. One that was sent over five minutes before is late.",
            "ge": 1,
            "le": 3600,
        },
    )

    def __post_init__(self) -> None:
        """Refuse ids that cannot stand in a topic.

        Raises:
            BadValue: with the id.
        """
        for name in (self.group, self.node, self.primary_host):
            _check(name)


@dataclass(frozen=True, slots=True)
class SparkplugDevice:
    """`devices:` of the sink."""

    name: str = field(
        default="",
        metadata={"description": "Device id on the platform; our device id unless given."},
    )

    def __post_init__(self) -> None:
        """Refuse an id that cannot stand in a topic.

        Raises:
            BadValue: with the id.
        """
        _check(self.name)


def _check(name: str) -> None:
    if _RESERVED & set(name) or not (name.isprintable() or not name):
        raise BadValue("LG-SPB-01", name=name)

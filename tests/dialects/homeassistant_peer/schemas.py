"""Hold discovery messages against Home Assistant. Runs in the peer's own environment.

It imports Home Assistant as installed, and nothing of this repository. Messages come as one JSON
object by topic on stdin; what is wrong goes to stdout, and the exit status is 1 then.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

MQTT = "homeassistant.components.mqtt"


def faults(topic: str, payload: str) -> Iterator[str]:
    """Yield what Home Assistant would not take of one message."""
    discovery: Any = import_module(f"{MQTT}.discovery")
    found = discovery.TOPIC_MATCHER.match(topic.removeprefix("homeassistant/"))
    if found is None or found["component"] not in discovery.SUPPORTED_COMPONENTS:
        yield "no topic of discovery"
        return
    component = found["component"]
    invalid: Any = import_module("voluptuous").Invalid
    config = {**json.loads(payload), "platform": "mqtt"}
    try:
        made = import_module(f"{MQTT}.{component}").DISCOVERY_SCHEMA(config)
    except invalid as error:
        yield str(error)
        return
    if component in {"sensor", "number"}:
        yield from _class_faults(component, made, config.get("unit_of_measurement"))


def _class_faults(component: str, made: Any, unit: str | None) -> Iterator[str]:
    """Yield what does not fit its device class; the schemas do not look at that."""
    const: Any = import_module(f"homeassistant.components.{component}.const")
    device_class, state_class = made.get("device_class"), made.get("state_class")
    units = const.DEVICE_CLASS_UNITS.get(device_class)
    if units is not None and unit not in {None if one is None else str(one) for one in units}:
        yield f"{device_class} has no unit {unit!r}"
    if component == "number" or device_class is None or state_class is None:
        return
    if state_class not in const.DEVICE_CLASS_STATE_CLASSES.get(device_class, {state_class}):
        yield f"{device_class} takes no {state_class}"


def main() -> int:
    """Return 1 when anything is wrong."""
    messages: dict[str, str] = json.load(sys.stdin)
    wrong = [(topic, fault) for topic, said in messages.items() for fault in faults(topic, said)]
    for topic, fault in wrong:
        sys.stdout.write(f"{topic}: {fault}\n")
    sys.stdout.write(f"{len(messages)} announcements, {len(wrong)} faults\n")
    return 1 if wrong or not messages else 0


if __name__ == "__main__":
    sys.exit(main())

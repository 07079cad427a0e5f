"""JetLinks by script: tells the time, knows which children are online, asks them.

Messages as in jetlinks-official-protocol: TopicMessageCodec.java, FunctionalTopicHandlers.java.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from tests.support.scripted_platform import Heard, Say

BASE = "/linli/gw001/"


class JetLinksPlatform:
    """The script."""

    def __init__(self) -> None:
        self.bound: set[str] = set()
        self.online: dict[str, bool] = {}
        self.times_asked = 0

    def __call__(self, heard: Heard) -> Iterator[Say]:
        """Answer one message of the gateway, and refuse topics that the codec would not decode."""
        path = heard.topic.removeprefix(BASE)
        if path == "time-sync":
            self.times_asked += 1
            now_ms = time.time_ns() // 1_000_000
            answer = {"messageId": heard.body["messageId"], "timestamp": now_ms}
            yield Say(f"{heard.topic}/reply", answer)
        elif path.startswith("child/"):
            _, child, *rest = path.split("/")
            self._of_child(child, "/".join(rest))

    def _of_child(self, child: str, what: str) -> None:
        if what == "register":
            self.bound.add(child)
        elif what in {"online", "offline"}:
            self.online[child] = what == "online"
        elif not what.endswith("/reply"):
            assert what.startswith(("properties/", "event/", "function/")), what
        else:
            raise AssertionError(f"replies of children come below child-reply: {what}")


def child_topic(child: str, what: str) -> str:
    """Return a topic of a child."""
    return f"{BASE}child/{child}/{what}"


def reply_topic(child: str, what: str) -> str:
    """Return where a child's reply is read."""
    return f"{BASE}child-reply/{child}/{what}/reply"


def reports(heard: Iterable[Heard], child: str) -> list[dict[str, Any]]:
    """Return the reports of a child, in order."""
    topic = child_topic(child, "properties/report")
    return [one.body for one in heard if one.topic == topic]


def request(child: str, what: str, message_id: str, **fields: Any) -> Say:
    """Return a request to a child as the platform sends it."""
    now_ms = time.time_ns() // 1_000_000
    body = {"messageId": message_id, "deviceId": child, "timestamp": now_ms, **fields}
    return Say(child_topic(child, what), body)

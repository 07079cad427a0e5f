"""A scripted Alink platform on a real broker: checks signatures, answers, asks, keeps all it heard.

    with AlinkPlatform(broker.port, secrets={"pkPlant/plant-1": "s1"}) as platform:
        platform.wait_for("pack/post", lambda m: "plant-1" in m.devices())
        reply = platform.ask("/sys/pkPlant/plant-1/thing/service/property/set", {"level": 5.0})

It knows nothing of the gateway's code: its signatures are computed here once more.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from types import TracebackType
from typing import Any, Self, cast

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

WAIT_S = 30.0
"""Generous: it only ends tests that would fail anyway."""
SIGN_ERROR = 6287
ENOS_PARTLY = 723
"""EnOS: some are logged in, and named."""
SERVER_AHEAD_MS = 40_000
"""How far the platform's clock is ahead of what it is asked with."""


def listed(found: object) -> list[Any]:
    """Return a list as it is, and anything else as the one thing in a list."""
    return cast("list[Any]", found) if isinstance(found, list) else [found]


def _name(identity: Mapping[str, str]) -> str:
    """Return how a sub-device is called; platforms differ in the word for it."""
    return identity.get("deviceName") or identity["deviceKey"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came."""

    topic: str
    payload: bytes
    qos: int

    @property
    def body(self) -> dict[str, Any]:
        """The payload."""
        return json.loads(self.payload)

    def devices(self) -> dict[str, dict[str, Any]]:
        """Return what a batch or history says, by name of the sub-device."""
        params: Any = self.body["params"]
        found = params["subDevices"] if "subDevices" in params else listed(params)
        devices: dict[str, dict[str, Any]] = {}
        for each in found:  # EnOS: an entry for each moment
            known = devices.setdefault(_name(each.get("identity", each)), {**each})
            if "measurepoints" in each:
                known["measurepoints"] = {**known["measurepoints"], **each["measurepoints"]}
        return devices


class AlinkPlatform:
    """Alibaba's layout, or OneNET's where `is_onenet`."""

    def __init__(
        self,
        port: int,
        *,
        secrets: Mapping[str, str],
        is_onenet: bool = False,
    ) -> None:
        """Take the broker, and the secret of each sub-device by `product/device`."""
        self.secrets = dict(secrets)
        self.heard: list[Heard] = []
        self.online: set[str] = set()
        self.silent_on: set[str] = set()
        """Ends of topics that are not answered."""
        self._is_onenet = is_onenet
        self._ids = count(1)
        self._news = threading.Condition()
        self._subscribed = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, client_id="platform"
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._port = port

    def __enter__(self) -> Self:
        """Return when its subscriptions stand."""
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S), "no subscription"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None
        del self._client

    # --- for tests

    def of(self, end: str) -> list[Heard]:
        """Return what came on topics that end so."""
        with self._news:
            return [each for each in self.heard if each.topic.endswith(end)]

    def wait_for(self, end: str, is_wanted: Callable[[Heard], bool] = lambda _: True) -> Heard:
        """Return the first message of a topic that ends so, and is as wanted."""
        found: list[Heard] = []
        at = 0

        def has_come() -> bool:
            nonlocal at
            while at < len(self.heard) and not found:
                each = self.heard[at]
                at += 1
                found.extend([each] if each.topic.endswith(end) and is_wanted(each) else [])
            return bool(found)

        with self._news:
            topics = "no such message"
            if not self._news.wait_for(has_come, WAIT_S):
                topics = str(sorted({each.topic for each in self.heard}))
            assert found, f"nothing on …{end}; heard {topics}"
        return found[0]

    def wait(self, is_true: Callable[[], bool], what: str) -> None:
        """Return when something holds; looked at after every message."""
        with self._news:
            assert self._news.wait_for(is_true, WAIT_S), what

    def ask(self, topic: str, params: object, *, reply: str = "_reply", **more: Any) -> Any:
        """Send a command and return the body of its reply."""
        id_ = f"{next(self._ids)}"
        body = {"id": id_, "version": "1.0", "params": params, **more}
        self.say(topic, body)
        return self.wait_for(topic + reply, lambda each: each.body["id"] == id_).body

    def say(self, topic: str, body: object) -> None:
        """Send anything."""
        self._client.publish(topic, json.dumps(body), qos=1)

    # --- what it does by itself

    def _answer(self, heard: Heard) -> None:
        topic, end = heard.topic, "/reply" if self._is_onenet else "_reply"
        if any(topic.endswith(word) for word in self.silent_on):
            return
        if topic.endswith(("combine/login", "combine/batch_login")):
            self._log_in(heard)
        elif topic.endswith("combine/login/batch"):
            self._log_in_enos(heard)
        elif topic.endswith(("combine/logout", "combine/batch_logout")):
            params: Any = heard.body["params"]
            self._log_out(listed(params))
            self._reply(heard, topic + end, 200)
        elif topic.endswith(("sub/login", "sub/logout")):
            params = heard.body["params"]
            name = f"{params['productID']}/{params['deviceName']}"
            (self.online.add if topic.endswith("login") else self.online.discard)(name)
            self._reply(heard, topic + end, 200)
        elif topic.startswith("/ext/ntp/") and topic.endswith("/request"):
            self._tell_time(heard)
        elif topic.endswith(("/post", "post/batch")):
            self._reply(heard, topic + end, 200)

    def _log_in(self, heard: Heard) -> None:
        params = heard.body["params"]
        devices = params.get("deviceList", [params])
        if all(self._is_signed(each) for each in devices):
            self.online.update(f"{each['productKey']}/{each['deviceName']}" for each in devices)
            self._reply(heard, heard.topic + "_reply", 200)
        else:
            self._reply(heard, heard.topic + "_reply", SIGN_ERROR)

    def _log_in_enos(self, heard: Heard) -> None:
        params = heard.body["params"]
        inside = [each for each in params["subDevices"] if self._is_hashed(each, params)]
        self.online.update(f"{each['productKey']}/{each['deviceKey']}" for each in inside)
        code = 200 if len(inside) == len(params["subDevices"]) else ENOS_PARTLY
        data = {"loginedSubDevices": inside}
        body = {"id": heard.body["id"], "code": code, "data": data}
        self.say(heard.topic + "_reply", body)

    def _is_hashed(self, device: dict[str, str], params: dict[str, str]) -> bool:
        secret = self.secrets.get(f"{device['productKey']}/{device['deviceKey']}")
        signed = (
            f"clientId{params['clientId']}deviceKey{device['deviceKey']}"
            f"productKey{device['productKey']}timestamp{params['timestamp']}{secret}"
        )
        return device["sign"] == sha256(signed.encode()).hexdigest().upper()

    def _is_signed(self, device: dict[str, str]) -> bool:
        secret = self.secrets.get(f"{device['productKey']}/{device['deviceName']}")
        if secret is None:
            return False
        signed = "".join(
            f"{key}{device[key]}" for key in ("clientId", "deviceName", "productKey", "timestamp")
        )
        right = hmac.new(secret.encode(), signed.encode(), "sha256").hexdigest()
        return device["signMethod"] == "hmacsha256" and device["sign"] == right

    def _log_out(self, devices: list[dict[str, str]]) -> None:
        for each in devices:
            self.online.discard(f"{each['productKey']}/{_name(each)}")

    def _tell_time(self, heard: Heard) -> None:
        sent = int(heard.body["deviceSendTime"])
        at = str(sent + SERVER_AHEAD_MS)
        body = {"deviceSendTime": str(sent), "serverRecvTime": at, "serverSendTime": at}
        self.say(heard.topic.removesuffix("request") + "response", body)

    def _reply(self, heard: Heard, topic: str, code: int) -> None:
        self.say(topic, {"id": heard.body["id"], "code": code, "data": {}, "message": "scripted"})

    # --- paho's thread

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe([("/sys/#", 1), ("/ext/#", 1), ("$sys/#", 1)])

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed.set()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        heard = Heard(message.topic, bytes(message.payload), message.qos)
        self._answer(heard)
        with self._news:
            self.heard.append(heard)
            self._news.notify_all()

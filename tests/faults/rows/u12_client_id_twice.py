"""U12: another client uses our id, and takes the session again whenever it loses it.

A broker says so with DISCONNECT 0x8E (MQTT 5.0, 3.14.2.1); the mosquitto of Debian 12 (2.0.11) only
hangs up, and is understood after some short lives in a row: so many are allowed beside the goal.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.e2e.kit_gateway import sink_status, until
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_scripted import ScriptedThread
from tests.faults.uplink_stage import GATEWAY, Scene, clean, settled, url_of
from tests.support.mosquitto import mosquitto

EACH_S = 30.0
TAKEN_OVER = 0x8E
FIRST_STEPS = 3
"""Short lives after which a broker without a word is understood too (gateway/uplink/lives.py)."""


def run(stage: Stage) -> Verdict:
    """Take the session at once, again and again: first with a word, then without."""
    fight_s = float(stage.times(120, 2))
    told, why = _told(stage, fight_s)
    untold, found = _untold(stage, fight_s)
    allowed = 1 + int(fight_s / EACH_S)
    assert "another client" in why, why
    assert told <= allowed, f"{told} reconnects in {fight_s:g} s, allowed {allowed}"
    assert untold <= allowed + FIRST_STEPS, f"{untold} reconnects in {fight_s:g} s"
    return holds(
        f"in {fight_s:g} s {told} reconnects where the broker says why ({why}), {untold} with "
        f"mosquitto 2.0.11, which does not; {found}",
        reconnects=told,
        reconnects_untold=untold,
        fight_s=fight_s,
    )


def _told(stage: Stage, fight_s: float) -> tuple[int, str]:
    with (
        Scene(stage.folder / "told") as scene,
        ScriptedThread() as broker,
        scene.gateway(broker.url) as gateway,
    ):
        until(lambda: sink_status(gateway)["delivered"] >= 20, "it publishes")
        began, before = time.monotonic(), len(broker.connections)
        fought = before - 1
        why = ""
        while time.monotonic() - began < fight_s:
            if len(broker.connections) > fought and sink_status(gateway)["connected"]:
                fought = len(broker.connections)
                broker.disconnect(TAKEN_OVER)
                until(lambda: not sink_status(gateway)["connected"], "it is noticed")
                seen = sink_status(gateway)
                why = str(seen["why"])
                assert seen["duplicate_client_id"], "the status does not say it"
            time.sleep(0.1)  # the twin looks ten times a second
        reconnects = len(broker.connections) - before
        gateway.kill()
    return reconnects, why


def _untold(stage: Stage, fight_s: float) -> tuple[int, str]:
    with (
        Scene(stage.folder / "untold") as scene,
        mosquitto(stage.folder) as broker,
        Platform(broker.port) as platform,
    ):
        with scene.gateway(url_of(broker)) as gateway:
            until(lambda: sink_status(gateway)["delivered"] >= 20, "it publishes")
            before = sink_status(gateway)["connects"]
            with _twin(broker.port) as taken:
                assert taken.wait(10), "the twin got no session"
                until(lambda: not sink_status(gateway)["connected"], "the session is taken")
                time.sleep(fight_s)  # the fault itself
                reconnects = sink_status(gateway)["connects"] - before
            until(lambda: sink_status(gateway)["connected"], "the twin has gone")
            settled(gateway)
            assert gateway.stop() == 0
        found = scene.audited(platform)
    clean(found)
    return reconnects, found.sentence()


@contextmanager
def _twin(port: int) -> Generator[threading.Event]:
    """Hold a second client with the gateway's id; yields what is set when it has connected."""
    taken = threading.Event()
    client = Client(
        CallbackAPIVersion.VERSION2, client_id=GATEWAY, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.reconnect_delay_set(1, 1)

    def connected(*_: object) -> None:
        taken.set()

    client.on_connect = connected
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield taken
    finally:
        client.disconnect()
        client.loop_stop()


ROW = Row(
    id="U12",
    fault="the same client id twice",
    tool="scripted broker (0x8E); mosquitto and a second client that comes back after a second",
    must_hold="backs off, says so, no ping-pong, nothing lost",
    goal="at most 1 reconnect in 30 s",
    run=run,
)

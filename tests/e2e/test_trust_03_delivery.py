"""Part 3, end to end: refused, unheard, failed over, overtaken, and still all there."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit_gateway import asked, sink_status, status, until
from tests.e2e.kit_platform import Platform
from tests.faults.uplink_stage import BASE_TOPIC, MARKER, Scene, clean, settled, url_of
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto, free_port, mosquitto
from tests.support.nats_cluster import nats_cluster

DENIED = "em-2"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path / "scene") as scene:
        yield scene


def allow(acl: Path, *, denied: str | None, reads: str = "") -> None:
    """Write an access list: everything of ours, but for the values of one device."""
    kinds = ("birth", "state", "event", "log", "gap", "reply")
    topics = [f"{BASE_TOPIC}/up/{kind}/+" for kind in kinds]
    topics += [
        f"{BASE_TOPIC}/up/{kind}/em-{n}"
        for kind in ("prop", "hist")
        for n in (1, 2, 3)
        if f"em-{n}" != denied
    ]
    lines = [f"topic readwrite {topic}" for topic in (*topics, MARKER)]
    lines += ["topic read fc/1/+/+/up/#", f"topic read {BASE_TOPIC}/dn/+/+", reads]
    acl.write_text("\n".join(lines) + "\n", encoding="utf-8")


def reread(broker: Mosquitto) -> None:
    """Let the broker read its access list again."""
    os.kill(broker.pid, signal.SIGHUP)


def raised(platform: Platform, kind: str, state: str = "raised") -> Any:
    return platform.wait_for("event", lambda e: (e["type"], e["st"]) == (kind, state))


def test_a_denied_topic_waits_apart_and_comes_whole_when_it_is_allowed(scene: Scene) -> None:
    acl = scene.base / "acl"
    allow(acl, denied=DENIED)
    with (
        mosquitto(scene.base, f"acl_file {acl}") as broker,
        Platform(broker.port) as platform,
    ):
        with scene.gateway(url_of(broker)) as gateway:
            raised(platform, "stream_refused")
            platform.wait(lambda: len(platform.of("prop", "em-1")) >= 20, "the others go on")
            settled(gateway)
            seen = sink_status(gateway)
            assert seen["refused_stream_count"] == 1
            assert DENIED in seen["refused_streams"][0]
            assert seen["connects"] == 1
            assert seen["dead_letters"] == 0
            tried = seen["refused"]
            assert gateway.stop() == 0
        kept = [r for r in scene.refused() if r["kind"] == "prop"]
        assert {r["dev"] for r in kept} == {DENIED}
        assert tried < len(kept), "most were set aside without asking the broker each time"
        assert not platform.of("prop", DENIED)
        allow(acl, denied=None)
        reread(broker)
        with scene.gateway(url_of(broker)) as gateway:  # and a restart forgets nothing
            raised(platform, "stream_refused", "cleared")
            until(lambda: _kept(gateway) == 0, "all that was kept has left")
            settled(gateway)
            assert gateway.stop() == 0
        found = scene.audited(platform)
        assert scene.refused() == []
    clean(found)
    wanted = {r["seq"] for r in kept}
    assert wanted <= {r["seq"] for r in platform.records() if r["dev"] == DENIED}


def _kept(gateway: GatewayProcess) -> int:
    return len(asked(gateway, "outbox", what="refused"))


def test_nobody_listening_is_told_and_ends(scene: Scene) -> None:
    with mosquitto(scene.base) as broker, scene.gateway(url_of(broker)) as gateway:
        until(lambda: sink_status(gateway)["is_unheard"], "it is seen")
        with Platform(broker.port) as platform:
            until(lambda: not sink_status(gateway)["is_unheard"], "it ends")
            raised(platform, "nobody_listens", "cleared")


def test_what_nobody_hears_is_held_when_asked_for(scene: Scene) -> None:
    with (
        mosquitto(scene.base) as broker,
        scene.gateway(url_of(broker), ", hold_unheard: true") as gateway,
    ):
        until(lambda: status(gateway)["committed"] >= 60, "records")
        assert sink_status(gateway)["nobody_listens"] < 60
        with Platform(broker.port) as platform:
            platform.wait(lambda: platform.auditor.received >= 60, "they come")
            settled(gateway)
            assert gateway.stop() == 0
            found = scene.audited(platform)
    clean(found)
    assert min(r["seq"] for r in platform.records()) == 1, "from the very first record on"


def test_on_3_1_1_a_canary_sees_that_we_are_denied(scene: Scene) -> None:
    acl = scene.base / "acl"
    allow(acl, denied=None)
    with (
        mosquitto(scene.base, f"acl_file {acl}") as broker,
        Platform(broker.port) as platform,
        scene.gateway(url_of(broker), ", mqtt: '3.1.1'") as gateway,
    ):
        until(lambda: sink_status(gateway)["refusal_proof"] == "proven", "an echo comes")
        settled(gateway)
        acl.write_text(f"topic read fc/1/+/+/up/#\ntopic readwrite {MARKER}\n", encoding="utf-8")
        reread(broker)
        until(lambda: sink_status(gateway)["refusal_proof"] == "denied", "it stays away")
        allow(acl, denied=None)
        reread(broker)
        until(lambda: sink_status(gateway)["refusal_proof"] == "proven", "it is back")
        settled(gateway)
        raised(platform, "publish_denied", "cleared")
        assert gateway.stop() == 0
        found = scene.audited(platform)
    clean(found)


def test_on_3_1_1_without_an_echo_it_is_said_that_nobody_can_see_a_refusal(scene: Scene) -> None:
    acl = scene.base / "acl"
    acl.write_text(
        f"topic write {BASE_TOPIC}/up/#\ntopic read {BASE_TOPIC}/dn/#\n"
        f"user platform\ntopic read fc/#\n",
        encoding="utf-8",
    )
    with (
        mosquitto(scene.base, f"acl_file {acl}") as broker,
        scene.gateway(url_of(broker), ", mqtt: '3.1.1'") as gateway,
    ):
        until(lambda: sink_status(gateway)["refusal_proof"] == "impossible", "no echo ever came")
        settled(gateway)


def test_the_next_broker_of_the_list_is_used_at_once(scene: Scene) -> None:
    first = free_port()
    with mosquitto(scene.base) as second, Platform(second.port) as platform:
        urls = [f"mqtt://127.0.0.1:{first}", "mqtt://no-such-host.invalid", url_of(second)]
        sinks = f"  platform: {{dialect: native, url: {json.dumps(urls)}}}"
        with GatewayProcess(scene.site("", sinks=sinks), scene.folders) as gateway:
            gateway.wait_ready()
            platform.wait_for("prop")
            seen = sink_status(gateway)
            assert seen["broker"] == f"127.0.0.1:{second.port}"
            assert len(seen["brokers"]) == 3
            settled(gateway)
            assert gateway.stop() == 0
        found = scene.audited(platform)
    clean(found)


def test_a_frozen_broker_of_one_sink_holds_no_other(scene: Scene) -> None:
    (scene.base / "a").mkdir()
    (scene.base / "b").mkdir()
    with (
        mosquitto(scene.base / "a") as frozen,
        mosquitto(scene.base / "b") as other,
        Platform(other.port) as platform,
    ):
        sinks = (
            f"  frozen: {{dialect: native, url: '{url_of(frozen)}'}}\n"
            f"  platform: {{dialect: native, url: '{url_of(other)}'}}"
        )
        with GatewayProcess(scene.site("", sinks=sinks), scene.folders) as gateway:
            gateway.wait_ready()
            until(lambda: sink_status(gateway, "frozen")["delivered"] >= 10, "both work")
            frozen.freeze()
            scene.wet(1, is_on=True)
            platform.wait_for("event", lambda e: e["type"] == "leak")
            platform.wait(lambda: platform.auditor.received >= 200, "values go on")
            settled(gateway)
            assert sink_status(gateway)["connects"] == 1
            frozen.thaw()
            settled(gateway, "frozen")
            assert gateway.stop() == 0
        found = scene.audited(platform)
    clean(found)


def test_a_cluster_of_three_loses_a_node_under_load_and_nothing_else(
    scene: Scene, tmp_path: Path
) -> None:
    with nats_cluster(tmp_path / "nats") as cluster:
        urls = [f"mqtt://127.0.0.1:{node.mqtt_port}" for node in cluster.nodes]
        sinks = f"  platform: {{dialect: native, url: {json.dumps(urls)}, keepalive: 3s}}"
        survivor = cluster.nodes[2]
        with (
            Platform(survivor.mqtt_port, name="platform", is_v5=False) as platform,
            GatewayProcess(scene.site("", sinks=sinks), scene.folders) as gateway,
        ):
            gateway.wait_ready()
            platform.wait(lambda: platform.auditor.received >= 60, "records")
            used = sink_status(gateway)["broker"]
            assert used == f"127.0.0.1:{cluster.nodes[0].mqtt_port}"
            cluster.nodes[0].kill()
            until(lambda: sink_status(gateway)["broker"] != used, "another node is used")
            before = platform.auditor.received
            platform.wait(lambda: platform.auditor.received >= before + 60, "records again")
            settled(gateway)
            until(lambda: platform.has_all(BASE_TOPIC), "what the dead node had and passed on not")
            assert gateway.stop() == 0
            found = scene.audited(platform)
    clean(found)

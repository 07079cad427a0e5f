"""U16: a broker acknowledges what it keeps in memory only, and is killed: replay brings it back."""

from __future__ import annotations

import json

from tests.e2e.kit_gateway import sink_status, status, until
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_backlog import backlog
from tests.faults.uplink_stage import BASE_TOPIC, Scene, clean, settled, url_of
from tests.support.mosquitto import mosquitto

OFFLINE = "archive"
"""A durable subscriber that is away while the broker dies."""


def run(stage: Stage) -> Verdict:
    """Let a durable session at the broker gather records, kill the broker, then ask for them."""
    folder = stage.folder / "broker"
    folder.mkdir()
    config = ("persistence true", f"persistence_location {folder}/", "max_inflight_messages 0")
    with Scene(stage.folder) as scene, mosquitto(stage.folder, *config) as broker:
        with Platform(broker.port, name=OFFLINE):
            pass
        broker.restart()  # it has written down that the session exists, as after any night
        # More than 10,000 records in the full form, and what the field says beside them.
        backlog(scene.state, records=stage.times(10_000, 1_000), devices=scene.units)
        with scene.gateway(url_of(broker)) as gateway:
            settled(gateway)
            scene.field.silent.update(range(1, scene.units + 1))
            acknowledged = status(gateway)["outbox"]["last_seq"]
            settled(gateway)
            broker.kill()
            broker.start()
            until(lambda: sink_status(gateway)["connected"], "connected again")
            with Platform(broker.port, name=OFFLINE) as platform:
                settled(gateway)
                first = {r["seq"] for r in platform.records()}
                missing = acknowledged - len([s for s in range(1, acknowledged + 1) if s in first])
                ep = next(r["ep"] for r in platform.records())
                request = json.dumps({"ep": ep, "resend": [[1, acknowledged]]})
                platform.publish(f"{BASE_TOPIC}/dn/ack/_", request)
                platform.wait(lambda: _has_all(platform, acknowledged), "what was asked for")
                settled(gateway)
                assert gateway.stop() == 0
                found = scene.audited(platform)
    assert missing > 0, "the broker lost nothing: the fault was not injected"
    clean(found)
    return holds(
        f"{missing} of {acknowledged} acknowledged records lost by the broker, all of them "
        f"replayed on request; {found.sentence()}",
        lost_by_broker=missing,
        **found.figures(),
    )


def _has_all(platform: Platform, upto: int) -> bool:
    return len({r["seq"] for r in platform.records() if r["seq"] <= upto}) == upto


ROW = Row(
    id="U16",
    fault="broker killed after PUBACK",
    tool="kill -9 to mosquitto with an offline durable subscriber",
    must_hold="what it had acknowledged comes again when the platform asks for it by range",
    goal="0 of 10,000 lost after the replay",
    run=run,
)

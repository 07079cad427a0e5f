"""U6: the broker's access list denies topics: 0x87 under MQTT 5, silence under 3.1.1."""

from __future__ import annotations

from tests.e2e.kit_gateway import sink_status, status, until
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_stage import (
    BASE_TOPIC,
    MARKER,
    Scene,
    clean,
    settled,
    url_of,
    within,
)
from tests.support.mosquitto import mosquitto

TOLD_S = 5.0
DENIED = "em-2"


def run(stage: Stage) -> Verdict:
    """Deny the values of one device of three; then look at the same through MQTT 3.1.1."""
    acl = stage.folder / "acl"
    allowed = [f"{BASE_TOPIC}/up/{kind}/+" for kind in ("birth", "state", "event", "log", "gap")]
    allowed += [f"{BASE_TOPIC}/up/{kind}/em-{n}" for kind in ("prop", "hist") for n in (1, 3)]
    lines = [*(f"topic readwrite {topic}" for topic in (*allowed, MARKER))]
    lines += ["topic read fc/1/+/+/up/#", f"topic read {BASE_TOPIC}/dn/+/+"]
    acl.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (
        Scene(stage.folder) as scene,
        mosquitto(stage.folder, f"acl_file {acl}") as broker,
        Platform(broker.port) as platform,
    ):
        with scene.gateway(url_of(broker)) as gateway:
            began_ms = status(gateway)["now"]
            until(lambda: sink_status(gateway)["refused"] >= 1, "a refusal is seen")
            told_s = (status(gateway)["now"] - began_ms) / 1000
            platform.wait(lambda: len(platform.of("prop", "em-1")) >= 20, "the others go on")
            told = platform.wait_for("event", device="_").body
            settled(gateway)
            streams = sink_status(gateway)["refused_streams"]
            connects = sink_status(gateway)["connects"]
            assert gateway.stop() == 0
        found, refused = scene.audited(platform), scene.refused()
        assert not platform.of("prop", DENIED), "the broker did not deny"
        with scene.gateway(url_of(broker), ", mqtt: '3.1.1'") as gateway:
            until(lambda: sink_status(gateway)["published"] >= 20, "it publishes")
            if not stage.is_short:  # a canary of the gateway's own has ten seconds to come back
                until(lambda: sink_status(gateway)["refusal_proof"] != "waiting", "a proof")
            silent = sink_status(gateway)
            assert gateway.stop() == 0
    assert connects == 1, f"a refusal ended {connects - 1} connections"
    assert {r["dev"] for r in refused if r["kind"] == "prop"} == {DENIED}
    assert all("0x87" in r["reason"] for r in refused if r["kind"] == "prop")
    assert any(DENIED in stream for stream in streams), streams
    clean(found)
    within(stage, told_s, TOLD_S, "the refusal is shown")
    return holds(
        f"MQTT 5: shown after {told_s:.1f} s, {len(refused)} kept, event "
        f"`{told['type']}`, others go on, "
        f"{found.sentence()}; MQTT 3.1.1: the broker says yes to what it throws away "
        f"({silent['refused']} refusals seen), proof by canary: {silent['refusal_proof']}",
        told_s=told_s,
        kept=len(refused),
        refusals_seen_on_3_1_1=silent["refused"],
        **found.figures(),
    )


ROW = Row(
    id="U6",
    fault="topic denied by the broker's access list",
    tool="mosquitto acl_file",
    must_hold="record kept and shown as refused, the others go on; on 3.1.1 openly undetectable",
    goal="0 deleted; shown within 5 s",
    run=run,
)

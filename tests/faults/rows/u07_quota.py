"""U7: the broker has enough: 0x97 and 0x83 in PUBACK, then 0x89 (busy) in CONNACK."""

from __future__ import annotations

from tests.e2e.kit_gateway import sink_status, status, until
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_scripted import ScriptedThread
from tests.faults.uplink_stage import Scene, clean, committed, settled
from tests.support.gateway_process import GatewayProcess

QUOTA, IMPLEMENTATION, BUSY = 0x97, 0x83, 0x89


def run(stage: Stage) -> Verdict:
    """Refuse for a while with each code; count what is tried meanwhile."""
    tried: dict[str, int] = {}
    with Scene(stage.folder) as scene, ScriptedThread() as broker:
        yes = broker.script.acknowledge
        with scene.gateway(broker.url) as gateway:
            committed(gateway, 10)
            window = sink_status(gateway)["window"]
            for code in (QUOTA, IMPLEMENTATION):
                first, taken = len(broker.got), status(gateway)["committed"]
                broker.script.acknowledge = broker.judging(lambda _got, code=code: code)
                committed(gateway, taken + stage.times(1500, 100))
                broker.script.acknowledge = yes
                tried[f"0x{code:02X}"] = len(broker.got) - first
                settled(gateway)
            if not stage.is_short:  # it is left alone for longer than the short form may take
                tried["CONNACK 0x89"] = _busy(broker, gateway)
            settled(gateway)
            assert gateway.stop() == 0
        found = scene.compared(broker.accepted)
        refused = scene.refused()
    assert not refused, f"{len(refused)} records were given up"
    clean(found)
    most = stage.times(8, 4)
    for code in ("0x97", "0x83"):
        # One window in each pause; pauses double, so that a minute has no more than a few.
        assert tried[code] <= most * window, f"{code}: {tried[code]} tries, window {window}"
    connects = tried.get("CONNACK 0x89", 0)
    assert connects <= most, f"{connects} connects to a busy broker"
    tries = ", ".join(f"{code}: {count} tries" for code, count in tried.items())
    return holds(f"{tries}; {found.sentence()}", tried=tried, **found.figures())


def _busy(broker: ScriptedThread, gateway: GatewayProcess) -> int:
    """Refuse connections for a while; return how many came."""
    before = len(broker.connections)
    broker.script.connack = BUSY
    broker.cut()
    broker.until(lambda: len(broker.connections) > before, "it comes again")
    committed(gateway, status(gateway)["committed"] + 1500)
    broker.script.connack = 0
    until(lambda: sink_status(gateway)["connected"], "connected again")
    return len(broker.connections) - before


ROW = Row(
    id="U7",
    fault="quota exceeded (0x97), implementation specific (0x83), server busy (0x89)",
    tool="scripted broker",
    must_hold="backs off, keeps everything",
    goal="0 lost",
    run=run,
)

"""U13: the broker's certificate has expired, is of another authority, or of another host."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from tests.e2e.kit_gateway import status, until
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_proxy import Proxy
from tests.faults.uplink_stage import Scene
from tests.support.certificates import Authority, Pair
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import Mosquitto, mosquitto

HOST = "127.0.0.1"
CAUSES = {
    "expired": "has expired",
    "authority": "was not signed by the `ca` of this sink",
    "host": "is for another",
}
MOST_BYTES = 4096
"""Of one handshake that breaks off; a birth alone would be more than the rest of it."""


def run(stage: Stage) -> Verdict:
    """Give one gateway three platforms, each with a fault of its own."""
    ours, theirs = Authority(stage.folder, "ours"), Authority(stage.folder, "theirs")
    pairs = {
        "expired": ours.issue(HOST, not_before="20200101000000Z", not_after="20210101000000Z"),
        "authority": theirs.issue(HOST),
        "host": ours.issue("elsewhere.example"),
    }
    with Scene(stage.folder) as scene, ExitStack() as stack:
        brokers = {
            name: stack.enter_context(_broker(stage.folder / name, pair))
            for name, pair in pairs.items()
        }
        proxies = {n: stack.enter_context(Proxy(b.port)) for n, b in brokers.items()}
        sinks = "\n".join(
            f'  {name}: {{url: "mqtts://{HOST}:{proxy.port}", tls: {{ca: "{ours.certificate}"}}}}'
            for name, proxy in proxies.items()
        )
        with GatewayProcess(scene.site("", sinks=sinks), scene.folders) as gateway:
            gateway.wait_ready()

            def said() -> dict[str, str]:
                return {sink["name"]: sink["why"] for sink in status(gateway)["sinks"]}

            for name, cause in CAUSES.items():
                until(lambda n=name, c=cause: c in said()[n], f"{name}: {cause}; {said()}")
            tries = stage.times(4, 2)
            until(lambda: min(p.accepted for p in proxies.values()) >= tries, "more attempts")
            until(lambda: status(gateway)["committed"] >= 50, "it keeps on committing")
            words, depths = said(), status(gateway)["outbox"]["depths"]
            assert gateway.stop() == 0
    for name, proxy in proxies.items():
        assert CAUSES[name] in words[name], words[name]
        each = proxy.up_bytes / proxy.accepted
        assert each <= MOST_BYTES, f"{name}: {each:.0f} bytes sent in an attempt"
        log = brokers[name].read_log()
        assert "New client connected" not in log, f"{name}: CONNECT came through"
        waiting = sum(d["depth"] for d in depths if d["sink"] == name)
        assert waiting >= 50, f"{name}: {waiting} records wait"
    attempts = sum(proxy.accepted for proxy in proxies.values())
    said_text = "; ".join(f"{name}: {_tail(words[name])}" for name in sorted(words))
    return holds(
        f"{attempts} attempts, 0 CONNECT and 0 PUBLISH reached a broker, records wait; {said_text}",
        attempts=attempts,
        said=words,
    )


def _broker(folder: Path, pair: Pair) -> AbstractContextManager[Mosquitto]:
    folder.mkdir()
    return mosquitto(folder, f"certfile {pair.certificate}", f"keyfile {pair.key}")


def _tail(why: str) -> str:
    return why.split(": ", 1)[-1]


ROW = Row(
    id="U13",
    fault="broker's certificate expired, from a wrong authority, for a wrong host",
    tool="openssl, mosquitto",
    must_hold="refused, the message names the cause, the store fills",
    goal="0 bytes of payload sent",
    run=run,
)

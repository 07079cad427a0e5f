"""U14: our certificate and key are replaced on disk while the gateway runs."""

from __future__ import annotations

import time
from shutil import copyfile

from tests.e2e.kit_gateway import asked, until
from tests.e2e.kit_platform import Platform
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_proxy import Proxy
from tests.faults.uplink_stage import Scene, clean, committed, settled, within
from tests.support.certificates import Authority, Pair
from tests.support.mosquitto import free_port, mosquitto

GAP_S = 2.0
OLD, NEW = "gw-old", "gw-new"


def run(stage: Stage) -> Verdict:
    """Swap the files, reload, cut the connection; the next one shows the new certificate."""
    authority = Authority(stage.folder, "ours")
    server, pairs = authority.issue("127.0.0.1"), [authority.issue(name) for name in (OLD, NEW)]
    ours = Pair(stage.folder / "our.pem", stage.folder / "our.key")
    _place(pairs[0], ours)
    plain = free_port()
    config = (
        f"cafile {authority.certificate}",
        f"certfile {server.certificate}",
        f"keyfile {server.key}",
        "require_certificate true",
        "use_identity_as_username true",
        f"listener {plain} 127.0.0.1",
    )
    with (
        Scene(stage.folder) as scene,
        mosquitto(stage.folder, *config) as broker,
        Proxy(broker.port) as proxy,
        Platform(plain) as platform,
    ):
        tls = (
            f', tls: {{ca: "{authority.certificate}", certificate: "{ours.certificate}", '
            f'key: {{file: "{ours.key}"}}}}'
        )
        with scene.gateway(f"mqtts://127.0.0.1:{proxy.port}", tls) as gateway:
            committed(gateway, 20)
            settled(gateway)
            assert _has_come(broker.read_log(), OLD)
            _place(pairs[1], ours)
            assert asked(gateway, "reload")["applied"]
            proxy.reset()  # where the reload itself does not begin a new connection
            cut_at, before = time.monotonic(), len(platform.so_far())
            until(lambda: _has_come(broker.read_log(), NEW), "the new certificate")
            platform.wait_for("prop", after=before)
            gap_s = time.monotonic() - cut_at
            settled(gateway)
            assert gateway.stop() == 0
        found = scene.audited(platform)
    clean(found)
    within(stage, gap_s, GAP_S, "from the cut to the next live value")
    return holds(
        f"new certificate in use, live values {gap_s:.1f} s after the cut, no restart; "
        f"{found.sentence()}",
        gap_s=gap_s,
        **found.figures(),
    )


def _place(pair: Pair, at: Pair) -> None:
    copyfile(pair.certificate, at.certificate)
    copyfile(pair.key, at.key)


def _has_come(log: str, name: str) -> bool:
    return any("New client connected" in line and f"u'{name}'" in line for line in log.split("\n"))


ROW = Row(
    id="U14",
    fault="certificate rotation",
    tool="files swapped, `reload`, RST by the TCP proxy",
    must_hold="the next connection uses the new certificate, without a restart",
    goal="0 lost, gap at most 2 s",
    run=run,
)

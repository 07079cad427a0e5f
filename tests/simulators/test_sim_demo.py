"""The parts of the demo: its site, its brokers, its screen, what it reads of the gateway."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
from pathlib import Path

import aiomqtt
import pytest

from simulators.demo.broker import broker
from simulators.demo.community import prepare
from simulators.demo.gateway import GatewayStatus, LineLoad, read_status
from simulators.demo.screen import Picture, Screen
from simulators.platform import Auditor, BrokerAddress, end_watch, watch


def test_the_demo_site_has_what_it_promises(tmp_path: Path) -> None:
    demo = prepare(tmp_path, 18830)
    links = [type(line.link).__name__ for line in demo.site.lines.values()]
    assert links.count("SerialPort") >= 2
    assert "TcpClient" in links
    assert all(line.is_simulated for line in demo.site.lines.values())
    kinds = {device.kind for device in demo.site.devices.values()}
    assert kinds >= {
        "meter.electricity", "meter.water", "parking.space", "parking.barrier",
        "security.smoke", "security.leak", "security.gas", "security.door",
    }  # fmt: skip
    assert demo.script.faults
    assert demo.script.faults.keys() <= demo.site.devices.keys()
    soon = {h.device for h in demo.script.happenings if h.at_s < 20}
    assert soon <= demo.site.devices.keys()
    assert {"gate-1", "door-1", "leak-1"} <= soon
    assert next(iter(demo.site.sinks.values())).port == 18830


async def publish_twenty(at: BrokerAddress) -> None:
    version = aiomqtt.ProtocolVersion.V5 if at.has_mqtt5 else aiomqtt.ProtocolVersion.V311
    async with aiomqtt.Client(at.host, at.port, protocol=version) as client:
        for seq in range(1, 21):
            record = {"gw": "g", "ep": 1, "seq": seq, "pv": seq - 1 or None, "ts": seq}
            await client.publish("fc/1/s/g/up/prop/d", json.dumps(record), qos=1)


@pytest.mark.parametrize("embedded", [False, True])
async def test_either_broker_carries_what_the_platform_audits(
    tmp_path: Path, *, embedded: bool
) -> None:
    if not embedded and shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None:
        pytest.fail("mosquitto is missing: make test installs it")
    auditor, ready = Auditor(), asyncio.Event()
    async with broker(tmp_path, embedded=embedded) as running, asyncio.TaskGroup() as tasks:
        tasks.create_task(watch(running.at, "fc", auditor, ready))
        async with asyncio.timeout(30):
            await ready.wait()
            await publish_twenty(running.at)
            await end_watch(running.at)
    assert running.name == ("amqtt" if embedded else "mosquitto")
    assert (auditor.received, auditor.lost, auditor.duplicates) == (20, 0, 0)


def test_a_status_answer_is_read() -> None:
    status = read_status(
        {
            "taken": 10,
            "committed": 7,
            "outbox": {"depths": [{"sink": "p", "lane": "event", "depth": 2}, {"depth": 3}]},
            "lines": [
                {"line": "meters", "load_percent": 41.26, "errors": [["timeout", 2], ["crc", 1]]}
            ],
        }
    )
    assert status == GatewayStatus(10, 7, 5, (LineLoad("meters", 41.3, 3),))
    assert read_status({}) == GatewayStatus(0, 0, 0, ())


def test_without_a_terminal_the_screen_is_plain_lines() -> None:
    out = io.StringIO()
    screen = Screen(out)
    auditor = Auditor()
    status = GatewayStatus(10, 7, 0, (LineLoad("meters", 41.3, 3),))
    screen.tell("A car comes.")
    for second in range(6):
        screen.draw(Picture(float(second), "mosquitto", ["em-01"], auditor, status))
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().splitlines() == [
        "* A car comes.",
        "   0 s: taken 10, committed 7, outbox 0; received 0, lost 0, duplicate 0, false 0",
        "   5 s: taken 10, committed 7, outbox 0; received 0, lost 0, duplicate 0, false 0",
    ]


class Terminal(io.StringIO):
    """A terminal in memory."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_page_shows_lines_values_events_and_happenings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    screen = Screen(out)
    auditor = Auditor()
    points = [{"p": "u_a", "v": 230.1, "u": "V"}, {"p": "i_a", "v": None, "q": 0, "qr": "timeout"}]
    record = {"gw": "g", "ep": 1, "seq": 1, "ts": 5, "pts": points}
    auditor.take("fc/1/s/g/up/prop/em-01", json.dumps(record).encode())
    event = {"gw": "g", "ep": 1, "seq": 2, "ts": 5, "type": "leak", "st": "raised", "sev": 3}
    auditor.take("fc/1/s/g/up/event/leak-1", json.dumps(event).encode())
    auditor.take("fc/1/s/g/up/state/em-02", b'{"online": false}')
    screen.tell("Water in the pump room.")
    status = GatewayStatus(10, 7, 0, (LineLoad("meters", 41.3, 3),))
    screen.draw(Picture(3.0, "mosquitto", ["em-01", "em-02"], auditor, status))
    page = out.getvalue()
    for text in (
        "meters", "41.3 %", "u_a 230.1 V", "i_a (timeout)", "leak raised", "em-02        offline",
        "Water in the pump room.",
    ):  # fmt: skip
        assert text in page
    assert "\x1b[1m" not in page

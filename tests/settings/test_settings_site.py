"""Sites: expansion, tables, several files, defaults, and what is shared."""

from __future__ import annotations

from decimal import Decimal

from estate import SITE, Estate

from gateway.model.link import SerialPort, TcpClient, TcpListener
from gateway.settings.load import load_site
from gateway.settings.site import (
    At,
    Deadband,
    Device,
    Every,
    Site,
)
from gateway.settings.site_sinks import Broker, Secret

HEAD = SITE[: SITE.index("devices:")]


def site_of(estate: Estate, text: str) -> Site:
    result = estate.load(text)
    assert result.site is not None, [p.text() for p in result.problems]
    return result.site


def by_name(site: Site) -> dict[str, Device]:
    return {str(name): device for name, device in site.devices.items()}


def test_each_makes_devices_and_except_changes_single_ones(estate: Estate) -> None:
    text = (
        HEAD
        + """\
devices:
  - id: em-{n:02}
    each: {n: 1..4}
    profile: test/meter
    bus: m
    address: "{n+10}"
    location: {bldg: "3", room: "{n}"}
    poll: {power: 30s, energy: {at: 15m}}
    except: {2: {address: 117, poll: {power: 5s}}, 4: {disabled: vacant flat}}
"""
    )
    site = site_of(estate, text)
    devices = by_name(site)
    assert list(devices) == ["em-01", "em-02", "em-03"]
    assert site.disabled == {"em-04": "vacant flat"}
    assert [d.address_text for d in devices.values()] == ["11", "117", "13"]
    assert devices["em-03"].location.parts == {"bldg": "3", "room": "3"}
    polls = {str(p.id): p.poll for p in devices["em-02"].points}
    assert polls["u_a"] == Every(5.0)
    assert polls["ep_imp"] == At(900.0)


def test_equal_devices_share_one_tuple_of_points(estate: Estate) -> None:
    text = (
        HEAD
        + """\
devices:
  - {id: "a-{n}", each: {n: 1..50}, profile: test/meter, bus: m, address: "{n}"}
  - {id: b-1, profile: test/meter, bus: t, address: 1}
  - {id: b-2, profile: test/meter, bus: t, address: 2, deadband: {u_a: 1%}}
"""
    )
    devices = by_name(site_of(estate, text))
    assert len({id(device.points) for device in devices.values()}) == 2
    assert devices["a-1"].points is devices["b-1"].points
    own = {str(p.id): p for p in devices["b-2"].points}
    assert own["u_a"].deadband == Deadband(percent=1.0)
    assert own["ep_imp"].address is devices["a-1"].points[1].address


def test_a_table_gives_devices_and_its_addresses_keep_their_zeros(estate: Estate) -> None:
    estate.write(
        "b3.csv",
        "\ufeffid,address,title,location.room,set.device\r\n"
        'p-1,007,"Panel, north",301,7\r\n'
        "\r\n"
        "p-2,2,,302,8\r\n",
    )
    text = HEAD + "devices:\n  - {from: b3.csv, profile: test/panel, bus: t, priority: alarm}\n"
    site = site_of(estate, text)
    devices = by_name(site)
    assert devices["p-1"].address_text == "007"
    assert devices["p-1"].title == {"en": "Panel, north", "zh": "Panel, north"}
    assert devices["p-2"].location.parts == {"room": "302"}
    assert (devices["p-2"].where.file.endswith("b3.csv"), devices["p-2"].where.line) == (True, 4)
    assert any(path.name == "b3.csv" for path in site.files)


def test_faults_of_a_table_are_told_at_their_row(estate: Estate) -> None:
    estate.write(
        "b3.csv",
        "id,address,location.room\n"
        "d-1,1,301\n"
        "D 2,2,302\n"
        "d-3,3\n"
        "d-4,1.23457E+11,304\n"
        "d-5,300,305\n"
        "d-1,6,306\n",
    )
    result = estate.load(HEAD + "devices:\n  - {from: b3.csv, profile: test/meter, bus: m}\n")
    told = [(p.file.rsplit("/", 1)[1], p.line, p.column, p.code) for p in result.problems]
    assert [t for t in told if t[3] != "LG-PROF-07"] == [
        ("b3.csv", 3, 1, "LG-VAL-06"),
        ("b3.csv", 4, 1, "LG-CSV-03"),
        ("b3.csv", 5, 5, "LG-CSV-04"),
        ("b3.csv", 5, 5, "LG-DEV-05"),
        ("b3.csv", 6, 5, "LG-DEV-05"),
        ("b3.csv", 7, 1, "LG-DEV-01"),
    ]


def test_a_table_that_is_missing_or_has_odd_columns_is_told(estate: Estate) -> None:
    entry = HEAD + "devices:\n  - {from: b3.csv, profile: test/meter, bus: m}\n"
    assert estate.errors(entry) == ["7:12 LG-CSV-05"]
    for table, code in {
        b"id,adress\n1,2\n": "LG-CSV-02",
        b"address\n1\n": "LG-CSV-01",
        b"id,id\na,b\n": "LG-YAML-03",
        "id,title\na,东门\n".encode("gbk"): "LG-YAML-11",
        b'id,address\n"a,1\n': "LG-CSV-05",
        b"": "LG-CSV-01",
        b"id,address\0\n": "LG-YAML-13",
    }.items():
        estate.write("b3.csv", table)
        assert [e.split()[1] for e in estate.errors(entry)] == [code]


def test_a_folder_is_gateway_yaml_and_conf_d(estate: Estate) -> None:
    estate.write("gateway.yaml", HEAD)
    estate.write(
        "conf.d/b3.yaml",
        "version: 1\ndevices: [{id: d-1, profile: test/meter, bus: m, address: 1}]\n",
    )
    estate.write("conf.d/b4.yaml", "version: 1\nbuses: {x: {tcp: 'h:502'}}\n")
    for path in (estate.folder, estate.folder / "gateway.yaml"):
        site = load_site(path, profile_dirs=[estate.folder / "profiles"]).site
        assert site is not None
        assert list(site.lines) == ["m", "t", "x"]
        assert list(site.devices) == ["d-1"]
    estate.write(
        "conf.d/b5.yaml", "version: 1\nbuses: {x: {tcp: 'h:503'}}\ngateway: {id: a, site: b}\n"
    )
    result = load_site(estate.folder, profile_dirs=[estate.folder / "profiles"])
    assert [(p.file[-7:], p.line, p.code) for p in result.problems if p.severity == "error"] == [
        ("b5.yaml", 2, "LG-SITE-02"),
        ("b5.yaml", 3, "LG-SITE-02"),
    ]


def test_the_digest_changes_with_every_file_that_was_read(estate: Estate) -> None:
    first = site_of(estate, SITE)
    assert site_of(estate, SITE).digest == first.digest
    assert {path.name for path in first.files} == {"site.yaml", "meter.yaml", "test.meter.yaml"}
    estate.write(
        "profiles/test/meter.yaml",
        (estate.folder / "profiles/test/meter.yaml").read_bytes() + b"# x\n",
    )
    assert site_of(estate, SITE).digest != first.digest


def test_defaults_fill_in_and_devices_override(estate: Estate) -> None:
    text = (
        HEAD
        + """\
defaults:
  poll: {energy: 5m}
  timeout: 800ms
  retries: 1
  offline_after: 4 polls
  deadband: 2%
devices:
  - {id: d-1, profile: test/meter, bus: m, address: 1}
  - {id: d-2, profile: test/meter, bus: m, address: 2, timeout: auto, retries: 0, poll: 1s,
     offline_after: 1 poll,
     points: {u_a: {offset: -0.1, range: [200, 250]}, p_tot: {disabled: broken}}}
"""
    )
    devices = by_name(site_of(estate, text))
    first, second = devices["d-1"], devices["d-2"]
    assert (first.retries, first.offline_after, first.timeout_s) == (1, 4, 0.8)
    assert (second.retries, second.offline_after, second.timeout_s) == (0, 1, None)
    points = {str(p.id): p for p in first.points}
    assert points["ep_imp"].poll == Every(300.0)
    assert points["u_a"].deadband == Deadband(percent=2.0)
    assert {p.poll for p in second.points} == {Every(1.0)}
    assert "p_tot" not in {p.id for p in second.points}
    own = {str(p.id): p for p in second.points}["u_a"]
    assert (own.offset, own.minimum, own.maximum) == (Decimal("-0.1"), 200.0, 250.0)


def test_buses_of_every_kind_become_lines(estate: Estate) -> None:
    text = """\
version: 1
gateway: {id: gw-01, site: s-001}
buses:
  a: {port: by-path/a, line: 2400 8E1, pause: 5ms, echo: on, rs485: true}
  b: {tcp: "[::1]:502", in_flight: 4}
  c: {rtu-over-tcp: "10.0.0.2:4001", simulated: true}
  d: {listen: {port: 5020, registration: "hex:01 02", prefix: true, heartbeat: ping}}
  e: {udp: "10.0.0.3:502"}
  f: {memory: loop}
"""
    lines = {str(name): line for name, line in site_of(estate, text).lines.items()}
    assert lines["a"].link == SerialPort("by-path/a", 2400, 8, "E", 1, rs485=True)
    assert (lines["a"].pause_s, lines["a"].echo, lines["a"].protocol) == (0.005, "on", "modbus-rtu")
    assert lines["b"].link == TcpClient("::1", 502)
    assert (lines["b"].protocol, lines["b"].in_flight) == ("modbus-tcp", 4)
    assert (lines["c"].protocol, lines["c"].is_simulated) == ("modbus-rtu", True)
    registered = TcpListener("0.0.0.0", 5020, b"\1\2", is_prefix=True, heartbeat=b"ping")  # noqa: S104 - default
    assert lines["d"].link == registered
    assert lines["e"].protocol == "modbus-tcp"


def test_sinks_name_their_secrets(estate: Estate) -> None:
    text = HEAD + (
        "sinks:\n"
        "  p: {url: 'mqtts://b.example', credentials: {credential: p}, keepalive: 15s,\n"
        "      tls: {ca: /etc/ca.pem, certificate: /etc/c.pem, key: {file: /etc/k.pem}}}\n"
        "  q: {url: 'mqtt://[fe80::1]:1884', username: me, password: {env: Q_PASSWORD}}\n"
    )
    sinks = {str(name): sink for name, sink in site_of(estate, text).sinks.items()}
    assert (sinks["p"].host, sinks["p"].port, sinks["p"].use_tls) == ("b.example", 8883, True)
    assert sinks["p"].credentials == Secret("credential", "p")
    assert sinks["p"].keepalive_s == 15
    assert (sinks["q"].host, sinks["q"].port) == ("fe80::1", 1884)
    assert sinks["q"].password == Secret("env", "Q_PASSWORD")
    listed = HEAD + "sinks: {p: {url: ['mqtts://a', 'mqtt://b:1884'], backfill_share: 0.5}}\n"
    sink = next(iter(site_of(estate, listed).sinks.values()))
    assert (sink.host, sink.others) == ("a", (Broker("b", 1884),))
    for bad, code in {
        "url: 'mqtt://u:p@b'": "LG-SEC-02",
        "url: 'http://b'": "LG-SITE-04",
        "url: 'mqtt://b', password: hunter2": "LG-SEC-01",
        "url: 'mqtt://b', credentials: {}": "LG-VAL-11",
        "url: 'mqtt://b', credentials: {credential: ../x}": "LG-SEC-05",
        "url: 'mqtt://b', tls: {ca: x}": "LG-SITE-07",
        "url: ['mqtt://b', 'mqtt://c', 'mqtt://b:1883']": "LG-SITE-08",
        "url: ['mqtt://b', 'http://c']": "LG-SITE-04",
        "url: []": "LG-VAL-05",
        "url: 'mqtt://b:99999'": "LG-SITE-04",
        "url: 'mqtt://b', credentials: {env: A}, password: {env: B}": "LG-DEV-13",
    }.items():
        assert [e.split()[1] for e in estate.errors(HEAD + f"sinks: {{p: {{{bad}}}}}\n")] == [code]


def test_a_secret_is_never_repeated_in_a_message(estate: Estate) -> None:
    bad = "sinks: {p: {url: 'mqtx://u:hunter2@b', password: hunter2}}\n"
    texts = "".join(problem.text() for problem in estate.load(HEAD + bad).problems)
    assert "hunter2" not in texts

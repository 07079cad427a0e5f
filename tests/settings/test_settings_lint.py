"""What only shows between parts of a site."""

from __future__ import annotations

from estate import SITE, Estate

HEAD = SITE[: SITE.index("devices:")]
ROW = "  - {{id: {id}, profile: {profile}, bus: {bus}, address: {address}{more}}}\n"


def told(estate: Estate, text: str) -> list[str]:
    skipped = {"LG-PROF-07"}
    return [f"{p.line} {p.code}" for p in estate.load(text).problems if p.code not in skipped]


def devices(*rows: tuple[str, str, str, int, str]) -> str:
    names = ("id", "profile", "bus", "address", "more")
    return (
        HEAD + "devices:\n" + "".join(ROW.format(**dict(zip(names, r, strict=True))) for r in rows)
    )


def test_one_address_for_two_meters_is_refused_and_names_the_other(estate: Estate) -> None:
    text = devices(("d-1", "test/meter", "m", 1, ""), ("d-2", "test/meter", "m", 1, ""))
    result = estate.load(text)
    errors = [p for p in result.problems if p.severity == "error"]
    assert [(p.code, p.line) for p in errors] == [("LG-DEV-02", 8)]
    assert "'d-1' in line 7" in errors[0].message


def test_logical_devices_may_share_a_unit(estate: Estate) -> None:
    text = devices(
        ("p-1", "test/panel", "t", 1, ", set: {device: 1}"),
        ("p-2", "test/panel", "t", 1, ", set: {device: 2}"),
        ("d-1", "test/meter", "t", 1, ""),
    )
    assert estate.load(text).site is not None


def test_unverified_profiles_are_warned_about_at_the_device(estate: Estate) -> None:
    text = devices(("p-1", "test/panel", "t", 1, ", set: {device: 1}"))
    assert told(estate, text) == ["7 LG-DEV-16"]


def test_two_speakers_on_one_line_are_refused(estate: Estate) -> None:
    for first, second, code in (
        ("port: by-path/a", "port: /dev/serial/by-path/a", "LG-BUS-06"),
        ("tcp: 'h:1'", "rtu-over-tcp: 'h:1'", "LG-BUS-06"),
        ("memory: x", "memory: x", "LG-BUS-06"),
        ("listen: {port: 1}", "listen: {port: 1}", "LG-BUS-11"),
    ):
        head = "version: 1\ngateway: {id: g, site: s}\nbuses:\n"
        text = f"{head}  a: {{{first}}}\n  b: {{{second}}}\n"
        assert told(estate, text) == [f"5 {code}"]
    apart = (
        "version: 1\ngateway: {id: g, site: s}\nbuses:\n  a: {listen: {port: 1, registration: a}}\n"
    )
    assert told(estate, apart + "  b: {listen: {port: 1, registration: b}}\n") == []


def test_odd_serial_settings_are_warned_about(estate: Estate) -> None:
    head = "version: 1\ngateway: {id: g, site: s}\nbuses:\n"
    result = estate.load(head + "  a: {port: /dev/ttyUSB0, line: 9601 8N1}\n")
    assert result.site is not None
    assert [(p.code, p.column, p.severity) for p in result.problems] == [
        ("LG-BUS-07", 13, "warning"),
        ("LG-BUS-03", 33, "warning"),
    ]
    text = result.problems[1].text()
    assert text.endswith(
        "4:33: buses.a.line: baud 9601 is not a usual rate. Did you mean 9600? [LG-BUS-03]"
    )


def test_a_parity_that_the_profile_does_not_know_is_warned_about(estate: Estate) -> None:
    text = SITE.replace("9600 8N1", "9600 8E1")
    assert told(estate, text) == ["7 LG-BUS-09"]


def test_more_devices_than_unit_loads_are_warned_about(estate: Estate) -> None:
    entry = (
        'devices: [{id: "d-{n}", each: {n: 1..33}, profile: test/meter, bus: m, address: "{n}"}]\n'
    )
    assert told(estate, HEAD + entry) == ["4 LG-BUS-08"]
    assert told(estate, HEAD + entry.replace("33", "32")) == []


def test_requests_in_flight_need_reply_identifiers(estate: Estate) -> None:
    for bus in ("{port: by-path/x, in_flight: 2}", "{rtu-over-tcp: 'h:1', in_flight: 2}"):
        text = f"version: 1\ngateway: {{id: g, site: s}}\nbuses: {{a: {bus}}}\n"
        assert told(estate, text) == ["3 LG-BUS-05"]


def test_an_allow_list_that_allows_nothing_is_told(estate: Estate) -> None:
    text = SITE + (
        "commands:\n  allow:\n"
        "    - {device: 'gate-*', points: [pos_cmd], ops: [set]}\n"
        "    - {device: 'd-*', points: ['*'], ops: [read], sinks: [nowhere]}\n"
    )
    assert told(estate, text) == ["10 LG-SITE-05", "11 LG-SITE-06"]


def test_names_that_nobody_has_are_refused_with_the_nearest(estate: Estate) -> None:
    text = devices(("d-1", "test/metre", "mm", 1, ", poll: {powr: 1s}"))
    problems = estate.load(text).problems
    assert [(p.code, p.column, p.remedy) for p in problems] == [
        ("LG-DEV-04", 24, "Did you mean test/meter?"),
        ("LG-DEV-03", 41, "Did you mean m?"),
    ]

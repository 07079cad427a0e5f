"""Part 5, site file and profiles: `linli` as a technician uses it at the desk."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from simulators.community import Options, simulated
from simulators.ledger import Ledger
from tests.e2e.support_cli import linli, linli_beside
from tests.e2e.support_stage import METER, site_of, write_profile, write_site
from tests.support.mosquitto import free_port

ROOT = Path(__file__).parents[2]
PROBLEM = re.compile(r"^(?:warning: )?(.+?):(\d+):(\d+): (\S+): (.+)\. (.+) \[(LG-[A-Z]+-\d+)\]$")
CHINESE = re.compile("[\u4e00-\u9fff]")

GOOD = """\
$HEAD
buses:
  meters: {port: by-path/usb-1.2, line: 9600 8N1}
devices:
  - {id: em-01, profile: eastron/sdm120, bus: meters, address: 3, poll: 30s}
  - {id: em-02, profile: e2e/meter, bus: meters, address: 4}
"""
BAD = """\
version: 1
gateway: {id: gw-1, site: e2e}
buses:
  meters: {port: by-path/usb-1.2, line: 9601 8N1}
devices:
  - {id: em-01, profile: eastron/sdm12, bus: meters, address: 3}
  - {id: em-02, profile: eastron/sdm120, bus: metres, address: 4}
  - {id: em-03, profile: eastron/sdm120, bus: meters, adress: 5}
"""
"""Mistakes in lines 4, 6, 7 and 8."""


def prepared(folder: Path, text: str) -> Path:
    """Write a site with its profile."""
    write_profile(folder, METER)
    return write_site(folder, text, BROKER=1883, TCP=1502)


# --- check -------------------------------------------------------------------------------------


def test_part_05_check_finds_nothing_in_a_good_site(tmp_path: Path) -> None:
    done = linli("check", prepared(tmp_path, GOOD), base=tmp_path)
    assert (done.status, done.err) == (0, "")
    assert done.out == "no errors\n"


def test_part_05_check_says_every_error_at_once_with_file_line_and_column(tmp_path: Path) -> None:
    file = prepared(tmp_path, BAD)
    done = linli("check", file, base=tmp_path)
    assert done.status == 78
    found = [PROBLEM.match(line) for line in done.out.splitlines()[:-1]]
    assert all(found), done.out
    places = {(one[1], int(one[2])) for one in found if one is not None}
    assert places >= {(str(file), line) for line in (4, 6, 7, 8)}
    assert "eastron/sdm120" in done.out, "the remedy names the profile that was meant"
    assert done.out.splitlines()[-1].split()[1] == "errors,"


def test_part_05_check_says_nothing_that_only_follows_from_another_error(tmp_path: Path) -> None:
    text = BAD.replace("9601 8N1}", "9600 8N1, parity: even}").replace("bus: metres", "bus: meters")
    done = linli("check", prepared(tmp_path, text), "--json", base=tmp_path)
    # Nothing is known of the bus, so nothing is said of its devices but what is wrong in itself.
    assert {one["line"] for one in done.json_lines()} == {4, 8}


def test_part_05_check_gives_json_of_the_same_shape_always(tmp_path: Path) -> None:
    file = prepared(tmp_path, BAD)
    done = linli("check", file, "--json", base=tmp_path)
    assert done.status == 78
    for one in done.json_lines():
        assert one.keys() == {
            "file", "line", "col", "path", "code", "severity", "message", "remedy",
        }  # fmt: skip
        assert one["severity"] in {"error", "warning"}
        assert one["file"] == str(file)
    assert linli("check", prepared(tmp_path, GOOD), "--json", base=tmp_path).out == ""


def test_part_05_check_speaks_chinese_where_the_locale_does(tmp_path: Path) -> None:
    file = prepared(tmp_path, BAD)
    english = linli("check", file, "--json", base=tmp_path).json_lines()
    chinese = linli("check", file, "--json", base=tmp_path, locale="zh_CN.UTF-8").json_lines()
    facts = ("file", "line", "col", "path", "code", "severity")
    assert [[one[key] for key in facts] for one in english] == [
        [one[key] for key in facts] for one in chinese
    ]
    for here, there in zip(english, chinese, strict=True):
        assert not CHINESE.search(here["message"] + here["remedy"])
        assert CHINESE.search(there["message"])
        assert CHINESE.search(there["remedy"])


def test_part_05_check_names_the_line_of_a_syntax_error_and_of_a_missing_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("version: 1\ngateway: {id: gw-1, site: x\nbuses: {}\n", encoding="utf-8")
    done = linli("check", file, base=tmp_path)
    assert done.status == 78
    assert re.search(rf"^{re.escape(str(file))}:[23]:\d+: ", done.out, re.MULTILINE)
    missing = linli("check", tmp_path / "nowhere.yaml", base=tmp_path)
    assert missing.status == 78
    assert "nowhere.yaml" in missing.out


# --- plan, explain, schema ---------------------------------------------------------------------


def test_part_05_plan_gives_the_frames_and_the_load_of_every_line(tmp_path: Path) -> None:
    file = prepared(tmp_path, GOOD)
    (line,) = linli("plan", file, "--json", base=tmp_path).json()["lines"]
    assert line["line"] == "meters"
    assert 0 < line["load_percent"] < 100
    assert line["load_percent"] == pytest.approx(sum(one["load_percent"] for one in line["jobs"]))
    assert {one["devices"][0] for one in line["jobs"]} == {"em-01", "em-02"}
    for one in line["jobs"]:
        decoded = linli("decode", "modbus-rtu", one["frame"], "--json", "--direction", "request")
        assert str(decoded.json()["frame"]["unit"]) == one["unit"]
    text = linli("plan", file, base=tmp_path).out
    assert "load" in text
    assert line["jobs"][0]["frame"] in text
    assert linli("plan", prepared(tmp_path, BAD), base=tmp_path).status == 78


def test_part_05_explain_goes_from_the_setting_to_the_frame_and_the_topic(tmp_path: Path) -> None:
    file = prepared(tmp_path, GOOD)
    facts = linli("explain", file, "em-01/u_a", "--json", base=tmp_path).json()
    assert facts["request"].startswith("03 04 00 00 00")
    assert facts["topic"] == "fc/1/e2e/gw-1/up/prop/em-01"
    line = 1 + file.read_text("utf-8").splitlines().index(
        "  - {id: em-01, profile: eastron/sdm120, bus: meters, address: 3, poll: 30s}"
    )
    assert f"{file}:{line}" in facts["device"]
    assert "sdm120.yaml:" in facts["point"]
    assert facts["settings"]["poll"] == f"{file}:{line}"
    assert "sdm120.yaml:" in facts["settings"]["register"]
    assert "meter.electricity.yaml:" in facts["settings"]["unit"]
    text = linli("explain", file, "em-01/u_a", base=tmp_path)
    assert text.status == 0
    assert facts["request"] in text.out
    assert linli("explain", file, "em-01/nothing", base=tmp_path).status == 2


def test_part_05_the_schemas_are_sound_and_hold_for_good_files(tmp_path: Path) -> None:
    schemas = {what: linli("schema", what).json() for what in ("site", "profile", "payload")}
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    site: Any = yaml.safe_load(prepared(tmp_path, GOOD).read_text("utf-8"))
    assert not list(faults(schemas["site"], site))
    assert list(faults(schemas["site"], site | {"busses": {}}))
    assert not list(faults(schemas["profile"], yaml.safe_load(METER)))
    assert linli("schema", "payload", "prop").json()["$id"]
    assert linli("schema", "payload", "nonsense").status == 2


def faults(schema: Any, tree: Any) -> list[str]:
    """Return what a file has against a schema."""
    found = Draft202012Validator(schema).iter_errors(tree)  # pyright: ignore[reportUnknownMemberType] - half typed
    return [error.message for error in found]


# --- profiles ----------------------------------------------------------------------------------


def test_part_05_the_catalogue_lists_all_shipped_profiles_and_ones_own_before_them(
    tmp_path: Path,
) -> None:
    write_profile(tmp_path, METER)
    write_profile(tmp_path, METER.replace("e2e/meter", "eastron/sdm120"))
    rows = linli("profiles", "list", "--json", base=tmp_path).json()
    names = [row["profile"] for row in rows]
    shipped = {
        str(file.relative_to(ROOT / "config" / "profiles").with_suffix(""))
        for file in (ROOT / "config" / "profiles").rglob("*.yaml")
    }
    assert len(names) == len(set(names))
    assert set(names) == shipped | {"e2e/meter"}
    assert sum(row["driver"] == "modbus" for row in rows) >= 25
    shown = linli("profiles", "show", "eastron/sdm120", "--json", base=tmp_path).json()
    assert [point["id"] for point in shown["points"]] == ["u_a", "i_a", "p_tot", "ep_imp"]
    assert "e2e/meter" in linli("profiles", "list", base=tmp_path).out


def test_part_05_show_tells_where_every_point_lies() -> None:
    shown = linli("profiles", "show", "eastron/sdm120", "--json").json()
    first = shown["points"][0]
    assert (first["id"], first["unit"], first["address"]["register"]) == ("u_a", "V", 0)
    text = linli("profiles", "show", "eastron/sdm120")
    assert text.status == 0
    assert "source: " in text.out
    assert linli("profiles", "show", "eastron/none").status == 78


def test_part_05_every_shipped_profile_is_valid_and_proved_by_its_samples() -> None:
    files = sorted((ROOT / "config" / "profiles").rglob("*.yaml"))
    done = linli("profiles", "check", *files, "--json")
    assert done.status == 0, done.err
    verdicts = done.json_lines()
    assert len(verdicts) == len(files)
    for verdict in verdicts:
        assert verdict["ok"]
        assert verdict["proved"], verdict["profile"]
        assert not verdict["faults"]


def test_part_05_profiles_check_finds_a_sample_that_the_map_contradicts(tmp_path: Path) -> None:
    shipped = (ROOT / "config" / "profiles" / "eastron" / "sdm120.yaml").read_text("utf-8")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(shipped.replace("u_a: {register: 0}", "u_a: {register: 2}"), "utf-8")
    done = linli("profiles", "check", wrong)
    assert done.status == 78
    assert "u_a" in done.err
    broken = tmp_path / "broken.yaml"
    broken.write_text(shipped.replace("u_a: {register: 0}", "u_a: {regster: 0}"), "utf-8")
    done = linli("profiles", "check", broken)
    assert done.status == 78
    assert re.search(r"broken\.yaml:\d+:\d+: ", done.err)


# --- decode ------------------------------------------------------------------------------------


VECTORS: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / "drivers" / "modbus" / "vectors.yaml").read_text("utf-8")
)
BATCHES = sorted({(one["protocol"], one["direction"]) for one in VECTORS})


@pytest.mark.parametrize(("protocol", "direction"), BATCHES)
def test_part_05_decode_takes_every_golden_frame_apart(protocol: str, direction: str) -> None:
    mine = [v for v in VECTORS if (v["protocol"], v["direction"]) == (protocol, direction)]
    text = "".join(f"{vector['hex']}\n" for vector in mine)
    done = linli("decode", protocol, "-", "--json", "--direction", direction, text=text)
    decoded = done.json_lines()
    assert len(decoded) == len(mine)
    for vector, found in zip(mine, decoded, strict=True):
        assert found.keys() == {"protocol", "ok", "error", "frame", "values"}
        assert found["protocol"] == protocol
        assert {key: found["frame"].get(key) for key in vector["decoded"]} == vector["decoded"]
        assert found["ok"] == ("refused" not in vector), vector["id"]
        assert vector.get("refused", "") in (found["error"] or "")
    assert done.status == int(any("refused" in vector for vector in mine))


@pytest.mark.parametrize(
    "words",
    [
        ("01", "03", "02", "09", "05", "7E", "17"),
        ("0x01 0x03 0x02 0x09 0x05 0x7e 0x17",),
        ("010302 09057e17",),
        ("ff 00 a5 01 03 02 09 05 7e 17",),
    ],
    ids=["words", "0x", "run together", "leading noise"],
)
def test_part_05_decode_takes_bytes_as_people_write_them(words: tuple[str, ...]) -> None:
    found = linli("decode", "modbus-rtu", *words, "--json").json()
    assert found["ok"]
    assert (found["frame"]["unit"], found["frame"]["registers"]) == (1, [0x0905])


def test_part_05_decode_names_the_values_by_profile_and_refuses_nonsense() -> None:
    request, reply = (
        "01 04 00 46 00 0A 91 D8",
        ("01 04 14 42 48 14 7B 46 40 E9 33 41 28 00 00 44 99 F0 00 42 16 00 00 CC BD"),
    )
    done = linli("decode", "modbus-rtu", request, reply, "--profile", "eastron/sdm120", "--json")
    assert done.status == 0
    values = {one["point"]: (one["value"], one["unit"]) for one in done.json_lines()[1]["values"]}
    assert values["freq"] == (50.02, "Hz")
    assert values["ep_exp"] == (10.5, "kW.h")
    assert linli("decode", "modbus-rtu", "01 03 02 09 05 7E 18").status == 1
    assert linli("decode", "modbus-rtu", "xyz").status == 2
    assert linli("decode", "no-protocol", "01").status == 2


# --- no site at all ----------------------------------------------------------------------------


NO_SITE = """\
$HEAD
buses:
  net: {tcp: "127.0.0.1:$TCP"}
  wire: {port: $PORTS/wire, line: 19200 8N1}
devices:
  - {id: em-1, profile: eastron/sdm120, bus: net, address: 5}
  - {id: em-2, profile: eastron/sdm120, bus: wire, address: 6}
  - {id: relay, profile: lc-technology/lc-modbus-8r-d7, bus: net, address: 7}
"""


async def test_part_05_read_and_write_need_no_site_and_no_daemon(tmp_path: Path) -> None:
    port = free_port()
    site = site_of(write_site(tmp_path, NO_SITE, BROKER=1883, TCP=port))
    with Ledger() as ledger:
        async with simulated(site, Options(tmp_path / "ports"), ledger) as community:
            serial = ("--port", tmp_path / "ports" / "wire", "--line", "19200 8N1")
            for device, words in (
                ("em-1", ("--tcp", f"127.0.0.1:{port}", "--address", 5)),
                ("em-2", (*serial, "--address", 6)),
            ):
                began_ms = community.clock.now_ms()
                read = ("read", *words, "--profile", "eastron/sdm120", "--json")
                done = await linli_beside(*read, base=tmp_path)
                span = (began_ms, community.clock.now_ms())
                points = done.json()["pts"]
                assert {one["p"] for one in points} >= {"u_a", "ep_imp"}
                for one in points:
                    assert ledger.holds(device, one["p"], one["v"], span), one
                assert next(one["u"] for one in points if one["p"] == "ep_imp") == "kW.h"
            relay = ("--tcp", f"127.0.0.1:{port}", "--address", 7)
            twin = next(one for name, one in site.devices.items() if name == "relay")
            point = next(str(p.id) for p in twin.points if p.write is not None and p.is_readable)
            profile = ("--profile", "lc-technology/lc-modbus-8r-d7")
            done = await linli_beside(
                "write", "-", point, "true", *relay, *profile, "--json", base=tmp_path
            )
            assert done.json()["pts"][0]["v"] is True
            assert community.devices["relay"].values()[point] is True
            nobody = await linli_beside(
                "read", "--tcp", f"127.0.0.1:{port}", "--address", 99,
                "--profile", "eastron/sdm120", "u_a", base=tmp_path,
            )  # fmt: skip
            assert nobody.status == 1
            assert "timeout" in nobody.out + nobody.err
    closed = linli(
        "read", "--tcp", f"127.0.0.1:{port}", "--profile", "eastron/sdm120", base=tmp_path
    )
    assert closed.status == 1


# --- manners -----------------------------------------------------------------------------------


def test_part_05_the_command_has_manners(tmp_path: Path) -> None:
    assert linli("--version").out.startswith("linli ")
    assert linli("no-such-verb").status == 2
    for verb in ("check", "plan", "explain", "decode", "read", "status", "reload"):
        shown = linli(verb, "--help")
        assert shown.status == 0
        assert "example: linli " in shown.out
    for words in (("status",), ("reload",), ("monitor",)):
        lonely = linli(*words, base=tmp_path)
        assert lonely.status == 1
        assert "no gateway listens" in lonely.err
    assert json.loads(linli("profiles", "list", "--json").out)

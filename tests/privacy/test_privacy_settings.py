"""What `linli check` says of allow lists, transforms and sealed payloads."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings.load import load_site
from gateway.settings.secret_name import Secret
from gateway.settings.site_privacy import Choice, Payload, Privacy, Transform
from gateway.settings.site_sinks import Sink

SITE = """\
version: 1
gateway: {id: gw-1, site: s1}
%s
sinks:
  city:
    url: mqtt://127.0.0.1:1883
    %s
buses:
  doors: {port: /dev/ttyUSB0, line: 9600 8N1, protocol: osdp}
devices:
  - id: door-1
    profile: generic/osdp-reader
    bus: doors
    address: 1
    owner: property
    basis: contract
    retain: 90d
    points: {keypad: {basis: consent, retain: 1d}}
"""

UNRELATED = {"LG-BUS-07", "LG-DEV-16"}
"""Of a port's name, and of a profile that nobody saw on a device."""


def problems(tmp_path: Path, sink: str, privacy: str = "") -> list[tuple[str, str]]:
    """Return codes and paths of what is wrong."""
    file = tmp_path / "site.yaml"
    file.write_text(SITE % (privacy, sink), encoding="utf-8")
    found = load_site(file).problems
    return [(problem.code, problem.path) for problem in found if problem.code not in UNRELATED]


def loaded(tmp_path: Path, sink: str, privacy: str = "") -> tuple[Sink, Privacy]:
    file = tmp_path / "site.yaml"
    file.write_text(SITE % (privacy, sink), encoding="utf-8")
    result = load_site(file)
    assert result.site is not None, [problem.text() for problem in result.problems]
    (found,) = result.site.sinks.values()
    return found, result.site.privacy


def test_what_is_written_is_what_the_door_reads(tmp_path: Path) -> None:
    sink, privacy = loaded(
        tmp_path,
        "{allow: [{kind: 'security.*', points: [credential]}, {device: 'door-*', points: ['*']}],"
        " transforms: [{points: [credential], by: hash, level: L2},"
        " {points: [keypad], by: mask, first: 1}],"
        " payload: {cipher: sm4-gcm, key: {credential: k}, sign_key: {file: /s}, signer: gw}}"
        .removeprefix("{").removesuffix("}").replace(", transforms", "\n    transforms")
        .replace(", payload", "\n    payload"),
        "privacy: {algorithm: hmac-sm3, rotate: 7d, key: {credential: site}, places: drop}",
    )  # fmt: skip
    assert sink.allow == (
        Choice(("credential",), kind="security.*"),
        Choice(("*",), device="door-*"),
    )
    assert sink.transforms == (
        Transform(Choice(("credential",)), "hash", "L2"),
        Transform(Choice(("keypad",)), "mask", None, 1, 2),
    )
    key, sign = Secret("credential", "k"), Secret("file", "/s")
    assert sink.payload == Payload("sm4-gcm", key, sign, "gw")
    assert privacy == Privacy("hmac-sm3", 7, Secret("credential", "site"), "drop")


def test_basis_owner_and_retention_of_the_site_go_before_those_of_profile_and_kind(
    tmp_path: Path,
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE % ("", ""), encoding="utf-8")
    site = load_site(file).site
    assert site is not None
    (device,) = site.devices.values()
    told = {str(point.id): (point.basis, point.retain_days) for point in device.points}
    assert device.owner == "property"
    assert told["credential"] == ("contract", 90)
    assert told["keypad"] == ("consent", 1)


@pytest.mark.parametrize(
    ("sink", "code", "path"),
    [
        ("allow: [{points: [plate]}]", "LG-PRIV-03", "sinks.city.allow.0"),
        ("allow: [{kind: meter.*, points: ['*']}]", "LG-PRIV-03", "sinks.city.allow.0"),
        ("transforms: [{points: [plate], by: drop}]", "LG-PRIV-03", "sinks.city.transforms.0"),
        ("transforms: [{points: [door], by: hash}]", "LG-PRIV-04", "sinks.city.transforms.0"),
        (
            "transforms: [{points: [keypad], by: mask, level: L1}]",
            "LG-PRIV-05",
            "sinks.city.transforms.0",
        ),
        (
            "dialect: jetlinks\n    payload: {cipher: sm4-gcm, key: {env: K}}",
            "LG-PRIV-06",
            "sinks.city.payload",
        ),
        ("payload: {cipher: sm4-cbc, key: {env: K}}", "LG-PRIV-08", "sinks.city.payload"),
        ("payload: {cipher: sm4-gcm}", "LG-PRIV-02", "sinks.city.payload"),
        ("payload: {key: {env: K}, sign_key: {env: S}}", "LG-PRIV-02", "sinks.city.payload"),
        ("payload: {}", "LG-VAL-11", "sinks.city.payload"),
        (
            "transforms: [{points: [keypad], by: hash, last: 2}]",
            "LG-PRIV-01",
            "sinks.city.transforms.0",
        ),
        (
            "transforms: [{points: [keypad], by: drop, level: L2}]",
            "LG-PRIV-01",
            "sinks.city.transforms.0",
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_place(
    tmp_path: Path, sink: str, code: str, path: str
) -> None:
    assert (code, path) in problems(tmp_path, sink)


@pytest.mark.parametrize(
    "sink",
    [
        "allow: [{points: [credential]}]",
        "allow: []",
        "transforms: [{points: ['*'], by: drop}]",
        "payload: {cipher: sm4-cbc, key: {env: K}, sign_key: {env: S}}",
    ],
)
def test_what_is_right_is_not_complained_of(tmp_path: Path, sink: str) -> None:
    assert problems(tmp_path, sink) == []


@pytest.mark.parametrize("span", ["31d", "12h"])
def test_a_key_rotates_within_a_day_and_thirty(tmp_path: Path, span: str) -> None:
    found = problems(tmp_path, "", f"privacy: {{rotate: {span}}}")
    assert ("LG-VAL-03", "privacy.rotate") in found


@pytest.fixture
def without_algorithms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take SM3 and the library for SM4 away."""

    def refuse(name: str) -> None:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr("gateway.settings.privacy.CIPHER_MODULE", "no_such_module")
    monkeypatch.setattr("gateway.settings.privacy.hashlib.new", refuse)


@pytest.mark.usefixtures("without_algorithms")
def test_what_a_machine_without_the_algorithms_is_told(tmp_path: Path) -> None:
    payload = "payload: {cipher: sm4-gcm, key: {env: K}, sign_key: {env: S}}"
    found = problems(tmp_path, payload, "privacy: {algorithm: hmac-sm3}")
    assert {("LG-PRIV-10", "sinks.city.payload"), ("LG-PRIV-07", "sinks.city.payload")} <= set(
        found
    )
    assert ("LG-PRIV-07", "privacy.algorithm") in found


@pytest.mark.usefixtures("without_algorithms")
def test_a_cipher_alone_needs_sm3_for_the_name_of_its_key(tmp_path: Path) -> None:
    found = problems(tmp_path, "payload: {cipher: sm4-gcm, key: {env: K}}")
    assert ("LG-PRIV-07", "sinks.city.payload") in found

"""What the reader of YAML takes for what."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from estate import Estate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.settings.problems import Problems
from gateway.settings.yaml_source import plain, read_document


def value_of(text: str) -> Any:
    problems = Problems()
    document = read_document("x.yaml", f"a: {text}\n".encode(), problems)
    assert document.root is not None
    assert not problems.has_errors
    return plain(document.root)["a"]


def test_core_scalars_are_those_of_yaml_1_2() -> None:
    for text, value in {
        "true": True, "false": False, "null": None, "~": None, "17": 17, "-3": -3, "+3": 3,
        "0x1F": 31, "1.5": 1.5, ".5": 0.5, "1e3": 1000.0, "0": 0,
    }.items():  # fmt: skip
        assert value_of(text) == value
        assert type(value_of(text)) is type(value)


def test_yaml_1_1_traps_and_meter_numbers_stay_text() -> None:
    for text in (
        "no", "on", "yes", "off", "010", "0o17", "12:30:45", "2024-01-01", "000000001234",
        "1_000", "0b1", "1.2.3", "192.168.0.1",  "0x", "00.5",
    ):  # fmt: skip
        assert value_of(text) == text


def test_quotes_make_text_of_anything() -> None:
    assert value_of('"17"') == "17"
    assert value_of("'true'") == "true"
    assert value_of('""') == ""


def test_the_pure_reader_gives_the_same_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"\xef\xbb\xbfa: &x [1, 'b', {c: 010}]\r\nd: *x\r\n"
    fast = read_document("x.yaml", text, Problems())
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    slow = read_document("x.yaml", text, Problems())
    assert fast.root == slow.root
    assert fast.root is not None


def test_columns_count_characters_and_chinese_is_one_each() -> None:
    problems = Problems()
    read_document("x.yaml", "名称: {一: 1, 一: 2}\n".encode(), problems)
    assert [(p.line, p.column, p.code) for p in problems.sorted()] == [(1, 12, "LG-YAML-03")]


def test_all_faults_of_a_file_are_told_at_once(estate: Estate) -> None:
    text = """\
version: 1
gateway: {id: GW, site: s-001, timezon: UTC}
buses:
  m: {port: by-path/a, line: 9600 8X1, baud: 9600}
  t: {tcp: nowhere}
devices:
  - {id: d-1, profile: test/meter, bus: m, address: 1, retries: yes}
"""
    assert estate.errors(text) == [
        "2:15 LG-VAL-06",
        "2:32 LG-KEY-01",
        "4:30 LG-BUS-02",
        "4:40 LG-KEY-01",
        "5:12 LG-BUS-10",
        "7:65 LG-VAL-01",
    ]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_result_and_nothing_else(estate: Estate, octets: bytes) -> None:
    result = estate.load(octets)
    assert result.site is None
    assert result.problems


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "version",
                        "gateway",
                        "buses",
                        "devices",
                        "sinks",
                        "id",
                        "each",
                        "from",
                        "poll",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_any_tree_gives_a_result_and_nothing_else(estate: Estate, tree: Any) -> None:
    text = yaml.safe_dump(tree, allow_unicode=True)
    result = estate.load(text.encode(errors="surrogatepass"))
    assert result.site is None
    assert all(problem.line >= 1 for problem in result.problems)

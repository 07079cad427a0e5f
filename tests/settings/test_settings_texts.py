"""The table of texts is complete in both languages, and every code in it is used."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest
from estate import SITE, Estate

import gateway
from gateway.settings.problems import Phrase, Problem, make_problem
from gateway.settings.texts import PHRASES, all_texts
from gateway.settings.where import Where

TEXTS = all_texts()
CHINESE = re.compile("[\u4e00-\u9fff]")


def sources() -> str:
    files = Path(gateway.__path__[0]).rglob("*.py")
    return "".join(path.read_text() for path in files if "texts" not in path.parts)


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", TEXTS)
def test_every_text_says_the_same_in_both_languages(code: str) -> None:
    words = TEXTS[code]
    assert re.fullmatch(r"LG-[A-Z]+-[0-9]{2}", code)
    assert all((words.message, words.remedy, words.message_zh, words.remedy_zh))
    assert names(words.message) == names(words.message_zh)
    assert names(words.remedy) == names(words.remedy_zh)
    assert not CHINESE.search(words.message + words.remedy)
    spelled = words.remedy_zh.replace("{advice}", "").replace("{remedy}", "")
    assert not spelled or CHINESE.search(spelled)
    assert not words.message.endswith((".", "。"))


def test_phrases_have_both_languages() -> None:
    for english, chinese in PHRASES.values():
        assert english
        assert chinese


def test_every_code_is_used_and_every_used_code_has_texts() -> None:
    used = set(re.findall(r"LG-[A-Z]+-[0-9]{2}", sources()))
    assert used == set(TEXTS)


def test_a_problem_reads_as_the_contract_says() -> None:
    where = Where("sites/lake.yaml", 14, 18)
    facts = {"found": 9601, "nearest": 9600}
    problem = make_problem("LG-BUS-03", where, "buses.meters.line", facts)
    assert problem.text() == (
        "sites/lake.yaml:14:18: buses.meters.line: baud 9601 is not a usual rate. "
        "Did you mean 9600? [LG-BUS-03]"
    )
    assert (
        problem.in_language("zh").text().endswith("波特率 9601 不常用。是否应为 9600？ [LG-BUS-03]")
    )
    assert problem.as_json() == {
        "file": "sites/lake.yaml",
        "line": 14,
        "col": 18,
        "path": "buses.meters.line",
        "code": "LG-BUS-03",
        "severity": "warning",
        "message": "baud 9601 is not a usual rate",
        "remedy": "Did you mean 9600?",
    }


def test_unknown_keys_get_the_nearest_name_in_both_languages(estate: Estate) -> None:
    result = estate.load(SITE.replace("gateway: {id: gw-01,", "gateway: {id: gw-01, titel: x,"))
    problem: Problem = result.problems[0]
    assert problem.remedy == "Did you mean title?"
    assert problem.in_language("zh").remedy == "是否应为 title？"
    assert isinstance(problem.facts["advice"], Phrase)

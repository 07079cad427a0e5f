"""`linli privacy`: what leaves the site through each sink, and what is held back and why."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gateway.app.site.last_good import load_and_vet
from gateway.cli.output import Exit, complain, is_chinese, say, say_json, say_table
from gateway.privacy.report import Row, SinkReport, report_of
from gateway.settings.site_privacy import Choice, Transform

HELP = "show what leaves the site through each sink, and what is held back"
EXAMPLE = "linli privacy report /etc/linli/gateway.yaml"

_MOST_DEVICES = 3
_WORDS: Mapping[str, tuple[str, str]] = {
    "sink": (
        "sink {name} ({dialect}): up to {level}",
        "上行 {name}（{dialect}）：最高级别 {level}",
    ),
    "leaves": ("leaves", "送出"),
    "held": ("held back", "不送出"),
    "nothing": ("  nothing", "  无"),
    "kind": ("kind", "类型"),
    "point": ("point", "点位"),
    "class": ("class", "个人信息类别"),
    "level": ("level", "级别"),
    "as": ("as", "形式"),
    "basis": ("basis", "处理依据"),
    "owner": ("owner", "归属"),
    "retention": ("kept here", "本地保存"),
    "devices": ("devices", "设备"),
    "why": ("why", "原因"),
    "days": ("{0} d", "{0} 天"),
    "same": ("it is", "原值"),
    "hash": ("hash", "散列"),
    "mask": ("mask", "掩码"),
    "why_internal": ("only serves other points", "仅供其他点位使用"),
    "why_not_kept": ("the site keeps no values of it", "本站点不保存其数值"),
    "why_drop": ("dropped by a transform", "按 transforms 规则丢弃"),
    "why_level": ("above the level of the sink", "高于该上行的级别"),
    "why_personal": ("personal, and not named in `allow`", "个人信息，未在 `allow` 中写明"),
    "why_not_allowed": ("not named in `allow`", "未在 `allow` 中写明"),
    "bare": ("; event {0} leaves without value", "；事件 {0} 送出但不带数值"),
    "places_clear": ("rooms are named", "房间等住户位置：原文送出"),
    "places_pseudonym": ("rooms have pseudonyms", "房间等住户位置：以代号送出"),
    "places_drop": ("rooms are left out", "房间等住户位置：不送出"),
    "telling": (
        "the ids of these devices hold their room, and ids stand in every topic: {0}",
        "以下设备编号中含有房间号，而编号会出现在每个主题中：{0}",
    ),
    "titled": (
        "names for people leave, as the site wrote them, of: {0}",
        "以下设备的名称按站点所写原样送出：{0}",
    ),
    "no_basis": (
        "personal and leaving, but nobody says on what basis: {0}",
        "个人信息且会送出，但未注明处理依据：{0}",
    ),
    "none": ("the site has no sinks: nothing leaves", "本站点没有上行：没有数据送出"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add report."""
    actions = parser.add_subparsers(dest="action", required=True)
    report = actions.add_parser("report", help="per sink: what leaves, and what does not")
    report.add_argument("file", type=Path, help="the site file")
    report.add_argument("--sink", help="only this sink")
    report.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Report; 78 when the file has errors."""
    result = load_and_vet(arguments.file)
    if result.site is None:
        for problem in result.problems:
            complain(problem.in_language("zh" if is_chinese() else "en").text())
        return Exit.CONFIGURATION
    reports = report_of(result.site)
    if arguments.sink is not None:
        reports = tuple(one for one in reports if one.sink.name == arguments.sink)
        if not reports:
            complain(f"linli privacy: there is no sink {arguments.sink} in {arguments.file}")
            return Exit.USAGE
    if arguments.json:
        say_json([_as_json(one) for one in reports])
        return Exit.DONE
    if not reports:
        say(_word("none"))
    for report in reports:
        _show(report)
    return Exit.DONE


def _as_json(report: SinkReport) -> dict[str, Any]:
    sink = report.sink
    return {
        "sink": sink.name,
        "dialect": sink.dialect,
        "max_level": sink.max_level,
        "allow": None if sink.allow is None else [_choice(one) for one in sink.allow],
        "transforms": [_transform(one) for one in sink.transforms],
        "payload": {
            "cipher": sink.payload.cipher,
            "signed": sink.payload.sign_key is not None,
        },
        "places": report.places,
        "telling_ids": list(report.telling_ids),
        "titled": list(report.titled),
        "points": [_row_json(row) for row in report.rows],
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {"device": choice.device, "kind": choice.kind, "points": list(choice.points)}


def _transform(transform: Transform) -> dict[str, Any]:
    return {**_choice(transform.of), "by": transform.by, "level": transform.level}


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "point": row.point,
        "class": row.personal,
        "level": row.level,
        "leaves": row.why_not is None,
        "transform": row.transform,
        "level_out": row.level_out,
        "why_not": row.why_not,
        "bare_events": list(row.bare_events),
        "basis": row.basis,
        "owner": row.owner,
        "retain_days": row.retain_days,
        "devices": list(row.devices),
    }


def _show(report: SinkReport) -> None:
    sink = report.sink
    say(_word("sink").format(name=sink.name, dialect=sink.dialect, level=sink.max_level))
    say(f"  {_word(f'places_{report.places}')}")
    if report.telling_ids:
        say(f"  {_word('telling').format(_few(report.telling_ids))}")
    if report.titled:
        say(f"  {_word('titled').format(_few(report.titled))}")
    if names := [f"{row.kind}/{row.point}" for row in report.without_basis]:
        say(f"  {_word('no_basis').format(', '.join(dict.fromkeys(names)))}")
    _table("leaves", "as", [row for row in report.rows if row.why_not is None])
    _table("held", "why", [row for row in report.rows if row.why_not is not None])
    say()


def _table(title: str, last: str, rows: Iterable[Row]) -> None:
    say(_word(title))
    cells = [_cells(row) for row in rows]
    if not cells:
        say(_word("nothing"))
        return
    head = ("kind", "point", "class", "level", "basis", "owner", "retention", "devices", last)
    say_table([_word(name) for name in head], cells)


def _cells(row: Row) -> tuple[str | None, ...]:
    days = None if row.retain_days is None else _word("days").format(row.retain_days)
    devices = _few(row.devices)
    return (
        row.kind,
        row.point,
        row.personal,
        row.level,
        row.basis,
        row.owner,
        days,
        devices,
        _form(row) if row.why_not is None else _reason(row),
    )


def _form(row: Row) -> str:
    if row.transform is None:
        return _word("same")
    return f"{_word(row.transform)} ({row.level_out})"


def _reason(row: Row) -> str:
    bare = "".join(_word("bare").format(name) for name in row.bare_events)
    return _word(f"why_{row.why_not}") + bare


def _few(devices: Iterable[str]) -> str:
    names = list(devices)
    more = len(names) - _MOST_DEVICES
    return ", ".join(names[:_MOST_DEVICES]) + (f" +{more}" if more > 0 else "")


def _word(name: str) -> str:
    return _WORDS[name][is_chinese()]

"""docs/reference/errors.md: all that `linli check` can say, in both languages."""

from __future__ import annotations

from docs.generate.markdown import code, page, table
from gateway.settings.texts import all_texts
from gateway.settings.wording import Wording

_ABOUT = """\
What `linli check` says about site files, profiles, kinds and tables, by code. A code never changes
its meaning. What stands in « » is filled in. An error refuses the file (exit status 78), a warning
does not.

配置检查的全部提示，按代码排列。代码的含义不会改变；« » 中的内容由程序填写。
error 表示文件被拒绝（退出码 78），warning 表示仅提醒。"""

_GROUPS = {
    "YAML": "Files that are no YAML · 文件格式",
    "VER": "Versions · 版本",
    "KEY": "Keys · 键",
    "VAL": "Values · 值",
    "TPL": "Templates · 模板表达式",
    "SEC": "Secrets · 密钥",
    "CSV": "Tables · 表格",
    "SITE": "Gateway, sinks, commands · 网关、上行目标、命令",
    "CMD": "What platforms may do · 平台命令",
    "BUS": "Buses · 总线",
    "DEV": "Devices · 设备",
    "PROF": "Profiles · 设备模板",
    "KIND": "Kinds · 类别",
    "PLAN": "Load of lines · 线路占用",
    "LOAD": "Load of lines · 线路占用",
}


class _Named(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"«{key}»"


def errors_page() -> str:
    """Return the page."""
    groups: dict[str, list[str]] = {}
    texts = all_texts()
    for name in sorted(texts, key=_order):
        groups.setdefault(_group(name), []).append(name)
    parts = [
        f"## {_GROUPS.get(group, group)}\n\n{table(_HEAD, (_row(c, texts[c]) for c in codes))}"
        for group, codes in groups.items()
    ]
    return page("What `linli check` says", _ABOUT, *parts)


_HEAD = ("code", "level", "what is wrong", "what to do", "问题", "处理")


def _row(name: str, wording: Wording) -> tuple[str, ...]:
    texts = (wording.message, wording.remedy, wording.message_zh, wording.remedy_zh)
    return (code(name), wording.severity, *(text.format_map(_Named()) for text in texts))


def _group(name: str) -> str:
    return name.split("-")[1]


def _order(name: str) -> tuple[int, str]:
    groups = list(_GROUPS)
    group = _group(name)
    return (groups.index(group) if group in groups else len(groups)), name

"""What `check` can say, in English and Chinese; codes never change their meaning.

Every module in this folder has `TEXTS`: one entry a code. Placeholders are filled with the facts
of a problem; a missing translation fails a test.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from gateway.settings.wording import Wording


@cache
def all_texts() -> Mapping[str, Wording]:
    """Return the texts of every code. Read when the first is wanted: a sound site wants none."""
    gathered: dict[str, Wording] = {}
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
        texts: Mapping[str, Wording] = importlib.import_module(f"{__name__}.{module}").TEXTS
        twice = gathered.keys() & texts.keys()
        if twice:
            raise ValueError(f"texts of {', '.join(sorted(twice))} stand in two modules")
        gathered.update(texts)
    return gathered


PHRASES: Mapping[str, tuple[str, str]] = {
    "did_you_mean": ("Did you mean {0}?", "是否应为 {0}？"),
    "known": ("There are: {0}.", "可用的有：{0}。"),
    "none_known": ("There are none yet.", "目前还没有任何一个。"),
    "write_quotes": ('Write "{0}" in quotes.', '请加引号写成 "{0}"。'),
    "nothing": ("nothing", "空值"),
    "a_mapping": ("a mapping", "映射"),
    "a_list": ("a list", "列表"),
    "text": ("text", "文本"),
    "whole": ("a whole number", "整数"),
    "number": ("a number", "数字"),
    "bool": ("true or false", "true 或 false"),
    "mapping": ("a mapping (key: value)", "映射（键: 值）"),
    "list": ("a list", "列表"),
    "scalar": ("one value", "单个值"),
    "deny_biometric": ("biometric data", "生物识别信息"),
    "deny_image": ("an image", "图像"),
    "deny_sound": ("a sound recording", "录音"),
    "deny_identity": ("the number of an identity document", "身份证件号码"),
    "secret": ("{{credential: name}}", "{{credential: 名称}}"),
    "other": ("{0}", "{0}"),
}
"""Parts of messages: (English, Chinese); {0} is the argument."""


def wording(code: str) -> Wording:
    """Return the texts of a code."""
    return all_texts()[code]

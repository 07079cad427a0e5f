"""What `check` can say of historians and the local history."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-HIST-01": Wording(
        "{found} is not the address of a database",
        "Write it as http://host:8086 or https://host.",
        "{found} 不是数据库地址",
        "请写成 http://主机:8086 或 https://主机。",
    ),
    "LG-HIST-02": Wording(
        "a sink has the name '{name}' already",
        "Give one of them another name: each has its own place in the outbox.",
        "已有 sink 使用名称 '{name}'",
        "请改其中一个的名称：它们在发件箱中各有自己的位置。",
    ),
    "LG-HIST-03": Wording(
        "a historian of version {version} needs `{key}`",
        "Add it, or correct `version`: 2 takes bucket and org, 1 takes database.",
        "版本 {version} 的历史库需要 `{key}`",
        "请添加，或改正 `version`：2 需要 bucket 和 org，1 需要 database。",
    ),
    "LG-HIST-04": Wording(
        "`{key}` is not for a historian of version {version}",
        "Remove it, or correct `version`: 2 takes bucket and org, 1 takes database.",
        "`{key}` 不适用于版本 {version} 的历史库",
        "请删除，或改正 `version`：2 需要 bucket 和 org，1 需要 database。",
    ),
    "LG-HIST-05": Wording(
        "`username` and `password` go together",
        "Give both or none.",
        "`username` 与 `password` 必须同时填写",
        "请两者都填，或都不填。",
    ),
    "LG-HIST-06": Wording(
        "the login goes to this database in the clear",
        "Use https://, or a database on this machine.",
        "登录凭据将以明文发送到此数据库",
        "请使用 https://，或使用本机数据库。",
        "warning",
    ),
}

"""What `check` can say of `commands:`: the allow-list, its limits and interlocks."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-CMD-01": Wording(
        "`{key}` limits writes, and this line allows none",
        "Add set or call to `ops:`, or remove the limit.",
        "`{key}` 只限制写操作，而此行不允许任何写操作",
        "请在 `ops:` 中加入 set 或 call，或删除该限制。",
    ),
    "LG-CMD-02": Wording(
        "`arm: none` gives up the second step of dangerous points without `dangerous: true`",
        "Write `dangerous: true` beside it if this is meant, else remove `arm:`.",
        "`arm: none` 取消了危险点位的二次确认，却没有 `dangerous: true`",
        "确有此意时请同时写 `dangerous: true`，否则删除 `arm:`。",
    ),
    "LG-CMD-03": Wording(
        "the interlock watches '{name}', which cannot be read here",
        "Write it as device/point. {advice}",
        "联锁条件监视的 '{name}' 在此站点不可读取",
        "请写成 设备/点位。{advice}",
    ),
    "LG-CMD-04": Wording(
        "the interlock over '{name}' can never hold: the point is of type {type}",
        "above and below need a number; equals needs a value of the point's own type.",
        "对 '{name}' 的联锁条件永远不会成立：该点位类型为 {type}",
        "above 和 below 需要数值点位；equals 的值须与点位类型一致。",
    ),
    "LG-CMD-05": Wording(
        "'{name}' is dangerous by its profile, and this line does not say `dangerous: true`",
        "It will be refused. Add `dangerous: true` if platforms shall move it.",
        "'{name}' 在设备模板中标为危险，而此行没有 `dangerous: true`",
        "对它的命令会被拒绝。如需平台操作，请加上 `dangerous: true`。",
        "warning",
    ),
    "LG-CMD-06": Wording(
        "no point of this line takes the value {found}",
        "Write a value that the profile allows: linli profiles show.",
        "此行的点位都不接受值 {found}",
        "请填写设备模板允许的值：linli profiles show。",
    ),
    "LG-CMD-07": Wording(
        "a range or step is given, and no point of this line is a number",
        "Use `values:` for switches and enumerations.",
        "给出了 range 或 step，但此行没有数值型点位",
        "开关量和枚举量请使用 `values:`。",
    ),
    "LG-CMD-08": Wording(
        "no device of this line has a point '{pattern}' that takes {ops}",
        "Nothing is allowed by it. {advice}",
        "此行的设备没有可执行 {ops} 的点位 '{pattern}'",
        "此项不会允许任何命令。{advice}",
        "warning",
    ),
}

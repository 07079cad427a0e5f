"""Texts about profiles and kinds."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-PROF-01": Wording(
        "no kind is called '{name}'", "{advice}", "没有名为 '{name}' 的类别", "{advice}"
    ),
    "LG-PROF-02": Wording(
        "no driver is called '{name}'", "{advice}", "没有名为 '{name}' 的驱动", "{advice}"
    ),
    "LG-PROF-03": Wording(
        "the id '{found}' does not agree with the place of the file, '{expected}'",
        "Write {key}: {expected}, or move the file.",
        "标识 '{found}' 与文件位置 '{expected}' 不符",
        "请写 {key}: {expected}，或移动文件。",
    ),
    "LG-PROF-04": Wording(
        "the variant has a point '{name}' that the profile does not have",
        "{advice}",
        "变体中的点 '{name}' 不在设备模板中",
        "{advice}",
    ),
    "LG-PROF-05": Wording(
        "`{key}` names the point '{name}', which does not exist",
        "{advice}",
        "`{key}` 引用的点 '{name}' 不存在",
        "{advice}",
    ),
    "LG-PROF-06": Wording(
        "the point '{name}' is made twice",
        "Give each point its own id.",
        "点 '{name}' 重复",
        "请为每个点设置不同的标识。",
    ),
    "LG-PROF-07": Wording(
        "the kind {kind} expects the point '{name}', which the profile does not give",
        "Add it if the device has it.",
        "类别 {kind} 需要点 '{name}'，设备模板没有提供",
        "如果设备有该数据，请添加。",
        "warning",
    ),
    "LG-PROF-08": Wording(
        "'{name}' is not a value of {point} in the kind",
        "{advice}",
        "'{name}' 不是类别中 {point} 的取值",
        "{advice}",
    ),
    "LG-PROF-09": Wording(
        "`write:` is given, but the access is '{access}'",
        "Write access: rw, or remove `write:`.",
        "给出了 `write:`，但访问方式为 '{access}'",
        "请写 access: rw，或删除 `write:`。",
    ),
    "LG-PROF-10": Wording(
        "the unit {found} differs from {expected} of the kind",
        "Use `scale:` so that the value has the kind's unit.",
        "单位 {found} 与类别的 {expected} 不同",
        "请用 `scale:` 换算成类别的单位。",
        "warning",
    ),
    "LG-PROF-11": Wording(
        "`verified: false` without saying what is not",
        "Add `unverified:` with what nobody has seen on a device.",
        "`verified: false` 但没有说明原因",
        "请添加 `unverified:`，写明哪些内容未在设备上核实。",
    ),
    "LG-PROF-12": Wording(
        "the event '{name}' has no severity, and the kind gives none",
        "Add `severity:` 0 to 4.",
        "事件 '{name}' 没有级别，类别也未给出",
        "请添加 `severity:` 0 到 4。",
    ),
    "LG-PROF-13": Wording(
        "numbered points need {{n}} in their id",
        "Write the id as zone_{{n}}, or remove `each:`.",
        "编号的点标识中必须有 {{n}}",
        "请把标识写成 zone_{{n}}，或删除 `each:`。",
    ),
    "LG-PROF-14": Wording(
        "a condition needs exactly one of equals, above and below",
        "Write one of them; `clear` goes with above or below.",
        "条件必须恰好有 equals、above、below 之一",
        "请只写一个；`clear` 只与 above 或 below 同用。",
    ),
    "LG-PROF-15": Wording(
        "'{name}' is not a raw value",
        "Write raw values as whole numbers: {{1: open, 2: close}}.",
        "'{name}' 不是原始值",
        "原始值请写整数：{{1: open, 2: close}}。",
    ),
    "LG-PROF-17": Wording(
        "driver {driver} does not speak '{protocol}'",
        "{advice}",
        "驱动 {driver} 不支持 '{protocol}'",
        "{advice}",
    ),
    "LG-PROF-16": Wording(
        "'{name}' cannot be the id of a profile",
        "Write it as vendor/model in lower case.",
        "'{name}' 不能作为设备模板标识",
        "请写成小写的 厂商/型号。",
    ),
    "LG-KIND-01": Wording(
        "`expects` names the point '{name}', which the kind does not have",
        "{advice}",
        "`expects` 引用的点 '{name}' 不在类别中",
        "{advice}",
    ),
    "LG-KIND-02": Wording(
        "a point of type enum needs `values:`",
        "List the values: values: [free, occupied, unknown].",
        "enum 类型的点需要 `values:`",
        "请列出取值：values: [free, occupied, unknown]。",
    ),
}

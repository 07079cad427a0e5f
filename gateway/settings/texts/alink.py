"""What `check` can say of the options of the `alink` dialect."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-ALINK-01": Wording(
        "there is no Alink platform '{name}'",
        "{advice}",
        "没有 '{name}' 这种 Alink 平台",
        "{advice}",
    ),
    "LG-ALINK-02": Wording(
        "the platform '{name}' needs the secret of the gateway's device",
        "Give it as `device_secret: {{credential: name}}`; the console shows it beside the device.",
        "平台 '{name}' 需要网关设备的密钥",
        "请写成 `device_secret: {{credential: 名称}}`；控制台的设备详情页可查看。",
    ),
    "LG-ALINK-03": Wording(
        "'{name}' cannot name a product, a device or an event on the platform",
        "Names have 1 to 64 printable characters, none of them / + # & |.",
        "'{name}' 不能用作平台上的产品、设备或事件名称",
        "名称为 1 到 64 个可见字符，不得含有 / + # & |。",
    ),
}

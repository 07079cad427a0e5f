"""What `check` can say of options that several dialects have."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-OPT-01": Wording(
        "two points have the name '{name}' on the platform",
        "Give each point a name of its own: of two values with one name, one would be lost.",
        "两个点在平台上的名称都是 '{name}'",
        "请为每个点填写不同的名称：同名的两个值会丢失一个。",
    ),
}

"""OneNET (China Mobile), the cousin: OneJSON below `$sys/`, a token, numbers as ids."""

from gateway.dialects.alink.profile import (
    AlinkProfile,
    Auth,
    Downlink,
    EventForm,
    Form,
    Limits,
    Listens,
    Session,
)

_LIMITS = Limits(devices=10, properties=100, events=20, is_each=True)
"""At most 10 sub-devices, 100 values of each (OneJSON, batch and history). Of events: not said."""

PROFILE = AlinkProfile(
    title="OneNET Studio",
    sources=(
        "domain.md S14",
        "iot.10086.cn/doc/iot_platform OneJSON: property&event, sub-devices; auth/token",
    ),
    prefix="$sys/",
    product_word="productID",
    message_word="msg",
    post_reply="/reply",
    auth=Auth.ONENET,
    session=Session.ONENET,
    post="thing/property/post",
    pack="thing/pack/post",
    history="thing/history/post",
    event="thing/event/post",
    set="thing/property/set",
    get="thing/property/get",
    service="thing/service/{}/invoke",
    form=Form.ARRAY,
    event_form=EventForm.KEYED,
    has_method=False,
    has_numeric_ids=True,
    downlink=Downlink.SUB_TOPIC,
    listens=Listens.OWN,
    limits=_LIMITS,
    history_limits=_LIMITS,
)

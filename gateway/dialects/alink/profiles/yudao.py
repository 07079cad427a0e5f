"""yudao (ruoyi-vue-pro): topics are made of the method, values are bare, nobody logs in."""

from gateway.dialects.alink.profile import AlinkProfile, Auth, EventForm, Session

PROFILE = AlinkProfile(
    title="yudao / ruoyi-vue-pro IoT",
    sources=(
        "domain.md S9",
        "YunaiV/ruoyi-vue-pro: IotDeviceMessageMethodEnum, IotDeviceAuthUtils",
        "…: IotDevicePropertyPackPostReqDTO, IotDeviceEventPostReqDTO",
        "…: IotDeviceServiceInvokeReqDTO, IotDeviceTopoAddReqDTO",
    ),
    message_word="msg",
    auth=Auth.YUDAO,
    session=Session.NONE,
    post="thing/property/post",
    history=None,
    event="thing/event/post",
    set="thing/property/set",
    get=None,
    service="thing/service/invoke",
    event_form=EventForm.NAMED,
    is_timed=False,
    method_in_replies=True,  # it reads the kind of every message from its `method`
)
